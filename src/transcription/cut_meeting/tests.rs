//! A sound is cut in the same places, however often whoever listens is started again.

#![cfg(test)]

use super::*;
use crate::config::TranscriptionSettings;
use crate::domain::MeetingId;
use crate::domain::sound::{SoundCodec, SoundFormat};
use crate::transcription::files::SoundFile;
use crate::transcription::spool::Spool;
use crate::transcription::spool::folder::SpoolFolder;
use crate::transcription::tests::{bytes, noise, speech};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::time::sleep;

const MEETING: MeetingId = MeetingId(7);
const SOUND: SoundId = SoundId(1);
/// One of which nothing ever comes, and one that is cut already.
const SILENT: SoundId = SoundId(2);
const OTHER: SoundId = SoundId(3);
/// So many records come between two restarts: it has nothing to do with where the cuts are.
const RESTARTS: usize = 37;

/// A sound of some seconds, in records.
struct Recorded {
    format: SoundFormat,
    /// Where each begins, in samples, and what is in it.
    records: Vec<(u64, Vec<u8>)>,
}

/// Speech, twice, with a gap after it and noise in it.
fn of_opus() -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bots/runners/speech/jfk.ogg");
    let mut records = Vec::new();
    for turn in 0..3 {
        let mut file = SoundFile::open(&path).expect("the speech of the tests");
        while let Some(packet) = file.next().expect("a packet") {
            let at = packet.at + turn * 48_000 * 13 + 7 * turn;
            records.push((at, packet.payload.to_vec()));
        }
    }
    Recorded { format: SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 1 }, records }
}

/// The same as samples of this rate, in records of so many of them.
fn of_samples(rate: u32, of_record: usize) -> Recorded {
    let mut heard = speech();
    heard.extend(noise(300.0, 3));
    heard.extend(speech());
    heard.extend(vec![0; 16_000 * 11]);
    heard.extend(speech());
    let count = heard.len() as u64 * u64::from(rate) / 16_000;
    let mut samples = Vec::new();
    for number in 0..count {
        let place = usize::try_from(number * 16_000 / u64::from(rate)).expect("a place");
        samples.push(heard[place]);
    }
    let mut records = Vec::new();
    let mut at = 5;
    for record in samples.chunks(of_record) {
        records.push((at, bytes(record)));
        at += record.len() as u64;
    }
    Recorded { format: SoundFormat { codec: SoundCodec::S16le, rate, channels: 1 }, records }
}

/// The sound in a spool, and where each of its records ends there.
async fn spooled(folder: &Path, sound: &Recorded) -> (Spool, Vec<u64>) {
    let settings = TranscriptionSettings { spool_bytes_max: 1 << 40, ..Default::default() };
    let spool = Spool::new(SpoolFolder::new(&settings, folder.join("sound")));
    let file = spool.write_to(MEETING, 0).expect("a file");
    let mut ends = Vec::new();
    for (at, payload) in &sound.records {
        ends.push(file.append(SOUND, *at, payload).await.expect("appended"));
    }
    file.wait_until_durable(*ends.last().expect("records")).await.expect("durable");
    (spool, ends)
}

/// The windows of a sound whose records come one after the other, with a new listener each `restarts`
/// of them.
fn windows(
    (spool, ends): &(Spool, Vec<u64>),
    format: SoundFormat,
    restarts: usize,
) -> Vec<NewWindow> {
    // Of a recording nothing is cut because it does not go on.
    let source = SoundSource::Upload;
    let mut sound =
        GrowingSound { id: SOUND, format, source, has_ended: false, cut_ms: 0, cut_offset: 0 };
    let mut windows = Vec::new();
    let mut cutter: Option<MeetingCutter> = None;
    for (number, upto) in ends.iter().enumerate() {
        sound.has_ended = number + 1 == ends.len();
        if number % restarts == 0 {
            cutter = None;
        }
        let known = Known {
            sounds: vec![sound.clone()],
            upto: *upto,
            has_all: true,
            now: Time::from_millis(0),
        };
        let cutter = cutter.get_or_insert_with(|| {
            let from = u64::try_from(sound.cut_offset).expect("an offset");
            MeetingCutter::new(spool.read(MEETING, from).expect("a reader"), true)
        });
        for cut in cutter.step(&known).expect("a step").cuts {
            // As the database has it.
            (sound.cut_ms, sound.cut_offset) = (cut.cut_ms, cut.cut_offset);
            windows.extend(cut.windows);
        }
    }
    windows
}

