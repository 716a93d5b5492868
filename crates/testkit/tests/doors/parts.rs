//! What a version's content can be made of besides one whole manifest: an earlier version and more (incremental), parts of
//! several processes (distributed), files that are stored already (rules 26, 27, 37, 39, 41). What must not live here: the
//! SDK itself (tests/sdk), and what no manifest may hold (`refusals`).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};
use regalia_testkit::{Answer, Client, Server, VersionSpec, md5_base64};
use serde_json::{Value, json};

use crate::races::rounds;

const TASKS: usize = 64;

type Files = Vec<(String, Vec<u8>)>;

fn files(given: &[(&str, &str)]) -> Files {
    given.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// A version of files, in a project `demo` of `alpha`.
fn spec(name: &str, given: &[(&str, &str)]) -> VersionSpec {
    VersionSpec { files: files(given), aliases: Vec::new(), ..VersionSpec::model("alpha", name, b"") }
}

fn artifact(answer: Answer) -> Value {
    answer.ok()["createArtifact"]["artifact"].clone()
}

fn id_of(artifact: &Value) -> String {
    artifact["id"].as_str().unwrap().to_owned()
}

fn draft_of(answer: Answer) -> String {
    answer.ok()["createArtifactManifest"]["artifactManifest"]["id"].as_str().unwrap().to_owned()
}

/// Begins a version and sends its entries on top of another one; returns the id.
async fn on_top(client: &Client, spec: &VersionSpec, base: Option<&str>) -> String {
    let id = id_of(&artifact(client.create_version(spec, &uuid::Uuid::new_v4().to_string()).await));
    client.send_part(&id, "INCREMENTAL", base, &spec.files, &spec.manifest()).await;
    id
}

/// A process that makes a part of a version: begins or finds it, sends its files, and returns the id.
async fn part(client: &Client, spec: &VersionSpec, distributed_id: &str) -> String {
    let client_id = uuid::Uuid::new_v4().to_string();
    let id = id_of(&artifact(client.create_shared(spec, distributed_id, &client_id).await));
    client.send_part(&id, "PATCH", None, &spec.files, &spec.manifest()).await;
    id
}

/// What a reader gets: index and digest, every path with its bytes, and the manifest's contents.
struct Seen {
    index: i64,
    digest: String,
    size: i64,
    files: BTreeMap<String, String>,
    contents: Value,
}

async fn look(client: &Client, collection: &str, alias: &str) -> Seen {
    let query = "query($name: String!, $collection: String!, $alias: String!) { project(entityName: \"alpha\", name: \"demo\") { \
        artifactCollectionMembership(name: $name) { versionIndex artifact { digest size fileCount currentManifest { file { directUrl } } } } \
        artifactCollection(name: $collection) { artifactMembership(aliasName: $alias) { files(first: 5000) { edges { node { name \
        directUrl } } } } } } }";
    let variables = json!({ "name": format!("{collection}:{alias}"), "collection": collection, "alias": alias });
    let answer = client.graphql(query, variables).await.ok();
    let place = &answer["project"]["artifactCollectionMembership"];
    let (status, _, text) = client.get(place["artifact"]["currentManifest"]["file"]["directUrl"].as_str().unwrap(), &[]).await;
    assert_eq!(status, 200);
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    let mut seen = BTreeMap::new();
    let listed = &answer["project"]["artifactCollection"]["artifactMembership"]["files"]["edges"];
    for edge in listed.as_array().unwrap() {
        let (name, url) = (edge["node"]["name"].as_str().unwrap(), edge["node"]["directUrl"].as_str().unwrap());
        let bytes = if url.starts_with("http") { client.get(url, &[]).await.2 } else { url.as_bytes().to_vec() };
        seen.insert(name.to_owned(), String::from_utf8(bytes).unwrap());
    }
    assert_eq!(place["artifact"]["fileCount"].to_string(), seen.len().to_string());
    let paths: BTreeSet<&String> = manifest["contents"].as_object().unwrap().keys().collect();
    assert_eq!(paths, seen.keys().collect(), "the manifest and the list differ");
    Seen {
        index: place["versionIndex"].as_i64().unwrap(),
        digest: place["artifact"]["digest"].as_str().unwrap().to_owned(),
        size: place["artifact"]["size"].as_i64().unwrap(),
        files: seen,
        contents: manifest["contents"].clone(),
    }
}

fn texts(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Refused, and nothing is changed in any table or in the storage.
async fn refused(server: &Server, what: &str, words: &[&str], status: u16, answer: impl AsyncFnOnce() -> Answer) {
    let before = (server.everything().await, server.objects());
    let answer = answer().await;
    assert_eq!(answer.status, status, "{what}: {} {}", answer.data, answer.message());
    for word in words {
        assert!(answer.message().contains(word), "{what} doesn't say {word:?}: {}", answer.message());
    }
    assert_eq!((server.everything().await, server.objects()), before, "{what} changed something");
}

/// Rule 27: an incremental version is its base and more. What it names again replaces, bytes aren't copied, and the digest is
/// that of the merged manifest.
#[tokio::test]
async fn rule_27_an_incremental_version_is_its_base_and_more() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    // The base has all that an entry may have.
    let mut base = spec("net", &[("a", "first"), ("dir/b", "second")]);
    base.references.push(("far".into(), "s3://bucket/far".into()));
    let mut text: Value = serde_json::from_slice(&base.manifest()).unwrap();
    let mine = json!({ "digest": md5_base64(b"first"), "size": 5, "birthArtifactID": "QXJ0aWZhY3Q6MQ==", "skip_cache": true, "extra": { "n": 1 } });
    text["contents"]["a"] = mine.clone();
    let first = alice.begin_with(&base, &base.digest(), text.to_string().as_bytes()).await;
    alice.commit(&first).await.expect_ok();
    let objects = server.objects().0.len();

    let more = spec("net", &[("dir/b", "replaced"), ("dir/c", "new")]);
    let id = on_top(&alice, &more, Some(&first)).await;
    let committed = alice.commit(&id).await.ok();
    let seen = look(&alice, "net", "latest").await;
    let all = [("a", "first"), ("dir/b", "replaced"), ("dir/c", "new"), ("far", "s3://bucket/far")];
    assert_eq!((seen.index, &seen.files), (1, &texts(&all)));
    let mut whole = spec("net", &all[..3]);
    whole.references.push(("far".into(), "s3://bucket/far".into()));
    assert_eq!((&seen.digest, &committed["commitArtifact"]["artifact"]["digest"]), (&whole.digest(), &json!(whole.digest())));
    assert_eq!(seen.size, 5 + 8 + 3 + 3);
    assert_eq!(seen.contents["a"], mine, "what an entry says is kept");
    // Two new files, the manifest as it was sent, and the merged one.
    assert_eq!(server.objects().0.len(), objects + 4, "bytes of the base were copied");
    assert_eq!(server.number("select count(*) from manifest_staging").await, 0);
    // The base is as it was.
    assert_eq!(look(&alice, "net", "v0").await.files, texts(&[("a", "first"), ("dir/b", "second"), ("far", "s3://bucket/far")]));
    // Rule 26: logging the whole finds it.
    assert_eq!(alice.log(&whole).await.id, id);
    // A repeated commit changes nothing; a repeated beginning whose answer was lost finds it, though its digest is another now.
    alice.commit(&id).await.expect_ok();
    let again = spec("net", &[("d", "later")]);
    let once = artifact(alice.create_version(&again, "once").await);
    alice.send_part(&id_of(&once), "INCREMENTAL", Some(&id), &again.files, &again.manifest()).await;
    alice.commit(&id_of(&once)).await.expect_ok();
    let found = artifact(alice.create_version(&again, "once").await);
    assert_eq!((&found["id"], &found["state"]), (&once["id"], &json!("COMMITTED")));
    // Without a base it is what it says.
    let alone = spec("alone", &[("a", "x")]);
    let id = on_top(&alice, &alone, None).await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(look(&alice, "alone", "v0").await.digest, alone.digest());
}

/// Many entries: pages of the text, numbers beyond one piece, and a base that is itself merged.
#[tokio::test]
async fn merged_manifests_of_many_entries() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let reference = |n: usize| (format!("{:02}/{n:05}", n % 7), format!("s3://bucket/{n}"));
    let spec_of =
        |numbers: std::ops::Range<usize>| VersionSpec { references: numbers.map(reference).collect(), ..spec("net", &[]) };
    let mut base = None;
    for round in 0..3 {
        let id = on_top(&alice, &spec_of(round * 900..round * 900 + 1100), base.as_deref()).await;
        alice.commit(&id).await.expect_ok();
        base = Some(id);
    }
    let seen = look(&alice, "net", "v2").await;
    assert_eq!(seen.files, (0..2900).map(reference).collect());
    assert_eq!(seen.digest, spec_of(0..2900).digest());
}

