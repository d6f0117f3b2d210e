//! The device's clock and its random source: the only place of this crate that reads either.

use beatbook_core::store::StoreError;
use beatbook_proto::{ClockSource, Instant, ReplicaId, Stamp};
use jiff::Zoned;

/// The present moment with the offset of local time.
pub(crate) fn now() -> Instant {
    let now = Zoned::now();
    Instant {
        utc_ms: now.timestamp().as_millisecond(),
        offset_min: i16::try_from(now.offset().seconds() / 60).unwrap_or(0),
    }
}

/// What a revision says of when it was recorded. Nothing is claimed of how far the clock is off.
pub(crate) fn stamp() -> Stamp {
    let Instant { utc_ms, offset_min } = now();
    Stamp {
        utc_ms,
        offset_min,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    }
}

/// Fresh random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Io {
        reason: "the system gave no random bytes; try again".into(),
    })?;
    Ok(bytes)
}

/// Names for a book and a trace that were never used before.
pub(crate) fn fresh_replicas() -> Result<[ReplicaId; 2], StoreError> {
    let now_ms = u64::try_from(now().utc_ms).unwrap_or(0);
    let fresh = || -> Result<ReplicaId, StoreError> {
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &random()?).into_uuid();
        Ok(ReplicaId::from(id))
    };
    Ok([fresh()?, fresh()?])
}
