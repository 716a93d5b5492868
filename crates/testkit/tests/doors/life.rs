//! What becomes of versions, links and collections after they were made: aliases, tags and fields changed, unlinked, deleted
//! (rules 17, 22, 25, 29, 30, 32 to 34). What must not live here: their events (`history`), what each role may do in general
//! (`access`).

use futures_util::future::join_all;
use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents::change;
use crate::native::{code, own};
use crate::races::rounds;

pub async fn wire(client: &Client, field: &str, input: Value) -> Answer {
    client.graphql(&change(field), json!({ "input": input })).await
}

pub async fn alias(client: &Client, field: &str, version: &str, place: [&str; 3], names: &[&str]) -> Answer {
    let [entity, project, collection] = place;
    let aliases: Vec<Value> = names
        .iter()
        .map(
            |alias| json!({ "entityName": entity, "projectName": project, "artifactCollectionName": collection, "alias": alias }),
        )
        .collect();
    wire(client, field, json!({ "artifactID": version, "aliases": aliases })).await
}

/// The places of a collection: the index with its aliases, by index.
pub async fn places(server: &Server, collection: &str) -> Vec<(i64, String)> {
    let rows = server
        .rows(&format!(
            "select m.index, coalesce(string_agg(a.alias, ' ' order by a.alias), '') as aliases
             from memberships m join collections c on c.id = m.collection_id
             left join aliases a on a.collection_id = m.collection_id and a.version_id = m.version_id and upper_inf(a.valid)
             where c.name = '{collection}' group by m.index order by m.index"
        ))
        .await;
    rows.iter().map(|row| (row["index"].as_i64().unwrap(), row["aliases"].as_str().unwrap().to_owned())).collect()
}

pub fn expected(places: &[(i64, &str)]) -> Vec<(i64, String)> {
    places.iter().map(|(index, aliases)| (*index, (*aliases).to_owned())).collect()
}

/// What must hold of the rows at every moment.
pub async fn sound(server: &Server, when: &str) {
    for (what, query) in [
        (
            "a place of a version that isn't committed",
            "select count(*) from memberships m join versions v on v.id = m.version_id where v.state <> 'committed'",
        ),
        (
            "an alias on a version that doesn't stand in its collection",
            "select count(*) from aliases a where upper_inf(a.valid) and not exists (
                select 1 from memberships m where m.collection_id = a.collection_id and m.version_id = a.version_id)",
        ),
        (
            "`latest` isn't on the highest index, or not once",
            "select count(*) from collections c cross join lateral (
                select (select version_id from memberships where collection_id = c.id order by index desc limit 1) as newest,
                    (select array_agg(version_id) from aliases where collection_id = c.id and alias = 'latest' and upper_inf(valid)) as latest
             ) held where (newest is null and latest is not null) or (newest is not null and latest is distinct from array[newest])",
        ),
        (
            "two periods of an alias overlap, or one is empty",
            "select count(*) from aliases a where isempty(a.valid) or exists (select 1 from aliases b
                where b.collection_id = a.collection_id and b.alias = a.alias and b.id <> a.id and b.valid && a.valid)",
        ),
        (
            "a deleted version names content or says something",
            "select count(*) from versions v where state = 'deleted' and (manifest_id is not null or description is not null
                or metadata::text <> '{}' or metadata_index <> '{}' or exists (select from version_tags t where t.version_id = v.id))",
        ),
    ] {
        assert_eq!(server.number(query).await, 0, "{when}: {what}");
    }
}

/// The number of the only collection of a name.
pub async fn collection_id(server: &Server, name: &str) -> i64 {
    server.number(&format!("select id from collections where name = '{name}'")).await
}

