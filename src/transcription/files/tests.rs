//! Files that people have, and files that somebody made to hurt.

#![cfg(test)]

use super::*;
use crate::domain::sound::SoundCodec;
use crate::error::Error;
use crate::transcription::decode::Decoder;
use crate::transcription::tests::{bytes, speech, strength, tone};
use hound::{SampleFormat, WavSpec, WavWriter};
use ogg::{PacketWriteEndInfo, PacketWriter};
use proptest::prelude::*;
use ropus::{Application, Channels, Encoder};
use std::io::Cursor;
use std::path::PathBuf;

/// A folder of a test, and one file in it.
fn file_of(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sound");
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

fn open(bytes: &[u8]) -> Result<SoundFile> {
    let (_folder, path) = file_of(bytes);
    SoundFile::open(&path)
}

/// All packets of a file, or why it cannot be read.
fn packets_of(bytes: &[u8]) -> Result<(SoundFormat, u64, Vec<FilePacket>)> {
    let mut file = open(bytes)?;
    let mut packets = Vec::new();
    while let Some(packet) = file.next()? {
        packets.push(packet);
    }
    Ok((file.format, file.duration_ms, packets))
}

fn sentence(bytes: &[u8]) -> String {
    match packets_of(bytes) {
        Err(error @ Error::UnreadableSound(_)) => error.to_string(),
        other => panic!("it was read, or failed: {other:?}"),
    }
}

fn samples_of(packets: &[FilePacket]) -> Vec<i16> {
    let bytes: Vec<u8> = packets.iter().flat_map(|packet| packet.payload.to_vec()).collect();
    bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

/// A WAV file of samples from -1 to 1.
fn wav(samples: &[f32], channels: u16, rate: u32, bits: u16, float: bool) -> Vec<u8> {
    let sample_format = if float { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).expect("a writer");
    for sample in samples {
        if float {
            writer.write_sample(*sample).expect("a sample");
        } else {
            let most = f64::from(i32::MAX >> (32 - bits));
            #[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
            let sample = (f64::from(*sample) * most) as i32;
            writer.write_sample(sample).expect("a sample");
        }
    }
    writer.finalize().expect("an end");
    bytes.into_inner()
}

/// Opus packets of 20 ms.
fn opus_of(samples: &[i16], channels: Channels) -> Vec<Vec<u8>> {
    let mut encoder =
        Encoder::builder(48_000, channels, Application::Audio).build().expect("an encoder");
    let encode = |frame: &[i16]| {
        let mut packet = vec![0; 4_000];
        let length = encoder.encode(frame, &mut packet).expect("a packet");
        packet.truncate(length);
        packet
    };
    samples.chunks_exact(960 * channels.count()).map(encode).collect()
}

/// One second of a tone as an Ogg file.
fn ogg() -> Vec<u8> {
    let mut writer = OggWriter::new(Vec::new(), 1).expect("a writer");
    for (at, packet) in (0..).step_by(960).zip(opus_of(&tone(1_000, 48_000, 1), Channels::Mono)) {
        writer.write(at, &packet).expect("a packet");
    }
    writer.end().expect("an end")
}

#[test]
fn wav_files_of_all_forms_are_read() {
    let sound: Vec<f32> =
        tone(1_000, 44_100, 1).iter().map(|one| f32::from(*one) / 32_768.0).collect();
    for (bits, float) in [(8, false), (16, false), (24, false), (32, false), (32, true)] {
        let (format, duration_ms, packets) =
            packets_of(&wav(&sound, 1, 44_100, bits, float)).expect("a WAV file");
        assert_eq!(format, SoundFormat { codec: SoundCodec::S16le, rate: 44_100, channels: 1 });
        assert_eq!((duration_ms, packets.len()), (1_000, 10));
        let mut at = 0;
        for packet in &packets {
            assert_eq!(packet.at, at, "{bits} bits");
            at += packet.payload.len() as u64 / 2;
        }
        let samples = samples_of(&packets);
        assert_eq!(samples.len(), 44_100);
        let level = strength(&samples, 1_000, 44_100);
        let least = if bits == 8 { 7_500.0 } else { 7_900.0 };
        assert!((least..8_100.0).contains(&level), "{bits} bits, {float}: {level}");
    }
}

#[test]
fn samples_beyond_their_bounds_are_clipped() {
    let sound = [0.5, 2.0, -2.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.5];
    let (_, _, packets) = packets_of(&wav(&sound, 1, 16_000, 32, true)).expect("a WAV file");
    let clipped = [16_384, 32_767, -32_768, 32_767, -32_768, 0, -16_384];
    assert_eq!(samples_of(&packets), clipped);
}

#[test]
fn a_channel_is_read_alone() {
    let left = tone(700, 16_000, 1);
    let right = tone(1_500, 16_000, 1);
    let both: Vec<i16> = left.iter().zip(&right).flat_map(|(one, other)| [*one, *other]).collect();
    let floats: Vec<f32> = both.iter().map(|one| f32::from(*one) / 32_768.0).collect();
    let wav = wav(&floats, 2, 16_000, 16, false);
    let at_48: Vec<i16> = tone(700, 48_000, 1)
        .iter()
        .zip(tone(1_500, 48_000, 1))
        .flat_map(|(one, other)| [*one, other])
        .collect();
    let mut writer = OggWriter::new(Vec::new(), 2).expect("a writer");
    for (at, packet) in (0..).step_by(960).zip(opus_of(&at_48, Channels::Stereo)) {
        writer.write(at, &packet).expect("a packet");
    }
    let ogg = writer.end().expect("an end");
    for (name, bytes) in [("wav", wav), ("ogg", ogg)] {
        for (channel, own, other) in [(0, 700, 1_500), (1, 1_500, 700)] {
            let (_folder, path) = file_of(&bytes);
            let file = SoundFile::open(&path).expect("a file");
            let mut file = file.only_channel(channel).expect("a channel");
            let expected = SoundFormat { codec: SoundCodec::S16le, rate: 16_000, channels: 1 };
            assert_eq!(file.format, expected);
            let mut packets = Vec::new();
            let mut at = 0;
            while let Some(packet) = file.next().expect("a packet") {
                assert_eq!(packet.at, at, "{name}");
                at += packet.payload.len() as u64 / 2;
                packets.push(packet);
            }
            let samples = samples_of(&packets);
            assert_eq!(samples.len(), 16_000, "{name}");
            let middle = &samples[1_600..14_400];
            assert!(strength(middle, own, 16_000) > 6_500.0, "{name} {channel}");
            assert!(strength(middle, other, 16_000) < 500.0, "{name} {channel}");
        }
        let error = open(&bytes).expect("a file").only_channel(2).err().expect("an error");
        assert!(error.to_string().contains("2 channels"), "{error}");
    }
}

#[test]
fn ogg_files_are_read() {
    let (format, duration_ms, packets) = packets_of(&ogg()).expect("an Ogg file");
    assert_eq!(format, SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 1 });
    assert_eq!((duration_ms, packets.len()), (1_000, 50));
    assert!(packets.iter().zip((0..).step_by(960)).all(|(packet, at)| packet.at == at));
    let mut decoder = Decoder::new(format).expect("Opus");
    let mut samples = Vec::new();
    for packet in &packets {
        decoder.decode(&packet.payload, &mut samples);
    }
    assert!(strength(&samples[1_600..14_400], 1_000, 16_000) > 7_000.0);
}

#[test]
fn speech_of_a_file_is_as_long_as_it_says() {
    assert_eq!(speech().len(), 11 * 16_000);
}

#[test]
fn a_gap_is_written_as_silence_and_read_as_it_is() {
    let packets = opus_of(&tone(1_000, 48_000, 1), Channels::Mono);
    let mut writer = OggWriter::new(Vec::new(), 1).expect("a writer");
    writer.write(0, &packets[0]).expect("a packet");
    writer.write(480_000, &packets[1]).expect("a packet");
    let written = writer.end().expect("an end");
    let (_, duration_ms, read) = packets_of(&written).expect("an Ogg file");
    assert_eq!(duration_ms, 10_020);
    let last = read.last().expect("a packet");
    assert_eq!((read.len(), last.at, &last.payload[..]), (501, 480_000, &packets[1][..]));
    assert!(read[1..500].iter().all(|packet| packet.payload.len() == 1));
}

#[test]
fn a_long_silence_is_written_a_second_at_a_time() {
    let mut writer = OggWriter::new(Vec::new(), 1).expect("a writer");
    let end = 10 * 48_000;
    for second in 1..10 {
        assert!(!writer.add_silence(end).expect("silence"), "all at once");
        assert_eq!(writer.position(), second * 48_000);
    }
    assert!(writer.add_silence(end).expect("silence"));
    assert_eq!(writer.position(), end);
    assert!(writer.add_silence(end).expect("no more"));
    writer.written().clear();
    assert!(writer.add_silence(end + 959).expect("less than a packet"));
    assert_eq!(writer.position(), end);
}

/// An Ogg file of pages that are given: serial number, granule, and one packet each.
fn pages(pages: &[(u32, u64, Vec<u8>)]) -> Vec<u8> {
    let mut writer = PacketWriter::new(Vec::new());
    for (count, (serial, granule, packet)) in pages.iter().enumerate() {
        let end = match count + 1 == pages.len() {
            true => PacketWriteEndInfo::EndStream,
            false => PacketWriteEndInfo::EndPage,
        };
        writer.write_packet(packet.clone(), *serial, end, *granule).expect("a packet");
    }
    writer.into_inner()
}

fn head(channels: u8, pre_skip: u16, family: u8) -> Vec<u8> {
    let [low, high] = pre_skip.to_le_bytes();
    [&b"OpusHead"[..], &[1, channels, low, high, 0x80, 0xbb, 0, 0, 0, 0, family]].concat()
}

const TAGS: &[u8] = b"OpusTags\0\0\0\0\0\0\0\0";

#[test]
fn places_follow_the_file() {
    // A silent packet of 20 ms, and one of 2.5 ms.
    let (silent, short) = (vec![31 << 3], vec![28 << 3]);
    let of = |pre_skip, rest: &[(u64, &Vec<u8>)]| {
        let mut all = vec![(7, 0, head(1, pre_skip, 0)), (7, 0, TAGS.to_vec())];
        all.extend(rest.iter().map(|(granule, packet)| (7, *granule, (*packet).clone())));
        let (_, duration_ms, packets) = packets_of(&pages(&all)).expect("an Ogg file");
        (packets.iter().map(|packet| packet.at).collect::<Vec<u64>>(), duration_ms)
    };
    // The encoder's delay is not heard: what lies in it goes, what begins in it begins at 0.
    let packets = [(960, &silent), (1_920, &silent), (2_880, &silent)];
    assert_eq!(of(0, &packets), (vec![0, 960, 1_920], 60));
    assert_eq!(of(312, &packets), (vec![0, 648, 1_608], 53));
    assert_eq!(of(1_000, &[(120, &short), (1_080, &silent), (2_040, &silent)]), (vec![0, 80], 21));
    // A page that begins later than the last one ends: silence is between them.
    assert_eq!(of(0, &[(960, &silent), (48_960, &silent)]), (vec![0, 48_000], 1_020));
    // A recording that begins in the middle of a stream begins at 0.
    assert_eq!(of(0, &[(96_960, &silent), (97_920, &silent)]), (vec![0, 960], 40));
    // The last page ends earlier than its packets: its end is not to be heard.
    assert_eq!(of(0, &[(960, &silent), (1_000, &silent)]), (vec![0, 960], 20));
    // A page that goes back in time is read where it stands.
    assert_eq!(of(0, &[(960, &silent), (5, &silent), (2_880, &silent)]), (vec![0, 960, 1_920], 60));
}

#[test]
fn ogg_files_that_are_not_read_are_refused_with_a_sentence() {
    let silent = vec![31_u8 << 3];
    let with = |head: Vec<u8>, granule| {
        let first = (1, 960, silent.clone());
        pages(&[(1, 0, head), (1, 0, TAGS.to_vec()), first, (1, granule, silent.clone())])
    };
    let chained = [ogg(), ogg()].concat();
    let other_serial = [ogg(), pages(&[(9, 0, head(1, 0, 0)), (9, 960, silent.clone())])].concat();
    let mut at_once = PacketWriter::new(Vec::new());
    for (serial, packet) in
        [(1, head(1, 0, 0)), (2, head(1, 0, 0)), (2, TAGS.to_vec()), (1, TAGS.to_vec())]
    {
        at_once.write_packet(packet, serial, PacketWriteEndInfo::EndPage, 0).expect("a packet");
    }
    let mut without_tags = vec![(1, 0, head(1, 0, 0))];
    without_tags.push((1, 960, silent.clone()));
    for (bytes, word) in [
        (with(head(1, 0, 0), u64::from(u32::MAX) * 1_000), "a week"),
        (with(head(1, 0, 0), i64::MAX.cast_unsigned()), "a week"),
        (with(head(6, 0, 1), 960), "two channels"),
        (with(head(0, 0, 0), 960), "0 channels"),
        (with(b"OpusHead\x01\x01".to_vec(), 960), "damaged"),
        (with([&b"OpusHead\x20"[..], &[0; 10]].concat(), 960), "version"),
        (pages(&without_tags), "damaged"),
        (pages(&[(1, 0, head(1, 0, 0)), (1, 0, TAGS.to_vec())]), "cut off"),
        (chained, "several recordings"),
        (other_serial, "several streams"),
        (at_once.into_inner(), "several streams"),
        (b"OggS".repeat(20), "neither"),
        (b"ID3\x04 this is an MP3 file".to_vec(), "neither"),
        (Vec::new(), "neither"),
    ] {
        let sentence = sentence(&bytes);
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
}

#[test]
fn an_endless_packet_is_refused() {
    // Pages of 255 full segments that no packet ends: more of them than a packet may take.
    let mut writer = PacketWriter::new(Vec::new());
    let end = PacketWriteEndInfo::EndPage;
    writer.write_packet(head(1, 0, 0), 1, end, 0).expect("a packet");
    writer.write_packet(vec![0; 20 * 1024 * 1024], 1, end, 0).expect("a packet");
    assert!(sentence(&writer.into_inner()).contains("damaged"));
}

#[test]
fn wav_files_that_are_not_read_are_refused_with_a_sentence() {
    let good = wav(&[0.25; 4_000], 2, 16_000, 16, false);
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    for (bytes, word) in [
        // Zero channels; a length of 4 GiB and of more than there is; a codec of its own.
        (with(22, &[0, 0]), "damaged"),
        (with(40, &[0xfc, 0xff, 0xff, 0xff]), "cut off"),
        (with(40, &(8_004_u32).to_le_bytes()), "cut off"),
        (with(40, &(7_999_u32).to_le_bytes()), "damaged"),
        (with(20, &[2, 0]), "form that is not read"),
        (with(34, &[0, 0]), "damaged"),
        (wav(&[0.0; 90], 9, 16_000, 16, false), "9 channels"),
        (wav(&[0.0; 9], 1, 192_000, 16, false), "192000"),
        (wav(&[0.0; 9], 1, 4_000, 16, false), "4000"),
    ] {
        let sentence = sentence(&bytes);
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
    let (format, duration_ms, packets) = packets_of(&wav(&[], 1, 16_000, 16, false)).expect("WAV");
    assert_eq!((format.rate, duration_ms, packets.len()), (16_000, 0, 0));
}

#[test]
fn files_that_are_cut_off_anywhere_are_errors() {
    for (name, whole, from) in
        [("wav", wav(&[0.25; 4_000], 1, 16_000, 16, false), 12), ("ogg", ogg(), 36)]
    {
        assert!(packets_of(&whole).is_ok(), "{name}");
        for length in (0..from).chain((from..whole.len()).step_by(7)) {
            // Recordings that were broken off end with a whole page: what there is, is read.
            if let Ok((_, _, packets)) = packets_of(&whole[..length]) {
                assert!(name == "ogg" && !packets.is_empty() && packets.len() < 50, "{length}");
                continue;
            }
            let sentence = sentence(&whole[..length]);
            let is_told =
                ["cut off", "damaged", "neither"].iter().any(|word| sentence.contains(word));
            assert!(is_told && sentence.ends_with('.'), "{name} of {length} bytes: {sentence}");
        }
    }
}

#[test]
fn a_window_as_a_wav_file_is_read_by_others() {
    let samples = tone(440, 16_000, 1);
    let wav = wav_of(&samples);
    let mut reader = hound::WavReader::new(Cursor::new(&wav)).expect("a WAV file");
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 16_000, 16));
    let read: Vec<i16> = reader.samples().map(|sample| sample.expect("a sample")).collect();
    assert_eq!(read, samples);
    assert_eq!(wav[44..], bytes(&samples));
    assert!(hound::WavReader::new(Cursor::new(wav_of(&[]))).is_ok());
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    assert!(matches!(SoundFile::open(Path::new("/nonexistent/a.wav")), Err(Error::Internal(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Bytes that were changed on the way: it is read to its end, or there is a sentence.
    #[test]
    fn damaged_files_end(
        is_ogg in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = if is_ogg { ogg() } else { wav(&[0.25; 2_000], 2, 22_050, 24, false) };
        for (place, byte) in changes {
            let first = if place.index(2) == 0 { file.len().min(120) } else { file.len() };
            let place = place.index(first);
            file[place] = byte;
        }
        if let Err(error) = packets_of(&file) {
            prop_assert!(matches!(error, Error::UnreadableSound(_)), "{}", error);
        }
    }
}
