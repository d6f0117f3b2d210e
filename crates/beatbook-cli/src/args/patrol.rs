//! Arguments of the patrol commands.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::write::Place;
use crate::time::Moment;
use beatbook_field::Reference;

/// The parts of a patrol log.
#[derive(Debug, Subcommand)]
pub(crate) enum Patrol {
    /// Book on: open the record of this shift.
    #[command(
        after_help = "Example: beatbook patrol start --beat C02 --rostered \"2026-11-07 14:00/2026-11-07 22:00\""
    )]
    Start(Start),
    /// Say what you are doing from now on; it lasts until the next state.
    #[command(after_help = "Example: beatbook patrol state VISIBLE_PATROL")]
    State(State),
    /// Write down a stretch of patrol: on foot, by cycle, by vehicle.
    #[command(after_help = "Example: beatbook patrol segment --mode PEDAL_CYCLE --beat C02")]
    Segment(Segment),
    /// Record positions, given or from a GPX or CSV file.
    #[command(after_help = "Example: beatbook patrol fix 51.4637,-2.5890,8 --beat C02")]
    Fix(Fix),
    /// Write down a stop or a visit.
    #[command(
        visible_alias = "visit",
        after_help = "Example: beatbook patrol stop --beat C02 --kind HOTSPOT_DWELL --until \"2026-11-07 21:31\" --result SEEN"
    )]
    Stop(Stop),
    /// Book off: close the record of this shift.
    #[command(after_help = "Example: beatbook patrol end")]
    End(End),
}

/// Arguments of `patrol start`.
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// Where, and when you booked on.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Rostered hours, FROM/TO.
    #[arg(long, value_name = "T/T", value_parser = Moment::parse_pair)]
    pub(crate) rostered: Option<(Moment, Moment)>,
    /// Call-sign.
    #[arg(long, value_name = "SIGN")]
    pub(crate) call_sign: Option<String>,
    /// Team.
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// The first duty state.
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
}

/// Arguments of `patrol state`.
#[derive(Args, Debug)]
pub(crate) struct State {
    /// VISIBLE_PATROL, ENGAGEMENT, REFRESHMENT, ABS_SCENE_GUARD, ... (see beatbook fields SHIFT).
    #[arg(value_name = "STATE")]
    pub(crate) state: String,
    /// Since when; now if left out.
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub(crate) at: Option<Moment>,
    /// On which beat, if not your own.
    #[arg(long, value_name = "ID")]
    pub(crate) beat: Option<String>,
    /// The shift; your open one if left out.
    #[arg(long, value_name = "RECORD")]
    pub(crate) shift: Option<Reference>,
}

/// Arguments of `patrol segment`.
#[derive(Args, Debug)]
pub(crate) struct Segment {
    /// FOOT, PEDAL_CYCLE, MARKED_VEHICLE, ... (see beatbook fields PATROL_SEGMENT).
    #[arg(long, value_name = "MODE", default_value = "FOOT")]
    pub(crate) mode: String,
    /// Where, and when it began.
    #[command(flatten)]
    pub(crate) place: Place,
    /// When it ended.
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub(crate) until: Option<Moment>,
    /// What came of it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) summary: Option<String>,
}

/// Arguments of `patrol fix`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("source").required(true).args(["fixes", "file"]))]
pub(crate) struct Fix {
    /// Positions in order: latitude,longitude or latitude,longitude,accuracy in metres.
    #[arg(value_name = "LAT,LON[,ACC]", allow_negative_numbers = true)]
    pub(crate) fixes: Vec<String>,
    /// A GPX file, or a CSV file with the columns time, lat, lon and, if known, accuracy_m and speed_cm_s.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The beat: C02, or with the force 52/C02.
    #[arg(long, value_name = "ID")]
    pub(crate) beat: String,
    /// When the first position was taken; now if left out. A file carries its own times.
    #[arg(long, value_name = "T", value_parser = Moment::parse, conflicts_with = "file")]
    pub(crate) at: Option<Moment>,
    /// The stretch of patrol that it belongs to.
    #[arg(long, value_name = "RECORD")]
    pub(crate) segment: Option<Reference>,
    /// The duty state in which it was recorded.
    #[arg(long, value_name = "STATE", default_value = "VISIBLE_PATROL")]
    pub(crate) state: String,
}

/// Arguments of `patrol stop`.
#[derive(Args, Debug)]
pub(crate) struct Stop {
    /// HOTSPOT_DWELL, SCHOOL, VULNERABLE_VISIT, ... (see beatbook fields STOP).
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: String,
    /// Where, and when you arrived.
    #[command(flatten)]
    pub(crate) place: Place,
    /// When you left.
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub(crate) until: Option<Moment>,
    /// SEEN, NO_REPLY, REFUSED or DEFERRED.
    #[arg(long, value_name = "RESULT")]
    pub(crate) result: Option<String>,
    /// How many contacts were made.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) contacts: u16,
    /// The stretch of patrol that it belongs to.
    #[arg(long, value_name = "RECORD")]
    pub(crate) segment: Option<Reference>,
}

/// Arguments of `patrol end`.
#[derive(Args, Debug)]
pub(crate) struct End {
    /// When you booked off; now if left out.
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub(crate) at: Option<Moment>,
    /// The shift; your open one if left out.
    #[arg(long, value_name = "RECORD")]
    pub(crate) shift: Option<Reference>,
}
