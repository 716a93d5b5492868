//! `GET /graphql`, and who may ask the schema about itself. What must not live here: limits (`limits`), cookies by POST
//! (`sessions`).

use regalia_testkit::{Client, Reply, Server};
use serde_json::{Value, json};

use crate::sessions::{PASSWORD, cookie, sign_in, with_password};

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn address(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("/graphql?{}", pairs.join("&"))
}

async fn ask(client: &Client, parameters: &[(&str, &str)]) -> Reply {
    client.request("GET", &address(parameters), |request| request.bearer_auth(client.key())).await
}

fn data(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["errors"], Value::Null);
    body["data"].clone()
}

const USER: &str = "query User($name: String!) { user(name: $name) { name } }";

#[tokio::test(flavor = "multi_thread")]
async fn rule_45_a_get_reads() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    assert_eq!(data(&ask(&alice, &[("query", "{ viewer { name } }")]).await)["viewer"]["name"], "alice");
    let reply =
        ask(&alice, &[("query", USER), ("variables", "{\"name\": \"bob\"}"), ("operationName", "User"), ("other", "x")]).await;
    assert_eq!(data(&reply)["user"]["name"], "bob");
    assert_eq!(reply.headers["cache-control"], "no-store");
    let plain = alice
        .request("GET", "/graphql?query={viewer+{name}}&variables=&operationName=", |request| request.bearer_auth(alice.key()));
    assert_eq!(data(&plain.await)["viewer"]["name"], "alice", "a plus is a space");

    let deep = format!("{}{}", "{a".repeat(30), "}".repeat(30));
    for (what, parameters) in [
        ("no query", &[("variables", "{}")] as &[(&str, &str)]),
        ("two queries", &[("query", "{ viewer { name } }"), ("query", "{ viewer { id } }")]),
        ("variables that are no JSON", &[("query", USER), ("variables", "name=bob")]),
        ("variables that are a list", &[("query", USER), ("variables", "[1]")]),
        ("a variable of another type", &[("query", USER), ("variables", "{\"name\": 7}")]),
        ("another operation", &[("query", USER), ("operationName", "Other")]),
        ("a mistake", &[("query", "{ viewer {")]),
        ("a field that isn't there", &[("query", "{ viewer { nothing } }")]),
        ("too deep", &[("query", deep.as_str())]),
        ("a subscription", &[("query", "subscription { viewer { name } }")]),
    ] {
        let reply = ask(&alice, parameters).await;
        assert!(
            (400..=405).contains(&reply.status) && reply.message().contains(' '),
            "{what}: {} {}",
            reply.status,
            reply.text()
        );
        assert_eq!(reply.headers["cache-control"], "no-store", "{what}");
    }
    let reply = alice.request("GET", "/graphql?query=%ff", |request| request.bearer_auth(alice.key())).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_45_a_get_changes_nothing() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let create = "registryCreate(input: { organization: \"acme\", name: \"model\" }) { registry { name } }";
    let both = format!("query Q {{ viewer {{ name }} }} mutation M {{ {create} }}");
    let before = server.everything().await;
    for (query, name) in [(format!("mutation {{ {create} }}"), ""), (both.clone(), "M")] {
        let reply = ask(&alice, &[("query", &query), ("operationName", name)]).await;
        assert_eq!((reply.status, reply.headers["allow"].to_str().unwrap()), (405, "POST"), "{}", reply.text());
        assert!(reply.message().contains("by POST"), "{}", reply.text());
    }
    assert_eq!(data(&ask(&alice, &[("query", &both), ("operationName", "Q")]).await)["viewer"]["name"], "alice");
    assert_eq!(server.everything().await, before);
    // Kept or not: the same document by POST.
    alice.graphql(&format!("mutation {{ {create} }}"), json!({})).await.expect_ok();
    let reply = ask(&alice, &[("query", &format!("mutation {{ {create} }}"))]).await;
    assert_eq!(reply.status, 405);
}

/// A GET changes nothing, but what it reads is its user's. So a cookie opens it only for a page of our own.
#[tokio::test(flavor = "multi_thread")]
async fn a_get_with_a_cookie_comes_from_a_page_of_our_own() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    let browser = server.anonymous();
    let cookie = cookie(&sign_in(&browser, "alice", PASSWORD).await);
    let get = async |site: &[(&'static str, &'static str)]| {
        let path = address(&[("query", "{ viewer { name } }")]);
        let sent = browser.request("GET", &path, |request| {
            let with_cookie = request.header("cookie", &cookie);
            site.iter().fold(with_cookie, |request, (name, value)| request.header(*name, *value))
        });
        sent.await
    };
    assert_eq!(data(&get(&[("sec-fetch-site", "same-origin")]).await)["viewer"]["name"], "alice");
    for foreign in [
        &[] as &[_],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example.com")],
    ] {
        let reply = get(foreign).await;
        assert_eq!(reply.status, 403, "{foreign:?}: {}", reply.text());
    }
}

/// The schema tells nothing to those who aren't signed in, not even that there is one.
#[tokio::test(flavor = "multi_thread")]
async fn introspection_is_for_callers_who_are_signed_in() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let nobody = server.anonymous();
    for query in ["{ __schema { queryType { name } } }", "{ __type(name: \"User\") { name } }", "{ __typename }"] {
        let posted = nobody.request("POST", "/graphql", |request| request.json(&json!({ "query": query }))).await;
        let got = nobody.request("GET", &address(&[("query", query)]), |request| request).await;
        let wrong = nobody.request("POST", "/graphql", |request| {
            request.bearer_auth("0123456789012345678901234567890123456789").json(&json!({ "query": query }))
        });
        for (reply, statements) in [(posted, 0), (got, 0), (wrong.await, 1)] {
            assert_eq!((reply.status, reply.statements.len()), (401, statements), "{query}: {}", reply.text());
            assert!(!reply.text().contains("Query"), "{query}: {}", reply.text());
        }
        alice.graphql(query, json!({})).await.expect_ok();
        data(&ask(&alice, &[("query", query)]).await);
    }
}

/// The SDK leaves its variables' defaults to the server, also where they say which fields are wanted.
#[tokio::test]
async fn a_variable_s_default_says_which_fields_are_left_out() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let asked = [
        ("query Q($x: Boolean = true) { viewer { id name @include(if: $x) } }", true),
        ("query Q($x: Boolean! = true) { viewer { id ...F } } fragment F on User { name @include(if: $x) }", true),
        ("query Q($x: Boolean = true) { viewer { id ...F @include(if: $x) } } fragment F on User { name }", true),
        ("query Q($x: Boolean = true) { viewer { id ... on User @include(if: $x) { name } } }", true),
        ("query Q($x: Boolean = true) { viewer { id name @skip(if: $x) } }", false),
        ("query Q($x: Boolean = false) { viewer { id name @skip(if: $x) } }", true),
    ];
    for (query, named) in asked {
        // What is known is answered as what is new.
        for _ in 0..2 {
            let shown = async |variables: Value| !alice.graphql(query, variables).await.ok()["viewer"]["name"].is_null();
            assert_eq!(shown(json!({})).await, named, "{query}");
            let included = query.contains("@include");
            assert_eq!(shown(json!({ "x": true })).await, included, "{query}");
            assert_eq!(shown(json!({ "x": false })).await, !included, "{query}");
        }
    }
}
