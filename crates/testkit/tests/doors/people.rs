//! People on the wire, in the SDK's own words, and what our own schema has for them: teams and their members (rule 23), service
//! accounts (rules 15 and 46), keys that expire, profiles and passwords. What must not live here: browsers (`sessions`),
//! organizations (`native`).

use chrono::{TimeDelta, Utc};
use regalia_domain::ids::encode_id;
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents::{
    self, CREATE_INVITE, CREATE_PROJECT, CREATE_SERVICE_ACCOUNT, CREATE_TEAM, CREATE_USER, DELETE_API_KEY, DELETE_INVITE,
    GENERATE_API_KEY, TEAM, UPDATE_USER,
};
use crate::native::{code, own};

const PASSWORD: &str = "correct horse battery";

async fn members(client: &Client, team: &str) -> Vec<Value> {
    client.graphql(TEAM, json!({ "name": team })).await.ok()["entity"]["members"].as_array().unwrap().clone()
}

async fn names(client: &Client, team: &str) -> Vec<String> {
    members(client, team).await.iter().map(|member| member["username"].as_str().unwrap().to_owned()).collect()
}

async fn opens(client: &Client) -> bool {
    client.graphql("{ viewer { name } }", json!({})).await.status == 200
}

#[tokio::test]
async fn rule_23_a_team_without_an_organization_named() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let of = async |team: &str| {
        let found = alice.graphql("query($n: String!) { team(name: $n) { organization { entityName } } }", json!({ "n": team }));
        found.await.ok()["team"]["organization"]["entityName"].clone()
    };
    server.organization("newer", "alice").await;
    // The organization of the default entity, which is a team,
    let made = alice.graphql(CREATE_TEAM, json!({ "teamName": "one", "teamAdminUserName": null })).await.ok();
    assert_eq!(made["result"]["entity"]["name"], "one");
    assert_eq!(of("one").await, "acme");
    // else the newest that the caller joined.
    alice.graphql(UPDATE_USER, json!({ "entity": "alice" })).await.expect_ok();
    alice.graphql(CREATE_TEAM, json!({ "teamName": "two" })).await.expect_ok();
    assert_eq!(of("two").await, "newer");
    alice.graphql(UPDATE_USER, json!({ "entity": "one" })).await.expect_ok();
    alice.graphql(CREATE_TEAM, json!({ "teamName": "three", "teamAdminUserName": "bob" })).await.expect_ok();
    assert_eq!(names(&alice, "three").await, ["bob"]);

    let before = server.everything().await;
    for (client, variables, status) in [
        (&alice, json!({ "teamName": "one" }), 409),
        (&alice, json!({ "teamName": "ALICE" }), 409),
        (&alice, json!({ "teamName": "a b" }), 400),
        (&alice, json!({ "teamName": "four", "teamAdminUserName": "nobody" }), 404),
        (&alice, json!({ "teamName": "four", "teamAdminUserName": "carol" }), 404),
        (&bob, json!({ "teamName": "four" }), 403),
        (&carol, json!({ "teamName": "four" }), 400),
        (&server.anonymous(), json!({ "teamName": "four" }), 401),
    ] {
        let refused = client.graphql(CREATE_TEAM, variables.clone()).await;
        assert_eq!(refused.status, status, "{variables}: {}", refused.message());
    }
    assert_eq!(before.len(), server.everything().await.len());
    assert_eq!(before["teams"], server.everything().await["teams"]);
}

