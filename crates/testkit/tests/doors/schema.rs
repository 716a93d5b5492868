//! The schema as a whole: checked in, described, two sides that keep apart, no number that overflows, and every field of it
//! asked for by a document that works.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::registry::{MetaType, Registry};
use async_graphql::{OutputType, Positioned};
use regalia_graphql::{native, shared, wandb};
use serde_json::Value;

use crate::documents;

const INTROSPECTION: &str = "{ __schema { types { name kind description
    fields(includeDeprecated: true) { name description type { ...T } args { name description type { ...T } } }
    inputFields { name description type { ...T } } enumValues(includeDeprecated: true) { name description } possibleTypes { \
    name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The scalars and the type that both sides use besides `User` and `Organization`.
const COMMON: [&str; 10] = ["Boolean", "DateTime", "Float", "ID", "Int", "Int64", "JSON", "JSONString", "PageInfo", "String"];

/// One type for both sides, each side adding its fields; of an API key the wire needs no more than we do.
const SHARED: [&str; 3] = ["ApiKey", "Organization", "User"];

/// Every list whose length only the database knows. The resolver of each counts its rows (`Reach::counted`): prices take such
/// lists for short ones.
const COUNTED: [&str; 28] = [
    "Artifact.aliases",
    "Artifact.artifactMemberships",
    "Artifact.tags",
    "Artifact.usedBy",
    "ArtifactCollection.aliases",
    "ArtifactCollection.tags",
    "ArtifactCollectionMembership.aliases",
    "ArtifactPortfolio.aliases",
    "ArtifactPortfolio.tags",
    "ArtifactSequence.aliases",
    "ArtifactSequence.tags",
    "Collection.tags",
    "Entity.members",
    "Lineage.edges",
    "Lineage.nodes",
    "Link.aliases",
    "Project.artifactTypes",
    "Project.members",
    "Project.teamMembers",
    "ProjectRun.tags",
    "Registry.types",
    "RegistryAccess.sources",
    "Run.tags",
    "User.apiKeys",
    "User.organizations",
    "User.teams",
    "Version.links",
    "Version.tags",
];

/// Every place where a 32-bit number is enough: an index or page length of at most 2³¹, and a count that is always 0.
const INTS: [&str; 64] = [
    "AliasPeriod.index",
    "Artifact.files(first:)",
    "Artifact.usedBy(first:)",
    "Artifact.versionIndex",
    "ArtifactCollection.aliases(first:)",
    "ArtifactCollection.artifacts(first:)",
    "ArtifactCollectionConnection.totalCount",
    "ArtifactCollectionMembership.files(first:)",
    "ArtifactCollectionMembership.versionIndex",
    "ArtifactConnection.totalCount",
    "ArtifactPortfolio.aliases(first:)",
    "ArtifactPortfolio.artifacts(first:)",
    "ArtifactSequence.aliases(first:)",
    "ArtifactSequence.artifacts(first:)",
    "ArtifactType.artifactCollections(first:)",
    "Collection.aliasHistory(first:)",
    "Collection.events(first:)",
    "Collection.links(first:)",
    "Entity.artifactCollections(first:)",
    "Entity.artifactMemberships(first:)",
    "Entity.projects(first:)",
    "FileConnection.totalCount",
    "IndexFilter.before",
    "IndexFilter.from",
    "IndexFilter.oneOf",
    "InputArtifactConnection.totalCount",
    "LabelFilter.count",
    "Link.index",
    "LinkArtifactPayload.versionIndex",
    "Organization.events(first:)",
    "Organization.members(first:)",
    "Organization.registries(first:)",
    "Organization.teams(first:)",
    "Project.artifactCollections(first:)",
    "Project.artifactTypes(first:)",
    "Project.runs(first:)",
    "ProjectRun.files(first:)",
    "ProjectRun.inputs(first:)",
    "ProjectRun.outputs(first:)",
    "Query.accountEvents(first:)",
    "Query.lineage(depth:)",
    "Query.models(first:)",
    "Query.organizations(first:)",
    "Query.runs(first:)",
    "Query.teams(first:)",
    "Query.users(first:)",
    "Registry.collections(first:)",
    "Registry.events(first:)",
    "Registry.teamMembers(first:)",
    "Registry.userMembers(first:)",
    "Run.eventsLineCount",
    "Run.files(first:)",
    "Run.historyLineCount",
    "Run.inputArtifacts(first:)",
    "Run.logLineCount",
    "Run.outputArtifacts(first:)",
    "Team.members(first:)",
    "UploadUrlPart.partNumber",
    "User.apiKeys(first:)",
    "User.sessions(first:)",
    "User.teams(first:)",
    "Version.files(first:)",
    "Version.usedBy(first:)",
    "VersionedArtifactConnection.totalCount",
];

/// The innermost name of a type reference.
fn named(of: &Value) -> String {
    if of["ofType"].is_null() { of["name"].as_str().unwrap_or_default().to_owned() } else { named(&of["ofType"]) }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The types of the schema but for introspection's own, by name.
async fn types() -> BTreeMap<String, Value> {
    let response = regalia_graphql::schema(None).execute(INTROSPECTION).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    let data = response.data.into_json().unwrap();
    let types = list(&data["__schema"]["types"]).iter().map(|of| (text(&of["name"]).to_owned(), of.clone()));
    types.filter(|(name, _)| !name.starts_with("__")).collect()
}

fn is_wandb(description: &Value) -> bool {
    text(description).starts_with("W&B protocol")
}

/// Rule 44: a list that has no pages is counted while it is read.
#[test]
fn rule_44_lists_without_pages_are_known() {
    assert_eq!(regalia_graphql::prices::Shape::of(&regalia_graphql::sdl()).counted(), COUNTED);
}

#[test]
fn the_checked_in_schema_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema.graphql");
    let file = std::fs::read_to_string(path).unwrap();
    let served = regalia_graphql::sdl();
    if let Some((number, (here, there))) = (1..).zip(file.lines().zip(served.lines())).find(|(_, (here, there))| here != there) {
        panic!(
            "schema.graphql is old, first in line {number}: {here:?} is served as {there:?}. Run `make schema` and look at the \
                difference."
        );
    }
    assert_eq!(file, served, "schema.graphql is old. Run `make schema` and look at the difference.");
}

#[tokio::test]
async fn everything_is_described() {
    let mut bare = Vec::new();
    let mut check = |place: String, description: &Value| {
        if text(description).trim().is_empty() {
            bare.push(place);
        }
    };
    for (name, of) in types().await {
        // GraphQL's own scalars, and the engine's connections, can't be described themselves; what is in them can.
        let given = ["Boolean", "Float", "ID", "Int", "String"].contains(&name.as_str()) || name.ends_with("Connection");
        if !given || text(&of["description"]).starts_with("W&B protocol") {
            check(name.clone(), &of["description"]);
        }
        for field in list(&of["fields"]) {
            let place = format!("{name}.{}", text(&field["name"]));
            check(place.clone(), &field["description"]);
            for argument in list(&field["args"]) {
                check(format!("{place}({}:)", text(&argument["name"])), &argument["description"]);
            }
        }
        for field in list(&of["inputFields"]).iter().chain(list(&of["enumValues"])) {
            check(format!("{name}.{}", text(&field["name"])), &field["description"]);
        }
    }
    assert!(bare.is_empty(), "without a description:\n{}", bare.join("\n"));
}

#[tokio::test]
async fn only_what_fits_is_an_int() {
    let mut found = BTreeSet::new();
    for (name, of) in types().await {
        let fields = list(&of["fields"]).iter().chain(list(&of["inputFields"]));
        for field in fields {
            let place = format!("{name}.{}", text(&field["name"]));
            if named(&field["type"]) == "Int" {
                found.insert(place.clone());
            }
            for argument in list(&field["args"]) {
                if named(&argument["type"]) == "Int" {
                    found.insert(format!("{place}({}:)", text(&argument["name"])));
                }
            }
        }
    }
    let allowed: BTreeSet<String> = INTS.iter().map(|place| (*place).to_owned()).collect();
    assert_eq!(found, allowed, "a count or size that can pass 2³¹ is an Int64; what can't stands in this list");
}

/// What can be reached from the root fields of one side, and from that side's fields of the shared types.
fn reach(types: &BTreeMap<String, Value>, wandb: bool) -> BTreeSet<String> {
    let both: BTreeSet<&str> = SHARED.into_iter().chain(["Query", "Mutation"]).collect();
    let mut reached = BTreeSet::new();
    let mut next = vec!["Query".to_owned(), "Mutation".to_owned()];
    while let Some(name) = next.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let of = &types[&name];
        for field in list(&of["fields"]).iter().chain(list(&of["inputFields"])) {
            if both.contains(name.as_str()) && is_wandb(&field["description"]) != wandb {
                continue;
            }
            next.push(named(&field["type"]));
            next.extend(list(&field["args"]).iter().map(|argument| named(&argument["type"])));
        }
        next.extend(list(&of["possibleTypes"]).iter().map(|possible| text(&possible["name"]).to_owned()));
    }
    reached
}

