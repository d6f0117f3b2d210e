//! What is written of a kept seed reads back.

use super::*;

#[test]
fn a_kept_seed_reads_back() {
    let kept = Regression {
        seed: 42,
        size: Size::Large,
        overrides: Overrides {
            devices_max: Some(2),
            days_max: Some(1),
            without: [FaultKind::BitFlip].into(),
            only: Some([FaultKind::KillAtOp, FaultKind::Delay].into()),
            events_max: Some(900),
            entries_per_day: Some(5),
            atlas_off: true,
            shared: true,
            goes_on: true,
        },
        was: "sync 3: a dot was given twice".into(),
    };
    assert_eq!(Regression::parse(&kept.to_string()), Ok(kept.clone()));
    let arguments = kept.arguments();
    assert!(
        arguments.starts_with("--seed 42 --size large --devices 2"),
        "{arguments}"
    );
    assert!(arguments.contains("--only delay,kill-at-op"), "{arguments}");
    let no_faults = Regression::parse("seed 1\nonly none\n").unwrap();
    assert_eq!(no_faults.overrides.only, Some(BTreeSet::new()));
}

#[test]
fn what_is_not_understood_is_told_with_its_line() {
    let said = Regression::parse("# a comment\nseed 7\ncolour blue\n").unwrap_err();
    assert_eq!(said.to_string(), "line 3 is not understood: colour blue");
    assert_eq!(Regression::parse("size small\n"), Err(RegressionError::NoSeed));
}
