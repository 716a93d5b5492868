//! What is refused: with which status (rule 45), in which words, and that nothing has changed then, in any table. What must
//! not live here: who may do what (`access`), and floods (`limits`).

use std::collections::BTreeMap;

use base64::Engine as _;
use chrono::TimeDelta;
use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::OrganizationRole;
use regalia_testkit::{Answer, Client, Reply, Server, VersionSpec, md5_base64, md5_hex};
use serde_json::{Value, json};

/// Bytes of a sentence; it may quote what was sent, but not all of it.
const LONGEST: usize = 1100;

const LINKING: &str = "linking is only allowed within the same team or to a collection in your organization's registry";

const UPSERT: &str = "mutation($input: UpsertModelInput!) { upsertModel(input: $input) { inserted project { id name } } }";
const CREATE: &str = "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state } } }";
const MANIFEST: &str =
    "mutation($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) { artifactManifest { id } } }";
const FILES: &str = "mutation($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { node { \
    uploadUrl artifact { id } } } } } }";
const LINK: &str = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
const RUN: &str = "mutation($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted bucket { name } } }";
const RUN_FILES: &str =
    "mutation($input: CreateRunFilesInput!) { createRunFiles(input: $input) { runID files { name uploadUrl } } }";
const USE: &str = "mutation($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id } } }";
const REGISTRY_CREATE: &str = "mutation($input: RegistryCreateInput!) { registryCreate(input: $input) { registry { id } } }";
const REGISTRY_UPDATE: &str = "mutation($input: RegistryUpdateInput!) { registryUpdate(input: $input) { registry { id } } }";
const VERSION_LINK: &str = "mutation($input: VersionLinkInput!) { versionLink(input: $input) { link { index aliases } } }";
const VERSION_BEGIN: &str =
    "mutation($input: VersionBeginInput!) { versionBegin(input: $input) { version { id } uploads { url } } }";

/// Tables as they were; what is refused must leave them so.
struct Unchanged<'s> {
    server: &'s Server,
    rows: BTreeMap<String, String>,
}

impl<'s> Unchanged<'s> {
    async fn since_now(server: &'s Server) -> Self {
        Self { server, rows: server.everything().await }
    }

    /// Fails if any table changed.
    async fn check(&mut self, what: &str) {
        let rows = self.server.everything().await;
        let changed: Vec<_> = rows.iter().filter(|(table, rows)| self.rows.get(*table) != Some(rows)).collect();
        assert!(changed.is_empty(), "{what} changed {changed:?}; before: {:?}", self.rows);
        assert_eq!(self.server.objects().1, Vec::<String>::new(), "{what} left something in staging");
    }

    /// Fails unless an operation of the W&B protocol was refused with this status, these words, and nothing changed.
    async fn wire(&mut self, what: &str, answer: Answer, status: u16, words: &[&str]) {
        assert_eq!(answer.status, status, "{what}: {} {}", answer.data, answer.message());
        self.refused(what, &answer, code_of(status), words).await;
    }

    /// The same for an operation of our own side, which answers 200 and a code (rule 45).
    async fn ours(&mut self, what: &str, answer: Answer, code: &str, words: &[&str]) {
        assert_eq!(answer.status, 200, "{what}: {} {}", answer.data, answer.message());
        self.refused(what, &answer, code, words).await;
    }

    async fn refused(&mut self, what: &str, answer: &Answer, code: &str, words: &[&str]) {
        assert_eq!(answer.code(), code, "{what}: {} {}", answer.data, answer.message());
        sentence(what, answer.message(), words);
        self.check(what).await;
    }

    /// The same for a route that isn't GraphQL.
    async fn route(&mut self, what: &str, reply: Reply, status: u16, words: &[&str]) {
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        sentence(what, &reply.message(), words);
        self.check(what).await;
    }
}

fn code_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        409 => "CONFLICT",
        413 => "TOO_LARGE",
        _ => "INVALID",
    }
}

/// A sentence that a person understands: whole, not too long, with what matters in it.
fn sentence(what: &str, message: &str, words: &[&str]) {
    let whole = message.contains(' ') && message.ends_with(['.', '…']) && message.len() < LONGEST;
    assert!(whole, "{what} is told as ({} bytes): {message:.300}", message.len());
    for word in words {
        assert!(message.contains(word), "{what} doesn't say {word:?}: {message}");
    }
}

fn text(n: usize, c: char) -> String {
    std::iter::repeat_n(c, n).collect()
}

fn aliases(collection: &str, names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "artifactCollectionName": collection, "alias": name })).collect()
}

/// A version's input for `createArtifact`, to be spoilt in one place.
fn create(entity: &str, project: &str, collection: &str) -> Value {
    json!({ "entityName": entity, "projectName": project, "artifactTypeName": "model", "artifactCollectionName": collection,
        "digest": md5_hex(b""), "digestAlgorithm": "MANIFEST_MD5" })
}

fn link(version: &str, organization: &str, project: &str, collection: &str) -> Value {
    json!({ "artifactID": version, "entityName": organization, "projectName": project, "artifactPortfolioName": collection })
}

/// An object with some of its fields replaced.
fn with(mut object: Value, fields: Value) -> Value {
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object
}

async fn input(client: &Client, document: &str, input: Value) -> Answer {
    client.graphql(document, json!({ "input": input })).await
}

/// No key, or none that opens anything: 401 on every door, in the same words for all that could be a key, and nothing is
/// done before.
#[tokio::test]
async fn keys_that_open_nothing() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    let mut unchanged = Unchanged::since_now(&server).await;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let unknown = "0123456789abcdef0123456789abcdef01234567";
    let by_key = format!("/artifactsV2/default/alpha/demo/net/{version}/{version}/{}/model.txt", md5_hex(b"1"));
    let mut told = Vec::new();
    for header in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Bearer {unknown}")),
        Some("Bearer short".to_owned()),
        Some(format!("Bearer {}", text(10_000, 'a'))),
        Some(format!("Bearer {}x", alice.key())),
        Some(format!("Bearer {}", &alice.key()[1..])),
        Some(format!("Bearer {}", alice.key().to_uppercase().replace(char::is_numeric, "A"))),
        Some(format!("Basic {}", base64(&format!("api:{unknown}")))),
        Some(format!("Basic {}", base64(&format!("{}:", alice.key())))),
        Some(format!("Basic {}", base64(alice.key()))),
        Some(format!("Basic {}", base64("api:\0"))),
        Some("Basic not base64!".to_owned()),
        Some("Basic /w==".to_owned()),
        Some(format!("Digest {}", alice.key())),
        Some(alice.key().to_owned()),
    ] {
        let what = header.as_deref().map_or("no header".to_owned(), |header| format!("{header:.60}"));
        for (method, path, body) in [
            ("POST", "/graphql", json!({ "query": "{ viewer { name } }" }).to_string()),
            (
                "POST",
                "/graphql",
                json!({ "query": UPSERT, "variables": { "input": { "entityName": "acme", "name": "wandb-registry-r" } } })
                    .to_string(),
            ),
            ("POST", "/files/alpha/demo/run1/file_stream", "{}".to_owned()),
            ("GET", by_key.as_str(), String::new()),
        ] {
            let reply = alice
                .request(method, path, |request| {
                    let request = if body.is_empty() {
                        request
                    } else {
                        request.header("content-type", "application/json").body(body.clone())
                    };
                    header.iter().fold(request, |request, header| request.header("authorization", header))
                })
                .await;
            assert!(reply.headers.contains_key("www-authenticate"), "{what}");
            told.push(reply.message());
            unchanged.route(&format!("{what} to {path}"), reply, 401, &["key"]).await;
        }
    }
    told.sort();
    told.dedup();
    assert!(told.len() <= 3, "no key, an unreadable header, a key that opens nothing: {told:#?}");
    // A key stands for its user in either scheme, whatever the user's name in front of it.
    for header in [format!("bearer {}", alice.key()), format!("BASIC {}", base64(&format!("anybody:{}", alice.key())))] {
        let body = json!({ "query": "{ viewer { name } }" }).to_string();
        let reply = alice
            .request("POST", "/graphql", |request| {
                request.header("authorization", &header).header("content-type", "application/json").body(body)
            })
            .await;
        assert_eq!(serde_json::from_slice::<Value>(&reply.body).unwrap()["data"]["viewer"]["name"], "alice");
    }
}

