//! Tokens in memory: bounded, filled on first use, changed in the step that publishes a commit.

use crate::auth::counter::Counter;
use crate::auth::identity::{Identity, Outdated};
use crate::auth::pending_usage::PendingUsage;
use crate::domain::{TokenHash, User, UserId};
use crate::error::Result;
use crate::store::{Change, KnownToken, Store};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// Most tokens in each of the two generations.
const GENERATION_MAX: usize = 10_000;
/// Most bytes that the tokens of a generation take: what is known of a user can be large.
const GENERATION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a token takes besides its user, in bytes.
const TOKEN_BYTES: usize = 1024;

/// Marks of users: twice as many as can be in use, so that unused ones are seldom cleared away.
const MARKS_MAX: usize = 4 * GENERATION_MAX;

/// How many changes were published: an identity that was read before the latest is used but not
/// kept.
pub(super) type Epoch = u64;

/// The cache. Two generations bound it: a token that was not used during a whole generation is
/// dropped.
#[derive(Default)]
pub struct TokenCache(RwLock<Memory>);

#[derive(Default)]
struct Memory {
    young: HashMap<TokenHash, Arc<Identity>, HashItself>,
    old: HashMap<TokenHash, Arc<Identity>, HashItself>,
    /// What `young` and `old` take, in bytes.
    young_bytes: usize,
    old_bytes: usize,
    /// The identities of a user share one mark, so a changed user outdates them all at once.
    marks: HashMap<UserId, Mark>,
    epoch: Epoch,
}

/// What the identities of a user share.
struct Mark {
    outdated: Weak<Outdated>,
    user: Weak<User>,
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
    /// The identity of the token with this hash from the database; kept if nothing changed since
    /// `epoch`.
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

    /// Drops what a committed change outdates; on the writer's thread.
    pub fn on_change(&self, change: &Change) {
        match change {
            Change::TokensRevoked(hashes)
            | Change::TokensChanged(hashes)
            | Change::TokensNarrowed(hashes) => {
                let mut memory = self.write();
                memory.epoch += 1;
                for hash in hashes {
                    if let Some(identity) = memory.young.remove(hash) {
                        let bytes = bytes_of(&identity);
                        memory.young_bytes = memory.young_bytes.saturating_sub(bytes);
                    }
                    if let Some(identity) = memory.old.remove(hash) {
                        let bytes = bytes_of(&identity);
                        memory.old_bytes = memory.old_bytes.saturating_sub(bytes);
                    }
                }
            }
            Change::UserChanged(id)
            | Change::UserDisabled(id)
            | Change::UserRemoved(id)
            | Change::SeatsChanged(id) => {
                self.outdate(*id);
            }
            Change::MeetingMoved(moved) => self.outdate(moved.meeting.user_id),
            Change::SegmentsStored(_)
            | Change::MeetingRedacted(_)
            | Change::WordsLate(_)
            | Change::DeliveryDue
            | Change::BotReconfigured(_) => {}
        }
    }

    /// Drops every token of a user.
    fn outdate(&self, id: UserId) {
        let mut memory = self.write();
        memory.epoch += 1;
        let Some(mark) = memory.marks.remove(&id) else { return };
        // Without one, no identity of the user is in memory.
        if let Some(mark) = mark.outdated.upgrade() {
            mark.0.store(true, Ordering::Release);
        }
    }

