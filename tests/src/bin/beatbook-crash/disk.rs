//! A model of a disk: what programs see of it, and what a power cut would leave of it.
//!
//! The rules are the harshest that POSIX allows. Bytes are durable when the file was synced after they were written,
//! names when their folder was; a file's sync does not save its name. What was not synced may be kept or lost sector
//! by sector, names one by one. A rename is whole or nothing, and a sync of either of its folders saves it, as every
//! journalling file system does it. A sync that failed leaves the bytes readable and throws them away at the cut, also
//! when a later sync says yes: that is what Linux does.

mod cut;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use crate::recording::Event;

pub use cut::Keeps;

/// Index of a file or folder, whatever its names are.
type Number = usize;

/// A disk in the middle of a recording.
#[derive(Clone, Debug)]
pub struct Disk {
    things: Vec<Thing>,
    /// Name changes that no sync has made durable, in order.
    names: Vec<NameChange>,
    open: BTreeMap<i32, Number>,
    /// Counts events, so that changes of bytes and of names are in one order.
    now: u64,
    /// Says for each sync whether it does what it promises; a planted flaw makes it lie.
    flaw: Flaw,
}

/// A flaw that is planted in the disk, to show that the campaign would find a store that forgets a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// None: syncs do what they promise.
    #[default]
    None,
    /// A sync of a file in the journal does nothing.
    Journal,
    /// A sync of a folder does nothing.
    Names,
    /// A sync of a file of the index does nothing, as sled alone would have it.
    Index,
}

#[derive(Clone, Debug)]
enum Thing {
    File(FileState),
    Folder(FolderState),
}

#[derive(Clone, Debug, Default)]
struct FileState {
    /// What programs read.
    seen: Vec<u8>,
    /// What is durable.
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Set where it lies in a journal or an index, for planted flaws.
    kind: Flaw,
}

#[derive(Clone, Debug, Default)]
struct FolderState {
    seen: BTreeMap<String, Number>,
    durable: BTreeMap<String, Number>,
}

/// A change of a file that no sync has made durable.
#[derive(Clone, Debug)]
struct Change {
    at: u64,
    what: Bytes,
}

