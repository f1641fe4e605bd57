//! A server from its start to its end: what is applied before it serves, the jobs that run beside it, and the order in which
//! all of it stops.

use crate::api::service::Api;
use crate::app::App;
use crate::auth::actor;
use crate::clock::later;
use crate::domain::Day;
use crate::error::Error;
use crate::exit::{Code, StartupError};
use crate::http::serve::{Listeners, serve};
use crate::routes::TABLE;
use crate::store::{ApplyConfiguredUsers, ConfiguredChanges, ForgetDeliveries, ForgetUsage, TokenTaken};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How long events that are over can be looked at, in seconds.
const DELIVERIES_KEPT_SECONDS: i64 = 30 * 86_400;

/// How often the segments are looked through that are not in the word index yet.
const INDEXING_PERIOD: Duration = Duration::from_secs(2);
/// How long the next look waits after one that failed.
const INDEXING_PAUSE: Duration = Duration::from_secs(10);

/// How often the last batch of usage is tried.
const LAST_BATCH_TRIES: u32 = 50;
/// And how long after each other.
const LAST_BATCH_PAUSE: Duration = Duration::from_millis(100);

/// Makes users and tokens what the settings say; call it before anybody is served. Where it fails, all is closed.
pub async fn apply_configured_users(app: &App) -> Result<(), StartupError> {
    let applied = write_configured_users(app).await;
    if applied.is_err() {
        app.bots.stop().await;
        app.store.close();
    }
    applied
}

async fn write_configured_users(app: &App) -> Result<(), StartupError> {
    let cannot = |error: Error| {
        let cause = error.cause().unwrap_or("the disk is full or busy");
        StartupError::new(
            Code::DatabaseUnusable,
            format!("Cannot write what [[users]] declare ({cause}); see to it and start again."),
        )
    };
    let users = app.config.users.clone();
    if users.is_empty() && !app.store.has_configured_users().map_err(cannot)? {
        return Ok(());
    }
    let actor = actor("file".to_owned(), None, app.clock.now()).map_err(cannot)?;
    match app.store.write(ApplyConfiguredUsers { users, actor }).await.map_err(cannot)? {
        Ok(declared) => {
            report(&declared);
            Ok(())
        }
        Err(TokenTaken { email, hint }) => {
            let email = email.as_str();
            let message = format!("[[users]] {email}: token {hint} is another user's; take it out and start again.");
            Err(StartupError::new(Code::Config, message))
        }
    }
}

/// Says what the settings have changed.
fn report(ConfiguredChanges { created, changed, added, revoked, ended }: &ConfiguredChanges) {
    if created + changed + added + revoked > 0 {
        log::info!("[[users]]: {created} users created, {changed} changed, {added} tokens added, {revoked} revoked");
    }
    for hint in ended {
        log::warn!("[[users]]: token {hint} was revoked and stays so; take it out");
    }
}

/// Serves until `shutdown` ends or the database fails, then writes what is left and closes the file.
pub async fn run(app: Arc<App>, listeners: Listeners, shutdown: impl Future<Output = ()>) -> Result<(), StartupError> {
    let (end_of_service, ended) = oneshot::channel();
    let flush = tokio::spawn(flush_pending(Arc::clone(&app), ended));
    let dispatcher = tokio::spawn(Arc::clone(&app.dispatcher).run(Arc::clone(&app.store)));
    let delivery = tokio::spawn(Arc::clone(&app.feed).deliver());
    let scrubber = tokio::spawn(Arc::clone(&app.erasure).scrub_forever());
    let retention = tokio::spawn(Arc::clone(&app.erasure).keep_applying_retention(app.config.retention.clone()));
    let indexing = tokio::spawn(keep_indexing(Arc::clone(&app)));
    let mut failure = app.store.failure();
    let shutdown_or_failure = async {
        tokio::select! {
            () = shutdown => {}
            _ = failure.wait_for(Option::is_some) => {}
        }
        app.dispatcher.stop();
    };
    let api = Arc::new(Api::new(Arc::clone(&app), &TABLE));
    serve(Arc::clone(&app.transport), api, listeners, shutdown_or_failure).await;
    app.bots.stop().await;
    delivery.abort();
    // What they have not done, the next start does.
    scrubber.abort();
    retention.abort();
    indexing.abort();
    drop(end_of_service);
    // A panic in there was logged; what it had noted is lost.
    let _ = flush.await;
    // What it has not delivered is in the file.
    let _ = dispatcher.await;
    app.store.close();
    match &*app.store.failure().borrow() {
        None => Ok(()),
        Some(cause) => Err(StartupError::new(
            Code::StoreFailed,
            format!(
                "Stopped because the database {} failed: {cause}; check the disk and start again.",
                app.store.path().display()
            ),
        )),
    }
}

