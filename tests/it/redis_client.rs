//! A small client of the Redis protocol: it sends any words and shows replies as text.

use crate::patience::{PATIENCE, Unbroken};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// A connection to a Redis endpoint.
pub struct Redis(BufReader<Unbroken>);

impl Redis {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).expect("a connection"))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Self(BufReader::new(Unbroken(stream)))
    }

    /// A connection from this address of the machine.
    pub fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let source = SocketAddr::from((source, 0));
        socket.bind(&SockAddr::from(source)).expect("an address of this machine");
        socket.connect_timeout(&SockAddr::from(address), PATIENCE).expect("a connection");
        Self::over(TcpStream::from(socket))
    }

    /// Lets [`Redis::write_some`] send what goes without waiting.
    pub fn unblock(&mut self) {
        self.0.get_mut().0.set_nonblocking(true).expect("not blocking");
    }

    pub fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    /// A connection in this version, signed in with a secret.
    pub fn bot(address: SocketAddr, version: u8, secret: &str) -> Self {
        let mut redis = Self::connect(address);
        let hello = redis.call(&["HELLO", &version.to_string(), "AUTH", "bot", secret]);
        assert!(hello.contains(&format!("\"proto\", :{version}")), "{hello}");
        redis
    }

    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("sent");
    }

    pub fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        self.raw(request(words));
    }

    /// Sends a command to a server that may be gone.
    pub fn send_if_open<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        let _ = self.0.get_mut().write_all(&request(words));
    }

    /// Sends a command and waits for its reply.
    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> String {
        self.send(words);
        self.next().expect("a reply")
    }

    /// Adds a payload to the stream of segments, which must be stored.
    pub fn add(&mut self, payload: &serde_json::Value) {
        let reply = self.try_add(payload);
        assert!(is_id(&reply), "{payload}: {reply}");
    }

    /// The same, whatever the reply is.
    pub fn try_add(&mut self, payload: &serde_json::Value) -> String {
        let text = payload.to_string();
        self.call(&["XADD", "transcription_segments", "*", "payload", &text])
    }

    /// The next reply or push; `None` where the server has closed the connection. Fails where
    /// neither comes.
    pub fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("neither a reply nor the end came: {error}")
            }
            Err(_reset) => return None,
        }
        let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("a line: {line:?}"));
        let (mark, rest) = line.split_at(1);
        let many = |redis: &mut Self, count: usize, open: &str| {
            let items: Vec<String> = (0..count).map(|_| redis.next().expect("an item")).collect();
            Some(format!("{open}[{}]", items.join(", ")))
        };
        let count = || rest.parse::<usize>().unwrap_or_else(|_| panic!("a number: {line:?}"));
        match mark {
            "+" | "-" | ":" | "_" => Some(line.to_owned()),
            "$" if rest == "-1" => Some("(nil)".to_owned()),
            "$" => {
                let mut bytes = vec![0; count() + 2];
                self.0.read_exact(&mut bytes).expect("a text");
                assert!(bytes.ends_with(b"\r\n"), "{bytes:?}");
                bytes.truncate(bytes.len() - 2);
                Some(format!("\"{}\"", String::from_utf8_lossy(&bytes)))
            }
            "*" => many(self, count(), ""),
            ">" => many(self, count(), ">"),
            "%" => many(self, 2 * count(), "%"),
            _ => panic!("no reply: {line:?}"),
        }
    }

    /// Everything that still comes, until the server closes the connection.
    pub fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// A command as clients send it.
pub fn request<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Whether a reply is the id of an entry.
pub fn is_id(reply: &str) -> bool {
    id(reply).is_some()
}

/// The milliseconds and the number of an id.
pub fn id(reply: &str) -> Option<(u64, u64)> {
    let (millis, number) = reply.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    Some((millis.parse().ok()?, number.parse().ok()?))
}
