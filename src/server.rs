//! Starts and drains a server: what is applied before it serves, the jobs that run beside it, and
//! the order in which all of it stops.

mod configured_users;
pub mod reload;

pub use configured_users::apply_configured_users;

use crate::api::monitoring::Monitoring;
use crate::api::overview::count_ahead;
use crate::api::planned::keep_joining;
use crate::api::service::Api;
use crate::app::App;
use crate::clock::later;
use crate::config::RedisListen;
use crate::domain::Day;
use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::http::peer::Door;
use crate::http::raw::Services;
use crate::http::serve::{Listeners, serve};
use crate::http::serve_few::serve_few;
use crate::logging::Trouble;
use crate::routes::TABLE;
use crate::store::{ForgetDeliveries, ForgetEndedSecrets, ForgetShares, ForgetUsage, GiveUpHeld};
use crate::transcription::jobs::keep_hearing;
use crate::wire::Endpoint;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long webhook deliveries that have ended are listed, in seconds.
const DELIVERIES_KEPT_SECONDS: i64 = 30 * 86_400;

/// How long the events of a disabled user are held back, in seconds; then they are given up.
const HELD_SECONDS_MAX: i64 = 7 * 86_400;

/// How often resting segments are brought into the word index.
const INDEXING_PERIOD: Duration = Duration::from_secs(2);
/// How long to wait after indexing has failed.
const INDEXING_PAUSE: Duration = Duration::from_secs(10);

/// How often the files of the certificate are looked at.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(2);
/// How long to wait after sound of the last run could not be looked at.
const SOUND_PAUSE: Duration = Duration::from_secs(1);
const DAY_SECONDS: i64 = 86_400;

/// How often the last batch of usage is tried.
const LAST_BATCH_TRIES: u32 = 50;
/// How long to wait between two tries.
const LAST_BATCH_PAUSE: Duration = Duration::from_millis(100);

