//! `vomeet backup`: a backup of a running server or of a database that nobody has open; what lies in
//! the folder of backups; whether a backup is good.

use crate::api::backups::{BackupList, NewBackup};
use crate::backups::{KeepRule, ListedBackup, Made, list, make_folder, prune};
use crate::cli::Place;
use crate::cli::backup_drill;
use crate::cli::backup_fetch;
use crate::cli::client::{Client, Response, Target};
use crate::cli::identity::{self, make_key};
use crate::cli::output::Output;
use crate::cli::print::note;
use crate::cli::progress;
use crate::cli::reach::{LOCKED_TIME_MAX, RETRY_PAUSE, find_server, locked, runtime, shown};
use crate::cli::scratch;
use crate::cli::stopping::Stopping;
use crate::cli::table::Column;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::error::Error;
use crate::exit::{Code, StartupError};
use crate::store::{
    NewBackup as New, Stop, Written, back_up_resting, check, file_in, is_encrypted, verify,
    verify_encrypted,
};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest wait for a backup that a server makes.
const BACKUP_TIME_MAX: Duration = Duration::from_hours(24);

const LIST: &[Column] = &[
    ("FILE", "/file"),
    ("AT", "/at"),
    ("BYTES", "/bytes"),
    ("VERIFIED", "/verified"),
    ("ENCRYPTED", "/encrypted"),
];
const REPORT: &[Column] = &[
    ("Backup", "/file"),
    ("Bytes", "/bytes"),
    ("File version", "/file_version"),
    ("Users", "/tables/users"),
    ("Tokens", "/tables/tokens"),
    ("Meetings", "/tables/meetings"),
    ("Segments", "/tables/segments"),
    ("Audit entries", "/audit_entries"),
    ("Audit head", "/audit_head"),
];
/// What is known of an encrypted one without its private key.
const CHECKSUM: &[Column] = &[("Backup", "/file"), ("Bytes", "/bytes"), ("SHA-256", "/sha256")];

/// What to do with backups.
#[derive(Args)]
pub(super) struct BackupArgs {
    #[command(flatten)]
    pub place: Place,
    /// A file, or a folder that gets a file with the time in its name [default: the
    /// folder that backup.folder names]
    target: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    #[command(subcommand)]
    command: Option<BackupCommand>,
}

#[derive(Subcommand)]
enum BackupCommand {
    /// Verify a backup: its pages, indexes, word index and audit log
    Verify {
        /// The backup
        file: PathBuf,
        /// The file of the private key of an encrypted backup (mode 0600)
        #[arg(long, value_name = "KEY")]
        identity: Option<PathBuf>,
        /// Where an encrypted backup is decrypted to while it is verified; it takes as much room
        /// [default: the system's temporary folder]
        #[arg(long, value_name = "DIR")]
        scratch: Option<PathBuf>,
    },
    /// Make a pair of keys for encrypted backups: the private key goes to a new file (mode 0600), or
    /// to standard output
    Key {
        /// The file
        file: Option<PathBuf>,
    },
    /// Fetch a backup from the store that backups are uploaded to, and check it
    Fetch {
        /// Its name [default: the newest]
        name: Option<String>,
        /// The folder that it is written into
        #[arg(long, value_name = "DIR", default_value = ".")]
        to: PathBuf,
    },
    /// List the backups in the configured folder, newest first
    List,
    /// Try a backup out: serve a copy of it, compare, and remove the copy
    Drill(backup_drill::DrillArgs),
    /// Serve a scratch copy for a drill, with none of the jobs of a server
    #[command(hide = true)]
    ServeScratch,
}

