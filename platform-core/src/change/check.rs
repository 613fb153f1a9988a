//! What a change must fulfil: each refusal says what is wrong, where, and how to mend it.
//!
//! Rules of the entity are checked when a change is built, rules of its options when it is published.

use super::{Change, Identity};
use crate::{Entity, Error, TenantId, text};

/// The greatest length of a kind and of a verb, in bytes.
pub(crate) const WORD_MAX: usize = 63;
/// The greatest length of a reason, in bytes.
pub(crate) const REASON_MAX: usize = 1024;

impl Identity {
    /// Takes the identity of `entity` and checks each part of it.
    pub(super) fn of<E: Entity>(entity: &E) -> Result<Self, Error> {
        let kind = E::KIND;
        if !is_word(kind) {
            return Err(Error::invalid(format!(
                "{kind:?} is no kind of entity; use lower-case letters, digits and `_`, begin with a letter, \
                 at most {WORD_MAX} bytes"
            )));
        }
        let id = entity.id();
        text::check(&format!("the id of the {kind}"), &id, text::NAME_MAX)?;
        let tenant = tenant(entity, &id)?;
        let (version, incarnation) = (entity.version(), entity.incarnation());
        let identity = Self {
            kind,
            id,
            tenant,
            incarnation,
            version,
        };
        identity.bounded("version", version)?;
        identity.bounded("incarnation", incarnation)?;
        Ok(identity)
    }

    /// The same entity, one version later.
    pub(super) fn next(self) -> Result<Self, Error> {
        let version = self.version.saturating_add(1);
        self.bounded("version after the deletion", version)?;
        Ok(Self { version, ..self })
    }

    /// Stores keep signed 64-bit integers.
    fn bounded(&self, what: &str, number: u64) -> Result<(), Error> {
        if i64::try_from(number).is_ok() {
            return Ok(());
        }
        let max = i64::MAX;
        Err(Error::invalid(format!(
            "the {what} of {self} is {number}; at most {max} can be stored"
        )))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.kind, self.id)
    }
}

fn tenant<E: Entity>(entity: &E, id: &str) -> Result<TenantId, Error> {
    entity.tenant().map_err(|error| {
        Error::invalid(format!("the tenant of {} {id:?} is not usable", E::KIND)).with_source(error)
    })
}

/// An update is about one entity.
pub(super) fn same_entity(old: &Identity, new: &Identity) -> Result<(), Error> {
    let parts = [
        ("id", old.id.clone(), new.id.clone()),
        ("tenant", old.tenant.to_string(), new.tenant.to_string()),
        (
            "incarnation",
            old.incarnation.to_string(),
            new.incarnation.to_string(),
        ),
    ];
    match parts.into_iter().find(|(_, from, to)| from != to) {
        Some((part, from, to)) => Err(Error::invalid(format!(
            "the update of {old} moves its {part} from {from:?} to {to:?}; an update keeps it: \
             delete the old entity and create the new one"
        ))),
        None => Ok(()),
    }
}

/// A change that is stored has a version of its own.
pub(super) fn version_moved(old: &Identity, new: &Identity, path: &str) -> Result<(), Error> {
    if new.version > old.version {
        return Ok(());
    }
    let (from, to) = (old.version, new.version);
    Err(Error::invalid(format!(
        "the update of {old} changes `{path}` but its version goes from {from} to {to}; \
         raise the version in the same update"
    )))
}

/// What the options were given.
pub(super) fn options(change: &Change) -> Result<(), Error> {
    event_type(change)?;
    for actor in [change.actor(), change.behalf()].into_iter().flatten() {
        actor.check()?;
    }
    let about = |what: &str| format!("the {what} of the change of {}", change.identity);
    if let Some(reason) = change.reason() {
        text::check(&about("reason"), reason, REASON_MAX)?;
    }
    if let Some(batch) = change.batch() {
        text::check(&about("batch"), batch, text::NAME_MAX)?;
    }
    Ok(())
}

fn event_type(change: &Change) -> Result<(), Error> {
    let (given, kind) = (change.event_type(), change.kind());
    if verb(given, kind).is_some_and(is_word) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{given:?} does not name a change of {}; write `{kind}.` and a verb in the past tense, \
         lower-case letters, digits and `_`: {kind}.shipped",
        change.identity
    )))
}

