//! The parts of a server, and how they are built.

use crate::auth::{Auth, FailedAuthLimiter, Refusals, RequestLimiter, TokenCache};
use crate::backups::Backups;
use crate::bots::{Supervisor, WatchRegistry};
use crate::clock::Clock;
use crate::config::{Bots, Config};
use crate::domain::Time;
use crate::domain::overview::{Counted, PastUsage};
use crate::erasure::Erasure;
use crate::error::Result;
use crate::exit::{Code, StartupError};
use crate::feed::Feed;
use crate::health::{HealthCheck, Parts, Phase};
use crate::http::tls::Tls;
use crate::http::transport::Transport;
use crate::kept::Kept;
use crate::metrics::{Metrics, RouteLabel};
use crate::store::{Change, Options, Recorder, Store};
use crate::webhooks::Dispatcher;
use arc_swap::ArcSwap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

/// What the parts need of the table of routes. The table names them, so they cannot name it.
#[derive(Clone, Copy)]
pub struct TableInfo {
    /// The labels of the rows in the metrics.
    pub labels: fn() -> Vec<RouteLabel>,
    /// The OpenAPI document.
    pub document: fn() -> Result<&'static str>,
}

/// How the supervisor of bots is made: started, or at rest.
type StartSupervisor = fn(Arc<Store>, Arc<WatchRegistry>, &Bots, Clock) -> Arc<Supervisor>;

/// What every request may reach.
pub struct App {
    /// The clock of stored times, expiry and limits.
    pub clock: Clock,
    /// The configuration at the start. What may change since then is asked of its part.
    pub config: Config,
    /// The configuration in force, which is another one once it was read again.
    pub(crate) in_force: ArcSwap<Config>,
    /// What the parts need of the table of routes.
    pub table: TableInfo,
    /// The database.
    pub store: Arc<Store>,
    /// Starts and stops bots, and supervises their meetings.
    pub bots: Arc<Supervisor>,
    /// Authentication, and every read of tokens.
    pub auth: Auth,
    /// Limits refused keys by address.
    pub failed_auth_limiter: FailedAuthLimiter,
    /// Limits the requests of tokens and users.
    pub request_limiter: RequestLimiter,
    /// The keys that were refused.
    pub(crate) refusals: Refusals,
    /// What an overview counts by reading tables.
    pub(crate) counted: Arc<Kept<Counted>>,
    /// The usage of past days, as an overview counts it.
    pub(crate) past_usage: Mutex<Option<PastUsage>>,
    /// Delivers events to the users' webhooks.
    pub dispatcher: Arc<Dispatcher>,
    /// Makes backups of the database.
    pub(crate) backups: Arc<Backups>,
    /// Every deletion.
    pub erasure: Arc<Erasure>,
    /// Committed changes to live subscribers.
    pub feed: Arc<Feed>,
    /// The health check.
    pub health: Arc<HealthCheck>,
    /// The HTTP side.
    pub transport: Arc<Transport>,
    /// The metrics of requests.
    pub metrics: Arc<Metrics>,
    /// When the server started.
    pub started_at: Time,
}

impl App {
    /// Opens the database for a server that listens on `address`; call it in a runtime. Tests give
    /// a recorder of what is written.
    pub fn open(
        mut config: Config,
        address: SocketAddr,
        clock: Clock,
        table: TableInfo,
        recorder: Option<Recorder>,
    ) -> std::result::Result<Arc<Self>, StartupError> {
        let mut tls = None;
        if let Some(files) = config.tls.files() {
            tls = Some(Tls::open(files, clock.now())?);
            config.bots.demo_socket = Some(config.socket_path());
        }
        let listening = Listening { address, tls };
        Self::build(config, listening, clock, table, recorder, (Supervisor::start, Phase::Serving))
    }

    /// Opens the database for a command, where no server runs: bots are not taken up, and events
    /// are not delivered. Call it in a runtime, and [`Store::close`] at the end.
    pub fn open_at_rest(
        config: Config,
        clock: Clock,
        table: TableInfo,
    ) -> std::result::Result<Arc<Self>, StartupError> {
        let listening = Listening { address: config.listen, tls: None };
        Self::build(config, listening, clock, table, None, (Supervisor::at_rest, Phase::AtRest))
    }

