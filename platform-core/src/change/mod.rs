//! A change of an entity, ready to be published: what it was, what it is, who did it and why.
//!
//! Pure: knows no store, no event and no clock. Options never fail; [`Change::check`] tells what is wrong.

mod check;
mod options;

use std::fmt;

use options::Options;

use crate::fields::{Personal, Snapshot};
use crate::{Entity, Error, TenantId, diff};

/// What happened to one entity: created, updated or deleted.
///
/// Two equal states make an [empty](Self::is_empty) change; publishing it publishes nothing. A version that
/// moves alone, or with ignored fields only, is empty too. The change of a secret field is one whose path is
/// listed and whose values are nowhere.
///
/// # Example
/// ```
/// # use platform_core::{Actor, Change, Entity};
/// # #[derive(Clone, Entity)]
/// # #[entity(kind = "order")]
/// # struct Order { #[entity(id)] id: u32, #[entity(version)] version: u64, status: String }
/// let old = Order { id: 7, version: 1, status: "placed".into() };
/// let new = Order { version: 2, status: "shipped".into(), ..old.clone() };
/// let change = Change::updated(&old, &new)?
///     .named("order.shipped")
///     .by(Actor::user("42").named("Ada"))
///     .because("carrier collected");
/// assert_eq!(change.event_type(), "order.shipped");
/// assert_eq!((change.previous_version(), change.version()), (Some(1), 2));
/// assert_eq!(change.changed(), ["status"]);
/// # Ok::<(), platform_core::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a change does nothing until it is published"]
pub struct Change {
    identity: Identity,
    previous_version: Option<u64>,
    schema: u32,
    before: Option<Visible>,
    after: Option<Visible>,
    changed: Vec<String>,
    event_type: String,
    options: Options,
}

/// Which entity it is, and in which version.
#[derive(Clone)]
struct Identity {
    kind: &'static str,
    id: String,
    tenant: TenantId,
    incarnation: u64,
    version: u64,
}

/// One state as it may be stored.
#[derive(Clone)]
pub(crate) struct Visible {
    pub(crate) json: Vec<u8>,
    pub(crate) personal: Vec<Personal>,
}

impl Change {
    /// Tells that `new` came into being: `kind.created`.
    ///
    /// # Errors
    /// When the kind, id, tenant, version or incarnation breaks its rule, or a field cannot be written.
    pub fn created<E: Entity>(new: &E) -> Result<Self, Error> {
        let identity = Identity::of(new)?;
        let after = Snapshot::of(E::KIND, new)?;
        let changed = diff::all(&after);
        let change = Self::plain::<E>(identity, "created", changed);
        Ok(Self {
            after: Some(after.into()),
            ..change
        })
    }

    /// Tells that `old` became `new`: `kind.updated`.
    ///
    /// # Errors
    /// Like [`created`](Self::created); also when the two are not the same entity, and when they differ in more
    /// than ignored fields but the version of `new` is not greater.
    pub fn updated<E: Entity>(old: &E, new: &E) -> Result<Self, Error> {
        let (from, to) = (Identity::of(old)?, Identity::of(new)?);
        check::same_entity(&from, &to)?;
        let (before, after) = (Snapshot::of(E::KIND, old)?, Snapshot::of(E::KIND, new)?);
        let changed = diff::changed(&before, &after);
        if let Some(path) = changed.first() {
            check::version_moved(&from, &to, path)?;
        }
        let previous_version = Some(from.version);
        let change = Self::plain::<E>(to, "updated", changed);
        Ok(Self {
            previous_version,
            before: Some(before.into()),
            after: Some(after.into()),
            ..change
        })
    }

    /// Tells that `old` is gone: `kind.deleted`, with the version that follows the one of `old`.
    ///
    /// # Errors
    /// Like [`created`](Self::created).
    pub fn deleted<E: Entity>(old: &E) -> Result<Self, Error> {
        let from = Identity::of(old)?;
        let previous_version = Some(from.version);
        let identity = from.next()?;
        let before = Snapshot::of(E::KIND, old)?;
        let changed = diff::all(&before);
        let change = Self::plain::<E>(identity, "deleted", changed);
        Ok(Self {
            previous_version,
            before: Some(before.into()),
            ..change
        })
    }

    fn plain<E: Entity>(identity: Identity, verb: &str, changed: Vec<String>) -> Self {
        Self {
            identity,
            previous_version: None,
            schema: E::SCHEMA,
            before: None,
            after: None,
            changed,
            event_type: format!("{}.{verb}", E::KIND),
            options: Options::default(),
        }
    }

    /// Checks what the options were given; the publisher does it first.
    ///
    /// # Errors
    /// When the event type is not this kind's `kind.verb`, an actor breaks its rule, or the reason or the batch
    /// is too long or holds control characters.
    pub fn check(&self) -> Result<(), Error> {
        check::options(self)
    }

    /// Answers whether nothing that is stored differs, so that there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.before.is_some() && self.after.is_some()
    }

    /// Returns the stored name of the kind of entity.
    pub fn kind(&self) -> &'static str {
        self.identity.kind
    }

    /// Returns the entity's id.
    pub fn id(&self) -> &str {
        &self.identity.id
    }

    /// Returns whose entity it is.
    pub fn tenant(&self) -> &TenantId {
        &self.identity.tenant
    }

    /// Returns which object of this id it is.
    pub fn incarnation(&self) -> u64 {
        self.identity.incarnation
    }

    /// Returns the version that the change leads to.
    pub fn version(&self) -> u64 {
        self.identity.version
    }

    /// Returns the version that the change starts from; none for a created entity.
    pub fn previous_version(&self) -> Option<u64> {
        self.previous_version
    }

    /// Returns the event type: `order.created`, `order.shipped`.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Returns the event type without the kind: `created`, `shipped`.
    pub fn verb(&self) -> &str {
        check::verb(&self.event_type, self.identity.kind).unwrap_or(&self.event_type)
    }

    /// Returns the number of the shape of the stored fields.
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// Returns the dotted paths of the changed fields in declaration order, secret ones included; all of them
    /// when the entity was created or deleted. The version's own field is never listed.
    pub fn changed(&self) -> &[String] {
        &self.changed
    }

    pub(crate) fn before(&self) -> Option<&Visible> {
        self.before.as_ref()
    }

    pub(crate) fn after(&self) -> Option<&Visible> {
        self.after.as_ref()
    }
}

impl From<Snapshot> for Visible {
    fn from(snapshot: Snapshot) -> Self {
        let (json, personal) = snapshot.into_visible();
        Self { json, personal }
    }
}

/// Ids and paths only: values do not belong into logs.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("event_type", &self.event_type)
            .field("id", &self.identity.id)
            .field("tenant", &self.identity.tenant)
            .field("version", &self.identity.version)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}
