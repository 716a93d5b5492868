//! What is refused on the way to a version: paths, manifests, commits, content of others.
//! What must not live here: what is committed (`main_job`).

use super::*;

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
        "C:\\x",
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
        ("a digest that is too short", entry("\"digest\":\"AAAA\",\"size\":11"), 400, vec!["model.txt"]),
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
        // The same as a part, with a good one beside it.
        let created = alice.create_shared(&spec, what, what).await.ok();
        let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap();
        alice.send_part(id, "PATCH", None, &spec.files, &spec.manifest()).await;
        alice.send_part(id, "PATCH", None, &[], text.as_bytes()).await;
        refused_commit(&server, &alice, &format!("{what}, in a part"), id, status, &words).await;
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