    fn build(
        config: Config,
        listening: Listening,
        clock: Clock,
        table: TableInfo,
        recorder: Option<Recorder>,
        (supervisor, phase): (StartSupervisor, Phase),
    ) -> std::result::Result<Arc<Self>, StartupError> {
        let token_cache = Arc::new(TokenCache::default());
        let feed = Arc::new(Feed::new(config.live.queue_max));
        let watch_registry = Arc::new(WatchRegistry::default());
        let dispatcher = Dispatcher::new(&config.webhooks, clock.clone());
        let subscribers = Subscribers {
            token_cache: Arc::clone(&token_cache),
            feed: Arc::clone(&feed),
            watch_registry: Arc::clone(&watch_registry),
            dispatcher: Arc::clone(&dispatcher),
        };
        let options = store_options(&config);
        let publish = move |change: &Change| subscribers.on_change(change);
        let store = Store::open_recorded(&options, recorder, publish)?;
        let store = Arc::new(store);
        let bots = supervisor(Arc::clone(&store), watch_registry, &config.bots, clock.clone());
        let backups = Arc::new(Backups::new(Arc::clone(&store), &config.backup, clock.clone()));
        let erasure = Erasure::new(Arc::clone(&store), Arc::clone(&bots), clock.clone());
        let metrics = Arc::new(Metrics::new((table.labels)()));
        let Listening { address, tls } = listening;
        let transport = Transport::new(&config, address, tls, Arc::clone(&metrics));
        let has_foreign_keys = store.has_foreign_keys().map_err(|error| {
            let message = format!("Cannot read the tokens ({}).", error.store_cause());
            StartupError::new(Code::DatabaseUnusable, message)
        })?;
        let parts = Parts {
            store: Arc::clone(&store),
            bots: Arc::clone(&bots),
            backups: Arc::clone(&backups),
            clock: clock.clone(),
            limits: config.health.clone(),
            has_weak_key: (phase == Phase::Serving && config.has_weak_admin_key()).into(),
        };
        let health = HealthCheck::new(parts, phase);
        let auth = Auth::new(&config.admin_keys(), token_cache, has_foreign_keys);
        let limits = &config.limits;
        let failed_auth_limiter = FailedAuthLimiter::new(limits.failed_keys_per_minute);
        let request_limiter =
            RequestLimiter::new(limits.requests_per_minute_token, limits.requests_per_minute_user);
        Ok(Arc::new(Self {
            started_at: clock.now(),
            clock,
            in_force: ArcSwap::from_pointee(config.clone()),
            config,
            table,
            store,
            bots,
            auth,
            failed_auth_limiter,
            request_limiter,
            refusals: Refusals::default(),
            counted: Arc::default(),
            past_usage: Mutex::default(),
            dispatcher,
            backups,
            erasure: Arc::new(erasure),
            feed,
            health,
            transport: Arc::new(transport),
            metrics,
        }))
    }

    /// Puts settings in force that were read again; those that need a restart are as they were.
    pub(crate) fn put_in_force(&self, config: &Config) {
        self.in_force.store(Arc::new(config.clone()));
        self.transport.set_rules(config);
        self.auth.set_configured_keys(&config.admin_keys());
        self.health.set_has_weak_key(config.has_weak_admin_key());
        let limits = &config.limits;
        self.failed_auth_limiter.set(limits.failed_keys_per_minute);
        self.request_limiter.set(limits.requests_per_minute_token, limits.requests_per_minute_user);
    }

    /// The address by which bots reach this server: the configured one, or where it listens.
    pub fn url_for_bots(&self) -> String {
        let configured = &self.config.bots.callback_url;
        if !configured.is_empty() {
            return configured.clone();
        }
        let mut address = self.transport.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let scheme = if self.transport.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}

/// Where a server listens, and how it speaks there.
struct Listening {
    address: SocketAddr,
    tls: Option<Tls>,
}

/// How the store is opened. Small reads run on the threads that serve requests, so each of those
/// has a reader.
fn store_options(config: &Config) -> Options {
    Options {
        path: config.database.clone(),
        small_readers: u32::try_from(config.http.threads()).unwrap_or(u32::MAX),
        long_readers: config.store.long_reads_max,
        queue_max: config.store.queue_max,
    }
}

/// The parts that are told of every committed change.
struct Subscribers {
    token_cache: Arc<TokenCache>,
    feed: Arc<Feed>,
    watch_registry: Arc<WatchRegistry>,
    dispatcher: Arc<Dispatcher>,
}

impl Subscribers {
    /// On the writer's thread. The token cache comes first: a subscriber's token is checked again
    /// after it has joined the feed, so that a revoked token is found by one of the two.
    fn on_change(&self, change: &Change) {
        self.token_cache.on_change(change);
        self.feed.on_change(change);
        self.watch_registry.on_change(change);
        self.dispatcher.on_change(change);
    }
}
