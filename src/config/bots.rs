//! The settings of bots, live feeds and webhooks.

use crate::config::key::{Key, count, filled, key, list, networks, seconds, set, text};
use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;

/// What a bot's process takes over of the server's environment; the rest may hold secrets.
pub const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Bots: what runs them, what they are told, how long they may take.
#[derive(Debug, Clone, Default)]
pub struct Bots {
    /// What runs them.
    pub runner: RunnerKind,
    /// The address by which they reach this server; empty is where it listens.
    pub callback_url: String,
    /// Where they send what they hear, if anywhere (`WHISPER_LIVE_URL`).
    pub whisper_live_url: String,
    /// The Redis that some bots want to know of; empty is none.
    pub redis_url: String,
    /// What they call themselves where nobody says.
    pub name: String,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// How long one may stay in each state without news.
    pub state_timeouts: StateTimeouts,
    /// When one leaves by itself.
    pub leave: Leave,
    /// One process a bot.
    pub process: ProcessBots,
    /// One container a bot.
    pub docker: DockerBots,
    /// From one step of the demo bot to the next; `None` is its own pace. No setting: for tests.
    pub demo_pace: Option<Duration>,
}

/// What runs bots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunnerKind {
    /// Nothing: `POST /bots` answers 503.
    #[default]
    None,
    /// A bot that the program carries, which plays a short meeting.
    Demo,
    /// A command.
    Process,
    /// A container engine.
    Docker,
}

/// How long a meeting may stay in each state.
#[derive(Debug, Clone, Default)]
pub struct StateTimeouts {
    /// Until the bot reports for the first time.
    pub requested: Duration,
    /// Until it asks to be let in.
    pub joining: Duration,
    /// Until it is let in.
    pub awaiting_admission: Duration,
    /// Until it is told to leave.
    pub active: Duration,
    /// Until it is taken for gone.
    pub stopping: Duration,
}

/// When a bot leaves by itself.
#[derive(Debug, Clone, Default)]
pub struct Leave {
    /// Nobody lets it in.
    pub waiting_room: Duration,
    /// Nobody comes.
    pub no_one_joined: Duration,
    /// Everybody has left.
    pub everyone_left: Duration,
}

/// One process a bot.
#[derive(Debug, Clone, Default)]
pub struct ProcessBots {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Its working directory.
    pub folder: PathBuf,
    /// What it takes over of the server's own environment: [`INHERITED`], as far as they are there. No setting.
    pub inherited: Vec<(String, String)>,
    /// More of its environment, `NAME=value`.
    pub environment: Vec<String>,
    /// Where its output goes, a file for each meeting.
    pub log_folder: PathBuf,
    /// How much of its output is kept, in bytes.
    pub log_bytes_max: u64,
}

/// One container a bot.
#[derive(Debug, Clone, Default)]
pub struct DockerBots {
    /// The engine's socket.
    pub socket: String,
    /// The image.
    pub image: String,
    /// The network that it joins; empty is the engine's default.
    pub network: String,
    /// More of its environment, `NAME=value`.
    pub environment: Vec<String>,
    /// More of its labels, `name=value`.
    pub labels: Vec<String>,
    /// Its memory, in MiB; 0 is no limit.
    pub memory_mib: i64,
    /// Its share of the processors, in percent of one; 0 is no limit.
    pub cpu_percent: i64,
}

/// The live feed.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Most sockets at once.
    pub sockets_max: usize,
    /// Most messages that wait for a watcher; one more, and it is closed.
    pub queue_max: usize,
}

/// Webhooks.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// Private networks that they may reach.
    pub allowed_networks: Vec<IpNet>,
    /// From the first attempt to the second; each later one waits three times as long.
    pub retry: Duration,
    /// How long an event is tried.
    pub give_up: Duration,
}

