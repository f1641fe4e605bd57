//! Backups: made and listed.

use crate::app::App;
use crate::auth::Admin;
use crate::backups::{Asked, BackupFailure, ListedBackup, Made, Uploaded};
use crate::domain::Time;
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::Json;
use crate::http::request::input::input;
use crate::http::response::Created;
use crate::store::BackupReport;
use serde::Serialize;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest path in bytes, as on Linux.
type PathText = SingleLine<4095>;

input! {
    /// Body of `POST /admin/backups`; no body is needed.
    pub(crate) struct CreateBackupInput, body Optional {
        /// A file, or a folder; the configured one where it is left out.
        optional path: Option<PathText>,
        /// Whether a file that is there is replaced.
        optional replace: Option<bool>,
    }
}

/// A backup that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewBackup {
    /// The file.
    #[schema(example = "/backups/vomeet-20251010T120000.000Z.db")]
    file: String,
    /// As of which time it is: all that was written before is in it.
    at: Time,
    /// How long it took, in seconds.
    #[schema(example = 1.5)]
    seconds: f64,
    #[serde(flatten)]
    report: BackupReport,
    /// Whether it is encrypted.
    encrypted: bool,
    /// The SHA-256 of the file in hexadecimal; null where it is not encrypted.
    #[schema(required)]
    sha256: Option<String>,
}

impl NewBackup {
    /// What is shown of it.
    pub(crate) fn of(made: Made) -> Self {
        let Made { path, at, report, sha256, took } = made;
        let file = absolute(&path).unwrap_or(path).display().to_string();
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        Self { file, at, seconds, report, encrypted: sha256.is_some(), sha256 }
    }
}

/// What lies in the folder of backups.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupList {
    /// The folder; null where none is configured.
    #[schema(required)]
    folder: Option<String>,
    /// The backups, newest first.
    backups: Vec<ListedBackup>,
    /// The last one that failed since the start, if none was good after it.
    #[schema(required)]
    last_failure: Option<BackupFailure>,
    /// When the schedule makes the next one; null where there is no schedule.
    #[schema(required)]
    next_at: Option<Time>,
    /// The public key that backups are encrypted to; null where they are not.
    #[schema(required)]
    encrypt_to: Option<String>,
    /// Where they are uploaded to, and how that goes; null where they are not.
    #[schema(required)]
    upload: Option<UploadState>,
}

/// The uploads of backups.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadState {
    /// The address of the store, with bucket and prefix.
    #[schema(example = "https://s3.example.com/backups/vomeet/")]
    to: String,
    #[serde(flatten)]
    state: Uploaded,
}

impl BackupList {
    /// What lies in the folder, where no server has a schedule.
    pub(crate) fn of_folder(folder: Option<&Path>, backups: Vec<ListedBackup>) -> Self {
        let shown = |folder: &Path| {
            absolute(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string()
        };
        Self {
            folder: folder.map(shown),
            backups,
            last_failure: None,
            next_at: None,
            encrypt_to: None,
            upload: None,
        }
    }
}

/// Makes a backup and waits for it. A path counts only from whoever could read the database
/// without the server.
pub(crate) async fn create_backup(
    app: Arc<App>,
    admin: Admin,
    input: CreateBackupInput,
) -> Result<Created<NewBackup>> {
    let actor = admin.actor()?;
    let owns_database = admin.owns_database();
    let made = match (input.path, input.replace) {
        (None, Some(true)) => return Err(replaces_nothing()),
        (None, _) => app.backups.back_up(Asked { actor, owns_database }).await?,
        (Some(_), _) if !owns_database => return Err(Error::BackupPathRefused),
        (Some(SingleLine(path)), replace) => {
            let replace = replace.unwrap_or(false);
            app.backups.back_up_to(PathBuf::from(path), replace, actor).await?
        }
    };
    Ok(Created(NewBackup::of(made)))
}

/// In the configured folder each backup has a name of its own.
fn replaces_nothing() -> Error {
    let why = "replace needs a path: in the folder each backup has a name of its own.";
    Error::BackupConflict(why.to_owned())
}

/// Lists the backups in the configured folder, newest first.
pub(crate) async fn list_backups(app: Arc<App>, _: Admin, (): ()) -> Result<Json<BackupList>> {
    let backups = app.backups.listed().await?;
    let mut list = BackupList::of_folder(app.backups.folder(), backups);
    list.last_failure = app.backups.last_failure();
    list.next_at = app.backups.next_at();
    list.encrypt_to = app.backups.encrypt_to().map(ToString::to_string);
    if let Some(uploads) = app.backups.uploads() {
        let (to, state) = (uploads.shown().to_owned(), uploads.known());
        list.upload = Some(UploadState { to, state });
    }
    Ok(Json(list))
}
