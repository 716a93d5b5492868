//! What somebody sends who wants the server's time or memory: each is answered at once, with a 4xx and a sentence, and the
//! server still answers the next one. What must not live here: ordinary mistakes (`refusals`).

use std::time::Duration;

use regalia_domain::description;
use regalia_domain::ids::encode_id;
use regalia_graphql::limits::{ALIASES, ANSWER_BYTES, ARGUMENT_BYTES, LOADED_BYTES, TOKENS};
use regalia_testkit::{Client, Patience, Reply, Server, VersionSpec};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::native::own;

/// "At once", on a busy machine and without optimization.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(15);

/// How long somebody may go on sending next to nothing.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(2),
    whole: Duration::from_secs(2),
    silence: Duration::from_secs(1),
    turn: Duration::from_millis(700),
};

/// An answer's sentence may quote what was sent, but not all of it.
const LONGEST_SENTENCE: usize = 1100;

/// Posts a body to `/graphql`, with the key.
async fn post(client: &Client, body: impl Into<reqwest::Body>) -> Reply {
    let key = client.key().to_owned();
    let sent = client.request("POST", "/graphql", |request| {
        request.basic_auth("api", Some(key)).header("content-type", "application/json").body(body)
    });
    tokio::time::timeout(AT_ONCE, sent).await.expect("answered at once")
}

/// Fails unless the reply is one of these statuses with a sentence that a person can read.
fn refused(what: &str, reply: &Reply, statuses: &[u16]) {
    assert!(statuses.contains(&reply.status), "{what}: {} {:.300}", reply.status, reply.text());
    sentence(what, &reply.message());
}

fn sentence(what: &str, message: &str) {
    assert!(message.contains(' ') && message.len() <= LONGEST_SENTENCE, "{what}: {} bytes: {message:.300}", message.len());
}

async fn alive(what: &str, client: &Client) {
    let answer = tokio::time::timeout(AT_ONCE, client.graphql("{ viewer { name } }", json!({}))).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer after {what}"));
    assert_eq!(answer.ok()["viewer"]["name"], "alice", "after {what}");
}

fn query(text: impl Into<String>) -> String {
    json!({ "query": text.into() }).to_string()
}

/// `n` fields, each inside the one before.
fn nested(n: usize) -> String {
    format!("{}{}", "{a".repeat(n), "}".repeat(n))
}

/// Fragments of which each names the next twice.
fn doubling(n: usize) -> String {
    let each = (0..n).map(|i| format!("fragment f{i} on User {{ ...f{} ...f{} }} ", i + 1, i + 1));
    each.collect::<String>() + &format!("fragment f{n} on User {{ name }} ")
}

/// The documents: deep, wide, multiplying.
#[tokio::test(flavor = "multi_thread")]
async fn documents_beyond_measure() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let many = |n: usize, item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<Vec<_>>().join(" ");
    for (what, text) in [
        ("1,000 levels", nested(1000)),
        ("10,000 levels", nested(10_000)),
        ("1,000 levels of a list", format!("{{ user(name: {}{}) {{ name }} }}", "[".repeat(1000), "]".repeat(1000))),
        ("1,000 levels of an object", format!("{{ user(name: {}1{}) {{ name }} }}", "{a:".repeat(1000), "}".repeat(1000))),
        ("1,000 levels of a type", format!("query($a: {}Int{}) {{ viewer {{ name }} }}", "[".repeat(1000), "]".repeat(1000))),
        ("1,000 brackets that never close", "{".repeat(1000)),
        ("1,000 inline fragments", format!("{{ viewer {}name{} }}", "{ ... on User ".repeat(1000), "}".repeat(1000))),
        (
            "30 levels of real fields",
            format!("{{ viewer {}name{} }}", "{ organizations { members { edges { node { user ".repeat(6) + "{", "}".repeat(31)),
        ),
        ("10,000 aliases", format!("{{ {} }}", many(10_000, &|i| format!("a{i}: viewer {{ name }}")))),
        ("5,000 aliases in 64 KiB", format!("{{ viewer {{ {} }} }}", many(5_000, &|i| format!("a{i}:id")))),
        ("10,000 directives", format!("{{ viewer {{ name {} }} }}", "@skip(if:false) ".repeat(10_000))),
        ("3,000 directives in 64 KiB", format!("{{ viewer {{ name {} }} }}", "@skip(if:false)".repeat(3_000))),
        ("3,000 directives on an operation", format!("query {} {{ viewer {{ name }} }}", "@include(if:true)".repeat(3_000))),
        ("fragments that double 40 times", doubling(40) + "{ viewer { ...f0 } }"),
        ("doubling fragments that nobody uses", doubling(40) + "{ viewer { name } }"),
        ("a fragment in itself", "{ viewer { ...a } } fragment a on User { name ...a }".to_owned()),
        ("fragments in a circle", "{ viewer { ...a } } fragment a on User { ...b } fragment b on User { ...a }".to_owned()),
        ("a circle that nobody uses", "{ viewer { name } } fragment a on User { ...b } fragment b on User { ...a }".to_owned()),
        ("2,000 fragments in a chain", {
            "{ viewer { ...f0 } } ".to_owned()
                + &many(2_000, &|i| format!("fragment f{i} on User{{...f{}}}", i + 1))
                + "fragment f2000 on User{id}"
        }),
        ("5,000 arguments", format!("{{ user({}) {{ name }} }}", many(5_000, &|i| format!("a{i}:1")))),
        ("5,000 variables", format!("query({}) {{ viewer {{ name }} }}", many(5_000, &|i| format!("$a{i}:Int")))),
        ("a name of 60,000 letters", format!("{{ {} }}", "a".repeat(60_000))),
        ("a query of 100,000 bytes", format!("{{ viewer {{ name }} }}{}", " ".repeat(100_000))),
        ("a string of 100,000 bytes", format!("{{ user(name: \"{}\") {{ name }} }}", "a".repeat(100_000))),
    ] {
        let reply = post(&alice, query(text)).await;
        refused(what, &reply, &[400]);
        alive(what, &alice).await;
    }
    // Another operation of the same document counts, too: it is validated all the same.
    let text = doubling(40) + "query A { viewer { name } } query B { viewer { ...f0 } }";
    let reply = post(&alice, json!({ "query": text, "operationName": "A" }).to_string()).await;
    refused("the other operation", &reply, &[400]);
    // As many as are allowed, and one more.
    let aliases = |n: usize| query(format!("{{ {} }}", many(n, &|i| format!("a{i}: viewer {{ name }}"))));
    assert_eq!(post(&alice, aliases(ALIASES)).await.status, 200);
    let refusal = post(&alice, aliases(ALIASES + 1)).await;
    refused("one alias too many", &refusal, &[400]);
    assert!(refusal.message().contains("under other names"), "{}", refusal.message());
    let tokens = |n: usize| query(format!("query {{ user(name: \"x\", {}) {{ name }} }}", many(n, &|_| "a".to_owned())));
    let refusal = post(&alice, tokens(TOKENS)).await;
    assert!(refusal.message().contains("words and signs"), "{}", refusal.message());
}

