//! The register: who is who, and what a posting grants at which time.

use beatbook_proto::Scope;

use super::*;
use crate::tests::force;

fn scopes_at(store: &ServerStore, collar: &str, at_ms: i64) -> Vec<String> {
    store.read(|read| {
        let officer = officer_named(read, collar).unwrap();
        let scopes = register::scopes_granted(read, &officer, at_ms).unwrap();
        scopes
            .iter()
            .filter_map(|scope| match scope {
                Scope::Beat { beat, class } => Some(format!("{}:{class}", beat.as_str())),
                _ => None,
            })
            .collect()
    })
}

#[test]
fn a_posting_grants_its_beats_from_its_first_moment_up_to_its_last() {
    let (_folder, store) = force();
    let (from, until) = (4_000_000_000_000, 4_000_000_100_000);
    store
        .post_officer("7001", &["C02".to_owned()], Some(from), Some(until))
        .unwrap();
    assert_eq!(scopes_at(&store, "7001", from - 1), ["52/C03:0"]);
    assert_eq!(scopes_at(&store, "7001", from), ["52/C02:0", "52/C03:0"]);
    assert_eq!(scopes_at(&store, "7001", until - 1), ["52/C02:0", "52/C03:0"]);
    assert_eq!(scopes_at(&store, "7001", until), ["52/C03:0"]);
    // The sensitive class is for supervisors.
    assert_eq!(scopes_at(&store, "214", from), ["52/C02:0", "52/C02:1"]);
    assert_eq!(scopes_at(&store, "9123", 0), [] as [String; 0]);
}

#[test]
fn nothing_in_the_register_is_written_over() {
    let (_folder, store) = force();
    let same = NewOfficer::new("9123", "Somebody Else", "PC");
    assert!(matches!(
        store.add_officer(&same),
        Err(AdminError::CollarTaken(_))
    ));
    let from = Some(4_000_000_000_000);
    let beats = ["C02".to_owned()];
    store.post_officer("7001", &beats, from, None).unwrap();
    store.post_officer("7001", &beats, from, None).unwrap();
    let other = store.post_officer("7001", &["C03".to_owned()], from, None);
    assert!(matches!(other, Err(AdminError::PostingTaken(_))));
    let again = store
        .import_beats(&[NewBeat::new("52/C02", "Stokes Croft", "Ashley")])
        .unwrap();
    assert_eq!((again.added, again.changed, again.unchanged), (0, 0, 1));
}

#[test]
fn what_is_typed_wrongly_is_refused_and_named() {
    let (_folder, store) = force();
    let add = |collar, name, role| store.add_officer(&NewOfficer::new(collar, name, role));
    assert!(matches!(
        add("not a collar", "A", "PC"),
        Err(AdminError::Collar(_))
    ));
    assert!(matches!(add("1", " ", "PC"), Err(AdminError::Name)));
    assert!(matches!(add("1", "A\nB", "PC"), Err(AdminError::Name)));
    assert!(matches!(add("1", "A", "commissioner"), Err(AdminError::Role(_))));
    for (name, word) in [
        ("pcso", "PCSO"),
        ("Sergeant", "SGT"),
        ("CHIEF INSPECTOR", "CINSP"),
    ] {
        assert_eq!(role_named(name).unwrap().as_str(), word);
    }
    let post = |collar: &str, beats: &[&str], from, until| {
        let beats: Vec<String> = beats.iter().map(|beat| (*beat).to_owned()).collect();
        store.post_officer(collar, &beats, from, until)
    };
    assert!(matches!(
        post("9123", &["C99"], None, None),
        Err(AdminError::NoSuchBeat(_))
    ));
    assert!(matches!(
        post("9123", &["??"], None, None),
        Err(AdminError::Beat(_))
    ));
    assert!(matches!(post("9123", &[], None, None), Err(AdminError::NoBeats)));
    assert!(matches!(
        post("9123", &["C02"], Some(2), Some(1)),
        Err(AdminError::EndsBefore)
    ));
    assert!(matches!(
        post("404", &["C02"], None, None),
        Err(AdminError::NoSuchOfficer(_))
    ));
    // A refused posting leaves no officer behind.
    let added = store.add_officer(&NewOfficer::new("8", "A", "PC").on_beats(["C99"]));
    assert!(matches!(added, Err(AdminError::NoSuchBeat(_))));
    assert!(store.officers().unwrap().iter().all(|row| row.collar != "8"));
}

#[test]
fn a_device_is_revoked_by_the_beginning_of_its_id() {
    let (_folder, store) = force();
    let address = "127.0.0.1:4433".parse().unwrap();
    let issued = store.issue_device("9123", "Sam's phone", &address, None).unwrap();
    let id = issued.enrolment.to_string();
    assert!(matches!(
        store.revoke_device("zzzz"),
        Err(AdminError::NoSuchDevice(_))
    ));
    assert!(matches!(
        store.revoke_device(&id[..3]),
        Err(AdminError::NoSuchDevice(_))
    ));
    assert!(matches!(
        store.revoke_device(""),
        Err(AdminError::NoSuchDevice(_))
    ));
    let row = store.revoke_device(&id[..8].to_uppercase()).unwrap();
    assert_eq!(
        (row.state, row.collar.as_str(), row.label.as_str()),
        ("revoked", "9123", "Sam's phone")
    );
    let again = store.revoke_device(&id).unwrap();
    assert_eq!(again.revoked_at_ms, row.revoked_at_ms);
}
