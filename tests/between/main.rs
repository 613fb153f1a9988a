//! Stories between services: two databases, a transport that does what brokers do, and what each side makes of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod competing;
mod crossing;
mod deliveries;
mod gaps;
mod mixes;
mod relaying;
mod trust;
mod wiring;
mod world;
