//! What is remembered: where each alias pointed and when, and what people did, each written in the transaction that did it.
//! What must not live here: what a mutation is for.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use regalia_domain::ids::{decode_id, encode_id};
use regalia_service::store::audit::Kind;
use regalia_testkit::{Client, Server, VersionSpec, md5_base64, md5_hex};
use serde_json::{Value, json};

use crate::documents::{self, native_mutation};
use crate::life::collection_id;
use crate::native::own;

/// The closed list of events.
const KINDS: [Kind; 31] = [
    Kind::UserCreated,
    Kind::UserUpdated,
    Kind::UserDeleted,
    Kind::KeyCreated,
    Kind::KeyRevoked,
    Kind::OrganizationCreated,
    Kind::OrganizationUpdated,
    Kind::OrganizationDeleted,
    Kind::OrganizationMemberSet,
    Kind::OrganizationMemberRemoved,
    Kind::TeamCreated,
    Kind::TeamDeleted,
    Kind::TeamMemberSet,
    Kind::TeamMemberRemoved,
    Kind::ProjectCreated,
    Kind::ProjectUpdated,
    Kind::RegistryCreated,
    Kind::RegistryUpdated,
    Kind::RegistryDeleted,
    Kind::RegistryMemberSet,
    Kind::RegistryMemberRemoved,
    Kind::CollectionCreated,
    Kind::CollectionUpdated,
    Kind::CollectionDeleted,
    Kind::VersionCommitted,
    Kind::VersionUpdated,
    Kind::VersionDeleted,
    Kind::VersionLinked,
    Kind::VersionUnlinked,
    Kind::AliasSet,
    Kind::AliasRemoved,
];

/// The documentation names each kind, and no other.
#[test]
fn the_kinds_of_events_are_documented() {
    let text = include_str!("../../../../docs/audit.md");
    let table = text.split("## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| of"));
    let told: BTreeSet<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert_eq!(told, Kind::ALL.iter().map(|kind| kind.as_str()).collect());
}

