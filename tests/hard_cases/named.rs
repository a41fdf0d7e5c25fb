//! Every hard case that can be shown has a test of its name, somewhere in the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ottla_sim::{CASES, Case};

#[test]
fn every_case_that_is_built_has_a_test() {
    let tests = tests_by_case();
    let is_missing = |case: &&Case| case.is_built() && !tests.contains_key(&case.number);
    let missing: Vec<&Case> = CASES.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "no test is named after {missing:#?}");
}

#[test]
fn no_test_is_named_after_a_case_that_is_unknown_or_not_built() {
    let is_built = |number: u16| CASES.iter().any(|c| c.number == number && c.is_built());
    let strangers: BTreeMap<u16, String> = tests_by_case()
        .into_iter()
        .filter(|(number, _)| !is_built(*number))
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn every_case_is_listed_once() {
    let mut numbers: Vec<u16> = CASES.iter().map(|case| case.number).collect();
    numbers.sort_unstable();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(
        numbers.len(),
        usize::from(numbers[numbers.len() - 1]),
        "no gap"
    );
}

/// For each number in the name of a test, one of its tests.
fn tests_by_case() -> BTreeMap<u16, String> {
    let mut tests = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["core/src", "runtimes", "tests"] {
        for file in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&file).expect("a source is text");
            for name in text.lines().filter_map(test_name) {
                let numbers = cases_of(name).map(|number| (number, name.to_owned()));
                tests.extend(numbers);
            }
        }
    }
    tests
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the sources are here");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The name of the function that a line begins.
fn test_name(line: &str) -> Option<&str> {
    const BEFORE: [&str; 4] = ["", "async ", "pub(crate) ", "pub(crate) async "];
    let rest = line.trim_start();
    let after_fn = BEFORE
        .iter()
        .find_map(|before| rest.strip_prefix(before)?.strip_prefix("fn "));
    after_fn?.split(['(', '<']).next()
}

/// The numbers at the front of a test's name: 63 and 70 of `h063_h070_a_topic_…`.
fn cases_of(name: &str) -> impl Iterator<Item = u16> {
    let words = name.split('_');
    words.map_while(|word| {
        let digits = word.strip_prefix('h').filter(|digits| digits.len() == 3)?;
        digits.parse().ok()
    })
}
