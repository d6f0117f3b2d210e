//! The law of the notebook: nothing is erased, overwritten or left blank.

use super::*;
use crate::build::{
    Remark, Signature, Strike, remark_ops, sign_ops, state_ops, strike_ops, supplement_ops, void_ops,
};
use crate::field;
use crate::vocabulary::Lifecycle;

fn signature() -> Signature {
    Signature {
        at: at(5),
        initials: "JS".into(),
        collar: Some("9123".into()),
        role: Some(Role::Pcso),
    }
}

fn signed(body: &str) -> MergedFields {
    let mut fields = note(body);
    fields.apply(&sign_ops(&fields, &signature()).unwrap());
    fields
}

fn strike(range: std::ops::Range<u32>) -> Vec<Op> {
    strike_ops(&[Strike {
        field: None,
        start: range.start,
        end: range.end,
        reason: "wrong".into(),
        initials: "JS".into(),
        at: at(6),
    }])
    .unwrap()
}

fn remark() -> Remark {
    Remark {
        words: "and a dog".into(),
        at: at(7),
        by: Some("9123".into()),
        initials: Some("JS".into()),
    }
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, WriteError>) -> bool {
    matches!(result, Err(WriteError::NotThisWay { .. }))
}

#[test]
fn an_amendment_needs_a_reason() {
    let before = note("x");
    let ops = [set(field::BODY, text("y"))];
    assert!(write("NOTE", &before, RevisionKind::AMEND, &ops).is_ok());
    for reason in [None, Some(""), Some("  ")] {
        let write = Write {
            family: "NOTE",
            kind: RevisionKind::AMEND,
            reason,
            ops: &ops,
            before: &before,
            recorded_at: stamp(1),
            role: &Role::Pcso,
        };
        assert_eq!(check_write(&write), Err(WriteError::NoReason));
    }
}

#[test]
fn an_amendment_says_something() {
    assert_eq!(
        write("NOTE", &note("x"), RevisionKind::AMEND, &[]),
        Err(WriteError::Nothing)
    );
}

#[test]
fn a_blank_entry_cannot_be_signed() {
    let before = note("Seen.");
    assert!(
        write(
            "NOTE",
            &before,
            RevisionKind::SIGN,
            &sign_ops(&before, &signature()).unwrap()
        )
        .is_ok()
    );
    let before = note("");
    let ops = sign_ops(&before, &signature()).unwrap();
    assert_eq!(
        write("NOTE", &before, RevisionKind::SIGN, &ops),
        Err(WriteError::Missing { field: "body" })
    );
    let mut before = note("");
    before.apply(&[set(field::BODY, text(" \n "))]);
    let ops = vec![sign_ops(&note("x"), &signature()).unwrap().remove(0)];
    let error = WriteError::Rule {
        field: "body",
        rule: Rule::Blank,
    };
    assert_eq!(write("NOTE", &before, RevisionKind::SIGN, &ops), Err(error));
}

#[test]
fn signing_takes_blank_lines_off_and_nothing_else() {
    let mut before = note("x");
    before.apply(&[set(field::BODY, text("Seen.\n\n"))]);
    let ops = sign_ops(&before, &signature()).unwrap();
    assert_eq!(ops.first(), Some(&set(field::BODY, text("Seen."))));
    assert!(write("NOTE", &before, RevisionKind::SIGN, &ops).is_ok());
    let left: Vec<Op> = ops.iter().skip(1).cloned().collect();
    let error = WriteError::Rule {
        field: "body",
        rule: Rule::BlankLinesAtEnd,
    };
    assert_eq!(write("NOTE", &before, RevisionKind::SIGN, &left), Err(error));
    let mut more = ops.clone();
    more[0] = set(field::BODY, text("Seen it all."));
    assert_eq!(
        write("NOTE", &before, RevisionKind::SIGN, &more),
        Err(WriteError::Nothing)
    );
    more[0] = set(field::DESCRIPTION_SEEN, text("x"));
    assert!(is_refused(write("NOTE", &before, RevisionKind::SIGN, &more)));
}

#[test]
fn a_record_in_conflict_is_not_signed_or_amended_but_resolved() {
    let before = with_siblings(note("x"), field::BODY, [text("a"), text("b")]);
    let ops = sign_ops(&note("x"), &signature()).unwrap();
    let error = WriteError::Rule {
        field: "the record",
        rule: Rule::Siblings,
    };
    assert_eq!(write("NOTE", &before, RevisionKind::SIGN, &ops), Err(error));
    let ops = [set(field::BODY, text("c"))];
    let conflict = WriteError::Conflict { field: "body".into() };
    assert_eq!(write("NOTE", &before, RevisionKind::AMEND, &ops), Err(conflict));
    assert!(write("NOTE", &before, RevisionKind::RESOLVE, &ops).is_ok());
    assert!(
        write(
            "NOTE",
            &before,
            RevisionKind::AMEND,
            &[set(field::DESCRIPTION_SEEN, text("c"))]
        )
        .is_ok()
    );
}

