//! The list is whole and leads nowhere but to itself.

use super::*;

#[test]
fn every_name_is_unique_and_every_reference_leads_to_one_that_is_asked() {
    for (at, invariant) in INVARIANTS.iter().enumerate() {
        assert!(
            INVARIANTS
                .iter()
                .skip(at + 1)
                .all(|other| other.name != invariant.name)
        );
        if let Standing::Same(name) = invariant.standing {
            let other = INVARIANTS.iter().find(|other| other.name == name);
            assert!(matches!(other.unwrap().standing, Standing::Asked(_)), "{name}");
        }
    }
    let of = |kind: &str| INVARIANTS.iter().filter(|one| one.name.starts_with(kind)).count();
    assert_eq!((of("sync"), of("trust")), (11, 18));
}
