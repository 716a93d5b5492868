//! Many at once, at two servers that are processes of their own: indices stay dense, names and aliases single, repeated requests
//! one (rules 2, 5, 9 to 12, 16, 18, 26, 28 to 31). What must not live here: crashes (tests/crash).
//!
//! `REGALIA_TEST_ROUNDS` says how often each race is run, 5 if not given; `REGALIA_TEST_MANY_ROUNDS` the same for those over what
//! a version's life hangs on: names, links, aliases, commits, expiry, who creates, who stays, what is listed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{join, join_all};
use regalia_testkit::{Answer, Client, Neighbor, Server, VersionSpec};
use serde_json::{Value, json};

use crate::native::own;

pub const TASKS: usize = 64;

/// How often each race is run.
pub fn rounds() -> usize {
    let given = std::env::var("REGALIA_TEST_ROUNDS").ok();
    given.map_or(5, |text| text.parse().expect("REGALIA_TEST_ROUNDS is a number"))
}

/// The same for the races that the full tests run more often.
pub fn many_rounds() -> usize {
    let given = std::env::var("REGALIA_TEST_MANY_ROUNDS").ok();
    given.map_or_else(rounds, |text| text.parse().expect("REGALIA_TEST_MANY_ROUNDS is a number"))
}

/// Two servers on one database: this process and another one. Three of four rounds use both.
pub struct Arena {
    pub server: Server,
    other: Neighbor,
    pub alice: Client,
}

impl Arena {
    pub async fn new() -> Self {
        let server = Server::start().await;
        let (alice, ..) = server.people().await;
        Self { other: server.neighbor(env!("CARGO_BIN_EXE_neighbor")), server, alice }
    }

    /// The client of one task of a round.
    fn spread(&self, client: &Client, round: usize, task: usize) -> Client {
        if round % 4 != 3 && task % 2 == 1 { client.at(&self.other.url) } else { client.clone() }
    }

    /// Runs 64 tasks at once.
    pub async fn race<T>(&self, round: usize, task: impl AsyncFn(Client, usize) -> T) -> Vec<T> {
        join_all((0..TASKS).map(|number| task(self.spread(&self.alice, round, number), number))).await
    }

    /// Asserts that a collection has the indices 0 to 63 and one `latest`, on the newest.
    async fn dense(&self, project: &str, collection: &str) {
        let of = format!(
            "select c.id from collections c join projects p on p.id = c.project_id where p.name = '{project}' and c.name = \
                '{collection}'"
        );
        let rows = self
            .server
            .rows(&format!("select index, version_id from memberships where collection_id = ({of}) order by index"))
            .await;
        let indices: Vec<i64> = rows.iter().map(|row| row["index"].as_i64().unwrap()).collect();
        assert_eq!(indices, (0..TASKS as i64).collect::<Vec<_>>(), "{collection}");
        let versions: BTreeSet<i64> = rows.iter().map(|row| row["version_id"].as_i64().unwrap()).collect();
        assert_eq!(versions.len(), TASKS, "{collection} has a version twice");
        let latest =
            format!("select version_id from aliases where collection_id = ({of}) and alias = 'latest' and upper_inf(valid)");
        let latest = self.server.rows(&latest).await;
        assert_eq!(latest.len(), 1, "{collection} has {} latest", latest.len());
        assert_eq!(latest[0]["version_id"], rows[TASKS - 1]["version_id"], "latest is not on the newest of {collection}");
        assert_eq!(
            self.server.number(&format!("select next_index::bigint from collections where id = ({of})")).await,
            TASKS as i64
        );
    }
}

