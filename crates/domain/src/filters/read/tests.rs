//! The language: what each operator finds, and what is refused with which sentence.

use proptest::prelude::*;

use super::*;
use crate::filters::{CollectionRow, CollectionTest, RegistryRow, RegistryTest, VersionRow, VersionState, VersionTest};
use crate::metadata::Metadata;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn set(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn registries() -> Vec<(&'static str, RegistryRow)> {
    let row = |id, name: &'static str, description: Option<&str>, created: &str| {
        (
            name,
            RegistryRow {
                id,
                name: name.to_owned(),
                entity_id: 40 + id,
                description: description.map(str::to_owned),
                created_at: time(created),
                updated_at: time("2026-01-01"),
            },
        )
    };
    vec![
        row(1, "model", Some("All models"), "2025-01-31 23:59:59"),
        row(2, "Model-2", None, "2025-02-01"),
        row(3, "dataset", Some(""), "2025-02-01 12:00:00"),
    ]
}

fn collections() -> Vec<(&'static str, CollectionRow)> {
    let row = |id, name: &'static str, tags: &[&str], description: Option<&str>| {
        let created_at = time("2025-02-01");
        let description = description.map(str::to_owned);
        (name, CollectionRow { id, name: name.to_owned(), tags: set(tags), description, created_at, updated_at: created_at })
    };
    vec![row(1, "net", &["prod", "vision"], None), row(2, "Net B", &["prod"], Some("x")), row(3, "other", &[], Some(""))]
}

