//! Numbers in filters and metadata, exactly as they were written. No arithmetic lives here, only order.

use std::cmp::Ordering;
use std::fmt;

use crate::json::is_plain_number;

/// A decimal number of any length: `1`, `1.0` and `10e-1` are the same one, and integers beyond 2⁵³ stay apart.
///
/// Its range is that of the numbers in [`Metadata::index_text`](crate::metadata::Metadata::index_text): at most
/// 1,000 digits before and after the point and an exponent within ±400.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    /// Never set for zero.
    negative: bool,
    /// ASCII digits without zeros at either end; empty for zero.
    digits: String,
    /// The number is 0.`digits` × 10^`exponent`; 0 for zero.
    exponent: i32,
}

impl Number {
    /// Reads a number in JSON's grammar; `None` for another text and for a number out of range.
    pub fn parse(text: &str) -> Option<Self> {
        if !is_json_number(text) || !is_plain_number(text) {
            return None;
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let leading = all.len() - significant.len();
        // Both lengths are at most 1,000 and the exponent is at most 400: no overflow.
        let point = i32::try_from(whole.len()).ok()? - i32::try_from(leading).ok()?;
        let exponent = exponent.parse::<i32>().ok()? + point;
        Some(Self { negative, digits: significant.trim_end_matches('0').to_owned(), exponent })
    }

    /// The number as an `i64`; `None` if it has a fraction or is out of range.
    pub fn as_i64(&self) -> Option<i64> {
        let length = usize::try_from(self.exponent).ok()?;
        if length < self.digits.len() || length > 19 {
            return None;
        }
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{:0<length$}", if self.digits.is_empty() { "0" } else { &self.digits }).parse().ok()
    }

    /// The number nearest to a float, by its shortest decimal form; `None` for NaN and infinities.
    pub fn from_f64(value: f64) -> Option<Self> {
        // `{:e}` is the shortest form that reads back as the same float, and within JSON's grammar.
        if value.is_finite() { Self::parse(&format!("{value:e}")) } else { None }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        let text = value.unsigned_abs().to_string();
        let digits = text.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        // At most 20 digits.
        Self { negative: value < 0, exponent: text.len() as i32, digits }
    }
}

/// The number in JSON's grammar.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let digits = self.digits.as_str();
        match usize::try_from(self.exponent) {
            _ if digits.is_empty() => f.write_str("0"),
            Ok(0) => write!(f, "{sign}0.{digits}"),
            Ok(length) if length >= digits.len() && length <= 20 => write!(f, "{sign}{digits:0<length$}"),
            Ok(length) if length < digits.len() => {
                let (whole, fraction) = digits.split_at(length);
                write!(f, "{sign}{whole}.{fraction}")
            }
            _ => {
                let (first, rest) = digits.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                write!(f, "{sign}{first}{point}{rest}e{}", self.exponent - 1)
            }
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zero's empty digits make it smaller than any other number without a sign, whatever the exponents.
        let size = |number: &Self| (!number.digits.is_empty(), number.exponent);
        let unsigned = || size(self).cmp(&size(other)).then_with(|| self.digits.cmp(&other.digits));
        match (self.negative, other.negative) {
            (false, false) => unsigned(),
            (true, true) => unsigned().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn one_number_has_one_form() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.000e5", "0"),
            ("1", "1"),
            ("1.0", "1"),
            ("10e-1", "1"),
            ("100", "100"),
            ("-12.50", "-12.5"),
            ("0.05", "5e-2"),
            ("0.5", "0.5"),
            ("9007199254740993", "9007199254740993"),
            ("1e20", "1e20"),
            ("1E+19", "10000000000000000000"),
            ("1.25e-7", "1.25e-7"),
            ("1e400", "1e400"),
        ] {
            assert_eq!(number(text).to_string(), shown, "{text}");
            assert_eq!(number(shown), number(text), "{text}");
        }
        for text in ["", "-", "01", "+1", ".5", "1.", "1e", "0x1", "NaN", "1 ", "1e401", "1e99999999999", "٣", "--1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ascending() {
        let numbers =
            ["-1e300", "-10.5", "-10", "-1", "-0.001", "0", "1e-300", "0.001", "0.0011", "1", "1.5", "2", "10", "11", "1e300"];
        for pair in numbers.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("3e2", Some(300)),
            ("3.0", Some(3)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e300", None),
            ("2.5", None),
            ("0.1", None),
        ] {
            assert_eq!(number(text).as_i64(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_keep_their_order(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(Number::from(a).cmp(&Number::from(b)), a.cmp(&b));
            prop_assert_eq!(Number::from(a).as_i64(), Some(a));
            prop_assert_eq!(number(&a.to_string()), Number::from(a));
            prop_assert_eq!(number(&Number::from(a).to_string()), Number::from(a));
        }

        #[test]
        fn floats_keep_their_order(a in -1e300..1e300f64, b in -1e-3..1e3f64) {
            let (x, y) = (Number::from_f64(a).unwrap(), Number::from_f64(b).unwrap());
            prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(x.to_string().parse::<f64>().unwrap(), a);
            prop_assert_eq!(number(&x.to_string()), x);
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,12}") {
            let _ = Number::parse(&text);
        }
    }
}
