//! A record as a notebook page: as it was written, with every later change shown under it.
//!
//! Nothing is taken away: struck text stays between `~~` with initials and reason, amended text is struck
//! and the new text stands under it, supplements and remarks stand at their own times.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use beatbook_proto::{FieldId, FieldOp, Instant, RevisionKind, Stamp, Value};

use crate::build::Op;
use crate::check::{lifecycle, strike_range, struck_field};
use crate::field;
use crate::merged::{MergedFields, as_text, member_code, member_instant, member_text};
use crate::redact::redacted;
use crate::schema::{self, FamilySpec, Sensitivity};
use crate::show::{interval_text, value_text};
use crate::time;

/// One revision of the record, as the page needs it.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// How the revision is referred to, such as `B07/131`.
    pub reference: &'a str,
    /// Who wrote it: initials or collar number.
    pub by: &'a str,
    /// What it does.
    pub kind: RevisionKind,
    /// When it was recorded.
    pub recorded_at: Stamp,
    /// Why.
    pub reason: Option<&'a str>,
    /// What it does to which fields.
    pub ops: &'a [Op],
}

/// A record and all its changes.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// How the record is referred to.
    pub reference: &'a str,
    /// Its family.
    pub family: &'a str,
    /// Its merged state.
    pub merged: &'a MergedFields,
    /// Its revisions, in order of Lamport number, then dot.
    pub changes: &'a [Change<'a>],
    /// The class of fields shown in full.
    pub up_to: Sensitivity,
}

/// Renders a page as plain text, ending with a line break.
pub fn render(page: &Page<'_>) -> String {
    let mut out = Out {
        page,
        family: schema::family(page.family),
        strikes_before: BTreeMap::new(),
        text: String::new(),
    };
    out.head();
    let mut state = MergedFields::new();
    for change in page.changes {
        out.change(change, &state);
        state.apply(change.ops);
    }
    out.conflicts();
    out.text
}

struct Out<'a> {
    page: &'a Page<'a>,
    family: Option<&'static FamilySpec>,
    /// How many strikes there were when a field was last written: those are of the text before.
    strikes_before: BTreeMap<FieldId, usize>,
    text: String,
}

