//! Authentication, limits and usage: keys are compared as hashes, known tokens are kept in memory,
//! and every read of tokens goes through here.

mod authenticator;
mod bearer_user;
mod configured_hash;
mod console_admin;
mod console_sessions;
mod counter;
mod expiry;
mod failed_auth_limiter;
mod headers;
mod identity;
mod pending_usage;
mod rate_limiter;
mod refusals;
mod request_limiter;
mod sent_instead;
mod share_reads;
mod tickets;
mod token_cache;
mod token_reads;
mod usage_reads;
mod websocket_user;

pub use authenticator::actor;
pub(crate) use authenticator::{Admin, Auth, Bot, User};
pub(crate) use expiry::add_expiry_header;
pub(crate) use failed_auth_limiter::FailedAuthLimiter;
pub(crate) use headers::{ADMIN_HEADER, USER_HEADER};
pub(crate) use identity::Identity;
pub(crate) use refusals::{REFUSALS_MAX, Refusal, Refusals};
pub(crate) use request_limiter::{LIMIT, POLICY, RequestLimiter, ResponseHeaders};
pub(crate) use token_cache::TokenCache;
pub(crate) use token_reads::Explained;
pub(crate) use websocket_user::InQuery;
