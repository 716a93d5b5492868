//! Who sees and may do what (rules 14, 17, 18, 19, 21, 22, 23 and 41), through both sides of the schema and by ids that are
//! guessed; and that what a caller may not see is answered exactly as what isn't there. What must not live here: what is
//! wrong with an input (`refusals`).

use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Reply, Server, VersionSpec};
use serde_json::{Value, json};

const LINKING: &str = "linking is only allowed within the same team or to a collection in your organization's registry";

const PLACE: &str = "query($entity: String!, $project: String!, $name: String!) { project(entityName: $entity, name: $project) { \
    readOnly artifactCollectionMembership(name: $name) { versionIndex aliases { alias } artifactCollection { name } artifact { id \
    digest size metadata artifactSequence { name project { name } } currentManifest { file { directUrl } } } } } }";
const PLACE_FILES: &str = "query($entity: String!, $project: String!, $name: String!) { project(entityName: $entity, \
    name: $project) { artifactCollectionMembership(name: $name) { files(first: 9) { edges { node { name directUrl } } } } } }";
const ARTIFACT: &str = "query($id: ID!) { artifact(id: $id) { id digest versionIndex aliases { alias } artifactSequence { name \
    project { name } } currentManifest { file { directUrl } } } }";
const REGISTRY: &str = "query($organization: String!, $name: String!) { registry(organization: $organization, name: $name) { id \
    yourRole collection(name: \"C\") { name link(alias: \"best\") { index aliases version { id digest fileCount source } } } } }";
const REGISTRY_FILES: &str = "query($organization: String!, $name: String!) { registry(organization: $organization, name: $name) \
    { collection(name: \"C\") { link(alias: \"best\") { version { files { edges { node { path downloadUrl } } } } } } } }";
const VERSION: &str = "query($id: ID!) { version(id: $id) { id digest source links { index } } }";
const VERSION_FILES: &str = "query($id: ID!) { version(id: $id) { files { edges { node { path downloadUrl } } } } }";
const USE: &str = "mutation($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id } } }";
const RUN: &str = "mutation($input: UpsertBucketInput!) { upsertBucket(input: $input) { bucket { id name } inserted } }";
const UPSERT: &str = "mutation($input: UpsertModelInput!) { upsertModel(input: $input) { inserted project { id description } } }";
const UPDATE: &str = "mutation($input: RegistryUpdateInput!) { registryUpdate(input: $input) { registry { description } } }";
const VERSION_LINK: &str = "mutation($input: VersionLinkInput!) { versionLink(input: $input) { link { index aliases } } }";
const LEAVE_TEAM: &str = "mutation($input: TeamMemberRemoveInput!) { teamMemberRemove(input: $input) { team { name } } }";
const LEAVE: &str =
    "mutation($input: OrganizationMemberRemoveInput!) { organizationMemberRemove(input: $input) { organization { name } } }";

/// alice's team has published one version to a registry that all of `acme` sees and to one that only its members see.
struct World {
    server: Server,
    alice: Client,
    bob: Client,
    carol: Client,
    /// `Artifact:n`.
    version: String,
    spec: VersionSpec,
}

async fn world() -> World {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    alice.make_registry("acme", "open", "ORGANIZATION").await;
    alice.make_registry("acme", "closed", "RESTRICTED").await;
    let spec = VersionSpec::model("alpha", "net", b"the weights");
    let version = alice.log(&spec).await.id;
    for registry in ["open", "closed"] {
        alice.link(&version, "acme", registry, "C", &["best"]).await.expect_ok();
    }
    World { server, alice, bob, carol, version, spec }
}

/// A user's, team's or organization's number in SQL.
fn entity(name: &str) -> String {
    format!("(select id from entities where name = '{name}')")
}

fn registry(name: &str) -> String {
    format!("(select id from projects where kind = 'registry' and name = '{name}')")
}

fn in_acme(role: &str) -> String {
    format!("insert into organization_members values ({}, {}, '{role}');", entity("acme"), entity("carol"))
}

fn in_alpha(role: &str) -> String {
    format!("insert into team_members values ({}, {}, '{role}');", entity("alpha"), entity("carol"))
}

fn direct(name: &str, role: &str) -> String {
    format!("insert into registry_user_members values ({}, {}, '{role}');", registry(name), entity("carol"))
}

fn through_alpha(name: &str, role: &str) -> String {
    format!("insert into registry_team_members values ({}, {}, '{role}');", registry(name), entity("alpha"))
}

impl World {
    /// Replaces everything that gives carol any right.
    async fn carol_has(&self, rights: &str) {
        let carol = entity("carol");
        let none = format!(
            "delete from registry_user_members where user_id = {carol}; delete from registry_team_members; \
             delete from team_members where user_id = {carol}; delete from organization_members where user_id = {carol}; \
             update users set site_admin = false where id = {carol};"
        );
        self.server.sql(&format!("{none} {rights}")).await;
    }

    async fn level(&self, project: &str) -> i64 {
        let select = format!("select access_level(p.id, {})::bigint from projects p where {project}", entity("carol"));
        self.server.number(&select).await
    }

    /// What the doors say of carol's role in a registry, as a level.
    async fn level_at_the_doors(&self, name: &str) -> i64 {
        let ours = self.carol.graphql(REGISTRY, json!({ "organization": "acme", "name": name })).await.ok();
        let level = match ours["registry"]["yourRole"].as_str() {
            None => 0,
            Some("RESTRICTED_VIEWER") => 1,
            Some("VIEWER") => 2,
            Some("MEMBER") => 3,
            Some("ADMIN") => 4,
            Some(other) => panic!("there is no role {other}"),
        };
        let full = format!("wandb-registry-{name}");
        let wire = self.carol.graphql(PLACE, json!({ "entity": "acme", "project": full, "name": "C:best" })).await.ok();
        match wire["project"]["readOnly"].as_bool() {
            None => assert_eq!(level, 0, "{name}"),
            Some(read_only) => assert_eq!(read_only, level < 3, "{name} at level {level}"),
        }
        level
    }
}

/// Rules 14 and 23: every source of a right, alone and together, in one function and at both doors. The four numbers are
/// the levels in a restricted registry, in one of the organization, in a team's project and in alice's own project.
#[tokio::test]
async fn rules_14_and_23_every_source_of_a_right() {
    let world = world().await;
    world.alice.log(&VersionSpec::model("alice", "own", b"private")).await;
    world.carol.log(&VersionSpec::model("carol", "own", b"private")).await;
    let mut cases: Vec<(&str, String, [i64; 4])> = vec![
        ("nothing", String::new(), [0, 0, 0, 0]),
        ("a viewer's seat", in_acme("viewer"), [0, 2, 0, 0]),
        ("a member", in_acme("member"), [0, 2, 0, 0]),
        ("an organization admin", in_acme("admin"), [4, 4, 4, 0]),
        ("a site admin", format!("update users set site_admin = true where id = {};", entity("carol")), [0, 0, 0, 0]),
        (
            "a site admin with a viewer's seat",
            format!("{} update users set site_admin = true where id = {};", in_acme("viewer"), entity("carol")),
            [0, 2, 0, 0],
        ),
        ("a team member", in_acme("member") + &in_alpha("member"), [0, 2, 3, 0]),
        ("a team admin", in_acme("member") + &in_alpha("admin"), [0, 2, 4, 0]),
        ("a team member on a viewer's seat", in_acme("viewer") + &in_alpha("member"), [0, 2, 2, 0]),
        ("a team admin on a viewer's seat", in_acme("viewer") + &in_alpha("admin"), [0, 2, 2, 0]),
        ("a team member who is organization admin", in_acme("admin") + &in_alpha("member"), [4, 4, 4, 0]),
        ("direct below what all have", in_acme("member") + &direct("open", "restricted_viewer"), [0, 2, 0, 0]),
        ("direct above what all have", in_acme("viewer") + &direct("open", "admin"), [0, 4, 0, 0]),
        (
            "direct below the team's",
            in_acme("member") + &in_alpha("member") + &direct("closed", "viewer") + &through_alpha("closed", "admin"),
            [4, 2, 3, 0],
        ),
        (
            "direct above the team's",
            in_acme("member") + &in_alpha("admin") + &direct("closed", "member") + &through_alpha("closed", "viewer"),
            [3, 2, 4, 0],
        ),
        ("the role of a team that carol isn't in", in_acme("member") + &through_alpha("closed", "admin"), [0, 2, 0, 0]),
    ];
    for (role, level) in [("restricted_viewer", 1), ("viewer", 2), ("member", 3), ("admin", 4)] {
        cases.push(("a direct role from outside the organization", direct("closed", role), [level, 0, 0, 0]));
        cases.push(("a direct role on a viewer's seat", in_acme("viewer") + &direct("closed", role), [level, 2, 0, 0]));
        for place in ["member", "admin"] {
            let team = in_acme("member") + &in_alpha(place) + &through_alpha("closed", role);
            cases.push((
                "a team's role, whatever the place in the team",
                team,
                [level, 2, if place == "admin" { 4 } else { 3 }, 0],
            ));
        }
    }
    for (case, (what, rights, expected)) in cases.into_iter().enumerate() {
        world.carol_has(&rights).await;
        let levels = [
            world.level("p.kind = 'registry' and p.name = 'closed'").await,
            world.level("p.kind = 'registry' and p.name = 'open'").await,
            world.level(&format!("p.kind = 'project' and p.entity_id = {}", entity("alpha"))).await,
            world.level(&format!("p.kind = 'project' and p.entity_id = {}", entity("alice"))).await,
        ];
        assert_eq!(levels, expected, "{what}: {rights}");
        assert_eq!(world.level(&format!("p.kind = 'project' and p.entity_id = {}", entity("carol"))).await, 4, "her own: {what}");
        for (name, level) in [("closed", expected[0]), ("open", expected[1])] {
            assert_eq!(world.level_at_the_doors(name).await, level, "{name}, {what}: {rights}");
        }
        // The same at the wire's door: who sees, who writes, who administers a project.
        for (owner, level) in [("alpha", expected[2]), ("alice", expected[3])] {
            let seen = world
                .carol
                .graphql("query($e: String!) { project(entityName: $e, name: \"demo\") { readOnly } }", json!({ "e": owner }));
            let expected = if level == 0 { Value::Null } else { json!({ "readOnly": level < 3 }) };
            assert_eq!(seen.await.ok()["project"], expected, "{owner}, {what}");
            let described = json!({ "entityName": owner, "name": "demo", "description": format!("case {case}") });
            let changed = world.carol.graphql(UPSERT, json!({ "input": described })).await;
            assert_eq!(changed.status == 200, level == 4, "{owner}, {what}: {} {}", changed.status, changed.message());
        }
    }
}

