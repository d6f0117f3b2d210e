//! Plays cells, each in a few worlds, and says of each how many were sound.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::{Cell, DeviceSide, Moment, ServerSide};
use crate::observe::Violation;
use crate::plan::{Plan, Size};
use crate::run::{self, Outcome};
use crate::summary::{Summary, grouped};

/// Cells to be played.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Which.
    pub cells: Vec<Cell>,
    /// The first seed of each.
    pub start: u64,
    /// Worlds of each.
    pub seeds: u64,
    /// Worlds at once.
    pub threads: usize,
    /// Stop after so many failing worlds; 0 to play all.
    pub failing_max: usize,
}

/// What came of them.
#[derive(Clone, Debug)]
pub struct Played {
    /// The cells, each with the worlds played and those that were sound.
    pub cells: Vec<(Cell, u64, u64)>,
    /// Worlds in which something broke.
    pub failing: Vec<(Cell, u64, Violation)>,
    /// Figures added up.
    pub summary: Summary,
}

/// The world of a cell under a seed. The seeds of two cells draw apart.
pub fn plan_of(cell: Cell, seed: u64) -> Plan {
    let place = Cell::all().iter().position(|other| *other == cell).unwrap_or(0);
    Plan::of_cell(cell, seed * CELLS_APART + place as u64)
}

impl Matrix {
    /// Plays every cell under each of its seeds, and tells `progress` how many worlds are done, and how many failed.
    pub fn play(&self, progress: &(dyn Fn(u64, usize) + Sync)) -> Played {
        let next = AtomicUsize::new(0);
        let worlds = self.cells.len() * self.seeds as usize;
        let played = Mutex::new(Played {
            cells: self.cells.iter().map(|cell| (*cell, 0, 0)).collect(),
            failing: Vec::new(),
            summary: Summary::new(Size::Small),
        });
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        // The first seed of every cell before the second of any.
                        let place = at % self.cells.len().max(1);
                        let Some(cell) = self.cells.get(place).filter(|_| at < worlds) else {
                            return;
                        };
                        let seed = self.start + (at / self.cells.len()) as u64;
                        let outcome = run::one(&plan_of(*cell, seed), &mut []);
                        let mut played = played.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        played.add(place, seed, &outcome);
                        progress(played.summary.seeds, played.failing.len());
                        if self.failing_max > 0 && played.failing.len() >= self.failing_max {
                            next.store(worlds, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut played = played
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        played.failing.sort_by_key(|(cell, seed, _)| (cell.name(), *seed));
        played
    }
}

impl Played {
    fn add(&mut self, place: usize, seed: u64, outcome: &Outcome) {
        if let Some((cell, worlds, sound)) = self.cells.get_mut(place) {
            *worlds += 1;
            match outcome.violation() {
                Some(violation) => self.failing.push((*cell, seed, violation)),
                None => *sound += 1,
            }
        }
        self.summary.add(outcome);
    }

    /// True if nothing broke, and every cell was played.
    pub fn is_sound(&self) -> bool {
        self.failing.is_empty() && self.cells.iter().all(|(_, worlds, _)| *worlds > 0)
    }

    /// The last line.
    pub fn line(&self) -> String {
        let of = |names: &[&str]| {
            let broke =
                |violation: &Violation| names.iter().any(|name| violation.invariant.starts_with(name));
            self.failing
                .iter()
                .filter(|(_, _, violation)| broke(violation))
                .count()
        };
        let played = self.cells.iter().filter(|(_, worlds, _)| *worlds > 0).count();
        format!(
            "{played} cells, {} worlds, {} faults, {} entries written, {} lost, {} dots reused, {} silent forks, {} failing",
            grouped(self.summary.seeds),
            grouped(self.summary.total.faults.values().sum()),
            grouped(self.summary.total.written),
            self.summary.lost(),
            of(REUSED),
            of(FORKED),
            self.failing.len(),
        )
    }

    /// The figures as JSON, as `cargo xtask reliability` reads them: members are figures, lists are tables.
    pub fn json(&self) -> Value {
        let total = &self.summary.total;
        let failing = self.failing.iter().map(|(cell, seed, violation)| {
            json!({"cell": cell.name(), "seed": seed, "invariant": violation.invariant, "what": violation.what})
        });
        let faults: Map<String, Value> = total
            .faults
            .iter()
            .map(|(kind, times)| (kind.name().to_owned(), (*times).into()))
            .collect();
        let rows = rows().map(|(device, server)| {
            let mut row = Map::new();
            let sides = format!("{}, {}", device.name(), server.name());
            row.insert("device, server".to_owned(), sides.into());
            for moment in Moment::ALL {
                row.insert(
                    moment.name().to_owned(),
                    self.sound(device, server, moment).into(),
                );
            }
            Value::Object(row)
        });
        json!({
            "cells": self.cells.len(),
            "worlds": self.summary.seeds,
            "failing": failing.collect::<Vec<Value>>(),
            "written": total.written,
            "receipted": total.receipted,
            "sessions": total.sessions,
            "events": total.events,
            "gone with every holder": self.summary.destroyed,
            "core_seconds": self.summary.took_us as f64 / 1e6,
            "faults injected": faults,
            "sound worlds": rows.collect::<Vec<Value>>(),
        })
    }

    /// How many worlds of the cells of two sides and a moment were sound, of how many.
    fn sound(&self, device: DeviceSide, server: ServerSide, moment: Moment) -> String {
        let of = |cell: &Cell| cell.device == device && cell.server == server && cell.moment == moment;
        let of = self.cells.iter().filter(|(cell, ..)| of(cell));
        let (worlds, sound) = of.fold((0, 0), |sum, (_, worlds, sound)| (sum.0 + worlds, sum.1 + sound));
        match worlds {
            0 => "-".to_owned(),
            _ => format!("{sound} of {worlds}"),
        }
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = rows()
            .map(|(device, server)| device.name().len() + server.name().len() + 2)
            .max();
        let width = width.unwrap_or(0);
        for (at, moment) in (1..).zip(Moment::ALL) {
            writeln!(f, "({at}) {}", moment.name())?;
        }
        write!(f, "{:<width$}", "sound worlds of")?;
        (1..=Moment::ALL.len()).try_for_each(|at| write!(f, " {:>9}", format!("({at})")))?;
        writeln!(f)?;
        for (device, server) in rows() {
            write!(f, "{:<width$}", format!("{}, {}", device.name(), server.name()))?;
            for moment in Moment::ALL {
                write!(f, " {:>9}", self.sound(device, server, moment))?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "gone with every holder, and told: {} entries; core-minutes: {:.1}",
            grouped(self.summary.destroyed),
            self.summary.took_us as f64 / 60e6
        )?;
        for (cell, seed, violation) in &self.failing {
            writeln!(f, "FAILING {}: {violation}", cell.name())?;
            writeln!(
                f,
                "  repeat it: cargo xtask sim --matrix --cell '{}' --seed {seed}",
                cell.name()
            )?;
        }
        f.write_str(&self.line())
    }
}

/// Both sides, in the order of the page.
fn rows() -> impl Iterator<Item = (DeviceSide, ServerSide)> {
    let with = |device| ServerSide::ALL.into_iter().map(move |server| (device, server));
    DeviceSide::ALL.into_iter().flat_map(with)
}

/// Seeds of worlds are so far apart that no two cells share one.
const CELLS_APART: u64 = 1_000;
/// What invariants are called that tell of a number given twice.
const REUSED: &[&str] = &["sync 3:"];
/// And of a fork that nobody was told of.
const FORKED: &[&str] = &["recovery:", "a person is told"];
