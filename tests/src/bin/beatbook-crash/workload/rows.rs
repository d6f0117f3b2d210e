//! Rows that are overwritten again and again, so that sled gives its segments to new rows: the store without the core.

use std::collections::BTreeMap;

use beatbook_core::store::{StoreError, Table, Transaction};
use beatbook_store_sled::{AnchorPlace, OpenReport, Store, Unlock};

use super::{Refused, Side, Site, Step, not_opened, options, refused};

struct Rows {
    store: Store,
    report: OpenReport,
}

/// Makes the store.
pub(super) fn make(site: &Site) -> Result<Box<dyn Side>, Refused> {
    let (store, report) = Store::create(site.store(), &unlock(), options(AnchorPlace::Nowhere))
        .map_err(|error| not_opened(&error))?;
    Ok(Box::new(Rows { store, report }))
}

/// Opens the store.
pub(super) fn open(site: &Site) -> Result<Box<dyn Side>, Refused> {
    let (store, report) = Store::open(site.store(), &unlock(), options(AnchorPlace::Nowhere))
        .map_err(|error| not_opened(&error))?;
    Ok(Box::new(Rows { store, report }))
}

impl Side for Rows {
    fn write(&mut self, token: &str) -> Result<(), Refused> {
        let token = token.to_owned();
        let stored = self.store.commit(move |tx: &mut Transaction<'_>| {
            // Each write adds a small row that stays, and replaces one of a few large ones.
            let mut large = vec![FILL; LARGE_BYTES];
            large[..token.len()].copy_from_slice(token.as_bytes());
            let slot = crc(&token) % SLOTS;
            tx.put(Table::Heads, slot.to_be_bytes(), large);
            tx.put(Table::Entries, token.as_bytes(), slot.to_be_bytes());
            Ok::<_, StoreError>(())
        });
        stored.map(|_| ()).map_err(|error| refused(&error))
    }

    fn act(&mut self, step: Step, _number: usize) -> Result<(), Refused> {
        let done = match step {
            Step::Checkpoint => self.store.checkpoint(),
            Step::Release => self.store.release(self.store.sequence()),
            Step::Compact => self.store.compact(),
            other => return Err(Refused::Unknown(format!("rows do not know the step {other:?}"))),
        };
        done.map_err(|error| refused(&error))
    }

    fn tokens(&self) -> Result<Vec<String>, String> {
        let (small, large) = self.store.read(|read| {
            Ok::<_, String>((
                read.scan(Table::Entries, &[], &[0xff; 64], usize::MAX)
                    .map_err(|error| error.to_string())?,
                read.scan(Table::Heads, &[], &[0xff; 64], usize::MAX)
                    .map_err(|error| error.to_string())?,
            ))
        })?;
        let mut slots: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
        let mut tokens = Vec::new();
        for (key, slot) in small {
            let token = String::from_utf8_lossy(&key).into_owned();
            if slot != (crc(&token) % SLOTS).to_be_bytes() {
                return Err(format!("the row of {token} holds other bytes"));
            }
            slots.entry(slot).or_default().push(token.clone());
            tokens.push(token);
        }
        if large.len() != slots.len() {
            return Err(format!("{} large rows for {} slots", large.len(), slots.len()));
        }
        for (slot, bytes) in large {
            let end = bytes.iter().position(|byte| *byte == FILL).unwrap_or(0);
            let token = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let known = slots.get(&slot).is_some_and(|tokens| tokens.contains(&token));
            if bytes.len() != LARGE_BYTES || !bytes[end..].iter().all(|byte| *byte == FILL) || !known {
                return Err(format!(
                    "the large row with {token:?} is not one that was written"
                ));
            }
        }
        Ok(tokens)
    }

    fn verify(&self, _made: bool) -> Result<(), String> {
        self.store.verify().map(|_| ()).map_err(|error| error.to_string())
    }

    fn report(&self) -> Option<OpenReport> {
        Some(self.report.clone())
    }

    fn close(self: Box<Self>) -> Result<(), Refused> {
        self.store.close().map_err(|error| refused(&error))
    }
}

fn unlock() -> Unlock {
    Unlock::keystore([3; 32])
}

fn crc(token: &str) -> u32 {
    token.bytes().fold(2_166_136_261, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
    })
}

/// Is in no token.
const FILL: u8 = b'.';
const LARGE_BYTES: usize = 6_000;
const SLOTS: u32 = 40;
