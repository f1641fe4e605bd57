//! Finished words of elsewhere, or of an export: our JSON, `SubRip` and `WebVTT`.

use crate::domain::segment::TEXT_CHARS_MAX;
use crate::domain::sent_time::OFFSET_MS_MAX;
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use crate::domain::{Offset, SpeakerSource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most segments of a transcript.
const SEGMENTS_MAX: usize = 20_000;
/// Longest name of a speaker, id of a segment, or language, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Most words of a name in front of a colon; what is longer is taken for words that were said.
const NAME_WORDS_MAX: usize = 5;

string_enum!(
    /// How a transcript that comes in is written.
    ImportFormat {
        /// As this server exports it.
        Json = "json",
        /// `SubRip`.
        Srt = "srt",
        /// `WebVTT`.
        Vtt = "vtt",
    }
);

/// A transcript that comes in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ImportedTranscript {
    /// What is said of the meeting; empty where the format has no place for it.
    pub meeting: ImportedMeeting,
    /// The segments, in their order.
    pub segments: Vec<ImportedSegment>,
}

/// What a transcript says of its meeting.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct ImportedMeeting {
    /// Where it was held.
    pub platform: Option<String>,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// When it began.
    pub start_time: Option<Time>,
    /// When it ended.
    pub end_time: Option<Time>,
    /// The notes about it.
    #[serde(default)]
    pub data: Value,
}

/// A segment that comes in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct ImportedSegment {
    /// Its name in the meeting.
    #[serde(default)]
    pub segment_id: Option<String>,
    /// When it began, from the start of the meeting.
    pub start: Offset,
    /// When it ended.
    pub end: Offset,
    /// The words.
    pub text: String,
    /// In which language.
    #[serde(default)]
    pub language: Option<String>,
    /// Who spoke.
    #[serde(default)]
    pub speaker: Option<String>,
    /// Where the name comes from.
    #[serde(default)]
    pub speaker_source: Option<SpeakerSource>,
    /// When it was first stored.
    #[serde(default)]
    pub created_at: Option<Time>,
    /// When it began, on the clock.
    #[serde(default)]
    pub absolute_start_time: Option<Time>,
    /// When it ended, on the clock.
    #[serde(default)]
    pub absolute_end_time: Option<Time>,
}

#[derive(Deserialize)]
struct JsonTranscript {
    #[serde(flatten)]
    meeting: ImportedMeeting,
    segments: Vec<ImportedSegment>,
}

