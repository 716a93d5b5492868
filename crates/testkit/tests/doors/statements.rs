//! How many SQL statements a request takes: the same for one file and for 300, for a short list and for a long one; and that those
//! asked most aren't planned anew each time. What the SDK's requests take stands in `statements.txt`. What must not live here: how
//! long anything takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Reply, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents;
use crate::native::own;

/// Operations in order, each with its statements.
type Table = Vec<(String, Vec<String>)>;

/// How much there is of everything.
#[derive(Clone, Copy)]
struct Size {
    files: usize,
    /// Keys, teams, registries, collections, versions, aliases, types beside those that the job makes.
    others: usize,
}

const SMALL: Size = Size { files: 1, others: 1 };
const LARGE: Size = Size { files: 300, others: 12 };

/// A statement's name: `file::function`, or what a transaction begins and ends with.
fn name(summary: &str) -> String {
    let words: Vec<&str> = summary.split_whitespace().collect();
    match words.as_slice() {
        ["--", name, ..] if name.contains("::") => (*name).to_owned(),
        [word, ..] if ["BEGIN", "COMMIT"].contains(word) => word.to_lowercase(),
        _ => panic!("a statement has no name: it must begin with `-- file::function`, not {summary:?}"),
    }
}

fn names(statements: &[String]) -> Vec<String> {
    let mut names: Vec<String> = statements.iter().map(|statement| name(statement)).collect();
    // Batches of one level run at once, so they end in any order.
    names.sort();
    names
}

/// The main job, request by request, with the statements of each.
struct Job {
    table: Table,
}

impl Job {
    fn note(&mut self, operation: &str, statements: &[String]) {
        assert!(!statements.is_empty(), "{operation} took no statement: they aren't counted");
        assert!(!self.table.iter().any(|(known, _)| known == operation), "{operation} stands in the table twice");
        self.table.push((operation.to_owned(), names(statements)));
    }

    fn answer(&mut self, operation: &str, answer: Answer) -> Value {
        self.note(operation, &answer.statements);
        answer.ok()
    }

    async fn ask(&mut self, client: &Client, operation: &str, text: &str, variables: Value) -> Value {
        let answer = client.graphql(text, variables).await;
        self.answer(operation, answer)
    }

    fn reply(&mut self, operation: &str, reply: Reply) -> Vec<u8> {
        assert_eq!(reply.status, 200, "{operation}: {}", reply.text());
        self.note(operation, &reply.statements);
        reply.body
    }

    async fn put(&mut self, client: &Client, operation: &str, url: &Value, bytes: Vec<u8>) {
        let reply = client.request("PUT", url.as_str().expect("an upload URL"), |request| request.body(bytes)).await;
        self.reply(operation, reply);
    }

    async fn get(&mut self, client: &Client, operation: &str, url: &Value) -> Vec<u8> {
        let reply = client.request("GET", url.as_str().expect("a download URL"), |request| request).await;
        self.reply(operation, reply)
    }
}

fn spec(size: Size, content: &str) -> VersionSpec {
    let mut spec = VersionSpec::model("alpha", "net", content.as_bytes());
    spec.files.extend((1..size.files).map(|number| (format!("part{number}"), format!("{content} {number}").into_bytes())));
    spec
}

/// Fills the lists that the job's requests go through.
async fn fill(server: &Server, alice: &Client, size: Size) {
    let mut others = Vec::new();
    for number in 0..size.others {
        server.user(&format!("user{number}")).await;
        server.join("acme", &format!("user{number}"), OrganizationRole::Member).await;
        server.team("acme", &format!("team{number}"), "alice").await;
        server.organization(&format!("org{number}"), "alice").await;
        own(alice, "apiKeyCreate", json!({ "name": "more" })).await.expect_ok();
        let mut spec = VersionSpec::model("alpha", &format!("other{number}"), format!("other {number}").as_bytes());
        spec.type_name = format!("type{number}");
        others.push(alice.log(&spec).await.id);
        alice.make_registry("acme", &format!("registry{number}"), "ORGANIZATION").await;
    }
    for other in &others {
        alice.link(other, "acme", "registry0", &format!("Line {other}"), &["one", "two", "three"]).await.expect_ok();
    }
}

async fn main_job(size: Size) -> Table {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    fill(&server, &alice, size).await;
    let (alice, bob) = (alice.as_sdk(), bob.as_sdk());
    for client in [&alice, &bob] {
        // The first use of a key is noted, with a statement of its own.
        client.graphql("{ __typename }", json!({})).await.expect_ok();
    }
    let mut job = Job { table: Vec::new() };
    begin(&mut job, &alice, size).await;
    let version = publish(&mut job, &alice, size).await;
    pull(&mut job, &bob, &version, size).await;
    look(&mut job, &alice, &version).await;
    compose(&mut job, &alice, size).await;
    trace(&mut job, &alice, &version, size).await;
    change(&mut job, &alice, size).await;
    job.table
}

