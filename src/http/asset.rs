//! Files that the binary carries: compressed once, and sent only to those who do not have them yet.

use crate::error::Result;
use crate::http::entity_tag::{is_among, weak_tag};
use crate::http::response::{IntoResponse, Response, ResponseDoc, whole};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use std::borrow::Cow;
use std::io::Write;

/// Below this many bytes gzip saves less than its header adds.
const GZIP_BYTES_MIN: usize = 512;

/// A file as it is sent.
pub(crate) struct Asset {
    content_type: HeaderValue,
    bytes: Bytes,
    /// Compressed, where that is shorter.
    gzip: Option<Bytes>,
    etag: Option<HeaderValue>,
}

/// The response: the file, or that the caller has it already.
pub(crate) struct Served {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Asset {
    /// Compresses a file and computes its entity tag.
    pub(crate) fn new(body: Cow<'static, [u8]>, content_type: HeaderValue) -> Self {
        let etag = weak_tag(blake3::hash(&body));
        let gzip = compressed(&body);
        let bytes = match body {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Self { content_type, bytes, gzip, etag }
    }

    /// The response to a caller who may take gzip, and has these versions already.
    ///
    /// RFC 9110, sections 8.8.3 and 13.1.2: the tag is weak, because it stands for both encodings.
    pub(crate) fn serve(&self, accepts_gzip: bool, known: Option<&HeaderValue>) -> Served {
        let mut headers = vec![
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::VARY, HeaderValue::from_static("Accept-Encoding")),
        ];
        if let Some(etag) = &self.etag {
            headers.push((header::ETAG, etag.clone()));
        }
        if self.is_known(known) {
            return Served { status: StatusCode::NOT_MODIFIED, body: Bytes::new(), headers };
        }
        headers.push((header::CONTENT_TYPE, self.content_type.clone()));
        let body = match &self.gzip {
            Some(gzip) if accepts_gzip => {
                headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
                gzip.clone()
            }
            _ => self.bytes.clone(),
        };
        Served { status: StatusCode::OK, body, headers }
    }

    fn is_known(&self, known: Option<&HeaderValue>) -> bool {
        let (Some(etag), Some(known)) = (&self.etag, known) else { return false };
        known.to_str().is_ok_and(|known| is_among(etag, known))
    }
}

impl Served {
    /// The same with more headers.
    pub(crate) fn with<const N: usize>(mut self, headers: [(HeaderName, HeaderValue); N]) -> Self {
        self.headers.extend(headers);
        self
    }
}

impl IntoResponse for Served {
    fn into_response(self) -> Result<Response> {
        let mut response = whole(self.status, self.body);
        response.headers_mut().extend(self.headers);
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        let doc = |status, about| ResponseDoc { status, about, content: None, schemas: Vec::new() };
        vec![
            doc(StatusCode::OK, "The file"),
            doc(StatusCode::NOT_MODIFIED, "The caller has this version already"),
        ]
    }
}

/// The same bytes as gzip (RFC 1952); `None` where that would not be shorter.
fn compressed(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < GZIP_BYTES_MIN {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).ok()?;
    let gzip = encoder.finish().ok()?;
    (gzip.len() < bytes.len()).then(|| gzip.into())
}
