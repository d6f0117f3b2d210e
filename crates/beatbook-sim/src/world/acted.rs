//! What a device's operation made durable, told as facts; and what a store holds of what officers were told is kept.

use std::collections::BTreeSet;

use beatbook_core::device::{DeviceOp, DeviceReply};
use beatbook_core::ledger;
use beatbook_core::merge::{Concurrency, Head};
use beatbook_core::store::Read;
use beatbook_proto::{Entry, FeedItem, Hash, RecordId, RevisionKind};

use super::far::dots_of;
use super::shift::UNKNOWN_FIELD;
use super::{World, site};
use crate::fact::{DeviceIndex, OpenedWhy, Site, What};
use crate::mark::Mark;

/// The bytes of an entry, wherever and under whatever dot they are held.
pub(super) type Content = Hash;

/// What an entry says, by its bytes.
pub(super) fn content(entry: &Entry) -> Content {
    Hash::of("beatbook sim content", &[&entry.header, &[0xff], &entry.body])
}

/// Everything that a store holds: entries, what is in envelopes, and what is set aside.
pub(super) fn contents(read: &dyn Read) -> BTreeSet<Content> {
    let mut held = BTreeSet::new();
    let mut keep = |entry: &Entry| {
        held.insert(content(entry));
        let mut entry = entry.clone();
        while entry
            .header()
            .is_ok_and(|header| header.kind == RevisionKind::REISSUE)
        {
            let Ok(original) = entry.original() else { break };
            entry = original.entry;
            held.insert(content(&entry));
        }
    };
    for book in ledger::books(read).unwrap_or_default() {
        for (_, stored) in ledger::log(read, book.replica(), 1, usize::MAX).unwrap_or_default() {
            keep(&stored.entry);
        }
    }
    for apart in ledger::quarantined(read).unwrap_or_default() {
        keep(&apart.entry);
    }
    held
}

impl World<'_> {
    /// Tells what an operation of a device made durable.
    pub(super) fn device_has_done(&mut self, index: usize, op: &DeviceOp, reply: &DeviceReply) {
        let device = DeviceIndex(index);
        match (op, reply) {
            (DeviceOp::Feed(feed), DeviceReply::Fed(fed)) => {
                self.news += 1;
                let left = feed.items.iter().filter_map(|item| match item {
                    FeedItem::Left(record) => Some(*record),
                    _ => None,
                });
                let left: Vec<RecordId> = left.collect();
                let (cursor, dots) = (feed.cursor.clone(), dots_of(feed));
                self.tell(What::FeedKept {
                    device,
                    cursor,
                    dots,
                    left,
                });
                self.note_changed(index, &fed.changed);
                if !fed.purged.is_empty() {
                    self.reach(Mark::Purged);
                    self.devices[index].work.forget(&fed.purged);
                    self.tell(What::Purged {
                        device,
                        records: fed.purged.clone(),
                    });
                }
                self.note_fork(index, &fed.forked);
            }
            (DeviceOp::Receipt(_), DeviceReply::Receipted { replica, upto, taken }) => {
                self.tell(What::Receipted {
                    device,
                    replica: *replica,
                    upto: *upto,
                    taken: *taken,
                });
                if *taken {
                    self.note_fork(index, std::slice::from_ref(replica));
                }
            }
            (_, DeviceReply::Reissued(entries)) if *entries > 0 => {
                self.news += 1;
                self.reach(Mark::Reissued);
                self.tell(What::Reissued {
                    device,
                    entries: *entries,
                });
            }
            (DeviceOp::Verdicts(verdicts), DeviceReply::Verdicts) => {
                let (replica, verdicts) = (verdicts.replica, verdicts.verdicts.to_vec());
                self.tell(What::VerdictsKept {
                    device,
                    replica,
                    verdicts,
                });
            }
            (_, DeviceReply::Welcomed(welcomed)) => self.note_fork(index, &welcomed.forked),
            _ => {}
        }
    }

    fn note_fork(&mut self, index: usize, forked: &[beatbook_proto::ReplicaId]) {
        if forked.is_empty() {
            return;
        }
        self.news += 1;
        self.reach(Mark::ForkNoticed);
        let device = DeviceIndex(index);
        self.tell(What::Forked {
            device,
            replicas: forked.to_vec(),
        });
        self.tell_books(index, OpenedWhy::TakenAtServer);
    }

    fn note_changed(&mut self, index: usize, changed: &[RecordId]) {
        let Some(store) = &self.devices[index].store else {
            return;
        };
        let heads: Vec<Head> = changed
            .iter()
            .filter_map(|record| store.read(|read| ledger::head(read, *record)).ok().flatten())
            .collect();
        for head in heads {
            if head.field(UNKNOWN_FIELD).is_some() {
                self.reach(Mark::UnknownContentKept);
            }
            let record = head.record;
            match head.concurrency() {
                Concurrency::Conflict if self.devices[index].work.shows_conflict(record) => {
                    self.reach(Mark::ConflictShown);
                    self.tell(What::ConflictShown {
                        device: DeviceIndex(index),
                        record,
                    });
                }
                Concurrency::AutoMerged => self.reach(Mark::AutoMerged),
                _ => {}
            }
            self.devices[index].work.knows(record);
        }
    }

    /// True if, with `site` holding `kept` from here on, every acknowledged entry has a copy left somewhere. Where the
    /// fault-atlas rule is off, what has none is told as destroyed and no longer counted.
    pub(super) fn may_be_reduced_to(&mut self, reduced: Site, kept: &BTreeSet<Content>) -> bool {
        let mut copies = kept.clone();
        if reduced != Site::Server
            && let Some(store) = &self.server.store
        {
            copies.extend(store.read(contents));
        }
        for (index, device) in self.devices.iter().enumerate() {
            // A store that is closed, or whose disk was harmed, is not counted on.
            if reduced != site(index)
                && !device.harmed
                && let Some(store) = &device.store
            {
                copies.extend(store.read(contents));
            }
        }
        let gone = self
            .acknowledged
            .iter()
            .filter(|(content, _)| !copies.contains(content));
        let gone: Vec<(Content, beatbook_proto::Dot)> = gone.map(|(content, dot)| (*content, *dot)).collect();
        if gone.is_empty() {
            return true;
        }
        if self.plan.atlas {
            return false;
        }
        for (content, _) in &gone {
            self.acknowledged.remove(content);
        }
        let dots = gone.into_iter().map(|(_, dot)| dot).collect();
        self.tell(What::Destroyed { site: reduced, dots });
        true
    }
}
