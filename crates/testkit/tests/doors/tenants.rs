//! Two organizations with the same names in them and somebody who is in both (rules 2, 12, 14, 17, 18, 19, 21, 42): what each
//! sees and may do, by names and by guessed ids, and that nobody learns of the other organization from a list, a count, an error
//! or the number of statements. What must not live here: single operations (`matrix`), hidden against absent (`access`).

use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::native::{code, own};

/// One of the two.
struct Tenant {
    organization: &'static str,
    admin: Client,
    /// `Registry:n` of `shared`, which the organization sees, and `closed`, which its members see.
    registries: [String; 2],
    /// `Artifact:n` of what is linked as `C:best` into both, and into `closed` alone.
    versions: [String; 2],
}

/// alice has `acme` and carol `globex`; bob is a member of the one and on a viewer's seat of the other.
struct World {
    server: Server,
    bob: Client,
    acme: Tenant,
    globex: Tenant,
}

async fn world() -> World {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.organization("globex", "carol").await;
    server.team("globex", "gamma", "carol").await;
    server.join("globex", "bob", OrganizationRole::Viewer).await;
    let acme = tenant("acme", "alpha", alice).await;
    let globex = tenant("globex", "gamma", carol).await;
    World { server, bob, acme, globex }
}

async fn tenant(organization: &'static str, team: &str, admin: Client) -> Tenant {
    let shared = admin.make_registry(organization, "shared", "ORGANIZATION").await;
    let closed = admin.make_registry(organization, "closed", "RESTRICTED").await;
    // The same bytes and the same names on both sides.
    let both = admin.log(&VersionSpec::model(team, "net", b"weights")).await.id;
    let secret = admin.log(&VersionSpec::model(team, "secret", b"secret weights")).await.id;
    for registry in ["shared", "closed"] {
        admin.link(&both, organization, registry, "C", &["best"]).await.expect_ok();
    }
    admin.link(&secret, organization, "closed", "Secret", &["best"]).await.expect_ok();
    Tenant { organization, admin, registries: [shared, closed], versions: [both, secret] }
}

/// What somebody gets to see of an organization: lists and counts of both sides.
async fn seen(client: &Client, organization: &str) -> Answer {
    let text = "query($o: String!) {
        organization(name: $o) {
            entityName
            registries(first: 10) { nodes { id name yourRole collections { nodes { name } } } pageInfo { hasNextPage endCursor } }
            orgEntity {
                projects(first: 10) { edges { node { id name } } }
                artifactCollections(first: 10) { totalCount edges { node { id name } } }
                artifactMemberships(first: 10) { edges { node { id } } pageInfo { hasNextPage } }
            }
        }
    }";
    client.graphql(text, json!({ "o": organization })).await
}

/// The registries of [`seen`], each with the caller's role; none when the organization isn't there.
fn roles(seen: &Answer) -> Option<Vec<(String, String)>> {
    let nodes = seen.data["organization"]["registries"]["nodes"].as_array()?;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    Some(nodes.iter().map(|node| (text(&node["name"]), text(&node["yourRole"]))).collect())
}

fn counts(seen: &Answer) -> (Value, usize, usize) {
    let entity = &seen.data["organization"]["orgEntity"];
    let edges = |field: &str| entity[field]["edges"].as_array().map_or(0, Vec::len);
    (entity["artifactCollections"]["totalCount"].clone(), edges("projects"), edges("artifactMemberships"))
}

/// How far somebody gets with an organization's ids: for each registry seeing and changing it, for each version seeing it, reading
/// it, linking it into `acme`'s open registry.
async fn by_ids(client: &Client, tenant: &Tenant) -> Vec<String> {
    let mut outcomes = Vec::new();
    for id in &tenant.registries {
        let number = decode_id(&["Registry"], id).unwrap();
        let project = encode_id("Project", number);
        let native = own(client, "registryUpdate", json!({ "id": id, "description": "mine" })).await;
        // Nobody of this number is a member: whoever may remove members is told that none is left.
        let removal = json!({ "p": project, "u": encode_id("User", 999_999) });
        let text = "mutation($p: ID!, $u: ID!) { deleteProjectMembers(input: { projectId: $p, userIds: [$u] }) { success } }";
        let wire = client.graphql(text, removal).await;
        outcomes.push(format!("registry {} {}", code(&native), code(&wire)));
    }
    for id in &tenant.versions {
        let ours = encode_id("Version", decode_id(&["Artifact"], id).unwrap());
        let text = "query($v: ID!) { version(id: $v) { digest links { collection { registry { name } } } } }";
        let version = client.graphql(text, json!({ "v": ours })).await.ok();
        let links = version["version"]["links"].as_array().map_or(0, Vec::len);
        let text = "query($v: ID!) { artifact(id: $v) { currentManifest { file { directUrl } } } }";
        let manifest = client.graphql(text, json!({ "v": id })).await.ok();
        let read = manifest.pointer("/artifact/currentManifest/file/directUrl").is_some_and(Value::is_string);
        outcomes.push(format!("version {} {links} {read}", !version["version"].is_null()));
    }
    outcomes
}