fn versions() -> Vec<(&'static str, VersionRow)> {
    let row = |name, index: i64, tags: &[&str], aliases: &[&str], metadata: &str| {
        let metadata = Json::parse(&Metadata::parse(metadata).unwrap().index_text()).unwrap();
        let row = VersionRow {
            id: 100 + index,
            membership_id: 200 + index,
            index,
            state: VersionState::Committed,
            tags: set(tags),
            aliases: set(aliases),
            metadata,
            created_at: time("2025-02-01"),
            updated_at: time("2025-02-02"),
        };
        (name, row)
    };
    vec![
        row(
            "v0",
            0,
            &["prod", "fast"],
            &["best"],
            r#"{"acc":0.9,"seed":9007199254740993,"lang":["de","fr"],"x":{"y":[{"z":1}]}}"#,
        ),
        row("v1", 1, &["prod"], &[], r#"{"acc":"0.95","seed":9007199254740992,"lang":"de","ok":true,"note":null}"#),
        row("v10", 10, &[], &["latest", "staging"], r#"{"acc":1,"lang":[],"ok":false,"note":"Über alles","list":[null,2]}"#),
    ]
}

fn found<T: Target>(rows: &[(&'static str, T::Row)], text: &str) -> Vec<&'static str> {
    let filter = Filter::<T>::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(filter.clone().normal(), filter, "{text}");
    rows.iter().filter(|(_, row)| filter.matches(row)).map(|(name, _)| *name).collect()
}

fn expect<T: Target>(rows: &[(&'static str, T::Row)], table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(found::<T>(rows, text), *expected, "{text}");
        // $not and $nor are the rest, whatever is absent (rule 43).
        let rest: Vec<_> = rows.iter().map(|(name, _)| *name).filter(|name| !expected.contains(name)).collect();
        assert_eq!(found::<T>(rows, &format!("{{\"$not\": {text}}}")), rest, "$not {text}");
        assert_eq!(found::<T>(rows, &format!("{{\"$nor\": [{text}]}}")), rest, "$nor {text}");
        assert_eq!(found::<T>(rows, &format!("{{\"$and\": [{text}, {{}}]}}")), *expected, "$and {text}");
        assert_eq!(found::<T>(rows, &format!("{{\"$or\": [{text}]}}")), *expected, "$or {text}");
    }
}

#[test]
fn rule_43_registries() {
    expect::<RegistryTest>(
        &registries(),
        &[
            ("{}", &["model", "Model-2", "dataset"]),
            (r#"{"id": 1}"#, &["model"]),
            (r#"{"id": 1.0}"#, &["model"]),
            (r#"{"project_id": {"$gt": 1}}"#, &["Model-2", "dataset"]),
            (r#"{"id": {"$in": [1, 3, 3, -7]}}"#, &["model", "dataset"]),
            (r#"{"id": "UHJvamVjdDox"}"#, &["model"]),
            (r#"{"entity_id": {"$nin": [41]}}"#, &["Model-2", "dataset"]),
            // With and without the prefix, as the SDKs differ.
            (r#"{"name": "wandb-registry-model"}"#, &["model"]),
            (r#"{"name": "model"}"#, &["model"]),
            (r#"{"name": {"$in": ["wandb-registry-model", "dataset"]}}"#, &["model", "dataset"]),
            (r#"{"name": {"$ne": "wandb-registry-model"}}"#, &["Model-2", "dataset"]),
            (r#"{"name": {"$contains": "MODEL"}}"#, &["model", "Model-2"]),
            (r#"{"name": {"$contains": "wandb-registry-odel"}}"#, &["model", "Model-2"]),
            (r#"{"name": {"$contains": "registry"}}"#, &[]),
            (r#"{"name": {"$regex": "model"}}"#, &["model"]),
            (r#"{"name": {"$regex": "^wandb-registry-(?i:m)odel"}}"#, &["model", "Model-2"]),
            (r#"{"name": {"$regex": "(a+)+$"}}"#, &[]),
            (r#"{"name": {"$gte": "wandb-registry-a", "$lt": "m"}}"#, &["dataset"]),
            (r#"{"name": {"$not": {"$regex": "model"}}}"#, &["Model-2", "dataset"]),
            (r#"{"name": {"$exists": true}}"#, &["model", "Model-2", "dataset"]),
            (r#"{"name": {"$exists": false}}"#, &[]),
            (r#"{"name": {"$in": []}}"#, &[]),
            (r#"{"name": {"$nin": []}}"#, &["model", "Model-2", "dataset"]),
            // Rule 7: null and empty differ.
            (r#"{"description": null}"#, &["Model-2"]),
            (r#"{"description": ""}"#, &["dataset"]),
            (r#"{"description": {"$ne": ""}}"#, &["model", "Model-2"]),
            (r#"{"description": {"$ne": null}}"#, &["model", "dataset"]),
            (r#"{"description": {"$in": ["", null]}}"#, &["Model-2", "dataset"]),
            (r#"{"description": {"$nin": ["", null]}}"#, &["model"]),
            (r#"{"description": {"$nin": [""]}}"#, &["model", "Model-2"]),
            (r#"{"description": {"$exists": true}}"#, &["model", "dataset"]),
            (r#"{"description": {"$contains": ""}}"#, &["model", "dataset"]),
            (r#"{"description": {"$not": {"$contains": "models"}}}"#, &["Model-2", "dataset"]),
            (r#"{"created_at": {"$gte": "2025-02-01"}}"#, &["Model-2", "dataset"]),
            (r#"{"created_at": {"$lt": "2025-02-01"}}"#, &["model"]),
            (r#"{"created_at": {"$gt": "2025-02-01 00:00:00", "$lte": "2025-02-01T13:00:00+01:00"}}"#, &["dataset"]),
            (r#"{"created_at": "2025-02-01"}"#, &["Model-2"]),
            (r#"{"updated_at": {"$ne": "2026-01-01"}}"#, &[]),
            (r#"{"$or": [{"id": 1}, {"$and": [{"id": {"$gt": 1}}, {"name": "dataset"}]}]}"#, &["model", "dataset"]),
            (r#"{"id": {"$gt": 1}, "name": {"$contains": "o"}}"#, &["Model-2"]),
            (r#"{"$and": []}"#, &["model", "Model-2", "dataset"]),
            (r#"{"$or": []}"#, &[]),
            (r#"{"name": "dataset", "name": "model"}"#, &[]),
        ],
    );
    assert_eq!(Filter::<RegistryTest>::parse("null"), Ok(Filter::everything()));
    assert_eq!(Filter::<RegistryTest>::parse(" { } "), Ok(Filter::everything()));
}

#[test]
fn rule_43_collections() {
    expect::<CollectionTest>(
        &collections(),
        &[
            (r#"{"artifact_collection_id": 2}"#, &["Net B"]),
            (r#"{"id": {"$lte": 2}}"#, &["net", "Net B"]),
            (r#"{"collection_id": {"$in": [3]}}"#, &["other"]),
            (r#"{"name": {"$contains": "net"}}"#, &["net", "Net B"]),
            (r#"{"name": {"$regex": "^Net"}}"#, &["Net B"]),
            // One tag is enough; "not" means none.
            (r#"{"tag": "prod"}"#, &["net", "Net B"]),
            (r#"{"tag": {"$ne": "vision"}}"#, &["Net B", "other"]),
            (r#"{"tag": {"$nin": ["vision", "x"]}}"#, &["Net B", "other"]),
            (r#"{"tag": {"$in": ["vision", "x"]}}"#, &["net"]),
            (r#"{"tags": {"$all": ["vision", "prod"]}}"#, &["net"]),
            (r#"{"tag": {"$all": []}}"#, &[]),
            (r#"{"tag": {"$size": 1}}"#, &["Net B"]),
            (r#"{"tag": {"$exists": false}}"#, &["other"]),
            (r#"{"tag": ["vision", "prod", "prod"]}"#, &["net"]),
            (r#"{"tag": {"$eq": ["prod"]}}"#, &["Net B"]),
            (r#"{"tag": {"$ne": ["prod"]}}"#, &["net", "other"]),
            (r#"{"tag": {"$regex": "^v"}}"#, &["net"]),
            (r#"{"tag": {"$contains": "PRO"}}"#, &["net", "Net B"]),
            (r#"{"tag": {"$gt": "prod"}}"#, &["net"]),
            (r#"{"tag": {"$not": {"$gt": "prod"}}}"#, &["Net B", "other"]),
            (r#"{"tag": "prod", "description": null}"#, &["net"]),
        ],
    );
}

#[test]
fn rule_43_versions() {
    expect::<VersionTest>(
        &versions(),
        &[
            (r#"{"state": "COMMITTED"}"#, &["v0", "v1", "v10"]),
            (r#"{"state": {"$in": ["PENDING", "DELETED"]}}"#, &[]),
            (r#"{"version": "v1"}"#, &["v1"]),
            (r#"{"version": {"$gt": "v1"}}"#, &["v10"]),
            (r#"{"version_index": {"$lt": 10}}"#, &["v0", "v1"]),
            (r#"{"id": 110}"#, &["v10"]),
            (r#"{"alias": "latest"}"#, &["v10"]),
            (r#"{"alias": "v0"}"#, &[]),
            (r#"{"aliases": {"$nin": ["latest", "best"]}}"#, &["v1"]),
            (r#"{"alias": {"$size": 2}}"#, &["v10"]),
            (r#"{"$or": [{"tag": "prod"}, {"alias": "best"}]}"#, &["v0", "v1"]),
            (r#"{"updated_at": {"$gt": "2025-02-01"}}"#, &["v0", "v1", "v10"]),
            // By type: the text "0.95" is no number.
            (r#"{"metadata.acc": {"$gt": 0.5}}"#, &["v0", "v10"]),
            (r#"{"metadata.acc": {"$gt": "0.5"}}"#, &["v1"]),
            (r#"{"metadata.acc": 1.0}"#, &["v10"]),
            (r#"{"metadata.acc": {"$in": [0.90, "0.95"]}}"#, &["v0", "v1"]),
            (r#"{"metadata.acc": {"$not": {"$gt": 0.5}}}"#, &["v1"]),
            (r#"{"metadata.acc": {"$contains": "9"}}"#, &["v1"]),
            // Exact beyond 2^53.
            (r#"{"metadata.seed": 9007199254740993}"#, &["v0"]),
            (r#"{"metadata.seed": {"$lt": 9007199254740993}}"#, &["v1"]),
            // Missing is not null.
            (r#"{"metadata.note": null}"#, &["v1"]),
            (r#"{"metadata.note": {"$exists": true}}"#, &["v1", "v10"]),
            (r#"{"metadata.note": {"$ne": null}}"#, &["v0", "v10"]),
            (r#"{"metadata.note": {"$ne": "x"}}"#, &["v0", "v1", "v10"]),
            (r#"{"metadata.note": {"$nin": [null, "x"]}}"#, &["v0", "v10"]),
            (r#"{"metadata.note": {"$exists": true, "$ne": null}}"#, &["v10"]),
            (r#"{"metadata.note": {"$contains": "über"}}"#, &["v10"]),
            (r#"{"metadata.note": {"$regex": "^.ber\\b"}}"#, &["v10"]),
            (r#"{"metadata.missing": {"$lt": 5}}"#, &[]),
            (r#"{"metadata.missing": {"$not": {"$lt": 5}}}"#, &["v0", "v1", "v10"]),
            (r#"{"metadata.ok": true}"#, &["v1"]),
            (r#"{"metadata.ok": {"$ne": true}}"#, &["v0", "v10"]),
            // Lists: one element is enough.
            (r#"{"metadata.lang": "de"}"#, &["v0", "v1"]),
            (r#"{"metadata.lang": {"$ne": "de"}}"#, &["v10"]),
            (r#"{"metadata.lang": ["de", "fr"]}"#, &["v0"]),
            (r#"{"metadata.lang": ["fr", "de"]}"#, &[]),
            (r#"{"metadata.lang": []}"#, &["v10"]),
            (r#"{"metadata.lang": {"$all": ["fr", "de"]}}"#, &["v0"]),
            (r#"{"metadata.lang": {"$all": ["de"]}}"#, &["v0", "v1"]),
            (r#"{"metadata.lang": {"$size": 0}}"#, &["v10"]),
            (r#"{"metadata.list": null}"#, &["v10"]),
            (r#"{"metadata.list": {"$gt": 1}}"#, &["v10"]),
            (r#"{"metadata.lang.1": "fr"}"#, &["v0"]),
            (r#"{"metadata.x.y.0.z": 1}"#, &["v0"]),
            (r#"{"metadata.x.y.z": {"$exists": true}}"#, &[]),
            (r#"{"metadata.x": {"$exists": true}}"#, &["v0"]),
            (r#"{"metadata.x": {"$ne": 5}}"#, &["v0", "v1", "v10"]),
        ],
    );
}

#[test]
fn rule_45_refused_with_a_sentence() {
    fn refused<T: Target>(text: &str, sentence: &str) {
        match Filter::<T>::parse(text) {
            Ok(filter) => panic!("{text}: {filter:?}"),
            Err(error) => assert_eq!(error.to_string(), sentence, "{text}"),
        }
    }
    let registry = refused::<RegistryTest>;
    let version = refused::<VersionTest>;
    registry("[]", "The registry filter is a list. Send an object such as {\"name\": \"my-name\"}.");
    registry(
        "{\"a\"",
        "The registry filter is not valid JSON: EOF while parsing an object at line 1 column 4. Send an object such as \
         {\"name\": \"my-name\"}.",
    );
    registry(
        "{\"id\": NaN}",
        "The registry filter contains NaN or Infinity, which JSON doesn't have. Send an object such as {\"name\": \"my-name\"}.",
    );
    registry(
        "{\"id\": 1e999}",
        "The registry filter holds the number \"1e999\", which is too large or too long. Send an object such as {\"name\": \
         \"my-name\"}.",
    );
    registry(
        "{\"nmae\": \"x\"}",
        "The registry filter has no field \"nmae\". Use id, name, entity_id, description, created_at or updated_at.",
    );
    registry(
        "{\"name.x\": \"x\"}",
        "The registry filter has no field \"name.x\". Use id, name, entity_id, description, created_at or updated_at.",
    );
    version(
        "{\"metadata\": {\"acc\": 1}}",
        "The version filter has no operator \"acc\" for the field \"metadata\". Use $eq, $ne, $in, $nin, $exists, $gt, $gte, \
         $lt, $lte, $contains, $regex, $all, $size or $not.",
    );
    version(
        "{\"metadata.\": 1}",
        "The version filter has no field \"metadata.\". Use id, version, state, tag, alias, metadata.<key> (with dots for \
         inner keys), created_at or updated_at.",
    );
    registry(
        "{\"name\": {\"$like\": \"x\"}}",
        "The registry filter has no operator \"$like\" for the field \"name\". Use $eq, $ne, $in, $nin, $exists, $gt, $gte, \
         $lt, $lte, $contains, $regex, $all, $size or $not.",
    );
    registry(
        "{\"$eq\": 1}",
        "The registry filter has no operator \"$eq\" beside its fields. Use $and, $or, $nor or $not there, and the others \
         inside a field, as in {\"name\": {\"$regex\": \"a\"}}.",
    );
    registry(
        "{\"$or\": {\"name\": \"x\"}}",
        "In the registry filter $or is an object. It takes a list of objects, as in [{\"name\": \"a\"}, {\"name\": \"b\"}].",
    );
    registry(
        "{\"$and\": [5]}",
        "In the registry filter an element of $and is a number. It takes an object, as in {\"name\": \"a\"}.",
    );
    registry("{\"$not\": [{}]}", "In the registry filter $not is a list. It takes an object, as in {\"name\": \"a\"}.");
    registry(
        "{\"name\": {}}",
        "In the registry filter \"name\" is an empty object. It takes a value, or operators as in {\"$ne\": \"a\"}.",
    );
    registry(
        "{\"name\": {\"$not\": \"x\"}}",
        "In the registry filter $not of \"name\" is a text. It takes operators, as in {\"$not\": {\"$regex\": \"a\"}}; for a \
         value use $ne.",
    );
    registry(
        "{\"id\": {\"$contains\": \"1\"}}",
        "In the registry filter $contains can't be asked of \"id\", which is a number. Use $eq, $ne, $in, $nin, $exists, $gt, \
         $gte, $lt, $lte or $not.",
    );
    registry(
        "{\"name\": {\"$size\": 1}}",
        "In the registry filter $size can't be asked of \"name\", which is a text. Use $eq, $ne, $in, $nin, $exists, $gt, \
         $gte, $lt, $lte, $contains, $regex or $not.",
    );
    version(
        "{\"state\": {\"$gt\": \"PENDING\"}}",
        "In the version filter $gt can't be asked of \"state\", which is a state. Use $eq, $ne, $in, $nin, $exists or $not.",
    );
    registry("{\"name\": 5}", "In the registry filter $eq of \"name\" is given the number 5. It takes a text.");
    registry(
        "{\"name\": [\"a\"]}",
        "In the registry filter $eq of \"name\" is given a list. It takes one value; for one of several use $in or $nin.",
    );
    registry("{\"name\": null}", "In the registry filter $eq of \"name\" is given null. It takes a text.");
    registry(
        "{\"name\": {\"$in\": \"a\"}}",
        "In the registry filter $in of \"name\" is given the text \"a\". It takes a list of values.",
    );
    registry(
        "{\"name\": {\"$exists\": 1}}",
        "In the registry filter $exists of \"name\" is given the number 1. It takes true or false.",
    );
    for id in ["2.5", "9223372036854775808", "true", "null", "\"1\"", "\"UHJvamVjdDowNQ==\"", "\"VXNlcjox\""] {
        let error = Filter::<RegistryTest>::parse(&format!("{{\"id\": {id}}}")).unwrap_err().to_string();
        assert!(error.ends_with("It takes the number of a row, or its id."), "{error}");
    }
    registry(
        "{\"created_at\": {\"$gt\": \"yesterday\"}}",
        "In the registry filter $gt of \"created_at\" is given the text \"yesterday\". It takes a date in UTC as a text, as in \
         \"2026-01-31\" or \"2026-01-31 12:00:00\".",
    );
    version(
        "{\"version\": \"latest\"}",
        "In the version filter $eq of \"version\" is given the text \"latest\". It takes a version such as \"v3\", or its \
         number; for an alias use the field \"alias\".",
    );
    version(
        "{\"state\": \"READY\"}",
        "In the version filter $eq of \"state\" is given the text \"READY\". It takes PENDING, COMMITTED or DELETED.",
    );
    version(
        "{\"tag\": {\"$size\": -1}}",
        "In the version filter $size of \"tag\" is given the number -1. It takes a whole number from 0 on.",
    );
    version(
        "{\"metadata.a\": {\"$gt\": true}}",
        "In the version filter $gt of \"metadata.a\" is given a boolean. It takes a number or a text.",
    );
    version(
        "{\"metadata.a\": {\"$in\": [[1]]}}",
        "In the version filter $in of \"metadata.a\" is given a list. It takes a text, number, boolean or null.",
    );
    registry(
        "{\"name\": {\"$regex\": \"(a\"}}",
        "In the registry filter $regex of \"name\" is no regular expression: unclosed group. Write it as RE2 takes it.",
    );
    registry(
        "{\"name\": {\"$regex\": \"(?=a)\"}}",
        "In the registry filter $regex of \"name\" is no regular expression: look-around, including look-ahead and \
         look-behind, is not supported. Write it as RE2 takes it.",
    );
    version(
        "{\"tag\": {\"$regex\": \"(a{20}){20}\"}}",
        "In the version filter $regex of \"tag\" repeats too much: written out its counted repetitions have 400 characters, \
         more than 128. Use \"*\" or \"+\", or lower the counts.",
    );
}

#[test]
fn rule_45_limits() {
    let parse = |text: &str| Filter::<RegistryTest>::parse(text).map(|_| ());
    let nested = |levels: usize| format!("{}{{\"id\":1}}{}", "{\"$not\":".repeat(levels), "}".repeat(levels));
    assert_eq!(parse(&nested(31)), Ok(()));
    assert_eq!(parse(&nested(32)), Err(FilterError::TooDeep { target: "registry" }));
    assert_eq!(parse(&nested(5000)), Err(FilterError::TooDeep { target: "registry" }));

    let any = |count: usize| {
        let parts: Vec<String> = (0..count).map(|n| format!("{{\"name\":\"n{n}\"}}")).collect();
        format!("{{\"$or\":[{}]}}", parts.join(","))
    };
    assert_eq!(parse(&any(200)), Ok(()));
    assert_eq!(parse(&any(201)), Err(FilterError::TooManyConditions { target: "registry", conditions: 201 }));

    let list = |count: usize| format!("{{\"id\":{{\"$in\":{:?}}}}}", (0..count).collect::<Vec<_>>());
    assert_eq!(parse(&list(1000)), Ok(()));
    assert!(matches!(parse(&list(1001)), Err(FilterError::TooManyValues { values: 1001, .. })));
    assert!(matches!(parse(&list(100_000)), Err(FilterError::TooLong { .. })));

    let name = |chars: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(chars));
    assert_eq!(parse(&name(4096)), Ok(()));
    assert!(matches!(parse(&name(4097)), Err(FilterError::Text { .. })));
    assert!(matches!(parse("{\"name\":\"\\u0000\"}"), Err(FilterError::NotJson { .. })));
    assert!(matches!(parse("{\"name\":\"\\ud800\"}"), Err(FilterError::NotJson { .. })));
    assert!(matches!(
        parse(&format!("{{\"name\":{{\"$contains\":\"{}\"}}}}", "x".repeat(257))),
        Err(FilterError::Pattern { .. })
    ));
    for text in [format!("{{\"{}\":1}}", "x".repeat(60_000)), format!("{{\"name\":{{\"{}\":1}}}}", "$".repeat(60_000))] {
        assert!(parse(&text).unwrap_err().to_string().len() < 400);
    }
    assert!(parse(&format!("{{\"name\":{}}}", "9".repeat(900))).unwrap_err().to_string().len() < 200);
}

#[test]
fn rule_42_writings_that_mean_the_same_are_equal() {
    let parse = |text: &str| Filter::<VersionTest>::parse(text).unwrap();
    for (left, right) in [
        (r#"{"tag": "a", "id": 1}"#, r#"{"$and": [{"id": {"$eq": 1}}, {"tag": {"$in": ["a"]}}]}"#),
        (r#"{"id": {"$gt": 1}}"#, r#"{"id": {"$not": {"$lte": 1}}}"#),
        (r#"{"$nor": [{"id": 1}, {"id": 2}]}"#, r#"{"id": {"$ne": 1}, "$and": [{"id": {"$nin": [2]}}]}"#),
        (r#"{"metadata.a": {"$ne": 1.0}}"#, r#"{"$not": {"metadata.a": 1}}"#),
        (r#"{"tag": {"$all": ["a", "b"]}}"#, r#"{"$and": [{"tag": "b"}, {"tag": "a"}]}"#),
        (r#"{"tag": {"$contains": "AB"}}"#, r#"{"tag": {"$contains": "ab"}}"#),
        (r#"{"created_at": "2025-01-01"}"#, r#"{"created_at": "2025-01-01T01:00:00+01:00"}"#),
        (r#"{"tag": {"$exists": true}}"#, r#"{"tag": {"$not": {"$size": 0}}}"#),
    ] {
        assert_eq!(parse(left), parse(right), "{left} {right}");
    }
    // Null among others, and an absent key, are not dropped.
    assert_ne!(parse(r#"{"metadata.a": {"$gt": 1}}"#), parse(r#"{"metadata.a": {"$not": {"$lte": 1}}}"#));
}

proptest! {
    #[test]
    fn rule_45_no_text_panics(any in any::<String>(), near in r#"\{("(\$(and|or|not|in|regex)|tag|metadata\.a|id)": ?(\{|\[|"a"|1|null|\}|\]|,)){0,5}[\]}]{0,4}"#) {
        for text in [any, near] {
            let _ = Filter::<RegistryTest>::parse(&text);
            let _ = Filter::<CollectionTest>::parse(&text);
            if let Err(error) = Filter::<VersionTest>::parse(&text) {
                let error = error.to_string();
                prop_assert!(error.ends_with('.') && !error.contains(['\0', '\n', '\r']), "{error}");
            }
        }
    }

    #[test]
    fn rule_43_operators_and_their_opposites(
        field in prop::sample::select(vec!["tag", "metadata.acc", "metadata.lang", "metadata.note", "alias"]),
        values in proptest::collection::vec(prop::sample::select(vec!["prod", "de", "0.95", "latest"]), 0..3),
    ) {
        let list = serde_json::to_string(&values).unwrap();
        let ask = |operator: &str, operand: &str| found::<VersionTest>(&versions(), &format!("{{\"{field}\": {{\"{operator}\": {operand}}}}}"));
        let rest = |names: Vec<&'static str>| versions().into_iter().map(|(name, _)| name).filter(|name| !names.contains(name)).collect::<Vec<_>>();
        prop_assert_eq!(ask("$nin", &list), rest(ask("$in", &list)));
        prop_assert_eq!(ask("$ne", &list), rest(ask("$eq", &list)));
        let mut each: Vec<&str> = values.iter().flat_map(|value| ask("$eq", &format!("{value:?}"))).collect();
        each.sort_by_key(|name| versions().iter().position(|(other, _)| other == name));
        each.dedup();
        prop_assert_eq!(ask("$in", &list), each);
        for value in &values {
            let value = format!("{value:?}");
            prop_assert_eq!(ask("$ne", &value), rest(ask("$eq", &value)));
            prop_assert_eq!(ask("$not", &format!("{{\"$gt\": {value}}}")), rest(ask("$gt", &value)));
            if !values.is_empty() {
                prop_assert!(ask("$all", &list).iter().all(|name| ask("$eq", &value).contains(name)));
            }
        }
    }
}
