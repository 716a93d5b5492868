//! Moments in filters and cursors. No clock lives here.

use std::fmt;

/// A moment, in microseconds since 1970-01-01 00:00 UTC, in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const DAY: i64 = 86_400_000_000;
/// 0001-01-01 00:00 UTC.
const FIRST: i64 = -719_162 * DAY;
/// The first moment after the year 9999.
const END: i64 = 2_932_897 * DAY;

impl Timestamp {
    /// A moment by its microseconds since 1970; `None` outside the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (FIRST..END).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Reads `YYYY-MM-DD`, which is that day's midnight, or `YYYY-MM-DD HH:MM:SS`, both in UTC (rule 43). RFC 3339, as
    /// answers write it, is taken too (ours): `T` for the space, up to six digits of a second, and `Z` or `±HH:MM`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        let (year, month, day) = (rest.digits(4)?, rest.skip(b"-")?.digits(2)?, rest.skip(b"-")?.digits(2)?);
        if year < 1 || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return None;
        }
        let mut micros = days_since_1970(year, month, day) * DAY;
        if rest.0.is_empty() {
            return Self::from_micros(micros);
        }
        let (hour, minute, second) = (rest.skip(b" T")?.digits(2)?, rest.skip(b":")?.digits(2)?, rest.skip(b":")?.digits(2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        micros += ((hour * 60 + minute) * 60 + second) * 1_000_000;
        if rest.skip(b".").is_some() {
            let length = rest.0.iter().take_while(|b| b.is_ascii_digit()).count();
            let scale = i64::pow(10, 6u32.checked_sub(u32::try_from(length).ok()?)?);
            micros += rest.digits(length)? * scale;
        }
        if rest.0.is_empty() || rest.skip(b"Z").is_some() {
            return if rest.0.is_empty() { Self::from_micros(micros) } else { None };
        }
        let east = rest.0.first() == Some(&b'+');
        let (hours, minutes) = (rest.skip(b"+-")?.digits(2)?, rest.skip(b":")?.digits(2)?);
        if hours > 23 || minutes > 59 || !rest.0.is_empty() {
            return None;
        }
        let offset = (hours * 60 + minutes) * 60_000_000;
        Self::from_micros(if east { micros - offset } else { micros + offset })
    }
}

/// RFC 3339 in UTC with six digits of a second.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, micros) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = date(days);
        let seconds = micros / 1_000_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", micros % 1_000_000)
    }
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Takes exactly so many digits, at least one.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.iter().try_fold(0, |number, b| b.is_ascii_digit().then(|| number * 10 + i64::from(b - b'0')))?;
        self.0 = rest;
        if count == 0 { None } else { Some(number) }
    }

    /// Takes one of these characters.
    fn skip(&mut self, any: &[u8]) -> Option<&mut Self> {
        let (first, rest) = self.0.split_first()?;
        if !any.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(self)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before this year since 0001-01-01.
fn days_before(year: i64) -> i64 {
    let years = year - 1;
    years * 365 + years / 4 - years / 100 + years / 400
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    days_before(year) - days_before(1970) + months + day - 1
}

/// The date of a day counted from 1970-01-01, from the year 1 on.
fn date(days: i64) -> (i64, i64, i64) {
    let since_year_1 = days + days_before(1970);
    // Never too late a year, at most one too early: a year has at most 366 days and 365.2425 on average.
    let mut year = since_year_1 * 400 / 146_097 + 1;
    while days_before(year + 1) <= since_year_1 {
        year += 1;
    }
    while days_before(year) > since_year_1 {
        year -= 1;
    }
    let mut day = since_year_1 - days_before(year);
    let mut month = 1;
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule_43_dates() {
        for (text, shown) in [
            ("1970-01-01", "1970-01-01T00:00:00.000000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000000Z"),
            ("2026-11-21 04:25:09", "2026-11-21T04:25:09.000000Z"),
            ("2026-11-21T04:25:09Z", "2026-11-21T04:25:09.000000Z"),
            ("2026-11-21T04:25:09.5Z", "2026-11-21T04:25:09.500000Z"),
            ("2026-11-21T04:25:09.123456+02:00", "2026-11-21T02:25:09.123456Z"),
            ("2026-11-21T23:25:09-00:45", "2026-11-22T00:10:09.000000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000000Z"),
            ("9999-12-31 23:59:59", "9999-12-31T23:59:59.000000Z"),
            ("1900-02-28", "1900-02-28T00:00:00.000000Z"),
        ] {
            assert_eq!(Timestamp::parse(text).map(|time| time.to_string()).as_deref(), Some(shown), "{text}");
        }
        assert_eq!(Timestamp::parse("2001-09-09 01:46:40").map(Timestamp::micros), Some(1_000_000_000_000_000));
    }

    #[test]
    fn rule_43_no_dates() {
        for text in [
            "",
            "2024",
            "2024-01",
            "2024-1-1",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-01-32",
            "0000-01-01",
            "+2024-01-01",
            "-024-01-01",
            "2024-01-01 ",
            "2024-01-01T",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01 00:00:60",
            "2024-01-01 00:00",
            "2024-01-01  00:00:00",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567",
            "2024-01-01 00:00:00ZZ",
            "2024-01-01 00:00:00+2",
            "2024-01-01 00:00:00+0200",
            "2024-01-01Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "２０２４-01-01",
            "2024-01-01\n",
            "today",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_moments_read_back(micros in FIRST..END) {
            let time = Timestamp::from_micros(micros).unwrap();
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }

        #[test]
        fn later_moments_are_shown_later(a in FIRST..END, b in FIRST..END) {
            prop_assert_eq!(Timestamp(a).to_string().cmp(&Timestamp(b).to_string()), a.cmp(&b));
        }

        #[test]
        fn no_text_panics(text in "[-0-9T: .Z+é]{0,30}", any in any::<String>()) {
            let _ = (Timestamp::parse(&text), Timestamp::parse(&any));
        }
    }
}
