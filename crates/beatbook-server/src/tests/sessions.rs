//! Sessions over the loopback: receipts, feeds, revocation, postings, stopping, monitoring.

use std::sync::atomic::Ordering;

use beatbook_core::session::Event;
use beatbook_proto::{FieldOp, RevisionKind, Value};
use beatbook_quic::{EnrolError, Refusal};
use beatbook_records::field;
use beatbook_records::vocabulary::Lifecycle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_receipted_and_reaches_those_of_its_beat_alone() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    assert_eq!(phone.told.collar, "9123");
    assert_eq!(
        phone
            .told
            .beats
            .iter()
            .map(|beat| beat.as_str())
            .collect::<Vec<_>>(),
        ["52/C02"]
    );
    let written = phone.note("Two lads by the bus stop.");
    let ended = phone.sync().await;
    assert!(
        ended
            .events
            .iter()
            .any(|event| matches!(event, Event::Safe { .. })),
        "{ended:?}"
    );
    let status = phone.status();
    assert_eq!((status.pending, status.safe), (0, status.written), "{status:?}");

    let mut desk = force.enrol("214").await;
    desk.sync().await;
    assert!(desk.holds(written.record));
    let mut other = force.enrol("7001").await;
    other.sync().await;
    assert!(!other.holds(written.record));
    let report = force.with_store(|store| store.check().unwrap()).await;
    assert_eq!((report.records, report.faults.len()), (1, 0), "{report:?}");
    force.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_session_is_fed_as_it_happens() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    let mut desk = force.enrol("214").await;
    phone.sync().await;
    let (raised, seen) = flag();
    let before = desk.status().last_receipt_ms;
    let watching = tokio::spawn(async move {
        desk.live(|desk| {
            // The desk's own opening has been receipted: it is live.
            if desk.status().last_receipt_ms > before {
                raised.store(true, Ordering::SeqCst);
            }
            !beatbook_core::ledger::heads(&desk.store, None, 1)
                .unwrap()
                .is_empty()
        })
        .await
    });
    wait_until(|| seen.load(Ordering::SeqCst)).await;
    phone.note("A gate was forced.");
    phone.sync().await;
    let ended = watching.await.unwrap();
    assert!(ended.error.is_none(), "{ended:?}");
    assert!(
        ended
            .events
            .iter()
            .any(|event| matches!(event, Event::Changed(_)))
    );
    force.server.stop().await.unwrap();
}