async fn link_id(client: &Client, version: &str, collection: &str, aliases: &[&str]) -> String {
    let linked = client.link(version, "acme", "model", collection, aliases).await.ok();
    linked["linkArtifact"]["artifactMembership"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn rules_29_and_30_aliases_given_and_taken_by_hand() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut versions = Vec::new();
    for bytes in ["one", "two", "three"] {
        versions.push(alice.log(&VersionSpec::model("alpha", "net", bytes.as_bytes())).await.id);
    }
    let here = ["alpha", "demo", "net"];
    alias(&alice, "addAliases", &versions[0], here, &["best", "candidate", "latest"]).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, "best candidate"), (1, ""), (2, "latest")]));
    alias(&alice, "addAliases", &versions[1], here, &["best"]).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, "candidate"), (1, "best"), (2, "latest")]));
    // Naming `latest`, `vN`, what it hasn't, or nothing: accepted, and means nothing.
    alias(&alice, "deleteAliases", &versions[2], here, &["latest", "v2", "best", "never"]).await.expect_ok();
    alias(&alice, "deleteAliases", &versions[2], here, &[]).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, "candidate"), (1, "best"), (2, "latest")]));
    alias(&alice, "deleteAliases", &versions[1], here, &["best"]).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, "candidate"), (1, ""), (2, "latest")]));

    alice.log(&VersionSpec::model("alpha", "other", b"other")).await;
    // As many as the SDK reads at once, and none more.
    let many: Vec<String> = (0..999).map(|number| format!("more{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    alias(&alice, "addAliases", &versions[0], here, &many).await.expect_ok();
    let before = server.everything().await;
    let refused = alias(&alice, "addAliases", &versions[0], here, &["more0", "one more"]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("at most 1000 aliases"), "{}", refused.message());
    assert_eq!(server.everything().await, before);
    alias(&alice, "deleteAliases", &versions[0], here, &many).await.expect_ok();
    let before = server.everything().await;
    let long = "a".repeat(129);
    for name in ["v3", "", "a/b", "a:b", "a\n", &long] {
        assert_eq!(alias(&alice, "addAliases", &versions[0], here, &[name]).await.status, 400, "{name:?}");
    }
    for place in [["alpha", "demo", "absent"], ["alpha", "absent", "net"], ["absent", "demo", "net"]] {
        assert_eq!(alias(&alice, "addAliases", &versions[0], place, &["x"]).await.status, 404, "{place:?}");
    }
    assert_eq!(alias(&alice, "addAliases", &versions[0], ["alpha", "demo", "other"], &["x"]).await.status, 404);
    let two = json!({ "artifactID": versions[0], "aliases": [
        { "entityName": "alpha", "projectName": "demo", "artifactCollectionName": "net", "alias": "x" },
        { "entityName": "alpha", "projectName": "demo", "artifactCollectionName": "other", "alias": "x" },
    ] });
    assert_eq!(wire(&alice, "addAliases", two).await.status, 400);
    assert_eq!(server.everything().await, before);
}

/// A version's place where it was logged has aliases as a link has; it is no link, so it isn't removed as one.
#[tokio::test]
async fn rule_29_aliases_where_a_version_was_logged() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    for bytes in ["one", "two"] {
        alice.log(&VersionSpec::model("alpha", "net", bytes.as_bytes())).await;
    }
    let query = "{ collection(path: \"alpha/demo/net\") { links(first: 9) { nodes { id index } } } }";
    let listed = alice.graphql(query, json!({})).await.ok()["collection"]["links"]["nodes"].clone();
    let place = |index: i64| listed.as_array().unwrap().iter().find(|node| node["index"] == index).unwrap()["id"].clone();
    own(&alice, "linkUpdate", json!({ "link": place(0), "addAliases": ["best", "kept"] })).await.expect_ok();
    let moved = own(&alice, "linkUpdate", json!({ "link": place(1), "addAliases": ["best"] })).await.ok();
    assert_eq!(moved["linkUpdate"]["link"], json!({ "id": place(1), "index": 1, "aliases": ["best", "latest"] }));
    own(&alice, "linkUpdate", json!({ "link": place(0), "removeAliases": ["kept"] })).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, "best latest")]));
    let before = server.everything().await;
    let refused = own(&alice, "linkDelete", json!({ "link": place(0) })).await;
    assert_eq!(code(&refused), "INVALID");
    assert!(refused.message().contains("not a link. Delete the version"), "{}", refused.message());
    // Who doesn't see the project finds nothing; who sees it by a seat alone changes nothing.
    for client in [&bob, &carol] {
        for (field, input) in
            [("linkUpdate", json!({ "link": place(0), "addAliases": ["x"] })), ("linkDelete", json!({ "link": place(0) }))]
        {
            assert_eq!(code(&own(client, field, input).await), "NOT_FOUND", "{field}");
        }
    }
    assert_eq!(server.everything().await, before);
    sound(&server, "where it was logged").await;
}