/// Rule 23: what the SDK's admins send with every request gives nobody anything.
#[tokio::test]
async fn rule_23_use_admin_privileges_gives_no_content() {
    let world = world().await;
    let admin = world.server.admin().await;
    for id in ["artifact", "version"] {
        let body =
            json!({ "query": format!("query($id: ID!) {{ {id}(id: $id) {{ digest }} }}"), "variables": { "id": world.version } });
        let answer = admin
            .request("POST", "/graphql", |r| {
                r.basic_auth("api", Some(admin.key())).header("Use-Admin-Privileges", "true").json(&body)
            })
            .await;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer, json!({ "data": { id: null } }));
    }
    let path = by_md5(&world, "acme", "wandb-registry-open", "C");
    let answer =
        admin.request("GET", &path, |r| r.basic_auth("api", Some(admin.key())).header("Use-Admin-Privileges", "true")).await;
    assert_eq!(answer.status, 404);
    let refused = admin.link(&world.version, "acme", "open", "D", &[]).await;
    assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"));
}

fn by_md5(world: &World, entity: &str, project: &str, collection: &str) -> String {
    let md5 = regalia_testkit::md5_hex(&world.spec.files[0].1);
    format!("/artifactsV2/default/{entity}/{project}/{collection}/{}/{}/{md5}/model.txt", world.version, world.version)
}

/// How far somebody at a level gets: not even to know of it, to a refusal, or through.
fn outcome(level: i64, needed: i64) -> &'static str {
    if level == 0 {
        "NOT_FOUND"
    } else if level < needed {
        "FORBIDDEN"
    } else {
        ""
    }
}

/// Fails unless a write came as far as expected, with the status of its side (rule 45).
fn came(what: &str, level: i64, answer: &Answer, expected: &str, wire: bool) {
    let status = match (expected, wire) {
        ("", _) | (_, false) => 200,
        ("NOT_FOUND", _) => 404,
        ("CONFLICT", _) => 409,
        _ => 403,
    };
    assert_eq!((answer.code(), answer.status), (expected, status), "{what} at level {level}: {}", answer.message());
}

/// Rules 17 and 41: what each role in a restricted registry lets carol do, who has a viewer's seat and no right on the
/// team's project: through both sides of the schema, by names and by guessed ids.
#[tokio::test]
async fn rules_17_and_41_what_each_role_lets_do() {
    let world = world().await;
    let (carol, version) = (&world.carol, &world.version);
    let number = decode_id(&["Artifact"], version).unwrap();
    let ours = encode_id("Version", number);
    let closed = encode_id("Registry", world.server.number(&format!("select {}", registry("closed"))).await);
    world.alice.make_registry("acme", "hers", "RESTRICTED").await;
    let run = json!({ "entityName": "carol", "modelName": "work", "name": "run1" });
    carol.graphql(RUN, json!({ "input": run })).await.expect_ok();
    let place = json!({ "entity": "acme", "project": "wandb-registry-closed", "name": "C:best" });
    let named = json!({ "organization": "acme", "name": "closed" });
    // In `open` she would have the right to download anyway: there it must not be.
    world.server.sql(&format!("delete from projects where id = {}", registry("open"))).await;
    for (level, role) in [(0, ""), (1, "restricted_viewer"), (2, "viewer"), (3, "member"), (4, "admin")] {
        let rights = if role.is_empty() { String::new() } else { direct("closed", role) };
        world.carol_has(&(in_acme("viewer") + &direct("hers", "member") + &rights)).await;
        let (sees, reads) = (level >= 1, level >= 2);

        // By names: everything but content from restricted_viewer on, content from viewer on.
        let seen = carol.graphql(PLACE, place.clone()).await.ok();
        let there = &seen["project"]["artifactCollectionMembership"];
        assert_eq!(!there.is_null(), sees, "{level}: {seen}");
        if sees {
            let aliases = there["aliases"].as_array().unwrap();
            assert!(aliases.contains(&json!({ "alias": "best" })) && aliases.contains(&json!({ "alias": "latest" })), "{seen}");
            assert_eq!((&there["versionIndex"], &there["artifact"]["digest"]), (&json!(0), &json!(world.spec.digest())));
            assert!(there["artifact"]["artifactSequence"]["project"].is_null(), "rule 22: {seen}");
        }
        assert_eq!(!there["artifact"]["currentManifest"].is_null(), reads, "the manifest is content: {level}");
        let files = carol.graphql(PLACE_FILES, place.clone()).await;
        if sees {
            came("files", level, &files, outcome(level, 2), true);
        } else {
            assert_eq!(files.ok(), json!({ "project": null }));
        }
        let seen = carol.graphql(REGISTRY, named.clone()).await.ok();
        let link = &seen["registry"]["collection"]["link"];
        assert_eq!(!link.is_null(), sees, "{level}: {seen}");
        if sees {
            assert_eq!((&link["version"]["id"], &link["version"]["source"]), (&json!(ours), &Value::Null), "rule 22");
        }
        let files = carol.graphql(REGISTRY_FILES, named.clone()).await;
        if sees {
            came("files of ours", level, &files, outcome(level, 2), false);
        } else {
            assert_eq!(files.ok(), json!({ "registry": null }));
        }

        // By ids, which anybody can guess.
        let seen = carol.graphql(ARTIFACT, json!({ "id": version })).await.ok();
        assert_eq!(!seen["artifact"].is_null(), sees, "{level}: {seen}");
        assert_eq!(!seen["artifact"]["currentManifest"].is_null(), reads, "{level}: {seen}");
        let seen = carol.graphql(VERSION, json!({ "id": ours })).await.ok();
        assert_eq!(!seen["version"].is_null(), sees, "{level}: {seen}");
        let files = carol.graphql(VERSION_FILES, json!({ "id": ours })).await;
        if sees {
            came("files by id", level, &files, outcome(level, 2), false);
        } else {
            assert_eq!(files.ok(), json!({ "version": null }));
        }
        // With the key: with a collection in the path, and without one.
        for path in [by_md5(&world, "acme", "wandb-registry-closed", "C"), by_md5(&world, "acme", "", "")] {
            let (status, _, bytes) = carol.get_path(&path, &[]).await;
            assert_eq!(status, if reads { 200 } else { 404 }, "{path} at level {level}");
            assert_eq!(bytes == b"the weights", reads, "{path} at level {level}");
        }

        // Use and linking onwards need content.
        let used = json!({ "artifactID": version, "entityName": "carol", "projectName": "work", "runName": "run1" });
        came("use", level, &carol.graphql(USE, json!({ "input": used })).await, outcome(level, 2), true);
        came("link onwards", level, &carol.link(version, "acme", "hers", "C", &[]).await, outcome(level, 2), true);
        let onwards = json!({ "version": ours, "target": "acme/wandb-registry-hers/C" });
        came(
            "link onwards, ours",
            level,
            &carol.graphql(VERSION_LINK, json!({ "input": onwards })).await,
            outcome(level, 2),
            false,
        );
        world.server.sql(&format!("delete from collections where project_id = {}", registry("hers"))).await;

        // Links and aliases need member; rule 22: without any right on the source.
        let new = format!("at{level}");
        came("link", level, &carol.link(version, "acme", "closed", &new, &[]).await, outcome(level, 3), true);
        came("an alias", level, &carol.link(version, "acme", "closed", "C", &[&new]).await, outcome(level, 3), true);
        let again = json!({ "version": ours, "target": "acme/wandb-registry-closed/C", "aliases": [new] });
        came("an alias, ours", level, &carol.graphql(VERSION_LINK, json!({ "input": again })).await, outcome(level, 3), false);

        // The registry itself needs admin. By name the wire has its one generic error (rule 2); a seat creates nothing.
        let update = json!({ "id": closed, "description": new });
        came("update", level, &carol.graphql(UPDATE, json!({ "input": update })).await, outcome(level, 4), false);
        let upsert = json!({ "entityName": "acme", "name": "wandb-registry-closed", "description": new });
        let expected = [("FORBIDDEN"), ("CONFLICT"), ("CONFLICT"), ("CONFLICT"), ("")][usize::try_from(level).unwrap()];
        came("upsert", level, &carol.graphql(UPSERT, json!({ "input": upsert })).await, expected, true);

        // What a role in a registry never gives: anything in the source.
        for (what, answer) in [
            ("commit", carol.commit(version).await),
            ("announce files", carol.announce_files(version, &world.spec.files).await),
            ("announce a manifest", carol.announce_manifest(&world.spec, version, None).await),
        ] {
            came(what, level, &answer, "NOT_FOUND", true);
        }
    }
}

/// Rule 41: content rights follow the path that was taken; by id, which is no path, the best of all paths counts.
#[tokio::test]
async fn rule_41_the_path_decides() {
    let world = world().await;
    let rights = in_acme("viewer") + &direct("closed", "restricted_viewer");
    world.carol_has(&rights).await;
    let place = |project: &str| json!({ "entity": "acme", "project": project, "name": "C:best" });
    let by_open = world.carol.graphql(PLACE_FILES, place("wandb-registry-open")).await.ok();
    let url = &by_open["project"]["artifactCollectionMembership"]["files"]["edges"][0]["node"]["directUrl"];
    assert_eq!(world.carol.get(url.as_str().unwrap(), &[]).await.0, 200);
    let by_closed = world.carol.graphql(PLACE_FILES, place("wandb-registry-closed")).await;
    assert_eq!((by_closed.status, by_closed.code()), (403, "FORBIDDEN"));
    let by_closed = world.carol.graphql(REGISTRY_FILES, json!({ "organization": "acme", "name": "closed" })).await;
    assert_eq!((by_closed.status, by_closed.code()), (200, "FORBIDDEN"));
    for (registry, status) in [("open", 200), ("closed", 404)] {
        let path = by_md5(&world, "acme", &format!("wandb-registry-{registry}"), "C");
        assert_eq!(world.carol.get_path(&path, &[]).await.0, status, "{registry}");
    }
    let by_id = world.carol.graphql(ARTIFACT, json!({ "id": world.version })).await.ok();
    assert!(by_id["artifact"]["currentManifest"].is_object());
    assert_eq!(world.carol.get_path(&by_md5(&world, "acme", "", ""), &[]).await.0, 200);
    let number = decode_id(&["Artifact"], &world.version).unwrap();
    let by_id = world.carol.graphql(VERSION_FILES, json!({ "id": encode_id("Version", number) })).await.ok();
    assert_eq!(by_id["version"]["files"]["edges"][0]["node"]["path"], "model.txt");
    // The manifest is content too.
    let by_closed = world.carol.graphql(PLACE, place("wandb-registry-closed")).await.ok();
    let artifact = &by_closed["project"]["artifactCollectionMembership"]["artifact"];
    assert_eq!(artifact["digest"], world.spec.digest());
    assert!(artifact["currentManifest"].is_null(), "the manifest by a path that doesn't give content: {by_closed}");
}

