//! What is logged again (rules 26, 27, 29, 40): the same content; the same object of a client, which calls it by the same name each
//! time; and names of somebody else. What must not live here: the same request many times at once (`races`), parts (`parts`).

use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::life::{expected, places, sound};

const CREATE: &str =
    "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state description metadata } } }";

/// `createArtifact` of a spec's content; with more, or with something else.
async fn say(client: &Client, spec: &VersionSpec, client_id: &str, more: Value) -> Value {
    let mut input = json!({
        "entityName": spec.entity, "projectName": spec.project, "artifactTypeName": spec.type_name,
        "artifactCollectionName": spec.name, "digest": spec.digest(), "digestAlgorithm": "MANIFEST_MD5",
        "clientID": client_id, "enableDigestDeduplication": true,
    });
    if let Some(aliases) = more["aliases"].as_array() {
        input["aliases"] = aliases.iter().map(|alias| json!({ "artifactCollectionName": spec.name, "alias": alias })).collect();
    }
    for (key, value) in more.as_object().unwrap().iter().filter(|(key, _)| *key != "aliases") {
        input[key] = value.clone();
    }
    client.graphql(CREATE, json!({ "input": input })).await.ok()["createArtifact"]["artifact"].clone()
}

/// Everything behind `createArtifact`.
async fn finish(client: &Client, spec: &VersionSpec, artifact: &Value) {
    let id = artifact["id"].as_str().unwrap();
    client.announce_manifest(spec, id, None).await.expect_ok();
    let announced = client.announce_files(id, &spec.files).await.ok();
    client.upload(&announced, &spec.files).await;
    client.upload_manifest(spec, id, &spec.manifest()).await;
    client.commit(id).await.expect_ok();
}

async fn meaning(client: &Client, client_id: &str) -> Value {
    let mapping = "query($id: ID!) { clientIDMapping(clientID: $id) { serverID } }";
    client.graphql(mapping, json!({ "id": client_id })).await.ok()["clientIDMapping"]["serverID"].clone()
}

async fn runs(client: &Client, names: &[&str]) {
    let upsert =
        "mutation($n: String!) { upsertBucket(input: { entityName: \"alpha\", modelName: \"demo\", name: $n }) { inserted } }";
    for name in names {
        client.graphql(upsert, json!({ "n": name })).await.expect_ok();
    }
}

/// Runs that logged a version, with their project's versions: `run index`.
async fn outputs(server: &Server) -> Vec<String> {
    let rows = server
        .rows(
            "select r.name || ' ' || m.index as output from run_outputs o join runs r on r.id = o.run_id
             join memberships m on m.version_id = o.version_id order by 1",
        )
        .await;
    rows.iter().map(|row| row["output"].as_str().unwrap().to_owned()).collect()
}

async fn alias_events(server: &Server) -> i64 {
    server.number("select count(*) from audit_events where kind = 'alias.set'").await
}

fn net(bytes: &str) -> VersionSpec {
    VersionSpec::model("alpha", "net", bytes.as_bytes())
}

/// What a client says of a version that it has begun counts, as what several processes say of theirs does.
#[tokio::test]
async fn rule_26_an_object_is_logged_again_before_its_commit() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    runs(&alice, &["run1", "run2"]).await;
    let spec = net("one");
    let first = json!({ "aliases": ["best"], "description": "one", "metadata": "{\"a\":1}", "runName": "run1", "tags": [{ "tagName": "x" }] });
    let begun = say(&alice, &spec, "c1", first.clone()).await;
    let second =
        say(&alice, &spec, "c1", json!({ "aliases": ["best", "better"], "description": "two", "runName": "run2" })).await;
    assert_eq!(second, json!({ "id": begun["id"], "state": "PENDING", "description": "two", "metadata": "{\"a\":1}" }));
    let third = say(&alice, &spec, "c1", json!({ "metadata": "{\"b\":2}", "tags": [{ "tagName": "y" }] })).await;
    assert_eq!((&third["id"], &third["description"], &third["metadata"]), (&begun["id"], &json!("two"), &json!("{\"b\":2}")));
    // A request whose answer was lost.
    assert_eq!(say(&alice, &spec, "c1", json!({})).await, third);
    let events = "select count(*) from audit_events where kind in ('alias.set', 'version.updated', 'version.committed')";
    assert_eq!(server.number(events).await, 0, "told before the commit");
    finish(&alice, &spec, &begun).await;
    assert_eq!(places(&server, "net").await, expected(&[(0, "best better latest")]));
    assert_eq!(outputs(&server).await, ["run1 0", "run2 0"]);
    assert_eq!(server.number("select count(*) from version_tags").await, 2);
    assert_eq!(server.number("select count(*) from versions").await, 1);
}

