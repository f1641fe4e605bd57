//! What slow clients send: all of it asks for more than they read, or is less than they announce.

use crate::client::{Call, Client};
use crate::mcp;
use crate::redis_client::request;
use serde_json::{Value, json};

/// A slow user's token, and a good user's; the secret of a meeting whose bot is slow.
pub struct Tokens {
    pub slow: String,
    pub good: String,
    pub bot: String,
}

/// What the slow clients send, each its own of these: all of it asks for more than they read, or is
/// less than they announce.
pub fn unfinished(server: &Client, tokens: &Tokens) -> Vec<Vec<u8>> {
    let body = |call: Call, sent: usize, announced: usize| {
        let mut bytes = call.header("Content-Length", announced.to_string()).bytes();
        bytes.extend(std::iter::repeat_n(b' ', sent));
        bytes
    };
    let teams = "/meetings/teams/1000000001";
    let log = "/bots/internal/callback/status_change";
    let mut head = server.get("/user").header("X-Filling", "x".repeat(12_000)).bytes();
    head.truncate(head.len() - 2);
    let tool = |method: &str, params: &Value| {
        mcp::call(server, &tokens.slow, &mcp::request(method, params))
    };
    let all_meetings = json!({"name": "list_meetings", "arguments": {"limit": 1000}});
    vec![
        server.get("/meetings").user(&tokens.slow).bytes(),
        server.get("/meetings?limit=50").user(&tokens.slow).bytes(),
        server.get("/docs/swagger-ui-bundle.js").bytes(),
        server.get("/openapi.json").bytes(),
        server.get("/metrics").bytes().repeat(20),
        server.get("/user").user(&tokens.slow).bytes().repeat(200),
        server.get("/admin/users?limit=1000").admin().bytes(),
        head,
        body(server.patch(teams).user(&tokens.slow), 60_000, 65_536),
        body(server.post("/bots/internal/callback/joining"), 16_000, 16_384),
        body(server.post(log), 500_000, 1_000_000),
        live_socket(server, &tokens.slow),
        sound_socket(server.get("/whisper-live"), 256 * 1024),
        sound_socket(server.get("/bots/internal/audio").bearer(&tokens.bot), 64 * 1024),
        tool("tools/list", &json!({})).bytes().repeat(50),
        tool("tools/call", &all_meetings).bytes(),
        body(server.post("/mcp").bearer(&tokens.slow), 60_000, 65_536),
    ]
}

/// The same by the Redis endpoint, which is not encrypted: of strangers, of a feeder and of a bot.
pub fn unfinished_redis(tokens: &Tokens) -> Vec<Vec<u8>> {
    let begun = |announced: usize, sent: usize| {
        let words = ["XADD", "transcription_segments", "*", "payload", &"x".repeat(announced)];
        let mut bytes = request(&words);
        bytes.truncate(sent);
        bytes
    };
    let payload = format!(r#"{{"type":"session_end","uid":"a","token":"{}"}}"#, tokens.bot);
    let fed = request(&["XADD", "transcription_segments", "*", "payload", &payload]);
    let signed_in = request(&["AUTH", "bot", &tokens.bot]);
    let echo = request(&["ECHO", &"x".repeat(4000)]);
    vec![
        b"*0\r\n".to_vec(),
        request(&["PING"]).repeat(2000),
        begun(65_000, 60_000),
        [fed, begun(1_000_000, 500_000)].concat(),
        [signed_in.clone(), begun(1_000_000, 500_000)].concat(),
        [signed_in, echo.repeat(200)].concat(),
    ]
}

/// The request for a WebSocket.
fn upgrade(call: Call) -> Vec<u8> {
    let call = call.header("Upgrade", "websocket");
    let call = call.header("Connection", "Upgrade").header("Sec-WebSocket-Version", "13");
    call.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").bytes()
}

/// Opens a socket for sound and sends all of a message but its last byte.
fn sound_socket(call: Call, length: u32) -> Vec<u8> {
    let mut bytes = upgrade(call);
    // A binary frame with a mask of zeros (RFC 6455, section 5.2).
    bytes.extend([0x82, 0xff, 0, 0, 0, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(std::iter::repeat_n(7, length as usize - 1));
    bytes
}

/// Opens a live socket and asks for more pongs than are read.
fn live_socket(server: &Client, token: &str) -> Vec<u8> {
    let mut bytes = upgrade(server.get("/ws").user(token));
    let ping = br#"{"action":"ping"}"#;
    for _ in 0..2000 {
        // A text frame with a mask of zeros (RFC 6455, section 5.2).
        bytes.extend([0x81, 0x91, 0, 0, 0, 0]);
        bytes.extend(ping);
    }
    bytes
}

/// The beginning of a handshake whose first message is long and does not come to its end.
pub fn unfinished_hello() -> Vec<u8> {
    let mut bytes = vec![22, 3, 1, 0x3e, 0x80, 1, 0, 0xea, 0x60];
    bytes.resize(5 + 16_000, 0);
    bytes
}
