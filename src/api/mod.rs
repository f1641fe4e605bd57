//! One function a route, one file a family: read the input, ask the store, return the answer.

pub mod analytics;
pub mod caller;
pub mod docs;
pub mod general;
pub mod meetings;
pub mod tokens;
pub mod users;
