//! The table of settings: name, default, meaning, and how a value becomes a field.

use super::{Bots, Config, Cors, Http, Live, Retention, Store, Tokens, Webhooks};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;

/// One setting.
pub struct Key {
    /// Its name in `vomeet.toml`, with its section.
    pub name: &'static str,
    /// Its name in the environment and in `.env`.
    pub variable: &'static str,
    /// Its default, as TOML.
    pub default: &'static str,
    /// What it is, for `vomeet.toml`.
    pub about: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Puts a value where it belongs, or says what it should be.
    pub set: fn(&mut Config, &Value) -> Result<(), String>,
}

pub(super) const fn key(
    name: &'static str,
    variable: &'static str,
    default: &'static str,
    about: &'static str,
    set: fn(&mut Config, &Value) -> Result<(), String>,
) -> Key {
    Key { name, variable, default, about, secret: false, set }
}

/// The settings of the server itself, in the order of `vomeet.toml`.
pub static SERVER: &[Key] = &[
    key("listen", "VOMEET_LISTEN", "\"127.0.0.1:18056\"", "Address and port; port 0 is any free one.", |c, v| {
        set(&mut c.listen, address(v))
    }),
    key("database", "VOMEET_DATABASE", "\"vomeet.db\"", "The database file; its folder must exist.", |c, v| {
        set(&mut c.database, filled(v).map(PathBuf::from))
    }),
    key(
        "log",
        "VOMEET_LOG",
        "\"info\"",
        "error, warn, info, debug or trace; `warn,access=off` silences parts.",
        |c, v| set(&mut c.log, text(v)),
    ),
    Key {
        secret: true,
        ..key(
            "admin_api_token",
            "ADMIN_API_TOKEN",
            "\"token\"",
            "The admin key. Weak ones work on loopback only.",
            |c, v| set(&mut c.admin_key, text(v)),
        )
    },
    key("admin_api_token_file", "ADMIN_API_TOKEN_FILE", "\"\"", "A file whose first line is the admin key.", |c, v| {
        set(&mut c.admin_key_file, text(v).map(|path| (!path.is_empty()).then(|| path.into())))
    }),
    key("http.workers", "VOMEET_HTTP_WORKERS", "0", "Threads that serve requests; 0 is one for each core.", |c, v| {
        set(&mut c.http.workers, count(v, 0, 1024))
    }),
    key("http.connections_max", "VOMEET_HTTP_CONNECTIONS_MAX", "8192", "Most connections at once.", |c, v| {
        set(&mut c.http.connections_max, count(v, 1, 1_000_000))
    }),
    key("http.body_bytes_max", "VOMEET_HTTP_BODY_BYTES_MAX", "65536", "Longest request body in bytes.", |c, v| {
        set(&mut c.http.body_bytes_max, count(v, 1024, 16 * 1024 * 1024))
    }),
    key(
        "http.header_seconds_max",
        "VOMEET_HTTP_HEADER_SECONDS_MAX",
        "10",
        "Longest wait for a request, in seconds; idle connections end after it.",
        |c, v| set(&mut c.http.header_time_max, seconds(v)),
    ),
    key(
        "http.body_seconds_max",
        "VOMEET_HTTP_BODY_SECONDS_MAX",
        "10",
        "Longest wait for a request body, in seconds.",
        |c, v| set(&mut c.http.body_time_max, seconds(v)),
    ),
    key(
        "http.response_seconds_max",
        "VOMEET_HTTP_RESPONSE_SECONDS_MAX",
        "30",
        "Longest time for a peer to take its answer, in seconds.",
        |c, v| set(&mut c.http.response_time_max, seconds(v)),
    ),
    key(
        "http.stop_seconds_max",
        "VOMEET_HTTP_STOP_SECONDS_MAX",
        "10",
        "Longest wait for open requests when stopping, in seconds.",
        |c, v| set(&mut c.http.stop_time_max, seconds(v)),
    ),
    key(
        "http.allowed_hosts",
        "VOMEET_HTTP_ALLOWED_HOSTS",
        "[]",
        "Names besides localhost that the server answers to, such as [\"vomeet.example.com\"].",
        |c, v| set(&mut c.http.allowed_hosts, list(v)),
    ),
    key(
        "http.cors_origins",
        "VOMEET_HTTP_CORS_ORIGINS",
        "[]",
        "Origins whose pages may call the API, such as [\"https://app.example.com\"]; [\"*\"] is all.",
        |c, v| set(&mut c.http.cors, list(v).map(Cors)),
    ),
    key(
        "store.queue_max",
        "VOMEET_STORE_QUEUE_MAX",
        "4096",
        "Most writes that wait; one more is answered 503.",
        |c, v| set(&mut c.store.queue_max, count(v, 1, 1_000_000)),
    ),
    key(
        "store.long_reads_max",
        "VOMEET_STORE_LONG_READS_MAX",
        "8",
        "Most lists and scans at once; more wait.",
        |c, v| set(&mut c.store.long_reads_max, count(v, 1, 1024)),
    ),
    key(
        "tokens.last_used_seconds",
        "VOMEET_TOKENS_LAST_USED_SECONDS",
        "30",
        "How often last_used_at is written, in seconds.",
        |c, v| set(&mut c.tokens.last_used_period, seconds(v)),
    ),
    key(
        "retention.transcripts_days",
        "VOMEET_RETENTION_TRANSCRIPTS_DAYS",
        "0",
        "Days after its end until a meeting loses its words and all that is personal; 0 is never.",
        |c, v| set(&mut c.retention.transcripts_days, days(v)),
    ),
    key(
        "retention.meetings_days",
        "VOMEET_RETENTION_MEETINGS_DAYS",
        "0",
        "Days after its end until a meeting is deleted whole; 0 is never.",
        |c, v| set(&mut c.retention.meetings_days, days(v)),
    ),
    key(
        "retention.bot_logs_days",
        "VOMEET_RETENTION_BOT_LOGS_DAYS",
        "0",
        "Days after a meeting's end until what its bot printed is deleted; 0 is never.",
        |c, v| set(&mut c.retention.bot_logs_days, days(v)),
    ),
];