/// Statements that go over a manifest may take as long as so many entries need, in the merge too; those of a small one, and those
/// behind a collection's lock, no longer than any.
#[tokio::test]
async fn the_time_that_a_commit_has_is_that_of_its_entries() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    server
        .sql(
            "create table times (at text, time text);
             create function note() returns trigger language plpgsql as
                'begin insert into times values (tg_argv[0], current_setting(''statement_timeout'')); return null; end';
             create trigger note_update before update on manifest_staging for each statement execute function note('resolve');
             create trigger note before insert on manifest_entries for each statement execute function note('keep');
             create trigger note before insert on memberships for each statement execute function note('place');
             create trigger note_end before delete on manifest_staging for each statement execute function note('clear')",
        )
        .await;
    let times = async || {
        let rows =
            server.rows("select at, array_agg(distinct time order by time) as times from times group by at order by at").await;
        server.sql("delete from times").await;
        rows.iter().map(|row| format!("{} {}", row["at"], row["times"])).collect::<Vec<_>>().join(", ").replace('"', "")
    };
    let references = |count| (0..count).map(|n| (format!("{n:05}"), format!("s3://bucket/{n}"))).collect();
    let of = |name, count| VersionSpec { references: references(count), ..spec(name, &[("a", "file")]) };
    alice.log(&of("small", 10)).await;
    assert_eq!(times().await, "clear [1min], keep [1min], place [1min], resolve [1min]");
    let base = alice.log(&of("large", 45_000)).await.id;
    assert_eq!(times().await, "clear [1min], keep [90002ms], place [1min], resolve [90002ms]");
    let id = on_top(&alice, &of("merged", 46_000), Some(&base)).await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(times().await, "clear [182004ms,1min], keep [92002ms], place [1min], resolve [92002ms]");
}