#[tokio::test]
async fn neither_side_names_the_other() {
    let types = types().await;
    let (wire, ours) = (reach(&types, true), reach(&types, false));
    let both: BTreeSet<&str> = wire.intersection(&ours).map(String::as_str).collect();
    let common: BTreeSet<&str> = COMMON.into_iter().chain(SHARED).chain(["Query", "Mutation"]).collect();
    assert!(both.is_subset(&common), "on both sides: {:?}", both.difference(&common));
    let unreached: Vec<&String> =
        types.keys().filter(|name| !wire.contains(*name) && !ours.contains(*name) && *name != "Float").collect();
    assert!(unreached.is_empty(), "nothing leads to {unreached:?}");

    let mut wrong = Vec::new();
    for (name, of) in types.iter().filter(|(name, _)| !common.contains(name.as_str())) {
        let wandb = wire.contains(name);
        if is_wandb(&of["description"]) != wandb {
            wrong.push(name.clone());
        }
        for field in list(&of["fields"]).iter().chain(list(&of["inputFields"])).chain(list(&of["enumValues"])) {
            let place = format!("{name}.{}", text(&field["name"]));
            if is_wandb(&field["description"]) != wandb {
                wrong.push(place.clone());
            }
            for argument in list(&field["args"]).iter().filter(|argument| !argument["description"].is_null()) {
                if is_wandb(&argument["description"]) != wandb {
                    wrong.push(format!("{place}({}:)", text(&argument["name"])));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\"W&B protocol\" begins the descriptions of that side and of nothing else:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_wire_s_root_fields_are_those_that_say_so() {
    let types = types().await;
    let roots = ["Query", "Mutation"].into_iter().flat_map(|root| list(&types[root]["fields"]));
    let told: BTreeSet<&str> = roots.filter(|field| is_wandb(&field["description"])).map(|field| text(&field["name"])).collect();
    assert_eq!(told, BTreeSet::from(wandb::ROOT_FIELDS));
    assert_eq!(wandb::ROOT_FIELDS.len(), told.len(), "a root field stands in the list twice");
    for field in ["organization", "viewer", "users"] {
        assert!(!told.contains(field), "{field} is shared, and ours");
    }
    // A shared root field is the wire's when it leads to what the wire adds, which is known by name alone (rule 45).
    let described = |of: &Value, wandb: bool| {
        let fields = list(&of["fields"]).iter().filter(move |field| is_wandb(&field["description"]) == wandb);
        fields.map(|field| text(&field["name"]).to_owned()).collect::<BTreeSet<_>>()
    };
    let added: BTreeSet<String> = SHARED.iter().flat_map(|name| described(&types[*name], true)).collect();
    assert_eq!(added, wandb::SHARED_FIELDS.map(str::to_owned).into());
    assert_eq!(wandb::SHARED_FIELDS.len(), added.len(), "a shared field stands in the list twice");
    for (name, of) in types.iter().filter(|(_, of)| of["kind"] == "OBJECT") {
        let ours = described(of, false);
        assert!(added.is_disjoint(&ours), "{name} has a field of ours with a name of the wire's: {ours:?}");
    }
}

/// The fields that a member of a merged object declares.
fn declared<T: OutputType>() -> Vec<String> {
    let mut registry = Registry::default();
    let name = T::create_type_info(&mut registry);
    let name = name.trim_end_matches('!');
    match &registry.types[name] {
        MetaType::Object { fields, .. } => fields.keys().cloned().collect(),
        _ => panic!("{name} is no object"),
    }
}

/// The engine answers a field that two members of a merged object declare by the last one, silently.
#[tokio::test]
async fn no_field_of_a_merged_object_is_declared_twice() {
    let types = types().await;
    let members: [(&str, Vec<Vec<String>>); 4] = [
        (
            "Query",
            vec![
                declared::<native::user::UserQuery>(),
                declared::<native::organization::OrganizationQuery>(),
                declared::<native::team::TeamQuery>(),
                declared::<native::registry::RegistryQuery>(),
                declared::<native::version::VersionQuery>(),
                declared::<native::history::HistoryQuery>(),
                declared::<native::lineage::LineageQuery>(),
                declared::<native::run::RunQuery>(),
                declared::<wandb::WandbQuery>(),
            ],
        ),
        (
            "Mutation",
            vec![
                declared::<native::user::UserMutation>(),
                declared::<native::api_key::ApiKeyMutation>(),
                declared::<native::session::SessionMutation>(),
                declared::<native::service_account::ServiceAccountMutation>(),
                declared::<native::organization::OrganizationMutation>(),
                declared::<native::team::TeamMutation>(),
                declared::<native::registry::RegistryMutation>(),
                declared::<native::registry_member::RegistryMemberMutation>(),
                declared::<native::version::VersionMutation>(),
                declared::<native::collection::CollectionMutation>(),
                declared::<native::history::HistoryMutation>(),
                declared::<wandb::project::ProjectMutation>(),
                declared::<wandb::registry_member::ProjectMemberMutation>(),
                declared::<wandb::run_changes::RunMutation>(),
                declared::<wandb::publish::PublishMutation>(),
                declared::<wandb::life::LifeMutation>(),
                declared::<wandb::team::TeamMutation>(),
                declared::<wandb::user::UserMutation>(),
            ],
        ),
        ("User", vec![declared::<native::user::NativeUser>(), declared::<wandb::entity::WandbUser>()]),
        (
            "Organization",
            vec![
                declared::<native::organization::NativeOrganization>(),
                declared::<native::registry::OrganizationRegistries>(),
                declared::<native::history::OrganizationHistory>(),
                declared::<wandb::entity::WandbOrganization>(),
            ],
        ),
    ];
    for (name, members) in members {
        let all: Vec<&String> = members.iter().flatten().collect();
        let once: BTreeSet<&str> = all.iter().map(|field| field.as_str()).collect();
        assert_eq!(all.len(), once.len(), "two members of {name} declare the same field: {all:?}");
        let merged: BTreeSet<&str> = list(&types[name]["fields"]).iter().map(|field| text(&field["name"])).collect();
        assert_eq!(once, merged, "{name} has another member: add it to this test");
    }
    // The shared types as they are merged, once more from the code.
    assert_eq!(declared::<shared::User>().len(), list(&types["User"]["fields"]).len());
}

/// Marks the fields that a selection asks for, each under the type that it is asked of.
fn mark(
    types: &BTreeMap<String, Value>,
    document: &ExecutableDocument,
    of: &str,
    set: &Positioned<SelectionSet>,
    seen: &mut BTreeSet<(String, String)>,
) {
    for selection in &set.node.items {
        match &selection.node {
            Selection::Field(field) => {
                let name = field.node.name.node.as_str();
                let Some(declared) = list(&types[of]["fields"]).iter().find(|field| text(&field["name"]) == name) else {
                    continue;
                };
                seen.insert((of.to_owned(), name.to_owned()));
                mark(types, document, &named(&declared["type"]), &field.node.selection_set, seen);
            }
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref().map_or(of, |condition| condition.node.on.node.as_str());
                mark(types, document, condition, &fragment.node.selection_set, seen);
            }
            Selection::FragmentSpread(spread) => {
                let fragment = &document.fragments[&spread.node.fragment_name.node].node;
                mark(types, document, fragment.type_condition.node.on.node.as_str(), &fragment.selection_set, seen);
            }
        }
    }
}

#[tokio::test]
async fn every_field_is_asked_for_by_a_document_that_works() {
    let types = types().await;
    let world = documents::world().await;
    let mut seen = BTreeSet::new();
    let working = world.documents().await.into_iter().map(|document| (document, None));
    let refused = world.refused().into_iter().map(|(document, sentence)| (document, Some(sentence)));
    for (document, refusal) in working.chain(refused) {
        let answer = document.client.graphql(&document.text, document.variables.clone()).await;
        match refusal {
            None => assert!(answer.errors.is_empty(), "{} with {}: {:?}", document.text, document.variables, answer.errors),
            Some(sentence) => assert!(answer.message().starts_with(sentence), "{}: {:?}", document.text, answer.errors),
        }
        let parsed = parse_query(&document.text).unwrap();
        for (_, operation) in parsed.operations.iter() {
            let root = if operation.node.ty == OperationType::Mutation { "Mutation" } else { "Query" };
            mark(&types, &parsed, root, &operation.node.selection_set, &mut seen);
        }
    }
    let declared = types.values().filter(|of| ["OBJECT", "INTERFACE"].contains(&text(&of["kind"]))).flat_map(|of| {
        let name = text(&of["name"]).to_owned();
        list(&of["fields"]).iter().map(move |field| (name.clone(), text(&field["name"]).to_owned()))
    });
    let unasked: Vec<String> =
        declared.filter(|field| !seen.contains(field)).map(|(of, field)| format!("{of}.{field}")).collect();
    assert!(unasked.is_empty(), "no document asks for:\n{}", unasked.join("\n"));
}
