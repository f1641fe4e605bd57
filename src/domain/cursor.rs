//! How far a client has read a transcript.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::MeetingId;
use serde::{Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Longest cursor: three numbers and what stands between them.
const LENGTH_MAX: usize = 64;

/// How far a client has read a transcript. Clients take it as a text that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TranscriptCursor {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// When a backup took the place of the database, in milliseconds since 1970; 0 where none did.
    pub restored_at_ms: i64,
    /// The revision of the transcript.
    pub revision: i64,
}

impl TranscriptCursor {
    /// Whether it is an earlier state of the same transcript, or this one.
    pub(crate) fn leads_to(self, now: Self) -> bool {
        (self.meeting_id, self.restored_at_ms) == (now.meeting_id, now.restored_at_ms)
            && self.revision <= now.revision
    }
}

impl fmt::Display for TranscriptCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.meeting_id, self.restored_at_ms, self.revision)
    }
}

impl Serialize for TranscriptCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for TranscriptCursor {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(LENGTH_MAX))
            .description(Some("The `cursor` of an earlier response, as it is."))
            .examples(["1.0.17"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        let invalid = || {
            let msg =
                "Value error, this is not a cursor: send that of an earlier response, or none";
            Invalid::new("value_error", msg)
        };
        let mut numbers = text.split('.').map(number);
        let parts = (numbers.next(), numbers.next(), numbers.next(), numbers.next());
        match parts {
            (Some(Some(id)), Some(Some(restored_at_ms)), Some(Some(revision)), None) => {
                Ok(Self { meeting_id: MeetingId(id), restored_at_ms, revision })
            }
            _ => Err(invalid()),
        }
    }
}

/// A number of digits alone.
fn number(text: &str) -> Option<i64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

impl PartialSchema for TranscriptCursor {
    fn schema() -> RefOr<Schema> {
        <Self as Field>::schema().into()
    }
}

impl ToSchema for TranscriptCursor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        let cursor = TranscriptCursor {
            meeting_id: MeetingId(7),
            restored_at_ms: 1_700_000_000_000,
            revision: 12,
        };
        assert_eq!(cursor.to_string(), "7.1700000000000.12");
        assert_eq!(TranscriptCursor::read(Raw::Text(&cursor.to_string())).ok(), Some(cursor));
        for text in [
            "",
            "7",
            "7.0",
            "7.0.",
            "7.0.1.1",
            "-7.0.1",
            "7.0.+1",
            "7.0.x",
            " 7.0.1",
            "7.0.1 ",
            "9999999999999999999.0.1",
            "7,0,1",
        ] {
            assert!(TranscriptCursor::read(Raw::Text(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_an_earlier_state_of_the_same_transcript_leads_to_a_later_one() {
        let at = |id, restored_at_ms, revision| TranscriptCursor {
            meeting_id: MeetingId(id),
            restored_at_ms,
            revision,
        };
        let now = at(7, 5, 12);
        for (before, leads) in [
            (at(7, 5, 12), true),
            (at(7, 5, 0), true),
            (at(7, 5, 13), false),
            (at(7, 0, 3), false),
            (at(8, 5, 3), false),
        ] {
            assert_eq!(before.leads_to(now), leads, "{before}");
        }
    }
}
