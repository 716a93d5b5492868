//! Rows of the W&B protocol. What must not live here: how they are run.

use regalia_domain::ids::encode_id;
use regalia_testkit::VersionSpec;
use serde_json::{Value, json};

use super::stage::{Cell, KINDS, PLACES, Place};
use super::{Rows, row};

/// The rows.
pub fn rows(rows: &mut Rows) {
    people(rows);
    teams(rows);
    registries(rows);
    members(rows);
    projects(rows);
    reading(rows);
    publishing(rows);
    links(rows);
}

fn people(r: &mut Rows) {
    r.section("W&B protocol: the server and people");
    row!(r, "Query.serverInfo", "", |c| c.query("{ serverInfo { features { name } } }", json!({}), "/serverInfo").await);
    row!(r, "Query.entity", "a colleague", |c| c.query("{ entity(name: \"bob\") { id } }", json!({}), "/entity").await);
    row!(r, "Query.entity", "an organization", |c| c.query("{ entity(name: \"acme\") { id } }", json!({}), "/entity").await);
    row!(r, "Organization.orgEntity", "", |c| {
        c.query("{ organization(name: \"acme\") { orgEntity { id } } }", json!({}), "/organization/orgEntity").await
    });
    row!(r, "Mutation.createUser", "", |c| {
        c.wire("createUser", "user { name }", json!({ "email": format!("{}@acme.test", c.new_name()) })).await
    });
    row!(r, "Mutation.updateUser", "one's own default entity", |c| {
        c.wire("updateUser", "user { entity }", json!({ "defaultEntity": c.name() })).await
    });
    row!(r, "Mutation.generateApiKey", "for oneself", |c| {
        c.wire("generateApiKey", "apiKey { id }", json!({ "description": c.new_name() })).await
    });
    row!(r, "Mutation.deleteApiKey", "one's own", |c| {
        let key = c.key(&c.stage.root, if c.name() == "anon" { "bob" } else { c.name() }).await;
        c.wire("deleteApiKey", "success", json!({ "id": key })).await
    });
    row!(r, "Mutation.deleteApiKey", "a colleague's", |c| {
        let key = c.key(&c.stage.root, "bob").await;
        c.wire("deleteApiKey", "success", json!({ "id": key })).await
    });
}

fn teams(r: &mut Rows) {
    r.section("W&B protocol: teams");
    row!(r, "Query.entity", "a team", |c| c.query("{ entity(name: \"alpha\") { id } }", json!({}), "/entity").await);
    row!(r, "Entity.members", "of a team", |c| {
        c.holds("{ entity(name: \"alpha\") { members { username } } }", json!({}), "alice").await
    });
    row!(r, "Member.apiKey", "of a team", |c| {
        c.query("{ entity(name: \"alpha\") { members { apiKey } } }", json!({}), "/entity/members/0/apiKey").await
    });
    row!(r, "Mutation.createTeam", "in the organization of one's own", |c| {
        c.wire("createTeam", "entity { id }", json!({ "teamName": c.new_name() })).await
    });
    row!(r, "Mutation.createInvite", "", |c| {
        let team = c.team().await;
        let input = json!({ "entityName": team.name, "username": "bob" });
        team.by.wire("createInvite", "invite { id }", input).await
    });
    row!(r, "Mutation.deleteInvite", "", |c| {
        let team = c.team_with_bob().await;
        let id = c.account("Member", "bob").await;
        team.by.wire("deleteInvite", "success", json!({ "entityName": team.name, "id": id })).await
    });
    row!(r, "Mutation.createServiceAccount", "", |c| {
        let team = c.team().await;
        let input = json!({ "entityName": team.name, "description": c.new_name() });
        team.by.wire("createServiceAccount", "user { id }", input).await
    });
}

