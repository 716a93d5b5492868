//! Runs read back (rules 42, 43, 45, 47): lists against the domain's meaning of filters and orders, what becomes of a run's state,
//! changes by id, files. What must not live here: the language of filters (the domain crate's tests), rights (`matrix`).

use chrono::TimeDelta;
use regalia_domain::filters::timestamp::Timestamp;
use regalia_domain::filters::value::Json;
use regalia_domain::filters::{Filter, RunRow, RunState, RunTest};
use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::orders::{Order, RunOrder};
use regalia_domain::roles::TeamRole;
use regalia_domain::run_values::RunValues;
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents;

const RUNS: &str = "query Runs($entity: String = \"alpha\", $project: String = \"demo\", $filters: JSONString, $order: String, \
    $first: Int, $after: String) { project(entityName: $entity, name: $project) { runCount(filters: $filters) runs(filters: \
    $filters, order: $order, first: $first, after: $after) { edges { cursor node { name } } pageInfo { endCursor hasNextPage } } } }";

const STATE: &str = "query($name: String!) { project(entityName: \"alpha\", name: \"demo\") { run(name: $name) { id state stopped \
    user { username } } } }";

async fn begin(client: &Client, input: Value) -> String {
    let mut all = json!({ "entityName": "alpha", "modelName": "demo" });
    all.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
    let bucket = client.graphql(&documents::upsert_bucket(), json!({ "input": all })).await.ok();
    bucket["upsertBucket"]["bucket"]["id"].as_str().unwrap().to_owned()
}

