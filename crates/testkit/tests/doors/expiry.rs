//! Versions that expire (rule 35): what is asked for and shown, what the expiry ends and what it keeps, also while something is linked.
//! What must not live here: deletions by people (`life`), bytes (`garbage`), crashes (tests/crash).

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all, join3};
use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::RegistryRole;
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::life::{collection_id, expected, places, sound, wire};
use crate::native::own;
use crate::races::many_rounds;

const TASKS: usize = 64;
const DAY: i64 = 24 * 60 * 60;

/// The database's time, and so long after it.
pub async fn later(server: &Server, by: TimeDelta) -> DateTime<Utc> {
    server.service.store.clock().await.unwrap() + by
}

/// What is shown of a version's expiry: on the wire, and how many seconds after its creation it is in our own schema.
async fn shown(client: &Client, version: &str) -> Value {
    let query =
        "query($id: ID!) { artifact(id: $id) { ttlDurationSeconds ttlIsInherited } version(id: $id) { createdAt expiresAt } }";
    let id = encode_id("Artifact", decode_id(&["Artifact", "Version"], version).unwrap());
    let shown = client.graphql(query, json!({ "id": id })).await.ok();
    let time = |field: &str| shown["version"][field].as_str().map(|text| text.parse::<DateTime<Utc>>().unwrap());
    let after = time("expiresAt").map(|at| (at - time("createdAt").unwrap()).num_seconds());
    json!([shown["artifact"]["ttlDurationSeconds"], shown["artifact"]["ttlIsInherited"], after])
}

async fn set(client: &Client, version: &str, seconds: impl Into<Value>) -> Answer {
    wire(client, "updateArtifact", json!({ "artifactID": version, "ttlDurationSeconds": seconds.into() })).await
}

/// What was told of versions since an event, in order: the kind, the actor, the fields before and after.
async fn told(server: &Server, after: i64) -> Vec<Value> {
    let query = "select jsonb_build_array(kind, actor_id, before, after) as event from audit_events \
                 where (kind like 'version.%' or kind like 'alias.%')";
    let rows = server.rows(&format!("{query} and id > {after} order by id")).await;
    rows.into_iter().map(|row| row["event"].clone()).collect()
}

async fn last_event(server: &Server) -> i64 {
    server.number("select coalesce(max(id), 0) from audit_events").await
}

