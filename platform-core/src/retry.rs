//! When to try again, as data: pure arithmetic from an attempt's number to a wait or a give-up.

use std::time::Duration;

/// How often and how long a failed attempt is repeated.
///
/// The wait before attempt `n + 1` is `base × factor^(n-1)`, at most `cap`, plus up to `jitter` of itself;
/// jitter only adds, so that no attempt comes before its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; at least 1.
    pub attempts: u32,
    /// Wait after the first failure.
    pub base: Duration,
    /// Growth from one wait to the next; at least 1.
    pub factor: f64,
    /// Longest wait before jitter.
    pub cap: Duration,
    /// Greatest share of a wait added at random, 0 to 1.
    pub jitter: f64,
    /// Time since the first failure after which no attempt is made.
    pub deadline: Option<Duration>,
}

impl RetryPolicy {
    /// Ten attempts over about seventeen minutes: 1 s, 2 s, 4 s … up to 5 min between them.
    pub const DEFAULT: Self = Self {
        attempts: 10,
        base: Duration::from_secs(1),
        factor: 2.0,
        cap: Duration::from_secs(300),
        jitter: 0.2,
        deadline: None,
    };

    /// One attempt, no second.
    pub const NEVER: Self = Self {
        attempts: 1,
        ..Self::DEFAULT
    };

    /// Returns the wait before the next attempt after `attempt` failed ones (1 or more), or nothing when the
    /// policy gives up. `age` is the time since the first failure, `unit` a random number from 0 to 1.
    pub fn after(&self, attempt: u32, age: Duration, unit: f64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.base.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let plain = grown.min(self.cap.as_secs_f64());
        let jitter = self.jitter.clamp(0.0, 1.0) * unit.clamp(0.0, 1.0);
        let wait = Duration::try_from_secs_f64(plain * (1.0 + jitter)).unwrap_or(self.cap);
        match self.deadline {
            Some(deadline) if age.saturating_add(wait) > deadline => None,
            _ => Some(wait),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_attempt_is_followed_by_none() {
        let policy = RetryPolicy {
            attempts: 3,
            jitter: 0.0,
            ..RetryPolicy::DEFAULT
        };
        let waits: Vec<_> = (1..=4)
            .map(|n| policy.after(n, Duration::ZERO, 0.5))
            .collect();
        assert_eq!(
            waits,
            [
                Some(Duration::from_secs(1)),
                Some(Duration::from_secs(2)),
                None,
                None
            ]
        );
    }

    #[test]
    fn a_wait_beyond_the_deadline_gives_up() {
        let policy = RetryPolicy {
            deadline: Some(Duration::from_secs(10)),
            ..RetryPolicy::DEFAULT
        };
        assert_eq!(policy.after(1, Duration::from_secs(10), 0.0), None);
        assert!(policy.after(1, Duration::from_secs(9), 0.0).is_some());
    }

    proptest! {
        #[test]
        fn waits_grow_are_capped_and_jitter_only_adds(attempt in 1_u32..200, unit in 0.0_f64..=1.0) {
            let policy = RetryPolicy { attempts: u32::MAX, ..RetryPolicy::DEFAULT };
            let plain = policy.after(attempt, Duration::ZERO, 0.0).unwrap();
            let next = policy.after(attempt + 1, Duration::ZERO, 0.0).unwrap();
            let jittered = policy.after(attempt, Duration::ZERO, unit).unwrap();
            prop_assert!(plain <= next && next <= policy.cap);
            prop_assert!(plain <= jittered && jittered <= plain.mul_f64(1.21));
        }
    }
}
