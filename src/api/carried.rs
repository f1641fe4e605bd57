//! Files that the binary carries, for callers without a key: the pages of the documentation and of
//! the console.

use crate::api::guard::Anonymous;
use crate::http::Asset;
use crate::http::asset::Served;
use hyper::header::HeaderValue;
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
