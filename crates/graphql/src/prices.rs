//! What a document may bring, computed from the types of its fields before anything runs. What must not live here: the numbers
//! that limit it (`limits`), and what is really brought (`meter`).

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, FieldDefinition, InputValueDefinition, OperationDefinition, OperationType, Selection,
    SelectionSet, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Pos, Positioned, Variables};
use async_graphql_value::{ConstValue, Value};
use regalia_service::Page;

use crate::limits::{DEPTH, FILES};

/// How many rows a page has when a client doesn't say, and the schema says nothing else either.
const DEFAULT_PAGE: usize = Page::DEFAULT as usize;

/// How many rows a page has at most, those of files apart.
const LARGEST_PAGE: usize = Page::MOST as usize;

/// A page that is longer then.
const LONGER_PAGE: (&str, &str, usize) = ("ArtifactCollectionMembership", "files", 50);

/// How many rows a list without pages is taken for. With more, the SDK's list of versions would be too much at 1,000 a page.
const SHORT_LIST: usize = 5;

/// Lists that are as long as what the same request sent, or always the same. Every other list without pages is counted by the
/// meter while it is read.
const BOUNDED: [(&str, &str, usize); 13] = [
    ("Artifact", "filesByManifestEntries", FILES),
    ("CreateArtifactCollectionTagAssignmentsPayload", "tags", 100),
    ("CreateArtifactFilesPayload", "files", FILES),
    ("CreateRunFilesPayload", "files", FILES),
    ("CreateRunFilesPayload", "uploadHeaders", 1),
    ("File", "uploadHeaders", 1),
    // There are none.
    ("Organization", "featureFlags", 1),
    ("Registry", "protectedAliases", 100),
    ("ServerInfo", "features", 50),
    ("ServerSettings", "serverMessages", 1),
    // Nobody signs in so often within the days that a session lasts.
    ("SessionEndPayload", "ids", 1000),
    ("UploadMultipartUrls", "uploadUrlParts", 1),
    ("VersionBeginPayload", "uploads", FILES),
];

/// Pages that the SDK asks for inside other pages without a length, or with 1,000, and that have a few rows in fact. They are taken for short lists, and counted by the meter, too.
const LONG_PAGES: [(&str, &str); 7] = [
    ("Artifact", "usedBy"),
    ("ArtifactCollection", "aliases"),
    ("ArtifactPortfolio", "aliases"),
    ("ArtifactSequence", "aliases"),
    ("Project", "artifactTypes"),
    ("User", "apiKeys"),
    ("User", "teams"),
];

/// What prices and checks of variables have to know of the schema, read once from its text.
#[derive(Debug, Default)]
pub struct Shape {
    types: HashMap<String, Kind>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// An object or interface.
    Fields(HashMap<String, FieldShape>),
    /// An input object.
    Input(HashMap<String, InputShape>),
    Enum(HashSet<String>),
    Scalar,
}

#[derive(Debug)]
pub(crate) struct FieldShape {
    /// The type's name, without its lists.
    of: String,
    rows: Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    One,
    /// As many as `first` says, this many without it; and no more than a page has, where a longer one is shortened and not refused.
    Page(usize, usize),
    /// The meter counts what is more than so many, and than `first` says.
    List(usize),
    /// Never more.
    Bounded(usize),
}

#[derive(Debug)]
pub(crate) struct InputShape {
    pub(crate) of: Type,
    pub(crate) default: bool,
}

