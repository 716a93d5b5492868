//! Browsers: signing in and out, what a cookie opens and what it doesn't, and tries of passwords that are limited on every
//! server. What must not live here: how a password is set (`people`).

use chrono::TimeDelta;
use regalia_domain::ids::encode_id;
use regalia_testkit::{Client, Reply, Server, secret};
use serde_json::{Value, json};

use crate::documents::{CREATE_USER, GENERATE_API_KEY, native_mutation};
use crate::native::own;

pub(crate) const PASSWORD: &str = "correct horse battery";
const VIEWER: &str = "{ viewer { name } }";

/// Sends JSON as a page of `origin` would; `cookie` is that of a sign-in.
async fn send(client: &Client, method: &str, path: &str, origin: Option<&str>, cookie: &str, body: Option<Value>) -> Reply {
    client
        .request(method, path, |mut request| {
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            if !cookie.is_empty() {
                request = request.header("cookie", cookie);
            }
            match body {
                Some(body) => request.json(&body),
                None => request,
            }
        })
        .await
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

pub(crate) async fn sign_in(client: &Client, name: &str, password: &str) -> Reply {
    send(client, "POST", "/session", Some(client.url()), "", Some(json!({ "name": name, "password": password }))).await
}

/// The cookie that a browser would send from now on.
pub(crate) fn cookie(reply: &Reply) -> String {
    let set = reply.headers.get("set-cookie").expect("a cookie").to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn viewer(client: &Client, cookie: &str) -> Reply {
    send(client, "POST", "/graphql", Some(client.url()), cookie, Some(json!({ "query": VIEWER }))).await
}

pub(crate) async fn with_password(server: &Server, client: &Client) {
    secret(PASSWORD);
    own(client, "userSetPassword", json!({ "newPassword": PASSWORD })).await.expect_ok();
    assert!(server.number("select count(*) from users where password_hash is not null").await > 0);
}

#[tokio::test]
async fn signing_in_and_out() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let other = server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    with_password(&server, &alice).await;
    own(&server.admin().await, "userUpdate", json!({ "user": "alice", "email": "alice@example.com" })).await.expect_ok();
    let browser = server.anonymous();
    assert_eq!(json_of(&send(&browser, "GET", "/session", None, "", None).await)["user"], Value::Null);

    for name in ["alice", "Alice@Example.com", " alice "] {
        let signed_in = sign_in(&browser, name, PASSWORD).await;
        assert_eq!(signed_in.status, 200, "{name}: {}", signed_in.text());
        assert_eq!(json_of(&signed_in)["user"]["name"], "alice");
    }
    let signed_in = sign_in(&browser, "alice", PASSWORD).await;
    let set = signed_in.headers["set-cookie"].to_str().unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1209600"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Secure"), "this server is reached without TLS: {set}");
    assert_eq!(signed_in.headers["cache-control"], "no-store");
    let cookie = cookie(&signed_in);
    let token = cookie.split_once('=').unwrap().1;
    secret(token);
    assert!(!server.everything().await.values().any(|rows| rows.contains(token)));
    assert!(!json!(server.rows("select * from sessions").await).to_string().contains(token), "only a hash is kept");

    // It opens /graphql and says who is there, on every server; it isn't for programs' routes.
    for client in [&browser, &browser.at(&other.url)] {
        assert_eq!(json_of(&viewer(client, &cookie).await)["data"]["viewer"]["name"], "alice");
        let shown = send(client, "GET", "/session", None, &cookie, None).await;
        assert_eq!(json_of(&shown)["user"]["email"], "alice@example.com");
        assert!(json_of(&shown)["expiresAt"].is_string());
    }
    let stream = "/files/alpha/demo/run1/file_stream";
    assert_eq!(send(&browser, "POST", stream, Some(browser.url()), &cookie, Some(json!({}))).await.status, 401);

    // Signed out through one server, refused by the other at the next request.
    let out = send(&browser, "DELETE", "/session", Some(browser.url()), &cookie, None).await;
    assert_eq!(out.status, 200);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    for client in [&browser, &browser.at(&other.url)] {
        assert_eq!(viewer(client, &cookie).await.status, 401);
    }
    assert_eq!(send(&browser, "DELETE", "/session", Some(browser.url()), &cookie, None).await.status, 200, "out is out");
    let kinds = server.rows("select kind from audit_events where kind like 'session.%' order by id").await;
    assert_eq!(kinds.iter().filter(|row| row["kind"] == "session.begun").count(), 4);
    assert_eq!(kinds.last().unwrap()["kind"], "session.ended");
}

