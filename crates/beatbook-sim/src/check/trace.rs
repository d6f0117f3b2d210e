//! The trace: what was written and read by whom, who holds what, and what faults alone have destroyed.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger;
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{Dot, Entry, OfficerId, RecordId, ReplicaId};

use crate::fact::{DeviceIndex, Fact, Site, What, Wrote};
use crate::model::{Model, Named, Rev};
use crate::observe::WorldView;

/// An entry that was acknowledged to its officer.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The device that it was written on.
    pub device: DeviceIndex,
    /// The dot that it was given.
    pub dot: Dot,
    /// The event.
    pub event: u64,
    /// The text that is nowhere else.
    pub token: String,
    /// True where the server's rules do not take it.
    pub poison: bool,
}

/// What a store holds.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Revisions, also in envelopes and in quarantine.
    pub revisions: BTreeSet<Rev>,
    /// What each dot names.
    pub dots: BTreeMap<Dot, Named>,
}

/// What checkers share.
#[derive(Debug, Default)]
pub struct Trace {
    /// The reference model.
    pub model: Model,
    acknowledged: BTreeMap<Rev, Acknowledged>,
    holders: BTreeMap<Rev, BTreeSet<Site>>,
    destroyed: BTreeSet<Rev>,
    /// Sites that were put back, and have not been open since.
    put_back: BTreeSet<Site>,
    given_up: BTreeSet<DeviceIndex>,
    /// When each store was last opened.
    opened_at_ms: BTreeMap<Site, i64>,
    officers: BTreeMap<ReplicaId, OfficerId>,
    asked: BTreeMap<&'static str, u64>,
    /// Revisions whose reader's view could not be told from outside.
    unclear: BTreeSet<Rev>,
    /// The founding revision of what a revision was written about.
    roots: BTreeMap<Rev, Rev>,
}

impl Trace {
    /// Takes a fact in.
    pub fn take(&mut self, fact: &Fact, world: &dyn WorldView) {
        if let What::Reopened { site, .. } = &fact.what {
            self.opened_at_ms.insert(*site, fact.at_ms);
        }
        match &fact.what {
            What::Wrote(wrote) => self.wrote(wrote, fact.event, world),
            What::BooksOpened { device, replicas, .. } => {
                let officer = world.device(*device).officer;
                self.officers
                    .extend(replicas.iter().map(|replica| (*replica, officer)));
            }
            What::RunAccepted { replica, run, .. } => {
                let dots = (run.0..=run.1).map(|counter| Dot {
                    replica: *replica,
                    counter,
                });
                self.held_by(Site::Server, &dots.collect::<Vec<_>>(), world);
            }
            What::FeedKept { device, dots, .. } => self.held_by(Site::Device(*device), dots, world),
            What::Restored { site, .. } => {
                self.put_back.insert(*site);
            }
            What::Reopened { site, .. } if self.put_back.contains(site) => self.look_again(*site, world),
            What::Copied { from, to } => {
                for holders in self.holders.values_mut() {
                    if holders.contains(&Site::Device(*from)) {
                        holders.insert(Site::Device(*to));
                    }
                }
            }
            What::Destroyed { dots, .. } => {
                let gone: Vec<Rev> = dots.iter().filter_map(|dot| self.model.only(*dot)).collect();
                for rev in gone {
                    self.holders.remove(&rev);
                    self.destroyed.insert(rev);
                }
            }
            What::GivenUp { device } => {
                self.given_up.insert(*device);
                self.holds_no_more(Site::Device(*device), &BTreeSet::new());
            }
            _ => {}
        }
    }

    /// Before everything is asked about a quiet world: looks at whoever was put back and is open by now.
    pub fn settle(&mut self, world: &dyn WorldView) {
        for site in self.put_back.clone() {
            self.look_again(site, world);
        }
    }

    /// Counts that an invariant was asked so often.
    pub fn ask(&mut self, invariant: &'static str, times: u64) {
        *self.asked.entry(invariant).or_default() += times;
    }

