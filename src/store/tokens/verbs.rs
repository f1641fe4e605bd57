//! Writes of tokens: create, update, revoke, and when they were last used.

use crate::domain::{
    Action, Hint, Narrowing, Patch, Subject, Time, Token, TokenChanges, TokenHash, TokenId,
    TokenTerms, UserId,
};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::tokens::chain::{Affected, Chain, is_declared, is_disabled, revoke, store};
use crate::store::tokens::read::{StoredToken, term_marks, term_names, term_values};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, ToSql, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Adds a token to a user.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateToken {
    /// The user whom it speaks for.
    pub user_id: UserId,
    /// BLAKE3 of the token.
    pub hash: TokenHash,
    /// Its first characters.
    pub hint: Hint,
    /// What it is for, how long it is accepted, and what it may do.
    pub terms: TokenTerms,
    /// The time of the change.
    pub now: Time,
}

impl Verb for CreateToken {
    type Answer = Token;

    fn apply(&self, db: &Connection) -> Result<Token> {
        let mut user =
            db.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND erasing_at IS NULL")?;
        if !user.exists([self.user_id])? {
            return Err(Error::UserNotFound);
        }
        insert(db, self, lifetime(self.terms.expires_at, self.now), None)
    }
}

/// How long a token with this end is meant to live, in seconds; `None` for ever.
pub(crate) fn lifetime(expires_at: Option<Time>, now: Time) -> Option<i64> {
    expires_at.map(|end| (end.as_millis() - now.as_millis()) / 1000)
}

/// Stores a new token; `chain_id` is the first token of its chain, where its holder makes it.
pub(crate) fn insert(
    db: &Connection,
    new: &CreateToken,
    lifetime_seconds: Option<i64>,
    chain_id: Option<TokenId>,
) -> Result<Token> {
    let mut insert = db.prepare_cached(concat!(
        "INSERT INTO tokens (user_id, hash, hint, created_at, lifetime_seconds, chain_id, ",
        term_names!(),
        ") VALUES (?, ?, ?, ?, ?, ?, ",
        term_marks!(),
        ")"
    ))?;
    let fixed: [&dyn ToSql; 6] =
        [&new.user_id, &new.hash, &new.hint, &new.now, &lifetime_seconds, &chain_id];
    insert.execute(params_from_iter(fixed.into_iter().chain(term_values(&new.terms))))?;
    Ok(Token {
        id: TokenId(db.last_insert_rowid()),
        user_id: new.user_id,
        hint: new.hint.clone(),
        created_at: new.now,
        last_used_at: None,
        last_address: None,
        disabled_at: None,
        replaced_by: None,
        terms: new.terms.clone(),
    })
}

impl Audited for CreateToken {
    const ACTION: Action = Action::TokenCreate;

    fn after(&self, token: &Token) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(token.id), Snapshot::of(token)))
    }
}

