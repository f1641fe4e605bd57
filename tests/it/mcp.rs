//! `POST /mcp`: who is let in, what is no message of the protocol, which versions are spoken, and that
//! the headers say what the body says.

use crate::client::{Answer, Call, Client};
use crate::segments::one_meeting;
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use vomeet::domain::PlainToken;

/// The newest version, whose requests say everything themselves.
pub const NEWEST: &str = "2026-07-28";

/// What requests of the newest version have in `params._meta`.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A request as older clients send it.
pub fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

/// A call of `/mcp` with a token.
pub fn call(server: &Client, token: &str, message: &Value) -> Call {
    server.post("/mcp").bearer(token).json(message)
}

/// A request of the newest version, with the headers that it needs.
fn newest(server: &Client, token: &str, method: &str, params: &Value) -> Call {
    let mut params = params.clone();
    params["_meta"] = meta();
    let call = call(server, token, &request(method, &params));
    let call = call.header("MCP-Protocol-Version", NEWEST).header("Mcp-Method", method);
    match params["name"].as_str() {
        Some(name) => call.header("Mcp-Name", name),
        None => call,
    }
}

/// The status, and the code of the JSON-RPC error.
fn failure(answer: &Answer) -> (u16, i64) {
    let body = answer.json();
    assert_eq!(body["jsonrpc"], "2.0", "{body}");
    assert!(body.get("result").is_none(), "{body}");
    assert!(body["error"]["message"].is_string(), "{body}");
    (answer.status, body["error"]["code"].as_i64().expect("a code"))
}

/// A server, and a token of its one user.
fn server() -> (Server, String) {
    let mut token = String::new();
    let setup = Setup::new().rows(|db| token = insert_token(db, 1, None));
    (setup.start(), token)
}