/// What can't be cleared away behind a commit decides nothing.
#[tokio::test]
async fn what_a_commit_leaves_behind_is_not_its_outcome() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    server
        .sql(
            "create function no() returns trigger language plpgsql as 'begin raise exception ''no''; end';
             create trigger no before delete on manifest_staging for each statement execute function no()",
        )
        .await;
    let version = alice.begin(&spec("net", &[("a", "first")])).await.id;
    alice.commit(&version).await.expect_ok();
    assert_eq!(look(&alice, "net", "latest").await.files, texts(&[("a", "first")]));
    let wrong =
        alice.begin_with(&spec("net", &[("a", "second")]), &"0".repeat(32), &spec("net", &[("a", "second")]).manifest()).await;
    let refused = alice.commit(&wrong).await;
    assert!(refused.status == 400 && refused.message().contains("digest"), "{refused:?}");
}

/// Files of a part are announced while its version goes with its collection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_part_of_a_version_that_goes() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = spec("net", &[("a", "first")]);
    let id = id_of(&artifact(alice.create_shared(&spec, "train", &uuid::Uuid::new_v4().to_string()).await));
    let draft = draft_of(alice.announce_part(&id, "PATCH", None, "run1").await);
    let deletes = server.hold("delete from versions where state = 'pending'").await;
    let deleted = async {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while server.number(waiting).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        deletes.commit().await;
    };
    let (announced, ()) = join(alice.announce_files_of(&id, Some(&draft), &spec.files), deleted).await;
    assert_eq!(announced.status, 404, "{announced:?}");
    assert_eq!(server.number("select count(*) from uploads").await, 0);
}

/// A version of more entries than one may have is refused, whatever it is made of; so are parts that say the same again and again,
/// though what they make is short.
#[tokio::test]
async fn too_many_entries() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let strict = server.strict(3).await;
    let alice = alice.at(&strict.url);
    let of = |name: &str, paths: &str| VersionSpec {
        references: paths.chars().map(|path| (path.to_string(), format!("s3://bucket/{path}"))).collect(),
        ..spec(name, &[])
    };
    let words = ["more than 3 entries"];
    let whole = alice.begin(&of("net", "abcd")).await.id;
    refused(&server, "a whole manifest", &words, 400, async || alice.commit(&whole).await).await;
    let base = alice.log(&of("net", "ab")).await.id;
    let id = on_top(&alice, &of("net", "cd"), Some(&base)).await;
    refused(&server, "a base and more", &words, 400, async || alice.commit(&id).await).await;
    let id = on_top(&alice, &of("net", "bc"), Some(&base)).await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(look(&alice, "net", "latest").await.files.len(), 3, "what is replaced counts once");

    let parts = async |id: &str, parts: &[&str]| {
        let mut version = String::new();
        for paths in parts {
            version = part(&alice, &of("parts", paths), id).await;
        }
        version
    };
    let id = parts("many", &["ab", "cd"]).await;
    refused(&server, "parts", &words, 400, async || alice.commit(&id).await).await;
    // As many as twice may be staged, and no more.
    let id = parts("twice", &["abc", "abc"]).await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(look(&alice, "parts", "latest").await.files.len(), 3);
    let id = parts("again", &["abc", "abc", "a"]).await;
    refused(&server, "parts of the same", &words, 400, async || alice.commit(&id).await).await;
}