fn id_of(answer: Answer) -> String {
    answer.ok()["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned()
}

/// What `collection:alias` means, as the SDK asks; null when nothing.
pub async fn place(client: &Client, entity: &str, project: &str, name: &str) -> Value {
    let query = "query($entity: String!, $project: String!, $name: String!) { project(entityName: $entity, name: $project) { \
        artifactCollectionMembership(name: $name) { versionIndex aliases { alias } artifact { id } } } }";
    let found = client.graphql(query, json!({ "entity": entity, "project": project, "name": name })).await.ok();
    found["project"]["artifactCollectionMembership"].clone()
}

/// Show 4; rules 26 and 29. The first round also makes the project.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_26_writers_of_one_name() {
    let arena = Arena::new().await;
    for round in 0..many_rounds() {
        let name = format!("net{round}");
        let logged = arena
            .race(round, async |client, task| {
                let spec = VersionSpec::model("alpha", &name, format!("{round} {task}").as_bytes());
                client.log(&spec).await
            })
            .await;
        let ids: BTreeSet<&str> = logged.iter().map(|version| version.id.as_str()).collect();
        assert_eq!(ids.len(), TASKS);
        arena.dense("demo", &name).await;
        // As a reader sees it.
        let newest = place(&arena.alice, "alpha", "demo", &name).await;
        assert_eq!((&newest["versionIndex"], &newest["aliases"]), (&json!(TASKS - 1), &json!([{ "alias": "latest" }])));
        for index in [0, TASKS - 2] {
            let older = place(&arena.alice, "alpha", "demo", &format!("{name}:v{index}")).await;
            assert_eq!((&older["versionIndex"], &older["aliases"]), (&json!(index), &json!([])));
        }
    }
    for kind in ["project.created", "collection.created"] {
        let events = arena.server.number(&format!("select count(*) from audit_events where kind = '{kind}'")).await;
        assert_eq!(events, if kind == "project.created" { 1 } else { many_rounds() as i64 }, "{kind}");
    }
}

/// Show 4; rules 28 and 29. The first round also makes the core registry (rule 11).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_28_links_into_one_new_collection() {
    let arena = Arena::new().await;
    let versions = arena
        .race(0, async |client, task| {
            client.log(&VersionSpec::model("alpha", &format!("net{task}"), format!("{task}").as_bytes())).await.id
        })
        .await;
    for round in 0..many_rounds() {
        let name = format!("Line {round}");
        let linked = arena
            .race(round, async |client, task| {
                let answer = client.link(&versions[task], "acme", "model", &name, &[]).await.ok();
                answer["linkArtifact"]["versionIndex"].as_u64().unwrap()
            })
            .await;
        let told: BTreeSet<u64> = linked.iter().copied().collect();
        assert_eq!(told, (0..TASKS as u64).collect(), "what the answers said");
        arena.dense("model", &name).await;
        let query = "query($name: String!) { registry(organization: \"acme\", name: \"model\") { collection(name: $name) { \
            links(first: 100) { nodes { index aliases version { id } } } } } }";
        let ours = arena.alice.graphql(query, json!({ "name": name })).await.ok();
        let links = ours["registry"]["collection"]["links"]["nodes"].as_array().unwrap();
        let latest: Vec<&Value> =
            links.iter().filter(|link| link["aliases"] == json!(["latest"])).map(|link| &link["index"]).collect();
        assert_eq!((links.len(), latest), (TASKS, vec![&json!(TASKS - 1)]));
        assert!(links.iter().all(|link| link["index"] == TASKS - 1 || link["aliases"] == json!([])));
    }
    let registries = "select count(*) from projects where kind = 'registry'";
    assert_eq!(arena.server.number(registries).await, 1);
    assert_eq!(arena.server.number("select count(*) from audit_events where kind = 'registry.created'").await, 1);
}

/// Rule 31: the same link, asked for again while it is being made, is one link.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_31_one_version_linked_by_many() {
    let arena = Arena::new().await;
    let version = arena.alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    for round in 0..rounds() {
        let name = format!("Line {round}");
        let linked = arena
            .race(round, async |client, task| {
                let alias = format!("alias{task}");
                let linked = client.link(&version, "acme", "model", &name, &[&alias]).await.ok();
                (linked["linkArtifact"]["versionIndex"].clone(), linked["linkArtifact"]["artifactMembership"]["id"].clone())
            })
            .await;
        assert!(linked.iter().all(|link| *link == linked[0] && link.0 == 0), "{linked:?}");
        let there = place(&arena.alice, "acme", "wandb-registry-model", &format!("{name}:v0")).await;
        // Every one of the aliases, and `latest`.
        assert_eq!(there["aliases"].as_array().unwrap().len(), TASKS + 1);
        assert!(place(&arena.alice, "acme", "wandb-registry-model", &format!("{name}:v1")).await.is_null());
    }
}

