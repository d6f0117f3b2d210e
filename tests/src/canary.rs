//! Canaries: words that occur nowhere else, to find entries by and to find them where they must not be.

use std::fs;
use std::path::{Path, PathBuf};

use crate::seed::Seed;

#[cfg(test)]
mod tests;

/// A flock of words with one beginning: each names an entry, the beginning finds any of them in a file.
#[derive(Debug)]
pub struct Canaries {
    beginning: String,
    seed: Seed,
    told: u64,
}

impl Canaries {
    /// A new flock.
    pub fn new() -> Self {
        let mut seed = Seed::fresh();
        let beginning = format!("qz{}", letters(&mut seed, 8));
        Self {
            beginning,
            seed,
            told: 0,
        }
    }

    /// The next word.
    pub fn word(&mut self) -> String {
        self.told += 1;
        format!(
            "{}n{}{}",
            self.beginning,
            number(self.told),
            letters(&mut self.seed, 4)
        )
    }

    /// The next words.
    pub fn words(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.word()).collect()
    }

    /// How often any of them is in `bytes`, as UTF-8 or UTF-16.
    pub fn hits(&self, bytes: &[u8]) -> usize {
        let plain = self.beginning.as_bytes();
        let wide: Vec<u8> = plain.iter().flat_map(|byte| [*byte, 0]).collect();
        count(bytes, plain) + count(bytes, &wide)
    }

    /// The files under `places` that hold any of them, with how often.
    pub fn files_with_hits(&self, places: &[&Path]) -> Vec<(PathBuf, usize)> {
        let mut found = Vec::new();
        for file in places.iter().flat_map(|place| files_under(place)) {
            let name = file.to_string_lossy().into_owned();
            // A store may drop a file while it is looked at; it is then no place to leak from.
            let bytes = fs::read(&file).unwrap_or_default();
            match self.hits(&bytes) + self.hits(name.as_bytes()) {
                0 => {}
                hits => found.push((file, hits)),
            }
        }
        found
    }
}

impl Default for Canaries {
    fn default() -> Self {
        Self::new()
    }
}

/// All files in a folder and below it, or the file itself.
pub fn files_under(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place) else {
        return if place.is_file() {
            vec![place.to_owned()]
        } else {
            Vec::new()
        };
    };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        files.extend(files_under(&entry.path()));
    }
    files.sort();
    files
}

fn count(bytes: &[u8], word: &[u8]) -> usize {
    let Some((first, rest)) = word.split_first() else {
        return 0;
    };
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| *byte == first)
        .filter(|(at, _)| bytes[at + 1..].starts_with(rest))
        .count()
}

fn letters(seed: &mut Seed, count: usize) -> String {
    (0..count).map(|_| letter(seed.between(0, 26))).collect()
}

/// A number in letters: words are searched by their beginning, so each is of one length.
fn number(mut number: u64) -> String {
    let mut letters = String::new();
    for _ in 0..5 {
        letters.push(letter(number % 26));
        number /= 26;
    }
    letters
}

fn letter(number: u64) -> char {
    char::from(b'a' + u8::try_from(number).expect("there are 26"))
}
