//! Runs, parts and trees of which something was changed: what still proves itself says the same, under the same key.

use std::sync::OnceLock;

use beatbook_proto::{
    Commitment, Entry, Hash, Part, Proof, PublicKey, ReplicaId, Run, RunSecret, Salt, SealClaim, Signer,
    SigningKey, VerifiedEntry, VerifiedRun, merkle,
};

use crate::input::{Input, change};

/// The first byte chooses a tree, or a part to be changed as the rest says.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    if input.flag() {
        return tree(&mut input);
    }
    let made = MADE.get_or_init(made);
    let kept = &made[input.below(made.len())];
    let mut part = kept.part.clone();
    let mut whole = None;
    while !input.is_spent() {
        change_part(&mut input, &mut part);
    }
    if let Proof::Whole(secret) = &part.proof {
        let entries = part.entries.iter().map(|(_, entry)| entry.clone()).collect();
        let seal = part.seal.clone();
        whole = Some(Run {
            seal,
            secret: *secret,
            entries,
        });
    }
    for other in made.iter().filter(|other| other.key != kept.key) {
        assert!(
            part.clone().verify(&other.key).is_err(),
            "proved under the key of another"
        );
    }
    for proved in [
        part.verify(&kept.key).ok(),
        whole.and_then(|run| run.verify(&kept.key).ok()),
    ] {
        let Some(proved) = proved else { continue };
        assert_eq!(
            proved.seal().hash(),
            kept.run.seal().hash(),
            "another seal was proved"
        );
        let same = |entry: &VerifiedEntry| kept.run.entries().contains(entry);
        assert!(proved.entries().iter().all(same), "something else was proved");
    }
}

/// Every template with a change at each kind of place, and trees.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let changes = (0..12).flat_map(|kind| (0..8).map(move |template| vec![0, template, kind, 1, 2, 3]));
    let trees = (1..20).map(|leaves| vec![1, leaves, 0xa5, 0x5a, 7, 3, 1]);
    changes.chain(trees).collect()
}

/// Proves some leaves of a tree: it completes to the root, for any fewer of them too, and never with a leaf changed.
fn tree(input: &mut Input<'_>) {
    let count = 1 + input.below(LEAVES_MAX);
    let leaves: Vec<Commitment> = (0..count)
        .map(|leaf| Hash::of("leaf", &[&leaf.to_le_bytes()]))
        .collect();
    let held: Vec<bool> = (0..count).map(|_| input.flag()).collect();
    let wanted: Vec<bool> = held.iter().map(|held| *held && input.flag()).collect();
    let root = merkle::root(&leaves);
    let hashes = merkle::prove(&leaves, &held);
    let known = |mask: &[bool]| -> Vec<Option<Commitment>> {
        let leaves = leaves.iter().zip(mask);
        leaves.map(|(leaf, held)| held.then_some(*leaf)).collect()
    };
    assert_eq!(merkle::complete(&known(&held), &hashes), Some(root));
    let fewer = merkle::reprove(&known(&held), &hashes, &wanted).expect("what is held can be proved");
    assert_eq!(fewer, merkle::prove(&leaves, &wanted));
    assert_eq!(merkle::complete(&known(&wanted), &fewer), Some(root));
    let mut changed = known(&held);
    let place = input.below(count);
    if let Some(Some(leaf)) = changed.get_mut(place) {
        leaf.0[input.below(32)] ^= 1 << (input.byte() % 8);
        assert_ne!(
            merkle::complete(&changed, &hashes),
            Some(root),
            "another leaf, the same root"
        );
    }
}

fn change_part(input: &mut Input<'_>, part: &mut Part) {
    let claim = &mut part.seal.claim;
    match input.byte() % 12 {
        0 => claim.first = input.number(),
        1 => claim.last = input.number(),
        2 => claim.root.0[input.below(32)] ^= 1 << (input.byte() % 8),
        3 => claim.previous.0[input.below(32)] ^= 1 << (input.byte() % 8),
        4 => claim.replica = ReplicaId::from_bytes([input.byte(); 16]),
        5 => change(input, &mut part.seal.signature.bytes.0),
        6 => change_entry(input, &mut part.entries.0),
        7 => {
            let (one, other) = (input.below(part.entries.len()), input.below(part.entries.len()));
            if one != other {
                part.entries.0.swap(one, other);
            }
        }
        8 => {
            let place = input.below(part.entries.len());
            if place < part.entries.len() {
                let entry = part.entries.0.remove(place);
                if input.flag() {
                    part.entries.0.extend([entry.clone(), entry]);
                }
            }
        }
        9 => {
            let place = input.below(part.entries.len());
            if let Some((counter, _)) = part.entries.0.get_mut(place) {
                *counter = input.number();
            }
        }
        10 => change_proof(input, &mut part.proof),
        _ => part.proof = Proof::Whole(RunSecret([input.byte(); 32])),
    }
}