/// Rule 22: a link shows the version with its source's project null, and through it nothing else of that project: no other
/// version, alias, card or collection.
#[tokio::test]
async fn rule_22_a_link_leads_no_further_into_its_source() {
    let world = world().await;
    world
        .server
        .sql(
            "update collections set description = 'a card of the team' where kind = 'source'; \
             insert into collection_tags (collection_id, tag) select id, 'a tag of the team' from collections where kind = 'source'",
        )
        .await;
    let mut hidden = world.spec.clone();
    hidden.files[0].1 = b"unpublished weights".to_vec();
    hidden.aliases.push("secret-alias".to_owned());
    world.alice.log(&hidden).await;
    let through = "query($name: String!) { project(entityName: \"acme\", name: \"wandb-registry-open\") { \
        artifactCollectionMembership(name: $name) { artifact { aliases { alias artifactCollection { name project { name } } } \
        artifactSequence { __typename id name defaultArtifactType { name } description createdAt updatedAt project { name } \
        latestArtifact { digest } tags { edges { node { name } } } \
        aliases { edges { cursor node { alias } } } artifacts { totalCount edges { version } } \
        here: artifactMembership(aliasName: \"v0\") { versionIndex aliases { alias } } \
        other: artifactMembership(aliasName: \"v1\") { id versionIndex createdAt aliases { alias } } \
        named: artifactMembership(aliasName: \"secret-alias\") { id } } } } } }";
    let seen = world.bob.graphql(through, json!({ "name": "C:best" })).await.ok();
    let artifact = &seen["project"]["artifactCollectionMembership"]["artifact"];
    let sequence = &artifact["artifactSequence"];
    let source = world.alice.graphql(through, json!({ "name": "C:best" })).await.ok();
    let source = &source["project"]["artifactCollectionMembership"]["artifact"]["artifactSequence"];
    assert_eq!(
        sequence,
        &json!({
            "__typename": "ArtifactSequence", "id": source["id"], "name": "net", "defaultArtifactType": { "name": "model" },
            "description": null, "createdAt": null, "updatedAt": null, "project": null, "latestArtifact": null,
            "tags": { "edges": [] }, "aliases": { "edges": [] }, "artifacts": null, "here": null, "other": null, "named": null,
        }),
        "a hidden source"
    );
    for field in sequence.as_object().unwrap().keys() {
        assert_ne!(source[field], Value::Null, "{field} of a source that alice sees: {source}");
    }
    assert!(!seen.to_string().contains("secret-alias"), "{seen}");
    for alias in artifact["aliases"].as_array().unwrap() {
        assert_eq!(alias["artifactCollection"]["project"]["name"], "wandb-registry-open", "{seen}");
    }
    // What happens in the source changes nothing of it.
    let before = seen.clone();
    hidden.files[0].1 = b"more unpublished weights".to_vec();
    world.alice.log(&hidden).await;
    world
        .server
        .sql("update collections set description = 'another card', updated_at = '2031-01-01', created_at = '2030-01-01' where kind = 'source'")
        .await;
    assert_eq!(world.bob.graphql(through, json!({ "name": "C:best" })).await.ok(), before);
    // Who may see the source sees all of it.
    let seen = world.alice.graphql(through, json!({ "name": "C:best" })).await.ok();
    let sequence = &seen["project"]["artifactCollectionMembership"]["artifact"]["artifactSequence"];
    assert_eq!((&sequence["project"]["name"], &sequence["other"]["versionIndex"]), (&json!("demo"), &json!(1)));
    assert_eq!(sequence["description"], "another card");
    // Aliases of the link are a matter of the role there.
    world.server.sql(&direct("open", "member").replace("carol", "bob")).await;
    let set = world.bob.link(&world.version, "acme", "open", "C", &["production"]).await.ok();
    let linked = &set["linkArtifact"]["artifactMembership"];
    assert_eq!(linked["artifact"]["artifactSequence"]["project"], Value::Null);
    let aliases: Vec<&str> = linked["aliases"].as_array().unwrap().iter().map(|alias| alias["alias"].as_str().unwrap()).collect();
    assert_eq!(aliases, ["best", "latest", "production"]);
}

/// Rules 14, 17 and 18: a direct role in a registry of an organization that one isn't in gives what the role gives, and
/// nothing of the organization.
#[tokio::test]
async fn rules_14_and_18_a_direct_member_from_outside() {
    let world = world().await;
    world.carol_has(&(direct("closed", "admin") + &direct("open", "member"))).await;
    let carol = &world.carol;
    let seen = "{ registry(organization: \"acme\", name: \"closed\") { yourRole organization { entityName members { edges { node { \
        role } } } teams { edges { node { name } } } registries { edges { node { name } } } } } \
        organization(name: \"acme\") { name } organizations { edges { node { name } } } team(name: \"alpha\") { name } \
        teams { edges { node { name } } } user(name: \"alice\") { name } users { edges { node { name } } } }";
    let seen = carol.graphql(seen, json!({})).await.ok();
    assert_eq!(seen["registry"]["yourRole"], "ADMIN");
    let none = json!({ "edges": [] });
    let organization = &seen["registry"]["organization"];
    assert_eq!((&organization["members"], &organization["teams"]), (&none, &none), "{seen}");
    let registries: Vec<_> =
        organization["registries"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]["name"]).collect();
    assert_eq!(registries, ["closed", "open"]);
    assert_eq!((&seen["organization"], &seen["team"], &seen["user"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&seen["organizations"], &seen["teams"]), (&none, &none));
    assert_eq!(seen["users"], json!({ "edges": [{ "node": { "name": "carol" } }] }));
    // The role is the role: an admin updates by name too (rule 2), a member links and sets aliases (rule 17).
    let upsert = json!({ "entityName": "acme", "name": "wandb-registry-closed", "description": "by carol" });
    let updated = carol.graphql(UPSERT, json!({ "input": upsert })).await.ok();
    assert_eq!(
        (&updated["upsertModel"]["inserted"], &updated["upsertModel"]["project"]["description"]),
        (&json!(false), &json!("by carol"))
    );
    carol.link(&world.version, "acme", "closed", "by carol", &[]).await.expect_ok();
    carol.link(&world.version, "acme", "open", "C", &["by-carol"]).await.expect_ok();
    // And it creates nothing there.
    let new = json!({ "entityName": "acme", "name": "wandb-registry-new" });
    let refused = carol.graphql(UPSERT, json!({ "input": new })).await;
    assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"), "{}", refused.message());
}

/// The URLs that a client got for a version and for one that it is about to log.
struct GivenOut {
    file: String,
    manifest: String,
    upload: String,
    bytes: Vec<u8>,
}

async fn given_out(client: &Client, entity: &str, project: &str, name: &str, team: &str) -> GivenOut {
    let place = json!({ "entity": entity, "project": project, "name": name });
    let files = client.graphql(PLACE_FILES, place.clone()).await.ok();
    let file = &files["project"]["artifactCollectionMembership"]["files"]["edges"][0]["node"]["directUrl"];
    let seen = client.graphql(PLACE, place).await.ok();
    let manifest = &seen["project"]["artifactCollectionMembership"]["artifact"]["currentManifest"]["file"]["directUrl"];
    let bytes = b"on the way".to_vec();
    let spec = VersionSpec::model(team, "coming", &bytes);
    let created = client.create_version(&spec, &uuid::Uuid::new_v4().to_string()).await.ok();
    let id = created["createArtifact"]["artifact"]["id"].as_str().unwrap();
    let announced = client.announce_files(id, &spec.files).await.ok();
    let upload = &announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"];
    let text = |url: &Value| url.as_str().unwrap_or_else(|| panic!("no URL: {files} {seen} {announced}")).to_owned();
    GivenOut { file: text(file), manifest: text(manifest), upload: text(upload), bytes }
}

impl GivenOut {
    /// What the URLs answer: file, manifest, upload.
    async fn try_all(&self, client: &Client) -> [u16; 3] {
        [
            client.get(&self.file, &[]).await.0,
            client.get(&self.manifest, &[]).await.0,
            client.put(&self.upload, self.bytes.clone()).await,
        ]
    }
}

