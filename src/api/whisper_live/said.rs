//! What WhisperLive's clients say in texts, and the list of segments that they are told.

use crate::api::segments::EventType;
use crate::domain::SpeakerEvent;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::sent_time::SentMillis;
use crate::domain::spoken::SpokenText;
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::request::extractor::Parts;
use crate::http::{BodyRule, Extractor, FromRequest};
use crate::store::MeetingOfSecret;
use crate::transcription::SoundNews;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::VecDeque;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// How many final segments a client is told again with each new one.
const SEGMENTS_TOLD: usize = 10;

/// A name or an id: digits may come as a number.
struct Id(String);

impl Field for Id {
    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(255)).build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        if let Raw::Json(json) = raw
            && json.get().bytes().all(|byte| byte.is_ascii_digit())
        {
            return Ok(Self(json.get().to_owned()));
        }
        SingleLine::<255>::read(raw).map(|text| Self(text.0))
    }
}

/// The first text of a client.
pub(super) struct Hello {
    /// The stream.
    pub uid: String,
    /// The secret of the meeting.
    pub token: String,
    /// What the client calls the meeting: our id, or the platform's.
    meeting_id: String,
    /// What is spoken, where it says so.
    pub language: Option<String>,
}

/// Written out, because two of its fields must be there and are not used: clients that leave them out
/// are told so by WhisperLive as well.
impl FromRequest for Hello {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let uid = extractor.required::<Id>("uid");
        let token = extractor.secret::<SingleLine<255>>("token");
        let platform = extractor.required::<SingleLine<255>>("platform");
        let meeting_id = extractor.required::<Id>("meeting_id");
        let meeting_url = extractor.required::<SingleLine<4096>>("meeting_url");
        let language = extractor.optional::<SingleLine<32>>("language");
        let (_, _) = (platform?, meeting_url?);
        Some(Self {
            uid: uid?.0,
            token: token?.0,
            meeting_id: meeting_id?.0,
            language: language?.map(|language| language.0),
        })
    }
}

impl Hello {
    /// Whether the client names this meeting.
    pub(super) fn is_of(&self, meeting: &MeetingOfSecret) -> bool {
        let named = self.meeting_id.as_str();
        named == meeting.meeting_id.to_string()
            || meeting.native_meeting_id.as_deref() == Some(named)
    }
}

/// Reads the first text, or says all that is wrong with it.
pub(super) fn hello(text: &str) -> Result<Hello> {
    Extractor::fill(&parts(text))
}

/// The name that a first text gives its stream, where that can be read.
pub(super) fn uid_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        uid: String,
    }
    let named: Named = serde_json::from_str(text).ok()?;
    Some(named.uid)
}

fn parts(json: &str) -> Parts<'_> {
    Parts {
        path: &|_| None,
        query: "",
        body: json.as_bytes(),
        headers: None,
        streamed: Cell::default(),
    }
}

/// What a later text says.
pub(super) enum Said {
    /// A participant begins or ends to speak.
    Event(SpeakerEvent),
    /// The bot leaves.
    Leaving,
    /// What concerns nobody here.
    Other,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Control {
    #[serde(default)]
    event: String,
}

/// The payload of `speaker_activity`.
struct Activity(SpeakerEvent);

impl FromRequest for Activity {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let change = extractor.required::<EventType>("event_type");
        let name = extractor.required::<SpokenText<255>>("participant_name");
        let participant_id = extractor.optional::<SpokenText<255>>("participant_id_meet");
        let at = extractor.required::<SentMillis>("relative_client_timestamp_ms");
        let name = name?.trimmed();
        if name.is_none() {
            let msg = "String should have at least 1 character";
            extractor.refuse("participant_name", Invalid::new("string_too_short", msg));
        }
        let participant_id = participant_id?.and_then(SpokenText::trimmed);
        Some(Self(SpeakerEvent { change: change?.0, name: name?, participant_id, at: at?.0 }))
    }
}

/// Reads a later text. What is not known is passed over, as WhisperLive does.
pub(super) fn said(text: &str) -> Result<Said> {
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
        return Err(Error::Malformed("a text should be a JSON object"));
    };
    let payload = message.payload.map_or("{}", RawValue::get);
    match message.kind.as_str() {
        "speaker_activity" => {
            let activity: Activity = Extractor::fill(&parts(payload))?;
            Ok(Said::Event(activity.0))
        }
        "session_control" => {
            let control = serde_json::from_str::<Control>(payload);
            let is_leaving = control.is_ok_and(|control| control.event == "LEAVING_MEETING");
            Ok(if is_leaving { Said::Leaving } else { Said::Other })
        }
        _ => Ok(Said::Other),
    }
}

/// A segment as clients are told it: seconds on the clock of the sound, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    start: String,
    end: String,
    text: String,
    completed: bool,
    language: Option<String>,
}

/// The last segments, as WhisperLive lists them: the final ones, and then the draft.
#[derive(Debug, Default)]
pub(super) struct Segments {
    completed: VecDeque<Told>,
    draft: Option<Told>,
}

impl Segments {
    /// One more segment, in place of the draft.
    pub(super) fn add(&mut self, news: &SoundNews) {
        let told = Told {
            start: seconds(news.start_ms),
            end: seconds(news.end_ms),
            text: news.text.clone(),
            completed: news.completed,
            language: news.language.clone(),
        };
        if !news.completed {
            self.draft = Some(told);
            return;
        }
        self.draft = None;
        self.completed.push_back(told);
        if self.completed.len() > SEGMENTS_TOLD {
            self.completed.pop_front();
        }
    }

    /// All of them, by time.
    pub(super) fn list(&self) -> Vec<&Told> {
        self.completed.iter().chain(&self.draft).collect()
    }
}

/// Milliseconds as seconds with three digits.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(start_ms: i64, text: &str, completed: bool) -> SoundNews {
        SoundNews {
            start_ms,
            end_ms: start_ms + 1500,
            text: text.to_owned(),
            language: None,
            completed,
        }
    }

    #[test]
    fn the_last_ten_final_segments_are_told_and_one_draft() {
        let mut segments = Segments::default();
        for number in 0..12 {
            segments.add(&news(number * 2000, "draft", false));
            assert_eq!(segments.list().last().map(|told| told.completed), Some(false));
            segments.add(&news(number * 2000, "final", true));
        }
        let told = segments.list();
        assert_eq!(told.len(), SEGMENTS_TOLD);
        assert!(told.iter().all(|told| told.completed && told.text == "final"));
        assert_eq!((told[0].start.as_str(), told[9].end.as_str()), ("4.000", "23.500"));
    }

    #[test]
    fn times_are_seconds_with_three_digits() {
        for (millis, text) in [(0, "0.000"), (7, "0.007"), (61_042, "61.042"), (-250, "-0.250")] {
            assert_eq!(seconds(millis), text);
        }
    }
}