impl Out<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.text, "{}", line.as_ref());
    }

    fn head(&mut self) {
        let merged = self.page.merged;
        let words = |id: FieldId| {
            let siblings = merged.siblings(id).iter();
            let shown: Vec<String> = siblings.map(|value| self.shown(id, value)).collect();
            shown.join(" | ")
        };
        let head = [
            self.page.reference.to_owned(),
            self.page.family.to_owned(),
            words(field::NOTE_KIND),
            words(field::BEAT),
            words(field::MARKING),
            lifecycle(merged).word().to_owned(),
        ];
        let head: Vec<&str> = head
            .iter()
            .map(String::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        self.line(head.join("  "));
        for occurred in merged.siblings(field::OCCURRED) {
            let Some(from) = member_instant(occurred, field::FROM) else {
                continue;
            };
            let span = interval_text(occurred).unwrap_or_default();
            self.line(format!("{} {span}", time::local_day(from)));
        }
    }

    fn change(&mut self, change: &Change<'_>, before: &MergedFields) {
        self.line("");
        let heading = heading(change);
        self.line(heading);
        if change.kind == RevisionKind::STRIKE {
            self.strikes(change, before);
            return;
        }
        let mut state = before.clone();
        for op in change.ops {
            if !goes_without_saying(change, op, &state) {
                self.op(op, &state);
            }
            if matches!(op.1, FieldOp::Set(_) | FieldOp::Clear) {
                self.strikes_before.insert(op.0, state.list(field::STRIKES).len());
            }
            state.apply(std::slice::from_ref(op));
        }
    }

    /// One operation: what it replaced is struck, what it says stands after it.
    fn op(&mut self, (id, op): &Op, before: &MergedFields) {
        if IN_HEAD.contains(id) && before.field(*id).is_none() {
            return;
        }
        let name = schema::name_of(*id);
        match op {
            FieldOp::Set(value) => {
                let old: Vec<String> = before
                    .siblings(*id)
                    .iter()
                    .map(|value| self.shown(*id, value))
                    .collect();
                let new = self.shown(*id, value);
                if *id == field::BODY {
                    old.iter().for_each(|old| self.line(struck_whole(old)));
                    self.line(new);
                } else {
                    let old: String = old.iter().map(|old| format!("{} ", struck_whole(old))).collect();
                    self.line(format!("{name}: {old}{new}"));
                }
            }
            FieldOp::Append(value) if *id == field::SPEECH && self.visible(*id) => self.speech(value),
            FieldOp::Append(value) if SAID.contains(id) && self.visible(*id) => {
                let words = member_text(value, field::WORDS).unwrap_or_default();
                self.line(words);
            }
            FieldOp::Append(value) if *id == field::SIGNATURES => {
                let initials = member_text(value, field::INITIALS).unwrap_or_default();
                let collar = member_text(value, field::COLLAR).unwrap_or_default();
                let role = member_code(value, field::ROLE).map_or("", |code| code.as_str());
                let at = member_instant(value, field::AT).map_or_else(String::new, moment);
                let signed: Vec<&str> = [initials, collar, role, &at]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect();
                self.line(signed.join(" "));
            }
            FieldOp::Add(value) | FieldOp::Append(value) => {
                let shown = self.shown(*id, value);
                self.line(format!("{name}: {shown}"));
            }
            FieldOp::Remove(value) => {
                let shown = self.shown(*id, value);
                self.line(format!("{name}: {}", struck_whole(&shown)));
            }
            FieldOp::Increment(by) => self.line(format!("{name}: {by:+}")),
            FieldOp::Max(at_least) => self.line(format!("{name}: at least {at_least}")),
            FieldOp::Clear => {
                let old: Vec<String> = before
                    .values(*id)
                    .map(|value| struck_whole(&self.shown(*id, value)))
                    .collect();
                self.line(format!("{name}: {}", old.join(" ")));
            }
        }
    }

    fn speech(&mut self, value: &Value) {
        let at = member_instant(value, field::AT)
            .map_or_else(String::new, |at| format!("{} ", time::local_clock(at)));
        let speaker = member_text(value, field::SPEAKER_LABEL).unwrap_or("?");
        let words = member_text(value, field::WORDS).unwrap_or_default();
        self.line(format!("{at}{speaker}: \"{words}\""));
    }

    /// The struck text as it stood, every strike so far marked in place.
    fn strikes(&mut self, change: &Change<'_>, before: &MergedFields) {
        let Some(family) = self.family else { return };
        let mut state = before.clone();
        state.apply(change.ops);
        let mut done: Vec<FieldId> = Vec::new();
        for (_, op) in change.ops {
            let FieldOp::Append(strike) = op else { continue };
            let Some(id) = struck_field(family, strike).filter(|id| !done.contains(id)) else {
                continue;
            };
            done.push(id);
            let marks: Vec<Mark<'_>> = state
                .list(field::STRIKES)
                .iter()
                .skip(self.strikes_before.get(&id).copied().unwrap_or(0))
                .filter(|strike| struck_field(family, strike) == Some(id))
                .filter_map(Mark::read)
                .collect();
            let visible = self.visible(id);
            for text in before.siblings(id).iter().filter_map(as_text) {
                let marked = match visible {
                    true => with_marks(text, &marks),
                    false => crate::show::MASK.to_owned(),
                };
                self.line(format!("{}: {marked}", schema::name_of(id)));
            }
        }
    }

    fn conflicts(&mut self) {
        let page = self.page;
        for id in page.merged.conflicts() {
            self.line("");
            self.line(format!(
                "TWO VERSIONS of {} exist: resolve first",
                schema::name_of(id)
            ));
            for (index, value) in page.merged.siblings(id).iter().enumerate() {
                let shown = self.shown(id, value);
                self.line(format!("  {}: {shown}", index + 1));
            }
        }
    }

    fn shown(&self, id: FieldId, value: &Value) -> String {
        if id == field::AUTHOR
            && self.visible(id)
            && let Some(author) = author_text(value)
        {
            return author;
        }
        let spec = self
            .family
            .and_then(|family| family.field(id))
            .or_else(|| schema::any_field(id));
        value_text(value, spec, self.page.up_to)
    }

    fn visible(&self, id: FieldId) -> bool {
        schema::any_field(id).is_none_or(|spec| spec.sensitivity <= self.page.up_to)
    }
}

