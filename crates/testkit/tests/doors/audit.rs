//! What happened, as it is read: timelines by who may see them, where aliases pointed at every moment, moving them back; and the
//! chain that two servers seal at once. What must not live here: which step writes which event (`history`), and the command
//! that verifies (tests/crash).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use regalia_domain::chain::{End, Verifier};
use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_service::store::chain::{self, Place};
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::documents::native_mutation;
use crate::life::collection_id;
use crate::native::{code, own};

const PERIODS: &str = "query($path: String!, $name: String!, $first: Int, $after: String) { collection(path: $path) { \
    aliasHistory(name: $name, first: $first, after: $after) { nodes { alias from until setBy setById versionId version { id } index \
    link { index } } pageInfo { endCursor hasNextPage } } } }";
const AT: &str = "query($path: String!, $name: String!, $time: DateTime!) { collection(path: $path) { aliasAt(name: $name, \
    time: $time) { from until versionId setBy version { id } index link { index } } } }";

/// Rule 47: whoever takes an export slowly isn't cut off: the transaction that reads one moment may wait.
#[tokio::test]
async fn rule_47_an_export_may_be_read_at_any_pace() {
    let server = Server::start().await;
    let mut tx = server.service.store.begin().await.unwrap();
    chain::one_moment(&mut tx).await.unwrap();
    let limit: String = sqlx::query_scalar("show idle_in_transaction_session_timeout").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(limit, "0");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn time(value: &Value) -> DateTime<Utc> {
    text(value).parse().unwrap()
}

/// The events of a timeline: where it is, what its list is called; all pages, three at a time.
async fn timeline(client: &Client, place: &str, filter: Value) -> Vec<Value> {
    let query = format!(
        "query($after: String, $filter: AuditEventFilter) {{ {} }}",
        place.replace(
            "EVENTS",
            "vents(first: 3, after: $after, filter: $filter) { nodes { id at kind actor actorId requestId subject before after \
             collection { name } version { id } } pageInfo { endCursor hasNextPage } }"
        )
    );
    let (mut events, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = client.graphql(&query, json!({ "after": after, "filter": filter })).await.ok();
        let mut page = &data;
        while page.get("pageInfo").is_none() {
            let Some(next) = page.as_object().and_then(|object| object.values().next()) else { return events };
            page = next;
        }
        events.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return events;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| text(&event["kind"])).collect()
}

const ORGANIZATION: &str = "organization(name: \"acme\") { eEVENTS }";
const REGISTRY: &str = "registry(organization: \"acme\", name: \"closed\") { eEVENTS }";
const LINE: &str = "collection(path: \"acme/wandb-registry-closed/Line\") { eEVENTS }";

struct World {
    server: Server,
    alice: Client,
    bob: Client,
    carol: Client,
    /// `Artifact:n` of two versions, linked into `closed/Line` as v0 and v1.
    versions: Vec<String>,
    /// `Collection:n`
    line: String,
    /// Their places there.
    places: Vec<String>,
}

/// bob works in the team `alpha`, which is a member of the registry `closed`; carol, from outside, is its viewer.
async fn world() -> World {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    server.join_team("alpha", "bob", TeamRole::Member).await;
    let closed = alice.make_registry("acme", "closed", "RESTRICTED").await;
    server
        .sql(&format!(
            "insert into registry_user_members values ({}, (select id from entities where name = 'carol'), 'viewer')",
            decode_id(&["Registry"], &closed).unwrap()
        ))
        .await;
    own(&alice, "registryMemberAdd", json!({ "registry": closed, "teams": ["alpha"] })).await.expect_ok();
    own(&alice, "registryMemberSet", json!({ "registry": closed, "team": "alpha", "role": "MEMBER" })).await.expect_ok();
    let (mut versions, mut places) = (Vec::new(), Vec::new());
    for bytes in ["one", "two"] {
        let version = alice.log(&VersionSpec::model("alpha", "net", bytes.as_bytes())).await.id;
        let linked = alice.link(&version, "acme", "closed", "Line", &[]).await.ok();
        places.push(text(&linked["linkArtifact"]["artifactMembership"]["id"]).to_owned());
        versions.push(version);
    }
    let line = encode_id("Collection", collection_id(&server, "Line").await);
    World { server, alice, bob, carol, versions, line, places }
}

impl World {
    async fn set(&self, client: &Client, version: usize, alias: &str) {
        own(client, "linkUpdate", json!({ "link": self.places[version], "addAliases": [alias] })).await.expect_ok();
    }

    async fn clock(&self) -> Value {
        self.server.rows("select clock_timestamp() as at").await.remove(0)["at"].clone()
    }
}

/// Issue 4, show 6: what an alias pointed at, for a collection whose aliases changed a thousand times: at the first and the last
/// microsecond of each period, before and between, against the list of what was done.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_at_every_boundary() {
    let world = world().await;
    // Which version `production` points at after each change; none where it was taken away.
    let mut done: Vec<Option<usize>> = Vec::new();
    for batch in 0..25u32 {
        let mut fields = String::new();
        for change in 0..40u32 {
            let number = (batch * 40 + change) as usize;
            let (place, list) = match number % 7 {
                6 => (&world.places[done.iter().rev().flatten().next().copied().unwrap()], "removeAliases"),
                _ => (&world.places[number % 2], "addAliases"),
            };
            done.push((number % 7 != 6).then_some(number % 2));
            fields.push_str(&format!(
                "m{change}: linkUpdate(input: {{ link: \"{place}\", {list}: [\"production\"] }}) {{ link {{ index }} }} "
            ));
        }
        world.alice.graphql(&format!("mutation {{ {fields} }}"), json!({})).await.expect_ok();
    }
    // What is done again changes nothing.
    let mut expected: Vec<Option<usize>> = Vec::new();
    for now in done {
        if expected.last() != Some(&now) {
            expected.push(now);
        }
    }
    let path = "acme/wandb-registry-closed/Line";
    let (mut periods, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "path": path, "name": "production", "first": 100, "after": after });
        let data = world.alice.graphql(PERIODS, variables).await.ok();
        let page = &data["collection"]["aliasHistory"];
        periods.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    periods.reverse();
    let pointed: Vec<usize> = expected.iter().flatten().copied().collect();
    assert!(pointed.len() > 800, "{}", pointed.len());
    let told: Vec<usize> =
        periods.iter().map(|period| usize::try_from(period["link"]["index"].as_i64().unwrap()).unwrap()).collect();
    assert_eq!(told, pointed);
    assert!(periods.iter().all(|period| period["setBy"] == "alice"));

    // Each moment to ask about, and the version that it points at then.
    let micro = TimeDelta::microseconds(1);
    let mut moments: Vec<(DateTime<Utc>, Option<usize>)> = vec![(time(&periods[0]["from"]) - micro, None)];
    for (at, period) in periods.iter().enumerate() {
        moments.push((time(&period["from"]), Some(told[at])));
        let Some(until) = period["until"].as_str() else {
            moments.push((Utc::now() + TimeDelta::days(1), Some(told[at])));
            continue;
        };
        let until: DateTime<Utc> = until.parse().unwrap();
        moments.push((until - micro, Some(told[at])));
        let next = periods.get(at + 1).filter(|next| time(&next["from"]) == until).map(|_| told[at + 1]);
        moments.push((until, next));
    }
    let gaps = periods.windows(2).filter(|two| two[0]["until"] != two[1]["from"]).count();
    assert_eq!(gaps, expected.iter().filter(|now| now.is_none()).count() - usize::from(expected.last() == Some(&None)));
    let mut statements = std::collections::BTreeSet::new();
    for some in moments.chunks(90) {
        let fields: Vec<String> = (0..)
            .zip(some)
            .map(|(n, (at, _))| {
                let at = chain::time(*at);
                format!("m{n}: aliasAt(name: \"production\", time: \"{at}\") {{ versionId }}")
            })
            .collect();
        let query = format!("{{ collection(path: \"{path}\") {{ {} }} }}", fields.join(" "));
        let answer = world.alice.graphql(&query, json!({})).await;
        statements.insert(answer.statements.len());
        let data = answer.ok();
        for (n, (at, version)) in some.iter().enumerate() {
            let told = data["collection"][format!("m{n}")]["versionId"].as_str().map(|id| decode_id(&["Version"], id).unwrap());
            let expected = version.map(|version| decode_id(&["Artifact"], &world.versions[version]).unwrap());
            assert_eq!(told, expected, "at {at}");
        }
    }
    assert_eq!(statements.len(), 1, "one statement for however many moments: {statements:?}");
    // `latest` has a history too, and what was never set has none.
    let latest = world.alice.graphql(PERIODS, json!({ "path": path, "name": "latest" })).await.ok();
    assert_eq!(latest["collection"]["aliasHistory"]["nodes"].as_array().unwrap().len(), 2);
    let none = world.alice.graphql(PERIODS, json!({ "path": path, "name": "nothing\u{0}" })).await.ok();
    assert_eq!(none["collection"]["aliasHistory"]["nodes"], json!([]));
}