/// The verb of an event type of this kind.
pub(super) fn verb<'a>(event_type: &'a str, kind: &str) -> Option<&'a str> {
    event_type.strip_prefix(kind)?.strip_prefix('.')
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;

    #[derive(Clone, crate::Entity)]
    #[entity(kind = "order")]
    struct Order {
        #[entity(id)]
        id: String,
        #[entity(tenant)]
        tenant: String,
        #[entity(version)]
        version: u64,
        #[entity(incarnation)]
        incarnation: u64,
        status: String,
        customer: String,
        #[entity(personal(subject = "customer"))]
        email: String,
    }

    fn order() -> Order {
        Order {
            id: "O-1".into(),
            tenant: "acme".into(),
            version: 1,
            incarnation: 0,
            status: "placed".into(),
            customer: "C-7".into(),
            email: "ada@example.org".into(),
        }
    }

    fn changed(alter: impl FnOnce(&mut Order)) -> Order {
        let mut order = Order {
            version: 2,
            status: "shipped".into(),
            ..order()
        };
        alter(&mut order);
        order
    }

    #[track_caller]
    fn refused(result: Result<Change, Error>, needles: &[&str]) {
        let error = result.unwrap_err();
        let text = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        for needle in needles {
            assert!(text.contains(needle), "{text:?} does not say {needle:?}");
        }
        assert!(!text.contains("ada@"), "{text}");
    }

    #[test]
    fn an_entity_that_breaks_a_rule_is_refused_with_the_way_to_mend_it() {
        type Case = (fn(&mut Order), &'static [&'static str]);
        let cases: &[Case] = &[
            (
                |o| o.id.clear(),
                &["the id of the order is empty", "at least one character"],
            ),
            (
                |o| o.id = "x".repeat(257),
                &["the id of the order has 257 bytes", "at most 256"],
            ),
            (
                |o| o.id.push('\n'),
                &["the id of the order", "'\\n'", "remove it"],
            ),
            (
                |o| o.tenant = "a b".into(),
                &["the tenant of order \"O-1\"", "' '"],
            ),
            (
                |o| o.version = u64::MAX,
                &[
                    "the version of order \"O-1\" is 18446744073709551615",
                    "at most",
                ],
            ),
            (
                |o| o.incarnation = u64::MAX,
                &["the incarnation of order \"O-1\""],
            ),
            (
                |o| o.customer.clear(),
                &["the subject of the personal field `email` is empty"],
            ),
        ];
        for (alter, needles) in cases {
            refused(Change::created(&changed(alter)), needles);
            refused(Change::updated(&order(), &changed(alter)), needles);
            refused(Change::deleted(&changed(alter)), needles);
        }
    }

    #[test]
    fn an_update_of_another_entity_or_without_a_new_version_is_refused() {
        type Case = (fn(&mut Order), &'static [&'static str]);
        let cases: &[Case] = &[
            (
                |o| o.id = "O-2".into(),
                &[
                    "order \"O-1\" moves its id from \"O-1\" to \"O-2\"",
                    "delete",
                ],
            ),
            (
                |o| o.tenant = "beta".into(),
                &["moves its tenant from \"acme\" to \"beta\""],
            ),
            (
                |o| o.incarnation = 1,
                &["moves its incarnation from \"0\" to \"1\""],
            ),
            (
                |o| o.version = 1,
                &["changes `status`", "goes from 1 to 1", "raise the version"],
            ),
            (|o| o.version = 0, &["goes from 1 to 0"]),
        ];
        for (alter, needles) in cases {
            refused(Change::updated(&order(), &changed(alter)), needles);
        }
    }

    #[test]
    fn the_last_storable_version_cannot_be_deleted() {
        let order = changed(|o| o.version = i64::MAX as u64);
        refused(
            Change::deleted(&order),
            &["the version after the deletion of order \"O-1\""],
        );
    }

    #[test]
    fn a_deletion_is_the_version_after_the_last() {
        let change = Change::deleted(&order()).unwrap();
        assert_eq!((change.previous_version(), change.version()), (Some(1), 2));
        assert_eq!(
            (change.event_type(), change.verb()),
            ("order.deleted", "deleted")
        );
    }

    #[test]
    fn wrong_options_are_kept_and_reported_by_check() {
        let change = || Change::updated(&order(), &changed(|_| ())).unwrap();
        let names = [
            "shipped",
            "orders.shipped",
            "order.",
            "order.Shipped",
            "order.a.b",
            "",
            "order.\"",
            "order shipped",
        ];
        for name in names {
            let named = change().named(name);
            assert_eq!(named.event_type(), name);
            refused(
                named.check().map(|()| named),
                &["order \"O-1\"", "order.shipped"],
            );
        }
        let wrong = [
            (change().by(Actor::user("")), "actor"),
            (change().on_behalf_of(Actor::user("\n")), "actor"),
            (
                change().because("x".repeat(1025)),
                "the reason of the change of order \"O-1\" has 1025 bytes",
            ),
            (change().because("a\u{7}"), "control character"),
            (
                change().in_batch(""),
                "the batch of the change of order \"O-1\" is empty",
            ),
        ];
        for (change, needle) in wrong {
            refused(change.check().map(|()| change), &[needle]);
        }
    }

    #[test]
    fn right_options_are_kept_and_pass_the_check() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let correlation = crate::CorrelationId::parse("import").unwrap();
        let change = Change::updated(&order(), &changed(|_| ()))
            .unwrap()
            .named("order.shipped_2")
            .by(Actor::user("42"))
            .on_behalf_of(Actor::service("shop"))
            .because("")
            .because("carrier collected")
            .in_batch("import-7")
            .at(at)
            .correlated(correlation.clone())
            .muted();
        change.check().unwrap();
        assert_eq!(
            (change.verb(), change.reason()),
            ("shipped_2", Some("carrier collected"))
        );
        assert_eq!(
            (change.actor(), change.behalf()),
            (Some(&Actor::user("42")), Some(&Actor::service("shop")))
        );
        assert_eq!(
            (change.batch(), change.is_muted()),
            (Some("import-7"), true)
        );
        assert_eq!(
            (change.occurred_at(), change.correlation()),
            (Some(at), Some(&correlation))
        );
        assert_eq!(
            (change.kind(), change.id(), change.tenant().as_str()),
            ("order", "O-1", "acme")
        );
    }

    #[test]
    fn a_kind_written_by_hand_is_checked_too() {
        #[derive(Clone)]
        struct Nameless;

        impl crate::Fields for Nameless {
            fn write(&self, _: &mut crate::FieldWriter<'_>) -> Result<(), Error> {
                Ok(())
            }

            fn restore(_: &mut crate::FieldReader<'_>) -> Result<Self, Error> {
                Ok(Self)
            }
        }

        impl Entity for Nameless {
            const KIND: &'static str = "Order";

            fn id(&self) -> String {
                "1".into()
            }

            fn version(&self) -> u64 {
                1
            }
        }

        refused(
            Change::created(&Nameless),
            &["\"Order\" is no kind", "lower-case"],
        );
    }
}
