//! The figures add up, and the last line says what failed.

use super::*;

#[test]
fn failing_seeds_are_counted_by_what_they_lost() {
    let mut summary = Summary::new(Size::Small);
    let broken = |seed, invariant: Option<&'static str>| Outcome {
        seed,
        ended: Ended {
            violation: invariant.map(|invariant| Violation {
                invariant,
                what: "gone".into(),
            }),
            written: 1_000,
            device_days: 73,
            ..Ended::default()
        },
        took_us: seed,
        ..Outcome::default()
    };
    for outcome in [
        broken(1, None),
        broken(2, Some("sync 2: what was acknowledged")),
        broken(3, Some("sync 9: one verdict")),
    ] {
        summary.add(&outcome);
    }
    assert!(!summary.is_sound());
    assert_eq!(
        (summary.lost(), summary.failing.len(), summary.slowest),
        (1, 2, (3, 3))
    );
    let line = summary.line();
    assert!(
        line.starts_with("3 seeds, 0 fault kinds, 0.6 device-years, 3,000 entries written"),
        "{line}"
    );
    assert!(line.contains("1 lost, 2 failing"), "{line}");
    assert!(summary.to_string().ends_with(&line));
    assert_eq!(summary.json()["failing"][0]["seed"], 2);
    // A world that differs the second time fails too.
    let differs = Outcome {
        seed: 9,
        differs: true,
        twice: true,
        ..Outcome::default()
    };
    assert_eq!(differs.violation().unwrap().invariant, crate::run::SAME_TRACE);
}

#[test]
fn thousands_stand_apart() {
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(grouped),
        ["0", "999", "1,000", "1,234,567"]
    );
}
