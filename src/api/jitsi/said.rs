//! What a videobridge says in texts: fifty of them a second for each participant who speaks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Longest name of a stream or an endpoint, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The encoding and the rate that bridges send.
const ENCODING: &str = "opus";
const RATE: u64 = 48_000;

/// A text of a bridge.
pub(super) enum Said<'a> {
    /// A stream begins.
    Start(Start),
    /// A packet of a stream.
    Media(Media<'a>),
    /// The bridge asks whether somebody is there, by this number.
    Ping(Option<u64>),
    /// Nothing more comes.
    SessionEnd,
    /// What concerns nobody here.
    Other,
}

/// A stream begins.
pub(super) struct Start {
    /// The stream.
    pub tag: String,
    /// Whose it is.
    pub endpoint: String,
}

/// A packet of a stream.
pub(super) struct Media<'a> {
    /// The stream.
    pub tag: Cow<'a, str>,
    /// When it was spoken, in samples of 48,000 a second, from whenever.
    pub timestamp: u64,
    /// An Opus packet.
    pub packet: Vec<u8>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    media: Option<RawMedia<'a>>,
    id: Option<Number>,
}

#[derive(Deserialize)]
struct RawMedia<'a> {
    #[serde(borrow)]
    tag: Cow<'a, str>,
    timestamp: Number,
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStart {
    tag: String,
    media_format: MediaFormat,
    #[serde(default)]
    custom_parameters: CustomParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat {
    encoding: String,
    sample_rate: Number,
    channels: Option<Number>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct CustomParameters {
    endpoint_id: Option<String>,
}

/// A whole number, or its digits in a text.
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                match text.parse() {
                    Ok(number) if is_number => Ok(Number(number)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

/// Reads a text, or says what is wrong with it.
pub(super) fn said(text: &str) -> Result<Said<'_>, String> {
    // What is no object would be read as the members of one in their order.
    if !text.trim_start().starts_with('{') {
        return Err("a text should be an object with an event".to_owned());
    }
    let read: Text<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match &*read.event {
        "media" => media(read.media.ok_or("media: Field required")?).map(Said::Media),
        "start" => start(read.start.ok_or("start: Field required")?).map(Said::Start),
        "ping" => Ok(Said::Ping(read.id.map(|id| id.0))),
        "session-end" => Ok(Said::SessionEnd),
        _ => Ok(Said::Other),
    }
}

fn media(media: RawMedia<'_>) -> Result<Media<'_>, String> {
    // Strict: bits left over and a missing padding are an error.
    let packet = STANDARD.decode(media.payload.as_bytes());
    let packet = packet.map_err(|error| format!("payload: {error}"))?;
    Ok(Media { tag: media.tag, timestamp: media.timestamp.0, packet })
}

fn start(json: &RawValue) -> Result<Start, String> {
    let start: RawStart =
        serde_json::from_str(json.get()).map_err(|error| format!("start: {error}"))?;
    let format = start.media_format;
    if !format.encoding.eq_ignore_ascii_case(ENCODING) || format.sample_rate.0 != RATE {
        return Err("mediaFormat should be opus with a sampleRate of 48000".to_owned());
    }
    if !matches!(format.channels, None | Some(Number(1 | 2))) {
        return Err("channels should be 1 or 2".to_owned());
    }
    // Without a name of its own, an endpoint is called as its stream.
    let endpoint = start.custom_parameters.endpoint_id.unwrap_or_else(|| start.tag.clone());
    for name in [&start.tag, &endpoint] {
        let is_name =
            (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control);
        if !is_name {
            return Err("tag and endpointId should have 1 to 128 characters".to_owned());
        }
    }
    Ok(Start { tag: start.tag, endpoint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        match said(text) {
            Ok(_) => panic!("it was taken: {text}"),
            Err(error) => error,
        }
    }

    #[test]
    fn what_bridges_say_is_read() {
        let start = r#"{"event":"start","sequenceNumber":1,"start":{"tag":"a-1","mediaFormat":
            {"encoding":"opus","sampleRate":48000,"channels":2},"customParameters":{"endpointId":"a"}}}"#;
        let Ok(Said::Start(start)) = said(start) else { panic!("a start") };
        assert_eq!((&*start.tag, &*start.endpoint), ("a-1", "a"));
        for timestamp in ["960", "\"960\""] {
            let media = format!(
                r#"{{"event":"media","media":{{"tag":"a-1","chunk":7,"timestamp":{timestamp},"payload":"+AE="}}}}"#
            );
            let Ok(Said::Media(media)) = said(&media) else { panic!("media") };
            assert_eq!((&*media.tag, media.timestamp), ("a-1", 960));
            assert_eq!(media.packet, [0xf8, 0x01]);
        }
        assert!(matches!(said(r#"{"event":"ping","id":3}"#), Ok(Said::Ping(Some(3)))));
        assert!(matches!(said(r#"{"event":"ping"}"#), Ok(Said::Ping(None))));
        assert!(matches!(said(r#"{"event":"session-end"}"#), Ok(Said::SessionEnd)));
        assert!(matches!(said(r#"{"event":"info","more":[1]}"#), Ok(Said::Other)));
    }

    #[test]
    fn what_nobody_can_use_is_an_error_with_its_name() {
        let start = |format: &str, tag: &str| {
            format!(r#"{{"event":"start","start":{{"tag":"{tag}","mediaFormat":{format}}}}}"#)
        };
        let media = |timestamp: &str, payload: &str| {
            format!(
                r#"{{"event":"media","media":{{"tag":"a","timestamp":{timestamp},"payload":"{payload}"}}}}"#
            )
        };
        let opus = r#"{"encoding":"opus","sampleRate":48000}"#;
        for (text, named) in [
            ("{".to_owned(), "EOF"),
            ("[]".to_owned(), "event"),
            (r#"["ping",null,null,3]"#.to_owned(), "event"),
            ("{}".to_owned(), "event"),
            (r#"{"event":"media"}"#.to_owned(), "media"),
            (r#"{"event":"start"}"#.to_owned(), "start"),
            (start(r#"{"encoding":"pcmu","sampleRate":8000}"#, "a"), "opus"),
            (start(r#"{"encoding":"opus","sampleRate":16000}"#, "a"), "48000"),
            (start(r#"{"encoding":"opus","sampleRate":48000,"channels":6}"#, "a"), "channels"),
            (start(opus, ""), "tag"),
            (start(opus, &"a".repeat(129)), "tag"),
            (media("-1", "+AE="), "whole number"),
            (media("\"+1\"", "+AE="), "whole number"),
            (media("1.5", "+AE="), "whole number"),
            (media("1", "+AE"), "payload"),
            (media("1", "+AF="), "payload"),
            (media("1", "-AE="), "payload"),
            (media("1", "+A E="), "payload"),
        ] {
            let error = wrong(&text);
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
