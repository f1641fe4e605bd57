//! Uploads: the newest good backup in the folder goes to the store of `backup.s3_endpoint`, and what
//! is older than the store keeps is deleted there.
//!
//! Only objects are touched whose names were made here, below the prefix.

use crate::backups::folder::{KeepRule, is_too_old, list};
use crate::backups::made::BackupFailure;
use crate::clock::{Clock, later};
use crate::config::Backup as Settings;
use crate::domain::Time;
use crate::error::{Error, Result};
use crate::http_client::Response;
use crate::logging::Trouble;
use crate::s3::{Bucket, Content, Failed, Place};
use crate::store::{Checksum, checksum_path, time_of};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use utoipa::ToSchema;

/// How often the folder and the store are compared.
const LOOK_PERIOD: Duration = Duration::from_mins(10);
/// How long after a failure it is tried again; the wait doubles up to [`LOOK_PERIOD`].
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// How long a stop waits for the store to forget an upload.
const ABORT_TIME_MAX: Duration = Duration::from_secs(5);
/// How all names of backups begin.
const BEGIN: &str = "vomeet-";
/// What the name of an encrypted one ends with.
const CHECKSUM_END: &str = ".sha256";

/// How uploads go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Uploaded {
    /// As of which time the newest backup in the store is; null where none is known.
    #[schema(required)]
    pub last_good_at: Option<Time>,
    /// The last upload that failed since the start, if none was good after it.
    #[schema(required)]
    pub last_failure: Option<BackupFailure>,
    /// How many uploads have failed since the start.
    pub failures: u64,
}

/// A backup in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its name, without the prefix.
    pub name: String,
    /// As of which time it is.
    pub at: Time,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether its checksum is there too.
    pub has_checksum: bool,
}

/// Uploads backups.
pub(crate) struct Uploads {
    bucket: Bucket,
    /// As administrators see it.
    shown: String,
    settings: Settings,
    clock: Clock,
    /// A backup was made.
    made: Notify,
    /// The schedule or the owner of the database has made one since old ones were deleted. An admin
    /// key's backups delete none, as in the folder.
    may_delete: AtomicBool,
    known: Mutex<Uploaded>,
}

impl Uploads {
    /// `None` where no store is set.
    pub(crate) fn new(settings: &Settings, clock: Clock) -> Option<Self> {
        let endpoint = settings.s3_endpoint.clone()?;
        let (bucket, prefix) = (settings.s3_bucket.clone(), settings.s3_prefix.clone());
        let shown = format!("{}/{bucket}/{prefix}", endpoint.as_str().trim_end_matches('/'));
        let (region, keys) = (settings.s3_region.clone(), settings.s3_keys.clone());
        let place = Place { endpoint, bucket, prefix, region, keys };
        Some(Self {
            bucket: Bucket::new(place, clock.clone()),
            shown,
            settings: settings.clone(),
            clock,
            made: Notify::new(),
            may_delete: AtomicBool::new(false),
            known: Mutex::default(),
        })
    }

    /// Where backups are uploaded to.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// How uploads go.
    pub(crate) fn known(&self) -> Uploaded {
        self.with_known(|known| known.clone())
    }

    /// Says that there is a new backup in the folder, and whether old ones may be deleted for it.
    pub(super) fn wake(&self, may_delete: bool) {
        if may_delete {
            self.may_delete.store(true, Ordering::Relaxed);
        }
        self.made.notify_one();
    }