/// Rules 39 and 41: a base is a claim. One that isn't there, isn't committed or may not be downloaded is the same; and the right
/// is asked for again at the commit.
#[tokio::test]
async fn rule_39_a_base_is_a_claim() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.team("acme", "beta", "bob").await;
    let secret = alice.log(&spec("net", &[("a", "secret")])).await.id;
    let pending = alice.begin(&spec("coming", &[("a", "pending")])).await.id;
    let absent = regalia_domain::ids::encode_id("Artifact", 999_999);
    let mine = VersionSpec { entity: "beta".into(), ..spec("mine", &[("b", "mine")]) };
    let id = id_of(&artifact(bob.create_version(&mine, "mine").await));
    let draft = draft_of(bob.announce_part(&id, "INCREMENTAL", None, "").await);
    for base in [&secret, &pending, &absent] {
        refused(&server, "announced with a base", &["based on"], 404, async || {
            bob.announce_part(&id, "INCREMENTAL", Some(base), "").await
        })
        .await;
        refused(&server, "again with a base", &["based on"], 404, async || bob.update_manifest(&draft, Some(base), b"x").await)
            .await;
    }
    // A hint of a whole version may be wrong: it gives nothing.
    let stolen = VersionSpec { entity: "beta".into(), ..spec("whole", &[("a", "secret")]) };
    let whole = id_of(&artifact(bob.create_version(&stolen, "whole").await));
    bob.send_part(&whole, "FULL", Some(&secret), &[], &stolen.manifest()).await;
    refused(&server, "a whole version of it", &["uploaded"], 409, async || bob.commit(&whole).await).await;

    // By a role that shows the version without its content: still not. With one that lets him download: his.
    alice.make_registry("acme", "closed", "RESTRICTED").await;
    alice.link(&secret, "acme", "closed", "C", &[]).await.expect_ok();
    let role = async |role: &str| {
        server
            .sql(&format!(
                "insert into registry_user_members select p.id, e.id, '{role}' from projects p, entities e where p.name = 'closed' and \
                 e.name = 'bob' on conflict (registry_id, user_id) do update set role = excluded.role"
            ))
            .await;
    };
    role("restricted_viewer").await;
    refused(&server, "a restricted viewer", &["based on"], 404, async || {
        bob.announce_part(&id, "INCREMENTAL", Some(&secret), "").await
    })
    .await;
    role("viewer").await;
    bob.send_part(&id, "INCREMENTAL", Some(&secret), &mine.files, &mine.manifest()).await;
    // The right has gone since.
    role("restricted_viewer").await;
    refused(&server, "committed without the right", &["based on"], 404, async || bob.commit(&id).await).await;
    role("viewer").await;
    bob.commit(&id).await.expect_ok();
    // Bytes of another scope stay there: alice may download the version, but her own projects are no part of the organization.
    let own = VersionSpec { entity: "alice".into(), ..spec("own", &[("b", "own")]) };
    let id = on_top(&alice, &own, Some(&secret)).await;
    refused(&server, "a base of another scope", &["organization"], 400, async || alice.commit(&id).await).await;
    // A base that is deleted before the commit.
    let base = alice.log(&spec("short", &[("a", "lived")])).await.id;
    let id = on_top(&alice, &spec("long", &[("b", "life")]), Some(&base)).await;
    let delete = "mutation($id: ID!) { deleteArtifact(input: { artifactID: $id, deleteAliases: true }) { artifact { id } } }";
    alice.graphql(delete, json!({ "id": base })).await.expect_ok();
    refused(&server, "a base that is gone", &["based on"], 404, async || alice.commit(&id).await).await;
}