/// Up to the run.
async fn begin(job: &mut Job, alice: &Client, size: Size) {
    job.ask(alice, "Viewer", documents::VIEWER, json!({})).await;
    job.ask(alice, "GetDefaultEntity", documents::DEFAULT_ENTITY, json!({})).await;
    job.ask(alice, "ServerFeaturesQuery", documents::SERVER_FEATURES, json!({})).await;
    job.ask(alice, "FetchOrganization", documents::FETCH_ORGANIZATION, json!({ "org": "acme" })).await;
    let registry = json!({ "entity": "acme", "name": "wandb-registry-prod" });
    job.ask(alice, "FetchRegistry, absent", &documents::fetch_registry(), registry.clone()).await;
    let types = json!([{ "name": "model" }]);
    let input = json!({ "entityName": "acme", "name": "wandb-registry-prod", "access": "PRIVATE", "artifactTypes": types });
    job.ask(alice, "UpsertRegistry, new", &documents::upsert_registry(), json!({ "input": input })).await;
    let more: Vec<Value> = (0..size.others).map(|number| json!({ "name": format!("type{number}") })).collect();
    let more = json!({ "entityName": "acme", "name": "wandb-registry-prod", "artifactTypes": more });
    alice.graphql(&documents::upsert_registry(), json!({ "input": more })).await.expect_ok();
    job.ask(alice, "UpsertRegistry, again", &documents::upsert_registry(), json!({ "input": input })).await;
    job.ask(alice, "FetchRegistry", &documents::fetch_registry(), registry).await;
    let run =
        |config: &str| json!({ "input": { "entityName": "alpha", "modelName": "fresh", "name": "run1", "config": config } });
    job.ask(alice, "UpsertBucket, new project", &documents::upsert_bucket(), run("{}")).await;
    job.ask(alice, "UpsertBucket, again", &documents::upsert_bucket(), run("{\"a\":1}")).await;
    job.ask(alice, "OrganizationCoreWeaveOrganizationID", documents::CORE_WEAVE, json!({ "entityName": "alpha" })).await;
    let path = "/files/alpha/fresh/run1/file_stream";
    let body = json!({ "files": { "wandb-summary.json": { "offset": 0, "content": ["{}"] } } }).to_string();
    let reply = alice.request("POST", path, |request| request.basic_auth("api", Some(alice.key())).body(body)).await;
    job.reply("POST file_stream", reply);
}