/// Targets that aren't there, that don't fit, or that this version of the server doesn't serve.
#[tokio::test]
async fn what_is_not_there_or_does_not_fit() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    let mut data = VersionSpec::model("alpha", "data", b"2");
    data.type_name = "dataset".to_owned();
    let data = alice.log(&data).await.id;
    let pending = alice.begin(&VersionSpec::model("alpha", "net", b"3")).await.id;
    let personal = alice.log(&VersionSpec::model("alice", "own", b"4")).await.id;
    server.organization("elsewhere", "alice").await;
    server.team("elsewhere", "beta", "alice").await;
    let foreign = alice.log(&VersionSpec::model("beta", "net", b"5")).await.id;
    alice.make_registry("acme", "any", "ORGANIZATION").await;
    alice.make_registry("acme", "gone", "RESTRICTED").await;
    let only_models = json!({ "organization": "acme", "name": "models", "types": ["model"] });
    input(&alice, REGISTRY_CREATE, only_models).await.expect_ok();
    alice.link(&version, "acme", "any", "Models", &[]).await.expect_ok();
    server.join("acme", "carol", OrganizationRole::Viewer).await;
    let absent = encode_id("Artifact", 999_999);
    let mut unchanged = Unchanged::since_now(&server).await;

    // Organizations, registries, collections, versions that aren't there.
    let of = |organization: &str| json!({ "entityName": organization, "name": "wandb-registry-r" });
    unchanged.wire("an unknown organization", input(&alice, UPSERT, of("acne")).await, 404, &["acne"]).await;
    let of = json!({ "organization": "acne", "name": "r" });
    unchanged.ours("an unknown organization", input(&alice, REGISTRY_CREATE, of).await, "NOT_FOUND", &["acne"]).await;
    for (what, target, status, words) in [
        ("an unknown organization", link(&version, "acne", "wandb-registry-any", "C"), 404, vec!["acne"]),
        ("a team as the organization", link(&version, "alpha", "wandb-registry-any", "C"), 404, vec!["alpha"]),
        ("an unknown registry", link(&version, "acme", "wandb-registry-none", "C"), 404, vec!["none", "acme"]),
        ("a twin of a registry's name", link(&version, "acme", "wandb-registry-ANY", "C"), 404, vec!["ANY"]),
        ("an unknown version", link(&absent, "acme", "wandb-registry-any", "C"), 404, vec!["version"]),
        ("an ordinary project", link(&version, "alpha", "demo", "C"), 400, vec![LINKING]),
        ("an ordinary project of the organization", link(&version, "acme", "demo", "C"), 400, vec![LINKING]),
        ("a pending version", link(&pending, "acme", "wandb-registry-any", "C"), 409, vec!["not committed"]),
        ("a personal version", link(&personal, "acme", "wandb-registry-any", "C"), 400, vec![LINKING, "alice"]),
        ("a version of another organization", link(&foreign, "acme", "wandb-registry-any", "C"), 400, vec![LINKING, "beta"]),
        ("a type that isn't allowed", link(&data, "acme", "wandb-registry-models", "C"), 400, vec!["dataset", "models", "model"]),
        (
            "a collection of another type",
            link(&data, "acme", "wandb-registry-any", "Models"),
            409,
            vec!["Models", "model", "dataset"],
        ),
        (
            "neither a version nor a client's id",
            with(link(&version, "acme", "wandb-registry-any", "C"), json!({ "artifactID": null })),
            400,
            vec!["artifactID"],
        ),
        (
            "a client's id that nobody has",
            with(link(&version, "acme", "wandb-registry-any", "C"), json!({ "artifactID": null, "clientID": "unknown" })),
            404,
            vec!["version"],
        ),
        (
            "an alias of another collection",
            with(link(&version, "acme", "wandb-registry-any", "Models"), json!({ "aliases": aliases("Other", &["a"]) })),
            400,
            vec!["Other", "Models"],
        ),
    ] {
        unchanged.wire(what, input(&alice, LINK, target.clone()).await, status, &words).await;
        // By our own side the same in the same words.
        if let (Some(id), Some(entity)) = (target["artifactID"].as_str(), target["entityName"].as_str()) {
            let path = format!(
                "{entity}/{}/{}",
                target["projectName"].as_str().unwrap(),
                target["artifactPortfolioName"].as_str().unwrap()
            );
            if target["aliases"].is_null() {
                let ours = input(&alice, VERSION_LINK, json!({ "version": id, "target": path })).await;
                unchanged.ours(what, ours, code_of(status), &words).await;
            }
        }
    }
    for target in [
        "",
        "C",
        "demo/C",
        "alpha/demo/C",
        "a/b/c/d",
        "/wandb-registry-any/C",
        "acme/wandb-registry-any",
        "acme/wandb-registry-any/",
    ] {
        let refused = input(&alice, VERSION_LINK, json!({ "version": version, "target": target })).await;
        unchanged.ours(&format!("the target {target:?}"), refused, "INVALID", &[]).await;
    }

    // Where one can't log, and what can't be logged there.
    for (client, what, spoilt, status, words) in [
        (&alice, "an organization's own entity", create("acme", "demo", "net"), 400, vec!["organization", "team"]),
        (&alice, "an unknown entity", create("acne", "demo", "net"), 404, vec!["acne"]),
        (&alice, "somebody else's own entity", create("bob", "demo", "net"), 403, vec!["bob"]),
        (&bob, "a team that bob isn't in", create("alpha", "new", "net"), 403, vec!["alpha"]),
        (&carol, "a team of which carol has a seat", create("alpha", "new", "net"), 403, vec!["alpha"]),
        (
            &alice,
            "another type",
            with(create("alpha", "demo", "net"), json!({ "artifactTypeName": "dataset" })),
            409,
            vec!["net", "model", "dataset"],
        ),
        (&alice, "an unknown run", with(create("alpha", "demo", "net"), json!({ "runName": "none" })), 404, vec!["none"]),
        (&alice, "tags", with(create("alpha", "demo", "net"), json!({ "tags": [{ "tagName": "t" }] })), 400, vec!["Tags"]),
        (&alice, "an expiry", with(create("alpha", "demo", "net"), json!({ "ttlDurationSeconds": 60 })), 400, vec!["expiry"]),
        (
            &alice,
            "no expiry at all",
            with(create("alpha", "demo", "net"), json!({ "ttlDurationSeconds": 0 })),
            400,
            vec!["expiry"],
        ),
        (
            &alice,
            "several processes",
            with(create("alpha", "demo", "net"), json!({ "distributedID": "x" })),
            400,
            vec!["several processes"],
        ),
        (
            &alice,
            "another region",
            with(create("alpha", "demo", "net"), json!({ "storageRegion": "coreweave-us" })),
            400,
            vec!["coreweave-us"],
        ),
        (
            &alice,
            "no collection",
            with(create("alpha", "demo", "net"), json!({ "artifactCollectionName": null })),
            400,
            vec!["artifactCollectionName"],
        ),
        (
            &alice,
            "two collections",
            with(create("alpha", "demo", "net"), json!({ "artifactCollectionNames": ["net", "other"] })),
            400,
            vec!["one collection"],
        ),
        (&alice, "a digest that is none", with(create("alpha", "demo", "net"), json!({ "digest": "xyz" })), 400, vec!["digest"]),
        (&alice, "no digest", with(create("alpha", "demo", "net"), json!({ "digest": "" })), 400, vec!["digest"]),
        (
            &alice,
            "a digest in base64",
            with(create("alpha", "demo", "net"), json!({ "digest": md5_base64(b"") })),
            400,
            vec!["digest"],
        ),
        (
            &alice,
            "metadata that is no JSON",
            with(create("alpha", "demo", "net"), json!({ "metadata": "{" })),
            400,
            vec!["etadata"],
        ),
        (
            &alice,
            "metadata that is a list",
            with(create("alpha", "demo", "net"), json!({ "metadata": "[1]" })),
            400,
            vec!["etadata"],
        ),
        (
            &alice,
            "metadata with NaN",
            with(create("alpha", "demo", "net"), json!({ "metadata": "{\"a\": NaN}" })),
            400,
            vec!["etadata"],
        ),
        (
            &alice,
            "metadata with NUL",
            with(create("alpha", "demo", "net"), json!({ "metadata": "{\"a\": \"\\u0000\"}" })),
            400,
            vec!["etadata"],
        ),
        (
            &alice,
            "metadata with half a pair",
            with(create("alpha", "demo", "net"), json!({ "metadata": "{\"a\": \"\\ud800\"}" })),
            400,
            vec!["etadata"],
        ),
        (
            &alice,
            "metadata with 101 keys",
            with(
                create("alpha", "demo", "net"),
                json!({ "metadata": Value::Object((0..101).map(|i| (i.to_string(), json!(i))).collect()).to_string() }),
            ),
            400,
            vec!["100"],
        ),
        (
            &alice,
            "metadata 65 levels deep",
            with(create("alpha", "demo", "net"), json!({ "metadata": format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65)) })),
            400,
            vec!["64"],
        ),
        (
            &alice,
            "metadata of more than 1 MiB",
            with(create("alpha", "demo", "net"), json!({ "metadata": json!({ "a": text(1024 * 1024, 'a') }).to_string() })),
            400,
            vec!["etadata"],
        ),
        (
            &alice,
            "a client's id that is too long",
            with(create("alpha", "demo", "net"), json!({ "clientID": text(257, 'a') })),
            400,
            vec!["clientID"],
        ),
        (&alice, "an empty client's id", with(create("alpha", "demo", "net"), json!({ "clientID": "" })), 400, vec!["clientID"]),
    ] {
        unchanged.wire(what, input(client, CREATE, spoilt).await, status, &words).await;
    }
    alice.create_version(&VersionSpec::model("alpha", "net", b"7"), "alice's own").await.expect_ok();
    let mut unchanged = Unchanged::since_now(&server).await;
    let taken = with(create("alpha", "demo", "net"), json!({ "clientID": "alice's own" }));
    unchanged.wire("a client's id of another version", input(&alice, CREATE, taken).await, 409, &["clientID"]).await;
    // Somebody else's client's id is nobody's.
    let theirs =
        with(link(&version, "acme", "wandb-registry-any", "C"), json!({ "artifactID": null, "clientID": "alice's own" }));
    unchanged.wire("somebody else's client's id", input(&bob, LINK, theirs).await, 404, &["version"]).await;

    // Manifests and files.
    let manifest = |fields: Value| {
        with(
            json!({ "artifactID": pending, "name": "wandb_manifest.json", "digest": "", "entityName": "alpha", "projectName": "demo",
                "runName": "", "type": "FULL" }),
            fields,
        )
    };
    for (what, fields, status, words) in [
        ("an incremental manifest", json!({ "type": "INCREMENTAL" }), 400, vec!["Incremental"]),
        ("a patch", json!({ "type": "PATCH" }), 400, vec!["distributed"]),
        ("a digest that is none", json!({ "digest": "xyz" }), 400, vec!["digest"]),
        ("a digest in hexadecimal", json!({ "digest": md5_hex(b"") }), 400, vec!["digest"]),
        ("a committed version's manifest", json!({ "artifactID": version }), 409, vec!["committed"]),
        ("an unknown version's manifest", json!({ "artifactID": absent }), 404, vec!["version"]),
    ] {
        unchanged.wire(what, input(&alice, MANIFEST, manifest(fields)).await, status, &words).await;
    }
    let spec = |fields: Value| with(json!({ "artifactID": pending, "name": "a", "md5": md5_base64(b"") }), fields);
    let drafts = server.rows("select id, version_id from manifest_drafts").await;
    let draft = |of: &str| {
        let number = decode_id(&["Artifact"], of).unwrap();
        let found = drafts.iter().find(|row| row["version_id"] == json!(number)).unwrap();
        encode_id("ArtifactManifest", found["id"].as_i64().unwrap())
    };
    for (what, files, layout, status, words) in [
        ("the old layout", json!([spec(json!({}))]), "V1", 400, vec!["V2"]),
        ("files of a committed version", json!([spec(json!({ "artifactID": version }))]), "V2", 409, vec!["committed"]),
        ("files of an unknown version", json!([spec(json!({ "artifactID": absent }))]), "V2", 404, vec!["version"]),
        (
            "files of two versions",
            json!([spec(json!({})), spec(json!({ "artifactID": version }))]),
            "V2",
            400,
            vec!["one version"],
        ),
        (
            "another version's manifest",
            json!([spec(json!({ "artifactManifestID": draft(&version) }))]),
            "V2",
            400,
            vec!["artifactManifestID"],
        ),
        (
            "a manifest that isn't there",
            json!([spec(json!({ "artifactManifestID": encode_id("ArtifactManifest", 999_999) }))]),
            "V2",
            400,
            vec!["artifactManifestID"],
        ),
        (
            "two manifests",
            json!([
                spec(json!({ "artifactManifestID": draft(&pending) })),
                spec(json!({ "artifactManifestID": draft(&version) }))
            ]),
            "V2",
            400,
            vec!["one version"],
        ),
        ("an MD5 that is none", json!([spec(json!({ "md5": "xyz" }))]), "V2", 400, vec!["md5", "\"a\""]),
        ("an MD5 in hexadecimal", json!([spec(json!({ "md5": md5_hex(b"") }))]), "V2", 400, vec!["md5"]),
        (
            "5,001 files",
            Value::Array((0..5001).map(|i| spec(json!({ "name": format!("f{i}") }))).collect()),
            "V2",
            400,
            vec!["5000"],
        ),
    ] {
        let files = json!({ "artifactFiles": files, "storageLayout": layout });
        unchanged.wire(what, input(&alice, FILES, files).await, status, &words).await;
    }
    let good = json!({ "artifactFiles": [spec(json!({ "artifactManifestID": draft(&pending) }))], "storageLayout": "V2" });
    input(&alice, FILES, good).await.expect_ok();

    // Registries: what contradicts itself or the rules 3, 5, 6 and 8.
    let mut unchanged = Unchanged::since_now(&server).await;
    let registry =
        |name: &str, fields: Value| with(json!({ "entityName": "acme", "name": format!("wandb-registry-{name}") }), fields);
    for (client, what, spoilt, status, words) in [
        (&alice, "an access that isn't one", registry("new", json!({ "access": "PUBLIC" })), 400, vec!["PUBLIC"]),
        (&alice, "the way back from restricted", registry("gone", json!({ "access": "PRIVATE" })), 400, vec!["restricted"]),
        (
            &alice,
            "all types and a list",
            registry("new", json!({ "allowAllArtifactTypesInRegistry": true, "artifactTypes": [{ "name": "a" }] })),
            400,
            vec!["types"],
        ),
        (&alice, "no type at all", registry("new", json!({ "allowAllArtifactTypesInRegistry": false })), 400, vec!["type"]),
        (
            &alice,
            "a type where all are allowed",
            registry("any", json!({ "artifactTypes": [{ "name": "a" }] })),
            400,
            vec!["all"],
        ),
        (
            &alice,
            "a type of the SDK's",
            registry("new", json!({ "artifactTypes": [{ "name": "wandb-history" }] })),
            400,
            vec!["wandb-history"],
        ),
        (&alice, "a job", registry("new", json!({ "artifactTypes": [{ "name": "job" }] })), 400, vec!["job"]),
        (&alice, "a type with a slash", registry("new", json!({ "artifactTypes": [{ "name": "a/b" }] })), 400, vec!["a/b"]),
        (&carol, "a registry by a viewer's seat", registry("new", json!({})), 403, vec!["acme", "admin"]),
    ] {
        unchanged.wire(what, input(client, UPSERT, spoilt).await, status, &words).await;
    }
    let of = json!({ "organization": "acme", "name": "new" });
    unchanged.ours("a registry by a viewer's seat", input(&carol, REGISTRY_CREATE, of).await, "FORBIDDEN", &["acme"]).await;

    // Runs: an `upsertBucket` is never 409, which its client would repeat for minutes.
    let run = |fields: Value| with(json!({ "entityName": "alpha", "modelName": "demo", "name": "run1" }), fields);
    for (what, spoilt, status, words) in [
        ("a sweep", run(json!({ "sweep": "s" })), 400, vec!["sweeps"]),
        ("no name", run(json!({ "name": null })), 400, vec!["name"]),
        ("an unknown entity", run(json!({ "entityName": "acne" })), 404, vec!["acne"]),
        ("an organization", run(json!({ "entityName": "acme" })), 400, vec!["team"]),
        ("somebody else", run(json!({ "entityName": "bob" })), 403, vec!["bob"]),
        ("a configuration that is no JSON", run(json!({ "config": "{" })), 400, vec!["config"]),
        ("a summary that is no JSON", run(json!({ "summaryMetrics": "what?" })), 400, vec!["summary"]),
        ("a summary with NUL", run(json!({ "summaryMetrics": "\u{0}" })), 400, vec!["summary"]),
        ("a registry as the project", run(json!({ "modelName": "wandb-registry-any" })), 400, vec!["wandb-registry-"]),
    ] {
        unchanged.wire(what, input(&alice, RUN, spoilt).await, status, &words).await;
    }
    input(&alice, RUN, run(json!({}))).await.expect_ok();
    let mut unchanged = Unchanged::since_now(&server).await;
    let files =
        |fields: Value| with(json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": ["a"] }), fields);
    for (what, spoilt, status, words) in [
        ("an unknown run", files(json!({ "runName": "none" })), 404, vec!["none"]),
        ("an unknown project", files(json!({ "projectName": "none" })), 404, vec!["none"]),
        ("a path out of the run", files(json!({ "files": ["a", "../b"] })), 400, vec!["../b"]),
        ("an absolute path", files(json!({ "files": ["/etc/passwd"] })), 400, vec!["/etc/passwd"]),
    ] {
        unchanged.wire(what, input(&alice, RUN_FILES, spoilt).await, status, &words).await;
    }
    let used = |fields: Value| {
        with(json!({ "artifactID": version, "entityName": "alpha", "projectName": "demo", "runName": "run1" }), fields)
    };
    for (what, spoilt, status, words) in [
        ("an unknown version", used(json!({ "artifactID": absent })), 404, vec!["version"]),
        ("an unknown run", used(json!({ "runName": "none" })), 404, vec!["none"]),
        ("an unknown project", used(json!({ "projectName": "none" })), 404, vec!["none"]),
    ] {
        unchanged.wire(what, input(&alice, USE, spoilt).await, status, &words).await;
    }
    for (what, path, body, status) in [
        ("no JSON", "/files/alpha/demo/run1/file_stream", "what?", 400),
        ("a list", "/files/alpha/demo/run1/file_stream", "[1]", 400),
        ("an exit code in words", "/files/alpha/demo/run1/file_stream", "{\"complete\": true, \"exitcode\": \"none\"}", 400),
        ("an unknown run", "/files/alpha/demo/none/file_stream", "{}", 404),
        ("an unknown project", "/files/alpha/none/run1/file_stream", "{}", 404),
        ("an unknown entity", "/files/none/demo/run1/file_stream", "{}", 404),
        ("a name that is none", "/files/alpha/a%2Fb/run1/file_stream", "{}", 400),
        ("a name with NUL", "/files/alpha/demo/%00/file_stream", "{}", 400),
        ("a name that is no UTF-8", "/files/alpha/demo/%ff/file_stream", "{}", 404),
    ] {
        let reply = alice.request("POST", path, |request| request.bearer_auth(alice.key()).body(body)).await;
        unchanged.route(&format!("a stream of {what}"), reply, status, &[]).await;
    }
    // A summary that can't be kept is refused, and doesn't cost the run its end.
    let body =
        "{\"files\": {\"wandb-summary.json\": {\"offset\": 0, \"content\": [\"what?\"]}}, \"complete\": true, \"exitcode\": 0}";
    let reply =
        alice.request("POST", "/files/alpha/demo/run1/file_stream", |request| request.bearer_auth(alice.key()).body(body)).await;
    assert_eq!(reply.status, 400);
    sentence("a summary that is no JSON", &reply.message(), &["summary"]);
    assert_eq!(server.rows("select state, summary::text from runs").await, [json!({ "state": "finished", "summary": "{}" })]);
}

