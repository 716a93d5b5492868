//! People through our own side of the schema: accounts, keys, organizations, teams and their members (rules 16, 18, 19, 23);
//! publishing by a target path (rule 20). What must not live here: what roles see of content (`access`), registries' own
//! rules (`registries`), lists (`pages`).

use futures_util::future::join;
use regalia_domain::ids::encode_id;
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents::native_mutation;

/// Sends a mutation of our own.
pub async fn own(client: &Client, field: &str, input: Value) -> Answer {
    let answer = client.graphql(&native_mutation(field), json!({ "input": input })).await;
    // Rule 45: an operation of ours answers 200, whatever its code.
    assert_eq!(answer.status, 200, "{field} {:?}", answer.errors);
    answer
}

/// The code of an answer; `OK` without errors.
pub fn code(answer: &Answer) -> &str {
    if answer.errors.is_empty() { "OK" } else { answer.code() }
}

async fn ask(client: &Client, query: &str) -> Value {
    client.graphql(query, json!({})).await.ok()
}

#[tokio::test]
async fn rule_19_one_namespace_for_users_teams_and_organizations() {
    let server = Server::start().await;
    let (alice, _, carol) = server.people().await;
    let admin = server.admin().await;
    server.organization("elsewhere", "carol").await;
    let before = server.everything().await;
    let mut sentences = std::collections::BTreeSet::new();
    for name in ["alice", "ALICE", "alpha", "Alpha", "acme", "Acme", "admin", "elsewhere"] {
        let user = own(&admin, "userCreate", json!({ "name": name })).await;
        // carol sees nothing of acme: a name is as taken for her as for anybody (rule 2's exception).
        let team = own(&carol, "teamCreate", json!({ "organization": "elsewhere", "name": name, "admin": "carol" })).await;
        for answer in [user, team] {
            assert_eq!(code(&answer), "CONFLICT", "{name}");
            sentences.insert(answer.message().replace(name, "NAME"));
        }
    }
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    let long = "a".repeat(129);
    for name in ["", "_a", ".a", "-a", "a b", " a", "a\n", "a/b", "é", "a:b", &long] {
        assert_eq!(code(&own(&admin, "userCreate", json!({ "name": name })).await), "INVALID", "{name:?}");
        let team = own(&alice, "teamCreate", json!({ "organization": "acme", "name": name, "admin": "alice" })).await;
        assert_eq!(code(&team), "INVALID", "{name:?}");
    }
    assert_eq!(server.everything().await, before);
    // A deleted name is free for another kind.
    own(&admin, "userCreate", json!({ "name": "newcomer" })).await.expect_ok();
    own(&admin, "userDelete", json!({ "name": "newcomer" })).await.expect_ok();
    own(&alice, "teamCreate", json!({ "organization": "acme", "name": "Newcomer", "admin": "alice" })).await.expect_ok();
    own(&alice, "teamDelete", json!({ "team": "Newcomer" })).await.expect_ok();
    own(&admin, "organizationCreate", json!({ "displayName": "newcomer", "admin": "alice" })).await.expect_ok();
}

