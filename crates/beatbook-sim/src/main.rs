//! `beatbook-sim`: runs seeds, one seed with its story, or seeds against planted bugs. `cargo xtask sim` builds and runs it.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use beatbook_sim::check::{INVARIANTS, Standing};
use beatbook_sim::fault::{FaultKind, NOT_YET};
use beatbook_sim::matrix::{Cell, Matrix, plan_of};
use beatbook_sim::plan::{Overrides, Plan, Size};
use beatbook_sim::planted::{self, Hunt};
use beatbook_sim::regression::{self, Regression};
use beatbook_sim::run::{self, Campaign};
use beatbook_sim::shrink::shrink;
use beatbook_sim::story::Story;
use beatbook_sim::summary::{Summary, grouped};
use clap::Parser;

fn main() -> ExitCode {
    let args = Args::parse();
    // A world that panics says so in its violation; the text on the terminal would bury it.
    std::panic::set_hook(Box::new(|_| {}));
    let sound = if args.list_faults {
        list_faults();
        true
    } else if args.list_invariants {
        list_invariants();
        true
    } else if args.matrix {
        matrix(&args)
    } else if let (true, Some(seed)) = (args.planted, args.seed) {
        one_planted(&args, seed)
    } else if args.planted {
        planted_bugs(&args)
    } else if let Some(seed) = args.seed {
        one(&args, Plan::from_seed(seed, args.size).with(&args.overrides()))
    } else {
        many(&args)
    };
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Simulates devices, a server, disks, links and clocks with faults, and checks every invariant
///
/// A seed decides everything: who works where, what is written, what goes wrong and when. Small worlds have 1 to 5 devices
/// and 3 device-days in the mean; a device-day is one shift of one device. Under faults only safety is asked; then the world
/// heals, and everyone has to come to the same within ten simulated minutes.
#[derive(Parser)]
#[command(
    name = "beatbook-sim",
    bin_name = "cargo xtask sim",
    after_help = "Examples:\n  cargo xtask sim --seeds 2000\n  cargo xtask sim --seeds 300 --size large --start 500000\n  cargo xtask sim --seed 7\n  cargo xtask sim --planted\n  cargo xtask sim --matrix\n  cargo xtask sim --matrix --cell 'device cloned, server restored' --seed 1\n\nA failing seed is made smaller and told as a story; keep it as a file in crates/beatbook-sim/regressions."
)]
struct Args {
    /// Run so many seeds: 200, or 3 of each cell of the restore matrix
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// Run this seed alone and tell its story
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// How large the worlds are: `small` (1 to 5 devices, 1 to 2 days) or `large` (20 to 40 devices, 3 to 7 days)
    #[arg(long, default_value = "small", value_parser = size)]
    size: Size,
    /// Worlds at once
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Run every so many seeds twice, and compare the traces; 0 for none
    #[arg(long, default_value_t = 10)]
    twice_every: u64,
    /// Stop after so many failing seeds; 0 to run all
    #[arg(long, default_value_t = 10)]
    failing_max: u64,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Lines of a story that are shown
    #[arg(long, default_value_t = 120)]
    lines: usize,
    /// Keep so many devices
    #[arg(long)]
    devices: Option<usize>,
    /// Keep so many days
    #[arg(long)]
    days: Option<u32>,
    /// Stop work and faults after so many events
    #[arg(long)]
    events: Option<u64>,
    /// Entries of a device on a day, median; a real late turn has 118
    #[arg(long)]
    entries: Option<u64>,
    /// Without these kinds of fault, parted by commas
    #[arg(long, value_parser = regression::kinds_or_refuse)]
    without: Option<regression::Kinds>,
    /// With these kinds of fault alone, parted by commas; `none` for no fault
    #[arg(long, value_parser = regression::kinds_or_refuse)]
    only: Option<regression::Kinds>,
    /// Let faults destroy journal and server copy of one entry: loss is allowed and has to be told
    #[arg(long)]
    atlas_off: bool,
    /// Play the restore matrix: every cell under a few seeds, with work and faults around it
    #[arg(long)]
    matrix: bool,
    /// With --matrix: the cells whose name holds these words; with --seed as well, the story of the first
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    cell: String,
    /// Let everyone work on the same few records, so that changes meet
    #[arg(long)]
    shared: bool,
    /// Let apps go on after their store has failed, until they are started again
    #[arg(long)]
    goes_on: bool,
    /// Plant each known defect, and run seeds until it is found (needs a build with --cfg planted_bugs)
    #[arg(long)]
    planted: bool,
    /// With --planted: these defects alone, parted by commas; with --seed as well, the story of that seed under the first
    #[arg(long, value_delimiter = ',')]
    bugs: Vec<String>,
    /// With --planted and --seed: the same world without the defect
    #[arg(long)]
    sound: bool,
    /// With --planted: most seeds for one defect
    #[arg(long, default_value_t = 100)]
    seeds_max: u64,
    /// List the kinds of fault, and those that do not apply yet
    #[arg(long)]
    list_faults: bool,
    /// List the invariants, who asks them, and those that do not apply yet
    #[arg(long)]
    list_invariants: bool,
}

