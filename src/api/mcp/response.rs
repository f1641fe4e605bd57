//! What `/mcp` responds with: one JSON-RPC message. The result of a tool is the response of its
//! route, as a text; a long one is passed on page by page.

use crate::api::mcp::about::meta;
use crate::api::mcp::mark::Mark;
use crate::api::mcp::message::Failure;
use crate::api::mcp::tool::Tool;
use crate::api::mcp::version::Era;
use crate::error::{Error, Result};
use crate::http::response::{ResponseDoc, json, json_doc, of_body, whole};
use crate::http::response_body::{Body, Broken};
use crate::http::{IntoResponse, Response};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A JSON-RPC response.
#[derive(Serialize, ToSchema)]
pub(crate) struct JsonRpcResponse<'a> {
    /// Always 2.0.
    #[schema(example = "2.0")]
    jsonrpc: &'static str,
    /// The id of the request; absent where that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    id: Option<&'a Value>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    result: Option<&'a Value>,
    /// Why there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<JsonRpcError<'a>>,
}

/// A JSON-RPC error.
#[derive(Serialize, ToSchema)]
pub(crate) struct JsonRpcError<'a> {
    /// The code of JSON-RPC or of the protocol.
    #[schema(example = -32601)]
    code: i64,
    /// What is wrong, in a sentence.
    message: &'a str,
    /// More of it, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    data: Option<&'a Value>,
}

/// The response of `/mcp`.
pub(crate) struct McpResponse(pub(super) Response);

impl McpResponse {
    /// 202 without a body.
    pub(super) fn accepted() -> Self {
        Self(whole(StatusCode::ACCEPTED, Bytes::new()))
    }

    /// A result that is made here.
    pub(super) fn done(id: &Value, result: &Value) -> Result<Self> {
        let message =
            JsonRpcResponse { jsonrpc: "2.0", id: Some(id), result: Some(result), error: None };
        json(StatusCode::OK, &message).map(Self)
    }

    /// An error of the protocol.
    pub(super) fn failed(id: Option<&Value>, failure: &Failure) -> Self {
        let Failure { status, code, message, data } = failure;
        let error = JsonRpcError { code: *code, message, data: data.as_ref() };
        let message = JsonRpcResponse { jsonrpc: "2.0", id, result: None, error: Some(error) };
        let response = json(*status, &message);
        Self(response.unwrap_or_else(|_| whole(*status, Bytes::new())))
    }

    /// The result of a tool: what its route responds with.
    pub(super) fn of_tool(id: &Value, era: Era, tool: &Tool, response: Response) -> Result<Self> {
        let (before, behind) = match tool.is_untrusted {
            true => {
                let mark = Mark::new()?;
                (mark.before, mark.behind)
            }
            false => (String::new(), String::new()),
        };
        let text = Text { before: &before, body: response.into_body(), behind: &behind };
        text.into_result(id, era, false)
    }

    /// The result of a tool that has failed: the error of its route.
    pub(super) fn of_failed_tool(id: &Value, era: Era, response: Response) -> Result<Self> {
        Text { before: "", body: response.into_body(), behind: "" }.into_result(id, era, true)
    }

    /// The result of a tool that was not run: a sentence.
    pub(super) fn refused(id: &Value, era: Era, why: &str) -> Result<Self> {
        let body = Body::whole(Bytes::from(why.to_owned()));
        Text { before: "", body, behind: "" }.into_result(id, era, true)
    }
}

/// The text of a result, and what stands around it.
struct Text<'a> {
    before: &'a str,
    body: Body,
    behind: &'a str,
}

impl Text<'_> {
    /// The result that holds it. It is put together as text: the body may be long, and is not all
    /// there.
    fn into_result(self, id: &Value, era: Era, is_error: bool) -> Result<McpResponse> {
        let broken = |_: Broken| Error::Internal("a response is no text".to_owned());
        let mut begin = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\""
        )
        .into_bytes();
        begin.extend(escaped(self.before.as_bytes()).map_err(broken)?);
        let mut end = escaped(self.behind.as_bytes()).map_err(broken)?;
        end.extend(format!("\"}}],\"isError\":{is_error},\"resultType\":\"complete\"").bytes());
        if era == Era::PerRequest {
            end.extend(format!(",\"_meta\":{}", meta()).bytes());
        }
        end.extend(b"}}");
        let body = self.body.within(begin, escaped, end).map_err(broken)?;
        let mut response = of_body(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(McpResponse(response))
    }
}

/// A text as it stands inside a JSON string. Each page of a response ends with a whole character.
fn escaped(text: &[u8]) -> std::result::Result<Vec<u8>, Broken> {
    let text = std::str::from_utf8(text).map_err(|_| Broken)?;
    let mut json = serde_json::to_vec(text).map_err(|_| Broken)?;
    json.pop();
    json.remove(0);
    Ok(json)
}

impl IntoResponse for McpResponse {
    fn into_response(self) -> Result<Response> {
        Ok(self.0)
    }

    fn describe() -> Vec<ResponseDoc> {
        let message = |status, about| json_doc::<JsonRpcResponse<'_>>(status, about);
        vec![
            message(StatusCode::OK, "The response to a request"),
            ResponseDoc {
                status: StatusCode::ACCEPTED,
                about: "The message was a notification",
                content: None,
                schemas: Vec::new(),
            },
            message(StatusCode::BAD_REQUEST, "The message breaks a rule of the protocol"),
            message(StatusCode::NOT_FOUND, "There is no such method"),
        ]
    }
}
