//! One round: a force, a phone that writes and syncs, a sergeant's desk that pulls, and kills.
//!
//! Panics with what is wrong: an acknowledged entry that is not there once, a number left out, an entry shown as safe that
//! the server has not, a program that panicked or does not come back.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use beatbook_tests::{Device, Force, LastCall, Running, Seed, Variables, wait_for};

use super::backup::Backup;
use super::figures::Figures;
use super::shown::{FIRST_NOTE, judge, judge_safe, number_of, numbers, safe_shown};

/// The state of a round.
pub(super) struct Round {
    seed: Seed,
    force: Force,
    phone: Device,
    desk: Device,
    /// `sync --watch` on the phone.
    watch: Option<Running>,
    /// A write under way: its word, and the command.
    writing: Option<(String, Running)>,
    /// A backup under way.
    backup: Option<Backup>,
    /// What the officer was told: word and entry number.
    told: BTreeMap<String, u64>,
    /// Writes that were cut: they may be there or not.
    cut: BTreeSet<String>,
    /// The highest entry of the book shown as safe.
    safe: u64,
    words: u64,
    figures: Figures,
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Both,
    Command,
    Device,
    Server,
}

/// When it is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after it was started, or the kill before.
    After(Duration),
    /// At a call of its own, counted from its start.
    At(LastCall),
    /// So long after it said that it was ready.
    Ready(Duration),
}

impl Moment {
    /// When it is over for one that never comes to its call.
    fn within(self) -> Duration {
        match self {
            Self::After(after) | Self::Ready(after) => after,
            Self::At(_) => LAST_CALL_WITHIN,
        }
    }
}

impl Round {
    /// A force with its server, a phone that has synced once, so that its book has its name, and a desk.
    pub(super) fn new(seed: Seed) -> Self {
        let force = Force::staffed();
        let (phone, desk) = (force.enrol("phone", "9123"), force.enrol("desk", "214"));
        let mut round = Self {
            seed,
            phone,
            desk,
            force,
            watch: None,
            writing: None,
            backup: None,
            told: BTreeMap::new(),
            cut: BTreeSet::new(),
            safe: 0,
            words: 0,
            figures: Figures::default(),
        };
        let word = round.word();
        round.phone.note(&word);
        round.phone.sync();
        let reference = round.phone.reference(&word);
        round.told.insert(word, number_of(&reference));
        round
    }

    /// Kills so many times, then lets everything heal, and compares.
    pub(super) fn run(mut self, kills: u64) -> Figures {
        // A command that is quicker than its kill is no kill.
        for attempt in 1..=kills * ATTEMPTS_A_KILL {
            if self.figures.kills() == kills {
                break;
            }
            let (victim, moment) = (self.victim(), self.moment());
            self.live_and_die(victim, moment);
            if attempt % KILLS_A_READING == 0 {
                self.read_device();
            }
        }
        self.heal();
        self.figures.rounds = 1;
        self.figures.acknowledged = self.told.len() as u64;
        self.figures
    }

    fn victim(&mut self) -> Victim {
        match self.seed.between(0, 100) {
            0..45 => Victim::Device,
            45..70 => Victim::Server,
            70..85 => Victim::Both,
            _ => Victim::Command,
        }
    }

    fn moment(&mut self) -> Moment {
        let after = Duration::from_millis(self.seed.between(20, 321));
        match self.seed.between(0, 100) {
            0..30 => return Moment::After(after),
            30..65 => return Moment::Ready(after),
            _ => {}
        }
        let call = ["fsync", "write", "write", "rename", "truncate", "unlink"][self.pick(6)];
        let places: &[&'static str] = match call {
            "write" => &["before", "inside", "after"],
            _ => &["before", "after"],
        };
        // Early calls are those of an opening; late ones come to few.
        let most = match call {
            "fsync" | "write" => 60,
            _ => 4,
        };
        let last = self.seed.between(1, most) + 1;
        Moment::At(LastCall {
            call,
            number: self.seed.between(1, last),
            place: places[self.pick(places.len())],
        })
    }

    fn pick(&mut self, among: usize) -> usize {
        usize::try_from(self.seed.between(0, among as u64)).expect("a small number")
    }

    /// Starts what does not run, writes until the moment, kills, and looks at what the dead had said.
    fn live_and_die(&mut self, victim: Victim, moment: Moment) {
        let staged = match moment {
            Moment::After(_) | Moment::Ready(_) => Variables::new(),
            Moment::At(call) => call.variables(),
        };
        if victim == Victim::Command {
            return self.command_dies(moment, staged);
        }
        // Who dies at a call of its own is started with the order to; otherwise whoever lives goes on living.
        if matches!(moment, Moment::At(_)) {
            match victim {
                Victim::Server => self.end_server(),
                _ => self.end_device(),
            }
        }
        let [server, device] = match victim {
            Victim::Server => [staged, Variables::new()],
            _ => [Variables::new(), staged],
        };
        self.begin(server, device);
        let ready = self.write_until(victim, moment);
        self.kill(victim, moment, ready);
        self.force.set_variables(Variables::new());
        if victim == Victim::Both {
            self.ask_server_first();
        }
    }

