//! Words of a note.

use super::vocabulary;

vocabulary! {
    /// What kind of notebook entry it is.
    NoteKind "note_kind" 1 OPEN {
        DutyStart = "DUTY_START": "start of duty",
        DutyEnd = "DUTY_END": "end of duty",
        Briefing = "BRIEFING": "what was briefed",
        Incident = "INCIDENT": "an incident attended",
        Observation = "OBSERVATION": "what was seen",
        Conversation = "CONVERSATION": "what was said",
        Scene = "SCENE": "scene guard or log",
        Seizure = "SEIZURE": "property seized",
        PowerUsed = "POWER_USED": "a power was used",
        WelfareCheck = "WELFARE_CHECK": "a check on someone's welfare",
        Visit = "VISIT": "a visit made",
        IntelPointer = "INTEL_POINTER": "intelligence was submitted elsewhere",
        DrugsReferral = "DRUGS_REFERRAL": "a referral to drug education",
        Other = "OTHER": "anything else",
    }
}

vocabulary! {
    /// The weather, which bears on identification.
    Weather "weather" 1 OPEN {
        Clear = "CLEAR": "clear",
        Cloud = "CLOUD": "cloudy",
        Rain = "RAIN": "rain",
        Fog = "FOG": "fog or mist",
        Snow = "SNOW": "snow or ice",
        Wind = "WIND": "strong wind",
        Indoors = "INDOORS": "indoors",
    }
}

vocabulary! {
    /// The light, which bears on identification.
    Light "light" 1 OPEN {
        Daylight = "DAYLIGHT": "daylight",
        Dawn = "DAWN": "dawn",
        Dusk = "DUSK": "dusk",
        DarkLit = "DARK_LIT": "dark, lit by lamps",
        DarkUnlit = "DARK_UNLIT": "dark, unlit",
        Artificial = "ARTIFICIAL": "indoors, artificial light",
    }
}

vocabulary! {
    /// What the disclosure officer has to know.
    DisclosureFlag "disclosure_flag" 1 OPEN {
        RelevantCpia = "RELEVANT_CPIA": "relevant material under the CPIA 1996 code",
        SensitiveUnused = "SENSITIVE_UNUSED": "sensitive unused material",
        None = "NONE": "looked at: nothing to disclose",
    }
}

vocabulary! {
    /// Where an attached picture or recording came from.
    AttachmentSource "attachment_source" 1 OPEN {
        Camera = "CAMERA": "taken with this device",
        Gallery = "GALLERY": "chosen from what the device held",
        Scan = "SCAN": "scanned paper",
    }
}
