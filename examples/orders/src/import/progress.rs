//! How far a long import is: a bar on a terminal, plain lines anywhere else. Both go to standard error.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Rows between two plain lines.
const LINE_EVERY: u64 = 10_000;
const WITH_SIZE: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
const WITHOUT_SIZE: &str = "{msg} {spinner} {bytes} {elapsed}";

/// The progress of one input.
pub(crate) struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    told: u64,
}

impl Progress {
    pub(crate) fn of(name: &str, size: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(name, size));
        Self {
            name: name.to_owned(),
            bar,
            told: 0,
        }
    }

    /// Tells how many rows are committed and how many bytes are read.
    pub(crate) fn at(&mut self, rows: u64, bytes: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(bytes),
            None if rows >= self.told + LINE_EVERY => {
                self.told = rows;
                // Nobody may be listening, and the import goes on all the same.
                drop(writeln!(io::stderr().lock(), "{}: {rows} rows", self.name));
            }
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(name: &str, size: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr());
    let template = if size.is_some() {
        WITH_SIZE
    } else {
        WITHOUT_SIZE
    };
    // A template that this library does not know leaves the bar in its plain style.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(name.to_owned())
}
