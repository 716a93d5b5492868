//! Filtered and ordered lists of the wire (rules 42, 43): that a filter finds in PostgreSQL what `Filter::matches` says of the
//! same rows; orders and cursors; what is refused; that nothing invisible is in a list or a count; how many statements a page
//! takes. What must not live here: the language of filters (the domain crate's tests), lists of our own side (`pages`).

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

// Random filters --------------------------------------------------------------------------------------------------

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.below(from.len())]
    }

    fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// One time in so many.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// What a field takes, as JSON.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    NullableText,
    Labels,
    Number,
    Time,
    Version,
    State,
    Json,
}

/// A field under each of its names, what it takes, and the values from the rows.
type Field = (Vec<String>, Kind, Vec<String>);

const PATTERNS: [&str; 27] = [
    "",
    "^$",
    ".",
    "^.$",
    "^[mM]odel",
    "(?i)MODEL",
    "^wandb-registry-[a-z]",
    "(a+)+$",
    r"\bnet\b",
    r"\d{2,3}",
    r"[^\x01-\x7f]|[a-c]$",
    "(?s)^.+$",
    "(?i)größe|É",
    r"\s",
    "[%_]",
    r"\W$",
    "😀",
    "(?i)k",
    "[[:upper:]]",
    r"^(\w+[ -]?)+$",
    "(?i)STRASSE|straße",
    r"^\S+$",
    "(?=a)",
    "a.c",
    r"\(a\+\)",
    "e$",
    "o{2}",
];

const SCALARS: [&str; 34] = [
    "1",
    "1.0",
    "10e-1",
    "0.9",
    "0.90",
    "9e-1",
    "9007199254740993",
    "9007199254740992",
    "9007199254740992.0",
    "-5",
    "0",
    "-0",
    "1e400",
    "0.5",
    "-0.0015",
    "2",
    "1e-400",
    "-9007199254740993",
    "\"de\"",
    "\"DE\"",
    "\"1\"",
    "\"true\"",
    "\"null\"",
    "\"\"",
    "\"Über alles\\nzwei\"",
    "\"(a+)+$\"",
    "\"1e401\"",
    "\"deep\"",
    "\"one\"",
    "true",
    "false",
    "null",
    "12345678901234567890",
    "\"Z\"",
];

const JSON_LISTS: [&str; 8] =
    ["[]", "[\"de\",\"fr\"]", "[\"fr\",\"de\"]", "[1,2]", "[1.0,2.00]", "[null]", "[\"DE\",null,1,true]", "[true,false]"];

const PATHS: [&str; 28] = [
    "accuracy",
    "seed",
    "lang",
    "lang.0",
    "lang.-1",
    "lang.1",
    "lang. 0",
    "lang.+0",
    "lang.00",
    "lang.-0",
    "lang.0x",
    "nested.deep.x",
    "nested.deep",
    "nested.0.deep",
    "nested.1.deep.x",
    "nested.deep.2.x",
    "nested",
    "note",
    "ok",
    "1",
    "0.1",
    "a.b",
    "matrix",
    "matrix.0",
    "matrix.0.1",
    "matrix.-1",
    "absent",
    "note.0",
];

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A text of the rows, or one like it.
fn near(random: &mut Random, texts: &[String]) -> String {
    let text = random.pick(texts).clone();
    let chars: Vec<char> = text.chars().collect();
    match random.below(9) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        2 => format!("wandb-registry-{text}"),
        3 => format!("{text} "),
        4 | 5 if !chars.is_empty() => {
            let start = random.below(chars.len());
            let end = start + 1 + random.below(chars.len() - start);
            chars[start..end].iter().take(250).collect()
        }
        _ => text,
    }
}

fn value(random: &mut Random, kind: Kind, values: &[String]) -> String {
    match kind {
        Kind::Text | Kind::Labels => json_text(&near(random, values)),
        Kind::NullableText if random.once_in(8) => "null".to_owned(),
        Kind::NullableText => json_text(&near(random, values)),
        Kind::Number | Kind::Version | Kind::Time => random.pick(values).clone(),
        Kind::State => random.word(&["\"COMMITTED\"", "\"PENDING\"", "\"DELETED\""]).to_owned(),
        Kind::Json => random.word(&SCALARS).to_owned(),
    }
}

fn values(random: &mut Random, kind: Kind, from: &[String]) -> String {
    let values: Vec<String> = (0..random.below(5)).map(|_| value(random, kind, from)).collect();
    format!("[{}]", values.join(","))
}

fn comparison(random: &mut Random) -> &'static str {
    random.word(&["$gt", "$gte", "$lt", "$lte"])
}

/// An operator and its operand that the kind of field has.
fn operation(random: &mut Random, kind: Kind, from: &[String]) -> String {
    let labels_or_json = matches!(kind, Kind::Labels | Kind::Json);
    let texts = labels_or_json || matches!(kind, Kind::Text | Kind::NullableText);
    loop {
        return match random.below(12) {
            0 => format!("\"$eq\":{}", value(random, kind, from)),
            1 => format!("\"$ne\":{}", value(random, kind, from)),
            2 => format!("\"$in\":{}", values(random, kind, from)),
            3 => format!("\"$nin\":{}", values(random, kind, from)),
            4 => format!("\"$exists\":{}", random.word(&["true", "false"])),
            5 | 6 if !matches!(kind, Kind::State) => {
                let operator = comparison(random);
                let mut operand = value(random, kind, from);
                if matches!(operand.as_str(), "null" | "true" | "false") {
                    operand = "\"0\"".to_owned();
                }
                format!("\"{operator}\":{operand}")
            }
            7 if texts => {
                let found = if matches!(kind, Kind::Json) {
                    random.word(&["", "E", "ü", "(a+)", "1", "\n", "%", "k", "S"]).to_owned()
                } else {
                    near(random, from)
                };
                format!("\"$contains\":{}", json_text(&found))
            }
            8 if texts => format!("\"$regex\":{}", json_text(random.word(&PATTERNS))),
            9 if labels_or_json => format!("\"$all\":{}", values(random, kind, from)),
            10 if labels_or_json => format!("\"$size\":{}", random.below(4)),
            11 if labels_or_json => {
                let list =
                    if matches!(kind, Kind::Json) { random.word(&JSON_LISTS).to_owned() } else { values(random, kind, from) };
                format!("\"{}\":{list}", random.word(&["$eq", "$ne"]))
            }
            _ => continue,
        };
    }
}

/// A field and what is asked of it.
fn condition(random: &mut Random, fields: &[Field]) -> String {
    let (names, kind, from) = random.pick(fields);
    let name = json_text(random.pick::<String>(names));
    if random.once_in(4) {
        return format!("{name}:{}", value(random, *kind, from));
    }
    let mut operations = vec![operation(random, *kind, from)];
    if random.once_in(4) {
        operations.push(operation(random, *kind, from));
    }
    let mut operations = format!("{{{}}}", operations.join(","));
    while random.once_in(6) {
        operations = format!("{{\"$not\":{operations}}}");
    }
    format!("{name}:{operations}")
}

