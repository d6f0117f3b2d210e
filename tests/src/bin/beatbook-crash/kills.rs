//! SIGKILL, again and again: a device that writes and syncs and the server that it syncs with are killed at random
//! moments and at chosen calls, one of them or both, and started again. Looked at from outside only: what the programs
//! told, and what they show afterwards. Real programs, real folders, QUIC over loopback.
//!
//! The kills are dealt out over rounds; each has a force of its own, so that stores stay small and rounds run side by side.

mod backup;
mod figures;
mod round;
mod shown;

use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use beatbook_tests::Seed;

use figures::Figures;
use round::Round;

/// Arguments of `kills`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How many SIGKILLs in all.
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u64,
    /// Where the randomness comes from; drawn and told if left out. The moments of a machine are its own: a seed
    /// repeats what is killed and when, not what the program was doing then.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Rounds that run side by side.
    #[arg(long, value_name = "T", default_value_t = 2)]
    threads: u64,
    /// Only this round of the seed.
    #[arg(long, value_name = "R")]
    round: Option<u64>,
    /// Also write the figures there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the kills; prints the figures, and the summary as the last line.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let seed = arguments.seed.unwrap_or_else(|| Seed::drawn().first());
    let rounds = arguments.kills.div_ceil(KILLS_A_ROUND).max(1);
    let dealt = |round: u64| KILLS_A_ROUND.min(arguments.kills.saturating_sub(round * KILLS_A_ROUND));
    let chosen: Vec<u64> = match arguments.round {
        Some(round) => vec![round],
        None => (0..rounds).collect(),
    };
    let next = AtomicU64::new(0);
    let total = Mutex::new(Figures::default());
    let lane = || {
        while let Some(round) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
            .ok()
            .and_then(|at| chosen.get(at))
        {
            let kills = if arguments.round.is_some() {
                KILLS_A_ROUND
            } else {
                dealt(*round)
            };
            let ended =
                panic::catch_unwind(|| Round::new(Seed::of(seed ^ (round + 1).rotate_left(32))).run(kills));
            let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match ended {
                Ok(figures) => total.add(&figures),
                Err(_) => {
                    // The panic has said what was wrong, with all that the programs had said.
                    eprintln!(
                        "round {round} failed; to repeat it: {} --round {round}",
                        command(arguments, seed)
                    );
                    total.failed += 1;
                }
            }
            eprintln!(
                "{} of {} rounds, {}",
                total.rounds + total.failed,
                chosen.len(),
                total.so_far()
            );
        }
    };
    thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(lane);
        }
    });
    let total = total
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let repeat = command(arguments, seed);
    println!("{}", total.table());
    if let Some(path) = &arguments.json {
        let object = total.json(&repeat, start.elapsed().as_secs());
        if let Err(error) = std::fs::write(path, format!("{object:#}\n")) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    println!("to repeat it: {repeat}");
    println!("{}", total.summary());
    if total.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn command(arguments: &Arguments, seed: u64) -> String {
    format!("cargo xtask crash --kills {} --seed {seed}", arguments.kills)
}

/// After so many a new force begins.
const KILLS_A_ROUND: u64 = 25;
