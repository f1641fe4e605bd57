//! All the SQL: one writer, many readers, one file. Nobody outside this folder names `rusqlite`.
//!
//! Writes are [`Verb`]s sent to the one writer thread, which answers after the commit. Small reads
//! run where the request runs; long reads go to the blocking pool.
//!
//! Each noun has a folder: `read.rs` has its queries, `verbs.rs` its writes.

mod admin_keys;
mod alarms;
mod analytics;
mod audit;
mod backup;
mod beside;
mod columns;
mod compact;
mod connection;
mod corrections;
mod doors;
mod explain;
mod export;
mod failure;
mod file;
mod import;
mod latest_time;
mod look;
mod meetings;
mod monitoring;
mod options;
mod overview;
mod pages;
mod positions;
mod probe;
mod replay;
mod reserve;
mod restore;
mod scrub;
mod segments;
mod sessions;
mod settings_reload;
mod shares;
mod sounds;
mod stop;
mod tokens;
mod types;
mod upgrade;
mod uploads;
mod usage;
mod user_transcription;
mod users;
mod vacuum;
mod verbs;
mod webhooks;
mod windows;
mod withheld;
mod writer;

pub(crate) use admin_keys::verbs::rotated_already;
pub use admin_keys::verbs::{CreateAdminKey, RevokeAdminKey, RotateAdminKey};
pub use alarms::verbs::{ClearAlarm, RaiseAlarm};
pub(crate) use analytics::TelematicsWanted;
pub use analytics::{ListPage, MeetingsWanted};
pub(crate) use audit::read::{AuditPage, Verification};
pub use audit::verbs::PruneAudit;
pub(crate) use backup::checksum::{Checksum, path_of as checksum_path};
pub(crate) use backup::copy::{NewBackup, Written, back_up_resting};
pub(crate) use backup::encrypted::{check, decrypt_to, is_encrypted, is_whole, verify_encrypted};
pub(crate) use backup::header;
pub(crate) use backup::name::{is_encrypted_name, name_of_kind, time_of};
#[cfg(test)]
pub(crate) use backup::name::{name_of, new_partial_name};
pub use backup::note::NoteBackup;
pub(crate) use backup::partial::sweep;
pub(crate) use backup::target::file_in;
pub(crate) use backup::verify::{BackupReport, verify};
pub(crate) use beside::{
    check_folder, create_folder, create_new, is_trusted, open_to_append, open_to_change,
    open_to_read, resolve,
};
pub(crate) use compact::Compacted;
pub use corrections::verbs::{CorrectSegment, RenameSpeaker};
pub use doors::Store;
pub use export::NoteExport;
pub(crate) use file::lock_folder;
pub(crate) use import::check::{DumpRows, Verified};
pub(crate) use import::meetings::PLANNED_STATES;
pub(crate) use import::scratch::{OldMeeting, OldOwner, OldPlanned, OldSegment, OldToken, OldUser};
pub(crate) use import::work::{ImportTerms, Imported, Importing, import_failed};
pub use latest_time::{DoubtedClock, KnownTime, NoteTime};
pub(crate) use look::Looked;
pub(crate) use meetings::advance::Advanced;
pub use meetings::advance::{Advance, MeetingRef};
pub use meetings::planned::{PlanBot, PlannedSettings, RequestPlanned};
pub(crate) use meetings::planned::{PlanEnd, Planned};
pub(crate) use meetings::read::MeetingFilter;
pub use meetings::read::MeetingName;
pub(crate) use meetings::retention::RetentionTarget;
pub(crate) use meetings::search::MeetingSearch;
pub use meetings::verbs::{DeleteMeeting, NoteMeeting, RedactMeeting, TranscriptOf};
pub(crate) use monitoring::Ending;
pub use options::Options;
pub(crate) use pages::Page;
pub use probe::ProbeWrite;
pub use replay::{ReplayMode, replay, replay_with};
pub(crate) use restore::prepare::{Plan, Restore};
pub(crate) use restore::wanted::Wanted;
pub use segments::drafts::SettleDrafts;
pub(crate) use segments::found::{Found, Search};
pub use segments::index::IndexSegments;
pub use segments::older::{HeardSegment, StoreSegments};
pub(crate) use segments::revisions::{RevisionPlace, TranscriptChanges};
pub use segments::verbs::{Accepted, BeginStream, RetractSegments, StoreSegmentBatch};
pub use sessions::bridge::{BeginBridge, Begun};
pub(crate) use sessions::read::BotSettings;
pub use sessions::read::{BotAtWork, MeetingOfSecret};
pub use sessions::verbs::{NoteCleared, NoteContainer, Reconfigure, SendBot};
pub use settings_reload::ReloadSettings;
pub(crate) use shares::read::SHARES_MAX;
pub use shares::verbs::{CreateShare, ForgetShares, RevokeShare};
pub(crate) use sounds::read::{OpenSound, SoundForm};
pub use sounds::recording::{KeepRecording, KeptRecording};
pub use sounds::verbs::{BeginSound, EndSound, EraseSound, ForgetSound, NoteHeard, SoundBegun};
pub(crate) use stop::Stop;
pub(crate) use tokens::chain::Affected;
pub(crate) use tokens::made::MADE_MAX;
pub use tokens::made::MakeToken;
pub(crate) use tokens::read::{KnownToken, TokenPage};
pub use tokens::rotate::RotateToken;
pub(crate) use tokens::rotate::Rotated;
pub(crate) use tokens::search::TokenSearch;
pub use tokens::verbs::{CreateToken, RevokeToken, TouchTokens, UpdateToken};
pub(crate) use upgrade::plan::{Plan as UpgradePlan, plan as plan_upgrade};
pub(crate) use upgrade::replace::{Upgraded, upgrade_resting};
pub(crate) use upgrade::{is_being_upgraded, older_version, upgrade_scratch};
pub use uploads::import::{ImportMeeting, ImportedRow};
pub(crate) use uploads::read::{DueUpload, SecretsMeeting, UploadNeed, UploadProgress};
pub use uploads::verbs::{CreateUpload, EndUpload, StoreUploadWords, UploadedFile};
pub(crate) use usage::read::{UsageFilter, UsagePage};
pub use usage::verbs::{ForgetUsage, WriteUsage};
pub(crate) use user_transcription::read::{OwnEngine, UserTranscription};
pub use user_transcription::verbs::{DeleteUserTranscription, SentEngine, SetUserTranscription};
pub use users::configured::ApplyConfiguredUsers;
pub(crate) use users::configured::{ConfiguredChanges, TokenTaken};
pub use users::read::UserPage;
pub(crate) use users::search::UserSearch;
pub use users::verbs::{BeginErasure, CreateUser, DeleteUser, UpdateUser};
pub use verbs::{DecodedVerb, VERBS, decode};
pub(crate) use webhooks::changes::WEBHOOKS_MAX;
pub use webhooks::changes::{
    CreateWebhook, DeleteWebhook, ForgetEndedSecrets, RotateWebhookSecret, UpdateWebhook,
};
pub use webhooks::read::DeliveryPage;
pub(crate) use webhooks::read::{Capacity, InFlight, WaitingEvent};
pub use webhooks::resend::ResendDelivery;
pub use webhooks::settings::Webhook;
pub use webhooks::verbs::{AttemptEnd, EndAttempt, ForgetDeliveries, GiveUpHeld, SetWebhook};
pub use windows::draft::StoreDraft;
pub(crate) use windows::lag::{Waiting, WaitingMeeting};
pub(crate) use windows::read::{GrowingSound, SoundState, SoundToHear, WaitingWindow};
pub use windows::split::{WindowSegment, WindowWithheld, WindowWord};
pub use windows::store_window::{StoreWindow, WindowDone};
pub use windows::verbs::{CutWindows, GiveUpSound, GiveUpWindow, NewWindow, PutOffWindow};
pub(crate) use withheld::WithheldPlace;
pub(crate) use writer::Moved;
pub use writer::{
    Change, Numbered, Reconfigured, Recorded, RecordedVerb, Recorder, Stored, Verb, WordsLate,
};
