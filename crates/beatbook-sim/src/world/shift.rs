//! Work: what officers do on a day, drawn around the workload model of a real late turn.
//!
//! A real turn has 118 entries in the median; a small seed draws a lighter day in the same proportions. Two in three
//! breadcrumbs are left out, since each is like the next.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger::{self, Draft, LedgerError, ReadToken, Written};
use beatbook_core::merge::{Concurrency, Head};
use beatbook_core::store::{StoreError, Transaction};
use beatbook_proto::{
    Entry, FieldId, FieldOp, RecordId, ReplicaKind, RevisionKind, RunSecret, Text, Value, VersionVector,
};
use beatbook_records::build::{
    Breadcrumb, Contact, Note, Op, Remark, Segment, Setting, Shift, Signature, Stop, Strike, remark_ops,
    sign_ops, state_ops, strike_ops, supplement_ops, void_ops,
};
use beatbook_records::vocabulary::{Lifecycle, Marking, NoteKind, PatrolMode, Role, StopKind};
use beatbook_records::{MergedField, MergedFields, check_write, field};

use super::acted::content;
use super::device::{code, cover_book};
use super::{Event, World};
use crate::fact::{DeviceIndex, What, Wrote};
use crate::fault::FaultKind;
use crate::mark::Mark;
use crate::random::Random;

mod ops;

pub(super) use ops::settling;
use ops::{amendment, prose, text, text_field, text_of, track};

/// What an officer has in mind and in hand.
#[derive(Debug, Default)]
pub(super) struct Work {
    known: Vec<RecordId>,
    conflicts: BTreeSet<RecordId>,
    /// Read a while ago, and still open on the screen.
    read: BTreeMap<RecordId, ReadToken>,
    was_refused_for_space: bool,
}

impl Work {
    /// A record came to this device, or was founded on it.
    pub(super) fn knows(&mut self, record: RecordId) {
        if !self.known.contains(&record) {
            self.known.push(record);
        }
    }

    /// Records left this device.
    pub(super) fn forget(&mut self, records: &[RecordId]) {
        self.known.retain(|record| !records.contains(record));
        self.conflicts.retain(|record| !records.contains(record));
    }

    /// A conflict is shown; true if it was not shown before.
    pub(super) fn shows_conflict(&mut self, record: RecordId) -> bool {
        self.conflicts.insert(record)
    }

    /// One of the few records that everyone works on: the oldest that are known here.
    fn shared(&self, random: &mut Random) -> Option<RecordId> {
        let mut known = self.known.clone();
        known.sort_unstable();
        known.truncate(SHARED_RECORDS);
        random.choose(&known).copied()
    }

    /// The app is gone with what was on its screen.
    pub(super) fn forms_are_lost(&mut self) {
        self.read.clear();
    }
}

/// A change that is being written down.
#[derive(Debug)]
pub(super) struct Form {
    token: ReadToken,
    head: Head,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Amend,
    Annotate,
    Mark,
    Move,
    Resolve,
    Sign,
    State,
    Strike,
    Supplement,
    Void,
}

/// A draft with what is known of it beside its bytes.
pub(super) struct Writing {
    draft: Draft,
    word: String,
    poison: bool,
}

impl Writing {
    /// What every check lets pass.
    pub(super) fn plain(draft: Draft, word: String) -> Self {
        let poison = false;
        Self { draft, word, poison }
    }
}

