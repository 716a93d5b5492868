//! What one caller, or one address, may take of the server while others use it, too: requests at once, tries of wrong keys. What
//! must not live here: what one request may ask for (`limits`).

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use regalia_graphql::limits;
use regalia_server::http::{AT_ONCE_BYTES, AT_ONCE_REQUESTS, LOOKUPS_A_SECOND, MOST_WRONG, WINDOW_MINUTES};
use regalia_testkit::{Client, Patience, Reply, Server, VersionSpec};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::limits::{AT_ONCE, Raw, answer, head};

const WRONG: &str = "0123456789012345678901234567890123456789";

/// Reads three lists, of which one is of collections.
const SLOW: &str =
    "{ organizations(first: 1) { nodes { registries(first: 1) { nodes { collections(first: 1) { nodes { id } } } } } } }";

/// Keys that open nothing.
fn other(number: usize) -> String {
    format!("{number:040}")
}

async fn post(client: &Client, query: &str) -> Reply {
    client.request("POST", "/graphql", |request| request.bearer_auth(client.key()).json(&json!({ "query": query }))).await
}

fn told_to_wait(reply: &Reply) {
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    assert!(reply.text().contains("TOO_MANY") && reply.message().contains(' '), "{}", reply.text());
}

/// Rule 44: 64 processes of one account, with 5 parallel batches each.
#[tokio::test(flavor = "multi_thread")]
async fn rule_44_many_processes_of_one_account() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let replies = join_all((0..64 * 5).map(|_| post(&alice, "{ viewer { name teams { nodes { name } } } }"))).await;
    for reply in replies {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

/// Somebody's slow requests keep his own waiting, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn one_account_leaves_connections_to_the_others() {
    let patience = Patience { turn: Duration::from_millis(700), ..Patience::default() };
    let server = Server::patient(patience).await;
    let (alice, bob, _) = server.people().await;
    alice.make_registry("acme", "model", "ORGANIZATION").await;
    assert_eq!(post(&bob, SLOW).await.status, 200);
    let locked = server.attempt("lock table collections in access exclusive mode; select pg_sleep(4)");
    let others = async {
        while server
            .number(
                "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = \
         'collections'::regclass",
            )
            .await
            == 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let meanwhile = async {
            // They all wait for the lock by now, or for one that does.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let answered = tokio::time::timeout(Duration::from_millis(1500), post(&alice, "{ viewer { name } }")).await;
            assert_eq!(answered.expect("others aren't kept waiting").status, 200);
        };
        tokio::join!(join_all((0..30).map(|_| post(&bob, SLOW))), meanwhile).0
    };
    let (locked, replies) = tokio::join!(locked, others);
    locked.unwrap();
    let (waited, done): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 429);
    // Three lists each, at 18 of the test server's 20 connections.
    assert_eq!((done.len(), waited.len()), (6, 24));
    waited.iter().for_each(told_to_wait);
    assert!(done.iter().all(|reply| reply.status == 200));
    assert_eq!(post(&bob, SLOW).await.status, 200);
}

