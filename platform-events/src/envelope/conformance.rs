//! Examples as the CloudEvents 1.0 documents and their conformance suite have them: core, JSON
//! format, HTTP binding; and the platform's older form both ways.

use bytes::Bytes;

use super::{Envelope, Extension, Format, from_batch};

/// One event in structured mode, what it is, and its body in binary mode.
struct Example {
    name: &'static str,
    /// Members behind the four required ones.
    members: &'static str,
    format: Format,
    content_type: Option<&'static str>,
    body: &'static [u8],
}

const EXAMPLES: [Example; 12] = [
    Example {
        name: "minimal",
        members: "",
        format: Format::Json,
        content_type: None,
        body: b"",
    },
    Example {
        name: "ASCII text",
        members: r#","datacontenttype":"text/plain","data":"Simple text""#,
        format: Format::Text,
        content_type: Some("text/plain"),
        body: b"Simple text",
    },
    Example {
        name: "UTF-8 text",
        members: r#","datacontenttype":"text/plain; charset=utf-8","data":"Grüße \ud83d\ude00 😀\n""#,
        format: Format::Text,
        content_type: Some("text/plain; charset=utf-8"),
        body: "Grüße 😀 😀\n".as_bytes(),
    },
    Example {
        name: "JSON string without content type",
        members: r#","data":"I'm just a string""#,
        format: Format::Json,
        content_type: Some("application/json"),
        body: b"\"I'm just a string\"",
    },
    Example {
        name: "JSON string that looks like JSON",
        members: r#","datacontenttype":"application/json","data":"{\"a\":1}""#,
        format: Format::Json,
        content_type: Some("application/json"),
        body: br#""{\"a\":1}""#,
    },
    Example {
        name: "JSON object",
        members: r#","datacontenttype":"application/json","data":{ "appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true }"#,
        format: Format::Json,
        content_type: Some("application/json"),
        body: br#"{ "appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true }"#,
    },
    Example {
        name: "JSON array",
        members: r#","datacontenttype":"application/json;charset=utf-8","data":[1, "two", null]"#,
        format: Format::Json,
        content_type: Some("application/json;charset=utf-8"),
        body: br#"[1, "two", null]"#,
    },
    Example {
        name: "JSON null",
        members: r#","datacontenttype":"application/json","data":null"#,
        format: Format::Json,
        content_type: Some("application/json"),
        body: b"null",
    },
    Example {
        name: "JSON by suffix, in upper case, with a parameter",
        members: r#","datacontenttype":"application/VND.Example+JSON; v=1","data":{"a":1}"#,
        format: Format::Json,
        content_type: Some("application/VND.Example+JSON; v=1"),
        body: br#"{"a":1}"#,
    },
    Example {
        name: "XML",
        members: r#","datacontenttype":"application/xml","data":"<much wow=\"xml\"/>""#,
        format: Format::Text,
        content_type: Some("application/xml"),
        body: br#"<much wow="xml"/>"#,
    },
    Example {
        name: "binary",
        members: r#","datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"AP+AIg==""#,
        format: Format::Binary,
        content_type: Some("application/vnd.apache.thrift.binary"),
        body: b"\x00\xff\x80\"",
    },
    Example {
        name: "JSON as base64",
        members: r#","datacontenttype":"application/json","data_base64":"eyAieHl6IjogMTIzIH0=""#,
        format: Format::Json,
        content_type: Some("application/json"),
        body: br#"{ "xyz": 123 }"#,
    },
];

fn structured(members: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","id":"A234-1234-1234"{members}}}"#
    )
}

#[test]
fn the_examples_read_the_same_in_both_modes() {
    for example in EXAMPLES {
        let event = Envelope::from_json(structured(example.members).as_bytes()).unwrap();
        assert_eq!(event.format(), example.format, "{}", example.name);
        assert_eq!(event.data(), example.body, "{}", example.name);

        let again = Envelope::from_json(&event.to_json()).unwrap();
        assert_eq!(again, event, "{}", example.name);

        let headers = event.to_headers();
        let content_type = headers
            .iter()
            .find(|(name, _)| name == "content-type")
            .map(|(_, value)| value.as_str());
        assert_eq!(content_type, example.content_type, "{}", example.name);
        let binary = Envelope::from_headers(headers, event.data().clone()).unwrap();
        assert_eq!(binary.data(), example.body, "{}", example.name);
        assert_eq!(binary.format(), example.format, "{}", example.name);
    }
}

