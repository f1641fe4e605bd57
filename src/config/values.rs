//! Parsers of values: each takes a TOML value, or says in words what it should be.

use crate::domain::Time;
use crate::domain::field::Field;
use crate::domain::field::Raw;
use crate::domain::span::seconds;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;

/// A text, which may be empty.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err("should be text in quotes".to_owned()),
    }
}

/// A text that is not empty.
pub(crate) fn filled(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Err("should not be empty".to_owned());
    }
    Ok(text)
}

/// The path of a file or folder.
pub(crate) fn path(value: &Value) -> Result<PathBuf, String> {
    let text = filled(value)?;
    Ok(PathBuf::from(text))
}

/// The path of a file; an empty text is none.
pub(crate) fn optional_path(value: &Value) -> Result<Option<PathBuf>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(PathBuf::from(text)))
}

/// A point in time; an empty text is none.
pub(crate) fn optional_time(value: &Value) -> Result<Option<Time>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    match Time::read(Raw::Text(&text)) {
        Ok(time) => Ok(Some(time)),
        Err(_) => Err("should be a time such as \"2026-12-31T00:00:00Z\"".to_owned()),
    }
}

/// An address with its port; `localhost` is 127.0.0.1.
pub(crate) fn address(value: &Value) -> Result<SocketAddr, String> {
    let text = text(value)?;
    let numeric = text.replacen("localhost", "127.0.0.1", 1);
    match numeric.parse() {
        Ok(address) => Ok(address),
        Err(_) => Err(format!("should be ADDRESS:PORT such as 127.0.0.1:18056, not {text:?}")),
    }
}

/// An address with its port; an empty text is none.
pub(crate) fn optional_address(value: &Value) -> Result<Option<SocketAddr>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    address(value).map(Some)
}

/// Empty, or an address of HTTP to which a path can be added.
pub(crate) fn http_url(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(text);
    }
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    if !is_http || text.contains(['?', '#', ' ']) {
        return Err(format!("should be an address such as http://10.0.0.5:18056, not {text:?}"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Yes or no.
pub(crate) fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "should be true or false".to_owned())
}

/// A whole number within limits.
pub(crate) fn number_within<T: TryFrom<i64>>(
    value: &Value,
    limits: &RangeInclusive<i64>,
) -> Result<T, String> {
    let wrong = format!("should be a whole number from {} to {}", limits.start(), limits.end());
    let Some(number) = value.as_integer() else { return Err(wrong) };
    if !limits.contains(&number) {
        return Err(wrong);
    }
    T::try_from(number).map_err(|_| wrong)
}

/// The parser of a whole number within limits.
pub(crate) fn whole<T: TryFrom<i64>>(
    limits: RangeInclusive<i64>,
) -> impl Fn(&Value) -> Result<T, String> {
    move |value| number_within(value, &limits)
}

/// The parser of a time span in seconds, from one second up.
pub(crate) fn seconds_up_to(max: i64) -> impl Fn(&Value) -> Result<Duration, String> {
    move |value| {
        let seconds = number_within(value, &(1..=max))?;
        Ok(Duration::from_secs(seconds))
    }
}

/// The parser of a time span in seconds, which may be none.
pub(crate) fn seconds_from_zero_to(max: i64) -> impl Fn(&Value) -> Result<Duration, String> {
    move |value| {
        let seconds = number_within(value, &(0..=max))?;
        Ok(Duration::from_secs(seconds))
    }
}

/// The parser of a time span with its unit, within limits in seconds; an empty text is none.
pub(crate) fn optional_span(
    limits: RangeInclusive<i64>,
) -> impl Fn(&Value) -> Result<Option<Duration>, String> {
    move |value| {
        let text = text(value)?;
        if text.is_empty() {
            return Ok(None);
        }
        let seconds = seconds(&text)?;
        match u64::try_from(seconds) {
            Ok(whole) if limits.contains(&seconds) => Ok(Some(Duration::from_secs(whole))),
            _ => Err(format!(
                "should be from {} seconds to {} days, not {text:?}",
                limits.start(),
                limits.end() / 86_400
            )),
        }
    }
}

/// A list of texts.
pub(crate) fn list(value: &Value) -> Result<Vec<String>, String> {
    let wrong = "should be a list of texts such as [\"one\", \"two\"]";
    let items = value.as_array().ok_or(wrong)?;
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let text = item.as_str().ok_or(wrong)?;
        texts.push(text.to_owned());
    }
    Ok(texts)
}

/// A list of `NAME=value`.
pub(crate) fn pairs(value: &Value) -> Result<Vec<String>, String> {
    let items = list(value)?;
    for item in &items {
        match item.split_once('=') {
            Some((name, _)) if !name.is_empty() => {}
            _ => return Err(format!("should be a list of NAME=value, and {item:?} is none")),
        }
    }
    Ok(items)
}

/// A list of networks; an address alone is a network of one address.
pub(crate) fn networks(value: &Value) -> Result<Vec<IpNet>, String> {
    let mut networks = Vec::new();
    for item in list(value)? {
        let Some(network) = network(&item) else {
            return Err(format!(
                "should be a list of networks and addresses such as 10.0.0.0/8, and {item:?} is \
                 neither"
            ));
        };
        networks.push(network);
    }
    Ok(networks)
}

fn network(text: &str) -> Option<IpNet> {
    if let Ok(network) = text.parse() {
        return Some(network);
    }
    let address: IpAddr = text.parse().ok()?;
    Some(IpNet::from(address))
}
