//! The settings `bots.redis_…`: the Redis endpoint, by which bots and recognisers that speak the
//! Redis protocol reach the server, or a Redis of one's own.

use crate::config::key::{Key, Values, settings};
use crate::config::values::{address, optional_path, text};
use crate::exit::StartupError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use toml::Value;
use url::Url;

settings! {
    /// The Redis endpoint.
    #[derive(Debug, Clone, Default)]
    pub struct Redis in "bots" {
        /// Where the Redis endpoint listens: empty is the port of `listen`, where Redis is told from
        /// HTTP by its first byte; "off" is nowhere; or an address of its own such as
        /// "127.0.0.1:16379". It is never encrypted.
        listen: RedisListen = "", redis_listen, named("redis_listen");
        /// HOST:PORT by which bots reach the Redis endpoint; empty is the host of `callback_url` and
        /// the port where the endpoint listens.
        address: String = "", redis_address, named("redis_address");
        /// `redisUrl` in the configuration of bots, for a Redis of your own; empty is the Redis
        /// endpoint.
        url: String = "", text, named("redis_url");
        /// From where feeders such as `WhisperLive` may bring segments to the Redis endpoint without a
        /// meeting's own connection: "private" (this machine and private networks), "any" (which
        /// needs `redis_password`) or "off".
        feeders: RedisFeeders = "private", redis_feeders, named("redis_feeders");
        /// The password of feeders; empty is none.
        password: String = "", text, named("redis_password"), secret();
        /// A file whose first line is the password of feeders, for its owner alone (mode 0600).
        password_file: Option<PathBuf> = "", optional_path, named("redis_password_file");
    }
}

/// Where the Redis endpoint listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisListen {
    /// On the port of the API.
    #[default]
    Shared,
    /// Nowhere.
    Off,
    /// On an address of its own.
    At(SocketAddr),
}

/// From where feeders are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisFeeders {
    /// This machine and private networks.
    #[default]
    Private,
    /// Any address.
    Any,
    /// Nowhere.
    Off,
}

fn redis_listen(value: &Value) -> Result<RedisListen, String> {
    match text(value)?.as_str() {
        "" => Ok(RedisListen::Shared),
        "off" => Ok(RedisListen::Off),
        other => match address(value) {
            Ok(address) => Ok(RedisListen::At(address)),
            Err(_) => Err(format!(
                "should be empty, \"off\" or ADDRESS:PORT such as 127.0.0.1:16379, not {other:?}"
            )),
        },
    }
}

fn redis_feeders(value: &Value) -> Result<RedisFeeders, String> {
    match text(value)?.as_str() {
        "private" => Ok(RedisFeeders::Private),
        "any" => Ok(RedisFeeders::Any),
        "off" => Ok(RedisFeeders::Off),
        other => Err(format!("should be private, any or off, not {other:?}")),
    }
}

/// A host and its port, as they stand in an address; empty is none.
fn redis_address(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(text);
    }
    let url = Url::parse(&format!("redis://{text}"));
    let is_bare = |url: &Url| {
        let is_place = url.path().is_empty() && url.username().is_empty();
        let has_more = url.password().is_some() || url.query().is_some();
        is_place && !has_more && url.fragment().is_none() && url.port().is_some()
    };
    match url {
        Ok(url) if is_bare(&url) => Ok(text),
        _ => Err(format!("should be HOST:PORT such as 10.0.0.5:18056, not {text:?}")),
    }
}

impl Redis {
    /// HOST:PORT by which bots reach the endpoint, where it is on `own`: the configured one, or the
    /// host of `callback_url`, or else where it listens.
    pub(crate) fn address_for_bots(&self, callback_url: &str, own: SocketAddr) -> String {
        if !self.address.is_empty() {
            return self.address.clone();
        }
        if let Ok(callback) = Url::parse(callback_url)
            && let Some(host) = callback.host_str()
        {
            return format!("{host}:{}", own.port());
        }
        reachable(own).to_string()
    }
}

/// An address at which a program of this machine reaches what listens on `address`.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_are_sent_to_the_host_that_they_call() {
        for (configured, callback, own, expected) in [
            ("", "", "127.0.0.1:18056", "127.0.0.1:18056"),
            ("", "", "0.0.0.0:18056", "127.0.0.1:18056"),
            ("", "", "[::]:16379", "[::1]:16379"),
            ("", "http://10.0.0.5:18056", "0.0.0.0:18056", "10.0.0.5:18056"),
            ("", "https://vomeet.example.com", "0.0.0.0:16379", "vomeet.example.com:16379"),
            ("", "http://[2001:db8::1]:80", "[::]:16379", "[2001:db8::1]:16379"),
            ("redis.internal:80", "http://10.0.0.5:1", "0.0.0.0:2", "redis.internal:80"),
        ] {
            let redis = Redis { address: configured.to_owned(), ..Redis::default() };
            let found = redis.address_for_bots(callback, own.parse().expect("an address"));
            assert_eq!(found, expected, "{configured} {callback} {own}");
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, is_sound) in [
            ("", true),
            ("10.0.0.5:18056", true),
            ("redis.internal:6379", true),
            ("[2001:db8::1]:6379", true),
            ("10.0.0.5", false),
            ("redis://h:1", false),
            ("h:1/0", false),
            ("user@h:1", false),
            ("h:99999", false),
            ("h h:1", false),
            ("h:1?x", false),
        ] {
            let read = redis_address(&Value::from(text));
            assert_eq!(read.is_ok(), is_sound, "{text:?}: {read:?}");
        }
    }
}
