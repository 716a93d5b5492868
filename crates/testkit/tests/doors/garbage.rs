//! The end of bytes (rule 33) and of what was begun and left: what goes, when, and what stays, also while others write. What must
//! not live here: what ends versions (`life`, `expiry`), crashes (tests/crash).

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use regalia_domain::ids::encode_id;
use regalia_service::garbage::Collected;
use regalia_service::store::garbage;
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::json;
use uuid::Uuid;

use crate::expiry::later;
use crate::life::{collection_id, wire};
use crate::native::own;
use crate::races::rounds;

/// A version of `net` with these files.
fn net(files: &[(&str, &str)]) -> VersionSpec {
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.as_bytes().to_vec())).collect();
    VersionSpec { files, ..VersionSpec::model("alpha", "net", b"") }
}

async fn delete(client: &Client, version: &str) {
    wire(client, "deleteArtifact", json!({ "artifactID": version, "deleteAliases": true })).await.expect_ok();
}

/// What must hold of rows and objects at every moment but while something is under way: every row has its object, and every object
/// its row or a note.
async fn sound(server: &Server, when: &str) {
    let rows = server
        .rows(
            "select encode(sha256, 'hex') || '.' || id as name, true as named from blobs
             union all select encode(sha256, 'hex') || '.' || blob_id, false from loose_objects",
        )
        .await;
    let (objects, staged) = server.objects();
    assert!(staged.is_empty(), "{when}: {staged:?}");
    for row in &rows {
        let there = objects.iter().any(|object| row["name"] == **object);
        assert!(there || row["named"] == false, "{when}: a blob has no object: {row}");
    }
    for object in &objects {
        assert!(rows.iter().any(|row| row["name"] == **object), "{when}: nothing knows of {object}");
    }
    for (what, query) in [
        (
            "a committed version has no manifest",
            "select count(*) from versions where state = 'committed' and manifest_id is null",
        ),
        (
            "a manifest has lost entries",
            "select count(*) from manifests m where entry_count <> (select count(*) from manifest_entries where manifest_id = m.id)",
        ),
    ] {
        assert_eq!(server.number(query).await, 0, "{when}: {what}");
    }
}

/// Downloads all files of a version by the SDK's own way.
async fn downloads(client: &Client, spec: &VersionSpec, version: &str) {
    let query = "query($id: ID!) { version(id: $id) { files(first: 100) { nodes { path downloadUrl } } } }";
    let answer = client.graphql(query, json!({ "id": version })).await.ok();
    let nodes = answer["version"]["files"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), spec.files.len());
    for node in nodes {
        let (status, _, bytes) = client.get(node["downloadUrl"].as_str().unwrap(), &[]).await;
        let (_, expected) = spec.files.iter().find(|(path, _)| node["path"] == **path).unwrap();
        assert_eq!((status, &bytes), (200, expected), "{node}");
    }
}

async fn collect(server: &Server, now: DateTime<Utc>) -> Collected {
    let collected = server.service.collect(now).await;
    assert_eq!(collected.failed, 0, "{collected:?}");
    collected
}

