//! The ground that a defect is looked for on.

use super::*;
use crate::plan::Size;

#[test]
fn a_ground_has_its_faults_and_devices_and_leaves_the_rest_to_the_seed() {
    let ground = ground_of(Bug::ScopeOutlivesPosting).unwrap();
    let plan = Plan::from_seed(7, Size::Small);
    let laid = ground.lay(plan.clone());
    assert!(laid.devices.len() >= 5 && laid.has(FaultKind::PostingChanged));
    assert_eq!((laid.faults.len(), laid.days), (1, plan.days));
    assert!(ground_of(Bug::ClockDecides).is_none());
}
