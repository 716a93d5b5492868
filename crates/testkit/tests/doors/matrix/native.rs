//! Rows of our own side of the schema. What must not live here: how they are run.

use serde_json::json;

use super::stage::{KINDS, PASSWORD, PLACES, Place};
use super::{Rows, row};

/// The rows.
pub fn rows(rows: &mut Rows) {
    accounts(rows);
    keys(rows);
    organizations(rows);
    teams(rows);
    registries(rows);
    members(rows);
    versions(rows);
    history(rows);
}

fn accounts(r: &mut Rows) {
    r.section("Our own schema: accounts");
    row!(r, "Query.viewer", "", |c| c.query("{ viewer { name } }", json!({}), "/viewer").await);
    row!(r, "Query.user", "a colleague", |c| c.query("{ user(name: \"bob\") { name } }", json!({}), "/user").await);
    row!(r, "Query.users", "lists a colleague", |c| {
        c.holds("{ users(query: \"bob\") { nodes { name } } }", json!({}), "bob").await
    });
    row!(r, "User.email", "a colleague's", |c| c.query("{ user(name: \"bob\") { email } }", json!({}), "/user/email").await);
    row!(r, "User.organizations", "a colleague's", |c| {
        c.holds("{ user(name: \"bob\") { organizations { entityName } } }", json!({}), "acme").await
    });
    row!(r, "User.teams", "a colleague's", |c| {
        c.holds("{ user(name: \"alice\") { teams { nodes { name } } } }", json!({}), "alpha").await
    });
    row!(r, "User.defaultEntity", "a colleague's", |c| {
        c.query("{ user(name: \"bob\") { defaultEntity } }", json!({}), "/user/defaultEntity").await
    });
    row!(r, "User.hasPassword", "one's own", |c| {
        c.query("{ viewer { hasPassword } }", json!({}), "/viewer/hasPassword").await
    });
    row!(r, "User.hasPassword", "a colleague's", |c| {
        c.query("{ user(name: \"bob\") { hasPassword } }", json!({}), "/user/hasPassword").await
    });
    row!(r, "Mutation.userCreate", "", |c| c.own("userCreate", json!({ "name": c.new_name() })).await);
    row!(r, "Mutation.userUpdate", "one's own display name", |c| {
        c.own("userUpdate", json!({ "displayName": c.new_name() })).await
    });
    row!(r, "Mutation.userUpdate", "a colleague's display name", |c| {
        c.own("userUpdate", json!({ "user": "bob", "displayName": c.new_name() })).await
    });
    row!(r, "Mutation.userUpdate", "one's own address", |c| {
        c.own("userUpdate", json!({ "email": format!("{}@acme.test", c.new_name()) })).await
    });
    row!(r, "Mutation.userUpdate", "a colleague's address", |c| {
        let user = c.person().await;
        c.own("userUpdate", json!({ "user": user, "email": format!("{}@acme.test", c.new_name()) })).await
    });
    row!(r, "User.sessions", "one's own", |c| {
        c.query("{ viewer { sessions { nodes { id } } } }", json!({}), "/viewer/sessions").await
    });
    row!(r, "User.sessions", "a colleague's", |c| {
        c.query("{ user(name: \"bob\") { sessions { nodes { id } } } }", json!({}), "/user/sessions").await
    });
    row!(r, "Mutation.sessionEnd", "all one's others", |c| c.own("sessionEnd", json!({ "others": true })).await);
    row!(r, "Mutation.userSetPassword", "one's own", |c| {
        c.own("userSetPassword", json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD })).await
    });
    row!(r, "Mutation.userSetPassword", "a colleague's", |c| {
        let user = c.person().await;
        c.own("userSetPassword", json!({ "user": user, "newPassword": PASSWORD })).await
    });
    row!(r, "Mutation.userDelete", "a colleague", |c| {
        let user = c.person().await;
        c.own("userDelete", json!({ "name": user })).await
    });
    row!(r, "Mutation.userDelete", "another service account of the team", |c| {
        let team = c.team().await;
        let account = team.by.service_account(&team.name).await;
        team.by.own("userDelete", json!({ "name": account })).await
    });
}

