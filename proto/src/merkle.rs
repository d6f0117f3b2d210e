//! Commitments to entries and the Merkle tree over a run, whole or in part.
//!
//! A commitment hides what it commits to behind a salt, so that an erased or withheld entry gives
//! nothing away; salts derive from one secret per run (R-COM-1, R-COM-2). Holds no signatures.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ReplicaId;

/// A BLAKE3 hash of 32 bytes.
///
/// ```
/// use beatbook_proto::Hash;
/// assert_eq!(Hash([0xab; 32]).short(), "abababab");
/// assert_ne!(Hash::of("one domain", &[b"x"]), Hash::of("another", &[b"x"]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

/// The commitment to one entry (R-COM-1).
pub type Commitment = Hash;

/// The salt of one entry's commitment.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(pub [u8; 32]);

/// The random secret of a run, from which its salts derive (R-COM-2).
///
/// ```
/// use beatbook_proto::{ReplicaId, RunSecret};
/// let (secret, book) = (RunSecret([3; 32]), ReplicaId::from_bytes([1; 16]));
/// assert!(secret.salt(book, 1) != secret.salt(book, 2));
/// assert_eq!(format!("{secret:?}"), "RunSecret(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSecret(pub [u8; 32]);

impl Hash {
    /// Hashes `parts` under a domain, each part preceded by its length.
    pub fn of(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(domain);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The first eight hexadecimal digits, for people and logs.
    pub fn short(&self) -> String {
        self.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", self.short())
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl fmt::Debug for RunSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunSecret(..)")
    }
}

impl RunSecret {
    /// The salt of entry `counter` of `replica`.
    pub fn salt(&self, replica: ReplicaId, counter: u64) -> Salt {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(replica.as_bytes());
        hasher.update(&counter.to_le_bytes());
        Salt(*hasher.finalize().as_bytes())
    }
}

/// Commits to an entry: keyed BLAKE3 of header length, header and body under the salt.
pub fn commit(salt: &Salt, header: &[u8], body: &[u8]) -> Commitment {
    let mut hasher = blake3::Hasher::new_keyed(&salt.0);
    hasher.update(&(header.len() as u64).to_le_bytes());
    hasher.update(header);
    hasher.update(body);
    Hash(*hasher.finalize().as_bytes())
}

/// The root of the tree over `commitments`, in the shape of RFC 6962 section 2.1 (R-COM-3).
pub fn root(commitments: &[Commitment]) -> Hash {
    match commitments {
        [] => Hash::of(EMPTY_DOMAIN, &[]),
        [leaf] => leaf_hash(leaf),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            branch_hash(&root(left), &root(right))
        }
    }
}

/// The hashes that complete the root for someone who holds only the leaves marked in `held` (R-COM-4).
pub fn prove(commitments: &[Commitment], held: &[bool]) -> Vec<Hash> {
    let mut proof = Vec::new();
    prove_into(commitments, held, &mut proof);
    proof
}

/// Rebuilds the root from held leaves (`Some`) and the hashes of [`prove`]; `None` if they do not fit (R-COM-4).
pub fn complete(leaves: &[Option<Commitment>], proof: &[Hash]) -> Option<Hash> {
    let mut rest = proof;
    let root = complete_from(leaves, &mut rest)?;
    rest.is_empty().then_some(root)
}

/// The hashes that complete the root for a reader who will hold only the leaves marked in `wanted`, made by someone
/// who holds `leaves` (`Some`) and the `hashes` that stand for the rest; `None` if a wanted leaf is not held or they
/// do not fit.
pub fn reprove(leaves: &[Option<Commitment>], hashes: &[Hash], wanted: &[bool]) -> Option<Vec<Hash>> {
    let mut rest = hashes;
    let mut proof = Vec::new();
    reprove_into(leaves, &mut rest, wanted, &mut proof)?;
    rest.is_empty().then_some(proof)
}

fn reprove_into(
    leaves: &[Option<Commitment>],
    hashes: &mut &[Hash],
    wanted: &[bool],
    proof: &mut Vec<Hash>,
) -> Option<()> {
    if !wanted.iter().any(|wanted| *wanted) {
        proof.push(complete_from(leaves, hashes)?);
        return Some(());
    }
    if leaves.iter().all(Option::is_none) {
        return None;
    }
    if leaves.len() > 1 {
        let middle = split(leaves.len());
        let (left, right) = leaves.split_at(middle);
        let (wanted_left, wanted_right) = wanted.split_at_checked(middle)?;
        reprove_into(left, hashes, wanted_left, proof)?;
        reprove_into(right, hashes, wanted_right, proof)?;
    }
    Some(())
}

fn prove_into(commitments: &[Commitment], held: &[bool], proof: &mut Vec<Hash>) {
    if !held.iter().any(|held| *held) {
        proof.push(root(commitments));
    } else if commitments.len() > 1 {
        let middle = split(commitments.len());
        let (left, right) = commitments.split_at(middle);
        let (held_left, held_right) = held.split_at(middle.min(held.len()));
        prove_into(left, held_left, proof);
        prove_into(right, held_right, proof);
    }
}

fn complete_from(leaves: &[Option<Commitment>], proof: &mut &[Hash]) -> Option<Hash> {
    if leaves.iter().all(Option::is_none) {
        let (first, rest) = proof.split_first()?;
        *proof = rest;
        return Some(*first);
    }
    match leaves {
        [leaf] => leaf.as_ref().map(leaf_hash),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            let left = complete_from(left, proof)?;
            let right = complete_from(right, proof)?;
            Some(branch_hash(&left, &right))
        }
    }
}

/// The largest power of two below `len`, for `len` of 2 or more.
fn split(len: usize) -> usize {
    len.next_power_of_two() / 2
}

fn leaf_hash(commitment: &Commitment) -> Hash {
    tagged(0, &[&commitment.0])
}

fn branch_hash(left: &Hash, right: &Hash) -> Hash {
    tagged(1, &[&left.0, &right.0])
}

fn tagged(tag: u8, parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[tag]);
    for part in parts {
        hasher.update(part);
    }
    Hash(*hasher.finalize().as_bytes())
}

const EMPTY_DOMAIN: &str = "beatbook 2026-11 empty tree v1";

#[cfg(test)]
mod tests;
