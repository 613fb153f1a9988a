//! What an envelope keeps, how it is written, and what its accessors say.

use super::*;

#[test]
fn the_attributes_of_a_received_event_may_be_wider_than_ours() {
    let json = r#"{"specversion":"1.0","id":"ид 1","source":"https://müller.example/a%20b","type":"größe \"x\"",
        "subject":"50 % off 😀","dataschema":"urn:schéma","averylongextensionname":"x","region":"a b"}"#;
    let event = Envelope::from_json(json.as_bytes()).unwrap();
    assert_eq!((event.id(), event.event_type()), ("ид 1", "größe \"x\""));
    assert_eq!(event.source(), "https://müller.example/a%20b");
    assert_eq!(event.subject(), Some("50 % off 😀"));
    assert_eq!(
        event.extension("averylongextensionname"),
        Some(&Extension::from("x"))
    );
    assert_eq!(Envelope::from_json(&event.to_json()).unwrap(), event);
}

#[test]
fn extensions_of_types_that_cloudevents_lacks_are_kept_as_their_json_text() {
    let event = read(
        r#","price":1.50,"big":9007199254740993,"zero":-0,"tags":["a b", {"k" : "\" ]"}],"obj":{ "n" : 1e3 },
           "path":[ "C:\\" , 1 ],"flag":true,"count":-7,"unset":null,"empty":"","topic":"orders""#,
    )
    .unwrap();
    let found: Vec<(&str, Extension)> = event
        .extensions()
        .map(|(name, value)| (name, value.clone()))
        .collect();
    let expected = [
        ("big", Extension::from("9007199254740993")),
        ("count", Extension::Int(-7)),
        ("flag", Extension::Bool(true)),
        ("obj", Extension::from(r#"{"n":1e3}"#)),
        ("path", Extension::from(r#"["C:\\",1]"#)),
        ("price", Extension::from("1.50")),
        ("tags", Extension::from(r#"["a b",{"k":"\" ]"}]"#)),
        ("topic", Extension::from("orders")),
        ("zero", Extension::from("-0")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn extensions_that_nothing_here_could_write_again_are_dropped() {
    let long = "n".repeat(65);
    let event = read(&format!(
        r#","MyExtension":"x","my.extension":1.5,"umlautä":"x","":"x","{long}":"x""#
    ))
    .unwrap();
    assert_eq!(event.extensions().len(), 0);
}

#[test]
fn known_extensions_are_text_however_they_were_sent() {
    let event =
        read(r#","depth":3,"muted":true,"entityversion":18446744073709551615,"sequence":"007""#)
            .unwrap();
    assert_eq!((event.depth(), event.is_muted()), (Some(3), true));
    assert_eq!(event.entityversion(), Some(u64::MAX));
    assert_eq!(event.sequence(), Some("007"));
    assert_eq!(event.extension("depth"), Some(&Extension::from("3")));
    let ours = order_shipped().extension("depth", 3).build().unwrap();
    assert_eq!(ours.depth(), Some(3));
}

#[test]
fn every_known_extension_has_an_accessor_for_what_its_setter_set() {
    let event = order_shipped()
        .tenantid("acme")
        .correlationid("c-1")
        .causationid("e-0")
        .traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .traceid("0af7651916cd43dd8448eb211c80319c")
        .tracestate("vendor=1")
        .partitionkey("order/42")
        .sequence("17")
        .entitytype("order")
        .entityversion(u64::MAX)
        .schemaversion(u32::MAX)
        .actor("user:42 (Ada Löwe)")
        .onbehalfof("user:7")
        .reason("carrier collected, 50 % early")
        .depth(u16::MAX)
        .muted(true)
        .build()
        .unwrap();
    assert_eq!(
        (event.tenantid(), event.correlationid()),
        (Some("acme"), Some("c-1"))
    );
    assert_eq!(
        (event.causationid(), event.partitionkey()),
        (Some("e-0"), Some("order/42"))
    );
    assert_eq!(
        event.traceparent(),
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    );
    assert_eq!(event.traceid(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(
        (event.tracestate(), event.sequence()),
        (Some("vendor=1"), Some("17"))
    );
    assert_eq!(
        (event.entitytype(), event.entityversion()),
        (Some("order"), Some(u64::MAX))
    );
    assert_eq!(
        (event.schemaversion(), event.depth()),
        (Some(u32::MAX), Some(u16::MAX))
    );
    assert_eq!(
        (event.actor(), event.onbehalfof()),
        (Some("user:42 (Ada Löwe)"), Some("user:7"))
    );
    assert_eq!(event.reason(), Some("carrier collected, 50 % early"));
    assert!(event.is_muted());
    assert_eq!(event.extensions().len(), 16);
    assert_eq!(
        Envelope::from_headers(event.to_headers(), event.data().clone()).unwrap(),
        event
    );
}

#[test]
fn a_mark_can_be_taken_off_and_the_last_value_counts() {
    let event = order_shipped().muted(true).muted(false).depth(1).depth(2);
    let event = event.data("[1]").build().unwrap();
    assert_eq!((event.is_muted(), event.depth()), (false, Some(2)));
    assert_eq!(
        (event.datacontenttype(), event.format()),
        (None, Format::Json)
    );
}

#[test]
fn an_event_without_extensions_answers_none() {
    let event = order_shipped().build().unwrap();
    assert_eq!(
        (
            event.tenantid(),
            event.entityversion(),
            event.schemaversion()
        ),
        (None, None, None)
    );
    assert_eq!((event.depth(), event.is_muted()), (None, false));
}

#[test]
fn a_depth_that_is_no_number_is_none_and_one_too_large_is_the_largest() {
    for (sent, depth) in [
        ("\"70000\"", Some(u16::MAX)),
        ("\"-1\"", None),
        ("\"+5\"", None),
        ("\"deep\"", None),
        ("12", Some(12)),
    ] {
        assert_eq!(
            read(&format!(r#","depth":{sent}"#)).unwrap().depth(),
            depth,
            "{sent}"
        );
    }
    assert_eq!(
        read(r#","schemaversion":"2.1""#).unwrap().schemaversion(),
        Some(2)
    );
    assert_eq!(
        read(r#","entityversion":"two""#).unwrap().entityversion(),
        None
    );
}

#[test]
fn the_written_form_has_one_order() {
    let event = order_shipped()
        .tenantid("acme")
        .extension("count", 5)
        .extension("urgent", true)
        .actor("user:42")
        .dataschema("https://EXAMPLE.com")
        .time(at("2026-01-31T09:30:00.120Z"))
        .subject("order/42")
        .json("{\"b\" : 1.50,\n \"a\":9007199254740993}")
        .build()
        .unwrap();
    let attributes = r#"{"specversion":"1.0","id":"e-1","source":"/orders","type":"order.shipped","subject":"order/42","time":"2026-01-31T09:30:00.120Z","datacontenttype":"application/json","dataschema":"https://EXAMPLE.com","actor":"user:42","count":5,"tenantid":"acme","urgent":true}"#;
    assert_eq!(event.attributes(), attributes);
    let open = attributes.strip_suffix('}').unwrap();
    let json = format!("{open},\"data\":{{\"b\" : 1.50,\n \"a\":9007199254740993}}}}");
    assert_eq!(String::from_utf8(event.to_json()).unwrap(), json);
    let base64 =
        format!(r#"{open},"data_base64":"eyJiIiA6IDEuNTAsCiAiYSI6OTAwNzE5OTI1NDc0MDk5M30="}}"#);
    assert_eq!(String::from_utf8(event.to_json_base64()).unwrap(), base64);
    assert_eq!(Envelope::from_json(base64.as_bytes()).unwrap(), event);
}

#[test]
fn the_whitespace_around_a_json_payload_is_not_part_of_it() {
    let event = order_shipped().json(" { \"a\" : 1 }\r\n").build().unwrap();
    assert_eq!(event.data(), r#"{ "a" : 1 }"#);
    let spaced = read(",\"data\" :\n { \"a\" : 1 } ").unwrap();
    assert_eq!(spaced.data(), event.data());
}

#[test]
fn the_content_type_says_what_the_payload_is() {
    let cases: [(&str, &[u8], Format); 13] = [
        ("application/json", b"1", Format::Json),
        ("APPLICATION/JSON; charset=utf-8", b"1", Format::Json),
        ("text/json", b"1", Format::Json),
        ("application/vnd.order.v1+JSON ;a=\"b\"", b"1", Format::Json),
        ("text/plain", b"x", Format::Text),
        ("Text/CSV; header=present", b"x", Format::Text),
        ("application/xml", b"<a/>", Format::Text),
        ("image/svg+xml", b"<a/>", Format::Text),
        ("application/yaml", b"a: 1", Format::Text),
        (
            "text/plain; charset=iso-8859-1",
            b"M\xfcller",
            Format::Binary,
        ),
        ("application/octet-stream", b"x", Format::Binary),
        ("application/jsonlines", b"{}\n{}", Format::Binary),
        ("application/json-seq", b"{}", Format::Binary),
    ];
    for (datacontenttype, data, format) in cases {
        let event = order_shipped()
            .datacontenttype(datacontenttype)
            .data(data)
            .build()
            .unwrap();
        assert_eq!(
            (event.format(), &event.data()[..]),
            (format, data),
            "{datacontenttype}"
        );
        assert_eq!(Envelope::from_json(&event.to_json()).unwrap(), event);
    }
    assert_eq!(read(r#","data":{}"#).unwrap().format(), Format::Json);
}

#[test]
fn no_payload_and_an_empty_one_are_the_same() {
    let event = order_shipped()
        .datacontenttype("text/plain")
        .data("")
        .build()
        .unwrap();
    assert!(event.data().is_empty());
    let same = [
        read(r#","datacontenttype":"text/plain""#),
        read(r#","datacontenttype":"text/plain","data":"""#),
        read(r#","datacontenttype":"text/plain","data":null"#),
        read(r#","datacontenttype":"text/plain","data_base64":"""#),
        read(r#","datacontenttype":"text/plain","data_base64":null"#),
        Envelope::from_headers(event.to_headers(), Bytes::new()),
    ];
    for other in same {
        assert_eq!(other.unwrap(), event);
    }
    assert_eq!(read(r#","data":null"#).unwrap().data(), "null");
    assert_eq!(
        read(r#","data":null,"data_base64":null"#).unwrap().data(),
        "null"
    );
}

#[test]
fn base64_is_read_with_and_without_padding() {
    for text in ["eA==", "eA"] {
        let event = read(&format!(
            r#","datacontenttype":"a/b","data_base64":"{text}""#
        ))
        .unwrap();
        assert_eq!(event.data(), "x");
    }
}

#[test]
fn a_time_keeps_the_text_it_came_as() {
    for text in [
        "2018-04-05T18:31:00+01:00",
        "2018-04-05T17:31:00.0000000000Z",
        "2018-04-05t17:31:00z",
    ] {
        let event = read(&format!(r#","time":"{text}""#)).unwrap();
        assert_eq!(event.time(), Some(at("2018-04-05T17:31:00Z")));
        assert_eq!(event.time_text(), Some(text));
        assert_eq!(
            Envelope::from_json(&event.to_json()).unwrap().time_text(),
            Some(text)
        );
    }
    let ours = order_shipped()
        .time(at("2018-04-05T18:31:00.5+01:00"))
        .build()
        .unwrap();
    assert_eq!(ours.time_text(), Some("2018-04-05T17:31:00.500Z"));
}

#[test]
fn an_extension_can_be_stamped_on_and_taken_off() {
    let event = read(r#","subject":"Müller","region":"eu""#).unwrap();
    let stamped = event
        .clone()
        .with_extension("region", "us")
        .unwrap()
        .with_extension("hop", 1)
        .unwrap();
    assert_eq!(stamped.extension("region"), Some(&Extension::from("us")));
    assert_eq!(
        stamped
            .without_extension("hop")
            .with_extension("region", "eu")
            .unwrap(),
        event
    );
    assert_eq!(
        refusal(event.with_extension("Hop", 1)),
        refused(Kind::InvalidName, "Hop")
    );
}

#[test]
fn an_envelope_shown_in_a_log_keeps_its_payload_to_itself() {
    let event = order_shipped()
        .reason("private")
        .json("\"private\"")
        .build()
        .unwrap();
    let shown = format!("{event:?} {:?}", order_shipped().json("\"private\""));
    assert!(!shown.contains("private") && shown.contains("e-1"));
}
