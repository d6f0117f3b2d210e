//! A storm: two phones that write and watch over a bad link, while one fault after the other comes over them; then calm,
//! and each entry once everywhere. What happens is decided by a seed.

use std::time::{Duration, Instant};

use crate::canary::Canaries;
use crate::deadline::{wait_for, wait_true};
use crate::device::{Device, assert_each_once};
use crate::force::{Enrolment, Force};
use crate::process::Running;
use crate::relay::{Bursts, Counts, Direction, Pipe, Relay, Weather};
use crate::seed::Seed;

/// A fault that comes over the link, or over a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Datagrams longer than any path must carry vanish.
    BlackHole,
    /// Loss in bursts: half of all, forty in a row in the mean.
    Bursts,
    /// The link is down, and what was under way is dead.
    Cut,
    /// What devices send vanishes.
    CutUp,
    /// What the server sends vanishes.
    CutDown,
    /// Everything is late by up to 300 ms.
    Delay,
    /// Every third datagram comes twice.
    Duplicate,
    /// A link of 30 kbit/s with a round trip of 600 ms.
    Edge,
    /// The server is killed and started again.
    KilledServer,
    /// A pipe of 64 kbit/s whose queue holds four datagrams.
    Narrow,
    /// A phone stops, and goes on.
    PausedDevice,
    /// The server stops, and goes on.
    PausedServer,
    /// Every flow comes from another port.
    Rebind,
    /// Every third datagram is overtaken.
    Reorder,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::BlackHole,
        Self::Bursts,
        Self::Cut,
        Self::CutUp,
        Self::CutDown,
        Self::Delay,
        Self::Duplicate,
        Self::Edge,
        Self::KilledServer,
        Self::Narrow,
        Self::PausedDevice,
        Self::PausedServer,
        Self::Rebind,
        Self::Reorder,
    ];

    /// Lays this fault over the weather there is. One that is no weather changes nothing.
    fn over(self, weather: Weather) -> Weather {
        match self {
            Self::BlackHole => Weather {
                bytes_max: Some(BYTES_THAT_ALWAYS_PASS),
                ..weather
            },
            Self::Bursts => Weather {
                bursts: Some(Bursts {
                    loss_permille: 500,
                    mean_datagrams: 40,
                }),
                ..weather
            },
            Self::Delay => Weather {
                delay_ms_max: 300,
                ..weather
            },
            Self::Duplicate => Weather {
                duplicate_permille: 333,
                ..weather
            },
            Self::Edge => {
                let edge = Weather::edge();
                Weather {
                    bursts: weather.bursts.or(edge.bursts),
                    delay_ms: edge.delay_ms,
                    delay_ms_max: weather.delay_ms_max.max(edge.delay_ms_max),
                    pipe: edge.pipe,
                    ..weather
                }
            }
            Self::Narrow => Weather {
                pipe: Some(Pipe {
                    up_kbit_s: 64,
                    down_kbit_s: 64,
                    queue_bytes: 6_000,
                }),
                ..weather
            },
            Self::Reorder => Weather {
                reorder_permille: 333,
                ..weather
            },
            _ => weather,
        }
    }

    /// How often this fault has done something to what passed the relay, as its counts say. `None` for one that comes
    /// over a process: it is there once it is asked for.
    fn bites(self, counts: &Counts) -> Option<u64> {
        match self {
            Self::BlackHole => Some(counts.too_long),
            Self::Bursts => Some(counts.lost),
            Self::Cut | Self::CutUp | Self::CutDown => Some(counts.cut_off),
            Self::Delay | Self::Edge | Self::Narrow => Some(counts.late),
            Self::Duplicate => Some(counts.twice),
            Self::KilledServer | Self::PausedDevice | Self::PausedServer => None,
            Self::Rebind => Some(counts.rebound),
            Self::Reorder => Some(counts.held_back),
        }
    }

    /// Whether nothing passes while it lasts, in one direction at least.
    fn is_cut(self) -> bool {
        matches!(self, Self::Cut | Self::CutUp | Self::CutDown)
    }

    /// Whether it comes over a process.
    fn is_of_process(self) -> bool {
        matches!(self, Self::KilledServer | Self::PausedDevice | Self::PausedServer)
    }
}

