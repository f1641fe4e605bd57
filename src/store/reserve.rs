//! A reserve on the disk, given up when the disk is full, so that revoking still works.

use crate::logging::Trouble;
use crate::store::beside::{beside, create_new};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Size of the reserve in bytes: some hundred revocations, even if the WAL can never be
/// checkpointed.
const RESERVE_BYTES: usize = 4 * 1024 * 1024;
/// How often a lost reserve is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// The reserve: `<database>.ballast`.
pub(super) struct Reserve {
    path: PathBuf,
    tried: Instant,
    held: bool,
    release_trouble: Trouble,
    fill_trouble: Trouble,
}

impl Reserve {
    /// Takes the reserve, if there is room for it.
    pub(super) fn take(database: &Path) -> Self {
        let mut reserve = Self {
            path: beside(database, ".ballast"),
            tried: Instant::now(),
            held: false,
            release_trouble: Trouble::default(),
            fill_trouble: Trouble::default(),
        };
        reserve.fill();
        reserve
    }

    /// Whether the disk is full: the reserve is gone and cannot be had again yet.
    pub(super) fn is_short(&mut self) -> bool {
        if !self.held && self.tried.elapsed() >= RETRY_EVERY {
            self.fill();
        }
        !self.held
    }

    /// Gives the space to whoever needs it most.
    pub(super) fn release(&mut self) {
        self.release_trouble.warn(&format!(
            "the disk is full: {} is given up so that tokens can still be revoked",
            self.path.display()
        ));
        self.held = false;
        self.tried = Instant::now();
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("the reserve {} cannot be removed: {error}", self.path.display());
        }
    }

    fn fill(&mut self) {
        self.tried = Instant::now();
        match fill(&self.path) {
            Ok(()) => {
                self.held = true;
                let path = self.path.display();
                self.fill_trouble.end(&format!("there is room for the reserve {path} again"));
            }
            Err(error) => {
                // What was written of it would be missing elsewhere; that it cannot be removed
                // either changes nothing.
                let _ = fs::remove_file(&self.path);
                let path = self.path.display();
                self.fill_trouble.warn(&format!("no room for the reserve {path}: {error}"));
            }
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // A server that is not running needs none, and one file is easier to copy than two.
        let _ = fs::remove_file(&self.path);
    }
}

fn fill(path: &Path) -> io::Result<()> {
    // What is left of a server that was killed, or what somebody else has put there.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_new(path)?;
    // Bytes that no file system can press together.
    let mut bytes = vec![0; RESERVE_BYTES];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    file.write_all(&bytes)
}