#[test]
fn only_an_unsigned_draft_is_voided_and_then_rests() {
    let mut draft = note("x");
    assert!(write("NOTE", &draft, RevisionKind::VOID, &void_ops()).is_ok());
    assert!(is_refused(write(
        "NOTE",
        &signed("x"),
        RevisionKind::VOID,
        &void_ops()
    )));
    draft.apply(&void_ops());
    for kind in [
        RevisionKind::AMEND,
        RevisionKind::SIGN,
        RevisionKind::VOID,
        RevisionKind::SUPPLEMENT,
    ] {
        assert!(is_refused(write(
            "NOTE",
            &draft,
            kind,
            &[set(field::BODY, text("y"))]
        )));
    }
    assert!(is_refused(write(
        "NOTE",
        &note("x"),
        RevisionKind::STATE,
        &void_ops()
    )));
    assert!(is_refused(write(
        "NOTE",
        &note("x"),
        RevisionKind::VOID,
        &[set(field::BODY, text("y"))]
    )));
}

#[test]
fn a_strike_strikes_something_within_the_text() {
    let before = note("abc");
    assert!(write("NOTE", &before, RevisionKind::STRIKE, &strike(0..3)).is_ok());
    let nothing = || WriteError::Rule {
        field: "strikes",
        rule: Rule::NothingStruck,
    };
    assert_eq!(
        write("NOTE", &before, RevisionKind::STRIKE, &strike(1..4)),
        Err(nothing())
    );
    assert_eq!(
        write("NOTE", &before, RevisionKind::STRIKE, &strike(1..1)),
        Err(nothing())
    );
    assert_eq!(
        write("SHIFT", &before, RevisionKind::STRIKE, &strike(0..3)),
        Err(nothing())
    );
    assert!(write("NOTE", &before, RevisionKind::STRIKE, &[]).is_err());
}

#[test]
fn a_strike_needs_reason_and_initials() {
    let without = |wanted: FieldId| {
        let Some((id, FieldOp::Append(Value::Group(members)))) = strike(0..3).pop() else {
            panic!("a strike is appended");
        };
        let kept: Vec<_> = members
            .0
            .into_iter()
            .filter(|(member, _)| *member != wanted)
            .collect();
        vec![(id, FieldOp::Append(Value::Group(kept.into())))]
    };
    for member in [field::REASON, field::INITIALS, field::AT] {
        let result = write("NOTE", &note("abc"), RevisionKind::STRIKE, &without(member));
        assert!(
            matches!(
                result,
                Err(WriteError::Field {
                    problem: Problem::MissingMember { .. },
                    ..
                })
            ),
            "{result:?}"
        );
    }
}

#[test]
fn text_may_be_shortened_under_an_older_strike() {
    let mut before = note("a long text");
    before.apply(&strike(7..11));
    assert!(
        write(
            "NOTE",
            &before,
            RevisionKind::AMEND,
            &[set(field::BODY, text("a"))]
        )
        .is_ok()
    );
}

#[test]
fn each_kind_writes_what_it_is_for() {
    let before = note("abc");
    let supplement = supplement_ops(&remark()).unwrap();
    let annotation = remark_ops(&remark()).unwrap();
    let signing = sign_ops(&before, &signature()).unwrap();
    assert!(write("NOTE", &before, RevisionKind::SUPPLEMENT, &supplement).is_ok());
    assert!(write("NOTE", &before, RevisionKind::ANNOTATE, &annotation).is_ok());
    for (kind, ops) in [
        (RevisionKind::AMEND, &supplement),
        (RevisionKind::AMEND, &annotation),
        (RevisionKind::AMEND, &signing),
        (RevisionKind::AMEND, &strike(0..3)),
        (RevisionKind::SUPPLEMENT, &annotation),
        (RevisionKind::SUPPLEMENT, &vec![set(field::BODY, text("y"))]),
        (RevisionKind::ANNOTATE, &vec![set(field::BODY, text("y"))]),
        (RevisionKind::STATE, &vec![set(field::BODY, text("y"))]),
        (RevisionKind::AMEND, &state_ops(&Lifecycle::Submitted)),
    ] {
        assert!(is_refused(write("NOTE", &before, kind, ops)), "{kind:?}");
    }
    let unknown = write("NOTE", &before, RevisionKind(99), &[set(field::BODY, text("y"))]);
    assert_eq!(unknown, Err(WriteError::UnknownKind { kind: 99 }));
}

