//! Watchers of one meeting, for `benches/watch.py`: how soon words that are stored reach all of
//! them, and what they cost.
//!
//! `watch ADDRESS TOKEN BOT_TOKEN SESSION PLATFORM NATIVE_ID PID WATCHERS UPDATES PER_SECOND` opens
//! the sockets, posts the updates as the bot, and prints one JSON object. Each update is counted at
//! every watcher: what is missing, comes twice or in another order is a fault. Times are to the
//! last of the watchers: since the post was sent, which has the commit in it, and since it was
//! answered, which is just after the commit.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::read_to_string;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Socket = WebSocketStream<TcpStream>;

/// How long the last update may take to reach everybody.
const PATIENCE: Duration = Duration::from_secs(20);
/// Updates before the first that counts.
const WARM_UP: usize = 5;

struct Asked {
    address: String,
    token: String,
    bot_token: String,
    session: String,
    meeting: Value,
    pid: u32,
    watchers: usize,
    updates: usize,
    period: Duration,
}

/// When an update was sent and when it was answered.
#[derive(Clone, Copy)]
struct Posted {
    sent: Instant,
    answered: Instant,
}

fn main() -> Outcome<()> {
    let asked =
        asked(&std::env::args().skip(1).filter(|word| word != "--bench").collect::<Vec<_>>())?;
    println!(
        "{}",
        Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(run(asked))?
    );
    Ok(())
}

fn asked(words: &[String]) -> Outcome<Asked> {
    let [
        address,
        token,
        bot_token,
        session,
        platform,
        native_id,
        pid,
        watchers,
        updates,
        per_second,
    ] = words
    else {
        return Err(
            "ADDRESS TOKEN BOT_TOKEN SESSION PLATFORM NATIVE_ID PID WATCHERS UPDATES PER_SECOND"
                .into(),
        );
    };
    Ok(Asked {
        address: address.clone(),
        token: token.clone(),
        bot_token: bot_token.clone(),
        session: session.clone(),
        meeting: json!({ "platform": platform, "native_id": native_id }),
        pid: pid.parse()?,
        watchers: watchers.parse()?,
        updates: updates.parse::<usize>()? + WARM_UP,
        period: Duration::from_secs(1) / per_second.parse::<u32>()?,
    })
}

async fn run(asked: Asked) -> Outcome<Value> {
    let before = resident_kib(asked.pid)?;
    let mut watching = JoinSet::new();
    for _ in 0..asked.watchers {
        let socket = open(&asked).await?;
        watching.spawn(follow(socket, asked.updates));
    }
    let opened = resident_kib(asked.pid)?;
    let posted = post_all(&asked).await?;
    let mut heard = Vec::new();
    while let Some(times) = watching.join_next().await {
        heard.push(times?);
    }
    let grown = resident_kib(asked.pid)?.max(opened).saturating_sub(before);
    Ok(report(&asked, &posted, &heard, grown))
}

fn resident_kib(pid: u32) -> Outcome<usize> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Opens a socket and subscribes.
async fn open(asked: &Asked) -> Outcome<Socket> {
    let mut request = format!("ws://{}/ws", asked.address).into_client_request()?;
    request.headers_mut().insert("X-API-Key", asked.token.parse()?);
    let stream = TcpStream::connect(&asked.address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    let ask = json!({ "action": "subscribe", "meetings": [asked.meeting] });
    socket.send(Message::text(ask.to_string())).await?;
    match socket.next().await {
        Some(Ok(Message::Text(text))) if text.contains(r#""subscribed""#) => Ok(socket),
        other => Err(format!("no subscription: {other:?}").into()),
    }
}

/// The number of each update and when it came, until all came, the socket ended, or nothing came
/// for too long.
async fn follow(mut socket: Socket, updates: usize) -> Vec<(usize, Instant)> {
    let mut heard = Vec::with_capacity(updates);
    while heard.last().is_none_or(|(number, _)| number + 1 < updates) {
        match timeout(PATIENCE, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                heard.extend(number(&text).map(|number| (number, Instant::now())));
            }
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) | Err(_) => break,
        }
    }
    heard
}

/// The update's number is its text; read without parsing the rest, which would cost more than the
/// server's work.
fn number(push: &str) -> Option<usize> {
    push.split_once(r#""text":"update "#)?.1.split('"').next()?.parse().ok()
}

async fn post_all(asked: &Asked) -> Outcome<Vec<Posted>> {
    let (mut sender, connection) =
        handshake(TokioIo::new(TcpStream::connect(&asked.address).await?)).await?;
    tokio::spawn(connection);
    let mut ticks = interval(asked.period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut posted = Vec::with_capacity(asked.updates);
    for number in 0..asked.updates {
        ticks.tick().await;
        posted.push(post(asked, &mut sender, number).await?);
    }
    Ok(posted)
}

async fn post(
    asked: &Asked,
    sender: &mut SendRequest<Full<Bytes>>,
    number: usize,
) -> Outcome<Posted> {
    let segment = json!({
        "start": number, "end": number + 1, "text": format!("update {number}"), "speaker": "Ada", "language": "en",
    });
    let body = json!({ "uid": asked.session, "segments": [segment] }).to_string();
    let request = Request::post("/bots/internal/segments")
        .header(HOST, &asked.address)
        .header(AUTHORIZATION, format!("Bearer {}", asked.bot_token))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body))?;
    let sent = Instant::now();
    let answer = sender.send_request(request).await?;
    let answered = Instant::now();
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    match status {
        StatusCode::OK => Ok(Posted { sent, answered }),
        _ => Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into()),
    }
}

fn report(
    asked: &Asked,
    posted: &[Posted],
    heard: &[Vec<(usize, Instant)>],
    grown_kib: usize,
) -> Value {
    let is_whole = |times: &&Vec<(usize, Instant)>| {
        times.iter().map(|(number, _)| *number).eq(0..asked.updates)
    };
    let faulty = heard.len() - heard.iter().filter(is_whole).count();
    let missed: usize = heard.iter().map(|times| asked.updates.saturating_sub(times.len())).sum();
    let last =
        |number: usize| heard.iter().filter_map(|times| times.get(number)).map(|(_, at)| *at).max();
    let counted =
        (WARM_UP..asked.updates).filter_map(|number| Some((posted[number], last(number)?)));
    let (since_sent, since_answered): (Vec<f64>, Vec<f64>) = counted
        .map(|(post, at)| {
            (millis(at - post.sent), millis(at.saturating_duration_since(post.answered)))
        })
        .unzip();
    json!({
        "watchers": asked.watchers, "updates": asked.updates, "faulty_watchers": faulty, "missed": missed,
        "kib_a_watcher": grown_kib / asked.watchers.max(1),
        "since_sent_ms": quantiles(since_sent), "since_answered_ms": quantiles(since_answered),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn quantiles(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        values.get((values.len() * percent / 100).min(values.len().saturating_sub(1)))
    };
    json!({ "p50": at(50), "p99": at(99), "max": values.last() })
}
