//! The table of settings: one row is one setting, and the order is that of `vomeet.toml`.
//! A row is the setting's help, its field, its default as in the file, and its parser with limits
//! (macro `settings!`). After a row is added, `make snapshots T=config::` writes `vomeet.toml`.

use crate::config::backup::Backup;
use crate::config::bot_runners::{DockerBots, ProcessBots};
use crate::config::bot_targets::{hosts, platforms};
use crate::config::bot_transcription::TranscriptionService;
use crate::config::cors::{Cors, cors};
use crate::config::hosts::own_hosts;
use crate::config::in_force::InForce;
use crate::config::key::{Key, Values, settings};
use crate::config::log_format::log_format;
use crate::config::redis::Redis;
use crate::config::runner_kind::{DemoMeeting, RunnerKind, runner_kind};
use crate::config::source::Source;
use crate::config::transcription::Transcription;
use crate::config::values::{
    address, filled, flag, http_url, networks, optional_address, optional_path, optional_time,
    path, seconds_from_zero_to, seconds_up_to, text, whole,
};
use crate::domain::configured::ConfiguredUser;
use crate::domain::{Platform, Time};
use crate::exit::StartupError;
use crate::logging::LogFormat;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;
use toml::Value;

/// Every setting, in the order of `vomeet.toml`.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(Config::keys);

/// One hour in seconds.
const HOUR: i64 = 3600;
/// One day in seconds.
const DAY: i64 = 86_400;
/// Ten years in seconds.
const TEN_YEARS: i64 = 10 * 365 * DAY;
/// One hundred years in days.
const CENTURY_DAYS: i64 = 36_500;
/// One in 60 microseconds.
const PER_MINUTE_MAX: i64 = 1_000_000;
const MIB: i64 = 1024 * 1024;

settings! {
    /// Every setting, checked. Made by [`crate::config::Settings::load`].
    #[derive(Clone)]
    pub struct Config in "" {
        /// Address and port; port 0 is any free one.
        listen: SocketAddr = "127.0.0.1:18056", address;
        /// The database file; its folder must exist.
        database: PathBuf = "vomeet.db", path;
        /// The admin socket: whoever may open it administers without a key; empty is the database
        /// file's name with .sock.
        socket: Option<PathBuf> = "", optional_path;
        /// A group whose members may open the admin socket too; empty is its owner alone.
        socket_group: String = "", text;
        /// Log level: error, warn, info, debug or trace; `warn,access=off` silences parts.
        log: String = "info", text;
        /// Log format: text, or json with an object in each line.
        log_format: LogFormat = "text", log_format;
        /// An address of its own for /metrics, /healthz and /ready, such as "127.0.0.1:9464"; then
        /// `listen` does not serve /metrics. Empty is none.
        metrics_listen: Option<SocketAddr> = "", optional_address;
        /// A file whose first line callers of `metrics_listen` send as a bearer token, for its owner
        /// alone (mode 0600); needed where others than this machine reach that address.
        metrics_token_file: Option<PathBuf> = "", optional_path;
        /// The admin key. One that is easy to guess counts for requests of this machine alone.
        admin_key: String = "token", text,
            named("admin_api_token"), variable("ADMIN_API_TOKEN"), secret();
        /// A file whose first line is the admin key.
        admin_key_file: Option<PathBuf> = "", optional_path,
            named("admin_api_token_file"), variable("ADMIN_API_TOKEN_FILE");
        /// The old admin key, accepted as well until `admin_api_token_old_until`; empty is none.
        old_admin_key: String = "", text,
            named("admin_api_token_old"), variable("ADMIN_API_TOKEN_OLD"), secret();
        /// When the old admin key stops being accepted, such as "2026-12-31T00:00:00Z".
        old_admin_key_until: Option<Time> = "", optional_time,
            named("admin_api_token_old_until"), variable("ADMIN_API_TOKEN_OLD_UNTIL");
        /// Whether the console is served at `/console/`: `true` or `false`.
        console: bool = true, flag;
    }
    groups {
        /// The HTTP server.
        http: Http,
        /// TLS.
        tls: Tls,
        /// The database.
        store: Store,
        /// Backups.
        backup: Backup,
        /// The health check.
        health: Health,
        /// Tokens.
        tokens: Tokens,
        /// Rate limits.
        limits: Limits,
        /// How long data is kept.
        retention: Retention,
        /// Bots.
        bots: Bots,
        /// Words of sound.
        transcription: Transcription,
        /// The live feed.
        live: Live,
        /// The server of the Model Context Protocol.
        mcp: Mcp,
        /// Webhooks.
        webhooks: Webhooks,
    }
    others {
        /// The configured users, which only the file has (`[[users]]`).
        users: Vec<ConfiguredUser>,
        /// The token of `metrics_token_file`; empty is none.
        metrics_token: String,
        /// Each setting with its value and its source, as administrators see them.
        in_force: InForce,
    }
}

