//! The server of the Model Context Protocol (MCP): one route, `POST /mcp`, that takes one JSON-RPC
//! message and responds to it.
//!
//! There are no sessions and no streams that the server begins: `GET` and `DELETE` are 405, as the
//! revision 2026-07-28 says (Streamable HTTP, "Earlier Streamable HTTP Revisions"). Clients of that
//! revision and of the two before it are understood ([`version`]). Each tool runs the handler of a
//! route, with the route's limits ([`tools`]).
//!
//! By hand and not by the crate `rmcp`: a message in and a message out are the whole transport, and
//! the schemas of the tools are those of the API document.

mod about;
mod arguments;
mod caller;
mod handlers;
mod headers;
mod mark;
mod message;
mod response;
mod tool;
mod tools;
mod version;

pub(crate) use caller::McpCaller;

use crate::api::mcp::about::{discovery, handshake, meta};
use crate::api::mcp::headers::era;
use crate::api::mcp::message::{Failure, Message, MessageInput};
use crate::api::mcp::response::McpResponse;
use crate::api::mcp::tool::Tool;
use crate::api::mcp::tools::TOOLS;
use crate::api::mcp::version::Era;
use crate::api::response_room::{ResponseSize, Room};
use crate::app::App;
use crate::auth::{ResponseHeaders, User};
use crate::budget::Holder;
use crate::error::{Error, Result};
use crate::http::problem::error_response;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How long a client may keep the list of tools, in milliseconds; a token may be narrowed meanwhile.
const TOOLS_TTL_MS: u32 = 60_000;
/// Receives a message of a client of MCP, and responds to it.
pub(crate) async fn receive_message(
    app: Arc<App>,
    caller: McpCaller,
    input: MessageInput,
) -> Result<McpResponse> {
    let message = match input.0 {
        Ok(message) => message,
        Err(failure) => return Ok(McpResponse::failed(None, &failure)),
    };
    let Some(id) = message.id.clone() else {
        // What is only told needs no response, and there is nothing that this server must be told.
        return Ok(McpResponse::accepted());
    };
    let era = match era(&caller.headers, &message) {
        Ok(era) => era,
        Err(failure) => return Ok(McpResponse::failed(Some(&id), &failure)),
    };
    let answered = match (message.method.as_str(), era) {
        ("server/discover", Era::PerRequest) => Ok(discovery()),
        ("initialize", Era::Handshake) => handshake(&message),
        ("ping", Era::Handshake) => Ok(json!({})),
        ("tools/list", _) => return list_tools(&app, caller.user, &id, era).await,
        ("tools/call", _) => match called(&app, &caller.user, &message) {
            Ok((tool, sent)) => return call_tool(app, caller.user, (&id, era), tool, sent).await,
            Err(failure) => Err(failure),
        },
        (other, _) => Err(Failure::no_method(other, era)),
    };
    match answered {
        Ok(result) => McpResponse::done(&id, &result),
        Err(failure) => Ok(McpResponse::failed(Some(&id), &failure)),
    }
}

/// Lists the tools that the token may use.
async fn list_tools(app: &App, user: User, id: &Value, era: Era) -> Result<McpResponse> {
    let budgets = &app.transport.budgets;
    let (holder, of_token) = (Holder::User(user.user.id), Holder::Token(user.token.id));
    let room = Room::take(ResponseSize::Paged, budgets, holder, of_token).await?;
    let mut listed = Vec::new();
    for tool in TOOLS.iter() {
        if refusal(app, &user, tool).is_none() {
            listed.push(&tool.definition);
        }
    }
    let mut result = json!({
        "resultType": "complete",
        "tools": listed,
        "ttlMs": TOOLS_TTL_MS,
        "cacheScope": "private",
    });
    if era == Era::PerRequest {
        result["_meta"] = meta();
    }
    let McpResponse(response) = McpResponse::done(id, &result)?;
    Ok(McpResponse(room.hold(response, budgets).await?))
}

/// Why the token may not use a tool here; `None` where it may.
fn refusal(app: &App, user: &User, tool: &Tool) -> Option<String> {
    if tool.is_action && !app.in_force.load().mcp.allow_actions {
        let why = "This server lets clients of MCP change nothing; its administrator can set \
                   allow_actions in section [mcp] of vomeet.toml.";
        return Some(why.to_owned());
    }
    user.token.terms.scope.check(tool.permission).err()
}

/// The tool that a message calls, and the arguments; both are taken apart before anything is done.
fn called(
    app: &App,
    user: &User,
    message: &Message,
) -> std::result::Result<(&'static Tool, Map<String, Value>), Failure> {
    let Some(name) = message.params.get("name").and_then(Value::as_str) else {
        return Err(Failure::invalid_params("tools/call names a tool."));
    };
    let Some(tool) = TOOLS.iter().find(|tool| tool.name == name) else {
        return Err(Failure::invalid_params(format!("Unknown tool: {name}")));
    };
    if let Some(why) = refusal(app, user, tool) {
        return Err(Failure::invalid_params(format!("{name} cannot be used: {why}")));
    }
    match message.params.get("arguments") {
        None | Some(Value::Null) => Ok((tool, Map::new())),
        Some(Value::Object(sent)) => Ok((tool, sent.clone())),
        Some(_) => Err(Failure::invalid_params("arguments should be an object.")),
    }
}

/// Runs a tool. What goes wrong in it is a result that says so, for the model to read; where the
/// server is busy, or has a fault, it is an error of HTTP, as on every route.
async fn call_tool(
    app: Arc<App>,
    user: User,
    (id, era): (&Value, Era),
    tool: &'static Tool,
    sent: Map<String, Value>,
) -> Result<McpResponse> {
    // The request itself counts as one.
    if tool.cost > 1 {
        let mut headers = ResponseHeaders::new();
        let now = app.clock.instant();
        app.request_limiter.count(&user, tool.cost - 1, now, &mut headers)?;
    }
    let arguments = match tool.arguments(sent) {
        Ok(arguments) => arguments,
        Err(why) => return McpResponse::refused(id, era, &why),
    };
    let transport = Arc::clone(&app.transport);
    let budgets = &transport.budgets;
    let (holder, of_token) = (Holder::User(user.user.id), Holder::Token(user.token.id));
    let room = Room::take(tool.size, budgets, holder, of_token).await?;
    let response = match tool.run(app, user, &arguments).await {
        Ok(response) => McpResponse::of_tool(id, era, tool, response)?,
        Err(error) if is_for_caller(&error) => {
            McpResponse::of_failed_tool(id, era, error_response(&error))?
        }
        Err(error) => return Err(error),
    };
    Ok(McpResponse(room.hold(response.0, budgets).await?))
}

/// Whether an error says something to the caller of a tool.
fn is_for_caller(error: &Error) -> bool {
    let is_for_later = matches!(error, Error::Busy | Error::TooManyRequests { .. });
    error.cause().is_none() && !is_for_later
}
