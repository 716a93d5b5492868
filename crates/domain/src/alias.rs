//! Aliases: which ones a client may choose, which of them only admins change, and how `name:alias` is read.

use crate::names::{CustomAlias, NameError};
use crate::roles::{RegistryRole, Right};

/// The alias that follows the newest version by itself (rule 29).
pub const LATEST: &str = "latest";

/// What an alias in a path stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AliasRef {
    /// `latest` or an alias of somebody's choosing.
    Name(String),
    /// `v<index>`: the version with this index in the collection.
    Version(i64),
}

impl AliasRef {
    /// Reads the part after the colon.
    pub fn parse(text: &str) -> Self {
        match is_version_alias(text) {
            Some(index) => Self::Version(index),
            None => Self::Name(text.to_owned()),
        }
    }
}

/// The index in `v<index>`; `None` for other texts, for leading zeros and for what is no `i64`.
pub fn is_version_alias(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('v')?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    digits.parse().ok()
}

/// The aliases that a request really asks for: without `latest`, which moves by itself and may be named (rule 29),
/// each once, in the order given. `v<digits>` is refused.
pub fn requested_aliases<'a>(given: impl Iterator<Item = &'a str>) -> Result<Vec<CustomAlias>, NameError> {
    let mut seen = std::collections::HashSet::new();
    let mut aliases = Vec::new();
    for text in given {
        if text != LATEST && seen.insert(text) {
            aliases.push(CustomAlias::parse(text)?);
        }
    }
    Ok(aliases)
}

/// The aliases of a registry that only its admins set, move or remove, in any of its collections (rule 32). Each once, in
/// order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedAliases(Vec<String>);

impl ProtectedAliases {
    /// Most aliases of one registry.
    pub const MOST: usize = 100;

    /// A list that somebody chose. `latest` and `vN` aren't set by anybody, so they can't be protected.
    pub fn parse<'a>(given: impl Iterator<Item = &'a str>) -> Result<Self, NameError> {
        let names = given.map(|text| Ok(CustomAlias::parse(text)?.as_str().to_owned()));
        Ok(Self::stored(names.collect::<Result<_, NameError>>()?))
    }

    /// A list that was chosen before.
    pub fn stored(mut names: Vec<String>) -> Self {
        names.sort();
        names.dedup();
        Self(names)
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The first of these aliases that somebody of this role may not set, move or remove (rule 32). What is not changed needs
    /// no right: leave it out (rule 17).
    pub fn refused<'a>(&self, role: Option<RegistryRole>, changed: &'a [String]) -> Option<&'a str> {
        if role >= Some(Right::Administer.minimal_role()) {
            return None;
        }
        changed.iter().find(|alias| self.0.contains(alias)).map(String::as_str)
    }
}

/// Splits `collection:alias` at the first colon; without one the alias is `latest`. Neither part is checked.
pub fn split_versioned_name(text: &str) -> (String, String) {
    match text.split_once(':') {
        Some((collection, alias)) => (collection.to_owned(), alias.to_owned()),
        None => (text.to_owned(), LATEST.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_aliases() {
        for (text, index) in [
            ("v0", Some(0)),
            ("v1", Some(1)),
            ("v10", Some(10)),
            ("v9223372036854775807", Some(i64::MAX)),
            ("v9223372036854775808", None),
            ("v00", None),
            ("v01", None),
            ("v", None),
            ("v-1", None),
            ("v+1", None),
            ("v1 ", None),
            ("v1\n", None),
            ("V1", None),
            ("v1a", None),
            ("v٣", None),
            ("1", None),
            ("", None),
            ("latest", None),
        ] {
            assert_eq!(is_version_alias(text), index, "{text}");
        }
        assert_eq!(AliasRef::parse("v3"), AliasRef::Version(3));
        assert_eq!(AliasRef::parse("latest"), AliasRef::Name("latest".to_owned()));
        assert_eq!(AliasRef::parse("v03"), AliasRef::Name("v03".to_owned()));
    }

    #[test]
    fn rule_29_requested_aliases() {
        let asked = |list: &[&'static str]| {
            requested_aliases(list.iter().copied()).map(|aliases| aliases.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(asked(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(asked(&["latest", "latest"]).unwrap(), Vec::<String>::new());
        assert_eq!(asked(&["staging", "latest", "best", "staging"]).unwrap(), ["staging", "best"]);
        assert_eq!(asked(&["Latest", "LATEST"]).unwrap(), ["Latest", "LATEST"]);
        for bad in ["v1", "v007", "a/b", "a:b", ""] {
            assert!(asked(&["good", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn rule_32_protected_aliases_are_for_admins() {
        let list = ProtectedAliases::parse(["production", "best", "production"].into_iter()).unwrap();
        assert_eq!(list.names(), ["best", "production"]);
        let asked = ["staging", "production"].map(str::to_owned);
        for role in [None, Some(RegistryRole::RestrictedViewer), Some(RegistryRole::Viewer), Some(RegistryRole::Member)] {
            assert_eq!(list.refused(role, &asked), Some("production"), "{role:?}");
            assert_eq!(list.refused(role, &asked[..1]), None);
            assert_eq!(ProtectedAliases::default().refused(role, &asked), None);
        }
        assert_eq!(list.refused(Some(RegistryRole::Admin), &asked), None);
        for bad in ["latest", "v3", "", "a/b", "a:b"] {
            assert!(ProtectedAliases::parse(["good", bad].into_iter()).is_err(), "{bad}");
        }
    }

    #[test]
    fn versioned_names_split_at_the_first_colon() {
        let split = |text| {
            let (collection, alias) = split_versioned_name(text);
            format!("{collection}|{alias}")
        };
        assert_eq!(split("model:v3"), "model|v3");
        assert_eq!(split("model"), "model|latest");
        assert_eq!(split("model:a:b/c"), "model|a:b/c");
        assert_eq!(split("model:"), "model|");
        assert_eq!(split(":v0"), "|v0");
    }

    proptest! {
        #[test]
        fn every_index_has_one_alias(index in 0..=i64::MAX) {
            prop_assert_eq!(is_version_alias(&format!("v{index}")), Some(index));
        }

        #[test]
        fn rule_29_no_custom_alias_reads_as_a_version(text in "v?[0-9a-z]{1,8}") {
            if let Ok(alias) = CustomAlias::parse(&text) {
                prop_assert_eq!(AliasRef::parse(alias.as_str()), AliasRef::Name(text));
            }
        }
    }
}
