//! A request on its way to its handler.

use crate::app::App;
use crate::domain::{Permission, Time};
use crate::http::service::Request;
use std::sync::Arc;
use std::time::Instant;

/// A request, and what its row of the table says of it.
pub struct Call {
    /// What every request may reach.
    pub app: Arc<App>,
    /// The request.
    pub request: Request,
    /// What the row asks of a user's token.
    pub permission: Permission,
    /// When it came.
    pub now: Time,
    /// The same by a clock that is never set back, for limits.
    pub instant: Instant,
}
