//! What goes wrong in a broker, and how often.

use std::time::Duration;

/// How often each fault happens, in percent of the entries, and how far it goes.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Faults {
    /// An entry is delivered twice.
    pub duplicates: u8,
    /// An entry overtakes or falls behind up to sixteen others.
    pub reorders: u8,
    /// An entry is held for up to [`delay`](Self::delay).
    pub delays: u8,
    /// How long a delayed entry is held at most.
    pub delay: Duration,
    /// The first delivery of an entry gets lost on its way; it comes again after the redelivery time.
    pub drops: u8,
    /// An entry is confirmed, and nobody ever gets it.
    pub losses: u8,
    /// An entry fails for now; half of those were taken all the same.
    pub failures: u8,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything goes wrong often but nothing is lost for good.
    pub fn rough() -> Self {
        Self {
            duplicates: 20,
            reorders: 30,
            delays: 10,
            delay: Duration::from_millis(60),
            drops: 5,
            losses: 0,
            failures: 5,
        }
    }

    /// As they are, and some entries are lost for good.
    #[must_use]
    pub fn with_losses(mut self, percent: u8) -> Self {
        self.losses = percent;
        self
    }
}
