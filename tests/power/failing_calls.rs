//! Property: whichever call fails, nothing that was acknowledged is lost, a full disk costs refusals only, and a store
//! that stopped goes on when it is opened again. Method: the Nth call of short workloads fails, every 30th N; all of
//! them are tried by `cargo xtask crash --nth`.

use super::crash;

#[test]
fn a_call_that_fails_costs_nothing_that_was_acknowledged() {
    let run = crash(&["nth", "--every", "30"]);
    assert!(run.passed, "{}", run.told);
    assert_eq!(run.count("failed"), 0);
    let of = |took: &str| -> u64 {
        let table = &run.figures["tables"][0];
        let columns = table["columns"].as_array().expect("columns");
        let column = columns
            .iter()
            .position(|column| column == took)
            .expect("the column");
        let rows = table["rows"].as_array().expect("rows");
        rows.iter()
            .map(|row| row[column].as_u64().expect("a count"))
            .sum()
    };
    for took in ["went on", "refused", "reopened"] {
        assert!(of(took) > 0, "no workload {took}: {}", run.told);
    }
}

/// Found by the full run: a failed sync of the journal, reopening, and a power cut left a hole in the journal.
#[test]
fn a_sync_that_fails_once_and_then_says_yes_leaves_no_hole() {
    let run = crash(&["nth", "--workload", "device-create", "--fault", "sync"]);
    assert!(run.passed, "{}", run.told);
    assert!(run.count("cases") > 30, "{}", run.told);
}

/// Found by the full run: a disk that was full for one call shut the store for good.
#[test]
fn a_disk_that_is_full_for_a_moment_stops_nothing() {
    let run = crash(&[
        "nth",
        "--workload",
        "server-backup",
        "--fault",
        "full",
        "--fault",
        "full-longer",
        "--every",
        "2",
    ]);
    assert!(run.passed, "{}", run.told);
    assert!(run.count("cases") > 30, "{}", run.told);
}