impl Args {
    fn overrides(&self) -> Overrides {
        Overrides {
            devices_max: self.devices,
            days_max: self.days,
            without: self.without.clone().unwrap_or_default().0,
            only: self.only.clone().map(|kinds| kinds.0),
            events_max: self.events,
            entries_per_day: self.entries,
            atlas_off: self.atlas_off,
            shared: self.shared,
            goes_on: self.goes_on,
        }
    }
}

fn size(word: &str) -> Result<Size, String> {
    match word {
        "small" => Ok(Size::Small),
        "large" => Ok(Size::Large),
        _ => Err("say `small` or `large`".into()),
    }
}

/// The cells asked for, under some seeds; with one seed, the first of them and its story.
fn matrix(args: &Args) -> bool {
    let named = |cell: &Cell| cell.name().contains(&args.cell);
    let cells: Vec<Cell> = Cell::all().into_iter().filter(named).collect();
    let Some(first) = cells.first() else {
        eprintln!(
            "error: no cell is called `{}`: docs/restore-matrix.md has their words, such as `device cloned, server restored`",
            args.cell
        );
        return false;
    };
    if let Some(seed) = args.seed {
        return one(args, plan_of(*first, seed));
    }
    let matrix = Matrix {
        cells,
        start: args.start,
        seeds: args.seeds.unwrap_or(SEEDS_OF_A_CELL),
        threads: args.threads,
        failing_max: usize::try_from(args.failing_max).unwrap_or(usize::MAX),
    };
    let played = matrix.play(&|worlds, failing| {
        if worlds.is_multiple_of(200) {
            eprintln!("{} worlds, {failing} failing", grouped(worlds));
        }
    });
    if args.json {
        println!("{:#}", played.json());
        println!("{}", played.line());
        return played.is_sound();
    }
    if let Some((cell, seed, violation)) = played.failing.first() {
        let mut story = Story::of(args.lines);
        run::one(&plan_of(*cell, *seed), &mut [&mut story]);
        println!("{}, seed {seed}:", cell.name());
        print!("{story}");
        println!("BROKEN {violation}");
    }
    println!("{played}");
    played.is_sound()
}

fn many(args: &Args) -> bool {
    let seeds = args.seeds.unwrap_or(SEEDS);
    let campaign = Campaign {
        start: args.start,
        seeds,
        size: args.size,
        overrides: args.overrides(),
        threads: args.threads,
        twice_every: args.twice_every,
        failing_max: args.failing_max,
    };
    let shown = AtomicU64::new(0);
    let live = std::io::stderr().is_terminal();
    let summary = campaign.run(&|summary: &Summary| {
        let every = if live { 10 } else { 200 };
        if summary.seeds >= shown.load(Ordering::Relaxed) + every {
            shown.store(summary.seeds, Ordering::Relaxed);
            let (now, failing) = (summary.seeds, summary.failing.len());
            let end = if live { "\r" } else { "\n" };
            eprint!(
                "{} of {} seeds, {failing} failing{end}",
                grouped(now),
                grouped(seeds)
            );
            let _ = std::io::stderr().flush();
        }
    });
    if args.json {
        println!("{:#}", summary.json());
        println!("{}", summary.line());
        return summary.is_sound();
    }
    if let Some((seed, _)) = summary.failing.first() {
        tell(args, *seed);
    }
    println!("{summary}");
    summary.is_sound()
}