/// Rule 18's kin: whatever ends an account or its password ends its browsers, on every server.
#[tokio::test]
async fn what_ends_a_session() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    let twin = server.twin().await;
    for client in [&alice, &bob] {
        with_password(&server, client).await;
    }
    let browser = server.anonymous();
    let other = browser.at(&twin.url);
    let begin = async |name: &str| cookie(&sign_in(&browser, name, PASSWORD).await);

    // Not used for longer than 12 hours; used again and again, after 14 days.
    let idle = begin("alice").await;
    server.clock.advance(TimeDelta::hours(11));
    assert_eq!(viewer(&other, &idle).await.status, 200);
    server.clock.advance(TimeDelta::hours(11));
    assert_eq!(viewer(&other, &idle).await.status, 200);
    server.clock.advance(TimeDelta::hours(13));
    assert_eq!(viewer(&other, &idle).await.status, 401);
    let busy = begin("alice").await;
    for _ in 0..33 {
        server.clock.advance(TimeDelta::hours(10));
        assert_eq!(viewer(&other, &busy).await.status, 200);
    }
    server.clock.advance(TimeDelta::hours(10));
    assert_eq!(viewer(&other, &busy).await.status, 401);

    // A new password: every session but the one that set it.
    let (mine, elsewhere) = (begin("alice").await, begin("alice").await);
    let text = "mutation($input: UserSetPasswordInput!) { userSetPassword(input: $input) { user { name } } }";
    let change = async |old: Option<&str>, new: &str| {
        let body = json!({ "query": text, "variables": { "input": { "oldPassword": old, "newPassword": new } } });
        json_of(&send(&browser, "POST", "/graphql", Some(browser.url()), &mine, Some(body)).await)
    };
    assert_eq!(change(None, "another horse battery").await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert!(change(Some(PASSWORD), "another horse battery").await["errors"].is_null());
    assert_eq!(viewer(&other, &mine).await.status, 200);
    assert_eq!(viewer(&other, &elsewhere).await.status, 401);
    // A reset by a site administrator: all.
    own(&admin, "userSetPassword", json!({ "user": "alice", "newPassword": PASSWORD })).await.expect_ok();
    assert_eq!(viewer(&other, &mine).await.status, 401);
    // The end of the account.
    let bobs = begin("bob").await;
    assert_eq!(viewer(&other, &bobs).await.status, 200);
    own(&admin, "userDelete", json!({ "name": "bob" })).await.expect_ok();
    assert_eq!(viewer(&other, &bobs).await.status, 401);

    server.service.clear_sessions().await.unwrap();
    server.clock.advance(TimeDelta::days(15));
    server.service.clear_sessions().await.unwrap();
    assert_eq!(server.number("select count(*) from sessions").await, 0);
    assert_eq!(server.number("select count(*) from sign_in_attempts").await, 0);
}

/// What is cleared each hour goes around what somebody else has locked, so it can't be in anybody's way.
#[tokio::test]
async fn clearing_waits_for_nobody() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    for _ in 0..2 {
        assert_eq!(sign_in(&server.anonymous(), "alice", PASSWORD).await.status, 200);
    }
    for _ in 0..2 {
        assert_eq!(sign_in(&server.anonymous(), "nobody", PASSWORD).await.status, 401);
    }
    let staged = "insert into manifest_staging (staging_id, path, digest, size, staged_at) select '00000000-0000-0000-0000-000000000000', \
        n::text, '', 0, now() - interval '2 days' from generate_series(1, 2) n";
    server.sql(staged).await;
    let left = "select (select count(*) from sessions) * 100 + (select count(*) from sign_in_attempts) * 10 + \
        (select count(*) from manifest_staging)";
    assert_eq!(server.number(left).await, 222);
    server.clock.advance(TimeDelta::days(15));
    let clear = async || {
        server.service.clear_sessions().await.unwrap();
        let mut connection = server.service.store.read().await.unwrap();
        regalia_service::store::manifests::unstage_old(&mut connection).await.unwrap();
    };
    let held = server
        .hold(
            "select from sessions where id = (select min(id) from sessions) for update; \
             select from sign_in_attempts where id = (select min(id) from sign_in_attempts) for update; \
             select from manifest_staging where path = '1' for update",
        )
        .await;
    tokio::time::timeout(std::time::Duration::from_secs(10), clear()).await.expect("it waits");
    assert_eq!(server.number(left).await, 111);
    held.release().await;
    clear().await;
    assert_eq!(server.number(left).await, 0);
}

