//! Finds the programs of PostgreSQL and runs them: the server never as root, clients as ourselves.
//! It must not know where a server keeps its data.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, iter};

use super::SHARED_SERVER;

const SERVER_PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];
const PACKAGED: &str = "/usr/lib/postgresql";
const UNPRIVILEGED_USER: &str = "postgres";

/// Settings of whoever runs the tests, which must not reach into them.
const FOREIGN_SETTINGS: [&str; 10] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGDATA",
    "PGOPTIONS",
    "PGSERVICE",
    "PGSSLMODE",
    "PGTZ",
];

/// A folder which holds what a server needs.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Finds a folder with all programs: in `PATH`, then the newest packaged release.
    pub(super) fn find() -> Result<Self, String> {
        folder_with(&SERVER_PROGRAMS).map(|folder| Self { folder }).ok_or_else(|| {
            format!(
                "no PostgreSQL server found: neither PATH nor {PACKAGED}/*/bin has a folder with {}. \
                 Install it (Debian: apt-get install postgresql) or set {SHARED_SERVER} to a \
                 running one, such as postgres://postgres@127.0.0.1:5432",
                SERVER_PROGRAMS.join(", ")
            )
        })
    }

    /// A command of the server's side; root steps down to the user the package made.
    pub(super) fn as_server(&self, program: &str) -> Command {
        let path = self.folder.join(program);
        if !is_root() {
            return clean(Command::new(path));
        }
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={UNPRIVILEGED_USER}"))
            .arg(format!("--regid={UNPRIVILEGED_USER}"))
            .arg("--init-groups")
            .arg(path);
        clean(command)
    }

    /// A command of the client's side.
    pub(super) fn as_client(&self, program: &str) -> Command {
        clean(Command::new(self.folder.join(program)))
    }
}

/// Makes `folder` belong to the user that the server runs as.
pub(super) fn hand_over(folder: &Path) -> Result<(), String> {
    if !is_root() {
        return Ok(());
    }
    let mut chown = Command::new("chown");
    chown.arg(format!("{UNPRIVILEGED_USER}:")).arg(folder);
    run(&mut chown).map(drop)
}

/// Runs one statement and answers what it printed.
pub(super) fn psql(url: &str, statement: &str) -> Result<String, String> {
    let folder = folder_with(&SERVER_PROGRAMS)
        .or_else(|| folder_with(&["psql"]))
        .ok_or("no psql found (Debian: apt-get install postgresql-client)")?;
    let mut psql = clean(Command::new(folder.join("psql")));
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--no-password",
    ])
    .args([
        "--set",
        "ON_ERROR_STOP=1",
        "--dbname",
        url,
        "--command",
        statement,
    ]);
    run(&mut psql)
}

/// Runs a command to its end; an error carries what it said.
pub(super) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{} cannot be started: {error}", line(command)))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(said.into_owned());
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{} failed ({}): {said}{complained}",
        line(command),
        output.status
    ))
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn clean(mut command: Command) -> Command {
    for name in FOREIGN_SETTINGS {
        command.env_remove(name);
    }
    command
}

fn folder_with(programs: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut packaged: Vec<PathBuf> = fs::read_dir(PACKAGED)
        .into_iter()
        .flatten()
        .flatten()
        .map(|release| release.path().join("bin"))
        .collect();
    packaged.sort_by_key(|folder| std::cmp::Reverse(release(folder)));
    env::split_paths(&path).chain(packaged).find(|folder| {
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    })
}

fn release(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name).unwrap_or_default();
    name.to_string_lossy().parse().unwrap_or(0)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_as_numbers() {
        assert!(release(Path::new("/usr/lib/postgresql/18/bin")) > release(Path::new("/x/9/bin")));
        assert_eq!(release(Path::new("/usr/lib/postgresql/devel/bin")), 0);
    }

    #[test]
    fn a_failed_program_says_what_it_said() {
        let complaint =
            run(Command::new("sh").args(["-c", "echo so sad >&2; exit 3"])).unwrap_err();
        assert!(
            complaint.contains("so sad") && complaint.contains('3'),
            "{complaint}"
        );
    }
}