/// Whether a name is `<made to fit>_<nine of A-Z0-9>`.
fn fitted(name: &str) -> bool {
    let Some((front, suffix)) = name.rsplit_once('_') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.len() <= 128
        && front.starts_with(|c: char| c.is_ascii_alphanumeric())
        && front.chars().all(word)
        && suffix.len() == 9
        && suffix.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[tokio::test]
async fn rule_19_display_names_and_entity_names() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    let long = "é".repeat(128);
    for (display, equal) in [
        ("reviewco", true),
        ("reviewco", false),
        ("REVIEWCO", false),
        ("Review Co", false),
        ("alpha", false),
        ("alice", false),
        ("Müller & Söhne", false),
        ("研究所", false),
        ("-a", false),
        (&long, false),
        (&"a".repeat(128), true),
    ] {
        let made = own(&admin, "organizationCreate", json!({ "displayName": display, "admin": "alice" })).await.ok();
        let organization = &made["organizationCreate"]["organization"];
        assert_eq!(organization["name"], display);
        let entity = organization["entityName"].as_str().unwrap();
        assert_eq!(entity == display, equal, "{display} became {entity}");
        assert!(equal || fitted(entity), "{display} became {entity}");
    }
    let long = "a".repeat(129);
    for display in ["", " ", " a", "a ", "a\tb", "a\nb", &long] {
        let refused = own(&admin, "organizationCreate", json!({ "displayName": display, "admin": "alice" })).await;
        assert_eq!(code(&refused), "INVALID", "{display:?}");
    }

    // Either name leads there; the entity name wins.
    let find = "query($name: String!) { organization(name: $name) { name entityName } }";
    let found = async |client: &Client, name: &str| client.graphql(find, json!({ "name": name })).await;
    let review = found(&alice, "Review Co").await.ok()["organization"].clone();
    assert_eq!(found(&alice, review["entityName"].as_str().unwrap()).await.ok()["organization"], review);
    assert_eq!(found(&alice, "reviewco").await.ok()["organization"]["entityName"], "reviewco");
    assert!(found(&bob, "Review Co").await.ok()["organization"].is_null());

    // Ambiguous: the error lists the entity names, of those that the caller sees.
    let second = own(&admin, "organizationCreate", json!({ "displayName": "Review Co", "admin": "bob" })).await.ok();
    let second = second["organizationCreate"]["organization"]["entityName"].as_str().unwrap().to_owned();
    assert_eq!(found(&bob, "Review Co").await.ok()["organization"]["entityName"], second);
    server.join(&second, "alice", OrganizationRole::Viewer).await;
    let ambiguous = found(&alice, "Review Co").await;
    assert_eq!(code(&ambiguous), "INVALID");
    assert!(ambiguous.message().contains(&second) && ambiguous.message().contains(review["entityName"].as_str().unwrap()));
    let refused = own(&alice, "organizationUpdate", json!({ "organization": "Review Co", "registryCreation": "ADMINS" })).await;
    assert_eq!((code(&refused), refused.message()), ("INVALID", ambiguous.message()));

    // Called something else it keeps its entity name, and the other one has the old display name for itself.
    let entity = review["entityName"].as_str().unwrap();
    let refused = own(&alice, "organizationUpdate", json!({ "organization": entity, "displayName": " " })).await;
    assert_eq!(code(&refused), "INVALID");
    own(&alice, "organizationUpdate", json!({ "organization": entity, "displayName": "Board of Review" })).await.expect_ok();
    let renamed = json!({ "name": "Board of Review", "entityName": entity });
    assert_eq!(found(&alice, "Board of Review").await.ok()["organization"], renamed);
    assert_eq!(found(&alice, entity).await.ok()["organization"], renamed);
    assert_eq!(found(&alice, "Review Co").await.ok()["organization"]["entityName"], second);
}

