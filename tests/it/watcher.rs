//! A client of the live feed.

use crate::client::{Client, PATIENCE};
use crate::patience::Unbroken;
use serde_json::{Value, json};
use std::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

/// What came over a socket.
#[derive(Debug, PartialEq)]
pub enum Received {
    Json(Value),
    Closed(u16),
    /// The connection ended without a word.
    Cut,
}

/// A socket of a user's.
pub struct Watcher(WebSocket<Unbroken>);

impl Watcher {
    /// Opens a socket with the token in the header.
    pub fn open(server: &Client, token: &str) -> Self {
        Self::with(server, "/ws", &[token.as_bytes()])
    }

    /// Opens a socket at this path, with these values of `X-API-Key`.
    pub fn with(server: &Client, path: &str, keys: &[&[u8]]) -> Self {
        let stream = TcpStream::connect_timeout(&server.address, PATIENCE).expect("a connection");
        Self::over(stream, server, path, keys)
    }

    pub fn over(stream: TcpStream, server: &Client, path: &str, keys: &[&[u8]]) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        let mut request =
            format!("ws://{}{path}", server.address).into_client_request().expect("a request");
        for key in keys {
            request
                .headers_mut()
                .append("X-API-Key", HeaderValue::from_bytes(key).expect("a value"));
        }
        let (socket, answer) =
            client(request, Unbroken(stream)).unwrap_or_else(|error| panic!("{path}: {error}"));
        crate::openapi::assert_documented("GET", "/ws", answer.status().as_u16());
        Self(socket)
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).expect("sent");
    }

    /// The next thing that the server says; pings are answered on the way.
    pub fn receive(&mut self) -> Received {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => {
                    return Received::Json(serde_json::from_str(&text).expect("JSON"));
                }
                Ok(Message::Close(Some(frame))) => {
                    let code = frame.code.into();
                    // The answer to it goes out, and the server ends the connection.
                    while self.0.read().is_ok() {}
                    return Received::Closed(code);
                }
                Ok(Message::Ping(_)) => {}
                Ok(other) => panic!("{other:?}"),
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came")
                }
                Err(_) => return Received::Cut,
            }
        }
    }

    /// The next text.
    pub fn json(&mut self) -> Value {
        match self.receive() {
            Received::Json(value) => value,
            other => panic!("{other:?}"),
        }
    }

    pub fn ask(&mut self, action: &str, meetings: &[(&str, &str)]) -> Value {
        self.say(json!({ "action": action, "meetings": named(meetings) }).to_string());
        self.json()
    }

    /// Follows these meetings, each of which must be there.
    pub fn subscribe(&mut self, meetings: &[(&str, &str)]) {
        let confirmed = self.ask("subscribe", meetings);
        assert_eq!(confirmed, json!({ "type": "subscribed", "meetings": named(meetings) }));
    }

    /// Asks for an answer: whatever the server had said before has come when it is there.
    pub fn expect_nothing(&mut self) {
        self.say(r#"{"action":"ping"}"#);
        assert_eq!(self.json(), json!({"type": "pong"}));
    }
}

pub fn named(meetings: &[(&str, &str)]) -> Value {
    meetings.iter().map(|(platform, id)| json!({ "platform": platform, "native_id": id })).collect()
}