fn keys(r: &mut Rows) {
    r.section("Our own schema: API keys");
    row!(r, "User.apiKeys", "one's own", |c| {
        c.query("{ viewer { apiKeys { nodes { id } } } }", json!({}), "/viewer/apiKeys").await
    });
    row!(r, "User.apiKeys", "a colleague's", |c| {
        c.query("{ user(name: \"bob\") { apiKeys { nodes { id } } } }", json!({}), "/user/apiKeys").await
    });
    row!(r, "User.apiKeys", "those of a service account of the team", |c| {
        c.query("{ user(name: \"machine\") { apiKeys { nodes { id } } } }", json!({}), "/user/apiKeys").await
    });
    row!(r, "Mutation.apiKeyCreate", "for oneself", |c| c.own("apiKeyCreate", json!({ "name": c.new_name() })).await);
    row!(r, "Mutation.apiKeyCreate", "for a colleague", |c| c.own("apiKeyCreate", json!({ "user": "bob" })).await);
    row!(r, "Mutation.apiKeyCreate", "for another service account of the team", |c| {
        let team = c.team().await;
        let account = team.by.service_account(&team.name).await;
        team.by.own("apiKeyCreate", json!({ "user": account })).await
    });
    row!(r, "Mutation.apiKeyImport", "for oneself", |c| {
        c.own("apiKeyImport", json!({ "secret": format!("{:0>40}", c.new_name()) })).await
    });
    row!(r, "Mutation.apiKeyImport", "for a colleague", |c| {
        c.own("apiKeyImport", json!({ "user": "bob", "secret": format!("{:0>40}", c.new_name()) })).await
    });
    row!(r, "Mutation.apiKeyRevoke", "one's own", |c| {
        let key = c.key(&c.stage.root, if c.name() == "anon" { "bob" } else { c.name() }).await;
        c.own("apiKeyRevoke", json!({ "id": key })).await
    });
    row!(r, "Mutation.apiKeyRevoke", "a colleague's", |c| {
        let key = c.key(&c.stage.root, "bob").await;
        c.own("apiKeyRevoke", json!({ "id": key })).await
    });
    row!(r, "Mutation.apiKeyRevoke", "that of another service account of the team", |c| {
        let team = c.team().await;
        let account = team.by.service_account(&team.name).await;
        let key = c.key(&c.stage.alice, &account).await;
        team.by.own("apiKeyRevoke", json!({ "id": key })).await
    });
}

fn organizations(r: &mut Rows) {
    r.section("Our own schema: organizations");
    row!(r, "Query.organizations", "", |c| c.holds("{ organizations { nodes { entityName } } }", json!({}), "acme").await);
    row!(r, "Query.organization", "", |c| {
        c.query("{ organization(name: \"acme\") { id } }", json!({}), "/organization").await
    });
    row!(r, "Organization.members", "", |c| {
        let text = "{ organization(name: \"acme\") { members(first: 1000) { nodes { user { name } } } } }";
        c.holds(text, json!({}), "bob").await
    });
    row!(r, "Organization.teams", "", |c| {
        c.holds("{ organization(name: \"acme\") { teams { nodes { name } } } }", json!({}), "alpha").await
    });
    row!(r, "Mutation.organizationCreate", "", |c| {
        c.own("organizationCreate", json!({ "displayName": c.new_name(), "admin": "bob" })).await
    });
    row!(r, "Mutation.organizationUpdate", "", |c| {
        let organization = c.organization().await;
        c.own("organizationUpdate", json!({ "organization": organization.name, "registryCreation": "ADMINS" })).await
    });
    row!(r, "Mutation.organizationDelete", "", |c| {
        let organization = c.organization().await;
        c.own("organizationDelete", json!({ "organization": organization.name })).await
    });
    row!(r, "Mutation.organizationMemberSet", "", |c| {
        let user = c.person().await;
        c.own("organizationMemberSet", json!({ "organization": "acme", "user": user, "role": "VIEWER" })).await
    });
    row!(r, "Mutation.organizationMemberRemove", "", |c| {
        let user = c.person().await;
        c.own("organizationMemberRemove", json!({ "organization": "acme", "user": user })).await
    });
}