/// Rule 2: of many creators at once one inserts; what they send is identical, so the others change nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_2_creators_of_one_registry() {
    let arena = Arena::new().await;
    let mut users = Vec::with_capacity(TASKS);
    for number in 0..TASKS {
        let name = format!("user{number}");
        users.push(arena.server.user(&name).await);
        arena.server.join("acme", &name, regalia_domain::roles::OrganizationRole::Member).await;
    }
    let upsert = "mutation($input: UpsertModelInput!) { upsertModel(input: $input) { inserted project { id } } }";
    for round in 0..many_rounds() {
        let input = |name: &str| {
            let types = json!([{ "name": "model" }, { "name": "dataset" }]);
            let name = format!("wandb-registry-{name}{round}");
            json!({ "input": { "entityName": "acme", "name": name, "description": "one", "artifactTypes": types } })
        };
        let same =
            arena.race(round, async |client, _| client.graphql(upsert, input("same")).await.ok()["upsertModel"].clone()).await;
        let inserted = same.iter().filter(|answer| answer["inserted"] == true).count();
        assert_eq!(inserted, 1, "by one user");
        assert!(same.iter().all(|answer| answer["project"] == same[0]["project"]), "{same:?}");

        let others = join_all(users.iter().enumerate().map(|(task, user)| {
            let client = arena.spread(user, round, task);
            async move { client.graphql(upsert, input("different")).await }
        }))
        .await;
        let (made, refused): (Vec<Answer>, Vec<Answer>) = others.into_iter().partition(|answer| answer.errors.is_empty());
        assert_eq!(made.len(), 1, "by different users");
        assert_eq!(made[0].data["upsertModel"]["inserted"], true);
        let errors: BTreeSet<(u16, &str, &str)> =
            refused.iter().map(|answer| (answer.status, answer.code(), answer.message())).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors
                .iter()
                .all(|(status, code, message)| *status == 409 && *code == "CONFLICT" && message.contains("different name"))
        );
    }
    let twice = 2 * many_rounds() as i64;
    assert_eq!(arena.server.number("select count(*) from projects where kind = 'registry'").await, twice);
    assert_eq!(arena.server.number("select count(*) from registry_user_members where role = 'admin'").await, twice);
    assert_eq!(arena.server.number("select count(*) from audit_events where kind like 'registry.%'").await, twice);
    assert_eq!(arena.server.number("select count(*) from artifact_types where listed").await, 2 * twice);
}

/// Requests that a client repeats because it heard no answer (rule 26).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_26_repeated_requests_are_one() {
    let arena = Arena::new().await;
    for round in 0..many_rounds() {
        let spec = VersionSpec::model("alpha", &format!("net{round}"), format!("{round}").as_bytes());
        let client_id = format!("client id {round}");
        let ids = arena.race(round, async |client, _| id_of(client.create_version(&spec, &client_id).await)).await;
        assert!(ids.iter().all(|id| *id == ids[0]), "one clientID made {} versions", ids.iter().collect::<BTreeSet<_>>().len());
        let id = &ids[0];
        let announced = arena.alice.announce_files(id, &spec.files).await.ok();
        arena.alice.upload(&announced, &spec.files).await;
        let manifest = spec.manifest();
        let announced = arena.alice.announce_manifest(&spec, id, Some(&manifest)).await.ok();
        let url = announced["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap().to_owned();
        // The same bytes again are fine until the commit (rule 40).
        let uploads = arena.race(round, async |client, _| client.put(&url, manifest.clone()).await).await;
        assert!(uploads.iter().all(|status| *status == 200), "{uploads:?}");
        let commits =
            arena.race(round, async |client, _| client.commit(id).await.ok()["commitArtifact"]["artifact"].clone()).await;
        assert!(commits.iter().all(|artifact| *artifact == commits[0] && artifact["digest"] == spec.digest()));
        let memberships = format!(
            "select count(*) from memberships m join collections c on c.id = m.collection_id where c.name = 'net{round}' and \
                m.index = 0"
        );
        assert_eq!(arena.server.number(&memberships).await, 1);
    }
    let all = many_rounds() as i64;
    assert_eq!(arena.server.number("select count(*) from versions").await, all);
    assert_eq!(arena.server.number("select count(*) from memberships").await, all);
    assert_eq!(arena.server.number("select count(*) from audit_events where kind = 'version.committed'").await, all);
    assert_eq!(arena.server.number("select count(*) from manifest_staging").await, 0);
}

