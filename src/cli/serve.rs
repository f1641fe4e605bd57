//! `vomeet serve`: start the server, print the next step, serve, stop.

use crate::app::App;
use crate::cli::journal;
use crate::cli::listening::{listen_for_monitoring, listen_for_redis};
use crate::cli::print::say;
use crate::cli::reach::shown;
use crate::cli::starting::upgrade_first;
use crate::cli::systemd::Systemd;
use crate::clock::Clock;
use crate::config::{Config, RunnerKind, Settings};
use crate::exit::{Code, StartupError};
use crate::http::admin_socket::AdminSocket;
use crate::http::peer_owner;
use crate::http::serve::{Listeners, listen};
use crate::http::serve_few::CONNECTIONS_MAX;
use crate::routes::TABLE_INFO;
use crate::server::reload::{Read, Reloader};
use crate::store::older_version;
use crate::{logging, server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Blocking threads besides those of long reads: logs of bots, DNS lookups.
const OTHER_BLOCKING_THREADS: usize = 8;
/// File descriptors that are not connections.
const OTHER_FILES: u64 = 64;
/// The same for the address for monitoring, if there is one.
const MONITORING_FILES: u64 = 1 + CONNECTIONS_MAX as u64;

/// Serves until SIGTERM or SIGINT. The settings are read now, and again at each SIGHUP.
pub(super) fn run(
    read: impl Fn() -> Result<Settings, StartupError> + Send + Sync + 'static,
) -> Result<(), StartupError> {
    let settings = read()?;
    settings.check_admin_key()?;
    AdminSocket::check(&settings.config)?;
    let config = &settings.config;
    let _flush = logging::start(&config.log, config.log_format, journal::is_standard_error())?;
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    runtime(&settings.config)?.block_on(serve(settings, Arc::new(read)))
}

pub(super) fn runtime(config: &Config) -> Result<Runtime, StartupError> {
    let workers = config.http.threads();
    let built = Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(config.store.long_reads_max as usize + OTHER_BLOCKING_THREADS)
        .enable_all()
        .build();
    built.map_err(|error| {
        let message = format!("Cannot start {workers} threads ({error}); lower http.workers.");
        StartupError::new(Code::Config, message)
    })
}

async fn serve(mut settings: Settings, read: Read) -> Result<(), StartupError> {
    fit_connections(&mut settings.config);
    let wanted = settings.config.listen;
    let cannot = |error: std::io::Error| {
        let message = format!(
            "Cannot listen on {wanted} ({error}); stop what uses it (`make ps` shows a vomeet) or \
             choose another with --listen."
        );
        StartupError::new(Code::Listen, message)
    };
    let listener = listen(wanted).map_err(cannot)?;
    let monitoring = listen_for_monitoring(&settings.config)?;
    let redis = listen_for_redis(&mut settings.config)?;
    let address = listener.local_addr().map_err(cannot)?;
    let cannot_wait = |error: std::io::Error| {
        StartupError::new(Code::Config, format!("Cannot wait for signals: {error}."))
    };
    let systemd = Systemd::of_environment();
    let stop = stop_signal(systemd.clone()).map_err(cannot_wait)?;
    let hang_up = signal(SignalKind::hangup()).map_err(cannot_wait)?;
    let mut stop = std::pin::pin!(stop);
    if let Some(systemd) = &systemd
        && older_version(&settings.config.database).is_some()
    {
        systemd.tell("STATUS=upgrading the database");
    }
    if !upgrade_first(&settings, address, &listener, monitoring.as_ref(), stop.as_mut()).await? {
        return Ok(());
    }
    let app = App::open(settings.config.clone(), address, Clock::system(), TABLE_INFO, None)?;
    server::apply_configured_users(&app).await?;
    let admin = AdminSocket::open(&settings.config).inspect_err(|_| app.store.close())?;
    // A server whose standard output nobody reads serves all the same.
    let has_users = app.store.count().await.is_ok_and(|(users, _)| users > 0);
    let _ = say(welcome(&settings, address, has_users));
    if let Some(systemd) = systemd {
        systemd.tell(&format!("READY=1\nSTATUS=listens on {}", url(&settings.config, address)));
        tokio::spawn(systemd.keep_watchdog(Arc::clone(&app.store)));
    }
    warn_of_weak_key(&settings);
    if settings.config.backup.is_uploaded_in_the_open() {
        log::warn!(
            "backup.s3_endpoint is http:// and not of this machine: whoever is on the way reads the \
             names of backups, and those that are not encrypted; take https://"
        );
    }
    if settings.config.has_bots_without_words() {
        log::warn!(
            "neither bots.whisper_live_url nor bots.transcription_url is set, and no engine makes \
             words here: the platform's bots wait for ever without words; set the one that your \
             bots use, or an engine, if they do not transcribe by themselves"
        );
    }
    let reloader = Reloader::new(settings, read, fit_to_sockets);
    tokio::spawn(reload_forever(hang_up, Arc::clone(&app), reloader));
    server::run(app, Listeners { network: listener, admin, monitoring, redis }, stop).await
}

fn warn_of_weak_key(settings: &Settings) {
    if let Some(why) = settings.admin_key_weakness() {
        log::warn!(
            "the admin key {why}: it is accepted from this machine alone, from programs of the \
             server's own user and of root; set ADMIN_API_TOKEN before others can reach it, also \
             through a proxy that root runs"
        );
        if !peer_owner::is_told() {
            log::warn!(
                "this system does not say whose a connection is: the weak admin key is accepted \
                 from every user of this machine"
            );
        }
    }
}

/// Serves for a drill: the API, and none of the jobs that change or send something. It ends with its
/// standard input, and so with the process at the other end.
pub(super) fn run_at_rest(settings: Settings) -> Result<(), StartupError> {
    let config = &settings.config;
    let _flush = logging::start(&config.log, config.log_format, journal::is_standard_error())?;
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    runtime(&settings.config)?.block_on(async {
        let wanted = settings.config.listen;
        let network = listen(wanted).map_err(|error| {
            StartupError::new(Code::Listen, format!("Cannot listen on {wanted} ({error})."))
        })?;
        let app = App::open_at_rest(settings.config, Clock::system(), TABLE_INFO)?;
        let admin = AdminSocket::open(&app.config).inspect_err(|_| app.store.close())?;
        let (at_end, end) = oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = at_end.send(());
        });
        let listeners = Listeners { network, admin, monitoring: None, redis: None };
        server::run_at_rest(app, listeners, async {
            let _ = end.await;
        })
        .await
    })
}

