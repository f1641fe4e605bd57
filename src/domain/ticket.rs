//! Tickets: what stands in an address in place of a key.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::MeetingId;
use serde::{Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{PartialSchema, ToSchema};

/// The path of the live feed.
const LIVE: &str = "/ws";
/// How long a ticket of a socket is accepted, in seconds.
const LIVE_SECONDS: i64 = 60;
/// The path of a meeting's sound, as the API document writes it.
const SOUND: &str = "/meetings/{id}/audio";
/// How long a ticket of a sound is accepted, in seconds: a player asks for one piece after another.
const SOUND_SECONDS: i64 = 600;

/// A path that takes a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TicketPath {
    /// The live feed: `/ws`.
    Live,
    /// The sound of a meeting: `/meetings/{id}/audio`.
    Sound(MeetingId),
}

impl TicketPath {
    /// The path of a request, where it takes a ticket.
    pub(crate) fn of(path: &str) -> Option<Self> {
        if path == LIVE {
            return Some(Self::Live);
        }
        let id = path.strip_prefix("/meetings/")?.strip_suffix("/audio")?;
        MeetingId::read(Raw::Text(id)).ok().map(Self::Sound)
    }

    /// Whether a row of the table takes tickets, by its path as the API document writes it.
    pub(crate) fn is_of_row(path: &str) -> bool {
        path == LIVE || path == SOUND
    }

    /// How long a ticket for it is accepted, in seconds.
    pub(crate) fn seconds(self) -> i64 {
        match self {
            Self::Live => LIVE_SECONDS,
            Self::Sound(_) => SOUND_SECONDS,
        }
    }

    /// Whether a ticket for it is used up by its first use.
    pub(crate) fn is_once(self) -> bool {
        self == Self::Live
    }
}

impl fmt::Display for TicketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str(LIVE),
            Self::Sound(id) => write!(f, "/meetings/{id}/audio"),
        }
    }
}

impl Serialize for TicketPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for TicketPath {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^(/ws|/meetings/[1-9][0-9]*/audio)$"))
            .description(Some("`/ws`, or `/meetings/{id}/audio` with the id of a meeting."))
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let found = Self::of(&raw.string()?);
        found.ok_or_else(|| {
            let expected = format!("'{LIVE}' or '{SOUND}'");
            Invalid::new("enum", format!("Input should be {expected}")).with("expected", expected)
        })
    }
}

impl PartialSchema for TicketPath {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        <Self as Field>::schema().into()
    }
}

impl ToSchema for TicketPath {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_paths_take_a_ticket() {
        for (path, expected) in [
            ("/ws", Some(TicketPath::Live)),
            ("/meetings/7/audio", Some(TicketPath::Sound(MeetingId(7)))),
            ("/ws/", None),
            ("/meetings/7", None),
            ("/meetings/07/audio", None),
            ("/meetings/0/audio", None),
            ("/meetings/{id}/audio", None),
            ("/meetings//audio", None),
            ("/meetings/7/audio/", None),
            ("", None),
        ] {
            assert_eq!(TicketPath::of(path), expected, "{path}");
            if let Some(found) = expected {
                assert_eq!(found.to_string(), path);
            }
        }
    }
}
