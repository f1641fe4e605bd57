//! The body of a response: its request is not finished before all of the body is handed over.

use crate::http::connections::ConnectionGuard;
use crate::http::response_body::{Body, Broken};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body, and the connection that waits for the next request after it.
pub(crate) struct TrackedBody {
    body: Body,
    /// `None` where the body is one piece.
    guard: Option<Arc<ConnectionGuard>>,
}

impl TrackedBody {
    /// Tracks a body; one that is a single piece counts as sent.
    pub(crate) fn new(body: Body, guard: &Arc<ConnectionGuard>) -> Self {
        match body {
            Body::Whole(_) => {
                guard.finished();
                Self { body, guard: None }
            }
            Body::Pieces(_) => Self { body, guard: Some(Arc::clone(guard)) },
        }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(guard) = &self.guard {
            guard.finished();
        }
    }
}
