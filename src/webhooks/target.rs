//! Where events go: which addresses a user may name, and which of them are reached.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::SingleLine;
use crate::webhooks::blocked_networks::may_reach;
use hyper::Uri;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use tokio::sync::oneshot;
use url::{Host, Position, Url};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Longest address, in characters.
const URL_CHARS_MAX: usize = 2048;

/// Why an address is not reached; the address itself is not told, as it may be what somebody wants to find out.
pub const PRIVATE: &str = "The address of the webhook is private or reserved; the operator can allow it.";

/// An address as a user wrote it, of a form that can be posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl(pub String);

impl Field for WebhookUrl {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(URL_CHARS_MAX))
            .description(Some("An http or https address (WHATWG URL) without user name and fragment; empty is none."))
            .examples([serde_json::json!("https://example.com/hook")])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let SingleLine(text) = SingleLine::<URL_CHARS_MAX>::read(raw)?;
        match text.is_empty() {
            // Empty means none, as null does.
            true => Ok(Self(text)),
            false => Target::parse(&text).map(|_| Self(text)).map_err(|why| Invalid::new("url_parsing", why)),
        }
    }
}

/// An address that can be posted to.
#[derive(Debug)]
pub struct Target {
    url: Url,
}

impl Target {
    /// Reads an address as browsers do (WHATWG URL), or says why it cannot be posted to.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("Input should be a valid URL, {why}"));
        if text.chars().count() > URL_CHARS_MAX || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return refused("without spaces and not too long");
        }
        let url = Url::parse(text).map_err(|error| format!("Input should be a valid URL, {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return refused("with scheme http or https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("without a user name or a password");
        }
        if url.fragment().is_some() {
            return refused("without a fragment");
        }
        if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
            return refused("with a host and a port that can be reached");
        }
        let target = Self { url };
        match target.path().parse::<Uri>() {
            Ok(_) => Ok(target),
            Err(_) => refused("with a path that HTTP can carry"),
        }
    }

    /// Whether it is spoken to by TLS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// What stands in the first line of a request.
    pub fn path(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    /// What stands in `Host`: the port only where it is not the usual one.
    pub fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// The name that its certificate is held against: an IP address without brackets, a name without a final dot.
    pub fn name(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    /// Whether it is written as an IP address that may not be reached.
    pub fn is_refused(&self, allowed: &[IpNet]) -> bool {
        self.literal().is_some_and(|address| !may_reach(address, allowed))
    }

    fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(IpAddr::from(address).to_canonical()),
        }
    }

    /// Starts to look up its addresses; the receiver gets them, canonical, or why there are none. The system's resolver
    /// cannot be hurried, so it has a thread of its own, which no end of the server waits for.
    pub fn look_up(&self) -> oneshot::Receiver<Result<Vec<SocketAddr>, String>> {
        let (found, answer) = oneshot::channel();
        let port = self.url.port_or_known_default().unwrap_or_default();
        if let Some(address) = self.literal() {
            let _ = found.send(Ok(vec![SocketAddr::new(address, port)]));
            return answer;
        }
        let name = self.url.host_str().unwrap_or_default().to_owned();
        let look_up = move || {
            let addresses = (name.as_str(), port).to_socket_addrs().map(|addresses| {
                addresses.map(|address| SocketAddr::new(address.ip().to_canonical(), port)).collect::<Vec<_>>()
            });
            // Whoever asked may have given up.
            let _ = found.send(addresses.map_err(|_| "The name of the webhook cannot be resolved.".to_owned()));
        };
        // Without a thread the sender is dropped, which the receiver takes for a failure.
        let _ = std::thread::Builder::new().name("lookup".to_owned()).spawn(look_up);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_browsers_read_them() {
        for (text, expected) in [
            ("https://example.com/hook?a=1", Some(("example.com", "/hook?a=1"))),
            ("http://example.com", Some(("example.com", "/"))),
            ("HTTPS://EXAMPLE.com:8443/", Some(("example.com:8443", "/"))),
            ("http://bücher.example/ü", Some(("xn--bcher-kva.example", "/%C3%BC"))),
            ("http://2130706433/", Some(("127.0.0.1", "/"))),
            ("http://[::ffff:127.0.0.1]:8080/", Some(("[::ffff:7f00:1]:8080", "/"))),
            ("http://a/b|c\"d", Some(("a", "/b|c%22d"))),
            ("ftp://example.com/", None),
            ("file:///etc/passwd", None),
            ("javascript:alert(1)", None),
            ("http://user@example.com/", None),
            ("http://user:secret@example.com/", None),
            ("http://:secret@example.com/", None),
            ("http://example.com/#top", None),
            ("http://example.com:0/", None),
            ("http://example.com:70000/", None),
            ("http://", None),
            ("http:///", None),
            ("http://exa mple.com/", None),
            (" http://example.com/", None),
            ("http://1.2.3.4.5/", None),
            ("http://[::1/", None),
            ("example.com/hook", None),
            ("//example.com/hook", None),
        ] {
            let target = Target::parse(text);
            let read = target.as_ref().ok().map(|target| (target.authority(), target.path()));
            assert_eq!(read, expected, "{text}: {target:?}");
        }
        let long = format!("http://example.com/{}", "x".repeat(URL_CHARS_MAX));
        assert!(Target::parse(&long).is_err() && Target::parse(&long[..URL_CHARS_MAX]).is_ok());
    }

    #[test]
    fn a_private_address_is_seen_however_it_is_spelled() {
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0x7f.1/",
            "http://127.0.0.1./",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://0/",
            "http://[0:0:0:0:0:ffff:a00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0xa9fea9fe/",
            "http://[64:ff9b::7f00:1]/",
            "http://[fd00:ec2::254]/",
            "http://①②⑦.⓪.⓪.①/",
            "http://127%2e0%2e0%2e1/",
        ] {
            let target = Target::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert!(target.is_refused(&[]), "{text}");
        }
        for text in ["http://1.1.1.1/", "http://[2606:4700::1111]/", "http://localhost/", "http://example.com/"] {
            assert!(!Target::parse(text).expect(text).is_refused(&[]), "{text}");
        }
        let allowed = ["127.0.0.0/8".parse().expect("a network")];
        assert!(!Target::parse("http://127.0.0.1/").expect("an address").is_refused(&allowed));
    }
}
