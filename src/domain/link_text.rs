//! The text of a link: what stands around it, what wraps it, and which hosts are whose.

use url::{Host, Url};

/// The hosts of Teams meetings.
pub(crate) const TEAMS_HOSTS: &[&str] = &[
    "teams.microsoft.com",
    "teams.live.com",
    "teams.cloud.microsoft",
    "teams.microsoft.us",
    "gov.teams.microsoft.us",
    "dod.teams.microsoft.us",
];

/// What surrounds a link in running text.
const AROUND: &[char] = &['<', '>', '"', '\'', '“', '”', '„', '‘', '’', '«', '»', '(', '[', ' '];
/// What stands behind a link in running text.
const BEHIND: &[char] = &['.', ',', ';', '!', ')', ']'];

/// The link without what stands around it.
pub(crate) fn bare(link: &str) -> String {
    let mut link = link.trim();
    loop {
        let before = link;
        link = link.trim_matches(AROUND).trim().trim_end_matches(BEHIND);
        if link == before {
            break;
        }
    }
    link.replace("&amp;", "&")
}

pub(crate) fn parsed(link: &str) -> Result<Url, String> {
    let no_link = || "this is not a link to a meeting".to_owned();
    let with_scheme = if has_scheme(link) { link.to_owned() } else { format!("https://{link}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| no_link())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(no_link());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a link to a meeting names no user".to_owned());
    }
    match url.host() {
        Some(Host::Domain(_)) => {}
        Some(_) => return Err("a link to a meeting names a host, not an address".to_owned()),
        None => return Err(no_link()),
    }
    if url.port().is_some() {
        return Err("a link to a meeting names no port".to_owned());
    }
    let is_plain = url.scheme() == "http";
    if is_plain && !is_known(host(&url)) {
        return Err("a link to this host must begin with https://".to_owned());
    }
    if is_plain && url.set_scheme("https").is_err() {
        return Err(no_link());
    }
    Ok(url)
}

fn has_scheme(link: &str) -> bool {
    let Some((scheme, _)) = link.split_once("://") else { return false };
    scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether a host is a platform's own, or one that wraps links.
fn is_known(host: &str) -> bool {
    matches!(host, "meet.google.com" | "g.co" | "google.com" | "www.google.com")
        || TEAMS_HOSTS.contains(&host)
        || is_below(host, "zoom.us")
        || is_below(host, "safelinks.protection.outlook.com")
}

pub(crate) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

pub(crate) fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let value = url.query_pairs().find(|(key, _)| key == name)?.1.into_owned();
    (!value.is_empty()).then_some(value)
}

/// The link in a wrapper of Google, Outlook or Teams.
pub(crate) fn unwrapped(url: &Url) -> Option<String> {
    match (host(url), url.path()) {
        ("google.com" | "www.google.com", "/url") => {
            parameter(url, "q").or_else(|| parameter(url, "url"))
        }
        (host, _) if is_below(host, "safelinks.protection.outlook.com") => parameter(url, "url"),
        (host, "/dl/launcher/launcher.html") if TEAMS_HOSTS.contains(&host) => {
            let path = parameter(url, "url")?;
            path.starts_with('/').then(|| format!("https://{host}{path}"))
        }
        _ => None,
    }
}
