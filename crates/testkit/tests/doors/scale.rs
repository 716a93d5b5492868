//! Demo data, and lists over 200,000 versions of it: that what is loaded is what commits and links would have left, and that no
//! list of the SDK or of our own side reads or sorts a whole large table; nor a run's files, asked for by name, all of them. What
//! must not live here: how long anything takes (tests/figures).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{TimeDelta, Utc};
use regalia_domain::ids::{OrganizationId, ProjectId, UserId};
use regalia_domain::names::{EntityName, ProjectName, RegistryCollectionName, RegistryName, SourceCollectionName};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_service::demo::DemoSize;
use regalia_service::store::demo;
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::documents;
use crate::lists::statements::sdk_documents;
use crate::native::own;

const SMALL: DemoSize = DemoSize { registries: 5, collections: 12, versions: 260 };

/// What of the rows isn't as a commit or a link would have left it: each query finds what is wrong, and finds nothing.
const WRONG: [(&str, &str); 10] = [
    (
        "indices are dense, and the next one follows",
        "select c.id from collections c left join memberships m on m.collection_id = c.id group by c.id
         having array_agg(m.index order by m.index) is distinct from array(select generate_series(0, c.next_index - 1))",
    ),
    (
        "a version stands in its source collection",
        "select v.id from versions v where not exists (
             select from memberships m where m.version_id = v.id and m.collection_id = v.collection_id)",
    ),
    (
        "collections hold one type, that of their home, of its own list",
        "select m.id from memberships m join versions v on v.id = m.version_id join collections s on s.id = v.collection_id
         join artifact_types st on st.id = s.type_id join collections c on c.id = m.collection_id
         join artifact_types t on t.id = c.type_id join projects p on p.id = c.project_id
         where t.name <> st.name or not (p.allow_all_types or t.listed)",
    ),
    (
        "latest is the newest",
        "select c.id from collections c
         left join aliases a on a.collection_id = c.id and a.alias = 'latest' and upper_inf(a.valid)
         left join lateral (select version_id from memberships where collection_id = c.id order by index desc limit 1) m on true
         where a.version_id is distinct from m.version_id",
    ),
    (
        "latest was each version once, without a gap",
        "select c.id from collections c join projects p on p.id = c.project_id
         cross join lateral (select count(*) as count, range_agg(valid) as valid from aliases where collection_id = c.id and alias = 'latest') a
         where a.count <> c.next_index or (select count(*) from unnest(a.valid)) <> 1",
    ),
    (
        "aliases point at what stands there, since it does, and change in the order of the collection's clock",
        "select a.id from aliases a join collections c on c.id = a.collection_id
         left join memberships m on m.collection_id = a.collection_id and m.version_id = a.version_id
         where m.id is null or lower(a.valid) < m.created_at or lower(a.valid) > c.alias_clock or c.alias_clock > clock_timestamp()",
    ),
    (
        "a version's digest is that of its manifest, and never the one before it",
        "select v.id from versions v join memberships m on m.version_id = v.id and m.collection_id = v.collection_id
         left join memberships bm on bm.collection_id = m.collection_id and bm.index = m.index - 1 left join versions b on b.id = bm.version_id
         where v.digest = b.digest or v.digest is distinct from (
             select md5(convert_to('wandb-artifact-manifest-v1' || chr(10) || string_agg(path || ':' || digest || chr(10), '' order by path), 'UTF8'))
             from manifest_entries where manifest_id = v.manifest_id)",
    ),
    (
        "metadata is the same for filters",
        "select id from versions where metadata::jsonb <> metadata_index",
    ),
    (
        "everything has its event",
        "select * from (values
             ('collection.created', (select count(*) from collections)), ('version.committed', (select count(*) from versions)),
             ('version.linked', (select count(*) from memberships m join collections c on c.id = m.collection_id where c.kind = 'registry')),
             ('alias.set', (select count(*) from aliases))
         ) there (kind, count) where count <> (select count(*) from audit_events e where e.kind = there.kind)",
    ),
    (
        "an event says where it happened",
        "select id from audit_events where project_id is distinct from audit_project(subject, before, after)
            or collection_id is distinct from audit_collection(subject, before, after)",
    ),
];

