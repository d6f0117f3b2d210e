//! The rule about markings, by itself; the others are tested through whole sessions.

use beatbook_proto::{Body, ClockSource, Dot, Header, List, ReplicaId, Stamp, VersionVector};

use super::*;

/// Invariant: whoever may not lower a marking may still hand in the founding entry of what was marked higher later.
#[test]
fn a_founding_entry_that_comes_late_lowers_no_marking() {
    let founder = dot(2);
    let rules = Rules {
        supervisor: false,
        sensitive: BTreeSet::from([founder]),
    };
    assert!(rules.permits(&sets_official(founder, None)));
    assert!(!rules.permits(&sets_official(dot(3), Some(founder))));
    assert!(rules.permits(&sets_official(dot(3), Some(dot(1)))));
}

fn dot(counter: u64) -> Dot {
    Dot {
        replica: ReplicaId::from_bytes([7; 16]),
        counter,
    }
}

fn sets_official(dot: Dot, record: Option<RecordId>) -> Revision {
    let marking = Value::Code(Code::new(Marking::Official.word()).unwrap());
    let kind = match record {
        None => RevisionKind::CREATE,
        Some(_) => RevisionKind::AMEND,
    };
    Revision {
        dot,
        header: Header {
            record,
            family: Code::new("NOTE").unwrap(),
            kind,
            schema: 1,
            context: record.into_iter().collect::<VersionVector>(),
            prior: 0,
            lamport: 1,
            fields: List(vec![field::MARKING]),
        },
        body: Body {
            recorded_at: Stamp {
                utc_ms: 0,
                offset_min: 0,
                source: ClockSource::DEVICE,
                uncertainty_ms: 0,
            },
            reason: None,
            settles: List(Vec::new()),
            ops: List(vec![(field::MARKING, FieldOp::Set(marking))]),
        },
    }
}
