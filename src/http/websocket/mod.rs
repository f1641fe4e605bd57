//! WebSockets (RFC 6455): the opening handshake, how many may be open, and the socket itself.

pub mod handshake;
pub mod permits;
pub mod socket;
