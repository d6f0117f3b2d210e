//! Random worlds: writes, amendments, sessions, cuts, rollbacks and moves in any order; then faults stop, and everyone
//! agrees. The seed of a failing world is in its message.

use beatbook_core::ledger::{self, LedgerError, ReadToken};
use beatbook_core::store::MemoryStore;
use beatbook_proto::{FieldOp, RevisionKind, Text, Value, field};
use proptest::prelude::*;

use crate::link::Faults;
use crate::world::{LINES, PLACE, SUBJECT, World, set, set_code};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Concurrent writers over links that break.
    #[test]
    fn everyone_agrees_once_links_hold(seed in any::<u64>()) {
        run(seed, Trouble { moves: true, rollbacks: false });
    }

    /// The same, with stores restored and a server restored.
    #[test]
    fn nothing_is_lost_when_stores_go_back_in_time(seed in any::<u64>()) {
        run(seed, Trouble { moves: false, rollbacks: true });
    }
}

/// What may go wrong beside links.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    moves: bool,
    rollbacks: bool,
}

fn run(seed: u64, trouble: Trouble) {
    let mut world = World::new(seed);
    let beats: &[&str] = &["52/C02", "52/C03"];
    let officers = [
        world.officer("PCSO", beats),
        world.officer("PCSO", beats),
        world.officer("SGT", beats),
    ];
    let owners = [0, 0, 1, 2];
    for owner in owners {
        world.device(officers[owner]);
    }
    let mut backups: Vec<Option<MemoryStore>> = vec![None; owners.len()];
    let mut server_backup: Option<MemoryStore> = None;
    let mut tokens: Vec<(usize, ReadToken)> = Vec::new();
    let mut restored = false;
    for _ in 0..60 {
        let device = world.pick(owners.len());
        match world.pick(12) {
            0..=2 => {
                let family = ["CONTACT", "NOTE", "TASK"][world.pick(3)];
                let beat = beats[world.pick(2)];
                world.found(device, family, beat, "founded");
            }
            3..=6 => change(&mut world, device, &mut tokens, trouble),
            7..=9 => {
                let mut faults = Faults::NONE;
                faults.run_bytes = [1, 300, 1 << 20][world.pick(3)];
                match world.pick(3) {
                    0 => faults.up_max = world.pick(10),
                    1 => faults.down_max = world.pick(10),
                    _ => {}
                }
                let outcome = world.sync_with(device, faults);
                prop_ok(seed, outcome.error.is_none(), &outcome);
            }
            10 if trouble.rollbacks => match backups[device].take() {
                None => backups[device] = Some(world.devices[device].store.clone()),
                Some(backup) => {
                    // Only what had been receipted, or is in the backup, was promised to outlive the device.
                    forget_unsent(&mut world, device, &backup);
                    world.devices[device].store = backup;
                    restored = true;
                    world.reopen(device);
                    tokens.retain(|(owner, _)| *owner != device);
                }
            },
            11 if trouble.rollbacks && world.pick(3) == 0 => match server_backup.take() {
                None => server_backup = Some(world.server.clone()),
                Some(backup) => {
                    // What was receipted is on its author's device, unless that was restored meanwhile.
                    if backups.iter().all(Option::is_none) && !restored {
                        world.server = backup;
                        if world.pick(2) == 0 {
                            world.restart_epoch();
                        }
                    }
                }
            },
            _ => {}
        }
        world.check_always();
    }
    world.heal();
    world.check_healed();
}

/// Some change of some record that the device shows.
fn change(world: &mut World, device: usize, tokens: &mut Vec<(usize, ReadToken)>, trouble: Trouble) {
    let heads = ledger::heads(&world.devices[device].store, None, usize::MAX).unwrap();
    if heads.is_empty() {
        return;
    }
    let head = &heads[world.pick(heads.len())];
    let stale: Vec<ReadToken> = tokens
        .iter()
        .filter(|(owner, token)| *owner == device && token.record == head.record)
        .map(|(_, token)| token.clone())
        .collect();
    let token = match stale.first() {
        Some(token) if world.pick(3) == 0 => token.clone(),
        _ => ReadToken::of(head),
    };
    if world.pick(4) == 0 {
        tokens.push((device, token.clone()));
    }
    let text = format!("text {}", world.pick(5));
    let value = Value::Text(Text::new(text.as_str()).unwrap());
    let op = match world.pick(7) {
        0 | 1 => (SUBJECT, set(&text)),
        2 => (PLACE, set(&text)),
        3 => (LINES, FieldOp::Append(value)),
        4 => (PLACE, FieldOp::Clear),
        5 if trouble.moves => (field::BEAT, set_code(["52/C02", "52/C03"][world.pick(2)])),
        _ => (beatbook_proto::FieldId(43), FieldOp::Add(value)),
    };
    let kinds = [
        RevisionKind::AMEND,
        RevisionKind::AMEND,
        RevisionKind::RESOLVE,
        RevisionKind::SUPPLEMENT,
        RevisionKind::SIGN,
    ];
    let kind = kinds[world.pick(kinds.len())];
    let ops = if kind == RevisionKind::SIGN {
        vec![]
    } else {
        vec![op]
    };
    let draft = world.draft("NOTE", kind, Some(token), ops);
    match world.write(device, draft) {
        Ok(_)
        | Err(
            LedgerError::Conflicted(_)
            | LedgerError::NoConflict(_)
            | LedgerError::NoSuchRecord(_)
            | LedgerError::Frozen(_),
        ) => {}
        Err(error) => panic!("a draft refused for no good reason: {error}"),
    }
}

/// Takes out of the expectation what only the lost store held.
fn forget_unsent(world: &mut World, device: usize, backup: &MemoryStore) {
    let own = ledger::own_books(&world.devices[device].store).unwrap();
    for book in own {
        for counter in 1..=book.held {
            let dot = beatbook_proto::Dot {
                replica: book.replica(),
                counter,
            };
            let at_server = ledger::entry(&world.server, dot).unwrap().is_some();
            if !at_server && ledger::entry(backup, dot).unwrap().is_none() {
                world.written.remove(&dot);
            }
        }
    }
}

fn prop_ok(seed: u64, holds: bool, outcome: &crate::link::Outcome) {
    assert!(holds, "seed {seed}: {outcome:?}");
}
