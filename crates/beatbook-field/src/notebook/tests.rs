//! A notebook on a real store, with no server: writing, reading, the notebook's law, and what may go wrong on a device.

use std::fs;
use std::path::Path;

use beatbook_proto::{FieldOp, RevisionKind, Text, Value};
use beatbook_records::build::{DutyState, Interval, PersonRef, Segment, Setting, Shift};
use beatbook_records::field;
use beatbook_records::vocabulary::{DutyStateWord, Lifecycle, PatrolMode};

use crate::fixtures::{BEAT, Device, unlock, within};
use crate::{
    Concurrency, Coverage, Event, LedgerError, NewBook, Notebook, OpenError, Query, ReadError, Safety,
    StoreOpenError, Unlock, Update, WriteError,
};

fn body(text: &str) -> Vec<(beatbook_proto::FieldId, FieldOp)> {
    vec![(field::BODY, FieldOp::Set(Value::Text(Text::new(text).unwrap())))]
}

#[test]
fn what_was_written_is_there_after_reopening_and_is_found() {
    let mut device = Device::alone();
    let note = device.note("Two lads by the bus stop, one on a blue bicycle.");
    let contact = device.contact("Worried about parking by the school.");
    assert!(
        note.reference.starts_with("new-") && note.reference.ends_with("/2"),
        "{note:?}"
    );
    device.close();

    let book = device.open();
    let page = book.list(&Query::all().earliest_first()).unwrap();
    let ids: Vec<_> = page.records.iter().map(|record| record.id).collect();
    assert_eq!(ids, [note.record, contact.record]);
    let found = |query: Query| -> Vec<_> {
        book.list(&query)
            .unwrap()
            .records
            .iter()
            .map(|record| record.id)
            .collect()
    };
    assert_eq!(found(Query::all().text("BICYC bus")), [note.record]);
    assert_eq!(found(Query::all().family("CONTACT")), [contact.record]);
    assert_eq!(found(Query::beat("52/C03")), []);
    assert_eq!(found(Query::beat(BEAT)).len(), 2);
    assert_eq!(found(Query::all().collar("9123")).len(), 2);
    assert_eq!(found(Query::all().collar("9124")), []);
    assert_eq!(found(Query::all().until(0)), []);
    assert_eq!(found(Query::all().drafts()).len(), 2);
    assert_eq!(book.search("parking").unwrap().records.len(), 1);
    assert_eq!(book.find(&note.reference).unwrap(), note.record);
    let status = book.status().unwrap();
    assert_eq!((status.written, status.pending, status.records), (4, 4, 2));
    assert_eq!((status.proved, status.last_receipt_ms), (None, None));
    assert_eq!(status.coverage, Coverage::Offline);
}

#[test]
fn a_list_is_read_page_by_page() {
    let device = Device::alone();
    let written: Vec<_> = (0..7)
        .map(|n| device.note(&format!("entry {n}")).record)
        .collect();
    let mut query = Query::all().limit(3).earliest_first();
    let mut seen = Vec::new();
    loop {
        let page = device.book().list(&query).unwrap();
        assert!(page.records.len() <= 3);
        seen.extend(page.records.iter().map(|record| record.id));
        match page.next {
            Some(place) => query = query.after(place),
            None => break,
        }
    }
    assert_eq!(seen, written);
    let latest = device.book().list(&Query::all().limit(1)).unwrap();
    assert_eq!(latest.records[0].id, written[6]);
}

#[test]
fn an_amendment_needs_a_reason_and_keeps_what_was_there() {
    let device = Device::alone();
    let note = device.note("Seen at number 14.");
    let seen = device.read(&note);
    let refused = device
        .book()
        .amend(&seen.token, " ", body("Seen at number 16."))
        .unwrap_err();
    assert!(
        matches!(refused, WriteError::Check(beatbook_records::WriteError::NoReason)),
        "{refused}"
    );
    device
        .book()
        .amend(&seen.token, "wrong house number", body("Seen at number 16."))
        .unwrap();

    let read = device.read(&note);
    assert_eq!(read.record.fields.text(field::BODY), Some("Seen at number 16."));
    assert_eq!(read.history.len(), 2);
    assert_eq!(read.history[1].reason.as_deref(), Some("wrong house number"));
    assert_eq!(
        read.history[0].ops.iter().find(|(id, _)| *id == field::BODY),
        body("Seen at number 14.").first()
    );
    assert_eq!(device.book().search("16").unwrap().records.len(), 1);
    assert_eq!(device.book().search("14").unwrap().records.len(), 0);
}

