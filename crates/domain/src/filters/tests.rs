//! The tree: its normal form keeps the meaning, and its limits hold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::pattern::{Pattern, Substring};
use super::timestamp::Timestamp;
use super::value::{Json, Scalar};
use super::*;

type Tree = Filter<VersionTest>;

fn labels() -> impl Strategy<Value = BTreeSet<String>> {
    proptest::collection::btree_set("[abA]", 0..3)
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![Comparison::Less, Comparison::LessOrEqual, Comparison::Greater, Comparison::GreaterOrEqual])
}

fn value_is<V: Ord + Clone + Debug + 'static>(
    value: impl Strategy<Value = V> + Clone + 'static,
) -> impl Strategy<Value = ValueIs<V>> {
    prop_oneof![
        proptest::collection::btree_set(value.clone(), 0..3).prop_map(ValueIs::OneOf),
        (comparison(), value).prop_map(|(comparison, value)| ValueIs::Compared(comparison, value)),
    ]
}

fn text_is() -> impl Strategy<Value = TextIs> {
    prop_oneof![
        labels().prop_map(TextIs::OneOf),
        (comparison(), "[abA]").prop_map(|(comparison, text)| TextIs::Compared(comparison, text)),
        "[abA]?".prop_map(|text| TextIs::Containing(Substring::parse(&text).unwrap())),
        prop::sample::select(vec!["^a", "b|A", "(a+)+$"]).prop_map(|text| TextIs::Matching(Pattern::parse(text).unwrap())),
    ]
}

fn labels_are() -> impl Strategy<Value = LabelsAre> {
    prop_oneof![
        3 => text_is().prop_map(LabelsAre::Some),
        1 => labels().prop_map(LabelsAre::Exactly),
        1 => (-1..3i64).prop_map(LabelsAre::Count),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        Just(Scalar::Null),
        any::<bool>().prop_map(Scalar::Bool),
        (-1..2i64).prop_map(|number| Scalar::Number(number.into())),
        "[abA]".prop_map(Scalar::Text),
    ]
}

fn json_is() -> impl Strategy<Value = JsonIs> {
    prop_oneof![
        Just(JsonIs::Present),
        proptest::collection::btree_set(scalar(), 0..3).prop_map(JsonIs::OneOf),
        (comparison(), -1..2i64).prop_map(|(comparison, number)| JsonIs::ComparedNumber(comparison, number.into())),
        (comparison(), "[abA]").prop_map(|(comparison, text)| JsonIs::ComparedText(comparison, text)),
        "[abA]".prop_map(|text| JsonIs::Containing(Substring::parse(&text).unwrap())),
        Just(JsonIs::Matching(Pattern::parse("^[ab]").unwrap())),
        proptest::collection::vec(scalar(), 0..3).prop_map(JsonIs::List),
        (-1..3i64).prop_map(JsonIs::Length),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> + Clone {
    (-1..2i64).prop_map(|micros| Timestamp::from_micros(micros).unwrap())
}

fn states() -> impl Strategy<Value = BTreeSet<VersionState>> {
    let all = vec![VersionState::Pending, VersionState::Committed, VersionState::Deleted];
    proptest::sample::subsequence(all, 0..3).prop_map(|states| states.into_iter().collect())
}

fn question() -> impl Strategy<Value = VersionTest> {
    let path = |key: &str| MetadataPath::parse(key).unwrap();
    prop_oneof![
        value_is(-1..2i64).prop_map(VersionTest::Id),
        value_is(-1..2i64).prop_map(VersionTest::Index),
        states().prop_map(|states| VersionTest::State(ChoiceIs(states))),
        labels_are().prop_map(VersionTest::Tag),
        labels_are().prop_map(VersionTest::Alias),
        (prop::sample::select(vec!["a", "b.a"]), json_is()).prop_map(move |(key, is)| VersionTest::Metadata(path(key), is)),
        value_is(time()).prop_map(VersionTest::CreatedAt),
        value_is(time()).prop_map(VersionTest::UpdatedAt),
    ]
}

/// Trees as no constructor makes them.
fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![question().prop_map(Filter::Is), question().prop_map(Filter::IsNot)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let parts = proptest::collection::vec(inner, 0..4);
        prop_oneof![parts.clone().prop_map(Filter::All), parts.prop_map(Filter::Any)]
    })
}

fn row() -> impl Strategy<Value = VersionRow> {
    let value = prop_oneof![
        4 => scalar().prop_map(Json::Scalar),
        1 => proptest::collection::vec(scalar().prop_map(Json::Scalar), 0..3).prop_map(Json::Array),
    ];
    let metadata = proptest::collection::vec(("[ab]", value), 0..3).prop_map(Json::Object);
    (-1..2i64, -1..2i64, states(), labels(), labels(), metadata, time(), time()).prop_map(
        |(id, index, states, tags, aliases, metadata, created_at, updated_at)| VersionRow {
            id,
            membership_id: id,
            index,
            state: states.into_iter().next().unwrap_or(VersionState::Committed),
            tags,
            aliases,
            metadata: Json::Object(vec![("a".to_owned(), metadata.clone()), ("b".to_owned(), metadata)]),
            created_at,
            updated_at,
        },
    )
}

