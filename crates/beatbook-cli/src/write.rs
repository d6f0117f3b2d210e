//! The commands that write. Each returns when its entry is durable on this device, and waits for nothing else.

use beatbook_field::{Notebook, Read, Reference, Written};
use beatbook_proto::{Code, FieldId, FieldOp, Instant, Value};
use beatbook_records::build::{self, Author, Op, PersonRef, Setting, Strike};
use beatbook_records::schema::{self, FamilySpec, Kind};
use beatbook_records::vocabulary::{
    ContactKind, ContactMethod, Lifecycle, Marking, NoteKind, Role, Strand, SubjectCategory,
};
use beatbook_records::{AssignmentError, MergedFields, assign, field};

use crate::args;
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::time::{Moment, now};

/// `note`.
pub(crate) fn note(
    book: &Notebook,
    arguments: &args::Note,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    if arguments.text.trim().is_empty() && !arguments.draft {
        return Err(Failure::Usage(
            "the entry is blank: write something, or keep it open with --draft".to_owned(),
        ));
    }
    let mut note = build::Note::new(
        setting(book, &arguments.place.beat, arguments.place.at),
        NoteKind::from(&word("--kind", &arguments.kind)?),
        arguments.text.as_str(),
    );
    note.persons = arguments
        .person
        .iter()
        .map(|text| person(text))
        .collect::<Result<_, _>>()?;
    let mut ops = note.ops()?;
    if arguments.draft {
        ops.push((
            field::LIFECYCLE,
            FieldOp::Set(Value::Code(Lifecycle::Draft.code())),
        ));
    }
    found(book, build::Note::FAMILY, ops, &arguments.place.set, output)
}

/// `contact`.
pub(crate) fn contact(
    book: &Notebook,
    arguments: &args::Contact,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut contact = build::Contact::at(setting(book, &arguments.place.beat, arguments.place.at));
    contact.strand = Strand::from(&word("--strand", &arguments.strand)?);
    contact.method = ContactMethod::from(&word("--method", &arguments.method)?);
    contact.kind = ContactKind::from(&word("--kind", &arguments.kind)?);
    contact.reach = arguments.reach;
    contact.persons = arguments
        .person
        .iter()
        .map(|text| person(text))
        .collect::<Result<_, _>>()?;
    found(
        book,
        build::Contact::FAMILY,
        contact.ops()?,
        &arguments.place.set,
        output,
    )
}

/// `amend`.
pub(crate) fn amend(
    book: &Notebook,
    arguments: &args::Amend,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let read = open(book, &arguments.record)?;
    let ops = assigned(book, family_of(&read)?, &read.record.fields, &arguments.set)?;
    let written = book.amend(&read.token, &arguments.reason, ops);
    changed(&read, written, output)
}

/// `supplement`.
pub(crate) fn supplement(
    book: &Notebook,
    arguments: &args::Supplement,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let read = open(book, &arguments.record)?;
    if arguments.text.trim().is_empty() {
        return Err(Failure::Usage(
            "the supplement is blank: write what came to mind".to_owned(),
        ));
    }
    let written = book.supplement(&read.token, &arguments.text);
    changed(&read, written, output)
}

/// `strike`.
pub(crate) fn strike(
    book: &Notebook,
    arguments: &args::Strike,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let read = open(book, &arguments.record)?;
    let family = family_of(&read)?;
    let spec = family.named(&arguments.field).ok_or_else(|| {
        Failure::Usage(format!(
            "--field {}: {} has no such field; beatbook fields {} lists them",
            arguments.field, family.name, family.name
        ))
    })?;
    let (start, end) = match (&arguments.text, arguments.range) {
        (Some(words), _) => place_of(&read, spec.id, words)?,
        (None, Some(range)) => range,
        (None, None) => {
            return Err(Failure::Usage(
                "say what to strike: --text WORDS or --range A..B".to_owned(),
            ));
        }
    };
    let strike = Strike {
        field: (spec.id != field::BODY).then(|| spec.name.to_owned()),
        start,
        end,
        reason: arguments.reason.clone(),
        initials: arguments.initials.clone(),
        at: now(),
    };
    let written = book.strike(&read.token, &arguments.reason, &[strike]);
    changed(&read, written, output)
}

/// `sign`: each record as it is read here, one after the other; the first that cannot be signed ends it.
pub(crate) fn sign(
    book: &Notebook,
    arguments: &args::Sign,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for record in &arguments.records {
        let read = open(book, record)?;
        let written = book.sign(&read.token);
        if changed(&read, written, output)? != Exit::Done {
            exit = Exit::Waiting;
        }
    }
    Ok(exit)
}

