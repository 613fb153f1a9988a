//! A small business service: customers and orders come as CSV, everything else follows from their changes.
//!
//! `cargo run -p orders` imports the sample; the README shows the other commands.

mod arguments;
mod commands;
mod customer;
mod failure;
mod import;
mod mails;
mod money;
mod order;
mod output;
mod record;
mod revenue;
mod status;
mod survey;
mod wiring;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
use commands::Opened;
use failure::Failure;

/// The status of a strict import that rejected rows, and of an audit that found something.
const REJECTED: u8 = 3;

/// The status of work that a signal has ended early, as a shell gives it.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,sqlx=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(&arguments).await {
        Ok(code) => code,
        Err(failure) if failure.is_unread() => ExitCode::SUCCESS,
        Err(failure) => {
            // Without a place to say it, the status alone tells.
            drop(writeln!(
                std::io::stderr().lock(),
                "error: {}",
                failure.told()
            ));
            match failure {
                Failure::Interrupted => ExitCode::from(INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let opened = Opened::of(arguments).await?;
    let done = dispatch(&opened, arguments.command.as_ref()).await;
    opened.store.close().await;
    done
}

/// The commands of an operator.
async fn asked_for(opened: &Opened, command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Why { subject, form } => commands::why(opened, subject, form).await?,
        Command::WhyNot {
            handler,
            position,
            form,
        } => commands::why_not(opened, handler, *position, form).await?,
        Command::Lag { form } => commands::lag(opened, form).await?,
        Command::Audit { from, to, form } => {
            let is_clean = commands::audit(opened, (*from, *to), form).await?;
            return Ok(ExitCode::from(if is_clean { 0 } else { REJECTED }));
        }
        Command::Replay(arguments) => commands::replay(opened, arguments).await?,
        Command::Retire { handler, who } => commands::retire(opened, handler, who).await?,
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn dispatch(opened: &Opened, command: Option<&Command>) -> Result<ExitCode, Failure> {
    match command {
        None => commands::sample(opened).await.map(drop)?,
        Some(Command::Import(arguments)) => {
            let counts = commands::import(opened, arguments).await?;
            if arguments.strict && counts.rejected > 0 {
                return Ok(ExitCode::from(REJECTED));
            }
        }
        Some(Command::Work { until_settled }) => commands::work(opened, *until_settled).await?,
        Some(Command::Status { json }) => commands::status(opened, *json).await?,
        Some(Command::Parked(narrowed)) => commands::parked(opened, narrowed).await?,
        Some(Command::Redrive(decision)) => commands::redrive(opened, decision).await?,
        Some(Command::Discard(decision)) => commands::discard(opened, decision).await?,
        Some(Command::Revenue { of }) => commands::revenue(opened, of).await?,
        Some(Command::History { kind, id, of }) => commands::history(opened, kind, id, of).await?,
        Some(asked) => return asked_for(opened, asked).await,
    }
    Ok(ExitCode::SUCCESS)
}
