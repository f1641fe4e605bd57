//! Responses of which a caller may ask for a part, as players do (RFC 9110, section 14).

use crate::domain::field::{Field, Invalid, Raw};
use crate::error::{Error, Result};
use crate::http::response::{IntoResponse, Response, ResponseDoc, of_body};
use crate::http::response_body::{Body, Broken};
use bytes::Bytes;
use futures_util::stream::unfold;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};
use std::ops::Range;
use tokio::task::spawn_blocking;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Which part is asked for: the header `Range`.
pub(crate) struct RangeHeader(pub String);

impl Field for RangeHeader {
    fn schema() -> Object {
        let about = "The part that is wanted: `bytes=0-1023`, `bytes=1024-` or `bytes=-1024`. \
                     Several parts at once, and what is no range, are answered with all of it.";
        ObjectBuilder::new().schema_type(Type::String).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        raw.string().map(Self)
    }
}

/// Of which file a part is wanted: the header `If-Range`.
pub(crate) struct IfRangeHeader(pub String);

impl Field for IfRangeHeader {
    fn schema() -> Object {
        let about = "The `ETag` of the file that you have a part of; all of it comes where there \
                     is another one by now.";
        ObjectBuilder::new().schema_type(Type::String).description(Some(about)).build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        raw.string().map(Self)
    }
}

/// The bytes that a `Range` asks for of so many; `None` for all of them, which also is the answer to
/// a range of another kind. [`Error::RangeOutside`] where there is none of them.
pub(crate) fn wanted(range: &str, length: u64) -> Result<Option<Range<u64>>> {
    let Some((unit, range)) = range.split_once('=') else { return Ok(None) };
    let Some((first, last)) = range.trim().split_once('-') else { return Ok(None) };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(None);
    }
    let (start, end) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1)),
        (Some(first), None) if last.is_empty() => (first, length),
        (None, Some(count)) if first.is_empty() => (length - count.min(length), length),
        _ => return Ok(None),
    };
    let end = end.min(length);
    if start >= end {
        return Err(Error::RangeOutside { length });
    }
    Ok(Some(start..end))
}

/// Digits alone; what is too large to count is as good as the largest number.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Where the bytes of a response come from.
pub(crate) trait PieceSource: Send + 'static {
    /// The next piece; `None` at the end. It may read files here and now.
    fn next(&mut self) -> Result<Option<Bytes>>;
}

/// 200 with all bytes of a file, or 206 with a part of them.
pub(crate) struct RangedResponse<S> {
    /// The bytes that are sent.
    pub pieces: S,
    /// Which these are.
    pub bytes: Range<u64>,
    /// Whether they were asked for as a part.
    pub is_part: bool,
    /// How long the file is.
    pub length: u64,
    /// The media type of the file.
    pub media_type: &'static str,
    /// What the file is known by.
    pub tag: Option<HeaderValue>,
}

impl<S: PieceSource> IntoResponse for RangedResponse<S> {
    fn into_response(self) -> Result<Response> {
        let mut response = of_body(Body::pieces(unfold(Some(self.pieces), next_piece)));
        let sent = self.bytes.end - self.bytes.start;
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
        if let Some(tag) = self.tag {
            headers.insert(header::ETAG, tag);
        }
        if self.is_part {
            let (first, last) = (self.bytes.start, self.bytes.end - 1);
            let range = format!("bytes {first}-{last}/{}", self.length);
            if let Ok(range) = HeaderValue::try_from(range) {
                headers.insert(header::CONTENT_RANGE, range);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        let doc = |status, about| ResponseDoc { status, about, content: None, schemas: Vec::new() };
        vec![
            doc(StatusCode::OK, "The file"),
            doc(StatusCode::PARTIAL_CONTENT, "The part of the file that was asked for"),
        ]
    }
}

/// The next piece, and where those after it come from. A response that ends too early must not look
/// complete.
async fn next_piece<S: PieceSource>(
    left: Option<S>,
) -> Option<(std::result::Result<Bytes, Broken>, Option<S>)> {
    let mut pieces = left?;
    let read = spawn_blocking(move || {
        let piece = pieces.next();
        (piece, pieces)
    });
    match read.await {
        Ok((Ok(Some(piece)), pieces)) => return Some((Ok(piece), Some(pieces))),
        Ok((Ok(None), _)) => return None,
        // It was deleted while it was sent.
        Ok((Err(Error::SoundNotKept), _)) => {}
        Ok((Err(error), _)) => {
            log::error!("a streamed response was cut off: {}", error.store_cause());
        }
        Err(_) => log::error!("a streamed response was cut off: its next page panicked"),
    }
    Some((Err(Broken), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_is_there_of_it() {
        for (range, expected) in [
            ("bytes=0-9", Some(Some(0..10))),
            ("Bytes=0-0", Some(Some(0..1))),
            ("bytes=90-", Some(Some(90..100))),
            ("bytes=90-1000", Some(Some(90..100))),
            ("bytes=99-99999999999999999999999", Some(Some(99..100))),
            ("bytes=-10", Some(Some(90..100))),
            ("bytes=-1000", Some(Some(0..100))),
            // Behind the end, and none.
            ("bytes=100-", None),
            ("bytes=100-200", None),
            ("bytes=99999999999999999999999-", None),
            ("bytes=-0", None),
            // Ranges of another kind, and no ranges.
            ("bytes=0-1,5-6", Some(None)),
            ("bytes=9-0", Some(None)),
            ("bytes=-", Some(None)),
            ("bytes=+1-2", Some(None)),
            ("bytes=a-b", Some(None)),
            ("bytes", Some(None)),
            ("seconds=0-9", Some(None)),
            ("", Some(None)),
        ] {
            let found = wanted(range, 100).ok();
            assert_eq!(found, expected, "{range}");
        }
        assert!(wanted("bytes=0-", 0).is_err());
    }
}
