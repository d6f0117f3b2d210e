//! The plan of a world: everything that a seed decides before the first event.
//!
//! A plan shrinks: [`Overrides`] takes devices, days and kinds of fault away and ends a world early. What is left
//! draws from the same streams as before, so that a smaller world is a part of the larger one as far as can be.
//!
//! ```
//! use beatbook_sim::plan::{Overrides, Plan, Size};
//! let plan = Plan::from_seed(7, Size::Small);
//! assert_eq!(plan, Plan::from_seed(7, Size::Small));
//! let smaller = plan.clone().with(&Overrides { devices_max: Some(1), ..Overrides::default() });
//! assert_eq!(smaller.devices, plan.devices[..1]);
//! ```

use std::collections::BTreeSet;
use std::fmt;

use crate::fault::FaultKind;
use crate::matrix::Cell;
use crate::random::Random;

/// How large a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 20 to 40 enrolments, 3 to 7 days.
    Large,
    /// 1 to 5 enrolments, 1 to 2 days: 3 device-days in the mean.
    Small,
}

/// Everything that a seed decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How large the world is.
    pub size: Size,
    /// The beats of the force, such as `52/C02`.
    pub beats: Vec<String>,
    /// The officers.
    pub officers: Vec<OfficerPlan>,
    /// The devices: one enrolment each.
    pub devices: Vec<DevicePlan>,
    /// Days of shifts.
    pub days: u32,
    /// The kinds of fault in this world.
    pub faults: BTreeSet<FaultKind>,
    /// Mean simulated time from one fault to the next, minutes.
    pub fault_gap_min: u64,
    /// Entries of a device on a day, median. A real late turn has 118.
    pub entries_per_day: u64,
    /// Whether one acknowledged entry's journal and its server copy are never both destroyed. Without the rule, loss
    /// is allowed and has to be detected.
    pub atlas: bool,
    /// The cell of the restore matrix whose story is told in it.
    pub cell: Option<Cell>,
    /// Ends the world's faults and work after so many events; healing follows.
    pub events_max: Option<u64>,
    /// Everyone writes on the same few records, so that changes meet; else as on a real turn.
    pub shared: bool,
    /// Apps go on after their store has failed, until they are started again; else they end at once.
    pub goes_on: bool,
}

/// An officer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficerPlan {
    /// The role, such as `PCSO`.
    pub role: &'static str,
    /// The beats posted to, as indexes into [`Plan::beats`].
    pub beats: Vec<usize>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePlan {
    /// Whose it is, as an index into [`Plan::officers`].
    pub officer: usize,
    /// Signs as a phone's secure hardware does, with P-256; else Ed25519, which is quicker to simulate.
    pub p256: bool,
    /// Where it is carried.
    pub country: Country,
    /// Stays in session and is fed as things happen; else syncs now and then.
    pub live: bool,
    /// Bytes of entries in one run, before compression.
    pub run_bytes: usize,
    /// Minutes between sessions where it does not stay in one.
    pub rest_min: u64,
    /// The day on which it is first used.
    pub first_day: u32,
    /// It is away after its first shift: 4 days or 3 weeks.
    pub absent_days: u32,
    /// It runs a newer build, which writes what this one does not know.
    pub newer: bool,
}

/// What the coverage is like where a device is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Country {
    /// Gaps of minutes up to a whole shift.
    Rural,
    /// A laptop at a station.
    Station,
    /// Short gaps.
    Urban,
}