/// Rules 29, 30 and 32: an alias moved back is an alias set, with its rights and its refusals.
#[tokio::test]
async fn an_alias_is_moved_back_by_whoever_may_set_it() {
    let world = world().await;
    let before = world.clock().await;
    world.set(&world.alice, 0, "production").await;
    let first = world.clock().await;
    world.set(&world.bob, 1, "production").await;
    let second = world.clock().await;
    let restore = async |client: &Client, alias: &str, at: &Value| {
        own(client, "aliasRestore", json!({ "collection": world.line, "alias": alias, "at": at })).await
    };
    let count = async || world.server.number("select count(*) from audit_events").await;
    let stranger = world.server.user("newcomer").await;
    let events = count().await;
    // A viewer sees where it pointed, and may not move it.
    let path = "acme/wandb-registry-closed/Line";
    let seen = world.carol.graphql(AT, json!({ "path": path, "name": "production", "time": first })).await.ok();
    assert_eq!(seen["collection"]["aliasAt"]["link"]["index"], 0);
    for (client, alias, at, expected) in [
        (&world.carol, "production", &first, "FORBIDDEN"),
        (&world.alice, "latest", &first, "INVALID"),
        (&world.alice, "v1", &first, "INVALID"),
        (&world.alice, "production", &before, "CONFLICT"),
        (&world.alice, "production", &json!("2999-01-01T00:00:00Z"), "INVALID"),
        (&world.alice, "staging", &first, "CONFLICT"),
        // Nothing to do.
        (&world.alice, "production", &second, "OK"),
    ] {
        let answer = restore(client, alias, at).await;
        assert_eq!(code(&answer), expected, "{alias} {at}: {:?}", answer.errors);
    }
    let refused = restore(&stranger, "production", &first).await;
    let absent =
        own(&stranger, "aliasRestore", json!({ "collection": encode_id("Collection", 999), "alias": "production", "at": first }));
    let absent = absent.await;
    assert_eq!((code(&refused), refused.message()), ("NOT_FOUND", absent.message()));
    assert_eq!(count().await, events);

    let answer = restore(&world.bob, "production", &first).await.ok();
    let period = &answer["aliasRestore"]["period"];
    assert_eq!((&period["link"]["index"], &period["setBy"], &period["until"]), (&json!(0), &json!("bob"), &Value::Null));
    let event = world.server.rows("select kind, before, after from audit_events order by id desc limit 1").await.remove(0);
    let number = |version: usize| decode_id(&["Artifact"], &world.versions[version]).unwrap();
    assert_eq!(event["before"], json!({ "alias": "production", "version": number(1) }));
    assert_eq!(event["after"]["version"], number(0));
    assert_eq!(time(&event["after"]["as_of"]), time(&first));
    assert_eq!(count().await, events + 1);

    // Rule 32: protected by now, so it is for admins.
    let registry = encode_id("Registry", world.server.number("select id from projects where name = 'closed'").await);
    own(&world.alice, "registryUpdate", json!({ "id": registry, "protectedAliases": ["production"] })).await.expect_ok();
    assert_eq!(code(&restore(&world.bob, "production", &second).await), "FORBIDDEN");
    restore(&world.alice, "production", &second).await.expect_ok();
    // The version that it pointed at first leaves.
    own(&world.alice, "linkDelete", json!({ "link": world.places[0] })).await.expect_ok();
    let gone = restore(&world.alice, "production", &first).await;
    assert_eq!(code(&gone), "CONFLICT");
    assert!(gone.message().contains("unlinked"), "{}", gone.message());
    let told = world.alice.graphql(AT, json!({ "path": path, "name": "production", "time": first })).await.ok();
    let told = &told["collection"]["aliasAt"];
    assert_eq!((&told["link"], told["versionId"].as_str()), (&Value::Null, Some(&*encode_id("Version", number(0)))));
    assert_eq!(told["index"], 0, "its number is known for ever");
    // Linked anew it is another place, by which it wasn't known then; what it holds can be moved back to.
    world.alice.link(&world.versions[0], "acme", "closed", "Line", &[]).await.expect_ok();
    let told = world.alice.graphql(AT, json!({ "path": path, "name": "production", "time": first })).await.ok();
    let told = &told["collection"]["aliasAt"];
    assert_eq!((&told["link"], &told["index"], &told["version"].is_object()), (&Value::Null, &json!(0), &true));
    let again = restore(&world.alice, "production", &first).await.ok()["aliasRestore"]["period"].clone();
    assert_eq!((&again["index"], &again["link"]["index"]), (&json!(2), &json!(2)));
    restore(&world.alice, "production", &second).await.expect_ok();

    // Where versions are logged it is the same.
    let net = encode_id("ArtifactCollection", collection_id(&world.server, "net").await);
    let began = world
        .server
        .rows(
            "select max(lower(valid)) as at from aliases a join collections c on c.id = a.collection_id \
        where c.name = 'net'",
        )
        .await
        .remove(0)["at"]
        .clone();
    let mut spec = VersionSpec::model("alpha", "net", b"three");
    spec.aliases = vec!["best".into()];
    world.alice.log(&spec).await;
    let set = world.clock().await;
    spec.files[0].1 = b"four".to_vec();
    world.alice.log(&spec).await;
    let ask = json!({ "path": "alpha/demo/net", "name": "best", "time": set });
    let then = world.alice.graphql(AT, ask.clone()).await.ok()["collection"]["aliasAt"]["versionId"].clone();
    let input = json!({ "collection": net, "alias": "best", "at": set });
    let now = own(&world.bob, "aliasRestore", input).await.ok();
    assert_eq!(now["aliasRestore"]["period"]["versionId"], then);
    let nothing = own(&world.bob, "aliasRestore", json!({ "collection": net, "alias": "best", "at": began })).await;
    assert_eq!(code(&nothing), "CONFLICT");
    let unseen = world.carol.graphql(AT, ask).await.ok();
    assert_eq!(unseen["collection"], Value::Null);
}

