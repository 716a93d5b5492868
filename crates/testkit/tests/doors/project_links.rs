//! Links into collections of ordinary projects: as links into registries, but for a list of types and protected aliases (rules 20,
//! 21, 25, 28 to 31, 33). What must not live here: links into registries (`life`, `races`).

use futures_util::future::join_all;
use regalia_domain::ids::encode_id;
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::life::{alias, expected, places, sound, wire};
use crate::native::{code, own};

const BY_NAME: &str = "query($entity: String!, $project: String!, $name: String!) { project(entityName: $entity, name: $project) { \
    artifactCollectionMembership(name: $name) { versionIndex aliases { alias } artifactCollection { __typename name } artifact { id } } } }";

async fn at(client: &Client, project: &str, name: &str) -> Value {
    let variables = json!({ "entity": "alpha", "project": project, "name": name });
    client.graphql(BY_NAME, variables).await.ok()["project"]["artifactCollectionMembership"].clone()
}

async fn collection(server: &Server, name: &str) -> String {
    encode_id("ArtifactCollection", server.number(&format!("select id from collections where name = '{name}'")).await)
}

/// Rules 20, 28 to 31, 33 and 34: a project's portfolio lives as a registry's collection does.
#[tokio::test]
async fn rule_28_links_in_projects_live_as_those_in_registries() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut versions = Vec::new();
    for bytes in ["one", "two", "three"] {
        versions.push(alice.log(&VersionSpec::model("alpha", "net", bytes.as_bytes())).await.id);
    }
    // The project is made, and the collection; indices are its own.
    let first = alice.link_into(&versions[1], "alpha", "shelf", "Best ones", &[]).await.ok();
    let place = &first["linkArtifact"]["artifactMembership"];
    assert_eq!(place["artifactCollection"]["__typename"], "ArtifactPortfolio");
    assert_eq!(place["artifactCollection"]["project"]["name"], "shelf");
    assert_eq!((&place["versionIndex"], &place["artifact"]["versionIndex"]), (&json!(0), &json!(1)));
    assert_eq!(
        server.number("select count(*) from audit_events where kind = 'project.created' and after ->> 'name' = 'shelf'").await,
        1
    );
    alice.link_into(&versions[0], "alpha", "shelf", "Best ones", &["staging"]).await.expect_ok();
    // Again: the same place, its index and `latest` stay (rule 31).
    let again = alice.link_into(&versions[1], "alpha", "shelf", "Best ones", &["staging", "old"]).await.ok();
    assert_eq!(again["linkArtifact"]["artifactMembership"]["id"], place["id"]);
    assert_eq!(places(&server, "Best ones").await, expected(&[(0, "old staging"), (1, "latest")]));
    // No registry keeps a list of types or aliases here; a type of its own the collection has.
    let mut data = VersionSpec::model("alpha", "rows", b"rows");
    data.type_name = "dataset".into();
    let data = alice.log(&data).await.id;
    alice.link_into(&data, "alpha", "shelf", "Rows", &["production"]).await.expect_ok();
    assert_eq!(alice.link_into(&data, "alpha", "shelf", "Best ones", &[]).await.status, 409);
    // Beside the collections where versions are logged, under names that are used once (rule 25).
    alice.link_into(&versions[2], "alpha", "demo", "Chosen", &[]).await.expect_ok();
    assert_eq!(alice.link_into(&versions[2], "alpha", "demo", "net", &[]).await.status, 409);
    let mut spec = VersionSpec::model("alpha", "Rows", b"more");
    (spec.project, spec.type_name) = ("shelf".into(), "dataset".into());
    assert_eq!(alice.create_version(&spec, "taken").await.status, 409);

    // Read by name, and in lists.
    assert_eq!(at(&alice, "shelf", "Best ones:staging").await["artifact"]["id"], versions[1]);
    assert_eq!(at(&alice, "shelf", "Best ones:v1").await["artifact"]["id"], versions[0]);
    assert_eq!(at(&alice, "shelf", "Best ones").await["versionIndex"], 1);
    let lists = "query($kinds: [ArtifactCollectionType!]) { entity(name: \"alpha\") { artifactCollections(collectionTypes: $kinds, \
        order: \"name\") { totalCount edges { node { __typename name } } } } }";
    for (kinds, expected) in [
        (json!(null), vec!["Best ones", "Chosen", "Rows", "net", "rows"]),
        (json!(["SEQUENCE", "PORTFOLIO"]), vec!["Best ones", "Chosen", "Rows", "net", "rows"]),
        (json!(["PORTFOLIO"]), vec!["Best ones", "Chosen", "Rows"]),
        (json!(["SEQUENCE"]), vec!["net", "rows"]),
        (json!([]), vec![]),
    ] {
        let listed = alice.graphql(lists, json!({ "kinds": kinds })).await.ok()["entity"]["artifactCollections"].clone();
        let names: Vec<&str> =
            listed["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["name"].as_str().unwrap()).collect();
        assert_eq!((names, &listed["totalCount"]), (expected.clone(), &json!(expected.len())), "{kinds}");
    }
    // By our own side.
    let text = "query($id: ID!) { version(id: $id) { links { index aliases collection { path registry { name } } } } }";
    let links = alice.graphql(text, json!({ "id": versions[1] })).await.ok()["version"]["links"].clone();
    let own_place = json!([{ "index": 0, "aliases": ["old", "staging"],
        "collection": { "path": "alpha/shelf/Best ones", "registry": null } }]);
    assert_eq!(links, own_place);

    // Changed: aliases, name, tags, card; unlinked.
    let line = ["alpha", "shelf", "Best ones"];
    alias(&alice, "addAliases", &versions[0], line, &["staging"]).await.expect_ok();
    alias(&alice, "deleteAliases", &versions[1], line, &["old"]).await.expect_ok();
    assert_eq!(places(&server, "Best ones").await, expected(&[(0, ""), (1, "latest staging")]));
    let id = collection(&server, "Best ones").await;
    let change = json!({ "artifactPortfolioID": id, "name": "Best", "description": "The card." });
    wire(&alice, "updateArtifactPortfolio", change).await.expect_ok();
    let tags =
        json!({ "entityName": "alpha", "projectName": "shelf", "artifactCollectionName": "Best", "tags": [{ "tagName": "a" }] });
    wire(&alice, "createArtifactCollectionTagAssignments", tags).await.expect_ok();
    let source = collection(&server, "net").await;
    assert_eq!(wire(&alice, "updateArtifactSequence", json!({ "artifactSequenceID": id, "name": "x" })).await.status, 400);
    assert_eq!(
        wire(&alice, "moveArtifactSequence", json!({ "artifactSequenceID": id, "destinationArtifactTypeName": "x" }))
            .await
            .status,
        400
    );
    wire(&alice, "unlinkArtifact", json!({ "artifactID": versions[0], "artifactPortfolioID": id })).await.expect_ok();
    assert_eq!(places(&server, "Best").await, expected(&[(0, "latest")]));
    let next = alice.link_into(&versions[2], "alpha", "shelf", "Best", &["keep"]).await.ok();
    assert_eq!(next["linkArtifact"]["versionIndex"], 2);
    // A version goes with its links in projects, refused while somebody chose an alias there (rule 33).
    assert_eq!(wire(&alice, "deleteArtifact", json!({ "artifactID": versions[2] })).await.status, 409);
    wire(&alice, "deleteArtifact", json!({ "artifactID": versions[2], "deleteAliases": true })).await.expect_ok();
    assert_eq!(places(&server, "Best").await, expected(&[(0, "latest")]));
    assert_eq!(places(&server, "Chosen").await, expected(&[]));
    sound(&server, "after a version's end").await;
    wire(&alice, "deleteArtifactPortfolio", json!({ "artifactPortfolioID": id })).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, "latest")]), "the versions stay");
    alice.link_into(&versions[0], "alpha", "shelf", "Best", &[]).await.expect_ok();
    wire(&alice, "deleteArtifactSequence", json!({ "artifactSequenceID": source })).await.expect_ok();
    assert_eq!(places(&server, "Best").await, expected(&[]), "links go with the collection where the version was logged");
    sound(&server, "at the end").await;
}

