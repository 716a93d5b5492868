//! Files of a version as clients list and fetch them: ranges, lengths and entity tags, names, `/artifactsV2`, references,
//! pages, the manifest as it is served, and that nothing is left behind. What must not live here: who may have them
//! (`access`), and what is refused (`refusals`).

use std::collections::BTreeSet;
use std::time::Duration;

use regalia_testkit::{Client, Reply, Server, VersionSpec, md5_base64, md5_hex};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::documents;

const LIST: &str = "query($entity: String!, $project: String!, $name: String!, $first: Int, $after: String, $names: [String!]) { \
    project(entityName: $entity, name: $project) { artifactCollectionMembership(name: $name) { artifact { id size fileCount \
    currentManifest { file { directUrl } } } files(first: $first, after: $after, names: $names) { totalCount pageInfo { \
    hasNextPage hasPreviousPage endCursor } edges { cursor node { name displayName url directUrl sizeBytes digest md5 storagePath \
    updatedAt } } } } } }";

async fn list(client: &Client, name: &str, more: Value) -> regalia_testkit::Answer {
    let mut variables = json!({ "entity": "alpha", "project": "demo", "name": name });
    variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.graphql(LIST, variables).await
}

/// The listed files of a version of `alpha/demo`.
async fn nodes(client: &Client, name: &str) -> Vec<Value> {
    let listed = list(client, name, json!({})).await.ok();
    let edges = listed["project"]["artifactCollectionMembership"]["files"]["edges"].as_array().unwrap().clone();
    edges.into_iter().map(|edge| edge["node"].clone()).collect()
}

async fn manifest(client: &Client, name: &str) -> Vec<u8> {
    let listed = list(client, name, json!({})).await.ok();
    let url = &listed["project"]["artifactCollectionMembership"]["artifact"]["currentManifest"]["file"]["directUrl"];
    let (status, _, bytes) = client.get(url.as_str().unwrap(), &[]).await;
    assert_eq!(status, 200);
    bytes
}

fn file(path: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    (path.to_owned(), bytes.to_vec())
}

async fn get(client: &Client, method: &str, url: &str, headers: &[(&str, &str)]) -> Reply {
    client
        .request(method, url, |request| headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
        .await
}

/// Ranges, conditions, lengths: of a file, of an empty file and of a manifest, by signed URLs and by key.
#[tokio::test]
async fn ranges_lengths_and_conditions() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let mut spec = VersionSpec::model("alpha", "net", b"");
    spec.files = vec![file("big.bin", &bytes), file("empty", b"")];
    let id = alice.log(&spec).await.id;
    let nodes = nodes(&alice, "net").await;
    let (big, empty) = (nodes[0]["directUrl"].as_str().unwrap(), nodes[1]["directUrl"].as_str().unwrap());
    let authorization = format!("Bearer {}", alice.key());
    let by_key = format!("/artifactsV2/default/alpha/demo/net/{id}/{id}/{}/big.bin", md5_hex(&bytes));
    for (url, authorization) in [(big, None), (by_key.as_str(), Some(authorization.as_str()))] {
        let fetch = |method: &'static str, headers: Vec<(&'static str, String)>| {
            let (alice, url, authorization) = (alice.clone(), url.to_owned(), authorization.map(str::to_owned));
            async move {
                let mut all: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                all.extend(authorization.as_deref().map(|value| ("authorization", value)));
                get(&alice, method, &url, &all).await
            }
        };
        let whole = fetch("GET", vec![]).await;
        assert_eq!((whole.status, whole.body.as_slice()), (200, bytes.as_slice()));
        assert_eq!(
            (&whole.headers["content-length"], &whole.headers["accept-ranges"]),
            (&"100000".parse().unwrap(), &"bytes".parse().unwrap())
        );
        assert_eq!(whole.headers["x-content-type-options"], "nosniff");
        assert_eq!(whole.headers["content-disposition"], "attachment");
        let etag = whole.headers["etag"].to_str().unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 66, "a strong tag of the SHA-256: {etag}");
        let head = fetch("HEAD", vec![]).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-length", "etag", "accept-ranges", "content-type"] {
            assert_eq!(head.headers[name], whole.headers[name], "{name} of HEAD");
        }
        for (range, start, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=0-99", 0, 100),
            ("bytes=100-199", 100, 200),
            ("bytes=99999-", 99_999, 100_000),
            ("bytes=50000-", 50_000, 100_000),
            ("bytes=99990-200000", 99_990, 100_000),
            ("bytes=-10", 99_990, 100_000),
            ("bytes=-200000", 0, 100_000),
            ("bytes=0-", 0, 100_000),
        ] {
            let part = fetch("GET", vec![("range", range.to_owned())]).await;
            assert_eq!((part.status, part.body.as_slice()), (206, &bytes[start..end]), "{range}");
            assert_eq!(part.headers["content-range"], format!("bytes {start}-{}/100000", end - 1), "{range}");
            assert_eq!(part.headers["content-length"], (end - start).to_string().as_str(), "{range}");
            assert_eq!(part.headers["etag"], etag.as_str(), "{range}");
        }
        for range in ["bytes=100000-", "bytes=100000-100001", "bytes=-0", "bytes=99999999999999999999-"] {
            let outside = fetch("GET", vec![("range", range.to_owned())]).await;
            assert_eq!(outside.status, 416, "{range}");
            assert_eq!(outside.headers["content-range"], "bytes */100000", "{range}");
            assert!(outside.message().contains("100000"), "{range}: {}", outside.text());
        }
        // What is no single range of bytes is the whole file.
        for range in ["bytes=5-1", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", "bytes", "bytes=-", ""] {
            let whole = fetch("GET", vec![("range", range.to_owned())]).await;
            assert_eq!((whole.status, whole.body.len()), (200, bytes.len()), "{range}");
        }
        let other = format!("\"{}\"", "0".repeat(64));
        for (condition, value, status) in [
            ("if-none-match", etag.clone(), 304),
            ("if-none-match", "*".to_owned(), 304),
            ("if-none-match", format!("{other}, {etag}"), 304),
            ("if-none-match", format!("W/{etag}"), 304),
            ("if-none-match", other.clone(), 206),
            ("if-range", etag.clone(), 206),
            ("if-range", other.clone(), 200),
            ("if-range", format!("W/{etag}"), 200),
            ("if-range", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), 200),
        ] {
            let reply = fetch("GET", vec![(condition, value.clone()), ("range", "bytes=0-9".to_owned())]).await;
            let length = match status {
                304 => 0,
                206 => 10,
                _ => bytes.len(),
            };
            assert_eq!((reply.status, reply.body.len()), (status, length), "{condition}: {value}");
            assert_eq!(reply.headers["etag"], etag.as_str(), "{condition}: {value}");
        }
    }
    // An empty file has a length, and no byte to ask for.
    let whole = get(&alice, "GET", empty, &[]).await;
    assert_eq!((whole.status, whole.body.len(), &whole.headers["content-length"]), (200, 0, &"0".parse().unwrap()));
    for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
        let outside = get(&alice, "GET", empty, &[("range", range)]).await;
        assert_eq!((outside.status, &outside.headers["content-range"]), (416, &"bytes */0".parse().unwrap()), "{range}");
    }
    // The manifest is a file like any other.
    let listed = list(&alice, "net", json!({})).await.ok();
    let url =
        listed["project"]["artifactCollectionMembership"]["artifact"]["currentManifest"]["file"]["directUrl"].as_str().unwrap();
    let part = get(&alice, "GET", url, &[("range", "bytes=0-0")]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, b"{".as_slice()));
    // A URL needs no key; one that comes along, of anybody or of nobody, changes nothing.
    for authorization in ["Basic bm9ib2R5OnNvbWV0aGluZw==", "Bearer nothing", "what?", &format!("Bearer {}", bob.key())] {
        assert_eq!(get(&alice, "GET", big, &[("authorization", authorization)]).await.status, 200, "{authorization}");
    }
}