async fn stream(client: &Client, run: &str, body: &'static str) -> (u16, Value) {
    let path = format!("/files/alpha/demo/{run}/file_stream");
    let reply = client.request("POST", &path, |request| request.basic_auth("api", Some(client.key())).body(body)).await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

async fn state(client: &Client, run: &str) -> (String, bool) {
    let data = client.graphql(STATE, json!({ "name": run })).await.ok();
    let run = &data["project"]["run"];
    (run["state"].as_str().unwrap().to_owned(), run["stopped"].as_bool().unwrap())
}

/// All pages of a list, and its count.
async fn list(client: &Client, filters: &str, order: Option<&str>, first: i32) -> (Vec<String>, i64) {
    let (mut names, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "filters": filters, "order": order, "first": first, "after": after });
        let data = client.graphql(RUNS, variables).await.ok();
        let page = &data["project"]["runs"];
        names.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            return (names, data["project"]["runCount"].as_i64().unwrap());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// The rows as the domain sees them.
async fn rows(server: &Server) -> Vec<RunRow> {
    let query = "select id, name, display_name as display, state, tags, group_name as group, job_type as job, host, notes, config, \
        summary, (extract(epoch from created_at) * 1000000)::bigint as created, \
        (extract(epoch from heartbeat_at) * 1000000)::bigint as heard from runs order by id";
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let time = |value: &Value| Timestamp::from_micros(value.as_i64().unwrap()).unwrap();
    let values = |value: &Value| RunValues::parse("config", value.as_str().unwrap()).unwrap();
    let row = |row: Value| RunRow {
        id: row["id"].as_i64().unwrap(),
        name: text(&row["name"]).unwrap(),
        display_name: text(&row["display"]).unwrap(),
        state: RunState::parse(row["state"].as_str().unwrap()).unwrap(),
        tags: row["tags"].as_array().unwrap().iter().filter_map(text).collect(),
        group: text(&row["group"]),
        job_type: text(&row["job"]),
        host: text(&row["host"]),
        username: Some("alice".to_owned()),
        notes: text(&row["notes"]),
        config: Json::parse(&values(&row["config"]).config_index_text()).unwrap(),
        summary: Json::parse(&values(&row["summary"]).index_text()).unwrap(),
        created_at: time(&row["created"]),
        heartbeat_at: time(&row["heard"]),
    };
    server.rows(query).await.into_iter().map(row).collect()
}

async fn some_runs(server: &Server, client: &Client) {
    let config =
        |lr: &str, name: &str| format!("{{\"lr\":{{\"value\":{lr},\"desc\":null}},\"opt\":{{\"value\":{{\"name\":{name}}}}}}}");
    for (number, (lr, name, summary)) in [
        ("0.1", "\"adam\"", "{\"loss\":0.5,\"best\":{\"epoch\":3}}"),
        ("0.10", "\"sgd\"", "{\"loss\":NaN,\"list\":[1,2]}"),
        ("1e-3", "null", "{\"loss\":-1,\"best\":{\"epoch\":10}}"),
        ("\"auto\"", "\"Adam\"", "{\"loss\":\"none\"}"),
        ("true", "7", "{}"),
        ("123456789012345678901", "\"\\u0000\"", "{\"loss\":1e400,\"a:b\":1}"),
        ("NaN", "[\"adam\",\"x\"]", "{\"loss\":0.5,\"best\":{\"epoch\":2}}"),
    ]
    .into_iter()
    .enumerate()
    {
        let optional = |every: usize, text: &str| if number % every == 0 { json!(text) } else { Value::Null };
        begin(
            client,
            json!({
                "name": format!("run{number}"), "displayName": if number == 3 { "É fox".to_owned() } else { format!("fox {}", number % 3) },
                "config": config(lr, name), "summaryMetrics": summary, "groupName": optional(2, "g"), "jobType": optional(3, "train"),
                "notes": optional(4, ""), "host": optional(5, "gpu-1"),
                "tags": if number % 2 == 0 { json!(["even", "even", "all"]) } else { json!(["all"]) },
            }),
        )
        .await;
    }
    for (run, end) in [("run1", "{\"complete\":true,\"exitcode\":0}"), ("run2", "{\"complete\":true,\"exitcode\":1}")] {
        server.clock.advance(TimeDelta::seconds(1));
        assert_eq!(stream(client, run, end).await, (200, json!({})));
    }
}

#[tokio::test]
async fn rules_42_and_43_lists_of_runs() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    some_runs(&server, &alice).await;
    let rows = rows(&server).await;
    let filters = [
        "{}",
        r#"{"state":"running"}"#,
        r#"{"state":{"$nin":["running","crashed"]}}"#,
        r#"{"name":{"$in":["run1","run4","x"]}}"#,
        r#"{"display_name":{"$regex":"^fox [01]$"}}"#,
        r#"{"display_name":{"$contains":"é"}}"#,
        r#"{"display_name":{"$gt":"fox 1"}}"#,
        r#"{"config.lr":0.1}"#,
        r#"{"config.lr.value":{"$lt":1}}"#,
        r#"{"config.lr":{"$exists":false}}"#,
        r#"{"config.lr":{"$in":[true,"auto",123456789012345678901]}}"#,
        r#"{"config.opt.name":"adam"}"#,
        r#"{"config.opt.value.name":{"$ne":"adam"}}"#,
        r#"{"config.opt.name":null}"#,
        r#"{"summary_metrics.loss":{"$gte":-1}}"#,
        r#"{"summary_metrics.loss":{"$exists":true}}"#,
        r#"{"summary_metrics.loss":{"$not":{"$gt":0}}}"#,
        r#"{"summary_metrics.best.epoch":{"$gt":2}}"#,
        r#"{"summary_metrics.list":[1,2]}"#,
        r#"{"summary_metrics.list":{"$size":2}}"#,
        r#"{"tags":"even"}"#,
        r#"{"tags":{"$ne":"even"}}"#,
        r#"{"tags":{"$size":2}}"#,
        r#"{"tags":["all","even"]}"#,
        r#"{"group":"g","jobType":"train"}"#,
        r#"{"group":null}"#,
        r#"{"notes":{"$exists":true}}"#,
        r#"{"host":{"$regex":"^gpu"}}"#,
        r#"{"username":"alice"}"#,
        r#"{"username":{"$ne":"alice"}}"#,
        r#"{"created_at":{"$gt":"2001-01-01"},"heartbeat_at":{"$lt":"2001-01-01"}}"#,
        r#"{"$or":[{"state":"failed"},{"$and":[{"tags":"even"},{"config.lr":{"$gt":1}}]}]}"#,
        r#"{"$nor":[{"state":"running"},{"group":"g"}]}"#,
    ];
    let orders = [
        None,
        Some("-created_at"),
        Some("+heartbeat_at"),
        Some("name"),
        Some("-display_name"),
        Some("+summary_metrics.loss"),
        Some("-summary_metrics.loss"),
        Some("-config.lr.value"),
        Some("config.opt.name"),
        Some("-summary_metrics.best.epoch"),
        Some("summary_metrics.a:b"),
    ];
    for (number, text) in filters.iter().enumerate() {
        let filter = Filter::<RunTest>::parse(text).unwrap();
        // Each order with some filters, and with none.
        for order in
            orders.iter().enumerate().filter(|(place, _)| number == 0 || (number + place) % 4 == 0).map(|(_, order)| *order)
        {
            let meaning: Order<RunOrder> = Order::parse(order.unwrap_or("created_at")).unwrap();
            let mut expected: Vec<&RunRow> = rows.iter().filter(|row| filter.matches(row)).collect();
            expected.sort_by(|left, right| meaning.compare(left, right));
            let expected: Vec<&str> = expected.iter().map(|row| row.name.as_str()).collect();
            for first in [2, 100] {
                let (names, count) = list(&alice, text, order, first).await;
                assert_eq!(names, expected, "{text} by {order:?} in pages of {first}");
                assert_eq!(count, i64::try_from(expected.len()).unwrap(), "{text}");
            }
        }
    }
}

