//! Registries made and changed through both sides of the schema (rules 1 to 5, 7, 8, 11). Each table is run at each door, and
//! what became of it is read at both. What must not live here: many at once (`races`), who sees what (`access`).

use std::collections::BTreeSet;

use regalia_domain::ids::encode_id;
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Map, Value, json};

use crate::documents;
use crate::native::{code, own};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Wire,
    Ours,
}

const DOORS: [Door; 2] = [Door::Wire, Door::Ours];

/// Puts a field that was given under another name.
fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

impl Door {
    /// Makes a registry, or changes one on the wire. `fields`: description, visibility, types, allow_all; each as absent,
    /// null or a value.
    async fn create(self, client: &Client, organization: &str, name: &str, fields: &Value) -> Answer {
        let mut input = fields.as_object().unwrap().clone();
        if self == Door::Ours {
            assert!(!input.contains_key("allow_all"), "only an update of ours has it");
            input.insert("organization".into(), organization.into());
            input.insert("name".into(), name.into());
            return own(client, "registryCreate", input.into()).await;
        }
        input.insert("entityName".into(), organization.into());
        input.insert("name".into(), format!("wandb-registry-{name}").into());
        if let Some(visibility) = input.remove("visibility") {
            input.insert("access".into(), if visibility == "ORGANIZATION" { "PRIVATE".into() } else { visibility });
        }
        if let Some(types) = input.remove("types") {
            let types = types.as_array().map(|types| types.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>());
            input.insert("artifactTypes".into(), types.into());
        }
        rename(&mut input, "allow_all", "allowAllArtifactTypesInRegistry");
        let answer = client.graphql(&documents::upsert_registry(), json!({ "input": input })).await;
        let status = match code(&answer) {
            "OK" => 200,
            "INVALID" => 400,
            "FORBIDDEN" => 403,
            "NOT_FOUND" => 404,
            "CONFLICT" => 409,
            other => panic!("{other}: {:?}", answer.errors),
        };
        assert_eq!(answer.status, status, "{:?}", answer.errors);
        answer
    }

    /// Changes a registry.
    async fn update(self, client: &Client, organization: &str, name: &str, fields: &Value) -> Answer {
        if self == Door::Wire {
            return self.create(client, organization, name, fields).await;
        }
        let mut input = fields.as_object().unwrap().clone();
        rename(&mut input, "types", "addTypes");
        rename(&mut input, "allow_all", "allowAllTypes");
        let find = "query($o: String!, $n: String!) { registry(organization: $o, name: $n) { id } }";
        let found = client.graphql(find, json!({ "o": organization, "n": name })).await.ok();
        input.insert("id".into(), found["registry"]["id"].clone());
        own(client, "registryUpdate", input.into()).await
    }
}

/// What a registry is, read at both doors, which must agree; null when the caller sees none.
async fn state(client: &Client, organization: &str, name: &str) -> Value {
    let query = "query($o: String!, $n: String!) { registry(organization: $o, name: $n) { id name fullName description \
        visibility \
        allowsAllTypes types yourRole organization { entityName } } }";
    let ours = client.graphql(query, json!({ "o": organization, "n": name })).await.ok()["registry"].clone();
    let full = format!("wandb-registry-{name}");
    let wire = client.graphql(&documents::fetch_registry(), json!({ "entity": organization, "name": full })).await.ok();
    let wire = &wire["entity"]["project"];
    if ours.is_null() {
        assert!(wire.is_null(), "{name} is there on the wire alone");
        return Value::Null;
    }
    assert_eq!((&wire["name"], &wire["description"]), (&ours["fullName"], &ours["description"]));
    assert_eq!(wire["access"], if ours["visibility"] == "ORGANIZATION" { "PRIVATE" } else { "RESTRICTED" });
    assert_eq!(wire["allowAllArtifactTypes"], ours["allowsAllTypes"]);
    let types: Vec<&Value> =
        wire["artifactTypes"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]["name"]).collect();
    assert_eq!(json!(types), ours["types"]);
    assert_eq!(wire["entity"]["name"], ours["organization"]["entityName"]);
    assert_eq!(wire["entity"]["entityType"], "organization");
    assert_eq!(wire["readOnly"], !["MEMBER", "ADMIN"].contains(&ours["yourRole"].as_str().unwrap()));
    ours
}