/// A filter as the SDK writes it.
fn random_filter(random: &mut Random, fields: &[Field], depth: usize) -> String {
    let parts = |random: &mut Random| {
        let parts: Vec<String> = (0..random.below(4)).map(|_| random_filter(random, fields, depth - 1)).collect();
        parts.join(",")
    };
    if depth > 0 {
        match random.below(14) {
            0 | 1 => return format!("{{\"$and\":[{}]}}", parts(random)),
            2 | 3 => return format!("{{\"$or\":[{}]}}", parts(random)),
            4 => return format!("{{\"$nor\":[{}]}}", parts(random)),
            5 => return format!("{{\"$not\":{}}}", random_filter(random, fields, depth - 1)),
            _ => {}
        }
    }
    let conditions: Vec<String> = (0..1 + random.below(4) / 3).map(|_| condition(random, fields)).collect();
    format!("{{{}}}", conditions.join(", "))
}

/// What a random filter can ask of each kind of row.
struct Fields {
    registries: Vec<Field>,
    collections: Vec<Field>,
    versions: Vec<Field>,
}

impl Fields {
    fn new(rows: &Rows) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let number = |n: i64| [n.to_string(), format!("{n}.0"), json_text(&n.to_string())];
        let times = || {
            let dates = [
                "2025-02-01",
                "2025-02-01 12:00:00",
                "2025-01-31 23:59:59",
                "2025-02-02",
                "2025-03-01",
                "2024-02-29",
                "0001-01-01",
            ];
            let dates =
                dates.into_iter().chain(["9999-12-31", "2025-02-01T00:00:00.000001Z", "2025-02-01T01:00:00+01:00", "2026-01-01"]);
            dates.map(json_text).collect::<Vec<_>>()
        };
        let ids = |ids: Vec<i64>, kind: &str| -> Vec<String> {
            let encoded = |id: &i64| json_text(&regalia_domain::ids::encode_id(kind, *id));
            let plain = ids.iter().flat_map(|id| [id.to_string(), format!("{id}.0")]);
            plain.chain(ids.iter().map(encoded)).chain(["0".to_owned(), "-1".to_owned()]).collect()
        };
        let texts = |texts: Vec<Option<String>>| {
            let more = ["", "%", "_", "null", "(a+)+$"].map(str::to_owned);
            texts.into_iter().flatten().chain(more).collect::<Vec<_>>()
        };
        let registries: Vec<&RegistryRow> = rows.registries.values().map(|registry| &registry.row).collect();
        let collections: Vec<&CollectionRow> = rows.collections.values().map(|collection| &collection.row).collect();
        let places: Vec<&VersionRow> = rows.places.iter().map(|place| &place.row).collect();
        let mut versions: Vec<Field> =
            PATHS.iter().map(|path| (vec![format!("metadata.{path}")], Kind::Json, Vec::new())).collect();
        for _ in 0..5 {
            versions.extend([
                (names(&["id", "artifact_id"]), Kind::Number, ids(places.iter().map(|row| row.id).collect(), "Artifact")),
                (
                    names(&["version", "version_index"]),
                    Kind::Version,
                    (0..12).flat_map(|n| number(n).into_iter().take(2).chain([json_text(&format!("v{n}"))])).collect(),
                ),
                (names(&["state"]), Kind::State, Vec::new()),
                (
                    names(&["tag", "tags"]),
                    Kind::Labels,
                    texts(places.iter().flat_map(|row| row.tags.iter().cloned().map(Some)).collect()),
                ),
                (
                    names(&["alias", "aliases"]),
                    Kind::Labels,
                    texts(places.iter().flat_map(|row| row.aliases.iter().cloned().chain(["old".into()]).map(Some)).collect()),
                ),
                (names(&["created_at", "updated_at"]), Kind::Time, times()),
            ]);
        }
        Self {
            registries: vec![
                (names(&["id", "project_id"]), Kind::Number, ids(registries.iter().map(|row| row.id).collect(), "Project")),
                (names(&["name"]), Kind::Text, texts(registries.iter().map(|row| Some(row.name.clone())).collect())),
                (names(&["name"]), Kind::Text, texts(registries.iter().map(|row| Some(row.name.clone())).collect())),
                (names(&["entity_id"]), Kind::Number, ids(registries.iter().map(|row| row.entity_id).collect(), "Entity")),
                (
                    names(&["description"]),
                    Kind::NullableText,
                    texts(registries.iter().map(|row| row.description.clone()).collect()),
                ),
                (names(&["created_at", "updated_at"]), Kind::Time, times()),
            ],
            collections: vec![
                (
                    names(&["id", "collection_id", "artifact_collection_id"]),
                    Kind::Number,
                    ids(collections.iter().map(|row| row.id).collect(), "ArtifactCollection"),
                ),
                (names(&["name"]), Kind::Text, texts(collections.iter().map(|row| Some(row.name.clone())).collect())),
                (
                    names(&["tag", "tags"]),
                    Kind::Labels,
                    texts(collections.iter().flat_map(|row| row.tags.iter().cloned().map(Some)).collect()),
                ),
                (
                    names(&["description"]),
                    Kind::NullableText,
                    texts(collections.iter().map(|row| row.description.clone()).collect()),
                ),
                (names(&["created_at", "updated_at"]), Kind::Time, times()),
            ],
            versions,
        }
    }

    fn of(&self, list: List) -> &[Field] {
        match list {
            List::Registries => &self.registries,
            List::Collections | List::InProject | List::OfType => &self.collections,
            List::Memberships | List::Artifacts => &self.versions,
        }
    }
}

/// Compares one list with the oracle; returns how many rows it had, and what differs.
async fn compare(world: &World, rows: &Rows, list: List, who: &str, wanted: &Wanted<'_>) -> (usize, Option<String>) {
    let client = if who == "bob" { &world.bob } else { &world.alice };
    let answer = list.ask(client, wanted.variables()).await;
    match rows.listed(list, who, wanted) {
        Ok(expected) => {
            assert!(answer.errors.is_empty(), "{list:?} {wanted:?}: {:?}", answer.errors);
            let got = list.numbers(&connection(&answer.data));
            let differs = (got != expected).then(|| format!("{list:?} of {who} {wanted:?}:\n  got {got:?}\n  not {expected:?}"));
            (got.len(), differs)
        }
        Err(error) => {
            assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {wanted:?}: {error}");
            assert_eq!(answer.message(), error.to_string(), "{list:?} {wanted:?}");
            (0, None)
        }
    }
}

/// So many random filters of each list. `REGALIA_LISTS_SEED` begins elsewhere, `REGALIA_LISTS_FILTERS` takes another number.
#[tokio::test]
async fn rule_43_a_filter_finds_what_it_means() {
    let given = |name: &str, default: u64| std::env::var(name).ok().map_or(default, |value| value.parse().unwrap());
    let (seed, filters) = (given("REGALIA_LISTS_SEED", 43), given("REGALIA_LISTS_FILTERS", 150));
    let world = world().await;
    let rows = Rows::read(&world.server).await;
    let fields = Fields::new(&rows);
    let all: BTreeMap<usize, usize> = LISTS
        .iter()
        .enumerate()
        .map(|(at, list)| (at, rows.listed(*list, "alice", &Wanted::only("{}")).unwrap().len()))
        .collect();
    assert!(all.values().all(|count| *count >= 4), "{all:?}");
    let mut differences = Vec::new();
    let (mut some, mut asked) = (0, 0);
    for (at, list) in LISTS.into_iter().enumerate() {
        for number in 0..filters {
            let seed = seed.wrapping_mul(1_000_003).wrapping_add(number * 16 + u64::try_from(at).unwrap());
            let mut random = Random(seed);
            let filter = random_filter(&mut random, fields.of(list), 3);
            let mut wanted = Wanted::only(&filter);
            let (projects, collections) =
                (random_filter(&mut random, &fields.registries, 1), random_filter(&mut random, &fields.collections, 1));
            if matches!(list, List::Collections | List::Memberships) && random.once_in(3) {
                wanted.projects = Some(&projects);
            }
            if list == List::Memberships && random.once_in(3) {
                wanted.collections = Some(&collections);
            }
            let who = if random.once_in(3) { "bob" } else { "alice" };
            let (count, difference) = compare(&world, &rows, list, who, &wanted).await;
            asked += 1;
            some += usize::from(count > 0 && count < all[&at]);
            differences.extend(difference.map(|difference| format!("seed {seed}: {difference}")));
        }
    }
    println!("{asked} filters, {some} of them with some rows but not all");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(some * 5 > asked, "only {some} of {asked} filters tell rows apart");
}

