//! The body of a response: whole, or in pieces that are made when they are asked for.

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt, once};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The pieces of a body, each made when the one before was taken.
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>;

/// A body.
pub enum Body {
    /// Whole; `None` once it was taken.
    Whole(Option<Bytes>),
    /// In pieces.
    Pieces(Pieces),
}

/// Why a body in pieces ends too early: the connection is closed, so that no client takes it for
/// complete.
#[derive(Debug)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the response could not be read to its end")
    }
}

impl std::error::Error for Broken {}

/// Bytes that somebody holds: what is held is given back with the last reference to them.
struct HeldBytes<T> {
    bytes: Bytes,
    _held: Arc<T>,
}

impl<T> AsRef<[u8]> for HeldBytes<T> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body {
    /// A whole body.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }

    /// A body in pieces.
    pub(crate) fn pieces(
        pieces: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static,
    ) -> Self {
        Self::Pieces(Box::pin(pieces))
    }

    /// The length of a whole body that was not taken yet.
    pub(crate) fn whole_bytes(&self) -> Option<usize> {
        match self {
            Self::Whole(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len)),
            Self::Pieces(_) => None,
        }
    }

    /// The same body with something before and behind it, and each piece of it changed.
    pub(crate) fn within(
        self,
        before: Vec<u8>,
        change: fn(&[u8]) -> Result<Vec<u8>, Broken>,
        behind: Vec<u8>,
    ) -> Result<Self, Broken> {
        match self {
            Self::Whole(bytes) => {
                let mut whole = before;
                whole.extend(change(&bytes.unwrap_or_default())?);
                whole.extend(behind);
                Ok(Self::whole(whole.into()))
            }
            Self::Pieces(pieces) => {
                let first = once(ready(Ok(before.into())));
                let changed = pieces.map(move |piece| Ok(change(&piece?)?.into()));
                let last = once(ready(Ok(behind.into())));
                Ok(Self::pieces(first.chain(changed).chain(last)))
            }
        }
    }

    /// The same body, which keeps what its caller holds until the last byte of it was sent.
    pub(crate) fn holding<T: Send + Sync + 'static>(self, held: T) -> Self {
        let held = Arc::new(held);
        match self {
            Self::Whole(bytes) => Self::Whole(bytes.map(|bytes| hold(bytes, &held))),
            Self::Pieces(pieces) => Self::pieces(pieces.map(move |piece| Ok(hold(piece?, &held)))),
        }
    }
}

fn hold<T: Send + Sync + 'static>(bytes: Bytes, held: &Arc<T>) -> Bytes {
    Bytes::from_owner(HeldBytes { bytes, _held: Arc::clone(held) })
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => pieces.poll_next_unpin(context).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole_bytes() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.whole_bytes() {
            Some(length) => SizeHint::with_exact(length as u64),
            None => SizeHint::default(),
        }
    }
}
