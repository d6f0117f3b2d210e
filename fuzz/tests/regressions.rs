//! Every input that ever broke a promise, and every seed, through its target: on any toolchain, without the engine.
//!
//! One test, since the peak of the heap that targets assert is that of the process.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use beatbook_fuzz::{Target, target, targets};

/// Property: no seed and no input found before breaks a promise.
#[test]
fn what_was_found_once_is_not_found_again() {
    check_names();
    let mut broken = Vec::new();
    for target in targets::ALL {
        let found = found_before(target);
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        let seeds = (0..)
            .zip(seeds)
            .map(|(number, seed): (usize, _)| (format!("seed {number}"), seed));
        for (name, input) in found.into_iter().chain(seeds) {
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                broken.push(format!("{}: {name}", target.name));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The table of names says what there is, and every folder of regressions is that of a target.
fn check_names() {
    let listed: Vec<&str> = LIST
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let there: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
    assert_eq!(listed, there, "targets.txt lists other targets than there are");
    let folders = fs::read_dir(folder()).into_iter().flatten().flatten();
    let unknown: BTreeSet<String> = folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != "README.md" && target(name).is_none())
        .collect();
    assert_eq!(
        unknown,
        BTreeSet::new(),
        "regressions of targets that are not there"
    );
}

/// The inputs kept for a target, by file name.
fn found_before(target: &Target) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder().join(target.name))
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(String, Vec<u8>)> = files
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            let input = fs::read(file.path()).expect("a regression can be read");
            (name, input)
        })
        .collect();
    found.sort();
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions")
}

const LIST: &str = include_str!("../targets.txt");
