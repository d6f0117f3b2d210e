//! The register: officers, postings, beats, devices and their tokens.

use beatbook_core::ledger::LedgerError;
use beatbook_core::register::{self, Beat, Enrolment, Officer, Posting, Row, Token};
use beatbook_core::store::{Read, StoreError, Transaction};
use beatbook_proto::{Code, EnrolmentId, OfficerId};
use beatbook_quic::{Secret, ServerAddress};
use beatbook_records::schema::Form;
use serde::Serialize;

use crate::enrolment::{beats_of, hash_of, put_token, remove_token};
use crate::keys::KeysError;
use crate::store::{ServerStore, fresh_id, now_ms};

/// An officer to be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOfficer {
    /// The collar number; no other officer may have it.
    pub collar: String,
    /// The name.
    pub name: String,
    /// The role, as `PCSO` or `sergeant`.
    pub role: String,
    /// Beats to be posted to, as `C02` or `52/C02`.
    pub beats: Vec<String>,
    /// From when on; at once if left out.
    pub from_ms: Option<i64>,
}

impl NewOfficer {
    /// An officer without a posting.
    pub fn new(collar: &str, name: &str, role: &str) -> Self {
        Self {
            collar: collar.to_owned(),
            name: name.to_owned(),
            role: role.to_owned(),
            beats: Vec::new(),
            from_ms: None,
        }
    }

    /// Posts the officer to beats.
    #[must_use]
    pub fn on_beats(mut self, beats: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.beats = beats.into_iter().map(Into::into).collect();
        self
    }
}

/// A beat to be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBeat {
    /// Its id, as `C02` or `52/C02`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The neighbourhood it belongs to.
    pub neighbourhood: String,
    /// Its boundary as GeoJSON, empty if not known.
    pub boundary: String,
}

impl NewBeat {
    /// A beat without a boundary.
    pub fn new(id: &str, name: &str, neighbourhood: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            neighbourhood: neighbourhood.to_owned(),
            boundary: String::new(),
        }
    }
}

/// What an import of beats did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BeatReport {
    /// Beats entered for the first time.
    pub added: u64,
    /// Beats that were known otherwise.
    pub changed: u64,
    /// Beats that were known just so.
    pub unchanged: u64,
}

/// An officer, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfficerRow {
    /// The collar number.
    pub collar: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// Beats posted to now.
    pub beats: Vec<String>,
    /// Devices that are enrolled and not revoked.
    pub devices: u64,
    /// The stable id.
    pub officer: String,
}

/// A device, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    /// The enrolment's id.
    pub id: String,
    /// The officer's collar number.
    pub collar: String,
    /// What people call the device.
    pub label: String,
    /// `issued`, `enrolled` or `revoked`.
    pub state: &'static str,
    /// When its token was issued, milliseconds since 1970.
    pub issued_at_ms: i64,
    /// When it enrolled.
    pub enrolled_at_ms: Option<i64>,
    /// When it was last in touch.
    pub last_contact_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
}

/// A token that was issued. It is shown once: nobody can read it again.
#[derive(Clone, Debug)]
pub struct Issued {
    /// What the device enrols with.
    pub token: beatbook_quic::Token,
    /// The enrolment that it opens.
    pub enrolment: EnrolmentId,
    /// Until when it may be used, milliseconds since 1970.
    pub expires_at_ms: i64,
}