settings! {
    /// The HTTP server.
    #[derive(Debug, Clone)]
    pub struct Http in "http" {
        /// Threads that serve requests; 0 is one for each core.
        workers: usize = 0, whole(0..=1024);
        /// Most connections at once.
        connections_max: usize = 8192, whole(1..=1_000_000);
        /// Longest request body in bytes; 16384 at most where a request needs no key.
        body_bytes_max: usize = 65536, whole(1024..=16 * MIB);
        /// Longest wait for the head of a request, in seconds.
        header_time_max: Duration = 10, seconds_up_to(DAY), named("header_seconds_max");
        /// How long a connection may be idle between two requests, in seconds; a proxy in front
        /// must keep its own idle connections for a shorter time.
        idle_time_max: Duration = 75, seconds_up_to(DAY), named("idle_seconds_max");
        /// Longest wait for a request body, in seconds.
        body_time_max: Duration = 10, seconds_up_to(DAY), named("body_seconds_max");
        /// Longest time for a client to take its response, in seconds, from when it first falls
        /// behind; as much again after each 16 KiB a second that it has taken.
        response_time_max: Duration = 30, seconds_up_to(DAY), named("response_seconds_max");
        /// How long a server that was told to stop still accepts requests while /ready responds with
        /// 503, in seconds, for load balancers to take note; 0 is not at all.
        drain_time: Duration = 0, seconds_from_zero_to(HOUR), named("drain_seconds");
        /// Longest wait for open requests when stopping, in seconds.
        stop_time_max: Duration = 10, seconds_up_to(DAY), named("stop_seconds_max");
        /// Host names besides localhost that the server accepts, such as `["vomeet.example.com"]`.
        allowed_hosts: Vec<String> = [], own_hosts;
        /// Origins whose pages may call the API and open its WebSocket, such as `["https://app.example.com"]`; `["*"]` is
        /// all.
        cors: Cors = [], cors, named("cors_origins");
        /// Networks of proxies whose X-Forwarded-For is believed, such as
        /// `["127.0.0.1", "10.0.0.0/8"]`.
        trusted_proxies: Vec<IpNet> = [], networks;
    }
}

settings! {
    /// TLS, for a server without a proxy.
    #[derive(Debug, Clone, Default)]
    pub struct Tls in "tls" {
        /// The certificate in PEM, and behind it those that issued it; empty is no TLS. It is read again when the file
        /// changes.
        cert: Option<PathBuf> = "", optional_path;
        /// The private key of the certificate in PEM, which other users of the machine must not be able to read.
        key: Option<PathBuf> = "", optional_path;
    }
}

settings! {
    /// The database.
    #[derive(Debug, Clone)]
    pub struct Store in "store" {
        /// Most writes that wait; further ones get 503.
        queue_max: usize = 4096, whole(1..=1_000_000);
        /// Most lists and scans at once; further ones wait.
        long_reads_max: u32 = 8, whole(1..=1024);
    }
}

settings! {
    /// The health check: what it warns of.
    #[derive(Debug, Clone, Default)]
    pub struct Health in "health" {
        /// Least free space on the disk of the database, in MiB; 0 is no limit.
        disk_free_mib_min: u64 = 256, whole(0..=1024 * MIB);
        /// Longest WAL, in MiB.
        wal_mib_max: u64 = 256, whole(1..=MIB);
    }
}