// Orders, cursors, counts -----------------------------------------------------------------------------------------

/// Every order of a list, with the default as `None`.
fn orders(list: List) -> Vec<Option<String>> {
    let signed = list.words().iter().flat_map(|word| ["", "+", "-"].map(|sign| Some(format!("{sign}{word}"))));
    signed.chain([None]).collect()
}

/// Goes through a list page by page; what each page says of itself is checked on the way.
async fn walk(client: &Client, list: List, size: usize, filters: &str, order: Option<&str>) -> Vec<i64> {
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "first": size, "after": after, "filters": filters, "order": order });
        let page = connection(&list.ask(client, variables).await.ok());
        let (rows, info) = (list.numbers(&page), &page["pageInfo"]);
        assert!(rows.len() <= size, "{list:?}");
        assert_eq!(info["hasPreviousPage"], !after.is_null(), "{list:?}");
        let edges = page["edges"].as_array().unwrap();
        for (edge, cursor) in [(edges.first(), &info["startCursor"]), (edges.last(), &info["endCursor"])] {
            assert_eq!(edge.map_or(&Value::Null, |edge| &edge["cursor"]), cursor, "{list:?}");
        }
        seen.extend(rows);
        if info["hasNextPage"] == false {
            return seen;
        }
        assert!(edges.len() == size, "{list:?}: a page is short and not the last");
        assert!(seen.len() < 200, "{list:?} {order:?} never ends");
        after = info["endCursor"].clone();
        assert!(after.is_string());
    }
}

