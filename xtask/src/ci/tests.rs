//! The steps that are meant are the steps that run, and the table counts them.

use clap::Parser;

use super::*;
use crate::Args;

fn names(quick: bool, whole_tree: bool) -> Vec<&'static str> {
    steps(quick, &|_| whole_tree)
        .iter()
        .map(|step| step.name)
        .collect()
}

#[test]
fn a_whole_run_has_every_step() {
    assert_eq!(
        names(false, true),
        [
            "fmt", "tidy", "arrows", "clippy", "vectors", "doc", "test", "sim", "images", "kills", "flips",
            "fuzz"
        ]
    );
    assert_eq!(names(false, false).last(), Some(&"test"));
}

#[test]
fn a_quick_run_leaves_the_slow_steps_out() {
    assert_eq!(names(true, true), ["fmt", "tidy", "arrows", "clippy", "vectors"]);
}

#[test]
fn every_search_is_a_command_of_this_program() {
    for step in steps(false, &|path| has_now(path)) {
        if let Work::Cargo(["xtask", words @ ..], _) = step.work {
            let words = ["cargo xtask"].into_iter().chain(words.iter().copied());
            assert!(Args::try_parse_from(words).is_ok(), "{}", step.name);
        }
    }
}

fn has_now(path: &str) -> bool {
    Tree::locate().is_ok_and(|tree| tree.has(path))
}

#[test]
fn the_test_step_is_the_command_of_the_readme() {
    let tree = Tree::locate().expect("the repository is there");
    let readme = tree
        .text("README.md")
        .expect("README.md is readable")
        .expect("README.md is there");
    let all = steps(false, &|_| false);
    let step = all
        .iter()
        .find(|step| step.name == "test")
        .expect("there is a test step");
    let Work::Cargo(args, []) = &step.work else {
        panic!("the test step sets no variable")
    };
    let command = format!("cargo {}", args.join(" "));
    assert!(
        readme.lines().any(|line| line.trim() == command),
        "README.md does not give `{command}`"
    );
}

#[test]
fn the_table_ends_with_the_count() {
    let outcomes = [
        Outcome {
            name: "fmt",
            passed: true,
            took: Duration::from_millis(1_500),
        },
        Outcome {
            name: "test",
            passed: false,
            took: Duration::from_secs(61),
        },
    ];
    let table = Table(&outcomes).to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines,
        [
            "step          seconds  outcome",
            "fmt               1.5  passed",
            "test             61.0  FAILED",
            "1 passed, 1 failed",
        ]
    );
}

#[test]
fn a_step_that_cannot_start_is_a_failed_one() {
    assert!(!said("fmt", Err("not found".to_owned())));
    assert!(said("fmt", Ok(true)));
}
