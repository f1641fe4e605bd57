//! Who is calling? Keys are compared as hashes; what is known of a token is kept in memory.

mod counter;
mod usage;
mod verdicts;

pub use usage::Usage;
pub use verdicts::{Caller, Verdicts};

use crate::domain::{PlainToken, Time, TokenHash};
use crate::error::{Error, Result};
use crate::store::Store;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::net::IpAddr;
use std::sync::Arc;

/// The header of the admin key.
pub const ADMIN_HEADER: HeaderName = HeaderName::from_static("x-admin-api-key");
/// The header of a user's token.
pub const USER_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// How a bot's credential begins (RFC 6750, section 2.1).
const BEARER: &[u8] = b"Bearer ";

/// Whoever holds the admin key. Only [`Auth`] makes one.
pub struct Admin(());

/// A user, by one of their tokens. Only [`Auth`] makes one.
pub struct User(Arc<Caller>);

impl std::ops::Deref for User {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
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

/// Decides who is calling, from the headers alone.
pub struct Auth {
    admin_key: blake3::Hash,
    verdicts: Arc<Verdicts>,
    usage: Usage,
}

impl Auth {
    /// `verdicts` must hear of every change that the store commits.
    pub fn new(admin_key: &str, verdicts: Arc<Verdicts>) -> Self {
        Self { admin_key: blake3::hash(admin_key.as_bytes()), verdicts, usage: Usage::default() }
    }

    /// Lets the holder of the admin key in.
    pub fn admin(&self, headers: &HeaderMap) -> Result<Admin> {
        let presented = single(headers, &ADMIN_HEADER).ok_or(Error::AdminKeyRefused)?;
        // Comparing two `blake3::Hash` takes the same time wherever they differ.
        match blake3::hash(presented?.as_bytes()) == self.admin_key {
            true => Ok(Admin(())),
            false => Err(Error::AdminKeyRefused),
        }
    }

    /// Lets the holder of a token in; a token that is not in memory costs one small read of the file.
    pub fn user(&self, headers: &HeaderMap, store: &Store, now: Time, from: Option<IpAddr>) -> Result<User> {
        let presented = single(headers, &USER_HEADER).ok_or(Error::TokenMissing)??;
        self.holder(presented.as_bytes(), store, now, from)
    }

    /// Lets the holder of a token in who may also name it in the query, as browsers must; the header wins. The hash is
    /// for [`Auth::still`].
    pub fn watcher(
        &self,
        headers: &HeaderMap,
        in_query: Option<&str>,
        store: &Store,
        now: Time,
        from: Option<IpAddr>,
    ) -> Result<(User, TokenHash)> {
        let presented = match single(headers, &USER_HEADER) {
            Some(presented) => presented?.as_bytes(),
            None => in_query.ok_or(Error::TokenMissing)?.as_bytes(),
        };
        Ok((self.holder(presented, store, now, from)?, TokenHash::of(presented)))
    }

    /// Whether a token that opened a door would open it again.
    pub fn still(&self, hash: &TokenHash, store: &Store, now: Time) -> Result<()> {
        let caller = match self.verdicts.remembered(hash) {
            Ok(caller) => Some(caller),
            Err(epoch) => self.verdicts.look_up(hash, store, epoch)?,
        };
        caller.filter(|caller| !caller.is_expired(now)).map(drop).ok_or(Error::TokenRefused)
    }

    fn holder(&self, presented: &[u8], store: &Store, now: Time, from: Option<IpAddr>) -> Result<User> {
        if presented.is_empty() {
            return Err(Error::TokenMissing);
        }
        let caller = self.caller(presented, store)?.ok_or(Error::TokenRefused)?;
        if caller.is_expired(now) {
            return Err(Error::TokenRefused);
        }
        self.usage.note(&caller, now, from);
        Ok(User(caller))
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

    /// From memory, else from the file; what no server ever issued is not looked for there.
    fn caller(&self, presented: &[u8], store: &Store) -> Result<Option<Arc<Caller>>> {
        let hash = TokenHash::of(presented);
        match self.verdicts.remembered(&hash) {
            Ok(caller) => Ok(Some(caller)),
            Err(_) if !PlainToken::is_wellformed(presented) => Ok(None),
            Err(epoch) => self.verdicts.look_up(&hash, store, epoch),
        }
    }

    /// What callers used.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// How many tokens are known in memory.
    pub fn known(&self) -> usize {
        self.verdicts.len()
    }
}

/// The header's value: `None` if it is absent, refused if it is there twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Result<&'a HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let refused = match name {
        name if *name == ADMIN_HEADER => Error::AdminKeyRefused,
        name if *name == AUTHORIZATION => Error::BotRefused,
        _ => Error::TokenRefused,
    };
    Some(if values.next().is_some() { Err(refused) } else { Ok(first) })
}
