//! The stored form of a change: JSON with fixed keys in a fixed order.
//!
//! `{"verb", "version", "previous_version", "incarnation", "schema", "before", "after", "changed", "batch",
//! "actor_name"}`; what is absent is `null`. Pure: bytes in, bytes out.

mod reader;

use std::fmt;

use serde_json::Value;

pub use reader::ChangePayload;

use crate::change::{Change, Visible};
use crate::fields::Personal;

/// The stored bytes of a change, with a note of where personal values lie in them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payload {
    /// One JSON object.
    pub bytes: Vec<u8>,
    /// Every personal value in `bytes`, in their order; absent values are about nobody.
    pub personal: Vec<Personal>,
}

impl Change {
    /// Writes the stored form; `actor_name` is the name that people read of whoever did it.
    ///
    /// Equal changes give equal bytes, in every process and release.
    pub fn payload(&self, actor_name: Option<&str>) -> Payload {
        let mut out = Payload {
            bytes: Vec::with_capacity(self.payload_estimate()),
            personal: Vec::new(),
        };
        out.push(r#"{"verb":"#);
        out.text(Some(self.verb()));
        out.push(&format!(
            r#","version":{},"previous_version":"#,
            self.version()
        ));
        out.push(
            &self
                .previous_version()
                .map_or_else(|| "null".to_owned(), |version| version.to_string()),
        );
        out.push(&format!(
            r#","incarnation":{},"schema":{},"before":"#,
            self.incarnation(),
            self.schema()
        ));
        out.state(self.before());
        out.push(r#","after":"#);
        out.state(self.after());
        out.push(r#","changed":"#);
        out.paths(self.changed());
        out.push(r#","batch":"#);
        out.text(self.batch());
        out.push(r#","actor_name":"#);
        out.text(actor_name);
        out.push("}");
        out
    }

    /// Enough bytes for most payloads, so that they are written without growing.
    fn payload_estimate(&self) -> usize {
        let states = [self.before(), self.after()]
            .into_iter()
            .flatten()
            .map(|state| state.json.len());
        states.sum::<usize>()
            + 256
            + self
                .changed()
                .iter()
                .map(|path| path.len() + 3)
                .sum::<usize>()
    }
}

impl Payload {
    fn push(&mut self, json: &str) {
        self.bytes.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, text: Option<&str>) {
        self.push(&Value::from(text).to_string());
    }

    /// Copies a state and moves its notes to where it now lies.
    fn state(&mut self, state: Option<&Visible>) {
        let Some(state) = state else {
            return self.push("null");
        };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&state.json);
        self.personal.extend(
            state
                .personal
                .iter()
                .map(|Personal { range, subject }| Personal {
                    range: start + range.start..start + range.end,
                    subject: subject.clone(),
                }),
        );
    }

    /// Paths are made of checked names, which need no escapes.
    fn paths(&mut self, paths: &[String]) {
        self.push("[");
        for (at, path) in paths.iter().enumerate() {
            self.push(if at == 0 { "\"" } else { ",\"" });
            self.push(path);
            self.push("\"");
        }
        self.push("]");
    }
}

/// Sizes only: values do not belong into logs.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("bytes", &self.bytes.len())
            .field("personal", &self.personal.len())
            .finish()
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::{ChangePayload, TenantId};

    #[derive(Clone, crate::Entity)]
    #[entity(kind = "order", schema = 2)]
    struct Order {
        #[entity(id)]
        id: u32,
        #[entity(tenant)]
        tenant: TenantId,
        #[entity(version)]
        version: u64,
        status: String,
        total: i64,
        #[entity(rename = "unit-price")]
        unit_price: Box<RawValue>,
        customer: String,
        #[entity(personal(subject = "customer"))]
        email: Option<String>,
        #[entity(secret)]
        payment_token: String,
        #[entity(ignored)]
        touched: u64,
        #[entity(nested)]
        address: Option<Address>,
    }

    #[derive(Clone, crate::Fields)]
    struct Address {
        resident: String,
        #[entity(personal(subject = "resident"))]
        street: String,
        #[entity(secret)]
        door_code: String,
    }

    fn order() -> Order {
        Order {
            id: 7,
            tenant: TenantId::default(),
            version: 1,
            status: "placed".into(),
            total: i64::MAX,
            unit_price: RawValue::from_string("0.10".into()).unwrap(),
            customer: "C-7".into(),
            email: Some("ada@\"home\"".into()),
            payment_token: "tok_1".into(),
            touched: 1,
            address: None,
        }
    }

    fn moved() -> Order {
        let address = Address {
            resident: "R-1".into(),
            street: "Ring 1".into(),
            door_code: "0000".into(),
        };
        Order {
            version: 3,
            status: "moved".into(),
            payment_token: "tok_2".into(),
            address: Some(address),
            ..order()
        }
    }

    #[test]
    fn golden_bytes_never_change() {
        let change = Change::updated(&order(), &moved())
            .unwrap()
            .named("order.moved")
            .in_batch("b\n1");
        let payload = change.payload(Some("Ada"));
        let golden = concat!(
            r#"{"verb":"moved","version":3,"previous_version":1,"incarnation":0,"schema":2,"#,
            r#""before":{"id":7,"tenant":"default","version":1,"status":"placed","total":9223372036854775807,"#,
            r#""unit-price":0.10,"customer":"C-7","email":"ada@\"home\"","address":null},"#,
            r#""after":{"id":7,"tenant":"default","version":3,"status":"moved","total":9223372036854775807,"#,
            r#""unit-price":0.10,"customer":"C-7","email":"ada@\"home\"","#,
            r#""address":{"resident":"R-1","street":"Ring 1"}},"#,
            r#""changed":["status","payment_token","address"],"batch":"b\n1","actor_name":"Ada"}"#,
        );
        assert_eq!(String::from_utf8(payload.bytes.clone()).unwrap(), golden);
        let personal: Vec<_> = payload
            .personal
            .iter()
            .map(|Personal { range, subject }| (&golden[range.clone()], subject.as_str()))
            .collect();
        let email = (r#""ada@\"home\"""#, "C-7");
        assert_eq!(personal, [email, email, ("\"Ring 1\"", "R-1")]);
    }

    #[test]
    fn golden_bytes_of_a_creation_and_a_deletion() {
        let order = Order {
            email: None,
            ..order()
        };
        let created = Change::created(&order).unwrap().payload(None);
        let deleted = Change::deleted(&order).unwrap().payload(None);
        let state = concat!(
            r#"{"id":7,"tenant":"default","version":1,"status":"placed","total":9223372036854775807,"#,
            r#""unit-price":0.10,"customer":"C-7","email":null,"address":null}"#
        );
        let tail = concat!(
            r#""changed":["id","tenant","status","total","unit-price","customer","email","payment_token","address"],"#,
            r#""batch":null,"actor_name":null}"#
        );
        let head =
            r#"{"verb":"created","version":1,"previous_version":null,"incarnation":0,"schema":2,"#;
        let golden = format!(r#"{head}"before":null,"after":{state},{tail}"#);
        assert_eq!(String::from_utf8(created.bytes).unwrap(), golden);
        let head =
            r#"{"verb":"deleted","version":2,"previous_version":1,"incarnation":0,"schema":2,"#;
        let golden = format!(r#"{head}"before":{state},"after":null,{tail}"#);
        assert_eq!(String::from_utf8(deleted.bytes).unwrap(), golden);
        assert_eq!((created.personal, deleted.personal), (vec![], vec![]));
    }

    #[test]
    fn a_rotated_secret_is_a_change_without_values() {
        let new = Order {
            version: 2,
            payment_token: "tok_2".into(),
            ..order()
        };
        let change = Change::updated(&order(), &new).unwrap();
        assert!(!change.is_empty());
        let bytes = change.payload(None).bytes;
        let stored = ChangePayload::parse(&bytes).unwrap();
        let diff = stored.diff();
        let [field] = diff.as_slice() else {
            panic!("{diff:?}")
        };
        assert_eq!(
            (field.path, field.old, field.new),
            ("payment_token", None, None)
        );
        assert!(!String::from_utf8_lossy(&bytes).contains("tok_"));
    }

    #[test]
    fn a_change_of_ignored_fields_alone_is_empty_whatever_the_version() {
        for version in [0, 1, 2] {
            let change = Change::updated(
                &order(),
                &Order {
                    version,
                    touched: 2,
                    ..order()
                },
            )
            .unwrap();
            assert!(change.is_empty(), "{version}");
        }
    }

    #[test]
    fn nothing_that_is_printed_holds_a_value() {
        let payload = Change::updated(&order(), &moved()).unwrap().payload(None);
        let stored = ChangePayload::parse(&payload.bytes).unwrap();
        let change = Change::updated(&order(), &moved()).unwrap();
        let printed = format!("{change:?} {payload:?} {stored:?} {:?}", stored.after());
        for value in ["tok_", "0000", "Ring", "ada", "placed"] {
            assert!(!printed.contains(value), "{printed}");
        }
    }
}
