//! Authentication, limits and usage: keys are compared as hashes, known tokens are kept in memory,
//! and every read of tokens goes through here.

mod authenticator;
mod counter;
mod expiry;
mod failed_auth_limiter;
mod identity;
mod pending_usage;
mod rate_limiter;
mod request_limiter;
mod token_cache;
mod token_reads;

pub use authenticator::{ADMIN_HEADER, Admin, Auth, Bot, USER_HEADER, User, actor};
pub use expiry::add_expiry_header;
pub use failed_auth_limiter::FailedAuthLimiter;
pub use identity::Identity;
pub use pending_usage::PendingUsage;
pub use request_limiter::{RequestLimiter, ResponseHeaders};
pub use token_cache::TokenCache;
pub use token_reads::Explained;
