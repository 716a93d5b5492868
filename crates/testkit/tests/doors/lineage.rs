//! Lineage: what runs made and used, who made a version and where it stands, and the graph both ways, each as far as the caller sees it
//! (rules 22, 41 and 42). What must not live here: how a link comes to be (`project_links`, `life`).

use std::collections::{BTreeMap, BTreeSet};

use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents::{ARTIFACT_LINEAGE, RUN_ARTIFACTS, USE_ARTIFACT};
use crate::life::wire;

const GRAPH: &str = "query($id: ID!, $direction: LineageDirection!, $depth: Int!) { lineage(version: $id, direction: $direction, depth: \
    $depth) { truncated nodes { __typename ... on Version { id } ... on ProjectRun { id name } } edges { from to kind } } }";

async fn begin_run(client: &Client, entity: &str, project: &str, name: &str) {
    let text = "mutation($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted } }";
    let input = json!({ "entityName": entity, "modelName": project, "name": name });
    client.graphql(text, json!({ "input": input })).await.expect_ok();
}

/// Logs a data set named so, by a run or by hand; returns its id.
async fn made(client: &Client, entity: &str, project: &str, name: &str, run: Option<&str>) -> String {
    let mut spec = VersionSpec::model(entity, name, name.as_bytes());
    (spec.project, spec.type_name, spec.run) = (project.into(), "dataset".into(), run.map(Into::into));
    client.log(&spec).await.id
}

async fn used(client: &Client, entity: &str, project: &str, run: &str, version: &str) {
    let input = json!({ "artifactID": version, "entityName": entity, "projectName": project, "runName": run });
    client.graphql(USE_ARTIFACT, json!({ "input": input })).await.expect_ok();
}

/// What came of two teams' work: alice is in both, bob in `alpha`, carol in the organization.
///
/// `raw` –prep→ `feat`; `feat` and beta's `secret` –train→ `net`; `net` –beta's eval→ `report`; `net` and `report` –publish→ `page`.
struct Stage {
    server: Server,
    alice: Client,
    bob: Client,
    carol: Client,
    /// Versions by their names.
    ids: BTreeMap<&'static str, String>,
}

impl Stage {
    async fn set() -> Self {
        let server = Server::start().await;
        let (alice, bob, carol) = server.people().await;
        server.team("acme", "beta", "alice").await;
        server.join_team("alpha", "bob", TeamRole::Member).await;
        server.join("acme", "carol", OrganizationRole::Member).await;
        for (entity, project, run) in
            [("alpha", "work", "prep"), ("alpha", "work", "train"), ("beta", "lab", "eval"), ("alpha", "work", "publish")]
        {
            begin_run(&alice, entity, project, run).await;
        }
        let mut ids = BTreeMap::new();
        ids.insert("raw", made(&alice, "alpha", "data", "raw", None).await);
        ids.insert("secret", made(&alice, "beta", "data", "secret", None).await);
        for (inputs, entity, project, run, output) in [
            (vec!["raw"], "alpha", "work", "prep", "feat"),
            (vec!["feat", "secret"], "alpha", "work", "train", "net"),
            (vec!["net"], "beta", "lab", "eval", "report"),
            (vec!["net", "report"], "alpha", "work", "publish", "page"),
        ] {
            for input in inputs {
                used(&alice, entity, project, run, &ids[input]).await;
            }
            ids.insert(output, made(&alice, entity, project, output, Some(run)).await);
        }
        // Everybody in the organization sees the model by this.
        alice.make_registry("acme", "sets", "ORGANIZATION").await;
        alice.link(&ids["net"], "acme", "sets", "Net", &["production"]).await.expect_ok();
        Self { server, alice, bob, carol, ids }
    }

    async fn ask(&self, client: &Client, version: &str, direction: &str, depth: i32) -> Answer {
        let id = &self.ids[version];
        client.graphql(GRAPH, json!({ "id": id, "direction": direction, "depth": depth })).await
    }