#[tokio::test]
async fn a_team_says_what_is_true_of_it() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    alice.log(&VersionSpec::model("alpha", "net", b"0123456789")).await;
    // The same content once more, under another name, counts once.
    alice.log(&VersionSpec::model("alpha", "copy", b"0123456789")).await;
    alice.log(&VersionSpec::model("alpha", "more", b"other")).await;
    let team = async |client: &Client, name: &str| client.graphql(TEAM, json!({ "name": name })).await.ok()["entity"].clone();
    let told = team(&bob, "alpha").await;
    let expected = json!({
        "available": false, "photoUrl": null, "readOnly": false, "readOnlyAdmin": false, "isTeam": true, "entityType": "team",
        "privateOnly": true, "storageBytes": 15, "codeSavingEnabled": false, "defaultAccess": "PRIVATE", "isPaid": false,
        "limits": null,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&told[field], value, "{field}");
    }
    let alice_id = server.number("select id from entities where name = 'alice'").await;
    assert_eq!(
        told["members"][0],
        json!({
            "id": encode_id("Member", alice_id), "admin": true, "pending": false, "email": null, "username": "alice", "name": "alice",
            "photoUrl": null, "accountType": "MEMBER", "apiKey": null, "role": "admin",
        })
    );
    // From a viewer's seat nobody writes.
    server.join("acme", "bob", OrganizationRole::Viewer).await;
    assert_eq!(team(&bob, "alpha").await["readOnly"], true);
    // A colleague outside the team sees that it is there, and nothing of what it has.
    server.join("acme", "carol", OrganizationRole::Member).await;
    let outside = team(&carol, "alpha").await;
    assert_eq!((&outside["readOnly"], &outside["storageBytes"]), (&json!(true), &json!(0)));
    let organization = team(&bob, "acme").await;
    let belong: Vec<&str> = organization["members"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(belong, ["admin", "viewer", "member"]);
    assert_eq!((&organization["isTeam"], &organization["readOnly"]), (&json!(false), &json!(true)));
    assert_eq!(team(&bob, "bob").await["members"], json!([]));
    server.service.remove_organization_member(&request(&server, "alice").await, "acme", &name("carol")).await.unwrap();
    assert!(team(&carol, "alpha").await.is_null());
}

fn name(text: &str) -> regalia_domain::names::EntityName {
    regalia_domain::names::EntityName::parse(text).unwrap()
}

async fn request(server: &Server, user: &str) -> regalia_service::Request {
    let client = server.client(user).await;
    let caller = server.service.authenticate(client.key()).await.unwrap();
    regalia_service::Request { caller: Some(caller), id: uuid::Uuid::new_v4(), base_url: server.url.clone() }
}

/// Rule 18: who is added is in at once, who is removed is out at once, on every server.
#[tokio::test]
async fn rule_18_members_come_and_go() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let admin = server.admin().await;
    let twin = server.twin().await;
    own(&admin, "userUpdate", json!({ "user": "bob", "email": "Bob@example.com" })).await.expect_ok();
    own(&admin, "userUpdate", json!({ "user": "carol", "email": "carol@example.com" })).await.expect_ok();
    let invite = async |client: &Client, variables: Value| client.graphql(CREATE_INVITE, variables).await;
    let before = server.everything().await;
    let absent = invite(&alice, json!({ "entity": "alpha", "username": "nobody" })).await;
    let hidden = invite(&alice, json!({ "entity": "alpha", "username": "carol" })).await;
    assert_eq!((absent.status, hidden.status), (404, 404));
    assert_eq!(absent.message().replace("nobody", "carol"), hidden.message(), "who isn't seen is as who isn't there");
    let absent = invite(&alice, json!({ "entity": "alpha", "email": "nobody@example.com" })).await;
    let hidden = invite(&alice, json!({ "entity": "alpha", "email": "carol@example.com" })).await;
    assert_eq!(absent.message().replace("nobody", "carol"), hidden.message());
    for (client, variables, status) in [
        (&alice, json!({ "entity": "alpha" }), 400),
        (&alice, json!({ "entity": "alpha", "username": "bob", "email": "bob@example.com" }), 400),
        (&alice, json!({ "entity": "alpha", "email": "bob" }), 400),
        (&alice, json!({ "entity": "nowhere", "username": "bob" }), 404),
        (&alice, json!({ "entity": "acme", "username": "bob" }), 404),
        (&alice, json!({ "entity": "alpha", "username": "alice" }), 409),
        (&bob, json!({ "entity": "alpha", "username": "bob" }), 403),
        (&carol, json!({ "entity": "alpha", "username": "carol" }), 404),
    ] {
        let refused = invite(client, variables.clone()).await;
        assert_eq!(refused.status, status, "{variables}: {}", refused.message());
    }
    assert_eq!(server.everything().await, before);

    let invited = invite(&alice, json!({ "entity": "alpha", "email": "bob@EXAMPLE.com", "admin": true })).await.ok();
    let invited = &invited["result"]["invite"];
    assert_eq!((&invited["name"], &invited["email"]), (&json!("bob"), &json!("Bob@example.com")));
    assert_eq!(invited["toUser"]["name"], "bob");
    let member = members(&bob.at(&twin.url), "alpha").await.pop().unwrap();
    assert_eq!((&member["username"], &member["admin"], &member["id"]), (&json!("bob"), &json!(true), &invited["id"]));
    bob.log(&VersionSpec::model("alpha", "net", b"by bob")).await;

    let remove = async |client: &Client, id: &Value| client.graphql(DELETE_INVITE, json!({ "entity": "alpha", "id": id })).await;
    for (client, id, status) in [
        (&carol, invited["id"].clone(), 404),
        (&alice, json!(encode_id("Member", 999_999)), 404),
        (&alice, json!(encode_id("Artifact", 1)), 400),
        (&alice, Value::Null, 400),
    ] {
        assert_eq!(remove(client, &id).await.status, status, "{id}");
    }
    remove(&alice, &invited["id"]).await.expect_ok();
    assert_eq!(names(&alice, "alpha").await, ["alice"]);
    let gone = "{ project(entityName: \"alpha\", name: \"demo\") { id } }";
    assert!(bob.at(&twin.url).graphql(gone, json!({})).await.ok()["project"].is_null());
    assert_eq!(remove(&alice, &invited["id"]).await.status, 404);
}