fn teams(r: &mut Rows) {
    r.section("Our own schema: teams");
    row!(r, "Query.teams", "", |c| c.holds("{ teams(first: 1000) { nodes { name } } }", json!({}), "alpha").await);
    row!(r, "Query.team", "", |c| c.query("{ team(name: \"alpha\") { id } }", json!({}), "/team").await);
    row!(r, "Team.members", "", |c| {
        c.holds("{ team(name: \"alpha\") { members { nodes { user { name } } } } }", json!({}), "alice").await
    });
    row!(r, "Mutation.teamCreate", "", |c| {
        c.own("teamCreate", json!({ "organization": "acme", "name": c.new_name(), "admin": "bob" })).await
    });
    row!(r, "Mutation.teamDelete", "", |c| {
        // One with a service account can't be deleted: for that column the one on the stage.
        let name = if c.name() == "machine" { "alpha".to_owned() } else { c.team().await.name };
        c.own("teamDelete", json!({ "team": name })).await
    });
    row!(r, "Mutation.teamMemberSet", "", |c| {
        let team = c.team().await;
        team.by.own("teamMemberSet", json!({ "team": team.name, "user": "bob", "role": "MEMBER" })).await
    });
    row!(r, "Mutation.teamMemberRemove", "", |c| {
        let team = c.team_with_bob().await;
        team.by.own("teamMemberRemove", json!({ "team": team.name, "user": "bob" })).await
    });
    row!(r, "Mutation.serviceAccountCreate", "", |c| {
        let team = c.team().await;
        team.by.own("serviceAccountCreate", json!({ "team": team.name, "name": c.new_name() })).await
    });
}

fn registries(r: &mut Rows) {
    for (visibility, name, kind) in KINDS {
        r.section(&format!("Our own schema: {kind}"));
        let named = move || json!({ "r": name });
        macro_rules! ask {
            ($operation:literal, $note:literal, $fields:literal, $pointer:literal) => {
                row!(r, $operation, $note, |c| {
                    let text = concat!("query($r: String!) { registry(organization: \"acme\", name: $r) { ", $fields, " } }");
                    c.query(text, named(), concat!("/registry", $pointer)).await
                });
            };
        }
        row!(r, "Organization.registries", "", |c| {
            let text = "{ organization(name: \"acme\") { registries(first: 1000) { nodes { name } } } }";
            c.holds(text, json!({}), name).await
        });
        row!(r, "Organization.registry", "", |c| {
            let text = "query($r: String!) { organization(name: \"acme\") { registry(name: $r) { id } } }";
            c.query(text, named(), "/organization/registry").await
        });
        ask!("Query.registry", "", "id", "");
        ask!("Registry.collections", "", "collections { nodes { name } }", "/collections/nodes/0");
        ask!("Registry.collection", "", "collection(name: \"C\") { tags }", "/collection");
        ask!("Collection.links", "", "collection(name: \"C\") { links { nodes { index } } }", "/collection/links/nodes/0");
        ask!(
            "Link.version",
            "",
            "collection(name: \"C\") { link(alias: \"best\") { version { digest } } }",
            "/collection/link/version"
        );
        ask!(
            "Version.files",
            "",
            "collection(name: \"C\") { link(alias: \"best\") { version { files { nodes { path } } } } }",
            "/collection/link/version/files/nodes/0"
        );
        ask!(
            "VersionFile.downloadUrl",
            "",
            "collection(name: \"C\") { link(alias: \"best\") { version { files { nodes { downloadUrl } } } } }",
            "/collection/link/version/files/nodes/0/downloadUrl"
        );
        row!(r, "Mutation.registryUpdate", "its description", |c| {
            let registry = c.registry(visibility).await;
            c.own("registryUpdate", json!({ "id": registry.id, "description": "new" })).await
        });
        row!(r, "Mutation.registryUpdate", "its name", |c| {
            let registry = c.registry(visibility).await;
            c.own("registryUpdate", json!({ "id": registry.id, "name": format!("{} renamed", registry.name) })).await
        });
        row!(r, "Mutation.registryUpdate", "its types", |c| {
            let registry = c.registry(visibility).await;
            c.own("registryUpdate", json!({ "id": registry.id, "allowAllTypes": false, "addTypes": ["model"] })).await
        });
        row!(r, "Mutation.registryUpdate", "its protected aliases", |c| {
            let registry = c.registry(visibility).await;
            c.own("registryUpdate", json!({ "id": registry.id, "protectedAliases": ["prod"] })).await
        });
        if visibility == "ORGANIZATION" {
            row!(r, "Mutation.registryUpdate", "its visibility", |c| {
                let registry = c.registry(visibility).await;
                c.own("registryUpdate", json!({ "id": registry.id, "visibility": "RESTRICTED" })).await
            });
        }
        row!(r, "Mutation.registryDelete", "", |c| {
            let registry = c.registry(visibility).await;
            c.own("registryDelete", json!({ "id": registry.id })).await
        });
        row!(r, "Mutation.versionLink", "with an ordinary alias", |c| {
            let target = format!("acme/wandb-registry-{name}/{}", c.new_name());
            let version = c.stage.version(Place::Open);
            c.own("versionLink", json!({ "version": version, "target": target, "aliases": ["best"] })).await
        });
        row!(r, "Mutation.versionLink", "with a protected alias", |c| {
            let target = format!("acme/wandb-registry-{name}/{}", c.new_name());
            let version = c.stage.version(Place::Open);
            c.own("versionLink", json!({ "version": version, "target": target, "aliases": ["prod"] })).await
        });
    }
    r.section("Our own schema: a new registry");
    row!(r, "Mutation.registryCreate", "", |c| {
        c.own("registryCreate", json!({ "organization": "acme", "name": c.new_name() })).await
    });
}

