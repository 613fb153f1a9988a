//! Deterministic 16-byte identities, and the only place that makes random ones.
//!
//! A key is a UUID version 8 (RFC 9562, section 5.8) over SHA-256 of a format byte, the purpose and the
//! fields, each length-prefixed, so that no two field lists share bytes. The fields are logical names, never
//! type names or map orders; golden values below keep every release on the same keys.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Error, ErrorKind};

/// The format of the hashed bytes. A new format registers both ids for a while.
const FORMAT: u8 = 1;

/// A 16-byte identity: equal inputs give equal keys in every process and release.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Uuid);

impl Key {
    /// Derives the key of `fields` for one `purpose`; purposes never share keys.
    ///
    /// # Example
    /// ```
    /// use platform_core::Key;
    /// let key = Key::of("invoice", &[b"acme", b"17"]);
    /// assert_eq!(key, Key::of("invoice", &[b"acme", b"17"]));
    /// assert_ne!(key, Key::of("invoice", &[b"acme1", b"7"]));
    /// ```
    pub fn of(purpose: &str, fields: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update([FORMAT]);
        for field in std::iter::once(purpose.as_bytes()).chain(fields.iter().copied()) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Makes an identity that nobody else has (UUID version 7). Two calls never agree.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes random ids"
    )]
    pub fn unique() -> Self {
        Self(Uuid::now_v7())
    }

    /// Returns the key as a UUID.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// Returns the 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns the hash partition of this key among `count`, uniform in the key's last byte.
    pub fn partition(&self, count: u8) -> u8 {
        self.as_bytes()[15] % count.max(1)
    }
}

impl From<Uuid> for Key {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text).map(Self).map_err(|error| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("`{text}` is not an id; write it as a UUID"),
            )
            .with_source(error)
        })
    }
}

/// As text, in the form of a UUID.
impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_keys_never_change() {
        let cases: &[(&str, &[&[u8]], &str)] = &[
            (
                "change",
                &[b"acme", b"orders", b"order", b"O-1", b"0", b"1"],
                "6da4ce45-6de7-8666-b789-60a12dedc4b2",
            ),
            ("change", &[], "33e26599-ede1-880e-9c42-058b969d8b94"),
            (
                "entry",
                &["ü".as_bytes(), b""],
                "97b526ad-54f7-8c73-866e-67bbf330b277",
            ),
        ];
        for (purpose, fields, golden) in cases {
            assert_eq!(Key::of(purpose, fields).to_string(), *golden);
        }
    }

    #[test]
    fn a_key_is_a_version_8_uuid() {
        assert_eq!(Key::of("change", &[b"a"]).as_uuid().get_version_num(), 8);
    }

    #[test]
    fn moving_a_border_between_fields_changes_the_key() {
        assert_ne!(Key::of("p", &[b"ab", b"c"]), Key::of("p", &[b"a", b"bc"]));
        assert_ne!(Key::of("pa", &[b"b"]), Key::of("p", &[b"ab"]));
        assert_ne!(Key::of("p", &[b"a"]), Key::of("p", &[b"a", b""]));
    }

    #[test]
    fn text_and_key_convert_both_ways() {
        let key = Key::of("p", &[b"a"]);
        assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
        assert!(
            "no-uuid"
                .parse::<Key>()
                .unwrap_err()
                .to_string()
                .contains("no-uuid")
        );
    }
}