#[tokio::test]
async fn rules_15_and_46_a_service_account_publishes_and_ends() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let input = json!({ "team": "alpha", "name": "ci", "displayName": "CI", "keyName": "runner" });
    let before = server.everything().await;
    for (client, input, expected) in [
        (&bob, input.clone(), "FORBIDDEN"),
        (&carol, input.clone(), "NOT_FOUND"),
        (&alice, json!({ "team": "acme", "name": "ci" }), "NOT_FOUND"),
        (&alice, json!({ "team": "alpha", "name": "bob" }), "CONFLICT"),
        (&alice, json!({ "team": "alpha", "name": "c i" }), "INVALID"),
        (&alice, json!({ "team": "alpha", "name": "ci", "displayName": "" }), "INVALID"),
        (&alice, json!({ "team": "alpha", "name": "ci", "keyExpiresAt": "2020-01-01T00:00:00Z" }), "INVALID"),
    ] {
        assert_eq!(code(&own(client, "serviceAccountCreate", input.clone()).await), expected, "{input}");
    }
    assert_eq!(server.everything().await, before);
    let made = own(&alice, "serviceAccountCreate", input).await.ok();
    let made = &made["serviceAccountCreate"];
    let user = &made["user"];
    assert_eq!(*user, json!({ "name": "ci", "displayName": "CI", "serviceAccount": true, "defaultEntity": "alpha" }));
    let secret = made["secret"].as_str().unwrap();
    let ci = alice.with_key(secret);
    // Its runs and versions go to the team that it is of.
    let version = ci.log(&VersionSpec::model("alpha", "net", b"by a machine")).await.id;
    assert_eq!(
        alice.graphql("query($id: ID!) { version(id: $id) { source } }", json!({ "id": version })).await.ok()["version"]["source"],
        "alpha/demo/net:v0"
    );

    // The wire's: described, without a key; the last member of the list.
    let described = alice.graphql(CREATE_SERVICE_ACCOUNT, json!({ "entity": "alpha", "description": "Night build" })).await;
    described.expect_ok();
    let member = members(&alice, "alpha").await.pop().unwrap();
    assert_eq!(
        (&member["name"], &member["accountType"], &member["apiKey"], &member["role"]),
        (&json!("Night build"), &json!("SERVICE"), &Value::Null, &json!("member"))
    );
    let night = member["username"].as_str().unwrap().to_owned();
    assert!(night.starts_with("Night-build_"), "{night}");
    for (client, status) in [(&bob, 403), (&carol, 404)] {
        let refused = client.graphql(CREATE_SERVICE_ACCOUNT, json!({ "entity": "alpha", "description": "x" })).await;
        assert_eq!(refused.status, status);
    }
    // Who manages the team makes its keys and revokes them; nobody else, and nobody gives it a password.
    assert_eq!(code(&own(&bob, "apiKeyCreate", json!({ "user": night })).await), "FORBIDDEN");
    let key = own(&alice, "apiKeyCreate", json!({ "user": night })).await.ok();
    let machine = alice.with_key(key["apiKeyCreate"]["secret"].as_str().unwrap());
    assert!(opens(&machine).await);
    let id = &key["apiKeyCreate"]["apiKey"]["id"];
    let listed = async |client: &Client| {
        let text = "query($n: String!) { user(name: $n) { apiKeys { nodes { id } } } }";
        client.graphql(text, json!({ "n": night })).await.ok()["user"]["apiKeys"].clone()
    };
    assert_eq!(listed(&alice).await["nodes"][0]["id"], *id);
    assert!(listed(&bob).await.is_null());
    assert_eq!(code(&own(&bob, "apiKeyRevoke", json!({ "id": id })).await), "NOT_FOUND");
    own(&alice, "apiKeyRevoke", json!({ "id": id })).await.expect_ok();
    assert!(!opens(&machine).await);
    for client in [&alice, &server.admin().await] {
        let refused = own(client, "userSetPassword", json!({ "user": "ci", "newPassword": PASSWORD })).await;
        assert_eq!(code(&refused), "INVALID");
    }
    assert_eq!(code(&own(&alice, "teamDelete", json!({ "team": "alpha" })).await), "CONFLICT");

    // Removed from its team it opens nothing any more.
    let twin = server.twin().await;
    let ci_id = encode_id("Member", server.number("select id from entities where name = 'ci'").await);
    alice.graphql(DELETE_INVITE, json!({ "entity": "alpha", "id": ci_id })).await.expect_ok();
    assert!(!opens(&ci.at(&twin.url)).await);
    let left = "select count(*) from organization_members m join entities e on e.id = m.user_id where e.name = 'ci'";
    assert_eq!(server.number(left).await, 0);
    // The same when it is removed from the organization.
    let made = own(&alice, "serviceAccountCreate", json!({ "team": "alpha", "name": "cd" })).await.ok();
    let cd = alice.with_key(made["serviceAccountCreate"]["secret"].as_str().unwrap());
    assert!(opens(&cd).await);
    own(&alice, "organizationMemberRemove", json!({ "organization": "acme", "user": "cd" })).await.expect_ok();
    assert!(!opens(&cd.at(&twin.url)).await);
    let revoked = "select count(*) from audit_events where kind = 'key.revoked'";
    assert_eq!(server.number(revoked).await, 3);
    // A service account that did nothing yet is deleted by whoever manages its team.
    assert_eq!(code(&own(&bob, "userDelete", json!({ "name": night })).await), "FORBIDDEN");
    own(&alice, "userDelete", json!({ "name": night })).await.expect_ok();
}

