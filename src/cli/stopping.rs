//! Long work that a signal stops, so that it removes what it has made before the command ends.

use crate::cli::progress;
use crate::cli::serve::stop_signal;
use crate::exit::{Code, StartupError};
use crate::store::Stop;
use std::pin::Pin;

/// Waits for work, and for the first SIGINT or SIGTERM meanwhile; a second one ends the process at
/// once.
pub(super) struct Stopping {
    stop: Stop,
    signal: Pin<Box<dyn Future<Output = ()>>>,
}

impl Stopping {
    /// From now on a signal does not end the process. Call it in a runtime.
    pub(super) fn new() -> Result<Self, StartupError> {
        let signal = stop_signal(None).map_err(|error| {
            StartupError::new(Code::Unavailable, format!("Cannot wait for signals: {error}."))
        })?;
        Ok(Self { stop: Stop::default(), signal: Box::pin(signal) })
    }

    /// What a signal sets: hand it to the work.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits until the work has ended, also after a signal.
    pub(super) async fn work<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = Box::pin(progress::shown(work));
        tokio::select! {
            done = &mut work => return done,
            () = &mut self.signal, if !self.stop.is_set() => self.stop.set(),
        }
        work.await
    }

    /// The same of work on a thread of its own.
    pub(super) async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T, StartupError> + Send + 'static,
    ) -> Result<T, StartupError> {
        let done = self.work(tokio::task::spawn_blocking(work)).await;
        done.map_err(|error| StartupError::new(Code::Unavailable, error.to_string()))?
    }

    /// Ends with the first signal.
    pub(super) async fn stopped(&mut self) {
        if !self.stop.is_set() {
            self.signal.as_mut().await;
            self.stop.set();
        }
    }
}