/// As it was written: the order of the keys, spaces, numbers that no double holds.
#[tokio::test]
async fn rule_36_metadata_is_kept_as_it_was_written() {
    const TEXTS: [&str; 4] = [
        r#"{"z": 1.10, "a": 9007199254740993, "big": 123456789012345678901234567890}"#,
        r#"{ "b":1,"a":{"y":-0,"x":[1.0,1E5,1e-400]} ,"\u00e9":"\u00e9" }"#,
        r#"{"2": 18446744073709551617, "1": 0.1000000000000000055511151231257827}"#,
        r#"{"1": 1.10, "2": 1.1}"#,
    ];
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let read = async |id: &Value| {
        let native = "query($id: ID!) { version(id: $id) { metadata } }";
        let on_the_wire = "query($id: ID!) { artifact(id: $id) { metadata } }";
        let own = alice.graphql(native, json!({ "id": id })).await.ok()["version"]["metadata"].clone();
        let id = encode_id("Artifact", decode_id(&["Version", "Artifact"], id.as_str().unwrap()).unwrap());
        let wire = alice.graphql(on_the_wire, json!({ "id": id })).await.ok()["artifact"]["metadata"].clone();
        assert_eq!(own, wire);
        own
    };
    let spec = VersionSpec::model("alpha", "net", b"one");
    let input = json!({
        "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": "net",
        "digest": spec.digest(), "metadata": TEXTS[0],
    });
    let create = "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id } } }";
    let created = alice.graphql(create, json!({ "input": input })).await.ok();
    let id = created["createArtifact"]["artifact"]["id"].clone();
    alice.announce_manifest(&spec, id.as_str().unwrap(), None).await.expect_ok();
    let announced = alice.announce_files(id.as_str().unwrap(), &spec.files).await.ok();
    alice.upload(&announced, &spec.files).await;
    alice.upload_manifest(&spec, id.as_str().unwrap(), &spec.manifest()).await;
    alice.commit(id.as_str().unwrap()).await.expect_ok();
    assert_eq!(read(&id).await, TEXTS[0]);
    wire(&alice, "updateArtifact", json!({ "artifactID": id, "metadata": TEXTS[1] })).await.expect_ok();
    assert_eq!(read(&id).await, TEXTS[1]);
    own(&alice, "versionUpdate", json!({ "version": id, "metadata": TEXTS[2] })).await.expect_ok();
    assert_eq!(read(&id).await, TEXTS[2]);
    let input = json!({
        "entity": "alpha", "project": "demo", "collection": "own", "typeName": "model", "files": [], "metadata": TEXTS[3],
    });
    let begun = own(&alice, "versionBegin", input).await.ok()["versionBegin"]["version"]["id"].clone();
    own(&alice, "versionCommit", json!({ "version": begun })).await.expect_ok();
    assert_eq!(read(&begun).await, TEXTS[3]);
}

#[tokio::test]
async fn rule_33_unlinking_takes_the_link_alone() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut links = Vec::new();
    for (bytes, aliases) in [("one", &["staging"] as &[_]), ("two", &["production"]), ("three", &[])] {
        let version = alice.log(&VersionSpec::model("alpha", "net", bytes.as_bytes())).await.id;
        links.push((link_id(&alice, &version, "Line", aliases).await, version));
    }
    let portfolio = encode_id("ArtifactCollection", collection_id(&server, "Line").await);
    let source = encode_id("ArtifactCollection", collection_id(&server, "net").await);
    let unlink = |version: &str| json!({ "artifactID": version, "artifactPortfolioID": portfolio });
    assert_eq!(places(&server, "Line").await, expected(&[(0, "staging"), (1, "production"), (2, "latest")]));

    wire(&alice, "unlinkArtifact", unlink(&links[2].1)).await.expect_ok();
    assert_eq!(places(&server, "Line").await, expected(&[(0, "staging"), (1, "latest production")]));
    // What is gone is not found, on both sides; a source is no link.
    assert_eq!(wire(&alice, "unlinkArtifact", unlink(&links[2].1)).await.status, 404);
    assert_eq!(code(&own(&alice, "linkDelete", json!({ "link": links[2].0 })).await), "NOT_FOUND");
    let born = json!({ "artifactID": links[0].1, "artifactPortfolioID": source });
    assert_eq!(wire(&alice, "unlinkArtifact", born).await.status, 400);
    // Its index is not given again.
    let again = alice.link(&links[2].1, "acme", "model", "Line", &[]).await.ok();
    assert_eq!(again["linkArtifact"]["versionIndex"], 3);
    own(&alice, "linkDelete", json!({ "link": links[0].0 })).await.expect_ok();
    own(&alice, "linkDelete", json!({ "link": links[1].0 })).await.expect_ok();
    assert_eq!(places(&server, "Line").await, expected(&[(3, "latest")]));
    // The last one too: then the collection is empty, and its next link begins where it was.
    wire(&alice, "unlinkArtifact", unlink(&links[2].1)).await.expect_ok();
    assert_eq!(places(&server, "Line").await, expected(&[]));
    let last = alice.link(&links[0].1, "acme", "model", "Line", &[]).await.ok();
    assert_eq!(last["linkArtifact"]["versionIndex"], 4);
    assert_eq!(places(&server, "Line").await, expected(&[(4, "latest")]));
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (1, ""), (2, "latest")]), "the source is untouched");
    sound(&server, "after unlinking").await;
}

