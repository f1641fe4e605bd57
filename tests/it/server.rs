//! A server in this process, on a port and a folder of its own.

use crate::client::{ADMIN_KEY, Client, PATIENCE, wait_for};
use crate::recording::Recording;
use rusqlite::Connection;
use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use vomeet::app::App;
use vomeet::clock::Clock;
use vomeet::config::{Environment, Flags, RedisListen, Settings};
use vomeet::exit::{Code, StartupError};
use vomeet::http::admin_socket::AdminSocket;
use vomeet::http::serve::{Listeners, listen};
use vomeet::routes::TABLE_INFO;
use vomeet::server;
use vomeet::store::{Options, Store};

/// A clock that shows the present time and stands still until the test moves it.
pub fn still_clock() -> Clock {
    Clock::manual(Clock::system().now())
}

/// How a server is wanted.
pub struct Setup {
    folder: TempDir,
    clock: Clock,
    environment: HashMap<String, String>,
}

/// A running server. Dropping it stops it gracefully and insists on a clean end.
pub struct Server {
    client: Client,
    /// A client of the address for monitoring, if it has one.
    pub monitoring: Option<Client>,
    /// The server itself, for tests that cause what no route causes.
    pub app: Arc<App>,
    setup: Option<Setup>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), StartupError>>>,
    recording: Option<Recording>,
}

impl Setup {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = [
            ("VOMEET_LISTEN", "127.0.0.1:0"),
            ("ADMIN_API_TOKEN", ADMIN_KEY),
            ("VOMEET_HTTP_STOP_SECONDS_MAX", "2"),
            // A client of the tests may be as slow as the machine is; what they say of time-outs,
            // they set.
            ("VOMEET_HTTP_HEADER_SECONDS_MAX", "600"),
            ("VOMEET_HTTP_IDLE_SECONDS_MAX", "600"),
            ("VOMEET_HTTP_BODY_SECONDS_MAX", "600"),
            ("VOMEET_HTTP_RESPONSE_SECONDS_MAX", "600"),
            // Meetings that tests put into the file are as old as they please.
            ("VOMEET_BOTS_ACTIVE_SECONDS_MAX", "315360000"),
            // All callers of the tests have one address, and many bring wrong keys.
            ("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "0"),
            // Tests ask as often as they please; the limits have tests of their own.
            ("VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN", "0"),
            ("VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER", "0"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { folder, clock: Clock::system(), environment: environment.into() }
    }

    /// Sets a variable of the environment that the server believes to be in.
    pub fn set(mut self, variable: &str, value: &str) -> Self {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self
    }

    /// Gives the server a clock of the test's, and a restarted one after it.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("vomeet.db")
    }

    /// Lets a test put rows into the file, which nobody else can open while the server runs.
    pub fn rows(self, insert: impl FnOnce(&Connection)) -> Self {
        open_file(&self.database(), insert);
        self
    }

    pub fn start(self) -> Server {
        let database = self.database().to_string_lossy().into_owned();
        let flags = Flags { database: Some(database), ..Flags::default() };
        let around = Environment {
            environment: self.environment.clone(),
            folder: self.folder.path().to_owned(),
        };
        // A server alone reads this file, and refuses what other tests set on purpose.
        let has_token_file = self.environment.contains_key("VOMEET_METRICS_TOKEN_FILE");
        let load = if has_token_file { Settings::load_to_serve } else { Settings::load };
        let settings = load(&flags, &around).expect("settings");
        let clock = self.clock.clone();
        let (recorder, recording) = Recording::begin(&self.database());
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .max_blocking_threads(4)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = listen(settings.config.listen).expect("a port");
                let address = listener.local_addr().expect("an address");
                let monitoring = settings.config.metrics_listen.map(|address| {
                    let listener = listen(address).expect("a port");
                    (listener.local_addr().expect("an address"), listener)
                });
                let (monitoring_address, monitoring) = monitoring.unzip();
                let (settings, redis) = listen_for_redis(settings);
                let open = || {
                    let recorder = Some(recorder.clone());
                    App::open(settings.config.clone(), address, clock.clone(), TABLE_INFO, recorder)
                };
                let app = once_free(open)?;
                server::apply_configured_users(&app).await?;
                let admin = AdminSocket::open(&app.config).expect("a private socket");
                let started = (address, monitoring_address, Arc::clone(&app));
                ready.send(started).expect("a test that waits");
                let listeners = Listeners { network: listener, admin, monitoring, redis };
                server::run(app, listeners, async { drop(stopped.await) }).await
            })
        });
        let Ok((address, monitoring, app)) = started.recv_timeout(PATIENCE) else {
            panic!("the server does not start: {:?}", thread.is_finished().then(|| thread.join()));
        };
        let client = Client { address, admin_key: ADMIN_KEY };
        let monitoring = monitoring.map(|address| Client { address, admin_key: ADMIN_KEY });
        let recording = Some(recording);
        Server {
            client,
            monitoring,
            app,
            setup: Some(self),
            stop: Some(stop),
            thread: Some(thread),
            recording,
        }
    }
}

