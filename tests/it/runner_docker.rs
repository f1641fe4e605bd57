//! Bots as containers, with a stub of an engine that writes down what it is asked.

use crate::client::PATIENCE;
use crate::runner_bots::{Context, last_step, outcome};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use vomeet::config::{Bots, RunnerKind};
use vomeet::domain::bot::session_alias;
use vomeet::domain::{MeetingStatus, TransitionSource};

/// What the engine was asked: method and path, and the body.
type Asked = (String, Value);

/// The containers of an engine: each with its labels, and its exit code once it has ended.
#[derive(Default)]
struct Containers {
    all: Mutex<HashMap<String, (Value, Option<i64>)>>,
    changed: Condvar,
    /// How many more questions about a container it cannot answer.
    faults: AtomicUsize,
    /// Whether it is slow to start a container: until this is false.
    is_slow: AtomicBool,
}

struct Engine {
    containers: Arc<Containers>,
    asked: UnboundedReceiver<Asked>,
}

impl Engine {
    fn open(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).expect("a socket");
        let containers = Arc::new(Containers::default());
        let (tell, asked) = unbounded_channel();
        let shared = Arc::clone(&containers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (containers, tell) = (Arc::clone(&shared), tell.clone());
                std::thread::spawn(move || {
                    converse(&stream.expect("a connection"), &containers, &tell)
                });
            }
        });
        Self { containers, asked }
    }

    /// Waits until this is asked; the version before the path is left out.
    async fn receive(&mut self, wanted: &str) -> Value {
        loop {
            let (what, body) =
                timeout(PATIENCE, self.asked.recv()).await.expect(wanted).expect("an engine");
            if what.starts_with(wanted) {
                return body;
            }
        }
    }

    fn end(&self, id: &str, code: i64) {
        self.containers.end(id, code);
    }
}

impl Containers {
    fn end(&self, id: &str, code: i64) {
        if let Some(container) = self.all.lock().expect("containers").get_mut(id) {
            container.1.get_or_insert(code);
        }
        self.changed.notify_all();
    }

    fn remove(&self, id: &str) -> bool {
        let removed = self.all.lock().expect("containers").remove(id).is_some();
        self.changed.notify_all();
        removed
    }

    /// Its end; `None` where there is no such container.
    fn wait(&self, id: &str) -> Option<i64> {
        let all = self.all.lock().expect("containers");
        let runs = |all: &mut HashMap<String, (Value, Option<i64>)>| {
            matches!(all.get(id), Some((_, None)))
        };
        let (all, _) = self.changed.wait_timeout_while(all, PATIENCE, runs).expect("containers");
        all.get(id).and_then(|container| container.1)
    }

    fn answer(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let none = || (404, json!({ "message": "No such container" }));
        let parts: Vec<&str> = path.split(['/', '?']).filter(|part| !part.is_empty()).collect();
        let asks = matches!(parts.as_slice(), ["containers", _, "wait" | "json", ..]);
        if asks
            && self
                .faults
                .try_update(Ordering::Relaxed, Ordering::Relaxed, |faults| faults.checked_sub(1))
                .is_ok()
        {
            return (500, json!({ "message": "out of order" }));
        }
        match (method, parts.as_slice()) {
            (_, ["version"]) => (200, json!({ "ApiVersion": "1.41" })),
            (_, ["containers", "create", ..]) if body["Image"] == "missing" => {
                (404, json!({ "message": "No such image: missing" }))
            }
            (_, ["containers", "create", ..]) => {
                let mut all = self.all.lock().expect("containers");
                let id = format!("{:064x}", 0xb07_0000 + all.len());
                all.insert(id.clone(), (body["Labels"].clone(), None));
                (201, json!({ "Id": id, "Warnings": [] }))
            }
            (_, ["containers", id, "start"])
                if self.all.lock().expect("containers")[*id].0["network"] == "none" =>
            {
                (404, json!({ "message": "network nowhere not found" }))
            }
            (_, ["containers", _, "start"]) => {
                let all = self.all.lock().expect("containers");
                let is_slow = |_: &mut _| self.is_slow.load(Ordering::Relaxed);
                drop(self.changed.wait_timeout_while(all, PATIENCE, is_slow).expect("containers"));
                (204, Value::Null)
            }
            (_, ["containers", id, "wait", ..]) => {
                self.wait(id).map_or_else(none, |code| (200, json!({ "StatusCode": code })))
            }
            (_, ["containers", id, "stop", ..]) => {
                self.end(id, 143);
                (204, Value::Null)
            }
            ("DELETE", ["containers", id, ..]) => {
                if self.remove(id) {
                    (204, Value::Null)
                } else {
                    none()
                }
            }
            (_, ["containers", id, "json", ..]) => {
                let all = self.all.lock().expect("containers");
                // A name stands for the first.
                let id = if id.starts_with("vomeet-bot-") {
                    all.keys().next().cloned()
                } else {
                    Some((*id).to_owned())
                };
                let found = id.and_then(|id| Some((id.clone(), all.get(&id)?.clone())));
                found.map_or_else(none, |(id, (labels, code))| {
                    let state = json!({ "Running": code.is_none(), "ExitCode": code.unwrap_or(0) });
                    (200, json!({ "Id": id, "State": state, "Config": { "Labels": labels } }))
                })
            }
            _ => (400, json!({ "message": format!("{method} {path}?") })),
        }
    }
}

