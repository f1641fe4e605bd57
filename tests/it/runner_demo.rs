//! The demo bot plays its meeting through the callbacks, to whoever listens there.

use crate::client::PATIENCE;
use crate::runner_bots::{Context, outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use vomeet::bots::LaunchSpec;
use vomeet::config::RunnerKind;
use vomeet::domain::{MeetingStatus, TransitionSource};

/// What the bot called: the path, its token, the body.
type Called = (String, String, Value);

const FAST: Duration = Duration::from_millis(10);
/// So long that nothing follows the first call.
const FOR_EVER: Duration = Duration::from_hours(1);

/// Answers every callback with 200.
struct Listener {
    address: SocketAddr,
    calls: UnboundedReceiver<Called>,
}

impl Listener {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (tell, calls) = unbounded_channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // One that breaks off brings no call: a bot that is told to leave drops what it was
                // about to send.
                let Some(call) = answer(&stream.expect("a connection")) else { continue };
                if tell.send(call).is_err() {
                    break;
                }
            }
        });
        Self { address, calls }
    }

    async fn next(&mut self) -> Called {
        timeout(PATIENCE, self.calls.recv()).await.expect("a call").expect("a listener")
    }
}

/// Reads a call and answers it.
fn answer(mut stream: &TcpStream) -> Option<Called> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        head.push(std::mem::take(&mut line));
    }
    let field = |name: &str| {
        let found =
            head.iter().find_map(|line| line.to_lowercase().starts_with(name).then(|| line.trim()));
        found.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value).to_owned()
    };
    let mut body = vec![0; field("content-length").parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let path = head[0].split(' ').nth(1)?.to_owned();
    let call = (path, field("authorization"), serde_json::from_slice(&body).ok()?);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").ok()?;
    Some(call)
}

/// With a bot that takes this long for everything.
async fn context(pace: Duration) -> Context {
    let set = |bots: &mut vomeet::config::Bots, _: &std::path::Path| {
        bots.runner = RunnerKind::Demo;
        bots.demo_pace = Some(pace);
    };
    Context::open(set).await
}

async fn spec(context: &mut Context, url: &str) -> LaunchSpec {
    let mut spec = context.request().await;
    let config = json!({
        "connectionId": spec.uid, "token": "secret", "botManagerCallbackUrl": url, "container_name": spec.name,
        "meeting_id": spec.meeting_id, "platform": "google_meet", "redisUrl": "",
    });
    spec.environment = vec![("BOT_CONFIG".to_owned(), config.to_string())];
    spec
}

async fn called_order(context: &mut Context, listener: &Listener) -> LaunchSpec {
    let url = format!("http://{}/base/bots/internal/callback/exited", listener.address);
    spec(context, &url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_plays_a_whole_meeting() {
    let (mut context, mut listener) = (context(FAST).await, Listener::open());
    let spec = called_order(&mut context, &listener).await;
    assert_eq!(context.send(&spec).await, format!("demo:{}", spec.meeting_id));
    for state in ["joining", "awaiting_admission", "started"] {
        let (path, _, body) = listener.next().await;
        assert_eq!(path, format!("/base/bots/internal/callback/{state}"));
        assert_eq!(body, json!({ "connection_id": spec.uid, "container_id": spec.name }));
    }
    let mut said: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let last = loop {
        let (path, token, body) = listener.next().await;
        if path != "/base/bots/internal/segments" {
            break (path, body);
        }
        assert_eq!((token.as_str(), &body["uid"]), ("Bearer secret", &json!(spec.uid)));
        let segment = body["segments"][0].clone();
        said.entry(format!("{:06.1}", segment["start"].as_f64().expect("a start")))
            .or_default()
            .push(segment);
    };
    assert_eq!(last.0, "/base/bots/internal/callback/exited");
    assert_eq!(
        last.1,
        json!({ "connection_id": spec.uid, "exit_code": 0, "completion_reason": "left_alone" })
    );
    let final_words = said.values().map(|heard| heard.last().expect("words"));
    let of = |name: &str| {
        final_words
            .clone()
            .map(|words| words[name].to_string())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!((said.len(), of("speaker").len(), of("language").len()), (12, 3, 2));
    assert_eq!(
        said.values().filter(|heard| heard.len() == 2).count(),
        5,
        "some are first sent unfinished"
    );
    let meeting = context.end_of(spec.meeting_id).await;
    assert_eq!(outcome(&meeting).0, "completed");
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_when_it_is_told_to() {
    let (mut context, mut listener) = (context(FOR_EVER).await, Listener::open());
    let spec = called_order(&mut context, &listener).await;
    context.send(&spec).await;
    listener.next().await;
    context.report(spec.meeting_id, MeetingStatus::Stopping, TransitionSource::User).await;
    let last = loop {
        let (path, _, body) = listener.next().await;
        if path.ends_with("exited") {
            break body;
        }
    };
    assert_eq!(
        last,
        json!({ "connection_id": spec.uid, "exit_code": 0, "completion_reason": "stopped" })
    );
    assert_eq!(context.end_of(spec.meeting_id).await.status, MeetingStatus::Completed);
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_the_server() {
    let (mut context, mut listener) = (context(FOR_EVER).await, Listener::open());
    let spec = called_order(&mut context, &listener).await;
    context.send(&spec).await;
    listener.next().await;
    context.report(spec.meeting_id, MeetingStatus::Active, TransitionSource::Bot).await;
    context.supervisor.stop().await;
    let meeting = context.end_of(spec.meeting_id).await;
    let (status, why, _) = outcome(&meeting);
    assert_eq!((status, why.as_str()), ("completed", "stopped"));
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_up_when_nobody_answers() {
    let mut context = context(FAST).await;
    let spec = spec(&mut context, "http://127.0.0.1:1/bots/internal/callback/exited").await;
    context.send(&spec).await;
    let (status, why, reason) = outcome(&context.end_of(spec.meeting_id).await);
    assert_eq!((status, why.as_str()), ("failed", "requested"));
    assert!(reason.starts_with("the demo bot gave up: 127.0.0.1:1 cannot be reached"), "{reason}");
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_call_is_said_at_once() {
    let mut context = context(FAST).await;
    for url in [
        "https://example.com/bots/internal/callback/exited",
        "http://localhost/elsewhere",
        "nonsense",
    ] {
        let spec = spec(&mut context, url).await;
        let why = context.supervisor.send(spec).await.expect_err(url);
        assert!(why.contains("set bots.callback_url"), "{url}: {why}");
    }
    context.stop().await;
}
