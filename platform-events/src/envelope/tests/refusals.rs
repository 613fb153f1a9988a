//! What no envelope is made of, and what the error says.

use std::error::Error as _;

use super::*;

/// Builds each event and compares what the error says.
fn assert_refused(cases: Vec<(Builder, Kind, &str)>) {
    for (builder, kind, attribute) in cases {
        let shown = format!("{builder:?}");
        assert_eq!(
            refusal(builder.build()),
            refused(kind, attribute),
            "{shown}"
        );
    }
}

/// Reads each text and compares what the error says.
fn assert_unreadable(cases: &[(&str, Kind, &str)]) {
    for (json, kind, attribute) in cases {
        let found = refusal(Envelope::from_json(json.as_bytes()));
        assert_eq!(found, refused(*kind, attribute), "{json}");
    }
}

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[test]
fn what_names_our_event_is_narrow_and_never_empty() {
    let named = |id: &str, source: &str, event_type: &str| {
        Envelope::builder(id.to_owned(), source.to_owned(), event_type.to_owned())
    };
    assert_refused(vec![
        (named("", "/o", "t"), Kind::EmptyAttribute, "id"),
        (named("1", "", "t"), Kind::EmptyAttribute, "source"),
        (named("1", "/o", ""), Kind::EmptyAttribute, "type"),
        (named(&long(257), "/o", "t"), Kind::LongAttribute, "id"),
        (named("1", &long(257), "t"), Kind::LongAttribute, "source"),
        (named("1", "/o", &long(129)), Kind::LongAttribute, "type"),
        (named("a b", "/o", "t"), Kind::ForbiddenCharacter, "id"),
        (named("a\"b", "/o", "t"), Kind::ForbiddenCharacter, "id"),
        (
            named("1", "/or%20ders", "t"),
            Kind::ForbiddenCharacter,
            "source",
        ),
        (named("1", "/o", "größe"), Kind::ForbiddenCharacter, "type"),
        (named("1", "/o", "a\0b"), Kind::ForbiddenCharacter, "type"),
        (named("1", "/a{b}", "t"), Kind::InvalidForm, "source"),
        (named("1", "1:b", "t"), Kind::InvalidForm, "source"),
        (named("1", "/a#b#c", "t"), Kind::InvalidForm, "source"),
    ]);
}

#[test]
fn what_describes_our_event_has_its_form() {
    let shipped = order_shipped;
    let year_10000 = DateTime::from_timestamp(253_402_300_800, 0).unwrap();
    assert_refused(vec![
        (shipped().subject(""), Kind::EmptyAttribute, "subject"),
        (shipped().subject(long(513)), Kind::LongAttribute, "subject"),
        (
            shipped().subject("Müller"),
            Kind::ForbiddenCharacter,
            "subject",
        ),
        (
            shipped().dataschema("order"),
            Kind::InvalidForm,
            "dataschema",
        ),
        (
            shipped().dataschema("https:"),
            Kind::InvalidForm,
            "dataschema",
        ),
        (
            shipped().dataschema(long(513)),
            Kind::LongAttribute,
            "dataschema",
        ),
        (
            shipped().datacontenttype("").data("x"),
            Kind::EmptyAttribute,
            "datacontenttype",
        ),
        (
            shipped().datacontenttype("xyz").data("x"),
            Kind::InvalidForm,
            "datacontenttype",
        ),
        (
            shipped().datacontenttype("a/b ").data("x"),
            Kind::InvalidForm,
            "datacontenttype",
        ),
        (
            shipped().datacontenttype("a/b; é").data("x"),
            Kind::InvalidForm,
            "datacontenttype",
        ),
        (shipped().time(year_10000), Kind::InvalidForm, "time"),
    ]);
}

#[test]
fn a_payload_that_says_json_is_one_json_value() {
    let shipped = order_shipped;
    assert_refused(vec![
        (shipped().json("{"), Kind::InvalidPayload, "data"),
        (shipped().json("{} {}"), Kind::InvalidPayload, "data"),
        (shipped().json(" "), Kind::InvalidPayload, "data"),
        (
            shipped().json(&b"\"\xff\""[..]),
            Kind::InvalidPayload,
            "data",
        ),
        (
            shipped().datacontenttype("a/b+json").data("nope"),
            Kind::InvalidPayload,
            "data",
        ),
    ]);
}