#[tokio::test]
async fn rule_35_what_an_expiry_is_and_how_it_is_shown() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let logged = alice.log(&VersionSpec::model("alpha", "net", b"one")).await.id;
    assert_eq!(shown(&alice, &logged).await, json!([-1, true, null]), "nothing to inherit");
    for (seconds, read) in [
        (json!(3600), json!([3600, false, 3600])),
        (json!(null), json!([3600, false, 3600])),
        (json!(-1), json!([-1, true, null])),
        (json!(1), json!([1, false, 1])),
        (json!(-2), json!([-2, false, null])),
        (json!(3_155_760_000_i64), json!([3_155_760_000_i64, false, 3_155_760_000_i64])),
    ] {
        set(&alice, &logged, seconds.clone()).await.expect_ok();
        assert_eq!(shown(&alice, &logged).await, read, "{seconds}");
    }
    let event = last_event(&server).await;
    set(&alice, &logged, 60).await.expect_ok();
    let alice_id = server.number("select id from entities where name = 'alice'").await;
    let fields = [json!({ "ttl_seconds": 3_155_760_000_i64 }), json!({ "ttl_seconds": 60 })];
    assert_eq!(told(&server, event).await, [json!(["version.updated", alice_id, fields[0], fields[1]])]);

    // From its first request on, by both sides.
    let create =
        "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id ttlDurationSeconds } } }";
    let input = json!({
        "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": "net",
        "digest": "0".repeat(32), "ttlDurationSeconds": 90,
    });
    let created = alice.graphql(create, json!({ "input": input })).await.ok();
    assert_eq!(created["createArtifact"]["artifact"]["ttlDurationSeconds"], 90);
    let begin = |ttl: Value| json!({ "entity": "alpha", "project": "demo", "collection": "plan", "typeName": "model", "files": [], "ttl": ttl });
    for (ttl, read) in
        [(json!(90), json!([90, false, 90])), (json!(0), json!([-2, false, null])), (json!(null), json!([-1, true, null]))]
    {
        let begun = own(&alice, "versionBegin", begin(ttl)).await.ok();
        let id = begun["versionBegin"]["version"]["id"].as_str().unwrap();
        assert_eq!(shown(&alice, id).await, read);
    }
    own(&alice, "versionUpdate", json!({ "version": logged, "ttl": 120 })).await.expect_ok();
    assert_eq!(shown(&alice, &logged).await, json!([120, false, 120]));
    own(&alice, "versionUpdate", json!({ "version": logged, "ttl": 0 })).await.expect_ok();
    assert_eq!(shown(&alice, &logged).await, json!([-2, false, null]));

    let before = server.everything().await;
    for (seconds, words) in [
        (0, "more than 0"),
        (-3, "more than 0"),
        (i64::MIN, "more than 0"),
        (3_155_760_001, "hundred years"),
        (i64::MAX, "hundred years"),
    ] {
        let refused = set(&alice, &logged, seconds).await;
        assert_eq!(refused.status, 400, "{seconds}");
        assert!(refused.message().contains(words), "{seconds}: {}", refused.message());
        // In our own schema 0 is none at all.
        if seconds != 0 {
            let refused = own(&alice, "versionUpdate", json!({ "version": logged, "ttl": seconds })).await;
            assert_eq!(refused.code(), "INVALID", "{seconds}");
            assert!(refused.message().contains(words), "{seconds}: {}", refused.message());
        }
    }
    for seconds in [-1, -2] {
        assert_eq!(own(&alice, "versionUpdate", json!({ "version": logged, "ttl": seconds })).await.code(), "INVALID");
    }
    assert_eq!(set(&bob, &logged, 60).await.status, 404);
    assert_eq!(server.everything().await, before);
}

#[tokio::test]
async fn rule_35_what_a_registry_holds_does_not_expire() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"one")).await.id;
    set(&alice, &version, 60).await.expect_ok();
    let event = last_event(&server).await;
    alice.link(&version, "acme", "model", "Line", &[]).await.expect_ok();
    assert_eq!(shown(&alice, &version).await, json!([-2, false, null]));
    let kinds: Vec<Value> = told(&server, event).await.iter().map(|event| event[0].clone()).collect();
    assert_eq!(kinds, ["version.linked", "version.updated", "alias.set"]);
    let before = server.everything().await;
    let refused = set(&alice, &version, 60).await;
    assert_eq!(refused.status, 409);
    assert!(refused.message().contains("linked into a registry"), "{}", refused.message());
    let refused = own(&alice, "versionUpdate", json!({ "version": version, "ttl": 60 })).await;
    assert_eq!(refused.code(), "CONFLICT");
    // By the link alone it is nobody's to set (rules 22 and 34).
    let registry = server.number("select id from projects where kind = 'registry'").await;
    let member = json!({ "registry": encode_id("Registry", registry), "users": ["bob"] });
    own(&alice, "registryMemberAdd", member).await.expect_ok();
    let role = json!({ "registry": encode_id("Registry", registry), "user": "bob", "role": RegistryRole::Admin.as_str().to_uppercase() });
    own(&alice, "registryMemberSet", role).await.expect_ok();
    let as_member = server.everything().await;
    for seconds in [60, -1] {
        assert_eq!(set(&bob, &version, seconds).await.status, 403);
    }
    assert_eq!(server.everything().await, as_member);
    assert_eq!(before["versions"], as_member["versions"]);

    let line = encode_id("ArtifactCollection", collection_id(&server, "Line").await);
    wire(&alice, "unlinkArtifact", json!({ "artifactID": version, "artifactPortfolioID": line })).await.expect_ok();
    assert_eq!(shown(&alice, &version).await, json!([-2, false, null]), "unlinking doesn't bring it back");
    assert_eq!(server.service.expire(later(&server, TimeDelta::days(400)).await).await.unwrap(), 0);
    // Then it is as any other.
    set(&alice, &version, 60).await.expect_ok();
    assert_eq!(server.service.expire(later(&server, TimeDelta::days(1)).await).await.unwrap(), 1);
}

