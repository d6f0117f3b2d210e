//! The engine's words are read as they are, and the summary says what was found and how to repeat it.

use super::report::{artifact, panic_of};
use super::*;

const SAID: &str = "INFO: seed corpus: files: 9\n\
    #11 INITED cov: 120 ft: 130 corp: 9/900b exec/s: 0 rss: 40Mb\n\
    #2048 pulse  cov: 340 ft: 600 corp: 31/2100b lim: 4096 exec/s: 1024 rss: 41Mb\n\
    thread '<unnamed>' panicked at fuzz/src/targets/seal.rs:40:9:\n\
    something else was proved\n\
    stack backtrace:\n\
    ==7== ERROR: libFuzzer: deadly signal\n\
    artifact_prefix='./'; Test unit written to fuzz/artifacts/seal/crash-0a1b\n\
    stat::number_of_executed_units: 1234567\n\
    stat::peak_rss_mb:              57\n";

#[test]
fn the_figures_of_the_engine_are_read() {
    let outcome = Outcome::read("seal", SAID);
    assert_eq!(
        (outcome.runs, outcome.edges, outcome.inputs, outcome.rss_mb),
        (1_234_567, 340, 31, 57)
    );
    assert_eq!(
        artifact(SAID),
        Some(PathBuf::from("fuzz/artifacts/seal/crash-0a1b"))
    );
    assert_eq!(
        panic_of(SAID),
        "fuzz/src/targets/seal.rs:40:9: something else was proved"
    );
    assert_eq!(
        panic_of("==7== ERROR: libFuzzer: timeout after 20 s"),
        "==7== ERROR: libFuzzer: timeout after 20 s"
    );
}

#[test]
fn the_last_line_counts_and_what_is_broken_can_be_repeated() {
    let again = Some("cargo xtask fuzz --target seal --input fuzz/regressions/seal/crash-0a1b".to_owned());
    let found = Some(Found {
        what: panic_of(SAID),
        again,
    });
    let broken = Outcome {
        found,
        ..Outcome::read("seal", SAID)
    };
    let held = Outcome {
        runs: 433,
        ..Outcome::read("track", "")
    };
    let summary = Summary {
        outcomes: vec![broken, held],
        seconds: 61,
    };
    let text = summary.to_string();
    assert!(!summary.is_clean());
    assert!(text.contains("--input fuzz/regressions/seal/crash-0a1b"));
    assert_eq!(
        text.lines().last(),
        Some("2 targets, 61 s, 1,235,000 runs, 1 broken")
    );
    let json = summary.json("cargo xtask fuzz --seconds 60");
    let read: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(read["passed"], false);
    assert_eq!(read["figures"]["runs"], 1_235_000);
    assert_eq!(read["tables"][0]["rows"][0][0], "seal");
}

#[test]
fn targets_are_those_of_the_crate() {
    let tree = Tree::locate().expect("the repository is there");
    let all = targets(&tree).expect("the list is there");
    assert!(
        all.len() >= 10
            && all
                .iter()
                .all(|(name, about)| !name.is_empty() && !about.is_empty())
    );
    let one = chosen(&all, Some("decode")).expect("there is such a target");
    assert_eq!(one, ["decode"]);
    assert!(matches!(
        chosen(&all, Some("nothing")),
        Err(Error::NoTarget { .. })
    ));
}
