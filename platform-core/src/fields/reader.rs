//! Restores fields from a stored state; the counterpart of the writer.
//!
//! An unknown field is nobody's business; a missing one is `null`, where its type has a value for that.

use std::any::type_name;
use std::fmt;

use serde::de::DeserializeOwned;

use super::stored::describe;
use super::{Fields, StoredFields};
use crate::Error;

/// Gives the stored fields of one struct.
pub struct FieldReader<'a> {
    kind: &'static str,
    prefix: String,
    state: Option<StoredFields<'a>>,
    next: usize,
}

impl<'a> FieldReader<'a> {
    pub(crate) fn of(kind: &'static str, state: StoredFields<'a>) -> Self {
        Self {
            kind,
            prefix: String::new(),
            state: Some(state),
            next: 0,
        }
    }

    /// Restores one value.
    ///
    /// # Errors
    /// When the stored value does not fit the type, or is missing and the type has no value for `null`.
    pub fn field<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Error> {
        match self.take(name) {
            // The cause is not attached: it quotes the value, which may be personal.
            Some(json) => serde_json::from_str(json).map_err(|error| {
                let (expected, problem) = (type_name::<T>(), describe(&error));
                self.error(name, &format!("does not fit {expected}: {problem}"))
            }),
            None => serde_json::from_str("null").map_err(|_| {
                self.error(
                    name,
                    "is missing in the stored state; make its type an Option to read old states",
                )
            }),
        }
    }

    /// Restores a struct that was written field by field.
    ///
    /// # Errors
    /// When it is not an object, or one of its fields cannot be restored.
    pub fn nested<T: Fields>(&mut self, name: &'static str) -> Result<T, Error> {
        let state = match self.take(name) {
            None | Some("null") => None,
            Some(json) => Some(
                StoredFields::parse(json)
                    .map_err(|_| self.error(name, "is not a nested object"))?,
            ),
        };
        let prefix = format!("{}{name}.", self.prefix);
        T::restore(&mut FieldReader {
            kind: self.kind,
            prefix,
            state,
            next: 0,
        })
    }

    /// Answers whether there is `null`, or nothing, in place of the object.
    pub fn is_null(&self) -> bool {
        self.state.is_none()
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let hint = self.next;
        self.next += 1;
        self.state.as_ref()?.find(name, hint)
    }

    fn error(&self, name: &str, problem: &str) -> Error {
        Error::invalid(format!(
            "the field `{}{name}` of {} {problem}",
            self.prefix, self.kind
        ))
    }
}

impl fmt::Debug for FieldReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldReader")
            .field("prefix", &self.prefix)
            .field("state", &self.state)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, ChangePayload, Entity};

    #[derive(Debug, Clone, PartialEq, Entity)]
    #[entity(kind = "box")]
    struct Parcel {
        #[entity(id)]
        id: u32,
        #[entity(version)]
        version: u64,
        weight: i32,
        note: Option<String>,
        #[entity(nested)]
        size: Size,
        #[entity(nested)]
        label: Option<Size>,
    }

    #[derive(Debug, Clone, PartialEq, crate::Fields)]
    struct Size {
        height: u8,
    }

    fn restore(after: &str) -> Result<Parcel, Error> {
        StoredFields::parse(after).unwrap().restore()
    }

    #[test]
    fn unknown_fields_are_left_alone_and_optional_ones_may_be_missing() {
        let parcel =
            restore(r#"{"x":1,"size":{"height":2,"y":3},"weight":4,"version":5,"id":6}"#).unwrap();
        let size = Size { height: 2 };
        assert_eq!(
            parcel,
            Parcel {
                id: 6,
                version: 5,
                weight: 4,
                note: None,
                size,
                label: None
            }
        );
    }

    #[test]
    fn what_cannot_be_restored_is_named_and_not_quoted() {
        let cases = [
            (
                r#"{"id":1,"version":1,"size":{"height":2}}"#,
                "`weight` of box is missing",
            ),
            (
                r#"{"id":1,"version":1,"weight":4}"#,
                "`size.height` of box is missing",
            ),
            (
                r#"{"id":1,"version":1,"weight":4,"size":null}"#,
                "`size.height` of box is missing",
            ),
            (
                r#"{"id":1,"version":1,"weight":4,"size":{"height":"ada"}}"#,
                "`size.height` of box does not fit u8",
            ),
            (
                r#"{"id":1,"version":1,"weight":4,"size":"ada"}"#,
                "`size` of box is not a nested object",
            ),
            (
                r#"{"id":1,"version":1,"weight":null}"#,
                "`weight` of box does not fit i32",
            ),
        ];
        for (state, needle) in cases {
            let error = restore(state).unwrap_err();
            assert!(error.to_string().contains(needle), "{error}");
            assert!(!format!("{error:?}").contains("ada"), "{error:?}");
        }
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        for bytes in ["", "[]", "{}", r#"{"verb":1}"#, "\u{1}"] {
            let error = ChangePayload::parse(bytes.as_bytes()).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("the payload is not one of an entity's change: "),
                "{error}"
            );
        }
        let parcel = restore(r#"{"id":1,"version":1,"weight":4,"size":{"height":2}}"#).unwrap();
        let payload = Change::created(&parcel).unwrap().payload(None);
        let later = String::from_utf8(payload.bytes).unwrap().replacen(
            '{',
            r#"{"of_a_later_release":[],"#,
            1,
        );
        let stored = ChangePayload::parse(later.as_bytes()).unwrap();
        assert_eq!(stored.restore::<Parcel>().unwrap(), (None, Some(parcel)));
    }
}
