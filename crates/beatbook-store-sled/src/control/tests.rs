//! The door to a held store: who gets in, what comes back, and what a killed holder leaves behind.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::{AnchorPlace, Options, Store, Unlock};

const UNLOCK: [u8; 32] = [7; 32];

fn store_in(dir: &Path) -> Store {
    let options = Options {
        anchor: AnchorPlace::Nowhere,
        ..Options::default()
    };
    Store::create(dir, &Unlock::keystore(UNLOCK), options).unwrap().0
}

fn request(arguments: &[&str]) -> Request {
    Request {
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        folder: "/somewhere".into(),
        environment: vec![("COLUMNS".into(), "80".into())],
    }
}

fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited too long");
        std::thread::yield_now();
    }
}

#[test]
fn a_command_is_run_by_the_holder_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"));
    let _door = serve(&store, |request, reply| {
        writeln!(reply.stdout(), "{}", request.arguments.join(" ")).unwrap();
        writeln!(reply.stderr(), "{}", request.resolve("a.csv").display()).unwrap();
        write!(reply.stdout(), "{}", request.variable("COLUMNS").unwrap()).unwrap();
        3
    })
    .unwrap();
    let mode = std::fs::metadata(folder.path().join("store/control"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let response = call(folder.path().join("store"), &request(&["officer", "list"])).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(response.relay(&mut out, &mut err).unwrap(), 3);
    assert_eq!(out, b"officer list\n80");
    assert_eq!(err, b"/somewhere/a.csv\n");
}

#[test]
fn long_output_streams_in_bounded_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"));
    let _door = serve(&store, |_, reply| {
        reply
            .stdout()
            .write_all(&vec![b'x'; 3 * CHUNK_BYTES_MAX + 1])
            .unwrap();
        0
    })
    .unwrap();
    let mut response = call(folder.path().join("store"), &request(&[])).unwrap();
    let mut lengths = Vec::new();
    while let Some(chunk) = response.next_chunk().unwrap() {
        if let Chunk::Stdout(bytes) = chunk {
            lengths.push(bytes.len());
        }
    }
    assert_eq!(lengths, [CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, 1]);
}

#[test]
fn nobody_holds_a_store_that_is_closed_or_whose_holder_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = store_in(&dir);
    assert!(matches!(call(&dir, &request(&[])), Err(CallError::NobodyHolds)));
    // What a killed holder leaves behind: a socket on which nobody answers.
    drop(UnixListener::bind(dir.join("control")).unwrap());
    assert!(matches!(call(&dir, &request(&[])), Err(CallError::NobodyHolds)));
    let door = serve(&store, |_, _| 0).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(
        call(&dir, &request(&[]))
            .unwrap()
            .relay(&mut out, &mut err)
            .unwrap(),
        0
    );
    drop(door);
    assert!(matches!(call(&dir, &request(&[])), Err(CallError::NobodyHolds)));
    assert!(!dir.join("control").exists());
}

#[test]
fn the_socket_of_a_later_holder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = store_in(&dir);
    let first = serve(&store, |_, _| 1).unwrap();
    let second = serve(&store, |_, _| 2).unwrap();
    drop(first);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(
        call(&dir, &request(&[]))
            .unwrap()
            .relay(&mut out, &mut err)
            .unwrap(),
        2
    );
    drop(second);
}

#[test]
fn a_caller_that_leaves_ends_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = store_in(&dir);
    let (ended, has_ended) = mpsc::channel();
    let door = serve(&store, move |_, reply| {
        writeln!(reply.stdout(), "running").unwrap();
        until(|| !reply.is_wanted());
        ended.send(()).unwrap();
        0
    })
    .unwrap();
    let mut response = call(&dir, &request(&[])).unwrap();
    assert_eq!(
        response.next_chunk().unwrap(),
        Some(Chunk::Stdout(b"running\n".to_vec()))
    );
    drop(response);
    has_ended.recv_timeout(Duration::from_secs(30)).unwrap();
    until(|| door.calls() == 0);

    let mut response = call(&dir, &request(&[])).unwrap();
    response.next_chunk().unwrap();
    response.hang_up().unwrap().hang_up().unwrap();
    assert_eq!(response.next_chunk().unwrap(), Some(Chunk::Exit(0)));
}

#[test]
fn dropping_the_door_ends_commands_that_run_on() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = store_in(&dir);
    let door = serve(&store, |_, reply| {
        writeln!(reply.stdout(), "running").unwrap();
        until(|| !reply.is_wanted());
        4
    })
    .unwrap();
    let mut response = call(&dir, &request(&[])).unwrap();
    response.next_chunk().unwrap();
    drop(door);
    assert_eq!(response.next_chunk().unwrap(), Some(Chunk::Exit(4)));
}

#[test]
fn a_panic_in_one_command_is_told_and_spares_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = store_in(&dir);
    let door = serve(&store, |request, _| {
        assert!(request.arguments.is_empty(), "planted");
        0
    })
    .unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let told = call(&dir, &request(&["fail"])).unwrap().relay(&mut out, &mut err);
    assert!(matches!(told, Err(CallError::CutOff)));
    assert_eq!(
        call(&dir, &request(&[]))
            .unwrap()
            .relay(&mut out, &mut err)
            .unwrap(),
        0
    );
    until(|| door.calls() == 0);
}

#[test]
fn what_is_no_request_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let store = store_in(&dir);
    let _door = serve(&store, |_, _| 0).unwrap();
    let whole = request(&["status"]).encode().unwrap();
    let framed = |bytes: &[u8]| {
        let mut framed = vec![TAG_REQUEST];
        framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        framed.extend_from_slice(bytes);
        framed
    };
    let mut newer = whole.clone();
    newer[0] = VERSION + 1;
    let mut longer = whole.clone();
    longer.push(0);
    // A count of arguments that are not there.
    let many = [VERSION, 0xff, 0xff, 0xff, 0xff].to_vec();
    let announced = vec![TAG_REQUEST, 0xff, 0xff, 0xff, 0xff];
    for bytes in [
        framed(&newer),
        framed(&longer),
        framed(&many),
        framed(&[]),
        announced,
    ] {
        let mut stream = UnixStream::connect(dir.join("control")).unwrap();
        stream.write_all(&bytes).unwrap();
        assert_eq!(
            read_chunk(&mut stream, CHUNK_BYTES_MAX).unwrap().unwrap().0,
            TAG_STDERR
        );
        assert_eq!(
            read_chunk(&mut stream, CHUNK_BYTES_MAX).unwrap(),
            Some((TAG_EXIT, vec![1]))
        );
    }
    for length in 0..whole.len() {
        assert_eq!(Request::decode(&whole[..length]), None);
    }
    assert_eq!(Request::decode(&whole), Some(request(&["status"])));
    let large = "x".repeat(REQUEST_BYTES_MAX);
    assert!(matches!(call(&dir, &request(&[&large])), Err(CallError::Request)));
}

#[test]
fn a_store_in_a_deep_folder_can_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("d".repeat(120)).join("store");
    std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
    let store = store_in(&dir);
    let _door = serve(&store, |_, _| 5).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(
        call(&dir, &request(&[]))
            .unwrap()
            .relay(&mut out, &mut err)
            .unwrap(),
        5
    );
}
