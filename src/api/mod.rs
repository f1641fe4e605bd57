//! One function a route, one file a family: read the input, ask the store, return the answer.

pub mod admin_keys;
pub mod analytics;
pub mod audit;
pub mod bots;
pub mod call;
pub mod callbacks;
pub mod caller;
pub mod docs;
pub mod export;
pub mod general;
pub mod guard;
pub mod live;
pub mod meetings;
pub mod message;
pub mod openapi;
pub mod route;
pub mod search;
pub mod segments;
pub mod service;
pub mod tokens;
pub mod transcripts;
pub mod usage;
pub mod users;
pub mod webhook;