#[tokio::test]
async fn rules_33_and_35_what_is_over_is_deleted_with_its_aliases() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut versions = Vec::new();
    for (bytes, aliases) in [("one", &["first"] as &[&str]), ("two", &["best", "old"]), ("three", &[]), ("four", &["new"])] {
        let mut spec = VersionSpec::model("alpha", "net", bytes.as_bytes());
        spec.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        versions.push(alice.log(&spec).await.id);
    }
    // One that is begun and not committed isn't ended, whatever time it has.
    let pending = alice.begin(&VersionSpec::model("alpha", "net", b"five")).await.id;
    server.sql("update versions set ttl_seconds = 1 where state = 'pending'").await;
    set(&alice, &versions[1], DAY).await.expect_ok();
    set(&alice, &versions[3], DAY + 3600).await.expect_ok();
    set(&alice, &versions[0], 30 * DAY).await.expect_ok();
    let before = server.everything().await;
    assert_eq!(server.service.expire(later(&server, TimeDelta::hours(23)).await).await.unwrap(), 0);
    assert_eq!(server.everything().await, before);

    let event = last_event(&server).await;
    let now = later(&server, TimeDelta::hours(24)).await;
    assert_eq!(server.service.expire(now).await.unwrap(), 1);
    assert_eq!(places(&server, "net").await, expected(&[(0, "first"), (2, ""), (3, "latest new")]));
    let net = collection_id(&server, "net").await;
    let numbers = server.rows("select id, digest from versions order by id").await;
    let (id, digest) = (&numbers[1]["id"], &numbers[1]["digest"]);
    assert_eq!(
        told(&server, event).await,
        [
            json!(["alias.removed", null, { "alias": "best", "version": id }, null]),
            json!(["alias.removed", null, { "alias": "old", "version": id }, null]),
            json!(["version.deleted", null, { "collection": net, "index": 1, "digest": digest, "reason": "expired" }, null]),
        ]
    );
    assert_eq!(server.service.expire(now).await.unwrap(), 0, "once");
    let gone = alice.graphql("query($id: ID!) { version(id: $id) { id } }", json!({ "id": versions[1] })).await.ok();
    assert!(gone["version"].is_null());

    // The newest: `latest` goes to the highest index that is left (rule 29), and no index is given again (rule 26).
    assert_eq!(server.service.expire(now + TimeDelta::hours(2)).await.unwrap(), 1);
    assert_eq!(places(&server, "net").await, expected(&[(0, "first"), (2, "latest")]));
    alice.commit(&pending).await.expect_ok();
    assert_eq!(server.service.expire(now + TimeDelta::hours(2)).await.unwrap(), 1, "committed and over at once");
    sound(&server, "in the end").await;
    let again = alice.log(&VersionSpec::model("alpha", "net", b"six")).await.id;
    assert_eq!(places(&server, "net").await, expected(&[(0, "first"), (2, ""), (5, "latest")]));
    assert_eq!(shown(&alice, &again).await, json!([-1, true, null]));
}

/// Rules 26 and 35: what is over may not be deleted yet; who logs the same then has a version that stays.
#[tokio::test]
async fn rule_35_what_is_over_is_not_what_is_logged() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the same");
    let first = alice.log(&spec).await.id;
    set(&alice, &first, 3600).await.expect_ok();
    assert_eq!(alice.log(&spec).await.id, first, "it is there for an hour");
    server.sql("update versions set created_at = created_at - interval '2 hours'").await;
    let second = alice.log(&spec).await.id;
    assert_ne!(second, first);
    assert_eq!(server.service.expire(later(&server, TimeDelta::zero()).await).await.unwrap(), 1);
    assert_eq!(places(&server, "net").await, expected(&[(1, "latest")]));
    assert_eq!(alice.log(&spec).await.id, second);
}

