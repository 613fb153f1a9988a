//! Rules: pure functions from an entity after its change to the mails that tell of it.
//!
//! Knows no folder and no clock: equal events make equal mails.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use platform_core::{ChangePayload, Entity};
use platform_events::envelope::Envelope;

use crate::mail::Mail;
use crate::notify::Notify;

/// The most mails of one event.
const MAILS_MAX: usize = 100;

/// Which mails tell of which changes.
///
/// # Example
/// ```
/// # use platform_core::Entity;
/// # #[derive(Clone, Entity)]
/// # #[entity(kind = "order")]
/// # struct Order { #[entity(id)] id: String, #[entity(version)] version: u64, email: Option<String> }
/// use platform_notify::{Notify, Rules};
///
/// let rules = Rules::new().on("order.shipped", |order: &Order| {
///     let mail = Notify::template("order-shipped")
///         .subject(format!("Order {} is on its way", order.id))
///         .text("Thank you for your order.");
///     order.email.as_ref().map(|email| mail.to(email))
/// });
/// ```
#[derive(Default)]
#[must_use = "rules tell nobody until a service has them"]
pub struct Rules {
    rules: Vec<Rule>,
}

type Ask = dyn Fn(&ChangePayload<'_>) -> Result<Vec<Notify>, String> + Send + Sync;

/// A rule without its types.
struct Rule {
    pattern: &'static str,
    entity: &'static str,
    mails: Box<Ask>,
}

impl Rules {
    /// Starts without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule: a pure function of the entity after a change whose event type is `pattern`
    /// (`order.shipped`, `order.*`), to one mail, none or several. A deletion has no such state and asks no
    /// rule. Fields that are secret or ignored hold their defaults.
    ///
    /// A rule that panics, or makes a mail that cannot be sent, parks the event with the reason.
    pub fn on<E, M>(
        mut self,
        pattern: &'static str,
        rule: impl Fn(&E) -> M + Send + Sync + 'static,
    ) -> Self
    where
        E: Entity,
        M: IntoIterator<Item = Notify>,
    {
        let mails = move |payload: &ChangePayload<'_>| {
            let (_, after) = payload.restore::<E>().map_err(|error| error.to_string())?;
            let mails = after.map(|entity| rule(&entity).into_iter().take(MAILS_MAX + 1).collect());
            Ok(mails.unwrap_or_default())
        };
        self.rules.push(Rule {
            pattern,
            entity: E::KIND,
            mails: Box::new(mails),
        });
        self
    }

    /// The rules that can never meet an event of the entity that they look at.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let blind = |rule: &&Rule| {
            let first = rule.pattern.split('.').next().unwrap_or_default();
            first != rule.entity && !first.starts_with('*')
        };
        let told = |Rule {
                        pattern, entity, ..
                    }: &Rule| {
            format!(
                "the rule of {pattern} looks at a {entity}, whose events are called {entity}.created and so on"
            )
        };
        self.rules.iter().filter(blind).map(told).collect()
    }

    /// Every pattern once.
    pub(crate) fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<_> = self
            .rules
            .iter()
            .map(|rule| rule.pattern.to_owned())
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }

    /// Asks every rule that follows the event; the error says why an answer cannot be used.
    pub(crate) fn mails(&self, envelope: &Envelope) -> Result<Vec<Mail>, String> {
        let mut rules = self
            .rules
            .iter()
            .filter(|rule| rule.concerns(envelope))
            .peekable();
        if rules.peek().is_none() {
            return Ok(Vec::new());
        }
        let payload = ChangePayload::parse(envelope.data()).map_err(|error| error.to_string())?;
        let mut mails = Vec::new();
        for rule in rules {
            let told = |reason: String| format!("the rule of {}: {reason}", rule.pattern);
            for notify in rule.ask(&payload).map_err(told)? {
                mails.push(Mail::of(notify).map_err(told)?);
            }
        }
        check(&mails).map(|()| mails)
    }
}