/// Rule 2: a name that stands for anything that the caller doesn't administer, seen or unseen, or that is a twin of one but
/// for case or normalization, is refused by one and the same error.
#[tokio::test]
async fn rule_2_one_error_for_every_taken_name() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    for (name, visibility) in
        [("seen", "ORGANIZATION"), ("hidden", "RESTRICTED"), ("café", "ORGANIZATION"), ("secret café", "RESTRICTED")]
    {
        alice.make_registry("acme", name, visibility).await;
    }
    let mut unchanged = Unchanged::since_now(&server).await;
    let mut told = Vec::new();
    for name in [
        "seen",
        "SEEN",
        "Seen",
        "ｓｅｅｎ",
        "hidden",
        "Hidden",
        "HIDDEN",
        "cafe\u{301}",
        "CAFÉ",
        "secret cafe\u{301}",
        "Secret Café",
    ] {
        let wire = input(&bob, UPSERT, json!({ "entityName": "acme", "name": format!("wandb-registry-{name}") })).await;
        told.push(wire.message().replace(name, "NAME"));
        unchanged.wire(name, wire, 409, &["different name", name]).await;
        let ours = input(&bob, REGISTRY_CREATE, json!({ "organization": "acme", "name": name })).await;
        told.push(ours.message().replace(name, "NAME"));
        unchanged.ours(name, ours, "CONFLICT", &["different name", name]).await;
    }
    // The registry's admin gets it for twins, too, and by our own side also for what is hers.
    for name in ["SEEN", "Hidden", "cafe\u{301}"] {
        let wire = input(&alice, UPSERT, json!({ "entityName": "acme", "name": format!("wandb-registry-{name}") })).await;
        told.push(wire.message().replace(name, "NAME"));
        unchanged.wire(name, wire, 409, &["different name", name]).await;
    }
    let ours = input(&alice, REGISTRY_CREATE, json!({ "organization": "acme", "name": "seen" })).await;
    told.push(ours.message().replace("seen", "NAME"));
    unchanged.ours("her own", ours, "CONFLICT", &["different name"]).await;
    told.dedup();
    assert_eq!(told.len(), 1, "{told:#?}");

    // Rule 19: entity names are one namespace; a twin is refused in the same words, also of what the caller can't see.
    let admin = server.admin().await;
    server.organization("elsewhere", "bob").await;
    server.team("elsewhere", "beta", "bob").await;
    let mut unchanged = Unchanged::since_now(&server).await;
    let mut told = Vec::new();
    for name in ["alice", "Alice", "ACME", "acme", "alpha", "ALPHA", "beta", "Beta", "elsewhere"] {
        let user = admin
            .graphql("mutation($n: String!) { userCreate(input: { name: $n }) { user { id } } }", json!({ "n": name }))
            .await;
        told.push(user.message().replace(name, "NAME"));
        unchanged.ours(&format!("a user {name}"), user, "CONFLICT", &[name]).await;
        let team =
            "mutation($n: String!) { teamCreate(input: { organization: \"acme\", name: $n, admin: \"alice\" }) { team { id } } }";
        let team = alice.graphql(team, json!({ "n": name })).await;
        told.push(team.message().replace(name, "NAME"));
        unchanged.ours(&format!("a team {name}"), team, "CONFLICT", &[name]).await;
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:#?}");
}

/// Rules 1, 6, 19, 25, 29 and 37: names, rule by rule, through both doors; and the longest and strangest that are names.
#[tokio::test]
async fn names_rule_by_rule() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let admin = server.admin().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    alice.make_registry("acme", "any", "ORGANIZATION").await;
    let path_characters = ["a/b", "a\\b", "a#b", "a?b", "a%b", "a:b"];
    let controls = ["a\nb", "a\rb", "a\tb", "a\u{0}b", "a\u{7f}b", "a\u{85}b", "a\u{1b}b"];
    let outside = [" a", "a ", "\u{3000}a", "a\n"];
    let of = |lists: &[&[&str]], long: usize| -> Vec<String> {
        lists.concat().into_iter().map(str::to_owned).chain([String::new(), text(long, 'a'), text(long, 'é')]).collect()
    };
    let words = ["a b", "é", "a/b", "a:b", "a\nb", "a\u{0}", "a,b", "a@b", "ａ"];
    let tables: Vec<(&str, Vec<String>)> = vec![
        ("registry", of(&[&path_characters, &controls, &outside], 114)),
        ("project", of(&[&path_characters, &controls, &["wandb-registry-", "wandb-registry-x"]], 129)),
        ("run", of(&[&path_characters, &controls, &outside], 129)),
        ("type", of(&[&["a/b", "a:b"], &controls], 129)),
        ("source collection", of(&[&words], 129)),
        ("registry collection", of(&[&["a/b", "a:b", "a\\b", " ", "\u{3000}"], &controls], 129)),
        ("alias", of(&[&["a/b", "a:b", "v0", "v3", "v007", "v99999999999999999999", "v٣"], &controls], 129)),
        ("entity", of(&[&words, &["_a", ".a", "-a", " a"]], 129)),
        ("display name", of(&[&controls, &outside, &[" "]], 129)),
        ("listed type", of(&[&["a/b", "a:b", "job", "wandb-", "wandb-x"], &controls], 129)),
    ];
    let mut unchanged = Unchanged::since_now(&server).await;
    for (kind, names) in tables {
        for name in names {
            let what =
                format!("the {kind} {:?} of {} characters", name.chars().take(20).collect::<String>(), name.chars().count());
            for (wire, answer) in named(&alice, &admin, &version, kind, &name).await {
                if wire {
                    unchanged.wire(&what, answer, 400, &[]).await;
                } else {
                    unchanged.ours(&what, answer, "INVALID", &[]).await;
                }
            }
        }
    }
    let strange = [
        "a",
        "Example ML Task",
        "ünï 😀 'q' \"d\" & co. (1) [2] {3} <4> | ~ ^ ` $ @ ! ; , = + *",
        "..",
        ".",
        "select",
        "NULL",
        "\u{202e}b",
    ];
    for (kind, good) in [
        (
            "registry",
            strange
                .iter()
                .filter(|name| !name.contains('%'))
                .map(|name| (*name).to_owned())
                .chain([text(113, 'x'), text(113, '\u{e9}')])
                .collect(),
        ),
        ("project", vec!["a b".to_owned(), text(128, 'é'), "..".to_owned()]),
        ("run", vec!["0".to_owned(), text(128, 'é')]),
        ("type", vec!["a b".to_owned(), text(128, 'é'), "job".to_owned(), "wandb-history".to_owned()]),
        ("source collection", vec!["A_b.c-9".to_owned(), text(128, 'a'), ".".to_owned(), "..".to_owned(), "-".to_owned()]),
        (
            "registry collection",
            strange
                .iter()
                .map(|name| (*name).to_owned())
                .chain([text(128, 'é'), "a%b".to_owned(), "a#b?".to_owned()])
                .collect::<Vec<_>>(),
        ),
        (
            "alias",
            vec![
                "a b".to_owned(),
                "v".to_owned(),
                "v1a".to_owned(),
                "V1".to_owned(),
                "version1".to_owned(),
                text(128, 'é'),
                "Latest".to_owned(),
            ],
        ),
        ("entity", vec!["9".to_owned(), "a_b.c-9".to_owned(), text(128, 'a')]),
        ("display name", vec!["A / B: 100% \\ #?".to_owned(), text(128, 'é')]),
        ("listed type", vec!["a b".to_owned(), "jobs".to_owned(), "Job".to_owned(), text(128, 'é')]),
    ] {
        for name in good {
            // One of the doors: the other would find the name taken.
            let (_, answer) = named(&alice, &admin, &version, kind, &name).await.remove(0);
            assert!(answer.errors.is_empty(), "the {kind} {name:?}: {}", answer.message());
        }
    }
}