/// Invariant: after revocation nothing is taken in and nothing served, in a session that was open too.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_revoked_in_a_session_is_put_out_and_stays_out() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    let id = phone.told.enrolment.to_string();
    let (raised, live) = flag();
    let session = tokio::spawn(async move {
        let ended = phone
            .live(|phone| {
                if phone.status().pending == 0 {
                    raised.store(true, Ordering::SeqCst);
                }
                false
            })
            .await;
        (phone, ended)
    });
    wait_until(|| live.load(Ordering::SeqCst)).await;
    let held = force.with_store(|store| store.status().unwrap().entries).await;
    let revoked = id.clone();
    force
        .with_store(move |store| store.revoke_device(&revoked).unwrap())
        .await;
    let (mut phone, ended) = session.await.unwrap();
    assert_eq!(
        ended.closed_with().map(|(code, _)| code),
        Some(CloseCode::NOT_ADMITTED),
        "{ended:?}"
    );

    phone.note("Written after the revocation.");
    let ended = phone.sync().await;
    assert_eq!(
        ended.closed_with().map(|(code, _)| code),
        Some(CloseCode::NOT_ADMITTED),
        "{ended:?}"
    );
    assert_eq!(phone.status().pending, 1);
    let status = force.with_store(|store| store.status().unwrap()).await;
    assert_eq!((status.entries, status.revoked), (held, 1));
    force.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_posting_is_followed_at_once_and_an_old_one_ends() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    let written = phone.note("Seen on C02.");
    phone.sync().await;
    let mut other = force.enrol("7001").await;
    let (raised, live) = flag();
    let session = tokio::spawn(async move {
        let ended = other
            .live(|other| {
                if other.status().pending == 0 {
                    raised.store(true, Ordering::SeqCst);
                }
                false
            })
            .await;
        (other, ended)
    });
    wait_until(|| live.load(Ordering::SeqCst)).await;
    force
        .with_store(|store| {
            store
                .post_officer("7001", &["C02".to_owned()], None, None)
                .unwrap()
        })
        .await;
    let (mut other, ended) = session.await.unwrap();
    assert_eq!(
        ended.closed_with().map(|(code, _)| code),
        Some(CloseCode::GOING_AWAY),
        "{ended:?}"
    );
    other.sync().await;
    assert!(other.holds(written.record));
    force.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_or_not_permitted_goes_to_quarantine_alone() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    let good = phone.note("A good entry.");
    let checked = Value::Code(Lifecycle::Checked.code());
    let token = phone.token_of(good.record);
    let state = vec![(field::LIFECYCLE, FieldOp::Set(checked))];
    phone.write(Some(token), RevisionKind::STATE, None, state);
    // A record without a beat belongs in no feed.
    phone.write(None, RevisionKind::CREATE, None, Vec::new());
    let after = phone.note("Another good entry.");
    phone.sync().await;
    assert_eq!(phone.status().pending, 0);
    let rows = force.with_store(|store| store.quarantine().unwrap()).await;
    let mut reasons: Vec<_> = rows.iter().map(|row| row.reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["malformed", "not_permitted"], "{rows:?}");
    assert!(
        rows.iter().all(|row| row.entry.starts_with("52/9123/B01/")),
        "{rows:?}"
    );
    let mut desk = force.enrol("214").await;
    desk.sync().await;
    assert!(desk.holds(after.record));
    force.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_when_to_come_back_and_loses_nothing() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    phone.note("Before the stop.");
    let (raised, live) = flag();
    let session = tokio::spawn(async move {
        let ended = phone
            .live(|phone| {
                if phone.status().pending == 0 {
                    raised.store(true, Ordering::SeqCst);
                }
                false
            })
            .await;
        (phone, ended)
    });
    wait_until(|| live.load(Ordering::SeqCst)).await;
    let data = force.server.store().data().to_owned();
    force.server.stop().await.unwrap();
    let (phone, ended) = session.await.unwrap();
    let (code, retry_after_ms) = ended.closed_with().expect("the server said why");
    assert_eq!(code, CloseCode::GOING_AWAY);
    assert!((2_000..4_000).contains(&retry_after_ms), "{retry_after_ms}");
    let safe = phone.status().safe;
    let status = blocking(move || {
        let store = ServerStore::open(data).unwrap();
        let status = store.status().unwrap();
        assert_eq!(store.check().unwrap().faults, []);
        store.close().unwrap();
        status
    });
    assert_eq!(status.await.entries, safe);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_are_served_without_a_word_of_a_record() {
    let (_folder, store) = blocking(force).await;
    let mut options = ServeOptions::loopback();
    options.metrics = Some(([127, 0, 0, 1], 0).into());
    let server = Server::start(store, options).await.unwrap();
    let metrics = server.metrics_addr().unwrap();
    let force = Running {
        folder: _folder,
        server,
    };
    let mut phone = force.enrol("9123").await;
    phone.note("Canary heliotrope.");
    phone.sync().await;
    assert!(get(metrics, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(metrics, "/readyz").await.starts_with("HTTP/1.1 200"));
    let page = get(metrics, "/metrics").await;
    let value = |name: &str| -> f64 {
        let line = page.lines().find(|line| line.starts_with(name)).expect(name);
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("beatbook_runs_total") >= 1.0);
    assert!(value("beatbook_entries_total") >= 2.0);
    assert!(value("beatbook_receipt_seconds_count") >= 1.0);
    assert!(value("beatbook_journal_frames") >= 1.0);
    assert_eq!(value("beatbook_enrolments_total"), 1.0);
    for word in ["heliotrope", "Sam", "9123"] {
        assert!(!page.contains(word), "{word}");
    }
    // The listener for monitoring goes with the server.
    force.server.stop().await.unwrap();
    assert!(TcpStream::connect(metrics).await.is_err());
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_enrols_one_device_and_only_while_it_may() {
    let force = Running::start().await;
    let token = force.token("9123").await;
    let first = Device::enrol(&token).await.unwrap();
    let second = Device::enrol(&token).await;
    assert!(matches!(second, Err(EnrolError::Refused(Refusal::Used))));
    // Whoever was enrolled and did not hear of it asks again with the same key.
    let token = force.token("9123").await;
    let key = DeviceKey::generate().unwrap();
    let again = DeviceKey::from_pkcs8(&key.to_pkcs8()).unwrap();
    let once = Device::enrol_with(&token, key).await.unwrap();
    let twice = Device::enrol_with(&token, again).await.unwrap();
    assert_eq!(once.told.enrolment, twice.told.enrolment);
    assert_ne!(once.told.enrolment, first.told.enrolment);
    let wrong = Token::new(
        force.address(),
        force.server.store().pin(),
        beatbook_quic::Secret::generate().unwrap(),
    );
    for _ in 0..5 {
        let refused = Device::enrol(&wrong).await;
        assert!(matches!(refused, Err(EnrolError::Refused(Refusal::WrongToken))));
    }
    let refused = Device::enrol(&wrong).await;
    assert!(matches!(refused, Err(EnrolError::Refused(Refusal::TooManyTries))));
    force.server.stop().await.unwrap();
}
