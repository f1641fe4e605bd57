//! The table of verbs: the number of each, for ever, and how a recorded verb comes back.
//!
//! A verb is recorded as JSON with the names of its fields, so a field can be added. JSON, because
//! verbs carry members that are JSON themselves and must come back to the letter, which no binary
//! format keeps; its bytes (hashes and salts) are lists of numbers and come back exactly as well.

use crate::error::{Error, Result};
use crate::store::admin_keys::verbs::{CreateAdminKey, RevokeAdminKey, RotateAdminKey};
use crate::store::alarms::verbs::{ClearAlarm, RaiseAlarm};
use crate::store::audit::audited::{Audited, AuditedVerb};
use crate::store::audit::verbs::PruneAudit;
use crate::store::backup::note::NoteBackup;
use crate::store::corrections::verbs::{CorrectSegment, RenameSpeaker};
use crate::store::export::NoteExport;
use crate::store::latest_time::NoteTime;
use crate::store::meetings::advance::Advance;
use crate::store::meetings::planned::{PlanBot, RequestPlanned};
use crate::store::meetings::verbs::{DeleteMeeting, DeleteSegments, NoteMeeting, RedactMeeting};
use crate::store::probe::ProbeWrite;
use crate::store::scrub::{MendIndex, NoteErased, WipePages};
use crate::store::segments::drafts::SettleDrafts;
use crate::store::segments::index::IndexSegments;
use crate::store::segments::older::StoreSegments;
use crate::store::segments::verbs::{BeginStream, RetractSegments, StoreSegmentBatch};
use crate::store::sessions::bridge::BeginBridge;
use crate::store::sessions::verbs::{NoteCleared, NoteContainer, Reconfigure, SendBot};
use crate::store::settings_reload::ReloadSettings;
use crate::store::shares::verbs::{CreateShare, ForgetShares, RevokeShare};
use crate::store::sounds::recording::KeepRecording;
use crate::store::sounds::verbs::{BeginSound, EndSound, EraseSound, ForgetSound, NoteHeard};
use crate::store::tokens::made::MakeToken;
use crate::store::tokens::rotate::RotateToken;
use crate::store::tokens::verbs::{CreateToken, RevokeToken, TouchTokens, UpdateToken};
use crate::store::uploads::import::ImportMeeting;
use crate::store::uploads::verbs::{CreateUpload, EndUpload, StoreUploadWords};
use crate::store::usage::verbs::{ForgetUsage, WriteUsage};
use crate::store::user_transcription::verbs::{DeleteUserTranscription, SetUserTranscription};
use crate::store::users::configured::ApplyConfiguredUsers;
use crate::store::users::verbs::{BeginErasure, CreateUser, DeleteUser, UpdateUser};
use crate::store::webhooks::changes::{
    CreateWebhook, DeleteWebhook, ForgetEndedSecrets, RotateWebhookSecret, UpdateWebhook,
};
use crate::store::webhooks::resend::ResendDelivery;
use crate::store::webhooks::verbs::{EndAttempt, ForgetDeliveries, GiveUpHeld, SetWebhook};
use crate::store::windows::draft::StoreDraft;
use crate::store::windows::store_window::StoreWindow;
use crate::store::windows::verbs::{CutWindows, GiveUpSound, GiveUpWindow, PutOffWindow};
use crate::store::writer::job::{Job, Pending};
use crate::store::writer::record::RecordedVerb;
use crate::store::writer::verb::{Numbered, Verb};

/// The table: kind, number, verb. The kinds are the functions below that bring a verb back.
macro_rules! verbs {
    ($($kind:ident $number:literal $verb:ident,)*) => {
        $(impl Numbered for $verb {
            const NUMBER: u16 = $number;
            const NAME: &'static str = stringify!($verb);
        })*

        /// The number, the name and the kind of every verb.
        pub const VERBS: &[(u16, &str, &str)] = &[$(($number, stringify!($verb), stringify!($kind))),*];

        /// The verb that was recorded, ready to be applied.
        pub fn decode(recorded: &RecordedVerb<'_>) -> Result<DecodedVerb> {
            match recorded.number {
                $($number => $kind::<$verb>(recorded),)*
                number => Err(Error::Internal(format!("no verb has number {number}"))),
            }
        }
    };
}

