//! What every request may reach; built once.

use crate::auth::{Auth, Failures, Quotas, Verdicts, actor};
use crate::clock;
use crate::config::{Bots, Config};
use crate::courier::Courier;
use crate::domain::{Day, Time};
use crate::eraser::Eraser;
use crate::error::Error;
use crate::exit::{Code, Exit};
use crate::feed::Feed;
use crate::http::connections::Connections;
use crate::http::edge::Hosts;
use crate::http::handshake::Sockets;
use crate::http::serve::{Listeners, serve};
use crate::metrics::Metrics;
use crate::retention;
use crate::runner::{Roster, Supervisor};
use crate::store::{Change, DeclareUsers, Declared, ForgetDeliveries, ForgetUsage, Options, Store, TokenTaken};
use hyper::header::HeaderValue;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long events that are over can be looked at, in seconds.
const DELIVERIES_KEPT_SECONDS: i64 = 30 * 86_400;

/// How often the last batch of what was used is tried.
const LAST_BATCH_TRIES: u32 = 50;
/// And how long after each other.
const LAST_BATCH_PAUSE: Duration = Duration::from_millis(100);

/// The server without its socket.
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// The database.
    pub store: Arc<Store>,
    /// What sends bots, and keeps their meetings.
    pub bots: Arc<Supervisor>,
    /// Who is calling.
    pub auth: Auth,
    /// The keys that were refused, by address.
    pub failures: Failures,
    /// The requests of those who were let in.
    pub quotas: Quotas,
    /// Who brings events to the users' webhooks.
    pub courier: Arc<Courier>,
    /// Who wipes what was removed.
    pub eraser: Arc<Eraser>,
    /// The names that the server answers to.
    pub hosts: Hosts,
    /// Who is connected.
    pub connections: Arc<Connections>,
    /// Who watches which meeting.
    pub feed: Arc<Feed>,
    /// The open live sockets.
    pub sockets: Sockets,
    /// What is counted.
    pub metrics: Metrics,
    /// Names for requests.
    pub request_ids: RequestIds,
    /// Where the server listens.
    pub address: SocketAddr,
    /// Since when.
    pub started_at: Time,
}

impl App {
    /// Opens the database for a server that listens on `address`; call it in a runtime.
    pub fn open(config: Config, address: SocketAddr) -> Result<Arc<Self>, Exit> {
        Self::build(config, address, Supervisor::start)
    }

    /// Opens the database where no server runs, for a command: it takes up no bots, and nobody delivers events. Call it
    /// in a runtime, and [`Store::close`] at the end.
    pub fn open_at_rest(config: Config) -> Result<Arc<Self>, Exit> {
        let address = config.listen;
        Self::build(config, address, Supervisor::at_rest)
    }

    fn build(
        config: Config,
        address: SocketAddr,
        supervisor: fn(Arc<Store>, Arc<Roster>, &Bots) -> Arc<Supervisor>,
    ) -> Result<Arc<Self>, Exit> {
        let verdicts = Arc::new(Verdicts::default());
        let options = Options {
            path: config.database.clone(),
            small_readers: u32::try_from(config.http.threads()).unwrap_or(u32::MAX),
            long_readers: config.store.long_reads_max,
            queue_max: config.store.queue_max,
        };
        let hearers = Hearers {
            verdicts: Arc::clone(&verdicts),
            feed: Arc::new(Feed::new(config.live.queue_max)),
            roster: Arc::new(Roster::default()),
            courier: Courier::new(&config.webhooks),
        };
        let (feed, roster, courier) =
            (Arc::clone(&hearers.feed), Arc::clone(&hearers.roster), Arc::clone(&hearers.courier));
        let store = Arc::new(Store::open(&options, move |change| hearers.hear(change))?);
        Ok(Arc::new(Self {
            bots: supervisor(Arc::clone(&store), roster, &config.bots),
            store,
            courier,
            eraser: Arc::default(),
            auth: Auth::new(&config.admin_keys(), verdicts),
            failures: Failures::new(config.limits.failed_keys_per_minute),
            quotas: Quotas::new(config.limits.requests_per_minute_token, config.limits.requests_per_minute_user),
            hosts: Hosts::new(&config.http, address),
            connections: Connections::new(config.http.clone()),
            feed,
            sockets: Sockets::new(config.live.sockets_max),
            metrics: Metrics::new(),
            request_ids: RequestIds::new(),
            address,
            started_at: clock::now(),
            config,
        }))
    }
}

/// Whoever keeps something in memory of what is in the file, or waits for it.
struct Hearers {
    verdicts: Arc<Verdicts>,
    feed: Arc<Feed>,
    roster: Arc<Roster>,
    courier: Arc<Courier>,
}

impl Hearers {
    /// On the writer's thread. The verdicts first: a watcher looks at them after it has joined the feed, so one of the two
    /// shuts it out.
    fn hear(&self, change: &Change) {
        self.verdicts.hear(change);
        self.feed.hear(change);
        self.roster.hear(change);
        self.courier.hear(change);
    }
}

impl App {
    /// The address by which bots reach this server: the configured one, or where it listens.
    pub fn url_for_bots(&self) -> String {
        let (configured, mut address) = (&self.config.bots.callback_url, self.address);
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        if configured.is_empty() { format!("http://{address}") } else { configured.clone() }
    }
}