/// `void`.
pub(crate) fn void(
    book: &Notebook,
    arguments: &args::Void,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let read = open(book, &arguments.record)?;
    let written = book.void(&read.token, &arguments.reason);
    changed(&read, written, output)
}

/// Founds a record from what its options and `--set` say.
pub(crate) fn found(
    book: &Notebook,
    family: &'static str,
    ops: Vec<Op>,
    set: &[String],
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let written = create(book, family, ops, set)?;
    told(&written.reference.clone(), &written, output)
}

/// The writing part of [`found`].
pub(crate) fn create(
    book: &Notebook,
    family: &'static str,
    ops: Vec<Op>,
    set: &[String],
) -> Result<Written, Failure> {
    let ops = composed(book, family, ops, set)?;
    let code = Code::new(family).map_err(|_| Failure::Usage(format!("{family} is no family")))?;
    book.found(&code, ops)
        .map_err(|error| Failure::write(&format!("the {}", spoken(family)), Some(family), error))
}

/// Prints the record that a change was made to.
pub(crate) fn changed(
    read: &Read,
    written: Result<Written, beatbook_field::WriteError>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let record = &read.record;
    let written =
        written.map_err(|error| Failure::write(&record.reference, Some(record.family.as_str()), error))?;
    told(&read.record.reference, &written, output)
}

fn told(reference: &str, written: &Written, output: &mut Output<'_>) -> Result<Exit, Failure> {
    for flag in &written.flags {
        output.remark(&format!("{reference}: {flag}"));
    }
    output.record(reference)?;
    Ok(Exit::Done)
}

/// Reads the record that a name on the command line means.
pub(crate) fn open(book: &Notebook, name: &Reference) -> Result<Read, Failure> {
    let record = book.find(&name.to_string())?;
    Ok(book.read(record)?)
}

/// The table of the family that a record belongs to.
pub(crate) fn family_of(read: &Read) -> Result<&'static FamilySpec, Failure> {
    schema::family(read.record.family.as_str()).ok_or_else(|| Failure::Choice {
        record: read.record.reference.clone(),
        what: format!(
            "its family {} is newer than this program: update it",
            read.record.family
        ),
    })
}

/// Who, where and when.
pub(crate) fn setting(book: &Notebook, beat: &str, at: Option<Moment>) -> Setting {
    let officer = book.officer();
    let mut setting = Setting::at(beat_of(book, beat), at.map_or_else(now, |moment| moment.0));
    setting.author = Some(Author {
        officer: officer.officer,
        collar: Some(officer.collar.clone()),
        force: Some(officer.force.as_str().to_owned()),
        role: Some(Role::from(&officer.role)),
    });
    setting
}

/// A beat with its force: that of this device where none was named.
pub(crate) fn beat_of(book: &Notebook, beat: &str) -> String {
    let beat = beat.trim();
    match beat.contains('/') {
        true => beat.to_owned(),
        false => format!("{}/{beat}", book.officer().force),
    }
}

/// A word of a vocabulary, however it is typed.
pub(crate) fn word(option: &str, text: &str) -> Result<Code, Failure> {
    let word = text.trim().to_uppercase().replace(['-', ' '], "_");
    Code::new(word).map_err(|_| {
        Failure::Usage(format!(
            "{option} {text:?} is not a word of its vocabulary; beatbook fields lists them"
        ))
    })
}

/// Reads assignments for a record that stands.
pub(crate) fn assigned(
    book: &Notebook,
    family: &FamilySpec,
    before: &MergedFields,
    set: &[String],
) -> Result<Vec<Op>, Failure> {
    let set: Vec<String> = set
        .iter()
        .map(|text| with_records(book, family, text))
        .collect::<Result<_, _>>()?;
    assign(family, before, &set).map_err(|source| Failure::Assignment {
        assignment: blamed(family, before, &set),
        family: family.name.to_owned(),
        source,
    })
}

