//! `sync` and `pull`: to the server and back, once or for as long as the process stays.

mod watch;

use std::time::Duration;

use beatbook_field::{
    Coverage, Event, Notebook, Progress, SyncAgent, SyncError, SyncOptions, SyncReport, sync_once,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::{Pull, Sync};
use crate::desk::Desk;
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::read::log;
use crate::time::{age, now, stamp};
use crate::view::{self, Look};
use crate::words::counted;

pub(crate) use watch::{ended, watch};

/// `sync`, once; staying is for the process that opened the notebook itself.
pub(crate) fn sync(desk: &Desk<'_>, arguments: &Sync, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if arguments.watch {
        return Err(Failure::Sync(Box::new(SyncError::AlreadySyncing)));
    }
    let report = desk
        .runtime
        .block_on(once(desk, output))
        .map_err(|error| Failure::Sync(Box::new(error)))?;
    let status = desk.book.status()?;
    if output.json() {
        output.object(&json!({
            "sent_entries": report.map(|report| report.sent_entries),
            "received_entries": report.map(|report| report.received_entries),
            "changed_records": report.map(|report| report.changed_records),
            "bytes_up": report.map(|report| report.bytes_up),
            "bytes_down": report.map(|report| report.bytes_down),
            "elapsed_ms": report.map(|report| report.elapsed.as_millis()),
            "safe": status.safe,
            "pending": status.pending,
            "quarantined": status.quarantined,
            "conflicts": status.conflicts,
            "all_safe": status.proved.is_some(),
        }))?;
    } else {
        if let Some(report) = report {
            output.text(&told(&report))?;
        }
        output.text(&match status.proved {
            Some(proved) => format!(
                "all {} entries safe as of {}",
                proved.entries,
                stamp(beatbook_records::time::uk_instant(proved.as_of_ms))
            ),
            None => format!(
                "{} of {} entries safe, {} pending",
                status.safe, status.written, status.pending
            ),
        })?;
    }
    waiting(desk.book, output)
}

/// `pull`: sync once, then the merged log of the granted beats as this device holds it.
pub(crate) fn pull(desk: &Desk<'_>, arguments: &Pull, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let synced = desk.runtime.block_on(once(desk, output));
    let records = log(desk.book, &arguments.filter)?;
    let look = Look::new(arguments.format, &arguments.filter, output);
    view::print(&records, &arguments.filter, look, output)?;
    let newest = match records.last() {
        Some(record) => format!(
            "{}, newest {} of {} ({} ago)",
            counted(records.len() as u64, "record"),
            record.reference,
            stamp(record.at),
            age(now().utc_ms - record.at.utc_ms)
        ),
        None => "no record matches".to_owned(),
    };
    match synced {
        Ok(_) => {
            output.hint(&format!("{newest}; as of {}", stamp(now())));
            waiting(desk.book, output)
        }
        Err(error) => {
            output.remark(&format!(
                "not synced: {error}; this is what the device holds: {newest}"
            ));
            Ok(Exit::Failed)
        }
    }
}

/// Syncs once, or has the agent do it; the report is the agent's own business then.
async fn once(desk: &Desk<'_>, output: &Output<'_>) -> Result<Option<SyncReport>, SyncError> {
    if let Some(agent) = desk.agent {
        return settle(desk, agent).await.map(|()| None);
    }
    let bar = bar(output.terminal().progress);
    let show = |progress: &Progress| {
        bar.set_length(progress.pending_entries.max(progress.sent_entries));
        bar.set_position(progress.sent_entries);
        bar.set_message(format!("{} received", progress.received_entries));
    };
    let report = sync_once(desk.book, &SyncOptions::default(), show).await;
    bar.finish_and_clear();
    report.map(Some)
}

/// Waits until the agent has caught up, or has failed to; wakes it if it rests.
async fn settle(desk: &Desk<'_>, agent: &SyncAgent) -> Result<(), SyncError> {
    let mut events = desk.book.events();
    let pending = || desk.book.status().map_or(0, |status| status.pending);
    if *desk.book.coverage().borrow() == Coverage::Live && pending() == 0 {
        return Ok(());
    }
    if !matches!(
        *desk.book.coverage().borrow(),
        Coverage::Live | Coverage::Syncing | Coverage::Probing
    ) {
        agent.sync_now();
    }
    while (desk.wanted)() {
        match tokio::time::timeout(LOOK_AGAIN, events.recv()).await {
            Ok(Ok(Event::CaughtUp)) => return Ok(()),
            Ok(Ok(Event::Unreachable { why })) => return Err(why.as_ref().clone()),
            Ok(Err(tokio::sync::broadcast::error::RecvError::Closed)) => return Err(SyncError::Stopped),
            // In a live session news goes at once: it has gone when nothing is pending.
            _ if *desk.book.coverage().borrow() == Coverage::Live && pending() == 0 => return Ok(()),
            _ => {}
        }
    }
    Err(SyncError::Stopped)
}

/// What was done, in a sentence.
fn told(report: &SyncReport) -> String {
    format!(
        "sent {}, received {}; {} bytes up, {} bytes down, {} ms",
        counted(report.sent_entries, "entry"),
        counted(report.received_entries, "entry"),
        report.bytes_up,
        report.bytes_down,
        report.elapsed.as_millis()
    )
}

/// Done, or done with something that waits for a person.
fn waiting(book: &Notebook, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let status = book.status()?;
    if status.conflicts > 0 {
        output.hint(&format!(
            "waiting for a person: {}; see beatbook conflicts",
            counted(status.conflicts, "conflict")
        ));
    }
    if status.quarantined > 0 {
        output.hint(&format!(
            "held apart by the server: {}; ask a supervisor",
            counted(status.quarantined, "entry")
        ));
    }
    Ok(match status.conflicts > 0 || status.quarantined > 0 {
        true => Exit::Waiting,
        false => Exit::Done,
    })
}

fn bar(drawn: bool) -> ProgressBar {
    if !drawn {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    // The template is a constant that a test reads.
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    bar
}

const TEMPLATE: &str = "{spinner} {pos}/{len} sent, {msg}";
/// How often to look whether the answer is still wanted.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
