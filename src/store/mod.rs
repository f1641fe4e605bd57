//! All the SQL: one writer, many readers, one file. Nobody outside this folder names `rusqlite`.
//!
//! Writes are [`Verb`]s sent to the one writer thread, which answers after the commit. Small reads
//! run where the request runs; long reads go to the blocking pool.
//!
//! Each noun has a folder: `read.rs` has its queries, `verbs.rs` its writes.

mod admin_keys;
mod analytics;
mod audit;
mod backup;
mod beside;
mod columns;
mod connection;
mod doors;
mod export;
mod failure;
mod file;
mod latest_time;
mod look;
mod meetings;
mod options;
mod overview;
mod pages;
mod positions;
mod replay;
mod reserve;
mod scrub;
mod segments;
mod sessions;
mod tokens;
mod types;
mod upgrade;
mod usage;
mod users;
mod verbs;
mod webhooks;
mod writer;

pub(crate) use admin_keys::verbs::rotated_already;
pub use admin_keys::verbs::{CreateAdminKey, RevokeAdminKey, RotateAdminKey};
pub(crate) use analytics::TelematicsWanted;
pub use analytics::{ListPage, MeetingsWanted};
pub(crate) use audit::read::{AuditPage, Verification};
pub use audit::verbs::PruneAudit;
pub(crate) use backup::copy::{Written, back_up_resting};
pub(crate) use backup::header;
#[cfg(test)]
pub(crate) use backup::name::new_partial_name;
pub(crate) use backup::name::{is_partial, name_of, time_of};
pub use backup::note::NoteBackup;
pub(crate) use backup::target::{file_in, remove_abandoned};
pub(crate) use backup::verify::{BackupReport, Stop, verify};
pub(crate) use beside::{create_folder, is_trusted, resolve};
pub use doors::Store;
pub use export::NoteExport;
pub use latest_time::{DoubtedClock, KnownTime, NoteTime};
pub(crate) use look::Looked;
pub(crate) use meetings::advance::Advanced;
pub use meetings::advance::{Advance, MeetingRef};
pub(crate) use meetings::read::MeetingFilter;
pub use meetings::read::MeetingName;
pub(crate) use meetings::retention::RetentionTarget;
pub(crate) use meetings::search::MeetingSearch;
pub use meetings::verbs::{DeleteMeeting, NoteMeeting, RedactMeeting, TranscriptOf};
pub use options::Options;
pub(crate) use pages::Page;
pub use replay::{ReplayMode, replay, replay_with};
pub use segments::drafts::SettleDrafts;
pub(crate) use segments::found::{Found, Search};
pub use segments::index::IndexSegments;
pub use segments::older::{HeardSegment, StoreSegments};
pub use segments::verbs::{RetractSegments, StoreSegmentBatch};
pub use sessions::read::BotAtWork;
pub use sessions::verbs::{NoteCleared, NoteContainer, Reconfigure, SendBot};
pub(crate) use tokens::chain::Affected;
pub(crate) use tokens::made::MADE_MAX;
pub use tokens::made::MakeToken;
pub(crate) use tokens::read::{KnownToken, TokenPage};
pub use tokens::rotate::RotateToken;
pub(crate) use tokens::rotate::Rotated;
pub(crate) use tokens::search::TokenSearch;
pub use tokens::verbs::{CreateToken, RevokeToken, TouchTokens, UpdateToken};
pub(crate) use usage::read::{UsageFilter, UsagePage};
pub use usage::verbs::{ForgetUsage, WriteUsage};
pub use users::configured::ApplyConfiguredUsers;
pub(crate) use users::configured::{ConfiguredChanges, TokenTaken};
pub use users::read::UserPage;
pub(crate) use users::search::UserSearch;
pub use users::verbs::{BeginErasure, CreateUser, DeleteUser, UpdateUser};
pub use verbs::{DecodedVerb, VERBS, decode};
pub use webhooks::read::DeliveryPage;
pub(crate) use webhooks::read::{Capacity, InFlight, WaitingEvent};
pub use webhooks::resend::ResendDelivery;
pub(crate) use webhooks::settings::Webhook;
pub use webhooks::verbs::{AttemptEnd, EndAttempt, ForgetDeliveries, GiveUpHeld, SetWebhook};
pub(crate) use writer::Moved;
pub use writer::{Change, Numbered, Recorded, RecordedVerb, Recorder, Stored, Verb};