impl Shape {
    /// Reads a schema's text.
    #[must_use]
    pub fn of(schema: &str) -> Self {
        let mut types: HashMap<String, Kind> =
            ["Int", "Float", "String", "Boolean", "ID"].map(|name| (name.to_owned(), Kind::Scalar)).into();
        let parsed = async_graphql::parser::parse_schema(schema);
        let mut arguments = 0;
        for definition in parsed.into_iter().flat_map(|document| document.definitions) {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            let kind = match definition.node.kind {
                TypeKind::Object(object) => {
                    arguments += object.fields.iter().map(|field| field.node.arguments.len()).sum::<usize>();
                    Kind::Fields(fields(&name, object.fields))
                }
                TypeKind::Interface(interface) => Kind::Fields(fields(&name, interface.fields)),
                TypeKind::Union(_) => Kind::Fields(HashMap::new()),
                TypeKind::InputObject(input) => {
                    Kind::Input(input.fields.into_iter().map(|field| input_field(field.node)).collect())
                }
                TypeKind::Enum(values) => {
                    Kind::Enum(values.values.into_iter().map(|value| value.node.value.node.to_string()).collect())
                }
                TypeKind::Scalar => Kind::Scalar,
            };
            types.insert(name, kind);
        }
        introspection(&mut types, arguments);
        Self { types }
    }

    pub(crate) fn kind(&self, name: &str) -> Option<&Kind> {
        self.types.get(name)
    }

    fn field(&self, parent: Option<&str>, name: &str) -> Option<&FieldShape> {
        match self.types.get(parent?)? {
            Kind::Fields(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The lists whose length only the database knows, as `Type.field`: each has to be counted by the meter.
    #[must_use]
    pub fn counted(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, kind) in self.types.iter().filter(|(name, _)| !name.starts_with("__")) {
            let Kind::Fields(fields) = kind else { continue };
            let counted = fields.iter().filter(|(_, field)| matches!(field.rows, Rows::List(_)));
            names.extend(counted.map(|(field, _)| format!("{name}.{field}")));
        }
        names.sort();
        names
    }
}

fn fields(parent: &str, fields: Vec<Positioned<FieldDefinition>>) -> HashMap<String, FieldShape> {
    fields.into_iter().map(|field| field.node).map(|field| (field.name.node.to_string(), field_shape(parent, &field))).collect()
}

fn field_shape(parent: &str, field: &FieldDefinition) -> FieldShape {
    let name = field.name.node.as_str();
    let (of, list) = named(&field.ty.node.base);
    let first = field.arguments.iter().map(|argument| &argument.node).find(|argument| argument.name.node == "first");
    let rows = if let Some((_, _, most)) = BOUNDED.iter().find(|(of, field, _)| (*of, *field) == (parent, name)) {
        Rows::Bounded(*most)
    } else if LONG_PAGES.contains(&(parent, name)) {
        Rows::List(SHORT_LIST)
    } else if let Some(first) = first {
        let default = match first.default_value.as_ref().map(|value| &value.node) {
            Some(ConstValue::Number(number)) => number.as_u64().and_then(|rows| usize::try_from(rows).ok()),
            _ => None,
        };
        let (longer_of, longer_field, longer) = LONGER_PAGE;
        let of_wandb = field.description.as_ref().is_some_and(|text| text.node.starts_with("W&B protocol"));
        let most = match of_wandb {
            true if of == "FileConnection" && parent != "Run" => FILES,
            true => LARGEST_PAGE,
            false => usize::MAX,
        };
        Rows::Page(default.unwrap_or(if (parent, name) == (longer_of, longer_field) { longer } else { DEFAULT_PAGE }), most)
    } else if parent.ends_with("Connection") {
        // Its `edges` and `nodes` are the rows that the field which leads to it has counted.
        Rows::One
    } else if list || of.ends_with("Connection") {
        Rows::List(SHORT_LIST)
    } else {
        Rows::One
    };
    FieldShape { of: of.to_owned(), rows }
}

fn input_field(field: InputValueDefinition) -> (String, InputShape) {
    (field.name.node.to_string(), InputShape { of: field.ty.node, default: field.default_value.is_some() })
}

/// The name of a type without its lists, and whether it is one.
fn named(base: &BaseType) -> (&str, bool) {
    match base {
        BaseType::Named(name) => (name, false),
        BaseType::List(item) => (named(&item.base).0, true),
    }
}

/// The fields by which a schema describes itself, with lists as long as they are on the average. `arguments` is how many the fields
/// of all types have.
fn introspection(types: &mut HashMap<String, Kind>, arguments: usize) {
    let all = types.len() + 8;
    let (mut fields_of_all, mut inputs, mut values) = (0, 0, 0);
    for kind in types.values() {
        match kind {
            Kind::Fields(fields) => fields_of_all += fields.len(),
            Kind::Input(fields) => inputs += fields.len(),
            Kind::Enum(names) => values += names.len(),
            Kind::Scalar => {}
        }
    }
    let average = |sum: usize| sum.div_ceil(all);
    let mut of = |parent: &str, fields: &[(&str, &str, usize)]| {
        let fields = fields.iter().map(|(name, of, rows)| {
            ((*name).to_owned(), FieldShape { of: (*of).to_owned(), rows: Rows::Bounded((*rows).max(1)) })
        });
        types.insert(parent.to_owned(), Kind::Fields(fields.collect()));
    };
    of(
        "__Schema",
        &[
            ("types", "__Type", all),
            ("queryType", "__Type", 1),
            ("mutationType", "__Type", 1),
            ("subscriptionType", "__Type", 1),
            ("directives", "__Directive", 10),
        ],
    );
    of(
        "__Type",
        &[
            ("fields", "__Field", average(fields_of_all)),
            ("inputFields", "__InputValue", average(inputs)),
            ("enumValues", "__EnumValue", average(values)),
            ("interfaces", "__Type", 1),
            ("possibleTypes", "__Type", 1),
            ("ofType", "__Type", 1),
        ],
    );
    of("__Field", &[("args", "__InputValue", arguments.div_ceil(fields_of_all.max(1))), ("type", "__Type", 1)]);
    of("__InputValue", &[("type", "__Type", 1)]);
    of("__Directive", &[("args", "__InputValue", 2), ("locations", "String", 10)]);
}

/// What a selection weighs. Each number counts fragments where they are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Fields and fragments.
    pub(crate) fields: usize,
    /// Fields with an alias.
    pub(crate) aliases: usize,
    /// Fields that read a list.
    pub(crate) lists: usize,
    /// Fields that aren't below others.
    tops: usize,
    /// Values for one row of what is above.
    pub(crate) cost: usize,
    /// Bytes of arguments for one row of what is above.
    pub(crate) bytes: usize,
    /// How deep it nests.
    depth: usize,
}

impl Weight {
    /// How many reads an operation may have under way at once: a field at the top reads before the lists below it do.
    pub(crate) fn reads(&self) -> usize {
        self.tops.saturating_sub(1).saturating_add(self.lists.max(1))
    }

    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.lists = self.lists.saturating_add(other.lists);
        self.tops = self.tops.saturating_add(other.tops);
        self.cost = self.cost.saturating_add(other.cost);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.depth = self.depth.max(other.depth);
    }
}

