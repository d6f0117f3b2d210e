//! A disk that fails at its Nth call, for every N: what was acknowledged stays, what was refused is not there.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::disk::{DiskFile, DiskLock, LockError};

/// What happens at the Nth call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This call and no other fails for want of space, a half of its bytes written.
    FullOnce,
    /// Every call from this one on fails for want of space.
    FullFrom,
    /// This call and no other fails in the device.
    Device,
}

/// The real disk behind a counter of the calls that change it.
#[derive(Debug)]
struct FaultyDisk {
    shared: Arc<Plan>,
}

#[derive(Debug)]
pub(super) struct Plan {
    fault: Fault,
    at: u64,
    calls: AtomicU64,
    free_bytes: AtomicU64,
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    plan: Arc<Plan>,
}

impl Plan {
    pub(super) fn new(fault: Fault, at: u64) -> Arc<Self> {
        Arc::new(Self {
            fault,
            at,
            calls: AtomicU64::new(0),
            free_bytes: AtomicU64::new(1 << 40),
        })
    }

    pub(super) fn reached(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.at
    }

    fn call(&self, needs_space: bool) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::FullOnce if call == self.at && needs_space => Err(io::ErrorKind::StorageFull.into()),
            Fault::FullFrom if call >= self.at && needs_space => Err(io::ErrorKind::StorageFull.into()),
            Fault::Device if call == self.at => Err(io::Error::other("the device failed")),
            _ => Ok(()),
        }
    }
}

impl DiskFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.plan.call(true) {
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.plan.call(false)?;
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.plan.call(false)?;
        self.file.truncate(length)
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.call(true)?;
        Ok(Box::new(FaultyFile {
            file: RealDisk.open(path)?,
            plan: Arc::clone(&self.shared),
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }

    fn read_head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        RealDisk.read_head(path, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.call(true)?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared.call(false)?;
        RealDisk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.call(true)?;
        RealDisk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.call(false)?;
        RealDisk.sync_dir(dir)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        RealDisk.len(path)
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.shared.free_bytes.load(Ordering::SeqCst))
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        RealDisk.is_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.shared.call(false)?;
        RealDisk.remove_dir_all(path)
    }

    fn disk_bytes(&self, dir: &Path) -> u64 {
        RealDisk.disk_bytes(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        RealDisk.lock(path)
    }
}

pub(super) fn faulty(plan: &Arc<Plan>) -> Options {
    let disk = Arc::new(FaultyDisk {
        shared: Arc::clone(plan),
    });
    Options {
        disk,
        segment_bytes: 2048,
        ..with_pin()
    }
}

/// Opens, writes, checkpoints, releases and closes over a disk that fails; returns what each write was told.
fn run(dir: &Path, plan: &Arc<Plan>) -> Vec<(String, Result<(), StoreError>)> {
    let mut told = Vec::new();
    let Ok((store, _)) = Store::open(dir, &Unlock::keystore(KEY), faulty(plan)) else {
        return told;
    };
    for number in 0..9 {
        let key = format!("key-{number}");
        let answer = put(&store, &key, &[number; 300]);
        told.push((key, answer));
        if number == 5 {
            // Whether these succeed is not the matter: what they leave behind is.
            let _ = store.checkpoint();
            let _ = store.release(store.sequence());
            let _ = store.lease([1; 16], 256);
        }
    }
    let _ = store.close();
    told
}

fn check(fault: Fault) {
    let (mut full, mut latched, mut at) = (0, 0, 1);
    loop {
        let (_folder, dir) = folder();
        let store = create(&dir, with_pin());
        put(&store, "before", b"1").expect("put");
        store.close().expect("close");
        let plan = Plan::new(fault, at);
        let told = run(&dir, &plan);
        let (store, _) = open(&dir, with_pin());
        assert_eq!(
            value(&store, "before").as_deref(),
            Some(b"1".as_slice()),
            "{fault:?} at {at}"
        );
        for (key, answer) in &told {
            let found = value(&store, key).is_some();
            match answer {
                Ok(()) => assert!(found, "{fault:?} at {at}: {key} was acknowledged and is lost"),
                Err(StoreError::DiskFull) => {
                    full += 1;
                    assert!(!found, "{fault:?} at {at}: {key} was refused and is there");
                }
                // It is not known whether the write got through; it must only be told so.
                Err(StoreError::Latched { .. }) => latched += 1,
                Err(other) => panic!("{fault:?} at {at}: {key}: {other}"),
            }
        }
        if fault == Fault::FullOnce {
            let refused = told.iter().filter(|(_, answer)| answer.is_err()).count();
            assert!(
                refused <= 1,
                "at {at}: writing did not go on after one call failed"
            );
        }
        store.verify().expect("verify");
        if !plan.reached() {
            break;
        }
        at += 1;
    }
    assert!(at > 40, "only {at} calls: the run does not reach what it should");
    assert!(
        if fault == Fault::Device {
            latched > 0
        } else {
            full > 0 && latched == 0
        },
        "{full} {latched}"
    );
}

#[test]
fn space_that_runs_out_for_one_call_loses_nothing_and_writing_goes_on() {
    check(Fault::FullOnce);
}

#[test]
fn space_that_runs_out_for_good_loses_nothing() {
    check(Fault::FullFrom);
}

#[test]
fn a_device_that_fails_once_shuts_the_store_and_loses_nothing() {
    check(Fault::Device);
}

#[test]
fn writing_is_refused_below_the_least_free_space_and_resumes_above_it() {
    let (_folder, dir) = folder();
    create(&dir, plain()).close().expect("close");
    let plan = Plan::new(Fault::FullOnce, u64::MAX);
    let (store, _) = open(
        &dir,
        Options {
            free_bytes_min: 1 << 20,
            ..faulty(&plan)
        },
    );
    put(&store, "a", b"1").expect("put");
    plan.free_bytes.store(1 << 20, Ordering::SeqCst);
    assert_eq!(put(&store, "b", b"2"), Err(StoreError::DiskFull));
    assert_eq!(
        value(&store, "a").as_deref(),
        Some(b"1".as_slice()),
        "reading goes on"
    );
    plan.free_bytes.store(2 << 20, Ordering::SeqCst);
    put(&store, "c", b"3").expect("put");
    assert_eq!(value(&store, "b"), None);
}
