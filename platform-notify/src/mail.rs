//! A checked mail and its bytes (RFC 5322).
//!
//! Pure: equal mails about equal events are equal bytes, so that writing one twice changes nothing.

use chrono::{DateTime, Utc};
use platform_core::Key;

use crate::address::Mailbox;
use crate::notify::Notify;
use crate::{body, header};

/// The greatest length of a subject, in bytes.
const SUBJECT_MAX: usize = 512;
/// The greatest length of a body, in bytes.
const TEXT_MAX: usize = 256 * 1024;

/// A mail that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) template: String,
    pub(crate) to: Mailbox,
    subject: String,
    text: String,
}

impl Mail {
    /// Checks what a rule has made; the error says what is wrong with it.
    pub(crate) fn of(notify: Notify) -> Result<Self, String> {
        let Notify {
            template,
            to,
            subject,
            text,
        } = notify;
        let is_name = (1..=64).contains(&template.len())
            && template
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            return Err(format!(
                "`{template:.64}` is no template name; use a to z, 0 to 9 and `-`"
            ));
        }
        let told = |problem: &str| format!("the mail {template}: {problem}");
        let to = to.ok_or_else(|| told("it has no recipient; call `to`"))?;
        let to = to.checked().map_err(told)?;
        if subject.trim().is_empty() {
            return Err(told("it has no subject"));
        }
        for (what, len, max) in [
            ("subject", subject.len(), SUBJECT_MAX),
            ("text", text.len(), TEXT_MAX),
        ] {
            if len > max {
                return Err(told(&format!(
                    "its {what} has {len} bytes, the limit is {max}"
                )));
            }
        }
        Ok(Self {
            template,
            to,
            subject,
            text,
        })
    }

    /// Writes the message of the notification `id`, sent by a checked mailbox at the time of its event.
    pub(crate) fn message(&self, id: Key, sender: &Mailbox, at: DateTime<Utc>) -> String {
        let (from, to) = (header::mailbox(sender), header::mailbox(&self.to));
        let subject = header::unstructured(&self.subject);
        let date = at.format("%a, %d %b %Y %H:%M:%S +0000");
        let domain = sender.domain();
        let body = body::quoted_printable(&self.text);
        // Auto-Submitted keeps vacation replies from answering (RFC 3834, section 5).
        format!(
            "Date: {date}\r\nFrom: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{id}@{domain}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             \r\n{body}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify() -> Notify {
        Notify::template("order-shipped")
            .to(Mailbox::of("ada@Example.com").named("Zoë"))
            .subject("Grüße")
            .text("Hello\n")
    }

    #[test]
    fn the_bytes_of_a_mail_never_change() {
        let at = DateTime::from_timestamp(1_772_000_001, 5).unwrap();
        let sender = Mailbox::of("shop@example.com");
        let id = Key::of("notification", &[b"a"]);
        let message = Mail::of(notify()).unwrap().message(id, &sender, at);
        let golden = format!(
            "Date: Wed, 25 Feb 2026 06:13:21 +0000\r\nFrom: shop@example.com\r\n\
             To: =?utf-8?Q?Zo=C3=AB?=\r\n <ada@example.com>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
             Message-ID: <{id}@example.com>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             \r\nHello\r\n"
        );
        assert_eq!(message, golden);
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        for (wrong, needle) in [
            (
                Notify {
                    to: None,
                    ..notify()
                },
                "no recipient",
            ),
            (notify().to("nobody"), "no `@`"),
            (notify().subject(" \r\n"), "no subject"),
            (notify().subject("x".repeat(513)), "513 bytes"),
            (
                notify().text("x".repeat(TEXT_MAX + 1)),
                "the limit is 262144",
            ),
            (
                Notify {
                    template: "Order Shipped".into(),
                    ..notify()
                },
                "no template name",
            ),
        ] {
            let error = Mail::of(wrong).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
    }
}