async fn is_sound(server: &Server, size: DemoSize) {
    for (what, wrong) in WRONG {
        let found = server.rows(&format!("select * from ({wrong}) wrong limit 3")).await;
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    let demo = "join projects p on p.id = c.project_id join entities e on e.id = p.entity_id where c.kind = 'registry' and e.name = 'demo'";
    for (table, count) in [
        ("projects where kind = 'registry'", size.registries),
        (&format!("collections c {demo}"), size.collections),
        (&format!("memberships m join collections c on c.id = m.collection_id {demo}"), size.versions),
    ] {
        assert_eq!(server.number(&format!("select count(*) from {table}")).await, i64::from(count), "{table}");
    }
}

#[tokio::test]
async fn demo_data_is_what_commits_and_links_would_have_left() {
    let server = Server::start().await;
    let mut told = Vec::new();
    server.service.load_demo(SMALL, |progress| told.push((progress.what, progress.done, progress.of))).await.unwrap();
    assert_eq!(told.last(), Some(&("versions", SMALL.versions, SMALL.versions)));
    is_sound(&server, SMALL).await;
    for kind in ["entities", "projects", "collections"] {
        for row in server.rows(&format!("select name, kind from {kind}")).await {
            let name = row["name"].as_str().unwrap();
            let sound = match (kind, row["kind"].as_str().unwrap()) {
                ("entities", _) => EntityName::parse(name).is_ok(),
                (_, "project") => ProjectName::parse(name).is_ok(),
                ("projects", _) => RegistryName::parse(name).is_ok(),
                (_, "source") => SourceCollectionName::parse(name).is_ok(),
                _ => RegistryCollectionName::parse(name).is_ok(),
            };
            assert!(sound, "{kind}: {row}");
        }
    }

    // Once, and once only.
    let before = server.everything().await;
    let again = server.service.load_demo(SMALL, |_| {}).await.unwrap_err();
    assert!(again.code() == "CONFLICT" && again.to_string().contains("There is demo data already"), "{again}");
    assert_eq!(server.everything().await, before);

    // Its versions are downloaded, and its collections go on, like any other.
    let carol = server.client("carol").await;
    let link = "{ registry(organization: \"demo\", name: \"vision-000\") { collection(name: \"Model 00000\") { link(alias: \"latest\") \
        { index version { files(first: 5) { nodes { path size downloadUrl } } } } } } }";
    let found = carol.graphql(link, json!({})).await.ok()["registry"]["collection"]["link"].clone();
    let file = &found["version"]["files"]["nodes"][0];
    let (status, _, bytes) = carol.get(file["downloadUrl"].as_str().unwrap(), &[]).await;
    assert_eq!((status, file["path"].as_str().unwrap()), (200, "content.txt"));
    assert!(String::from_utf8(bytes).unwrap().starts_with("Content number "));
    let alice = server.client("alice").await;
    let mut spec = VersionSpec::model("demo-vision", "model-00000", b"new");
    spec.project = "research".to_owned();
    let version = alice.log(&spec).await;
    alice.link(&version.id, "demo", "vision-000", "Model 00000", &["production"]).await.expect_ok();
    let newest = carol.graphql(link, json!({})).await.ok()["registry"]["collection"]["link"]["index"].clone();
    assert_eq!(newest.as_i64(), found["index"].as_i64().map(|index| index + 1));
    is_sound(&server, DemoSize { versions: SMALL.versions + 1, ..SMALL }).await;
}

#[tokio::test]
async fn demo_data_of_no_size_is_refused_and_a_broken_off_load_is_taken_up_again() {
    let server = Server::start().await;
    for (registries, collections, versions) in
        [(0, 1, 1), (2, 1, 1), (1, 2, 1), (10_001, 20_000, 20_000), (1, 1, 20_001), (1, 1, u32::MAX)]
    {
        let refused = server.service.load_demo(DemoSize { registries, collections, versions }, |_| {}).await.unwrap_err();
        assert_eq!(refused.code(), "INVALID", "{refused}");
    }
    assert_eq!(server.number("select count(*) from organizations").await, 0);
    // Its caller ends in the middle of the versions.
    let service = server.service.clone();
    let broken = tokio::spawn(async move {
        service.load_demo(SMALL, |progress| assert!(progress.what != "versions", "broken off")).await.map(drop)
    });
    assert!(broken.await.is_err_and(|error| error.is_panic()));
    assert_eq!(server.number("select count(*) from collections where kind = 'registry'").await, 0);
    // What people changed meanwhile stays so.
    server.join("demo", "bob", OrganizationRole::Admin).await;
    server.join("demo", "carol", OrganizationRole::Member).await;
    server.join_team("demo-vision", "bob", TeamRole::Admin).await;
    server.service.load_demo(SMALL, |_| {}).await.unwrap();
    is_sound(&server, SMALL).await;
    let roles = server
        .rows(
            "select e.name, m.role from organization_members m join entities e on e.id = m.user_id where e.name <> 'admin'
             union all select t.name, m.role from team_members m join entities e on e.id = m.user_id join entities t on t.id = m.team_id
             where t.name = 'demo-vision' and e.name = 'bob' order by name",
        )
        .await;
    let roles: Vec<(&str, &str)> =
        roles.iter().map(|row| (row["name"].as_str().unwrap(), row["role"].as_str().unwrap())).collect();
    assert_eq!(roles, [("alice", "admin"), ("bob", "admin"), ("carol", "member"), ("demo-vision", "admin")]);
}

/// Demo data takes nothing over: where a name that it needs is somebody's, nothing changes.
#[tokio::test]
async fn demo_data_leaves_alone_what_no_load_made() {
    let refused = async |server: &Server, name: &str, what: &str| {
        let before = server.everything().await;
        let taken = server.service.load_demo(SMALL, |_| {}).await.unwrap_err();
        let text = taken.to_string();
        assert!(taken.code() == "CONFLICT" && text.contains(&format!("\"{name}\", and {what}")), "{text}");
        assert_eq!(server.everything().await, before, "{name}");
    };
    let server = Server::start().await;
    server.user("Demo").await;
    refused(&server, "Demo", "a user").await;
    // An organization of this name with people of these names, in other roles.
    let server = Server::start().await;
    server.people().await;
    server.organization("demo", "bob").await;
    server.join("demo", "alice", OrganizationRole::Viewer).await;
    refused(&server, "demo", "an organization").await;
    // A team of another organization; a service account; a name in other letters.
    let server = Server::start().await;
    server.people().await;
    server.team("acme", "demo-search", "alice").await;
    refused(&server, "demo-search", "a team").await;
    let server = Server::start().await;
    server.user("newcomer").await;
    server.organization("acme", "newcomer").await;
    server.team("acme", "alpha", "newcomer").await;
    let input = json!({ "team": "alpha", "name": "carol" });
    own(&server.admin().await, "serviceAccountCreate", input).await.expect_ok();
    refused(&server, "carol", "a service account").await;
    let server = Server::start().await;
    server.user("Bob").await;
    refused(&server, "Bob", "a user").await;
    // People who are there already take part, and stay otherwise as they are.
    let server = Server::start().await;
    server.people().await;
    let elsewhere = "select m.* from organization_members m join entities e on e.id = m.organization_id where e.name = 'acme'";
    let before = (server.rows("select * from users").await, server.rows(elsewhere).await);
    server.service.load_demo(SMALL, |_| {}).await.unwrap();
    assert_eq!((server.rows("select * from users").await, server.rows(elsewhere).await), before);
}

/// As many digits as it takes: so no two lines have the same name.
#[tokio::test]
async fn demo_data_of_more_than_100_000_lines_has_a_name_for_each() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for bytes in [b"one", b"two"] {
        alice.log(&VersionSpec::model("alpha", "contents", bytes)).await;
    }
    alice.make_registry("acme", "models", "ORGANIZATION").await;
    let store = &server.service.store;
    let project = ProjectId(server.number("select id from projects where kind = 'project'").await);
    let contents = demo::contents(&mut store.read().await.unwrap(), project, "contents").await.unwrap();
    let alice = UserId(server.number("select id from entities where name = 'alice'").await);
    let rows = demo::Demo {
        organization: OrganizationId(server.number("select id from entities where name = 'acme'").await),
        registries: vec![server.number("select id from projects where kind = 'registry'").await],
        projects: vec![project.0],
        contents,
        publisher: alice,
        author: alice,
        request: Uuid::nil(),
        began: Utc::now() - TimeDelta::days(365),
        each: 1,
        one_more: 0,
        long: 0,
    };
    let mut tx = store.begin().await.unwrap();
    demo::prepare(&mut tx, &rows).await.unwrap();
    for line in [10_000, 100_000] {
        assert_eq!(demo::fill(&mut tx, &rows, line..line + 1).await.unwrap(), 1);
    }
    regalia_service::store::commit(tx).await.unwrap();
    let names = server.rows("select name from collections where kind = 'registry' order by name").await;
    assert_eq!(json!(names), json!([{ "name": "Model 10000" }, { "name": "Model 100000" }]));
}