/// From the first version to the links; returns the version.
async fn publish(job: &mut Job, alice: &Client, size: Size) -> String {
    let id = |answer: &Value| answer["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let manifest_url = |answer: &Value| answer["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].clone();
    let first = spec(size, "first");
    let found = json!({ "entityName": "alpha", "projectName": "demo", "name": "net:latest" });
    job.ask(alice, "ArtifactType", documents::ARTIFACT_TYPE, found).await;
    let version = id(&job.answer("CreateArtifact, new collection", alice.create_version(&first, "one").await));
    job.answer("CreateArtifactManifest", alice.announce_manifest(&first, &version, None).await);
    let announced = job.answer("CreateArtifactFiles", alice.announce_files(&version, &first.files).await);
    let url = &announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"];
    job.put(alice, "PUT a file", url, first.files[0].1.clone()).await;
    job.put(alice, "PUT a file, again", url, first.files[0].1.clone()).await;
    alice.upload(&announced, &first.files).await;
    let manifest = first.manifest();
    let announced =
        job.answer("CreateArtifactManifest, with its digest", alice.announce_manifest(&first, &version, Some(&manifest)).await);
    job.put(alice, "PUT the manifest", &manifest_url(&announced), manifest).await;
    job.answer("CommitArtifact", alice.commit(&version).await);
    job.answer("CommitArtifact, again", alice.commit(&version).await);
    job.answer("CreateArtifact, the same again", alice.create_version(&first, "two").await);

    // Another version, of which only one file is new.
    for number in 0..size.others {
        alice.log(&spec(SMALL, &format!("more {number}"))).await;
    }
    alice.log(&first).await;
    let mut second = first.clone();
    second.files[0].1 = b"second".to_vec();
    let another = id(&job.answer("CreateArtifact, next version", alice.create_version(&second, "three").await));
    alice.announce_manifest(&second, &another, None).await.expect_ok();
    let announced = job.answer("CreateArtifactFiles, all stored but one", alice.announce_files(&another, &second.files).await);
    let nodes = announced["createArtifactFiles"]["files"]["edges"].as_array().unwrap().clone();
    assert_eq!(nodes.iter().filter(|edge| !edge["node"]["uploadUrl"].is_null()).count(), 1);
    alice.upload(&announced, &second.files).await;
    let manifest = second.manifest();
    let announced = alice.announce_manifest(&second, &another, Some(&manifest)).await.ok();
    assert_eq!(alice.put(manifest_url(&announced).as_str().unwrap(), manifest).await, 200);
    job.answer("CommitArtifact, next version", alice.commit(&another).await);

    job.ask(alice, "ArtifactByID", &documents::artifact_by_id(), json!({ "id": another })).await;
    job.ask(alice, "FetchOrgInfoFromEntity, team", documents::FETCH_ORG_INFO, json!({ "entity": "alpha" })).await;
    job.ask(alice, "FetchOrgInfoFromEntity, user", documents::FETCH_ORG_INFO, json!({ "entity": "alice" })).await;
    job.answer("LinkArtifact, new core registry", alice.link(&another, "acme", "model", "Net", &[]).await);
    job.answer("LinkArtifact, new collection", alice.link(&version, "acme", "prod", "Net", &["staging"]).await);
    job.answer("LinkArtifact, next version", alice.link(&another, "acme", "prod", "Net", &["staging"]).await);
    let many: Vec<String> = (0..=size.others).map(|number| format!("alias{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    job.answer("LinkArtifact, more aliases", alice.link(&another, "acme", "prod", "Net", &many).await);
    job.answer("LinkArtifact, again", alice.link(&another, "acme", "prod", "Net", &many).await);

    let path = |number: usize| format!("out/{number}");
    let files: Vec<String> = (0..size.files).map(path).collect();
    let input = json!({ "entityName": "alpha", "projectName": "fresh", "runName": "run1", "files": files });
    let announced = job.ask(alice, "CreateRunFiles", &documents::create_run_files(), json!({ "input": input })).await;
    job.put(alice, "PUT a run's file", &announced["createRunFiles"]["files"][0]["uploadUrl"], b"a run's file".to_vec()).await;
    another
}

/// What a colleague does, who has no right on the team.
async fn pull(job: &mut Job, bob: &Client, version: &str, size: Size) {
    let run = json!({ "input": { "modelName": "mine", "name": "run2" } });
    job.ask(bob, "UpsertBucket, default entity", &documents::upsert_bucket(), run).await;
    let named = json!({ "entity": "acme", "project": "wandb-registry-prod", "name": "Net:staging" });
    job.ask(bob, "ArtifactMembershipByName", &documents::membership_by_name(), named).await;
    let input = json!({ "artifactID": version, "entityName": "bob", "projectName": "mine", "runName": "run2" });
    job.ask(bob, "UseArtifact", documents::USE_ARTIFACT, json!({ "input": input })).await;
    job.ask(bob, "UseArtifact, again", documents::USE_ARTIFACT, json!({ "input": input })).await;
    let found = job.ask(bob, "FetchArtifactManifest", documents::FETCH_MANIFEST, json!({ "id": version })).await;
    let manifest = job.get(bob, "GET the manifest", &found["artifact"]["currentManifest"]["file"]["directUrl"]).await;
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["contents"].as_object().unwrap().len(), size.files);
    let place =
        json!({ "entity": "acme", "project": "wandb-registry-prod", "collection": "Net", "alias": "v1", "perPage": 5000 });
    let found = job.ask(bob, "GetArtifactMembershipFileUrls", documents::FILE_URLS, place).await;
    let edges = found["project"]["artifactCollection"]["artifactMembership"]["files"]["edges"].as_array().unwrap().clone();
    assert_eq!(edges.len(), size.files);
    job.get(bob, "GET a file", &edges[0]["node"]["directUrl"]).await;
    let names: Vec<&Value> = edges.iter().map(|edge| &edge["node"]["name"]).collect();
    let some = json!({ "entity": "acme", "project": "wandb-registry-prod", "collection": "Net", "alias": "v1", "names": names });
    let found = job.ask(bob, "ArtifactMembershipFiles", &documents::membership_files(), some).await;
    let files = &found["project"]["artifactType"]["artifactCollection"]["artifactMembership"]["files"];
    assert_eq!(files["totalCount"], size.files);
    let md5 = regalia_testkit::md5_hex(b"second");
    let path = format!("/artifactsV2/default/acme/wandb-registry-prod/Net/{version}//{md5}/model.txt");
    let reply = bob.request("GET", &path, |request| request.basic_auth("api", Some(bob.key()))).await;
    assert_eq!(job.reply("GET artifactsV2", reply), b"second");
}

/// The lists that a person goes through.
async fn look(job: &mut Job, alice: &Client, version: &str) {
    let organization =
        json!({ "organization": "acme", "registryFilter": "{\"name\": \"wandb-registry-registry0\"}", "perPage": 50 });
    job.ask(alice, "FetchRegistries", &documents::fetch_registries(), json!({ "organization": "acme", "perPage": 50 })).await;
    job.ask(alice, "RegistryCollections", documents::REGISTRY_COLLECTIONS, organization.clone()).await;
    job.ask(alice, "RegistryVersions", &documents::registry_versions(), organization).await;
    let project = json!({ "entity": "alpha", "project": "demo", "type": "model", "collection": "net", "perPage": 50 });
    job.ask(alice, "ProjectArtifactTypes", documents::PROJECT_TYPES, project.clone()).await;
    job.ask(alice, "ArtifactTypeArtifactCollections", documents::TYPE_COLLECTIONS, project.clone()).await;
    let listed = job.ask(alice, "ProjectArtifacts", &documents::project_artifacts(), project).await;
    let node = &listed["project"]["artifactType"]["artifactCollection"]["artifacts"]["edges"][0]["node"];
    let collection = json!({ "id": node["artifactSequence"]["id"] });
    job.ask(alice, "ArtifactCollectionAliases", documents::COLLECTION_ALIASES, collection).await;
    let files = json!({ "id": version, "perPage": 5000 });
    job.ask(alice, "ArtifactFileUrls, before 0.28", documents::ARTIFACT_FILE_URLS, files).await;
    job.ask(
        alice,
        "ClientIDMapping",
        "query ClientIDMapping($clientID: ID!) { clientIDMapping(clientID: $clientID) { serverID } }",
        json!({ "clientID": "one" }),
    )
    .await;
}

/// A version that has its base's entries and more, and one that two processes make.
async fn compose(job: &mut Job, alice: &Client, size: Size) {
    // One file is new in each.
    let named = |content: &str| {
        let mut spec = VersionSpec { name: "grown".to_owned(), ..spec(size, "base") };
        spec.files[0].1 = content.as_bytes().to_vec();
        spec
    };
    let base = alice.log(&named("base")).await.id;
    let more = named("more");
    let id = alice.create_version(&more, "grown").await.ok()["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let announced =
        job.answer("CreateArtifactManifest, incremental", alice.announce_part(&id, "INCREMENTAL", Some(&base), "").await);
    let draft = announced["createArtifactManifest"]["artifactManifest"]["id"].as_str().unwrap();
    let announced = alice.announce_files_of(&id, Some(draft), &more.files).await;
    let announced = job.answer("CreateArtifactFiles, of a manifest", announced);
    alice.upload(&announced, &more.files).await;
    let manifest = more.manifest();
    let updated = job.answer("UpdateArtifactManifest", alice.update_manifest(draft, Some(&base), &manifest).await);
    let url = updated["updateArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap();
    assert_eq!(alice.put(url, manifest).await, 200);
    job.answer("CommitArtifact, incremental", alice.commit(&id).await);

    let begun = job.answer("CreateArtifact, distributed", alice.create_shared(&named("one"), "job", "process one").await);
    let id = begun["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let found = job.answer("CreateArtifact, found by its id", alice.create_shared(&named("two"), "job", "process two").await);
    assert_eq!(found["createArtifact"]["artifact"]["id"], json!(id));
    for part in [named("one"), named("two")] {
        alice.send_part(&id, "PATCH", None, &part.files, &part.manifest()).await;
    }
    job.answer("CommitArtifact, of two parts", alice.commit(&id).await);
}

/// Where a version comes from and where it went, and the runs of a project.
async fn trace(job: &mut Job, alice: &Client, version: &str, size: Size) {
    let of_run1 = json!({ "entity": "alpha", "project": "fresh", "run": "run1", "name": "run1", "perPage": 50 });
    for number in 0..=size.others {
        let run = format!("more{number}");
        let input = json!({ "entityName": "alpha", "modelName": "fresh", "name": run, "config": "{\"a\":1}" });
        alice.graphql(&documents::upsert_bucket(), json!({ "input": input })).await.expect_ok();
        let mut made = spec(SMALL, &format!("made {number}"));
        (made.project, made.name, made.run) = ("fresh".into(), format!("made{number}"), Some("run1".into()));
        made.aliases = vec![format!("own{number}")];
        let made = alice.log(&made).await.id;
        for (version, run) in [(version, run.as_str()), (&made, "run1")] {
            let input = json!({ "artifactID": version, "entityName": "alpha", "projectName": "fresh", "runName": run });
            alice.graphql(documents::USE_ARTIFACT, json!({ "input": input })).await.expect_ok();
        }
        let input =
            json!({ "entityName": "alpha", "projectName": "fresh", "runName": "run1", "files": [format!("log/{number}")] });
        let announced = alice.graphql(&documents::create_run_files(), json!({ "input": input })).await.ok();
        let url = announced["createRunFiles"]["files"][0]["uploadUrl"].as_str().unwrap();
        assert_eq!(alice.put(url, "a log").await, 200);
    }
    let count = |list: &Value, wanted: usize| assert_eq!(list["edges"].as_array().unwrap().len(), wanted);
    let id = json!({ "id": version, "artifactID": version });
    job.ask(alice, "FetchLinkedArtifacts", documents::LINKED_ARTIFACTS, id.clone()).await;
    let found = job.ask(alice, "ArtifactUsedBy", &documents::used_by(), id.clone()).await;
    count(&found["artifact"]["usedBy"], size.others + 1);
    job.ask(alice, "ArtifactCreatedBy", &documents::created_by(), id.clone()).await;
    for (operation, field) in [("RunInputArtifacts", "inputArtifacts"), ("RunOutputArtifacts", "outputArtifacts")] {
        let found = job.ask(alice, operation, &documents::run_artifacts(field), of_run1.clone()).await;
        count(&found["project"]["run"]["artifacts"], size.others + 1);
    }
    job.ask(alice, "Run", &documents::run(), of_run1.clone()).await;
    let found = job.ask(alice, "Runs", &documents::runs(), json!({ "entity": "alpha", "project": "fresh" })).await;
    count(&found["project"]["runs"], size.others + 2);
    let found = job.ask(alice, "RunFiles", &documents::run_files(), of_run1).await;
    count(&found["project"]["run"]["files"], size.others + 2);
    let listed = alice.graphql(documents::FETCH_MANIFEST, id.clone()).await.ok();
    let url = listed["artifact"]["currentManifest"]["file"]["directUrl"].as_str().unwrap();
    let manifest: Value = serde_json::from_slice(&alice.get(url, &[]).await.2).unwrap();
    let entries: Vec<Value> = manifest["contents"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, entry)| json!({ "name": name, "digest": entry["digest"] }))
        .collect();
    let asked = json!({ "id": version, "entries": entries, "storageLayout": "V2", "manifestVersion": "1" });
    let found = job.ask(alice, "ArtifactFileURLsByManifestEntries", documents::FILES_BY_ENTRIES, asked).await;
    count(&found["artifact"]["filesByManifestEntries"], size.files);
}

/// What becomes of versions and collections, all of it gone at last.
async fn change(job: &mut Job, alice: &Client, size: Size) {
    let (mut versions, mut line) = (Vec::new(), Value::Null);
    for number in 0..=size.others + 1 {
        let mut spec = spec(size, &format!("passing {number}"));
        spec.name = "passing".to_owned();
        spec.aliases = vec![format!("own{number}")];
        let version = alice.log(&spec).await.id;
        let linked = alice.link(&version, "acme", "registry0", "Passing", &["one", &format!("own{number}")]).await.ok();
        line = linked["linkArtifact"]["artifactMembership"].clone();
        versions.push(version);
    }
    let found = alice.graphql(&documents::artifact_by_id(), json!({ "id": versions[0] })).await.ok();
    let sequence = found["artifact"]["artifactSequence"]["id"].clone();
    let place = "query($p: String!) { project(entityName: \"acme\", name: $p) { artifactCollection(name: \"Passing\") { id } } }";
    let found = alice.graphql(place, json!({ "p": "wandb-registry-registry0" })).await.ok();
    let portfolio = found["project"]["artifactCollection"]["id"].clone();
    assert_eq!(line["artifactCollection"]["name"], "Passing");
    let (first, second) = (&versions[0], &versions[1]);
    let many: Vec<String> = (0..=size.others).map(|number| format!("name{number}")).collect();
    let place = json!({ "entityName": "acme", "projectName": "wandb-registry-registry0", "artifactCollectionName": "Passing" });
    let with = |more: Value| {
        let mut all = place.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let aliases: Vec<Value> = many.iter().map(|alias| with(json!({ "alias": alias }))).collect();
    let tags: Vec<Value> = many.iter().map(|tag| json!({ "tagName": tag })).collect();
    let tagged = with(json!({ "tags": tags }));
    let steps = [
        ("AddAliases", "addAliases", json!({ "artifactID": first, "aliases": aliases })),
        ("AddAliases, moved", "addAliases", json!({ "artifactID": second, "aliases": aliases })),
        ("DeleteAliases", "deleteAliases", json!({ "artifactID": second, "aliases": aliases })),
        ("UpdateArtifact", "updateArtifact", json!({ "artifactID": first, "description": "new", "tagsToAdd": tags })),
        ("UpdateArtifact, again", "updateArtifact", json!({ "artifactID": first, "description": "new" })),
        ("AddArtifactCollectionTags", "createArtifactCollectionTagAssignments", tagged.clone()),
        ("DeleteArtifactCollectionTags", "deleteArtifactCollectionTagAssignments", tagged),
        (
            "UpdateArtifactPortfolio",
            "updateArtifactPortfolio",
            json!({ "artifactPortfolioID": portfolio, "name": "Passed", "description": "new" }),
        ),
        ("UpdateArtifactSequence", "updateArtifactSequence", json!({ "artifactSequenceID": sequence, "name": "passed" })),
        ("UnlinkArtifact", "unlinkArtifact", json!({ "artifactID": first, "artifactPortfolioID": portfolio })),
        ("DeleteArtifact", "deleteArtifact", json!({ "artifactID": second, "deleteAliases": true })),
        ("DeleteArtifactPortfolio", "deleteArtifactPortfolio", json!({ "artifactPortfolioID": portfolio })),
        (
            "UpdateArtifactSequenceType",
            "moveArtifactSequence",
            json!({ "artifactSequenceID": sequence, "destinationArtifactTypeName": "other" }),
        ),
        ("DeleteArtifactSequence", "deleteArtifactSequence", json!({ "artifactSequenceID": sequence })),
    ];
    for (operation, field, input) in steps {
        job.ask(alice, operation, &documents::change(field), json!({ "input": input })).await;
    }
}

/// The table as a person reads it: an operation, how many statements it takes, and below it which, by name.
fn rendered(table: &Table) -> String {
    let mut text = "The SQL statements of the SDK's requests, the same for 1 and for 300 files. A commit takes one more manifests::stage \
        (or\nmanifests::stage_part) for each 1,000 entries of a manifest, one more merging::page for each 1,000 of a merged one, and one more\n\
        blobs::blob with its manifests::stage_part for each part.\n\n"
        .to_owned();
    for (operation, statements) in table {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for statement in statements {
            *counts.entry(statement).or_default() += 1;
        }
        let names: Vec<String> = counts
            .iter()
            .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{name} × {count}") })
            .collect();
        writeln!(text, "{operation:<44}{:>3}", statements.len()).unwrap();
        let mut line = String::from("   ");
        for name in names {
            if line.len() + name.len() > 118 {
                writeln!(text, "{line}").unwrap();
                line = String::from("   ");
            }
            write!(line, " {name}").unwrap();
        }
        writeln!(text, "{line}").unwrap();
    }
    text
}

/// What differs between two tables, in words.
fn differences(one: &Table, other: &Table) -> String {
    let mut text = String::new();
    for ((operation, before), (_, after)) in one.iter().zip(other).filter(|((_, before), (_, after))| before != after) {
        let more = rest(after, before);
        let fewer = rest(before, after);
        writeln!(text, "{operation}: {} became {}; more: {more:?}, fewer: {fewer:?}", before.len(), after.len()).unwrap();
    }
    text
}

/// What is left of a list when another was taken away.
fn rest(from: &[String], taken: &[String]) -> Vec<String> {
    let mut taken = taken.to_vec();
    from.iter()
        .filter(|name| match taken.iter().position(|other| other == *name) {
            Some(at) => {
                taken.swap_remove(at);
                false
            }
            None => true,
        })
        .cloned()
        .collect()
}

#[tokio::test]
async fn the_main_job_takes_as_many_statements_for_300_files_as_for_one() {
    let checked_in = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doors/statements.txt");
    let expected = std::fs::read_to_string(checked_in).unwrap_or_default();
    let (small, large) = (main_job(SMALL).await, main_job(LARGE).await);
    let operations = |table: &Table| table.iter().map(|(operation, _)| operation.clone()).collect::<Vec<_>>();
    assert_eq!(operations(&small), operations(&large));
    let table = rendered(&small);
    println!("{table}");
    let grown = differences(&small, &large);
    assert!(grown.is_empty(), "statements that grow with files or lists:\n{grown}");
    if table != expected {
        let found = concat!(env!("CARGO_TARGET_TMPDIR"), "/statements.txt");
        std::fs::write(found, &table).unwrap();
        panic!(
            "the statements are not those of {checked_in}. Look with `diff {checked_in} {found}`; if they shall be so, `cp \
                {found} {checked_in}`."
        );
    }
}

/// A commit takes as many statements for 2,500 entries as for one, but for the pieces in which they are staged and read again, and
/// as many for five parts as for one, but for what stages each.
#[tokio::test]
async fn a_commit_grows_by_pieces_of_1000_entries_alone() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.graphql("{ __typename }", json!({})).await.expect_ok();
    let of = |name: &str, from: usize, to: usize| VersionSpec {
        files: Vec::new(),
        references: (from..to).map(|n| (format!("{n:05}"), format!("s3://bucket/{n}"))).collect(),
        ..VersionSpec::model("alpha", name, b"")
    };
    // The base of its collection is there, so that every commit is of a next version.
    let commit = async |kind: &str, base: Option<&str>, parts: &[VersionSpec]| {
        let id = uuid::Uuid::new_v4().to_string();
        let begun = match kind {
            "PATCH" => alice.create_shared(&parts[0], &id, &id).await,
            _ => alice.create_version(&parts[0], &id).await,
        };
        let id = begun.ok()["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
        for part in parts {
            alice.send_part(&id, kind, base, &[], &part.manifest()).await;
        }
        let answer = alice.commit(&id).await;
        let statements = names(&answer.statements);
        answer.expect_ok();
        (id, statements)
    };
    let (short, _) = commit("FULL", None, &[of("net", 0, 1)]).await;
    let (_, few) = commit("FULL", None, &[of("net", 0, 2)]).await;
    let (long, many) = commit("FULL", None, &[of("net", 0, 2500)]).await;
    assert_eq!((rest(&many, &few), rest(&few, &many)), (vec!["manifests::stage".to_owned(); 2], vec![]));
    // The base's entries are staged, too, and what is merged is read again in pages.
    let (_, few) = commit("INCREMENTAL", Some(&short), &[of("net", 3000, 3001)]).await;
    let (_, many) = commit("INCREMENTAL", Some(&long), &[of("net", 3000, 4500)]).await;
    let stage_part = || "manifests::stage_part".to_owned();
    let pieces = |count: usize| vec![stage_part(); count];
    let pages = |count: usize| vec!["merging::page".to_owned(); count];
    assert_eq!((rest(&many, &few), rest(&few, &many)), ([pieces(3), pages(3)].concat(), vec![]));
    let (_, few) = commit("PATCH", None, &[of("net", 5000, 5001)]).await;
    let parts: Vec<VersionSpec> = (0..5).map(|part| of("net", 5000 + 700 * part, 5700 + 700 * part)).collect();
    let (_, many) = commit("PATCH", None, &parts).await;
    let blobs = vec!["blobs::blob".to_owned(); 4];
    assert_eq!((rest(&many, &few), rest(&few, &many)), ([blobs, pieces(4), pages(3)].concat(), vec![]));
}

/// The ways in which the SDK and our own side resolve `ORG/registry/collection:alias`, with everything that one row can tell;
/// and what the registry's name begins with there.
const ADDRESSES: [(&str, &str); 4] = [
    (
        "wandb-registry-",
        "query($name: String!) { project(entityName: \"acme\", name: $name) { artifact(name: \"Net:staging\") { id digest state size \
         fileCount metadata versionIndex artifactType { name } } } }",
    ),
    (
        "wandb-registry-",
        "query($name: String!) { project(entityName: \"acme\", name: $name) { artifactCollectionMembership(name: \"Net:v0\") { id \
         versionIndex artifactCollection { name project { name } } artifact { id digest } } } }",
    ),
    (
        "wandb-registry-",
        "query($name: String!) { project(entityName: \"acme\", name: $name) { artifactCollection(name: \"Net\") { name \
         artifactMembership(aliasName: \"staging\") { ...F } } } } fragment F on ArtifactCollectionMembership { artifact { id digest } }",
    ),
    (
        "",
        "query($name: String!) { registry(organization: \"acme\", name: $name) { name yourRole collection(name: \"Net\") { name \
         typeName link(alias: \"staging\") { index collection { name } version { digest metadata } } } } }",
    ),
];

/// What nearly every request asks, and arguments for it. It joins so many tables that planning takes ten times as long as running.
const ASKED_MOST: [(&str, &str); 3] = [
    ("versions::versions", "1, array[1]"),
    ("access::projects", "1, array[1]"),
    ("access::at", "1, 'alpha', 'project', 'demo', 'net', 'latest', null"),
];

#[tokio::test]
async fn what_is_asked_most_is_planned_for_a_connection_and_not_for_each_request() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"bytes")).await.id;
    let twin = server.explaining().await;
    let alice = alice.at(&twin.url);
    let by_number = alice.graphql("query($id: ID!) { version(id: $id) { source } }", json!({ "id": version })).await;
    let by_name = alice.graphql(ADDRESSES[0].1, json!({ "name": "wandb-registry-none" })).await;
    let plans = [by_number.plans, by_name.plans].concat();
    for (name, arguments) in ASKED_MOST {
        let mut texts = plans.iter().map(|plan| plan["Query Text"].as_str().unwrap());
        let text = texts.find(|text| text.split_whitespace().nth(1) == Some(name)).expect(name);
        // PostgreSQL plans a statement five times before it may settle for one plan.
        let execute = format!("execute asked ({arguments}); ").repeat(7);
        server
            .sql(&format!(
                "prepare asked as {text}; {execute}
                 do $$ declare settled int := (select generic_plans from pg_prepared_statements where name = 'asked'); begin
                    assert settled = 2, format('{name} took the plan that was there %s times of 7', settled);
                 end $$;"
            ))
            .await;
    }
}

#[tokio::test]
async fn an_address_and_the_right_to_it_take_one_statement() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"bytes")).await.id;
    for (registry, visibility) in [("open", "ORGANIZATION"), ("closed", "RESTRICTED")] {
        alice.make_registry("acme", registry, visibility).await;
        alice.link(&version, "acme", registry, "Net", &["staging"]).await.expect_ok();
    }
    for client in [&alice, &bob, &carol] {
        // The first use of a key is noted, with a statement of its own.
        client.graphql("{ __typename }", json!({})).await.expect_ok();
    }
    for (prefix, document) in ADDRESSES {
        let ask = async |client: &Client, registry: &str| {
            let answer = client.graphql(document, json!({ "name": format!("{prefix}{registry}") })).await;
            let statements = names(&answer.statements);
            (answer.ok().to_string().contains("\"digest\":\""), statements)
        };
        let mut one = vec!["access::at".to_owned(), "accounts::authenticate".to_owned()];
        if document.contains("metadata") {
            // It may be long, so it doesn't come along unasked.
            one.push("versions::metadata".to_owned());
        }
        // Alice made both, bob is in the organization.
        assert_eq!(ask(&alice, "closed").await, (true, one.clone()), "{document}");
        assert_eq!(ask(&bob, "open").await, (true, one), "{document}");
        // What is hidden is as what never was.
        let absent = ask(&bob, "none").await;
        assert!(!absent.0 && absent.1.contains(&"access::at".to_owned()), "{absent:?}");
        assert_eq!(ask(&bob, "closed").await, absent, "{document}");
        assert!(!ask(&carol, "open").await.0);
    }
}

