//! Limits of the GraphQL door, checked before anything is executed. They leave room above what the SDKs really send.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Variables};
use async_graphql_value::{ConstValue, Value};
use regalia_service::Page;

/// Deepest nesting of fields. The deepest SDK document has 12 levels.
pub const DEPTH: usize = 24;

/// Most fields of one document, fragments and aliases counted where they are used.
pub const FIELDS: usize = 1000;

/// Most values that an operation may bring, every field counted as often as there may be rows above it. The SDK's largest page, 5,000 files
/// with all their fields, is a third of it.
pub const COST: usize = 300_000;

/// Most directives on one field.
pub const DIRECTIVES: usize = 8;

/// Most bytes of a query's text. The longest SDK document has about 5,000.
pub const QUERY_BYTES: usize = 64 * 1024;

/// Most bytes of a request's body: 2,000 file specs with long names, or 1 MiB of metadata, fit many times over.
pub const BODY_BYTES: usize = 16 * 1024 * 1024;

/// Deepest nesting of brackets in a query's text. The parser descends once for each, so this is checked before it.
pub const BRACKETS: usize = 64;

/// Checks a query's text before it is parsed: its length, and how deep its brackets nest outside strings and comments.
///
/// # Errors
/// A sentence for the client.
pub fn check_text(query: &str) -> Result<(), String> {
    if query.len() > QUERY_BYTES {
        return Err(format!("The query is {} bytes long; at most {QUERY_BYTES} are allowed.", query.len()));
    }
    let mut depth = 0_usize;
    let mut rest = query.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'#' => skip_comment(after),
            // Without an end it is none: the parser then reads an empty string and goes on behind it.
            b'"' if after.starts_with(b"\"\"") => skip_block_string(&after[2..]).unwrap_or(&after[1..]),
            b'"' => skip_string(after),
            _ => after,
        };
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BRACKETS {
            return Err(format!("The query nests deeper than {BRACKETS} brackets."));
        }
    }
    Ok(())
}

/// What the limits have to know of the schema, read once from its text.
#[derive(Debug, Default)]
pub struct Shape {
    /// Names of all types.
    types: HashSet<String>,
    /// Names of fields that are read page by page, with how many rows a page of such a field has when a client doesn't say.
    paged: HashMap<String, usize>,
    /// Names of fields that are lists without pages.
    lists: HashSet<String>,
}

impl Shape {
    /// Reads a schema's text.
    #[must_use]
    pub fn of(schema: &str) -> Self {
        let mut shape = Self::default();
        shape.types.extend(["Int", "Float", "String", "Boolean", "ID"].map(str::to_owned));
        let parsed = async_graphql::parser::parse_schema(schema);
        for definition in parsed.into_iter().flat_map(|document| document.definitions) {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            shape.types.insert(definition.node.name.node.to_string());
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            for field in fields {
                let name = field.node.name.node.to_string();
                let mut arguments = field.node.arguments.iter().map(|argument| &argument.node);
                if let Some(first) = arguments.find(|argument| argument.name.node == "first") {
                    let default = match first.default_value.as_ref().map(|value| &value.node) {
                        Some(ConstValue::Number(number)) => number.as_u64().and_then(|rows| usize::try_from(rows).ok()),
                        _ => None,
                    };
                    // Of fields of one name the largest counts: the document's types aren't known here.
                    let rows = shape.paged.entry(name).or_default();
                    *rows = (*rows).max(default.unwrap_or(DEFAULT_PAGE));
                } else if matches!(field.node.ty.node.base, BaseType::List(_)) && name != "edges" && name != "nodes" {
                    // These two are the rows that their page's field has counted.
                    shape.lists.insert(name);
                }
            }
        }
        shape
    }
}

/// How many rows a page has when a client doesn't say.
const DEFAULT_PAGE: usize = Page::DEFAULT as usize;

/// How many rows a list without pages is taken for.
const SHORT_LIST: usize = 10;

/// Checks a parsed document before it is validated. Fields are counted over all its operations together, because validation
/// walks through each, with fragments counted where they are used; values only in `operation`, the one that is executed, with
/// every field as often as there may be rows above it. Counting stops at the limit, so a document that multiplies itself costs
/// no more.
///
/// # Errors
/// A sentence for the client.
pub fn check_document(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    shape: &Shape,
    variables: &Variables,
) -> Result<(), String> {
    let mut budget = Budget { document, operation, shape, variables, fields: FIELDS, cost: COST };
    let others = document.operations.iter().map(|(_, operation)| &operation.node);
    let others = others.filter(|other| !std::ptr::eq(*other, operation)).map(|other| &other.selection_set.node);
    // Fragments that no operation uses are walked through too.
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    // What isn't executed brings no rows.
    let unused = others.chain(fragments).map(|set| (set, 0));
    if std::iter::once((&operation.selection_set.node, 1)).chain(unused).all(|(set, rows)| budget.spend(set, rows, DEPTH * 2)) {
        Ok(())
    } else {
        Err(format!(
            "The document asks for too much: more than {FIELDS} fields, more than {COST} values with all rows of its pages, or too deep \
             a nesting. Ask for less in one request, with a smaller `first`."
        ))
    }
}

