//! One function a route, one file a family: read the input, ask the store, return the response.

pub(crate) mod admin_keys;
pub(crate) mod analytics;
pub(crate) mod audit;
mod bot_target;
pub(crate) mod bots;
pub(crate) mod call;
pub(crate) mod callbacks;
pub(crate) mod caller;
pub(crate) mod docs;
pub(crate) mod export;
pub(crate) mod general;
pub mod guard;
pub(crate) mod live;
pub(crate) mod meetings;
pub(crate) mod message;
pub(crate) mod openapi;
pub mod route;
pub(crate) mod search;
pub(crate) mod segments;
pub(crate) mod service;
pub(crate) mod tokens;
pub(crate) mod transcripts;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod webhook;
