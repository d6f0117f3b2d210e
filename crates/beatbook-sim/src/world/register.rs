//! The simulator's own account of the register: who is admitted, and who may read what.
//!
//! The server's rows are written from it; an oracle reads it, and shares no code with the server.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger::LedgerError;
use beatbook_core::register::{self, Enrolment, Officer, Posting};
use beatbook_core::store::Transaction;
use beatbook_proto::{Code, EnrolmentId, OfficerId, PublicKey, Scope};

use super::{Event, World};
use crate::fact::{RegisterChange, What};
use crate::plan::Plan;
use crate::random::Random;

/// What the register says, or ought to.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    beats: Vec<String>,
    pub(super) officers: Vec<TrueOfficer>,
    enrolments: BTreeMap<EnrolmentId, TrueEnrolment>,
}

/// An officer as the register ought to have them.
#[derive(Clone, Debug)]
pub(super) struct TrueOfficer {
    pub(super) id: OfficerId,
    collar: String,
    pub(super) role: String,
    /// As indexes into the beats of the plan.
    pub(super) beats: BTreeSet<usize>,
    /// Every beat that the officer was ever posted to.
    had: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
struct TrueEnrolment {
    officer: usize,
    key: PublicKey,
    revoked: bool,
}

impl Truth {
    pub(super) fn of(plan: &Plan) -> Self {
        let officers = plan
            .officers
            .iter()
            .enumerate()
            .map(|(index, officer)| TrueOfficer {
                id: OfficerId::from_bytes(Random::indexed(plan.seed, "officer", index as u64).bytes()),
                collar: format!("{}", 7001 + index),
                role: officer.role.to_owned(),
                beats: officer.beats.iter().copied().collect(),
                had: BTreeSet::new(),
            });
        Self {
            beats: plan.beats.clone(),
            officers: officers.collect(),
            enrolments: BTreeMap::new(),
        }
    }

    /// What an officer may read: own books, reference, the beats posted to, and their sensitive class from sergeant up.
    pub(super) fn granted(&self, officer: OfficerId) -> Vec<Scope> {
        let mut scopes = vec![Scope::Own, Scope::Reference];
        let Some(officer) = self.officers.iter().find(|known| known.id == officer) else {
            return Vec::new();
        };
        for beat in &officer.beats {
            let Ok(beat) = Code::new(self.beats[*beat].as_str()) else {
                continue;
            };
            if officer.role != "PCSO" {
                scopes.push(Scope::Beat {
                    beat: beat.clone(),
                    class: 1,
                });
            }
            scopes.push(Scope::Beat { beat, class: 0 });
        }
        scopes.sort();
        scopes
    }

    pub(super) fn is_admitted(&self, enrolment: EnrolmentId) -> bool {
        self.enrolments.get(&enrolment).is_some_and(|row| !row.revoked)
    }

    /// Writes every row as it ought to be, as an administrator does from the paper.
    pub(super) fn write(&self, tx: &mut Transaction<'_>) -> Result<(), LedgerError> {
        for officer in &self.officers {
            officer.write(tx, &self.beats)?;
        }
        for (id, enrolment) in &self.enrolments {
            self.write_enrolment(tx, *id, enrolment)?;
        }
        Ok(())
    }

    fn write_enrolment(
        &self,
        tx: &mut Transaction<'_>,
        id: EnrolmentId,
        enrolment: &TrueEnrolment,
    ) -> Result<(), LedgerError> {
        register::put(
            tx,
            &Enrolment {
                id,
                officer: self.officers[enrolment.officer].id,
                label: "a device".to_owned(),
                key: Some(enrolment.key.clone()),
                issued_at_ms: 0,
                enrolled_at_ms: Some(0),
                revoked_at_ms: enrolment.revoked.then_some(1),
                last_contact_ms: None,
            },
        )
    }
}

impl TrueOfficer {
    fn write(&self, tx: &mut Transaction<'_>, beats: &[String]) -> Result<(), LedgerError> {
        let code =
            |word: &str| Code::new(word).map_err(|_| LedgerError::PeerMisbehaved("a word that is no code"));
        let role = code(&self.role)?;
        let (collar, name) = (self.collar.clone(), "A. Officer".to_owned());
        register::put(
            tx,
            &Officer {
                id: self.id,
                collar,
                name,
                role,
                added_at_ms: 0,
            },
        )?;
        let former: Result<Vec<Code>, _> = self
            .had
            .difference(&self.beats)
            .map(|beat| code(&beats[*beat]))
            .collect();
        let former = former?;
        if !self.had.is_empty() {
            // Over for whatever clock the server shows, and still in the register.
            let ended = Posting {
                officer: self.id,
                beats: former,
                from_ms: ENDED_MS,
                until_ms: Some(ENDED_MS + 1),
            };
            register::put(tx, &ended)?;
        }
        let beats: Result<Vec<Code>, _> = self.beats.iter().map(|beat| code(&beats[*beat])).collect();
        // Open on both ends: which clock the server shows decides nothing.
        let posting = Posting {
            officer: self.id,
            beats: beats?,
            from_ms: i64::MIN,
            until_ms: None,
        };
        register::put(tx, &posting)
    }
}

impl World<'_> {
    /// Changes the register, and wakes whoever decides by it.
    fn register_changes(&mut self, before: Truth, change: RegisterChange) {
        match self.write_register() {
            Some(Ok(())) => {}
            Some(Err(_)) => {
                self.truth = before;
                return;
            }
            // The server died over it; it is entered again when the server is back.
            None => {}
        }
        self.tell(What::RegisterChanged { change });
        let asking: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_served())
            .map(|(id, _)| *id)
            .collect();
        for session in asking {
            self.after(1, Event::Register { session });
        }
    }

    /// Writes the register as it ought to be; `None` where the server is down, or dies over it.
    pub(super) fn write_register(&mut self) -> Option<Result<(), LedgerError>> {
        let truth = self.truth.clone();
        self.server_commit(move |tx| truth.write(tx))
    }

    pub(super) fn admit(&mut self, id: EnrolmentId, officer: usize, key: PublicKey) {
        let row = TrueEnrolment {
            officer,
            key,
            revoked: false,
        };
        self.truth.enrolments.insert(id, row);
    }

    pub(super) fn revoke(&mut self, id: EnrolmentId) {
        let before = self.truth.clone();
        if let Some(row) = self.truth.enrolments.get_mut(&id) {
            row.revoked = true;
        }
        self.register_changes(before, RegisterChange::Revoked { enrolment: id });
    }

    pub(super) fn post(&mut self, officer: usize, beats: BTreeSet<usize>) {
        let before = self.truth.clone();
        let row = &mut self.truth.officers[officer];
        row.had.extend(&row.beats);
        row.beats = beats;
        let (officer, beats) = (
            row.id,
            row.beats
                .iter()
                .map(|beat| self.plan.beats[*beat].clone())
                .collect(),
        );
        self.register_changes(before, RegisterChange::Posted { officer, beats });
    }

    pub(super) fn promote(&mut self, officer: usize, role: &str) {
        let before = self.truth.clone();
        let row = &mut self.truth.officers[officer];
        row.role = role.to_owned();
        let officer = row.id;
        self.register_changes(
            before,
            RegisterChange::Role {
                officer,
                role: role.to_owned(),
            },
        );
    }
}

/// Long before any time that a clock can show.
const ENDED_MS: i64 = i64::MIN / 2;