/// Rule 21: within one team or user. What is said tells no more than the caller sees.
#[tokio::test]
async fn rule_21_links_stay_within_the_team() {
    const TEXT: &str = "linking is only allowed within the same team or to a collection in your organization's registry";
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.team("acme", "beta", "bob").await;
    server.join("acme", "carol", OrganizationRole::Viewer).await;
    server.join_team("alpha", "carol", TeamRole::Member).await;
    server.join_team("beta", "alice", TeamRole::Member).await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"team")).await.id;
    let personal = bob.log(&VersionSpec::model("bob", "net", b"personal")).await.id;
    // Everybody in the organization sees this one by a link.
    alice.link(&version, "acme", "model", "Net", &[]).await.expect_ok();
    let before = server.everything().await;
    for (who, client, version, entity, status, words, unsaid) in [
        ("another team", &alice, &version, "beta", 400, vec![TEXT, "alpha", "beta"], ""),
        ("a member's own", &alice, &version, "alice", 400, vec![TEXT, "alpha", "\"alice\""], ""),
        ("who sees a link alone", &bob, &version, "beta", 400, vec![TEXT, "elsewhere"], "alpha"),
        ("the version's own team, by a link alone", &bob, &version, "alpha", 403, vec!["alpha"], ""),
        ("from a viewer's seat", &carol, &version, "alpha", 403, vec!["alpha"], ""),
        ("a personal version to a team", &bob, &personal, "beta", 400, vec![TEXT, "\"bob\"", "beta"], ""),
        ("somebody else's version", &alice, &personal, "alpha", 404, vec!["version"], "bob"),
        ("an organization's own entity", &alice, &version, "acme", 400, vec!["organization"], ""),
        ("nobody's", &alice, &version, "nobody", 404, vec!["nobody"], ""),
    ] {
        let answer = client.link_into(version, entity, "shelf", "Best", &[]).await;
        assert_eq!(answer.status, status, "{who}: {}", answer.message());
        for word in words {
            assert!(answer.message().contains(word), "{who}: {}", answer.message());
        }
        assert!(unsaid.is_empty() || !answer.message().contains(unsaid), "{who}: {}", answer.message());
        let target = json!({ "version": version, "target": format!("{entity}/shelf/Best") });
        let ours = own(client, "versionLink", target).await;
        assert_eq!(ours.message(), answer.message(), "{who}, by our own side");
    }
    let short = own(&bob, "versionLink", json!({ "version": version, "target": "Best" })).await;
    assert_eq!(code(&short), "INVALID", "{}", short.message());
    assert!(!short.message().contains("alpha") && !short.message().contains("demo"), "{}", short.message());
    assert_eq!(server.everything().await, before, "what is refused changes nothing");
    // A personal version within the same personal entity.
    bob.link_into(&personal, "bob", "shelf", "Mine", &[]).await.expect_ok();
}

