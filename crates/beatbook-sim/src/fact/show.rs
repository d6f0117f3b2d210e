//! How facts read: one line each.

use std::fmt;

use beatbook_proto::{Dot, RevisionKind, Standing, Verdict};

use super::{DeviceIndex, Fact, OpenedWhy, RegisterChange, SessionEnd, SessionIndex, Site, What, Wrote};

impl fmt::Display for DeviceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.0)
    }
}

impl fmt::Display for SessionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.0)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => device.fmt(f),
            Self::Server => f.write_str("server"),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = (self.at_ms - crate::plan::BEGINS_AT_MS).div_euclid(60_000);
        let seconds = (self.at_ms - crate::plan::BEGINS_AT_MS).rem_euclid(60_000);
        write!(
            f,
            "#{:<6} day {} {:02}:{:02}:{:02}.{:03}  {}",
            self.event,
            minutes.div_euclid(1_440) + 1,
            minutes.rem_euclid(1_440) / 60,
            minutes.rem_euclid(60),
            seconds / 1_000,
            seconds % 1_000,
            self.what
        )
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackedUp { positions } => write!(f, "server: backed up, {} books covered", positions.len()),
            Self::BooksOpened {
                device,
                replicas,
                why,
            } => {
                let [book, trace] = replicas.map(|replica| replica.short());
                write!(f, "{device}: opened book {book} and trace {trace} ({why})")
            }
            Self::CaughtUp { device } => write!(f, "{device}: caught up"),
            Self::ClockMoved { site, by_ms } => write!(f, "{site}: clock moved by {by_ms} ms"),
            Self::ConflictShown { device, record } => write!(f, "{device}: shows {record} in two versions"),
            Self::Copied { from, to } => write!(f, "{from}: folder and anchor copied, {to} runs too"),
            Self::Crashed { site, power: true } => write!(f, "{site}: power went"),
            Self::Crashed { site, power: false } => write!(f, "{site}: killed"),
            Self::DamageNoticed { site, said } => write!(f, "{site}: damage noticed: {said}"),
            Self::Destroyed { site, dots } => {
                write!(f, "{site}: the last copies are destroyed of {}", Dots(dots))
            }
            Self::EpochMinted { epoch, by_itself } => {
                let why = if *by_itself { "by itself" } else { "by order" };
                write!(f, "server: minted epoch {epoch} {why}")
            }
            Self::FaultInjected { kind, site, detail } => {
                write!(f, "FAULT {} at {site}: {detail}", kind.name())
            }
            Self::FeedKept {
                device,
                cursor,
                dots,
                left,
            } => {
                let (scope, at) = (&cursor.scope, cursor.position);
                write!(f, "{device}: keeps feed {scope} up to {at}, {}", Dots(dots))?;
                match left.len() {
                    0 => Ok(()),
                    left => write!(f, ", {left} left"),
                }
            }
            Self::FeedSent {
                session,
                device,
                cursor,
                dots,
                beside,
            } => {
                let (scope, at) = (&cursor.scope, cursor.position);
                write!(
                    f,
                    "server: {session} sends feed {scope} up to {at} to {device}, {}",
                    Dots(dots)
                )?;
                match beside.len() {
                    0 => Ok(()),
                    beside => write!(f, ", {beside} of them beside"),
                }
            }
            Self::Staged { said } => write!(f, "CELL: {said}"),
            Self::FeedRead { .. } => self.fmt_read(f),
            Self::HealingBegan => f.write_str("HEALING: faults have stopped"),
            other => other.fmt_rest(f),
        }
    }
}

impl What {
    fn fmt_read(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::FeedRead {
            session,
            device,
            cursor,
            dots,
            ..
        } = self
        else {
            return Ok(());
        };
        let (scope, at, dots) = (&cursor.scope, cursor.position, Dots(dots));
        write!(
            f,
            "server: {session} reads feed {scope} up to {at} for {device}, {dots}"
        )
    }

