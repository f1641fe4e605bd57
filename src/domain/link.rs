//! Meeting links, as people paste them: which meeting they lead to.
//!
//! The table of cases in `tests/links.json` holds for this parser and for the Python client's.

use crate::domain::link_text::{TEAMS_HOSTS, bare, host as link_host, is_below, parsed, unwrapped};
use crate::domain::meeting::Platform;
use crate::domain::native_id::{
    is_link_passcode, is_teams_number, is_teams_thread, is_zoom_number, meet_code,
};
use percent_encoding::percent_decode_str;
use url::Url;

/// Longest link, in bytes.
const LINK_BYTES_MAX: usize = 4096;
/// How many wrappers may stand around each other.
const WRAPPERS_MAX: usize = 3;
/// Longest native id, in characters.
const ID_CHARS_MAX: usize = 255;

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingLink {
    /// Where the meeting is held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_id: String,
    /// What the bot opens.
    pub url: String,
    /// What opens the meeting.
    pub passcode: Option<String>,
}

/// Takes a link apart; a link that leads to no meeting is refused with a sentence. `hosts` are those
/// of pages that are no platform's: a host, or `*.` and a domain for all hosts below it.
pub fn parse(link: &str, hosts: &[String]) -> Result<MeetingLink, String> {
    if link.len() > LINK_BYTES_MAX {
        return Err(format!("a link has at most {LINK_BYTES_MAX} bytes"));
    }
    let link = bare(link);
    let mut url = parsed(&link)?;
    for _ in 0..WRAPPERS_MAX {
        match unwrapped(&url) {
            Some(inner) => url = parsed(&bare(&inner))?,
            None => return meeting(&url, hosts),
        }
    }
    Err("too many links stand around this link".to_owned())
}

fn meeting(url: &Url, hosts: &[String]) -> Result<MeetingLink, String> {
    let host = link_host(url);
    match host {
        "meet.google.com" | "g.co" => google_meet(url, host),
        _ if TEAMS_HOSTS.contains(&host) => teams(url, host),
        _ if is_below(host, "zoom.us") => zoom(url, host),
        _ if is_below(host, "zoom.com") => Err(
            "this Zoom host forwards to another one: open the link and send the zoom.us address \
             that it leads to"
                .to_owned(),
        ),
        _ => own_page(url, host, hosts),
    }
}

/// The segments of a path, decoded.
fn segments(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
}

fn google_meet(url: &Url, host: &str) -> Result<MeetingLink, String> {
    let path = segments(url.path());
    let first = path.first().map(String::as_str).unwrap_or_default();
    let is_other = first == "lookup" || (host == "g.co" && first != "meet");
    let code = path.last().and_then(|last| meet_code(last)).filter(|_| !is_other);
    let Some(code) = code else {
        return Err("a Google Meet link ends in a code such as abc-defg-hij".to_owned());
    };
    Ok(MeetingLink {
        platform: Platform::GoogleMeet,
        url: format!("https://meet.google.com/{code}"),
        native_id: code,
        passcode: None,
    })
}

/// The host is kept: the bot opens what the user was sent.
fn teams(url: &Url, host: &str) -> Result<MeetingLink, String> {
    // The web application has the path behind the hash.
    let fragment = url.fragment().filter(|fragment| fragment.starts_with('/'));
    let inner = fragment.and_then(|path| Url::parse(&format!("https://{host}{path}")).ok());
    let inner = inner.as_ref().unwrap_or(url);
    let path = segments(inner.path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["l", "meetup-join", thread, ..] if is_teams_thread(thread) => Ok(MeetingLink {
            platform: Platform::Teams,
            native_id: (*thread).to_owned(),
            url: url.to_string(),
            passcode: None,
        }),
        ["meet", number] if is_teams_number(number) => {
            let passcode = passcode(inner, "p")?;
            Ok(MeetingLink {
                platform: Platform::Teams,
                native_id: (*number).to_owned(),
                url: with_passcode(
                    &format!("https://{host}/meet/{number}"),
                    "p",
                    passcode.as_deref(),
                ),
                passcode,
            })
        }
        _ => Err("a Teams link has the form /l/meetup-join/19:…@thread.v2/… or /meet/1234567890"
            .to_owned()),
    }
}

