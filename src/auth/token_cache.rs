//! What is known of tokens: bounded, filled on first use, changed in the step that announces a commit.

use crate::auth::counter::Counter;
use crate::auth::identity::{Identity, Outdated};
use crate::auth::pending_usage::PendingUsage;
use crate::domain::{TokenHash, UserId};
use crate::error::Result;
use crate::store::{Change, KnownToken, Store};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// Tokens in each of the two generations; about 1 KiB each.
const GENERATION_MAX: usize = 10_000;

/// Marks of users; twice as many as can be in use, so that those out of use are seldom looked for.
const MARKS_MAX: usize = 4 * GENERATION_MAX;

/// How many changes were heard: a verdict that was read before the latest is used but not kept.
pub type Epoch = u64;

/// The memory. Two generations bound it: what was not asked for during a whole generation is forgotten.
#[derive(Default)]
pub struct TokenCache(RwLock<Memory>);

#[derive(Default)]
struct Memory {
    young: HashMap<TokenHash, Arc<Identity>, HashItself>,
    old: HashMap<TokenHash, Arc<Identity>, HashItself>,
    /// The callers of a user share one mark, so a changed user outdates them all at once.
    marks: HashMap<UserId, Weak<Outdated>>,
    epoch: Epoch,
}

/// The key is a BLAKE3 hash: eight of its bytes are as good as a hash of it.
#[derive(Default, Clone)]
struct HashItself;

impl BuildHasher for HashItself {
    type Hasher = First8;

    fn build_hasher(&self) -> First8 {
        First8(0)
    }
}

struct First8(u64);

impl Hasher for First8 {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl TokenCache {
    /// Who holds the token with this hash, according to the file; kept if nothing changed since `epoch`.
    pub fn load(
        &self,
        hash: &TokenHash,
        store: &Store,
        epoch: Epoch,
        usage: &PendingUsage,
    ) -> Result<Option<Arc<Identity>>> {
        let Some(mut known) = store.known_token(hash)? else { return Ok(None) };
        usage.apply_pending(std::slice::from_mut(&mut known.token));
        Ok(Some(self.write().keep(*hash, known, epoch)))
    }

    /// Forgets what a committed change makes untrue.
    pub fn on_change(&self, change: &Change) {
        match change {
            Change::TokenRevoked(hash) | Change::TokenChanged(hash) => {
                let mut memory = self.write();
                memory.epoch += 1;
                memory.young.remove(hash);
                memory.old.remove(hash);
            }
            Change::UserChanged(id) | Change::UserDisabled(id) | Change::UserRemoved(id) | Change::SeatsChanged(id) => {
                self.outdate(*id);
            }
            Change::MeetingMoved(moved) => self.outdate(moved.meeting.user_id),
            Change::SegmentsStored(_) | Change::MeetingRedacted(_) => {}
        }
    }

    /// Every token of a user is looked up anew.
    fn outdate(&self, id: UserId) {
        let mut memory = self.write();
        memory.epoch += 1;
        if let Some(mark) = memory.marks.remove(&id).and_then(|mark| mark.upgrade()) {
            mark.0.store(true, Ordering::Release);
        }
    }

    /// How many tokens are in memory.
    pub fn len(&self) -> usize {
        let memory = self.read();
        memory.young.len() + memory.old.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The caller in memory, or the epoch in which there was none.
    pub fn get(&self, hash: &TokenHash) -> std::result::Result<Arc<Identity>, Epoch> {
        let memory = self.read();
        let fresh = |caller: &&Arc<Identity>| !caller.outdated.0.load(Ordering::Acquire);
        if let Some(caller) = memory.young.get(hash).filter(fresh) {
            return Ok(Arc::clone(caller));
        }
        let (epoch, old) = (memory.epoch, memory.old.get(hash).filter(fresh).cloned());
        drop(memory);
        let caller = old.ok_or(epoch)?;
        let mut memory = self.write();
        if memory.old.remove(hash).is_some() {
            memory.make_room();
            memory.young.insert(*hash, Arc::clone(&caller));
        }
        Ok(caller)
    }

    // A panic while the lock was held leaves maps that are whole: every step under it is one insertion or removal.
    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn keep(&mut self, hash: TokenHash, KnownToken { token, user, seats }: KnownToken, epoch: Epoch) -> Arc<Identity> {
        let mark = self.marks.get(&user.id).and_then(Weak::upgrade).unwrap_or_default();
        let caller = Arc::new(Identity {
            requests: Arc::new(Counter::new(user.id, token.id)),
            token,
            user,
            seats,
            view: OnceLock::new(),
            noted: AtomicI64::new(0),
            outdated: Arc::clone(&mark),
        });
        if epoch == self.epoch {
            self.make_room();
            if self.marks.len() >= MARKS_MAX {
                self.marks.retain(|_, mark| mark.strong_count() > 0);
            }
            self.marks.insert(caller.user.id, Arc::downgrade(&mark));
            self.young.insert(hash, Arc::clone(&caller));
        }
        caller
    }

    fn make_room(&mut self) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Data, Email, Hint, Scope, Time, Token, TokenId, User};

