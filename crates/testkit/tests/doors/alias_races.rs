//! Aliases while many pull at them at two servers, and read them through both doors: always one holder, an end that is whole, and
//! events that tell the same story as the history (rules 28 to 30, 33). What must not live here: indices and names (`races`).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use regalia_domain::ids::encode_id;
use regalia_testkit::{Client, Server, VersionSpec};
use serde_json::{Value, json};

use crate::life::{alias, collection_id, sound, wire};
use crate::races::{Arena, TASKS, many_rounds, place};

/// The links of a collection with their aliases, through our own schema; none when there is no such collection.
async fn ours(client: &Client, collection: &str) -> Option<Vec<(u64, Vec<String>)>> {
    let query = "query($name: String!) { registry(organization: \"acme\", name: \"model\") { collection(name: $name) { \
        links(first: 100) { nodes { index aliases } } } } }";
    let found = client.graphql(query, json!({ "name": collection })).await.ok();
    let links = found["registry"]["collection"]["links"]["nodes"].as_array()?;
    let texts = |list: &Value| list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    Some(links.iter().map(|link| (link["index"].as_u64().unwrap(), texts(&link["aliases"]))).collect())
}

/// The same as the SDK asks, by the versions' own aliases.
async fn theirs(client: &Client, collection: &str) -> Option<Vec<(u64, Vec<String>)>> {
    let query = "query($name: String!) { project(entityName: \"acme\", name: \"wandb-registry-model\") { artifactType(name: \
        \"model\") { artifactCollection(name: $name) { artifacts(first: 100) { edges { version node { aliases { alias \
        artifactCollection { name } } } } } } } } }";
    let found = client.graphql(query, json!({ "name": collection })).await.ok();
    let edges = found["project"]["artifactType"]["artifactCollection"]["artifacts"]["edges"].as_array()?;
    let here = |aliases: &Value| {
        let here = aliases.as_array().unwrap().iter().filter(|alias| alias["artifactCollection"]["name"] == collection);
        here.map(|alias| alias["alias"].as_str().unwrap().to_owned()).collect()
    };
    let index = |edge: &Value| edge["version"].as_str().unwrap().trim_start_matches('v').parse().unwrap();
    Some(edges.iter().map(|edge| (index(edge), here(&edge["node"]["aliases"]))).collect())
}

fn holders(links: &[(u64, Vec<String>)], alias: &str) -> Vec<u64> {
    links.iter().filter(|(_, aliases)| aliases.iter().any(|name| name == alias)).map(|(index, _)| *index).collect()
}

/// The events of each alias tell one move after the other, and where they end, the alias is.
async fn told(server: &Server, when: &str) {
    let events = "select id, subject, coalesce(after, before) ->> 'alias' as alias, (before ->> 'version')::bigint as was,
        (after ->> 'version')::bigint as became from audit_events where kind in ('alias.set', 'alias.removed')";
    let broken = format!(
        "select count(*) from (
            select was, lag(became) over (partition by subject, alias order by id) as before from ({events}) e
        ) told where was is distinct from before"
    );
    assert_eq!(server.number(&broken).await, 0, "{when}: an event doesn't begin where the one before ended");
    let elsewhere = format!(
        "select count(*) from (
            select distinct on (subject, alias) subject, alias, became from ({events}) e order by subject, alias, id desc
        ) last join collections c on last.subject = 'Collection:' || c.id
        left join aliases a on a.collection_id = c.id and a.alias = last.alias and upper_inf(a.valid)
        where a.version_id is distinct from last.became"
    );
    assert_eq!(server.number(&elsewhere).await, 0, "{when}: an alias isn't where its last event says");
}

/// Rule 28: a collection gave each index once, one after the other, though what stood there has gone; and what it gives next is new.
async fn given(server: &Server, when: &str) {
    let wrong = "select count(*) from (
            select (after ->> 'collection')::bigint as collection, array_agg((after ->> 'index')::integer order by id) as given
            from audit_events where kind in ('version.committed', 'version.linked') group by 1
        ) told left join collections c on c.id = told.collection
        where given <> array(select generate_series(0, cardinality(given) - 1)) or c.next_index <> cardinality(given)";
    assert_eq!(server.number(wrong).await, 0, "{when}: an index was given twice, or left out");
    let beyond = "select count(*) from memberships m join collections c on c.id = m.collection_id where m.index >= c.next_index";
    assert_eq!(server.number(beyond).await, 0, "{when}: an index will be given twice");
}

