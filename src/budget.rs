//! What one caller may hold of the server at once, in one place: bytes of request bodies, bytes of
//! responses, long responses, live sockets, bytes of sound. `docs/limits.md` explains the figures,
//! and `/metrics` shows what is in use.
//!
//! What one caller may cause (requests in a minute, refused keys) is counted in `auth`; how many
//! connections there may be, in `http`.
//!
//! Each limit is a semaphore for all callers and one for each caller that holds some of it. A
//! caller waits for their own share first, so one who has used it up is in nobody's way.

use crate::domain::{TokenHash, TokenId, UserId};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Most bytes of request bodies in memory, for all callers, unless longer bodies than usual are
/// allowed ([`Bodies::new`]); the first [`BODY_BYTES_FREE`] of each body are not counted.
const BODIES_BYTES_MAX: usize = 24 * 1024 * 1024;
/// One of so many parts of it is for the bodies of callers without a key.
const KEYLESS_SHARES: usize = 4;
/// One of so many parts of the bytes of bodies is for short ones.
const SHORT_SHARES: usize = 3;
/// Longest body that is short, in bytes.
pub(crate) const SHORT_BODY_BYTES_MAX: usize = 64 * 1024;
/// How many bytes of each request body are not counted.
pub(crate) const BODY_BYTES_FREE: usize = 1024;
/// Longest body of a request without a key, in bytes, where its route does not allow more.
pub(crate) const KEYLESS_BODY_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of responses that may be large, for all callers.
const RESPONSES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a response that may be large holds from its beginning, in bytes: about one page.
pub(crate) const PAGE_BYTES: usize = 64 * 1024;
/// Most responses of more than one page, for all callers.
const LONG_RESPONSES_MAX: usize = 64;
/// Most responses of more than one page with one token; the administrators together have the share
/// of a caller.
const LONG_RESPONSES_TOKEN_MAX: usize = 4;
/// Most callers who wait for the words of a sound.
const TRANSCRIPTIONS_MAX: usize = 32;
/// Most of them of one user.
const TRANSCRIPTIONS_USER_MAX: usize = 4;
/// Most of them with one token.
const TRANSCRIPTIONS_TOKEN_MAX: usize = 2;
/// Most callers who send a recording.
const UPLOADS_MAX: usize = 16;
/// Most of them of one user.
const UPLOADS_USER_MAX: usize = 2;
/// Most uploads of what bots have recorded.
const RECORDINGS_MAX: usize = 64;
/// Most of them with one meeting's secret.
const RECORDINGS_BOT_MAX: usize = 2;
/// Most bytes of messages that sockets for sound may hold, for all callers: each socket may hold
/// its longest one.
const SOUND_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The same of those who have not said yet who they are.
const STRANGERS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The share of one caller: so many of them use up a limit.
const SHARES: usize = 4;
/// How long a request waits for its share; then the response is 503.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How many callers are remembered before those who hold nothing are forgotten.
const HOLDERS_USUAL: usize = 1024;

/// Who holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Everybody without a key, together.
    Anonymous,
    /// Who reports for a bot from this address ([`Holder::reporter`]): the credential is in the
    /// body.
    Reporter(Option<IpAddr>),
    /// The administrators, together.
    Admin,
    /// The bot of a meeting, by its secret.
    Bot(TokenHash),
    /// A feeder that has signed in by the password of feeders, by the number of its connection.
    Feeder(i64),
    /// A user, with all their tokens.
    User(UserId),
    /// One token of a user.
    Token(TokenId),
}

impl Holder {
    /// Who reports for a bot from an address: of an IPv6 address its network of 64 bits, for a host
    /// may have all addresses of it.
    pub(crate) fn reporter(address: Option<IpAddr>) -> Self {
        let Some(address) = address else { return Self::Reporter(None) };
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                Self::Reporter(Some(Ipv6Addr::from_bits(network).into()))
            }
            address @ IpAddr::V4(_) => Self::Reporter(Some(address)),
        }
    }

    /// Whether a key says who it is.
    fn has_key(self) -> bool {
        !matches!(self, Self::Anonymous | Self::Reporter(_))
    }
}

/// A limit for all callers, and a share of it for each.
pub struct Budget {
    all: Arc<Semaphore>,
    max: usize,
    share_max: usize,
    /// The share of one token.
    token_max: usize,
    shares: Mutex<HashMap<Holder, Arc<Semaphore>>>,
    refused: AtomicU64,
}

