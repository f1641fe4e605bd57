//! Webhook URLs: which of them a user may set, and which addresses are reached.

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

/// Why an address is not reached, whether its name is unknown or it may not be reached: somebody may
/// want to find out which names there are in the network of the server.
pub(super) const UNREACHABLE: &str = "The address of the webhook is unknown, private or reserved; the operator can allow private ones.";

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
        // Empty means none, as null does.
        if text.is_empty() {
            return Ok(Self(text));
        }
        match Target::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(why) => Err(Invalid::new("url_parsing", why)),
        }
    }
}

/// Names that only a private network knows: those without a dot, and those below these.
const PRIVATE_NAMES: &[&str] = &["localhost", "local", "internal", "lan", "home.arpa"];

/// Whether an address leads into a private network, as far as it says so itself: no name is looked
/// up. `allowed` are the networks that webhooks may reach besides public ones.
pub(crate) fn is_private(text: &str, allowed: &[IpNet]) -> bool {
    let Ok(target) = Target::parse(text) else { return false };
    let Some(Host::Domain(name)) = target.url.host() else { return target.is_refused(allowed) };
    let name = name.trim_end_matches('.');
    let is_below = |of: &&str| name.strip_suffix(*of).is_some_and(|rest| rest.ends_with('.'));
    !name.contains('.') || PRIVATE_NAMES.iter().any(is_below)
}

/// An address that can be posted to.
#[derive(Debug)]
pub(crate) struct Target {
    url: Url,
}

impl Target {
    /// Reads an address as browsers do (WHATWG URL), or says why it cannot be posted to.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("Input should be a valid URL, {why}"));
        if text.chars().count() > URL_CHARS_MAX
            || text.contains(|c: char| c.is_control() || c.is_whitespace())
        {
            return refused("without spaces and not too long");
        }
        let url =
            Url::parse(text).map_err(|error| format!("Input should be a valid URL, {error}"))?;
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

    /// Whether its scheme is https.
    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Path and query, for the first line of a request.
    pub(crate) fn path(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    /// The value of `Host`: the port only where it is not the scheme's default.
    pub(crate) fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// The name that its certificate must be for: an IP address without brackets, a name without a
    /// final dot.
    pub(crate) fn name(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    /// Whether it is written as an IP address that may not be reached.
    pub(super) fn is_refused(&self, allowed: &[IpNet]) -> bool {
        self.literal().is_some_and(|address| !may_reach(address, allowed))
    }

    fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(IpAddr::from(address).to_canonical()),
        }
    }

    /// Starts to look up its addresses; the receiver gets them in canonical form, or why there are
    /// none. The system's resolver has no time limit, so it has a thread of its own, which the end
    /// of the server does not wait for.
    pub(crate) fn look_up(&self) -> oneshot::Receiver<Result<Vec<SocketAddr>, String>> {
        let (found, receiver) = oneshot::channel();
        let port = self.url.port_or_known_default().unwrap_or_default();
        if let Some(address) = self.literal() {
            let _ = found.send(Ok(vec![SocketAddr::new(address, port)]));
            return receiver;
        }
        let name = self.url.host_str().unwrap_or_default().to_owned();
        let look_up = move || {
            // The receiver may have given up.
            let _ = found.send(resolve(&name, port));
        };
        // Without a thread the sender is dropped, which the receiver takes for a failure.
        let _ = std::thread::Builder::new().name("lookup".to_owned()).spawn(look_up);
        receiver
    }
}

/// Asks the system's resolver.
fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let Ok(found) = (name, port).to_socket_addrs() else {
        return Err(UNREACHABLE.to_owned());
    };
    let mut addresses = Vec::new();
    for address in found {
        addresses.push(SocketAddr::new(address.ip().to_canonical(), port));
    }
    Ok(addresses)
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
    fn private_networks_are_seen_by_the_address_alone() {
        let allowed = ["10.0.0.0/8".parse().expect("a network")];
        for (text, expected) in [
            ("http://app:8000/hook", true),
            ("http://localhost/", true),
            ("https://hooks.corp.internal/", true),
            ("https://printer.local./", true),
            ("http://192.168.1.5/hook", true),
            ("http://[fd00::1]/", true),
            ("http://10.1.2.3/", false),
            ("https://example.com/hook", false),
            ("https://internal.example.com/", false),
            ("https://1.1.1.1/", false),
            ("no address", false),
        ] {
            assert_eq!(is_private(text, &allowed), expected, "{text}");
        }
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
        for text in [
            "http://1.1.1.1/",
            "http://[2606:4700::1111]/",
            "http://localhost/",
            "http://example.com/",
        ] {
            assert!(!Target::parse(text).expect(text).is_refused(&[]), "{text}");
        }
        let allowed = ["127.0.0.0/8".parse().expect("a network")];
        assert!(!Target::parse("http://127.0.0.1/").expect("an address").is_refused(&allowed));
    }
}
