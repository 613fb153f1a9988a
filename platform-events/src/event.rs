//! What a service publishes: entity changes and custom events, each as a draft before it stands in the log.
//!
//! A draft knows nothing of the log: the publisher gives it an id, a key and what it inherits.

use chrono::{DateTime, Utc};
use platform_core::{Actor, Change, CorrelationId, Key, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// A custom event: a fact of the business that is not the change of one entity. Usually derived.
///
/// # Example
/// ```
/// use platform_events::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(type = "invoice.overdue")]
/// struct InvoiceOverdue {
///     #[event(key)]
///     invoice: String,
///     days: u32,
/// }
/// # let overdue = InvoiceOverdue { invoice: "17".into(), days: 3 };
/// let draft = overdue.keyed("17/overdue/3");     // published twice, it is the same event
/// ```
pub trait Event: Serialize + DeserializeOwned + Send + Sync + Sized + 'static {
    /// The stored name: lower-case words joined by dots, in the past tense.
    const TYPE: &'static str;
    /// The version of the payload's shape.
    const SCHEMA: u32 = 1;

    /// What events must be handled in order with each other; `None` for an event without order.
    fn key(&self) -> Option<String>;

    /// Whose it is; `None` takes the tenant of the event being handled, or the default one.
    fn tenant(&self) -> Option<TenantId> {
        None
    }

    /// Makes a draft whose identity is `idempotency_key`: published again, it is a duplicate.
    fn keyed(self, idempotency_key: &str) -> Draft {
        Draft::of(&self, Identity::Keyed(idempotency_key.to_owned()))
    }

    /// Makes a draft with an identity of its own: published again, it is another event.
    fn unkeyed(self) -> Draft {
        Draft::of(&self, Identity::Unkeyed)
    }
}

/// An event that is about to be published.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(crate) identity: Identity,
    pub(crate) kind: String,
    pub(crate) schema: u32,
    pub(crate) key: Option<String>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) subject: Option<String>,
    pub(crate) entity: Option<(String, u64)>,
    pub(crate) payload: Result<Vec<u8>, String>,
    pub(crate) options: Options,
}

/// What a draft's id is made from.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// An entity's version: kind, id, incarnation, version.
    Change {
        kind: &'static str,
        id: String,
        incarnation: u64,
        version: u64,
    },
    Keyed(String),
    Unkeyed,
    /// The n-th of its type that a handler published for one event.
    Caused,
}

/// What a caller may say about a draft.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) actor: Option<Actor>,
    pub(crate) on_behalf_of: Option<Actor>,
    pub(crate) reason: Option<String>,
    pub(crate) correlation: Option<CorrelationId>,
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    pub(crate) is_muted: bool,
}

impl Draft {
    pub(crate) fn of<E: Event>(event: &E, identity: Identity) -> Self {
        Self {
            identity,
            kind: E::TYPE.to_owned(),
            schema: E::SCHEMA,
            key: event.key(),
            tenant: event.tenant(),
            subject: None,
            entity: None,
            payload: serde_json::to_vec(event).map_err(|error| error.to_string()),
            options: Options::default(),
        }
    }

    /// A draft that will be refused with `error`'s words when it is written.
    pub(crate) fn broken(kind: String, error: &Error) -> Self {
        Self {
            identity: Identity::Unkeyed,
            kind,
            schema: 1,
            key: None,
            tenant: None,
            subject: None,
            entity: None,
            payload: Err(error.to_string()),
            options: Options::default(),
        }
    }

    /// Names who caused it.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.options.actor = Some(actor);
        self
    }

    /// Names for whom the actor acted.
    #[must_use]
    pub fn on_behalf_of(mut self, actor: Actor) -> Self {
        self.options.on_behalf_of = Some(actor);
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.options.reason = Some(reason.into());
        self
    }

    /// Joins a chain of changes; without it a root event correlates to itself.
    #[must_use]
    pub fn correlated(mut self, correlation: CorrelationId) -> Self {
        self.options.correlation = Some(correlation);
        self
    }

    /// Says when it happened, if not now.
    #[must_use]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.options.occurred_at = Some(time);
        self
    }

    /// Sets whose it is.
    #[must_use]
    pub fn of_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Marks it as memory of something past: consequences that reach out skip it visibly.
    #[must_use]
    pub fn muted(mut self) -> Self {
        self.options.is_muted = true;
        self
    }
}

/// What can be published: a change, a draft, or several.
///
/// A change in which nothing but ignored fields differ becomes no draft.
pub trait IntoDrafts {
    /// Converts into drafts, in the order in which they are to stand in the log.
    ///
    /// # Errors
    /// When a change breaks a rule, such as a malformed verb.
    fn into_drafts(self) -> Result<Vec<Draft>, Error>;
}

impl IntoDrafts for Draft {
    fn into_drafts(self) -> Result<Vec<Draft>, Error> {
        Ok(vec![self])
    }
}

impl IntoDrafts for Change {
    fn into_drafts(self) -> Result<Vec<Draft>, Error> {
        self.check()?;
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let actor_name = self.actor().and_then(Actor::name);
        let payload = self.payload(actor_name).bytes;
        Ok(vec![Draft {
            identity: Identity::Change {
                kind: self.kind(),
                id: self.id().to_owned(),
                incarnation: self.incarnation(),
                version: self.version(),
            },
            kind: self.event_type().to_owned(),
            schema: self.schema(),
            key: Some(entity_key(self.kind(), self.id())),
            tenant: Some(self.tenant().clone()),
            subject: Some(self.id().to_owned()),
            entity: Some((self.kind().to_owned(), self.version())),
            payload: Ok(payload),
            options: Options {
                actor: self.actor().cloned(),
                on_behalf_of: self.behalf().cloned(),
                reason: self.reason().map(str::to_owned),
                correlation: self.correlation().cloned(),
                occurred_at: self.occurred_at(),
                is_muted: self.is_muted(),
            },
        }])
    }
}

/// What tells an event apart from all others. A foreign one never takes the place of a local one, whose scope is
/// empty.
pub(crate) fn event_key(scope: &str, source: &str, id: &str) -> Key {
    Key::of("event-id", &[scope, source, id].map(str::as_bytes))
}

/// The partition key of an entity: all its changes are in order.
pub(crate) fn entity_key(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

impl<T: IntoDrafts> IntoDrafts for Vec<T> {
    fn into_drafts(self) -> Result<Vec<Draft>, Error> {
        let mut drafts = Vec::with_capacity(self.len());
        for item in self {
            drafts.extend(item.into_drafts()?);
        }
        Ok(drafts)
    }
}

impl<T: IntoDrafts, const N: usize> IntoDrafts for [T; N] {
    fn into_drafts(self) -> Result<Vec<Draft>, Error> {
        Vec::from(self).into_drafts()
    }
}

impl<T: IntoDrafts> IntoDrafts for Option<T> {
    fn into_drafts(self) -> Result<Vec<Draft>, Error> {
        self.map_or_else(|| Ok(Vec::new()), IntoDrafts::into_drafts)
    }
}