#[tokio::test]
async fn a_sound_is_cut_in_the_same_places_whoever_begins_anew() {
    for (name, sound) in [
        ("opus", of_opus()),
        ("samples", of_samples(16_000, 1_001)),
        ("samples of another rate", of_samples(44_100, 3_003)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let spooled = spooled(folder.path(), &sound).await;
        let expected = windows(&spooled, sound.format, usize::MAX);
        assert!(expected.len() >= 8, "{name}: {expected:?}");
        for restarts in [11, RESTARTS, 5 * RESTARTS] {
            let found = windows(&spooled, sound.format, restarts);
            assert_eq!(found, expected, "{name}, {restarts}");
        }
    }
}

/// Live sounds as the database has them: up to where each is cut, and from where it is read.
type Cuts = BTreeMap<SoundId, (i64, i64)>;

/// Takes a step, and notes its cuts; the windows.
fn step(cutter: &mut MeetingCutter, cuts: &mut Cuts, upto: u64) -> Vec<NewWindow> {
    let format = SoundFormat { codec: SoundCodec::S16le, rate: 16_000, channels: 1 };
    let source = SoundSource::Bot;
    let mut sounds = Vec::new();
    for (id, (cut_ms, cut_offset)) in cuts.iter() {
        let (cut_ms, cut_offset) = (*cut_ms, *cut_offset);
        let has_ended = false;
        sounds.push(GrowingSound { id: *id, format, source, has_ended, cut_ms, cut_offset });
    }
    let known = Known { sounds, upto, has_all: true, now: Time::from_millis(0) };
    let mut windows = Vec::new();
    for cut in cutter.step(&known).expect("a step").cuts {
        cuts.insert(cut.sound_id, (cut.cut_ms, cut.cut_offset));
        windows.extend(cut.windows);
    }
    windows
}

#[tokio::test]
async fn a_stream_that_sends_nothing_keeps_nothing_on_the_disk_and_is_heard_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = of_samples(16_000, 1_001);
    let (spool, ends) = spooled(folder.path(), &sound).await;
    let file = spool.write_to(MEETING, 0).expect("a file");
    let mut upto = *ends.last().expect("records");
    let mut last = 0;
    let brought = vec![0; 64 * 1024];
    for number in 0..100 {
        last = upto;
        upto = file.append(OTHER, number, &brought).await.expect("appended");
    }
    file.wait_until_durable(upto).await.expect("durable");
    let mut cutter = MeetingCutter::new(spool.read(MEETING, 0).expect("a reader"), true);
    let mut cuts = Cuts::from([(SOUND, (0, 0)), (SILENT, (0, 0))]);
    let passed = i64::try_from(last).expect("an offset");
    let mut windows = Vec::new();
    for _ in 0..600 {
        windows.extend(step(&mut cutter, &mut cuts, upto));
        if cuts.values().all(|(_, offset)| *offset == passed) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(cuts.values().all(|(_, offset)| *offset == passed), "{cuts:?}, not {passed}");
    assert!(windows.len() >= 8, "{windows:?}");
    let (at, payload) = sound.records.last().expect("records");
    let end = at + payload.len() as u64 / 2;
    assert!(cuts[&SOUND].0 >= whole(end / 16 - 1), "{cuts:?}, not all of it");
    assert_eq!(cuts[&SILENT].0, 0);
    spool.give_back(MEETING, last).expect("given back");
    spool.look().expect("counted");
    assert!(spool.folder().bytes() < 1024 * 1024, "{}", spool.folder().bytes());
    // It speaks again.
    for (at, payload) in &sound.records {
        upto = file.append(SOUND, end + 16_000 + at, payload).await.expect("appended");
    }
    file.wait_until_durable(upto).await.expect("durable");
    let mut again = MeetingCutter::new(spool.read(MEETING, last).expect("a reader"), true);
    let found = step(&mut again, &mut cuts.clone(), upto);
    assert!(!found.is_empty(), "nobody hears it");
    assert_eq!(step(&mut cutter, &mut cuts, upto), found);
}
