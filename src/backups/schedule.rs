//! Makes backups, one at a time: on the schedule of `[backup]`, and when asked.

use crate::backups::folder::{self, ListedBackup};
use crate::clock::{Clock, later};
use crate::config::Backup as Settings;
use crate::domain::Time;
use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::store::{BackupReport, Stop, Store, Written, file_in};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, oneshot};
use utoipa::ToSchema;

/// How often the schedule looks into the folder.
const LOOK_PERIOD: Duration = Duration::from_mins(1);
/// How long after a failure the next backup of the schedule is tried, at most.
const RETRY: Duration = Duration::from_mins(10);
/// How much the thread of a backup lets others go first.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The last good backup in the folder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Good {
    /// As of which time it is.
    pub at: Time,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long it took; unknown of one that was made before the server started.
    pub took: Option<Duration>,
}

/// A backup into the folder that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct BackupFailure {
    /// When.
    pub at: Time,
    /// Why, in a sentence.
    #[schema(
        example = "There is no room for the backup in /backups: it takes 512 MiB, and 17 MiB are free."
    )]
    pub why: String,
}

/// A backup that was just made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The file.
    pub path: PathBuf,
    /// As of which time it is.
    pub at: Time,
    /// What is in it.
    pub report: BackupReport,
    /// How long it took.
    pub took: Duration,
}

/// What is known of the backups in the folder.
#[derive(Debug, Default)]
struct Known {
    good: Option<Good>,
    failure: Option<BackupFailure>,
    failures: u64,
}

/// Makes backups of the database.
pub(crate) struct Backups {
    store: Arc<Store>,
    clock: Clock,
    settings: Settings,
    /// Held while one is made.
    turn: Arc<tokio::sync::Mutex<()>>,
    stop: Stop,
    known: Mutex<Known>,
}

impl Backups {
    /// Nothing is looked at yet; see [`Self::keep_making`].
    pub(crate) fn new(store: Arc<Store>, settings: &Settings, clock: Clock) -> Self {
        Self {
            store,
            clock,
            settings: settings.clone(),
            turn: Arc::default(),
            stop: Stop::default(),
            known: Mutex::default(),
        }
    }