/// Rule 30: two writers pull an alias to and fro; no reader sees it on two versions or on none.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_30_an_alias_is_always_on_one_version() {
    const MOVES: usize = 20;
    let arena = Arena::new().await;
    let mut versions = Vec::new();
    for number in 0..3 {
        let version =
            arena.alice.log(&VersionSpec::model("alpha", &format!("net{number}"), format!("{number}").as_bytes())).await.id;
        arena.alice.link(&version, "acme", "model", "Line", &["pulled"]).await.expect_ok();
        versions.push(version);
    }
    let query = "{ registry(organization: \"acme\", name: \"model\") { collection(name: \"Line\") { links { nodes { index \
        aliases } } } } }";
    let (mut reads, mut seen) = (0, BTreeSet::new());
    for round in 0..rounds() {
        let done = AtomicBool::new(false);
        let write = async {
            for step in 0..MOVES {
                // Two writers at once, each for another version.
                let (one, other) = (arena.spread(&arena.alice, round, 0), arena.spread(&arena.alice, round, 1));
                let (first, second) = (&versions[step % 3], &versions[(step + 1) % 3]);
                let (first, second) = join(
                    one.link(first, "acme", "model", "Line", &["pulled"]),
                    other.link(second, "acme", "model", "Line", &["pulled"]),
                )
                .await;
                first.expect_ok();
                second.expect_ok();
            }
            done.store(true, Ordering::SeqCst);
        };
        let read = async |reader: usize| {
            let client = arena.spread(&arena.alice, round, reader);
            let mut holders = Vec::new();
            while !done.load(Ordering::SeqCst) {
                // In one answer: exactly one link has it.
                let answer = client.graphql(query, json!({})).await.ok();
                let links = answer["registry"]["collection"]["links"]["nodes"].as_array().unwrap().clone();
                assert_eq!(links.len(), 3);
                let has = |link: &&Value| link["aliases"].as_array().unwrap().contains(&json!("pulled"));
                let holding: Vec<&Value> = links.iter().filter(has).collect();
                assert_eq!(holding.len(), 1, "{links:?}");
                holders.push(holding[0]["index"].as_u64().unwrap());
                // By its name: it is somewhere.
                let found = place(&client, "acme", "wandb-registry-model", "Line:pulled").await;
                assert!(!found.is_null(), "the alias is on no version");
            }
            holders
        };
        let (_, holders) = join(write, join_all((0..4).map(read))).await;
        reads += holders.iter().map(Vec::len).sum::<usize>();
        seen.extend(holders.into_iter().flatten());
    }
    assert!(reads > rounds() * 4 && seen.len() > 1, "the readers saw {seen:?} in {reads} reads: this proved nothing");
    let history = "select count(*) from aliases a join aliases b on a.collection_id = b.collection_id and a.alias = b.alias and \
        a.id < b.id \
        and a.valid && b.valid";
    assert_eq!(arena.server.number(history).await, 0);
}

/// Rules 29 and 30: `latest` while links come in: always there, and never going back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_29_latest_never_goes_back() {
    const LINKS: usize = 16;
    let arena = Arena::new().await;
    let mut versions = Vec::new();
    for number in 0..=LINKS {
        let spec = VersionSpec::model("alpha", &format!("net{number}"), format!("{number}").as_bytes());
        versions.push(arena.alice.log(&spec).await.id);
    }
    for round in 0..rounds() {
        let name = format!("Line {round}");
        arena.alice.link(&versions[LINKS], "acme", "model", &name, &[]).await.expect_ok();
        let done = AtomicBool::new(false);
        let write = async {
            let links = (0..LINKS).map(|task| {
                let (client, version, name) = (arena.spread(&arena.alice, round, task), &versions[task], &name);
                async move { client.link(version, "acme", "model", name, &[]).await.expect_ok() }
            });
            join_all(links).await;
            done.store(true, Ordering::SeqCst);
        };
        let read = async |reader: usize| {
            let client = arena.spread(&arena.alice, round, reader);
            let mut last = 0;
            while !done.load(Ordering::SeqCst) {
                let found = place(&client, "acme", "wandb-registry-model", &format!("{name}:latest")).await;
                let index = found["versionIndex"].as_u64().expect("latest is on no version");
                assert!(index >= last, "latest went from {last} to {index}");
                last = index;
            }
        };
        join(write, join_all((0..4).map(read))).await;
        let newest = place(&arena.alice, "acme", "wandb-registry-model", &name).await;
        assert_eq!(newest["versionIndex"], LINKS);
    }
}

