//! One batch of rows in one transaction: rows written, changes published, both or neither.

use std::collections::{HashMap, HashSet};

use platform_core::{Actor, Change, Error, ErrorKind, Store, TenantId, Tx};
use platform_events::Publisher;

use crate::failure::Failure;
use crate::import::Counts;
use crate::record::{Key, Record};

/// How often a batch is repeated when another process was in the way.
const ATTEMPTS: u32 = 5;

/// How batches are written.
#[derive(Debug)]
pub(crate) struct Batches<'b> {
    pub(crate) store: &'b Store,
    pub(crate) publisher: &'b Publisher,
    /// The name of the input, kept with every change.
    pub(crate) name: &'b str,
    /// Memory of something past: remembered, told to nobody.
    pub(crate) is_backfill: bool,
}

impl Batches<'_> {
    /// Writes rows in their order and commits.
    pub(crate) async fn write<R: Record>(&self, rows: &mut [R]) -> Result<Counts, Failure> {
        let mut attempt = 1;
        loop {
            match self.attempt(rows).await {
                Err(failure) if attempt < ATTEMPTS && is_in_the_way(&failure) => attempt += 1,
                written => return written,
            }
        }
    }

    async fn attempt<R: Record>(&self, rows: &mut [R]) -> Result<Counts, Failure> {
        let mut tx = self.store.begin().await?;
        R::complete(rows, &mut tx).await?;
        let mut counts = Counts::default();
        let mut rest: &[R] = rows;
        while !rest.is_empty() {
            let (next, later) = rest.split_at(distinct(rest));
            counts += self.write_distinct(next, &mut tx).await?;
            rest = later;
        }
        tx.commit().await?;
        Ok(counts)
    }

    async fn write_distinct<R: Record>(&self, rows: &[R], tx: &mut Tx) -> Result<Counts, Failure> {
        let known = lock(rows, tx).await?;
        let mut counts = Counts::default();
        let mut changes = Vec::new();
        for row in rows {
            let key = row.key();
            let old = known.get(&(key.tenant.clone(), key.id.to_owned()));
            match old.map(|old| (old, row.over(old))) {
                None => {
                    counts.created += 1;
                    changes.push(self.said(row, Change::created(row)?));
                    save(row, tx).await?;
                }
                Some((old, Some(new))) => {
                    counts.changed += 1;
                    let change = Change::updated(old, &new)?.named(new.event_type(old));
                    changes.push(self.said(&new, change));
                    save(&new, tx).await?;
                }
                Some((_, None)) => counts.unchanged += 1,
            }
        }
        self.publisher.publish_in(tx, changes).await?;
        Ok(counts)
    }

    fn said<R: Record>(&self, new: &R, change: Change) -> Change {
        let happened_at = new.happened_at(change.event_type());
        let change = change.by(Actor::service("import")).in_batch(self.name);
        let change = if self.is_backfill {
            change.muted()
        } else {
            change
        };
        match happened_at {
            Some(time) => change.at(time),
            None => change,
        }
    }
}

/// How many rows from the first on are of different objects: a statement sees each object once.
fn distinct<R: Record>(rows: &[R]) -> usize {
    let mut seen = HashSet::new();
    rows.iter().take_while(|row| seen.insert(row.key())).count()
}

async fn lock<R: Record>(rows: &[R], tx: &mut Tx) -> Result<HashMap<(TenantId, String), R>, Error> {
    let keys: Vec<Key<'_>> = rows.iter().map(Record::key).collect();
    let found = tx
        .query(R::locking(tx.dialect()))
        .bind(Key::list(&keys)?)
        .fetch_all()
        .await?;
    let read = |row| {
        let old = R::read(row)?;
        let Key { tenant, id } = old.key();
        Ok(((tenant.clone(), id.to_owned()), old))
    };
    found.iter().map(read).collect()
}

async fn save<R: Record>(row: &R, tx: &mut Tx) -> Result<(), Error> {
    match row.save(tx).execute().await? {
        0 => {
            let Key { tenant, id } = row.key();
            let kind = R::KIND;
            let message =
                format!("another import wrote {kind} {id:?} of tenant {tenant} meanwhile");
            Err(Error::new(ErrorKind::Conflict, message))
        }
        _ => Ok(()),
    }
}

fn is_in_the_way(failure: &Failure) -> bool {
    match failure {
        Failure::Store(error) => error.is_transient(),
        Failure::Events(error) => error.is_transient(),
        _ => false,
    }
}
