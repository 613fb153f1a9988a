//! The crate's one public error.

use std::error::Error as StdError;
use std::fmt;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What went wrong while publishing, wiring a service, or asking about its log.
///
/// `Display` is a fragment that says what was wrong, where, and how to mend it; `source` holds the cause.
pub struct Error {
    kind: ErrorKind,
    message: String,
    is_transient: bool,
    source: Option<Source>,
}

/// The kinds of [`Error`] a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An event breaks a rule: an empty id, a malformed type, a payload that does not serialise.
    InvalidEvent,
    /// The payload is larger than the publishing limit.
    TooLarge,
    /// The entity's version was published before: another write came first, or the version did not move.
    VersionReused,
    /// The idempotency key was published before with other content.
    ContentDiffers,
    /// The connection is not in a transaction, so the event could be written without its change.
    NotInTransaction,
    /// The service is wired wrongly; found before the first event.
    Wiring,
    /// The service runs already, or one of its tasks ended badly.
    Worker,
    /// What the log holds and what the database says do not fit together; the message names the repair.
    Damaged,
    /// The asked row does not exist, or is not in the state that the call needs.
    NotFound,
    /// The store failed; [`Error::is_transient`] says whether the same call may succeed later.
    Store,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            is_transient: false,
            source: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidEvent, message)
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    pub(crate) fn wiring(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Wiring, message)
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Answers whether the same call may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }
}

impl From<platform_core::Error> for Error {
    fn from(error: platform_core::Error) -> Self {
        let kind = match error.kind() {
            platform_core::ErrorKind::InvalidInput => ErrorKind::InvalidEvent,
            platform_core::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Store,
        };
        let is_transient = error.is_transient();
        // The words are the cause's own, and so is everything below it.
        let message = error.to_string();
        let source = error.into_source();
        Self {
            kind,
            message,
            is_transient,
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