/// The collection's newest version is returned to the client that calls it so, and takes what is asked for.
#[tokio::test]
async fn rule_26_an_object_is_logged_again_after_its_commit() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    runs(&alice, &["run1", "run2"]).await;
    let spec = net("one");
    let begun = say(&alice, &spec, "c1", json!({ "runName": "run1", "description": "one" })).await;
    finish(&alice, &spec, &begun).await;
    let committed = json!({ "id": begun["id"], "state": "COMMITTED", "description": "one", "metadata": "{}" });
    let more = json!({ "aliases": ["best"], "runName": "run2", "tags": [{ "tagName": "x" }] });
    for time in ["again", "and with the answer lost"] {
        assert_eq!(say(&alice, &spec, "c1", more.clone()).await, committed, "{time}");
        assert_eq!(places(&server, "net").await, expected(&[(0, "best latest")]), "{time}");
        assert_eq!(outputs(&server).await, ["run1 0", "run2 0"], "{time}");
        assert_eq!(alias_events(&server).await, 2, "{time}: `latest` with the commit, then `best`");
        assert_eq!(server.number("select count(*) from audit_events where kind = 'version.updated'").await, 1, "{time}: the tag");
    }
    // Whoever wants no equal content gets a repetition all the same.
    assert_eq!(say(&alice, &spec, "c1", json!({ "enableDigestDeduplication": false })).await, committed);
    assert_eq!(say(&alice, &spec, "c2", json!({ "enableDigestDeduplication": false })).await["state"], "PENDING");
}

/// A, B, A makes v2, also where both A are one object: its name means the newer one from then on.
#[tokio::test]
async fn rule_26_an_object_is_logged_again_behind_another() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    runs(&alice, &["run1", "run2"]).await;
    let (first, second) = (net("a"), net("b"));
    let v0 = say(&alice, &first, "a", json!({ "aliases": ["best"], "runName": "run1" })).await;
    finish(&alice, &first, &v0).await;
    let v1 = say(&alice, &second, "b", json!({ "aliases": ["worse"] })).await;
    finish(&alice, &second, &v1).await;
    let v2 = say(&alice, &first, "a", json!({ "aliases": ["best"], "runName": "run2", "description": "again" })).await;
    assert_eq!((&v2["state"], &v2["description"]), (&json!("PENDING"), &json!("again")));
    assert_ne!(v2["id"], v0["id"]);
    assert_eq!(meaning(&alice, "a").await, v2["id"]);
    // With the answer lost it is the same one.
    assert_eq!(say(&alice, &first, "a", json!({})).await["id"], v2["id"]);
    finish(&alice, &first, &v2).await;
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, "worse"), (2, "best latest")]));
    assert_eq!(outputs(&server).await, ["run1 0", "run2 2"]);
    assert_eq!(
        say(&alice, &first, "a", json!({})).await,
        json!({ "id": v2["id"], "state": "COMMITTED", "description": "again", "metadata": "{}" })
    );
    assert_eq!((meaning(&alice, "a").await, meaning(&alice, "b").await), (v2["id"].clone(), v1["id"].clone()));
    sound(&server, "behind another").await;
}

/// Forked processes of some SDKs draw the same names: other content, and what goes into another collection, is a version of its own.
#[tokio::test]
async fn rule_26_one_name_for_several_objects() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let specs = [net("a"), net("b"), VersionSpec::model("alpha", "other", b"a")];
    let mut begun: Vec<Value> = Vec::new();
    for spec in &specs {
        let version = say(&alice, spec, "c1", json!({})).await;
        assert_eq!(version["state"], "PENDING");
        assert!(begun.iter().all(|before| before["id"] != version["id"]));
        begun.push(version);
        // It says which is meant as long as it is one.
        let asked = alice.graphql("{ clientIDMapping(clientID: \"c1\") { serverID } }", json!({})).await;
        match begun.len() {
            1 => assert_eq!(asked.ok()["clientIDMapping"]["serverID"], begun[0]["id"]),
            _ => assert_eq!((asked.status, asked.code()), (409, "CONFLICT"), "{}", asked.message()),
        }
    }
    for (spec, version) in specs.iter().zip(&begun) {
        finish(&alice, spec, version).await;
    }
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, "latest")]));
    assert_eq!(places(&server, "other").await, expected(&[(0, "latest")]));
    // Also once they are committed.
    let third = say(&alice, &net("c"), "c1", json!({})).await;
    finish(&alice, &net("c"), &third).await;
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, ""), (2, "latest")]));
    sound(&server, "one name").await;
}