#[tokio::test]
async fn rule_33_bytes_go_a_day_after_nothing_names_them() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let both = net(&[("shared", "of both"), ("second", "of the second")]);
    let first = alice.log(&net(&[("first", "of the first"), ("shared", "of both")])).await.id;
    let second = alice.log(&both).await.id;
    // Three files, two manifests as they came and two as they are served.
    let stored = server.objects().0.len();
    assert!((5..=7).contains(&stored), "{stored}");
    sound(&server, "at first").await;
    delete(&alice, &first).await;
    // Announcements name their bytes for two days, by which their URLs are no longer good; the manifest goes at once.
    let nothing = Collected::default();
    assert_eq!(collect(&server, later(&server, TimeDelta::hours(47)).await).await, Collected { manifests: 1, ..nothing });
    assert_eq!(server.objects().0.len(), stored);
    let now = later(&server, TimeDelta::hours(49)).await;
    assert_eq!(collect(&server, now).await, nothing, "found that nothing names them");
    assert_eq!(collect(&server, now + TimeDelta::hours(21)).await, nothing);
    let gone = collect(&server, now + TimeDelta::hours(25)).await;
    // The file of the first, and its manifest's texts, which are those of nobody else.
    assert!(gone.blobs >= 2 && gone.objects == gone.blobs, "{gone:?}");
    sound(&server, "when the first has gone").await;
    downloads(&alice, &both, &second).await;
    assert_eq!(server.objects().0.len(), stored - usize::try_from(gone.objects).unwrap());
    let shared = "select count(*) from blobs b join manifest_entries e on e.blob_id = b.id where e.path = 'shared'";
    assert_eq!(server.number(shared).await, 1, "another version has these bytes");
    assert_eq!(collect(&server, now + TimeDelta::hours(26)).await, nothing, "once");

    delete(&alice, &second).await;
    let now = now + TimeDelta::days(3);
    collect(&server, now).await;
    collect(&server, now + TimeDelta::hours(25)).await;
    for table in ["blobs", "manifests", "manifest_entries", "uploads", "loose_objects"] {
        assert_eq!(server.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert!(server.objects().0.is_empty());
    assert_eq!(server.number("select count(*) from versions where state = 'deleted'").await, 2, "the history stays");
    // The same bytes again are stored anew.
    let again = alice.log(&both).await.id;
    downloads(&alice, &both, &again).await;
}

#[tokio::test]
async fn rule_33_bytes_that_are_named_again_stay() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = net(&[("model", "weights")]);
    let first = alice.log(&spec).await.id;
    delete(&alice, &first).await;
    let now = later(&server, TimeDelta::days(3)).await;
    collect(&server, now).await;
    let unnamed = "select count(*) from blobs where unnamed_since is not null";
    assert!(server.number(unnamed).await >= 2);
    let objects = server.objects().0;
    // Within the day the same is logged again: the bytes are found.
    let second = alice.log(&VersionSpec { name: "other".into(), ..spec.clone() }).await.id;
    assert_eq!(server.objects().0, objects);
    assert_eq!(server.number(unnamed).await, 0);
    for day in 1..4 {
        let gone = collect(&server, now + TimeDelta::days(day)).await;
        assert_eq!((gone.manifests, gone.versions), (0, 0), "day {day}: {gone:?}");
        downloads(&alice, &spec, &second).await;
    }
    sound(&server, "in the end").await;
}

#[tokio::test]
async fn what_was_begun_and_left_is_forgotten() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let left = alice.begin(&net(&[("left", "and never committed")])).await.id;
    let spec = net(&[("busy", "for long")]);
    let busy = alice.begin(&spec).await.id;
    // Of one a file was announced an hour ago.
    server.sql("update versions set created_at = created_at - interval '3 days'").await;
    server.sql("update manifest_drafts set created_at = created_at - interval '3 days'").await;
    server.sql("update uploads set created_at = created_at - interval '3 days' where name <> 'busy'").await;
    server
        .sql("update client_ids set named_at = named_at - interval '31 days' where version_id = (select min(id) from versions)")
        .await;
    let gone = collect(&server, later(&server, TimeDelta::zero()).await).await;
    assert_eq!((gone.versions, gone.blobs), (1, 0), "{gone:?}");
    assert_eq!(alice.commit(&left).await.status, 404);
    alice.commit(&busy).await.expect_ok();
    downloads(&alice, &spec, &busy).await;
    assert_eq!(server.number("select count(*) from client_ids").await, 1);
    let now = later(&server, TimeDelta::days(3)).await;
    collect(&server, now).await;
    collect(&server, now + TimeDelta::hours(25)).await;
    sound(&server, "in the end").await;
    downloads(&alice, &spec, &busy).await;
    // Nothing of the first is left; of the second its file and its manifest as it is served.
    assert_eq!(server.objects().0.len(), 2);
}

