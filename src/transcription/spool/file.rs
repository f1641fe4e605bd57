//! The spool file of a meeting: what is written to it reaches the file within a tenth of a second
//! and the disk within a second, both at once for all sounds of the meeting.

use crate::domain::{MeetingId, SoundId};
use crate::error::{Error, Result};
use crate::store::{create_new, open_to_append, open_to_change};
use crate::transcription::spool::folder::SpoolFolder;
use crate::transcription::spool::found::{Found, cut_torn_end};
use crate::transcription::spool::reader::{SpoolReader, has_record};
use crate::transcription::spool::record::{self, FILE_HEADER, PAYLOAD_MAX, RECORD_HEADER};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long sound waits in memory until it is written to the file.
const WRITE_PERIOD: Duration = Duration::from_millis(100);
/// How often a file that grows is synced.
const SYNC_PERIOD: Duration = Duration::from_secs(1);
/// Fewer bytes are not given back to the disk.
const GIVEN_BACK_MIN: u64 = 1024 * 1024;
/// Most bytes that wait in memory; whoever brings more waits.
const BUFFER_MAX: usize = 1024 * 1024;

/// The spool file of a meeting.
pub(crate) struct SpoolFile {
    meeting: MeetingId,
    path: PathBuf,
    /// The offset of its first record.
    base: u64,
    folder: Arc<SpoolFolder>,
    /// Up to which offset records are durable.
    durable: watch::Sender<u64>,
    pending: Mutex<Pending>,
    /// The file itself; locked by whoever writes to it.
    disk: Mutex<Disk>,
    /// The buffer is full.
    full: Notify,
    /// The buffer is empty, or nothing is written any more.
    drained: Notify,
}

/// What is not in the file yet.
struct Pending {
    buffer: Vec<u8>,
    /// Where what comes next will begin.
    end: u64,
    /// Whether a task writes what comes.
    is_written: bool,
    /// Why nothing is taken any more.
    closed: Option<Closed>,
}

#[derive(Clone, Copy)]
enum Closed {
    /// The meeting's sound was deleted.
    Deleted,
    /// The disk failed.
    Failed,
}

struct Disk {
    file: Option<File>,
    /// The offset of the first record.
    base: u64,
    /// Where the file ends, as an offset.
    end: u64,
    synced_at: Option<Instant>,
    /// What lies before this offset was given back to the disk.
    given_back: u64,
    /// Where the file says that its first record is: never before it said so last.
    first: u64,
}

