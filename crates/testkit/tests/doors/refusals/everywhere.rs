//! What is refused at every operation: keys, hostile texts, ids that are none. What must not live here: what is
//! particular to one operation (`operations`).

use super::*;

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
        (true, CREATE, json!({ "input": with(create("alpha", "demo", "together"), json!({ "distributedID": "d" })) })),
        (
            true,
            MANIFEST,
            json!({ "input": { "artifactID": pending, "baseArtifactID": version, "name": "n", "digest": "", "entityName": "e",
            "projectName": "p", "runName": "r", "type": "INCREMENTAL" } }),
        ),
        (
            true,
            UPDATE_MANIFEST,
            json!({ "input": { "artifactManifestID": encode_id("ArtifactManifest", draft), "baseArtifactID": version, "digest": md5_base64(b"") } }),
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
            "mutation($input: UserUpdateInput!) { userUpdate(input: $input) { user { id } } }",
            json!({ "input": { "user": "alice", "defaultEntity": "alpha" } }),
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
        format!("bad: {} {fields} good: {} {fields}", field.replace("TEXT", bad), field.replace("TEXT", good))
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

/// What the schema doesn't have is told in the words by which SDKs find that out.
#[tokio::test]
async fn rule_45_fields_that_are_not_there() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for (document, told) in [
        ("{ serverInfo { weather } }", "Cannot query field \"weather\" on type \"ServerInfo\"."),
        ("query Q { weather }", "Cannot query field \"weather\" on type \"Query\"."),
        ("{ viewer { ...F } } fragment F on User { weather }", "Cannot query field \"weather\" on type \"User\"."),
        (
            "mutation { commitArtifact(input: { artifactID: \"x\" }) { runSpec } }",
            "Cannot query field \"runSpec\" on type \"CommitArtifactPayload\".",
        ),
    ] {
        let answer = alice.graphql(document, json!({})).await;
        assert_eq!((answer.status, answer.errors.len(), answer.message()), (400, 1, told), "{document}");
    }
}

/// Whoever begins a run repeats a 409 for minutes, whatever else the document asks for, so there it is a 400.
#[tokio::test]
async fn rule_45_a_conflict_where_a_run_begins() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let id = alice.create_version(&VersionSpec::model("alpha", "net", b"1"), "c").await.ok()["createArtifact"]["artifact"]["id"]
        .clone();
    let run = "upsertBucket(input: { entityName: \"alpha\", modelName: \"demo\", name: \"run1\" }) { inserted }";
    let commit = "commitArtifact(input: { artifactID: $id }) { artifact { id } }";
    for (more, status) in [(run, 400), ("", 409)] {
        let document = format!("mutation($id: ID!) {{ {more} {commit} }}");
        let answer = alice.graphql(&document, json!({ "id": id })).await;
        assert_eq!((answer.status, answer.code()), (status, "CONFLICT"), "{document}: {}", answer.message());
    }
    // What isn't there and what may not be done keep their status.
    for (entity, status) in [("nobody", 404), ("acme", 400)] {
        let document = run.replace("alpha", entity);
        assert_eq!(alice.graphql(&format!("mutation {{ {document} }}"), json!({})).await.status, status, "{entity}");
    }
}
