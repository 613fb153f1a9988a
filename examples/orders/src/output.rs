//! Standard output: what was asked for, a line at a time.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line; an error is the reader's going away, or a full disk.
pub(crate) fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}