/// The same bytes sent by many at once, as files of versions and of runs: one row and one file for each content.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_bytes_are_stored_once() {
    const CONTENTS: usize = 4;
    let arena = Arena::new().await;
    let run = json!({ "input": { "entityName": "alpha", "modelName": "demo", "name": "run1" } });
    let upsert = "mutation($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted } }";
    arena.alice.graphql(upsert, run).await.expect_ok();
    let announce = "mutation($input: CreateRunFilesInput!) { createRunFiles(input: $input) { files { uploadUrl } } }";
    for round in 0..rounds() {
        let bytes = |task: usize| format!("round {round} content {}", task % CONTENTS).repeat(5000).into_bytes();
        arena
            .race(round, async |client, task| {
                if task % 8 == 7 {
                    let files = [format!("file{task}")];
                    let input = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": files });
                    let answer = client.graphql(announce, json!({ "input": input })).await.ok();
                    let url = answer["createRunFiles"]["files"][0]["uploadUrl"].as_str().unwrap().to_owned();
                    assert_eq!(client.put(&url, bytes(task)).await, 200);
                } else {
                    // Twice in one version, and in a collection of each task's own, so that nothing is found to be stored.
                    let mut spec = VersionSpec::model("alpha", &format!("net{round}-{task}"), &bytes(task));
                    spec.files.push(("again.txt".into(), bytes(task)));
                    let id = id_of(client.create_version(&spec, &format!("{round} {task}")).await);
                    let announced = client.announce_files(&id, &spec.files).await.ok();
                    client.upload(&announced, &spec.files).await;
                }
            })
            .await;
        let (objects, staged) = arena.server.objects();
        for content in 0..CONTENTS {
            let text = String::from_utf8(bytes(content)).unwrap();
            let rows = arena
                .server
                .rows(&format!("select id, encode(sha256, 'hex') as sha256 from blobs where sha256 = sha256('{text}')"))
                .await;
            assert_eq!(rows.len(), 1, "{} rows for one content", rows.len());
            let sha256 = rows[0]["sha256"].as_str().unwrap();
            let files: Vec<&String> = objects.iter().filter(|name| name.starts_with(sha256)).collect();
            assert_eq!(files, [&format!("{sha256}.{}", rows[0]["id"])], "the files of one content");
        }
        assert_eq!(objects.len() as i64, arena.server.number("select count(*) from blobs").await, "files and rows");
        assert_eq!(staged, Vec::<String>::new(), "nothing is left on its way");
    }
}

/// Rule 5: types that are linked while "allow all" is turned off are on the list, or weren't linked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_5_nothing_stored_lies_outside_the_list() {
    const TYPES: usize = 16;
    let arena = Arena::new().await;
    let mut versions = Vec::new();
    for number in 0..TYPES {
        let mut spec = VersionSpec::model("alpha", &format!("net{number}"), format!("{number}").as_bytes());
        spec.type_name = format!("type{number}");
        versions.push(arena.alice.log(&spec).await.id);
    }
    for round in 0..many_rounds() {
        let name = format!("open{round}");
        let id = arena.alice.make_registry("acme", &name, "ORGANIZATION").await;
        let links = join_all((0..TYPES).map(|task| {
            let (client, version, name) = (arena.spread(&arena.alice, round, task), &versions[task], &name);
            async move { client.link(version, "acme", name, &format!("Line {task}"), &[]).await }
        }));
        let close = async {
            // Not before some of them were linked.
            tokio::time::sleep(std::time::Duration::from_millis(5 * (round as u64 % 8))).await;
            own(&arena.alice, "registryUpdate", json!({ "id": id, "allowAllTypes": false })).await.ok()
        };
        let (links, closed) = join(links, close).await;
        let linked = links.iter().filter(|answer| answer.errors.is_empty()).count();
        assert!(links.iter().all(|answer| answer.errors.is_empty() || answer.status == 400), "{links:?}");
        let listed = closed["registryUpdate"]["registry"]["types"].as_array().unwrap().len();
        let outside = format!(
            "select count(*) from collections c join projects p on p.id = c.project_id join artifact_types t on t.id = c.type_id \
             where p.name = '{name}' and not t.listed"
        );
        assert_eq!((arena.server.number(&outside).await, listed), (0, linked));
    }
}

