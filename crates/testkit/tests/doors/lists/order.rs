//! Orders, cursors and counts (rule 42), and that nothing invisible is in any of them. What must not live here: what filters mean.

use super::*;

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
        for first in [-1, i32::MIN] {
            let answer = list.ask(&world.alice, json!({ "first": first })).await;
            assert_eq!((answer.status, code(&answer)), (REFUSED, "INVALID"), "{list:?} {first}");
            assert!(answer.message().contains("from 0 to 1000"), "{}", answer.message());
        }
        // Of a page that is too long there is as much as there may be (rule 44).
        for first in [1001, i32::MAX] {
            assert_eq!(connection(&list.ask(&world.alice, json!({ "first": first })).await.ok()), whole, "{list:?} {first}");
        }
        // What is no `Int` is stopped before anything is done.
        let answer = list.ask(&world.alice, json!({ "first": i64::MAX })).await;
        assert_eq!((answer.status, of_lists(&answer)), (400, vec![]), "{list:?}: {:?}", answer.errors);
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
