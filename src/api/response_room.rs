//! What a response takes of the server's budget, by its row of the table. It is taken before the
//! response is made, so that nobody makes the server hold more than it has.

use crate::budget::{Budgets, Held, Holder, PAGE_BYTES};
use crate::error::Result;
use crate::http::Response;

/// A response of at most so many bytes is not counted.
const SMALL_BYTES: usize = 4 * 1024;

/// How large a row's response can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseSize {
    /// A few KiB: not counted.
    Small,
    /// As much as a page, or page after page, each made when the one before was taken.
    Paged,
    /// More than a page at once.
    Large,
}

/// What a response that is being made holds.
pub(crate) struct Room {
    /// Bytes.
    bytes: Held,
    /// The permit of a response of more than one page, where it was needed from the beginning.
    long: Option<Held>,
    holder_of_long: Holder,
}

impl Room {
    /// Takes what a response of this size needs to begin with; [`crate::error::Error::Busy`] where
    /// it is not free in time.
    pub(crate) async fn take(
        size: ResponseSize,
        budgets: &Budgets,
        holder: Holder,
        holder_of_long: Holder,
    ) -> Result<Self> {
        let mut long = None;
        if size == ResponseSize::Large {
            long = Some(budgets.long_responses.wait(holder_of_long, 1).await?);
        }
        let bytes = budgets.responses.wait(holder, PAGE_BYTES).await?;
        Ok(Self { bytes, long, holder_of_long })
    }

    /// Gives back what the response does not need, and lets it hold the rest until it was sent. One
    /// of more pages needs a permit; [`crate::error::Error::Busy`] where none is free in time.
    pub(crate) async fn hold(self, response: Response, budgets: &Budgets) -> Result<Response> {
        let mut bytes = self.bytes;
        let long = match (response.body().whole_bytes(), self.long) {
            (Some(length), _) if length <= SMALL_BYTES => return Ok(response),
            (Some(length), long) => {
                bytes.shrink_to(length);
                long.filter(|_| length > PAGE_BYTES)
            }
            (None, Some(long)) => Some(long),
            (None, None) => Some(budgets.long_responses.wait(self.holder_of_long, 1).await?),
        };
        Ok(response.map(|body| body.holding((bytes, long))))
    }
}