/// Sends a name of some kind through each door that takes one: whether the door is the W&B protocol's, and its answer.
async fn named(alice: &Client, admin: &Client, version: &str, kind: &str, name: &str) -> Vec<(bool, Answer)> {
    let begin = json!({ "entity": "alpha", "project": "demo", "collection": "net", "typeName": "model", "files": [] });
    let run = json!({ "entityName": "alpha", "modelName": "demo", "name": "run1" });
    match kind {
        "registry" => vec![
            (true, input(alice, UPSERT, json!({ "entityName": "acme", "name": format!("wandb-registry-{name}") })).await),
            (false, input(alice, REGISTRY_CREATE, json!({ "organization": "acme", "name": name })).await),
        ],
        "project" => vec![
            (true, input(alice, CREATE, create("alpha", name, "net")).await),
            (false, input(alice, VERSION_BEGIN, with(begin, json!({ "project": name }))).await),
        ],
        "run" => vec![(true, input(alice, RUN, with(run, json!({ "name": name }))).await)],
        "type" => {
            let collection = format!("of-{}", md5_hex(name.as_bytes()));
            vec![
                (true, input(alice, CREATE, with(create("alpha", "demo", &collection), json!({ "artifactTypeName": name }))).await),
                (false, input(alice, VERSION_BEGIN, with(begin, json!({ "typeName": name, "collection": collection }))).await),
            ]
        }
        "source collection" => vec![
            (true, input(alice, CREATE, create("alpha", "demo", name)).await),
            (false, input(alice, VERSION_BEGIN, with(begin, json!({ "collection": name }))).await),
        ],
        "registry collection" => {
            let mut answers = vec![(true, input(alice, LINK, link(version, "acme", "wandb-registry-any", name)).await)];
            // In a path a slash begins another part.
            let path = format!("acme/wandb-registry-any/{name}");
            answers.push((false, input(alice, VERSION_LINK, json!({ "version": version, "target": path })).await));
            answers
        }
        "alias" => vec![
            (true, input(alice, LINK, with(link(version, "acme", "wandb-registry-any", "C"), json!({ "aliases": aliases("C", &[name]) }))).await),
            (true, input(alice, CREATE, with(create("alpha", "demo", "net"), json!({ "aliases": aliases("net", &[name]) }))).await),
            (false, input(alice, VERSION_BEGIN, with(begin, json!({ "aliases": [name] }))).await),
            (false, input(alice, VERSION_LINK, json!({ "version": version, "target": "acme/wandb-registry-any/C", "aliases": [name] })).await),
        ],
        "entity" => vec![
            (false, admin.graphql("mutation($n: String!) { userCreate(input: { name: $n }) { user { id } } }", json!({ "n": name })).await),
            (
                false,
                admin
                    .graphql("mutation($n: String!) { teamCreate(input: { organization: \"acme\", name: $n, admin: \"alice\" }) { team { id } } }", json!({ "n": name }))
                    .await,
            ),
            (true, input(alice, CREATE, create(name, "demo", "net")).await),
        ],
        "display name" => {
            let create = "mutation($n: String!) { organizationCreate(input: { displayName: $n, admin: \"alice\" }) { organization { id } } }";
            vec![(false, admin.graphql(create, json!({ "n": name })).await)]
        }
        "listed type" => {
            let registry = format!("of-{}", md5_hex(name.as_bytes()));
            vec![
                (true, input(alice, UPSERT, json!({ "entityName": "acme", "name": format!("wandb-registry-{registry}"), "artifactTypes": [{ "name": name }] })).await),
                (false, input(alice, REGISTRY_CREATE, json!({ "organization": "acme", "name": registry, "types": [name] })).await),
            ]
        }
        other => panic!("there is no kind {other}"),
    }
}

/// Rule 29: naming `latest` is accepted and means nothing more.
#[tokio::test]
async fn rule_29_latest_cannot_be_pointed_elsewhere() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.make_registry("acme", "any", "ORGANIZATION").await;
    let first = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    let second = alice.log(&VersionSpec::model("alpha", "net", b"2")).await.id;
    for version in [&first, &second] {
        alice.link(version, "acme", "any", "C", &["latest"]).await.expect_ok();
    }
    let mut unchanged = Unchanged::since_now(&server).await;
    alice.link(&first, "acme", "any", "C", &["latest"]).await.expect_ok();
    unchanged.check("latest for the first").await;
    let target = json!({ "version": first, "target": "acme/wandb-registry-any/C", "aliases": ["latest"] });
    let linked = input(&alice, VERSION_LINK, target).await.ok();
    assert_eq!(linked["versionLink"]["link"], json!({ "index": 0, "aliases": [] }));
    unchanged.check("latest for the first, ours").await;
}

/// Paths that rule 37 refuses.
fn bad_paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "",
        "/",
        "/etc/passwd",
        "//a",
        "a//b",
        "a/",
        ".",
        "..",
        "./a",
        "a/.",
        "../a",
        "../../etc/passwd",
        "a/../b",
        "a/..",
        "a/b/../../..",
        "\\a",
        "a\\b",
        "..\\a",
        "C:",
        "C:/a",
        "c:a",
        "z:",
        "a\u{0}b",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\u{7f}",
        "a\u{85}b",
        "\u{1b}[2J",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend([text(4097, 'a'), text(2049, 'é'), "a/".repeat(2048) + "ab"]);
    paths
}

/// A manifest's JSON with these contents.
fn manifest(contents: &str) -> String {
    format!(
        "{{\"version\":1,\"storagePolicy\":\"wandb-storage-policy-v1\",\"storagePolicyConfig\":{{\"storageLayout\":\"V2\"}},\"contents\":{{{contents}}}}}"
    )
}

/// Rule 37: a path that leads out of its directory is refused when a file is announced and when a manifest is committed.
#[tokio::test]
async fn rule_37_paths_that_lead_elsewhere() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let pending = alice.begin(&spec).await.id;
    let mut unchanged = Unchanged::since_now(&server).await;
    for path in bad_paths() {
        let what = format!("{:?}", path.chars().take(20).collect::<String>());
        let file = json!({ "artifactID": pending, "name": path, "md5": md5_base64(b"") });
        let announced = input(&alice, FILES, json!({ "artifactFiles": [file], "storageLayout": "V2" })).await;
        unchanged.wire(&format!("announcing {what}"), announced, 400, &["path"]).await;
        let begun = json!({ "entity": "alpha", "project": "demo", "collection": "net", "typeName": "model",
            "files": [{ "path": path, "md5": md5_hex(b""), "size": 0 }] });
        unchanged.ours(&format!("beginning {what}"), input(&alice, VERSION_BEGIN, begun).await, "INVALID", &["path"]).await;
    }
    // In a manifest: as a file, and as a reference, for which nothing is announced.
    let digest = md5_base64(b"the weights");
    for path in bad_paths() {
        let key = Value::String(path.clone()).to_string();
        for entry in [
            format!("{key}:{{\"digest\":\"{digest}\",\"size\":11}}"),
            format!("{key}:{{\"digest\":\"x\",\"ref\":\"s3://b/k\",\"size\":1}}"),
        ] {
            let what = format!("committing {:?}", entry.chars().take(40).collect::<String>());
            let id = alice.begin_with(&spec, &spec.digest(), manifest(&entry).as_bytes()).await;
            let mut unchanged = Unchanged::since_now(&server).await;
            unchanged.wire(&what, alice.commit(&id).await, 400, &["path"]).await;
        }
    }
    assert_eq!(server.number("select count(*) from memberships").await, 0);
}

