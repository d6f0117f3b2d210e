//! Child processes that are waited for with a deadline, so that a store that hangs is a finding and no hung campaign.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs a command to its end; kills it and says so where it takes longer than any healthy one.
pub fn run(mut command: Command) -> Result<Output, String> {
    // Files, not pipes: nobody has to read while it runs.
    let (mut out, mut err) = (scratch()?, scratch()?);
    command
        .stdout(Stdio::from(out.try_clone().map_err(|error| error.to_string())?))
        .stderr(Stdio::from(err.try_clone().map_err(|error| error.to_string())?));
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let status = wait_ended(&mut child)?;
    Ok(Output {
        status,
        stdout: content(&mut out)?,
        stderr: content(&mut err)?,
    })
}

fn wait_ended(child: &mut std::process::Child) -> Result<std::process::ExitStatus, String> {
    let deadline = Instant::now() + DEADLINE;
    let mut pause = Duration::from_micros(200);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(4));
            }
            Ok(None) => {
                // It has not ended by itself, so its number is still its own.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it hung for {} s and was ended", DEADLINE.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn scratch() -> Result<File, String> {
    tempfile::tempfile().map_err(|error| format!("a scratch file: {error}"))
}

fn content(file: &mut File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Longer than any healthy run on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);
