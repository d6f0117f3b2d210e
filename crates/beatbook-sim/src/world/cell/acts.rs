//! What the story of a cell makes officers and devices do, and how it waits for that.

use beatbook_core::ledger::{self, Draft, ReadToken};
use beatbook_core::merge::Concurrency;
use beatbook_proto::{FieldOp, RecordId, ReplicaKind, RevisionKind, Text, Value};
use beatbook_records::build::{Contact, Op};
use beatbook_records::field;

use super::super::shift::{Writing, settling};
use super::super::{World, device::Device};
use super::{COLLEAGUE, MINUTE_MS, PHONE, PLAYED, Story, TRIES_MAX};
use crate::fact::What;

impl World<'_> {
    /// The phone's process ends and starts again.
    pub(super) fn open_anew(&mut self) {
        let life = self.devices[PHONE].life;
        self.kill_device(PHONE, None, 2_000);
        self.until("the phone is up", |world| {
            world.devices[PHONE].is_up() && world.devices[PHONE].life > life
        });
    }

    /// A contact of which phone and colleague have written one field apart from each other.
    pub(super) fn conflict(&mut self, story: &mut Story) {
        for _ in 0..TRIES_MAX {
            let word = self.word(PHONE);
            let setting = self.setting(PHONE);
            let ops = Contact::at(setting).ops().unwrap_or_default();
            let draft = self.founding(PHONE, Contact::FAMILY, ops, &word);
            self.until("the phone is up", |world| world.devices[PHONE].is_up());
            let Some(written) = self.write(PHONE, Writing::plain(draft, word)) else {
                continue;
            };
            self.sync(PHONE);
            self.sync(COLLEAGUE);
            if !self.place(PHONE, written.record) || !self.place(COLLEAGUE, written.record) {
                continue;
            }
            for who in [PHONE, COLLEAGUE, PHONE] {
                self.sync(who);
            }
            if self.is_conflicted(written.record) {
                story.contact = Some(written.record);
                return;
            }
        }
        self.broken(PLAYED, "no conflict comes about".to_owned());
    }

    fn is_conflicted(&self, record: RecordId) -> bool {
        let store = self.devices[PHONE].store.as_ref();
        let head =
            store.map(|store| store.read(|read| ledger::head(read, ledger::record_name(read, record)?)));
        head.is_some_and(|head| {
            head.ok()
                .flatten()
                .is_some_and(|head| head.concurrency() == Concurrency::Conflict)
        })
    }

    /// Writes one field of a record.
    fn place(&mut self, who: usize, record: RecordId) -> bool {
        for _ in 0..TRIES_MAX {
            self.until("the device is up", |world| world.devices[who].is_up());
            let word = self.word(who);
            let place = FieldOp::Set(Value::Text(Text::new(&word).unwrap_or_default()));
            let draft = self.changing(who, record, |_| {
                (RevisionKind::AMEND, vec![(field::OPERATION, place)])
            });
            let Some(draft) = draft else { return false };
            if self.write(who, Writing::plain(draft, word)).is_some() {
                return true;
            }
        }
        false
    }

    pub(super) fn resolve(&mut self, record: RecordId) {
        for _ in 0..TRIES_MAX {
            self.until("the phone is up", |world| world.devices[PHONE].is_up());
            if !self.is_conflicted(record) {
                return;
            }
            let word = self.word(PHONE);
            let draft = self.changing(PHONE, record, |head| (RevisionKind::RESOLVE, settling(head)));
            if let Some(draft) = draft {
                self.write(PHONE, Writing::plain(draft, word));
            }
        }
    }

    /// A change of a record as the device shows it.
    fn changing(
        &mut self,
        who: usize,
        record: RecordId,
        change: impl FnOnce(&beatbook_core::merge::Head) -> (RevisionKind, Vec<Op>),
    ) -> Option<Draft> {
        let device = &self.devices[who];
        let head = device
            .store
            .as_ref()?
            .read(|read| ledger::head(read, ledger::record_name(read, record)?));
        let head = head.ok().flatten()?;
        let (kind, ops) = change(&head);
        Some(Draft {
            log: ReplicaKind::Book,
            token: Some(ReadToken::of(&head)),
            family: head.family.clone(),
            kind,
            schema: 1,
            recorded_at: device.clock.stamp(self.now_ms),
            reason: Text::new("seen again"),
            ops,
        })
    }

    /// Writes one to three new records.
    pub(super) fn note(&mut self, who: usize, story: &mut Story) {
        let wanted = story.random.between(1, 3);
        let mut written = 0;
        for _ in 0..TRIES_MAX {
            if written == wanted || self.violation.is_some() {
                return;
            }
            self.until("the device is up", |world| world.devices[who].is_up());
            let writing = self.something_new(who);
            written += u64::from(self.write(who, writing).is_some());
        }
        self.broken(PLAYED, format!("device {who} does not write"));
    }

    /// Syncs until the server has receipted all that the device has written; then it is out of touch again.
    pub(super) fn sync(&mut self, who: usize) {
        self.devices[who].agent.held = false;
        self.devices[who].agent.settled = false;
        let mut asked = false;
        self.until("a device has synced", |world| {
            let device = &world.devices[who];
            if device.is_up() && !device.agent.running {
                world.start_agent(who);
            }
            let done = world.devices[who].agent.settled && world.all_receipted(who);
            if world.devices[who].agent.settled && !done && !asked {
                // Caught up before the last of it was written: once more.
                asked = true;
                world.nudge(who);
            }
            done
        });
        if self.devices[who].scripted {
            self.hold(who);
        }
    }

    /// A session whose receipt never comes: the run is at the server.
    pub(super) fn send_without_receipt(&mut self) {
        self.devices[PHONE].agent.held = false;
        self.until("a run is sent and not receipted", |world| {
            let device = &world.devices[PHONE];
            if device.is_up() && !device.agent.running {
                world.start_agent(PHONE);
            }
            for session in world.sessions.values_mut() {
                session.loses_receipt |= session.device == PHONE;
            }
            world.is_sent(PHONE)
        });
        self.hold(PHONE);
    }

    fn all_receipted(&self, who: usize) -> bool {
        let own = self.devices[who]
            .store
            .as_ref()
            .map(|store| store.read(ledger::own_books));
        own.is_some_and(|own| {
            own.is_ok_and(|own| own.iter().all(|book| book.closed || book.receipted >= book.held))
        })
    }

    /// True if the server holds of a book what it has not receipted.
    fn is_sent(&self, who: usize) -> bool {
        let Some(store) = &self.devices[who].store else {
            return false;
        };
        let own = store.read(ledger::own_books).unwrap_or_default();
        let Some(server) = &self.server.store else {
            return false;
        };
        own.iter().any(|book| {
            let there = server.read(|read| ledger::book(read, book.replica()));
            there
                .ok()
                .flatten()
                .is_some_and(|there| there.held > book.receipted)
        })
    }

    /// A device does nothing that the story does not tell.
    pub(super) fn hold(&mut self, who: usize) {
        self.devices[who].scripted = true;
        self.devices[who].agent.held = true;
        self.stop_agent(who);
    }

    pub(super) fn let_go(&mut self, who: usize) {
        self.devices[who].scripted = false;
        self.devices[who].agent.held = false;
        if self.devices[who].on_duty && self.devices[who].is_up() {
            self.start_agent(who);
        }
    }

    /// Waits until nothing of a device's sessions is under way.
    pub(super) fn rest(&mut self, who: usize) {
        self.hold(who);
        self.until("its sessions are over", |world| {
            world.sessions_of(who).iter().all(|number| {
                let session = &world.sessions[number];
                session.near.is_none() && session.ops.is_empty()
            })
        });
    }

    /// The world goes on for a while.
    pub(super) fn linger(&mut self, story: &mut Story) {
        let minutes = story.random.between(0, 40) as i64;
        self.pass_until(self.now_ms + minutes * MINUTE_MS);
    }

    pub(super) fn pass_until(&mut self, at_ms: i64) {
        while self.violation.is_none() && self.next_at_ms().is_some_and(|next| next <= at_ms) {
            self.step();
        }
        self.now_ms = self.now_ms.max(at_ms);
    }

    /// Everyone is up: then what a strike leaves anywhere is known.
    pub(super) fn until_all_up(&mut self) {
        self.until("everyone is up", |world| {
            let up = |device: &Device| device.is_up() || device.enrolled.given_up;
            world.server.is_up() && world.devices.iter().all(up)
        });
    }

    /// Lets the world go on until something is so; false where it does not come to pass.
    pub(super) fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        let last_ms = self.now_ms + PATIENCE_MS;
        while self.violation.is_none() {
            if so(self) {
                return true;
            }
            if self.now_ms > last_ms || !self.step() {
                self.broken(PLAYED, format!("it does not come to pass that {what}"));
            }
        }
        false
    }

    pub(super) fn staged(&mut self, said: &str) {
        self.tell(What::Staged {
            said: said.to_owned(),
        });
    }
}

/// In this simulated time whatever the story waits for has come: links come back, machines start again.
const PATIENCE_MS: i64 = 5 * 24 * 60 * MINUTE_MS;
