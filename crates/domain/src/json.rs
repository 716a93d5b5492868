//! What is asked of a client's JSON beyond its grammar, which `serde_json` checks: nothing that PostgreSQL's `jsonb`
//! would refuse or that a reader's stack would not survive. Works on the text, without recursion.

/// What is wrong with a JSON text although its grammar may be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("is nested too deeply")]
    TooDeep,
    #[error("contains a NUL character")]
    Nul,
    #[error("contains half a surrogate pair (\\uD800 to \\uDFFF) without the other half")]
    LoneSurrogate,
    #[error("contains NaN or Infinity, which JSON doesn't have")]
    NotFinite,
}

/// Digits before and after the point, and the exponent, within which a number stays a number in `jsonb`. PostgreSQL
/// takes more, but `1e131071` is six bytes that it may have to write out as 131,072 digits.
const MAX_DIGITS: usize = 1000;
const MAX_EXPONENT: i32 = 400;

/// Looks for faults in a text that need not be valid JSON. The outermost object or array has depth 1.
pub(crate) fn check(text: &str, max_depth: usize) -> Result<(), Fault> {
    if text.contains('\0') {
        return Err(Fault::Nul);
    }
    let mut depth = 0usize;
    for token in Tokens(text) {
        match token.as_bytes()[0] {
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Err(Fault::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => check_string(token)?,
            _ if matches!(token.trim_start_matches('-'), "NaN" | "Infinity") => {
                return Err(Fault::NotFinite);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The same JSON with every number that `jsonb` can't hold sensibly turned into a string. The text must be valid.
pub(crate) fn with_plain_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for token in Tokens(text) {
        let number = token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if number && !is_plain_number(token) {
            plain.push('"');
            plain.push_str(token);
            plain.push('"');
        } else {
            plain.push_str(token);
        }
    }
    plain
}

/// Whether a JSON number stays a number in `jsonb`.
pub(crate) fn is_plain_number(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.parse::<i32>().is_ok_and(|exponent| (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent));
    exponent_fits && whole.len() <= MAX_DIGITS && fraction.len() <= MAX_DIGITS
}

pub(crate) fn check_string(token: &str) -> Result<(), Fault> {
    let mut rest = token;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at..];
        match unit(rest) {
            Some(0) => return Err(Fault::Nul),
            Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(unit) {
                Some(0xDC00..=0xDFFF) => rest = &rest[12..],
                _ => return Err(Fault::LoneSurrogate),
            },
            Some(0xDC00..=0xDFFF) => return Err(Fault::LoneSurrogate),
            Some(_) => rest = &rest[6..],
            None => {
                let mut chars = rest.chars();
                // The backslash and what it escapes.
                chars.next();
                chars.next();
                rest = chars.as_str();
            }
        }
    }
    Ok(())
}

/// The code unit of a `\uXXXX` at the start of the text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    // `from_str_radix` would take a sign.
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if hex { u16::from_str_radix(digits, 16).ok() } else { None }
}

/// Cuts a text into strings with their quotes, bare words (numbers, `true`, `NaN`) and single other characters.
pub(crate) struct Tokens<'a>(pub(crate) &'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.chars().next()?;
        let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let len =
            if first == '"' { string_len(self.0) } else { self.0.bytes().take_while(|b| word(b)).count().max(first.len_utf8()) };
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(token)
    }
}

/// The length of the string at the start of the text, in bytes; to the end of the text if it isn't closed.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults() {
        for (text, expected) in [
            (r#"{"a":[1,2,{"b":"c"}]}"#, Ok(())),
            (r#"{"a":"\ud83d\ude00 \\ud800 \\u0000 \" \\"}"#, Ok(())),
            (r#"{"NaN":"NaN Infinity [[[[[[["}"#, Ok(())),
            (r#"{"a":NaN}"#, Err(Fault::NotFinite)),
            (r#"{"a":[1,-Infinity]}"#, Err(Fault::NotFinite)),
            (r#"{"a":"\u0000"}"#, Err(Fault::Nul)),
            ("{\"a\0\":1}", Err(Fault::Nul)),
            (r#"{"\\\u0000":1}"#, Err(Fault::Nul)),
            (r#"{"a":"\ud83d"}"#, Err(Fault::LoneSurrogate)),
            (r#"{"a":"\ude00"}"#, Err(Fault::LoneSurrogate)),
            (r#"{"a":"\ud83d\u0041"}"#, Err(Fault::LoneSurrogate)),
            (r#"{"a":"\ud83dx\ude00"}"#, Err(Fault::LoneSurrogate)),
            (r#"{"a":"\uD83D\uD83D\uDE00"}"#, Err(Fault::LoneSurrogate)),
            ("[[[[]]]]", Ok(())),
            ("[[[[[]]]]]", Err(Fault::TooDeep)),
            ("[[[[]]],[[[]]],{}]", Ok(())),
            ("]]]][[[[[", Err(Fault::TooDeep)),
        ] {
            assert_eq!(check(text, 4), expected, "{text}");
        }
        assert_eq!(check(&"[".repeat(1_000_000), 64), Err(Fault::TooDeep));
    }

    #[test]
    fn numbers_that_are_too_large_become_strings() {
        for (text, expected) in [
            ("[1,-2.5,3e10,0]", "[1,-2.5,3e10,0]"),
            ("[1e400000]", "[\"1e400000\"]"),
            ("[-1E-400000 , 1e+400]", "[\"-1E-400000\" , 1e+400]"),
            ("{\"1e400000\":true}", "{\"1e400000\":true}"),
            ("1e99999999999999999999", "\"1e99999999999999999999\""),
            ("9007199254740993", "9007199254740993"),
        ] {
            assert_eq!(with_plain_numbers(text), expected);
        }
        let long = "9".repeat(1001);
        assert_eq!(with_plain_numbers(&long), format!("\"{long}\""));
        assert_eq!(with_plain_numbers(&long[1..]), &long[1..]);
    }

    proptest! {
        #[test]
        fn the_tokens_are_the_text(text in "[\\[\\]{}\",:\\\\ua0-9eENn.+ é-]{0,40}") {
            prop_assert_eq!(Tokens(&text).collect::<String>(), text.clone());
            let _ = check(&text, 3);
            let _ = with_plain_numbers(&text);
        }

        #[test]
        fn surrogates_are_judged_as_a_parser_judges_them(text in "(\\\\u(d83d|de00|0041)|x|\\\\\\\\){0,6}") {
            let json = format!("\"{text}\"");
            prop_assert_eq!(check(&json, 1).is_ok(), serde_json::from_str::<String>(&json).is_ok());
        }
    }
}
