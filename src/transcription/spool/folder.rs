//! The folder of the spool: who may have made it, what lies in it, and how much.
//!
//! Files of a meeting begin with its id and a dot: `ID.sound` is its sound, others are recordings
//! that wait to be read. What ends with `.part` was never finished: a start deletes it. Files that
//! callers send end with `.receiving` while they come and with `.upload` until they are read. Who
//! has locked `.lock` uses the folder.

use crate::config::TranscriptionSettings;
use crate::domain::MeetingId;
use crate::store::{check_folder, create_folder, lock_folder};
use rustix::fs::statvfs;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the name of a meeting's sound ends with.
const SOUND: &str = "sound";
/// What a name ends with of a file that is not finished.
const PARTIAL: &str = "part";
/// What the names of files that callers send end with: while they come, and until they are read.
pub(crate) const SENT: [&str; 2] = ["receiving", "upload"];
const MIB: u64 = 1024 * 1024;

/// The folder of the spool, and how full it is.
pub(crate) struct SpoolFolder {
    path: PathBuf,
    bytes_max: u64,
    free_bytes_min: u64,
    /// Of sound.
    bytes: AtomicU64,
    /// Of files that callers have sent.
    sent_bytes: AtomicU64,
    sync_failures: AtomicU64,
    /// Why sound could not be written last, until it could again.
    failure: Mutex<Option<String>>,
    /// Whether one server alone uses it, and its lock.
    is_for_one: AtomicBool,
    lock: Mutex<Option<File>>,
}

impl SpoolFolder {
    /// This folder, with the limits of the settings. It is made when the first sound comes.
    pub(crate) fn new(settings: &TranscriptionSettings, path: PathBuf) -> Self {
        Self {
            path,
            bytes_max: settings.spool_bytes_max,
            free_bytes_min: settings.spool_free_bytes_min,
            bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            sync_failures: AtomicU64::new(0),
            failure: Mutex::default(),
            is_for_one: AtomicBool::new(false),
            lock: Mutex::default(),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a meeting's sound.
    pub(super) fn file_of(&self, meeting: MeetingId) -> PathBuf {
        self.path.join(format!("{meeting}.{SOUND}"))
    }

    /// Makes the folder where it is missing, for its owner alone. One that is there must belong to
    /// somebody who can be trusted.
    pub(crate) fn make(&self) -> io::Result<()> {
        match create_folder(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => check_folder(&self.path)?,
            made => made.and_then(|()| sync_folder(parent_of(&self.path)))?,
        }
        if self.is_for_one.load(Ordering::Relaxed) { self.lock() } else { Ok(()) }
    }

    /// From now on no other server uses it, once it is there: [`ErrorKind::WouldBlock`] where one
    /// does already. A folder that cannot be locked is used, with a warning.
    pub(crate) fn keep_for_one(&self) -> io::Result<()> {
        self.is_for_one.store(true, Ordering::Relaxed);
        if self.path.symlink_metadata().is_err() {
            return Ok(());
        }
        check_folder(&self.path)?;
        self.lock()
    }

    fn lock(&self) -> io::Result<()> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        match lock_folder(&self.path) {
            Ok(file) => *lock = Some(file),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
            Err(error) => {
                // Not every file system has locks: it is tried once.
                self.is_for_one.store(false, Ordering::Relaxed);
                let path = self.path.display();
                log::warn!(
                    "the folder of sound {path} cannot be locked ({error}); give it to no other server"
                );
            }
        }
        Ok(())
    }

    /// Makes durable which files there are.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.path)
    }

