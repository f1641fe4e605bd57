//! Writes of share links: made, revoked, forgotten.

use crate::domain::{
    Action, Permission, Share, ShareHash, ShareId, Subject, Time, TokenId, UserId,
};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::meetings::read::{MeetingName, by_id};
use crate::store::shares::read::{SHARES_MAX, find};
use crate::store::tokens::chain::Chain;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Links that are deleted in one transaction: other writes wait behind it.
const SHARES_AT_ONCE: u16 = 500;

/// Makes a share link to a meeting.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateShare {
    /// The token by which it is made.
    pub by: TokenId,
    /// The meeting.
    pub name: MeetingName,
    /// BLAKE3 of the link.
    pub hash: ShareHash,
    /// When it ends by itself.
    pub expires_at: Time,
    /// The time of the change.
    pub now: Time,
}

impl Verb for CreateShare {
    type Answer = Share;

    fn apply(&self, db: &Connection) -> Result<Share> {
        let chain = Chain::of_maker(db, self.by)?;
        let maker = &chain.meant.token;
        let meeting = self.name.find(db)?;
        let Some(native_id) = &meeting.native_meeting_id else {
            // Its words were deleted, and none come back.
            return Err(self.name.missing());
        };
        // The token may have been narrowed since the request came in.
        let scope = &maker.terms.scope;
        scope.check(Permission::Write).map_err(Error::NotAllowed)?;
        if !scope.reaches_named(&meeting.platform, Some(native_id)) {
            return Err(Error::NotAllowed(format!("This token is limited to {scope}.")));
        }
        let mut count = db
            .prepare_cached("SELECT count(*) FROM shares WHERE user_id = ?1 AND expires_at > ?2")?;
        let count: i64 = count.query_row(params![meeting.user_id, self.now], |row| row.get(0))?;
        if count >= SHARES_MAX {
            return Err(Error::TooManyShares { max: SHARES_MAX });
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO shares (user_id, meeting_id, made_by, hash, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (user_id, meeting_id, made_by) = (meeting.user_id, meeting.id, chain.first);
        insert.execute(params![
            user_id,
            meeting_id,
            made_by,
            self.hash,
            self.now,
            self.expires_at
        ])?;
        let id = ShareId(db.last_insert_rowid());
        let (created_at, expires_at) = (self.now, self.expires_at);
        Ok(Share { id, user_id, meeting_id, made_by, created_at, expires_at })
    }
}

impl Audited for CreateShare {
    const ACTION: Action = Action::ShareCreate;

    fn after(&self, share: &Share) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Share(share.id), Snapshot::of(share)))
    }
}

/// Ends a share link for good.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeShare {
    /// The link.
    pub id: ShareId,
    /// Only if it is of this user: then a holder asks for it.
    pub of_user: Option<UserId>,
    /// The token of that holder, which must reach the meeting.
    pub by: Option<TokenId>,
}

impl RevokeShare {
    /// Whether the holder who asks, if it is one, may know of the link.
    fn is_found(&self, db: &Connection, share: &Share) -> Result<bool> {
        if self.of_user.is_some_and(|user_id| user_id != share.user_id) {
            return Ok(false);
        }
        let Some(by) = self.by else { return Ok(true) };
        let scope = Chain::of(db, by)?.meant.token.terms.scope;
        let Some(meeting) = by_id(db, share.meeting_id)? else { return Ok(false) };
        Ok(scope.reaches_named(&meeting.platform, meeting.native_meeting_id.as_deref()))
    }
}

impl Verb for RevokeShare {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        let share = find(db, self.id)?.ok_or(Error::ShareNotFound)?;
        if !self.is_found(db, &share)? {
            return Err(Error::ShareNotFound);
        }
        db.prepare_cached("DELETE FROM shares WHERE id = ?1")?.execute([self.id])?;
        Ok(())
    }
}

impl Audited for RevokeShare {
    const ACTION: Action = Action::ShareRevoke;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        Ok(find(db, self.id)?.as_ref().and_then(Snapshot::of))
    }

    fn after(&self, (): &()) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Share(self.id), None))
    }
}

/// Deletes some links that had ended before a time.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetShares {
    /// The time.
    pub before: Time,
}

impl Verb for ForgetShares {
    /// Whether there are more.
    type Answer = bool;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let mut delete = db.prepare_cached(
            "DELETE FROM shares WHERE id IN
               (SELECT id FROM shares WHERE expires_at < ?1 ORDER BY expires_at, id LIMIT ?2)",
        )?;
        let deleted = delete.execute(params![self.before, SHARES_AT_ONCE])?;
        Ok(deleted == usize::from(SHARES_AT_ONCE))
    }
}