/// Rule 37 over all parts: a path is a file or a directory, and stands in one part once.
#[tokio::test]
async fn rule_37_paths_over_all_parts() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let base = alice.log(&spec("net", &[("a", "file"), ("dir/b", "below")])).await.id;
    for (what, given) in [("below a file", ("a/c", "x")), ("a file that is a directory", ("dir", "x"))] {
        let id = on_top(&alice, &spec("net", &[given]), Some(&base)).await;
        refused(&server, what, &["either a file or a directory"], 400, async || alice.commit(&id).await).await;
    }
    let shared = part(&alice, &spec("parts", &[("a", "x")]), "one").await;
    part(&alice, &spec("parts", &[("a/b", "x")]), "one").await;
    refused(&server, "two parts", &["either a file or a directory"], 400, async || alice.commit(&shared).await).await;
    // Twice in one part, where a later one has it too.
    let manifest = |contents: &str| {
        format!(
            "{{\"version\":1,\"storagePolicy\":\"wandb-storage-policy-v1\",\"storagePolicyConfig\":{{\"storageLayout\":\"V2\"}},\
             \"contents\":{{{contents}}}}}"
        )
    };
    let entry = "\"twice\":{\"digest\":\"x\",\"ref\":\"s3://b/k\",\"size\":1}";
    let id = id_of(&artifact(alice.create_shared(&spec("double", &[]), "one", "double").await));
    alice.send_part(&id, "PATCH", None, &[], manifest(&format!("{entry},{entry}")).as_bytes()).await;
    alice.send_part(&id, "PATCH", None, &[], manifest(entry).as_bytes()).await;
    refused(&server, "a path twice", &["\"twice\" twice"], 400, async || alice.commit(&id).await).await;
    // A literal name that only looks like an escape: nothing is decoded twice.
    let literal = spec("literal", &[("..%2fetc%2fpasswd", "harmless"), ("%2e%2e/b", "too")]);
    let id = part(&alice, &literal, "one").await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(look(&alice, "literal", "v0").await.files, texts(&[("..%2fetc%2fpasswd", "harmless"), ("%2e%2e/b", "too")]));
}

/// A distributed version: the same id in the same collection is the same version until its commit, whoever asks; its content is
/// that of all parts.
#[tokio::test]
async fn a_version_of_several_processes() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.join_team("alpha", "bob", regalia_domain::roles::TeamRole::Member).await;
    for run in ["run1", "run2"] {
        let upsert = "mutation($n: String!) { upsertBucket(input: { entityName: \"alpha\", modelName: \"demo\", name: $n }) { inserted } }";
        alice.graphql(upsert, json!({ "n": run })).await.expect_ok();
    }
    let mut first = spec("net", &[("a", "alice's"), ("same", "both")]);
    first.aliases = vec!["mine".into()];
    let id = part(&alice, &first, "train").await;
    let mut second = spec("net", &[("b", "bob's"), ("same", "both"), ("log", "early")]);
    second.aliases = vec!["ours".into()];
    assert_eq!(part(&bob, &second, "train").await, id);
    // The part that was announced later counts.
    assert_eq!(part(&alice, &spec("net", &[("log", "late")]), "train").await, id);
    // Elsewhere, or called otherwise, it is another one.
    assert_ne!(part(&alice, &spec("net", &[("a", "x")]), "other").await, id);
    assert_ne!(part(&alice, &spec("net2", &[("a", "x")]), "train").await, id);

    // Announced by a run, and not sent: the commit waits.
    let draft = draft_of(alice.announce_part(&id, "PATCH", None, "run2").await);
    let late = files(&[("late", "part")]);
    let announced = alice.announce_files_of(&id, Some(&draft), &late).await.ok();
    refused(&server, "a part on its way", &["run2", "hasn't been uploaded"], 409, async || alice.commit(&id).await).await;
    alice.upload(&announced, &late).await;
    let manifest = VersionSpec { files: late, ..spec("net", &[]) }.manifest();
    let updated = alice.update_manifest(&draft, None, &manifest).await.ok();
    refused(&server, "a manifest on its way", &["hasn't been uploaded"], 409, async || alice.commit(&id).await).await;
    let url = updated["updateArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap();
    assert_eq!(alice.put(url, manifest.clone()).await, 200);
    // Asked for, with the answer lost: nothing ever follows, so nothing waits for it.
    let lost = draft_of(alice.announce_part(&id, "PATCH", None, "run1").await);
    alice
        .announce_part(&id, "FULL", None, "")
        .await
        .message()
        .contains("PATCH")
        .then_some(())
        .expect("a whole manifest is refused");

    // Somebody without the right adds nothing and commits nothing; it is as if it weren't there.
    for answer in [
        carol.announce_part(&id, "PATCH", None, "").await,
        carol.update_manifest(&lost, None, b"x").await,
        carol.announce_files_of(&id, Some(&lost), &files(&[("c", "c")])).await,
        carol.commit(&id).await,
    ] {
        assert_eq!(answer.status, 404, "{}", answer.message());
    }
    assert_eq!(bob.commit(&id).await.status, 200);
    alice.commit(&id).await.expect_ok();
    let seen = look(&bob, "net", "mine").await;
    let all = [("a", "alice's"), ("b", "bob's"), ("late", "part"), ("log", "late"), ("same", "both")];
    assert_eq!((seen.index, seen.files), (0, texts(&all)));
    assert_eq!(seen.digest, spec("net", &all).digest());
    assert_eq!(look(&alice, "net", "ours").await.index, 0);
    assert_eq!(
        server.number("select count(*) from run_outputs o join runs r on r.id = o.run_id where r.name like 'run_'").await,
        2
    );
    assert_eq!(server.number("select count(*) from audit_events where kind = 'version.committed'").await, 1);
    // A part that comes after the commit is told so, and nothing of it is kept.
    for answer in [
        alice.update_manifest(&lost, None, b"x").await,
        alice.announce_part(&id, "PATCH", None, "").await,
        alice.announce_files_of(&id, Some(&lost), &files(&[("c", "c")])).await,
    ] {
        assert_eq!((answer.status, answer.message().contains("committed")), (409, true), "{}", answer.message());
    }
    // The same id again is the next version.
    let next = part(&bob, &spec("net", &[("a", "again")]), "train").await;
    assert_ne!(next, id);
    alice.commit(&next).await.expect_ok();
    assert_eq!(look(&alice, "net", "latest").await.files, texts(&[("a", "again")]));
}

