//! From a request's text to a document that may be executed: limits, parsing, strict validation. What passed all of it is kept
//! by its text, and only its variables are looked at the next time. What must not live here: who asks, execution.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::{BaseType, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type};
use async_graphql::{Request, Response, ServerError, ValidationMode, Variables};
use async_graphql_value::{ConstValue, Value};
use hashlink::LruCache;

use crate::limits::{self, ALIASES, ARGUMENT_BYTES, COST, FIELDS};
use crate::meter::{Meter, long_arguments};
use crate::prices::{Kind, Scales, Shape};
use crate::{RegaliaSchema, builder};

/// Documents of one server, and those that it keeps.
pub struct Documents {
    shape: Shape,
    /// Validates and executes nothing.
    validator: RegaliaSchema,
    kept: Mutex<Kept>,
    parsed: AtomicU64,
}

/// A parsed document, within the limits that don't depend on variables.
#[derive(Debug)]
pub struct Document {
    parsed: ExecutableDocument,
    tokens: usize,
}

/// A request that may be executed.
pub struct Ready {
    /// With the document and the meter in it.
    pub request: Request,
    /// What it asks for.
    pub document: Arc<Document>,
    /// How many reads it may have under way at once.
    pub reads: usize,
}

/// Why a request can't be executed.
pub enum Refusal {
    /// A sentence for the client.
    Limit(String),
    /// The engine's mistakes.
    Invalid(Vec<ServerError>),
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self::Limit(sentence)
    }
}

impl Document {
    /// Parses a text within the limits.
    fn parse(query: &str, shape: &Shape) -> Result<Self, String> {
        let tokens = limits::check_text(query)?;
        let parsed = async_graphql::parser::parse_query(query).map_err(|error| unparsable(&error))?;
        check_types(&parsed, shape)?;
        let weight = Scales::new(&parsed, shape, None).document();
        match weight {
            Some(weight) if weight.aliases > ALIASES => Err(format!(
                "The document has {} fields under other names; at most {ALIASES} are allowed. Ask for lists, or send \
                 several requests.",
                weight.aliases
            )),
            Some(weight) if weight.fields <= FIELDS => Ok(Self { parsed, tokens }),
            _ => Err(format!(
                "The document asks for too much: more than {FIELDS} fields with its fragments, or too deep a nesting. Ask \
                 for less in one \
                 request."
            )),
        }
    }

    /// The parsed text.
    #[must_use]
    pub fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// The operation of this name, or the only one.
    #[must_use]
    pub fn operation(&self, name: Option<&str>) -> Option<&OperationDefinition> {
        match name {
            Some(name) => self
                .parsed
                .operations
                .iter()
                .find(|(found, _)| found.is_some_and(|found| found.as_str() == name))
                .map(|(_, operation)| &operation.node),
            None => {
                let mut operations = self.parsed.operations.iter();
                let (_, first) = operations.next()?;
                operations.next().is_none().then_some(&first.node)
            }
        }
    }

    /// Whether what is valid with these variables is valid with any that fit their types. Not in a document with operations
    /// that aren't executed, whose arguments the engine doesn't look at; nor with a variable that is missing inside a list or an
    /// object: then the engine doesn't look at the rest of that.
    fn keepable(&self, variables: &Variables) -> bool {
        let mut operations = self.parsed.operations.iter();
        let one = operations.next().is_some() && operations.next().is_none();
        let sets = self.parsed.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
        let sets = sets.chain(self.parsed.fragments.values().map(|fragment| &fragment.node.selection_set.node));
        one && sets.into_iter().all(|set| inner_variables_given(set, variables))
    }
}

/// A parse error without the text that it quotes, which may be as long as the query.
fn unparsable(error: &async_graphql::parser::Error) -> String {
    match error.positions().next() {
        Some(at) => format!("The query can't be parsed: there is a mistake at line {}, column {}.", at.line, at.column),
        None => "The query can't be parsed.".to_owned(),
    }
}

