//! What single operations refuse: what is not there or does not fit, names, taken names, aliases. What must not live
//! here: what every operation refuses (`everywhere`).

use super::*;

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
        ("another entity's project", link(&version, "alice", "demo", "C"), 400, vec![LINKING, "alpha", "alice"]),
        (
            "a registry and no collection",
            link(&version, "alpha", "demo", "wandb-registry-model"),
            400,
            vec!["/COLLECTION", "wandb-registry-model"],
        ),
        ("an ordinary project of the organization", link(&version, "acme", "demo", "C"), 400, vec!["organization", "team"]),
        ("a project of an unknown entity", link(&version, "acne", "demo", "C"), 404, vec!["acne"]),
        ("a collection where versions are logged", link(&version, "alpha", "demo", "net"), 409, vec!["net", "logged"]),
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
    for target in ["", "a/b/c/d", "/wandb-registry-any/C", "acme/wandb-registry-any", "acme/wandb-registry-any/"] {
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
        (
            &alice,
            "tags",
            with(create("alpha", "demo", "net"), json!({ "tags": [{ "tagName": "t/" }] })),
            400,
            vec!["tag", "letters"],
        ),
        (
            &alice,
            "an expiry in a thousand years",
            with(create("alpha", "demo", "net"), json!({ "ttlDurationSeconds": 31_557_600_000_i64 })),
            400,
            vec!["expiry", "hundred years"],
        ),
        (
            &alice,
            "no expiry at all",
            with(create("alpha", "demo", "net"), json!({ "ttlDurationSeconds": 0 })),
            400,
            vec!["expiry"],
        ),
        (
            &alice,
            "too long a distributed id",
            with(create("alpha", "demo", "net"), json!({ "distributedID": "x".repeat(257) })),
            400,
            vec!["distributedID"],
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
            "metadata 1,000 levels deep",
            with(
                create("alpha", "demo", "net"),
                json!({ "metadata": format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000)) }),
            ),
            400,
            vec!["etadata"],
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
    // Of two versions it says nothing.
    let taken = with(create("alpha", "demo", "net"), json!({ "clientID": "alice's own" }));
    input(&alice, CREATE, taken).await.expect_ok();
    let mut unchanged = Unchanged::since_now(&server).await;
    let either =
        with(link(&version, "acme", "wandb-registry-any", "C"), json!({ "artifactID": null, "clientID": "alice's own" }));
    unchanged.wire("a client's id of several versions", input(&alice, LINK, either).await, 409, &["clientID"]).await;
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
        ("a base that isn't there", json!({ "type": "INCREMENTAL", "baseArtifactID": absent }), 404, vec!["based on"]),
        ("a base that is begun", json!({ "type": "INCREMENTAL", "baseArtifactID": pending }), 404, vec!["based on"]),
        ("a patch of a whole version", json!({ "type": "PATCH" }), 400, vec!["whole manifest"]),
        ("a digest that is none", json!({ "digest": "xyz" }), 400, vec!["digest"]),
        ("a digest in hexadecimal", json!({ "digest": md5_hex(b"") }), 400, vec!["digest"]),
        ("a committed version's manifest", json!({ "artifactID": version }), 409, vec!["committed"]),
        ("an unknown version's manifest", json!({ "artifactID": absent }), 404, vec!["version"]),
    ] {
        unchanged.wire(what, input(&alice, MANIFEST, manifest(fields)).await, status, &words).await;
    }
    let again = |fields: Value| {
        with(json!({ "artifactManifestID": encode_id("ArtifactManifest", 999_999), "digest": md5_base64(b"") }), fields)
    };
    for (what, fields, status, words) in [
        ("a manifest that isn't there again", json!({}), 404, vec!["version"]),
        ("no digest", json!({ "digest": null }), 400, vec!["digest"]),
        ("an empty digest", json!({ "digest": "" }), 400, vec!["digest"]),
        ("a digest in hexadecimal again", json!({ "digest": md5_hex(b"") }), 400, vec!["digest"]),
        ("a version's id", json!({ "artifactManifestID": version }), 400, vec!["id"]),
    ] {
        unchanged.wire(what, input(&alice, UPDATE_MANIFEST, again(fields)).await, status, &words).await;
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
        ("a path out of the run", files(json!({ "files": ["../b"] })), 400, vec!["../b"]),
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
    // A summary that can't be kept is dropped: at a refusal the SDK would send nothing more of the run, not even its end.
    let large = format!("{{\"text\": \"{}\"}}", "a".repeat(4 << 20));
    let deep = format!("{}{}", "{\"a\": ".repeat(1000), "}".repeat(1000));
    for (summary, state, end) in [
        ("what?", "running", json!({})),
        (&deep, "running", json!({})),
        (&large, "finished", json!({ "complete": true, "exitcode": 0 })),
    ] {
        let mut body = json!({ "files": { "wandb-summary.json": { "offset": 0, "content": [summary] } } });
        body.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        let body = body.to_string();
        let reply = alice
            .request("POST", "/files/alpha/demo/run1/file_stream", |request| request.bearer_auth(alice.key()).body(body))
            .await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "{}"));
        assert_eq!(server.rows("select state, summary::text from runs").await, [json!({ "state": state, "summary": "{}" })]);
    }
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
        ("project", vec!["a b".to_owned(), text(128, 'é'), "...".to_owned()]),
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