#[tokio::test]
async fn rule_33_a_deleted_version_is_gone_with_its_links() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let (first, second) = (VersionSpec::model("alpha", "net", b"one"), VersionSpec::model("alpha", "net", b"two"));
    let (one, two) = (alice.log(&first).await.id, alice.log(&second).await.id);
    link_id(&alice, &one, "Line", &["staging"]).await;
    link_id(&alice, &two, "Line", &["production"]).await;
    let file = "query($id: ID!) { version(id: $id) { files { nodes { downloadUrl } } } }";
    let handed_out = alice.graphql(file, json!({ "id": two })).await.ok();
    let url = handed_out["version"]["files"]["nodes"][0]["downloadUrl"].as_str().unwrap();
    assert_eq!(alice.get(url, &[]).await.0, 200);

    let before = server.everything().await;
    let refused = wire(&alice, "deleteArtifact", json!({ "artifactID": two })).await;
    assert_eq!((refused.status, refused.message().contains("aliases")), (409, true), "{}", refused.message());
    assert_eq!(code(&own(&alice, "versionDelete", json!({ "version": two })).await), "CONFLICT");
    assert_eq!(server.everything().await, before);

    let deleted = wire(&alice, "deleteArtifact", json!({ "artifactID": two, "deleteAliases": true })).await.ok();
    assert_eq!(deleted["deleteArtifact"]["artifact"], json!({ "id": two, "state": "DELETED" }));
    assert_eq!(places(&server, "net").await, expected(&[(0, "latest")]));
    assert_eq!(places(&server, "Line").await, expected(&[(0, "latest staging")]));
    for (what, query) in [
        ("by id", "query($id: ID!) { artifact(id: $id) { id } }"),
        ("by our side", "query($id: ID!) { version(id: $id) { id } }"),
    ] {
        let answer = alice.graphql(query, json!({ "id": two })).await.ok();
        assert!(answer.as_object().unwrap().values().all(Value::is_null), "{what}: {answer}");
    }
    assert_eq!(wire(&alice, "deleteArtifact", json!({ "artifactID": two })).await.status, 404);
    assert_eq!(alice.link(&two, "acme", "model", "Line", &[]).await.status, 404);
    assert_eq!(alias(&alice, "addAliases", &two, ["alpha", "demo", "net"], &["x"]).await.status, 404);
    assert_eq!(wire(&alice, "updateArtifact", json!({ "artifactID": two, "description": "x" })).await.status, 404);
    let status = alice.get(url, &[]).await.0;
    assert!([403, 404].contains(&status), "a URL that was handed out before is checked anew: {status}");

    // Rule 26: no index is given again, and what is gone is not what the newest version is.
    let again = alice.log(&second).await;
    assert_eq!(again.state, "PENDING");
    assert_eq!(places(&server, "net").await, expected(&[(0, ""), (2, "latest")]));
    // Only `latest`: nobody chose it.
    wire(&alice, "deleteArtifact", json!({ "artifactID": again.id })).await.expect_ok();
    // The client's own name for what is gone is free for the next version.
    let client_id = json!({ "id": "reused" });
    let mapping = "query($id: ID!) { clientIDMapping(clientID: $id) { serverID } }";
    let third = VersionSpec::model("alpha", "net", b"three");
    let created = alice.create_version(&third, "reused").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    alice.announce_manifest(&third, &id, None).await.expect_ok();
    let announced = alice.announce_files(&id, &third.files).await.ok();
    alice.upload(&announced, &third.files).await;
    alice.upload_manifest(&third, &id, &third.manifest()).await;
    alice.commit(&id).await.expect_ok();
    wire(&alice, "deleteArtifact", json!({ "artifactID": id })).await.expect_ok();
    assert!(alice.graphql(mapping, client_id.clone()).await.ok()["clientIDMapping"].is_null());
    let again = alice.create_version(&third, "reused").await.ok();
    let now = &again["createArtifact"]["artifact"]["id"];
    assert_ne!(now, id.as_str());
    assert_eq!(alice.graphql(mapping, client_id).await.ok()["clientIDMapping"]["serverID"], *now);
    // What isn't committed isn't deleted.
    let begun = alice.begin(&VersionSpec::model("alpha", "net", b"begun")).await.id;
    assert_eq!(wire(&alice, "deleteArtifact", json!({ "artifactID": begun })).await.status, 409);
    sound(&server, "after deleting").await;
}

