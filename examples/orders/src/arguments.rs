//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use platform_core::{Actor, TenantId};
use platform_events::parking::Filter;

/// Where everything is kept unless said otherwise.
pub(crate) const DEFAULT_STORE: &str = "sqlite://orders.db";

/// Imports customers and orders; history, mails, surveys and revenue follow. Without a command it imports the
/// sample that it carries with it.
#[derive(Debug, Parser)]
#[command(version, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    /// Where everything is kept: sqlite://FILE or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        global = true,
        env = "ORDERS_STORE",
        hide_env_values = true,
        default_value = DEFAULT_STORE
    )]
    pub(crate) store: String,
    /// The folder that mails are written to; `orders-mails` beside the store unless set
    #[arg(long, global = true, value_name = "FOLDER")]
    mails: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Import CSV files of customers or orders, then work until everything is settled
    Import(ImportArguments),
    /// Handle what is there and what comes, until told to stop
    Work {
        /// Stop when nothing is left to do
        #[arg(long)]
        until_settled: bool,
    },
    /// Count everything
    Status {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the events that could not be handled
    Parked(FilterArguments),
    /// Try parked events again
    Redrive(Decision),
    /// Give parked events up, so that later events of the same object go on
    Discard(Decision),
    /// Tell the revenue by country and currency
    Revenue {
        #[command(flatten)]
        of: TenantArguments,
    },
    /// Tell what happened to one object
    History {
        /// `customer` or `order`
        kind: String,
        id: String,
        #[command(flatten)]
        of: TenantArguments,
    },
    /// Tell why something happened: the chain that an event, an entry, a mail or a survey belongs to
    Why {
        /// A position of the log, or the id of an event, an entry, a mail or a survey
        subject: String,
        #[command(flatten)]
        form: Form,
    },
    /// Tell why a handler has not handled an event
    WhyNot {
        handler: String,
        position: i64,
        #[command(flatten)]
        form: Form,
    },
    /// Tell how far every handler is
    Lag {
        #[command(flatten)]
        form: Form,
    },
    /// Count what followed from the events against the rules
    Audit {
        #[arg(default_value_t = 1)]
        from: i64,
        #[arg(default_value_t = i64::MAX)]
        to: i64,
        #[command(flatten)]
        form: Form,
    },
    /// Let a handler handle a stretch of the log again, without mails and surveys
    Replay(ReplayArguments),
    /// Forget a handler that is gone for good
    Retire {
        handler: String,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Form {
    /// As one JSON value
    #[arg(long = "json")]
    pub(crate) is_json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    pub(crate) handler: String,
    /// The position of the first event; unless set, what the handler has built is built again from the beginning
    pub(crate) from: Option<i64>,
    /// The position of the last event; the last one handled unless set
    pub(crate) to: Option<i64>,
    /// Publish again what the handler publishes
    #[arg(long = "publishing")]
    pub(crate) is_publishing: bool,
    #[command(flatten)]
    pub(crate) who: Who,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// CSV files; `-` is standard input. The first line of each says what it has.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Remember the changes, but send no mails and plan no surveys
    #[arg(long)]
    pub(crate) backfill: bool,
    /// End with status 3 when rows were rejected
    #[arg(long)]
    pub(crate) strict: bool,
    /// Where rejected rows go; FILE.rejected.csv unless set, for one FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TenantArguments {
    /// Whose data
    #[arg(long, default_value = "default")]
    pub(crate) tenant: TenantId,
}

#[derive(Debug, Args)]
pub(crate) struct FilterArguments {
    /// Only those of one handler
    #[arg(long)]
    handler: Option<String>,
    /// Only those of one type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only those of one tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only the one at this position of the log
    #[arg(long)]
    position: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Decision {
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    #[command(flatten)]
    pub(crate) who: Who,
}

/// Who decides, and why.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// Why; it is kept
    #[arg(long, value_name = "REASON")]
    pub(crate) because: String,
    /// Who decides; it is kept
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator")]
    by: String,
}

impl Arguments {
    /// The folder of mails, beside a SQLite file and in the current folder otherwise.
    pub(crate) fn mails(&self) -> PathBuf {
        let file = self
            .store
            .strip_prefix("sqlite:")
            .map(|rest| rest.trim_start_matches("//"));
        let file = file.map(|rest| PathBuf::from(rest.split('?').next().unwrap_or(rest)));
        self.mails
            .clone()
            .unwrap_or_else(|| file.unwrap_or_default().with_file_name("orders-mails"))
    }
}

impl FilterArguments {
    pub(crate) fn filter(&self) -> Filter {
        let mut filter = Filter::all();
        if let Some(handler) = &self.handler {
            filter = filter.handler(handler);
        }
        if let Some(event_type) = &self.event_type {
            filter = filter.event_type(event_type);
        }
        if let Some(tenant) = &self.tenant {
            filter = filter.tenant(tenant);
        }
        if let Some(position) = self.position {
            filter = filter.position(position);
        }
        filter
    }
}

impl Who {
    pub(crate) fn actor(&self) -> Actor {
        Actor::user(self.by.as_str())
    }
}
