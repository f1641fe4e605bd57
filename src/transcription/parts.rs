//! The parts of the room: what the doors, the listeners and the erasure of sound need.

use crate::clock::Clock;
use crate::config::TranscriptionSettings;
use crate::domain::engine_state::EngineState;
use crate::domain::sound::SoundSource;
use crate::domain::{MeetingId, SoundId, UserId};
use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::metrics::Family;
use crate::store::Store;
use crate::transcription::capacity::why_full;
use crate::transcription::day::DaySound;
use crate::transcription::dropped::Dropped;
use crate::transcription::engines::Engines;
use crate::transcription::hearing_counters::HearingCounters;
use crate::transcription::open_sounds::{OpenSounds, SoundNews};
use crate::transcription::refusals::{Refusal, Refusals};
use crate::transcription::spool::Spool;
use crate::transcription::spool::folder::SpoolFolder;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::timeout;

/// Streams that share a turn: begin and end of one stream come one after the other.
const TURNS: usize = 64;
/// How long a stop waits for sounds to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// From sound to words.
pub(crate) struct Transcription {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) spool: Spool,
    engines: OnceLock<Arc<Engines>>,
    /// What is counted between spool and segments.
    pub(crate) counters: HearingCounters,
    /// What was dropped of live sound.
    pub(crate) dropped: Dropped,
    seconds_per_day_user: u32,
    pub(super) open: OpenSounds,
    days: DaySound,
    refusals: Refusals,
    turns: [Mutex<()>; TURNS],
    /// Held by whoever writes a part of a recording, which may take long.
    recording_turns: [Mutex<()>; TURNS],
    /// Whether what the last run of the server left was looked at.
    pub(super) recovery: OnceCell<()>,
}

impl Transcription {
    /// With a spool in this folder, where nothing is looked at yet.
    pub(crate) fn new(
        settings: &TranscriptionSettings,
        folder: PathBuf,
        store: Arc<Store>,
        clock: Clock,
    ) -> Self {
        Self {
            store,
            clock,
            spool: Spool::new(SpoolFolder::new(settings, folder)),
            engines: OnceLock::new(),
            counters: HearingCounters::default(),
            dropped: Dropped::default(),
            seconds_per_day_user: settings.seconds_per_day_user,
            open: OpenSounds::default(),
            days: DaySound::default(),
            refusals: Refusals::default(),
            turns: std::array::from_fn(|_| Mutex::new(())),
            recording_turns: std::array::from_fn(|_| Mutex::new(())),
            recovery: OnceCell::new(),
        }
    }

    /// Checks the folder of the spool, and makes it where sound is expected. No other server may use
    /// it from then on.
    pub(crate) fn check_folder(&self) -> std::result::Result<(), StartupError> {
        let folder = self.spool.folder();
        let checked = match self.is_on() {
            true => folder.make().and_then(|()| folder.keep_for_one()),
            false => folder.keep_for_one(),
        };
        checked.map_err(|error| {
            let path = folder.path().display();
            if error.kind() == ErrorKind::WouldBlock {
                let message = format!(
                    "Another vomeet keeps its sound in {path}; stop it first, or choose another \
                     folder with `spool_folder` in section [transcription] of vomeet.toml."
                );
                return StartupError::new(Code::DatabaseHeld, message);
            }
            let message = format!(
                "Cannot use the folder of sound {path} ({error}); see to that, or choose another \
                 with `spool_folder` in section [transcription] of vomeet.toml."
            );
            StartupError::new(Code::DatabaseUnusable, message)
        })
    }

    /// Sound is heard by these engines; once they are set they stay.
    pub(crate) fn hear_by(&self, engines: Arc<Engines>) {
        self.engines.get_or_init(|| engines);
    }

    /// Whether some engine is configured that makes words of sound.
    pub(crate) fn is_on(&self) -> bool {
        self.engines.get().is_some_and(|engines| engines.is_any())
    }

    /// Whether some engine takes work now.
    pub(crate) fn takes_now(&self) -> bool {
        self.engines.get().is_some_and(|engines| engines.takes_now())
    }

    /// The engines of the server in the order in which they are asked, and how they do.
    pub(crate) fn engine_states(&self) -> Vec<EngineState> {
        self.engines.get().map(|engines| engines.states()).unwrap_or_default()
    }

    /// With how many live meetings the engines keep up; `None` while that is not known.
    pub(crate) fn live_meetings_max(&self) -> Option<u64> {
        let max = self.engines.get()?.live_streams_max()?;
        // The first one is always heard.
        Some(max.max(1) as u64)
    }