/// Brackets in what looks like a string or a comment, but is none to the parser: one more stack frame for each would end the
/// whole process.
#[tokio::test(flavor = "multi_thread")]
async fn nesting_hidden_from_a_naive_count() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for depth in [100, 500, 1_000, 2_000, 30_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for (what, text) in [
            ("behind an escaped end of a block string", format!("{{ a(b: \"\"\"\\\"\"\" \"\"\", c: {open}{close}) }}")),
            ("behind an escape after a backslash", format!("{{ a(b: \"\"\"\\\\\"\"\" \"\"\", c: {open}{close}) }}")),
            ("behind a comment that ends in CR", format!("{{ a(b: 1 #\r c: {open}{close}) }}")),
            ("fields behind a comment that ends in CR", format!("{{ a #\r {} }}", nested(depth))),
            ("behind an empty string", format!("{{ a(b: \"\", c: {open}{close}) }}")),
            ("behind an empty block string", format!("{{ a(b: \"\"\"\"\"\", c: {open}{close}) }}")),
            ("behind a quote in a comment", format!("{{ a(b: 1 #\" \n c: {open}{close}) }}")),
            ("behind a comment sign in a string", format!("{{ a(b: \"#\", c: {open}{close}) }}")),
            (
                "in a default value",
                format!("query($a: Int = \"\"\"\\\"\"\" \"\"\" $b: Int = {open}{close}) {{ viewer {{ name }} }}"),
            ),
        ] {
            let what = format!("{depth} {what}");
            let reply = post(&alice, query(text)).await;
            refused(&what, &reply, &[400]);
            alive(&what, &alice).await;
        }
    }
}

/// Page sizes multiply along a path: what a query would bring is bounded, not only what it says.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_multiply_are_refused() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    server
        .sql(
            "insert into entities (kind, name, name_key) select 'user', 'u' || i, 'u' || i from generate_series(1, 60) i;
             insert into users (id) select id from entities where kind = 'user' and name like 'u%';
             insert into organization_members (organization_id, user_id, role)
                select o.id, u.id, 'member' from organizations o, users u on conflict do nothing;",
        )
        .await;
    let level = |inner: &str| format!("organizations {{ members(first: 1000) {{ edges {{ node {{ user {{ {inner} }} }} }} }} }}");
    let once = format!("{{ viewer {{ {} }} }}", level("name"));
    assert_eq!(post(&alice, query(once)).await.status, 200, "what a page is for");
    let text = format!("{{ viewer {{ {} }} }}", level(&level(&level("name"))));
    refused("pages of 1,000 in pages of 1,000 in pages of 1,000", &post(&alice, query(text)).await, &[400]);
    let variable = format!("query($n: Int) {{ viewer {{ {} }} }}", level(&level(&level("name"))).replace("1000", "$n"));
    let reply = post(&alice, json!({ "query": variable, "variables": { "n": 1000 } }).to_string()).await;
    refused("the same by a variable", &reply, &[400]);
    alive("pages", &alice).await;

    // Defaults count, too: those of the operation that is executed, whatever the others call by the same name.
    let text = format!("{{ viewer {{ {} }} }}", level(&level(&level("name")))).replace("1000", "$n");
    let other =
        |i, rows: u32| format!("query Q{i}($n: Int = {rows}) {{ viewer {{ teams(first: $n) {{ nodes {{ name }} }} }} }} ");
    let others = |rows: u32| (0..20).map(|i| other(i, rows)).collect::<String>();
    let large = format!("{}query A($n: Int = 1000) {text}", others(1));
    let reply = post(&alice, json!({ "query": large, "operationName": "A" }).to_string()).await;
    refused("the same by a default", &reply, &[400]);
    assert!(reply.text().contains("asks for too much"), "{}", reply.text());
    let small = format!("{}query A($n: Int = 1) {text}", others(1000));
    let reply = post(&alice, json!({ "query": small, "operationName": "A" }).to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    // An operation that isn't executed brings nothing.
    let reply = post(&alice, json!({ "query": large, "operationName": "Q3" }).to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    alive("defaults", &alice).await;
}

/// 3,000 aliases of each version that is `latest` somewhere.
async fn many_aliases(server: &Server) {
    server
        .sql(
            "insert into aliases (collection_id, alias, version_id, valid)
                select a.collection_id, 'a' || i, a.version_id, a.valid
                from aliases a, generate_series(1, 3000) i where a.alias = 'latest'",
        )
        .await;
}

/// Lists without pages are taken for short ones. What they bring beyond that is counted while they are read, with all that is
/// asked of each row.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_turn_out_long_are_bounded() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let id = alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await.id;
    many_aliases(&server).await;
    let ask = async |inner: &str| {
        let query = format!("query($id: ID!) {{ artifact(id: $id) {{ {inner} }} }}");
        alice.graphql(&query, json!({ "id": id })).await
    };
    // As the SDK asks.
    let all = ask("aliases { id alias artifactCollection { __typename name project { name entity { name } } } }").await.ok();
    assert_eq!(all["artifact"]["aliases"].as_array().map(Vec::len), Some(3001));
    let page = "artifactSequence { aliases { edges { node { alias } } pageInfo { hasNextPage } } }";
    assert_eq!(ask(page).await.ok()["artifact"]["artifactSequence"]["aliases"]["edges"].as_array().map(Vec::len), Some(1000));
    // A few of these would be cheap. The database knows that there are more.
    let fifty = "artifactCollection { artifacts(first: 50) { edges { node { id name: digest size fileCount createdAt } } } }";
    for (what, query) in [
        ("all aliases", format!("aliases {{ {fifty} }}")),
        ("a page without a length", format!("artifactSequence {{ aliases {{ edges {{ node {{ {fifty} }} }} }} }}")),
        ("lists in lists", "aliases { artifactCollection { aliases { edges { node { id alias } } } } }".to_owned()),
    ] {
        let answer = ask(&query).await;
        assert_eq!((answer.status, answer.code()), (413, "TOO_LARGE"), "{what}");
        assert!(answer.message().contains("asks for too much"), "{what}: {}", answer.message());
    }
    alive("long lists", &alice).await;
}

