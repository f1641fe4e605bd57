//! Settings: one struct, each default written once, and where each value came from.

mod bots;
mod configured_users;
mod key;
mod keys;
mod sources;

pub use bots::{Bots, DockerBots, INHERITED, Leave, Live, ProcessBots, RunnerKind, StateTimeouts, Webhooks};
pub use key::Key;
pub use sources::{Environment, Flags};

use crate::domain::Time;
use crate::domain::configured::ConfiguredUser;
use crate::exit::{Code, StartupError};
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use ipnet::IpNet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::Duration;

/// Every setting, in the order of `vomeet.toml`.
pub static KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| keys::SERVER.iter().chain(bots::KEYS).collect());

/// Shortest admin key that is accepted where others can reach the server, in characters.
const ADMIN_KEY_CHARS_MIN: usize = 16;

/// Every setting, checked. Made by [`Settings::load`].
#[derive(Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The database file.
    pub database: PathBuf,
    /// The private socket; see [`Config::socket_path`].
    pub socket: Option<PathBuf>,
    /// A group whose members may open the private socket; empty is none.
    pub socket_group: String,
    /// What is logged, as `env_logger` filters.
    pub log: String,
    /// The key of the admin routes.
    pub admin_key: String,
    /// A file whose first line is the key of the admin routes.
    pub admin_key_file: Option<PathBuf>,
    /// The key before; empty is none.
    pub old_admin_key: String,
    /// Until when the key before is accepted.
    pub old_admin_key_until: Option<Time>,
    /// The HTTP edge.
    pub http: Http,
    /// The database.
    pub store: Store,
    /// Tokens.
    pub tokens: Tokens,
    /// How often callers may fail, and ask.
    pub limits: Limits,
    /// How long what is over is kept.
    pub retention: Retention,
    /// Bots.
    pub bots: Bots,
    /// The live feed.
    pub live: Live,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// The users that the file declares.
    pub users: Vec<ConfiguredUser>,
}

impl Config {
    /// The admin keys of the settings: the present one, and the one before with its end.
    pub fn admin_keys(&self) -> Vec<ConfiguredKey> {
        let present = ConfiguredKey { key: self.admin_key.clone(), until: None };
        let old =
            self.old_admin_key_until.map(|end| ConfiguredKey { key: self.old_admin_key.clone(), until: Some(end) });
        [present].into_iter().chain(old).collect()
    }

    /// Where the private socket is: the configured place, or beside the database.
    pub fn socket_path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| {
            let mut beside = self.database.clone().into_os_string();
            beside.push(".sock");
            beside.into()
        })
    }
}

/// An admin key of the settings.
#[derive(Clone)]
pub struct ConfiguredKey {
    /// The key itself.
    pub key: String,
    /// When it stops being accepted.
    pub until: Option<Time>,
}

/// The HTTP edge.
#[derive(Debug, Clone)]
pub struct Http {
    /// Threads that serve requests; 0 is one for each core, see [`Http::threads`].
    pub workers: usize,
    /// Most connections at once.
    pub connections_max: usize,
    /// Longest body in bytes.
    pub body_bytes_max: usize,
    /// Longest wait for the head of a request; idle connections are closed after it too.
    pub header_time_max: Duration,
    /// Longest wait for a body.
    pub body_time_max: Duration,
    /// Longest time for a peer to take its answer, from when it first falls behind.
    pub response_time_max: Duration,
    /// Longest wait for open requests at the end.
    pub stop_time_max: Duration,
    /// Names that the server answers to besides its own.
    pub allowed_hosts: Vec<String>,
    /// Whose pages may call the API from a browser.
    pub cors: Cors,
    /// Networks of the proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Http {
    /// How many threads serve requests.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    /// Most writes that wait.
    pub queue_max: usize,
    /// Most lists and scans at once.
    pub long_reads_max: u32,
}

/// Tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// How often what is noted of uses is written.
    pub last_used_period: Duration,
}

/// How often callers may fail, and ask; 0 is as often as they like.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Keys that are refused, from one address in a minute.
    pub failed_keys_per_minute: u32,
    /// Requests with one token in a minute.
    pub requests_per_minute_token: u32,
    /// Requests of one user in a minute, with all their tokens together.
    pub requests_per_minute_user: u32,
}

/// How long what is over is kept, in days; 0 is for ever.
#[derive(Debug, Clone, Default)]
pub struct Retention {
    /// What was said in a meeting, and all that is personal about it.
    pub transcripts_days: i64,
    /// A meeting.
    pub meetings_days: i64,
    /// What its bot printed.
    pub bot_logs_days: i64,
    /// What was used on a day.
    pub usage_days: i64,
    /// An entry of the record of administrative changes.
    pub audit_days: i64,
}

/// The origins whose pages may call the API from a browser.
#[derive(Debug, Clone, Default)]
pub struct Cors(pub Vec<String>);

