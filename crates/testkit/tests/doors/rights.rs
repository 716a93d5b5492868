//! Rights that go while somebody waits for a lock, and what is lost together with an account (rules 10, 16, 17, 18 and 32): what
//! was decided before the wait is decided again after it. What must not live here: races of writers of one thing (`races`).

use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join, join_all};
use regalia_domain::ids::decode_id;
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::json;

use crate::documents::{rename_registry, upsert_registry};
use crate::native::{code, own};
use crate::races::rounds;

const TASKS: usize = 64;

/// How long a lock is held, in seconds.
const HELD: f64 = 1.5;

async fn number_of(server: &Server, name: &str) -> i64 {
    server.number(&format!("select id from entities where name = '{name}'")).await
}

/// Sends 64 operations while a lock is held under which something is changed then, and asserts that they waited for it and that
/// not one of them did anything.
async fn refused_after_waiting<'a>(
    server: &Server,
    lock: &str,
    lower: &str,
    operation: impl Fn(usize) -> BoxFuture<'a, Answer>,
    expected: &[&str],
) {
    let holding = format!("begin; {lock}; select pg_sleep({HELD}); {lower}; commit");
    let before = server.everything().await;
    let waiting = async {
        // Until the lock is held.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let begun = Instant::now();
        let answers = join_all((0..TASKS).map(&operation)).await;
        assert!(begun.elapsed().as_secs_f64() > HELD / 3.0, "nobody waited for {lock}");
        answers
    };
    let ((), answers) = join(server.sql(&holding), waiting).await;
    for answer in &answers {
        assert!(expected.contains(&answer.code()), "{lower}: {:?}", answer.errors);
    }
    let mut after = server.everything().await;
    for changed in ["organization_members", "team_members", "registry_user_members"] {
        after.insert(changed.into(), before[changed].clone());
    }
    assert_eq!(after, before, "{lower}");
}

/// Rules 16 and 23: organizations and teams.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_16_an_admin_of_an_organization_or_team_is_demoted_while_he_waits() {
    let server = Server::start().await;
    let (_, bob, _) = server.people().await;
    let newcomer = server.user("newcomer").await;
    for name in ["carol", "newcomer"] {
        server.join("acme", name, OrganizationRole::Member).await;
    }
    server.join("acme", "bob", OrganizationRole::Admin).await;
    server.join_team("alpha", "newcomer", TeamRole::Admin).await;
    let lock = "select 1 from organizations for update";

    let bobs = number_of(&server, "bob").await;
    let lower = format!("update organization_members set role = 'member' where user_id = {bobs}");
    let operation = |task: usize| -> BoxFuture<'_, Answer> {
        let (field, input) = match task % 6 {
            0 => ("organizationUpdate", json!({ "organization": "acme", "registryCreation": "ADMINS" })),
            1 => ("organizationMemberSet", json!({ "organization": "acme", "user": "carol", "role": "ADMIN" })),
            2 => ("organizationMemberRemove", json!({ "organization": "acme", "user": "newcomer" })),
            3 => ("teamCreate", json!({ "organization": "acme", "name": format!("team{task}"), "admin": "bob" })),
            4 => ("teamMemberSet", json!({ "team": "alpha", "user": "bob", "role": "ADMIN" })),
            _ => ("serviceAccountCreate", json!({ "team": "alpha", "name": format!("robot{task}") })),
        };
        let bob = &bob;
        Box::pin(async move { own(bob, field, input).await })
    };
    refused_after_waiting(&server, lock, &lower, operation, &["FORBIDDEN"]).await;

    let daves = number_of(&server, "newcomer").await;
    let lower = format!("update team_members set role = 'member' where user_id = {daves}");
    let operation = |task: usize| -> BoxFuture<'_, Answer> {
        let (field, input) = match task % 4 {
            0 => ("teamMemberSet", json!({ "team": "alpha", "user": "carol", "role": "ADMIN" })),
            1 => ("teamMemberRemove", json!({ "team": "alpha", "user": "alice" })),
            2 => ("serviceAccountCreate", json!({ "team": "alpha", "name": format!("robot{task}") })),
            _ => ("teamDelete", json!({ "team": "alpha" })),
        };
        let newcomer = &newcomer;
        Box::pin(async move { own(newcomer, field, input).await })
    };
    refused_after_waiting(&server, lock, &lower, operation, &["FORBIDDEN"]).await;
}

