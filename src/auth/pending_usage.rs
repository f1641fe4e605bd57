//! Usage that is not in the database yet: recorded in memory, written in batches, never by a
//! request.

use crate::auth::counter::{Before, Counter};
use crate::auth::identity::Identity;
use crate::domain::found::FoundUser;
use crate::domain::{Day, Time, Token, TokenId, UsageCounts, UsageKey, UserId};
use crate::error::Result;
use crate::store::{Store, TouchTokens, WriteUsage};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tokens or usage rows in one write.
const ROWS_PER_WRITE: usize = 1000;

/// Usage and last uses that are not in the database yet.
#[derive(Default)]
pub struct PendingUsage {
    last: Mutex<HashMap<TokenId, LastUse>>,
    unwritten: Mutex<Unwritten>,
    /// One batch at a time: what is being written is still in `unwritten`, and must not be written
    /// twice.
    turn: tokio::sync::Mutex<()>,
}

/// When a token was last used, and from which address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastUse {
    user_id: UserId,
    at: Time,
    address: Option<IpAddr>,
}

#[derive(Default)]
struct Unwritten {
    /// Counters that have counted something since the last batch, whether their identities are
    /// still in memory or not.
    counters: Vec<Arc<Counter>>,
    counts: HashMap<UsageKey, UsageCounts>,
}

impl Unwritten {
    fn add(&mut self, key: UsageKey, counts: UsageCounts) {
        *self.counts.entry(key).or_default() += counts;
    }
}

impl PendingUsage {
    /// Records a request. Only the first after a batch, the first of a day and the first in each
    /// second take a lock.
    pub fn record_use(&self, identity: &Identity, now: Time, address: Option<IpAddr>) {
        self.count(&identity.requests, Day::of(now));
        let second = now.as_millis() / 1000;
        if identity.last_use_seconds.load(Ordering::Relaxed) == second {
            return;
        }
        identity.last_use_seconds.store(second, Ordering::Relaxed);
        let at = Time::from_millis(second * 1000);
        let last = LastUse { user_id: identity.user.id, at, address };
        self.last().insert(identity.token.id, last);
    }

    fn count(&self, counter: &Arc<Counter>, day: Day) {
        match counter.count(day) {
            None => {}
            Some(Before::Nothing) => self.unwritten().counters.push(Arc::clone(counter)),
            Some(Before::Other(key, counts)) => self.unwritten().add(key, counts),
        }
    }

    /// Records transcript that a bot has stored, in milliseconds; negative where it took something
    /// back.
    pub fn record_transcript(&self, user_id: UserId, token_id: TokenId, more_ms: i64, now: Time) {
        if more_ms == 0 {
            return;
        }
        let key = UsageKey { user_id, day: Day::of(now), token_id };
        let counts = UsageCounts { transcript_ms: more_ms, ..UsageCounts::default() };
        self.unwritten().add(key, counts);
    }

    /// Sets the last use of tokens that were read from the database, where a later one is recorded
    /// here.
    pub(crate) fn apply_pending(&self, tokens: &mut [Token]) {
        for token in tokens {
            let (used_at, address) = (&mut token.last_used_at, &mut token.last_address);
            self.apply_last_use(token.id, token.created_at, used_at, address);
        }
    }

    /// The same for one token: when it was last used, which is not before it was created, and from
    /// which address.
    pub(crate) fn apply_last_use(
        &self,
        id: TokenId,
        created_at: Time,
        used_at: &mut Option<Time>,
        address: &mut Option<String>,
    ) {
        let last_uses = self.last();
        let Some(last) = last_uses.get(&id) else { return };
        if *used_at <= Some(last.at) {
            *used_at = Some(last.at.max(created_at));
            *address = last.address.map(|address| address.to_string());
        }
    }

    /// Sets when users last used one of their tokens, where a later use is recorded here.
    pub(crate) fn apply_to_users(&self, users: &mut [FoundUser]) {
        let ids = users.iter().map(|found| (found.user.id, None));
        let mut newest: HashMap<UserId, Option<Time>> = ids.collect();
        // Every request takes this lock, so nothing but the users of the page is kept.
        for last in self.last().values() {
            if let Some(at) = newest.get_mut(&last.user_id) {
                *at = (*at).max(Some(last.at));
            }
        }
        for found in users {
            let Some(&Some(at)) = newest.get(&found.user.id) else { continue };
            let at = at.max(found.user.created_at);
            found.last_used_at = found.last_used_at.max(Some(at));
        }
    }

    /// Writes all that is recorded. Last uses are written also where the counts could not be.
    pub async fn write(&self, store: &Store) -> Result<()> {
        let counts = self.write_counts(store).await;
        let last_uses = self.write_last_uses(store).await;
        last_uses.and(counts)
    }

    /// Writes the counts. They are dropped only after their commit, so that nothing is lost with a
    /// write that fails. Let it run to its end: cancelled after a commit, the same counts would be
    /// written again.
    pub async fn write_counts(&self, store: &Store) -> Result<()> {
        let _turn = self.turn.lock().await;
        for chunk in self.gathered().chunks(ROWS_PER_WRITE) {
            store.write(WriteUsage { used: chunk.to_vec() }).await?;
            self.subtract(chunk);
        }
        Ok(())
    }

    /// The right to move counts from memory into the database; nobody else does while it is held.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Empties the counters into `counts`, and returns all of those.
    pub(crate) fn gathered(&self) -> Vec<(UsageKey, UsageCounts)> {
        let mut unwritten = self.unwritten();
        for counter in std::mem::take(&mut unwritten.counters) {
            if let Some((key, counts)) = counter.take() {
                unwritten.add(key, counts);
            }
        }
        unwritten.counts.iter().map(|(&key, &counts)| (key, counts)).collect()
    }

