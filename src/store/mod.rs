//! All the SQL: one writer, many readers, one file. Nobody outside this folder names `rusqlite`.
//!
//! Writes are [`Verb`]s sent to the one writer thread, which answers after the commit. Small reads
//! run where the request runs; long reads go to the blocking pool.
//!
//! Each noun has a folder: `read.rs` has its queries, `verbs.rs` its writes.

mod admin_keys;
mod analytics;
mod audit;
mod columns;
mod connection;
mod doors;
mod export;
mod failure;
mod file;
mod meetings;
mod options;
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

pub use admin_keys::read::KnownAdminKey;
pub use admin_keys::verbs::{CreateAdminKey, RevokeAdminKey, RotateAdminKey};
pub use analytics::{ListPage, MeetingsWanted, TelematicsWanted};
pub use audit::audited::Audited;
pub use audit::read::{AuditFault, AuditPage, Verification};
pub use audit::verbs::PruneAudit;
pub use doors::Store;
pub use export::NoteExport;
pub use meetings::advance::{Advance, Advanced, MeetingRef};
pub use meetings::read::{MeetingFilter, MeetingName};
pub use meetings::retention::RetentionTarget;
pub use meetings::verbs::{DeleteMeeting, NoteMeeting, RedactMeeting, TranscriptOf};
pub use options::Options;
pub use pages::Page;
pub use replay::{ReplayMode, replay, replay_with};
pub use segments::found::{Found, Search, SearchPage};
pub use segments::index::IndexSegments;
pub use segments::verbs::{Accepted, StoreSegments};
pub use sessions::read::BotAtWork;
pub use sessions::verbs::{NoteCleared, NoteContainer, Reconfigure, SendBot};
pub use tokens::read::{KnownToken, TokenPage};
pub use tokens::verbs::{CreateToken, RevokeToken, RotateToken, Rotated, TouchTokens, UpdateToken};
pub use usage::read::{UsageFilter, UsagePage};
pub use usage::verbs::{ForgetUsage, WriteUsage};
pub use users::configured::{ApplyConfiguredUsers, ConfiguredChanges, TokenTaken};
pub use users::read::UserPage;
pub use users::verbs::{CreateUser, DeleteUser, UpdateUser};
pub use verbs::{DecodedVerb, VERBS, decode};
pub use webhooks::read::{Capacity, DeliveryPage, Due, InFlight, WaitingEvent};
pub use webhooks::settings::Webhook;
pub use webhooks::verbs::{AttemptEnd, EndAttempt, ForgetDeliveries, SetWebhook};
pub use writer::{
    Change, Moved, Numbered, Recorded, RecordedVerb, Recorder, Stored, Verb, Written,
};
