//! How far the service is: every number that a person asks for, in one look.

use std::fmt;

use platform_core::Store;
use platform_events::Service;
use serde::Serialize;

use crate::failure::Failure;

/// Counts of everything, over all tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    customers: i64,
    orders: i64,
    events: i64,
    handled: i64,
    waiting: i64,
    parked: i64,
    history: i64,
    mails: i64,
    skipped: i64,
    tasks: i64,
    settled: bool,
}

/// A status beside what has come since an earlier one.
#[derive(Debug)]
pub(crate) struct Summary<'s> {
    pub(crate) before: &'s Status,
    pub(crate) after: &'s Status,
}

impl Status {
    pub(crate) async fn of(store: &Store, service: &Service) -> Result<Self, Failure> {
        let overview = service.overview().await?;
        let row = store.query(COUNTS).fetch_one().await?;
        Ok(Self {
            customers: row.get("customers")?,
            orders: row.get("orders")?,
            events: overview.events,
            handled: overview.handled,
            waiting: overview.waiting,
            parked: overview.parked,
            history: row.get("history")?,
            mails: row.get("mails")?,
            skipped: row.get("skipped")?,
            tasks: row.get("tasks")?,
            settled: overview.is_settled,
        })
    }

    fn counts(&self) -> [(&'static str, i64); 10] {
        [
            ("customers", self.customers),
            ("orders", self.orders),
            ("events", self.events),
            ("handled", self.handled),
            ("waiting", self.waiting),
            ("parked", self.parked),
            ("history", self.history),
            ("mails", self.mails),
            ("skipped", self.skipped),
            ("tasks", self.tasks),
        ]
    }

    fn settled(&self) -> String {
        let settled = if self.settled {
            "settled: nothing is left to do"
        } else {
            "not settled: run `orders work`"
        };
        match self.parked {
            0 => settled.to_owned(),
            parked => format!("{settled}, but {parked} parked: see `orders parked`"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts() {
            writeln!(f, "{name:<10}{count:>10}")?;
        }
        f.write_str(&self.settled())
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((name, before), (_, after)) in
            self.before.counts().into_iter().zip(self.after.counts())
        {
            writeln!(f, "{name:<10}{after:>10}{:>10} new", after - before)?;
        }
        f.write_str(&self.after.settled())
    }
}

const COUNTS: &str = "select -- all tenants: the operator's own look
    (select count(*) from customers) as customers,
    (select count(*) from orders) as orders,
    (select count(*) from platform_entry) as history,
    (select count(*) from platform_notification where state = 'sent') as mails,
    (select count(*) from platform_notification where state = 'skipped')
        + (select count(*) from platform_task where state = 'skipped') as skipped,
    (select count(*) from platform_task where state <> 'skipped') as tasks";