    /// How often each invariant was asked.
    pub fn asked(&self) -> &BTreeMap<&'static str, u64> {
        &self.asked
    }

    /// What was acknowledged.
    pub fn acknowledged(&self) -> &BTreeMap<Rev, Acknowledged> {
        &self.acknowledged
    }

    /// What faults have destroyed at every holder.
    pub fn destroyed(&self) -> &BTreeSet<Rev> {
        &self.destroyed
    }

    /// True if a site holds a revision, by all that was told.
    pub fn holds(&self, site: Site, rev: Rev) -> bool {
        self.holders
            .get(&rev)
            .is_some_and(|holders| holders.contains(&site))
    }

    /// True while a site was put back and has not been looked at since.
    pub fn is_put_back(&self, site: Site) -> bool {
        self.put_back.contains(&site)
    }

    /// True if a store was opened after a time: a copy of it from before shows itself by its anchor.
    pub fn was_opened_since(&self, site: Site, at_ms: i64) -> bool {
        self.opened_at_ms.get(&site).is_some_and(|opened| *opened > at_ms)
    }

    /// True if a device is used no more.
    pub fn is_given_up(&self, device: DeviceIndex) -> bool {
        self.given_up.contains(&device)
    }

    /// Who writes in a book, as far as it was told.
    pub fn officer_of(&self, replica: ReplicaId) -> Option<OfficerId> {
        self.officers.get(&replica).copied()
    }

    /// True where what a revision's author had read could not be told from outside.
    pub fn is_unclear(&self, rev: Rev) -> bool {
        self.unclear.contains(&rev) || self.model.read(rev).is_none()
    }

    /// Everything that a store holds.
    pub fn scan(&mut self, read: &dyn Read) -> Result<Scan, StoreError> {
        let mut scan = Scan::default();
        for book in ledger::books(read)? {
            for (dot, stored) in ledger::log(read, book.replica(), 1, usize::MAX)? {
                let named = self.learn(dot, &stored.entry);
                scan.dots.insert(dot, named);
                if let Named::Revision(rev) = named {
                    scan.revisions.insert(rev);
                }
            }
        }
        for apart in ledger::quarantined(read)? {
            if let Named::Revision(rev) = self.learn(apart.dot, &apart.entry) {
                scan.revisions.insert(rev);
            }
        }
        Ok(scan)
    }

    /// What a store shows of the record of a revision, under its present name there; `None` where it shows none.
    pub fn shown(
        &mut self,
        read: &dyn Read,
        rev: Rev,
    ) -> Result<Option<(RecordId, BTreeSet<Rev>)>, StoreError> {
        let root = self.roots.get(&rev).copied();
        let names = match root {
            Some(root) => self.model.names(root).to_vec(),
            None => vec![ledger::record_name(read, self.model.revision(rev).record())?],
        };
        for name in names {
            let Some(head) = ledger::head(read, name)? else {
                continue;
            };
            if root.is_some() && self.revision_at(read, name)? != root {
                continue;
            }
            let dots: Vec<Dot> = head.revisions.iter().map(|(_, dot)| *dot).collect();
            return Ok(Some((name, self.revisions_of(read, &dots)?)));
        }
        Ok(None)
    }

    /// The founding revision of what a revision was written about, as far as it was told.
    pub fn root(&self, rev: Rev) -> Option<Rev> {
        self.roots.get(&rev).copied()
    }

    /// The revisions that dots name in a store.
    pub fn revisions_of(&mut self, read: &dyn Read, dots: &[Dot]) -> Result<BTreeSet<Rev>, StoreError> {
        let mut found = BTreeSet::new();
        for dot in dots {
            found.extend(self.revision_at(read, *dot)?);
        }
        Ok(found)
    }

    /// The revision that a dot names in a store.
    pub fn revision_at(&mut self, read: &dyn Read, dot: Dot) -> Result<Option<Rev>, StoreError> {
        // Where only one entry was ever seen under a dot the store need not be asked: another one would be seen first by
        // the checker of names.
        if let Some(rev) = self.model.only(dot) {
            return Ok(Some(rev));
        }
        let Some(stored) = ledger::entry(read, dot)? else {
            return Ok(None);
        };
        Ok(match self.learn(dot, &stored.entry) {
            Named::Revision(rev) => Some(rev),
            Named::Opening | Named::Unread => None,
        })
    }

    /// What an entry is. Whose reading nobody told of is taken by its word.
    pub fn learn(&mut self, dot: Dot, entry: &Entry) -> Named {
        self.model.name(dot, entry)
    }

    fn wrote(&mut self, wrote: &Wrote, event: u64, world: &dyn WorldView) {
        self.officers.insert(wrote.dot.replica, wrote.officer);
        let Named::Revision(rev) = self.learn(wrote.dot, &wrote.entry) else {
            return;
        };
        let read = if wrote.record == wrote.dot {
            self.roots.insert(rev, rev);
            Some(BTreeSet::new())
        } else {
            world
                .on_device(wrote.device, |read| self.read_by(read, rev, wrote))
                .flatten()
        };
        match read {
            Some(read) => self.model.set_read(rev, read),
            None => {
                self.unclear.insert(rev);
            }
        }
        let acknowledged = Acknowledged {
            device: wrote.device,
            dot: wrote.dot,
            event,
            token: wrote.token.clone(),
            poison: wrote.poison,
        };
        self.acknowledged.insert(rev, acknowledged);
        self.holders
            .entry(rev)
            .or_default()
            .insert(Site::Device(wrote.device));
    }

    /// What the author had read, by the token of the reading; `None` where its names have changed since.
    fn read_by(&mut self, read: &dyn Read, rev: Rev, wrote: &Wrote) -> Option<BTreeSet<Rev>> {
        let record = ledger::record_name(read, wrote.record).ok()?;
        let head = ledger::head(read, record).ok()??;
        let root = self.revision_at(read, record).ok()??;
        self.roots.insert(rev, root);
        if !head.vector.covers_all(&wrote.context) {
            return None;
        }
        let covered = head.revisions.iter().map(|(_, dot)| *dot);
        let covered: Vec<Dot> = covered.filter(|dot| wrote.context.covers(*dot)).collect();
        self.revisions_of(read, &covered).ok()
    }

    fn held_by(&mut self, site: Site, dots: &[Dot], world: &dyn WorldView) {
        let mut found = BTreeSet::new();
        let mut look = |read: &dyn Read| {
            for dot in dots {
                // A store that does not read is seen by the checkers.
                found.extend(self.revision_at(read, *dot).ok().flatten());
            }
        };
        match site {
            Site::Device(device) => world.on_device(device, &mut look),
            Site::Server => world.at_server(&mut look),
        };
        for rev in found {
            self.holders.entry(rev).or_default().insert(site);
            self.destroyed.remove(&rev);
        }
    }

    /// A site that was put back is open again: what it holds is what it holds.
    fn look_again(&mut self, site: Site, world: &dyn WorldView) {
        let scan = match site {
            Site::Device(device) => world.on_device(device, |read| self.scan(read)),
            Site::Server => world.at_server(|read| self.scan(read)),
        };
        let Some(Ok(scan)) = scan else { return };
        self.put_back.remove(&site);
        for rev in &scan.revisions {
            self.holders.entry(*rev).or_default().insert(site);
            self.destroyed.remove(rev);
        }
        self.holds_no_more(site, &scan.revisions);
    }

    /// A site holds nothing but `kept`; what nobody holds any more is destroyed.
    fn holds_no_more(&mut self, site: Site, kept: &BTreeSet<Rev>) {
        for (rev, holders) in &mut self.holders {
            if !kept.contains(rev) && holders.remove(&site) && holders.is_empty() {
                self.destroyed.insert(*rev);
            }
        }
    }
}
