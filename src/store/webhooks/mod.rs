//! Webhooks: where events go, and the events on their way.

pub(crate) mod changes;
pub(crate) mod event_parts;
pub(crate) mod outbox;
pub(crate) mod read;
pub(crate) mod resend;
pub(crate) mod settings;
pub(crate) mod verbs;
