//! The versions of the protocol: the newest one says with each request which it is, those before it
//! agree on one at the beginning (revision 2026-07-28, "Versioning and Compatibility").

/// The version that each request names in `_meta`.
pub(super) const PER_REQUEST_VERSION: &str = "2026-07-28";
/// The versions that begin with `initialize`, newest first. Those before allow batches.
pub(super) const HANDSHAKE_VERSIONS: [&str; 2] = ["2025-11-25", "2025-06-18"];
/// Every version that is spoken here, newest first.
pub(super) const VERSIONS: [&str; 3] =
    [PER_REQUEST_VERSION, HANDSHAKE_VERSIONS[0], HANDSHAKE_VERSIONS[1]];

/// By which rules a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// Each request says everything itself.
    PerRequest,
    /// The client has begun with `initialize`, or does so now.
    Handshake,
}
