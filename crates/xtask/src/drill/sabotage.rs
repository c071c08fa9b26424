//! The planted bugs of the drill (`reliability.md` T25): one line of product code each, and the test that must fail with
//! it. One or more for each lesson L1 to L20 of `protocol.md` section 2, and some that no lesson is about.
//! Tests hold that each line still stands in its file and each detector in its package, so that moving code cannot quietly
//! empty the list.

mod beyond;
mod convergence;
mod log;
mod rewind;

/// One planted bug.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sabotage {
    /// Its name in the list.
    pub(crate) id: &'static str,
    /// Which lesson is unlearnt by it; none where it is about something else that must hold.
    pub(crate) lesson: Option<u8>,
    /// From the root of the checkout.
    pub(crate) file: &'static str,
    /// Part of one line, found once in the file.
    pub(crate) text: &'static str,
    /// What stands there instead; one line too.
    pub(crate) instead: &'static str,
    /// What goes wrong then.
    pub(crate) breaks: &'static str,
    /// The test that must fail.
    pub(crate) detector: Detector,
}

/// A unit test by its full name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Detector {
    /// Package whose library it belongs to.
    pub(crate) package: &'static str,
    /// Name with modules, as the test program lists it.
    pub(crate) test: &'static str,
}

/// Every planted bug, in order of the lessons.
pub(crate) fn all() -> Vec<Sabotage> {
    [rewind::LIST, convergence::LIST, log::LIST, beyond::LIST].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// The lessons that the drill is about.
    const LESSONS: std::ops::RangeInclusive<u8> = 1..=20;

    fn root() -> &'static Path {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        crates
            .and_then(Path::parent)
            .expect("crates/xtask lies in the checkout")
    }

    // Where a planted bug is, this test fails by its nature: the drill leaves it out of the suite (`SELF_TEST`).
    #[test]
    fn every_planted_bug_has_its_line_once_in_product_code() {
        for sabotage in all() {
            let Sabotage { id, file, .. } = sabotage;
            let text = std::fs::read_to_string(root().join(file));
            let text = text.unwrap_or_else(|error| panic!("{id}: {file}: {error}"));
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            assert_eq!(
                product.matches(sabotage.text).count(),
                1,
                "{id}: {:?} in {file}",
                sabotage.text
            );
            assert_eq!(
                text.matches(sabotage.text).count(),
                1,
                "{id}: in the tests of {file} too"
            );
            assert!(
                file.starts_with("crates/rollcall-") && !file.contains("test"),
                "{id}: {file} is no product code"
            );
            for line in [sabotage.text, sabotage.instead] {
                assert!(!line.contains('\n') && !line.trim().is_empty(), "{id}: one line");
            }
            assert_ne!(sabotage.text, sabotage.instead, "{id}");
            assert!(sabotage.breaks.ends_with('.'), "{id}: a sentence");
        }
    }

    #[test]
    fn every_detector_is_a_test_of_its_package() {
        let mut sources: BTreeMap<&str, String> = BTreeMap::new();
        for Sabotage { id, detector, .. } in all() {
            let package = sources.entry(detector.package).or_insert_with(|| {
                let mut text = String::new();
                read_all(
                    &root().join("crates").join(detector.package).join("src"),
                    &mut text,
                );
                text
            });
            let name = detector.test.rsplit("::").next().unwrap_or_default();
            let is_test = |at: usize| package[..at].trim_end().ends_with("#[test]");
            let function = format!("fn {name}()");
            let found = package.match_indices(&function);
            assert_eq!(found.filter(|(at, _)| is_test(*at)).count(), 1, "{id}: {name}");
        }
    }

    fn read_all(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                read_all(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).expect("a source"));
            }
        }
    }

    #[test]
    fn every_lesson_has_a_planted_bug_and_every_bug_a_name_of_its_own() {
        let named: BTreeSet<&str> = all().iter().map(|sabotage| sabotage.id).collect();
        assert_eq!(named.len(), all().len());
        let taught: BTreeSet<u8> = all().iter().filter_map(|sabotage| sabotage.lesson).collect();
        assert_eq!(taught, LESSONS.collect());
    }
}
