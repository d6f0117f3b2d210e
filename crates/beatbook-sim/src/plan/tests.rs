//! A plan follows from its seed, has the promised size in the mean, and shrinks.

use super::*;

#[test]
fn a_plan_with_more_devices_keeps_the_rest_and_has_an_officer_for_each() {
    let plan = (0..)
        .map(|seed| Plan::from_seed(seed, Size::Small))
        .find(|plan| plan.devices.len() == 2);
    let plan = plan.unwrap();
    assert_eq!(plan.clone().with_devices(2), plan);
    let more = plan.clone().with_devices(5);
    assert_eq!((more.devices.len(), more.officers.len()), (5, 4));
    assert_eq!((&more.faults, more.days), (&plan.faults, plan.days));
    assert!(more.devices.iter().all(|device| device.officer < 4));
    assert!(more.events_bound(more.devices.len()) > plan.events_bound(plan.devices.len()));
}

#[test]
fn small_plans_have_three_device_days_in_the_mean() {
    let seeds = 4_000;
    let total: u64 = (0..seeds)
        .map(|seed| Plan::from_seed(seed, Size::Small).device_days())
        .sum();
    let hundredths = total * 100 / seeds;
    assert!((270..=330).contains(&hundredths), "mean {hundredths}/100");
}

#[test]
fn every_kind_is_drawn_but_the_one_of_the_other_mode() {
    let mut drawn = BTreeSet::new();
    let mut drawn_off = BTreeSet::new();
    let off = Overrides {
        atlas_off: true,
        ..Overrides::default()
    };
    for seed in 0..500 {
        let plan = Plan::from_seed(seed, Size::Small);
        drawn.extend(plan.faults.clone());
        drawn_off.extend(plan.with(&off).faults);
    }
    assert_eq!(drawn.len(), FaultKind::ALL.len() - 1);
    assert!(!drawn.contains(&FaultKind::LyingSync));
    assert!(drawn_off.contains(&FaultKind::LyingSync));
}

#[test]
fn large_plans_are_large() {
    for seed in 0..50 {
        let plan = Plan::from_seed(seed, Size::Large);
        assert!((20..=40).contains(&plan.devices.len()));
        assert!((3..=7).contains(&plan.days));
    }
}

#[test]
fn a_plan_shrinks_and_the_rest_stays() {
    let plan = Plan::from_seed(11, Size::Large);
    let overrides = Overrides {
        devices_max: Some(2),
        days_max: Some(1),
        without: plan.faults.iter().take(1).copied().collect(),
        events_max: Some(100),
        ..Overrides::default()
    };
    let smaller = plan.clone().with(&overrides);
    assert_eq!(smaller.devices, plan.devices[..2]);
    assert_eq!(smaller.days, 1);
    assert!(smaller.faults.is_subset(&plan.faults) && smaller.faults.len() + 1 == plan.faults.len().max(1));
    assert_eq!(smaller.events_max, Some(100));
}
