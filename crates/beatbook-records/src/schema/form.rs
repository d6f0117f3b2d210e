//! Forms: what a text or a code must look like, beyond its length.

/// The form of a text or a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A force and a neighbourhood, `52/C02`; case counts.
    Beat,
    /// A collar number: up to 4 letters, 1 to 6 digits, up to 2 letters.
    Collar,
    /// A mail address.
    Email,
    /// An exhibit reference, such as `JS/1`.
    Exhibit,
    /// A force code: two digits.
    Force,
    /// Text of several lines.
    Free,
    /// An Ordnance Survey grid reference, such as `ST 58723 72994`.
    Grid,
    /// Initials: 1 to 6 capital letters.
    Initials,
    /// Text on one line.
    Line,
    /// A telephone number: digits, spaces, an optional leading `+`.
    Phone,
    /// A unique property reference number: 1 to 12 digits without leading zeros.
    Uprn,
    /// A unique street reference number: 1 to 8 digits without leading zeros.
    Usrn,
    /// A UUID in lower case.
    Uuid,
    /// A vehicle registration mark: 1 to 8 capital letters and digits, no spaces.
    Vrm,
}

/// A text does not have the form that its field asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A control character other than a line break where lines are allowed.
    #[error("holds a control character: take it out")]
    Control,
    /// A line break in a text that has to stay on one line.
    #[error("holds a line break: write it on one line")]
    LineBreak,
    /// The text is not in Unicode normalisation form C.
    #[error("is not normalised (NFC): normalise it before writing")]
    NotNormalised,
    /// Not of the form.
    #[error("is not {}: write it like {}", .0.word(), .0.example())]
    Shape(Form),
}

impl Form {
    /// What the form is called in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Beat => "a beat",
            Self::Collar => "a collar number",
            Self::Email => "a mail address",
            Self::Exhibit => "an exhibit reference",
            Self::Force => "a force code",
            Self::Free => "text",
            Self::Grid => "an OS grid reference",
            Self::Initials => "initials",
            Self::Line => "one line of text",
            Self::Phone => "a telephone number",
            Self::Uprn => "a UPRN",
            Self::Usrn => "a USRN",
            Self::Uuid => "a UUID",
            Self::Vrm => "a vehicle registration mark",
        }
    }

    /// An example of the form.
    pub fn example(self) -> &'static str {
        match self {
            Self::Beat => "52/C02",
            Self::Collar => "9123",
            Self::Email => "name@force.example",
            Self::Exhibit => "JS/1",
            Self::Force => "52",
            Self::Free | Self::Line => "plain text",
            Self::Grid => "ST 58723 72994",
            Self::Initials => "JS",
            Self::Phone => "01632 960123",
            Self::Uprn => "100023336956",
            Self::Usrn => "33909869",
            Self::Uuid => "018f3b9e-7a64-7c35-a2f1-5d0e8c7b6a90",
            Self::Vrm => "AB12CDE",
        }
    }

    /// Checks a text against the form, and against the rules for all text: NFC, no control characters but `\n`.
    pub fn check(self, text: &str) -> Result<(), FormError> {
        if text
            .chars()
            .any(|character| character.is_control() && character != '\n')
        {
            return Err(FormError::Control);
        }
        if !unicode_normalization::is_nfc(text) {
            return Err(FormError::NotNormalised);
        }
        if self == Self::Free {
            return Ok(());
        }
        if text.contains('\n') {
            return Err(FormError::LineBreak);
        }
        self.matches(text).then_some(()).ok_or(FormError::Shape(self))
    }

    fn matches(self, text: &str) -> bool {
        match self {
            Self::Free | Self::Line => true,
            Self::Beat => text
                .split_once('/')
                .is_some_and(|(force, beat)| is_force(force) && is_neighbourhood(beat)),
            Self::Collar => is_collar(text),
            Self::Email => text
                .split_once('@')
                .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !text.contains(' ')),
            Self::Exhibit => text
                .split_once('/')
                .is_some_and(|(initials, number)| is_initials(initials) && is_number(number, 6)),
            Self::Force => is_force(text),
            Self::Grid => crate::grid::parse(text).is_some(),
            Self::Initials => is_initials(text),
            Self::Phone => is_phone(text),
            Self::Uprn => is_number(text, 12),
            Self::Usrn => is_number(text, 8),
            Self::Uuid => is_uuid(text),
            Self::Vrm => {
                (1..=8).contains(&text.len())
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            }
        }
    }
}

fn is_force(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_neighbourhood(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=16).contains(&text.len()) && text.bytes().all(plain)
}

fn is_collar(text: &str) -> bool {
    let letters = |text: &str| text.bytes().take_while(u8::is_ascii_uppercase).count();
    let before = letters(text);
    let Some(rest) = text.get(before..) else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let Some(rest) = rest.get(digits..) else {
        return false;
    };
    before <= 4 && (1..=6).contains(&digits) && rest.len() <= 2 && letters(rest) == rest.len()
}

fn is_initials(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_number(text: &str, digits_max: usize) -> bool {
    (1..=digits_max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0')
}

fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    (3..=15).contains(&digits) && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &&str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hex)
}