/// A part that was announced and never comes holds the commit up for good; the way out is another distributed id.
#[tokio::test]
async fn rule_27_a_part_that_never_comes() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.join_team("alpha", "bob", regalia_domain::roles::TeamRole::Member).await;
    let upsert = "mutation { upsertBucket(input: { entityName: \"alpha\", modelName: \"demo\", name: \"lost\" }) { inserted } }";
    alice.graphql(upsert, json!({})).await.expect_ok();
    let own = spec("net", &[("a", "alice's")]);
    let id = part(&alice, &own, "train").await;
    let draft = draft_of(bob.announce_part(&id, "PATCH", None, "lost").await);
    bob.announce_files_of(&id, Some(&draft), &files(&[("b", "bob's")])).await.expect_ok();
    let words = ["\"lost\"", "another distributed id"];
    refused(&server, "a part that never comes", &words, 409, async || alice.commit(&id).await).await;
    // The same part again doesn't help, nor does the same id.
    assert_eq!(part(&alice, &own, "train").await, id);
    refused(&server, "with its own part again", &words, 409, async || alice.commit(&id).await).await;
    let next = part(&alice, &own, "train, again").await;
    assert_ne!(next, id);
    alice.commit(&next).await.expect_ok();
    let seen = look(&alice, "net", "latest").await;
    assert_eq!((seen.index, seen.files), (0, texts(&[("a", "alice's")])));
    // Where the part comes after all, it is the next version.
    part(&bob, &spec("net", &[("b", "bob's")]), "train").await;
    let manifest = VersionSpec { files: files(&[("b", "bob's")]), ..spec("net", &[]) }.manifest();
    let updated = bob.update_manifest(&draft, None, &manifest).await.ok();
    let url = updated["updateArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap();
    assert_eq!(bob.put(url, manifest.clone()).await, 200);
    alice.commit(&id).await.expect_ok();
    let seen = look(&alice, "net", "latest").await;
    assert_eq!((seen.index, seen.files), (1, texts(&[("a", "alice's"), ("b", "bob's")])));
}