/// What is wrong with a transcript, and in which line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportFault {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl ImportFault {
    fn new(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

impl std::fmt::Display for ImportFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl ImportFormat {
    /// The format of a text that does not say which it is.
    pub(crate) fn of(text: &str) -> Self {
        let text = without_mark(text).trim_start();
        if text.starts_with('{') {
            Self::Json
        } else if text.starts_with("WEBVTT") {
            Self::Vtt
        } else {
            Self::Srt
        }
    }

    /// Reads a transcript.
    pub(crate) fn read(self, text: &str) -> Result<ImportedTranscript, ImportFault> {
        let text = without_mark(text);
        let transcript = match self {
            Self::Json => read_json(text)?,
            Self::Srt => of_segments(read_cues(text, Subtitle::Srt)?),
            Self::Vtt => {
                if !text.starts_with("WEBVTT") {
                    return Err(ImportFault::new(1, "a WebVTT file begins with WEBVTT"));
                }
                of_segments(read_cues(text, Subtitle::Vtt)?)
            }
        };
        if transcript.segments.is_empty() {
            return Err(ImportFault::new(1, "there is no segment in it"));
        }
        Ok(transcript)
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn of_segments(segments: Vec<ImportedSegment>) -> ImportedTranscript {
    ImportedTranscript { meeting: ImportedMeeting::default(), segments }
}

fn read_json(text: &str) -> Result<ImportedTranscript, ImportFault> {
    let read: JsonTranscript = serde_json::from_str(text)
        .map_err(|error| ImportFault::new(error.line().max(1), error.to_string()))?;
    for (number, segment) in read.segments.iter().enumerate() {
        if let Err(why) = check(segment) {
            return Err(ImportFault::new(1, format!("segment {}: {why}", number + 1)));
        }
    }
    if read.segments.len() > SEGMENTS_MAX {
        return Err(ImportFault::new(1, too_many()));
    }
    Ok(ImportedTranscript { meeting: read.meeting, segments: read.segments })
}

fn too_many() -> String {
    format!("a transcript has at most {SEGMENTS_MAX} segments")
}

/// The bounds of a segment.
fn check(segment: &ImportedSegment) -> Result<(), String> {
    let ImportedSegment { start, end, text, .. } = segment;
    if text.trim().is_empty() {
        return Err("there are no words in it".to_owned());
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(format!("its text has more than {TEXT_CHARS_MAX} characters"));
    }
    if end <= start {
        return Err("it ends before it begins".to_owned());
    }
    if end.0 >= OFFSET_MS_MAX {
        return Err("it is more than 30 days after the beginning".to_owned());
    }
    for (name, value) in [
        ("speaker", &segment.speaker),
        ("language", &segment.language),
        ("segment_id", &segment.segment_id),
    ] {
        let is_fit = |value: &str| !value.is_empty() && value.len() <= NAME_BYTES_MAX;
        if value.as_deref().is_some_and(|value| !is_fit(value)) {
            return Err(format!("its {name} has 1 to {NAME_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

/// Which kind of subtitles it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subtitle {
    Srt,
    Vtt,
}

/// Reads blocks that are apart by empty lines: a number or name, a line of times, and text.
fn read_cues(text: &str, kind: Subtitle) -> Result<Vec<ImportedSegment>, ImportFault> {
    let mut segments = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, first)) = lines.next() {
        if first.trim().is_empty() {
            continue;
        }
        let mut times = (at, first);
        if !first.contains("-->") {
            match lines.peek() {
                Some(&(next, line)) if line.contains("-->") && !is_remark(first, kind) => {
                    times = (next, line);
                    lines.next();
                }
                _ if kind == Subtitle::Vtt => {
                    // A heading, a style or a remark.
                    while lines.next_if(|(_, line)| !line.trim().is_empty()).is_some() {}
                    continue;
                }
                _ => return Err(ImportFault::new(at + 1, "a line of times should follow")),
            }
        }
        let (at, line) = times;
        let (start, end) = times_of(line).ok_or_else(|| ImportFault::new(at + 1, NO_TIMES))?;
        let mut said = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            said.push(line.trim_end());
        }
        let (speaker, text) = spoken(&said.join(" "), kind);
        let segment = segment_of(start, end, speaker, text);
        check(&segment).map_err(|why| ImportFault::new(at + 1, why))?;
        segments.push(segment);
        if segments.len() > SEGMENTS_MAX {
            return Err(ImportFault::new(at + 1, too_many()));
        }
    }
    Ok(segments)
}

const NO_TIMES: &str = "the times should be such as 00:00:01,500 --> 00:00:02,000";

/// Whether a block of `WebVTT` is none that is shown.
fn is_remark(first: &str, kind: Subtitle) -> bool {
    let word = first.split_whitespace().next().unwrap_or_default();
    kind == Subtitle::Vtt && matches!(word, "NOTE" | "STYLE" | "REGION" | "WEBVTT")
}

fn segment_of(
    start: Offset,
    end: Offset,
    speaker: Option<String>,
    text: String,
) -> ImportedSegment {
    ImportedSegment {
        segment_id: None,
        start,
        end,
        text,
        language: None,
        speaker,
        speaker_source: None,
        created_at: None,
        absolute_start_time: None,
        absolute_end_time: None,
    }
}

/// Start and end in a line of times; what `WebVTT` says behind them is passed over.
fn times_of(line: &str) -> Option<(Offset, Offset)> {
    let (start, rest) = line.split_once("-->")?;
    let end = rest.split_whitespace().next()?;
    Some((time_of(start.trim())?, time_of(end)?))
}

/// `HH:MM:SS,mmm`, with a point in place of the comma, and without hours.
fn time_of(text: &str) -> Option<Offset> {
    let (clock, millis) = text.split_once([',', '.'])?;
    if millis.len() != 3 {
        return None;
    }
    let mut parts = Vec::new();
    for part in clock.split(':') {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || part.len() > 6 {
            return None;
        }
        parts.push(part.parse::<i64>().ok()?);
    }
    let (hours, minutes, seconds) = match parts.as_slice() {
        [minutes, seconds] => (0, *minutes, *seconds),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    if minutes > 59 || seconds > 59 || !millis.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60 + seconds;
    Some(Offset(seconds * 1000 + millis.parse::<i64>().ok()?))
}

/// Who says what in a text.
fn spoken(text: &str, kind: Subtitle) -> (Option<String>, String) {
    match kind {
        Subtitle::Srt => named(text),
        Subtitle::Vtt => voiced(text),
    }
}

/// `Ada: Good morning.`; where it is not plain that a name stands in front, all of it was said.
fn named(text: &str) -> (Option<String>, String) {
    let whole = || (None, text.to_owned());
    let Some((name, said)) = text.split_once(": ") else { return whole() };
    let is_short = name.len() <= NAME_BYTES_MAX && name.split(' ').count() <= NAME_WORDS_MAX;
    let is_name = is_short
        && name.trim() == name
        && !name.starts_with(char::is_lowercase)
        && name.chars().any(char::is_alphanumeric)
        && !name.contains(['.', '!', '?', ',', ';']);
    if !is_name || said.trim() != said || said.is_empty() {
        return whole();
    }
    (Some(name.to_owned()), said.to_owned())
}

/// `<v Ada>Good morning.`
fn voiced(text: &str) -> (Option<String>, String) {
    let Some(tag) = text.strip_prefix("<v") else { return (None, unescaped(text)) };
    let Some((inner, said)) = tag.split_once('>') else { return (None, unescaped(text)) };
    let name = match inner.split_once(' ') {
        // Classes stand in front of the name.
        Some((classes, name)) if classes.is_empty() || classes.starts_with('.') => name.trim(),
        _ => "",
    };
    let speaker = unescaped(name);
    (Some(speaker).filter(|name| !name.is_empty()), unescaped(said))
}

/// The text without tags, and with the signs that `WebVTT` writes in another way.
fn unescaped(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        bare.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('>') else { break };
        rest = &rest[at + end + 1..];
    }
    if !rest.contains('<') {
        bare.push_str(rest);
    }
    let bare = bare.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ");
    bare.replace("&amp;", "&")
}

#[cfg(test)]
#[path = "imported/tests.rs"]
mod tests;