/// One strike as it is marked in the text.
struct Mark<'a> {
    range: Range<usize>,
    initials: &'a str,
    reason: &'a str,
    at: Option<Instant>,
}

impl<'a> Mark<'a> {
    fn read(strike: &'a Value) -> Option<Self> {
        Some(Self {
            range: strike_range(strike)?,
            initials: member_text(strike, field::INITIALS).unwrap_or("?"),
            reason: member_text(strike, field::REASON).unwrap_or("?"),
            at: member_instant(strike, field::AT),
        })
    }

    /// Says who struck it, when and why; `inside` another strike that goes on.
    fn note(&self, out: &mut String, inside: bool) {
        let clock = self
            .at
            .map_or_else(String::new, |at| format!(" {}", time::local_clock(at)));
        let after = if inside { " " } else { "" };
        let _ = write!(out, " [{}{clock}: {}]{after}", self.initials, self.reason);
    }
}

/// A text with its struck parts between `~~`, each followed by initials, time and reason.
fn with_marks(text: &str, marks: &[Mark<'_>]) -> String {
    let struck = |at: usize| marks.iter().any(|mark| mark.range.contains(&at));
    let length = text.chars().count();
    let mut out = String::new();
    let mut open = false;
    for (at, character) in text.chars().map(Some).chain([None]).enumerate() {
        let goes_on = character.is_some() && struck(at);
        if open && !goes_on {
            out.push_str("~~");
        }
        for mark in marks.iter().filter(|mark| mark.range.end.min(length) == at) {
            mark.note(&mut out, goes_on);
        }
        if goes_on && !open {
            out.push_str("~~");
        }
        open = goes_on;
        out.extend(character);
    }
    out
}

fn struck_whole(text: &str) -> String {
    text.split('\n')
        .map(|line| match line.is_empty() {
            true => String::new(),
            false => format!("~~{line}~~"),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// True for what a page need not say when it is first written: the author whom the heading names, and that a note was
/// made at the time, as notes are.
fn goes_without_saying(change: &Change<'_>, (id, op): &Op, before: &MergedFields) -> bool {
    let FieldOp::Set(value) = op else { return false };
    if before.field(*id).is_some() {
        return false;
    }
    match *id {
        field::AUTHOR => member_text(value, field::COLLAR) == Some(change.by),
        field::CONTEMPORANEOUS => {
            let made = value.member(field::MADE_AT_THE_TIME) == Some(&Value::Bool(true));
            made && matches!(value, Value::Group(members) if members.len() == 1)
        }
        _ => false,
    }
}

/// An author as people name one: `52/9123 PCSO`. `None` without a collar number.
fn author_text(author: &Value) -> Option<String> {
    let collar = member_text(author, field::COLLAR)?;
    let force = member_code(author, field::FORCE).map_or_else(String::new, |force| format!("{force}/"));
    let role = member_code(author, field::ROLE).map_or_else(String::new, |role| format!(" {role}"));
    Some(format!("{force}{collar}{role}"))
}

fn heading(change: &Change<'_>) -> String {
    let at = moment(Instant {
        utc_ms: change.recorded_at.utc_ms,
        offset_min: change.recorded_at.offset_min,
    });
    let what = match change.kind {
        RevisionKind::CREATE => "Recorded",
        RevisionKind::AMEND => "Amended",
        RevisionKind::SUPPLEMENT => "Supplement",
        RevisionKind::STRIKE => "Struck",
        RevisionKind::SIGN => "Signed",
        RevisionKind::STATE => "State",
        RevisionKind::ANNOTATE => "Remark",
        RevisionKind::RESOLVE => "Resolved",
        RevisionKind::VOID => "VOID",
        _ => "Changed",
    };
    let reason = change
        .reason
        .map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{what} {at} by {} ({}){reason}", change.by, change.reference)
}

fn moment(instant: Instant) -> String {
    format!("{} {}", time::local_day(instant), time::local_clock(instant))
}

/// Shown in the head of the page, so not again where they are first written.
const IN_HEAD: &[FieldId] = &[field::NOTE_KIND, field::BEAT, field::MARKING, field::OCCURRED];

/// Words that stand as they are under their heading.
const SAID: &[FieldId] = &[field::SUPPLEMENTS, field::REMARKS];

redacted!(Change<'_>, Page<'_>);

#[cfg(test)]
mod tests;
