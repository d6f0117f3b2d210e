//! Every kind is listed once, has a name of its own, and is found by it.

use std::collections::BTreeSet;

use super::*;

#[test]
fn names_lead_back_to_their_kinds() {
    let names: BTreeSet<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), FaultKind::ALL.len());
    for kind in FaultKind::ALL {
        assert_eq!(FaultKind::named(kind.name()), Some(kind));
        assert!(!kind.sentence().is_empty());
    }
}

#[test]
fn kinds_stand_under_their_subjects() {
    assert_eq!(FaultKind::CancelledSession.subject(), Subject::Process);
    assert_eq!(FaultKind::LoseUnsynced.subject(), Subject::Storage);
    assert_eq!(FaultKind::StoreCloned.subject(), Subject::Storage);
    assert_eq!(FaultKind::UniformLoss.subject(), Subject::Network);
    assert_eq!(FaultKind::UdpBlocked.subject(), Subject::Network);
    assert_eq!(FaultKind::ClockSkew.subject(), Subject::Time);
    assert_eq!(FaultKind::SameIdentityTwice.subject(), Subject::Identity);
    assert_eq!(FaultKind::DotReuse.subject(), Subject::Identity);
    assert_eq!(FaultKind::UnknownContent.subject(), Subject::Version);
    assert_eq!(FaultKind::PoisonRecord.subject(), Subject::Delivery);
}