/// Rule 42: a number of any length that a configuration holds has its place in an order, and its cursor is read back.
#[tokio::test]
async fn rule_42_runs_by_enormous_numbers() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let ascending = [
        "-1e500".to_owned(),
        format!("-{}", "9".repeat(1000)),
        "-1e400".to_owned(),
        "1e-400".to_owned(),
        format!("0.{}1", "0".repeat(350)),
        "1".to_owned(),
        "1e400".to_owned(),
        format!("1{}", "0".repeat(450)),
        format!("{}e300", "9".repeat(900)),
    ];
    for (number, value) in ascending.iter().enumerate() {
        begin(&alice, json!({ "name": format!("n{number}"), "config": format!("{{\"n\":{{\"value\":{value}}}}}") })).await;
    }
    let rows = rows(&server).await;
    for order in ["+config.n", "-config.n"] {
        let meaning: Order<RunOrder> = Order::parse(order).unwrap();
        let mut expected: Vec<&RunRow> = rows.iter().collect();
        expected.sort_by(|left, right| meaning.compare(left, right));
        let expected: Vec<&str> = expected.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(list(&alice, "{}", Some(order), 1).await.0, expected, "{order}");
    }
    // Those beyond the range of numbers are texts.
    let by_size: Vec<String> = list(&alice, "{}", Some("+config.n"), 3).await.0;
    let numbers: Vec<&str> = by_size.iter().map(String::as_str).filter(|name| ("n2"..="n6").contains(name)).collect();
    assert_eq!(numbers, ["n2", "n3", "n4", "n5", "n6"], "numbers by their size");
}

