//! Which artifact types a registry takes (rules 4 to 6).

use crate::names::{ArtifactTypeName, NameError};

/// The types a registry is created with (rule 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowList {
    /// Every type.
    All,
    /// These and no others; at least one.
    Only(Vec<ArtifactTypeName>),
}

/// Which types a registry takes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedTypes {
    /// Every type is taken, whatever is saved.
    pub allow_all: bool,
    /// The saved types, each once. Nothing is ever removed from them (rule 5).
    pub saved: Vec<ArtifactTypeName>,
}

/// What an update asks for; `None` is no change (rule 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypesChange {
    /// Whether all types are to be taken.
    pub allow_all: Option<bool>,
    /// Types to be saved besides those that are.
    pub add: Option<Vec<ArtifactTypeName>>,
}

/// Why a change of the types is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypesError {
    /// Types were to be added while every type is taken (rule 5).
    #[error(
        "The artifact type \"{0}\" can't be added because the registry allows all types. Turn \"allow all types\" off \
         in the same change to restrict it to a list."
    )]
    AllAllowed(ArtifactTypeName),
}

impl AllowList {
    /// The list at creation: absent or empty means every type (rule 4).
    pub fn at_creation(types: Option<&[ArtifactTypeName]>) -> Self {
        match types {
            None | Some([]) => Self::All,
            Some(types) => Self::Only(union([types])),
        }
    }
}

impl From<AllowList> for AllowedTypes {
    fn from(list: AllowList) -> Self {
        match list {
            AllowList::All => Self { allow_all: true, saved: Vec::new() },
            AllowList::Only(saved) => Self { allow_all: false, saved },
        }
    }
}

impl AllowedTypes {
    /// Whether a version of this type may be linked; case matters (rule 6).
    pub fn allows(&self, name: &ArtifactTypeName) -> bool {
        self.allow_all || self.saved.contains(name)
    }

    /// The types that the registry lists: the saved ones and, while all are allowed, those in use (rule 5).
    pub fn listed(&self, in_use: &[ArtifactTypeName]) -> Vec<ArtifactTypeName> {
        if self.allow_all { union([self.saved.as_slice(), in_use]) } else { self.saved.clone() }
    }
}

/// The types after a change (rule 5). `in_use` are the types of the registry's collections at that moment: they are
/// saved when "all" is turned off, so that nothing stored lies outside the list.
///
/// A type that is saved already is no addition.
pub fn updated(current: &AllowedTypes, in_use: &[ArtifactTypeName], change: &TypesChange) -> Result<AllowedTypes, TypesError> {
    let add = change.add.as_deref().unwrap_or_default();
    let allow_all = change.allow_all.unwrap_or(current.allow_all);
    if allow_all {
        return match add.iter().find(|name| !current.saved.contains(name)) {
            Some(name) => Err(TypesError::AllAllowed(name.clone())),
            None => Ok(AllowedTypes { allow_all, saved: current.saved.clone() }),
        };
    }
    let in_use = if current.allow_all { in_use } else { &[] };
    Ok(AllowedTypes { allow_all, saved: union([current.saved.as_slice(), in_use, add]) })
}

/// A type as it may stand in a registry's list: none of those that are the SDK's own by name alone (rule 6).
pub fn listed_type(name: &str) -> Result<ArtifactTypeName, NameError> {
    let parsed = ArtifactTypeName::parse(name)?;
    if is_own_type(&parsed) { Err(NameError::sdk_type(&parsed)) } else { Ok(parsed) }
}

fn is_own_type(name: &ArtifactTypeName) -> bool {
    name.as_str() == "job" || name.as_str().starts_with("wandb-")
}

