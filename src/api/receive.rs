//! Files that callers send, written as they come.

use crate::error::Result;
use crate::http::request::multipart::Multipart;
use crate::http::request::streamed::StreamedBody;
use crate::transcription::Transcription;
use crate::transcription::received::Received;
use std::sync::Arc;

/// Writes a body that is the file.
pub(crate) async fn receive_body(
    spool: &Arc<Transcription>,
    mut body: StreamedBody,
) -> Result<Received> {
    let mut file = Received::begin(spool).await?;
    while let Some(bytes) = body.next().await? {
        file.write(&bytes).await?;
    }
    file.flush().await?;
    Ok(file)
}

/// Writes the part of a form that was begun last.
pub(crate) async fn receive_part(
    spool: &Arc<Transcription>,
    parts: &mut Multipart,
) -> Result<Received> {
    let mut file = Received::begin(spool).await?;
    while let Some(bytes) = parts.next_chunk().await? {
        file.write(&bytes).await?;
    }
    file.flush().await?;
    Ok(file)
}