fn zoom(url: &Url, host: &str) -> Result<MeetingLink, String> {
    let path = segments(url.path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["j", number] | ["wc", "join", number] if is_zoom_number(number) => {
            let passcode = passcode(url, "pwd")?;
            Ok(MeetingLink {
                platform: Platform::Zoom,
                native_id: (*number).to_owned(),
                url: with_passcode(
                    &format!("https://{host}/j/{number}"),
                    "pwd",
                    passcode.as_deref(),
                ),
                passcode,
            })
        }
        _ => Err("a Zoom link has the form /j/123456789, with 9 to 11 digits".to_owned()),
    }
}

/// What opens the meeting, as the link has it; a plus in it is a plus.
fn passcode(url: &Url, name: &str) -> Result<Option<String>, String> {
    for pair in url.query().unwrap_or_default().split('&') {
        let Some((key, value)) = pair.split_once('=') else { continue };
        if key != name || value.is_empty() {
            continue;
        }
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        if !is_link_passcode(&value) {
            return Err("the passcode of the link is not one".to_owned());
        }
        return Ok(Some(value));
    }
    Ok(None)
}

/// The address with a passcode as its only parameter.
pub(crate) fn with_passcode(address: &str, name: &str, passcode: Option<&str>) -> String {
    match passcode {
        None => address.to_owned(),
        Some(passcode) => format!("{address}?{name}={}", passcode.replace('+', "%2B")),
    }
}

/// A page that is no platform's: a room of Jitsi where the path is one name, else by its address.
fn own_page(url: &Url, host: &str, hosts: &[String]) -> Result<MeetingLink, String> {
    check_host(host, hosts)?;
    let path = segments(url.path());
    if let [room] = path.as_slice()
        && let Some(native_id) = room_id(room, host)
        && url.query().is_none()
    {
        return Ok(MeetingLink {
            platform: Platform::Jitsi,
            native_id,
            url: url.to_string(),
            passcode: None,
        });
    }
    Ok(page(url))
}

/// A page by its address alone.
fn page(url: &Url) -> MeetingLink {
    let hash = blake3::hash(url.as_str().as_bytes()).to_hex();
    MeetingLink {
        platform: Platform::Generic,
        native_id: format!("u-{}", &hash[..16]),
        url: url.to_string(),
        passcode: None,
    }
}

impl MeetingLink {
    /// The same link, where somebody says that it leads to a page of their own and not to a room of
    /// Jitsi.
    #[must_use]
    pub fn as_page(self) -> Self {
        match Url::parse(&self.url) {
            Ok(url) if self.platform == Platform::Jitsi => page(&url),
            _ => self,
        }
    }
}

/// `room@host`.
fn room_id(room: &str, host: &str) -> Option<String> {
    let id = format!("{room}@{host}");
    let is_room =
        !room.is_empty() && !room.contains(['@', '/']) && !room.contains(char::is_control);
    (is_room && id.chars().count() <= ID_CHARS_MAX).then_some(id)
}

/// A room of Jitsi by its native id.
pub fn jitsi_room(native_id: &str, hosts: &[String]) -> Result<MeetingLink, String> {
    let no_room = || "a Jitsi ID has the form room@host".to_owned();
    let (room, host) = native_id.split_once('@').ok_or_else(no_room)?;
    let mut url = parsed(host)?;
    if link_host(&url) != host || room_id(room, host).is_none() {
        return Err(no_room());
    }
    check_host(host, hosts)?;
    url.path_segments_mut().map_err(|()| no_room())?.clear().push(room);
    Ok(MeetingLink {
        platform: Platform::Jitsi,
        native_id: native_id.to_owned(),
        url: url.to_string(),
        passcode: None,
    })
}

