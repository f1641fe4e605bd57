//! The health of the server: what is checked, how often, and what each finding means.
//!
//! Probes come each second from several sides, so what costs something is looked at once for all of
//! them, and its result is kept for a while: [`HealthCheck`]. What a finding is called, how bad it
//! is and what to do about it stands in one table: [`Finding`].

mod check;
mod finding;
mod looks;
mod parts;
mod shared;
mod tests;

pub use check::HealthCheck;
pub(crate) use check::{Phase, SCRAPE_TIME_MAX};
pub use finding::{Code, Finding, Severity};
pub(crate) use parts::Parts;