/// At each SIGHUP, which a terminal sends too when it is closed: checkpoints, and reads the settings
/// again.
async fn reload_forever(mut hang_up: Signal, app: Arc<App>, mut reloader: Reloader) {
    while hang_up.recv().await.is_some() {
        match app.store.checkpoint().await {
            Ok(true) => log::info!("SIGHUP: the WAL is checkpointed into the database"),
            Ok(false) => log::warn!("SIGHUP: a long read keeps the WAL from being checkpointed"),
            Err(error) => log::warn!("SIGHUP: no checkpoint: {}", error.store_cause()),
        }
        reloader.reload(&app).await;
    }
}

/// Ends at the first SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_signal(
    systemd: Option<Arc<Systemd>>,
) -> std::io::Result<impl Future<Output = ()>> {
    stop_signal_with(systemd, || {})
}

/// The same, with what is to be done at the second one.
pub(super) fn stop_signal_with(
    systemd: Option<Arc<Systemd>>,
    at_second: impl FnOnce() + Send + 'static,
) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if let Some(systemd) = systemd {
            systemd.tell("STOPPING=1");
        }
        log::info!(
            "stopping: open requests are completed; a second signal ends the process at once"
        );
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            at_second();
            logging::flush();
            std::process::exit(130);
        });
    })
}

/// Raises the limit of open files as far as the system allows, and fits the limits of connections
/// and live sockets into it.
fn fit_connections(config: &mut Config) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        log::warn!("the limit of open files cannot be raised: {error}");
    }
    let (files, room) = room(config);
    let wanted = config.http.connections_max.saturating_add(config.live.sockets_max);
    if room < wanted {
        let sockets = (config.live.sockets_max.saturating_mul(room) / wanted).max(1);
        let connections = room.saturating_sub(sockets).max(1);
        log::warn!(
            "only {files} files may be open: at most {connections} connections and {sockets} live \
             sockets"
        );
        config.http.connections_max = connections;
        config.live.sockets_max = sockets;
    }
}

