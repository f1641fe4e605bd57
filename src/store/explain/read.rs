//! The explanation of a meeting, as of one moment.

use crate::domain::alarm::Alarm;
use crate::domain::explain::{ExplainedSound, ExplainedWords, Happened, MeetingExplanation};
use crate::domain::fault::Facts;
use crate::domain::sound::SoundSource;
use crate::domain::{CompletionReason, Data, FailureStage, Meeting, MeetingId, Time};
use crate::error::{Error, Result};
use crate::store::alarms::read::alarms_of;
use crate::store::doors::Store;
use crate::store::explain::counts::{
    Counts, engine_errors, event_error, events, names, sounds, waiting_since, windows, withheld,
    words,
};
use crate::store::meetings::read::by_id_if_found;
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

impl Store {
    /// What happened to a meeting, and what is wrong with it at this time; a long read.
    /// `has_engine` says whether an engine is configured.
    pub(crate) async fn explain(
        &self,
        id: MeetingId,
        has_engine: bool,
        now: Time,
    ) -> Result<MeetingExplanation> {
        let explained = self.read_long(move |db| {
            let moment = db.unchecked_transaction()?;
            let Some(meeting) = by_id_if_found(&moment, id)? else { return Ok(None) };
            explain(&moment, &meeting, has_engine, now).map(Some)
        });
        explained.await?.ok_or(Error::NoSuchMeeting)
    }
}

fn explain(
    db: &Connection,
    meeting: &Meeting,
    has_engine: bool,
    now: Time,
) -> rusqlite::Result<MeetingExplanation> {
    let id = meeting.id;
    let sounds = sounds(db, id)?;
    let (words, alarms) = (words(db, id)?, alarms_of(db, id)?);
    let (windows, withheld) = (windows(db, id)?, withheld(db, id)?);
    let (names, webhooks) = (names(db, id)?, events(db, id)?);
    let engine_errors = engine_errors(db, id)?;
    let (recording_waits, recording_error) = recording(db, id)?;
    let waiting_since = waiting_since(db, id)?;
    let waited_ms = waiting_since.map_or(0, |since| now.as_millis() - since.as_millis());
    let uncut_ms = sounds.iter().map(|sound| sound.behind_seconds * 1000).max().unwrap_or(0);
    let with_name = names.iter().filter(|(source, _)| *source != "unknown").map(|(_, count)| count);
    let facts = Facts {
        status: meeting.status.clone(),
        was_active: meeting.start_time.is_some(),
        failure_stage: word(&meeting.data, "failure_stage", FailureStage::from_word),
        completion_reason: word(&meeting.data, "completion_reason", CompletionReason::from_word),
        is_redacted: meeting.data.members().contains_key("redacted"),
        has_engine: has_engine || has_own_engine(db, meeting)?,
        has_language: has_language(db, id)?,
        recording_waits,
        recording_error,
        sounds: sources_of(&sounds),
        heard_ms: sounds.iter().map(|sound| sound.heard_seconds * 1000).sum(),
        behind_ms: uncut_ms.max(waited_ms),
        waiting: of(&windows, "waiting"),
        waiting_since,
        last_error: engine_errors.first().map(|error| error.error.clone()),
        given_up: of(&windows, "given_up"),
        withheld: of(&windows, "withheld"),
        doubted: of(&withheld, "unsure") + of(&withheld, "repeats"),
        withheld_segments: withheld.values().sum(),
        segments: words.segments,
        named: with_name.sum(),
        lost_events: of(&webhooks, "given_up"),
    };
    let fault = facts.fault();
    Ok(MeetingExplanation {
        meeting_id: id,
        status: meeting.status.clone(),
        fault,
        sentence: facts.sentence(fault),
        what_to_do: fault.what_to_do(),
        events: happened(meeting, &sounds, &words, &alarms),
        sounds,
        windows,
        engine_errors,
        withheld,
        words,
        names,
        alarms,
        webhooks,
        webhook_error: event_error(db, id)?,
    })
}