fn registries(r: &mut Rows) {
    for (visibility, name, kind) in KINDS {
        r.section(&format!("W&B protocol: {kind}"));
        let project = format!("wandb-registry-{name}");
        let project: &'static str = Box::leak(project.into_boxed_str());
        let named = move || json!({ "p": project });
        row!(r, "Query.project", "", |c| {
            c.query("query($p: String!) { project(entityName: \"acme\", name: $p) { id } }", named(), "/project").await
        });
        row!(r, "Entity.project", "", |c| {
            let text = "query($p: String!) { entity(name: \"acme\") { project(name: $p) { id } } }";
            c.query(text, named(), "/entity/project").await
        });
        row!(r, "Entity.projects", "", |c| {
            let text = "{ entity(name: \"acme\") { projects(first: 1000) { edges { node { name } } } } }";
            c.holds(text, json!({}), project).await
        });
        row!(r, "Entity.artifactCollections", "", |c| {
            let filters = json!({ "f": json!({ "name": project }).to_string() });
            let text = "query($f: JSONString) { entity(name: \"acme\") { artifactCollections(projectFilters: $f) { edges { node { id } } } } }";
            c.query(text, filters, "/entity/artifactCollections/edges/0").await
        });
        row!(r, "Entity.artifactMemberships", "", |c| {
            let filters = json!({ "f": json!({ "name": project }).to_string() });
            let text = "query($f: JSONString) { entity(name: \"acme\") { artifactMemberships(projectFilters: $f) { edges { node { id } } } } }";
            c.query(text, filters, "/entity/artifactMemberships/edges/0").await
        });
        row!(r, "Project.artifactCollections", "", |c| {
            let text = "query($p: String!) { project(entityName: \"acme\", name: $p) { artifactCollections { edges { node { id } } } } }";
            c.query(text, named(), "/project/artifactCollections/edges/0").await
        });
        row!(r, "Query.artifactCollection", "", |c| {
            let select = format!(
                "select c.id from collections c join projects p on p.id = c.project_id where p.kind = 'registry' and p.name = \
                 '{name}' and c.name = 'C'"
            );
            let id = c.id("ArtifactCollection", &select).await;
            c.query("query($c: ID!) { artifactCollection(id: $c) { id } }", json!({ "c": id }), "/artifactCollection").await
        });
        row!(r, "Mutation.upsertModel", "its description", |c| {
            let registry = c.registry(visibility).await;
            let name = format!("wandb-registry-{}", registry.name);
            let input = json!({ "entityName": "acme", "name": name, "description": "new" });
            c.wire("upsertModel", "inserted", input).await
        });
        row!(r, "Mutation.renameProject", "", |c| {
            let registry = c.registry(visibility).await;
            let old = format!("wandb-registry-{}", registry.name);
            let input = json!({ "entityName": "acme", "oldProjectName": old, "newProjectName": format!("{old} renamed") });
            c.wire("renameProject", "inserted", input).await
        });
        row!(r, "Mutation.deleteModel", "", |c| {
            let registry = c.registry(visibility).await;
            let id = c.other_id("Registry", "Project", &registry.id);
            c.wire("deleteModel", "success", json!({ "id": id })).await
        });
    }
    r.section("W&B protocol: a new registry");
    row!(r, "Mutation.upsertModel", "a new one", |c| {
        let input = json!({ "entityName": "acme", "name": format!("wandb-registry-{}", c.new_name()) });
        c.wire("upsertModel", "inserted", input).await
    });
}

fn members(r: &mut Rows) {
    for (visibility, name, kind) in KINDS {
        r.section(&format!("W&B protocol: members of {kind}"));
        let named = move || json!({ "p": format!("wandb-registry-{name}") });
        row!(r, "Project.members", "", |c| {
            let text = "query($p: String!) { project(entityName: \"acme\", name: $p) { members { id } } }";
            c.query(text, named(), "/project/members/0").await
        });
        row!(r, "Project.teamMembers", "", |c| {
            let text = "query($p: String!) { project(entityName: \"acme\", name: $p) { teamMembers { role { name } } } }";
            c.query(text, named(), "/project/teamMembers").await
        });
        row!(r, "Mutation.createProjectMembers", "", |c| {
            let registry = c.registry(visibility).await;
            let user = c.account("User", "bob").await;
            let id = c.other_id("Registry", "Project", &registry.id);
            c.wire("createProjectMembers", "success", json!({ "projectId": id, "userIds": [user] })).await
        });
        row!(r, "Mutation.deleteProjectMembers", "", |c| {
            let registry = c.registry_with_bob(visibility).await;
            let user = c.account("User", "bob").await;
            let id = c.other_id("Registry", "Project", &registry.id);
            c.wire("deleteProjectMembers", "success", json!({ "projectId": id, "userIds": [user] })).await
        });
        row!(r, "Mutation.updateProjectMember", "", |c| {
            let registry = c.registry_with_bob(visibility).await;
            let user = c.account("User", "bob").await;
            let id = c.other_id("Registry", "Project", &registry.id);
            let input = json!({ "projectId": id, "userId": user, "userProjectRole": "member" });
            c.wire("updateProjectMember", "success", input).await
        });
        row!(r, "Mutation.updateProjectTeamMember", "", |c| {
            let registry = c.registry_with_gamma(visibility).await;
            let team = c.account("Entity", "gamma").await;
            let id = c.other_id("Registry", "Project", &registry.id);
            let input = json!({ "projectId": id, "teamId": team, "teamProjectRole": "member" });
            c.wire("updateProjectTeamMember", "success", input).await
        });
    }
}