/// Serves without the jobs that run beside the service, until `shutdown` resolves; then closes the
/// database.
pub async fn run_at_rest(
    app: Arc<App>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> std::result::Result<(), StartupError> {
    let services = Services {
        http: Api::new(Arc::clone(&app), &TABLE),
        redis: Endpoint::new(Arc::clone(&app)),
        redis_shares_port: false,
    };
    serve(Arc::clone(&app.transport), Arc::new(services), listeners, shutdown).await;
    app.backups.stop();
    app.backups.ended().await;
    app.store.close();
    Ok(())
}

/// Serves until `shutdown` resolves or the database fails; then writes what is pending and closes
/// the database.
pub async fn run(
    app: Arc<App>,
    mut listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> std::result::Result<(), StartupError> {
    let services = Services {
        http: Api::new(Arc::clone(&app), &TABLE),
        redis: Endpoint::new(Arc::clone(&app)),
        redis_shares_port: shares_port(&app),
    };
    let mut jobs = Jobs::start(&app);
    if let Some(listener) = listeners.monitoring.take() {
        let api = Arc::new(Api::new(Arc::clone(&app), &TABLE));
        let service = Monitoring::new(Arc::clone(&app), api);
        let transport = Arc::clone(&app.transport);
        jobs.cancellable.push(tokio::spawn(async move {
            serve_few(transport, Arc::new(service), &listener, Door::Monitoring).await;
        }));
    }
    let mut failure = app.store.failure();
    let shutdown_or_failure = async {
        tokio::select! {
            () = drained(&app, shutdown) => {}
            _ = failure.wait_for(Option::is_some) => {}
        }
        app.health.drain();
        app.dispatcher.stop();
        app.backups.stop();
        app.health.stop();
    };
    serve(Arc::clone(&app.transport), Arc::new(services), listeners, shutdown_or_failure).await;
    app.transcription.stopped().await;
    app.bots.stop().await;
    jobs.stop().await;
    app.backups.ended().await;
    app.store.close();
    let Some(cause) = app.store.failure().borrow().clone() else { return Ok(()) };
    let path = app.store.path().display();
    let message = format!(
        "Stopped because the database {path} failed: {cause}; check the disk and start again."
    );
    Err(StartupError::new(Code::StoreFailed, message))
}

/// Whether the port of the API speaks Redis too: never where it speaks TLS.
fn shares_port(app: &App) -> bool {
    app.config.bots.redis.listen == RedisListen::Shared && app.transport.tls.is_none()
}

/// Waits for the shutdown, and then for as long as load balancers may need to take note of it.
async fn drained(app: &App, shutdown: impl Future<Output = ()>) {
    shutdown.await;
    app.health.drain();
    let drain_time = app.transport.rules().limits.drain_time;
    if !drain_time.is_zero() {
        log::info!("draining: requests are accepted for {} s more", drain_time.as_secs());
        app.clock.sleep_until(later(app.clock.now(), drain_time)).await;
    }
}

/// The jobs that run beside the service.
struct Jobs {
    /// Jobs that may be cancelled at any time: the next start does what they have not done.
    cancellable: Vec<JoinHandle<()>>,
    dispatcher: JoinHandle<()>,
    flush: JoinHandle<()>,
    /// Dropping it ends `flush`.
    end_of_flush: oneshot::Sender<()>,
}

impl Jobs {
    fn start(app: &Arc<App>) -> Self {
        let (end_of_flush, ended) = oneshot::channel();
        let retention = app.config.retention.clone();
        let cancellable = vec![
            tokio::spawn(Arc::clone(&app.feed).deliver()),
            tokio::spawn(Arc::clone(&app.erasure).scrub_forever()),
            tokio::spawn(Arc::clone(&app.erasure).finish_forever()),
            tokio::spawn(Arc::clone(&app.erasure).keep_applying_retention(retention)),
            tokio::spawn(keep_indexing(Arc::clone(app))),
            tokio::spawn(recover_sound(Arc::clone(app))),
            tokio::spawn(Arc::clone(&app.uploads).run()),
            tokio::spawn(keep_hearing(Arc::clone(&app.hearing))),
            tokio::spawn(keep_certificate(Arc::clone(app))),
            tokio::spawn(Arc::clone(&app.backups).keep_making()),
            tokio::spawn(Arc::clone(&app.backups).keep_uploading()),
            tokio::spawn(count_ahead(Arc::clone(app))),
            tokio::spawn(keep_joining(Arc::clone(app))),
            tokio::spawn(Arc::clone(&app.bridges).keep_ending(Arc::clone(&app.store))),
            tokio::spawn(
                Arc::clone(&app.alarms).keep_judging(Arc::clone(&app.store), app.clock.clone()),
            ),
        ];
        let dispatcher = Arc::clone(&app.dispatcher).run(Arc::clone(&app.store));
        Self {
            cancellable,
            dispatcher: tokio::spawn(dispatcher),
            flush: tokio::spawn(flush_pending(Arc::clone(app), ended)),
            end_of_flush,
        }
    }

    /// Ends all jobs, once requests and bots have ended. The dispatcher must have been stopped.
    async fn stop(self) {
        for job in self.cancellable {
            job.abort();
        }
        drop(self.end_of_flush);
        // A panic in there was logged; the usage that it had not written is lost.
        let _ = self.flush.await;
        // What it has not delivered is in the database.
        let _ = self.dispatcher.await;
    }
}

/// Looks at the files of the certificate again and again, and warns each day where it ends soon.
async fn keep_certificate(app: Arc<App>) {
    if app.transport.tls.is_none() {
        return;
    }
    let mut warned_at = app.clock.now();
    loop {
        sleep(CERTIFICATE_PERIOD).await;
        let now = app.clock.now();
        let is_warned = now < warned_at.plus_seconds(DAY_SECONDS);
        if !is_warned {
            warned_at = now;
        }
        let looking = tokio::task::spawn_blocking({
            let app = Arc::clone(&app);
            move || {
                let Some(tls) = &app.transport.tls else { return };
                tls.look(now);
                if !is_warned {
                    tls.warn_of_end(now);
                }
            }
        });
        if let Err(error) = looking.await {
            log::error!("the files of the certificate cannot be looked at: {error}");
        }
    }
}

/// Writes pending usage periodically and once at the end, and deletes old deliveries and usage.
async fn flush_pending(app: Arc<App>, mut ended: oneshot::Receiver<()>) {
    let period = app.config.tokens.last_used_period;
    let mut began_at = app.started_at;
    loop {
        // A clock that was set back meanwhile does not lengthen the period.
        let next_at = later(began_at.min(app.clock.now()), period);
        tokio::select! {
            biased;
            _ = &mut ended => break,
            () = app.clock.sleep_until(next_at) => {}
        }
        began_at = app.clock.now();
        if let Err(error) = app.auth.usage().write(&app.store).await {
            log::warn!("usage could not be written: {}", error.store_cause());
        }
        if let Err(error) = delete_old_deliveries(&app).await {
            log::warn!("old deliveries could not be deleted: {}", error.store_cause());
        }
        if let Err(error) = delete_old_shares(&app).await {
            log::warn!("ended share links could not be deleted: {}", error.store_cause());
        }
        if let Err(error) = give_up_held(&app).await {
            log::warn!("events of disabled users cannot be given up: {}", error.store_cause());
        }
        if let Err(error) = forget_ended_secrets(&app).await {
            log::warn!("rotated secrets of webhooks cannot be deleted: {}", error.store_cause());
        }
        if let Err(error) = delete_old_usage(&app).await {
            log::warn!("old usage could not be deleted: {}", error.store_cause());
        }
    }
    write_last_batch(&app).await;
}

/// Writes the usage that is left. The queue may be full of what others write at their end.
async fn write_last_batch(app: &App) {
    for tries_left in (0..LAST_BATCH_TRIES).rev() {
        match app.auth.usage().write(&app.store).await {
            Ok(()) => return,
            Err(Error::Busy) if tries_left > 0 => sleep(LAST_BATCH_PAUSE).await,
            Err(error) => {
                return log::warn!("usage could not be written: {}", error.store_cause());
            }
        }
    }
}

/// Deletes the usage of days that are older than `retention.usage_days`; 0 keeps all.
async fn delete_old_usage(app: &App) -> Result<()> {
    let days = app.config.retention.usage_days;
    if days == 0 {
        return Ok(());
    }
    let now = app.erasure.sweep_time().await?;
    let before = Day::of(now).plus(1 - days);
    let mut is_left = app.store.has_usage_before(before)?;
    while is_left {
        is_left = app.store.write(ForgetUsage { before }).await?;
    }
    Ok(())
}

/// Deletes the share links that have ended.
async fn delete_old_shares(app: &App) -> Result<()> {
    let before = app.erasure.sweep_time().await?;
    let mut is_left = app.store.has_share_before(before)?;
    while is_left {
        is_left = app.store.write(ForgetShares { before }).await?;
    }
    Ok(())
}

/// Gives up the events of users who have been disabled for longer than [`HELD_SECONDS_MAX`].
async fn give_up_held(app: &App) -> Result<()> {
    let now = app.erasure.sweep_time().await?;
    let before = now.plus_seconds(-HELD_SECONDS_MAX);
    let mut is_left = app.store.has_held_event_before(before)?;
    while is_left {
        let error = "the user was disabled for 7 days".to_owned();
        is_left = app.store.write(GiveUpHeld { before, error }).await?;
    }
    Ok(())
}

/// Deletes the secrets of webhooks that were rotated and do not sign any more.
async fn forget_ended_secrets(app: &App) -> Result<()> {
    let now = app.erasure.sweep_time().await?;
    if !app.store.has_ended_secrets(now)? {
        return Ok(());
    }
    app.store.write(ForgetEndedSecrets { now }).await
}

/// Deletes webhook deliveries that have ended [`DELIVERIES_KEPT_SECONDS`] ago; an event may end as
/// late as the dispatcher gives up.
async fn delete_old_deliveries(app: &App) -> Result<()> {
    let tried = i64::try_from(app.dispatcher.gives_up_after().as_secs()).unwrap_or(i64::MAX);
    let kept = tried.saturating_add(DELIVERIES_KEPT_SECONDS);
    let now = app.erasure.sweep_time().await?;
    let end = now.plus_seconds(-kept);
    let ids = app.store.old_deliveries(end).await?;
    if ids.is_empty() {
        return Ok(());
    }
    app.store.write(ForgetDeliveries { ids }).await
}

/// Looks at the sound that the last run left, until that succeeds.
async fn recover_sound(app: Arc<App>) {
    let mut trouble = Trouble::default();
    while let Err(error) = app.transcription.recovered().await {
        let cause = error.store_cause();
        trouble.warn(&format!("sound of the last run cannot be ended yet: {cause}"));
        sleep(SOUND_PAUSE).await;
    }
    trouble.end("sound of the last run is ended");
}

/// Makes drafts final and brings segments into the word index once they rest, those too that a stop or a crash left
/// behind; it never ends by itself. A search finds them also before.
async fn keep_indexing(app: Arc<App>) {
    let mut drafts_trouble = Trouble::default();
    let mut index_trouble = Trouble::default();
    loop {
        let now = app.clock.now();
        match app.store.settle_drafts(now).await {
            Ok(()) => drafts_trouble.end("drafts are made final again"),
            Err(error) => {
                let cause = error.store_cause();
                drafts_trouble.warn(&format!("drafts cannot be made final yet: {cause}"));
            }
        }
        let indexed = app.store.index_resting(now).await;
        let period = match indexed {
            Ok(_) => {
                index_trouble.end("segments are indexed again");
                INDEXING_PERIOD
            }
            Err(error) => {
                let cause = error.store_cause();
                index_trouble.warn(&format!("segments cannot be indexed yet: {cause}"));
                INDEXING_PAUSE
            }
        };
        sleep(period).await;
    }
}
