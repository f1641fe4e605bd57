//! `XADD`: what bots and feeders bring is stored, and answered after its commit.

use crate::api::segments::record_usage;
use crate::budget::Holder;
use crate::domain::{SegmentInput, SpeakerEvent, Time, TokenHash};
use crate::error::Result;
use crate::http::request::rows::RefusedRow;
use crate::metrics::PayloadRefusal;
use crate::store::{BeginStream, MeetingOfSecret, RetractSegments, StoreSegmentBatch};
use crate::wire::client::Client;
use crate::wire::login::Rejection;
use crate::wire::payload::{Claim, Fields, Payload, PayloadType, payload, speaker_entry};
use crate::wire::refusal::{Outcome, Refusal};
use std::time::Duration;

/// The stream of segments.
const SEGMENTS: &[u8] = b"transcription_segments";
/// The stream of speaker events.
const SPEAKER_EVENTS: &[u8] = b"speaker_events_relative";
/// The field of an entry of segments.
const PAYLOAD: &str = "payload";
/// How long a reply waits while the writer's queue is full: clients do not repeat a command that
/// was answered with an error.
pub(crate) const QUEUE_TIME_MAX: Duration = Duration::from_secs(5);

/// Where the words of an entry belong.
struct Target {
    token_hash: TokenHash,
    /// The stream: as the entry says, or the session of a bot.
    uid: Option<String>,
}

impl Target {
    fn stream(self) -> Outcome<(TokenHash, String)> {
        let missing = || Refusal::unreadable("uid: Field required");
        Ok((self.token_hash, self.uid.ok_or_else(missing)?))
    }
}

/// `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] id field value …`; returns
/// the id of the entry. Entries of other streams are dropped.
pub(crate) async fn xadd(client: &mut Client, arguments: &[&[u8]]) -> Outcome<String> {
    let (key, fields) = entry(arguments)?;
    match key {
        SEGMENTS => {
            let Some(json) = fields.get(PAYLOAD) else {
                return Err(Refusal::unreadable("the entry has no field payload"));
            };
            store_payload(client, payload(json)?).await?;
        }
        SPEAKER_EVENTS => {
            let entry = speaker_entry(&fields)?;
            let target = judge(client, &entry.claim)?;
            store_batch(client, target, Vec::new(), vec![entry.event]).await?;
        }
        _ => {}
    }
    Ok(client.endpoint.ids.next(client.now()))
}

/// The key and the fields of an entry.
fn entry<'a>(arguments: &'a [&'a [u8]]) -> Outcome<(&'a [u8], Fields<'a>)> {
    let syntax = || Refusal::new("ERR syntax error");
    let (key, mut rest) = arguments.split_first().ok_or_else(syntax)?;
    loop {
        let (option, after) = rest.split_first().ok_or_else(syntax)?;
        rest = match option.to_ascii_uppercase().as_slice() {
            b"NOMKSTREAM" => after,
            b"MAXLEN" | b"MINID" => after_threshold(after).ok_or_else(syntax)?,
            _ => break,
        };
    }
    let (id, fields) = rest.split_first().ok_or_else(syntax)?;
    if !is_id(id) {
        let text = "ERR Invalid stream ID specified as stream command argument";
        return Err(Refusal::new(text));
    }
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(Refusal::new("ERR wrong number of arguments for 'xadd' command"));
    }
    Ok((key, Fields(fields)))
}