/// What of a counted list is paid for, and what one row more costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListPrice {
    /// Rows that are paid for.
    pub(crate) rows: usize,
    /// Values of one more.
    pub(crate) cost: usize,
    /// Bytes of the arguments below one more.
    pub(crate) bytes: usize,
}

/// Where the counted lists of a document are.
pub(crate) type Counted = HashMap<Pos, ListPrice>;

/// Weighs a document. Each fragment is walked through once, so a document that multiplies itself costs no more time than its
/// text is long.
pub(crate) struct Scales<'d> {
    document: &'d ExecutableDocument,
    shape: &'d Shape,
    /// Without them pages are as long as their defaults.
    asked: Option<(&'d OperationDefinition, &'d Variables)>,
    /// None while a fragment is being weighed: then it is in itself.
    fragments: HashMap<&'d str, Option<Weight>>,
    /// Bytes of the variables that it came by.
    variables: HashMap<Name, usize>,
    /// The counted lists that it came by.
    pub(crate) counted: Counted,
}

impl<'d> Scales<'d> {
    pub(crate) fn new(
        document: &'d ExecutableDocument,
        shape: &'d Shape,
        asked: Option<(&'d OperationDefinition, &'d Variables)>,
    ) -> Self {
        Self { document, shape, asked, fragments: HashMap::new(), variables: HashMap::new(), counted: HashMap::new() }
    }

