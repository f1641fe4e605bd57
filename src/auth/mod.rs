//! Who is calling? Keys are compared as hashes; what is known of a token is kept in memory.

mod authenticator;
mod counter;
mod expiry;
mod failed_auth_limiter;
mod identity;
mod pending_usage;
mod rate_limiter;
mod request_limiter;
mod token_cache;

pub use authenticator::{ADMIN_HEADER, Admin, Auth, Bot, USER_HEADER, User, actor};
pub use expiry::announce;
pub use failed_auth_limiter::FailedAuthLimiter;
pub use identity::Identity;
pub use pending_usage::PendingUsage;
pub use request_limiter::{RequestLimiter, ResponseHeaders};
pub use token_cache::TokenCache;
