//! Text of records made safe to show: nothing in it may steer a terminal or turn the reading order.

use serde_json::Value;

/// Replaces what could steer a terminal; line feeds stay.
pub(crate) fn plain_text(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' => character,
            '\t' => ' ',
            _ if steers(character) => REPLACEMENT,
            _ => character,
        })
        .collect()
}

/// The same on one line, for a cell of a table.
pub(crate) fn one_line(text: &str) -> String {
    plain_text(text.trim_end()).replace('\n', " / ")
}

/// A JSON object on one line, in ASCII where a character could steer a terminal.
pub(crate) fn json_line(object: &Value) -> String {
    let line = object.to_string();
    let mut safe = String::with_capacity(line.len());
    for character in line.chars() {
        // The encoder escapes the first 32; the others stand inside strings only, where an escape means the same.
        match steers(character) {
            true => safe.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => safe.push(character),
        }
    }
    safe
}

/// Control characters (C0, DEL, C1), line separators, and marks that turn the reading order or hide.
fn steers(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

const REPLACEMENT: char = '\u{fffd}';

#[cfg(test)]
mod tests;
