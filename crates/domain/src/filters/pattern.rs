//! Patterns and substrings: what `$regex` and `$contains` look for. No SQL lives here, but the one spelling that the
//! store binds.
//!
//! Rule 43 wants a pattern to be parsed by us before PostgreSQL sees it. So PostgreSQL never sees what a client wrote:
//! the text is parsed by `regex-syntax`, read as RE2 reads it (the SDK's documentation names that syntax), and written
//! out again with nothing but literals, brackets of code points, `(?:…)`, `|`, `*`, `+`, `?`, `{n,m}` and the
//! constraints `\A \Z \y \Y`. That spelling means one thing under every collation. What dialects read in different
//! ways, and whatever looks back or ahead, is refused with a sentence.
//!
//! What makes it harmless: without references to groups PostgreSQL answers `~` by an automaton and never backtracks,
//! so `(a+)+$` takes linear time. What is left to fear is the size of the automaton, which [`MAX_CHARS`] and
//! [`MAX_COPIES`] bound: of the patterns tried, the worst that passes costs PostgreSQL 15 75 µs a name. The statement time
//! limit stands behind that.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};

use regex_syntax::ast::{self, Ast, Span};
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// The longest pattern or substring, in characters.
pub const MAX_CHARS: usize = 256;
/// The most states that counted repetitions may stand for: `(ab{3}){5}` stands for 20.
pub const MAX_COPIES: u64 = 128;
/// The deepest nesting of groups.
const MAX_DEPTH: u32 = 32;

/// A regular expression that is found anywhere in a text unless `^` and `$` hold it.
///
/// Two that spell out to the same text are equal: `a|b` is `[ab]`, a lazy repetition is a greedy one.
#[derive(Clone)]
pub struct Pattern {
    given: String,
    hir: Hir,
    spelled: String,
}

/// A text that is found anywhere in another, ignoring case by Unicode's simple folding (rule 43).
#[derive(Clone)]
pub struct Substring {
    text: String,
    pattern: Pattern,
}

/// Why a pattern or substring is refused. The sentence follows the name of a field and an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// More than [`MAX_CHARS`].
    #[error("is longer than 256 characters. Shorten it")]
    TooLong,
    /// Not in the grammar.
    #[error("is no regular expression: {0}. Write it as RE2 takes it")]
    Grammar(String),
    /// In the grammar, but dialects differ about it, or it looks ahead or back.
    #[error("uses {0}. {1}")]
    Unsupported(&'static str, &'static str),
    /// More than [`MAX_COPIES`].
    #[error(
        "repeats too much: written out its counted repetitions have {0} characters, more than 128. Use \"*\" or \"+\", or lower the counts"
    )]
    TooManyCopies(u64),
    /// PostgreSQL's texts have none.
    #[error("contains a NUL character. Remove it")]
    Nul,
}

impl Pattern {
    /// Reads a pattern. `\d`, `\w`, `\s` and `\b` mean ASCII, as in RE2; `.` is any character but a line feed; `(?i)`
    /// and `(?s)` are the flags there are.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::build(text, text, false)
    }

    /// The pattern in the one spelling that PostgreSQL's `~` reads as [`Pattern::is_in`] does. The text on the other
    /// side of `~` needs `collate "C"`, for the sake of `\y` and `\Y`.
    pub fn spelled_out(&self) -> &str {
        &self.spelled
    }

    /// Whether the pattern is found in a text. For tests: its time may grow with the cube of the text's length.
    pub fn is_in(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        !ends(&self.hir, &chars, &(0..=chars.len()).collect()).is_empty()
    }

    fn build(given: &str, pattern: &str, any_case: bool) -> Result<Self, PatternError> {
        if given.chars().take(MAX_CHARS + 1).count() > MAX_CHARS {
            return Err(PatternError::TooLong);
        }
        if given.contains('\0') {
            return Err(PatternError::Nul);
        }
        let mut parsed = ast::parse::ParserBuilder::new()
            .nest_limit(MAX_DEPTH)
            .build()
            .parse(pattern)
            .map_err(|error| PatternError::Grammar(error.kind().to_string()))?;
        restrict(&mut parsed)?;
        let hir = TranslatorBuilder::new()
            .case_insensitive(any_case)
            .build()
            .translate(pattern, &parsed)
            .map_err(|error| PatternError::Grammar(error.kind().to_string()))?;
        match copies(&hir) {
            copies if copies > MAX_COPIES => Err(PatternError::TooManyCopies(copies)),
            _ => {
                let mut spelled = String::new();
                spell(&hir, &mut spelled)?;
                Ok(Self { given: given.to_owned(), hir, spelled })
            }
        }
    }
}