#[tokio::test]
async fn accounts() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let admin = server.admin().await;
    alice.log(&VersionSpec::model("alice", "net", b"mine")).await;
    let before = server.everything().await;
    for (client, field, input, expected) in [
        (&alice, "userCreate", json!({ "name": "newcomer" }), "FORBIDDEN"),
        (&admin, "userCreate", json!({ "name": "newcomer", "email": "no address" }), "INVALID"),
        (&alice, "userDelete", json!({ "name": "bob" }), "FORBIDDEN"),
        (&alice, "userDelete", json!({ "name": "nobody" }), "FORBIDDEN"),
        (&admin, "userDelete", json!({ "name": "nobody" }), "NOT_FOUND"),
        (&admin, "userDelete", json!({ "name": "alpha" }), "NOT_FOUND"),
        (&admin, "userDelete", json!({ "name": "alice" }), "CONFLICT"),
        (&admin, "userDelete", json!({ "name": "admin" }), "CONFLICT"),
        (&alice, "userUpdate", json!({ "user": "bob", "defaultEntity": "bob" }), "FORBIDDEN"),
        (&alice, "userUpdate", json!({ "user": "carol", "defaultEntity": "carol" }), "NOT_FOUND"),
        (&alice, "userUpdate", json!({ "user": "nobody", "defaultEntity": "nobody" }), "NOT_FOUND"),
        (&bob, "userUpdate", json!({ "user": "bob", "defaultEntity": "alpha" }), "INVALID"),
        (&bob, "userUpdate", json!({ "user": "bob", "defaultEntity": "nothing" }), "INVALID"),
        (&bob, "userUpdate", json!({ "user": "bob", "defaultEntity": "acme" }), "INVALID"),
        (&bob, "userUpdate", json!({ "user": "bob", "defaultEntity": "alice" }), "INVALID"),
    ] {
        let answer = own(client, field, input.clone()).await;
        assert_eq!(code(&answer), expected, "{field} {input}: {:?}", answer.errors);
    }
    assert_eq!(server.everything().await, before);
    let set = own(&admin, "userUpdate", json!({ "user": "alice", "defaultEntity": "alice" })).await.ok();
    assert_eq!(set["userUpdate"]["user"]["defaultEntity"], "alice");

    // Colleagues see each other, a site administrator everybody.
    let names = async |client: &Client, query: &str| {
        let found = client.graphql("query($q: String) { users(query: $q) { nodes { name } } }", json!({ "q": query })).await.ok();
        let nodes = found["users"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&alice, "").await, ["alice", "bob"]);
    assert_eq!(names(&carol, "").await, ["carol"]);
    assert_eq!(names(&admin, "").await, ["admin", "alice", "bob", "carol"]);
    assert_eq!(names(&admin, "OL").await, ["carol"]);
    assert_eq!(names(&admin, "%").await, Vec::<String>::new());
    for (client, name, seen) in
        [(&alice, "bob", true), (&alice, "carol", false), (&carol, "alice", false), (&admin, "carol", true)]
    {
        let user = client.graphql("query($name: String!) { user(name: $name) { name } }", json!({ "name": name })).await.ok();
        assert_eq!(!user["user"].is_null(), seen, "{name}");
    }

    // A deleted account opens nothing, at once.
    own(&admin, "userDelete", json!({ "name": "bob" })).await.expect_ok();
    assert_eq!(bob.graphql("{ viewer { name } }", json!({})).await.status, 401);
}

