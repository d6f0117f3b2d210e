//! Keys and spellings of identifiers.

use super::*;

/// Property: keys sort as dots do, and read back; other lengths are not keys.
#[test]
fn keys_sort_as_dots_do() {
    let mut dots: Vec<Dot> = [(2, 1), (1, 256), (1, 255), (1, u64::MAX), (2, 0)]
        .map(|(replica, counter)| Dot {
            replica: ReplicaId::from_bytes([replica; 16]),
            counter,
        })
        .into();
    let mut keys: Vec<[u8; 24]> = dots.iter().map(Dot::key).collect();
    dots.sort();
    keys.sort_unstable();
    let read: Vec<Option<Dot>> = keys.iter().map(|key| Dot::from_key(key)).collect();
    assert_eq!(read, dots.into_iter().map(Some).collect::<Vec<_>>());
    for length in [0, 15, 16, 23, 25] {
        assert_eq!(Dot::from_key(&vec![0; length]), None);
    }
}

/// Property: an identifier reads back from what it prints.
#[test]
fn identifiers_print_as_uuids() {
    let id = ReplicaId::from_bytes([0xa5; 16]);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(id.short(), "a5a5");
    assert!("no uuid".parse::<OfficerId>().is_err());
}