/// One object that a process sends as its part and then finishes.
#[tokio::test]
async fn rule_27_an_object_is_sent_and_finished() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let part = net("part");
    let shared = |more: Value| {
        let mut shared = json!({ "distributedID": "job" });
        shared.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shared
    };
    let send = async |artifact: &Value| {
        let id = artifact["id"].as_str().unwrap().to_owned();
        alice.send_part(&id, "PATCH", None, &part.files, &part.manifest()).await;
        id
    };
    let begun = say(&alice, &part, "c1", shared(json!({ "aliases": ["mine"], "description": "one" }))).await;
    send(&begun).await;
    let more = json!({ "aliases": ["complete"], "description": "two", "metadata": "{\"b\":2}" });
    let finished = say(&alice, &part, "c1", shared(more)).await;
    assert_eq!(finished, json!({ "id": begun["id"], "state": "PENDING", "description": "two", "metadata": "{\"b\":2}" }));
    let id = send(&finished).await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, "complete latest mine")]));
    // The same again is a repetition; logged whole it is what the collection has.
    for more in [shared(json!({ "aliases": ["late"] })), json!({ "aliases": ["whole"] })] {
        let again = say(&alice, &part, "c1", more.clone()).await;
        assert_eq!((&again["id"], &again["state"]), (&begun["id"], &json!("COMMITTED")), "{more}");
    }
    assert_eq!(places(&server, "net").await, expected(&[(0, "complete late latest mine whole")]));
    // Another id is another version, and the name goes with it; so does the same id once the version isn't the newest.
    let other = say(&alice, &part, "c1", json!({ "distributedID": "next job" })).await;
    assert_eq!((&other["state"], meaning(&alice, "c1").await), (&json!("PENDING"), other["id"].clone()));
    let id = send(&other).await;
    alice.commit(&id).await.expect_ok();
    alice.log(&net("another")).await;
    let next = say(&alice, &part, "c1", json!({ "distributedID": "next job" })).await;
    assert_eq!(next["state"], "PENDING");
    assert_ne!(next["id"], other["id"]);
    sound(&server, "several times").await;
}

/// A client's name for a version means something to its own user only.
#[tokio::test]
async fn rule_40_a_clients_name_of_somebody_else() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.join_team("alpha", "bob", regalia_domain::roles::TeamRole::Member).await;
    let spec = net("hers");
    let hers = say(&alice, &spec, "c1", json!({ "aliases": ["best"], "description": "hers" })).await;
    let number = regalia_domain::ids::decode_id(&["Artifact"], hers["id"].as_str().unwrap()).unwrap();
    let row = format!("select to_jsonb(v) as row from versions v where id = {number}");
    let before = server.rows(&row).await;
    // The same content, and other content.
    for (spec, description) in [(&spec, "the same"), (&net("his"), "other")] {
        let named = format!("{description} c1");
        let his = say(&bob, spec, "c1", json!({ "aliases": ["worse"], "description": named })).await;
        assert_ne!(his["id"], hers["id"], "{description}");
        assert_eq!((&his["state"], &his["description"]), (&json!("PENDING"), &json!(named)));
        assert_eq!(server.rows(&row).await, before, "{description}: hers is changed");
        assert_eq!((meaning(&alice, "c1").await, meaning(&bob, "c1").await), (hers["id"].clone(), his["id"].clone()));
        finish(&bob, spec, &his).await;
        server.sql("delete from client_ids where user_id = (select id from entities where name = 'bob')").await;
    }
    assert_eq!(server.rows(&row).await, before);
    finish(&alice, &spec, &hers).await;
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, "worse"), (2, "best latest")]));
}

/// Equal content takes an alias from whichever version has it.
#[tokio::test]
async fn rule_26_an_alias_of_another_version_moves_to_the_newest() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let with = |bytes: &str, aliases: &[&str]| VersionSpec {
        aliases: aliases.iter().map(|alias| (*alias).into()).collect(),
        ..net(bytes)
    };
    let v0 = alice.log(&with("a", &["best", "kept"])).await;
    let v1 = alice.log(&with("b", &[])).await;
    let again = alice.log(&with("b", &["best", "latest"])).await;
    assert_eq!((again.id, again.state.as_str()), (v1.id, "COMMITTED"));
    assert_eq!(places(&server, "net").await, expected(&[(0, "kept"), (1, "best latest")]));
    let number = regalia_domain::ids::decode_id(&["Artifact"], &v0.id).unwrap();
    let told = "select before from audit_events where kind = 'alias.set' order by id desc limit 1";
    assert_eq!(server.rows(told).await[0]["before"], json!({ "alias": "best", "version": number }));
    sound(&server, "after the move").await;
}
