//! Words: lower-cased and NFKC, each with the records that hold it. Bounded in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

/// An inverted index of words.
#[derive(Debug, Default)]
pub(super) struct Words {
    postings: BTreeMap<Arc<str>, BTreeSet<u32>>,
    /// Words times records.
    count: usize,
}

impl Words {
    /// Indexes a record's words; `None` where there is no more room.
    pub(super) fn add(&mut self, number: u32, words: BTreeSet<String>) -> Option<Box<[Arc<str>]>> {
        if self.count.saturating_add(words.len()) > POSTINGS_MAX {
            return None;
        }
        self.count += words.len();
        let shared = words.into_iter().map(|word| {
            let shared = match self.postings.get_key_value(word.as_str()) {
                Some((shared, _)) => Arc::clone(shared),
                None => Arc::from(word),
            };
            self.postings
                .entry(Arc::clone(&shared))
                .or_default()
                .insert(number);
            shared
        });
        Some(shared.collect())
    }

    /// Forgets a record's words.
    pub(super) fn remove(&mut self, number: u32, words: &[Arc<str>]) {
        self.count = self.count.saturating_sub(words.len());
        for word in words {
            if let Some(numbers) = self.postings.get_mut(word) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.postings.remove(word);
                }
            }
        }
    }

    /// The records that hold every word of `text`, or words that begin so.
    pub(super) fn find(&self, text: &str) -> BTreeSet<u32> {
        let found = words_of(text).map(|start| {
            let from = self
                .postings
                .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded));
            let begun = from.take_while(|(word, _)| word.starts_with(&start));
            begun
                .flat_map(|(_, numbers)| numbers.iter().copied())
                .collect::<BTreeSet<u32>>()
        });
        let found = found.reduce(|one, two| one.intersection(&two).copied().collect());
        found.unwrap_or_default()
    }
}

/// The words of a text: runs of letters and digits, lower-cased, the same however they are composed.
pub(super) fn words_of(text: &str) -> impl Iterator<Item = String> {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let parts: Vec<String> = folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_CHARS_MAX).collect())
        .collect();
    parts.into_iter()
}

/// True if every word of `wanted` begins one of `words`, and there is one.
pub(super) fn all_within(words: &BTreeSet<String>, wanted: &str) -> bool {
    let mut any = false;
    words_of(wanted).all(|start| {
        any = true;
        let mut from = words.range(start.clone()..);
        from.next().is_some_and(|word| word.starts_with(&start))
    }) && any
}

/// About 200 MiB at the worst; a shift's worth of records is some thousands.
const POSTINGS_MAX: usize = 4_000_000;
/// Nobody types more of a word.
const WORD_CHARS_MAX: usize = 40;
