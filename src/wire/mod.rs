//! The Redis endpoint: bots and recognisers that speak the Redis protocol reach the server by it,
//! so that no Redis is needed. It knows the commands that they use ([`commands`]) and refuses every
//! other one, so that whatever needs a real Redis fails loudly.
//!
//! [`connection`] reads requests ([`input`], [`parser`]) and writes [`replies`] and pushes. A
//! [`client`] is a bot, which [`login`] binds to its meeting, or a feeder, whose payloads are judged
//! one by one; [`xadd`] stores what both bring, by the same verbs as `POST
//! /bots/internal/segments`; by its [`channels`] a bot hears the commands for it ([`subscribe`]).

pub(crate) mod channels;
pub(crate) mod client;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod endpoint;
pub(crate) mod ids;
pub(crate) mod input;
pub(crate) mod login;
pub(crate) mod parser;
pub(crate) mod payload;
pub(crate) mod refusal;
pub(crate) mod replies;
pub(crate) mod subscribe;
pub(crate) mod xadd;

pub(crate) use endpoint::Endpoint;
