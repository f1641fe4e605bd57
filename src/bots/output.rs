//! The logs of bots: a file for each meeting, of limited length, which only the server's user can
//! read.
//!
//! The bot writes into the file itself, so that it goes on while the server is restarted. Once a
//! file is longer than it may be, its newest half is kept, from the beginning of a line; what is
//! printed while it is truncated may be lost. Between two checks a file may grow longer than its
//! limit.

use crate::domain::{MeetingId, Time};
use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What stands where lines were dropped.
const DROPPED: &[u8] = b"... (older output was dropped)\n";

/// The end of a log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogTail {
    /// Its last lines.
    pub text: String,
    /// How long the whole log is, in bytes.
    pub log_bytes: u64,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// The folder of the logs.
#[derive(Clone)]
pub(super) struct BotOutputs {
    folder: PathBuf,
    bytes_max: u64,
}

impl BotOutputs {
    /// Logs of at most `bytes_max` bytes.
    pub(super) fn new(folder: &Path, bytes_max: u64) -> Self {
        Self { folder: folder.to_owned(), bytes_max }
    }

    /// The log of a meeting.
    pub(super) fn path(&self, id: MeetingId) -> PathBuf {
        self.folder.join(format!("meeting-{id}.log"))
    }

    /// Opens the log of a meeting for appending; file (mode 600) and folder (mode 700) are created.
    pub(super) fn open(&self, id: MeetingId) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).custom_flags(no_links());
        options.open(self.path(id))
    }

    /// Adds lines to the log of a meeting, and keeps it within its limit.
    pub(super) async fn append(&self, id: MeetingId, lines: String) {
        let outputs = self.clone();
        let write = move || outputs.open(id)?.write_all(lines.as_bytes());
        let written = tokio::task::spawn_blocking(write).await;
        if let Ok(Err(error)) = written {
            log::warn!("the bot log of meeting {id} cannot be written: {error}");
        }
        self.keep_short(id).await;
    }

    /// Deletes the log of a meeting, if there is one.
    pub(super) async fn remove(&self, id: MeetingId) {
        let path = self.path(id);
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != ErrorKind::NotFound
        {
            log::warn!("the bot log of meeting {id} cannot be deleted: {error}");
        }
    }

    /// The last `bytes_max` bytes of the log of a meeting at most, from the beginning of a line, and
    /// how long all of it is; `None` where there is no log.
    pub(super) async fn tail(&self, id: MeetingId, bytes_max: u64) -> io::Result<Option<LogTail>> {
        let path = self.path(id);
        let read = tokio::task::spawn_blocking(move || tail(&path, bytes_max)).await;
        match read.map_err(io::Error::other)? {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// The meetings whose logs were last written before `end`.
    pub(super) async fn older_than(&self, end: Time) -> Vec<MeetingId> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || older_than(&folder, end)).await.unwrap_or_default()
    }

    /// Truncates the log of a meeting where it has become too long.
    pub(super) async fn keep_short(&self, id: MeetingId) {
        let path = self.path(id);
        let bytes_max = self.bytes_max;
        if !is_longer(&path, bytes_max) {
            return;
        }
        let truncated = tokio::task::spawn_blocking(move || truncate(&path, bytes_max)).await;
        if let Ok(Err(error)) = truncated {
            log::warn!("the bot log of meeting {id} cannot be truncated: {error}");
        }
    }
}

fn tail(path: &Path, bytes_max: u64) -> io::Result<LogTail> {
    let mut file = OpenOptions::new().read(true).custom_flags(no_links()).open(path)?;
    let log_bytes = file.metadata()?.len();
    let start = log_bytes.saturating_sub(bytes_max);
    // The byte before tells whether a line begins here.
    file.seek(SeekFrom::Start(start.saturating_sub(1)))?;
    let mut bytes = Vec::new();
    (&mut file).take(bytes_max + 1).read_to_end(&mut bytes)?;
    let is_whole = start == 0;
    if !is_whole {
        let line_end = bytes.iter().position(|byte| *byte == b'\n');
        // Of a line that is longer than all that is read, its end is shown.
        bytes.drain(..line_end.map_or(1, |at| at + 1));
    }
    Ok(LogTail { text: String::from_utf8_lossy(&bytes).into_owned(), log_bytes, is_whole })
}

