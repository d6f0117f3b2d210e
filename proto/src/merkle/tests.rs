//! Roots, partial proofs and commitments.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_subset_completes_the_root(leaves in leaves(), held in vec(any::<bool>(), 70)) {
        let (part, proof) = part(&leaves, &held);
        prop_assert_eq!(complete(&part, &proof), Some(root(&leaves)));
    }

    #[test]
    fn an_altered_leaf_or_hash_does_not_complete_it(
        leaves in leaves(),
        held in vec(any::<bool>(), 70),
        place in any::<prop::sample::Index>(),
        byte in 0_usize..32,
    ) {
        let (mut part, mut proof) = part(&leaves, &held);
        let here: Vec<usize> = (0..part.len()).filter(|place| part[*place].is_some()).collect();
        let place = place.index(here.len() + proof.len());
        match here.get(place) {
            Some(place) => part[*place].as_mut().expect("held").0[byte] ^= 1,
            None => proof[place - here.len()].0[byte] ^= 1,
        }
        prop_assert_ne!(complete(&part, &proof), Some(root(&leaves)));
    }

    #[test]
    fn a_proof_has_exactly_the_hashes_it_needs(leaves in leaves(), held in vec(any::<bool>(), 70)) {
        let (part, proof) = part(&leaves, &held);
        prop_assert_eq!(complete(&part, &[&proof[..], &[Hash::default()]].concat()), None);
        if let Some((_, fewer)) = proof.split_last() {
            prop_assert_eq!(complete(&part, fewer), None);
        }
    }

    #[test]
    fn a_leaf_at_another_place_makes_another_root(leaves in leaves(), one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let (one, other) = (one.index(leaves.len()), other.index(leaves.len()));
        let mut swapped = leaves.clone();
        swapped.swap(one, other);
        prop_assert_eq!(root(&swapped) == root(&leaves), leaves[one] == leaves[other]);
    }
}

/// Property: the tree has the shape of RFC 6962, spelled out for up to five leaves.
#[test]
fn the_shape_is_that_of_rfc_6962() {
    let leaves: Vec<Hash> = (1..=5).map(|byte| Hash([byte; 32])).collect();
    let leaf: Vec<Hash> = leaves.iter().map(leaf_hash).collect();
    let four = branch_hash(&branch_hash(&leaf[0], &leaf[1]), &branch_hash(&leaf[2], &leaf[3]));
    assert_eq!(root(&leaves[..1]), leaf[0]);
    assert_eq!(
        root(&leaves[..3]),
        branch_hash(&branch_hash(&leaf[0], &leaf[1]), &leaf[2])
    );
    assert_eq!(root(&leaves[..4]), four);
    assert_eq!(root(&leaves), branch_hash(&four, &leaf[4]));
}

/// Property: a branch is never taken for a leaf, nor a run of none for anything else.
#[test]
fn leaves_branches_and_nothing_are_apart() {
    let leaf = Hash([7; 32]);
    assert_ne!(root(&[]), root(&[leaf]));
    assert_ne!(root(&[leaf]), leaf);
    assert_ne!(leaf_hash(&branch_hash(&leaf, &leaf)), branch_hash(&leaf, &leaf));
    assert_eq!(complete(&[], &[]), None);
}

/// Property: bytes moved between header and body make another commitment, and so do other salts.
#[test]
fn commitments_keep_header_and_body_apart() {
    let salt = RunSecret([1; 32]).salt(ReplicaId::from_bytes([2; 16]), 3);
    assert_ne!(commit(&salt, b"ab", b"c"), commit(&salt, b"a", b"bc"));
    for other in [
        RunSecret([1; 32]).salt(ReplicaId::from_bytes([2; 16]), 4),
        RunSecret([1; 32]).salt(ReplicaId::from_bytes([3; 16]), 3),
        RunSecret([2; 32]).salt(ReplicaId::from_bytes([2; 16]), 3),
    ] {
        assert_ne!(commit(&salt, b"ab", b"c"), commit(&other, b"ab", b"c"));
    }
}

fn leaves() -> impl Strategy<Value = Vec<Commitment>> {
    vec(any::<[u8; 32]>().prop_map(Hash), 1..70)
}

fn part(leaves: &[Commitment], held: &[bool]) -> (Vec<Option<Commitment>>, Vec<Hash>) {
    let held = &held[..leaves.len()];
    let part = leaves
        .iter()
        .zip(held)
        .map(|(leaf, held)| held.then_some(*leaf))
        .collect();
    (part, prove(leaves, held))
}