#[tokio::test]
async fn rule_43_what_is_unknown_is_told() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    begin(&alice, json!({ "name": "run1" })).await;
    for (filters, order, says) in [
        (r#"{"weather":1}"#, None, "weather"),
        (r#"{"state":{"$near":1}}"#, None, "$near"),
        (r#"{"config.":1}"#, None, "config"),
        ("{}", Some("weather"), "summary_metrics.<key>"),
        ("{}", Some("-config."), "created_at"),
        ("[", None, "JSON"),
    ] {
        let answer = alice.graphql(RUNS, json!({ "filters": filters, "order": order })).await;
        assert_eq!((answer.status, answer.code()), (400, "INVALID"), "{filters}");
        assert!(answer.message().contains(says), "{filters}: {}", answer.message());
    }
    // A cursor of another order.
    let first = alice.graphql(RUNS, json!({ "first": 1, "order": "-summary_metrics.loss" })).await.ok();
    let after = first["project"]["runs"]["pageInfo"]["endCursor"].clone();
    let answer = alice.graphql(RUNS, json!({ "after": after, "order": "-summary_metrics.accuracy" })).await;
    assert_eq!(answer.code(), "INVALID");
}

/// Rule 47, and ours where it is silent: a run that isn't heard of has crashed, in every list too; one that is begun again runs.
#[tokio::test]
async fn rule_47_states_of_a_run() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let id = begin(&alice, json!({ "name": "run1", "config": "{\"a\":{\"value\":1}}", "tags": ["kept"] })).await;
    assert_eq!(state(&alice, "run1").await, ("running".to_owned(), false));
    server.clock.advance(TimeDelta::minutes(4));
    assert_eq!(state(&alice, "run1").await.0, "running");
    server.clock.advance(TimeDelta::minutes(2));
    assert_eq!(state(&alice, "run1").await.0, "crashed");
    assert_eq!(list(&alice, r#"{"state":"crashed"}"#, None, 9).await, (vec!["run1".to_owned()], 1));
    assert_eq!(list(&alice, r#"{"state":"running"}"#, None, 9).await, (vec![], 0));
    // It was only slow.
    assert_eq!(stream(&alice, "run1", "{}").await, (200, json!({})));
    assert_eq!(state(&alice, "run1").await.0, "running");
    assert_eq!(list(&alice, r#"{"state":"running"}"#, None, 9).await.1, 1);

    // Whoever is asked to stop is told until he has ended.
    let stop = r#"mutation($id: ID!) { stopRun(input: {clientMutationId: "c", id: $id}) { clientMutationId success } }"#;
    for _ in 0..2 {
        assert_eq!(
            bob.graphql(stop, json!({ "id": id })).await.ok()["stopRun"],
            json!({ "clientMutationId": "c", "success": true })
        );
    }
    assert_eq!(stream(&alice, "run1", "{}").await, (200, json!({ "stopped": true })));
    begin(&alice, json!({ "name": "run1", "config": "{\"a\":{\"value\":2}}" })).await;
    assert_eq!(state(&alice, "run1").await, ("running".to_owned(), true));
    assert_eq!(stream(&alice, "run1", "{\"complete\":true,\"exitcode\":255}").await, (200, json!({})));
    assert_eq!(state(&alice, "run1").await, ("failed".to_owned(), false));
    alice.graphql(stop, json!({ "id": id })).await.expect_ok();
    assert_eq!(state(&alice, "run1").await, ("failed".to_owned(), false));

    // Changed by its id it stays ended, begun again by its name it runs; what it kept it keeps.
    let update = json!({ "input": { "id": id, "notes": "Looked at.", "config": "{\"a\":{\"value\":3}}" } });
    alice.graphql(&documents::upsert_bucket(), update).await.expect_ok();
    assert_eq!(state(&alice, "run1").await.0, "failed");
    let again = json!({ "input": { "entityName": "alpha", "modelName": "demo", "name": "run1" } });
    let again = alice.graphql(&documents::upsert_bucket(), again).await.ok();
    let bucket = &again["upsertBucket"]["bucket"];
    assert_eq!((&again["upsertBucket"]["inserted"], &bucket["state"]), (&json!(false), &json!("running")));
    assert_eq!((&bucket["config"], &bucket["tags"]), (&json!("{\"a\":{\"value\":3}}"), &json!(["kept"])));
    assert_eq!(bucket["notes"], "Looked at.");

    // One that was asked to stop and crashed isn't stopped when it begins again.
    alice.graphql(stop, json!({ "id": id })).await.expect_ok();
    server.clock.advance(TimeDelta::minutes(6));
    begin(&alice, json!({ "name": "run1" })).await;
    assert_eq!(state(&alice, "run1").await, ("running".to_owned(), false));
}

/// What isn't committed is used by nobody yet.
#[tokio::test]
async fn a_version_that_is_not_committed_is_not_used() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    begin(&alice, json!({ "name": "run1" })).await;
    let begun = alice.create_version(&VersionSpec::model("alpha", "net", b"w"), "client").await.ok();
    let id = &begun["createArtifact"]["artifact"]["id"];
    let text = "mutation($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id } } }";
    let input = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "artifactID": id });
    let before = server.everything().await;
    let answer = alice.graphql(text, json!({ "input": input })).await;
    assert_eq!((answer.status, answer.code()), (409, "CONFLICT"), "{}", answer.message());
    assert_eq!(server.everything().await, before);
}

#[tokio::test]
async fn rule_47_what_a_resumed_run_asks() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let text = "query($name: String!) { model(name: \"demo\", entityName: \"alpha\") { id name entity { id name } bucket(name: $name, \
        missingOk: true) { id name summaryMetrics displayName logLineCount historyLineCount eventsLineCount historyTail eventsTail \
        config tags notes wandbConfig(keys: [\"t\"]) } } }";
    let config = "{\"lr\":{\"value\":NaN},\"_wandb\":{\"value\":{\"t\":{\"1\":[1]},\"m\":[]}}}";
    begin(&alice, json!({ "name": "told", "config": config })).await;
    begin(&alice, json!({ "name": "silent" })).await;
    let data = alice.graphql(text, json!({ "name": "told" })).await.ok();
    let bucket = &data["model"]["bucket"];
    assert_eq!((&bucket["wandbConfig"], &bucket["config"]), (&json!("{\"t\":{\"1\":[1]}}"), &json!(config)));
    assert_eq!((&bucket["historyTail"], &bucket["historyLineCount"]), (&json!("[]"), &json!(0)));
    let data = alice.graphql(text, json!({ "name": "silent" })).await.ok();
    assert_eq!(data["model"]["bucket"]["wandbConfig"], Value::Null);
    assert_eq!(alice.graphql(text, json!({ "name": "none" })).await.ok()["model"]["bucket"], Value::Null);
}

/// Who doesn't see a project is told what is told of an absent one, by the same statements.
#[tokio::test]
async fn runs_of_hidden_projects_are_as_absent() {
    let server = Server::start().await;
    let (alice, _, carol) = server.people().await;
    let id = begin(&alice, json!({ "name": "run1" })).await;
    let absent = encode_id("Run", 999_999);
    // A key's use is noted once in a while.
    carol.graphql("{ viewer { id } }", json!({})).await.expect_ok();
    let looks = |answer: regalia_testkit::Answer| {
        let sql: Vec<String> = answer.statements.iter().map(|sql| sql.lines().next().unwrap_or_default().to_owned()).collect();
        (answer.status, answer.data.clone(), answer.errors.clone(), sql)
    };
    for text in [
        "mutation($id: ID!) { stopRun(input: {id: $id}) { success } }",
        "mutation($id: String!) { upsertBucket(input: {id: $id, notes: \"x\"}) { bucket { id } } }",
    ] {
        let hidden = looks(carol.graphql(text, json!({ "id": id })).await);
        assert_eq!(hidden.0, 404);
        assert_eq!(hidden, looks(carol.graphql(text, json!({ "id": absent })).await), "{text}");
    }
    for project in ["demo", "none"] {
        let data = carol.graphql(RUNS, json!({ "project": project })).await.ok();
        assert_eq!(data["project"], Value::Null);
        let own = "query($p: String!) { run(entity: \"alpha\", project: $p, name: \"run1\") { id } runs(entity: \"alpha\", project: $p) { \
            nodes { id } } }";
        assert_eq!(carol.graphql(own, json!({ "p": project })).await.ok(), json!({ "run": null, "runs": null }));
    }
    let number = decode_id(&["Run"], &id).unwrap();
    for path in [format!("/storage/run_files/{number}/config.yaml"), "/storage/run_files/999999/config.yaml".to_owned()] {
        let reply = carol.request("GET", &path, |request| request.basic_auth("api", Some(carol.key()))).await;
        assert_eq!(reply.status, 404);
    }
}

#[tokio::test]
async fn rule_47_files_of_a_run() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let id = decode_id(&["Run"], &begin(&alice, json!({ "name": "run1" })).await).unwrap();
    let names = ["a b/ü%.txt", "config.yaml", "wandb-metadata.json", "wandb_x.json"];
    let announce = json!({ "input": { "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": names } });
    let data = alice.graphql(&documents::create_run_files(), announce).await.ok();
    let mark = "mutation($files: [String!]!) { markRunFilesUploaded(input: {entityName: \"alpha\", projectName: \"demo\", runName: \
        \"run1\", files: $files}) { success } }";
    for (number, file) in data["createRunFiles"]["files"].as_array().unwrap().iter().enumerate() {
        let success = &alice.graphql(mark, json!({ "files": names })).await.ok()["markRunFilesUploaded"]["success"];
        assert_eq!(success, false, "not all have arrived");
        assert_eq!(alice.put(file["uploadUrl"].as_str().unwrap(), format!("bytes {number}")).await, 200);
    }
    assert_eq!(alice.graphql(mark, json!({ "files": names })).await.ok()["markRunFilesUploaded"]["success"], true);
    let files = "query($names: [String], $pattern: String, $first: Int, $after: String) { project(entityName: \"alpha\", name: \"demo\") { \
        run(name: \"run1\") { fileCount files(names: $names, pattern: $pattern, first: $first, after: $after) { totalCount edges { \
        cursor node { name url directUrl sizeBytes md5 } } pageInfo { endCursor hasNextPage } } } } }";
    let ask = async |variables: Value| alice.graphql(files, variables).await.ok()["project"]["run"].clone();
    let listed = |run: &Value| {
        let edges = run["files"]["edges"].as_array().unwrap();
        edges.iter().map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (variables, expected) in [
        (json!({}), names.to_vec()),
        (json!({ "names": [] }), names.to_vec()),
        (json!({ "names": ["config.yaml", "none", null, "x\u{0}"] }), vec!["config.yaml"]),
        (json!({ "names": ["none", "neither"] }), vec![]),
        (json!({ "pattern": "%.json" }), vec!["wandb-metadata.json", "wandb_x.json"]),
        (json!({ "pattern": "wandb\\_%" }), vec!["wandb_x.json"]),
        (json!({ "pattern": "%\\" }), vec![]),
    ] {
        let run = ask(variables.clone()).await;
        assert_eq!(listed(&run), expected, "{variables}");
        assert_eq!((&run["fileCount"], &run["files"]["totalCount"]), (&json!(4), &json!(expected.len())), "{variables}");
    }
    // `wandb.restore` asks for one, and looks whether its MD5 is this.
    let none = ask(json!({ "names": ["none"] })).await;
    assert_eq!((listed(&none), &none["files"]["totalCount"]), (vec!["none".to_owned()], &json!(0)));
    let none = &none["files"]["edges"][0]["node"];
    assert_eq!((&none["md5"], &none["sizeBytes"], &none["directUrl"]), (&json!("0"), &json!(0), &Value::Null));
    let first = ask(json!({ "first": 3 })).await;
    assert_eq!(first["files"]["pageInfo"]["hasNextPage"], true);
    let rest = ask(json!({ "first": 3, "after": first["files"]["pageInfo"]["endCursor"] })).await;
    assert_eq!((listed(&rest), &rest["files"]["pageInfo"]["hasNextPage"]), (vec!["wandb_x.json".to_owned()], &json!(false)));
    let bad = alice.graphql(files, json!({ "pattern": "%".repeat(2000) })).await;
    assert_eq!((bad.status, bad.code()), (400, "INVALID"));

    // By key, and by a URL that authorizes itself, whole or in part.
    let node = &first["files"]["edges"][0]["node"];
    assert_eq!((&node["sizeBytes"], &node["md5"]), (&json!(7), &json!(regalia_testkit::md5_base64(b"bytes 0"))));
    let url = node["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/storage/run_files/{id}/a%20b/%C3%BC%25.txt")), "{url}");
    let by_key = async |client: &Client| {
        let path = &url[client.url().len()..];
        let reply = client.request("GET", path, |request| request.basic_auth("api", Some(client.key()))).await;
        (reply.status, reply.text())
    };
    assert_eq!(by_key(&bob).await, (200, "bytes 0".to_owned()));
    let gone = none["url"].as_str().unwrap()[alice.url().len()..].to_owned();
    let gone = alice.request("GET", &gone, |request| request.basic_auth("api", Some(alice.key()))).await;
    assert_eq!(gone.status, 404);
    assert_eq!(by_key(&carol).await.0, 404);
    assert_eq!(alice.get(url, &[]).await.0, 401);
    let direct = node["directUrl"].as_str().unwrap();
    assert_eq!(alice.get(direct, &[]).await.2, b"bytes 0");
    let (status, _, part) = alice.get(direct, &[("range", "bytes=6-6")]).await;
    assert_eq!((status, part.as_slice()), (206, b"0".as_slice()));
    assert_eq!(alice.get(&direct.replace("%25.txt", "%25.tx"), &[]).await.0, 403);
    assert_eq!(alice.get(&direct.replace("signature=", "signature=0"), &[]).await.0, 403);
    server.clock.advance(TimeDelta::hours(7));
    assert_eq!(alice.get(direct, &[]).await.0, 403);
}

/// Clients announce all files of a run at once: what can't be a file gets no URL, and the others are kept.
#[tokio::test]
async fn rule_47_a_name_that_no_file_can_have_costs_no_other() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    begin(&alice, json!({ "name": "run1" })).await;
    let names = ["config.yaml", "../b", "media/$\\alpha$.html", "..\\b", "two\nlines", "C:\\x"];
    let announce = json!({ "input": { "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": names } });
    let data = alice.graphql(&documents::create_run_files(), announce).await.ok();
    let announced = data["createRunFiles"]["files"].as_array().unwrap();
    assert_eq!(announced.iter().map(|file| file["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
    let urls: Vec<Option<&str>> = announced.iter().map(|file| file["uploadUrl"].as_str()).collect();
    assert_eq!(urls.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false, false, false]);
    for url in urls.into_iter().flatten() {
        assert_eq!(alice.put(url, "its bytes").await, 200);
    }
    let files = "{ project(entityName: \"alpha\", name: \"demo\") { run(name: \"run1\") { files { edges { node { name directUrl } } } } } }";
    let data = alice.graphql(files, json!({})).await.ok();
    let edges = data["project"]["run"]["files"]["edges"].as_array().unwrap();
    assert_eq!(edges.iter().map(|edge| edge["node"]["name"].as_str().unwrap()).collect::<Vec<_>>(), [names[0], names[2]]);
    for edge in edges {
        assert_eq!(alice.get(edge["node"]["directUrl"].as_str().unwrap(), &[]).await.2, b"its bytes");
    }
}

/// Rules 18 and 40: an upload ends by the right of that moment, and one that is repeated later doesn't bring its bytes back.
#[tokio::test]
async fn rule_40_a_late_or_repeated_upload_changes_no_file() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let id = decode_id(&["Run"], &begin(&alice, json!({ "name": "run1" })).await).unwrap();
    let announce = async |client: &Client| {
        let input = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": ["summary.json"] });
        let data = client.graphql(&documents::create_run_files(), json!({ "input": input })).await.ok();
        data["createRunFiles"]["files"][0]["uploadUrl"].as_str().unwrap().to_owned()
    };
    let bytes = async || {
        let path = format!("/storage/run_files/{id}/summary.json");
        alice.request("GET", &path, |request| request.basic_auth("api", Some(alice.key()))).await.text()
    };
    let first = announce(&alice).await;
    assert_eq!(alice.put(&first, "first").await, 200);
    let second = announce(&alice).await;
    assert_eq!(alice.put(&second, "second").await, 200);
    // Its answer was lost.
    assert_eq!(alice.put(&first, "first").await, 200);
    assert_eq!(bytes().await, "second");

    let third = announce(&bob).await;
    // He leaves while his bytes are on their way.
    let (send, body) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
    let body = futures_util::stream::unfold(body, |mut body| async { body.recv().await.map(|part| (part, body)) });
    let upload = |request: reqwest::RequestBuilder| request.header("content-length", 5).body(reqwest::Body::wrap_stream(body));
    let (reply, ()) = tokio::join!(bob.request("PUT", &third, upload), async {
        send.send(Ok("thi".to_owned())).await.unwrap();
        for _ in 0..1000 {
            if !server.objects().1.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        server.sql("delete from team_members where user_id = (select id from entities where name = 'bob')").await;
        send.send(Ok("rd".to_owned())).await.unwrap();
        drop(send);
    });
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert_eq!(bytes().await, "second");
}

/// However many runs a page has, and whatever is asked of them.
#[tokio::test]
async fn a_page_of_runs_takes_a_constant_number_of_statements() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    some_runs(&server, &alice).await;
    let mut taken = Vec::new();
    for first in [1, 7] {
        let answer = alice.graphql(&documents::runs(), json!({ "first": first })).await;
        taken.push(answer.statements.len());
        let data = answer.ok();
        assert_eq!(data["project"]["runs"]["edges"].as_array().unwrap().len(), first);
    }
    assert_eq!(taken[0], taken[1]);
}

/// Long texts are refused before anything is written, and none costs a run its end.
#[tokio::test]
async fn rule_47_what_is_too_long_is_refused() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    begin(&alice, json!({ "name": "run1" })).await;
    let long = |bytes: usize| "x".repeat(bytes);
    for (field, value, says) in [
        ("notes", json!(long(65_537)), "65,536"),
        ("description", json!(long(65_537)), "65,536"),
        ("displayName", json!(long(1025)), "1024"),
        ("tags", json!([long(1025)]), "1024"),
        ("tags", json!(vec!["a"; 1001]), "1000"),
        ("tags", json!((0..65).map(|number| format!("{number:02}{}", long(1022))).collect::<Vec<_>>()), "65536"),
        ("config", json!(format!("{{\"a\":\"{}\"}}", long(4 * 1024 * 1024))), "4 MiB"),
        ("config", json!("[1]"), "object"),
        ("summaryMetrics", json!("{"), "JSON"),
    ] {
        let mut input = json!({ "entityName": "alpha", "modelName": "demo", "name": "run1" });
        input[field] = value;
        let answer = alice.graphql(&documents::upsert_bucket(), json!({ "input": input })).await;
        assert_eq!((answer.status, answer.code()), (400, "INVALID"), "{field}");
        assert!(answer.message().contains(says), "{field}: {}", answer.message());
    }
    // Keys of a configuration are looked up one by one.
    let keys = "query($keys: [String!]) { project(entityName: \"alpha\", name: \"demo\") { run(name: \"run1\") { wandbConfig(keys: \
        $keys) } } }";
    alice.graphql(keys, json!({ "keys": vec!["t"; 100] })).await.expect_ok();
    let many = alice.graphql(keys, json!({ "keys": vec!["t"; 101] })).await;
    assert_eq!((many.status, many.code()), (400, "INVALID"), "{}", many.message());
    // On its stream it is dropped: the SDK would send nothing more of a run.
    let end = "{\"files\":{\"wandb-summary.json\":{\"offset\":0,\"content\":[\"[1]\"]}},\"complete\":true,\"exitcode\":0}";
    assert_eq!(stream(&alice, "run1", end).await.0, 200);
    assert_eq!(state(&alice, "run1").await.0, "finished");
}