#[tokio::test]
async fn rule_1_names() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let (longest, too_long) = ("é".repeat(113), "a".repeat(114));
    for door in DOORS {
        let organization = server.organization(&format!("{door:?}"), "alice").await;
        for name in ["model card", "a.b-c_d", "モデル", "&", "wandb-registry-x", "Café", "ﬁle", &longest] {
            let made = door.create(&alice, &organization, name, &json!({})).await;
            assert_eq!(code(&made), "OK", "{door:?} {name}: {:?}", made.errors);
            let there = state(&alice, &organization, name).await;
            assert_eq!((&there["name"], &there["fullName"]), (&json!(name), &json!(format!("wandb-registry-{name}"))));
            assert_eq!(there["organization"]["entityName"], organization, "it belongs to the organization's entity");
        }
        let before = server.everything().await;
        for name in [
            "",
            " ",
            " a",
            "a ",
            "a\u{3000}",
            "a/b",
            "a\\b",
            "a#b",
            "a?b",
            "a%b",
            "a:b",
            "a\rb",
            "a\nb",
            "a\u{7f}",
            "a\0b",
            &too_long,
        ] {
            assert_eq!(code(&door.create(&alice, &organization, name, &json!({})).await), "INVALID", "{door:?} {name:?}");
        }
        // Twins by case or normalization of a name that is there; each is told like a taken name.
        for twin in ["Model Card", "MODEL CARD", "Cafe\u{301}", "CAFÉ", "file", "A.B-C_D"] {
            let refused = door.create(&alice, &organization, twin, &json!({})).await;
            assert_eq!(code(&refused), "CONFLICT", "{door:?} {twin}");
            assert!(refused.message().contains("different name"), "{}", refused.message());
            assert!(state(&alice, &organization, twin).await.is_null(), "an exact match identifies: {twin}");
        }
        assert_eq!(server.everything().await, before);
        // Unique in the organization, not beyond.
        assert_eq!(code(&door.create(&alice, "acme", &format!("{door:?} model"), &json!({})).await), "OK");
        assert_eq!(code(&door.create(&alice, &organization, &format!("{door:?} model"), &json!({})).await), "OK");
    }
}

