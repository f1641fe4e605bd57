//! Request bodies: bounded in size and time, and in what all of them take together.

use crate::budget::{BODY_BYTES_FREE, Budget, Held, Holder};
use crate::error::{Error, Result};
use crate::http::connection_activity::ConnectionActivity;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much of a body must be free before it is read, in bytes.
const FIRST_BYTES: usize = 4 * 1024;

/// Whether some of a body is still unread when the response is ready; the connection is then closed
/// after it.
#[derive(Clone)]
pub struct BodyState(Option<Arc<Unread>>);

struct Unread {
    is_left: AtomicBool,
    /// What is told that the body has come; `None` where there is no connection.
    activity: Option<Arc<ConnectionActivity>>,
}

impl BodyState {
    /// Watches a body; one that is empty needs no watching.
    pub fn watch(body: &Incoming, activity: Option<&Arc<ConnectionActivity>>) -> Self {
        if body.is_end_stream() {
            return Self(None);
        }
        let activity = activity.cloned();
        Self(Some(Arc::new(Unread { is_left: AtomicBool::new(true), activity })))
    }

    /// Whether some of the body was left unread.
    pub fn is_left(&self) -> bool {
        self.0.as_ref().is_some_and(|unread| unread.is_left.load(Ordering::Acquire))
    }

    fn finish(&self) {
        let Some(unread) = &self.0 else { return };
        unread.is_left.store(false, Ordering::Release);
        if let Some(activity) = &unread.activity {
            activity.body_came();
        }
    }
}

/// What a body may take.
pub(crate) struct BodyLimits<'a> {
    /// Most bytes.
    pub bytes_max: usize,
    /// How long it may take.
    pub time_max: Duration,
    /// What counts the bytes of all bodies.
    pub budget: &'a Budget,
    /// Whose body it is.
    pub holder: Holder,
}

/// A body that was read; its bytes count until this is dropped.
#[derive(Default)]
pub(crate) struct ReadBody {
    pub bytes: Vec<u8>,
    held: Option<Held>,
}

/// Reads a body to its end into one buffer. [`Error::Busy`] where all bodies together take too much
/// for it.
pub(crate) async fn read(
    body: Incoming,
    limits: &BodyLimits<'_>,
    body_state: &BodyState,
) -> Result<ReadBody> {
    if body.is_end_stream() {
        return Ok(ReadBody::default());
    }
    if body.size_hint().lower() > limits.bytes_max as u64 {
        return Err(Error::TooLarge(limits.bytes_max));
    }
    // On the heap: most requests have no body, and their futures stay small.
    let read = Box::pin(tokio::time::timeout(limits.time_max, collect(body, limits))).await;
    let read = read.map_err(|_| Error::TooSlow)??;
    body_state.finish();
    Ok(read)
}

/// Copies frames, because keeping them would keep the buffers they were cut from.
async fn collect(mut body: Incoming, limits: &BodyLimits<'_>) -> Result<ReadBody> {
    let mut read = ReadBody::default();
    // Before that is free nothing is read, and the system holds what was sent.
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(limits.bytes_max);
    read.make_room(expected.min(FIRST_BYTES), limits).await?;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Error::Malformed("The body ended before it was complete."))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = read.bytes.len() + data.len();
        if length > limits.bytes_max {
            return Err(Error::TooLarge(limits.bytes_max));
        }
        if length > read.bytes.capacity() {
            read.make_room(length, limits).await?;
        }
        read.bytes.extend_from_slice(&data);
    }
    Ok(read)
}

impl ReadBody {
    /// Makes room for `length` bytes, and for as many again where more may come.
    async fn make_room(&mut self, length: usize, limits: &BodyLimits<'_>) -> Result<()> {
        let capacity = (2 * self.bytes.capacity()).min(limits.bytes_max).max(length);
        let counted_before = self.bytes.capacity().saturating_sub(BODY_BYTES_FREE);
        let counted = capacity.saturating_sub(BODY_BYTES_FREE);
        if counted > counted_before {
            let more = limits.budget.wait(limits.holder, counted - counted_before).await?;
            match &mut self.held {
                Some(held) => held.add(more),
                None => self.held = Some(more),
            }
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }
}