/// A configuration with nothing in it yet: [`super::KEYS`] has the defaults.
pub fn blank() -> Config {
    let moment = Duration::ZERO;
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database: PathBuf::new(),
        log: String::new(),
        admin_key: String::new(),
        admin_key_file: None,
        http: Http {
            workers: 0,
            connections_max: 0,
            body_bytes_max: 0,
            header_time_max: moment,
            body_time_max: moment,
            response_time_max: moment,
            stop_time_max: moment,
            allowed_hosts: Vec::new(),
            cors: Cors::default(),
        },
        store: Store { queue_max: 0, long_reads_max: 0 },
        tokens: Tokens { last_used_period: moment },
        retention: Retention::default(),
        bots: Bots::default(),
        live: Live::default(),
        webhooks: Webhooks::default(),
        users: Vec::new(),
    }
}

pub(super) fn set<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "should be text in quotes".to_owned())
}

pub(super) fn filled(value: &Value) -> Result<String, String> {
    text(value).and_then(|text| if text.is_empty() { Err("should not be empty".to_owned()) } else { Ok(text) })
}

fn address(value: &Value) -> Result<SocketAddr, String> {
    let text = text(value)?;
    let numeric = text.replacen("localhost", "127.0.0.1", 1);
    numeric.parse().map_err(|_| format!("should be ADDRESS:PORT such as 127.0.0.1:18056, not {text:?}"))
}

pub(super) fn count<T: TryFrom<i64>>(value: &Value, min: i64, max: i64) -> Result<T, String> {
    let wrong = || format!("should be a whole number from {min} to {max}");
    let number = value.as_integer().filter(|number| (min..=max).contains(number)).ok_or_else(wrong)?;
    T::try_from(number).map_err(|_| wrong())
}

pub(super) fn seconds(value: &Value) -> Result<Duration, String> {
    count(value, 1, 86_400).map(Duration::from_secs)
}

fn days(value: &Value) -> Result<i64, String> {
    count(value, 0, 36_500)
}

pub(super) fn list(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || "should be a list of texts such as [\"one\", \"two\"]".to_owned();
    value.as_array().ok_or_else(wrong)?.iter().map(|item| text(item).map_err(|_| wrong())).collect()
}