impl World<'_> {
    /// Puts the shifts of every device on the calendar.
    pub(super) fn plan_days(&mut self) {
        for device in 0..self.devices.len() {
            self.plan_shifts_of(device);
        }
        let first = 8 * HOUR_MS + self.server.random.around(120) as i64 * 60_000;
        self.after(first, Event::Backup);
    }

    /// Puts the shifts of one device on the calendar, from today on.
    pub(super) fn plan_shifts_of(&mut self, index: usize) {
        let plan = self.devices[index].plan.clone();
        let mut random = Random::indexed(self.plan.seed, "shifts", index as u64);
        let today = ((self.now_ms - crate::plan::BEGINS_AT_MS) / DAY_MS) as u32;
        let mut absent = 0;
        for day in plan.first_day.max(today)..self.plan.days.max(plan.first_day + 1) {
            let midnight = crate::plan::BEGINS_AT_MS + i64::from(day + absent) * DAY_MS;
            // Early turns begin at 08:00, late ones at 14:00.
            let begins = midnight + if random.percent(47) { 8 } else { 14 } * HOUR_MS;
            let ends = begins + 8 * HOUR_MS;
            self.work_ends_ms = self.work_ends_ms.max(ends);
            self.at(
                begins,
                Event::OnDuty {
                    device: index,
                    on: true,
                },
            );
            let p50 = self.plan.entries_per_day;
            let entries = random.between(p50 * 6 / 10, p50 * 14 / 10);
            for _ in 0..entries {
                let at = begins + 60_000 + random.below((8 * HOUR_MS - 120_000) as u64) as i64;
                self.at(at, Event::Act { device: index });
            }
            self.at(
                ends,
                Event::OnDuty {
                    device: index,
                    on: false,
                },
            );
            absent = plan.absent_days;
        }
    }

    /// A shift begins, or ends.
    pub(super) fn on_duty(&mut self, index: usize, on: bool) {
        if self.healing || self.devices[index].enrolled.given_up {
            return;
        }
        self.devices[index].on_duty = on;
        if !on {
            self.stop_agent(index);
            return;
        }
        let coverage = self.devices[index].random.around(60) as i64 * 60_000;
        self.after(coverage, Event::Weather { device: index });
        if self.devices[index].is_up() {
            self.start_agent(index);
            self.found_shift(index);
        }
    }

    /// The officer does something.
    pub(super) fn act(&mut self, index: usize) {
        let device = &self.devices[index];
        let asleep = device.asleep_until_ms > self.now_ms;
        if self.healing || asleep || device.scripted || !device.is_up() || device.enrolled.given_up {
            return;
        }
        let new_percent = if self.plan.shared {
            NEW_PERCENT_SHARED
        } else {
            NEW_PERCENT
        };
        if self.devices[index].random.percent(new_percent) || self.devices[index].work.known.is_empty() {
            let writing = self.something_new(index);
            self.write(index, writing);
            return;
        }
        if let Some(form) = self.open_form(index) {
            // Some forms are open for long: what comes in meanwhile was not read.
            let delay = match self.devices[index].random.percent(60) {
                true => 0,
                false => self.devices[index].random.between(1_000, 40 * 60_000) as i64,
            };
            let life = self.devices[index].life;
            self.after(
                delay,
                Event::Save {
                    device: index,
                    life,
                    form: Box::new(form),
                },
            );
        }
    }

    /// Chooses a record that the device shows, and what is to be changed of it.
    fn open_form(&mut self, index: usize) -> Option<Form> {
        let device = &mut self.devices[index];
        let settles = device.plan.officer % 4 == 1 || device.random.percent(50);
        let conflicts: Vec<RecordId> = device.work.conflicts.iter().copied().collect();
        let wanted = match device.random.choose(&conflicts) {
            // Some go on writing where two versions stand, and are refused.
            Some(record) if settles || device.random.percent(30) => *record,
            _ if self.plan.shared && device.random.percent(60) => device.work.shared(&mut device.random)?,
            // Newer ones are looked at more.
            _ => {
                let known = &device.work.known;
                let back = device
                    .random
                    .below(known.len() as u64)
                    .min(device.random.below(known.len() as u64));
                *known.get(known.len() - 1 - back as usize)?
            }
        };
        let store = device.store.as_ref()?;
        let head = store.read(|read| ledger::head(read, ledger::record_name(read, wanted)?));
        let Some(head) = head.ok().flatten() else {
            device.work.forget(&[wanted]);
            return None;
        };
        let conflicted = head.concurrency() == Concurrency::Conflict;
        if !conflicted {
            device.work.conflicts.remove(&wanted);
        }
        let change = match conflicted && settles {
            true => Change::Resolve,
            false if self.plan.shared && device.random.percent(70) => Change::Amend,
            false => CHANGES[device.random.weighted(&CHANGE_WEIGHTS)],
        };
        let fresh = ReadToken::of(&head);
        // Some write on what they read a while ago.
        let token = match device.work.read.get(&head.record) {
            Some(stale) if device.random.percent(20) && change != Change::Resolve => stale.clone(),
            _ => fresh.clone(),
        };
        if device.random.percent(30) {
            device.work.read.insert(head.record, fresh);
        }
        Some(Form { token, head, change })
    }

    /// A form is saved.
    pub(super) fn save(&mut self, index: usize, life: u64, form: Form) {
        if self.healing || self.devices[index].life != life || !self.devices[index].is_up() {
            return;
        }
        if let Some(writing) = self.filled_in(index, &form) {
            let offline = self.devices[index].agent.session.is_none();
            let resolved = form.change == Change::Resolve;
            if self.write(index, writing).is_some() && resolved {
                self.devices[index].work.conflicts.remove(&form.head.record);
                if offline {
                    self.reach(Mark::ConflictResolvedOffline);
                }
            }
        }
    }

    /// The draft that a form becomes; `None` where there is nothing to fill in.
    fn filled_in(&mut self, index: usize, form: &Form) -> Option<Writing> {
        let word = self.word(index);
        let now = self.instant(index);
        let (kind, ops) = self.change(index, form, &word, now)?;
        let device = &mut self.devices[index];
        let draft = Draft {
            log: ReplicaKind::Book,
            token: Some(form.token.clone()),
            family: form.head.family.clone(),
            kind,
            schema: 1,
            recorded_at: device.clock.stamp(self.now_ms),
            reason: Text::new(format!("put right {word}")),
            ops,
        };
        Some(Writing::plain(draft, word))
    }

    /// What a form's change comes to.
    fn change(
        &mut self,
        index: usize,
        form: &Form,
        word: &str,
        now: beatbook_proto::Instant,
    ) -> Option<(RevisionKind, Vec<Op>)> {
        let text_field = text_field(form.head.family.as_str());
        let device = &mut self.devices[index];
        let remark = || Remark {
            words: word.to_owned(),
            at: now,
            by: Some("7001".to_owned()),
            initials: Some("AO".to_owned()),
        };
        Some(match form.change {
            Change::Amend => (
                RevisionKind::AMEND,
                amendment(&mut device.random, text_field, word, self.plan.shared)?,
            ),
            Change::Annotate => (RevisionKind::ANNOTATE, remark_ops(&remark()).ok()?),
            Change::Mark => {
                let marking = match device.random.percent(70) {
                    true => Marking::OfficialSensitive,
                    false => Marking::Official,
                };
                (
                    RevisionKind::AMEND,
                    vec![(field::MARKING, FieldOp::Set(Value::Code(marking.code())))],
                )
            }
            Change::Move => {
                let beat = device.random.choose(&self.plan.beats)?;
                (
                    RevisionKind::AMEND,
                    vec![(field::BEAT, FieldOp::Set(Value::Code(code(beat))))],
                )
            }
            Change::Resolve => (RevisionKind::RESOLVE, settling(&form.head)),
            Change::Sign => {
                let signature = Signature {
                    at: now,
                    initials: "AO".to_owned(),
                    collar: None,
                    role: None,
                };
                (
                    RevisionKind::SIGN,
                    sign_ops(&MergedFields::new(), &signature).ok()?,
                )
            }
            Change::State => {
                let to = [Lifecycle::Submitted, Lifecycle::Checked][device.random.weighted(&[4, 1])].clone();
                (RevisionKind::STATE, state_ops(&to))
            }
            Change::Strike => {
                let body = text_of(&form.head, field::BODY)?;
                let struck = body.split(' ').next()?.to_owned();
                let strike = Strike::of_words(&body, &struck, "mistaken", "AO", now)?;
                (RevisionKind::STRIKE, strike_ops(&[strike]).ok()?)
            }
            Change::Supplement => (RevisionKind::SUPPLEMENT, supplement_ops(&remark()).ok()?),
            Change::Void => (RevisionKind::VOID, void_ops()),
        })
    }

    fn found_shift(&mut self, index: usize) {
        let word = self.word(index);
        let setting = self.setting(index);
        let shift = Shift {
            setting,
            rostered: None,
            team: None,
            call_sign: Some("WS21".to_owned()),
            briefing_ref: None,
            devices: Vec::new(),
            duty_states: Vec::new(),
        };
        if let Ok(ops) = shift.ops() {
            let draft = self.founding(index, Shift::FAMILY, ops, &word);
            self.write(index, Writing::plain(draft, word));
        }
    }

    /// A new record, in the proportions of a late turn.
    pub(super) fn something_new(&mut self, index: usize) -> Writing {
        let word = self.word(index);
        let setting = self.setting(index);
        let newer = self.has(FaultKind::UnknownContent) && self.devices[index].plan.newer;
        let (poisons, large) = (
            self.has(FaultKind::PoisonRecord),
            self.has(FaultKind::OversizedBatch),
        );
        let random = &mut self.devices[index].random;
        if newer && random.percent(15) {
            return self.of_tomorrow(index, &setting, word);
        }
        if poisons && random.percent(10) {
            return self.poisoned(index, &setting, word);
        }
        let length = match random.below(10) {
            0 if large => 19_000,
            0 => 1_200,
            _ => random.between(40, 400) as usize,
        };
        if length == 19_000 {
            self.count_fault(FaultKind::OversizedBatch);
        }
        let words = prose(&word, length);
        let random = &mut self.devices[index].random;
        let chosen = random.weighted(&[12, 8, 14, 3, 22]);
        let (family, ops) = match chosen {
            0 => (
                Note::FAMILY,
                Note::new(setting, NoteKind::Observation, words).ops(),
            ),
            1 => {
                let mut contact = Contact::at(setting);
                contact.summary = Some(words);
                (Contact::FAMILY, contact.ops())
            }
            2 => {
                let mut stop = Stop::new(setting, StopKind::School);
                stop.follow_up = Some(prose(&word, length.min(900)));
                stop.contacts_made = 2;
                (Stop::FAMILY, stop.ops())
            }
            3 => {
                let mut segment = Segment::new(setting, PatrolMode::Foot);
                segment.summary = Some(words);
                (Segment::FAMILY, segment.ops())
            }
            _ => {
                let at_ms = setting
                    .occurred
                    .as_ref()
                    .map_or(0, |occurred| occurred.from.utc_ms);
                let crumb = Breadcrumb {
                    points: track(&mut self.devices[index].random, at_ms),
                    setting,
                    offset_min: 0,
                    segment: None,
                    duty_state: None,
                };
                (Breadcrumb::FAMILY, crumb.ops())
            }
        };
        let draft = self.founding(index, family, ops.unwrap_or_default(), &word);
        Writing::plain(draft, word)
    }

    /// A record as a newer client writes it.
    fn of_tomorrow(&mut self, index: usize, setting: &Setting, word: String) -> Writing {
        let ops = vec![
            (field::BEAT, FieldOp::Set(Value::Code(code(&setting.beat)))),
            (UNKNOWN_FIELD, FieldOp::Set(Value::Text(text(&word)))),
            (
                FieldId(901),
                FieldOp::Set(Value::Code(code("A_WORD_OF_TOMORROW"))),
            ),
        ];
        self.count_fault(FaultKind::UnknownContent);
        let draft = self.founding(index, "DRONE_LOG", ops, &word);
        Writing::plain(draft, word)
    }

    /// A record that no check lets pass.
    fn poisoned(&mut self, index: usize, setting: &Setting, word: String) -> Writing {
        let ops = vec![
            (field::BEAT, FieldOp::Set(Value::Code(code(&setting.beat)))),
            (field::BODY, FieldOp::Set(Value::Int(7))),
        ];
        self.count_fault(FaultKind::PoisonRecord);
        let draft = self.founding(index, Note::FAMILY, ops, &word);
        Writing {
            draft,
            word,
            poison: true,
        }
    }

    pub(super) fn founding(&mut self, index: usize, family: &str, ops: Vec<Op>, word: &str) -> Draft {
        let log = match family == Breadcrumb::FAMILY {
            true => ReplicaKind::Trace,
            false => ReplicaKind::Book,
        };
        Draft {
            log,
            token: None,
            family: code(family),
            kind: RevisionKind::CREATE,
            schema: 1,
            recorded_at: self.devices[index].clock.stamp(self.now_ms),
            reason: Text::new(format!("noted {word}")),
            ops,
        }
    }

    /// Writes: ledger, seal and lease in one commit, as the field does. What is acknowledged is told.
    pub(super) fn write(&mut self, index: usize, writing: Writing) -> Option<Written> {
        let Writing { draft, word, poison } = writing;
        let record = draft.token.as_ref().map(|token| token.record);
        let read = draft.token.as_ref().map(|token| token.vector.clone());
        let (kind, log) = (draft.kind, draft.log);
        let signs = kind == RevisionKind::SIGN;
        let secret: [u8; 32] = self.devices[index].random.bytes();
        let role = Role::from(&code(self.plan.officers[self.devices[index].plan.officer].role));
        let done = self.device_commit(index, |tx, env, leases| {
            if !poison {
                check(tx, &draft, &role)?;
            }
            let written = ledger::write(tx, draft)?;
            let mut secret = secret;
            while signs
                && ledger::seal_pending(tx, written.dot.replica, env.signer, RunSecret(secret), RUN_BYTES)?
                    .is_some()
            {
                secret[0] = secret[0].wrapping_add(1);
            }
            let book = ledger::book(tx, written.dot.replica)?.ok_or(LedgerError::NoBook)?;
            cover_book(leases, &book)?;
            Ok::<_, Refused>(written)
        });
        let device = DeviceIndex(index);
        let written = match done {
            None => {
                self.tell(What::WroteUntold { device });
                return None;
            }
            Some(Ok(written)) => written.into_inner(),
            Some(Err(Refused::Check(said))) => {
                self.tell(What::WriteRefused { device, record, said });
                return None;
            }
            Some(Err(Refused::Ledger(error))) => {
                self.write_refused(index, record, &error);
                return None;
            }
        };
        if std::mem::take(&mut self.devices[index].work.was_refused_for_space) {
            self.reach(Mark::DiskFullThenWritten);
        }
        let stored = self.devices[index]
            .store
            .as_ref()?
            .read(|read| ledger::entry(read, written.dot));
        let Ok(Some(stored)) = stored else {
            self.broken(
                "an acknowledged entry is read back",
                format!("device {index}: {}", written.dot),
            );
            return None;
        };
        self.acknowledge(
            index,
            &written,
            stored.entry,
            (kind, log),
            read.unwrap_or_default(),
            (word, poison),
        );
        Some(written)
    }

    /// Tells of an entry that the officer was told is written.
    fn acknowledge(
        &mut self,
        index: usize,
        written: &Written,
        entry: Entry,
        (kind, log): (RevisionKind, ReplicaKind),
        read: VersionVector,
        (token, poison): (String, bool),
    ) {
        let device = DeviceIndex(index);
        self.acknowledged.insert(content(&entry), written.dot);
        self.ended.written += 1;
        self.devices[index].work.knows(written.record);
        let context = entry.header().map(|header| header.context).unwrap_or_default();
        self.tell(What::Wrote(Box::new(Wrote {
            device,
            officer: self.devices[index].enrolled.officer,
            dot: written.dot,
            record: written.record,
            kind,
            log,
            context,
            read,
            entry,
            token,
            poison,
        })));
        self.agent_hears_of_write(index);
    }

    fn write_refused(&mut self, index: usize, record: Option<RecordId>, error: &LedgerError) {
        let device = DeviceIndex(index);
        self.tell(What::WriteRefused {
            device,
            record,
            said: error.to_string(),
        });
        match error {
            LedgerError::Conflicted(_) => self.reach(Mark::AmendRefusedOnConflict),
            LedgerError::Store(StoreError::DiskFull) => self.devices[index].work.was_refused_for_space = true,
            LedgerError::Store(error) => self.device_write_failed(index, error),
            LedgerError::NoSuchRecord(_)
            | LedgerError::NoConflict(_)
            | LedgerError::NotAllSettled(_)
            | LedgerError::NotADraft(_)
            | LedgerError::ContextFull(_)
            | LedgerError::Frozen(_) => {}
            other => self.broken(
                "a draft is refused for a good reason only",
                format!("device {index}: {other}"),
            ),
        }
    }

    pub(super) fn count_fault(&mut self, kind: FaultKind) {
        *self.ended.faults.entry(kind).or_default() += 1;
    }

    pub(super) fn setting(&mut self, index: usize) -> Setting {
        let officer = self.devices[index].plan.officer;
        let beats: Vec<usize> = self.truth.officers[officer].beats.iter().copied().collect();
        let beat = self.devices[index].random.choose(&beats).copied().unwrap_or(0);
        let beat = self.plan.beats[beat].clone();
        Setting::at(beat, self.instant(index))
    }

    fn instant(&self, index: usize) -> beatbook_proto::Instant {
        beatbook_proto::Instant {
            utc_ms: self.devices[index].clock.shows(self.now_ms),
            offset_min: 0,
        }
    }

    /// A word that is nowhere else in the world.
    pub(super) fn word(&mut self, index: usize) -> String {
        self.texts += 1;
        format!("word{}x{}", index, self.texts)
    }
}

