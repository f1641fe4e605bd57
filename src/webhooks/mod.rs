//! Webhooks: delivers events to the users' addresses, at least once, in the order of each meeting,
//! until it gives up.

mod backoff;
mod blocked_networks;
mod dispatcher;
mod request;
mod schedule;
mod target;
mod test_permits;
mod tls;

pub use dispatcher::Dispatcher;
pub(crate) use target::WebhookUrl;
