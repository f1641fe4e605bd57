//! Sound is read as it was written, whatever happens to the process, the file and the disk.

#![cfg(test)]

use crate::config::TranscriptionSettings;
use crate::domain::{MeetingId, SoundId};
use crate::error::Error;
use crate::transcription::spool::folder::SpoolFolder;
use crate::transcription::spool::record::{FILE_HEADER, RECORD_HEADER};
use crate::transcription::spool::{Record, Spool, SpoolFile};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

mod damaged;
mod given_back;

const MEETING: MeetingId = MeetingId(7);
/// The bytes of each payload here.
const PAYLOAD: usize = 100;
const RECORD: u64 = (RECORD_HEADER + PAYLOAD) as u64;

fn spool(folder: &Path) -> Spool {
    let settings = TranscriptionSettings { spool_bytes_max: 1 << 40, ..Default::default() };
    Spool::new(SpoolFolder::new(&settings, folder.join("sound")))
}

fn payload(number: u64) -> Vec<u8> {
    let mut payload = vec![u8::try_from(number % 251).expect("a byte"); PAYLOAD];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

/// Records of three sounds, by turns, with these numbers; where the last one ends.
async fn write(file: &Arc<SpoolFile>, numbers: std::ops::Range<u64>) -> u64 {
    let mut end = 0;
    for number in numbers {
        let sound = SoundId(i64::try_from(number % 3).expect("a sound") + 1);
        end = file.append(sound, number, &payload(number)).await.expect("appended");
    }
    file.wait_until_durable(end).await.expect("durable");
    end
}

fn read_from(spool: &Spool, from: u64) -> Vec<Record> {
    let mut reader = spool.read(MEETING, from).expect("a reader");
    std::iter::from_fn(|| reader.next().expect("a record")).collect()
}

/// The numbers of the records, each of which is whole.
fn numbers(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| {
        assert_eq!(record.payload, payload(record.at));
        assert_eq!(record.sound.0, i64::try_from(record.at % 3).expect("a sound") + 1);
        record.at
    };
    records.iter().map(number).collect()
}

fn all(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[tokio::test]
async fn sound_is_read_as_it_was_written_and_what_comes_later_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = spool(folder.path());
    let mut early = spool.read(MEETING, 0).expect("a reader before there is a file");
    let grown = spool.grown(MEETING).expect("its growth");
    assert_eq!(early.next().expect("nothing yet"), None);
    let file = spool.write_to(MEETING, 0).expect("a file");
    let end = write(&file, 0..500).await;
    assert_eq!((*grown.borrow(), end), (500 * RECORD, 500 * RECORD));
    let records = read_from(&spool, 0);
    assert_eq!(numbers(&records), all(500));
    assert_eq!(numbers(&read_from(&spool, records[321].offset)), (321..500).collect::<Vec<_>>());
    for number in 0..500 {
        assert_eq!(early.next().expect("a record").map(|record| record.at), Some(number));
    }
    assert_eq!(early.next().expect("no more yet"), None);
    write(&file, 500..510).await;
    let later: Vec<u64> =
        std::iter::from_fn(|| early.next().expect("a record")).map(|record| record.at).collect();
    assert_eq!(later, (500..510).collect::<Vec<_>>());
    assert_eq!(spool.folder().bytes(), FILE_HEADER + 510 * RECORD);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let path = folder.path().join("sound");
    assert_eq!((mode(&path), mode(&path.join("7.sound"))), (0o700, 0o600));
}

#[tokio::test]
async fn what_is_torn_is_cut_off_and_sound_goes_on_behind_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = spool(folder.path());
    write(&first.write_to(MEETING, 0).expect("a file"), 0..20).await;
    let path = folder.path().join("sound/7.sound");
    let whole = fs::read(&path).expect("its bytes");
    let last = whole.len() - usize::try_from(RECORD).expect("a size");
    let mut torn: Vec<(Vec<u8>, u64)> =
        (last + 1..whole.len()).step_by(9).map(|length| (whole[..length].to_vec(), 19)).collect();
    torn.push(([&whole[..], &[0; 4096]].concat(), 20));
    torn.push(([&whole[..], &[255; 300]].concat(), 20));
    let mut flipped = whole.clone();
    flipped[last + RECORD_HEADER + 50] ^= 1;
    torn.push((flipped, 19));
    torn.extend((0..16).step_by(5).map(|length| (whole[..length].to_vec(), 0)));
    for (bytes, count) in torn {
        fs::write(&path, &bytes).expect("torn");
        let spool = spool(folder.path());
        assert_eq!(numbers(&read_from(&spool, 0)), all(count), "of {} bytes", bytes.len());
        write(&spool.write_to(MEETING, 0).expect("a file"), count..30).await;
        assert_eq!(numbers(&read_from(&spool, 0)), all(30), "of {} bytes", bytes.len());
    }
}

