//! Histories of one record, honest and not. Honest: every causal order, duplicates, the fast path and a model that is
//! written from the design alone say the same. Not: whatever the contexts claim, the fold of a set is a function of it.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::merge::{Head, Write};
use beatbook_proto::{
    Body, ClockSource, Code, Dot, FieldId, FieldOp, Header, List, ReplicaId, Revision, RevisionKind, Stamp,
    Text, Value, VersionVector,
};

use crate::input::Input;
use crate::model;

/// The first byte says whether authors are honest and which family it is.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let family = ["CONTACT", "NOTE", "SHIFT", "DRONE_FLIGHT"][usize::from(choice >> 1) % 4];
    let history = history(&mut input, family, choice & 1 == 1);
    if choice & 1 == 1 {
        hostile(&history)
    } else {
        honest(&history, &mut input)
    }
}

/// Concurrent work of two and three books, a resolution of it, and stale readings.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let rounds: Vec<u8> = (0..6)
        .flat_map(|round| [0, 0, 0, round, 1, 1, 1, 0, 2, 1, 2, 0])
        .collect();
    let resolved: Vec<u8> = [rounds.as_slice(), &[0, 0, 7, 0, 2, 2]].concat();
    (0..8)
        .flat_map(|choice| [&rounds, &resolved].map(|steps| [&[choice], steps.as_slice()].concat()))
        .collect()
}

fn honest(history: &[Revision], input: &mut Input<'_>) {
    let head = Head::fold(history).expect("an honest history folds");
    let backwards = Head::fold(history.iter().rev().chain(history));
    assert_eq!(backwards.as_ref(), Some(&head), "order or duplicates matter");
    let delivered = deliver(history, input);
    assert_eq!(delivered, head, "another causal order gives another state");
    for end in 1..history.len() {
        let mut before = Head::fold(&history[..end]).expect("a beginning folds");
        if before.is_fast_forward(&history[end]) {
            before.apply(&history[end], &[]).expect("nothing is missing");
            assert_eq!(
                Some(before),
                Head::fold(&history[..=end]),
                "the fast path is not the fold"
            );
        }
    }
    if history.len() <= MODEL_REVISIONS_MAX {
        let merged = model::merge(history);
        assert_eq!(
            head.tips().iter().copied().collect::<BTreeSet<_>>(),
            merged.tips,
            "other tips"
        );
        assert_eq!(standing(&head), merged.fields, "other writes stand");
    }
}

fn hostile(history: &[Revision]) {
    let head = Head::fold(history);
    assert_eq!(
        Head::fold(history.iter().rev().chain(history)),
        head,
        "order or duplicates matter"
    );
    let Some((founding, rest)) = history.split_first() else {
        return;
    };
    let Some(mut applied) = Head::found(founding) else {
        return;
    };
    let known: Vec<&Revision> = history.iter().collect();
    for revision in rest {
        // A store asks first what is missing; both answer whether it can be applied.
        let missing = applied.missing(revision).is_some() && !applied.holds(revision.dot);
        let before = applied.clone();
        if applied.apply(revision, &known).is_none() {
            assert_eq!(applied, before, "what could not be applied changed something");
        } else {
            assert!(!missing, "applied with something missing");
        }
        assert!(applied.concurrency() >= beatbook_core::merge::Concurrency::Clean);
    }
}

