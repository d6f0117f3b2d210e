//! Nobody receives what is not granted: an oracle of its own, from the register as the world changed it and from the
//! model, says for every entry that is sent whether it may go.
//!
//! Whether a record is of a scope is judged in the state that the stretch was read from: what moves while a frame waits
//! for the link leaves the feed after it, in the order of commits. Nothing else may be sent than what was judged so, and
//! whether the feed is granted is asked again when it is sent.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger;
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{Code, Dot, FieldOp, OfficerId, Scope, Value, field};

use super::invariants::ACCESS;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, Fact, RegisterChange, SessionIndex, What};
use crate::model::{Model, Named, Rev};
use crate::observe::{Violation, WorldView};

/// Judges what is sent, and at the end what is held.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// Officers whose postings or roles changed: what they keep of a former beat stays with them.
    moved: BTreeSet<OfficerId>,
    /// What was judged when it was read for a session, and may be sent in it.
    read: BTreeMap<SessionIndex, BTreeSet<(Scope, Dot)>>,
    /// Scopes of a record by what is accepted of it.
    judged: BTreeMap<(Rev, usize), Vec<Scope>>,
}

impl Check for Access {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::RegisterChanged {
                change: RegisterChange::Posted { officer, .. } | RegisterChange::Role { officer, .. },
            } => {
                self.moved.insert(*officer);
                Ok(())
            }
            What::FeedRead {
                session,
                device,
                cursor,
                dots,
                beside,
            } => {
                let officer = world.device(*device).officer;
                trace.ask(ACCESS, dots.len() as u64);
                let granted = world.granted(officer);
                let read = self.read.entry(*session).or_default();
                read.extend(dots.iter().map(|dot| (cursor.scope.clone(), *dot)));
                let way = Way {
                    device: *device,
                    officer,
                    scope: &cursor.scope,
                    granted: &granted,
                    beside,
                };
                let judged = world.at_server(|read| self.sent(read, &way, dots, trace));
                judged.unwrap_or(Ok(()))
            }
            What::FeedSent {
                session,
                device,
                cursor,
                dots,
                ..
            } => {
                let officer = world.device(*device).officer;
                trace.ask(ACCESS, 1);
                if !world.granted(officer).contains(&cursor.scope) {
                    return broken(
                        ACCESS,
                        format!(
                            "{device} was sent the feed of {} without a right to it",
                            cursor.scope
                        ),
                    );
                }
                self.all_read(*session, *device, &cursor.scope, dots)
            }
            What::SessionEnded {
                session,
                at_server: true,
                ..
            } => {
                self.read.remove(session);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        for device in (0..world.devices()).map(DeviceIndex) {
            let enrolled = world.device(device);
            if self.moved.contains(&enrolled.officer) || !world.is_admitted(enrolled.enrolment) {
                continue;
            }
            let granted = world.granted(enrolled.officer);
            let heads = world.on_device(device, |read| ledger::heads(read, None, usize::MAX));
            let heads = heads.transpose().map_err(unreadable)?.unwrap_or_default();
            for head in heads {
                let dots: Vec<Dot> = head.revisions.iter().map(|(_, dot)| *dot).collect();
                let own = dots.iter().any(|dot| {
                    trace
                        .officer_of(dot.replica)
                        .is_none_or(|officer| officer == enrolled.officer)
                });
                let founder = world.on_device(device, |read| trace.revision_at(read, head.record));
                let Some(founder) = founder.transpose().map_err(unreadable)?.flatten() else {
                    continue;
                };
                let there = world.at_server(|read| self.scopes_at(read, founder, trace));
                let there = there.transpose().map_err(unreadable)?.flatten();
                let Some(scopes) = there.filter(|_| !own) else {
                    continue;
                };
                trace.ask(ACCESS, 1);
                if !scopes.iter().any(|scope| granted.contains(scope)) {
                    return broken(
                        ACCESS,
                        format!("{device} holds {}, which has left its beats", head.record),
                    );
                }
            }
        }
        Ok(())
    }
}

