//! Grounds: the worlds in which a defect can do harm often. Nothing here knows how a defect shows.

use beatbook_core::planted::Bug;

use crate::fault::FaultKind;
use crate::plan::Plan;

/// Where a defect does harm.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// Every one of these kinds of fault is in the world, and no other.
    pub faults: &'static [FaultKind],
    /// Devices, at least; where it is one, that one alone.
    pub devices: usize,
    /// Everyone works on the same few records.
    pub shared: bool,
    /// Apps go on after their store has failed.
    pub goes_on: bool,
}

impl Ground {
    /// A plan on this ground; all else is as the seed has it.
    pub fn lay(&self, plan: Plan) -> Plan {
        let mut plan = plan.with_devices(self.devices);
        if self.devices == 1 {
            plan.devices.truncate(1);
        }
        plan.faults = self.faults.iter().copied().collect();
        plan.fault_gap_min = FAULT_GAP_MIN;
        plan.shared = self.shared;
        plan.goes_on = self.goes_on;
        plan
    }
}

/// The ground of a defect; `None` for one that any world can show.
pub fn ground_of(bug: Bug) -> Option<Ground> {
    let (faults, devices, shared): (&[FaultKind], usize, bool) = match bug {
        // It never comes to rest: the smallest world shows it soonest.
        Bug::FrameOrderLost => (&[], 1, false),
        Bug::AliasIgnored | Bug::ReissueDropsContext | Bug::ReissueSkipsOne => (REISSUES, 2, true),
        Bug::ForkNotNoticed | Bug::QuarantineDropped => (COPIES, 2, false),
        Bug::EpochNotMinted | Bug::RollbackNotNoticed | Bug::RewindForgotten => (SERVER_BACK, 3, false),
        Bug::TornTailNotCut | Bug::FsyncSkipped | Bug::FsyncErrorIgnored | Bug::GroupAcknowledgesFailure => {
            (POWER, 2, false)
        }
        Bug::LatchForgotten => (&[FaultKind::SyncErrorOnce], 2, false),
        // The first thing that happens to a device is that it dies: then its disk is looked at.
        Bug::PlaintextAtRest => (&[FaultKind::KillAtOp], 2, false),
        Bug::AmendSettlesConflict | Bug::RemoveWins | Bug::SiblingDropped | Bug::StaleTokenCovers => {
            (APART, 3, true)
        }
        Bug::ScopeLeakOnMove | Bug::DepartedNotPurged => (&[], 5, false),
        Bug::ScopeOutlivesPosting => (&[FaultKind::PostingChanged], 5, false),
        Bug::RevocationIgnored => (&[FaultKind::Revoked], 3, false),
        Bug::ReceiptNotResent | Bug::DuplicateAppliedTwice => (CUTS, 2, false),
        _ => return None,
    };
    Some(Ground {
        faults,
        devices,
        shared,
        goes_on: bug == Bug::LatchForgotten,
    })
}

/// The world of a seed in which a defect is looked for: mostly one in which it can do harm often, and every fourth as it
/// comes, so that the ordinary worlds have their say too.
#[cfg(planted_bugs)]
pub(super) fn plan_of(bug: Bug, seed: u64, hunt: &super::Hunt) -> Plan {
    let plan = Plan::from_seed(seed, crate::plan::Size::Small);
    let plan = match ground_of(bug) {
        Some(ground) if !seed.is_multiple_of(4) => ground.lay(plan),
        _ => plan,
    };
    plan.with(&hunt.overrides)
}

const REISSUES: &[FaultKind] = &[
    FaultKind::DeviceRestored,
    FaultKind::DotReuse,
    FaultKind::StoreCloned,
    FaultKind::UdpBlocked,
];
const COPIES: &[FaultKind] = &[
    FaultKind::DotReuse,
    FaultKind::SameIdentityTwice,
    FaultKind::StoreCloned,
];
const SERVER_BACK: &[FaultKind] = &[FaultKind::ServerRestored, FaultKind::ServerRolledBack];
const POWER: &[FaultKind] = &[
    FaultKind::KillInWrite,
    FaultKind::LoseUnsynced,
    FaultKind::ReorderUnsynced,
    FaultKind::SyncErrorOnce,
    FaultKind::TornWrite,
];
const APART: &[FaultKind] = &[FaultKind::PartitionBoth, FaultKind::UdpBlocked];
const CUTS: &[FaultKind] = &[
    FaultKind::Duplication,
    FaultKind::LostAck,
    FaultKind::StatelessReset,
    FaultKind::StreamReset,
];
/// Faults come often where one is waited for.
const FAULT_GAP_MIN: u64 = 20;
