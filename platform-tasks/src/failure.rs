//! What an attempt said when it did not succeed, read from a handler's error.
//!
//! Pure: knows no queue and no clock.

use std::time::Duration;

use platform_events::HandlerError;

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

    /// Reads the error. It shows its verdict in its `Debug` text alone: `Reject: the reason`.
    pub(crate) fn of(error: &HandlerError) -> Self {
        let text = format!("{error:?}");
        let (verdict, reason) = text.split_once(": ").unwrap_or(("Retry", &text));
        let verdict = match verdict {
            "Reject" => Verdict::Reject,
            "Unavailable" => Verdict::Unavailable,
            other => snoozed(other).map_or(Verdict::Retry, Verdict::Snooze),
        };
        Self {
            verdict,
            reason: reason.to_owned(),
        }
    }
}

/// Reads `Snooze(1.5s)`.
fn snoozed(verdict: &str) -> Option<Duration> {
    let span = verdict.strip_prefix("Snooze(")?.strip_suffix(')')?;
    let digits = span.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &span[digits.len()..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * unit).ok()
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