struct Budget<'d> {
    document: &'d ExecutableDocument,
    operation: &'d OperationDefinition,
    shape: &'d Shape,
    variables: &'d Variables,
    fields: usize,
    cost: usize,
}

impl Budget<'_> {
    fn spend(&mut self, set: &SelectionSet, rows: usize, depth: usize) -> bool {
        let Some(deeper) = depth.checked_sub(1) else { return false };
        set.items.iter().all(|selection| {
            let (Some(fields), Some(cost)) = (self.fields.checked_sub(1), self.cost.checked_sub(rows)) else { return false };
            (self.fields, self.cost) = (fields, cost);
            match &selection.node {
                Selection::Field(field) => {
                    let rows = rows.saturating_mul(self.rows(&field.node));
                    self.spend(&field.node.selection_set.node, rows, deeper)
                }
                Selection::InlineFragment(fragment) => self.spend(&fragment.node.selection_set.node, rows, deeper),
                Selection::FragmentSpread(spread) => match self.document.fragments.get(&spread.node.fragment_name.node) {
                    Some(fragment) => self.spend(&fragment.node.selection_set.node, rows, deeper),
                    // Validation says that it is unknown.
                    None => true,
                },
            }
        })
    }

    /// How many rows a field may bring.
    fn rows(&self, field: &Field) -> usize {
        let name = field.name.node.as_str();
        let Some(default) = self.shape.paged.get(name) else {
            return if self.shape.lists.contains(name) { SHORT_LIST } else { 1 };
        };
        let first = match field.get_argument("first").map(|value| &value.node) {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::Variable(variable)) => self.variable(variable),
            _ => None,
        };
        first.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(*default).max(1)
    }

    fn variable(&self, name: &Name) -> Option<u64> {
        if let Some(ConstValue::Number(number)) = self.variables.get(name) {
            return number.as_u64();
        }
        // Of this operation alone: another one may have a variable of the same name.
        let definitions = self.operation.variable_definitions.iter();
        let default = definitions
            .filter(|definition| definition.node.name.node == *name)
            .find_map(|definition| definition.node.default_value.as_ref());
        match default.map(|value| &value.node) {
            Some(ConstValue::Number(number)) => number.as_u64(),
            _ => None,
        }
    }
}

/// Checks that every variable's type is one of the schema's: the engine takes it for granted in lists.
///
/// # Errors
/// A sentence for the client.
pub fn check_variables(document: &ExecutableDocument, shape: &Shape) -> Result<(), String> {
    let variables = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    for variable in variables {
        let mut base = &variable.node.var_type.node.base;
        while let BaseType::List(item) = base {
            base = &item.base;
        }
        if let BaseType::Named(name) = base
            && !shape.types.contains(name.as_str())
        {
            return Err(format!("Unknown type \"{name}\" of the variable \"${}\".", variable.node.name.node));
        }
    }
    Ok(())
}

/// A comment ends with its line, by whichever line ending.
fn skip_comment(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(&[], |at| &text[at..])
}

/// A block string ends at three quotes that no backslash precedes; none when it has no end.
fn skip_block_string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        rest = match rest {
            [b'\\', b'"', b'"', b'"', after @ ..] => after,
            [b'"', b'"', b'"', after @ ..] => return Some(after),
            [_, after @ ..] => after,
            [] => return None,
        };
    }
}

fn skip_string(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' | b'\n' | b'\r' => return &text[at + 1..],
            _ => {}
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_outside_strings_and_comments() {
        assert!(check_text(&"{".repeat(BRACKETS)).is_ok());
        assert!(check_text(&"{".repeat(BRACKETS + 1)).is_err());
        assert!(check_text(&"{}".repeat(1000)).is_ok());
        assert!(check_text(&format!("{{ a(b: \"{}\") }}", "[".repeat(100))).is_ok());
        assert!(check_text(&format!("{{ a(b: \"\"\"{}\"\"\") }}", "[".repeat(100))).is_ok());
        assert!(check_text(&format!("# {}\n{{ a }}", "(".repeat(100))).is_ok());
        assert!(check_text(&format!("{{ a #\r{}", "{a".repeat(100))).is_err());
        assert!(check_text(&format!("{{ a(b: \"\"\"\\\"\"\"\"\"\", c: {}", "[".repeat(100))).is_err());
        assert!(check_text(&format!("{{ a(b: \"\"\"\\\"\"\"{}\"\"\") }}", "[".repeat(100))).is_ok());
        assert!(check_text(&format!("{{ a(b: [\"\"\"\" {}", "[".repeat(100))).is_err());
        assert!(check_text(&format!("{{ a(b: [\"\"\" {}", "[".repeat(100))).is_ok());
        assert!(check_text(&format!("{{ a(b: \"\r{}", "[".repeat(100))).is_err());
        assert!(check_text(&format!("{{ a(b: \"\\\"{}", "[".repeat(100))).is_ok());
        assert!(check_text(&format!("{{ a(b: \"\"){}", "[".repeat(100))).is_err());
    }

    #[test]
    fn long_texts_are_refused() {
        assert!(check_text(&" ".repeat(QUERY_BYTES + 1)).is_err());
    }
}
