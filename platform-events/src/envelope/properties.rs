//! What holds for every event: each mode gives back what it was given, and no bytes make a reader
//! panic.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use cloudevents::Event;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::time::Time;
use super::{Envelope, Extension, Format, from_batch, peek, text, to_batch};

/// Printable ASCII without space, `"` and `%`.
const NARROW: &str = "[!#$&-~]{1,40}";
/// Text that CloudEvents allows and few libraries carry well.
const WIDE: &str = "[ -~äß€\u{3042}\u{1F600}\u{10FFFD}]{1,40}";

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        "/[a-z0-9/._~-]{0,30}",
        "https://[a-z]{1,10}\\.example/[a-z?=&]{0,10}",
        "urn:[a-z0-9:]{1,20}"
    ]
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let year_9999 = 253_402_300_799_i64;
    (
        -62_167_219_200..=year_9999,
        prop_oneof![Just(0_u32), 0..1_000_000_000_u32],
    )
        .prop_map(|(secs, nanos)| DateTime::from_timestamp(secs, nanos).unwrap())
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A content type and a payload that fits it.
fn payload() -> impl Strategy<Value = (String, Bytes)> {
    let json_types = prop_oneof![
        Just("application/json"),
        Just("text/json; a=b"),
        Just("application/x.y+json")
    ];
    let json = (json_types, value(), any::<bool>()).prop_map(|(kind, value, is_pretty)| {
        let text = if is_pretty {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        };
        (String::from(kind), Bytes::from(text.unwrap()))
    });
    let text = any::<String>().prop_map(|text| (String::from("text/plain"), Bytes::from(text)));
    let bytes = (
        prop_oneof![Just("application/octet-stream"), Just("text/plain")],
        vec(any::<u8>(), 0..80),
    )
        .prop_map(|(kind, bytes)| (String::from(kind), Bytes::from(bytes)));
    prop_oneof![json, text, bytes]
}

fn extension() -> impl Strategy<Value = Extension> {
    prop_oneof![
        WIDE.prop_map(Extension::Text),
        any::<bool>().prop_map(Extension::Bool),
        any::<i32>().prop_map(Extension::Int),
    ]
}

/// Events of our own.
fn own() -> impl Strategy<Value = Envelope> {
    let names = prop_oneof![
        "x[a-z0-9]{0,19}",
        Just(String::from("tenantid")),
        Just(String::from("depth"))
    ];
    let optional = (
        option::of(NARROW),
        option::of(instant()),
        option::of(payload()),
        option::of("urn:[a-z]{1,9}"),
    );
    (
        NARROW,
        source(),
        NARROW,
        optional,
        vec((names, extension()), 0..6),
    )
        .prop_map(
            |(id, source, event_type, (subject, time, payload, schema), extensions)| {
                let mut builder = Envelope::builder(id, source, event_type);
                if let Some(subject) = subject {
                    builder = builder.subject(subject);
                }
                if let Some(time) = time {
                    builder = builder.time(time);
                }
                if let Some((kind, data)) = payload {
                    builder = builder.datacontenttype(kind).data(data);
                }
                if let Some(schema) = schema {
                    builder = builder.dataschema(schema);
                }
                for (name, value) in extensions {
                    builder = builder.extension(name, value);
                }
                builder.build().unwrap()
            },
        )
}

/// Events of others: wide text, a time with an offset, JSON without a content type.
fn foreign() -> impl Strategy<Value = Envelope> {
    let time = prop_oneof![
        Just("2018-04-05T18:31:00.10+01:00"),
        Just("1999-12-31T23:59:60Z")
    ];
    (own(), WIDE, WIDE, time, value()).prop_map(|(own, id, subject, time, value)| {
        let json = serde_json::json!({"specversion": "1.0", "id": id, "source": own.source(), "type": own.event_type(),
            "subject": subject, "time": time, "averylongextensionname": "x", "data": value});
        Envelope::from_json(json.to_string().as_bytes()).unwrap()
    })
}

fn any_event() -> impl Strategy<Value = Envelope> {
    prop_oneof![own(), foreign()]
}

/// What binary HTTP keeps: extensions lose their type, JSON without a content type gains one.
fn as_headers_keep(event: &Envelope) -> Envelope {
    let mut kept = event.clone();
    for (name, value) in event.extensions() {
        kept.extensions.remove(name);
        kept.extensions
            .read(name, Extension::Text(value.as_text().into_owned()))
            .unwrap();
    }
    if !kept.data.is_empty() {
        kept.datacontenttype
            .get_or_insert_with(|| String::from("application/json"));
    }
    kept
}

/// Reads the bytes in every mode and writes what was read.
fn read_everything(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let body = || Bytes::copy_from_slice(bytes);
    let pairs = bytes
        .split(|byte| *byte == b',')
        .map(|part| (String::from_utf8_lossy(part), part));
    let read = [
        Envelope::from_json(bytes),
        Envelope::from_legacy_json(bytes),
        Envelope::from_parts(&text, body()),
        Envelope::from_headers(pairs, body()),
    ];
    let batch = from_batch(bytes).unwrap_or_default();
    for event in read.into_iter().chain(batch).flatten() {
        let again = Envelope::from_json(&event.to_json()).unwrap();
        assert_eq!(again, event);
        drop((
            event.to_headers(),
            event.to_legacy_json(),
            Event::try_from(&event),
        ));
    }
    drop(peek(bytes));
}

