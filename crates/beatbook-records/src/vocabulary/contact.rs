//! Words of a contact: how people were engaged, what they said, what came of it.

use super::vocabulary;

vocabulary! {
    /// The strand of engagement.
    Strand "strand" 1 CLOSED {
        Inform = "INFORM": "telling people",
        Consult = "CONSULT": "asking people",
        Cooperate = "COOPERATE": "working with people",
    }
}

vocabulary! {
    /// How the contact was made.
    ContactMethod "contact_method" 1 OPEN {
        Street = "STREET": "in the street",
        Doorstep = "DOORSTEP": "at the door",
        Surgery = "SURGERY": "beat surgery",
        Meeting = "MEETING": "meeting",
        ForumRural = "FORUM_RURAL": "rural forum",
        ForumBusiness = "FORUM_BUSINESS": "business forum",
        SchoolLesson = "SCHOOL_LESSON": "lesson at a school",
        SchoolVisit = "SCHOOL_VISIT": "visit to a school",
        DropIn = "DROP_IN": "drop-in",
        Phone = "PHONE": "telephone",
        Email = "EMAIL": "mail",
        SocialPost = "SOCIAL_POST": "post on social media",
        SocialReply = "SOCIAL_REPLY": "reply on social media",
        Leaflet = "LEAFLET": "leaflet",
        Event = "EVENT": "event",
        PatrolWith = "PATROL_WITH": "patrol together",
        Survey = "SURVEY": "survey",
        Other = "OTHER": "another way",
    }
}

vocabulary! {
    /// With whom.
    ContactKind "contact_kind" 1 CLOSED {
        Individual = "INDIVIDUAL": "one person",
        Group = "GROUP": "a group; needs the reach",
        Org = "ORG": "an organisation",
        Broadcast = "BROADCAST": "anyone who reads it; needs the reach",
    }
}

vocabulary! {
    /// How far the person is identified.
    IdentityLevel "identity_level" 1 CLOSED {
        Named = "NAMED": "by name",
        Alias = "ALIAS": "by a name of their choice",
        Anonymous = "ANONYMOUS": "not at all: no name, phone, mail or exact address",
        Declined = "DECLINED": "asked, and declined",
    }
}

vocabulary! {
    /// How consent to be contacted over one channel stands.
    ConsentStanding "consent_standing" 1 CLOSED {
        Given = "GIVEN": "given",
        Refused = "REFUSED": "refused",
        Withdrawn = "WITHDRAWN": "withdrawn; outweighs all others while two are in conflict",
    }
}

vocabulary! {
    /// What a concern is about: the priorities, and the types of anti-social behaviour.
    Topic "topic" 1 OPEN {
        RoadSafety = "ROAD_SAFETY": "road safety",
        Asb = "ASB": "anti-social behaviour",
        DrugCrime = "DRUG_CRIME": "drug crime",
        Burglary = "BURGLARY": "burglary",
        Violence = "VIOLENCE": "violence",
        ShopTheft = "SHOP_THEFT": "theft from shops",
        Rural = "RURAL": "rural crime",
        Vawg = "VAWG": "violence against women and girls",
        VehicleAbandoned = "VEHICLE_ABANDONED": "abandoned vehicle",
        VehicleNuisance = "VEHICLE_NUISANCE": "vehicle nuisance",
        RowdyInconsiderate = "ROWDY_INCONSIDERATE": "rowdy or inconsiderate behaviour",
        RowdyNuisanceNeighbours = "ROWDY_NUISANCE_NEIGHBOURS": "rowdy or nuisance neighbours",
        LitteringDrugParaphernalia = "LITTERING_DRUG_PARAPHERNALIA": "litter or drug paraphernalia",
        AnimalProblems = "ANIMAL_PROBLEMS": "animal problems",
        Trespass = "TRESPASS": "trespass",
        MaliciousNuisanceComms = "MALICIOUS_NUISANCE_COMMS": "malicious or nuisance communications",
        StreetDrinking = "STREET_DRINKING": "street drinking",
        ProstitutionRelated = "PROSTITUTION_RELATED": "related to prostitution",
        Noise = "NOISE": "noise",
        BeggingVagrancy = "BEGGING_VAGRANCY": "begging or vagrancy",
        Fireworks = "FIREWORKS": "fireworks",
        Other = "OTHER": "anything else",
    }
}

vocabulary! {
    /// Whom anti-social behaviour is aimed at.
    AsbQualifier "asb_qualifier" 1 CLOSED {
        Personal = "PERSONAL": "aimed at a person or group",
        Nuisance = "NUISANCE": "a nuisance to the community",
        Environmental = "ENVIRONMENTAL": "harm to the surroundings",
    }
}

vocabulary! {
    /// Where a concern was heard.
    ConcernSource "concern_source" 1 OPEN {
        Resident = "RESIDENT": "resident",
        Business = "BUSINESS": "business",
        Partner = "PARTNER": "partner",
        School = "SCHOOL": "school",
        Visitor = "VISITOR": "visitor",
        Other = "OTHER": "someone else",
    }
}

vocabulary! {
    /// An answer from 1 (least) to 5 (most).
    Feeling "feeling" 1 CLOSED {
        One = "1": "least",
        Two = "2": "little",
        Three = "3": "middling",
        Four = "4": "much",
        Five = "5": "most",
        NotAsked = "NOT_ASKED": "not asked",
    }
}

vocabulary! {
    /// Advice that was given.
    Advice "advice" 1 OPEN {
        Locks = "LOCKS": "locks and doors",
        BikeMarking = "BIKE_MARKING": "marking of cycles",
        Fraud = "FRAUD": "fraud",
        Online = "ONLINE": "safety online",
        Vehicle = "VEHICLE": "vehicle security",
        RuralPlant = "RURAL_PLANT": "security of farm plant",
        PersonalSafety = "PERSONAL_SAFETY": "personal safety",
        Other = "OTHER": "other advice",
    }
}

vocabulary! {
    /// What came of the contact.
    ContactOutcome "contact_outcome" 1 OPEN {
        NoAction = "NO_ACTION": "no action",
        Advice = "ADVICE": "advice given",
        TaskRaised = "TASK_RAISED": "a task was raised",
        Referred = "REFERRED": "referred",
        IntelSubmitted = "INTEL_SUBMITTED": "intelligence was submitted",
        SafeguardingRaised = "SAFEGUARDING_RAISED": "safeguarding was raised",
        DiversionReferred = "DIVERSION_REFERRED": "referred to a diversion scheme",
    }
}

vocabulary! {
    /// Age in bands, for equality monitoring.
    AgeBand "age_band" 1 OPEN {
        Under18 = "UNDER_18": "under 18",
        From18To24 = "18_24": "18 to 24",
        From25To34 = "25_34": "25 to 34",
        From35To44 = "35_44": "35 to 44",
        From45To54 = "45_54": "45 to 54",
        From55To64 = "55_64": "55 to 64",
        From65To74 = "65_74": "65 to 74",
        Over74 = "75_OVER": "75 and over",
        NotStated = "NOT_STATED": "asked, not stated",
        NotAsked = "NOT_ASKED": "not asked",
    }
}
