//! A small HTTP/1.1 client: it can say what no client should, and holds each answer against the API
//! document.

pub use crate::patience::{PATIENCE, wait_for};

use crate::patience::Unbroken;
use crate::wire::{Wire, connect, secure};
use memchr::memmem;
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tokio_rustls::rustls::ClientConfig;

/// The admin key of every server in this process: strong, so that it counts wherever it is sent.
pub const ADMIN_KEY: &str = "tests-4f1c2a9be07d3358";
/// The admin key of a server as a process that is given no other: the guide's.
pub const GUIDE_KEY: &str = "token";

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {body:.400}", self.status, self.headers)
    }
}

impl Answer {
    /// The one value of a header; a header that is there twice fails the test.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (first, second) = (found.next(), found.next());
        assert!(second.is_none(), "{name} is there twice: {self:?}");
        first.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON; it must say that it is.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body, of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// Status and `detail`, where that is a sentence.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["detail"].as_str().unwrap_or("(no sentence)").to_owned())
    }

    /// `type` and `loc` of every fault of a 422, in their order.
    pub fn faults(&self) -> Vec<(String, String)> {
        let body = self.expect(422);
        let fault = |fault: &Value| {
            assert!(fault["msg"].is_string(), "no msg: {fault}");
            assert!(fault.get("input").is_some(), "no input: {fault}");
            let steps = fault["loc"].as_array().expect("loc").iter();
            let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
            let loc: Vec<String> = steps.map(step).collect();
            (fault["type"].as_str().expect("type").to_owned(), loc.join("."))
        };
        body["detail"].as_array().expect("an array of faults").iter().map(fault).collect()
    }
}

/// One connection.
pub struct Line {
    stream: Wire,
    read: Vec<u8>,
}

impl Line {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::on(Wire::Plain(Unbroken(connect(address)?))))
    }

    /// Over TLS, to a server whose certificate is for localhost.
    pub fn secure(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        Ok(Self::on(Wire::Secure(secure(connect(address)?, config)?)))
    }

    fn on(stream: Wire) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The socket, for those who treat it badly.
    pub fn stream(&self) -> &TcpStream {
        self.stream.socket()
    }

    /// The next answer; `to_head` says that it has no body whatever its headers say.
    pub fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at;
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut answer =
            Answer { status: status.expect("a status line"), headers, body: Vec::new() };
        if answer.status == 100 {
            return self.answer(to_head);
        }
        if to_head || answer.status == 204 || answer.status == 304 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks()?;
        } else {
            let length = answer.header("content-length").map(str::parse).transpose();
            let length = length.expect("a length").unwrap_or_else(|| panic!("none: {answer:?}"));
            while self.read.len() < length {
                self.more()?;
            }
            answer.body = self.read.drain(..length).collect();
        }
        Ok(answer)
    }

    /// The chunks of a body up to its last one; a body that is cut is an error.
    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.before("\r\n")?;
            let size = usize::from_str_radix(&size, 16)
                .unwrap_or_else(|_| panic!("{size:?} is no size of a chunk"));
            while self.read.len() < size + 2 {
                self.more()?;
            }
            body.extend(self.read.drain(..size));
            assert_eq!(self.before("\r\n")?, "", "after a chunk");
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Reads up to and including this text, and returns what stands before it.
    fn before(&mut self, text: &str) -> io::Result<String> {
        while find(&self.read, text.as_bytes()).is_none() {
            self.more()?;
        }
        let end = find(&self.read, text.as_bytes()).unwrap_or_default();
        let before = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end + text.len());
        Ok(before)
    }

    /// Reads up to and including this text.
    pub fn wait_for(&mut self, text: &str) -> io::Result<()> {
        self.before(text).map(drop)
    }

    /// Waits for the server to end the connection; what it still says is returned.
    pub fn ended(mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(error) if is_end(&error) => return Ok(self.read),
                Err(error) => return Err(error),
            }
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.read.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

/// Whether the other side ended the connection, as opposed to letting us wait.
pub fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted)
}

/// Where the first such bytes begin.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memmem::find(bytes, wanted)
}

