//! Property: a store reopens after SIGKILL at any moment, nothing acknowledged is lost, and numbers have no gaps.
//! Method: 200 times a writer is killed at a random moment, while it opens or while it writes, over one store.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use beatbook_field::{Notebook, Options, Query, Unlock};
use beatbook_tests::{Seed, enrolled_offline};

#[test]
fn two_hundred_of_two_hundred_reopen_and_nothing_acknowledged_is_lost() {
    let mut seed = Seed::fresh();
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let unlock = Unlock::keystore(KEY);
    enrolled_offline(&store, &unlock).close().expect("it closes");

    let mut acknowledged = BTreeMap::new();
    let mut while_writing = 0;
    for round in 0..KILLS {
        let told = killed(&store, round, seed.between(0, 70));
        while_writing += usize::from((1..NOTES_A_WRITER).contains(&told.len()));
        acknowledged.extend(told);
        if round % 20 == 19 {
            verify(&store, &unlock, &acknowledged);
        }
    }
    assert!(
        while_writing > KILLS / 4,
        "only {while_writing} of {KILLS} were killed while they wrote"
    );
    verify(&store, &unlock, &acknowledged);
}

/// Runs a writer and kills it so many milliseconds after it said that it opens, or in every third round after its
/// first entry; returns what it acknowledged.
fn killed(store: &Path, round: usize, after_ms: u64) -> Vec<(String, String)> {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_beatbook-writer"))
        .arg(store)
        .arg(round.to_string())
        .arg(NOTES_A_WRITER.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the writer starts");
    let stdout = writer.stdout.take().expect("it is piped");
    let (sender, receiver) = channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            // A line that the kill cut short acknowledges nothing.
            let Ok(line) = line else { break };
            let _ = sender.send(line);
        }
    });
    let mut told = Vec::new();
    let mut take = |line: String| {
        let mut parts = line.split(' ');
        if let (Some("wrote"), Some(body), Some(reference), Some("."), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) {
            told.push((body.to_owned(), reference.to_owned()));
        }
    };
    let starts_with = if round.is_multiple_of(3) { "opens" } else { "wrote" };
    loop {
        let line = receiver
            .recv_timeout(beatbook_tests::DEADLINE)
            .unwrap_or_else(|_| panic!("the writer of round {round} does not reopen the store"));
        let begins = line.starts_with(starts_with);
        take(line);
        if begins {
            break;
        }
    }
    // The moment of the kill is what is random here, not what is waited for.
    if let Ok(line) = receiver.recv_timeout(Duration::ZERO) {
        take(line);
    }
    wait_random(&receiver, after_ms, &mut take);
    writer.kill().expect("a child can be killed");
    writer.wait().expect("a child is waited for");
    reader.join().expect("the reader does not panic");
    while let Ok(line) = receiver.try_recv() {
        take(line);
    }
    told
}

/// Takes lines until the moment of the kill.
fn wait_random(receiver: &std::sync::mpsc::Receiver<String>, after_ms: u64, take: &mut impl FnMut(String)) {
    let end = std::time::Instant::now() + Duration::from_millis(after_ms);
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        match receiver.recv_timeout(left) {
            Ok(line) => take(line),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => panic!("the writer ended by itself"),
        }
    }
}

/// Reopens the store and compares it with what was acknowledged.
fn verify(store: &Path, unlock: &Unlock, acknowledged: &BTreeMap<String, String>) {
    let book = Notebook::open(store, unlock, Options::default()).expect("the store reopens");
    let status = book.status().expect("it has a status");
    assert!(status.new_book.is_none(), "a crash is no older copy: {status:?}");
    let mut held = BTreeMap::new();
    let mut counters = Vec::new();
    let mut query = Query::all();
    loop {
        let page = book.list(&query).expect("it can be listed");
        for record in &page.records {
            let body = record
                .fields
                .text(beatbook_records::field::BODY)
                .expect("a body")
                .to_owned();
            counters.push(record.id.counter);
            let before = held.insert(body, record.reference.clone());
            assert_eq!(before, None, "an entry is there twice");
        }
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    for (body, reference) in acknowledged {
        assert_eq!(
            held.get(body),
            Some(reference),
            "{body} was acknowledged as {reference}"
        );
    }
    counters.sort_unstable();
    let expected: Vec<u64> = (2..2 + counters.len() as u64).collect();
    assert_eq!(counters, expected, "numbers without gaps after the opening");
    book.verify().expect("every byte is as it was written");
    book.close().expect("it closes");
}

const KILLS: usize = 200;
/// After so many the writer waits for its end: a store that grows for ever makes every later round slow.
const NOTES_A_WRITER: usize = 60;
/// The key that the writer opens with.
const KEY: [u8; 32] = [7; 32];
