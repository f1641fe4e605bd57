//! A request body that its handler reads piece by piece, because it is too long for memory.

use crate::error::{Error, Result};
use crate::http::request::body::{BodyState, CUT_OFF};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::time::Duration;

/// A body that is not read yet, or not to its end.
pub(crate) struct StreamedBody {
    body: Incoming,
    body_state: BodyState,
    content_type: Option<HeaderValue>,
    /// How long the sender may send nothing.
    silence_max: Duration,
    bytes_max: usize,
    length: usize,
}

impl StreamedBody {
    /// The body of a request with these headers, of at most `bytes_max` bytes.
    pub(crate) fn new(
        (body, body_state): (Incoming, BodyState),
        headers: &HeaderMap,
        silence_max: Duration,
        bytes_max: usize,
    ) -> Self {
        let content_type = headers.get(CONTENT_TYPE).cloned();
        Self { body, body_state, content_type, silence_max, bytes_max, length: 0 }
    }

    /// Its media type, as it was sent; empty where none was.
    pub(crate) fn content_type(&self) -> &str {
        let value = self.content_type.as_ref();
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether it says that it is a form with files (RFC 7578).
    pub(crate) fn is_form(&self) -> bool {
        self.content_type().to_ascii_lowercase().starts_with("multipart/form-data")
    }

    /// Sets the most bytes that it may have: a handler knows more than the table of routes.
    pub(crate) fn limit(&mut self, bytes_max: usize) -> Result<()> {
        self.bytes_max = bytes_max;
        if self.body.size_hint().lower() > bytes_max as u64 {
            return Err(Error::TooLarge(bytes_max));
        }
        Ok(())
    }

    /// The next piece; `None` at the end. [`Error::TooLarge`], [`Error::TooSlow`], or
    /// [`Error::Malformed`] where the sender hung up.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let frame = tokio::time::timeout(self.silence_max, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| Error::TooSlow)? else {
                self.body_state.finish();
                return Ok(None);
            };
            let frame = frame.map_err(|_| Error::Malformed(CUT_OFF))?;
            let Ok(data) = frame.into_data() else { continue };
            self.length += data.len();
            if self.length > self.bytes_max {
                return Err(Error::TooLarge(self.bytes_max));
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}
