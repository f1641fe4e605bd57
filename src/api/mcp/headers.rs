//! Holds the headers of a request against its body (revision 2026-07-28, "Server Validation").

use crate::api::mcp::caller::McpHeaders;
use crate::api::mcp::message::{Failure, Message};
use crate::api::mcp::version::{Era, PER_REQUEST_VERSION, VERSIONS};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use serde_json::Value;

/// Members of `_meta` that every request of the newest version has.
const VERSION_IN_META: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_IN_META: &str = "io.modelcontextprotocol/clientCapabilities";

/// The rules of a request, if its headers say what its body says.
pub(super) fn era(headers: &McpHeaders, message: &Message) -> Result<Era, Failure> {
    let in_meta = match message.meta(VERSION_IN_META) {
        None => None,
        Some(Value::String(version)) => Some(version.as_str()),
        Some(_) => return Err(Failure::incomplete_meta("The protocolVersion is a text.")),
    };
    let in_header = match &headers.version {
        None => None,
        Some(value) => Some(plain("MCP-Protocol-Version", value)?),
    };
    let version = match (in_header, in_meta) {
        (None, None) => return Ok(Era::Handshake),
        (None, Some(_)) => {
            let why = "The header MCP-Protocol-Version is missing.";
            return Err(Failure::header_mismatch(why));
        }
        (Some(version), Some(other)) if version != other => {
            let why = format!("MCP-Protocol-Version is {version:?}, and _meta says {other:?}.");
            return Err(Failure::header_mismatch(why));
        }
        (Some(version), _) => version,
    };
    if !VERSIONS.contains(&version) {
        return Err(Failure::unknown_version(version));
    }
    if version != PER_REQUEST_VERSION {
        return Ok(Era::Handshake);
    }
    if in_meta.is_none() {
        return Err(Failure::incomplete_meta("_meta lacks the protocolVersion."));
    }
    if !message.meta(CAPABILITIES_IN_META).is_some_and(Value::is_object) {
        return Err(Failure::incomplete_meta("_meta lacks the clientCapabilities."));
    }
    same("Mcp-Method", headers.method.as_ref(), &message.method)?;
    if message.method == "tools/call" {
        let name = message.params.get("name").and_then(Value::as_str).unwrap_or_default();
        same("Mcp-Name", headers.name.as_ref(), name)?;
    }
    Ok(Era::PerRequest)
}

/// Whether a header says what the body says.
fn same(header: &str, value: Option<&HeaderValue>, in_body: &str) -> Result<(), Failure> {
    let Some(value) = value else {
        return Err(Failure::header_mismatch(format!("The header {header} is missing.")));
    };
    let in_header = decoded(plain(header, value)?);
    if in_header.as_deref() == Some(in_body.as_bytes()) {
        return Ok(());
    }
    let why = format!("The header {header} does not say what the body says, {in_body:?}.");
    Err(Failure::header_mismatch(why))
}

fn plain<'a>(header: &str, value: &'a HeaderValue) -> Result<&'a str, Failure> {
    value.to_str().map_err(|_| {
        Failure::header_mismatch(format!("The header {header} has characters beyond ASCII."))
    })
}

/// The value of a header, which may be in Base64 (revision 2026-07-28, "Value Encoding").
fn decoded(value: &str) -> Option<Vec<u8>> {
    let inside = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match inside {
        Some(encoded) => BASE64_STANDARD.decode(encoded).ok(),
        None => Some(value.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn a_value_may_be_in_base64() {
        for (value, expected) in [
            ("get_transcript", Some("get_transcript")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?%?=", None),
            ("=?BASE64?YQ==?=", Some("=?BASE64?YQ==?=")),
        ] {
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(decoded(value), expected, "{value}");
        }
    }
}
