//! Writes events into the log, in the transaction that makes the change.

use std::sync::Arc;

use platform_core::store::Conn;
use platform_core::{CorrelationId, Key, TenantId, Tx, clock};

use crate::envelope::{Envelope, PUBLISH_MAX};
use crate::event::{Draft, Identity, IntoDrafts, event_key};
use crate::log::{Appended, LANES, Log, Record};
use crate::pattern::check_type;
use crate::replay::Again;
use crate::signal::Signal;
use crate::{Error, ErrorKind};

/// Publishes a service's events. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Publisher {
    log: Log,
    source: String,
    signal: Signal,
}

/// What became of one published event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Published {
    /// It is new, and stands at this position once the transaction commits.
    New(i64),
    /// It was published before, at this position; nothing was written.
    Duplicate(i64),
}

/// Where a published event comes from when a handler publishes it.
#[derive(Debug, Clone)]
pub(crate) struct CausedBy {
    pub(crate) event: Arc<Envelope>,
    /// The trust scope of the event: a foreign one never takes the place of a local one.
    pub(crate) scope: String,
    /// The first name of the group that handles.
    pub(crate) group: Arc<str>,
    /// By which replay the event is handled again.
    pub(crate) again: Option<Again>,
}

/// How many causes may lead to each other before the chain is cut.
pub(crate) const DEPTH_MAX: u16 = 16;

impl Publisher {
    pub(crate) fn new(log: Log, source: &str, signal: Signal) -> Self {
        Self {
            log,
            source: source.to_owned(),
            signal,
        }
    }