    /// Deletes what was never finished: nobody writes to it any more.
    pub(super) fn delete_unfinished(&self) -> io::Result<()> {
        for path in self.paths()? {
            if path.extension().is_some_and(|ending| ending == PARTIAL) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// The meetings that have a file in it; counts all bytes anew.
    pub(super) fn look(&self) -> io::Result<BTreeSet<MeetingId>> {
        let mut meetings = BTreeSet::new();
        let mut bytes = 0;
        for (meeting, path) in self.files()? {
            meetings.insert(meeting);
            bytes += fs::symlink_metadata(&path).map_or(0, |found| bytes_on_disk(&found));
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        let mut sent_bytes = 0;
        for path in self.paths()? {
            if is_sent(&path) {
                sent_bytes += fs::symlink_metadata(&path).map_or(0, |found| found.len());
            }
        }
        self.sent_bytes.store(sent_bytes, Ordering::Relaxed);
        Ok(meetings)
    }

    /// Deletes all files of a meeting; none is none.
    pub(super) fn delete(&self, meeting: MeetingId) -> io::Result<()> {
        for (owner, path) in self.files()? {
            if owner == meeting {
                self.delete_file(&path)?;
            }
        }
        Ok(())
    }

    /// Deletes the file of a meeting's sound; none is none.
    pub(super) fn delete_sound(&self, meeting: MeetingId) -> io::Result<()> {
        match self.delete_file(&self.file_of(meeting)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    fn delete_file(&self, path: &Path) -> io::Result<()> {
        let bytes = bytes_on_disk(&fs::symlink_metadata(path)?);
        fs::remove_file(path)?;
        self.remove_bytes(bytes);
        self.sync()
    }

    /// The files of meetings.
    fn files(&self) -> io::Result<Vec<(MeetingId, PathBuf)>> {
        let mut files = Vec::new();
        for path in self.paths()? {
            let name = path.file_name().and_then(OsStr::to_str);
            if let Some(meeting) = name.and_then(meeting_of) {
                files.push((meeting, path));
            }
        }
        Ok(files)
    }

    /// Everything that lies in it.
    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| entry.map(|entry| entry.path())).collect()
    }

    /// Why no more sound may begin, and no more of a file be sent; `None` where there is room.
    pub(crate) fn why_full(&self) -> Option<String> {
        self.why_full_with(self.bytes(), 0)
    }

    /// Why so many bytes more of sound are not taken; `None` where there is room for them.
    pub(crate) fn why_full_for(&self, more: u64) -> Option<String> {
        self.why_full_with(self.bytes().saturating_add(more), more)
    }

    /// Why no sound of a file that was sent may begin: the files themselves are in nobody's way
    /// then, as they wait for just that.
    pub(crate) fn why_full_for_sent(&self) -> Option<String> {
        self.why_full_with(self.bytes.load(Ordering::Relaxed), 0)
    }

    /// The same with so many bytes in it, of which some are not on its disk yet.
    fn why_full_with(&self, bytes: u64, more: u64) -> Option<String> {
        let max = self.bytes_max;
        if bytes >= max {
            let (bytes, max) = (bytes / MIB, max / MIB);
            return Some(format!(
                "{bytes} MiB of sound wait for their words, of {max} MiB at most."
            ));
        }
        let folder = if self.path.exists() { &self.path } else { parent_of(&self.path) };
        let Ok(disk) = statvfs(folder) else { return None };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(more);
        if free < self.free_bytes_min {
            let (free, min) = (free / MIB, self.free_bytes_min / MIB);
            return Some(format!("{free} MiB are free on the disk of sound, fewer than {min}."));
        }
        None
    }

    /// How many bytes lie in it, of sound and of files that callers have sent.
    pub(crate) fn bytes(&self) -> u64 {
        let sent_bytes = self.sent_bytes.load(Ordering::Relaxed);
        self.bytes.load(Ordering::Relaxed).saturating_add(sent_bytes)
    }

    /// Notes that a file that is sent has grown.
    pub(crate) fn add_sent_bytes(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that a file that was sent is gone.
    pub(crate) fn remove_sent_bytes(&self, bytes: u64) {
        lessen(&self.sent_bytes, bytes);
    }

    /// Notes that something in it has grown.
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that something in it has shrunk or is gone.
    pub(crate) fn remove_bytes(&self, bytes: u64) {
        lessen(&self.bytes, bytes);
    }

    /// How many syncs have failed since the start.
    pub(crate) fn sync_failures(&self) -> u64 {
        self.sync_failures.load(Ordering::Relaxed)
    }

    pub(super) fn count_sync_failure(&self) {
        self.sync_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Why sound could not be written last; `None` once it could again.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failed().clone()
    }

    pub(super) fn note_failure(&self, cause: String) {
        *self.failed() = Some(cause);
    }

    pub(super) fn note_success(&self) {
        self.failed().take();
    }

    fn failed(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes a file takes: without those that were given back, and never more than it is long.
fn bytes_on_disk(found: &Metadata) -> u64 {
    found.len().min(found.blocks().saturating_mul(512))
}

fn lessen(count: &AtomicU64, bytes: u64) {
    let less = |before: u64| Some(before.saturating_sub(bytes));
    // It is never refused.
    let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
}

/// Whether a file is one that a caller has sent, and no meeting's.
fn is_sent(path: &Path) -> bool {
    let is_of_meeting = path.file_name().and_then(OsStr::to_str).and_then(meeting_of).is_some();
    let ending = path.extension().and_then(OsStr::to_str);
    !is_of_meeting && ending.is_some_and(|ending| SENT.contains(&ending))
}

/// Whose a file with this name is.
fn meeting_of(name: &str) -> Option<MeetingId> {
    let (id, _) = name.split_once('.')?;
    let number: i64 = id.parse().ok()?;
    (number > 0 && number.to_string() == id).then_some(MeetingId(number))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