#[tokio::test]
async fn api_keys() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let admin = server.admin().await;
    let made = own(&alice, "apiKeyCreate", json!({ "name": "laptop" })).await.ok();
    let (secret, id) = (made["apiKeyCreate"]["secret"].as_str().unwrap(), &made["apiKeyCreate"]["apiKey"]["id"]);
    assert!(secret.len() == 40 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
    let with_it = alice.with_key(secret);
    assert_eq!(ask(&with_it, "{ viewer { name } }").await["viewer"]["name"], "alice");
    // Shown once: no list has it.
    let listed = "{ viewer { apiKeys { nodes { id name description createdAt lastUsedAt } } } }";
    let keys = ask(&alice, listed).await;
    assert!(!keys.to_string().contains(secret));
    let laptop = keys["viewer"]["apiKeys"]["nodes"].as_array().unwrap().iter().find(|key| key["id"] == *id).unwrap().clone();
    assert_eq!((&laptop["name"], laptop["lastUsedAt"].is_null()), (&json!("laptop"), false));
    // Nobody but oneself and a site administrator sees them.
    let of_alice = "{ user(name: \"alice\") { apiKeys { nodes { name } } } }";
    assert!(ask(&bob, of_alice).await["user"]["apiKeys"].is_null());
    assert!(!ask(&admin, of_alice).await["user"]["apiKeys"].is_null());

    let unknown = encode_id("ApiKey", 999_999);
    let absent = own(&bob, "apiKeyRevoke", json!({ "id": unknown })).await;
    let imported = "old-0123456789abcdef0123456789abcdef01234567";
    let before = server.everything().await;
    for (client, field, input, expected) in [
        (&bob, "apiKeyRevoke", json!({ "id": id }), "NOT_FOUND"),
        (&carol, "apiKeyRevoke", json!({ "id": id }), "NOT_FOUND"),
        (&bob, "apiKeyRevoke", json!({ "id": "?" }), "INVALID"),
        (&bob, "apiKeyRevoke", json!({ "id": encode_id("User", 1) }), "INVALID"),
        (&bob, "apiKeyCreate", json!({ "user": "alice" }), "FORBIDDEN"),
        (&bob, "apiKeyCreate", json!({ "user": "carol" }), "NOT_FOUND"),
        (&bob, "apiKeyCreate", json!({ "user": "nobody" }), "NOT_FOUND"),
        (&bob, "apiKeyCreate", json!({ "name": "é".repeat(129) }), "INVALID"),
        (&bob, "apiKeyCreate", json!({ "name": "a\nb" }), "INVALID"),
        (&bob, "apiKeyImport", json!({ "secret": "short" }), "INVALID"),
        (&bob, "apiKeyImport", json!({ "secret": secret }), "CONFLICT"),
        (&bob, "apiKeyImport", json!({ "user": "alice", "secret": imported }), "FORBIDDEN"),
    ] {
        let answer = own(client, field, input.clone()).await;
        assert_eq!(code(&answer), expected, "{field} {input}");
        if expected == "NOT_FOUND" && field == "apiKeyRevoke" {
            assert_eq!(answer.message(), absent.message(), "somebody else's key is as one that isn't there");
        }
        assert!(!answer.message().contains(imported) && !answer.message().contains(secret), "{}", answer.message());
    }
    assert_eq!(server.everything().await, before);

    own(&bob, "apiKeyImport", json!({ "name": "the old one", "secret": imported })).await.expect_ok();
    assert_eq!(ask(&bob.with_key(imported), "{ viewer { name } }").await["viewer"]["name"], "bob");
    // Revoked: at once, on every server, and for ever.
    let twin = server.twin().await;
    own(&admin, "apiKeyRevoke", json!({ "id": id })).await.expect_ok();
    assert_eq!(with_it.graphql("{ viewer { name } }", json!({})).await.status, 401);
    assert_eq!(with_it.at(&twin.url).graphql("{ viewer { name } }", json!({})).await.status, 401);
    assert_eq!(code(&own(&admin, "apiKeyRevoke", json!({ "id": id })).await), "NOT_FOUND");
    assert_eq!(code(&own(&alice, "apiKeyImport", json!({ "secret": secret })).await), "CONFLICT");
}

