//! Typed filters and orders of our own side. What the tree that they build means is proved in `lists`; here, that each input
//! builds what its description says, and that bad ones are told.

use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::native::code;

async fn names(client: &Client, filter: Value) -> Vec<String> {
    let query =
        "query($filter: RegistryFilter) { organization(name: \"acme\") { registries(filter: $filter) { nodes { name } } } }";
    let data = client.graphql(query, json!({ "filter": filter })).await.ok();
    texts(&data["organization"]["registries"]["nodes"], "name")
}

fn texts(nodes: &Value, field: &str) -> Vec<String> {
    nodes.as_array().unwrap().iter().map(|node| node[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn rule_43_registries() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for name in ["Alpha", "alphabet", "beta 1", "gamma"] {
        alice.make_registry("acme", name, "ORGANIZATION").await;
    }
    server.sql("update projects set description = '' where name = 'Alpha'").await;
    server.sql("update projects set description = 'Größe' where name = 'gamma'").await;
    server.sql("update projects set created_at = '2020-01-01T00:00:00Z' where name = 'beta 1'").await;
    for (filter, expected) in [
        (json!(null), vec!["Alpha", "alphabet", "beta 1", "gamma"]),
        (json!({}), vec!["Alpha", "alphabet", "beta 1", "gamma"]),
        (json!({ "name": { "oneOf": ["gamma", "Alpha", "nothing"] } }), vec!["Alpha", "gamma"]),
        (json!({ "name": { "oneOf": [] } }), vec![]),
        (json!({ "name": { "contains": "ALPHA" } }), vec!["Alpha", "alphabet"]),
        (json!({ "name": { "matches": "^[a-z]+$" } }), vec!["alphabet", "gamma"]),
        (json!({ "name": { "contains": "a", "matches": " [0-9]" } }), vec!["beta 1"]),
        (json!({ "description": { "present": true } }), vec!["Alpha", "gamma"]),
        (json!({ "description": { "present": false } }), vec!["alphabet", "beta 1"]),
        (json!({ "description": { "contains": "GRÖ" } }), vec!["gamma"]),
        (json!({ "createdAt": { "before": "2021-01-01T00:00:00Z" } }), vec!["beta 1"]),
        (json!({ "createdAt": { "from": "2020-01-01T00:00:00Z", "before": "2020-01-01T00:00:00Z" } }), vec![]),
        (json!({ "not": { "name": { "contains": "alpha" } } }), vec!["beta 1", "gamma"]),
        (json!({ "or": [{ "name": { "oneOf": ["gamma"] } }, { "description": { "oneOf": [""] } }] }), vec!["Alpha", "gamma"]),
        (json!({ "or": [] }), vec![]),
        (
            json!({ "and": [{ "name": { "contains": "a" } }, { "not": { "description": { "present": false } } }] }),
            vec!["Alpha", "gamma"],
        ),
    ] {
        assert_eq!(names(&alice, filter.clone()).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn rule_43_collections_and_links() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for (number, metadata) in
        [json!({ "loss": 0.5, "tags": ["a", "b"] }), json!({ "loss": 2, "note": "Good" }), json!({})].iter().enumerate()
    {
        let version = alice.log(&VersionSpec::model("alpha", "net", format!("{number}").as_bytes())).await.id;
        server.sql(&format!("update versions set metadata_index = '{metadata}' where id = (select max(id) from versions)")).await;
        let aliases: &[&str] = if number == 1 { &["production", "eu"] } else { &[] };
        alice.link(&version, "acme", "model", "Net", aliases).await.expect_ok();
        alice.link(&version, "acme", "model", &format!("Other {number}"), &[]).await.expect_ok();
    }
    server.sql("insert into collection_tags (collection_id, tag) select id, 'small' from collections where name = 'Net'").await;
    server.sql("insert into version_tags (version_id, tag) select max(version_id), 'checked' from memberships").await;
    let links = async |filter: Value, order: &str| {
        let query = format!(
            "query($filter: LinkFilter) {{ registry(organization: \"acme\", name: \"model\") {{ collection(name: \"Net\") {{ \
             links(filter: $filter, order: {order}) {{ nodes {{ index }} }} }} }} }}"
        );
        let data = alice.graphql(&query, json!({ "filter": filter })).await.ok();
        let nodes = data["registry"]["collection"]["links"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["index"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let metadata = |question: Value| json!({ "metadata": [question] });
    for (filter, expected) in [
        (json!({}), vec![2, 1, 0]),
        (json!({ "index": { "from": 1, "before": 2 } }), vec![1]),
        (json!({ "index": { "oneOf": [0, 2, 9] } }), vec![2, 0]),
        (json!({ "aliases": { "allOf": ["production", "eu"] } }), vec![1]),
        (json!({ "aliases": { "anyOf": ["latest", "eu"] } }), vec![2, 1]),
        (json!({ "aliases": { "count": 0 } }), vec![0]),
        (json!({ "aliases": { "contains": "PROD" } }), vec![1]),
        (json!({ "tags": { "anyOf": ["checked"] } }), vec![2]),
        (metadata(json!({ "path": "loss", "present": true })), vec![1, 0]),
        (metadata(json!({ "path": "loss", "present": false })), vec![2]),
        (metadata(json!({ "path": "loss", "lessThan": 2 })), vec![0]),
        (metadata(json!({ "path": "loss", "atMost": 2, "greaterThan": 0.5 })), vec![1]),
        (metadata(json!({ "path": "loss", "atLeast": 0.5 })), vec![1, 0]),
        (metadata(json!({ "path": "loss", "oneOf": "[2.0, \"0.5\"]" })), vec![1]),
        (metadata(json!({ "path": "tags", "oneOf": "[\"b\"]" })), vec![0]),
        (metadata(json!({ "path": "note", "contains": "oo" })), vec![1]),
        (metadata(json!({ "path": "note", "matches": "^g" })), vec![]),
    ] {
        assert_eq!(links(filter.clone(), "INDEX_DESCENDING").await, expected, "{filter}");
    }
    for (order, expected) in [
        ("INDEX_ASCENDING", vec![0, 1, 2]),
        ("CREATED_ASCENDING", vec![0, 1, 2]),
        ("CREATED_DESCENDING", vec![2, 1, 0]),
        ("UPDATED_ASCENDING", vec![0, 1, 2]),
        ("UPDATED_DESCENDING", vec![2, 1, 0]),
    ] {
        assert_eq!(links(json!({}), order).await, expected, "{order}");
    }
    let query = "query($filter: CollectionFilter) { registry(organization: \"acme\", name: \"model\") { collections(filter: \
                 $filter, order: NAME_DESCENDING) { nodes { name tags } } } }";
    for (filter, expected) in [
        (json!({}), vec!["Other 2", "Other 1", "Other 0", "Net"]),
        (json!({ "tags": { "anyOf": ["small"] } }), vec!["Net"]),
        (json!({ "tags": { "count": 0 }, "name": { "matches": "[12]" } }), vec!["Other 2", "Other 1"]),
        (json!({ "description": { "present": true } }), vec![]),
        (json!({ "updatedAt": { "from": "2000-01-01T00:00:00Z" }, "name": { "contains": "net" } }), vec!["Net"]),
    ] {
        let data = alice.graphql(query, json!({ "filter": filter })).await.ok();
        assert_eq!(texts(&data["registry"]["collections"]["nodes"], "name"), expected, "{filter}");
    }
}

/// Bad filters are told in a sentence, and nothing else happens.
#[tokio::test]
async fn rule_45_bad_filters_are_told() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"1")).await.id;
    alice.link(&version, "acme", "model", "Net", &[]).await.expect_ok();
    let registries =
        "query($filter: RegistryFilter) { organization(name: \"acme\") { registries(filter: $filter) { nodes { name } } } }";
    let links = "query($filter: LinkFilter) { registry(organization: \"acme\", name: \"model\") { collection(name: \"Net\") { \
                 links(filter: $filter) { nodes { index } } } } }";
    let mut deep = json!({ "name": { "contains": "a" } });
    for number in 0..60 {
        let pair = json!([deep, { "name": { "contains": format!("{number}") } }]);
        deep = if number % 2 == 0 { json!({ "or": pair }) } else { json!({ "and": pair }) };
    }
    let wide: Vec<Value> =
        (0..300).map(|number| json!({ "name": { "oneOf": [format!("{number}")], "contains": "a" } })).collect();
    for (query, filter, part) in [
        (registries, json!({ "name": { "matches": "(" } }), "matches"),
        (registries, json!({ "name": { "matches": "(?=a)" } }), "matches"),
        (registries, json!({ "name": { "contains": "a\u{0}" } }), "NUL"),
        (registries, json!({ "name": { "oneOf": ["a\u{0}"] } }), "NUL"),
        (registries, deep, "deep"),
        (registries, json!({ "or": wide }), "conditions"),
        (links, json!({ "metadata": [{ "path": "", "present": true }] }), "path"),
        (links, json!({ "metadata": [{ "path": "a", "oneOf": "{}" }] }), "oneOf"),
        (links, json!({ "metadata": [{ "path": "a", "oneOf": "[[1]]" }] }), "oneOf"),
        (links, json!({ "createdAt": { "from": "-0001-01-01T00:00:00Z" } }), "years"),
    ] {
        let answer = alice.graphql(query, json!({ "filter": filter })).await;
        assert_eq!(code(&answer), "INVALID", "{filter}: {:?}", answer.errors);
        let message = answer.errors[0]["message"].as_str().unwrap();
        assert!(message.contains(part), "{filter}: {message}");
    }
}