// Plans -----------------------------------------------------------------------------------------------------------

/// Tables with a row for each version, or as many.
const LARGE: [&str; 8] =
    ["aliases", "audit_events", "collection_tags", "collections", "manifest_entries", "memberships", "version_tags", "versions"];

/// What PostgreSQL may read whole all the same, by a statement and a table: the 20,000 collections with their tags are a few hundred
/// pages, and where a tenth of them or more is wanted, or counted, reading them in order is the least work.
const WANTED: [(&str, &str); 4] = [
    ("lists::collections_count", "collections"),
    ("lists::collections_count", "collection_tags"),
    ("lists::collections", "collection_tags"),
    ("lists::versions", "collections"),
];

/// The most rows that a statement may sort: those of the longest collection, not those of a table.
const SORTED: f64 = 10_500.0;

/// Our own pages.
const OWN: [&str; 3] = [
    "query($order: CollectionOrder) { registry(organization: \"demo\", name: \"vision-000\") { collections(first: 50, order: $order) { \
     edges { cursor } nodes { name tags latest { index aliases version { digest } } } } } }",
    "query($linkOrder: LinkOrder, $links: LinkFilter) { registry(organization: \"demo\", name: \"vision-000\") { collection(name: \
     \"Model 00000\") { links(first: 50, order: $linkOrder, filter: $links) { nodes { index aliases version { digest metadata source } } } } } }",
    "query($order: RegistryOrder) { organization(name: \"demo\") { registries(first: 50, order: $order) { nodes { name types yourRole \
     userMembers(first: 5) { nodes { role user { name } } } teamMembers(first: 5) { nodes { role } } } } members(first: 10) { nodes { \
     role user { name } } } } viewer { name teams(first: 5) { nodes { name } } organizations { name } } }",
];