/// What is taken from a plan, to find the smallest world that still fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Keep so many devices.
    pub devices_max: Option<usize>,
    /// Keep so many days.
    pub days_max: Option<u32>,
    /// Without these kinds of fault.
    pub without: BTreeSet<FaultKind>,
    /// With these kinds of fault alone.
    pub only: Option<BTreeSet<FaultKind>>,
    /// Stop work and faults after so many events.
    pub events_max: Option<u64>,
    /// Another median of entries per day.
    pub entries_per_day: Option<u64>,
    /// Without the fault-atlas rule.
    pub atlas_off: bool,
    /// With everyone at work on the same few records.
    pub shared: bool,
    /// With apps that go on after their store has failed.
    pub goes_on: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn from_seed(seed: u64, size: Size) -> Self {
        let mut random = Random::new(seed, "plan");
        let (devices, days) = match size {
            Size::Small => (
                [1, 2, 3, 5][random.weighted(&[22, 42, 24, 12])],
                [1, 2][random.weighted(&[78, 22])],
            ),
            Size::Large => (random.between(20, 40) as usize, random.between(3, 7) as u32),
        };
        let beats = beats(devices);
        let officers = officers(&mut random, devices, beats.len());
        let mut plan = Self {
            seed,
            size,
            devices: (0..devices)
                .map(|index| device(seed, index, officers.len(), size))
                .collect(),
            beats,
            officers,
            days,
            faults: swarm(&mut random),
            fault_gap_min: [20, 60, 180][random.weighted(&[1, 2, 1])],
            entries_per_day: match size {
                Size::Small => random.between(20, 40),
                Size::Large => random.between(8, 24),
            },
            atlas: true,
            cell: None,
            events_max: None,
            shared: false,
            goes_on: false,
        };
        plan.forbid_together();
        plan
    }

    /// The world in which a cell of the restore matrix is played: a phone, a colleague's and a sergeant's desk, one day of
    /// light work, and a few faults that break off what is under way and harm nothing for good.
    pub fn of_cell(cell: Cell, seed: u64) -> Self {
        let mut random = Random::new(seed, "plan of a cell");
        let roles = [("PCSO", vec![0]), ("PCSO", vec![0, 1]), ("SGT", vec![0, 1])];
        let officers = roles.map(|(role, beats)| OfficerPlan { role, beats });
        let wanted = [0, 2, 4][random.weighted(&[1, 3, 2])];
        let mut faults = BTreeSet::new();
        while faults.len() < wanted {
            faults.extend(random.choose(&AROUND_A_CELL));
        }
        Self {
            seed,
            size: Size::Small,
            beats: beats(3),
            devices: (0..3).map(|index| device(seed, index, 3, Size::Small)).collect(),
            officers: officers.into(),
            days: 1,
            faults,
            fault_gap_min: random.between(15, 60),
            entries_per_day: random.between(6, 14),
            // What nobody holds any more when both go back is gone, and told; everything else is looked for.
            atlas: false,
            cell: Some(cell),
            shared: false,
            goes_on: false,
            events_max: None,
        }
    }

    /// The plan with something taken away.
    pub fn with(mut self, overrides: &Overrides) -> Self {
        if let Some(most) = overrides.devices_max {
            self.devices.truncate(most.max(1));
        }
        if let Some(most) = overrides.days_max {
            self.days = self.days.min(most).max(1);
        }
        if let Some(only) = &overrides.only {
            self.faults.clone_from(only);
        }
        self.faults.retain(|kind| !overrides.without.contains(kind));
        if let Some(entries) = overrides.entries_per_day {
            self.entries_per_day = entries;
        }
        self.events_max = overrides.events_max.or(self.events_max);
        self.shared |= overrides.shared;
        self.goes_on |= overrides.goes_on;
        if overrides.atlas_off {
            self.atlas = false;
            // A disk that lies belongs to this mode alone.
            if Random::new(self.seed, "atlas-off").percent(50) {
                self.faults.insert(FaultKind::LyingSync);
            }
        }
        self
    }

    /// The plan with at least so many devices, each of an officer of its own as far as the proportions go.
    pub fn with_devices(mut self, least: usize) -> Self {
        if self.devices.len() < least {
            let mut random = Random::new(self.seed, "more officers");
            self.officers = officers(&mut random, least, self.beats.len());
            self.devices = (0..least)
                .map(|index| device(self.seed, index, self.officers.len(), self.size))
                .collect();
        }
        self
    }

    /// True if a kind of fault is in this world.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.faults.contains(&kind)
    }

    /// Device-days: shifts that are worked.
    pub fn device_days(&self) -> u64 {
        let worked = |device: &DevicePlan| u64::from(self.days.saturating_sub(device.first_day).max(1));
        self.devices.iter().map(worked).sum()
    }

    /// Events after which the world is not one that comes to rest: many times what its work, its faults and its healing
    /// take. Copies and devices enrolled later work as well, and those that are not admitted go on asking.
    pub fn events_bound(&self, devices: usize) -> u64 {
        let more = devices.saturating_sub(self.devices.len()) as u64 * u64::from(self.days);
        EVENTS_FREE + EVENTS_PER_DEVICE_DAY * (self.device_days() + more)
    }

    /// The fault-atlas rule and the second mode draw on different faults.
    fn forbid_together(&mut self) {
        self.faults.remove(&FaultKind::LyingSync);
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {} ({}): {} devices of {} officers on {} beats, {} days of {} entries; faults every {} min:",
            self.seed,
            self.size,
            self.devices.len(),
            self.officers.len(),
            self.beats.len(),
            self.days,
            self.entries_per_day,
            self.fault_gap_min
        )?;
        for kind in &self.faults {
            write!(f, " {}", kind.name())?;
        }
        if self.shared {
            f.write_str(" (on the same few records)")?;
        }
        if self.goes_on {
            f.write_str(" (apps go on after a failure)")?;
        }
        if let Some(cell) = self.cell {
            return write!(f, "; {}", cell.name());
        }
        if !self.atlas {
            f.write_str(" (fault-atlas rule off)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Large => "large",
            Self::Small => "small",
        })
    }
}