proptest! {
    #[test]
    fn structured_mode_gives_back_the_event(event in any_event()) {
        let json = event.to_json();
        let again = Envelope::from_json(&json).unwrap();
        prop_assert_eq!(&again, &event);
        prop_assert_eq!(again.to_json(), json);
        prop_assert_eq!(Envelope::from_json(&event.to_json_base64()).unwrap(), event);
    }

    #[test]
    fn structured_mode_is_what_any_json_parser_reads(event in any_event()) {
        let value: serde_json::Value = serde_json::from_slice(&event.to_json()).unwrap();
        prop_assert_eq!(value["id"].as_str(), Some(event.id()));
        prop_assert_eq!(value["subject"].as_str(), event.subject());
        for (name, extension) in event.extensions() {
            let expected = match extension {
                Extension::Text(text) => serde_json::Value::from(text.as_str()),
                Extension::Bool(value) => serde_json::Value::from(*value),
                Extension::Int(number) => serde_json::Value::from(*number),
            };
            prop_assert_eq!(&value[name], &expected);
        }
        if event.format() == Format::Text && !event.data().is_empty() {
            prop_assert_eq!(value["data"].as_str().map(str::as_bytes), Some(event.data().as_ref()));
        }
    }

    #[test]
    fn the_stored_form_gives_back_the_event(event in any_event()) {
        let attributes = event.attributes();
        let again = Envelope::from_parts(&attributes, event.data().clone()).unwrap();
        prop_assert_eq!(again.attributes(), attributes);
        prop_assert_eq!(again, event);
    }

    #[test]
    fn binary_mode_gives_back_the_event(event in any_event()) {
        let headers = event.to_headers();
        for (_, value) in &headers {
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
        let again = Envelope::from_headers(headers, event.data().clone()).unwrap();
        prop_assert_eq!(again.attributes(), as_headers_keep(&event).attributes());
        prop_assert_eq!(again.data(), event.data());
    }

    #[test]
    fn a_batch_gives_back_the_events(events in vec(any_event(), 0..4)) {
        let again: Vec<Envelope> = from_batch(&to_batch(&events)).unwrap().into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(again, events);
    }

    #[test]
    fn the_older_form_gives_back_what_it_has_a_place_for(event in any_event()) {
        let is_json = event.format() == Format::Json || event.data().is_empty();
        let Ok(older) = event.to_legacy_json() else {
            prop_assert!(!is_json);
            return Ok(());
        };
        let again = Envelope::from_json(&older).unwrap();
        prop_assert_eq!(again.to_legacy_json().unwrap(), older);
        prop_assert_eq!((again.id(), again.source(), again.event_type()), (event.id(), event.source(), event.event_type()));
        prop_assert_eq!((again.time_text(), again.tenantid()), (event.time_text(), event.tenantid()));
        prop_assert_eq!(again.data(), event.data());
    }

    #[test]
    fn the_official_library_gives_back_all_but_the_offset_of_the_time(event in any_event()) {
        let theirs = Event::try_from(&event).unwrap();
        let mut expected = event.clone();
        expected.time = event.time().map(|at| Time::of(at).unwrap());
        prop_assert_eq!(Envelope::try_from(theirs).unwrap(), expected);
    }

    #[test]
    fn an_event_of_the_official_library_comes_back_to_it(event in own()) {
        let first = Event::try_from(&event).unwrap();
        let second = Event::try_from(&Envelope::try_from(first.clone()).unwrap()).unwrap();
        prop_assert_eq!(second, first);
    }

    #[test]
    fn the_official_library_reads_our_structured_mode(event in own()) {
        let theirs: Event = serde_json::from_slice(&event.to_json_base64()).unwrap();
        prop_assert_eq!(cloudevents::AttributesReader::id(&theirs), event.id());
        prop_assert_eq!(theirs.iter_extensions().count(), event.extensions().len());
    }

    #[test]
    fn a_peek_sees_what_reading_would(event in any_event()) {
        let json = event.to_json();
        let seen = peek(&json).unwrap();
        prop_assert_eq!((seen.id(), seen.source()), (event.id(), event.source()));
        prop_assert_eq!((seen.event_type(), seen.subject()), (event.event_type(), event.subject()));
        prop_assert_eq!(seen.data().is_some(), !event.data().is_empty());
    }

    #[test]
    fn a_written_string_is_what_a_json_library_reads(value in any::<String>()) {
        let mut out = String::new();
        text::push_string(&mut out, &value);
        let back: String = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(back, value);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_everything(&bytes);
    }

    #[test]
    fn arbitrary_text_of_json_signs_never_panics(text in "[\\[\\]{}\":,\\\\%0-9a-z .€-]{0,120}") {
        read_everything(text.as_bytes());
    }

    #[test]
    fn a_mutated_event_never_panics(
        event in any_event(),
        form in 0..3_u8,
        edits in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
    ) {
        let mut bytes = match form {
            0 => event.to_json(),
            1 => event.to_legacy_json().unwrap_or_default(),
            _ => to_batch(&[event.clone(), event]),
        };
        for (at, byte, edit) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        read_everything(&bytes);
    }

    #[test]
    fn mutated_headers_never_panic(event in any_event(), name in "(ce-)?[a-z-]{0,8}", value in vec(any::<u8>(), 0..30)) {
        let mut headers: Vec<(String, Vec<u8>)> =
            event.to_headers().into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        headers.push((name, value));
        drop(Envelope::from_headers(headers, event.data().clone()));
    }
}
