//! A durable write of a short note, beside a bare 4 KiB append and fsync, in turn in the same folder.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use beatbook_field::records::build::{Note, Setting};
use beatbook_field::records::vocabulary::NoteKind;

use crate::figures::{ms, percentile, table};
use crate::force::Force;
use crate::{Failure, data};

/// Measures and prints.
pub fn run(writes: usize, dir: Option<PathBuf>) -> Result<(), Failure> {
    let folder = data::folder(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let force = Force::start(folder.path())?;
    let book = runtime.block_on(force.device(&folder.path().join("device"), "9123", "PCSO"))?;
    let mut bare = OpenOptions::new()
        .create_new(true)
        .append(true)
        .open(folder.path().join("bare"))?;
    let block = [7_u8; 4096];
    let body = "x".repeat(300);
    let (mut notes, mut appends) = (Vec::with_capacity(writes), Vec::with_capacity(writes));
    for _ in 0..writes {
        appends.push(timed(|| {
            bare.write_all(&block)?;
            Ok(bare.sync_data()?)
        })?);
        let note = Note::new(
            Setting::at("52/N01", book.now()),
            NoteKind::Observation,
            body.clone(),
        );
        notes.push(timed(|| Ok(book.notes().write(note).map(drop)?))?);
    }
    let mut table = table(&["write", "p50 ms", "p99 ms", "max ms"]);
    for (name, samples) in [
        ("note of 300 bytes, durable", &mut notes),
        ("bare 4 KiB append + fsync", &mut appends),
    ] {
        let (p50, p99, max) = (
            percentile(samples, 50),
            percentile(samples, 99),
            percentile(samples, 100),
        );
        table.add_row([name.to_owned(), ms(p50), ms(p99), ms(max)]);
    }
    println!("{table}");
    let ratio = |percent| {
        percentile(&mut notes.clone(), percent).as_secs_f64()
            / percentile(&mut appends.clone(), percent).as_secs_f64()
    };
    println!(
        "ratio p50 {:.2}, p99 {:.2}, over {writes} of each in turn",
        ratio(50),
        ratio(99)
    );
    Ok(book.close()?)
}

fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}
