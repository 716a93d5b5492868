//! Names as newtypes: who holds one holds a name that fits its rule.
//!
//! Only the form is decided here. Whether a name is taken is a question for the store, which compares
//! [`name_key`]s where names that differ only by case are refused.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::text::quoted;

/// What a registry's project is called before its own name (rule 1).
pub const REGISTRY_PREFIX: &str = "wandb-registry-";

/// The longest name of anything, in characters.
const MAX_CHARS: usize = 128;
/// The longest registry name: with its prefix it is as long as any other (rule 1).
const MAX_REGISTRY_CHARS: usize = MAX_CHARS - REGISTRY_PREFIX.len();
/// What separates paths, queries and aliases, and so can't be in a project's or a run's name.
const SEPARATORS: &[char] = &['/', '\\', '#', '?', '%', ':'];

/// A name that doesn't fit its rule: a sentence that names the thing, what is wrong with it and what to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The {thing} {problem}. {advice}")]
pub struct NameError {
    thing: &'static str,
    problem: String,
    advice: &'static str,
}

impl NameError {
    /// A type of the SDK's own in a registry's list (rule 6).
    pub(crate) fn sdk_type(name: &ArtifactTypeName) -> Self {
        Self {
            thing: "artifact type",
            problem: format!("{} is one that clients keep for themselves", quoted(name.as_str())),
            advice: "List types other than \"job\" and those that begin with \"wandb-\".",
        }
    }
}

/// What one kind of name is called and how it is explained.
struct Kind {
    thing: &'static str,
    advice: &'static str,
}

impl Kind {
    fn refuse(&self, problem: impl Into<String>) -> NameError {
        NameError { thing: self.thing, problem: problem.into(), advice: self.advice }
    }

    fn length(&self, name: &str, most: usize) -> Result<(), NameError> {
        if name.is_empty() {
            return Err(self.refuse("is empty"));
        }
        // Counting stops just past the limit, so that a huge text costs nothing.
        if name.chars().take(most + 1).count() > most {
            return Err(self.refuse(format!("{} is longer than {most} characters", quoted(name))));
        }
        Ok(())
    }

    fn without(&self, name: &str, refused: &[char]) -> Result<(), NameError> {
        match name.chars().find(|c| c.is_control() || refused.contains(c)) {
            None => Ok(()),
            Some(c) if c.is_control() => Err(self.refuse(format!("{} contains a control character", quoted(name)))),
            Some(c) => Err(self.refuse(format!("{} contains \"{c}\"", quoted(name)))),
        }
    }

    /// Clients resolve these in an address, and so would ask for something else.
    fn no_dots(&self, name: &str) -> Result<(), NameError> {
        if matches!(name, "." | "..") { Err(self.refuse(format!("{} means a place in a path", quoted(name)))) } else { Ok(()) }
    }

    fn no_outer_space(&self, name: &str) -> Result<(), NameError> {
        if name.trim() == name { Ok(()) } else { Err(self.refuse(format!("{} begins or ends with a space", quoted(name)))) }
    }

    fn word(&self, name: &str) -> Result<(), NameError> {
        match name.chars().find(|c| !is_word(*c)) {
            None => Ok(()),
            Some(c) => {
                let c = c.escape_debug();
                Err(self.refuse(format!("{} contains \"{c}\"", quoted(name))))
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $thing:literal, $advice:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the name if it fits the rule of this type.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                const KIND: Kind = Kind { thing: $thing, advice: $advice };
                let check: fn(&Kind, &str) -> Result<(), NameError> = $check;
                check(&KIND, text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as it is stored and shown.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The name of a user, team or organization in their one namespace: `[A-Za-z0-9][A-Za-z0-9_.-]{0,127}` (rule 19).
    EntityName, "entity name",
    "Use 1 to 128 letters, digits, \"_\", \".\" or \"-\", beginning with a letter or digit.",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.word(name)?;
        if name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            Ok(())
        } else {
            Err(kind.refuse(format!("{} begins with neither a letter nor a digit", quoted(name))))
        }
    };

    /// What people call an organization: 1 to 128 characters, no control character, no space outside (rule 19).
    DisplayName, "display name",
    "Use 1 to 128 characters without control characters, with spaces only inside.",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.without(name, &[])?;
        kind.no_outer_space(name)
    };

    /// A registry's name without its prefix: 1 to 113 characters, none of `/ \ # ? % :`, no control character, no
    /// space outside (rule 1).
    RegistryName, "registry name",
    "Use 1 to 113 characters, none of / \\ # ? % : and no control character, with spaces only inside.",
    |kind, name| {
        kind.length(name, MAX_REGISTRY_CHARS)?;
        kind.without(name, SEPARATORS)?;
        kind.no_outer_space(name)
    };

    /// A project that is no registry: 1 to 128 characters, none of `/ \ # ? % :`, no control character, neither `.` nor `..`, and not
    /// the prefix that only registries have.
    ProjectName, "project name",
    "Use 1 to 128 characters, none of / \\ # ? % : and no control character, neither \".\" nor \"..\", not beginning with \
     \"wandb-registry-\".",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.without(name, SEPARATORS)?;
        kind.no_dots(name)?;
        if name.starts_with(REGISTRY_PREFIX) {
            return Err(kind.refuse(format!("{} begins with \"{REGISTRY_PREFIX}\", which is kept for registries", quoted(name))));
        }
        Ok(())
    };

