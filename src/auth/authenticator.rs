//! Authenticates callers from the headers alone. Keys are compared as hashes.

use crate::auth::configured_hash::{ConfiguredHash, hashes_of};
use crate::auth::console_sessions::ConsoleSessions;
use crate::auth::headers::{ADMIN_HEADER, Single, USER_HEADER, single};
use crate::auth::identity::Identity;
use crate::auth::pending_usage::PendingUsage;
use crate::auth::sent_instead::sent_instead;
use crate::auth::tickets::Tickets;
use crate::auth::token_cache::TokenCache;
use crate::config::ConfiguredKey;
use crate::domain::{Actor, AdminKeyId, KeyRejection, PlainToken, SentInstead, Time, TokenHash};
use crate::error::{Error, Result};
use crate::store::Store;
use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// How a bot's credential begins (RFC 6750, section 2.1).
const BEARER: &[u8] = b"Bearer ";

/// An authenticated administrator. Only [`Auth`] makes one.
pub struct Admin {
    pub(super) name: Cow<'static, str>,
    pub(super) key: Option<NamedKey>,
    pub(super) address: Option<IpAddr>,
    pub(super) at: Time,
    pub(super) owns_database: bool,
    pub(super) by_socket: bool,
}

/// The named admin key of a request.
pub struct NamedKey {
    /// Its id.
    pub id: AdminKeyId,
    /// BLAKE3 of the secret that was sent.
    pub hash: TokenHash,
    /// Whether it was rotated since, so that this is its old secret.
    pub is_old: bool,
    /// When the secret stops being accepted.
    pub expires_at: Option<Time>,
}

impl Admin {
    /// The actor of one audit log entry; every entry needs a call of its own, for its own salt.
    pub fn actor(&self) -> Result<Actor> {
        actor(self.name.clone().into_owned(), self.address, self.at)
    }

    /// Whether this is root, or the user that the server runs as, by the admin socket: whoever could
    /// open the database without the server.
    pub fn owns_database(&self) -> bool {
        self.owns_database
    }

    /// The name of the system's user, as the audit log writes it, for whoever came by the admin
    /// socket; `None` for whoever came over the network.
    pub(crate) fn socket_name(&self) -> Option<&str> {
        self.by_socket.then_some(&*self.name)
    }

    /// The named key by which the administrator came; `None` for a key of the settings and for the
    /// admin socket.
    pub fn named_key(&self) -> Option<&NamedKey> {
        self.key.as_ref()
    }
}

/// An authenticated user, with the token that was sent. Only [`Auth`] makes one.
pub struct User {
    pub(super) identity: Arc<Identity>,
    pub(super) hash: TokenHash,
    pub(super) address: Option<IpAddr>,
}

impl User {
    /// BLAKE3 of the token.
    pub fn token_hash(&self) -> TokenHash {
        self.hash
    }

    /// The actor of the audit log entry for what a user does to their own token.
    pub fn actor(&self, at: Time) -> Result<Actor> {
        actor(format!("token:{}", self.token.id), self.address, at)
    }
}

impl std::ops::Deref for User {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

/// An authenticated bot, whose meeting takes words. Only [`Auth`] makes one.
pub struct Bot(TokenHash);

impl Bot {
    /// BLAKE3 of its secret, by which the store finds the session.
    pub fn token_hash(&self) -> TokenHash {
        self.0
    }
}

/// An actor for the audit log, with 16 random bytes of salt.
pub fn actor(name: String, address: Option<IpAddr>, at: Time) -> Result<Actor> {
    let mut salt = [0; 16];
    if let Err(error) = getrandom::fill(&mut salt) {
        return Err(Error::Internal(format!("no randomness: {error}")));
    }
    let address = address.map(|address| address.to_string());
    Ok(Actor { name, address, at, salt })
}

/// Authenticates callers, and owns every read of tokens.
pub struct Auth {
    configured_keys: ArcSwap<Vec<ConfiguredHash>>,
    token_cache: Arc<TokenCache>,
    /// Whether the file has keys that another installation issued, which look otherwise than ours.
    has_foreign_keys: bool,
    usage: PendingUsage,
    tickets: Tickets,
    pub(super) console_sessions: ConsoleSessions,
}

impl Auth {
    /// Accepts these admin keys besides the named ones in the database. `token_cache` must be told
    /// of every change that the store commits ([`TokenCache::on_change`]).
    pub fn new(
        keys: &[ConfiguredKey],
        token_cache: Arc<TokenCache>,
        has_foreign_keys: bool,
    ) -> Self {
        let configured_keys = ArcSwap::from_pointee(hashes_of(keys));
        let (usage, tickets) = (PendingUsage::default(), Tickets::default());
        let console_sessions = ConsoleSessions::default();
        Self { configured_keys, token_cache, has_foreign_keys, usage, tickets, console_sessions }
    }