/// The history that the input makes: each book holds what it wrote and heard, and reads all of it or an earlier reading.
fn history(input: &mut Input<'_>, family: &str, hostile: bool) -> Vec<Revision> {
    let founder = Dot {
        replica: replica(0),
        counter: 1,
    };
    let founding = founding(founder, family);
    let mut all = BTreeMap::from([(founder, founding.clone())]);
    let mut history = vec![founding];
    let mut held: [BTreeSet<Dot>; 3] = std::array::from_fn(|_| BTreeSet::from([founder]));
    let mut readings: [Vec<VersionVector>; 3] =
        std::array::from_fn(|_| vec![VersionVector::from_iter([founder])]);
    let mut counters = [1_u64, 0, 0];
    while !input.is_spent() && history.len() < REVISIONS_MAX {
        let (book, stale) = (input.below(3), input.byte());
        let (kind, field, op, hears) = (input.byte(), input.byte(), input.byte(), input.byte());
        if hears > 0 {
            let heard = held[usize::from(hears) % 3].clone();
            held[book].extend(heard);
        }
        let now: VersionVector = held[book].iter().copied().collect();
        readings[book].push(now.clone());
        let mut context = match stale {
            200.. => readings[book][usize::from(stale) % readings[book].len()].clone(),
            _ => now,
        };
        counters[book] += 1;
        let dot = Dot {
            replica: replica(book),
            counter: counters[book],
        };
        let read = all.values().filter(|other: &&Revision| context.covers(other.dot));
        let highest = read.map(|other| other.header.lamport).max().unwrap_or(0);
        let mut lamport = highest.saturating_add(1);
        if hostile && input.flag() {
            context = (0..input.below(4))
                .map(|_| Dot {
                    replica: replica(input.below(4)),
                    counter: input.number(),
                })
                .collect();
            lamport = input.number();
        }
        let header = Header {
            lamport,
            kind: kind_of(kind),
            prior: if hostile { input.number() } else { 0 },
            ..header(Some(founder), context, family)
        };
        let field = FieldId(40 + u16::from(field % 3));
        let body = body(vec![(field, op_of(op)), (field, op_of(op >> 3))]);
        let next = Revision { dot, header, body };
        held[book].insert(dot);
        all.insert(dot, next.clone());
        history.push(next);
    }
    history
}

/// Delivers the set in another causal order, waiting as a store would.
fn deliver(history: &[Revision], input: &mut Input<'_>) -> Head {
    let (founding, rest) = history.split_first().expect("there is a founding revision");
    let mut head = Head::found(founding).expect("it founds");
    let mut waiting: Vec<&Revision> = rest.iter().rev().collect();
    while !waiting.is_empty() {
        let ready: Vec<usize> = (0..waiting.len())
            .filter(|place| {
                let next = waiting[*place];
                let earlier = |other: &&Revision| {
                    other.dot.replica == next.dot.replica && other.dot.counter < next.dot.counter
                };
                head.missing(next).is_none() && !waiting.iter().any(earlier)
            })
            .collect();
        let place = ready[input.below(ready.len())];
        let next = waiting.remove(place);
        let known: Vec<&Revision> = history.iter().filter(|other| head.holds(other.dot)).collect();
        head.apply(next, &known).expect("nothing is missing");
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
        let items = state.items().iter();
        (
            *field,
            items
                .map(|item| (item.dot, item.place, op(&item.write)))
                .collect(),
        )
    });
    fields.collect()
}

fn kind_of(choice: u8) -> RevisionKind {
    match choice % 9 {
        0..=2 => RevisionKind::AMEND,
        3 => RevisionKind::STATE,
        4 => RevisionKind::SUPPLEMENT,
        5 => RevisionKind::SIGN,
        6 => RevisionKind::VOID,
        7 => RevisionKind::RESOLVE,
        _ => RevisionKind(choice),
    }
}

fn op_of(choice: u8) -> FieldOp {
    let value = Value::Int(i64::from(choice % 3));
    match choice % 18 {
        0..=5 => FieldOp::Set(Value::Text(
            Text::new(format!("text {}", choice % 3)).unwrap_or_default(),
        )),
        6..=8 => FieldOp::Add(value),
        9 | 10 => FieldOp::Remove(value),
        11 | 12 => FieldOp::Append(value),
        13 => FieldOp::Increment(i64::MAX),
        14 => FieldOp::Max(i64::from(choice)),
        _ => FieldOp::Clear,
    }
}

fn founding(dot: Dot, family: &str) -> Revision {
    let header = Header {
        kind: RevisionKind::CREATE,
        ..header(None, VersionVector::new(), family)
    };
    Revision {
        dot,
        header,
        body: body(vec![(FieldId(40), op_of(0))]),
    }
}

fn header(record: Option<Dot>, context: VersionVector, family: &str) -> Header {
    Header {
        record,
        family: Code::new(family).expect("a family is a code"),
        kind: RevisionKind::AMEND,
        schema: 1,
        context,
        prior: 0,
        lamport: 1,
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

fn replica(number: usize) -> ReplicaId {
    ReplicaId::from_bytes([u8::try_from(number).unwrap_or(0) + 1; 16])
}

const REVISIONS_MAX: usize = 32;
/// The model looks at every set again for every question: nine revisions that read in turns take it half a minute.
const MODEL_REVISIONS_MAX: usize = 6;
