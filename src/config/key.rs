//! One setting, and how a value becomes a field.

use crate::config::Config;
use crate::domain::Time;
use crate::domain::field::Field;
use crate::domain::field::Raw;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use toml::Value;

/// One setting.
pub struct Key {
    /// Its name in `vomeet.toml`, with its section.
    pub name: &'static str,
    /// Its name in the environment and in `.env`.
    pub variable: &'static str,
    /// Its default, as TOML.
    pub default: &'static str,
    /// What it is, for `vomeet.toml`.
    pub about: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Puts a value where it belongs, or says what it should be.
    pub set: fn(&mut Config, &Value) -> Result<(), String>,
}

pub(crate) const fn key(
    name: &'static str,
    variable: &'static str,
    default: &'static str,
    about: &'static str,
    set: fn(&mut Config, &Value) -> Result<(), String>,
) -> Key {
    Key { name, variable, default, about, secret: false, set }
}

pub(crate) fn set<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

pub(crate) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "should be text in quotes".to_owned())
}

/// A point in time; an empty text is none.
pub(crate) fn instant(value: &Value) -> Result<Option<Time>, String> {
    let text = text(value)?;
    let wrong = "should be a time such as \"2026-12-31T00:00:00Z\"";
    match text.as_str() {
        "" => Ok(None),
        text => Time::read(Raw::Text(text)).map(Some).map_err(|_| wrong.to_owned()),
    }
}

pub(crate) fn filled(value: &Value) -> Result<String, String> {
    text(value).and_then(|text| if text.is_empty() { Err("should not be empty".to_owned()) } else { Ok(text) })
}

pub(crate) fn address(value: &Value) -> Result<SocketAddr, String> {
    let text = text(value)?;
    let numeric = text.replacen("localhost", "127.0.0.1", 1);
    numeric.parse().map_err(|_| format!("should be ADDRESS:PORT such as 127.0.0.1:18056, not {text:?}"))
}

pub(crate) fn count<T: TryFrom<i64>>(value: &Value, min: i64, max: i64) -> Result<T, String> {
    let wrong = || format!("should be a whole number from {min} to {max}");
    let number = value.as_integer().filter(|number| (min..=max).contains(number)).ok_or_else(wrong)?;
    T::try_from(number).map_err(|_| wrong())
}

pub(crate) fn seconds(value: &Value) -> Result<Duration, String> {
    count(value, 1, 86_400).map(Duration::from_secs)
}

pub(crate) fn days(value: &Value) -> Result<i64, String> {
    count(value, 0, 36_500)
}

pub(crate) fn list(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || "should be a list of texts such as [\"one\", \"two\"]".to_owned();
    value.as_array().ok_or_else(wrong)?.iter().map(|item| text(item).map_err(|_| wrong())).collect()
}

/// Up to a million, which is one in 60 microseconds.
pub(crate) fn per_minute(value: &Value) -> Result<u32, String> {
    count(value, 0, 1_000_000)
}

/// An address alone is the network of it alone.
pub(crate) fn networks(value: &Value) -> Result<Vec<IpNet>, String> {
    let network = |item: &String| {
        item.parse().or_else(|_| item.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
            format!("should be a list of networks and addresses such as 10.0.0.0/8, and {item:?} is neither")
        })
    };
    list(value)?.iter().map(network).collect()
}
