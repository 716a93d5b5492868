//! What a version can't have, through each of the doors that give it (rules 29, 34, 36). What must not live here: what else an
//! operation refuses (`operations`).

use super::*;
use crate::documents::{change, native_mutation};

/// A door that gives a version something: what it is called, its document, its input.
struct Door {
    name: &'static str,
    document: String,
    input: Value,
}

impl Door {
    fn new(name: &'static str, input: Value) -> Self {
        let document = match name {
            "createArtifact" => CREATE.to_owned(),
            "linkArtifact" => LINK.to_owned(),
            "addAliases" | "updateArtifact" => change(name),
            _ => native_mutation(name),
        };
        Self { name, document, input }
    }

    /// Sends it with something more.
    async fn send(&self, client: &Client, more: Value) -> Answer {
        input(client, &self.document, with(self.input.clone(), more)).await
    }

    /// Fails unless it was refused, in the way of its side of the schema, and nothing changed.
    async fn refuses(&self, client: &Client, unchanged: &mut Unchanged<'_>, what: &str, more: Value, words: &[&str]) {
        let what = format!("{what}, {}", self.name);
        let answer = self.send(client, more).await;
        if ["createArtifact", "linkArtifact", "addAliases", "updateArtifact"].contains(&self.name) {
            unchanged.wire(&what, answer, 400, words).await;
        } else {
            unchanged.ours(&what, answer, "INVALID", words).await;
        }
    }
}

fn begin(collection: &str) -> Value {
    json!({ "entity": "alpha", "project": "demo", "collection": collection, "typeName": "model", "files": [] })
}

#[tokio::test]
async fn rule_36_metadata_that_cannot_be_kept() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    let mut unchanged = Unchanged::since_now(&server).await;
    for door in [
        Door::new("createArtifact", create("alpha", "demo", "net")),
        Door::new("updateArtifact", json!({ "artifactID": version })),
        Door::new("versionUpdate", json!({ "version": version })),
        Door::new("versionBegin", begin("net")),
    ] {
        for (what, metadata, word) in [
            ("NaN", "{\"a\": NaN}".to_owned(), "NaN"),
            ("NaN below", "{\"a\": [{\"b\": -Infinity}]}".to_owned(), "Infinity"),
            ("101 keys", Value::Object((0..101).map(|i| (i.to_string(), json!(i))).collect()).to_string(), "100"),
            ("1,000 levels", format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000)), "64"),
            ("1,000 lists", format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000)), "64"),
            ("NUL", "{\"a\": \"\\u0000\"}".to_owned(), "NUL"),
            ("a list", "[]".to_owned(), "object"),
            ("more than 1 MiB", json!({ "a": text(1024 * 1024, 'a') }).to_string(), "1 MiB"),
        ] {
            door.refuses(&alice, &mut unchanged, what, json!({ "metadata": metadata }), &["etadata", word]).await;
        }
        // As much as may be.
        let keys: serde_json::Map<String, Value> = (0..99).map(|i| (i.to_string(), json!(i))).collect();
        let deep = format!("{}1{}", "{\"a\":".repeat(63), "}".repeat(63));
        let most = format!("{},\"deep\":{deep}}}", Value::Object(keys).to_string().trim_end_matches('}'));
        door.send(&alice, json!({ "metadata": most })).await.expect_ok();
        unchanged = Unchanged::since_now(&server).await;
    }
}

