//! Mail addresses, checked before anything is written with them.
//!
//! Pure. The form is the plain one of RFC 5321, section 4.1.2: a dot-string, `@` and a domain name; no quoted
//! local part, no address literal, ASCII alone.

/// Who sends or receives a mail: an address, and the name that people read.
///
/// It is checked when a mail is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub(crate) address: String,
    pub(crate) name: Option<String>,
}

/// The greatest lengths in bytes (RFC 5321, section 4.5.3.1).
const LOCAL_MAX: usize = 64;
const ADDRESS_MAX: usize = 254;
const LABEL_MAX: usize = 63;
/// The greatest length of a name, in bytes.
const NAME_MAX: usize = 256;

impl Mailbox {
    /// Takes an address such as `ada@example.com`.
    pub fn of(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            name: None,
        }
    }

    /// Adds the name that people read.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Checks the address and writes its domain in lower case. The error does not quote it: it is personal.
    pub(crate) fn checked(&self) -> Result<Self, &'static str> {
        if self.name.as_ref().is_some_and(|name| name.len() > NAME_MAX) {
            return Err("a name has more than 256 bytes");
        }
        if self.address.len() > ADDRESS_MAX {
            return Err("an address has more than 254 bytes");
        }
        let (local, domain) = self
            .address
            .rsplit_once('@')
            .ok_or("an address has no `@`")?;
        if local.len() > LOCAL_MAX || !local.split('.').all(is_atom) {
            return Err("the part of an address before its `@` is malformed");
        }
        if !domain.split('.').all(is_label) {
            return Err("the domain of an address is malformed");
        }
        let address = format!("{local}@{}", domain.to_ascii_lowercase());
        Ok(Self {
            address,
            name: self.name.clone(),
        })
    }

    /// The domain of a checked address.
    pub(crate) fn domain(&self) -> &str {
        self.address
            .rsplit_once('@')
            .map_or("localhost", |(_, domain)| domain)
    }
}

impl From<&str> for Mailbox {
    fn from(address: &str) -> Self {
        Self::of(address)
    }
}

impl From<String> for Mailbox {
    fn from(address: String) -> Self {
        Self::of(address)
    }
}

impl From<&String> for Mailbox {
    fn from(address: &String) -> Self {
        Self::of(address)
    }
}

/// RFC 5322, section 3.2.3.
fn is_atom(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
}

fn is_label(text: &str) -> bool {
    (1..=LABEL_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_address_keeps_its_local_part_and_lowers_its_domain() {
        for (given, kept) in [
            ("ada@example.com", "ada@example.com"),
            ("Ada.L+shop@Example.COM", "Ada.L+shop@example.com"),
            ("o'hara@localhost", "o'hara@localhost"),
        ] {
            assert_eq!(Mailbox::of(given).checked().unwrap().address, kept);
        }
    }

    #[test]
    fn a_malformed_address_is_refused_and_not_quoted() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}com", "a.".repeat(130));
        for given in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "ada@exa mple.com",
            "ada@-x.com",
            "ada..l@example.com",
            ".ada@example.com",
            "ada@example..com",
            "zoë@example.com",
            "ada@münchen.de",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@example.com,eve@example.com",
            "<ada@example.com>",
            "\"ada l\"@example.com",
            long.as_str(),
            longer.as_str(),
        ] {
            let error = Mailbox::of(given).checked().unwrap_err();
            assert!(
                given.len() < 4 || !error.contains(given),
                "{given}: {error}"
            );
        }
    }
}