/// Registries with collections with links, each version in all of them: so many of each, and one long collection.
async fn library(each: usize, long: usize) -> (Server, Client, Client, String) {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let admin = server.admin().await;
    let mut versions = Vec::new();
    for number in 0..each {
        let mut spec = VersionSpec::model("alpha", "net", format!("{number}").as_bytes());
        spec.files.extend((0..each).map(|file| (format!("file{file}"), format!("{number} {file}").into_bytes())));
        versions.push(alice.log(&spec).await.id);
        server.user(&format!("user{number}")).await;
        server.join("acme", &format!("user{number}"), OrganizationRole::Member).await;
        server.join_team("alpha", &format!("user{number}"), TeamRole::Member).await;
        server.team("acme", &format!("team{number}"), &format!("user{number}")).await;
        let other = server.organization(&format!("org{number}"), "alice").await;
        server.join(&other, &format!("user{number}"), OrganizationRole::Member).await;
        alice.make_registry(&other, "model", "ORGANIZATION").await;
        alice.make_registry("acme", &format!("registry{number}"), "ORGANIZATION").await;
    }
    for registry in 0..each {
        for collection in 0..each {
            for version in &versions {
                let aliases = ["production", &format!("alias{collection}")];
                alice
                    .link(version, "acme", &format!("registry{registry}"), &format!("Line {collection}"), &aliases)
                    .await
                    .expect_ok();
            }
        }
    }
    for number in 0..long {
        let version = alice.log(&VersionSpec::model("alpha", "long", format!("{number}").as_bytes())).await.id;
        alice.link(&version, "acme", "registry0", "Long", &[]).await.expect_ok();
    }
    for client in [&alice, &admin] {
        client.graphql("{ __typename }", json!({})).await.expect_ok();
    }
    (server, alice, admin, versions.pop().unwrap())
}