/// Rule 18: who leaves a team or an organization is out at the next request, on each door, and with the URLs that were
/// given out before.
#[tokio::test]
async fn rule_18_leaving_ends_it_at_once() {
    let world = world().await;
    let (server, alice, bob) = (&world.server, &world.alice, &world.bob);
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let urls = given_out(bob, "alpha", "demo", "net:v0", "alpha").await;
    assert_eq!(urls.try_all(bob).await, [200, 200, 200]);
    let in_team = by_md5(&world, "alpha", "demo", "net");
    assert_eq!(bob.get_path(&in_team, &[]).await.0, 200);

    // The same on another server of the installation, whose URLs are this one's.
    let other = server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let there = GivenOut {
        file: urls.file.replace(&server.url, &other.url),
        manifest: urls.manifest.replace(&server.url, &other.url),
        upload: urls.upload.replace(&server.url, &other.url),
        bytes: urls.bytes.clone(),
    };
    assert_eq!(there.try_all(bob).await, [200, 200, 200]);

    alice.graphql(LEAVE_TEAM, json!({ "input": { "team": "alpha", "user": "bob" } })).await.expect_ok();
    assert_eq!(there.try_all(bob).await, [404, 200, 403]);
    assert_eq!(bob.at(&other.url).get_path(&in_team, &[]).await.0, 404);
    // The version is still his by way of the open registry, and a manifest has no path: only that URL stays good.
    assert_eq!(urls.try_all(bob).await, [404, 200, 403]);
    assert_eq!(bob.get_path(&in_team, &[]).await.0, 404);
    let seen = bob.graphql(PLACE, json!({ "entity": "alpha", "project": "demo", "name": "net:v0" })).await.ok();
    assert_eq!(seen, json!({ "project": null }));
    let created = bob.create_version(&VersionSpec::model("alpha", "net", b"again"), "x").await;
    assert_eq!((created.status, created.code()), (403, "FORBIDDEN"));

    // Leaving the organization ends its team and registry roles; a role elsewhere stays.
    server.organization("elsewhere", "carol").await;
    world.carol.make_registry("elsewhere", "other", "RESTRICTED").await;
    server.sql(&direct("other", "viewer").replace("carol", "bob")).await;
    server.sql(&direct("closed", "admin").replace("carol", "bob")).await;
    server.join_team("alpha", "bob", TeamRole::Admin).await;
    let urls = given_out(bob, "acme", "wandb-registry-closed", "C:best", "alpha").await;
    assert_eq!(urls.try_all(bob).await, [200, 200, 200]);
    alice.graphql(LEAVE, json!({ "input": { "organization": "acme", "user": "bob" } })).await.expect_ok();
    assert_eq!(urls.try_all(bob).await, [404, 404, 403]);
    for name in ["closed", "open"] {
        let seen = bob.graphql(REGISTRY, json!({ "organization": "acme", "name": name })).await.ok();
        assert_eq!(seen, json!({ "registry": null }));
    }
    let seen = bob.graphql(ARTIFACT, json!({ "id": world.version })).await.ok();
    assert_eq!(seen, json!({ "artifact": null }));
    let bob_id = entity("bob");
    for table in ["team_members", "organization_members", "registry_user_members"] {
        let left = format!("select count(*) from {table} where user_id = {bob_id}");
        assert_eq!(server.number(&left).await, i64::from(table == "registry_user_members"), "{table}");
    }
    let seen = bob.graphql(REGISTRY, json!({ "organization": "elsewhere", "name": "other" })).await.ok();
    assert_eq!(seen["registry"]["yourRole"], "VIEWER");
}

/// Rule 18: the URLs of an account that is gone are gone; rule 8: a registry that is closed is closed at once.
#[tokio::test]
async fn rules_8_and_18_urls_follow_their_actor() {
    let world = world().await;
    world.carol_has(&in_acme("viewer")).await;
    let place = json!({ "entity": "acme", "project": "wandb-registry-open", "name": "C:best" });
    let file = |files: &Value| {
        files["project"]["artifactCollectionMembership"]["files"]["edges"][0]["node"]["directUrl"].as_str().unwrap().to_owned()
    };
    let carols = file(&world.carol.graphql(PLACE_FILES, place.clone()).await.ok());
    let bobs = file(&world.bob.graphql(PLACE_FILES, place.clone()).await.ok());
    assert_ne!(carols, bobs, "a URL names its actor");
    assert_eq!(world.carol.get(&carols, &[]).await.0, 200);
    let admin = world.server.admin().await;
    let delete = "mutation { userDelete(input: { name: \"carol\" }) { name } }";
    admin.graphql(delete, json!({})).await.expect_ok();
    assert_eq!(world.carol.get(&carols, &[]).await.0, 403);
    assert_eq!(world.bob.get(&bobs, &[]).await.0, 200);
    let closed = "mutation($id: ID!) { registryUpdate(input: { id: $id, visibility: RESTRICTED }) { registry { visibility } } }";
    let open = encode_id("Registry", world.server.number(&format!("select {}", registry("open"))).await);
    world.alice.graphql(closed, json!({ "id": open })).await.expect_ok();
    assert_eq!(world.bob.get(&bobs, &[]).await.0, 404);
    assert_eq!(world.bob.graphql(PLACE_FILES, place).await.ok(), json!({ "project": null }));
}

/// A revoked key opens nothing at the next request, on any door; the user's other keys stay good.
#[tokio::test]
async fn a_revoked_key_is_revoked_at_once() {
    let world = world().await;
    let bob = &world.bob;
    let other = world.server.client("bob").await;
    let path = by_md5(&world, "acme", "wandb-registry-open", "C");
    assert_eq!(bob.get_path(&path, &[]).await.0, 200);
    let key = world.server.number(&format!("select min(id) from api_keys where user_id = {}", entity("bob"))).await;
    let revoke = "mutation($id: ID!) { apiKeyRevoke(input: { id: $id }) { id } }";
    bob.graphql(revoke, json!({ "id": encode_id("ApiKey", key) })).await.expect_ok();
    let refused = bob.graphql("{ viewer { name } }", json!({})).await;
    assert_eq!((refused.status, refused.code()), (401, "UNAUTHENTICATED"));
    assert_eq!(bob.get_path(&path, &[]).await.0, 401);
    let stream = |client: &Client| {
        let (client, key) = (client.clone(), client.key().to_owned());
        async move { client.request("POST", "/files/bob/p/r/file_stream", |r| r.basic_auth("api", Some(key)).body("{}")).await }
    };
    assert_eq!(stream(bob).await.status, 401);
    assert_eq!(stream(&other).await.status, 404);
    assert_eq!(other.get_path(&path, &[]).await.0, 200);
}

/// Rule 19: an organization by either of its names; the entity name wins; a display name of several is an error that lists
/// their entity names to those who are in them, and to nobody else.
#[tokio::test]
async fn rule_19_organizations_by_either_name() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let first = server.organization("Review Co", "alice").await;
    assert!(first.starts_with("Review-Co_") && first.len() == "Review-Co_".len() + 9, "{first}");
    server.team(&first, "reviewers", "alice").await;
    alice.make_registry("Review Co", "r", "ORGANIZATION").await;
    let version = alice.log(&VersionSpec::model("reviewers", "net", b"1")).await.id;
    alice.link(&version, "Review Co", "r", "C", &["best"]).await.expect_ok();
    let linked = json!({ "input": { "version": version, "target": "Review Co/wandb-registry-r/C", "aliases": ["good"] } });
    alice.graphql(VERSION_LINK, linked).await.expect_ok();
    for name in ["Review Co", first.as_str()] {
        let seen = alice.graphql(REGISTRY, json!({ "organization": name, "name": "r" })).await.ok();
        assert_eq!(seen["registry"]["collection"]["link"]["index"], 0, "{name}");
        let seen = alice.graphql(PLACE, json!({ "entity": name, "project": "wandb-registry-r", "name": "C:good" })).await.ok();
        assert_eq!(seen["project"]["artifactCollectionMembership"]["versionIndex"], 0, "{name}");
        let seen = alice.graphql("query($n: String!) { organization(name: $n) { entityName } }", json!({ "n": name })).await.ok();
        assert_eq!(seen["organization"]["entityName"], json!(first));
    }

    // A second one of that name: ambiguous to alice, who is in both, and to nobody else.
    let second = server.organization("Review Co", "alice").await;
    assert_ne!(first, second);
    server.join(&second, "bob", OrganizationRole::Member).await;
    for answer in [
        alice.graphql(REGISTRY, json!({ "organization": "Review Co", "name": "r" })).await,
        alice.graphql(PLACE, json!({ "entity": "Review Co", "project": "wandb-registry-r", "name": "C" })).await,
        alice.graphql("{ organization(name: \"Review Co\") { name } }", json!({})).await,
        alice.link(&version, "Review Co", "r", "C", &[]).await,
        alice.graphql(UPSERT, json!({ "input": { "entityName": "Review Co", "name": "wandb-registry-r" } })).await,
    ] {
        assert_eq!(answer.code(), "INVALID", "{}", answer.message());
        assert!(answer.message().contains(&first) && answer.message().contains(&second), "{}", answer.message());
    }
    let seen = bob.graphql("{ organization(name: \"Review Co\") { entityName } }", json!({})).await.ok();
    assert_eq!(seen["organization"]["entityName"], json!(second));
    let seen = carol.graphql("{ organization(name: \"Review Co\") { entityName } }", json!({})).await.ok();
    assert_eq!(seen, json!({ "organization": null }));
    // By its entity name each is itself.
    alice.link(&version, &first, "r", "C", &["best"]).await.expect_ok();

    // The entity name wins over a display name of the same text, for those who see that entity.
    let twin = server.organization("acme", "bob").await;
    assert!(twin.starts_with("acme_"), "{twin}");
    bob.make_registry(&twin, "only-in-the-twin", "ORGANIZATION").await;
    let seen = bob.graphql(REGISTRY, json!({ "organization": "acme", "name": "only-in-the-twin" })).await.ok();
    assert_eq!(seen, json!({ "registry": null }), "bob is in both: \"acme\" is the one of that entity name");
    server.join(&twin, "carol", OrganizationRole::Member).await;
    let seen = carol.graphql(REGISTRY, json!({ "organization": "acme", "name": "only-in-the-twin" })).await.ok();
    assert_eq!(seen["registry"]["yourRole"], "VIEWER", "carol sees only the one of that display name");
}

/// Rule 21: the organization is that of the source version's entity. The error says where the version is, where the
/// registry is and what to do, as far as the caller sees both.
#[tokio::test]
async fn rule_21_linking_stays_in_the_organization() {
    let world = world().await;
    let (server, alice) = (&world.server, &world.alice);
    server.organization("elsewhere", "alice").await;
    server.team("elsewhere", "beta", "alice").await;
    alice.make_registry("elsewhere", "r", "ORGANIZATION").await;
    let personal = alice.log(&VersionSpec::model("alice", "own", b"1")).await.id;
    let foreign = alice.log(&VersionSpec::model("beta", "net", b"2")).await.id;
    for (what, version, organization, named) in [
        ("personal", &personal, "acme", vec!["alice", "acme"]),
        ("of another organization", &foreign, "acme", vec!["beta", "acme"]),
        ("the other way round", &world.version, "elsewhere", vec!["alpha", "elsewhere"]),
    ] {
        let registry = if organization == "acme" { "open" } else { "r" };
        let refused = alice.link(version, organization, registry, "C", &[]).await;
        assert_eq!((refused.status, refused.code()), (400, "INVALID"), "{what}");
        assert!(refused.message().contains(LINKING), "{what}: {}", refused.message());
        for name in named {
            assert!(refused.message().contains(name), "{what} names {name}: {}", refused.message());
        }
        let target = format!("{organization}/wandb-registry-{registry}/C");
        let ours = alice.graphql(VERSION_LINK, json!({ "input": { "version": version, "target": target } })).await;
        assert_eq!((ours.status, ours.code(), ours.message()), (200, "INVALID", refused.message()), "{what}");
    }
    // Without an organization it is the version's own, whatever the caller's default is.
    let target = "wandb-registry-r/C";
    alice.graphql(VERSION_LINK, json!({ "input": { "version": foreign, "target": target } })).await.expect_ok();
    let refused = alice.graphql(VERSION_LINK, json!({ "input": { "version": personal, "target": target } })).await;
    assert_eq!(refused.code(), "INVALID");
    assert!(refused.message().contains(LINKING), "{}", refused.message());
    // Who doesn't see the source isn't told where it is.
    server.join("elsewhere", "bob", OrganizationRole::Member).await;
    let refused = world.bob.link(&world.version, "elsewhere", "r", "C", &[]).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALID"));
    assert!(refused.message().contains(LINKING) && !refused.message().contains("alpha"), "{}", refused.message());
    // Nor into a project of another team, hers or not.
    let refused = alice.graphql(VERSION_LINK, json!({ "input": { "version": world.version, "target": "beta/demo/C" } })).await;
    assert!(refused.code() == "INVALID" && refused.message().contains(LINKING), "{}", refused.message());
}