/// Runs the command.
pub(super) fn run(args: BackupArgs) -> Result<(), StartupError> {
    let BackupArgs { place, target, force, command } = args;
    if command.is_some() && (target.is_some() || force) {
        let message = "A file and --force belong to `vomeet backup` alone, not to its commands.";
        return Err(StartupError::new(Code::Invalid, message));
    }
    let output = place.output;
    match command {
        None => back_up(place, output, target.as_deref(), force),
        Some(BackupCommand::Verify { file, identity, scratch }) => {
            verify_file(output, &file, identity.as_deref(), scratch)
        }
        Some(BackupCommand::Key { file }) => make_key(output, file.as_deref()),
        Some(BackupCommand::Fetch { name, to }) => backup_fetch::run(place, output, name, &to),
        Some(BackupCommand::List) => list_folder(place, output),
        Some(BackupCommand::Drill(args)) => backup_drill::run(place, output, &args),
        Some(BackupCommand::ServeScratch) => backup_drill::serve_scratch(place),
    }
}

/// Asks the server that has the database open, or opens it here.
fn back_up(
    place: Place,
    output: Output,
    target: Option<&Path>,
    force: bool,
) -> Result<(), StartupError> {
    let is_database_named = place.database.is_some();
    let settings = place.load()?;
    runtime()?.block_on(async {
        let end = Instant::now() + LOCKED_TIME_MAX;
        let response = loop {
            if let Some(client) = find_server(&settings).await? {
                break progress::shown(ask_server(client, target, force)).await?;
            }
            if is_database_named && target.is_none() {
                let message = "Name a file or a folder for the backup of a database that is named: \
                               the configured folder is that of another.";
                return Err(StartupError::new(Code::Invalid, message));
            }
            match interruptible(&settings, target, force).await {
                Err(error) if error.code == Code::DatabaseHeld && Instant::now() < end => {
                    sleep(RETRY_PAUSE).await;
                }
                Err(error) if error.code == Code::DatabaseHeld => {
                    let socket = settings.config.socket_path();
                    return Err(locked(&settings.config.database, &socket));
                }
                made => break made?,
            }
        };
        note("The backup is written and verified.");
        output.one(&response, REPORT)
    })
}

/// The server writes the file, as its own user.
async fn ask_server(
    client: Client,
    target: Option<&Path>,
    force: bool,
) -> Result<Response, StartupError> {
    let mut client = client.waiting_at_most(BACKUP_TIME_MAX);
    if target.is_some_and(|target| target.to_str().is_none()) {
        let message = "The server takes no path that is not UTF-8; choose another name.";
        return Err(StartupError::new(Code::Invalid, message));
    }
    let body = target.map(|target| json!({ "path": shown(target), "replace": force }));
    let made = client.send(Method::POST, Target::path(["admin", "backups"]), body).await;
    client.close();
    let response = made?;
    if target.is_some() {
        require_seen(&response.json()?)?;
    }
    Ok(response)
}

/// A server with a root folder or a `/tmp` of its own writes where this command does not see it.
fn require_seen(made: &Value) -> Result<(), StartupError> {
    let file = made["file"].as_str().unwrap_or_default();
    let bytes = std::fs::metadata(file).map(|found| found.len()).ok();
    if bytes.is_some() && bytes == made["bytes"].as_u64() {
        return Ok(());
    }
    let message = format!(
        "The server has written the backup to {file}, which is another place for it than for this \
         command (a /tmp of its own, say); name a folder that both see."
    );
    Err(StartupError::new(Code::Unavailable, message))
}

/// Backs up the database here; whoever interrupts it leaves nothing behind.
async fn interruptible(
    settings: &Settings,
    target: Option<&Path>,
    force: bool,
) -> Result<Response, StartupError> {
    let mut stopping = Stopping::new()?;
    let (config, stop) = (settings.config.clone(), stopping.stop());
    let target = target.map(Path::to_owned);
    stopping.blocking(move || back_up_here(&config, target.as_deref(), force, &stop)).await
}

