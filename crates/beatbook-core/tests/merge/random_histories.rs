//! Random histories of one record: three books that read, write, and read each other, with stale readings and plain
//! changes over conflicts that no honest device would write. Then every order of the same set has to say the same.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::merge::{Concurrency, Head, Write};
use beatbook_proto::{
    Body, ClockSource, Code, Dot, FieldId, FieldOp, Header, List, ReplicaId, Revision, RevisionKind, Stamp,
    Text, Value, VersionVector,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::model;

/// Who writes, how stale a reading, what kind, on which field, what, and whom the book hears from before it.
type Step = (usize, Option<Index>, u8, u16, u8, Option<usize>);

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0_usize..3,
        prop::option::weighted(0.2, any::<Index>()),
        0_u8..8,
        0_u16..3,
        0_u8..18,
        prop::option::of(0_usize..3),
    );
    prop::collection::vec(step, 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 4, 5 and 11: the model, which is written from the design alone, sees the same.
    #[test]
    fn says_what_the_model_says(steps in steps(9)) {
        let history = history(&steps);
        let head = Head::fold(&history).unwrap();
        let merged = model::merge(&history);
        prop_assert_eq!(head.tips().iter().copied().collect::<BTreeSet<_>>(), merged.tips.clone());
        prop_assert_eq!(standing(&head), merged.fields);
    }

    /// Invariants 4 and 10: any causal order of delivery, any duplicates and any batches give one state.
    #[test]
    fn order_and_duplicates_change_nothing(steps in steps(24), order in prop::collection::vec(any::<Index>(), 96)) {
        let history = history(&steps);
        let folded = Head::fold(&history).unwrap();
        let backwards = Head::fold(history.iter().rev().chain(&history)).unwrap();
        prop_assert_eq!(&backwards, &folded);
        let delivered = deliver(&history, &order);
        prop_assert_eq!(&delivered, &folded);
        let mut again = delivered;
        for revision in &history {
            again.apply(revision, &[]).unwrap();
        }
        prop_assert_eq!(&again, &folded);
    }

    /// The state that needs no history is the one that the history gives.
    #[test]
    fn the_fast_path_is_the_fold(steps in steps(24)) {
        let history = history(&steps);
        for end in 1..history.len() {
            let (before, next) = (&history[..end], &history[end]);
            let mut head = Head::fold(before).unwrap();
            if head.is_fast_forward(next) {
                head.apply(next, &[]).unwrap();
                prop_assert_eq!(&head, &Head::fold(&history[..=end]).unwrap());
            }
        }
    }

    /// Invariant 5: a register value goes only where a later write of the field had read it.
    #[test]
    fn nothing_goes_but_by_who_had_read_it(steps in steps(20)) {
        let history = history(&steps);
        let head = Head::fold(&history).unwrap();
        for revision in &history {
            for (field, op) in revision.body.ops.iter() {
                let FieldOp::Set(value) = op else { continue };
                let stands = head.field(*field).is_some_and(|state| {
                    state.register().any(|(dot, kept)| dot == revision.dot && kept == value)
                });
                let read_by = history.iter().any(|later| {
                    later.header.context.covers(revision.dot)
                        && later.body.ops.iter().any(|(on, by)| {
                            on == field && matches!(by, FieldOp::Set(_) | FieldOp::Clear)
                        })
                });
                prop_assert!(stands || read_by, "{:?} is gone", revision.dot);
            }
        }
    }

    /// Invariant 11: a plain change over siblings leaves them all standing.
    #[test]
    fn a_plain_change_never_settles(steps in steps(20), text in 0_u8..3) {
        let mut history = history(&steps);
        let before = Head::fold(&history).unwrap();
        let field = FieldId(40);
        let register = |head: &Head| -> BTreeSet<Value> {
            head.field(field).into_iter().flat_map(|state| state.register()).map(|(_, value)| value.clone()).collect()
        };
        let conflicted = before.field(field).is_some_and(|state| state.has_siblings());
        let dot = Dot { replica: replica(9), counter: 1 };
        let lamport = 1 + before.lamport;
        history.push(revision(dot, &before, before.vector.clone(), lamport, RevisionKind::AMEND, (field, set(text))));
        let after = Head::fold(&history).unwrap();
        if conflicted {
            prop_assert!(register(&after).is_superset(&register(&before)));
            prop_assert_eq!(after.concurrency(), Concurrency::Conflict);
        } else {
            prop_assert_eq!(register(&after).len(), 1);
        }
    }

    /// Either of two concurrent values is kept.
    #[test]
    fn both_of_two_concurrent_values_stand(steps in steps(16), one in 0_u8..3) {
        let mut history = history(&steps);
        let before = Head::fold(&history).unwrap();
        let (phone, laptop) = (Dot { replica: replica(8), counter: 1 }, Dot { replica: replica(9), counter: 1 });
        for (dot, text) in [(phone, one), (laptop, one + 1)] {
            let (context, lamport) = (before.vector.clone(), 1 + before.lamport);
            history.push(revision(dot, &before, context, lamport, RevisionKind::RESOLVE, (FieldId(41), set(text))));
        }
        let after = Head::fold(&history).unwrap();
        let dots: BTreeSet<Dot> = after.field(FieldId(41)).unwrap().register().map(|(dot, _)| dot).collect();
        prop_assert_eq!(dots, BTreeSet::from([phone, laptop]));
        prop_assert_eq!(after.concurrency(), Concurrency::Conflict);
    }
}