    /// Returns the name that events of this service carry as their source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Publishes in the caller's transaction: a [`Tx`], or a `&mut PgConnection` or `&mut SqliteConnection` of
    /// the service's own sqlx transaction. The events exist if and only if that transaction commits.
    ///
    /// Publish after the statement that changes the entity: its row lock keeps the versions in order. The
    /// result has one element for each event, in order; a change without difference has none.
    ///
    /// # Errors
    /// [`ErrorKind::NotInTransaction`] outside a transaction; [`ErrorKind::VersionReused`] when the entity's
    /// version was published before; [`ErrorKind::ContentDiffers`] for a known idempotency key with other
    /// content; [`ErrorKind::TooLarge`] beyond 256 KiB. Nothing of the batch is written then, and the
    /// transaction should be rolled back.
    ///
    /// # Cancel safety
    /// Not cancel safe by itself: drop the transaction too.
    pub async fn publish_in<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        events: impl IntoDrafts,
    ) -> Result<Vec<Published>, Error> {
        let mut conn = conn.into();
        let records = self.records(events)?;
        if !conn.is_tx() && !self.log.is_in_transaction(conn.reborrow()).await? {
            return Err(Error::new(
                ErrorKind::NotInTransaction,
                "the connection is not in a transaction; begin one, write the change and the event in it, \
                 then commit",
            ));
        }
        let published = self.append(conn.reborrow(), &records).await?;
        self.wake_after(&mut conn);
        Ok(published)
    }

    fn wake_after(&self, conn: &mut Conn<'_>) {
        if conn.is_tx() {
            let signal = self.signal.clone();
            conn.on_commit(move || signal.published());
        } else {
            // The commit is not ours to see: readers look often for a while.
            self.signal.published_elsewhere();
        }
    }

    /// Publishes in a transaction of its own, for events that no write of the service belongs to.
    ///
    /// # Errors
    /// As [`publish_in`](Self::publish_in), and the store's.
    ///
    /// # Cancel safety
    /// Dropped while it runs, the events are either all there or none is.
    pub async fn publish(&self, events: impl IntoDrafts) -> Result<Vec<Published>, Error> {
        let drafts = events.into_drafts()?;
        let mut tx = self.log.store().begin().await?;
        match self.publish_in(&mut tx, drafts).await {
            Ok(published) => {
                tx.commit().await?;
                Ok(published)
            }
            Err(error) => {
                if let Err(failed) = tx.rollback().await {
                    tracing::debug!(%failed, "rolling back");
                }
                Err(error)
            }
        }
    }

    fn records(&self, events: impl IntoDrafts) -> Result<Vec<Record>, Error> {
        events
            .into_drafts()?
            .into_iter()
            .map(|draft| self.record(&draft, None, 0))
            .collect()
    }

    async fn append(&self, conn: Conn<'_>, records: &[Record]) -> Result<Vec<Published>, Error> {
        let appended = self.log.append(conn, records).await?;
        records
            .iter()
            .zip(appended)
            .map(|(record, appended)| verdict(record, appended))
            .collect()
    }

    /// Appends what a handler published, as the last thing before its lane's row. An event that the same
    /// handler published before for the same cause is the same event, also when its code has changed.
    pub(crate) async fn append_caused(&self, tx: &mut Tx, records: &[Record]) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let appended = self.log.append(tx.conn(), records).await?;
        for (record, appended) in records.iter().zip(appended) {
            if !record.is_caused {
                verdict(record, appended)?;
            }
        }
        self.wake_after(&mut tx.conn());
        Ok(())
    }

    /// Decides every column of `draft`. `nth` counts the drafts of its type under one cause.
    pub(crate) fn record(
        &self,
        draft: &Draft,
        cause: Option<&CausedBy>,
        nth: usize,
    ) -> Result<Record, Error> {
        check_type(&draft.kind)?;
        check_identity(draft)?;
        check_time(draft)?;
        let payload = draft.payload.clone().map_err(|error| {
            Error::invalid(format!(
                "the payload of {} cannot be written as JSON: {error}",
                draft.kind
            ))
        })?;
        check_size(&draft.kind, payload.len())?;
        let tenant = match (&draft.tenant, cause) {
            (Some(tenant), _) => tenant.clone(),
            (None, Some(cause)) => TenantId::parse(cause.event.tenantid().unwrap_or("default"))?,
            (None, None) => TenantId::default(),
        };
        let id = self.id(draft, &tenant, cause, nth);
        let envelope = self.envelope(draft, &id, &tenant, cause, payload)?;
        let id_key = event_key("", &self.source, &id);
        let key = draft
            .key
            .as_deref()
            .map_or(id_key, |key| lane_key(&tenant, key));
        Ok(Record {
            id_key,
            content_hash: self.content_hash(&envelope),
            key,
            lane: i16::from(key.partition(LANES)),
            kind: draft.kind.clone(),
            tenant: tenant.as_str().to_owned(),
            correlation_id: envelope.correlationid().unwrap_or_default().to_owned(),
            causation_id: envelope.causationid().map(str::to_owned),
            occurred_at: envelope.time().unwrap_or_else(clock::now),
            depth: i16::try_from(envelope.depth().unwrap_or(0)).unwrap_or(i16::MAX),
            is_muted: envelope.is_muted(),
            origin: String::new(),
            is_late: false,
            attributes: envelope.attributes(),
            data: envelope.data().clone(),
            is_caused: matches!(draft.identity, Identity::Caused),
            is_change: matches!(draft.identity, Identity::Change { .. }),
            id,
        })
    }

    fn id(&self, draft: &Draft, tenant: &TenantId, cause: Option<&CausedBy>, nth: usize) -> String {
        let tenant = tenant.as_str().as_bytes();
        let source = self.source.as_bytes();
        let key = match (&draft.identity, cause) {
            (
                Identity::Change {
                    kind,
                    id,
                    incarnation,
                    version,
                },
                _,
            ) => Key::of(
                "change",
                &[
                    tenant,
                    source,
                    kind.as_bytes(),
                    id.as_bytes(),
                    incarnation.to_string().as_bytes(),
                    version.to_string().as_bytes(),
                ],
            ),
            (Identity::Keyed(key), _) => Key::of("keyed-event", &[tenant, source, key.as_bytes()]),
            (Identity::Caused, Some(cause)) => {
                let replay = cause.again.map(|again| again.number.to_string());
                let nth = nth.to_string();
                let mut fields = vec![
                    cause.scope.as_bytes(),
                    cause.event.source().as_bytes(),
                    cause.event.id().as_bytes(),
                    cause.group.as_bytes(),
                    draft.kind.as_bytes(),
                    nth.as_bytes(),
                ];
                fields.extend(replay.as_deref().map(str::as_bytes));
                Key::of("caused-event", &fields)
            }
            (Identity::Caused | Identity::Unkeyed, _) => Key::unique(),
        };
        key.to_string()
    }

    fn envelope(
        &self,
        draft: &Draft,
        id: &str,
        tenant: &TenantId,
        cause: Option<&CausedBy>,
        payload: Vec<u8>,
    ) -> Result<Envelope, Error> {
        let options = &draft.options;
        let inherited = cause.map(|cause| cause.event.as_ref());
        let correlation = options
            .correlation
            .as_ref()
            .map(CorrelationId::as_str)
            .or_else(|| inherited.and_then(Envelope::correlationid))
            .unwrap_or(id);
        let mut builder = Envelope::builder(id, &self.source, &draft.kind)
            .time(options.occurred_at.unwrap_or_else(clock::now))
            .json(payload)
            .tenantid(tenant.as_str())
            .correlationid(correlation)
            .schemaversion(draft.schema);
        if let Some(subject) = &draft.subject {
            builder = builder.subject(subject);
        }
        if let Some(key) = &draft.key {
            builder = builder.partitionkey(key);
        }
        if let Some((kind, version)) = &draft.entity {
            builder = builder.entitytype(kind).entityversion(*version);
        }
        if let Some(event) = inherited {
            builder = builder
                .causationid(event.id())
                .depth(event.depth().unwrap_or(0) + 1);
            if let Some(traceparent) = event.traceparent() {
                builder = builder.traceparent(traceparent);
            }
        }
        if let Some(actor) = &options.actor {
            actor.check()?;
            builder = builder.actor(actor.to_string());
        }
        if let Some(actor) = &options.on_behalf_of {
            actor.check()?;
            builder = builder.onbehalfof(actor.to_string());
        }
        if let Some(reason) = &options.reason {
            builder = builder.reason(reason);
        }
        if options.is_muted || inherited.is_some_and(Envelope::is_muted) {
            builder = builder.muted(true);
        }
        builder.build().map_err(|error| {
            Error::invalid(format!(
                "the event {} cannot be published: {error}",
                draft.kind
            ))
            .with_source(error)
        })
    }

    /// Makes the record of a structured event that starts a new chain, once however often it is called.
    pub(crate) fn rooted(&self, json: &[u8]) -> Result<Record, Error> {
        let event = Envelope::from_json(json)
            .map_err(|error| Error::invalid("the kept event cannot be read").with_source(error))?;
        let draft = Draft {
            identity: Identity::Keyed(format!("rooted/{}", event.id())),
            kind: event.event_type().to_owned(),
            schema: event.schemaversion().unwrap_or(1),
            key: event.partitionkey().map(str::to_owned),
            tenant: event.tenantid().map(TenantId::parse).transpose()?,
            subject: event.subject().map(str::to_owned),
            entity: event
                .entitytype()
                .map(str::to_owned)
                .zip(event.entityversion()),
            payload: Ok(event.data().to_vec()),
            options: crate::event::Options {
                correlation: event
                    .correlationid()
                    .map(CorrelationId::parse)
                    .transpose()?,
                is_muted: event.is_muted(),
                actor: event.actor().map(str::parse).transpose()?,
                on_behalf_of: event.onbehalfof().map(str::parse).transpose()?,
                reason: event.reason().map(str::to_owned),
                occurred_at: event.time(),
            },
        };
        self.record(&draft, None, 0)
    }

    /// Content is what the event says; never when, by whom, or on which path it came.
    pub(crate) fn content_hash(&self, envelope: &Envelope) -> Vec<u8> {
        let version = envelope.entityversion().map(|version| version.to_string());
        let parts: [&[u8]; 7] = [
            envelope.event_type().as_bytes(),
            envelope.subject().unwrap_or_default().as_bytes(),
            envelope.dataschema().unwrap_or_default().as_bytes(),
            envelope.datacontenttype().unwrap_or_default().as_bytes(),
            envelope.tenantid().unwrap_or_default().as_bytes(),
            version.as_deref().unwrap_or_default().as_bytes(),
            envelope.data().as_ref(),
        ];
        self.log.content_hash(&parts)
    }
}

