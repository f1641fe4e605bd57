//! The words of a sound in the five forms of OpenAI's API, as its reference and the writers of
//! openai/whisper have them.

use crate::domain::AudioFormat;
use crate::domain::sound::WithheldReason;
use crate::error::{Error, Result};
use crate::transcription::hear_file::FileHeard;
use crate::transcription::heard::{HeardSegment, HeardWord};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Plain<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Verbose<'a> {
    task: &'static str,
    language: &'a str,
    language_probability: Option<f64>,
    duration: f64,
    text: &'a str,
    segments: Vec<VerboseSegment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<VerboseWord<'a>>>,
    /// Ours: absent where nothing is withheld.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    withheld: Vec<VerboseWithheld<'a>>,
}

/// What was heard and is not believed.
#[derive(Serialize)]
struct VerboseWithheld<'a> {
    start: f64,
    end: f64,
    text: &'a str,
    reason: WithheldReason,
}

#[derive(Serialize)]
struct VerboseSegment<'a> {
    id: usize,
    seek: u64,
    start: f64,
    end: f64,
    text: &'a str,
    tokens: [u32; 0],
    temperature: f64,
    avg_logprob: f64,
    compression_ratio: f64,
    no_speech_prob: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<VerboseWord<'a>>>,
}

#[derive(Serialize)]
struct VerboseWord<'a> {
    word: &'a str,
    start: f64,
    end: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
}

impl AudioFormat {
    /// The media type of the response.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::VerboseJson => "application/json",
            Self::Text | Self::Srt | Self::Vtt => "text/plain; charset=utf-8",
        }
    }

    /// The body; `words` says whether the times of words are asked for.
    pub(crate) fn body(self, heard: &FileHeard, words: bool) -> Result<String> {
        let text = text_of(&heard.segments);
        match self {
            Self::Json => json(&Plain { text: &text }),
            Self::VerboseJson => json(&verbose(heard, &text, words)),
            Self::Text => Ok(text + "\n"),
            Self::Srt => Ok(subrip(&heard.segments)),
            Self::Vtt => Ok(web_vtt(&heard.segments)),
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}

/// The texts of all segments, with a space between two.
fn text_of(segments: &[HeardSegment]) -> String {
    let texts: Vec<&str> = segments.iter().map(|segment| segment.text.trim()).collect();
    texts.join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "no sound is that long")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn verbose<'a>(heard: &'a FileHeard, text: &'a str, words: bool) -> Verbose<'a> {
    let mut segments = Vec::new();
    for (id, segment) in heard.segments.iter().enumerate() {
        segments.push(VerboseSegment {
            id,
            // In frames of 10 ms, as the model counts.
            seek: segment.start_ms / 10,
            start: seconds(segment.start_ms),
            end: seconds(segment.end_ms),
            text: &segment.text,
            tokens: [],
            temperature: 0.0,
            avg_logprob: segment.avg_logprob.unwrap_or(0.0),
            compression_ratio: segment.compression_ratio.unwrap_or(0.0),
            no_speech_prob: segment.no_speech_prob.unwrap_or(0.0),
            words: words.then(|| words_of(&segment.words)),
        });
    }
    let mut withheld = Vec::new();
    for (segment, reason) in &heard.withheld {
        let (start, end) = (seconds(segment.start_ms), seconds(segment.end_ms));
        withheld.push(VerboseWithheld { start, end, text: segment.text.trim(), reason: *reason });
    }
    let all = || heard.segments.iter().flat_map(|segment| words_of(&segment.words)).collect();
    Verbose {
        task: "transcribe",
        language: heard.language.as_deref().unwrap_or_default(),
        language_probability: heard.language_probability,
        duration: seconds(heard.duration_ms),
        text,
        segments,
        words: words.then(all),
        withheld,
    }
}

fn words_of(words: &[HeardWord]) -> Vec<VerboseWord<'_>> {
    let mut all = Vec::new();
    for word in words {
        let (start, end) = (seconds(word.start_ms), seconds(word.end_ms));
        all.push(VerboseWord { word: &word.word, start, end, probability: word.probability });
    }
    all
}

fn subrip(segments: &[HeardSegment]) -> String {
    let mut text = String::new();
    for (number, segment) in segments.iter().enumerate() {
        let (start, end) = (clock(segment.start_ms, ','), clock(segment.end_ms, ','));
        let line = on_one_line(&segment.text);
        // Writing to a string does not fail.
        let _ = write!(text, "{}\n{start} --> {end}\n{line}\n\n", number + 1);
    }
    text
}