    fn fmt_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaseRaised {
                device,
                replica,
                upto,
            } => {
                write!(f, "{device}: lease of {} raised to {upto}", replica.short())
            }
            Self::Purged { device, records } => write!(f, "{device}: {} records left it", records.len()),
            Self::Quiet { sessions, took_ms } => {
                write!(f, "QUIET after {sessions} sessions and {took_ms} ms")
            }
            Self::Receipted {
                device,
                replica,
                upto,
                taken,
            } => {
                let taken = if *taken {
                    ", some of its dots are taken"
                } else {
                    ""
                };
                write!(
                    f,
                    "{device}: keeps the receipt of {}/{upto}{taken}",
                    replica.short()
                )
            }
            Self::ReceiptSent {
                session,
                replica,
                run: (first, last),
                verdicts,
                ..
            } => {
                let book = replica.short();
                write!(
                    f,
                    "server: {session} sends the receipt of {book}/{first}..{last}{}",
                    Judged(verdicts)
                )
            }
            Self::RegisterChanged { change } => write!(f, "register: {change}"),
            Self::Reissued { device, entries } => write!(f, "{device}: re-issued {entries} entries"),
            Self::Reopened { site, report } => write!(f, "{site}: store opened: {report}"),
            Self::OpenRefused { site, said } => write!(f, "{site}: store refused to open: {said}"),
            Self::Repaired { site, mended, lost } => repaired(f, *site, *mended, *lost),
            Self::Restored {
                site,
                copied_at_ms,
                unnoticed,
            } => {
                let minutes = (copied_at_ms - crate::plan::BEGINS_AT_MS).div_euclid(60_000);
                let silent = if *unnoticed { ", and nothing says so" } else { "" };
                write!(f, "{site}: store put back to minute {minutes}{silent}")
            }
            Self::Rewound {
                device,
                replica,
                after,
            } => {
                write!(f, "{device}: sends {} again after {after}", replica.short())
            }
            other => other.fmt_last(f),
        }
    }

    fn fmt_last(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forked { device, replicas } => {
                write!(
                    f,
                    "{device}: the server knows another history of {} books",
                    replicas.len()
                )
            }
            Self::GivenUp { device } => write!(f, "{device}: given up"),
            Self::Greeted { device, books } => {
                let forked = books.iter().filter(|book| book.answered.forked).count();
                write!(f, "server: greets {device}, knows {} of its books", books.len())?;
                match forked {
                    0 => Ok(()),
                    forked => write!(f, " and another history of {forked}"),
                }
            }
            Self::RunAccepted {
                session,
                device,
                replica,
                run: (first, last),
            } => {
                let book = replica.short();
                write!(f, "server: {session} stored {book}/{first}..{last} of {device}")
            }
            Self::SafeShown {
                device,
                replica,
                upto,
            } => {
                write!(f, "{device}: shows {} safe up to {upto}", replica.short())
            }
            Self::SessionBegan {
                session,
                device,
                live,
            } => {
                let live = if *live { ", live" } else { "" };
                write!(f, "{device}: {session} began{live}")
            }
            Self::SessionEnded {
                session,
                device,
                at_server,
                end,
            } => {
                let side = if *at_server {
                    "the server's side"
                } else {
                    "the device's side"
                };
                write!(f, "{device}: {session} ended on {side}: {end}")
            }
            Self::VerdictsKept {
                device,
                replica,
                verdicts,
            } => write!(f, "{device}: verdicts of {}{}", replica.short(), Judged(verdicts)),
            Self::WriteRefused { device, record, said } => match record {
                Some(record) => write!(f, "{device}: a change of {record} refused: {said}"),
                None => write!(f, "{device}: a new record refused: {said}"),
            },
            Self::Wrote(wrote) => fmt::Display::fmt(wrote, f),
            Self::WroteUntold { device } => write!(f, "{device}: died in a write, nobody was told"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Wrote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = kind_word(self.kind);
        write!(f, "{}: wrote {} ({verb}", self.device, self.dot)?;
        if self.record != self.dot {
            write!(f, " of {} having read {} books", self.record, self.context.len())?;
        }
        write!(f, ", {} bytes)", self.entry.byte_len())?;
        if self.poison {
            f.write_str(" against the rules")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Wrote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn repaired(f: &mut fmt::Formatter<'_>, site: Site, mended: usize, lost: bool) -> fmt::Result {
    let left = if lost { "something" } else { "nothing" };
    write!(f, "{site}: store repaired, {mended} mended, {left} is lost")
}

impl fmt::Display for OpenedWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnchorMismatch => "the anchor disagrees",
            Self::BeyondLease => "a number is above its lease",
            Self::FirstUse => "first use",
            Self::Repaired => "a repair lost something",
            Self::TakenAtServer => "its dots are taken at the server",
        })
    }
}

impl fmt::Display for RegisterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enrolled { device, .. } => write!(f, "{device} enrolled"),
            Self::Posted { officer, beats } => write!(f, "officer {officer} posted to {}", beats.join(", ")),
            Self::Revoked { enrolment } => write!(f, "enrolment {enrolment} revoked"),
            Self::Role { officer, role } => write!(f, "officer {officer} is {role}"),
        }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped => f.write_str("dropped"),
            Self::Lost => f.write_str("connection lost"),
            Self::ByPeer(code) => write!(f, "closed by the other side: {code}"),
            Self::Done(code) => write!(f, "closed: {code}"),
            Self::Failed { code, said } => write!(f, "failed ({code}): {said}"),
        }
    }
}

/// Shows dots: all of a few, the number of many.
struct Dots<'a>(&'a [Dot]);

impl fmt::Display for Dots<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries", self.0.len())?;
        for dot in self.0.iter().take(DOTS_SHOWN) {
            write!(f, " {dot}")?;
        }
        if self.0.len() > DOTS_SHOWN {
            f.write_str(" ...")
        } else {
            Ok(())
        }
    }
}

/// Shows what is not simply kept.
struct Judged<'a>(&'a [Verdict]);

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in self.0.iter().take(DOTS_SHOWN) {
            let word = match verdict.standing {
                Standing::KEPT => "kept",
                Standing::WAITING => "waiting",
                Standing::QUARANTINED_MALFORMED => "malformed",
                Standing::QUARANTINED_NOT_PERMITTED => "not permitted",
                Standing::QUARANTINED_DOT_TAKEN => "dot taken",
                Standing::ERASED => "erased",
                _ => "unknown standing",
            };
            write!(f, ", {} {word}", verdict.counter)?;
        }
        Ok(())
    }
}

/// The word for what a revision does.
pub fn kind_word(kind: RevisionKind) -> &'static str {
    match kind {
        RevisionKind::OPEN => "opens a book",
        RevisionKind::CREATE => "founds a record",
        RevisionKind::AMEND => "amends",
        RevisionKind::SUPPLEMENT => "supplements",
        RevisionKind::STRIKE => "strikes",
        RevisionKind::SIGN => "signs",
        RevisionKind::STATE => "moves on",
        RevisionKind::ANNOTATE => "annotates",
        RevisionKind::RESOLVE => "resolves",
        RevisionKind::VOID => "voids",
        RevisionKind::REISSUE => "re-issues",
        _ => "a kind unknown here",
    }
}

const DOTS_SHOWN: usize = 6;
