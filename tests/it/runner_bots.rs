//! A store and a supervisor without a server, and bots that tell by a pipe what becomes of them.

use crate::client::PATIENCE;
use crate::server::{once_free, still_clock};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;
use vomeet::bots::{LaunchSpec, Supervisor, WatchRegistry};
use vomeet::clock::Clock;
use vomeet::config::{Bots, Environment, Flags, RunnerKind, Settings};
use vomeet::domain::bot::container_name;
use vomeet::domain::{
    Email, Meeting, MeetingId, MeetingStatus, Platform, StatusReport, Time, TokenHash, TokenId,
    TransitionSource, UserId,
};
use vomeet::store::{
    Advance, Change, CreateUser, MeetingRef, NoteContainer, Options, SendBot, Store,
};

/// A supervisor at work.
pub struct Context {
    pub folder: Arc<TempDir>,
    pub store: Arc<Store>,
    pub supervisor: Arc<Supervisor>,
    pub settings: Bots,
    /// What it tells the time by.
    pub clock: Clock,
    started: Arc<Started>,
    moved: UnboundedReceiver<Meeting>,
    asked: u64,
}

/// The processes of a test, which are not left behind when it fails.
#[derive(Default)]
struct Started(Mutex<Vec<Pid>>);

impl Started {
    fn note(&self, handle: &str) {
        let pid = handle.split(':').nth(1).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        self.0.lock().expect("pids").extend(pid.filter(|_| handle.starts_with("process:")));
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for pid in self.0.lock().expect("pids").drain(..).filter(|_| failed) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The settings of bots as they are where nobody sets any, with all that is written in the folder.
pub fn settings(folder: &Path) -> Bots {
    let environment = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/nowhere"),
        ("LANG", "C.UTF-8"),
        ("A_SECRET", "hush"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let around = Environment { environment: environment.into(), folder: folder.to_owned() };
    let mut bots = Settings::load(&Flags::default(), &around).expect("settings").config.bots;
    bots.runner = RunnerKind::Process;
    folder.clone_into(&mut bots.process.folder);
    bots.process.log_folder = folder.join("logs");
    bots
}

/// A script for `sh`.
pub fn script(text: &str) -> Vec<String> {
    ["sh", "-c", text].map(str::to_owned).into()
}

impl Context {
    /// With a folder and settings of its own; `set` changes them.
    pub async fn open(set: impl FnOnce(&mut Bots, &Path)) -> Self {
        Self::open_by(Clock::system(), set).await
    }

    /// The same with a clock that stands still until the test moves it.
    pub async fn open_in_still_time(set: impl FnOnce(&mut Bots, &Path)) -> Self {
        Self::open_by(still_clock(), set).await
    }

    async fn open_by(clock: Clock, set: impl FnOnce(&mut Bots, &Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut bots = settings(folder.path());
        set(&mut bots, folder.path());
        let context = Self::start(Arc::new(folder), bots, clock);
        let email = Email::stored("ada@example.com".to_owned());
        let user = CreateUser {
            email,
            name: None,
            image_url: None,
            max_concurrent_bots: 1000,
            data: vomeet::domain::Data::default(),
            now: context.clock.now(),
        };
        context.store.write(user).await.expect("a user");
        context
    }

    pub fn start(folder: Arc<TempDir>, settings: Bots, clock: Clock) -> Self {
        let path = folder.path().join("vomeet.db");
        let options = Options { path, small_readers: 2, long_readers: 2, queue_max: 100 };
        let (tell, moved) = unbounded_channel();
        let watch_registry = Arc::new(WatchRegistry::default());
        let hears = Arc::clone(&watch_registry);
        let announce = move |change: &Change| {
            hears.on_change(change);
            if let Change::MeetingMoved(news) = change {
                let _ = tell.send(news.meeting.clone());
            }
        };
        let store = once_free(|| Store::open(&options, announce.clone())).expect("a database");
        let store = Arc::new(store);
        let supervisor = Supervisor::start(
            Arc::clone(&store),
            watch_registry,
            Arc::default(),
            &settings,
            clock.clone(),
        );
        Self {
            folder,
            store,
            supervisor,
            settings,
            clock,
            started: Arc::default(),
            moved,
            asked: 0,
        }
    }

    /// Stops it as a server does.
    pub async fn stop(self) -> (Arc<TempDir>, Bots) {
        timeout(PATIENCE, self.supervisor.stop()).await.expect("an end");
        self.store.close();
        (self.folder, self.settings)
    }

    /// Stops it and starts another on the same file, with other settings.
    pub async fn restart(self, set: impl FnOnce(&mut Bots)) -> Self {
        let (started, clock) = (Arc::clone(&self.started), self.clock.clone());
        let (folder, mut settings) = self.stop().await;
        set(&mut settings);
        Self { started, ..Self::start(folder, settings, clock) }
    }

    /// Writes the request of a bot, as `POST /bots` does.
    pub async fn request(&mut self) -> LaunchSpec {
        self.request_at(self.clock.now()).await
    }

    /// The same at another time.
    pub async fn request_at(&mut self, at: Time) -> LaunchSpec {
        self.asked += 1;
        let uid = format!("{:032x}", getrandom());
        let send = SendBot {
            user_id: UserId(1),
            token_id: TokenId(1),
            platform: Platform::GoogleMeet,
            native_meeting_id: format!("meeting-{}-{uid}", self.asked),
            url: "https://meet.google.com/abc-defg-hij".to_owned(),
            uid: uid.clone(),
            token_hash: TokenHash::of(uid.as_bytes()),
            bot_name: "Vomeet".to_owned(),
            language: None,
            task: None,
            has_voice: false,
            vocabulary: Vec::new(),
            now: at,
        };
        let meeting_id = self.store.write(send).await.expect("a meeting").id;
        let environment = [
            ("BOT_CONFIG", format!("{{\"connectionId\":\"{uid}\"}}")),
            ("WHISPER_LIVE_URL", String::new()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        let name = container_name(meeting_id);
        LaunchSpec { meeting_id, uid, name, permit: None, environment }
    }

    /// Starts the bot of an order and notes its handle.
    pub async fn send(&self, spec: &LaunchSpec) -> String {
        let handle = self.supervisor.send(spec.clone()).await.expect("a bot that starts");
        self.started.note(&handle);
        self.note(spec.meeting_id, &handle).await;
        handle
    }

    pub async fn note(&self, meeting_id: MeetingId, handle: &str) {
        let note =
            NoteContainer { meeting_id, container_id: handle.to_owned(), now: self.clock.now() };
        self.store.write(note).await.expect("a note");
    }

    /// Requests a bot and starts it.
    pub async fn send_one(&mut self) -> (MeetingId, String) {
        let spec = self.request().await;
        let handle = self.send(&spec).await;
        (spec.meeting_id, handle)
    }

    /// Moves a meeting on, as its owner or its bot does.
    pub async fn report(&self, id: MeetingId, to: MeetingStatus, by: TransitionSource) {
        self.report_at(id, to, by, self.clock.now()).await;
    }

    /// The same at another time.
    pub async fn report_at(
        &self,
        id: MeetingId,
        to: MeetingStatus,
        by: TransitionSource,
        now: Time,
    ) {
        let advance = Advance {
            meeting_ref: MeetingRef::Meeting(id),
            report: StatusReport::new(to, by),
            container_id: None,
            now,
        };
        self.store.write(advance).await.expect("a step");
    }

    /// The next meeting that moves.
    pub async fn next(&mut self) -> Meeting {
        timeout(PATIENCE, self.moved.recv()).await.expect("news").expect("a store that is open")
    }

    /// Whether no meeting moves for this long.
    pub async fn is_quiet_for(&mut self, time: Duration) -> bool {
        timeout(time, self.moved.recv()).await.is_err()
    }

    /// Waits for the end of a meeting.
    pub async fn end_of(&mut self, id: MeetingId) -> Meeting {
        loop {
            let meeting = self.next().await;
            if meeting.id == id && meeting.status.is_over() {
                return meeting;
            }
        }
    }

    /// What a bot printed.
    pub fn output(&self, id: MeetingId) -> String {
        std::fs::read_to_string(self.output_path(id)).expect("output")
    }

    pub fn output_path(&self, id: MeetingId) -> PathBuf {
        self.folder.path().join(format!("logs/meeting-{id}.log"))
    }
}

fn getrandom() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// How a meeting ended: its state, why or where, and what its last step says of the reason.
pub fn outcome(meeting: &Meeting) -> (&'static str, String, String) {
    let data: serde_json::Value = serde_json::from_str(meeting.data.as_json()).expect("JSON");
    let why = data["completion_reason"]
        .as_str()
        .or(data["failure_stage"].as_str())
        .unwrap_or("")
        .to_owned();
    let steps = data["status_transition"].as_array().cloned().unwrap_or_default();
    let reason = steps
        .last()
        .and_then(|step| step["reason"].as_str().map(str::to_owned))
        .unwrap_or_default();
    let status = meeting.status.known().expect("a known status");
    (status.as_str(), why, reason)
}

/// The last step of a meeting, as its data has it.
pub fn last_step(meeting: &Meeting) -> serde_json::Value {
    let data: HashMap<String, serde_json::Value> =
        serde_json::from_str(meeting.data.as_json()).expect("JSON");
    data["status_transition"].as_array().and_then(|steps| steps.last().cloned()).expect("a step")
}

/// A named pipe that bots hold open: what they write into it, and when the last of them is gone, is
/// an event.
pub struct Pipe {
    path: PathBuf,
    open: Option<Receiver>,
}

impl Pipe {
    /// Makes one.
    pub fn new(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        Self { path, open: None }
    }

    /// Waits for these words.
    pub async fn receive(&mut self, wanted: &str) {
        let mut heard = String::new();
        while !heard.contains(wanted) {
            let byte = timeout(PATIENCE, self.byte()).await.expect("a word");
            heard.push(byte.expect("somebody who writes").into());
        }
    }

    /// Waits until nobody holds it any more.
    pub async fn gone(&mut self) {
        while timeout(PATIENCE, self.byte()).await.expect("an end").is_some() {}
    }

    /// Whether somebody holds it still.
    pub async fn is_held(&mut self) -> bool {
        let to_the_end = async { while self.byte().await.is_some() {} };
        timeout(Duration::from_millis(300), to_the_end).await.is_err()
    }

    /// The next byte; it is opened once somebody else has.
    async fn byte(&mut self) -> Option<u8> {
        if self.open.is_none() {
            let (path, (tell, opened)) = (self.path.clone(), oneshot::channel());
            std::thread::spawn(move || tell.send(std::fs::File::open(path)));
            let file = opened.await.expect("a thread").expect("a pipe");
            self.open = Some(Receiver::from_file(file).expect("a pipe"));
        }
        self.open.as_mut().expect("open").read_u8().await.ok()
    }
}
