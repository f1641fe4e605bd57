//! What one caller may hold, in plain HTTP, over TLS and by the Redis endpoint: many slow and unread
//! requests at once, seen from outside. The server's memory stays small, and whoever behaves is
//! served meanwhile.
//!
//! With `VOMEET_TEST_LONG=1` the server has the limits of a new installation, there are as many
//! connections as it takes, they are opened again as often as they are closed, and the memory of the
//! system's sockets is watched too. The latency of the good clients is held against an idle machine,
//! so this form runs alone: `make long T=budgets::`.

use crate::client::{Client, Line, PATIENCE, wait_for};
use crate::patience::Unbroken;
use crate::process::{Launch, Process};
use crate::segments::insert_session;
use crate::server::open_file;
use crate::tokens::insert_token;
use crate::unfinished::{Tokens, unfinished, unfinished_hello, unfinished_redis};
use crate::watched::resident_kib;
use crate::wire::{Pair, Wire, secure};
use rusqlite::params;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio_rustls::rustls::ClientConfig;

/// Where the slow clients come from: 127.0.0.2 to 127.0.0.33.
const SOURCES: usize = 32;
/// The meetings of the slow user: a list of them is much more than a page.
const MEETINGS: i64 = 1000;
const MIB: u64 = 1024;
/// How long a kept connection may lie idle and be used again; the server's `idle_time` is longer.
const IDLE_TIME_SAFE: Duration = Duration::from_mins(1);
/// A page of the system's memory, in KiB.
const PAGE_KIB: u64 = 4;

/// How many connections are slow, and for how long.
struct Storm {
    connections: usize,
    lasts: Duration,
    /// What the slow clients trust; `None` where the server speaks plain HTTP.
    tls: Option<Arc<ClientConfig>>,
}

impl Storm {
    fn wanted(tls: Option<Arc<ClientConfig>>) -> Self {
        let short = if tls.is_some() { 1024 } else { 2048 };
        let (connections, seconds) = if is_long() { (8192, 40) } else { (short, 4) };
        Self { connections, lasts: Duration::from_secs(seconds), tls }
    }

    /// Most memory of the server, in KiB.
    fn resident_max(&self) -> u64 {
        match (is_long(), &self.tls) {
            (true, None) => 256_000_000 / 1024,
            (true, Some(_)) => 512_000_000 / 1024,
            (false, _) => 160 * MIB,
        }
    }
}

fn is_long() -> bool {
    std::env::var_os("VOMEET_TEST_LONG").is_some()
}

/// A server with the limits of connections that a new installation has; in the short form with
/// fewer connections, and with patience: a machine may be so busy that a good client is slow too.
fn launch(folder: &Path, pair: Option<&Pair>) -> Launch {
    let mut launch = match is_long() {
        true => Launch::new(folder, &["serve", "--listen", "127.0.0.1:0"]).any_requests(),
        false => Launch::serve(folder).env("VOMEET_HTTP_CONNECTIONS_MAX", "4096"),
    };
    // The meeting of the slow bot is as old as it pleases.
    launch = launch.env("VOMEET_BOTS_ACTIVE_SECONDS_MAX", "315360000");
    if let Some(pair) = pair {
        launch = launch.env("VOMEET_TLS_CERT", &pair.cert).env("VOMEET_TLS_KEY", &pair.key);
    }
    launch
}

fn server(folder: &Path, pair: Option<&Pair>) -> (Process, Tokens) {
    let mut tokens = None;
    let data = serde_json::json!({"notes": "n".repeat(1000)}).to_string();
    open_file(&folder.join("vomeet.db"), |db| {
        let (slow, good) = (insert_token(db, 1, None), insert_token(db, 2, None));
        let bot = insert_session(db, 1, "abc-defg-hij").token;
        tokens = Some(Tokens { slow, good, bot });
        let sql = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
            INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
            SELECT 1, 'teams', 1000000000 + i, 'completed', ?1, 0, 0 FROM n";
        db.execute(sql, params![data, MEETINGS]).expect("meetings");
    });
    (launch(folder, pair).start(), tokens.expect("tokens"))
}

/// A connection from one of the sources that reads nothing.
fn slow_connection(server: SocketAddr, number: usize) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let last = u8::try_from(2 + number % SOURCES).expect("a small number");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(&SockAddr::from(from)).expect("an address of this machine");
    socket.connect_timeout(&SockAddr::from(server), Duration::from_secs(20)).ok()?;
    Some(TcpStream::from(socket))
}

