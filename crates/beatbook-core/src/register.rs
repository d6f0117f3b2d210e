//! The server's register: officers, their postings, beats, enrolments and enrolment tokens, and what they grant.
//!
//! Times are parameters, in milliseconds since 1970-01-01T00:00:00Z. Holds no names of people beside the officers'.

use alloc::string::String;
use alloc::vec::Vec;

use beatbook_proto::{Code, EnrolmentId, Hash, OfficerId, PublicKey, Scope};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::ledger::{LedgerError, decode, load, save};
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// An officer of the force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Officer {
    /// The stable id.
    pub id: OfficerId,
    /// The collar number; re-issued over the years, so unique only while active.
    pub collar: String,
    /// The name.
    pub name: String,
    /// The role, such as `PCSO` or `SGT`.
    pub role: Code,
    /// When the officer was entered.
    pub added_at_ms: i64,
}

/// A time for which an officer works certain beats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The officer.
    pub officer: OfficerId,
    /// Beats as `52/C02`.
    pub beats: Vec<Code>,
    /// From when on.
    pub from_ms: i64,
    /// Until when, excluded; `None` while open.
    pub until_ms: Option<i64>,
}

impl Posting {
    /// True while the officer works these beats.
    pub fn is_current(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && self.until_ms.is_none_or(|until| at_ms < until)
    }
}

/// A beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Force and neighbourhood, such as `52/C02`.
    pub id: Code,
    /// Its name.
    pub name: String,
    /// The neighbourhood it belongs to.
    pub neighbourhood: String,
    /// Its boundary as GeoJSON, empty if not given.
    pub boundary: String,
}

/// An officer on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Its id.
    pub id: EnrolmentId,
    /// Whose it is.
    pub officer: OfficerId,
    /// What people call the device.
    pub label: String,
    /// Its key; `None` until the token has been used.
    pub key: Option<PublicKey>,
    /// When its token was issued.
    pub issued_at_ms: i64,
    /// When it enrolled.
    pub enrolled_at_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
    /// When it was last in touch.
    pub last_contact_ms: Option<i64>,
}

/// A one-time token for an enrolment. Only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The enrolment that it opens.
    pub enrolment: EnrolmentId,
    /// Hash of the secret.
    pub hash: Hash,
    /// Until when it may be used.
    pub expires_at_ms: i64,
    /// When it was used.
    pub used_at_ms: Option<i64>,
    /// How often it was tried wrongly.
    pub tries: u32,
}

/// What a device is told when it is enrolled: who writes on it, and whose receipts to believe.
///
/// Travels in the answer to an enrolment, encoded by [`beatbook_proto::codec`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledAs {
    /// The enrolment.
    pub enrolment: EnrolmentId,
    /// The officer.
    pub officer: OfficerId,
    /// The officer's collar number.
    pub collar: String,
    /// The officer's name.
    pub name: String,
    /// The officer's role, such as `PCSO` or `SGT`.
    pub role: Code,
    /// The force's two-digit code.
    pub force: Code,
    /// The force's name.
    pub force_name: String,
    /// The key that the server signs receipts with.
    pub server_key: PublicKey,
    /// The beats that the officer is posted to, such as `52/C02`.
    pub beats: Vec<Code>,
}

/// A kind of row in the register.
pub trait Row: Serialize + DeserializeOwned {
    /// First byte of its keys.
    const KIND: u8;
    /// The rest of its key.
    fn key(&self) -> Vec<u8>;
}

impl Row for Officer {
    const KIND: u8 = 1;
    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

impl Row for Posting {
    const KIND: u8 = 2;
    fn key(&self) -> Vec<u8> {
        let mut key = self.officer.as_bytes().to_vec();
        // Flipping the sign bit makes two's complement sort as numbers do.
        key.extend_from_slice(&((self.from_ms as u64) ^ (1 << 63)).to_be_bytes());
        key
    }
}

impl Row for Beat {
    const KIND: u8 = 3;
    fn key(&self) -> Vec<u8> {
        self.id.as_str().as_bytes().to_vec()
    }
}

impl Row for Enrolment {
    const KIND: u8 = 4;
    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

impl Row for Token {
    const KIND: u8 = 5;
    fn key(&self) -> Vec<u8> {
        self.enrolment.as_bytes().to_vec()
    }
}

/// Reads one row.
pub fn get<R: Row>(read: &dyn Read, key: &[u8]) -> Result<Option<R>, StoreError> {
    load(read, Table::Register, &row_key::<R>(key))
}

/// Reads every row of a kind, in order of key.
pub fn list<R: Row>(read: &dyn Read) -> Result<Vec<R>, StoreError> {
    starting(read, &[])
}

/// Reads the postings of one officer, earliest beginning first, and no other's.
pub fn postings_of(read: &dyn Read, officer: OfficerId) -> Result<Vec<Posting>, StoreError> {
    starting(read, officer.as_bytes())
}

/// Writes one row.
pub fn put<R: Row>(tx: &mut Transaction<'_>, row: &R) -> Result<(), LedgerError> {
    save(tx, Table::Register, row_key::<R>(&row.key()), row)
}

/// Removes one row.
pub fn remove<R: Row>(tx: &mut Transaction<'_>, row: &R) {
    tx.remove(Table::Register, row_key::<R>(&row.key()));
}

/// The active officer with a collar number.
pub fn officer_by_collar(read: &dyn Read, collar: &str) -> Result<Option<Officer>, StoreError> {
    let officers: Vec<Officer> = list(read)?;
    Ok(officers
        .into_iter()
        .filter(|officer| officer.collar == collar)
        .max_by_key(|officer| officer.added_at_ms))
}

/// The scopes that an officer may read at a time. Default deny: own books, reference, the beats posted to, and their
/// sensitive class from sergeant up.
pub fn scopes_granted(read: &dyn Read, officer: &Officer, at_ms: i64) -> Result<Vec<Scope>, StoreError> {
    let mut scopes = alloc::vec![Scope::Own, Scope::Reference];
    let postings = postings_of(read, officer.id)?;
    let granting = |posting: &Posting| posting.is_current(at_ms) || is_planted(Bug::ScopeOutlivesPosting);
    let current = postings.into_iter().filter(granting);
    for beat in current.flat_map(|posting| posting.beats) {
        if SENSITIVE_ROLES.contains(&officer.role.as_str()) {
            scopes.push(Scope::Beat {
                beat: beat.clone(),
                class: 1,
            });
        }
        scopes.push(Scope::Beat { beat, class: 0 });
    }
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

/// Every row of a kind whose key begins with `prefix`, in order of key.
fn starting<R: Row>(read: &dyn Read, prefix: &[u8]) -> Result<Vec<R>, StoreError> {
    let from = row_key::<R>(prefix);
    let pairs = read.scan(Table::Register, &from, &keys::after(&from), usize::MAX)?;
    pairs
        .iter()
        .map(|(_, bytes)| decode(Table::Register, bytes))
        .collect()
}

fn row_key<R: Row>(key: &[u8]) -> Vec<u8> {
    let mut whole = alloc::vec![R::KIND];
    whole.extend_from_slice(key);
    whole
}

/// Roles that read the sensitive class of their beats.
const SENSITIVE_ROLES: [&str; 3] = ["SGT", "INSP", "CINSP"];

#[cfg(test)]
mod tests;