    /// An artifact type: 1 to 128 characters, no `/`, `:` or control character; case matters (rule 6).
    ArtifactTypeName, "artifact type",
    "Use 1 to 128 characters without \"/\", \":\" or control characters.",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.without(name, &['/', ':'])
    };

    /// A collection where versions are born: `[A-Za-z0-9_.-]{1,128}` (rule 25).
    SourceCollectionName, "artifact name",
    "Use 1 to 128 letters, digits, \"_\", \".\" or \"-\".",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.word(name)
    };

    /// A run's id as its client chose it: 1 to 128 characters, none of `/ \ # ? % :`, no control character, no space
    /// outside, neither `.` nor `..`.
    RunName, "run id",
    "Use 1 to 128 characters, none of / \\ # ? % : and no control character, with spaces only inside, neither \".\" nor \"..\".",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.without(name, SEPARATORS)?;
        kind.no_dots(name)?;
        kind.no_outer_space(name)
    };

    /// An alias of somebody's choosing: 1 to 128 characters without `/`, `:` or control characters, neither `latest`
    /// nor `v` and digits (of any script, as clients read them too) (rule 29).
    CustomAlias, "alias",
    "Use 1 to 128 characters without \"/\", \":\" or control characters, and neither \"latest\" nor \"v\" followed by digits.",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.without(name, &['/', ':'])?;
        if name == crate::alias::LATEST {
            return Err(kind.refuse("\"latest\" moves to the newest version by itself and can't be set or removed"));
        }
        let digits = name.strip_prefix('v').unwrap_or_default();
        if !digits.is_empty() && digits.chars().all(char::is_numeric) {
            return Err(kind.refuse(format!("{} reads as a version number", quoted(name))));
        }
        Ok(())
    };

    /// A tag of a collection or version: words of letters, digits, `_` and `-` of any script, with spaces only between them, 1 to
    /// 128 characters in all (rule 34).
    TagName, "tag",
    "Use 1 to 128 letters, digits, \"_\" and \"-\", with spaces only between words.",
    |kind, name| {
        kind.length(name, MAX_CHARS)?;
        kind.no_outer_space(name)?;
        match name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | ' ')) {
            None => Ok(()),
            Some(c) => Err(kind.refuse(format!("{} contains \"{}\"", quoted(name), c.escape_debug()))),
        }
    };
}

impl RegistryName {
    /// The name of the registry's project: the prefix and the name (rule 1).
    pub fn full_name(&self) -> String {
        format!("{REGISTRY_PREFIX}{self}")
    }

    /// Reads the name of a registry's project; `None` if it hasn't the prefix and so names no registry.
    pub fn from_full_name(full_name: &str) -> Option<Result<Self, NameError>> {
        full_name.strip_prefix(REGISTRY_PREFIX).map(Self::parse)
    }
}

/// A collection that versions are linked into: 1 to 128 characters without `/ : \` or control characters (rule 25).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryCollectionName(String);

impl RegistryCollectionName {
    /// Takes the name without the white space around it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        const KIND: Kind = Kind {
            thing: "collection name",
            advice: "Use 1 to 128 characters without \"/\", \":\", \"\\\" or control characters.",
        };
        // Spaces only: a line break at the end is a mistake to be told, not to be mended.
        let name = text.trim_matches(|c: char| c.is_whitespace() && !c.is_control());
        KIND.length(name, MAX_CHARS)?;
        KIND.without(name, &['/', ':', '\\'])?;
        Ok(Self(name.to_owned()))
    }

    /// The name as it is stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegistryCollectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Equal for two names that are the same but for case or Unicode normalization (rules 1 and 19).