fn converse(
    mut stream: &UnixStream,
    containers: &Containers,
    tell: &UnboundedSender<Asked>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        head.push(std::mem::take(&mut line));
    }
    let length = head
        .iter()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (method, path) = head.first()?.split_once(' ')?;
    let path = path.split(' ').next()?;
    let path = path.strip_prefix("/v1.41").or(path.strip_prefix("/v1.44")).unwrap_or(path);
    tell.send((format!("{method} {path}"), body.clone())).ok()?;
    let (status, answer) = containers.answer(method, path, &body);
    let answer = if status == 204 { String::new() } else { answer.to_string() };
    let length = answer.len();
    let kind = "content-type: application/json\r\nconnection: close";
    write!(stream, "HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{answer}").ok()
}

async fn context(set: impl FnOnce(&mut Bots)) -> (Context, Engine) {
    let mut engine = None;
    let context = Context::open(|bots, folder| {
        engine = Some(with_engine(bots, folder));
        set(bots);
    });
    (context.await, engine.expect("an engine"))
}

/// Lets the bots be containers of an engine of their own.
fn with_engine(bots: &mut Bots, folder: &Path) -> Engine {
    let socket = folder.join("engine.sock");
    bots.runner = RunnerKind::Docker;
    bots.docker.socket = socket.to_string_lossy().into_owned();
    "bot:1".clone_into(&mut bots.docker.image);
    Engine::open(&socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_made_as_the_settings_say() {
    let set = |bots: &mut Bots| {
        bots.docker.network = "meetings".to_owned();
        bots.docker.labels = vec!["team=blue".to_owned()];
        bots.docker.environment = vec!["LANG=C".to_owned()];
        bots.docker.memory_mib = 512;
        bots.docker.cpu_percent = 150;
    };
    let (mut context, mut engine) = context(set).await;
    let spec = context.request().await;
    let id = context.send(&spec).await;
    let body = engine
        .receive(&format!("POST /containers/create?name=vomeet-bot-{}", spec.meeting_id))
        .await;
    assert_eq!(body["Image"], "bot:1");
    let labels = json!({ "vomeet.meeting_id": spec.meeting_id.to_string(), "vomeet.uid": session_alias(&spec.uid), "team": "blue" });
    assert_eq!(body["Labels"], labels);
    let told = spec.environment.iter().map(|(name, value)| format!("{name}={value}"));
    assert_eq!(
        body["Env"],
        json!(std::iter::once("LANG=C".to_owned()).chain(told).collect::<Vec<_>>())
    );
    let limits = json!({
        "Memory": 512 * 1024 * 1024,
        "NanoCpus": 1_500_000_000,
        "NetworkMode": "meetings",
        "PidsLimit": 2048,
        "SecurityOpt": ["no-new-privileges"],
        "CapDrop": ["ALL"],
        "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"],
    });
    assert_eq!(body["HostConfig"], limits);
    engine.receive(&format!("POST /containers/{id}/start")).await;
    engine.receive(&format!("POST /containers/{id}/wait")).await;
    engine.end(&id, 3);
    let meeting = context.end_of(spec.meeting_id).await;
    let end = ("failed", "requested".to_owned(), "the bot ended with exit code 3".to_owned());
    assert_eq!((outcome(&meeting), last_step(&meeting)["exit_code"].as_i64()), (end, Some(3)));
    engine.receive(&format!("DELETE /containers/{id}")).await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_the_engines_with_the_grace() {
    let (mut context, mut engine) = context(|bots| bots.grace = Duration::from_secs(7)).await;
    let (meeting_id, id) = context.send_one().await;
    context.report(meeting_id, MeetingStatus::Stopping, TransitionSource::User).await;
    engine.receive(&format!("POST /containers/{id}/stop?t=7")).await;
    assert_eq!(outcome(&context.end_of(meeting_id).await).0, "completed");
    engine.receive(&format!("DELETE /containers/{id}")).await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_to_stop_before_it_has_started_is_stopped_at_once() {
    let mut engine = None;
    // No time passes.
    let context = Context::open_in_still_time(|bots, folder| {
        engine = Some(with_engine(bots, folder));
    });
    let (mut context, mut engine) = (context.await, engine.expect("an engine"));
    engine.containers.is_slow.store(true, Ordering::Relaxed);
    let spec = context.request().await;
    let sending = tokio::spawn({
        let (supervisor, spec) = (Arc::clone(&context.supervisor), spec.clone());
        async move { supervisor.send(spec).await }
    });
    engine.receive("POST /containers/create").await;
    engine.receive("POST /containers/").await;
    context.report(spec.meeting_id, MeetingStatus::Stopping, TransitionSource::User).await;
    {
        let _all = engine.containers.all.lock().expect("containers");
        engine.containers.is_slow.store(false, Ordering::Relaxed);
    }
    engine.containers.changed.notify_all();
    let id = sending.await.expect("a task").expect("a bot that starts");
    let stop = format!("POST /containers/{id}/stop");
    timeout(PATIENCE, engine.receive(&stop)).await.expect("it is stopped");
    context.report(spec.meeting_id, MeetingStatus::Completed, TransitionSource::Bot).await;
    engine.receive(&format!("DELETE /containers/{id}")).await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_goes_on_without_the_server_and_is_adopted() {
    let (mut context, mut engine) = context(|_| {}).await;
    let (meeting_id, id) = context.send_one().await;
    engine.receive(&format!("POST /containers/{id}/wait")).await;
    let mut context = context.restart(|_| {}).await;
    engine.receive(&format!("POST /containers/{id}/wait")).await;
    engine.end(&id, 0);
    assert_eq!(outcome(&context.end_of(meeting_id).await).0, "completed");
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_gone_ends_its_meeting() {
    let (mut context, mut engine) = context(|_| {}).await;
    let (meeting_id, id) = context.send_one().await;
    engine.receive(&format!("POST /containers/{id}/wait")).await;
    assert!(engine.containers.remove(&id));
    let (status, _, reason) = outcome(&context.end_of(meeting_id).await);
    assert_eq!(
        (status, reason.as_str()),
        ("failed", "the bot's container is gone; its exit code is not known")
    );
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_out_of_order_is_no_end() {
    let (mut context, mut engine) = context(|_| {}).await;
    engine.containers.faults.store(2, Ordering::Relaxed);
    let (meeting_id, id) = context.send_one().await;
    for _ in 0..2 {
        engine.receive(&format!("POST /containers/{id}/wait")).await;
    }
    let open = context.store.meeting_of_bot(meeting_id).expect("a row").expect("a meeting");
    assert_eq!(open.status, MeetingStatus::Requested);
    engine.end(&id, 0);
    assert_eq!(outcome(&context.end_of(meeting_id).await).0, "completed");
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_whose_id_was_lost_is_found_by_its_name() {
    let (mut context, mut engine) = context(|_| {}).await;
    let spec = context.request().await;
    let id = context.supervisor.send(spec.clone()).await.expect("a container");
    engine.receive(&format!("POST /containers/{id}/wait")).await;
    let mut context = context.restart(|_| {}).await;
    engine.receive(&format!("GET /containers/{}/json", spec.name)).await;
    engine.end(&id, 0);
    let meeting = context.end_of(spec.meeting_id).await;
    assert_eq!((outcome(&meeting).0, meeting.bot_container_id), ("completed", Some(id)));
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_lacks_is_said_with_what_to_do() {
    type Set = fn(&mut Bots);
    let rows: [(Set, &str); 4] = [
        (|bots| bots.docker.image = "missing".to_owned(), "pull it, or change bots.docker_image"),
        (|bots| bots.docker.image.clear(), "set bots.docker_image"),
        (
            |bots| bots.docker.socket = "/nowhere/engine.sock".to_owned(),
            "start it, or change bots.docker_socket",
        ),
        (
            |bots| {
                bots.docker.labels = vec!["network=none".to_owned()];
                "nowhere".clone_into(&mut bots.docker.network);
            },
            "create it, or change bots.docker_network",
        ),
    ];
    for (set, expected) in rows {
        let (mut context, engine) = context(set).await;
        let spec = context.request().await;
        let why = context.supervisor.send(spec).await.expect_err(expected);
        assert!(why.contains(expected), "{why}");
        assert!(
            engine.containers.all.lock().expect("containers").is_empty(),
            "{expected}: it left a container behind"
        );
        context.stop().await;
    }
}
