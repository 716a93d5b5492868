//! Limits of the GraphQL door: the numbers, and the check of a text before it is parsed. They leave room above what the SDKs
//! really send; `documents` applies them in their order. What must not live here: prices of fields (`prices`).

/// Deepest nesting of fields. The deepest SDK document has 12 levels.
pub const DEPTH: usize = 24;

/// Most fields of one document, fragments and aliases counted where they are used.
pub const FIELDS: usize = 1000;

/// Most fields with an alias, counted where they are used. The SDK's documents have 12 at most.
pub const ALIASES: usize = 100;

/// Most words, signs and strings of a query's text. The longest SDK document has about 500.
pub const TOKENS: usize = 4000;

/// Most values that an operation may bring, every field counted as often as there may be rows above it. The SDK's largest
/// page, 5,000 files with all their fields, is a third of it. Lists whose length only the database knows are taken for short ones;
/// what they bring beyond that is counted while it is read, up to the same number.
pub const COST: usize = 300_000;

/// Most bytes of arguments, each as often as there may be rows above its field: every row has its own copy. All that a body
/// may have fits once. Lists whose length only the database knows are treated as for [`COST`].
pub const ARGUMENT_BYTES: usize = 32 * 1024 * 1024;

/// Most bytes of long texts (descriptions, metadata, configurations, paths and URLs of files) in one answer. The SDK's largest
/// page of files fits, with the longest paths.
pub const ANSWER_BYTES: usize = 128 * 1024 * 1024;

/// Most bytes of metadata, descriptions, entries and what events tell that one request reads, each once however often it is asked for.
/// 1,000 versions with 64 KiB each fit, or 64 with the largest metadata.
pub const LOADED_BYTES: usize = 64 * 1024 * 1024;

/// Most files of one page of the W&B side, and most that are announced in one request (rule 44).
pub const FILES: usize = 5000;

/// Most directives on one field.
pub const DIRECTIVES: usize = 8;

/// Most bytes of a query's text. The longest SDK document has about 5,000.
pub const QUERY_BYTES: usize = 64 * 1024;

/// Most bytes of a request's body: 2,000 file specs with long names, or 1 MiB of metadata, fit many times over.
pub const BODY_BYTES: usize = 16 * 1024 * 1024;

/// Most values in a request's JSON: each takes many times its length in memory. 5,000 file specs have 50,000.
pub const VALUES: usize = 200_000;

/// Deepest nesting of brackets in a query's text. The parser descends once for each, so this is checked before it.
pub const BRACKETS: usize = 64;

/// Most documents that are kept parsed. Five SDKs have about 1,000.
pub const KEPT_DOCUMENTS: usize = 2000;

/// Most tokens of all documents that are kept parsed: each takes about 300 bytes of memory.
pub const KEPT_TOKENS: usize = 200_000;

/// Checks a query's text before it is parsed: its length, how deep its brackets nest outside strings and comments, and how many
/// tokens it has, which are returned.
///
/// # Errors
/// A sentence for the client.
pub fn check_text(query: &str) -> Result<usize, String> {
    if query.len() > QUERY_BYTES {
        return Err(format!("The query is {} bytes long; at most {QUERY_BYTES} are allowed.", query.len()));
    }
    let (mut depth, mut tokens) = (0_usize, 0_usize);
    let mut rest = query.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'#') {
            tokens += 1;
        }
        rest = match byte {
            b'#' => skip_comment(after),
            // Without an end it is none: the parser then reads an empty string and goes on behind it.
            b'"' if after.starts_with(b"\"\"") => skip_block_string(&after[2..]).unwrap_or(&after[1..]),
            b'"' => skip_string(after),
            _ if in_word(*byte) => &after[after.iter().take_while(|byte| in_word(**byte)).count()..],
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
    if tokens > TOKENS {
        return Err(format!(
            "The query has {tokens} words and signs; at most {TOKENS} are allowed. Send long lists as variables, or several \
             requests."
        ));
    }
    Ok(tokens)
}

/// Checks how many values a JSON text has, before any of them is made.
///
/// # Errors
/// A sentence for the client.
pub fn check_values(json: &[u8]) -> Result<(), String> {
    let mut values = 1_usize;
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = skip_json_string(after),
            // One behind each comma, and the first of each list or object.
            b',' | b'[' | b'{' => values += 1,
            _ => {}
        }
    }
    if values > VALUES {
        return Err(format!("The request's JSON has {values} values; at most {VALUES} are allowed. Send several requests."));
    }
    Ok(())
}

/// Unlike in a query, a string may hold line ends; what the parser says of them is another matter.
fn skip_json_string(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[at + 1..],
            _ => {}
        }
    }
    &[]
}

/// Whether a byte goes on with a name or a number. Dots and signs are counted one by one.
fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
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
        assert!(check_text(&"a ".repeat(TOKENS)).is_ok());
        assert!(check_text(&"a ".repeat(TOKENS + 1)).is_err());
        assert!(check_text(&"{}".repeat(TOKENS / 2 + 1)).is_err());
    }

    #[test]
    fn values_of_json_are_counted_outside_strings() {
        let list = |values: usize| format!("{{\"variables\": {{\"a\": [0{}]}}}}", ",0".repeat(values));
        assert!(check_values(list(VALUES - 10).as_bytes()).is_ok());
        assert!(check_values(list(VALUES).as_bytes()).is_err());
        assert!(check_values("[".repeat(VALUES).as_bytes()).is_err());
        assert!(check_values("{\"a\":".repeat(VALUES).as_bytes()).is_err());
        assert!(check_values(format!("[\"\\\"{}\"]", ",".repeat(VALUES)).as_bytes()).is_ok());
        assert!(check_values(format!("[\"\n{}\"]", ",".repeat(VALUES)).as_bytes()).is_ok());
        assert!(check_values(format!("[\"\\\\\",0{}]", ",0".repeat(VALUES)).as_bytes()).is_err());
        assert!(check_values(b"\"").is_ok());
    }

    #[test]
    fn tokens_are_words_signs_and_strings() {
        for (text, tokens) in [
            ("", 0),
            (" ,\n\t# a b c", 0),
            ("{ viewer { name } }", 6),
            ("query($n:Int=-15){a(b:[$n,2],c:\"x y { z\"){...F @skip(if:true)}}", 38),
            ("\"\"\"a { b \\\"\"\" c\"\"\" d", 2),
            ("\"\" a", 2),
        ] {
            assert_eq!(check_text(text), Ok(tokens), "{text}");
        }
    }
}
