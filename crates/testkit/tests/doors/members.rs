//! Members of registries, registries renamed and deleted, protected aliases (rules 9, 10, 12 to 18 and 32), each at both doors.
//! What must not live here: many at once (`races`), a registry's other fields (`registries`), what a role lets see (`access`).

use std::collections::BTreeSet;

use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents;
use crate::native::{code, own};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Wire,
    Ours,
}

const DOORS: [Door; 2] = [Door::Wire, Door::Ours];

/// The code of an answer, whose status on the wire must say the same (rule 45).
fn checked(door: Door, answer: Answer) -> Answer {
    let status = match (door, code(&answer)) {
        (Door::Ours, _) | (_, "OK") => 200,
        (_, "INVALID") => 400,
        (_, "FORBIDDEN") => 403,
        (_, "NOT_FOUND") => 404,
        (_, "CONFLICT") => 409,
        (_, other) => panic!("{other}: {:?}", answer.errors),
    };
    assert_eq!(answer.status, status, "{:?}", answer.errors);
    answer
}

/// Somebody by kind and name.
type Who<'a> = (&'a str, &'a str);

/// A server with its people, a team `beta` of bob's, a service account `robot` in `acme`, and carol in an organization of her
/// own that nobody else is in.
struct World {
    server: Server,
    alice: Client,
    bob: Client,
    carol: Client,
}

async fn world() -> World {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.team("acme", "beta", "bob").await;
    server.user("robot").await;
    server.join("acme", "robot", OrganizationRole::Member).await;
    server.sql("update users set service_account = true where id = (select id from entities where name = 'robot')").await;
    server.organization("elsewhere", "carol").await;
    server.team("elsewhere", "away", "carol").await;
    World { server, alice, bob, carol }
}

impl World {
    async fn number(&self, name: &str) -> i64 {
        let query = format!("select coalesce((select id from entities where name = '{name}'), 999999)");
        self.server.number(&query).await
    }

    /// The registry's number.
    async fn registry(&self, name: &str) -> i64 {
        let query = format!("select coalesce((select id from projects where kind = 'registry' and name = '{name}'), 999999)");
        self.server.number(&query).await
    }

    /// The id that a door knows somebody by.
    async fn wire_id(&self, (kind, name): Who<'_>) -> String {
        encode_id(if kind == "user" { "User" } else { "Entity" }, self.number(name).await)
    }