    /// Starts what does not run.
    fn begin(&mut self, server: Variables, device: Variables) {
        if !self.force.is_serving() {
            self.force.set_variables(server);
            self.force.begin_serving();
        }
        if self.watch.is_none() {
            let phone = self.phone.staged(device);
            self.watch = Some(Running::start(phone.command(&["sync", "--watch", "--json"])));
        }
    }

    /// Writes one note after the other until the moment; true if the victim had said by then that it was ready.
    fn write_until(&mut self, victim: Victim, moment: Moment) -> bool {
        let (mut end, mut next) = (Instant::now() + moment.within(), Instant::now());
        if let Moment::Ready(after) = moment {
            self.wait_for_victim(victim);
            end = Instant::now() + after;
        }
        self.wait_moment(end, |round| {
            round.take_written();
            if victim == Victim::Server && round.backup.is_none() && round.seed.chance(BACKUPS_PERMILLE) {
                round.backup = Some(Backup::begin(&round.force, round.words));
            }
            if round.writing.is_none() && Instant::now() >= next {
                round.begin_writing();
                next = Instant::now() + Duration::from_millis(round.seed.between(0, 30));
            }
            let dead = match victim {
                Victim::Server => round.force.server().ended(),
                _ => round.watch.as_mut().and_then(Running::ended),
            };
            dead.is_some()
        });
        match victim {
            Victim::Server => self.force.is_ready(),
            _ => self
                .watch
                .as_ref()
                .is_some_and(|watch| watch.stdout().contains("watching")),
        }
    }

    fn wait_for_victim(&mut self, victim: Victim) {
        if victim != Victim::Device {
            self.force.wait_serving();
        }
        if let Some(watch) = self.watch.as_mut().filter(|_| victim != Victim::Server) {
            watch.wait_said("watching");
        }
    }