/// Rules 29 and 30, in the rows: every alias has one unbroken line of periods, in an order that the clock can't disturb.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alias_history_has_no_overlap_and_no_gap() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut versions = Vec::new();
    for number in 0..6 {
        let mut spec = VersionSpec::model("alpha", "net", format!("{number}").as_bytes());
        spec.aliases = vec!["latest".into(), "best".into(), format!("release{}", number / 2)];
        versions.push(alice.log(&spec).await.id);
    }
    // Pulled about by several at once, in two collections, with names that are given again, and one that stays.
    let moves = (0..60).map(|number| {
        let (alice, version) = (&alice, &versions[number % 6]);
        let alias = ["staging", "production", "candidate"][number % 3];
        let aliases = if number % 5 == 0 { vec![alias, "stays", "latest"] } else { vec![alias] };
        async move { alice.link(version, "acme", "model", ["One", "Two"][number / 2 % 2], &aliases).await.expect_ok() }
    });
    join_all(moves).await;
    // The database's clock goes back by an hour: the history goes on.
    server.sql("update collections set alias_clock = alias_clock + interval '1 hour'").await;
    for version in &versions {
        for alias in ["staging", "production"] {
            alice.link(version, "acme", "model", "One", &[alias]).await.expect_ok();
        }
    }
    assert!(server.number("select count(*) from aliases where not upper_inf(valid)").await > 30);

    for (what, query) in [
        (
            "two periods of an alias overlap",
            "select count(*) from aliases a join aliases b on a.collection_id = b.collection_id and a.alias = b.alias and a.id \
                < b.id \
             and a.valid && b.valid",
        ),
        (
            "a period doesn't begin where the one before it ends",
            "select count(*) from (select valid, lag(upper(valid)) over line as before, row_number() over line as number from \
                aliases \
             window line as (partition by collection_id, alias order by lower(valid))) row \
             where number > 1 and before is distinct from lower(valid)",
        ),
        (
            "an alias moved to where it was",
            "select count(*) from (select version_id, lag(version_id) over (partition by collection_id, alias order by \
                lower(valid)) as \
             before from aliases) row where before = version_id",
        ),
        (
            "an alias has not exactly one open period, its last",
            "select count(*) from (select count(*) filter (where upper_inf(valid)) as open, bool_or(upper_inf(valid) and \
                lower(valid) < newest) as \
             early from (select *, max(lower(valid)) over (partition by collection_id, alias) as newest from aliases) row \
             group by collection_id, alias) row where open <> 1 or early",
        ),
        (
            "a period is empty or has no beginning",
            "select count(*) from aliases where isempty(valid) or lower_inf(valid) or not lower_inc(valid)",
        ),
        (
            "a collection's times don't rise with its changes",
            "select count(*) from (select lower(valid) as at, lag(lower(valid)) over (partition by collection_id order by id) \
                as before \
             from aliases) row where at < before",
        ),
        (
            "two changes of a collection have one time",
            "select count(*) from (select 1 from aliases group by collection_id, lower(valid) having count(distinct version_id) \
                > 1) row",
        ),
        (
            "a collection's clock isn't that of its last change",
            "select count(*) from collections c where alias_clock <> (select max(lower(valid)) from aliases where collection_id \
                = c.id) \
             and alias_clock <> (select max(lower(valid)) from aliases where collection_id = c.id) + interval '1 hour'",
        ),
        (
            "`latest` isn't on each version of a collection once, in order",
            "select count(*) from (select m.index, row_number() over (partition by m.collection_id order by lower(a.valid)) - 1 \
                as number \
             from memberships m left join aliases a on a.collection_id = m.collection_id and a.version_id = m.version_id and \
             a.alias = 'latest') row \
             where index <> number",
        ),
        ("`vN` is kept as an alias", "select count(*) from aliases where alias ~ '^v[0-9]+$'"),
    ] {
        assert_eq!(server.number(query).await, 0, "{what}");
    }
    let latest = "select count(*) from aliases where alias = 'latest'";
    assert_eq!(server.number(latest).await, server.number("select count(*) from memberships").await);

    // What no code should write, PostgreSQL refuses: 23P01 is the exclusion constraint.
    let insert = |valid: &str| {
        format!(
            "insert into aliases (collection_id, version_id, alias, valid) select collection_id, version_id, alias, {valid} \
                from aliases \
             where not upper_inf(valid) order by id limit 1"
        )
    };
    let into_another = "tstzrange(lower(valid) - interval '1 second', lower(valid) + interval '1 microsecond')";
    for valid in ["valid", into_another, "tstzrange(upper(valid) - interval '1 microsecond', null)", "tstzrange(null, null)"] {
        assert_eq!(server.attempt(&insert(valid)).await, Err("23P01".to_owned()), "{valid}");
    }
    assert_eq!(
        server.attempt(&insert("tstzrange('2000-01-01', '2000-01-02')")).await,
        Ok(()),
        "the constraint refuses overlaps alone"
    );
}

/// What a second, equal request does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Succeeds and changes nothing.
    Same,
    /// Succeeds and changes only what is no event, such as a run's heartbeat.
    Quiet,
    /// Is refused and changes nothing.
    Refused,
    /// Is another thing that is made.
    Another,
}

/// Watches the audit events of one server.
struct Watch {
    server: Server,
    seen: BTreeSet<String>,
    last: i64,
}

impl Watch {
    /// The events since the last call, after checking what holds for each.
    async fn news(&mut self) -> Vec<Value> {
        let events = self
            .server
            .rows(&format!("select *, xmin::text as transaction from audit_events where id > {} order by id", self.last))
            .await;
        if let Some(event) = events.last() {
            self.last = event["id"].as_i64().unwrap();
        }
        for event in &events {
            let kind = event["kind"].as_str().unwrap();
            assert!(KINDS.iter().any(|known| known.as_str() == kind), "{kind} is not on the closed list");
            self.seen.insert(kind.to_owned());
            assert!(!event["before"].is_null() || !event["after"].is_null(), "{event} says nothing");
            let (of, number) = event["subject"].as_str().unwrap().split_once(':').expect("a subject is Kind:<id>");
            assert!(number.parse::<i64>().is_ok() && of.chars().all(char::is_alphabetic), "{event}");
        }
        events
    }

    /// The tables but for those that uploads and manifests on their way write to.
    async fn state(&self) -> Vec<(String, String)> {
        let transient = ["uploads", "blobs", "manifest_staging"];
        self.server.everything().await.into_iter().filter(|(table, _)| !transient.contains(&table.as_str())).collect()
    }

