//! What a rule says is to be told: one mail to one recipient.

use crate::address::Mailbox;

/// One mail to one recipient, as a rule makes it. It is checked before anything is written.
///
/// # Example
/// ```
/// use platform_notify::{Mailbox, Notify};
///
/// let mail = Notify::template("order-shipped")
///     .to(Mailbox::of("ada@example.com").named("Ada Lovelace"))
///     .subject("Your order is on its way")
///     .text("Hello Ada,\nyour order O-1 was shipped.\n");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a mail is sent only when its rule returns it"]
pub struct Notify {
    pub(crate) template: String,
    pub(crate) to: Option<Mailbox>,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Notify {
    /// Starts a mail. The name is part of its identity, `[a-z0-9-]` and at most 64 bytes: an event sends one
    /// mail of a name to a recipient.
    pub fn template(name: impl Into<String>) -> Self {
        Self {
            template: name.into(),
            to: None,
            subject: String::new(),
            text: String::new(),
        }
    }

    /// Says who gets it. A rule that tells several people returns a mail for each.
    pub fn to(mut self, recipient: impl Into<Mailbox>) -> Self {
        self.to = Some(recipient.into());
        self
    }

    /// Sets the subject, at most 512 bytes; line ends in it become spaces.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets the body, plain text of at most 256 KiB.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
}

/// A rule may return one mail, an `Option` of it, or several.
impl IntoIterator for Notify {
    type Item = Self;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}