impl Substring {
    /// Takes a text of at most [`MAX_CHARS`] characters; the empty one is in every text.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(Self { text: text.to_owned(), pattern: Pattern::build(text, &regex_syntax::escape(text), true)? })
    }

    /// The same question as a pattern, in which every letter stands for its cases: so `É` finds `é` whatever
    /// PostgreSQL's collation makes of `ilike`.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.given).finish()
    }
}

impl fmt::Debug for Substring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Substring").field(&self.text).finish()
    }
}

macro_rules! compared_by {
    ($($name:ident by $key:expr;)*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                let key: fn(&Self) -> &str = $key;
                key(self).cmp(key(other))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                let key: fn(&Self) -> &str = $key;
                key(self).hash(state);
            }
        }
    )*};
}

compared_by! {
    Pattern by |pattern| &pattern.spelled;
    Substring by |substring| &substring.pattern.spelled;
}

/// Refuses what this dialect hasn't got and narrows `\d`, `\s` and `\w` to ASCII. The parser has limited the depth.
fn restrict(pattern: &mut Ast) -> Result<(), PatternError> {
    match pattern {
        Ast::Empty(_) | Ast::Dot(_) => Ok(()),
        Ast::Literal(literal) => not_nul(literal),
        Ast::Flags(set) => flags(&set.flags),
        Ast::Assertion(assertion) => match assertion.kind {
            ast::AssertionKind::StartLine
            | ast::AssertionKind::EndLine
            | ast::AssertionKind::StartText
            | ast::AssertionKind::EndText
            | ast::AssertionKind::WordBoundary
            | ast::AssertionKind::NotWordBoundary => Ok(()),
            _ => Err(PatternError::Unsupported("a boundary for one side of a word", "Use \\b")),
        },
        Ast::ClassUnicode(_) => Err(UNICODE_CLASS),
        Ast::ClassPerl(class) => {
            *pattern = Ast::ClassBracketed(Box::new(ascii(class)));
            Ok(())
        }
        Ast::ClassBracketed(class) => set(&mut class.kind),
        Ast::Repetition(repetition) => restrict(&mut repetition.ast),
        Ast::Group(group) => {
            if let ast::GroupKind::NonCapturing(set) = &group.kind {
                flags(set)?;
            }
            restrict(&mut group.ast)
        }
        Ast::Alternation(alternation) => alternation.asts.iter_mut().try_for_each(restrict),
        Ast::Concat(concat) => concat.asts.iter_mut().try_for_each(restrict),
    }
}

const UNICODE_CLASS: PatternError =
    PatternError::Unsupported("a Unicode class (\\p)", "List the characters or ranges in brackets");

fn not_nul(literal: &ast::Literal) -> Result<(), PatternError> {
    if literal.c == '\0' { Err(PatternError::Nul) } else { Ok(()) }
}

fn flags(set: &ast::Flags) -> Result<(), PatternError> {
    let known = |item: &ast::FlagsItem| {
        matches!(
            item.kind,
            ast::FlagsItemKind::Negation | ast::FlagsItemKind::Flag(ast::Flag::CaseInsensitive | ast::Flag::DotMatchesNewLine)
        )
    };
    if set.items.iter().all(known) { Ok(()) } else { Err(PatternError::Unsupported("a flag other than i and s", "Leave it out")) }
}