#[tokio::test]
async fn rule_2_create_update_or_one_generic_error() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    bob.make_registry("acme", "bobs", "ORGANIZATION").await;
    alice.make_registry("acme", "alices", "ORGANIZATION").await;
    alice.make_registry("acme", "hidden", "RESTRICTED").await;
    let inserted = |answer: Answer| answer.ok()["upsertModel"]["inserted"].clone();
    let described = json!({ "description": "new" });
    // No such row: created. A row that the caller administers, as its creator or as the organization's admin: updated.
    assert_eq!(inserted(Door::Wire.create(&bob, "acme", "more", &json!({})).await), true);
    assert_eq!(inserted(Door::Wire.create(&bob, "acme", "more", &described).await), false);
    assert_eq!(inserted(Door::Wire.create(&alice, "acme", "bobs", &described).await), false);
    assert_eq!(state(&bob, "acme", "more").await["description"], "new");
    assert_eq!(state(&bob, "acme", "bobs").await["description"], "new");
    // Saying the same again changes nothing.
    let before = server.everything().await;
    assert_eq!(inserted(Door::Wire.create(&bob, "acme", "more", &described).await), false);
    assert_eq!(server.everything().await, before);

    // Any other row, seen or hidden, and every twin: one error, in the same words.
    let mut errors = BTreeSet::new();
    for name in ["alices", "hidden", "Alices", "HIDDEN", "More"] {
        let answer = Door::Wire.create(&bob, "acme", name, &described).await;
        errors.insert((answer.status, answer.code().to_owned(), answer.message().replace(name, "NAME")));
    }
    for name in ["bobs", "alices", "hidden", "Hidden", "More"] {
        let answer = Door::Ours.create(&bob, "acme", name, &described).await;
        errors.insert((409, answer.code().to_owned(), answer.message().replace(name, "NAME")));
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (_, code_told, sentence) = errors.first().unwrap();
    assert!(code_told == "CONFLICT" && sentence.contains("different name"), "{sentence}");
    assert_eq!(server.everything().await, before);

    // Ours has an update by id: absent, hidden and no registry at all are one answer; seen but not administered another.
    let number = async |name: &str| server.number(&format!("select id from projects where name = '{name}'")).await;
    alice.log(&VersionSpec::model("alpha", "net", b"weights")).await;
    let mut sentences = BTreeSet::new();
    for id in [number("hidden").await, number("demo").await, 999_999] {
        let refused = own(&bob, "registryUpdate", json!({ "id": encode_id("Registry", id), "description": "x" })).await;
        assert_eq!(code(&refused), "NOT_FOUND");
        sentences.insert(refused.message().to_owned());
    }
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    let seen = encode_id("Registry", number("alices").await);
    assert_eq!(code(&own(&bob, "registryUpdate", json!({ "id": seen, "description": "x" })).await), "FORBIDDEN");
    let wrong = encode_id("Project", number("alices").await);
    assert_eq!(code(&own(&alice, "registryUpdate", json!({ "id": wrong, "description": "x" })).await), "INVALID");

    // The wire's id means nothing: the name decides.
    let input = json!({ "entityName": "acme", "name": "wandb-registry-fresh", "id": wrong, "description": "fresh" });
    let made = alice.graphql(&documents::upsert_registry(), json!({ "input": input })).await.ok();
    assert_eq!(made["upsertModel"]["inserted"], true);
    assert_ne!(made["upsertModel"]["project"]["id"], json!(wrong));
    assert!(state(&alice, "acme", "alices").await["description"].is_null());
}

#[tokio::test]
async fn rule_3_who_creates() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let admin = server.admin().await;
    let seat = server.user("seat").await;
    server.join("acme", "seat", OrganizationRole::Viewer).await;
    for (setting, expected) in [
        ("MEMBERS", ["OK", "OK", "FORBIDDEN", "NOT_FOUND", "FORBIDDEN"]),
        ("ADMINS", ["OK", "FORBIDDEN", "FORBIDDEN", "NOT_FOUND", "FORBIDDEN"]),
    ] {
        own(&alice, "organizationUpdate", json!({ "organization": "acme", "registryCreation": setting })).await.expect_ok();
        for door in DOORS {
            for ((who, client), expected) in
                [("alice", &alice), ("bob", &bob), ("seat", &seat), ("carol", &carol), ("admin", &admin)]
                    .into_iter()
                    .zip(expected)
            {
                let name = format!("{setting} {door:?} {who}");
                let answer = door.create(client, "acme", &name, &json!({})).await;
                assert_eq!(code(&answer), expected, "{name}: {:?}", answer.errors);
                if expected == "NOT_FOUND" {
                    // An organization that she isn't in is as one that isn't there.
                    let nowhere = door.create(client, "nowhere", &name, &json!({})).await;
                    assert_eq!(answer.message().replace("acme", "nowhere"), nowhere.message());
                }
                let direct = format!(
                    "select count(*) from registry_user_members m join projects p on p.id = m.registry_id join entities e on \
                        e.id = m.user_id \
                     where p.name = '{name}' and e.name = '{who}' and m.role = 'admin'"
                );
                assert_eq!(server.number(&direct).await, i64::from(expected == "OK"), "{name}: the creator is a direct admin");
                if expected == "OK" {
                    assert_eq!(state(client, "acme", &name).await["yourRole"], "ADMIN");
                }
            }
        }
    }
}