#[test]
fn the_lifecycle_moves_one_way() {
    let submit = state_ops(&Lifecycle::Submitted);
    let check = state_ops(&Lifecycle::Checked);
    let mut record = note("x");
    assert!(is_refused(write("NOTE", &record, RevisionKind::STATE, &submit)));
    assert!(write("CONTACT", &contact(), RevisionKind::STATE, &submit).is_ok());
    record = signed("x");
    assert!(write("NOTE", &record, RevisionKind::STATE, &submit).is_ok());
    record.apply(&submit);
    assert!(is_refused(write("NOTE", &record, RevisionKind::STATE, &check)));
    assert!(write_as(&Role::Sgt, "NOTE", &record, RevisionKind::STATE, &check).is_ok());
    assert!(is_refused(write_as(
        &Role::Sgt,
        "NOTE",
        &record,
        RevisionKind::STATE,
        &state_ops(&Lifecycle::Erased)
    )));
    assert!(is_refused(write_as(
        &Role::Sgt,
        "NOTE",
        &record,
        RevisionKind::STATE,
        &state_ops(&Lifecycle::Draft)
    )));
    let restrict = state_ops(&Lifecycle::Restricted);
    assert!(is_refused(write("NOTE", &record, RevisionKind::STATE, &restrict)));
    assert!(write_as(&Role::Insp, "NOTE", &record, RevisionKind::STATE, &restrict).is_ok());
    assert!(is_refused(create("NOTE", &submit)));
}

#[test]
fn a_resolution_chooses_a_state_that_is_there() {
    let before = with_siblings(
        signed("x"),
        field::LIFECYCLE,
        [code("CHECKED"), code("SUBMITTED")],
    );
    assert_eq!(lifecycle(&before), Lifecycle::Checked);
    assert!(
        write(
            "NOTE",
            &before,
            RevisionKind::RESOLVE,
            &state_ops(&Lifecycle::Submitted)
        )
        .is_ok()
    );
    assert!(is_refused(write(
        "NOTE",
        &before,
        RevisionKind::RESOLVE,
        &state_ops(&Lifecycle::Erased)
    )));
}

#[test]
fn a_marking_is_raised_by_anyone_and_lowered_by_a_supervisor() {
    let raise = [set(field::MARKING, code("OFFICIAL_SENSITIVE"))];
    let lower = [set(field::MARKING, code("OFFICIAL"))];
    let mut record = note("x");
    assert!(write("NOTE", &record, RevisionKind::AMEND, &raise).is_ok());
    record.apply(&raise);
    assert!(lowers_marking(&record, &lower));
    assert!(is_refused(write("NOTE", &record, RevisionKind::AMEND, &lower)));
    assert!(write_as(&Role::Sgt, "NOTE", &record, RevisionKind::AMEND, &lower).is_ok());
    assert!(!lowers_marking(&record, &raise));
}

#[test]
fn a_list_is_never_shortened() {
    let clear = [(field::SPEECH, FieldOp::Clear)];
    let result = write("NOTE", &note("x"), RevisionKind::AMEND, &clear);
    assert!(matches!(
        result,
        Err(WriteError::Field {
            problem: Problem::Operation { .. },
            ..
        })
    ));
    let clear = [(field::BEAT, FieldOp::Clear)];
    assert!(write("NOTE", &note("x"), RevisionKind::AMEND, &clear).is_err());
    let clear = [(field::DESCRIPTION_SEEN, FieldOp::Clear)];
    assert!(write("NOTE", &note("x"), RevisionKind::AMEND, &clear).is_ok());
}

#[test]
fn a_signed_entry_is_not_blanked() {
    let amend = |op: FieldOp| {
        write(
            "NOTE",
            &signed("Seen."),
            RevisionKind::AMEND,
            &[(field::BODY, op)],
        )
    };
    assert!(amend(FieldOp::Set(text("Seen twice."))).is_ok());
    assert_eq!(amend(FieldOp::Clear), Err(WriteError::Missing { field: "body" }));
    let blank = WriteError::Rule {
        field: "body",
        rule: Rule::Blank,
    };
    assert_eq!(amend(FieldOp::Set(text(" "))), Err(blank));
    let draft = write(
        "NOTE",
        &note("Seen."),
        RevisionKind::AMEND,
        &[(field::BODY, FieldOp::Clear)],
    );
    assert!(draft.is_ok());
}
