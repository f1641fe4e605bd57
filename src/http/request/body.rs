//! Request bodies: bounded in size and time.

use crate::config::Http;
use crate::error::{Error, Result};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether some of a body is still unread when the response is ready; the connection is then closed
/// after it.
#[derive(Clone)]
pub struct BodyState(Option<Arc<AtomicBool>>);

impl BodyState {
    /// Watches a body; one that is empty needs no watching.
    pub fn watch(body: &Incoming) -> Self {
        Self((!body.is_end_stream()).then(|| Arc::new(AtomicBool::new(true))))
    }

    /// Whether some of the body was left unread.
    pub fn is_left(&self) -> bool {
        self.0.as_ref().is_some_and(|body_state| body_state.load(Ordering::Acquire))
    }

    fn finish(&self) {
        if let Some(body_state) = &self.0 {
            body_state.store(false, Ordering::Release);
        }
    }
}

/// Reads a body to its end into one buffer, of at most the configured size or `row_max` bytes,
/// whichever is more.
pub(crate) async fn read(
    body: Incoming,
    limits: &Http,
    row_max: usize,
    body_state: &BodyState,
) -> Result<Vec<u8>> {
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    let max = limits.body_bytes_max.max(row_max);
    if body.size_hint().lower() > max as u64 {
        return Err(Error::TooLarge(max));
    }
    let bytes = tokio::time::timeout(limits.body_time_max, collect(body, max));
    let bytes = bytes.await.map_err(|_| Error::TooSlow)??;
    body_state.finish();
    Ok(bytes)
}

/// Copies frames, because keeping them would keep the buffers they were cut from.
async fn collect(mut body: Incoming, max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Error::Malformed("The body ended before it was complete."))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(Error::TooLarge(max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