#[tokio::test]
async fn rule_4_types_at_creation() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let all = (true, json!([]));
    for door in DOORS {
        for (number, (fields, expected)) in [
            (json!({}), Some(all.clone())),
            (json!({ "types": null }), Some(all.clone())),
            (json!({ "types": [] }), Some(all.clone())),
            (json!({ "types": ["model"] }), Some((false, json!(["model"])))),
            (json!({ "types": ["model", "dataset", "model"] }), Some((false, json!(["dataset", "model"])))),
            (json!({ "types": ["Model", "model"] }), Some((false, json!(["Model", "model"])))),
            (json!({ "types": ["run_table", "code", "my type"] }), Some((false, json!(["code", "my type", "run_table"])))),
            // Rule 6: what the SDK keeps for itself, and what is no name.
            (json!({ "types": ["job"] }), None),
            (json!({ "types": ["model", "wandb-history"] }), None),
            (json!({ "types": ["a/b"] }), None),
            (json!({ "types": ["a:b"] }), None),
            (json!({ "types": [""] }), None),
            (json!({ "types": ["x".repeat(129)] }), None),
            (json!({ "allow_all": true }), Some(all.clone())),
            (json!({ "allow_all": true, "types": [] }), Some(all.clone())),
            (json!({ "allow_all": false, "types": ["model"] }), Some((false, json!(["model"])))),
            (json!({ "allow_all": true, "types": ["model"] }), None),
            (json!({ "allow_all": false }), None),
        ]
        .into_iter()
        .enumerate()
        {
            if door == Door::Ours && fields.get("allow_all").is_some() {
                continue;
            }
            let name = format!("{door:?} {number}");
            let before = server.everything().await;
            let answer = door.create(&alice, "acme", &name, &fields).await;
            let Some((allows_all, types)) = expected else {
                assert_eq!(code(&answer), "INVALID", "{door:?} {fields}");
                assert_eq!(server.everything().await, before);
                continue;
            };
            answer.expect_ok();
            let there = state(&alice, "acme", &name).await;
            assert_eq!((&there["allowsAllTypes"], &there["types"]), (&json!(allows_all), &types), "{door:?} {fields}");
        }
    }
    // Only those on the list can be linked.
    let model = alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    let mut data = VersionSpec::model("alpha", "data", b"data");
    data.type_name = "dataset".into();
    let data = alice.log(&data).await.id;
    alice.link(&model, "acme", "Ours 3", "Net", &[]).await.expect_ok();
    let before = server.everything().await;
    let refused = alice.link(&data, "acme", "Ours 3", "Data", &[]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("dataset") && refused.message().contains("it allows: model"), "{}", refused.message());
    assert_eq!(server.everything().await, before);
    alice.link(&data, "acme", "Ours 0", "Data", &[]).await.expect_ok();
}