/// Names are what they are: nothing in them is decoded, and each URL brings its own file.
#[tokio::test]
async fn rule_37_names_are_taken_literally() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let names = [
        "plain.txt",
        "with space.txt",
        " leading and trailing ",
        "dir/sub dir/file",
        "ünï/cödé.txt",
        "u\u{308}ni.txt",
        "モデル/重み.bin",
        "😀.png",
        "%2F",
        "a%2Fb",
        "%2e%2e/secret",
        "%00",
        "100%",
        "a+b c",
        "a#b",
        "a?b=c&d",
        "quote\"and'quote",
        "semi;colon,comma",
        "[x]{y}(z)",
        "a=b&actor=1",
        "~tilde",
        "...",
        ".hidden",
        "..a/b..",
        "back`tick",
        "less<more>",
        "pipe|star*",
        "12:30:00.log",
        "wandb_manifest.json",
        "a/wandb_manifest.json",
        "@at",
        "$dollar",
        "caret^",
        "\u{202e}right-to-left",
    ];
    let mut spec = VersionSpec::model("alpha", "net", b"");
    spec.files = names.iter().enumerate().map(|(i, name)| file(name, format!("bytes of {i}").as_bytes())).collect();
    let longest = "x/".repeat(2047) + "xy";
    spec.files.push(file(&longest, b"the longest path"));
    let id = alice.log(&spec).await.id;
    let nodes = nodes(&alice, "net").await;
    assert_eq!(nodes.len(), spec.files.len());
    for (name, bytes) in &spec.files {
        let node = nodes.iter().find(|node| node["name"] == json!(name)).unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!((&node["displayName"], &node["sizeBytes"]), (&json!(name), &json!(bytes.len())), "{name}");
        assert_eq!((&node["md5"], &node["digest"]), (&json!(md5_base64(bytes)), &json!(md5_base64(bytes))), "{name}");
        assert!(node["storagePath"].as_str().unwrap().starts_with("wandb_artifacts/"), "{name}");
        let url = node["directUrl"].as_str().unwrap();
        assert_eq!(node["url"], node["directUrl"]);
        let (status, _, found) = alice.get(url, &[]).await;
        assert_eq!((status, &found), (200, bytes), "{name} at {url}");
        // `/artifactsV2` with its slashes kept, and with each encoded: decoded once.
        let encode = |keep_slash: bool| -> String {
            name.bytes()
                .map(|b| {
                    if b.is_ascii_alphanumeric() || (keep_slash && b == b'/') {
                        char::from(b).to_string()
                    } else {
                        format!("%{b:02X}")
                    }
                })
                .collect()
        };
        for name in [encode(true), encode(false)] {
            let path = format!("/artifactsV2/default/alpha/demo/net/{id}/{id}/{}/{name}", md5_hex(bytes));
            let (status, _, found) = alice.get_path(&path, &[]).await;
            assert_eq!((status, &found), (200, bytes), "{path}");
        }
    }
    let served: Value = serde_json::from_slice(&manifest(&alice, "net").await).unwrap();
    let served: BTreeSet<&String> = served["contents"].as_object().unwrap().keys().collect();
    assert_eq!(served, spec.files.iter().map(|(name, _)| name).collect());
}