/// What is asked: a name, a document, its variables.
fn asked() -> Vec<(String, String, Value)> {
    let committed = json!({ "state": "COMMITTED" }).to_string();
    let base = json!({
        "organization": "demo", "entity": "demo", "project": "wandb-registry-vision-000", "type": "model", "collection": "Model 00000",
        "registryFilter": "{}", "filters": null, "collectionFilter": "{}", "artifactFilter": "{}", "perPage": 50, "cursor": null,
        "order": null, "includeAliases": true,
    });
    let with = |changes: Value| {
        let mut variables = base.clone();
        variables.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        variables
    };
    let mut asked = Vec::new();
    for (name, document) in sdk_documents() {
        let mut add = |what: &str, changes: Value| asked.push((format!("{name} {what}"), document.clone(), with(changes)));
        add("by default", if name == "ProjectArtifacts" { json!({ "filters": committed }) } else { json!({}) });
        for order in ["-created_at", "+updated_at"] {
            add(order, json!({ "order": order }));
        }
        match name {
            "ProjectArtifacts" => {
                add("-version_index", json!({ "order": "-version_index", "filters": committed }));
                add("of a source", json!({ "entity": "demo-vision", "project": "research", "collection": "model-00000" }));
                add("with an alias", json!({ "filters": json!({ "alias": "production" }).to_string() }));
                add("with a tag", json!({ "filters": json!({ "tag": "candidate" }).to_string() }));
            }
            "RegistryVersions" => {
                add("of a registry", json!({ "registryFilter": json!({ "name": "wandb-registry-vision-000" }).to_string() }));
                add("of a collection", json!({ "collectionFilter": json!({ "name": "Model 00004" }).to_string() }));
                for (field, value) in
                    [("alias", "production"), ("alias", "latest"), ("alias", "nobody"), ("tag", "candidate"), ("tag", "none")]
                {
                    add(&format!("with {field} {value}"), json!({ "artifactFilter": json!({ field: value }).to_string() }));
                }
            }
            _ => {
                add("+name", json!({ "order": "+name" }));
                let key = if name == "RegistryCollections" { "collectionFilter" } else { "filters" };
                add("of a name", json!({ key: json!({ "name": "Model 00004" }).to_string() }));
                if name != "FetchRegistries" {
                    add("with a tag", json!({ key: json!({ "tag": "weekly" }).to_string() }));
                }
            }
        }
    }
    let mut own = |document: &str, variables: Value| asked.push((variables.to_string(), document.to_owned(), variables));
    for order in ["NAME_ASCENDING", "CREATED_DESCENDING", "UPDATED_DESCENDING"] {
        own(OWN[0], json!({ "order": order }));
        own(OWN[2], json!({ "order": order }));
    }
    for order in ["INDEX_DESCENDING", "CREATED_DESCENDING", "UPDATED_DESCENDING"] {
        own(OWN[1], json!({ "linkOrder": order }));
    }
    own(OWN[1], json!({ "linkOrder": "INDEX_DESCENDING", "links": { "aliases": { "anyOf": ["production"] } } }));
    own(OWN[1], json!({ "linkOrder": "INDEX_DESCENDING", "links": { "tags": { "anyOf": ["candidate"] } } }));
    for name in ["Model 00000:production", "Model 00000:v17", "Model 00000"] {
        let document = "query($name: String!) { project(entityName: \"demo\", name: \"wandb-registry-vision-000\") { \
            artifactCollectionMembership(name: $name) { id versionIndex aliases { alias } artifact { id digest } } } }";
        own(document, json!({ "name": name }));
    }
    asked
}

