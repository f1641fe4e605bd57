//! Makes backups, one at a time: on the schedule of `[backup]`, and when asked.

use crate::auth::actor;
use crate::backups::folder::{self, KeepRule, ListedBackup};
use crate::backups::made::{Asked, BackupFailure, Good, Made};
use crate::backups::uploads::Uploads;
use crate::clock::{Clock, later};
use crate::config::Backup as Settings;
use crate::domain::{Actor, Time};
use crate::encryption::Recipient;
use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::store::{NewBackup, NoteBackup, Stop, Store, Written, file_in, name_of_kind};
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, oneshot};

/// How long somebody who wants a backup waits for the one that is being made.
const TURN_WAIT: Duration = Duration::from_secs(3);
/// How often the schedule looks into the folder.
const LOOK_PERIOD: Duration = Duration::from_mins(1);
/// How long after a failure the next backup of the schedule is tried, at most.
const RETRY: Duration = Duration::from_mins(10);
/// How many times as many backups as are kept may lie in the folder before one is made for an admin
/// key, which deletes none.
const FULL_TIMES: usize = 2;
/// How much the thread of a backup lets others go first.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

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
    uploads: Option<Uploads>,
}

impl Backups {
    /// Nothing is looked at yet; see [`Self::keep_making`].
    pub(crate) fn new(store: Arc<Store>, settings: &Settings, clock: Clock) -> Self {
        Self {
            store,
            settings: settings.clone(),
            turn: Arc::default(),
            stop: Stop::default(),
            known: Mutex::default(),
            uploads: Uploads::new(settings, clock.clone()),
            clock,
        }
    }

    /// The uploads, if a store is set.
    pub(crate) fn uploads(&self) -> Option<&Uploads> {
        self.uploads.as_ref()
    }

    /// To whom backups are encrypted, if they are.
    pub(crate) fn encrypt_to(&self) -> Option<&Recipient> {
        self.settings.encrypt_to.as_ref()
    }

