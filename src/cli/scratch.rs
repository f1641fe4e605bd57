//! A scratch folder: for its owner alone, and gone in the end.

use crate::cli::print::note;
use crate::cli::reach::shown;
use crate::store::create_folder;
use std::fs;
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

/// A folder that is removed when this is dropped.
pub(super) struct Scratch(PathBuf);

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
        match create_folder(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(format!("{} cannot be made ({error})", shown(&path))),
        }
    }

    /// Its path, which is absolute.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The database in it.
    pub(super) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    /// The admin socket of the server of that database.
    pub(super) fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            note(&format!("vomeet: {} is left ({error}); remove it.", shown(&self.0)));
        }
    }
}

/// Random hexadecimal digits, 64 of them.
pub(super) fn random() -> Result<String, String> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