/// What is wrong with a plan: whole large tables read, or too many rows sorted.
fn wrong_with(statement: &str, plan: &Value, wrong: &mut BTreeSet<String>) {
    let rows = |node: &Value| node["Actual Rows"].as_f64().unwrap() * node["Actual Loops"].as_f64().unwrap();
    let kind = plan["Node Type"].as_str().unwrap();
    if kind.ends_with("Seq Scan") {
        let table = plan["Relation Name"].as_str().unwrap();
        if LARGE.contains(&table) && plan["Actual Loops"] != 0 && !WANTED.contains(&(statement, table)) {
            wrong.insert(format!("{statement} reads all of {table}"));
        }
    }
    let below = plan["Plans"].as_array().map_or(&[][..], Vec::as_slice);
    if kind.ends_with("Sort") && rows(&below[0]) > SORTED {
        wrong.insert(format!("{statement} sorts {} rows by {}", rows(&below[0]), plan["Sort Key"]));
    }
    for node in below {
        wrong_with(statement, node, wrong);
    }
}

/// As often as PostgreSQL plans a prepared statement anew, and once more, when it may have settled for one plan.
const TIMES: usize = 6;

async fn look(client: &Client, what: &str, document: &str, variables: &Value, found: &mut String) -> usize {
    let mut wrong = BTreeSet::new();
    let mut plans = 0;
    for _ in 0..TIMES {
        let answer = client.graphql(document, variables.clone()).await;
        let asked = answer.statements.iter().filter(|statement| statement.contains("::")).count();
        assert!(answer.plans.len() >= asked && asked > 1, "{what}: {asked} statements, {} plans", answer.plans.len());
        plans += answer.plans.len();
        for plan in &answer.plans {
            let statement = plan["Query Text"].as_str().unwrap().split_whitespace().nth(1).unwrap_or_default();
            wrong_with(statement, &plan["Plan"], &mut wrong);
        }
        answer.expect_ok();
    }
    for wrong in wrong {
        writeln!(found, "{what}\n    {wrong}").unwrap();
    }
    plans
}

