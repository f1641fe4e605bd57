//! Keys under fire, for `benches/keys.py`; prints one JSON object.
//!
//! `keys end ADDRESS USER_ID CHANGES` ends tokens of the user, by exchange and by revocation, while
//! eight clients ask with the same tokens. A token that was over before it was sent must be
//! refused; one that nobody touched from before it was sent until the answer came must be let in;
//! what lies between may be either.
//!
//! `keys try ADDRESS COUNT PID` sends wrong keys, each from another address, half of them with a
//! right checksum, and measures the server's memory once everything was used and at the end.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::read_to_string;
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};
use vomeet::domain::PlainToken;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ADMIN_KEY: &str = "bench-4f1c2a9be07d3358";
/// Clients that end tokens.
const ENDING: usize = 64;
/// Tokens that live at the same time: four for each of these clients, so that three rest while one
/// is ended.
const LANES: usize = 4 * ENDING;
/// Clients that ask with them.
const ASKING: usize = 8;
/// Of so many ends, one is a revocation; the others are exchanges.
const REVOKED: u64 = 4;
/// Connections that send wrong keys, and how many each sends before it reads.
const TRYING: usize = 8;
const BATCH: u64 = 64;

fn main() -> Outcome<()> {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let report = match words[..] {
        ["end", address, user, changes] => {
            runtime.block_on(end(address, user, changes.parse()?))?
        }
        ["try", address, count, pid] => runtime.block_on(try_all(address, count.parse()?, pid))?,
        _ => return Err("end ADDRESS USER_ID CHANGES, or try ADDRESS COUNT PID".into()),
    };
    println!("{report}");
    Ok(())
}

/// A connection, and what is asked by it.
struct Client {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { address: address.to_owned(), sender })
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        key: (&str, &str),
        body: &str,
    ) -> Outcome<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address)
            .header(key.0, key.1);
        let request =
            request.header(CONTENT_TYPE, "application/json").body(Full::from(body.to_owned()))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// A change by the administrator, which must come about.
    async fn change(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        expected: u16,
    ) -> Outcome<Bytes> {
        let (status, answer) = self.ask(method, path, ("X-Admin-API-Key", ADMIN_KEY), body).await?;
        match status.as_u16() == expected {
            true => Ok(answer),
            false => {
                Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer))
                    .into())
            }
        }
    }
}

/// The tokens of one lane: the living one, and the one that was ended last.
#[derive(Default)]
struct Lane {
    tokens: Mutex<(String, Option<String>)>,
    /// Ends that were begun, and ends that are over; where they differ one is under way, and the
    /// token may be refused.
    begun: AtomicU64,
    over: AtomicU64,
}

impl Lane {
    /// The living token, the number of its end if that is still to come, and the token that was
    /// ended last.
    fn seen(&self) -> (String, Option<u64>, Option<String>) {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = self.begun.load(Ordering::SeqCst);
        let rests = begun == self.over.load(Ordering::SeqCst);
        (tokens.0.clone(), rests.then_some(begun), tokens.1.clone())
    }

