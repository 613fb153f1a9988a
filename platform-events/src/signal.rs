//! The hint inside one process that something was published; polling is the base, this makes it quick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Wakes the reader of this process. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    wake: Notify,
    is_elsewhere: AtomicBool,
}

impl Signal {
    /// Something was committed.
    pub(crate) fn published(&self) {
        self.shared.wake.notify_one();
    }

    /// Something was written in a transaction whose commit this process does not see.
    pub(crate) fn published_elsewhere(&self) {
        self.shared.is_elsewhere.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }

    /// Answers once whether something was written whose commit is not seen.
    pub(crate) fn take_elsewhere(&self) -> bool {
        self.shared.is_elsewhere.swap(false, Ordering::AcqRel)
    }

    /// Waits for the next hint. Cancel safe.
    pub(crate) async fn wait(&self) {
        self.shared.wake.notified().await;
    }
}
