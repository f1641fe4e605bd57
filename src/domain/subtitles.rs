//! Transcripts as text, `SubRip` and `WebVTT`: one segment at a time, in times from the start of
//! the session.

use crate::domain::segment::{Offset, Segment};
use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::ops::Range;

string_enum!(
    /// How a transcript is written where it is not JSON.
    Subtitles {
        /// A line for each segment.
        Txt = "txt",
        /// `SubRip`.
        Srt = "srt",
        /// `WebVTT` (w3.org/TR/webvtt1).
        Vtt = "vtt",
    }
);

impl Subtitles {
    /// The media type of the whole.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Txt => "text/plain; charset=utf-8",
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
        }
    }

    /// What stands before the first segment.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Txt | Self::Srt => "",
            Self::Vtt => "WEBVTT\n\n",
        }
    }

    /// Segment `number`, counted from 1, with the empty line that ends it where there is one.
    pub(crate) fn entry(self, number: u64, segment: &Segment) -> String {
        match self {
            Self::Txt => format!("[{}] {}\n", clock(segment.start, None), spoken(segment)),
            Self::Srt => {
                let (start, end) = (clock(segment.start, Some(',')), clock(segment.end, Some(',')));
                let speaker = segment.speaker.as_deref().map(without_tags);
                let text = without_tags(&segment.text);
                // A text that is nothing but tags was said so.
                let text = if text.is_empty() { in_quotes(&segment.text) } else { text };
                let line = with_speaker(speaker, text);
                // Readers take a line with an arrow for one of times, and there is no way to escape
                // it.
                format!("{number}\n{start} --> {end}\n{}\n\n", line.replace("-->", "→"))
            }
            Self::Vtt => {
                let (start, end) = (clock(segment.start, Some('.')), clock(segment.end, Some('.')));
                let speaker = segment
                    .speaker
                    .as_deref()
                    .map(on_one_line)
                    .filter(|speaker| !speaker.is_empty());
                let voice = speaker
                    .map_or_else(String::new, |speaker| format!("<v {}>", escaped(&speaker)));
                format!("{start} --> {end}\n{voice}{}\n\n", escaped(&on_one_line(&segment.text)))
            }
        }
    }
}

/// A segment as a paragraph of Markdown.
pub(crate) fn markdown(segment: &Segment) -> String {
    let at = clock(segment.start, None);
    let text = plain_in_markdown(&on_one_line(&segment.text));
    let speaker = segment.speaker.as_deref().map(on_one_line).filter(|name| !name.is_empty());
    match speaker {
        Some(name) => format!("**{}** ({at}): {text}\n\n", plain_in_markdown(&name)),
        None => format!("({at}) {text}\n\n"),
    }
}

/// The text with a backslash before each sign that means something inside a paragraph.
fn plain_in_markdown(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        if "\\`*_[]<>#|~&$!".contains(sign) {
            plain.push('\\');
        }
        plain.push(sign);
    }
    plain
}

/// `HH:MM:SS`, and the milliseconds after a mark; a hundred hours and more have three digits.
fn clock(offset: Offset, mark: Option<char>) -> String {
    let (seconds, millis) = (offset.0 / 1000, offset.0 % 1000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if let Some(mark) = mark {
        // Writing to a string cannot fail.
        let _ = write!(text, "{mark}{millis:03}");
    }
    text
}

/// `Speaker: text` in a line.
fn spoken(segment: &Segment) -> String {
    with_speaker(segment.speaker.as_deref().map(on_one_line), on_one_line(&segment.text))
}

fn with_speaker(speaker: Option<String>, text: String) -> String {
    match speaker {
        Some(speaker) if !speaker.is_empty() => format!("{speaker}: {text}"),
        _ => text,
    }
}

/// The text in a line without what players take for markup: tags of HTML, and `{\…}`. There is no
/// way to escape it.
fn without_tags(text: &str) -> String {
    let mut bare = on_one_line(text);
    // What stood around a tag may be one when it is gone.
    while let Some(range) = first_tag(&bare) {
        bare.replace_range(range, "");
    }
    bare.trim().to_owned()
}

/// The first tag, up to its end or the end of the text.
fn first_tag(text: &str) -> Option<Range<usize>> {
    for (start, open) in text.char_indices() {
        let inner = &text[start + open.len_utf8()..];
        let close = match open {
            '<' if inner.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) => '>',
            '{' if inner.starts_with('\\') => '}',
            _ => continue,
        };
        let end = inner.find(close).map_or(text.len(), |end| start + end + 2);
        return Some(start..end);
    }
    None
}