/// Rule 16: two admins of a registry, neither an admin of the organization, remove or demote each other at once. One stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_16_two_admins_removing_each_other() {
    let arena = Arena::new().await;
    let mut admins = Vec::new();
    for name in ["newcomer", "stranger"] {
        admins.push(arena.server.user(name).await);
        arena.server.join("acme", name, regalia_domain::roles::OrganizationRole::Member).await;
    }
    let mut outcomes = BTreeSet::new();
    for round in 0..many_rounds() {
        let name = format!("contested{round}");
        let id = admins[0].make_registry("acme", &name, "RESTRICTED").await;
        own(&admins[0], "registryMemberAdd", json!({ "registry": id, "users": ["stranger"] })).await.expect_ok();
        own(&admins[0], "registryMemberSet", json!({ "registry": id, "user": "stranger", "role": "ADMIN" })).await.expect_ok();
        let attack = async |task: usize, victim: &str| {
            let client = arena.spread(&admins[task], round, task);
            if round % 4 < 2 {
                own(&client, "registryMemberRemove", json!({ "registry": id, "users": [victim] })).await
            } else {
                own(&client, "registryMemberSet", json!({ "registry": id, "user": victim, "role": "VIEWER" })).await
            }
        };
        let (one, other) = join(attack(0, "stranger"), attack(1, "newcomer")).await;
        let won = [&one, &other].iter().filter(|answer| answer.errors.is_empty()).count();
        assert_eq!(won, 1, "{:?} {:?}", one.errors, other.errors);
        for lost in [one, other].iter().filter(|answer| !answer.errors.is_empty()) {
            // Removed before he could, or the right gone, or the last one.
            assert!(["FORBIDDEN", "NOT_FOUND"].contains(&lost.code()), "{:?}", lost.errors);
            outcomes.insert(lost.code().to_owned());
        }
        let left = format!(
            "select count(*) from registry_user_members m join projects p on p.id = m.registry_id where p.name = '{name}' and m.role = \
             'admin'"
        );
        assert_eq!(arena.server.number(&left).await, 1);
        // Both demote themselves at once: one stays.
        own(&arena.alice, "registryMemberAdd", json!({ "registry": id, "users": ["newcomer", "stranger"] })).await.expect_ok();
        for user in ["newcomer", "stranger"] {
            own(&arena.alice, "registryMemberSet", json!({ "registry": id, "user": user, "role": "ADMIN" })).await.expect_ok();
        }
        let leave = async |task: usize, name: &str| {
            let client = arena.spread(&admins[task], round, task);
            own(&client, "registryMemberSet", json!({ "registry": id, "user": name, "role": "MEMBER" })).await
        };
        let (one, other) = join(leave(0, "newcomer"), leave(1, "stranger")).await;
        assert_eq!([one, other].iter().filter(|answer| answer.errors.is_empty()).count(), 1);
        assert_eq!(arena.server.number(&left).await, 1);
    }
    assert!(!outcomes.is_empty());
}