    /// Accepts these admin keys of the settings from now on, and those before them no more. Where
    /// one was taken away, the sessions of the console end with it, as a restart would end them.
    pub(crate) fn set_configured_keys(&self, keys: &[ConfiguredKey]) {
        let keys = Arc::new(hashes_of(keys));
        let before = self.configured_keys.swap(Arc::clone(&keys));
        if !before.iter().all(|old| keys.iter().any(|key| key.hash == old.hash)) {
            self.console_sessions.end_all();
        }
    }

    /// Authenticates an administrator by an admin key: one of the settings, or a named one.
    /// [`Error::AdminKeyRefused`] otherwise. `is_local` says whether the request surely comes from
    /// this machine; it is asked only where a weak key is brought.
    pub fn admin(
        &self,
        head: &Parts,
        is_local: impl FnOnce() -> bool,
        store: &Store,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Admin> {
        let presented = match single(&head.headers, &ADMIN_HEADER) {
            Single::Value(value) if !value.is_empty() => value.as_bytes(),
            Single::Value(_) | Single::Missing => {
                let instead = sent_instead(head, &ADMIN_HEADER);
                return Err(Error::AdminKeyRefused(KeyRejection::Missing(instead)));
            }
            Single::Repeated => return Err(Error::AdminKeyRefused(KeyRejection::Repeated)),
        };
        let (name, key, expires_at) = self.admin_key(presented, is_local, store)?;
        if let Some(end) = expires_at
            && end <= now
        {
            return Err(Error::AdminKeyRefused(KeyRejection::Expired(end, None)));
        }
        Ok(Admin { name, key, address, at: now, owns_database: false, by_socket: false })
    }

    /// The name of an admin key as the audit log writes it, the key if it is a named one, and when
    /// it expires.
    fn admin_key(
        &self,
        presented: &[u8],
        is_local: impl FnOnce() -> bool,
        store: &Store,
    ) -> Result<(Cow<'static, str>, Option<NamedKey>, Option<Time>)> {
        let hash = blake3::hash(presented);
        for configured in self.configured_keys.load().iter() {
            // Comparing two `blake3::Hash` takes the same time wherever they differ.
            if configured.hash != hash {
                continue;
            }
            if configured.is_weak && !is_local() {
                log::warn!(
                    "the admin key of the settings is weak and was refused: the request does not \
                     surely come from this machine; set ADMIN_API_TOKEN to a strong one"
                );
                // Whoever guesses at keys does not learn that this one was right.
                return Err(Error::AdminKeyRefused(KeyRejection::Unknown));
            }
            return Ok((Cow::Borrowed("key:settings"), None, configured.expires_at));
        }
        let (name, key) = named_admin_key(presented, store)?;
        let expires_at = key.expires_at;
        Ok((Cow::Owned(name), Some(key), expires_at))
    }

    /// An administrator who needs no key: a user of this machine who may use the admin socket, or
    /// open the database itself.
    pub(crate) fn local(user: &str, uid: u32, now: Time) -> Admin {
        let owns_database = uid == 0 || uid == rustix::process::geteuid().as_raw();
        let name = Cow::Owned(format!("local:{user}"));
        Admin { name, key: None, address: None, at: now, owns_database, by_socket: true }
    }

    /// Authenticates a user by `X-API-Key`. A token that is not in memory costs one small read of
    /// the database. [`Error::TokenMissing`] or [`Error::TokenRefused`] otherwise.
    pub fn user(
        &self,
        head: &Parts,
        store: &Store,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<User> {
        let presented = match single(&head.headers, &USER_HEADER) {
            Single::Value(value) if !value.is_empty() => value.as_bytes(),
            Single::Value(_) | Single::Missing => return Err(token_missing(head)),
            Single::Repeated => return Err(Error::TokenRefused(KeyRejection::Repeated)),
        };
        let (identity, hash) = self.authenticate(presented, store, now)?;
        Ok(User { identity, hash, address })
    }

    /// Checks again a token that was accepted before: when it expires (`None` is never), or
    /// [`Error::TokenRefused`] where it is not accepted any more.
    pub fn revalidate(&self, hash: &TokenHash, store: &Store, now: Time) -> Result<Option<Time>> {
        let Some(identity) = self.by_hash(hash, store)? else {
            return Err(Error::TokenRefused(why_unknown(hash, store)?));
        };
        identity.check(now).map_err(Error::TokenRefused)?;
        Ok(identity.ends_at())
    }

    /// Authenticates a bot by `Authorization: Bearer`; [`Error::BotRefused`] otherwise. What cannot
    /// be a token costs no read of the database.
    pub(crate) fn bot(head: &Parts, store: &Store, now: Time) -> Result<Bot> {
        let Some(hash) = Self::bearer(&head.headers)? else {
            return Err(Error::BotRefused(sent_instead(head, &AUTHORIZATION)));
        };
        if !store.has_session(&hash, now)? {
            return Err(Error::BotRefused(SentInstead::Nothing));
        }
        Ok(Bot(hash))
    }

    /// BLAKE3 of a bearer token, whosesoever it is; none where another scheme or nothing was sent.
    /// [`Error::BotRefused`] for what cannot be a token.
    pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<TokenHash>> {
        let value = match single(headers, &AUTHORIZATION) {
            Single::Value(value) => value.as_bytes(),
            Single::Missing => return Ok(None),
            Single::Repeated => return Err(Error::BotRefused(SentInstead::Nothing)),
        };
        let Some((scheme, token)) = value.split_at_checked(BEARER.len()) else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case(BEARER) {
            return Ok(None);
        }
        if !PlainToken::is_wellformed(token) {
            return Err(Error::BotRefused(SentInstead::Nothing));
        }
        Ok(Some(TokenHash::of(token)))
    }

    /// The identity of a token that is accepted now, and BLAKE3 of the token.
    pub(super) fn authenticate(
        &self,
        presented: &[u8],
        store: &Store,
        now: Time,
    ) -> Result<(Arc<Identity>, TokenHash)> {
        let hash = TokenHash::of(presented);
        let identity = self.identity(presented, hash, store)?;
        identity.check(now).map_err(Error::TokenRefused)?;
        Ok((identity, hash))
    }

    /// The identity of a token that was accepted before, in memory or in the database; `None` where
    /// it is gone.
    pub(super) fn by_hash(&self, hash: &TokenHash, store: &Store) -> Result<Option<Arc<Identity>>> {
        match self.token_cache.get(hash) {
            Ok(identity) => Ok(Some(identity)),
            Err(epoch) => self.token_cache.load(hash, store, epoch, &self.usage),
        }
    }

    /// The identity of a token, accepted or not: from memory, else from the database. What cannot
    /// be a token is not looked for, unless another installation issued some of them.
    pub(super) fn identity(
        &self,
        presented: &[u8],
        hash: TokenHash,
        store: &Store,
    ) -> Result<Arc<Identity>> {
        let epoch = match self.token_cache.get(&hash) {
            Ok(identity) => return Ok(identity),
            Err(epoch) => epoch,
        };
        let is_wellformed = PlainToken::is_wellformed(presented);
        if !is_wellformed && !self.has_foreign_keys {
            return Err(Error::TokenRefused(KeyRejection::Mistyped));
        }
        if let Some(identity) = self.token_cache.load(&hash, store, epoch, &self.usage)? {
            return Ok(identity);
        }
        match why_unknown(&hash, store)? {
            KeyRejection::Unknown if !is_wellformed => {
                Err(Error::TokenRefused(KeyRejection::Mistyped))
            }
            rejection => Err(Error::TokenRefused(rejection)),
        }
    }

    /// Usage that is not in the database yet.
    pub fn usage(&self) -> &PendingUsage {
        &self.usage
    }

    /// Tickets that wait for their use.
    pub(crate) fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// About how many bytes the tokens in memory take.
    pub fn known_bytes(&self) -> usize {
        self.token_cache.bytes()
    }

    /// How many tokens are in memory.
    pub fn known_tokens(&self) -> usize {
        self.token_cache.len()
    }
}

/// The refusal of a request without a token.
pub(super) fn token_missing(head: &Parts) -> Error {
    Error::TokenMissing(sent_instead(head, &USER_HEADER))
}

/// The name of a named admin key as the audit log writes it, and the key.
fn named_admin_key(presented: &[u8], store: &Store) -> Result<(String, NamedKey)> {
    if !PlainToken::is_wellformed(presented) {
        return Err(Error::AdminKeyRefused(KeyRejection::Unknown));
    }
    let hash = TokenHash::of(presented);
    let Some(key) = store.known_admin_key(&hash)? else {
        return Err(Error::AdminKeyRefused(why_unknown(&hash, store)?));
    };
    // The name may be given to another key later; the id may not.
    let name = format!("key:{}#{}", key.name, key.id);
    Ok((
        name,
        NamedKey { id: key.id, hash: key.hash, is_old: key.is_old, expires_at: key.expires_at },
    ))
}

/// Why no key has this hash: it was revoked, or it never existed.
fn why_unknown(hash: &TokenHash, store: &Store) -> Result<KeyRejection> {
    match store.revoked_key(hash)? {
        Some(revoked_at) => Ok(KeyRejection::Revoked(revoked_at)),
        None => Ok(KeyRejection::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_servers_own_user_could_open_the_database_themselves() {
        let own = rustix::process::geteuid().as_raw();
        for (uid, expected) in [(0, true), (own, true), (own + 1, false)] {
            let admin = Auth::local("somebody", uid, Time::from_millis(0));
            assert_eq!(admin.owns_database(), expected, "{uid}");
        }
    }
}
