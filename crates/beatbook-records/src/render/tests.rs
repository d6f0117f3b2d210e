//! A golden page: struck, amended, supplemented, signed, remarked on, and in conflict.

use beatbook_proto::{ClockSource, OfficerId, Text};

use super::*;
use crate::build::{
    Author, Note, Remark, Setting, Signature, Speech, Strike, remark_ops, sign_ops, strike_ops,
    supplement_ops,
};
use crate::vocabulary::{NoteKind, Role};

fn at(minutes: i64) -> Instant {
    Instant {
        utc_ms: 1_793_970_000_000 + minutes * 60_000,
        offset_min: 0,
    }
}

fn stamp(minutes: i64) -> Stamp {
    Stamp {
        utc_ms: at(minutes).utc_ms,
        offset_min: 0,
        source: ClockSource::NETWORK,
        uncertainty_ms: 200,
    }
}

fn change<'a>(
    reference: &'a str,
    kind: RevisionKind,
    minutes: i64,
    reason: Option<&'a str>,
    ops: &'a [Op],
) -> Change<'a> {
    Change {
        reference,
        by: "JS",
        kind,
        recorded_at: stamp(minutes),
        reason,
        ops,
    }
}

fn note_ops() -> Vec<Op> {
    let mut note = Note::new(
        Setting::at("52/C02", at(0)),
        NoteKind::Conversation,
        "Spoke at No 7, High Street.\nBlue door.",
    );
    note.speech.push(Speech {
        speaker_label: "Male 1".into(),
        words: "I never.".into(),
        at: Some(at(2)),
    });
    note.description_seen = Some("red coat".into());
    note.ops().unwrap()
}

/// Every kind of change, one after the other.
fn scenario() -> Vec<(RevisionKind, i64, Option<&'static str>, Vec<Op>)> {
    let remark = |words: &str, minutes| Remark {
        words: words.into(),
        at: at(minutes),
        by: None,
        initials: None,
    };
    let text = |text: &str| FieldOp::Set(Value::Text(Text::new(text).unwrap()));
    let strike =
        Strike::of_words("Spoke at No 7, High Street.", "No 7", "wrong house", "JS", at(20)).unwrap();
    let later = Strike::of_words(
        "Spoke at No 9, High Street.\nBlue door.",
        "Blue door.",
        "not seen",
        "JS",
        at(37),
    )
    .unwrap();
    let mut note = MergedFields::new();
    note.apply(&note_ops());
    let signature = Signature {
        at: at(60),
        initials: "JS".into(),
        collar: Some("9123".into()),
        role: Some(Role::Pcso),
    };
    vec![
        (RevisionKind::CREATE, 3, None, note_ops()),
        (
            RevisionKind::STRIKE,
            20,
            Some("wrong house"),
            strike_ops(&[strike]).unwrap(),
        ),
        (
            RevisionKind::AMEND,
            30,
            Some("colour"),
            vec![(field::DESCRIPTION_SEEN, text("blue coat"))],
        ),
        (
            RevisionKind::AMEND,
            35,
            Some("house number"),
            vec![(field::BODY, text("Spoke at No 9, High Street.\nBlue door."))],
        ),
        (
            RevisionKind::STRIKE,
            37,
            Some("not seen"),
            strike_ops(&[later]).unwrap(),
        ),
        (
            RevisionKind::SUPPLEMENT,
            40,
            None,
            supplement_ops(&remark("He had a dog.", 40)).unwrap(),
        ),
        (RevisionKind::SIGN, 60, None, sign_ops(&note, &signature).unwrap()),
        (
            RevisionKind::ANNOTATE,
            90,
            None,
            remark_ops(&remark("Good detail.", 90)).unwrap(),
        ),
    ]
}

fn page(up_to: Sensitivity) -> String {
    let scenario = scenario();
    let references: Vec<String> = (118..)
        .map(|number| format!("B07/{number}"))
        .take(scenario.len())
        .collect();
    let changes: Vec<Change<'_>> = scenario
        .iter()
        .zip(&references)
        .map(|((kind, minutes, reason, ops), reference)| change(reference, *kind, *minutes, *reason, ops))
        .collect();
    let mut merged = MergedFields::new();
    for change in &changes {
        merged.apply(change.ops);
    }
    let mut seen = merged.field(field::DESCRIPTION_SEEN).unwrap().clone();
    seen.register.push(Value::Text(Text::new("green coat").unwrap()));
    merged.insert(field::DESCRIPTION_SEEN, seen);
    render(&Page {
        reference: "B07/118",
        family: "NOTE",
        merged: &merged,
        changes: &changes,
        up_to,
    })
}

