//! `sync --watch`: the process that stays, syncs whenever there is coverage, and lets other commands through.

use std::path::PathBuf;
use std::sync::Arc;

use beatbook_field::{Coverage, Event, Notebook, SyncAgent};
use beatbook_records::time;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::door;
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::read::coverage_text;
use crate::time::now;

/// Stays until Ctrl-C or an order to end; what is not sent by then stays on the device.
pub(crate) async fn watch(book: Notebook, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut events = book.events();
    let mut coverage = book.coverage();
    let agent = Arc::new(SyncAgent::spawn(book.clone()));
    let control = door::hold(&book, Some(agent.clone()), &tokio::runtime::Handle::current())?;
    tell(
        output,
        "watching",
        &json!({ "store": path(&book), "server": book.server().to_string() }),
        &format!(
            "watching {} for {}; Ctrl-C ends it",
            book.path().display(),
            book.server()
        ),
    )?;
    let mut end = std::pin::pin!(ended());
    loop {
        tokio::select! {
            biased;
            _ = &mut end => break,
            changed = coverage.changed() => {
                if changed.is_err() {
                    break;
                }
                let now = coverage.borrow_and_update().clone();
                reachable(output, &now)?;
            }
            event = events.recv() => match event {
                Ok(event) => happened(&book, output, &event)?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
        }
    }
    // Commands under way end first: they use the notebook.
    drop(control);
    if let Some(agent) = Arc::into_inner(agent) {
        agent.stop().await;
    }
    let status = book.status()?;
    tell(
        output,
        "ended",
        &json!({ "safe": status.safe, "pending": status.pending }),
        &format!(
            "ended: {} of {} entries safe, {} pending",
            status.safe, status.written, status.pending
        ),
    )?;
    book.close().map_err(|error| Failure::Read(error.into()))?;
    Ok(Exit::Done)
}

/// Waits for Ctrl-C, or for the order of a service manager.
pub(crate) async fn ended() {
    let interrupted = tokio::signal::ctrl_c();
    let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = interrupted.await;
        return;
    };
    tokio::select! {
        _ = interrupted => {}
        _ = terminated.recv() => {}
    }
}

fn reachable(output: &mut Output<'_>, coverage: &Coverage) -> Result<(), Failure> {
    match coverage {
        // What comes and goes within a session is no news.
        Coverage::Probing | Coverage::Syncing | Coverage::Offline => Ok(()),
        other => {
            let why = match other {
                Coverage::BackingOff { why, .. } => Value::from(why.as_str()),
                _ => Value::Null,
            };
            let members = json!({ "coverage": other.word(), "why": why });
            tell(output, "coverage", &members, &coverage_text(other))
        }
    }
}

fn happened(book: &Notebook, output: &mut Output<'_>, event: &Event) -> Result<(), Failure> {
    let name =
        |record: &beatbook_proto::RecordId| book.reference(*record).unwrap_or_else(|_| record.to_string());
    match event {
        Event::CaughtUp => tell(output, "caught_up", &json!({}), "all news sent, all news read"),
        Event::Changed(records) => {
            for record in records.iter() {
                tell(
                    output,
                    "changed",
                    &json!({ "record": name(record) }),
                    &format!("changed {}", name(record)),
                )?;
            }
            Ok(())
        }
        Event::Conflict(record) => tell(
            output,
            "conflict",
            &json!({ "record": name(record) }),
            &format!("CONFLICT {}: two versions wait for a person", name(record)),
        ),
        Event::NewBookOpened { why } => tell(
            output,
            "new_book",
            &json!({ "why": why.sentence() }),
            &format!("NOTE: {}", why.sentence()),
        ),
        Event::Purged(records) => tell(
            output,
            "purged",
            &json!({ "records": records.len() }),
            &format!(
                "{} records left your beats and were taken off this device",
                records.len()
            ),
        ),
        Event::Quarantined { entries } => tell(
            output,
            "quarantined",
            &json!({ "entries": entries }),
            &format!("{entries} entries are held apart by the server: ask a supervisor to look at them"),
        ),
        Event::Reissued { entries } => tell(
            output,
            "reissued",
            &json!({ "entries": entries }),
            &format!("{entries} entries that the server never saw were issued again"),
        ),
        Event::Safe { book, upto } => tell(
            output,
            "safe",
            &json!({ "book": book, "upto": upto }),
            &format!("safe: {book} up to entry {upto}"),
        ),
        Event::WentBack { book, after } => tell(
            output,
            "went_back",
            &json!({ "book": book, "after": after }),
            &format!("the server went back in time: {book} is sent again from after entry {after}"),
        ),
        // Coverage says the same, with the time of the next try.
        _ => Ok(()),
    }
}

/// Prints something that happened, with the time.
fn tell(output: &mut Output<'_>, event: &str, members: &Value, text: &str) -> Result<(), Failure> {
    let at = now();
    if output.json() {
        let mut object = json!({ "event": event, "at": time::rfc3339(at) });
        if let (Value::Object(object), Value::Object(members)) = (&mut object, members) {
            object.extend(members.clone());
        }
        output.object(&object)?;
    } else {
        output.text(&format!("{} {text}", time::local_clock(at)))?;
    }
    Ok(output.flush()?)
}

fn path(book: &Notebook) -> String {
    PathBuf::from(book.path()).display().to_string()
}