#[tokio::test]
async fn keys_on_the_wire() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let made = alice.graphql(GENERATE_API_KEY, json!({ "description": "laptop" })).await.ok();
    let key = &made["result"]["apiKey"];
    let laptop = alice.with_key(key["name"].as_str().unwrap());
    assert_eq!(key["description"], "laptop");
    assert!(opens(&laptop).await);
    // From now on its name is what it was called.
    let listed = alice.graphql(documents::VIEWER, json!({})).await.ok();
    let edges = listed["viewer"]["apiKeys"]["edges"].as_array().unwrap();
    assert!(edges.iter().any(|edge| edge["node"] == json!({ "id": key["id"], "name": "laptop", "description": "laptop" })));
    assert!(!listed.to_string().contains(laptop.key()));
    assert_eq!(bob.graphql(DELETE_API_KEY, json!({ "id": key["id"] })).await.status, 404);
    assert_eq!(alice.graphql(DELETE_API_KEY, json!({ "id": "?" })).await.status, 400);
    let twin = server.twin().await;
    alice.graphql(DELETE_API_KEY, json!({ "id": key["id"] })).await.expect_ok();
    assert!(!opens(&laptop.at(&twin.url)).await, "revoked through one server, refused by the other");
    assert_eq!(alice.graphql(DELETE_API_KEY, json!({ "id": key["id"] })).await.status, 404);
    assert_eq!(alice.graphql(GENERATE_API_KEY, json!({ "description": "a\nb" })).await.status, 400);
}

