//! A receiver of webhooks: it notes what it is sent and answers as the test wants.

use crate::client::PATIENCE;
use crate::patience::Unbroken;
use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Queue, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// An answer that a receiver gives to most.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// One that it gives when something is wrong with it.
pub const FAULT: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno";

/// What was sent.
#[derive(Debug, Clone)]
pub struct Received {
    /// The first line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (first, second) = (found.next(), found.next());
        assert!(second.is_none(), "{name} is there twice: {self:?}");
        first.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// What a receiver answers; `None` is nothing, until the other side or the receiver hangs up.
type Answer = dyn Fn(&Received) -> Option<String> + Send + Sync;

struct Desk {
    answer: Box<Answer>,
    tls: Option<Arc<ServerConfig>>,
    received: Mutex<Sender<Received>>,
    closed: AtomicBool,
    calls: AtomicUsize,
    /// Every connection that there was.
    connections: Mutex<Vec<TcpStream>>,
}

fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

/// A running receiver; dropping it frees its port and ends its connections.
pub struct Receiver {
    pub address: SocketAddr,
    queue: Queue<Received>,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// One that answers each request like this.
    pub fn answering(answer: impl Fn(&Received) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::on(any_port(), None, answer)
    }

    /// One that takes everything.
    pub fn taking() -> Self {
        Self::answering(|_| Some(OK.to_owned()))
    }

    /// One that takes everything, by TLS.
    pub fn secured(tls: ServerConfig) -> Self {
        Self::on(any_port(), Some(Arc::new(tls)), |_| Some(OK.to_owned()))
    }

    fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Received) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let (received, queue) = channel();
        let desk = Arc::new(Desk {
            answer: Box::new(answer),
            tls,
            received: Mutex::new(received),
            closed: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            connections: Mutex::default(),
        });
        let address = listener.local_addr().expect("an address");
        let at_work = Arc::clone(&desk);
        let thread = std::thread::spawn(move || at_work.work(&listener));
        Self { address, queue, desk, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next request.
    pub fn next(&self) -> Received {
        self.queue.recv_timeout(PATIENCE).expect("a request")
    }

    /// What has come and was not asked for yet.
    pub fn rest(&self) -> Vec<Received> {
        self.queue.try_iter().collect()
    }

    /// How many connections there were.
    pub fn calls(&self) -> usize {
        self.desk.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for connection in self.desk.connections.lock().expect("no panic").iter() {
            // Most have ended.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Desk {
    fn work(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept()
            && !self.closed.load(Ordering::SeqCst)
        {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let connection = stream.try_clone().expect("a connection");
            self.connections.lock().expect("no panic").push(connection);
            let desk = Arc::clone(&self);
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
                match &desk.tls {
                    None => desk.serve(Unbroken(stream)),
                    Some(config) => {
                        let tls = ServerConnection::new(Arc::clone(config)).expect("TLS");
                        desk.serve(StreamOwned::new(tls, Unbroken(stream)));
                    }
                }
            });
        }
    }

    fn serve(&self, mut stream: impl Read + Write) {
        let Some(received) = read(&mut stream) else { return };
        let answer = (self.answer)(&received);
        // A test that does not look any more may have ended.
        let _ = self.received.lock().expect("no panic").send(received);
        match answer {
            Some(answer) => drop(stream.write_all(answer.as_bytes()).and_then(|()| stream.flush())),
            None => while stream.read(&mut [0; 512]).is_ok_and(|count| count > 0) {},
        }
    }
}

fn read(stream: &mut impl Read) -> Option<Received> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        let count = stream.read(&mut chunk).ok().filter(|&count| count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in UTF-8");
    let mut lines = head.split("\r\n");
    let line = lines.next().expect("a line").to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut received = Received { line, headers, body: String::new() };
    let length: usize =
        received.header("content-length").expect("a length").parse().expect("a number");
    while bytes.len() < end + 4 + length {
        let count = stream.read(&mut chunk).ok().filter(|&count| count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
    received.body = String::from_utf8(bytes[end + 4..].to_vec()).expect("a body in UTF-8");
    Some(received)
}

/// A port of this machine that nobody else gets, and where nobody listens yet.
pub struct Down {
    socket: Socket,
    pub address: SocketAddr,
}

impl Down {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a port");
        let address =
            socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        Self { socket, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// It is up, and takes everything.
    pub fn up(self) -> Receiver {
        self.socket.listen(128).expect("a listener");
        Receiver::on(self.socket.into(), None, |_| Some(OK.to_owned()))
    }
}
