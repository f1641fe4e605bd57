//! The parts of a server, and how they are built.

use crate::auth::{Auth, FailedAuthLimiter, Refusals, RequestLimiter, TokenCache};
use crate::backups::Backups;
use crate::bot_commands::BotCommands;
use crate::bots::{Bridges, Supervisor, WatchRegistry};
use crate::clock::Clock;
use crate::config::{Bots, Config, RedisListen, reachable};
use crate::domain::Time;
use crate::domain::overview::{Counted, PastUsage};
use crate::erasure::Erasure;
use crate::error::Result;
use crate::exit::StartupError;
use crate::feed::Feed;
use crate::health::{HealthCheck, Parts, Phase};
use crate::http::tls::Tls;
use crate::http::transport::Transport;
use crate::kept::Kept;
use crate::metrics::{Metrics, RedisCounters, RouteLabel};
use crate::store::{Change, Options, Recorder, Store};
use crate::transcription::Transcription;
use crate::transcription::alarms::Alarms;
use crate::transcription::engines::Engines;
use crate::transcription::hearing::Hearing;
use crate::transcription::uploads::Uploads;
use crate::webhooks::Dispatcher;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
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
type StartSupervisor =
    fn(Arc<Store>, Arc<WatchRegistry>, Arc<BotCommands>, &Bots, Clock) -> Arc<Supervisor>;

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
    /// Commands for bots that have subscribed to them.
    pub bot_commands: Arc<BotCommands>,
    /// The meetings whose sound comes by bridges.
    pub(crate) bridges: Arc<Bridges>,
    /// What the Redis endpoint counts.
    pub(crate) redis_counters: Arc<RedisCounters>,
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
    /// Judges what meetings that go on miss.
    pub(crate) alarms: Arc<Alarms>,
    /// Delivers events to the users' webhooks.
    pub dispatcher: Arc<Dispatcher>,
    /// From sound to words.
    pub(crate) transcription: Arc<Transcription>,
    /// Recordings on their way to words.
    pub(crate) uploads: Arc<Uploads>,
    /// The jobs that make words of it.
    pub(crate) hearing: Arc<Hearing>,
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
        let subscribers = Subscribers::new(&config, &clock);
        let Subscribers { token_cache, feed, watch_registry, dispatcher, bot_commands, bridges } =
            subscribers.clone();
        let options = store_options(&config);
        let publish = move |change: &Change| subscribers.on_change(change);
        let store = Arc::new(Store::open_recorded(&options, recorder, publish)?);
        let (of_bots, commands) = (Arc::clone(&store), Arc::clone(&bot_commands));
        let bots = supervisor(of_bots, watch_registry, commands, &config.bots, clock.clone());
        let backups = Arc::new(Backups::new(Arc::clone(&store), &config.backup, clock.clone()));
        let hearing = open_hearing(&config, &store, &clock, &feed, phase)?;
        let transcription = Arc::clone(&hearing.transcription);
        let uploads = Arc::new(open_uploads(&config, &hearing));
        let (of_erasure, sounds) = (Arc::clone(&store), Arc::clone(&transcription));
        let erasure = Erasure::new(of_erasure, Arc::clone(&bots), sounds, clock.clone());
        let metrics = Arc::new(Metrics::new((table.labels)()));
        let Listening { address, tls } = listening;
        let transport = Transport::new(&config, address, tls, Arc::clone(&metrics));
        let parts = Parts {
            store: Arc::clone(&store),
            bots: Arc::clone(&bots),
            backups: Arc::clone(&backups),
            transcription: Arc::clone(&transcription),
            clock: clock.clone(),
            limits: config.health.clone(),
            has_weak_key: (phase == Phase::Serving && config.has_weak_admin_key()).into(),
        };
        let health = HealthCheck::new(parts, phase);
        let auth = Auth::new(&config.admin_keys(), token_cache, store.has_foreign_keys()?);
        let limits = &config.limits;
        let request_limiter =
            RequestLimiter::new(limits.requests_per_minute_token, limits.requests_per_minute_user);
        Ok(Arc::new(Self {
            started_at: clock.now(),
            clock,
            failed_auth_limiter: FailedAuthLimiter::new(limits.failed_keys_per_minute),
            alarms: Arc::new(Alarms::new(config.may_hear())),
            in_force: ArcSwap::from_pointee(config.clone()),
            config,
            table,
            store,
            bots,
            bot_commands,
            bridges,
            redis_counters: Arc::default(),
            auth,
            request_limiter,
            refusals: Refusals::default(),
            counted: Arc::default(),
            past_usage: Mutex::default(),
            dispatcher,
            transcription,
            uploads,
            hearing,
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
        let scheme = if self.transport.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", reachable(self.transport.address))
    }

    /// HOST:PORT by which bots reach the Redis endpoint; `None` where there is none.
    pub fn redis_address_for_bots(&self) -> Option<String> {
        let Bots { redis, callback_url, .. } = &self.config.bots;
        let own = match redis.listen {
            RedisListen::Off => return None,
            // Never encrypted, so that it is not where TLS is spoken.
            RedisListen::Shared if self.transport.tls.is_some() => return None,
            RedisListen::Shared => self.transport.address,
            RedisListen::At(address) => address,
        };
        Some(redis.address_for_bots(callback_url, own))
    }
}

/// From sound to words; the folder of the spool is looked at where sound may come.
fn open_hearing(
    config: &Config,
    store: &Arc<Store>,
    clock: &Clock,
    feed: &Arc<Feed>,
    phase: Phase,
) -> std::result::Result<Arc<Hearing>, StartupError> {
    let (settings, folder) = (&config.transcription, config.spool_folder());
    let transcription = Transcription::new(settings, folder, Arc::clone(store), clock.clone());
    let engines = Engines::new(config, clock.clone());
    transcription.hear_by(Arc::clone(&engines));
    if phase == Phase::Serving {
        transcription.check_folder()?;
    }
    let transcription = Arc::new(transcription);
    Ok(Arc::new(Hearing::new(config, engines, transcription, Arc::clone(feed))))
}

/// What makes words of recordings.
fn open_uploads(config: &Config, hearing: &Hearing) -> Uploads {
    let parts = (Arc::clone(&hearing.transcription), Arc::clone(&hearing.engines));
    let folder = (config.spool_folder(), config.transcription.gate);
    Uploads::new(parts, Arc::clone(&hearing.store), hearing.clock.clone(), folder)
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
#[derive(Clone)]
struct Subscribers {
    token_cache: Arc<TokenCache>,
    feed: Arc<Feed>,
    watch_registry: Arc<WatchRegistry>,
    dispatcher: Arc<Dispatcher>,
    bot_commands: Arc<BotCommands>,
    bridges: Arc<Bridges>,
}

impl Subscribers {
    fn new(config: &Config, clock: &Clock) -> Self {
        Self {
            token_cache: Arc::new(TokenCache::default()),
            feed: Arc::new(Feed::new(config.live.queue_max)),
            watch_registry: Arc::new(WatchRegistry::default()),
            dispatcher: Dispatcher::new(&config.webhooks, clock.clone()),
            bot_commands: Arc::new(BotCommands::default()),
            bridges: Arc::new(Bridges::new(clock.clone())),
        }
    }

    /// On the writer's thread. The token cache comes first: a subscriber's token is checked again
    /// after it has joined the feed, so that a revoked token is found by one of the two.
    fn on_change(&self, change: &Change) {
        self.token_cache.on_change(change);
        self.feed.on_change(change);
        self.watch_registry.on_change(change);
        self.dispatcher.on_change(change);
        self.bot_commands.on_change(change);
        self.bridges.on_change(change);
    }
}