/// Why nothing was written.
enum Refused {
    /// The checks of the family, as the field asks them before it writes.
    Check(String),
    Ledger(LedgerError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// The checks that the field makes before it writes, against what the author had read.
fn check(tx: &Transaction<'_>, draft: &Draft, role: &Role) -> Result<(), Refused> {
    let before = match &draft.token {
        None => MergedFields::new(),
        Some(token) => {
            let head = ledger::head(tx, token.record)?.ok_or(LedgerError::NoSuchRecord(token.record))?;
            let revisions = match token.vector.covers_all(&head.vector) {
                true => None,
                false => Some(ledger::revisions(tx, &head)?),
            };
            let read = revisions.map_or(Some(head), |revisions| {
                Head::fold(
                    revisions
                        .iter()
                        .filter(|revision| token.vector.covers(revision.dot)),
                )
            });
            merged_fields(&read.ok_or(LedgerError::NoSuchRecord(token.record))?)
        }
    };
    let checked = check_write(&beatbook_records::Write {
        family: draft.family.as_str(),
        kind: draft.kind,
        reason: draft.reason.as_ref().map(Text::as_str),
        ops: &draft.ops,
        before: &before,
        recorded_at: draft.recorded_at,
        role,
    });
    checked
        .map(|_| ())
        .map_err(|error| Refused::Check(error.to_string()))
}

fn merged_fields(head: &Head) -> MergedFields {
    let mut merged = MergedFields::new();
    for (id, state) in &head.fields {
        let mut register: Vec<Value> = Vec::new();
        for (_, value) in state.register() {
            // Two who wrote the same value agree.
            if !register.contains(value) {
                register.push(value.clone());
            }
        }
        let field = MergedField {
            register,
            set: state.members().into_iter().cloned().collect(),
            list: state.lines().map(|(_, value)| value.clone()).collect(),
            counter: state.count(),
            max: state.maximum(),
        };
        merged.insert(*id, field);
    }
    merged
}

const CHANGES: [Change; 9] = [
    Change::Amend,
    Change::Annotate,
    Change::Mark,
    Change::Move,
    Change::Sign,
    Change::State,
    Change::Strike,
    Change::Supplement,
    Change::Void,
];
/// How often something new is written, and not a change.
const NEW_PERCENT: u64 = 70;
const NEW_PERCENT_SHARED: u64 = 30;
/// Records that everyone works on where they share them.
const SHARED_RECORDS: usize = 3;
const CHANGE_WEIGHTS: [u64; 9] = [40, 8, 6, 8, 10, 8, 6, 12, 2];
/// A field that this build does not know.
pub(super) const UNKNOWN_FIELD: FieldId = FieldId(900);
/// As the field: bytes of entries in one run before compression.
const RUN_BYTES: usize = 192 << 10;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