/// A mutation with its input, what undoes it, and what each caller gets.
type Managed = (&'static str, Value, Option<(&'static str, Value)>, [&'static str; 7]);

/// Who may manage an organization and its teams (rules 16 and 23). Each mutation is tried by each caller in an order in
/// which what one of them did doesn't stop the next.
#[tokio::test]
async fn rule_23_who_manages_organizations_and_teams() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let admin = server.admin().await;
    for (user, organization, team) in [
        ("lead", Some(OrganizationRole::Member), Some(TeamRole::Admin)),
        ("mate", Some(OrganizationRole::Member), Some(TeamRole::Member)),
        ("seat", Some(OrganizationRole::Viewer), Some(TeamRole::Admin)),
        ("spare", Some(OrganizationRole::Member), None),
    ] {
        server.user(user).await;
        server.join("acme", user, organization.unwrap()).await;
        if let Some(role) = team {
            server.join_team("alpha", user, role).await;
        }
    }
    let (lead, mate, seat) = (server.client("lead").await, server.client("mate").await, server.client("seat").await);
    let callers = [
        ("site admin", &admin),
        ("organization admin", &alice),
        ("team admin", &lead),
        ("team member", &mate),
        ("viewer's seat", &seat),
        ("organization member", &bob),
        ("outsider", &carol),
    ];
    const ORGANIZATION: [&str; 7] = ["OK", "OK", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "NOT_FOUND"];
    const TEAM: [&str; 7] = ["OK", "OK", "OK", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "NOT_FOUND"];
    const SITE: [&str; 7] = ["OK", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"];
    let acme = |more: Value| merged(json!({ "organization": "acme" }), more);
    let alpha = |more: Value| merged(json!({ "team": "alpha" }), more);
    let cases: [Managed; 8] = [
        ("organizationUpdate", acme(json!({ "registryCreation": "ADMINS" })), None, ORGANIZATION),
        ("organizationMemberSet", acme(json!({ "user": "spare", "role": "VIEWER" })), None, ORGANIZATION),
        (
            "organizationMemberRemove",
            acme(json!({ "user": "spare" })),
            Some(("organizationMemberSet", acme(json!({ "user": "spare", "role": "MEMBER" })))),
            ORGANIZATION,
        ),
        (
            "teamCreate",
            acme(json!({ "name": "beta", "admin": "bob" })),
            Some(("teamDelete", json!({ "team": "beta" }))),
            ORGANIZATION,
        ),
        ("teamMemberSet", alpha(json!({ "user": "spare" })), Some(("teamMemberRemove", alpha(json!({ "user": "spare" })))), TEAM),
        ("teamMemberSet", alpha(json!({ "user": "mate", "role": "MEMBER" })), None, TEAM),
        (
            "organizationCreate",
            json!({ "displayName": "gamma", "admin": "bob" }),
            Some(("organizationDelete", json!({ "organization": "gamma" }))),
            SITE,
        ),
        ("userCreate", json!({ "name": "newcomer" }), Some(("userDelete", json!({ "name": "newcomer" }))), SITE),
    ];
    for (field, input, undo, expected) in &cases {
        for ((who, client), expected) in callers.iter().zip(expected) {
            let answer = own(client, field, input.clone()).await;
            assert_eq!(code(&answer), *expected, "{field} {input} by {who}: {:?}", answer.errors);
            if let (Some((field, input)), "OK") = (undo, *expected) {
                own(&admin, field, input.clone()).await.expect_ok();
            }
        }
    }
    // An outsider's "not found" is that of something that never was.
    for (field, there, nowhere) in [
        (
            "organizationUpdate",
            acme(json!({ "registryCreation": "ADMINS" })),
            json!({ "organization": "nope", "registryCreation": "ADMINS" }),
        ),
        ("teamMemberSet", alpha(json!({ "user": "carol" })), json!({ "team": "nothere", "user": "carol" })),
        ("teamDelete", alpha(json!({})), json!({ "team": "nothere" })),
        ("organizationDelete", acme(json!({})), json!({ "organization": "nope" })),
    ] {
        let (hidden, absent) = (own(&carol, field, there).await, own(&carol, field, nowhere).await);
        assert_eq!(code(&hidden), "NOT_FOUND", "{field}");
        let hidden = hidden.message().replace("acme", "nope").replace("alpha", "nothere");
        assert_eq!(hidden, absent.message(), "{field}");
    }
    // Only a member of the organization can be in its teams; what owns something stays.
    for (field, input, expected) in [
        ("teamMemberSet", alpha(json!({ "user": "admin" })), "INVALID"),
        ("teamCreate", acme(json!({ "name": "beta", "admin": "admin" })), "INVALID"),
        ("teamMemberSet", alpha(json!({ "user": "nobody" })), "NOT_FOUND"),
        ("teamMemberRemove", alpha(json!({ "user": "bob" })), "NOT_FOUND"),
        ("organizationMemberRemove", acme(json!({ "user": "admin" })), "NOT_FOUND"),
        ("organizationMemberSet", acme(json!({ "user": "nobody", "role": "MEMBER" })), "NOT_FOUND"),
        ("organizationDelete", acme(json!({})), "CONFLICT"),
    ] {
        let answer = own(&admin, field, input.clone()).await;
        assert_eq!(code(&answer), expected, "{field} {input}: {:?}", answer.errors);
    }
    alice.log(&VersionSpec::model("alpha", "net", b"weights")).await;
    assert_eq!(code(&own(&admin, "teamDelete", alpha(json!({}))).await), "CONFLICT");
}

/// Two objects as one.
fn merged(mut first: Value, second: Value) -> Value {
    first.as_object_mut().unwrap().extend(second.as_object().unwrap().clone());
    first
}

#[tokio::test]
async fn rule_16_an_organization_keeps_an_admin() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let admin = server.admin().await;
    let demote = |user: &str| json!({ "organization": "acme", "user": user, "role": "MEMBER" });
    let remove = |user: &str| json!({ "organization": "acme", "user": user });
    let before = server.everything().await;
    assert_eq!(code(&own(&alice, "organizationMemberSet", demote("alice")).await), "FORBIDDEN");
    assert_eq!(code(&own(&alice, "organizationMemberRemove", remove("alice")).await), "FORBIDDEN");
    assert_eq!(server.everything().await, before);
    // Of two admins one can go; a site administrator may take the last.
    server.join("acme", "bob", OrganizationRole::Admin).await;
    own(&alice, "organizationMemberSet", demote("alice")).await.expect_ok();
    assert_eq!(code(&own(&bob, "organizationMemberRemove", remove("bob")).await), "FORBIDDEN");
    own(&admin, "organizationMemberRemove", remove("bob")).await.expect_ok();
    let admins = "select count(*) from organization_members where role = 'admin'";
    assert_eq!(server.number(admins).await, 0);

    // Two who go at the same moment, at two servers: one stays, whichever way they go.
    let twin = server.twin().await;
    let rounds = crate::races::rounds();
    for round in 0..rounds {
        server.join("acme", "alice", OrganizationRole::Admin).await;
        server.join("acme", "bob", OrganizationRole::Admin).await;
        let (first, second) = if round % 2 == 0 { ("alice", "bob") } else { ("bob", "alice") };
        let there = bob.at(&twin.url);
        let (one, other) =
            join(own(&alice, "organizationMemberSet", demote(first)), own(&there, "organizationMemberRemove", remove(second)))
                .await;
        let outcomes = [code(&one), code(&other)];
        // Who was removed first doesn't see the organization any more.
        let refused = outcomes.iter().any(|code| ["FORBIDDEN", "NOT_FOUND"].contains(code));
        assert!(outcomes.contains(&"OK") && refused, "{outcomes:?}");
        assert_eq!(server.number(admins).await, 1);
    }
}

