//! A request on its way to its handler.

use crate::app::App;
use crate::domain::{Permission, Time};
use crate::http::service::Request;
use crate::metrics::RouteLabel;
use std::sync::Arc;
use std::time::Instant;

/// A request, and what its row of the table says of it.
pub struct Call {
    /// The parts of the server.
    pub app: Arc<App>,
    /// The request.
    pub request: Request,
    /// The permission that a user's token needs.
    pub permission: Permission,
    /// How many requests it counts as.
    pub cost: u32,
    /// The method and the path of the row.
    pub label: RouteLabel,
    /// When the request came.
    pub now: Time,
    /// The same by the monotonic clock, for rate limits.
    pub instant: Instant,
}
