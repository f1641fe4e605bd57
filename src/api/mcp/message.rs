//! JSON-RPC 2.0 as the protocol has it: one message, never a batch.

use crate::api::mcp::version::{Era, VERSIONS};
use crate::http::{BodyRule, Extractor, FromRequest};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Why a message is not answered as it asks.
#[derive(Debug)]
pub(super) struct Failure {
    /// The status of HTTP.
    pub status: StatusCode,
    /// The code of JSON-RPC or of the protocol.
    pub code: i64,
    /// What is wrong, in a sentence.
    pub message: String,
    /// More of it, for programs.
    pub data: Option<Value>,
}

impl Failure {
    fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), data: None }
    }

    fn invalid_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, message)
    }

    /// Parameters that do not validate.
    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, -32602, message)
    }

    /// The same where the protocol wants 400: `_meta` lacks what every request has.
    pub(super) fn incomplete_meta(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32602, message)
    }

    /// An unknown method. For older clients 404 would be the end of a session.
    pub(super) fn no_method(method: &str, era: Era) -> Self {
        let status = match era {
            Era::PerRequest => StatusCode::NOT_FOUND,
            Era::Handshake => StatusCode::OK,
        };
        Self::new(status, -32601, format!("Method not found: {method}"))
    }

    /// A header that says something else than the body.
    pub(super) fn header_mismatch(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32020, message)
    }

    /// A version that is not spoken here.
    pub(super) fn unknown_version(requested: &str) -> Self {
        let data = json!({ "supported": VERSIONS, "requested": requested });
        let failure = Self::new(StatusCode::BAD_REQUEST, -32022, "Unsupported protocol version");
        Self { data: Some(data), ..failure }
    }
}

/// A request, or a notification where it has no id.
pub(super) struct Message {
    pub id: Option<Value>,
    pub method: String,
    pub params: Map<String, Value>,
}

/// The members of a message, before they are looked at.
#[derive(Deserialize)]
struct Members {
    jsonrpc: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    method: Option<Value>,
    params: Option<Value>,
}

/// A member that is there, and null where it is null.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Message {
    fn parse(body: &[u8]) -> Result<Self, Failure> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let whole: &RawValue = serde_json::from_slice(body).map_err(|error| {
            let message = format!("Parse error: {error}");
            Failure::new(StatusCode::BAD_REQUEST, -32700, message)
        })?;
        if whole.get().starts_with('[') {
            return Err(Failure::invalid_request("Send one message at a time, and no batch."));
        }
        let members: Members = serde_json::from_str(whole.get())
            .map_err(|error| Failure::invalid_request(&format!("Invalid request: {error}")))?;
        if members.jsonrpc.as_ref().and_then(Value::as_str) != Some("2.0") {
            return Err(Failure::invalid_request("A message has \"jsonrpc\": \"2.0\"."));
        }
        let Some(Value::String(method)) = members.method else {
            return Err(Failure::invalid_request("A message has a method, which is a text."));
        };
        if members.id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(Failure::invalid_request("An id is a text or a whole number."));
        }
        let params = match members.params {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return Err(Failure::invalid_request("params should be an object.")),
        };
        Ok(Self { id: members.id, method, params })
    }

    /// What `params._meta` says of the protocol.
    pub(super) fn meta(&self, name: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(name)
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// The body of `POST /mcp`: a message, or what is wrong with it.
pub(crate) struct MessageInput(pub(super) Result<Message, Failure>);

impl FromRequest for MessageInput {
    const BODY: BodyRule = BodyRule::Raw;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        Some(Self(Message::parse(extractor.raw_body())))
    }
}
