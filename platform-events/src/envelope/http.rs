//! Binary mode over HTTP (CloudEvents HTTP binding 1.0, section 3.1): attributes in headers, the
//! payload as the body.

use std::borrow::Cow;

use bytes::Bytes;

use super::attributes::Origin;
use super::content::{Body, JSON};
use super::error::{EnvelopeError, EnvelopeErrorKind, check_size};
use super::json::unsupported_version;
use super::parts::Parts;
use super::{Envelope, Extension, RECEIVE_MAX};

const PREFIX: &str = "ce-";
/// Media types that begin so carry the whole event in the body.
const STRUCTURED: &str = "application/cloudevents";
const BATCHED: &str = "application/cloudevents-batch";

impl Envelope {
    /// Writes the attributes as headers in the order of [`to_json`](Self::to_json); the body is
    /// [`data`](Self::data). Header values are printable ASCII. A payload without content type is
    /// named as the JSON that it is (CloudEvents JSON format 1.0, section 3.1.2). Truth values and
    /// numbers become text.
    #[must_use]
    pub fn to_headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![header("specversion", "1.0")];
        headers.push(header("id", self.id()));
        headers.push(header("source", self.source()));
        headers.push(header("type", self.event_type()));
        headers.extend(self.subject().map(|subject| header("subject", subject)));
        headers.extend(self.time_text().map(|time| header("time", time)));
        headers.extend(self.dataschema().map(|schema| header("dataschema", schema)));
        headers.extend(
            self.extensions()
                .map(|(name, value)| header(name, &value.as_text())),
        );
        let implied = if self.data().is_empty() {
            None
        } else {
            Some(JSON)
        };
        if let Some(content_type) = self.datacontenttype().or(implied) {
            headers.push((String::from("content-type"), content_type.to_owned()));
        }
        headers
    }

    /// Reads an event from the headers and the body of an HTTP message; other headers than `ce-…`
    /// and `content-type` are passed over, names in any case. A structured message is read as such,
    /// by its content type.
    ///
    /// Besides what [`from_json`](Self::from_json) allows, values may be quoted strings (older
    /// versions of the binding), raw UTF-8, or hold a percent sign that encodes nothing.
    ///
    /// # Errors
    ///
    /// If the body is larger than [`RECEIVE_MAX`], a header is given twice or cannot be decoded,
    /// the message is a batch, or an attribute or the payload breaks a rule of CloudEvents 1.0.
    pub fn from_headers<N, V>(
        headers: impl IntoIterator<Item = (N, V)>,
        body: impl Into<Bytes>,
    ) -> Result<Self, EnvelopeError>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let body = body.into();
        check_size("data", body.len(), RECEIVE_MAX)?;
        let mut parts = Parts::default();
        let mut version = None;
        // A structured message may repeat attributes in headers, and then they do not count: a
        // fault waits.
        let mut outcome = Ok(());
        for (name, value) in headers {
            let name = name.as_ref().to_ascii_lowercase();
            if name == "content-type" {
                let text = utf8(&name, value.as_ref())?.trim_matches([' ', '\t']);
                parts.set("datacontenttype", Cow::Borrowed(text))?;
            } else if let Some(name) = name.strip_prefix(PREFIX) {
                outcome = outcome
                    .and_then(|()| read_header(&mut parts, &mut version, name, value.as_ref()));
            }
        }
        match parts.datacontenttype.as_deref() {
            Some(kind) if has_prefix(kind, BATCHED) => return Err(batched()),
            Some(kind) if has_prefix(kind, STRUCTURED) => return Self::from_json(&body),
            _ => outcome?,
        }
        match version.as_deref() {
            Some("1.0") => {}
            Some(_) => return Err(unsupported_version()),
            None => return Err(EnvelopeError::missing("specversion")),
        }
        parts.body = Body::Raw(body);
        parts.close(Origin::Foreign)
    }
}

fn read_header(
    parts: &mut Parts,
    version: &mut Option<String>,
    name: &str,
    value: &[u8],
) -> Result<(), EnvelopeError> {
    if name == "datacontenttype" {
        let mend = "send it as content-type";
        let fact = "has a header of its own";
        return Err(EnvelopeError::new(
            EnvelopeErrorKind::Conflict,
            name,
            fact,
            mend,
        ));
    }
    let value = decode(name, utf8(name, value)?)?;
    if name == "specversion" {
        let before = version.replace(value);
        return before.map_or(Ok(()), |_| Err(EnvelopeError::duplicate(name)));
    }
    if parts.set(name, Cow::Borrowed(&value))? {
        return Ok(());
    }
    parts.extensions.read(name, Extension::Text(value))
}

fn header(name: &str, value: &str) -> (String, String) {
    (format!("{PREFIX}{name}"), encode(value))
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn batched() -> EnvelopeError {
    let fact = "is a batch";
    EnvelopeError::new(
        EnvelopeErrorKind::Conflict,
        "content-type",
        fact,
        "read the body as a batch",
    )
}

/// Percent-encodes what section 3.1.3.2 names: space, `"`, `%` and everything beyond printable
/// ASCII.
fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Takes off the quotes, then one round of percent-encoding (section 3.1.3.2).
fn decode(name: &str, value: &str) -> Result<String, EnvelopeError> {
    let value = unquoted(name, value.trim_matches([' ', '\t']))?;
    if !value.contains('%') {
        return Ok(value.into_owned());
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.split_at_checked(2).filter(|_| byte == b'%');
        let (byte, tail) = digits
            .and_then(|(digits, tail)| Some((hex(digits)?, tail)))
            .unwrap_or((byte, tail));
        out.push(byte);
        rest = tail;
    }
    String::from_utf8(out).map_err(|error| {
        unreadable(name, "is not UTF-8 once it is percent-decoded").caused_by(error)
    })
}

fn hex(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | u8::try_from(digit).ok()?)
    })
}

/// RFC 7230, section 3.2.6: quotes may stand around any part, a backslash within them keeps what
/// follows.
fn unquoted<'a>(name: &str, value: &'a str) -> Result<Cow<'a, str>, EnvelopeError> {
    if !value.contains('"') {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = String::with_capacity(value.len());
    let mut is_quoted = false;
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => out.extend(rest.next()),
            _ => out.push(c),
        }
    }
    if is_quoted {
        return Err(unreadable(name, "has a quote that does not end"));
    }
    Ok(Cow::Owned(out))
}

fn utf8<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, EnvelopeError> {
    std::str::from_utf8(value).map_err(|error| unreadable(name, "is not UTF-8").caused_by(error))
}

fn unreadable(name: &str, fact: &'static str) -> EnvelopeError {
    EnvelopeError::new(
        EnvelopeErrorKind::Malformed,
        name,
        fact,
        "percent-encode the UTF-8 bytes of the value",
    )
}