#[tokio::test]
async fn a_key_expires() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let past = (Utc::now() - TimeDelta::hours(1)).to_rfc3339();
    assert_eq!(code(&own(&alice, "apiKeyCreate", json!({ "expiresAt": past })).await), "INVALID");
    let soon = (Utc::now() + TimeDelta::hours(1)).to_rfc3339();
    let made = own(&alice, "apiKeyCreate", json!({ "name": "short", "expiresAt": soon })).await.ok();
    assert!(made["apiKeyCreate"]["apiKey"]["expiresAt"].is_string());
    let short = alice.with_key(made["apiKeyCreate"]["secret"].as_str().unwrap());
    assert!(opens(&short).await);
    // Noted at most every five minutes.
    let used = "select extract(epoch from last_used_at)::bigint from api_keys where name = 'short'";
    let first = server.number(used).await;
    server.clock.advance(TimeDelta::minutes(4));
    assert!(opens(&short).await);
    assert_eq!(server.number(used).await, first);
    server.clock.advance(TimeDelta::minutes(2));
    assert!(opens(&short).await);
    assert!(server.number(used).await > first);
    // No key outlives the one that made it, whatever makes it and for whomever.
    let end = "select count(*) from api_keys k where expires_at = (select expires_at from api_keys where name = 'short')";
    assert_eq!(server.number(end).await, 1);
    let later = (Utc::now() + TimeDelta::hours(2)).to_rfc3339();
    let refused = own(&short, "apiKeyCreate", json!({ "expiresAt": later })).await;
    assert!(refused.code() == "INVALID" && refused.message().contains("no key outlives"), "{}", refused.message());
    for (field, input) in [
        ("apiKeyImport", json!({ "expiresAt": later, "secret": "old-0123456789abcdef0123456789abcdef01234567" })),
        ("serviceAccountCreate", json!({ "team": "alpha", "name": "robot", "keyExpiresAt": later })),
    ] {
        assert_eq!(code(&own(&short, field, input).await), "INVALID", "{field}");
    }
    own(&short, "apiKeyCreate", json!({ "name": "same" })).await.expect_ok();
    own(&short, "serviceAccountCreate", json!({ "team": "alpha", "name": "robot" })).await.expect_ok();
    short.graphql(GENERATE_API_KEY, json!({ "description": "wire" })).await.expect_ok();
    assert_eq!(server.number(end).await, 4);
    let sooner = (Utc::now() + TimeDelta::minutes(30)).to_rfc3339();
    own(&short, "apiKeyCreate", json!({ "expiresAt": sooner })).await.expect_ok();
    assert_eq!(server.number(end).await, 4);
    // Nor a password, by which one signs in and makes keys without an end: but for who has one and knows it.
    let admin = server.admin().await;
    let made = own(&admin, "apiKeyCreate", json!({ "expiresAt": soon })).await.ok();
    let reset = admin.with_key(made["apiKeyCreate"]["secret"].as_str().unwrap());
    let set = async |client: &Client, input: Value| own(client, "userSetPassword", input).await;
    for (client, input) in [
        (&short, json!({ "newPassword": PASSWORD })),
        (&short, json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD })),
        (&reset, json!({ "newPassword": PASSWORD })),
        (&reset, json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD })),
        (&reset, json!({ "user": "alice", "newPassword": PASSWORD })),
        (&reset, json!({ "user": "alice", "oldPassword": PASSWORD, "newPassword": PASSWORD })),
    ] {
        let refused = set(client, input.clone()).await;
        assert!(refused.code() == "FORBIDDEN" && refused.message().contains("expires"), "{input}: {}", refused.message());
    }
    assert_eq!(server.number("select count(*) from users where password_hash is not null").await, 0);
    for (key, expiring) in [(&alice, &short), (&admin, &reset)] {
        set(key, json!({ "newPassword": PASSWORD })).await.expect_ok();
        assert_eq!(code(&set(expiring, json!({ "newPassword": PASSWORD })).await), "FORBIDDEN");
        set(expiring, json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD })).await.expect_ok();
    }
    server.clock.advance(TimeDelta::hours(1));
    let twin = server.twin().await;
    for client in [&short, &short.at(&twin.url)] {
        let refused = client.graphql("{ viewer { name } }", json!({})).await;
        assert_eq!(refused.status, 401);
        assert!(refused.message().contains("expired at"), "{}", refused.message());
    }
    assert!(opens(&alice).await, "a key without an end has none");
}

