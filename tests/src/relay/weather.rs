//! What a bad link does to datagrams: how many it loses and in what bursts, how late they are, how many fit. Decides over
//! datagrams in the order in which they come, from a seed; sends nothing itself.

use std::time::{Duration, Instant};

use crate::seed::Seed;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server to a device.
    Down,
    /// From a device to the server.
    Up,
}

/// What happens to datagrams that pass. The default lets everything through at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// How many of a thousand are lost, each by itself.
    pub loss_permille: u16,
    /// Loss in bursts, besides.
    pub bursts: Option<Bursts>,
    /// How many of a thousand come twice.
    pub duplicate_permille: u16,
    /// How many of a thousand are held back so that later ones overtake them.
    pub reorder_permille: u16,
    /// Each is late by so much at least.
    pub delay_ms: u16,
    /// And by up to so much more; it does not overtake for that.
    pub delay_ms_max: u16,
    /// How much fits, and what waits when it does not.
    pub pipe: Option<Pipe>,
    /// Longer datagrams vanish without a word, as behind a tunnel that tells nobody.
    pub bytes_max: Option<u16>,
}

/// Loss in bursts (Gilbert and Elliott): a link is good or bad, and loses everything while it is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// How many of a thousand are lost in the long run.
    pub loss_permille: u16,
    /// How many are lost in a row, in the mean.
    pub mean_datagrams: u16,
}

/// The width of a link, and its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// Kilobits per second from devices.
    pub up_kbit_s: u32,
    /// Kilobits per second from the server.
    pub down_kbit_s: u32,
    /// What does not fit in the queue is lost.
    pub queue_bytes: u32,
}

impl Weather {
    /// Coverage that is there and not good: 4G at the edge of a cell.
    pub fn weak() -> Self {
        Self {
            bursts: Some(Bursts {
                loss_permille: 30,
                mean_datagrams: 4,
            }),
            delay_ms: 35,
            delay_ms_max: 80,
            pipe: Some(Pipe {
                up_kbit_s: 256,
                down_kbit_s: 1_000,
                queue_bytes: 32 << 10,
            }),
            ..Self::default()
        }
    }

    /// What is left where there is hardly any coverage: EDGE.
    pub fn edge() -> Self {
        Self {
            bursts: Some(Bursts {
                loss_permille: 50,
                mean_datagrams: 4,
            }),
            delay_ms: 250,
            delay_ms_max: 100,
            pipe: Some(Pipe {
                up_kbit_s: 30,
                down_kbit_s: 80,
                queue_bytes: 8 << 10,
            }),
            ..Self::default()
        }
    }
}

/// What becomes of one datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes out, once or twice, when it is due. Nothing due later than now goes at once.
    Passes {
        due: Vec<Instant>,
        /// Later ones may overtake it.
        held_back: bool,
    },
    /// It is gone: by chance, in a burst, for its length, or because the queue was full.
    Swallowed(Cause),
}

/// Why a datagram was swallowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Chance,
    Length,
    Queue,
}

/// The weather as it goes on: what one datagram leaves behind for the next.
#[derive(Debug, Default)]
pub(super) struct Sky {
    pub(super) weather: Weather,
    up: Way,
    down: Way,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// Within a burst of loss.
    bad: bool,
    /// Until when what waits in the queue takes.
    busy_until: Option<Instant>,
    /// When the latest datagram that kept its place is due.
    last_due: Option<Instant>,
}

impl Sky {
    /// This weather, and nothing has passed yet.
    pub(super) fn of(weather: Weather) -> Self {
        Self {
            weather,
            ..Self::default()
        }
    }

    /// Decides over a datagram of so many bytes.
    pub(super) fn judge(
        &mut self,
        direction: Direction,
        bytes: usize,
        now: Instant,
        seed: &mut Seed,
    ) -> Fate {
        let weather = self.weather;
        if weather.bytes_max.is_some_and(|most| bytes > usize::from(most)) {
            return Fate::Swallowed(Cause::Length);
        }
        let way = match direction {
            Direction::Down => &mut self.down,
            Direction::Up => &mut self.up,
        };
        if seed.chance(weather.loss_permille)
            || weather.bursts.is_some_and(|bursts| way.in_burst(bursts, seed))
        {
            return Fate::Swallowed(Cause::Chance);
        }
        let mut due = Vec::new();
        let mut held_back = false;
        for _ in 0..=u8::from(seed.chance(weather.duplicate_permille)) {
            let Some(left) = way.through(weather.pipe, direction, bytes, now) else {
                break;
            };
            let late_ms = u64::from(weather.delay_ms) + seed.between(0, u64::from(weather.delay_ms_max) + 1);
            let mut at = left + Duration::from_millis(late_ms);
            if seed.chance(weather.reorder_permille) {
                at += REORDER;
                held_back = true;
            } else {
                at = way.last_due.map_or(at, |last| last.max(at));
                way.last_due = Some(at);
            }
            due.push(at);
        }
        if due.is_empty() {
            return Fate::Swallowed(Cause::Queue);
        }
        Fate::Passes { due, held_back }
    }
}

impl Way {
    /// Steps from good to bad and back so that both the mean burst and the loss in the long run come out.
    fn in_burst(&mut self, bursts: Bursts, seed: &mut Seed) -> bool {
        let (loss, mean) = (
            u64::from(bursts.loss_permille.min(999)),
            u64::from(bursts.mean_datagrams.max(1)),
        );
        let of_million = |part: u64, seed: &mut Seed| seed.between(0, MILLION) < part;
        self.bad = if self.bad {
            !of_million(MILLION / mean, seed)
        } else {
            of_million(MILLION * loss / ((1_000 - loss) * mean), seed)
        };
        self.bad
    }

    /// When the last bit of a datagram is through the pipe; nothing if the queue is full.
    fn through(
        &mut self,
        pipe: Option<Pipe>,
        direction: Direction,
        bytes: usize,
        now: Instant,
    ) -> Option<Instant> {
        let Some(pipe) = pipe else { return Some(now) };
        let kbit_s = match direction {
            Direction::Down => pipe.down_kbit_s,
            Direction::Up => pipe.up_kbit_s,
        };
        let kbit_s = u64::from(kbit_s.max(1));
        let begins = self.busy_until.map_or(now, |busy| busy.max(now));
        let waiting_us = u64::try_from(begins.duration_since(now).as_micros()).unwrap_or(u64::MAX);
        let waiting_bytes = waiting_us.saturating_mul(kbit_s) / 8_000;
        if waiting_bytes + bytes as u64 > u64::from(pipe.queue_bytes) {
            return None;
        }
        let ends = begins + Duration::from_micros(bytes as u64 * 8_000 / kbit_s);
        self.busy_until = Some(ends);
        Some(ends)
    }
}

/// How far a datagram is held back so that others overtake it.
const REORDER: Duration = Duration::from_millis(12);
const MILLION: u64 = 1_000_000;