#[test]
fn an_amendment_from_a_stale_reading_is_a_conflict_until_it_is_resolved() {
    let device = Device::alone();
    let note = device.note("One.");
    let stale = device.read(&note);
    let mut events = device.book().events();
    device.book().amend(&stale.token, "first", body("Two.")).unwrap();
    device
        .book()
        .amend(&stale.token, "second", body("Three."))
        .unwrap();

    let read = device.read(&note);
    assert_eq!(read.record.concurrency, Concurrency::Conflict);
    assert_eq!(read.versions[0].values.len(), 2);
    assert_eq!(read.tips.len(), 2);
    assert_eq!(device.book().status().unwrap().conflicts, 1);
    assert_eq!(
        device
            .book()
            .list(&Query::all().conflicts())
            .unwrap()
            .records
            .len(),
        1
    );
    let mut told = std::iter::from_fn(|| events.try_recv().ok());
    assert!(told.any(|event| matches!(event, Event::Conflict(record) if record == note.record)));

    let refused = device
        .book()
        .amend(&read.token, "a third", body("Four."))
        .unwrap_err();
    assert!(
        matches!(
            refused,
            WriteError::Check(beatbook_records::WriteError::Conflict { .. })
        ),
        "{refused}"
    );
    device
        .book()
        .resolve(&read.token, "the second is right", body("Three."))
        .unwrap();
    let settled = device.read(&note);
    assert_eq!(settled.record.concurrency, Concurrency::Clean);
    assert_eq!(settled.history.len(), 4);
    assert_eq!(settled.history[3].settles.len(), 2);
    assert_eq!(device.book().status().unwrap().conflicts, 0);
    let again = device
        .book()
        .resolve(&settled.token, "nothing left", body("Three."))
        .unwrap_err();
    assert!(
        matches!(again, WriteError::Ledger(LedgerError::NoConflict(_))),
        "{again}"
    );
}

#[test]
fn the_law_of_the_notebook_holds() {
    let device = Device::alone();
    let book = device.book();
    let note = device.note("A man of about forty in a red coat.");
    let signed = book.sign(&device.read(&note).token).unwrap();
    let read = device.read(&note);
    assert_eq!(read.record.lifecycle, Lifecycle::Signed);
    assert!(
        read.record.signed && read.history.iter().all(|entry| entry.sealed),
        "sealed at once"
    );
    let refused = book.void(&read.token, "changed my mind").unwrap_err();
    assert!(matches!(refused, WriteError::Check(_)), "{refused}");

    book.strike_words(&read.token, "wrong colour", "red").unwrap();
    let missing = book
        .strike_words(&device.read(&note).token, "x", "green")
        .unwrap_err();
    assert!(missing.to_string().contains("body"), "{missing}");
    book.supplement(&device.read(&note).token, "The coat was brown.")
        .unwrap();
    book.annotate(&device.read(&note).token, "See also the shop's camera.")
        .unwrap();
    let read = device.read(&note);
    assert_eq!(
        read.record.fields.text(field::BODY),
        Some("A man of about forty in a red coat.")
    );
    let kinds: Vec<_> = read.history.iter().map(|entry| entry.kind).collect();
    let expected = [
        RevisionKind::CREATE,
        RevisionKind::SIGN,
        RevisionKind::STRIKE,
        RevisionKind::SUPPLEMENT,
        RevisionKind::ANNOTATE,
    ];
    assert_eq!(kinds, expected);
    let strikes = read.record.fields.list(field::STRIKES);
    assert_eq!(
        beatbook_records::member_text(&strikes[0], field::INITIALS),
        Some("SE")
    );

    let draft = device.note("Never mind.");
    book.void(&device.read(&draft).token, "begun twice").unwrap();
    assert_eq!(device.read(&draft).record.lifecycle, Lifecycle::Void);
    let numbers = [note.dot.counter, signed.dot.counter, draft.dot.counter];
    assert_eq!(numbers, [2, 3, 7], "numbers without gaps, the void one kept");
    assert_eq!(book.list(&Query::all()).unwrap().records.len(), 1);
    let checked = book.check().unwrap();
    assert_eq!(
        (checked.problems.len(), checked.records, checked.entries),
        (0, 2, 9)
    );
    assert!(checked.seals > 0);
}

