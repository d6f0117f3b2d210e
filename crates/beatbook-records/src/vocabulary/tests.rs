//! Every word is a code, is written once, and comes back as the same word.

use std::collections::BTreeSet;

use beatbook_proto::Code;

use super::*;

#[test]
fn ids_and_words_are_unique_and_encodable() {
    let ids: BTreeSet<_> = ALL.iter().map(|vocabulary| vocabulary.id).collect();
    assert_eq!(ids.len(), ALL.len());
    for vocabulary in ALL {
        let words: BTreeSet<_> = vocabulary.words.iter().map(|word| word.code).collect();
        assert_eq!(words.len(), vocabulary.words.len(), "{}", vocabulary.id);
        for word in vocabulary.words {
            assert!(Code::new(word.code).is_ok(), "{} {}", vocabulary.id, word.code);
            assert!(!word.meaning.is_empty());
            assert!(vocabulary.accepts(word.code));
            assert_eq!(vocabulary.meaning(word.code), Some(word.meaning));
        }
    }
}

#[test]
fn every_word_round_trips() {
    fn trip<T: PartialEq + std::fmt::Debug>(
        words: &[Word],
        read: impl Fn(&Code) -> T,
        write: impl Fn(&T) -> Code,
    ) {
        for word in words {
            let code = Code::new(word.code).unwrap();
            let read = read(&code);
            assert!(!format!("{read:?}").contains("Unlisted"), "{}", word.code);
            assert_eq!(write(&read), code);
        }
    }
    macro_rules! trip_all {
        ($($name:ident),+ $(,)?) => {
            [$({ trip($name::VOCABULARY.words, |code| $name::from(code), $name::code); $name::VOCABULARY.id }),+]
        };
    }
    let tripped = trip_all!(
        Advice,
        AgeBand,
        AsbQualifier,
        AttachmentSource,
        BeatBasis,
        Companion,
        ConcernSource,
        ConsentStanding,
        ContactKind,
        ContactMethod,
        ContactOutcome,
        DisclosureFlag,
        DutyStateWord,
        Feeling,
        FixSource,
        FlagBasis,
        IcCode,
        IdentityLevel,
        Lifecycle,
        Light,
        LinkRelation,
        LocationPrivacy,
        LocationType,
        Marking,
        NoteKind,
        PatrolMode,
        Purpose,
        ReferralConsent,
        ReferralForm,
        ReferralSubject,
        ReferredTo,
        Regime,
        RetentionGroup,
        RiskGrade,
        Role,
        SdeCode,
        StopKind,
        StopResult,
        Strand,
        SubjectCategory,
        Topic,
        VulnerabilityFlag,
        Weather,
    );
    assert_eq!(tripped.len(), ALL.len());
}

#[test]
fn a_word_from_a_newer_peer_round_trips() {
    let code = Code::new("HOVERCRAFT").unwrap();
    let mode = PatrolMode::from(&code);
    assert_eq!(mode, PatrolMode::Unlisted(code.clone()));
    assert_eq!(mode.code(), code);
    assert!(!PatrolMode::VOCABULARY.accepts("HOVERCRAFT"));
}

#[test]
fn a_force_extends_an_open_vocabulary_only() {
    assert!(PatrolMode::VOCABULARY.accepts("X_52_QUAD_BIKE"));
    assert!(!Marking::VOCABULARY.accepts("X_52_SECRET"));
    for bad in [
        "X_5_A", "X_52_", "X_52", "X__A", "X_52_a", "Y_52_A", "X_522_A", "",
    ] {
        assert!(!is_extension(bad), "{bad}");
    }
}
