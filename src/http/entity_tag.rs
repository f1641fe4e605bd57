//! Entity tags: a caller who has a response already is told so, and gets no second one.

use crate::domain::field::{Field, Invalid, Raw};
use crate::error::Result;
use crate::http::response::{IntoResponse, Response, ResponseDoc, whole};
use crate::http::streamed_response::{PageSource, StreamedResponse};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Characters of a hash in an entity tag.
const HASH_CHARS: usize = 32;

/// The weak tag of what has this hash (RFC 9110, section 8.8.3).
pub(crate) fn weak_tag(hash: blake3::Hash) -> Option<HeaderValue> {
    let hash = hash.to_hex();
    HeaderValue::try_from(format!("W/\"{}\"", &hash[..HASH_CHARS])).ok()
}

/// Whether a tag is among those of an `If-None-Match` (RFC 9110, section 13.1.2).
pub(crate) fn is_among(tag: &HeaderValue, known: &str) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    let mut tags = known.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag.trim_start_matches("W/"))
}

/// The tags of what a caller has already: the header `If-None-Match`.
pub(crate) struct KnownTags(pub String);

impl Field for KnownTags {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "The `ETag` of the response that you have; nothing is sent where it is still right.",
            ))
            .build()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        raw.string().map(Self)
    }
}

/// A response that is sent in pages and has a tag, or that the caller has it already.
pub(crate) enum TaggedResponse<P> {
    /// The caller has what has this tag.
    Known(HeaderValue),
    /// The response, and its tag.
    New(StreamedResponse<P>, Option<HeaderValue>),
}

impl<P: PageSource> IntoResponse for TaggedResponse<P> {
    fn into_response(self) -> Result<Response> {
        let (mut response, tag) = match self {
            Self::Known(tag) => {
                let mut response = whole(StatusCode::NOT_MODIFIED, Bytes::new());
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(header::CACHE_CONTROL, no_store);
                (response, Some(tag))
            }
            Self::New(response, tag) => (response.into_response()?, tag),
        };
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        let mut responses = P::describe();
        responses.push(ResponseDoc {
            status: StatusCode::NOT_MODIFIED,
            about: "You have it already: nothing has changed since the `ETag` that you sent",
            content: None,
            schemas: Vec::new(),
        });
        responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_itself_in_a_list_or_by_a_star() {
        let tag = weak_tag(blake3::hash(b"a")).expect("a tag");
        let text = tag.to_str().expect("text").to_owned();
        assert_eq!(text.len(), HASH_CHARS + 4);
        let strong = text.trim_start_matches("W/");
        for (known, is_known) in [
            (text.as_str(), true),
            (strong, true),
            (&format!("\"other\", {text}"), true),
            ("*", true),
            ("", false),
            ("\"other\"", false),
            (&text[..10], false),
        ] {
            assert_eq!(is_among(&tag, known), is_known, "{known}");
        }
    }
}