#[test]
fn a_token_comes_as_a_bearer_token_or_in_the_header_of_the_other_routes() {
    let (server, token) = server();
    let ping = request("ping", &json!({}));
    let post = || server.post("/mcp").json(&ping);
    for let_in in [
        post().bearer(&token),
        post().header("Authorization", format!("bEARER   {token}")),
        post().user(&token),
        // The header of the other routes counts before that of a proxy.
        post().user(&token).header("Authorization", "Basic YTpi"),
    ] {
        let answer = let_in.send();
        assert_eq!(answer.expect(200), json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    }
    let unknown = PlainToken::generate().expect("randomness");
    for (refused, code) in [
        (post(), "missing"),
        (post().admin(), "missing"),
        (post().header("Authorization", &token), "missing"),
        (post().header("Authorization", "Bearer "), "missing"),
        (post().bearer(unknown.reveal()), "unknown"),
        (post().bearer("abc"), "mistyped"),
        (post().bearer(&token).bearer(&token), "repeated"),
        (post().user(&token).user(&token), "repeated"),
        (post().user("abc").bearer(&token), "mistyped"),
    ] {
        let answer = refused.send();
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        assert_eq!(answer.json()["code"], code);
        assert!(!answer.text().contains(&token), "{answer:?}");
    }
    let revoked = server.new_token(1);
    assert_eq!(call(&server, &revoked.text, &ping).send().status, 200);
    server.revoke(&revoked);
    assert_eq!(call(&server, &revoked.text, &ping).send().status, 401);
}

#[test]
fn wrong_keys_are_limited_and_noted_as_on_every_route() {
    let mut token = String::new();
    let setup = Setup::new().rows(|db| token = insert_token(db, 1, None));
    let server = setup.set("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "2").start();
    let ping = request("ping", &json!({}));
    let unknown = PlainToken::generate().expect("randomness");
    let wrong = || call(&server, unknown.reveal(), &ping).send().status;
    // A request without a key is no attempt to guess one.
    for _ in 0..5 {
        assert_eq!(server.post("/mcp").json(&ping).send().status, 401);
    }
    assert_eq!([wrong(), wrong(), wrong()], [401, 401, 429]);
    assert_eq!(call(&server, &token, &ping).send().status, 200, "a right key is let in");
    let noted = server.get("/admin/refusals").admin().send().expect(200).to_string();
    assert!(noted.contains("/mcp") && !noted.contains(unknown.reveal()), "{noted}");
}

#[test]
fn pages_of_other_sites_are_refused_as_on_the_websocket() {
    let mut token = String::new();
    let setup = Setup::new().rows(|db| token = insert_token(db, 1, None));
    let server = setup.set("VOMEET_HTTP_CORS_ORIGINS", "https://app.example.com").start();
    let ping = request("ping", &json!({}));
    let from = |origin: &str| call(&server, &token, &ping).header("Origin", origin).send().status;
    let own = format!("http://{}", server.address);
    assert_eq!((from("https://app.example.com"), from(&own)), (200, 200));
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        assert_eq!(from(origin), 403, "{origin}");
    }
    // What the protocol needs may be sent by the pages that may.
    let preflight = server.call("OPTIONS", "/mcp").header("Origin", "https://app.example.com");
    let preflight = preflight.header("Access-Control-Request-Method", "POST").send();
    let allowed = preflight.header("access-control-allow-headers").expect("headers").to_lowercase();
    for name in ["authorization", "mcp-protocol-version", "mcp-method", "mcp-name"] {
        assert!(allowed.contains(name), "{name}: {allowed}");
    }
}

#[test]
fn there_are_no_sessions_and_no_streams_to_open() {
    let (server, token) = server();
    for method in ["GET", "DELETE"] {
        let answer = server.call(method, "/mcp").bearer(&token).send();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    let ping = call(&server, &token, &request("ping", &json!({}))).header("Mcp-Session-Id", "x");
    let answer = ping.send();
    assert_eq!((answer.status, answer.header("mcp-session-id")), (200, None));
}

#[test]
fn what_is_no_message_is_an_error_of_json_rpc() {
    let (server, token) = server();
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("\u{0}", -32700),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"} x", -32700),
        (&format!("{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": {deep}}}"), -32600),
        ("null", -32600),
        ("\"ping\"", -32600),
        ("[]", -32600),
        ("[{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}]", -32600),
        ("{}", -32600),
        ("{\"id\": 1, \"method\": \"ping\"}", -32600),
        ("{\"jsonrpc\": \"1.0\", \"id\": 1, \"method\": \"ping\"}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": 1}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": null, \"method\": \"ping\"}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1.5, \"method\": \"ping\"}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": {}, \"method\": \"ping\"}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1, \"id\": 2, \"method\": \"ping\"}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\", \"params\": []}", -32600),
        ("{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {}}", -32600),
    ] {
        let answer = server.post("/mcp").bearer(&token).body(body).send();
        assert_eq!(failure(&answer), (400, code), "{body:.80}");
        assert!(answer.json().get("id").is_none(), "{body:.80}");
        let is_batch = body.starts_with('[');
        assert_eq!(answer.text().contains("no batch"), is_batch, "{body:.80}: {answer:?}");
    }
    let not_utf8 = server.post("/mcp").bearer(&token).body(b"{\"jsonrpc\": \"\xff\"}").send();
    assert_eq!(failure(&not_utf8), (400, -32700));
    let long = json!({"jsonrpc": "2.0", "id": 1, "method": "x".repeat(70_000)});
    let oversized = call(&server, &token, &long).send();
    assert_eq!(oversized.refusal(), (413, "The body is longer than 65536 bytes.".to_owned()));
    // The id comes back as it was sent.
    for id in [json!(0), json!(-5), json!(u64::MAX), json!(""), json!("a\"b\u{1F600}")] {
        let ping = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        assert_eq!(call(&server, &token, &ping).send().expect(200)["id"], id);
    }
    let marked = format!("\u{feff}{}", request("ping", &json!({})));
    assert_eq!(server.post("/mcp").bearer(&token).body(marked).send().status, 200);
}

#[test]
fn a_notification_is_accepted_and_has_no_response() {
    let (server, token) = server();
    for method in ["notifications/initialized", "notifications/cancelled", "whatever"] {
        let told = json!({"jsonrpc": "2.0", "method": method, "params": {"requestId": 1}});
        let answer = call(&server, &token, &told).send();
        assert_eq!((answer.status, answer.text()), (202, ""), "{method}");
    }
}

