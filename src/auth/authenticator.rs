//! Who is calling, from the headers alone. Keys are compared as hashes.

use crate::auth::identity::Identity;
use crate::auth::pending_usage::PendingUsage;
use crate::auth::token_cache::TokenCache;
use crate::config::ConfiguredKey;
use crate::domain::{Actor, KeyRejection, PlainToken, Time, TokenHash};
use crate::error::{Error, Result};
use crate::store::Store;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// The header of the admin key.
pub const ADMIN_HEADER: HeaderName = HeaderName::from_static("x-admin-api-key");
/// The header of a user's token.
pub const USER_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// How a bot's credential begins (RFC 6750, section 2.1).
const BEARER: &[u8] = b"Bearer ";

/// Whoever holds an admin key. Only [`Auth`] makes one.
pub struct Admin {
    name: Cow<'static, str>,
    address: Option<IpAddr>,
    at: Time,
}

impl Admin {
    /// Whom the record of changes names; each call gives one of an entry.
    pub fn actor(&self) -> Result<Actor> {
        actor(self.name.clone().into_owned(), self.address, self.at)
    }
}

/// A user, by one of their tokens. Only [`Auth`] makes one.
pub struct User {
    caller: Arc<Identity>,
    address: Option<IpAddr>,
}

impl User {
    /// Whom the record of changes names for what a holder does to their own token.
    pub fn actor(&self, at: Time) -> Result<Actor> {
        actor(format!("token:{}", self.token.id), self.address, at)
    }
}

impl std::ops::Deref for User {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.caller
    }
}

/// The bot of a meeting that is not over, by the secret it was given. Only [`Auth`] makes one.
pub struct Bot(TokenHash);

impl Bot {
    /// BLAKE3 of its secret; which session may use it, the store knows.
    pub fn token_hash(&self) -> TokenHash {
        self.0
    }
}

/// Whom the record of changes names.
pub fn actor(name: String, address: Option<IpAddr>, at: Time) -> Result<Actor> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    Ok(Actor { name, address: address.map(|address| address.to_string()), at, salt })
}

/// Decides who is calling, from the headers alone.
pub struct Auth {
    /// Hashes of the keys of the settings, and their ends.
    settled: Vec<(blake3::Hash, Option<Time>)>,
    token_cache: Arc<TokenCache>,
    usage: PendingUsage,
}

impl Auth {
    /// `token_cache` must hear of every change that the store commits.
    pub fn new(keys: &[ConfiguredKey], token_cache: Arc<TokenCache>) -> Self {
        let settled = keys.iter().map(|key| (blake3::hash(key.key.as_bytes()), key.until)).collect();
        Self { settled, token_cache, usage: PendingUsage::default() }
    }

    /// Lets the holder of an admin key in: one of the settings, or a named one.
    pub fn admin(&self, headers: &HeaderMap, store: &Store, address: Option<IpAddr>, now: Time) -> Result<Admin> {
        let presented =
            single(headers, &ADMIN_HEADER).ok_or(Error::AdminKeyRefused(KeyRejection::Missing))??.as_bytes();
        let name = self.admin_name(presented, store, now)?;
        Ok(Admin { name, address, at: now })
    }

