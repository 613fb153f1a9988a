//! One stored state of an entity, split into its fields and no deeper.
//!
//! Values stay the text they are: what is never asked for is never parsed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::FieldReader;
use crate::{Entity, Error};

/// One stored state of an entity: its fields as JSON text, in declaration order.
#[derive(Clone)]
pub struct StoredFields<'a> {
    json: &'a str,
    fields: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> StoredFields<'a> {
    /// Splits a JSON object into its fields.
    ///
    /// # Errors
    /// When the text is not a JSON object, or a name occurs twice.
    pub fn parse(json: &'a str) -> Result<Self, Error> {
        let Object(fields) = serde_json::from_str(json).map_err(|error| {
            Error::invalid(format!(
                "the stored state is not a JSON object: {}",
                describe(&error)
            ))
        })?;
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        if names.len() < count {
            return Err(Error::invalid(
                "the stored state holds a field twice; its writer must be mended",
            ));
        }
        Ok(Self { json, fields })
    }

    /// Returns the value at a dotted path as JSON text.
    pub fn get(&self, path: &str) -> Option<&'a str> {
        if let Some(value) = self.find(path, 0) {
            return Some(value);
        }
        let (name, rest) = path.split_once('.')?;
        Self::parse(self.find(name, 0)?).ok()?.get(rest)
    }

    /// Returns the name and the JSON text of each field, nested objects whole, in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_ref(), *value))
    }

    /// Restores the entity; secret and ignored fields are `Default::default()`.
    ///
    /// # Errors
    /// When a field is missing and its type has no value for `null`, or a stored value does not fit its type.
    pub fn restore<E: Entity>(&self) -> Result<E, Error> {
        E::restore(&mut FieldReader::of(E::KIND, self.clone()))
    }

    /// Returns the whole state as the JSON text it is.
    pub fn as_json(&self) -> &'a str {
        self.json
    }

    /// Finds a field of this object by name; `hint` is where it probably is.
    pub(super) fn find(&self, name: &str, hint: usize) -> Option<&'a str> {
        let hinted = self.fields.get(hint).filter(|(known, _)| known == name);
        let found = hinted.or_else(|| self.fields.iter().find(|(known, _)| known == name));
        found.map(|(_, value)| *value)
    }
}

/// Names only: values do not belong into logs.
impl fmt::Debug for StoredFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.fields.iter().map(|(name, _)| name))
            .finish()
    }
}

/// What is wrong with a JSON text, without quoting any of it: it may be personal.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        serde_json::error::Category::Data => "another type was expected",
        serde_json::error::Category::Eof => "the text ends too early",
        _ => "the text is not JSON",
    };
    format!(
        "{problem} (line {}, column {})",
        error.line(),
        error.column()
    )
}

struct Object<'a>(Vec<(Cow<'a, str>, &'a str)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            fields.push((name, value.get()));
        }
        Ok(Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_text_and_their_order() {
        let state = StoredFields::parse(r#"{"b":1.50,"a":{"c":[1, 2]},"n":null}"#).unwrap();
        let fields: Vec<_> = state.iter().collect();
        assert_eq!(
            fields,
            [("b", "1.50"), ("a", r#"{"c":[1, 2]}"#), ("n", "null")]
        );
        assert_eq!(
            (state.get("a.c"), state.get("a.d"), state.get("b.c")),
            (Some("[1, 2]"), None, None)
        );
    }

    #[test]
    fn what_is_no_state_is_refused_without_being_quoted() {
        for text in [
            "[]",
            "\"secret\"",
            "{\"secret\"",
            "{\"secret\":1,\"secret\":2}",
            "null",
        ] {
            let error = StoredFields::parse(text).unwrap_err();
            assert!(error.to_string().starts_with("the stored state"), "{error}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
}
