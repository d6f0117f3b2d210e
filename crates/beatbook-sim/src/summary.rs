//! What a run reports: the figures of all its worlds, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use crate::ended::Ended;
use crate::fault::FaultKind;
use crate::mark::Mark;
use crate::observe::Violation;
use crate::open;
use crate::plan::Size;
use crate::run::Outcome;

/// The figures of many worlds.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How large the worlds are.
    pub size: Size,
    /// Worlds run.
    pub seeds: u64,
    /// Worlds that were run twice, to see that they repeat.
    pub twice: u64,
    /// Seeds that failed, with what broke.
    pub failing: Vec<(u64, Violation)>,
    /// Seeds that failed and are in the list of those known to, with what broke.
    pub known: Vec<(u64, Violation)>,
    /// True where worlds are run as their seeds make them, so that the list of known seeds applies.
    pub is_whole: bool,
    /// Figures added up; the violation of each world is in `failing`.
    pub total: Ended,
    /// How often each invariant was asked.
    pub asked: BTreeMap<&'static str, u64>,
    /// Acknowledged entries that faults alone destroyed at every holder.
    pub destroyed: u64,
    /// Microseconds of this machine, over all threads.
    pub took_us: u64,
    /// The slowest seed, and its microseconds.
    pub slowest: (u64, u64),
}

impl Summary {
    /// Nothing yet.
    pub fn new(size: Size) -> Self {
        Self {
            size,
            seeds: 0,
            twice: 0,
            failing: Vec::new(),
            known: Vec::new(),
            is_whole: false,
            total: Ended::default(),
            asked: BTreeMap::new(),
            destroyed: 0,
            took_us: 0,
            slowest: (0, 0),
        }
    }

    /// Counts one world in.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.twice += u64::from(outcome.twice);
        if let Some(violation) = outcome.violation() {
            let is_known = self.is_whole && open::known(self.size, outcome.seed).is_some();
            let list = if is_known {
                &mut self.known
            } else {
                &mut self.failing
            };
            list.push((outcome.seed, violation));
        }
        self.total.add(&outcome.ended);
        for (invariant, times) in &outcome.asked {
            *self.asked.entry(invariant).or_default() += times;
        }
        self.destroyed += outcome.destroyed;
        self.took_us += outcome.took_us;
        if outcome.took_us > self.slowest.1 {
            self.slowest = (outcome.seed, outcome.took_us);
        }
    }

    /// True if no seed failed but those that are known to.
    pub fn is_sound(&self) -> bool {
        self.failing.is_empty()
    }

    /// Seeds in which an acknowledged entry was lost.
    pub fn lost(&self) -> usize {
        let lost = |violation: &Violation| LOSSES.iter().any(|loss| violation.invariant.starts_with(loss));
        self.failing
            .iter()
            .chain(&self.known)
            .filter(|(_, violation)| lost(violation))
            .count()
    }

    /// Device-days for each minute of one core.
    pub fn device_days_per_core_minute(&self) -> f64 {
        self.total.device_days as f64 * 60e6 / (self.took_us.max(1) as f64)
    }

    /// The last line.
    pub fn line(&self) -> String {
        let marks = Mark::ALL.len() - self.total.marks.missed().len();
        format!(
            "{} seeds, {} fault kinds, {:.1} device-years, {} entries written, {} receipted, {} lost, {} failing, {} known to fail, {marks}/{} marks, {} run twice",
            grouped(self.seeds),
            self.total.faults.len(),
            self.total.device_days as f64 / 365.0,
            grouped(self.total.written),
            grouped(self.total.receipted),
            self.lost(),
            self.failing.len(),
            self.known.len(),
            Mark::ALL.len(),
            grouped(self.twice),
        )
    }

    /// The figures as JSON.
    pub fn json(&self) -> Value {
        let listed = |seeds: &[(u64, Violation)]| -> Vec<Value> {
            let told = |(seed, violation): &(u64, Violation)| json!({"seed": seed, "invariant": violation.invariant, "what": violation.what});
            seeds.iter().map(told).collect()
        };
        let faults: BTreeMap<&str, u64> = self
            .total
            .faults
            .iter()
            .map(|(kind, times)| (kind.name(), *times))
            .collect();
        let missed: Vec<String> = self
            .total
            .marks
            .missed()
            .iter()
            .map(|mark| format!("{mark:?}"))
            .collect();
        json!({
            "seeds": self.seeds,
            "size": self.size.to_string(),
            "failing": listed(&self.failing),
            "known_to_fail": listed(&self.known),
            "run_twice": self.twice,
            "simulated_hours": self.total.simulated_ms / 3_600_000,
            "device_days": self.total.device_days,
            "core_seconds": self.took_us as f64 / 1e6,
            "device_days_per_core_minute": self.device_days_per_core_minute(),
            "events": self.total.events,
            "sessions": self.total.sessions,
            "written": self.total.written,
            "receipted": self.total.receipted,
            "destroyed_by_faults_alone": self.destroyed,
            "faults": faults,
            "marks_missed": missed,
            "invariants_asked": self.asked,
            "slowest_seed": self.slowest.0,
            "slowest_seed_ms": self.slowest.1 / 1_000,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        writeln!(f, "faults injected:")?;
        for kind in FaultKind::ALL {
            if let Some(times) = total.faults.get(&kind) {
                writeln!(f, "  {:<20} {:>10}", kind.name(), grouped(*times))?;
            }
        }
        writeln!(f, "invariants asked:")?;
        for (invariant, times) in &self.asked {
            writeln!(f, "  {:<72} {:>12}", invariant, grouped(*times))?;
        }
        writeln!(f, "marks:")?;
        for mark in Mark::ALL {
            writeln!(
                f,
                "  {:<28} {:>10}",
                format!("{mark:?}"),
                grouped(total.marks.times(mark))
            )?;
        }
        writeln!(
            f,
            "simulated hours      {}",
            grouped(total.simulated_ms / 3_600_000)
        )?;
        writeln!(f, "device-days          {}", grouped(total.device_days))?;
        writeln!(f, "events               {}", grouped(total.events))?;
        writeln!(f, "sessions             {}", grouped(total.sessions))?;
        writeln!(
            f,
            "destroyed by faults  {} entries, at every holder",
            grouped(self.destroyed)
        )?;
        writeln!(f, "core-hours           {:.3}", self.took_us as f64 / 3.6e9)?;
        writeln!(
            f,
            "device-days a core-minute  {:.0}",
            self.device_days_per_core_minute()
        )?;
        writeln!(
            f,
            "slowest seed         {} ({} ms)",
            self.slowest.0,
            self.slowest.1 / 1_000
        )?;
        for (seed, violation) in &self.known {
            writeln!(f, "known to fail, seed {seed}: {violation}")?;
        }
        for (seed, violation) in &self.failing {
            writeln!(f, "FAILING seed {seed}: {violation}")?;
        }
        f.write_str(&self.line())
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut said = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

/// What invariants that tell of a loss are called.
const LOSSES: [&str; 4] = ["sync 1:", "sync 2:", "sync 5:", "trust 1:"];

#[cfg(test)]
mod tests;
