//! The rules of SPEC.md and the tags in the code are the same set.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Property: each tag that the format's sources name is a rule of SPEC.md, and each rule is named there.
#[test]
fn rules_and_tags_are_the_same() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = defined(&read(&home.join("SPEC.md")));
    let named: BTreeSet<String> = sources(&home.join("src"))
        .iter()
        .flat_map(|path| tags(&read(path)))
        .collect();
    assert!(rules.len() > 30, "only {} rules found", rules.len());
    assert_eq!(named, rules);
}

/// Property: whatever else names a rule of the format names one that exists.
#[test]
fn every_tag_elsewhere_is_a_rule() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = defined(&read(&home.join("SPEC.md")));
    let mut paths = sources(&home.join("tests"));
    paths.extend(sources(&home.join("../crates")));
    for path in paths {
        let unknown: Vec<String> = tags(&read(&path))
            .into_iter()
            .filter(|tag| !rules.contains(tag))
            .collect();
        assert!(unknown.is_empty(), "{}: no rule {unknown:?}", path.display());
    }
}

/// The tags that are printed bold: where a rule is defined.
fn defined(spec: &str) -> BTreeSet<String> {
    let bold: Vec<&str> = spec.split("**").skip(1).step_by(2).collect();
    let rules: BTreeSet<String> = bold.iter().flat_map(|text| tags(text)).collect();
    assert_eq!(rules, tags(spec), "a rule is named that is not defined");
    rules
}

/// Every `R-WORD-number` in a text.
fn tags(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
        .filter(|word| {
            let mut parts = word.split('-');
            let is_rule = parts.next() == Some("R");
            let area = parts.next().unwrap_or("");
            let number = parts.next().unwrap_or("");
            is_rule
                && AREAS.contains(&area)
                && !number.is_empty()
                && number.bytes().all(|digit| digit.is_ascii_digit())
                && parts.next().is_none()
        })
        .map(str::to_owned)
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in listed {
        let path = entry.expect("a source folder lists").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const AREAS: [&str; 13] = [
    "COD", "COM", "CUR", "FEED", "FRM", "LIM", "RCP", "REV", "RUN", "SEAL", "SIG", "TRK", "VV",
];