#[tokio::test]
async fn accounts_on_the_wire() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    let create =
        async |client: &Client, email: &str| client.graphql(CREATE_USER, json!({ "email": email, "admin": false })).await;
    let user = async |email: &str| create(&admin, email).await.ok()["result"]["user"].clone();
    let guest = user("guest@example.com").await;
    assert_eq!(
        (&guest["username"], &guest["email"], &guest["admin"]),
        (&json!("guest"), &json!("guest@example.com"), &json!(false))
    );
    let other = user("guest@example.org").await["username"].as_str().unwrap().to_owned();
    assert!(other.starts_with("guest_") && other.len() == 15, "{other}");
    assert_eq!(user("研究@example.org").await["username"].as_str().unwrap(), "user");
    for (client, email, status) in [
        (&alice, "stranger@example.com", 403),
        (&admin, "Guest@Example.com", 409),
        (&admin, "no address", 400),
        (&server.anonymous(), "stranger@example.com", 401),
    ] {
        assert_eq!(create(client, email).await.status, status, "{email}");
    }

    // Who is called exactly so comes first, whatever else is found; page by page in the same order.
    for other in ["abob", "bobby", "z-bob"] {
        server.user(other).await;
        server.join("acme", other, OrganizationRole::Member).await;
    }
    let found = async |client: &Client, query: &str| {
        let mut names: Vec<String> = Vec::new();
        let mut after = Value::Null;
        loop {
            let text = "query($q: String, $after: String) { users(query: $q, first: 2, after: $after) { edges { node { username } } \
                        pageInfo { endCursor hasNextPage } } }";
            let page = client.graphql(text, json!({ "q": query, "after": after })).await.ok()["users"].clone();
            names.extend(
                page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["username"].as_str().unwrap().to_owned()),
            );
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                return names;
            }
            assert!(names.len() < 50, "the pages never end: {names:?}");
        }
    };
    assert_eq!(found(&alice, "bob").await, ["bob", "abob", "bobby", "z-bob"]);
    assert_eq!(found(&admin, "GUEST@example.org").await, [other.as_str()]);
    assert_eq!(found(&alice, "guest").await, Vec::<String>::new());
    // Accounts that had one address before addresses were kept apart are found by a part of it, each once.
    for twin in ["twin-a", "twin-b", "twin-c"] {
        server.user(twin).await;
    }
    server
        .sql("update users set email = 'Old@example.org', email_key = null where id in (select id from entities where name like 'twin-%')")
        .await;
    assert_eq!(found(&admin, "old@example.org").await, ["twin-a", "twin-b", "twin-c"]);

    let update = async |client: &Client, entity: &str| client.graphql(UPDATE_USER, json!({ "entity": entity })).await;
    assert_eq!(update(&alice, "alice").await.ok()["updateUser"]["user"]["entity"], "alice");
    assert_eq!(update(&bob, "alpha").await.status, 400);
}

#[tokio::test]
async fn projects_on_the_wire() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let create = async |client: &Client, entity: &str, name: &str| {
        client.graphql(CREATE_PROJECT, json!({ "entityName": entity, "name": name })).await
    };
    for name in ["one", "two", "three"] {
        let made = create(&alice, "alpha", name).await.ok()["upsertModel"].clone();
        assert_eq!((&made["inserted"], &made["project"]), (&json!(true), &made["model"]));
    }
    assert_eq!(create(&alice, "alpha", "one").await.ok()["upsertModel"]["inserted"], false);
    assert_eq!(create(&bob, "alpha", "four").await.status, 403);
    alice.make_registry("acme", "open", "ORGANIZATION").await;
    let list = async |client: &Client, entity: &str| {
        let page = client.graphql(&documents::projects(), json!({ "entity": entity, "perPage": 2 })).await.ok()["models"].clone();
        let next = json!({ "entity": entity, "perPage": 50, "cursor": page["pageInfo"]["endCursor"] });
        let rest = client.graphql(&documents::projects(), next).await.ok()["models"].clone();
        let edges = [&page, &rest].map(|page| page["edges"].as_array().cloned().unwrap_or_default()).concat();
        edges.iter().map(|edge| edge["node"].clone()).collect::<Vec<_>>()
    };
    let all = list(&alice, "alpha").await;
    assert_eq!(all.iter().map(|project| &project["name"]).collect::<Vec<_>>(), ["one", "three", "two"]);
    assert_eq!((&all[0]["user"]["username"], &all[0]["isBenchmark"]), (&json!("alice"), &json!(false)));
    assert_eq!(list(&bob, "alpha").await, Vec::<Value>::new());
    let registries = list(&bob, "acme").await;
    assert_eq!(registries.len(), 1);
    assert_eq!((&registries[0]["name"], &registries[0]["user"]["username"]), (&json!("wandb-registry-open"), &json!("alice")));
    let absent = bob.graphql(&documents::projects(), json!({ "entity": "nowhere" })).await.ok();
    assert!(absent["models"].is_null());
}

