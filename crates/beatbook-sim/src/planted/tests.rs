//! The ground that a defect is looked for on, and what is told of a hunt.

use super::*;
use crate::fault::FaultKind;
use crate::plan::Size;

#[test]
fn a_ground_has_its_faults_and_devices_and_leaves_the_rest_to_the_seed() {
    let ground = ground_of(Bug::ScopeOutlivesPosting).unwrap();
    let plan = Plan::from_seed(7, Size::Small);
    let laid = ground.lay(plan.clone());
    assert!(laid.devices.len() >= 5 && laid.has(FaultKind::PostingChanged));
    assert_eq!((laid.faults.len(), laid.days), (1, plan.days));
    assert!(ground_of(Bug::ClockDecides).is_none());
}

#[test]
fn the_ground_of_one_device_has_no_other() {
    let ground = ground_of(Bug::FrameOrderLost).unwrap();
    let several = (0..)
        .map(|seed| Plan::from_seed(seed, Size::Small))
        .find(|plan| plan.devices.len() > 1);
    assert_eq!(ground.lay(several.unwrap()).devices.len(), 1);
}

#[test]
fn a_defect_that_no_seed_found_is_told_as_lost() {
    let trophy = |bug: Bug, found: Vec<(u64, &'static str)>| Trophy {
        bug,
        found,
        seeds: 5,
        unsound: Vec::new(),
        events: 1,
        took_us: 1,
    };
    let one = trophy(Bug::RemoveWins, vec![(2, "sync 5"), (4, "sync 5")]);
    assert!(one.to_string().contains("in  2 of   5 seeds, first 2: sync 5"));
    let other = trophy(Bug::ClockDecides, Vec::new());
    assert!(other.to_string().starts_with("NOT FOUND  clock-decides"));
    let hunted = Hunted {
        trophies: vec![one, other],
    };
    assert!(!hunted.is_whole());
    assert_eq!(
        hunted.line(),
        "10 worlds with a defect each, 1 lost, 1/2 planted bugs"
    );
    let told = &hunted.json()["by defect"][0];
    assert_eq!((&told["found in"], &told["first seed"]), (&json!(2), &json!(2)));
}

#[test]
fn a_build_without_defects_says_so() {
    let none = Hunt {
        bugs: vec!["remove-wins".into()],
        start: 1,
        seeds_max: 0,
        threads: 1,
        overrides: Overrides::default(),
    };
    let hunted = hunt(&none, &|_| {});
    #[cfg(not(planted_bugs))]
    assert_eq!(hunted.unwrap_err(), HuntError::NotCompiledIn);
    #[cfg(planted_bugs)]
    assert_eq!(hunted.unwrap().seeds(), 0);
    let unknown = Hunt {
        bugs: vec!["no-such-bug".into()],
        ..none
    };
    assert_eq!(
        hunt(&unknown, &|_| {}).unwrap_err(),
        HuntError::Unknown("no-such-bug".into())
    );
}
