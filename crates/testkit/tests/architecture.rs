//! The shape of the workspace: which crate may name which, what only one of them knows, how long a file may be. What must
//! not live here: anything that runs the product.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test that can't go on says why and ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates from the bottom up: each may name those of lower layers and none of its own or higher ones.
const LAYERS: [&[&str]; 6] = [
    &["regalia-domain"],
    &["regalia-store", "regalia-blobs"],
    &["regalia-service"],
    &["regalia-graphql"],
    &["regalia-server"],
    &["regalia-testkit"],
];

/// What the domain crate may be built from: rules on values, without async, IO, clock, SQL or a protocol.
const PURE: [&str; 10] =
    ["base64", "chrono", "hex", "md-5", "regex-syntax", "serde", "serde_json", "sha2", "thiserror", "unicode-normalization"];

/// Most lines of a file without its tests: beyond it the file holds two things.
const LONGEST: usize = 600;

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().expect("there are packages")
}

/// A package's dependencies as (name, kind): `normal`, `dev` or `build`.
fn dependencies(package: &Value) -> impl Iterator<Item = (&str, &str)> {
    let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
    dependencies.iter().map(|dependency| (text(&dependency["name"]), dependency["kind"].as_str().unwrap_or("normal")))
}

fn layer(name: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&name))
        .unwrap_or_else(|| panic!("{name} has no layer: give it one in this test"))
}

#[test]
fn imports_go_one_way() {
    let metadata = metadata();
    let names: BTreeSet<&str> = packages(&metadata).iter().map(|package| text(&package["name"])).collect();
    let layered: BTreeSet<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    assert_eq!(names, layered, "the workspace and this test's layers differ");
    for package in packages(&metadata) {
        let name = text(&package["name"]);
        for (other, kind) in dependencies(package).filter(|(other, _)| names.contains(other)) {
            let allowed = kind != "normal" && other == "regalia-testkit" || layer(other) < layer(name);
            assert!(allowed, "{name} names {other}, which is not below it");
        }
    }
}

#[test]
fn the_test_kit_is_nobodys_normal_dependency() {
    let metadata = metadata();
    for package in packages(&metadata) {
        for (other, kind) in dependencies(package).filter(|(other, _)| *other == "regalia-testkit") {
            assert_eq!(kind, "dev", "{} names {other}", text(&package["name"]));
        }
        let publish = package["publish"].as_array().map(Vec::len);
        assert!(text(&package["name"]) != "regalia-testkit" || publish == Some(0), "the test kit must not be published");
    }
}

#[test]
fn sqlx_is_known_to_the_store_alone() {
    let metadata = metadata();
    let knowing: BTreeSet<&str> = packages(&metadata)
        .iter()
        .filter(|package| dependencies(package).any(|(other, _)| other == "sqlx"))
        .map(|package| text(&package["name"]))
        .collect();
    assert_eq!(knowing, BTreeSet::from(["regalia-store", "regalia-testkit"]));
}

#[test]
fn the_domain_is_pure() {
    let metadata = metadata();
    let domain = packages(&metadata).iter().find(|package| package["name"] == "regalia-domain").expect("there is a domain crate");
    let normal: BTreeSet<&str> = dependencies(domain).filter(|(_, kind)| *kind == "normal").map(|(name, _)| name).collect();
    let more: Vec<&&str> = normal.iter().filter(|name| !PURE.contains(*name)).collect();
    assert!(more.is_empty(), "the domain crate got {more:?}: rules need no async, IO, clock, SQL or protocol");
}

/// The Rust files of every crate's `src`, by path.
fn sources() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates have a directory");
    let mut next: Vec<PathBuf> =
        std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")).filter(|path| path.is_dir()).collect();
    let mut files = Vec::new();
    while let Some(directory) = next.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                next.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 80, "these are not all sources: {files:?}");
    files
}

/// How many lines a file has before its tests.
fn length(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
    tests.unwrap_or(lines.len())
}

#[test]
fn a_file_holds_one_thing_and_says_which() {
    let mut wrong = Vec::new();
    for path in sources() {
        let source = std::fs::read_to_string(&path).unwrap();
        let lines = length(&source);
        // A file that is all tests is its neighbour's tests.
        let tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if lines > LONGEST && !tests {
            wrong.push(format!("{} has {lines} lines without its tests", path.display()));
        }
        if !source.starts_with("//! ") && !tests {
            wrong.push(format!("{} doesn't begin with what lives there", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_are_not_counted() {
    assert_eq!(length("a\nb\n\n#[cfg(test)]\nmod tests {\n    c\n}\n"), 3);
    assert_eq!(length("a\n#[cfg(test)]\nuse b;\nc\n"), 4);
}