/// Invariant: what it costs grows with the history, not with the number of its histories: readings nest.
#[test]
fn many_rounds_of_concurrent_work_fold() {
    let rounds = 60;
    let steps: Vec<Step> = (0..rounds)
        .flat_map(|_| [(0, None, 0, 0, 1, Some(1)), (1, None, 0, 1, 2, None)])
        .collect();
    let history = history(&steps);
    let head = Head::fold(&history).unwrap();
    assert_eq!(head.revisions.len(), 2 * rounds + 1);
    let order: Vec<&Revision> = history.iter().collect();
    let mut applied = Head::found(order[0]).unwrap();
    for end in 1..order.len() {
        applied.apply(order[end], &order[..end]).unwrap();
    }
    assert_eq!(applied, head);
}

/// The history that the steps make: each book holds what it wrote and heard, and reads all of it or an earlier reading.
fn history(steps: &[Step]) -> Vec<Revision> {
    let founder = Dot {
        replica: replica(0),
        counter: 1,
    };
    let founding = founding(founder);
    let mut all = BTreeMap::from([(founder, founding.clone())]);
    let mut history = vec![founding];
    let mut held: [BTreeSet<Dot>; 3] = std::array::from_fn(|_| BTreeSet::from([founder]));
    let mut readings: [Vec<VersionVector>; 3] =
        std::array::from_fn(|_| vec![VersionVector::from_iter([founder])]);
    let mut counters = [1_u64, 0, 0];
    for (book, stale, kind, field, op, hears) in steps {
        if let Some(other) = hears {
            let heard = held[*other].clone();
            held[*book].extend(heard);
        }
        let now: VersionVector = held[*book].iter().copied().collect();
        readings[*book].push(now.clone());
        let context = stale.map_or(now, |index| index.get(&readings[*book]).clone());
        let read = all.values().filter(|other| context.covers(other.dot));
        let lamport = 1 + read.map(|other| other.header.lamport).max().unwrap_or(0);
        counters[*book] += 1;
        let dot = Dot {
            replica: replica(*book as u8),
            counter: counters[*book],
        };
        let head = Head::found(&history[0]).unwrap();
        let next = revision(
            dot,
            &head,
            context,
            lamport,
            kind_of(*kind),
            (FieldId(40 + field), op_of(*op)),
        );
        held[*book].insert(dot);
        all.insert(dot, next.clone());
        history.push(next);
    }
    history
}

