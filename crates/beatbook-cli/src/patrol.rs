//! The patrol log: shift, duty states, stretches, positions, stops.

use std::path::Path;

use beatbook_field::{Notebook, Query, Read, Reference};
use beatbook_proto::Instant;
use beatbook_records::build::{Breadcrumb, DutyState, Interval, Segment, Shift, Stop};
use beatbook_records::positions::{self, PositionsError};
use beatbook_records::vocabulary::{BeatBasis, DutyStateWord, PatrolMode, StopKind, StopResult};
use beatbook_records::{field, member_instant};

use crate::args::{self, Patrol};
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::time::{Moment, now};
use crate::write::{beat_of, changed, create, found, open, setting, word};

/// Runs one of the patrol commands; paths begin in `folder`.
pub(crate) fn run(
    book: &Notebook,
    command: &Patrol,
    folder: &Path,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    match command {
        Patrol::Start(arguments) => start(book, arguments, output),
        Patrol::State(arguments) => state(book, arguments, output),
        Patrol::Segment(arguments) => segment(book, arguments, output),
        Patrol::Fix(arguments) => fix(book, arguments, folder, output),
        Patrol::Stop(arguments) => stop(book, arguments, output),
        Patrol::End(arguments) => end(book, arguments, output),
    }
}

fn start(book: &Notebook, arguments: &args::Start, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut shift = Shift {
        setting: setting(book, &arguments.place.beat, arguments.place.at),
        rostered: arguments
            .rostered
            .map(|(from, to)| Interval::between(from.0, to.0)),
        team: arguments.team.clone(),
        call_sign: arguments.call_sign.clone(),
        ..Shift::default()
    };
    if let Some(state) = &arguments.state {
        let since = arguments.place.at.map_or_else(now, |moment| moment.0);
        let state = DutyStateWord::from(&word("--state", state)?);
        shift.duty_states.push(DutyState::since(state, since));
    }
    found(book, Shift::FAMILY, shift.ops()?, &arguments.place.set, output)
}

fn state(book: &Notebook, arguments: &args::State, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let shift = shift_of(book, arguments.shift.as_ref())?;
    let since = arguments.at.map_or_else(now, |moment| moment.0);
    let mut state = DutyState::since(DutyStateWord::from(&word("STATE", &arguments.state)?), since);
    if let Some(beat) = &arguments.beat {
        state.beat = Some(beat_of(book, beat));
        state.beat_basis = Some(BeatBasis::Asserted);
    }
    let written = book.patrol().duty_state(&shift.token, &state);
    changed(&shift, written, output)
}

fn segment(book: &Notebook, arguments: &args::Segment, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mode = PatrolMode::from(&word("--mode", &arguments.mode)?);
    let mut segment = Segment::new(setting(book, &arguments.place.beat, arguments.place.at), mode);
    until(&mut segment.setting.occurred, arguments.until)?;
    segment.summary.clone_from(&arguments.summary);
    found(
        book,
        Segment::FAMILY,
        segment.ops()?,
        &arguments.place.set,
        output,
    )
}

fn stop(book: &Notebook, arguments: &args::Stop, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let kind = StopKind::from(&word("--kind", &arguments.kind)?);
    let mut stop = Stop::new(setting(book, &arguments.place.beat, arguments.place.at), kind);
    until(&mut stop.setting.occurred, arguments.until)?;
    if let Some(result) = &arguments.result {
        stop.result = Some(StopResult::from(&word("--result", result)?));
    }
    stop.contacts_made = arguments.contacts;
    stop.segment = named(book, arguments.segment.as_ref())?;
    found(book, Stop::FAMILY, stop.ops()?, &arguments.place.set, output)
}

fn end(book: &Notebook, arguments: &args::End, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let shift = shift_of(book, arguments.shift.as_ref())?;
    let from = began(&shift);
    let to = arguments.at.map_or_else(now, |moment| moment.0);
    if to.utc_ms < from.utc_ms {
        return Err(Failure::Usage(
            match arguments.at {
                Some(_) => "the shift would end before it began: check --at",
                None => "by the clock of this device the shift has not begun yet: check the date of this device, or give --at",
            }
            .to_owned(),
        ));
    }
    let written = book.patrol().book_off(&shift.token, Interval::between(from, to));
    changed(&shift, written, output)
}

fn fix(
    book: &Notebook,
    arguments: &args::Fix,
    folder: &Path,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let begun = arguments.at.map_or_else(now, |moment| moment.0);
    let points = match &arguments.file {
        Some(file) => {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path).map_err(|source| Failure::File {
                path: path.clone(),
                source,
            })?;
            let unread = |source: PositionsError| Failure::Track {
                what: path.display().to_string(),
                source,
            };
            positions::from_file(&text).map_err(unread)?
        }
        None => {
            positions::from_arguments(&arguments.fixes, begun.utc_ms).map_err(|source| Failure::Track {
                what: "the positions".to_owned(),
                source,
            })?
        }
    };
    let segment = named(book, arguments.segment.as_ref())?;
    let duty_state = DutyStateWord::from(&word("--state", &arguments.state)?);
    for chunk in positions::chunks(&points) {
        let first = chunk.first().map_or(begun.utc_ms, |fix| fix.utc_ms);
        let crumb = Breadcrumb {
            setting: setting(book, &arguments.beat, None),
            points: chunk.to_vec(),
            offset_min: beatbook_records::time::uk_offset_min(first),
            segment,
            duty_state: Some(duty_state.clone()),
        };
        let written = create(book, Breadcrumb::FAMILY, crumb.ops()?, &[])?;
        for flag in &written.flags {
            output.remark(&format!("{}: {flag}", written.reference));
        }
        output.record(&written.reference)?;
    }
    Ok(Exit::Done)
}

/// The shift that was named, or the officer's newest one that has not ended.
fn shift_of(book: &Notebook, name: Option<&Reference>) -> Result<Read, Failure> {
    if let Some(name) = name {
        return open(book, name);
    }
    let officer = book.officer().officer;
    let mut query = Query::all().family(Shift::FAMILY);
    query.officer = Some(beatbook_field::Officer::Id(officer));
    let shifts = book.list(&query)?.records;
    let ended = |record: &beatbook_field::Record| {
        let interval = record.fields.one(field::OCCURRED);
        interval.is_some_and(|interval| member_instant(interval, field::TO).is_some())
    };
    match shifts.iter().find(|record| !ended(record)) {
        Some(record) => Ok(book.read(record.id)?),
        None => Err(Failure::Usage(
            "no shift is open: book on with beatbook patrol start --beat ID, or name one with --shift"
                .to_owned(),
        )),
    }
}

fn began(shift: &Read) -> Instant {
    let interval = shift.record.fields.one(field::OCCURRED);
    let from = interval.and_then(|interval| member_instant(interval, field::FROM));
    from.unwrap_or(shift.record.at)
}

fn named(book: &Notebook, name: Option<&Reference>) -> Result<Option<beatbook_proto::Dot>, Failure> {
    Ok(name.map(|name| book.find(&name.to_string())).transpose()?)
}

/// Ends an interval, after it began.
fn until(occurred: &mut Option<Interval>, end: Option<Moment>) -> Result<(), Failure> {
    if let (Some(interval), Some(end)) = (occurred, end) {
        if end.0.utc_ms < interval.from.utc_ms {
            return Err(Failure::Usage(
                "--until lies before the beginning: give --at too".to_owned(),
            ));
        }
        interval.to = Some(end.0);
    }
    Ok(())
}
