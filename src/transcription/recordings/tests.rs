//! Which parts a recording has, and which of them are read.

#![cfg(test)]

use super::*;
use crate::config::TranscriptionSettings;
use crate::transcription::spool::Spool;
use crate::transcription::spool::folder::SpoolFolder;

const MEETING: MeetingId = MeetingId(7);
const SOUND: SoundId = SoundId(3);
const END: &[u8] = &[];

/// What the spool has of a recording whose records are these: part, place in it, bytes.
async fn recording_of(records: &[(u32, u64, &[u8])]) -> Option<Recording> {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = TranscriptionSettings::default();
    let spool = Spool::new(SpoolFolder::new(&settings, folder.path().join("sound")));
    let file = spool.write_to(MEETING, 0).expect("a file");
    let mut end = 0;
    for (number, at, bytes) in records {
        end = file.append(SOUND, place_of(*number, *at), bytes).await.expect("appended");
    }
    file.wait_until_durable(end).await.expect("durable");
    Recording::find(spool.read(MEETING, 0).expect("a reader"), SOUND, end).expect("read")
}

#[tokio::test]
async fn a_part_counts_once_it_is_whole() {
    let (first, other): (&[u8], &[u8]) = (&[1; 100], &[2; 30]);
    assert!(recording_of(&[(0, 0, first)]).await.is_none(), "it broke off");
    let whole = [(0, 0, first), (0, 100, other), (0, 130, END)];
    let recording = recording_of(&whole).await.expect("a recording");
    assert_eq!((recording.length(), recording.from()), (130, 0));
    // Begun again, and also where it has an end that is not its own.
    for broken in [&[(0, 0, other)][..], &[(0, 0, other), (0, 31, END)], &[(0, 30, END)]] {
        let records = [&whole[..], broken].concat();
        assert_eq!(recording_of(&records).await.expect("a recording").length(), 130, "{broken:?}");
    }
    let again = [&whole[..], &[(0, 0, other), (0, 0, other), (0, 30, END)]].concat();
    let recording = recording_of(&again).await.expect("a recording");
    assert_eq!(recording.length(), 30);
    assert!(recording.from() > 130, "the first one is left behind");
}

#[tokio::test]
async fn little_of_a_part_is_in_memory() {
    let bytes = vec![1; 65_536];
    let recording =
        recording_of(&[(0, 0, &bytes[..]), (0, 65_536, END)]).await.expect("a recording");
    for part in recording.parts {
        let head = part.head.try_into_mut().expect("nobody else has it");
        assert_eq!(head.len(), WAV_HEADER);
        assert!(head.capacity() < 1000, "{}", head.capacity());
    }
}

/// A recording of three parts, each with this head and of so many bytes.
fn of_three(head: &[u8], bytes: u64) -> Recording {
    let part = |number| Part { number, from: 0, bytes, head: Bytes::copy_from_slice(head) };
    let parts = vec![part(0), part(1), part(2)];
    let header = header_for_all(&parts);
    Recording { sound: SOUND, parts, header, media_type: "audio/wav" }
}

#[test]
fn parts_before_the_first_byte_are_not_read() {
    let mut wav = b"RIFF????WAVE".to_vec();
    wav.resize(36, 0);
    wav.extend(b"data????");
    let recording = of_three(&wav, 1044);
    assert_eq!(recording.length(), 3044);
    for (byte, begins, parts) in
        [(0, 0, 3), (43, 0, 3), (44, 44, 3), (1043, 44, 3), (1044, 1044, 2), (3043, 2044, 1)]
    {
        let (pieces, at) = recording.pieces(byte);
        assert_eq!((at, pieces.parts.len()), (begins, parts), "{byte}");
        assert_eq!(pieces.header.is_some(), begins == 0, "{byte}");
    }
    let recording = of_three(b"????", 100);
    for (byte, begins, parts) in [(0, 0, 3), (99, 0, 3), (100, 100, 2), (299, 200, 1)] {
        let (pieces, at) = recording.pieces(byte);
        assert_eq!((at, pieces.parts.len()), (begins, parts), "{byte}");
        assert_eq!(pieces.parts.last().map(|part| part.number), Some(begins / 100), "{byte}");
    }
}