/// Rules 10, 17 and 32: registries, and links into them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_17_an_admin_of_a_registry_is_demoted_while_he_waits() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let id = alice.make_registry("acme", "reviewed", "RESTRICTED").await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    alice.link(&version, "acme", "reviewed", "Line", &[]).await.expect_ok();
    own(&alice, "registryUpdate", json!({ "id": id, "protectedAliases": ["production"] })).await.expect_ok();
    own(&alice, "registryMemberAdd", json!({ "registry": id, "users": ["bob"] })).await.expect_ok();
    let bobs = number_of(&server, "bob").await;
    let role = async |role: &str| {
        own(&alice, "registryMemberSet", json!({ "registry": id, "user": "bob", "role": role })).await.expect_ok();
    };
    let lower = |role: &str| format!("update registry_user_members set role = '{role}' where user_id = {bobs}");
    let link = |alias: &'static str| {
        let (bob, version) = (&bob, &version);
        move |_: usize| -> BoxFuture<'_, Answer> {
            Box::pin(async move { bob.link(version, "acme", "reviewed", "Line", &[alias]).await })
        }
    };

    let registry = "select 1 from projects where name = 'reviewed' for update";
    role("ADMIN").await;
    let operation = |task: usize| -> BoxFuture<'_, Answer> {
        let (bob, id) = (&bob, &id);
        Box::pin(async move {
            let names = json!({
                "entityName": "acme", "oldProjectName": "wandb-registry-reviewed", "newProjectName": "wandb-registry-theirs",
            });
            let upsert = json!({ "entityName": "acme", "name": "wandb-registry-reviewed", "description": "theirs" });
            match task % 5 {
                0 => own(bob, "registryDelete", json!({ "id": id })).await,
                1 => own(bob, "registryUpdate", json!({ "id": id, "name": "theirs", "protectedAliases": [] })).await,
                2 => own(bob, "registryMemberAdd", json!({ "registry": id, "teams": ["alpha"] })).await,
                3 => bob.graphql(&rename_registry(), json!({ "input": names })).await,
                _ => bob.graphql(&upsert_registry(), json!({ "input": upsert })).await,
            }
        })
    };
    refused_after_waiting(&server, registry, &lower("viewer"), operation, &["FORBIDDEN", "CONFLICT"]).await;

    // A link waits for the registry's rules, then for the collection.
    let collection = "select 1 from collections where name = 'Line' for update";
    for lock in [registry, collection] {
        role("MEMBER").await;
        refused_after_waiting(&server, lock, &lower("viewer"), link("best"), &["FORBIDDEN"]).await;
    }
    // Rule 32: who is no admin any more moves no protected alias.
    role("ADMIN").await;
    refused_after_waiting(&server, collection, &lower("member"), link("production"), &["FORBIDDEN"]).await;
    // Rule 28: who lost the source links it no more; where it is linked already he may read it still, by that.
    let other = alice.log(&VersionSpec::model("alpha", "other", b"others")).await.id;
    let operation = |_: usize| -> BoxFuture<'_, Answer> {
        let (bob, other) = (&bob, &other);
        Box::pin(async move { bob.link(other, "acme", "reviewed", "Line", &["best"]).await })
    };
    let lower = format!("delete from team_members where user_id = {bobs}");
    refused_after_waiting(&server, collection, &lower, operation, &["NOT_FOUND"]).await;
}