#[tokio::test]
async fn profiles() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    own(&admin, "userUpdate", json!({ "user": "bob", "email": "bob@example.com" })).await.expect_ok();
    let before = server.everything().await;
    for (client, input, expected) in [
        (&alice, json!({ "user": "bob", "displayName": "x" }), "FORBIDDEN"),
        (&alice, json!({ "user": "carol", "displayName": "x" }), "NOT_FOUND"),
        (&alice, json!({ "displayName": "" }), "INVALID"),
        (&alice, json!({ "displayName": "x".repeat(129) }), "INVALID"),
        // Nothing proves whose an address is, and accounts are found by it.
        (&alice, json!({ "email": "bob@example.com" }), "FORBIDDEN"),
        (&alice, json!({ "email": "free@example.com" }), "FORBIDDEN"),
        (&admin, json!({ "user": "alice", "email": "BOB@example.com" }), "CONFLICT"),
        (&admin, json!({ "user": "alice", "email": "none" }), "INVALID"),
        (&alice, json!({ "displayName": "Alice", "defaultEntity": "nowhere" }), "INVALID"),
        // What is said and the same already is no change.
        (&bob, json!({ "email": "bob@example.com", "displayName": null, "defaultEntity": "bob" }), "OK"),
    ] {
        assert_eq!(code(&own(client, "userUpdate", input.clone()).await), expected, "{input}");
    }
    let mut after = server.everything().await;
    // The default entity is stored even when it is the user's own name, which means the same.
    after.insert("users".into(), before["users"].clone());
    assert_eq!(after, before);
    let updated = own(&alice, "userUpdate", json!({ "displayName": "Alice A.", "defaultEntity": "alice" })).await;
    let request = updated.request;
    let user = updated.ok()["userUpdate"]["user"].clone();
    assert_eq!((&user["displayName"], &user["defaultEntity"]), (&json!("Alice A."), &json!("alice")));
    let events = server.rows(&format!("select kind, before, after from audit_events where request_id = '{request}'")).await;
    let expected = json!([{
        "kind": "user.updated", "before": { "display_name": null, "default_entity": "alpha" },
        "after": { "display_name": "Alice A.", "default_entity": "alice" },
    }]);
    assert_eq!(json!(events), expected);
    let cleared = own(&alice, "userUpdate", json!({ "displayName": null })).await.ok();
    assert_eq!(cleared["userUpdate"]["user"]["displayName"], "alice");
}

