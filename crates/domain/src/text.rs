//! How a client's text is shown inside an error sentence. No rule lives here.

/// The most characters of a client's text that an error repeats.
const SHOWN_CHARS: usize = 80;

/// The text in double quotes, with control characters and quotes escaped, cut after 80 characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN_CHARS) + 2);
    shown.push('"');
    let mut chars = text.chars();
    for c in chars.by_ref().take(SHOWN_CHARS) {
        shown.extend(c.escape_debug());
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn escapes_and_shortens() {
        assert_eq!(quoted("plain name"), "\"plain name\"");
        assert_eq!(quoted("a\"\n\0"), r#""a\"\n\0""#);
        assert_eq!(quoted(&"x".repeat(80)), format!("\"{}\"", "x".repeat(80)));
        assert_eq!(quoted(&"é".repeat(81)), format!("\"{}…\"", "é".repeat(80)));
    }
}