/// Delivers the set in another causal order, waiting as a store would.
fn deliver(history: &[Revision], order: &[Index]) -> Head {
    let (founding, rest) = history.split_first().unwrap();
    let mut head = Head::found(founding).unwrap();
    let mut waiting: Vec<&Revision> = rest.iter().collect();
    let mut order = order.iter().cycle();
    while !waiting.is_empty() {
        let index = order.next().unwrap().index(waiting.len());
        let next = waiting[index];
        let earlier = waiting
            .iter()
            .any(|other| other.dot.replica == next.dot.replica && other.dot.counter < next.dot.counter);
        if earlier || head.missing(next).is_some() {
            // Whatever waits longest for nothing comes first.
            let ready = waiting.iter().position(|other| {
                let first = waiting
                    .iter()
                    .all(|one| one.dot.replica != other.dot.replica || one.dot.counter >= other.dot.counter);
                first && head.missing(other).is_none()
            });
            waiting.swap(index, ready.unwrap());
        }
        let next = waiting.remove(index);
        let known: Vec<&Revision> = history.iter().filter(|other| head.holds(other.dot)).collect();
        head.apply(next, &known).unwrap();
    }
    head
}

fn standing(head: &Head) -> BTreeMap<FieldId, BTreeSet<model::Standing>> {
    let op = |write: &Write| match write.clone() {
        Write::Register(value) => FieldOp::Set(value),
        Write::Member(value) => FieldOp::Add(value),
        Write::Line(value) => FieldOp::Append(value),
        Write::Share(share) => FieldOp::Increment(share),
        Write::Bound(bound) => FieldOp::Max(bound),
    };
    let fields = head.fields.iter().map(|(field, state)| {
        let items = state
            .items()
            .iter()
            .map(|item| (item.dot, item.place, op(&item.write)));
        (*field, items.collect())
    });
    fields.collect()
}

fn kind_of(choice: u8) -> RevisionKind {
    match choice {
        0..=2 => RevisionKind::AMEND,
        3 => RevisionKind::STATE,
        4 => RevisionKind::SUPPLEMENT,
        5 => RevisionKind::SIGN,
        _ => RevisionKind::RESOLVE,
    }
}

fn op_of(choice: u8) -> FieldOp {
    let value = Value::Int(i64::from(choice % 3));
    match choice {
        0..=5 => set(choice % 3),
        6..=8 => FieldOp::Add(value),
        9 | 10 => FieldOp::Remove(value),
        11 | 12 => FieldOp::Append(value),
        13 => FieldOp::Increment(7),
        14 => FieldOp::Max(i64::from(choice)),
        _ => FieldOp::Clear,
    }
}

fn set(choice: u8) -> FieldOp {
    FieldOp::Set(Value::Text(Text::new(format!("text {choice}").as_str()).unwrap()))
}

fn founding(dot: Dot) -> Revision {
    Revision {
        dot,
        header: header(None, VersionVector::new(), 1, RevisionKind::CREATE),
        body: body(vec![(FieldId(40), set(0))]),
    }
}

fn revision(
    dot: Dot,
    head: &Head,
    context: VersionVector,
    lamport: u64,
    kind: RevisionKind,
    op: (FieldId, FieldOp),
) -> Revision {
    Revision {
        dot,
        header: header(Some(head.record), context, lamport, kind),
        body: body(vec![op]),
    }
}

fn header(record: Option<Dot>, context: VersionVector, lamport: u64, kind: RevisionKind) -> Header {
    Header {
        record,
        family: Code::new("CONTACT").unwrap(),
        kind,
        schema: 1,
        context,
        prior: 0,
        lamport,
        fields: List(vec![]),
    }
}

fn body(ops: Vec<(FieldId, FieldOp)>) -> Body {
    let recorded_at = Stamp {
        utc_ms: 0,
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    };
    Body {
        recorded_at,
        reason: None,
        settles: List(vec![]),
        ops: List(ops),
    }
}

fn replica(number: u8) -> ReplicaId {
    ReplicaId::from_bytes([number + 1; 16])
}