fn members(r: &mut Rows) {
    for (visibility, name, kind) in KINDS {
        r.section(&format!("Our own schema: members of {kind}"));
        let named = move || json!({ "r": name });
        row!(r, "Registry.userMembers", "", |c| {
            let text = "query($r: String!) { registry(organization: \"acme\", name: $r) { userMembers { nodes { role } } } }";
            c.query(text, named(), "/registry/userMembers/nodes/0").await
        });
        row!(r, "Registry.teamMembers", "", |c| {
            let text = "query($r: String!) { registry(organization: \"acme\", name: $r) { teamMembers { nodes { role } } } }";
            c.query(text, named(), "/registry/teamMembers").await
        });
        row!(r, "Registry.effectiveAccess", "one's own", |c| {
            let text = "query($r: String!) { registry(organization: \"acme\", name: $r) { effectiveAccess { role } } }";
            c.query(text, named(), "/registry/effectiveAccess").await
        });
        row!(r, "Registry.effectiveAccess", "a colleague's", |c| {
            let text =
                "query($r: String!) { registry(organization: \"acme\", name: $r) { effectiveAccess(user: \"bob\") { role } } }";
            c.query(text, named(), "/registry/effectiveAccess").await
        });
        row!(r, "Mutation.registryMemberAdd", "", |c| {
            let registry = c.registry(visibility).await;
            c.own("registryMemberAdd", json!({ "registry": registry.id, "users": ["bob"] })).await
        });
        row!(r, "Mutation.registryMemberSet", "", |c| {
            let registry = c.registry_with_bob(visibility).await;
            c.own("registryMemberSet", json!({ "registry": registry.id, "user": "bob", "role": "MEMBER" })).await
        });
        row!(r, "Mutation.registryMemberRemove", "", |c| {
            let registry = c.registry_with_bob(visibility).await;
            c.own("registryMemberRemove", json!({ "registry": registry.id, "users": ["bob"] })).await
        });
    }
}