/// What can't be ended keeps nothing else from ending.
#[tokio::test]
async fn rule_35_a_collection_that_fails_stops_no_other() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for name in ["first", "second", "third"] {
        let version = alice.log(&VersionSpec::model("alpha", name, name.as_bytes())).await.id;
        set(&alice, &version, 60).await.expect_ok();
    }
    let broken = collection_id(&server, "first").await;
    server
        .sql(&format!(
            "create function no() returns trigger language plpgsql as 'begin raise exception ''no''; end';
             create trigger no before delete on memberships for each row when (old.collection_id = {broken}) execute function no()"
        ))
        .await;
    let now = later(&server, TimeDelta::days(1)).await;
    server.service.expire(now).await.unwrap_err();
    assert_eq!(places(&server, "first").await, expected(&[(0, "latest")]));
    for name in ["second", "third"] {
        assert!(places(&server, name).await.is_empty(), "{name}");
    }
    server.sql("drop trigger no on memberships").await;
    assert_eq!(server.service.expire(now).await.unwrap(), 1);
    sound(&server, "in the end").await;
}

/// A project is no registry: what is linked there expires, and its link goes with it (rule 33).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_35_links_into_projects_keep_nothing() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut versions = Vec::new();
    for number in 0..32 {
        let version =
            alice.log(&VersionSpec::model("alpha", &format!("net{}", number % 4), format!("{number}").as_bytes())).await.id;
        set(&alice, &version, 60).await.expect_ok();
        versions.push(version);
    }
    alice.link_into(&versions[0], "alpha", "shelf", "Chosen", &["best"]).await.expect_ok();
    assert_eq!(shown(&alice, &versions[0]).await, json!([60, false, 60]));
    set(&alice, &versions[0], 30).await.expect_ok();
    let event = last_event(&server).await;
    let now = later(&server, TimeDelta::days(1)).await;
    let links = join_all(versions.iter().map(|version| alice.link_into(version, "alpha", "shelf", "Chosen", &[])));
    let (links, ended) = join(links, join_all((0..3).map(|_| server.service.expire(now)))).await;
    assert!(links.iter().all(|answer| answer.errors.is_empty() || answer.status == 404), "{links:?}");
    let ended: usize = ended.into_iter().map(Result::unwrap).sum();
    assert_eq!(ended + server.service.expire(now).await.unwrap(), versions.len());
    let count = |kind: &'static str| {
        let server = &server;
        async move { told(server, event).await.iter().filter(|event| event[0] == kind).count() }
    };
    assert_eq!(count("version.deleted").await, versions.len());
    assert_eq!(count("version.unlinked").await, count("version.linked").await + 1);
    assert!(places(&server, "Chosen").await.is_empty());
    sound(&server, "in the end").await;
}