fn projects(r: &mut Rows) {
    r.section("W&B protocol: projects and runs");
    for (owner, what) in [("alpha", "the team's"), ("bob", "a colleague's")] {
        let named = move || json!({ "e": owner });
        row!(r, "Query.models", what, |c| {
            c.holds("query($e: String!) { models(entityName: $e) { edges { node { name } } } }", named(), "demo").await
        });
        row!(r, "Query.project", what, |c| {
            c.query("query($e: String!) { project(entityName: $e, name: \"demo\") { id } }", named(), "/project").await
        });
        row!(r, "Project.artifactTypes", what, |c| {
            let text =
                "query($e: String!) { project(entityName: $e, name: \"demo\") { artifactTypes { edges { node { id } } } } }";
            c.query(text, named(), "/project/artifactTypes/edges/0").await
        });
        row!(r, "Mutation.upsertModel", format!("the description of {what}"), |c| {
            let input = json!({ "entityName": owner, "name": "demo", "description": c.new_name() });
            c.wire("upsertModel", "inserted", input).await
        });
        row!(r, "Mutation.upsertModel", format!("a new one of {}", what.trim_end_matches("'s")), |c| {
            c.wire("upsertModel", "inserted", json!({ "entityName": owner, "name": c.new_name() })).await
        });
    }
    row!(r, "Mutation.upsertModel", "a new one of one's own", |c| {
        c.wire("upsertModel", "inserted", json!({ "entityName": c.name(), "name": c.new_name() })).await
    });
    row!(r, "Mutation.createArtifactType", "in the team's project", |c| {
        let input = json!({ "entityName": "alpha", "projectName": "demo", "name": c.new_name() });
        c.wire("createArtifactType", "artifactType { id }", input).await
    });
    row!(r, "Project.run", "the team's", |c| {
        let text = "{ project(entityName: \"alpha\", name: \"demo\") { run(name: \"run1\") { id } } }";
        c.query(text, json!({}), "/project/run").await
    });
    row!(r, "Project.bucket", "the team's", |c| {
        let text = "{ model(entityName: \"alpha\", name: \"demo\") { bucket(name: \"run1\") { id } } }";
        c.query(text, json!({}), "/model/bucket").await
    });
    row!(r, "Query.model", "a team's", |c| {
        c.query("{ model(entityName: \"alpha\", name: \"demo\") { id } }", json!({}), "/model").await
    });
    row!(r, "Project.runs", "the team's", |c| {
        let text = "{ project(entityName: \"alpha\", name: \"demo\") { runs { edges { node { id } } } } }";
        c.query(text, json!({}), "/project/runs/edges/0").await
    });
    row!(r, "Mutation.stopRun", "a run in the team's project", |c| {
        c.wire("stopRun", "success", json!({ "id": encode_id("Run", 1) })).await
    });
    row!(r, "Mutation.markRunFilesUploaded", "of a run in the team's project", |c| {
        let input = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": [] });
        c.wire("markRunFilesUploaded", "success", input).await
    });
    row!(r, "Mutation.upsertBucket", "a run in the team's project, by its id", |c| {
        c.wire("upsertBucket", "inserted", json!({ "id": encode_id("Run", 1), "notes": c.new_name() })).await
    });
    row!(r, "Mutation.upsertBucket", "a run in the team's project", |c| {
        let input = json!({ "entityName": "alpha", "modelName": "demo", "name": c.new_name() });
        c.wire("upsertBucket", "inserted", input).await
    });
    row!(r, "Mutation.upsertBucket", "in one's own", |c| {
        let input = json!({ "entityName": c.name(), "modelName": "work", "name": c.new_name() });
        c.wire("upsertBucket", "inserted", input).await
    });
    row!(r, "Mutation.createRunFiles", "of a run in the team's project", |c| {
        let input = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": [c.new_name()] });
        c.wire("createRunFiles", "runID", input).await
    });
}

