//! What the kills came to: counts per side and moment, as a table, as JSON, and as a line. A loss is no figure: it ends
//! the round with what was lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

/// Counts over rounds.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Rounds that came to their end.
    pub(super) rounds: u64,
    /// Rounds that found something wrong.
    pub(super) failed: u64,
    /// Kills by victim and moment.
    pub(super) kills: BTreeMap<(&'static str, &'static str), u64>,
    /// Entries that a program had told of before it, or its device, was killed.
    pub(super) acknowledged: u64,
    /// Writes that were under way when the device was killed and are there all the same.
    pub(super) unheard: u64,
    /// Writes that were under way when the device was killed and left nothing.
    pub(super) dropped: u64,
    /// Kills of a process that had not said yet that it was ready.
    pub(super) while_opening: u64,
    /// Kills of a device with entries that had no receipt.
    pub(super) while_pending: u64,
    /// Backups that were being made when the server was killed, and are whole.
    pub(super) backups_whole: u64,
    /// The same, and there is none.
    pub(super) backups_none: u64,
    /// Times that everything on the device was read.
    pub(super) readings: u64,
    /// Times that the server was asked, before the device could mend anything, for what the device showed as safe.
    pub(super) proofs: u64,
    /// Entries shown as safe that were so asked for.
    pub(super) proved: u64,
}

impl Figures {
    /// Counts a kill.
    pub(super) fn kill(&mut self, victim: &'static str, moment: &'static str) {
        *self.kills.entry((victim, moment)).or_default() += 1;
    }

    /// Adds those of another round.
    pub(super) fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.failed += other.failed;
        for (at, count) in &other.kills {
            *self.kills.entry(*at).or_default() += count;
        }
        self.acknowledged += other.acknowledged;
        self.unheard += other.unheard;
        self.dropped += other.dropped;
        self.while_opening += other.while_opening;
        self.while_pending += other.while_pending;
        self.backups_whole += other.backups_whole;
        self.backups_none += other.backups_none;
        self.readings += other.readings;
        self.proofs += other.proofs;
        self.proved += other.proved;
    }

    /// Kills in all.
    pub(super) fn kills(&self) -> u64 {
        self.kills.values().sum()
    }

    /// True where every round came to its end.
    pub(super) fn passed(&self) -> bool {
        self.failed == 0 && self.rounds > 0
    }

    /// How far it is.
    pub(super) fn so_far(&self) -> String {
        format!(
            "{} kills, {} entries acknowledged",
            self.kills(),
            self.acknowledged
        )
    }

    /// The last line.
    pub(super) fn summary(&self) -> String {
        let (kills, acknowledged) = (self.kills(), self.acknowledged);
        if self.passed() {
            format!(
                "{kills} kills, {acknowledged} entries acknowledged, 0 lost, 0 twice, 0 gaps, {} safe entries proved at the server, 0 failing rounds of {}",
                self.proved, self.rounds
            )
        } else {
            format!(
                "FAILED: {} of {} rounds found something wrong ({kills} kills, {acknowledged} entries acknowledged)",
                self.failed,
                self.rounds + self.failed
            )
        }
    }

    /// The kills by victim and moment, and the counts.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, count: u64| {
            let _ = writeln!(text, "{name:<64} {count:>8}");
        };
        for ((victim, moment), count) in &self.kills {
            line(&format!("kills of {victim}, {moment}"), *count);
        }
        for (name, count) in self.counts() {
            line(name, count);
        }
        text.trim_end().to_owned()
    }

    /// The figures as the page of reliability reads them.
    pub(super) fn json(&self, command: &str, seconds: u64) -> Value {
        let mut figures = serde_json::Map::new();
        for (name, count) in self.counts() {
            figures.insert(name.to_owned(), count.into());
        }
        let rows: Vec<Value> = self
            .kills
            .iter()
            .map(|((victim, moment), count)| json!([victim, moment, count]))
            .collect();
        json!({
            "name": "kills",
            "command": command,
            "passed": self.passed(),
            "seconds": seconds,
            "summary": self.summary(),
            "figures": figures,
            "tables": [{ "title": "kills", "columns": ["victim", "moment", "kills"], "rows": rows }],
        })
    }

    fn counts(&self) -> [(&'static str, u64); 12] {
        [
            ("kills", self.kills()),
            (
                "kills of a process that was still opening its store",
                self.while_opening,
            ),
            (
                "kills of a device with entries not receipted yet",
                self.while_pending,
            ),
            ("entries acknowledged", self.acknowledged),
            ("writes cut by a kill, there all the same", self.unheard),
            ("writes cut by a kill, not there", self.dropped),
            (
                "backups under way that were whole, and restored",
                self.backups_whole,
            ),
            ("backups under way of which nothing was left", self.backups_none),
            ("readings of the whole device", self.readings),
            ("askings of the server before the device came back", self.proofs),
            ("entries shown as safe and so found at the server", self.proved),
            ("rounds that failed", self.failed),
        ]
    }
}