///
/// Each letter goes through upper case to lower case, so that letters with two lower-case forms (`σ`, `ς`) meet,
/// between two compatibility normalizations (NFKC). Applying it again changes nothing.
pub fn name_key(name: &str) -> String {
    let mut key = name.to_owned();
    // One pass is enough for nearly every text. A few letters decompose into others that fold once more.
    for _ in 0..4 {
        let folded: String = key.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
        if folded == key {
            break;
        }
        key = folded;
    }
    key
}

/// The nine characters of `[A-Z0-9]` that make a fitted entity name its own (rule 19).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntitySuffix(String);

impl EntitySuffix {
    /// Nine characters from nine random bytes: the bytes are one 72-bit number, its last nine digits to the base 36
    /// are the suffix. 36⁹ suffixes share 2⁷² numbers, so no suffix is likelier than another by more than 2⁻²⁵.
    pub fn from_random(bytes: [u8; 9]) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        let mut suffix = String::with_capacity(9);
        for _ in 0..9 {
            suffix.push(char::from(DIGITS[(number % 36) as usize]));
            number /= 36;
        }
        Self(suffix)
    }

    /// The nine characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The display name as an entity name, if it fits that grammar as it is (rule 19).
pub fn display_as_entity(display: &DisplayName) -> Option<EntityName> {
    EntityName::parse(display.as_str()).ok()
}

