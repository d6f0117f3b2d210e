//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. It is no claim about speed: a loaded machine is slow.
pub const DEADLINE: Duration = Duration::from_secs(90);

const PAUSE: Duration = Duration::from_millis(4);

/// Waits until `probe` gives something; panics with `what` and the last complaint at the deadline.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(found) => return found,
            Err(why) if start.elapsed() > DEADLINE => panic!("waited in vain for {what}: {why}"),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Waits until `probe` is true; panics with `what` at the deadline.
pub fn wait_true(what: &str, mut probe: impl FnMut() -> bool) {
    wait_for(what, || {
        if probe() {
            Ok(())
        } else {
            Err("it is not so".to_owned())
        }
    });
}
