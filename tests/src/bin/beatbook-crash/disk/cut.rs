//! The cut: which of the changes that no sync had saved a disk keeps, from a seed, written out as a folder.

use std::fs;
use std::path::Path;

use beatbook_tests::Seed;

use super::{Bytes, Change, Disk, NameChange, Number, Thing, put, to_usize};
use crate::recording::Event;

/// What a power cut keeps of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing.
    Nothing,
    /// Everything, the call under way torn: the process died, the machine did not.
    Everything,
    /// Everything up to a moment since the last sync, in order, the last write torn.
    Prefix,
    /// Each sector and each name at random.
    Sectors(u64),
}

impl Disk {
    /// Writes into `image` what a power cut leaves at this moment, while `under_way` was being done.
    pub fn cut(
        &self,
        under_way: Option<&Event>,
        keeps: Keeps,
        seed: &mut Seed,
        image: &Path,
    ) -> Result<(), String> {
        let mut disk = self.clone();
        if let Some(event @ (Event::Write { .. } | Event::Truncate { .. } | Event::Rename { .. })) = under_way
        {
            disk.apply(event)?;
        }
        let last = disk.now;
        let until = match keeps {
            Keeps::Prefix => {
                let first = disk.first_pending().unwrap_or(last);
                seed.between(first, last + 2)
            }
            _ => last,
        };
        let keep = Keep {
            keeps,
            until,
            torn: if keeps == Keeps::Everything && under_way.is_none() {
                last + 1
            } else {
                until
            },
            sector: if seed.chance(500) { 512 } else { 4096 },
        };
        for change in std::mem::take(&mut disk.names) {
            if keep.name(&change, seed) {
                disk.make_durable(&change)?;
            }
        }
        disk.write_out(0, &keep, seed, image)
    }

    fn first_pending(&self) -> Option<u64> {
        let bytes = self.things.iter().filter_map(|thing| match thing {
            Thing::File(file) => file.pending.first().map(|change| change.at),
            Thing::Folder(_) => None,
        });
        bytes.chain(self.names.iter().map(|change| change.at)).min()
    }

    fn write_out(&self, number: Number, keep: &Keep, seed: &mut Seed, path: &Path) -> Result<(), String> {
        let io = |error: std::io::Error| format!("{}: {error}", path.display());
        match &self.things[number] {
            Thing::File(file) => {
                let mut bytes = file.durable.clone();
                for change in &file.pending {
                    keep.bytes(change, &mut bytes, seed);
                }
                fs::write(path, bytes).map_err(io)
            }
            Thing::Folder(folder) => {
                fs::create_dir_all(path).map_err(io)?;
                for (name, number) in &folder.durable {
                    self.write_out(*number, keep, seed, &path.join(name))?;
                }
                Ok(())
            }
        }
    }
}

/// How one cut decides.
struct Keep {
    keeps: Keeps,
    until: u64,
    /// The change that is torn.
    torn: u64,
    sector: usize,
}

impl Keep {
    fn name(&self, change: &NameChange, seed: &mut Seed) -> bool {
        match self.keeps {
            Keeps::Nothing => false,
            Keeps::Everything => change.at < self.torn || seed.chance(500),
            Keeps::Prefix => change.at < self.until,
            Keeps::Sectors(permille) => seed.between(0, 1000) < permille,
        }
    }

    fn bytes(&self, change: &Change, content: &mut Vec<u8>, seed: &mut Seed) {
        let whole = match self.keeps {
            Keeps::Nothing => false,
            Keeps::Everything | Keeps::Prefix => change.at < self.torn,
            Keeps::Sectors(_) => false,
        };
        match (&change.what, self.keeps) {
            (what, _) if whole => what.apply_to(content),
            (_, Keeps::Nothing) => {}
            (Bytes::Length(_), Keeps::Sectors(permille)) if seed.between(0, 1000) < permille => {
                change.what.apply_to(content);
            }
            (Bytes::Put { offset, bytes }, Keeps::Sectors(permille)) => {
                for (from, to) in sectors(to_usize(*offset), bytes.len(), self.sector) {
                    if seed.between(0, 1000) < permille {
                        put(content, to_usize(*offset) + from, &bytes[from..to]);
                    }
                }
            }
            (Bytes::Put { offset, bytes }, _) if change.at == self.torn => {
                let mut end = to_usize(seed.between(0, bytes.len() as u64 + 1));
                if seed.chance(500) {
                    end = end / self.sector * self.sector;
                }
                put(content, to_usize(*offset), &bytes[..end]);
            }
            _ => {}
        }
    }
}

/// The stretches of a write that lie in one sector each.
fn sectors(offset: usize, length: usize, sector: usize) -> Vec<(usize, usize)> {
    let mut stretches = Vec::new();
    let mut from = 0;
    while from < length {
        let end = (offset + from) / sector * sector + sector - offset;
        stretches.push((from, end.min(length)));
        from = end.min(length);
    }
    stretches
}