#[tokio::test]
async fn passwords() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    let set = async |client: &Client, input: Value| -> Answer { own(client, "userSetPassword", input).await };
    let other = "another horse battery";
    for (client, input, expected) in [
        (&alice, json!({ "newPassword": "too short" }), "INVALID"),
        (&alice, json!({ "newPassword": "x".repeat(257) }), "INVALID"),
        (&alice, json!({ "user": "bob", "newPassword": PASSWORD }), "FORBIDDEN"),
        (&alice, json!({ "user": "carol", "newPassword": PASSWORD }), "NOT_FOUND"),
        // The first needs no old one.
        (&alice, json!({ "newPassword": PASSWORD }), "OK"),
        (&alice, json!({ "newPassword": other }), "FORBIDDEN"),
        (&alice, json!({ "oldPassword": other, "newPassword": other }), "FORBIDDEN"),
        (&alice, json!({ "oldPassword": "", "newPassword": other }), "FORBIDDEN"),
        (&alice, json!({ "oldPassword": PASSWORD, "newPassword": other }), "OK"),
        // A reset.
        (&admin, json!({ "user": "alice", "newPassword": PASSWORD }), "OK"),
        (&admin, json!({ "newPassword": PASSWORD }), "OK"),
        (&admin, json!({ "newPassword": other }), "OK"),
    ] {
        let answer = set(client, input.clone()).await;
        assert_eq!(code(&answer), expected, "{input}: {:?}", answer.errors);
        assert!(!answer.message().contains("horse"), "{}", answer.message());
    }
    let kept = server
        .rows("select e.name, u.password_hash from users u join entities e using (id) where password_hash is not null")
        .await;
    assert_eq!(kept.len(), 2);
    for row in &kept {
        assert!(row["password_hash"].as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", row["name"]);
    }
    let events = server.rows("select before, after from audit_events where kind = 'password.set'").await;
    assert_eq!(events.len(), 5);
    assert!(!json!(events).to_string().contains("argon2"));
    // Wrong ones are counted, so a stolen key doesn't find the password out.
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(code(&set(&alice, json!({ "oldPassword": other, "newPassword": other })).await).to_owned());
    }
    assert_eq!(codes.iter().filter(|code| *code == "FORBIDDEN").count(), 10, "{codes:?}");
    assert_eq!(codes.last().unwrap(), "TOO_MANY");
    assert!(opens(&bob).await);
}

/// Rules 15 and 18: what a service account can do is what its team has, so that whoever has its keys gets no more by them.
#[tokio::test]
async fn rule_18_a_service_account_is_of_its_organization_and_leaves_it_whole() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let admin = server.admin().await;
    own(&alice, "serviceAccountCreate", json!({ "team": "alpha", "name": "robot" })).await.expect_ok();
    server.team("acme", "beta", "alice").await;
    server.join_team("beta", "robot", TeamRole::Member).await;
    let other = server.organization("Elsewhere", "alice").await;
    for (client, organization, role) in
        [(&alice, "acme", "ADMIN"), (&alice, "acme", "VIEWER"), (&admin, other.as_str(), "MEMBER")]
    {
        let input = json!({ "organization": organization, "user": "robot", "role": role });
        let answer = own(client, "organizationMemberSet", input).await;
        assert_eq!(code(&answer), "INVALID", "{organization} {role}: {:?}", answer.errors);
    }
    let before = server.everything().await;
    let refused = own(&admin, "organizationCreate", json!({ "displayName": "Machines", "admin": "robot" })).await;
    assert!(refused.code() == "INVALID" && refused.message().contains("service account"), "{}", refused.message());
    assert_eq!(server.everything().await, before);
    alice.make_registry("acme", "reviewed", "RESTRICTED").await;
    let registry = server.number("select id from projects where name = 'reviewed'").await;
    let input = json!({ "registry": encode_id("Registry", registry), "users": ["robot"] });
    own(&alice, "registryMemberAdd", input).await.expect_ok();
    own(&alice, "teamMemberRemove", json!({ "team": "alpha", "user": "robot" })).await.expect_ok();
    let left = "select (select count(*) from team_members m join entities e on e.id = m.user_id where e.name = 'robot')
        + (select count(*) from registry_user_members m join entities e on e.id = m.user_id where e.name = 'robot')
        + (select count(*) from organization_members m join entities e on e.id = m.user_id where e.name = 'robot')";
    assert_eq!(server.number(left).await, 0);
}

/// Of those who give a new account the same address at once, one gets it, and nobody a 5xx.
#[tokio::test]
async fn an_address_is_given_once() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let create = "mutation($email: String!) { createUser(input: { email: $email }) { user { username } } }";
    let all = (0..8).map(|_| admin.graphql(create, json!({ "email": "newcomer@example.com" })));
    let answers = futures_util::future::join_all(all).await;
    let made = answers.iter().filter(|answer| answer.errors.is_empty()).count();
    assert_eq!(made, 1);
    assert!(answers.iter().all(|answer| answer.status < 500), "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
}