/// Two phones, the relay, the server, and a desk that nothing comes over.
pub struct Storm {
    seed: Seed,
    canaries: Canaries,
    phones: Vec<Phone>,
    desk: Device,
    relay: Relay,
    force: Force,
    words: Vec<String>,
    log: Vec<String>,
}

struct Phone {
    device: Device,
    watch: Running,
}

impl Storm {
    /// Everybody enrolled, watching, and the weather fine.
    pub fn new(mut seed: Seed) -> Self {
        let force = Force::staffed();
        let relay = Relay::to(force.address(), seed.next_u64());
        let phone = |name, collar| {
            let device = force.enrol_as(&Enrolment {
                collar,
                address: Some(relay.address()),
                name,
            });
            let watch = device.watch();
            Phone { device, watch }
        };
        let phones = vec![phone("phone", "9123"), phone("colleague", "8841")];
        Self {
            seed,
            canaries: Canaries::new(),
            phones,
            desk: force.enrol("desk", "214"),
            relay,
            force,
            words: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Lets these faults come over the link at once, and both officers write under them until each has bitten.
    pub fn spell(&mut self, faults: &[Fault]) {
        let before = self.relay.counts();
        self.log.push(format!("{faults:?}"));
        let weather = faults
            .iter()
            .fold(Weather::default(), |weather, fault| fault.over(weather));
        self.relay.set_weather(weather);
        for fault in faults {
            self.begin(*fault);
        }
        let notes = self.seed.between(2, 6);
        for _ in 0..notes {
            self.write();
            self.wait_a_while();
        }
        // What a fault can bite is what others let come to it: processes go on first, then the link, the weather stays.
        for fault in faults.iter().filter(|fault| fault.is_of_process()) {
            self.end(*fault);
        }
        for fault in faults.iter().filter(|fault| fault.is_cut()) {
            self.wait_bitten(*fault, &before);
        }
        for fault in faults.iter().filter(|fault| !fault.is_of_process()) {
            self.end(*fault);
        }
        for fault in faults {
            self.wait_bitten(*fault, &before);
        }
        // Something passes, or tries to, before the next comes.
        self.write();
    }

    /// Waits until a fault has done something to what passes, writing on.
    fn wait_bitten(&mut self, fault: Fault, before: &Counts) {
        let Some(first) = fault.bites(before) else { return };
        let mut tries: u64 = 0;
        wait_for("a fault that bites", || {
            let counts = self.relay.counts();
            if fault.bites(&counts) > Some(first) {
                return Ok(());
            }
            tries += 1;
            match fault {
                // Ends that know of the hole send nothing long; of another path they try anew what it carries.
                Fault::BlackHole if tries.is_multiple_of(TRIES_OF_A_PATH) => self.relay.rebind(),
                Fault::BlackHole => self.write_long(),
                // No flow was open at first.
                Fault::Rebind => self.relay.rebind(),
                _ => self.write(),
            }
            self.wait_a_while();
            Err(format!("{fault:?} did nothing: {counts:?} after {:?}", self.log))
        });
    }

    /// A seeded mixture: so many spells, each of one to three faults.
    pub fn mix(&mut self, spells: u64) {
        // Drawn before anything happens: how much is written until a fault bites is not the seed's to say.
        let mut mixtures = Vec::new();
        for _ in 0..spells {
            let mut faults: Vec<Fault> = Vec::new();
            for _ in 0..self.seed.between(1, 4) {
                let at =
                    usize::try_from(self.seed.between(0, Fault::ALL.len() as u64)).expect("a small number");
                if !faults.contains(&Fault::ALL[at]) {
                    faults.push(Fault::ALL[at]);
                }
            }
            mixtures.push(faults);
        }
        for faults in mixtures {
            self.spell(&faults);
        }
    }

    /// Calm: everything is receipted, and everybody shows each entry once. Returns how many entries that were.
    pub fn converge(&mut self) -> usize {
        self.relay.set_weather(Weather::default());
        self.relay.mend();
        for phone in &self.phones {
            phone.device.wait_safe();
        }
        for phone in &self.phones {
            wait_for("everything on each phone", || {
                let held = phone.device.list().len();
                if held >= self.words.len() {
                    Ok(())
                } else {
                    Err(format!("{held} of {} after {:?}", self.words.len(), self.log))
                }
            });
            let held = phone.device.list();
            assert_eq!(held.len(), self.words.len(), "no more than was written");
            assert_each_once(&held, &self.words);
            assert!(
                phone.device.conflicts().is_empty(),
                "a bad link makes no conflict"
            );
            let log = phone.watch.stderr();
            assert!(!log.contains("panicked at"), "a panic: {log}");
        }
        let pulled = self.desk.pull();
        assert_eq!(pulled.len(), self.words.len(), "no more than was written");
        assert_each_once(&pulled, &self.words);
        self.force.admin(&["check"]).done();
        for phone in &mut self.phones {
            assert!(
                phone.watch.ended().is_none(),
                "it went on watching: {:?}",
                phone.watch
            );
        }
        self.words.len()
    }

    /// What has passed the relay.
    pub fn counts(&self) -> Counts {
        self.relay.counts()
    }

    /// The spells so far, for whoever asks what came before a failure.
    pub fn story(&self) -> &[String] {
        &self.log
    }

    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Cut => self.relay.cut(),
            Fault::CutUp => self.relay.cut_one_way(Direction::Up),
            Fault::CutDown => self.relay.cut_one_way(Direction::Down),
            Fault::KilledServer => self.force.kill(),
            Fault::PausedDevice => self.phones[1].watch.pause(),
            Fault::PausedServer if self.force.is_serving() => self.force.server().pause(),
            Fault::Rebind => self.relay.rebind(),
            _ => {}
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Cut | Fault::CutUp | Fault::CutDown => self.relay.mend(),
            Fault::KilledServer if !self.force.is_serving() => self.force.serve(),
            Fault::PausedDevice => self.phones[1].watch.resume(),
            Fault::PausedServer if self.force.is_serving() => self.force.server().resume(),
            _ => {}
        }
    }