#[tokio::test]
async fn rules_14_and_19_the_same_names_in_two_organizations() {
    let World { server, bob, acme, globex } = world().await;
    let pairs = |expected: &[(&str, &str)]| {
        Some(expected.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned())).collect::<Vec<_>>())
    };
    let admin = [("closed", "ADMIN"), ("shared", "ADMIN")];
    for (client, ours, expected) in [
        (&acme.admin, &acme, pairs(&admin)),
        (&acme.admin, &globex, None),
        (&globex.admin, &globex, pairs(&admin)),
        (&globex.admin, &acme, None),
        (&bob, &acme, pairs(&[("shared", "VIEWER")])),
        (&bob, &globex, pairs(&[("shared", "VIEWER")])),
        (&server.admin().await, &acme, pairs(&[])),
    ] {
        let answer = seen(client, ours.organization).await;
        assert_eq!(roles(&answer), expected, "{}", ours.organization);
        let counted = match expected.as_deref() {
            None => (Value::Null, 0, 0),
            Some([]) => (json!(0), 0, 0),
            Some([_]) => (json!(1), 1, 1),
            // Of admins: the teams' projects aren't the organization's own.
            Some(_) => (json!(3), 2, 3),
        };
        assert_eq!(counts(&answer), counted, "{}", ours.organization);
        let ids: Vec<&str> = answer.data["organization"]["registries"]["nodes"]
            .as_array()
            .map(|nodes| nodes.iter().map(|node| node["id"].as_str().unwrap()).collect())
            .unwrap_or_default();
        assert!(ids.iter().all(|id| ours.registries.iter().any(|own| own == id)), "ids of another organization");
    }

    // By ids that were guessed.
    let nothing =
        ["registry NOT_FOUND NOT_FOUND", "registry NOT_FOUND NOT_FOUND", "version false 0 false", "version false 0 false"];
    let all = ["registry OK OK", "registry OK OK", "version true 2 true", "version true 1 true"];
    let visitor =
        ["registry FORBIDDEN FORBIDDEN", "registry NOT_FOUND NOT_FOUND", "version true 1 true", "version false 0 false"];
    assert_eq!(by_ids(&acme.admin, &globex).await, nothing);
    assert_eq!(by_ids(&globex.admin, &acme).await, nothing);
    assert_eq!(by_ids(&server.admin().await, &acme).await, nothing);
    assert_eq!(by_ids(&acme.admin, &acme).await, all);
    assert_eq!(by_ids(&bob, &acme).await, visitor);
    assert_eq!(by_ids(&bob, &globex).await, visitor);

    // A role in one of them is none in the other, whatever it is.
    for (role, in_closed) in [("RESTRICTED_VIEWER", "false"), ("VIEWER", "true"), ("MEMBER", "true"), ("ADMIN", "true")] {
        let member = json!({ "registry": acme.registries[1], "users": ["bob"] });
        own(&acme.admin, "registryMemberAdd", member).await.expect_ok();
        let set = json!({ "registry": acme.registries[1], "user": "bob", "role": role });
        own(&acme.admin, "registryMemberSet", set).await.expect_ok();
        assert_eq!(roles(&seen(&bob, "acme").await), pairs(&[("closed", role), ("shared", "VIEWER")]));
        let right = if role == "ADMIN" { "OK" } else { "FORBIDDEN" };
        let expected = [
            "registry FORBIDDEN FORBIDDEN".to_owned(),
            format!("registry {right} {right}"),
            "version true 2 true".to_owned(),
            format!("version true 1 {in_closed}"),
        ];
        assert_eq!(by_ids(&bob, &acme).await, expected, "{role}");
        assert_eq!(roles(&seen(&bob, "globex").await), pairs(&[("shared", "VIEWER")]));
        assert_eq!(by_ids(&bob, &globex).await, visitor, "{role}");
        assert_eq!(by_ids(&acme.admin, &globex).await, nothing);
    }
    // Leaving the one takes the role there along and nothing of the other.
    own(&acme.admin, "organizationMemberRemove", json!({ "organization": "acme", "user": "bob" })).await.expect_ok();
    assert_eq!(by_ids(&bob, &acme).await, nothing);
    assert_eq!(by_ids(&bob, &globex).await, visitor);
}

