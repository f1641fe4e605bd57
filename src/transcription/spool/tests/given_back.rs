//! What was given back to the disk is gone, and the rest is read as before.

#![cfg(test)]

use crate::transcription::spool::Spool;
use crate::transcription::spool::record::{self, FILE_HEADER};
use crate::transcription::spool::tests::{
    MEETING, RECORD, numbers, read_from, runtime, spool, write,
};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// A spool of a run that knows nothing of the one before.
fn again(folder: &Path) -> Spool {
    spool(folder)
}

/// How many bytes of it the file of the meeting takes on the disk.
fn bytes_on_disk(folder: &Path) -> u64 {
    let found = fs::metadata(folder.join("sound/7.sound")).expect("a file");
    found.blocks() * 512
}

#[test]
fn what_is_given_back_is_gone_and_the_rest_is_read_as_before() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = spool(folder.path());
        let file = spool.write_to(MEETING, 0).expect("a file");
        write(&file, 0..60_000).await;
        let before = bytes_on_disk(folder.path());
        spool.look().expect("counted");
        // Too little, and what is not durable, stay as they are.
        spool.give_back(MEETING, 100 * RECORD).expect("no fault");
        spool.give_back(MEETING, 70_000 * RECORD).expect("no fault");
        assert_eq!(read_from(&spool, 0).len(), 60_000);
        for (from, more) in [(20_000, 61_000), (50_000, 62_000)] {
            spool.give_back(MEETING, from * RECORD).expect("given back");
            write(&file, more - 1000..more).await;
            assert!(bytes_on_disk(folder.path()) < before - (from - 3000) * RECORD);
            let expected: Vec<u64> = (from..more).collect();
            // Also from a place that is gone, and by a run that knows nothing of it.
            for at in [0, 7 * RECORD, from * RECORD] {
                assert_eq!(numbers(&read_from(&spool, at)), expected);
            }
            let other = again(folder.path());
            assert_eq!(other.end(MEETING).expect("an end"), more * RECORD);
            assert_eq!(numbers(&read_from(&other, 0)), expected);
        }
        let counted = spool.folder().bytes();
        spool.look().expect("counted anew");
        assert!(counted.abs_diff(spool.folder().bytes()) < 16 * 1024, "{counted}");
    });
}

#[test]
fn a_crash_before_records_are_given_back_loses_nothing() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let file = spool(folder.path()).write_to(MEETING, 0).expect("a file");
        write(&file, 0..100).await;
        let path = folder.path().join("sound/7.sound");
        let skip = record::skip(40 * RECORD);
        let written = OpenOptions::new().write(true).open(&path).expect("a file");
        written.write_all_at(&skip, FILE_HEADER).expect("written");
        let spool = spool(folder.path());
        assert_eq!(numbers(&read_from(&spool, 0)), (40..100).collect::<Vec<u64>>());
        assert_eq!(spool.end(MEETING).expect("an end"), 100 * RECORD);
    });
}

#[test]
fn what_was_given_back_stays_so_where_a_later_run_is_told_of_an_earlier_place() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let first = spool(folder.path());
        write(&first.write_to(MEETING, 0).expect("a file"), 0..60_000).await;
        first.give_back(MEETING, 50_000 * RECORD).expect("given back");
        let expected: Vec<u64> = (50_000..60_000).collect();
        // As where a stream goes on that was cut long ago.
        let second = again(folder.path());
        second.give_back(MEETING, 20_000 * RECORD).expect("no fault");
        for spool in [second, again(folder.path())] {
            assert_eq!(numbers(&read_from(&spool, 0)), expected);
        }
    });
}

#[test]
fn nothing_is_given_back_up_to_a_place_where_no_record_begins() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let first = spool(folder.path());
        write(&first.write_to(MEETING, 0).expect("a file"), 0..40_000).await;
        for upto in [30_000 * RECORD + 10, 30_000 * RECORD - 1, 40_000 * RECORD] {
            first.give_back(MEETING, upto).expect("no fault");
        }
        for spool in [first, again(folder.path())] {
            assert_eq!(read_from(&spool, 0).len(), 40_000);
        }
    });
}

#[test]
fn where_the_first_record_is_damaged_behind_what_was_given_back_the_rest_is_kept() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        write(&spool(folder.path()).write_to(MEETING, 0).expect("a file"), 0..100).await;
        let path = folder.path().join("sound/7.sound");
        let written = OpenOptions::new().write(true).open(&path).expect("a file");
        written.write_all_at(&record::skip(40 * RECORD), FILE_HEADER).expect("written");
        written.write_all_at(&[0; 50], FILE_HEADER + 40 * RECORD).expect("damaged");
        let spool = spool(folder.path());
        write(&spool.write_to(MEETING, 0).expect("a file"), 100..110).await;
        let expected: Vec<u64> = (41..110).collect();
        assert_eq!(numbers(&read_from(&spool, 0)), expected);
    });
}
