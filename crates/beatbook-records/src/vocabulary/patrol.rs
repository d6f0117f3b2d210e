//! Words of a patrol: duty states, modes, stops.

use super::vocabulary;

vocabulary! {
    /// What an officer on shift is doing.
    DutyStateWord "duty_state" 1 OPEN {
        VisiblePatrol = "VISIBLE_PATROL": "patrol that the public can see",
        Engagement = "ENGAGEMENT": "talking with the public",
        VisitEnquiry = "VISIT_ENQUIRY": "visit or enquiry",
        HubWorking = "HUB_WORKING": "working from a hub on the beat",
        TravelToBeat = "TRAVEL_TO_BEAT": "on the way to the beat",
        StationAdmin = "STATION_ADMIN": "paperwork at the station",
        Briefing = "BRIEFING": "briefing",
        Refreshment = "REFRESHMENT": "refreshment break; no positions are recorded",
        Training = "TRAINING": "training",
        Court = "COURT": "court",
        MeetingPartner = "MEETING_PARTNER": "meeting with a partner",
        AbsCustodyWatch = "ABS_CUSTODY_WATCH": "abstracted: custody watch",
        AbsSceneGuard = "ABS_SCENE_GUARD": "abstracted: scene guard",
        AbsHospitalWatch = "ABS_HOSPITAL_WATCH": "abstracted: hospital watch",
        AbsMisper = "ABS_MISPER": "abstracted: missing person",
        AbsEvent = "ABS_EVENT": "abstracted: event",
        AbsOtherBeat = "ABS_OTHER_BEAT": "abstracted: another beat",
        AbsResponseCover = "ABS_RESPONSE_COVER": "abstracted: response cover",
        AbsFrontCounter = "ABS_FRONT_COUNTER": "abstracted: front counter",
        Unknown = "UNKNOWN": "not recorded; fills every gap",
    }
}

vocabulary! {
    /// How it is known whether a duty state was spent on the officer's own beat.
    BeatBasis "beat_basis" 1 CLOSED {
        Position = "POSITION": "a position inside the beat",
        Asserted = "ASSERTED": "the officer says so; counted apart",
        Outside = "OUTSIDE": "outside the beat",
    }
}

vocabulary! {
    /// How a patrol moves.
    PatrolMode "patrol_mode" 1 OPEN {
        Foot = "FOOT": "on foot",
        PedalCycle = "PEDAL_CYCLE": "by pedal cycle",
        MarkedVehicle = "MARKED_VEHICLE": "in a marked vehicle",
        UnmarkedVehicle = "UNMARKED_VEHICLE": "in an unmarked vehicle",
        BusTrain = "BUS_TRAIN": "by bus or train",
        Horse = "HORSE": "on horseback",
        Boat = "BOAT": "by boat",
        DroneSupport = "DRONE_SUPPORT": "with a drone",
    }
}

vocabulary! {
    /// Who goes along.
    Companion "companion" 1 OPEN {
        Pc = "PC": "constable",
        Pcso = "PCSO": "police community support officer",
        Special = "SPECIAL": "special constable",
        Warden = "WARDEN": "warden",
        Partner = "PARTNER": "someone from a partner",
    }
}

vocabulary! {
    /// What a stop was for.
    StopKind "stop_kind" 1 OPEN {
        HotspotDwell = "HOTSPOT_DWELL": "time spent in a hotspot",
        School = "SCHOOL": "school",
        Shop = "SHOP": "shop",
        Licensed = "LICENSED": "licensed premises",
        VulnerableVisit = "VULNERABLE_VISIT": "visit to a vulnerable person",
        VictimUpdate = "VICTIM_UPDATE": "update for a victim",
        OrderCheck = "ORDER_CHECK": "check on a court order",
        IomVisit = "IOM_VISIT": "visit under integrated offender management",
        Farm = "FARM": "farm",
        PlaceOfWorship = "PLACE_OF_WORSHIP": "place of worship",
        SpeedwatchSite = "SPEEDWATCH_SITE": "speed watch site",
        Knock = "KNOCK": "door knock",
        Welfare = "WELFARE": "welfare",
        Other = "OTHER": "anything else",
    }
}

vocabulary! {
    /// What came of a stop.
    StopResult "stop_result" 1 OPEN {
        Seen = "SEEN": "seen",
        NoReply = "NO_REPLY": "no reply",
        Refused = "REFUSED": "refused",
        Deferred = "DEFERRED": "put off",
    }
}