fn versions(r: &mut Rows) {
    r.section("Our own schema: versions");
    for (place, what) in PLACES {
        row!(r, "Query.version", what, |c| {
            c.query("query($v: ID!) { version(id: $v) { metadata } }", json!({ "v": c.stage.version(place) }), "/version").await
        });
    }
    row!(r, "Query.run", "the team's", |c| {
        c.query("{ run(entity: \"alpha\", project: \"demo\", name: \"run1\") { id } }", json!({}), "/run").await
    });
    row!(r, "Query.runs", "the team's", |c| {
        c.query("{ runs(entity: \"alpha\", project: \"demo\") { nodes { id } } }", json!({}), "/runs/nodes/0").await
    });
    for (place, what) in PLACES {
        row!(r, "Version.files", what, |c| {
            let text = "query($v: ID!) { version(id: $v) { files { nodes { downloadUrl } } } }";
            c.query(text, json!({ "v": c.stage.version(place) }), "/version/files/nodes/0/downloadUrl").await
        });
    }
    for (place, what) in PLACES {
        row!(r, "Query.lineage", what, |c| {
            let text = "query($v: ID!) { lineage(version: $v) { nodes { __typename } } }";
            c.query(text, json!({ "v": c.stage.version(place) }), "/lineage/nodes/0").await
        });
    }
    row!(r, "Version.source", PLACES[1].1, |c| {
        let text = "query($v: ID!) { version(id: $v) { source } }";
        c.query(text, json!({ "v": c.stage.version(Place::Open) }), "/version/source").await
    });
    row!(r, "Version.links", PLACES[0].1, |c| {
        let text = "query($v: ID!) { version(id: $v) { links { index } } }";
        c.query(text, json!({ "v": c.stage.version(Place::Closed) }), "/version/links/0").await
    });
    row!(r, "Mutation.versionBegin", "in the team's project", |c| {
        let name = c.new_name();
        let input = json!({ "entity": "alpha", "project": "demo", "collection": name, "typeName": "model", "files": [] });
        c.own("versionBegin", input).await
    });
    row!(r, "Mutation.versionBegin", "in a new project of the team", |c| {
        let name = c.new_name();
        let input = json!({ "entity": "alpha", "project": name, "collection": name, "typeName": "model", "files": [] });
        c.own("versionBegin", input).await
    });
    row!(r, "Mutation.versionBegin", "in a colleague's project", |c| {
        let name = c.new_name();
        let input = json!({ "entity": "bob", "project": "demo", "collection": name, "typeName": "model", "files": [] });
        c.own("versionBegin", input).await
    });
    row!(r, "Mutation.versionBegin", "in one's own project", |c| {
        let name = c.new_name();
        let input = json!({ "entity": c.name(), "project": "work", "collection": name, "typeName": "model", "files": [] });
        c.own("versionBegin", input).await
    });
    row!(r, "Mutation.versionCommit", "begun by another of the team", |c| {
        let version = c.begun().await;
        c.own("versionCommit", json!({ "version": version })).await
    });
    for (place, what) in PLACES {
        row!(r, "Mutation.versionLink", format!("onwards, {}", what.replace("in a", "from a")), |c| {
            let target = format!("acme/wandb-registry-{}/C", c.target().await.name);
            c.own("versionLink", json!({ "version": c.stage.version(place), "target": target })).await
        });
    }
    row!(r, "Mutation.versionLink", "into a project of the team", |c| {
        let target = format!("alpha/shelf/{}", c.new_name());
        c.own("versionLink", json!({ "version": c.stage.version(Place::Team), "target": target })).await
    });
}

fn history(r: &mut Rows) {
    r.section("Our own schema: history");
    row!(r, "Query.accountEvents", "", |c| {
        c.query("{ accountEvents { nodes { kind } } }", json!({}), "/accountEvents/nodes/0").await
    });
    row!(r, "Organization.events", "of a registry", |c| {
        let text = "{ organization(name: \"acme\") { events(filter: { kinds: [\"registry.created\"] }) { nodes { kind } } } }";
        c.query(text, json!({}), "/organization/events/nodes/0").await
    });
    row!(r, "Organization.events", "of a member", |c| {
        let text =
            "{ organization(name: \"acme\") { events(filter: { kinds: [\"organization_member.set\"] }) { nodes { kind } } } }";
        c.query(text, json!({}), "/organization/events/nodes/0").await
    });
    for (_, name, kind) in KINDS {
        let asked = move |events: &str| {
            let events = events.to_owned();
            json!({ "r": name, "kinds": [events] })
        };
        row!(r, "Registry.events", format!("of {kind} itself"), |c| {
            let text = "query($r: String!, $kinds: [String!]) { registry(organization: \"acme\", name: $r) { \
                events(filter: { kinds: $kinds }) { nodes { kind } } } }";
            c.query(text, asked("registry.created"), "/registry/events/nodes/0").await
        });
        row!(r, "Registry.events", format!("of a collection of {kind}"), |c| {
            let text = "query($r: String!, $kinds: [String!]) { registry(organization: \"acme\", name: $r) { \
                events(filter: { kinds: $kinds }) { nodes { kind } } } }";
            c.query(text, asked("version.linked"), "/registry/events/nodes/0").await
        });
    }
    for (place, what) in PLACES {
        row!(r, "Query.collection", what, |c| {
            let text = "query($path: String!) { collection(path: $path) { events { nodes { kind } } aliasAt(name: \"latest\", \
                time: \"2999-01-01T00:00:00Z\") { alias } } }";
            c.query(text, json!({ "path": place.path().join("/") }), "/collection/events/nodes/0").await
        });
    }
}
