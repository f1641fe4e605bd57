//! The listeners beside that of the API: for monitoring and for the Redis endpoint.

use crate::config::{Config, RedisListen};
use crate::exit::{Code, StartupError};
use crate::http::serve::listen;
use tokio::net::TcpListener;

/// Listens on the address for monitoring, if there is one.
pub(super) fn listen_for_monitoring(config: &Config) -> Result<Option<TcpListener>, StartupError> {
    let Some(wanted) = config.metrics_listen else { return Ok(None) };
    match listen(wanted).and_then(|listener| Ok((listener.local_addr()?, listener))) {
        Ok((address, listener)) => {
            log::info!("metrics and health on http://{address}");
            Ok(Some(listener))
        }
        Err(error) => {
            let message = format!(
                "Cannot listen on {wanted} for metrics ({error}); choose another metrics_listen."
            );
            Err(StartupError::new(Code::Listen, message))
        }
    }
}

/// Listens on the address of the Redis endpoint, if it has one of its own, and puts that into the
/// settings as it is: of any free port, bots are told which one it is.
pub(super) fn listen_for_redis(config: &mut Config) -> Result<Option<TcpListener>, StartupError> {
    let RedisListen::At(wanted) = config.bots.redis.listen else { return Ok(None) };
    match listen(wanted).and_then(|listener| Ok((listener.local_addr()?, listener))) {
        Ok((address, listener)) => {
            log::info!("the Redis endpoint is on {address}");
            config.bots.redis.listen = RedisListen::At(address);
            Ok(Some(listener))
        }
        Err(error) => {
            let message = format!(
                "Cannot listen on {wanted} for Redis ({error}); choose another bots.redis_listen."
            );
            Err(StartupError::new(Code::Listen, message))
        }
    }
}
