//! What is damaged in the middle of a file costs itself alone.

#![cfg(test)]

use crate::transcription::spool::record::{FILE_HEADER, RECORD_HEADER};
use crate::transcription::spool::tests::{
    MEETING, RECORD, numbers, read_from, runtime, spool, write,
};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

/// From where in a file of 100 records how many bytes are damaged, and which records are lost.
fn damages() -> Vec<(u64, usize, std::ops::Range<u64>)> {
    let payload = RECORD_HEADER as u64;
    vec![
        // The first one's length, which reads as none, and as a longer one.
        (0, 1, 0..1),
        (3, 1, 0..1),
        // A payload, and a checksum.
        (50 * RECORD + payload + 50, 1, 50..51),
        (70 * RECORD + 4, 4, 70..71),
        // Over the bounds of records, and over more than is read at once.
        (30 * RECORD + 90, 60, 30..32),
        (10 * RECORD, 1000 * 11, 10..99),
    ]
}

/// Other bytes than there were.
fn damage(bytes: &[u8], from: usize, count: usize) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for byte in damaged.iter_mut().skip(from).take(count) {
        *byte ^= 0x5a;
    }
    damaged
}

fn but(lost: &std::ops::Range<u64>, count: u64) -> Vec<u64> {
    (0..count).filter(|number| !lost.contains(number)).collect()
}

#[test]
fn a_later_run_keeps_what_is_whole_before_and_behind_the_damage() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        write(&spool(folder.path()).write_to(MEETING, 0).expect("a file"), 0..100).await;
        let path = folder.path().join("sound/7.sound");
        let whole = fs::read(&path).expect("its bytes");
        for (from, count, lost) in damages() {
            let place = usize::try_from(FILE_HEADER + from).expect("a place");
            fs::write(&path, damage(&whole, place, count)).expect("damaged");
            let spool = spool(folder.path());
            assert_eq!(spool.end(MEETING).expect("an end"), 100 * RECORD, "at {from}");
            write(&spool.write_to(MEETING, 0).expect("a file"), 100..110).await;
            assert_eq!(numbers(&read_from(&spool, 0)), but(&lost, 110), "at {from}");
        }
    });
}

#[test]
fn a_reader_goes_on_behind_what_is_damaged_while_the_server_runs() {
    runtime().block_on(async {
        for (from, count, lost) in damages() {
            let folder = tempfile::tempdir().expect("a folder");
            let spool = spool(folder.path());
            write(&spool.write_to(MEETING, 0).expect("a file"), 0..100).await;
            let path = folder.path().join("sound/7.sound");
            let whole = fs::read(&path).expect("its bytes");
            let place = usize::try_from(FILE_HEADER + from).expect("a place");
            let damaged = damage(&whole, place, count);
            let file = OpenOptions::new().write(true).open(&path).expect("a file");
            file.write_all_at(&damaged, 0).expect("damaged");
            assert_eq!(numbers(&read_from(&spool, 0)), but(&lost, 100), "at {from}");
        }
    });
}

#[test]
fn damage_over_more_than_is_read_at_once_is_passed_over() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        write(&spool(folder.path()).write_to(MEETING, 0).expect("a file"), 0..3000).await;
        let path = folder.path().join("sound/7.sound");
        let place = usize::try_from(FILE_HEADER + 100 * RECORD + 1).expect("a place");
        let whole = fs::read(&path).expect("its bytes");
        fs::write(&path, damage(&whole, place, 200_000)).expect("damaged");
        let spool = spool(folder.path());
        let last = 100 + (1 + 200_000) / RECORD;
        assert_eq!(numbers(&read_from(&spool, 0)), but(&(100..last + 1), 3000));
    });
}