#[test]
fn an_extension_of_ours_has_a_name_and_a_text_that_every_peer_knows() {
    let with = |name: &str, value: &str| order_shipped().extension(name, value);
    let name_21 = long(21);
    assert_refused(vec![
        (with("Region", "eu"), Kind::InvalidName, "Region"),
        (with("my_region", "eu"), Kind::InvalidName, "my_region"),
        (with("", "eu"), Kind::InvalidName, ""),
        (with(&name_21, "eu"), Kind::InvalidName, &name_21),
        (with("subject", "eu"), Kind::InvalidName, "subject"),
        (with("specversion", "1.0"), Kind::InvalidName, "specversion"),
        (with("data", "eu"), Kind::InvalidName, "data"),
        (with("region", ""), Kind::EmptyAttribute, "region"),
        (with("reason", &long(1_025)), Kind::LongAttribute, "reason"),
        (with("reason", "a\nb"), Kind::ForbiddenCharacter, "reason"),
        (
            with("tenantid", "a\0b"),
            Kind::ForbiddenCharacter,
            "tenantid",
        ),
    ]);
}

#[test]
fn a_received_event_is_one_object_with_what_is_required() {
    assert_unreadable(&[
        ("[]", Kind::Malformed, "event"),
        ("{", Kind::Malformed, "event"),
        ("", Kind::Malformed, "event"),
        (r#"{"specversion":"1.0"}"#, Kind::MissingAttribute, "id"),
        (
            r#"{"id":"1","source":"/o"}"#,
            Kind::MissingAttribute,
            "specversion",
        ),
        (
            r#"{"specversion":null}"#,
            Kind::MissingAttribute,
            "specversion",
        ),
        (r#"{"specversion":1.0}"#, Kind::WrongType, "specversion"),
        (
            r#"{"specversion":"0.3"}"#,
            Kind::UnsupportedVersion,
            "specversion",
        ),
    ]);
    let bytes = b"{\"specversion\":\"1.0\",\"id\":\"\xff\"}";
    assert_eq!(
        refusal(Envelope::from_json(bytes)),
        refused(Kind::Malformed, "event")
    );
}

#[test]
fn the_id_of_a_received_event_is_text_within_bounds() {
    for (id, kind) in [
        ("25".to_owned(), Kind::WrongType),
        (r#"{"a":1}"#.to_owned(), Kind::WrongType),
        ("null".to_owned(), Kind::MissingAttribute),
        (r#""""#.to_owned(), Kind::EmptyAttribute),
        (r#""a\u0000b""#.to_owned(), Kind::ForbiddenCharacter),
        (r#""a\ud800b""#.to_owned(), Kind::Malformed),
        (format!("\"{}\"", long(1_025)), Kind::LongAttribute),
    ] {
        let json = format!(r#"{{"specversion":"1.0","id":{id},"source":"/o","type":"t"}}"#);
        assert_unreadable(&[(&json, kind, "id")]);
    }
}

#[test]
fn a_received_event_that_breaks_the_specification_is_refused() {
    let time_65 = format!(r#""time":"2018-04-05T17:31:00.{}Z""#, "0".repeat(44));
    let region_8193 = format!(r#""region":"{}""#, long(8_193));
    for (members, kind, attribute) in [
        (r#""id":"e-1""#, Kind::DuplicateAttribute, "id"),
        (r#""i\u0064":"e-1""#, Kind::DuplicateAttribute, "id"),
        (
            r#""region":null,"region":"eu""#,
            Kind::DuplicateAttribute,
            "region",
        ),
        (
            r#""Bad Name":1,"Bad Name":2"#,
            Kind::DuplicateAttribute,
            "Bad Name",
        ),
        (r#""data":1,"data":2"#, Kind::DuplicateAttribute, "data"),
        (r#""data":1,"data_base64":"MQ==""#, Kind::Conflict, "data"),
        (
            r#""data":null,"data_base64":"MQ==""#,
            Kind::Conflict,
            "data",
        ),
        (r#""data_base64":"?""#, Kind::Malformed, "data_base64"),
        (r#""data_base64":7"#, Kind::WrongType, "data_base64"),
        (r#""data_base64":"/w==""#, Kind::InvalidPayload, "data"),
        (
            r#""datacontenttype":"a/b","data":{}"#,
            Kind::InvalidPayload,
            "data",
        ),
        (
            r#""subject":"a\u0085b""#,
            Kind::ForbiddenCharacter,
            "subject",
        ),
        (
            r#""subject":"a\uffffb""#,
            Kind::ForbiddenCharacter,
            "subject",
        ),
        (
            r#""tenantid":"a\u0000b""#,
            Kind::ForbiddenCharacter,
            "tenantid",
        ),
        (r#""time":"2018-04-05""#, Kind::InvalidForm, "time"),
        (&time_65, Kind::InvalidForm, "time"),
        (&region_8193, Kind::LongAttribute, "region"),
    ] {
        let json = event_with(&format!(",{members}"));
        assert_unreadable(&[(&json, kind, attribute)]);
    }
}

#[test]
fn an_event_of_our_own_may_be_as_large_as_its_bounds() {
    let event = Envelope::builder(
        "i".repeat(256),
        format!("/{}", "s".repeat(255)),
        "t".repeat(128),
    )
    .subject("s".repeat(512))
    .dataschema(format!("urn:{}", "d".repeat(508)))
    .extension("x".repeat(20), "v".repeat(1_024))
    .datacontenttype("application/octet-stream")
    .data(vec![0; PUBLISH_MAX])
    .build()
    .unwrap();
    assert_eq!(Envelope::from_json(&event.to_json()).unwrap(), event);
}

#[test]
fn a_payload_beyond_the_publishing_bound_is_refused_unless_the_builder_allows_it() {
    let large = || {
        order_shipped()
            .datacontenttype("text/plain")
            .data(vec![b'x'; PUBLISH_MAX + 1])
    };
    assert_eq!(refusal(large().build()), refused(Kind::TooLarge, "data"));
    assert!(large().payload_max(PUBLISH_MAX + 1).build().is_ok());
    let beyond_reading = order_shipped()
        .datacontenttype("text/plain")
        .data(vec![b'x'; RECEIVE_MAX + 1]);
    assert_eq!(
        refusal(beyond_reading.payload_max(usize::MAX).build()),
        refused(Kind::TooLarge, "data")
    );
}

#[test]
fn too_many_members_or_extensions_are_refused() {
    let members = |count: usize, value: &str| -> String {
        (0..count)
            .map(|number| format!(r#","x{number}":{value}"#))
            .collect()
    };
    assert!(read(&members(EXTENSIONS_MAX, "\"v\"")).is_ok());
    assert_eq!(
        refusal(read(&members(EXTENSIONS_MAX + 1, "\"v\""))),
        refused(Kind::TooMany, "event")
    );
    assert!(read(&members(124, "null")).is_ok());
    assert_eq!(
        refusal(read(&members(125, "null"))),
        refused(Kind::TooMany, "event")
    );
}

#[test]
fn a_message_beyond_the_receiving_bound_is_refused_before_it_is_parsed() {
    let bytes = vec![b'x'; RECEIVE_MAX + 1];
    assert_eq!(
        refusal(Envelope::from_json(&bytes)),
        refused(Kind::TooLarge, "event")
    );
    assert_eq!(
        refusal(Envelope::from_legacy_json(&bytes)),
        refused(Kind::TooLarge, "event")
    );
    assert_eq!(refusal(peek(&bytes)), refused(Kind::TooLarge, "event"));
    assert_eq!(
        refusal(from_batch(&bytes)),
        refused(Kind::TooLarge, "batch")
    );
    let headers: [(&str, &str); 0] = [];
    assert_eq!(
        refusal(Envelope::from_headers(headers, bytes.clone())),
        refused(Kind::TooLarge, "data")
    );
    let stored = order_shipped().build().unwrap().attributes();
    assert_eq!(
        refusal(Envelope::from_parts(&stored, Bytes::from(bytes))),
        refused(Kind::TooLarge, "data")
    );
}

#[test]
fn an_error_says_what_is_wrong_where_and_how_to_mend_it() {
    let error = order_shipped().subject("a b").build().unwrap_err();
    let text = "subject holds \\u{20} at byte 1: use printable ASCII without space, quote and percent sign";
    assert_eq!(error.to_string(), text);
    assert!(error.source().is_none());
    let error = Envelope::from_json(b"nope").unwrap_err();
    assert_eq!(
        error.to_string(),
        "event is not a JSON object: send one event as JSON"
    );
    assert!(error.source().is_some());
    let error = read(&format!(",\"{0}\":1,\"{0}\":2", "\\n\\u0000".repeat(80))).unwrap_err();
    assert!(error.attribute().len() < 300 && !error.attribute().contains(char::is_control));
}
