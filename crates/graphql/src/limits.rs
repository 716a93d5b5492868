//! Limits of the GraphQL door, checked before anything is executed. They leave room above what the SDKs really send.

use std::collections::HashSet;

use async_graphql::parser::types::{BaseType, ExecutableDocument, Selection, SelectionSet, TypeSystemDefinition};

/// Deepest nesting of fields. The deepest SDK document has 12 levels.
pub const DEPTH: usize = 24;

/// Most fields of one document, fragments and aliases counted where they are used.
pub const FIELDS: usize = 1000;

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
            b'"' if after.starts_with(b"\"\"") => skip_block_string(&after[2..]),
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

/// Checks a parsed document before it is validated: how many fields its operations ask for, all of them together, because
/// validation walks through each, and with fragments counted where they are used. Counting stops at the limit, so a document
/// that multiplies itself costs no more.
///
/// # Errors
/// A sentence for the client.
pub fn check_document(document: &ExecutableDocument) -> Result<(), String> {
    let mut left = FIELDS;
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    // Fragments that no operation uses are walked through too.
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    if operations.chain(fragments).all(|set| count(document, set, &mut left, DEPTH * 2)) {
        Ok(())
    } else {
        Err(format!("The document asks for more than {FIELDS} fields or nests too deep. Ask for less in one request."))
    }
}

/// The names of the schema's types, for [`check_variables`].
#[must_use]
pub fn type_names(schema: &str) -> HashSet<String> {
    let built_in = ["Int", "Float", "String", "Boolean", "ID"].map(str::to_owned);
    let parsed = async_graphql::parser::parse_schema(schema);
    let declared = parsed.into_iter().flat_map(|document| document.definitions).filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(definition.node.name.node.to_string()),
        TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
    });
    declared.chain(built_in).collect()
}

/// Checks that every variable's type is one of the schema's: the engine takes it for granted in lists.
///
/// # Errors
/// A sentence for the client.
pub fn check_variables(document: &ExecutableDocument, types: &HashSet<String>) -> Result<(), String> {
    let variables = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    for variable in variables {
        let mut base = &variable.node.var_type.node.base;
        while let BaseType::List(item) = base {
            base = &item.base;
        }
        if let BaseType::Named(name) = base
            && !types.contains(name.as_str())
        {
            return Err(format!("Unknown type \"{name}\" of the variable \"${}\".", variable.node.name.node));
        }
    }
    Ok(())
}

fn count(document: &ExecutableDocument, set: &SelectionSet, left: &mut usize, depth: usize) -> bool {
    let Some(deeper) = depth.checked_sub(1) else { return false };
    set.items.iter().all(|selection| {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        match &selection.node {
            Selection::Field(field) => count(document, &field.node.selection_set.node, left, deeper),
            Selection::InlineFragment(fragment) => count(document, &fragment.node.selection_set.node, left, deeper),
            Selection::FragmentSpread(spread) => match document.fragments.get(&spread.node.fragment_name.node) {
                Some(fragment) => count(document, &fragment.node.selection_set.node, left, deeper),
                // Validation says that it is unknown.
                None => true,
            },
        }
    })
}

/// A comment ends with its line, by whichever line ending.
fn skip_comment(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(&[], |at| &text[at..])
}

/// A block string ends at three quotes that no backslash precedes.
fn skip_block_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while !rest.is_empty() {
        rest = match rest {
            [b'\\', b'"', b'"', b'"', after @ ..] => after,
            [b'"', b'"', b'"', after @ ..] => return after,
            [_, after @ ..] => after,
            [] => rest,
        };
    }
    rest
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
        assert!(check_text(&format!("{{ a(b: \"\r{}", "[".repeat(100))).is_err());
        assert!(check_text(&format!("{{ a(b: \"\\\"{}", "[".repeat(100))).is_ok());
        assert!(check_text(&format!("{{ a(b: \"\"){}", "[".repeat(100))).is_err());
    }

    #[test]
    fn long_texts_are_refused() {
        assert!(check_text(&" ".repeat(QUERY_BYTES + 1)).is_err());
    }
}
