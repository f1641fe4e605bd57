//! The whole server at one glance, its settings and its refusals, for callers with an admin key.

use crate::api::general::VERSION;
use crate::app::App;
use crate::auth::{Admin, REFUSALS_MAX, Refusal};
use crate::config::InForce;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::overview::{
    BotCounts, Counted, DatabaseSize, DiskSpace, PastUsage, WaitingEvents, Warning, first_day,
    last_past_day,
};
use crate::domain::{Day, Time, UsageBy, UsageLine, UsagePlace};
use crate::error::Result;
use crate::health::{Code, Finding, SCRAPE_TIME_MAX};
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::UsageFilter;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use utoipa::ToSchema;

/// The server at one glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    /// The time of the server.
    at: Time,
    /// The version of the server.
    version: &'static str,
    /// When the server started.
    started_at: Time,
    /// The bots of all users.
    bots: BotCounts,
    /// The keys that were refused since the start.
    refused_keys: RefusedKeys,
    /// Webhook events that wait.
    webhooks: WaitingEvents,
    /// The disk of the database; null where the system does not say.
    #[schema(required)]
    disk: Option<DiskSpace>,
    /// The files of the database.
    database: DatabaseSize,
    /// Deletions of which something may be left in the files.
    #[schema(minimum = 0, example = 0)]
    erasures_waiting: u64,
    /// What is counted now and then.
    counted: Counted,
    /// What an administrator should look after.
    warnings: Vec<Warning>,
}

/// How many keys were refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedKeys {
    /// Since when they are counted.
    since: Time,
    /// How many in all.
    #[schema(minimum = 0, example = 9)]
    total: u64,
    /// How many for each reason.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"expired": 2, "unknown": 7}))]
    by_code: BTreeMap<&'static str, u64>,
}

/// Gets the server at one glance: bots, meetings, refused and ending keys, webhooks, disk, usage of
/// 30 days, and what to look after.
pub(crate) async fn get_overview(app: Arc<App>, _: Admin, (): ()) -> Result<Json<Overview>> {
    let at = app.clock.now();
    let counted = counted(&app).await?;
    let bots = BotCounts { running: app.bots.running(), ..app.store.open_by_status()? };
    let by_code = app.refusals.by_code();
    let mut overview = Overview {
        at,
        version: VERSION,
        started_at: app.started_at,
        bots,
        refused_keys: RefusedKeys { since: app.started_at, total: by_code.values().sum(), by_code },
        webhooks: app.store.waiting_events()?,
        disk: app.store.disk_space(),
        database: app.store.database_size(),
        erasures_waiting: app.store.erasures_waiting()?,
        counted: Counted::clone(&counted),
        warnings: Vec::new(),
    };
    overview.warnings = warnings(&app, &overview).await;
    Ok(Json(overview))
}

/// What is counted by reading tables. A count that is older than some seconds is given once more,
/// while the next is made behind the caller.
async fn counted(app: &Arc<App>) -> Result<Arc<Counted>> {
    let clock = app.clock.clone();
    let counting = Arc::clone(app);
    app.counted.get(move || clock.instant(), move || count(counting)).await
}

async fn count(app: Arc<App>) -> Result<Counted> {
    let at = app.clock.now();
    let counts = app.store.table_counts(at).await?;
    let mut days = count_past(&app, at).await?;
    let filter = by_day(last_past_day(at).plus(1), Day::of(at));
    days.extend(app.auth.usage_page(&app.store, filter).await?.lines);
    Ok(Counted::new(at, counts, days))
}

fn by_day(from: Day, to: Day) -> UsageFilter {
    UsageFilter {
        from,
        to,
        user_id: None,
        token_id: None,
        by: Some(UsageBy::Day),
        after: UsagePlace::default(),
        limit: None,
    }
}

/// The usage of the past days: that of 30 days takes seconds on a large server.
async fn count_past(app: &App, at: Time) -> Result<Vec<UsageLine>> {
    let kept = lock(&app.past_usage).as_ref().filter(|past| past.holds_at(at)).cloned();
    if let Some(past) = kept {
        return Ok(past.lines);
    }
    let to = last_past_day(at);
    let filter = by_day(first_day(at), to);
    let lines = app.auth.past_usage_page(&app.store, filter).await?.lines;
    *lock(&app.past_usage) = Some(PastUsage { counted_at: at, to, lines: lines.clone() });
    Ok(lines)
}

// A panic while the lock was held leaves a value that is whole.
fn lock(past: &Mutex<Option<PastUsage>>) -> MutexGuard<'_, Option<PastUsage>> {
    past.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the usage of the past days at the start, so that nobody waits for it.
pub(crate) async fn count_ahead(app: Arc<App>) {
    if let Err(error) = count_past(&app, app.clock.now()).await {
        log::warn!("the usage of the past days cannot be counted: {}", error.store_cause());
    }
}

/// What the health check finds, and what an administrator should know besides.
async fn warnings(app: &App, overview: &Overview) -> Vec<Warning> {
    let mut findings = app.health.findings_without_write().await;
    findings.extend(app.health.findings_of_rows(SCRAPE_TIME_MAX).await);
    let mut warnings = Vec::new();
    for Finding { code, message } in findings {
        // Of the keys that end, those of administrators alone are named here.
        if code != Code::KeysEnding {
            let text = format!("{message} {}", code.advice());
            warnings.push(Warning { code: code.word(), text });
        }
    }
    let mut warn = |code, text: String| warnings.push(Warning { code, text });
    let ending = overview.counted.ending_soon;
    if ending.admin_keys > 0 {
        let (keys, days) = (ending.admin_keys, ending.days);
        let text = format!("Admin keys end within {days} days: {keys}. Rotate them in time.");
        warn("admin_key_ending", text);
    }
    if !app.bots.runs_any() {
        let text = "Nothing is configured that runs bots. Set runner in section [bots] of \
                    vomeet.toml.";
        warn("no_runner", text.to_owned());
    }
    warnings
}

/// How many refusals on a page.
#[expect(clippy::cast_possible_wrap, reason = "the list is short")]
type RefusalLimit = BoundedInt<1, { REFUSALS_MAX as i64 }>;

input! {
    /// Query of `GET /admin/refusals`.
    pub(crate) struct ListRefusalsInput {
        query_or(BoundedInt(100)) limit: RefusalLimit,
    }
}

/// The keys that were refused since the start.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusalList {
    #[serde(flatten)]
    counts: RefusedKeys,
    /// The newest of them, newest first; those of one kind from one address are one entry.
    refusals: Vec<Refusal>,
}

/// Lists the keys that were refused since the start, newest first, and counts them by reason.
pub(crate) async fn list_refusals(
    app: Arc<App>,
    _: Admin,
    input: ListRefusalsInput,
) -> Result<Json<RefusalList>> {
    let refused = app.refusals.all();
    let counts =
        RefusedKeys { since: app.started_at, total: refused.total(), by_code: refused.by_code };
    let limit = usize::try_from(input.limit.0).unwrap_or(REFUSALS_MAX);
    let refusals = refused.newest.into_iter().rev().take(limit).collect();
    Ok(Json(RefusalList { counts, refusals }))
}

/// Lists the settings in force, each with its source; secrets are not shown.
pub(crate) async fn list_settings(app: Arc<App>, _: Admin, (): ()) -> Result<Json<InForce>> {
    Ok(Json(app.in_force.load().in_force.clone()))
}