#[test]
fn older_clients_begin_with_a_handshake() {
    let (server, token) = server();
    let begin = |version: &Value| {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
        call(&server, &token, &request("initialize", &params)).send()
    };
    for (wanted, version) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2025-11-25"),
        (NEWEST, "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let result = begin(&json!(wanted)).expect(200)["result"].clone();
        assert_eq!(result["protocolVersion"], version, "{wanted}");
        assert_eq!(result["serverInfo"]["name"], "vomeet");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert!(result["instructions"].as_str().is_some_and(|told| told.contains("UNTRUSTED")));
    }
    assert_eq!(failure(&begin(&Value::Null)), (200, -32602));
    for version in ["2025-11-25", "2025-06-18"] {
        let list = call(&server, &token, &request("tools/list", &json!({})));
        let list = list.header("MCP-Protocol-Version", version).send().expect(200);
        assert!(list["result"]["tools"].is_array(), "{list}");
    }
    for method in ["server/discover", "resources/list", "subscriptions/listen", ""] {
        let answer = call(&server, &token, &request(method, &json!({}))).send();
        assert_eq!(failure(&answer), (200, -32601), "{method}");
    }
}

#[test]
fn a_version_that_is_not_spoken_is_refused_with_those_that_are() {
    let (server, token) = server();
    for version in ["1900-01-01", "2024-11-05", "2025-03-26", "x", ""] {
        let ping = call(&server, &token, &request("ping", &json!({})));
        let answer = ping.header("MCP-Protocol-Version", version).send();
        assert_eq!(failure(&answer), (400, -32022), "{version}");
        let supported = json!([NEWEST, "2025-11-25", "2025-06-18"]);
        assert_eq!(
            answer.json()["error"]["data"],
            json!({"supported": supported, "requested": version})
        );
    }
}

#[test]
fn newer_clients_say_everything_with_each_request() {
    let (server, token, _) = one_meeting();
    let discovered = newest(&server, &token, "server/discover", &json!({})).send().expect(200);
    let result = &discovered["result"];
    assert_eq!(result["supportedVersions"], json!([NEWEST, "2025-11-25", "2025-06-18"]));
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "vomeet");
    assert!(result["ttlMs"].is_u64() && result["cacheScope"] == "public", "{result}");
    let listed = newest(&server, &token, "tools/list", &json!({})).send().expect(200);
    let result = &listed["result"];
    assert!(result["ttlMs"].is_u64() && result["cacheScope"] == "private", "{result}");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "vomeet");
    let status = json!({"name": "get_bot_status", "arguments": {}});
    let called = newest(&server, &token, "tools/call", &status).send().expect(200);
    let result = &called["result"];
    assert_eq!((&result["resultType"], &result["isError"]), (&json!("complete"), &json!(false)));
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "vomeet");
    for method in ["ping", "initialize", "resources/list", "subscriptions/listen"] {
        let answer = newest(&server, &token, method, &json!({})).send();
        assert_eq!(failure(&answer), (404, -32601), "{method}");
    }
}

#[test]
fn headers_that_differ_from_the_body_are_refused() {
    let (server, token) = server();
    let named = json!({"name": "get_bot_status", "_meta": meta()});
    let list = request("tools/list", &json!({"_meta": meta()}));
    let use_it = request("tools/call", &named);
    let with = |message: &Value, headers: &[(&str, &str)]| {
        let call = call(&server, &token, message);
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send()
    };
    let version = ("MCP-Protocol-Version", NEWEST);
    let (to_list, to_call) = (("Mcp-Method", "tools/list"), ("Mcp-Method", "tools/call"));
    for (message, headers) in [
        (&list, &[to_list][..]),
        (&list, &[("MCP-Protocol-Version", "2025-11-25"), to_list]),
        (&list, &[version]),
        (&list, &[version, to_call]),
        (&list, &[version, ("Mcp-Method", "Tools/List")]),
        (&list, &[version, ("Mcp-Method", "tools/list\u{e9}")]),
        (&use_it, &[version, to_call]),
        (&use_it, &[version, to_call, ("Mcp-Name", "send_bot")]),
        (&use_it, &[version, to_call, ("Mcp-Name", "=?base64?%%?=")]),
    ] {
        assert_eq!(failure(&with(message, headers)), (400, -32020), "{headers:?}");
    }
    assert_eq!(with(&list, &[version, to_list]).status, 200);
    let encoded = ("Mcp-Name", "=?base64?Z2V0X2JvdF9zdGF0dXM=?=");
    assert_eq!(with(&use_it, &[version, to_call, encoded]).status, 200);
    // What every request has in _meta.
    for missing in ["protocolVersion", "clientCapabilities"] {
        let mut meta = meta();
        let name = format!("io.modelcontextprotocol/{missing}");
        meta.as_object_mut().expect("an object").remove(&name);
        let message = request("tools/list", &json!({"_meta": meta}));
        assert_eq!(failure(&with(&message, &[version, to_list])), (400, -32602), "{missing}");
    }
}