/// `/artifactsV2/REGION/ENTITY/PROJECT/COLLECTION/ARTIFACT/BIRTH/MD5/NAME` with the key, in all its forms.
#[tokio::test]
async fn files_by_key() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let mut spec = VersionSpec::model("alpha", "net", b"");
    // Two files of one MD5 are one file's bytes; the name tells apart what is different.
    spec.files = vec![file("a/model.txt", b"the weights"), file("b/model.txt", b"other weights"), file("copy", b"the weights")];
    spec.references = vec![("ref".to_owned(), "s3://bucket/key".to_owned())];
    let id = alice.log(&spec).await.id;
    let other = alice.log(&VersionSpec::model("alpha", "other", b"elsewhere")).await.id;
    alice.make_registry("acme", "r", "ORGANIZATION").await;
    alice.link(&id, "acme", "r", "Example ML Task", &[]).await.expect_ok();
    let (md5, encoded) = (md5_hex(b"the weights"), id.replace('=', "%3D"));
    for (path, wanted) in [
        (format!("default/alpha/demo/net/{id}/{id}/{md5}/a/model.txt"), true),
        (format!("default/alpha/demo/net/{encoded}/{encoded}/{md5}/a%2Fmodel.txt"), true),
        (format!("default/alpha/demo/net/{id}/{id}/{md5}/model.txt"), true),
        (format!("default/alpha/demo/net/{id}/{id}/{md5}/whatever"), true),
        (format!("default/alpha/demo/net/{id}//{md5}/a/model.txt"), true),
        (format!("/alpha/demo/net/{id}/{id}/{md5}/a/model.txt"), true),
        (format!("minio-local/alpha/demo/net/{id}/{id}/{md5}/a/model.txt"), true),
        (format!("default/alpha///{id}/{id}/{md5}/a/model.txt"), true),
        (format!("default////{id}/{id}/{md5}/a/model.txt"), true),
        (format!("default/acme/wandb-registry-r/Example%20ML%20Task/{id}/{id}/{md5}/a/model.txt"), true),
        (format!("default/alpha/demo/net/{id}/{id}/{md5}/a/model.txt?x=y"), true),
        // As clients without the artifact's id in the path send it.
        (format!("default/alpha/demo/net/{id}/{md5}/a/model.txt"), true),
        (format!("default/acme/wandb-registry-r/Example%20ML%20Task/{id}/{md5}/model.txt"), true),
        (format!("default/alpha/demo/other/{id}/{md5}/a/model.txt"), false),
        (format!("default/alpha/demo/net/{id}/{}/a/model.txt", md5_hex(b"not there")), false),
        // The path must be one of this version, and the birth artifact is a claim that means nothing.
        (format!("default/alpha/demo/net/{id}/{other}/{md5}/a/model.txt"), true),
        (format!("default/alpha/demo/net/{other}/{id}/{md5}/a/model.txt"), false),
        (format!("default/alpha/demo/other/{id}/{id}/{md5}/a/model.txt"), false),
        (format!("default/alpha/demo/none/{id}/{id}/{md5}/a/model.txt"), false),
        (format!("default/alpha/none/net/{id}/{id}/{md5}/a/model.txt"), false),
        (format!("default/acme/wandb-registry-r/net/{id}/{id}/{md5}/a/model.txt"), false),
        (format!("default/acme/r/Example%20ML%20Task/{id}/{id}/{md5}/a/model.txt"), false),
        (format!("default/none/demo/net/{id}/{id}/{md5}/a/model.txt"), false),
        (format!("default/alpha/demo/net/{id}/{id}/{}/a/model.txt", md5_hex(b"not there")), false),
        (format!("default/alpha/demo/net/{id}/{id}/{}/elsewhere", md5_hex(b"elsewhere")), false),
        (format!("default/alpha/demo/net/{id}/{id}/{}/ref", md5_hex(b"s3://bucket/key")), false),
    ] {
        let (status, headers, bytes) = alice.get_path(&format!("/artifactsV2/{path}"), &[]).await;
        assert_eq!(status, if wanted { 200 } else { 404 }, "{path}");
        if wanted {
            assert_eq!(
                (bytes.as_slice(), &headers["content-length"]),
                (b"the weights".as_slice(), &"11".parse().unwrap()),
                "{path}"
            );
        }
    }
    // Ill-formed: 400 and a sentence that shows the form.
    for path in [
        "x".to_owned(),
        format!("default/alpha/demo/net/{id}/{id}/{}/a", &md5[1..]),
        format!("default/alpha/demo/net/{id}/{id}/{}/a", md5.to_uppercase()),
        format!("default/alpha/demo/net/{id}/{id}/zz/a"),
        format!("default/alpha/demo/net/nonsense/{id}/{md5}/a"),
        format!("default/alpha/demo/net/UHJvamVjdDox/{id}/{md5}/a"),
        format!("default/alpha/demo/net/{id}/{id}"),
    ] {
        let reply = alice.request("GET", &format!("/artifactsV2/{path}"), |request| request.bearer_auth(alice.key())).await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
        assert!(reply.message().ends_with('.') && reply.message().contains(' '), "{path}: {}", reply.message());
    }
    // A name that looks like an MD5, and be it that of another file (rule 39); and names with a percent sign, as SDKs send
    // them: not encoded.
    let name = md5_hex(b"other weights");
    let mut spec = VersionSpec::model("alpha", "pointers", b"");
    spec.files = vec![file("b/model.txt", b"other weights"), file("caf%E9.txt", b"coffee"), file("100%", b"all of it")];
    spec.files.push(file(&format!("blobs/{name}"), b"a pointer"));
    let pointers = alice.log(&spec).await.id;
    for birth in [pointers.clone(), format!("{pointers}/{pointers}")] {
        for (name, wanted) in [
            (name.as_str(), "a pointer"),
            (&format!("blobs/{name}"), "a pointer"),
            ("caf%E9.txt", "coffee"),
            ("100%", "all of it"),
        ] {
            let path = format!("/artifactsV2/default/alpha/demo/pointers/{birth}/{}/{name}", md5_hex(wanted.as_bytes()));
            let (status, _, bytes) = alice.get_path(&path, &[]).await;
            assert_eq!((status, String::from_utf8_lossy(&bytes)), (200, wanted.into()), "{path}");
        }
    }
    // Whoever sees only the registry's link takes that path, and no other.
    let by_link = format!("/artifactsV2/default/acme/wandb-registry-r/Example%20ML%20Task/{id}/{id}/{md5}/a/model.txt");
    let by_source = format!("/artifactsV2/default/alpha/demo/net/{id}/{id}/{md5}/a/model.txt");
    assert_eq!((bob.get_path(&by_link, &[]).await.0, bob.get_path(&by_source, &[]).await.0), (200, 404));
    // The key as either of the two schemes; no key and a wrong one are 401.
    let by_basic = bob.request("GET", &by_link, |request| request.basic_auth("user", Some(bob.key()))).await;
    assert_eq!(by_basic.status, 200);
    for (user, status) in [(server.anonymous(), 401), (bob.with_key(&"0".repeat(40)), 401), (bob.with_key("short"), 401)] {
        let reply = user.get_path(&by_link, &[]).await;
        assert_eq!((reply.0, reply.1.contains_key("www-authenticate")), (status, true));
    }
}

