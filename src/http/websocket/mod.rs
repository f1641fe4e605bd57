//! Live sockets: the opening handshake, the places that sockets take, and the socket itself.

pub mod handshake;
pub mod permits;
pub mod socket;
