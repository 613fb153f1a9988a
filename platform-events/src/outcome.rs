//! What a handler says when it did not succeed: again, never, or later.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Why a handler did not finish. Any error becomes one through `?` and means: try again by the policy.
///
/// It does not implement `Error` itself, so that every error converts.
pub struct HandlerError {
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
}

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Again, by the policy.
    Retry,
    /// Never: park it.
    Reject,
    /// Later, without spending an attempt.
    Snooze(Duration),
    /// The database went away meanwhile: not the event's fault until proven otherwise.
    Unavailable,
    /// Another transaction was in the way: repeat at once.
    Conflict,
    /// The way out is closed, for this event and all behind it: the lane waits, and nothing is counted.
    Hold,
}

impl HandlerError {
    pub(crate) fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        // PostgreSQL's text holds no NUL.
        let mut reason = reason.into().replace('\0', "\u{fffd}");
        truncate(&mut reason);
        Self { verdict, reason }
    }

    /// Returns what is to be done about it.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns why, at most 2,000 bytes.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Makes a failure that is tried again by the policy.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Retry, reason)
    }
}

/// The longest reason kept, in bytes.
const REASON_MAX: usize = 2_000;

fn truncate(reason: &mut String) {
    if reason.len() > REASON_MAX {
        let end = (0..=REASON_MAX)
            .rev()
            .find(|&at| reason.is_char_boundary(at))
            .unwrap_or(0);
        reason.truncate(end);
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let verdict = match platform_core::Error::infrastructure(&error) {
            Some(platform_core::ErrorKind::Unavailable) => Verdict::Unavailable,
            Some(platform_core::ErrorKind::Conflict) => Verdict::Conflict,
            _ => Verdict::Retry,
        };
        Self::new(verdict, chain(&error))
    }
}

/// Joins an error and its causes, each said once.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.verdict, self.reason)
    }
}

/// Turns a reason into "never again": `return Err("unknown product".reject())`.
pub trait Reject {
    /// Makes the error that parks the event at once, with this reason.
    fn reject(self) -> HandlerError;
}

impl<T: fmt::Display> Reject for T {
    fn reject(self) -> HandlerError {
        HandlerError::new(Verdict::Reject, self.to_string())
    }
}

/// Makes the error that tries again after `wait`, without spending an attempt.
pub fn snooze(wait: Duration) -> HandlerError {
    HandlerError::new(Verdict::Snooze(wait), format!("snoozed for {wait:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u8, HandlerError> {
        Ok(text.parse::<u8>()?)
    }

    #[test]
    fn the_question_mark_means_try_again() {
        assert_eq!(parse("x").unwrap_err().verdict, Verdict::Retry);
    }

    #[test]
    fn a_store_that_is_away_is_not_the_events_fault() {
        let away = platform_core::Error::new(platform_core::ErrorKind::Unavailable, "away");
        assert_eq!(HandlerError::from(away).verdict, Verdict::Unavailable);
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let error = "ü".repeat(3_000).reject();
        assert!(error.reason.len() <= REASON_MAX && error.reason.ends_with('ü'));
    }
}