/// Each row has its own copy of what the fields below it are given, so a long text below a long page would be multiplied.
#[tokio::test(flavor = "multi_thread")]
async fn arguments_below_many_rows_are_bounded() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let id = alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await.id;
    let long = |bytes: usize| "a".repeat(bytes);
    let ask = async |declared: &str, below: &str, variable: Value| {
        let page =
            format!("registry(organization: \"acme\", name: \"model\") {{ collections(first: 1000) {{ nodes {{ {below} }} }} }}");
        post(
            &alice,
            json!({ "query": format!("query($a: {declared}) {{ {page} }}"), "variables": { "a": variable } }).to_string(),
        )
        .await
    };
    let at = "aliasAt(name: $a, time: \"2026-01-01T00:00:00Z\") { from }";
    for (what, declared, below, variable) in [
        ("an alias", "String!", at, json!(long(2_000_000))),
        ("a history's alias", "String!", "aliasHistory(name: $a) { nodes { from } }", json!(long(2_000_000))),
        ("an actor", "String", "events(filter: { actor: $a }) { nodes { kind } }", json!(long(2_000_000))),
        ("kinds", "[String!]", "events(filter: { kinds: $a }) { nodes { kind } }", json!(vec!["alias.set"; 100_000])),
        ("a cursor", "String", "links(after: $a) { nodes { id } }", json!(long(2_000_000))),
        ("a place", "String!", "link(alias: $a) { id }", json!(long(2_000_000))),
        ("as much as all rows may have together", "String!", at, json!(long(ARGUMENT_BYTES / 1000))),
    ] {
        let reply = ask(declared, below, variable).await;
        refused(what, &reply, &[400]);
        assert!(reply.message().contains("arguments are too long"), "{what}: {}", reply.message());
    }
    let runs = |argument: &str| {
        format!(
            "project(entityName: \"alpha\", name: \"demo\") {{ runs(first: 1000) {{ edges {{ node {{ files({argument}: $a) {{ \
             totalCount }} }} }} }} }}"
        )
    };
    for (argument, declared, variable) in
        [("names", "[String]", json!(vec![long(1000); 5000])), ("pattern", "String", json!(long(2_000_000)))]
    {
        let query = format!("query($a: {declared}) {{ {} }}", runs(argument));
        let reply = post(&alice, json!({ "query": query, "variables": { "a": variable } }).to_string()).await;
        refused(argument, &reply, &[400]);
        assert!(reply.message().contains("arguments are too long"), "{argument}: {}", reply.message());
    }
    // All that a body may have fits once, and what can name nothing names nothing.
    let once = "query($a: String!) { registry(organization: \"acme\", name: $a) { id } }";
    let reply = post(&alice, json!({ "query": once, "variables": { "a": long(16_000_000) } }).to_string()).await;
    assert_eq!((reply.status, reply.text().contains("\"registry\":null")), (200, true), "{:.300}", reply.text());
    let reply = ask("String!", at, json!(long(8_000))).await;
    assert_eq!(reply.status, 200, "{:.300}", reply.text());

    // A list that turns out long has many copies, too.
    many_aliases(&server).await;
    let query = "query($id: ID!, $a: String!) { artifact(id: $id) { aliases {
        artifactCollection { artifactMembership(aliasName: $a) { id } } } } }";
    let ask = async |bytes| alice.graphql(query, json!({ "id": id, "a": long(bytes) })).await;
    let few = ask(8_000).await.ok();
    assert_eq!(few["artifact"]["aliases"].as_array().map(Vec::len), Some(3001));
    let many = ask(100_000).await;
    assert_eq!((many.status, many.code()), (413, "TOO_LARGE"));
    assert!(many.message().contains("arguments are too long"), "{}", many.message());
    alive("long arguments", &alice).await;
}

