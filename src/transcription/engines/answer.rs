//! The answer of a server: `{"text"}` suffices, and more is used where it is there.

use crate::domain::Language;
use crate::transcription::heard::{Heard, HeardSegment, HeardWord};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Languages as OpenAI's API names them, where the code is not known by itself: the most spoken of
/// those of Whisper (openai/whisper, `tokenizer.py`).
#[rustfmt::skip]
const NAMES: [(&str, &str); 60] = [
    ("afrikaans", "af"), ("arabic", "ar"), ("armenian", "hy"), ("azerbaijani", "az"), ("belarusian", "be"),
    ("bengali", "bn"), ("bosnian", "bs"), ("bulgarian", "bg"), ("catalan", "ca"), ("chinese", "zh"),
    ("croatian", "hr"), ("czech", "cs"), ("danish", "da"), ("dutch", "nl"), ("english", "en"),
    ("estonian", "et"), ("finnish", "fi"), ("french", "fr"), ("galician", "gl"), ("german", "de"),
    ("greek", "el"), ("gujarati", "gu"), ("hebrew", "he"), ("hindi", "hi"), ("hungarian", "hu"),
    ("icelandic", "is"), ("indonesian", "id"), ("italian", "it"), ("japanese", "ja"), ("kannada", "kn"),
    ("kazakh", "kk"), ("korean", "ko"), ("latvian", "lv"), ("lithuanian", "lt"), ("macedonian", "mk"),
    ("malay", "ms"), ("marathi", "mr"), ("nepali", "ne"), ("norwegian", "no"), ("persian", "fa"),
    ("polish", "pl"), ("portuguese", "pt"), ("punjabi", "pa"), ("romanian", "ro"), ("russian", "ru"),
    ("serbian", "sr"), ("slovak", "sk"), ("slovenian", "sl"), ("spanish", "es"), ("swahili", "sw"),
    ("swedish", "sv"), ("tagalog", "tl"), ("tamil", "ta"), ("telugu", "te"), ("thai", "th"),
    ("turkish", "tr"), ("ukrainian", "uk"), ("urdu", "ur"), ("vietnamese", "vi"), ("welsh", "cy"),
];

/// Most segments of an answer about a window.
const SEGMENTS_MAX: usize = 1_000;
/// Most words with times in it.
const WORDS_MAX: usize = 20_000;
/// Longest text of it, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// How much more an answer may have about a whole file.
const OF_FILE: usize = 20;

/// An answer as it is sent.
#[derive(Deserialize)]
struct Answer {
    text: Option<String>,
    language: Option<String>,
    #[serde(default)]
    language_probability: Number,
    #[serde(default)]
    duration: Number,
    #[serde(default, deserialize_with = "segments")]
    segments: Option<Vec<HeardSegment>>,
    #[serde(default, deserialize_with = "words")]
    words: Vec<HeardWord>,
}

/// A segment as it is sent.
#[derive(Deserialize)]
struct SentSegment {
    text: String,
    #[serde(default)]
    start: Number,
    #[serde(default)]
    end: Number,
    #[serde(default)]
    avg_logprob: Number,
    #[serde(default)]
    no_speech_prob: Number,
    #[serde(default)]
    compression_ratio: Number,
    #[serde(default, deserialize_with = "words")]
    words: Vec<HeardWord>,
}

/// A word as it is sent.
#[derive(Deserialize)]
struct SentWord {
    word: Option<String>,
    #[serde(default)]
    start: Number,
    #[serde(default)]
    end: Number,
    #[serde(default)]
    probability: Number,
}

/// Reads an answer about a sound of this length, a window; without a length it is about a whole
/// file. `None` where it is none, or more than anybody says. It may take a while.
pub(super) fn read(body: &[u8], sound_ms: Option<u64>) -> Option<Heard> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let segments = match (answer.segments, &answer.text) {
        (Some(listed), _) if !listed.is_empty() => listed,
        (_, Some(text)) => whole(text, answer.duration, sound_ms),
        (Some(_), None) => Vec::new(),
        (None, None) => return None,
    };
    let mut heard = Heard {
        language: answer.language.as_deref().and_then(code),
        language_probability: answer.language_probability.0,
        duration_ms: answer.duration.millis(),
        segments,
    };
    heard.segments.sort_by_key(|segment| segment.start_ms);
    place_words(&mut heard, answer.words);
    if !is_within_limits(&heard, if sound_ms.is_some() { 1 } else { OF_FILE }) {
        return None;
    }
    if let Some(end) = sound_ms {
        end_within(&mut heard, end);
    }
    Some(heard)
}

fn is_within_limits(heard: &Heard, times: usize) -> bool {
    let (mut words, mut text_bytes, mut word_bytes) = (0, 0, 0);
    for segment in &heard.segments {
        text_bytes += segment.text.len();
        words += segment.words.len();
        word_bytes += segment.words.iter().map(|word| word.word.len()).sum::<usize>();
    }
    heard.segments.len() <= SEGMENTS_MAX * times
        && words <= WORDS_MAX * times
        && text_bytes.max(word_bytes) <= TEXT_BYTES_MAX * times
}

