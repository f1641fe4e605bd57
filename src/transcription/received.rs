//! Files that callers send: written as they come, readable by the server alone, and gone when they
//! are not needed any more, also after a crash.

use crate::domain::Time;
use crate::error::{Error, Result};
use crate::store::create_new;
use crate::transcription::parts::Transcription;
use crate::transcription::spool::folder::SpoolFolder;
use bytes::BytesMut;
use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};
use uuid::Uuid;

/// The end of the name of a file that is being received, or that somebody waits for.
const UNFINISHED: &str = ".receiving";
/// What the names of this run of the program begin with: a start leaves them alone.
static RUN: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());
/// How many bytes are written at once.
const WRITE_BYTES: usize = 1024 * 1024;

/// A file that is received. Unless it is kept it is deleted when this is dropped; after a crash, by
/// [`forget_unfinished`].
pub(crate) struct Received {
    transcription: Arc<Transcription>,
    path: PathBuf,
    file: Arc<File>,
    buffer: BytesMut,
    /// How many bytes have come.
    pub bytes: u64,
    /// How many of them are in the file, and counted in the spool.
    written: u64,
    is_kept: bool,
}

impl Received {
    /// Begins a file in the folder of the spool, which is created. [`Error::NoRoomForSound`] where
    /// the spool is full.
    pub(crate) async fn begin(transcription: &Arc<Transcription>) -> Result<Self> {
        transcription.recovered().await?;
        transcription.check_room_for_file()?;
        let name = format!("{}-{}{UNFINISHED}", *RUN, Uuid::new_v4().simple());
        let path = transcription.spool.folder().path().join(name);
        let of_thread = path.clone();
        let create = move |all: &Transcription| {
            all.spool.make_folder()?;
            create_new(&of_thread).map_err(|error| failed(&error))
        };
        let file = Arc::new(transcription.blocking(create).await?);
        let transcription = Arc::clone(transcription);
        let buffer = BytesMut::new();
        Ok(Self { transcription, path, file, buffer, bytes: 0, written: 0, is_kept: false })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what has come. [`Error::NoRoomForSound`] where the spool is full meanwhile.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.transcription.check_room_for_file()?;
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what is still in memory.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let bytes = self.buffer.split().freeze();
        let count = bytes.len() as u64;
        let file = Arc::clone(&self.file);
        let write =
            move |_: &Transcription| (&*file).write_all(&bytes).map_err(|error| failed(&error));
        self.written += count;
        self.transcription.spool.folder().add_sent_bytes(count);
        self.transcription.blocking(write).await
    }

    /// At most so many bytes of it from this place on; none is its end.
    pub(crate) async fn piece(&self, at: u64, bytes_max: u64) -> Result<Vec<u8>> {
        let path = self.path.clone();
        let read = move |_: &Transcription| {
            piece_of(&path, at, bytes_max).map_err(|error| {
                Error::Internal(format!("a file that was sent cannot be read: {error}"))
            })
        };
        self.transcription.blocking(read).await
    }

    /// Makes it durable under another name in the same folder; it is not deleted any more.
    pub(crate) async fn keep_as(mut self, name: &str) -> Result<PathBuf> {
        self.flush().await?;
        let (file, from, to) =
            (Arc::clone(&self.file), self.path.clone(), self.path.with_file_name(name));
        let kept = to.clone();
        let keep = move |_: &Transcription| {
            let outcome = file.sync_all().and_then(|()| fs::rename(&from, &to));
            outcome.and_then(|()| sync_folder(&to)).map_err(|error| failed(&error))
        };
        self.transcription.blocking(keep).await?;
        self.is_kept = true;
        Ok(kept)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.is_kept && is_deleted(&self.path) {
            self.transcription.spool.folder().remove_sent_bytes(self.written);
        }
    }
}

fn piece_of(path: &Path, at: u64, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut piece = Vec::new();
    file.take(bytes_max).read_to_end(&mut piece)?;
    Ok(piece)
}

/// Deletes a file that was sent; one that is gone is no fault.
pub(crate) fn forget(folder: &SpoolFolder, path: &Path) {
    let bytes = fs::symlink_metadata(path).map_or(0, |found| found.len());
    if is_deleted(path) {
        folder.remove_sent_bytes(bytes);
    }
}

/// Deletes a file; whether it is gone now.
fn is_deleted(path: &Path) -> bool {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            log::warn!("cannot delete {}: {error}", path.display());
            false
        }
        _ => true,
    }
}

/// Deletes what was being received when the program ended before.
pub(crate) fn forget_unfinished(folder: &SpoolFolder) {
    let Ok(entries) = fs::read_dir(folder.path()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(UNFINISHED) && !name.starts_with(RUN.as_str()) {
            forget(folder, &entry.path());
        }
    }
}

