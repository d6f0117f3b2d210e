//! Property: concurrent changes to different fields merge, to one field stand side by side until a person settles
//! them, and concurrent changes to a note always wait for a person; nothing said is lost.
//! Method: a phone and a laptop of one officer change one record with no coverage between the changes.

use beatbook_tests::{Canaries, Device, Force, records_with};

struct Pair {
    phone: Device,
    laptop: Device,
    desk: Device,
    canaries: Canaries,
    _force: Force,
}

impl Pair {
    fn new() -> Self {
        let force = Force::staffed();
        Self {
            phone: force.enrol("phone", "9123"),
            laptop: force.enrol("laptop", "9123"),
            desk: force.enrol("desk", "214"),
            canaries: Canaries::new(),
            _force: force,
        }
    }

    /// A contact that both devices hold; returns its word.
    fn contact(&mut self) -> String {
        let word = self.canaries.word();
        let set = format!("operation={word}");
        self.phone
            .run(&["contact", "--strand", "CONSULT", "--beat", "C02", "--set", &set])
            .done();
        self.share();
        word
    }

    /// Everything everywhere.
    fn share(&self) {
        for device in [&self.phone, &self.laptop, &self.phone, &self.desk] {
            device.sync();
        }
    }

    /// Amends the record with `word` on one device.
    fn amend(&self, device: &Device, word: &str, assignment: &str) {
        let record = device.reference(word);
        device
            .run(&["amend", &record, "--set", assignment, "--reason", "seen again"])
            .done();
    }
}

#[test]
fn different_fields_merge_by_themselves() {
    let mut pair = Pair::new();
    let word = pair.contact();
    let [left, right] = [pair.canaries.word(), pair.canaries.word()];
    pair.amend(&pair.phone, &word, &format!("handling={left}"));
    pair.amend(&pair.laptop, &word, &format!("incident_ref={right}"));
    pair.share();
    for device in [&pair.phone, &pair.laptop, &pair.desk] {
        let record = device.show(&device.reference(&word));
        for said in [&word, &left, &right] {
            assert!(
                record.contains(said.as_str()),
                "\"{said}\" is missing from {record}"
            );
        }
        assert!(device.conflicts().is_empty(), "nothing waits for a person");
    }
}

#[test]
fn one_field_twice_waits_for_a_person_and_is_settled() {
    let mut pair = Pair::new();
    let word = pair.contact();
    let [left, right] = [pair.canaries.word(), pair.canaries.word()];
    pair.amend(&pair.phone, &word, &format!("incident_ref={left}"));
    pair.amend(&pair.laptop, &word, &format!("incident_ref={right}"));
    pair.share();
    for device in [&pair.phone, &pair.laptop, &pair.desk] {
        assert_eq!(
            records_with(&device.conflicts(), &word).len(),
            1,
            "one conflict everywhere"
        );
        let record = device.show(&device.reference(&word));
        assert!(
            record.contains(&left) && record.contains(&right),
            "both stand: {record}"
        );
        assert_eq!(
            device.run(&["status"]).code,
            Some(3),
            "something waits for a person"
        );
    }

    let reference = pair.laptop.reference(&word);
    let refused = pair
        .laptop
        .run(&[
            "amend",
            &reference,
            "--set",
            "incident_ref=X1",
            "--reason",
            "a third",
        ])
        .exits(1);
    refused.complains("two versions").complains("resolve");
    assert!(
        !pair.laptop.show(&reference).contains("X1"),
        "a refused change leaves nothing"
    );

    pair.laptop
        .run(&[
            "resolve",
            &reference,
            "--keep",
            "1",
            "--reason",
            "checked at the desk",
        ])
        .done();
    pair.share();
    for device in [&pair.phone, &pair.laptop, &pair.desk] {
        assert!(device.conflicts().is_empty(), "it is settled everywhere");
        assert_eq!(device.run(&["status"]).code, Some(0));
        let record = device.show(&device.reference(&word));
        assert!(
            record.contains(&left) && record.contains(&right),
            "what was settled stays readable: {record}"
        );
    }
    assert_says_one(&pair.desk, &word, [&left, &right]);
}

#[test]
fn a_note_never_merges_silently() {
    let mut pair = Pair::new();
    let word = pair.canaries.word();
    pair.phone.note(&word);
    pair.share();
    let [left, right] = [pair.canaries.word(), pair.canaries.word()];
    pair.amend(&pair.phone, &word, &format!("description_seen={left}"));
    pair.amend(&pair.laptop, &word, &format!("officer_assessment={right}"));
    pair.share();
    let conflicts = pair.desk.conflicts();
    assert_eq!(
        records_with(&conflicts, &word).len(),
        1,
        "shown as a conflict on different fields too"
    );
    let record = pair.desk.show(&pair.desk.reference(&word));
    assert!(
        record.contains(&left) && record.contains(&right),
        "both stand: {record}"
    );
}

/// The merged log says exactly one of the two.
fn assert_says_one(desk: &Device, word: &str, [left, right]: [&str; 2]) {
    let log = desk.pull();
    let merged = records_with(&log, word);
    assert_eq!(merged.len(), 1);
    let shown = merged[0].to_string();
    assert!(
        shown.contains(left) != shown.contains(right),
        "not one of two: {shown}"
    );
}
