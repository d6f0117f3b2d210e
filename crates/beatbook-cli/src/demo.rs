//! `demo`: the whole story on this machine, with a real server, real tokens and a network that is really cut.
//!
//! Every figure is counted from what happened, and the story is checked: if a part of it does not come true, the
//! command fails.

mod relay;
mod shift;
pub(crate) mod world;

use std::path::{Path, PathBuf};
use std::time::Instant;

use beatbook_field::{Concurrency, Notebook, Query, Record, Safety, Written};
use beatbook_proto::{FieldOp, RecordId, Text, Value};
use beatbook_records::build::Op;
use beatbook_records::schema::Sensitivity;
use beatbook_records::{assign, field, schema};
use serde_json::json;

use crate::args::{Demo, Filter};
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::sync::ended;
use crate::versions::Versions;
use crate::view::{self, Look};
use shift::{Pen, Subjects};
use world::{Device, PIN, World, broke};

/// Runs the command.
pub(crate) fn run(arguments: &Demo, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (folder, temporary) = folder(arguments.dir.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = runtime.block_on(tell(&folder, arguments.serve, output));
    drop(runtime);
    if let Some(temporary) = temporary {
        temporary.close().map_err(|source| Failure::File {
            path: folder.clone(),
            source,
        })?;
    }
    told.map(|()| Exit::Done)
}

/// What happened, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    /// Entries written while the network was cut.
    written_offline: u64,
    /// Of them, held by the server by its receipt.
    synced: u64,
    /// Records that were edited on two devices and merged by themselves.
    merged: u64,
    /// Conflicts that the sergeant was shown.
    conflicts_shown: u64,
    /// Of them, resolved, and seen resolved on the phone.
    conflicts_resolved: u64,
    bytes_up: u64,
    bytes_down: u64,
    elapsed_ms: u64,
}

/// Tells the story, and ends or stays; told to end in the middle, it leaves nothing behind.
async fn tell(folder: &Path, serve: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    let world = tokio::select! {
        told = story(folder, output) => told?,
        () = ended() => return Err(Failure::Demo("it was told to end".to_owned())),
    };
    match serve {
        true => stay(world, output).await,
        false => end(world).await,
    }
}