/// Rules 27, 37 and 38: manifests that are none, contradict themselves or say more than was uploaded.
#[tokio::test]
async fn manifests_that_cannot_be_taken() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let (digest, good) = (md5_base64(b"the weights"), String::from_utf8(spec.manifest()).unwrap());
    let file = |path: &str, size: &str| format!("\"{path}\":{{\"digest\":\"{digest}\",\"size\":{size}}}");
    let reference = |path: &str, size: &str| format!("\"{path}\":{{\"digest\":\"x\",\"ref\":\"s3://b/k\",\"size\":{size}}}");
    let entry = |fields: &str| manifest(&format!("\"model.txt\":{{{fields}}}"));
    let most = "9223372036854775807";
    for (what, text, status, words) in [
        ("nothing", String::new(), 400, vec!["manifest"]),
        ("no JSON", "what?".to_owned(), 400, vec!["manifest"]),
        ("half of it", good[..good.len() - 10].to_owned(), 400, vec!["manifest"]),
        ("more than it", format!("{good}{good}"), 400, vec!["manifest"]),
        ("a list", "[]".to_owned(), 400, vec!["manifest"]),
        ("no contents", "{\"version\":1,\"storagePolicy\":\"wandb-storage-policy-v1\"}".to_owned(), 400, vec!["contents"]),
        ("contents that are a list", good.replace("\"contents\":{", "\"contents\":[1],\"was\":{"), 400, vec!["manifest"]),
        ("contents twice", good.replace("\"contents\":{", "\"contents\":{},\"contents\":{"), 400, vec!["contents", "twice"]),
        ("another version", good.replace("\"version\":1", "\"version\":2"), 400, vec!["version"]),
        ("another policy", good.replace("policy-v1", "policy-v9"), 400, vec!["storagePolicy"]),
        ("another layout", good.replace("\"V2\"", "\"V1\""), 400, vec!["storageLayout"]),
        (
            "another region",
            good.replace("\"storageLayout\":\"V2\"", "\"storageLayout\":\"V2\",\"storageRegion\":\"coreweave-us\""),
            400,
            vec!["coreweave-us"],
        ),
        (
            "a path twice",
            manifest(&format!("{},{}", file("model.txt", "11"), file("model.txt", "11"))),
            400,
            vec!["model.txt", "twice"],
        ),
        (
            "a file that is a directory",
            manifest(&format!("{},{}", file("a", "11"), file("a/b", "11"))),
            400,
            vec!["\"a\"", "a/b"],
        ),
        (
            "the same with something between",
            manifest(&format!("{},{},{}", file("a", "11"), reference("a!", "1"), file("a/b", "11"))),
            400,
            vec!["\"a\"", "a/b"],
        ),
        ("a negative size", manifest(&file("model.txt", "-1")), 400, vec!["model.txt"]),
        ("half a byte", manifest(&file("model.txt", "11.5")), 400, vec!["model.txt"]),
        ("a size beyond 64 bits", manifest(&file("model.txt", "92233720368547758080")), 400, vec!["model.txt"]),
        ("a size in words", manifest(&file("model.txt", "\"11\"")), 400, vec!["model.txt"]),
        ("sizes that overflow", manifest(&format!("{},{}", reference("a", most), reference("b", most))), 400, vec!["sizes"]),
        ("a file too short", manifest(&file("model.txt", "10")), 400, vec!["model.txt", "10", "11"]),
        ("a file too long", manifest(&file("model.txt", "12")), 400, vec!["model.txt", "12", "11"]),
        ("a file without its size", entry(&format!("\"digest\":\"{digest}\"")), 400, vec!["model.txt"]),
        ("an entry without a digest", entry("\"size\":11"), 400, vec!["model.txt", "digest"]),
        ("a digest that is none", entry("\"digest\":\"xyz\",\"size\":11"), 400, vec!["model.txt"]),
        (
            "a digest in hexadecimal",
            entry(&format!("\"digest\":\"{}\",\"size\":11", md5_hex(b"the weights"))),
            400,
            vec!["model.txt"],
        ),
        ("an entry that is a text", manifest("\"model.txt\":\"x\""), 400, vec!["model.txt"]),
        (
            "an extra that is a list",
            entry(&format!("\"digest\":\"{digest}\",\"size\":11,\"extra\":[1]")),
            400,
            vec!["model.txt", "extra"],
        ),
        (
            "an extra with NUL",
            entry(&format!("\"digest\":\"{digest}\",\"size\":11,\"extra\":{{\"a\":\"\\u0000\"}}")),
            400,
            vec!["model.txt"],
        ),
        (
            "an extra with half a pair",
            entry(&format!("\"digest\":\"{digest}\",\"size\":11,\"extra\":{{\"a\":\"\\ud800\"}}")),
            400,
            vec!["model.txt"],
        ),
        (
            "a path with half a pair",
            manifest(&format!("\"\\ud800\":{{\"digest\":\"{digest}\",\"size\":11}}")),
            400,
            vec!["manifest"],
        ),
        ("a reference with NUL", entry("\"digest\":\"x\",\"ref\":\"s3://\\u0000\",\"size\":11"), 400, vec!["model.txt"]),
        ("a reference's digest with NUL", entry("\"digest\":\"\\u0000\",\"ref\":\"s3://a\",\"size\":11"), 400, vec!["model.txt"]),
        (
            "a birth id with NUL",
            entry(&format!("\"digest\":\"{digest}\",\"size\":11,\"birthArtifactID\":\"\\u0000\"")),
            400,
            vec!["model.txt"],
        ),
        (
            "a deep extra",
            entry(&format!("\"digest\":\"{digest}\",\"size\":11,\"extra\":{}1{}", "{\"a\":".repeat(200), "}".repeat(200))),
            400,
            vec!["manifest"],
        ),
        ("a very deep manifest", "[".repeat(1_000_000), 400, vec!["manifest"]),
        ("a very long name", manifest(&format!("\"{}\":{{}}", text(5_000_000, 'a'))), 400, vec!["manifest"]),
    ] {
        let id = alice.begin_with(&spec, &spec.digest(), text.as_bytes()).await;
        refused_commit(&server, &alice, what, &id, status, &words).await;
    }
    // The good one is taken after all that.
    alice.log(&spec).await;
    assert_eq!(server.number("select count(*) from memberships").await, 1);
}

/// Rules 26 and 27: a commit before everything is there, or of something else than was said; and a commit that was refused
/// can be made good.
#[tokio::test]
async fn commits_that_come_too_early() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut spec = VersionSpec::model("alpha", "net", b"the weights");
    spec.files.push(("second.txt".to_owned(), b"more".to_vec()));
    let created = alice.create_version(&spec, "early").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let mut unchanged = Unchanged::since_now(&server).await;
    unchanged.wire("no manifest", alice.commit(&id).await, 409, &["manifest"]).await;
    alice.announce_manifest(&spec, &id, None).await.expect_ok();
    let mut unchanged = Unchanged::since_now(&server).await;
    unchanged.wire("a manifest without its digest", alice.commit(&id).await, 409, &["manifest"]).await;
    let announced = alice.announce_manifest(&spec, &id, Some(&spec.manifest())).await.ok();
    let manifest_url = announced["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap().to_owned();
    let mut unchanged = Unchanged::since_now(&server).await;
    unchanged.wire("a manifest on its way", alice.commit(&id).await, 409, &["manifest"]).await;
    // The manifest's own bytes are checked, too.
    let wrong = alice.request("PUT", &manifest_url, |request| request.body("{}")).await;
    unchanged.route("another manifest than announced", wrong, 400, &["MD5", "wandb_manifest.json"]).await;
    assert_eq!(alice.put(&manifest_url, spec.manifest()).await, 200);
    refused_commit(&server, &alice, "no file announced", &id, 409, &["model.txt"]).await;
    let announced = alice.announce_files(&id, &spec.files).await.ok();
    refused_commit(&server, &alice, "no file sent", &id, 409, &["model.txt"]).await;
    let first = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap();
    assert_eq!(alice.put(first, b"the weights".to_vec()).await, 200);
    refused_commit(&server, &alice, "one file missing", &id, 409, &["second.txt"]).await;
    alice.upload(&announced, &spec.files).await;
    let place = alice.commit(&id).await.ok();
    assert_eq!(place["commitArtifact"]["artifact"]["digest"], spec.digest());
    // Again changes nothing and succeeds.
    let mut unchanged = Unchanged::since_now(&server).await;
    alice.commit(&id).await.expect_ok();
    unchanged.check("a second commit").await;

    // Another digest than that of the manifest.
    let other = VersionSpec::model("alpha", "net", b"other weights");
    let id = alice.begin_with(&other, &spec.digest(), &other.manifest()).await;
    refused_commit(&server, &alice, "another digest", &id, 400, &[&spec.digest(), &other.digest()]).await;
    // What isn't committed is nowhere: no index, no alias, no place.
    assert_eq!(server.number("select count(*) from memberships").await, 1);
    assert_eq!(server.number("select next_index::bigint from collections").await, 1);
}

/// A refused commit changes nothing.
async fn refused_commit(server: &Server, client: &Client, what: &str, id: &str, status: u16, words: &[&str]) {
    let before = (server.everything().await, server.objects());
    let answer = client.commit(id).await;
    assert_eq!((answer.status, answer.code()), (status, code_of(status)), "{what}: {}", answer.message());
    sentence(what, answer.message(), words);
    assert_eq!((server.everything().await, server.objects()), before, "{what}");
}

/// Bytes come before pointers, and a refused commit leaves neither: its cleaned manifest goes again.
#[tokio::test]
async fn a_refused_commit_leaves_nothing() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let other = VersionSpec::model("alpha", "net", b"other weights");
    let missing = {
        let mut missing = spec.clone();
        missing.files.push(("missing.txt".to_owned(), b"never sent".to_vec()));
        missing
    };
    let bad = String::from_utf8(spec.manifest()).unwrap().replace("model.txt", "../model.txt").into_bytes();
    for (what, digest, text, status) in [
        ("a bad path", spec.digest(), bad, 400),
        ("another digest", other.digest(), spec.manifest(), 400),
        ("a file that wasn't sent", missing.digest(), missing.manifest(), 409),
    ] {
        let id = alice.begin_with(&spec, &digest, &text).await;
        let (rows, objects) = (server.everything().await, server.objects());
        for _ in 0..3 {
            assert_eq!(alice.commit(&id).await.status, status, "{what}");
            assert_eq!(server.everything().await, rows, "{what}");
            assert_eq!(server.objects(), objects, "{what}");
        }
    }
    // What a refused commit took away was nobody else's: the same text is kept by the commit that is right.
    alice.log(&spec).await;
    let blobs = usize::try_from(server.number("select count(*) from blobs").await).unwrap();
    let (stored, under_way) = server.objects();
    assert_eq!((stored.len(), under_way), (blobs, vec![]), "every object has its row");
    // Refused once more, now that others have these bytes: they stay.
    let id = alice.begin_with(&spec, &other.digest(), &spec.manifest()).await;
    let (rows, objects) = (server.everything().await, server.objects());
    assert_eq!(alice.commit(&id).await.status, 400);
    assert_eq!((server.everything().await, server.objects()), (rows, objects));
}

/// Rule 39: knowing a digest is not possession. A manifest names what was uploaded for this artifact, or what is in a
/// version that the caller may download; and nobody learns what others have.
#[tokio::test]
async fn rule_39_knowing_a_digest_is_not_possession() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.team("acme", "beta", "bob").await;
    alice.make_registry("acme", "open", "ORGANIZATION").await;
    let secret = alice.log(&VersionSpec::model("alpha", "net", b"secret weights")).await.id;
    let pending = VersionSpec::model("alpha", "coming", b"pending weights");
    alice.begin(&pending).await;

    // bob knows path, MD5 and size; says that the bytes were born with alice's version; and doesn't send them.
    let begin = async |client: &Client, entity: &str, name: &str, bytes: &[u8], birth: &str| {
        let spec = VersionSpec::model(entity, name, bytes);
        let mut text: Value = serde_json::from_slice(&spec.manifest()).unwrap();
        text["contents"]["model.txt"]["birthArtifactID"] = json!(birth);
        let nothing = VersionSpec { files: Vec::new(), ..spec.clone() };
        let id = client.begin_with(&nothing, &spec.digest(), text.to_string().as_bytes()).await;
        (id, spec)
    };
    for (client, entity, name, bytes) in [
        (&bob, "beta", "net", &b"secret weights"[..]),
        (&bob, "bob", "net", b"secret weights"),
        (&carol, "carol", "net", b"secret weights"),
        (&bob, "beta", "coming", b"pending weights"),
    ] {
        let (id, spec) = begin(client, entity, name, bytes, &secret).await;
        refused_commit(&server, client, entity, &id, 409, &["model.txt", "uploaded"]).await;
        // "Already stored" is said to nobody who hasn't it; the URL is the same as for bytes that nobody has.
        let announced = client.announce_files(&id, &spec.files).await.ok();
        assert!(announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].is_string(), "{entity}: {announced}");
        refused_commit(&server, client, entity, &id, 409, &["model.txt", "uploaded"]).await;
    }
    // Not alice either, for a version of another scope, or for bytes that are only on their way.
    let (id, _) = begin(&alice, "alice", "net", b"secret weights", &secret).await;
    refused_commit(&server, &alice, "her own entity", &id, 409, &["model.txt", "uploaded"]).await;
    let (id, _) = begin(&alice, "alpha", "net", b"pending weights", &secret).await;
    refused_commit(&server, &alice, "bytes of a pending version", &id, 409, &["model.txt", "uploaded"]).await;

    // By a role that shows the version without its content: still not. With one that lets him download: his.
    alice.make_registry("acme", "closed", "RESTRICTED").await;
    alice.link(&secret, "acme", "closed", "C", &[]).await.expect_ok();
    let role = |role: &str| {
        format!(
            "insert into registry_user_members select p.id, e.id, '{role}' from projects p, entities e where p.name = 'closed' and e.name = 'bob' \
             on conflict (registry_id, user_id) do update set role = excluded.role"
        )
    };
    server.sql(&role("restricted_viewer")).await;
    let (id, _) = begin(&bob, "beta", "net", b"secret weights", &secret).await;
    refused_commit(&server, &bob, "a restricted viewer", &id, 409, &["model.txt", "uploaded"]).await;
    server.sql(&role("viewer")).await;
    bob.commit(&id).await.expect_ok();
    // In the same collection it is stored already, and needn't be sent.
    let mut again = VersionSpec::model("beta", "net", b"secret weights");
    again.files.push(("more.txt".to_owned(), b"more".to_vec()));
    let created = bob.create_version(&again, "again").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap();
    let announced = bob.announce_files(id, &again.files).await.ok();
    let edges = &announced["createArtifactFiles"]["files"]["edges"];
    assert!(edges[0]["node"]["uploadUrl"].is_null() && edges[1]["node"]["uploadUrl"].is_string(), "{announced}");
    // Under another path it is asked for: the answer looks at this collection's files alone.
    let moved = vec![("moved.txt".to_owned(), b"secret weights".to_vec())];
    let announced = bob.announce_files(id, &moved).await.ok();
    assert!(announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].is_string());
    // Whoever loses the right between announcing and committing has lost it.
    server.sql("delete from registry_user_members where role = 'viewer'").await;
    let (id, _) = begin(&bob, "bob", "later", b"secret weights", &secret).await;
    refused_commit(&server, &bob, "afterwards", &id, 409, &["model.txt", "uploaded"]).await;
}

