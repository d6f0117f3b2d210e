//! Words about people: categories of data subject, ethnicity, vulnerability, safeguarding.

use super::vocabulary;

vocabulary! {
    /// The category of data subject, told apart so far as possible (DPA 2018 s.38(3)).
    SubjectCategory "subject_category" 1 OPEN {
        Suspect = "SUSPECT": "suspect",
        Convicted = "CONVICTED": "convicted person",
        Victim = "VICTIM": "victim",
        Witness = "WITNESS": "witness",
        InformationProvider = "INFORMATION_PROVIDER": "someone who gives information",
        VulnerablePerson = "VULNERABLE_PERSON": "vulnerable person",
        PartnerProfessional = "PARTNER_PROFESSIONAL": "professional of a partner",
        MemberOfPublic = "MEMBER_OF_PUBLIC": "member of the public",
    }
}

vocabulary! {
    /// Self-defined ethnicity, 18+1. Never derived from the code that an officer observes.
    SdeCode "sde_code" 1 CLOSED {
        W1 = "W1": "White: British",
        W2 = "W2": "White: Irish",
        W3 = "W3": "White: Gypsy or Irish Traveller",
        W9 = "W9": "White: any other background",
        M1 = "M1": "Mixed: White and Black Caribbean",
        M2 = "M2": "Mixed: White and Black African",
        M3 = "M3": "Mixed: White and Asian",
        M9 = "M9": "Mixed: any other background",
        A1 = "A1": "Asian: Indian",
        A2 = "A2": "Asian: Pakistani",
        A3 = "A3": "Asian: Bangladeshi",
        A4 = "A4": "Asian: Chinese",
        A9 = "A9": "Asian: any other background",
        B1 = "B1": "Black: Caribbean",
        B2 = "B2": "Black: African",
        B9 = "B9": "Black: any other background",
        O2 = "O2": "Other: Arab",
        O9 = "O9": "Other: any other group",
        Ns = "NS": "not stated",
        NotAsked = "NOT_ASKED": "not asked",
    }
}

vocabulary! {
    /// Ethnic appearance as an officer observed it.
    IcCode "ic_code" 1 CLOSED {
        Ic1 = "IC1": "White: North European",
        Ic2 = "IC2": "White: South European",
        Ic3 = "IC3": "Black",
        Ic4 = "IC4": "Asian",
        Ic5 = "IC5": "Chinese, Japanese or other South-East Asian",
        Ic6 = "IC6": "Middle Eastern",
        Ic0 = "IC0": "unknown",
        Ic9 = "IC9": "unknown (older forms)",
    }
}

vocabulary! {
    /// Why a person may be vulnerable.
    VulnerabilityFlag "vulnerability_flag" 1 OPEN {
        Child = "CHILD": "child",
        OlderAlone = "OLDER_ALONE": "older person who lives alone",
        MentalHealth = "MENTAL_HEALTH": "mental health",
        LearningDisability = "LEARNING_DISABILITY": "learning disability",
        AutismComms = "AUTISM_COMMS": "autism or communication",
        Physical = "PHYSICAL": "physical disability or illness",
        Substance = "SUBSTANCE": "drugs or alcohol",
        RoughSleeping = "ROUGH_SLEEPING": "sleeping rough",
        DomesticAbuse = "DOMESTIC_ABUSE": "domestic abuse; safe contact must be recorded",
        ExploitationCce = "EXPLOITATION_CCE": "child criminal exploitation",
        ExploitationCse = "EXPLOITATION_CSE": "child sexual exploitation",
        Cuckooing = "CUCKOOING": "home taken over by others",
        ModernSlavery = "MODERN_SLAVERY": "modern slavery",
        HateRepeat = "HATE_REPEAT": "repeatedly target of hate",
        AsbRepeat = "ASB_REPEAT": "repeatedly target of anti-social behaviour",
        FraudTarget = "FRAUD_TARGET": "target of fraud",
        SelfNeglect = "SELF_NEGLECT": "self-neglect",
        MissingRisk = "MISSING_RISK": "at risk of going missing",
        Carer = "CARER": "carer",
        Language = "LANGUAGE": "language",
        Other = "OTHER": "another reason",
    }
}

vocabulary! {
    /// How a vulnerability came to be known.
    FlagBasis "flag_basis" 1 CLOSED {
        Observed = "OBSERVED": "observed by the officer",
        Disclosed = "DISCLOSED": "disclosed by the person",
    }
}

vocabulary! {
    /// Which form a safeguarding referral takes.
    ReferralForm "referral_form" 1 OPEN {
        Ppn = "PPN": "public protection notice",
        Brag = "BRAG": "graded blue, red, amber or green",
        Other = "OTHER": "another form",
    }
}

vocabulary! {
    /// Whom a safeguarding referral is about.
    ReferralSubject "referral_subject" 1 CLOSED {
        Adult = "ADULT": "an adult",
        Child = "CHILD": "a child",
    }
}

vocabulary! {
    /// Consent to share a safeguarding referral.
    ReferralConsent "referral_consent" 1 CLOSED {
        Yes = "YES": "consents",
        No = "NO": "does not consent",
        NotAsked = "NOT_ASKED": "not asked",
        Overridden = "OVERRIDDEN": "shared without consent; needs a reason",
    }
}

vocabulary! {
    /// The grade of a safeguarding referral, by either scheme.
    RiskGrade "risk_grade" 1 OPEN {
        Red = "RED": "red",
        Amber = "AMBER": "amber",
        Green = "GREEN": "green",
        Blue = "BLUE": "blue",
        High = "HIGH": "high",
        Medium = "MEDIUM": "medium",
        Low = "LOW": "low",
    }
}

vocabulary! {
    /// Who receives a safeguarding referral.
    ReferredTo "referred_to" 1 OPEN {
        Mash = "MASH": "multi-agency safeguarding hub",
        AdultSocialCare = "ADULT_SOCIAL_CARE": "adult social care",
        Gp = "GP": "general practitioner",
        School = "SCHOOL": "school",
        Other = "OTHER": "someone else",
    }
}