/// `O_NOFOLLOW`: a log is written nowhere else, whoever can write to the folder.
fn no_links() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

fn older_than(folder: &Path, end: Time) -> Vec<MeetingId> {
    let mut found = Vec::new();
    // Without a folder nothing was ever printed.
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        if let Some((id, written)) = log_of(&entry)
            && written < end
        {
            found.push(id);
        }
    }
    found
}

/// The meeting of a log, and when it was last written; `None` for other files.
fn log_of(entry: &DirEntry) -> Option<(MeetingId, Time)> {
    let name = entry.file_name();
    let id = name.to_str()?.strip_prefix("meeting-")?.strip_suffix(".log")?.parse().ok()?;
    let seconds = entry.metadata().ok()?.mtime();
    Some((MeetingId(id), Time::from_millis(seconds.saturating_mul(1000))))
}

fn is_longer(path: &Path, max: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() > max)
}

/// Keeps the newest half. The bot writes at the end (`O_APPEND`), so its file can be truncated
/// while it is open.
fn truncate(path: &Path, bytes_max: u64) -> io::Result<()> {
    let mut file =
        match OpenOptions::new().read(true).append(true).custom_flags(no_links()).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes_max / 2)))?;
    let mut newest = Vec::new();
    (&mut file).take(bytes_max / 2).read_to_end(&mut newest)?;
    let begin = match newest.iter().position(|byte| *byte == b'\n') {
        Some(line_end) => line_end + 1,
        None => 0,
    };
    file.set_len(0)?;
    file.write_all(&[DROPPED, &newest[begin..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_long_file_keeps_its_newest_half() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = BotOutputs::new(&folder.path().join("logs"), 1000);
        let mut file = outputs.open(MeetingId(7)).expect("a file");
        for n in 0..99 {
            writeln!(file, "line {n:04}").expect("written");
        }
        outputs.keep_short(MeetingId(7)).await;
        let read = || std::fs::read_to_string(outputs.path(MeetingId(7))).expect("text");
        assert_eq!(read().len(), 990, "what is short enough stays");
        writeln!(file, "line 0099\nline 0100").expect("written");
        outputs.keep_short(MeetingId(7)).await;
        writeln!(file, "line 0101").expect("the writer's own handle goes on");
        let text = read();
        let lines: Vec<&str> = text.lines().collect();
        assert!(text.len() < 600, "{text}");
        assert_eq!(lines.first(), Some(&"... (older output was dropped)"));
        assert_eq!((lines[1], lines.last().copied()), ("line 0052", Some("line 0101")));
    }

    #[tokio::test]
    async fn the_end_of_a_log_begins_with_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = BotOutputs::new(folder.path(), 1000);
        let missing = outputs.tail(MeetingId(7), 10).await.expect("read");
        assert_eq!(missing, None);
        let mut file = outputs.open(MeetingId(7)).expect("a file");
        write!(file, "one\ntwo\n\u{e9}\n").expect("written");
        for (bytes_max, text, is_whole) in [
            (100, "one\ntwo\n\u{e9}\n", true),
            (11, "one\ntwo\n\u{e9}\n", true),
            (10, "two\n\u{e9}\n", false),
            (7, "two\n\u{e9}\n", false),
            (6, "\u{e9}\n", false),
            (1, "", false),
        ] {
            let tail = outputs.tail(MeetingId(7), bytes_max).await.expect("read");
            let expected = LogTail { text: text.to_owned(), log_bytes: 11, is_whole };
            assert_eq!(tail, Some(expected), "{bytes_max}");
        }
    }

    #[test]
    fn only_the_servers_user_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = BotOutputs::new(&folder.path().join("a/logs"), 1000);
        outputs.open(MeetingId(1)).expect("a file");
        let modes = (mode(&folder.path().join("a/logs")), mode(&outputs.path(MeetingId(1))));
        assert_eq!(modes, (0o700, 0o600));
    }
}
