//! Close codes: why a session ended, in one number.

use std::fmt;

/// Why a session ended. Sorted by blame: 0 nobody, 1xx the peer, 2xx versions, 3xx limits, 4xx the register, 5xx us.
///
/// ```
/// use beatbook_proto::CloseCode;
/// assert_eq!(CloseCode::DONE.to_string(), "done (0)");
/// assert!(CloseCode(999).sentence().contains("does not know"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// All done.
    pub const DONE: Self = Self(0);
    /// The server is going away; come back after its `retry_after_ms`.
    pub const GOING_AWAY: Self = Self(1);
    /// A frame did not decode.
    pub const MALFORMED: Self = Self(100);
    /// A frame came where the protocol does not allow it.
    pub const OUT_OF_ORDER: Self = Self(101);
    /// A seal, proof or receipt did not verify.
    pub const NOT_PROVED: Self = Self(102);
    /// A book's key or officer is not the session's.
    pub const NOT_YOURS: Self = Self(103);
    /// No protocol in common.
    pub const INCOMPATIBLE: Self = Self(200);
    /// Over a limit of the format.
    pub const LIMIT: Self = Self(300);
    /// The enrolment is not in the register, or no longer admitted.
    pub const NOT_ADMITTED: Self = Self(400);
    /// The store failed.
    pub const STORE: Self = Self(500);
    /// Too much at once; come back later.
    pub const BUSY: Self = Self(501);

    /// What to tell a person.
    pub const fn sentence(self) -> &'static str {
        match self.0 {
            0 => "done",
            1 => "the server is going away; it will be tried again",
            100 => "the other side could not read a frame; update the app or the server",
            101 => "the other side saw a frame out of order; update the app or the server",
            102 => "a seal, proof or receipt did not verify; entries stay on this device",
            103 => "a book of another enrolment was offered; enrol this device again",
            200 => "app and server have no protocol in common; update the older one",
            300 => "a limit of the format was passed",
            400 => "this device is not admitted; ask the force administrator",
            500 => "the server's store failed; entries stay on this device and are tried again",
            501 => "the server is busy; it will be tried again",
            _ => "closed for a reason that this build does not know",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sentence(), self.0)
    }
}