    fn hash(n: i64) -> TokenHash {
        TokenHash(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }

    /// Token `n` of user `n / 10`.
    fn keep(token_cache: &TokenCache, n: i64, epoch: u64) {
        let now = Time::from_millis(0);
        let user = User {
            id: UserId(n / 10),
            email: Email::stored("user@example.com".to_owned()),
            name: None,
            image_url: None,
            max_concurrent_bots: 0,
            data: Data::default(),
            created_at: now,
            disabled_at: None,
        };
        let token = Token {
            id: TokenId(n),
            user_id: user.id,
            name: None,
            hint: Hint("AbCd".to_owned()),
            created_at: now,
            expires_at: None,
            last_used_at: None,
            last_address: None,
            disabled_at: None,
            disuse_seconds: None,
            replaced_by: None,
            scope: Scope::default(),
        };
        token_cache.write().keep(hash(n), KnownToken { token, user, seats: 0 }, epoch);
    }

    fn knows(token_cache: &TokenCache, n: i64) -> bool {
        token_cache.get(&hash(n)).is_ok()
    }

    #[test]
    fn a_revoked_token_is_forgotten_at_once() {
        let token_cache = TokenCache::default();
        keep(&token_cache, 1, 0);
        assert!(knows(&token_cache, 1));
        token_cache.on_change(&Change::TokenRevoked(hash(1)));
        assert!(!knows(&token_cache, 1));
    }

    #[test]
    fn a_verdict_read_before_a_change_is_not_kept_after_it() {
        let token_cache = TokenCache::default();
        let before = token_cache.get(&hash(1)).expect_err("nothing is known");
        token_cache.on_change(&Change::TokenRevoked(hash(1)));
        keep(&token_cache, 1, before);
        assert!(!knows(&token_cache, 1));
    }

    #[test]
    fn a_changed_user_outdates_all_their_tokens_and_nobody_elses() {
        let token_cache = TokenCache::default();
        (10..30).for_each(|n| keep(&token_cache, n, 0));
        token_cache.on_change(&Change::UserChanged(UserId(1)));
        assert!((10..20).all(|n| !knows(&token_cache, n)));
        assert!((20..30).all(|n| knows(&token_cache, n)));
        keep(&token_cache, 10, 1);
        assert!(knows(&token_cache, 10) && !knows(&token_cache, 11));
    }

    #[test]
    fn revoked_tokens_leave_nothing_behind() {
        let token_cache = TokenCache::default();
        for n in (0..2_000_000).step_by(10) {
            let epoch = token_cache.read().epoch;
            keep(&token_cache, n, epoch);
            token_cache.on_change(&Change::TokenRevoked(hash(n)));
        }
        assert!(token_cache.is_empty());
        assert!(token_cache.read().marks.len() <= MARKS_MAX);
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_asked_for() {
        let token_cache = TokenCache::default();
        for n in 0..50_000 {
            keep(&token_cache, n, 0);
            assert!(knows(&token_cache, 0), "token 0 was forgotten at {n}");
        }
        assert!(token_cache.len() <= 2 * GENERATION_MAX);
        assert!(token_cache.read().marks.len() <= MARKS_MAX);
        assert!(!knows(&token_cache, 1));
    }
}
