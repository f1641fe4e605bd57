//! Webhooks: delivers events to the users' addresses, at least once, in the order of each meeting,
//! until it gives up.

mod backoff;
mod blocked_networks;
mod dispatcher;
mod request;
mod schedule;
mod target;
mod test_permits;

pub(crate) use blocked_networks::may_reach;
pub use dispatcher::{Dispatcher, Tested};
pub(crate) use target::{Target, WebhookUrl, is_private};
