//! The program in a folder of its own, and the numbers that it tells.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use platform_tests::{Backend, Database};
use serde_json::Value;
use tempfile::TempDir;

/// Where the program runs, and which store it is given.
pub(crate) struct Place {
    folder: TempDir,
    database: Database,
}

impl Place {
    pub(crate) async fn on(backend: Backend) -> Self {
        Self::with(backend.fresh().await)
    }

    pub(crate) fn with(database: Database) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder().join(name)).unwrap()).into_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orders"));
        command
            .args(arguments)
            .args(["--mails", "mails"])
            .env("ORDERS_STORE", self.database.url())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that has to succeed, and returns what it wrote.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a command whose end is not waited for.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.succeed(&["status", "--json"])).unwrap()
    }

    pub(crate) fn count(&self, name: &str) -> i64 {
        self.status()[name].as_i64().unwrap()
    }

    /// The files of the folder of mails.
    pub(crate) fn mails(&self) -> Vec<PathBuf> {
        let Ok(files) = std::fs::read_dir(self.folder().join("mails")) else {
            return Vec::new();
        };
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
            .collect()
    }
}

/// Everything a command wrote.
pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The status that the sample leads to.
pub(crate) fn sample() -> Value {
    serde_json::json!({
        "customers": 63, "orders": 306, "events": 369, "handled": 1107, "waiting": 0, "parked": 0,
        "history": 369, "mails": 352, "skipped": 0, "tasks": 0, "settled": true,
    })
}

/// Customers and orders as a file has them.
pub(crate) const CUSTOMERS: &str = "id,name,email,city,country\n\
    C-1,Ada,ada@example.org,Oslo,Norway\nC-2,Ben,,Lima,Peru\n";
pub(crate) const ORDERS: &str = "id,customer,status,ordered_at,required_at,shipped_at,currency,total\n\
    O-1,C-1,placed,2026-03-01,,,EUR,10.00\nO-2,C-2,placed,2026-03-02T10:00:00Z,,,EUR,5.5\n";