/// A request that is being put together.
pub struct Call {
    address: SocketAddr,
    admin_key: &'static str,
    method: String,
    path: String,
    head: Vec<u8>,
    body: Option<Vec<u8>>,
}

impl Call {
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value.as_ref());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    pub fn admin(self) -> Self {
        let key = self.admin_key;
        self.header("X-Admin-API-Key", key)
    }

    pub fn user(self, token: &str) -> Self {
        self.header("X-API-Key", token)
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The bytes on the line.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { address, method, path, head, body, .. } = self;
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n").into_bytes();
        bytes.extend_from_slice(head);
        if let Some(body) = body {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.as_deref().unwrap_or_default());
        bytes
    }

    /// Sends it over a line and waits for the answer.
    pub fn over(&self, line: &mut Line) -> io::Result<Answer> {
        // A server may answer and close before it has read everything: what counts is what it said.
        let _ = line.send(self.bytes());
        let answer = line.answer(self.method == "HEAD")?;
        let path = self.path.split('?').next().unwrap_or_default();
        crate::openapi::assert_documented(&self.method, path, answer.status);
        Ok(answer)
    }

    pub fn try_send(&self) -> io::Result<Answer> {
        self.over(&mut Line::open(self.address)?)
    }

    pub fn send(&self) -> Answer {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }
}

/// Whoever talks to the server at this address.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    pub address: SocketAddr,
    pub admin_key: &'static str,
}

/// A token as it was shown at its creation.
#[derive(Debug, Clone)]
pub struct Token {
    pub id: i64,
    pub text: String,
}

impl Client {
    pub fn call(&self, method: &str, path: impl Into<String>) -> Call {
        let (method, path) = (method.to_owned(), path.into());
        let Self { address, admin_key } = *self;
        Call { address, admin_key, method, path, head: Vec::new(), body: None }
    }

    pub fn get(&self, path: impl Into<String>) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: impl Into<String>) -> Call {
        self.call("POST", path)
    }

    pub fn patch(&self, path: impl Into<String>) -> Call {
        self.call("PATCH", path)
    }

    pub fn delete(&self, path: impl Into<String>) -> Call {
        self.call("DELETE", path)
    }

    pub fn line(&self) -> Line {
        Line::open(self.address).expect("a connection")
    }

    /// Sends bytes as they are and waits for one answer.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> io::Result<Answer> {
        let mut line = self.line();
        let _ = line.send(bytes);
        line.answer(false)
    }

    /// A new user's id.
    pub fn new_user(&self, email: &str) -> i64 {
        let call = self.post("/admin/users").admin().json(&json!({ "email": email }));
        call.send().expect(201)["id"].as_i64().expect("an id")
    }

    /// A new token of a user.
    pub fn new_token(&self, user: i64) -> Token {
        let call = self.post(format!("/admin/users/{user}/tokens")).admin();
        token_of(&call.send().expect(201))
    }

    pub fn revoke(&self, token: &Token) -> Answer {
        self.delete(format!("/admin/tokens/{}", token.id)).admin().send()
    }

    /// What `GET /user` says to this key.
    pub fn whoami(&self, token: &str) -> Answer {
        self.get("/user").user(token).send()
    }

    /// How many users and tokens there are.
    pub fn counts(&self) -> (u64, u64) {
        // A busy server leaves them out.
        let health = wait_for(|| {
            let health = self.get("/healthz").send().expect(200);
            health.get("server").is_some().then_some(health)
        });
        let count = |name: &str| health["server"][name].as_u64().expect("a count");
        (count("users"), count("tokens"))
    }
}

/// The token in the answer to its creation.
pub fn token_of(created: &Value) -> Token {
    let text = created["token"].as_str().expect("a token").to_owned();
    Token { id: created["id"].as_i64().expect("an id"), text }
}

/// An e-mail address or anything else as one segment of a path.
pub fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The names of an object's members, sorted.
pub fn fields(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Holds a time against the contract: UTC with `Z`, written in the one way.
pub fn assert_time(value: &Value) -> jiff::Timestamp {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let time: jiff::Timestamp = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(format!("{time:.3}"), text, "another way to write the same instant");
    time
}
