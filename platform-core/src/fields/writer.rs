//! Writes fields into a snapshot: each value once, as the JSON text that will be stored.
//!
//! Knows the path of every field, and nothing of what the snapshot is for.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::{Class, Fields, Leaf, LeafKind, Personal, Snapshot};
use crate::{Error, text};

/// Takes the fields of one struct, in declaration order.
pub struct FieldWriter<'a> {
    snapshot: &'a mut Snapshot,
    prefix: String,
    names: Vec<&'static str>,
    is_open: bool,
    is_null: bool,
}

impl FieldWriter<'_> {
    pub(super) fn of(snapshot: &mut Snapshot, prefix: String) -> FieldWriter<'_> {
        FieldWriter {
            snapshot,
            prefix,
            names: Vec::new(),
            is_open: false,
            is_null: false,
        }
    }

    /// Writes one value under its class.
    ///
    /// # Errors
    /// When the value cannot be written as JSON, when a personal value's subject is not 1 to 256 bytes without
    /// control characters, and when the name is empty, taken, or holds a dot, a quote or a control character.
    pub fn field<T>(&mut self, name: &'static str, class: Class<'_>, value: &T) -> Result<(), Error>
    where
        T: Serialize + ?Sized,
    {
        match class {
            Class::Ignored => self.claim(name),
            Class::Secret => self.hidden(name, value),
            Class::Public => {
                self.key(name)?;
                self.shown(name, LeafKind::Shown, value).map(drop)
            }
            Class::Personal { subject } => {
                self.key(name)?;
                let range = self.shown(name, LeafKind::Shown, value)?;
                self.personal(name, range, subject)
            }
        }
    }

    /// Writes the entity's own version: stored like a public field, and never a change by itself.
    ///
    /// # Errors
    /// When the name is not one; see [`field`](Self::field).
    pub fn version(&mut self, name: &'static str, version: u64) -> Result<(), Error> {
        self.key(name)?;
        self.shown(name, LeafKind::Version, &version).map(drop)
    }

    /// Writes a struct field by field, as an object of its own; paths into it are dotted.
    ///
    /// # Errors
    /// When one of its fields cannot be written, or the name is not one; see [`field`](Self::field).
    pub fn nested<T: Fields>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.key(name)?;
        let path = self.path(name);
        let prefix = format!("{path}.");
        let (at, start) = (self.snapshot.leaves.len(), self.snapshot.json.len());
        self.snapshot.leaves.push(Leaf {
            path,
            kind: LeafKind::Object,
            range: start..start,
        });
        let mut inner = FieldWriter::of(self.snapshot, prefix);
        value.write(&mut inner)?;
        let kind = inner.close();
        let end = self.snapshot.json.len();
        if let Some(leaf) = self.snapshot.leaves.get_mut(at) {
            leaf.kind = kind;
            leaf.range = start..end;
        }
        Ok(())
    }

    /// Writes `null` in place of the object whose fields would follow.
    ///
    /// # Errors
    /// When a field was written before.
    pub fn null(&mut self) -> Result<(), Error> {
        if let Some(name) = self.names.first() {
            return Err(self.error(name, "comes before null(); write either fields or null()"));
        }
        self.is_null = true;
        Ok(())
    }

    /// Ends the object and tells what it became.
    pub(super) fn close(self) -> LeafKind {
        let (text, kind) = match (self.is_null, self.is_open) {
            (true, _) => ("null", LeafKind::Null),
            (false, true) => ("}", LeafKind::Object),
            (false, false) => ("{}", LeafKind::Object),
        };
        self.snapshot.json.extend_from_slice(text.as_bytes());
        kind
    }

    /// Takes the name for a field; the characters refused would need escapes or look like a path.
    fn claim(&mut self, name: &'static str) -> Result<(), Error> {
        if self.is_null {
            return Err(self.error(name, "comes after null(); write either fields or null()"));
        }
        if name.is_empty()
            || name.contains(|c: char| matches!(c, '.' | '"' | '\\') || c.is_control())
        {
            return Err(self.error(name, "has no usable name; use letters, digits, `_` and `-`"));
        }
        if self.names.contains(&name) {
            return Err(self.error(name, "is written twice; rename one of the two"));
        }
        self.names.push(name);
        Ok(())
    }

    fn key(&mut self, name: &'static str) -> Result<(), Error> {
        self.claim(name)?;
        let json = &mut self.snapshot.json;
        json.extend_from_slice(if self.is_open { b",\"" } else { b"{\"" });
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":");
        self.is_open = true;
        Ok(())
    }

    fn shown<T>(
        &mut self,
        name: &'static str,
        kind: LeafKind,
        value: &T,
    ) -> Result<Range<usize>, Error>
    where
        T: Serialize + ?Sized,
    {
        let start = self.snapshot.json.len();
        let written = serde_json::to_writer(&mut self.snapshot.json, value);
        written.map_err(|error| {
            self.error(name, "cannot be written as JSON")
                .with_source(error)
        })?;
        let range = start..self.snapshot.json.len();
        let path = self.path(name);
        self.snapshot.leaves.push(Leaf {
            path,
            kind,
            range: range.clone(),
        });
        Ok(range)
    }

    fn hidden<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.claim(name)?;
        let start = self.snapshot.hidden.len();
        // Without its source: a type's own message could hold the value.
        serde_json::to_writer(&mut self.snapshot.hidden, value).map_err(|_| {
            self.error(
                name,
                "is secret and cannot be written as JSON for comparing",
            )
        })?;
        let range = start..self.snapshot.hidden.len();
        let path = self.path(name);
        self.snapshot.leaves.push(Leaf {
            path,
            kind: LeafKind::Hidden,
            range,
        });
        Ok(())
    }

    /// Notes whom the value at `range` is about; an absent value is about nobody.
    fn personal(
        &mut self,
        name: &'static str,
        range: Range<usize>,
        subject: &dyn fmt::Display,
    ) -> Result<(), Error> {
        if self.snapshot.json.get(range.clone()) == Some(b"null") {
            return Ok(());
        }
        let subject = subject.to_string();
        let what = format!("the subject of the personal field `{}{name}`", self.prefix);
        text::check(&what, &subject, text::NAME_MAX)?;
        self.snapshot.personal.push(Personal { range, subject });
        Ok(())
    }

    fn path(&self, name: &'static str) -> Cow<'static, str> {
        if self.prefix.is_empty() {
            name.into()
        } else {
            format!("{}{name}", self.prefix).into()
        }
    }

    fn error(&self, name: &str, problem: &str) -> Error {
        Error::invalid(format!(
            "the field `{}{name}` of {} {problem}",
            self.prefix, self.snapshot.kind
        ))
    }
}

