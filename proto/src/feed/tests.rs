//! Keys of scopes and the feed hash.

use super::*;
use crate::ids::ReplicaId;

// Invariant: no key of a scope begins another's, so a scan behind one never reads a second (R-FEED-3).
#[test]
fn no_key_of_a_scope_begins_another() {
    let mut scopes = vec![Scope::Own, Scope::Reference];
    for beat in ["5", "52", "52/C0", "52/C02", "52/C021", "!", "~"] {
        for class in [0, 1, 2, b'5'] {
            let beat = Code::new(beat).expect("a word");
            scopes.push(Scope::Beat { beat, class });
        }
    }
    for one in &scopes {
        for other in &scopes {
            let begins = other.key().starts_with(&one.key());
            assert_eq!(begins, one == other, "{one} and {other}");
        }
    }
}

/// Property: the feed hash tells entries from departures, and every order from every other.
#[test]
fn the_feed_hash_tells_what_happened_in_which_order() {
    let dot = |counter| Dot {
        replica: ReplicaId::from_bytes([1; 16]),
        counter,
    };
    let start = Hash::default();
    assert_ne!(
        hash_after_entry(&start, dot(1)),
        hash_after_departure(&start, dot(1))
    );
    let forth = hash_after_entry(&hash_after_entry(&start, dot(1)), dot(2));
    let back = hash_after_entry(&hash_after_entry(&start, dot(2)), dot(1));
    assert_ne!(forth, back);
}
