//! The crate's one public error: opaque, with a kind to branch on and a source that is never repeated.
//!
//! Transience is decided where the fault is understood (the store backends) and carried from there.

use std::error::Error as StdError;
use std::fmt;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What went wrong, and whether trying again can help.
///
/// `Display` is a fragment that says what was wrong, where, and how to mend it; [`source`](StdError::source)
/// holds the cause.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

/// The kinds of [`Error`] a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value breaks a rule of its type: an empty id, a version that does not move.
    InvalidInput,
    /// The store cannot be opened: a wrong URL, a missing server, an engine too old.
    Open,
    /// The schema in the database and this library do not fit together.
    Schema,
    /// The connection or the server failed; the same call may succeed later.
    Unavailable,
    /// Another transaction was in the way (serialisation failure, deadlock, busy); repeat the transaction.
    Conflict,
    /// A unique constraint refused the row.
    Duplicate,
    /// The asked row does not exist.
    NotFound,
    /// The database refused the statement for another reason.
    Statement,
}

impl Error {
    /// Makes an error from its kind and a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Makes an [`ErrorKind::InvalidInput`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Takes the cause, for an error type that carries this one's words on.
    pub fn into_source(self) -> Option<Box<dyn StdError + Send + Sync + 'static>> {
        self.source
    }

    /// Finds a failure of the infrastructure in a chain of causes: [`ErrorKind::Unavailable`] for a store that is
    /// away, [`ErrorKind::Conflict`] for one that is busy.
    pub fn infrastructure(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
        let mut next = Some(error);
        while let Some(error) = next {
            let kind = match error.downcast_ref::<Self>() {
                Some(own) => Some(own.kind()),
                None => crate::store::kind_of(error),
            };
            if let Some(kind) = kind {
                return matches!(kind, ErrorKind::Unavailable | ErrorKind::Conflict)
                    .then_some(kind);
            }
            next = error.source();
        }
        None
    }

    /// Returns the kind to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Answers whether the same call may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Conflict)
    }

    /// Answers whether a unique constraint refused the row.
    pub fn is_duplicate(&self) -> bool {
        self.kind == ErrorKind::Duplicate
    }

    /// Answers whether the asked row does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
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