// A number is never used for another verb, not even when its verb is gone, and a verb never changes
// its meaning: what was recorded once must do the same for ever. A new verb takes the next number;
// a new field of a verb that is here takes `#[serde(default)]`.
//
// `audited` verbs may come with their actor, `plain` ones never do. `local` ones concern this file
// alone (its pages, its log) and no row that others would see: they are not replicated.
verbs! {
    audited 1 CreateUser,
    audited 2 UpdateUser,
    audited 3 DeleteUser,
    audited 4 NoteExport,
    plain   5 ApplyConfiguredUsers,
    audited 6 CreateToken,
    audited 7 UpdateToken,
    audited 8 RotateToken,
    audited 9 RevokeToken,
    plain   10 TouchTokens,
    audited 11 CreateAdminKey,
    audited 12 RotateAdminKey,
    audited 13 RevokeAdminKey,
    plain   14 PruneAudit,
    plain   15 SendBot,
    plain   16 NoteContainer,
    plain   17 Reconfigure,
    plain   18 NoteCleared,
    audited 19 Advance,
    plain   20 NoteMeeting,
    plain   21 DeleteSegments,
    plain   22 RedactMeeting,
    plain   23 DeleteMeeting,
    plain   24 StoreSegments,
    plain   25 IndexSegments,
    plain   26 WriteUsage,
    plain   27 ForgetUsage,
    plain   28 SetWebhook,
    plain   29 EndAttempt,
    plain   30 ForgetDeliveries,
    local   31 NoteErased,
    local   32 MendIndex,
    local   33 WipePages,
    plain   40 GiveUpHeld,
    plain   50 StoreSegmentBatch,
    plain   51 RetractSegments,
    plain   52 SettleDrafts,
    audited 57 BeginErasure,
    plain   58 NoteTime,
    local   59 ProbeWrite,
    audited 60 NoteBackup,
    audited 70 MakeToken,
    audited 71 ResendDelivery,
    plain   72 ReloadSettings,
    plain   80 BeginStream,
    audited 90 CreateShare,
    audited 91 RevokeShare,
    plain   92 ForgetShares,
    plain   100 CreateWebhook,
    plain   101 UpdateWebhook,
    audited 102 DeleteWebhook,
    plain   103 RotateWebhookSecret,
    plain   104 ForgetEndedSecrets,
    plain   110 PlanBot,
    plain   111 RequestPlanned,
    plain   120 BeginSound,
    plain   121 NoteHeard,
    plain   122 EndSound,
    plain   123 ForgetSound,
    plain   124 EraseSound,
    plain   125 KeepRecording,
    plain   130 CutWindows,
    plain   131 StoreWindow,
    plain   132 PutOffWindow,
    plain   133 GiveUpWindow,
    plain   134 GiveUpSound,
    plain   135 StoreDraft,
    plain   140 BeginBridge,
    plain   150 SetUserTranscription,
    plain   151 DeleteUserTranscription,
    plain   160 CreateUpload,
    plain   161 EndUpload,
    plain   162 StoreUploadWords,
    plain   163 ImportMeeting,
    audited 170 CorrectSegment,
    audited 171 RenameSpeaker,
    plain   172 RaiseAlarm,
    plain   173 ClearAlarm,
}

/// A verb that came back.
pub struct DecodedVerb {
    pub(crate) job: Box<dyn Job>,
    pub(crate) is_local: bool,
}

impl DecodedVerb {
    /// A replicated verb from what was recorded of it.
    pub fn of<V: Verb>(recorded: &RecordedVerb<'_>) -> Result<Self> {
        let verb: V = serde_json::from_str(recorded.verb.get())
            .map_err(|error| Error::Internal(format!("{} does not come back: {error}", V::NAME)))?;
        // Nobody waits for its answer.
        let (reply, _) = tokio::sync::oneshot::channel();
        let job = Box::new(Pending { verb, outcome: None, reply });
        Ok(Self { job, is_local: false })
    }
}

fn plain<V: Verb>(recorded: &RecordedVerb<'_>) -> Result<DecodedVerb> {
    if recorded.is_audited {
        return Err(Error::Internal(format!("{} has no entry in the audit log", V::NAME)));
    }
    DecodedVerb::of::<V>(recorded)
}

fn audited<V: Audited>(recorded: &RecordedVerb<'_>) -> Result<DecodedVerb> {
    if recorded.is_audited {
        DecodedVerb::of::<AuditedVerb<V>>(recorded)
    } else {
        plain::<V>(recorded)
    }
}

fn local<V: Verb>(recorded: &RecordedVerb<'_>) -> Result<DecodedVerb> {
    let decoded = plain::<V>(recorded)?;
    Ok(DecodedVerb { is_local: true, ..decoded })
}