/// Who sees which events: of a collection whoever sees it, of a registry its admins, of an organization its admins; site
/// administrators those of people alone (rule 23). What is gone stays in the organization's.
#[tokio::test]
async fn timelines_by_who_may_see_them() {
    let world = world().await;
    let root = world.server.admin().await;
    world.set(&world.bob, 0, "production").await;
    let input = json!({ "link": world.places[1], "addAliases": ["production"] });
    let body = json!({ "query": native_mutation("linkUpdate"), "variables": { "input": input } });
    let moved =
        world.bob.request("POST", "/graphql", |request| request.basic_auth("api", Some(world.bob.key())).json(&body)).await;
    assert!(moved.status == 200 && !moved.text().contains("errors"), "{}", moved.text());
    let request = moved.headers["x-request-id"].to_str().unwrap();

    let line = timeline(&world.alice, LINE, Value::Null).await;
    let expected = ["alias.set", "alias.set", "alias.set", "version.linked", "alias.set", "version.linked", "collection.created"];
    assert_eq!(kinds(&line), expected);
    // The last is what was answered under that id, and what its row says.
    let row = world.server.rows("select * from audit_events order by id desc limit 1").await.remove(0);
    let (bob, versions) = (
        world.server.number("select id from entities where name = 'bob'").await,
        [0, 1].map(|n| decode_id(&["Artifact"], &world.versions[n]).unwrap()),
    );
    let value = |event: &Value, field: &str| serde_json::from_str::<Value>(text(&event[field])).unwrap();
    for (field, version) in [("before", versions[0]), ("after", versions[1])] {
        let expected = json!({ "alias": "production", "version": version });
        assert_eq!((&value(&line[0], field), &row[field]), (&expected, &expected), "{field}");
    }
    assert_eq!((&line[0]["requestId"], &row["request_id"]), (&json!(request), &json!(request)));
    assert_eq!(time(&line[0]["at"]), time(&row["at"]));
    assert_eq!(
        (&line[0]["actor"], &line[0]["actorId"], &row["actor_id"]),
        (&json!("bob"), &json!(encode_id("User", bob)), &json!(bob))
    );
    assert_eq!(line[0]["id"], encode_id("AuditEvent", row["id"].as_i64().unwrap()));
    // Nothing was before the first, and each other change has an id of its own.
    assert_eq!(
        (&line[1]["before"], value(&line[1], "after")),
        (&Value::Null, json!({ "alias": "production", "version": versions[0] }))
    );
    assert_ne!(line[1]["requestId"], line[0]["requestId"]);
    assert!(time(&line[1]["at"]) <= time(&line[0]["at"]));
    assert_eq!((&line[0]["subject"], &line[0]["collection"]["name"]), (&json!(world.line), &json!("Line")));
    let number = |id: &Value| decode_id(&["Version", "Artifact"], text(id)).unwrap();
    assert_eq!(number(&line[0]["version"]["id"]), number(&json!(world.versions[1])));
    assert_eq!(number(&line[3]["subject"]), number(&json!(world.versions[1])));
    // A viewer from outside: the same events, and of the actors those that the registry shows as its members.
    let outside = timeline(&world.carol, LINE, Value::Null).await;
    assert_eq!(kinds(&outside), expected);
    assert_eq!((&outside[0]["actor"], &outside[0]["actorId"]), (&Value::Null, &line[0]["actorId"]));
    assert_eq!(outside[6]["actor"], "alice");
    assert_eq!(
        timeline(&world.carol, LINE, json!({ "actor": "bob" })).await,
        Vec::<Value>::new(),
        "a name that isn't seen finds nothing"
    );
    // The site's administrator sees no content, by no way.
    assert_eq!(timeline(&root, LINE, Value::Null).await, Vec::<Value>::new());

    let all = timeline(&world.alice, REGISTRY, Value::Null).await;
    assert_eq!(all.len(), line.len() + 3, "{all:?}");
    assert!(kinds(&all).contains(&"registry_member.set") && kinds(&all).contains(&"registry.created"));
    assert_eq!(
        all.last().unwrap()["subject"].as_str().map(|id| id.to_owned()),
        Some(encode_id("Registry", world.server.number("select id from projects where name = 'closed'").await))
    );
    for client in [&world.bob, &world.carol] {
        assert_eq!(kinds(&timeline(client, REGISTRY, Value::Null).await), expected, "a viewer: what is in its collections");
    }

    let whole = timeline(&world.alice, ORGANIZATION, Value::Null).await;
    assert_eq!(
        whole.len() as i64,
        world.server.number("select count(*) from audit_events where organization_id is not null").await
    );
    let mut order: Vec<i64> = whole.iter().map(|event| decode_id(&["AuditEvent"], text(&event["id"])).unwrap()).collect();
    order.reverse();
    assert!(order.is_sorted());
    assert_eq!(timeline(&world.bob, ORGANIZATION, Value::Null).await, Vec::<Value>::new());
    let people = timeline(&root, ORGANIZATION, Value::Null).await;
    let words = |events: &[Value]| {
        let words = kinds(events)
            .iter()
            .map(|kind| kind.split('.').next().unwrap().to_owned())
            .collect::<std::collections::BTreeSet<_>>();
        words.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(words(&people), ["organization", "organization_member", "team", "team_member"]);
    let accounts = timeline(&root, "accountEEVENTS", Value::Null).await;
    assert_eq!(words(&accounts), ["key", "user"]);
    let refused = world.alice.graphql("{ accountEvents { nodes { id } } }", json!({})).await;
    assert_eq!(code(&refused), "FORBIDDEN");

    // Filters, one by one and together.
    let only = async |filter: Value| timeline(&world.alice, ORGANIZATION, filter).await;
    assert_eq!(only(json!({ "kinds": ["alias.set", "version.linked"], "collection": world.line })).await.len(), 6);
    assert_eq!(only(json!({ "actor": "bob" })).await.len(), 2);
    assert_eq!(only(json!({ "subject": world.line, "actor": "alice" })).await.len(), 3);
    assert_eq!(kinds(&only(json!({ "subject": world.versions[0] })).await), ["version.linked", "version.committed"]);
    let at = &line[1]["at"];
    assert_eq!(only(json!({ "collection": world.line, "at": { "from": at } })).await.len(), 2);
    assert_eq!(only(json!({ "collection": world.line, "at": { "before": at } })).await.len(), 5);
    let unknown = world
        .alice
        .graphql("{ organization(name: \"acme\") { events(filter: { kinds: [\"alias.lost\"] }) { nodes { id } } } }", json!({}))
        .await;
    assert_eq!(code(&unknown), "INVALID");
    assert_eq!(unknown.message(), "There is no kind of event \"alias.lost\". There are: alias.set, alias.removed.");
    let odd = world
        .alice
        .graphql("{ organization(name: \"acme\") { events(filter: { subject: \"x\" }) { nodes { id } } } }", json!({}))
        .await;
    assert_eq!(code(&odd), "INVALID");
    let odd = world.alice.graphql("{ organization(name: \"acme\") { events(after: \"x\") { nodes { id } } } }", json!({})).await;
    assert_eq!(code(&odd), "INVALID");

    // What is no time is noticed by the field, and told as all that is refused (rule 45).
    let query =
        "{ collection(path: \"acme/wandb-registry-closed/Line\") { aliasAt(name: \"production\", time: \"noon\") { from } } }";
    let late = world.alice.graphql(query, json!({})).await;
    assert_eq!((late.status, code(&late)), (200, "INVALID"), "{:?}", late.errors);

    // What SQL puts into another chain, or none, is told in no timeline of this one; and no chain is where nobody looks.
    let forged = |organization: &str| {
        format!(
            "insert into audit_events (organization_id, actor_id, request_id, kind, subject, collection_id, project_id, after) \
             select {organization}, actor_id, request_id, kind, subject, collection_id, project_id, after from audit_events \
             where id = {}",
            decode_id(&["AuditEvent"], text(&line[0]["id"])).unwrap()
        )
    };
    for organization in ["999999", "null"] {
        world.server.sql(&forged(organization)).await;
        assert_eq!(kinds(&timeline(&world.alice, LINE, Value::Null).await), expected, "{organization}");
        assert_eq!(timeline(&world.alice, REGISTRY, Value::Null).await, all, "{organization}");
    }
    for organization in ["0", "-4"] {
        assert_eq!(world.server.attempt(&forged(organization)).await, Err("23514".to_owned()), "{organization}");
    }

    // A collection and then the registry go: their events stay for the organization's admins.
    let registry = all.last().unwrap()["subject"].clone();
    own(&world.alice, "collectionDelete", json!({ "collection": world.line })).await.expect_ok();
    assert_eq!(timeline(&world.carol, REGISTRY, Value::Null).await, Vec::<Value>::new(), "gone for who only sees the registry");
    assert_eq!(kinds(&timeline(&world.alice, REGISTRY, Value::Null).await)[0], "collection.deleted");
    own(&world.alice, "registryDelete", json!({ "id": registry })).await.expect_ok();
    let left = only(json!({ "registry": registry })).await;
    assert_eq!(left.len(), all.len() + 2);
    assert_eq!(left[0]["kind"], "registry.deleted");
    assert_eq!(only(json!({ "collection": world.line })).await.len(), line.len() + 1);

    // Rule 24: by force, with everything; what happened to content isn't told to the site's administrator.
    own(&root, "teamDelete", json!({ "team": "alpha", "force": true })).await.expect_ok();
    let removed = |events: &[Value]| {
        events.iter().find(|event| event["kind"] == "team.deleted").unwrap()["before"].as_str().unwrap().to_owned()
    };
    assert!(removed(&timeline(&world.alice, ORGANIZATION, Value::Null).await).contains("demo"));
    assert!(!removed(&timeline(&root, ORGANIZATION, Value::Null).await).contains("demo"));
}

/// Who leaves an organization, and who is deleted, leaves registries, teams and organizations: each tells it to those who stay.
#[tokio::test]
async fn places_that_end_with_somebody_are_told_where_they_were() {
    let world = world().await;
    let root = world.server.admin().await;
    world.server.team("acme", "omega", "alice").await;
    let registry = encode_id("Registry", world.server.number("select id from projects where name = 'closed'").await);
    own(&world.alice, "registryMemberAdd", json!({ "registry": registry, "users": ["bob"], "teams": ["omega"] }))
        .await
        .expect_ok();
    let number = async |name: &str| world.server.number(&format!("select id from entities where name = '{name}'")).await;
    let (acme, alpha, omega) = (number("acme").await, number("alpha").await, number("omega").await);
    let (bob, carol) = (number("bob").await, number("carol").await);
    let before = |event: &Value| serde_json::from_str::<Value>(text(&event["before"])).unwrap();
    let told = |events: &[Value], most: usize| -> Vec<(String, Value, Value)> {
        let kind = |event: &Value| text(&event["kind"]).to_owned();
        events.iter().take(most).map(|event| (kind(event), event["subject"].clone(), before(event))).collect()
    };
    let user = |id: i64, role: &str| json!({ "user": format!("User:{id}"), "role": role });
    let removed =
        |kind: &str, noun: &str, id: i64, before: Value| (format!("{kind}.removed"), json!(encode_id(noun, id)), before);
    let closed = decode_id(&["Registry"], &registry).unwrap();

    own(&world.alice, "organizationMemberRemove", json!({ "organization": "acme", "user": "bob" })).await.expect_ok();
    let expected = [
        removed("organization_member", "Organization", acme, user(bob, "member")),
        removed("team_member", "Team", alpha, user(bob, "member")),
        removed("registry_member", "Registry", closed, user(bob, "restricted_viewer")),
    ];
    assert_eq!(told(&timeline(&world.alice, ORGANIZATION, Value::Null).await, 3), expected);
    assert_eq!(told(&timeline(&world.alice, REGISTRY, Value::Null).await, 1), expected[2..]);

    own(&world.alice, "teamDelete", json!({ "team": "omega" })).await.expect_ok();
    let gone = json!({ "team": format!("Team:{omega}"), "role": "restricted_viewer" });
    assert_eq!(
        told(&timeline(&world.alice, REGISTRY, Value::Null).await, 1),
        [removed("registry_member", "Registry", closed, gone)]
    );

    // A service account that is removed from its team leaves everything.
    let made = own(&world.alice, "serviceAccountCreate", json!({ "team": "alpha", "name": "robot" })).await;
    made.expect_ok();
    let robot = number("robot").await;
    own(&world.alice, "registryMemberAdd", json!({ "registry": registry, "users": ["robot"] })).await.expect_ok();
    own(&world.alice, "teamMemberRemove", json!({ "team": "alpha", "user": "robot" })).await.expect_ok();
    let gone = user(robot, "member");
    assert_eq!(
        told(&timeline(&world.alice, REGISTRY, Value::Null).await, 1),
        [removed("registry_member", "Registry", closed, gone)]
    );

    // By an account's deletion, also by force.
    for (name, id, force) in [("carol", carol, false), ("dave", 0, true)] {
        let id = if force {
            world.server.user("dave").await;
            world.server.join("acme", "dave", OrganizationRole::Member).await;
            world.server.join_team("alpha", "dave", TeamRole::Member).await;
            number("dave").await
        } else {
            id
        };
        own(&root, "userDelete", json!({ "name": name, "force": force })).await.expect_ok();
        let events = timeline(&world.alice, ORGANIZATION, Value::Null).await;
        let expected = if force {
            vec![
                removed("team_member", "Team", alpha, user(id, "member")),
                removed("organization_member", "Organization", acme, user(id, "member")),
            ]
        } else {
            vec![removed("registry_member", "Registry", closed, user(id, "viewer"))]
        };
        assert_eq!(told(&events, expected.len()), expected, "{name}");
    }
    // What goes itself tells that alone.
    let count = async || world.server.number("select count(*) from audit_events where kind like '%removed'").await;
    let so_far = count().await;
    own(&root, "organizationDelete", json!({ "organization": "acme", "force": true })).await.expect_ok();
    assert_eq!(count().await, so_far);
}

/// Whoever comes first ends the memberships, and tells each once; neither waits for the other for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_removed_while_the_account_is_deleted() {
    let world = world().await;
    let root = world.server.admin().await;
    let registry = encode_id("Registry", world.server.number("select id from projects where name = 'closed'").await);
    for number in 0..12 {
        let name = format!("guest{number}");
        world.server.user(&name).await;
        world.server.join("acme", &name, OrganizationRole::Member).await;
        world.server.join_team("alpha", &name, TeamRole::Member).await;
        own(&world.alice, "registryMemberAdd", json!({ "registry": registry, "users": [name] })).await.expect_ok();
        let (removed, deleted) = tokio::join!(
            own(&world.alice, "organizationMemberRemove", json!({ "organization": "acme", "user": name })),
            own(&root, "userDelete", json!({ "name": name })),
        );
        assert!(["OK", "NOT_FOUND"].contains(&code(&removed)), "{:?}", removed.errors);
        assert_eq!(code(&deleted), "OK", "{:?}", deleted.errors);
        let told = "select count(*) from audit_events where kind like '%member.removed'";
        assert_eq!(world.server.number(told).await, 3 * (number + 1), "{name}");
    }
}

