//! What the entries of the two streams say: payloads of `transcription_segments`, which are JSON,
//! and fields of `speaker_events_relative`.

use crate::api::segments::{EventType, SEGMENTS_MAX, SegmentName};
use crate::domain::field::{Field, Raw};
use crate::domain::sent_time::{ClockTime, SentMillis};
use crate::domain::spoken::SpokenText;
use crate::domain::string_enum::string_enum;
use crate::domain::text::SingleLine;
use crate::domain::{SegmentInput, SpeakerEvent, Time};
use crate::error::Error;
use crate::http::request::extractor::Parts;
use crate::http::request::rows::Rows;
use crate::http::{BodyRule, Extractor, FromRequest};
use crate::wire::refusal::{Outcome, Refusal, sentence};
use serde::{Deserialize, Serialize};
use std::cell::Cell;

string_enum!(
    /// What a payload is.
    PayloadType {
        /// A stream begins.
        SessionStart = "session_start",
        /// Somebody spoke.
        Transcription = "transcription",
        /// A stream ends.
        SessionEnd = "session_end",
        /// Segments are taken back.
        Retract = "transcript_retract",
    }
);

/// Whose an entry is, as it says.
pub(crate) struct Claim {
    /// The secret of a meeting.
    pub token: Option<String>,
    /// The meeting, by our id or the platform's.
    pub meeting_id: Option<String>,
    /// The stream.
    pub uid: Option<String>,
}

/// A payload of `transcription_segments`.
pub(crate) struct Payload {
    pub kind: PayloadType,
    pub claim: Claim,
    pub started_at: Option<Time>,
    pub segments: Rows<SegmentInput>,
    pub segment_ids: Vec<String>,
}

impl FromRequest for Payload {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let kind = extractor.required::<PayloadType>("type");
        let token = extractor.optional::<SingleLine<255>>("token");
        let meeting_id = extractor.optional::<SegmentName>("meeting_id");
        let uid = extractor.optional::<SingleLine<255>>("uid");
        // By this name where the bot itself writes.
        let session_uid = extractor.optional::<SingleLine<255>>("session_uid");
        let started_at = extractor.optional::<ClockTime>("start_timestamp");
        let segments = extractor.rows::<SegmentInput>("segments", SEGMENTS_MAX);
        let segment_ids = extractor.optional_list::<SegmentName>("segment_ids", SEGMENTS_MAX);
        let kind = kind?;
        match kind {
            PayloadType::Transcription if matches!(segments, Some(None)) => {
                extractor.require("segments");
            }
            PayloadType::Retract if matches!(segment_ids, Some(None)) => {
                extractor.require("segment_ids");
            }
            _ => {}
        }
        let mut ids = Vec::new();
        for id in segment_ids?.unwrap_or_default() {
            ids.push(id.0);
        }
        let uid = uid?.or(session_uid?);
        let claim = Claim {
            token: token?.map(|token| token.0),
            meeting_id: meeting_id?.map(|id| id.0),
            uid: uid.map(|uid| uid.0),
        };
        let segments = segments?.unwrap_or_default();
        let started_at = started_at?.map(|time| time.0);
        Some(Self { kind, claim, started_at, segments, segment_ids: ids })
    }
}

/// Reads a payload, or says all that is wrong with it.
pub(crate) fn payload(json: &[u8]) -> Outcome<Payload> {
    let parts =
        Parts { path: &|_| None, query: "", body: json, headers: None, streamed: Cell::default() };
    match Extractor::fill::<Payload>(&parts) {
        Ok(payload) => Ok(payload),
        Err(Error::Invalid(faults)) => Err(Refusal::unreadable(&sentence(&faults))),
        Err(error) => Err(Refusal::unreadable(&error.to_string())),
    }
}

/// An entry of `speaker_events_relative`.
pub(crate) struct SpeakerEntry {
    pub claim: Claim,
    pub event: SpeakerEvent,
}

/// The fields of an entry: names and values in turn.
pub(crate) struct Fields<'a>(pub &'a [&'a [u8]]);

impl<'a> Fields<'a> {
    /// The value of a field; of two with one name the last counts.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        let mut last = None;
        for pair in self.0.chunks_exact(2) {
            if pair[0] == name.as_bytes() {
                last = Some(pair[1]);
            }
        }
        last
    }

    /// The same as a value; an empty text is none.
    fn read<T: Field>(&self, name: &str) -> Outcome<Option<T>> {
        let Some(bytes) = self.get(name).filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Refusal::unreadable(&format!("{name}: Input should be valid UTF-8")));
        };
        match T::read(Raw::Text(text)) {
            Ok(value) => Ok(Some(value)),
            Err(invalid) => Err(Refusal::unreadable(&format!("{name}: {}", invalid.msg))),
        }
    }

    fn required<T: Field>(&self, name: &str) -> Outcome<T> {
        let missing = || Refusal::unreadable(&format!("{name}: Field required"));
        self.read(name)?.ok_or_else(missing)
    }
}

/// Reads an entry of speaker events, or says what is wrong with it first.
pub(crate) fn speaker_entry(fields: &Fields<'_>) -> Outcome<SpeakerEntry> {
    let token = fields.read::<SingleLine<255>>("token")?;
    let meeting_id = fields.read::<SingleLine<255>>("meeting_id")?;
    let uid = fields.read::<SingleLine<255>>("uid")?;
    let change = fields.required::<EventType>("event_type")?;
    let name = fields.required::<SpokenText<255>>("participant_name")?;
    let participant_id = fields.read::<SpokenText<255>>("participant_id_meet")?;
    let at = fields.required::<SentMillis>("relative_client_timestamp_ms")?;
    let Some(name) = name.trimmed() else {
        return Err(Refusal::unreadable("participant_name: Field required"));
    };
    let claim = Claim {
        token: token.map(|token| token.0),
        meeting_id: meeting_id.map(|id| id.0),
        uid: uid.map(|uid| uid.0),
    };
    let participant_id = participant_id.and_then(SpokenText::trimmed);
    let event = SpeakerEvent { change: change.0, name, participant_id, at: at.0 };
    Ok(SpeakerEntry { claim, event })
}