#[tokio::test]
async fn a_forged_request_from_another_site() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    let browser = server.anonymous();
    let cookie = cookie(&sign_in(&browser, "alice", PASSWORD).await);
    let own_origin = browser.url().to_owned();
    let forged = json!({ "query": "mutation { apiKeyCreate(input: { name: \"stolen\" }) { secret } }" });
    let before = server.everything().await;
    for origin in [None, Some("https://evil.example.com"), Some("null"), Some("http://127.0.0.1:1"), Some("http://localhost")] {
        for (method, path, body) in [
            ("POST", "/graphql", Some(forged.clone())),
            ("DELETE", "/session", None),
            ("POST", "/session", Some(json!({ "name": "alice", "password": PASSWORD }))),
        ] {
            let refused = send(&browser, method, path, origin, &cookie, body).await;
            assert_eq!(refused.status, 403, "{method} {path} from {origin:?}: {}", refused.text());
            assert!(refused.headers.get("set-cookie").is_none());
        }
    }
    // What the browser says itself goes before what stands in `Origin`.
    for site in ["cross-site", "same-site", "none"] {
        let refused = browser
            .request("POST", "/graphql", |request| {
                request.header("origin", &own_origin).header("sec-fetch-site", site).header("cookie", &cookie).json(&forged)
            })
            .await;
        assert_eq!(refused.status, 403, "{site}");
    }
    // A form can't say that it is JSON.
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let refused = browser
            .request("POST", "/graphql", |request| {
                let request = request.header("origin", &own_origin).header("cookie", &cookie);
                request.header("content-type", kind).body(forged.to_string())
            })
            .await;
        assert_eq!(refused.status, 415, "{kind}");
    }
    assert_eq!(server.everything().await, before);
    // A key is no cookie: programs send no origin.
    assert_eq!(alice.graphql(VIEWER, json!({})).await.status, 200);
    // Both: the key counts.
    let both = browser
        .request("POST", "/graphql", |request| {
            request
                .header("cookie", &cookie)
                .bearer_auth("0123456789012345678901234567890123456789")
                .json(&json!({ "query": VIEWER }))
        })
        .await;
    assert_eq!(both.status, 401);
    assert_eq!(viewer(&browser, &cookie).await.status, 200);
}

#[tokio::test]
async fn who_isn_t_there_is_answered_as_who_has_another_password() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    let browser = server.anonymous();
    let wrong = sign_in(&browser, "alice", "wrong horse battery").await;
    assert_eq!(wrong.status, 401);
    // bob has no password, acme is no user.
    for name in ["nobody", "bob", "acme", "", "é\u{0}", "nobody@example.com", &"x".repeat(300)] {
        let answer = sign_in(&browser, name, PASSWORD).await;
        assert_eq!((answer.status, answer.text()), (wrong.status, wrong.text()), "{name:?}");
        assert!(answer.headers.get("set-cookie").is_none());
    }
    assert_eq!(sign_in(&browser, "alice", "").await.text(), wrong.text());
    for body in [json!({}), json!({ "name": "alice" }), json!([]), json!({ "name": "alice", "password": 1 })] {
        let refused = send(&browser, "POST", "/session", Some(browser.url()), "", Some(body.clone())).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    let statements = |reply: &Reply| reply.statements.iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let (there, absent) = (sign_in(&browser, "alice", "wrong horse battery").await, sign_in(&browser, "nobody", PASSWORD).await);
    assert_eq!(statements(&there), statements(&absent));
}