/// What one process of several was told is in the version is there for the others, who may come much later.
#[tokio::test]
async fn parts_of_a_version_wait_for_the_others() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let part = async |spec: &VersionSpec, client_id: &str| {
        let begun = alice.create_shared(spec, "job", client_id).await.ok();
        let id = begun["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
        alice.send_part(&id, "PATCH", None, &spec.files, &spec.manifest()).await;
        id
    };
    let age = async |days: u32| {
        for column in [
            "versions set created_at = created_at",
            "manifest_drafts set created_at = created_at",
            "uploads set created_at = created_at",
        ] {
            server.sql(&format!("update {column} - interval '{days} days'")).await;
        }
    };
    let (first, second) = (net(&[("first", "of one")]), net(&[("second", "of another")]));
    let id = part(&first, "one").await;
    age(29).await;
    assert_eq!(collect(&server, later(&server, TimeDelta::zero()).await).await, Collected::default());
    assert_eq!(part(&second, "two").await, id);
    alice.commit(&id).await.expect_ok();
    downloads(&alice, &net(&[("first", "of one"), ("second", "of another")]), &id).await;
    // Once it is committed nobody asks what was announced for it.
    age(3).await;
    collect(&server, later(&server, TimeDelta::zero()).await).await;
    assert_eq!(server.number("select count(*) from manifest_drafts").await, 0);
    downloads(&alice, &net(&[("first", "of one"), ("second", "of another")]), &id).await;

    part(&first, "three").await;
    age(31).await;
    assert_eq!(collect(&server, later(&server, TimeDelta::zero()).await).await.versions, 1);
}

/// Rule 33: what can't be cleared keeps nothing else from being cleared.
#[tokio::test]
async fn rule_33_each_step_is_done_whatever_becomes_of_the_others() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.begin(&net(&[("left", "and never committed")])).await;
    for column in [
        "versions set created_at = created_at",
        "manifest_drafts set created_at = created_at",
        "uploads set created_at = created_at",
    ] {
        server.sql(&format!("update {column} - interval '3 days'")).await;
    }
    let ended = alice.log(&VersionSpec { name: "other".into(), ..net(&[("model", "weights")]) }).await.id;
    delete(&alice, &ended).await;
    server
        .sql(
            "create function no() returns trigger language plpgsql as 'begin raise exception ''no''; end';
             create trigger no before delete on versions for each statement execute function no()",
        )
        .await;
    let now = later(&server, TimeDelta::zero()).await;
    let expected = Collected { manifests: 1, failed: 2, ..Collected::default() };
    assert_eq!(server.service.collect(now).await, expected, "versions that were begun, and ended ones, are what fails");
    server.sql("drop trigger no on versions").await;
    assert_eq!(collect(&server, now).await, Collected { versions: 1, ..Collected::default() });
}

/// However much was announced of what was left, one statement deletes little of it.
#[tokio::test]
async fn rule_33_what_was_left_goes_piece_by_piece() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.begin(&net(&[("left", "and never committed")])).await;
    server
        .sql(
            "insert into uploads (id, purpose, version_id, scope_id, actor_id, name)
                select gen_random_uuid(), 'file', version_id, scope_id, actor_id, n::text
                from (select * from uploads limit 1) one, generate_series(1, 11000) n;
             update versions set created_at = created_at - interval '3 days';
             update manifest_drafts set created_at = created_at - interval '3 days';
             update uploads set created_at = created_at - interval '3 days';
             create table pieces (size bigint);
             create function piece() returns trigger language plpgsql as
                'begin insert into pieces select count(*) from gone; return null; end';
             create trigger piece after delete on uploads referencing old table as gone for each statement execute function piece()",
        )
        .await;
    let now = later(&server, TimeDelta::zero()).await;
    assert_eq!(collect(&server, now).await, Collected { versions: 1, ..Collected::default() });
    assert_eq!(server.number("select count(*) from uploads").await, 0);
    assert_eq!(server.number("select sum(size)::bigint from pieces").await, 11_002);
    assert!(server.number("select max(size) from pieces").await <= 5000);
}

