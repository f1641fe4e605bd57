//! Responses that may be long: read and sent in pages, so that they take little memory however long
//! they are, and hold no read transaction while a slow client takes its time. A page is read when
//! the one before was taken.

use crate::error::{Error, Result};
use crate::http::response::{IntoResponse, Response, ResponseDoc, of_body};
use crate::http::response_body::{Body, Broken};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{StreamExt, once, unfold};
use hyper::header::{self, HeaderValue};
use std::future::ready;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

/// Where the pages of a response come from.
pub(crate) trait PageSource: Send + 'static {
    /// The media type of the response.
    fn content_type(&self) -> &'static str;

    /// The file name under which a browser saves the response; without one the browser shows it.
    fn file_name(&self) -> Option<String> {
        None
    }

    /// Writes the next page to the end of `out`, and says whether it was the last.
    fn next(&mut self, out: &mut Vec<u8>) -> impl Future<Output = Result<bool>> + Send;

    /// Every successful response, for the API document.
    fn describe() -> Vec<ResponseDoc>;
}

/// 200 with all pages: one alone is sent whole, more are sent as they are read.
pub(crate) struct StreamedResponse<P> {
    response: Response,
    of: PhantomData<P>,
}

impl<P: PageSource> StreamedResponse<P> {
    /// Reads the first page; an error in it becomes an error response, a later one closes the
    /// connection.
    pub(crate) async fn begin(mut pages: P) -> Result<Self> {
        let content_type = HeaderValue::from_static(pages.content_type());
        let disposition = pages
            .file_name()
            .and_then(|name| format!("attachment; filename=\"{name}\"").parse().ok());
        let mut first = Vec::new();
        let is_last = pages.next(&mut first).await?;
        let first = Bytes::from(first);
        let body = if is_last {
            Body::whole(first)
        } else {
            let rest = unfold(Some(pages), next_page);
            Body::pieces(once(ready(Ok(first))).chain(rest))
        };
        let mut response = of_body(body);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(disposition) = disposition {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
        }
        Ok(Self { response, of: PhantomData })
    }
}

impl<P: PageSource> IntoResponse for StreamedResponse<P> {
    fn into_response(self) -> Result<Response> {
        Ok(self.response)
    }

    fn describe() -> Vec<ResponseDoc> {
        P::describe()
    }
}

/// The next page, and where those after it come from. A response that ends too early, by an error
/// or a panic, must not look complete.
async fn next_page<P: PageSource>(
    left: Option<P>,
) -> Option<(std::result::Result<Bytes, Broken>, Option<P>)> {
    let mut pages = left?;
    let mut page = Vec::new();
    let read = AssertUnwindSafe(pages.next(&mut page)).catch_unwind().await;
    match read {
        Ok(Ok(is_last)) => {
            let left = if is_last { None } else { Some(pages) };
            return Some((Ok(page.into()), left));
        }
        // Its link was revoked while it was read.
        Ok(Err(Error::ShareNotFound)) => {}
        Ok(Err(error)) => {
            log::error!(
                "a streamed response was cut off: {}",
                error.cause().unwrap_or("the store is busy")
            );
        }
        Err(_) => log::error!("a streamed response was cut off: its next page panicked"),
    }
    Some((Err(Broken), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Body as HttpBody;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    /// Four pages, of which the last fails; counts those that were asked for.
    struct Counted(Arc<AtomicUsize>);

    impl PageSource for Counted {
        fn content_type(&self) -> &'static str {
            "text/plain"
        }

        async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
            out.extend_from_slice(b"page");
            match self.0.fetch_add(1, Ordering::Relaxed) {
                3 => Err(Error::Busy),
                _ => Ok(false),
            }
        }

        fn describe() -> Vec<ResponseDoc> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn a_page_is_made_when_the_one_before_was_taken() {
        let made = Arc::new(AtomicUsize::new(0));
        let response = StreamedResponse::begin(Counted(Arc::clone(&made))).await;
        let mut body = response.and_then(IntoResponse::into_response).expect("a page").into_body();
        let mut context = Context::from_waker(Waker::noop());
        for taken in 1..=3 {
            assert_eq!(made.load(Ordering::Relaxed), taken.max(2) - 1, "before page {taken}");
            let frame = Pin::new(&mut body).poll_frame(&mut context);
            assert!(matches!(frame, Poll::Ready(Some(Ok(_)))), "page {taken}");
        }
        let frame = Pin::new(&mut body).poll_frame(&mut context);
        assert!(matches!(frame, Poll::Ready(Some(Err(Broken)))), "a page that fails cuts it");
        assert_eq!(made.load(Ordering::Relaxed), 4);
    }
}
