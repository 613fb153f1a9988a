//! Signals, sent by the shell since the standard library cannot.
//! It must not know whose processes they go to.

use std::process::{Command, Stdio};

/// What can be sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// The polite request of an orchestrator.
    Terminate,
    /// Freezes the process, as a long pause of its machine would.
    Freeze,
    /// Lets a frozen process run on.
    Thaw,
    /// Ends the process without asking it.
    Kill,
}

impl Signal {
    /// Sends it to each process; one that has gone already is no error.
    pub(crate) fn send(self, processes: &[u32]) {
        let name = match self {
            Self::Interrupt => "INT",
            Self::Terminate => "TERM",
            Self::Freeze => "STOP",
            Self::Thaw => "CONT",
            Self::Kill => "KILL",
        };
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            r#"signal=$1; shift; kill -s "$signal" -- "$@" 2>/dev/null"#,
            "kill",
            name,
        ]);
        shell
            .args(processes.iter().map(u32::to_string))
            .stdin(Stdio::null());
        if let Err(error) = shell.status() {
            panic!("no shell to send signals with: {error}");
        }
    }
}
