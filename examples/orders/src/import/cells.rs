//! One row of a file, cell by cell, and why a row is refused.
//!
//! Pure: it knows no table and no kind of object. Every bound of what a file may say stands here.

use chrono::{DateTime, NaiveDate, Utc};
use csv_async::ByteRecord;
use platform_core::TenantId;

use crate::import::header::{Header, TENANT};
use crate::money::Money;

/// The longest id, in bytes: what the platform stores of one.
const ID_MAX: usize = 256;
/// The longest other text, in bytes, so that two states of a row always fit into one event.
const TEXT_MAX: usize = 2_000;
/// Why a row is not taken, for the person who mends it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// The cells of one row under the columns of its file.
#[derive(Debug)]
pub(crate) struct Cells<'r> {
    header: &'r Header,
    record: &'r ByteRecord,
}

impl<'r> Cells<'r> {
    /// Takes a row that has as many cells as the file has columns.
    pub(crate) fn of(header: &'r Header, record: &'r ByteRecord) -> Result<Self, Refusal> {
        let (found, wanted) = (record.len(), header.width());
        if found != wanted {
            let what = if found > wanted {
                "too many"
            } else {
                "too few"
            };
            return Err(Refusal(format!(
                "{what} columns: {found} instead of {wanted}"
            )));
        }
        Ok(Self { header, record })
    }

    /// A text without the space around it; nothing when it is empty or the file has no such column.
    pub(crate) fn text(&self, column: &str) -> Result<Option<&'r str>, Refusal> {
        let cell = self
            .header
            .place(column)
            .and_then(|place| self.record.get(place));
        let text = std::str::from_utf8(cell.unwrap_or_default())
            .map_err(|_| {
                Refusal(format!(
                    "{column} is not UTF-8; save the file in that encoding"
                ))
            })?
            .trim();
        check(column, text, TEXT_MAX)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A text that has to be there.
    pub(crate) fn required(&self, column: &str) -> Result<&'r str, Refusal> {
        self.text(column)?
            .ok_or_else(|| Refusal(format!("{column} is empty")))
    }

    /// The name of an object.
    pub(crate) fn id(&self, column: &str) -> Result<String, Refusal> {
        let id = self.required(column)?;
        check(column, id, ID_MAX)?;
        match id.chars().any(char::is_control) {
            true => Err(Refusal(format!(
                "{column} contains a line break or a tabulator"
            ))),
            false => Ok(id.to_owned()),
        }
    }

    /// Whose row it is; the default tenant when the file does not say.
    pub(crate) fn tenant(&self) -> Result<TenantId, Refusal> {
        let tenant = self.text(TENANT)?.map(TenantId::parse).transpose();
        tenant
            .map(Option::unwrap_or_default)
            .map_err(|error| Refusal(error.to_string()))
    }

    /// A mail address that every mail program takes, so that no order waits for a mail that cannot be made.
    pub(crate) fn email(&self, column: &str) -> Result<Option<String>, Refusal> {
        let Some(email) = self.text(column)? else {
            return Ok(None);
        };
        match is_address(email) {
            true => Ok(Some(email.to_owned())),
            false => Err(Refusal(format!(
                "{column} {email:?} is no address; write name@example.org"
            ))),
        }
    }

    /// A date (its midnight in UTC) or an RFC 3339 time, in whole microseconds, as both databases keep it.
    pub(crate) fn time(&self, column: &str) -> Result<Option<DateTime<Utc>>, Refusal> {
        let Some(text) = self.text(column)? else {
            return Ok(None);
        };
        let time = match text.len() {
            10 => NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .map(|date| date.and_time(Default::default()).and_utc()),
            _ => DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|time| time.to_utc()),
        };
        time.and_then(|time| DateTime::from_timestamp_micros(time.timestamp_micros()))
            .map(Some)
            .ok_or_else(|| {
                Refusal(format!(
                    "{column} {text:?} is no date; write 2026-03-09 or 2026-03-09T14:30:00Z"
                ))
            })
    }

    /// An ISO 4217 code.
    pub(crate) fn currency(&self, column: &str) -> Result<String, Refusal> {
        let code = self.required(column)?;
        match code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            true => Ok(code.to_owned()),
            false => Err(Refusal(format!(
                "{column} {code:?} is no currency; write EUR"
            ))),
        }
    }

    /// An amount of money.
    pub(crate) fn money(&self, column: &str) -> Result<Money, Refusal> {
        Money::parse(self.required(column)?).map_err(|reason| Refusal(format!("{column} {reason}")))
    }
}

fn check(column: &str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.len() > max {
        let len = text.len();
        return Err(Refusal(format!(
            "{column} has {len} bytes; at most {max} are allowed"
        )));
    }
    match text
        .chars()
        .find(|c| c.is_control() && !"\n\r\t".contains(*c))
    {
        Some(c) => Err(Refusal(format!(
            "{column} contains the control character {c:?}"
        ))),
        None => Ok(()),
    }
}

/// The plain form of RFC 5321, section 4.1.2: words with points, `@`, a host; with the lengths of 4.5.3.1.
fn is_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 254
        && local.len() <= 64
        && local.split('.').all(is_word)
        && host.split('.').all(is_label)
}