/// Checks that every variable's type is one of the schema's: the engine takes it for granted in lists.
fn check_types(document: &ExecutableDocument, shape: &Shape) -> Result<(), String> {
    let variables = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    for variable in variables {
        let mut base = &variable.node.var_type.node.base;
        while let BaseType::List(item) = base {
            base = &item.base;
        }
        if let BaseType::Named(name) = base
            && shape.kind(name).is_none()
        {
            return Err(format!("Unknown type \"{name}\" of the variable \"${}\".", variable.node.name.node));
        }
    }
    Ok(())
}

/// It descends no deeper than the weighing did.
fn inner_variables_given(set: &SelectionSet, variables: &Variables) -> bool {
    fn given(value: &Value, inside: bool, variables: &Variables) -> bool {
        match value {
            Value::Variable(name) => !inside || variables.contains_key(name),
            Value::List(items) => items.iter().all(|item| given(item, true, variables)),
            Value::Object(fields) => fields.values().all(|field| given(field, true, variables)),
            _ => true,
        }
    }
    set.items.iter().all(|selection| match &selection.node {
        Selection::Field(field) => {
            field.node.arguments.iter().all(|(_, value)| given(&value.node, false, variables))
                && inner_variables_given(&field.node.selection_set.node, variables)
        }
        Selection::InlineFragment(fragment) => inner_variables_given(&fragment.node.selection_set.node, variables),
        Selection::FragmentSpread(_) => true,
    })
}

/// Whether the variables surely fit their types, so that validation, which would look at them once more, has nothing to find.
fn fit(operation: &OperationDefinition, variables: &Variables, shape: &Shape) -> bool {
    operation.variable_definitions.iter().all(|definition| {
        let definition = &definition.node;
        match variables.get(&definition.name.node) {
            None => true,
            // A default lets a variable that may be null stand where null may not.
            Some(ConstValue::Null) => definition.var_type.node.nullable && definition.default_value.is_none(),
            Some(value) => fits(value, &definition.var_type.node, shape),
        }
    })
}

fn fits(value: &ConstValue, of: &Type, shape: &Shape) -> bool {
    if let ConstValue::Null = value {
        return of.nullable;
    }
    let name = match (&of.base, value) {
        (BaseType::List(item), ConstValue::List(values)) => return values.iter().all(|value| fits(value, item, shape)),
        (BaseType::List(item), _) => return fits(value, item, shape),
        (BaseType::Named(name), _) => name,
    };
    match (shape.kind(name), value) {
        (Some(Kind::Scalar), _) => match name.as_str() {
            "Int" => matches!(value, ConstValue::Number(number) if number.is_i64()),
            "Float" => matches!(value, ConstValue::Number(_)),
            "String" => matches!(value, ConstValue::String(_)),
            "Boolean" => matches!(value, ConstValue::Boolean(_)),
            "ID" => matches!(value, ConstValue::String(_)) || matches!(value, ConstValue::Number(number) if number.is_i64()),
            // Ours are read where they are used.
            _ => true,
        },
        (Some(Kind::Enum(names)), ConstValue::String(text)) => names.contains(text),
        (Some(Kind::Input(fields)), ConstValue::Object(values)) => {
            values.keys().all(|name| fields.contains_key(name.as_str()))
                && fields.iter().all(|(name, field)| match values.get(name.as_str()) {
                    None => field.of.nullable || field.default,
                    Some(value) => fits(value, &field.of, shape),
                })
        }
        _ => false,
    }
}

/// Documents that passed everything, the longest unused go first.
struct Kept {
    documents: LruCache<String, Arc<Document>>,
    tokens: usize,
}

impl Kept {
    fn insert(&mut self, query: String, document: Arc<Document>) {
        // A long text of few tokens takes memory, too.
        if query.len() > limits::QUERY_BYTES / 4 {
            return;
        }
        self.tokens += document.tokens;
        if let Some(before) = self.documents.insert(query, document) {
            self.tokens -= before.tokens;
        }
        while self.documents.len() > limits::KEPT_DOCUMENTS || self.tokens > limits::KEPT_TOKENS {
            let Some((_, oldest)) = self.documents.remove_lru() else { break };
            self.tokens -= oldest.tokens;
        }
    }
}

