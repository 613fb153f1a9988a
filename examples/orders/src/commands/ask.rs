//! Commands of an operator: why, why not, how far, what is missing, and once more.

use std::fmt::Display;

use platform_core::Key;
use platform_events::ErrorKind;
use platform_events::questions::{GroupLag, Subject};
use platform_events::replay::Replay;
use serde::Serialize;

use crate::arguments::{Form, ReplayArguments, Who};
use crate::commands::Opened;
use crate::failure::Failure;
use crate::output::say;

pub(crate) async fn why(opened: &Opened, subject: &str, form: &Form) -> Result<(), Failure> {
    let service = &opened.service;
    let why = match (subject.parse::<i64>(), subject.parse::<Key>()) {
        (Ok(position), _) => service.why(Subject::Position(position)).await,
        (_, Ok(id)) => match service.why(Subject::Event(subject)).await {
            // Ids of events and of what follows from them look alike.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                service.why(Subject::Effect(id)).await
            }
            why => why,
        },
        _ => service.why(Subject::Event(subject)).await,
    };
    answer(&why?, form)
}

pub(crate) async fn why_not(
    opened: &Opened,
    handler: &str,
    position: i64,
    form: &Form,
) -> Result<(), Failure> {
    answer(&opened.service.why_not(handler, position).await?, form)
}

pub(crate) async fn lag(opened: &Opened, form: &Form) -> Result<(), Failure> {
    let lags = opened.service.lag().await?;
    if form.is_json {
        return answer(&Quiet(&lags), form);
    }
    Ok(lags.iter().try_for_each(tell)?)
}

fn tell(lag: &GroupLag) -> std::io::Result<()> {
    let oldest = lag.oldest().map_or("up to date".to_owned(), |oldest| {
        format!("{} s behind", oldest.as_secs())
    });
    let held = lag
        .lanes
        .iter()
        .filter(|lane| lane.holder.is_some())
        .count();
    let GroupLag {
        handler,
        waiting,
        parked,
        ..
    } = lag;
    let lanes = lag.lanes.len();
    say(format_args!(
        "{handler:<16}{oldest}, {held} of {lanes} lanes held, {waiting} waiting, {parked} parked"
    ))?;
    let replaying = lag.lanes.iter().any(|lane| lane.replaying_to.is_some());
    let notes = [
        (replaying, "handles a stretch again"),
        (
            lag.is_waiting_for_release,
            "a process waits: another release asks for more",
        ),
        (
            lag.is_orphaned,
            "nobody has had it for 7 days: `orders retire` it if it is gone for good",
        ),
    ];
    let mut notes = notes.iter().filter(|(is_so, _)| *is_so);
    notes.try_for_each(|(_, note)| say(format_args!("                {note}")))?;
    let mut paused = lag.paused.iter();
    paused.try_for_each(|why| say(format_args!("                paused: {why}")))
}

/// Tells what is missing; false when something is.
pub(crate) async fn audit(
    opened: &Opened,
    (from, to): (i64, i64),
    form: &Form,
) -> Result<bool, Failure> {
    let (mut from, mut is_clean) = (from, true);
    let (mut events, mut rows) = (0, 0);
    loop {
        let audit = opened.service.audit(from, to).await?;
        is_clean &= audit.complaints.is_empty();
        (events, rows) = (events + audit.events, rows + audit.rows);
        if form.is_json {
            answer(&Quiet(&audit), form)?;
        } else {
            audit.complaints.iter().try_for_each(say)?;
        }
        let Some(next) = audit.next else { break };
        from = next;
    }
    if !form.is_json {
        let verdict = if is_clean {
            "nothing is missing"
        } else {
            "see above"
        };
        say(format_args!(
            "{events} events, {rows} rows that follow from them: {verdict}"
        ))?;
    }
    Ok(is_clean)
}

pub(crate) async fn replay(opened: &Opened, asked: &ReplayArguments) -> Result<(), Failure> {
    let mut replay = asked.from.map_or_else(Replay::rebuild, Replay::from);
    if let Some(to) = asked.to {
        replay = replay.to(to);
    }
    if asked.is_publishing {
        replay = replay.publishing();
    }
    let who = &asked.who;
    let begun = opened
        .service
        .replay(&asked.handler, replay, &who.actor(), &who.because)
        .await?;
    Ok(say(format_args!(
        "{} events are handled again by the next `orders work`; new ones wait for them",
        begun.events
    ))?)
}

pub(crate) async fn retire(opened: &Opened, handler: &str, who: &Who) -> Result<(), Failure> {
    let service = &opened.service;
    service.retire(handler, &who.actor(), &who.because).await?;
    Ok(say(format_args!("nothing waits for {handler} any more"))?)
}

/// What has a form as JSON alone.
#[derive(Serialize)]
#[serde(transparent)]
struct Quiet<'a, T>(&'a T);

impl<T> Display for Quiet<'_, T> {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

fn answer(answer: &(impl Serialize + Display), form: &Form) -> Result<(), Failure> {
    if form.is_json {
        let json = serde_json::to_string(answer).map_err(std::io::Error::from)?;
        return Ok(say(json)?);
    }
    Ok(say(answer.to_string().trim_end())?)
}