/// Lists in lists of our own side, and the lists of the wire's. Each is asked of a server with two of everything and of one
/// with five, and with 60 links in one collection.
const NESTED: [Listing; 8] = [
    (
        "a long list",
        "{ registry(organization: \"acme\", name: \"registry0\") { collection(name: \"Long\") { links(first: 100) { nodes { \
            index aliases \
         collection { name registry { name } } version { digest source links { index aliases } } } } } } }",
    ),
    (
        "registries, collections, links, versions, aliases",
        "{ organization(name: \"acme\") { registries(first: 9) { nodes { name types yourRole organization { name } \
            collections(first: 9) { nodes { name registry { name } \
         latest { index aliases } links(first: 9) { nodes { index aliases collection { name } version { digest source metadata \
         } } } } } } } } }",
    ),
    (
        "links of each version",
        "{ organization(name: \"acme\") { registry(name: \"registry0\") { collection(name: \"Line 0\") { links(first: 9) { \
            nodes { version { links { index \
         aliases collection { name registry { name } } } } } } } } } }",
    ),
    (
        "links of one version",
        "query($id: ID!) { version(id: $id) { links { index collection { name registry { name } } } files(first: 9) { nodes { \
            path } } } }",
    ),
    (
        "aliases of one artifact",
        "query($id: ID!) { artifact(id: $id) { aliases { alias artifactCollection { name project { name } } } artifactSequence \
            { name } } }",
    ),
    (
        "members, their teams and organizations",
        "{ organization(name: \"acme\") { members(first: 9) { nodes { role user { name organizations { name } teams(first: 9) { \
            nodes { name organization { name } \
         members(first: 9) { nodes { role user { name } } } } } } } } teams(first: 9) { nodes { name members(first: 9) { nodes \
         { user { name } } } } } } }",
    ),
    (
        "users and their keys",
        "{ users(first: 9) { nodes { name apiKeys(first: 9) { nodes { name } } teams(first: 9) { nodes { name } } organizations \
            { name members(first: 9) { nodes { role } } } } } }",
    ),
    (
        "teams",
        "{ teams(first: 9) { nodes { name organization { name teams(first: 9) { nodes { name } } } members(first: 9) { nodes { \
            role user { defaultEntity } } } } } }",
    ),
];

