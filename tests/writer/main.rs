//! The program that is killed: it opens a notebook and writes notes until it is, telling each one that is durable.

use std::io::{self, Read, Write};

use beatbook_field::{Notebook, Options, Unlock};
use beatbook_tests::note_of;

/// Lines are written whole and flushed: what stands on one was acknowledged before the next entry began.
fn main() {
    let mut args = std::env::args().skip(1);
    let (store, round) = (args.next(), args.next());
    let notes: Option<u32> = args.next().and_then(|text| text.parse().ok());
    let (Some(store), Some(round), Some(notes)) = (store, round, notes) else {
        eprintln!("usage: beatbook-writer STORE ROUND NOTES");
        std::process::exit(2);
    };
    let mut stdout = io::stdout().lock();
    let mut tell = |line: String| {
        stdout
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| stdout.flush())
            .expect("the one who kills it listens");
    };
    tell("opens".to_owned());
    let book =
        Notebook::open(store, &Unlock::keystore([7; 32]), Options::default()).expect("the store reopens");
    for number in 0..notes {
        let body = format!("round{round}-{number}");
        let written = book.notes().write(note_of(&body)).expect("a note is written");
        tell(format!("wrote {body} {} .", written.reference));
    }
    // Waits to be killed.
    let mut rest = Vec::new();
    let _ = io::stdin().lock().read_to_end(&mut rest);
}
