//! The published page, `docs/restore-matrix.md`, made from the table; a test holds the file to it.

use std::fs;
use std::path::Path;

use beatbook_sim::matrix::{Cell, DeviceSide, Moment, ServerSide};

#[test]
fn the_page_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/restore-matrix.md");
    let made = page();
    if std::env::var_os("BEATBOOK_MATRIX_WRITE").is_some() {
        fs::write(&path, &made).expect("the page can be written");
    }
    let published = fs::read_to_string(&path).expect("the page is there");
    assert_eq!(
        published, made,
        "the page has drifted: BEATBOOK_MATRIX_WRITE=1 writes it anew"
    );
}

fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n## The device\n\n| what happened | how it shows | what happens then | what the officer sees |\n| --- | --- | --- | --- |\n");
    for side in DeviceSide::ALL {
        let row = [side.what(), side.shows(), side.then(), side.seen()];
        page.push_str(&format!("| **{}**: {} |\n", side.name(), row.join(" | ")));
    }
    page.push_str("\n## The server\n\n| what happened | how it shows | what happens then | what the officer sees |\n| --- | --- | --- | --- |\n");
    for side in ServerSide::ALL {
        let row = [side.what(), side.shows(), side.then(), side.seen()];
        page.push_str(&format!("| **{}**: {} |\n", side.name(), row.join(" | ")));
    }
    page.push_str(BOTH);
    page.push_str(&format!(
        "\n## The cells\n\n{} cells: {} x {} x {} moments x work in flight or all sent. A cell marked A is played end to end by every\n`cargo test`, without (`-`) or with (`+`) work in flight; every cell is played by `BEATBOOK_MATRIX=all`, and in memory.\n",
        Cell::all().len(),
        DeviceSide::ALL.len(),
        ServerSide::ALL.len(),
        Moment::ALL.len()
    ));
    page.push_str("\n| device, server |");
    for moment in Moment::ALL {
        page.push_str(&format!(" {} |", moment.name()));
    }
    page.push_str(&format!("\n| --- |{}\n", " --- |".repeat(Moment::ALL.len())));
    let always = Cell::representative();
    for device in DeviceSide::ALL {
        for server in ServerSide::ALL {
            page.push_str(&format!("| {}, {} |", device.name(), server.name()));
            for moment in Moment::ALL {
                let marks: String = [(false, "A-"), (true, "A+")]
                    .into_iter()
                    .filter(|(in_flight, _)| {
                        always.contains(&Cell {
                            device,
                            server,
                            moment,
                            in_flight: *in_flight,
                        })
                    })
                    .map(|(_, mark)| mark)
                    .collect();
                page.push_str(&format!(" {} |", if marks.is_empty() { "all" } else { &marks }));
            }
            page.push('\n');
        }
    }
    page.push_str(SHOWN);
    page
}

const HEAD: &str = "# The restore matrix

What happens when a device's store, the server's data, or both go back in time; at which moment; with unsynced work or
without. In every cell the same is demanded once devices are in touch again, within four rounds of sessions: every entry
that was acknowledged and of which anyone still holds a copy is found exactly once, at the server and on every device that
may hold it; no entry number stands for two entries; everyone shows the same; and a person is told of every book that
was closed. The rules are in [ARCHITECTURE.md](../ARCHITECTURE.md#recovery), the bytes in [SPEC](../proto/SPEC.md).

This page is made from the table that the tests are played from, `crates/beatbook-sim/src/matrix/table.rs`.
";

const BOTH: &str = "
## Both at once

Both answers apply, and re-issuing waits until what readers offer is in. One thing follows from neither side alone: where
a copy shows nothing at open **and** the server has forgotten what the original sent, nobody can know that a number was
given, and it is given again. When a reader of the earlier life comes, it meets the other entry under that number. The
present log keeps it; the reader sets its own aside and hands it in; the server keeps it apart with its proof and gives
it back to the device whose key sealed it, which issues it again under a new number. Nothing is lost, and in the end a
number stands for one entry everywhere. What the reader itself had written about the displaced entry is kept: it goes to
the re-issued one where the two entries are of different records, and where both founded or changed one record it stays
with the number, for a person to see.
";

const SHOWN: &str = "
## Shown by

| what | command |
| --- | --- |
| the cells marked A, end to end with real programs | `cargo test -p beatbook-tests --test matrix` |
| every cell, end to end | `BEATBOOK_MATRIX=all cargo test -p beatbook-tests --test matrix -- --nocapture` |
| one cell | `BEATBOOK_MATRIX_CELL=\"device cloned, server restored\" cargo test -p beatbook-tests --test matrix` |
| every cell in simulated worlds, with work and faults around it | `cargo xtask sim --matrix` |
| one cell under one seed, as a story | `cargo xtask sim --matrix --cell 'device cloned, server restored' --seed 1` |
| the cells in memory, each pair of copies at any durable point of its moment | `cargo test -p beatbook-core --test sync restore_matrix` |
| every cell in memory with so many seeds | `BEATBOOK_MATRIX_SEEDS=20 cargo test -p beatbook-core --test sync restore_matrix` |
";