/// Two messages of 128 bytes with one MD5, found by Wang and others in 2004.
fn colliding() -> (Vec<u8>, Vec<u8>) {
    let first = "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a\
                 085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0\
                 e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70";
    let mut bytes: Vec<u8> = (0..128).map(|i| u8::from_str_radix(&first[2 * i..2 * i + 2], 16).unwrap()).collect();
    let one = bytes.clone();
    for at in [19, 45, 59, 83, 109, 123] {
        bytes[at] ^= 0x80;
    }
    (one, bytes)
}

/// Rule 27: the same MD5 with different bytes is two blobs, and each version has its own.
#[tokio::test]
async fn rule_27_two_files_of_one_md5() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let (one, two) = colliding();
    assert_eq!((md5_hex(&one), md5_hex(&two)), (md5_hex(&two), "79054025255fb1a26e4bc422aef54eb4".to_owned()));
    assert_ne!(one, two);
    let listed = async |client: &Client, entity: &str, name: &str| -> Vec<(String, Vec<u8>)> {
        let query = "query($e: String!, $n: String!) { project(entityName: $e, name: \"demo\") { artifactCollectionMembership(name: $n) { \
            files { edges { node { name directUrl } } } } } }";
        let found = client.graphql(query, json!({ "e": entity, "n": name })).await.ok();
        let edges = found["project"]["artifactCollectionMembership"]["files"]["edges"].as_array().unwrap().clone();
        let mut files = Vec::new();
        for edge in edges {
            let (status, _, bytes) = client.get(edge["node"]["directUrl"].as_str().unwrap(), &[]).await;
            assert_eq!(status, 200);
            files.push((edge["node"]["name"].as_str().unwrap().to_owned(), bytes));
        }
        files
    };
    // In two collections, and in one version under two paths.
    let first = alice.log(&VersionSpec::model("alpha", "one", &one)).await.id;
    let second = alice.log(&VersionSpec::model("alpha", "two", &two)).await.id;
    let mut both = VersionSpec::model("alpha", "both", b"");
    both.files = vec![("a".to_owned(), two.clone()), ("b".to_owned(), one.clone())];
    let third = alice.log(&both).await.id;
    assert_eq!(server.number("select count(*) from blobs where size = 128").await, 2);
    let file = |path: &str, bytes: &Vec<u8>| (path.to_owned(), bytes.clone());
    assert_eq!(listed(&alice, "alpha", "one").await, [file("model.txt", &one)]);
    assert_eq!(listed(&alice, "alpha", "two").await, [file("model.txt", &two)]);
    assert_eq!(listed(&alice, "alpha", "both").await, [file("a", &two), file("b", &one)]);
    for (collection, id, name, bytes) in [
        ("one", &first, "model.txt", &one),
        ("two", &second, "model.txt", &two),
        ("both", &third, "a", &two),
        ("both", &third, "b", &one),
    ] {
        let path = format!("/artifactsV2/default/alpha/demo/{collection}/{id}/{id}/{}/{name}", md5_hex(&one));
        assert_eq!(alice.get_path(&path, &[]).await.2, *bytes, "{collection} {name}");
    }
    // A manifest that names the MD5 without sending it could mean either: it is refused rather than guessed.
    let guess = VersionSpec::model("alpha", "guess", &one);
    let nothing = VersionSpec { files: Vec::new(), ..guess.clone() };
    let id = alice.begin_with(&nothing, &guess.digest(), &guess.manifest()).await;
    refused_commit(&server, &alice, "an MD5 of two files", &id, 409, &["model.txt"]).await;
    // Somebody who uploads a twin gets the twin, not what was there.
    bob.log(&VersionSpec::model("bob", "one", &two)).await;
    assert_eq!(listed(&bob, "bob", "one").await, [file("model.txt", &two)]);

    // Rule 40: an upload's bytes don't change, not even into others of their MD5.
    let coming = VersionSpec::model("alpha", "coming", &one);
    let created = alice.create_version(&coming, "coming").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap();
    let announced = alice.announce_files(id, &coming.files).await.ok();
    let url = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap();
    assert_eq!(alice.put(url, one.clone()).await, 200);
    let mut unchanged = Unchanged::since_now(&server).await;
    let twin = alice.request("PUT", url, |request| request.body(two.clone())).await;
    unchanged.route("a twin of the bytes before", twin, 409, &["model.txt"]).await;
}

/// Rule 40: an upload's URL takes what was announced, the same again until the commit, and never anything else.
#[tokio::test]
async fn rule_40_an_upload_takes_what_was_announced() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let created = alice.create_version(&spec, "forty").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let announced = alice.announce_files(&id, &spec.files).await.ok();
    let url = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap().to_owned();
    let put = async |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        alice.request("PUT", &url, |request| request.body(bytes)).await
    };
    let mut unchanged = Unchanged::since_now(&server).await;
    for (what, bytes) in
        [("other bytes", &b"other bytes"[..]), ("too little", b"the weight"), ("too much", b"the weights!"), ("nothing", b"")]
    {
        unchanged.route(what, put(bytes).await, 400, &["model.txt", "MD5"]).await;
    }
    assert_eq!(put(b"the weights").await.status, 200);
    let mut unchanged = Unchanged::since_now(&server).await;
    assert_eq!(put(b"the weights").await.status, 200);
    unchanged.check("the same bytes again").await;
    let reply = put(b"other bytes").await;
    unchanged.route("other bytes afterwards", reply, 400, &["model.txt", "MD5"]).await;
    // Announced again there is another URL, and both are good until the commit.
    let again = alice.announce_files(&id, &spec.files).await.ok();
    alice.upload(&again, &spec.files).await;
    assert_eq!(put(b"the weights").await.status, 200);
    let announced = alice.announce_manifest(&spec, &id, Some(&spec.manifest())).await.ok();
    let manifest_url = announced["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().unwrap().to_owned();
    assert_eq!(alice.put(&manifest_url, spec.manifest()).await, 200);
    alice.commit(&id).await.expect_ok();
    let mut unchanged = Unchanged::since_now(&server).await;
    for bytes in [&b"the weights"[..], b"other bytes"] {
        unchanged.route("after the commit", put(bytes).await, 409, &["committed"]).await;
    }
    let reply = alice.request("PUT", &manifest_url, |request| request.body(spec.manifest())).await;
    unchanged.route("the manifest after the commit", reply, 409, &["committed"]).await;
    // A run's file, of which no MD5 is announced, may be replaced by an upload of its own.
    let run = json!({ "entityName": "alpha", "modelName": "demo", "name": "run1" });
    input(&alice, RUN, run).await.expect_ok();
    let files = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": ["config.yaml"] });
    let announced = input(&alice, RUN_FILES, files.clone()).await.ok();
    let url = announced["createRunFiles"]["files"][0]["uploadUrl"].as_str().unwrap().to_owned();
    assert_eq!(alice.put(&url, b"one".to_vec()).await, 200);
    assert_eq!(alice.put(&url, b"one".to_vec()).await, 200);
    let mut unchanged = Unchanged::since_now(&server).await;
    let reply = alice.request("PUT", &url, |request| request.body("two")).await;
    unchanged.route("another file for a run", reply, 409, &["config.yaml"]).await;
    let announced = input(&alice, RUN_FILES, files).await.ok();
    assert_eq!(alice.put(announced["createRunFiles"]["files"][0]["uploadUrl"].as_str().unwrap(), b"two".to_vec()).await, 200);
}

