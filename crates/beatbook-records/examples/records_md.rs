//! Prints the page `docs/records.md`; `cargo xtask vectors` compares it with the one that is kept.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(beatbook_records::docs::markdown().as_bytes())
}