#[tokio::test]
async fn offsets_never_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = spool(folder.path());
    let end = write(&spool.write_to(MEETING, 0).expect("a file"), 0..10).await;
    let file = spool.write_to(MEETING, 0).expect("the same file");
    spool.forget(MEETING).expect("forgotten");
    assert!(!spool.has_sound(MEETING));
    let refused = file.append(SoundId(1), 10, &payload(10)).await;
    assert!(matches!(refused, Err(Error::NoRoomForSound { .. })), "{refused:?}");
    assert_eq!(spool.folder().bytes(), 0);
    assert_eq!(read_from(&spool, 0), []);
    write(&spool.write_to(MEETING, end).expect("a new file"), 10..20).await;
    for spool in [spool, self::spool(folder.path())] {
        let records = read_from(&spool, end);
        assert_eq!(numbers(&records), (10..20).collect::<Vec<_>>());
        assert_eq!(records[0].offset, end);
        assert_eq!(read_from(&spool, 0), records, "from the first that is there");
    }
}

#[tokio::test]
async fn no_link_is_followed_and_no_folder_of_everybody_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let (sound, victim) = (folder.path().join("sound"), folder.path().join("victim"));
    fs::write(&victim, "somebody else's").expect("a file");
    fs::create_dir(&sound).expect("a folder");
    symlink(&victim, sound.join("7.sound")).expect("a link");
    let spool = spool(folder.path());
    let refused = spool.write_to(MEETING, 0).map(drop);
    assert!(matches!(refused, Err(Error::NoRoomForSound { .. })), "{refused:?}");
    assert!(spool.folder().failure().is_some_and(|cause| cause.contains("sound")));
    spool.forget(MEETING).expect("the link goes");
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "somebody else's");
    for (mode, is_used) in [(0o755, true), (0o777, false)] {
        fs::set_permissions(&sound, fs::Permissions::from_mode(mode)).expect("a mode");
        assert_eq!(spool.folder().make().is_ok(), is_used, "{mode:o}");
    }
    fs::remove_dir(&sound).expect("an empty folder");
    fs::write(&sound, "").expect("a file");
    assert!(spool.folder().make().is_err(), "it is no folder");
}

#[tokio::test]
async fn a_file_that_somebody_else_has_written_to_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = spool(folder.path());
    let file = spool.write_to(MEETING, 0).expect("a file");
    write(&file, 0..10).await;
    let path = folder.path().join("sound/7.sound");
    let mut by_hand = OpenOptions::new().append(true).open(&path).expect("the file");
    by_hand.write_all(b"garbage").expect("written");
    let end = file.append(SoundId(1), 10, &payload(10)).await.expect("it waits");
    file.wait_until_durable(end).await.expect_err("it cannot be written");
    file.append(SoundId(1), 10, &payload(10)).await.expect_err("and no more is taken");
    assert!(spool.folder().failure().is_some());
    write(&spool.write_to(MEETING, 0).expect("another try"), 10..20).await;
    assert_eq!(numbers(&read_from(&spool, 0)), all(20));
    assert_eq!(spool.folder().failure(), None, "it works again");
}

/// Where a child of these tests works, and what it does there.
const FOLDER: &str = "VOMEET_TEST_SPOOL";