fn of(counts: &Counts, kind: &str) -> i64 {
    counts.get(kind).copied().unwrap_or(0)
}

/// A member of a meeting's data that is a word of a list.
fn word<T>(data: &Data, name: &str, read: fn(&str) -> Option<T>) -> Option<T> {
    data.text(name).and_then(|text| read(&text))
}

/// Whether the user has an engine of their own.
fn has_own_engine(db: &Connection, meeting: &Meeting) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM user_transcription WHERE user_id = ?1 AND url IS NOT NULL";
    db.prepare_cached(sql)?.exists([meeting.user_id])
}

/// Whether the recording of a meeting waits, and what went wrong with it last.
fn recording(db: &Connection, id: MeetingId) -> rusqlite::Result<(bool, Option<String>)> {
    let sql = "SELECT next_at IS NOT NULL, last_error FROM uploads WHERE meeting_id = ?1";
    let found = db.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or_default())
}

/// Whether a language was set for a meeting, or for a sound of it.
fn has_language(db: &Connection, id: MeetingId) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM sessions WHERE meeting_id = ?1 AND language IS NOT NULL
               UNION ALL SELECT 1 FROM sounds WHERE meeting_id = ?1 AND language IS NOT NULL LIMIT 1";
    let found = db.prepare_cached(sql)?.query_row([id], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

/// A step of a meeting, as its data has it.
#[derive(Deserialize)]
struct Step {
    to: String,
    timestamp: Time,
    source: Option<String>,
    reason: Option<String>,
}

/// How many sounds are there for words to be made of them.
fn sources_of(sounds: &[ExplainedSound]) -> i64 {
    let sources = sounds.iter().filter(|sound| !is_recording(sound)).count();
    i64::try_from(sources).unwrap_or(i64::MAX)
}

/// Whether a sound is what the bot has recorded, of which no words are made.
fn is_recording(sound: &ExplainedSound) -> bool {
    sound.source == SoundSource::Recording.as_str()
}

/// What happened, in order. Where two things happened at once, the meeting's own step comes first.
fn happened(
    meeting: &Meeting,
    sounds: &[ExplainedSound],
    words: &ExplainedWords,
    alarms: &[Alarm],
) -> Vec<Happened> {
    let mut all = Vec::new();
    let mut add = |at: Option<Time>, what: String, source: Option<&str>| {
        if let Some(at) = at {
            all.push(Happened { at, what, source: source.map(str::to_owned) });
        }
    };
    add(Some(meeting.created_at), "created".to_owned(), None);
    for step in steps(meeting) {
        let what = match &step.reason {
            Some(reason) => format!("{}: {reason}", step.to),
            None => step.to.clone(),
        };
        add(Some(step.timestamp), what, step.source.as_deref());
    }
    for sound in sounds {
        let source = Some(sound.source.as_str());
        let begins = match is_recording(sound) {
            true => "the recording begins".to_owned(),
            false => format!("sound begins: {} s of it came", sound.heard_seconds),
        };
        add(Some(sound.started_at), begins, source);
        add(sound.ended_at, "sound ends".to_owned(), source);
    }
    if words.first_at.is_some() {
        add(words.first_at, "first words".to_owned(), None);
        add(words.last_at, "last words".to_owned(), None);
    }
    for alarm in alarms {
        let kind = alarm.kind.as_str();
        add(Some(alarm.raised_at), format!("alarm {kind}"), Some("server"));
        add(alarm.cleared_at, format!("alarm {kind} is over"), Some("server"));
    }
    all.sort_by_key(|happened| happened.at);
    all
}

fn steps(meeting: &Meeting) -> Vec<Step> {
    let members = meeting.data.members();
    let Some(steps) = members.get("status_transition") else { return Vec::new() };
    serde_json::from_str(steps.get()).unwrap_or_default()
}
