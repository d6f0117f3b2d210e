//! The search over smaller worlds, with a judge in place of the world.

use super::*;

fn search(judge: &mut Judge<'_>, plan: &Plan, worlds_max: u64) -> (Overrides, u64) {
    let violation = Violation {
        invariant: "sync 3",
        what: String::new(),
    };
    let mut search = Search {
        wanted: "sync 3",
        best: (Overrides::default(), violation, 10_000),
        worlds: 0,
        worlds_max,
        judge,
    };
    search.fewer_devices(plan);
    search.fewer_days(plan);
    search.fewer_kinds(plan);
    search.fewer_events();
    (search.best.0, search.worlds)
}

fn plan() -> Plan {
    let all = Overrides {
        only: Some(FaultKind::ALL.into_iter().collect()),
        ..Overrides::default()
    };
    Plan::from_seed(3, Size::Large).with(&all)
}

#[test]
fn what_the_failure_needs_is_what_is_left() {
    let plan = plan();
    let needed = [FaultKind::BitFlip, FaultKind::Revoked];
    let mut judge = |candidate: &Overrides| {
        let smaller = plan.clone().with(candidate);
        let fails = needed.iter().all(|kind| smaller.has(*kind))
            && smaller.devices.len() >= 3
            && smaller.events_max.unwrap_or(10_000) >= 1_000;
        let invariant = if fails { "sync 3" } else { "sync 1" };
        let what = String::new();
        Some((
            Violation { invariant, what },
            smaller.events_max.unwrap_or(10_000),
        ))
    };
    let (overrides, worlds) = search(&mut judge, &plan, 500);
    let smallest = plan.clone().with(&overrides);
    assert_eq!(smallest.faults, needed.into_iter().collect());
    assert_eq!((smallest.devices.len(), smallest.days), (3, 1));
    assert!((1_000..1_100).contains(&smallest.events_max.unwrap()));
    assert!(worlds < 500);
}

#[test]
fn a_search_ends_when_its_worlds_are_used_up() {
    let plan = plan();
    let mut judge = |_: &Overrides| None;
    let (overrides, worlds) = search(&mut judge, &plan, 7);
    assert_eq!((overrides, worlds), (Overrides::default(), 7));
}