/// What follows the threshold of a trimming option; nothing is trimmed here.
fn after_threshold<'a>(rest: &'a [&'a [u8]]) -> Option<&'a [&'a [u8]]> {
    let rest = match rest.first()? {
        &b"=" | &b"~" => &rest[1..],
        _ => rest,
    };
    let (_, after) = rest.split_first()?;
    match after.first() {
        Some(word) if word.eq_ignore_ascii_case(b"LIMIT") => after.get(2..),
        _ => Some(after),
    }
}

/// Whether this is `*`, or an id as a client may choose it: the endpoint gives its own all the same.
fn is_id(id: &[u8]) -> bool {
    let text = std::str::from_utf8(id).unwrap_or_default();
    let (millis, number) = text.split_once('-').unwrap_or((text, "0"));
    let is_number = |text: &str| text.parse::<u64>().is_ok() && !text.starts_with('+');
    text == "*" || (is_number(millis) && (number == "*" || is_number(number)))
}

async fn store_payload(client: &mut Client, payload: Payload) -> Outcome<()> {
    let target = judge(client, &payload.claim)?;
    match payload.kind {
        PayloadType::SessionStart => begin_stream(client, target, payload.started_at).await,
        PayloadType::Transcription => {
            let refused = payload.segments.refused;
            let stored = payload.segments.read.len();
            store_batch(client, target, payload.segments.read, Vec::new()).await?;
            some_refused(&refused, stored)
        }
        // Drafts become final by their rest.
        PayloadType::SessionEnd => Ok(()),
        PayloadType::Retract => retract(client, target, payload.segment_ids).await,
    }
}

/// Which meeting an entry belongs to. Of a bot it is the bot's own; of a feeder, that of the secret
/// which the entry brings.
fn judge(client: &mut Client, claim: &Claim) -> Outcome<Target> {
    let own = client.bot().map(|bot| (bot.token_hash, bot.meeting.clone()));
    let is_bot = own.is_some();
    let (token_hash, meeting) = match (own, &claim.token) {
        (Some((token_hash, meeting)), Some(token)) => {
            if TokenHash::of(token.as_bytes()) != token_hash {
                return Err(other_meeting("the token is not of this connection's meeting"));
            }
            (token_hash, meeting)
        }
        (Some(own), None) => own,
        (None, Some(token)) => {
            client.meeting_of(token.as_bytes(), "XADD").map_err(Rejection::of_payload)?
        }
        (None, None) => {
            let text = "NOPERM the payload has no token";
            return Err(Refusal::of_payload(PayloadRefusal::UnknownToken, text));
        }
    };
    if let Some(id) = &claim.meeting_id
        && !is_name_of(id, &meeting)
    {
        return Err(other_meeting("the token is not of the meeting that meeting_id names"));
    }
    let own_uid = if is_bot { Some(meeting.uid) } else { None };
    let uid = claim.uid.clone().or(own_uid);
    client.trust_feeder(Holder::Bot(token_hash));
    Ok(Target { token_hash, uid })
}

fn other_meeting(why: &str) -> Refusal {
    Refusal::of_payload(PayloadRefusal::OtherMeeting, format!("NOPERM {why}"))
}

/// Whether a meeting is called so: by our id, or by the platform's.
fn is_name_of(id: &str, meeting: &MeetingOfSecret) -> bool {
    id == meeting.meeting_id.to_string() || meeting.native_meeting_id.as_deref() == Some(id)
}

async fn begin_stream(client: &Client, target: Target, started_at: Option<Time>) -> Outcome<()> {
    let now = client.now();
    let (token_hash, uid) = target.stream()?;
    let begin = BeginStream { token_hash, uid, started_at: started_at.unwrap_or(now), now };
    let written = client.endpoint.app.store.write_within(begin, QUEUE_TIME_MAX).await;
    written.map_err(|error| Refusal::of_store(&error))
}

async fn store_batch(
    client: &Client,
    target: Target,
    segments: Vec<SegmentInput>,
    events: Vec<SpeakerEvent>,
) -> Outcome<()> {
    let app = &client.endpoint.app;
    let now = client.now();
    let (token_hash, uid) = target.stream()?;
    let batch = StoreSegmentBatch { token_hash, uid, started_at: None, segments, events, now };
    let stored = app.store.write_within(batch, QUEUE_TIME_MAX).await;
    let stored = stored.map_err(|error| Refusal::of_store(&error))?;
    record_usage(app, &stored, now);
    Ok(())
}

async fn retract(client: &Client, target: Target, segment_ids: Vec<String>) -> Outcome<()> {
    let app = &client.endpoint.app;
    let now = client.now();
    let retract = RetractSegments { token_hash: target.token_hash, segment_ids, now };
    let retracted: Result<_> = app.store.write_within(retract, QUEUE_TIME_MAX).await;
    let retracted = retracted.map_err(|error| Refusal::of_store(&error))?;
    record_usage(app, &retracted, now);
    Ok(())
}

/// Says which segments were not stored, if any: nobody is told that they were.
fn some_refused(refused: &[RefusedRow], stored: usize) -> Outcome<()> {
    let Some(first) = refused.first() else { return Ok(()) };
    let count = refused.len();
    Err(Refusal::unreadable(&format!(
        "{count} segments were refused, the first of them segments: {}: {}; the other {stored} \
         are stored",
        first.index, first.reason
    )))
}
