//! What the server takes in, what it admits, and to what it grants reading: asked anew for every operation.
//!
//! Every store operation of a session goes through [`execute`] or [`read_stretch`], so a device that was revoked is
//! served nothing more, whatever it had sent before.

use std::collections::BTreeSet;

use beatbook_core::ledger::{self, Book, Check, CheckNothing, LedgerError};
use beatbook_core::merge::Head;
use beatbook_core::planted::{Bug, is_planted};
use beatbook_core::register::{self, Enrolment, Officer};
use beatbook_core::server::{self, FeedRequest, ServerEnv, ServerOp, ServerReply};
use beatbook_core::store::{Read, StoreError, Transaction};
use beatbook_proto::{
    Code, Dot, EnrolmentId, EpochId, FieldOp, PublicKey, RecordId, Revision, RevisionKind, Scope, Signer,
    Standing, Value, VerifiedRun, VersionVector,
};
use beatbook_records::vocabulary::{Lifecycle, Marking};
use beatbook_records::{Received, as_code, check_received, field};

/// What the shell brings to an operation of a session: keys, the clock, and a fresh name.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Signs receipts.
    pub signer: &'a dyn Signer,
    /// Tags cursors; known to this server alone.
    pub tag_key: &'a [u8; 32],
    /// The server's clock, milliseconds since 1970.
    pub now_ms: i64,
    /// A fresh epoch id, in case the server finds that it went back in time.
    pub fresh_epoch: EpochId,
}

/// Executes a store operation for the session of an enrolment with the key that it proved, as the register has it
/// at this moment.
pub fn execute(
    tx: &mut Transaction<'_>,
    desk: &Desk<'_>,
    (peer, key): (EnrolmentId, &PublicKey),
    op: ServerOp,
) -> Result<ServerReply, LedgerError> {
    if admitted(tx, peer, key)?.is_none() {
        return Ok(ServerReply::NotAdmitted);
    }
    let rules = match &op {
        ServerOp::AcceptPart(run) | ServerOp::AcceptRun { run, .. } => Some(Rules::for_run(tx, run)?),
        _ => None,
    };
    let env = ServerEnv {
        signer: desk.signer,
        check: match &rules {
            Some(rules) => rules,
            // Nothing is taken in by the other operations.
            None => &CheckNothing,
        },
        tag_key: desk.tag_key,
        now_ms: desk.now_ms,
        fresh_epoch: desk.fresh_epoch,
    };
    server::execute(tx, &env, op)
}

/// Reads the next stretch of a feed for the session of an enrolment, as the register has it at this moment.
pub fn read_stretch(
    read: &dyn Read,
    tag_key: &[u8; 32],
    now_ms: i64,
    (peer, key): (EnrolmentId, &PublicKey),
    request: &FeedRequest,
) -> Result<ServerReply, StoreError> {
    let Some(granted) = scopes(read, peer, key, now_ms)? else {
        return Ok(ServerReply::NotAdmitted);
    };
    // A posting may have ended since Welcome: to this session the feed has no more to say.
    if !granted.contains(&request.scope) {
        return Ok(ServerReply::Feed(None));
    }
    // So may that of another scope, of which a run sent whole could hold something.
    let request = FeedRequest {
        granted: granted.into_iter().collect(),
        ..request.clone()
    };
    let stretch = server::read_stretch(read, tag_key, &request)?;
    Ok(ServerReply::Feed(stretch.map(Box::new)))
}

/// An enrolment that the register admits, and its officer.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) officer: Officer,
}

/// Looks an enrolment up: it must be known, not revoked, and have the key that the session proved.
pub(crate) fn admitted(
    read: &dyn Read,
    peer: EnrolmentId,
    key: &PublicKey,
) -> Result<Option<Admitted>, StoreError> {
    let enrolment: Option<Enrolment> = register::get(read, peer.as_bytes())?;
    let Some(enrolment) = enrolment.filter(|row| {
        (row.revoked_at_ms.is_none() || is_planted(Bug::RevocationIgnored)) && row.key.as_ref() == Some(key)
    }) else {
        return Ok(None);
    };
    let officer: Option<Officer> = register::get(read, enrolment.officer.as_bytes())?;
    Ok(officer.map(|officer| Admitted { officer }))
}

/// The scopes that a session may read at a time; `None` where it is not admitted.
pub fn scopes(
    read: &dyn Read,
    peer: EnrolmentId,
    key: &PublicKey,
    at_ms: i64,
) -> Result<Option<Vec<Scope>>, StoreError> {
    match admitted(read, peer, key)? {
        Some(admitted) => register::scopes_granted(read, &admitted.officer, at_ms).map(Some),
        None => Ok(None),
    }
}