/// Lets a schema validate only.
struct Nothing;

impl ExtensionFactory for Nothing {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Nothing {
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::default()
    }
}

impl Default for Documents {
    fn default() -> Self {
        let validator = builder().validation_mode(ValidationMode::Strict).extension(Nothing).finish();
        Self {
            shape: Shape::of(&validator.sdl()),
            validator,
            kept: Mutex::new(Kept { documents: LruCache::new_unbounded(), tokens: 0 }),
            parsed: AtomicU64::new(0),
        }
    }
}

impl Documents {
    /// Makes a request ready, or says why it isn't executed.
    ///
    /// # Errors
    /// For the client.
    pub async fn prepare(&self, mut request: Request) -> Result<Ready, Refusal> {
        let kept = self.kept().documents.get(&request.query).cloned();
        let document = match &kept {
            Some(document) => Arc::clone(document),
            None => {
                self.parsed.fetch_add(1, Ordering::Relaxed);
                Arc::new(Document::parse(&request.query, &self.shape)?)
            }
        };
        let name = request.operation_name.as_deref();
        let operation = document.operation(name).ok_or_else(|| match name {
            Some(name) => format!("The query has no operation named \"{name}\"."),
            None => "The query has several operations; say which one in `operationName`.".to_owned(),
        })?;
        let mut scales = Scales::new(&document.parsed, &self.shape, Some((operation, &request.variables)));
        let weight = scales.operation(operation).filter(|weight| weight.cost <= COST).ok_or_else(|| {
            format!(
                "The document asks for too much: more than {COST} values with all rows of its pages. Ask for less in one \
                 request, with a \
                 smaller `first`."
            )
        })?;
        if weight.bytes > ARGUMENT_BYTES {
            return Err(Refusal::Limit(long_arguments()));
        }
        let meter = Meter::new(scales.counted);
        if kept.is_none() || !fit(operation, &request.variables, &self.shape) {
            let mut again = Request::new("").variables(request.variables.clone());
            again.operation_name.clone_from(&request.operation_name);
            again.set_parsed_query(document.parsed.clone());
            let errors = self.validator.execute(again).await.errors;
            if !errors.is_empty() {
                return Err(Refusal::Invalid(errors));
            }
            if kept.is_none() && document.keepable(&request.variables) {
                self.kept().insert(request.query.clone(), Arc::clone(&document));
            }
        }
        // The engine doesn't know a variable's default where `@include` and `@skip` look.
        for definition in &operation.variable_definitions {
            let definition = &definition.node;
            if let Some(default) = &definition.default_value {
                request.variables.entry(definition.name.node.clone()).or_insert_with(|| default.node.clone());
            }
        }
        request.set_parsed_query(document.parsed.clone());
        Ok(Ready { request: request.data(meter), reads: weight.reads(), document })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    /// What a request is refused with, if it is.
    async fn outcome(documents: &Documents, query: &str, variables: &Json) -> Result<(), String> {
        let request = Request::new(query).variables(Variables::from_json(variables.clone()));
        match documents.prepare(request).await {
            Ok(_) => Ok(()),
            Err(Refusal::Limit(sentence)) => Err(sentence),
            Err(Refusal::Invalid(errors)) => Err(errors.into_iter().map(|error| error.message).collect()),
        }
    }

    fn parsed(documents: &Documents) -> u64 {
        documents.parsed.load(Ordering::Relaxed)
    }

    const REGISTRY: &str = "mutation($input: RegistryCreateInput!) { registryCreate(input: $input) { registry { id } } }";

    #[tokio::test]
    async fn the_second_time_nothing_is_parsed_and_variables_are_still_checked() {
        let documents = Documents::default();
        let good =
            json!({ "input": { "organization": "acme", "name": "model", "visibility": "RESTRICTED", "types": ["model"] } });
        for _ in 0..3 {
            assert_eq!(outcome(&documents, REGISTRY, &good).await, Ok(()));
        }
        assert_eq!(parsed(&documents), 1);
        for bad in [
            json!({ "input": { "organization": "acme", "name": 7 } }),
            json!({ "input": { "organization": "acme" } }),
            json!({ "input": { "organization": "acme", "name": null } }),
            json!({ "input": { "organization": "acme", "name": "model", "visibility": "PUBLIC" } }),
            json!({ "input": { "organization": "acme", "name": "model", "colour": "red" } }),
            json!({ "input": { "organization": "acme", "name": "model", "types": [7] } }),
            json!({ "input": null }),
        ] {
            let known = outcome(&documents, REGISTRY, &bad).await;
            assert!(known.is_err(), "{bad}");
        }
        assert_eq!(parsed(&documents), 1);
        assert_eq!(outcome(&documents, REGISTRY, &good).await, Ok(()));
    }

    /// Whatever a document was first seen with: it is answered as if it were new.
    #[tokio::test]
    async fn what_is_known_is_answered_as_what_is_new() {
        let documents = Documents::default();
        let values = [
            json!({}),
            json!({ "a": null }),
            json!({ "a": 1 }),
            json!({ "a": -1.5 }),
            json!({ "a": 5_000_000_000_u64 }),
            json!({ "a": "x" }),
            json!({ "a": true }),
            json!({ "a": ["x"] }),
            json!({ "a": ["x", null] }),
            json!({ "a": [["x"]] }),
            json!({ "a": { "name": "x" } }),
            json!({ "a": { "contains": "x" } }),
            json!({ "a": "RESTRICTED" }),
            json!({ "a": "PORTFOLIO" }),
            json!({ "a": ["PORTFOLIO"] }),
            json!({ "a": "x", "b": "y" }),
            json!({ "b": "y" }),
        ];
        for query in [
            "query($a: Int) { users(first: $a) { nodes { id } } }",
            "query($a: Int = 7) { users(first: $a) { nodes { id } } }",
            "query($a: String!) { user(name: $a) { id } }",
            "query($a: String = \"x\") { user(name: $a) { id } }",
            "query($a: ID!) { version(id: $a) { id } }",
            "query($a: Boolean!) { viewer { id @include(if: $a) } }",
            "query($a: Boolean = true) { viewer { id @skip(if: $a) } }",
            "query($a: TextFilter) { organizations { nodes { registries(filter: { name: $a }) { nodes { id } } } } }",
            "query($a: RegistryFilter) { organizations { nodes { registries(filter: $a) { nodes { id } } } } }",
            "query($a: String!, $b: String) { organizations { nodes { registries(filter: { name: { contains: $a }, description: \
             { contains: $b } }) { nodes { id } } } } }",
            "mutation($a: String!, $b: Visibility! = RESTRICTED) { registryCreate(input: { organization: $a, name: \"x\", \
             visibility: \
             $b }) { registry { id } } }",
            "mutation($a: String!, $b: String) { registryCreate(input: { organization: $a, name: \"x\", description: $b, \
             colour: 1 }) \
             { registry { id } } }",
            "query($a: [ArtifactCollectionType!]) { entity(name: \"x\") { artifactCollections(collectionTypes: $a) { edges \
             { node { id } } } } }",
            "query($a: JSONString) { entity(name: \"x\") { artifactCollections(filters: $a) { edges { node { id } } } } }",
            "query($a: [String!]) { organizations { nodes { registries(filter: { name: { oneOf: $a } }) { nodes { id } } } } }",
            "query A($a: Int) { users(first: $a) { nodes { id } } }",
            "query($a: String) { __type(name: \"User\") { name } user(name: \"x\") { id } users(query: $a) { nodes { id } } }",
            "query($a: Nothing) { viewer { id } }",
            "{ viewer { nothing } }",
        ] {
            for then in &values {
                documents.kept().documents.clear();
                let new = outcome(&documents, query, then).await;
                for first in &values {
                    documents.kept().documents.clear();
                    let _ = outcome(&documents, query, first).await;
                    assert_eq!(outcome(&documents, query, then).await, new, "{query}\nfirst {first}\nthen {then}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_did_not_pass_is_not_kept() {
        let documents = Documents::default();
        for (query, variables) in [
            ("{ viewer { nothing } }", json!({})),
            ("{ viewer {", json!({})),
            ("query A { viewer { id } } query B { viewer { name } }", json!({})),
            (REGISTRY, json!({ "input": { "name": 7 } })),
            // The engine doesn't look at the literals beside a missing variable.
            (
                "mutation($a: String) { registryCreate(input: { organization: \"acme\", name: \"x\", description: $a }) { \
                 registry { id } } }",
                json!({}),
            ),
        ] {
            let before = parsed(&documents);
            let _ = outcome(&documents, query, &variables).await;
            let _ = outcome(&documents, query, &variables).await;
            assert_eq!(parsed(&documents), before + 2, "{query}");
        }
        assert_eq!(documents.kept().documents.len(), 0);
    }

    #[tokio::test]
    async fn a_known_document_is_priced_with_each_requests_variables() {
        let documents = Documents::default();
        let query = "query($n: Int) { organizations(first: $n) { nodes { teams(first: $n) { nodes { id name } } } } }";
        assert_eq!(outcome(&documents, query, &json!({ "n": 10 })).await, Ok(()));
        let refused = outcome(&documents, query, &json!({ "n": 1000 })).await;
        assert!(refused.is_err_and(|sentence| sentence.contains("asks for too much")));
        assert_eq!(parsed(&documents), 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = Kept { documents: LruCache::new_unbounded(), tokens: 0 };
        let document = |tokens| Arc::new(Document { parsed: async_graphql::parser::parse_query("{ a }").unwrap(), tokens });
        for number in 0..limits::KEPT_DOCUMENTS + 100 {
            kept.insert(number.to_string(), document(3));
        }
        assert_eq!((kept.documents.len(), kept.tokens), (limits::KEPT_DOCUMENTS, 3 * limits::KEPT_DOCUMENTS));
        assert!(!kept.documents.contains_key("0"), "the longest unused goes first");
        for _ in 0..3 {
            kept.insert("again".to_owned(), document(limits::TOKENS));
        }
        for number in 0..1000 {
            kept.insert(format!("long {number}"), document(limits::TOKENS));
        }
        let sum: usize = kept.documents.iter().map(|(_, document)| document.tokens).sum();
        assert!(kept.tokens == sum && sum <= limits::KEPT_TOKENS && sum + limits::TOKENS > limits::KEPT_TOKENS, "{sum}");
        kept.insert(" ".repeat(limits::QUERY_BYTES), document(1));
        assert_eq!(kept.tokens, sum);
    }

    /// The document by which GraphiQL and other tools read the schema.
    #[tokio::test]
    async fn tools_may_read_the_schema_and_nobody_its_square() {
        let documents = Documents::default();
        let of_type = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
        let value = format!("name description type {{ {of_type} }} defaultValue isDeprecated deprecationReason");
        let query = format!(
            "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }} \
             subscriptionType \
             {{ name kind }} types {{ kind name description specifiedByURL isOneOf fields(includeDeprecated: true) {{ name \
             description \
             args(includeDeprecated: true) {{ {value} }} type {{ {of_type} }} isDeprecated deprecationReason }} \
             inputFields(includeDeprecated: true) {{ {value} }} interfaces {{ {of_type} }} enumValues(includeDeprecated: \
             true) {{ name \
             description isDeprecated deprecationReason }} possibleTypes {{ {of_type} }} }} directives {{ name description \
             isRepeatable \
             locations args(includeDeprecated: true) {{ {value} }} }} }} }}"
        );
        let parsed = Document::parse(&query, &documents.shape).unwrap();
        let weight = Scales::new(&parsed.parsed, &documents.shape, None).operation(parsed.operation(None).unwrap()).unwrap();
        assert!(weight.cost < COST / 2, "{weight:?}");
        let square = format!("{{ __schema {{ types {}name{} }} }}", "{ fields { type ".repeat(9) + "{", "}".repeat(19));
        assert!(outcome(&documents, &square, &json!({})).await.is_err_and(|sentence| sentence.contains("asks for too much")));
    }
}