/// The full event: all attributes and two extensions, one of which holds JSON text.
const FULL: &str = r#","subject":"larger-context","time":"2018-04-05T17:31:00Z","datacontenttype":"application/json","dataschema":"https://cloudevents.io/dataschema","comexampleextension1":"value","comexampleextension2":"{\"othervalue\": 5}","data":{"appinfoA":"abc"}"#;

#[test]
fn the_full_event_keeps_everything_in_both_modes() {
    let event = Envelope::from_json(structured(FULL).as_bytes()).unwrap();
    assert_eq!(event.id(), "A234-1234-1234");
    assert_eq!(event.source(), "/mycontext");
    assert_eq!(event.event_type(), "com.example.someevent");
    assert_eq!(event.subject(), Some("larger-context"));
    assert_eq!(event.time_text(), Some("2018-04-05T17:31:00Z"));
    assert_eq!(event.datacontenttype(), Some("application/json"));
    assert_eq!(
        event.dataschema(),
        Some("https://cloudevents.io/dataschema")
    );
    assert_eq!(
        event.extension("comexampleextension2"),
        Some(&Extension::from(r#"{"othervalue": 5}"#))
    );
    let headers = event.to_headers();
    let expected = [
        ("ce-specversion", "1.0"),
        ("ce-id", "A234-1234-1234"),
        ("ce-source", "/mycontext"),
        ("ce-type", "com.example.someevent"),
        ("ce-subject", "larger-context"),
        ("ce-time", "2018-04-05T17:31:00Z"),
        ("ce-dataschema", "https://cloudevents.io/dataschema"),
        ("ce-comexampleextension1", "value"),
        ("ce-comexampleextension2", "{%22othervalue%22:%205}"),
        ("content-type", "application/json"),
    ]
    .map(|(name, value)| (String::from(name), String::from(value)));
    assert_eq!(headers, expected);
    assert_eq!(
        Envelope::from_headers(headers, event.data().clone()).unwrap(),
        event
    );
    assert_eq!(Envelope::from_json(&event.to_json()).unwrap(), event);
}

#[test]
fn optional_attributes_that_are_null_are_unset() {
    let nulls = r#","datacontenttype":null,"dataschema":null,"subject":null,"time":null,"unsetextension":null"#;
    let event = Envelope::from_json(structured(nulls).as_bytes()).unwrap();
    assert_eq!(
        event,
        Envelope::from_json(structured("").as_bytes()).unwrap()
    );
}

#[test]
fn valid_variants_of_attributes_are_read() {
    let times = [
        "2018-04-05T17:31:00Z",
        "2018-04-05T17:31:00.000000000Z",
        "2018-04-05T18:31:00+01:00",
        "2018-04-05T16:31:00-01:00",
    ];
    for time in times {
        let event =
            Envelope::from_json(structured(&format!(r#","time":"{time}""#)).as_bytes()).unwrap();
        assert_eq!(
            event.time().map(|at| at.timestamp()),
            Some(1_522_949_460),
            "{time}"
        );
    }
    for source in [
        "#fragment",
        "https://cloudevents.io",
        "mailto:x@example.com",
        "urn:uuid:6e8bc430",
        "1-555-123-4567",
    ] {
        let json = format!(r#"{{"specversion":"1.0","id":"1","type":"t","source":"{source}"}}"#);
        assert_eq!(
            Envelope::from_json(json.as_bytes()).unwrap().source(),
            source
        );
    }
    let typed = r#","extinteger":10,"extboolean":true,"extstring":"text","exturi":"https://cloudevents.io","exturiref":"//authority/path","exttimestamp":"2023-03-31T15:12:00Z","extbinary":"TWE=""#;
    let event = Envelope::from_json(structured(typed).as_bytes()).unwrap();
    assert_eq!(event.extension("extinteger"), Some(&Extension::Int(10)));
    assert_eq!(event.extension("extboolean"), Some(&Extension::Bool(true)));
    assert_eq!(event.extensions().len(), 7);
}

/// The suite also refuses capital letters and dots in the names of extensions: such names are
/// dropped here.
#[test]
fn the_invalid_events_of_the_suite_are_refused() {
    let attributes = [
        r#""time":"lunchtime""#,
        r#""time":"2018-04-05T18:31Z""#,
        r#""time":"2018-04-05T18:31:00X""#,
        r#""time":"2018-04-05T18:31:00+25:00""#,
        r#""time":"2018-04-05T18:31:00+xx:00""#,
        r#""time":"2018-04-05T18:31:00+05""#,
        r#""datacontenttype":"xyz""#,
        r#""datacontenttype":"""#,
        r#""dataschema":"""#,
        r#""subject":"""#,
        r#""data":"text","data_base64":"eyAieHl6IjogMTIzIH0=""#,
    ];
    for attribute in attributes {
        let json = structured(&format!(",{attribute}"));
        assert!(Envelope::from_json(json.as_bytes()).is_err(), "{attribute}");
    }
    let required = [
        r#"{"id":"i","type":"t","source":"s"}"#,
        r#"{"specversion":"1.0","type":"t","source":"s"}"#,
        r#"{"specversion":"1.0","id":"i","source":"s"}"#,
        r#"{"specversion":"1.0","id":"i","type":"t"}"#,
        r#"{"specversion":"1.0","id":"","type":"t","source":"s"}"#,
        r#"{"specversion":"1.0","id":"i","type":"","source":"s"}"#,
        r#"{"specversion":"1.0","id":"i","type":"t","source":""}"#,
        r#"{"specversion":"","id":"i","type":"t","source":"s"}"#,
        r#"{"specversion":"0.9","id":"i","type":"t","source":"s"}"#,
    ];
    for json in required {
        assert!(Envelope::from_json(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn a_batch_holds_events_of_different_kinds() {
    let json = r#"[
        {"specversion":"1.0","type":"com.example.someevent","source":"/mycontext/4","id":"B234-1234-1234",
         "time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,
         "datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"AAE="},
        {"specversion":"1.0","type":"com.example.someotherevent","source":"/mycontext/9","id":"C234-1234-1234",
         "datacontenttype":"application/json","data":{"appinfoA":"abc"}}
    ]"#;
    let events: Vec<Envelope> = from_batch(json.as_bytes())
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let found: Vec<(&str, &[u8])> = events
        .iter()
        .map(|event| (event.id(), event.data().as_ref()))
        .collect();
    assert_eq!(
        found,
        [
            ("B234-1234-1234", &b"\x00\x01"[..]),
            ("C234-1234-1234", br#"{"appinfoA":"abc"}"#)
        ]
    );
    assert_eq!(
        events[0].extension("comexampleothervalue"),
        Some(&Extension::Int(5))
    );
}

#[test]
fn the_older_form_is_read_and_written() {
    let older = r#"{"id":"5f0c","type":"order.created","version":"1.0","tenant_id":"acme","timestamp":"2024-05-01T10:00:00+02:00","source":"order-service","data":{"total": 1.50},"metadata":{"correlation_id":"c-1","trace_id":"0af7651916cd43dd8448eb211c80319c"}}"#;
    let event = Envelope::from_json(older.as_bytes()).unwrap();
    assert_eq!(event, Envelope::from_legacy_json(older.as_bytes()).unwrap());
    assert_eq!(
        (event.id(), event.event_type(), event.source()),
        ("5f0c", "order.created", "order-service")
    );
    assert_eq!(
        (event.tenantid(), event.schemaversion()),
        (Some("acme"), Some(1))
    );
    assert_eq!(event.time_text(), Some("2024-05-01T10:00:00+02:00"));
    assert_eq!(event.correlationid(), Some("c-1"));
    assert_eq!(event.traceid(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(
        (event.datacontenttype(), event.data()),
        (Some("application/json"), &Bytes::from(r#"{"total": 1.50}"#))
    );
    assert_eq!(
        String::from_utf8(event.to_legacy_json().unwrap()).unwrap(),
        older
    );
    let modern = String::from_utf8(event.to_json()).unwrap();
    assert_eq!(Envelope::from_json(modern.as_bytes()).unwrap(), event);
}

#[test]
fn the_older_form_may_lack_what_is_optional_and_carry_numbers() {
    let older = br#"{"id":"1","type":"t","version":2,"tenant_id":7,"timestamp":null,"source":"s","extra":[],"metadata":null}"#;
    let event = Envelope::from_json(older).unwrap();
    assert_eq!(
        (event.tenantid(), event.schemaversion()),
        (Some("7"), Some(2))
    );
    assert_eq!(
        (
            event.time(),
            event.datacontenttype(),
            event.extensions().len()
        ),
        (None, None, 2)
    );
    let written = String::from_utf8(event.to_legacy_json().unwrap()).unwrap();
    assert_eq!(
        written,
        r#"{"id":"1","type":"t","version":"2","tenant_id":"7","source":"s","metadata":{}}"#
    );
    assert_eq!(
        Envelope::from_legacy_json(written.as_bytes()).unwrap(),
        event
    );
}
