//! A client of the sockets for sound, and a server that takes sound while no engine hears it.

use crate::client::{Client, PATIENCE};
use crate::patience::Unbroken;
use crate::server::Setup;
use rusqlite::Connection;
use serde_json::Value;
use std::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

/// An engine that is away: what comes waits in the spool.
pub const ENGINE: &str = "[[transcription.engines]]\nname = \"away\"\nurl = \"http://127.0.0.1:9/v1\"\nmodel = \"none\"\n";

/// A server with an engine that is away.
pub fn hearing() -> Setup {
    let setup = Setup::new();
    std::fs::write(setup.folder().join("vomeet.toml"), ENGINE).expect("written");
    setup
}

/// What came over a socket.
#[derive(Debug, PartialEq)]
pub enum Told {
    Json(Value),
    Closed(u16),
    /// The connection ended without a word.
    Cut,
}

/// A socket for sound.
pub struct SoundSocket(WebSocket<Unbroken>);

impl SoundSocket {
    /// Opens a socket with these headers, or gives the status and the body of the response.
    pub fn try_open(
        server: &Client,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let stream = TcpStream::connect_timeout(&server.address, PATIENCE).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        let mut request =
            format!("ws://{}{path}", server.address).into_client_request().expect("a request");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers_mut().append(name, value.parse().expect("a value"));
        }
        match client(request, Unbroken(stream)) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }

    pub fn open(server: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        let opened = Self::try_open(server, path, headers);
        opened.unwrap_or_else(|refused| panic!("{path}: {refused:?}"))
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).expect("sent");
    }

    pub fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.send(Message::binary(bytes.into())).expect("sent");
    }

    /// The same where the server may have closed the socket meanwhile.
    pub fn try_send(&mut self, bytes: impl Into<Vec<u8>>) {
        let _ = self.0.send(Message::binary(bytes.into()));
    }

    /// The next thing that the server says; pings are answered on the way.
    pub fn receive(&mut self) -> Told {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => {
                    return Told::Json(serde_json::from_str(&text).expect("JSON"));
                }
                Ok(Message::Close(Some(frame))) => {
                    // The answer to it goes out, and the server ends the connection.
                    while self.0.read().is_ok() {}
                    return Told::Closed(frame.code.into());
                }
                Ok(Message::Ping(_)) => {}
                Ok(other) => panic!("{other:?}"),
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came")
                }
                Err(_) => return Told::Cut,
            }
        }
    }

    /// The next text.
    pub fn json(&mut self) -> Value {
        match self.receive() {
            Told::Json(value) => value,
            other => panic!("{other:?}"),
        }
    }

    /// Closes the socket, and waits until the server has.
    pub fn close(mut self) {
        let _ = self.0.close(None);
        while self.0.read().is_ok() {}
    }
}

/// A sound as the file has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub uid: String,
    pub source: String,
    pub format: String,
    pub speaker: Option<String>,
    pub heard_ms: i64,
    pub is_ended: bool,
}

impl Heard {
    pub fn new(
        uid: &str,
        source: &str,
        format: &str,
        speaker: Option<&str>,
        heard_ms: i64,
    ) -> Self {
        Self {
            uid: uid.to_owned(),
            source: source.to_owned(),
            format: format.to_owned(),
            speaker: speaker.map(str::to_owned),
            heard_ms,
            is_ended: true,
        }
    }
}

/// The sounds of a file, in the order in which they began.
pub fn sounds(db: &Connection) -> Vec<Heard> {
    let mut list = db
        .prepare(
            "SELECT s.uid, o.source, o.codec || ' ' || o.rate || ' ' || o.channels, o.speaker,
               o.heard_ms, o.ended_at IS NOT NULL
             FROM sounds o JOIN streams s ON s.id = o.stream_id ORDER BY o.id",
        )
        .expect("a statement");
    let heard = list.query_map([], |row| {
        Ok(Heard {
            uid: row.get(0)?,
            source: row.get(1)?,
            format: row.get(2)?,
            speaker: row.get(3)?,
            heard_ms: row.get(4)?,
            is_ended: row.get(5)?,
        })
    });
    heard.expect("rows").collect::<Result<_, _>>().expect("rows")
}

/// Samples of 32-bit float, little-endian.
pub fn f32le(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// An Opus packet of 20 ms, as long as packets of a bridge are. What is in it nobody decodes here.
pub fn opus_packet(number: u8) -> Vec<u8> {
    let mut packet = vec![number; 80];
    packet[0] = 0xf8;
    packet
}