impl ServerStore {
    /// Enters an officer.
    pub fn add_officer(&self, new: &NewOfficer) -> Result<Officer, AdminError> {
        if Form::Collar.check(&new.collar).is_err() {
            return Err(AdminError::Collar(new.collar.clone()));
        }
        if new.name.trim().is_empty() || Form::Line.check(&new.name).is_err() {
            return Err(AdminError::Name);
        }
        let now = now_ms();
        let officer = Officer {
            id: OfficerId::from(fresh_id()?),
            collar: new.collar.clone(),
            name: new.name.clone(),
            role: role_named(&new.role)?,
            added_at_ms: now,
        };
        let beats = self.beat_ids(&new.beats)?;
        let posting = (!beats.is_empty()).then(|| Posting {
            officer: officer.id,
            beats,
            from_ms: new.from_ms.unwrap_or(now),
            until_ms: None,
        });
        let added = officer.clone();
        self.commit(move |tx| -> Result<(), AdminError> {
            if register::officer_by_collar(tx, &officer.collar)?.is_some() {
                return Err(AdminError::CollarTaken(officer.collar.clone()));
            }
            register::put(tx, &officer)?;
            match posting {
                Some(posting) => put_posting(tx, &posting, &officer.collar),
                None => Ok(()),
            }
        })?;
        Ok(added)
    }

