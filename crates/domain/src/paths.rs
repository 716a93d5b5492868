//! Paths: of an entry inside a version (rule 37), of a run's file (rule 47) and of a link's target (rule 20).

use std::fmt;

use crate::names::{EntityName, NameError, ProjectName, REGISTRY_PREFIX, RegistryCollectionName, RegistryName};
use crate::text::quoted;

/// The longest entry path, in bytes (rule 37).
pub const MAX_ENTRY_PATH: usize = 4096;

/// A path that doesn't fit its rule, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// An entry path that could lead out of the directory it is written to (rule 37).
    #[error("The entry path {path} {problem}. Entry paths are relative, with \"/\" between their parts.")]
    Entry {
        /// The path, quoted and shortened.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A run's file that could be written elsewhere than below the directory it is downloaded to.
    #[error("The file name {name} {problem}. Files of a run have relative names, with \"/\" between their parts.")]
    RunFile {
        /// The name, quoted and shortened.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A target with too many parts, or with none (rule 20).
    #[error(
        "The target path {path} has {parts} parts. Use wandb-registry-REGISTRY/COLLECTION, \
         ORGANIZATION/wandb-registry-REGISTRY/COLLECTION, ENTITY/PROJECT/COLLECTION, PROJECT/COLLECTION or COLLECTION."
    )]
    Target {
        /// The path, quoted and shortened.
        path: String,
        /// How many parts it has.
        parts: usize,
    },
    /// An organization's part that is empty (rule 20).
    #[error("The target path {0} has no organization before its first \"/\". Name it, or leave the \"/\" out.")]
    NoOrganization(String),
    /// A registry without a collection (rule 20).
    #[error("The target path {0} names a registry and no collection in it. Add \"/COLLECTION\".")]
    NoCollection(String),
    /// A part that is no name of its kind.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The path of an entry in a version: relative, `/` between its parts, at most 4,096 bytes; no empty, `.` or `..`
/// part, no drive letter, backslash or control character (rule 37). Taken literally: nothing in it is decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(String);

impl EntryPath {
    /// Takes the path if it fits the rule.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match entry_problem(text) {
            None => Ok(Self(text.to_owned())),
            Some(problem) => Err(PathError::Entry { path: quoted(text), problem }),
        }
    }

    /// The path as it is stored and served.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a run's file (rule 47): as an [`EntryPath`], but with backslashes, which SDKs make of what a value is called
/// (`$\alpha$`). Where they divide paths, it leads nowhere else either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilePath(String);

impl RunFilePath {
    /// Takes the path if it fits the rule.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match problem(text, &['/', '\\']) {
            None => Ok(Self(text.to_owned())),
            Some(problem) => Err(PathError::RunFile { name: quoted(text), problem }),
        }
    }

    /// The path as it is stored and served.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn entry_problem(path: &str) -> Option<&'static str> {
    if path.contains('\\') { Some("contains a backslash") } else { problem(path, &['/']) }
}

/// What is wrong with a relative path of parts between these separators.
fn problem(path: &str, separators: &[char]) -> Option<&'static str> {
    if path.is_empty() {
        return Some("is empty");
    }
    if path.len() > MAX_ENTRY_PATH {
        return Some("is longer than 4,096 bytes");
    }
    if path.starts_with('/') {
        return Some("begins with \"/\"");
    }
    if path.chars().any(char::is_control) {
        return Some("contains a control character");
    }
    if matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Some("begins with a drive letter");
    }
    path.split(separators).find_map(|part| match part {
        "" => Some("has an empty part"),
        "." | ".." => Some("has a part \".\" or \"..\""),
        _ => None,
    })
}

/// Where a link goes (rule 20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPath {
    /// A collection in a registry.
    Registry {
        /// The organization's display name or entity name; absent: the source version's organization.
        organization: Option<String>,
        /// The registry, without its prefix.
        registry: RegistryName,
        /// The collection.
        collection: RegistryCollectionName,
    },
    /// A collection in a project.
    Project {
        /// The team or user; absent: the current one.
        entity: Option<EntityName>,
        /// The project; absent: the current one.
        project: Option<ProjectName>,
        /// The collection.
        collection: RegistryCollectionName,
    },
}