#[tokio::test]
async fn rule_18_leaving_ends_what_belonging_gave() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let admin = server.admin().await;
    let twin = server.twin().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    server.organization("elsewhere", "carol").await;
    carol.make_registry("elsewhere", "shared", "RESTRICTED").await;
    alice.make_registry("acme", "closed", "RESTRICTED").await;
    alice.make_registry("acme", "teams", "RESTRICTED").await;
    let spec = VersionSpec::model("alpha", "net", b"weights");
    let version = alice.log(&spec).await.id;
    alice.link(&version, "acme", "teams", "Net", &[]).await.expect_ok();
    own(&bob, "userUpdate", json!({ "user": "bob", "defaultEntity": "alpha" })).await.expect_ok();
    // No door adds members to registries yet.
    let of = |name: &str| format!("(select id from projects where kind = 'registry' and name = '{name}')");
    let id = |name: &str| format!("(select id from entities where name = '{name}')");
    server
        .sql(&format!(
            "insert into registry_user_members values ({}, {bob}, 'member'), ({}, {bob}, 'member'); \
             insert into registry_team_members values ({}, {}, 'viewer');",
            of("closed"),
            of("shared"),
            of("teams"),
            id("alpha"),
            bob = id("bob")
        ))
        .await;
    let sees = async |organization: &str, name: &str| {
        let query = "query($o: String!, $n: String!) { registry(organization: $o, name: $n) { name } }";
        let here = bob.graphql(query, json!({ "o": organization, "n": name })).await;
        let there = bob.at(&twin.url).graphql(query, json!({ "o": organization, "n": name })).await;
        // An organization whose name means nothing to him is an error or null, never the registry.
        let seen = [here, there].map(|answer| !answer.data["registry"].is_null());
        assert_eq!(seen[0], seen[1], "two servers, two answers");
        seen[0]
    };
    let membership = "{ registry(organization: \"acme\", name: \"teams\") { collection(name: \"Net\") { link(alias: \"latest\") \
        { version { files { nodes { downloadUrl } } } } } } }";
    let reached = ask(&bob, membership).await;
    let url =
        reached["registry"]["collection"]["link"]["version"]["files"]["nodes"][0]["downloadUrl"].as_str().unwrap().to_owned();
    assert_eq!(bob.get(&url, &[]).await.0, 200);
    let mine = VersionSpec::model("alpha", "his", b"his");
    let begun = bob.create_version(&mine, "leaving").await.ok();
    let announced = bob.announce_files(begun["createArtifact"]["artifact"]["id"].as_str().unwrap(), &mine.files).await.ok();
    let upload = announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"].as_str().unwrap().to_owned();
    assert_eq!(
        (sees("acme", "closed").await, sees("acme", "teams").await, sees("elsewhere", "shared").await),
        (true, true, true)
    );

    // The team: what it gave, and the default that was in it.
    own(&alice, "teamMemberRemove", json!({ "team": "alpha", "user": "bob" })).await.expect_ok();
    assert_eq!(
        (sees("acme", "closed").await, sees("acme", "teams").await, sees("elsewhere", "shared").await),
        (true, false, true)
    );
    let viewer = ask(&bob, "{ viewer { defaultEntity teams { nodes { name } } } }").await;
    assert_eq!(viewer["viewer"], json!({ "defaultEntity": "bob", "teams": { "nodes": [] } }));
    for url in [url.clone(), url.replace(&server.url, &twin.url)] {
        assert_eq!(
            bob.get(&url, &[]).await.0,
            404,
            "a URL is authorized again when it is used: what he doesn't see is not there"
        );
    }
    assert_eq!(bob.put(&upload, mine.files[0].1.clone()).await, 403);

    // The organization: team and registry roles, in one transaction; a membership elsewhere stays.
    server.join_team("alpha", "bob", TeamRole::Admin).await;
    own(&bob, "userUpdate", json!({ "user": "bob", "defaultEntity": "alpha" })).await.expect_ok();
    assert_eq!(bob.get(&url, &[]).await.0, 200);
    own(&admin, "organizationMemberRemove", json!({ "organization": "acme", "user": "bob" })).await.expect_ok();
    assert_eq!(
        (sees("acme", "closed").await, sees("acme", "teams").await, sees("elsewhere", "shared").await),
        (false, false, true)
    );
    assert_eq!(bob.get(&url, &[]).await.0, 404);
    let left = format!(
        "select (select count(*) from team_members where user_id = {bob}) + (select count(*) from organization_members where \
            user_id = {bob}) \
         + (select count(*) from registry_user_members where user_id = {bob})",
        bob = id("bob")
    );
    assert_eq!(server.number(&left).await, 1);
    let viewer = ask(&bob, "{ viewer { defaultEntity organizations { name } } }").await;
    assert_eq!(viewer["viewer"], json!({ "defaultEntity": "bob", "organizations": [] }));
    // Coming back doesn't bring it back.
    server.join("acme", "bob", OrganizationRole::Member).await;
    assert_eq!((sees("acme", "closed").await, sees("acme", "teams").await), (false, false));
}

