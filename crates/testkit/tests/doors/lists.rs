//! Filtered and ordered lists of the wire (rules 42, 43): the lists, and the rows that they list, which the files below this one
//! ask for. What must not live here: the language of filters (the domain crate's tests), lists of our own side (`pages`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use regalia_domain::filters::timestamp::Timestamp;
use regalia_domain::filters::value::Json;
use regalia_domain::filters::{
    CollectionRow, CollectionTest, Filter, FilterError, RegistryRow, RegistryTest, VersionRow, VersionState, VersionTest,
};
use regalia_domain::ids::decode_id;
use regalia_domain::metadata::Metadata;
use regalia_domain::orders::{CollectionOrder, Order, OrderKey, RegistryOrder, VersionOrder};
use regalia_domain::roles::OrganizationRole;
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::native::code;

mod oracle;
mod order;
mod refused;
pub mod statements;

// The lists -------------------------------------------------------------------------------------------------------

/// A list of the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// An organization's registries.
    Registries,
    /// Collections in an organization's registries.
    Collections,
    /// Versions in an organization's registries, at their places.
    Memberships,
    /// Collections of a project.
    InProject,
    /// Collections of a type of a project.
    OfType,
    /// Versions of a collection.
    Artifacts,
}

const LISTS: [List; 6] = [List::Registries, List::Collections, List::Memberships, List::InProject, List::OfType, List::Artifacts];

/// The status of what is refused: these are the W&B protocol's, also where they begin at `organization`, which both sides have
/// (rule 45).
const REFUSED: u16 = 400;

const PAGE: &str = "{ pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { id } } }";

impl List {
    /// The field with `$filters`, `$first`, `$after`, `$order`, and what stands around it; `LIST` is the field.
    fn field(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Registries => ("organization(name: $org) { orgEntity { LIST } }", "projects", "filters: $filters"),
            Self::Collections => (
                "organization(name: $org) { orgEntity { LIST } }",
                "artifactCollections",
                "projectFilters: $projects, filters: $filters, collectionTypes: [PORTFOLIO]",
            ),
            Self::Memberships => (
                "organization(name: $org) { orgEntity { LIST } }",
                "artifactMemberships",
                "projectFilters: $projects, collectionFilters: $collections, filters: $filters",
            ),
            Self::InProject => {
                ("project(entityName: $org, name: \"wandb-registry-model\") { LIST }", "artifactCollections", "filters: $filters")
            }
            Self::OfType => (
                "project(entityName: $org, name: \"wandb-registry-model\") { artifactType(name: \"model\") { LIST } }",
                "artifactCollections",
                "filters: $filters",
            ),
            Self::Artifacts => (
                "project(entityName: $org, name: \"wandb-registry-model\") { artifactCollection(name: \"Net\") { LIST } }",
                "artifacts",
                "filters: $filters",
            ),
        }
    }

    fn document(self, page: &str) -> String {
        let (around, field, arguments) = self.field();
        let list = format!("list: {field}({arguments}, first: $first, after: $after, order: $order) {page}");
        let variables: String = [("$projects", "JSONString"), ("$collections", "JSONString")]
            .iter()
            .filter(|(name, _)| arguments.contains(name))
            .map(|(name, kind)| format!("{name}: {kind}, "))
            .collect();
        format!(
            "query($org: String! = \"acme\", {variables}$filters: JSONString, $first: Int, $after: String, $order: String) {{ {} }}",
            around.replace("LIST", &list)
        )
    }

    async fn ask(self, client: &Client, variables: Value) -> Answer {
        client.graphql(&self.document(PAGE), variables).await
    }

    /// The kind in the ids of its rows.
    fn kind(self) -> &'static str {
        match self {
            Self::Registries => "Project",
            Self::Collections | Self::InProject | Self::OfType => "ArtifactCollection",
            Self::Memberships => "ArtifactCollectionMembership",
            Self::Artifacts => "Artifact",
        }
    }

    /// The numbers of the rows on a page.
    fn numbers(self, connection: &Value) -> Vec<i64> {
        let edges = connection["edges"].as_array().unwrap_or_else(|| panic!("{self:?}: {connection}"));
        edges.iter().map(|edge| decode_id(&[self.kind()], edge["node"]["id"].as_str().unwrap()).unwrap()).collect()
    }

    /// Its orders, without sign.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Memberships | Self::Artifacts => &["version_index", "created_at", "updated_at"],
            _ => &["name", "created_at", "updated_at"],
        }
    }
}