    /// Whether the engines keep up with live sound of one more meeting, if it is one more:
    /// [`Error::NoRoomForSound`] where they do not.
    pub(super) fn check_capacity(&self, meeting: MeetingId, source: SoundSource) -> Result<()> {
        let Some(engines) = self.engines.get() else { return Ok(()) };
        if source == SoundSource::Upload {
            return Ok(());
        }
        match why_full(engines, &self.store, meeting)? {
            Some(reason) => Err(self.refuse(Refusal::Capacity, Error::NoRoomForSound { reason })),
            None => Ok(()),
        }
    }

    /// Whether sound of this source may begin: [`Error::NoRoomForSound`] where the spool is full.
    pub(super) fn check_room(&self, source: SoundSource) -> Result<()> {
        let folder = self.spool.folder();
        let full = match source {
            SoundSource::Upload => folder.why_full_for_sent(),
            _ => folder.why_full(),
        };
        self.refuse_where_full(full)
    }

    /// Whether more of a file that a caller sends is taken: [`Error::NoRoomForSound`] where the
    /// spool is full.
    pub(super) fn check_room_for_file(&self) -> Result<()> {
        self.refuse_where_full(self.spool.folder().why_full())
    }

    /// Whether so many bytes more of sound are taken at once: [`Error::NoRoomForSound`] where the
    /// spool would be full with them.
    pub(super) fn check_room_for_more(&self, bytes: u64) -> Result<()> {
        self.refuse_where_full(self.spool.folder().why_full_for(bytes))
    }

    fn refuse_where_full(&self, full: Option<String>) -> Result<()> {
        match full {
            Some(reason) => Err(self.refuse(Refusal::SpoolFull, Error::NoRoomForSound { reason })),
            None => Ok(()),
        }
    }

    /// The meetings that have something in the spool.
    pub(crate) async fn meetings_in_spool(self: &Arc<Self>) -> Result<BTreeSet<MeetingId>> {
        self.blocking(|all| all.spool.look()).await
    }

    /// Tells the source of a sound what was heard in it.
    pub(crate) fn publish(&self, sound: SoundId, news: SoundNews) {
        self.open.publish(sound, news);
    }

    /// Counts sound of a user, in milliseconds: [`Error::SoundLimit`] where it is more than they may
    /// bring today.
    pub(crate) fn count_day(&self, user: UserId, more_ms: u64) -> Result<()> {
        let (max, now) = (self.seconds_per_day_user, self.clock.now());
        let counted = self.days.count(&self.store, user, more_ms, max, now);
        counted.map_err(|error| match error {
            Error::SoundLimit { .. } => self.refuse(Refusal::DayLimit, error),
            error => error,
        })
    }

    /// Counts sound that was heard already and is counted as used, also where it is more than its user may bring today.
    pub(crate) fn note_day(&self, user: UserId, more_ms: u64) {
        self.days.note(user, more_ms, self.clock.now());
    }

    /// Counts that sound is refused; the same error.
    pub(crate) fn refuse(&self, why: Refusal, error: Error) -> Error {
        self.refusals.count(why);
        error
    }

    /// How many sounds come in now.
    pub(crate) fn open_sounds(&self) -> usize {
        self.open.count()
    }

    /// Waits for the end of the sounds that came in, once nobody brings any more. What has not ended
    /// after some seconds is ended at the next start.
    pub(crate) async fn stopped(&self) {
        // Either way the server goes on to its stop.
        let _ = timeout(STOP_TIME_MAX, self.open.none()).await;
    }

    /// The turn of a stream.
    pub(super) async fn turn(&self, meeting: MeetingId, uid: &str) -> MutexGuard<'_, ()> {
        self.turns[turn_of(&(meeting, uid))].lock().await
    }

    /// The turn of whoever writes a part of a meeting's recording: two of them do not mix.
    pub(super) async fn recording_turn(&self, meeting: MeetingId) -> MutexGuard<'_, ()> {
        self.recording_turns[turn_of(&meeting)].lock().await
    }

    /// The metrics.
    pub(crate) fn families(&self) -> Vec<Family> {
        let folder = self.spool.folder();
        let failures = "Syncs of the spool that failed since the start";
        vec![
            Family::gauge("spool_bytes", "Bytes of sound in the spool", folder.bytes()),
            Family::gauge("sounds_open", "Sounds that come in now", self.open_sounds() as u64),
            self.refusals.family(),
            self.dropped.family(),
            Family::counter("spool_sync_failures", failures, folder.sync_failures()),
        ]
        .into_iter()
        .chain(self.counters.families(self.clock.now()))
        .chain(self.engines.get().into_iter().flat_map(|engines| engines.families()))
        .collect()
    }
}

/// Which turn something has.
fn turn_of(what: &impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default()
}