#[tokio::test]
async fn rule_32_what_a_protected_alias_holds_nobody_takes_away() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"one")).await.id;
    let link = link_id(&alice, &version, "Line", &["production", "staging"]).await;
    let registry = encode_id("Registry", server.number("select id from projects where kind = 'registry'").await);
    own(&alice, "registryUpdate", json!({ "id": registry, "protectedAliases": ["production"] })).await.expect_ok();
    own(&alice, "registryMemberAdd", json!({ "registry": registry, "users": ["bob"] })).await.expect_ok();
    own(&alice, "registryMemberSet", json!({ "registry": registry, "user": "bob", "role": "MEMBER" })).await.expect_ok();
    let collection = collection_id(&server, "Line").await;
    let (native, portfolio) = (encode_id("Collection", collection), encode_id("ArtifactCollection", collection));
    let place = ["acme", "wandb-registry-model", "Line"];
    let before = server.everything().await;
    for answer in [
        alias(&bob, "deleteAliases", &version, place, &["production"]).await,
        wire(&bob, "unlinkArtifact", json!({ "artifactID": version, "artifactPortfolioID": portfolio })).await,
        wire(&bob, "deleteArtifactPortfolio", json!({ "artifactPortfolioID": portfolio })).await,
        // Not even alice, who is admin of everything here.
        wire(&alice, "deleteArtifact", json!({ "artifactID": version, "deleteAliases": true })).await,
        wire(
            &alice,
            "deleteArtifactSequence",
            json!({ "artifactSequenceID": encode_id("ArtifactCollection", collection_id(&server, "net").await) }),
        )
        .await,
    ] {
        assert_eq!(answer.status, 403, "{:?}", answer.errors);
        assert!(answer.message().contains("protected"), "{}", answer.message());
    }
    for (field, input) in [
        ("linkUpdate", json!({ "link": link, "removeAliases": ["production"] })),
        ("linkDelete", json!({ "link": link })),
        ("collectionDelete", json!({ "collection": native })),
    ] {
        assert_eq!(code(&own(&bob, field, input).await), "FORBIDDEN", "{field}");
    }
    assert_eq!(code(&own(&alice, "versionDelete", json!({ "version": version, "deleteAliases": true })).await), "FORBIDDEN");
    assert_eq!(server.everything().await, before);
    // The others are anybody's, and what isn't changed needs no right.
    own(&bob, "linkUpdate", json!({ "link": link, "addAliases": ["production"], "removeAliases": ["staging"] }))
        .await
        .expect_ok();
    // An admin takes it away, and then it can go.
    own(&alice, "linkUpdate", json!({ "link": link, "removeAliases": ["production"] })).await.expect_ok();
    wire(&alice, "deleteArtifact", json!({ "artifactID": version })).await.expect_ok();
    sound(&server, "in the end").await;
}