#[tokio::test]
async fn rule_5_updates_add_types() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut versions = Vec::new();
    for type_name in ["model", "dataset"] {
        let mut spec = VersionSpec::model("alpha", type_name, type_name.as_bytes());
        spec.type_name = type_name.into();
        versions.push(alice.log(&spec).await.id);
    }
    let (open, used) = (json!({}), json!(["dataset", "model"]));
    let list = json!({ "types": ["a"] });
    // From what it was made with, the updates one after the other, and what it is then: all types?, and the list shown.
    // `None`: refused, and nothing changed. A registry that allows all types has versions of two types in use.
    let cases = [
        (&open, vec![json!({})], Some((true, used.clone()))),
        (&open, vec![json!({ "types": null })], Some((true, used.clone()))),
        (&open, vec![json!({ "types": [] })], Some((true, used.clone()))),
        (&open, vec![json!({ "types": ["new"] })], None),
        (&open, vec![json!({ "allow_all": true, "types": ["new"] })], None),
        (&open, vec![json!({ "allow_all": null })], Some((true, used.clone()))),
        (&open, vec![json!({ "allow_all": false })], Some((false, used.clone()))),
        (&open, vec![json!({ "allow_all": false, "types": ["new"] })], Some((false, json!(["dataset", "model", "new"])))),
        (&open, vec![json!({ "allow_all": false }), json!({ "allow_all": true })], Some((true, used.clone()))),
        (&list, vec![json!({})], Some((false, json!(["a"])))),
        (&list, vec![json!({ "types": ["b"] })], Some((false, json!(["a", "b"])))),
        (&list, vec![json!({ "types": ["a", "b", "b"] })], Some((false, json!(["a", "b"])))),
        (&list, vec![json!({ "types": ["b"] }), json!({ "types": ["c"] })], Some((false, json!(["a", "b", "c"])))),
        (&list, vec![json!({ "allow_all": false, "types": [] })], Some((false, json!(["a"])))),
        (&list, vec![json!({ "allow_all": true })], Some((true, json!(["a"])))),
        (&list, vec![json!({ "allow_all": true }), json!({ "types": ["b"] })], None),
        (&list, vec![json!({ "allow_all": true }), json!({ "types": ["a"] })], Some((true, json!(["a"])))),
        (&list, vec![json!({ "allow_all": true, "types": ["b"] })], None),
        (&list, vec![json!({ "allow_all": true }), json!({ "allow_all": false })], Some((false, json!(["a"])))),
        (&list, vec![json!({ "types": ["job"] })], None),
        (&list, vec![json!({ "types": ["b", "wandb-x"] })], None),
        (&list, vec![json!({ "types": ["a/b"] })], None),
    ];
    for door in DOORS {
        for (number, (made, updates, expected)) in cases.iter().enumerate() {
            let name = format!("{door:?} {number}");
            door.create(&alice, "acme", &name, made).await.expect_ok();
            if *made == &open {
                for (number, version) in versions.iter().enumerate() {
                    alice.link(version, "acme", &name, &format!("Line {number}"), &[]).await.expect_ok();
                }
            }
            let (last, first) = updates.split_last().unwrap();
            for update in first {
                door.update(&alice, "acme", &name, update).await.expect_ok();
            }
            let before = server.everything().await;
            let answer = door.update(&alice, "acme", &name, last).await;
            let Some((allows_all, types)) = expected else {
                assert_eq!(code(&answer), "INVALID", "{door:?} {made} {updates:?}");
                assert_eq!(server.everything().await, before, "{door:?} {made} {updates:?}");
                continue;
            };
            answer.expect_ok();
            let there = state(&alice, "acme", &name).await;
            assert_eq!((&there["allowsAllTypes"], &there["types"]), (&json!(allows_all), types), "{door:?} {made} {updates:?}");
        }
    }
    // Turned off, the list is what may be linked: what was in use still, nothing else.
    let mut other = VersionSpec::model("alpha", "other", b"other");
    other.type_name = "other".into();
    let other = alice.log(&other).await.id;
    assert_eq!(alice.link(&other, "acme", "Ours 6", "Other", &[]).await.status, 400);
    alice.link(&versions[0], "acme", "Ours 6", "Again", &[]).await.expect_ok();
    // What no collection is of any more was never saved, and isn't shown. What is saved stays.
    for (name, left) in [("Ours 0", json!(["dataset"])), ("Ours 8", used)] {
        let path = format!("acme/wandb-registry-{name}/Line 0");
        let line = alice.graphql("query($path: String!) { collection(path: $path) { id } }", json!({ "path": path })).await.ok();
        own(&alice, "collectionDelete", json!({ "collection": line["collection"]["id"] })).await.expect_ok();
        let there = state(&alice, "acme", name).await;
        assert_eq!((&there["allowsAllTypes"], &there["types"]), (&json!(true), &left), "{name}");
    }
}

