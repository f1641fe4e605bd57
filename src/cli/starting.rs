//! The upgrade of an older database before the server serves: the port tells meanwhile that it is
//! starting.

use crate::api::starting::Starting;
use crate::clock::Clock;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::http::peer::Door;
use crate::http::serve_few::serve_few;
use crate::http::tls::Tls;
use crate::http::transport::Transport;
use crate::metrics::Metrics;
use crate::routes::TABLE_INFO;
use crate::store::{Stop, older_version, upgrade_resting};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

/// Upgrades the database if it is of an older version. False where the server was told to stop
/// meanwhile; the old file is there then.
pub(super) async fn upgrade_first(
    settings: &Settings,
    address: SocketAddr,
    listener: &TcpListener,
    monitoring: Option<&TcpListener>,
    shutdown: Pin<&mut impl Future<Output = ()>>,
) -> Result<bool, StartupError> {
    let database = settings.config.database.clone();
    if older_version(&database).is_none() {
        return Ok(true);
    }
    let metrics = Arc::new(Metrics::new((TABLE_INFO.labels)()));
    let mut tls = None;
    if let Some(files) = settings.config.tls.files() {
        tls = Some(Tls::open(files, Clock::system().now())?);
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let transport = Arc::new(Transport::new(&settings.config, address, tls, metrics));
    log::info!("{scheme}://{address} responds with 503 until the database is upgraded");
    let stop = Stop::default();
    let stop_copy = stop.clone();
    let mut upgrade = spawn_blocking(move || upgrade_resting(&database, &stop_copy));
    let upgraded = tokio::select! {
        upgraded = &mut upgrade => upgraded,
        () = serve(&transport, listener, Door::Api) => upgrade.await,
        () = serve_monitoring(&transport, monitoring) => upgrade.await,
        () = shutdown => {
            stop.set();
            log::info!("the upgrade stops");
            upgrade.await
        }
    };
    let upgraded = upgraded.map_err(|error| {
        let message = format!("The upgrade has failed ({error}); start again.");
        StartupError::new(Code::DatabaseUnusable, message)
    })?;
    match upgraded {
        Err(_) if stop.is_set() => Ok(false),
        // It was as good as done.
        Ok(_) => Ok(!stop.is_set()),
        Err(error) => Err(error),
    }
}

/// Serves until it is dropped.
async fn serve(transport: &Arc<Transport>, listener: &TcpListener, door: Door) {
    serve_few(Arc::clone(transport), Arc::new(Starting), listener, door).await;
}

async fn serve_monitoring(transport: &Arc<Transport>, listener: Option<&TcpListener>) {
    match listener {
        Some(listener) => serve(transport, listener, Door::Monitoring).await,
        None => std::future::pending().await,
    }
}
