//! What the health check looks at.

use crate::backups::Backups;
use crate::bots::Supervisor;
use crate::clock::Clock;
use crate::config::Health as Limits;
use crate::store::Store;
use crate::transcription::Transcription;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What the health check looks at.
pub(crate) struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// What runs bots.
    pub bots: Arc<Supervisor>,
    /// Backups by the schedule.
    pub backups: Arc<Backups>,
    /// From sound to words.
    pub transcription: Arc<Transcription>,
    /// The clock.
    pub clock: Clock,
    /// What to warn of.
    pub limits: Limits,
    /// Whether an admin key of the settings is easy to guess; the settings may be read again.
    pub has_weak_key: AtomicBool,
}
