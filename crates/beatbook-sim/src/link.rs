//! Links in simulated time: two pipes of a connection, and the weather between a device and the server.
//!
//! A pipe is reliable and in order, as a QUIC stream is: loss is delay, and a connection that breaks takes what is
//! under way with it. Decides nothing about sessions.

use std::collections::VecDeque;

use beatbook_proto::CloseCode;

use crate::random::Random;

/// What a pipe carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parcel {
    /// A frame, as its bytes.
    Frame(Vec<u8>),
    /// The other side has closed.
    Fin(CloseCode),
    /// The stream was reset in the middle of a frame.
    Reset,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// What is under way, with the time of its arrival.
    parcels: VecDeque<(i64, Parcel)>,
    /// What has arrived and was not taken yet.
    pub(crate) inbox: VecDeque<Parcel>,
    free_at_ms: i64,
    last_at_ms: i64,
    /// An arrival is on the calendar.
    pub(crate) expected: bool,
}

impl Pipe {
    /// Hands a parcel to the pipe; `up` is towards the server.
    pub(crate) fn send(
        &mut self,
        parcel: Parcel,
        up: bool,
        now_ms: i64,
        weather: &Weather,
        random: &mut Random,
    ) {
        let bytes = match &parcel {
            Parcel::Frame(bytes) => bytes.len() as u64,
            _ => 0,
        };
        let begins = self.free_at_ms.max(now_ms);
        self.free_at_ms = begins + (bytes * 8 / weather.kbit(up).max(1)) as i64;
        let arrives = self.free_at_ms + weather.delay_ms(bytes, random);
        self.last_at_ms = self.last_at_ms.max(arrives);
        self.parcels.push_back((self.last_at_ms, parcel));
    }

    /// When the next parcel arrives.
    pub(crate) fn next_at_ms(&self) -> Option<i64> {
        self.parcels.front().map(|(at, _)| *at)
    }

    /// Holds everything under way back until a time.
    pub(crate) fn hold_until(&mut self, until_ms: i64) {
        for (at, _) in &mut self.parcels {
            *at = (*at).max(until_ms);
        }
        self.last_at_ms = self.last_at_ms.max(until_ms);
    }

    /// Moves what has arrived by now into the inbox.
    pub(crate) fn arrive(&mut self, now_ms: i64) {
        while self.next_at_ms().is_some_and(|at| at <= now_ms) {
            self.inbox
                .extend(self.parcels.pop_front().map(|(_, parcel)| parcel));
        }
    }

    /// True while it takes more: neither side holds more than so much for the other.
    pub(crate) fn has_room(&self) -> bool {
        self.parcels.len() + self.inbox.len() < PARCELS_MAX
    }

    /// Resets the stream: what is under way is lost, in the middle of a frame if there is one.
    pub(crate) fn reset(&mut self, now_ms: i64) {
        self.parcels.clear();
        self.parcels.push_back((now_ms, Parcel::Reset));
    }

    /// Loses everything under way.
    pub(crate) fn lose(&mut self) {
        self.parcels.clear();
        self.inbox.clear();
    }
}

/// What a device's link is like.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) rtt_ms: u64,
    pub(crate) jitter_ms: u64,
    pub(crate) up_kbit: u64,
    pub(crate) down_kbit: u64,
    /// Packets lost of a thousand.
    pub(crate) loss: u64,
    /// Losses come in bursts: rarer and longer.
    pub(crate) bursts: bool,
    /// Nothing passes towards the server until then.
    pub(crate) up_blocked_until_ms: i64,
    /// Nothing passes towards the device until then.
    pub(crate) down_blocked_until_ms: i64,
}

impl Weather {
    /// A good link.
    pub(crate) const GOOD: Self = Self {
        rtt_ms: 50,
        jitter_ms: 20,
        up_kbit: 5_000,
        down_kbit: 20_000,
        loss: 0,
        bursts: false,
        up_blocked_until_ms: 0,
        down_blocked_until_ms: 0,
    };

    /// Until when a direction is blocked, if it is.
    pub(crate) fn blocked_until(&self, up: bool, now_ms: i64) -> Option<i64> {
        let until = match up {
            true => self.up_blocked_until_ms,
            false => self.down_blocked_until_ms,
        };
        (until > now_ms).then_some(until)
    }

    /// True if both directions pass.
    pub(crate) fn is_open(&self, now_ms: i64) -> bool {
        self.blocked_until(true, now_ms).is_none() && self.blocked_until(false, now_ms).is_none()
    }

    fn kbit(&self, up: bool) -> u64 {
        if up { self.up_kbit } else { self.down_kbit }
    }

    /// Half a round trip, and what loss adds to it.
    fn delay_ms(&self, bytes: u64, random: &mut Random) -> i64 {
        let mut delay = self.rtt_ms / 2 + random.below(self.jitter_ms + 1);
        if self.loss > 0 {
            for _ in 0..(bytes / PACKET_BYTES + 1).min(32) {
                if random.below(1_000) < self.loss {
                    delay += match self.bursts {
                        true => random.between(500, 6_000),
                        false => self.rtt_ms + 25,
                    };
                }
            }
        }
        delay as i64
    }
}

/// Parcels under way and not taken from which on a side waits.
const PARCELS_MAX: usize = 24;
const PACKET_BYTES: u64 = 1_200;
