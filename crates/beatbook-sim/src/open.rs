//! Seeds that fail and are not mended yet: every run that meets one tells it, and none is counted as new.
//!
//! They are lines of `open.txt`: `size seed what is known`. A seed that is mended moves to `regressions/`, and its line goes.

use crate::plan::Size;

/// The seeds that are known to fail.
const LINES: &str = include_str!("../open.txt");

/// What is known of a seed that is known to fail.
pub fn known(size: Size, seed: u64) -> Option<&'static str> {
    lines().find_map(|(of, number, what)| (of == size && number == seed).then_some(what))
}

fn lines() -> impl Iterator<Item = (Size, u64, &'static str)> {
    let texts = LINES.lines().map(str::trim);
    texts
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let (size, rest) = line.split_once(' ')?;
            let (seed, what) = rest.split_once(' ')?;
            let size = match size {
                "large" => Size::Large,
                _ => Size::Small,
            };
            Some((size, seed.parse().ok()?, what))
        })
}

#[cfg(test)]
mod tests;
