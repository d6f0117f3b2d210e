//! The model by hand-made histories, each small enough to judge by eye.

use super::*;
use beatbook_proto::{
    Body, ClockSource, Code, Header, List, Original, ReplicaId, Stamp, Text, VersionVector,
};

const FIELD: FieldId = FieldId(40);

fn dot(book: u8, counter: u64) -> Dot {
    let replica = ReplicaId::from_bytes([book; 16]);
    Dot { replica, counter }
}

fn entry(kind: RevisionKind, family: &str, record: Option<Dot>, ops: Vec<(FieldId, FieldOp)>) -> Entry {
    let stamp = Stamp {
        utc_ms: 0,
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    };
    let header = Header {
        record,
        family: Code::new(family).unwrap(),
        kind,
        schema: 1,
        context: VersionVector::new(),
        prior: 0,
        lamport: 1,
        fields: List(vec![FIELD]),
    };
    let body = Body {
        recorded_at: stamp,
        reason: None,
        settles: List(vec![]),
        ops: List(ops),
    };
    Entry::new(&header, &body).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(Text::new(text).unwrap())
}

fn learn(model: &mut Model, at: Dot, entry: &Entry, read: &[Rev]) -> Rev {
    let Named::Revision(rev) = model.name(at, entry) else {
        panic!("{at} does not read");
    };
    model.set_read(rev, read.iter().copied().collect());
    rev
}

/// A record, and two changes of a field by authors who had both read only its beginning.
fn fork(model: &mut Model, family: &str) -> [Rev; 3] {
    let set = |word| vec![(FIELD, FieldOp::Set(text(word)))];
    let founder = dot(1, 1);
    let first = learn(
        model,
        founder,
        &entry(RevisionKind::CREATE, family, None, set("one")),
        &[],
    );
    let amend = |word| entry(RevisionKind::AMEND, family, Some(founder), set(word));
    let two = learn(model, dot(2, 1), &amend("two"), &[first]);
    let three = learn(model, dot(3, 1), &amend("three"), &[first]);
    [first, two, three]
}

#[test]
fn both_of_two_versions_stay_until_someone_settles_them() {
    let mut model = Model::default();
    let [first, two, three] = fork(&mut model, "NOTE");
    let set = BTreeSet::from([first, two, three]);
    let merged = model.merged(&set);
    assert_eq!(merged.fields[&FIELD], BTreeSet::from([(two, 0), (three, 0)]));
    assert_eq!(merged.tips, BTreeSet::from([two, three]));
    assert!(merged.conflict);

    let ops = vec![(FIELD, FieldOp::Set(text("four")))];
    let settled = entry(RevisionKind::RESOLVE, "NOTE", Some(dot(1, 1)), ops.clone());
    let four = learn(&mut model, dot(4, 1), &settled, &[first, two, three]);
    let merged = model.merged(&BTreeSet::from([first, two, three, four]));
    assert_eq!(merged.fields[&FIELD], BTreeSet::from([(four, 0)]));
    assert!(!merged.conflict);

    // An amendment of the same reading settles nothing.
    let amended = entry(RevisionKind::AMEND, "NOTE", Some(dot(1, 1)), ops);
    let five = learn(&mut model, dot(5, 1), &amended, &[first, two, three]);
    let merged = model.merged(&BTreeSet::from([first, two, three, five]));
    assert_eq!(merged.fields[&FIELD].len(), 3);
    assert!(merged.conflict);
}

#[test]
fn a_concurrent_addition_outlives_a_removal() {
    let mut model = Model::default();
    let add = vec![(FIELD, FieldOp::Add(text("rain")))];
    let founder = dot(1, 1);
    let first = learn(
        &mut model,
        founder,
        &entry(RevisionKind::CREATE, "TASK", None, add.clone()),
        &[],
    );
    let removal = vec![(FIELD, FieldOp::Remove(text("rain")))];
    let removed = entry(RevisionKind::AMEND, "TASK", Some(founder), removal);
    let removed = learn(&mut model, dot(2, 1), &removed, &[first]);
    let added = entry(RevisionKind::AMEND, "TASK", Some(founder), add);
    let added = learn(&mut model, dot(3, 1), &added, &[first]);
    let merged = model.merged(&BTreeSet::from([first, removed, added]));
    assert_eq!(merged.fields[&FIELD], BTreeSet::from([(added, 0)]));
    assert!(!merged.conflict, "a task merges by itself");
}

#[test]
fn an_envelope_is_what_it_carries() {
    let mut model = Model::default();
    let [first, two, _] = fork(&mut model, "NOTE");
    let original = entry(
        RevisionKind::AMEND,
        "NOTE",
        Some(dot(1, 1)),
        vec![(FIELD, FieldOp::Set(text("two")))],
    );
    let mut header = original.header().unwrap();
    header.kind = RevisionKind::REISSUE;
    let carried = Original {
        dot: dot(2, 1),
        entry: original,
        salt: None,
        seal: None,
        proof: None,
    };
    let envelope = Entry::new(&header, &carried).unwrap();
    assert_eq!(model.name(dot(9, 1), &envelope), Named::Revision(two));
    assert_eq!(model.names(two), [dot(2, 1), dot(9, 1)]);
    assert_ne!(first, two);
}

/// Two different entries under one dot are two revisions.
#[test]
fn a_dot_that_was_given_twice_names_two_revisions() {
    let mut model = Model::default();
    let one = entry(
        RevisionKind::CREATE,
        "NOTE",
        None,
        vec![(FIELD, FieldOp::Set(text("one")))],
    );
    let two = entry(
        RevisionKind::CREATE,
        "NOTE",
        None,
        vec![(FIELD, FieldOp::Set(text("two")))],
    );
    let first = model.name(dot(1, 1), &one);
    assert_ne!(first, model.name(dot(1, 1), &two));
    assert_eq!(first, model.name(dot(1, 1), &one));
    assert_eq!((model.entries_under(dot(1, 1)), model.only(dot(1, 1))), (2, None));
}
