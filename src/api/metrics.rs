//! `GET /metrics`: gathers what every part counts.

use crate::api::general::VERSION;
use crate::api::guard::Anonymous;
use crate::app::App;
use crate::error::{Error, Result};
use crate::health::{Code, SCRAPE_TIME_MAX, Severity};
use crate::http::Page;
use crate::http::peer::Door;
use crate::metrics::{Family, Format, process, text};
use crate::store::Ending;
use hyper::header::{self, HeaderValue};
use std::sync::Arc;

/// Gets the metrics, in the text format of Prometheus that is asked for. Where they have an address
/// of their own, the network gets them there alone.
pub(crate) async fn get_metrics(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Page> {
    let is_elsewhere = app.config.metrics_listen.is_some();
    if is_elsewhere && caller.door == Door::Api {
        return Err(Error::NoRoute);
    }
    let format = match caller.wants_openmetrics {
        true => Format::OpenMetrics,
        false => Format::Classic,
    };
    let text = text(format, families(&app).await, process::families())?;
    Ok(Page {
        bytes: text.into(),
        content_type: HeaderValue::from_static(format.content_type()),
        headers: vec![(header::VARY, HeaderValue::from_static("Accept"))],
    })
}

async fn families(app: &App) -> Vec<Family> {
    let mut families = app.metrics.families();
    families.extend(of_server(app));
    families.extend(app.store.families());
    families.extend(of_transport(app));
    families.extend(app.transcription.families());
    families.extend(of_live_feed(app));
    families.extend(of_bots(app));
    families.extend(app.alarms.families());
    families.extend(of_redis(app));
    families.extend(of_backups(app));
    families.extend(of_rows(app).await);
    families.extend(of_health(app).await);
    families
}

fn of_server(app: &App) -> Vec<Family> {
    let mut build = Family::gauges("build_info", "Always 1; its label is the version");
    build.add(vec![("version", VERSION.into())], 1);
    let started_at = app.started_at.as_millis() / 1000;
    let about = "When the server started, in seconds since 1970";
    vec![build, Family::gauge("start_time_seconds", about, started_at.max(0).cast_unsigned())]
}

fn of_transport(app: &App) -> Vec<Family> {
    let (budgets, connections) = (&app.transport.budgets, &app.transport.connections);
    let evicted = "Connections closed since the start because another needed their place";
    let refused = "Requests refused since the start because their caller, or all, held too much";
    let (tokens, bytes) = (app.auth.known_tokens() as u64, app.auth.known_bytes() as u64);
    let dropped = "Log lines dropped since the start because standard error is read too slowly";
    vec![
        Family::gauge("http_connections", "Open connections", connections.count() as u64),
        Family::counter("connections_evicted", evicted, connections.evicted()),
        Family::counter("budget_refusals", refused, budgets.refused()),
        Family::gauge("body_bytes", "Bytes of request bodies held", budgets.bodies.used()),
        Family::gauge("response_bytes", "Bytes of responses held", budgets.responses.used()),
        Family::gauge(
            "long_responses",
            "Responses of more than one page",
            budgets.long_responses.used(),
        ),
        Family::gauge(
            "sound_socket_bytes",
            "Bytes that the messages of open sockets for sound may take",
            budgets.sound.used() + budgets.strangers.used(),
        ),
        Family::gauge("tokens_in_memory", "Tokens that are known in memory", tokens),
        Family::gauge("tokens_in_memory_bytes", "What the tokens in memory take", bytes),
        Family::counter("log_lines_dropped", dropped, crate::logging::dropped()),
    ]
}

fn of_live_feed(app: &App) -> Vec<Family> {
    let counted = app.feed.counted();
    vec![
        Family::gauge("live_sockets", "Open live sockets", app.transport.budgets.sockets.used()),
        Family::counter(
            "live_messages_sent",
            "Messages given to live sockets since the start",
            counted.sent,
        ),
        Family::counter(
            "live_messages_dropped",
            "Messages that slow live sockets did not get since the start",
            counted.dropped,
        ),
        Family::counter(
            "live_sockets_dropped",
            "Live sockets closed since the start because they were slow",
            counted.slow,
        ),
    ]
}

fn of_bots(app: &App) -> Vec<Family> {
    let mut by_status =
        Family::gauges("bots", "Meetings that are not over and have a bot, by status");
    for (status, count) in app.bots.by_status() {
        by_status.add(vec![("status", status.into())], count);
    }
    let mut ends = Family::counters(
        "meetings_ended",
        "Meetings that ended since the start, by status and reason; of a failure, its stage",
    );
    for (status, reason, count) in app.bots.ends() {
        ends.add(vec![("status", status.into()), ("reason", reason.into())], count);
    }
    let running = "Bots that run, those that are leaving too";
    vec![Family::gauge("bots_running", running, app.bots.running()), by_status, ends]
}

fn of_redis(app: &App) -> Vec<Family> {
    let about = "Connections that have subscribed to the commands of their bot";
    let mut families = app.redis_counters.families();
    families.push(Family::gauge("redis_subscribers", about, app.bot_commands.count()));
    families
}

/// What is known of the backups in the folder.
fn of_backups(app: &App) -> Vec<Family> {
    let good = app.backups.last_good();
    let took = good.as_ref().and_then(|good| good.took).unwrap_or_default();
    let seconds = took.as_secs() + u64::from(took.subsec_nanos() > 0);
    let at = good.as_ref().map_or(0, |good| (good.at.as_millis() / 1000).cast_unsigned());
    let bytes = good.as_ref().map_or(0, |good| good.bytes);
    let failures = app.backups.failures();
    let mut families = vec![
        Family::gauge(
            "backup_last_success_timestamp_seconds",
            "As of when the last good backup in the folder is, in seconds since 1970; 0 is none",
            at,
        ),
        Family::gauge(
            "backup_seconds",
            "How long the last backup took, rounded up; 0 where it was made before the start",
            seconds,
        ),
        Family::gauge("backup_bytes", "Size of the last good backup in the folder", bytes),
        Family::counter("backup_failures", "Backups that failed since the start", failures),
    ];
    if let Some(uploads) = app.backups.uploads() {
        let known = uploads.known();
        let at = known.last_good_at.map_or(0, |at| (at.as_millis() / 1000).cast_unsigned());
        families.push(Family::gauge(
            "backup_upload_last_success_timestamp_seconds",
            "As of when the newest backup in the store is, in seconds since 1970; 0 is none",
            at,
        ));
        let about = "Uploads of backups that failed since the start";
        families.push(Family::counter("backup_upload_failures", about, known.failures));
    }
    families
}

/// What is counted in the database itself, once in a while. What cannot be read in time is left
/// out: the metrics that say why must come through.
async fn of_rows(app: &App) -> Vec<Family> {
    let mut families = Vec::new();
    if let Some(ending) = app.health.ending(SCRAPE_TIME_MAX).await {
        families.extend(of_ending(app, ending));
    }
    if let Ok(waiting) = app.store.erasures_waiting() {
        let about = "Deletions of which something may be left in the files";
        families.push(Family::gauge("erasures_waiting", about, waiting));
    }
    families
}

fn of_ending(app: &App, ending: Ending) -> [Family; 3] {
    let Ending { tokens, admin_keys, webhooks, oldest_webhook } = ending;
    let mut keys = Family::gauges("keys_ending", "Keys that end within 7 days, by their kind");
    for (kind, count) in [("token", tokens), ("admin_key", admin_keys)] {
        keys.add(vec![("kind", kind.into())], count);
    }
    let mut age = 0;
    if let Some(since) = oldest_webhook {
        age = (app.clock.now().as_millis() - since.as_millis()).max(0) / 1000;
    }
    let about = "Age of the oldest webhook event that waits";
    [
        keys,
        Family::gauge("webhooks_waiting", "Webhook events that wait", webhooks),
        Family::gauge("webhooks_oldest_seconds", about, age.cast_unsigned()),
    ]
}

async fn of_health(app: &App) -> Vec<Family> {
    // A scrape changes nothing, so that it may come as often as it likes.
    let mut findings = app.health.findings_without_write().await;
    findings.extend(app.health.findings_of_rows(SCRAPE_TIME_MAX).await);
    let mut found = Family::gauges("health_finding", "1 for each finding of the health check");
    for code in Code::ALL.iter().filter(|code| !code.is_of_deep_check()) {
        let is_found = findings.iter().any(|finding| finding.code == *code);
        found.add(vec![("code", code.word().into())], u64::from(is_found));
    }
    let is_unready = |code: Code| matches!(code.severity(), Severity::Dead | Severity::NotReady);
    let is_ready = !findings.iter().any(|finding| is_unready(finding.code));
    let about = "Whether /ready responds with 200";
    vec![found, Family::gauge("ready", about, u64::from(is_ready))]
}
