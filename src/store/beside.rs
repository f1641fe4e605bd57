//! How the database and the files beside it are opened: no symbolic link is followed, what is there
//! already must be a file of somebody who can be trusted, and what is made is new. So nobody who can
//! write to the same folder can lead a command of root's to another file.

use crate::exit::{Code, StartupError};
use rustix::fs::{AtFlags, CWD, OFlags, StatxFlags, statx};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Mode of what is made: for its owner alone.
const MODE: u32 = 0o600;

/// The path of a file beside the database: the WAL, the lock, the reserve.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder of a file, open, and on the disk as it is.
pub(super) fn synced_folder_of(path: &Path) -> io::Result<File> {
    let folder = File::open(folder_of(path))?;
    folder.sync_all()?;
    Ok(folder)
}

/// Whether this user of the machine can be trusted with a file or a socket at this path: oneself,
/// root, or the owner of a folder to which not everybody can write.
pub(crate) fn is_trusted(owner: u32, path: &Path) -> bool {
    if owner == 0 || owner == rustix::process::geteuid().as_raw() {
        return true;
    }
    let folder = fs::metadata(folder_of(path));
    folder.is_ok_and(|folder| folder.uid() == owner && folder.mode() & 0o002 == 0)
}

/// The database itself, where its path is a symbolic link: its WAL and its lock lie beside it, not
/// beside the link.
pub(crate) fn resolve(database: &Path) -> Result<PathBuf, StartupError> {
    let link = match fs::symlink_metadata(database) {
        Ok(found) if found.is_symlink() => found,
        // What is wrong with the path is said when it is opened.
        _ => return Ok(database.to_owned()),
    };
    if !is_trusted(link.uid(), database) {
        let why = "is a symbolic link of another user of this machine";
        return Err(refused(database, why, "remove it"));
    }
    fs::canonicalize(database).map_err(|error| {
        let why = format!("is a symbolic link that leads to no file ({error})");
        refused(database, &why, "correct it")
    })
}

/// Opens a file that is there, or makes it.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    match create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).custom_flags(no_links()).open(path)?;
    match fault(&file.metadata()?, path) {
        None => Ok(file),
        Some(why) => Err(io::Error::other(why)),
    }
}

/// Makes a file that was not there, for its owner alone.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let new = options.read(true).write(true).mode(MODE).create_new(true).open(path)?;
    belong_to_folder(&new, path)?;
    Ok(new)
}

/// Makes a folder, for its owner alone.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    belong_to_folder(&File::open(path)?, path)
}

/// Opens a file that is there for reading.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open_found(path, OpenOptions::new().read(true))
}

/// Opens a file that is there for reading, and for writing at its end.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    open_found(path, OpenOptions::new().read(true).append(true))
}

/// Opens a file that is there for writing anywhere in it.
pub(crate) fn open_to_change(path: &Path) -> io::Result<File> {
    open_found(path, OpenOptions::new().read(true).write(true))
}

fn open_found(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.custom_flags(no_links()).open(path)?;
    match fault(&file.metadata()?, path) {
        None => Ok(file),
        Some(why) => Err(io::Error::other(why)),
    }
}

/// Checks a folder that is there: it, and the link that leads to it where it is one, must belong to
/// somebody who can be trusted, and not everybody may write to it.
pub(crate) fn check_folder(path: &Path) -> io::Result<()> {
    let named = fs::symlink_metadata(path)?;
    let found = fs::metadata(path)?;
    let why = match () {
        () if !is_trusted(named.uid(), path) => "belongs to another user of this machine",
        () if !found.is_dir() => "is no folder",
        () if !is_trusted(found.uid(), path) => "belongs to another user of this machine",
        () if found.mode() & 0o002 != 0 => "may be written by everybody (its mode)",
        () => return Ok(()),
    };
    Err(io::Error::other(why))
}

/// Opens a file for reading, if it is there.
pub(super) fn open_to_look(path: &Path) -> Result<Option<File>, StartupError> {
    check(path)?;
    match OpenOptions::new().read(true).custom_flags(no_links()).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(refused(path, &format!("cannot be read ({error})"), "make it readable")),
    }
}

/// Refuses what lies at this path, if it is no file or nobody's who can be trusted.
pub(super) fn check(path: &Path) -> Result<(), StartupError> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    match fault(&found, path) {
        None if found.is_file() && found.nlink() > 1 => {
            Err(refused(path, "has another name too (a hard link)", "remove it"))
        }
        None => Ok(()),
        Some(why) => Err(refused(path, why, "remove it")),
    }
}

/// What is wrong with a file that is there.
fn fault(found: &Metadata, path: &Path) -> Option<&'static str> {
    match () {
        () if found.is_symlink() => Some("is a symbolic link"),
        () if !found.is_file() => Some("is no regular file"),
        () if !is_trusted(found.uid(), path) => Some("belongs to another user of this machine"),
        () => None,
    }
}

/// Refuses a database that is mounted without its folder: its WAL would lie elsewhere, in a
/// container that is thrown away for example.
pub(super) fn check_mount(database: &Path) -> Result<(), StartupError> {
    let (file, folder) = (mount_of(database), mount_of(folder_of(database)));
    if file.is_none() || folder.is_none() || file == folder {
        return Ok(());
    }
    Err(refused(
        database,
        "is mounted by itself, so that what is in its WAL would be lost with the container",
        "mount the folder that it lies in",
    ))
}

/// The number of the mount that a path is in; `None` where the system does not say.
fn mount_of(path: &Path) -> Option<u64> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    let is_known = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    is_known.then_some(found.stx_mnt_id)
}

/// `O_NOFOLLOW`, and no wait for whoever writes to a pipe.
fn no_links() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// What root makes in the folder of a server's own user must be that user's, or the server could
/// not open it.
fn belong_to_folder(new: &File, path: &Path) -> io::Result<()> {
    let (folder, file) = (fs::metadata(folder_of(path))?, new.metadata()?);
    match file.uid() == 0 && folder.uid() != 0 {
        true => fchown(new, Some(folder.uid()), Some(folder.gid())),
        false => Ok(()),
    }
}

fn refused(path: &Path, why: &str, what_to_do: &str) -> StartupError {
    let message =
        format!("{} {why}; {what_to_do}, or choose another file with --database.", path.display());
    StartupError::new(Code::DatabaseUnusable, message)
}