    /// Sends a mutation three times: while no event can be written, then for good, then once more.
    async fn step(&mut self, client: &Client, who: &str, text: &str, input: Value, kinds: &[&str], again: Again) -> Value {
        let variables = json!({ "input": input });
        let what = format!("{} by {who} with {input}", text.split('{').nth(1).unwrap_or(text));
        if !kinds.is_empty() {
            // Class 22 is answered as a client's mistake, so that no gate stops the answer.
            self.server
                .sql(
                    "create function refuse_event() returns trigger language plpgsql as $$ begin raise exception 'no' using \
                        errcode = '22023'; \
                     end $$; create trigger refuse_event before insert on audit_events for each row execute function \
                     refuse_event();",
                )
                .await;
            let before = self.state().await;
            let failed = client.graphql(text, variables.clone()).await;
            assert!(!failed.errors.is_empty(), "{what} succeeded without its event");
            assert_eq!(self.state().await, before, "{what} wrote something without its event");
            self.server.sql("drop trigger refuse_event on audit_events; drop function refuse_event;").await;
        }
        let answer = client.graphql(text, variables.clone()).await;
        let request = answer.request.to_string();
        let data = answer.ok();
        let events = self.news().await;
        let mut told: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        let mut expected = kinds.to_vec();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{what}");
        let actor = self.server.number(&format!("select id from entities where name = '{who}'")).await;
        for event in &events {
            assert_eq!((&event["actor_id"], &event["request_id"]), (&json!(actor), &json!(request)), "{what}");
            assert_eq!(event["transaction"], events[0]["transaction"], "{what} took several transactions for its events");
        }
        let before = self.state().await;
        let answer = client.graphql(text, variables).await;
        let failed = !answer.errors.is_empty();
        assert_eq!(failed, again == Again::Refused, "{what} again: {:?}", answer.errors);
        if again == Again::Another {
            assert_eq!(self.news().await.len(), kinds.len(), "{what} again");
        } else {
            assert_eq!(self.news().await, Vec::<Value>::new(), "{what} again");
        }
        if matches!(again, Again::Same | Again::Refused) {
            assert_eq!(self.state().await, before, "{what} again");
        }
        data
    }
}

