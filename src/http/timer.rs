//! A timer for hyper that is wound once for many deadlines.
//!
//! hyper takes a new sleep for each request and drops it when the head has arrived. Winding the runtime's clock each
//! time costs more than finding the token; so one sleep of the runtime stays with the connection, and only when it
//! rings is it looked at whether the present deadline is reached.

use hyper::rt::{Sleep, Timer};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::{Instant as TokioInstant, Sleep as TokioSleep, sleep_until};

type Clock = Pin<Box<TokioSleep>>;

/// The timer of one connection.
#[derive(Clone, Default)]
pub struct ConnectionTimer(Arc<Mutex<Option<Clock>>>);

impl ConnectionTimer {
    fn take(&self) -> Option<Clock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        // A clock that rings later than asked for serves nobody; one that rings earlier is wound again when it does.
        let fits = |clock: &Clock| clock.deadline().into_std() <= deadline;
        let clock = self.take().filter(fits).unwrap_or_else(|| Box::pin(sleep_until(deadline.into())));
        Box::pin(Borrowed { deadline, clock: Some(clock), owner: self.clone() })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        *sleep = self.sleep_until(new_deadline);
    }
}

/// A deadline, and the connection's clock for as long as somebody waits for it.
struct Borrowed {
    deadline: Instant,
    clock: Option<Clock>,
    owner: ConnectionTimer,
}

impl Future for Borrowed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let Some(clock) = &mut self.clock else { return Poll::Ready(()) };
        while clock.as_mut().poll(context).is_ready() {
            if TokioInstant::now().into_std() >= deadline {
                return Poll::Ready(());
            }
            clock.as_mut().reset(TokioInstant::from_std(deadline));
        }
        Poll::Pending
    }
}

impl Sleep for Borrowed {}

impl Drop for Borrowed {
    fn drop(&mut self) {
        *self.owner.0.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rings_at_the_latest_deadline_and_not_before() {
        let timer = ConnectionTimer::default();
        let began = TokioInstant::now();
        for request in 1..=5 {
            let sleep = timer.sleep_until((began + Duration::from_secs(request)).into_std());
            drop(sleep);
        }
        let last = began + Duration::from_secs(9);
        let mut sleep = timer.sleep_until(last.into_std());
        assert!(tokio::time::timeout(Duration::from_secs(8), &mut sleep).await.is_err(), "rang early");
    }
}