    fn begin(&self) {
        let _tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    fn finish(&self, living: String) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = std::mem::replace(&mut tokens.0, living);
        tokens.1 = Some(ended).filter(|ended| !ended.is_empty());
        self.over.store(self.begun.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// What the asking clients saw.
#[derive(Default)]
struct Seen {
    asked: AtomicU64,
    ended_asked: AtomicU64,
    accepted_after_end: AtomicU64,
    /// Of requests with a token that nobody touched meanwhile.
    good_asked: AtomicU64,
    good_refused: AtomicU64,
}

async fn end(address: &str, user: &str, changes: u64) -> Outcome<Value> {
    let lanes: Arc<Vec<Lane>> = Arc::new((0..LANES).map(|_| Lane::default()).collect());
    let (seen, is_over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let mut changing = JoinSet::new();
    let counter = Arc::new(AtomicU64::new(0));
    for number in 0..ENDING {
        let client = Client::open(address).await?;
        changing.spawn(change(
            client,
            Arc::clone(&lanes),
            number,
            user.to_owned(),
            Arc::clone(&counter),
            changes,
        ));
    }
    let mut asking = JoinSet::new();
    for number in 0..ASKING {
        let client = Client::open(address).await?;
        asking.spawn(ask(
            client,
            Arc::clone(&lanes),
            number,
            Arc::clone(&seen),
            Arc::clone(&is_over),
        ));
    }
    let mut totals = (0, 0);
    while let Some(ended) = changing.join_next().await {
        let (exchanged, revoked) = ended??;
        totals = (totals.0 + exchanged, totals.1 + revoked);
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(asked) = asking.join_next().await {
        asked??;
    }
    Ok(json!({
        "rotations": totals.0, "revocations": totals.1, "seconds": began.elapsed().as_secs_f64(),
        "asked": seen.asked.load(Ordering::SeqCst),
        "ended_asked": seen.ended_asked.load(Ordering::SeqCst), "good_asked": seen.good_asked.load(Ordering::SeqCst),
        "accepted_after_end": seen.accepted_after_end.load(Ordering::SeqCst),
        "good_refused": seen.good_refused.load(Ordering::SeqCst),
    }))
}

/// Ends the tokens of every lane that is this client's, one lane after the other, until all clients
/// together have ended enough; gives how many were exchanged and how many revoked.
async fn change(
    mut client: Client,
    lanes: Arc<Vec<Lane>>,
    number: usize,
    user: String,
    counter: Arc<AtomicU64>,
    changes: u64,
) -> Outcome<(u64, u64)> {
    let create = format!("/admin/users/{user}/tokens");
    let mut own = Vec::new();
    for lane in lanes.iter().skip(number).step_by(ENDING) {
        let (id, token) = made(&client.change("POST", &create, "{}", 201).await?)?;
        lane.finish(token);
        own.push((lane, id));
    }
    let (mut exchanged, mut revoked) = (0, 0);
    for at in (0..own.len()).cycle() {
        let turn = counter.fetch_add(1, Ordering::SeqCst);
        if turn >= changes {
            break;
        }
        let (lane, id) = &mut own[at];
        lane.begin();
        let answer = if turn.is_multiple_of(REVOKED) {
            client.change("DELETE", &format!("/admin/tokens/{id}"), "", 204).await?;
            revoked += 1;
            client.change("POST", &create, "{}", 201).await?
        } else {
            exchanged += 1;
            client
                .change(
                    "POST",
                    &format!("/admin/tokens/{id}/rotate"),
                    r#"{"grace_seconds": 0}"#,
                    201,
                )
                .await?
        };
        let (next, token) = made(&answer)?;
        *id = next;
        lane.finish(token);
    }
    Ok((exchanged, revoked))
}

fn made(answer: &[u8]) -> Outcome<(i64, String)> {
    let answer: Value = serde_json::from_slice(answer)?;
    let id = answer["id"].as_i64().ok_or("no id")?;
    Ok((id, answer["token"].as_str().ok_or("no token")?.to_owned()))
}

/// Asks with the tokens of one lane after the other.
async fn ask(
    mut client: Client,
    lanes: Arc<Vec<Lane>>,
    first: usize,
    seen: Arc<Seen>,
    is_over: Arc<AtomicBool>,
) -> Outcome<()> {
    for lane in lanes.iter().cycle().skip(first * LANES / ASKING) {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        // A lane may have nothing to ask with yet, and those who change it must get their turn.
        yield_now().await;
        let (living, begun, ended) = lane.seen();
        let is_refused = !living.is_empty() && !is_let_in(&mut client, &living, &seen).await?;
        if begun.is_some_and(|begun| lane.begun.load(Ordering::SeqCst) == begun) {
            seen.good_asked.fetch_add(1, Ordering::SeqCst);
            seen.good_refused.fetch_add(is_refused.into(), Ordering::SeqCst);
        }
        if let Some(token) = ended {
            let is_let_in = is_let_in(&mut client, &token, &seen).await?;
            seen.ended_asked.fetch_add(1, Ordering::SeqCst);
            seen.accepted_after_end.fetch_add(is_let_in.into(), Ordering::SeqCst);
        }
    }
    Ok(())
}

async fn is_let_in(client: &mut Client, token: &str, seen: &Seen) -> Outcome<bool> {
    seen.asked.fetch_add(1, Ordering::SeqCst);
    match client.ask("GET", "/user", ("X-API-Key", token), "").await? {
        (StatusCode::OK, _) => Ok(true),
        (StatusCode::FORBIDDEN, _) => Ok(false),
        (status, body) => {
            Err(format!("GET /user: {status} {}", String::from_utf8_lossy(&body)).into())
        }
    }
}

async fn try_all(address: &str, count: u64, pid: &str) -> Outcome<Value> {
    let began = Instant::now();
    let mut refused = try_some(address, 0, count / 10).await?;
    let before = resident_kib(pid)?;
    refused += try_some(address, count / 10, count - count / 10).await?;
    let after = resident_kib(pid)?;
    Ok(json!({
        "tried": count, "refused": refused, "seconds": began.elapsed().as_secs_f64(),
        "kib_after_a_tenth": before, "kib_at_the_end": after,
    }))
}

/// Sends so many wrong keys from addresses that nobody had before; gives how many were refused.
async fn try_some(address: &str, first: u64, count: u64) -> Outcome<u64> {
    let share = count.div_ceil(TRYING as u64);
    let mut trying = JoinSet::new();
    for number in 0..TRYING as u64 {
        let begin = (number * share).min(count);
        let end = (begin + share).min(count);
        trying.spawn(try_by_one(address.to_owned(), first + begin, first + end));
    }
    let mut refused = 0;
    while let Some(done) = trying.join_next().await {
        refused += done??;
    }
    Ok(refused)
}

async fn try_by_one(address: String, mut next: u64, end: u64) -> Outcome<u64> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut refused, mut unread) = (0, Vec::new());
    while next < end {
        let batch = next..end.min(next + BATCH);
        let asked = batch.end - batch.start;
        next = batch.end;
        let requests: Outcome<Vec<String>> = batch.map(|number| wrong(&address, number)).collect();
        stream.write_all(requests?.concat().as_bytes()).await?;
        refused += read(&mut stream, &mut unread, asked).await?;
    }
    Ok(refused)
}

/// A request with a key that opens nothing, from a network of its own (a /64, as the limit counts).
fn wrong(address: &str, number: u64) -> Outcome<String> {
    let key = PlainToken::generate()?;
    let key = key.reveal();
    let key = if number.is_multiple_of(2) { key } else { &key[1..] };
    let from = Ipv6Addr::from((0x2000_u128 << 112) | (u128::from(number) << 64) | 1);
    Ok(format!(
        "GET /user HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\nX-Forwarded-For: {from}\r\n\r\n"
    ))
}

/// Reads so many answers; gives how many of them are refusals of the key.
async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>, answers: u64) -> Outcome<u64> {
    let (mut read, mut refused) = (0, 0);
    while read < answers {
        while let Some((status, length)) = answer(unread) {
            refused += u64::from(status == "403");
            read += 1;
            unread.drain(..length);
        }
        if read < answers && stream.read_buf(unread).await? == 0 {
            return Err("the server hung up".into());
        }
    }
    Ok(refused)
}

/// Status and length of the answer at the beginning, once it is there to its end.
fn answer(bytes: &[u8]) -> Option<(String, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length: usize =
        text.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    let whole = head + 4 + length;
    (bytes.len() >= whole).then(|| (text[9..12].to_owned(), whole))
}

fn resident_kib(pid: &str) -> Outcome<u64> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
