//! The rules about markings and states by themselves, and what a re-issue may bring; the others are tested through whole
//! sessions.

mod reissues;

use beatbook_proto::{Body, ClockSource, Dot, Header, List, ReplicaId, Stamp, Text};

use super::*;

/// Invariant: whoever may not lower a marking may still hand in the founding entry of what was marked higher later.
#[test]
fn a_founding_entry_that_comes_late_lowers_no_marking() {
    let rules = Rules {
        supervisor: false,
        sensitive: BTreeSet::from([dot(3)]),
    };
    assert!(rules.permits(&sets(dot(2), None, RevisionKind::CREATE, OFFICIAL)));
    assert!(!rules.permits(&sets(dot(3), Some(dot(2)), RevisionKind::AMEND, OFFICIAL)));
    assert!(rules.permits(&sets(dot(4), Some(dot(1)), RevisionKind::AMEND, OFFICIAL)));
}

/// Invariant: who is no supervisor checks and restricts nothing, whatever the kind of revision is called; a resolution may
/// choose such a state where it is one of those that stand.
#[test]
fn a_state_is_judged_by_what_it_sets() {
    let of = |supervisor| Rules {
        supervisor,
        sensitive: BTreeSet::new(),
    };
    for word in [Lifecycle::Checked.word(), Lifecycle::Restricted.word()] {
        for kind in [RevisionKind::STATE, RevisionKind::AMEND, RevisionKind::CREATE] {
            let state = sets(dot(3), Some(dot(2)), kind, (field::LIFECYCLE, word));
            assert!(!of(false).permits(&state), "{kind:?} {word}");
            assert!(of(true).permits(&state), "{kind:?} {word}");
        }
        let resolution = sets(
            dot(3),
            Some(dot(2)),
            RevisionKind::RESOLVE,
            (field::LIFECYCLE, word),
        );
        assert!(of(false).permits(&resolution));
    }
}

fn dot(counter: u64) -> Dot {
    Dot {
        replica: ReplicaId::from_bytes([7; 16]),
        counter,
    }
}

/// A revision of a note that sets one field.
fn sets(
    dot: Dot,
    record: Option<RecordId>,
    kind: RevisionKind,
    (id, word): (beatbook_proto::FieldId, &str),
) -> Revision {
    Revision {
        dot,
        header: Header {
            record,
            family: Code::new("NOTE").unwrap(),
            kind,
            schema: 1,
            context: record.into_iter().collect::<VersionVector>(),
            prior: 0,
            lamport: 1 + u64::from(record.is_some()),
            fields: List(vec![id]),
        },
        body: Body {
            recorded_at: stamp(),
            reason: Some(Text::new("put right").unwrap()),
            settles: List(Vec::new()),
            ops: List(vec![(id, FieldOp::Set(Value::Code(Code::new(word).unwrap())))]),
        },
    }
}

fn stamp() -> Stamp {
    Stamp {
        utc_ms: 0,
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    }
}

const OFFICIAL: (beatbook_proto::FieldId, &str) = (field::MARKING, "OFFICIAL");