/// The token that is meant by an id, as the audit log tells of it.
pub(crate) fn snapshot(db: &Connection, id: TokenId) -> Result<Option<Snapshot>> {
    match Chain::of(db, id) {
        Ok(chain) => Ok(Snapshot::of(&chain.meant.token)),
        Err(Error::TokenNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the audit log says of the other tokens of a chain; nothing where there are none.
pub(crate) fn note_others(snapshot: Option<Snapshot>, affected: &Affected) -> Option<Snapshot> {
    if affected.others.is_empty() {
        return snapshot;
    }
    let others = Snapshot::of(&json!({
        "tokens_affected": affected.count(),
        "other_tokens": affected.others,
    }));
    match (snapshot, others) {
        (Some(snapshot), Some(others)) => Some(snapshot.with(others)),
        (None, others) => others,
        (snapshot, None) => snapshot,
    }
}

/// Changes what is given of a token. What disables, shortens or narrows it does the same to its
/// whole chain and to what that has made. What enables it does so too, but for what was made and
/// disabled at another time.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpdateToken {
    /// The token.
    pub id: TokenId,
    /// What changes of its terms.
    pub terms: TokenChanges,
    /// What narrows its scope.
    #[serde(default)]
    pub narrowing: Narrowing,
    /// Whether it is refused until it is enabled again.
    pub disabled: Option<bool>,
    /// The time of the change.
    pub now: Time,
}

/// A token that was updated.
#[derive(Debug, Clone)]
pub struct Updated {
    /// The token as it is now.
    pub token: Token,
    /// All tokens that were changed.
    pub affected: Affected,
    /// Whether one of them may do less than before.
    pub is_narrowed: bool,
}

impl UpdateToken {
    fn disabled_at(&self, before: Option<Time>) -> Option<Time> {
        match self.disabled {
            None => before,
            Some(false) => None,
            Some(true) => before.or(Some(self.now)),
        }
    }

    /// Shortens and narrows another token as the one that is meant.
    fn follow(&self, other: &mut Token, meant: &Token) {
        self.terms.shorten(&mut other.terms);
        if !self.narrowing.is_nothing() {
            other.terms.scope = other.terms.scope.within(&meant.terms.scope);
        }
    }
}

impl Verb for UpdateToken {
    type Answer = Updated;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Updated> {
        let chain = Chain::of(db, self.id)?;
        let made = chain.made(db)?;
        let Chain { mut meant, others, .. } = chain;
        let old = meant.token.clone();
        if self.disabled == Some(false)
            && let Some(maker) = old.terms.scope.made_by
            && is_disabled(db, maker)?
        {
            return Err(Error::MakerDisabled);
        }
        self.terms.apply(&mut meant.token.terms);
        let scope = old.terms.scope.narrowed(&self.narrowing).ok_or(Error::WiderScope)?;
        let mut is_narrowed = scope != old.terms.scope;
        meant.token.terms.scope = scope;
        meant.token.disabled_at = self.disabled_at(old.disabled_at);
        if !matches!(self.terms.expires_at, Patch::Keep) {
            meant.lifetime_seconds = lifetime(meant.token.terms.expires_at, self.now);
        }
        store(db, &meant)?;
        let mut affected = Affected::one(&meant);
        let in_chain = others.into_iter().map(|other| (other, false));
        for (mut other, is_made) in in_chain.chain(made.into_iter().map(|other| (other, true))) {
            let before = other.token.clone();
            self.follow(&mut other.token, &meant.token);
            // A made token that was disabled by itself stays so.
            if !is_made || self.disabled == Some(true) || before.disabled_at == old.disabled_at {
                other.token.disabled_at = self.disabled_at(before.disabled_at);
            }
            if other.token == before {
                continue;
            }
            if other.token.terms.expires_at != before.terms.expires_at {
                other.lifetime_seconds = lifetime(other.token.terms.expires_at, self.now);
            }
            is_narrowed |= other.token.terms.scope != before.terms.scope;
            store(db, &other)?;
            affected.add(&other);
        }
        Ok(Updated { token: meant.token, affected, is_narrowed })
    }

    fn change(&self, updated: &Updated) -> Option<Change> {
        let hashes = updated.affected.hashes.clone();
        match updated.token.disabled_at {
            Some(_) => Some(Change::TokensRevoked(hashes)),
            None if updated.is_narrowed => Some(Change::TokensNarrowed(hashes)),
            None => Some(Change::TokensChanged(hashes)),
        }
    }
}

impl Audited for UpdateToken {
    const ACTION: Action = Action::TokenUpdate;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, updated: &Updated) -> Option<(Subject, Option<Snapshot>)> {
        let Updated { token, affected, .. } = updated;
        Some((Subject::Token(token.id), note_others(Snapshot::of(token), affected)))
    }
}

/// Ends a token for good, and with it its whole chain and what that has made.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeToken {
    /// The token.
    pub id: TokenId,
    /// Only if it is of this user: then a holder asks for it.
    #[serde(default)]
    pub of_user: Option<UserId>,
    /// The token of that holder, which ends its own chain and what that has made.
    #[serde(default)]
    pub by: Option<TokenId>,
    /// The time of the change.
    pub now: Time,
}

impl RevokeToken {
    /// Fails where a holder asks for the end of a token that neither is of the chain of their own
    /// nor was made by it, or that vomeet.toml configures: it would stay revoked for ever.
    fn check_holder(&self, db: &Connection, chain: &Chain) -> Result<()> {
        let Some(by) = self.by else { return Ok(()) };
        let own = Chain::of(db, by)?;
        let is_meant = |made: &StoredToken| made.token.id == chain.meant.token.id;
        if own.first != chain.first && !own.made(db)?.iter().any(is_meant) {
            let why = "This token deletes itself and what it has made. Ask an administrator to \
                       delete another.";
            return Err(Error::NotAllowed(why.to_owned()));
        }
        if is_declared(db, chain.first)? {
            let why = "vomeet.toml configures this token. Ask an administrator to remove it there.";
            return Err(Error::NotAllowed(why.to_owned()));
        }
        Ok(())
    }
}

impl Verb for RevokeToken {
    /// The tokens that are refused from now on.
    type Answer = Affected;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Affected> {
        let chain = Chain::of(db, self.id)?;
        if self.of_user.is_some_and(|user_id| user_id != chain.meant.token.user_id) {
            return Err(Error::TokenNotFound);
        }
        self.check_holder(db, &chain)?;
        let made = chain.made(db)?;
        let Chain { meant, others, .. } = chain;
        let mut affected = Affected::one(&meant);
        revoke(db, &meant, self.now)?;
        for other in others.into_iter().chain(made) {
            revoke(db, &other, self.now)?;
            affected.add(&other);
        }
        Ok(affected)
    }

    fn change(&self, affected: &Affected) -> Option<Change> {
        Some(Change::TokensRevoked(affected.hashes.clone()))
    }
}

impl Audited for RevokeToken {
    const ACTION: Action = Action::TokenRevoke;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, affected: &Affected) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(self.id), note_others(None, affected)))
    }
}

/// Notes when and from where tokens were last used; those that are gone are passed over.
#[derive(Debug, Serialize, Deserialize)]
pub struct TouchTokens {
    /// Which, when, and from which address.
    pub used: Vec<(TokenId, Time, Option<String>)>,
}

impl Verb for TouchTokens {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE tokens SET last_used_at = max(?2, created_at), last_address = ?3 WHERE id = ?1",
        )?;
        for (id, at, address) in &self.used {
            update.execute(params![id, at, address])?;
        }
        Ok(())
    }
}
