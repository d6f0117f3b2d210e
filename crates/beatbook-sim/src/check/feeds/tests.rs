//! The reader of feeds, shown what it has to find.

use super::super::fixtures::{BEAT, World, code};
use super::*;

/// Rewrites every row of the beat's feed.
fn tamper(world: &mut World, change: impl Fn(&mut FeedRecord)) {
    let scope = Scope::Beat {
        beat: code(BEAT),
        class: 0,
    };
    let name = scope.key();
    let from = [&[name.len() as u8], name.as_slice()].concat();
    let to = [from.as_slice(), &[u8::MAX; 9]].concat();
    let rows = world.server.scan(Table::Feeds, &from, &to, usize::MAX).unwrap();
    assert!(!rows.is_empty());
    for (key, bytes) in rows {
        let mut row: FeedRecord = codec::decode(&bytes).unwrap();
        change(&mut row);
        let bytes = codec::encode(&row).unwrap();
        world.at_server_do(|tx| tx.put(Table::Feeds, key, bytes));
    }
}

#[test]
fn what_a_feed_tells_twice_or_never_is_found() {
    let mut world = World::new(1);
    world.found(0, "one");
    world.sync(0);
    let sound = world.server.clone();
    assert_eq!(Feeds.quiet(&mut Trace::default(), &world), Ok(()));
    tamper(&mut world, |row| row.steps.extend(row.steps.clone()));
    assert_eq!(
        Feeds.quiet(&mut Trace::default(), &world).unwrap_err().invariant,
        REPLAYS
    );
    world.server = sound;
    tamper(&mut world, |row| row.steps.clear());
    assert_eq!(
        Feeds.quiet(&mut Trace::default(), &world).unwrap_err().invariant,
        CONVERGES
    );
}