impl TargetPath {
    /// Reads `wandb-registry-R/C`, `ORG/wandb-registry-R/C`, `entity/project/collection`, `project/collection` (in the
    /// current entity) or `collection` (in the current project). The next to last part decides whether it is a
    /// registry. Which organizations exist is not asked here.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let parts: Vec<&str> = text.splitn(5, '/').collect();
        let (owner, home, collection) = match parts[..] {
            [collection] => (None, None, collection),
            [home, collection] => (None, Some(home), collection),
            [owner, home, collection] => (Some(owner), Some(home), collection),
            _ => {
                let parts = text.split('/').count();
                return Err(PathError::Target { path: quoted(text), parts });
            }
        };
        if let Some(registry) = home.and_then(|home| home.strip_prefix(REGISTRY_PREFIX)) {
            if owner.is_some_and(|owner| owner.trim().is_empty()) {
                return Err(PathError::NoOrganization(quoted(text)));
            }
            return Ok(Self::Registry {
                organization: owner.map(str::to_owned),
                registry: RegistryName::parse(registry)?,
                collection: RegistryCollectionName::parse(collection)?,
            });
        }
        Self::in_project(owner, home, collection, text)
    }

    /// A collection of a project by its parts; `text` is what an error shows.
    ///
    /// # Errors
    /// Also for a collection with the name of a registry: whoever names it has forgotten the collection.
    pub fn in_project(entity: Option<&str>, project: Option<&str>, collection: &str, text: &str) -> Result<Self, PathError> {
        if collection.starts_with(REGISTRY_PREFIX) {
            return Err(PathError::NoCollection(quoted(text)));
        }
        Ok(Self::Project {
            entity: entity.map(EntityName::parse).transpose()?,
            project: project.map(ProjectName::parse).transpose()?,
            collection: RegistryCollectionName::parse(collection)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule_37_entry_paths() {
        let longest = "x".repeat(MAX_ENTRY_PATH);
        for path in [
            "a",
            "a/b",
            "my file (1).txt",
            " a ",
            "ünï/cödé",
            "モデル/重み.bin",
            "...",
            "a..b",
            "..a",
            ".hidden",
            "a/.b",
            "%2e%2e/a",
            "12:30:00.log",
            "aa:b",
            "1:b",
            "a/c:/b",
            "~",
            "con",
            &longest,
        ] {
            assert_eq!(EntryPath::parse(path).unwrap().as_str(), path);
        }
        for path in [
            "",
            "/",
            "/a",
            "//a",
            "a//b",
            "a/",
            ".",
            "..",
            "./a",
            "a/.",
            "../a",
            "a/../b",
            "a/..",
            "\\a",
            "a\\b",
            "..\\a",
            "C:",
            "C:/a",
            "c:a",
            "a:b:c",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}",
            &format!("{longest}x"),
            &"é".repeat(2049),
        ] {
            assert!(EntryPath::parse(path).is_err(), "{path:?}");
        }
        let error = EntryPath::parse("../\n").unwrap_err().to_string();
        assert!(error.contains(r#""../\n""#), "{error}");
    }

    #[test]
    fn rule_47_names_of_runs_files() {
        for name in ["a", "media/html/$\\alpha$_0_1f.html", "a\\b/c", "media/a:b.png", "..a\\b"] {
            assert_eq!(RunFilePath::parse(name).unwrap().as_str(), name);
        }
        for name in
            ["", "/a", "\\a", "a\\", "a//b", "a\\\\b", "a/\\b", "..\\a", "a\\..\\b", "a\\.", "../a", "C:\\a", "c:a", "a\nb"]
        {
            assert!(RunFilePath::parse(name).is_err(), "{name:?}");
        }
        let error = RunFilePath::parse("..\\a").unwrap_err().to_string();
        assert!(error.contains("has a part"), "{error}");
    }

    fn shown(path: &str) -> String {
        match TargetPath::parse(path) {
            Ok(TargetPath::Registry { organization, registry, collection }) => {
                format!("registry {} {registry} {collection}", organization.as_deref().unwrap_or("-"))
            }
            Ok(TargetPath::Project { entity, project, collection }) => format!(
                "project {} {} {collection}",
                entity.as_ref().map_or("-", EntityName::as_str),
                project.as_ref().map_or("-", ProjectName::as_str)
            ),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn rule_20_target_paths() {
        for (path, expected) in [
            ("wandb-registry-model/net", "registry - model net"),
            ("wandb-registry-My Models/Example ML Task", "registry - My Models Example ML Task"),
            ("Review Co/wandb-registry-model/net", "registry Review Co model net"),
            ("reviewco_ABC123XYZ/wandb-registry-model/ net ", "registry reviewco_ABC123XYZ model net"),
            ("team/project/net", "project team project net"),
            ("my project/net", "project - my project net"),
            ("net", "project - - net"),
            ("team/project/Example ML Task", "project team project Example ML Task"),
        ] {
            assert_eq!(shown(path), expected);
        }
        for path in [
            "",
            "/",
            "//",
            "a/b/c/d",
            "org/x/wandb-registry-model/net",
            "/wandb-registry-model/net",
            " /wandb-registry-model/net",
            "wandb-registry-model",
            "org/wandb-registry-model",
            "wandb-registry-/net",
            "wandb-registry-model/",
            "org/wandb-registry-model/",
            "wandb-registry-a:b/net",
            "team//net",
            "/project/net",
            "team/project/",
            "team/project/net:v1",
            "te am/project/net",
            "wandb-registry-model/net:staging",
        ] {
            assert!(TargetPath::parse(path).is_err(), "{path:?}");
        }
        assert!(shown("a/b/c/d/e/f").contains("has 6 parts"), "{}", shown("a/b/c/d/e/f"));
    }

    proptest! {
        #[test]
        fn rule_37_an_accepted_path_stays_below_its_directory(path in "[a-zC:./\\\\%\u{0}-\u{1f}é]{0,12}") {
            if let Ok(parsed) = EntryPath::parse(&path) {
                prop_assert_eq!(parsed.as_str(), &path);
                let parts: Vec<_> = std::path::Path::new(&path).components().collect();
                prop_assert!(parts.iter().all(|part| matches!(part, std::path::Component::Normal(_))));
                prop_assert_eq!(parts.len(), path.split('/').count());
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = EntryPath::parse(&text);
            let _ = TargetPath::parse(&text);
        }
    }
}