    /// A note by the first officer, or by the second where that phone is not stopped.
    fn write(&mut self) {
        self.write_with("");
    }

    /// A note that fills more than one datagram, whatever is packed.
    fn write_long(&mut self) {
        let filler: String = (0..LONG_WORDS)
            .map(|_| format!("{:016x}", self.seed.next_u64()))
            .collect();
        self.write_with(&filler);
    }

    fn write_with(&mut self, filler: &str) {
        let word = self.canaries.word();
        let stopped = self
            .log
            .last()
            .is_some_and(|spell| spell.contains("PausedDevice"));
        let who = usize::from(!stopped && self.seed.chance(500));
        self.phones[who]
            .device
            .note(format!("{word} {filler}").trim_end());
        self.words.push(word);
    }

    /// Lets the fault have its time: that is what is random here, and nothing is expected of it.
    fn wait_a_while(&mut self) {
        let end = Instant::now() + Duration::from_millis(self.seed.between(10, 200));
        wait_true("the spell", || Instant::now() >= end);
    }
}

/// 3 KB as it is packed.
const LONG_WORDS: usize = 400;
/// How often a path is written on before the flows get another.
const TRIES_OF_A_PATH: u64 = 8;
/// What every path must carry for QUIC (RFC 9000 14).
const BYTES_THAT_ALWAYS_PASS: u16 = 1_200;