/// Rule 21: a version stays in its organization, though the registry of the other has the same name and takes what the caller
/// links; rule 2: a name that is taken out of sight is told in the same words everywhere.
#[tokio::test]
async fn rules_2_and_21_nothing_goes_from_one_to_the_other() {
    let World { server, bob, acme, globex } = world().await;
    server.join("globex", "bob", OrganizationRole::Member).await;
    for tenant in [&acme, &globex] {
        for registry in &tenant.registries {
            own(&tenant.admin, "registryMemberAdd", json!({ "registry": registry, "users": ["bob"] })).await.expect_ok();
            let set = json!({ "registry": registry, "user": "bob", "role": "MEMBER" });
            own(&tenant.admin, "registryMemberSet", set).await.expect_ok();
        }
    }
    let before = server.everything().await;
    for (from, to) in [(&acme, &globex), (&globex, &acme)] {
        for registry in ["shared", "closed"] {
            // He may download the one and link into the other.
            let refused = bob.link(&from.versions[0], to.organization, registry, "C", &["mine"]).await;
            assert_eq!(refused.status, 400, "{}", refused.message());
            assert!(refused.message().contains("linking is only allowed within the same team"), "{}", refused.message());
            let target = format!("{}/wandb-registry-{registry}/C", to.organization);
            let version = encode_id("Version", decode_id(&["Artifact"], &from.versions[0]).unwrap());
            assert_eq!(code(&own(&bob, "versionLink", json!({ "version": version, "target": target })).await), "INVALID");
            // For each admin alone one end isn't there.
            for client in [&from.admin, &to.admin] {
                let refused = client.link(&from.versions[0], to.organization, registry, "C", &[]).await;
                let other = if std::ptr::eq(client, &from.admin) { to.organization } else { "weights" };
                assert_eq!(refused.code(), "NOT_FOUND", "{other}: {}", refused.message());
            }
        }
    }
    assert_eq!(server.everything().await, before);

    // bob makes a registry of the name of one that he doesn't see, in each organization.
    let mut sentences = Vec::new();
    for tenant in [&acme, &globex] {
        own(&tenant.admin, "registryMemberRemove", json!({ "registry": tenant.registries[1], "users": ["bob"] }))
            .await
            .expect_ok();
        let refused = own(&bob, "registryCreate", json!({ "organization": tenant.organization, "name": "closed" })).await;
        assert_eq!(code(&refused), "CONFLICT");
        sentences.push(refused.message().to_owned());
    }
    assert_eq!(sentences[0], sentences[1]);
}

/// Rule 42: what grows in one organization, or out of sight in one's own, changes neither lists, counts, cursors nor statements.
#[tokio::test]
async fn rule_42_what_others_have_changes_no_answer() {
    let World { server, bob, acme, globex } = world().await;
    server.join_team("gamma", "carol", TeamRole::Admin).await;
    for organization in ["acme", "globex"] {
        seen(&bob, organization).await.expect_ok();
    }
    let look = async || {
        let answers = [seen(&bob, "acme").await, seen(&bob, "globex").await, seen(&acme.admin, "acme").await];
        // Those of one round run side by side.
        answers.map(|mut answer| {
            answer.statements.sort();
            (answer.data, answer.statements)
        })
    };
    let before = look().await;
    let mut number = 0;
    for name in ["a first one", "closed as well", "zzz"] {
        globex.admin.make_registry("globex", name, "RESTRICTED").await;
        for collection in ["C", "D"] {
            number += 1;
            let spec = VersionSpec::model("gamma", &format!("more{number}"), format!("{number}").as_bytes());
            let version = globex.admin.log(&spec).await.id;
            globex.admin.link(&version, "globex", name, collection, &["best"]).await.expect_ok();
        }
    }
    let after = look().await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(roles(&seen(&globex.admin, "globex").await).unwrap().len(), 5, "they are there");
}