/// Who leaves in the middle takes his turn with him only when his statement ends, as PostgreSQL goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_held_until_its_statement_ends() {
    let patience = Patience { turn: Duration::from_millis(300), ..Patience::default() };
    let server = Server::patient(patience).await;
    let (alice, bob, _) = server.people().await;
    alice.make_registry("acme", "model", "ORGANIZATION").await;
    let small = "{ viewer { name } }";
    assert_eq!((post(&alice, small).await.status, post(&bob, small).await.status), (200, 200));
    let held = server.hold("lock table collections in access exclusive mode").await;
    // Six of three lists each take 18 of the test server's 20 connections.
    let left = (0..6).map(|_| tokio::time::timeout(Duration::from_millis(1000), post(&bob, SLOW)));
    assert!(join_all(left).await.iter().all(Result::is_err), "all wait for the lock");
    // Nobody waits for the answers, but PostgreSQL doesn't know.
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let all = async {
        while server.number(waiting).await != 6 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(AT_ONCE, all).await.expect("six statements wait for the lock");
    told_to_wait(&post(&bob, small).await);
    assert_eq!(post(&alice, small).await.status, 200);
    held.release().await;
    let freed = async {
        while post(&bob, small).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(AT_ONCE, freed).await.expect("the turns end with the statements");
}

/// What waits to be read is bounded by what it says of itself, or by what has come of it.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_on_their_way_are_bounded_for_each_account() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let most = AT_ONCE_BYTES / limits::BODY_BYTES;
    let begin = async |length: &str| {
        let mut raw = Raw::to(&server).await;
        raw.say(&head("/graphql", Some(alice.key()), length)).await;
        raw.say(if length.contains("chunked") { "1\r\n{\r\n" } else { "{" }).await;
        raw
    };
    let mut silent = Vec::new();
    for _ in 0..most * 2 {
        silent.push(begin("Transfer-Encoding: chunked").await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(post(&alice, "{ viewer { name } }").await.status, 200, "many small ones that don't say how long they are");
    let mut begun = Vec::new();
    let length = |bytes: usize| format!("Content-Length: {bytes}");
    for _ in 1..most {
        begun.push(begin(&length(limits::BODY_BYTES)).await);
    }
    // One that comes beside what is asked here is refused and doesn't count, so it is sent again.
    let large = format!("{{ viewer {{ name }} }}{}", " ".repeat(2000));
    let full = async {
        loop {
            begun.push(begin(&length(limits::BODY_BYTES - 1000)).await);
            tokio::time::sleep(Duration::from_millis(300)).await;
            if post(&alice, &large).await.status == 429 {
                break;
            }
        }
    };
    tokio::time::timeout(AT_ONCE, full).await.expect("what is said to come counts");
    let mut grown = silent.pop().unwrap();
    grown.say(&format!("3e8\r\n{}\r\n", " ".repeat(1000))).await;
    let (status, body) = tokio::time::timeout(AT_ONCE, answer(&mut grown.read)).await.unwrap().unwrap();
    assert_eq!(status, 429, "{body}");
    drop(silent);
    // The server may learn a little later that those who said little are gone: until then these are refused and don't count.
    let full = async {
        loop {
            begun.push(begin(&length(990)).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
            let reply = post(&alice, "{ viewer { name } }").await;
            if reply.status == 429 {
                break reply;
            }
        }
    };
    told_to_wait(&tokio::time::timeout(AT_ONCE, full).await.expect("what is said to come counts"));
    assert_eq!(post(&bob, "{ viewer { name } }").await.status, 200);
    let mut refused = begin("Content-Length: 100").await;
    let (status, body) = tokio::time::timeout(AT_ONCE, answer(&mut refused.read)).await.unwrap().unwrap();
    assert_eq!(status, 429, "{body}");
    begun.remove(0);
    let freed = async {
        while post(&alice, "{ viewer { name } }").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(AT_ONCE, freed).await.expect("who leaves makes room");
    const { assert!(AT_ONCE_REQUESTS > 64 * 5) };
}

/// A request has as many connections as it holds turns for, however many fields stand at its top.
#[tokio::test(flavor = "multi_thread")]
async fn one_request_takes_four_connections() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await;
    let place = "project(entityName: \"alpha\", name: \"demo\") { artifactCollectionMembership(name: \"net:latest\") { id } }";
    let many = format!("{{ {} }}", (0..50).map(|number| format!("a{number}: {place} ")).collect::<String>());
    assert_eq!(post(&alice, &many).await.status, 200);
    let held = server.hold("lock table collections in access exclusive mode").await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let meanwhile = async {
        while server.number(waiting).await < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(server.number(waiting).await, 4);
        assert_eq!(post(&bob, "{ viewer { name } }").await.status, 200);
        held.release().await;
    };
    let (reply, ()) = tokio::join!(post(&alice, &many), meanwhile);
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("\"a49\":{\"artifactCollectionMembership\":{\"id\""), "{}", reply.text());
}

/// A long answer that nobody reads counts for its account until it is read, or given up.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_are_counted() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let id = alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await.id;
    server.sql("update versions set metadata = json_build_object('a', repeat('a', 1000000))").await;
    // 100 MB each, of which the system's buffers take a few.
    let fields = (0..100).map(|number| format!("a{number}: metadata ")).collect::<String>();
    let body = json!({ "query": format!("{{ artifact(id: \"{id}\") {{ {fields} }} }}") }).to_string();
    let mut unread = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::to(&server).await;
        raw.say(&head("/graphql", Some(alice.key()), &format!("Content-Length: {}", body.len()))).await;
        raw.say(&body).await;
        // Its head is here: the answer is made.
        assert!(raw.read.peek(&mut [0; 16]).await.unwrap() > 0);
        unread.push(raw);
    }
    told_to_wait(&post(&alice, "{ viewer { name } }").await);
    assert_eq!(post(&bob, "{ viewer { name } }").await.status, 200);
    // One is read to its end, as long as it says.
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 1 << 20]);
    let whole = loop {
        let length = unread[0].read.read(&mut piece).await.unwrap();
        assert!(length > 0, "it ended after {} bytes", bytes.len());
        bytes.extend_from_slice(&piece[..length]);
        let Some(end) = bytes[..bytes.len().min(2000)].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        assert!(head.starts_with("http/1.1 200") && length > 100_000_000, "{head}");
        if bytes.len() == end + 4 + length {
            break bytes.split_off(end + 4);
        }
    };
    let whole: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["data"]["artifact"].as_object().unwrap().len(), 100);
    assert_eq!(post(&alice, "{ viewer { name } }").await.status, 200);
}

