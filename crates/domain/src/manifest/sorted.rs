//! The check that needs the entries in order: every path once, none both a file and a directory (rule 37).

use super::ManifestError;
use crate::text::quoted;

/// Takes the paths of one manifest in the order of their bytes (`COLLATE "C"`) and refuses the first that is there
/// twice, or that lies below another (rule 37).
///
/// Between `a` and `a/b` other paths may stand (`a.b`, `a-`), so `a` is remembered until no path below it can come
/// any more. What is remembered is always a chain of beginnings of the newest path: memory is one path and a few of
/// its lengths, whatever the number of entries.
#[derive(Debug, Default)]
pub struct SortedPathChecker {
    last: Option<String>,
    /// Lengths of the beginnings of `last` that are entries and may still turn out to be directories; ascending.
    files: Vec<usize>,
}

impl SortedPathChecker {
    /// No path seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next path. After an error the checker is of no use any more.
    pub fn next(&mut self, path: &str) -> Result<(), ManifestError> {
        let last = self.last.get_or_insert_default();
        // Nothing is remembered before the first path, so the empty `last` says nothing then.
        if let Some(newest) = self.files.last() {
            debug_assert_eq!(*newest, last.len());
            if path == last {
                return Err(ManifestError::Duplicate(quoted(path)));
            }
            if path.as_bytes() < last.as_bytes() {
                return Err(ManifestError::Unsorted(quoted(path)));
            }
        }
        let common = last.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
        while let Some(&file) = self.files.last() {
            if file <= common {
                // The path begins with this file's path and is longer: equal and shorter ones are refused above.
                match path.as_bytes()[file] {
                    b'/' => {
                        return Err(ManifestError::FileAndDirectory { file: quoted(&last[..file]), below: quoted(path) });
                    }
                    next if next < b'/' => break,
                    _ => {}
                }
            }
            self.files.pop();
        }
        last.truncate(common_boundary(last, common));
        let kept = last.len();
        last.push_str(&path[kept..]);
        self.files.push(path.len());
        Ok(())
    }
}

/// The end of the last whole character within the first `len` bytes.
fn common_boundary(text: &str, len: usize) -> usize {
    (0..=len).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    fn check(paths: &[&str]) -> Result<(), ManifestError> {
        let mut checker = SortedPathChecker::new();
        paths.iter().try_for_each(|path| checker.next(path))
    }

    /// The same question answered with all paths in memory.
    fn fits(paths: &[String]) -> bool {
        let mut files = HashSet::new();
        let once = paths.iter().all(|path| files.insert(path.as_str()));
        let below = |path: &str| path.match_indices('/').any(|(at, _)| files.contains(&path[..at]));
        once && !paths.iter().any(|path| below(path))
    }

    #[test]
    fn rule_37_no_path_is_both_file_and_directory() {
        assert_eq!(check(&["a", "b", "c/d", "c/e", "é/x"]), Ok(()));
        assert_eq!(check(&["a", "a b", "a-", "a.b", "a0", "ab/c"]), Ok(()));
        for paths in [
            &["a", "a/b"][..],
            &["a", "a.b", "a/b"],
            &["a", "a-", "a-.", "a/b"],
            &["a", "a-", "a-.", "a-.b", "a-/c"],
            &["a/b", "a/b!", "a/b!x/y", "a/b/c/d"],
            &["é", "é.", "é/ö"],
        ] {
            let error = check(paths).unwrap_err();
            assert!(matches!(error, ManifestError::FileAndDirectory { .. }), "{paths:?} {error}");
        }
        assert_eq!(
            check(&["a", "a.b", "a/b"]).unwrap_err().to_string(),
            "The manifest names \"a\" as a file and \"a/b\" below it. A path is either a file or a directory."
        );
    }

    #[test]
    fn rule_37_no_path_twice() {
        assert_eq!(check(&["a", "b", "b"]), Err(ManifestError::Duplicate("\"b\"".to_owned())));
        assert_eq!(check(&["b", "a"]), Err(ManifestError::Unsorted("\"a\"".to_owned())));
    }

    #[test]
    fn memory_is_bounded_by_the_length_of_a_path() {
        let mut checker = SortedPathChecker::new();
        for n in 0..10_000 {
            checker.next(&format!("dir-{:05}/file.{n}", n)).unwrap();
            assert!(checker.files.len() <= 1);
        }
        let mut path = String::new();
        let mut checker = SortedPathChecker::new();
        for n in 1..100 {
            path.push('!');
            checker.next(&path).unwrap();
            assert_eq!(checker.files.len(), n);
        }
        checker.next("\"").unwrap();
        assert_eq!(checker.files.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn rule_37_agrees_with_a_check_that_has_everything(
            mut paths in proptest::collection::vec("[ab.é0-]{1,2}(/[ab.]){0,2}", 0..12)
        ) {
            paths.sort();
            let sorted: Vec<&str> = paths.iter().map(String::as_str).collect();
            prop_assert_eq!(check(&sorted).is_ok(), fits(&paths), "{:?}", paths);
        }
    }
}
