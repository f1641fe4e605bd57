//! What an administrator sees of the whole server at one glance.

use crate::domain::day::Day;
use crate::domain::time::Time;
use crate::domain::usage::UsageLine;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many days of usage are shown, today included.
pub(crate) const DAYS: i64 = 30;
/// Within how many days keys end that are named.
pub(crate) const ENDING_DAYS: i64 = 7;

/// The bots of all users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BotCounts {
    /// Bots that run on the server, those that are leaving too.
    #[schema(minimum = 0, example = 3)]
    pub running: u64,
    /// Meetings that wait for the first report of their bot.
    #[schema(minimum = 0, example = 0)]
    pub requested: i64,
    /// Meetings whose bot is on its way.
    #[schema(minimum = 0, example = 1)]
    pub joining: i64,
    /// Meetings whose bot waits to be let in.
    #[schema(minimum = 0, example = 0)]
    pub awaiting_admission: i64,
    /// Meetings whose bot listens.
    #[schema(minimum = 0, example = 2)]
    pub active: i64,
    /// Meetings whose bot was told to leave.
    #[schema(minimum = 0, example = 0)]
    pub stopping: i64,
}

/// Events that wait for their receivers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitingEvents {
    /// How many; no more than 1000 are counted.
    #[schema(minimum = 0, example = 0)]
    pub waiting: i64,
    /// When the oldest of those happened; null where none waits.
    #[schema(required)]
    pub oldest_at: Option<Time>,
}

/// The disk of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DiskSpace {
    /// What is free for the server's user, in bytes.
    pub free_bytes: u64,
    /// All of it, in bytes.
    pub total_bytes: u64,
}

/// The files of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DatabaseSize {
    /// The database, in bytes.
    pub bytes: u64,
    /// Its WAL, in bytes.
    pub wal_bytes: u64,
}

/// The meetings that bots were asked for today (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MeetingsToday {
    /// All of them.
    #[schema(minimum = 0, example = 12)]
    pub total: i64,
    /// Those that are over, as intended.
    #[schema(minimum = 0, example = 7)]
    pub completed: i64,
    /// Those that are over by a fault.
    #[schema(minimum = 0, example = 1)]
    pub failed: i64,
    /// Those that are not over.
    #[schema(minimum = 0, example = 4)]
    pub open: i64,
}

/// Keys that are accepted now and end soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct EndingSoon {
    /// Within how many days.
    #[schema(example = 7)]
    pub days: i64,
    /// How many tokens, by their end or by disuse.
    #[schema(minimum = 0, example = 3)]
    pub tokens: i64,
    /// How many named admin keys.
    #[schema(minimum = 0, example = 1)]
    pub admin_keys: i64,
}

/// What is counted for an overview by reading the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableCounts {
    /// Users, without those who are being erased.
    pub users: i64,
    /// Those of them who are disabled.
    pub users_disabled: i64,
    /// Tokens.
    pub tokens: i64,
    /// The meetings of today.
    pub meetings_today: MeetingsToday,
    /// The keys that end soon.
    pub ending_soon: EndingSoon,
}

/// What is counted now and then, because it takes long.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Counted {
    /// When it was counted.
    pub at: Time,
    /// How many users there are.
    #[schema(minimum = 0, example = 100)]
    pub users: i64,
    /// How many of them are disabled.
    #[schema(minimum = 0, example = 2)]
    pub users_disabled: i64,
    /// How many tokens there are.
    #[schema(minimum = 0, example = 120)]
    pub tokens: i64,
    /// The meetings of today.
    pub meetings_today: MeetingsToday,
    /// The keys that end soon.
    pub ending_soon: EndingSoon,
    /// The usage of the last 30 days, a line for each, oldest first.
    pub days: Vec<UsageLine>,
}

impl Counted {
    /// The counts at this time, and a line for each of the last [`DAYS`] days, whether anything was
    /// used on it or not.
    pub(crate) fn new(at: Time, counts: TableCounts, usage: Vec<UsageLine>) -> Self {
        let TableCounts { users, users_disabled, tokens, meetings_today, ending_soon } = counts;
        let mut by_day = BTreeMap::new();
        for line in usage {
            if let Some(day) = line.day {
                by_day.insert(day, line);
            }
        }
        let first = first_day(at);
        let mut days = Vec::new();
        for number in 0..DAYS {
            let day = first.plus(number);
            days.push(by_day.remove(&day).unwrap_or_else(|| UsageLine::unused(day)));
        }
        Self { at, users, users_disabled, tokens, meetings_today, ending_soon, days }
    }
}

/// How long the usage of past days is not counted anew, in seconds.
const PAST_SECONDS: i64 = 3600;

/// The usage of the past days that an overview shows: of those that ended more than a day ago, so
/// that all of it is written.
#[derive(Debug, Clone)]
pub(crate) struct PastUsage {
    /// When it was counted.
    pub counted_at: Time,
    /// The last of the days.
    pub to: Day,
    /// A line for each day with usage.
    pub lines: Vec<UsageLine>,
}

impl PastUsage {
    /// Whether it may be shown at this time: users may be gone since it was counted.
    pub(crate) fn holds_at(&self, now: Time) -> bool {
        let end = self.counted_at.plus_seconds(PAST_SECONDS);
        self.to == last_past_day(now) && self.counted_at <= now && now < end
    }
}

/// The day before yesterday.
pub(crate) fn last_past_day(now: Time) -> Day {
    Day::of(now).plus(-2)
}

/// The first of the days that an overview shows.
pub(crate) fn first_day(now: Time) -> Day {
    Day::of(now).plus(1 - DAYS)
}

/// Something that an administrator should look after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Warning {
    /// A word for programs.
    #[schema(example = "disk_low")]
    pub code: &'static str,
    /// What it is and what to do, in a sentence or two.
    pub text: String,
}
