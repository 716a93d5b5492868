//! What the doors of files refuse: uploads that are not what was announced, URLs that were altered. What must not live here: what
//! they take (`doors/files.rs`).

use super::*;

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
