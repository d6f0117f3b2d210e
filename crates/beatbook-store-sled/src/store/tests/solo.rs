//! The store in its caller's thread: the same bytes for the same seed, and death when it is dropped.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::engine::{Engine, ModelEngine};
use crate::random::Random;

/// Bytes that follow from a seed and from how many were drawn before.
#[derive(Debug)]
struct Seeded(Mutex<blake3::OutputReader>);

impl Seeded {
    fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes());
        Self(Mutex::new(hasher.finalize_xof()))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.lock().fill(bytes);
        Ok(())
    }
}

fn options(seed: u64, engine: Arc<dyn Engine>) -> Options {
    Options {
        random: Arc::new(Seeded::new(seed)),
        engine,
        ..Options {
            segment_bytes: 4096,
            ..Options::default()
        }
    }
}

fn model_engine() -> Arc<dyn Engine> {
    Arc::new(ModelEngine::default())
}

fn apply_here(store: &mut Solo, writes: WriteSet) {
    store
        .commit(|transaction| {
            transaction.absorb(writes);
            Ok::<_, StoreError>(())
        })
        .expect("commit");
}

/// Creates, writes, checkpoints, compacts, leases, dies, reopens and closes.
fn shift(dir: &Path, seed: u64, engine: &Arc<dyn Engine>) -> MemoryStore {
    let (model, groups) = sample();
    let unlock = Unlock::keystore(KEY);
    let (mut store, _) = Solo::create(dir, &unlock, options(seed, Arc::clone(engine))).expect("create");
    for (number, writes) in groups.into_iter().enumerate() {
        apply_here(&mut store, writes);
        match number {
            5 => store.checkpoint().expect("checkpoint"),
            9 => store.lease([1; 16], 256).expect("lease"),
            12 => store.compact().expect("compact"),
            17 => {
                drop(store);
                let again = Solo::open(dir, &unlock, options(seed + 1, Arc::clone(engine)));
                let (opened, report) = again.expect("open");
                assert_eq!((report.anchor, report.rebuilt), (AnchorState::Matches, None));
                assert!(report.replayed > 0, "nothing was left open");
                store = opened;
            }
            _ => {}
        }
    }
    assert_eq!(store.read(everything), everything(&model));
    store.verify().expect("verify");
    store.close().expect("close");
    model
}

#[test]
fn the_same_seed_and_calls_give_the_same_bytes() {
    let (_folder, dir) = folder();
    let runs = [("one", 1), ("two", 1), ("three", 2)].map(|(name, seed)| {
        let root = dir.join(name);
        fs::create_dir_all(&root).expect("make a folder");
        shift(&root.join("store"), seed, &model_engine());
        let names = damage::files(&root);
        let contents = names.iter().map(|path| fs::read(path).expect("read"));
        let contents: Vec<Vec<u8>> = contents.collect();
        (names.len(), contents)
    });
    assert!(runs[0].0 > 8);
    assert!(runs[0] == runs[1], "one seed gave two stores");
    assert!(runs[0] != runs[2], "two seeds gave one store");
}

#[test]
fn it_is_the_store_over_either_engine() {
    for engine in [model_engine(), Options::default().engine] {
        let (_folder, dir) = folder();
        let model = shift(&dir, 3, &engine);
        let opened = Options {
            engine: Arc::clone(&engine),
            ..Options::default()
        };
        let (store, report) = open(&dir, opened);
        assert_eq!((report.replayed, report.rebuilt), (0, None));
        assert_eq!(store.read(everything), everything(&model));
    }
}

#[test]
fn jobs_of_a_group_share_a_frame_and_each_has_its_answer() {
    let (_folder, dir) = folder();
    let created = Solo::create(&dir, &Unlock::keystore(KEY), options(4, model_engine()));
    let (mut store, _) = created.expect("create");
    let before = store.sequence();
    // Neither Send nor 'static: a job may borrow from its caller.
    let answers = Rc::new(RefCell::new(Vec::new()));
    let jobs = (0..5_u8).map(|number| {
        let answers = Rc::clone(&answers);
        Job::new(
            move |transaction| {
                let earlier = transaction.get(Table::Entries, &[number.wrapping_sub(1)])?;
                transaction.put(Table::Entries, [number], [number]);
                if number == 2 {
                    return Err(StoreError::DiskFull);
                }
                Ok(earlier.is_some())
            },
            move |answer| answers.borrow_mut().push(answer.map(Durable::into_inner)),
        )
    });
    store.commit_group(jobs.collect());
    let expected = [
        Ok(false),
        Ok(true),
        Err(StoreError::DiskFull),
        Ok(false),
        Ok(true),
    ];
    assert_eq!(*answers.borrow(), expected);
    assert_eq!(store.sequence(), before + 1);
    let refused = store.read(|read| read.get(Table::Entries, &[2]));
    assert_eq!(refused, Ok(None));
}

#[test]
fn a_backup_of_it_restores_over_the_same_ports() {
    let (folder, dir) = folder();
    let model = shift(&dir, 5, &model_engine());
    let unlock = Unlock::keystore(KEY);
    let (store, _) = Solo::open(&dir, &unlock, options(6, model_engine())).expect("open");
    let mut bytes = Vec::new();
    store.backup(&mut bytes, &mut |_| {}).expect("backup");
    let copy = folder.path().join("copy");
    let ports = options(7, model_engine());
    Store::restore(&mut bytes.as_slice(), &copy, &unlock, &ports).expect("restore");
    assert!(Solo::exists(&copy, &ports));
    let (restored, _) = Solo::open(&copy, &unlock, ports).expect("open");
    assert_eq!(restored.read(everything), everything(&model));
}
