//! Whose fault a refusal is: the store's if it refuses an event of ours, too.

use bytes::Bytes;
use platform_core::Key;
use platform_core::store::Dialect;

use super::receiver::Receiver;
use crate::Error;
use crate::envelope::Envelope;

impl Receiver {
    /// Answers whether the store takes an event that nothing is wrong with; it is undone. A refusal for want of a
    /// partition is mended on the way.
    pub(super) async fn takes_others(&self) -> bool {
        if self.log.store().dialect() == Dialect::Postgres {
            let made = self.log.store().query(ROOM_POSTGRES).fetch_one().await;
            tracing::debug!(is_made = made.is_ok(), "made room in the log");
        }
        match self.try_canary().await {
            Ok(()) => true,
            Err(error) => {
                let error = crate::outcome::chain(&error);
                tracing::warn!(
                    subscription = self.name,
                    error,
                    "the store refuses every event"
                );
                false
            }
        }
    }

    async fn try_canary(&self) -> Result<(), Error> {
        let id = Key::unique().to_string();
        let canary = Envelope::builder(id, "platform", "platform.canary").build();
        let canary = canary.map_err(|error| Error::invalid("the canary").with_source(error))?;
        let arrival = self.arrival(&canary, &Bytes::new());
        let record = arrival.map_err(Error::invalid)?.record;
        let mut tx = self.log.store().begin().await?;
        let appended = self.log.append(tx.conn(), &[record]).await;
        tx.rollback().await?;
        appended.map(drop)
    }
}

const ROOM_POSTGRES: &str = "select platform_log_partition(last_value + greatest(1000,
        (select value::bigint from platform_meta where name = 'partition_rows'))) from platform_log_seq";