/// Rule 38: a reference is listed with its URI like every file, and the server never goes there.
#[tokio::test]
async fn rule_38_references_are_inert() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap = format!("http://{}/secret", elsewhere.local_addr().unwrap());
    let uris = [
        "s3://bucket/some key?versionId=1",
        "https://example.com/a#b",
        "gs://bucket/ü",
        "file:///etc/passwd",
        "file://../../etc/passwd",
        "ftp://example.com",
        "javascript:alert(1)",
        "not a URI at all",
        trap.as_str(),
    ];
    let mut spec = VersionSpec::model("alpha", "net", b"the weights");
    spec.references = uris.iter().enumerate().map(|(i, uri)| (format!("ref/{i}"), (*uri).to_owned())).collect();
    let id = alice.log(&spec).await.id;
    let listed = list(&alice, "net", json!({})).await.ok();
    let place = &listed["project"]["artifactCollectionMembership"];
    assert_eq!((&place["artifact"]["fileCount"], &place["files"]["totalCount"]), (&json!(10), &json!(10)));
    assert_eq!(place["artifact"]["size"], 11 + 9 * 3, "references count with the size that their client claims");
    let nodes = nodes(&alice, "net").await;
    for (i, uri) in uris.iter().enumerate() {
        let node = nodes.iter().find(|node| node["name"] == json!(format!("ref/{i}"))).unwrap();
        assert_eq!((&node["directUrl"], &node["url"], &node["digest"]), (&json!(uri), &json!(uri), &json!(uri)), "{uri}");
        assert_eq!((&node["md5"], &node["storagePath"], &node["sizeBytes"]), (&Value::Null, &Value::Null, &json!(3)), "{uri}");
        let path = format!("/artifactsV2/default/alpha/demo/net/{id}/{id}/{}/ref/{i}", md5_hex(uri.as_bytes()));
        assert_eq!(alice.get_path(&path, &[]).await.0, 404, "{uri}");
    }
    let served: Value = serde_json::from_slice(&manifest(&alice, "net").await).unwrap();
    assert_eq!(served["contents"]["ref/8"], json!({ "digest": trap, "size": 3, "ref": trap }));
    let version = id.replace("Artifact", "Version");
    let ours = alice
        .graphql(
            "query($id: ID!) { version(id: $id) { files { edges { node { path reference downloadUrl } } } } }",
            json!({ "id": version }),
        )
        .await
        .ok();
    let last = ours["version"]["files"]["edges"].as_array().unwrap().last().unwrap();
    assert_eq!(last["node"], json!({ "path": "ref/8", "reference": trap, "downloadUrl": null }));
    let visited = tokio::time::timeout(std::time::Duration::from_millis(300), elsewhere.accept()).await;
    assert!(visited.is_err(), "the server followed a reference");
}