fn change_entry(input: &mut Input<'_>, entries: &mut [(u64, Entry)]) {
    let place = input.below(entries.len());
    if let Some((_, entry)) = entries.get_mut(place) {
        let bytes = if input.flag() {
            &mut entry.header.0
        } else {
            &mut entry.body.0
        };
        change(input, bytes);
    }
}

fn change_proof(input: &mut Input<'_>, proof: &mut Proof) {
    match proof {
        Proof::Whole(secret) => secret.0[input.below(32)] ^= 1 << (input.byte() % 8),
        Proof::Partial { salts, hashes } => {
            let place = input.below(salts.len().max(hashes.len()));
            match input.byte() % 4 {
                0 => salts.0.push(Salt([input.byte(); 32])),
                1 => hashes.0.push(Hash([input.byte(); 32])),
                2 if place < salts.len() => salts.0[place].0[0] ^= 1 << (input.byte() % 8),
                _ if place < hashes.len() => drop(hashes.0.remove(place)),
                _ => salts.0.clear(),
            }
        }
    }
}

/// Something sealed, as it is.
struct Made {
    key: PublicKey,
    part: Part,
    run: VerifiedRun,
}

/// Runs of several lengths under two keys, whole and in part.
fn made() -> Vec<Made> {
    let phone = SigningKey::ed25519_from_seed(&[9; 32]);
    let laptop = SigningKey::ed25519_from_seed(&[8; 32]);
    let mut all = Vec::new();
    for (key, first, count) in [(&phone, 1, 1), (&phone, 5, 3), (&laptop, 1, 7), (&laptop, 8, 2)] {
        let (part, run) = sealed(key, first, count);
        let commitments: Vec<Commitment> = run.entries().iter().map(|entry| entry.commitment).collect();
        let held: Vec<bool> = (0..count).map(|place| place % 2 == 0).collect();
        let some = run.entries().iter().zip(&held).filter(|(_, held)| **held);
        let entries: Vec<VerifiedEntry> = some.map(|(entry, _)| entry.clone()).collect();
        let proof = Proof::Partial {
            salts: entries.iter().map(|entry| entry.salt).collect(),
            hashes: merkle::prove(&commitments, &held).into(),
        };
        let seal = part.seal.clone();
        let entries = entries
            .into_iter()
            .map(|entry| (entry.dot.counter, entry.entry))
            .collect();
        let partial = Part { seal, proof, entries };
        for part in [part, partial] {
            let run = part
                .clone()
                .verify(&key.public_key())
                .expect("what was sealed proves itself");
            all.push(Made {
                key: key.public_key(),
                part,
                run,
            });
        }
    }
    all
}

fn sealed(key: &SigningKey, first: u64, count: u64) -> (Part, VerifiedRun) {
    let (replica, secret) = (ReplicaId::from_bytes([4; 16]), RunSecret([5; 32]));
    let entry = |counter: u64| Entry {
        header: counter.to_le_bytes().repeat(2).into(),
        body: vec![7; usize::try_from(counter % 5).unwrap_or(0)].into(),
    };
    let entries: Vec<(u64, Entry)> = (first..first + count)
        .map(|counter| (counter, entry(counter)))
        .collect();
    let commit = |(counter, entry): &(u64, Entry)| entry.commitment(&secret.salt(replica, *counter));
    let root = merkle::root(&entries.iter().map(commit).collect::<Vec<_>>());
    let (last, previous) = (first + count - 1, SealClaim::NO_SEAL);
    let claim = SealClaim {
        replica,
        first,
        last,
        root,
        previous,
    };
    let seal = claim.sign(key).expect("a key in memory signs");
    let entries = entries.into();
    let part = Part {
        seal,
        proof: Proof::Whole(secret),
        entries,
    };
    let run = part
        .clone()
        .verify(&key.public_key())
        .expect("what was sealed proves itself");
    (part, run)
}

static MADE: OnceLock<Vec<Made>> = OnceLock::new();
const LEAVES_MAX: usize = 40;
