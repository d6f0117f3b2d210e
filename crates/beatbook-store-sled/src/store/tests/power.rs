//! A power cut that takes everything that was not made durable: bytes without an fsync, names without a folder sync.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::*;
use crate::disk::{DiskFile, DiskLock, LockError};

/// The real disk, and beside it what a power cut would leave of it.
#[derive(Debug, Default)]
struct CuttableDisk {
    durable: Arc<Mutex<Durables>>,
}

#[derive(Debug, Default)]
struct Durables {
    /// Bytes that an fsync has made durable, by the name that the file has.
    bytes: BTreeMap<PathBuf, u64>,
    /// Files whose name a folder sync has made durable.
    named: BTreeSet<PathBuf>,
    /// Names that changed since the last sync of their folder.
    renamed: BTreeSet<PathBuf>,
    syncs: u64,
}

struct CuttableFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    durable: Arc<Mutex<Durables>>,
}

impl DiskFile for CuttableFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        let mut durable = self.durable.lock();
        durable.syncs += 1;
        let length = RealDisk.len(&self.path)?;
        durable.bytes.insert(self.path.clone(), length);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)?;
        self.durable.lock().bytes.insert(self.path.clone(), length);
        Ok(())
    }
}

impl Disk for CuttableDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let known = path.exists();
        let file = RealDisk.open(path)?;
        let mut durable = self.durable.lock();
        if !known {
            durable.bytes.insert(path.to_path_buf(), 0);
            durable.renamed.insert(path.to_path_buf());
        }
        Ok(Box::new(CuttableFile {
            file,
            path: path.to_path_buf(),
            durable: Arc::clone(&self.durable),
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }

    fn read_head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        RealDisk.read_head(path, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)?;
        let mut durable = self.durable.lock();
        let length = durable.bytes.remove(from).unwrap_or(0);
        durable.bytes.insert(to.to_path_buf(), length);
        durable.renamed.insert(to.to_path_buf());
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)?;
        let mut durable = self.durable.lock();
        let here: Vec<_> = durable
            .renamed
            .iter()
            .filter(|path| path.parent() == Some(dir))
            .cloned()
            .collect();
        for path in here {
            durable.renamed.remove(&path);
            durable.named.insert(path);
        }
        Ok(())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        RealDisk.len(path)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(dir)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        RealDisk.is_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir_all(path)
    }

    fn disk_bytes(&self, dir: &Path) -> u64 {
        RealDisk.disk_bytes(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        RealDisk.lock(path)
    }
}

impl Durables {
    /// Copies the store as a power cut leaves it. All of the index is lost: nothing may rest on it.
    fn cut(&self, dir: &Path, image: &Path) {
        fs::create_dir_all(image).expect("make a folder");
        for entry in fs::read_dir(dir).expect("list").flatten() {
            let (from, to) = (entry.path(), image.join(entry.file_name()));
            if entry.file_name() == "journal" {
                copy_dir(&from, &to);
            } else if from.is_file() {
                fs::copy(from, to).expect("copy");
            }
        }
        for path in self.bytes.keys() {
            let Ok(name) = path.strip_prefix(dir) else {
                continue;
            };
            let copy = image.join(name);
            if !copy.exists() {
                continue;
            }
            if self.named.contains(path) || !self.renamed.contains(path) {
                let file = fs::OpenOptions::new().write(true).open(&copy).expect("open");
                file.set_len(self.bytes[path]).expect("cut");
            } else {
                fs::remove_file(&copy).expect("remove");
            }
        }
    }
}

#[test]
fn what_was_acknowledged_outlives_a_power_cut_at_any_moment_without_the_index() {
    let (folder, dir) = folder();
    create(&dir, plain()).close().expect("close");
    let disk = Arc::new(CuttableDisk::default());
    let options = Options {
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        segment_bytes: 2048,
        ..plain()
    };
    let (store, _) = open(&dir, options);
    for number in 0..20_u8 {
        put(&store, &number.to_string(), &[number; 200]).expect("put");
        if number % 6 == 5 {
            store.checkpoint().expect("checkpoint");
        }
        let image = folder.path().join(format!("image-{number}"));
        disk.durable.lock().cut(&dir, &image);
        let (cut, report) = open(&image, plain());
        assert!(
            report
                .rebuilt
                .is_some_and(|rebuilt| rebuilt.lost_before.is_none())
        );
        for earlier in 0..=number {
            assert_eq!(
                value(&cut, &earlier.to_string()),
                Some(vec![earlier; 200]),
                "after {number}"
            );
        }
    }
    assert!(
        dir.join("journal/00000003.seg").exists(),
        "the run turns segments over"
    );
}

#[test]
fn one_write_costs_one_fsync_and_a_group_shares_it() {
    let (_folder, dir) = folder();
    create(&dir, plain()).close().expect("close");
    let disk = Arc::new(CuttableDisk::default());
    let options = Options {
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        segment_bytes: 1 << 20,
        ..plain()
    };
    let (store, _) = open(&dir, options);
    let syncs = || disk.durable.lock().syncs;
    let before = syncs();
    put(&store, "a", b"1").expect("put");
    assert_eq!(syncs() - before, 1);
    // The first job holds the committer until the others have gathered behind it: two groups for 41 jobs.
    let (release, held) = channel::<()>();
    let (answered, answers) = channel();
    let first = answered.clone();
    let holding = move |transaction: &mut Transaction<'_>| {
        transaction.put(Table::Entries, "held", "1");
        held.recv().map_err(|_| StoreError::Io {
            reason: "the test ended".into(),
        })
    };
    store.commit_then(holding, move |result| first.send(result).expect("the test waits"));
    for number in 0..40_u8 {
        let answered = answered.clone();
        let job = move |transaction: &mut Transaction<'_>| {
            transaction.put(Table::Entries, vec![number], vec![number]);
            Ok::<_, StoreError>(())
        };
        store.commit_then(job, move |result| answered.send(result).expect("the test waits"));
    }
    release.send(()).expect("the job waits");
    for _ in 0..41 {
        answers.recv().expect("an answer").expect("stored");
    }
    assert_eq!(syncs() - before, 2);
}
