//! From socket to service and back: the transport. It knows no route, no SQL and no rule of the
//! domain.
//!
//! [`serve`] accepts, from the network and by the [`admin_socket`]; [`pipeline`] keeps the rules of
//! HTTP and hands each request to a [`service`]; [`request`] reads what was sent; [`response`],
//! [`streamed_response`], [`ranged`], [`json_stream`] and [`asset`] write what is returned; [`problem`] gives an error its
//! status; [`access_log`] logs it. After a [`websocket::handshake`], [`websocket::socket`] speaks
//! on the connection.

pub(crate) mod access_log;
pub mod admin_socket;
pub(crate) mod asset;
pub(crate) mod connection_activity;
pub(crate) mod connections;
pub(crate) mod entity_tag;
pub(crate) mod hosts;
pub(crate) mod json_stream;
pub mod peer;
pub(crate) mod peer_owner;
pub(crate) mod pipeline;
pub(crate) mod problem;
pub(crate) mod ranged;
pub(crate) mod raw;
pub mod request;
pub(crate) mod request_ids;
pub(crate) mod response;
pub(crate) mod response_body;
pub mod serve;
pub(crate) mod serve_few;
pub(crate) mod service;
pub(crate) mod streamed_response;
pub(crate) mod this_machine;
pub mod tls;
pub(crate) mod trace;
mod tracked_body;
pub(crate) mod tracked_stream;
pub(crate) mod transport;
pub(crate) mod websocket;

pub(crate) use asset::Asset;
pub(crate) use json_stream::JsonStream;
pub(crate) use request::extractor::{BodyRule, Extractor, FromRequest};
pub(crate) use response::{
    Accepted, Created, CreatedOrFound, IntoResponse, Json, NoContent, Page, Response, WithHeader,
};
pub(crate) use streamed_response::{PageSource, StreamedResponse};
