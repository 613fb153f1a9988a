//! Why a command stopped, in words for the person who typed it.

use std::io;

/// What ends a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Store(#[from] platform_core::Error),
    #[error(transparent)]
    Events(#[from] platform_events::Error),
    #[error("{place}")]
    File { place: String, source: io::Error },
    #[error("{0}")]
    Wrong(String),
    #[error("stopped before everything had followed; `orders work` goes on")]
    Interrupted,
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Names the file that cannot be read or written.
    pub(crate) fn file(what: &str, path: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let place = format!("cannot {what} {path}");
        move |source| Self::File { place, source }
    }

    /// Answers whether the reader of the output has gone, as `head` does.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Joins the words of the failure and of its causes.
    pub(crate) fn told(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let words = cause.to_string();
            // The driver's errors say again what their cause says.
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            next = cause.source();
        }
        text
    }
}