/// Whether bots may be sent to a page of this host.
fn check_host(host: &str, hosts: &[String]) -> Result<(), String> {
    let is_allowed = hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
        Some(domain) => host != domain && is_below(host, domain),
        None => host == allowed,
    });
    if is_allowed {
        return Ok(());
    }
    Err(format!("this link leads to no platform, and bots.hosts does not name {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The hosts of pages of one's own, as the table has them.
    fn hosts() -> Vec<String> {
        ["meet.example.org", "*.pages.example.com"].map(str::to_owned).into()
    }

    /// The cases that the Python client's parser is held to as well.
    #[test]
    fn links_lead_where_the_table_says() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/links.json")).expect("the table");
        assert!(cases.len() > 60, "{} cases", cases.len());
        for case in &cases {
            let link = case["link"].as_str().expect("a link");
            match (parse(link, &hosts()), case["refused"].as_str()) {
                (Err(why), Some(part)) => assert!(why.contains(part), "{link}: {why}"),
                (found, _) => {
                    let found = found.map(|found| {
                        serde_json::json!({
                            "link": link,
                            "platform": found.platform,
                            "native_meeting_id": found.native_id,
                            "passcode": found.passcode,
                            "meeting_url": found.url,
                        })
                    });
                    assert_eq!(found.as_ref(), Ok(case), "{link}");
                }
            }
        }
    }

    #[test]
    fn a_page_is_a_room_of_jitsi_unless_somebody_says_otherwise() {
        let link = parse("https://meet.example.org/weekly", &hosts()).expect("a link");
        assert_eq!(
            (link.platform, link.native_id.as_str()),
            (Platform::Jitsi, "weekly@meet.example.org")
        );
        let page = link.as_page();
        let hash = blake3::hash(b"https://meet.example.org/weekly").to_hex();
        assert_eq!(page.native_id, format!("u-{}", &hash[..16]));
        assert_eq!(
            (page.platform, page.url.as_str()),
            (Platform::Generic, "https://meet.example.org/weekly")
        );
    }

    #[test]
    fn rooms_have_addresses() {
        for (id, url) in [
            ("weekly@meet.example.org", Some("https://meet.example.org/weekly")),
            ("our room@meet.example.org", Some("https://meet.example.org/our%20room")),
            ("weekly@a.pages.example.com", Some("https://a.pages.example.com/weekly")),
            ("weekly@pages.example.com", None),
            ("weekly@xpages.example.com", None),
            ("weekly@example.org", None),
            ("weekly", None),
            ("@meet.example.org", None),
            ("a@b@meet.example.org", None),
            ("weekly@127.0.0.1", None),
            ("weekly@Meet.example.org", None),
            ("weekly@meet.example.org/x", None),
            ("weekly@meet.example.org:8443", None),
        ] {
            assert_eq!(jitsi_room(id, &hosts()).ok().map(|link| link.url).as_deref(), url, "{id}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_link_or_none(text in ".{0,80}", host in "(meet.google.com|teams.live.com|zoom.us|www.google.com/url\\?q=)", path in "[/a-zA-Z0-9%?&=#:@.-]{0,60}") {
            for link in [text, format!("https://{host}/{path}"), format!("{host}{path}")] {
                if let Ok(found) = parse(&link, &hosts()) {
                    proptest::prop_assert!(found.url.starts_with("https://"), "{}", found.url);
                    // What it leads to is itself a link to the same meeting.
                    let again = parse(&found.url, &hosts()).map(|again| (again.platform, again.native_id));
                    let is_page = found.platform == Platform::Generic;
                    proptest::prop_assert!(is_page || again == Ok((found.platform, found.native_id)), "{}", found.url);
                }
            }
        }
    }
}
