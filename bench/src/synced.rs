//! Records from a device to a durable server and on to a supervisor.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use beatbook_field::{Notebook, Query, SyncOptions, SyncReport, sync_once};

use crate::data::Records;
use crate::figures::{median, table};
use crate::force::Force;
use crate::{Failure, data};

/// What one round took.
struct Round {
    write_s: f64,
    up_s: f64,
    down_s: f64,
    bytes_up: u64,
    bytes_down: u64,
    idle_s: f64,
    idle_bytes: u64,
    /// Processor time of the device and the server while uploading, of the supervisor and the server while pulling.
    up_cpu_s: (f64, f64),
    down_cpu_s: (f64, f64),
    server_disk: u64,
    reader_disk: u64,
    server_peak_mib: f64,
    entries: u64,
}

/// Measures and prints.
pub fn run(file: &Path, rounds: usize, dir: Option<PathBuf>) -> Result<(), Failure> {
    let records = Records::read(file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut done = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let folder = data::folder(dir.clone())?;
        done.push(runtime.block_on(one_round(folder.path(), &records))?);
        eprintln!("round {} of {rounds} done", round + 1);
    }
    let mut table = table(&["work", "median", "min", "max"]);
    let mut row = |name: &str, digits: usize, value: &dyn Fn(&Round) -> f64| {
        let values: Vec<f64> = done.iter().map(value).collect();
        let (min, max) = values
            .iter()
            .fold((f64::MAX, 0.0_f64), |(min, max), v| (min.min(*v), max.max(*v)));
        table.add_row([
            name.to_owned(),
            format!("{:.digits$}", median(&values)),
            format!("{min:.digits$}"),
            format!("{max:.digits$}"),
        ]);
    };
    row("write on the device, s", 2, &|round| round.write_s);
    row("upload until all is receipted, s", 3, &|round| round.up_s);
    row("pull by the supervisor, s", 3, &|round| round.down_s);
    row("upload and pull, s", 3, &|round| round.up_s + round.down_s);
    row("bytes up, a record", 0, &|round| {
        round.bytes_up as f64 / records.len() as f64
    });
    row("bytes down, a record", 0, &|round| {
        round.bytes_down as f64 / records.len() as f64
    });
    row("sync with nothing new, s", 4, &|round| round.idle_s);
    row("sync with nothing new, bytes both ways", 0, &|round| {
        round.idle_bytes as f64
    });
    row("processor time of the upload, device, s", 2, &|round| {
        round.up_cpu_s.0
    });
    row("processor time of the upload, server, s", 2, &|round| {
        round.up_cpu_s.1
    });
    row("processor time of the pull, supervisor, s", 2, &|round| {
        round.down_cpu_s.0
    });
    row("processor time of the pull, server, s", 2, &|round| {
        round.down_cpu_s.1
    });
    row("server's disk, bytes a record", 0, &|round| {
        round.server_disk as f64 / records.len() as f64
    });
    row("supervisor's disk, bytes a record", 0, &|round| {
        round.reader_disk as f64 / records.len() as f64
    });
    row("server peak memory, MiB", 0, &|round| round.server_peak_mib);
    let entries = done.first().map_or(0, |round| round.entries);
    println!("{} records in {entries} entries, {rounds} rounds", records.len());
    println!("{table}");
    Ok(())
}

async fn one_round(dir: &Path, records: &Records) -> Result<Round, Failure> {
    let force = Force::start(dir)?;
    let device = force.device(&dir.join("device"), "9123", "PCSO").await?;
    let supervisor = force.device(&dir.join("supervisor"), "2044", "SGT").await?;
    let begun = Instant::now();
    let entries = records.write(&device)?;
    let write_s = begun.elapsed().as_secs_f64();
    let before = force.usage()?;
    let up = sync(&device).await?;
    let between = force.usage()?;
    let down = sync(&supervisor).await?;
    let after = force.usage()?;
    check(&supervisor, &device, entries)?;
    let idle = sync(&device).await?;
    device.close()?;
    supervisor.close()?;
    Ok(Round {
        write_s,
        up_s: up.elapsed.as_secs_f64(),
        down_s: down.elapsed.as_secs_f64(),
        bytes_up: up.bytes_up + down.bytes_up,
        bytes_down: up.bytes_down + down.bytes_down,
        idle_s: idle.elapsed.as_secs_f64(),
        idle_bytes: idle.bytes_up + idle.bytes_down,
        up_cpu_s: (between.here_s - before.here_s, between.server_s - before.server_s),
        down_cpu_s: (after.here_s - between.here_s, after.server_s - between.server_s),
        server_disk: data::disk_bytes(&dir.join("server"))?,
        reader_disk: data::disk_bytes(&dir.join("supervisor"))?,
        server_peak_mib: after.server_peak_mib,
        entries,
    })
}

async fn sync(book: &Notebook) -> Result<SyncReport, Failure> {
    Ok(tokio::time::timeout(SYNC_TIMEOUT, sync_once(book, &SyncOptions::default(), |_| {})).await??)
}

/// Everything is receipted and everything arrived: a figure for lost records is no figure.
fn check(supervisor: &Notebook, device: &Notebook, entries: u64) -> Result<(), Failure> {
    let status = device.status()?;
    if status.pending != 0 || status.quarantined != 0 {
        return Err(format!(
            "{} entries pending, {} quarantined",
            status.pending, status.quarantined
        )
        .into());
    }
    let mut query = Query::all();
    query.limit = None;
    let (theirs, ours) = (
        supervisor.list(&query)?.records.len(),
        device.list(&query)?.records.len(),
    );
    if theirs != ours || theirs as u64 != entries {
        return Err(format!(
            "the supervisor has {theirs} records, the device {ours}, {entries} were written"
        )
        .into());
    }
    Ok(())
}

/// A sync that takes longer is a failure, not a figure.
const SYNC_TIMEOUT: Duration = Duration::from_secs(300);