#[test]
fn a_patrol_is_written_as_it_goes() {
    let device = Device::alone();
    let (book, patrol) = (device.book(), device.book().patrol());
    let setting = || Setting::at(BEAT, book.now());
    let shift = patrol
        .book_on(Shift {
            setting: setting(),
            ..Shift::default()
        })
        .unwrap();
    let state = DutyState::since(DutyStateWord::VisiblePatrol, book.now());
    patrol.duty_state(&device.read(&shift).token, &state).unwrap();
    let segment = patrol.start(Segment::new(setting(), PatrolMode::Foot)).unwrap();
    let walked = Interval::between(book.now(), book.now());
    patrol
        .end(&device.read(&segment).token, walked, Some("Quiet.".into()))
        .unwrap();
    patrol.book_off(&device.read(&shift).token, walked).unwrap();
    assert_eq!(
        device.read(&shift).record.fields.list(field::DUTY_STATES).len(),
        1
    );
    assert_eq!(
        device.read(&segment).record.fields.text(field::SUMMARY),
        Some("Quiet.")
    );
}

#[test]
fn a_refusal_names_the_field_and_writes_nothing() {
    let device = Device::alone();
    let contact = beatbook_records::build::Contact::at(Setting::at("not a beat", device.book().now()));
    let refused = device.book().contacts().record(contact).unwrap_err();
    assert!(refused.to_string().contains("beat"), "{refused}");
    assert_eq!(device.book().status().unwrap().written, 2);
    let nobody = device.book().read(beatbook_proto::Dot {
        replica: beatbook_proto::ReplicaId::from_bytes([9; 16]),
        counter: 1,
    });
    assert!(matches!(nobody, Err(ReadError::NoSuchRecord(_))));
}

#[test]
fn a_person_is_found_by_name() {
    let device = Device::alone();
    let mut note = beatbook_records::build::Note::new(
        Setting::at(BEAT, device.book().now()),
        beatbook_records::vocabulary::NoteKind::Conversation,
        "Spoke by the gate.",
    );
    note.persons.push(PersonRef {
        given_name: Some("Alex".into()),
        family_name: Some("Sample".into()),
        ..PersonRef::default()
    });
    let written = device.book().notes().write(note).unwrap();
    let found = device.book().list(&Query::all().person("samp alex")).unwrap();
    assert_eq!(found.records[0].id, written.record);
    assert_eq!(
        device
            .book()
            .list(&Query::all().person("gate"))
            .unwrap()
            .records
            .len(),
        0
    );
}

#[test]
fn a_full_disk_is_said_and_writing_goes_on_afterwards() {
    let device = Device::alone();
    device.disk.set_full(true);
    let setting = Setting::at(BEAT, device.book().now());
    let contact = beatbook_records::build::Contact::at(setting);
    let refused = device.book().contacts().record(contact).unwrap_err();
    assert_eq!(refused, WriteError::DiskFull);
    device.disk.set_full(false);
    let note = device.note("Room again.");
    assert_eq!(note.dot.counter, 2, "no number was lost");
}

