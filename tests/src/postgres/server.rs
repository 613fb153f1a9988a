//! One private server: started, killed, restarted, stopped.
//! It must not know the tests that share it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::database::{self, Database};
use super::programs::{self, Programs};
use super::watcher::Watcher;
use crate::eventually::until;
use crate::folder::folder;
use crate::signal::Signal;

/// Inside the data folder, so that a client can read it with `pg_read_file`.
pub(super) const LOG: &str = "server.log";

const READY_WITHIN: Duration = Duration::from_secs(60);
const GONE_WITHIN: Duration = Duration::from_secs(60);
const PORT_ATTEMPTS: u32 = 5;

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 200
max_prepared_transactions = 20
shared_buffers = 64MB
log_line_prefix = '%m [%p] %q%d '
log_lock_waits = on
";

/// A crash of the server loses nothing without these: what it wrote is with the operating system.
const FAST: &str = "
fsync = off
full_page_writes = off
";

/// A PostgreSQL of one's own, which can be killed without harm to other tests.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    postmaster: Mutex<Option<Child>>,
    // Stops what still runs and removes the folder; before the postmaster is waited for.
    watcher: Option<Watcher>,
}

impl Server {
    /// Starts a server that forces nothing to disk: fast, and safe against its own crash.
    ///
    /// # Panics
    ///
    /// When it cannot be started; a missing PostgreSQL says what to install.
    #[must_use]
    pub fn start() -> Self {
        Self::try_start(FAST).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts a server that forces every commit to disk, for measurements.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn durable() -> Self {
        Self::try_start("").unwrap_or_else(|reason| panic!("{reason}"))
    }

    pub(super) fn try_fast() -> Result<Self, String> {
        Self::try_start(FAST)
    }

    fn try_start(settings: &str) -> Result<Self, String> {
        let programs = Programs::find()?;
        // The watcher removes it: it also does so when this process is killed.
        let folder = folder("platform-pg-").keep();
        let watcher = Watcher::start(&folder)?;
        programs::hand_over(&folder)?;
        initialise(&programs, &folder, settings)?;
        let mut server = Self {
            programs,
            folder,
            port: 0,
            postmaster: Mutex::new(None),
            watcher: Some(watcher),
        };
        // Another process may take the port between the question and the start.
        let mut outcome = Ok(());
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port()?;
            outcome = server.launch();
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|()| server)
    }

    /// Where a database of this server is; `postgres` always exists.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base_url())
    }

    /// Where this server is, without a database.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("postgres://postgres@{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Makes an empty database, which goes when the answer is dropped.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    #[must_use]
    pub fn fresh(&self) -> Database {
        database::create(&self.base_url()).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Kills every process of the server at once, as a loss of the machine would.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    pub fn kill9(&self) {
        let mut postmaster = self.take_running();
        let mut family = children(postmaster.id());
        family.push(postmaster.id());
        Signal::Kill.send(&family);
        // The answer is known: it was killed.
        drop(postmaster.wait());
        if !until(GONE_WITHIN, || {
            family.iter().all(|process| is_gone(*process))
        }) {
            panic!("processes {family:?} of the killed server are still there");
        }
    }

    /// Stops the server in order: sessions end, everything is written.
    ///
    /// # Panics
    ///
    /// When the server does not run, or does not stop.
    pub fn stop(&self) {
        let mut postmaster = self.take_running();
        Signal::Interrupt.send(&[postmaster.id()]);
        if !until(GONE_WITHIN, || !matches!(postmaster.try_wait(), Ok(None))) {
            panic!(
                "the server does not stop; its log ends with\n{}",
                self.log()
            );
        }
    }

    /// Starts the server again, on the same port and data, killing it first if it still runs.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn restart(&self) {
        if self.running().is_some() {
            self.kill9();
        }
        self.launch().unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// What the server wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.data().join(LOG)).unwrap_or_default()
    }

    fn launch(&self) -> Result<(), String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.data().join(LOG));
        let log = log.map_err(|error| format!("the server's log cannot be opened: {error}"))?;
        let err = log
            .try_clone()
            .map_err(|error| format!("the log cannot be shared: {error}"))?;
        let mut process = self
            .programs
            .as_server("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("postgres cannot be started: {error}"))?;
        let mut has_ended = false;
        let answered = until(READY_WITHIN, || {
            has_ended = !matches!(process.try_wait(), Ok(None));
            has_ended || self.is_ready()
        });
        if has_ended || !answered {
            drop(process.kill());
            drop(process.wait());
            return Err(format!(
                "the server does not start; its log is\n{}",
                self.log()
            ));
        }
        *self.running() = Some(process);
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let mut question = self.programs.as_client("pg_isready");
        question.args(["-q", "-d", &self.url("postgres")]);
        programs::run(&mut question).is_ok()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn running(&self) -> MutexGuard<'_, Option<Child>> {
        self.postmaster
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take_running(&self) -> Child {
        match self.running().take() {
            Some(process) => process,
            None => panic!("the server does not run"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "the log of the test's own server:\n{}",
                database::end_of(&self.log())
            );
        }
        self.watcher = None;
        if let Some(mut postmaster) = self.running().take() {
            drop(postmaster.wait());
        }
    }
}

fn initialise(programs: &Programs, folder: &Path, settings: &str) -> Result<(), String> {
    let data = folder.join("data");
    let mut initdb = programs.as_server("initdb");
    initdb
        .arg("-D")
        .arg(&data)
        .args(["--username=postgres", "--auth=trust", "--no-sync"])
        .args(["--encoding=UTF8", "--locale=C.UTF-8"])
        .current_dir("/");
    programs::run(&mut initdb)?;
    let socket = format!("unix_socket_directories = '{}'\n", folder.display());
    let file = data.join("postgresql.conf");
    let defaults =
        fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    fs::write(&file, format!("{defaults}{SETTINGS}{settings}{socket}"))
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on the loopback interface: {error}"))
}

fn children(process: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{process}/task/{process}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// A process that has ended but was not waited for yet has no working folder any more.
fn is_gone(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/cwd")).is_err()
}