#[tokio::test]
async fn each_mutation_writes_its_events_or_nothing() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    let last = server.number("select max(id) from audit_events").await;
    let mut watch = Watch { server, seen: BTreeSet::new(), last };

    // Accounts.
    macro_rules! own {
        ($client:ident, $field:literal, $input:tt, $kinds:expr, $again:ident) => {
            watch.step(&$client, stringify!($client), &native_mutation($field), json!($input), &$kinds, Again::$again).await
        };
    }
    own!(admin, "userCreate", { "name": "newcomer", "email": "newcomer@example.com" }, ["user.created"], Refused);
    let made = own!(bob, "apiKeyCreate", { "name": "laptop" }, ["key.created"], Another);
    let imported = "old-0123456789abcdef0123456789abcdef01234567";
    own!(bob, "apiKeyImport", { "secret": imported }, ["key.created"], Refused);
    let key = made["apiKeyCreate"]["apiKey"]["id"].clone();
    own!(bob, "apiKeyRevoke", { "id": key }, ["key.revoked"], Refused);

    // Organizations and teams.
    own!(admin, "organizationCreate", { "displayName": "beta \
        corp", "admin": "newcomer" }, ["organization.created", "organization_member.set"], Another);
    let entities = watch
        .server
        .rows("select e.name from organizations o join entities e on e.id = o.id where o.display_name = 'beta corp'")
        .await;
    let beta = entities[0]["name"].clone();
    own!(alice, "organizationUpdate", { "organization": "acme", "registryCreation": "ADMINS" }, ["organization.updated"], Same);
    own!(alice, "organizationUpdate", { "organization": "acme", "registryCreation": "MEMBERS" }, ["organization.updated"], Same);
    own!(alice, "organizationUpdate", { "organization": "acme", "displayName": "ACME Inc." }, ["organization.updated"], Same);
    own!(alice, "organizationUpdate", { "organization": "acme", "displayName": "acme" }, ["organization.updated"], Same);
    for role in ["MEMBER", "VIEWER"] {
        let kinds = ["organization_member.set"];
        own!(admin, "organizationMemberSet", { "organization": beta, "user": "bob", "role": role }, kinds, Same);
    }
    let kinds = ["team.created", "team_member.set"];
    own!(admin, "teamCreate", { "organization": beta, "name": "gamma", "admin": "newcomer" }, kinds, Refused);
    own!(admin, "teamMemberSet", { "team": "gamma", "user": "bob", "role": "MEMBER" }, ["team_member.set"], Same);
    own!(admin, "teamMemberSet", { "team": "gamma", "user": "bob", "role": "ADMIN" }, ["team_member.set"], Same);
    own!(bob, "userUpdate", { "user": "bob", "defaultEntity": "gamma" }, ["user.updated"], Same);
    let state = watch.state().await;
    let occupied = admin.graphql(&native_mutation("organizationDelete"), json!({ "input": { "organization": beta } })).await;
    assert_eq!((occupied.code(), watch.state().await), ("CONFLICT", state));
    own!(admin, "teamMemberRemove", { "team": "gamma", "user": "bob" }, ["team_member.removed"], Refused);
    own!(admin, "organizationMemberRemove", { "organization": beta, "user": "bob" }, ["organization_member.removed"], Refused);
    own!(admin, "teamDelete", { "team": "gamma" }, ["team.deleted"], Refused);
    own!(admin, "organizationDelete", { "organization": beta }, ["organization.deleted"], Refused);
    own!(admin, "userDelete", { "name": "newcomer" }, ["organization_member.removed", "user.deleted"], Refused);

    // Registries and projects.
    own!(alice, "registryCreate", { "organization": "acme", "name": "ours", "types": ["model"] }, ["registry.created"], Refused);
    let id = encode_id("Registry", watch.server.number("select id from projects where name = 'ours'").await);
    own!(alice, "registryUpdate", { "id": id, "description": "new", "addTypes": ["dataset"] }, ["registry.updated"], Same);
    own!(alice, "registryUpdate", { "id": id, "allowAllTypes": true, "visibility": "RESTRICTED" }, ["registry.updated"], Same);
    own!(alice, "registryUpdate", { "id": id }, [], Same);
    own!(alice, "registryUpdate", { "id": id, "name": "theirs", "protectedAliases": ["best"] }, ["registry.updated"], Same);
    let (set, removed) = (["registry_member.set"; 2], ["registry_member.removed"; 2]);
    own!(alice, "registryMemberAdd", { "registry": id, "users": ["bob"], "teams": ["alpha"] }, set, Same);
    own!(alice, "registryMemberSet", { "registry": id, "user": "bob", "role": "VIEWER" }, set[..1], Same);
    own!(alice, "registryMemberSet", { "registry": id, "team": "alpha", "role": "ADMIN" }, set[..1], Same);
    own!(alice, "registryMemberRemove", { "registry": id, "users": ["bob"], "teams": ["alpha"] }, removed, Same);
    macro_rules! wire {
        ($text:expr, $input:tt, $kinds:expr, $again:ident) => {
            watch.step(&alice, "alice", &$text, json!($input), &$kinds, Again::$again).await
        };
    }
    let upsert = documents::upsert_registry();
    wire!(upsert, { "entityName": "acme", "name": "wandb-registry-wire", "description": "" }, ["registry.created"], Same);
    wire!(upsert, { "entityName": "acme", "name": "wandb-registry-wire", "description": "x" }, ["registry.updated"], Same);
    let rename = json!({
        "entityName": "acme", "oldProjectName": "wandb-registry-wire", "newProjectName": "wandb-registry-line",
    });
    wire!(documents::rename_registry(), rename, ["registry.updated"], Refused);
    let number = async |query: &str| watch.server.number(query).await;
    let wired = encode_id("Project", number("select id from projects where name = 'line'").await);
    let (bobs, alphas) = (
        encode_id("User", number("select id from entities where name = 'bob'").await),
        encode_id("Entity", number("select id from entities where name = 'alpha'").await),
    );
    wire!(documents::CREATE_MEMBERS, { "projectId": wired, "userIds": [bobs], "teamIds": [alphas] }, set, Same);
    wire!(documents::UPDATE_USER_ROLE, { "projectId": wired, "userId": bobs, "userProjectRole": "admin" }, set[..1], Same);
    wire!(documents::UPDATE_TEAM_ROLE, { "projectId": wired, "teamId": alphas, "teamProjectRole": "viewer" }, set[..1], Same);
    wire!(documents::DELETE_MEMBERS, { "projectId": wired, "userIds": [bobs], "teamIds": [alphas] }, removed, Same);
    wire!(upsert, { "entityName": "alpha", "name": "demo" }, ["project.created"], Same);
    wire!(upsert, { "entityName": "alpha", "name": "demo", "description": "x" }, ["project.updated"], Same);
    let bucket = documents::upsert_bucket();
    wire!(bucket, { "entityName": "alpha", "modelName": "runs", "name": "run1" }, ["project.created"], Quiet);
    let run = json!({ "entityName": "alpha", "projectName": "runs", "runName": "run1", "files": ["a"] });
    wire!(documents::create_run_files(), run, [], Quiet);

    // Versions, by the wire: begun, announced, committed, linked.
    let first = VersionSpec::model("alpha", "net", b"first");
    let create = "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id } } }";
    let begin = |spec: &VersionSpec, client_id: &str, aliases: &[&str]| {
        let aliases: Vec<Value> = aliases.iter().map(|alias| json!({ "alias": alias })).collect();
        json!({
            "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": spec.name,
            "digest": spec.digest(), "clientID": client_id, "aliases": aliases, "enableDigestDeduplication": true,
        })
    };
    let created = begin(&first, "one", &["best"]);
    let version =
        wire!(create, created, ["collection.created"], Same)["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    for manifest in [None, Some(first.manifest())] {
        let announced = alice.announce_manifest(&first, &version, manifest.as_deref()).await.ok();
        let url = announced["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str();
        if let (Some(url), Some(manifest)) = (url, manifest) {
            assert_eq!(alice.put(url, manifest).await, 200);
        }
    }
    let commit = "mutation($input: CommitArtifactInput!) { commitArtifact(input: $input) { artifact { id } } }";
    // Before the file is there: refused, without a trace.
    let state = watch.state().await;
    assert_eq!(alice.commit(&version).await.status, 409);
    assert_eq!(watch.state().await, state);
    let announced = alice.announce_files(&version, &first.files).await.ok();
    alice.upload(&announced, &first.files).await;
    assert_eq!(watch.news().await, Vec::<Value>::new(), "announcing and sending files are no events");
    wire!(commit, { "artifactID": version }, ["version.committed", "alias.set", "alias.set"], Same);
    let newest = begin(&first, "two", &["better"]);
    wire!(create, newest, ["alias.set"], Same);
    let link = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
    let to = |registry: &str, alias: &str| {
        let aliases = json!([{ "alias": alias, "artifactCollectionName": "Line" }]);
        json!({
            "artifactID": version, "artifactPortfolioName": "Line", "entityName": "acme", "projectName": registry, "aliases": aliases,
        })
    };
    let target = to("wandb-registry-model", "staging");
    wire!(link, target, ["registry.created", "collection.created", "version.linked", "alias.set", "alias.set"], Same);
    let target = to("wandb-registry-model", "production");
    wire!(link, target, ["alias.set"], Same);
    let state = watch.state().await;
    assert_eq!(alice.graphql(link, json!({ "input": to("wandb-registry-dataset", "x") })).await.status, 400);
    assert_eq!(alice.graphql(link, json!({ "input": to("wandb-registry-absent", "x") })).await.status, 404);
    assert_eq!(watch.state().await, state);
    let used = json!({ "artifactID": version, "entityName": "alpha", "projectName": "runs", "runName": "run1" });
    wire!(documents::USE_ARTIFACT, used, [], Same);

    // And by our own side.
    let kinds = ["collection.created", "version.linked", "alias.set"];
    own!(alice, "versionLink", { "version": version, "target": "acme/wandb-registry-model/Other" }, kinds, Same);
    let file = json!({ "path": "a", "md5": md5_hex(b"a"), "size": 1 });
    let input = json!({
        "entity": "alpha", "project": "demo", "collection": "own", "typeName": "model", "files": [file], "aliases": ["best"],
    });
    let begun = own!(alice, "versionBegin", input, ["collection.created"], Quiet);
    let begun = &begun["versionBegin"];
    assert_eq!(alice.put(begun["uploads"][0]["url"].as_str().unwrap(), "a").await, 200);
    own!(alice, "versionCommit", { "version": begun["version"]["id"] }, ["version.committed", "alias.set", "alias.set"], Same);

    // What becomes of them.
    own!(alice, "versionUpdate", { "version": version, "description": "new", "addTags": ["blue"] }, ["version.updated"], Same);
    own!(alice, "versionUpdate", { "version": version, "metadata": "{\"a\": 1}" }, ["version.updated"], Same);
    own!(alice, "versionUpdate", { "version": version, "removeTags": ["blue"] }, ["version.updated"], Same);
    let (other, source) = (collection_id(&watch.server, "Other").await, collection_id(&watch.server, "net").await);
    let (other, source) = (encode_id("ArtifactCollection", other), encode_id("ArtifactCollection", source));
    own!(alice, "collectionUpdate", { "collection": other, "name": "Others", "addTags": ["x"] }, ["collection.updated"], Same);
    let place = format!(
        "select m.id from memberships m join collections c on c.id = m.collection_id where c.name = 'Others' and m.version_id = {}",
        decode_id(&["Artifact"], &version).unwrap()
    );
    let place = encode_id("Link", watch.server.number(&place).await);
    own!(alice, "linkUpdate", { "link": place, "addAliases": ["a", "b"] }, ["alias.set", "alias.set"], Same);
    own!(alice, "linkUpdate", { "link": place, "removeAliases": ["b", "c"] }, ["alias.removed"], Same);
    let set = "select lower(valid) as at from aliases where alias = 'b' order by id desc limit 1";
    let set = watch.server.rows(set).await.remove(0)["at"].clone();
    own!(alice, "aliasRestore", { "collection": other, "alias": "b", "at": set }, ["alias.set"], Same);
    own!(alice, "linkUpdate", { "link": place, "removeAliases": ["b"] }, ["alias.removed"], Same);
    let gone = ["alias.removed", "alias.removed", "version.unlinked"];
    own!(alice, "linkDelete", { "link": place }, gone, Refused);
    let target = to("wandb-registry-model", "x");
    wire!(link, target, ["alias.set"], Same);
    let names =
        json!([{ "entityName": "acme", "projectName": "wandb-registry-model", "artifactCollectionName": "Line", "alias": "y" }]);
    wire!(documents::change("addAliases"), { "artifactID": version, "aliases": names }, ["alias.set"], Same);
    wire!(documents::change("deleteAliases"), { "artifactID": version, "aliases": names }, ["alias.removed"], Same);
    wire!(documents::change("updateArtifact"), { "artifactID": version, "description": "newer" }, ["version.updated"], Same);
    wire!(documents::change("updateArtifactSequence"), { "artifactSequenceID": source, "name": "nets" }, ["collection.updated"], Same);
    own!(alice, "collectionDelete", { "collection": other }, ["collection.deleted"], Refused);

    // The same by the wire, up to the end of a collection of links and of a version.
    let target = json!({
        "artifactID": version, "artifactPortfolioName": "Wire", "entityName": "acme", "projectName": "wandb-registry-model",
        "aliases": [{ "alias": "a", "artifactCollectionName": "Wire" }],
    });
    wire!(link, target, ["collection.created", "version.linked", "alias.set", "alias.set"], Same);
    let portfolio = encode_id("ArtifactCollection", collection_id(&watch.server, "Wire").await);
    let tags = json!({
        "entityName": "acme", "projectName": "wandb-registry-model", "artifactCollectionName": "Wire", "tags": [{ "tagName": "x" }, { "tagName": "y" }],
    });
    wire!(documents::change("createArtifactCollectionTagAssignments"), tags, ["collection.updated"], Same);
    wire!(documents::change("deleteArtifactCollectionTagAssignments"), tags, ["collection.updated"], Same);
    let tags = json!([{ "tagName": "green" }]);
    wire!(documents::change("updateArtifact"), { "artifactID": version, "tagsToAdd": tags }, ["version.updated"], Same);
    wire!(documents::change("updateArtifact"), { "artifactID": version, "tagsToDelete": tags }, ["version.updated"], Same);
    let input = json!({ "artifactPortfolioID": portfolio, "name": "Wired", "description": "new" });
    wire!(documents::change("updateArtifactPortfolio"), input, ["collection.updated"], Same);
    let gone = ["alias.removed", "alias.removed", "version.unlinked"];
    wire!(documents::change("unlinkArtifact"), { "artifactID": version, "artifactPortfolioID": portfolio }, gone, Refused);
    let again = json!({
        "artifactID": version, "artifactPortfolioName": "Wired", "entityName": "acme", "projectName": "wandb-registry-model", "aliases": [],
    });
    wire!(link, again, ["version.linked", "alias.set"], Same);
    wire!(documents::change("deleteArtifactPortfolio"), { "artifactPortfolioID": portfolio }, ["collection.deleted"], Refused);
    let spec = VersionSpec { aliases: Vec::new(), ..VersionSpec::model("alpha", "parts", b"part") };
    let begun = alice.create_shared(&spec, "shared", "three").await.ok();
    let shared = begun["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let draft = alice.announce_part(&shared, "PATCH", None, "").await.ok();
    let draft = draft["createArtifactManifest"]["artifactManifest"]["id"].as_str().unwrap().to_owned();
    let announced = alice.announce_files_of(&shared, Some(&draft), &spec.files).await.ok();
    alice.upload(&announced, &spec.files).await;
    watch.news().await;
    let update =
        "mutation($input: UpdateArtifactManifestInput!) { updateArtifactManifest(input: $input) { artifactManifest { id } } }";
    wire!(update, { "artifactManifestID": draft, "digest": md5_base64(&spec.manifest()) }, [], Quiet);
    // Each answer has another URL; the manifest is sent by the last.
    let announced = alice.update_manifest(&draft, None, &spec.manifest()).await.ok();
    let url = announced["updateArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap().to_owned();
    assert_eq!(alice.put(&url, spec.manifest()).await, 200);
    let number = decode_id(&["Artifact"], &shared).unwrap();
    let drafts = format!("select count(*) from manifest_drafts where patch_of = {number}");
    assert_eq!(watch.server.number(&drafts).await, 1, "one part");
    wire!(commit, { "artifactID": shared }, ["version.committed", "alias.set"], Same);
    let entries = format!("select entry_count from manifests m join versions v on v.manifest_id = m.id where v.id = {number}");
    assert_eq!(watch.server.number(&entries).await, 1, "with one file");
    let gone = ["alias.removed", "version.deleted"];
    wire!(documents::change("deleteArtifact"), { "artifactID": shared, "deleteAliases": true }, gone, Refused);

    // Registries with what was linked into them.
    let target = json!({ "version": version, "target": "acme/wandb-registry-theirs/Line" });
    own!(alice, "versionLink", target, ["collection.created", "version.linked", "alias.set"], Same);
    own!(alice, "registryDelete", { "id": id }, ["collection.deleted", "registry.deleted"], Refused);
    let delete = "mutation($input: DeleteModelInput!) { deleteModel(input: $input) { success } }";
    wire!(delete, { "id": wired }, ["registry.deleted"], Refused);

    // The end of versions: of one with its links, and of a source collection with those that are left.
    let second = alice.log(&VersionSpec::model("alpha", "nets", b"second")).await.id;
    watch.news().await;
    let gone = ["alias.set", "version.deleted"];
    own!(alice, "versionDelete", { "version": second }, gone, Refused);
    let left = VersionSpec::model("alpha", "leaving", b"left");
    let left = alice.log(&left).await.id;
    alice.link(&left, "acme", "model", "Line", &[]).await.expect_ok();
    watch.news().await;
    let leaving = encode_id("ArtifactCollection", collection_id(&watch.server, "leaving").await);
    let move_ = documents::change("moveArtifactSequence");
    let state = watch.state().await;
    let input = json!({ "artifactSequenceID": leaving, "destinationArtifactTypeName": "other" });
    assert_eq!(alice.graphql(&move_, json!({ "input": input })).await.status, 409);
    assert_eq!(watch.state().await, state);
    wire!(move_, { "artifactSequenceID": source, "destinationArtifactTypeName": "model" }, [], Same);
    let gone = ["alias.set", "version.unlinked", "version.deleted", "collection.deleted"];
    wire!(documents::change("deleteArtifactSequence"), { "artifactSequenceID": leaving }, gone, Refused);

    let typed = json!({ "entityName": "alpha", "projectName": "demo", "name": "checkpoint" });
    watch.step(&alice, "alice", documents::CREATE_TYPE, typed, &["project.updated"], Again::Same).await;

    let all: BTreeSet<String> = KINDS.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(watch.seen, all, "a kind of event that no step wrote");
    no_secret_is_kept(
        &watch.server,
        &[made["apiKeyCreate"]["secret"].as_str().unwrap(), imported, alice.key(), bob.key(), admin.key()],
    )
    .await;
    the_changes_are_told(&watch.server).await;
}

/// No key stands in any table, and no hash of one, no signature and no upload in an event.
async fn no_secret_is_kept(server: &Server, secrets: &[&str]) {
    let mut rows = Vec::new();
    for table in server.everything().await.keys() {
        rows.extend(server.rows(&format!("select t::text as text from {table} t")).await.iter().map(ToString::to_string));
    }
    assert!(rows.len() > 100, "these are not all rows");
    for secret in secrets {
        assert!(secret.len() >= 40);
        // A key with a prefix is as secret without it.
        let key = &secret[secret.len() - 40..];
        // Searched for here: a query with the key in it would be logged.
        assert!(!rows.iter().any(|row| row.contains(key)), "a table has a key in clear");
    }
    let hashes = "select count(*) from audit_events a, api_keys k where a::text like '%' || encode(k.hash, 'hex') || '%'";
    assert_eq!(server.number(hashes).await, 0, "an event has a key's hash");
    let uploads = "select count(*) from audit_events a, uploads u where a::text like '%' || u.id || '%'";
    assert_eq!(server.number(uploads).await, 0, "an event has an upload's address");
    assert_eq!(server.number("select count(*) from audit_events a where a::text like '%signature%'").await, 0);
}

/// Before and after are the changed fields, and whose history it is stands beside them.
async fn the_changes_are_told(server: &Server) {
    let acme = server.number("select id from entities where name = 'acme'").await;
    let registry = |description: Value, visibility: &str, types: &[&str], all: bool| {
        json!({
            "name": "ours", "description": description, "visibility": visibility, "types": types, "allow_all_types": all,
            "protected_aliases": [],
        })
    };
    for (kind, place, before, after) in [
        (
            "organization.updated",
            "order by id limit 1",
            json!({ "registry_creation": "members" }),
            json!({ "registry_creation": "admins" }),
        ),
        ("project.updated", "order by id limit 1", json!({ "description": null }), json!({ "description": "x" })),
        (
            "registry.updated",
            "order by id limit 1",
            registry(Value::Null, "organization", &["model"], false),
            registry(json!("new"), "organization", &["model", "dataset"], false),
        ),
        (
            "registry.updated",
            "order by id offset 1 limit 1",
            registry(json!("new"), "organization", &["dataset", "model"], false),
            registry(json!("new"), "restricted", &["dataset", "model"], true),
        ),
    ] {
        let event = server.rows(&format!("select * from audit_events where kind = '{kind}' {place}")).await.remove(0);
        assert_eq!((&event["before"], &event["after"]), (&before, &after), "{kind}");
        assert_eq!(event["organization_id"], acme, "{kind}");
    }
    for (kind, of_an_organization) in [
        ("user.%", false),
        ("key.%", false),
        ("organization%", true),
        ("team%", true),
        ("registry%", true),
        ("collection%", true),
    ] {
        let query = format!(
            "select count(*) from audit_events where kind like '{kind}' and (organization_id is not null) <> {of_an_organization}"
        );
        assert_eq!(server.number(&query).await, 0, "whose history {kind} belongs to");
    }
    // Of tags there are all, before and after, as of any field.
    let tags = "select before -> 'tags' as before, after -> 'tags' as after from audit_events \
                where kind like '%.updated' and (after ? 'tags' or before ? 'tags')";
    let tagged = server.rows(tags).await;
    assert!(tagged.len() >= 2, "{tagged:?}");
    for change in tagged {
        assert!(change["before"].is_array() && change["after"].is_array() && change["before"] != change["after"], "{change}");
    }
    // An alias that moves says from where.
    let moved = server.rows("select before, after from audit_events where kind = 'alias.set' order by id").await;
    assert!(moved.iter().all(|event| event["after"]["alias"].is_string() && event["after"]["version"].is_number()), "{moved:?}");
    let twice = "select count(*) from audit_events where kind = 'version.committed'";
    assert_eq!(server.number(twice).await, server.number("select count(*) from versions where state <> 'pending'").await);
}

/// What an event says was before is what was there when it was changed, not what was read a moment earlier.
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_changed_meanwhile_is_seen() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let other = server.attempt("update organizations set registry_creation = 'admins'; select pg_sleep(2)");
    let asked = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        own(&alice, "organizationUpdate", json!({ "organization": "acme", "registryCreation": "MEMBERS" })).await.expect_ok();
    };
    let (other, ()) = tokio::join!(other, asked);
    other.unwrap();
    assert_eq!(server.number("select count(*) from organizations where registry_creation = 'members'").await, 1);
    let event = server.rows("select * from audit_events where kind = 'organization.updated'").await.remove(0);
    assert_eq!(event["before"], json!({ "registry_creation": "admins" }));
    assert_eq!(event["after"], json!({ "registry_creation": "members" }));
}
