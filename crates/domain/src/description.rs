//! Free text about a thing: the description of a project, registry, collection, version or run, and a run's notes (rule 7). What
//! must not live here: what it says.

/// The longest description, in bytes: some ten pages. Lists show a thousand of them at once.
pub const MAX_BYTES: usize = 64 * 1024;

/// A text that is longer than [`MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The description or note has {0} bytes. At most 65,536 (64 KiB) are kept; put longer texts into a file of a version.")]
pub struct DescriptionError(usize);

/// Checks a text that a client gives.
///
/// # Errors
/// It is too long.
pub fn check(given: Option<&str>) -> Result<(), DescriptionError> {
    given.map_or(Ok(()), |text| if text.len() > MAX_BYTES { Err(DescriptionError(text.len())) } else { Ok(()) })
}

/// Checks a change: a text that was kept before there was a limit may stay as it is.
///
/// # Errors
/// It changes, and is too long afterwards.
pub fn check_change(before: Option<&str>, after: Option<&str>) -> Result<(), DescriptionError> {
    if before == after { Ok(()) } else { check(after) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_7_a_description_has_64_kib_at_most() {
        let (longest, longer) = ("é".repeat(MAX_BYTES / 2), "é".repeat(MAX_BYTES / 2) + "x");
        for fine in [None, Some(""), Some("a\nb"), Some(longest.as_str())] {
            assert_eq!(check(fine), Ok(()));
        }
        assert_eq!(check(Some(&longer)), Err(DescriptionError(MAX_BYTES + 1)));
        assert_eq!(check_change(Some(&longer), Some(&longer)), Ok(()));
        assert_eq!(check_change(Some(&longer), None), Ok(()));
        assert_eq!(check_change(None, Some(&longer)), Err(DescriptionError(MAX_BYTES + 1)));
        assert_eq!(check_change(Some(&(longer.clone() + "y")), Some(&longer)), Err(DescriptionError(MAX_BYTES + 1)));
    }
}