/// Any number of servers count together.
#[tokio::test]
async fn wrong_passwords_are_limited() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let twin = server.twin().await;
    for client in [&alice, &bob] {
        with_password(&server, client).await;
    }
    let browser = server.anonymous();
    let other = browser.at(&twin.url);
    // At once and through both servers: never more than ten are looked at.
    let tries = (0..24).map(|number| {
        let client = if number % 2 == 0 { &browser } else { &other };
        sign_in(client, "alice", "wrong horse battery")
    });
    let statuses: Vec<u16> = futures_util::future::join_all(tries).await.iter().map(|reply| reply.status).collect();
    assert!(statuses.iter().filter(|status| **status == 401).count() <= 10, "{statuses:?}");
    for _ in 0..10 {
        sign_in(&browser, "alice", "wrong horse battery").await;
    }
    let refused = sign_in(&other, "alice", PASSWORD).await;
    assert_eq!(refused.status, 429, "the right one too: else this would tell which is right");
    let statements = &refused.statements;
    assert!(statements.len() == 1 && statements[0].contains("sessions::tries"), "one read: {statements:?}");
    assert_eq!(refused.headers["retry-after"], "900");
    // Who isn't there is limited alike.
    let mut absent = Vec::new();
    for _ in 0..11 {
        absent.push(sign_in(&browser, "nobody", PASSWORD).await);
    }
    assert_eq!(absent[9].status, 401);
    assert_eq!((absent[10].status, absent[10].text()), (refused.status, refused.text()));
    // Others aren't locked out by it, and after a while nobody is. A proxy on this machine names whom it serves.
    assert_eq!(sign_in(&browser, "bob", PASSWORD).await.status, 200);
    let elsewhere = browser
        .request("POST", "/session", |request| {
            let request = request.header("origin", browser.url()).header("x-forwarded-for", "10.0.0.1, 192.0.2.7");
            request.json(&json!({ "name": "alice", "password": PASSWORD }))
        })
        .await;
    assert_eq!(elsewhere.status, 200);
    let begun = server.rows("select after from audit_events where kind = 'session.begun' order by id desc limit 1").await;
    assert_eq!(begun[0]["after"]["address"], "192.0.2.7");
    server.clock.advance(TimeDelta::minutes(16));
    assert_eq!(sign_in(&browser, "alice", PASSWORD).await.status, 200);
}

/// What is counted is what was typed, in any case, whether or not there is such an account: so the count doesn't tell.
#[tokio::test]
async fn the_count_of_tries_tells_of_no_account() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    own(&server.admin().await, "userUpdate", json!({ "user": "alice", "email": "alice@example.com" })).await.expect_ok();
    let browser = server.anonymous();
    // Whether the second way to write it is refused after ten tries of the first.
    for (first, second, together) in [
        ("alice", "ALICE", true),
        ("nobody", "NoBody", true),
        ("alice", "alice@example.com", false),
        ("nobody", "nobody@example.com", false),
        ("ＡＬＩＣＥ", "alice", true),
    ] {
        server.sql("delete from sign_in_attempts").await;
        for _ in 0..10 {
            assert_eq!(sign_in(&browser, first, "wrong horse battery").await.status, 401, "{first}");
        }
        let expected = if together { 429 } else { 401 };
        assert_eq!(sign_in(&browser, second, "wrong horse battery").await.status, expected, "{first} and {second}");
    }
}

/// Whoever has one address of an IPv6 network has them all.
#[tokio::test]
async fn an_ipv6_network_is_one_address() {
    let server = Server::start().await;
    server.people().await;
    let browser = server.anonymous();
    let from = async |address: &str| {
        let answer = browser.request("POST", "/session", |request| {
            let request = request.header("origin", browser.url()).header("x-forwarded-for", address);
            request.json(&json!({ "name": "alice", "password": PASSWORD }))
        });
        answer.await.status
    };
    for number in 1..=10 {
        assert_eq!(from(&format!("2001:db8:1:2::{number}")).await, 401);
    }
    assert_eq!(from("2001:db8:1:2:ffff::1").await, 429);
    assert_eq!(from("2001:db8:1:3::1").await, 401);
}

