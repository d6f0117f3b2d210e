//! The laws of version vectors.

use proptest::prelude::*;

use super::*;
use crate::codec;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joining_is_commutative_associative_and_idempotent(a in vector(), b in vector(), c in vector()) {
        prop_assert_eq!(a.joined(&b), b.joined(&a));
        prop_assert_eq!(a.joined(&b).joined(&c), a.joined(&b.joined(&c)));
        prop_assert_eq!(a.joined(&a), a.clone());
        prop_assert_eq!(a.joined(&VersionVector::new()), a);
    }

    #[test]
    fn a_join_is_the_least_vector_over_both(a in vector(), b in vector(), c in vector()) {
        let joined = a.joined(&b);
        prop_assert!(joined.covers_all(&a) && joined.covers_all(&b));
        prop_assert_eq!(c.covers_all(&joined), c.covers_all(&a) && c.covers_all(&b));
    }

    #[test]
    fn comparing_is_a_partial_order(a in vector(), b in vector(), c in vector()) {
        let turned = match a.compare(&b) {
            Causality::Dominates => Causality::Dominated,
            Causality::Dominated => Causality::Dominates,
            same => same,
        };
        prop_assert_eq!(b.compare(&a), turned);
        prop_assert_eq!(a.compare(&b) == Causality::Equal, a == b);
        if a.covers_all(&b) && b.covers_all(&c) {
            prop_assert!(a.covers_all(&c));
        }
    }

    #[test]
    fn covering_is_by_counter(a in vector(), replica in replica(), counter in 1_u64..9) {
        let dot = Dot { replica, counter };
        prop_assert_eq!(a.covers(dot), a.counter(replica) >= counter);
        let mut raised = a.clone();
        raised.cover(dot);
        prop_assert!(raised.covers(dot) && raised.covers_all(&a));
        prop_assert_eq!(raised.counter(replica), a.counter(replica).max(counter));
    }

    #[test]
    fn equal_vectors_have_equal_bytes(a in vector()) {
        let mut dots: Vec<Dot> = a.iter().collect();
        dots.reverse();
        let again: VersionVector = dots.into_iter().collect();
        let bytes = codec::encode(&a).expect("a few replicas encode");
        prop_assert_eq!(codec::encode(&again), Ok(bytes.clone()));
        prop_assert_eq!(codec::decode::<VersionVector>(&bytes), Ok(a));
    }
}

/// Property: the limit of R-LIM-6 holds for writers and readers.
#[test]
fn more_replicas_than_the_limit_are_neither_written_nor_read() {
    let dots = |count: u8| {
        (0..count).map(|place| Dot {
            replica: ReplicaId::from_bytes([place; 16]),
            counter: 1,
        })
    };
    let most: VersionVector = dots(64).collect();
    let bytes = codec::encode(&most).expect("64 replicas encode");
    assert_eq!(codec::decode(&bytes), Ok(most));
    let over: VersionVector = dots(65).collect();
    assert!(codec::encode(&over).is_err());
    let items: List<Dot, 65> = dots(65).collect();
    let bytes = codec::encode(&items).expect("a longer list encodes");
    assert!(codec::decode::<VersionVector>(&bytes).is_err());
}

/// Property: a counter of 0 says nothing.
#[test]
fn a_counter_of_0_is_not_kept() {
    let dot = Dot {
        replica: ReplicaId::from_bytes([1; 16]),
        counter: 0,
    };
    let vector = VersionVector::from_iter([dot]);
    assert!(vector.is_empty() && vector.covers(dot));
}

fn vector() -> impl Strategy<Value = VersionVector> {
    proptest::collection::vec((replica(), 1_u64..9), 0..6).prop_map(|dots| {
        dots.into_iter()
            .map(|(replica, counter)| Dot { replica, counter })
            .collect()
    })
}

fn replica() -> impl Strategy<Value = ReplicaId> {
    (0_u8..5).prop_map(|byte| ReplicaId::from_bytes([byte; 16]))
}
