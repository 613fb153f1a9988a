//! One attempt of a task: run in the transaction that claimed it, bounded in time, panics caught.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use platform_core::Tx;
use platform_core::store::Dialect;
use platform_events::event::Draft;
use platform_events::{HandlerError, Publisher};

use crate::context::TaskContext;
use crate::failure::Failure;
use crate::queue::{self, Claimed};
use crate::task::Erased;

/// How long an attempt may be the only writer of a SQLite file: less than a lease lasts there, and less than
/// other writers wait.
const WRITER_MAX: Duration = Duration::from_secs(2);

/// Runs the task and commits its effects with its end, or undoes them and says why.
///
/// # Cancel safety
/// Dropped at any await, nothing of the attempt remains.
pub(crate) async fn run(
    mut tx: Tx,
    task: &dyn Erased,
    claimed: &Claimed,
    publisher: &Publisher,
) -> Result<(), Failure> {
    let mut cx = TaskContext::new(&mut tx, claimed);
    // What was cut off may have left a statement half answered: then the connection goes with the transaction.
    let said = answer(task, &mut cx).await.map_err(Failure::retry)?;
    let drafts = cx.into_drafts();
    let written = match said {
        Ok(()) => end(&mut tx, claimed, publisher, drafts).await,
        Err(error) => Err(error),
    };
    let Err(error) = written else {
        return tx
            .commit()
            .await
            .map_err(|error| Failure::of(&error.into()));
    };
    if let Err(error) = tx.rollback().await {
        tracing::debug!(%error, "rolling back");
    }
    Err(Failure::of(&error))
}

/// Waits for the task; the outer error says why it was cut off.
async fn answer(
    task: &dyn Erased,
    cx: &mut TaskContext<'_>,
) -> Result<Result<(), HandlerError>, String> {
    let limit = match cx.tx().dialect() {
        Dialect::Sqlite => task.timeout().min(WRITER_MAX),
        Dialect::Postgres => task.timeout(),
    };
    let work = AssertUnwindSafe(task.run(cx)).catch_unwind();
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(panic)) => Err(format!("the task panicked: {}", text_of(panic.as_ref()))),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

/// Publishing comes last: a published event holds the reading of the log back until the commit.
async fn end(
    tx: &mut Tx,
    claimed: &Claimed,
    publisher: &Publisher,
    drafts: Vec<Draft>,
) -> Result<(), HandlerError> {
    queue::finish(tx, claimed).await?;
    publisher.publish_in(tx, drafts).await?;
    Ok(())
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