/// A stranger's tries keep nobody from changing his password, and what the server was too busy to look at is no try.
#[tokio::test]
async fn nobody_is_locked_out_by_others_or_by_a_busy_server() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    let twin = server.twin().await;
    let browser = server.anonymous();
    for place in 0..6 {
        for _ in 0..10 {
            browser
                .request("POST", "/session", |request| {
                    let request = request.header("origin", browser.url()).header("x-forwarded-for", format!("192.0.2.{place}"));
                    request.json(&json!({ "name": "alice", "password": "wrong horse battery" }))
                })
                .await;
        }
    }
    assert_eq!(sign_in(&browser, "alice", PASSWORD).await.status, 429, "50 from everywhere");
    let change =
        async |old: &str, new: &str| own(&alice, "userSetPassword", json!({ "oldPassword": old, "newPassword": new })).await;
    for wrong in 0..9 {
        assert_eq!(change("wrong horse battery", PASSWORD).await.code(), "FORBIDDEN", "{wrong}");
    }
    change(PASSWORD, "another horse battery").await.expect_ok();
    assert_eq!(server.number("select count(*) from sign_in_attempts where address like '(%'").await, 0, "right: forgotten");
    server.clock.advance(TimeDelta::minutes(16));

    // This server computes no hash any more.
    server.service.hasher.places.close();
    for _ in 0..20 {
        let busy = sign_in(&browser, "alice", "another horse battery").await;
        assert!(busy.status == 429 && busy.text().contains("at the moment"), "{}", busy.text());
        assert_eq!(change("another horse battery", PASSWORD).await.code(), "TOO_MANY");
    }
    assert_eq!(server.number("select count(*) from sign_in_attempts where at > now() + interval '15 minutes'").await, 0);
    assert_eq!(sign_in(&browser.at(&twin.url), "alice", "another horse battery").await.status, 200);
}

