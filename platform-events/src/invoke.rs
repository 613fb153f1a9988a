//! Calls user code: bounded in time, panics caught.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::outcome::{HandlerError, Verdict};

/// Waits for `work` at most `limit`; a panic or no answer becomes a failed attempt.
pub(crate) async fn guarded(
    limit: Duration,
    work: impl Future<Output = Result<(), HandlerError>> + Send,
) -> Result<(), HandlerError> {
    // What the panicking handler wrote is rolled back, so nothing half-changed is seen again.
    match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let reason = format!("the handler panicked: {}", text_of(panic.as_ref()));
            Err(HandlerError::new(Verdict::Retry, reason))
        }
        Err(_) => Err(HandlerError::new(
            Verdict::Retry,
            format!("no answer within {limit:?}"),
        )),
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
