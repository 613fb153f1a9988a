//! What a task is: a value that is stored now and run later.
//!
//! It knows neither the queue nor the runner; a known task is erased here once.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use platform_events::{HandlerError, Reject};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::TaskContext;

/// Something to be done later. Its fields are stored as JSON until it is run.
///
/// | it returns | what happens |
/// |---|---|
/// | `Ok(())` | its effects, what it published and its state `done` commit together |
/// | an error through `?` | all is undone; tried again after 1 s, 2 s … up to 5 min, ten attempts in all |
/// | `reason.reject()` | it has failed, with this reason |
/// | `snooze(wait)` | tried again later, no attempt spent |
/// | a panic, or no answer within [`TIMEOUT`](Self::TIMEOUT) | as an error |
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its stored name: `[a-z0-9-]`, at most 64 bytes.
    const KIND: &'static str;
    /// How long one attempt may take; on SQLite at most 2 s, since it is the only writer meanwhile.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Does it. The whole attempt is one transaction, so what takes long belongs elsewhere.
    ///
    /// # Cancel safety
    /// Dropped at any await when its time is over; what it wrote through [`TaskContext::tx`] is then undone.
    fn run(
        &self,
        cx: &mut TaskContext<'_>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// Says how long after its event was recorded it is due.
    fn after(self, wait: Duration) -> Later<Self> {
        Later { task: self, wait }
    }
}

/// A task and how long after its event it is due.
#[derive(Debug, Clone)]
#[must_use = "a task is enqueued only when its rule returns it"]
pub struct Later<T> {
    pub(crate) task: T,
    pub(crate) wait: Duration,
}

/// What a rule can return: a task for later, or perhaps one.
pub trait IntoLater {
    /// The task.
    type Task: Task;

    /// Converts into the task, if there is one.
    fn into_later(self) -> Option<Later<Self::Task>>;
}

impl<T: Task> IntoLater for Later<T> {
    type Task = T;

    fn into_later(self) -> Option<Self> {
        Some(self)
    }
}

impl<T: Task> IntoLater for Option<Later<T>> {
    type Task = T;

    fn into_later(self) -> Self {
        self
    }
}

/// Returns a span of whole days, 24 hours each.
pub const fn days(count: u32) -> Duration {
    Duration::from_hours(24 * count as u64)
}

/// A task without its type.
#[async_trait]
pub(crate) trait Erased: Send + Sync {
    fn kind(&self) -> &'static str;

    fn timeout(&self) -> Duration;

    async fn run(&self, cx: &mut TaskContext<'_>) -> Result<(), HandlerError>;
}

/// Stands for all tasks of one type.
pub(crate) struct Of<T>(PhantomData<fn() -> T>);

impl<T> Of<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

#[async_trait]
impl<T: Task> Erased for Of<T> {
    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn timeout(&self) -> Duration {
        T::TIMEOUT
    }

    async fn run(&self, cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        // The cause is left out: it quotes the payload, which may be personal.
        let task: T = serde_json::from_str(cx.payload())
            .map_err(|_| format!("the stored payload does not fit {}", T::KIND).reject())?;
        task.run(cx).await
    }
}