/// What is asked of each row of a list by a name, or as a list of the row's own.
const OF_EACH_ROW: [Listing; 5] = [
    (
        "organizations and their registries",
        "{ organizations(first: 9) { nodes { name registries(first: 9) { nodes { name types } } } } }",
    ),
    (
        "a registry of each organization by name",
        "{ organizations(first: 9) { nodes { name registry(name: \"model\") { name types } } } }",
    ),
    (
        "a link of each collection by alias",
        "{ organization(name: \"acme\") { registries(first: 9) { nodes { collections(first: 9) { nodes { name link(alias: \
            \"production\") { index } } } } } } }",
    ),
    (
        "a collection of each registry by name",
        "{ organization(name: \"acme\") { registries(first: 9) { nodes { collection(name: \"Line 0\") { latest { index } } } } \
            } }",
    ),
    (
        "files of each version",
        "{ organization(name: \"acme\") { registry(name: \"registry0\") { collections(first: 9) { nodes { links(first: 9) { \
            nodes { version { files(first: 9) { nodes { \
         path size downloadUrl } } } } } } } } } }",
    ),
];

/// Lists in lists of the wire's, each with its count.
const ON_THE_WIRE: [Listing; 5] = [
    (
        "projects, their collections, the versions in them",
        "{ entity(name: \"acme\") { projects(first: 9) { edges { node { name artifactCollections(first: 9) { totalCount edges { \
            node { name artifacts(first: 9) { totalCount edges { version node { digest } } } } } } } } } } }",
    ),
    (
        "filtered, in an order",
        "{ entity(name: \"acme\") { projects(first: 9, order: \"-created_at\") { edges { node { artifactCollections(first: 9, \
            order: \"name\", filters: \"{\\\"name\\\": {\\\"$contains\\\": \\\"line\\\"}}\") { totalCount edges { node { name \
            artifacts(first: 9, order: \"version_index\", filters: \"{\\\"alias\\\": \\\"latest\\\"}\") { totalCount edges { version \
            } } } } } } } } } }",
    ),
    (
        "projects, their types, the collections of each",
        "{ entity(name: \"acme\") { projects(first: 9) { edges { node { name artifactTypes { edges { node { name \
            artifactCollections(first: 9) { totalCount edges { node { name tags { edges { node { name } } } } } } } } } } } } } }",
    ),
    (
        "registries, collections and versions of each organization",
        "{ organizations(first: 9) { nodes { name orgEntity { projects(first: 9) { edges { node { name } } } \
            artifactCollections(first: 9) { totalCount edges { node { name project { name } } } } artifactMemberships(first: 9) { \
            edges { node { versionIndex artifactCollection { name } } } } } } } }",
    ),
    (
        "many lists of each collection",
        "{ entity(name: \"acme\") { artifactCollections(first: 9) { edges { node { name aliases { edges { node { alias } } } \
            old: artifacts(first: 2, order: \"version_index\") { edges { version } } \
            new: artifacts(first: 2) { totalCount edges { version } } \
            none: artifacts(first: 0, filters: \"{\\\"alias\\\": \\\"none\\\"}\") { totalCount } } } } } }",
    ),
];