/// Writes now and then, and once at the end, what is only noted in memory.
async fn flush_pending(app: Arc<App>, mut ended: oneshot::Receiver<()>) {
    let period = app.config.tokens.last_used_period;
    let mut next_at = later(app.started_at, period);
    loop {
        tokio::select! {
            biased;
            _ = &mut ended => break,
            () = app.clock.sleep_until(next_at) => {}
        }
        next_at = later(app.clock.now(), period);
        if let Err(error) = app.auth.usage().write(&app.store).await {
            warn_unwritten(&error);
        }
        forget_deliveries(&app).await;
        forget_usage(&app).await;
    }
    write_last_batch(&app).await;
}

/// Writes what is left, after which nobody writes it any more; the queue may be full of what others write at their end.
async fn write_last_batch(app: &App) {
    for tries_left in (0..LAST_BATCH_TRIES).rev() {
        match app.auth.usage().write(&app.store).await {
            Ok(()) => return,
            Err(Error::Busy) if tries_left > 0 => sleep(LAST_BATCH_PAUSE).await,
            Err(error) => return warn_unwritten(&error),
        }
    }
}

fn warn_unwritten(error: &Error) {
    let cause = error.cause().unwrap_or("the disk is full or busy");
    log::warn!("what was used could not be written: {cause}");
}

/// Forgets the use of days that are as old as the settings say.
async fn forget_usage(app: &App) {
    let days = app.config.retention.usage_days;
    if days == 0 {
        return;
    }
    let before = Day::of(app.clock.now()).plus(1 - days);
    let forget = async {
        let mut is_left = app.store.has_usage_before(before)?;
        while is_left {
            is_left = app.store.write(ForgetUsage { before }).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = forget.await {
        log::warn!("old use stays: {}", error.cause().unwrap_or("the disk is full or busy"));
    }
}

/// Forgets events that have been over for a while: that long ago, and as long as they may have been tried.
async fn forget_deliveries(app: &App) {
    let tried = i64::try_from(app.dispatcher.gives_up_after().as_secs()).unwrap_or(i64::MAX);
    let kept = tried.saturating_add(DELIVERIES_KEPT_SECONDS);
    let end = app.clock.now().plus_seconds(-kept);
    let forget = async {
        let ids = app.store.old_deliveries(end).await?;
        if ids.is_empty() { Ok(()) } else { app.store.write(ForgetDeliveries { ids }).await }
    };
    if let Err(error) = forget.await {
        log::warn!("old deliveries stay: {}", error.cause().unwrap_or("the disk is full or busy"));
    }
}

/// Brings segments into the word index once they rest, those too that a stop or a crash left behind; it never ends by
/// itself. They are found all the same.
async fn keep_indexing(app: Arc<App>) {
    loop {
        let indexed = app.store.index_resting(app.clock.now()).await;
        let period = match indexed {
            Ok(_) => INDEXING_PERIOD,
            Err(error) => {
                let cause = error.cause().unwrap_or("the disk is full or busy");
                log::warn!("segments cannot enter the word index yet: {cause}");
                INDEXING_PAUSE
            }
        };
        sleep(period).await;
    }
}