#[tokio::test]
async fn rules_17_22_and_34_who_may_change_what() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let newcomer = server.user("newcomer").await;
    server.join("acme", "newcomer", OrganizationRole::Member).await;
    server.join_team("alpha", "newcomer", TeamRole::Member).await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"one")).await.id;
    let link = link_id(&alice, &version, "Line", &[]).await;
    let registry = encode_id("Registry", server.number("select id from projects where kind = 'registry'").await);
    own(&alice, "registryMemberAdd", json!({ "registry": registry, "users": ["bob"] })).await.expect_ok();
    let collection = encode_id("Collection", collection_id(&server, "Line").await);
    let tries = [
        ("linkUpdate", json!({ "link": link, "addAliases": ["x"] })),
        ("collectionUpdate", json!({ "collection": collection, "description": "x" })),
        ("linkDelete", json!({ "link": link })),
        ("collectionDelete", json!({ "collection": collection })),
        ("versionUpdate", json!({ "version": version, "description": "x" })),
        ("versionDelete", json!({ "version": version })),
    ];
    let before = server.everything().await;
    for role in ["RESTRICTED_VIEWER", "VIEWER"] {
        own(&alice, "registryMemberSet", json!({ "registry": registry, "user": "bob", "role": role })).await.expect_ok();
        for (field, input) in &tries {
            assert_eq!(code(&own(&bob, field, input.clone()).await), "FORBIDDEN", "{field} by a {role}");
            assert_eq!(code(&own(&carol, field, input.clone()).await), "NOT_FOUND", "{field} from outside");
        }
    }
    // Rule 23: a member of the team writes, and doesn't delete.
    assert_eq!(code(&own(&newcomer, "versionDelete", json!({ "version": version })).await), "FORBIDDEN");
    let differs: Vec<String> = server
        .everything()
        .await
        .into_iter()
        .filter(|(table, rows)| before.get(table) != Some(rows))
        .map(|(table, _)| table)
        .collect();
    assert!(differs.iter().all(|table| ["registry_user_members", "audit_events"].contains(&table.as_str())), "{differs:?}");
    own(&newcomer, "versionUpdate", json!({ "version": version, "description": "by newcomer" })).await.expect_ok();

    // Rule 22: a member of the registry who sees nothing of the source sets aliases of the link; the version's fields aren't his,
    // but sending them as they are is no change (rule 17).
    own(&alice, "registryMemberSet", json!({ "registry": registry, "user": "bob", "role": "MEMBER" })).await.expect_ok();
    own(&bob, "linkUpdate", json!({ "link": link, "addAliases": ["blue"] })).await.expect_ok();
    assert_eq!(code(&own(&bob, "versionUpdate", json!({ "version": version, "description": "by bob" })).await), "FORBIDDEN");
    assert_eq!(code(&own(&bob, "versionUpdate", json!({ "version": version, "addTags": ["x"] })).await), "FORBIDDEN");
    own(&bob, "versionUpdate", json!({ "version": version, "description": "by newcomer", "metadata": "{}" })).await.expect_ok();
    let same = json!({ "artifactID": version, "description": "by newcomer", "metadata": "{}", "tagsToAdd": [], "ttlDurationSeconds": -1 });
    wire(&bob, "updateArtifact", same).await.expect_ok();
    own(&bob, "collectionDelete", json!({ "collection": collection })).await.expect_ok();
    assert_eq!(places(&server, "net").await, expected(&[(0, "latest")]), "the source stays");
    sound(&server, "in the end").await;
}