/// A place in a collection by its path.
fn path(place: Place) -> Value {
    let [entity, project, collection] = place.path();
    json!({ "e": entity, "p": project, "n": format!("{collection}:latest") })
}

fn reading(r: &mut Rows) {
    r.section("W&B protocol: versions");
    for (place, what) in PLACES {
        row!(r, "Project.artifactCollectionMembership", what, |c| {
            let text = "query($e: String!, $p: String!, $n: String!) { project(entityName: $e, name: $p) { \
                artifactCollectionMembership(name: $n) { id artifact { digest metadata } } } }";
            c.query(text, path(place), "/project/artifactCollectionMembership/artifact").await
        });
    }
    for (place, what) in PLACES {
        row!(r, "ArtifactCollectionMembership.files", what, |c| {
            let text = "query($e: String!, $p: String!, $n: String!) { project(entityName: $e, name: $p) { \
                artifactCollectionMembership(name: $n) { files { edges { node { directUrl } } } } } }";
            c.query(text, path(place), "/project/artifactCollectionMembership/files/edges/0/node/directUrl").await
        });
    }
    for (place, what) in PLACES {
        row!(r, "Query.artifact", what, |c| {
            let id = json!({ "v": c.stage.artifact(place) });
            c.query("query($v: ID!) { artifact(id: $v) { digest metadata } }", id, "/artifact").await
        });
    }
    for (place, what) in PLACES {
        row!(r, "Artifact.currentManifest", what, |c| {
            let id = json!({ "v": c.stage.artifact(place) });
            let text = "query($v: ID!) { artifact(id: $v) { currentManifest { file { directUrl } } } }";
            c.query(text, id, "/artifact/currentManifest/file/directUrl").await
        });
    }
    row!(r, "Artifact.createdBy", PLACES[1].1, |c| {
        let id = json!({ "v": c.stage.artifact(Place::Open) });
        c.query("query($v: ID!) { artifact(id: $v) { createdBy { __typename } } }", id, "/artifact/createdBy").await
    });
    for (place, what) in PLACES {
        row!(r, "Artifact.files", what, |c| {
            let text = "query($v: ID!) { artifact(id: $v) { files { edges { node { directUrl } } } } }";
            c.query(text, json!({ "v": c.stage.artifact(place) }), "/artifact/files/edges/0/node/directUrl").await
        });
    }
    row!(r, "ArtifactSequence.project", format!("where it was born, {}", PLACES[1].1), |c| {
        let id = json!({ "v": c.stage.artifact(Place::Open) });
        let text = "query($v: ID!) { artifact(id: $v) { artifactSequence { project { id } } } }";
        c.query(text, id, "/artifact/artifactSequence/project").await
    });
    row!(r, "Query.artifactCollection", "where it was born, the team's", |c| {
        let id = c.id("ArtifactCollection", "select id from collections where name = 'team-net'").await;
        c.query("query($c: ID!) { artifactCollection(id: $c) { id } }", json!({ "c": id }), "/artifactCollection").await
    });
    row!(r, "Query.clientIDMapping", "one's own", |c| {
        let name = c.new_name();
        let spec = VersionSpec { project: "work".into(), ..VersionSpec::model(c.name(), &name, b"mapped") };
        let begun = c.me.create_version(&spec, &name).await;
        assert_eq!(begun.errors.is_empty(), c.name() != "anon", "{:?}", begun.errors);
        let text = "query($n: ID!) { clientIDMapping(clientID: $n) { serverID } }";
        c.query(text, json!({ "n": name }), "/clientIDMapping").await
    });
    row!(r, "Query.clientIDMapping", "of another of the team", |c| {
        c.query("{ clientIDMapping(clientID: \"matrix\") { serverID } }", json!({}), "/clientIDMapping").await
    });
    for (place, what) in PLACES {
        row!(r, "Mutation.useArtifact", format!("by a run of one's own, {what}"), |c| {
            let version = c.stage.artifact(place);
            let input = json!({ "artifactID": version, "entityName": c.name(), "projectName": "work", "runName": "run1" });
            c.wire("useArtifact", "artifact { id }", input).await
        });
    }
}

