//! The agent and the command against a small server: delivery, conflicts, cuts, and a server that comes and goes.

use std::time::Duration;

use beatbook_proto::{FieldOp, Text, Value};
use beatbook_records::build::{Setting, Stop};
use beatbook_records::field;
use beatbook_records::vocabulary::StopKind;

use super::{Blame, SyncAgent, SyncError, SyncOptions, SyncReport, sync_once};
use crate::fixtures::{BEAT, Device, Server, wait_until, within};
use crate::{Coverage, Event, NewBook, Query, Safety, WriteError};

async fn sync(device: &Device) -> Result<SyncReport, SyncError> {
    within(sync_once(device.book(), &SyncOptions::default(), |_| {})).await
}

fn summary(text: &str) -> Vec<(beatbook_proto::FieldId, FieldOp)> {
    vec![(
        field::CONTACT_SUMMARY,
        FieldOp::Set(Value::Text(Text::new(text).unwrap())),
    )]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_makes_everything_safe_and_proves_it() {
    let server = Server::start().await;
    let device = server.device("9123");
    for number in 0..40 {
        device.note(&format!("entry {number}"));
    }
    let mut seen = 0;
    let told = |progress: &super::Progress| {
        assert_eq!(progress.pending_entries, 42);
        seen = seen.max(progress.sent_entries);
    };
    let report = within(sync_once(device.book(), &SyncOptions::default(), told))
        .await
        .unwrap();
    assert_eq!((report.sent_entries, seen), (42, 42), "{report:?}");
    assert!(report.receipts >= 2 && report.bytes_up > 0 && report.bytes_down > 0);
    assert!(report.clock_offset_ms.unwrap().abs() < 60_000);
    let status = device.book().status().unwrap();
    assert_eq!((status.pending, status.safe), (0, 42));
    assert_eq!(status.proved.unwrap().entries, 42);
    assert_eq!(status.books[0].name, "B01");
    assert_eq!(server.held(), 42);
    let again = sync(&device).await.unwrap();
    assert_eq!(again.sent_entries, 0, "nothing changed");

    let note = device.note("one more");
    assert_eq!(
        device.book().status().unwrap().proved,
        None,
        "not claimed while one is pending"
    );
    assert_eq!(note.reference, "B01/42");
    assert_eq!(device.book().find("b01/42").unwrap(), note.record);
    let before = format!("new-{}/42", note.dot.replica.short());
    assert_eq!(
        device.book().find(&before).unwrap(),
        note.record,
        "the earlier name is good for ever"
    );
    assert_eq!(device.read(&note).record.safety, Safety::Pending);
    sync(&device).await.unwrap();
    assert_eq!(device.read(&note).record.safety, Safety::Safe);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_officers_of_a_beat_see_and_settle_a_conflict() {
    let server = Server::start().await;
    let (one, two) = (server.device("9123"), server.device("9124"));
    let contact = one.contact("first");
    sync(&one).await.unwrap();
    let report = sync(&two).await.unwrap();
    assert_eq!(report.changed_records, 1);
    let theirs = two.read(&contact);
    assert_eq!(theirs.record.reference, "52/9123/B01/2");
    assert_eq!(two.book().find("52/9123/B01/2").unwrap(), contact.record);
    assert_eq!(
        two.book()
            .list(&Query::all().collar("9123"))
            .unwrap()
            .records
            .len(),
        1
    );
    assert!(!theirs.record.own && theirs.record.safety == Safety::Safe);

    one.book()
        .amend(&one.read(&contact).token, "misheard", summary("one says"))
        .unwrap();
    two.book()
        .amend(&theirs.token, "misheard", summary("two says"))
        .unwrap();
    sync(&one).await.unwrap();
    sync(&two).await.unwrap();
    sync(&one).await.unwrap();
    assert_eq!(one.read(&contact).token, two.read(&contact).token);
    assert!(one.read(&contact).record.is_conflict());
    assert_eq!(two.book().status().unwrap().conflicts, 1);
    let refused = two
        .book()
        .amend(&two.read(&contact).token, "again", summary("x"))
        .unwrap_err();
    assert!(matches!(refused, WriteError::Check(_)), "{refused}");
    two.book()
        .resolve(&two.read(&contact).token, "asked again", summary("both say"))
        .unwrap();
    sync(&two).await.unwrap();
    sync(&one).await.unwrap();
    let settled = one.read(&contact).record;
    assert_eq!(settled.fields.text(field::CONTACT_SUMMARY), Some("both say"));
    assert_eq!(one.book().status().unwrap().conflicts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_frame_loses_nothing() {
    let server = Server::start().await;
    let other = server.device("9124");
    other.note("theirs");
    sync(&other).await.unwrap();
    let mut device = server.device("9123");
    let mut whole = false;
    for cut in 0..20 {
        let before = device.book().status().unwrap().written;
        let note = device.note("written before the cut");
        server.cut_after(cut);
        let ended = sync(&device).await;
        if let Err(error) = &ended {
            assert_eq!(error.blame(), Blame::Network, "{error}");
        }
        whole |= ended.is_ok();
        // A device that is put away in the middle knows no more than its disk.
        device.close();
        device.open();
        assert_eq!(device.book().status().unwrap().written, before + 1);
        server.cut_after(-1);
        sync(&device).await.unwrap();
        assert_eq!(
            device.read(&note).record.safety,
            Safety::Safe,
            "cut after {cut} frames"
        );
        assert!(device.book().status().unwrap().proved.is_some());
    }
    assert!(whole, "no cut came late enough to do no harm");
    assert_eq!(device.book().search("theirs").unwrap().records.len(), 1);
    assert_eq!(server.held(), 3 + device.book().status().unwrap().written);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_delivers_by_itself_when_the_server_comes_and_stays_in_touch() {
    let mut server = Server::down().await;
    let (device, other) = (server.device("9123"), server.device("9124"));
    let options = SyncOptions::default().dial_timeout(Duration::from_millis(500));
    let agent = SyncAgent::spawn_with(device.book().clone(), options);
    let first = device.note("while nobody answers");
    wait_until(
        || matches!(&*device.book().coverage().borrow(), Coverage::BackingOff { why, .. } if !why.is_empty()),
    )
    .await;
    assert_eq!(device.read(&first).record.safety, Safety::Pending);

    server.up().await;
    wait_until(|| device.read(&first).record.safety == Safety::Safe).await;
    wait_until(|| *device.book().coverage().borrow() == Coverage::Live).await;
    let busy = sync(&device).await.unwrap_err();
    assert_eq!(busy, SyncError::AlreadySyncing);

    // In touch: a new entry goes at once, another's comes at once.
    let second = device.note("while in touch");
    wait_until(|| device.read(&second).record.safety == Safety::Safe).await;
    let theirs = other.note("from the other one");
    sync(&other).await.unwrap();
    wait_until(|| device.book().read(theirs.record).is_ok()).await;

    // The server goes and comes back.
    server.stop().await;
    let third = device.note("while it is away");
    server.up().await;
    agent.network_changed();
    wait_until(|| device.read(&third).record.safety == Safety::Safe).await;
    agent.stop().await;
    assert_eq!(*device.book().coverage().borrow(), Coverage::Offline);
    assert_eq!(sync(&device).await.unwrap().sent_entries, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_decide_whether_the_agent_stays_in_touch() {
    let server = Server::start().await;
    let device = server.device("9123");
    let agent = SyncAgent::spawn(device.book().clone());
    let coverage = |wanted: Coverage| {
        let seen = device.book().coverage();
        async move { wait_until(|| *seen.borrow() == wanted).await }
    };
    coverage(Coverage::Live).await;
    agent.foreground(false);
    coverage(Coverage::Resting).await;
    let note = device.note("in the background");
    wait_until(|| device.read(&note).record.safety == Safety::Safe).await;
    coverage(Coverage::Resting).await;
    agent.network_available(false);
    coverage(Coverage::Offline).await;
    agent.foreground(true);
    agent.network_available(true);
    coverage(Coverage::Live).await;
    drop(agent);
    coverage(Coverage::Offline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_told_whom_to_ask() {
    let server = Server::start().await;
    let device = server.device("9123");
    server.revoke(&device);
    device.note("still written");
    let refused = sync(&device).await.unwrap_err();
    assert_eq!(refused.blame(), Blame::Register);
    assert!(
        refused.to_string().contains("ask the force administrator"),
        "{refused}"
    );
    assert_eq!(device.book().status().unwrap().pending, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_never_holds_back_the_others() {
    let server = Server::start().await;
    let device = server.device("9123");
    let mut events = device.book().events();
    device.note("good");
    let stop = Stop::new(Setting::at(BEAT, device.book().now()), StopKind::Shop);
    let bad = device.book().patrol().stop(stop).unwrap();
    device.note("good too");
    sync(&device).await.unwrap();
    let status = device.book().status().unwrap();
    assert_eq!((status.pending, status.quarantined), (0, 1));
    assert_eq!(device.read(&bad).record.safety, Safety::Quarantined);
    let mut told = std::iter::from_fn(|| events.try_recv().ok());
    assert!(told.any(|event| matches!(event, Event::Quarantined { entries: 1 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_back_in_time_gets_everything_again() {
    let server = Server::start().await;
    let device = server.device("9123");
    device.note("before the backup");
    sync(&device).await.unwrap();
    let backup = server.backup();
    let lost = device.note("after the backup");
    sync(&device).await.unwrap();
    assert_eq!(server.held(), 4);
    server.restore(backup);
    let mut events = device.book().events();
    sync(&device).await.unwrap();
    assert_eq!(server.held(), 4);
    assert_eq!(device.read(&lost).record.safety, Safety::Safe);
    let mut told = std::iter::from_fn(|| events.try_recv().ok());
    assert!(told.any(|event| matches!(event, Event::WentBack { after: 2, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_store_is_found_out_by_the_server_and_loses_nothing() {
    let server = Server::start().await;
    let mut device = server.device("9123");
    sync(&device).await.unwrap();
    device.close();
    // Both folder and anchor are copied: only the server can tell.
    let (from, to) = (
        device.folder.path().to_path_buf(),
        tempfile::TempDir::new().unwrap(),
    );
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(format!("{}/.", from.display()))
        .arg(to.path())
        .status();
    assert!(copied.unwrap().success());
    device.open();
    let first = device.note("in the original");
    sync(&device).await.unwrap();
    device.close();
    let copy = crate::Notebook::open(
        to.path().join("store"),
        &crate::fixtures::unlock(),
        device.options(),
    )
    .unwrap();
    let note = beatbook_records::build::Note::new(
        Setting::at(BEAT, copy.now()),
        beatbook_records::vocabulary::NoteKind::Other,
        "in the copy",
    );
    copy.notes().write(note).unwrap();
    within(sync_once(&copy, &SyncOptions::default(), |_| {}))
        .await
        .unwrap();
    assert_eq!(copy.status().unwrap().new_book, Some(NewBook::TakenAtServer));
    assert_eq!(copy.search("original").unwrap().records[0].id, first.record);
    assert_eq!(copy.search("copy").unwrap().records.len(), 1);
    let status = copy.status().unwrap();
    assert_eq!(status.pending, 0, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_dropped_at_any_moment_loses_nothing() {
    let server = Server::start().await;
    let (device, other) = (server.device("9123"), server.device("9124"));
    for round in 0..16 {
        device.note("ours");
        other.note("theirs");
        sync(&other).await.unwrap();
        let agent = SyncAgent::spawn(device.book().clone());
        for _ in 0..round * 40 {
            tokio::task::yield_now().await;
        }
        drop(agent);
    }
    wait_until(|| device.book().session().try_lock().is_ok()).await;
    sync(&device).await.unwrap();
    let status = device.book().status().unwrap();
    assert_eq!((status.pending, status.records), (0, 32));
    assert_eq!(device.book().search("ours").unwrap().records.len(), 16);
    assert_eq!(device.book().search("theirs").unwrap().records.len(), 16);
    assert_eq!(server.held(), 36);
    let checked = device.book().check().unwrap();
    assert_eq!((checked.problems, checked.records), (Vec::new(), 32));
}