/// A text without segments is one over the whole sound.
fn whole(text: &str, duration: Number, sound_ms: Option<u64>) -> Vec<HeardSegment> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    let end_ms = sound_ms.or_else(|| duration.millis()).unwrap_or_default();
    vec![HeardSegment { end_ms, text: text.to_owned(), ..HeardSegment::default() }]
}

/// The segments of an answer; those without a word are left out.
fn segments<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<HeardSegment>>, D::Error> {
    let made_of = |sent: SentSegment| {
        let text = sent.text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let (Some(start_ms), Some(end_ms)) = (sent.start.millis(), sent.end.millis()) else {
            return Err("a segment without its times");
        };
        Ok(Some(HeardSegment {
            start_ms,
            end_ms: end_ms.max(start_ms),
            text: text.to_owned(),
            avg_logprob: sent.avg_logprob.0,
            no_speech_prob: sent.no_speech_prob.0,
            compression_ratio: sent.compression_ratio.0,
            words: sent.words,
        }))
    };
    from.deserialize_any(List { count_max: SEGMENTS_MAX * OF_FILE, made_of })
}

/// The words of a segment or of an answer; what cannot be read is left out.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<HeardWord>, D::Error> {
    let made_of = |sent: SentWord| {
        let (Some(word), Some(start_ms)) = (sent.word, sent.start.millis()) else {
            return Ok(None);
        };
        let end_ms = sent.end.millis().unwrap_or(start_ms).max(start_ms);
        let word = word.trim().to_owned();
        Ok(Some(HeardWord { start_ms, end_ms, word, probability: sent.probability.0 }))
    };
    let list = from.deserialize_any(List { count_max: WORDS_MAX * OF_FILE, made_of })?;
    Ok(list.unwrap_or_default())
}

/// OpenAI lists words beside the segments: each goes to the segment in which it begins, the last
/// one that has begun by then. The segments are sorted.
fn place_words(heard: &mut Heard, mut words: Vec<HeardWord>) {
    if heard.segments.iter().any(|segment| !segment.words.is_empty()) {
        return;
    }
    words.sort_by_key(|word| word.start_ms);
    let mut words = words.into_iter().peekable();
    let mut segments = heard.segments.iter_mut().peekable();
    while let Some(segment) = segments.next() {
        let next_ms = segments.peek().map(|next| next.start_ms);
        while let Some(word) = words.next_if(|word| next_ms.is_none_or(|ms| word.start_ms < ms)) {
            if word.start_ms >= segment.start_ms {
                segment.words.push(word);
            }
        }
    }
}

/// Makes a list of what is sent, one by one; there is no list where null stands.
struct List<Sent, Made> {
    /// Most items.
    count_max: usize,
    /// What is made of an item: nothing, or why the whole list cannot be read.
    made_of: fn(Sent) -> Result<Option<Made>, &'static str>,
}

impl<'de, Sent: Deserialize<'de>, Made> Visitor<'de> for List<Sent, Made> {
    type Value = Option<Vec<Made>>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "a list of at most {}", self.count_max)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sent: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = sent.next_element()? {
            let Some(made) = (self.made_of)(item).map_err(A::Error::custom)? else { continue };
            if list.len() == self.count_max {
                return Err(A::Error::invalid_length(self.count_max + 1, &self));
            }
            list.push(made);
        }
        Ok(Some(list))
    }
}

/// A number, where one is sent: some servers send texts, or null.
#[derive(Debug, Clone, Copy, Default)]
struct Number(Option<f64>);

impl Number {
    /// Seconds as milliseconds; `None` where they are no time within a year.
    fn millis(self) -> Option<u64> {
        let seconds = self.0?;
        if !(0.0..31_536_000.0).contains(&seconds) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        let millis = (seconds * 1000.0).round() as u64;
        Some(millis)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ANumber)
    }
}

struct ANumber;

impl Visitor<'_> for ANumber {
    type Value = Number;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a number")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    #[expect(clippy::cast_precision_loss, reason = "such numbers are no times")]
    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Number(Some(number as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "such numbers are no times")]
    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number as f64)))
    }

    fn visit_str<E>(self, _: &str) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number(None))
    }
}

/// Engines hear sound as long as their window, and times may lie behind its end.
pub(super) fn end_within(heard: &mut Heard, end: u64) {
    for segment in &mut heard.segments {
        segment.start_ms = segment.start_ms.min(end);
        segment.end_ms = segment.end_ms.min(end);
        for word in &mut segment.words {
            word.start_ms = word.start_ms.min(end);
            word.end_ms = word.end_ms.min(end);
        }
    }
}