#[tokio::test]
async fn rule_7_null_and_empty_descriptions() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for door in DOORS {
        for (number, (made, update, expected)) in [
            (json!({}), json!({}), Value::Null),
            (json!({ "description": null }), json!({ "description": null }), Value::Null),
            (json!({ "description": "" }), json!({}), json!("")),
            (json!({ "description": "" }), json!({ "description": null }), json!("")),
            (json!({}), json!({ "description": "" }), json!("")),
            (json!({ "description": "text" }), json!({ "description": "" }), json!("")),
            (json!({ "description": "text" }), json!({ "description": null }), json!("text")),
            (json!({ "description": "" }), json!({ "description": "Zeile 1\nZeile 2 — ✓" }), json!("Zeile 1\nZeile 2 — ✓")),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("{door:?} {number}");
            door.create(&alice, "acme", &name, &made).await.expect_ok();
            let given = made.get("description").cloned().unwrap_or_default();
            assert_eq!(state(&alice, "acme", &name).await["description"], given, "{door:?} {made}");
            door.update(&alice, "acme", &name, &update).await.expect_ok();
            assert_eq!(state(&alice, "acme", &name).await["description"], expected, "{door:?} {made} {update}");
        }
    }
}

#[tokio::test]
async fn rule_8_visibility() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let version = alice.log(&VersionSpec::model("alpha", "net", b"weights")).await.id;
    for door in DOORS {
        for (made, name) in [(json!({}), "open"), (json!({ "visibility": "ORGANIZATION" }), "asked")] {
            let name = format!("{door:?} {name}");
            door.create(&alice, "acme", &name, &made).await.expect_ok();
            assert_eq!(state(&bob, "acme", &name).await["visibility"], "ORGANIZATION");
        }
        let name = format!("{door:?} open");
        alice.link(&version, "acme", &name, "Net", &[]).await.expect_ok();
        let urls = json!({ "entity": "acme", "project": format!("wandb-registry-{name}"), "collection": "Net", "alias": "v0" });
        let found = bob.graphql(documents::FILE_URLS, urls).await.ok();
        let url = found["project"]["artifactCollection"]["artifactMembership"]["files"]["edges"][0]["node"]["directUrl"].as_str();
        let url = url.expect("a URL").to_owned();
        assert_eq!(bob.get(&url, &[]).await.0, 200);
        // Restricted: members only, at once; who isn't has no way to it any more.
        door.update(&alice, "acme", &name, &json!({ "visibility": "RESTRICTED" })).await.expect_ok();
        assert_eq!(state(&alice, "acme", &name).await["visibility"], "RESTRICTED");
        assert!(state(&bob, "acme", &name).await.is_null());
        assert_eq!(bob.get(&url, &[]).await.0, 404);
        // The way back is refused; what stays is no change.
        let before = server.everything().await;
        assert_eq!(code(&door.update(&alice, "acme", &name, &json!({ "visibility": "ORGANIZATION" })).await), "INVALID");
        door.update(&alice, "acme", &name, &json!({ "visibility": null })).await.expect_ok();
        door.update(&alice, "acme", &name, &json!({ "visibility": "RESTRICTED" })).await.expect_ok();
        assert_eq!(server.everything().await, before);
        // Made so from the start.
        let name = format!("{door:?} closed");
        door.create(&bob, "acme", &name, &json!({ "visibility": "RESTRICTED" })).await.expect_ok();
        assert_eq!(state(&bob, "acme", &name).await["yourRole"], "ADMIN");
        assert_eq!(state(&alice, "acme", &name).await["yourRole"], "ADMIN", "rule 14: an organization's admin");
    }
    let input = json!({ "entityName": "acme", "name": "wandb-registry-x", "access": "PUBLIC" });
    let refused = alice.graphql(&documents::upsert_registry(), json!({ "input": input })).await;
    assert_eq!((refused.status, code(&refused)), (400, "INVALID"));
}