#[test]
fn a_page_shows_all_that_was_ever_written() {
    assert_eq!(page(Sensitivity::Personal), GOLDEN);
}

#[test]
fn a_page_for_a_lower_class_says_nothing_personal() {
    let page = page(Sensitivity::Ordinary);
    for text in ["High Street", "coat", "never", "dog", "Good detail"] {
        assert!(!page.contains(text), "{text}\n{page}");
    }
}

#[test]
fn marks_overlap_without_losing_a_character() {
    let mark = |range, initials| Mark {
        range,
        initials,
        reason: "r",
        at: None,
    };
    let marks = [mark(0..3, "A"), mark(2..5, "B"), mark(8..99, "C")];
    let marked = with_marks("0123456789", &marks);
    assert_eq!(marked, "~~012 [A: r] 34~~ [B: r]567~~89~~ [C: r]");
    assert_eq!(with_marks("abc", &[]), "abc");
}

#[test]
fn a_page_leaves_out_what_goes_without_saying_and_nothing_more() {
    let author = |collar: &str| Author {
        officer: OfficerId::from_bytes([9; 16]),
        collar: Some(collar.into()),
        force: Some("52".into()),
        role: Some(Role::Pcso),
    };
    let written_by = |collar: &str, made_later: Option<&str>| {
        let mut setting = Setting::at("52/C02", at(0));
        setting.author = Some(author(collar));
        let mut note = Note::new(setting, NoteKind::Conversation, "Spoke.");
        note.made_later = made_later.map(Into::into);
        let ops = note.ops().unwrap();
        let mut merged = MergedFields::new();
        merged.apply(&ops);
        render(&Page {
            reference: "B07/118",
            family: "NOTE",
            merged: &merged,
            changes: &[change("B07/118", RevisionKind::CREATE, 3, None, &ops)],
            up_to: Sensitivity::Personal,
        })
    };
    // The heading says `by JS` in these tests.
    let plain = written_by("JS", None);
    assert!(!plain.contains("author"), "{plain}");
    assert!(!plain.contains("made_contemporaneously"), "{plain}");
    let told = written_by("9123", Some("no light"));
    assert!(told.contains("author: 52/9123 PCSO\n"), "{told}");
    assert!(
        told.contains("made_contemporaneously: reason no light; made no\n"),
        "{told}"
    );
}

const GOLDEN: &str = "\
B07/118  NOTE  CONVERSATION  52/C02  OFFICIAL  SIGNED
Fri 6 Nov 2026 13:00-

Recorded Fri 6 Nov 2026 13:03 by JS (B07/118)
Spoke at No 7, High Street.
Blue door.
13:02 Male 1: \"I never.\"
description_seen: red coat

Struck Fri 6 Nov 2026 13:20 by JS (B07/119): wrong house
body: Spoke at ~~No 7~~ [JS 13:20: wrong house], High Street.
Blue door.

Amended Fri 6 Nov 2026 13:30 by JS (B07/120): colour
description_seen: ~~red coat~~ blue coat

Amended Fri 6 Nov 2026 13:35 by JS (B07/121): house number
~~Spoke at No 7, High Street.~~
~~Blue door.~~
Spoke at No 9, High Street.
Blue door.

Struck Fri 6 Nov 2026 13:37 by JS (B07/122): not seen
body: Spoke at No 9, High Street.
~~Blue door.~~ [JS 13:37: not seen]

Supplement Fri 6 Nov 2026 13:40 by JS (B07/123)
He had a dog.

Signed Fri 6 Nov 2026 14:00 by JS (B07/124)
JS 9123 PCSO Fri 6 Nov 2026 14:00

Remark Fri 6 Nov 2026 14:30 by JS (B07/125)
Good detail.

TWO VERSIONS of description_seen exist: resolve first
  1: blue coat
  2: green coat
";
