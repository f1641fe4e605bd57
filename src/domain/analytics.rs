//! What an operator is told about meetings and their owners. All durations are in seconds.

use crate::domain::data::Data;
use crate::domain::email::Email;
use crate::domain::id::{MeetingId, SessionId, UserId};
use crate::domain::meeting::{Meeting, MeetingStatus, StoredPlatform, StoredStatus};
use crate::domain::time::Time;
use crate::domain::token::Token;
use crate::domain::user::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user without what is attached to them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserSummary {
    /// The user's id.
    pub id: UserId,
    /// The address as it was written at creation.
    #[schema(value_type = String, format = "email", example = "user@example.com")]
    pub email: Email,
    /// Display name.
    #[schema(required, example = "John Doe")]
    pub name: Option<String>,
    /// Address of a picture.
    #[schema(required)]
    pub image_url: Option<String>,
    /// How many bots may be in meetings at once; 0 means none.
    #[schema(minimum = 0, example = 2)]
    pub max_concurrent_bots: i64,
    /// When the user was created.
    pub created_at: Time,
}

/// A meeting without what is noted about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MeetingSummary {
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
    /// When the bot was asked for.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// A meeting and whose it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MeetingWithUser {
    /// The meeting.
    #[serde(flatten)]
    pub meeting: Meeting,
    /// Its owner.
    pub user: User,
}

/// A page of all meetings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MeetingsWithUsers {
    /// How many meetings there are in all.
    #[schema(minimum = 0, example = 1)]
    pub total: i64,
    /// The page, newest first.
    pub items: Vec<MeetingWithUser>,
}

/// A bot's session in a meeting.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// Its meeting.
    pub meeting_id: MeetingId,
    /// The name by which segments carry it.
    pub session_uid: String,
    /// Since when segments count.
    pub session_start_time: Time,
}

/// What was said in a meeting, in figures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TranscriptionStats {
    /// How many segments there are.
    #[schema(minimum = 0, example = 120)]
    pub total_transcriptions: i64,
    /// How long they are together.
    #[schema(minimum = 0, example = 1200.5)]
    pub total_duration: f64,
    /// How many different speakers are named in them.
    #[schema(minimum = 0, example = 3)]
    pub unique_speakers: i64,
    /// Their languages, in the order in which they were first heard.
    #[schema(example = json!(["en", "de"]))]
    pub languages_detected: Vec<String>,
}

/// How long the parts of a meeting took; null where that cannot be known (yet).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Performance {
    /// From the request to when the bot stood at the meeting's door, or inside where nobody had to
    /// open.
    #[schema(required, minimum = 0, example = 12.5)]
    pub join_time: Option<f64>,
    /// From there to when it was let in, where it had to wait.
    #[schema(required, minimum = 0, example = 4.25)]
    pub admission_time: Option<f64>,
    /// From when it was let in to the end of the meeting.
    #[schema(required, minimum = 0, example = 1800.0)]
    pub total_duration: Option<f64>,
    /// From the bot's first report to the end of the meeting.
    #[schema(required, minimum = 0, example = 1816.75)]
    pub bot_uptime: Option<f64>,
}

/// All that is known of one meeting.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Telematics {
    /// The meeting.
    pub meeting: Meeting,
    /// The sessions of its bot, if they were asked for.
    pub sessions: Vec<Session>,
    /// What was said, if that was asked for.
    #[schema(required)]
    pub transcription_stats: Option<TranscriptionStats>,
    /// How long everything took; null before the bot has been seen.
    #[schema(required)]
    pub performance_metrics: Option<Performance>,
}

/// A user's meetings in figures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MeetingStats {
    /// How many there are.
    #[schema(minimum = 0, example = 10)]
    pub total_meetings: i64,
    /// How many of them are over, as intended.
    #[schema(minimum = 0, example = 8)]
    pub completed_meetings: i64,
    /// How many of them are over by a fault.
    #[schema(minimum = 0, example = 1)]
    pub failed_meetings: i64,
    /// How many of them are not over.
    #[schema(minimum = 0, example = 1)]
    pub active_meetings: i64,
    /// How long they lasted together, from when the bot was let in to the end.
    #[schema(minimum = 0, example = 7200.0)]
    pub total_duration: f64,
    /// How long they lasted on average; null where none has lasted.
    #[schema(required, minimum = 0, example = 900.0)]
    pub average_duration: Option<f64>,
}

/// When and where a user holds meetings.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UsagePatterns {
    /// Where most of them are held; of two with as many, the one that was used last.
    #[schema(required)]
    pub most_used_platform: Option<StoredPlatform>,
    /// Meetings a day, over the days (UTC) from the first meeting's to the last one's, both
    /// counted; 0 without meetings.
    #[schema(minimum = 0, example = 1.5)]
    pub meetings_per_day: f64,
    /// The up to three hours of the day (UTC) in which most of them were asked for, most first.
    #[schema(example = json!([9, 14]))]
    pub peak_usage_hours: Vec<i64>,
    /// When one of them last changed.
    #[schema(required)]
    pub last_activity: Option<Time>,
}

/// All that is known of one user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UserAnalytics {
    /// The user.
    pub user: User,
    /// Their meetings in figures.
    pub meeting_stats: MeetingStats,
    /// When and where they hold them.
    pub usage_patterns: UsagePatterns,
    /// Their tokens without the secrets, if they were asked for.
    #[schema(required)]
    pub api_tokens: Option<Vec<Token>>,
}

