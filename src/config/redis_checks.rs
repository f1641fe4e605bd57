//! What is wrong with the settings `bots.redis_…` together, and their password from its file.

use crate::config::key_strength::{CHARS_MIN, weakness};
use crate::config::redis::{RedisFeeders, RedisListen};
use crate::config::runner_kind::RunnerKind;
use crate::config::secret_file::first_line;
use crate::config::settings::Config;
use std::path::Path;
use url::{Host, Url};

/// Reads the password from its file, if one is set; says what is wrong with it.
pub(crate) fn read_password(config: &mut Config, folder: &Path) -> Result<(), String> {
    let redis = &mut config.bots.redis;
    let Some(path) = &redis.password_file else { return Ok(()) };
    redis.password = first_line("bots.redis_password_file", "password", path, folder)?;
    Ok(())
}

impl Config {
    /// What is wrong with the settings of the Redis endpoint together.
    pub(crate) fn redis_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        faults.extend(self.redis_port_fault());
        faults.extend(self.redis_listen_fault());
        let redis = &self.bots.redis;
        if redis.password_file.is_some() && !redis.password.is_empty() {
            faults.push(
                "bots.redis_password and bots.redis_password_file are both set; take one out."
                    .to_owned(),
            );
        }
        if let Some(why) = weakness(&redis.password).filter(|_| !redis.password.is_empty()) {
            faults.push(format!(
                "bots.redis_password {why}; set at least {CHARS_MIN} random characters \
                 (`openssl rand -hex 24` makes some)."
            ));
        }
        let has_password = !redis.password.is_empty() || redis.password_file.is_some();
        if redis.feeders == RedisFeeders::Any && !has_password {
            faults.push(
                "bots.redis_feeders is any, and bots.redis_password is not set: everybody could \
                 try secrets of meetings; set it, or let bots.redis_feeders be private."
                    .to_owned(),
            );
        }
        faults
    }

    /// Bots of another host that would be sent to an endpoint which this machine alone reaches.
    fn redis_listen_fault(&self) -> Option<String> {
        let bots = &self.bots;
        let redis = &bots.redis;
        let has_own_bots = matches!(bots.runner, RunnerKind::Process | RunnerKind::Docker);
        let is_local = matches!(redis.listen, RedisListen::At(at) if at.ip().is_loopback());
        let is_told = !redis.url.is_empty() || !redis.address.is_empty();
        if !is_local || is_told || !has_own_bots {
            return None;
        }
        let callback = Url::parse(&bots.callback_url).ok()?;
        let is_here = match callback.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        if is_here {
            return None;
        }
        Some(
            "bots.redis_listen is an address that this machine alone reaches, and \
             bots.callback_url is of another host: bots would not find the Redis endpoint; set \
             bots.redis_listen to an address that they reach such as 0.0.0.0:16379 or to \"off\", \
             or bots.redis_address to the HOST:PORT by which they reach it."
                .to_owned(),
        )
    }

    /// Bots that would be sent to a port where the Redis endpoint is not.
    fn redis_port_fault(&self) -> Option<String> {
        let bots = &self.bots;
        let redis = &bots.redis;
        let has_own_bots = matches!(bots.runner, RunnerKind::Process | RunnerKind::Docker);
        if redis.listen != RedisListen::Shared || !redis.url.is_empty() || !has_own_bots {
            return None;
        }
        if self.tls.files().is_some() {
            return Some(
                "With TLS, the Redis endpoint cannot share the port of listen, because it is never \
                 encrypted; set bots.redis_listen to an address of its own such as 0.0.0.0:16379, \
                 or to \"off\"."
                    .to_owned(),
            );
        }
        if !redis.address.is_empty() {
            return None;
        }
        let callback = Url::parse(&bots.callback_url).ok()?;
        // Of any free port it is not known yet which one it is.
        let port = Some(self.listen.port()).filter(|&port| port != 0)?;
        let why = if callback.scheme() == "https" {
            "encrypted"
        } else if callback.port_or_known_default() != Some(port) {
            "of another port than listen"
        } else {
            return None;
        };
        Some(format!(
            "bots.callback_url is {why}, and the Redis endpoint shares the port of listen: bots \
             would not find it; set bots.redis_listen to an address of its own such as \
             0.0.0.0:16379 or to \"off\", or bots.redis_address to the HOST:PORT by which bots \
             reach it."
        ))
    }
}
