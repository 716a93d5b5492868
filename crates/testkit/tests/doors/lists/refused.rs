//! Filters that are refused, and patterns that are answered at once (rule 43). What must not live here: what filters
//! find (`oracle`).

use super::*;

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