/// What keeps events in order: the tenant's partition key. An event without one stands alone, under its own id.
pub(crate) fn lane_key(tenant: &TenantId, key: &str) -> Key {
    scoped_key("", tenant, key)
}

/// As [`lane_key`], for what was received under a trust scope.
pub(crate) fn scoped_key(scope: &str, tenant: &TenantId, key: &str) -> Key {
    Key::of(
        "lane",
        &[scope.as_bytes(), tenant.as_str().as_bytes(), key.as_bytes()],
    )
}

/// The longest idempotency key, in bytes.
const KEY_MAX: usize = 1_024;
/// How far ahead of this process's clock an event may say it happened: clocks differ, calendars do not.
const AHEAD_MAX: chrono::TimeDelta = chrono::TimeDelta::hours(24);

fn check_identity(draft: &Draft) -> Result<(), Error> {
    let Identity::Keyed(key) = &draft.identity else {
        return Ok(());
    };
    if key.is_empty() {
        return Err(Error::invalid(format!(
            "the idempotency key of {} is empty; name what makes this fact unique, or publish it unkeyed",
            draft.kind
        )));
    }
    if key.len() > KEY_MAX {
        return Err(Error::invalid(format!(
            "the idempotency key of {} has {} bytes, the limit is {KEY_MAX}; use an id instead of the text",
            draft.kind,
            key.len()
        )));
    }
    Ok(())
}

fn check_time(draft: &Draft) -> Result<(), Error> {
    match draft.options.occurred_at {
        Some(time) if time > clock::now() + AHEAD_MAX => Err(Error::invalid(format!(
            "the time of {} is {time}, more than a day ahead; say when it happened, and put a date to come \
             into the payload",
            draft.kind
        ))),
        _ => Ok(()),
    }
}

fn check_size(kind: &str, len: usize) -> Result<(), Error> {
    if len <= PUBLISH_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!(
            "the payload of {kind} has {len} bytes, the limit is {PUBLISH_MAX}; store the large part \
             elsewhere and publish where it is"
        ),
    ))
}

fn verdict(record: &Record, appended: Appended) -> Result<Published, Error> {
    match appended {
        Appended::New(seq) => Ok(Published::New(seq)),
        Appended::Known(seq, _) if record.is_change => Err(Error::new(
            ErrorKind::VersionReused,
            format!(
                "{} of tenant {}: this version of the entity was published before, at position {seq}; raise \
                 the version in the same UPDATE that changes the row",
                record.kind, record.tenant
            ),
        )),
        Appended::Known(seq, Some(hash)) if hash != record.content_hash => Err(Error::new(
            ErrorKind::ContentDiffers,
            format!(
                "{} of tenant {}: the id {} was published before with other content, at position {seq}; \
                 choose an idempotency key that names this fact alone",
                record.kind, record.tenant, record.id
            ),
        )),
        Appended::Known(seq, _) => Ok(Published::Duplicate(seq)),
    }
}