/// Rule 16: one of two direct admins leaves the organization while the other steps down: one stays, or it was the
/// organization's admin who took the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_16_an_admin_leaves_the_organization_while_the_other_steps_down() {
    let arena = Arena::new().await;
    let mut admins = Vec::new();
    for name in ["newcomer", "stranger"] {
        admins.push(arena.server.user(name).await);
    }
    for round in 0..rounds() {
        for name in ["newcomer", "stranger"] {
            arena.server.join("acme", name, regalia_domain::roles::OrganizationRole::Member).await;
        }
        let name = format!("left{round}");
        let id = admins[0].make_registry("acme", &name, "RESTRICTED").await;
        own(&admins[0], "registryMemberAdd", json!({ "registry": id, "users": ["stranger"] })).await.expect_ok();
        own(&admins[0], "registryMemberSet", json!({ "registry": id, "user": "stranger", "role": "ADMIN" })).await.expect_ok();
        let leave = async {
            let client = arena.spread(&arena.alice, round, 0);
            own(&client, "organizationMemberRemove", json!({ "organization": "acme", "user": "stranger" })).await
        };
        let step_down = async {
            let client = arena.spread(&admins[0], round, 1);
            own(&client, "registryMemberSet", json!({ "registry": id, "user": "newcomer", "role": "MEMBER" })).await
        };
        let (left, stepped) = join(leave, step_down).await;
        left.expect_ok();
        let admins_left = format!(
            "select count(*) from registry_user_members m join projects p on p.id = m.registry_id where p.name = \
            '{name}' and m.role = 'admin'"
        );
        // He stepped down while she was still there, or not at all.
        let expected = i64::from(!stepped.errors.is_empty());
        assert_eq!(arena.server.number(&admins_left).await, expected, "{:?}", stepped.errors);
    }
}

/// Rule 10: a registry is deleted while versions are linked into it: what was linked before goes, what comes after is told
/// that there is no such registry, and nothing is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_10_links_into_a_registry_that_is_deleted() {
    const LINKS: usize = 16;
    let arena = Arena::new().await;
    let mut versions = Vec::new();
    for number in 0..LINKS {
        versions.push(
            arena.alice.log(&VersionSpec::model("alpha", &format!("net{number}"), format!("{number}").as_bytes())).await.id,
        );
    }
    let everything =
        "select (select count(*) from memberships) + (select count(*) from aliases) + (select count(*) from collections)";
    let before = arena.server.number(everything).await;
    for round in 0..rounds() {
        let name = format!("passing{round}");
        let id = arena.alice.make_registry("acme", &name, "ORGANIZATION").await;
        let links = join_all((0..LINKS).map(|task| {
            let (client, version, name) = (arena.spread(&arena.alice, round, task), &versions[task], &name);
            async move { client.link(version, "acme", name, &format!("Line {}", task % 3), &["best"]).await }
        }));
        let delete = async {
            tokio::time::sleep(std::time::Duration::from_millis(4 * (round as u64 % 8))).await;
            own(&arena.spread(&arena.alice, round, 1), "registryDelete", json!({ "id": id })).await.expect_ok();
        };
        let (links, ()) = join(links, delete).await;
        assert!(links.iter().all(|answer| answer.errors.is_empty() || answer.status == 404), "{links:?}");
        assert_eq!(arena.server.number(everything).await, before, "nothing of it is left");
    }
}

/// Rules 2 and 9: many registries take one name at once, while one is made under it: one gets it, the others keep theirs. Rule
/// 12: a member who is added by many at once is there once, with one event.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_9_and_12_one_name_and_one_member_for_many() {
    const NAMES: usize = 8;
    let arena = Arena::new().await;
    for round in 0..rounds() {
        let mut ids = Vec::new();
        for number in 0..NAMES {
            ids.push(arena.alice.make_registry("acme", &format!("old {round} {number}"), "RESTRICTED").await);
        }
        // Twins by case want one name too.
        let wanted = |task: usize| if task.is_multiple_of(2) { format!("wanted {round}") } else { format!("WANTED {round}") };
        let renames = join_all(ids.iter().enumerate().map(|(task, id)| {
            let (client, name) = (arena.spread(&arena.alice, round, task), wanted(task));
            async move { own(&client, "registryUpdate", json!({ "id": id, "name": name })).await }
        }));
        let create = async {
            let input = json!({ "organization": "acme", "name": wanted(0) });
            own(&arena.spread(&arena.alice, round, 1), "registryCreate", input).await
        };
        let (mut answers, made) = join(renames, create).await;
        answers.push(made);
        let won = answers.iter().filter(|answer| answer.errors.is_empty()).count();
        assert_eq!(won, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.errors.is_empty() || answer.code() == "CONFLICT"), "{answers:?}");

        let id = &ids[0];
        arena
            .race(round, async |client, _| {
                own(&client, "registryMemberAdd", json!({ "registry": id, "users": ["bob"], "teams": ["alpha"] }))
                    .await
                    .expect_ok();
            })
            .await;
    }
    let all = rounds() as i64;
    assert_eq!(arena.server.number("select count(*) from registry_team_members").await, all);
    assert_eq!(arena.server.number("select count(*) from audit_events where kind = 'registry_member.set'").await, 2 * all);
    assert_eq!(arena.server.number("select count(*) from projects where name_key like 'wanted%'").await, all);
}