/// The connection in an answer's data, wherever it is.
fn connection(data: &Value) -> Value {
    match data {
        Value::Object(fields) => match fields.get("list") {
            Some(list) => list.clone(),
            None => fields.values().map(connection).next().unwrap_or_default(),
        },
        _ => Value::Null,
    }
}

// What they list --------------------------------------------------------------------------------------------------

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn nullable(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), quoted)
}

/// Owner, name, visibility, description, made on, changed on.
type RegistryData = (&'static str, &'static str, &'static str, Option<&'static str>, &'static str, &'static str);

/// Owner of the registry, registry, name, type, description, made on, changed on, tags.
type CollectionData = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Registries. bob sees those of acme that aren't restricted, and `Zoo` as its member.
const REGISTRIES: [RegistryData; 14] = [
    ("acme", "model", "organization", Some("All models"), "2025-01-31 23:59:59", "2026-01-01"),
    ("acme", "Model 2", "organization", None, "2025-02-01", "2025-02-01"),
    ("acme", "dataset", "organization", Some(""), "2025-02-01", "2025-02-01"),
    ("acme", "100% _sure_", "organization", Some("100% _sure_, (a+)+$ and \\ too"), "2025-02-01 00:00:00.000001", "2025-03-01"),
    ("acme", "100_ x", "organization", Some("zwei\nZeilen"), "2025-02-01", "2025-03-01 12:00:00"),
    ("acme", "größe 😀", "organization", Some("GRÖSSE \u{212a}elvin ſtraße"), "2024-02-29 12:00:00", "2025-03-01"),
    ("acme", "Ünïcode", "organization", Some(" "), "1999-12-31 23:59:59.999999", "2030-01-01"),
    ("acme", "a.b*c", "organization", Some("null"), "2025-02-01", "2025-02-02"),
    ("acme", "wandb-registry-twice", "organization", Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), "2025-02-01", "2025-02-02"),
    ("acme", "secret", "restricted", Some("All models"), "2025-02-01", "2025-02-02"),
    ("acme", "Zoo", "restricted", None, "2025-02-01", "2025-02-02"),
    // Case twins in another organization.
    ("elsewhere", "Model", "organization", Some("All models"), "2025-02-01", "2025-02-01"),
    ("elsewhere", "model 2", "organization", None, "2025-02-01", "2025-02-01"),
    ("elsewhere", "SECRET", "restricted", Some(""), "2025-02-01", "2025-02-02"),
];

/// Collections.
const COLLECTIONS: [CollectionData; 16] = [
    ("acme", "model", "Net", "model", Some("a card"), "2025-02-01", "2025-02-02", &["prod", "vision", "größte 1"]),
    ("acme", "model", "net", "model", None, "2025-02-01", "2025-02-02", &[]),
    ("acme", "model", "Example ML Task", "model", Some(""), "2025-02-01 12:00:00", "2025-02-02", &["prod"]),
    ("acme", "model", "100% _x_", "dataset", Some("100% _x_"), "2025-01-01", "2026-02-02", &["PROD", "a b"]),
    ("acme", "model", "😀 emoji", "dataset", Some("😀"), "2025-02-01", "2025-02-02", &["vision"]),
    ("acme", "model", "a.b (c+)$", "model", Some("(a+)+$"), "2025-02-01", "2025-02-03", &["a-b"]),
    ("acme", "Model 2", "Net", "model", Some("a card"), "2024-02-01", "2025-02-02", &["prod", "vision"]),
    ("acme", "dataset", "Straße", "dataset", Some("Éclair\r\nzwei"), "2025-02-01", "2025-02-02", &["prod", "test", "v"]),
    ("acme", "dataset", "STRASSE", "model", None, "2025-02-01", "2025-02-02", &["vision"]),
    ("acme", "100% _sure_", "Net B", "model", Some("x"), "2025-02-01", "2025-02-02", &[]),
    ("acme", "größe 😀", "empty", "model", Some("Nothing in it"), "2025-02-01", "2025-02-02", &["prod"]),
    ("acme", "secret", "Net", "model", Some("a card"), "2025-02-01", "2025-02-02", &["prod"]),
    ("acme", "secret", "hidden", "model", None, "2025-02-01", "2025-02-02", &["hidden"]),
    ("acme", "Zoo", "Zebra", "model", Some("striped"), "2025-02-01", "2025-02-02", &["prod"]),
    ("elsewhere", "Model", "Net", "model", Some("a card"), "2025-02-01", "2025-02-02", &["prod"]),
    ("elsewhere", "SECRET", "net", "model", None, "2025-02-01", "2025-02-02", &["vision"]),
];

