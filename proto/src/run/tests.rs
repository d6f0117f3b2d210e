//! Runs at the edges of their counters, and parts that do not add up.

use super::*;
use crate::bounded::Bytes;
use crate::ids::ReplicaId;
use crate::seal::{SealClaim, Signer, SigningKey};

// Invariant: counters at the end of their range are refused, never overflowed (R-SEAL-2).
#[test]
fn the_last_counters_are_refused_without_running_over() {
    for (first, count) in [(u64::MAX, 1), (u64::MAX - 1, 2), (u64::MAX - 4_095, 4_096)] {
        let run = run(first, u64::MAX, count);
        assert_eq!(run.verify(&key().public_key()), Err(ProofError::Shape));
    }
    let last = run(u64::MAX - 3, u64::MAX - 1, 3);
    let proved = last
        .verify(&key().public_key())
        .expect("the last run there can be");
    assert_eq!(
        proved.entries().last().map(|entry| entry.dot.counter),
        Some(u64::MAX - 1)
    );
}

/// Property: a seal that speaks of too many, too few or no entries is refused before anything is hashed.
#[test]
fn claims_that_do_not_add_up_are_refused() {
    for (first, last, count) in [
        (0, 2, 3),
        (5, 4, 0),
        (1, 3, 2),
        (1, 3, 4),
        (1, u64::MAX - 1, 1),
        (1, 4_097, 9),
    ] {
        let run = run(first, last, count);
        assert_eq!(
            run.verify(&key().public_key()),
            Err(ProofError::Shape),
            "{first} to {last}"
        );
    }
}

/// Property: a part has its own salts, in the order of its counters, and no entry twice.
#[test]
fn parts_ascend_within_their_seal() {
    let whole = run(1, 3, 3)
        .verify(&key().public_key())
        .expect("a sealed run verifies");
    let part = |counters: &[u64]| Part {
        seal: whole.seal().clone(),
        proof: Proof::Partial {
            salts: counters.iter().map(|_| Salt([0; 32])).collect(),
            hashes: Vec::new().into(),
        },
        entries: counters.iter().map(|counter| (*counter, entry())).collect(),
    };
    for counters in [&[2, 1][..], &[1, 1], &[0], &[4], &[u64::MAX]] {
        assert_eq!(
            part(counters).verify_root(),
            Err(ProofError::Shape),
            "{counters:?}"
        );
    }
    assert_eq!(part(&[1, 2, 3]).verify_root(), Err(ProofError::Root));
}

/// Property: the roots of lost bodies still prove: a part without entries is the root alone.
#[test]
fn a_part_without_entries_is_its_root() {
    let whole = run(1, 3, 3)
        .verify(&key().public_key())
        .expect("a sealed run verifies");
    let part = Part {
        seal: whole.seal().clone(),
        proof: Proof::Partial {
            salts: Vec::new().into(),
            hashes: vec![whole.seal().claim.root].into(),
        },
        entries: Vec::new().into(),
    };
    let proved = part
        .verify(&key().public_key())
        .expect("the root completes itself");
    assert!(proved.entries().is_empty() && proved.secret().is_none());
    assert_eq!((proved.leaves(), proved.hashes().len()), (&[None; 3][..], 1));
}

/// Property: a run that another key sealed proves nothing.
#[test]
fn another_key_is_refused() {
    let other = SigningKey::ed25519_from_seed(&[8; 32]).public_key();
    let refused = run(1, 3, 3).verify(&other);
    assert_eq!(refused, Err(ProofError::Signature(SignatureError::Signature)));
}

fn run(first: u64, last: u64, count: u64) -> Run {
    let (secret, replica) = (RunSecret([3; 32]), ReplicaId::from_bytes([1; 16]));
    let commitments: Vec<Commitment> = (0..count)
        .map(|place| entry().commitment(&secret.salt(replica, first.saturating_add(place))))
        .collect();
    let claim = SealClaim {
        replica,
        first,
        last,
        root: merkle::root(&commitments),
        previous: SealClaim::NO_SEAL,
    };
    Run {
        seal: claim.sign(&key()).expect("a key in memory signs"),
        secret,
        entries: (0..count).map(|_| entry()).collect(),
    }
}

fn entry() -> Entry {
    Entry {
        header: Bytes(b"not a header".to_vec()),
        body: Bytes(Vec::new()),
    }
}

fn key() -> SigningKey {
    SigningKey::ed25519_from_seed(&[9; 32])
}
