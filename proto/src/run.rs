//! Runs: consecutive entries of one book under one seal, whole or in part.
//!
//! [`Run::verify`] and [`Part::verify`] turn what a peer sent into a [`VerifiedRun`]; nothing else does.

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::ids::Dot;
use crate::limits::RUN_ENTRIES_MAX;
use crate::merkle::{self, Commitment, Hash, RunSecret, Salt};
use crate::revision::Entry;
use crate::seal::{PublicKey, Seal, SignatureError};

/// A whole run.
///
/// ```
/// use beatbook_proto::{Entry, ReplicaId, Run, RunSecret, SealClaim, Signer, SigningKey, merkle};
/// let (key, secret) = (SigningKey::ed25519_from_seed(&[9; 32]), RunSecret([3; 32]));
/// let replica = ReplicaId::from_bytes([1; 16]);
/// let entry = Entry { header: b"any header".to_vec().into(), body: vec![].into() };
/// let root = merkle::root(&[entry.commitment(&secret.salt(replica, 1))]);
/// let claim = SealClaim { replica, first: 1, last: 1, root, previous: SealClaim::NO_SEAL };
/// let run = Run { seal: claim.sign(&key).unwrap(), secret, entries: vec![entry].into() };
/// assert_eq!(run.verify(&key.public_key()).unwrap().entries().len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The seal; it names book, first and last entry.
    pub seal: Seal,
    /// The secret that the salts derive from.
    pub secret: RunSecret,
    /// The entries, in order.
    pub entries: List<Entry, RUN_ENTRIES_MAX>,
}

/// Some entries of a run, with what completes the root of its seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The seal of the whole run.
    pub seal: Seal,
    /// What proves the entries.
    pub proof: Proof,
    /// The entries held, with their counters, ascending.
    pub entries: List<(u64, Entry), RUN_ENTRIES_MAX>,
}

/// How the entries of a part are tied to the seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// The part is the whole run: its secret.
    Whole(RunSecret),
    /// Single salts, one an entry, and the hashes of the subtrees that are not there.
    Partial {
        /// The salts, in the order of the entries.
        salts: List<Salt, RUN_ENTRIES_MAX>,
        /// The hashes, in the order of [`merkle::prove`].
        hashes: List<Hash, RUN_ENTRIES_MAX>,
    },
}

/// Why a run or part was refused. Any of them means that the peer misbehaved, or that bytes were damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The number of entries or salts does not fit the seal (R-RUN-1).
    #[error("entries do not fit the seal")]
    Shape,
    /// The entries do not lead to the sealed root (R-RUN-2).
    #[error("entries do not lead to the sealed root")]
    Root,
    /// The seal's signature does not verify (R-RUN-3).
    #[error("seal: {0}")]
    Signature(#[from] SignatureError),
}

/// Entries proved to be of a sealed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRun {
    seal: Seal,
    secret: Option<RunSecret>,
    entries: Vec<VerifiedEntry>,
    leaves: Vec<Option<Commitment>>,
    hashes: Vec<Hash>,
}

/// One proved entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntry {
    /// Its dot.
    pub dot: Dot,
    /// The entry.
    pub entry: Entry,
    /// Its salt.
    pub salt: Salt,
    /// Its commitment.
    pub commitment: Commitment,
}

impl Run {
    /// Verifies entries, root and signature against the book's key.
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedRun, ProofError> {
        // Counters that run over stay equal, which the order of counters refuses.
        let counter = |place: usize| self.seal.claim.first.saturating_add(place as u64);
        let entries = self
            .entries
            .0
            .into_iter()
            .enumerate()
            .map(|(place, entry)| (counter(place), entry))
            .collect();
        Part {
            seal: self.seal,
            proof: Proof::Whole(self.secret),
            entries: List(entries),
        }
        .verify(key)
    }
}

impl Part {
    /// Verifies entries, root and signature against the book's key.
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedRun, ProofError> {
        let verified = self.verify_root()?;
        verified.seal.verify(key)?;
        Ok(verified)
    }

    /// Verifies entries and root only, where this very seal was verified before.
    pub fn verify_root(self) -> Result<VerifiedRun, ProofError> {
        let claim = &self.seal.claim;
        let count = usize::try_from(claim.entries()).map_err(|_| ProofError::Shape)?;
        // SPEC R-SEAL-2: there is always a counter after the last, so that `last + 1` never runs over.
        if count == 0 || count > RUN_ENTRIES_MAX || claim.last == u64::MAX {
            return Err(ProofError::Shape);
        }
        let (secret, salts, hashes) = match self.proof {
            Proof::Whole(secret) if self.entries.len() == count => (Some(secret), Vec::new(), Vec::new()),
            Proof::Partial { salts, hashes } if salts.len() == self.entries.len() => {
                (None, salts.0, hashes.0)
            }
            _ => return Err(ProofError::Shape),
        };
        let mut leaves = vec![None; count];
        let mut entries = Vec::with_capacity(self.entries.len());
        let mut next = claim.first;
        for (index, (counter, entry)) in self.entries.0.into_iter().enumerate() {
            let place = counter
                .checked_sub(claim.first)
                .and_then(|place| usize::try_from(place).ok());
            let leaf = place
                .and_then(|place| leaves.get_mut(place))
                .ok_or(ProofError::Shape)?;
            if counter < next {
                return Err(ProofError::Shape);
            }
            next = counter.saturating_add(1);
            let salt = match secret {
                Some(secret) => secret.salt(claim.replica, counter),
                None => *salts.get(index).ok_or(ProofError::Shape)?,
            };
            let commitment = entry.commitment(&salt);
            *leaf = Some(commitment);
            let dot = Dot {
                replica: claim.replica,
                counter,
            };
            entries.push(VerifiedEntry {
                dot,
                entry,
                salt,
                commitment,
            });
        }
        if merkle::complete(&leaves, &hashes) != Some(claim.root) {
            return Err(ProofError::Root);
        }
        Ok(VerifiedRun {
            seal: self.seal,
            secret,
            entries,
            leaves,
            hashes,
        })
    }
}

impl VerifiedRun {
    /// The seal.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The secret, where the whole run is here.
    pub fn secret(&self) -> Option<RunSecret> {
        self.secret
    }

    /// The entries, ascending.
    pub fn entries(&self) -> &[VerifiedEntry] {
        &self.entries
    }

    /// A commitment for each entry of the run, `None` where only a subtree hash is known.
    pub fn leaves(&self) -> &[Option<Commitment>] {
        &self.leaves
    }

    /// The subtree hashes that stand for what is not here.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
}

#[cfg(test)]
mod tests;
