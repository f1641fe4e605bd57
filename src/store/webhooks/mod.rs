//! Webhooks: where events go, and the events on their way.

pub mod outbox;
pub mod read;
pub mod settings;
pub mod verbs;
