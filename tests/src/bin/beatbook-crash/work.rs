//! `work`: runs one workload in this process, for the recorder to see.

use std::path::PathBuf;

use crate::recording::Place;
use crate::workload::{Marks, Name, Runner, Site};

/// Run one workload; started by the other commands under the recorder
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workload
    name: Name,
    /// The folder to work in
    root: PathBuf,
    /// Where to say what is acknowledged
    marks: PathBuf,
}

/// The arguments with which a workload is started.
pub fn arguments(name: Name, place: &Place) -> Vec<String> {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    vec![
        "work".to_owned(),
        name.word(),
        path(&place.root),
        path(&place.marks),
    ]
}

/// Does what comes before the recording, in this process.
pub fn prepare(name: Name, place: &Place) -> Result<(), String> {
    let marks = Marks::to(&place.prepared())?;
    // Stands for the phone's keystore, which was there before the notebook.
    std::fs::create_dir_all(place.root.join("keystore")).map_err(|error| error.to_string())?;
    Runner::new(site(name, &place.root), &marks).run(name.script().0, "P");
    let said = std::fs::read_to_string(place.prepared()).map_err(|error| error.to_string())?;
    match said
        .lines()
        .find(|line| !line.starts_with("try ") && !line.starts_with("ack "))
    {
        Some(line) => Err(format!("preparing {}: {line}", name.word())),
        None => Ok(()),
    }
}

/// Runs the workload and ends as a kill would end it.
pub fn command(args: &Args) -> Result<(), String> {
    let marks = Marks::to(&args.marks)?;
    Runner::new(site(args.name, &args.root), &marks).run(args.name.script().1, "W");
    marks.say("ack end=0");
    Ok(())
}

fn site(name: Name, root: &std::path::Path) -> Site {
    Site {
        name,
        root: root.to_path_buf(),
        checks: false,
    }
}