/// Lays assignments over what options say; where both speak of a register, the assignment wins.
fn composed(
    book: &Notebook,
    family: &'static str,
    mut ops: Vec<Op>,
    set: &[String],
) -> Result<Vec<Op>, Failure> {
    let spec = schema::family(family).ok_or_else(|| Failure::Usage(format!("{family} is no family")))?;
    let mut before = MergedFields::new();
    before.apply(&ops);
    let given = assigned(book, spec, &before, set)?;
    let names = |wanted: FieldId| given.iter().any(|(id, _)| *id == wanted);
    let replaces = |wanted: FieldId| {
        given
            .iter()
            .any(|(id, op)| *id == wanted && matches!(op, FieldOp::Set(_) | FieldOp::Clear))
    };
    // What the typed API marks so by itself is marked so here too, unless the officer says otherwise.
    let tender = TENDER.iter().any(|id| names(*id)) && !names(field::MARKING);
    ops.retain(|(id, _)| !(replaces(*id) || tender && *id == field::MARKING));
    if tender {
        let marking = Value::Code(Marking::OfficialSensitive.code());
        ops.push((field::MARKING, FieldOp::Set(marking)));
    }
    ops.extend(given.into_iter().filter(|(_, op)| *op != FieldOp::Clear));
    Ok(ops)
}

/// Replaces a record's name in an assignment by what the record is called for ever.
fn with_records(book: &Notebook, family: &FamilySpec, text: &str) -> Result<String, Failure> {
    let Some((left, value)) = text.split_once('=') else {
        return Ok(text.to_owned());
    };
    let mut names = left.trim_end_matches(['+', '-']).trim().split('.');
    let mut spec = names.next().and_then(|name| family.named(name));
    for name in names {
        spec = spec.and_then(|spec| spec.member(name));
    }
    match spec.map(|spec| spec.kind) {
        Some(Kind::Record) if !value.trim().is_empty() => Ok(format!("{left}={}", book.find(value)?)),
        _ => Ok(text.to_owned()),
    }
}

/// The left side of the first assignment that cannot be read; never its value.
fn blamed(family: &FamilySpec, before: &MergedFields, set: &[String]) -> String {
    let wrong = set.iter().find(|text| {
        let alone: Result<_, AssignmentError> = assign(family, before, std::slice::from_ref(text));
        alone.is_err()
    });
    let left = wrong
        .or(set.first())
        .map_or("", |text| text.split('=').next().unwrap_or_default());
    left.trim_end_matches(['+', '-']).to_owned()
}

/// Reads `Given Family` or `Given Family:CATEGORY`.
fn person(text: &str) -> Result<PersonRef, Failure> {
    let (name, category) = match text.rsplit_once(':') {
        Some((name, category)) => (name, Some(SubjectCategory::from(&word("--person", category)?))),
        None => (text, None),
    };
    let names: Vec<&str> = name.split_whitespace().collect();
    let (given, family) = match names.as_slice() {
        [] => {
            return Err(Failure::Usage(
                "--person names nobody: write \"Given Family:WITNESS\"".to_owned(),
            ));
        }
        [only] => (None, (*only).to_owned()),
        [given @ .., family] => (Some(given.join(" ")), (*family).to_owned()),
    };
    Ok(PersonRef {
        given_name: given,
        family_name: Some(family),
        subject_categories: category.into_iter().collect(),
        ..PersonRef::default()
    })
}

/// Where words stand in a text field, in code points: exactly once, or the officer has to say which.
fn place_of(read: &Read, id: FieldId, words: &str) -> Result<(u32, u32), Failure> {
    let wrong = |what: String| Failure::Choice {
        record: read.record.reference.clone(),
        what,
    };
    let name = schema::name_of(id);
    let text = match read.record.fields.siblings(id) {
        [] => return Err(wrong(format!("it has no {name}: nothing can be struck there"))),
        [_] => read
            .record
            .fields
            .text(id)
            .ok_or_else(|| wrong(format!("{name} is not a text")))?,
        _ => {
            return Err(Failure::Conflict {
                record: read.record.reference.clone(),
            });
        }
    };
    match text.matches(words).count() {
        _ if words.is_empty() => Err(wrong("--text is empty: give the words to strike".to_owned())),
        0 => Err(wrong(format!(
            "those words do not stand in {name}: give them as they stand; beatbook show {} prints them",
            read.record.reference
        ))),
        1 => {
            let unread = || wrong(format!("{name} is too long to strike by words: use --range"));
            let at = Instant {
                utc_ms: 0,
                offset_min: 0,
            };
            let strike = Strike::of_words(text, words, "", "", at).ok_or_else(unread)?;
            Ok((strike.start, strike.end))
        }
        count => Err(wrong(format!(
            "those words stand {count} times in {name}: give more of them, or --range A..B"
        ))),
    }
}

/// A family as people speak of it.
fn spoken(family: &str) -> String {
    family.to_lowercase().replace('_', " ")
}

/// Fields that make a contact OFFICIAL_SENSITIVE unless the officer says otherwise.
const TENDER: &[FieldId] = &[field::VULNERABILITY, field::REFERRAL, field::IDENTITY_PROTECTED];