/// The rules for the entries of one run.
#[derive(Debug)]
pub(crate) struct Rules {
    supervisor: bool,
    /// Entries of the run that touch a marking over one that is sensitive and that their author had read: what was raised
    /// beside them stands beside them. By entry, not by record: what a record is called may change within the run, where
    /// something of it is issued again.
    sensitive: BTreeSet<Dot>,
}

impl Rules {
    /// Gathers what has to be known before the entries of a run are judged.
    pub(crate) fn for_run(read: &dyn Read, run: &VerifiedRun) -> Result<Self, StoreError> {
        let author = match ledger::book(read, run.seal().claim.replica)? {
            Some(book) => Some(book.opening.officer),
            // The run that opens the book names its officer; that it is theirs is checked by the core.
            None => {
                let first = run.entries().first();
                first
                    .and_then(|first| first.entry.opening().ok())
                    .map(|opening| opening.officer)
            }
        };
        let officer: Option<Officer> = match author {
            Some(officer) => register::get(read, officer.as_bytes())?,
            None => None,
        };
        let mut sensitive = BTreeSet::new();
        for verified in run.entries() {
            let touches = verified
                .entry
                .header()
                .is_ok_and(|header| header.fields.contains(&field::MARKING));
            let folded = match touches {
                true => ledger::as_folded(read, verified.dot, &verified.entry)?,
                false => None,
            };
            // Nothing was marked before its founding entry, which may come late: after a re-issue of it and what followed.
            let Some((record, header)) =
                folded.and_then(|folded| Some((folded.header.record?, folded.header)))
            else {
                continue;
            };
            if is_read_sensitive(read, record, &header.context)? {
                sensitive.insert(verified.dot);
            }
        }
        Ok(Self {
            supervisor: officer.is_some_and(|officer| is_supervisor(&officer.role)),
            sensitive,
        })
    }

    fn permits(&self, revision: &Revision) -> bool {
        if self.supervisor {
            return true;
        }
        let sets = |wanted, words: &[&str]| {
            revision.body.ops.iter().any(|(id, op)| match op {
                FieldOp::Set(value) => {
                    *id == wanted && as_code(value).is_some_and(|code| words.contains(&code.as_str()))
                }
                _ => false,
            })
        };
        // A resolution chooses one of the states that are there.
        let judges = revision.header.kind != RevisionKind::RESOLVE
            && sets(
                field::LIFECYCLE,
                &[Lifecycle::Checked.word(), Lifecycle::Restricted.word()],
            );
        let lowers =
            self.sensitive.contains(&revision.dot) && sets(field::MARKING, &[Marking::Official.word()]);
        !judges && !lowers
    }
}

impl Check for Rules {
    fn standing(&self, revision: &Revision, _author: &Book) -> Standing {
        let received = Received {
            family: revision.header.family.as_str(),
            kind: revision.header.kind,
            reason: revision.body.reason.as_ref().map(|reason| reason.as_str()),
            ops: &revision.body.ops,
        };
        let fields = &revision.header.fields;
        // What is gathered before the entries are judged goes by what their headers say (R-REV-8).
        let says_what_it_touches = revision.body.ops.iter().all(|(id, _)| fields.contains(id));
        match check_received(&received) {
            _ if !says_what_it_touches => Standing::QUARANTINED_MALFORMED,
            Err(_) => Standing::QUARANTINED_MALFORMED,
            Ok(()) if self.permits(revision) => Standing::KEPT,
            Ok(()) => Standing::QUARANTINED_NOT_PERMITTED,
        }
    }
}

/// Roles that check, restrict and lower markings.
pub(crate) fn is_supervisor(role: &Code) -> bool {
    matches!(role.as_str(), "SGT" | "INSP" | "CINSP")
}

/// True if a record was marked sensitive as the author of a revision had read it. Not as it stands here: that would depend
/// on what came first.
fn is_read_sensitive(read: &dyn Read, record: RecordId, context: &VersionVector) -> Result<bool, StoreError> {
    let Some(head) = ledger::head(read, ledger::record_name(read, record)?)? else {
        return Ok(false);
    };
    let revisions = ledger::revisions(read, &head)?;
    let had_read = revisions.iter().filter(|revision| context.covers(revision.dot));
    // Where something that was read is not here yet, the entry waits; until then it goes by what stands.
    Ok(is_sensitive(&Head::fold(had_read).unwrap_or(head)))
}

fn is_sensitive(head: &Head) -> bool {
    head.field(field::MARKING).is_some_and(|marking| {
        marking
            .register()
            .any(|(_, value)| matches!(value, Value::Code(code) if code.as_str() == Marking::OfficialSensitive.word()))
    })
}

#[cfg(test)]
mod tests;
