//! Checked text identities: tenant and correlation.
//!
//! The allowed characters are those that every CloudEvents binding carries unchanged: printable ASCII
//! without space, `"` and `%`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The greatest length of an identity, in bytes.
pub(crate) const ID_MAX: usize = 128;

fn checked(what: &str, text: &str) -> Result<Arc<str>, Error> {
    if text.is_empty() {
        return Err(Error::invalid(format!(
            "the {what} is empty; give it at least one character"
        )));
    }
    if text.len() > ID_MAX {
        let len = text.len();
        return Err(Error::invalid(format!(
            "the {what} has {len} bytes; at most {ID_MAX} are allowed"
        )));
    }
    match text
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '%'))
    {
        Some(c) => Err(Error::invalid(format!(
            "the {what} {text:?} contains {c:?}; use printable ASCII without space, `\"` and `%`"
        ))),
        None => Ok(text.into()),
    }
}

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes `text`.
            ///
            /// # Errors
            /// When it is empty, longer than 128 bytes, or not printable ASCII without space, `"` and `%`.
            pub fn parse(text: &str) -> Result<Self, Error> {
                checked($what, text).map(Self)
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

identity! {
    /// Whose data it is. Part of every key and every query; `default` where a service has one tenant.
    TenantId, "tenant"
}

identity! {
    /// What a chain of changes and consequences has in common; inherited by everything it causes.
    CorrelationId, "correlation id"
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_tenant_says_what_is_wrong() {
        let long = "x".repeat(129);
        let cases = [
            ("", "empty"),
            (long.as_str(), "129 bytes"),
            ("a b", "' '"),
            ("ü", "'ü'"),
            ("a%", "'%'"),
        ];
        for (text, needle) in cases {
            let error = TenantId::parse(text).unwrap_err().to_string();
            assert!(
                error.contains(needle) && error.contains("tenant"),
                "{error}"
            );
        }
        assert_eq!(TenantId::parse("acme").unwrap().as_str(), "acme");
    }
}
