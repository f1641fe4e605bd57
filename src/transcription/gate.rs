//! What an engine heard and is not believed: it is withheld, with the reason. Engines say words of
//! silence and noise, and get caught in repetitions.

use crate::domain::sound::WithheldReason;
use crate::transcription::heard::{Heard, HeardSegment};
use crate::transcription::known::{is_known_of_silence, is_said_by_people_too, plain};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

// The figures are those by which Whisper itself repeats or drops a window: `compression_ratio_threshold`,
// `logprob_threshold` and `no_speech_threshold` in `whisper/transcribe.py` of openai/whisper.

/// A text that can be compressed further than this repeats itself.
const COMPRESSION_MAX: f64 = 2.4;
/// Words of this mean probability (its logarithm) are guessed.
const LOGPROB_MIN: f64 = -1.0;
/// From this probability on nobody speaks, if the words are guessed too.
const NO_SPEECH_MAX: f64 = 0.6;

/// The same words so often in a row are a repetition.
const SAME_MAX: usize = 4;
/// Who says words needs at least so much voice for each letter, in milliseconds.
const LETTER_MS: u64 = 40;
/// How far from its voice a segment may lie, in milliseconds: engines' times are rough.
const BESIDE_MS: u64 = 300;

/// What an engine heard, judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Judged {
    /// What is believed, by time.
    pub kept: Vec<HeardSegment>,
    /// What is not, and why.
    pub withheld: Vec<(HeardSegment, WithheldReason)>,
}

impl Judged {
    /// Everything is believed: for a server whose gate is off.
    pub(crate) fn without_gate(heard: Heard) -> Self {
        Self { kept: heard.segments, withheld: Vec::new() }
    }
}

/// Judges what was heard in a window. `voice` are the spans of the window in which there is voice,
/// in milliseconds from its beginning ([`crate::transcription::voice::voice_of`]).
pub(crate) fn judge(heard: Heard, voice: &[(u64, u64)]) -> Judged {
    let mut judged = Judged::default();
    let mut last = String::new();
    let mut same = 0;
    for segment in heard.segments {
        let text = plain(&segment.text);
        same = if text == last && !text.is_empty() { same + 1 } else { 1 };
        let reason = match same >= SAME_MAX {
            true => Some(WithheldReason::Repeats),
            false => reason_against(&segment, &text, voice),
        };
        match reason {
            Some(reason) => judged.withheld.push((segment, reason)),
            None => judged.kept.push(segment),
        }
        last = text;
    }
    judged
}

/// Why a segment is not believed, if so.
fn reason_against(
    segment: &HeardSegment,
    text: &str,
    voice: &[(u64, u64)],
) -> Option<WithheldReason> {
    let voice_ms = voice_within(segment, voice);
    let no_speech = segment.no_speech_prob.unwrap_or_default();
    if is_known_of_silence(text) {
        return Some(WithheldReason::KnownOfSilence);
    }
    let letters = text.chars().filter(|letter| *letter != ' ').count() as u64;
    let is_short = voice_ms < letters * LETTER_MS;
    if is_said_by_people_too(text) && (is_short || no_speech > NO_SPEECH_MAX) {
        return Some(WithheldReason::KnownOfSilence);
    }
    let compression = segment.compression_ratio.unwrap_or_else(|| compression_of(&segment.text));
    if compression > COMPRESSION_MAX {
        return Some(WithheldReason::Repeats);
    }
    let is_guessed = segment.avg_logprob.is_some_and(|logprob| logprob < LOGPROB_MIN);
    if no_speech > NO_SPEECH_MAX && is_guessed {
        return Some(WithheldReason::Unsure);
    }
    (voice_ms == 0).then_some(WithheldReason::NoVoice)
}

/// How much voice there is in a segment, in milliseconds.
fn voice_within(segment: &HeardSegment, voice: &[(u64, u64)]) -> u64 {
    let begin = segment.start_ms.saturating_sub(BESIDE_MS);
    let end = segment.end_ms.saturating_add(BESIDE_MS);
    let mut sum = 0;
    for (voice_begin, voice_end) in voice {
        sum += end.min(*voice_end).saturating_sub(begin.max(*voice_begin));
    }
    sum
}

/// How far a text can be compressed, as Whisper reckons it: its bytes, by those that zlib makes of
/// them.
fn compression_of(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    // Writing into memory does not fail.
    let bytes = compressed.map_or(text.len(), |compressed| compressed.len());
    #[expect(clippy::cast_precision_loss, reason = "texts are short")]
    let ratio = text.len() as f64 / bytes.max(1) as f64;
    ratio
}

mod tests;