#[tokio::test]
async fn rule_29_more_aliases_than_a_request_has() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    let linked = alice.link(&version, "acme", "model", "Line", &[]).await.ok();
    let place = &linked["linkArtifact"]["artifactMembership"]["id"];
    let names: Vec<String> = (0..1001).map(|number| format!("a{number}")).collect();
    let wire = |collection: &str, count: usize| {
        let place = json!({ "artifactCollectionName": collection, "entityName": "alpha", "projectName": "demo" });
        names[..count].iter().map(|name| with(place.clone(), json!({ "alias": name }))).collect::<Value>()
    };
    let short = |collection: &str, count: usize| {
        let names = names[..count].iter();
        names.map(|name| json!({ "artifactCollectionName": collection, "alias": name })).collect::<Value>()
    };
    for (door, list, too_many, all) in [
        (Door::new("createArtifact", create("alpha", "demo", "new")), "aliases", short("new", 1001), short("new", 1000)),
        (
            Door::new("linkArtifact", link(&version, "acme", "wandb-registry-model", "Line")),
            "aliases",
            short("Line", 1001),
            short("Line", 1000),
        ),
        (Door::new("addAliases", json!({ "artifactID": version })), "aliases", wire("net", 1001), wire("net", 1000)),
        (Door::new("versionBegin", begin("own")), "aliases", json!(names), json!(names[..1000])),
        (
            Door::new("versionLink", json!({ "version": version, "target": "acme/wandb-registry-model/Other" })),
            "aliases",
            json!(names),
            json!(names[..1000]),
        ),
        (Door::new("linkUpdate", json!({ "link": place })), "addAliases", json!(names), json!(names[..1000])),
        (Door::new("linkUpdate", json!({ "link": place })), "removeAliases", json!(names), json!(names[..1000])),
    ] {
        let mut unchanged = Unchanged::since_now(&server).await;
        door.refuses(&alice, &mut unchanged, "1,001 aliases", json!({ list: too_many }), &["aliases", "1000"]).await;
        let answer = door.send(&alice, json!({ list: all })).await;
        assert!(answer.errors.is_empty(), "1,000 aliases, {}: {}", door.name, answer.message());
    }
    // Not by and by either, while a version isn't committed: 600 and 600 others.
    let begun = Door::new("createArtifact", with(create("alpha", "demo", "by-and-by"), json!({ "clientID": "c" })));
    let half = |from: usize| {
        names[from..from + 600]
            .iter()
            .map(|name| json!({ "artifactCollectionName": "by-and-by", "alias": name }))
            .collect::<Value>()
    };
    begun.send(&alice, json!({ "aliases": half(0) })).await.expect_ok();
    let mut unchanged = Unchanged::since_now(&server).await;
    begun.refuses(&alice, &mut unchanged, "1,001 by and by", json!({ "aliases": half(401) }), &["aliases", "1000"]).await;
    begun.send(&alice, json!({ "aliases": half(400) })).await.expect_ok();
}

#[tokio::test]
async fn rule_34_more_tags_than_a_version_has() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"1");
    let version = alice.log(&spec).await.id;
    let names: Vec<String> = (0..101).map(|number| format!("t{number}")).collect();
    let wire = |names: &[String]| names.iter().map(|name| json!({ "tagName": name })).collect::<Value>();
    let update = Door::new("updateArtifact", json!({ "artifactID": version }));
    let own = Door::new("versionUpdate", json!({ "version": version }));
    // The newest version, logged again.
    let again = Door::new(
        "createArtifact",
        with(create("alpha", "demo", "net"), json!({ "digest": spec.digest(), "enableDigestDeduplication": true })),
    );
    let mut unchanged = Unchanged::since_now(&server).await;
    for (door, list, tags) in
        [(&update, "tagsToAdd", wire(&names[..21])), (&own, "addTags", json!(names[..21])), (&again, "tags", wire(&names[..21]))]
    {
        door.refuses(&alice, &mut unchanged, "21 tags at once", json!({ list: tags }), &["tags", "20"]).await;
    }
    for twenty in names[..100].chunks(20) {
        update.send(&alice, json!({ "tagsToAdd": wire(twenty) })).await.expect_ok();
    }
    let count = "select count(*) from version_tags";
    assert_eq!(server.number(count).await, 100);
    let mut unchanged = Unchanged::since_now(&server).await;
    for (door, list, tags) in [
        (&update, "tagsToAdd", wire(&names[100..])),
        (&own, "addTags", json!(names[100..])),
        (&again, "tags", wire(&names[100..])),
    ] {
        door.refuses(&alice, &mut unchanged, "the 101st tag", json!({ list: tags }), &["101 tags", "100"]).await;
    }
    // What it has is no new one, and where one goes another may come.
    again.send(&alice, json!({ "tags": wire(&names[80..100]) })).await.expect_ok();
    own.send(&alice, json!({ "addTags": names[100..], "removeTags": names[..1] })).await.expect_ok();
    assert_eq!(server.number(count).await, 100);
}