#[tokio::test]
async fn rule_42_every_order_walks_through_everything_once() {
    let world = world().await;
    let rows = Rows::read(&world.server).await;
    for list in LISTS {
        for order in orders(list) {
            for (who, client) in [("alice", &world.alice), ("bob", &world.bob)] {
                let wanted = Wanted { order: order.as_deref(), ..Wanted::only("{}") };
                let expected = rows.listed(list, who, &wanted).unwrap();
                assert!(expected.len() >= 4, "{list:?}");
                let sizes: &[usize] = if who == "alice" { &[1, 2, 3, expected.len(), expected.len() + 1] } else { &[3] };
                for size in sizes {
                    // Long lists go by larger pages: it is the same walk.
                    let size = if expected.len() > 40 { size * 7 } else { *size };
                    assert_eq!(
                        walk(client, list, size, "{}", order.as_deref()).await,
                        expected,
                        "{list:?} {order:?} of {who} by {size}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn rule_42_cursors() {
    use List::{Artifacts, Collections, InProject, Memberships, OfType, Registries};
    let world = world().await;
    let rows = Rows::read(&world.server).await;
    let World { server, alice, .. } = &world;
    let page = async |list: List, filters: &str, order: Option<&str>, first: usize, after: &Value| {
        list.ask(alice, json!({ "filters": filters, "order": order, "first": first, "after": after })).await
    };
    for list in LISTS {
        let everything = rows.listed(list, "alice", &Wanted::only("{}")).unwrap();
        // Without a filter, under one that means the same, and in another session.
        let first = connection(&page(list, "{}", None, 2, &Value::Null).await.ok());
        let after = &first["pageInfo"]["endCursor"];
        let same = [
            "{}",
            "null",
            r#"{"$and": []}"#,
            r#"{"created_at": {"$gte": "0001-01-01"}}"#,
            r#"{"$nor": [{"id": {"$in": []}}]}"#,
            r#"{"$or": [{"created_at": {"$lt": "2025-01-01"}}, {"created_at": {"$not": {"$lt": "2025-01-01"}}}]}"#,
        ];
        for filter in same {
            let rest = list.numbers(&connection(&page(list, filter, None, 1000, after).await.ok()));
            assert_eq!(rest, everything[2..], "{list:?} {filter}");
        }
        let later = server.client("alice").await;
        let rest = list.ask(&later, json!({ "first": 1000, "after": after })).await.ok();
        assert_eq!(list.numbers(&connection(&rest)), everything[2..], "{list:?}");
        // Under another order it is none: by another column of the same kind, the other way, by the id alone.
        let mut cursors = Vec::new();
        for order in [None, Some(list.words()[0]), Some("created_at"), Some("-created_at"), Some("updated_at")] {
            let got = connection(&page(list, "{}", order, 1, &Value::Null).await.ok());
            cursors.push((order, got["pageInfo"]["endCursor"].clone()));
        }
        let default_is_by_name = list == List::Registries;
        for (of, cursor) in &cursors {
            for (order, _) in &cursors {
                let answer = page(list, "{}", *order, 1, cursor).await;
                let alike = |order: Option<&'static str>| if default_is_by_name { order.or(Some("name")) } else { order };
                if alike(*of) == alike(*order) {
                    answer.expect_ok();
                    continue;
                }
                assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {of:?} {order:?}");
                assert!(
                    answer.message().contains("endCursor of a page that was asked for in the same order"),
                    "{}",
                    answer.message()
                );
                assert!(!answer.statements.iter().any(|statement| statement.contains("lists::")), "{:?}", answer.statements);
            }
        }
        for cursor in ["no cursor", "/w==", "aTo5", "0", "\0", &"x".repeat(5000)] {
            let answer = page(list, "{}", None, 1, &json!(cursor)).await;
            assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {cursor:?}");
        }
        // An empty cursor is none.
        let start = connection(&page(list, "{}", None, 2, &json!("")).await.ok());
        assert_eq!(start["edges"], first["edges"], "{list:?}");
        let opaque = |text: &str| {
            use base64::Engine as _;
            json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!(text).to_string()))
        };
        // What was handed out before cursors named their order is told apart, and begins anew.
        for old in ["i:9:", "s:9:name", "t:9:5", "n:9:5"] {
            for (order, _) in &cursors {
                let answer = page(list, "{}", *order, 1, &opaque(old)).await;
                assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {old}");
                assert!(answer.message().contains("ask for the first page again"), "{}", answer.message());
            }
        }
        // A made-up place says nothing and harms nothing: it is a place in the order like any other.
        let (of, rows) = match list {
            Registries | Collections | InProject | OfType => {
                (if list == Registries { "registries" } else { "collections" }, "name")
            }
            Memberships | Artifacts => ("versions", "version_index"),
        };
        for (value, order) in [("0", rows), ("1", rows), ("0", "created_at")] {
            for id in ["-9223372036854775808", "9223372036854775807"] {
                let answer = page(list, "{}", Some(order), 1000, &opaque(&format!("{of}+{order}:{id}:{value}"))).await.ok();
                let behind = list.numbers(&connection(&answer));
                assert!(behind.iter().all(|row| everything.contains(row)), "{list:?} {order} {id}");
            }
        }
    }
}

#[tokio::test]
async fn rule_42_arguments() {
    let world = world().await;
    for list in LISTS {
        let none = connection(&list.ask(&world.alice, json!({ "first": 0 })).await.ok());
        assert_eq!((&none["edges"], &none["pageInfo"]["hasNextPage"]), (&json!([]), &json!(true)), "{list:?}");
        let whole = connection(&list.ask(&world.alice, json!({ "first": 1000 })).await.ok());
        assert_eq!(whole["pageInfo"]["hasNextPage"], false);
        // Without a number there are 20.
        let some = connection(&list.ask(&world.alice, json!({})).await.ok());
        assert_eq!(some["edges"].as_array().unwrap().len(), whole["edges"].as_array().unwrap().len().min(20), "{list:?}");
        for first in [-1, 1001, 1002, i64::from(i32::MIN)] {
            let answer = list.ask(&world.alice, json!({ "first": first })).await;
            assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {first}");
            assert!(answer.message().contains("from 0 to 1000"), "{}", answer.message());
        }
        // Too much for any list: stopped before anything is done (rule 44).
        for first in [i64::from(i32::MAX), i64::MAX] {
            let answer = list.ask(&world.alice, json!({ "first": first })).await;
            assert_eq!((answer.status, of_lists(&answer)), (400, vec![]), "{list:?} {first}: {:?}", answer.errors);
        }
        for order in
            ["Name", "name desc", "--name", "+", "-", "nme", "size", "created_at,name", "created_at; drop table x", " name", "\0"]
        {
            let answer = list.ask(&world.alice, json!({ "order": order })).await;
            assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {order:?}");
            assert!(answer.message().contains("Use "), "{}", answer.message());
            for word in list.words() {
                assert!(answer.message().contains(word), "{}", answer.message());
            }
            assert!(!answer.statements.iter().any(|statement| statement.contains("lists::")), "{:?}", answer.statements);
        }
        let other = if list.words().contains(&"name") { "version_index" } else { "name" };
        assert_eq!(code(&list.ask(&world.alice, json!({ "order": other })).await), "INVALID", "{list:?}");
        // An empty order is none.
        let default = connection(&list.ask(&world.alice, json!({ "first": 1000, "order": "" })).await.ok());
        assert_eq!(default, whole, "{list:?}");
    }
}

/// Rows that come and go between two pages are there or not; no other row is lost or seen twice.
#[tokio::test]
async fn rule_42_rows_that_come_and_go_between_pages() {
    let world = world().await;
    let rows = Rows::read(&world.server).await;
    let World { server, alice, .. } = &world;
    let ask = async |list: List, order: &str, first: usize, after: &Value| {
        connection(&list.ask(alice, json!({ "order": order, "first": first, "after": after })).await.ok())
    };
    let by_name = Wanted { order: Some("name"), ..Wanted::only("{}") };
    for (list, delete, insert) in [
        (
            List::InProject,
            "delete from collections where id = ",
            "insert into collections (project_id, kind, name, type_id) select project_id, kind, 'NAME', type_id \
             from collections where name = 'Example ML Task'",
        ),
        (
            List::Registries,
            "delete from projects where id = ",
            "insert into projects (kind, entity_id, name, name_key, visibility) select kind, entity_id, 'NAME', lower('NAME'), \
             visibility from projects where name = 'dataset'",
        ),
    ] {
        let before = rows.listed(list, "alice", &by_name).unwrap();
        let first = ask(list, "name", 3, &Value::Null).await;
        assert_eq!(list.numbers(&first), before[..3], "{list:?}");
        let after = first["pageInfo"]["endCursor"].clone();
        // The last row of the first page goes, and so does one before it; one comes before, one after.
        if list == List::Registries {
            server.sql(&format!("delete from collections where project_id in ({}, {})", before[2], before[0])).await;
        }
        server.sql(&format!("{delete}{}", before[2])).await;
        server.sql(&format!("{delete}{}", before[0])).await;
        server.sql(&insert.replace("NAME", "!first")).await;
        server.sql(&insert.replace("NAME", "\u{10ffff}last")).await;
        let rest = list.numbers(&ask(list, "name", 1000, &after).await);
        assert_eq!(rest[..rest.len() - 1], before[3..], "{list:?}");
        assert!(!before.contains(rest.last().unwrap()), "{list:?}");
    }
    // A row that changes its place in the order between pages is a row that went and came.
    let list = List::OfType;
    let first = ask(list, "updated_at", 1, &Value::Null).await;
    let moved = list.numbers(&first)[0];
    server.sql(&format!("update collections set updated_at = '2031-01-01Z' where id = {moved}")).await;
    let rest = list.numbers(&ask(list, "updated_at", 1000, &first["pageInfo"]["endCursor"]).await);
    assert_eq!(rest.last(), Some(&moved));
}

/// What a request asked of the lists, by the names of the statements.
fn of_lists(answer: &Answer) -> Vec<String> {
    let name = |statement: &String| statement.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut names: Vec<String> = answer.statements.iter().map(name).filter(|name| name.starts_with("lists::")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn rule_42_a_count_is_of_what_the_caller_sees_and_taken_only_when_asked_for() {
    let world = world().await;
    let rows = Rows::read(&world.server).await;
    for list in [List::Collections, List::InProject, List::OfType, List::Artifacts] {
        let counted = if list == List::Artifacts { "lists::versions_count" } else { "lists::collections_count" };
        for (who, client) in [("alice", &world.alice), ("bob", &world.bob)] {
            for filters in ["{}", r#"{"created_at": {"$gt": "2025-02-01 00:00:00"}}"#, r#"{"id": 0}"#] {
                let expected = rows.listed(list, who, &Wanted::only(filters)).unwrap().len();
                let variables = json!({ "first": 1, "filters": filters });
                let without = client.graphql(&list.document("{ edges { cursor } }"), variables.clone()).await;
                let with = client.graphql(&list.document("{ totalCount edges { cursor } }"), variables).await;
                let alone = client.graphql(&list.document("{ totalCount }"), json!({ "filters": filters, "first": 0 })).await;
                assert!(!of_lists(&without).contains(&counted.to_owned()), "{list:?} {:?}", of_lists(&without));
                assert_eq!(of_lists(&with), [of_lists(&without), vec![counted.to_owned()]].concat(), "{list:?}");
                for answer in [with, alone] {
                    assert_eq!(connection(&answer.ok())["totalCount"], expected, "{list:?} of {who} {filters}");
                }
            }
        }
    }
    // However far the page is.
    let document = List::Collections.document("{ totalCount pageInfo { endCursor } edges { cursor } }");
    let all = connection(&world.bob.graphql(&document, json!({ "first": 1000 })).await.ok());
    let beyond = json!({ "first": 1, "after": all["pageInfo"]["endCursor"] });
    let beyond = connection(&world.bob.graphql(&document, beyond).await.ok());
    assert_eq!((&beyond["totalCount"], &beyond["edges"]), (&all["totalCount"], &json!([])));
    // Of kinds that an organization hasn't got there are none.
    for (kinds, expected) in [("[PORTFOLIO]", &all["totalCount"]), ("[SEQUENCE]", &json!(0)), ("[]", &json!(0))] {
        let document = document.replace("[PORTFOLIO]", kinds);
        assert_eq!(connection(&world.bob.graphql(&document, json!({})).await.ok())["totalCount"], *expected, "{kinds}");
    }
}

/// The lists of many parents, read together, are those that each parent has alone.
#[tokio::test]
async fn rule_42_lists_of_many_parents_are_read_together_and_not_mixed() {
    let World { server, alice, .. } = &world().await;
    server.join("elsewhere", "alice", OrganizationRole::Member).await;
    let page = "{ totalCount pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { id } } }";
    let variables = json!({ "filters": r#"{"created_at": {"$lt": "2025-06-01"}}"# });
    let mut rows = 0;
    for order in ["", "-created_at", "updated_at"] {
        let list = |field: &str, page: &str| format!("{field}(filters: $filters, first: 3, order: \"{order}\") {page}");
        let ask = async |fields: String| {
            let answer = alice.graphql(&format!("query($filters: JSONString) {{ {fields} }}"), variables.clone()).await;
            let statements = of_lists(&answer);
            (answer.ok(), statements)
        };
        // Of organizations.
        let of_entity = format!(
            "orgEntity {{ {} {} {} }}",
            list("projects", PAGE),
            list("artifactCollections", page),
            list("artifactMemberships", PAGE)
        );
        let (all, statements) = ask(format!("organizations(first: 9) {{ nodes {{ name {of_entity} }} }}")).await;
        assert_eq!(statements, ["lists::collections", "lists::collections_count", "lists::projects", "lists::versions"]);
        let all = all["organizations"]["nodes"].as_array().unwrap();
        assert_eq!(all.len(), 2);
        for organization in all {
            let (alone, same) = ask(format!("organization(name: {}) {{ name {of_entity} }}", organization["name"])).await;
            assert_eq!((organization, &statements), (&alone["organization"], &same), "by {order:?}");
            rows += alone.to_string().matches("\"node\"").count();
        }
        // Of projects, their types, their collections.
        let of_type = format!("name {}", list("artifactCollections", page));
        let of_collection = format!("name {}", list("artifacts", page));
        let of_project = format!(
            "{} artifactTypes {{ edges {{ node {{ {of_type} }} }} }} all: artifactCollections(first: 12) {{ edges {{ node {{ \
             {of_collection} }} }} }}",
            list("artifactCollections", page)
        );
        let everything = "entity(name: \"acme\") { projects(first: 12) { edges { node { name FIELDS } } } }";
        let (data, statements) = ask(everything.replace("FIELDS", &of_project)).await;
        assert_eq!(statements.len(), 8, "{statements:?}");
        let edges = |at: &Value| at["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect::<Vec<_>>();
        for project in edges(&data["entity"]["projects"]) {
            let name = &project["name"];
            let within = |fields: String| format!("project(entityName: \"acme\", name: {name}) {{ {fields} }}");
            let (alone, _) = ask(within(list("artifactCollections", page))).await;
            assert_eq!(project["artifactCollections"], alone["project"]["artifactCollections"], "{name} by {order:?}");
            for kind in edges(&project["artifactTypes"]) {
                let (alone, _) = ask(within(format!("artifactType(name: {}) {{ {of_type} }}", kind["name"]))).await;
                assert_eq!(kind, alone["project"]["artifactType"], "{name} by {order:?}");
            }
            for collection in edges(&project["all"]) {
                let (alone, _) =
                    ask(within(format!("artifactCollection(name: {}) {{ {of_collection} }}", collection["name"]))).await;
                assert_eq!(collection, alone["project"]["artifactCollection"], "{name} by {order:?}");
                rows += collection["artifacts"]["edges"].as_array().unwrap().len();
            }
        }
    }
    assert!(rows > 50, "only {rows} rows were compared");
}

// What is not seen ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn nothing_invisible_is_listed_counted_or_noticed() {
    let world = world().await;
    let rows = Rows::read(&world.server).await;
    let World { server, alice, bob, carol } = &world;
    let id = |owner: &str, name: &str| {
        let found = rows.registries.values().find(|registry| registry.owner == owner && registry.row.name == name);
        found.unwrap().row.id
    };
    let (secret, zoo, foreign, absent) = (id("acme", "secret"), id("acme", "Zoo"), id("elsewhere", "Model"), 987_654_321);
    let all = "{ totalCount pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { id } } }";
    let without_count = PAGE;
    let ask = async |client: &Client, list: List, org: &str, mut variables: Value| {
        let page = if matches!(list, List::Collections | List::Artifacts) { all } else { without_count };
        variables["org"] = json!(org);
        variables["first"] = json!(1000);
        client.graphql(&list.document(page), variables).await
    };
    // A guessed id, a name: an invisible registry is one that isn't there, in what is answered and in what is done for it.
    let hidden = [secret, foreign].map(|id| (json!({ "id": id }).to_string(), json!({ "id": absent }).to_string()));
    let named = (json!({ "name": "secret" }).to_string(), json!({ "name": "absent" }).to_string());
    let regex = (json!({ "name": { "$regex": "secret$" } }).to_string(), json!({ "name": { "$regex": "absent$" } }).to_string());
    for (filter, of_absent) in hidden.iter().chain([&named, &regex]) {
        for list in [List::Registries, List::Collections, List::Memberships] {
            let variables = |filter: &str| {
                if list == List::Registries { json!({ "filters": filter }) } else { json!({ "projects": filter }) }
            };
            let (real, other) =
                (ask(bob, list, "acme", variables(filter)).await, ask(bob, list, "acme", variables(of_absent)).await);
            let (mut one, mut two) = (real.statements.clone(), other.statements.clone());
            one.sort();
            two.sort();
            assert_eq!(one, two, "{list:?} {filter}");
            let (real, other) = (connection(&real.ok()), connection(&other.ok()));
            assert_eq!(real, other, "{list:?} {filter}");
            assert_eq!(real["edges"], json!([]), "{list:?} {filter}");
            if list == List::Collections {
                assert_eq!(real["totalCount"], 0);
            }
            // The admin of the organization sees what is there.
            let seen = connection(&ask(alice, list, "acme", variables(filter)).await.ok());
            let there = *filter != hidden[1].0;
            assert_eq!(!seen["edges"].as_array().unwrap().is_empty(), there, "{list:?} {filter}");
        }
    }
    // What only a hidden registry holds.
    let collection = |name: &str| rows.collections.values().find(|collection| collection.row.name == name).unwrap().row.id;
    for filter in [json!({ "name": "hidden" }), json!({ "tag": "hidden" }), json!({ "id": collection("hidden") })] {
        let filter = filter.to_string();
        let found = connection(&ask(bob, List::Collections, "acme", json!({ "filters": filter })).await.ok());
        assert_eq!((&found["edges"], &found["totalCount"]), (&json!([]), &json!(0)), "{filter}");
        let found = connection(&ask(bob, List::Memberships, "acme", json!({ "collections": filter })).await.ok());
        assert_eq!(found["edges"], json!([]), "{filter}");
        assert_eq!(connection(&ask(alice, List::Collections, "acme", json!({ "filters": filter })).await.ok())["totalCount"], 1);
    }
    let named = json!({ "org": "acme" });
    let secret_project = |list: List| list.document(without_count).replace("wandb-registry-model", "wandb-registry-secret");
    for list in [List::InProject, List::OfType, List::Artifacts] {
        let (real, other) = (secret_project(list), secret_project(list).replace("registry-secret", "registry-absent"));
        let (real, other) = (bob.graphql(&real, named.clone()).await, bob.graphql(&other, named.clone()).await);
        assert_eq!(real.statements.len(), other.statements.len(), "{list:?}");
        assert_eq!((real.ok(), &json!({ "project": null })), (other.ok(), &json!({ "project": null })), "{list:?}");
    }
    let admin = server.admin().await;
    // Somebody of another organization: nothing of this one, by its name or by the ids of its things.
    for list in LISTS {
        assert!(connection(&ask(carol, list, "acme", json!({})).await.ok()).is_null(), "{list:?}");
        assert!(connection(&ask(bob, list, "elsewhere", json!({})).await.ok()).is_null(), "{list:?}");
        // Who manages organizations sees that they are there, and no content by it (rule 23).
        let found = connection(&ask(&admin, list, "acme", json!({})).await.ok());
        assert!(
            found.is_null() || found["edges"] == json!([]) && found["totalCount"].as_i64().unwrap_or(0) == 0,
            "{list:?}: {found}"
        );
    }
    let acme = rows.registries[&secret].row.entity_id;
    for filter in
        [json!({ "id": id("acme", "model") }), json!({ "entity_id": acme }), json!({ "name": { "$in": ["dataset", "secret"] } })]
    {
        let filter = filter.to_string();
        let found = connection(&ask(carol, List::Registries, "elsewhere", json!({ "filters": filter })).await.ok());
        assert_eq!(found["edges"], json!([]), "{filter}");
        let found = connection(&ask(carol, List::Collections, "elsewhere", json!({ "projects": filter })).await.ok());
        assert_eq!((&found["edges"], &found["totalCount"]), (&json!([]), &json!(0)), "{filter}");
        let found = connection(&ask(carol, List::Memberships, "elsewhere", json!({ "projects": filter })).await.ok());
        assert_eq!(found["edges"], json!([]), "{filter}");
    }
    let own = connection(&ask(carol, List::Registries, "elsewhere", json!({})).await.ok());
    assert_eq!(List::Registries.numbers(&own).len(), 3);
    // A team's and a user's projects, collections and versions, for who is no member (rule 23).
    let of_entity = "query($name: String!) { entity(name: $name) { projects { edges { node { id } } } artifactCollections { totalCount \
        edges { node { id } } } artifactMemberships { edges { node { id } } } } }";
    let of = async |client: &Client, name: &str| client.graphql(of_entity, json!({ "name": name })).await.ok()["entity"].clone();
    let alpha = of(alice, "alpha").await;
    assert_eq!(alpha["artifactCollections"]["totalCount"], 1, "{alpha}");
    assert!(!alpha["artifactMemberships"]["edges"].as_array().unwrap().is_empty());
    let empty = json!({
        "projects": { "edges": [] }, "artifactCollections": { "totalCount": 0, "edges": [] }, "artifactMemberships": { "edges": [] },
    });
    for (client, name) in
        [(bob, "alpha"), (carol, "alpha"), (carol, "acme"), (bob, "alice"), (alice, "elsewhere"), (carol, "absent")]
    {
        let found = of(client, name).await;
        assert!(found.is_null() || found == empty, "{name}: {found}");
    }
    // Where a version is linked from: the source's own list isn't his to see (rule 22).
    let sources = "{ organization(name: \"acme\") { orgEntity { artifactMemberships(first: 3) { edges { node { artifact { \
        artifactSequence { name project { name } tags { edges { node { name } } } artifacts { totalCount edges { node { id } } } } } } } } } } }";
    let found = bob.graphql(sources, json!({})).await.ok();
    let edges = found["organization"]["orgEntity"]["artifactMemberships"]["edges"].as_array().unwrap().clone();
    assert_eq!(edges.len(), 3);
    for edge in edges {
        let source = &edge["node"]["artifact"]["artifactSequence"];
        assert_eq!((&source["project"], &source["artifacts"]), (&Value::Null, &Value::Null), "{source}");
    }
    // Who is no member any more sees it in no list from then on.
    let there = List::Registries.numbers(&connection(&ask(bob, List::Registries, "acme", json!({})).await.ok()));
    assert!(there.contains(&zoo) && !there.contains(&secret));
    server.sql("delete from registry_user_members where registry_id in (select id from projects where name = 'Zoo')").await;
    let after = List::Registries.numbers(&connection(&ask(bob, List::Registries, "acme", json!({})).await.ok()));
    assert_eq!(after, there.into_iter().filter(|id| *id != zoo).collect::<Vec<_>>());
}

// What is refused -------------------------------------------------------------------------------------------------

/// Filters that are refused whatever they are of; `text` is a field that holds a text or texts.
fn refused(text: &str) -> Vec<String> {
    let mut refused: Vec<String> = [
        "",
        " ",
        "not JSON",
        "{",
        "}",
        "[]",
        "[{}]",
        "1",
        "true",
        r#""name""#,
        "{}{}",
        r#"{"id"}"#,
        "{id: 1}",
        "{'id': 1}",
        r#"{"id": NaN}"#,
        r#"{"id": 1,}"#,
        r#"{"nope": 1}"#,
        r#"{"": 1}"#,
        r#"{"Id": 1}"#,
        r#"{"id.x": 1}"#,
        r#"{"metadata": 1}"#,
        r#"{"metadata.": 1}"#,
        r#"{"metadata..a": 1}"#,
        r#"{"$where": "true"}"#,
        r#"{"$eq": 1}"#,
        r#"{"$and": {}}"#,
        r#"{"$or": [1]}"#,
        r#"{"$nor": null}"#,
        r#"{"$not": []}"#,
        r#"{"id": {}}"#,
        r#"{"id": {"$near": 1}}"#,
        r#"{"id": {"eq": 1}}"#,
        r#"{"id": {"$not": 1}}"#,
        r#"{"id": "x"}"#,
        r#"{"id": 1.5}"#,
        r#"{"id": 99999999999999999999}"#,
        r#"{"id": 1e500}"#,
        r#"{"id": null}"#,
        r#"{"id": [1]}"#,
        r#"{"id": true}"#,
        r#"{"id": {"$in": 1}}"#,
        r#"{"id": {"$in": [[1]]}}"#,
        r#"{"id": {"$exists": 1}}"#,
        r#"{"id": {"$regex": "1"}}"#,
        r#"{"id": {"$contains": "1"}}"#,
        r#"{"id": {"$size": 1}}"#,
        r#"{"id": {"$all": [1]}}"#,
        r#"{"created_at": "yesterday"}"#,
        r#"{"created_at": 1}"#,
        r#"{"created_at": "2025-02-30"}"#,
        r#"{"created_at": "2025-01-01 25:00:00"}"#,
        r#"{"created_at": {"$contains": "2025"}}"#,
        r#"{"updated_at": {"$gt": null}}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    for pattern in [
        "(",
        ")",
        "[",
        "a{1000}",
        "(a{20}){20}",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        r"(a)\1",
        r"\p{L}",
        "[a&&b]",
        "*",
        r"\",
        "(?m)^a",
        "***:a",
        "a\0b",
        &"a".repeat(257),
        &"(".repeat(250),
    ] {
        refused.push(json!({ text: { "$regex": pattern } }).to_string());
        refused.push(json!({ "$or": [{}, { text: { "$not": { "$regex": pattern } } }] }).to_string());
    }
    refused.extend([
        json!({ text: { "$regex": 1 } }).to_string(),
        json!({ text: 1 }).to_string(),
        json!({ text: { "$contains": "a".repeat(257) } }).to_string(),
        json!({ text: "a".repeat(4097) }).to_string(),
        json!({ text: "a\0" }).to_string(),
        format!(r#"{{"{text}": "\ud800"}}"#),
    ]);
    // Too deep, too many, too long.
    refused.push(format!("{}{{}}{}", "{\"$not\":".repeat(33), "}".repeat(33)));
    refused.push(format!("{}{{}}{}", "{\"$and\":[".repeat(20), "]}".repeat(20)));
    refused.push("[".repeat(60_000));
    refused.push(json!({ "$or": (0..201).map(|n| json!({ "created_at": format!("2025-01-01 00:{:02}:{:02}", n / 60, n % 60) })).collect::<Vec<_>>() }).to_string());
    refused.push(json!({ "id": { "$in": (0..1001).collect::<Vec<_>>() } }).to_string());
    refused.push(format!("{{}}{}", " ".repeat(1 << 16)));
    refused
}

#[tokio::test]
async fn rule_43_what_is_refused_never_reaches_the_database() {
    let world = world().await;
    for list in LISTS {
        let arguments: &[&str] = match list {
            List::Collections => &["filters", "projects"],
            List::Memberships => &["filters", "projects", "collections"],
            _ => &["filters"],
        };
        for argument in arguments {
            let text = if *argument == "filters" && !list.words().contains(&"name") { "alias" } else { "name" };
            for filter in refused(text) {
                let shown = filter.chars().take(80).collect::<String>();
                let begun = Instant::now();
                let mut variables = json!({ "first": 3 });
                variables[*argument] = json!(filter);
                let answer = list.ask(&world.alice, variables).await;
                assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {argument} {shown:?}");
                let message = answer.message();
                assert!(
                    message.contains(" filter") && message.ends_with('.') && message.len() < 700,
                    "{list:?} {shown:?}: {message}"
                );
                assert_eq!(of_lists(&answer), [""; 0], "{list:?} {argument} {shown:?}");
                assert!(begun.elapsed() < Duration::from_secs(3), "{list:?} {shown:?}");
            }
            // What isn't a text at all is refused before anything is done.
            for value in [json!(1), json!({ "name": "x" }), json!([]), json!(true)] {
                let mut variables = json!({ "first": 3 });
                variables[*argument] = value.clone();
                let answer = list.ask(&world.alice, variables).await;
                assert!(!answer.errors.is_empty(), "{list:?} {argument} {value}");
                assert_eq!(of_lists(&answer), [""; 0], "{list:?} {argument} {value}");
            }
        }
    }
}

/// Patterns that make other engines think for ever, on long texts.
#[tokio::test]
async fn rule_43_patterns_are_answered_at_once() {
    let world = world().await;
    let World { server, alice, .. } = &world;
    // Names as long as they may be, a description and a metadata value that are longer than anybody's.
    let long = "a".repeat(112);
    server
        .sql(&format!(
            "update projects set name = '{long}!', name_key = '{long}!' where name = 'dataset';
             update projects set description = repeat('a', 200000) || '!' where kind = 'registry';
             update collections set description = repeat('ab', 100000) || '!';
             update versions set metadata_index = jsonb_build_object('note', repeat('a', 200000) || '!');"
        ))
        .await;
    for pattern in [
        "(a+)+$",
        "^(a+)+$",
        "(a|aa)+$",
        "(a|a)*$",
        "(a*)*b",
        "(.*)*x",
        "(.*a){12}b$",
        "([a-z]+)*\\d",
        "(?i)(A|B|AB)*c",
        "a{64}.{64}$",
        "(a?){60}a{60}$",
        "(.{1,60}x){2}",
        "(x+x+)+y",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
    ] {
        for (list, field) in [
            (List::Registries, "name"),
            (List::Registries, "description"),
            (List::Collections, "description"),
            (List::Artifacts, "metadata.note"),
        ] {
            let filter = json!({ field: { "$regex": pattern } }).to_string();
            let begun = Instant::now();
            let answer = list.ask(alice, json!({ "filters": filter })).await;
            let took = begun.elapsed();
            println!("{took:>10.1?} {list:?} {field} {pattern} {:?}", answer.errors.first().map(|_| code(&answer)));
            assert!(answer.errors.is_empty() || code(&answer) == "INVALID", "{pattern}: {:?}", answer.errors);
            assert!(took < Duration::from_secs(5), "{list:?} {field} {pattern} took {took:?}");
        }
    }
}

// Statements ------------------------------------------------------------------------------------------------------

const PAGE_INFO: &str = "pageInfo { __typename endCursor hasNextPage }";

const PROJECT_INFO: &str = "fragment P on Project { id internalId name entity { name } }";

const COLLECTION: &str = "fragment C on ArtifactCollection { __typename id name description createdAt updatedAt project { ...P } \
    type: defaultArtifactType { name } tags { edges { node { __typename id name } } } }";

const VERSION: &str = "fragment A on Artifact { __typename id artifactSequence { __typename name project { ...P } } versionIndex \
    artifactType { name } description metadata ttlDurationSeconds ttlIsInherited tags { __typename id name } historyStep state size digest \
    commitHash fileCount createdAt updatedAt aliases @include(if: $includeAliases) { artifactCollection { ...I } __typename id alias } } \
    fragment I on ArtifactCollection { __typename name project { ...P } }";

/// The documents with which the SDK asks for lists.
fn sdk_documents() -> Vec<(&'static str, String)> {
    let page = PAGE_INFO;
    let in_type =
        |list: &str| format!("project(entityName: $entity, name: $project) {{ artifactType(name: $type) {{ {list} }} }}");
    let of_organization = |list: &str| format!("organization(name: $organization) {{ orgEntity {{ {list} }} }}");
    let arguments = "after: $cursor, first: $perPage, order: $order";
    let paged = "$cursor: String, $perPage: Int, $order: String";
    vec![
        (
            "FetchRegistries",
            format!(
                "query FetchRegistries($organization: String!, $filters: JSONString, {paged}) {{ {} }} fragment R on Project {{ __typename \
                 id internalId name entity {{ name organization {{ name }} }} description createdAt updatedAt access \
                 allowAllArtifactTypes: allowAllArtifactTypesInRegistry artifactTypes(includeAll: true) {{ edges {{ node {{ name }} }} }} }}",
                of_organization(&format!("projects(filters: $filters, {arguments}) {{ {page} edges {{ node {{ ...R }} }} }}"))
            ),
        ),
        (
            "RegistryCollections",
            format!(
                "query RegistryCollections($organization: String!, $registryFilter: JSONString, $collectionFilter: JSONString, \
                 $collectionTypes: [ArtifactCollectionType!] = [PORTFOLIO], {paged}) {{ {} }} {COLLECTION} {PROJECT_INFO}",
                of_organization(&format!(
                    "name artifactCollections(projectFilters: $registryFilter, filters: $collectionFilter, collectionTypes: \
                     $collectionTypes, {arguments}) {{ totalCount {page} edges {{ node {{ ...C }} }} }}"
                ))
            ),
        ),
        (
            "RegistryVersions",
            format!(
                "query RegistryVersions($organization: String!, $registryFilter: JSONString, $collectionFilter: JSONString, \
                 $artifactFilter: JSONString, {paged}, $includeAliases: Boolean = false) {{ {} }} {VERSION} {PROJECT_INFO}",
                of_organization(&format!(
                    "name artifactMemberships(projectFilters: $registryFilter, collectionFilters: $collectionFilter, filters: \
                     $artifactFilter, {arguments}) {{ {page} edges {{ node {{ __typename id versionIndex createdAt aliases {{ \
                     __typename id alias }} artifactCollection {{ ...I }} artifact {{ ...A }} }} }} }}"
                ))
            ),
        ),
        (
            "ProjectArtifactCollections",
            format!(
                "query ProjectArtifactCollections($entity: String!, $project: String!, $filters: JSONString, {paged}) {{ \
                 project(entityName: $entity, name: $project) {{ artifactCollections(filters: $filters, {arguments}) {{ \
                 totalCount @include(if: true) {page} edges {{ node {{ ...C }} }} }} }} }} {COLLECTION} {PROJECT_INFO}"
            ),
        ),
        (
            "ArtifactTypeArtifactCollections",
            format!(
                "query ArtifactTypeArtifactCollections($entity: String!, $project: String!, $type: String!, $filters: JSONString, \
                 {paged}) {{ {} }} {COLLECTION} {PROJECT_INFO}",
                in_type(&format!(
                    "artifactCollections(filters: $filters, {arguments}) {{ totalCount {page} edges {{ node {{ ...C }} }} }}"
                ))
            ),
        ),
        (
            "ProjectArtifacts",
            format!(
                "query ProjectArtifacts($entity: String!, $project: String!, $type: String!, $collection: String!, $filters: \
                 JSONString, {paged}, $includeAliases: Boolean = true) {{ {} }} {VERSION} {PROJECT_INFO}",
                in_type(&format!(
                    "artifactCollection(name: $collection) {{ __typename artifacts(filters: $filters, {arguments}) {{ totalCount \
                     {page} edges {{ version node {{ ...A }} }} }} }}"
                ))
            ),
        ),
    ]
}

/// Sixty registries with a collection in each, sixty collections in one registry, sixty versions, each born in a collection of
/// its own and linked once here and once there; tags and aliases on all of them.
async fn many(server: &Server) {
    let registries = "insert into projects (kind, entity_id, name, name_key, visibility, description) select 'registry', e.id,         'many' || n, 'many' || n, case when n % 7 = 0 then 'restricted' else 'organization' end, 'about ' || n         from entities e, generate_series(1, 60) n where e.name = 'acme'";
    let types = "insert into artifact_types (project_id, name, listed) select p.id, t, true from projects p,         unnest('{model,dataset,other}'::text[]) t where p.name like 'many%'";
    let collections = "insert into collections (project_id, kind, name, type_id) select p.id, 'registry', 'line', t.id         from projects p join artifact_types t on t.project_id = p.id where p.name like 'many%' and t.name = 'model'";
    let in_model = "insert into collections (project_id, kind, name, type_id) select p.id, 'registry', 'line' || n, t.id         from projects p join artifact_types t on t.project_id = p.id, generate_series(1, 60) n         where p.name = 'model' and p.kind = 'registry' and t.name = 'model' and p.entity_id = (select id from entities where name = 'acme')";
    let sources = "insert into collections (project_id, kind, name, type_id) select c.project_id, 'source', 'source' || n, c.type_id         from collections c, generate_series(1, 60) n where c.kind = 'source' and c.name = 'net'";
    let versions = "insert into versions (collection_id, state, digest, manifest_id, committed_at, metadata, metadata_index)         select c.id, 'committed', v.digest, v.manifest_id, now(), '{}', '{}' from collections c,         (select * from versions where state = 'committed' order by id limit 1) v where c.name like 'source%'";
    let born = "insert into memberships (collection_id, version_id, index) select collection_id, id, 0 from versions         where collection_id in (select id from collections where name like 'source%')";
    let linked = "insert into memberships (collection_id, version_id, index) select c.id, v.id, 100 + v.n from collections c,         (select row_number() over (order by id) n, id from versions where collection_id in         (select id from collections where name like 'source%')) v         where (c.name = 'Net' and c.project_id = (select id from projects where name = 'model' and kind = 'registry' and entity_id =         (select id from entities where name = 'acme'))) or (c.name = 'line' and c.id % 60 = v.n % 60)";
    let tags = "insert into collection_tags (collection_id, tag) select id, t from collections, unnest('{one,two}'::text[]) t         where name like 'line%' or name like 'source%'; insert into version_tags (version_id, tag) select id, t from versions,         unnest('{one,two}'::text[]) t where collection_id in (select id from collections where name like 'source%')";
    let aliases = "insert into aliases (collection_id, version_id, alias, valid) select collection_id, version_id, 'alias' || id,         tstzrange(now(), null) from memberships";
    for statement in [registries, types, collections, in_model, sources, versions, born, linked, tags, aliases] {
        server.sql(statement).await;
    }
}

#[tokio::test]
async fn a_page_of_50_takes_as_many_statements_as_a_page_of_2() {
    let world = world().await;
    many(&world.server).await;
    let mut grown = String::new();
    for (name, document) in sdk_documents() {
        for (who, client) in [("alice", &world.alice), ("bob", &world.bob)] {
            let mut taken = Vec::new();
            for size in [2, 50] {
                let variables = json!({
                    "organization": "acme", "entity": "acme", "project": "wandb-registry-model", "type": "model", "collection": "Net",
                    "registryFilter": "{\"description\": {\"$exists\": true}}", "filters": "{\"created_at\": {\"$gt\": \"2001-01-01\"}}",
                    "collectionFilter": "{}", "artifactFilter": "{\"state\": \"COMMITTED\"}", "perPage": size, "cursor": null,
                    "order": null, "includeAliases": true,
                });
                let answer = client.graphql(&document, variables).await;
                let mut statements: Vec<String> = answer
                    .statements
                    .iter()
                    .map(|statement| statement.split_whitespace().nth(1).unwrap_or_default().to_owned())
                    .collect();
                statements.sort();
                let data = answer.ok().to_string();
                assert_eq!(data.matches("\"hasNextPage\":true").count(), 1, "{name} of {who}: {data}");
                assert!(data.matches("\"createdAt\"").count() >= size, "{name} of {who}");
                taken.push(statements);
            }
            println!("{name:<34}{who:<8}{:>3}{:>5}", taken[0].len(), taken[1].len());
            if taken[0] != taken[1] {
                writeln!(grown, "{name} of {who}: {:?} became {:?}", taken[0], taken[1]).unwrap();
            }
        }
    }
    assert!(grown.is_empty(), "statements that grow with the page:\n{grown}");
}