/// An open browser isn't enough for a key, which would outlive it: whoever makes one from a session proves himself by the password.
#[tokio::test]
async fn a_session_makes_keys_with_the_password_only() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    with_password(&server, &alice).await;
    let browser = server.anonymous();
    let cookie = cookie(&sign_in(&browser, "alice", PASSWORD).await);
    let mutation = async |field: &str, input: Value| {
        let body = json!({ "query": native_mutation(field), "variables": { "input": input } });
        json_of(&send(&browser, "POST", "/graphql", Some(browser.url()), &cookie, Some(body)).await)
    };
    let imported = "old-0123456789abcdef0123456789abcdef01234567";
    let ways = [
        ("apiKeyCreate", json!({ "name": "laptop" })),
        ("apiKeyImport", json!({ "secret": imported })),
        ("serviceAccountCreate", json!({ "team": "alpha", "name": "robot" })),
    ];
    let before = server.everything().await;
    for (field, input) in &ways {
        let refused = mutation(field, input.clone()).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{field}");
        assert!(refused["errors"][0]["message"].as_str().unwrap().contains("currentPassword"), "{field}");
    }
    let wire = json!({ "query": GENERATE_API_KEY, "variables": { "description": "laptop" } });
    assert_eq!(send(&browser, "POST", "/graphql", Some(browser.url()), &cookie, Some(wire)).await.status, 403);
    assert_eq!(server.everything().await, before, "and no try was counted");
    for (field, input) in &ways {
        let mut input = input.clone();
        input["currentPassword"] = json!("wrong horse battery");
        assert_eq!(mutation(field, input.clone()).await["errors"][0]["extensions"]["code"], "FORBIDDEN", "{field}");
        input["currentPassword"] = json!(PASSWORD);
        let made = mutation(field, input).await;
        assert!(made["errors"].is_null(), "{field}: {made}");
        let secret = made["data"][field]["secret"].as_str().unwrap_or(imported);
        assert_eq!(browser.with_key(secret).graphql(VIEWER, json!({})).await.status, 200);
    }
    // Wrong ones are counted as when one signs in; who comes with a key isn't concerned.
    let mut codes = Vec::new();
    for _ in 0..11 {
        let refused = mutation("apiKeyCreate", json!({ "currentPassword": "wrong horse battery" })).await;
        codes.push(refused["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes.iter().filter(|code| *code == "FORBIDDEN").count(), 10, "{codes:?}");
    assert_eq!(codes[10], "TOO_MANY");
    assert_eq!(sign_in(&browser, "alice", PASSWORD).await.status, 200);
    own(&alice, "apiKeyCreate", json!({ "currentPassword": "is not looked at" })).await.expect_ok();
}

/// Nor is the open browser of a site administrator enough to take anybody's account over, or to make another site administrator.
#[tokio::test]
async fn a_session_resets_passwords_and_makes_site_administrators_with_the_password_only() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let admin = server.admin().await;
    with_password(&server, &alice).await;
    own(&admin, "userSetPassword", json!({ "newPassword": "admin horse battery" })).await.expect_ok();
    let browser = server.anonymous();
    let cookie = cookie(&sign_in(&browser, "admin", "admin horse battery").await);
    let post = async |body: Value| send(&browser, "POST", "/graphql", Some(browser.url()), &cookie, Some(body)).await;
    let mutation = async |field: &str, input: &Value| {
        json_of(&post(json!({ "query": native_mutation(field), "variables": { "input": input } })).await)
    };
    let ways = [
        ("userSetPassword", json!({ "user": "alice", "newPassword": "another horse battery" })),
        ("userSetPassword", json!({ "user": "bob", "newPassword": "another horse battery" })),
        ("userCreate", json!({ "name": "newcomer", "siteAdmin": true })),
    ];
    let before = server.everything().await;
    for (field, input) in &ways {
        // Nobody's old one is the caller's own.
        for more in [None, Some("oldPassword")] {
            let mut input = input.clone();
            if let Some(more) = more.filter(|_| *field == "userSetPassword") {
                input[more] = json!(PASSWORD);
            }
            let refused = mutation(field, &input).await;
            assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{input}");
            assert!(refused["errors"][0]["message"].as_str().unwrap().contains("currentPassword"), "{input}");
        }
    }
    let wire = json!({ "query": CREATE_USER, "variables": { "email": "newcomer@example.com", "admin": true } });
    assert_eq!(post(wire).await.status, 403);
    assert_eq!(server.everything().await, before, "and no try was counted");
    for (field, input) in &ways {
        let mut input = input.clone();
        for wrong in ["wrong horse battery", PASSWORD] {
            input["currentPassword"] = json!(wrong);
            assert_eq!(mutation(field, &input).await["errors"][0]["extensions"]["code"], "FORBIDDEN", "{input}");
        }
        input["currentPassword"] = json!("admin horse battery");
        let done = mutation(field, &input).await;
        assert!(done["errors"].is_null(), "{input}: {done}");
    }
    assert_eq!(sign_in(&browser, "alice", "another horse battery").await.status, 200);
    // Another account needs no proof, and a key needs none.
    assert!(mutation("userCreate", &json!({ "name": "stranger" })).await["errors"].is_null());
    own(&admin, "userCreate", json!({ "name": "visitor", "siteAdmin": true })).await.expect_ok();
    own(&admin, "userSetPassword", json!({ "user": "alice", "newPassword": PASSWORD })).await.expect_ok();
}

/// One's own sessions are listed, and ended one by one or all at once, on every server at once; nobody gets at others'.
#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let (admin, twin) = (server.admin().await, server.twin().await);
    for client in [&alice, &bob] {
        with_password(&server, client).await;
    }
    let browser = server.anonymous();
    let begin = async |name: &str, agent: &str| {
        let answer = browser.request("POST", "/session", |request| {
            let request =
                request.header("origin", browser.url()).header("user-agent", agent).header("x-forwarded-for", "192.0.2.7");
            request.json(&json!({ "name": name, "password": PASSWORD }))
        });
        cookie(&answer.await)
    };
    let long = "x".repeat(600);
    let (first, second, third) = (begin("alice", "Firefox").await, begin("alice", "Chromium").await, begin("alice", &long).await);
    let bobs = begin("bob", "Firefox").await;
    const LIST: &str = "query($first: Int, $after: String) { viewer { sessions(first: $first, after: $after) { nodes { id createdAt \
                        lastUsedAt expiresAt address userAgent current } pageInfo { endCursor hasNextPage } } } }";
    let list = async |cookie: &str, variables: Value| {
        let body = json!({ "query": LIST, "variables": variables });
        let answer = send(&browser.at(&twin.url), "POST", "/graphql", Some(&twin.url), cookie, Some(body)).await;
        json_of(&answer)["data"]["viewer"]["sessions"].clone()
    };
    let all = list(&second, json!({})).await["nodes"].clone();
    let agents: Vec<&str> = all.as_array().unwrap().iter().map(|session| session["userAgent"].as_str().unwrap()).collect();
    assert_eq!(agents, [&long[..512], "Chromium", "Firefox"], "newest first");
    let current: Vec<bool> = all.as_array().unwrap().iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true, false]);
    assert_eq!(all[0]["address"], "192.0.2.7");
    for moment in ["createdAt", "lastUsedAt", "expiresAt"] {
        assert!(all[0][moment].is_string(), "{moment}");
    }
    let page = list(&second, json!({ "first": 2 })).await;
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let rest = list(&second, json!({ "first": 2, "after": page["pageInfo"]["endCursor"] })).await;
    assert_eq!(rest["nodes"], json!([all[2]]));

    // By a key they are one's own as well; others', also for a site administrator, are nobody's.
    let query = "query($n: String!) { user(name: $n) { sessions { nodes { id current } } } }";
    let of =
        async |client: &Client, name: &str| client.graphql(query, json!({ "n": name })).await.ok()["user"]["sessions"].clone();
    assert_eq!(of(&alice, "alice").await["nodes"].as_array().unwrap().len(), 3);
    assert!(of(&admin, "alice").await.is_null() && of(&alice, "bob").await.is_null());

    let end = async |cookie: &str, input: Value| {
        let body = json!({ "query": native_mutation("sessionEnd"), "variables": { "input": input } });
        json_of(&send(&browser, "POST", "/graphql", Some(browser.url()), cookie, Some(body)).await)
    };
    let before = server.everything().await;
    let (absent, hidden) =
        (end(&bobs, json!({ "id": encode_id("Session", 999) })).await, end(&bobs, json!({ "id": all[0]["id"] })).await);
    assert_eq!(absent["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(absent["errors"][0]["message"], hidden["errors"][0]["message"], "others' are as those that never were");
    for input in
        [json!({}), json!({ "id": all[0]["id"], "others": true }), json!({ "id": encode_id("User", 1) }), json!({ "id": "?" })]
    {
        assert_eq!(end(&second, input.clone()).await["errors"][0]["extensions"]["code"], "INVALID", "{input}");
    }
    assert_eq!(server.everything().await, before);

    let other = browser.at(&twin.url);
    assert_eq!(end(&second, json!({ "id": all[0]["id"] })).await["data"]["sessionEnd"]["ids"], json!([all[0]["id"]]));
    assert_eq!((viewer(&other, &third).await.status, viewer(&other, &first).await.status), (401, 200));
    assert_eq!(end(&second, json!({ "id": all[0]["id"] })).await["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(end(&second, json!({ "others": true })).await["data"]["sessionEnd"]["ids"], json!([all[2]["id"]]));
    assert_eq!((viewer(&other, &first).await.status, viewer(&other, &second).await.status), (401, 200));
    assert_eq!(end(&second, json!({ "others": true })).await["data"]["sessionEnd"]["ids"], json!([]));
    // One's own too; and with a key all.
    end(&second, json!({ "id": all[1]["id"] })).await;
    assert_eq!(viewer(&other, &second).await.status, 401);
    own(&bob, "sessionEnd", json!({ "others": true })).await.expect_ok();
    assert_eq!(viewer(&other, &bobs).await.status, 401);
    assert_eq!(server.number("select count(*) from audit_events where kind = 'session.ended'").await, 4);
    // What is over isn't listed.
    let idle = begin("alice", "Firefox").await;
    server.clock.advance(TimeDelta::hours(13));
    let busy = begin("alice", "Firefox").await;
    assert_eq!(list(&busy, json!({})).await["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(viewer(&other, &idle).await.status, 401);
}