/// What differs between something hidden and something absent, so that one run shows all of it.
#[derive(Default)]
struct Differences {
    found: Vec<String>,
    /// What was sent, to know that no field was forgotten.
    documents: String,
}

impl Differences {
    /// Sends a document about something hidden and about something absent: the answers must differ in nothing but the
    /// names that were sent, and take the same statements.
    async fn look(&mut self, client: &Client, what: &str, query: &str, hidden: Value, absent: Value) {
        self.documents.push_str(query);
        let answers = [client.graphql(query, hidden.clone()).await, client.graphql(query, absent.clone()).await];
        for answer in &answers {
            assert!(answer.errors.is_empty() || !answer.code().is_empty(), "{what} doesn't fit the schema: {}", answer.message());
        }
        let bodies = [&answers[0], &answers[1]].map(|answer| {
            let body = json!({ "data": answer.data, "errors": answer.errors });
            format!("{} {}", answer.status, without(&body.to_string(), &hidden, &absent))
        });
        self.note(what, bodies, answers.map(|answer| answer.statements));
    }

    /// The same for requests that aren't GraphQL.
    fn look_at(&mut self, what: &str, replies: [Reply; 2], words: &[&str]) {
        let bodies = [&replies[0], &replies[1]]
            .map(|reply| words.iter().fold(format!("{} {}", reply.status, reply.text()), |text, word| text.replace(word, "…")));
        self.note(what, bodies, replies.map(|reply| reply.statements));
    }

    fn note(&mut self, what: &str, [hidden, absent]: [String; 2], statements: [Vec<String>; 2]) {
        if hidden != absent {
            self.found.push(format!("{what} answers\n  hidden: {hidden}\n  absent: {absent}"));
        } else if statements[0] != statements[1] {
            self.found.push(format!("{what} ({hidden}) takes\n  hidden: {:?}\n  absent: {:?}", statements[0], statements[1]));
        }
    }
}

/// An input with one more field.
fn with(input: &Value, key: &str, value: &str) -> Value {
    let mut all = input.clone();
    all[key] = value.into();
    all
}

/// A text without what was sent.
fn without(text: &str, hidden: &Value, absent: &Value) -> String {
    let mut words = Vec::new();
    for value in [hidden, absent] {
        strings(value, &mut words);
    }
    // Longest first, so that a part doesn't spoil the whole.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut text = text.to_owned();
    for word in words.iter().filter(|word| word.len() > 2) {
        text = text.replace(&format!("\\\"{word}\\\""), "…").replace(&format!(" {word}"), " …");
        if let Some((_, registry)) = word.split_once("wandb-registry-") {
            let registry = registry.split('/').next().unwrap_or_default();
            text = text.replace(&format!("\\\"{registry}\\\""), "…");
        }
    }
    text
}

fn strings(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, words)),
        Value::Object(fields) => fields.values().for_each(|item| strings(item, words)),
        _ => {}
    }
}

const ABSENT: i64 = 999_999;

