//! Commands that bring something about: import, and the work that follows.

use std::future::Future;

use platform_events::{Service, shutdown_signal};

use crate::arguments::ImportArguments;
use crate::commands::Opened;
use crate::failure::Failure;
use crate::import::{Counts, Import, Imported, Input};
use crate::output::say;
use crate::status::{Status, Summary};

/// Imports the sample and says where to look.
pub(crate) async fn sample(opened: &Opened) -> Result<Counts, Failure> {
    let arguments = ImportArguments {
        files: Vec::new(),
        backfill: false,
        strict: false,
        rejects: None,
    };
    let counts = bring(opened, &Input::samples(), &arguments).await?;
    let Opened {
        place, mails, hint, ..
    } = opened;
    say(format_args!(
        "tables: {place}   mails: {mails}   look: cargo run -p orders -- {hint}revenue"
    ))?;
    Ok(counts)
}

/// Imports files.
pub(crate) async fn import(
    opened: &Opened,
    arguments: &ImportArguments,
) -> Result<Counts, Failure> {
    if arguments.rejects.is_some() && arguments.files.len() > 1 {
        let message = "--rejects is for one FILE; import the files one by one, or leave it out";
        return Err(Failure::Wrong(message.to_owned()));
    }
    if let (Some(rejects), [file]) = (&arguments.rejects, &arguments.files[..])
        && let (Ok(rejects), Ok(file)) = (rejects.canonicalize(), file.canonicalize())
        && rejects == file
    {
        let message = "--rejects names FILE itself, which it would overwrite; name another file";
        return Err(Failure::Wrong(message.to_owned()));
    }
    let inputs: Vec<Input> = arguments
        .files
        .iter()
        .map(|path| Input::named(path))
        .collect();
    bring(opened, &inputs, arguments).await
}

/// Handles events until a signal comes or, if asked, until nothing is left to do.
pub(crate) async fn work(opened: &Opened, is_until_settled: bool) -> Result<(), Failure> {
    if is_until_settled {
        settle(&opened.service).await?.or_interrupted()
    } else {
        Ok(opened.service.run_until_signalled().await?)
    }
}

async fn bring(
    opened: &Opened,
    inputs: &[Input],
    arguments: &ImportArguments,
) -> Result<Counts, Failure> {
    let Opened { store, service, .. } = opened;
    let before = Status::of(store, service).await?;
    let import = Import {
        store: store.clone(),
        publisher: service.publisher(),
        is_backfill: arguments.backfill,
    };
    let mut all = Counts::default();
    for input in inputs {
        let imported = import.take(input, arguments.rejects.clone()).await?;
        tell(input, &imported)?;
        all += imported.counts;
    }
    let ended = settle(service).await?;
    let after = Status::of(store, service).await?;
    say(format_args!(
        "\n{}",
        Summary {
            before: &before,
            after: &after
        }
    ))?;
    ended.or_interrupted()?;
    Ok(all)
}

fn tell(input: &Input, imported: &Imported) -> Result<(), Failure> {
    let Imported {
        counts,
        ignored,
        rejects,
    } = imported;
    let Counts {
        created,
        changed,
        unchanged,
        rejected,
    } = *counts;
    let (name, rows) = (input.name(), counts.rows());
    let refused = match rejected {
        0 => "0 rejected".to_owned(),
        _ => format!("warning: {rejected} rejected, see {}", rejects.display()),
    };
    say(format_args!(
        "{name}: {rows} rows, {created} new, {changed} changed, {unchanged} unchanged, {refused}"
    ))?;
    if !ignored.is_empty() {
        say(format_args!(
            "note: {name} has columns that are ignored: {}",
            ignored.join(", ")
        ))?;
    }
    Ok(())
}

/// Works until nothing is left to do at the moment. A first signal ends it after what is in hand, a second one
/// at once.
async fn settle(service: &Service) -> Result<Ended, Failure> {
    let mut why = Ended::Interrupted;
    let first = async {
        tokio::select! {
            () = service.settled() => why = Ended::Settled,
            () = shutdown_signal() => {}
        }
    };
    tokio::select! {
        ended = service.run(first) => ended?,
        () = second(shutdown_signal) => std::process::exit(130),
    }
    Ok(why)
}

/// Why the work has ended.
enum Ended {
    Settled,
    Interrupted,
}

impl Ended {
    fn or_interrupted(self) -> Result<(), Failure> {
        match self {
            Self::Settled => Ok(()),
            Self::Interrupted => Err(Failure::Interrupted),
        }
    }
}

async fn second<F: Future<Output = ()>>(signal: impl Fn() -> F) {
    signal().await;
    signal().await;
}