#[tokio::test]
async fn no_list_reads_or_sorts_a_whole_large_table_of_200_000_versions() {
    let server = Server::start().await;
    server.service.load_demo(DemoSize::DEFAULT, |_| {}).await.unwrap();
    let twin = server.explaining().await;
    let alice = server.client("alice").await.at(&twin.url);
    // The proof would say so: this one reads everything.
    let mut found = String::new();
    let every = "query($f: JSONString) { organization(name: \"demo\") { orgEntity { artifactMemberships(filters: $f, order: \
        \"-version_index\", first: 5) { edges { cursor } } } } }";
    look(&alice, "all by index", every, &json!({ "f": "{}" }), &mut found).await;
    assert!(found.contains("reads all of memberships") && found.contains("sorts 200000 rows"), "{found}");
    let mut found = String::new();
    let mut plans = 0;
    for (what, document, variables) in asked() {
        plans += look(&alice, &what, &document, &variables, &mut found).await;
    }
    println!("{plans} plans");
    assert!(found.is_empty(), "{found}");
}

/// Files by their names are found by these names, however many the run has.
#[tokio::test]
async fn files_of_a_long_run_are_found_by_their_names() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    alice.log(&VersionSpec::model("alpha", "net", b"the weights")).await;
    let run = json!({ "input": { "entityName": "alpha", "modelName": "demo", "name": "long" } });
    alice.graphql(&documents::upsert_bucket(), run).await.expect_ok();
    server
        .sql(
            "insert into run_files (run_id, name, blob_id)
                select r.id, 'media/' || i || '.png', (select min(id) from blobs) from runs r, generate_series(1, 20000) i
                where r.name = 'long';
             analyze run_files;",
        )
        .await;
    let twin = server.explaining().await;
    let alice = alice.at(&twin.url);
    let files = "query($names: [String]) { project(entityName: \"alpha\", name: \"demo\") { run(name: \"long\") { \
        files(names: $names) { totalCount edges { node { name } } } } } }";
    let names: Vec<String> = (0..50).map(|i| format!("media/{}.png", 400 * i + 1)).collect();
    // As often as PostgreSQL plans a prepared statement anew, and more.
    for _ in 0..8 {
        let answer = alice.graphql(files, json!({ "names": names })).await;
        let plans = answer.plans.iter().filter(|plan| plan["Query Text"].as_str().unwrap().starts_with("-- run_files::"));
        let looked_at: Vec<f64> = plans.map(|plan| rows_of("run_files", &plan["Plan"])).collect();
        assert!(looked_at.len() == 2 && looked_at.iter().all(|rows| (50.0..200.0).contains(rows)), "{looked_at:?}");
        let found = &answer.ok()["project"]["run"]["files"];
        assert_eq!((&found["totalCount"], found["edges"].as_array().map(Vec::len)), (&json!(50), Some(20)));
    }
}

/// How many rows of a table a plan looks at.
fn rows_of(table: &str, plan: &Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let own = (number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck"))
        * number("Actual Loops");
    let below = plan["Plans"].as_array().map_or(&[][..], Vec::as_slice);
    below.iter().map(|plan| rows_of(table, plan)).sum::<f64>() + if plan["Relation Name"] == table { own } else { 0.0 }
}
