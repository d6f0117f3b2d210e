//! Concurrent versions are both kept, merged only where the family says so, and settled only by a resolution.

use beatbook_core::ledger::{LedgerError, ReadToken};
use beatbook_core::merge::Concurrency;
use beatbook_proto::{RecordId, RevisionKind};

use crate::world::{DeviceIndex, PLACE, SUBJECT, World, set, texts};

#[test]
fn different_fields_of_a_contact_merge_by_themselves() {
    let (mut world, phone, laptop, record) = shared("CONTACT");
    world
        .amend(phone, record, vec![(SUBJECT, set("from the phone"))])
        .unwrap();
    world
        .amend(laptop, record, vec![(PLACE, set("from the laptop"))])
        .unwrap();
    world.heal();
    for device in [phone, laptop] {
        let head = world.head(device, record).unwrap();
        assert_eq!(head.concurrency(), Concurrency::AutoMerged);
        assert_eq!(texts(&head, SUBJECT), ["from the phone"]);
        assert_eq!(texts(&head, PLACE), ["from the laptop"]);
    }
    world.check_healed();
}

#[test]
fn the_same_field_of_a_contact_is_a_conflict_until_resolved() {
    let (mut world, phone, laptop, record) = shared("CONTACT");
    world
        .amend(phone, record, vec![(SUBJECT, set("from the phone"))])
        .unwrap();
    world
        .amend(laptop, record, vec![(SUBJECT, set("from the laptop"))])
        .unwrap();
    world.heal();
    for device in [phone, laptop] {
        let head = world.head(device, record).unwrap();
        assert_eq!(head.concurrency(), Concurrency::Conflict);
        assert_eq!(texts(&head, SUBJECT), ["from the laptop", "from the phone"]);
    }
    let refused = world.amend(phone, record, vec![(PLACE, set("elsewhere"))]);
    assert_eq!(refused, Err(LedgerError::Conflicted(record)));
    world
        .change(
            laptop,
            record,
            RevisionKind::RESOLVE,
            vec![(SUBJECT, set("both had part of it"))],
        )
        .unwrap();
    world.heal();
    for device in [phone, laptop] {
        let head = world.head(device, record).unwrap();
        assert_eq!(head.concurrency(), Concurrency::Clean);
        assert_eq!(texts(&head, SUBJECT), ["both had part of it"]);
        assert_eq!(head.revisions.len(), 4, "what was settled stays readable");
    }
    let again = world.change(
        phone,
        record,
        RevisionKind::RESOLVE,
        vec![(SUBJECT, set("once more"))],
    );
    assert_eq!(again, Err(LedgerError::NoConflict(record)));
    world.check_healed();
}

#[test]
fn a_note_conflicts_even_on_different_fields() {
    let (mut world, phone, laptop, record) = shared("NOTE");
    world
        .amend(phone, record, vec![(SUBJECT, set("from the phone"))])
        .unwrap();
    world
        .amend(laptop, record, vec![(PLACE, set("from the laptop"))])
        .unwrap();
    world.heal();
    let heads = [phone, laptop].map(|device| world.head(device, record).unwrap());
    assert!(
        heads
            .iter()
            .all(|head| head.concurrency() == Concurrency::Conflict)
    );
    let refused = world.amend(laptop, record, vec![(SUBJECT, set("again"))]);
    assert_eq!(refused, Err(LedgerError::Conflicted(record)));
    world.check_healed();
}

#[test]
fn signing_and_supplementing_never_conflict() {
    let (mut world, phone, laptop, record) = shared("NOTE");
    world.change(phone, record, RevisionKind::SIGN, vec![]).unwrap();
    world
        .change(
            laptop,
            record,
            RevisionKind::SUPPLEMENT,
            vec![(PLACE, set("later"))],
        )
        .unwrap();
    world.heal();
    let head = world.head(phone, record).unwrap();
    assert_eq!(head.concurrency(), Concurrency::Clean);
    assert!(head.is_signed());
    world.check_healed();
}

#[test]
fn a_stale_reading_writes_beside_what_it_had_not_read() {
    let (mut world, phone, _, record) = shared("CONTACT");
    let stale = ReadToken::of(&world.head(phone, record).unwrap());
    world.amend(phone, record, vec![(SUBJECT, set("first"))]).unwrap();
    let draft = world.draft(
        "CONTACT",
        RevisionKind::AMEND,
        Some(stale),
        vec![(SUBJECT, set("second"))],
    );
    world.write(phone, draft).unwrap();
    let head = world.head(phone, record).unwrap();
    assert_eq!(texts(&head, SUBJECT), ["first", "second"]);
    assert_eq!(head.concurrency(), Concurrency::Conflict);
    world.heal();
    world.check_healed();
}

#[test]
fn a_third_amendment_from_before_the_conflict_is_kept_too() {
    let (mut world, phone, laptop, record) = shared("CONTACT");
    let stale = ReadToken::of(&world.head(laptop, record).unwrap());
    world.amend(phone, record, vec![(SUBJECT, set("one"))]).unwrap();
    world.amend(laptop, record, vec![(SUBJECT, set("two"))]).unwrap();
    world.heal();
    world
        .change(
            phone,
            record,
            RevisionKind::RESOLVE,
            vec![(SUBJECT, set("settled"))],
        )
        .unwrap();
    let draft = world.draft(
        "CONTACT",
        RevisionKind::AMEND,
        Some(stale),
        vec![(SUBJECT, set("three"))],
    );
    world.write(laptop, draft).unwrap();
    world.heal();
    let head = world.head(phone, record).unwrap();
    assert_eq!(texts(&head, SUBJECT), ["settled", "three"]);
    world.check_healed();
}

/// Two devices of one officer that both show one record.
fn shared(family: &str) -> (World, DeviceIndex, DeviceIndex, RecordId) {
    let mut world = World::new(7);
    let ann = world.officer("PCSO", &["52/C02"]);
    let (phone, laptop) = (world.device(ann), world.device(ann));
    let record = world.found(phone, family, "52/C02", "at first");
    world.sync(phone);
    world.sync(laptop);
    (world, phone, laptop, record)
}