async fn story(folder: &Path, output: &mut Output<'_>) -> Result<World, Failure> {
    let begun = Instant::now();
    say(
        output,
        "A force, its server on loopback, and four devices, each enrolled with a one-time token.",
    )?;
    let world = World::build(folder).await?;
    for device in world.devices() {
        device.until("the first contact", all_safe).await?;
    }
    let before = world.bytes();

    say(
        output,
        "The network is cut. PCSO 9123 and PCSO 9140 write part of a late turn.",
    )?;
    world.coverage(false);
    let mut offline: Vec<(&Device, Vec<Written>)> = Vec::new();
    let (subjects, written) = write(&world.phone, |pen| pen.late_turn()).await?;
    offline.push((&world.phone, written));
    let ((), written) = write(&world.colleague, |pen| pen.sea_front()).await?;
    offline.push((&world.colleague, written));

    say(output, "Coverage comes back. The agents sync by themselves.")?;
    world.coverage(true);
    arrived(&world, &offline).await?;

    say(
        output,
        "The network is cut again. Phone and laptop of one officer edit the same two records.",
    )?;
    world.coverage(false);
    offline.extend(edit(&world, subjects).await?);
    world.coverage(true);
    arrived(&world, &offline).await?;

    let merged = merged(&world.desk, subjects).await?;
    pulled(&world.desk, output).await?;
    let shown = shown(&world.desk, subjects, output).await?;
    let resolved = resolved(&world, subjects).await?;
    let (up, down) = world.bytes();
    let figures = Figures {
        written_offline: offline.iter().map(|(_, written)| written.len() as u64).sum(),
        synced: synced(&offline).await?,
        merged,
        conflicts_shown: shown,
        conflicts_resolved: resolved,
        bytes_up: up - before.0,
        bytes_down: down - before.1,
        elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    drop(offline);
    figures.check()?;
    figures.print(output)?;
    Ok(world)
}

/// Writes on a device, and hands out what was written.
async fn write<T: Send + 'static>(
    device: &Device,
    part: impl FnOnce(&mut Pen<'_>) -> Result<T, Failure> + Send + 'static,
) -> Result<(T, Vec<Written>), Failure> {
    device
        .on(move |book| {
            let mut pen = Pen::new(book);
            let told = part(&mut pen)?;
            Ok((told, pen.written))
        })
        .await
}

/// Different fields of the contact, and the same field of the note, on two devices that know nothing of each other.
async fn edit(world: &World, subjects: Subjects) -> Result<Vec<(&Device, Vec<Written>)>, Failure> {
    let Subjects { contact, note } = subjects;
    let body = |number: u8| {
        format!(
            "Called at {number} High Street. Mr Aldous Penn, lives alone, had a call from a false bank. Nothing paid."
        )
    };
    let plans = [
        (
            &world.phone,
            "outcome=ADVICE",
            "advice was given after all",
            body(16),
            "wrong house number",
        ),
        (
            &world.laptop,
            "summary=Parking at the school gate, 8 to 9 on weekdays",
            "said when",
            body(12),
            "misread it",
        ),
    ];
    let mut edited = Vec::new();
    for (device, assignment, reason, body, why) in plans {
        let (_, written) = write(device, move |pen| {
            let seen = pen.book().read(contact)?;
            let ops = assign(&schema::CONTACT, &seen.record.fields, &[assignment]).map_err(broke)?;
            let amended = pen.book().amend(&seen.token, reason, ops);
            pen.keep(amended)?;
            let seen = pen.book().read(note)?;
            let text = Text::new(body).ok_or_else(|| broke("the text is too long"))?;
            let ops: Vec<Op> = vec![(field::BODY, FieldOp::Set(Value::Text(text)))];
            let amended = pen.book().amend(&seen.token, why, ops);
            pen.keep(amended)
        })
        .await?;
        edited.push((device, written));
    }
    Ok(edited)
}

/// Waits until every device is safe, and holds every record that was written.
async fn arrived(world: &World, offline: &[(&Device, Vec<Written>)]) -> Result<(), Failure> {
    let entries: Vec<(RecordId, beatbook_proto::Dot)> = offline
        .iter()
        .flat_map(|(_, written)| written)
        .map(|written| (written.record, written.dot))
        .collect();
    for device in world.devices() {
        device.until("everything safe", all_safe).await?;
        let entries = entries.clone();
        let holds = move |book: &Notebook| {
            entries.iter().all(|(record, dot)| {
                book.read(*record)
                    .is_ok_and(|read| read.history.iter().any(|revised| revised.dot == *dot))
            })
        };
        device.until("everything here", holds).await?;
    }
    Ok(())
}

/// The records that the desk shows as merged by themselves, of those that were edited on two devices.
async fn merged(desk: &Device, subjects: Subjects) -> Result<u64, Failure> {
    let merged = desk
        .on(move |book| {
            let read = book.read(subjects.contact)?;
            let both = read.record.fields.field(field::OUTCOME).is_some()
                && read
                    .record
                    .fields
                    .text(field::CONTACT_SUMMARY)
                    .is_some_and(|text| text.contains("8 to 9"));
            Ok(both && read.record.concurrency == Concurrency::AutoMerged)
        })
        .await?;
    Ok(u64::from(merged))
}

/// Prints the merged log as the sergeant pulls it.
async fn pulled(desk: &Device, output: &mut Output<'_>) -> Result<(), Failure> {
    if output.json() {
        return Ok(());
    }
    say(output, "\nSergeant 214 pulls the merged log of the beats:\n")?;
    let records: Vec<Record> = desk
        .on(|book| Ok(book.list(&Query::all().earliest_first())?.records))
        .await?;
    let filter = Filter::default();
    let look = Look::new(None, &filter, output);
    view::print(&records, &filter, look, output)
}

/// Shows the conflict, and counts what was shown.
async fn shown(desk: &Device, subjects: Subjects, output: &mut Output<'_>) -> Result<u64, Failure> {
    let conflicts = desk
        .on(|book| Ok(book.list(&Query::all().conflicts())?.records))
        .await?;
    let read = desk.on(move |book| Ok(book.read(subjects.note)?)).await?;
    let versions = Versions::of(&read);
    if !output.json() {
        output.text(&format!(
            "\nOne record waits for a person, {}:",
            read.record.reference
        ))?;
        output.text(versions.text(Sensitivity::Personal).trim_end())?;
    }
    let whole = versions.versions.len() == 2 && conflicts.iter().all(|record| record.id == subjects.note);
    match whole {
        true => Ok(conflicts.len() as u64),
        false => Err(Failure::Demo(
            "the conflict does not show both versions".to_owned(),
        )),
    }
}

/// Resolves the conflict at the desk, and waits until the phone sees it settled.
async fn resolved(world: &World, subjects: Subjects) -> Result<u64, Failure> {
    let kept = world
        .desk
        .on(move |book| {
            let read = book.read(subjects.note)?;
            let ops = Versions::of(&read).keep(&read, 1, &[])?;
            let written = book.resolve(&read.token, "asked the officer, checked at the door", ops);
            let written = written.map_err(|error| Failure::write(&read.record.reference, None, error))?;
            Ok(book
                .read(written.record)?
                .record
                .fields
                .text(field::BODY)
                .map(str::to_owned))
        })
        .await?;
    let settled = move |book: &Notebook| {
        book.read(subjects.note).is_ok_and(|read| {
            !read.record.is_conflict() && read.record.fields.text(field::BODY) == kept.as_deref()
        })
    };
    world.phone.until("the resolution", settled).await?;
    world.desk.until("everything safe", all_safe).await?;
    Ok(1)
}

/// How many of the entries written offline are safe.
async fn synced(offline: &[(&Device, Vec<Written>)]) -> Result<u64, Failure> {
    let mut count = 0;
    for (device, written) in offline {
        let written = written.clone();
        count += device
            .on(move |book| {
                let mut safe = 0;
                for entry in &written {
                    let read = book.read(entry.record)?;
                    let standing = read.history.iter().find(|revised| revised.dot == entry.dot);
                    safe += u64::from(standing.is_some_and(|entry| entry.safety >= Safety::Safe));
                }
                Ok(safe)
            })
            .await?;
    }
    Ok(count)
}

impl Figures {
    /// The story came true.
    fn check(&self) -> Result<(), Failure> {
        let told = self.written_offline > 0
            && self.synced == self.written_offline
            && self.merged == 1
            && self.conflicts_shown == 1
            && self.conflicts_resolved == self.conflicts_shown
            && self.bytes_up > 0
            && self.bytes_down > 0;
        match told {
            true => Ok(()),
            false => Err(Failure::Demo(format!(
                "the figures do not tell the story: {self:?}"
            ))),
        }
    }

    fn print(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if output.json() {
            output.object(&json!({
                "written_offline": self.written_offline,
                "synced": self.synced,
                "merged": self.merged,
                "conflicts_shown": self.conflicts_shown,
                "conflicts_resolved": self.conflicts_resolved,
                "bytes_up": self.bytes_up,
                "bytes_down": self.bytes_down,
                "elapsed_ms": self.elapsed_ms,
            }))?;
            return Ok(());
        }
        say(
            output,
            "\nSettled by the sergeant, and seen settled on the phone. In figures:\n",
        )?;
        let row = |name: &str, figure: u64| vec![name.to_owned(), figure.to_string()];
        let rows = [
            row("entries written offline", self.written_offline),
            row("of them synced and receipted", self.synced),
            row("records merged by themselves", self.merged),
            row("conflicts shown", self.conflicts_shown),
            row("conflicts resolved", self.conflicts_resolved),
            row("bytes up, all devices", self.bytes_up),
            row("bytes down, all devices", self.bytes_down),
            row("milliseconds, from nothing", self.elapsed_ms),
        ];
        output.table(&["what", "count"], &rows)?;
        Ok(())
    }
}

/// Leaves the server running for whoever wants to go on.
async fn stay(world: World, output: &mut Output<'_>) -> Result<(), Failure> {
    let tokens = [
        ("a PCSO's device", world.token("9123").await?),
        ("a sergeant's device", world.token("214").await?),
    ];
    let folder = world.folder.clone();
    let served = world.put_devices_away().await?;
    let mut lines = vec![format!(
        "\nThe server is at {} until Ctrl-C; its data are in {}.",
        served.server.local_addr(),
        folder.display()
    )];
    for (whose, token) in tokens {
        lines.push(format!("token for {whose}: {token}"));
    }
    lines.push(format!(
        "enrol one:   BEATBOOK_PIN={PIN} beatbook enrol --store my-device --token TOKEN\n\
         pull:        BEATBOOK_PIN={PIN} beatbook pull --store my-device\n\
         or as the sergeant of the story: BEATBOOK_PIN={PIN} beatbook pull --store {}",
        folder.join("desk").display()
    ));
    output.remark(&lines.join("\n"));
    output.flush()?;
    ended().await;
    world::close(served).await
}

async fn end(world: World) -> Result<(), Failure> {
    world::close(world.put_devices_away().await?).await
}

fn all_safe(book: &Notebook) -> bool {
    book.status()
        .is_ok_and(|status| status.pending == 0 && status.proved.is_some())
}

/// Tells the story to people.
fn say(output: &mut Output<'_>, line: &str) -> Result<(), Failure> {
    if !output.json() {
        output.text(line)?;
        output.flush()?;
    }
    Ok(())
}

/// The folder that was named and is kept, or a temporary one.
fn folder(named: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::File { path, source }
    };
    if let Some(path) = named {
        std::fs::create_dir_all(path).map_err(failed(path))?;
        let empty = std::fs::read_dir(path).map_err(failed(path))?.next().is_none();
        return match empty {
            true => Ok((path.to_owned(), None)),
            false => Err(Failure::Usage(format!(
                "--dir {}: it is not empty; choose another folder",
                path.display()
            ))),
        };
    }
    let temporary = tempfile::Builder::new()
        .prefix("beatbook-demo-")
        .tempdir()
        .map_err(failed(&std::env::temp_dir()))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}
