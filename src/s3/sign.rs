//! AWS Signature Version 4 in headers ("Authenticating Requests: Using the Authorization Header").

use crate::domain::Time;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use ring::hmac;
use std::fmt::{self, Write};

/// What is not escaped in a path or a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The headers that are signed, as they are listed.
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

/// The keys of an account.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The access key's id, which is no secret.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// A request that is to be signed.
pub(super) struct Unsigned<'a> {
    /// `GET`, `PUT` and so on.
    pub method: &'a str,
    /// The escaped path.
    pub path: &'a str,
    /// The escaped query.
    pub query: &'a str,
    /// The value of `Host`.
    pub host: &'a str,
    /// The SHA-256 of the body, in hexadecimal.
    pub body_sha256: &'a str,
}

/// Escapes a part of a path or of a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The query of these parameters, in the order in which they are signed.
pub(super) fn query_of(parameters: &[(&str, &str)]) -> String {
    let mut pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// The SHA-256 of these bytes, in hexadecimal.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// The time as in `x-amz-date`.
pub(super) fn date_of(at: Time) -> String {
    let instant = Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The value of `Authorization` for a request that is sent at this time, as [`date_of`] gives it.
pub(super) fn authorization(
    request: &Unsigned<'_>,
    keys: &Keys,
    region: &str,
    date: &str,
) -> String {
    let Unsigned { method, path, query, host, body_sha256 } = request;
    let canonical = format!(
        "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{body_sha256}\n\
         x-amz-date:{date}\n\n{SIGNED}\n{body_sha256}"
    );
    let day = &date[..8];
    let scope = format!("{day}/{region}/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256_of(canonical.as_bytes()));
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for part in [day, region, "s3", "aws4_request"] {
        key = hmac_of(&key, part);
    }
    let signature = hex(&hmac_of(&key, &to_sign));
    let id = &keys.id;
    format!("AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={SIGNED},Signature={signature}")
}

fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// In hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the documentation of the signature.
    #[test]
    fn signatures_are_those_of_the_documentation() {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let date = date_of(Time::from_millis(1_369_353_600_000));
        assert_eq!(date, "20130524T000000Z");
        for (query, signature) in [
            (
                query_of(&[("prefix", "J"), ("max-keys", "2")]),
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
            (
                query_of(&[("lifecycle", "")]),
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
        ] {
            let body_sha256 = &sha256_of(b"");
            let host = "examplebucket.s3.amazonaws.com";
            let request = Unsigned { method: "GET", path: "/", query: &query, host, body_sha256 };
            let signed = authorization(&request, &keys, "us-east-1", &date);
            assert!(signed.ends_with(&format!("Signature={signature}")), "{query}: {signed}");
        }
    }

    #[test]
    fn what_is_not_plain_is_escaped() {
        assert_eq!(escaped("a b/ü~"), "a%20b%2F%C3%BC~");
    }
}