/// Texts of any length are bounded together.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_long_texts_are_bounded() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut id = String::new();
    for content in [b"one", b"two", b"six"] {
        id = alice.log(&VersionSpec::model("alpha", "net", content)).await.id;
    }
    server.sql("update versions set metadata = json_build_object('a', repeat('a', 1000000))").await;
    let ask = async |metadata: usize| {
        let metadata = (0..metadata).map(|i| format!("a{i}: metadata ")).collect::<String>();
        let page = format!("artifacts(first: 3) {{ edges {{ node {{ {metadata} }} }} }}");
        alice
            .graphql(&format!("query($id: ID!) {{ artifact(id: $id) {{ artifactSequence {{ {page} }} }} }}"), json!({ "id": id }))
            .await
    };
    let answer = ask(2).await.ok();
    let first = &answer["artifact"]["artifactSequence"]["artifacts"]["edges"][0]["node"];
    assert_eq!(first["a1"].as_str().map(|text| text.len() > 1_000_000), Some(true));
    let answer = ask(ANSWER_BYTES / 3_000_000 + 1).await;
    assert_eq!((answer.status, answer.code()), (413, "TOO_LARGE"));
    assert!(answer.message().contains("answer is too large"), "{}", answer.message());
    alive("long texts", &alice).await;
}

/// Adds copies of the only version to its collection.
async fn copy_version(server: &Server, copies: usize) {
    server
        .sql(&format!(
            "insert into versions (collection_id, state, digest, manifest_id, committed_at)
                select collection_id, state, md5(i::text), manifest_id, committed_at from versions, generate_series(1, {copies}) i;
             insert into memberships (collection_id, version_id, index)
                select collection_id, id, row_number() over (order by id) from versions
                where id not in (select version_id from memberships)"
        ))
        .await;
}

/// Metadata is measured before any of it is in memory, each once, however many versions a page has.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_one_request_reads_is_bounded() {
    const EACH: usize = 1_000_000;
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await;
    let most = LOADED_BYTES / EACH;
    copy_version(&server, most).await;
    server.sql(&format!("update versions set metadata = json_build_object('a', repeat('a', {EACH} - 10))")).await;
    let ask = async |first: usize, fields: &str| {
        let page = format!("artifacts(first: {first}) {{ edges {{ node {{ {fields} }} }} }}");
        let query = format!(
            "{{ project(entityName: \"alpha\", name: \"demo\") {{ artifactType(name: \"model\") {{
                artifactCollection(name: \"net\") {{ {page} }} }} }} }}"
        );
        alice.graphql(&query, json!({})).await
    };
    let answer = ask(most, "metadata").await.ok();
    let edges = answer["project"]["artifactType"]["artifactCollection"]["artifacts"]["edges"].as_array().unwrap();
    assert!(edges.len() == most && edges.iter().all(|edge| edge["node"]["metadata"].as_str().map(str::len) == Some(EACH)));
    let refused = ask(most + 1, "metadata").await;
    assert_eq!((refused.status, refused.code()), (413, "TOO_LARGE"), "{}", refused.message());
    assert!(refused.message().contains("metadata") && refused.message().contains("`first`"), "{}", refused.message());
    // Without it nothing of it is read.
    assert_eq!(ask(most + 1, "id digest").await.ok()["project"]["artifactType"]["name"], Value::Null);
    alive("long metadata", &alice).await;
}

/// So are descriptions and the texts of entries.
#[tokio::test(flavor = "multi_thread")]
async fn descriptions_and_entries_that_one_request_reads_are_bounded() {
    const EACH: usize = 65_536;
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await;
    let most = LOADED_BYTES / EACH;
    copy_version(&server, most).await;
    server
        .sql(&format!(
            "update versions set description = repeat('d', {EACH});
             delete from manifest_entries where manifest_id not in (select manifest_id from versions);
             insert into manifest_entries (manifest_id, ordinal, path, digest, size, reference)
                select manifest_id, 1 + i, 'path' || i, repeat('e', {EACH}), 1, 's3://bucket/' || i
                from (select distinct manifest_id from versions) v, generate_series(1, {most}) i"
        ))
        .await;
    let ask = async |list: &str, first: usize, fields: &str| {
        let query = format!(
            "{{ collection(path: \"alpha/demo/net\") {{ links(first: {list}) {{ nodes {{ version {{ {fields} }} }} }} }} }}"
        );
        alice.graphql(&query.replace("FIRST", &first.to_string()), json!({})).await
    };
    for (what, list, first, fields) in
        [("descriptions", "FIRST", 1000, "digest"), ("entries", "1", 1000, "files(first: FIRST) { nodes { path } }")]
    {
        assert!(most > first, "{what}");
        assert_eq!(ask(list, first, fields).await.code(), "", "{what}");
    }
    // A thousand of each are within the limit, not of both.
    let refused = ask("FIRST", 1000, "files(first: 50) { nodes { path } }").await;
    assert_eq!((refused.status, refused.code()), (200, "TOO_LARGE"), "{}", refused.message());
    assert!(refused.message().contains("longer than one request may bring") && refused.message().contains("`first`"));
    alive("long texts of many rows", &alice).await;
}