/// Marks a file that it is kept from this time on ([`is_newer`]).
pub(crate) fn keep_from(path: &Path, now: Time) -> Result<()> {
    let marked = File::open(path).and_then(|file| file.set_modified(UNIX_EPOCH + since_1970(now)));
    marked.map_err(|error| failed(&error))
}

/// Whether a file was written, or given up, at this time or later.
pub(crate) fn is_newer(entry: &DirEntry, since: Time) -> bool {
    let modified = entry.metadata().and_then(|found| found.modified());
    let Ok(modified) = modified else { return false };
    modified.duration_since(UNIX_EPOCH).is_ok_and(|written| written >= since_1970(since))
}

fn since_1970(time: Time) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or_default())
}

/// The name of a file is durable once its folder is.
fn sync_folder(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull,
        _ => Error::Internal(format!("cannot write a file that was sent: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::TranscriptionSettings;
    use crate::domain::sound::SoundSource;
    use crate::store::{Options, Store};
    use std::os::unix::fs::PermissionsExt;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn transcription(folder: &Path, spool_bytes_max: u64) -> Arc<Transcription> {
        let path = folder.join("vomeet.db");
        let options = Options { path, small_readers: 2, long_readers: 1, queue_max: 64 };
        let store = Arc::new(Store::open(&options, |_| {}).expect("a store"));
        let settings = TranscriptionSettings {
            spool_bytes_max,
            spool_free_bytes_min: 0,
            ..TranscriptionSettings::default()
        };
        let clock = Clock::manual(Time::from_millis(1_760_097_600_000));
        Arc::new(Transcription::new(&settings, folder.join("sound"), store, clock))
    }

    fn bytes_in(all: &Transcription) -> u64 {
        all.spool.folder().bytes()
    }

    #[tokio::test]
    async fn a_file_is_the_servers_alone_and_goes_unless_it_is_kept() {
        let outside = tempfile::tempdir().expect("a folder");
        let all = transcription(outside.path(), 1 << 30);
        let folder = outside.path().join("sound");
        let mut file = Received::begin(&all).await.expect("a file");
        file.write(&vec![7; WRITE_BYTES + 3]).await.expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(file.path())), (0o700, 0o600));
        file.flush().await.expect("written");
        assert_eq!(fs::read(file.path()).expect("read").len(), WRITE_BYTES + 3);
        assert_eq!(bytes_in(&all), WRITE_BYTES as u64 + 3);
        drop(file);
        assert!(names(&folder).is_empty());
        assert_eq!(bytes_in(&all), 0);

        let mut kept = Received::begin(&all).await.expect("a file");
        kept.write(b"sound").await.expect("written");
        let path = kept.keep_as("a.upload").await.expect("kept");
        fs::write(folder.join("of-another-run.receiving"), "sound").expect("written");
        all.spool.look().expect("counted anew");
        assert_eq!(bytes_in(&all), 10);
        let coming = Received::begin(&all).await.expect("a file");
        assert_eq!(names(&folder).len(), 3);
        forget_unfinished(all.spool.folder());
        assert_eq!(names(&folder).len(), 2, "what comes now is left alone");
        drop(coming);
        assert_eq!(names(&folder), ["a.upload"]);
        assert_eq!((fs::read(&path).expect("read"), bytes_in(&all)), (b"sound".to_vec(), 5));
        forget(all.spool.folder(), &path);
        assert_eq!(bytes_in(&all), 0);
    }

    #[tokio::test]
    async fn a_file_is_refused_once_the_spool_is_full() {
        let outside = tempfile::tempdir().expect("a folder");
        let all = transcription(outside.path(), 2 * WRITE_BYTES as u64);
        let mut file = Received::begin(&all).await.expect("a file");
        for _ in 0..2 {
            file.write(&vec![7; WRITE_BYTES]).await.expect("written");
        }
        let refused = file.write(&vec![7; WRITE_BYTES]).await;
        assert!(matches!(refused, Err(Error::NoRoomForSound { .. })), "{refused:?}");
        let refused = Received::begin(&all).await.map(drop);
        assert!(matches!(refused, Err(Error::NoRoomForSound { .. })), "{refused:?}");
        // The file itself does not keep its own sound from the spool.
        all.check_room(SoundSource::Upload).expect("its sound");
        all.check_room(SoundSource::Bot).expect_err("another sound");
        drop(file);
        assert!(names(&outside.path().join("sound")).is_empty());
        Received::begin(&all).await.expect("room again");
    }

    #[tokio::test]
    async fn a_folder_that_everybody_may_write_to_is_not_used() {
        let outside = tempfile::tempdir().expect("a folder");
        let all = transcription(outside.path(), 1 << 30);
        let folder = outside.path().join("sound");
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("a mode");
        let refused = Received::begin(&all).await.map(drop);
        assert!(matches!(refused, Err(Error::NoRoomForSound { .. })), "{refused:?}");
        assert!(names(&folder).is_empty());
    }
}
