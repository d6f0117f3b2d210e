//! Enrolment: one-time tokens, and the answer to a device that shows one.
//!
//! A token's secret has 128 random bits; only a hash of it is kept. Whether it was used is decided inside the one
//! commit that also stores the device's key, so of any number of devices that show it at once exactly one enrols.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use beatbook_core::ledger::LedgerError;
use beatbook_core::register::{self, EnrolledAs, Enrolment, Officer, Row, Token};
use beatbook_core::store::{Read, StoreError, Transaction};
use beatbook_proto::{Code, EnrolmentId, Hash, PublicKey, codec};
use beatbook_quic::{EnrolExchange, Grant, Refusal, Validity};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::store::{ServerStore, now_ms, now_s};

/// Finds a token's enrolment by the hash of its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenName {
    hash: Hash,
    enrolment: EnrolmentId,
}

impl Row for TokenName {
    const KIND: u8 = 16;
    fn key(&self) -> Vec<u8> {
        self.hash.0.to_vec()
    }
}

/// Keeps a new token for an enrolment.
pub(crate) fn put_token(tx: &mut Transaction<'_>, token: &Token) -> Result<(), LedgerError> {
    register::put(tx, token)?;
    register::put(
        tx,
        &TokenName {
            hash: token.hash,
            enrolment: token.enrolment,
        },
    )
}

/// Forgets the token of an enrolment: nobody enrols with it any more.
pub(crate) fn remove_token(tx: &mut Transaction<'_>, enrolment: EnrolmentId) -> Result<(), StoreError> {
    let token: Option<Token> = register::get(tx, enrolment.as_bytes())?;
    if let Some(token) = token {
        register::remove(
            tx,
            &TokenName {
                hash: token.hash,
                enrolment,
            },
        );
        register::remove(tx, &token);
    }
    Ok(())
}

/// What is kept of a token's secret.
pub(crate) fn hash_of(digest: &[u8; 32]) -> Hash {
    Hash::of("beatbook 2026-11 enrolment token v1", &[digest])
}

/// Uses a token for a key, in one commit: the device is enrolled, or refused.
pub(crate) fn redeem(
    tx: &mut Transaction<'_>,
    secret: &Hash,
    key: &PublicKey,
    now_ms: i64,
) -> Result<Result<Enrolment, Refusal>, LedgerError> {
    let name: Option<TokenName> = register::get(tx, &secret.0)?;
    let Some(name) = name else {
        return Ok(Err(Refusal::WrongToken));
    };
    let token: Option<Token> = register::get(tx, name.enrolment.as_bytes())?;
    let enrolment: Option<Enrolment> = register::get(tx, name.enrolment.as_bytes())?;
    let (Some(mut token), Some(mut enrolment)) = (token, enrolment) else {
        return Ok(Err(Refusal::WrongToken));
    };
    if enrolment.revoked_at_ms.is_some() {
        return Ok(Err(Refusal::WrongToken));
    }
    if token.tries >= TRIES_MAX {
        return Ok(Err(Refusal::TooManyTries));
    }
    // The same key again: the device did not hear the answer. It gets the same enrolment, not another.
    let again = token.used_at_ms.is_some() && enrolment.key.as_ref() == Some(key);
    let refusal = if token.used_at_ms.is_some() && !again {
        Some(Refusal::Used)
    } else if now_ms > token.expires_at_ms {
        Some(Refusal::Expired)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        token.tries += 1;
        register::put(tx, &token)?;
        return Ok(Err(refusal));
    }
    if !again {
        token.used_at_ms = Some(now_ms);
        enrolment.key = Some(key.clone());
        enrolment.enrolled_at_ms = Some(now_ms);
        register::put(tx, &token)?;
        register::put(tx, &enrolment)?;
    }
    Ok(Ok(enrolment))
}

/// Answers a device that asks to be enrolled.
pub(crate) async fn answer(exchange: EnrolExchange, store: ServerStore, tries: &Tries) {
    let from = exchange.remote_address().ip();
    let metrics = store.metrics().clone();
    let decided = if tries.too_many(from, Instant::now()) {
        Err(Refusal::TooManyTries)
    } else {
        decide(&exchange, store).await
    };
    let answered = match decided {
        Ok((enrolment, grant)) => {
            metrics.enrolled.inc();
            tracing::info!(%enrolment, "device enrolled");
            exchange.grant(grant).await
        }
        Err(refusal) => {
            if refusal == Refusal::WrongToken {
                tries.wrong(from, Instant::now());
            }
            metrics.enrolments_refused.inc();
            tracing::warn!(%from, %refusal, "enrolment refused");
            exchange.refuse(refusal).await
        }
    };
    if let Err(error) = answered {
        tracing::debug!(%from, %error, "an enrolling device may not have heard the answer");
    }
}