/// So is what events tell, however many a page has.
#[tokio::test(flavor = "multi_thread")]
async fn what_events_tell_in_one_request_is_bounded() {
    const EACH: usize = 1_000_000;
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let most = LOADED_BYTES / EACH;
    server
        .sql(&format!(
            "insert into audit_events (organization_id, request_id, kind, subject, before, after)
                select id, gen_random_uuid(), 'team.deleted', 'Team:1', jsonb_build_object('a', repeat('a', {EACH} / 2 - 9)),
                    jsonb_build_object('b', repeat('b', {EACH} / 2 - 9))
                from entities, generate_series(0, {most}) where name = 'acme'"
        ))
        .await;
    let ask = async |first: usize, fields: &str| {
        alice
            .graphql(
                &format!("{{ organization(name: \"acme\") {{ events(first: {first}) {{ nodes {{ {fields} }} }} }} }}"),
                json!({}),
            )
            .await
    };
    let answer = ask(most, "before after").await;
    let texts = answer.statements.iter().filter(|sql| sql.contains("history::texts")).count();
    assert_eq!(texts, 1);
    let data = answer.ok();
    let nodes = data["organization"]["events"]["nodes"].as_array().unwrap();
    let length = |text: &serde_json::Value| text.as_str().map_or(0, str::len);
    assert!(nodes.len() == most && nodes.iter().all(|node| length(&node["before"]) + length(&node["after"]) == EACH));
    let refused = ask(most + 1, "before").await;
    assert_eq!((refused.status, refused.code()), (200, "TOO_LARGE"), "{}", refused.message());
    assert!(refused.message().contains("events") && refused.message().contains("`first`"), "{}", refused.message());
    assert_eq!(ask(most + 1, "kind").await.ok()["organization"]["events"]["nodes"].as_array().unwrap().len(), most + 1);
    alive("long events", &alice).await;
}

/// Rule 7: a description is as long as a page shows it a thousand times, whatever it is of. One that is there may stay.
#[tokio::test]
async fn rule_7_descriptions_are_bounded() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let registry = alice.make_registry("acme", "model", "ORGANIZATION").await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await.id;
    alice.link(&version, "acme", "model", "Net", &[]).await.expect_ok();
    let collection = encode_id("Collection", server.number("select id from collections where name = 'Net'").await);

    let wire = async |what: &str, input: Value| {
        let (field, kind, inner) = match what {
            "model" => ("upsertModel", "UpsertModelInput", "inserted"),
            "run" => ("upsertBucket", "UpsertBucketInput", "inserted"),
            _ => ("createArtifact", "CreateArtifactInput", "artifact { id }"),
        };
        let document = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {inner} }} }}");
        alice.graphql(&document, json!({ "input": input })).await
    };
    let before = server.everything().await;
    let (longest, longer) = ("x".repeat(65_536), "x".repeat(65_537));
    let all = async |text: &str| {
        vec![
            own(&alice, "registryCreate", json!({ "organization": "acme", "name": "other", "description": text })).await,
            own(&alice, "registryUpdate", json!({ "id": registry, "description": text })).await,
            own(&alice, "collectionUpdate", json!({ "collection": collection, "description": text })).await,
            own(&alice, "versionUpdate", json!({ "version": version, "description": text })).await,
            wire("model", json!({ "entityName": "alpha", "name": "new", "description": text })).await,
            wire("model", json!({ "entityName": "alpha", "name": "demo", "description": text })).await,
            wire("run", json!({ "entityName": "alpha", "modelName": "demo", "name": "run1", "notes": text })).await,
            wire("run", json!({ "entityName": "alpha", "modelName": "demo", "name": "run2", "description": text })).await,
            wire(
                "version",
                json!({ "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": "net",
                    "digest": "0".repeat(32), "digestAlgorithm": "MANIFEST_MD5", "description": text }),
            )
            .await,
        ]
    };
    for (number, answer) in all(&longer).await.into_iter().enumerate() {
        assert_eq!(answer.code(), "INVALID", "{number}: {:?}", answer.errors);
        assert!(answer.message().contains("65,536"), "{number}: {}", answer.message());
    }
    assert_eq!(server.everything().await, before);
    for answer in all(&longest).await {
        answer.expect_ok();
    }
    server.sql("update projects set description = repeat('y', 70000) where name = 'model'").await;
    let kept = json!({ "id": registry, "name": "renamed", "description": "y".repeat(70_000) });
    own(&alice, "registryUpdate", kept).await.expect_ok();
    assert_eq!(own(&alice, "registryUpdate", json!({ "id": registry, "description": longer })).await.code(), "INVALID");
}

/// What a person writes who hasn't read about pages is answered.
#[tokio::test(flavor = "multi_thread")]
async fn default_pages_may_nest() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.make_registry("acme", "model", "ORGANIZATION").await;
    let id = alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await.id;
    alice.link(&id, "acme", "model", "Net", &[]).await.expect_ok();
    let query = "{ organizations { nodes { id name registries { nodes { id name description collections { nodes { id name \
        description latest { index version { digest } } } } } } } } }";
    let answer = alice.graphql(query, json!({})).await.ok();
    let registry = &answer["organizations"]["nodes"][0]["registries"]["nodes"][0];
    assert_eq!(registry["collections"]["nodes"][0]["name"], "Net");
}

/// Rule 45: a request that takes the database too long is the client's to change, and isn't to be repeated as it is. What an
/// administrator ends is told in the same way as what the time limit ends.
#[tokio::test(flavor = "multi_thread")]
async fn rule_45_what_takes_too_long_is_no_fault_of_the_server() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    for (what, native) in [("our side", true), ("the W&B side", false)] {
        let asked = async {
            if native {
                let query =
                    "mutation { organizationUpdate(input: { organization: \"acme\", registryCreation: ADMINS }) { __typename } }";
                alice.graphql(query, json!({})).await
            } else {
                alice.create_version(&spec, "one").await
            }
        };
        // A statement that waits for a lock is one that takes long.
        let locked = server.attempt("lock table organizations, projects in exclusive mode; select pg_sleep(4)");
        let ended = async {
            let waiting = "select count(pg_cancel_backend(pid)) from pg_stat_activity \
                where datname = current_database() and wait_event_type = 'Lock'";
            while server.number(waiting).await == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let begun = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            tokio::join!(asked, ended).0
        };
        let (locked, answer) = tokio::join!(locked, begun);
        locked.unwrap();
        assert_eq!((answer.status, answer.code()), (if native { 200 } else { 400 }, "TOO_SLOW"), "{what}");
        sentence(what, answer.message());
        assert!(answer.message().contains("Ask for less"), "{what}: {}", answer.message());
    }
    alive("statements that take too long", &alice).await;
}