/// Rule 33: of what is gone the history of aliases stays, and nothing that it said. Rows that no history names go.
#[tokio::test]
async fn rule_33_what_is_gone_says_nothing_more() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let linked = alice.log(&net(&[("linked", "into a registry")])).await.id;
    alice.log(&net(&[("only", "logged")])).await;
    let kept = alice.log(&VersionSpec { name: "kept".into(), ..net(&[("kept", "by nothing")]) }).await.id;
    alice.link(&linked, "acme", "model", "Line", &["best"]).await.expect_ok();
    server
        .sql(
            "update versions set description = 'a secret', metadata = '{\"a\": \"secret\"}', metadata_index = '{\"a\": \"secret\"}';
             insert into version_tags (version_id, tag) select id, 'secret' from versions",
        )
        .await;
    delete(&alice, &kept).await;
    let said = "select count(*) from versions v where description is not null or metadata::text <> '{}' or metadata_index <> '{}'
        or exists (select from version_tags t where t.version_id = v.id)";
    assert_eq!(server.number(said).await, 2);
    let collection = encode_id("ArtifactCollection", collection_id(&server, "net").await);
    wire(&alice, "deleteArtifactSequence", json!({ "artifactSequenceID": collection })).await.expect_ok();
    assert_eq!(server.number(said).await, 0);
    let ended = "select count(*) from versions where state = 'deleted'";
    assert_eq!(server.number(ended).await, 3);
    assert_eq!(collect(&server, later(&server, TimeDelta::days(2)).await).await.versions, 0);
    assert_eq!(collect(&server, later(&server, TimeDelta::days(4)).await).await.versions, 1);
    // What `best` pointed at, and what stood in a collection that is there.
    assert_eq!(server.number(ended).await, 2);
    let query = "{ registry(organization: \"acme\", name: \"model\") { collection(name: \"Line\") { \
                 aliasHistory(name: \"best\", first: 9) { nodes { until versionId version { id } } } } } }";
    let history = alice.graphql(query, json!({})).await.ok();
    let nodes = &history["registry"]["collection"]["aliasHistory"]["nodes"];
    assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{history}");
    assert!(nodes[0]["until"].is_string() && nodes[0]["versionId"].is_string() && nodes[0]["version"].is_null(), "{history}");
}

/// A server dies between the moment at which bytes get their name and the commit that points at them, or between the end of a row
/// and that of its object.
#[tokio::test]
async fn objects_without_a_row_are_not_lost_sight_of() {
    let server = Server::start().await;
    server.people().await;
    let scope = server.number("select id from entities where name = 'acme'").await;
    let place = |blob: i64| {
        let directory = server.directory.join(format!("blobs/{scope}/ab"));
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(format!("{}.{blob}", "ab".repeat(32)))
    };
    for (blob, going) in [(1_000_001, false), (1_000_002, true), (1_000_003, true)] {
        let hash = "ab".repeat(32);
        server.sql(&format!("insert into loose_objects values ({blob}, {scope}, '\\x{hash}', now(), {going})")).await;
        if blob < 1_000_003 {
            std::fs::write(place(blob), "bytes").unwrap();
        }
    }
    // The storage refuses: a directory stands where a file should.
    std::fs::create_dir(place(1_000_003)).unwrap();
    let now = later(&server, TimeDelta::zero()).await;
    assert_eq!(collect(&server, now).await, Collected { objects: 1, ..Collected::default() });
    assert_eq!(server.number("select count(*) from loose_objects").await, 2);
    std::fs::remove_dir(place(1_000_003)).unwrap();
    assert_eq!(collect(&server, now + TimeDelta::hours(23)).await.objects, 1, "one that isn't there is deleted");
    assert!(place(1_000_001).exists(), "its row is awaited");
    assert_eq!(collect(&server, now + TimeDelta::hours(25)).await.objects, 1);
    assert!(server.objects().0.is_empty());
    assert_eq!(server.number("select count(*) from loose_objects").await, 0);
}

#[tokio::test]
async fn rule_24_by_force_the_objects_go_too() {
    let server = Server::start().await;
    let (_, _, carol) = server.people().await;
    let admin = server.admin().await;
    carol.log(&VersionSpec::model("carol", "net", b"of carol")).await;
    assert!(!server.objects().0.is_empty());
    own(&admin, "userDelete", json!({ "name": "carol", "force": true })).await.expect_ok();
    sound(&server, "before they go").await;
    collect(&server, later(&server, TimeDelta::zero()).await).await;
    assert!(server.objects().0.is_empty());
    assert_eq!(server.number("select count(*) from loose_objects").await, 0);
}

