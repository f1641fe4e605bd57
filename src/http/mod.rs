//! From socket to service and back: the transport. It knows no route, no SQL and no rule of the
//! domain.
//!
//! [`serve`] accepts, from the network and by the [`admin_socket`]; [`pipeline`] keeps the rules of
//! HTTP and hands each request to a [`service`]; [`request`] reads what was sent; [`response`],
//! [`streamed_response`] and [`json_stream`] write what is returned; [`problem`] gives an error its
//! status; [`access_log`] logs it. After a [`websocket::handshake`], [`websocket::socket`] speaks
//! on the connection.

pub mod access_log;
pub mod admin_socket;
pub mod connections;
pub mod hosts;
pub mod json_stream;
pub mod peer;
pub mod pipeline;
pub mod problem;
pub mod request;
pub mod request_ids;
pub mod response;
pub mod serve;
pub mod service;
pub mod streamed_response;
pub mod tracked_body;
pub mod tracked_stream;
pub mod transport;
pub mod websocket;

pub use json_stream::JsonStream;
pub use request::extractor::{BodyRule, Extractor, FromRequest};
pub use response::{
    Accepted, Created, CreatedOrFound, IntoResponse, Json, NoContent, Page, Response,
};
pub use streamed_response::{PageSource, StreamedResponse};