settings! {
    /// Tokens.
    #[derive(Debug, Clone)]
    pub struct Tokens in "tokens" {
        /// How often `last_used_at` and usage are written, in seconds.
        last_used_period: Duration = 30, seconds_up_to(DAY), named("last_used_seconds");
    }
}

settings! {
    /// Rate limits.
    #[derive(Debug, Clone, Default)]
    pub struct Limits in "limits" {
        /// Most refused keys from one address in a minute; further requests get 429. 0 is no limit.
        failed_keys_per_minute: u32 = 60, whole(0..=PER_MINUTE_MAX);
        /// Most requests with one token in a minute; further ones get 429. 0 is no limit.
        requests_per_minute_token: u32 = 600, whole(0..=PER_MINUTE_MAX);
        /// Most requests of one user in a minute, with all their tokens; further ones get 429. 0 is
        /// no limit.
        requests_per_minute_user: u32 = 1200, whole(0..=PER_MINUTE_MAX);
    }
}

settings! {
    /// How long data is kept.
    #[derive(Debug, Clone, Default)]
    pub struct Retention in "retention" {
        /// Days after the end of a meeting until its transcript and personal data are deleted; 0 is
        /// never.
        transcripts_days: i64 = 0, whole(0..=CENTURY_DAYS);
        /// Days after its end until a meeting is deleted with all its data; 0 is never.
        meetings_days: i64 = 0, whole(0..=CENTURY_DAYS);
        /// Days after the end of a meeting until the log of its bot is deleted; 0 is never.
        bot_logs_days: i64 = 0, whole(0..=CENTURY_DAYS);
        /// Days until the usage of a day is deleted; 0 is never.
        usage_days: i64 = 0, whole(0..=CENTURY_DAYS);
        /// Days until an entry of the audit log is deleted; 0 is never.
        audit_days: i64 = 0, whole(0..=CENTURY_DAYS);
    }
}

settings! {
    /// Bots: what runs them, and what they are given.
    #[derive(Debug, Clone, Default)]
    pub struct Bots in "bots" {
        /// What runs bots: none, demo (a bot that is built in), process or docker.
        runner: RunnerKind = "none", runner_kind;
        /// The address by which bots reach this server; empty is where it listens.
        callback_url: String = "", http_url;
        /// `WHISPER_LIVE_URL` in the environment of bots; empty is none.
        whisper_live_url: String = "", text;
        /// Platforms that bots are sent to, such as `["google_meet", "zoom", "jitsi", "generic"]`.
        platforms: Vec<Platform> = ["google_meet", "teams"], platforms;
        /// Hosts of Jitsi and of pages of your own that bots may be sent to, such as
        /// `["meet.example.org", "*.example.org"]`.
        hosts: Vec<String> = [], hosts;
        /// The name of a bot in a meeting, where the request gives none.
        name: String = "Vomeet", filled;
        /// Most bots that run at once, those that are leaving too; further ones get 503. 0 is what
        /// fits into 80 % of the memory with the runner docker, and 32 with process.
        running_max: usize = 0, whole(0..=1_000_000);
        /// From the command `leave` to SIGTERM, in seconds, for a bot that listens to the Redis
        /// endpoint; any other one gets SIGTERM at once. 0 is at once for all.
        leave_time: Duration = 30, seconds_from_zero_to(DAY), named("leave_seconds");
        /// From SIGTERM to SIGKILL, in seconds.
        grace: Duration = 10, seconds_up_to(DAY), named("grace_seconds");
    }
    groups {
        /// The transcription service of bots.
        transcription: TranscriptionService,
        /// The Redis endpoint.
        redis: Redis,
        /// How long a meeting may stay in each state.
        state_timeouts: StateTimeouts,
        /// When a bot leaves by itself.
        leave: Leave,
        /// Runner process: one process for each bot.
        process: ProcessBots,
        /// Runner docker: one container for each bot.
        docker: DockerBots,
    }
    others {
        /// From one step of the demo bot to the next; `None` is its own pace. For tests.
        demo_pace: Option<Duration>,
        /// The meeting that demo bots play; `vomeet demo` chooses another than the short one.
        demo_meeting: DemoMeeting,
        /// The admin socket, through which the demo bot reports where the server speaks TLS.
        demo_socket: Option<PathBuf>,
    }
}