    /// Uploads backups where a store is set; it never ends by itself then.
    pub(crate) async fn keep_uploading(self: Arc<Self>) {
        if let Some(uploads) = &self.uploads {
            uploads.keep_uploading().await;
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

    /// Makes a backup into the folder because somebody asks for it.
    pub(crate) async fn back_up(&self, asked: Asked) -> Result<Made> {
        let folder = self.settings.folder.clone().ok_or_else(folder::not_configured)?;
        let turn = self.take_turn().await?;
        if !asked.owns_database {
            self.refuse_if_full().await?;
        }
        self.back_up_in(turn, folder, asked).await
    }

    /// Makes a backup if the schedule says so, once nobody else makes one.
    async fn back_up_if_due(&self) {
        let Some(folder) = self.settings.folder.clone() else { return };
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // Whoever had the turn may have made it.
        let looked = self.look().await;
        if !self.is_due() {
            return;
        }
        let now = self.clock.now();
        match looked.and_then(|()| actor("server".to_owned(), None, now)) {
            Ok(actor) => {
                let asked = Asked { actor, owns_database: true };
                // It is logged, and noted.
                let _ = self.back_up_in(turn, folder, asked).await;
            }
            // It is tried again as late as after any other failure.
            Err(error) => self.note_end(now, &Err(error)),
        }
    }

    async fn back_up_in(
        &self,
        turn: OwnedMutexGuard<()>,
        folder: PathBuf,
        asked: Asked,
    ) -> Result<Made> {
        let at = self.clock.now();
        let path = folder.join(name_of_kind(at, self.settings.encrypt_to.is_some()));
        let recipient = self.settings.encrypt_to.clone();
        let owns_database = asked.owns_database;
        let kept = owns_database.then(|| KeepRule::of(&self.settings));
        let made = match self.note_begin(asked.actor, &path).await {
            Err(error) => Err(error),
            Ok(()) => {
                self.run(turn, at, move |store, stop| {
                    folder::make(&folder)?;
                    let wanted =
                        NewBackup { path: &path, replace: false, recipient: recipient.as_ref() };
                    let written = store.back_up(&wanted, stop)?;
                    if let Some(kept) = kept
                        && let Err(error) = folder::prune(&folder, kept, at)
                    {
                        log::warn!("old backups are not deleted: {error}");
                    }
                    Ok((path, written))
                })
                .await
            }
        };
        self.note_end(at, &made);
        if let (Ok(_), Some(uploads)) = (&made, &self.uploads) {
            uploads.wake(owns_database);
        }
        made
    }

    /// Makes a backup to a path of somebody's choice: a file, or a new file in a folder.
    pub(crate) async fn back_up_to(
        &self,
        named: PathBuf,
        replace: bool,
        actor: Actor,
    ) -> Result<Made> {
        let turn = self.take_turn().await?;
        let at = self.clock.now();
        let recipient = self.settings.encrypt_to.clone();
        let path = file_in(&named, at, recipient.is_some());
        self.note_begin(actor, &path).await?;
        let made = self.run(turn, at, move |store, stop| {
            let wanted = NewBackup { path: &path, replace, recipient: recipient.as_ref() };
            let written = store.back_up(&wanted, stop)?;
            Ok((path, written))
        });
        let made = made.await;
        log_end(&made);
        made
    }

    /// Notes who makes a backup, and where, before it begins: so that is in it too.
    async fn note_begin(&self, actor: Actor, path: &Path) -> Result<()> {
        let file = absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        log::info!("{} begins a backup: {file}", actor.name);
        match self.store.write_by(actor, NoteBackup { file }).await {
            // The backup is needed all the more, and may lie on another disk.
            Err(Error::DiskFull) => {
                log::warn!("the audit log has no entry of this backup: the disk is full");
                Ok(())
            }
            noted => noted,
        }
    }

    /// Refuses where an admin key has asked for many already: they would fill the disk.
    async fn refuse_if_full(&self) -> Result<()> {
        let count = self.listed().await?.len();
        let most = self.settings.keep.max(1).saturating_mul(FULL_TIMES);
        if count < most {
            return Ok(());
        }
        Err(Error::BackupConflict(format!(
            "{count} backups lie in the folder, and an admin key may add to at most {most}. Delete \
             some, or make one with `vomeet backup` on the server's machine."
        )))
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
            if self.is_due() {
                self.back_up_if_due().await;
            }
            let now = self.clock.now();
            let next_look = later(now, LOOK_PERIOD);
            let next_backup = self.next_at().unwrap_or(next_look);
            self.clock.sleep_until(next_look.min(next_backup)).await;
        }
    }

    fn is_due(&self) -> bool {
        self.next_at().is_some_and(|due| due <= self.clock.now())
    }

    /// Stops a backup that is being made, and all that come; what is not finished is removed.
    pub(crate) fn stop(&self) {
        self.stop.set();
    }

    /// Waits until none is made any more, nor uploaded.
    pub(crate) async fn ended(&self) {
        drop(self.turn.lock().await);
        if let Some(uploads) = &self.uploads {
            uploads.abort_unfinished().await;
        }
    }

    /// The right to make a backup: one that is being made, such as the first after a start, is
    /// waited for if it takes no longer than `TURN_WAIT`.
    pub(super) async fn take_turn(&self) -> Result<OwnedMutexGuard<()>> {
        let turn = Arc::clone(&self.turn).lock_owned();
        tokio::time::timeout(TURN_WAIT, turn).await.map_err(|_| {
            let why = "A backup is being made already; wait until it is done.";
            Error::BackupConflict(why.to_owned())
        })
    }

    /// Runs on a thread of its own, which goes on where nobody waits for it any more.
    async fn run(
        &self,
        turn: OwnedMutexGuard<()>,
        at: Time,
        work: impl FnOnce(&Store, &Stop) -> Result<(PathBuf, Written)> + Send + 'static,
    ) -> Result<Made> {
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
        let panicked = |_| Error::Internal("the thread of a backup panicked".to_owned());
        let (path, Written { report, sha256, took }) = result.await.map_err(panicked)??;
        Ok(Made { path, at, report, sha256, took })
    }

    /// Notes how a backup into the folder has ended, and logs it.
    fn note_end(&self, at: Time, made: &Result<Made>) {
        log_end(made);
        match made {
            Ok(made) => {
                let (path, bytes) = (made.path.clone(), made.report.bytes);
                let good = Good { at, path, bytes, took: Some(made.took) };
                self.with_known(|known| {
                    known.good = Some(good);
                    known.failure = None;
                });
            }
            Err(error) => {
                let why = why(error);
                self.with_known(|known| {
                    known.failure = Some(BackupFailure { at, why });
                    known.failures += 1;
                });
            }
        }
    }

    /// Finds the last good backup in the folder; one of the future is of a clock that was wrong.
    pub(super) async fn look(&self) -> Result<()> {
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
            let at = good.as_ref().map(|good| good.at);
            known.failure.take_if(|failure| at.is_some_and(|at| at > failure.at));
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

fn log_end(made: &Result<Made>) {
    match made {
        Ok(made) => log::info!(
            "backup {}: {} bytes in {:.1} s, verified",
            made.path.display(),
            made.report.bytes,
            made.took.as_secs_f64()
        ),
        Err(error) => log::warn!("no backup was made: {}", why(error)),
    }
}

fn why(error: &Error) -> String {
    error.cause().map_or_else(|| error.to_string(), str::to_owned)
}