/// Sessions that open nothing are looked up as slowly as keys.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_sessions_cost_the_database_little() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let ask = async |number: usize| {
        let cookie = format!("regalia_session={number:064}");
        let body = json!({ "query": "{ viewer { name } }" });
        let own = server.url.clone();
        alice.request("POST", "/graphql", |request| request.header("cookie", cookie).header("origin", own).json(&body)).await
    };
    for number in 0..MOST_WRONG as usize + LOOKUPS_A_SECOND {
        let reply = ask(number).await;
        assert_eq!((reply.status, reply.statements.len()), (401, 1), "{number}: {}", reply.text());
    }
    let slowed = ask(0).await;
    told_to_wait(&slowed);
    assert_eq!(slowed.statements.len(), 0);
    let shown = alice.request("GET", "/session", |request| request.header("cookie", format!("regalia_session={WRONG}"))).await;
    assert_eq!((shown.status, shown.statements.len()), (429, 0), "{}", shown.text());
    server.clock.advance(TimeDelta::seconds(1));
    assert_eq!(ask(0).await.status, 401);
}

/// After many wrong keys from one address, unknown keys are slowed down there, and known keys nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_cost_the_database_little_and_others_nothing() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let wrong = server.anonymous().with_key(WRONG);
    let viewer = "{ viewer { name } }";
    assert_eq!(post(&alice, viewer).await.status, 200);
    for number in 0..MOST_WRONG as usize + LOOKUPS_A_SECOND {
        // Often the same, as of a program that was forgotten.
        let client = if number < 50 { wrong.clone() } else { wrong.with_key(&other(number)) };
        let reply = post(&client, viewer).await;
        assert_eq!((reply.status, reply.statements.len()), (401, 1), "{number}: {}", reply.text());
    }
    for path in ["/graphql", "/files/alpha/demo/run1/file_stream"] {
        let reply = wrong.request("POST", path, |request| request.basic_auth("api", Some(WRONG)).json(&json!({}))).await;
        assert_eq!(reply.statements.len(), 0, "{path}");
        told_to_wait(&reply);
    }
    let slowed = post(&wrong, viewer).await;
    told_to_wait(&slowed);
    assert_eq!(slowed.statements.len(), 0);
    // What is no key at all was never looked up.
    let none = post(&server.anonymous().with_key("secret"), viewer).await;
    assert_eq!((none.status, none.statements.len()), (401, 0));
    // Somebody else's wrong key, from an address of his own, and from another of the same network.
    let from = async |address: &str, number: usize| {
        wrong
            .request("POST", "/graphql", |request| {
                request.bearer_auth(other(number)).header("x-forwarded-for", address).json(&json!({ "query": viewer }))
            })
            .await
            .status
    };
    assert_eq!(from("2001:db8::1", 0).await, 401);
    for number in 0..MOST_WRONG as usize + LOOKUPS_A_SECOND {
        from("2001:db8::2", number).await;
    }
    assert_eq!((from("2001:db8::3", 0).await, from("2001:db8:0:1::3", 0).await), (429, 401));

    assert_eq!(post(&alice, viewer).await.status, 200, "a key that opened something lately");
    told_to_wait(&post(&bob, viewer).await);
    server.clock.advance(TimeDelta::seconds(1));
    assert_eq!(post(&bob, viewer).await.status, 200, "one that is new here has its turn");
    for number in 0..LOOKUPS_A_SECOND {
        post(&wrong.with_key(&other(number)), viewer).await;
    }
    told_to_wait(&post(&wrong, viewer).await);
    assert_eq!(post(&bob, viewer).await.status, 200, "and none to wait for after that");
    server.clock.advance(TimeDelta::minutes(WINDOW_MINUTES));
    assert_eq!(post(&wrong, viewer).await.status, 401);
}
