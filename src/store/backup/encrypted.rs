//! Encrypted backups: made of a copy that was verified, looked at without the private key, and
//! decrypted with it.

use crate::encryption::{self, Identity, MAGIC, Recipient, Undecrypted};
use crate::exit::{Code, StartupError};
use crate::store::backup::checksum::{self, Checksum, Summed};
use crate::store::backup::partial::{Partial, sweep};
use crate::store::backup::verify::{BackupReport, verify_unlocked};
use crate::store::stop::Stop;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;

/// Bytes that are read from, or written to, a file at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Whether the file begins as an encrypted one.
pub(crate) fn is_encrypted(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == MAGIC
}

/// Whether the file is an encrypted one, and as long as it was when it was written. Its bytes are
/// not read.
pub(crate) fn is_whole(path: &Path) -> bool {
    let Some(checksum) = Checksum::beside(path) else { return false };
    let bytes = fs::metadata(path).map(|found| found.len()).ok();
    is_encrypted(path) && bytes == Some(checksum.bytes)
}

/// Encrypts a copy into the file of the backup.
pub(super) fn encrypt_file(
    plain: &Partial,
    encrypted: &Partial,
    recipient: &Recipient,
    stop: &Stop,
) -> io::Result<Checksum> {
    plain.require_own()?;
    let mut from = File::open(plain.path())?;
    let buffered = BufWriter::with_capacity(BUFFER_BYTES, encrypted.file());
    let mut to = Summed::new(buffered);
    encryption::encrypt(&mut from, &mut to, recipient, || go_on(stop))?;
    Ok(to.end())
}

/// Checks what can be checked without the private key: that the bytes are those that were written.
pub(crate) fn check(path: &Path, stop: &Stop) -> Result<Checksum, StartupError> {
    let shown = path.display();
    let Some(wanted) = Checksum::beside(path) else {
        let message = format!(
            "{shown} is encrypted, and there is no {} that says what it was: nothing of it can be \
             checked without its private key; name that with --identity.",
            checksum::path_of(path).display()
        );
        return Err(StartupError::new(Code::Invalid, message));
    };
    let found = Checksum::of(path, stop).map_err(|error| unreadable(path, &error))?;
    if found == wanted {
        return Ok(found);
    }
    let why = match found.bytes == wanted.bytes {
        true => "its SHA-256 is another".to_owned(),
        false => format!("it has {} of {} bytes", found.bytes, wanted.bytes),
    };
    let message = format!("{shown} is not as it was written ({why}); use another backup.");
    Err(StartupError::new(Code::DatabaseForeign, message))
}

/// Decrypts a backup to a new file of this name, for its owner alone.
pub(crate) fn decrypt_to(
    path: &Path,
    identity: &Identity,
    to: &File,
    stop: &Stop,
) -> Result<(), StartupError> {
    let from = File::open(path).map_err(|error| unreadable(path, &error))?;
    let from = BufReader::with_capacity(BUFFER_BYTES, from);
    let mut to = to;
    let shown = path.display();
    match encryption::decrypt(from, &mut to, identity, || go_on(stop)) {
        Ok(()) => Ok(()),
        Err(_) if stop.is_set() => {
            Err(StartupError::new(Code::Unavailable, "The decryption was stopped."))
        }
        Err(Undecrypted::OtherKey) => {
            let message =
                format!("{shown} was encrypted to another key; name its own with --identity.");
            Err(StartupError::new(Code::Invalid, message))
        }
        Err(Undecrypted::Damaged(why)) => {
            let message = format!("{shown} cannot be decrypted: {why}; use another backup.");
            Err(StartupError::new(Code::DatabaseForeign, message))
        }
        Err(Undecrypted::Io(error)) => {
            let message = format!("{shown} cannot be decrypted ({error}).");
            Err(StartupError::new(Code::Unavailable, message))
        }
    }
}

/// Verifies an encrypted backup by a decrypted copy in this folder, which goes again.
pub(crate) fn verify_encrypted(
    path: &Path,
    identity: &Identity,
    scratch: &Path,
    stop: &Stop,
) -> Result<BackupReport, StartupError> {
    let failed = |error: io::Error| {
        let message = format!(
            "No decrypted copy can be made in {} ({error}); name another folder with --scratch.",
            scratch.display()
        );
        StartupError::new(Code::Unavailable, message)
    };
    sweep(scratch).map_err(failed)?;
    let copy = Partial::create(scratch).map_err(failed)?;
    decrypt_to(path, identity, copy.file(), stop)?;
    let verified = verify_unlocked(copy.path(), stop);
    let mut report = verified.map_err(|error| error.naming(copy.path(), path))?;
    report.bytes = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    Ok(report)
}

/// The refusal of what needs the private key.
pub(crate) fn identity_needed(path: &Path) -> StartupError {
    let message = format!(
        "{} is encrypted; name the file of its private key with --identity.",
        path.display()
    );
    StartupError::new(Code::Invalid, message)
}

fn go_on(stop: &Stop) -> io::Result<()> {
    match stop.is_set() {
        true => Err(io::Error::other("it was stopped")),
        false => Ok(()),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> StartupError {
    let message = format!("{} cannot be read ({error}).", path.display());
    StartupError::new(Code::DatabaseUnusable, message)
}