/// The code of a language that is given as code or by its English name.
fn code(language: &str) -> Option<String> {
    let language = language.trim().to_lowercase();
    if let Some(known) = Language::from_code(&language) {
        return Some(known.as_str().to_owned());
    }
    let named = NAMES.iter().find(|(name, _)| *name == language)?;
    Some(named.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Option<Heard> {
        read(text.as_bytes(), Some(2_000))
    }

    #[test]
    fn a_text_alone_is_one_segment_over_the_whole_sound() {
        let heard = heard(r#"{"text":" Hello. "}"#).expect("an answer");
        let [segment] = &heard.segments[..] else { panic!("{heard:?}") };
        assert_eq!((segment.start_ms, segment.end_ms, &*segment.text), (0, 2_000, "Hello."));
        assert_eq!(segment.avg_logprob, None);
        let of_file = read(br#"{"text":"Hello","duration":3.5}"#, None).expect("an answer");
        assert_eq!(of_file.segments[0].end_ms, 3_500);
    }

    #[test]
    fn silence_has_no_segments() {
        for text in [r#"{"text":""}"#, r#"{"text":" ","segments":[]}"#, r#"{"segments":[]}"#] {
            assert_eq!(heard(text).expect(text).segments, [], "{text}");
        }
    }

    #[test]
    fn what_is_there_is_used() {
        let text = r#"{"text":"a b","language":"English","language_probability":0.9,"segments":[
            {"start":0.5,"end":9,"text":" a b","avg_logprob":-0.2,"no_speech_prob":0.1,
             "compression_ratio":1.1}],
            "words":[{"word":" a","start":0.5,"end":0.7},{"word":"b","start":0.8,"end":0.9,"probability":0.5}]}"#;
        let heard = heard(text).expect("an answer");
        assert_eq!(
            (heard.language.as_deref(), heard.language_probability),
            (Some("en"), Some(0.9))
        );
        let [segment] = &heard.segments[..] else { panic!("{heard:?}") };
        assert_eq!((segment.start_ms, segment.end_ms), (500, 2_000), "times end with the sound");
        assert_eq!((segment.avg_logprob, segment.no_speech_prob), (Some(-0.2), Some(0.1)));
        assert_eq!(segment.compression_ratio, Some(1.1));
        let words: Vec<_> = segment.words.iter().map(|word| (&*word.word, word.start_ms)).collect();
        assert_eq!(words, [("a", 500), ("b", 800)]);
    }

    #[test]
    fn words_go_to_the_segment_in_which_they_begin_whatever_their_order() {
        let text = r#"{"text":"a","segments":[{"start":1,"end":2,"text":"b"},
            {"start":0.2,"end":1,"text":"a"}],"duration":"2.0","words":[{"word":"late","start":1.5},
            {"word":"b","start":1},{"word":"a","start":0.9},{"word":"none","start":0.1},{"start":1},
            {"word":"c","start":null}]}"#;
        let heard = heard(text).expect("an answer");
        let mut placed = Vec::new();
        for segment in &heard.segments {
            let words: Vec<_> = segment.words.iter().map(|word| &*word.word).collect();
            placed.push((&*segment.text, words));
        }
        assert_eq!(placed, [("a", vec!["a"]), ("b", vec!["b", "late"])]);
    }

    #[test]
    fn more_than_anybody_says_is_no_answer() {
        let segment = r#"{"text":"a","start":0,"end":1},"#;
        let word = r#"{"word":"a","start":0},"#;
        let list = |item: &str, count: usize| item.repeat(count).trim_end_matches(',').to_owned();
        let segments = |count| format!(r#"{{"segments":[{}]}}"#, list(segment, count));
        let words = |count| format!(r#"{{"text":"a","words":[{}]}}"#, list(word, count));
        let long = |bytes| format!(r#"{{"text":"{}"}}"#, "a".repeat(bytes));
        for (most, beyond) in [
            (segments(1_000), segments(1_001)),
            (words(20_000), words(20_001)),
            (long(65_536), long(65_537)),
        ] {
            assert!(heard(&most).is_some());
            assert_eq!(heard(&beyond), None);
            let of_file = read(beyond.as_bytes(), None);
            assert!(of_file.is_some(), "a file may be longer than a window");
        }
        assert_eq!(read(segments(20_001).as_bytes(), None), None);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            "<html>",
            r#"{"text":1}"#,
            r#"{"error":{"message":"x"}}"#,
            r#"{"segments":[{"text":"a"}]}"#,
            r#"{"segments":[{"text":"a","start":-1,"end":1}]}"#,
            r#"{"segments":[{"text":"a","start":1e300,"end":1}]}"#,
        ] {
            assert_eq!(heard(text), None, "{text}");
        }
    }

    #[test]
    fn every_name_has_a_code() {
        for (name, code) in NAMES {
            assert!(Language::from_code(code).is_some(), "{name}");
        }
    }
}