    /// Takes off what was written, and nothing that was recorded meanwhile.
    fn subtract(&self, written: &[(UsageKey, UsageCounts)]) {
        let mut unwritten = self.unwritten();
        for (key, counts) in written {
            let Some(recorded) = unwritten.counts.get_mut(key) else { continue };
            *recorded = *recorded - *counts;
            if *recorded == UsageCounts::default() {
                unwritten.counts.remove(key);
            }
        }
    }

    /// Writes the last uses of tokens. One is dropped after its commit, unless a later one was
    /// recorded meanwhile.
    async fn write_last_uses(&self, store: &Store) -> Result<()> {
        let mut last_uses = Vec::new();
        for (&id, &last) in &*self.last() {
            last_uses.push((id, last));
        }
        for chunk in last_uses.chunks(ROWS_PER_WRITE) {
            let mut used = Vec::new();
            for (id, last) in chunk {
                let address = last.address.map(|address| address.to_string());
                used.push((*id, last.at, address));
            }
            store.write(TouchTokens { used }).await?;
            let mut recorded = self.last();
            for (id, last) in chunk {
                if recorded.get(id) == Some(last) {
                    recorded.remove(id);
                }
            }
        }
        Ok(())
    }

    fn last(&self) -> MutexGuard<'_, HashMap<TokenId, LastUse>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwritten(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Data, Email, UsageBy, UsagePlace};
    use crate::store::{CreateUser, Options, UsageFilter};
    use std::path::Path;
    use std::thread;

    const THREADS: i64 = 8;
    const REQUESTS: i64 = 20_000;

    fn day(number: i64) -> Day {
        Day::from_number(20_371 + number)
    }

    fn counter() -> Arc<Counter> {
        Arc::new(Counter::new(UserId(1), TokenId(1)))
    }

    fn open(folder: &Path) -> Store {
        let path = folder.join("vomeet.db");
        Store::open(&Options { path, small_readers: 1, long_readers: 1, queue_max: 8 }, |_| {})
            .expect("a store")
    }

    async fn by_day(store: &Store) -> serde_json::Value {
        let filter = UsageFilter {
            from: day(-9),
            to: day(9),
            user_id: None,
            token_id: None,
            by: Some(UsageBy::Day),
            after: UsagePlace::default(),
            limit: None,
        };
        let lines = store.usage(filter, Vec::new()).await.expect("lines").lines;
        let line = |line| serde_json::to_value(line).expect("JSON");
        lines
            .iter()
            .map(line)
            .map(|line| serde_json::json!([line["requests"], line["transcript_minutes"]]))
            .collect()
    }

    #[test]
    fn eight_threads_at_midnight_count_every_request_on_its_day() {
        let (usage, old, new) = (PendingUsage::default(), counter(), counter());
        let mut written: HashMap<UsageKey, UsageCounts> = HashMap::new();
        let mut write = || {
            let batch = usage.gathered();
            for (key, counts) in &batch {
                *written.entry(*key).or_default() += *counts;
            }
            usage.subtract(&batch);
        };
        let count = &|thread: i64| {
            // Two callers of one token, as when a user has changed; the clocks of the threads
            // disagree about midnight.
            for n in 0..REQUESTS {
                usage.count(if n % 3 == 0 { &old } else { &new }, day((n / 7 + thread) % 2));
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..THREADS).map(|thread| scope.spawn(move || count(thread))).collect();
            while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
                write();
            }
        });
        write();
        assert!(usage.gathered().is_empty());
        let requests =
            |day| written[&UsageKey { user_id: UserId(1), day, token_id: TokenId(1) }].requests;
        let expected = |day| {
            (0..THREADS)
                .flat_map(|thread| (0..REQUESTS).filter(move |n| (n / 7 + thread) % 2 == day))
                .count()
        };
        for number in [0, 1] {
            assert_eq!(
                usize::try_from(requests(day(number))),
                Ok(expected(number)),
                "day {number}"
            );
        }
        assert_eq!(requests(day(0)) + requests(day(1)), THREADS * REQUESTS);
    }

    #[tokio::test]
    async fn a_batch_that_fails_is_neither_lost_nor_doubled() {
        let folder = tempfile::tempdir().expect("a folder");
        let (usage, counter) = (PendingUsage::default(), counter());
        let at = |number: i64| Time::from_millis((20_371 + number) * 86_400_000);
        let mut store = open(folder.path());
        let email = Email::stored("one@example.com".to_owned());
        let user = CreateUser {
            email,
            name: None,
            image_url: None,
            max_concurrent_bots: 1,
            data: Data::default(),
            now: at(0),
        };
        store.write(user).await.expect("a user");
        for batch in 0..3 {
            (0..5).for_each(|_| usage.count(&counter, day(0)));
            usage.record_transcript(UserId(1), TokenId(1), 60_000, at(0));
            store.close();
            usage.write_counts(&store).await.expect_err("nobody writes");
            usage.count(&counter, day(0));
            usage.count(&counter, day(1));
            usage.record_transcript(UserId(1), TokenId(1), -30_000, at(1));
            // Of somebody who was never there, or is gone.
            usage.record_transcript(UserId(9), TokenId(9), 60_000, at(0));
            drop(store);
            store = open(folder.path());
            for _ in 0..2 {
                usage.write_counts(&store).await.expect("written");
                let times = f64::from(batch + 1);
                let expected =
                    serde_json::json!([[6 * (batch + 1), times], [batch + 1, -times / 2.0]]);
                assert_eq!(by_day(&store).await, expected, "after batch {batch}");
            }
        }
        assert!(usage.unwritten().counts.is_empty());
    }
}
