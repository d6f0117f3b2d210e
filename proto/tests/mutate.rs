//! Bytes that were cut, flipped, spliced or made up: decoding never panics, and what is sealed never
//! verifies as anything else. `BEATBOOK_FUZZ_SECONDS` extends the mutations by time.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use beatbook_proto::{PublicKey, VerifiedRun};
use samples::{Kind, Sample, Thing};

#[path = "samples/samples.rs"]
mod samples;

/// Property: no sample is read from less than all of its bytes.
#[test]
fn every_prefix_is_refused() {
    for Sample { name, about, thing } in samples::all() {
        let bytes = thing.bytes();
        for end in 0..bytes.len() {
            let decoded = decode(thing.kind(), &bytes[..end]);
            // A track has no count: one that ends between two points is a shorter track.
            let is_shorter_track = matches!((&thing, &decoded), (Thing::Track(_), Ok(Thing::Track(_))));
            assert!(
                decoded.is_err() || is_shorter_track,
                "{name} ({about}) cut to {end} bytes"
            );
        }
    }
}

/// Property: one turned bit panics nowhere, and no proof holds for other content.
#[test]
fn every_turned_bit_is_harmless() {
    let key = key();
    for Sample { name, about, thing } in samples::all() {
        let sealed = sealed(thing.clone(), &key);
        let bytes = thing.bytes();
        for place in 0..bytes.len() * 8 {
            let mut turned = bytes.clone();
            turned[place / 8] ^= 1 << (place % 8);
            let Ok(decoded) = decode(thing.kind(), &turned) else {
                continue;
            };
            if let (Some(kept), Some(other)) = (&sealed, self::sealed(decoded, &key)) {
                assert!(
                    same_content(kept, &other),
                    "{name} ({about}): bit {place} changed what is proved"
                );
            }
        }
    }
}

/// Property: random mutations of samples, and random bytes, panic nowhere; what decodes encodes and
/// decodes to itself; what proves itself is entries of the sample.
#[test]
fn mutations_are_refused_or_read() {
    let seed = env::var("BEATBOOK_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1_u64);
    let seconds = env::var("BEATBOOK_FUZZ_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(seconds);
    let key = key();
    let samples = samples::all();
    let sealed: Vec<VerifiedRun> = samples
        .iter()
        .filter_map(|sample| self::sealed(sample.thing.clone(), &key))
        .collect();
    assert!(
        sealed.len() >= 5,
        "only {} samples prove themselves",
        sealed.len()
    );
    let mut dice = Dice(seed);
    let mut round = 0_u64;
    while round < ROUNDS_MIN || Instant::now() < until {
        let sample = &samples[dice.below(samples.len())];
        let other = &samples[dice.below(samples.len())];
        let bytes = mutated(&mut dice, sample.thing.bytes(), &other.thing.bytes());
        let kind = if dice.below(8) == 0 {
            Kind::ALL[dice.below(Kind::ALL.len())]
        } else {
            sample.thing.kind()
        };
        round += 1;
        let Ok(thing) = decode(kind, &bytes) else {
            continue;
        };
        let again = kind.decode(&thing.bytes());
        assert_eq!(again.as_ref(), Ok(&thing), "seed {seed}, round {round}, {kind:?}");
        if let Some(run) = self::sealed(thing, &key) {
            assert!(
                sealed.iter().any(|kept| same_content(kept, &run)),
                "seed {seed}, round {round}: something else was proved"
            );
        }
    }
}

/// Decodes, and names the bytes if that panics.
fn decode(kind: Kind, bytes: &[u8]) -> Result<Thing, String> {
    let decoded = catch_unwind(AssertUnwindSafe(|| kind.decode(bytes)));
    decoded.unwrap_or_else(|_| panic!("decoding {kind:?} panicked on {bytes:02x?}"))
}

/// What a thing proves under the samples' key, if it is sealed.
fn sealed(thing: Thing, key: &PublicKey) -> Option<VerifiedRun> {
    use beatbook_proto::Frame;
    match thing {
        Thing::Run(run) | Thing::Frame(Frame::Run(run)) => run.verify(key).ok(),
        Thing::Part(part) | Thing::Frame(Frame::Part(part)) => part.verify(key).ok(),
        Thing::Frame(Frame::Feed(feed)) => feed.parts.0.into_iter().next()?.verify(key).ok(),
        _ => None,
    }
}

/// True if every entry that `other` proves is, byte for byte and at its dot, one of the same seal.
fn same_content(kept: &VerifiedRun, other: &VerifiedRun) -> bool {
    kept.seal().hash() == other.seal().hash()
        && other.entries().iter().all(|entry| kept.entries().contains(entry))
}

fn mutated(dice: &mut Dice, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
    for _ in 0..=dice.below(4) {
        let place = dice.below(bytes.len() + 1);
        match dice.below(7) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, dice.byte()),
            2 if place < bytes.len() => bytes[place] ^= 1 << dice.below(8),
            3 if place < bytes.len() => bytes[place] = MARKERS[dice.below(MARKERS.len())],
            4 if place < bytes.len() => {
                bytes.remove(place);
            }
            5 => {
                let from = dice.below(other.len() + 1);
                let piece = other.iter().skip(from).take(dice.below(64)).copied();
                let piece: Vec<u8> = piece.collect();
                bytes.splice(place..place, piece);
            }
            _ => {
                let length = dice.below(32);
                bytes.extend((0..length).map(|_| dice.byte()));
            }
        }
    }
    bytes
}

fn key() -> PublicKey {
    let opening = samples::all().into_iter().find_map(|sample| match sample.thing {
        Thing::Opening(opening) => Some(opening),
        _ => None,
    });
    opening.expect("there is a sample of an opening").key
}

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or(0)
    }
}

const ROUNDS_MIN: u64 = 20_000;
/// Bytes that mean something to the encoding.
const MARKERS: [u8; 10] = [0, 1, 127, 128, 250, 251, 252, 253, 254, 255];