/// How entries were sent.
struct Way<'a> {
    device: DeviceIndex,
    officer: OfficerId,
    /// Whose feed it was.
    scope: &'a Scope,
    /// All that the officer is granted at that moment.
    granted: &'a [Scope],
    /// Entries that no step of the feed names: the rest of a run that goes whole.
    beside: &'a [Dot],
}

impl Access {
    /// Nothing is sent that was not read, and judged, for the session.
    fn all_read(
        &self,
        session: SessionIndex,
        device: DeviceIndex,
        scope: &Scope,
        dots: &[Dot],
    ) -> Result<(), Violation> {
        let read = self.read.get(&session);
        let was_read = |dot: Dot| read.is_some_and(|read| read.contains(&(scope.clone(), dot)));
        match dots.iter().find(|dot| !was_read(**dot)) {
            Some(dot) => broken(
                ACCESS,
                format!("{device} was sent {dot}, which was not read for it from {scope}"),
            ),
            None => Ok(()),
        }
    }

    fn sent(
        &mut self,
        read: &dyn Read,
        way: &Way<'_>,
        dots: &[Dot],
        trace: &mut Trace,
    ) -> Result<(), Violation> {
        let Way { device, scope, .. } = way;
        for dot in dots {
            let may = match scope {
                Scope::Own => trace
                    .officer_of(dot.replica)
                    .is_none_or(|author| author == way.officer),
                Scope::Reference => true,
                Scope::Beat { .. } => {
                    let stored = ledger::entry(read, *dot).map_err(unreadable)?;
                    let Some(stored) = stored else { continue };
                    let Named::Revision(rev) = trace.learn(*dot, &stored.entry) else {
                        // An opening says whose book it is: it goes with the first entry of the book.
                        continue;
                    };
                    let scopes = self.scopes_at(read, rev, trace).map_err(unreadable)?;
                    scopes.is_none_or(|scopes| match way.beside.contains(dot) {
                        // Somewhere at all, and nowhere that is not granted.
                        true => !scopes.is_empty() && scopes.iter().all(|scope| way.granted.contains(scope)),
                        false => scopes.contains(scope),
                    })
                }
            };
            if !may {
                return broken(
                    ACCESS,
                    format!("{device} was sent {dot} through {scope}, of which its record is not"),
                );
            }
        }
        Ok(())
    }

    /// Where a record belongs by what the server has accepted of it, in the model's eyes.
    fn scopes_at(
        &mut self,
        read: &dyn Read,
        rev: Rev,
        trace: &mut Trace,
    ) -> Result<Option<Vec<Scope>>, StoreError> {
        let Some((_, shown)) = trace.shown(read, rev)? else {
            return Ok(None);
        };
        let Some(founder) = shown.first().copied() else {
            return Ok(None);
        };
        if let Some(known) = self.judged.get(&(founder, shown.len())) {
            return Ok(Some(known.clone()));
        }
        // By its own word where nobody could tell what an author had read.
        if shown.iter().any(|rev| trace.is_unclear(*rev)) {
            return Ok(None);
        }
        let scopes = scopes_of(&mut trace.model, &shown);
        self.judged.insert((founder, shown.len()), scopes.clone());
        Ok(Some(scopes))
    }
}

/// Every beat that a record may be of, in the stricter class.
fn scopes_of(model: &mut Model, shown: &BTreeSet<Rev>) -> Vec<Scope> {
    let merged = model.merged(shown);
    let codes = |on| -> Vec<Code> {
        let standing = merged.fields.get(&on).into_iter().flatten();
        let written = standing.filter_map(|(rev, place)| match model.op(*rev, *place) {
            Some(FieldOp::Set(Value::Code(code))) => Some(code.clone()),
            _ => None,
        });
        written.collect()
    };
    let sensitive = codes(field::MARKING)
        .iter()
        .any(|marking| marking.as_str() == field::OFFICIAL_SENSITIVE);
    let beats = codes(field::BEAT).into_iter();
    let mut scopes: Vec<Scope> = beats
        .map(|beat| Scope::Beat {
            beat,
            class: u8::from(sensitive),
        })
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

#[cfg(test)]
mod tests;