/// Pages of a large version: every entry once, in the order of its bytes, however it is asked for; the same number of
/// statements for one entry and for 5,000.
#[tokio::test]
async fn pages_of_12000_entries() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut spec = VersionSpec::model("alpha", "many", b"");
    spec.files = (0..12_000).map(|i| (format!("dir{:02}/file {i}.txt", i % 17), b"the same bytes".to_vec())).collect();
    let mut uploaded = spec.clone();
    uploaded.files.truncate(1);
    let id = alice.begin_with(&uploaded, &spec.digest(), &spec.manifest()).await;
    alice.commit(&id).await.expect_ok();
    let mut paths: Vec<&String> = spec.files.iter().map(|(path, _)| path).collect();
    paths.sort();

    let mut found = Vec::new();
    let mut after = Value::Null;
    let mut sizes = Vec::new();
    loop {
        let page = list(&alice, "many", json!({ "first": 5000, "after": after })).await.ok();
        let files = &page["project"]["artifactCollectionMembership"]["files"];
        assert_eq!(files["totalCount"], 12_000);
        assert_eq!(files["pageInfo"]["hasPreviousPage"], !sizes.is_empty());
        let edges = files["edges"].as_array().unwrap();
        sizes.push(edges.len());
        found.extend(edges.iter().map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()));
        assert_eq!(files["pageInfo"]["endCursor"], edges.last().unwrap()["cursor"]);
        after = files["pageInfo"]["endCursor"].clone();
        if files["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(sizes, [5000, 5000, 2000]);
    assert!(found.iter().eq(paths.iter().copied()), "every path once, in order");
    // Behind the end; without a page; sizes beyond the limit; what is no cursor.
    let page = list(&alice, "many", json!({ "after": after })).await.ok();
    assert_eq!(page["project"]["artifactCollectionMembership"]["files"]["edges"], json!([]));
    let page = list(&alice, "many", json!({ "first": 0 })).await.ok();
    assert_eq!(page["project"]["artifactCollectionMembership"]["files"]["edges"], json!([]));
    assert_eq!(page["project"]["artifactCollectionMembership"]["files"]["pageInfo"]["hasNextPage"], true);
    // Of more than there may be on a page, as much as there may be: the SDK's page size is a setting of its users.
    for first in [5001, i32::MAX] {
        let page = list(&alice, "many", json!({ "first": first })).await.ok();
        let files = &page["project"]["artifactCollectionMembership"]["files"];
        assert_eq!((files["edges"].as_array().unwrap().len(), &files["pageInfo"]["hasNextPage"]), (5000, &json!(true)));
    }
    for wrong in [json!({ "first": -1 }), json!({ "after": "nonsense" }), json!({ "after": "bnVsbA==" })] {
        let refused = list(&alice, "many", wrong.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID"), "{wrong}: {}", refused.message());
    }
    // Only some names: those that are there, counted; a page of them.
    let names = json!(["dir03/file 3.txt", "dir00/file 17.txt", "absent", "dir00/file 0.txt"]);
    let page = list(&alice, "many", json!({ "names": names, "first": 2 })).await.ok();
    let files = &page["project"]["artifactCollectionMembership"]["files"];
    let found: Vec<&Value> = files["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]["name"]).collect();
    assert_eq!((found, &files["totalCount"]), (vec![&json!("dir00/file 0.txt"), &json!("dir00/file 17.txt")], &json!(3)));
    let page = list(&alice, "many", json!({ "names": names, "first": 2, "after": files["pageInfo"]["endCursor"] })).await.ok();
    let files = &page["project"]["artifactCollectionMembership"]["files"];
    assert_eq!(files["edges"][0]["node"]["name"], "dir03/file 3.txt");
    assert_eq!((&files["pageInfo"]["hasNextPage"], files["edges"].as_array().unwrap().len()), (&json!(false), 1));
    for none in [json!([]), json!(["absent"])] {
        let page = list(&alice, "many", json!({ "names": none })).await.ok();
        let files = &page["project"]["artifactCollectionMembership"]["files"];
        assert_eq!((&files["edges"], &files["totalCount"]), (&json!([]), &json!(0)), "{none}");
    }
    // As many statements for one file as for 5,000; the SDK's query selects no count and pays for none.
    let few = list(&alice, "many", json!({ "first": 1 })).await.statements;
    let many = list(&alice, "many", json!({ "first": 5000 })).await.statements;
    assert_eq!(few, many);
    assert!(few.len() < 12, "{few:#?}");
    // Our own side: pages of at most 1,000.
    let version = "query($id: ID!, $first: Int, $after: String) { version(id: $id) { fileCount files(first: $first, after: $after) { \
        pageInfo { hasNextPage endCursor } edges { node { path size } } } } }";
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = alice.graphql(version, json!({ "id": id, "first": 1000, "after": after })).await.ok();
        assert_eq!(page["version"]["fileCount"], 12_000);
        let files = &page["version"]["files"];
        found.extend(files["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["path"].as_str().unwrap().to_owned()));
        after = files["pageInfo"]["endCursor"].clone();
        if files["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert!(found.iter().eq(paths.iter().copied()));
    let refused = alice.graphql(version, json!({ "id": id, "first": 1001 })).await;
    assert_eq!((refused.status, refused.code()), (200, "INVALID"));
}

/// The manifest that is served: what the client means, without what it leaks.
#[tokio::test]
async fn the_manifest_as_it_is_served() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let digest = md5_base64(b"the weights");
    // Extra's text is the client's own: key order, large numbers, escapes. `NaN` is no JSON.
    let extra = r#"{"z":1,"a":{"big":123456789012345678901234567890,"exact":1.10,"text":"\u00fc/"},"z2":[null,true]}"#;
    let text = format!(
        "{{\"version\":1,\"storagePolicy\":\"wandb-storage-policy-v1\",\"storagePolicyConfig\":{{\"storageLayout\":\"V2\",\
         \"storageRegion\":\"minio-local\",\"more\":1}},\"unknown\":[1],\"contents\":{{\"model.txt\":{{\"digest\":\"{digest}\",\
         \"size\":11,\"birthArtifactID\":\"QXJ0aWZhY3Q6MQ==\",\"local_path\":\"/home/alice/secret/model.txt\",\"extra\":{extra},\
         \"skip_cache\":true,\"unknown\":\"dropped\"}}}}}}"
    );
    let id = alice.begin_with(&spec, &spec.digest(), text.as_bytes()).await;
    alice.commit(&id).await.expect_ok();
    let served = String::from_utf8(manifest(&alice, "net").await).unwrap();
    assert!(!served.contains("local_path") && !served.contains("alice") && !served.contains("unknown"), "{served}");
    assert!(served.contains(&format!("\"extra\":{extra}")), "kept as it was given: {served}");
    let parsed: Value = serde_json::from_str(&served).unwrap();
    assert_eq!((&parsed["version"], &parsed["storagePolicy"]), (&json!(1), &json!("wandb-storage-policy-v1")));
    assert_eq!(parsed["storagePolicyConfig"], json!({ "storageLayout": "V2", "storageRegion": "minio-local" }));
    let entry = &parsed["contents"]["model.txt"];
    assert_eq!((&entry["digest"], &entry["size"]), (&json!(digest), &json!(11)));
    assert_eq!((&entry["birthArtifactID"], &entry["skip_cache"]), (&json!("QXJ0aWZhY3Q6MQ=="), &json!(true)));
    // A version without any file is a version.
    let mut empty = VersionSpec::model("alpha", "empty", b"");
    empty.files.clear();
    alice.log(&empty).await;
    let parsed: Value = serde_json::from_slice(&manifest(&alice, "empty").await).unwrap();
    assert_eq!((&parsed["contents"], &parsed["storagePolicyConfig"]), (&json!({}), &json!({ "storageLayout": "V2" })));
    assert!(nodes(&alice, "empty").await.is_empty());
}

/// Equal content is one manifest, whoever logs it; what differs in anything that a reader could see is another.
#[tokio::test]
async fn a_manifest_is_stored_once_for_equal_content() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let count = async |table: &str| server.number(&format!("select count(*) from {table}")).await;
    let spec = |name: &str, bytes: &[u8]| VersionSpec::model("alpha", name, bytes);
    alice.log(&spec("net", b"A")).await;
    assert_eq!((count("manifests").await, count("manifest_entries").await), (1, 1));
    let (objects, _) = server.objects();
    // A, B, A and the same in another collection: two contents.
    alice.log(&spec("net", b"B")).await;
    alice.log(&spec("net", b"A")).await;
    alice.log(&spec("other", b"A")).await;
    assert_eq!(count("versions").await, 4);
    assert_eq!((count("manifests").await, count("manifest_entries").await), (2, 2));
    assert_eq!(count("blobs where size = 1").await, 2, "bytes are stored once, too");
    assert!(server.objects().0.len() > objects.len());
    // Under another name, with an extra, with `skip_cache`: a reader sees the difference.
    let mut renamed = spec("renamed", b"A");
    renamed.files[0].0 = "other.txt".to_owned();
    alice.log(&renamed).await;
    assert_eq!(count("manifests").await, 3);
    for (name, key, value) in [("extra", "extra", json!({ "a": 1 })), ("skipping", "skip_cache", json!(true))] {
        let special = spec(name, b"A");
        let mut text: Value = serde_json::from_slice(&special.manifest()).unwrap();
        text["contents"]["model.txt"][key] = value.clone();
        let id = alice.begin_with(&special, &special.digest(), text.to_string().as_bytes()).await;
        alice.commit(&id).await.expect_ok();
        let served: Value = serde_json::from_slice(&manifest(&alice, name).await).unwrap();
        assert_eq!(served["contents"]["model.txt"][key], value, "{served}");
    }
    let served: Value = serde_json::from_slice(&manifest(&alice, "other").await).unwrap();
    assert_eq!(served["contents"]["model.txt"], json!({ "digest": md5_base64(b"A"), "size": 1 }));
}

/// Nothing stays behind in staging, neither files nor rows, after what went well and after what was refused; and each
/// stored object has its row.
#[tokio::test]
async fn nothing_is_left_in_staging() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let clean = async |what: &str| {
        let (stored, on_their_way) = server.objects();
        assert_eq!(on_their_way, Vec::<String>::new(), "{what}");
        assert_eq!(server.number("select count(*) from manifest_staging").await, 0, "{what}");
        assert_eq!(server.number("select count(*) from blobs").await, i64::try_from(stored.len()).unwrap(), "{what}");
    };
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    alice.log(&spec).await;
    clean("a version").await;
    alice.log(&spec).await;
    clean("the same again").await;
    // Refused uploads.
    let other = VersionSpec::model("alpha", "net", b"other weights");
    let created = alice.create_version(&other, "refused").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap();
    let announced = alice.announce_files(id, &other.files).await.ok();
    let url = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap();
    for bytes in [&b"not what was announced"[..], b"", b"other weights and more", &[0; 1_000_000]] {
        assert_eq!(alice.put(url, bytes.to_vec()).await, 400);
        clean("other bytes than announced").await;
    }
    assert_eq!(alice.put(url, b"other weights".to_vec()).await, 200);
    assert_eq!(alice.put(url, b"other weights".to_vec()).await, 200);
    clean("the same bytes twice").await;
    assert_eq!(alice.put(url, b"another thing".to_vec()).await, 400);
    clean("other bytes afterwards").await;
    // Refused commits: an entry in the middle of a large manifest, a file that isn't there, another digest, no JSON.
    let good = |i: usize| (format!("file{i:05}"), b"the weights".to_vec());
    let mut large = VersionSpec::model("alpha", "net", b"the weights");
    large.files = (0..5000).map(good).collect();
    let mut uploaded = large.clone();
    uploaded.files.truncate(1);
    let text = String::from_utf8(large.manifest()).unwrap();
    let missing = {
        let mut missing = large.clone();
        missing.files.push(file("missing", b"never sent"));
        missing
    };
    for (what, digest, text) in [
        ("a bad path in the middle", large.digest(), text.replace("\"file02500\"", "\"../file02500\"")),
        ("a size that isn't the file's", large.digest(), text.replacen("\"size\":11", "\"size\":12", 1)),
        ("another digest", spec.digest().replace(['0', '1'], "2"), text.clone()),
        ("a file that wasn't sent", missing.digest(), String::from_utf8(missing.manifest()).unwrap()),
        ("half a manifest", large.digest(), text[..text.len() / 2].to_owned()),
        ("no manifest", large.digest(), "no manifest".to_owned()),
    ] {
        let id = alice.begin_with(&uploaded, &digest, text.as_bytes()).await;
        let refused = alice.commit(&id).await;
        assert!((400..500).contains(&refused.status), "{what}: {}", refused.status);
        clean(what).await;
    }
    let id = alice.begin_with(&uploaded, &large.digest(), text.as_bytes()).await;
    alice.commit(&id).await.expect_ok();
    clean("a large version").await;
    alice.commit(&id).await.expect_ok();
    clean("committed again").await;
}

/// A connection that is cut after the last byte changes nothing: what has arrived doesn't stop halfway to its row.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_when_its_connection_is_cut_after_the_last_byte() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let created = alice.create_version(&spec, "one").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let announced = alice.announce_files(&id, &spec.files).await.ok();
    let url = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&server.url).unwrap();
    // The last step is held up, so that the connection can be cut before it.
    let held_up = server.attempt("lock table uploads in exclusive mode; select pg_sleep(3)");
    let cut = async {
        let locked = "select count(*) from pg_locks where relation = 'uploads'::regclass and mode = 'ExclusiveLock' and granted";
        while server.number(locked).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut stream = tokio::net::TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let request = format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nthe weights");
        stream.write_all(request.as_bytes()).await.unwrap();
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while server.number(waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(server.objects().0.len(), 1, "the bytes have their name");
    };
    let (held_up, ()) = tokio::join!(held_up, cut);
    held_up.unwrap();
    let arrived = async {
        while server.number("select count(*) from uploads where blob_id is not null").await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.expect("the upload arrives all the same");
    assert_eq!(server.number("select count(*) from blobs").await, 1);
    assert_eq!(alice.put(&url, b"the weights".to_vec()).await, 200, "and again is no harm");
    let (stored, on_their_way) = server.objects();
    assert_eq!((stored.len(), on_their_way), (1, vec![]));
}

/// Files of a version by its id alone, as SDKs before 0.28 and `wandb-core` ask: rules 17, 38 and 41.
#[tokio::test]
async fn rule_41_files_by_a_version_s_id() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let mut spec = VersionSpec::model("alpha", "net", b"");
    spec.files = ["a", "b", "c"].map(|name| file(name, name.as_bytes())).to_vec();
    spec.references.push(("d".into(), "s3://bucket/d".into()));
    let id = alice.log(&spec).await.id;
    let files = async |client: &Client, more: Value| {
        let mut variables = json!({ "id": id });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.graphql(documents::ARTIFACT_FILE_URLS, variables).await.ok()["artifact"]["files"].clone()
    };
    let names = |files: &Value| -> Vec<String> {
        let edges = files["edges"].as_array().unwrap();
        edges.iter().map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = files(&alice, json!({})).await;
    assert_eq!((names(&all), &all["totalCount"]), (["a", "b", "c", "d"].map(str::to_owned).to_vec(), &json!(4)));
    assert_eq!(all["edges"][3]["node"]["directUrl"], "s3://bucket/d");
    let first = files(&alice, json!({ "perPage": 3 })).await;
    assert_eq!((names(&first).len(), &first["pageInfo"]["hasNextPage"]), (3, &json!(true)));
    let rest = files(&alice, json!({ "perPage": 3, "cursor": first["pageInfo"]["endCursor"] })).await;
    assert_eq!((names(&rest), &rest["pageInfo"]["hasNextPage"]), (vec!["d".to_owned()], &json!(false)));
    let named = files(&alice, json!({ "names": ["b", "none"] })).await;
    assert_eq!((names(&named), &named["totalCount"]), (vec!["b".to_owned()], &json!(1)));

    // An entry is found by its path and digest together.
    let entry = |name: &str, of: &[u8]| json!({ "name": name, "digest": md5_base64(of), "birthArtifactID": id, "size": 1 });
    let entries =
        json!([entry("a", b"a"), entry("b", b"other"), entry("none", b"a"), { "name": "d", "digest": "s3://bucket/d" }]);
    let asked = json!({ "id": id, "entries": entries, "storageLayout": "V2", "manifestVersion": "1" });
    let found =
        alice.graphql(documents::FILES_BY_ENTRIES, asked.clone()).await.ok()["artifact"]["filesByManifestEntries"].clone();
    assert_eq!(names(&found), ["a", "d"]);
    let (status, _, bytes) = alice.get(found["edges"][0]["node"]["directUrl"].as_str().unwrap(), &[]).await;
    assert_eq!((status, bytes), (200, b"a".to_vec()));
    let many: Vec<Value> = (0..5001).map(|_| entry("a", b"a")).collect();
    let many = json!({ "id": id, "entries": many, "storageLayout": "V2", "manifestVersion": "1" });
    assert_eq!(alice.graphql(documents::FILES_BY_ENTRIES, many).await.code(), "INVALID");

    // By a link: who may download there gets URLs of that place; who only sees it, nothing.
    alice.make_registry("acme", "closed", "RESTRICTED").await;
    alice.link(&id, "acme", "closed", "Net", &[]).await.expect_ok();
    let text = "mutation($input: RegistryMemberAddInput!) { registryMemberAdd(input: $input) { registry { id } } }";
    let registry = alice.graphql("{ registry(organization: \"acme\", name: \"closed\") { id } }", json!({})).await.ok();
    let registry = registry["registry"]["id"].clone();
    alice.graphql(text, json!({ "input": { "registry": registry, "users": ["bob"] } })).await.expect_ok();
    assert_eq!(files(&bob, json!({})).await, Value::Null);
    assert_eq!(bob.graphql(documents::FILES_BY_ENTRIES, asked).await.ok()["artifact"]["filesByManifestEntries"], Value::Null);
    let text = "mutation($input: RegistryMemberSetInput!) { registryMemberSet(input: $input) { registry { id } } }";
    alice.graphql(text, json!({ "input": { "registry": registry, "user": "bob", "role": "VIEWER" } })).await.expect_ok();
    let by_link = files(&bob, json!({})).await;
    let (status, _, bytes) = bob.get(by_link["edges"][0]["node"]["directUrl"].as_str().unwrap(), &[]).await;
    assert_eq!((status, bytes), (200, b"a".to_vec()));
    let hidden = carol.graphql(documents::ARTIFACT_FILE_URLS, json!({ "id": id })).await.ok();
    assert_eq!(hidden["artifact"], Value::Null);

    let begun = alice.begin(&VersionSpec::model("alpha", "coming", b"not yet")).await.id;
    let begun = alice.graphql(documents::ARTIFACT_FILE_URLS, json!({ "id": begun })).await.ok();
    assert_eq!(begun["artifact"], json!({ "files": null }));
}