/// Design invariant and rule 45: what a caller may not see is answered as what isn't there, with the same statements: on
/// every field that takes a name or an id.
#[tokio::test]
async fn the_invisible_is_as_the_absent() {
    let world = world().await;
    let mut differences = Differences::default();
    let (server, alice) = (&world.server, &world.alice);
    let pending = VersionSpec::model("alpha", "coming", b"not yet");
    let pending_id = alice.begin(&pending).await.id;
    let mut closed = VersionSpec::model("alpha", "hidden-net", b"closed weights");
    closed.aliases = vec!["latest".to_owned()];
    let hidden = alice.log(&closed).await.id;
    alice.link(&hidden, "acme", "closed", "C2", &[]).await.expect_ok();
    let run = json!({ "entityName": "alpha", "modelName": "demo", "name": "run1" });
    alice.graphql(RUN, json!({ "input": run })).await.expect_ok();
    let alices_key = server.number(&format!("select min(id) from api_keys where user_id = {}", entity("alice"))).await;
    let begin = "insert into sessions (user_id, hash, started_at, last_used_at, expires_at)";
    server.sql(&format!("{begin} values ({}, sha256('s'), now(), now(), now() + interval '1 day')", entity("alice"))).await;
    let alices_session = server.number("select id from sessions").await;
    let closed_id = server.number(&format!("select {}", registry("closed"))).await;
    let project_id =
        server.number(&format!("select id from projects where kind = 'project' and entity_id = {}", entity("alpha"))).await;
    let number = |id: &str| decode_id(&["Artifact"], id).unwrap();
    let absent_artifact = encode_id("Artifact", ABSENT);
    for client in [&world.bob, &world.carol] {
        let own = if client.key() == world.bob.key() { "bob" } else { "carol" };
        let run = json!({ "entityName": own, "modelName": "work", "name": "run1" });
        client.graphql(RUN, json!({ "input": run })).await.expect_ok();
    }
    let bobs = world.bob.log(&VersionSpec::model("bob", "mine", b"bob's")).await.id;

    // Reads by id: committed, linked where one can't look, pending; for carol also the published one.
    for (client, own, ids) in
        [(&world.bob, "bob", vec![&hidden, &pending_id]), (&world.carol, "carol", vec![&hidden, &pending_id, &world.version])]
    {
        for id in ids {
            let what = |field: &str| format!("{field} for {own}, {id}");
            let (ours, absent) = (encode_id("Version", number(id)), encode_id("Version", ABSENT));
            differences.look(client, &what("artifact"), ARTIFACT, json!({ "id": id }), json!({ "id": absent_artifact })).await;
            differences.look(client, &what("version"), VERSION, json!({ "id": ours }), json!({ "id": absent })).await;
            differences
                .look(client, &what("version by the other id"), VERSION, json!({ "id": id }), json!({ "id": absent_artifact }))
                .await;
            let lineage = "query($id: ID!) { lineage(version: $id) { truncated } }";
            differences.look(client, &what("lineage"), lineage, json!({ "id": ours }), json!({ "id": absent })).await;
            differences.look(client, &what("files"), VERSION_FILES, json!({ "id": ours }), json!({ "id": absent })).await;
            let by_id = crate::documents::ARTIFACT_FILE_URLS;
            differences
                .look(client, &what("files of the artifact"), by_id, json!({ "id": id }), json!({ "id": absent_artifact }))
                .await;
            let entries = |id: &str| {
                let entry = json!({ "name": "model.txt", "digest": "1B2M2Y8AsgTpgAmY7PhCfg==" });
                json!({ "id": id, "entries": [entry], "storageLayout": "V2", "manifestVersion": "1" })
            };
            let by_entries = crate::documents::FILES_BY_ENTRIES;
            differences.look(client, &what("files by entries"), by_entries, entries(id), entries(&absent_artifact)).await;
            // Writes by id.
            let commit = "mutation($id: ID!) { commitArtifact(input: { artifactID: $id }) { artifact { id } } }";
            differences
                .look(client, &what("commitArtifact"), commit, json!({ "id": id }), json!({ "id": absent_artifact }))
                .await;
            let commit = "mutation($id: ID!) { versionCommit(input: { version: $id }) { version { id } } }";
            differences.look(client, &what("versionCommit"), commit, json!({ "id": ours }), json!({ "id": absent })).await;
            let manifest = "mutation($id: ID!) { createArtifactManifest(input: { artifactID: $id, name: \"wandb_manifest.json\", \
                digest: \"\", entityName: \"alpha\", projectName: \"demo\", runName: \"\", type: FULL }) { artifactManifest { id } } }";
            differences
                .look(client, &what("createArtifactManifest"), manifest, json!({ "id": id }), json!({ "id": absent_artifact }))
                .await;
            let base = "mutation($own: ID!, $id: ID!) { createArtifactManifest(input: { artifactID: $own, baseArtifactID: $id, \
                name: \"wandb_manifest.json\", digest: \"\", entityName: \"\", projectName: \"\", runName: \"\", type: INCREMENTAL }) { \
                artifactManifest { id } } }";
            let begun = client.begin(&VersionSpec::model(own, "based", b"based")).await.id;
            let input = |id: &str| json!({ "own": begun, "id": id });
            differences.look(client, &what("a base"), base, input(id), input(&absent_artifact)).await;
            let drafts = format!("select coalesce(max(id), 0) from manifest_drafts where version_id = {}", number(id));
            let draft = |number: i64| json!({ "id": encode_id("ArtifactManifest", number) });
            let update = "mutation($id: ID!) { updateArtifactManifest(input: { artifactManifestID: $id, digest: \
                \"1B2M2Y8AsgTpgAmY7PhCfg==\" }) { artifactManifest { id } } }";
            let theirs = draft(server.number(&drafts).await);
            differences.look(client, &what("updateArtifactManifest"), update, theirs, draft(ABSENT)).await;
            let files = "mutation($id: ID!) { createArtifactFiles(input: { artifactFiles: [{ artifactID: $id, name: \"a\", \
                md5: \"1B2M2Y8AsgTpgAmY7PhCfg==\" }], storageLayout: V2 }) { files { edges { node { name } } } } }";
            differences
                .look(client, &what("createArtifactFiles"), files, json!({ "id": id }), json!({ "id": absent_artifact }))
                .await;
            let parts = |id: &str| {
                json!({
                    "artifactID": id, "completeMultipartAction": "Complete", "completedParts": [], "storagePath": "none",
                    "uploadID": "none",
                })
            };
            let complete = crate::documents::COMPLETE_MULTIPART;
            let name = what("completeMultipartUploadArtifact");
            differences.look(client, &name, complete, parts(id), parts(&absent_artifact)).await;
            let input =
                |id: &str| json!({ "input": { "artifactID": id, "entityName": own, "projectName": "work", "runName": "run1" } });
            differences.look(client, &what("useArtifact"), USE, input(id), input(&absent_artifact)).await;
            let input = |id: &str| json!({ "input": { "version": id, "target": "acme/wandb-registry-open/C" } });
            differences.look(client, &what("versionLink"), VERSION_LINK, input(&ours), input(&absent)).await;
            let link = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
            let input = |id: &str| json!({ "input": { "artifactID": id, "entityName": "acme", "projectName": "wandb-registry-open", "artifactPortfolioName": "C" } });
            differences.look(client, &what("linkArtifact"), link, input(id), input(&absent_artifact)).await;
            for (field, more) in
                [("versionUpdate", json!({ "description": "x" })), ("versionDelete", json!({ "deleteAliases": true }))]
            {
                let input = |id: &str| json!({ "input": with(&more, "version", id) });
                differences
                    .look(client, &what(field), &crate::documents::native_mutation(field), input(&ours), input(&absent))
                    .await;
            }
            for (field, more) in [
                ("updateArtifact", json!({ "description": "x" })),
                ("deleteArtifact", json!({ "deleteAliases": true })),
                ("unlinkArtifact", json!({ "artifactPortfolioID": encode_id("ArtifactCollection", ABSENT) })),
            ] {
                let input = |id: &str| json!({ "input": with(&more, "artifactID", id) });
                differences
                    .look(client, &what(field), &crate::documents::change(field), input(id), input(&absent_artifact))
                    .await;
            }
        }
        for (what, collection) in [("net", "a source"), ("C2", "a registry's")] {
            let hidden = server.rows(&format!("select id from collections where name = '{what}' order by id limit 1")).await;
            let Some(hidden) = hidden.first().and_then(|row| row["id"].as_i64()) else { panic!("there is no collection {what}") };
            let what = |field: &str| format!("{field} of {collection} collection for {own}");
            for (field, key, more) in
                [("collectionUpdate", "collection", json!({ "description": "x" })), ("collectionDelete", "collection", json!({}))]
            {
                let input = |number: i64| json!({ "input": with(&more, key, &encode_id("Collection", number)) });
                differences
                    .look(client, &what(field), &crate::documents::native_mutation(field), input(hidden), input(ABSENT))
                    .await;
            }
            for (field, key, more) in [
                ("updateArtifactPortfolio", "artifactPortfolioID", json!({ "description": "x" })),
                ("updateArtifactSequence", "artifactSequenceID", json!({ "description": "x" })),
                ("moveArtifactSequence", "artifactSequenceID", json!({ "destinationArtifactTypeName": "x" })),
                ("deleteArtifactPortfolio", "artifactPortfolioID", json!({})),
                ("deleteArtifactSequence", "artifactSequenceID", json!({})),
            ] {
                let input = |number: i64| json!({ "input": with(&more, key, &encode_id("ArtifactCollection", number)) });
                differences.look(client, &what(field), &crate::documents::change(field), input(hidden), input(ABSENT)).await;
            }
            let places = server.rows(&format!("select id from memberships where collection_id = {hidden} limit 1")).await;
            let place = places[0]["id"].as_i64().unwrap();
            for (field, more) in [("linkUpdate", json!({ "addAliases": ["x"] })), ("linkDelete", json!({}))] {
                let input = |number: i64| json!({ "input": with(&more, "link", &encode_id("Link", number)) });
                differences
                    .look(client, &what(field), &crate::documents::native_mutation(field), input(place), input(ABSENT))
                    .await;
            }
        }
        let version = server.number("select id from versions where state = 'committed' order by id limit 1").await;
        let version = encode_id("Artifact", version);
        for (field, more) in [
            ("addAliases", json!({ "alias": "x" })),
            ("deleteAliases", json!({ "alias": "x" })),
            ("createArtifactCollectionTagAssignments", json!({})),
            ("deleteArtifactCollectionTagAssignments", json!({})),
        ] {
            let input = |entity: &str, project: &str, collection: &str| {
                let place = json!({ "entityName": entity, "projectName": project, "artifactCollectionName": collection });
                let mut place = place.as_object().unwrap().clone();
                place.extend(more.as_object().unwrap().clone());
                let input = if field.ends_with("Aliases") {
                    json!({ "artifactID": version, "aliases": [place] })
                } else {
                    place.insert("tags".into(), json!([{ "tagName": "x" }]));
                    json!(place)
                };
                json!({ "input": input })
            };
            let what = |kind: &str| format!("{field} {kind} for {own}");
            let text = crate::documents::change(field);
            let (there, nowhere) = (input("alpha", "demo", "net"), input("alpha", "nope", "net"));
            differences.look(client, &what("in a project"), &text, there, nowhere).await;
            let (there, nowhere) = (input("acme", "wandb-registry-closed", "C"), input("acme", "wandb-registry-absent", "C"));
            differences.look(client, &what("in a registry"), &text, there, nowhere).await;
        }
        let typed = |project: &str| json!({ "input": { "entityName": "alpha", "projectName": project, "name": "checkpoint" } });
        let create = crate::documents::CREATE_TYPE;
        differences.look(client, &format!("createArtifactType for {own}"), create, typed("demo"), typed("nope")).await;
        for (what, id) in [("a hidden registry", closed_id), ("a hidden project", project_id)] {
            let input = |number: i64| json!({ "input": { "id": encode_id("Registry", number), "description": "x" } });
            differences.look(client, &format!("registryUpdate of {what} for {own}"), UPDATE, input(id), input(ABSENT)).await;
            let field = |field: &str| format!("{field} of {what} for {own}");
            for (name, more) in [
                ("registryMemberAdd", json!({ "users": [own] })),
                ("registryMemberSet", json!({ "user": own, "role": "ADMIN" })),
                ("registryMemberRemove", json!({ "users": ["alice"] })),
                ("registryDelete", json!({})),
            ] {
                let input = |number: i64| {
                    let mut input = more.clone();
                    let key = if name == "registryDelete" { "id" } else { "registry" };
                    input[key] = encode_id("Registry", number).into();
                    json!({ "input": input })
                };
                let text = crate::documents::native_mutation(name);
                differences.look(client, &field(name), &text, input(id), input(ABSENT)).await;
            }
            let me = encode_id("User", server.number(&format!("select {}", entity(own))).await);
            let team = encode_id("Entity", server.number(&format!("select {}", entity("alpha"))).await);
            for (text, more) in [
                (crate::documents::CREATE_MEMBERS, json!({ "userIds": [me] })),
                (crate::documents::DELETE_MEMBERS, json!({ "userIds": [me], "teamIds": [team] })),
                (crate::documents::UPDATE_USER_ROLE, json!({ "userId": me, "userProjectRole": "admin" })),
                (crate::documents::UPDATE_TEAM_ROLE, json!({ "teamId": team, "teamProjectRole": "admin" })),
            ] {
                let input = |number: i64| {
                    let mut input = more.clone();
                    input["projectId"] = encode_id("Project", number).into();
                    json!({ "input": input })
                };
                differences.look(client, &field(text), text, input(id), input(ABSENT)).await;
            }
            let input = |number: i64| json!({ "id": encode_id("Project", number) });
            let delete = crate::documents::DELETE_REGISTRY;
            differences.look(client, &field("deleteModel"), delete, input(id), input(ABSENT)).await;
        }
        let revoke = "mutation($id: ID!) { apiKeyRevoke(input: { id: $id }) { id } }";
        let input = |number: i64| json!({ "id": encode_id("ApiKey", number) });
        differences.look(client, &format!("apiKeyRevoke for {own}"), revoke, input(alices_key), input(ABSENT)).await;
        let end = "mutation($id: ID!) { sessionEnd(input: { id: $id }) { ids } }";
        let input = |number: i64| json!({ "id": encode_id("Session", number) });
        differences.look(client, &format!("sessionEnd for {own}"), end, input(alices_session), input(ABSENT)).await;
        let collection = "query($id: ID!) { artifactCollection(id: $id) { id name aliases { edges { node { alias } } } } }";
        let hidden = server.number("select id from collections where name = 'net' order by id limit 1").await;
        let input = |number: i64| json!({ "id": encode_id("ArtifactCollection", number) });
        differences.look(client, &format!("artifactCollection for {own}"), collection, input(hidden), input(ABSENT)).await;
        let mapping = "query($id: ID!) { clientIDMapping(clientID: $id) { serverID } }";
        let theirs = server.rows(&format!("select client_id from client_ids where user_id = {}", entity("alice"))).await;
        let theirs = theirs[0]["client_id"].as_str().unwrap();
        differences
            .look(client, &format!("clientIDMapping for {own}"), mapping, json!({ "id": theirs }), json!({ "id": "unknown" }))
            .await;
    }

    // An admin of a registry doesn't learn of users and teams elsewhere.
    server.organization("carols-own", "carol").await;
    server.team("carols-own", "omega", "carol").await;
    let of = async |kind: &str, name: &str| encode_id(kind, server.number(&format!("select {}", entity(name))).await);
    let (carol_id, omega_id) = (of("User", "carol").await, of("Entity", "omega").await);
    let (nobody_id, nothing_id) = (encode_id("User", ABSENT), encode_id("Entity", ABSENT));
    let (ours, theirs) = (encode_id("Registry", closed_id), encode_id("Project", closed_id));
    for (name, hidden, absent) in [
        ("registryMemberAdd", json!({ "users": ["carol"] }), json!({ "users": ["coral"] })),
        ("registryMemberAdd", json!({ "teams": ["omega"] }), json!({ "teams": ["omicron"] })),
        ("registryMemberRemove", json!({ "users": ["carol"] }), json!({ "users": ["coral"] })),
        ("registryMemberSet", json!({ "user": "carol", "role": "ADMIN" }), json!({ "user": "coral", "role": "ADMIN" })),
        ("registryMemberSet", json!({ "team": "omega", "role": "ADMIN" }), json!({ "team": "omicron", "role": "ADMIN" })),
    ] {
        let input = |mut input: Value| {
            input["registry"] = ours.clone().into();
            json!({ "input": input })
        };
        let text = crate::documents::native_mutation(name);
        differences.look(alice, &format!("{name} of {hidden}"), &text, input(hidden), input(absent)).await;
    }
    for (text, hidden, absent) in [
        (crate::documents::CREATE_MEMBERS, json!({ "userIds": [carol_id] }), json!({ "userIds": [nobody_id] })),
        (crate::documents::CREATE_MEMBERS, json!({ "teamIds": [omega_id] }), json!({ "teamIds": [nothing_id] })),
        (crate::documents::DELETE_MEMBERS, json!({ "userIds": [carol_id] }), json!({ "userIds": [nobody_id] })),
        (
            crate::documents::UPDATE_USER_ROLE,
            json!({ "userId": carol_id, "userProjectRole": "admin" }),
            json!({ "userId": nobody_id, "userProjectRole": "admin" }),
        ),
        (
            crate::documents::UPDATE_TEAM_ROLE,
            json!({ "teamId": omega_id, "teamProjectRole": "admin" }),
            json!({ "teamId": nothing_id, "teamProjectRole": "admin" }),
        ),
    ] {
        let input = |mut input: Value| {
            input["projectId"] = theirs.clone().into();
            json!({ "input": input })
        };
        differences.look(alice, &format!("{text} of {hidden}"), text, input(hidden), input(absent)).await;
    }
    let access =
        "query($u: String) { registry(organization: \"acme\", name: \"closed\") { effectiveAccess(user: $u) { role } } }";
    differences.look(alice, "effectiveAccess", access, json!({ "u": "carol" }), json!({ "u": "coral" })).await;

    // By names, for bob: in the organization, not in the team, not in the restricted registry.
    let bob = &world.bob;
    let named = |organization: &str, name: &str| json!({ "organization": organization, "name": name });
    differences.look(bob, "registry", REGISTRY, named("acme", "closed"), named("acme", "absent")).await;
    let nested = "query($name: String!) { organization(name: \"acme\") { registry(name: $name) { id } } }";
    differences.look(bob, "organization.registry", nested, json!({ "name": "closed" }), json!({ "name": "absent" })).await;
    let nested = "query($name: String!) { entity(name: \"acme\") { project(name: $name) { id } } }";
    differences
        .look(
            bob,
            "entity.project",
            nested,
            json!({ "name": "wandb-registry-closed" }),
            json!({ "name": "wandb-registry-absent" }),
        )
        .await;
    let nested = "query($name: String!) { entity(name: \"alpha\") { project(name: $name) { id } } }";
    differences.look(bob, "entity.project of a team", nested, json!({ "name": "demo" }), json!({ "name": "none" })).await;
    let place = |entity: &str, project: &str, name: &str| json!({ "entity": entity, "project": project, "name": name });
    differences
        .look(
            bob,
            "project",
            PLACE,
            place("acme", "wandb-registry-closed", "C:v0"),
            place("acme", "wandb-registry-absent", "C:v0"),
        )
        .await;
    differences.look(bob, "a team's project", PLACE, place("alpha", "demo", "net:v0"), place("alpha", "none", "net:v0")).await;
    differences.look(bob, "files", PLACE_FILES, place("alpha", "demo", "net:v0"), place("alpha", "none", "net:v0")).await;
    let link = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
    let input = |registry: &str| {
        let project = format!("wandb-registry-{registry}");
        json!({ "input": { "artifactID": world.version, "entityName": "acme", "projectName": project, "artifactPortfolioName": "C" } })
    };
    differences.look(bob, "linkArtifact into", link, input("closed"), input("absent")).await;
    for form in ["acme/wandb-registry-NAME/C", "wandb-registry-NAME/C"] {
        let input = |registry: &str| json!({ "input": { "version": world.version, "target": form.replace("NAME", registry) } });
        differences.look(bob, "versionLink into", VERSION_LINK, input("closed"), input("absent")).await;
    }
    let create = "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id } } }";
    let input = |entity: &str, project: &str| {
        json!({ "input": { "entityName": entity, "projectName": project, "artifactTypeName": "model", "artifactCollectionName": "net",
            "digest": world.spec.digest() } })
    };
    differences.look(bob, "createArtifact", create, input("alpha", "demo"), input("alpha", "none")).await;
    differences.look(&world.carol, "createArtifact", create, input("alpha", "demo"), input("aleph", "demo")).await;
    let input = |entity: &str, project: &str| json!({ "input": { "entity": entity, "project": project, "collection": "net", "typeName": "model", "files": [] } });
    let begin = "mutation($input: VersionBeginInput!) { versionBegin(input: $input) { version { id } } }";
    differences.look(bob, "versionBegin", begin, input("alpha", "demo"), input("alpha", "none")).await;
    differences.look(&world.carol, "versionBegin", begin, input("alpha", "demo"), input("aleph", "demo")).await;
    let input = |entity: &str, project: &str| json!({ "input": { "entityName": entity, "modelName": project, "name": "run1" } });
    differences.look(bob, "upsertBucket", RUN, input("alpha", "demo"), input("alpha", "none")).await;
    differences.look(&world.carol, "upsertBucket", RUN, input("alpha", "demo"), input("aleph", "demo")).await;
    let files = "mutation($input: CreateRunFilesInput!) { createRunFiles(input: $input) { runID } }";
    let input = |entity: &str, project: &str, run: &str| json!({ "input": { "entityName": entity, "projectName": project, "runName": run, "files": ["a"] } });
    differences.look(bob, "createRunFiles", files, input("alpha", "demo", "run1"), input("alpha", "none", "run1")).await;
    differences.look(bob, "createRunFiles", files, input("alpha", "demo", "run1"), input("aleph", "demo", "run1")).await;
    let sent = "mutation($input: MarkRunFilesUploadedInput!) { markRunFilesUploaded(input: $input) { success } }";
    differences.look(bob, "markRunFilesUploaded", sent, input("alpha", "demo", "run1"), input("alpha", "none", "run1")).await;
    for (what, text) in [
        ("run", "query($p: String!) { run(entity: \"alpha\", project: $p, name: \"run1\") { id } }"),
        ("runs", "query($p: String!) { runs(entity: \"alpha\", project: $p) { nodes { id } } }"),
        ("model", "query($p: String!) { model(entityName: \"alpha\", name: $p) { id } }"),
    ] {
        differences.look(bob, what, text, json!({ "p": "demo" }), json!({ "p": "none" })).await;
    }
    let hidden_run = encode_id("Run", server.number("select min(id) from runs where name = 'run1'").await);
    let stop = "mutation($id: ID!) { stopRun(input: { id: $id }) { success } }";
    differences.look(bob, "stopRun", stop, json!({ "id": hidden_run }), json!({ "id": encode_id("Run", ABSENT) })).await;
    // A link into a project that one doesn't see.
    let link = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
    let input = |project: &str| json!({ "input": { "artifactID": bobs, "entityName": "alpha", "projectName": project, "artifactPortfolioName": "Best" } });
    differences.look(bob, "linkArtifact into a project", link, input("demo"), input("none")).await;
    let input = |entity: &str, project: &str| json!({ "input": { "artifactID": bobs, "entityName": entity, "projectName": project, "runName": "run1" } });
    differences.look(bob, "useArtifact in", USE, input("alpha", "demo"), input("alpha", "none")).await;

    let input = |old: &str| {
        let old = format!("wandb-registry-{old}");
        json!({ "input": { "entityName": "acme", "oldProjectName": old, "newProjectName": "wandb-registry-renamed" } })
    };
    let rename = crate::documents::rename_registry();
    differences.look(bob, "renameProject", &rename, input("closed"), input("absent")).await;

    // By names, for carol: outside the organization.
    let carol = &world.carol;
    for (what, query, hidden, absent) in [
        ("entity", "query($n: String!) { entity(name: $n) { id } }", "acme", "acne"),
        ("entity", "query($n: String!) { entity(name: $n) { id } }", "alpha", "aleph"),
        ("entity", "query($n: String!) { entity(name: $n) { id } }", "alice", "aloys"),
        ("organization", "query($n: String!) { organization(name: $n) { id } }", "acme", "acne"),
        ("team", "query($n: String!) { team(name: $n) { id } }", "alpha", "aleph"),
        ("user", "query($n: String!) { user(name: $n) { id } }", "alice", "aloys"),
        ("users", "query($n: String!) { users(query: $n) { edges { node { id } } } }", "alice", "aloys"),
        ("project", "query($n: String!) { project(entityName: $n, name: \"demo\") { id } }", "alpha", "aleph"),
        ("project", "query($n: String!) { project(entityName: $n, name: \"wandb-registry-open\") { id } }", "acme", "acne"),
        ("registry", "query($n: String!) { registry(organization: $n, name: \"open\") { id } }", "acme", "acne"),
        (
            "registryCreate",
            "mutation($n: String!) { registryCreate(input: { organization: $n, name: \"new\" }) { registry { id } } }",
            "acme",
            "acne",
        ),
        (
            "upsertModel",
            "mutation($n: String!) { upsertModel(input: { entityName: $n, name: \"wandb-registry-open\" }) { inserted } }",
            "acme",
            "acne",
        ),
        (
            "upsertModel",
            "mutation($n: String!) { upsertModel(input: { entityName: $n, name: \"demo\" }) { inserted } }",
            "alpha",
            "aleph",
        ),
        (
            "renameProject",
            "mutation($n: String!) { renameProject(input: { entityName: $n, oldProjectName: \"wandb-registry-open\", \
                newProjectName: \"wandb-registry-new\" }) { inserted } }",
            "acme",
            "acne",
        ),
        (
            "organizationDelete",
            "mutation($n: String!) { organizationDelete(input: { organization: $n }) { entityName } }",
            "acme",
            "acne",
        ),
        (
            "organizationUpdate",
            "mutation($n: String!) { organizationUpdate(input: { organization: $n, registryCreation: ADMINS }) { organization { id } } }",
            "acme",
            "acne",
        ),
        (
            "organizationMemberSet",
            "mutation($n: String!) { organizationMemberSet(input: { organization: $n, user: \"carol\", role: ADMIN }) { organization { id } } }",
            "acme",
            "acne",
        ),
        (
            "organizationMemberRemove",
            "mutation($n: String!) { organizationMemberRemove(input: { organization: $n, user: \"bob\" }) { organization { id } } }",
            "acme",
            "acne",
        ),
        (
            "teamCreate",
            "mutation($n: String!) { teamCreate(input: { organization: $n, name: \"gamma\", admin: \"carol\" }) { team { id } } }",
            "acme",
            "acne",
        ),
        ("teamDelete", "mutation($n: String!) { teamDelete(input: { team: $n }) { name } }", "alpha", "aleph"),
        (
            "teamMemberSet",
            "mutation($n: String!) { teamMemberSet(input: { team: $n, user: \"carol\" }) { team { id } } }",
            "alpha",
            "aleph",
        ),
        (
            "teamMemberRemove",
            "mutation($n: String!) { teamMemberRemove(input: { team: $n, user: \"alice\" }) { team { id } } }",
            "alpha",
            "aleph",
        ),
        ("apiKeyCreate", "mutation($n: String!) { apiKeyCreate(input: { user: $n }) { secret } }", "alice", "aloys"),
        (
            "apiKeyImport",
            "mutation($n: String!) { apiKeyImport(input: { user: $n, secret: \"0123456789012345678901234567890123456789\" }) { apiKey { id } } }",
            "alice",
            "aloys",
        ),
        (
            "userUpdate",
            "mutation($n: String!) { userUpdate(input: { user: \"carol\", defaultEntity: $n }) { user { id } } }",
            "alpha",
            "aleph",
        ),
        (
            "userUpdate",
            "mutation($n: String!) { userUpdate(input: { user: $n, defaultEntity: \"carol\" }) { user { id } } }",
            "alice",
            "aloys",
        ),
        ("userDelete", "mutation($n: String!) { userDelete(input: { name: $n }) { name } }", "alice", "aloys"),
        (
            "userUpdate",
            "mutation($n: String!) { userUpdate(input: { user: $n, displayName: \"x\" }) { user { id } } }",
            "alice",
            "aloys",
        ),
        (
            "userSetPassword",
            "mutation($n: String!) { userSetPassword(input: { user: $n, newPassword: \"correct horse battery\" }) { user { id } } }",
            "alice",
            "aloys",
        ),
        (
            "serviceAccountCreate",
            "mutation($n: String!) { serviceAccountCreate(input: { team: $n, name: \"ci\" }) { secret } }",
            "alpha",
            "aleph",
        ),
        ("models", "query($n: String!) { models(entityName: $n) { edges { node { id } } } }", "alpha", "aleph"),
        (
            "createInvite",
            "mutation($n: String!) { createInvite(input: { entityName: $n, username: \"carol\" }) { invite { id } } }",
            "alpha",
            "aleph",
        ),
        (
            "createServiceAccount",
            "mutation($n: String!) { createServiceAccount(input: { entityName: $n, description: \"x\" }) { user { id } } }",
            "alpha",
            "aleph",
        ),
        ("updateUser", "mutation($n: String!) { updateUser(input: { defaultEntity: $n }) { user { id } } }", "alpha", "aleph"),
    ] {
        differences.look(carol, what, query, json!({ "n": hidden }), json!({ "n": absent })).await;
    }
    // An admin of her own organization doesn't learn of users elsewhere.
    server.organization("carols", "carol").await;
    for query in [
        "mutation($n: String!) { organizationMemberSet(input: { organization: \"carols\", user: $n, role: MEMBER }) { organization { id } } }",
        "mutation($n: String!) { organizationMemberRemove(input: { organization: \"carols\", user: $n }) { organization { id } } }",
        "mutation($n: String!) { teamCreate(input: { organization: \"carols\", name: \"gamma\", admin: $n }) { team { id } } }",
        "mutation($n: String!) { createTeam(input: { teamName: \"gamma\", teamAdminUserName: $n }) { entity { id } } }",
    ] {
        differences.look(carol, query, query, json!({ "n": "alice" }), json!({ "n": "aloys" })).await;
    }
    // Nor an admin of her own team, by name, address or number; and somebody else's key is as none.
    server.team("carols", "carolers", "carol").await;
    server.sql("update users set email = 'a@acme.test', email_key = 'a@acme.test' where id = (select id from entities where name = 'alice')").await;
    for (what, hidden, absent) in [("username", "alice", "aloys"), ("email", "a@acme.test", "z@acme.test")] {
        let query = format!(
            "mutation($n: String!) {{ createInvite(input: {{ entityName: \"carolers\", {what}: $n }}) {{ invite {{ id }} }} }}"
        );
        differences.look(carol, &query, &query, json!({ "n": hidden }), json!({ "n": absent })).await;
    }
    let member = encode_id("Member", server.number("select id from entities where name = 'alice'").await);
    let removal = "mutation($n: String!) { deleteInvite(input: { entityName: \"carolers\", id: $n }) { success } }";
    differences.look(carol, "deleteInvite", removal, json!({ "n": member }), json!({ "n": encode_id("Member", 999_999) })).await;
    let query = "query($n: String!) { collection(path: $n) { id } }";
    differences
        .look(carol, "collection", query, json!({ "n": "alpha/demo/hidden-net" }), json!({ "n": "alpha/demo/none" }))
        .await;
    let collection = encode_id("Collection", server.number("select min(id) from collections where name = 'hidden-net'").await);
    let restoring = "mutation($n: ID!) { aliasRestore(input: { collection: $n, alias: \"production\", at: \"2026-01-01T00:00:00Z\" }) { __typename } }";
    differences
        .look(carol, "aliasRestore", restoring, json!({ "n": collection }), json!({ "n": encode_id("Collection", 999_999) }))
        .await;
    let key = encode_id("ApiKey", server.number("select min(id) from api_keys").await);
    let revocation = "mutation($n: String!) { deleteApiKey(input: { id: $n }) { success } }";
    differences.look(carol, "deleteApiKey", revocation, json!({ "n": key }), json!({ "n": encode_id("ApiKey", 999_999) })).await;

    // The doors that aren't GraphQL.
    let get = |client: &Client, path: String| {
        let (client, key) = (client.clone(), client.key().to_owned());
        async move { client.request("GET", &path, |r| r.basic_auth("api", Some(key))).await }
    };
    let md5 = regalia_testkit::md5_hex(b"closed weights");
    let path = |entity: &str, project: &str, collection: &str, id: &str| {
        format!("/artifactsV2/default/{entity}/{project}/{collection}/{id}/{id}/{md5}/model.txt")
    };
    for (what, there, absent) in [
        ("a hidden version", path("alpha", "demo", "hidden-net", &hidden), path("alpha", "none", "hidden-net", &hidden)),
        (
            "a hidden registry",
            path("acme", "wandb-registry-closed", "C2", &hidden),
            path("acme", "wandb-registry-absent", "C2", &hidden),
        ),
        (
            "a hidden version elsewhere",
            path("acme", "wandb-registry-open", "C", &hidden),
            path("acme", "wandb-registry-open", "C", &absent_artifact),
        ),
        (
            "a hidden version in the short form",
            format!("/artifactsV2/default/alpha/demo/hidden-net/{hidden}/{md5}/model.txt"),
            format!("/artifactsV2/default/alpha/none/hidden-net/{hidden}/{md5}/model.txt"),
        ),
        (
            "a hidden version in the short form elsewhere",
            format!("/artifactsV2/default/acme/wandb-registry-open/C/{hidden}/{md5}/model.txt"),
            format!("/artifactsV2/default/acme/wandb-registry-open/C/{absent_artifact}/{md5}/model.txt"),
        ),
        ("a hidden version without a path", path("acme", "", "", &hidden), path("acme", "", "", &absent_artifact)),
    ] {
        differences.look_at(what, [get(bob, there).await, get(bob, absent).await], &[]);
    }
    let stream = |client: &Client, path: &str| {
        let (client, key, path) = (client.clone(), client.key().to_owned(), path.to_owned());
        async move { client.request("POST", &path, |r| r.basic_auth("api", Some(key)).body("{}")).await }
    };
    let (there, absent) =
        (stream(bob, "/files/alpha/demo/run1/file_stream").await, stream(bob, "/files/alpha/none/run1/file_stream").await);
    differences.look_at("a hidden run", [there, absent], &["demo", "none"]);
    assert!(differences.found.is_empty(), "{}", differences.found.join("\n"));

    // Every root field that takes an argument was looked at, but for those that find nothing by a name or an id.
    let fields = "{ __schema { queryType { fields { name args { name } } } mutationType { fields { name args { name } } } } }";
    let schema = alice.graphql(fields, json!({})).await.ok();
    let root = |kind: &str| schema["__schema"][kind]["fields"].as_array().unwrap().clone();
    let finds_nothing =
        ["accountEvents", "organizations", "teams", "userCreate", "organizationCreate", "createUser", "generateApiKey"];
    for field in root("queryType").into_iter().chain(root("mutationType")) {
        let name = field["name"].as_str().unwrap();
        let looked = differences.documents.contains(&format!(" {name}("));
        assert!(looked || field["args"] == json!([]) || finds_nothing.contains(&name), "{name} isn't in this test");
    }
}