#[tokio::test]
async fn rule_34_tags_of_collections_and_versions() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"one")).await.id;
    link_id(&alice, &version, "Line", &[]).await;
    let tagged = |tags: &[&str]| tags.iter().map(|tag| json!({ "tagName": tag })).collect::<Vec<_>>();
    let line = |tags: &[&str]| {
        json!({
            "entityName": "acme", "projectName": "wandb-registry-model", "artifactCollectionName": "Line", "tags": tagged(tags),
        })
    };
    const ADD: &str = "createArtifactCollectionTagAssignments";
    let names = |answer: Answer| -> Vec<String> {
        let tags = answer.ok()[ADD]["tags"].as_array().unwrap().clone();
        tags.iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(wire(&alice, ADD, line(&["b", "a b", "b", "données-2"])).await), ["a b", "b", "données-2"]);
    wire(&alice, "deleteArtifactCollectionTagAssignments", line(&["b", "never"])).await.expect_ok();
    assert_eq!(names(wire(&alice, ADD, line(&[])).await), ["a b", "données-2"]);
    let update = json!({ "artifactID": version, "tagsToAdd": tagged(&["x", "y"]), "tagsToDelete": tagged(&["z"]) });
    let updated = wire(&alice, "updateArtifact", update).await.ok();
    assert_eq!(updated["updateArtifact"]["artifact"]["tags"], json!([{ "name": "x" }, { "name": "y" }]));
    let aliases = json!([{ "artifactCollectionName": "net", "alias": "x" }]);
    assert_eq!(wire(&alice, "updateArtifact", json!({ "artifactID": version, "aliases": aliases })).await.status, 400);
    let before = server.everything().await;
    let (long, many) = ("a".repeat(129), (0..21).map(|number| format!("t{number}")).collect::<Vec<_>>());
    for tag in ["", " ", "a ", " a", "a\n", "a\tb", "a/b", "a.b", "é\u{0}", "a\u{2028}b", &long] {
        assert_eq!(wire(&alice, ADD, line(&[tag])).await.status, 400, "{tag:?}");
        let update = json!({ "artifactID": version, "tagsToAdd": tagged(&[tag]) });
        assert_eq!(wire(&alice, "updateArtifact", update).await.status, 400, "{tag:?}");
    }
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(wire(&alice, ADD, line(&many)).await.status, 400);
    assert_eq!(server.everything().await, before);
    for round in 0..5 {
        let names: Vec<String> = (0..20).map(|number| format!("t{round}-{number}")).collect();
        let answer = wire(&alice, ADD, line(&names.iter().map(String::as_str).collect::<Vec<_>>())).await;
        assert_eq!(answer.status, if round < 4 { 200 } else { 400 }, "{:?}", answer.errors);
    }
}

#[tokio::test]
async fn rule_25_collections_renamed_moved_and_deleted() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"one")).await.id;
    let other = alice.log(&VersionSpec::model("alpha", "other", b"other")).await.id;
    link_id(&alice, &version, "Line", &["staging"]).await;
    link_id(&alice, &other, "Line", &["production"]).await;
    link_id(&alice, &other, "Second line", &[]).await;
    let id = async |name: &str| encode_id("ArtifactCollection", collection_id(&server, name).await);
    let (line, net, others) = (id("Line").await, id("net").await, id("other").await);
    let rename = |id: &str, name: &str| json!({ "artifactPortfolioID": id, "name": name });
    wire(&alice, "updateArtifactPortfolio", rename(&line, "Line of models")).await.expect_ok();
    assert_eq!(wire(&alice, "updateArtifactPortfolio", rename(&line, "Second line")).await.status, 409);
    for name in ["", "a/b", "a:b", "a\n"] {
        assert_eq!(wire(&alice, "updateArtifactPortfolio", rename(&line, name)).await.status, 400, "{name:?}");
    }
    let source = |id: &str, name: &str| json!({ "artifactSequenceID": id, "name": name });
    assert_eq!(wire(&alice, "updateArtifactSequence", source(&net, "not so")).await.status, 400);
    assert_eq!(wire(&alice, "updateArtifactSequence", source(&net, "other")).await.status, 409);
    wire(&alice, "updateArtifactSequence", source(&net, "nets")).await.expect_ok();
    // The type: not while a version is linked, and of a registry's collection never.
    let to = |id: &str| json!({ "artifactSequenceID": id, "destinationArtifactTypeName": "checkpoint" });
    assert_eq!(wire(&alice, "moveArtifactSequence", to(&net)).await.status, 409);
    assert_eq!(wire(&alice, "moveArtifactSequence", to(&line)).await.status, 400);
    let free = alice.log(&VersionSpec::model("alpha", "free", b"free")).await.id;
    wire(&alice, "moveArtifactSequence", to(&id("free").await)).await.expect_ok();
    let query = "query($id: ID!) { artifact(id: $id) { artifactType { name } } }";
    assert_eq!(alice.graphql(query, json!({ "id": free })).await.ok()["artifact"]["artifactType"]["name"], "checkpoint");
    assert_eq!(alice.link(&free, "acme", "model", "Third line", &[]).await.status, 400, "the registry doesn't allow that type");

    // A source collection goes with its versions, and their links; the history of the collections that they were in stays.
    let history = "select count(*) from aliases where version_id = ";
    let number = decode_id(&["Artifact"], &other).unwrap();
    let periods = server
        .number(&format!("{history}{number} and collection_id <> {}", decode_id(&["ArtifactCollection"], &others).unwrap()))
        .await;
    assert_eq!(periods, 3);
    let begun = alice.begin(&VersionSpec::model("alpha", "other", b"begun")).await.id;
    // Neither kind is deleted or changed by the request for the other.
    for (field, key, id) in [
        ("deleteArtifactPortfolio", "artifactPortfolioID", &others),
        ("updateArtifactPortfolio", "artifactPortfolioID", &others),
        ("deleteArtifactSequence", "artifactSequenceID", &line),
        ("updateArtifactSequence", "artifactSequenceID", &line),
    ] {
        assert_eq!(wire(&alice, field, json!({ key: id })).await.status, 400, "{field}");
    }
    for field in ["collectionDelete", "collectionUpdate"] {
        assert_eq!(code(&own(&alice, field, json!({ "collection": others })).await), "INVALID", "{field}");
    }
    let deleted = wire(&alice, "deleteArtifactSequence", json!({ "artifactSequenceID": others })).await.ok();
    assert_eq!(deleted["deleteArtifactSequence"]["artifactCollection"]["state"], "DELETED");
    assert_eq!(places(&server, "Line of models").await, expected(&[(0, "latest staging")]));
    assert_eq!(places(&server, "Second line").await, expected(&[]));
    assert_eq!(server.number(&format!("{history}{number}")).await, periods);
    assert_eq!(wire(&alice, "deleteArtifactSequence", json!({ "artifactSequenceID": others })).await.status, 404);
    assert_eq!(alice.commit(&begun).await.status, 404, "what was begun there is gone as well");
    // Its name is free again, and counts anew.
    alice.log(&VersionSpec::model("alpha", "other", b"other")).await;
    assert_eq!(places(&server, "other").await, expected(&[(0, "latest")]));
    wire(&alice, "deleteArtifactPortfolio", json!({ "artifactPortfolioID": line })).await.expect_ok();
    assert_eq!(places(&server, "nets").await, expected(&[(0, "latest")]));
    sound(&server, "in the end").await;
}