/// A signed URL is good for its method, target, actor and time, and for nothing else.
#[tokio::test]
async fn urls_that_were_altered_expired_or_given_for_something_else() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.team("acme", "beta", "bob").await;
    alice.make_registry("acme", "open", "ORGANIZATION").await;
    let id = alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await.id;
    alice.log(&VersionSpec::model("alpha", "secret", b"secret weights")).await;
    alice.link(&id, "acme", "open", "C", &[]).await.expect_ok();
    let query = "query($e: String!, $p: String!, $n: String!) { project(entityName: $e, name: $p) { artifactCollectionMembership(name: $n) { \
        artifact { currentManifest { file { directUrl } } } files { edges { node { directUrl } } } } } }";
    let urls = async |client: &Client, entity: &str, project: &str, name: &str| -> [String; 2] {
        let found = client.graphql(query, json!({ "e": entity, "p": project, "n": name })).await.ok();
        let place = &found["project"]["artifactCollectionMembership"];
        let file = place["files"]["edges"][0]["node"]["directUrl"].as_str().unwrap();
        [file.to_owned(), place["artifact"]["currentManifest"]["file"]["directUrl"].as_str().unwrap().to_owned()]
    };
    let [file, manifest] = urls(&bob, "acme", "wandb-registry-open", "C").await;
    let [secret_file, secret_manifest] = urls(&alice, "alpha", "demo", "secret").await;
    let upload = async |client: &Client, entity: &str| -> String {
        let spec = VersionSpec::model(entity, "coming", b"on the way");
        let created = client.create_version(&spec, entity).await.ok();
        let announced =
            client.announce_files(created["createArtifact"]["artifact"]["id"].as_str().unwrap(), &spec.files).await.ok();
        announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap().to_owned()
    };
    let (alices, bobs) = (upload(&alice, "alpha").await, upload(&bob, "beta").await);
    let mut unchanged = Unchanged::since_now(&server).await;
    let path = |url: &str| url.split('?').next().unwrap().to_owned();
    let query = |url: &str| url.split_once('?').unwrap().1.to_owned();
    let parameter = |url: &str, name: &str, value: &str| {
        let changed = query(url)
            .split('&')
            .map(|pair| if pair.starts_with(&format!("{name}=")) { format!("{name}={value}") } else { pair.to_owned() })
            .collect::<Vec<_>>();
        format!("{}?{}", path(url), changed.join("&"))
    };
    let value = |url: &str, name: &str| {
        query(url).split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned)).unwrap()
    };
    let mut tries: Vec<(&str, String)> = Vec::new();
    for (method, url) in [("GET", &file), ("GET", &manifest), ("PUT", &bobs)] {
        let later = (value(url, "expires").parse::<i64>().unwrap() + 1).to_string();
        let flipped = {
            let code = value(url, "signature");
            format!("{}{}", if code.starts_with('0') { "1" } else { "0" }, &code[1..])
        };
        tries.extend([
            (method, path(url)),
            (method, format!("{}?", path(url))),
            (method, parameter(url, "actor", &value(&alices, "actor"))),
            (method, parameter(url, "actor", "1")),
            (method, parameter(url, "actor", "x")),
            (method, parameter(url, "actor", "99999999999999999999")),
            (method, parameter(url, "expires", &later)),
            (method, parameter(url, "expires", "9223372036854775807")),
            (method, parameter(url, "expires", "-1")),
            (method, parameter(url, "key", "2")),
            (method, parameter(url, "key", "-1")),
            (method, parameter(url, "signature", &flipped)),
            (method, parameter(url, "signature", "")),
            (method, parameter(url, "signature", "zz")),
            (method, parameter(url, "signature", &value(url, "signature")[..32])),
            (method, parameter(url, "signature", &format!("{}00", value(url, "signature")))),
            (method, parameter(url, "signature", &value(if url == &file { &manifest } else { &file }, "signature"))),
            (method, format!("{url}&actor=1")),
        ]);
    }
    // Signatures of one thing on another: another version, another blob, another upload, another purpose.
    let [membership, blob] = [4, 5].map(|at| path(&file).split('/').nth(at + 1).unwrap().to_owned());
    tries.extend([
        ("GET", format!("{}?{}", path(&secret_file), query(&file))),
        ("GET", format!("{}?{}", path(&secret_manifest), query(&manifest))),
        ("GET", format!("{}?{}", path(&manifest), query(&file))),
        ("GET", format!("{}?{}", path(&file), query(&manifest))),
        ("GET", file.replace(&format!("/{membership}/{blob}/"), &format!("/{membership}/{}/", blob.parse::<i64>().unwrap() + 1))),
        ("GET", file.replace(&format!("/{membership}/{blob}/"), &format!("/{}/{blob}/", membership.parse::<i64>().unwrap() + 1))),
        ("GET", file.replace(&format!("/{membership}/{blob}/"), &format!("/0{membership}/x/"))),
        ("PUT", format!("{}?{}", path(&alices), query(&bobs))),
        ("PUT", format!("{}?{}", path(&bobs), query(&alices))),
        ("PUT", format!("{}?{}", path(&bobs), query(&file))),
        ("PUT", format!("{}/storage/uploads/00000000-0000-0000-0000-000000000000?{}", server.url, query(&bobs))),
        ("PUT", format!("{}/storage/uploads/nonsense?{}", server.url, query(&bobs))),
    ]);
    for (method, url) in &tries {
        let reply = bob.request(method, url, |request| if *method == "PUT" { request.body("on the way") } else { request }).await;
        unchanged.route(&format!("{method} {url}"), reply, 403, &["URL"]).await;
    }
    // The methods aren't exchangeable.
    for (method, url) in [("PUT", &file), ("GET", &bobs), ("DELETE", &file), ("POST", &bobs)] {
        assert_eq!(bob.request(method, url, |request| request).await.status, 405, "{method} {url}");
    }
    // The name at the end is for the client; what is fetched is what was signed.
    let renamed = file.replace("/model.txt?", "/anything%20else?");
    assert_eq!(bob.get(&renamed, &[]).await.2, b"the weights");
    // Time: six hours for a download, a day for an upload, to the second.
    for (seconds, downloads, uploads) in
        [(6 * 3600, true, true), (1, false, true), (18 * 3600 - 1, false, true), (1, false, false)]
    {
        server.clock.advance(TimeDelta::seconds(seconds));
        for url in [&file, &manifest] {
            let reply = bob.request("GET", url, |request| request).await;
            assert_eq!(reply.status, if downloads { 200 } else { 403 }, "{url}");
            if !downloads {
                unchanged.route("an expired download", reply, 403, &["expired"]).await;
            }
        }
        let reply = bob.request("PUT", &bobs, |request| request.body("wrong bytes")).await;
        if uploads {
            unchanged.route("an upload in time", reply, 400, &["MD5"]).await;
        } else {
            unchanged.route("an expired upload", reply, 403, &["expired"]).await;
        }
    }
}

/// Operations with inputs that are good, to be spoilt in one place: whether the W&B protocol's, document, variables.
async fn operations(server: &Server, alice: &Client) -> Vec<(bool, &'static str, Value)> {
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let version = alice.log(&spec).await.id;
    let pending = alice.begin(&VersionSpec::model("alpha", "coming", b"on the way")).await.id;
    let registry = alice.make_registry("acme", "any", "ORGANIZATION").await;
    alice.link(&version, "acme", "any", "C", &["best"]).await.expect_ok();
    let run = json!({ "entityName": "alpha", "modelName": "demo", "groupName": "g", "description": "d", "displayName": "n", "notes": "n",
        "commit": "c", "config": "{}", "host": "h", "jobProgram": "p", "jobRepo": "r", "jobType": "t", "tags": ["t"],
        "summaryMetrics": "{}", "name": "run1" });
    input(alice, RUN, run.clone()).await.expect_ok();
    let draft = server
        .number(&format!("select id from manifest_drafts where version_id = {}", decode_id(&["Artifact"], &pending).unwrap()))
        .await;
    let key = server.number("select min(k.id) from api_keys k join entities e on e.id = k.user_id where e.name = 'alice'").await;
    let ours = version_id(&version);
    vec![
        (true, "query($n: String) { entity(name: $n) { id organization { name } } }", json!({ "n": "acme" })),
        (
            true,
            "query($e: String, $n: String) { project(entityName: $e, name: $n) { id } }",
            json!({ "e": "alpha", "n": "demo" }),
        ),
        (
            true,
            "query($e: String, $n: String) { entity(name: $e) { project(name: $n) { id } } }",
            json!({ "e": "alpha", "n": "demo" }),
        ),
        (
            true,
            "query($n: String!, $a: String!, $t: String!, $r: String!) { project(entityName: \"alpha\", name: \"demo\") { artifact(name: $n) { id } \
             artifactCollectionMembership(name: $n) { id } artifactCollection(name: $n) { artifactMembership(aliasName: $a) { id } } \
             artifactType(name: $t) { artifact(name: $n) { id } artifactCollection(name: $n) { id } } run(name: $r) { id } } }",
            json!({ "n": "net:latest", "a": "latest", "t": "model", "r": "run1" }),
        ),
        (
            true,
            "query($after: String, $names: [String!]) { project(entityName: \"alpha\", name: \"demo\") { artifactCollectionMembership(name: \"net\") { \
             files(after: $after, names: $names) { totalCount edges { node { name } } } } } }",
            json!({ "after": "", "names": ["model.txt"] }),
        ),
        (true, "query($id: ID!) { artifact(id: $id) { id } }", json!({ "id": version })),
        (true, "query($id: ID!) { clientIDMapping(clientID: $id) { serverID } }", json!({ "id": "client" })),
        (false, "query($n: String!) { organization(name: $n) { id } }", json!({ "n": "acme" })),
        (
            false,
            "query($o: String!, $n: String!, $c: String!, $a: String!, $after: String) { registry(organization: $o, name: $n) { \
             collection(name: $c) { link(alias: $a) { id } links(after: $after) { edges { node { id } } } } \
             collections(after: $after) { edges { node { id } } } } }",
            json!({ "o": "acme", "n": "any", "c": "C", "a": "best", "after": "" }),
        ),
        (false, "query($n: String!) { team(name: $n) { id } user(name: $n) { id } }", json!({ "n": "alpha" })),
        (
            false,
            "query($q: String, $after: String) { users(query: $q, after: $after) { edges { node { id } } } teams(after: $after) { edges { node { id } } } \
             organizations(after: $after) { edges { node { members(after: $after) { edges { node { role } } } registries(after: $after) { edges { node { id } } } } } } \
             viewer { apiKeys(after: $after) { edges { node { id } } } } }",
            json!({ "q": "ali", "after": "" }),
        ),
        (
            false,
            "query($id: ID!, $after: String) { version(id: $id) { files(after: $after) { edges { node { path } } } } }",
            json!({ "id": ours, "after": "" }),
        ),
        (
            true,
            UPSERT,
            json!({ "input": { "entityName": "acme", "name": "wandb-registry-new", "description": "d", "access": "PRIVATE",
            "artifactTypes": [{ "name": "model", "description": "d" }], "framework": "f", "id": "x" } }),
        ),
        (true, UPSERT, json!({ "input": { "entityName": "alpha", "name": "other", "description": "d" } })),
        (true, RUN, json!({ "input": run })),
        (
            true,
            CREATE,
            json!({ "input": { "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": "new",
            "runName": "run1", "digest": md5_hex(b""), "description": "d", "labels": "{}", "aliases": aliases("new", &["a"]),
            "metadata": "{}", "clientID": "c", "sequenceClientID": "s", "storageRegion": "default", "clientMutationId": "m" } }),
        ),
        (
            true,
            MANIFEST,
            json!({ "input": { "artifactID": pending, "name": "wandb_manifest.json", "digest": md5_base64(b""), "entityName": "alpha",
            "projectName": "demo", "runName": "run1", "type": "FULL" } }),
        ),
        (
            true,
            FILES,
            json!({ "input": { "artifactFiles": [{ "artifactID": pending, "name": "a", "md5": md5_base64(b""), "mimetype": "t",
            "artifactManifestID": encode_id("ArtifactManifest", draft), "storagePath": "p" }], "storageLayout": "V2" } }),
        ),
        (true, "mutation($id: ID!) { commitArtifact(input: { artifactID: $id }) { artifact { id } } }", json!({ "id": version })),
        (
            true,
            LINK,
            json!({ "input": with(link(&version, "acme", "wandb-registry-any", "C"), json!({ "aliases": aliases("C", &["x"]) })) }),
        ),
        (
            true,
            LINK,
            json!({ "input": { "clientID": "c", "entityName": "acme", "projectName": "wandb-registry-any", "artifactPortfolioName": "C" } }),
        ),
        (
            true,
            RUN_FILES,
            json!({ "input": { "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": ["a", "b"] } }),
        ),
        (
            true,
            USE,
            json!({ "input": { "artifactID": version, "entityName": "alpha", "projectName": "demo", "runName": "run1", "usedAs": "u",
            "artifactEntityName": "alpha", "artifactProjectName": "demo" } }),
        ),
        (
            false,
            REGISTRY_CREATE,
            json!({ "input": { "organization": "acme", "name": "new2", "description": "d", "types": ["model"] } }),
        ),
        (false, REGISTRY_UPDATE, json!({ "input": { "id": registry, "description": "d" } })),
        (false, VERSION_LINK, json!({ "input": { "version": ours, "target": "acme/wandb-registry-any/C", "aliases": ["y"] } })),
        (
            false,
            VERSION_BEGIN,
            json!({ "input": { "entity": "alpha", "project": "demo", "collection": "new3", "typeName": "model", "description": "d",
            "metadata": "{}", "aliases": ["a"], "files": [{ "path": "a", "md5": md5_hex(b""), "size": 0 }] } }),
        ),
        (false, "mutation($id: ID!) { versionCommit(input: { version: $id }) { version { id } } }", json!({ "id": ours })),
        (
            false,
            "mutation($input: OrganizationMemberSetInput!) { organizationMemberSet(input: $input) { organization { id } } }",
            json!({ "input": { "organization": "acme", "user": "bob", "role": "MEMBER" } }),
        ),
        (
            false,
            "mutation($input: OrganizationMemberRemoveInput!) { organizationMemberRemove(input: $input) { organization { id } } }",
            json!({ "input": { "organization": "acme", "user": "carol" } }),
        ),
        (
            false,
            "mutation($n: String!) { organizationDelete(input: { organization: $n }) { entityName } }",
            json!({ "n": "acme" }),
        ),
        (
            false,
            "mutation($input: OrganizationCreateInput!) { organizationCreate(input: $input) { organization { id } } }",
            json!({ "input": { "displayName": "new", "admin": "alice" } }),
        ),
        (
            false,
            "mutation($input: TeamCreateInput!) { teamCreate(input: $input) { team { id } } }",
            json!({ "input": { "organization": "acme", "name": "gamma", "admin": "alice" } }),
        ),
        (
            false,
            "mutation($input: TeamMemberSetInput!) { teamMemberSet(input: $input) { team { id } } }",
            json!({ "input": { "team": "alpha", "user": "bob" } }),
        ),
        (
            false,
            "mutation($input: TeamMemberRemoveInput!) { teamMemberRemove(input: $input) { team { id } } }",
            json!({ "input": { "team": "alpha", "user": "bob" } }),
        ),
        (false, "mutation($n: String!) { teamDelete(input: { team: $n }) { name } }", json!({ "n": "alpha" })),
        (
            false,
            "mutation($input: UserCreateInput!) { userCreate(input: $input) { user { id } } }",
            json!({ "input": { "name": "newcomer", "email": "a@example.com" } }),
        ),
        (false, "mutation($n: String!) { userDelete(input: { name: $n }) { name } }", json!({ "n": "nobody" })),
        (
            false,
            "mutation($input: UserSetDefaultEntityInput!) { userSetDefaultEntity(input: $input) { user { id } } }",
            json!({ "input": { "user": "alice", "entity": "alpha" } }),
        ),
        (
            false,
            "mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { apiKey { id } } }",
            json!({ "input": { "user": "alice", "name": "k" } }),
        ),
        (
            false,
            "mutation($input: ApiKeyImportInput!) { apiKeyImport(input: $input) { apiKey { id } } }",
            json!({ "input": { "user": "alice", "name": "k", "secret": "0123456789012345678901234567890123456789" } }),
        ),
        (
            false,
            "mutation($id: ID!) { apiKeyRevoke(input: { id: $id }) { id } }",
            json!({ "id": encode_id("ApiKey", key + 999) }),
        ),
    ]
}

