//! What the dump says, row by row, in a file of its own: nothing that grows with the dump is held
//! in memory, and no key is written anywhere in plain text.

use crate::domain::{Data, Hint, SentTime, Time, TokenHash, WebhookSecret};
use crate::store::import::work::Importing;
use rusqlite::params;

/// Whether an owner is a user or an account of the other installation; they have ids of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldOwner {
    /// A user.
    User,
    /// An account, whose key opens what is the account's.
    Account,
}

impl OldOwner {
    pub(super) fn is_account(self) -> bool {
        self == Self::Account
    }
}

/// A user or an account.
#[derive(Debug)]
pub(crate) struct OldUser {
    /// Which of both.
    pub owner: OldOwner,
    /// The id there.
    pub id: i64,
    /// The address, as it is there; of an account one that is made.
    pub email: String,
    /// Display name.
    pub name: Option<String>,
    /// Address of a picture.
    pub image_url: Option<String>,
    /// How many bots at once.
    pub max_concurrent_bots: i64,
    /// Free-form data, without secrets and webhook.
    pub data: Data,
    /// Where events go.
    pub webhook_url: Option<String>,
    /// What signs them.
    pub webhook_secret: Option<WebhookSecret>,
    /// Whether all their keys were refused.
    pub is_disabled: bool,
    /// When it was made.
    pub created_at: Option<Time>,
}

/// A key, of which only the hash is known from here on.
#[derive(Debug)]
pub(crate) struct OldToken {
    /// Whether it is a user's or an account's.
    pub owner: OldOwner,
    /// Its id there; that of the account for its key.
    pub id: i64,
    /// The user or account.
    pub owner_id: i64,
    /// BLAKE3 of the key as a header carries it.
    pub hash: TokenHash,
    /// Its first characters.
    pub hint: Hint,
    /// What it is for.
    pub name: Option<String>,
    /// Whether it may change nothing.
    pub read_only: bool,
    /// Whether it comes in disabled.
    pub is_disabled: bool,
    /// When it was made.
    pub created_at: Option<Time>,
    /// When it was last used.
    pub last_used_at: Option<Time>,
    /// When it expires.
    pub expires_at: Option<Time>,
}

/// A meeting.
#[derive(Debug)]
pub(crate) struct OldMeeting {
    /// Its id.
    pub id: i64,
    /// Whose it is, where it is a user's.
    pub user_id: Option<i64>,
    /// Whose it is, where it is an account's.
    pub account_id: Option<i64>,
    /// What it was planned as.
    pub planned_id: Option<i64>,
    /// Where it was held.
    pub platform: Option<String>,
    /// The platform's id.
    pub native_meeting_id: Option<String>,
    /// Where it stood.
    pub status: String,
    /// When its bot joins, where that is planned.
    pub join_at: Option<Time>,
    /// What ran the bot.
    pub bot_container_id: Option<String>,
    /// When the bot was let in.
    pub start_time: Option<Time>,
    /// When it was over.
    pub end_time: Option<Time>,
    /// Free-form data, without secrets.
    pub data: Data,
    /// When the bot was asked for.
    pub created_at: Option<Time>,
    /// When it last changed.
    pub updated_at: Option<Time>,
}

/// What was planned: by a calendar, or for the bot of a meeting.
#[derive(Debug)]
pub(crate) struct OldPlanned {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub account_id: Option<i64>,
    /// Where it is held.
    pub platform: Option<String>,
    /// The platform's id.
    pub native_meeting_id: Option<String>,
    /// The address that people open.
    pub url: Option<String>,
    /// Whether it is still to come.
    pub is_to_come: bool,
}

/// What somebody said.
#[derive(Debug)]
pub(crate) struct OldSegment<'a> {
    /// In which meeting.
    pub meeting_id: i64,
    /// In which session.
    pub uid: Option<&'a str>,
    /// When it began.
    pub start: SentTime,
    /// When it ended.
    pub end: SentTime,
    /// The words.
    pub text: &'a str,
    /// Who spoke.
    pub speaker: Option<&'a str>,
    /// In which language.
    pub language: Option<&'a str>,
    /// When it was stored.
    pub created_at: Option<Time>,
    /// Its name in the meeting.
    pub segment_id: Option<&'a str>,
    /// The id of its row.
    pub row_id: i64,
}