/// Rule 18: what is made with a key, a session or a right that ends meanwhile isn't made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_18_no_key_is_made_by_who_has_just_lost_the_right() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let newcomer = server.user("newcomer").await;
    server.join("acme", "newcomer", OrganizationRole::Member).await;
    server.join_team("alpha", "newcomer", TeamRole::Admin).await;
    own(&alice, "serviceAccountCreate", json!({ "team": "alpha", "name": "robot" })).await.expect_ok();
    let (robots, alices) = (number_of(&server, "robot").await, number_of(&server, "alice").await);
    let make = |client: Client, user: &'static str| {
        move |_: usize| -> BoxFuture<'_, Answer> {
            let client = client.clone();
            Box::pin(async move { own(&client, "apiKeyCreate", json!({ "user": user })).await })
        }
    };
    let lock = format!("select 1 from users where id = {robots} for update");
    let lower = "update team_members set role = 'member' where user_id = (select id from entities where name = 'newcomer')";
    refused_after_waiting(&server, &lock, lower, make(newcomer.clone(), "robot"), &["FORBIDDEN"]).await;
    // Out of its team, it is nobody's.
    server.sql("update team_members set role = 'admin' where role = 'member'").await;
    let lower = format!("delete from organization_members where user_id = {robots}");
    let home = "update users set service_team_id = null where service_account";
    let before = server.number("select count(*) from api_keys").await;
    let answers = join(server.sql(&format!("begin; {lock}; select pg_sleep({HELD}); {lower}; {home}; commit")), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        join_all((0..TASKS).map(make(newcomer.clone(), "robot"))).await
    })
    .await
    .1;
    assert!(answers.iter().all(|answer| answer.code() == "NOT_FOUND"), "{:?}", answers[0].errors);
    assert_eq!(server.number("select count(*) from api_keys").await, before);
    // The key that asks is revoked.
    let lock = format!("select 1 from users where id = {alices} for update");
    let answers = join(
        server.sql(&format!(
            "begin; {lock}; select pg_sleep({HELD}); update api_keys set revoked_at = now() where user_id = {alices}; commit"
        )),
        async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            join_all((0..TASKS).map(make(alice.clone(), "alice"))).await
        },
    )
    .await
    .1;
    assert!(answers.iter().all(|answer| answer.code() == "UNAUTHENTICATED"), "{:?}", answers[0].errors);
    assert_eq!(server.number("select count(*) from api_keys").await, before);
}

/// Rule 18: whatever is done at once, a service account that was removed has no key left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_18_no_key_survives_its_service_account() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let (twin, mut made) = (server.twin().await, 0);
    for round in 0..rounds() {
        let name = format!("robot{round}");
        own(&alice, "serviceAccountCreate", json!({ "team": "alpha", "name": name })).await.expect_ok();
        let keys = join_all((0..TASKS - 1).map(|task| {
            let client = if task % 2 == 1 { alice.at(&twin.url) } else { alice.clone() };
            let name = &name;
            async move { own(&client, "apiKeyCreate", json!({ "user": name })).await }
        }));
        let end = async {
            tokio::time::sleep(Duration::from_millis(10 * (round as u64 % 8))).await;
            match round % 3 {
                0 => own(&alice, "teamMemberRemove", json!({ "team": "alpha", "user": name })).await.expect_ok(),
                1 => own(&alice, "organizationMemberRemove", json!({ "organization": "acme", "user": name })).await.expect_ok(),
                _ => own(&alice, "userDelete", json!({ "name": name })).await.expect_ok(),
            }
        };
        let (keys, ()) = join(keys, end).await;
        assert!(keys.iter().all(|answer| ["OK", "NOT_FOUND"].contains(&code(answer))), "{keys:?}");
        made += keys.iter().filter(|answer| answer.errors.is_empty()).count();
        let alive = format!(
            "select count(*) from api_keys k join entities e on e.id = k.user_id where e.name = '{name}' and k.revoked_at is null"
        );
        assert_eq!(server.number(&alive).await, 0, "round {round}");
        for secret in keys.iter().filter_map(|answer| answer.data["apiKeyCreate"]["secret"].as_str()) {
            // After many keys that open nothing it is told to come back.
            let status = alice.with_key(secret).graphql("{ viewer { name } }", json!({})).await.status;
            assert!([401, 429].contains(&status), "{status}");
        }
    }
    assert!(made > 0, "every key came too late: nothing was tried");
}