/// Rule 19: an organization goes by either of its names; what is asked for by one means the same by the other.
#[tokio::test]
async fn rule_19_a_registry_is_updated_by_either_name_of_its_organization() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let entity = server.organization("Acme Labs", "alice").await;
    server.join("Acme Labs", "bob", OrganizationRole::Member).await;
    assert_ne!(entity, "Acme Labs");
    Door::Wire.create(&bob, &entity, "models", &json!({ "types": ["model"] })).await.expect_ok();
    // bob administers this registry, and may make no more.
    own(&alice, "organizationUpdate", json!({ "organization": entity, "registryCreation": "ADMINS" })).await.expect_ok();
    for (who, client) in [("alice", &alice), ("bob", &bob)] {
        for name in [entity.as_str(), "Acme Labs"] {
            // No change of the list, though a registry couldn't be made with this.
            let fields = json!({ "allow_all": false, "description": format!("{who} by {name}") });
            let updated = Door::Wire.update(client, name, "models", &fields).await;
            assert_eq!(updated.ok()["upsertModel"]["inserted"], false, "{who} {name}");
            assert_eq!(state(&alice, &entity, "models").await["description"], fields["description"]);
        }
    }
    for name in [entity.as_str(), "Acme Labs"] {
        assert_eq!(code(&Door::Wire.create(&bob, name, "more", &json!({})).await), "FORBIDDEN", "{name}");
    }
}

#[tokio::test]
async fn rule_11_core_registries() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let mut data = VersionSpec::model("alpha", "data", b"data");
    data.type_name = "dataset".into();
    let (model, data) = (bob.log(&VersionSpec::model("alpha", "net", b"weights")).await.id, bob.log(&data).await.id);
    let link = async |door: Door, client: &Client, version: &str, registry: &str| match door {
        Door::Wire => client.link(version, "acme", registry, "Line", &[]).await,
        Door::Ours => {
            own(client, "versionLink", json!({ "version": version, "target": format!("acme/wandb-registry-{registry}/Line") }))
                .await
        }
    };
    let none = server.everything().await;
    for door in DOORS {
        // Any other absent registry is an error, a core one of the wrong type too: nothing is left of it.
        for (version, registry, expected) in [
            (&model, "other", "NOT_FOUND"),
            (&model, "Model", "NOT_FOUND"),
            (&model, "dataset", "INVALID"),
            (&data, "model", "INVALID"),
        ] {
            let refused = link(door, &bob, version, registry).await;
            assert_eq!(code(&refused), expected, "{door:?} {registry}: {:?}", refused.errors);
        }
        assert_eq!(server.everything().await, none);
    }
    // Who may not create registries gets for a core one what he gets for any.
    own(&alice, "organizationUpdate", json!({ "organization": "acme", "registryCreation": "ADMINS" })).await.expect_ok();
    for door in DOORS {
        let (core, other) = (link(door, &bob, &model, "model").await, link(door, &bob, &model, "other").await);
        assert_eq!(code(&core), "NOT_FOUND");
        assert_eq!(core.message(), other.message().replace("other", "model"));
    }
    own(&alice, "organizationUpdate", json!({ "organization": "acme", "registryCreation": "MEMBERS" })).await.expect_ok();
    for (door, version, registry) in [(Door::Wire, &model, "model"), (Door::Ours, &data, "dataset")] {
        link(door, &bob, version, registry).await.expect_ok();
        let there = state(&bob, "acme", registry).await;
        assert_eq!((&there["visibility"], &there["allowsAllTypes"]), (&json!("ORGANIZATION"), &json!(false)));
        assert_eq!((&there["types"], &there["yourRole"]), (&json!([registry]), &json!("ADMIN")));
        // It is there now, for everybody who may link.
        link(door, &alice, version, registry).await.expect_ok();
    }
}