/// Rule 20: what a target leaves out is where the version was logged.
#[tokio::test]
async fn rule_20_short_targets_are_where_the_version_was_logged() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"net")).await.id;
    for (target, path) in [
        ("Best", "alpha/demo/Best"),
        ("shelf/Best", "alpha/shelf/Best"),
        ("alpha/third/Best", "alpha/third/Best"),
        ("wandb-registry-model/Best", "acme/wandb-registry-model/Best"),
    ] {
        own(&alice, "versionLink", json!({ "version": version, "target": target })).await.expect_ok();
        let text = "query($id: ID!) { version(id: $id) { links { collection { path } } } }";
        let links = alice.graphql(text, json!({ "id": version })).await.ok()["version"]["links"].clone();
        assert_eq!(links.as_array().unwrap().last().unwrap()["collection"]["path"], path, "{target}");
    }
}

/// Rules 26, 28 and 30: many link into one collection of a project that isn't there yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_28_indices_are_dense_when_many_link_at_once() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let twin = server.twin().await;
    let mut versions = Vec::new();
    for number in 0..16 {
        versions.push(alice.log(&VersionSpec::model("alpha", "net", format!("{number}").as_bytes())).await.id);
    }
    let other = alice.at(&twin.url);
    let links = versions.iter().enumerate().map(|(number, version)| {
        let client = if number % 2 == 0 { &alice } else { &other };
        client.link_into(version, "alpha", "shelf", "Best", &["staging"])
    });
    for answer in join_all(links).await {
        answer.expect_ok();
    }
    let indices: Vec<i64> = places(&server, "Best").await.into_iter().map(|(index, _)| index).collect();
    assert_eq!(indices, (0..16).collect::<Vec<i64>>());
    assert_eq!(server.number("select count(*) from aliases where alias = 'staging' and upper_inf(valid)").await, 1);
    sound(&server, "after many links").await;
}
