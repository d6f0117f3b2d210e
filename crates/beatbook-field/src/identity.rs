//! Who writes on this device: what enrolment gave it, kept in the store and sealed with it.

use std::fmt;

use beatbook_core::ledger::Identity;
use beatbook_core::register::EnrolledAs;
use beatbook_core::store::{Read, StoreError, Table, Transaction};
use beatbook_proto::{Bytes, Hash, List, PublicKey, Signer as _, SigningKey, codec};
use beatbook_quic::{ClientIdentity, DeviceKey, IdentityError, ServerAddress};
use beatbook_records::build::Author;
use beatbook_records::vocabulary::Role;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// What makes a device a device of the force: the key, the certificate and what the server told it.
///
/// [`crate::Notebook::enrol`] fetches one; [`crate::Notebook::create`] takes one that was made otherwise.
pub struct Credentials {
    /// What the server told of the officer and of itself.
    pub told: EnrolledAs,
    /// The enrolment's key.
    pub key: DeviceKey,
    /// The device's certificate first, DER, then any that lead to the authority's.
    pub chain: Vec<Vec<u8>>,
    /// The authority's certificate, DER.
    pub authority: Vec<u8>,
    /// Where the server is.
    pub server: ServerAddress,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("enrolment", &self.told.enrolment)
            .finish_non_exhaustive()
    }
}

/// The identity of an open notebook.
pub(crate) struct Enrolled {
    pub(crate) told: EnrolledAs,
    pub(crate) identity: Identity,
    pub(crate) signer: SigningKey,
    pub(crate) server: ServerAddress,
    kept: Kept,
}

impl Enrolled {
    /// Takes credentials in, after checking that they belong together.
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, IdentityError> {
        let kept = Kept {
            format: FORMAT,
            told: credentials.told.clone(),
            key: Bytes(credentials.key.to_pkcs8().to_vec()),
            chain: credentials.chain.iter().cloned().map(Bytes).collect(),
            authority: Bytes(credentials.authority.clone()),
            server: credentials.server.to_string(),
        };
        Self::of(kept)
    }

    /// Reads what [`Enrolled::save`] wrote; `None` in a store that was never enrolled.
    pub(crate) fn load(read: &dyn Read) -> Result<Option<Self>, StoreError> {
        let Some(kept) = load::<Kept>(read, IDENTITY)? else {
            return Ok(None);
        };
        let enrolled = Self::of(kept).map_err(|_| damaged("the enrolment's key or certificate"))?;
        Ok(Some(enrolled))
    }

    pub(crate) fn save(&self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        save(tx, IDENTITY, &self.kept)?;
        tx.remove(Table::Meta, PENDING);
        Ok(())
    }

    /// What this device shows to its server.
    pub(crate) fn client_identity(&self) -> Result<ClientIdentity, IdentityError> {
        let chain = self.kept.chain.iter().map(|der| der.0.clone()).collect();
        let key = DeviceKey::from_pkcs8(&self.kept.key)?;
        ClientIdentity::new(key, chain, self.kept.authority.0.clone())
    }

    pub(crate) fn server_key(&self) -> &PublicKey {
        &self.told.server_key
    }

    /// What goes into a record that does not say otherwise.
    pub(crate) fn author(&self) -> Author {
        Author {
            officer: self.told.officer,
            collar: Some(self.told.collar.clone()),
            force: Some(self.told.force.as_str().to_owned()),
            role: Some(self.role()),
        }
    }

    pub(crate) fn role(&self) -> Role {
        Role::from(&self.told.role)
    }

    /// The first letters of the officer's names.
    pub(crate) fn initials(&self) -> String {
        let letters = self
            .told
            .name
            .split_whitespace()
            .filter_map(|word| word.chars().next());
        letters
            .flat_map(char::to_uppercase)
            .filter(|letter| letter.is_alphabetic())
            .take(6)
            .collect()
    }

    fn of(kept: Kept) -> Result<Self, IdentityError> {
        let signer = SigningKey::p256_from_pkcs8(&kept.key).map_err(|_| IdentityError::KeyMalformed)?;
        let server = kept.server.parse().map_err(|_| IdentityError::NameMalformed)?;
        let enrolled = Self {
            identity: Identity {
                force: kept.told.force.clone(),
                officer: kept.told.officer,
                enrolment: kept.told.enrolment,
                key: signer.public_key(),
            },
            told: kept.told.clone(),
            signer,
            server,
            kept,
        };
        let peer = *enrolled.client_identity()?.peer();
        if peer.enrolment != enrolled.told.enrolment.uuid() {
            return Err(IdentityError::KeyMismatch);
        }
        Ok(enrolled)
    }
}

impl fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolled")
            .field("enrolment", &self.told.enrolment)
            .finish_non_exhaustive()
    }
}

/// An enrolment under way: the key that is asked for, so that a token can be tried again with the same one.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Hash of the token's secret.
    pub(crate) token: Hash,
    key: Bytes,
}

impl Pending {
    pub(crate) fn new(token: Hash, key: &DeviceKey) -> Self {
        Self {
            token,
            key: Bytes(key.to_pkcs8().to_vec()),
        }
    }

    pub(crate) fn load(read: &dyn Read) -> Result<Option<Self>, StoreError> {
        load(read, PENDING)
    }

    pub(crate) fn save(&self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        save(tx, PENDING, self)
    }

    pub(crate) fn key(&self) -> Result<DeviceKey, IdentityError> {
        DeviceKey::from_pkcs8(&self.key)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.key.0.zeroize();
    }
}

/// The identity as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u16,
    told: EnrolledAs,
    key: Bytes,
    chain: List<Bytes, CHAIN_MAX>,
    authority: Bytes,
    server: String,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.key.0.zeroize();
    }
}

fn load<T: DeserializeOwned>(read: &dyn Read, name: &[u8]) -> Result<Option<T>, StoreError> {
    let Some(bytes) = read.get(Table::Meta, name)?.map(Zeroizing::new) else {
        return Ok(None);
    };
    codec::decode(&bytes)
        .map(Some)
        .map_err(|_| damaged("a value of the field library"))
}

fn save<T: Serialize>(tx: &mut Transaction<'_>, name: &[u8], value: &T) -> Result<(), StoreError> {
    let bytes = codec::encode(value).map_err(|_| StoreError::Io {
        reason: "what the server told is over a limit of the format".into(),
    })?;
    tx.put(Table::Meta, name, bytes);
    Ok(())
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: Table::Meta as u8,
        what,
    }
}

const IDENTITY: &[u8] = b"field identity";
const PENDING: &[u8] = b"field enrolment under way";
const FORMAT: u16 = 1;
const CHAIN_MAX: usize = 4;