#[derive(Clone, Debug)]
enum Bytes {
    Put { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// A change of names that no sync has made durable.
#[derive(Clone, Debug)]
struct NameChange {
    at: u64,
    /// The name that goes.
    gone: Option<(Number, String)>,
    /// The name that comes, and what it means.
    come: Option<(Number, String, Number)>,
}

impl Disk {
    /// A disk whose whole content is durable: what is in the folder `root`.
    pub fn of(root: &Path, flaw: Flaw) -> Result<Self, String> {
        let mut disk = Self {
            things: vec![Thing::Folder(FolderState::default())],
            names: Vec::new(),
            open: BTreeMap::new(),
            now: 0,
            flaw,
        };
        disk.load(root, 0, Flaw::None)
            .map_err(|error| error.to_string())?;
        Ok(disk)
    }

    fn load(&mut self, path: &Path, folder: Number, kind: Flaw) -> std::io::Result<()> {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = kind_of(&name, kind);
            let kept = entry.file_type()?;
            let thing = if kept.is_dir() {
                Thing::Folder(FolderState::default())
            } else if kept.is_file() {
                let bytes = fs::read(entry.path())?;
                Thing::File(FileState {
                    seen: bytes.clone(),
                    durable: bytes,
                    pending: Vec::new(),
                    kind,
                })
            } else {
                continue;
            };
            let number = self.add(thing);
            let parent = self.folder_mut(folder).map_err(std::io::Error::other)?;
            parent.seen.insert(name.clone(), number);
            parent.durable.insert(name, number);
            if kept.is_dir() {
                self.load(&entry.path(), number, kind)?;
            }
        }
        Ok(())
    }

    /// Lets an event happen.
    pub fn apply(&mut self, event: &Event) -> Result<(), String> {
        self.now += 1;
        match event {
            Event::Open {
                fd,
                path,
                created,
                folder,
                emptied,
            } => self.open(*fd, path, (*created, *folder, *emptied)),
            Event::Write { fd, offset, bytes } => {
                let what = Bytes::Put {
                    offset: *offset,
                    bytes: bytes.clone(),
                };
                self.change(*fd, what)
            }
            Event::Truncate { fd, length } => self.change(*fd, Bytes::Length(*length)),
            Event::Sync { fd, failed } => self.sync(*fd, *failed),
            Event::Rename { from, to } => self.rename(from, to),
            Event::Unlink { path } | Event::RemoveDir { path } => {
                let (folder, name) = self.parent(path)?;
                self.folder_mut(folder)?.seen.remove(&name);
                self.rename_later(Some((folder, name)), None);
                Ok(())
            }
            Event::MakeDir { path } => {
                let number = self.add(Thing::Folder(FolderState::default()));
                self.name(path, number)
            }
            Event::Close { fd } => {
                self.open.remove(fd);
                Ok(())
            }
            Event::Dup { fd, to } => {
                if let Some(number) = self.open.get(fd).copied() {
                    self.open.insert(*to, number);
                }
                Ok(())
            }
            Event::Counted(_) | Event::Fault(_) | Event::Mark(_) | Event::Range { .. } => Ok(()),
        }
    }

    fn open(
        &mut self,
        fd: i32,
        path: &Path,
        (created, folder, emptied): (bool, bool, bool),
    ) -> Result<(), String> {
        if created && !folder {
            let kind = path
                .iter()
                .fold(Flaw::None, |kind, name| kind_of(&name.to_string_lossy(), kind));
            let number = self.add(Thing::File(FileState {
                kind,
                ..FileState::default()
            }));
            self.name(path, number)?;
        }
        let number = self.find(path)?;
        self.open.insert(fd, number);
        if emptied {
            self.change(fd, Bytes::Length(0))?;
        }
        Ok(())
    }

    fn change(&mut self, fd: i32, what: Bytes) -> Result<(), String> {
        let at = self.now;
        let number = *self.open.get(&fd).ok_or("a write to what was never opened")?;
        let Some(Thing::File(file)) = self.things.get_mut(number) else {
            return Err("a write to a folder".to_owned());
        };
        what.apply_to(&mut file.seen);
        file.pending.push(Change { at, what });
        Ok(())
    }

    fn sync(&mut self, fd: i32, failed: bool) -> Result<(), String> {
        let number = *self.open.get(&fd).ok_or("a sync of what was never opened")?;
        let flaw = self.flaw;
        match self.things.get_mut(number) {
            Some(Thing::File(file)) => {
                if flaw != Flaw::None && file.kind == flaw {
                    return Ok(());
                }
                for change in std::mem::take(&mut file.pending) {
                    if !failed {
                        change.what.apply_to(&mut file.durable);
                    }
                }
            }
            _ if flaw == Flaw::Names => {}
            _ => {
                let (mine, others) = std::mem::take(&mut self.names)
                    .into_iter()
                    .partition::<Vec<_>, _>(|change| change.touches(number));
                self.names = others;
                for change in mine {
                    if !failed {
                        self.make_durable(&change)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), String> {
        let (old_folder, old_name) = self.parent(from)?;
        let (new_folder, new_name) = self.parent(to)?;
        let number = self
            .folder_mut(old_folder)?
            .seen
            .remove(&old_name)
            .ok_or_else(|| format!("a rename of {}, which is not there", from.display()))?;
        self.folder_mut(new_folder)?.seen.insert(new_name.clone(), number);
        self.rename_later(Some((old_folder, old_name)), Some((new_folder, new_name, number)));
        Ok(())
    }

    fn name(&mut self, path: &Path, number: Number) -> Result<(), String> {
        let (folder, name) = self.parent(path)?;
        self.folder_mut(folder)?.seen.insert(name.clone(), number);
        self.rename_later(None, Some((folder, name, number)));
        Ok(())
    }

    fn rename_later(&mut self, gone: Option<(Number, String)>, come: Option<(Number, String, Number)>) {
        self.names.push(NameChange {
            at: self.now,
            gone,
            come,
        });
    }

    fn make_durable(&mut self, change: &NameChange) -> Result<(), String> {
        if let Some((folder, name)) = &change.gone {
            self.folder_mut(*folder)?.durable.remove(name);
        }
        if let Some((folder, name, number)) = &change.come {
            self.folder_mut(*folder)?.durable.insert(name.clone(), *number);
        }
        Ok(())
    }

    fn add(&mut self, thing: Thing) -> Number {
        self.things.push(thing);
        self.things.len() - 1
    }

    fn folder_mut(&mut self, number: Number) -> Result<&mut FolderState, String> {
        match self.things.get_mut(number) {
            Some(Thing::Folder(folder)) => Ok(folder),
            _ => Err("a file is used as a folder".to_owned()),
        }
    }

    fn folder(&self, number: Number) -> Result<&FolderState, String> {
        match self.things.get(number) {
            Some(Thing::Folder(folder)) => Ok(folder),
            _ => Err("a file is used as a folder".to_owned()),
        }
    }

    fn find(&self, path: &Path) -> Result<Number, String> {
        let mut number = 0;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            number = *self
                .folder(number)?
                .seen
                .get(name.to_string_lossy().as_ref())
                .ok_or_else(|| format!("{} is not there", path.display()))?;
        }
        Ok(number)
    }

    fn parent(&self, path: &Path) -> Result<(Number, String), String> {
        let folder = self.find(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().ok_or("a change of the root itself")?;
        Ok((folder, name.to_string_lossy().into_owned()))
    }

    /// Says where the folder `root` differs from what programs see of this disk.
    pub fn difference(&self, root: &Path) -> Result<Option<String>, String> {
        self.differs(root, 0)
    }

    fn differs(&self, path: &Path, number: Number) -> Result<Option<String>, String> {
        match &self.things[number] {
            Thing::File(file) => {
                let real = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                Ok((real != file.seen).then(|| format!("{} has other bytes", path.display())))
            }
            Thing::Folder(folder) => {
                let mut real = Vec::new();
                for entry in fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))? {
                    let entry = entry.map_err(|error| error.to_string())?;
                    let kind = entry.file_type().map_err(|error| error.to_string())?;
                    if kind.is_dir() || kind.is_file() {
                        real.push(entry.file_name().to_string_lossy().into_owned());
                    }
                }
                real.sort();
                if !real.iter().eq(folder.seen.keys()) {
                    let seen: Vec<_> = folder.seen.keys().collect();
                    return Ok(Some(format!(
                        "{} holds {real:?}, the log {seen:?}",
                        path.display()
                    )));
                }
                for (name, number) in &folder.seen {
                    if let Some(difference) = self.differs(&path.join(name), *number)? {
                        return Ok(Some(difference));
                    }
                }
                Ok(None)
            }
        }
    }
}

impl NameChange {
    fn touches(&self, folder: Number) -> bool {
        self.gone.as_ref().is_some_and(|(gone, _)| *gone == folder)
            || self.come.as_ref().is_some_and(|(come, _, _)| *come == folder)
    }
}

impl Bytes {
    fn apply_to(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(length) => content.resize(to_usize(*length), 0),
            Self::Put { offset, bytes } => put(content, to_usize(*offset), bytes),
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end && !bytes.is_empty() {
        content.resize(end, 0);
    }
    if !bytes.is_empty() {
        content[offset..end].copy_from_slice(bytes);
    }
}

/// What a name says about a file, for planted flaws.
fn kind_of(name: &str, above: Flaw) -> Flaw {
    match name {
        "journal" => Flaw::Journal,
        _ if name.starts_with("index-") => Flaw::Index,
        _ => above,
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("a file of a workload fits into memory")
}
