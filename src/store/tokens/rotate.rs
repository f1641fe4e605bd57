//! Rotation of a token: a new one with the same terms, and an end for the old one.

use crate::domain::{Action, Hint, Subject, Time, Token, TokenHash, TokenId, TokenTerms};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::tokens::chain::{Affected, Chain, end_of_chain, revoke, revoke_rotated, store};
use crate::store::tokens::read::StoredToken;
use crate::store::tokens::verbs::{CreateToken, insert, note_others, snapshot};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Rotates a token: a new one with the same name and scope, and an end for the old one.
///
/// Of an administrator it is a new token with a time of its own, and the end of the old one's
/// chain. Of its holder it is one more token of the chain, which ends when the old one would have.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateToken {
    /// The token.
    pub id: TokenId,
    /// BLAKE3 of the new one.
    pub hash: TokenHash,
    /// The first characters of the new one.
    pub hint: Hint,
    /// How long the old one is accepted yet, in seconds, and never longer than it would have been.
    pub grace_seconds: i64,
    /// How long the new one lives, in seconds; as long as the old one was meant to where absent.
    pub expires_in: Option<i64>,
    /// The time of the change.
    pub now: Time,
    /// Whether the holder of the token asks for it.
    #[serde(default)]
    pub by_holder: bool,
}

/// A token that was rotated.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The new one.
    pub new: Token,
    /// The old one, with its end.
    pub old: Token,
    /// All tokens that end by it, the old one first.
    pub affected: Affected,
}

impl RotateToken {
    fn end(&self) -> Time {
        self.now.plus_seconds(self.grace_seconds)
    }

    /// A new token with the terms of the old one.
    fn successor(&self, old: &Token, expires_at: Option<Time>) -> CreateToken {
        CreateToken {
            user_id: old.user_id,
            hash: self.hash,
            hint: self.hint.clone(),
            terms: TokenTerms { expires_at, ..old.terms.clone() },
            now: self.now,
        }
    }

    fn by_holder(&self, db: &Connection, chain: Chain) -> Result<Rotated> {
        chain.check_rotations(db, self.now)?;
        let Chain { first, meant: mut old, .. } = chain;
        let new = self.successor(&old.token, old.token.terms.expires_at);
        let new = insert(db, &new, old.lifetime_seconds, Some(first))?;
        let declared = "UPDATE tokens SET declared = (SELECT declared FROM tokens WHERE id = ?1) WHERE id = ?2";
        db.prepare_cached(declared)?.execute([old.token.id, new.id])?;
        self.shorten(&mut old, new.id);
        match self.grace_seconds {
            0 => revoke_rotated(db, &old, first, self.now)?,
            _ => store(db, &old)?,
        }
        let affected = Affected::one(&old);
        Ok(Rotated { new, old: old.token, affected })
    }

    fn by_administrator(&self, db: &Connection, chain: Chain) -> Result<Rotated> {
        let made = chain.made(db)?;
        let Chain { meant: mut old, others, .. } = chain;
        let lifetime = self.expires_in.or(old.lifetime_seconds);
        let expires_at = self.end_of_new(db, &old.token, lifetime)?;
        let new = insert(db, &self.successor(&old.token, expires_at), lifetime, None)?;
        self.shorten(&mut old, new.id);
        let mut affected = Affected::one(&old);
        self.end_old(db, &old)?;
        for mut other in others.into_iter().chain(made) {
            let before = other.token.terms.expires_at;
            if self.grace_seconds == 0 || before.is_none_or(|before| before > self.end()) {
                other.token.terms.expires_at = Some(self.end());
                self.end_old(db, &other)?;
                affected.add(&other);
            }
        }
        Ok(Rotated { new, old: old.token, affected })
    }

    /// When the new token of an administrator ends: one that a holder made no later than its
    /// maker, unless the administrator says a time.
    fn end_of_new(
        &self,
        db: &Connection,
        old: &Token,
        lifetime: Option<i64>,
    ) -> Result<Option<Time>> {
        let end = lifetime.map(|seconds| self.now.plus_seconds(seconds));
        let (None, Some(maker)) = (self.expires_in, old.terms.scope.made_by) else {
            return Ok(end);
        };
        let end_of_maker = end_of_chain(db, maker)?;
        Ok(end.into_iter().chain(end_of_maker).min())
    }

    fn shorten(&self, old: &mut StoredToken, new: TokenId) {
        let end = self.end();
        let before = old.token.terms.expires_at;
        old.token.terms.expires_at = Some(before.map_or(end, |before| before.min(end)));
        old.token.replaced_by = Some(new);
    }

    fn end_old(&self, db: &Connection, old: &StoredToken) -> Result<()> {
        match self.grace_seconds {
            0 => revoke(db, old, self.now),
            _ => store(db, old),
        }
    }
}

impl Verb for RotateToken {
    type Answer = Rotated;

    fn apply(&self, db: &Connection) -> Result<Rotated> {
        let chain = Chain::of(db, self.id)?;
        let old = &chain.meant.token;
        if old.id != self.id {
            return Err(Error::TokenNotFound);
        }
        if let Some(by) = old.replaced_by {
            return Err(Error::TokenReplaced(by));
        }
        if old.disabled_at.is_some() {
            return Err(Error::TokenDisabled);
        }
        match self.by_holder {
            true => self.by_holder(db, chain),
            false => self.by_administrator(db, chain),
        }
    }

    fn change(&self, rotated: &Rotated) -> Option<Change> {
        let hashes = rotated.affected.hashes.clone();
        match self.grace_seconds {
            0 => Some(Change::TokensRevoked(hashes)),
            _ => Some(Change::TokensChanged(hashes)),
        }
    }
}

impl Audited for RotateToken {
    const ACTION: Action = Action::TokenRotate;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, rotated: &Rotated) -> Option<(Subject, Option<Snapshot>)> {
        let after = note_others(Snapshot::of(&rotated.new), &rotated.affected);
        Some((Subject::Token(rotated.new.id), after))
    }
}
