//! The typed APIs: builders of the records crate in, entries out. They fill in who writes and when.

use beatbook_core::ledger::ReadToken;
use beatbook_proto::{Code, Instant};
use beatbook_records::build::{
    Breadcrumb, BuildError, Contact, DutyState, Interval, Note, Op, Segment, Setting, Shift, Stop,
};
use beatbook_records::vocabulary::StopResult;

use super::{WriteError, Written};
use crate::clock;
use crate::notebook::Notebook;

/// Writes notes. See [`Notebook::notes`].
#[derive(Clone, Copy, Debug)]
pub struct Notes<'a>(pub(super) &'a Notebook);

impl Notes<'_> {
    /// Writes a note; a draft until it is signed.
    pub fn write(&self, mut note: Note) -> Result<Written, WriteError> {
        self.0.fill(&mut note.setting);
        self.0.found_built(Note::FAMILY, note.ops())
    }
}

/// Records engagements. See [`Notebook::contacts`].
#[derive(Clone, Copy, Debug)]
pub struct Contacts<'a>(pub(super) &'a Notebook);

impl Contacts<'_> {
    /// Records a contact.
    pub fn record(&self, mut contact: Contact) -> Result<Written, WriteError> {
        self.0.fill(&mut contact.setting);
        self.0.found_built(Contact::FAMILY, contact.ops())
    }
}

/// Records patrols. See [`Notebook::patrol`].
#[derive(Clone, Copy, Debug)]
pub struct Patrol<'a>(pub(super) &'a Notebook);

impl Patrol<'_> {
    /// Books on: founds the record of a shift.
    pub fn book_on(&self, mut shift: Shift) -> Result<Written, WriteError> {
        self.0.fill(&mut shift.setting);
        self.0.found_built(Shift::FAMILY, shift.ops())
    }

    /// Notes a change of what the officer is doing, in the shift that was read.
    pub fn duty_state(&self, shift: &ReadToken, state: &DutyState) -> Result<Written, WriteError> {
        self.0.state(shift, state.ops()?)
    }

    /// Books off: says from when to when the shift was.
    pub fn book_off(&self, shift: &ReadToken, worked: Interval) -> Result<Written, WriteError> {
        self.0.state(shift, Segment::end_ops(worked, None)?)
    }

    /// Starts a stretch of patrol.
    pub fn start(&self, mut segment: Segment) -> Result<Written, WriteError> {
        self.0.fill(&mut segment.setting);
        self.0.found_built(Segment::FAMILY, segment.ops())
    }

    /// Ends a stretch of patrol.
    pub fn end(
        &self,
        segment: &ReadToken,
        walked: Interval,
        summary: Option<String>,
    ) -> Result<Written, WriteError> {
        self.0.state(segment, Segment::end_ops(walked, summary)?)
    }

    /// Records a stop or visit.
    pub fn stop(&self, mut stop: Stop) -> Result<Written, WriteError> {
        self.0.fill(&mut stop.setting);
        self.0.found_built(Stop::FAMILY, stop.ops())
    }

    /// Ends a stop.
    pub fn leave(
        &self,
        stop: &ReadToken,
        stayed: Interval,
        result: Option<StopResult>,
    ) -> Result<Written, WriteError> {
        self.0.state(stop, Stop::end_ops(stayed, result)?)
    }

    /// Keeps recorded positions: they go to the trace, after the book.
    pub fn breadcrumb(&self, mut crumb: Breadcrumb) -> Result<Written, WriteError> {
        self.0.fill(&mut crumb.setting);
        self.0.found_built(Breadcrumb::FAMILY, crumb.ops())
    }
}

impl Notebook {
    /// The present moment on this device, with its offset: what the typed APIs fill in.
    pub fn now(&self) -> Instant {
        clock::now()
    }

    fn fill(&self, setting: &mut Setting) {
        setting.author.get_or_insert_with(|| self.enrolled().author());
        setting
            .occurred
            .get_or_insert_with(|| Interval::since(clock::now()));
    }

    fn found_built(&self, family: &str, ops: Result<Vec<Op>, BuildError>) -> Result<Written, WriteError> {
        let family = Code::new(family).map_err(|_| beatbook_records::WriteError::UnknownFamily {
            family: family.to_owned(),
        })?;
        self.found(&family, ops?)
    }
}