    /// How many tokens are in memory.
    pub fn len(&self) -> usize {
        let memory = self.read();
        memory.young.len() + memory.old.len()
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        let memory = self.read();
        memory.young_bytes + memory.old_bytes
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The identity in memory, or the epoch in which there was none.
    pub fn get(&self, hash: &TokenHash) -> std::result::Result<Arc<Identity>, Epoch> {
        let memory = self.read();
        if let Some(identity) = memory.young.get(hash)
            && is_fresh(identity)
        {
            return Ok(Arc::clone(identity));
        }
        let identity = match memory.old.get(hash) {
            Some(identity) if is_fresh(identity) => Arc::clone(identity),
            _ => return Err(memory.epoch),
        };
        drop(memory);
        self.write().make_young(hash, &identity);
        Ok(identity)
    }

    // A panic while the lock was held leaves maps that are whole: every step under it is one
    // insertion or removal.
    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the user has not changed since the identity was read.
fn is_fresh(identity: &Identity) -> bool {
    !identity.outdated.0.load(Ordering::Acquire)
}

impl Memory {
    /// Makes an identity, and keeps it if nothing changed since `epoch`.
    fn keep(&mut self, hash: TokenHash, known: KnownToken, epoch: Epoch) -> Arc<Identity> {
        let KnownToken { token, user, seats } = known;
        debug_assert_eq!(token.user_id, user.id, "a token is read with its own user");
        let (mark, shared) = self.shared_by(user.id);
        let user = match shared {
            // As long as nothing has changed, it is the same.
            Some(shared) if epoch == self.epoch => shared,
            _ => Arc::new(user),
        };
        let identity = Arc::new(Identity {
            requests: Arc::new(Counter::new(user.id, token.id)),
            token,
            user,
            seats,
            view: OnceLock::new(),
            last_use_seconds: AtomicI64::new(0),
            outdated: Arc::clone(&mark),
        });
        if epoch != self.epoch {
            return identity;
        }
        if self.marks.len() >= MARKS_MAX {
            self.marks.retain(|_, mark| mark.outdated.strong_count() > 0);
        }
        let user = Arc::downgrade(&identity.user);
        self.marks.insert(identity.user.id, Mark { outdated: Arc::downgrade(&mark), user });
        self.add_young(hash, &identity);
        identity
    }

    /// What the identities of a user share: the mark, or a new one, and the user.
    fn shared_by(&self, id: UserId) -> (Arc<Outdated>, Option<Arc<User>>) {
        let Some(mark) = self.marks.get(&id) else { return (Arc::default(), None) };
        let outdated = mark.outdated.upgrade();
        (outdated.unwrap_or_default(), mark.user.upgrade())
    }

    /// Moves an identity into the young generation, unless it was dropped meanwhile.
    fn make_young(&mut self, hash: &TokenHash, identity: &Arc<Identity>) {
        if self.old.remove(hash).is_some() {
            self.old_bytes = self.old_bytes.saturating_sub(bytes_of(identity));
            self.add_young(*hash, identity);
        }
    }

    /// Adds an identity to the young generation, or begins a new one where that is full.
    fn add_young(&mut self, hash: TokenHash, identity: &Arc<Identity>) {
        let bytes = bytes_of(identity);
        let is_full = self.young.len() >= GENERATION_MAX;
        if is_full || self.young_bytes + bytes > GENERATION_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
        self.young_bytes += bytes;
        if let Some(before) = self.young.insert(hash, Arc::clone(identity)) {
            self.young_bytes = self.young_bytes.saturating_sub(bytes_of(&before));
        }
    }
}

/// About what an identity takes, in bytes, as if its user had no other.
fn bytes_of(identity: &Identity) -> usize {
    TOKEN_BYTES + identity.user.data.as_json().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Data, Email, Hint, Time, Token, TokenId, TokenTerms};

    fn hash(n: i64) -> TokenHash {
        TokenHash(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }

    /// Token `n` of user `n / 10`.
    fn keep(token_cache: &TokenCache, n: i64, epoch: u64) {
        keep_with(token_cache, n, epoch, Data::default());
    }

    /// The same, of a user with this data.
    fn keep_with(token_cache: &TokenCache, n: i64, epoch: u64, data: Data) -> Arc<Identity> {
        let now = Time::from_millis(0);
        let user = User {
            id: UserId(n / 10),
            email: Email::stored("user@example.com".to_owned()),
            name: None,
            image_url: None,
            max_concurrent_bots: 0,
            data,
            created_at: now,
            disabled_at: None,
        };
        let token = Token {
            id: TokenId(n),
            user_id: user.id,
            hint: Hint("AbCd".to_owned()),
            created_at: now,
            last_used_at: None,
            last_address: None,
            disabled_at: None,
            replaced_by: None,
            terms: TokenTerms::default(),
        };
        token_cache.write().keep(hash(n), KnownToken { token, user, seats: 0 }, epoch)
    }

    fn knows(token_cache: &TokenCache, n: i64) -> bool {
        token_cache.get(&hash(n)).is_ok()
    }

    #[test]
    fn a_revoked_token_is_forgotten_at_once() {
        let token_cache = TokenCache::default();
        keep(&token_cache, 1, 0);
        assert!(knows(&token_cache, 1));
        token_cache.on_change(&Change::TokensRevoked(vec![hash(1)]));
        assert!(!knows(&token_cache, 1));
    }

    #[test]
    fn an_identity_read_before_a_change_is_not_kept_after_it() {
        let token_cache = TokenCache::default();
        let before = token_cache.get(&hash(1)).expect_err("nothing is known");
        token_cache.on_change(&Change::TokensRevoked(vec![hash(1)]));
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
            token_cache.on_change(&Change::TokensRevoked(vec![hash(n)]));
        }
        assert!(token_cache.is_empty());
        assert!(token_cache.read().marks.len() <= MARKS_MAX);
    }

    #[test]
    fn the_tokens_of_a_user_share_what_is_known_of_the_user() {
        let token_cache = TokenCache::default();
        let [one, two] = [10, 11].map(|n| keep_with(&token_cache, n, 0, Data::default()));
        assert!(Arc::ptr_eq(&one.user, &two.user));
        token_cache.on_change(&Change::UserChanged(UserId(1)));
        let three = keep_with(&token_cache, 12, 1, Data::default());
        assert!(!Arc::ptr_eq(&one.user, &three.user), "the user has changed");
    }

    #[test]
    fn users_with_much_data_do_not_take_more() {
        let token_cache = TokenCache::default();
        let data = Data::stored(format!("{{\"a\":\"{}\"}}", "x".repeat(16_000)));
        for n in 0..5_000 {
            keep_with(&token_cache, 10 * n, 0, data.clone());
            assert!(knows(&token_cache, 0), "token 0 was forgotten at {n}");
        }
        assert!(token_cache.bytes() <= 32 * 1024 * 1024, "{}", token_cache.bytes());
        assert!(token_cache.len() * 16_000 <= 32 * 1024 * 1024, "{}", token_cache.len());
        for n in 0..5_000 {
            token_cache.on_change(&Change::TokensRevoked(vec![hash(10 * n)]));
        }
        assert_eq!((token_cache.bytes(), token_cache.len()), (0, 0));
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
