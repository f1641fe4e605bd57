//! Files that the binary carries, for callers without a key: the pages of the documentation and of
//! the console, and the clients.

use crate::api::guard::Anonymous;
use crate::error::Result;
use crate::http::asset::Served;
use crate::http::response::{ResponseDoc, whole};
use crate::http::{Asset, IntoResponse, Response};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use std::borrow::Cow;
use std::sync::OnceLock;

/// The response for a caller who may have the file already, and may take it compressed.
pub(crate) fn serve(asset: &'static Asset, caller: &Anonymous) -> Served {
    asset.serve(caller.accepts_gzip, caller.known_etags.as_ref())
}

/// A text as a file; it is compressed, and gets its entity tag, at the first request for it.
pub(crate) fn text(
    cell: &'static OnceLock<Asset>,
    body: &'static str,
    content_type: &'static str,
) -> &'static Asset {
    let content_type = HeaderValue::from_static(content_type);
    cell.get_or_init(|| Asset::new(Cow::Borrowed(body.as_bytes()), content_type))
}

/// A redirect from the name of a folder to its address, which ends with `/`: its files are named
/// relative to it.
pub(crate) struct Folder(pub(crate) &'static str);

impl IntoResponse for Folder {
    fn into_response(self) -> Result<Response> {
        let mut response = whole(StatusCode::PERMANENT_REDIRECT, Bytes::new());
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(self.0));
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        let about = "The address ends with `/`";
        let status = StatusCode::PERMANENT_REDIRECT;
        vec![ResponseDoc { status, about, content: None, schemas: Vec::new() }]
    }
}
