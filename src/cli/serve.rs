//! `vomeet serve`: start the server, print the next step, serve, stop.

use crate::app::App;
use crate::cli::say;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::exit::{Code, StartupError};
use crate::http::admin_socket::AdminSocket;
use crate::http::peer_owner;
use crate::http::serve::{Listeners, listen};
use crate::routes::TABLE_INFO;
use crate::{logging, server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// Blocking threads besides those of long reads: logs of bots, DNS lookups.
const OTHER_BLOCKING_THREADS: usize = 8;
/// File descriptors that are not connections.
const OTHER_FILES: u64 = 64;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(settings: Settings) -> Result<(), StartupError> {
    settings.check_admin_key()?;
    settings.check_callback_url()?;
    AdminSocket::check(&settings.config)?;
    let _flush = logging::start(&settings.config.log)?;
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    runtime(&settings.config)?.block_on(serve(settings))
}

fn runtime(config: &Config) -> Result<Runtime, StartupError> {
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

async fn serve(mut settings: Settings) -> Result<(), StartupError> {
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
    let address = listener.local_addr().map_err(cannot)?;
    let stop = stop_signal().map_err(|error| {
        StartupError::new(Code::Config, format!("Cannot wait for signals: {error}."))
    })?;
    let app = App::open(settings.config.clone(), address, Clock::system(), TABLE_INFO, None)?;
    server::apply_configured_users(&app).await?;
    let admin = AdminSocket::open(&settings.config).inspect_err(|_| app.store.close())?;
    say(welcome(&settings, address));
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
    server::run(app, Listeners { network: listener, admin }, stop).await
}

/// Ends at the first SIGTERM or SIGINT; a second one ends the process at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        log::info!(
            "stopping: open requests are completed; a second signal ends the process at once"
        );
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
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
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).max(1);
    let wanted = config.http.connections_max.saturating_add(config.live.sockets_max);
    if room < wanted {
        let sockets = (config.live.sockets_max.saturating_mul(room) / wanted).max(1);
        let connections = room.saturating_sub(sockets).max(1);
        log::warn!(
            "only {files} files may be open ({raised:?}): at most {connections} connections and \
             {sockets} live sockets"
        );
        config.http.connections_max = connections;
        config.live.sockets_max = sockets;
    }
}

/// What is printed after the start: where the server is, and the next step.
fn welcome(settings: &Settings, address: SocketAddr) -> String {
    let url = url(address);
    let warning = match settings.admin_key_weakness() {
        Some(why) => {
            format!(" ({why}: for this machine only, where a proxy of root counts as well)")
        }
        None => String::new(),
    };
    let (key, first) = settings.admin_key_for_shell();
    let first = match first {
        Some(first) => format!(" ({first})"),
        None => String::new(),
    };
    format!(
        "Vomeet {version} listens on {url}\n\
         \n  Docs       {url}/docs\
         \n  Database   {database}\
         \n  Admin key  {source}{warning}\
         \n\nCreate the first user{first}:\n\n  \
         curl -X POST {url}/admin/users -H \"Content-Type: application/json\" \
         -H \"X-Admin-API-Key: {key}\" \
         -d '{{\"email\": \"user@example.com\", \"name\": \"John Doe\", \
         \"max_concurrent_bots\": 2}}'\n\n",
        version = crate::api::general::VERSION,
        database = settings.config.database.display(),
        source = settings.admin_key_source(),
    )
}

/// The address as people type it.
pub(super) fn url(address: SocketAddr) -> String {
    let ip = address.ip();
    let is_localhost = ip.is_unspecified() || (ip.is_ipv4() && ip.is_loopback());
    match is_localhost {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}