/// A time in two columns: the milliseconds, and whether they count from 1970.
fn columns(time: SentTime) -> (i64, bool) {
    match time {
        SentTime::Offset(millis) => (millis, false),
        SentTime::Clock(time) => (time.as_millis(), true),
    }
}

/// The time that [`columns`] made two columns of.
pub(super) fn time_of(millis: i64, is_clock: bool) -> SentTime {
    match is_clock {
        false => SentTime::Offset(millis),
        true => SentTime::Clock(Time::from_millis(millis)),
    }
}

impl Importing {
    /// Keeps a user or an account.
    pub(crate) fn put_user(&self, user: &OldUser) -> rusqlite::Result<()> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO old.users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        put.execute(params![
            user.owner.is_account(),
            user.id,
            user.email,
            user.name,
            user.image_url,
            user.max_concurrent_bots,
            user.data,
            user.webhook_url,
            user.webhook_secret,
            user.is_disabled,
            user.created_at
        ])
        .map(drop)
    }

    /// Keeps a key.
    pub(crate) fn put_token(&self, token: &OldToken) -> rusqlite::Result<()> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO old.tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        put.execute(params![
            token.owner.is_account(),
            token.id,
            token.owner_id,
            token.hash,
            token.hint,
            token.name,
            token.read_only,
            token.is_disabled,
            token.created_at,
            token.last_used_at,
            token.expires_at
        ])
        .map(drop)
    }

    /// Keeps a webhook of a user.
    pub(crate) fn put_webhook(
        &self,
        id: i64,
        user_id: i64,
        url: &str,
        secret: Option<&WebhookSecret>,
    ) -> rusqlite::Result<()> {
        let mut put = self.db.prepare_cached("INSERT INTO old.webhooks VALUES (?1, ?2, ?3, ?4)")?;
        put.execute(params![id, user_id, url, secret]).map(drop)
    }

    /// Keeps a meeting.
    pub(crate) fn put_meeting(&self, meeting: &OldMeeting) -> rusqlite::Result<()> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO old.meetings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        put.execute(params![
            meeting.id,
            meeting.user_id,
            meeting.account_id,
            meeting.planned_id,
            meeting.platform,
            meeting.native_meeting_id,
            meeting.status,
            meeting.join_at,
            meeting.bot_container_id,
            meeting.start_time,
            meeting.end_time,
            meeting.data,
            meeting.created_at,
            meeting.updated_at
        ])
        .map(drop)
    }

    /// Keeps what was planned.
    pub(crate) fn put_planned(&self, planned: &OldPlanned) -> rusqlite::Result<()> {
        let mut put =
            self.db.prepare_cached("INSERT INTO old.planned VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        put.execute(params![
            planned.id,
            planned.account_id,
            planned.platform,
            planned.native_meeting_id,
            planned.url,
            planned.is_to_come
        ])
        .map(drop)
    }

    /// Keeps a session of a meeting; what is said first of one is true.
    pub(crate) fn put_session(
        &self,
        meeting_id: i64,
        uid: &str,
        started_at: Option<Time>,
    ) -> rusqlite::Result<()> {
        let mut put =
            self.db.prepare_cached("INSERT OR IGNORE INTO old.sessions VALUES (?1, ?2, ?3)")?;
        put.execute(params![meeting_id, uid, started_at]).map(drop)
    }

    /// Keeps a segment.
    pub(crate) fn put_segment(&self, segment: &OldSegment<'_>) -> rusqlite::Result<()> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO old.segments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        let (start, is_start_clock) = columns(segment.start);
        let (end, is_end_clock) = columns(segment.end);
        put.execute(params![
            segment.meeting_id,
            segment.uid,
            start,
            is_start_clock,
            end,
            is_end_clock,
            segment.text,
            segment.speaker,
            segment.language,
            segment.created_at,
            segment.segment_id,
            segment.row_id
        ])
        .map(drop)
    }
}
