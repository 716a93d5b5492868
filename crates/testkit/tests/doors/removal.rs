//! Rule 24: what stands in the way of deleting users, teams and organizations, and what goes with them by force. What must not live
//! here: the deletion of who holds nothing (`native`, `people`).

use std::time::Duration;

use futures_util::future::{join, join_all};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::native::own;
use crate::races::rounds;

/// A registry `reviewed` with the protected alias `production`, where `Line` has a version of the team `beta` as v0, and one of
/// `alpha` with that alias as v1. Returns that one.
async fn reviewed(server: &Server, alice: &Client) -> String {
    server.team("acme", "beta", "alice").await;
    let id = alice.make_registry("acme", "reviewed", "RESTRICTED").await;
    let beta = alice.log(&VersionSpec::model("beta", "other", b"of beta")).await.id;
    let alpha = alice.log(&VersionSpec::model("alpha", "net", b"of alpha")).await.id;
    alice.link(&beta, "acme", "reviewed", "Line", &["stable"]).await.expect_ok();
    alice.link(&alpha, "acme", "reviewed", "Line", &["production"]).await.expect_ok();
    own(alice, "registryUpdate", json!({ "id": id, "protectedAliases": ["production"] })).await.expect_ok();
    alpha
}

async fn links(client: &Client) -> Value {
    let query = "{ registry(organization: \"acme\", name: \"reviewed\") { collection(name: \"Line\") { links(first: 10) { nodes { \
                 index aliases version { source } } } } } }";
    client.graphql(query, json!({})).await.ok()["registry"]["collection"]["links"]["nodes"].clone()
}