impl SpoolFile {
    /// The file of a meeting as it is found, or as it will be made with this offset of its first
    /// record. What is torn at its end is cut off. Reads the file here and now.
    pub(super) fn open(
        meeting: MeetingId,
        path: PathBuf,
        base: u64,
        folder: Arc<SpoolFolder>,
        durable: watch::Sender<u64>,
    ) -> io::Result<Self> {
        let found = match open_to_append(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Found { base, first: base, end: base, damaged: 0 }
            }
            file => cut_torn_end(&file?, base, &folder)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?,
        };
        let Found { base, first, end, damaged } = found;
        if damaged > 0 {
            log::warn!(
                "{damaged} bytes of {} are damaged, and the sound in them is lost; what is behind \
                 them is kept",
                path.display()
            );
        }
        let disk = Disk { file: None, base, end, synced_at: None, given_back: first, first };
        durable.send_if_modified(|known| {
            let is_new = *known < end;
            *known = end.max(*known);
            is_new
        });
        Ok(Self {
            meeting,
            path,
            base,
            folder,
            durable,
            pending: Mutex::new(Pending {
                buffer: Vec::new(),
                end,
                is_written: false,
                closed: None,
            }),
            disk: Mutex::new(disk),
            full: Notify::new(),
            drained: Notify::new(),
        })
    }

    pub(super) fn durable(&self) -> &watch::Sender<u64> {
        &self.durable
    }

    pub(super) fn read(&self, from: u64) -> SpoolReader {
        SpoolReader::new(self.path.clone(), from, self.durable.subscribe())
    }

    /// Whether it takes records, none of which has an offset before this one; where it has records
    /// already, these come behind them.
    pub(super) fn takes(&self, base: u64) -> bool {
        let pending = self.pending();
        pending.closed.is_none() && (pending.end >= base || pending.end > self.base)
    }

    /// Appends a piece of a sound, and returns the offset behind it. It is durable once
    /// [`Self::wait_until_durable`] says so. Waits while too much is not written yet.
    pub(crate) async fn append(
        self: &Arc<Self>,
        sound: SoundId,
        at: u64,
        payload: &[u8],
    ) -> Result<u64> {
        if payload.len() > PAYLOAD_MAX {
            return Err(Error::TooLarge(PAYLOAD_MAX));
        }
        loop {
            let room = {
                let mut pending = self.pending();
                if let Some(closed) = &pending.closed {
                    return Err(closed.error());
                }
                let before = pending.buffer.len();
                if before < BUFFER_MAX {
                    record::write(sound, at, payload, &mut pending.buffer);
                    pending.end += (pending.buffer.len() - before) as u64;
                    if !pending.is_written {
                        pending.is_written = true;
                        tokio::spawn(Arc::clone(self).keep_writing());
                    }
                    return Ok(pending.end);
                }
                // Made under the lock, so that no notification is missed.
                self.drained.notified()
            };
            self.full.notify_one();
            room.await;
        }
    }

    /// Waits until all that was appended before this offset is durable. An error once the file takes
    /// nothing any more.
    pub(crate) async fn wait_until_durable(&self, offset: u64) -> Result<()> {
        let mut durable = self.durable.subscribe();
        loop {
            let upto = *durable.borrow_and_update();
            // First: the file that takes the place of a closed one counts on with the same sender.
            if let Some(closed) = &self.pending().closed {
                return Err(closed.error());
            }
            if upto >= offset {
                return Ok(());
            }
            // The sender is held by this very file.
            let _ = durable.changed().await;
        }
    }

    /// Gives back to the disk what lies before this offset, where that is worth it: nobody reads it
    /// any more. Offsets stay as they are. Where no record begins at it that is durable, and where
    /// more was given back before, everything stays as it is.
    pub(super) fn give_back(&self, upto: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let is_worth_it = upto >= disk.given_back.saturating_add(GIVEN_BACK_MIN);
        let is_durable = upto < *self.durable.borrow();
        if !is_worth_it || !is_durable || upto < disk.first || self.pending().closed.is_some() {
            return Ok(());
        }
        let file = open_to_change(&self.path)?;
        // It may be noted of a run that ended before what it had written was durable.
        if !has_record(&file, disk.base, upto)? {
            return Ok(());
        }
        let from = FILE_HEADER + RECORD_HEADER as u64;
        let to = FILE_HEADER + (upto - disk.base);
        disk.first = upto;
        // Durable before the records are gone: after a crash it is known where the next one begins.
        file.write_all_at(&record::skip(upto - disk.base), FILE_HEADER)?;
        file.sync_data()?;
        fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, from, to - from)?;
        self.folder.remove_bytes(upto - disk.given_back);
        disk.given_back = upto;
        Ok(())
    }

    /// Takes nothing any more: the sound of the meeting is deleted.
    pub(super) fn close(&self) {
        // Who writes now has written once this is locked, and writes nothing more after it.
        let mut disk = self.disk();
        disk.file = None;
        self.end_with(Closed::Deleted);
    }

    fn end_with(&self, why: Closed) {
        let mut pending = self.pending();
        pending.closed.get_or_insert(why);
        pending.buffer = Vec::new();
        drop(pending);
        self.drained.notify_waiters();
        // Who waits for more to be durable looks again.
        self.durable.send_modify(|_| {});
    }

    /// Writes what comes until nothing more does and all of it is durable.
    async fn keep_writing(self: Arc<Self>) {
        loop {
            // Whether the time is over or the buffer is full, it is written now.
            let _ = timeout(WRITE_PERIOD, self.full.notified()).await;
            let file = Arc::clone(&self);
            match spawn_blocking(move || file.write_pending()).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => return log::error!("sound cannot be written: {error}"),
            }
        }
    }

    /// Writes what waits, and syncs it where that is due. Whether nothing is left to do.
    fn write_pending(&self) -> bool {
        let mut disk = self.disk();
        let buffer = {
            let mut pending = self.pending();
            if pending.closed.is_some() {
                pending.is_written = false;
                return true;
            }
            std::mem::take(&mut pending.buffer)
        };
        self.drained.notify_waiters();
        if let Err(error) = self.bring_to_disk(&mut disk, &buffer) {
            self.fail(&mut disk, &error);
            return true;
        }
        let mut pending = self.pending();
        if !pending.buffer.is_empty() || *self.durable.borrow() < disk.end {
            return false;
        }
        // Opened again when something comes: files of sounds that rest are not held open.
        disk.file = None;
        pending.is_written = false;
        true
    }

    fn bring_to_disk(&self, disk: &mut Disk, buffer: &[u8]) -> io::Result<()> {
        disk.write(&self.path, buffer, &self.folder)?;
        let is_due = disk.synced_at.is_none_or(|synced_at| synced_at.elapsed() >= SYNC_PERIOD);
        if !is_due || *self.durable.borrow() >= disk.end {
            return Ok(());
        }
        if let Some(file) = &disk.file {
            file.sync_data().inspect_err(|_| self.folder.count_sync_failure())?;
        }
        disk.synced_at = Some(Instant::now());
        self.folder.note_success();
        self.durable.send_replace(disk.end);
        Ok(())
    }

    /// The disk does not take it: what is not durable is cut off, as nobody can know what is left of
    /// it, and whoever writes gets an error.
    fn fail(&self, disk: &mut Disk, error: &io::Error) {
        let cause = format!("{} cannot be written: {error}", self.path.display());
        log::error!("sound of meeting {} is lost: {cause}", self.meeting);
        disk.cut(*self.durable.borrow(), &self.folder);
        self.folder.note_failure(cause);
        self.end_with(Closed::Failed);
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Closed {
    fn error(self) -> Error {
        let reason = match self {
            Self::Deleted => "The sound of this meeting was deleted.",
            Self::Failed => "The disk of the spool does not take it.",
        };
        Error::NoRoomForSound { reason: reason.to_owned() }
    }
}

impl Disk {
    fn write(&mut self, path: &Path, bytes: &[u8], folder: &SpoolFolder) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => self.as_it_was_left(file)?,
            None => self.reopen(path, folder)?,
        };
        let written = file.write_all(bytes);
        self.file = Some(file);
        written?;
        self.end += bytes.len() as u64;
        folder.add_bytes(bytes.len() as u64);
        Ok(())
    }

    /// Opens the file once more, or makes it. It must be as long as it was left.
    fn reopen(&mut self, path: &Path, folder: &SpoolFolder) -> io::Result<File> {
        match open_to_append(path) {
            Ok(file) => self.as_it_was_left(file),
            Err(error) if error.kind() == ErrorKind::NotFound && self.end == self.base => {
                folder.make()?;
                let mut file = create_new(path)?;
                file.write_all(&record::file_header(self.base))?;
                file.sync_data()?;
                folder.sync()?;
                folder.add_bytes(FILE_HEADER);
                Ok(file)
            }
            Err(error) => Err(error),
        }
    }

    /// The file, if it is as long as it was left.
    fn as_it_was_left(&self, file: File) -> io::Result<File> {
        if file.metadata()?.len() == FILE_HEADER + (self.end - self.base) {
            return Ok(file);
        }
        Err(io::Error::other("somebody else has written to it"))
    }

    /// Cuts the file at this offset, where that can be done.
    fn cut(&mut self, end: u64, folder: &SpoolFolder) {
        let Some(file) = self.file.take() else { return };
        let length = FILE_HEADER + (end - self.base);
        match file.set_len(length) {
            Ok(()) => folder.remove_bytes(self.end - end),
            Err(error) => log::warn!("a spool file cannot be cut: {error}"),
        }
    }
}