/// A crash of PostgreSQL empties the staging table, which is unlogged: what is merged from the rest is not a version.
#[tokio::test]
async fn a_part_that_staging_lost_is_not_left_out() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let id = part(&alice, &spec("net", &[("a", "first"), ("kept", "too")]), "train").await;
    assert_eq!(part(&alice, &spec("net", &[("b", "second")]), "train").await, id);
    server
        .sql(
            "create function lost() returns trigger language plpgsql as 'begin return null; end';
             create trigger lost before insert on manifest_staging for each row when (new.path = 'a') execute function lost()",
        )
        .await;
    let before = (server.everything().await, server.objects());
    let commit = "mutation($id: ID!) { commitArtifact(input: { artifactID: $id }) { artifact { id } } }";
    let body = json!({ "query": commit, "variables": { "id": id } }).to_string();
    // The kit's client lets no 5xx pass; here the database is at fault.
    let sent = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("{}/graphql", server.url))
        .bearer_auth(alice.key())
        .header("content-type", "application/json")
        .body(body);
    assert_eq!(sent.send().await.unwrap().status(), 503);
    assert_eq!((server.everything().await, server.objects()), before);
    server.sql("drop trigger lost on manifest_staging").await;
    alice.commit(&id).await.expect_ok();
    assert_eq!(look(&alice, "net", "latest").await.files, texts(&[("a", "first"), ("b", "second"), ("kept", "too")]));
}

/// Rules 39 and 40: names of others are claims. The same distributed id elsewhere is another version; parts, storage paths and
/// upload ids decide nothing, and nobody's manifest is that of somebody else's version.
#[tokio::test]
async fn rule_40_names_of_others_are_claims() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.team("acme", "beta", "bob").await;
    let theirs = part(&alice, &spec("net", &[("a", "alice's")]), "train").await;
    let own = VersionSpec { entity: "beta".into(), ..spec("net", &[("a", "bob's")]) };
    let mine = part(&bob, &own, "train").await;
    assert_ne!(mine, theirs);
    // His files, announced for her manifest; her storage path; parts that never were.
    let number = regalia_domain::ids::decode_id(&["Artifact"], &theirs).unwrap();
    let draft = server.number(&format!("select id from manifest_drafts where patch_of = {number}")).await;
    let draft = regalia_domain::ids::encode_id("ArtifactManifest", draft);
    let more = files(&[("b", "more")]);
    refused(&server, "her manifest", &["artifactManifestID"], 400, async || {
        bob.announce_files_of(&mine, Some(&draft), &more).await
    })
    .await;
    let path = server.rows("select id::text from uploads order by created_at limit 1").await[0]["id"].clone();
    let announce = "mutation($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { node { uploadUrl \
        storagePath artifact { id } uploadMultipartUrls { uploadID } } } } } }";
    let file = json!({ "artifactID": mine, "name": "b", "md5": md5_base64(b"more"), "storagePath": format!("wandb_artifacts/{}", path.as_str().unwrap()),
        "uploadPartsInput": [{ "partNumber": -1, "hexMD5": "none" }] });
    let answer = bob.graphql(announce, json!({ "input": { "artifactFiles": [file], "storageLayout": "V2" } })).await.ok();
    let node = &answer["createArtifactFiles"]["files"]["edges"][0]["node"];
    assert!(
        !node["storagePath"].as_str().unwrap().contains(path.as_str().unwrap()) && node["uploadMultipartUrls"].is_null(),
        "{node}"
    );
    assert_eq!(node["artifact"]["id"], json!(mine));
    bob.commit(&mine).await.expect_ok();
    alice.commit(&theirs).await.expect_ok();
    assert_eq!(look(&alice, "net", "v0").await.files, texts(&[("a", "alice's")]));
}