impl fmt::Debug for FieldWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldWriter")
            .field("prefix", &self.prefix)
            .field("names", &self.names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FieldReader;

    type Write = fn(&mut FieldWriter<'_>) -> Result<(), Error>;

    struct Given(Write);

    impl Fields for Given {
        fn write(&self, out: &mut FieldWriter<'_>) -> Result<(), Error> {
            (self.0)(out)
        }

        fn restore(fields: &mut FieldReader<'_>) -> Result<Self, Error> {
            let _names = fields;
            Ok(Self(|_| Ok(())))
        }
    }

    struct Unwritable;

    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("hush"))
        }
    }

    #[test]
    fn what_is_written_wrongly_is_named() {
        let cases: [(Write, &str); 8] = [
            (
                |out| out.field("", Class::Public, &1),
                "the field `` of box has no usable name",
            ),
            (
                |out| out.field("a.b", Class::Public, &1),
                "`a.b` of box has no usable name",
            ),
            (
                |out| out.field("a\"", Class::Secret, &1),
                "has no usable name",
            ),
            (
                |out| {
                    out.version("a", 1)
                        .and_then(|()| out.field("a", Class::Ignored, &1))
                },
                "`a` of box is written twice",
            ),
            (
                |out| out.field("a", Class::Public, &1).and_then(|()| out.null()),
                "`a` of box comes before null()",
            ),
            (
                |out| out.null().and_then(|()| out.field("a", Class::Public, &1)),
                "`a` of box comes after null()",
            ),
            (
                |out| out.field("a", Class::Public, &Unwritable),
                "`a` of box cannot be written as JSON",
            ),
            (
                |out| {
                    out.nested(
                        "n",
                        &Given(|out| out.field("a", Class::Secret, &Unwritable)),
                    )
                },
                "`n.a` of box is secret",
            ),
        ];
        for (write, needle) in cases {
            let error = Snapshot::of("box", &Given(write)).err().unwrap();
            assert!(error.to_string().contains(needle), "{error}");
        }
    }

    #[test]
    fn an_error_about_a_secret_holds_no_cause_that_could_quote_it() {
        let written = Snapshot::of(
            "box",
            &Given(|out| out.field("a", Class::Secret, &Unwritable)),
        );
        assert!(!format!("{:?}", written.err().unwrap()).contains("hush"));
    }
}