/// Bodies that are no GraphQL request, or too much of one.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_measure() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let viewer = "{ viewer { name } }";
    let deep = |n: usize| format!("{{\"query\": \"{viewer}\", \"variables\": {{\"a\": {}1{}}}}}", "[".repeat(n), "]".repeat(n));
    let two = "query A { viewer { name } } query B { viewer { id } }";
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("nothing", Vec::new(), &[400]),
        ("no JSON", b"{ viewer { name } }".to_vec(), &[400]),
        ("half of JSON", b"{\"query\": \"{ viewer".to_vec(), &[400]),
        ("JSON and more", b"{\"query\": \"{ viewer { name } }\"} {}".to_vec(), &[400]),
        ("invalid UTF-8", b"{\"query\": \"{ viewer { name } } # \xff\xfe\"}".to_vec(), &[400]),
        ("UTF-16", "{\"query\": \"{ viewer { name } }\"}".encode_utf16().flat_map(u16::to_le_bytes).collect(), &[400]),
        ("half a surrogate pair", b"{\"query\": \"{ viewer { name } }\", \"variables\": {\"a\": \"\\ud800\"}}".to_vec(), &[400]),
        ("gzip", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &[400]),
        ("a number", b"17".to_vec(), &[400]),
        ("null", b"null".to_vec(), &[400]),
        ("a text", b"\"{ viewer { name } }\"".to_vec(), &[400]),
        ("a batch", json!([{ "query": viewer }, { "query": viewer }]).to_string().into_bytes(), &[400]),
        ("a list of texts", json!([viewer]).to_string().into_bytes(), &[400]),
        ("an empty batch", b"[]".to_vec(), &[400]),
        ("no query", b"{}".to_vec(), &[400]),
        ("a query that is no text", b"{\"query\": 17}".to_vec(), &[400]),
        ("an empty query", b"{\"query\": \"\"}".to_vec(), &[400]),
        ("variables that are a list", json!({ "query": viewer, "variables": [1] }).to_string().into_bytes(), &[400]),
        ("variables that are a text", json!({ "query": viewer, "variables": "{}" }).to_string().into_bytes(), &[400]),
        ("an operation that isn't there", json!({ "query": viewer, "operationName": "Other" }).to_string().into_bytes(), &[400]),
        ("several operations without a name", json!({ "query": two }).to_string().into_bytes(), &[400]),
        ("several operations and an empty name", json!({ "query": two, "operationName": "" }).to_string().into_bytes(), &[400]),
        (
            "two operations of one name",
            json!({ "query": "query A { viewer { id } } query A { viewer { id } }" }).to_string().into_bytes(),
            &[400],
        ),
        ("a subscription", json!({ "query": "subscription { viewer { id } }" }).to_string().into_bytes(), &[400]),
        ("variables 1,000 deep", deep(1_000).into_bytes(), &[400]),
        ("variables 1,000,000 deep", deep(1_000_000).into_bytes(), &[400]),
        ("1,000,000 brackets", vec![b'['; 1_000_000], &[400]),
        (
            "an empty list 200,000 times",
            json!({ "query": viewer, "variables": { "a": vec![[0; 0]; 200_000] } }).to_string().into_bytes(),
            &[400],
        ),
        (
            "50 MB of one variable",
            json!({ "query": viewer, "variables": { "a": "a".repeat(50_000_000) } }).to_string().into_bytes(),
            &[413],
        ),
        (
            "50 MB of variables",
            json!({ "query": viewer, "variables": { "a": vec![1_000_000_000; 5_000_000] } }).to_string().into_bytes(),
            &[413],
        ),
    ];
    for (what, body, statuses) in cases {
        let reply = post(&alice, body).await;
        refused(what, &reply, statuses);
        alive(what, &alice).await;
    }
    // What is allowed next to that: undeclared variables, an operation's name, 10 MB.
    for body in [
        json!({ "query": viewer, "variables": { "undeclared": null }, "operationName": null }),
        json!({ "query": viewer, "variables": null, "operationName": "" }),
        json!({ "query": two, "operationName": "B" }),
        json!({ "query": viewer, "variables": { "a": "a".repeat(10_000_000) } }),
    ] {
        assert_eq!(post(&alice, body.to_string()).await.status, 200);
    }
}

/// Methods that a route doesn't take, and routes that aren't there.
#[tokio::test]
async fn other_methods_and_routes() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for (method, path, status) in [
        ("GET", "/graphql", 400),
        ("PUT", "/graphql", 405),
        ("DELETE", "/graphql", 405),
        ("POST", "/storage/uploads/x", 405),
        ("PUT", "/storage/wandb_artifacts/1/1/a", 405),
        ("POST", "/artifactsV2/a", 405),
        ("GET", "/files/a/b/c/file_stream", 405),
        ("POST", "/ready", 405),
        ("GET", "/nothing", 404),
        ("GET", "/%00", 404),
        ("GET", "/%ff", 404),
        ("POST", "/graphql/", 404),
        ("GET", "/storage/../graphql", 400),
    ] {
        let reply = alice.request(method, path, |request| request.basic_auth("api", Some(alice.key()))).await;
        refused(&format!("{method} {path}"), &reply, &[status]);
    }
}