/// Versions of the team alpha: metadata, tags, made on, changed on, state.
const VERSIONS: [(&str, &[&str], &str, &str, &str); 15] = [
    (
        r#"{"accuracy":0.9,"seed":9007199254740993,"lang":["de","fr"],"nested":{"deep":{"x":1}},"ok":true,"note":null,"1":"one","a.b":1}"#,
        &["prod", "fast"],
        "2025-02-01",
        "2025-02-02",
        "committed",
    ),
    (
        r#"{"accuracy":1,"seed":9007199254740992,"lang":"de","ok":false,"note":"null","matrix":[[1,2],[3],[]],"nested":{"deep":[1,2,{"x":1}]}}"#,
        &["prod"],
        "2025-02-01",
        "2025-02-03",
        "committed",
    ),
    (r#"{"accuracy":1.0,"lang":[],"note":"","1":1,"0":{"1":2}}"#, &[], "2025-02-01", "2025-02-02", "committed"),
    (
        r#"{"accuracy":10e-1,"seed":-5,"lang":["DE",null,1,true],"note":"Über alles\nzwei"}"#,
        &["größte 1", "a b"],
        "2024-12-31 23:59:59",
        "2025-02-02",
        "committed",
    ),
    (r#"{"accuracy":"1","seed":1e400,"note":"1e401","ok":1e401}"#, &["PROD"], "2025-02-01", "2025-02-02", "committed"),
    ("{}", &[], "2025-02-01", "2026-02-02", "committed"),
    (
        r#"{"accuracy":null,"seed":-9007199254740993,"lang":[["de"]],"nested":[{"deep":1},{"deep":{"x":2}}]}"#,
        &["fast"],
        "2025-02-05",
        "2025-02-06",
        "committed",
    ),
    (
        r#"{"accuracy":[0.5,1.5,"1"],"note":"(a+)+$ %_ \\ . *","ok":"true","nested":"deep"}"#,
        &["prod", "fast", "v"],
        "2025-02-01",
        "2025-02-02",
        "committed",
    ),
    (
        r#"{"accuracy":-0.0,"seed":0,"note":"😀 \u212a \u017f straße\t\u007f"}"#,
        &["prod"],
        "2025-02-01",
        "2025-02-02",
        "committed",
    ),
    (r#"{"accuracy":5,"accuracy":2,"lang":{"0":"de"}}"#, &[], "2025-02-01 12:00:00.5", "2025-02-02", "committed"),
    (r#"{"accuracy":0.90000000000000000000001,"matrix":[1,2]}"#, &["a-b"], "2025-02-01", "2025-02-02", "committed"),
    (r#"{"accuracy":-1.5e-3,"ok":[true,false],"lang":"DE"}"#, &[], "2025-02-01", "2025-02-02", "committed"),
    (r#"{"accuracy":1e-400,"seed":12345678901234567890}"#, &[], "2025-02-01", "2025-02-02", "committed"),
    // In no list (rule 33).
    (r#"{"accuracy":1}"#, &["prod"], "2025-02-01", "2025-02-02", "deleted"),
    (r#"{"accuracy":1}"#, &["prod"], "2025-02-01", "2025-02-02", "pending"),
];

/// A server with all this.
struct World {
    server: Server,
    alice: Client,
    bob: Client,
    carol: Client,
}

/// Makes a [`World`]. People and one version come through the doors; what no door writes yet, by SQL.
async fn world() -> World {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.organization("elsewhere", "carol").await;
    alice.log(&VersionSpec::model("alpha", "net", b"weights")).await;
    let mut sql = String::new();
    for (owner, name, visibility, description, made, changed) in REGISTRIES {
        let (name, description) = (quoted(name), nullable(description));
        writeln!(
            sql,
            "with p as (insert into projects (kind, entity_id, name, name_key, description, visibility, created_at, updated_at) \
             values ('registry', (select id from entities where name = '{owner}'), {name}, lower({name}), {description}, \
             '{visibility}', '{made}Z', '{changed}Z') returning id) \
             insert into artifact_types (project_id, name, listed) select id, t, true from p, unnest('{{model,dataset}}'::text[]) t;"
        )
        .unwrap();
    }
    sql.push_str(
        "insert into registry_user_members (registry_id, user_id, role) select p.id, u.id, 'restricted_viewer' \
         from projects p, entities u where p.name = 'Zoo' and u.name = 'bob';\n",
    );
    for (owner, registry, name, kind, description, made, changed, tags) in COLLECTIONS {
        let (registry, name, description) = (quoted(registry), quoted(name), nullable(description));
        let tags: Vec<String> = tags.iter().map(|tag| quoted(tag)).collect();
        writeln!(
            sql,
            "with c as (insert into collections (project_id, kind, name, type_id, description, created_at, updated_at) \
             select p.id, 'registry', {name}, t.id, {description}, '{made}Z', '{changed}Z' \
             from projects p join entities e on e.id = p.entity_id join artifact_types t on t.project_id = p.id \
             where e.name = '{owner}' and p.name = {registry} and t.name = '{kind}' returning id) \
             insert into collection_tags (collection_id, tag) select id, t from c, unnest(array[{}]::text[]) t;",
            tags.join(",")
        )
        .unwrap();
    }
    for (number, (metadata, tags, made, changed, state)) in VERSIONS.into_iter().enumerate() {
        let index = quoted(&Metadata::parse(metadata).unwrap().index_text());
        let tags: Vec<String> = tags.iter().map(|tag| quoted(tag)).collect();
        let committed = if state == "pending" { "null" } else { "now()" };
        // Linked into every third collection, each time from another one on, with gaps and with indices of their own.
        writeln!(
            sql,
            "with v as (insert into versions (collection_id, state, digest, manifest_id, metadata, metadata_index, created_at, \
             updated_at, committed_at) select v.collection_id, '{state}', v.digest, v.manifest_id, {}, {index}, '{made}Z', \
             '{changed}Z', {committed} from versions v order by v.id limit 1 returning id, collection_id), \
             t as (insert into version_tags (version_id, tag) select id, t from v, unnest(array[{}]::text[]) t), \
             born as (insert into memberships (collection_id, version_id, index) select collection_id, id, {number} + 1 from v) \
             insert into memberships (collection_id, version_id, index) select c.id, v.id, {number} * 7 % 16 \
             from collections c, v where c.kind = 'registry' and c.name <> 'empty' and (c.id + {number}) % 3 <> 0;",
            quoted(metadata),
            tags.join(",")
        )
        .unwrap();
    }
    // Aliases of today, in one collection, in another, in both; and of the past, which count nowhere.
    sql.push_str(
        "insert into aliases (collection_id, version_id, alias, valid) \
         select distinct on (collection_id, alias) collection_id, version_id, alias, tstzrange(now(), null) \
         from memberships m join collections c on c.id = m.collection_id, unnest('{latest,best,größte,a.b,PROD,prod 1}'::text[]) alias \
         where c.kind = 'registry' and (m.id + length(alias)) % 4 <> 0 order by collection_id, alias, m.index desc;
         insert into aliases (collection_id, version_id, alias, valid) \
         select collection_id, version_id, 'old', tstzrange('2020-01-01', '2021-01-01') from memberships \
         where index = 0;
         insert into aliases (collection_id, version_id, alias, valid) \
         select collection_id, version_id, 'best', tstzrange('2020-01-01', '2021-01-01') from memberships \
         where index = 7;",
    );
    server.sql(&sql).await;
    for client in [&alice, &bob, &carol] {
        // The first use of a key is noted, with a statement of its own.
        client.graphql("{ __typename }", json!({})).await.expect_ok();
    }
    World { server, alice, bob, carol }
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_else(|| panic!("{field} of {row}")).to_owned()
}

fn number(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_else(|| panic!("{field} of {row}"))
}

fn time(row: &Value, field: &str) -> Timestamp {
    Timestamp::from_micros(number(row, field)).unwrap()
}

fn labels(row: &Value, field: &str) -> BTreeSet<String> {
    row[field].as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned()).collect()
}

/// A moment as its microseconds, in SQL.
fn micros(column: &str) -> String {
    format!("(extract(epoch from {column}) * 1000000)::bigint")
}

/// A registry with what decides who sees it.
struct Registry {
    row: RegistryRow,
    owner: String,
    restricted: bool,
}

/// A collection with where it is.
struct Collection {
    row: CollectionRow,
    registry: i64,
    type_name: String,
}

/// A version's place with where it is.
struct Place {
    row: VersionRow,
    collection: i64,
}

/// The rows as the domain knows them, read from the tables. Source collections have places but no registry.
struct Rows {
    registries: BTreeMap<i64, Registry>,
    collections: BTreeMap<i64, Collection>,
    places: Vec<Place>,
}

impl Rows {
    async fn read(server: &Server) -> Self {
        let (made, changed) = (micros("x.created_at"), micros("x.updated_at"));
        let times = format!("{made} as made, {changed} as changed");
        let registries = server
            .rows(&format!(
                "select x.id, x.name, x.entity_id, x.description, e.name as owner, x.visibility, {times} \
                 from projects x join entities e on e.id = x.entity_id where x.kind = 'registry'"
            ))
            .await;
        let collections = server
            .rows(&format!(
                "select x.id, x.name, x.description, x.project_id, t.name as type, {times}, \
                 array(select tag from collection_tags where collection_id = x.id) as tags \
                 from collections x join artifact_types t on t.id = x.type_id where x.kind = 'registry'"
            ))
            .await;
        // From the metadata as it was given, not from its indexed form.
        let places = server
            .rows(&format!(
                "select x.id, m.id as place, m.index, m.collection_id, x.state, x.metadata::text as metadata, {times}, \
                 array(select tag from version_tags where version_id = x.id) as tags, \
                 array(select alias from aliases a where a.collection_id = m.collection_id and a.version_id = m.version_id \
                 and upper(a.valid) is null) as aliases from memberships m join versions x on x.id = m.version_id"
            ))
            .await;
        let registry = |row: &Value| Registry {
            row: RegistryRow {
                id: number(row, "id"),
                name: text(row, "name"),
                entity_id: number(row, "entity_id"),
                description: row["description"].as_str().map(str::to_owned),
                created_at: time(row, "made"),
                updated_at: time(row, "changed"),
            },
            owner: text(row, "owner"),
            restricted: row["visibility"] == "restricted",
        };
        let collection = |row: &Value| Collection {
            row: CollectionRow {
                id: number(row, "id"),
                name: text(row, "name"),
                tags: labels(row, "tags"),
                description: row["description"].as_str().map(str::to_owned),
                created_at: time(row, "made"),
                updated_at: time(row, "changed"),
            },
            registry: number(row, "project_id"),
            type_name: text(row, "type"),
        };
        let place = |row: &Value| Place {
            row: VersionRow {
                id: number(row, "id"),
                membership_id: number(row, "place"),
                index: number(row, "index"),
                state: match row["state"].as_str() {
                    Some("committed") => VersionState::Committed,
                    Some("pending") => VersionState::Pending,
                    _ => VersionState::Deleted,
                },
                tags: labels(row, "tags"),
                aliases: labels(row, "aliases"),
                metadata: Json::parse(&Metadata::parse(&text(row, "metadata")).unwrap().index_text()).unwrap(),
                created_at: time(row, "made"),
                updated_at: time(row, "changed"),
            },
            collection: number(row, "collection_id"),
        };
        Self {
            registries: registries.iter().map(registry).map(|registry| (registry.row.id, registry)).collect(),
            collections: collections.iter().map(collection).map(|collection| (collection.row.id, collection)).collect(),
            places: places.iter().map(place).collect(),
        }
    }

    /// The registries of acme that somebody sees.
    fn seen(&self, who: &str) -> impl Fn(&Registry) -> bool + use<> {
        let member = who == "bob";
        move |registry| registry.owner == "acme" && (!member || !registry.restricted || registry.row.name == "Zoo")
    }

    /// The registry `model` of acme.
    fn model(&self) -> i64 {
        let found = self.registries.values().find(|registry| registry.owner == "acme" && registry.row.name == "model");
        found.unwrap().row.id
    }

    /// What a list holds, by number and in order, before its pages are cut: all that `who` sees of what the filters want.
    fn listed(&self, list: List, who: &str, wanted: &Wanted<'_>) -> Result<Vec<i64>, FilterError> {
        let seen = self.seen(who);
        let model = self.model();
        let registries: Filter<RegistryTest> = Filter::parse(wanted.projects.unwrap_or("{}"))?;
        let in_registry = |collection: &Collection| {
            let registry = &self.registries[&collection.registry];
            seen(registry) && registries.matches(&registry.row)
        };
        Ok(match list {
            List::Registries => {
                let filter: Filter<RegistryTest> = Filter::parse(wanted.filters)?;
                let rows = self.registries.values().filter(|registry| seen(registry) && filter.matches(&registry.row));
                ordered::<RegistryOrder>(rows.map(|registry| &registry.row), wanted.order, RegistryOrder::id)
            }
            List::Collections | List::InProject | List::OfType => {
                let filter: Filter<CollectionTest> = Filter::parse(wanted.filters)?;
                let here = |collection: &&Collection| match list {
                    List::Collections => in_registry(collection),
                    List::InProject => collection.registry == model,
                    _ => collection.registry == model && collection.type_name == "model",
                };
                let rows = self.collections.values().filter(here).map(|collection| &collection.row);
                ordered::<CollectionOrder>(rows.filter(|row| filter.matches(row)), wanted.order, CollectionOrder::id)
            }
            List::Memberships | List::Artifacts => {
                let filter: Filter<VersionTest> = Filter::parse(wanted.filters)?;
                let collections: Filter<CollectionTest> = Filter::parse(wanted.collections.unwrap_or("{}"))?;
                let here = |place: &&Place| {
                    let Some(collection) = self.collections.get(&place.collection) else { return false };
                    place.row.state == VersionState::Committed
                        && match list {
                            List::Memberships => in_registry(collection) && collections.matches(&collection.row),
                            _ => collection.registry == model && collection.row.name == "Net",
                        }
                };
                let rows = self.places.iter().filter(here).map(|place| &place.row).filter(|row| filter.matches(row));
                let id = |row: &VersionRow| if list == List::Artifacts { row.id } else { row.membership_id };
                ordered::<VersionOrder>(rows, wanted.order, id)
            }
        })
    }
}

/// What is asked of a list.
#[derive(Debug, Clone, Copy)]
struct Wanted<'w> {
    projects: Option<&'w str>,
    collections: Option<&'w str>,
    filters: &'w str,
    order: Option<&'w str>,
}

impl<'w> Wanted<'w> {
    fn only(filters: &'w str) -> Self {
        Self { projects: None, collections: None, filters, order: None }
    }

    fn variables(&self) -> Value {
        json!({
            "projects": self.projects, "collections": self.collections, "filters": self.filters, "order": self.order, "first": 1000,
        })
    }
}

fn ordered<'r, K: OrderKey>(rows: impl Iterator<Item = &'r K::Row>, order: Option<&str>, id: impl Fn(&K::Row) -> i64) -> Vec<i64>
where
    K::Row: 'r,
{
    let order = order.map_or(K::DEFAULT, |order| Order::parse(order).unwrap());
    let mut rows: Vec<&K::Row> = rows.collect();
    rows.sort_by(|a, b| order.compare(a, b));
    rows.into_iter().map(id).collect()
}

/// What a request asked of the lists, by the names of the statements.
fn of_lists(answer: &Answer) -> Vec<String> {
    let name = |statement: &String| statement.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut names: Vec<String> = answer.statements.iter().map(name).filter(|name| name.starts_with("lists::")).collect();
    names.sort();
    names
}