/// This very test as a process of its own, in this folder, under these words of another program.
fn child(under: &[&str], test: &str, folder: &Path) -> Child {
    let own = std::env::current_exe().expect("this program");
    let own = own.to_str().expect("a path");
    let test = format!("transcription::spool::tests::{test}");
    let words = [under, &[own, "--exact", &test, "--nocapture"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(FOLDER, folder).stdout(Stdio::piped());
    command.spawn().expect("a child")
}

/// The folder where this process is a child.
fn folder_of_child() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

/// One thread that blocks, so that its system calls come one after the other.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(1).build().expect("a runtime")
}

#[test]
fn what_was_durable_outlives_a_kill() {
    if let Some(folder) = folder_of_child() {
        return runtime().block_on(write_until_killed(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = child(&[], "what_was_durable_outlives_a_kill", folder.path());
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let durable = |line: std::io::Result<String>| {
        let line = line.expect("a line");
        line.split_once("durable ").and_then(|(_, number)| number.parse::<u64>().ok())
    };
    let durable = lines.filter_map(durable).nth(2).expect("it grows three times");
    child.kill().expect("killed");
    child.wait().expect("its end");
    let spool = spool(folder.path());
    let records = read_from(&spool, 0);
    let count = records.len() as u64;
    assert!(durable > 0 && count * RECORD >= durable, "{count} records of {durable} bytes");
    assert_eq!(numbers(&records), all(count));
    runtime().block_on(async {
        write(&spool.write_to(MEETING, 0).expect("a file"), count..count + 10).await;
    });
    assert_eq!(numbers(&read_from(&spool, 0)), all(count + 10));
}

async fn write_until_killed(folder: &Path) {
    let spool = spool(folder);
    let file = spool.write_to(MEETING, 0).expect("a file");
    let mut grown = spool.grown(MEETING).expect("its growth");
    for number in 0.. {
        let sound = SoundId(i64::try_from(number % 3).expect("a sound") + 1);
        file.append(sound, number, &payload(number)).await.expect("appended");
        if grown.has_changed().expect("it is open") {
            println!("durable {}", *grown.borrow_and_update());
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

#[test]
fn a_disk_that_fails_is_an_error_for_who_writes_and_nothing_durable_is_lost() {
    if let Some(folder) = folder_of_child() {
        return runtime().block_on(write_to_failing_disk(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    // The header of the file, its first records, and then this one.
    let faults = "inject=fdatasync:error=EIO:when=3";
    let trace = folder.path().join("trace");
    let trace = trace.to_str().expect("a path");
    let strace = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=fdatasync", "-e", faults];
    let name = "a_disk_that_fails_is_an_error_for_who_writes_and_nothing_durable_is_lost";
    let ended = child(&strace, name, folder.path()).wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    assert!(fs::read_to_string(trace).expect("a trace").contains("INJECTED"), "no fault");
}

async fn write_to_failing_disk(folder: &Path) {
    let spool = spool(folder);
    let file = spool.write_to(MEETING, 0).expect("a file");
    write(&file, 0..10).await;
    let end = file.append(SoundId(2), 10, &payload(10)).await.expect("it waits");
    let refused = file.wait_until_durable(end).await;
    assert!(matches!(refused, Err(Error::NoRoomForSound { .. })), "{refused:?}");
    file.append(SoundId(2), 10, &payload(10)).await.expect_err("no more is taken");
    assert_eq!(spool.folder().sync_failures(), 1);
    assert!(spool.folder().failure().is_some_and(|cause| cause.contains("7.sound")));
    assert_eq!(spool.folder().bytes(), FILE_HEADER + 10 * RECORD, "the rest is cut off");
    assert_eq!(numbers(&read_from(&spool, 0)), all(10));
    write(&spool.write_to(MEETING, 0).expect("another try"), 10..20).await;
    assert_eq!(numbers(&read_from(&spool, 0)), all(20));
    assert_eq!(spool.folder().failure(), None, "it works again");
}

#[test]
fn many_small_packets_share_writes_and_syncs() {
    const PACKETS: u64 = 200 * 50;
    if let Some(folder) = folder_of_child() {
        let began = Instant::now();
        runtime().block_on(async {
            let file = spool(&folder).write_to(MEETING, 0).expect("a file");
            let mut end = 0;
            for number in 0..PACKETS {
                let appended = file.append(SoundId(1), number, &payload(number)).await;
                end = appended.expect("appended");
                // Whoever writes could do so now.
                tokio::task::yield_now().await;
            }
            file.wait_until_durable(end).await.expect("durable");
        });
        return println!("took {}", began.elapsed().as_secs());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let trace = trace.to_str().expect("a path");
    let strace = ["strace", "-f", "-qq", "-y", "-o", trace, "-e", "trace=write,pwrite64,fdatasync"];
    let name = "many_small_packets_share_writes_and_syncs";
    let ended = child(&strace, name, folder.path()).wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stdout);
    let seconds = said.lines().find_map(|line| line.split_once("took ")?.1.parse::<usize>().ok());
    let seconds = seconds.unwrap_or_else(|| panic!("{said}"));
    let trace = fs::read_to_string(trace).expect("a trace");
    let calls = |name: &str| {
        trace.lines().filter(|line| line.contains(name) && line.contains(".sound>")).count()
    };
    let (writes, syncs) = (calls("write"), calls("fdatasync"));
    println!("{PACKETS} packets in {seconds} s: {writes} writes, {syncs} syncs");
    assert!((1..=20 + 11 * (seconds + 1)).contains(&writes), "{writes} writes in {seconds} s");
    // The header, the first of all, and one each second.
    assert!((1..=3 + seconds).contains(&syncs), "{syncs} syncs in {seconds} s");
}

#[test]
fn a_file_that_is_being_opened_keeps_no_other_meeting_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Arc::new(spool(folder.path()));
    // As while a long file is read.
    let place = spool.place_of(MEETING);
    let opening = place.file();
    let (opened, openings) = mpsc::channel();
    let open = |meeting: MeetingId| {
        let (spool, opened) = (Arc::clone(&spool), opened.clone());
        thread::spawn(move || {
            spool.write_to(meeting, 0).expect("a file");
            opened.send(meeting).expect("somebody waits");
        })
    };
    let same = open(MEETING);
    let other = open(MeetingId(8));
    assert_eq!(openings.recv_timeout(Duration::from_mins(1)), Ok(MeetingId(8)));
    drop(opening);
    assert_eq!(openings.recv_timeout(Duration::from_mins(1)), Ok(MEETING));
    same.join().expect("it opened");
    other.join().expect("it opened");
    // A place is forgotten with its file, once nobody has it.
    spool.forget(MEETING).expect("forgotten");
    assert_eq!(spool.places().len(), 2, "somebody has it");
    drop(place);
    spool.forget(MEETING).expect("forgotten");
    assert_eq!(spool.places().len(), 1);
}
