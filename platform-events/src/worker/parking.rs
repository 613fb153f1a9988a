//! Reports of parked events: at most one a minute and group, outside the parking transaction.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use platform_core::clock::Stopwatch;
use serde::{Deserialize, Serialize};

use super::Worker;
use super::group::locked;
use crate::blocked::Cause;
use crate::event::{Draft, Event};

const EVERY: Duration = Duration::from_secs(60);

/// What was parked since the last report.
#[derive(Debug, Default)]
pub(super) struct Parked {
    waiting: Mutex<HashMap<i64, Report>>,
}

#[derive(Debug)]
struct Report {
    count: usize,
    cause: Cause,
    first: String,
    last_sent: Option<Stopwatch>,
}

/// The event `platform.parked`: a group parked events. Handled only by patterns that name it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventsParked {
    /// The handler whose events they are.
    pub group: String,
    /// How many since the last report.
    pub count: u64,
    /// Why the first of them.
    pub cause: String,
    /// The id of the first of them.
    pub first_id: String,
}

impl Event for EventsParked {
    const TYPE: &'static str = "platform.parked";

    fn key(&self) -> Option<String> {
        None
    }
}

impl Parked {
    pub(super) fn note(&self, group: i64, cause: Cause, id: &str, count: usize) {
        let mut waiting = locked(&self.waiting);
        let report = waiting.entry(group).or_insert_with(|| Report {
            count: 0,
            cause,
            first: id.to_owned(),
            last_sent: None,
        });
        if report.count == 0 {
            report.cause = cause;
            id.clone_into(&mut report.first);
        }
        report.count += count;
    }

    fn take_due(&self) -> Vec<(i64, usize, Cause, String)> {
        let mut waiting = locked(&self.waiting);
        let due = waiting.iter_mut().filter(|(_, report)| {
            report.count > 0 && report.last_sent.is_none_or(|sent| sent.elapsed() >= EVERY)
        });
        due.map(|(group, report)| {
            report.last_sent = Some(Stopwatch::start());
            (
                *group,
                std::mem::take(&mut report.count),
                report.cause,
                report.first.clone(),
            )
        })
        .collect()
    }
}

impl Worker {
    pub(super) async fn report_parked(&self) {
        for (id, count, cause, first_id) in self.parked.take_due() {
            let Some(group) = self.group(id) else {
                continue;
            };
            let report = EventsParked {
                group: group.spec.name.to_owned(),
                count: count as u64,
                cause: cause.as_str().to_owned(),
                first_id: first_id.clone(),
            };
            let draft: Draft = report.unkeyed();
            if let Err(error) = self.publisher.publish(draft).await {
                tracing::warn!(
                    error = crate::outcome::chain(&error),
                    "reporting parked events"
                );
                self.parked.note(id, cause, &first_id, count);
            }
        }
    }
}
