//! Why a key opens no door, as it is told to whoever holds it.

use crate::domain::id::TokenId;
use crate::domain::time::Time;

/// What a request brought in place of the key that it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentInstead {
    /// Nothing that looks like a key.
    Nothing,
    /// The right header, empty.
    Empty,
    /// A key in this header.
    Header(&'static str),
    /// A key in the query.
    Query,
}

impl SentInstead {
    /// The end of a sentence that says which header was expected.
    pub(crate) fn hint(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Empty => " That header is there and empty.".to_owned(),
            Self::Header(name) => format!(" The request has the header {name} instead."),
            Self::Query => " The request has a key in its query instead.".to_owned(),
        }
    }
}

/// What is wrong with a key. Whoever does not hold the secret learns of the first four alone, which
/// tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRejection {
    /// None was sent.
    Missing(SentInstead),
    /// The header was sent twice.
    Repeated,
    /// Length, characters or checksum are wrong: it was cut or mistyped on the way.
    Mistyped,
    /// No such key.
    Unknown,
    /// Its time is over; it may have been rotated to another.
    Expired(Time, Option<TokenId>),
    /// It was not used for as long as it might be; since then.
    Unused(Time),
    /// It was revoked.
    Revoked(Time),
    /// It is disabled.
    Disabled(Time),
    /// Its user is disabled.
    UserDisabled(Time),
    /// It is a ticket that is not accepted, for whatever reason.
    Ticket,
}

impl KeyRejection {
    /// The machine's word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Repeated => "repeated",
            Self::Mistyped => "mistyped",
            Self::Unknown => "unknown",
            Self::Expired(..) => "expired",
            Self::Unused(_) => "unused",
            Self::Revoked(_) => "revoked",
            Self::Disabled(_) => "disabled",
            Self::UserDisabled(_) => "user_disabled",
            Self::Ticket => "ticket",
        }
    }

    /// What is wrong and what to do, in a sentence or two.
    pub fn reason(self) -> String {
        match self {
            Self::Missing(instead) => format!("No key was sent.{}", instead.hint()),
            Self::Repeated => "The header of the key was sent twice; send it once.".to_owned(),
            Self::Mistyped => {
                "The key is mistyped: its length, its characters or its checksum are wrong. Copy it anew, without quotes or words before it.".to_owned()
            }
            Self::Unknown => {
                "No such key is known here. It may be of another server, or of a user who was removed.".to_owned()
            }
            Self::Expired(at, None) => format!("The key expired on {at}. Ask your administrator for a new one."),
            Self::Expired(at, Some(by)) => format!("The key was exchanged for token {by} and expired on {at}."),
            Self::Unused(since) => format!("The key was last used on {since}, and has ended by disuse."),
            Self::Revoked(at) => format!("The key was revoked on {at}. Ask your administrator for a new one."),
            Self::Disabled(at) => format!("The key was disabled on {at}. Your administrator can enable it."),
            Self::UserDisabled(at) => format!("The user was disabled on {at}. Your administrator can enable them."),
            Self::Ticket => {
                "The ticket is wrong, was used already, is for another path, or has ended. Ask for another one with POST /tickets.".to_owned()
            }
        }
    }
}