/// What stands between brackets: single characters, ranges, `\d` and its like, `[:alpha:]` and its like. In other
/// dialects `[a&&b]` and `[a[b]]` mean something else.
fn set(set: &mut ast::ClassSet) -> Result<(), PatternError> {
    match set {
        ast::ClassSet::BinaryOp(_) => {
            Err(PatternError::Unsupported("\"&&\", \"--\" or \"~~\" in brackets", "Put a backslash before each of the two"))
        }
        ast::ClassSet::Item(item) => set_item(item),
    }
}

fn set_item(item: &mut ast::ClassSetItem) -> Result<(), PatternError> {
    match item {
        ast::ClassSetItem::Empty(_) | ast::ClassSetItem::Ascii(_) => Ok(()),
        ast::ClassSetItem::Literal(literal) => not_nul(literal),
        ast::ClassSetItem::Range(range) => not_nul(&range.start).and(not_nul(&range.end)),
        ast::ClassSetItem::Unicode(_) => Err(UNICODE_CLASS),
        ast::ClassSetItem::Bracketed(_) => {
            Err(PatternError::Unsupported("brackets within brackets", "Put a backslash before the inner \"[\""))
        }
        ast::ClassSetItem::Perl(class) => {
            *item = ast::ClassSetItem::Bracketed(Box::new(ascii(class)));
            Ok(())
        }
        ast::ClassSetItem::Union(union) => union.items.iter_mut().try_for_each(set_item),
    }
}

/// `\d`, `\s` or `\w` as ASCII.
fn ascii(class: &ast::ClassPerl) -> ast::ClassBracketed {
    let ranges: &[(char, char)] = match class.kind {
        ast::ClassPerlKind::Digit => &[('0', '9')],
        ast::ClassPerlKind::Space => &[('\t', '\r'), (' ', ' ')],
        ast::ClassPerlKind::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
    };
    let span: Span = class.span;
    let literal = |c| ast::Literal { span, kind: ast::LiteralKind::Verbatim, c };
    let range = |(start, end): &(char, char)| {
        ast::ClassSetItem::Range(ast::ClassSetRange { span, start: literal(*start), end: literal(*end) })
    };
    let items = ranges.iter().map(range).collect();
    ast::ClassBracketed {
        span,
        negated: class.negated,
        kind: ast::ClassSet::Item(ast::ClassSetItem::Union(ast::ClassSetUnion { span, items })),
    }
}

/// How many states a pattern stands for.
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => states(&repetition.sub).saturating_mul(times(repetition)),
        HirKind::Capture(capture) => states(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(states).fold(0, u64::saturating_add),
    }
}

/// How often PostgreSQL writes the repeated part out.
fn times(repetition: &Repetition) -> u64 {
    u64::from(repetition.max.unwrap_or(repetition.min).max(1))
}

/// The [`states`] of the outermost counted repetitions.
fn copies(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => 0,
        HirKind::Repetition(repetition) if times(repetition) > 1 => {
            // A repeated constraint has no states, but is written out as often.
            states(hir).max(times(repetition))
        }
        HirKind::Repetition(repetition) => copies(&repetition.sub),
        HirKind::Capture(capture) => copies(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(copies).fold(0, u64::saturating_add),
    }
}

