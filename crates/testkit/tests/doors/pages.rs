//! Pages and cursors of every list of our own side of the schema. What must not live here: how many statements they take
//! (`statements`).

use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::native::{code, own};

/// Every list of our own side: where it is, below the data.
const LISTS: [(&str, &str); 12] = [
    ("/users", "users(ARGS) PAGE"),
    ("/organizations", "organizations(ARGS) PAGE"),
    ("/teams", "teams(ARGS) PAGE"),
    ("/organization/members", "organization(name: \"acme\") { members(ARGS) PAGE }"),
    ("/organization/teams", "organization(name: \"acme\") { teams(ARGS) PAGE }"),
    ("/organization/registries", "organization(name: \"acme\") { registries(ARGS) PAGE }"),
    ("/team/members", "team(name: \"alpha\") { members(ARGS) PAGE }"),
    ("/viewer/teams", "viewer { teams(ARGS) PAGE }"),
    ("/viewer/apiKeys", "viewer { apiKeys(ARGS) PAGE }"),
    ("/registry/collections", "registry(organization: \"acme\", name: \"model\") { collections(ARGS) PAGE }"),
    (
        "/registry/collection/links",
        "registry(organization: \"acme\", name: \"model\") { collection(name: \"Net\") { links(ARGS) PAGE } }",
    ),
    (
        "/registry/collection/link/version/files",
        "registry(organization: \"acme\", name: \"model\") { collection(name: \"Net\") { link(alias: \"latest\") { version { \
            files(ARGS) PAGE } } } }",
    ),
];

/// One page of a list: its nodes as texts, and what it says of itself.
async fn page(client: &Client, list: &str, first: Value, after: Value) -> Answer {
    let query = list.replace("ARGS", "first: $first, after: $after").replace(
        "PAGE",
        "{ edges { cursor node { __typename } } nodes { ...N } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } }",
    );
    let of = [
        ("users", "User", "name"),
        ("organizations", "Organization", "name"),
        ("teams(", "Team", "name"),
        ("registries", "Registry", "name"),
        ("apiKeys", "ApiKey", "id"),
        ("collections", "Collection", "name"),
        ("links", "Link", "index"),
        ("files", "VersionFile", "path"),
    ];
    let fragment = if list.contains("organization(name: \"acme\") { members") {
        "fragment N on OrganizationMember { user { name } role }".to_owned()
    } else if list.contains("team(name") {
        "fragment N on TeamMember { user { name } role }".to_owned()
    } else {
        let (_, of, field) = of.iter().rfind(|(mark, ..)| list.contains(mark)).unwrap();
        format!("fragment N on {of} {{ {field} }}")
    };
    client
        .graphql(
            &format!("query($first: Int, $after: String) {{ {query} }} {fragment}"),
            json!({ "first": first, "after": after }),
        )
        .await
}

#[tokio::test]
async fn pages_and_cursors_of_every_list() {
    const EACH: usize = 5;
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let admin = server.admin().await;
    for number in 1..EACH {
        server.user(&format!("user{number}")).await;
        server.join("acme", &format!("user{number}"), OrganizationRole::Member).await;
        server.join_team("alpha", &format!("user{number}"), TeamRole::Member).await;
        server.organization(&format!("org{number}"), "alice").await;
        server.team("acme", &format!("team{number}"), "alice").await;
        alice.make_registry("acme", &format!("registry{number}"), "ORGANIZATION").await;
        own(&alice, "apiKeyCreate", json!({ "name": "more" })).await.expect_ok();
    }
    for number in 0..EACH {
        let mut spec = VersionSpec::model("alpha", "net", format!("weights {number}").as_bytes());
        spec.files.extend((1..EACH).map(|number| (format!("file{number}"), vec![0; number])));
        let version = alice.log(&spec).await.id;
        alice.link(&version, "acme", "model", "Net", &[]).await.expect_ok();
        alice.link(&version, "acme", "model", &format!("Collection {number}"), &[]).await.expect_ok();
    }
    // Another session of the same user: a cursor belongs to nobody.
    let later = server.client("alice").await;
    for (at, list) in LISTS {
        let client = if at == "/users" { &admin } else { &alice };
        let whole = page(client, list, json!(1000), Value::Null).await.ok();
        let all = whole.pointer(&format!("{at}/nodes")).unwrap().as_array().unwrap().clone();
        assert!(all.len() >= EACH, "{at} has {} rows", all.len());
        let unpaged = page(client, list, Value::Null, json!("")).await.ok();
        assert_eq!(unpaged.pointer(at), whole.pointer(at), "{at}: no arguments, or empty ones");
        for size in 1..=3 {
            let (mut seen, mut after, mut number) = (Vec::new(), Value::Null, 0);
            loop {
                let client = if at == "/users" || number % 2 == 0 { client } else { &later };
                let answer = page(client, list, json!(size), after.clone()).await.ok();
                let got = answer.pointer(at).unwrap();
                let (nodes, info) = (got["nodes"].as_array().unwrap(), &got["pageInfo"]);
                seen.extend(nodes.iter().cloned());
                assert_eq!(info["hasPreviousPage"], number > 0, "{at}");
                assert_eq!(info["hasNextPage"], seen.len() < all.len(), "{at} after {} of {}", seen.len(), all.len());
                assert_eq!(got["edges"].as_array().unwrap().len(), nodes.len());
                assert_eq!(got["edges"][0]["cursor"], info["startCursor"], "{at}");
                assert_eq!(got["edges"][nodes.len() - 1]["cursor"], info["endCursor"], "{at}");
                after = info["endCursor"].clone();
                number += 1;
                if info["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(seen, all, "{at} by {size}");
            let beyond = page(client, list, json!(size), after).await.ok();
            assert_eq!(beyond.pointer(&format!("{at}/nodes")), Some(&json!([])), "{at}: past the end");
        }
        let none = page(client, list, json!(0), Value::Null).await.ok();
        assert_eq!(none.pointer(&format!("{at}/nodes")), Some(&json!([])), "{at}: an empty page");
        for (first, after) in
            [(json!(-1), json!(null)), (json!(1001), json!(null)), (json!(1), json!("no cursor")), (json!(1), json!("/w=="))]
        {
            let refused = page(client, list, first.clone(), after.clone()).await;
            assert_eq!(code(&refused), "INVALID", "{at} first {first} after {after}");
            assert_eq!(refused.status, 200);
        }
    }
    // A cursor of another list is no cursor of a list that is ordered by numbers.
    let users = page(&admin, LISTS[0].1, json!(1), Value::Null).await.ok();
    for at in [8, 10] {
        let refused = page(&alice, LISTS[at].1, json!(1), users["users"]["pageInfo"]["endCursor"].clone()).await;
        assert_eq!(code(&refused), "INVALID", "{}", LISTS[at].0);
    }
    // A row that comes in before the cursor moves nothing.
    let first = page(&alice, LISTS[2].1, json!(2), Value::Null).await.ok();
    let expected = page(&alice, LISTS[2].1, json!(2), first["teams"]["pageInfo"]["endCursor"].clone()).await.ok();
    server.team("acme", "aardvark", "alice").await;
    let again = page(&alice, LISTS[2].1, json!(2), first["teams"]["pageInfo"]["endCursor"].clone()).await.ok();
    assert_eq!(again, expected);
}