/// An entry of `status_transition` in a meeting's data, as far as it is needed here.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Reached {
    to: MeetingStatus,
    timestamp: Time,
}

impl Performance {
    /// What the steps of a meeting's life say; `None` where they say nothing.
    pub fn of(meeting: &Meeting) -> Option<Self> {
        let steps = steps(&meeting.data);
        let first = |states: &[MeetingStatus]| {
            steps.iter().find(|step| states.contains(&step.to)).map(|step| step.timestamp)
        };
        let (joining, waiting, active) =
            (MeetingStatus::Joining, MeetingStatus::AwaitingAdmission, MeetingStatus::Active);
        let seen = first(&[joining, waiting, active]);
        let door = first(&[waiting, active]);
        // A bot that was planned was asked for at its time.
        let requested_at = first(&[MeetingStatus::Requested]).unwrap_or(meeting.created_at);
        let metrics = Self {
            join_time: between(Some(requested_at), door),
            admission_time: between(first(&[waiting]), first(&[active])),
            total_duration: between(meeting.start_time, meeting.end_time),
            bot_uptime: between(seen, meeting.end_time),
        };
        let Self { join_time, admission_time, total_duration, bot_uptime } = metrics;
        [join_time, admission_time, total_duration, bot_uptime]
            .iter()
            .any(Option::is_some)
            .then_some(metrics)
    }
}

fn steps(data: &Data) -> Vec<Reached> {
    let members = data.members();
    members
        .get("status_transition")
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// Seconds from one instant to another, where both are known; a clock that was set back makes them
/// 0.
fn between(from: Option<Time>, to: Option<Time>) -> Option<f64> {
    Some(seconds((to?.as_millis() - from?.as_millis()).max(0)))
}

/// Milliseconds in seconds.
#[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
pub(crate) fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// So many things on so many days, a day.
#[expect(clippy::cast_precision_loss, reason = "counts of rows and of days are far below 2^53")]
pub(crate) fn per_day(count: i64, days: i64) -> f64 {
    if days > 0 { count as f64 / days as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: i64 = 1_760_097_600_000;

    /// A meeting that reached these states so many milliseconds after it was asked for.
    fn meeting(steps: &[(&str, i64)]) -> Meeting {
        let at = |millis: i64| Time::from_millis(ASKED + millis);
        let when = |word: &[&str]| {
            steps.iter().find(|(to, _)| word.contains(to)).map(|(_, millis)| at(*millis))
        };
        let entry = |(to, millis): &(&str, i64)| serde_json::json!({"from": "requested", "to": to, "timestamp": at(*millis)});
        let entries: Vec<_> = steps.iter().map(entry).collect();
        let status = steps
            .last()
            .and_then(|(to, _)| MeetingStatus::from_word(to))
            .unwrap_or(MeetingStatus::Requested);
        Meeting {
            id: MeetingId(1),
            user_id: UserId(1),
            platform: crate::domain::Platform::GoogleMeet.into(),
            native_meeting_id: None,
            constructed_meeting_url: None,
            status: status.into(),
            bot_container_id: None,
            start_time: when(&["active"]),
            end_time: when(&["completed", "failed"]),
            data: Data::default().with("status_transition", Some(&entries)),
            created_at: at(0),
            updated_at: at(0),
        }
    }

    type Row = (&'static [(&'static str, i64)], Option<[Option<f64>; 4]>);

    #[test]
    fn times_are_those_of_the_steps() {
        #[rustfmt::skip]
        let rows: &[Row] = &[
            (&[], None),
            (&[("failed", 900)], None),
            (&[("stopping", 900), ("completed", 1000)], None),
            (&[("joining", 500)], None),
            (&[("joining", 500), ("failed", 2000)], Some([None, None, None, Some(1.5)])),
            (&[("joining", 500), ("awaiting_admission", 2250)], Some([Some(2.25), None, None, None])),
            (&[("joining", 500), ("awaiting_admission", 2000), ("active", 5000)], Some([Some(2.0), Some(3.0), None, None])),
            (&[("active", 4000)], Some([Some(4.0), None, None, None])),
            (&[("joining", 500), ("active", 4000), ("stopping", 9000), ("completed", 10_001)], Some([Some(4.0), None, Some(6.001), Some(9.501)])),
            (&[("joining", 500), ("awaiting_admission", 1000), ("failed", 4000)], Some([Some(1.0), None, None, Some(3.5)])),
            (&[("active", -4000), ("completed", -5000)], Some([Some(0.0), None, Some(0.0), Some(0.0)])),
        ];
        for (steps, expected) in rows {
            let found = Performance::of(&meeting(steps));
            let found =
                found.map(|m| [m.join_time, m.admission_time, m.total_duration, m.bot_uptime]);
            assert_eq!(found, *expected, "{steps:?}");
        }
    }

    #[test]
    fn data_of_another_form_says_nothing() {
        for text in
            ["{}", r#"{"status_transition":7}"#, r#"{"status_transition":[{"to":"elsewhere"}]}"#]
        {
            let data = Data::stored(text.to_owned());
            assert_eq!(Performance::of(&Meeting { data, ..meeting(&[]) }), None, "{text}");
        }
    }

    #[test]
    fn meetings_a_day() {
        for (count, days, expected) in [(0, 0, 0.0), (1, 1, 1.0), (3, 2, 1.5), (1, 4, 0.25)] {
            assert!(
                (per_day(count, days) - expected).abs() < f64::EPSILON,
                "{count} in {days} days"
            );
        }
    }
}