    /// Posts an officer to beats for a time; other postings stay.
    pub fn post_officer(
        &self,
        collar: &str,
        beats: &[String],
        from_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> Result<Posting, AdminError> {
        let beats = self.beat_ids(beats)?;
        if beats.is_empty() {
            return Err(AdminError::NoBeats);
        }
        let from_ms = from_ms.unwrap_or_else(now_ms);
        if until_ms.is_some_and(|until| until <= from_ms) {
            return Err(AdminError::EndsBefore);
        }
        let collar = collar.to_owned();
        let posted = self.commit(move |tx| -> Result<Posting, AdminError> {
            let officer = officer_named(tx, &collar)?;
            let posting = Posting {
                officer: officer.id,
                beats,
                from_ms,
                until_ms,
            };
            put_posting(tx, &posting, &collar)?;
            Ok(posting)
        })?;
        self.register_changed();
        Ok(posted)
    }

    /// Lists the officers, by collar number.
    pub fn officers(&self) -> Result<Vec<OfficerRow>, AdminError> {
        self.read(|read| {
            let devices: Vec<Enrolment> = register::list(read)?;
            let mut rows = Vec::new();
            for officer in register::list::<Officer>(read)? {
                let own = devices.iter().filter(|device| {
                    device.officer == officer.id && device.key.is_some() && device.revoked_at_ms.is_none()
                });
                rows.push(OfficerRow {
                    beats: beats_of(read, &officer, now_ms())?
                        .iter()
                        .map(|beat| beat.as_str().to_owned())
                        .collect(),
                    devices: own.count() as u64,
                    collar: officer.collar,
                    name: officer.name,
                    role: officer.role.as_str().to_owned(),
                    officer: officer.id.to_string(),
                });
            }
            rows.sort_by(|a, b| (a.collar.len(), &a.collar).cmp(&(b.collar.len(), &b.collar)));
            Ok(rows)
        })
    }

    /// Enters beats, or brings them up to date; all or none.
    pub fn import_beats(&self, beats: &[NewBeat]) -> Result<BeatReport, AdminError> {
        let mut rows = Vec::with_capacity(beats.len());
        for beat in beats {
            rows.push(Beat {
                id: self.beat_id(&beat.id)?,
                name: beat.name.clone(),
                neighbourhood: beat.neighbourhood.clone(),
                boundary: beat.boundary.clone(),
            });
        }
        self.commit(move |tx| -> Result<BeatReport, AdminError> {
            let mut report = BeatReport::default();
            for row in rows {
                match register::get::<Beat>(tx, row.id.as_str().as_bytes())? {
                    None => report.added += 1,
                    Some(known) if known == row => {
                        report.unchanged += 1;
                        continue;
                    }
                    Some(_) => report.changed += 1,
                }
                register::put(tx, &row)?;
            }
            Ok(report)
        })
    }

    /// Lists the beats, by id.
    pub fn beats(&self) -> Result<Vec<Beat>, AdminError> {
        Ok(self.read(register::list)?)
    }

    /// Issues a token with which one device of an officer enrols.
    pub fn issue_device(
        &self,
        collar: &str,
        label: &str,
        address: &ServerAddress,
        valid_for_ms: Option<i64>,
    ) -> Result<Issued, AdminError> {
        if Form::Line.check(label).is_err() {
            return Err(AdminError::Label);
        }
        let secret = Secret::generate().map_err(|_| KeysError::Random)?;
        let hash = hash_of(&secret.digest());
        let now = now_ms();
        let valid_for_ms = valid_for_ms.unwrap_or(i64::from(self.config().token_minutes) * 60_000);
        let expires_at_ms = now.saturating_add(valid_for_ms);
        let id = EnrolmentId::from(fresh_id()?);
        let (collar, label) = (collar.to_owned(), label.to_owned());
        self.commit(move |tx| -> Result<(), AdminError> {
            let officer = officer_named(tx, &collar)?;
            let enrolment = Enrolment {
                id,
                officer: officer.id,
                label,
                key: None,
                issued_at_ms: now,
                enrolled_at_ms: None,
                revoked_at_ms: None,
                last_contact_ms: None,
            };
            register::put(tx, &enrolment)?;
            let token = Token {
                enrolment: id,
                hash,
                expires_at_ms,
                used_at_ms: None,
                tries: 0,
            };
            Ok(put_token(tx, &token)?)
        })?;
        Ok(Issued {
            token: beatbook_quic::Token::new(address.clone(), self.pin(), secret),
            enrolment: id,
            expires_at_ms,
        })
    }

    /// Lists the devices, newest first.
    pub fn devices(&self) -> Result<Vec<DeviceRow>, AdminError> {
        self.read(|read| {
            let officers: Vec<Officer> = register::list(read)?;
            let collar_of = |id: OfficerId| {
                let officer = officers.iter().find(|officer| officer.id == id);
                officer.map_or_else(String::new, |officer| officer.collar.clone())
            };
            let devices: Vec<Enrolment> = register::list(read)?;
            let mut rows: Vec<DeviceRow> = devices
                .into_iter()
                .map(|device| DeviceRow {
                    id: device.id.to_string(),
                    collar: collar_of(device.officer),
                    state: match (&device.key, device.revoked_at_ms) {
                        (_, Some(_)) => "revoked",
                        (Some(_), None) => "enrolled",
                        (None, None) => "issued",
                    },
                    label: device.label,
                    issued_at_ms: device.issued_at_ms,
                    enrolled_at_ms: device.enrolled_at_ms,
                    last_contact_ms: device.last_contact_ms,
                    revoked_at_ms: device.revoked_at_ms,
                })
                .collect();
            rows.sort_by(|a, b| (b.issued_at_ms, &b.id).cmp(&(a.issued_at_ms, &a.id)));
            Ok(rows)
        })
    }

    /// Revokes a device by its id or the beginning of it: nothing of it is taken in any more, nothing is served to it.
    pub fn revoke_device(&self, id: &str) -> Result<DeviceRow, AdminError> {
        let wanted = id.trim().to_ascii_lowercase();
        let revoked = self.commit(move |tx| -> Result<EnrolmentId, AdminError> {
            let devices: Vec<Enrolment> = register::list(tx)?;
            let mut found = devices
                .into_iter()
                .filter(|device| wanted.len() >= ID_PREFIX_MIN && device.id.to_string().starts_with(&wanted));
            let mut device = match (found.next(), found.next()) {
                (Some(device), None) => device,
                (None, _) => return Err(AdminError::NoSuchDevice(wanted)),
                (Some(_), Some(_)) => return Err(AdminError::ManyDevices(wanted)),
            };
            // The first revocation is the one that counts.
            device.revoked_at_ms.get_or_insert(now_ms());
            register::put(tx, &device)?;
            remove_token(tx, device.id)?;
            Ok(device.id)
        })?;
        self.register_changed();
        let id = revoked.to_string();
        let row = self.devices()?.into_iter().find(|row| row.id == id);
        row.ok_or(AdminError::NoSuchDevice(id))
    }

    /// A beat's whole id: `C02` is the force's own.
    fn beat_id(&self, text: &str) -> Result<Code, AdminError> {
        let text = text.trim();
        let whole = match text.contains('/') {
            true => text.to_owned(),
            false => format!("{}/{text}", self.config().force),
        };
        let malformed = || AdminError::Beat(text.to_owned());
        if Form::Beat.check(&whole).is_err() {
            return Err(malformed());
        }
        Code::new(whole).map_err(|_| malformed())
    }

    fn beat_ids(&self, beats: &[String]) -> Result<Vec<Code>, AdminError> {
        beats.iter().map(|beat| self.beat_id(beat)).collect()
    }
}

/// Why the register was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// A beat's id is none.
    #[error("{0} is not a beat id; write it as C02 or 52/C02")]
    Beat(String),
    /// A collar number is none.
    #[error("{0} is not a collar number; give one to six letters and digits")]
    Collar(String),
    /// Another officer has the collar number.
    #[error("collar number {0} is in use; choose another, or see `officer list`")]
    CollarTaken(String),
    /// A posting ends before it begins.
    #[error("the posting ends before it begins; correct --from or --until")]
    EndsBefore,
    /// No random bytes.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A label is more than one line.
    #[error("the label of a device is one line of plain text; correct it")]
    Label,
    /// The store failed, or a value is too large for it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// More than one device has an id that begins so.
    #[error("more than one device has an id that begins with {0}; give more of it")]
    ManyDevices(String),
    /// An officer's name is missing or more than one line.
    #[error("the name of an officer is one line of plain text; give it")]
    Name,
    /// A posting without a beat.
    #[error("a posting needs at least one beat; give --beats")]
    NoBeats,
    /// The beat is not in the register.
    #[error("there is no beat {0}; import it first with `beat import`")]
    NoSuchBeat(String),
    /// The device is not in the register.
    #[error("there is no device {0}; see `device list`")]
    NoSuchDevice(String),
    /// The officer is not in the register.
    #[error("there is no officer {0}; see `officer list`")]
    NoSuchOfficer(String),
    /// There is another posting of that officer from that very time.
    #[error("officer {0} has another posting from the same time; choose another --from")]
    PostingTaken(String),
    /// The role is none.
    #[error("{0} is not a role; choose one of PCSO, PC, SPECIAL, SGT, INSP, CINSP, STAFF, VOLUNTEER")]
    Role(String),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

fn officer_named(read: &dyn Read, collar: &str) -> Result<Officer, AdminError> {
    register::officer_by_collar(read, collar)?.ok_or_else(|| AdminError::NoSuchOfficer(collar.to_owned()))
}

/// Postings are kept by officer and beginning: another one from the same time would take the place of the first.
fn put_posting(tx: &mut Transaction<'_>, posting: &Posting, collar: &str) -> Result<(), AdminError> {
    for beat in &posting.beats {
        if register::get::<Beat>(tx, beat.as_str().as_bytes())?.is_none() {
            return Err(AdminError::NoSuchBeat(beat.as_str().to_owned()));
        }
    }
    match register::get::<Posting>(tx, &posting.key())? {
        Some(known) if known != *posting => Err(AdminError::PostingTaken(collar.to_owned())),
        _ => Ok(register::put(tx, posting)?),
    }
}

/// The role of a name: the word itself in any case, or what people call it.
fn role_named(name: &str) -> Result<Code, AdminError> {
    let word = match name.trim().to_ascii_lowercase().as_str() {
        "pcso" => "PCSO",
        "pc" | "constable" => "PC",
        "special" | "special constable" => "SPECIAL",
        "sgt" | "sergeant" => "SGT",
        "insp" | "inspector" => "INSP",
        "cinsp" | "chief inspector" => "CINSP",
        "staff" => "STAFF",
        "volunteer" => "VOLUNTEER",
        _ => return Err(AdminError::Role(name.to_owned())),
    };
    Code::new(word).map_err(|_| AdminError::Role(name.to_owned()))
}

/// Least characters of an id that name a device.
const ID_PREFIX_MIN: usize = 4;

#[cfg(test)]
mod tests;