fn web_vtt(segments: &[HeardSegment]) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for segment in segments {
        let (start, end) = (clock(segment.start_ms, '.'), clock(segment.end_ms, '.'));
        let _ = write!(text, "{start} --> {end}\n{}\n\n", on_one_line(&segment.text));
    }
    text
}

/// `HH:MM:SS`, and the milliseconds after a mark.
fn clock(ms: u64, mark: char) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{mark}{:03}", ms % 1000)
}

/// The text in a line, without the arrow that readers take for times.
fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("-->", "->")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> FileHeard {
        let word = |word: &str, start_ms, end_ms| HeardWord {
            word: word.to_owned(),
            start_ms,
            end_ms,
            probability: Some(0.5),
        };
        let first = HeardSegment {
            start_ms: 0,
            end_ms: 3_300,
            text: " Good morning,".to_owned(),
            avg_logprob: Some(-0.25),
            no_speech_prob: Some(0.125),
            compression_ratio: Some(1.5),
            words: vec![word(" Good", 0, 400), word(" morning,", 400, 3_300)],
        };
        let second = HeardSegment {
            start_ms: 3_661_005,
            end_ms: 3_662_000,
            text: " a --> b.\n".to_owned(),
            ..HeardSegment::default()
        };
        FileHeard {
            language: Some("en".to_owned()),
            language_probability: Some(0.75),
            duration_ms: 3_662_500,
            segments: vec![first, second],
            withheld: Vec::new(),
        }
    }

    #[test]
    fn each_form_is_written_to_the_letter() {
        let body = |format: AudioFormat, words| format.body(&heard(), words).expect("a body");
        assert_eq!(body(AudioFormat::Json, false), r#"{"text":"Good morning, a --> b."}"#);
        assert_eq!(body(AudioFormat::Text, false), "Good morning, a --> b.\n");
        let srt = "1\n00:00:00,000 --> 00:00:03,300\nGood morning,\n\n\
                   2\n01:01:01,005 --> 01:01:02,000\na -> b.\n\n";
        assert_eq!(body(AudioFormat::Srt, false), srt);
        let vtt = "WEBVTT\n\n00:00:00.000 --> 00:00:03.300\nGood morning,\n\n\
                   01:01:01.005 --> 01:01:02.000\na -> b.\n\n";
        assert_eq!(body(AudioFormat::Vtt, false), vtt);
        let verbose = concat!(
            r#"{"task":"transcribe","language":"en","language_probability":0.75,"#,
            r#""duration":3662.5,"text":"Good morning, a --> b.","segments":[{"id":0,"seek":0,"#,
            r#""start":0.0,"end":3.3,"text":" Good morning,","tokens":[],"temperature":0.0,"#,
            r#""avg_logprob":-0.25,"compression_ratio":1.5,"no_speech_prob":0.125},"#,
            r#"{"id":1,"seek":366100,"start":3661.005,"end":3662.0,"text":" a --> b.\n","#,
            r#""tokens":[],"temperature":0.0,"avg_logprob":0.0,"compression_ratio":0.0,"#,
            r#""no_speech_prob":0.0}]}"#,
        );
        assert_eq!(body(AudioFormat::VerboseJson, false), verbose);
        let with_words: serde_json::Value =
            serde_json::from_str(&body(AudioFormat::VerboseJson, true)).expect("JSON");
        let word = serde_json::json!(
            {"word": " morning,", "start": 0.4, "end": 3.3, "probability": 0.5}
        );
        assert_eq!(with_words["words"][1], word);
        assert_eq!(with_words["segments"][0]["words"][1], word);
    }

    #[test]
    fn what_is_withheld_is_listed_with_its_reason() {
        let mut heard = heard();
        let you = HeardSegment {
            start_ms: 5000,
            end_ms: 6500,
            text: " you".to_owned(),
            ..HeardSegment::default()
        };
        heard.withheld.push((you, WithheldReason::KnownOfSilence));
        let body = AudioFormat::VerboseJson.body(&heard, false).expect("a body");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let expected = serde_json::json!([
            {"start": 5.0, "end": 6.5, "text": "you", "reason": "known_of_silence"}
        ]);
        assert_eq!(body["withheld"], expected);
        assert_eq!(body["text"], "Good morning, a --> b.");
    }

    #[test]
    fn nothing_heard_is_no_fault() {
        let nothing = FileHeard::default();
        let body = |format: AudioFormat| format.body(&nothing, false).expect("a body");
        assert_eq!(body(AudioFormat::Json), r#"{"text":""}"#);
        assert_eq!(body(AudioFormat::Text), "\n");
        assert_eq!(
            (body(AudioFormat::Srt), body(AudioFormat::Vtt)),
            (String::new(), "WEBVTT\n\n".to_owned())
        );
    }
}