/// One seed as the hunt runs it, with its story.
fn one_planted(args: &Args, seed: u64) -> bool {
    match planted::plant(&hunt_of(args), seed, args.sound) {
        Ok(plan) => one(args, plan),
        Err(error) => {
            eprintln!("error: {error}");
            false
        }
    }
}

/// One world, with its story.
fn one(args: &Args, plan: Plan) -> bool {
    println!("{plan}");
    let mut story = Story::of(args.lines);
    let outcome = run::one(&plan, &mut [&mut story]);
    print!("{story}");
    let mut summary = Summary::new(args.size);
    summary.add(&outcome);
    println!("trace hash {:016x}", outcome.hash);
    if let Some(violation) = outcome.violation() {
        println!("BROKEN {violation}");
    }
    println!("{}", summary.line());
    summary.is_sound()
}

/// Makes a failing seed smaller, tells its story, and says how to repeat and to keep it.
fn tell(args: &Args, seed: u64) {
    let Some(shrunk) = shrink(seed, args.size, &args.overrides(), SHRINK_WORLDS_MAX) else {
        println!("seed {seed} did not fail again");
        return;
    };
    println!(
        "seed {seed}, made smaller over {} worlds: {}",
        shrunk.worlds, shrunk.plan
    );
    let mut story = Story::of(args.lines);
    run::one(&shrunk.plan, &mut [&mut story]);
    print!("{story}");
    println!("BROKEN {}", shrunk.violation);
    let kept = Regression {
        seed,
        size: args.size,
        overrides: shrunk.overrides,
        was: shrunk.violation.to_string(),
    };
    println!("repeat it:  cargo xtask sim {}", kept.arguments());
    println!("keep it, as crates/beatbook-sim/regressions/{seed}.txt:");
    for line in kept.to_string().lines() {
        println!("    {line}");
    }
}

fn hunt_of(args: &Args) -> Hunt {
    Hunt {
        bugs: args.bugs.clone(),
        start: args.start,
        seeds_max: args.seeds_max,
        threads: args.threads,
        overrides: args.overrides(),
    }
}

fn planted_bugs(args: &Args) -> bool {
    match planted::hunt(&hunt_of(args), &|trophy| println!("{trophy}")) {
        Ok(hunted) => {
            if args.json {
                println!("{:#}", hunted.json());
            }
            println!("{}", hunted.line());
            hunted.is_whole()
        }
        Err(error) => {
            eprintln!("error: {error}");
            false
        }
    }
}

fn list_faults() {
    for kind in FaultKind::ALL {
        println!("{:<20} {:<9?} {}", kind.name(), kind.subject(), kind.sentence());
    }
    println!("\nNot applicable yet:");
    for fault in NOT_YET {
        println!("{:?}: {}: {}", fault.subject, fault.name, fault.reason);
    }
    println!(
        "{} kinds of fault, {} that do not apply yet",
        FaultKind::ALL.len(),
        NOT_YET.len()
    );
}

fn list_invariants() {
    let mut asked = 0;
    for invariant in INVARIANTS {
        let how = match invariant.standing {
            Standing::Asked(_) => {
                asked += 1;
                String::new()
            }
            Standing::Same(other) => {
                asked += 1;
                format!(" (asked as {other})")
            }
            Standing::NotYet(reason) => format!(" NOT YET: {reason}"),
        };
        println!("{:<9} {}{how}", invariant.name, invariant.sentence);
    }
    println!("{asked} of {} invariants are asked", INVARIANTS.len());
}

/// Seeds where none are asked for.
const SEEDS: u64 = 200;
const SEEDS_OF_A_CELL: u64 = 3;
/// Most worlds run to make a failing one smaller.
const SHRINK_WORLDS_MAX: u64 = 60;
