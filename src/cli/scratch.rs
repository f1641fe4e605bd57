//! A scratch folder: for its owner alone, and gone in the end.

use crate::cli::print::note;
use crate::cli::reach::shown;
use crate::store::{create_folder, create_new, sweep as sweep_partial};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf, absolute};

/// The database in it.
const DATABASE: &str = "vomeet.db";
/// The admin socket of its server.
const SOCKET: &str = "vomeet.db.sock";
/// Longest path of a socket (`sun_path` less its end).
const SOCKET_BYTES_MAX: usize = 107;
/// Bytes of randomness.
const RANDOM_BYTES: usize = 16;
/// Characters of its name that are random.
const NAME_CHARS: usize = 12;

/// The file in it that is locked as long as it is used.
const IN_USE: &str = "in-use";
/// How the name of the folder of a drill begins.
pub(super) const DRILL: &str = "vomeet-drill";

/// A folder that is removed when this is dropped.
pub(super) struct Scratch {
    path: PathBuf,
    /// Locked, so that nobody takes the folder for what was left behind.
    _in_use: File,
}

impl Scratch {
    /// A new path in a folder, for [`Scratch::make`]; or why there is none.
    pub(super) fn new_path(folder: &Path, prefix: &str) -> Result<PathBuf, String> {
        let name = &random()?[..NAME_CHARS];
        let path = folder.join(format!("{prefix}-{name}"));
        let path = absolute(&path).unwrap_or(path);
        let socket = path.join(SOCKET);
        if socket.as_os_str().len() > SOCKET_BYTES_MAX {
            return Err(format!("{} is too long a path for a socket", socket.display()));
        }
        Ok(path)
    }

    /// Makes the folder.
    pub(super) fn make(path: PathBuf) -> Result<Self, String> {
        let cannot = |error: io::Error| format!("{} cannot be made ({error})", shown(&path));
        create_folder(&path).map_err(cannot)?;
        let in_use = create_new(&path.join(IN_USE)).map_err(cannot)?;
        in_use.try_lock().map_err(|error| cannot(error.into()))?;
        Ok(Self { path, _in_use: in_use })
    }

    /// Its path, which is absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The database in it.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The admin socket of the server of that database.
    pub(super) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            note(&format!("vomeet: {} is left ({error}); remove it.", shown(&self.path)));
        }
    }
}

/// Removes from a folder the copies of drills and verifications that were killed.
pub(super) fn sweep(folder: &Path) {
    // A folder that cannot be read is told where a copy is made in it.
    let _ = sweep_partial(folder);
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let chars = name.to_str().and_then(|name| name.strip_prefix(DRILL)?.strip_prefix('-'));
        let is_of_drill = chars.is_some_and(|chars| chars.len() == NAME_CHARS);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_of_drill || !is_folder {
            continue;
        }
        let Ok(in_use) = File::open(entry.path().join(IN_USE)) else { continue };
        if in_use.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Random hexadecimal digits, 64 of them.
pub(super) fn random() -> Result<String, String> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
