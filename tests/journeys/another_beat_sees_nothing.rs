//! Property: a device never receives an entry of a beat that its officer is not posted to.
//! Method: PCSO 7001 is on C03; after C02 has filled, every way of asking is tried, and the bytes of the store searched.

use beatbook_tests::{Canaries, Force, assert_each_once, assert_none};

#[test]
fn nothing_of_this_beat_reaches_a_device_of_another() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let other = force.enrol("other", "7001");
    let colleague = force.enrol("colleague", "8841");
    let words = canaries.words(5);
    for word in &words {
        phone.note(word);
    }
    phone.sync();
    let own = canaries.word();
    other.run(&["note", &own, "--beat", "C03"]).done();

    assert_each_once(&colleague.pull(), &words);
    let pulled = other.pull();
    assert_each_once(&pulled, [&own]);
    assert_none(&pulled, &words);
    assert_none(&other.list(), &words);
    for word in &words {
        let found = other.run(&["search", word, "--json"]);
        assert_eq!(found.stdout, "", "a search finds it: {found:?}");
    }
    let asked = other.run(&["pull", "--beat", "C02", "--format", "jsonl"]);
    assert!(
        !words.iter().any(|word| asked.stdout.contains(word)),
        "asking for it gets it: {asked:?}"
    );
    assert_none(&phone.pull(), [&own]);

    // The stores are sealed, so the search of bytes shows only that nothing lies about in the clear.
    let hits = canaries.files_with_hits(&[other.folder(), colleague.folder()]);
    assert!(hits.is_empty(), "words in the clear: {hits:?}");
}
