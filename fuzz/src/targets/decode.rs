//! Every kind of thing that is encoded: refused, or read within the bound on memory, and written and read again as the
//! same. What proves itself is content of the samples, for nobody else has their key.

use std::sync::OnceLock;

use beatbook_proto::frame::{Frame, PREFIX_LEN};
use beatbook_proto::{PublicKey, VerifiedRun, codec};

use crate::samples::{self, Kind, Thing};
use crate::{bombs, heap};

/// The first byte chooses the kind.
pub(super) fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let kind = Kind::ALL[usize::from(*choice) % Kind::ALL.len()];
    let Ok(thing) = heap::bounded(unpacked_len(kind, bytes), || kind.decode(bytes)) else {
        return;
    };
    let again = kind.decode(&thing.bytes());
    assert_eq!(again.as_ref(), Ok(&thing), "what was read is written otherwise");
    let (key, known) = PROVED.get_or_init(proved);
    if let Some(run) = sealed(thing, key) {
        assert!(
            known.iter().any(|kept| same_content(kept, &run)),
            "something else was proved"
        );
    }
}

/// The samples, whole and with a byte behind them, and all that an unlimited decoder does not survive.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let of = |kind: Kind, bytes: &[u8]| {
        let choice = Kind::ALL.iter().position(|other| *other == kind).unwrap_or(0);
        [&[u8::try_from(choice).unwrap_or(0)], bytes].concat()
    };
    let samples = samples::all()
        .into_iter()
        .map(|sample| of(sample.thing.kind(), &sample.thing.bytes()));
    let bombs = bombs::all().into_iter().map(|bomb| of(bomb.kind, &bomb.bytes));
    samples.chain(bombs).collect()
}

/// How many bytes there are to decode, once a compressed frame is unpacked as far as it may be.
fn unpacked_len(kind: Kind, bytes: &[u8]) -> usize {
    match bytes.split_at_checked(PREFIX_LEN) {
        Some((prefix, payload)) if kind == Kind::Frame && prefix[5] & 0x80 != 0 => {
            codec::unpack(payload).map_or(bytes.len(), |unpacked| unpacked.len())
        }
        _ => bytes.len(),
    }
}

fn proved() -> (PublicKey, Vec<VerifiedRun>) {
    let opening = samples::all().into_iter().find_map(|sample| match sample.thing {
        Thing::Opening(opening) => Some(opening),
        _ => None,
    });
    let key = opening.expect("there is a sample of an opening").key;
    let all = samples::all().into_iter();
    let known = all.filter_map(|sample| sealed(sample.thing, &key)).collect();
    (key, known)
}

/// What a thing proves under a key, if it is sealed.
fn sealed(thing: Thing, key: &PublicKey) -> Option<VerifiedRun> {
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

static PROVED: OnceLock<(PublicKey, Vec<VerifiedRun>)> = OnceLock::new();