/// Show 4: expiry by two servers at once while everything is linked at both. Each version is either linked and kept for ever, or
/// ended once, with one event; and the links' indices have no gap (rule 28).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_35_expiry_while_versions_are_linked() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut other = server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let there = alice.at(&other.url);
    let (mut all_linked, mut all_ended) = (0, 0);
    for round in 0..many_rounds() {
        let versions = join_all((0..TASKS).map(|task| {
            let alice = &alice;
            async move {
                let name = format!("net{}", task % 8);
                alice.log(&VersionSpec::model("alpha", &name, format!("{round} {task}").as_bytes())).await.id
            }
        }))
        .await;
        server.sql("update versions set ttl_seconds = 1 where state = 'committed' and ttl_seconds = -1").await;
        let now = later(&server, TimeDelta::days(1)).await;
        let event = last_event(&server).await;
        let links = join_all(versions.iter().enumerate().map(|(task, version)| {
            let client = if task % 2 == 1 { &there } else { &alice };
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(task as u64 % 16 * 4)).await;
                client.link(version, "acme", "model", &format!("Line {round}"), &[]).await
            }
        }));
        // At once in some rounds, later in others.
        let pause = || tokio::time::sleep(std::time::Duration::from_millis(round as u64 % 4 * 20));
        let expiries = join_all((0..4).map(|_| async {
            pause().await;
            server.service.expire(now).await
        }));
        let there_too = async {
            pause().await;
            other.expire(now).await
        };
        let (links, expiries, (neighbor, ended_there)) = join3(links, expiries, there_too).await;
        other = neighbor;
        // Whoever waited for somebody else's batch left the rest to the next time.
        let ended_here = expiries.into_iter().map(Result::unwrap).sum::<usize>();
        let ended = ended_here + ended_there + server.service.expire(now).await.unwrap();
        let linked = links.iter().filter(|answer| answer.errors.is_empty()).count();
        assert!(links.iter().all(|answer| answer.errors.is_empty() || answer.status == 404), "{links:?}");
        assert_eq!(linked + ended, TASKS, "round {round}");
        let deleted = told(&server, event).await.iter().filter(|event| event[0] == "version.deleted").count();
        assert_eq!(deleted, ended, "round {round}: one event each");
        for (version, link) in versions.iter().zip(&links) {
            let expected = if link.errors.is_empty() { json!([-2, false, null]) } else { Value::Null };
            let read = alice.graphql("query($id: ID!) { version(id: $id) { id } }", json!({ "id": version })).await.ok();
            assert_eq!(read["version"].is_null(), expected.is_null());
            if !expected.is_null() {
                assert_eq!(shown(&alice, version).await, expected);
            }
        }
        sound(&server, &format!("round {round}")).await;
        let twice = "select count(*) from (select subject from audit_events where kind = 'version.deleted' group by subject \
                     having count(*) > 1) twice";
        assert_eq!(server.number(twice).await, 0);
        let places = "select m.index from memberships m join collections c on c.id = m.collection_id where c.name = 'Line";
        let places = server.rows(&format!("{places} {round}' order by m.index")).await;
        let indices: Vec<usize> = places.iter().map(|place| place["index"].as_u64().unwrap() as usize).collect();
        assert_eq!(indices, (0..linked).collect::<Vec<_>>(), "round {round}");
        (all_linked, all_ended) = (all_linked + linked, all_ended + ended);
    }
    println!("{all_linked} linked, {all_ended} ended");
    assert!(all_linked > 0 && all_ended > 0, "{all_linked} linked, {all_ended} ended: this proved nothing");
}

/// An expiry that is set while the version is linked: it is refused, or the link sets it off. Never both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_35_an_expiry_is_set_while_the_version_is_linked() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.make_registry("acme", "reviewed", "ORGANIZATION").await;
    let versions = join_all((0..TASKS).map(|task| {
        let alice = &alice;
        async move { alice.log(&VersionSpec::model("alpha", &format!("net{task}"), format!("{task}").as_bytes())).await.id }
    }))
    .await;
    let writes = join_all(versions.iter().enumerate().map(|(task, version)| {
        let alice = &alice;
        let collection = format!("Line {}", task % 8);
        async move { join(alice.link(version, "acme", "reviewed", &collection, &[]), set(alice, version, 60)).await }
    }));
    for (link, set) in writes.await {
        link.expect_ok();
        assert!(set.errors.is_empty() || set.status == 409, "{set:?}");
    }
    for version in &versions {
        let seconds = shown(&alice, version).await[0].as_i64().unwrap();
        assert!(seconds < 0, "{seconds}");
    }
    assert_eq!(server.service.expire(later(&server, TimeDelta::days(1)).await).await.unwrap(), 0);
}
