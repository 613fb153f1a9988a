//! Extension attributes: a small sorted map.
//!
//! Known extensions are always text, so that their typed accessors can lend it; others keep the
//! type they came with.

use std::borrow::Cow;
use std::fmt;

use super::attributes::{Origin, check_extension_text};
use super::error::{EnvelopeError, EnvelopeErrorKind};
use super::names::{is_extension_name, known};

/// Most extensions that one event may carry.
pub const EXTENSIONS_MAX: usize = 64;
/// Room for the extensions of an event of our own.
const EXTENSIONS_USUAL: usize = 12;

/// The value of an extension attribute (CloudEvents 1.0, section 3.1: the types that JSON can tell
/// apart).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Extension {
    /// Text, and everything that JSON writes as text: URIs, times, base64.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A whole number of 32 bits, as CloudEvents defines it.
    Int(i32),
}

impl Extension {
    /// Returns the canonical string of the value (CloudEvents 1.0, section 3.1): what a header
    /// carries.
    #[must_use]
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Int(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.as_text())
    }
}

impl From<&str> for Extension {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Extension {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Extension {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Extension {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}

/// The extensions of one event, sorted by name, checked when they enter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extensions(Vec<(Cow<'static, str>, Extension)>);

impl Extensions {
    pub(super) fn get(&self, name: &str) -> Option<&Extension> {
        self.find(name)
            .ok()
            .and_then(|at| self.0.get(at))
            .map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Extension)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Puts what this platform writes: every rule is an error, the last value of a name stays.
    pub(super) fn set(&mut self, name: &str, value: Extension) -> Result<(), EnvelopeError> {
        if !is_extension_name(name, Origin::Own) {
            let mend = "use 1 to 20 of a-z and 0-9, and no name of a context attribute";
            let fact = "is not a name for an extension";
            return Err(EnvelopeError::new(
                EnvelopeErrorKind::InvalidName,
                name,
                fact,
                mend,
            ));
        }
        check_extension_text(name, &value.as_text(), Origin::Own)?;
        self.remove(name);
        self.insert(name, value)
    }

    /// Puts what another producer wrote. A name outside `[a-z0-9]{1,64}` is dropped, since nothing
    /// here could write it again; an empty text is dropped too, since brokers blank the trace
    /// fields that they cannot fill.
    pub(super) fn read(&mut self, name: &str, value: Extension) -> Result<(), EnvelopeError> {
        if !is_extension_name(name, Origin::Foreign) || value.as_text().is_empty() {
            return Ok(());
        }
        check_extension_text(name, &value.as_text(), Origin::Foreign)?;
        self.insert(name, value)
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Ok(at) = self.find(name) {
            self.0.remove(at);
        }
    }

    fn insert(&mut self, name: &str, value: Extension) -> Result<(), EnvelopeError> {
        if self.0.len() == EXTENSIONS_MAX {
            let fact = format!("holds more than {EXTENSIONS_MAX} extensions");
            return Err(EnvelopeError::new(
                EnvelopeErrorKind::TooMany,
                "event",
                fact,
                "move them into the payload",
            ));
        }
        let Err(at) = self.find(name) else {
            return Err(EnvelopeError::duplicate(name));
        };
        let entry = match known(name) {
            Some(name) => (Cow::Borrowed(name), Extension::Text(into_text(value))),
            None => (Cow::Owned(name.to_owned()), value),
        };
        if self.0.is_empty() {
            self.0.reserve(EXTENSIONS_USUAL);
        }
        self.0.insert(at, entry);
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        // Stored attributes arrive sorted, so the end is the likely place.
        if self.0.last().is_some_and(|(last, _)| last.as_ref() < name) {
            return Err(self.0.len());
        }
        self.0
            .binary_search_by(|(entry, _)| entry.as_ref().cmp(name))
    }
}

fn into_text(value: Extension) -> String {
    match value {
        Extension::Text(text) => text,
        other => other.as_text().into_owned(),
    }
}