fn beats(devices: usize) -> Vec<String> {
    let beats = (devices / 4).clamp(2, 6);
    (0..beats).map(|beat| format!("52/C{:02}", beat + 1)).collect()
}

/// About five officers for six devices: some have a phone and a laptop. Every fourth is a sergeant.
fn officers(random: &mut Random, devices: usize, beats: usize) -> Vec<OfficerPlan> {
    let count = (devices * 5 / 6).max(1);
    (0..count)
        .map(|index| {
            let role = match index % 4 {
                1 if random.percent(70) => "SGT",
                3 if random.percent(20) => "INSP",
                _ => "PCSO",
            };
            let posted = if role == "PCSO" {
                random.between(1, 2)
            } else {
                beats as u64
            };
            let first = random.below(beats as u64) as usize;
            let mut posted: Vec<usize> = (0..posted as usize).map(|step| (first + step) % beats).collect();
            posted.sort_unstable();
            posted.dedup();
            OfficerPlan { role, beats: posted }
        })
        .collect()
}

fn device(seed: u64, index: usize, officers: usize, size: Size) -> DevicePlan {
    let mut random = Random::indexed(seed, "device", index as u64);
    let (late, absent) = match size {
        Size::Small => (0, random.weighted(&[94, 4, 2])),
        Size::Large => (random.below(3) as u32, random.weighted(&[80, 16, 4])),
    };
    DevicePlan {
        // The last devices are second ones of the first officers.
        officer: index % officers,
        p256: random.percent(15),
        country: [Country::Rural, Country::Urban, Country::Station][random.weighted(&[4, 4, 2])],
        live: random.percent(60),
        run_bytes: [1 << 10, 16 << 10, 192 << 10][random.weighted(&[2, 2, 3])],
        rest_min: random.between(10, 120),
        first_day: late,
        absent_days: [0, 4, 21][absent],
        newer: random.percent(20),
    }
}

/// Swarm testing: a world carries few kinds of fault, so that each gets room and rare pairs meet.
fn swarm(random: &mut Random) -> BTreeSet<FaultKind> {
    let wanted = [0, 3, 6, 10, 16][random.weighted(&[4, 24, 36, 24, 12])];
    let mut kinds = BTreeSet::new();
    while kinds.len() < wanted {
        kinds.extend(random.choose(&FaultKind::ALL));
    }
    kinds
}

/// Faults around a cell: they break off what is under way, and leave every store what it was.
const AROUND_A_CELL: [FaultKind; 22] = [
    FaultKind::BandwidthCap,
    FaultKind::BurstLoss,
    FaultKind::CancelledSession,
    FaultKind::ClockJumpBack,
    FaultKind::ClockJumpForward,
    FaultKind::ClockSkew,
    FaultKind::Delay,
    FaultKind::Duplication,
    FaultKind::KillAtOp,
    FaultKind::KillInRecovery,
    FaultKind::KillInWrite,
    FaultKind::LoseUnsynced,
    FaultKind::LostAck,
    FaultKind::PartitionBoth,
    FaultKind::Rebind,
    FaultKind::Reorder,
    FaultKind::ReorderUnsynced,
    FaultKind::StatelessReset,
    FaultKind::StreamReset,
    FaultKind::TornWrite,
    FaultKind::UniformLoss,
    FaultKind::UnknownContent,
];
/// Events of any world, however small: healing takes rounds whether anybody worked or not.
const EVENTS_FREE: u64 = 20_000;
/// Events that a device-day can give rise to at the very most.
const EVENTS_PER_DEVICE_DAY: u64 = 12_000;

/// When every world begins: Monday 23 March 2026, 00:00 UTC, six days before the clocks change.
pub const BEGINS_AT_MS: i64 = 1_774_224_000_000;

#[cfg(test)]
mod tests;