/// All sealed events of a server, verified; the number of each chain's.
async fn verified(server: &Server) -> BTreeMap<Option<i64>, u64> {
    let mut tx = server.service.store.begin().await.unwrap();
    let mut verifier = Verifier::new(Vec::new(), Some(chain::ends(&mut tx).await.unwrap()));
    let mut place = Place::START;
    loop {
        let (events, next) = chain::page(&mut tx, None, place, 7).await.unwrap();
        if events.is_empty() {
            break;
        }
        events.iter().for_each(|sealed| verifier.event(sealed));
        place = next;
    }
    let reports = verifier.finish();
    assert!(reports.iter().all(|report| report.problem.is_none()), "{reports:?}");
    reports.into_iter().map(|report| (report.organization, report.events)).collect()
}

/// Two sealers at once and many writers: every event is sealed once, positions are dense, and who commits late comes later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_seal_while_many_write() {
    let world = world().await;
    let other = world.server.neighbor(env!("CARGO_BIN_EXE_neighbor"));
    let there = world.alice.at(&other.url);
    // Written before all others, committed after them.
    let late = world
        .server
        .hold(
            "insert into audit_events (organization_id, request_id, kind, subject) \
        select id, gen_random_uuid(), 'team.created', 'Team:1' from entities where name = 'acme'",
        )
        .await;
    let second = regalia_service::Service::clone(&world.server.service);
    let sealing = async |service: &regalia_service::Service| {
        let mut grown: Vec<End> = Vec::new();
        for _ in 0..60 {
            service.seal(|end| grown.push(end)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        grown
    };
    let writing = join_all((0..64).map(|number: usize| {
        let (client, place) = (if number.is_multiple_of(2) { &world.alice } else { &there }, &world.places[number / 2 % 2]);
        async move {
            own(client, "linkUpdate", json!({ "link": place, "addAliases": [format!("a{}", number % 5), format!("b{number}")] }))
                .await
                .expect_ok();
        }
    }));
    let (one, two, _) = tokio::join!(sealing(&world.server.service), sealing(&second), writing);
    assert!(!one.is_empty() || !two.is_empty());
    world.server.service.seal(|_| ()).await.unwrap();
    let before = verified(&world.server).await;
    assert_eq!(world.server.number("select count(*) from audit_events where position is null").await, 0);
    late.commit().await;
    let mut ends = Vec::new();
    world.server.service.seal(|end| ends.push(end)).await.unwrap();
    let acme = world.server.number("select id from entities where name = 'acme'").await;
    let sealed = verified(&world.server).await;
    assert_eq!(sealed[&Some(acme)], before[&Some(acme)] + 1);
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].position as u64, sealed[&Some(acme)]);
    assert_eq!(sealed.values().sum::<u64>() as i64, world.server.number("select count(*) from audit_events").await);
    for (organization, count) in sealed {
        let chain = organization.unwrap_or(0);
        let dense = format!(
            "select count(distinct position) from audit_events where coalesce(organization_id, 0) = {chain} and position between 1 and {count}"
        );
        assert_eq!(world.server.number(&dense).await as u64, count);
    }
    // Forced removal: the organization goes, its chain stays and holds.
    let root = world.server.admin().await;
    own(&root, "organizationDelete", json!({ "organization": "acme", "force": true })).await.expect_ok();
    world.server.service.seal(|_| ()).await.unwrap();
    assert!(verified(&world.server).await[&Some(acme)] > before[&Some(acme)] + 1);
}
