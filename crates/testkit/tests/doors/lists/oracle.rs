//! Random filters: that each finds in PostgreSQL what `Filter::matches` says of the same rows (rule 43). What must not live here:
//! pages.

use super::*;

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