#[test]
fn writing_goes_on_while_the_lease_lasts() {
    let device = Device::alone();
    device.note("one");
    device.disk.set_anchor_stuck(true);
    let mut written = 0;
    let refused = loop {
        let setting = Setting::at(BEAT, device.book().now());
        match device
            .book()
            .contacts()
            .record(beatbook_records::build::Contact::at(setting))
        {
            Ok(_) => written += 1,
            Err(refused) => break refused,
        }
        assert!(written < 1_000, "the lease never ends");
    };
    assert!(written >= 128, "only {written}");
    assert!(matches!(refused, WriteError::LeaseSpent { .. }), "{refused}");
    let before = device.book().status().unwrap().written;
    device.disk.set_anchor_stuck(false);
    device.note("The anchor is back.");
    assert_eq!(device.book().status().unwrap().written, before + 1);
}

#[test]
fn an_older_copy_of_the_store_opens_a_new_book() {
    let mut device = Device::alone();
    let old = device.note("Before the copy.");
    device.close();
    let copy = device.folder.path().join("copy");
    copy_folder(&device.path(), &copy);
    device.open();
    device.note("After the copy.");
    device.close();
    fs::remove_dir_all(device.path()).unwrap();
    fs::rename(&copy, device.path()).unwrap();

    let book = device.open();
    let status = book.status().unwrap();
    assert_eq!(status.new_book, Some(NewBook::OlderCopy));
    assert_eq!(status.books.iter().filter(|book| book.open).count(), 2);
    assert_eq!(status.books.len(), 4);
    assert_eq!(
        book.read(old.record).unwrap().record.fields.text(field::BODY),
        Some("Before the copy.")
    );
    let new = device.note("In the new book.");
    assert_ne!(new.dot.replica, old.dot.replica);
    device.close();
    assert_eq!(device.open().status().unwrap().new_book, None, "told once");
}

#[test]
fn a_lost_anchor_opens_a_new_book() {
    let mut device = Device::alone();
    let old = device.note("one");
    device.close();
    fs::remove_file(device.folder.path().join("store.anchor")).unwrap();
    assert_eq!(
        device.open().status().unwrap().new_book,
        Some(NewBook::AnchorMissing)
    );
    assert_ne!(device.note("two").dot.replica, old.dot.replica);
}

#[test]
fn a_store_opens_once_and_with_its_key_only() {
    let mut device = Device::alone();
    let second = Notebook::open(device.path(), &unlock(), device.options()).unwrap_err();
    assert!(
        matches!(second, OpenError::Open(StoreOpenError::Locked { .. })),
        "{second}"
    );
    let book = device.book().clone();
    device.close();
    let shut = book.notes().write(beatbook_records::build::Note::new(
        Setting::at(BEAT, book.now()),
        beatbook_records::vocabulary::NoteKind::Other,
        "late",
    ));
    assert!(matches!(shut, Err(WriteError::Store(_))), "{shut:?}");
    drop(book);
    let wrong = Notebook::open(device.path(), &Unlock::keystore([8; 32]), device.options()).unwrap_err();
    assert!(
        matches!(wrong, OpenError::Open(StoreOpenError::WrongPin)),
        "{wrong}"
    );
    device
        .open()
        .change_pin(&unlock(), &Unlock::keystore([9; 32]))
        .unwrap();
    device.close();
    assert!(Notebook::open(device.path(), &unlock(), device.options()).is_err());
    let book = Notebook::open(device.path(), &Unlock::keystore([9; 32]), device.options()).unwrap();
    assert!(book.verify().unwrap().values > 0 && book.size().rows > 0);
}

#[tokio::test]
async fn a_subscription_shows_what_fulfils_its_query() {
    let device = Device::alone();
    let mut changes = device.book().subscribe(Query::all().family("NOTE"));
    let contact = device.contact("not asked for");
    let note = device.note("asked for");
    assert_eq!(within(changes.next()).await, Some(Update::Gone(contact.record)));
    match within(changes.next()).await {
        Some(Update::Changed(record)) => {
            assert_eq!((record.id, record.safety), (note.record, Safety::Pending));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_of_a_record_is_shown_by_debug() {
    let device = Device::alone();
    let note = device.note("Alex Sample of Example Street");
    let shown = format!("{:?} {:?}", device.read(&note), device.book());
    assert!(!shown.contains("Sample") && !shown.contains("Street"), "{shown}");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
