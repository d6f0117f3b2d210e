//! The end of a world: faults stop, links are good, everyone syncs in rounds until nothing is left to say.

use beatbook_core::session::InitiatorInput;

use super::{Event, World, site};
use crate::fact::{Site, What};
use crate::link::Weather;

impl World<'_> {
    /// Heals, and demands that everyone agrees within a bound of rounds and of simulated time.
    pub(super) fn heal(&mut self) {
        self.healing = true;
        self.tell(What::HealingBegan);
        self.mend_everything();
        self.settle_what_is_under_way();
        let (began_ms, sessions) = (self.now_ms, self.sessions_begun);
        let mut rounds = 0;
        while self.violation.is_none() {
            rounds += 1;
            if rounds > ROUNDS_MAX {
                let said = format!("after {ROUNDS_MAX} rounds of sessions there is still news");
                self.broken(CONVERGES, said);
                return;
            }
            let before = self.news;
            self.round();
            if self.news == before {
                break;
            }
        }
        let took_ms = self.now_ms - began_ms;
        if took_ms > HEALING_MS_MAX {
            self.broken(CONVERGES, format!("it took {took_ms} ms of simulated time"));
        }
        self.count_receipted();
        self.tell(What::Quiet {
            sessions: self.sessions_begun - sessions,
            took_ms,
        });
        self.observe(|observer, world| observer.quiet(world));
    }

    /// Faults stop: links are good, disks work, machines are awake and up.
    fn mend_everything(&mut self) {
        self.mend_all_disks();
        for index in 0..self.devices.len() {
            let now_ms = self.now_ms;
            let device = &mut self.devices[index];
            device.weather = Weather::GOOD;
            device.clock.thaw(now_ms);
            device.asleep_until_ms = 0;
            device.disk.forgive();
            device.disk.fail_syncs(0);
            device.loss = None;
            device.on_duty = true;
            let life = device.life;
            self.after(
                0,
                Event::Boot {
                    site: site(index),
                    life,
                },
            );
        }
        self.server.clock.thaw(self.now_ms);
        self.server.disk.forgive();
        self.server.disk.fail_syncs(0);
        self.server.loss = None;
        let life = self.server.life;
        self.after(
            0,
            Event::Boot {
                site: Site::Server,
                life,
            },
        );
    }

    /// Sessions end in good order, or are found to be gone. What was on the calendar for later days has no effect.
    fn settle_what_is_under_way(&mut self) {
        for index in 0..self.devices.len() {
            self.devices[index].agent.running = false;
            if let Some(session) = self.devices[index].agent.session.take() {
                self.near_feed(session, InitiatorInput::Stop);
                self.near_drain(session);
            }
        }
        let until_ms = self.now_ms + SETTLING_MS;
        while self.violation.is_none() && self.next_at_ms().is_some_and(|at| at <= until_ms) {
            self.step();
        }
        self.now_ms = self.now_ms.max(until_ms);
        // A store that had failed has had time to be opened again.
        for index in 0..self.devices.len() {
            let device = &self.devices[index];
            if !device.is_up() && !device.enrolled.given_up && self.violation.is_none() {
                let life = device.life;
                self.boot_device(index, life);
            }
            self.devices[index].agent.running = false;
        }
        let life = self.server.life;
        self.boot_server(life);
        // What could not be entered while the server's disk was full is entered by now.
        self.write_register();
    }

    /// One session of everyone who is admitted.
    fn round(&mut self) {
        let admitted: Vec<usize> = (0..self.devices.len())
            .filter(|index| {
                let device = &self.devices[*index];
                device.is_up() && self.truth.is_admitted(device.enrolled.enrolment)
            })
            .collect();
        for index in &admitted {
            self.devices[*index].agent.settled = false;
            self.devices[*index].agent.running = true;
            self.nudge(*index);
        }
        let mut steps = 0_u64;
        while self.violation.is_none() {
            let open = admitted.iter().any(|index| {
                let device = &self.devices[*index];
                !device.enrolled.given_up && (!device.agent.settled || device.agent.session.is_some())
            });
            if !open && self.is_idle() {
                break;
            }
            steps += 1;
            if steps > STEPS_MAX {
                let waits: Vec<&usize> = admitted
                    .iter()
                    .filter(|index| !self.devices[**index].agent.settled)
                    .collect();
                self.broken(CONVERGES, format!("devices {waits:?} do not catch up"));
            } else if !self.step() {
                let sessions = self.sessions.iter();
                let left: Vec<String> = sessions.map(|(number, session)| session.left(*number)).collect();
                let said = format!("nothing more happens, and not everyone has caught up: {left:?}");
                self.broken(CONVERGES, said);
            }
        }
        for index in admitted {
            self.devices[index].agent.running = false;
        }
    }

    /// True if no session has anything under way.
    fn is_idle(&self) -> bool {
        self.sessions
            .values()
            .all(|session| session.near.is_none() && session.ops.is_empty() && session.far.is_none())
    }

    fn count_receipted(&mut self) {
        let own = |store: &beatbook_store_sled::Solo| {
            store.read(beatbook_core::ledger::own_books).unwrap_or_default()
        };
        let receipted = self
            .devices
            .iter()
            .filter_map(|device| device.store.as_ref())
            .flat_map(own);
        self.ended.receipted = receipted.map(|book| book.receipted.min(book.held)).sum();
    }
}

impl super::Session {
    /// What of it is left, for whoever finds out why a world does not come to rest.
    fn left(&self, number: u64) -> String {
        let sides = (self.near.is_some(), self.far.is_some());
        format!(
            "session {number} of device {}: sides {sides:?}, {} operations",
            self.device,
            self.ops.len()
        )
    }
}

/// A fork costs one session to notice and one to bring over, a move in answer to it another two.
const ROUNDS_MAX: u32 = 8;
const STEPS_MAX: u64 = 2_000_000;
/// As the design demands: a full sync within ten minutes of links being good.
const HEALING_MS_MAX: i64 = 10 * 60_000;
/// Sides that do not know that their connection is gone find out within an idle time-out.
const SETTLING_MS: i64 = 3 * 60_000;
const CONVERGES: &str = "sync 6, reliability 16: everyone converges in a bound";
