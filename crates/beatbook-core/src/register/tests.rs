//! Tests of what the register reads and grants.

use alloc::vec;

use super::*;
use crate::store::MemoryStore;

// Invariant: the postings of one officer are theirs alone and in order of beginning, also where an id is all ones and
// a beginning lies before 1970.
#[test]
fn the_postings_of_an_officer_are_a_range() {
    let ids = [0_u8, 1, 0xfe, 0xff].map(|byte| OfficerId::from_bytes([byte; 16]));
    let begins = [-5_i64, -1, 0, 7, 1_000];
    let store = registered(|tx| {
        for officer in ids {
            for from_ms in begins.iter().rev() {
                put(tx, &posting(officer, *from_ms, None)).unwrap();
            }
        }
    });
    for officer in ids {
        let expected: Vec<Posting> = begins.iter().map(|from| posting(officer, *from, None)).collect();
        assert_eq!(postings_of(&store, officer).unwrap(), expected);
    }
    assert_eq!(postings_of(&store, OfficerId::from_bytes([2; 16])).unwrap(), []);
    assert_eq!(list::<Posting>(&store).unwrap().len(), ids.len() * begins.len());
}

// Invariant: a posting grants from its beginning until just before its end, to its officer only; the sensitive class
// takes a sergeant.
#[test]
fn scopes_follow_the_officers_own_current_postings() {
    let own = officer(1, "PCSO");
    let other = officer(2, "SGT");
    let store = registered(|tx| {
        put(tx, &posting(own.id, 10, Some(20))).unwrap();
        put(tx, &posting(other.id, 15, None)).unwrap();
    });
    let always = vec![Scope::Own, Scope::Reference];
    let beat = |class| Scope::Beat {
        beat: Code::new(BEAT).unwrap(),
        class,
    };
    let with = |classes: &[u8]| {
        let mut scopes = always.clone();
        scopes.extend(classes.iter().map(|class| beat(*class)));
        scopes.sort();
        scopes
    };
    for (who, at_ms, expected) in [
        (&own, 9, with(&[])),
        (&own, 10, with(&[0])),
        (&own, 19, with(&[0])),
        (&own, 20, with(&[])),
        (&other, 14, with(&[])),
        (&other, 20, with(&[0, 1])),
    ] {
        assert_eq!(
            scopes_granted(&store, who, at_ms).unwrap(),
            expected,
            "at {at_ms}"
        );
    }
}

fn registered(fill: impl FnOnce(&mut Transaction<'_>)) -> MemoryStore {
    let mut store = MemoryStore::default();
    let writes = {
        let mut tx = Transaction::new(&store);
        fill(&mut tx);
        tx.into_writes()
    };
    store.apply(&writes);
    store
}

fn officer(byte: u8, role: &str) -> Officer {
    Officer {
        id: OfficerId::from_bytes([byte; 16]),
        collar: alloc::format!("91{byte}"),
        name: "Sam Pike".into(),
        role: Code::new(role).unwrap(),
        added_at_ms: 0,
    }
}

fn posting(officer: OfficerId, from_ms: i64, until_ms: Option<i64>) -> Posting {
    Posting {
        officer,
        beats: vec![Code::new(BEAT).unwrap()],
        from_ms,
        until_ms,
    }
}

const BEAT: &str = "52/C02";