/// Whether a tree is as the documentation of [`Filter`] promises.
fn is_normal(tree: &Tree, outermost: bool) -> bool {
    let parts = match tree {
        Filter::All(parts) | Filter::Any(parts) => parts,
        Filter::Is(question) => return question.constant().is_none(),
        Filter::IsNot(question) => return question.constant().is_none() && question.complement().is_none(),
    };
    let same = |part: &Tree| matches!((tree, part), (Filter::All(_), Filter::All(_)) | (Filter::Any(_), Filter::Any(_)));
    if parts.is_empty() {
        return outermost;
    }
    parts.len() > 1
        && parts.windows(2).all(|pair| pair[0] < pair[1])
        && parts.iter().all(|part| !same(part) && is_normal(part, false))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn rule_42_the_normal_form_keeps_the_meaning(tree in tree(), rows in proptest::collection::vec(row(), 8)) {
        let normal = tree.clone().normal();
        prop_assert!(is_normal(&normal, true), "{normal:?}");
        prop_assert_eq!(&normal.clone().normal(), &normal);
        for row in &rows {
            prop_assert_eq!(normal.matches(row), tree.matches(row));
        }
    }

    #[test]
    fn not_is_the_opposite(tree in tree(), row in row()) {
        let opposite = Filter::not(tree.clone());
        prop_assert_eq!(opposite.matches(&row), !tree.matches(&row));
        prop_assert!(is_normal(&Filter::not(tree.clone().normal()), true));
        prop_assert_eq!(Filter::not(Filter::not(tree.clone().normal())), tree.normal());
    }

    #[test]
    fn all_and_any_are_and_and_or(trees in proptest::collection::vec(tree(), 0..4), row in row()) {
        prop_assert_eq!(Filter::all(trees.clone()).matches(&row), trees.iter().all(|tree| tree.matches(&row)));
        prop_assert_eq!(Filter::any(trees.clone()).matches(&row), trees.iter().any(|tree| tree.matches(&row)));
    }

    #[test]
    fn rule_42_equivalent_writings_are_equal(a in tree(), b in tree(), c in tree()) {
        let (a, b, c) = (a.normal(), b.normal(), c.normal());
        let equal = |x: Tree, y: Tree| {
            prop_assert_eq!(x, y);
            Ok(())
        };
        equal(Filter::all([a.clone(), b.clone()]), Filter::all([b.clone(), a.clone(), b.clone()]))?;
        equal(
            Filter::any([a.clone(), Filter::any([b.clone(), c.clone()])]),
            Filter::any([Filter::any([c.clone(), a.clone()]), b.clone()]),
        )?;
        equal(Filter::not(Filter::all([a.clone(), b.clone()])), Filter::any([Filter::not(b.clone()), Filter::not(a.clone())]))?;
        equal(Filter::all([a.clone(), Filter::everything()]), a.clone())?;
        equal(Filter::any([a.clone(), Filter::nothing()]), a.clone())?;
        equal(Filter::all([a.clone(), Filter::nothing()]), Filter::nothing())?;
        equal(Filter::any([a, Filter::everything()]), Filter::everything())?;
    }

    #[test]
    fn a_question_and_its_complement_divide_all_rows(question in question(), row in row()) {
        if let Some(complement) = question.complement() {
            prop_assert_eq!(complement.holds(&row), !question.holds(&row));
            prop_assert_eq!(complement.complement(), Some(question.clone()));
        }
        if let Some(answer) = question.constant() {
            prop_assert_eq!(question.holds(&row), answer);
        }
    }
}

#[test]
fn limits() {
    let id = |number| Filter::test(VersionTest::Id(ValueIs::OneOf([number].into())));
    let many = |count: i64| Filter::any((0..count).map(id));
    assert!(many(200).checked().is_ok());
    assert_eq!(many(201).checked(), Err(FilterError::TooManyConditions { target: "version", conditions: 201 }));

    let values = |count: i64| Filter::test(VersionTest::Id(ValueIs::OneOf((0..count).collect())));
    assert!(values(1000).checked().is_ok());
    assert_eq!(
        values(1001).checked().unwrap_err().to_string(),
        "In the version filter \"id\" is compared with 1001 values. At most 1,000 are taken at once."
    );

    let deep = |levels: usize| {
        (0..levels).fold(id(0), |inner, level| if level % 2 == 0 { Filter::All(vec![inner]) } else { Filter::Any(vec![inner]) })
    };
    assert!(deep(32).checked().is_ok());
    assert_eq!(deep(33).checked(), Err(FilterError::TooDeep { target: "version" }));

    let text = |text: String| Filter::test(VersionTest::Tag(LabelsAre::Exactly([text].into())));
    assert!(text("é".repeat(4096)).checked().is_ok());
    assert!(text("é".repeat(4097)).checked().unwrap_err().to_string().contains("\"tag\""));
    assert!(text("\0".to_owned()).checked().unwrap_err().to_string().contains("NUL"));
}

#[test]
fn rule_36_paths() {
    assert_eq!(MetadataPath::parse("a.b c.0").unwrap().keys(), ["a", "b c", "0"]);
    assert_eq!(MetadataPath::new(vec!["a.b".to_owned()]).unwrap().keys(), ["a.b"]);
    for dotted in ["", ".", "a.", ".a", "a..b", "a\0", &"a.".repeat(65)[..129], &"a".repeat(1025)] {
        assert_eq!(MetadataPath::parse(dotted), None, "{dotted}");
    }
}