    fn admin_name(&self, presented: &[u8], store: &Store, now: Time) -> Result<Cow<'static, str>> {
        let hash = blake3::hash(presented);
        // Comparing two `blake3::Hash` takes the same time wherever they differ.
        let settled = self.settled.iter().find(|(known, _)| *known == hash);
        let (name, end) = if let Some((_, end)) = settled {
            (Cow::Borrowed("key:settings"), *end)
        } else {
            let (name, end) = named_admin_key(presented, store)?;
            (Cow::Owned(name), end)
        };
        match end.filter(|end| *end <= now) {
            Some(end) => Err(Error::AdminKeyRefused(KeyRejection::Expired(end, None))),
            None => Ok(name),
        }
    }

    /// Lets a user of this machine in who may use the private socket, or the database itself.
    pub fn local(&self, user: &str, now: Time) -> Admin {
        Admin { name: Cow::Owned(format!("local:{user}")), address: None, at: now }
    }

    /// Lets the holder of a token in; a token that is not in memory costs one small read of the file.
    pub fn user(&self, headers: &HeaderMap, store: &Store, address: Option<IpAddr>, now: Time) -> Result<User> {
        let presented = single(headers, &USER_HEADER).ok_or(Error::TokenMissing)??;
        Ok(User { caller: self.holder(presented.as_bytes(), store, now)?, address })
    }

    /// Lets the holder of a token in who may also name it in the query, as browsers must; the header wins. The hash is
    /// for [`Auth::revalidate`].
    pub fn watcher(
        &self,
        headers: &HeaderMap,
        in_query: Option<&str>,
        store: &Store,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<(User, TokenHash)> {
        let presented = match single(headers, &USER_HEADER) {
            Some(presented) => presented?.as_bytes(),
            None => in_query.ok_or(Error::TokenMissing)?.as_bytes(),
        };
        Ok((User { caller: self.holder(presented, store, now)?, address }, TokenHash::of(presented)))
    }

    /// Until when a token that opened a door would open it again, as things are; refused if it would not.
    pub fn revalidate(&self, hash: &TokenHash, store: &Store, now: Time) -> Result<Option<Time>> {
        let Some(caller) = self.known(hash, store)? else { return Err(Error::TokenRefused(ended(hash, store)?)) };
        caller.check(now).map_err(Error::TokenRefused)?;
        Ok(caller.token.expires_at)
    }

    /// Who holds a token, and whether it opens doors: for whoever asks about it without using it.
    pub fn explain(
        &self,
        presented: &[u8],
        store: &Store,
        now: Time,
    ) -> Result<(Option<Arc<Identity>>, Option<KeyRejection>)> {
        match self.caller(presented, store) {
            Ok(caller) => {
                let fault = caller.check(now).err();
                Ok((Some(caller), fault))
            }
            Err(Error::TokenRefused(fault)) => Ok((None, Some(fault))),
            Err(error) => Err(error),
        }
    }

    fn holder(&self, presented: &[u8], store: &Store, now: Time) -> Result<Arc<Identity>> {
        if presented.is_empty() {
            return Err(Error::TokenMissing);
        }
        let caller = self.caller(presented, store)?;
        caller.check(now).map_err(Error::TokenRefused)?;
        Ok(caller)
    }

    /// Lets the bot of a meeting in by `Authorization: Bearer`; what no server ever issued costs no read of the file.
    pub fn bot(&self, headers: &HeaderMap, store: &Store) -> Result<Bot> {
        let presented = single(headers, &AUTHORIZATION).ok_or(Error::BotRefused)??.as_bytes();
        let (scheme, token) = presented.split_at_checked(BEARER.len()).ok_or(Error::BotRefused)?;
        if !scheme.eq_ignore_ascii_case(BEARER) || !PlainToken::is_wellformed(token) {
            return Err(Error::BotRefused);
        }
        let hash = TokenHash::of(token);
        match store.has_session(&hash)? {
            true => Ok(Bot(hash)),
            false => Err(Error::BotRefused),
        }
    }

    /// Whom a token speaks for, whether it opens doors or not; what no server ever issued is not looked for.
    fn caller(&self, presented: &[u8], store: &Store) -> Result<Arc<Identity>> {
        let hash = TokenHash::of(presented);
        let known = match self.token_cache.get(&hash) {
            Ok(caller) => return Ok(caller),
            Err(_) if !PlainToken::is_wellformed(presented) => {
                return Err(Error::TokenRefused(KeyRejection::Mistyped));
            }
            Err(epoch) => self.token_cache.load(&hash, store, epoch, &self.usage)?,
        };
        match known {
            Some(caller) => Ok(caller),
            None => Err(Error::TokenRefused(ended(&hash, store)?)),
        }
    }

    /// From memory, else from the file.
    fn known(&self, hash: &TokenHash, store: &Store) -> Result<Option<Arc<Identity>>> {
        match self.token_cache.get(hash) {
            Ok(caller) => Ok(Some(caller)),
            Err(epoch) => self.token_cache.load(hash, store, epoch, &self.usage),
        }
    }

    /// What callers used.
    pub fn usage(&self) -> &PendingUsage {
        &self.usage
    }

    /// How many tokens are known in memory.
    pub fn known_tokens(&self) -> usize {
        self.token_cache.len()
    }
}

/// The name of an admin key, as the record writes it, and its end.
fn named_admin_key(presented: &[u8], store: &Store) -> Result<(String, Option<Time>)> {
    if !PlainToken::is_wellformed(presented) {
        return Err(Error::AdminKeyRefused(KeyRejection::Unknown));
    }
    let hash = TokenHash::of(presented);
    match store.known_admin_key(&hash)? {
        Some(key) => Ok((format!("key:{}", key.name), key.expires_at)),
        None => Err(Error::AdminKeyRefused(ended(&hash, store)?)),
    }
}

/// Why a hash is not known.
fn ended(hash: &TokenHash, store: &Store) -> Result<KeyRejection> {
    Ok(store.revoked_key(hash)?.map_or(KeyRejection::Unknown, KeyRejection::Revoked))
}

/// The header's value: `None` if it is absent, refused if it is there twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Result<&'a HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let refused = match name {
        name if *name == ADMIN_HEADER => Error::AdminKeyRefused(KeyRejection::Repeated),
        name if *name == AUTHORIZATION => Error::BotRefused,
        _ => Error::TokenRefused(KeyRejection::Repeated),
    };
    Some(if values.next().is_some() { Err(refused) } else { Ok(first) })
}