impl App {
    /// Makes users and tokens what the settings declare; call it before anybody is served. Where it fails, all is closed.
    pub async fn declare_users(&self) -> Result<(), Exit> {
        let declared = self.write_declared().await;
        if declared.is_err() {
            self.bots.stop().await;
            self.store.close();
        }
        declared
    }

    async fn write_declared(&self) -> Result<(), Exit> {
        let cannot = |error: Error| {
            let cause = error.cause().unwrap_or("the disk is full or busy");
            Exit::new(
                Code::DatabaseUnusable,
                format!("Cannot write what [[users]] declare ({cause}); see to it and start again."),
            )
        };
        let users = self.config.users.clone();
        if users.is_empty() && !self.store.has_declared().map_err(cannot)? {
            return Ok(());
        }
        let actor = actor("file".to_owned(), None, clock::now()).map_err(cannot)?;
        match self.store.write(DeclareUsers { users, actor }).await.map_err(cannot)? {
            Ok(declared) => {
                report(&declared);
                Ok(())
            }
            Err(TokenTaken { email, hint }) => {
                let email = email.as_str();
                let sentence =
                    format!("[[users]] {email}: token {hint} is another user's; take it out and start again.");
                Err(Exit::new(Code::Config, sentence))
            }
        }
    }
}

/// Says what the settings have changed.
fn report(Declared { created, changed, added, revoked, ended }: &Declared) {
    if created + changed + added + revoked > 0 {
        log::info!("[[users]]: {created} users created, {changed} changed, {added} tokens added, {revoked} revoked");
    }
    for hint in ended {
        log::warn!("[[users]]: token {hint} was revoked and stays so; take it out");
    }
}

/// Serves until `shutdown` ends or the database fails, then writes what is left and closes the file.
pub async fn run(app: Arc<App>, listeners: Listeners, shutdown: impl Future<Output = ()>) -> Result<(), Exit> {
    let (end_of_service, ended) = oneshot::channel();
    let books = tokio::spawn(keep_books(Arc::clone(&app), ended));
    let courier = tokio::spawn(Arc::clone(&app.courier).run(Arc::clone(&app.store)));
    let delivery = tokio::spawn(Arc::clone(&app.feed).deliver());
    let eraser = tokio::spawn(Arc::clone(&app.eraser).run(Arc::clone(&app.store)));
    let retention = tokio::spawn(retention::keep(Arc::clone(&app)));
    let mut failure = app.store.failure();
    let shutdown_or_failure = async {
        tokio::select! {
            () = shutdown => {}
            _ = failure.wait_for(Option::is_some) => {}
        }
        app.courier.stop();
    };
    serve(Arc::clone(&app), listeners, shutdown_or_failure).await;
    app.bots.stop().await;
    delivery.abort();
    // What they have not done, the next start does.
    eraser.abort();
    retention.abort();
    drop(end_of_service);
    // A panic in there was logged; what it had noted is lost.
    let _ = books.await;
    // What it has not delivered is in the file.
    let _ = courier.await;
    app.store.close();
    match &*app.store.failure().borrow() {
        None => Ok(()),
        Some(cause) => Err(Exit::new(
            Code::StoreFailed,
            format!(
                "Stopped because the database {} failed: {cause}; check the disk and start again.",
                app.store.path().display()
            ),
        )),
    }
}

/// Writes now and then, and once at the end, what is only noted in memory.
async fn keep_books(app: Arc<App>, mut ended: oneshot::Receiver<()>) {
    while tokio::time::timeout(app.config.tokens.last_used_period, &mut ended).await.is_err() {
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
            Err(Error::Busy) if tries_left > 0 => tokio::time::sleep(LAST_BATCH_PAUSE).await,
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
    let before = Day::of(clock::now()).plus(1 - days);
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
    let tried = i64::try_from(app.courier.gives_up_after().as_secs()).unwrap_or(i64::MAX);
    let kept = tried.saturating_add(DELIVERIES_KEPT_SECONDS);
    let end = clock::now().plus_seconds(-kept);
    let forget = async {
        let ids = app.store.old_deliveries(end).await?;
        if ids.is_empty() { Ok(()) } else { app.store.write(ForgetDeliveries { ids }).await }
    };
    if let Err(error) = forget.await {
        log::warn!("old deliveries stay: {}", error.cause().unwrap_or("the disk is full or busy"));
    }
}

/// Makes ids for requests that bring none: unique in one run, and not the same in the next.
pub struct RequestIds {
    start: u64,
    made: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        Self { start: getrandom::u64().unwrap_or_default(), made: AtomicU64::new(0) }
    }

    /// The next id: 16 hexadecimal digits.
    pub fn next(&self) -> HeaderValue {
        // Multiplying by an odd number permutes the 64-bit numbers, so no id comes twice.
        let number = self.made.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = self.start.wrapping_add(number);
        let digit = |place: usize| b"0123456789abcdef"[usize::from((id >> (4 * place)).to_le_bytes()[0] % 16)];
        let digits: [u8; 16] = std::array::from_fn(digit);
        HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("-"))
    }
}
