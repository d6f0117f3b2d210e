//! Property: a power cut at any call of any workload takes nothing that was acknowledged, and every store opens again.
//! Method: recorded workloads, each replayed to some moments and cut there; the seed is drawn and told. Then the same
//! over disks whose syncs do nothing, which must be found: a campaign that cannot fail shows nothing.

use super::crash;

#[test]
fn what_was_acknowledged_outlives_a_power_cut_at_any_call() {
    let run = crash(&["images", "--images", "63"]);
    assert!(run.passed, "{}", run.told);
    assert_eq!(run.count("images"), 63);
    for wrong in ["lost", "unopenable", "wrong"] {
        assert_eq!(run.count(wrong), 0, "{}", run.told);
    }
    assert!(
        run.count("rebuilt") > 0,
        "two workloads have their index made anew: {}",
        run.told
    );
}

#[test]
fn a_disk_that_forgets_a_sync_of_the_journal_is_found() {
    is_found("journal", &["device-write", "server-write"]);
}

#[test]
fn a_disk_that_forgets_a_sync_of_a_folder_is_found() {
    is_found("names", &["device-write", "force-init"]);
}

#[test]
fn a_disk_that_forgets_a_sync_of_the_index_is_found() {
    is_found("index", &["device-release", "server-release"]);
}

fn is_found(flaw: &str, workloads: &[&str]) {
    let mut args = vec!["images", "--images", "24", "--planted", flaw];
    args.extend(workloads.iter().flat_map(|workload| ["--workload", workload]));
    let run = crash(&args);
    assert!(!run.passed, "the flaw was not found: {}", run.told);
    let found = run.count("lost") + run.count("unopenable") + run.count("wrong");
    assert!(found > 0, "it failed for another reason: {}", run.told);
}
