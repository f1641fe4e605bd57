//! `vomeet backup fetch`: a backup comes back from the store that it was uploaded to.

use crate::backups::{Stored, Uploads};
use crate::cli::Place;
use crate::cli::client::Response;
use crate::cli::output::Output;
use crate::cli::print::note;
use crate::cli::progress;
use crate::cli::reach::{runtime, shown};
use crate::cli::serve::stop_signal;
use crate::cli::table::Column;
use crate::clock::Clock;
use crate::exit::{Code, StartupError};
use crate::store::{Stop, check, checksum_path, create_new, is_encrypted_name, verify};
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FETCHED: &[Column] = &[("Backup", "/file"), ("Bytes", "/bytes")];

/// What was fetched.
struct Fetched {
    file: PathBuf,
    bytes: u64,
    /// What is known of it.
    said: &'static str,
}

/// Fetches a backup, the newest where none is named, into a folder.
pub(super) fn run(
    place: Place,
    output: Output,
    name: Option<String>,
    folder: &Path,
) -> Result<(), StartupError> {
    let config = place.load_to_fetch()?.config;
    let Some(uploads) = Uploads::new(&config.backup, Clock::system()) else {
        let message = "No store of backups is set: s3_endpoint in section [backup] of vomeet.toml.";
        return Err(StartupError::new(Code::Conflict, message));
    };
    let fetched = runtime()?.block_on(async {
        let stopped = stop_signal(None).map_err(|error| failed(&error))?;
        let fetch = fetch(&uploads, name, folder);
        tokio::select! {
            done = progress::shown(fetch) => done,
            () = stopped => Err(failed(&"it was interrupted.")),
        }
    })?;
    note(fetched.said);
    let body = json!({ "file": shown(&fetched.file), "bytes": fetched.bytes });
    output.one(&Response::of(&body)?, FETCHED)
}

async fn fetch(
    uploads: &Uploads,
    name: Option<String>,
    folder: &Path,
) -> Result<Fetched, StartupError> {
    let stored = uploads.stored().await.map_err(|error| failed(&error))?;
    let found = match &name {
        Some(name) => stored.iter().find(|stored| stored.name == *name),
        None => stored.first(),
    };
    let Some(found) = found else {
        let what = name.map_or_else(|| "backup".to_owned(), |name| format!("backup {name}"));
        let newest = match stored.first() {
            Some(newest) => format!("; the newest is {}", newest.name),
            None => String::new(),
        };
        let message = format!("There is no {what} in {}{newest}.", uploads.shown());
        return Err(StartupError::new(Code::NotFound, message));
    };
    let file = folder.join(&found.name);
    if file.exists() {
        let message = format!("{} exists; move it away, or name another folder.", shown(&file));
        return Err(StartupError::new(Code::Conflict, message));
    }
    let partial = Partial::of(&file);
    if found.has_checksum {
        download(uploads, &format!("{}.sha256", found.name), &partial.checksum()).await?;
    }
    download(uploads, &found.name, &partial.0).await?;
    let said = checked(&partial.0, &file, found)?;
    // The checksum first: one without a backup is in nobody's way.
    if found.has_checksum {
        let checksum = checksum_path(&file);
        fs::rename(partial.checksum(), &checksum)
            .map_err(|error| cannot_write(&checksum, &error))?;
    }
    fs::rename(&partial.0, &file).map_err(|error| cannot_write(&file, &error))?;
    Ok(Fetched { file, bytes: found.bytes, said })
}

/// Checks what was downloaded, before it has its name; says what is known of it.
fn checked(partial: &Path, file: &Path, found: &Stored) -> Result<&'static str, StartupError> {
    let bytes = fs::metadata(partial).map(|found| found.len()).unwrap_or_default();
    if bytes != found.bytes {
        let why = format!("{bytes} of {} bytes have come; try again.", found.bytes);
        return Err(failed(&why));
    }
    if !is_encrypted_name(file) {
        verify(partial, &Stop::default()).map_err(|error| error.naming(partial, file))?;
        return Ok(
            "The backup is good. `vomeet restore FILE` puts it in the place of the database.",
        );
    }
    if !found.has_checksum {
        return Ok(
            "The store has no .sha256 of this backup, so it cannot be checked without its private \
             key: `vomeet backup verify FILE --identity KEY`.",
        );
    }
    check(partial, &Stop::default()).map_err(|error| error.naming(partial, file))?;
    Ok("The backup is as it was uploaded. `vomeet restore FILE --identity KEY` puts it in the \
         place of the database.")
}

/// A backup and its checksum while they are downloaded; what is left of them is removed in the end.
struct Partial(PathBuf);

impl Partial {
    fn of(file: &Path) -> Self {
        let mut path = file.as_os_str().to_owned();
        path.push(".partial");
        Self(path.into())
    }

    fn checksum(&self) -> PathBuf {
        checksum_path(&self.0)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for path in [&self.0, &self.checksum()] {
            let _ = fs::remove_file(path);
        }
    }
}

async fn download(uploads: &Uploads, name: &str, to: &Path) -> Result<(), StartupError> {
    let mut response = uploads.get(name).await.map_err(|error| failed(&error))?;
    // What a killed one has left.
    let _ = fs::remove_file(to);
    let mut file = create_new(to).map_err(|error| cannot_write(to, &error))?;
    while let Some(piece) = response.piece().await.map_err(|error| failed(&error))? {
        file.write_all(&piece).map_err(|error| cannot_write(to, &error))?;
    }
    file.sync_all().map_err(|error| cannot_write(to, &error))
}

fn cannot_write(file: &Path, error: &io::Error) -> StartupError {
    let message = format!("Cannot write {} ({error}); name another folder.", shown(file));
    StartupError::new(Code::Unavailable, message)
}

fn failed(error: &dyn std::fmt::Display) -> StartupError {
    StartupError::new(Code::Unavailable, format!("The backup cannot be fetched: {error}"))
}
