//! What a service answers about itself: health for a probe, counts for a person, runs for a "why?".

pub use crate::health::Health;
pub use crate::overview::Overview;
pub use crate::runs::{Outcome, Run, Runs};