/// 1234567 as 1,234,567.
fn number(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().ok().expect("a number").to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// Rule 44: what the README says are the numbers that hold.
#[test]
fn rule_44_the_readme_has_the_limits() {
    use regalia_graphql::limits as graphql;
    use regalia_server::http;
    let statement = regalia_service::store::STATEMENT_TIME.trim_end_matches('s');
    let patience = Patience::default();
    let page = regalia_service::Page::MOST;
    let rows = [
        ("bytes of a request's body", number(graphql::BODY_BYTES)),
        ("values in its JSON", number(graphql::VALUES)),
        ("bytes of a query's text", number(graphql::QUERY_BYTES)),
        ("words, signs and strings in it", number(graphql::TOKENS)),
        ("brackets inside each other", number(graphql::BRACKETS)),
        ("fields inside each other", number(graphql::DEPTH)),
        ("fields, counted wherever a fragment is used", number(graphql::FIELDS)),
        ("fields under another name", number(graphql::ALIASES)),
        ("directives on one field", number(graphql::DIRECTIVES)),
        ("values in all rows of all pages, a list without pages taken for a short one", number(graphql::COST)),
        ("values that such lists bring beyond that", number(graphql::COST)),
        ("bytes of arguments, counted for each row above; the same beyond that", number(graphql::ARGUMENT_BYTES)),
        ("bytes of the answer's long texts", number(graphql::ANSWER_BYTES)),
        ("bytes of metadata, descriptions, entries and events that a request reads", number(graphql::LOADED_BYTES)),
        ("bytes of a description or a run's notes", number(description::MAX_BYTES)),
        ("rows of a page; of files, for W&B clients", format!("{}; {}", number(page), number(graphql::FILES))),
        ("files announced at once", number(graphql::FILES)),
        ("seconds of an SQL statement", statement.to_owned()),
        ("requests of one account under way", number(http::AT_ONCE_REQUESTS)),
        ("bytes of their bodies, and of answers that wait to be read", number(http::AT_ONCE_BYTES)),
        ("the same of all accounts, for an account that has anything under way", number(http::ALL_BYTES)),
        ("connections to the database in use for one account", "all but 2".to_owned()),
        ("seconds that a request waits for one", number(patience.turn.as_secs())),
        ("seconds for a request's head, or until the next one on a connection", number(patience.head.as_secs())),
        ("wrong API keys and sessions of one address", format!("{} in {} minutes", http::MOST_WRONG, http::WINDOW_MINUTES)),
        ("unknown ones looked up after that", format!("{} a second", http::LOOKUPS_A_SECOND)),
        ("documents kept parsed", format!("{} of {} words", number(graphql::KEPT_DOCUMENTS), number(graphql::KEPT_TOKENS))),
    ];
    let table: String = rows.iter().map(|(what, most)| format!("| {what} | {most} |\n")).collect();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    assert!(readme.contains(&format!("| at most | |\n|---|---|\n{table}\n")), "the table has to be\n{table}");
}

/// A connection on which a test says every byte itself.
pub(crate) struct Raw {
    pub(crate) read: OwnedReadHalf,
    pub(crate) write: OwnedWriteHalf,
}

impl Raw {
    pub(crate) async fn to(server: &Server) -> Self {
        let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let (read, write) = stream.into_split();
        Self { read, write }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.write.write_all(text.as_bytes()).await.unwrap();
    }
}

/// Reads one answer: its status and body. `None` when the connection closes without one.
pub(crate) async fn answer(read: &mut OwnedReadHalf) -> Option<(u16, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = read.read(&mut piece).await.unwrap_or(0);
        bytes.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let expected: usize = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(|length| length.parse().unwrap()))
                .unwrap_or(0);
            if body.len() >= expected || length == 0 {
                let mut line = head.lines().next().unwrap().splitn(3, ' ').skip(1);
                let status = line.next().unwrap().parse().unwrap();
                assert!(status < 500, "{text}");
                // Rule 45: clients that show no body show the reason.
                let body_says: Option<Value> = serde_json::from_str(body).ok();
                if let Some(sentence) = body_says.as_ref().and_then(|body| body["errors"][0]["message"].as_str()) {
                    let shown = |shown: char| if (' '..='~').contains(&shown) { shown } else { '?' };
                    assert_eq!(line.next(), Some(&*sentence.chars().take(300).map(shown).collect::<String>()));
                }
                return Some((status, body.to_owned()));
            }
        }
        if length == 0 {
            return None;
        }
    }
}

pub(crate) fn head(path: &str, key: Option<&str>, more: &str) -> String {
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let method = if path.starts_with("/storage") { "PUT" } else { "POST" };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{key}{more}\r\n\r\n")
}

/// What came back must be a refusal with a sentence.
fn refusal(what: &str, answer: Option<(u16, String)>, status: u16) {
    let (given, body) = answer.unwrap_or_else(|| panic!("{what}: the connection was closed without an answer"));
    assert_eq!(given, status, "{what}: {body}");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{what}: {error}: {body}"));
    sentence(what, body["errors"][0]["message"].as_str().unwrap_or_default());
}