/// The text in a line with other brackets, which nobody takes for markup.
fn in_quotes(text: &str) -> String {
    on_one_line(text).replace('<', "‹").replace('>', "›").replace('{', "(").replace('}', ")")
}

/// The text without anything that some reader takes for the end of a line.
fn on_one_line(text: &str) -> String {
    let parts = text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    parts.map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The text without what would begin a tag, an entity or an arrow; in `WebVTT` as in HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SpeakerSource;
    use crate::domain::Time;
    use crate::domain::sent_time::OFFSET_MS_MAX;
    use proptest::prelude::*;

    fn segment(start: i64, end: i64, speaker: Option<&str>, text: &str) -> Segment {
        let at = Time::from_millis(0);
        Segment {
            segment_id: "1".to_owned(),
            start: Offset(start),
            end: Offset(end),
            text: text.to_owned(),
            language: None,
            speaker: speaker.map(str::to_owned),
            speaker_source: SpeakerSource::Unknown,
            completed: true,
            created_at: at,
            absolute_start_time: at,
            absolute_end_time: at,
            corrected: false,
            original_text: None,
            corrected_at: None,
        }
    }

    #[test]
    fn each_format_writes_its_way() {
        let plain = segment(1_500, 62_003, None, "Hello");
        let named = segment(3_600_000, 360_000_001, Some("Ada"), "a < b && c > d");
        let broken = segment(0, 1, Some(" A\r\nB "), "one\n\ntwo\u{2028}three --> four");
        let marked =
            segment(0, 1, Some("<img src=x>A<b>da"), "<i>so</i> <<b>u>a < b {\\an8}c <img");
        let tag = segment(0, 1, Some("<b>"), "<br>");
        for (format, segment, expected) in [
            (Subtitles::Srt, &marked, "7\n00:00:00,000 --> 00:00:00,001\nAda: so a < b c\n\n"),
            (Subtitles::Srt, &tag, "7\n00:00:00,000 --> 00:00:00,001\n‹br›\n\n"),
            (Subtitles::Txt, &plain, "[00:00:01] Hello\n"),
            (Subtitles::Txt, &named, "[01:00:00] Ada: a < b && c > d\n"),
            (Subtitles::Txt, &broken, "[00:00:00] A B: one two three --> four\n"),
            (Subtitles::Srt, &plain, "7\n00:00:01,500 --> 00:01:02,003\nHello\n\n"),
            (Subtitles::Srt, &named, "7\n01:00:00,000 --> 100:00:00,001\nAda: a < b && c > d\n\n"),
            (
                Subtitles::Srt,
                &broken,
                "7\n00:00:00,000 --> 00:00:00,001\nA B: one two three → four\n\n",
            ),
            (Subtitles::Vtt, &plain, "00:00:01.500 --> 00:01:02.003\nHello\n\n"),
            (
                Subtitles::Vtt,
                &named,
                "01:00:00.000 --> 100:00:00.001\n<v Ada>a &lt; b &amp;&amp; c &gt; d\n\n",
            ),
            (
                Subtitles::Vtt,
                &broken,
                "00:00:00.000 --> 00:00:00.001\n<v A B>one two three --&gt; four\n\n",
            ),
        ] {
            assert_eq!(format.entry(7, segment), expected, "{format:?}");
        }
    }

    #[test]
    fn nothing_that_was_said_is_markup_in_markdown() {
        let plain = segment(62_003, 63_000, None, "Hello # 1.");
        let marked = segment(0, 1, Some("A*d*a"), "<b>x</b>\n[a](b) _c_ `d`");
        assert_eq!(markdown(&plain), "(00:01:02) Hello \\# 1.\n\n");
        assert_eq!(
            markdown(&marked),
            "**A\\*d\\*a** (00:00:00): \\<b\\>x\\</b\\> \\[a\\](b) \\_c\\_ \\`d\\`\n\n"
        );
    }

    fn millis(text: &str, mark: char) -> i64 {
        let (clock, millis) = text.split_once(mark).expect("a mark");
        let parts: Vec<i64> = clock.split(':').map(|part| part.parse().expect("digits")).collect();
        assert!(parts.len() == 3 && parts[1] < 60 && parts[2] < 60 && millis.len() == 3, "{text}");
        ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + millis.parse::<i64>().expect("digits")
    }

    /// Times and text of each entry, as a reader of the format sees them.
    fn parsed(format: Subtitles, text: &str) -> Vec<(i64, i64, String)> {
        let mark = if format == Subtitles::Srt { ',' } else { '.' };
        let entries = text.strip_prefix(format.header()).expect("the header").split("\n\n");
        let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
        let entry = |(at, entry): (usize, &&str)| {
            let mut lines: Vec<&str> = entry.lines().collect();
            if format == Subtitles::Srt {
                assert_eq!(lines.remove(0), (at + 1).to_string(), "the number");
            }
            assert_eq!(lines.len(), 2, "times and text: {entry:?}");
            assert!(!lines[1].contains("-->"), "a second arrow: {entry:?}");
            let (start, end) = lines[0].split_once(" --> ").expect("an arrow");
            (millis(start, mark), millis(end, mark), lines[1].to_owned())
        };
        entries.iter().enumerate().map(entry).collect()
    }

    /// What a browser shows of a cue: its text without tags, entities resolved.
    fn shown(cue: &str) -> String {
        let text = if cue.starts_with("<v ") {
            &cue[cue.find('>').expect("an end of the tag") + 1..]
        } else {
            cue
        };
        assert!(!text.contains(['<', '>']), "a tag in {text:?}");
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }

    fn nasty() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            ".{0,6}",
            prop::sample::select(vec![
                "\n",
                "\r\n",
                "\n\n",
                "-->",
                "--->",
                "<v ",
                "</v>",
                ">",
                "&",
                "&lt;",
                "WEBVTT",
                "NOTE",
                "1",
                "\u{2028}",
                "00:00:01.000 --> 00:00:02.000",
                "\n7\n00:00:01,000 --> 00:00:02,000\n",
            ])
            .prop_map(str::to_owned),
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_structure_survives(
            said in proptest::collection::vec((0..OFFSET_MS_MAX, 1..100_000i64, proptest::option::of(nasty()), nasty()), 0..5)
        ) {
            let visible = |text: &str| !on_one_line(text).is_empty();
            let segments: Vec<Segment> = said
                .iter()
                .filter(|(.., text)| visible(text))
                .map(|(start, length, speaker, text)| segment(*start, start + length, speaker.as_deref(), text))
                .collect();
            let times: Vec<_> = segments.iter().map(|segment| (segment.start.0, segment.end.0)).collect();
            for format in [Subtitles::Srt, Subtitles::Vtt] {
                let entries = (1..).zip(&segments).map(|(number, segment)| format.entry(number, segment));
                let text = format!("{}{}", format.header(), entries.collect::<String>());
                let found = parsed(format, &text);
                prop_assert_eq!(found.iter().map(|(start, end, _)| (*start, *end)).collect::<Vec<_>>(), times.clone());
                if format == Subtitles::Vtt {
                    let texts = found.iter().map(|(.., cue)| shown(cue));
                    let expected = segments.iter().map(|segment| on_one_line(&segment.text));
                    prop_assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
                }
            }
            let lines: String = segments.iter().map(|segment| Subtitles::Txt.entry(1, segment)).collect();
            prop_assert_eq!(lines.lines().count(), segments.len());
        }
    }
}