/// Backs up a database that no server has open.
fn back_up_here(
    config: &Config,
    target: Option<&Path>,
    force: bool,
    stop: &Stop,
) -> Result<Response, StartupError> {
    let at = Clock::system().now();
    let (database, backup) = (&config.database, &config.backup);
    let folder = match (target, &backup.folder) {
        (Some(target), _) => target,
        (None, Some(folder)) => {
            make_folder(folder).map_err(|error| failed(&error))?;
            folder
        }
        (None, None) => {
            let message = "Name a file or a folder for the backup, or set folder in section \
                           [backup] of vomeet.toml.";
            return Err(StartupError::new(Code::Conflict, message));
        }
    };
    let recipient = backup.encrypt_to.as_ref();
    let path = file_in(folder, at, recipient.is_some());
    let wanted = New { path: &path, replace: force, recipient };
    let written = back_up_resting(database, &wanted, stop)?;
    if target.is_none()
        && let Err(error) = prune(folder, KeepRule::of(backup), at)
    {
        note(&format!("Old backups are not deleted: {error}"));
    }
    let Written { report, sha256, took } = written;
    Response::of(&NewBackup::of(Made { path, at, report, sha256, took }))
}

fn failed(error: &Error) -> StartupError {
    StartupError::new(Code::Unavailable, error.to_string())
}

fn verify_file(
    output: Output,
    file: &Path,
    identity: Option<&Path>,
    scratch: Option<PathBuf>,
) -> Result<(), StartupError> {
    let identity = identity::read(identity)?;
    let fields = match is_encrypted(file) && identity.is_none() {
        true => CHECKSUM,
        false => REPORT,
    };
    let path = file.to_owned();
    let work = move |stop: &Stop| match (is_encrypted(&path), &identity) {
        (false, _) => Ok(json!(verify(&path, stop)?)),
        (true, Some(identity)) => {
            let folder = scratch.unwrap_or_else(std::env::temp_dir);
            scratch::sweep(&folder);
            Ok(json!(verify_encrypted(&path, identity, &folder, stop)?))
        }
        (true, None) => {
            let checksum = check(&path, stop)?;
            Ok(json!({ "bytes": checksum.bytes, "sha256": checksum.sha256 }))
        }
    };
    let mut body = runtime()?.block_on(async {
        let mut stopping = Stopping::new()?;
        let stop = stopping.stop();
        stopping.blocking(move || work(&stop)).await
    })?;
    body["file"] = shown(file).into();
    body["encrypted"] = is_encrypted(file).into();
    match fields == CHECKSUM {
        true => note(
            "The backup has the length and the SHA-256 that it had when it was written. It is \
             encrypted, so what is in it was not looked at: name the file of its private key with \
             --identity.",
        ),
        false => note("The backup is good."),
    }
    output.one(&Response::of(&body)?, fields)
}

/// Lists them also where there is neither a server nor a database any more.
fn list_folder(place: Place, output: Output) -> Result<(), StartupError> {
    let settings = place.load()?;
    runtime()?.block_on(async {
        let response = match find_server(&settings).await? {
            Some(mut client) => {
                let listed = client.get(Target::path(["admin", "backups"])).await;
                client.close();
                listed?
            }
            None => Response::of(&BackupList::of_folder(
                settings.config.backup.folder.as_deref(),
                listed_here(&settings)?,
            ))?,
        };
        let body = response.json()?;
        if body["folder"].is_null() {
            note("No folder of backups is configured: folder in section [backup] of vomeet.toml.");
        }
        if let Some(why) = body["last_failure"]["why"].as_str() {
            note(&format!("The last backup failed: {why}"));
        }
        if let Some(at) = body["upload"]["last_good_at"].as_str() {
            note(&format!("The newest one in the store is of {at}."));
        }
        if let Some(why) = body["upload"]["last_failure"]["why"].as_str() {
            note(&format!("The last upload failed: {why}"));
        }
        if let Some(next_at) = body["next_at"].as_str() {
            note(&format!("The next one is made at {next_at}."));
        }
        match output {
            Output::Json => output.one(&response, &[]),
            Output::Table => output.list(&Response::of(&body["backups"])?, LIST, |_| None),
        }
    })
}

fn listed_here(settings: &Settings) -> Result<Vec<ListedBackup>, StartupError> {
    match &settings.config.backup.folder {
        Some(folder) => list(folder).map_err(|error| failed(&error)),
        None => Ok(Vec::new()),
    }
}