/// Lists hold what the caller may see, and neither their length nor their pages tell of anything else.
#[tokio::test]
async fn lists_and_counts_are_of_what_is_visible() {
    let world = world().await;
    let lists = "{ organization(name: \"acme\") { registries(first: 1) { edges { node { name } } pageInfo { hasNextPage endCursor } } } }";
    world.bob.graphql(lists, json!({})).await.expect_ok();
    let before = world.bob.graphql(lists, json!({})).await;
    for name in ["a-hidden-one", "z-hidden-one"] {
        world.alice.make_registry("acme", name, "RESTRICTED").await;
    }
    let after = world.bob.graphql(lists, json!({})).await;
    assert_eq!((&before.data, &before.statements), (&after.data, &after.statements));
    assert_eq!(after.data["organization"]["registries"]["edges"], json!([{ "node": { "name": "open" } }]));
    assert_eq!(after.data["organization"]["registries"]["pageInfo"]["hasNextPage"], false);
    // A version lists the links that its reader may see.
    let number = decode_id(&["Artifact"], &world.version).unwrap();
    let seen = world.bob.graphql(VERSION, json!({ "id": encode_id("Version", number) })).await.ok();
    assert_eq!(seen["version"]["links"].as_array().unwrap().len(), 1);
    let seen = world.alice.graphql(VERSION, json!({ "id": encode_id("Version", number) })).await.ok();
    assert_eq!(seen["version"]["links"].as_array().unwrap().len(), 2);
}
