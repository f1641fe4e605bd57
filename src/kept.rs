//! A value that is dear to make: it is kept, and made anew in the background once it is no longer
//! new, while callers get the one before, however old that is. Only the first one is waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a value is new.
const NEW_FOR: Duration = Duration::from_secs(5);
/// It is new for this many times the time that it took to make, so that making it never takes more
/// than a twentieth of one core.
const NEW_FOR_TIMES: u32 = 20;

/// Keeps one value.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    value: Mutex<Option<KeptValue<T>>>,
    /// Held by whoever makes the next one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct KeptValue<T> {
    value: Arc<T>,
    made: Instant,
    new_for: Duration,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: Mutex::default(), turn: Arc::default() }
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    /// The value, if there is one, and whether it is new at `now`.
    fn known(&self, now: Instant) -> Option<(Arc<T>, bool)> {
        let kept = self.lock();
        let kept = kept.as_ref()?;
        let age = now.saturating_duration_since(kept.made);
        Some((Arc::clone(&kept.value), age < kept.new_for))
    }

    /// The value: the one that is kept, or else what `make` makes. Where the kept one is no longer
    /// new, the next is made in the background; of many callers one makes it.
    pub(crate) async fn get<E, F>(
        self: &Arc<Self>,
        now: impl Fn() -> Instant + Send + 'static,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Arc<T>, E>
    where
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        if let Some((value, is_new)) = self.known(now()) {
            if !is_new {
                self.make_behind(now, make);
            }
            return Ok(value);
        }
        let _turn = self.turn.lock().await;
        match self.known(now()) {
            Some((value, _)) => Ok(value),
            None => self.make(now, make).await,
        }
    }

    /// Makes the next one in the background, unless that is under way.
    fn make_behind<E, F>(
        self: &Arc<Self>,
        now: impl Fn() -> Instant + Send + 'static,
        make: impl FnOnce() -> F + Send + 'static,
    ) where
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else { return };
        let kept = Arc::clone(self);
        tokio::spawn(async move {
            // What cannot be made now is made for a later caller.
            drop(kept.make(now, make).await);
            drop(turn);
        });
    }

    async fn make<E, F>(
        &self,
        now: impl Fn() -> Instant,
        make: impl FnOnce() -> F,
    ) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let began = Instant::now();
        let value = Arc::new(make().await?);
        let new_for = NEW_FOR.max(began.elapsed() * NEW_FOR_TIMES);
        let kept = KeptValue { value: Arc::clone(&value), made: now(), new_for };
        *self.lock() = Some(kept);
        Ok(value)
    }

    // A panic while the lock was held leaves a value that is whole.
    fn lock(&self) -> MutexGuard<'_, Option<KeptValue<T>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Semaphore;

    /// A kept count of how often it was made, at a time that the test sets.
    struct Counted {
        kept: Arc<Kept<u64>>,
        made: Arc<AtomicU64>,
        start: Instant,
        seconds: Arc<AtomicU64>,
    }

    impl Counted {
        async fn get(&self) -> u64 {
            let (count, seconds, start) = (self.made.clone(), self.seconds.clone(), self.start);
            let now = move || start + Duration::from_secs(seconds.load(Ordering::SeqCst));
            let next = || async move { Ok::<_, ()>(count.fetch_add(1, Ordering::SeqCst) + 1) };
            *self.kept.get(now, next).await.expect("a value")
        }

        fn at(&self, seconds: u64) {
            self.seconds.store(seconds, Ordering::SeqCst);
        }

        /// Waits until the background has made one more.
        async fn turn_is_free(&self) {
            drop(self.kept.turn.lock().await);
        }
    }

    fn counted() -> Counted {
        Counted {
            kept: Arc::default(),
            made: Arc::default(),
            start: Instant::now(),
            seconds: Arc::default(),
        }
    }

    #[tokio::test]
    async fn a_value_is_kept_while_it_is_new_and_made_anew_behind_the_caller() {
        let counted = counted();
        assert_eq!((counted.get().await, counted.get().await), (1, 1));
        for (made, seconds) in [(1, 6), (2, 1_000_000)] {
            counted.at(seconds);
            assert_eq!(counted.get().await, made, "the one before, at once, however old");
            counted.turn_is_free().await;
            assert_eq!(counted.get().await, made + 1, "made in the background");
        }
    }

    #[tokio::test]
    async fn of_many_callers_one_makes_it_and_none_waits_for_the_next() {
        let kept: Arc<Kept<u64>> = Arc::default();
        let start = Instant::now();
        let (made, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let get = |seconds: u64| {
            let (kept, made, gate) = (kept.clone(), made.clone(), gate.clone());
            let now = move || start + Duration::from_secs(seconds);
            let next = || async move {
                gate.acquire().await.expect("a gate").forget();
                Ok::<_, ()>(made.fetch_add(1, Ordering::SeqCst) + 1)
            };
            async move { *kept.get(now, next).await.expect("a value") }
        };
        let first: Vec<_> = (0..10).map(|_| tokio::spawn(get(0))).collect();
        gate.add_permits(1);
        for one in first {
            assert_eq!(one.await.expect("a caller"), 1);
        }
        // The next one is under way until the gate opens.
        for _ in 0..10 {
            assert_eq!(get(1_000_000).await, 1);
        }
        gate.add_permits(1);
        drop(kept.turn.lock().await);
        assert_eq!((get(1_000_000).await, made.load(Ordering::SeqCst)), (2, 2));
    }

    #[tokio::test]
    async fn what_cannot_be_made_leaves_the_one_before() {
        let kept: Arc<Kept<u64>> = Arc::default();
        let start = Instant::now();
        let get = |seconds: u64, next: Result<u64, &'static str>| {
            let kept = kept.clone();
            let now = move || start + Duration::from_secs(seconds);
            async move { kept.get(now, move || async move { next }).await.map(|value| *value) }
        };
        assert_eq!(get(0, Err("busy")).await, Err("busy"));
        assert_eq!(get(0, Ok(1)).await, Ok(1));
        assert_eq!(get(1000, Err("busy")).await, Ok(1));
        drop(kept.turn.lock().await);
        assert_eq!(get(1000, Ok(2)).await, Ok(1));
        drop(kept.turn.lock().await);
        assert_eq!(get(1000, Ok(3)).await, Ok(2));
    }
}
