//! WebSockets (RFC 6455): the opening handshake, how many may be open, and the socket itself.

pub(crate) mod handshake;
pub(crate) mod origin;
pub(crate) mod permits;
pub(crate) mod socket;
