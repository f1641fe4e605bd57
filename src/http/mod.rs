//! From socket to handler and back. Knows no SQL and no rule.
//!
//! [`serve`] accepts, from the network and by the [`local`] socket, [`edge`] keeps the rules of HTTP, [`router`] finds
//! the row, [`admission`] counts whom its door refuses and lets in, by the address that [`client_address`] finds, [`form`]
//! reads what was sent, [`answer`] writes what is returned, [`pages`] what is too long to be written at once, [`access`]
//! logs it. A request for a WebSocket is judged by [`handshake`]; then [`websocket`] speaks on its connection.

pub mod access;
pub mod admission;
pub mod answer;
pub mod body;
pub mod client_address;
pub mod connections;
pub mod edge;
pub mod form;
pub mod handshake;
pub mod local;
pub mod pages;
pub mod peer;
pub mod router;
pub mod sending;
pub mod serve;
pub mod stream;
pub mod websocket;

pub use answer::{Accepted, Created, CreatedOrFound, Json, NoContent, Output, Page, Response};
pub use form::{Form, Input};
pub use pages::{Pages, Streamed};
pub use router::{Call, Door, Route};
