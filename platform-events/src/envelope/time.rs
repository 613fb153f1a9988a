//! The `time` attribute: an instant and the text that it came as.
//!
//! The text is kept because an offset or a tenth digit of the second is part of what a foreign
//! producer sent.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use super::error::{EnvelopeError, EnvelopeErrorKind};

/// Longest text of a time, in bytes.
const TEXT_MAX: usize = 64;
const MEND: &str = "write it like 2026-01-31T09:30:00Z (RFC 3339), in the years 0 to 9999";

/// A point in time as RFC 3339 text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    at: DateTime<Utc>,
    text: String,
}

impl Time {
    /// Reads RFC 3339 and keeps its text. What the text says beyond nanoseconds is not in the
    /// instant.
    pub(super) fn parse(text: String) -> Result<Self, EnvelopeError> {
        if text.len() > TEXT_MAX {
            return Err(invalid(format!(
                "has {} bytes, more than {TEXT_MAX}",
                text.len()
            )));
        }
        match DateTime::parse_from_rfc3339(&text) {
            Ok(at) => Ok(Self {
                at: at.to_utc(),
                text,
            }),
            Err(error) => Err(invalid("is not a time".to_owned()).caused_by(error)),
        }
    }

    /// Writes an instant in UTC with as many decimals as it needs: 0, 3, 6 or 9.
    pub(super) fn of(at: DateTime<Utc>) -> Result<Self, EnvelopeError> {
        if !(0..=9999).contains(&at.year()) {
            return Err(invalid(format!("is in the year {}", at.year())));
        }
        Ok(Self {
            at,
            text: at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        })
    }

    pub(super) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

fn invalid(fact: String) -> EnvelopeError {
    EnvelopeError::new(EnvelopeErrorKind::InvalidForm, "time", fact, MEND)
}