settings! {
    /// How long a meeting may stay in each state.
    #[derive(Debug, Clone, Default)]
    pub struct StateTimeouts in "bots" {
        /// Longest wait for the first report of a bot, in seconds; then the meeting has failed.
        requested: Duration = 180, seconds_up_to(TEN_YEARS), named("requested_seconds_max");
        /// Longest time until a bot asks to be admitted, in seconds; then the meeting has failed.
        joining: Duration = 300, seconds_up_to(TEN_YEARS), named("joining_seconds_max");
        /// Longest wait to be admitted, in seconds; then the meeting is over.
        awaiting_admission: Duration = 900, seconds_up_to(TEN_YEARS),
            named("awaiting_admission_seconds_max");
        /// Longest meeting, in seconds; then the bot is stopped.
        active: Duration = 43200, seconds_up_to(TEN_YEARS), named("active_seconds_max");
        /// Longest wait for a bot to stop, in seconds; then it counts as gone.
        stopping: Duration = 60, seconds_up_to(TEN_YEARS), named("stopping_seconds_max");
    }
}

settings! {
    /// When a bot leaves by itself.
    #[derive(Debug, Clone, Default)]
    pub struct Leave in "bots" {
        /// A bot leaves by itself when it is not admitted, in seconds.
        waiting_room: Duration = 300, seconds_up_to(TEN_YEARS), named("waiting_room_seconds");
        /// A bot leaves by itself when nobody joins, in seconds.
        no_one_joined: Duration = 120, seconds_up_to(TEN_YEARS), named("no_one_joined_seconds");
        /// A bot leaves by itself when everybody has left, in seconds.
        everyone_left: Duration = 60, seconds_up_to(TEN_YEARS), named("everyone_left_seconds");
    }
}

settings! {
    /// The live feed.
    #[derive(Debug, Clone, Default)]
    pub struct Live in "live" {
        /// Most live sockets at once; further ones get 503.
        sockets_max: usize = 4096, whole(1..=1_000_000);
        /// Most live sockets of one user at once; further ones get 503.
        sockets_max_user: usize = 1024, whole(1..=1_000_000);
        /// Most messages that wait for a subscriber; one more, and it is closed with 1013.
        queue_max: usize = 256, whole(1..=65_536);
    }
}

settings! {
    /// The server of the Model Context Protocol.
    #[derive(Debug, Clone, Default)]
    pub struct Mcp in "mcp" {
        /// Whether clients of MCP may send and stop bots and change notes, with a token that may;
        /// words in a transcript can instruct the model to do it: `true` or `false`.
        allow_actions: bool = false, flag;
    }
}

settings! {
    /// Webhooks.
    #[derive(Debug, Clone, Default)]
    pub struct Webhooks in "webhooks" {
        /// Private networks that webhooks may reach, such as `["10.0.0.0/8", "::1/128"]`.
        allowed_networks: Vec<IpNet> = [], networks;
        /// From the first attempt to the second, in seconds; the wait triples with each attempt.
        retry: Duration = 5, seconds_up_to(DAY), named("retry_seconds");
        /// How long an event is attempted, in seconds.
        give_up: Duration = 86400, seconds_up_to(TEN_YEARS), named("give_up_seconds");
    }
}

impl Config {
    /// Fills the structs with the value that was found for each of [`KEYS`], and says what is wrong
    /// with those for which the default stands.
    pub(crate) fn from_values(
        found: &[(Value, Source)],
    ) -> Result<(Self, Vec<String>), StartupError> {
        let mut values = Values::new(&KEYS, found);
        let config = Self::read(&mut values)?;
        Ok((config, values.faults))
    }

    /// The folder of sound: as configured, or beside the database.
    pub(crate) fn spool_folder(&self) -> PathBuf {
        if let Some(folder) = &self.transcription.spool_folder {
            return folder.clone();
        }
        let mut path = self.database.clone().into_os_string();
        path.push(".sound");
        path.into()
    }
}
