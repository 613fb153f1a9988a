//! Amounts of money: decimals that keep the digits they came with, and sums that are exact.
//!
//! It must not know a currency: amounts of different ones are never added.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The most digits before and after the point. A sum of ten million such amounts still fits.
const WHOLE_MAX: usize = 15;
const FRACTION_MAX: usize = 6;

/// An amount: `12.50` stays `12.50`, and is another amount than `12.5`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Money(Decimal);

impl Money {
    pub(crate) const ZERO: Self = Self(Decimal::ZERO);

    /// Reads digits with at most one point and a minus in front, as a file holds them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return Err(format!("{text:?} is no decimal; write 1234.50"));
        }
        if whole.len() > WHOLE_MAX || fraction.len() > FRACTION_MAX {
            return Err(format!(
                "{text} is too long; at most {WHOLE_MAX} digits before and {FRACTION_MAX} after the point"
            ));
        }
        Self::stored(text)
    }

    /// Reads what [`Display`](fmt::Display) wrote; a sum may be longer than what a file may say.
    pub(crate) fn stored(text: &str) -> Result<Self, String> {
        Decimal::from_str_exact(text)
            .map(Self)
            .map_err(|error| format!("{text:?} is no decimal: {error}"))
    }

    /// Adds exactly; nothing when the sum has more digits than can be kept.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let sum = self.0.checked_add(other.0)?;
        // Beyond 28 digits the library rounds, which shows as fewer digits after the point.
        (sum.scale() == self.0.scale().max(other.0.scale())).then_some(Self(sum))
    }

    pub(crate) fn negated(self) -> Self {
        Self(-self.0)
    }
}

/// Equal digits, not merely equal value.
impl PartialEq for Money {
    fn eq(&self, other: &Self) -> bool {
        self.0.serialize() == other.0.serialize()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_its_digits() {
        for text in ["0", "12.50", "-0.05", "999999999999999.999999", "007.10"] {
            let money = Money::parse(text).unwrap();
            assert_eq!(money.to_string(), text.trim_start_matches("00"));
            let json = serde_json::to_string(&money).unwrap();
            assert_eq!(
                serde_json::from_str::<Money>(&json).unwrap(),
                money,
                "{json}"
            );
        }
        assert_ne!(
            Money::parse("12.5").unwrap(),
            Money::parse("12.50").unwrap()
        );
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        let long = "1".repeat(16);
        for text in [
            "",
            "-",
            "1,50",
            "1.",
            ".5",
            "1e3",
            "1_000",
            "+1",
            "NaN",
            "1.2.3",
            "١",
            &long,
            "0.1234567",
        ] {
            Money::parse(text).unwrap_err();
        }
    }

    #[test]
    fn a_sum_is_exact_or_none() {
        let money = |text| Money::parse(text).unwrap();
        assert_eq!(
            money("0.1").plus(money("0.20")).unwrap().to_string(),
            "0.30"
        );
        assert_eq!(
            money("5").plus(money("5").negated()).unwrap().to_string(),
            "0"
        );
        let most = (0..30).try_fold(money("999999999999999.999999"), |sum, _| sum.plus(sum));
        assert!(most.is_none(), "{most:?}");
    }
}
