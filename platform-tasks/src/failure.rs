//! What an attempt said when it did not succeed, read from a handler's error.
//!
//! Pure: knows no queue and no clock.

use std::time::Duration;

use platform_events::{HandlerError, handler};

/// Why an attempt failed and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Again, by the policy.
    Retry,
    /// Never again.
    Reject,
    /// Later, no attempt spent.
    Snooze(Duration),
    /// The store may be away: then nobody's fault.
    Unavailable,
}

impl Failure {
    /// A failure that is tried again by the policy; the reason is bounded like a handler's.
    pub(crate) fn retry(reason: String) -> Self {
        Self::of(&HandlerError::retry(reason))
    }

    /// Reads the error. Another transaction in the way is nobody's fault either.
    pub(crate) fn of(error: &HandlerError) -> Self {
        let verdict = match error.verdict() {
            handler::Verdict::Reject => Verdict::Reject,
            handler::Verdict::Snooze(wait) => Verdict::Snooze(wait),
            handler::Verdict::Unavailable | handler::Verdict::Conflict => Verdict::Unavailable,
            _ => Verdict::Retry,
        };
        Self {
            verdict,
            reason: error.reason().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use platform_events::{Reject, snooze};

    use super::*;

    #[test]
    fn every_verdict_is_read_from_the_error() {
        let cases = [
            (HandlerError::retry("a: b"), Verdict::Retry, "a: b"),
            ("no".reject(), Verdict::Reject, "no"),
        ];
        for (error, verdict, reason) in cases {
            assert_eq!(
                Failure::of(&error),
                Failure {
                    verdict,
                    reason: reason.to_owned()
                }
            );
        }
        for millis in [1, 1_500, 60_000] {
            let wait = Duration::from_millis(millis);
            assert_eq!(Failure::of(&snooze(wait)).verdict, Verdict::Snooze(wait));
        }
        let away = platform_core::Error::new(platform_core::ErrorKind::Unavailable, "away");
        assert_eq!(Failure::of(&away.into()).verdict, Verdict::Unavailable);
    }
}