/// The listener of the Redis endpoint, where it has an address of its own, and the settings with
/// that address.
fn listen_for_redis(mut settings: Settings) -> (Settings, Option<TcpListener>) {
    let RedisListen::At(wanted) = settings.config.bots.redis.listen else {
        return (settings, None);
    };
    let listener = listen(wanted).expect("a port");
    let address = listener.local_addr().expect("an address");
    settings.config.bots.redis.listen = RedisListen::At(address);
    (settings, Some(listener))
}

/// Opens a database that nobody serves any more. A child of another test holds all that is open in
/// this process until its own program begins, and on a busy machine that takes longer than a server
/// waits for the lock.
pub fn once_free<T>(open: impl Fn() -> Result<T, StartupError>) -> Result<T, StartupError> {
    wait_for(|| match open() {
        Err(error) if error.code == Code::DatabaseHeld => None,
        opened => Some(opened),
    })
}

/// Opens a database of ours from outside; it is created where it is missing.
pub fn open_file(database: &Path, use_it: impl FnOnce(&Connection)) {
    let options =
        Options { path: database.to_owned(), small_readers: 1, long_readers: 1, queue_max: 1 };
    once_free(|| Store::open(&options, |_| {})).expect("a new database").close();
    let connection = Connection::open(database).expect("the database");
    connection.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    // As the server's own writer does: a page that is split must leave no copy of what moved.
    connection.pragma_update(None, "secure_delete", true).expect("secure delete");
    use_it(&connection);
    // A reader of the store above may still be on its way out; then the end of this connection
    // would leave the rows in the WAL, and whoever copies the file would not have them.
    // Some tests keep a transaction open on purpose.
    if connection.is_autocommit() {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(checkpoint, [], |_| Ok(())).expect("a checkpoint");
    }
}

impl Server {
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// The folder that it was started in.
    pub fn folder(&self) -> &Path {
        self.setup.as_ref().expect("a server that runs").folder()
    }

    /// Holds its writer behind the next commit, before anybody is answered.
    pub fn hold_writer(&self) -> std::sync::MutexGuard<'_, Vec<vomeet::store::Recorded>> {
        self.recording.as_ref().expect("a recording").recorder.hold()
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops it and returns its folder and settings.
    pub fn stop(mut self) -> Setup {
        self.end();
        self.setup.take().expect("a server that runs")
    }

    pub fn restart(self) -> Self {
        self.stop().start()
    }

    fn end(&mut self) {
        self.ask_to_stop();
        let Some(thread) = self.thread.take() else { return };
        let ended = thread.join();
        if !std::thread::panicking() {
            ended.expect("no panic").expect("a clean end");
            if let (Some(recording), Some(setup)) = (self.recording.take(), &self.setup) {
                recording.check(&setup.database());
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
