//! Meetings: where bots go.

use crate::domain::data::Data;
use crate::domain::id::{MeetingId, UserId};
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use crate::domain::word::Word;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

string_enum!(
    /// Where a meeting is held.
    Platform {
        /// Google Meet.
        GoogleMeet = "google_meet",
        /// Microsoft Teams.
        Teams = "teams",
        /// Zoom.
        Zoom = "zoom",
        /// Jitsi, on a host that `bots.hosts` names.
        Jitsi = "jitsi",
        /// A page of a host that `bots.hosts` names.
        Generic = "generic",
    }
);

string_enum!(
    /// Where a meeting stands.
    MeetingStatus {
        /// A bot is planned for its time.
        Scheduled = "scheduled",
        /// A bot was asked for.
        Requested = "requested",
        /// The bot is on its way.
        Joining = "joining",
        /// The bot waits to be let in.
        AwaitingAdmission = "awaiting_admission",
        /// The bot listens.
        Active = "active",
        /// The bot was told to leave.
        Stopping = "stopping",
        /// Over, as intended.
        Completed = "completed",
        /// Over, by a fault.
        Failed = "failed",
    }
);

/// A platform as the file has it.
pub(crate) type StoredPlatform = Word<Platform>;
/// A status as the file has it.
pub(crate) type StoredStatus = Word<MeetingStatus>;

/// A meeting as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Meeting {
    /// The meeting's id.
    pub id: MeetingId,
    /// Whose meeting it is.
    pub user_id: UserId,
    /// Where it is held.
    pub platform: StoredPlatform,
    /// The platform's own id; null once personal data was removed.
    #[schema(required, example = "abc-defg-hij")]
    pub native_meeting_id: Option<String>,
    /// The address that people open.
    #[schema(required)]
    pub constructed_meeting_url: Option<String>,
    /// Where it stands.
    pub status: StoredStatus,
    /// What runs the bot.
    #[schema(required)]
    pub bot_container_id: Option<String>,
    /// When the bot was let in.
    #[schema(required)]
    pub start_time: Option<Time>,
    /// When it was over.
    #[schema(required)]
    pub end_time: Option<Time>,
    /// Name, participants, languages, notes, and how its states followed each other.
    pub data: Data,
    /// When the bot was asked for.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}