    /// The edges by the names of their ends, and the names of all nodes.
    async fn graph(&self, client: &Client, version: &str, direction: &str, depth: i32) -> (BTreeSet<String>, BTreeSet<String>) {
        let lineage = self.ask(client, version, direction, depth).await.ok()["lineage"].clone();
        assert_eq!(lineage["truncated"], false);
        self.named(&lineage)
    }

    fn named(&self, lineage: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
        let number = |id: &str| decode_id(&["Version", "Artifact"], id).unwrap();
        let mut names = BTreeMap::new();
        let nodes = lineage["nodes"].as_array().unwrap();
        for node in nodes {
            let id = node["id"].as_str().unwrap();
            let name = match node["__typename"].as_str().unwrap() {
                "ProjectRun" => node["name"].as_str().unwrap(),
                _ => self.ids.iter().find(|(_, known)| number(known) == number(id)).unwrap().0,
            };
            assert!(names.insert(id, name).is_none(), "{name} is there twice");
        }
        let edges = lineage["edges"].as_array().unwrap();
        let edges: Vec<String> = edges
            .iter()
            .map(|edge| {
                // Both ends of each edge are nodes.
                let [from, to] = ["from", "to"].map(|end| names[edge[end].as_str().unwrap()]);
                let arrow = if edge["kind"] == "MADE" { "made" } else { "used by" };
                format!("{from} {arrow} {to}")
            })
            .collect();
        let once: BTreeSet<String> = edges.iter().cloned().collect();
        assert_eq!(once.len(), edges.len(), "an edge is there twice: {edges:?}");
        (once, names.values().map(|name| (*name).to_owned()).collect())
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What the caller may not see is left out as if it weren't there, with what only it leads to.
#[tokio::test]
async fn rule_22_a_graph_shows_what_the_caller_sees() {
    let stage = Stage::set().await;
    let all_up = ["train made net", "feat used by train", "secret used by train", "prep made feat", "raw used by prep"];
    let all_down = ["net used by eval", "net used by publish", "eval made report", "publish made page", "report used by publish"];
    let bobs_up = ["train made net", "feat used by train", "prep made feat", "raw used by prep"];
    let bobs_down = ["net used by publish", "publish made page"];
    for (who, client, version, direction, expected) in
        [
            ("alice", &stage.alice, "net", "UPSTREAM", all_up.to_vec()),
            ("alice", &stage.alice, "net", "DOWNSTREAM", all_down.to_vec()),
            ("alice", &stage.alice, "net", "BOTH", [all_up, all_down].concat()),
            ("bob", &stage.bob, "net", "UPSTREAM", bobs_up.to_vec()),
            // Behind eval, which he doesn't see, is nothing; `page` is found by the other path.
            ("bob", &stage.bob, "net", "DOWNSTREAM", bobs_down.to_vec()),
            ("bob", &stage.bob, "net", "BOTH", [&bobs_up[..], &bobs_down].concat()),
            ("bob", &stage.bob, "page", "UPSTREAM", [&["publish made page", "net used by publish"][..], &bobs_up].concat()),
            // By a link alone there is the version itself.
            ("carol", &stage.carol, "net", "BOTH", vec![]),
            // What else was made of the same is in neither.
            ("alice", &stage.alice, "secret", "UPSTREAM", vec![]),
            (
                "alice",
                &stage.alice,
                "report",
                "BOTH",
                // The last is between what is there by either way.
                [
                    &[
                        "eval made report",
                        "net used by eval",
                        "report used by publish",
                        "publish made page",
                        "net used by publish",
                    ][..],
                    &all_up,
                ]
                .concat(),
            ),
        ]
    {
        let (edges, nodes) = stage.graph(client, version, direction, 10).await;
        assert_eq!(edges, set(&expected), "{who} from {version} {direction}");
        assert!(nodes.contains(version));
        let ends: BTreeSet<String> = edges
            .iter()
            .flat_map(|edge| edge.split(' ').filter(|word| !["made", "used", "by"].contains(word)))
            .map(str::to_owned)
            .collect();
        assert_eq!(&nodes - &set(&[version]), &ends - &set(&[version]), "{who}: every node is at an edge");
    }
    // Who works with it sees his own work.
    begin_run(&stage.carol, "carol", "own", "mine").await;
    used(&stage.carol, "carol", "own", "mine", &stage.ids["net"]).await;
    let (edges, _) = stage.graph(&stage.carol, "net", "BOTH", 10).await;
    assert_eq!(edges, set(&["net used by mine"]));
    let (edges, _) = stage.graph(&stage.alice, "net", "DOWNSTREAM", 10).await;
    assert_eq!(edges, set(&all_down), "and nobody else does");
    // What one can't see has no graph, as what isn't there.
    assert_eq!(stage.ask(&stage.carol, "raw", "BOTH", 3).await.ok()["lineage"], Value::Null);
    assert_eq!(stage.ask(&stage.bob, "secret", "BOTH", 3).await.ok()["lineage"], Value::Null);
    // A right that ends, ends at once.
    stage.server.sql("delete from team_members where user_id = (select id from entities where name = 'bob')").await;
    let (edges, nodes) = stage.graph(&stage.bob, "net", "BOTH", 10).await;
    assert_eq!((edges, nodes), (set(&[]), set(&["net"])));
    // What was deleted is gone, and nothing leads through it.
    wire(&stage.alice, "deleteArtifact", json!({ "artifactID": stage.ids["feat"] })).await.expect_ok();
    let (edges, _) = stage.graph(&stage.alice, "net", "UPSTREAM", 10).await;
    assert_eq!(edges, set(&["train made net", "secret used by train"]));
}

#[tokio::test]
async fn a_graph_ends_at_its_depth() {
    let stage = Stage::set().await;
    let from_page = [
        &["publish made page", "net used by publish", "report used by publish"][..],
        &["train made net", "feat used by train", "secret used by train", "eval made report", "net used by eval"],
        &["prep made feat", "raw used by prep"],
    ];
    let from_raw = [
        &["raw used by prep", "prep made feat"][..],
        &["feat used by train", "train made net"],
        // The last is an edge between what is there by then.
        &["net used by eval", "eval made report", "net used by publish", "publish made page", "report used by publish"],
    ];
    for (version, direction, generations) in [("page", "UPSTREAM", &from_page[..]), ("raw", "DOWNSTREAM", &from_raw[..])] {
        for depth in 1..=10 {
            let (edges, _) = stage.graph(&stage.alice, version, direction, depth).await;
            let expected =
                generations.iter().take(usize::try_from(depth).unwrap()).copied().flatten().copied().collect::<Vec<_>>();
            assert_eq!(edges, set(&expected), "{version} {direction} {depth}");
        }
    }
    for depth in [0, -1, 11, i32::MAX] {
        let answer = stage.ask(&stage.alice, "net", "BOTH", depth).await;
        assert_eq!((answer.status, answer.code()), (200, "INVALID"), "{depth}");
        assert!(answer.message().contains("from 1 to 10"), "{}", answer.message());
    }
    // Of what is there and isn't asked for there is nothing, and not null.
    let text =
        "query($id: ID!) { lineage(version: $id, direction: UPSTREAM, depth: 1) { nodes { ... on ProjectRun { name } } } }";
    let nodes = stage.alice.graphql(text, json!({ "id": stage.ids["page"] })).await.ok()["lineage"]["nodes"].clone();
    assert_eq!(nodes, json!([{}, { "name": "publish" }, {}, {}]));
    // What isn't asked for is three generations both ways.
    let text = "query($id: ID!) { lineage(version: $id) { edges { kind } } }";
    let edges = stage.alice.graphql(text, json!({ "id": stage.ids["page"] })).await.ok()["lineage"]["edges"].clone();
    assert_eq!(edges.as_array().unwrap().len(), 10);
}

/// A run that logs what it used, and two that made each other's input: each edge once, and an end.
#[tokio::test]
async fn a_graph_with_cycles_ends() {
    let stage = Stage::set().await;
    used(&stage.alice, "alpha", "work", "prep", &stage.ids["net"]).await;
    used(&stage.alice, "alpha", "work", "train", &stage.ids["net"]).await;
    let cycle = [
        "train made net",
        "feat used by train",
        "secret used by train",
        "prep made feat",
        "raw used by prep",
        "net used by prep",
        "net used by train",
    ];
    let (edges, _) = stage.graph(&stage.alice, "net", "UPSTREAM", 10).await;
    assert_eq!(edges, set(&cycle));
    let (edges, nodes) = stage.graph(&stage.alice, "feat", "BOTH", 10).await;
    let after = ["net used by eval", "eval made report", "net used by publish", "publish made page", "report used by publish"];
    assert_eq!(edges, set(&[&cycle[..], &after].concat()));
    assert_eq!(nodes.len(), 10);
}

/// Statements depend on the depth, not on how much is found; what doesn't fit is left out, and that is said.
#[tokio::test]
async fn a_graph_of_many_is_cut_and_takes_no_more_statements() {
    let stage = Stage::set().await;
    let raw = decode_id(&["Artifact"], &stage.ids["raw"]).unwrap();
    let more = async |count: i64| {
        stage
            .server
            .sql(&format!(
                "with made as (
                    insert into runs (project_id, name, display_name)
                    select p.id, 'more-{count}-' || n, 'more' from projects p, generate_series(1, {count}) n
                    where p.name = 'work' and p.kind = 'project' returning id
                ) insert into run_inputs (run_id, version_id) select id, {raw} from made"
            ))
            .await;
    };
    let statements = async || {
        let answer = stage.ask(&stage.alice, "raw", "DOWNSTREAM", 10).await;
        let mut names: Vec<String> =
            answer.statements.iter().map(|statement| statement.split_whitespace().nth(1).unwrap().to_owned()).collect();
        // What is loaded at once ends in any order.
        names.sort();
        (names, answer.ok()["lineage"].clone())
    };
    stage.ask(&stage.alice, "raw", "BOTH", 1).await.expect_ok();
    more(3).await;
    let (few, lineage) = statements().await;
    assert_eq!(lineage["truncated"], false);
    more(700).await;
    let (many, lineage) = statements().await;
    assert_eq!((lineage["truncated"].as_bool(), lineage["nodes"].as_array().unwrap().len()), (Some(false), 703 + 9));
    assert_eq!(few, many, "the same statements for more");
    assert!(many.len() < 20, "{many:?}");
    more(3000).await;
    let (_, lineage) = statements().await;
    assert_eq!(lineage["truncated"], true);
    assert_eq!(lineage["nodes"].as_array().unwrap().len(), 1000);
    stage.named(&lineage);

    // Pages of the runs that used it: each once, in order, on both sides of the schema.
    let text = "query($id: ID!, $after: String) { artifact(id: $id) { usedBy(first: 1000, after: $after) { pageInfo { endCursor hasNextPage } \
        edges { node { name } } } } }";
    let ours = "query($id: ID!, $after: String) { version(id: $id) { usedBy(first: 1000, after: $after) { pageInfo { endCursor hasNextPage } \
        nodes { name } } } }";
    for (text, field, rows) in [(text, "artifact", "edges"), (ours, "version", "nodes")] {
        let (mut names, mut after, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let page = stage.alice.graphql(text, json!({ "id": stage.ids["raw"], "after": after })).await.ok();
            let page = &page[field]["usedBy"];
            names.extend(
                page[rows].as_array().unwrap().iter().map(|row| row.pointer("/node/name").unwrap_or(&row["name"]).clone()),
            );
            (after, pages) = (page["pageInfo"]["endCursor"].clone(), pages + 1);
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        let once: BTreeSet<String> = names.iter().map(Value::to_string).collect();
        assert_eq!((names.len(), once.len(), pages), (3704, 3704, 4), "{field}");
    }
    // The SDK asks for no length, and gets what fits.
    let found = stage.alice.graphql(ARTIFACT_LINEAGE, json!({ "id": stage.ids["raw"] })).await.ok();
    assert_eq!(found["artifact"]["usedBy"]["edges"].as_array().unwrap().len(), 1000);
    // Somebody who sees none of them has the same short answer as ever.
    stage.alice.link(&stage.ids["raw"], "acme", "sets", "Raw", &[]).await.expect_ok();
    let found = stage.carol.graphql(ARTIFACT_LINEAGE, json!({ "id": stage.ids["raw"] })).await.ok();
    assert_eq!(found["artifact"]["usedBy"]["edges"], json!([]));
}

fn names(edges: &Value, pointer: &str) -> Vec<String> {
    let name = |edge: &Value| edge["node"].pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    edges.as_array().unwrap().iter().map(name).collect()
}

/// Wire 2.6 and 2.8: who made and used a version, and where it stands.
#[tokio::test]
async fn rule_22_who_made_and_used_a_version() {
    let stage = Stage::set().await;
    let net = &stage.ids["net"];
    stage.alice.link_into(net, "alpha", "shelf", "Best", &[]).await.expect_ok();
    begin_run(&stage.carol, "carol", "own", "mine").await;
    used(&stage.carol, "carol", "own", "mine", net).await;
    // Twice is once.
    used(&stage.carol, "carol", "own", "mine", net).await;
    for (who, client, creator, users, places) in [
        ("alice", &stage.alice, json!("train"), vec!["eval", "publish"], vec!["net", "Net", "Best"]),
        ("bob", &stage.bob, json!("train"), vec!["publish"], vec!["net", "Net", "Best"]),
        ("carol", &stage.carol, Value::Null, vec!["mine"], vec!["Net"]),
    ] {
        let artifact = client.graphql(ARTIFACT_LINEAGE, json!({ "id": net })).await.ok()["artifact"].clone();
        assert_eq!(artifact["createdBy"]["name"], creator, "{who}");
        assert_eq!(names(&artifact["usedBy"]["edges"], "/name"), users, "{who}");
        assert_eq!(names(&artifact["artifactMemberships"]["edges"], "/artifactCollection/name"), places, "{who}");
        assert_eq!(artifact["artifactMemberships"]["pageInfo"]["hasNextPage"], false);
        assert!(
            names(&artifact["artifactMemberships"]["edges"], "/artifactCollection/project/name").iter().all(|name| name != "?")
        );
        let text = "query($id: ID!) { version(id: $id) { madeBy { name } createdBy { name } usedBy { nodes { name } } } }";
        let ours = client.graphql(text, json!({ "id": net })).await.ok()["version"].clone();
        assert_eq!(ours["madeBy"]["name"], creator, "{who}");
        assert_eq!(ours["createdBy"]["name"], if creator.is_null() { Value::Null } else { json!("alice") }, "{who}");
        let found: Vec<&str> =
            ours["usedBy"]["nodes"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
        assert_eq!(found, users, "{who}");
    }
    // Logged by hand it has a user, whom those see who see where it was logged.
    stage.alice.link(&stage.ids["raw"], "acme", "sets", "Raw", &[]).await.expect_ok();
    for (client, expected) in [(&stage.bob, json!({ "kind": "User", "name": "alice" })), (&stage.carol, Value::Null)] {
        let found = client.graphql(ARTIFACT_LINEAGE, json!({ "id": stage.ids["raw"] })).await.ok();
        let creator = &found["artifact"]["createdBy"];
        let shown =
            if creator.is_null() { Value::Null } else { json!({ "kind": creator["__typename"], "name": creator["username"] }) };
        assert_eq!(shown, expected);
    }
    // What isn't committed stands nowhere.
    let pending = stage.alice.begin(&VersionSpec::model("alpha", "coming", b"coming")).await.id;
    let found = stage.alice.graphql(ARTIFACT_LINEAGE, json!({ "id": pending })).await.ok();
    assert_eq!(found["artifact"]["artifactMemberships"]["edges"], json!([]));
}

/// Rule 42: what a run made and used, page by page, counted as far as the caller sees it.
#[tokio::test]
async fn rule_42_what_a_run_made_and_used() {
    let stage = Stage::set().await;
    let of = async |client: &Client, run: &str, first: i32, after: Value| {
        let variables = json!({ "entity": "alpha", "project": "work", "run": run, "first": first, "after": after });
        client.graphql(RUN_ARTIFACTS, variables).await.ok()["project"]["run"].clone()
    };
    let ids = |wanted: &[&str]| wanted.iter().map(|name| stage.ids[name].clone()).collect::<Vec<_>>();
    for (who, client, used) in [("alice", &stage.alice, &["secret", "feat"][..]), ("bob", &stage.bob, &["feat"])] {
        let run = of(client, "train", 50, Value::Null).await;
        assert_eq!(names(&run["used"]["edges"], "/id"), ids(used), "{who}");
        assert_eq!(run["used"]["totalCount"], used.len(), "{who}");
        assert_eq!(run["used"]["pageInfo"]["hasNextPage"], false);
        assert_eq!((names(&run["made"]["edges"], "/id"), &run["made"]["totalCount"]), (ids(&["net"]), &json!(1)), "{who}");
    }
    // Page by page.
    let first = of(&stage.alice, "train", 1, Value::Null).await;
    assert_eq!((names(&first["used"]["edges"], "/id"), &first["used"]["totalCount"]), (ids(&["secret"]), &json!(2)));
    assert_eq!(first["used"]["pageInfo"]["hasNextPage"], true);
    let second = of(&stage.alice, "train", 1, first["used"]["pageInfo"]["endCursor"].clone()).await;
    assert_eq!(names(&second["used"]["edges"], "/id"), ids(&["feat"]));
    assert_eq!(second["used"]["pageInfo"]["hasNextPage"], false);
    assert_eq!(of(&stage.alice, "train", 0, Value::Null).await["used"]["totalCount"], 2);
    // A run that logs what is there already made it, too; who made it first stays.
    begin_run(&stage.alice, "alpha", "work", "again").await;
    assert_eq!(made(&stage.alice, "alpha", "work", "net", Some("again")).await, stage.ids["net"]);
    assert_eq!(names(&of(&stage.alice, "again", 50, Value::Null).await["made"]["edges"], "/id"), ids(&["net"]));
    let found = stage.alice.graphql(ARTIFACT_LINEAGE, json!({ "id": stage.ids["net"] })).await.ok();
    assert_eq!(found["artifact"]["createdBy"]["name"], "train");
    let (edges, _) = stage.graph(&stage.alice, "net", "UPSTREAM", 1).await;
    assert!(edges.contains("again made net") && edges.contains("train made net"), "{edges:?}");
    // Of what is pending nothing is told, and what was deleted is gone.
    let mut spec = VersionSpec::model("alpha", "coming", b"coming");
    (spec.project, spec.run) = ("work".into(), Some("again".into()));
    stage.alice.begin(&spec).await;
    assert_eq!(of(&stage.alice, "again", 50, Value::Null).await["made"]["totalCount"], 1);
    let gone = json!({ "artifactID": stage.ids["net"], "deleteAliases": true });
    wire(&stage.alice, "deleteArtifact", gone).await.expect_ok();
    let run = of(&stage.alice, "again", 50, Value::Null).await;
    assert_eq!((&run["made"]["totalCount"], &run["made"]["edges"]), (&json!(0), &json!([])));
    // Cursors that are none.
    for after in ["x", "eA==", &encode_id("Run", 1)] {
        let variables = json!({ "entity": "alpha", "project": "work", "run": "train", "first": 5, "after": after });
        let answer = stage.alice.graphql(RUN_ARTIFACTS, variables).await;
        assert_eq!((answer.status, answer.code()), (400, "INVALID"), "{after}");
    }
}

/// Rules 22 and 42: the same through our own schema: what each caller sees of it, page by page, as if the rest weren't there.
#[tokio::test]
async fn rule_42_inputs_and_outputs_of_our_own_runs() {
    let stage = Stage::set().await;
    let ask = async |client: &Client, (entity, project, run): (&str, &str, &str), first: Option<i32>, after: Value| {
        let text = "query($entity: String!, $project: String!, $run: String!, $first: Int, $after: String) { run(entity: $entity, \
            project: $project, name: $run) { inputs(first: $first, after: $after) { ...Page } outputs(first: $first, after: $after) { ...Page } \
            } } fragment Page on VersionConnection { edges { cursor node { id } } nodes { id digest source usedBy { nodes { name } } } \
            pageInfo { endCursor hasNextPage } }";
        let variables = json!({ "entity": entity, "project": project, "run": run, "first": first, "after": after });
        client.graphql(text, variables).await
    };
    // The names of a page's versions, and whether there are more.
    let page = |list: &Value| {
        let number = |id: &str| decode_id(&["Version", "Artifact"], id).unwrap();
        let named = |node: &Value| {
            let found = stage.ids.iter().find(|(_, known)| number(known) == number(node["id"].as_str().unwrap()));
            *found.unwrap().0
        };
        let nodes: Vec<&str> = list["nodes"].as_array().unwrap().iter().map(named).collect();
        let edges: Vec<&str> = list["edges"].as_array().unwrap().iter().map(|edge| named(&edge["node"])).collect();
        assert_eq!(nodes, edges);
        (nodes, list["pageInfo"]["hasNextPage"].as_bool().unwrap())
    };
    let (train, publish, eval) = (("alpha", "work", "train"), ("alpha", "work", "publish"), ("beta", "lab", "eval"));
    for (who, client, run, inputs, outputs) in [
        ("alice", &stage.alice, train, vec!["secret", "feat"], vec!["net"]),
        ("alice", &stage.alice, publish, vec!["net", "report"], vec!["page"]),
        ("alice", &stage.alice, eval, vec!["net"], vec!["report"]),
        ("bob", &stage.bob, train, vec!["feat"], vec!["net"]),
        ("bob", &stage.bob, publish, vec!["net"], vec!["page"]),
    ] {
        let found = ask(client, run, None, Value::Null).await.ok()["run"].clone();
        assert_eq!(
            (page(&found["inputs"]), page(&found["outputs"])),
            ((inputs.clone(), false), (outputs, false)),
            "{who}: {run:?}"
        );
        // One at a time: what is hidden is on no page, nor announced by one.
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let found = ask(client, run, Some(1), after.clone()).await.ok()["run"]["inputs"].clone();
            let (names, more) = page(&found);
            assert_eq!(names.len(), 1, "{who}: {run:?}");
            seen.extend(names);
            assert_eq!(found["pageInfo"]["endCursor"], found["edges"][0]["cursor"]);
            after = found["pageInfo"]["endCursor"].clone();
            if !more {
                break;
            }
        }
        assert_eq!(seen, inputs, "{who}: {run:?}");
    }
    // Which runs used them is told as far as he sees it, too.
    let found = ask(&stage.bob, publish, None, Value::Null).await.ok()["run"]["inputs"]["nodes"][0].clone();
    assert_eq!(found["usedBy"]["nodes"], json!([{ "name": "publish" }]));
    // A run of others is none.
    assert_eq!(ask(&stage.bob, eval, None, Value::Null).await.ok()["run"], Value::Null);
    assert_eq!(ask(&stage.carol, train, None, Value::Null).await.ok()["run"], Value::Null);
    // What is pending or deleted is in neither list.
    let mut spec = VersionSpec::model("alpha", "coming", b"coming");
    (spec.project, spec.run) = ("work".into(), Some("train".into()));
    stage.alice.begin(&spec).await;
    wire(&stage.alice, "deleteArtifact", json!({ "artifactID": stage.ids["feat"] })).await.expect_ok();
    let found = ask(&stage.alice, train, None, Value::Null).await.ok()["run"].clone();
    assert_eq!((page(&found["inputs"]), page(&found["outputs"])), ((vec!["secret"], false), (vec!["net"], false)));
    let found = ask(&stage.bob, train, None, Value::Null).await.ok()["run"].clone();
    assert_eq!((page(&found["inputs"]), page(&found["outputs"])), ((vec![], false), (vec!["net"], false)));
    for after in ["x", "eA==", &encode_id("Run", 1)] {
        let answer = ask(&stage.alice, train, Some(5), json!(after)).await;
        assert_eq!((answer.status, answer.code()), (200, "INVALID"), "{after}");
    }
}

/// Nested lists load together: as many statements for ten versions as for one.
#[tokio::test]
async fn lists_below_lists_take_constant_statements() {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    for run in ["a", "b"] {
        begin_run(&alice, "alpha", "demo", run).await;
    }
    let ask = async || {
        let text = "{ project(entityName: \"alpha\", name: \"demo\") { artifactCollection(name: \"net\") { artifacts(first: 5) { edges { node { \
            usedBy { edges { node { name outputArtifacts(first: 5) { totalCount edges { node { id } } } } } } \
            createdBy { ... on Run { name inputArtifacts(first: 5) { totalCount edges { node { id } } } } } \
            artifactMemberships { edges { node { artifactCollection { name } } } } } } } } } }";
        let answer = alice.graphql(text, json!({})).await;
        let mut names: Vec<String> =
            answer.statements.iter().map(|statement| statement.split_whitespace().nth(1).unwrap().to_owned()).collect();
        names.sort();
        answer.expect_ok();
        names
    };
    let mut last = Vec::new();
    for number in 0..4 {
        let mut spec = VersionSpec::model("alpha", "net", format!("{number}").as_bytes());
        spec.run = Some("a".into());
        let id = alice.log(&spec).await.id;
        used(&alice, "alpha", "demo", "b", &id).await;
        used(&alice, "alpha", "demo", "a", &id).await;
        let statements = ask().await;
        if number > 1 {
            assert_eq!(statements, last, "{number}");
        }
        last = statements;
    }
    // So do an entity's user and its projects, and files by their names.
    let owners = "{ entity(name: \"alpha\") { projects { edges { node { entity { project(name: \"demo\") { id } user { id } \
        organization { name } } } } } } }";
    let files = "{ project(entityName: \"alpha\", name: \"demo\") { artifactCollection(name: \"net\") { \
        artifacts(first: 5) { edges { node { artifactMemberships { edges { node { files(first: 1, names: [\"model.txt\", \"\\u0000\"]) \
        { totalCount edges { node { name } } } } } } } } } } } }";
    let both = async || (alice.graphql(owners, json!({})).await, alice.graphql(files, json!({})).await);
    let (few_owners, few_files) = both().await;
    begin_run(&alice, "alpha", "more", "c").await;
    alice.log(&VersionSpec::model("alpha", "net", b"one more")).await;
    let (many_owners, many_files) = both().await;
    for (few, many) in [(&few_owners, &many_owners), (&few_files, &many_files)] {
        assert_eq!(few.statements.len(), many.statements.len(), "{:?}\n{:?}", few.statements, many.statements);
    }
    let data = many_files.ok();
    let versions = data["project"]["artifactCollection"]["artifacts"]["edges"].as_array().unwrap();
    assert_eq!(versions.len(), 5);
    for version in versions {
        let files = &version["node"]["artifactMemberships"]["edges"][0]["node"]["files"];
        assert_eq!((&files["totalCount"], names(&files["edges"], "/name")), (&json!(1), vec!["model.txt".to_owned()]));
    }
    assert_eq!(many_owners.ok()["entity"]["projects"]["edges"].as_array().unwrap().len(), 2);
}