/// One request that may be refused because something it needs was cleared a moment ago, but never for a fault of the server.
async fn attempt(client: &Client, spec: &VersionSpec) -> Option<String> {
    let created = client.create_version(spec, &Uuid::new_v4().to_string()).await.ok();
    let artifact = &created["createArtifact"]["artifact"];
    let id = artifact["id"].as_str().unwrap().to_owned();
    if artifact["state"] == "COMMITTED" {
        return None;
    }
    client.announce_manifest(spec, &id, None).await.expect_ok();
    let announced = client.announce_files(&id, &spec.files).await.ok();
    let edges = announced["createArtifactFiles"]["files"]["edges"].as_array().unwrap();
    for (edge, (_, bytes)) in edges.iter().zip(&spec.files) {
        if let Some(url) = edge["node"]["uploadUrl"].as_str() {
            match client.put(url, bytes.clone()).await {
                200 => {}
                404 => return None,
                status => panic!("{status}"),
            }
        }
    }
    let manifest = spec.manifest();
    let announced = client.announce_manifest(spec, &id, Some(&manifest)).await.ok();
    let url = announced["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap();
    match client.put(url, manifest).await {
        200 => {}
        404 => return None,
        status => panic!("{status}"),
    }
    let committed = client.commit(&id).await;
    assert!(committed.errors.is_empty() || [404, 409].contains(&committed.status), "{committed:?}");
    committed.errors.is_empty().then_some(id)
}

/// The same few contents are logged and deleted by many, while bytes are collected as if no time had to pass. What a commit
/// acknowledged is there with its bytes; nothing dangles.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_33_bytes_are_collected_while_they_are_stored() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let other = server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let store = &server.service.store;
    let mut kept = Vec::new();
    for round in 0..rounds() {
        let writers = join_all((0..24).map(|task| {
            let client = if task % 2 == 1 { alice.at(&other.url) } else { alice.clone() };
            async move {
                let mut kept = Vec::new();
                for step in 0..4 {
                    let spec = VersionSpec {
                        name: format!("net{task}"),
                        ..net(&[("a", ["x", "y", "z"][(task + step) % 3]), ("b", ["u", "v"][step % 2])])
                    };
                    let Some(id) = attempt(&client, &spec).await else { continue };
                    if (task + step + round) % 3 == 0 {
                        kept.push((spec, id));
                    } else {
                        delete(&client, &id).await;
                    }
                }
                kept
            }
        }));
        let done = std::sync::atomic::AtomicBool::new(false);
        let collectors = join_all((0..3).map(|_| async {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let far = Utc::now() + TimeDelta::days(9);
                let mut connection = store.read().await.unwrap();
                garbage::announcements(&mut connection, far).await.unwrap();
                let unnamed = garbage::unnamed_manifests(&mut connection, 0, i64::MAX).await.unwrap();
                garbage::mark_blobs(&mut connection, 0, i64::MAX, Utc::now()).await.unwrap();
                drop(connection);
                let ids: Vec<i64> = unnamed.iter().map(|manifest| manifest.id).collect();
                let mut tx = store.begin().await.unwrap();
                garbage::manifests(&mut tx, &ids).await.unwrap();
                regalia_service::store::commit(tx).await.unwrap();
                let mut tx = store.begin().await.unwrap();
                garbage::blobs(&mut tx, far).await.unwrap();
                regalia_service::store::commit(tx).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }));
        let writers = async {
            let written = writers.await;
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            written
        };
        let (written, _) = join(writers, collectors).await;
        kept.extend(written.into_iter().flatten());
        sound(&server, &format!("round {round}")).await;
        for done in join_all((0..3).map(|_| server.service.collect(Utc::now()))).await {
            assert_eq!(done.failed, 0, "{done:?}");
        }
        sound(&server, &format!("round {round}, cleared")).await;
        for (spec, id) in &kept {
            downloads(&alice, spec, id).await;
        }
    }
    assert!(kept.len() > 10, "{}", kept.len());
}
