//! Each mode by itself: what is particular to batches, headers, the older form and the official
//! library.

use cloudevents::event::AttributesReader as _;

use super::*;

const HEADERS: [(&str, &str); 4] = [
    ("CE-Specversion", "1.0"),
    ("ce-id", "e-1"),
    ("Ce-Source", "/orders"),
    ("ce-type", "order.shipped"),
];

fn read_headers(more: &[(&str, &str)], body: &'static str) -> Result<Envelope, EnvelopeError> {
    Envelope::from_headers(HEADERS.iter().chain(more).copied(), body)
}

#[test]
fn a_peek_lends_what_routing_needs() {
    let json = event_with(r#","subject":"a\"b","data":{"n":[1, 2]},"time":"not looked at""#);
    let peek_json = peek(json.as_bytes()).unwrap();
    assert_eq!((peek_json.id(), peek_json.source()), ("e-1", "/orders"));
    assert_eq!(
        (peek_json.event_type(), peek_json.subject()),
        ("order.shipped", Some("a\"b"))
    );
    assert_eq!(
        (peek_json.data(), peek_json.is_base64()),
        (Some(r#"{"n":[1, 2]}"#), false)
    );
    let base64 = event_with(r#","data_base64":"MQ==""#);
    let peek_base64 = peek(base64.as_bytes()).unwrap();
    assert_eq!(
        (peek_base64.data(), peek_base64.is_base64()),
        (Some("\"MQ==\""), true)
    );
    assert_eq!(
        refusal(peek(br#"{"specversion":"2.0"}"#)),
        refused(Kind::UnsupportedVersion, "specversion")
    );
    assert_eq!(
        refusal(peek(br#"{"specversion":"1.0","id":"1","source":"/o"}"#)),
        refused(Kind::MissingAttribute, "type")
    );
    assert_eq!(
        refusal(peek(br#"{"specversion":"1.0","id":""}"#)),
        refused(Kind::EmptyAttribute, "id")
    );
}

#[test]
fn one_bad_event_does_not_spoil_its_batch() {
    let good = order_shipped().json("[1]").build().unwrap();
    let batch = to_batch(&[good.clone(), good.clone()]);
    let read: Vec<Envelope> = from_batch(&batch)
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, [good.clone(), good.clone()]);
    let mixed = format!(
        r#"[7, {}, {{"specversion":"0.9","id":"1"}}]"#,
        String::from_utf8(good.to_json()).unwrap()
    );
    let mut mixed = from_batch(mixed.as_bytes()).unwrap().into_iter();
    assert_eq!(
        refusal(mixed.next().unwrap()),
        refused(Kind::Malformed, "event")
    );
    assert_eq!(mixed.next().unwrap().unwrap(), good);
    assert_eq!(
        refusal(mixed.next().unwrap()),
        refused(Kind::UnsupportedVersion, "specversion")
    );
    assert!(mixed.next().is_none());
    assert_eq!(to_batch(&[]), b"[]");
    assert!(from_batch(b" [] ").unwrap().is_empty());
}

#[test]
fn a_batch_that_cannot_be_taken_apart_is_refused() {
    assert_eq!(
        refusal(from_batch(b"{}")),
        refused(Kind::Malformed, "batch")
    );
    assert_eq!(
        refusal(from_batch(b"[1,")),
        refused(Kind::Malformed, "batch")
    );
    let full = format!("[{}]", vec!["1"; BATCH_MAX].join(","));
    assert_eq!(from_batch(full.as_bytes()).unwrap().len(), BATCH_MAX);
    let beyond = format!("[{}]", vec!["1"; BATCH_MAX + 2].join(","));
    assert_eq!(
        refusal(from_batch(beyond.as_bytes())),
        refused(Kind::TooMany, "batch")
    );
}

#[test]
fn headers_are_percent_encoded_as_the_binding_says() {
    let event = read(r#","subject":"Euro € 😀","region":"100% \"eu\"~""#).unwrap();
    let headers = event.to_headers();
    let value = |name: &str| {
        headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(value("ce-subject"), Some("Euro%20%E2%82%AC%20%F0%9F%98%80"));
    assert_eq!(value("ce-region"), Some("100%25%20%22eu%22~"));
    assert_eq!(value("content-type"), None);
    assert_eq!(
        Envelope::from_headers(headers.clone(), Bytes::new()).unwrap(),
        event
    );
}

#[test]
fn header_values_are_decoded_once() {
    let cases = [
        ("Euro%20%e2%82%ac", "Euro €"),
        ("%41%42", "AB"),
        ("a%2520b", "a%20b"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("50%+5", "50%+5"),
        ("\"Euro %E2%82%AC \\\"x\\\\\"", "Euro € \"x\\"),
        ("a\" b \"c", "a b c"),
        (" \t padded \t", "padded"),
        ("Müller", "Müller"),
        ("a\\b", "a\\b"),
    ];
    for (sent, subject) in cases {
        assert_eq!(
            read_headers(&[("ce-subject", sent)], "").unwrap().subject(),
            Some(subject),
            "{sent}"
        );
    }
}

#[test]
fn headers_that_cannot_be_an_event_are_refused() {
    let cases = [
        (("ce-subject", "%C0%A0"), Kind::Malformed, "subject"),
        (("ce-subject", "\"open"), Kind::Malformed, "subject"),
        (("ce-subject", "a%00b"), Kind::ForbiddenCharacter, "subject"),
        (("ce-subject", ""), Kind::EmptyAttribute, "subject"),
        (("CE-ID", "e-2"), Kind::DuplicateAttribute, "id"),
        (
            ("ce-SpecVersion", "1.0"),
            Kind::DuplicateAttribute,
            "specversion",
        ),
        (
            ("ce-datacontenttype", "a/b"),
            Kind::Conflict,
            "datacontenttype",
        ),
        (
            ("Content-Type", "application/cloudevents-batch+json"),
            Kind::Conflict,
            "content-type",
        ),
        (
            ("Content-Type", "nonsense"),
            Kind::InvalidForm,
            "datacontenttype",
        ),
        (("ce-time", "noon"), Kind::InvalidForm, "time"),
    ];
    for (more, kind, attribute) in cases {
        assert_eq!(
            refusal(read_headers(&[more], "")),
            refused(kind, attribute),
            "{more:?}"
        );
    }
    let twice = [("ce-region", "eu"), ("ce-Region", "us")];
    assert_eq!(
        refusal(read_headers(&twice, "")),
        refused(Kind::DuplicateAttribute, "region")
    );
    let bytes = [("ce-id", &b"\xff"[..])];
    assert_eq!(
        refusal(Envelope::from_headers(bytes, "")),
        refused(Kind::Malformed, "id")
    );
    assert_eq!(
        refusal(Envelope::from_headers(HEADERS.into_iter().skip(1), "")),
        refused(Kind::MissingAttribute, "specversion")
    );
    let old = [("ce-specversion", "0.3")];
    assert_eq!(
        refusal(Envelope::from_headers(old, "")),
        refused(Kind::UnsupportedVersion, "specversion")
    );
}

#[test]
fn the_body_of_a_binary_message_is_the_payload() {
    let json = read_headers(
        &[("content-type", " application/json; charset=utf-8 ")],
        " {\"a\": 1}\n",
    )
    .unwrap();
    assert_eq!(
        json.datacontenttype(),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(json.data(), r#"{"a": 1}"#);
    let text = read_headers(
        &[("content-type", "text/plain"), ("host", "example")],
        " a\n",
    )
    .unwrap();
    assert_eq!(
        (text.data().as_ref(), text.format()),
        (&b" a\n"[..], Format::Text)
    );
    let untyped = read_headers(&[], "[1]").unwrap();
    assert_eq!(
        (untyped.datacontenttype(), untyped.format()),
        (None, Format::Json)
    );
    assert!(
        untyped
            .to_headers()
            .contains(&("content-type".to_owned(), "application/json".to_owned()))
    );
    assert_eq!(
        refusal(read_headers(&[], "plain")),
        refused(Kind::InvalidPayload, "data")
    );
    assert_eq!(
        read_headers(&[("ce-data", "x"), ("ce-bad_name", "x")], "")
            .unwrap()
            .extensions()
            .len(),
        0
    );
}

#[test]
fn a_structured_message_is_read_by_its_body() {
    let event = order_shipped().json("[1]").build().unwrap();
    let headers = [
        (
            "Content-Type",
            "Application/CloudEvents+JSON; charset=utf-8",
        ),
        ("ce-id", "\"open"),
    ];
    assert_eq!(
        Envelope::from_headers(headers, event.to_json()).unwrap(),
        event
    );
}

#[test]
fn the_older_form_is_recognised_only_without_specversion() {
    let older = br#"{"id":"1","type":"t","source":"orders","tenant_id":"acme"}"#;
    assert_eq!(Envelope::from_json(older).unwrap().tenantid(), Some("acme"));
    assert_eq!(peek(older).unwrap().source(), "orders");
    let newer =
        br#"{"specversion":"1.0","id":"1","type":"t","source":"orders","tenant_id":"acme"}"#;
    assert_eq!(Envelope::from_json(newer).unwrap().tenantid(), None);
}

#[test]
fn the_older_form_is_refused_by_the_same_rules() {
    let cases = [
        (
            r#"{"id":"1","type":"t","metadata":{}}"#,
            Kind::MissingAttribute,
            "source",
        ),
        (
            r#"{"id":"","type":"t","source":"o","tenant_id":"a"}"#,
            Kind::EmptyAttribute,
            "id",
        ),
        (
            r#"{"id":"1","type":"t","source":"o","timestamp":"noon"}"#,
            Kind::InvalidForm,
            "time",
        ),
        (
            r#"{"id":"1","type":"t","source":"o","timestamp":1700000000}"#,
            Kind::WrongType,
            "timestamp",
        ),
        (
            r#"{"id":"1","type":"t","source":"o","metadata":"x"}"#,
            Kind::Malformed,
            "metadata",
        ),
        (
            r#"{"id":"1","type":"t","source":"o","metadata":{"trace_id":"a","trace_id":"b"}}"#,
            Kind::DuplicateAttribute,
            "metadata",
        ),
        (
            r#"{"id":"1","type":"t","source":"Order Service","tenant_id":"a"}"#,
            Kind::InvalidForm,
            "source",
        ),
        (
            r#"{"id":"1","type":"t","source":"o","tenant_id":"a\u0000"}"#,
            Kind::ForbiddenCharacter,
            "tenantid",
        ),
    ];
    for (json, kind, attribute) in cases {
        assert_eq!(
            refusal(Envelope::from_json(json.as_bytes())),
            refused(kind, attribute),
            "{json}"
        );
        assert_eq!(
            refusal(Envelope::from_legacy_json(json.as_bytes())),
            refused(kind, attribute),
            "{json}"
        );
    }
    let text = order_shipped()
        .datacontenttype("text/plain")
        .data("x")
        .build()
        .unwrap();
    assert_eq!(
        refusal(text.to_legacy_json()),
        refused(Kind::InvalidPayload, "data")
    );
}

#[test]
fn an_event_of_the_official_library_is_checked() {
    let event: cloudevents::Event = cloudevents::EventBuilder::build(
        <cloudevents::EventBuilderV10 as cloudevents::EventBuilder>::new()
            .id("")
            .source("/o")
            .ty("t"),
    )
    .unwrap();
    assert_eq!(
        refusal(Envelope::try_from(event)),
        refused(Kind::EmptyAttribute, "id")
    );
    let unusable = order_shipped().dataschema("https://[").build().unwrap();
    assert_eq!(
        refusal(cloudevents::Event::try_from(&unusable)),
        refused(Kind::InvalidForm, "dataschema")
    );
}

#[test]
fn json_goes_to_the_official_library_parsed_only_where_that_loses_nothing() {
    let data = |json: &'static str| {
        let envelope = order_shipped().json(json).build().unwrap();
        let event = cloudevents::Event::try_from(&envelope).unwrap();
        assert_eq!(event.datacontenttype(), Some("application/json"));
        assert_eq!(Envelope::try_from(event.clone()).unwrap(), envelope);
        event.data().unwrap().clone()
    };
    assert_eq!(
        data(r#"{"a":1}"#),
        cloudevents::Data::Json(serde_json::json!({"a": 1}))
    );
    assert_eq!(
        data(r#"{"a": 1.50}"#),
        cloudevents::Data::Binary(br#"{"a": 1.50}"#.to_vec())
    );
    assert_eq!(
        data("123456789012345678901234567890"),
        cloudevents::Data::Binary(b"123456789012345678901234567890".to_vec())
    );
}

#[test]
fn stored_attributes_hold_no_payload() {
    let with_payload = event_with(r#","data":1"#);
    assert_eq!(
        refusal(Envelope::from_parts(&with_payload, Bytes::new())),
        refused(Kind::Conflict, "data")
    );
    let stored = order_shipped().json("1").build().unwrap().attributes();
    let broken = Envelope::from_parts(&stored, Bytes::from_static(b"{"));
    assert_eq!(refusal(broken), refused(Kind::InvalidPayload, "data"));
}