/// Our own side's lists of runs.
#[tokio::test]
async fn rule_43_typed_filters_of_runs() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    some_runs(&server, &alice).await;
    let text = "query($filter: RunFilter, $order: RunOrder!) { runs(entity: \"alpha\", project: \"demo\", filter: $filter, order: \
        $order) { nodes { name } } }";
    let ask = async |filter: Value, order: &str| {
        let data = alice.graphql(text, json!({ "filter": filter, "order": order })).await.ok();
        let nodes = data["runs"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["name"].as_str().unwrap().trim_start_matches("run").to_owned()).collect::<String>()
    };
    for (filter, expected) in [
        (json!(null), "0123456"),
        (json!({ "states": ["FINISHED", "FAILED"] }), "12"),
        (json!({ "states": ["CRASHED"] }), ""),
        (json!({ "name": { "oneOf": ["run3"] } }), "3"),
        (json!({ "displayName": { "contains": "FOX 1" } }), "14"),
        (json!({ "tags": { "allOf": ["all", "even"] } }), "0246"),
        (json!({ "group": { "present": false } }), "135"),
        (json!({ "jobType": { "oneOf": ["train"] } }), "036"),
        (json!({ "createdBy": { "oneOf": ["alice"] } }), "0123456"),
        (json!({ "createdBy": { "oneOf": ["bob"] } }), ""),
        (json!({ "config": [{ "path": "lr", "atMost": 0.1 }] }), "012"),
        (json!({ "config": [{ "path": "opt.name", "oneOf": "[\"adam\"]" }] }), "06"),
        (json!({ "summary": [{ "path": "loss", "present": true }, { "path": "best.epoch", "lessThan": 5 }] }), "06"),
        (json!({ "not": { "states": ["RUNNING"] } }), "12"),
        (json!({ "createdAt": { "before": "2001-01-01T00:00:00Z" } }), ""),
        (json!({ "heartbeatAt": { "from": "2001-01-01T00:00:00Z" } }), "0123456"),
    ] {
        assert_eq!(ask(filter.clone(), "CREATED_ASCENDING").await, expected, "{filter}");
    }
    let nothing = alice.graphql(text, json!({ "filter": { "config": [{ "path": "lr" }] }, "order": "CREATED_ASCENDING" })).await;
    assert_eq!(nothing.code(), "INVALID");
    assert!(nothing.message().contains("present: true"), "{}", nothing.message());
    for (order, expected) in [("CREATED_DESCENDING", "6543210"), ("NAME_ASCENDING", "0614253"), ("NAME_DESCENDING", "3524160")] {
        assert_eq!(ask(json!(null), order).await, expected, "{order}");
    }
    assert_eq!(ask(json!(null), "HEARTBEAT_DESCENDING").await.chars().next(), Some('2'));
    assert_eq!(ask(json!(null), "HEARTBEAT_ASCENDING").await.chars().last(), Some('2'));
}
