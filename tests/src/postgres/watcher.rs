//! A process that outlives ours by a moment: when ours has gone, however it went, it stops the
//! server in a folder and removes the folder. It must not know why a server was started.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Standard input ends when the last process that holds the other end has gone. The server is known
/// by its working folder, since its number may belong to another process by then.
const WATCH: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
lives() { [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; }
if lives "$1"; then
    kill -QUIT "$pid"
    rounds=0
    while lives "$1" && [ "$rounds" -lt 200 ]; do sleep 0.02; rounds=$((rounds + 1)); done
    ! lives "$1" || kill -KILL "$pid"
fi
rm -rf "$1"
"#;

/// Watches one folder; stops the server and removes the folder when dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    process: Child,
}

impl Watcher {
    /// Starts to watch. A group of its own keeps the keyboard's interrupt away from it.
    pub(super) fn start(folder: &Path) -> Result<Self, String> {
        Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(|process| Self { process })
            .map_err(|error| format!("the watcher cannot be started: {error}"))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Nothing can be done about a watcher that failed, and a drop must not panic.
        drop(self.process.wait());
    }
}