/// Rule 30: an alias is pulled between two versions by many at once, in each way there is. Whoever reads meanwhile sees it on one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_30_an_alias_pulled_by_many_while_many_read() {
    const WRITERS: usize = 24;
    let arena = Arena::new().await;
    let mut versions = Vec::new();
    for bytes in ["one", "two"] {
        let version = arena.alice.log(&VersionSpec::model("alpha", "net", bytes.as_bytes())).await.id;
        arena.alice.link(&version, "acme", "model", "Line", &["pulled"]).await.expect_ok();
        versions.push(version);
    }
    let (reads, seen) = (AtomicUsize::new(0), std::sync::Mutex::new(BTreeSet::new()));
    for round in 0..many_rounds() {
        let writing = AtomicUsize::new(WRITERS);
        arena
            .race(round, async |client, task| {
                if task < WRITERS {
                    let version = &versions[task / 2 % 2];
                    let pulled = if task % 3 == 0 {
                        client.link(version, "acme", "model", "Line", &["pulled"]).await
                    } else {
                        alias(&client, "addAliases", version, ["acme", "wandb-registry-model", "Line"], &["pulled"]).await
                    };
                    writing.fetch_sub(1, Ordering::SeqCst);
                    pulled.expect_ok();
                    return;
                }
                loop {
                    let last = writing.load(Ordering::SeqCst) == 0;
                    let links = if task % 4 < 2 { ours(&client, "Line").await } else { theirs(&client, "Line").await };
                    let links = links.expect("the collection is there");
                    let holder = holders(&links, "pulled");
                    assert_eq!((links.len(), holder.len()), (2, 1), "{links:?}");
                    let named = place(&client, "acme", "wandb-registry-model", "Line:pulled").await;
                    assert!(!named.is_null(), "the alias is on no version");
                    reads.fetch_add(1, Ordering::Relaxed);
                    seen.lock().unwrap().extend(holder);
                    if last {
                        return;
                    }
                }
            })
            .await;
    }
    assert!(
        reads.into_inner() >= many_rounds() * (TASKS - WRITERS) && seen.into_inner().unwrap().len() == 2,
        "this proved nothing"
    );
    sound(&arena.server, "afterwards").await;
    told(&arena.server, "afterwards").await;
    let periods = arena.server.number("select count(*) from aliases where alias = 'pulled'").await;
    let events = "select count(*) from audit_events where kind = 'alias.set' and after ->> 'alias' = 'pulled'".to_owned();
    assert_eq!(arena.server.number(&events).await, periods, "each period began with an event");
}

/// Rules 28, 30 and 33: an alias is moved, what carries it unlinked and linked again, and the collection deleted, all at once. Whoever
/// reads sees a collection whose aliases are single, or none.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_30_and_33_move_against_unlink_against_the_end_of_the_collection() {
    const VERSIONS: usize = 3;
    let arena = Arena::new().await;
    let mut versions = Vec::new();
    for number in 0..VERSIONS {
        versions.push(arena.alice.log(&VersionSpec::model("alpha", "net", format!("{number}").as_bytes())).await.id);
    }
    let (mut moved, mut deleted) = (0, 0);
    for round in 0..many_rounds() {
        let line = format!("Line {round}");
        for version in &versions {
            arena.alice.link(version, "acme", "model", &line, &["production"]).await.expect_ok();
        }
        let id = collection_id(&arena.server, &line).await;
        let portfolio = encode_id("ArtifactCollection", id);
        let here = ["acme", "wandb-registry-model", line.as_str()];
        let change = async |client: Client, task: usize| {
            let version = &versions[task % VERSIONS];
            match task % 4 {
                0 | 1 => alias(&client, "addAliases", version, here, &["production"]).await,
                2 => wire(&client, "unlinkArtifact", json!({ "artifactID": version, "artifactPortfolioID": portfolio })).await,
                // A new collection of that name when the old one is gone.
                _ => client.link(version, "acme", "model", &line, &["production"]).await,
            }
        };
        let answers = arena
            .race(round, async |client, task| {
                if task == 63 {
                    // Early in some rounds, late in others.
                    tokio::time::sleep(std::time::Duration::from_millis(8 * (round as u64 % 8))).await;
                    return wire(&client, "deleteArtifactPortfolio", json!({ "artifactPortfolioID": portfolio })).await;
                }
                if task % 4 == 3 && task > 15 {
                    for _ in 0..3 {
                        let links = if task % 8 == 3 { ours(&client, &line).await } else { theirs(&client, &line).await };
                        let Some(links) = links else { continue };
                        assert!(holders(&links, "production").len() <= 1, "{links:?}");
                        assert!(holders(&links, "latest").len() <= 1, "{links:?}");
                    }
                }
                change(client, task).await
            })
            .await;
        for answer in &answers {
            assert!([200, 404, 409].contains(&answer.status), "{}: {:?}", answer.status, answer.errors);
        }
        moved += answers.iter().take(TASKS - 1).filter(|answer| answer.status == 200).count();
        deleted += usize::from(answers[TASKS - 1].status == 200);
        let when = format!("round {round}");
        sound(&arena.server, &when).await;
        told(&arena.server, &when).await;
        given(&arena.server, &when).await;
        // Nothing of the old one is left, and a second end finds nothing.
        let left = format!(
            "select (select count(*) from memberships where collection_id = {id}) + (select count(*) from aliases where \
             collection_id = {id} and upper_inf(valid))"
        );
        assert_eq!(arena.server.number(&left).await, 0, "{when}");
        let ended =
            format!("select count(*) from audit_events where kind = 'collection.deleted' and subject = 'Collection:{id}'");
        assert_eq!(arena.server.number(&ended).await, 1, "{when}");
        let again = arena
            .race(round, async |client, _| {
                wire(&client, "deleteArtifactPortfolio", json!({ "artifactPortfolioID": portfolio })).await.status
            })
            .await;
        assert_eq!(again, [404; TASKS], "{when}");
    }
    assert!(moved > many_rounds() && deleted == many_rounds(), "{moved} changes and {deleted} ends");
}