    async fn many(&self, door: Door, client: &Client, registry: &str, members: &[Who<'_>], add: bool) -> Answer {
        let id = self.registry(registry).await;
        let of = |kind: &str| members.iter().filter(|who| who.0 == kind).map(|who| who.1).collect::<Vec<_>>();
        if door == Door::Ours {
            let field = if add { "registryMemberAdd" } else { "registryMemberRemove" };
            let input = json!({ "registry": encode_id("Registry", id), "users": of("user"), "teams": of("team") });
            return checked(door, own(client, field, input).await);
        }
        let (mut users, mut teams) = (vec![], vec![]);
        for who in members {
            if who.0 == "user" { &mut users } else { &mut teams }.push(self.wire_id(*who).await);
        }
        let input = json!({ "projectId": encode_id("Project", id), "userIds": users, "teamIds": teams });
        let text = if add { documents::CREATE_MEMBERS } else { documents::DELETE_MEMBERS };
        let answer = client.graphql(text, json!({ "input": input })).await;
        if answer.errors.is_empty() {
            assert_eq!(answer.data["result"]["success"], true);
        }
        checked(door, answer)
    }

    async fn add(&self, door: Door, client: &Client, registry: &str, members: &[Who<'_>]) -> Answer {
        self.many(door, client, registry, members, true).await
    }

    async fn remove(&self, door: Door, client: &Client, registry: &str, members: &[Who<'_>]) -> Answer {
        self.many(door, client, registry, members, false).await
    }

    async fn set(&self, door: Door, client: &Client, registry: &str, who: Who<'_>, role: &str) -> Answer {
        let id = self.registry(registry).await;
        let (kind, name) = who;
        if door == Door::Ours {
            let input = json!({ "registry": encode_id("Registry", id), kind: name, "role": role.to_uppercase() });
            return checked(door, own(client, "registryMemberSet", input).await);
        }
        let (text, role_field) = if kind == "user" {
            (documents::UPDATE_USER_ROLE, "userProjectRole")
        } else {
            (documents::UPDATE_TEAM_ROLE, "teamProjectRole")
        };
        let id_field = format!("{kind}Id");
        let input = json!({ "projectId": encode_id("Project", id), id_field: self.wire_id(who).await, role_field: role });
        checked(door, client.graphql(text, json!({ "input": input })).await)
    }

    async fn rename(&self, door: Door, client: &Client, old: &str, new: &str) -> Answer {
        if door == Door::Ours {
            let id = encode_id("Registry", self.registry(old).await);
            return checked(door, own(client, "registryUpdate", json!({ "id": id, "name": new })).await);
        }
        let (old, new) = (format!("wandb-registry-{old}"), format!("wandb-registry-{new}"));
        let input = json!({ "entityName": "acme", "oldProjectName": old, "newProjectName": new });
        let answer = client.graphql(&documents::rename_registry(), json!({ "input": input })).await;
        if answer.errors.is_empty() {
            assert_eq!(answer.data["renameProject"]["inserted"], false);
            assert_eq!(answer.data["renameProject"]["project"]["name"], new);
        }
        checked(door, answer)
    }

    async fn delete(&self, door: Door, client: &Client, number: i64) -> Answer {
        if door == Door::Ours {
            return checked(door, own(client, "registryDelete", json!({ "id": encode_id("Registry", number) })).await);
        }
        let answer = client.graphql(documents::DELETE_REGISTRY, json!({ "id": encode_id("Project", number) })).await;
        if answer.errors.is_empty() {
            assert_eq!(answer.data["deleteModel"]["success"], true);
        }
        checked(door, answer)
    }

    /// Name and role of each member, read at both doors, which must agree.
    async fn members(&self, client: &Client, registry: &str) -> Vec<String> {
        let query = "query($n: String!) { registry(organization: \"acme\", name: $n) { \
            userMembers(first: 100) { nodes { role addedAt user { id name email } } } \
            teamMembers(first: 100) { nodes { role addedAt team { id name } } } } }";
        let ours = client.graphql(query, json!({ "n": registry })).await.ok()["registry"].clone();
        let full = format!("wandb-registry-{registry}");
        let wire = client.graphql(documents::MEMBERS, json!({ "entity": "acme", "project": full })).await.ok()["project"].clone();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let (mut here, mut there) = (vec![], vec![]);
        for row in list(&ours["userMembers"]["nodes"]) {
            let name = row["user"]["name"].as_str().unwrap();
            here.push(format!("{name} {} {}", row["user"]["id"], row["role"].as_str().unwrap().to_lowercase()));
        }
        for row in list(&wire["members"]) {
            assert_eq!(row["name"], row["username"]);
            there.push(format!("{} {} {}", row["name"].as_str().unwrap(), row["id"], row["role"]["name"].as_str().unwrap()));
        }
        for row in list(&ours["teamMembers"]["nodes"]) {
            let name = row["team"]["name"].as_str().unwrap();
            here.push(format!("{name} {}", row["role"].as_str().unwrap().to_lowercase()));
        }
        for row in list(&wire["teamMembers"]) {
            assert_eq!((&row["team"]["isTeam"], &row["team"]["entityType"]), (&json!(true), &json!("team")));
            let id = decode_id(&["Entity"], row["team"]["id"].as_str().unwrap()).unwrap();
            assert_eq!(id, self.number(row["team"]["name"].as_str().unwrap()).await);
            there.push(format!("{} {}", row["team"]["name"].as_str().unwrap(), row["role"]["name"].as_str().unwrap()));
        }
        assert_eq!(here, there);
        let without_id = |line: String| [line.split(' ').next().unwrap(), line.split(' ').next_back().unwrap()].join(" ");
        here.into_iter().map(without_id).collect()
    }

    async fn role(&self, client: &Client, registry: &str) -> Value {
        let query = "query($n: String!) { registry(organization: \"acme\", name: $n) { yourRole } }";
        client.graphql(query, json!({ "n": registry })).await.ok()["registry"]["yourRole"].clone()
    }

    async fn events(&self, registry: &str) -> Vec<Value> {
        let query = format!(
            "select kind, before, after from audit_events where subject = 'Project:{}' order by id",
            self.registry(registry).await
        );
        self.server.rows(&query).await
    }
}

/// A registry that everybody in acme sees.
async fn open(client: &Client, name: &str) {
    client.make_registry("acme", name, "ORGANIZATION").await;
}

#[tokio::test]
async fn rule_12_adding_carries_no_role() {
    let world = world().await;
    for door in DOORS {
        let name = format!("{door:?}");
        world.alice.make_registry("acme", &name, "RESTRICTED").await;
        assert_eq!(world.members(&world.alice, &name).await, ["alice admin"], "the creator is listed");
        assert!(world.role(&world.bob, &name).await.is_null());
        let all = [("user", "bob"), ("team", "beta"), ("user", "robot"), ("user", "bob")];
        world.add(door, &world.alice, &name, &all).await.expect_ok();
        let listed = ["alice admin", "bob restricted_viewer", "robot member", "beta restricted_viewer"];
        assert_eq!(world.members(&world.alice, &name).await, listed);
        assert_eq!(world.members(&world.bob, &name).await, listed, "a member sees the members");
        assert_eq!(world.role(&world.bob, &name).await, "RESTRICTED_VIEWER");
        // The events tell each of them once, with what was before and after.
        let events = world.events(&name).await;
        let set: Vec<&Value> = events.iter().filter(|event| event["kind"] == "registry_member.set").collect();
        assert_eq!(set.len(), 3, "{events:?}");
        let bob = format!("User:{}", world.number("bob").await);
        assert!(
            set.iter().any(|event| {
                event["before"].is_null() && event["after"] == json!({ "user": bob, "role": "restricted_viewer" })
            })
        );

        // Those who are there stay as they are, whatever else they are.
        world.set(door, &world.alice, &name, ("user", "bob"), "viewer").await.expect_ok();
        let before = world.server.everything().await;
        world.add(door, &world.alice, &name, &[("user", "bob"), ("user", "alice"), ("team", "beta")]).await.expect_ok();
        assert_eq!(world.server.everything().await, before);

        // One bad name or id, and nobody is added. Absent, invisible and of another kind are one answer.
        let mut sentences = BTreeSet::new();
        for bad in [("user", "carol"), ("user", "nobody"), ("user", "alpha"), ("user", "acme")] {
            let refused = world.add(door, &world.alice, &name, &[("team", "alpha"), bad]).await;
            assert_eq!(code(&refused), "NOT_FOUND", "{bad:?}");
            let id = world.wire_id(bad).await;
            sentences.insert(refused.message().replace(bad.1, "NAME").replace(&id, "NAME"));
        }
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        let mut sentences = BTreeSet::new();
        for bad in [("team", "away"), ("team", "nothing"), ("team", "bob"), ("team", "acme")] {
            let refused = world.add(door, &world.alice, &name, &[("team", "alpha"), bad]).await;
            assert_eq!(code(&refused), "NOT_FOUND", "{bad:?}");
            let id = world.wire_id(bad).await;
            sentences.insert(refused.message().replace(bad.1, "NAME").replace(&id, "NAME"));
        }
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        assert_eq!(code(&world.add(door, &world.alice, &name, &[]).await), "INVALID");
        assert_eq!(world.server.everything().await, before);
    }
    // Ids of the wrong kind and broken ones.
    let project = encode_id("Project", world.registry("Wire").await);
    let before = world.server.everything().await;
    for users in [json!([project]), json!(["x"]), json!([encode_id("Entity", world.number("alpha").await)]), json!([""])] {
        let input = json!({ "projectId": project, "userIds": users });
        assert_eq!(world.alice.graphql(documents::CREATE_MEMBERS, json!({ "input": input })).await.status, 400, "{users}");
    }
    let many: Vec<String> = (1..1002).map(|number| encode_id("User", number)).collect();
    let input = json!({ "projectId": project, "userIds": many });
    assert_eq!(world.alice.graphql(documents::CREATE_MEMBERS, json!({ "input": input })).await.status, 400);
    assert_eq!(world.server.everything().await, before);

    // An organization admin is admin anyway.
    world.server.join("acme", "bob", OrganizationRole::Admin).await;
    assert_eq!(world.role(&world.bob, "Wire").await, "ADMIN");
}

/// Rules 12 and 14: somebody from outside, whom an admin knows from another organization.
#[tokio::test]
async fn rule_12_somebody_from_outside_has_the_direct_role_alone() {
    let world = world().await;
    world.server.join("elsewhere", "alice", OrganizationRole::Member).await;
    for door in DOORS {
        let name = format!("{door:?}");
        open(&world.alice, &name).await;
        assert!(world.role(&world.carol, &name).await.is_null());
        world.add(door, &world.alice, &name, &[("user", "carol"), ("team", "away")]).await.expect_ok();
        world.set(door, &world.alice, &name, ("team", "away"), "viewer").await.expect_ok();
        assert_eq!(world.role(&world.carol, &name).await, "VIEWER");
        world.remove(door, &world.alice, &name, &[("team", "away")]).await.expect_ok();
        assert_eq!(world.role(&world.carol, &name).await, "RESTRICTED_VIEWER", "not what the organization's members have");
        // bob doesn't know carol; as an admin of the registry he meets her there.
        world.add(door, &world.alice, &name, &[("user", "bob")]).await.expect_ok();
        world.set(door, &world.alice, &name, ("user", "bob"), "admin").await.expect_ok();
        world.set(door, &world.bob, &name, ("user", "carol"), "member").await.expect_ok();
        world.add(door, &world.bob, &name, &[("user", "carol")]).await.expect_ok();
        assert_eq!(world.role(&world.carol, &name).await, "MEMBER");
        world.remove(door, &world.bob, &name, &[("user", "carol")]).await.expect_ok();
        assert!(world.role(&world.carol, &name).await.is_null());
        let again = world.add(door, &world.bob, &name, &[("user", "carol")]).await;
        assert_eq!(code(&again), "NOT_FOUND", "he can't see her any more");
    }
}

#[tokio::test]
async fn rule_13_removing_and_setting_roles() {
    let world = world().await;
    for door in DOORS {
        let name = format!("{door:?}");
        open(&world.alice, &name).await;
        world.add(door, &world.alice, &name, &[("user", "bob"), ("team", "beta")]).await.expect_ok();
        for role in ["viewer", "member", "admin", "restricted_viewer"] {
            for who in [("user", "bob"), ("team", "beta")] {
                world.set(door, &world.alice, &name, who, role).await.expect_ok();
                assert!(world.members(&world.alice, &name).await.contains(&format!("{} {role}", who.1)));
                let last = world.events(&name).await.pop().unwrap();
                assert_eq!((&last["kind"], &last["after"]["role"]), (&json!("registry_member.set"), &json!(role)));
                assert!(last["before"]["role"].is_string(), "{last}");
            }
        }
        // The same role again is nothing new.
        let before = world.server.everything().await;
        world.set(door, &world.alice, &name, ("team", "beta"), "restricted_viewer").await.expect_ok();
        // A role of who is no member: the same answer for absent, invisible and not added.
        let mut sentences = BTreeSet::new();
        for who in ["robot", "carol", "nobody"] {
            let refused = world.set(door, &world.alice, &name, ("user", who), "viewer").await;
            assert_eq!(code(&refused), "NOT_FOUND", "{who}");
            let id = world.wire_id(("user", who)).await;
            sentences.insert(refused.message().replace(who, "NAME").replace(&id, "NAME"));
        }
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        // Removing who isn't there, isn't anywhere or can't be seen is done already.
        world.remove(door, &world.alice, &name, &[("user", "carol"), ("user", "nobody"), ("team", "alpha")]).await.expect_ok();
        assert_eq!(world.server.everything().await, before);

        world.remove(door, &world.alice, &name, &[("user", "bob"), ("user", "nobody"), ("team", "beta")]).await.expect_ok();
        assert_eq!(world.members(&world.alice, &name).await, ["alice admin"]);
        let events = world.events(&name).await;
        let removed: Vec<&Value> = events.iter().filter(|event| event["kind"] == "registry_member.removed").collect();
        assert_eq!(removed.len(), 2);
        assert!(removed.iter().all(|event| event["after"].is_null() && event["before"]["role"] == "restricted_viewer"));
        world.remove(door, &world.alice, &name, &[("user", "bob"), ("team", "beta")]).await.expect_ok();
    }
    let alice = world.wire_id(("user", "alice")).await;
    let project = encode_id("Project", world.registry("Wire").await);
    for role in ["owner", "", "Admin", "ADMIN", "restricted viewer"] {
        let input = json!({ "projectId": project, "userId": alice, "userProjectRole": role });
        let refused = world.alice.graphql(documents::UPDATE_USER_ROLE, json!({ "input": input })).await;
        assert_eq!(refused.status, 400, "{role}");
        assert!(refused.message().contains("restricted_viewer, viewer, member, admin"), "{}", refused.message());
    }
    let input = json!({ "registry": encode_id("Registry", world.registry("Ours").await), "role": "VIEWER" });
    assert_eq!(code(&own(&world.alice, "registryMemberSet", input).await), "INVALID", "nobody is named");
}

#[tokio::test]
async fn rule_15_a_service_account_is_member_or_admin() {
    let world = world().await;
    for door in DOORS {
        let name = format!("{door:?}");
        open(&world.alice, &name).await;
        world.add(door, &world.alice, &name, &[("user", "robot")]).await.expect_ok();
        for (role, expected) in [("admin", "OK"), ("member", "OK"), ("viewer", "INVALID"), ("restricted_viewer", "INVALID")] {
            let answer = world.set(door, &world.alice, &name, ("user", "robot"), role).await;
            assert_eq!(code(&answer), expected, "{role}");
        }
        assert_eq!(world.members(&world.alice, &name).await, ["alice admin", "robot member"]);
    }
}

#[tokio::test]
async fn rule_16_the_last_direct_admin() {
    let world = world().await;
    for door in DOORS {
        let name = format!("{door:?}");
        open(&world.bob, &name).await;
        world.add(door, &world.bob, &name, &[("user", "robot"), ("team", "beta")]).await.expect_ok();
        // A team of admins is no direct admin.
        world.set(door, &world.bob, &name, ("team", "beta"), "admin").await.expect_ok();
        let before = world.server.everything().await;
        for answer in [
            world.set(door, &world.bob, &name, ("user", "bob"), "member").await,
            world.remove(door, &world.bob, &name, &[("user", "bob")]).await,
            world.remove(door, &world.bob, &name, &[("user", "robot"), ("user", "bob"), ("team", "beta")]).await,
        ] {
            assert_eq!(code(&answer), "FORBIDDEN", "{door:?}");
            assert!(answer.message().contains("no direct admin without bob"), "{}", answer.message());
        }
        assert_eq!(world.server.everything().await, before);
        // One of two may go.
        world.set(door, &world.bob, &name, ("user", "robot"), "admin").await.expect_ok();
        assert_eq!(
            code(&world.remove(door, &world.bob, &name, &[("user", "robot"), ("user", "bob")]).await),
            "FORBIDDEN",
            "both at once are the last"
        );
        world.set(door, &world.bob, &name, ("user", "bob"), "viewer").await.expect_ok();
        assert_eq!(world.role(&world.bob, &name).await, "ADMIN", "by his team");
        assert_eq!(code(&world.set(door, &world.bob, &name, ("user", "robot"), "member").await), "FORBIDDEN");
        // An admin of the organization may leave a registry without.
        world.remove(door, &world.alice, &name, &[("user", "robot")]).await.expect_ok();
        assert_eq!(world.members(&world.alice, &name).await, ["bob viewer", "beta admin"]);
    }
    // One's own membership in a registry that is restricted to members.
    for door in DOORS {
        let name = format!("left {door:?}");
        world.bob.make_registry("acme", &name, "RESTRICTED").await;
        world.add(door, &world.bob, &name, &[("user", "robot")]).await.expect_ok();
        world.set(door, &world.bob, &name, ("user", "robot"), "admin").await.expect_ok();
        let left = world.remove(door, &world.bob, &name, &[("user", "bob")]).await.ok();
        if door == Door::Ours {
            assert!(left["registryMemberRemove"]["registry"].is_null());
        }
        assert!(world.role(&world.bob, &name).await.is_null());
    }
}

/// Rule 17: who manages a registry, at each door and with each operation.
#[tokio::test]
async fn rule_17_who_manages_a_registry() {
    let world = world().await;
    let seat = world.server.user("seat").await;
    world.server.join("acme", "seat", OrganizationRole::Viewer).await;
    let admin = world.server.admin().await;
    world.alice.make_registry("acme", "open", "ORGANIZATION").await;
    world.alice.make_registry("acme", "closed", "RESTRICTED").await;
    let attempts = async |door: Door, client: &Client, registry: &str| {
        let mut codes = BTreeSet::new();
        for answer in [
            world.add(door, client, registry, &[("team", "beta")]).await,
            world.remove(door, client, registry, &[("team", "beta")]).await,
            world.set(door, client, registry, ("user", "alice"), "admin").await,
            world.rename(door, client, registry, registry).await,
        ] {
            codes.insert(code(&answer).to_owned());
        }
        if codes.first().is_some_and(|code| code != "OK") {
            let number = world.registry(registry).await;
            codes.insert(code(&world.delete(door, client, number).await).to_owned());
        }
        codes.into_iter().collect::<Vec<_>>().join(" ")
    };
    for door in DOORS {
        for role in ["restricted_viewer", "viewer", "member", "admin"] {
            world.add(door, &world.alice, "closed", &[("user", "bob")]).await.expect_ok();
            world.set(door, &world.alice, "closed", ("user", "bob"), role).await.expect_ok();
            let expected = if role == "admin" { "OK" } else { "FORBIDDEN" };
            assert_eq!(attempts(door, &world.bob, "closed").await, expected, "{door:?} {role}");
            world.remove(door, &world.alice, "closed", &[("user", "bob")]).await.expect_ok();
        }
        for (who, client, seen, hidden) in [
            ("a member of the organization", &world.bob, "FORBIDDEN", "NOT_FOUND"),
            ("a viewer seat", &seat, "FORBIDDEN", "NOT_FOUND"),
            ("somebody else", &world.carol, "NOT_FOUND", "NOT_FOUND"),
            ("a site administrator", &admin, "NOT_FOUND", "NOT_FOUND"),
            ("an organization admin", &world.alice, "OK", "OK"),
        ] {
            assert_eq!(attempts(door, client, "open").await, seen, "{door:?} {who}");
            assert_eq!(attempts(door, client, "closed").await, hidden, "{door:?} {who}");
            if hidden == "NOT_FOUND" {
                assert_eq!(attempts(door, client, "nowhere").await, hidden, "{door:?} {who}");
            }
        }
    }
    // Hidden and absent are told in the same words, at each operation.
    for door in DOORS {
        for (hidden, absent) in [
            (
                world.add(door, &world.carol, "closed", &[("user", "carol")]).await,
                world.add(door, &world.carol, "nowhere", &[("user", "carol")]).await,
            ),
            (
                world.set(door, &world.carol, "closed", ("user", "carol"), "admin").await,
                world.set(door, &world.carol, "nowhere", ("user", "carol"), "admin").await,
            ),
            (
                world.rename(door, &world.carol, "closed", "other").await,
                world.rename(door, &world.carol, "nowhere", "other").await,
            ),
            (
                world.delete(door, &world.carol, world.registry("closed").await).await,
                world.delete(door, &world.carol, 999_999).await,
            ),
        ] {
            assert_eq!((hidden.status, hidden.message()), (absent.status, absent.message()));
            assert_eq!(hidden.statements, absent.statements, "as many statements, and the same");
        }
    }
    // A project isn't managed so.
    world.alice.log(&VersionSpec::model("alpha", "net", b"weights")).await;
    let demo = world.server.number("select id from projects where name = 'demo'").await;
    for door in DOORS {
        assert_eq!(code(&world.delete(door, &world.alice, demo).await), "NOT_FOUND");
    }
    let renamed = json!({ "entityName": "alpha", "oldProjectName": "demo", "newProjectName": "wandb-registry-demo" });
    let refused = world.alice.graphql(&documents::rename_registry(), json!({ "input": renamed })).await;
    assert_eq!(refused.status, 400);
}

const ACCESS: &str = "query($n: String!, $u: String) { registry(organization: \"acme\", name: $n) { effectiveAccess(user: $u) { role \
    user { name } sources { kind role team { name } } } } }";

/// Sources of an answer as `KIND ROLE team`.
fn sources(access: &Value) -> Vec<String> {
    let list = access["sources"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    list.map(|source| [text(&source["kind"]), text(&source["role"]), text(&source["team"]["name"])].join(" ")).collect()
}

#[tokio::test]
async fn rule_14_the_effective_role_and_what_it_comes_from() {
    let world = world().await;
    let ask = async |client: &Client, registry: &str, user: Option<&str>| {
        client.graphql(ACCESS, json!({ "n": registry, "u": user })).await
    };
    open(&world.alice, "open").await;
    world.alice.make_registry("acme", "closed", "RESTRICTED").await;
    world.server.join_team("alpha", "bob", TeamRole::Member).await;
    let door = Door::Ours;
    world.add(door, &world.alice, "open", &[("user", "bob"), ("team", "beta"), ("team", "alpha")]).await.expect_ok();
    world.set(door, &world.alice, "open", ("team", "beta"), "member").await.expect_ok();
    let own = ask(&world.bob, "open", None).await.ok()["registry"]["effectiveAccess"].clone();
    assert_eq!((&own["role"], &own["user"]["name"]), (&json!("MEMBER"), &json!("bob")));
    let listed =
        ["TEAM MEMBER beta", "ORGANIZATION_MEMBER VIEWER -", "DIRECT RESTRICTED_VIEWER -", "TEAM RESTRICTED_VIEWER alpha"];
    assert_eq!(sources(&own), listed);
    assert_eq!(world.role(&world.bob, "open").await, "MEMBER", "the same in the end");
    // The same for whoever manages the members, and for nobody else.
    assert_eq!(ask(&world.alice, "open", Some("bob")).await.ok()["registry"]["effectiveAccess"], own);
    assert_eq!(ask(&world.bob, "open", Some("bob")).await.ok()["registry"]["effectiveAccess"], own);
    for other in ["alice", "carol", "nobody"] {
        assert_eq!(ask(&world.bob, "open", Some(other)).await.code(), "FORBIDDEN", "{other}");
    }
    world.server.join("acme", "bob", OrganizationRole::Admin).await;
    let raised = ask(&world.alice, "open", Some("bob")).await.ok()["registry"]["effectiveAccess"].clone();
    assert_eq!((raised["role"].as_str(), sources(&raised)[0].as_str()), (Some("ADMIN"), "ORGANIZATION_ADMIN ADMIN -"));
    world.server.join("acme", "bob", OrganizationRole::Member).await;
    // Seen, but without a role; not seen and not there are one.
    let none = ask(&world.alice, "closed", Some("bob")).await.ok()["registry"]["effectiveAccess"].clone();
    assert_eq!((&none["role"], sources(&none).len()), (&Value::Null, 0));
    for nobody in ["carol", "nobody", "alpha", ""] {
        assert!(ask(&world.alice, "closed", Some(nobody)).await.ok()["registry"]["effectiveAccess"].is_null(), "{nobody}");
    }
    assert!(ask(&world.bob, "closed", None).await.ok()["registry"].is_null());
    // A site administrator has nothing by it, and an admin of the registry sees that.
    world.server.sql("update users set site_admin = true where id = (select id from entities where name = 'bob')").await;
    let site = ask(&world.alice, "closed", Some("bob")).await.ok()["registry"]["effectiveAccess"].clone();
    assert_eq!(sources(&site).len(), 0);
}

#[tokio::test]
async fn rule_9_a_rename_keeps_the_id() {
    let world = world().await;
    let version = world.alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    open(&world.alice, "taken").await;
    world.alice.make_registry("acme", "hidden", "RESTRICTED").await;
    for door in DOORS {
        let (old, new) = (format!("old {door:?}"), format!("new {door:?}"));
        let id = world.bob.make_registry("acme", &old, "ORGANIZATION").await;
        world.alice.link(&version, "acme", &old, "C", &["best"]).await.expect_ok();
        world.rename(door, &world.bob, &old, &new).await.expect_ok();
        let find = "query($n: String!) { registry(organization: \"acme\", name: $n) { id fullName } }";
        let there = world.bob.graphql(find, json!({ "n": new })).await.ok();
        assert_eq!(there["registry"], json!({ "id": id, "fullName": format!("wandb-registry-{new}") }));
        assert!(world.bob.graphql(find, json!({ "n": old })).await.ok()["registry"].is_null());
        let last = world.events(&new).await.pop().unwrap();
        assert_eq!((&last["before"]["name"], &last["after"]["name"]), (&json!(old), &json!(new)));
        assert_eq!(last["kind"], "registry.updated");
        // What stood in it stands there still.
        world.alice.link(&version, "acme", &new, "C", &[]).await.expect_ok();
        assert_eq!(world.alice.link(&version, "acme", &old, "C", &[]).await.status, 404);
        // Its own name in another case is no twin, and again the same is nothing.
        world.rename(door, &world.bob, &new, &new.to_uppercase()).await.expect_ok();
        world.rename(door, &world.bob, &new.to_uppercase(), &new).await.expect_ok();
        let before = world.server.everything().await;
        world.rename(door, &world.bob, &new, &new).await.expect_ok();
        // A name that is taken, seen or unseen, and a twin of one: rule 2's error.
        let mut errors = BTreeSet::new();
        for taken in ["taken", "TAKEN", "hidden", "Hidden"] {
            let refused = world.rename(door, &world.bob, &new, taken).await;
            assert_eq!(code(&refused), "CONFLICT", "{taken}");
            errors.insert(refused.message().replace(taken, "NAME"));
        }
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors.first().unwrap().contains("different name"));
        for bad in ["", " a", "a/b", &"a".repeat(114)] {
            assert_eq!(code(&world.rename(door, &world.bob, &new, bad).await), "INVALID", "{bad:?}");
        }
        assert_eq!(world.server.everything().await, before);
        // The old name is free.
        open(&world.alice, &old).await;
    }
}

#[tokio::test]
async fn rule_10_deletion_takes_the_links_and_leaves_the_versions() {
    let world = world().await;
    let spec = VersionSpec::model("alpha", "net", b"weights");
    let version = world.alice.log(&spec).await.id;
    for (door, admin) in [(Door::Wire, &world.bob), (Door::Ours, &world.alice)] {
        let name = format!("{door:?}");
        // bob is a direct admin, alice one of the organization.
        let id = world.bob.make_registry("acme", &name, "ORGANIZATION").await;
        let number = decode_id(&["Registry"], &id).unwrap();
        let update = json!({ "id": id, "protectedAliases": ["production"] });
        own(&world.bob, "registryUpdate", update).await.expect_ok();
        world.alice.link(&version, "acme", &name, "First", &["production"]).await.expect_ok();
        world.alice.link(&version, "acme", &name, "Second", &["best"]).await.expect_ok();
        let files = "query($n: String!) { registry(organization: \"acme\", name: $n) { collection(name: \"First\") { latest { version \
            { files { nodes { downloadUrl } } } } } } }";
        let urls = world.bob.graphql(files, json!({ "n": name })).await.ok();
        let url =
            urls["registry"]["collection"]["latest"]["version"]["files"]["nodes"][0]["downloadUrl"].as_str().unwrap().to_owned();
        assert_eq!(world.bob.get(&url, &[]).await.0, 200);
        let stored = world.server.number("select count(*) from versions").await;

        world.delete(door, admin, number).await.expect_ok();
        // As for something that never was: by name, by id, at both doors, a second time, and for its members.
        assert!(world.role(&world.bob, &name).await.is_null());
        let again = world.delete(door, admin, number).await;
        let never = world.delete(door, admin, 999_999).await;
        assert_eq!((code(&again), again.message()), ("NOT_FOUND", never.message()));
        assert_eq!(code(&world.add(door, admin, &name, &[("user", "bob")]).await), "NOT_FOUND");
        assert_eq!(world.bob.get(&url, &[]).await.0, 404, "downloads by its links end");
        assert_eq!(world.alice.link(&version, "acme", &name, "First", &[]).await.status, 404);
        // The version is where it was born.
        let query = "query($id: ID!) { version(id: $id) { source links { index } files { nodes { downloadUrl } } } }";
        let source = world.alice.graphql(query, json!({ "id": version })).await.ok()["version"].clone();
        assert_eq!((&source["source"], &source["links"]), (&json!("alpha/demo/net:v0"), &json!([])));
        let (status, _, bytes) = world.alice.get(source["files"]["nodes"][0]["downloadUrl"].as_str().unwrap(), &[]).await;
        assert_eq!((status, bytes), (200, b"weights".to_vec()));
        assert_eq!(world.server.number("select count(*) from versions").await, stored);
        assert_eq!(
            world.server.number(&format!("select count(*) from registry_user_members where registry_id = {number}")).await,
            0
        );
        // The audit tells what it was and what stood in it.
        let events = world
            .server
            .rows(&format!("select kind, before, after from audit_events where subject = 'Project:{number}' order by id"))
            .await;
        let last = events.last().unwrap();
        assert_eq!(
            (&last["kind"], &last["before"]["name"], &last["after"]),
            (&json!("registry.deleted"), &json!(name), &Value::Null)
        );
        assert_eq!(last["before"]["protected_aliases"], json!(["production"]));
        let gone = world
            .server
            .rows(&format!(
                "select before from audit_events where kind = 'collection.deleted' and before->>'project' = '{number}' order by id"
            ))
            .await;
        let linked = decode_id(&["Artifact"], &version).unwrap();
        assert_eq!(gone.len(), 2);
        assert_eq!(gone[0]["before"]["name"], "First");
        assert_eq!(gone[0]["before"]["links"], json!({ "v0": linked }));
        assert_eq!(gone[0]["before"]["aliases"], json!({ "latest": linked, "production": linked }));
        // The name is free, and what is made under it is another one.
        let second = world.alice.make_registry("acme", &name, "ORGANIZATION").await;
        assert_ne!(second, id);
    }
    for bad in ["x", "", &encode_id("Registry", 1), &encode_id("User", 1)] {
        assert_eq!(world.alice.graphql(documents::DELETE_REGISTRY, json!({ "id": bad })).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn rule_32_protected_aliases_are_the_admins() {
    let world = world().await;
    let id = world.alice.make_registry("acme", "model", "ORGANIZATION").await;
    world.server.join_team("alpha", "bob", TeamRole::Member).await;
    let mut versions = Vec::new();
    for name in ["one", "two", "three"] {
        versions.push(world.alice.log(&VersionSpec::model("alpha", name, name.as_bytes())).await.id);
    }
    world.add(Door::Ours, &world.alice, "model", &[("user", "bob")]).await.expect_ok();
    world.set(Door::Ours, &world.alice, "model", ("user", "bob"), "member").await.expect_ok();
    let protect =
        async |client: &Client, list: Value| own(client, "registryUpdate", json!({ "id": id, "protectedAliases": list })).await;
    // Set by admins alone, the whole list, each once; what nobody sets can't be protected.
    assert_eq!(code(&protect(&world.bob, json!(["production"])).await), "FORBIDDEN");
    let set = protect(&world.alice, json!(["production", "best", "production"])).await.ok();
    assert_eq!(set["registryUpdate"]["registry"]["protectedAliases"], json!(["best", "production"]));
    let last = world.events("model").await.pop().unwrap();
    assert_eq!(
        (&last["before"]["protected_aliases"], &last["after"]["protected_aliases"]),
        (&json!([]), &json!(["best", "production"]))
    );
    let before = world.server.everything().await;
    for bad in [
        json!(["latest"]),
        json!(["v1"]),
        json!([""]),
        json!(["a/b"]),
        json!((0..101).map(|n| format!("a{n}")).collect::<Vec<_>>()),
    ] {
        assert_eq!(code(&protect(&world.alice, bad.clone()).await), "INVALID", "{bad}");
    }
    protect(&world.alice, json!(["best", "production"])).await.expect_ok();
    assert_eq!(world.server.everything().await, before, "the same list again is nothing");
    // A member sets others, and never one of these: in a new collection, in an old one, by moving it.
    let link = async |door: Door, client: &Client, version: &str, collection: &str, aliases: &[&str]| match door {
        Door::Wire => checked(door, client.link(version, "acme", "model", collection, aliases).await),
        Door::Ours => {
            let target = format!("acme/wandb-registry-model/{collection}");
            own(client, "versionLink", json!({ "version": version, "target": target, "aliases": aliases })).await
        }
    };
    for door in DOORS {
        let line = format!("Line {door:?}");
        let before = world.server.everything().await;
        let refused = link(door, &world.bob, &versions[0], &line, &["staging", "production"]).await;
        assert_eq!(code(&refused), "FORBIDDEN");
        assert!(refused.message().contains("\"production\" is protected"), "{}", refused.message());
        assert_eq!(world.server.everything().await, before, "not even the collection is made");
        link(door, &world.bob, &versions[0], &line, &["staging"]).await.expect_ok();
        link(door, &world.alice, &versions[1], &line, &["production"]).await.expect_ok();
        let before = world.server.everything().await;
        for aliases in [&["production"][..], &["fresh", "best"], &["best", "staging"]] {
            assert_eq!(code(&link(door, &world.bob, &versions[2], &line, aliases).await), "FORBIDDEN", "{aliases:?}");
        }
        assert_eq!(world.server.everything().await, before);
        // Rule 17: what is so already is no change, and needs no right.
        link(door, &world.bob, &versions[1], &line, &["production"]).await.expect_ok();
        assert_eq!(world.server.everything().await, before);
        // An admin moves it; `latest` is nobody's.
        link(door, &world.alice, &versions[2], &line, &["production"]).await.expect_ok();
        let query = "query($n: String!) { registry(organization: \"acme\", name: \"model\") { collection(name: $n) { links { nodes { \
            index aliases } } } } }";
        let links = world.bob.graphql(query, json!({ "n": line })).await.ok()["registry"]["collection"]["links"]["nodes"].clone();
        assert_eq!(
            links,
            json!([
                { "index": 2, "aliases": ["latest", "production"] },
                { "index": 1, "aliases": [] },
                { "index": 0, "aliases": ["staging"] },
            ])
        );
    }
    // Off the list it is like any other; in a source collection it always was.
    protect(&world.alice, json!([])).await.expect_ok();
    link(Door::Wire, &world.bob, &versions[0], "Line Wire", &["production"]).await.expect_ok();
    protect(&world.alice, json!(["production"])).await.expect_ok();
    let mut spec = VersionSpec::model("alpha", "own", b"own");
    spec.aliases = vec!["production".into()];
    world.bob.log(&spec).await;
}

/// Rule 18: what one server changed is so for the other at its next request.
#[tokio::test]
async fn rule_18_a_changed_role_is_known_to_every_server_at_once() {
    let world = world().await;
    let other = world.server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let far = world.bob.at(&other.url);
    let version = world.alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    for door in DOORS {
        let name = format!("{door:?}");
        world.alice.make_registry("acme", &name, "RESTRICTED").await;
        world.alice.link(&version, "acme", &name, "C", &[]).await.expect_ok();
        world.add(door, &world.alice, &name, &[("user", "bob")]).await.expect_ok();
        world.set(door, &world.alice, &name, ("user", "bob"), "viewer").await.expect_ok();
        let files = "query($n: String!) { registry(organization: \"acme\", name: $n) { collection(name: \"C\") { latest { version { \
            files { nodes { downloadUrl } } } } } } }";
        let urls = far.graphql(files, json!({ "n": name })).await.ok();
        let url =
            urls["registry"]["collection"]["latest"]["version"]["files"]["nodes"][0]["downloadUrl"].as_str().unwrap().to_owned();
        assert_eq!(far.get(&url, &[]).await.0, 200);
        world.set(door, &world.alice, &name, ("user", "bob"), "restricted_viewer").await.expect_ok();
        assert_eq!(world.role(&far, &name).await, "RESTRICTED_VIEWER");
        assert_eq!(far.get(&url, &[]).await.0, 404, "a URL's actor is asked again");
        world.remove(door, &world.alice, &name, &[("user", "bob")]).await.expect_ok();
        assert!(world.role(&far, &name).await.is_null());
        world.add(door, &world.alice, &name, &[("user", "bob")]).await.expect_ok();
        world.set(door, &world.alice, &name, ("user", "bob"), "admin").await.expect_ok();
        world.add(door, &far, &name, &[("team", "beta")]).await.expect_ok();
        world.set(door, &world.alice, &name, ("user", "bob"), "member").await.expect_ok();
        assert_eq!(code(&world.add(door, &far, &name, &[("team", "alpha")]).await), "FORBIDDEN");
    }
    // A key that one server revoked opens nothing at the other.
    let keys = world.bob.graphql("{ viewer { apiKeys { nodes { id } } } }", json!({})).await.ok();
    far.graphql("{ viewer { name } }", json!({})).await.expect_ok();
    own(&world.bob, "apiKeyRevoke", json!({ "id": keys["viewer"]["apiKeys"]["nodes"][0]["id"] })).await.expect_ok();
    assert_eq!(far.graphql("{ viewer { name } }", json!({})).await.status, 401);
}

/// Rules 18 and 23: a seat that is lowered, a team or an organization that is left through one server: the other refuses at the
/// next request.
#[tokio::test]
async fn rule_18_a_lost_place_is_known_to_every_server_at_once() {
    let world = world().await;
    let other = world.server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let far = world.bob.at(&other.url);
    open(&world.alice, "open").await;
    let ids = [world.registry("open").await, {
        world.alice.make_registry("acme", "closed", "RESTRICTED").await;
        world.registry("closed").await
    }]
    .map(|number| encode_id("Registry", number));
    let changes = async || {
        let mut codes = Vec::new();
        for id in &ids {
            let answer = own(&far, "registryUpdate", json!({ "id": id, "description": "by bob" })).await;
            codes.push(code(&answer).to_owned());
        }
        codes
    };
    let seat = async |role: &str| {
        let input = json!({ "organization": "acme", "user": "bob", "role": role });
        own(&world.alice, "organizationMemberSet", input).await.expect_ok();
    };
    let logs = async |name: &str| {
        let begin = json!({ "entity": "alpha", "project": "demo", "collection": name, "typeName": "model", "files": [] });
        let wire = far.create_version(&VersionSpec::model("alpha", name, b"x"), name).await;
        [code(&own(&far, "versionBegin", begin).await).to_owned(), code(&checked(Door::Wire, wire)).to_owned()]
    };
    seat("ADMIN").await;
    assert_eq!(changes().await, ["OK", "OK"]);
    seat("VIEWER").await;
    assert_eq!(changes().await, ["FORBIDDEN", "NOT_FOUND"]);
    seat("MEMBER").await;
    own(&world.alice, "teamMemberSet", json!({ "team": "alpha", "user": "bob" })).await.expect_ok();
    assert_eq!(logs("one").await, ["OK", "OK"]);
    seat("VIEWER").await;
    assert_eq!(logs("two").await, ["FORBIDDEN", "FORBIDDEN"], "a viewer's seat reads only");
    seat("MEMBER").await;
    assert_eq!(logs("three").await, ["OK", "OK"]);
    own(&world.alice, "teamMemberRemove", json!({ "team": "alpha", "user": "bob" })).await.expect_ok();
    assert_eq!(logs("four").await, ["FORBIDDEN", "FORBIDDEN"]);
    let project = "{ project(entityName: \"alpha\", name: \"demo\") { id } }";
    assert_eq!(far.graphql(project, json!({})).await.ok(), json!({ "project": null }));
    own(&world.alice, "organizationMemberRemove", json!({ "organization": "acme", "user": "bob" })).await.expect_ok();
    assert_eq!(changes().await, ["NOT_FOUND", "NOT_FOUND"]);
    assert_eq!(logs("five").await, ["NOT_FOUND", "NOT_FOUND"]);
}

/// A page of registries with their members: as many statements for many as for one.
#[tokio::test]
async fn members_of_many_registries_take_a_statement_for_each_kind_of_thing() {
    let world = world().await;
    let query = "{ organization(name: \"acme\") { registries(first: 50) { nodes { protectedAliases userMembers { nodes { role user { \
        email } } } teamMembers { nodes { role team { name organization { name } } } } effectiveAccess { role sources { kind team { name \
        } } } } } } }";
    let mut counts = BTreeSet::new();
    for round in 0..2 {
        for number in 0..=(round * 5) {
            let name = format!("registry {round} {number}");
            open(&world.alice, &name).await;
            let members = [("user", "bob"), ("user", "robot"), ("team", "alpha"), ("team", "beta")];
            world.add(Door::Ours, &world.alice, &name, &members[..(2 + round * 2)]).await.expect_ok();
            world.add(Door::Ours, &world.alice, &name, &[("team", "alpha")]).await.expect_ok();
        }
        let answer = world.alice.graphql(query, json!({})).await;
        counts.insert(answer.statements.len());
        answer.expect_ok();
    }
    assert_eq!(counts.len(), 1, "{counts:?}");
}
