//! Request bodies: bounded in size and time, and in what all of them take together.

use crate::budget::{BODY_BYTES_FREE, Budget, Held, Holder};
use crate::error::{Error, Result};
use crate::http::connection_activity::ConnectionActivity;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    let expected = expected_bytes(&body, limits.bytes_max);
    // Before that is free nothing is read, and the system holds what was sent. All is taken at
    // once: bodies that each held some and waited for more would keep each other from their end.
    let mut held = match counted(expected) {
        0 => None,
        count => Some(limits.budget.wait(limits.holder, count).await?),
    };
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Error::Malformed("The body ended before it was complete."))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limits.bytes_max {
            return Err(Error::TooLarge(limits.bytes_max));
        }
        if length > bytes.capacity() {
            // For as many again, where more may come.
            let capacity = (2 * bytes.capacity()).min(expected).max(length);
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    bytes.shrink_to_fit();
    if let Some(held) = &mut held {
        held.shrink_to(counted(bytes.len()));
    }
    Ok(ReadBody { bytes, _held: held })
}

/// The length that a body announces, or the most that it may have.
fn expected_bytes(body: &impl Body, bytes_max: usize) -> usize {
    let announced = body.size_hint().exact();
    let announced = announced.and_then(|length| usize::try_from(length).ok());
    announced.unwrap_or(bytes_max)
}

/// How many bytes of a body of this length are counted.
fn counted(length: usize) -> usize {
    length.saturating_sub(BODY_BYTES_FREE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budgets;
    use crate::domain::UserId;
    use hyper::body::{Frame, SizeHint};
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::task::JoinSet;

    const PIECE: usize = 16 * 1024;
    const PIECES: usize = 64;

    /// A body of a megabyte that comes piece by piece.
    struct Upload {
        left: usize,
        /// Whether its length is known from the beginning.
        announced: bool,
        is_ready: bool,
    }

    impl Body for Upload {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            // The other uploads have their turn between two pieces.
            self.is_ready = !self.is_ready;
            if self.is_ready {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; PIECE])))))
        }

        fn size_hint(&self) -> SizeHint {
            match self.announced {
                true => SizeHint::with_exact((self.left * PIECE) as u64),
                false => SizeHint::default(),
            }
        }
    }

    /// The time stands still while anybody can go on, so the uploads never wait for long.
    #[tokio::test(start_paused = true)]
    async fn sixteen_uploads_of_one_user_at_once_all_come_to_their_end() {
        for announced in [true, false] {
            let budgets = Arc::new(Budgets::new(1, 1));
            let mut uploads = JoinSet::new();
            for _ in 0..16 {
                let budgets = Arc::clone(&budgets);
                uploads.spawn(async move {
                    let limits = BodyLimits {
                        bytes_max: 1024 * 1024,
                        time_max: Duration::from_secs(10),
                        budget: &budgets.bodies,
                        holder: Holder::User(UserId(1)),
                    };
                    let upload = Upload { left: PIECES, announced, is_ready: false };
                    collect(upload, &limits).await.map(|read| read.bytes.len())
                });
            }
            for read in uploads.join_all().await {
                assert_eq!(read.expect("room in time"), PIECE * PIECES, "{announced}");
            }
            assert_eq!(budgets.bodies.used(), 0);
        }
    }

    #[tokio::test]
    async fn what_did_not_come_is_given_back() {
        let budgets = Budgets::new(1, 1);
        let limits = BodyLimits {
            bytes_max: 1024 * 1024,
            time_max: Duration::from_secs(10),
            budget: &budgets.bodies,
            holder: Holder::User(UserId(1)),
        };
        let upload = Upload { left: 1, announced: false, is_ready: false };
        let read = collect(upload, &limits).await.expect("room");
        assert_eq!(budgets.bodies.used(), (PIECE - BODY_BYTES_FREE) as u64);
        drop(read);
        assert_eq!(budgets.bodies.used(), 0);
    }
}
