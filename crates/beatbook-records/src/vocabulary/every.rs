//! Words that every record may carry: marking, lifecycle, purpose, retention, place.

use super::vocabulary;

vocabulary! {
    /// How the record is marked; nothing higher is accepted.
    Marking "marking" 1 CLOSED {
        Official = "OFFICIAL": "ordinary policing information",
        OfficialSensitive = "OFFICIAL_SENSITIVE": "need to know: a feed of its own, for those with the grant",
    }
}

vocabulary! {
    /// Where a record stands.
    Lifecycle "lifecycle" 1 CLOSED {
        Draft = "DRAFT": "still being written; syncs, and is shown as a draft",
        Signed = "SIGNED": "signed by its author",
        Submitted = "SUBMITTED": "handed to a supervisor",
        Checked = "CHECKED": "checked by a supervisor",
        Restricted = "RESTRICTED": "hidden from all but a named role",
        Erased = "ERASED": "content destroyed by law; the number stays",
        Void = "VOID": "a draft that was given up; the number stays",
    }
}

vocabulary! {
    /// Rank or standing of who writes.
    Role "role" 1 OPEN {
        Pcso = "PCSO": "police community support officer",
        Pc = "PC": "constable",
        Special = "SPECIAL": "special constable",
        Sgt = "SGT": "sergeant",
        Insp = "INSP": "inspector",
        Cinsp = "CINSP": "chief inspector",
        Staff = "STAFF": "police staff",
        Volunteer = "VOLUNTEER": "police support volunteer",
        System = "SYSTEM": "written by a program",
    }
}

vocabulary! {
    /// Which law governs the processing.
    Regime "regime" 1 CLOSED {
        Part3Le = "PART3_LE": "law enforcement, Data Protection Act 2018 Part 3",
        UkgdprGeneral = "UKGDPR_GENERAL": "general: newsletters, schools, watch co-ordinators, volunteers",
    }
}

vocabulary! {
    /// The policing purpose that the record serves.
    Purpose "purpose" 1 CLOSED {
        ProtectLifeProperty = "PROTECT_LIFE_PROPERTY": "protecting life and property",
        PreserveOrder = "PRESERVE_ORDER": "preserving order",
        PreventOffences = "PREVENT_OFFENCES": "preventing offences",
        OffendersToJustice = "OFFENDERS_TO_JUSTICE": "bringing offenders to justice",
        Duty = "DUTY": "a duty or responsibility of the police by law",
    }
}

vocabulary! {
    /// How long the record is kept.
    RetentionGroup "retention_group" 1 OPEN {
        G1 = "G1": "certain public-protection matters: review every 10 years",
        G2 = "G2": "other sexual, violent or serious: review after each clear period of 10 years",
        G3 = "G3": "all other offences: after a clear period of 6 years",
        G4 = "G4": "undetected crime: 6 years at least",
        Notebook = "NOTEBOOK": "pocket notebook: the force's schedule, 6 to 7 years usual",
        TrackPoints = "TRACK_POINTS": "raw positions: 12 months, then only totals",
        GeneralContact = "GENERAL_CONTACT": "until consent is withdrawn, or 24 months idle",
    }
}

vocabulary! {
    /// How one record stands to another.
    LinkRelation "link_relation" 1 OPEN {
        About = "ABOUT": "is about the other",
        EvidenceFor = "EVIDENCE_FOR": "is evidence for the other",
        Follows = "FOLLOWS": "follows on from the other",
        SameIncident = "SAME_INCIDENT": "belongs to the same incident",
    }
}

vocabulary! {
    /// Where a position came from.
    FixSource "fix_source" 1 OPEN {
        Gnss = "GNSS": "satellites",
        Fused = "FUSED": "several sources, combined by the device",
        Cell = "CELL": "the mobile network",
        Manual = "MANUAL": "set by the officer",
        None = "NONE": "no fix",
    }
}

vocabulary! {
    /// What kind of place it is.
    LocationType "location_type" 1 OPEN {
        Street = "STREET": "street or open road",
        Dwelling = "DWELLING": "home",
        School = "SCHOOL": "school or college",
        Shop = "SHOP": "shop",
        Licensed = "LICENSED": "licensed premises",
        Park = "PARK": "park or open space",
        Transport = "TRANSPORT": "station, stop or vehicle of public transport",
        Farm = "FARM": "farm",
        PlaceOfWorship = "PLACE_OF_WORSHIP": "place of worship",
        Health = "HEALTH": "surgery, hospital or clinic",
        Other = "OTHER": "another place",
    }
}

vocabulary! {
    /// How exactly a place may be shown when the record is exported.
    LocationPrivacy "location_privacy" 1 CLOSED {
        Exact = "EXACT": "as recorded",
        Street = "STREET": "the street only",
        BeatOnly = "BEAT_ONLY": "the beat only",
        Withheld = "WITHHELD": "not at all",
    }
}