/// A body that goes on and on: fast, by drops, or not at all any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for path in ["/graphql", "/files/alpha/demo/run1/file_stream"] {
        // Fast: refused as soon as it is too much.
        let Raw { mut read, mut write } = Raw::to(&server).await;
        write.write_all(head(path, Some(alice.key()), "Transfer-Encoding: chunked").as_bytes()).await.unwrap();
        let flood = tokio::spawn(async move {
            let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
            while write.write_all(chunk.as_bytes()).await.is_ok() {}
        });
        let given = tokio::time::timeout(AT_ONCE, answer(&mut read)).await.expect("answered at once");
        flood.abort();
        refusal(&format!("a flood to {path}"), given, 413);
        alive("a flood", &alice).await;

        // Broken off: nobody is there to be answered, and nothing stays behind.
        let mut raw = Raw::to(&server).await;
        raw.say(&head(path, Some(alice.key()), "Content-Length: 1000")).await;
        raw.say("{\"query\"").await;
        raw.write.shutdown().await.unwrap();
        if let Some((status, body)) = tokio::time::timeout(AT_ONCE, answer(&mut raw.read)).await.expect("closed at once") {
            assert_eq!(status, 400, "{body}");
        }
        alive("a body that was broken off", &alice).await;
    }

    // By drops, and in silence. At the same time, because each takes as long as the server's patience.
    let server = Server::patient(PATIENCE).await;
    let (alice, ..) = server.people().await;
    let drops = async {
        let Raw { mut read, mut write } = Raw::to(&server).await;
        write.write_all(head("/graphql", Some(alice.key()), "Transfer-Encoding: chunked").as_bytes()).await.unwrap();
        let drops = tokio::spawn(async move {
            while write.write_all(b"1\r\n \r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let given = tokio::time::timeout(AT_ONCE, answer(&mut read)).await;
        drops.abort();
        given
    };
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let created = alice.create_version(&spec, "one").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let announced = alice.announce_files(&id, &spec.files).await.ok();
    let url = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap().to_owned();
    let upload = url.strip_prefix(&server.url).unwrap();
    let silence = async |path: &str, length: usize| {
        let mut raw = Raw::to(&server).await;
        raw.say(&head(path, Some(alice.key()), &format!("Content-Length: {length}"))).await;
        raw.say("{\"query\"").await;
        tokio::time::timeout(AT_ONCE, answer(&mut raw.read)).await
    };
    let (drops, to_graphql, to_a_run, to_an_upload) =
        tokio::join!(drops, silence("/graphql", 1000), silence("/files/alpha/demo/run1/file_stream", 1000), silence(upload, 11));
    // 400 and not 408, which the SDKs repeat for long.
    for (what, given) in
        [("drops", drops), ("silence", to_graphql), ("silence to a run", to_a_run), ("silence to an upload", to_an_upload)]
    {
        refusal(what, given.unwrap_or_else(|_| panic!("{what}: never given up")), 400);
    }
    assert_eq!(server.objects(), (vec![], vec![]), "nothing is left on its way");
    alive("drops", &alice).await;
}

/// A head that goes on and on, or not at all: nobody is there to be answered, so the connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends() {
    let server = Server::patient(PATIENCE).await;
    let (alice, ..) = server.people().await;
    let Raw { mut read, mut write } = Raw::to(&server).await;
    let drops = async {
        write.write_all(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        while write.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = async {
        let mut byte = [0; 1];
        // Closed, or reset because of what was still on its way.
        matches!(read.read(&mut byte).await, Ok(0) | Err(_))
    };
    let ended = tokio::time::timeout(AT_ONCE, async {
        tokio::select! { () = drops => true, ended = ended => ended }
    })
    .await;
    assert!(ended.expect("drops are given up"));
    for said in ["", "GET /hea", "GET /health HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut raw = Raw::to(&server).await;
        raw.say(said).await;
        let given = tokio::time::timeout(AT_ONCE, answer(&mut raw.read)).await;
        assert_eq!(given.expect("silence is given up"), None, "{said:?}");
    }
    // Whoever has asked and says nothing more is hung up on as well.
    let mut raw = Raw::to(&server).await;
    raw.say("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(answer(&mut raw.read).await.map(|(status, _)| status), Some(200));
    assert_eq!(tokio::time::timeout(AT_ONCE, answer(&mut raw.read)).await.expect("silence is given up"), None);
    alive("heads", &alice).await;
}

/// Uploads: without a length, too long, or with a bad URL. The headers say all, so the answer doesn't wait for the body.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_refused_by_their_headers() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let created = alice.create_version(&spec, "one").await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let announced = alice.announce_files(&id, &spec.files).await.ok();
    let url = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&server.url).unwrap();
    let before = server.everything().await;
    for (what, path, more, status) in [
        ("no length", path.to_owned(), "Transfer-Encoding: chunked".to_owned(), 411),
        ("too long", path.to_owned(), format!("Content-Length: {}", 64 * 1024 * 1024 + 1), 413),
        ("a length beyond all storage", path.to_owned(), "Content-Length: 9223372036854775807".to_owned(), 413),
        ("altered", path.replace("actor=", "actor=1"), "Content-Length: 11".to_owned(), 403),
        ("unsigned", path.split('?').next().unwrap().to_owned(), "Content-Length: 11".to_owned(), 403),
    ] {
        // Nothing but the headers.
        let mut raw = Raw::to(&server).await;
        raw.say(&head(&path, None, &more)).await;
        let given = tokio::time::timeout(AT_ONCE, answer(&mut raw.read)).await;
        refusal(what, given.unwrap_or_else(|_| panic!("{what}: the answer waits for the body")), status);
    }
    // Who sends it all the same gets the answer, too.
    for (what, body, status) in [
        ("too long", reqwest::Body::from(vec![0; 64 * 1024 * 1024 + 1]), 413),
        (
            "no length",
            reqwest::Body::wrap_stream(futures_util::stream::iter(["the ", "weights"].map(Ok::<_, std::io::Error>))),
            411,
        ),
    ] {
        let reply = tokio::time::timeout(AT_ONCE, alice.request("PUT", &url, |request| request.body(body))).await;
        refused(what, &reply.expect("answered at once"), &[status]);
    }
    // A body shorter than it says is no upload.
    let mut raw = Raw::to(&server).await;
    raw.say(&head(path, None, "Content-Length: 11")).await;
    raw.say("the wei").await;
    raw.write.shutdown().await.unwrap();
    if let Some((status, body)) = tokio::time::timeout(AT_ONCE, answer(&mut raw.read)).await.expect("closed at once") {
        assert_eq!(status, 400, "{body}");
    }
    assert_eq!(server.everything().await, before, "nothing changed");
    assert_eq!(server.objects(), (vec![], vec![]), "nothing is stored, and nothing is left on its way");
    // The URL is as good as before.
    assert_eq!(alice.put(&url, b"the weights".to_vec()).await, 200);
}