/// A version to begin, with the digest of nothing.
async fn create(cell: &Cell, entity: &str, project: &str) -> super::Outcome {
    let input = json!({
        "entityName": entity, "projectName": project, "artifactTypeName": "model", "artifactCollectionName": cell.new_name(),
        "digest": "d41d8cd98f00b204e9800998ecf8427e", "digestAlgorithm": "MANIFEST_MD5",
    });
    cell.wire("createArtifact", "artifact { id }", input).await
}

fn publishing(r: &mut Rows) {
    r.section("W&B protocol: publishing");
    row!(r, "Mutation.createArtifact", "in the team's project", |c| create(&c, "alpha", "demo").await);
    row!(r, "Mutation.createArtifact", "in a new project of the team", |c| create(&c, "alpha", &c.new_name()).await);
    row!(r, "Mutation.createArtifact", "in a colleague's project", |c| create(&c, "bob", "demo").await);
    row!(r, "Mutation.createArtifact", "in one's own project", |c| create(&c, c.name(), "work").await);
    row!(r, "Mutation.createArtifactManifest", "of a version that another of the team began", |c| {
        let input = json!({
            "artifactID": c.stage.begun, "name": "wandb_manifest.json", "digest": "", "entityName": "alpha", "projectName": "demo",
            "runName": "", "type": "FULL",
        });
        c.wire("createArtifactManifest", "artifactManifest { id }", input).await
    });
    row!(r, "Mutation.updateArtifactManifest", "the same", |c| {
        let draft = c
            .id(
                "ArtifactManifest",
                "select d.id from manifest_drafts d join versions v on v.id = d.version_id \
            join collections c on c.id = v.collection_id where c.name = 'begun'",
            )
            .await;
        let input = json!({ "artifactManifestID": draft, "digest": "1B2M2Y8AsgTpgAmY7PhCfg==" });
        c.wire("updateArtifactManifest", "artifactManifest { id }", input).await
    });
    row!(r, "Mutation.createArtifactFiles", "the same", |c| {
        let file = json!({ "artifactID": c.stage.begun, "name": c.new_name(), "md5": "1B2M2Y8AsgTpgAmY7PhCfg==" });
        let input = json!({ "artifactFiles": [file], "storageLayout": "V2" });
        c.wire("createArtifactFiles", "files { totalCount }", input).await
    });
    row!(r, "Mutation.completeMultipartUploadArtifact", "none is ever begun", |c| {
        let input = json!({
            "artifactID": c.stage.begun, "completeMultipartAction": "Complete", "completedParts": [], "storagePath": "none",
            "uploadID": "none",
        });
        c.wire("completeMultipartUploadArtifact", "digest", input).await
    });
    row!(r, "Mutation.commitArtifact", "the same", |c| {
        let version = c.begun().await;
        let id = c.other_id("Version", "Artifact", &version);
        c.wire("commitArtifact", "artifact { id }", json!({ "artifactID": id })).await
    });
}

async fn link(cell: &Cell, place: Place, registry: &str, alias: &str) -> super::Outcome {
    let name = cell.new_name();
    let input = json!({
        "artifactID": cell.stage.artifact(place), "entityName": "acme", "projectName": format!("wandb-registry-{registry}"),
        "artifactPortfolioName": name, "aliases": [{ "artifactCollectionName": name, "alias": alias }],
    });
    cell.wire("linkArtifact", "versionIndex", input).await
}

fn links(r: &mut Rows) {
    r.section("W&B protocol: links");
    for (_, registry, kind) in KINDS {
        row!(r, "Mutation.linkArtifact", format!("into {kind}"), |c| link(&c, Place::Open, registry, "best").await);
        row!(r, "Mutation.linkArtifact", format!("into {kind}, with a protected alias"), |c| {
            link(&c, Place::Open, registry, "prod").await
        });
    }
    for (place, what) in PLACES {
        row!(r, "Mutation.linkArtifact", format!("onwards, {}", what.replace("in a", "from a")), |c| {
            let registry = c.target().await;
            link(&c, place, &registry.name, "best").await
        });
    }
    row!(r, "Mutation.linkArtifact", "into a project of the team", |c| {
        let input = json!({
            "artifactID": c.stage.artifact(Place::Team), "entityName": "alpha", "projectName": "shelf", "artifactPortfolioName": c.new_name(),
        });
        c.wire("linkArtifact", "versionIndex", input).await
    });
}