    /// The folder of backups, if one is configured.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.settings.folder.as_deref()
    }

    /// How old the last good backup is when the next is made; `None` where there is no schedule.
    pub(crate) fn schedule(&self) -> Option<Duration> {
        self.folder().and(self.settings.every)
    }

    /// The last good backup in the folder, as of the last look into it.
    pub(crate) fn last_good(&self) -> Option<Good> {
        self.with_known(|known| known.good.clone())
    }

    /// The last backup into the folder that failed since the start, if none was good after it.
    pub(crate) fn last_failure(&self) -> Option<BackupFailure> {
        self.with_known(|known| known.failure.clone())
    }

    /// How many backups into the folder have failed since the start.
    pub(crate) fn failures(&self) -> u64 {
        self.with_known(|known| known.failures)
    }

    /// When the schedule makes the next one; `None` where there is no schedule.
    pub(crate) fn next_at(&self) -> Option<Time> {
        let every = self.schedule()?;
        let now = self.clock.now();
        Some(self.with_known(|known| {
            let due = known.good.as_ref().map_or(now, |good| later(good.at, every));
            match &known.failure {
                // A clock that was set back meanwhile does not lengthen the wait.
                Some(failure) => due.max(later(failure.at.min(now), RETRY.min(every))),
                None => due,
            }
        }))
    }

    /// Makes a backup into the folder, and deletes those that are too old.
    pub(crate) async fn back_up(&self) -> Result<Made> {
        let Some(folder) = self.settings.folder.clone() else {
            let why = "No folder of backups is configured. Set folder in section [backup] of \
                       vomeet.toml.";
            return Err(Error::BackupConflict(why.to_owned()));
        };
        let turn = self.take_turn()?;
        let at = self.clock.now();
        let keep = self.settings.keep;
        let into = folder.clone();
        let made = self.run(turn, move |store, stop| {
            folder::make(&into)?;
            let path = file_in(&into, at);
            let written = store.back_up(&path, false, stop)?;
            if let Err(error) = folder::prune(&into, keep, at) {
                log::warn!("old backups are not deleted: {error}");
            }
            Ok((path, written))
        });
        let made = made.await.map(|(path, written)| made_of(path, at, written));
        self.note(at, &made);
        made
    }

    /// Makes a backup to a path of somebody's choice: a file, or a new file in a folder.
    pub(crate) async fn back_up_to(&self, named: PathBuf, replace: bool) -> Result<Made> {
        let turn = self.take_turn()?;
        let at = self.clock.now();
        let made = self.run(turn, move |store, stop| {
            let path = file_in(&named, at);
            let written = store.back_up(&path, replace, stop)?;
            Ok((path, written))
        });
        made.await.map(|(path, written)| made_of(path, at, written))
    }

    /// What lies in the folder, newest first.
    pub(crate) async fn listed(&self) -> Result<Vec<ListedBackup>> {
        let Some(folder) = self.settings.folder.clone() else { return Ok(Vec::new()) };
        tokio::task::spawn_blocking(move || folder::list(&folder))
            .await
            .map_err(|panic| Error::Internal(panic.to_string()))?
    }

    /// Looks into the folder, and makes backups when they are due; it never ends by itself.
    pub(crate) async fn keep_making(self: Arc<Self>) {
        if self.settings.folder.is_none() {
            return;
        }
        let mut trouble = Trouble::default();
        loop {
            match self.look().await {
                Ok(()) => trouble.end("the folder of backups can be read again"),
                Err(error) => trouble.warn(&error.to_string()),
            }
            let due = self.next_at();
            if due.is_some_and(|due| due <= self.clock.now()) {
                // It is logged.
                let _ = self.back_up().await;
            }
            let now = self.clock.now();
            let next_look = later(now, LOOK_PERIOD);
            let next_backup = self.next_at().unwrap_or(next_look);
            self.clock.sleep_until(next_look.min(next_backup)).await;
        }
    }

    /// Stops a backup that is being made, and all that come; what is not finished is removed.
    pub(crate) fn stop(&self) {
        self.stop.set();
    }

    /// Waits until none is made any more.
    pub(crate) async fn ended(&self) {
        drop(self.turn.lock().await);
    }

    fn take_turn(&self) -> Result<OwnedMutexGuard<()>> {
        Arc::clone(&self.turn).try_lock_owned().map_err(|_| {
            let why = "A backup is being made already; wait until it is done.";
            Error::BackupConflict(why.to_owned())
        })
    }

    /// Runs on a thread of its own, which goes on where nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        turn: OwnedMutexGuard<()>,
        work: impl FnOnce(&Store, &Stop) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        let (done, result) = oneshot::channel();
        let thread = std::thread::Builder::new().name("backup".to_owned()).spawn(move || {
            #[cfg(target_os = "linux")]
            // Of this thread alone. Where it is refused, the backup is made all the same.
            let _ = rustix::process::nice(NICE);
            let result = work(&store, &stop);
            // Whoever is told may begin the next one.
            drop(turn);
            let _ = done.send(result);
        });
        thread
            .map_err(|error| Error::BackupFailed(format!("No thread for a backup ({error}).")))?;
        result.await.map_err(|_| Error::Internal("the thread of a backup panicked".to_owned()))?
    }

    /// Notes how a backup into the folder has ended, and logs it.
    fn note(&self, at: Time, made: &Result<Made>) {
        match made {
            Ok(made) => {
                log::info!(
                    "backup {}: {} bytes in {:.1} s, verified",
                    made.path.display(),
                    made.report.bytes,
                    made.took.as_secs_f64()
                );
                let (path, bytes) = (made.path.clone(), made.report.bytes);
                let good = Good { at, path, bytes, took: Some(made.took) };
                self.with_known(|known| {
                    known.good = Some(good);
                    known.failure = None;
                });
            }
            Err(error) => {
                let why = error.cause().map_or_else(|| error.to_string(), str::to_owned);
                log::warn!("no backup was made: {why}");
                self.with_known(|known| {
                    known.failure = Some(BackupFailure { at, why });
                    known.failures += 1;
                });
            }
        }
    }

    /// Finds the last good backup in the folder; one of the future is of a clock that was wrong.
    async fn look(&self) -> Result<()> {
        let listed = self.listed().await?;
        let Some(folder) = self.folder() else { return Ok(()) };
        let now = self.clock.now();
        let newest = listed.into_iter().find(|backup| backup.verified && backup.at <= now);
        let good = newest.map(|ListedBackup { file, at, bytes, .. }| Good {
            at,
            path: folder.join(file),
            bytes,
            took: None,
        });
        self.with_known(|known| {
            let before = known.good.take();
            // How long it took, the folder does not say.
            known.good = match before {
                Some(before) if good.as_ref().is_some_and(|good| good.path == before.path) => {
                    Some(before)
                }
                _ => good,
            };
        });
        Ok(())
    }

    fn with_known<T>(&self, use_it: impl FnOnce(&mut Known) -> T) -> T {
        use_it(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn made_of(path: PathBuf, at: Time, written: Written) -> Made {
    Made { path, at, report: written.report, took: written.took }
}
