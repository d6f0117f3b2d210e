//! Version vectors: per record, the highest entry number seen of each replica.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bounded::List;
use crate::ids::{Dot, ReplicaId};
use crate::limits::CONTEXT_REPLICAS_MAX;

/// How two version vectors stand to each other.
///
/// ```
/// use beatbook_proto::{Causality, VersionVector};
/// assert_eq!(VersionVector::new().compare(&VersionVector::new()), Causality::Equal);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causality {
    /// Neither covers the other.
    Concurrent,
    /// The other covers this one and more.
    Dominated,
    /// This one covers the other and more.
    Dominates,
    /// Both cover the same.
    Equal,
}

/// The highest counter seen of each replica; a replica that is absent stands at 0.
///
/// ```
/// use beatbook_proto::{Causality, Dot, ReplicaId, VersionVector};
/// let (phone, laptop) = (ReplicaId::from_bytes([1; 16]), ReplicaId::from_bytes([2; 16]));
/// let one = VersionVector::from_iter([Dot { replica: phone, counter: 4 }]);
/// let two = VersionVector::from_iter([Dot { replica: laptop, counter: 1 }]);
/// assert_eq!(one.compare(&two), Causality::Concurrent);
/// assert_eq!(one.joined(&two).compare(&one), Causality::Dominates);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionVector(BTreeMap<ReplicaId, u64>);

impl VersionVector {
    /// A vector that covers nothing.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Raises the vector so that it covers `dot`.
    pub fn cover(&mut self, dot: Dot) {
        if dot.counter > 0 {
            let counter = self.0.entry(dot.replica).or_insert(0);
            *counter = (*counter).max(dot.counter);
        }
    }

    /// Raises the vector so that it covers all that `other` covers.
    pub fn join(&mut self, other: &Self) {
        for dot in other.iter() {
            self.cover(dot);
        }
    }

    /// The least vector that covers both.
    pub fn joined(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.join(other);
        joined
    }

    /// The highest counter seen of `replica`, 0 if none.
    pub fn counter(&self, replica: ReplicaId) -> u64 {
        self.0.get(&replica).copied().unwrap_or(0)
    }

    /// True if the vector covers `dot`.
    pub fn covers(&self, dot: Dot) -> bool {
        self.counter(dot.replica) >= dot.counter
    }

    /// True if the vector covers all that `other` covers.
    pub fn covers_all(&self, other: &Self) -> bool {
        other.iter().all(|dot| self.covers(dot))
    }

    /// Compares two vectors.
    pub fn compare(&self, other: &Self) -> Causality {
        match (self.covers_all(other), other.covers_all(self)) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Dominates,
            (false, true) => Causality::Dominated,
            (false, false) => Causality::Concurrent,
        }
    }

    /// Walks the highest dot of each replica, in order of replica.
    pub fn iter(&self) -> impl Iterator<Item = Dot> + '_ {
        self.0.iter().map(|(replica, counter)| Dot {
            replica: *replica,
            counter: *counter,
        })
    }

    /// Number of replicas in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if it covers nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Dot> for VersionVector {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut vector = Self::new();
        dots.into_iter().for_each(|dot| vector.cover(dot));
        vector
    }
}

impl Serialize for VersionVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dots: List<Dot, CONTEXT_REPLICAS_MAX> = self.iter().collect();
        dots.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for VersionVector {
    /// Accepts the canonical form only: ascending replicas, no zero counters (R-VV-1).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dots = List::<Dot, CONTEXT_REPLICAS_MAX>::deserialize(deserializer)?;
        let ascending = dots.iter().is_sorted_by(|one, next| one.replica < next.replica);
        if !ascending || dots.iter().any(|dot| dot.counter == 0) {
            return Err(D::Error::custom("version vector not in canonical form"));
        }
        Ok(dots.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