/// Rule 18: an account is deleted while it is added to registries that it made and links into collections that it made. Nobody
/// waits for somebody who waits for him: who comes too late is told that there is no such user.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_18_an_account_is_deleted_while_it_is_at_work() {
    const EACH: usize = 4;
    let arena = Arena::new().await;
    let root = arena.server.admin().await;
    arena.alice.make_registry("acme", "open", "ORGANIZATION").await;
    let mut versions = Vec::new();
    for number in 0..EACH {
        let spec = VersionSpec::model("alpha", &format!("net{number}"), format!("{number}").as_bytes());
        versions.push(arena.alice.log(&spec).await.id);
        arena.alice.link(&versions[number], "acme", "open", "C", &[]).await.expect_ok();
    }
    for round in 0..rounds() {
        let name = format!("leaver{round}");
        let leaver = arena.server.user(&name).await;
        arena.server.join("acme", &name, regalia_domain::roles::OrganizationRole::Member).await;
        let (mut lost, mut kept) = (Vec::new(), Vec::new());
        for number in 0..EACH {
            lost.push(leaver.make_registry("acme", &format!("lost {round} {number}"), "RESTRICTED").await);
            own(&arena.alice, "registryMemberRemove", json!({ "registry": lost[number], "users": [name] })).await.expect_ok();
            kept.push(format!("kept {round} {number}"));
            leaver.make_registry("acme", &kept[number], "RESTRICTED").await;
            leaver.link(&versions[number], "acme", &kept[number], "Line", &["first"]).await.expect_ok();
        }
        let adds = join_all((0..4 * EACH).map(|task| {
            let (client, id, name) = (arena.spread(&arena.alice, round, task), &lost[task % EACH], &name);
            async move { own(&client, "registryMemberAdd", json!({ "registry": id, "users": [name] })).await }
        }));
        let links = join_all((0..4 * EACH).map(|task| {
            let (client, registry) = (arena.spread(&leaver, round, task), &kept[task % EACH]);
            let version = &versions[(task + 1) % EACH];
            async move { client.link(version, "acme", registry, "Line", &[&format!("alias{task}")]).await }
        }));
        let delete = async {
            tokio::time::sleep(std::time::Duration::from_millis(3 * (round as u64 % 8))).await;
            own(&arena.spread(&root, round, 1), "userDelete", json!({ "name": name })).await.expect_ok();
        };
        let ((adds, links), ()) = join(join(adds, links), delete).await;
        assert!(adds.iter().all(|answer| answer.errors.is_empty() || answer.code() == "NOT_FOUND"), "{adds:?}");
        let refused = |answer: &Answer| ["UNAUTHENTICATED", "NOT_FOUND"].contains(&answer.code());
        assert!(links.iter().all(|answer| answer.errors.is_empty() || refused(answer)), "{links:?}");
        assert_eq!(leaver.graphql("{ viewer { name } }", json!({})).await.status, 401);
        // What he made stays.
        let line = place(&arena.alice, "acme", &format!("wandb-registry-{}", kept[0]), "Line:first").await;
        assert_eq!(line["versionIndex"], 0);
        let query = "query($n: String!) { project(entityName: \"acme\", name: $n) { id user { username } } }";
        let made = arena.alice.graphql(query, json!({ "n": format!("wandb-registry-lost {round} 0") })).await.ok();
        assert!(made["project"]["id"].is_string() && made["project"]["user"].is_null(), "{made}");
    }
}
