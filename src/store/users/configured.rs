//! Configured users: `[[users]]` of `vomeet.toml`, applied in one transaction.

use crate::domain::configured::{ConfiguredToken, ConfiguredUser};
use crate::domain::{Actor, Data, Email, Patch, Time, TokenId, TokenTerms, User, UserId};
use crate::error::Result;
use crate::store::audit::audited::{Audited, AuditedVerb};
use crate::store::doors::Store;
use crate::store::tokens::chain::hashes_of_chain;
use crate::store::tokens::verbs::{CreateToken, RevokeToken};
use crate::store::users::read::find_by_email;
use crate::store::users::verbs::{CreateUser, UpdateUser};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Makes users and tokens what the settings say. Users whom they do not name stay as they are;
/// tokens that they named once and name no more are revoked. Each change has its entry in the audit
/// log.
#[derive(Debug, Serialize, Deserialize)]
pub struct ApplyConfiguredUsers {
    /// All configured users.
    pub users: Vec<ConfiguredUser>,
    /// The actor of the entries in the audit log.
    pub actor: Actor,
}

/// What the configured users changed.
#[derive(Debug, Default)]
pub struct ConfiguredChanges {
    /// Users who are new.
    pub created: usize,
    /// Users who were there and are otherwise now.
    pub changed: usize,
    /// Tokens that are new.
    pub added: usize,
    /// Tokens that are refused from now on.
    pub revoked: usize,
    /// The hints of tokens that were revoked before and stay so.
    pub ended: Vec<String>,
    /// What others must hear of it once it is committed.
    pub(crate) published: Vec<Change>,
}

/// A token that is another user's already; then nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTaken {
    /// The configured user who has the token in the settings.
    pub email: Email,
    /// Its first four characters.
    pub hint: String,
}

impl Verb for ApplyConfiguredUsers {
    type Answer = std::result::Result<ConfiguredChanges, TokenTaken>;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        if let Some(taken) = self.taken(db)? {
            return Ok(Err(taken));
        }
        let mut applying =
            Applying { db, actor: &self.actor, steps: 0, changes: ConfiguredChanges::default() };
        applying.revoke_others(&self.users)?;
        for user in &self.users {
            let id = applying.user(user)?;
            for token in &user.tokens {
                applying.token(id, token)?;
            }
        }
        Ok(Ok(applying.changes))
    }

    fn changes(&self, applied: &Self::Answer) -> Vec<Change> {
        match applied {
            Ok(applied) => applied.published.clone(),
            Err(_) => Vec::new(),
        }
    }
}

impl ApplyConfiguredUsers {
    fn taken(&self, db: &Connection) -> Result<Option<TokenTaken>> {
        let mut find = db.prepare_cached(
            "SELECT 1 FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = ?1 AND u.email_key <> ?2",
        )?;
        for user in &self.users {
            for token in &user.tokens {
                if find.exists(params![token.hash, user.email.key()])? {
                    return Ok(Some(TokenTaken {
                        email: user.email.clone(),
                        hint: token.hint.0.clone(),
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// Configured users that are being applied.
struct Applying<'a> {
    db: &'a Connection,
    actor: &'a Actor,
    /// Changes that were made.
    steps: u64,
    changes: ConfiguredChanges,
}

impl Applying<'_> {
    fn now(&self) -> Time {
        self.actor.at
    }

    fn apply<V: Audited>(&mut self, verb: V) -> Result<V::Answer> {
        self.steps += 1;
        let verb = AuditedVerb::new(self.actor.for_change(self.steps), verb);
        let answer = verb.apply(self.db)?;
        self.changes.published.extend(verb.change(&answer));
        Ok(answer)
    }

    /// Revokes tokens that were configured once and are no more.
    fn revoke_others(&mut self, users: &[ConfiguredUser]) -> Result<()> {
        let mut list =
            self.db.prepare_cached("SELECT id FROM tokens WHERE declared = 1 ORDER BY id")?;
        let known = list.query_map([], |row| row.get(0))?;
        let known: Vec<TokenId> = known.collect::<rusqlite::Result<_>>()?;
        let mut configured = HashSet::new();
        for user in users {
            for token in &user.tokens {
                configured.insert(token.hash);
            }
        }
        for id in known {
            // What its holder rotated it to is configured as long as one of them is named; and
            // nothing is left of one that was revoked with another of its chain.
            let chain = hashes_of_chain(self.db, id)?;
            if chain.is_empty() || chain.iter().any(|hash| configured.contains(hash)) {
                continue;
            }
            let now = self.now();
            self.apply(RevokeToken { id, of_user: None, by: None, now })?;
            self.changes.revoked += 1;
        }
        Ok(())
    }

    /// Makes a user what the settings say.
    fn user(&mut self, wanted: &ConfiguredUser) -> Result<UserId> {
        let (user, is_new) = match find_by_email(self.db, &wanted.email.key())? {
            Some(user) => (user, false),
            None => (self.create(wanted)?, true),
        };
        if wanted.differs_from(&user) {
            self.changes.changed += usize::from(!is_new);
            let now = self.now();
            self.apply(UpdateUser {
                id: user.id,
                email: None,
                name: wanted.name.clone().map_or(Patch::Keep, Patch::Set),
                image_url: Patch::Keep,
                max_concurrent_bots: wanted.max_concurrent_bots,
                data: None,
                disabled: wanted.disabled,
                now,
            })?;
        }
        Ok(user.id)
    }

    fn create(&mut self, wanted: &ConfiguredUser) -> Result<User> {
        let now = self.now();
        self.changes.created += 1;
        let (user, _) = self.apply(CreateUser {
            email: wanted.email.clone(),
            name: wanted.name.clone(),
            image_url: None,
            max_concurrent_bots: wanted.max_concurrent_bots.unwrap_or(0),
            data: Data::default(),
            now,
        })?;
        Ok(user)
    }

    /// What was revoked by hand stays revoked, whatever the settings say.
    fn token(&mut self, user_id: UserId, token: &ConfiguredToken) -> Result<()> {
        if self
            .db
            .prepare_cached("SELECT 1 FROM ended_keys WHERE hash = ?1")?
            .exists([token.hash])?
        {
            self.changes.ended.push(token.hint.0.clone());
            return Ok(());
        }
        let mut find = self.db.prepare_cached("SELECT id FROM tokens WHERE hash = ?1")?;
        let id = match find.query_row([token.hash], |row| row.get(0)).optional()? {
            Some(id) => id,
            None => self.create_token(user_id, token)?.0,
        };
        self.db
            .prepare_cached("UPDATE tokens SET declared = 1 WHERE id = ?1 AND declared = 0")?
            .execute([id])?;
        Ok(())
    }

    fn create_token(&mut self, user_id: UserId, token: &ConfiguredToken) -> Result<TokenId> {
        let now = self.now();
        self.changes.added += 1;
        let (hash, hint) = (token.hash, token.hint.clone());
        let new = CreateToken { user_id, hash, hint, terms: TokenTerms::default(), now };
        Ok(self.apply(new)?.id)
    }
}

impl Store {
    /// Whether some token in the file came from the settings; a small read.
    pub fn has_configured_users(&self) -> Result<bool> {
        self.read(|db| {
            db.prepare_cached("SELECT 1 FROM tokens WHERE declared = 1 LIMIT 1")?.exists([])
        })
    }
}