    /// Uploads what is not in the store; it never ends by itself.
    pub(super) async fn keep_uploading(&self) {
        let mut retry = FIRST_RETRY;
        let mut trouble = Trouble::default();
        loop {
            let wait = match self.upload_newest().await {
                Ok(()) => {
                    trouble.end("backups are uploaded again");
                    retry = FIRST_RETRY;
                    LOOK_PERIOD
                }
                Err(error) => {
                    trouble.warn(&format!("no backup is uploaded: {error}"));
                    self.note_failure(&error);
                    let wait = retry.min(LOOK_PERIOD);
                    retry = retry.saturating_mul(2);
                    wait
                }
            };
            let next = later(self.clock.now(), wait);
            tokio::select! {
                () = self.made.notified() => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    /// Uploads the newest good backup, unless the store has it, and deletes what is old there.
    async fn upload_newest(&self) -> Result<()> {
        let mut stored = self.stored().await?;
        let now = self.clock.now();
        if let Some(newest) = self.newest().await? {
            let is_there =
                |stored: &Stored| stored.name == newest.name && stored.bytes == newest.bytes;
            let newest_there = stored.iter().find(|stored| stored.at <= now);
            // What is older than what is there would be deleted again.
            let is_wanted = newest_there.is_none_or(|there| newest.at >= there.at);
            if is_wanted && !stored.iter().any(is_there) {
                self.upload(&newest).await?;
                stored.retain(|stored| stored.name != newest.name);
                stored.push(newest);
                stored.sort_by_key(|stored| Reverse(stored.at));
            }
        }
        let newest_at = stored.iter().find(|stored| stored.at <= now).map(|stored| stored.at);
        self.with_known(|known| {
            known.last_good_at = newest_at;
            known.last_failure = None;
        });
        // Taken once the new one is there; a failure is tried again at the next look.
        if self.may_delete.swap(false, Ordering::Relaxed)
            && let Err(error) = self.prune(&stored).await
        {
            self.may_delete.store(true, Ordering::Relaxed);
            log::warn!("old backups stay in the store: {error}");
        }
        Ok(())
    }

    /// The newest good backup in the folder that may be uploaded.
    async fn newest(&self) -> Result<Option<Stored>> {
        let Some(folder) = self.settings.folder.clone() else { return Ok(None) };
        let listed = tokio::task::spawn_blocking(move || list(&folder)).await;
        let listed = listed.map_err(|panic| Error::Internal(panic.to_string()))??;
        let (now, may_be_plain) = (self.clock.now(), self.settings.s3_plain);
        let newest = listed.into_iter().find(|backup| {
            backup.verified && backup.at <= now && (backup.encrypted || may_be_plain)
        });
        Ok(newest.map(|backup| Stored {
            name: backup.file,
            at: backup.at,
            bytes: backup.bytes,
            has_checksum: backup.encrypted,
        }))
    }

    /// The backups in the store, newest first.
    pub(crate) async fn stored(&self) -> Result<Vec<Stored>> {
        let objects = self.bucket.list(BEGIN).await.map_err(|failed| self.failure(&failed))?;
        let names: HashSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
        let mut stored = Vec::new();
        for object in &objects {
            if let Some(at) = time_of(&object.name) {
                let name = object.name.clone();
                let has_checksum = names.contains(format!("{name}{CHECKSUM_END}").as_str());
                stored.push(Stored { name, at, bytes: object.bytes, has_checksum });
            }
        }
        stored.sort_by_key(|stored| Reverse(stored.at));
        Ok(stored)
    }

    /// The checksum goes first, so that a backup that is there has it.
    async fn upload(&self, backup: &Stored) -> Result<()> {
        let Some(folder) = &self.settings.folder else { return Ok(()) };
        let began = self.clock.now();
        let path = folder.join(&backup.name);
        let checksum = Checksum::beside(&path);
        if checksum.is_some() {
            let name = format!("{}{CHECKSUM_END}", backup.name);
            self.upload_file(&checksum_path(&path), &name, None).await?;
        }
        let sha256 = checksum.as_ref().map(|checksum| checksum.sha256.as_str());
        self.upload_file(&path, &backup.name, sha256).await?;
        let millis = self.clock.now().as_millis() - began.as_millis();
        log::info!(
            "backup {} is uploaded to {}: {} bytes in {:.1} s",
            backup.name,
            self.shown,
            backup.bytes,
            Duration::from_millis(millis.max(0).cast_unsigned()).as_secs_f64()
        );
        Ok(())
    }

    async fn upload_file(&self, path: &Path, name: &str, sha256: Option<&str>) -> Result<()> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(|error| {
            Error::BackupFailed(format!("{} cannot be read ({error}).", path.display()))
        })?;
        let content = Content { file: &file, bytes, sha256 };
        let put = self.bucket.put(name, &content).await;
        put.map_err(|failed| self.failure(&failed))
    }

    /// Removes from the store what an upload has left there that was cut off.
    pub(super) async fn abort_unfinished(&self) {
        // A stop waits for a store that does not answer no longer than that.
        let _ = timeout(ABORT_TIME_MAX, self.bucket.abort_unfinished()).await;
    }

    /// Deletes what is older than the newest backups that are kept.
    async fn prune(&self, stored: &[Stored]) -> Result<()> {
        let (kept, now) = (KeepRule::of(&self.settings), self.clock.now());
        let mut times: Vec<Time> = stored.iter().map(|stored| stored.at).collect();
        times.retain(|at| *at <= now);
        let mut failure = Ok(());
        for old in stored.iter().filter(|stored| is_too_old(stored.at, &times, kept, now)) {
            match self.delete(&old.name).await {
                Ok(()) => log::info!("the old backup {} is deleted from {}", old.name, self.shown),
                // The others may be deleted all the same.
                Err(failed) => failure = Err(self.failure(&failed)),
            }
        }
        failure
    }

    /// Deletes a backup, and its checksum first: what is listed still is tried again.
    async fn delete(&self, name: &str) -> std::result::Result<(), Failed> {
        self.bucket.delete(&format!("{name}{CHECKSUM_END}")).await?;
        self.bucket.delete(name).await
    }

    /// A backup in the store, to be read piece by piece.
    pub(crate) async fn get(&self, name: &str) -> Result<Response> {
        self.bucket.get(name).await.map_err(|failed| self.failure(&failed))
    }

    fn failure(&self, failed: &Failed) -> Error {
        Error::BackupFailed(format!("{}: {failed}.", self.shown))
    }

    fn note_failure(&self, error: &Error) {
        let (at, why) = (self.clock.now(), error.to_string());
        self.with_known(|known| {
            known.last_failure = Some(BackupFailure { at, why });
            known.failures += 1;
        });
    }

    fn with_known<T>(&self, use_it: impl FnOnce(&mut Uploaded) -> T) -> T {
        use_it(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
