//! What people decided about events and groups: kept for ever, with actor and reason.

use platform_core::{Actor, Key, Tx};
use uuid::Uuid;

use crate::Error;
use crate::log::Position;

/// One decision of a person, or of a program on behalf of one.
#[derive(Debug, Clone)]
pub(crate) struct Decision<'d> {
    pub(crate) group: i64,
    /// The blocked key that it is about; the nil key when it is about the whole group.
    pub(crate) key: Key,
    pub(crate) tenant: &'d str,
    pub(crate) head: Position,
    pub(crate) action: &'static str,
    pub(crate) by: &'d Actor,
    pub(crate) because: &'d str,
}

impl<'d> Decision<'d> {
    /// That a group is gone for good.
    pub(crate) fn retired(group: i64, by: &'d Actor, because: &'d str) -> Self {
        Self::about_group(group, "retire", by, because)
    }

    pub(crate) fn about_group(
        group: i64,
        action: &'static str,
        by: &'d Actor,
        because: &'d str,
    ) -> Self {
        Self {
            group,
            key: Uuid::nil().into(),
            tenant: "",
            head: 0,
            action,
            by,
            because,
        }
    }

    /// Writes it down in the transaction that carries it out.
    pub(crate) async fn keep(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.query(KEEP)
            .bind(self.group)
            .bind(self.key)
            .bind(self.tenant)
            .bind(self.head)
            .bind(self.action)
            .bind(self.by.to_string())
            .bind(self.because)
            .execute()
            .await?;
        Ok(())
    }
}

const KEEP: &str = "insert into platform_decision (group_id, key, tenant, head, action, actor, reason, recorded_at)
    values ($1, $2, $3, $4, $5, $6, $7, (select now from platform_time))";