/// Writes the pattern for PostgreSQL. Every part that `|` or a repetition could tear apart is in `(?:…)`.
fn spell(hir: &Hir, out: &mut String) -> Result<(), PatternError> {
    match hir.kind() {
        HirKind::Empty => out.push_str("(?:)"),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| BYTES)?;
            if text.contains('\0') {
                // A class of which nothing else was left.
                out.push_str(NOTHING);
            } else {
                text.chars().for_each(|c| spell_char(c, out));
            }
        }
        HirKind::Class(class) => spell_class(class, out)?,
        HirKind::Look(look) => out.push_str(match look {
            Look::Start => "\\A",
            Look::End => "\\Z",
            Look::WordUnicode | Look::WordAscii => "\\y",
            Look::WordUnicodeNegate | Look::WordAsciiNegate => "\\Y",
            _ => return Err(PatternError::Unsupported("a boundary of lines", "Use ^ and $, which mean the whole text")),
        }),
        HirKind::Repetition(repetition) => {
            out.push_str("(?:");
            spell(&repetition.sub, out)?;
            out.push(')');
            match (repetition.min, repetition.max) {
                (0, None) => out.push('*'),
                (1, None) => out.push('+'),
                (0, Some(1)) => out.push('?'),
                (min, Some(max)) if min == max => out.push_str(&format!("{{{min}}}")),
                (min, None) => out.push_str(&format!("{{{min},}}")),
                (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
            }
        }
        HirKind::Capture(capture) => spell(&capture.sub, out)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| spell(part, out))?,
        HirKind::Alternation(parts) => {
            for (n, part) in parts.iter().enumerate() {
                out.push_str(if n == 0 { "(?:" } else { "|" });
                spell(part, out)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

/// Not reachable: the translator is told to stay within Unicode.
const BYTES: PatternError = PatternError::Unsupported("bytes that are no characters", "Write characters");

/// Found nowhere: it asserts that the empty text doesn't follow.
const NOTHING: &str = "(?!)";

/// A character outside brackets or inside. Letters and digits stand for themselves, whatever else is escaped by its
/// number, so that none of it can be special.
fn spell_char(c: char, out: &mut String) {
    // Writing to a String can't fail.
    let _ = match u32::from(c) {
        _ if c.is_ascii_alphanumeric() || c == '_' => write!(out, "{c}"),
        number @ ..=0xffff => write!(out, "\\u{number:04x}"),
        number => write!(out, "\\U{number:08x}"),
    };
}

fn spell_class(class: &Class, out: &mut String) -> Result<(), PatternError> {
    let Class::Unicode(class) = class else {
        return Err(BYTES);
    };
    // No text has a NUL character, and PostgreSQL refuses one in a pattern.
    let ranges: Vec<(char, char)> =
        class.iter().map(|range| (range.start().max('\u{1}'), range.end())).filter(|(start, end)| start <= end).collect();
    if ranges.is_empty() {
        out.push_str(NOTHING);
        return Ok(());
    }
    out.push('[');
    for (start, end) in ranges {
        spell_char(start, out);
        if end > start {
            out.push('-');
            spell_char(end, out);
        }
    }
    out.push(']');
    Ok(())
}

/// The places where a match can end that begins at one of these places.
fn ends(hir: &Hir, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
    match hir.kind() {
        HirKind::Empty => starts.clone(),
        HirKind::Literal(literal) => {
            let literal: Vec<char> = String::from_utf8_lossy(&literal.0).chars().collect();
            starts.iter().filter(|at| text[**at..].starts_with(&literal)).map(|at| at + literal.len()).collect()
        }
        HirKind::Class(class) => {
            let fits = |c: &char| match class {
                Class::Unicode(class) => class.iter().any(|range| (range.start()..=range.end()).contains(c)),
                Class::Bytes(class) => class.iter().any(|range| (range.start().into()..=range.end().into()).contains(c)),
            };
            starts.iter().filter(|at| text.get(**at).is_some_and(fits)).map(|at| at + 1).collect()
        }
        HirKind::Look(look) => {
            let word = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_');
            let boundary = |at: usize| word(at.checked_sub(1)) != word(Some(at));
            let holds = |at: usize| match look {
                Look::Start => at == 0,
                Look::End => at == text.len(),
                Look::WordUnicode | Look::WordAscii => boundary(at),
                Look::WordUnicodeNegate | Look::WordAsciiNegate => !boundary(at),
                // Refused when the pattern was spelled out.
                _ => false,
            };
            starts.iter().copied().filter(|at| holds(*at)).collect()
        }
        HirKind::Repetition(repetition) => {
            let mut now = starts.clone();
            for _ in 0..repetition.min {
                now = ends(&repetition.sub, text, &now);
            }
            let mut reached = now.clone();
            let more = repetition.max.map_or(usize::MAX, |max| (max - repetition.min) as usize);
            for _ in 0..more {
                now = ends(&repetition.sub, text, &now).difference(&reached).copied().collect();
                if now.is_empty() {
                    break;
                }
                reached.extend(&now);
            }
            reached
        }
        HirKind::Capture(capture) => ends(&capture.sub, text, starts),
        HirKind::Concat(parts) => parts.iter().fold(starts.clone(), |now, part| ends(part, text, &now)),
        HirKind::Alternation(parts) => parts.iter().flat_map(|part| ends(part, text, starts)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn rule_43_patterns() {
        for (text, inside, outside) in [
            ("model", vec!["model", "my-model-2"], vec!["Model", "mode"]),
            ("^model$", vec!["model"], vec!["model\n", "a model", "models"]),
            ("(?i)MODEL", vec!["model", "moDel"], vec!["mode"]),
            ("^a.c$", vec!["abc", "aéc"], vec!["a\nc", "ac"]),
            ("(?s)^a.c$", vec!["a\nc"], vec!["ac"]),
            ("^(a|bc)+$", vec!["a", "bc", "abca"], vec!["", "b"]),
            ("^a{2,3}$", vec!["aa", "aaa"], vec!["a", "aaaa"]),
            ("^a{2}b??$", vec!["aa", "aab"], vec!["aabb"]),
            (r"^\d+$", vec!["09"], vec!["٣", "a", ""]),
            (r"^[\w.-]+$", vec!["a_B-9."], vec!["é", "a b"]),
            (r"^\W$", vec!["é", "\n"], vec!["a", "_"]),
            (r"^[^\d\s]$", vec!["a", "é"], vec!["1", " ", "\u{b}"]),
            (r"\bnet\b", vec!["a net", "net-2", "net"], vec!["nets", "net_2"]),
            (r"a\Bb", vec!["ab"], vec!["a b"]),
            (r"^[[:upper:]]$", vec!["A"], vec!["a", "É"]),
            (r"\$\.\*\[\]\^\\", vec![r"a$.*[]^\\"], vec!["$"]),
            ("(a+)+$", vec!["aa", "ba"], vec!["ab", ""]),
            ("", vec!["", "a"], vec![]),
            ("()|b", vec!["", "a"], vec![]),
            ("(?P<x>a)(?:b)", vec!["ab"], vec!["b"]),
            (r"\A\x41\u00e9\z", vec!["Aé"], vec!["A"]),
            (r"^[^\x{1}-\x{10ffff}]", vec![], vec!["", "a"]),
            ("^[]a]$", vec!["]", "a"], vec!["b"]),
        ] {
            let pattern = pattern(text);
            for found in inside {
                assert!(pattern.is_in(found), "{text} in {found:?}");
            }
            for other in outside {
                assert!(!pattern.is_in(other), "{text} in {other:?}");
            }
        }
    }

    #[test]
    fn rule_43_what_dialects_read_differently_is_refused() {
        for text in [
            r"(a)\1",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?<!a)",
            "(?m)^a",
            "(?x)a b",
            "(?U)a+",
            "(?-u)a",
            r"\p{L}",
            r"[\pL]",
            r"\<a",
            r"\b{start}a",
            r"a\Z",
            r"\Qa\E",
            "[a&&b]",
            "[a--b]",
            "[a[b]]",
            "[[a]",
            "[[.a.]]",
            "[[=a=]]",
            "(",
            ")",
            "a**b)",
            "*a",
            "a{",
            "[a",
            "[b-a]",
            r"\",
            r"\m",
            "***:a",
            "a{1000}",
            "(a{20}){20}",
            "((a?){12}){12}",
            r"(?:\ba){200}",
            "a\0b",
            r"a\x00b",
            r"[\x00-a]",
        ] {
            let Err(error) = Pattern::parse(text) else { panic!("{text}") };
            let error = error.to_string();
            assert!(error.len() > 20 && !error.ends_with('.'), "{text}: {error}");
        }
        assert!(Pattern::parse(&"a".repeat(256)).is_ok());
        assert_eq!(Pattern::parse(&"a".repeat(257)), Err(PatternError::TooLong));
        assert!(Pattern::parse(&"(".repeat(200)).is_err());
        assert!(Pattern::parse(&format!("{}a{}", "(".repeat(100), ")".repeat(100))).is_err());
        assert!(Pattern::parse("a{128}").is_ok());
        assert_eq!(Pattern::parse("a{64}b{65}"), Err(PatternError::TooManyCopies(129)));
        assert!(matches!(Pattern::parse("((((a{999}){999}){999}){999}){999}"), Err(PatternError::TooManyCopies(_))));
    }

    #[test]
    fn the_one_spelling() {
        for (text, spelled) in [
            ("model-1", r"model\u002d1"),
            ("^a|b$", r"(?:\Aa|b\Z)"),
            ("(?i)k", "[Kk\\u212a]"),
            ("(a+)+$", r"(?:(?:a)+)+\Z"),
            ("a|b", "[a-b]"),
            ("(?s).", r"[\u0001-\U0010ffff]"),
            (".", r"[\u0001-\u0009\u000b-\U0010ffff]"),
            ("a*?b{2,}", "(?:a)*(?:b){2,}"),
            (r"\d\b", r"[0-9]\y"),
            ("😀", r"\U0001f600"),
            (r"^[^\x{1}-\x{10ffff}]", r"\A(?!)"),
            ("|a", "(?:(?:)|a)"),
        ] {
            assert_eq!(pattern(text).spelled_out(), spelled, "{text}");
        }
        assert_eq!(pattern("a|b"), pattern("[ab]"));
        assert_eq!(pattern("a+?"), pattern("a+"));
        assert_ne!(pattern("a"), pattern("b"));
    }

    #[test]
    fn rule_43_contains_ignores_case() {
        let found = |needle: &str, text: &str| Substring::parse(needle).unwrap().pattern().is_in(text);
        assert!(found("ÉCOLE", "l'école"));
        assert!(found("σας", "ΘΑΛΑΣΣΑΣ") == found("ΣΑΣ", "θαλασσας"));
        assert!(found("a.c", "xA.Cx"));
        assert!(!found("a.c", "abc"));
        assert!(found("", ""));
        assert!(found("%_", "100%_"));
        assert!(found(r"(a+)+$\", r"(A+)+$\"));
        assert!(!found("e", "é"));
        assert_eq!(Substring::parse("Abc"), Substring::parse("aBC"));
        assert_eq!(Substring::parse("a\0").map(|_| ()), Err(PatternError::Nul));
        assert!(Substring::parse(&"é".repeat(256)).is_ok());
        assert!(Substring::parse(&"é".repeat(257)).is_err());
    }

    proptest! {
        #[test]
        fn rule_43_a_substring_is_found_whatever_its_case(before in "\\PC{0,5}", needle in "\\PC{0,8}", after in "\\PC{0,5}") {
            let text = format!("{before}{needle}{after}");
            let substring = Substring::parse(&needle).unwrap();
            prop_assert!(substring.pattern().is_in(&text));
            let ascii = Substring::parse(&needle.to_ascii_uppercase()).unwrap();
            prop_assert!(ascii.pattern().is_in(&text.to_ascii_lowercase()));
            prop_assert_eq!(ascii, substring);
        }

        #[test]
        fn rule_43_no_pattern_panics(text in "[-ab()\\[\\]{}|*+?.^$\\\\dwsbB0-9,:i&~é]{0,24}", any in any::<String>(), subject in "[ab0 ]{0,6}") {
            for text in [text, any] {
                if let Ok(pattern) = Pattern::parse(&text) {
                    pattern.is_in(&subject);
                    // What is spelled out is a pattern of the same meaning, but for PostgreSQL's own words.
                    prop_assert!(!pattern.spelled_out().contains('\0'));
                    prop_assert!(pattern.spelled_out().is_ascii());
                }
            }
        }

        #[test]
        fn rule_43_escaped_texts_are_found_literally(needle in "\\PC{1,6}", text in "\\PC{0,12}") {
            let pattern = Pattern::parse(&regex_syntax::escape(&needle)).unwrap();
            prop_assert_eq!(pattern.is_in(&text), text.contains(&needle));
        }
    }
}