/// Rule 16: with an account goes no registry's last direct admin, but by an admin of its organization or of the site.
#[tokio::test]
async fn rule_16_a_team_admin_takes_no_last_direct_admin() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let newcomer = server.user("newcomer").await;
    server.join("acme", "newcomer", OrganizationRole::Member).await;
    server.join_team("alpha", "newcomer", TeamRole::Admin).await;
    // A registry whose only direct admin is a service account of the team.
    let left_to = async |name: &str, robot: &str| {
        own(&newcomer, "serviceAccountCreate", json!({ "team": "alpha", "name": robot })).await.expect_ok();
        let id = alice.make_registry("acme", name, "RESTRICTED").await;
        own(&alice, "registryMemberAdd", json!({ "registry": id, "users": [robot] })).await.expect_ok();
        own(&alice, "registryMemberSet", json!({ "registry": id, "user": robot, "role": "ADMIN" })).await.expect_ok();
        own(&alice, "registryMemberRemove", json!({ "registry": id, "users": ["alice"] })).await.expect_ok();
        id
    };
    let id = left_to("reviewed", "robot").await;
    let before = server.everything().await;
    let ways = [("userDelete", json!({ "name": "robot" })), ("teamMemberRemove", json!({ "team": "alpha", "user": "robot" }))];
    for (field, input) in &ways {
        let refused = own(&newcomer, field, input.clone()).await;
        assert_eq!(refused.code(), "FORBIDDEN");
        assert!(refused.message().contains("registry that you don't see"), "{}", refused.message());
    }
    assert_eq!(server.everything().await, before);
    own(&alice, "registryMemberAdd", json!({ "registry": id, "users": ["newcomer"] })).await.expect_ok();
    for (field, input) in &ways {
        let refused = own(&newcomer, field, input.clone()).await;
        assert!(refused.code() == "FORBIDDEN" && refused.message().contains("\"reviewed\" of acme"), "{}", refused.message());
    }
    // Where another one stays, and where it isn't admin, he may.
    own(&alice, "registryMemberSet", json!({ "registry": id, "user": "newcomer", "role": "ADMIN" })).await.expect_ok();
    own(&newcomer, "userDelete", json!({ "name": "robot" })).await.expect_ok();
    // An admin of the organization may, and one of the site.
    left_to("second", "robot2").await;
    own(&alice, "teamMemberRemove", json!({ "team": "alpha", "user": "robot2" })).await.expect_ok();
    left_to("third", "robot3").await;
    own(&server.admin().await, "organizationMemberRemove", json!({ "organization": "acme", "user": "robot3" })).await.expect_ok();
    left_to("fourth", "robot4").await;
    own(&server.admin().await, "userDelete", json!({ "name": "robot4" })).await.expect_ok();
}

/// Rule 16: one of two direct admins is deleted with its account while the other steps down: one stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_16_an_account_is_deleted_while_the_other_admin_steps_down() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let newcomer = server.user("newcomer").await;
    let twin = server.twin().await;
    server.join("acme", "newcomer", OrganizationRole::Member).await;
    server.join_team("alpha", "newcomer", TeamRole::Admin).await;
    for round in 0..rounds() {
        let (registry, robot) = (format!("contested{round}"), format!("robot{round}"));
        own(&newcomer, "serviceAccountCreate", json!({ "team": "alpha", "name": robot })).await.expect_ok();
        let id = newcomer.make_registry("acme", &registry, "RESTRICTED").await;
        own(&newcomer, "registryMemberAdd", json!({ "registry": id, "users": [robot] })).await.expect_ok();
        own(&alice, "registryMemberSet", json!({ "registry": id, "user": robot, "role": "ADMIN" })).await.expect_ok();
        let end = async {
            if round % 2 == 0 {
                own(&newcomer, "userDelete", json!({ "name": robot })).await
            } else {
                own(&newcomer, "teamMemberRemove", json!({ "team": "alpha", "user": robot })).await
            }
        };
        let other = newcomer.at(&twin.url);
        let step_down = own(&other, "registryMemberSet", json!({ "registry": id, "user": "newcomer", "role": "MEMBER" }));
        let (ended, stepped) = join(end, step_down).await;
        let mut outcome = [&ended, &stepped].map(code);
        outcome.sort_unstable();
        assert_eq!(outcome, ["FORBIDDEN", "OK"], "{:?} {:?}", ended.errors, stepped.errors);
        let registry = decode_id(&["Registry"], &id).unwrap();
        let left = format!("select count(*) from registry_user_members where role = 'admin' and registry_id = {registry}");
        assert_eq!(server.number(&left).await, 1);
    }
}
