//! A value that is dear to make and may be some seconds old: it is kept, and made anew in the
//! background while callers get the one before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a value is new.
const NEW_FOR: Duration = Duration::from_secs(5);
/// It is new for this many times the time that it took to make, so that making it never takes more
/// than a twentieth of one core.
const NEW_FOR_TIMES: u32 = 20;
/// How old a value may be that callers get while another is made.
const OLD_MAX: Duration = Duration::from_mins(1);

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
    /// The value, if there is one that callers may get at `now`.
    fn known(&self, now: Instant) -> Option<(Arc<T>, bool)> {
        let kept = self.lock();
        let kept = kept.as_ref()?;
        let age = now.saturating_duration_since(kept.made);
        let is_new = age < kept.new_for;
        (age < kept.new_for + OLD_MAX).then(|| (Arc::clone(&kept.value), is_new))
    }

    /// The value: the one that is kept, or else what `make` makes. Where the kept one is no longer
    /// new, it is made anew in the background; of many callers one makes it.
    pub(crate) async fn get<E, F>(
        self: &Arc<Self>,
        now: impl Fn() -> Instant + Send + 'static,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Arc<T>, E>
    where
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        let known = self.known(now());
        if let Some((value, true)) = known {
            return Ok(value);
        }
        if let Some((value, false)) = known {
            if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
                let kept = Arc::clone(self);
                tokio::spawn(async move {
                    // What cannot be made now is made for a later caller, who is told why not.
                    drop(kept.make(now, make).await);
                    drop(turn);
                });
            }
            return Ok(value);
        }
        let _turn = self.turn.lock().await;
        match self.known(now()) {
            Some((value, true)) => Ok(value),
            _ => self.make(now, make).await,
        }
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

    #[tokio::test]
    async fn a_value_is_kept_while_it_is_new_and_made_anew_behind_the_caller() {
        let counted = Counted {
            kept: Arc::default(),
            made: Arc::default(),
            start: Instant::now(),
            seconds: Arc::default(),
        };
        assert_eq!((counted.get().await, counted.get().await), (1, 1));
        counted.at(6);
        assert_eq!(counted.get().await, 1, "the one before, at once");
        counted.turn_is_free().await;
        assert_eq!(counted.get().await, 2, "made in the background");
        counted.at(1000);
        assert_eq!(counted.get().await, 3, "nobody gets one that is very old");
    }
}