/// Fits the limit of connections into what the live sockets leave of the open files: how many of
/// those there may be is not changed in a running server.
fn fit_to_sockets(config: &mut Config) {
    let (files, room) = room(config);
    let connections = room.saturating_sub(config.live.sockets_max).max(1);
    if connections < config.http.connections_max {
        log::warn!("only {files} files may be open: at most {connections} connections");
        config.http.connections_max = connections;
    }
}

/// How many files may be open, and how many of them may be connections.
fn room(config: &Config) -> (u64, usize) {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let others = OTHER_FILES + config.metrics_listen.map_or(0, |_| MONITORING_FILES);
    let room = usize::try_from(files.saturating_sub(others)).unwrap_or(usize::MAX);
    (files, room.max(1))
}

/// What is printed after the start: where the server is, and the next step while there is one.
fn welcome(settings: &Settings, address: SocketAddr, has_users: bool) -> String {
    let url = url(&settings.config, address);
    let warning = match settings.admin_key_weakness() {
        Some(why) => {
            format!(" ({why}: for this machine only, where a proxy of root counts as well)")
        }
        None => String::new(),
    };
    let mut text = format!(
        "Vomeet {version} listens on {url}\n\
         \n  Console    {console}\
         \n  Docs       {url}/docs\
         \n  Database   {database}\
         \n  Settings   {file}\
         \n  Bots       {runner}\
         \n  Admin key  {source}{warning}\n\n",
        version = crate::api::general::VERSION,
        console = console(settings, &url),
        database = shown(&settings.config.database),
        file = settings_file(settings),
        runner = runner(settings.config.bots.runner),
        source = settings.admin_key_source(),
    );
    if !has_users {
        let place = place(settings);
        let program = program();
        let next = format!(
            "Create the first user, and a token for them:\n\n  \
             {program} user add user@example.com --name \"John Doe\" --max-bots 2{place}\n  \
             {program} token create user@example.com{place}\n\n"
        );
        text.push_str(&next);
    }
    text
}

/// The address of the console.
fn console(settings: &Settings, url: &str) -> String {
    if settings.config.console { format!("{url}/console/") } else { "off".to_owned() }
}

/// The settings file, as an absolute path.
fn settings_file(settings: &Settings) -> String {
    match &settings.file {
        Some(file) => shown(file),
        None => "no file; `vomeet config show` lists them".to_owned(),
    }
}

/// What runs bots, in words.
fn runner(kind: RunnerKind) -> &'static str {
    match kind {
        RunnerKind::None => "none are started; set bots.runner (demo is built in)",
        RunnerKind::Demo => "runner demo, which plays a short meeting",
        RunnerKind::Process => "runner process",
        RunnerKind::Docker => "runner docker",
    }
}

/// How this program was called, from any folder.
fn program() -> String {
    match std::env::args_os().next() {
        Some(path) if path.to_string_lossy().contains('/') => quoted(&shown(Path::new(&path))),
        _ => "vomeet".to_owned(),
    }
}

/// The flags by which a command in any folder reaches this database.
fn place(settings: &Settings) -> String {
    let mut flags = format!(" --database {}", quoted(&shown(&settings.config.database)));
    if let Some(socket) = &settings.config.socket {
        flags.push_str(" --socket ");
        flags.push_str(&quoted(&shown(socket)));
    }
    flags
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_alphanumeric() || "/._-+@:,=".contains(c));
    match is_plain {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The address as people type it: by name where the name leads to it.
pub(super) fn url(config: &Config, address: SocketAddr) -> String {
    format!("{}://{}", scheme(config), host_and_port(address))
}

/// What the server speaks by its settings.
pub(super) fn scheme(config: &Config) -> &'static str {
    if config.tls.files().is_some() { "https" } else { "http" }
}

fn host_and_port(address: SocketAddr) -> String {
    let ip = address.ip();
    let is_localhost = ip.is_unspecified() || ip == IpAddr::V4(Ipv4Addr::LOCALHOST);
    match is_localhost {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{host_and_port, quoted};

    #[test]
    fn an_address_has_the_name_that_leads_to_it() {
        for (address, expected) in [
            ("127.0.0.1:80", "localhost:80"),
            ("0.0.0.0:80", "localhost:80"),
            ("[::]:80", "localhost:80"),
            ("127.0.0.2:80", "127.0.0.2:80"),
            ("[::1]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(host_and_port(address.parse().expect("an address")), expected);
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (word, expected) in [
            ("/a/b-c.db", "/a/b-c.db"),
            ("/a b", "'/a b'"),
            ("/it's", "'/it'\\''s'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
