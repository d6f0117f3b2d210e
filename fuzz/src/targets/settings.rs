//! The files that an administrator writes: `beatbookd.toml`, and beats as CSV.

use std::cell::OnceCell;
use std::fs;

use beatbook_server::{Config, read_beats};
use tempfile::TempDir;

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

/// The first byte chooses the file.
pub(super) fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| TempDir::new().expect("a folder can be made"));
        if choice % 2 == 0 {
            fs::write(folder.path().join("beatbookd.toml"), bytes).expect("a file can be written");
            match Config::read(folder.path()) {
                Ok(config) => {
                    let dialled = config.dial_address().map(|address| address.to_string());
                    assert!(dialled.is_err() || dialled.is_ok_and(|address| !address.is_empty()));
                    assert!(config.metrics_address().is_ok() || config.metrics != "off");
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        } else {
            let path = folder.path().join("beats.csv");
            fs::write(&path, bytes).expect("a file can be written");
            match read_beats(&path) {
                Ok(beats) => assert!(
                    beats
                        .iter()
                        .all(|beat| !beat.id.is_empty() && !beat.name.is_empty())
                ),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    });
}

/// One of each.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let toml = "force = \"52\"\nname = \"Avon and Somerset\"\nlisten = \"127.0.0.1:4433\"\n\
                address = \"sync.force.example:4433\"\nmetrics = \"off\"\ncertificate_days = 730\ntoken_minutes = 15\n";
    let csv = "id,name,neighbourhood,geojson_file\nC02,Stokes Croft,Ashley,\n52/C03,\"St, Pauls\",Ashley,\n";
    [
        (0, toml),
        (1, csv),
        (1, "\u{feff}id,name,neighbourhood\n\nC02,a,b\nC02,a,b\n"),
    ]
    .iter()
    .map(|(choice, text)| [&[*choice], text.as_bytes()].concat())
    .collect()
}