impl Rule {
    fn concerns(&self, envelope: &Envelope) -> bool {
        envelope.entitytype() == Some(self.entity) && matches(self.pattern, envelope.event_type())
    }

    fn ask(&self, payload: &ChangePayload<'_>) -> Result<Vec<Notify>, String> {
        catch_unwind(AssertUnwindSafe(|| (self.mails)(payload)))
            .unwrap_or_else(|panic| Err(format!("it panicked: {}", text_of(panic.as_ref()))))
    }
}

/// Two mails of one name to one recipient would have one identity, and the second would be lost.
fn check(mails: &[Mail]) -> Result<(), String> {
    if mails.len() > MAILS_MAX {
        return Err(format!(
            "the event makes more than {MAILS_MAX} mails; publish an event for each recipient"
        ));
    }
    let mut known = HashSet::new();
    match mails
        .iter()
        .find(|mail| !known.insert((&mail.template, &mail.to.address)))
    {
        Some(twice) => Err(format!(
            "the event makes two mails {} to one recipient; give one a template name of its own",
            twice.template
        )),
        None => Ok(()),
    }
}

/// Answers whether `*` for one segment, or `**` for all, make the pattern the type.
fn matches(pattern: &str, event_type: &str) -> bool {
    let (wanted, given) = (pattern.split('.'), event_type.split('.'));
    let is_as_long = wanted.clone().count() == given.clone().count();
    pattern == "**" || (is_as_long && wanted.zip(given).all(|(a, b)| a == "*" || a == b))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rules.iter().map(|rule| rule.pattern))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use platform_core::Change;

    use super::*;

    #[derive(Clone, Entity)]
    #[entity(kind = "order")]
    struct Order {
        #[entity(id)]
        id: String,
        #[entity(version)]
        version: u64,
    }

    fn order() -> Order {
        Order {
            id: "O-1".into(),
            version: 1,
        }
    }

    fn told(rules: &Rules, change: &Change) -> Result<usize, String> {
        let envelope = Envelope::builder("1", "shop", change.event_type())
            .entitytype(change.kind())
            .json(change.payload(None).bytes)
            .build()
            .unwrap();
        rules.mails(&envelope).map(|mails| mails.len())
    }

    fn mail(to: &str) -> Notify {
        Notify::template("t").to(to).subject("s")
    }

    #[test]
    fn a_rule_makes_no_mail_one_or_several() {
        let created = Change::created(&order()).unwrap();
        let deleted = Change::deleted(&order()).unwrap();
        let rules = Rules::new()
            .on("order.created", |_: &Order| {
                vec![mail("a@x.com"), mail("b@x.com")]
            })
            .on("order.*", |_: &Order| mail("c@x.com"))
            .on("order.created", |order: &Order| {
                (order.version > 1).then(|| mail("d@x.com"))
            });
        assert_eq!(told(&rules, &created), Ok(3));
        assert_eq!(told(&rules, &deleted), Ok(0));
        assert_eq!(rules.patterns(), ["order.*", "order.created"]);
    }

    #[test]
    fn a_rule_that_cannot_be_followed_says_why() {
        let created = Change::created(&order()).unwrap();
        let says = |rules: Rules| told(&rules, &created).unwrap_err();
        let panics = |order: &Order| -> Option<Notify> { panic!("no stamp for {}", order.id) };
        assert_eq!(
            says(Rules::new().on("order.*", panics)),
            "the rule of order.*: it panicked: no stamp for O-1"
        );
        let wrong = says(Rules::new().on("order.*", |_: &Order| mail("ada")));
        assert_eq!(
            wrong,
            "the rule of order.*: the mail t: an address has no `@`"
        );
        let twice =
            says(Rules::new().on("order.*", |_: &Order| [mail("a@x.com"), mail("a@X.com")]));
        assert!(twice.contains("two mails t"), "{twice}");
        let endless = says(Rules::new().on("order.*", |_: &Order| {
            std::iter::repeat_with(|| mail("a@x.com"))
        }));
        assert!(endless.contains("more than 100"), "{endless}");
    }
}
