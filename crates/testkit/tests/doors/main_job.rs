//! The main job: log, link, pull from another account.

use regalia_testkit::{Server, VersionSpec};
use serde_json::json;

const PULL: &str = "query ArtifactMembershipByName($entity: String!, $project: String!, $name: String!) { project(name: $project, entityName: $entity) { \
    artifactCollectionMembership(name: $name) { id versionIndex aliases { alias } artifactCollection { __typename name } artifact { id digest \
    artifactSequence { name project { name } } currentManifest { file { directUrl } } } \
    files(first: 5000) { totalCount pageInfo { hasNextPage } edges { node { name directUrl sizeBytes md5 } } } } } }";

#[tokio::test]
async fn a_colleague_pulls_what_was_linked() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let version = alice.log(&spec).await;
    assert_eq!(version.state, "PENDING");
    let linked = alice.link(&version.id, "acme", "model", "Example ML Task", &["staging"]).await.ok();
    assert_eq!(linked["linkArtifact"]["versionIndex"], 0);

    let pulled = bob
        .graphql(PULL, json!({ "entity": "acme", "project": "wandb-registry-model", "name": "Example ML Task:staging" }))
        .await
        .ok();
    let place = &pulled["project"]["artifactCollectionMembership"];
    assert_eq!(place["artifact"]["digest"], spec.digest());
    // Rule 22: bob has no right on the team.
    assert!(place["artifact"]["artifactSequence"]["project"].is_null());
    assert_eq!(place["files"]["totalCount"], 1);
    let url = place["files"]["edges"][0]["node"]["directUrl"].as_str().unwrap();
    assert!(url.contains("wandb_artifacts/"), "{url}");
    let (status, headers, bytes) = bob.get(url, &[]).await;
    assert_eq!((status, bytes.as_slice()), (200, b"the weights".as_slice()));
    assert_eq!(headers["content-length"], "11");
    let manifest = place["artifact"]["currentManifest"]["file"]["directUrl"].as_str().unwrap();
    assert!(manifest.contains("wandb_manifest.json"), "{manifest}");
    let (status, _, manifest) = bob.get(manifest, &[]).await;
    assert_eq!(status, 200);
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["contents"]["model.txt"]["size"], 11);
}

/// Rule 26: what the newest version already is, is returned; A, B, A makes v2.
#[tokio::test]
async fn rule_26_the_same_again_is_the_same_version() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let first = alice.log(&VersionSpec::model("alpha", "net", b"A")).await;
    let again = alice.log(&VersionSpec::model("alpha", "net", b"A")).await;
    assert_eq!((first.id.as_str(), again.state.as_str()), (again.id.as_str(), "COMMITTED"));
    alice.log(&VersionSpec::model("alpha", "net", b"B")).await;
    let third = alice.log(&VersionSpec::model("alpha", "net", b"A")).await;
    assert_ne!(third.id, first.id);
    let found = alice
        .graphql("query($id: ID!) { artifact(id: $id) { versionIndex state aliases { alias } } }", json!({ "id": third.id }))
        .await
        .ok();
    assert_eq!(found["artifact"], json!({ "versionIndex": 2, "state": "COMMITTED", "aliases": [{ "alias": "latest" }] }));
}