    /// Looks again and again until the moment, or until `over` says so.
    fn wait_moment(&mut self, end: Instant, mut over: impl FnMut(&mut Self) -> bool) {
        while !over(self) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(1)));
        }
    }

    fn kill(&mut self, victim: Victim, moment: Moment, ready: bool) {
        let how = match moment {
            Moment::After(_) | Moment::Ready(_) => "at random",
            Moment::At(LastCall { place, .. }) => match victim {
                Victim::Server => self.by_itself_or(place, |round| round.force.server().ended().is_some()),
                _ => self.by_itself_or(place, |round| {
                    round.watch.as_mut().is_some_and(|watch| watch.ended().is_some())
                }),
            },
        };
        self.figures.while_opening += u64::from(!ready);
        if victim != Victim::Device {
            self.force.kill();
        }
        if let Some(backup) = self.backup.take() {
            let whole = backup.judge(&self.force);
            self.figures.backups_whole += u64::from(whole);
            self.figures.backups_none += u64::from(!whole);
        }
        if victim != Victim::Server {
            self.end_device();
        }
        let name = match victim {
            Victim::Both => "both at once",
            Victim::Command => "a command by itself",
            Victim::Device => "the device",
            Victim::Server => "the server",
        };
        self.figures.kill(name, how);
    }

    fn by_itself_or(&mut self, place: &'static str, ended: impl Fn(&mut Self) -> bool) -> &'static str {
        match (ended(self), place) {
            (false, _) => "at random",
            (true, "before") => "before a chosen call",
            (true, "inside") => "inside a chosen write",
            (true, _) => "after a chosen call",
        }
    }

    /// A command on a phone that nobody watches opens the store itself, and is killed.
    fn command_dies(&mut self, moment: Moment, staged: Variables) {
        self.end_device();
        self.begin_server();
        let phone = self.phone.staged(staged);
        let word = self.word();
        let writes = self.seed.chance(600);
        let command = if writes {
            phone.command(&["note", &word, "--beat", "C02"])
        } else {
            phone.command(&["sync"])
        };
        // Half of it: what a command does by itself is short.
        let end = Instant::now() + moment.within() / 2;
        let mut running = Running::start(command);
        let mut status = None;
        self.wait_moment(end, |_| {
            status = running.ended();
            status.is_some()
        });
        running.kill();
        Self::look_at(&running);
        let how = match (moment, status) {
            // It was quicker: nothing was killed.
            (_, Some(status)) if status.code().is_some() => None,
            (Moment::At(LastCall { place, .. }), Some(_)) => Some(match place {
                "before" => "before a chosen call",
                "inside" => "inside a chosen write",
                _ => "after a chosen call",
            }),
            _ => Some("at random"),
        };
        if let Some(how) = how {
            self.figures.kill("a command by itself", how);
        }
        if writes {
            self.take(word, &running);
        }
    }

    /// Both are dead: the server comes back first, and what the phone showed as safe is asked of it.
    fn ask_server_first(&mut self) {
        self.begin_server();
        self.force.wait_serving();
        let shown = numbers(&self.desk.pull());
        if let Err(wrong) = judge_safe(&shown, self.safe) {
            panic!("{wrong}");
        }
        self.figures.proofs += 1;
        self.figures.proved += self.safe.saturating_sub(FIRST_NOTE - 1);
    }

    fn begin_server(&mut self) {
        if !self.force.is_serving() {
            self.force.set_variables(Variables::new());
            self.force.begin_serving();
        }
    }

    /// Kills the server, if it runs.
    fn end_server(&mut self) {
        if self.force.is_serving() {
            self.force.kill();
        }
    }

    /// Kills whatever runs on the phone.
    fn end_device(&mut self) {
        if let Some(mut watch) = self.watch.take() {
            watch.kill();
            Self::look_at(&watch);
            let safe = safe_shown(&watch.stdout());
            self.figures.while_pending += u64::from(safe.max(self.safe) < self.last_told());
            self.safe = self.safe.max(safe);
        }
        if let Some((word, mut writing)) = self.writing.take() {
            writing.kill();
            Self::look_at(&writing);
            self.take(word, &writing);
        }
    }

    fn last_told(&self) -> u64 {
        self.told.values().copied().max().unwrap_or(0)
    }

    /// A program may be killed, and may fail when its holder was; it never panics.
    fn look_at(running: &Running) {
        assert!(!running.stderr().contains("panicked at"), "a panic: {running:?}");
    }

    fn begin_writing(&mut self) {
        let word = self.word();
        let command = self.phone.command(&["note", &word, "--beat", "C02"]);
        self.writing = Some((word, Running::start(command)));
    }

    /// Takes in a write that has come to its end.
    fn take_written(&mut self) {
        if let Some((word, mut writing)) = self.writing.take() {
            if writing.ended().is_some() {
                writing.wait_ended();
                Self::look_at(&writing);
                self.take(word, &writing);
            } else {
                self.writing = Some((word, writing));
            }
        }
    }

    /// A whole line with the reference is what the officer was told, however the command ended.
    fn take(&mut self, word: String, writing: &Running) {
        let said = writing.stdout();
        match said.split_once('\n') {
            Some((reference, _)) => {
                self.told.insert(word, number_of(reference.trim()));
            }
            None => {
                self.cut.insert(word);
            }
        }
    }

    /// Reads everything on the phone and compares it with what the officer was told.
    fn read_device(&mut self) {
        self.begin(Variables::new(), Variables::new());
        let held = numbers(&self.phone.list());
        self.compare(&held);
        self.figures.readings += 1;
    }

    fn compare(&self, held: &BTreeMap<u64, String>) {
        let mut cut = self.cut.clone();
        cut.extend(self.writing.as_ref().map(|(word, _)| word.clone()));
        if let Err(wrong) = judge(held, &self.told, &cut) {
            panic!("{wrong}");
        }
    }

    /// No more kills: everything is receipted, and phone and desk show the same, each entry once.
    fn heal(&mut self) {
        self.end_device();
        self.begin(Variables::new(), Variables::new());
        self.force.wait_serving();
        self.phone.wait_safe();
        let status = self.phone.status();
        assert!(
            status.get("new_book").is_some_and(Value::is_null),
            "a kill is no older copy: {status}"
        );
        let held = numbers(&self.phone.list());
        self.compare(&held);
        assert_eq!(
            numbers(&self.desk.pull()),
            held,
            "the desk shows what the phone holds"
        );
        let there = self
            .cut
            .iter()
            .filter(|word| held.values().any(|held| held == *word))
            .count() as u64;
        self.figures.unheard = there;
        self.figures.dropped = self.cut.len() as u64 - there;
        self.phone.run(&["check"]).done();
        self.force.admin(&["check"]).done();
        if let Some(mut watch) = self.watch.take() {
            watch.interrupt();
            let status = wait_for("the end of the watch", || {
                watch.ended().ok_or_else(|| format!("{watch:?}"))
            });
            assert!(status.success(), "Ctrl-C is an ordinary end: {watch:?}");
        }
        self.force.stop();
    }

    /// A word that is in one entry of this round and in no other.
    fn word(&mut self) -> String {
        self.words += 1;
        format!("token{:04}{:012x}", self.words, self.seed.next_u64() >> 16)
    }
}

const KILLS_A_READING: u64 = 5;
const ATTEMPTS_A_KILL: u64 = 4;
/// Asked about a hundred times before a kill.
const BACKUPS_PERMILLE: u16 = 6;
const LAST_CALL_WITHIN: Duration = Duration::from_millis(600);