/// What several processes say of a version besides its content: the last word counts, aliases add up. A repeated beginning
/// finds what the first one found.
#[tokio::test]
async fn a_version_of_several_words() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let create =
        "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state description metadata } } }";
    let input = |more: Value| {
        let mut input = json!({ "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": "net",
            "digest": spec("net", &[]).digest(), "enableDigestDeduplication": true, "distributedID": "words" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "input": input })
    };
    let say = async |more: Value| artifact(alice.graphql(create, input(more)).await);
    let id = say(json!({ "description": "one", "metadata": "{\"a\":1}", "clientID": "c1" })).await["id"].clone();
    let second = say(json!({ "clientID": "c2", "metadata": "{}" })).await;
    assert_eq!((&second["id"], &second["description"], &second["metadata"]), (&id, &json!("one"), &json!("{\"a\":1}")));
    let third = say(json!({ "clientID": "c1", "digest": spec("net", &[("more", "x")]).digest() })).await;
    assert_eq!(third["id"], id, "the same client says more");
    let fourth = say(json!({ "clientID": "c3", "description": "two", "metadata": "{\"b\":2}" })).await;
    assert_eq!((&fourth["description"], &fourth["metadata"]), (&json!("two"), &json!("{\"b\":2}")));
    for (what, more, words, status) in [
        ("another distributed id", json!({ "clientID": "c1", "distributedID": "others" }), "clientID", 409),
        ("none", json!({ "clientID": "c1", "distributedID": null }), "clientID", 409),
        ("too long an id", json!({ "distributedID": "x".repeat(257) }), "distributedID", 400),
        ("an id with a NUL", json!({ "distributedID": "x\u{0}" }), "NUL", 400),
    ] {
        refused(&server, what, &[words], status, async || alice.graphql(create, input(more)).await).await;
    }
    // Nothing was sent: there is nothing to commit.
    let id = id.as_str().unwrap();
    refused(&server, "nothing", &["manifest"], 409, async || alice.commit(id).await).await;
    alice.send_part(id, "PATCH", None, &[], &spec("net", &[]).manifest()).await;
    alice.commit(id).await.expect_ok();
    assert_eq!(say(json!({ "clientID": "c2" })).await["state"], "COMMITTED");
    // A whole version stays whole.
    let whole = alice.begin(&spec("whole", &[("a", "x")])).await.id;
    refused(&server, "a part of a whole version", &["whole manifest"], 400, async || {
        alice.announce_part(&whole, "PATCH", None, "").await
    })
    .await;
    // Rule 44: and so many parts have no more.
    let many = part(&alice, &spec("many", &[("a", "x")]), "many").await;
    server
        .sql(
            "insert into manifest_drafts (patch_of, kind) select max(d.patch_of), 'patch' from manifest_drafts d, generate_series(2, 9999) i
                group by i",
        )
        .await;
    draft_of(alice.announce_part(&many, "PATCH", None, "").await);
    refused(&server, "one part too many", &["10000 manifests"], 400, async || {
        alice.announce_part(&many, "PATCH", None, "").await
    })
    .await;
    alice.commit(&many).await.expect_ok();
}

/// The same distributed id from 64 processes at two servers: one version, with the files of all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_version_of_64_processes() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let other = server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let clients = [alice.clone(), alice.at(&other.url)];
    for round in 0..rounds() {
        let name = format!("net{round}");
        let ids = join_all((0..TASKS).map(|task| {
            let (client, name) = (&clients[task % 2], &name);
            async move {
                part(client, &spec(name, &[(&format!("{task:02}"), &format!("part {task}")), ("all", "same")]), "group").await
            }
        }))
        .await;
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "one distributed id made several versions");
        // A few of them finish it, each of which reads every part.
        let commits = join_all((0..8).map(|task| clients[task % 2].commit(&ids[0]))).await;
        for commit in commits {
            commit.expect_ok();
        }
        let seen = look(&alice, &name, "latest").await;
        assert_eq!((seen.index, seen.files.len()), (0, TASKS + 1));
    }
    let all = rounds() as i64;
    assert_eq!(server.number("select count(*) from versions").await, all);
    assert_eq!(server.number("select count(*) from audit_events where kind = 'version.committed'").await, all);
    assert_eq!(server.number("select count(*) from manifest_staging").await, 0);
}

/// Rule 39: what a client was told is stored already stays so until its commit, though the version that held it is deleted.
#[tokio::test]
async fn rule_39_stored_already_is_a_promise() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let old = alice.log(&spec("net", &[("a", "kept"), ("b", "old")])).await.id;
    let new = spec("net", &[("a", "kept"), ("b", "new")]);
    let id = id_of(&artifact(alice.create_version(&new, "promise").await));
    let announced = alice.announce_files(&id, &new.files).await.ok();
    let edges = &announced["createArtifactFiles"]["files"]["edges"];
    assert!(edges[0]["node"]["uploadUrl"].is_null() && edges[1]["node"]["uploadUrl"].is_string(), "{announced}");
    assert_eq!(edges[0]["node"]["artifact"]["id"], json!(old));
    alice.upload(&announced, &new.files).await;
    alice.upload_manifest(&new, &id, &new.manifest()).await;
    let delete = "mutation($id: ID!) { deleteArtifact(input: { artifactID: $id, deleteAliases: true }) { artifact { id } } }";
    alice.graphql(delete, json!({ "id": old })).await.expect_ok();
    alice.commit(&id).await.expect_ok();
    assert_eq!(look(&alice, "net", "latest").await.files, texts(&[("a", "kept"), ("b", "new")]));
}