    /// What an operation weighs; none when it nests too deep, or without end.
    pub(crate) fn operation(&mut self, operation: &'d OperationDefinition) -> Option<Weight> {
        let root = match operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        self.set(&operation.selection_set.node, Some(root), DEPTH * 2)
    }

    /// What everything in the document weighs, once each: validation walks through all of it, whatever is executed.
    pub(crate) fn document(&mut self) -> Option<Weight> {
        let mut sum = Weight::default();
        for (_, operation) in self.document.operations.iter() {
            sum.add(self.operation(&operation.node)?);
        }
        for name in self.document.fragments.keys() {
            let fragment = self.fragment(name, DEPTH * 2)?;
            // Its aliases are counted where it is used.
            sum.add(Weight { aliases: 0, lists: 0, cost: 0, ..fragment });
        }
        Some(sum)
    }

    fn set(&mut self, set: &'d SelectionSet, parent: Option<&'d str>, depth: usize) -> Option<Weight> {
        let deeper = depth.checked_sub(1)?;
        let mut sum = Weight::default();
        for selection in &set.items {
            let weight = match &selection.node {
                Selection::Field(field) => self.field(field.pos, &field.node, parent, deeper)?,
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.set(&fragment.node.selection_set.node, condition.or(parent), deeper)?
                }
                // Validation says that it is unknown, if it is.
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, deeper)?,
            };
            sum.add(weight);
            sum.add(Weight { fields: 1, cost: 1, ..Weight::default() });
        }
        sum.depth += 1;
        Some(sum)
    }

    fn fragment(&mut self, name: &Name, depth: usize) -> Option<Weight> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else { return Some(Weight::default()) };
        if let Some(weighed) = self.fragments.get(name.as_str()) {
            // However it was come by: it may nest too deep here.
            return weighed.filter(|weight| weight.depth <= depth);
        }
        self.fragments.insert(name, None);
        let parent = fragment.node.type_condition.node.on.node.as_str();
        let weight = self.set(&fragment.node.selection_set.node, Some(parent), depth)?;
        self.fragments.insert(name, Some(weight));
        Some(weight)
    }

    fn field(&mut self, at: Pos, field: &'d Field, parent: Option<&'d str>, depth: usize) -> Option<Weight> {
        let shape = match field.name.node.as_str() {
            // Every root has these two.
            "__schema" => return self.below(field, "__Schema", 1, depth),
            "__type" => return self.below(field, "__Type", 1, depth),
            name => self.shape.field(parent, name),
        };
        // Validation says that it is unknown, if it is.
        let Some(FieldShape { of, rows }) = shape else { return self.below(field, "", 1, depth) };
        let count = match *rows {
            Rows::One => 1,
            Rows::Bounded(rows) => rows,
            Rows::Page(rows, most) => self.first(field).unwrap_or(rows).clamp(1, most),
            Rows::List(rows) => self.first(field).unwrap_or(rows).clamp(1, rows),
        };
        let mut weight = self.below(field, of, count, depth)?;
        if *rows != Rows::One {
            weight.lists = weight.lists.saturating_add(1);
        }
        if matches!(rows, Rows::List(_)) {
            let price = ListPrice { rows: count, cost: weight.cost.div_ceil(count), bytes: weight.bytes.div_ceil(count) };
            // Two fields may be at one place: for the engine a lone carriage return begins the line again. Then the dearer counts.
            let dearer = self.counted.entry(at).or_insert(price);
            dearer.rows = dearer.rows.min(price.rows);
            dearer.cost = dearer.cost.max(price.cost);
            dearer.bytes = dearer.bytes.max(price.bytes);
        }
        // Below it they are of each row; its own are of what is above.
        weight.bytes = weight.bytes.saturating_add(self.arguments(field));
        Some(weight)
    }

    /// What is below a field of so many rows, and the rows themselves.
    fn below(&mut self, field: &'d Field, of: &'d str, rows: usize, depth: usize) -> Option<Weight> {
        let mut weight = self.set(&field.selection_set.node, Some(of), depth)?;
        weight.tops = 1;
        weight.aliases = weight.aliases.saturating_add(usize::from(field.alias.is_some()));
        let each = if rows > 1 { weight.cost.saturating_add(1) } else { weight.cost };
        weight.cost = each.saturating_mul(rows);
        weight.bytes = weight.bytes.saturating_mul(rows);
        Some(weight)
    }

    /// Bytes of a field's arguments.
    fn arguments(&mut self, field: &Field) -> usize {
        let mut bytes = 0_usize;
        for (_, value) in &field.arguments {
            let literal = value.node.clone().into_const_with(|name| {
                bytes = bytes.saturating_add(self.variable_bytes(name));
                Ok::<_, Infallible>(ConstValue::Null)
            });
            let Ok(literal) = literal;
            bytes = bytes.saturating_add(size(&literal));
        }
        bytes
    }

    fn variable_bytes(&mut self, name: Name) -> usize {
        if let Some(bytes) = self.variables.get(&name) {
            return *bytes;
        }
        let bytes = self.variable(&name).map_or(0, size);
        self.variables.insert(name, bytes);
        bytes
    }

    /// What `first` says.
    fn first(&self, field: &Field) -> Option<usize> {
        let first = match field.get_argument("first").map(|value| &value.node)? {
            Value::Number(number) => number.as_u64(),
            // An explicit null isn't replaced by the variable's default: the field then does as if nothing was said.
            Value::Variable(variable) => match self.variable(variable)? {
                ConstValue::Number(number) => number.as_u64(),
                _ => None,
            },
            _ => None,
        };
        first.and_then(|rows| usize::try_from(rows).ok())
    }

    /// What is given for a variable, else its default.
    fn variable(&self, name: &Name) -> Option<&'d ConstValue> {
        let (operation, variables) = self.asked?;
        // Of this operation alone: another one may have a variable of the same name.
        let mut definitions = operation.variable_definitions.iter().filter(|definition| definition.node.name.node == *name);
        variables.get(name).or_else(|| Some(&definitions.find_map(|definition| definition.node.default_value.as_ref())?.node))
    }
}