/// What is listed, and the document.
type Listing = (&'static str, &'static str);

/// Asks for lists of different lengths and says which of them take more statements when they are longer.
async fn growing(listings: &[Listing]) -> String {
    let (_small, small_alice, small_admin, small_version) = library(2, 2).await;
    let (_large, large_alice, large_admin, large_version) = library(5, 60).await;
    let mut grown = String::new();
    for &(what, query) in listings {
        let ask = async |alice: &Client, admin: &Client, version: &str| {
            let client = if what.starts_with("users") { admin } else { alice };
            let answer = client.graphql(query, json!({ "id": version })).await;
            let statements = names(&answer.statements);
            (answer.ok().to_string().len(), statements)
        };
        let (short, few) = ask(&small_alice, &small_admin, &small_version).await;
        let (long, many) = ask(&large_alice, &large_admin, &large_version).await;
        assert!(long > short, "{what}: the longer list isn't longer");
        println!("{what:<60}{:>3}{:>5}", few.len(), many.len());
        if few != many {
            writeln!(grown, "{what}: {} became {}: {:?}", few.len(), many.len(), rest(&many, &few)).unwrap();
        }
    }
    grown
}

#[tokio::test]
async fn nested_lists_take_a_statement_for_each_kind_of_thing() {
    let grown = growing(&NESTED).await;
    assert!(grown.is_empty(), "statements that grow with the length of lists:\n{grown}");
}