/// Sends as much as goes without waiting; what is left goes later.
struct Slow {
    stream: Wire,
    bytes: Vec<u8>,
    sent: usize,
}

impl Slow {
    fn open(server: SocketAddr, number: usize, kinds: &[Vec<u8>], storm: &Storm) -> Option<Self> {
        let stream = slow_connection(server, number)?;
        let bytes = kinds[number % kinds.len()].clone();
        let Some(config) = &storm.tls else {
            return Self::begin(Wire::Plain(Unbroken(stream)), bytes);
        };
        if number.is_multiple_of(4) {
            return Self::begin(Wire::Plain(Unbroken(stream)), unfinished_hello());
        }
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let stream = secure(stream, config).ok()?;
        Self::begin(Wire::Secure(stream), bytes)
    }

    fn begin(stream: Wire, bytes: Vec<u8>) -> Option<Self> {
        stream.socket().set_nonblocking(true).expect("not blocking");
        let mut slow = Self { stream, bytes, sent: 0 };
        slow.is_open().then_some(slow)
    }

    /// Sends on; `false` once the server has closed the connection.
    fn is_open(&mut self) -> bool {
        match self.stream.write(&self.bytes[self.sent..]) {
            Ok(count) => {
                self.sent += count;
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Whether the server has closed it, of one that has sent all.
    fn is_closed(&mut self) -> bool {
        let mut error = None;
        if let Ok(found) = self.stream.socket().take_error() {
            error = found;
        }
        error.is_some() || !self.is_open()
    }
}

/// What a good client met: how long each request took, and how many failed.
#[derive(Default)]
struct Served {
    took: Vec<Duration>,
    failed: Vec<String>,
}

/// A connection that is kept, and when it was used last.
type Kept = Option<(Line, Instant)>;

/// What a client trusts where the server speaks TLS.
type Tls<'a> = Option<&'a Arc<ClientConfig>>;

fn open_line(server: &Client, tls: Tls<'_>) -> std::io::Result<Line> {
    match tls {
        Some(config) => Line::secure(server.address, config),
        None => Line::open(server.address),
    }
}

impl Served {
    fn ask(&mut self, server: &Client, token: &str, kept: &mut Kept, tls: Tls<'_>) {
        let began = Instant::now();
        let mut line_to_use = match kept.take() {
            // The server may close what was idle for longer.
            Some((line, used)) if used.elapsed() < IDLE_TIME_SAFE => line,
            _ => match open_line(server, tls) {
                Ok(line) => line,
                Err(error) => return self.failed.push(format!("no connection: {error}")),
            },
        };
        match server.get("/user").user(token).over(&mut line_to_use) {
            Ok(answer) if answer.status == 200 => {
                self.took.push(began.elapsed());
                *kept = Some((line_to_use, Instant::now()));
            }
            Ok(answer) => self.failed.push(format!("{answer:?}")),
            Err(error) => self.failed.push(error.to_string()),
        }
    }

    fn p99(&mut self) -> Duration {
        self.took.sort_unstable();
        self.took[self.took.len() * 99 / 100]
    }
}

/// Asks again and again until it is enough: on new connections and on one that is kept.
fn good_client(
    server: &Client,
    token: &str,
    tls: Tls<'_>,
    is_enough: impl Fn(&Served) -> bool,
) -> Served {
    let mut met = Served::default();
    let mut kept = None;
    while !is_enough(&met) {
        met.ask(server, token, &mut kept, tls);
        met.ask(server, token, &mut None, tls);
    }
    met
}

/// What the sockets of this system take, in KiB.
fn socket_kib() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").expect("sockstat");
    let line = text.lines().find(|line| line.starts_with("TCP:")).expect("TCP");
    let pages = line.rsplit_once(' ').expect("mem").1;
    pages.parse::<u64>().expect("a number") * PAGE_KIB
}

/// What was seen while the slow clients were there.
struct Seen {
    /// Connections that were opened, and those that are open at the end.
    opened: usize,
    held: Vec<Slow>,
    resident_max: u64,
    sockets_max: u64,
}

impl Seen {
    fn look(&mut self, server: &Process) {
        self.resident_max = resident_kib(server).max(self.resident_max);
        self.sockets_max = socket_kib().max(self.sockets_max);
    }
}

/// Opens slow connections, again where they are closed, for as long as the storm lasts.
fn rage(server: &Process, storm: &Storm, kinds: &[Vec<u8>]) -> Seen {
    let mut seen = Seen { opened: 0, held: Vec::new(), resident_max: 0, sockets_max: 0 };
    let began = Instant::now();
    wait_for(|| {
        if seen.opened >= storm.connections {
            seen.held.retain_mut(|slow| !slow.is_closed());
        }
        while seen.held.len() < storm.connections {
            seen.held.extend(Slow::open(server.address, seen.opened, kinds, storm));
            seen.opened += 1;
            if seen.opened.is_multiple_of(256) {
                seen.look(server);
            }
        }
        for slow in &mut seen.held {
            slow.is_open();
        }
        seen.look(server);
        (began.elapsed() >= storm.lasts).then_some(())
    });
    seen
}

/// Waits until nothing of the storm is left.
fn wait_until_free(server: &Process, sockets_before: u64, tls: Tls<'_>) {
    let began = Instant::now();
    let metric = |name: &str| {
        let mut line = open_line(server, tls).expect("a connection");
        let metrics = server.get("/metrics").over(&mut line).expect("an answer");
        let line = metrics.text().lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        line.and_then(|value| value.parse::<u64>().ok()).expect("a number")
    };
    wait_for(|| (metric("vomeet_http_connections ") < 16).then_some(()));
    for name in ["vomeet_body_bytes ", "vomeet_long_responses ", "vomeet_live_sockets "] {
        wait_for(|| (metric(name) == 0).then_some(()));
    }
    if is_long() {
        wait_for(|| (socket_kib() < sockets_before + 50 * MIB).then_some(()));
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }
}

#[test]
fn slow_and_unread_requests_take_little_and_are_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    weather(folder.path(), None);
}

#[test]
fn slow_requests_and_handshakes_over_tls_are_in_nobodys_way_either() {
    let folder = tempfile::tempdir().expect("a folder");
    weather(folder.path(), Some(&Pair::new(folder.path())));
}

/// Goes through a storm, with TLS where there is a certificate.
fn weather(folder: &Path, pair: Option<&Pair>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("many open files");
    let (server, tokens) = server(folder, pair);
    let client: Client = *server;
    let mut kinds = unfinished(&server, &tokens);
    if pair.is_none() {
        kinds.extend(unfinished_redis(&tokens));
    }
    let storm = Storm::wanted(pair.map(|pair| Arc::new(pair.trusted())));
    let tls = storm.tls.as_ref();
    let mut idle = good_client(&client, &tokens.good, tls, |met| met.took.len() >= 3000);
    let (resident_before, sockets_before) = (resident_kib(&server), socket_kib());
    let done = AtomicBool::new(false);
    // At least 300 requests, however slow the machine is.
    let is_enough =
        |met: &Served| done.load(Ordering::Relaxed) && met.took.len() + met.failed.len() >= 300;
    let (seen, mut good) = thread::scope(|scope| {
        let client_thread = scope.spawn(|| good_client(&client, &tokens.good, tls, is_enough));
        let seen = rage(&server, &storm, &kinds);
        done.store(true, Ordering::Relaxed);
        (seen, client_thread.join().expect("no panic"))
    });
    let Seen { opened, held, resident_max, sockets_max } = seen;
    let figures = format!(
        "{opened} slow connections, at most {} at once; resident {} MiB before, {} MiB at most; \
         sockets {} MiB before, {} MiB at most; {} requests of good clients, {} failed, p99 {:?}, \
         {:?} before",
        storm.connections,
        resident_before / MIB,
        resident_max / MIB,
        sockets_before / MIB,
        sockets_max / MIB,
        good.took.len() + good.failed.len(),
        good.failed.len(),
        good.p99(),
        idle.p99(),
    );
    println!("{figures}");
    assert_eq!(idle.failed, [""; 0], "before");
    assert!(good.failed.len() * 1000 <= good.took.len(), "{figures}: {:?}", good.failed);
    assert!(resident_max < storm.resident_max(), "{figures}");
    if is_long() {
        assert!(sockets_max - sockets_before < 1_200_000_000 / 1024, "{figures}");
        assert!(good.p99() < 5 * idle.p99(), "{figures}");
    }
    drop(held);
    wait_until_free(&server, sockets_before, tls);
    println!("resident {} MiB afterwards", resident_kib(&server) / MIB);
    server.terminate();
}
