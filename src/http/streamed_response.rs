//! Responses that may be long: read and sent in pages, so that they take little memory however long
//! they are, and hold no read transaction while a slow client takes its time.

use crate::error::Result;
use crate::http::response::{AnswerDoc, Body, Broken, IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use hyper::header::{self, HeaderValue};
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

/// Pages that are ready and not yet taken.
const PAGES_READY_MAX: usize = 1;

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
    fn describe() -> Vec<AnswerDoc>;
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
        let body: Body = if is_last {
            Either::Left(Full::new(first.into()))
        } else {
            let (sender, body) = Channel::new(PAGES_READY_MAX);
            tokio::spawn(send_or_cut(sender, first, pages));
            Either::Right(body)
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
            .headers_mut()
            .insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
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

    fn describe() -> Vec<AnswerDoc> {
        P::describe()
    }
}

/// Sends all pages. A response that ends too early, by an error or a panic, must not look complete.
async fn send_or_cut<P: PageSource>(mut sender: Sender<Bytes, Broken>, first: Vec<u8>, pages: P) {
    let sent = AssertUnwindSafe(send(&mut sender, first, pages)).catch_unwind().await;
    match sent {
        Ok(Ok(())) => return,
        Ok(Err(error)) => {
            log::error!(
                "a streamed response was cut off: {}",
                error.cause().unwrap_or("the store is busy")
            );
        }
        Err(_) => log::error!("a streamed response was cut off: its next page panicked"),
    }
    sender.abort(Broken);
}

/// Sends page after page, each read once the one before it is sent; ends early when the client has
/// gone.
async fn send<P: PageSource>(
    sender: &mut Sender<Bytes, Broken>,
    first: Vec<u8>,
    mut pages: P,
) -> Result<()> {
    let mut page = first;
    let mut is_last = false;
    loop {
        let sent = sender.send_data(page.into()).await;
        if sent.is_err() || is_last {
            return Ok(());
        }
        page = Vec::new();
        is_last = pages.next(&mut page).await?;
    }
}