#[tokio::test]
async fn rule_24_what_is_linked_under_a_protected_alias_keeps_its_team() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let (admin, newcomer) = (server.admin().await, server.user("newcomer").await);
    server.join("acme", "newcomer", OrganizationRole::Member).await;
    server.join_team("alpha", "newcomer", TeamRole::Admin).await;
    let alpha = reviewed(&server, &alice).await;
    let made = own(&alice, "serviceAccountCreate", json!({ "team": "alpha", "name": "robot" })).await.ok();
    let robot = alice.with_key(made["serviceAccountCreate"]["secret"].as_str().unwrap());
    robot.log(&VersionSpec::model("robot", "scratch", b"of a machine")).await;
    let before = server.everything().await;
    for (client, field, input, expected, told) in [
        (&alice, "teamDelete", json!({ "team": "alpha" }), "CONFLICT", "aliases: reviewed/Line:production."),
        (&alice, "organizationDelete", json!({ "organization": "acme" }), "CONFLICT", "aliases: reviewed/Line:production."),
        // Who doesn't see the registry isn't told its name.
        (&newcomer, "teamDelete", json!({ "team": "alpha" }), "CONFLICT", "aliases: 1 in registries that you don't see."),
        (&admin, "teamDelete", json!({ "team": "alpha" }), "CONFLICT", "aliases: 1 in registries that you don't see."),
        (&alice, "teamDelete", json!({ "team": "beta" }), "CONFLICT", "still owns projects"),
        (&alice, "userDelete", json!({ "name": "robot" }), "CONFLICT", "still owns projects"),
        // By force only an administrator of the site.
        (&alice, "teamDelete", json!({ "team": "alpha", "force": true }), "FORBIDDEN", "site administrator"),
        (&alice, "organizationDelete", json!({ "organization": "acme", "force": true }), "FORBIDDEN", "site administrator"),
        (&alice, "userDelete", json!({ "name": "robot", "force": true }), "FORBIDDEN", "site administrator"),
        (&alice, "teamDelete", json!({ "team": "nowhere", "force": true }), "FORBIDDEN", "site administrator"),
        (&admin, "teamDelete", json!({ "team": "nowhere", "force": true }), "NOT_FOUND", "not found"),
    ] {
        let refused = own(client, field, input.clone()).await;
        assert_eq!(refused.code(), expected, "{field} {input}: {}", refused.message());
        assert!(refused.message().contains(told), "{field} {input}: {}", refused.message());
    }
    assert_eq!(server.everything().await, before);
    server
        .sql(
            "update versions set description = 'a secret', metadata = '{\"a\": \"secret\"}', metadata_index = '{\"a\": \"secret\"}';
             insert into version_tags (version_id, tag) select id, 'secret' from versions",
        )
        .await;

    let deleted = own(&admin, "teamDelete", json!({ "team": "alpha", "force": true })).await;
    let request = deleted.request;
    assert_eq!(deleted.ok()["teamDelete"]["name"], "alpha");
    // Its versions are gone, wherever they were linked; others stay, and rule 29's `latest` is on the highest index that is left.
    let gone = alice.graphql("query($id: ID!) { version(id: $id) { id } }", json!({ "id": alpha })).await.ok();
    assert!(gone["version"].is_null());
    let left = links(&alice).await;
    assert_eq!(left, json!([{ "index": 0, "aliases": ["latest", "stable"], "version": { "source": "beta/demo/other:v0" } }]));
    assert_eq!(robot.graphql("{ viewer { name } }", json!({})).await.status, 401);
    for nothing in [
        "select count(*) from entities where name in ('alpha', 'robot')",
        "select count(*) from versions v left join collections c on c.id = v.collection_id where c.id is null and v.state <> 'deleted'",
        "select count(*) from memberships m left join versions v on v.id = m.version_id where v.id is null",
        "select count(*) from aliases a left join memberships m using (collection_id, version_id) where m.id is null and upper_inf(a.valid)",
        "select count(*) from blobs b left join entities e on e.id = b.scope_id where e.id is null",
        "select count(*) from versions v where state = 'deleted' and (description is not null or metadata::text <> '{}'
            or metadata_index <> '{}' or exists (select from version_tags t where t.version_id = v.id))",
    ] {
        assert_eq!(server.number(nothing).await, 0, "{nothing}");
    }
    // Which version the aliases of others' collections pointed at stays to be seen.
    let history = "select count(*) from aliases a join versions v on v.id = a.version_id where a.alias = 'production' and v.state = 'deleted'";
    assert_eq!(server.number(history).await, 1);
    // The audit keeps the trace: of each collection, of what left the registry's, of the machine, of the team with the aliases.
    let events =
        server.rows(&format!("select kind, before, after from audit_events where request_id = '{request}' order by id")).await;
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let told = [
        "collection.deleted",
        "collection.deleted",
        "alias.removed",
        "alias.removed",
        "version.unlinked",
        "alias.set",
        "organization_member.removed",
        "user.deleted",
        "team.deleted",
    ];
    assert_eq!(kinds, told);
    assert_eq!(events[0]["before"]["name"], "net");
    assert_eq!(
        events[8]["before"],
        json!({
            "name": "alpha", "forced": true, "projects": ["demo"], "protected": ["reviewed/Line:production"], "protected_count": 1,
        })
    );
    assert_eq!(own(&admin, "teamDelete", json!({ "team": "alpha", "force": true })).await.code(), "NOT_FOUND");
    // Nobody's alias is protected any more there, so what is left is refused as whatever owns something.
    assert!(own(&alice, "organizationDelete", json!({ "organization": "acme" })).await.message().contains("still owns teams"));
    own(&admin, "organizationDelete", json!({ "organization": "acme", "force": true })).await.expect_ok();
    for table in
        ["organizations", "teams", "projects", "collections", "versions", "memberships", "aliases", "manifests", "blobs", "runs"]
    {
        assert_eq!(server.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let registries = server.rows("select before from audit_events where kind = 'registry.deleted'").await;
    assert_eq!(registries, [json!({ "before": { "name": "reviewed", "forced": true } })]);
}

#[tokio::test]
async fn rule_24_a_user_with_a_project_goes_by_force() {
    let server = Server::start().await;
    let (_, _, carol) = server.people().await;
    let admin = server.admin().await;
    carol.log(&VersionSpec::model("carol", "net", b"of carol")).await;
    let refused = own(&admin, "userDelete", json!({ "name": "carol" })).await;
    assert!(refused.code() == "CONFLICT" && refused.message().contains("`force`"), "{}", refused.message());
    assert_eq!(own(&admin, "userDelete", json!({ "name": "admin", "force": true })).await.code(), "CONFLICT", "not oneself");
    own(&admin, "userDelete", json!({ "name": "carol", "force": true })).await.expect_ok();
    for table in ["projects", "versions", "blobs", "manifests", "uploads"] {
        assert_eq!(server.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert_eq!(carol.graphql("{ viewer { name } }", json!({})).await.status, 401);
}

/// Rule 24: a deletion that waits for somebody who waits for it is refused with a sentence that says so, and nothing has happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_24_a_deletion_that_comes_between_is_tried_again() {
    let server = Server::start().await;
    let (_, _, carol) = server.people().await;
    let admin = server.admin().await;
    carol.log(&VersionSpec::model("carol", "net", b"of carol")).await;
    let before = server.everything().await;
    // As a commit does: bytes first, then the collection.
    let writes = server.sql(
        "begin; set local deadlock_timeout = '1min'; select from blobs for update;
         do $$ begin
             while not exists (select from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid))) loop
                 perform pg_sleep(0.02); perform pg_stat_clear_snapshot();
             end loop;
         end $$;
         select from collections for update; commit",
    );
    let ((), refused) = join(writes, own(&admin, "userDelete", json!({ "name": "carol", "force": true }))).await;
    assert_eq!(refused.code(), "CONFLICT", "{}", refused.message());
    assert!(refused.message().contains("written there at the same moment"), "{}", refused.message());
    assert_eq!(server.everything().await, before);
    own(&admin, "userDelete", json!({ "name": "carol", "force": true })).await.expect_ok();
}