/// An entity name made from a display name that is taken or doesn't fit: its letters without accents, digits, `_`
/// and `.`, one `-` for whatever else stands between them, then `_` and the suffix (rule 19).
pub fn fitted_entity_name(display: &DisplayName, suffix: &EntitySuffix) -> EntityName {
    let most = MAX_CHARS - 1 - suffix.0.len();
    let mut fitted = String::with_capacity(MAX_CHARS);
    for c in display.as_str().nfkd() {
        if fitted.len() == most {
            break;
        }
        if unicode_normalization::char::is_combining_mark(c) || matches!(c, '\'' | '’') {
            continue;
        }
        if is_word(c) && c != '-' {
            if c.is_ascii_alphanumeric() || !fitted.is_empty() {
                fitted.push(c);
            }
        } else if !fitted.is_empty() && !fitted.ends_with('-') {
            fitted.push('-');
        }
    }
    let fitted = match fitted.trim_end_matches('-') {
        // Nothing of it can be written in ASCII.
        "" => "org",
        fitted => fitted,
    };
    EntityName(format!("{fitted}_{}", suffix.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Parses into any name type and shows the outcome, so that one table serves them all.
    fn accepts<T>(parse: fn(&str) -> Result<T, NameError>, good: &[&str], bad: &[&str]) {
        for name in good {
            assert!(parse(name).is_ok(), "{name:?} should be accepted");
        }
        for name in bad {
            assert!(parse(name).is_err(), "{name:?} should be refused");
        }
    }

    fn chars(c: char, n: usize) -> String {
        std::iter::repeat_n(c, n).collect()
    }

    #[test]
    fn rule_19_entity_names() {
        accepts(
            EntityName::parse,
            &["a", "9", "Alice", "a_b.c-d", "a-", "a.", &chars('a', 128)],
            &["", "_a", ".a", "-a", "a b", " a", "a\n", "a/b", "é", "aé", "a:b", &chars('a', 129)],
        );
    }

    #[test]
    fn rule_19_display_names() {
        accepts(
            DisplayName::parse,
            &["Review Co", "Müller & Söhne", "研究所", "a", &chars('é', 128)],
            &["", " ", " a", "a ", "a\u{3000}", "a\tb", "a\nb", "a\0", &chars('é', 129)],
        );
    }

    #[test]
    fn rule_1_registry_names() {
        accepts(
            RegistryName::parse,
            &["model", "Model Registry", "a.b-c_d", "モデル", "&", &chars('é', 113)],
            &[
                "",
                " a",
                "a ",
                "a/b",
                "a\\b",
                "a#b",
                "a?b",
                "a%b",
                "a:b",
                "a\rb",
                "a\nb",
                "a\u{7f}",
                "a\u{85}b",
                "a\0",
                &chars('a', 114),
            ],
        );
        let name = RegistryName::parse("Model Registry").unwrap();
        assert_eq!(name.full_name(), "wandb-registry-Model Registry");
        assert_eq!(RegistryName::from_full_name(&name.full_name()), Some(Ok(name)));
        assert_eq!(RegistryName::from_full_name("Wandb-registry-x"), None);
        assert!(RegistryName::from_full_name("wandb-registry-").unwrap().is_err());
        assert_eq!(RegistryName::parse(&chars('a', 113)).unwrap().full_name().len(), 128);
    }

    #[test]
    fn project_names() {
        accepts(
            ProjectName::parse,
            &["p", "my project", "wandb-registry", "wandb-registry_x", "...", ".a", &chars('é', 128)],
            &[
                "",
                ".",
                "..",
                "a/b",
                "a\\b",
                "a#b",
                "a?b",
                "a%b",
                "a:b",
                "a\rb",
                "a\nb",
                "wandb-registry-x",
                "wandb-registry-",
                &chars('a', 129),
            ],
        );
    }

    #[test]
    fn rule_6_type_names() {
        accepts(
            ArtifactTypeName::parse,
            &["model", "Model", "my type", "wandb-history", "job", "データ", &chars('é', 128)],
            &["", "a/b", "a:b", "a\nb", "a\0", &chars('a', 129)],
        );
        assert_ne!(ArtifactTypeName::parse("model"), ArtifactTypeName::parse("Model"));
    }

    #[test]
    fn rule_25_collection_names() {
        accepts(
            SourceCollectionName::parse,
            &["net", "A_b.c-9", "-", &chars('a', 128)],
            &["", "a b", "a/b", "a:b", "a\n", "é", &chars('a', 129)],
        );
        accepts(
            RegistryCollectionName::parse,
            &["Example ML Task", "a#b?c%d", "モデル", &chars('é', 128), &format!(" {} ", chars('a', 128))],
            &["", "  ", "a/b", "a:b", "a\\b", "a\nb", "a\n", "\ta", "a\0", &chars('a', 129)],
        );
        assert_eq!(RegistryCollectionName::parse("  Example ML Task ").unwrap().as_str(), "Example ML Task");
    }

    #[test]
    fn rule_34_tags() {
        accepts(
            TagName::parse,
            &["a", "A_b-9", "blue sky", "a  b", "-", "_", "données-2", "モデル", &chars('é', 128)],
            &["", " ", " a", "a ", "a\n", "a\tb", "a/b", "a.b", "a:b", "a\u{a0}b", "a\0", &chars('a', 129)],
        );
    }

    #[test]
    fn run_ids() {
        accepts(
            RunName::parse,
            &["1a2b3c4d", "my run", "run.1", &chars('é', 128)],
            &["", ".", "..", " a", "a ", "a/b", "a\\b", "a#b", "a?b", "a%b", "a:b", "a\nb", &chars('a', 129)],
        );
    }

    #[test]
    fn rule_29_aliases() {
        accepts(
            CustomAlias::parse,
            &["staging", "v", "v1a", "v1.0", "V1", "1", "Latest", "bêta", "a b", &chars('é', 128)],
            &["", "latest", "v0", "v1", "v007", "v99999999999999999999", "v٣", "a/b", "a:b", "a\nb", &chars('a', 129)],
        );
    }

    #[test]
    fn an_error_names_the_thing_the_problem_and_the_remedy() {
        assert_eq!(
            RegistryName::parse("a/b").unwrap_err().to_string(),
            "The registry name \"a/b\" contains \"/\". Use 1 to 113 characters, none of / \\ # ? % : and no control \
             character, with spaces only inside."
        );
        let error = CustomAlias::parse("v3").unwrap_err().to_string();
        assert!(error.starts_with("The alias \"v3\" reads as a version number. Use "), "{error}");
        let error = EntityName::parse(&chars('x', 1_000_000)).unwrap_err().to_string();
        assert!(error.len() < 300, "a long name is shortened");
        let error = SourceCollectionName::parse("a\r\nb").unwrap_err().to_string();
        assert!(!error.contains(['\r', '\n']), "control characters are escaped");
    }

    #[test]
    fn rule_1_twins_have_one_key() {
        for (a, b) in [
            ("Model", "model"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("ｍｏｄｅｌ", "model"),
            ("ΟΔΟΣ", "οδος"),
            ("ΟΔΟΣ", "οδοσ"),
            ("straße", "STRASSE"),
            ("ﬁle", "File"),
        ] {
            assert_eq!(name_key(a), name_key(b), "{a} {b}");
        }
        for (a, b) in [("model", "models"), ("a b", "ab"), ("e", "é"), ("a-b", "a_b")] {
            assert_ne!(name_key(a), name_key(b), "{a} {b}");
        }
    }

    #[test]
    fn the_key_of_every_character_is_its_own_key() {
        for c in '\0'..=char::MAX {
            let key = name_key(c.encode_utf8(&mut [0; 4]));
            assert_eq!(name_key(&key), key, "{c:?}");
            let upper: String = c.to_uppercase().collect();
            assert_eq!(name_key(&upper), key, "{c:?}");
        }
    }

    #[test]
    fn rule_19_fitted_names() {
        let suffix = EntitySuffix::from_random([0; 9]);
        assert_eq!(suffix.as_str(), "000000000");
        let fitted = |display: &str| fitted_entity_name(&DisplayName::parse(display).unwrap(), &suffix).to_string();
        assert_eq!(fitted("reviewco"), "reviewco_000000000");
        assert_eq!(fitted("Review Co"), "Review-Co_000000000");
        assert_eq!(fitted("Müller & Söhne"), "Muller-Sohne_000000000");
        assert_eq!(fitted("Bob's"), "Bobs_000000000");
        assert_eq!(fitted("_.-x"), "x_000000000");
        assert_eq!(fitted("研究所"), "org_000000000");
        assert_eq!(fitted("!!!"), "org_000000000");
        assert_eq!(fitted(&chars('a', 128)).len(), 128);
    }

    #[test]
    fn rule_19_a_display_name_of_the_grammar_is_the_entity_name() {
        let entity = |display: &str| display_as_entity(&DisplayName::parse(display).unwrap());
        assert_eq!(entity("reviewco").unwrap().as_str(), "reviewco");
        assert_eq!(entity("Review Co"), None);
        assert_eq!(entity("-reviewco"), None);
    }

    #[test]
    fn every_suffix_character_is_about_as_likely() {
        // 36 buckets of 9 × 20,000 draws from a simple generator; a byte taken modulo 36 would put 14 % more
        // into the first four than into the others.
        let mut state = 1u64;
        let mut seen = [0u32; 128];
        for _ in 0..20_000 {
            let mut bytes = [0; 9];
            for byte in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 56) as u8;
            }
            for c in EntitySuffix::from_random(bytes).as_str().bytes() {
                seen[usize::from(c)] += 1;
            }
        }
        let counts: Vec<u32> = (b'0'..=b'9').chain(b'A'..=b'Z').map(|c| seen[usize::from(c)]).collect();
        assert_eq!(counts.iter().sum::<u32>(), 180_000);
        assert!(counts.iter().all(|n| (4_650..5_350).contains(n)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn rule_1_keys_are_idempotent_and_blind_to_case(name in any::<String>()) {
            let key = name_key(&name);
            prop_assert_eq!(name_key(&key), key.clone());
            prop_assert_eq!(name_key(&name.nfd().collect::<String>()), key.clone());
            prop_assert_eq!(name_key(&name.to_uppercase()), name_key(&name.to_lowercase()));
        }

        #[test]
        fn rule_1_ascii_twins_have_one_key(name in "[ -~]{0,40}") {
            prop_assert_eq!(name_key(&name), name.to_ascii_lowercase());
            prop_assert_eq!(name_key(&name.to_ascii_uppercase()), name_key(&name));
        }

        #[test]
        fn rule_19_a_fitted_name_is_an_entity_name(display in any::<String>(), bytes in any::<[u8; 9]>()) {
            if let Ok(display) = DisplayName::parse(display.trim()) {
                let suffix = EntitySuffix::from_random(bytes);
                let fitted = fitted_entity_name(&display, &suffix);
                prop_assert_eq!(EntityName::parse(fitted.as_str()), Ok(fitted.clone()));
                let ending = format!("_{}", suffix.as_str());
                prop_assert!(fitted.as_str().ends_with(&ending));
                prop_assert_eq!(suffix.as_str().len(), 9);
            }
        }

        #[test]
        fn what_is_accepted_is_kept(name in "\\PC{0,130}") {
            if let Ok(parsed) = RegistryName::parse(&name) {
                prop_assert_eq!(parsed.as_str(), &name);
            }
            if let Ok(parsed) = RegistryCollectionName::parse(&name) {
                prop_assert_eq!(RegistryCollectionName::parse(parsed.as_str()), Ok(parsed.clone()));
                prop_assert_eq!(parsed.as_str(), name.trim());
            }
        }
    }
}
