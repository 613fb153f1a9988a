//! The consequence: a handler that follows the rules and puts their mails into a folder.

use std::path::PathBuf;
use std::sync::Arc;

use platform_core::store::{Migrations, Step};
use platform_core::{Key, Tx};
use platform_events::consequence::{Consequence, Wiring};
use platform_events::envelope::Envelope;
use platform_events::handler::Input;
use platform_events::{BatchHandler, Context, HandlerError, Received, Reject, Start};

use crate::address::Mailbox;
use crate::folder::Folder;
use crate::ledger::Told;
use crate::mail::Mail;
use crate::record::Facts;
use crate::rule::Rules;

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    set: "platform-notify",
    steps: &[Step {
        version: 1,
        name: "notification",
        admits: 1,
        sqlite: include_str!("../migrations/sqlite/0001_notification.sql"),
        postgres: include_str!("../migrations/postgres/0001_notification.sql"),
    }],
};

/// Tells people what their rules say, one mail for each recipient.
///
/// Given to a service, it follows the log as the handler `notify`. Each mail is a row of
/// `platform_notification`; for a muted event the row says `skipped` and no mail is written.
#[derive(Debug)]
#[must_use = "notifications tell nobody until a service has them"]
pub struct Notifications {
    folder: Folder,
    rules: Rules,
    sender: Mailbox,
    start: Start,
}

impl Notifications {
    /// Writes each mail as a file `<notification id>.eml` into a folder, which is made if it does not exist.
    /// Nothing is sent from here: another program takes the files.
    pub fn to_folder(path: impl Into<PathBuf>) -> Self {
        Self {
            folder: Folder::at(path),
            rules: Rules::new(),
            sender: Mailbox::of("notifications@localhost"),
            start: Start::Now,
        }
    }

    /// Sets the rules.
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets who sends; `notifications@localhost` unless set.
    pub fn with_sender(mut self, sender: impl Into<Mailbox>) -> Self {
        self.sender = sender.into();
        self
    }

    /// Says where new rules start to read; a group that is known already goes on where it was.
    pub fn from(mut self, start: Start) -> Self {
        self.start = start;
        self
    }
}

impl Consequence for Notifications {
    fn join(self, wiring: &mut Wiring) {
        wiring.migrate(MIGRATIONS);
        let sender = match self.sender.checked() {
            Ok(sender) => sender,
            Err(problem) => return wiring.refuse(format!("the sender cannot send: {problem}")),
        };
        for mistake in self.rules.mistakes() {
            wiring.refuse(mistake);
        }
        if let Err(error) = self.folder.prepare() {
            let folder = self.folder.display();
            wiring.refuse(format!(
                "mails cannot be written to {folder}: {error}; name another folder"
            ));
        }
        let rules = Arc::new(self.rules);
        wiring.explain(Arc::new(Told {
            rules: Arc::clone(&rules),
        }));
        let teller = Teller {
            folder: self.folder,
            rules,
            sender,
        };
        wiring.handle(teller.from(self.start));
    }
}

/// The handler behind [`Notifications`].
struct Teller {
    folder: Folder,
    rules: Arc<Rules>,
    sender: Mailbox,
}

/// A file is an outside effect, yet a repeatable one: its name is the notification's id and its bytes are a function
/// of the event, so a transaction that is undone and repeated leaves the same one file.
impl BatchHandler for Teller {
    const NAME: &'static str = "notify";
    type Event = AnyChange;

    fn patterns(&self) -> Vec<String> {
        self.rules.patterns()
    }

    async fn handle(
        &self,
        events: &[Received<AnyChange>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let mut messages = Vec::new();
        for event in events {
            // All rules are asked before anything is written: an event that parks has told nobody.
            let mails = self.rules.mails(event.envelope()).map_err(Reject::reject)?;
            if !mails.is_empty() {
                let facts = Facts::of(event);
                messages.extend(self.told(&mails, &facts, cx.tx().await?).await?);
            }
        }
        // Flushed together: a disk takes many files in the time of one.
        self.folder.put(messages).await?;
        Ok(())
    }
}

impl Teller {
    /// Writes the rows of an event, and returns the messages of those that are new.
    async fn told(
        &self,
        mails: &[Mail],
        facts: &Facts,
        tx: &mut Tx,
    ) -> Result<Vec<(Key, String)>, HandlerError> {
        let mut messages = Vec::new();
        for mail in mails {
            let (rule, to) = (&mail.template, &mail.to.address);
            let id = facts.id(rule, to);
            let is_new = facts.insert(tx, id, rule, to).await?;
            // A row that is there was committed with its file, and whoever took the file must not get it again.
            if is_new && !facts.is_muted {
                messages.push((id, mail.message(id, &self.sender, facts.occurred_at)));
            }
        }
        Ok(messages)
    }
}

/// An event that tells a change of an entity; other events have no state for a rule to look at.
struct AnyChange;

impl Input for AnyChange {
    /// None of its own: the rules say what they follow.
    fn patterns() -> Vec<String> {
        Vec::new()
    }

    fn concerns(envelope: &Envelope) -> bool {
        envelope.entitytype().is_some()
    }

    fn decode(_envelope: &Envelope) -> Result<Self, String> {
        Ok(Self)
    }
}
