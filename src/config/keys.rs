//! The table of settings: name, default, meaning, and how a value becomes a field.

use crate::config::bots::{Bots, Live, Webhooks};
use crate::config::key::{
    Key, address, count, days, filled, instant, key, list, networks, per_minute, seconds, set, text,
};
use crate::config::{Config, Cors, Http, Limits, Retention, Store, Tokens};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of the server itself, in the order of `vomeet.toml`.
pub static SERVER: &[Key] = &[
    key("listen", "VOMEET_LISTEN", "\"127.0.0.1:18056\"", "Address and port; port 0 is any free one.", |c, v| {
        set(&mut c.listen, address(v))
    }),
    key("database", "VOMEET_DATABASE", "\"vomeet.db\"", "The database file; its folder must exist.", |c, v| {
        set(&mut c.database, filled(v).map(PathBuf::from))
    }),
    key(
        "socket",
        "VOMEET_SOCKET",
        "\"\"",
        "The private socket: who may open it administers without a key; empty is the database file's name with .sock.",
        |c, v| set(&mut c.socket, text(v).map(|path| (!path.is_empty()).then(|| path.into()))),
    ),
    key(
        "socket_group",
        "VOMEET_SOCKET_GROUP",
        "\"\"",
        "A group whose members may open the private socket too; empty is its owner alone.",
        |c, v| set(&mut c.socket_group, text(v)),
    ),
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
    Key {
        secret: true,
        ..key(
            "admin_api_token_old",
            "ADMIN_API_TOKEN_OLD",
            "\"\"",
            "The admin key before this one, accepted as well for a while; empty is none.",
            |c, v| set(&mut c.old_admin_key, text(v)),
        )
    },
    key(
        "admin_api_token_old_until",
        "ADMIN_API_TOKEN_OLD_UNTIL",
        "\"\"",
        "The end of that while, such as \"2026-12-31T00:00:00Z\".",
        |c, v| set(&mut c.old_admin_key_until, instant(v)),
    ),
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
        "http.trusted_proxies",
        "VOMEET_HTTP_TRUSTED_PROXIES",
        "[]",
        "Networks of proxies whose X-Forwarded-For is believed, such as [\"127.0.0.1\", \"10.0.0.0/8\"].",
        |c, v| set(&mut c.http.trusted_proxies, networks(v)),
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
        "How often last_used_at and what is counted of use are written, in seconds.",
        |c, v| set(&mut c.tokens.last_used_period, seconds(v)),
    ),
    key(
        "limits.failed_keys_per_minute",
        "VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE",
        "60",
        "Most refused keys from one address in a minute; one more is answered 429. 0 is no limit.",
        |c, v| set(&mut c.limits.failed_keys_per_minute, per_minute(v)),
    ),
    key(
        "limits.requests_per_minute_token",
        "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN",
        "0",
        "Most requests with one token in a minute; one more is answered 429. 0 is no limit.",
        |c, v| set(&mut c.limits.requests_per_minute_token, per_minute(v)),
    ),
    key(
        "limits.requests_per_minute_user",
        "VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER",
        "0",
        "Most requests of one user in a minute, with all their tokens; one more is answered 429. 0 is no limit.",
        |c, v| set(&mut c.limits.requests_per_minute_user, per_minute(v)),
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
    key(
        "retention.usage_days",
        "VOMEET_RETENTION_USAGE_DAYS",
        "0",
        "Days until a day's use is forgotten; 0 is never.",
        |c, v| set(&mut c.retention.usage_days, days(v)),
    ),
    key(
        "retention.audit_days",
        "VOMEET_RETENTION_AUDIT_DAYS",
        "0",
        "Days until an entry of the record of changes is removed; 0 is never.",
        |c, v| set(&mut c.retention.audit_days, days(v)),
    ),
];

/// A configuration with nothing in it yet: [`crate::config::KEYS`] has the defaults.
pub fn blank() -> Config {
    let moment = Duration::ZERO;
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database: PathBuf::new(),
        socket: None,
        socket_group: String::new(),
        log: String::new(),
        admin_key: String::new(),
        admin_key_file: None,
        old_admin_key: String::new(),
        old_admin_key_until: None,
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
            trusted_proxies: Vec::new(),
        },
        store: Store { queue_max: 0, long_reads_max: 0 },
        tokens: Tokens { last_used_period: moment },
        limits: Limits::default(),
        retention: Retention::default(),
        bots: Bots::default(),
        live: Live::default(),
        webhooks: Webhooks::default(),
        users: Vec::new(),
    }
}