impl Cors {
    /// The value of `Access-Control-Allow-Origin` for a request; `None` where there is nothing to allow.
    pub fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let origin = headers.get(header::ORIGIN)?;
        self.0.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// Where a value came from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is built in.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// `.env` in the working directory, under this name.
    DotEnv(&'static str),
    /// The environment, under this name.
    Environment(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::DotEnv(name) => write!(f, "{name} in .env"),
            Self::Environment(name) => write!(f, "{name} in the environment"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The settings in force, and where each came from.
pub struct Settings {
    /// The values.
    pub config: Config,
    /// For each of [`KEYS`], its value as TOML and its source.
    pub origins: Vec<(toml::Value, Source)>,
}

impl Settings {
    /// Where the value of a key came from.
    pub fn source(&self, name: &str) -> &Source {
        let found = KEYS.iter().position(|key| key.name == name).and_then(|at| self.origins.get(at));
        found.map_or(&Source::Default, |(_, source)| source)
    }

    /// Where the admin key came from, in words that never hold the key.
    pub fn admin_key_source(&self) -> String {
        match (&self.config.admin_key_file, self.source("admin_api_token")) {
            (Some(file), _) => file.display().to_string(),
            (None, Source::Default) => "the built-in default of the guide".to_owned(),
            (None, source) => source.to_string(),
        }
    }

    /// The admin key as a shell writes it without showing it, and what to do first where that is not enough.
    pub fn admin_key_for_shell(&self) -> (String, Option<String>) {
        let variable = || "$ADMIN_API_TOKEN".to_owned();
        match (&self.config.admin_key_file, self.source("admin_api_token")) {
            (Some(file), _) => (format!("$(head -n 1 '{}')", file.display()), None),
            (None, Source::Default) => ("token".to_owned(), None),
            (None, Source::File(path)) => {
                (variable(), Some(format!("put the key of {} into ADMIN_API_TOKEN", path.display())))
            }
            (None, Source::DotEnv(_)) => (variable(), Some("put the key of .env into ADMIN_API_TOKEN".to_owned())),
            (None, _) => (variable(), None),
        }
    }

    /// Why the admin key is too weak for other people's reach, if it is.
    pub fn admin_key_weakness(&self) -> Option<&'static str> {
        weakness(&self.config.admin_key)
    }

    /// Refuses containers that could not reach the server.
    pub fn check_callback_url(&self) -> Result<(), StartupError> {
        let Config { bots, listen, .. } = &self.config;
        let is_reachable = !bots.callback_url.is_empty() || bots.docker.network == "host";
        if bots.runner != RunnerKind::Docker || is_reachable || !listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        let message = format!(
            "Containers do not reach {listen}; set bots.callback_url to an address of this server that they reach, or \
             bots.docker_network to host."
        );
        Err(StartupError::new(Code::Config, message))
    }

    /// Refuses a weak admin key, and a weak one before it, on an address that others can reach.
    pub fn check_admin_key(&self) -> Result<(), StartupError> {
        let listen = self.config.listen;
        if listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        let weak = |key: String, why, remedy: String| {
            let message =
                format!("{key} {why}, and {listen} can be reached by others; {remedy} or listen on 127.0.0.1.");
            Err(StartupError::new(Code::WeakAdminKey, message))
        };
        if let Some(why) = self.admin_key_weakness() {
            let remedy = format!(
                "set ADMIN_API_TOKEN to at least {ADMIN_KEY_CHARS_MIN} random characters (`openssl rand -hex 24` makes \
                 some)"
            );
            return weak(format!("The admin key ({})", self.admin_key_source()), why, remedy);
        }
        match self.config.old_admin_key_until.and_then(|_| weakness(&self.config.old_admin_key)) {
            Some(why) => weak("The old admin key (admin_api_token_old)".to_owned(), why, "leave it out".to_owned()),
            None => Ok(()),
        }
    }
}

fn weakness(key: &str) -> Option<&'static str> {
    const PLACEHOLDERS: [&str; 6] = ["token", "changeme", "secret", "password", "admintoken", "youradmintoken"];
    let plain: String = key.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    if key.is_empty() {
        Some("is empty")
    } else if !plain.is_empty() && PLACEHOLDERS.iter().any(|word| plain.replace(word, "").is_empty()) {
        Some("is a known placeholder")
    } else if key.chars().count() < ADMIN_KEY_CHARS_MIN {
        Some("is short")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::weakness;

    #[test]
    fn weak_keys_are_known() {
        for (key, expected) in [
            ("", Some("is empty")),
            ("token", Some("is a known placeholder")),
            ("Token", Some("is a known placeholder")),
            ("changemechangemechangeme", Some("is a known placeholder")),
            ("change-me-change-me", Some("is a known placeholder")),
            ("!@#$%^&*()!@#$%^&*()", None),
            ("ключключключключ", None),
            ("fifteen-chars-x", Some("is short")),
            ("sixteen-chars-xy", None),
        ] {
            assert_eq!(weakness(key), expected, "{key:?}");
        }
    }
}
