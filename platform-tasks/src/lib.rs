#![doc = include_str!("../docs/lib.md")]

mod attempt;
mod context;
mod failure;
mod ledger;
mod queue;
mod rule;
mod runner;
mod task;
mod tasks;

pub use context::TaskContext;
pub use task::{IntoLater, Later, Task, days};
pub use tasks::{MIGRATIONS, Tasks};