#[tokio::test]
async fn rule_20_publishing_by_a_target_path() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let organization = server.organization("Review Co", "alice").await;
    server.team(&organization, "reviewers", "alice").await;
    alice.make_registry("acme", "My Models", "ORGANIZATION").await;
    let ours = alice.log(&VersionSpec::model("alpha", "net", b"acme's")).await.id;
    let reviewed = alice.log(&VersionSpec::model("reviewers", "net", b"Review Co's")).await.id;
    let personal = alice.log(&VersionSpec::model("alice", "net", b"hers")).await.id;

    for (version, target, organization, registry, collection) in [
        (&ours, "acme/wandb-registry-model/Example ML Task".to_owned(), "acme", "model", "Example ML Task"),
        (&ours, "wandb-registry-model/Example ML Task".to_owned(), "acme", "model", "Example ML Task"),
        (&ours, "wandb-registry-My Models/ Net ".to_owned(), "acme", "My Models", "Net"),
        (&ours, "acme/wandb-registry-dataset/Net".to_owned(), "acme", "dataset", "Net"),
        (&reviewed, "Review Co/wandb-registry-model/Net".to_owned(), organization.as_str(), "model", "Net"),
        (&reviewed, format!("{organization}/wandb-registry-model/Net"), organization.as_str(), "model", "Net"),
        (&reviewed, "wandb-registry-model/Net".to_owned(), organization.as_str(), "model", "Net"),
    ] {
        let answer = own(&alice, "versionLink", json!({ "version": version, "target": target, "aliases": ["staging"] })).await;
        if registry == "dataset" {
            // Rule 11: that registry takes data sets.
            assert_eq!(code(&answer), "INVALID", "{target}");
            continue;
        }
        let linked = answer.ok();
        let link = &linked["versionLink"]["link"];
        assert_eq!(link["index"], 0, "{target}");
        assert_eq!(link["collection"]["name"], collection, "{target}");
        assert_eq!(link["collection"]["registry"]["name"], registry, "{target}");
        assert_eq!(link["collection"]["registry"]["organization"]["entityName"], organization, "{target}");
        assert_eq!(link["aliases"], json!(["latest", "staging"]), "{target}");
    }
    let before = server.everything().await;
    let linking = "linking is only allowed within the same team or to a collection in your organization's registry";
    for (version, target, expected, sentence) in [
        (&ours, "reviewers/demo/net", "INVALID", linking),
        (&ours, "alice/demo/net", "INVALID", linking),
        (&personal, "alpha/demo/net", "INVALID", linking),
        (&ours, "", "INVALID", ""),
        (&ours, "a/b/c/d", "INVALID", ""),
        (&ours, "wandb-registry-model/a:b", "INVALID", ""),
        (&ours, "wandb-registry-model/", "INVALID", ""),
        (&ours, "wandb-registry-/Net", "INVALID", ""),
        (&ours, "wandb-registry-absent/Net", "NOT_FOUND", "absent"),
        (&ours, "nowhere/wandb-registry-model/Net", "NOT_FOUND", "nowhere"),
        (&ours, "Review Co/wandb-registry-model/Net", "INVALID", linking),
        (&personal, "wandb-registry-model/Net", "INVALID", linking),
        (&personal, "acme/wandb-registry-model/Net", "INVALID", linking),
    ] {
        let refused = own(&alice, "versionLink", json!({ "version": version, "target": target })).await;
        assert_eq!(code(&refused), expected, "{target}: {:?}", refused.errors);
        assert!(refused.message().contains(sentence), "{target}: {}", refused.message());
    }
    for version in [encode_id("Version", 999_999), encode_id("Artifact", 999_999)] {
        let refused = own(&alice, "versionLink", json!({ "version": version, "target": "wandb-registry-model/Net" })).await;
        assert_eq!(code(&refused), "NOT_FOUND");
    }
    assert_eq!(server.everything().await, before);
    // A display name that two have: the error lists what to write instead.
    let other = server.organization("Review Co", "alice").await;
    let ambiguous =
        own(&alice, "versionLink", json!({ "version": reviewed, "target": "Review Co/wandb-registry-model/Net" })).await;
    assert_eq!(code(&ambiguous), "INVALID");
    assert!(ambiguous.message().contains(&other) && ambiguous.message().contains(&organization), "{}", ambiguous.message());
}