/// What a caller holds; it is given back when this is dropped.
#[derive(Debug)]
pub struct Held {
    of_share: OwnedSemaphorePermit,
    of_all: OwnedSemaphorePermit,
}

impl Budget {
    /// At most `max` for all, and `share_max` for one holder.
    pub fn new(max: usize, share_max: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(max)),
            max,
            share_max: share_max.clamp(1, max.max(1)),
            token_max: share_max.clamp(1, max.max(1)),
            shares: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// The same, with another share for a token.
    fn with_token_max(self, token_max: usize) -> Self {
        Self { token_max: token_max.clamp(1, self.share_max), ..self }
    }

    /// Takes some at once; [`Error::Busy`] where there is not as much.
    pub fn take(&self, holder: Holder, count: usize) -> Result<Held> {
        let taken = self.try_take(holder, count);
        if taken.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken.ok_or(Error::Busy)
    }

    /// Takes some, and waits for it for up to [`WAIT_MAX`]; then [`Error::Busy`].
    pub async fn wait(&self, holder: Holder, count: usize) -> Result<Held> {
        self.wait_within(holder, count, WAIT_MAX).await
    }

    /// Takes some, and waits for it for up to `time_max`; then [`Error::Busy`].
    pub(crate) async fn wait_within(
        &self,
        holder: Holder,
        count: usize,
        time_max: Duration,
    ) -> Result<Held> {
        if let Some(held) = self.try_take(holder, count) {
            return Ok(held);
        }
        // On the heap: it seldom runs, and would make the future of every handler larger.
        let in_turn = Box::pin(timeout(time_max, self.take_in_turn(holder, count)));
        if let Ok(Some(held)) = in_turn.await {
            return Ok(held);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(Error::Busy)
    }

    fn try_take(&self, holder: Holder, count: usize) -> Option<Held> {
        let count = self.permits(holder, count);
        let of_share = self.share(holder).try_acquire_many_owned(count).ok()?;
        let of_all = Arc::clone(&self.all).try_acquire_many_owned(count).ok()?;
        Some(Held { of_share, of_all })
    }

    async fn take_in_turn(&self, holder: Holder, count: usize) -> Option<Held> {
        let count = self.permits(holder, count);
        let of_share = self.share(holder).acquire_many_owned(count).await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_many_owned(count).await.ok()?;
        Some(Held { of_share, of_all })
    }

    /// One that needs more than a share may have all of the share.
    fn permits(&self, holder: Holder, count: usize) -> u32 {
        u32::try_from(count.min(self.share_max(holder))).unwrap_or(u32::MAX)
    }

    fn share_max(&self, holder: Holder) -> usize {
        match holder {
            Holder::Token(_) => self.token_max,
            Holder::Anonymous
            | Holder::Reporter(_)
            | Holder::Admin
            | Holder::Bot(_)
            | Holder::Feeder(_)
            | Holder::User(_) => self.share_max,
        }
    }

    /// The semaphore of a holder.
    fn share(&self, holder: Holder) -> Arc<Semaphore> {
        // A panic while the lock was held leaves a map that is whole.
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= HOLDERS_USUAL {
            // Whoever holds or wants some has a reference too.
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = shares.entry(holder);
        let share = share.or_insert_with(|| Arc::new(Semaphore::new(self.share_max(holder))));
        Arc::clone(share)
    }

    /// How much is held.
    pub fn used(&self) -> u64 {
        (self.max - self.all.available_permits()) as u64
    }

    /// How often there was not enough.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Gives back all but `count`.
    pub fn shrink_to(&mut self, count: usize) {
        let rest = self.of_all.num_permits().saturating_sub(count);
        drop(self.of_share.split(rest));
        drop(self.of_all.split(rest));
    }
}

/// Room for request bodies. Anybody can announce a body without a key and not send it, so these
/// bodies have room of their own; and short ones do not wait behind long ones.
pub struct Bodies {
    with_key: BodyRoom,
    keyless: BodyRoom,
}

/// Room for short bodies, and for long ones. Who holds room for a long body never waits for more,
/// so whoever holds some for a short one may wait for a long one's.
pub(crate) struct BodyRoom {
    pub(crate) short: Budget,
    pub(crate) long: Budget,
}

impl Bodies {
    /// Room for bodies of at most `body_bytes_max` bytes. A share of the room for long bodies of
    /// callers with a key has room for one of them, so that every byte of it is counted.
    fn new(bytes_max: usize, body_bytes_max: usize) -> Self {
        let keyless = bytes_max / KEYLESS_SHARES;
        let (with_key, longest) = (bytes_max - keyless, body_bytes_max.saturating_mul(SHARES));
        Self { with_key: BodyRoom::new(with_key, longest), keyless: BodyRoom::new(keyless, 0) }
    }

    /// The room for the bodies of a caller.
    pub(crate) fn of(&self, holder: Holder) -> &BodyRoom {
        if holder.has_key() { &self.with_key } else { &self.keyless }
    }

    fn budgets(&self) -> [&Budget; 4] {
        let (with_key, keyless) = (&self.with_key, &self.keyless);
        [&with_key.short, &with_key.long, &keyless.short, &keyless.long]
    }

    /// How many bytes are held.
    pub fn used(&self) -> u64 {
        self.budgets().iter().map(|budget| budget.used()).sum()
    }

    /// How often there was not enough.
    pub fn refused(&self) -> u64 {
        self.budgets().iter().map(|budget| budget.refused()).sum()
    }
}

impl BodyRoom {
    /// Of `bytes_max` in all, and of `long_bytes_min` at least for long bodies.
    fn new(bytes_max: usize, long_bytes_min: usize) -> Self {
        let short = bytes_max / SHORT_SHARES;
        let long = (bytes_max - short).max(long_bytes_min);
        Self { short: Budget::new(short, short / SHARES), long: Budget::new(long, long / SHARES) }
    }
}

/// The budgets of a server.
pub struct Budgets {
    /// Bytes of request bodies.
    pub bodies: Bodies,
    /// Bytes of responses that may be large.
    pub responses: Budget,
    /// Responses of more than one page.
    pub long_responses: Budget,
    /// Live sockets with a token that is accepted.
    pub sockets: Budget,
    /// Callers who wait for the words of a sound; each holds one as a user and one as a token.
    pub transcriptions: Budget,
    /// Callers who send a recording.
    pub uploads: Budget,
    /// Uploads of what bots have recorded.
    pub recordings: Budget,
    /// Bytes of messages that sockets for sound may hold.
    pub sound: Budget,
    /// The same of those who have not said yet who they are.
    pub strangers: Budget,
}

impl Budgets {
    /// With at most `sockets_max` live sockets, and `sockets_max_user` of one user; for request
    /// bodies of at most `body_bytes_max` bytes.
    pub fn new(sockets_max: usize, sockets_max_user: usize, body_bytes_max: usize) -> Self {
        Self {
            bodies: Bodies::new(BODIES_BYTES_MAX, body_bytes_max),
            responses: Budget::new(RESPONSES_BYTES_MAX, RESPONSES_BYTES_MAX / SHARES),
            long_responses: Budget::new(LONG_RESPONSES_MAX, LONG_RESPONSES_MAX / SHARES)
                .with_token_max(LONG_RESPONSES_TOKEN_MAX),
            sockets: Budget::new(sockets_max, sockets_max_user),
            transcriptions: Budget::new(2 * TRANSCRIPTIONS_MAX, TRANSCRIPTIONS_USER_MAX)
                .with_token_max(TRANSCRIPTIONS_TOKEN_MAX),
            uploads: Budget::new(UPLOADS_MAX, UPLOADS_USER_MAX),
            recordings: Budget::new(RECORDINGS_MAX, RECORDINGS_BOT_MAX),
            sound: Budget::new(SOUND_BYTES_MAX, SOUND_BYTES_MAX / SHARES),
            strangers: Budget::new(STRANGERS_BYTES_MAX, STRANGERS_BYTES_MAX / SHARES),
        }
    }

    /// How often there was not enough of any.
    pub fn refused(&self) -> u64 {
        let (sockets, sound) = (&self.sockets, &self.sound);
        let budgets = [&self.responses, &self.long_responses, sockets, sound, &self.strangers];
        let refused: u64 = budgets.iter().map(|budget| budget.refused()).sum();
        refused + self.bodies.refused()
    }
}

#[cfg(test)]
#[path = "budget/tests.rs"]
mod tests;