/// Bytes that a value takes in memory, about.
fn size(value: &ConstValue) -> usize {
    size_of::<ConstValue>()
        + match value {
            ConstValue::String(text) => text.len(),
            ConstValue::Binary(bytes) => bytes.len(),
            ConstValue::List(items) => items.iter().map(size).sum(),
            ConstValue::Object(fields) => fields.values().map(size).sum(),
            ConstValue::Null | ConstValue::Number(_) | ConstValue::Boolean(_) | ConstValue::Enum(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "type Query { many(first: Int = 50): ThingConnection! few: [Thing!]! one: Thing names: [String!]! \
     deep: Query \"W&B protocol: a page.\" pages(first: Int): ThingConnection! } \
        type ThingConnection { edges: [ThingEdge!]! nodes: [Thing!]! } type ThingEdge { node: Thing! } \
        type Thing { id: ID! many: Int! few(first: Int): ThingConnection! project: Project } \
        type Project { artifactTypes(first: Int): ThingConnection! }";

    fn weigh(query: &str) -> Option<(Weight, Vec<(usize, usize)>)> {
        weigh_with(query, serde_json::json!({}))
    }

    fn weigh_with(query: &str, variables: serde_json::Value) -> Option<(Weight, Vec<(usize, usize)>)> {
        let shape = Shape::of(SCHEMA);
        let document = async_graphql::parser::parse_query(query).unwrap();
        let variables = Variables::from_json(variables);
        let operation = &document.operations.iter().next().unwrap().1.node;
        let mut scales = Scales::new(&document, &shape, Some((operation, &variables)));
        let weight = scales.operation(operation)?;
        let mut counted: Vec<_> = scales.counted.into_values().map(|price| (price.rows, price.cost)).collect();
        counted.sort_unstable();
        Some((weight, counted))
    }

    fn cost(query: &str) -> usize {
        weigh(query).unwrap().0.cost
    }

    #[test]
    fn a_field_is_priced_by_its_type() {
        // One for the field, then for each row one and what is asked of it.
        assert_eq!(cost("{ one { id } }"), 2);
        assert_eq!(cost("{ one { many } }"), 2, "a number here, a page there");
        assert_eq!(cost("{ many { nodes { id } } }"), 1 + 50 * 3);
        assert_eq!(cost("{ many(first: 7) { nodes { id } } }"), 1 + 7 * 3);
        assert_eq!(cost("{ few { id } }"), 1 + SHORT_LIST * 2);
        assert_eq!(cost("{ one { few { nodes { id } } } }"), 2 + DEFAULT_PAGE * 3, "a page here, a list there");
        assert_eq!(cost("{ names }"), 1 + SHORT_LIST);
        assert_eq!(cost("query($n: Int = 9) { many(first: $n) { nodes { id } } }"), 1 + 9 * 3);
        assert_eq!(cost("query($n: Int) { many(first: $n) { nodes { id } } }"), 1 + 50 * 3);
        assert_eq!(cost("{ many(first: 0) { nodes { id } } }"), 1 + 2);
        assert_eq!(cost("{ pages(first: 1001) { nodes { id } } }"), 1 + LARGEST_PAGE * 3, "it has no more");
        assert_eq!(cost("{ many(first: 1001) { nodes { id } } }"), 1 + 1001 * 3, "it is refused");
        // Through fragments the type is theirs, or that of what is around them.
        assert_eq!(
            cost(
                "{ one { ...A ... { few(first: 2) { nodes { id } } } } } fragment A on Thing { few(first: 3) { nodes { id } } }"
            ),
            { 1 + (1 + 1 + 3 * 3) + (1 + 1 + 2 * 3) }
        );
        assert_eq!(cost("{ unknown { many { id } } }"), 3, "left to validation");
    }

    /// As the engine takes it: a default is for a variable that isn't given.
    #[test]
    fn a_variable_of_null_is_no_length() {
        let query = "query($n: Int = 1) { many(first: $n) { nodes { id } } }";
        let cost = |variables| weigh_with(query, variables).unwrap().0.cost;
        assert_eq!(cost(serde_json::json!({})), 1 + 2);
        assert_eq!(cost(serde_json::json!({ "n": 7 })), 1 + 7 * 3);
        assert_eq!(cost(serde_json::json!({ "n": null })), 1 + 50 * 3);
    }

    /// A row has its own copy of what a field below it is given, by a literal, a variable or its default.
    #[test]
    fn arguments_are_counted_for_each_row_above() {
        let value = size_of::<ConstValue>();
        let bytes = |query: &str, variables| weigh_with(query, variables).unwrap().0.bytes;
        let none = || serde_json::json!({});
        assert_eq!(bytes("{ many { nodes { id } } }", none()), 0);
        assert_eq!(bytes("{ many(after: \"four\") { nodes { id } } }", none()), value + 4);
        assert_eq!(bytes("{ few { few(after: \"four\") { nodes { id } } } }", none()), SHORT_LIST * (value + 4));
        // A variable takes its place, and what it is takes its own.
        let query = "query($a: String = \"four\") { many(first: 7) { nodes { ...F } } } fragment F on Thing { few(after: $a) { \
                     nodes { id } } }";
        assert_eq!(bytes(query, none()), value + 7 * (2 * value + 4));
        assert_eq!(bytes(query, serde_json::json!({ "a": "eleven char" })), value + 7 * (2 * value + 11));
        let query = "query($a: [String]) { few { few(in: [\"one\", $a, { b: $a }]) { nodes { id } } } }";
        assert_eq!(bytes(query, serde_json::json!({ "a": ["four", 7] })), SHORT_LIST * (5 * value + 3 + 2 * (3 * value + 4)));
        assert_eq!(bytes(query, serde_json::json!({ "a": null })), SHORT_LIST * (5 * value + 3 + 2 * value));
    }

    #[test]
    fn lists_that_only_the_database_knows_are_counted() {
        assert_eq!(
            weigh("{ few { id many } names one { few { nodes { id } } } }").unwrap().1,
            [(SHORT_LIST, 1), (SHORT_LIST, 3)]
        );
        let types = |arguments: &str| format!("{{ one {{ project {{ artifactTypes{arguments} {{ nodes {{ id }} }} }} }} }}");
        assert_eq!(weigh(&types("")).unwrap().1, [(SHORT_LIST, 3)]);
        assert_eq!(weigh(&types("(first: 1000)")).unwrap().1, [(SHORT_LIST, 3)], "whatever is asked for");
        assert_eq!(weigh(&types("(first: 2)")).unwrap().1, [(2, 3)]);
        assert_eq!(cost(&types("(first: 1000)")), 3 + SHORT_LIST * 3);
    }

    /// The engine counts columns anew after a carriage return, but not lines.
    #[test]
    fn fields_at_one_place_are_the_dearer_of_them() {
        assert_eq!(weigh("{ few { id many }\r  names }").unwrap().1, [(SHORT_LIST, 3)]);
        assert_eq!(weigh("{ names\r  few { id many } }").unwrap().1, [(SHORT_LIST, 3)]);
        let few = "few { id } one { project {\rartifactTypes(first: 2) { nodes { id } } } }";
        assert_eq!(weigh(&format!("{{\r{few} }}")).unwrap().1, [(2, 3)]);
    }

    /// Fields at the top don't wait for each other, so each takes a connection.
    #[test]
    fn reads_are_the_lists_and_the_other_fields_at_the_top() {
        let reads = |query: &str| weigh(query).unwrap().0.reads();
        assert_eq!(reads("{ one { id } }"), 1);
        assert_eq!(reads("{ one { few { nodes { id } } } }"), 1, "first the one, then its list");
        assert_eq!(reads("{ one { few { nodes { id } } project { artifactTypes { nodes { id } } } } }"), 2);
        assert_eq!(reads("{ one { id } other: one { few { nodes { id } } } }"), 2);
        let many: String = (0..100).map(|i| format!("a{i}: one {{ id project {{ __typename }} }} ")).collect();
        assert_eq!(reads(&format!("{{ {many} }}")), 100);
        assert_eq!(reads(&format!("{{ ...A ... {{ ...A }} }} fragment A on Query {{ {many} }}")), 200);
    }

    #[test]
    fn a_document_that_multiplies_itself_is_weighed_at_once() {
        let each = (0..60).map(|i| format!("fragment f{i} on Query {{ a: deep {{ ...f{} }} ...f{} }} ", i + 1, i + 1));
        let query = |last: usize| {
            each.clone().take(last).collect::<String>() + &format!("fragment f{last} on Query {{ one {{ id }} }} {{ ...f0 }}")
        };
        let weight = weigh(&query(20)).unwrap().0;
        assert!(weight.fields > 1 << 20 && weight.aliases > 1 << 19, "{weight:?}");
        assert_eq!(weigh(&query(60)), None, "too deep");
        assert_eq!(weigh("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"), None, "without end");
    }

    /// Whichever is come by first.
    #[test]
    fn depth_is_that_of_the_deepest_use() {
        let chain = (0..100).map(|i| format!("fragment f{i} on Query {{ ...f{} }} ", i + 1)).collect::<String>();
        let shape = Shape::of(SCHEMA);
        let document =
            async_graphql::parser::parse_query(format!("{chain} fragment f100 on Query {{ names }} {{ names }}")).unwrap();
        for _ in 0..20 {
            let mut scales = Scales::new(&document, &shape, None);
            let mut weighed = document.fragments.keys().map(|name| scales.fragment(name, DEPTH * 2));
            assert!(weighed.any(|weight| weight.is_none()));
            assert_eq!(scales.document(), None);
        }
    }
}
