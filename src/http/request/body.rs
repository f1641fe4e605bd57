//! Request bodies: bounded in size and time, and in what all of them take together.

use crate::budget::{BODY_BYTES_FREE, Bodies, Held, Holder, SHORT_BODY_BYTES_MAX};
use crate::error::{Error, Result};
use crate::http::connection_activity::ConnectionActivity;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a client may send nothing of a long body: meanwhile nobody else has its room.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// What is said of a body whose sender hung up.
pub(crate) const CUT_OFF: &str = "The body ended before it was complete.";

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

    pub(crate) fn finish(&self) {
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
    pub bodies: &'a Bodies,
    /// Whose body it is.
    pub holder: Holder,
}

/// A body that was read; its bytes count until this is dropped.
#[derive(Default)]
pub(crate) struct ReadBody {
    pub bytes: Vec<u8>,
    /// Given back when this is dropped.
    _held: Option<Held>,
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
async fn collect<B>(mut body: B, limits: &BodyLimits<'_>) -> Result<ReadBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = announced_bytes(&body);
    let expected = announced.unwrap_or(limits.bytes_max);
    // Of a body that announces no length it shows while it comes whether it is long.
    let counted_first = announced.unwrap_or(SHORT_BODY_BYTES_MAX.min(limits.bytes_max));
    let mut room = Taken::begin(limits, counted_first).await?;
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(frame) = next_frame(&mut body, room.is_long).await? {
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limits.bytes_max {
            return Err(Error::TooLarge(limits.bytes_max));
        }
        if length > SHORT_BODY_BYTES_MAX && !room.is_long {
            room = Taken::begin(limits, expected).await?;
        }
        if length > bytes.capacity() {
            // For as many again, where more may come.
            let capacity = (2 * bytes.capacity()).min(expected).max(length);
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    bytes.shrink_to_fit();
    let mut held = room.held;
    if let Some(held) = &mut held {
        held.shrink_to(counted(bytes.len()));
    }
    Ok(ReadBody { bytes, _held: held })
}

/// The room that a body has.
struct Taken {
    is_long: bool,
    held: Option<Held>,
}

impl Taken {
    /// Waits for the room of a body of this length. Before that is free nothing is read, and the
    /// system holds what was sent. All that a long body may take is taken at once: bodies that each
    /// held some and waited for more would keep each other from their end.
    async fn begin(limits: &BodyLimits<'_>, length: usize) -> Result<Self> {
        let is_long = length > SHORT_BODY_BYTES_MAX;
        let room = limits.bodies.of(limits.holder);
        let budget = if is_long { &room.long } else { &room.short };
        let held = match counted(length) {
            0 => None,
            count => Some(budget.wait(limits.holder, count).await?),
        };
        Ok(Self { is_long, held })
    }
}

/// What comes next of a body. A long one must not be silent for long.
async fn next_frame<B>(body: &mut B, is_long: bool) -> Result<Option<Frame<Bytes>>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let frame = if is_long {
        tokio::time::timeout(SILENCE_MAX, body.frame()).await.map_err(|_| Error::TooSlow)?
    } else {
        body.frame().await
    };
    frame.transpose().map_err(|_| Error::Malformed(CUT_OFF))
}

/// The length that a body announces.
fn announced_bytes(body: &impl Body) -> Option<usize> {
    usize::try_from(body.size_hint().exact()?).ok()
}

/// How many bytes of a body of this length are counted.
fn counted(length: usize) -> usize {
    length.saturating_sub(BODY_BYTES_FREE)
}

#[cfg(test)]
#[path = "body/tests.rs"]
mod tests;
