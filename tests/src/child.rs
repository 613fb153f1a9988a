//! Child processes for tests that crash: the test's own executable, started again for the same
//! test, where [`Role::from_env`] says what to play. It must not know what a child does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use std::{env, process, thread};

use tokio::sync::mpsc as channel;
use tokio::time::timeout;

use crate::eventually::eventually;
use crate::signal::Signal;

const ROLE: &str = "PLATFORM_TEST_ROLE";
const MARK: &str = "at: ";
const REACHED_WITHIN: Duration = Duration::from_secs(60);
const ENDED_WITHIN: Duration = Duration::from_secs(60);
const OUTPUT_WITHIN: Duration = Duration::from_millis(500);
const PARENT_GONE: i32 = 3;

/// The parent's permissions to go on, in a child.
static GO: OnceLock<Mutex<mpsc::Receiver<()>>> = OnceLock::new();

/// The part that this process plays, when it is the child of a test.
#[derive(Debug)]
pub struct Role {
    name: String,
}

impl Role {
    /// Says which part to play; nothing in the process that the tests were started in.
    ///
    /// A child ends by itself when its parent has gone.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let name = env::var(ROLE).ok()?;
        GO.get_or_init(|| Mutex::new(hear_parent()));
        Some(Self { name })
    }

    /// The name that the parent gave to [`Child::spawn`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A value that the parent passed along.
    ///
    /// # Panics
    ///
    /// When the parent passed none of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        match env::var(name) {
            Ok(value) => value,
            Err(_) => panic!("role {} was given no {name}", self.name),
        }
    }
}

/// Tells the parent that the child has come to `place`, and goes on.
pub fn at(place: &str) {
    // A line of its own: the test runner leaves its own line open.
    let told = write!(io::stdout(), "\n{MARK}{place}\n").and_then(|()| io::stdout().flush());
    if told.is_err() {
        process::exit(PARENT_GONE);
    }
}

/// Tells the parent that the child has come to `place`, and stays there, with its thread, until it
/// is killed or [`Child::go`] is called.
///
/// # Panics
///
/// Outside a child: before [`Role::from_env`] has answered a role.
pub fn stop_at(place: &str) {
    let Some(go) = GO.get() else {
        panic!("{place}: only a child can be stopped");
    };
    let go = go.lock().unwrap_or_else(PoisonError::into_inner);
    at(place);
    // Silence means that the parent has gone, and the process goes with it.
    let _ = go.recv();
}

/// Reads a line for each permission; the end of the input is the end of the parent.
fn hear_parent() -> mpsc::Receiver<()> {
    let (heard, go) = mpsc::channel();
    thread::spawn(move || {
        for _ in io::stdin().lines().map_while(Result::ok) {
            let _ = heard.send(());
        }
        process::exit(PARENT_GONE);
    });
    go
}

/// A process that plays a role of a test. Killed when dropped.
#[derive(Debug)]
pub struct Child {
    role: String,
    process: process::Child,
    input: Option<ChildStdin>,
    places: channel::UnboundedReceiver<String>,
    output: Arc<Mutex<String>>,
    readers: mpsc::Receiver<()>,
}

impl Child {
    /// Starts this executable again, to run only the test called `test` (with its modules:
    /// `crash::a_killed_worker_loses_nothing`), in which [`Role::from_env`] answers `role`.
    ///
    /// # Panics
    ///
    /// When the process cannot be started.
    #[must_use]
    pub fn spawn(test: &str, role: &str, values: &[(&str, &str)]) -> Self {
        let mut process = env::current_exe()
            .and_then(|executable| {
                Command::new(executable)
                    .args([
                        test,
                        "--exact",
                        "--nocapture",
                        "--include-ignored",
                        "--test-threads=1",
                    ])
                    .env(ROLE, role)
                    .envs(values.iter().copied())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .unwrap_or_else(|error| panic!("role {role} cannot be started: {error}"));
        let (found, places) = channel::unbounded_channel();
        let (done, readers) = mpsc::channel();
        let output = Arc::new(Mutex::new(String::new()));
        listen(process.stdout.take(), &output, done.clone(), Some(found));
        listen(process.stderr.take(), &output, done, None);
        let input = process.stdin.take();
        Self {
            role: role.to_owned(),
            process,
            input,
            places,
            output,
            readers,
        }
    }

    /// Waits until the child has come to `place`, passing over other places.
    ///
    /// # Panics
    ///
    /// When the child ends, or a minute passes, without it.
    ///
    /// # Cancel safety
    ///
    /// Places passed over so far are not seen again.
    pub async fn reached(&mut self, place: &str) {
        let found = timeout(REACHED_WITHIN, async {
            while let Some(next) = self.places.recv().await {
                if next == place {
                    return true;
                }
            }
            false
        });
        if !matches!(found.await, Ok(true)) {
            panic!(
                "role {} never came to {place:?}; it wrote\n{}",
                self.role,
                self.output()
            );
        }
    }

    /// Lets a child that stands at [`stop_at`] go on.
    pub fn go(&mut self) {
        let told = self.input.as_mut().map(|input| writeln!(input));
        if !matches!(told, Some(Ok(()))) {
            panic!("role {} has ended; it wrote\n{}", self.role, self.output());
        }
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        signal.send(&[self.process.id()]);
    }

    /// Kills the child without asking it, and waits until it has gone.
    pub fn kill9(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// Waits for the child to end by itself and answers how it did.
    ///
    /// # Panics
    ///
    /// When it runs on for a minute.
    ///
    /// # Cancel safety
    ///
    /// Can be asked again.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually(ENDED_WITHIN, async || {
            status = self.process.try_wait().unwrap_or_default();
            status.is_some()
        })
        .await;
        status.unwrap_or_default()
    }

    /// What the child has written to both of its outputs; all of it once it has ended.
    #[must_use]
    pub fn output(&self) -> String {
        // Nothing is ever sent: both readers hang up when they have read everything.
        let _ = self.readers.recv_timeout(OUTPUT_WITHIN);
        self.output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill9();
        if thread::panicking() {
            eprintln!("role {} wrote\n{}", self.role, self.output());
        }
    }
}

fn listen(
    source: Option<impl Read + Send + 'static>,
    output: &Arc<Mutex<String>>,
    done: mpsc::Sender<()>,
    places: Option<channel::UnboundedSender<String>>,
) {
    let output = Arc::clone(output);
    let lines = source
        .map(|source| BufReader::new(source).lines())
        .into_iter()
        .flatten();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let (Some(places), Some(place)) = (&places, line.strip_prefix(MARK)) {
                // The parent may have stopped listening.
                drop(places.send(place.to_owned()));
            }
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            output.push_str(&line);
            output.push('\n');
        }
        drop(done);
    });
}
