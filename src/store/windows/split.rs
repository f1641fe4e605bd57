//! Words of a window, and how speaker events part them: a segment in which two people speak becomes
//! a segment of each, at the times of its words.

use crate::domain::sound::WithheldReason;
use crate::domain::{Spans, Time};
use serde::{Deserialize, Serialize};

/// Words that are nobody's go with those around them up to this length, in milliseconds: the events
/// of platforms come a little late.
const NOBODY_MS_MAX: i64 = 1000;

/// Words of a window, with times in milliseconds on the clock of its sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSegment {
    /// When they begin.
    pub start_ms: i64,
    /// When they end.
    pub end_ms: i64,
    /// The text.
    pub text: String,
    /// Each word with its times, where the engine gives them.
    pub words: Vec<WindowWord>,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowWord {
    /// When it begins.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// The word, with the blank before it where there is one.
    pub word: String,
}

/// What an engine heard and is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowWithheld {
    /// When it begins, in milliseconds on the clock of the sound.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// The text.
    pub text: String,
    /// Why it is not believed.
    pub reason: WithheldReason,
}

fn on_clock(started_at: Time, millis: i64) -> Time {
    Time::from_millis(started_at.as_millis().saturating_add(millis))
}

/// Words in a row that are of the same speaker, or of nobody.
struct Run<'a> {
    speaker: Option<&'a str>,
    words: Vec<&'a WindowWord>,
}

impl Run<'_> {
    fn start_ms(&self) -> i64 {
        self.words.first().map_or(0, |word| word.start_ms)
    }

    fn end_ms(&self) -> i64 {
        self.words.iter().map(|word| word.end_ms).max().unwrap_or(0)
    }
}

/// Parts a segment where its words are of different speakers; one without words stays as it is.
/// What is nobody's for a moment goes with those around it; longer, it is a part of its own, for it
/// must not be given a name.
pub(crate) fn by_speaker(
    segment: &WindowSegment,
    spans: &Spans,
    started_at: Time,
) -> Vec<WindowSegment> {
    let runs = joined(runs(&segment.words, spans, started_at));
    if runs.len() < 2 {
        return vec![segment.clone()];
    }
    let blank = if lacks_blanks(segment) { " " } else { "" };
    runs.iter().map(|run| part_of(run, blank)).collect()
}

fn runs<'a>(words: &'a [WindowWord], spans: &'a Spans, started_at: Time) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for word in words {
        let from = on_clock(started_at, word.start_ms);
        let to = on_clock(started_at, word.end_ms.max(word.start_ms + 1));
        let speaker = spans.speaker(from, to);
        match runs.last_mut() {
            Some(run) if run.speaker == speaker => run.words.push(word),
            _ => runs.push(Run { speaker, words: vec![word] }),
        }
    }
    runs
}

/// Runs that are nobody's for a moment are joined with the one before, or with the next one where
/// they come first.
fn joined(runs: Vec<Run<'_>>) -> Vec<Run<'_>> {
    let mut all: Vec<Run<'_>> = Vec::new();
    for mut run in runs {
        let Some(before) = all.last_mut() else {
            all.push(run);
            continue;
        };
        let is_moment =
            |run: &Run<'_>| run.speaker.is_none() && run.end_ms() - run.start_ms() <= NOBODY_MS_MAX;
        if before.speaker == run.speaker || is_moment(&run) {
            before.words.append(&mut run.words);
        } else if is_moment(before) {
            before.speaker = run.speaker;
            before.words.append(&mut run.words);
        } else {
            all.push(run);
        }
    }
    all
}

/// Whether the words come without the blanks between them, as some engines send them.
fn lacks_blanks(segment: &WindowSegment) -> bool {
    let mut later = segment.words.iter().skip(1);
    let has_none = later.all(|word| !word.word.starts_with(char::is_whitespace));
    has_none && segment.text.trim().contains(char::is_whitespace)
}

fn part_of(run: &Run<'_>, blank: &str) -> WindowSegment {
    let words: Vec<&str> = run.words.iter().map(|word| word.word.as_str()).collect();
    WindowSegment {
        start_ms: run.start_ms(),
        end_ms: run.end_ms(),
        text: words.join(blank),
        words: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SpeakerChange;
    use crate::domain::speaker::StoredEvent;

    const CLOCK: i64 = 1_760_097_600_000;

    fn spans(of: &[(&str, i64, i64)]) -> Spans {
        let mut events = Vec::new();
        for (name, from, to) in of {
            for (change, at) in [(SpeakerChange::Start, *from), (SpeakerChange::End, *to)] {
                let at = Time::from_millis(CLOCK + at);
                let name = (*name).to_owned();
                events.push(StoredEvent { at, change, participant: name.clone(), name });
            }
        }
        Spans::of(events)
    }

    fn segment(words: &[(i64, i64, &str)], text: &str) -> WindowSegment {
        let words: Vec<WindowWord> = words
            .iter()
            .map(|(start_ms, end_ms, word)| WindowWord {
                start_ms: *start_ms,
                end_ms: *end_ms,
                word: (*word).to_owned(),
            })
            .collect();
        WindowSegment { start_ms: 0, end_ms: 4000, text: text.to_owned(), words }
    }

    #[test]
    fn words_of_two_speakers_become_two_segments() {
        let spans = spans(&[("Ada", 0, 1900), ("Bob", 2000, 4000)]);
        let shapes: [&[(i64, i64, &str)]; 2] = [
            &[(0, 900, " Good"), (900, 1800, " day."), (1910, 1990, " ,"), (2100, 3000, " Yes")],
            &[(0, 900, "Good"), (900, 1800, "day."), (1910, 1990, ","), (2100, 3000, "Yes")],
        ];
        for words in shapes {
            let segment = segment(words, "Good day. , Yes");
            let parts = by_speaker(&segment, &spans, Time::from_millis(CLOCK));
            let found: Vec<_> =
                parts.iter().map(|p| (p.start_ms, p.end_ms, p.text.trim())).collect();
            assert_eq!(found, [(0, 1990, "Good day. ,"), (2100, 3000, "Yes")]);
        }
    }

    #[test]
    fn what_is_nobodys_for_long_gets_no_name() {
        let words =
            [(0, 900, " Good"), (900, 1800, " day."), (2100, 2900, " I"), (2900, 3900, " am.")];
        let segment = segment(&words, "Good day. I am.");
        for (spoken, expected) in [
            (vec![("Ada", 0, 1900)], vec!["Good day.", "I am."]),
            (vec![("Ada", 0, 1900), ("Bob", 2950, 3900)], vec!["Good day. I", "am."]),
            (vec![("Bob", 2100, 3900)], vec!["Good day.", "I am."]),
        ] {
            let parts = by_speaker(&segment, &spans(&spoken), Time::from_millis(CLOCK));
            let texts: Vec<&str> = parts.iter().map(|part| part.text.trim()).collect();
            assert_eq!(texts, expected, "{spoken:?}");
        }
    }

    #[test]
    fn what_one_person_says_and_what_has_no_words_stays_whole() {
        let of_one = segment(&[(0, 900, " Good"), (900, 1800, " day.")], "Good day.");
        let without = segment(&[], "Good day. Yes.");
        let ada = spans(&[("Ada", 0, 1900)]);
        let both = spans(&[("Ada", 0, 1900), ("Bob", 2000, 4000)]);
        for (segment, spans) in [(&of_one, &ada), (&of_one, &Spans::default()), (&without, &both)] {
            let parts = by_speaker(segment, spans, Time::from_millis(CLOCK));
            assert_eq!(parts, std::slice::from_ref(segment));
        }
    }
}