#[tokio::test]
async fn what_is_asked_of_each_row_takes_one_statement_for_all() {
    let grown = growing(&OF_EACH_ROW).await;
    assert!(grown.is_empty(), "statements that grow with the length of lists:\n{grown}");
}

#[tokio::test]
async fn lists_in_lists_of_the_wire_take_one_statement_for_all() {
    let grown = growing(&ON_THE_WIRE).await;
    assert!(grown.is_empty(), "statements that grow with the length of lists:\n{grown}");
}

/// Lists of one kind are read one after the other, so a document with a hundred leaves the other connections to others.
#[tokio::test]
async fn a_hundred_lists_take_one_connection() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    alice.log(&spec(SMALL, "first")).await;
    let lists: Vec<String> = (1..=100)
        .map(|number| format!("list{number}: artifactCollections(first: {number}) {{ totalCount edges {{ node {{ name }} }} }}"))
        .collect();
    let query = format!("{{ project(entityName: \"alpha\", name: \"demo\") {{ {} }} }}", lists.join(" "));
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let held =
        "select count(*) from pg_locks where relation = 'collections'::regclass and mode = 'AccessExclusiveLock' and granted";
    // As long as this holds the table, every list that has a connection waits.
    let slow = server.sql("begin; lock table collections in access exclusive mode; select pg_sleep(4); commit");
    let until = async |query: &str| {
        while server.number(query).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let asked = async {
        until(held).await;
        alice.graphql(&query, json!({})).await.ok()
    };
    let looked = async {
        until(waiting).await;
        let mut most = 0;
        for _ in 0..20 {
            most = most.max(server.number(waiting).await);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        bob.graphql("{ viewer { name } }", json!({})).await.expect_ok();
        assert_eq!(server.number(held).await, 1, "bob was answered after the lists");
        most
    };
    let ((), data, most) = tokio::join!(slow, asked, looked);
    assert_eq!(most, 1);
    assert_eq!(data["project"].as_object().unwrap().len(), 100);
    for list in data["project"].as_object().unwrap().values() {
        assert_eq!((&list["totalCount"], &list["edges"][0]["node"]["name"]), (&json!(1), &json!("net")));
    }
}

/// A count is a statement of its own, so it is taken only when it is asked for.
#[tokio::test]
async fn rule_42_counts_are_taken_only_when_asked_for() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.log(&spec(Size { files: 10, others: 0 }, "first")).await;
    let ask = async |fields: &str| {
        let query = format!(
            "{{ project(entityName: \"alpha\", name: \"demo\") {{ artifactCollectionMembership(name: \"net\") {{ \
             files(names: [\"part1\", \"part2\", \"none\"]) {{ {fields} }} }} }} }}"
        );
        let answer = alice.graphql(&query, json!({})).await;
        let statements = names(&answer.statements);
        (answer.ok()["project"]["artifactCollectionMembership"]["files"].clone(), statements)
    };
    ask("edges { cursor }").await;
    let (_, without) = ask("edges { node { name } }").await;
    let (files, with) = ask("totalCount edges { node { name } }").await;
    assert_eq!(files["totalCount"], 2);
    assert_eq!(rest(&with, &without), ["manifests::count_named"]);
}
