//! What is exported comes back to the letter; files of elsewhere are read as they are written.

#![cfg(test)]

use super::*;
use crate::domain::segment::Segment;
use crate::domain::{Subtitles, Time};
use proptest::prelude::*;

fn shown(number: usize, imported: &ImportedSegment) -> Segment {
    let at = Time::from_millis(0);
    Segment {
        segment_id: number.to_string(),
        start: imported.start,
        end: imported.end,
        text: imported.text.clone(),
        language: imported.language.clone(),
        speaker: imported.speaker.clone(),
        speaker_source: SpeakerSource::Unknown,
        completed: true,
        corrected: false,
        original_text: None,
        corrected_at: None,
        created_at: at,
        absolute_start_time: at,
        absolute_end_time: at,
    }
}

fn export(format: Subtitles, segments: &[ImportedSegment]) -> String {
    let mut text = format.header().to_owned();
    for (number, segment) in segments.iter().enumerate() {
        text.push_str(&format.entry(number as u64 + 1, &shown(number, segment)));
    }
    text
}

/// Texts with what formats make something of.
fn texts() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("Ada: ".to_owned()),
            Just("a --> b".to_owned()),
            Just("&amp;".to_owned()),
            Just("<v Eve>".to_owned()),
            Just("<i>".to_owned()),
            Just(" ".to_owned()),
            Just("\n".to_owned()),
            Just("{\\an8}".to_owned()),
            Just("NOTE".to_owned()),
            Just("12".to_owned()),
            "[a-zA-Z<>&:;{}/ .äß\u{2028}\u{a0}-]{1,8}",
        ],
        1..6,
    )
    .prop_map(|parts| format!("w{}", parts.concat()))
}

fn segments() -> impl Strategy<Value = Vec<ImportedSegment>> {
    let one = (0..400_000_000i64, 1..60_000i64, proptest::option::of(texts()), texts());
    proptest::collection::vec(one, 1..8).prop_map(|rows| {
        let mut segments = Vec::new();
        for (start, length, speaker, text) in rows {
            segments.push(segment_of(Offset(start), Offset(start + length), speaker, text));
        }
        segments.sort_by_key(|segment| segment.start);
        segments
    })
}

proptest! {
    #[test]
    fn subtitles_that_are_exported_imported_and_exported_are_the_same(segments in segments()) {
        for (format, import) in [(Subtitles::Srt, ImportFormat::Srt), (Subtitles::Vtt, ImportFormat::Vtt)] {
            let first = export(format, &segments);
            let read = import.read(&first).map_err(|fault| TestCaseError::fail(format!("{fault}: {first:?}")))?;
            prop_assert_eq!(read.segments.len(), segments.len());
            for (before, after) in segments.iter().zip(&read.segments) {
                prop_assert_eq!((before.start, before.end), (after.start, after.end));
            }
            prop_assert_eq!(export(format, &read.segments), first);
        }
    }
}

#[test]
fn files_of_elsewhere_are_read() {
    let srt = "\u{feff}1\r\n00:00:01,500 --> 00:00:02,000\r\nAda: Good\r\nmorning.\r\n\r\n\
               00:00:03.000 --> 00:00:04.000 X1:0\nI said: hello\n";
    let read = ImportFormat::Srt.read(srt).expect("a transcript").segments;
    let said = |segment: &ImportedSegment| (segment.speaker.clone(), segment.text.clone());
    assert_eq!(said(&read[0]), (Some("Ada".to_owned()), "Good morning.".to_owned()));
    assert_eq!(read[0].start, Offset(1500));
    // It is not plain that this is a name, but it may be one.
    assert_eq!(said(&read[1]), (Some("I said".to_owned()), "hello".to_owned()));
    let vtt = "WEBVTT - a title\nKind: captions\n\nNOTE nothing\nof worth\n\nintro\n\
               00:01.000 --> 01:00:02.000 align:start\n<v.loud Ada Lovelace>1 &lt; 2 <i>&amp;</i> 3</v>\n";
    let read = ImportFormat::Vtt.read(vtt).expect("a transcript").segments;
    assert_eq!(read.len(), 1);
    assert_eq!(said(&read[0]), (Some("Ada Lovelace".to_owned()), "1 < 2 & 3".to_owned()));
    assert_eq!((read[0].start, read[0].end), (Offset(1000), Offset(3_602_000)));
}

#[test]
fn faults_name_their_lines() {
    let fault = |format: ImportFormat, text: &str| {
        let fault = format.read(text).expect_err(text);
        (fault.line, fault.why)
    };
    let srt = |text: &str| fault(ImportFormat::Srt, text);
    assert_eq!(srt("1\n00:00:01,500 -> 00:00:02,000\na").0, 1);
    assert_eq!(srt("1\n00:00:01,50 --> 00:00:02,000\na"), (2, NO_TIMES.to_owned()));
    assert_eq!(srt("1\n00:61:01,500 --> 00:00:02,000\na").0, 2);
    let swapped = "1\n00:00:01,500 --> 00:00:02,000\na\n\n2\n00:00:02,000 --> 00:00:01,000\nb";
    assert_eq!(srt(swapped), (6, "it ends before it begins".to_owned()));
    assert_eq!(srt("1\n00:00:01,500 --> 00:00:02,000\n\n").1, "there are no words in it");
    assert_eq!(srt(""), (1, "there is no segment in it".to_owned()));
    assert_eq!(fault(ImportFormat::Vtt, "1\n00:01.000 --> 00:02.000\na").0, 1);
    let long = format!("00:00:01,500 --> 00:00:02,000\n{}", "a".repeat(TEXT_CHARS_MAX + 1));
    assert_eq!(srt(&long).0, 1);
    let json = "{\n\"segments\": [\n{\"start\": 1, \"end\": \"x\", \"text\": \"a\"}]}";
    assert_eq!(fault(ImportFormat::Json, json).0, 3);
    let empty = "{\"segments\": [{\"start\": 1, \"end\": 2, \"text\": \" \"}]}";
    assert!(fault(ImportFormat::Json, empty).1.starts_with("segment 1: "));
    let many = "00:01.000 --> 00:02.000\na\n\n".repeat(SEGMENTS_MAX + 1);
    assert!(fault(ImportFormat::Vtt, &format!("WEBVTT\n\n{many}")).1.contains("20000"));
}

#[test]
fn formats_are_told_apart() {
    for (text, expected) in [
        (" {\"segments\": []}", ImportFormat::Json),
        ("\u{feff}WEBVTT\n", ImportFormat::Vtt),
        ("1\n00:00:00,000 --> 00:00:01,000\na", ImportFormat::Srt),
        ("", ImportFormat::Srt),
    ] {
        assert_eq!(ImportFormat::of(text), expected, "{text}");
    }
}