async fn decide(exchange: &EnrolExchange, store: ServerStore) -> Result<(EnrolmentId, Grant), Refusal> {
    let secret = hash_of(&exchange.secret().digest());
    let key = PublicKey::p256_from_sec1(exchange.public_key().as_sec1()).map_err(|_| Refusal::BadRequest)?;
    let request = exchange.request().to_vec();
    let decided = tokio::task::spawn_blocking(move || grant(&store, secret, key, &request)).await;
    decided.unwrap_or_else(|error| {
        tracing::error!(%error, "an enrolment was given up");
        Err(Refusal::Internal)
    })
}

/// Redeems the token, then makes the certificate: the use is durable before anybody hears of it.
fn grant(
    store: &ServerStore,
    secret: Hash,
    key: PublicKey,
    request: &[u8],
) -> Result<(EnrolmentId, Grant), Refusal> {
    let internal = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a device could not be enrolled");
        Refusal::Internal
    };
    let now = now_ms();
    let redeemed = store.commit(move |tx| redeem(tx, &secret, &key, now));
    let enrolment = redeemed.map_err(|error| internal(&error))??;
    let told = store
        .read(|read| enrolled_as(read, store, &enrolment, now))
        .map_err(|error| internal(&error))?
        .ok_or(Refusal::Internal)?;
    let authority = &store.keys().authority;
    let validity = Validity::days(now_s(), store.config().certificate_days);
    let certificate = authority
        .issue_device(request, enrolment.id.uuid(), validity)
        .map_err(|error| internal(&error))?;
    let grant = Grant {
        chain: vec![certificate],
        authority: authority.certificate().to_vec(),
        extra: codec::encode(&told).map_err(|error| internal(&error))?,
    };
    Ok((enrolment.id, grant))
}

fn enrolled_as(
    read: &dyn Read,
    store: &ServerStore,
    enrolment: &Enrolment,
    now_ms: i64,
) -> Result<Option<EnrolledAs>, StoreError> {
    let officer: Option<Officer> = register::get(read, enrolment.officer.as_bytes())?;
    let (Some(officer), Ok(force)) = (officer, Code::new(store.config().force.clone())) else {
        return Ok(None);
    };
    Ok(Some(EnrolledAs {
        enrolment: enrolment.id,
        officer: officer.id,
        beats: beats_of(read, &officer, now_ms)?,
        collar: officer.collar,
        name: officer.name,
        role: officer.role,
        force,
        force_name: store.config().name.clone(),
        server_key: store.receipt_key(),
    }))
}

/// The beats that an officer is posted to at a time.
pub(crate) fn beats_of(read: &dyn Read, officer: &Officer, at_ms: i64) -> Result<Vec<Code>, StoreError> {
    let postings = register::postings_of(read, officer.id)?;
    let current = postings.into_iter().filter(|posting| posting.is_current(at_ms));
    let mut beats: Vec<Code> = current.flat_map(|posting| posting.beats).collect();
    beats.sort();
    beats.dedup();
    Ok(beats)
}

/// Wrong tokens by where they came from.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    wrong: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Tries {
    /// True where too many wrong tokens came from there of late.
    fn too_many(&self, from: IpAddr, now: Instant) -> bool {
        let mut wrong = self.wrong.lock();
        wrong.retain(|_, (_, last)| now.saturating_duration_since(*last) < TRIES_WINDOW);
        wrong.get(&from).is_some_and(|(count, _)| *count >= TRIES_MAX)
    }

    fn wrong(&self, from: IpAddr, now: Instant) {
        let mut wrong = self.wrong.lock();
        let (count, last) = wrong.entry(from).or_insert((0, now));
        *count = count.saturating_add(1);
        *last = now;
    }
}

/// Tries that a token, or an address with wrong tokens, has.
pub(crate) const TRIES_MAX: u32 = 5;
/// How long an address waits after too many wrong tokens.
const TRIES_WINDOW: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
