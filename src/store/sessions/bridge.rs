//! Meetings without a bot: a bridge sends the sound of each participant.

use crate::domain::{
    MeetingId, MeetingStatus, Platform, StatusReport, Time, TokenId, TransitionSource, UserId, Word,
};
use crate::error::{Error, Result};
use crate::store::doors::Store;
use crate::store::meetings::advance::{Advance, Advanced, MeetingRef};
use crate::store::meetings::states::{OPEN, SEATED};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// The condition that no bot is in a meeting `m`, but a bridge sends its sound. Jitsi's alone do.
macro_rules! is_bridged {
    () => {
        "(m.platform = 'jitsi' AND EXISTS
           (SELECT 1 FROM sessions b WHERE b.meeting_id = m.id AND b.bridge IS NOT NULL))"
    };
}
pub(crate) use is_bridged;

/// Begins a meeting of a bridge, or finds the one that goes on.
#[derive(Debug, Serialize, Deserialize)]
pub struct BeginBridge {
    /// Whose meeting it is.
    pub user_id: UserId,
    /// The API token by which the bridge comes.
    pub token_id: TokenId,
    /// The room: `room@host`.
    pub native_meeting_id: String,
    /// What the bridge calls the meeting.
    pub bridge: String,
    /// The name of a new session, which nobody is told: a UUID v4.
    pub uid: String,
    /// The time of the change.
    pub now: Time,
}

/// A meeting of a bridge.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Which meeting.
    pub meeting_id: MeetingId,
    /// How it began; `None` where it went on already.
    pub advanced: Option<Advanced>,
}

impl Verb for BeginBridge {
    type Answer = Begun;

    /// [`Error::UserNotFound`], or [`Error::MeetingTaken`] where a bot of the user's is in the room.
    fn apply(&self, db: &Connection) -> Result<Begun> {
        let mut user =
            db.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND erasing_at IS NULL")?;
        if !user.exists([self.user_id])? {
            return Err(Error::UserNotFound);
        }
        let mut find = db.prepare_cached(&format!(
            "SELECT m.id, {} FROM meetings m
             WHERE user_id = ?1 AND platform = 'jitsi' AND native_meeting_id = ?2 AND status IN {}",
            is_bridged!(),
            *SEATED
        ))?;
        let found = find.query_row(params![self.user_id, self.native_meeting_id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        match found.optional()? {
            Some((meeting_id, true)) => return Ok(Begun { meeting_id, advanced: None }),
            Some((_, false)) => return Err(Error::MeetingTaken),
            None => {}
        }
        let meeting_id = self.insert(db)?;
        let begin = Advance {
            meeting_ref: MeetingRef::Meeting(meeting_id),
            report: StatusReport::new(MeetingStatus::Active, TransitionSource::Bot),
            container_id: None,
            now: self.now,
        };
        Ok(Begun { meeting_id, advanced: begin.apply(db)? })
    }

    fn change(&self, begun: &Begun) -> Option<Change> {
        Change::of_step(begun.advanced.as_ref()?)
    }
}

impl BeginBridge {
    fn insert(&self, db: &Connection) -> Result<MeetingId> {
        let mut meeting = db.prepare_cached(
            "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, '{}', ?5, ?5)",
        )?;
        let status = MeetingStatus::Requested;
        let (platform, room) = (Platform::Jitsi, &self.native_meeting_id);
        meeting.execute(params![self.user_id, platform, room, status, self.now])?;
        let id = MeetingId(db.last_insert_rowid());
        let mut session = db.prepare_cached(
            "INSERT INTO sessions (meeting_id, uid, bot_name, started_at, token_id, bridge)
             VALUES (?1, ?2, '', ?3, ?4, ?5)",
        )?;
        session.execute(params![id, self.uid, self.now, self.token_id, self.bridge])?;
        Ok(id)
    }
}

impl Store {
    /// The meetings of bridges that are not over, and where each stands; a long read.
    pub(crate) async fn open_bridges(&self) -> Result<Vec<(MeetingId, Word<MeetingStatus>)>> {
        let sql = format!(
            "SELECT m.id, m.status FROM meetings m WHERE m.status IN {} AND {} ORDER BY m.id",
            *OPEN,
            is_bridged!()
        );
        self.read_long(move |db| {
            let mut list = db.prepare_cached(&sql)?;
            list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .await
    }
}