/// Every name once, in the order of its first place.
fn union<const N: usize>(lists: [&[ArtifactTypeName]; N]) -> Vec<ArtifactTypeName> {
    let mut seen = std::collections::HashSet::new();
    lists.into_iter().flatten().filter(|name| seen.insert(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(list: &[&str]) -> Vec<ArtifactTypeName> {
        list.iter().map(|name| ArtifactTypeName::parse(name).unwrap()).collect()
    }

    fn all(saved: &[&str]) -> AllowedTypes {
        AllowedTypes { allow_all: true, saved: names(saved) }
    }

    fn only(saved: &[&str]) -> AllowedTypes {
        AllowedTypes { allow_all: false, saved: names(saved) }
    }

    fn change(allow_all: Option<bool>, add: Option<&[&str]>) -> TypesChange {
        TypesChange { allow_all, add: add.map(names) }
    }

    #[test]
    fn rule_4_no_list_means_every_type() {
        assert_eq!(AllowList::at_creation(None), AllowList::All);
        assert_eq!(AllowList::at_creation(Some(&[])), AllowList::All);
        assert_eq!(AllowedTypes::from(AllowList::All), all(&[]));
        let list = AllowList::at_creation(Some(&names(&["model", "dataset", "model"])));
        assert_eq!(list, AllowList::Only(names(&["model", "dataset"])));
        assert_eq!(AllowedTypes::from(list), only(&["model", "dataset"]));
    }

    #[test]
    fn rule_5_updates() {
        let used = names(&["model", "run_table"]);
        for (current, asked, expected) in [
            // Null is no change.
            (all(&["a"]), change(None, None), Some(all(&["a"]))),
            (only(&["a"]), change(None, None), Some(only(&["a"]))),
            (only(&["a"]), change(Some(false), Some(&[])), Some(only(&["a"]))),
            // A list grows by what is new, whatever is in use.
            (only(&["a"]), change(None, Some(&["b", "a", "b"])), Some(only(&["a", "b"]))),
            // Adding while all are allowed is refused, before or after the change.
            (all(&["a"]), change(None, Some(&["b"])), None),
            (all(&[]), change(Some(true), Some(&["b"])), None),
            (only(&["a"]), change(Some(true), Some(&["b"])), None),
            (all(&["a"]), change(None, Some(&["a"])), Some(all(&["a"]))),
            (all(&["a"]), change(None, Some(&[])), Some(all(&["a"]))),
            // Turning it off saves what is in use.
            (all(&["a"]), change(Some(false), None), Some(only(&["a", "model", "run_table"]))),
            (all(&["model"]), change(Some(false), Some(&["b"])), Some(only(&["model", "run_table", "b"]))),
            // Turning it on keeps the list.
            (only(&["a"]), change(Some(true), None), Some(all(&["a"]))),
        ] {
            assert_eq!(updated(&current, &used, &asked).ok(), expected, "{current:?} {asked:?}");
        }
        let error = updated(&all(&[]), &[], &change(None, Some(&["b"]))).unwrap_err().to_string();
        assert!(error.contains("\"b\"") && error.contains("allows all types"), "{error}");
    }

    #[test]
    fn rule_5_the_list_shows_what_is_in_use_while_all_are_allowed() {
        assert_eq!(all(&["a"]).listed(&names(&["b", "a"])), names(&["a", "b"]));
        assert_eq!(only(&["a"]).listed(&names(&["b"])), names(&["a"]));
    }

    #[test]
    fn rule_6_allowing_minds_case() {
        let name = |name| ArtifactTypeName::parse(name).unwrap();
        assert!(all(&[]).allows(&name("anything")));
        assert!(only(&["model"]).allows(&name("model")));
        assert!(!only(&["model"]).allows(&name("Model")));
        assert!(!only(&[]).allows(&name("model")));
    }

    #[test]
    fn rule_6_the_sdks_own_types() {
        for name in ["wandb-history", "wandb-", "job", "a/b", "a:b", ""] {
            assert!(listed_type(name).is_err(), "{name}");
        }
        for name in ["model", "Job", "jobs", "wandb", "code", "run_table", "Wandb-x"] {
            assert_eq!(listed_type(name).unwrap().as_str(), name);
        }
    }

    proptest! {
        #[test]
        fn rule_5_saved_types_only_grow_and_what_is_in_use_stays_allowed(
            saved in proptest::collection::vec("[a-d]", 0..4),
            in_use in proptest::collection::vec("[a-f]", 0..4),
            add in proptest::option::of(proptest::collection::vec("[c-h]", 0..4)),
            allow_all in any::<bool>(),
            asked in any::<Option<bool>>(),
        ) {
            let parse = |list: &[String]| list.iter().map(|n| ArtifactTypeName::parse(n).unwrap()).collect::<Vec<_>>();
            let current = AllowedTypes { allow_all, saved: union([parse(&saved).as_slice()]) };
            // What is stored was allowed when it came.
            let in_use: Vec<_> = parse(&in_use).into_iter().filter(|name| current.allows(name)).collect();
            let asked = TypesChange { allow_all: asked, add: add.as_deref().map(parse) };
            if let Ok(next) = updated(&current, &in_use, &asked) {
                prop_assert!(current.saved.iter().all(|name| next.saved.contains(name)));
                prop_assert!(in_use.iter().all(|name| next.allows(name)));
                prop_assert!(asked.add.iter().flatten().all(|name| next.saved.contains(name)));
                prop_assert_eq!(union([next.saved.as_slice()]), next.saved);
            } else {
                prop_assert!(asked.allow_all.unwrap_or(allow_all));
            }
        }
    }
}