/// Versions are linked and logged while their team is deleted by force: what is refused is no 5xx, nothing of the team is left, and
/// `latest` is on the highest index that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_24_links_while_the_team_is_deleted() {
    const LINKS: usize = 16;
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let (admin, twin) = (server.admin().await, server.twin().await);
    reviewed(&server, &alice).await;
    for round in 0..rounds() {
        let team = format!("team{round}");
        server.team("acme", &team, "alice").await;
        let mut versions = Vec::new();
        for number in 0..LINKS {
            versions.push(
                alice.log(&VersionSpec::model(&team, &format!("net{number}"), format!("{round} {number}").as_bytes())).await.id,
            );
        }
        let writes = join_all(versions.iter().enumerate().map(|(task, version)| {
            let client = if task % 2 == 1 { alice.at(&twin.url) } else { alice.clone() };
            async move { client.link(version, "acme", "reviewed", "Line", &["best"]).await }
        }));
        let delete = async {
            tokio::time::sleep(Duration::from_millis(10 * (round as u64 % 8))).await;
            own(&admin, "teamDelete", json!({ "team": team, "force": true })).await.expect_ok();
        };
        let (links_made, ()) = join(writes, delete).await;
        assert!(links_made.iter().all(|answer| answer.errors.is_empty() || answer.status == 404), "{links_made:?}");
        let left = links(&alice).await;
        let left = left.as_array().unwrap();
        assert_eq!(left.len(), 2, "{left:?}");
        let holders: Vec<&Value> = left
            .iter()
            .filter(|link| link["aliases"].as_array().unwrap().contains(&json!("latest")))
            .map(|link| &link["index"])
            .collect();
        assert_eq!(holders, [&json!(1)], "{left:?}");
    }
    let first = links(&alice).await[1]["version"]["source"].clone();
    assert_eq!(first, "beta/demo/other:v0");
    assert_eq!(server.number("select count(*) from entities where name like 'team%'").await, 0);
}