/// The settings, in the order of `vomeet.toml`.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key("bots.runner", "VOMEET_BOTS_RUNNER", "\"none\"", "What runs bots: none, demo (a bot that the program carries), process or docker.", |c, v| set(&mut c.bots.runner, runner(v))),
    key("bots.callback_url", "VOMEET_BOTS_CALLBACK_URL", "\"\"", "The address by which bots reach this server; empty is where it listens.", |c, v| set(&mut c.bots.callback_url, http_url(v))),
    key("bots.whisper_live_url", "VOMEET_BOTS_WHISPER_LIVE_URL", "\"\"", "What bots find in WHISPER_LIVE_URL; empty is nothing.", |c, v| set(&mut c.bots.whisper_live_url, text(v))),
    key("bots.redis_url", "VOMEET_BOTS_REDIS_URL", "\"\"", "What bots find as redisUrl; only some of them want one.", |c, v| set(&mut c.bots.redis_url, text(v))),
    key("bots.name", "VOMEET_BOTS_NAME", "\"Vomeet\"", "What a bot calls itself where nobody says.", |c, v| set(&mut c.bots.name, filled(v))),
    key("bots.grace_seconds", "VOMEET_BOTS_GRACE_SECONDS", "10", "From SIGTERM to SIGKILL, in seconds.", |c, v| set(&mut c.bots.grace, seconds(v))),
    key("bots.requested_seconds_max", "VOMEET_BOTS_REQUESTED_SECONDS_MAX", "180", "Longest wait for a bot's first report, in seconds; then it has failed.", |c, v| set(&mut c.bots.state_timeouts.requested, long(v))),
    key("bots.joining_seconds_max", "VOMEET_BOTS_JOINING_SECONDS_MAX", "300", "Longest time on the way, in seconds; then it has failed.", |c, v| set(&mut c.bots.state_timeouts.joining, long(v))),
    key("bots.awaiting_admission_seconds_max", "VOMEET_BOTS_AWAITING_ADMISSION_SECONDS_MAX", "900", "Longest wait to be let in, in seconds; then it is over.", |c, v| set(&mut c.bots.state_timeouts.awaiting_admission, long(v))),
    key("bots.active_seconds_max", "VOMEET_BOTS_ACTIVE_SECONDS_MAX", "43200", "Longest meeting, in seconds; then the bot is told to leave.", |c, v| set(&mut c.bots.state_timeouts.active, long(v))),
    key("bots.stopping_seconds_max", "VOMEET_BOTS_STOPPING_SECONDS_MAX", "60", "Longest wait for a bot to leave, in seconds; then it is taken for gone.", |c, v| set(&mut c.bots.state_timeouts.stopping, long(v))),
    key("bots.waiting_room_seconds", "VOMEET_BOTS_WAITING_ROOM_SECONDS", "300", "A bot leaves by itself when nobody lets it in, in seconds.", |c, v| set(&mut c.bots.leave.waiting_room, long(v))),
    key("bots.no_one_joined_seconds", "VOMEET_BOTS_NO_ONE_JOINED_SECONDS", "120", "A bot leaves by itself when nobody comes, in seconds.", |c, v| set(&mut c.bots.leave.no_one_joined, long(v))),
    key("bots.everyone_left_seconds", "VOMEET_BOTS_EVERYONE_LEFT_SECONDS", "60", "A bot leaves by itself when everybody has left, in seconds.", |c, v| set(&mut c.bots.leave.everyone_left, long(v))),
    key("bots.process_command", "VOMEET_BOTS_PROCESS_COMMAND", "[]", "Runner process: the command and its arguments, such as [\"python3\", \"bot.py\"].", |c, v| set(&mut c.bots.process.command, list(v))),
    key("bots.process_folder", "VOMEET_BOTS_PROCESS_FOLDER", "\".\"", "Runner process: the working directory.", |c, v| set(&mut c.bots.process.folder, filled(v).map(PathBuf::from))),
    key("bots.process_environment", "VOMEET_BOTS_PROCESS_ENVIRONMENT", "[]", "Runner process: more of the environment, such as [\"LANG=C.UTF-8\"].", |c, v| set(&mut c.bots.process.environment, pairs(v))),
    key("bots.log_folder", "VOMEET_BOTS_LOG_FOLDER", "\"bot-logs\"", "Runner process: where output goes, a file for each meeting; it is created.", |c, v| set(&mut c.bots.process.log_folder, filled(v).map(PathBuf::from))),
    key("bots.log_bytes_max", "VOMEET_BOTS_LOG_BYTES_MAX", "1048576", "Runner process: most bytes of output that are kept for each meeting.", |c, v| set(&mut c.bots.process.log_bytes_max, count(v, 1024, 1 << 30))),
    key("bots.docker_socket", "VOMEET_BOTS_DOCKER_SOCKET", "\"/var/run/docker.sock\"", "Runner docker: the engine's socket; any engine that speaks Docker's API will do.", |c, v| set(&mut c.bots.docker.socket, filled(v))),
    key("bots.docker_image", "VOMEET_BOTS_DOCKER_IMAGE", "\"\"", "Runner docker: the image of the bot; the engine must have it.", |c, v| set(&mut c.bots.docker.image, text(v))),
    key("bots.docker_network", "VOMEET_BOTS_DOCKER_NETWORK", "\"\"", "Runner docker: the network that bots join; empty is the engine's default.", |c, v| set(&mut c.bots.docker.network, text(v))),
    key("bots.docker_environment", "VOMEET_BOTS_DOCKER_ENVIRONMENT", "[]", "Runner docker: more of the environment, such as [\"LANG=C.UTF-8\"].", |c, v| set(&mut c.bots.docker.environment, pairs(v))),
    key("bots.docker_labels", "VOMEET_BOTS_DOCKER_LABELS", "[]", "Runner docker: more labels, such as [\"team=meetings\"].", |c, v| set(&mut c.bots.docker.labels, pairs(v))),
    key("bots.docker_memory_mib", "VOMEET_BOTS_DOCKER_MEMORY_MIB", "2048", "Runner docker: memory for each bot, in MiB; 0 is no limit.", |c, v| set(&mut c.bots.docker.memory_mib, count(v, 0, 1 << 20))),
    key("bots.docker_cpu_percent", "VOMEET_BOTS_DOCKER_CPU_PERCENT", "200", "Runner docker: processor time for each bot, in percent of one; 0 is no limit.", |c, v| set(&mut c.bots.docker.cpu_percent, count(v, 0, 100_000))),
    key("live.sockets_max", "VOMEET_LIVE_SOCKETS_MAX", "4096", "Most live sockets at once; one more is answered 503.", |c, v| set(&mut c.live.sockets_max, count(v, 1, 1_000_000))),
    key("live.queue_max", "VOMEET_LIVE_QUEUE_MAX", "256", "Most messages that wait for a watcher; one more, and it is closed with 1013.", |c, v| set(&mut c.live.queue_max, count(v, 1, 65_536))),
    key("webhooks.allowed_networks", "VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "[]", "Private networks that webhooks may reach, such as [\"10.0.0.0/8\", \"::1/128\"].", |c, v| set(&mut c.webhooks.allowed_networks, networks(v))),
    key("webhooks.retry_seconds", "VOMEET_WEBHOOKS_RETRY_SECONDS", "5", "From the first attempt to the second, in seconds; each later one waits three times as long.", |c, v| set(&mut c.webhooks.retry, seconds(v))),
    key("webhooks.give_up_seconds", "VOMEET_WEBHOOKS_GIVE_UP_SECONDS", "86400", "How long an event is tried, in seconds.", |c, v| set(&mut c.webhooks.give_up, long(v))),
];

fn runner(value: &Value) -> Result<RunnerKind, String> {
    match text(value)?.as_str() {
        "none" => Ok(RunnerKind::None),
        "demo" => Ok(RunnerKind::Demo),
        "process" => Ok(RunnerKind::Process),
        "docker" => Ok(RunnerKind::Docker),
        other => Err(format!("should be none, demo, process or docker, not {other:?}")),
    }
}

/// Empty, or an address without what would come behind a path.
fn http_url(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    match text.is_empty() || is_http && !text.contains(['?', '#', ' ']) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(format!("should be an address such as http://10.0.0.5:18056, not {text:?}")),
    }
}

/// Up to ten years.
fn long(value: &Value) -> Result<Duration, String> {
    count(value, 1, 10 * 365 * 86_400).map(Duration::from_secs)
}

fn pairs(value: &Value) -> Result<Vec<String>, String> {
    let items = list(value)?;
    match items.iter().find(|item| item.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        None => Ok(items),
        Some(item) => Err(format!("should be a list of NAME=value, and {item:?} is none")),
    }
}