fn version_id(artifact: &str) -> String {
    encode_id("Version", decode_id(&["Artifact"], artifact).unwrap())
}

/// The places of all texts in a value.
fn texts(value: &Value, at: &str, places: &mut Vec<String>) {
    match value {
        Value::String(_) => places.push(at.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| texts(item, &format!("{at}/{i}"), places)),
        Value::Object(fields) => fields.iter().for_each(|(name, item)| texts(item, &format!("{at}/{name}"), places)),
        _ => {}
    }
}

/// NUL, half a surrogate pair, and texts far too long in every string of every operation: refused with a sentence and
/// nothing changed, or (where the text means nothing, or any text is fine) accepted; never a 5xx, which the kit's gate sees.
#[tokio::test]
async fn hostile_texts_in_every_argument() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let admin = server.admin().await;
    let operations = operations(&server, &alice).await;
    let mut before = server.everything().await;
    let (mut tried, mut badly_said) = (0, Vec::new());
    for (_, document, variables) in operations {
        let mut places = Vec::new();
        texts(&variables, "", &mut places);
        assert!(!places.is_empty(), "{document}");
        for place in places {
            for (kind, hostile) in [("NUL", "a\u{0}b".to_owned()), ("200,000 letters", text(200_000, 'a'))] {
                let mut spoilt = variables.clone();
                *spoilt.pointer_mut(&place).unwrap() = Value::String(hostile.clone());
                for client in [&alice, &admin] {
                    let answer = client.graphql(document, spoilt.clone()).await;
                    let after = server.everything().await;
                    let what = format!("{kind} at {place} of {document:.90}");
                    if answer.errors.is_empty() {
                        before = after;
                    } else {
                        // Without a code it is the engine's own: a word that isn't one of an enumeration's.
                        let said = answer.message();
                        if said.len() >= LONGEST || !said.contains(' ') || (!answer.code().is_empty() && !said.ends_with('.')) {
                            badly_said.push(format!("{what}: {said:.120}"));
                        }
                        assert_eq!(before, after, "{what}");
                    }
                    tried += 1;
                }
            }
            // No JSON holds half a pair: the request is no request.
            let mut spoilt = variables.clone();
            *spoilt.pointer_mut(&place).unwrap() = json!("HALF");
            let body = json!({ "query": document, "variables": spoilt }).to_string().replace("HALF", "\\ud800");
            let reply = alice
                .request("POST", "/graphql", |request| {
                    request.bearer_auth(alice.key()).header("content-type", "application/json").body(body)
                })
                .await;
            assert_eq!(reply.status, 400, "{place} of {document}");
            sentence(document, &reply.message(), &[]);
        }
    }
    assert!(tried > 400, "{tried}");
    assert_eq!(before, server.everything().await);
    assert!(badly_said.is_empty(), "{}", badly_said.join("\n"));
    // In the document itself: an escape for NUL, for half a pair, in a string and in a block string.
    for literal in [
        "\"\\u0000\"",
        "\"\\uD800\"",
        "\"\\uDC00\\uD800\"",
        "\"\\u{0}\"",
        "\"\\x00\"",
        "\"\u{0}\"",
        "\"\"\"\u{0}\"\"\"",
        "\"a\nb\"",
    ] {
        for field in ["user", "team", "organization", "entity"] {
            let answer = alice.graphql(&format!("{{ {field}(name: {literal}) {{ id }} }}"), json!({})).await;
            let found = answer.data[field].is_null();
            assert!(found && answer.status < 500, "{field} {literal}: {} {}", answer.status, answer.data);
        }
    }
}

/// What is named with a NUL is absent, or its page is refused, and what is asked for beside it is answered: rows that one document
/// names are looked up together.
#[tokio::test]
async fn a_nul_in_one_name_leaves_the_others() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    alice.link(&version, "acme", "model", "Net", &["best"]).await.expect_ok();
    let registry = |fields: &str| format!("registry(organization: \"acme\", name: \"model\") {{ {fields} }}");
    let project = |fields: &str| format!("project(entityName: \"acme\", name: \"wandb-registry-model\") {{ {fields} }}");
    let two = |field: &str, good: &str, bad: &str, fields: &str| {
        format!("good: {} {fields} bad: {} {fields}", field.replace("TEXT", good), field.replace("TEXT", bad))
    };
    let nul = "a\\u0000b";
    for (query, at) in [
        (
            format!("organization(name: \"acme\") {{ {} }}", two("registry(name: \"TEXT\")", "model", nul, "{ id }")),
            "/organization",
        ),
        (registry(&two("collection(name: \"TEXT\")", "Net", nul, "{ id }")), "/registry"),
        (
            registry(&format!("collection(name: \"Net\") {{ {} }}", two("link(alias: \"TEXT\")", "best", nul, "{ id }"))),
            "/registry/collection",
        ),
        (registry(&two("effectiveAccess(user: \"TEXT\")", "alice", nul, "{ role }")), "/registry"),
        (project(&two("artifactCollection(name: \"TEXT\")", "Net", nul, "{ id }")), "/project"),
        (project(&two("artifactCollectionMembership(name: \"TEXT\")", "Net:best", nul, "{ id }")), "/project"),
        (project(&two("artifact(name: \"TEXT\")", "Net:best", "Net:a\\u0000", "{ id }")), "/project"),
    ] {
        let data = alice.graphql(&format!("{{ {query} }}"), json!({})).await.ok();
        let found = data.pointer(at).unwrap();
        assert!(found["good"].is_object() && found["bad"].is_null(), "{query}: {data}");
    }
    let cursor = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!(text).to_string());
    let place = "artifactCollectionMembership(name: \"Net:best\")";
    for (query, good, bad) in [
        (registry("userMembers(after: \"AFTER\") { nodes { role } }"), "a", "a\0"),
        (registry("teamMembers(after: \"AFTER\") { nodes { role } }"), "a", "a\0"),
        (project("artifactCollection(name: \"Net\") { aliases(after: \"AFTER\") { edges { cursor } } }"), "a", "a\0"),
        (project(&format!("{place} {{ files(after: \"AFTER\") {{ edges {{ cursor }} }} }}")), "0", "a"),
        (format!("version(id: \"{}\") {{ files(after: \"AFTER\") {{ nodes {{ path }} }} }}", version_id(&version)), "0", "a"),
        ("viewer { apiKeys(after: \"AFTER\") { nodes { id } } }".to_owned(), "0", "a"),
    ] {
        let [good, bad] = [good, bad].map(|text| query.replace("AFTER", &cursor(text)));
        alice.graphql(&format!("{{ {good} }}"), json!({})).await.expect_ok();
        let answer = alice.graphql(&format!("{{ good: {good} bad: {bad} }}"), json!({})).await;
        assert_eq!(answer.errors.len(), 1, "{query}: {:?}", answer.errors);
        assert_eq!(answer.code(), "INVALID", "{query}: {:?}", answer.errors);
        assert!(answer.message().contains("not a cursor of this list"), "{query}: {}", answer.message());
    }
}

/// Ids: of another kind, in another writing, out of range: refused wherever one is taken, and never read as another's.
#[tokio::test]
async fn ids_that_are_none() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let operations = operations(&server, &alice).await;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let mut unchanged = Unchanged::since_now(&server).await;
    let mut tried = 0;
    for (wire, document, variables) in operations {
        let mut places = Vec::new();
        texts(&variables, "", &mut places);
        for place in places {
            let good = variables.pointer(&place).unwrap().as_str().unwrap();
            let decoded =
                base64::engine::general_purpose::STANDARD.decode(good).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let Some((kind, number)) = decoded.as_deref().and_then(|text| text.split_once(':')) else { continue };
            if number.parse::<i64>().is_err() {
                continue;
            }
            let mut bad: Vec<String> =
                ["Project", "ProjectInternalId", "User", "Entity", "Organization", "Team", "Run", "Link", "Collection", "File"]
                    .iter()
                    .filter(|other| **other != kind)
                    .map(|other| encode_id(other, number.parse().unwrap()))
                    .collect();
            bad.extend(
                [
                    "K:05",
                    "K:00",
                    "K:0",
                    "K:-1",
                    "K:+1",
                    "K: 1",
                    "K:1 ",
                    "K:1:1",
                    "K:",
                    "K",
                    "K:1.0",
                    "K:1e3",
                    "K:9223372036854775808",
                    "K:99999999999999999999",
                    "K:0x1",
                    "K:٣",
                    "k:1",
                    ":1",
                    "K:1\u{0}",
                    "K:1\n",
                ]
                .map(|text| encode(&text.replace('K', kind))),
            );
            bad.push(encode(&format!("{}:{number}", kind.to_lowercase())));
            bad.extend([
                String::new(),
                number.to_owned(),
                format!("{kind}:{number}"),
                good.trim_end_matches('=').to_owned() + "====",
                format!(" {good}"),
                format!("{good}\n"),
                "💩".to_owned(),
                text(10_000, 'A'),
            ]);
            for id in bad {
                let mut spoilt = variables.clone();
                *spoilt.pointer_mut(&place).unwrap() = json!(id);
                let what = format!("{id:.60} at {place} of {document:.60}");
                let answer = alice.graphql(document, spoilt).await;
                if wire {
                    unchanged.wire(&what, answer, 400, &["id"]).await;
                } else {
                    unchanged.ours(&what, answer, "INVALID", &["id"]).await;
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
}