/// Rules 26, 29, 30 and 33 with 64 tasks at two servers: links into new collections, aliases pulled to and fro, unlinking, and the
/// end of versions and collections, all of the same few versions.
#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let twin = server.twin().await;
    for round in 0..rounds() {
        let name = format!("net{round}");
        let mut versions = Vec::new();
        for number in 0..4 {
            versions.push(alice.log(&VersionSpec::model("alpha", &name, format!("{round} {number}").as_bytes())).await.id);
        }
        let line = format!("Line {round}");
        for version in &versions {
            alice.link(version, "acme", "model", &line, &["production"]).await.expect_ok();
        }
        let portfolio = encode_id("ArtifactCollection", collection_id(&server, &line).await);
        let source = encode_id("ArtifactCollection", collection_id(&server, &name).await);
        let tasks = (0..64).map(|task| {
            let client = if task % 2 == 0 { alice.clone() } else { alice.at(&twin.url) };
            let (versions, line, portfolio, source) = (&versions, &line, &portfolio, &source);
            async move {
                let version = &versions[task / 4 % 4];
                match task % 8 {
                    0 => client.link(version, "acme", "model", &format!("New {round} {task}"), &["production"]).await,
                    1 | 2 => {
                        alias(&client, "addAliases", version, ["acme", "wandb-registry-model", line], &["production", "x"]).await
                    }
                    3 => alias(&client, "deleteAliases", version, ["acme", "wandb-registry-model", line], &["production"]).await,
                    4 => {
                        wire(&client, "unlinkArtifact", json!({ "artifactID": version, "artifactPortfolioID": portfolio })).await
                    }
                    5 => client.link(version, "acme", "model", line, &["y"]).await,
                    6 if task > 40 => {
                        wire(&client, "deleteArtifact", json!({ "artifactID": version, "deleteAliases": true })).await
                    }
                    7 if task == 63 => wire(&client, "deleteArtifactSequence", json!({ "artifactSequenceID": source })).await,
                    _ => client.link(version, "acme", "model", &format!("Same {round}"), &["x"]).await,
                }
            }
        });
        for answer in join_all(tasks).await {
            assert!([200, 404, 409].contains(&answer.status), "{}: {:?}", answer.status, answer.errors);
        }
        sound(&server, &format!("round {round}")).await;
    }
}
