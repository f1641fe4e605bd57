//! `vomeet import verify`: the former server and this one are asked with every key of a dump, and
//! what they answer is compared. No key is printed.

use crate::domain::spoken::{is_speech, without_controls};
use crate::exit::{Code, StartupError};
use crate::import::asked::Asked;
use crate::import::dump::Dump;
use crate::import::key::carried;
use crate::import::run::open;
use crate::store::PLANNED_STATES;
use hyper::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Transcripts of a key that are compared: of its newest meetings.
const TRANSCRIPTS_MAX: usize = 3;
/// Differences that are listed.
const LISTED_MAX: usize = 20;
/// What is written as it is in a part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Most pages of meetings of one key.
const PAGES_MAX: usize = 10_000;

/// What is compared.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The address of the former server.
    pub old: String,
    /// The address of this one.
    pub new: String,
    /// The dump that has the keys.
    pub keys_from: PathBuf,
    /// Whether keys may go over http to other machines.
    pub plain: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Comparison {
    /// Keys that were tried.
    pub keys: u64,
    /// Keys that open the same on both servers.
    pub same: u64,
    /// Keys that do not.
    pub differ: u64,
    /// Meetings that were compared.
    pub meetings: u64,
    /// Transcripts that were compared.
    pub transcripts: u64,
    /// Transcripts that neither server gives, although both list the meeting: not compared.
    pub transcripts_refused: u64,
    /// The first differences, in words.
    pub differences: Vec<String>,
}

/// A meeting as a list shows it, in the spelling of that server.
#[derive(Debug)]
struct Shown {
    platform: String,
    native_id: String,
}

impl Shown {
    /// The same without what may be written in another way.
    fn folded(&self) -> (String, String) {
        (self.platform.to_lowercase(), self.native_id.to_lowercase())
    }

    /// The path of its transcript.
    fn path(&self) -> String {
        let native_id = utf8_percent_encode(&self.native_id, IN_PATH);
        let platform = utf8_percent_encode(&self.platform, IN_PATH);
        format!("/transcripts/{platform}/{native_id}")
    }
}

/// Asks both servers.
pub(crate) async fn run(
    wanted: &Wanted,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<Comparison, StartupError> {
    let mut old = Asked::at(&wanted.old, wanted.plain)?;
    let mut new = Asked::at(&wanted.new, wanted.plain)?;
    let mut dump = Dump::open(open(&wanted.keys_from)?)?;
    let mut compared = Comparison::default();
    while let Some(table) = dump.next_table()? {
        let column = match (table.schema.as_str(), table.name.as_str()) {
            ("public", "api_tokens") => "token",
            ("public", "accounts") => "api_key",
            _ => continue,
        };
        let (id, column) = (table.column("id")?, table.column(column)?);
        while let Some(row) = dump.next_row()? {
            let which = format!("{} {}", table.name, row.id(id)?);
            let Some(key) = row.text(column).and_then(|key| carried(&key)) else { continue };
            compared.keys += 1;
            let difference = compare(&mut old, &mut new, &key, &mut compared).await?;
            match difference {
                None => compared.same += 1,
                Some(why) => {
                    compared.differ += 1;
                    if compared.differences.len() < LISTED_MAX {
                        compared.differences.push(format!("{which}: {why}"));
                    }
                }
            }
            progress("keys", compared.keys);
        }
    }
    if compared.keys == 0 {
        let message = "The dump has no keys, so nothing was compared.";
        return Err(StartupError::new(Code::Invalid, message));
    }
    Ok(compared)
}

/// What one key does not open in the same way.
async fn compare(
    old: &mut Asked,
    new: &mut Asked,
    key: &[u8],
    compared: &mut Comparison,
) -> Result<Option<String>, StartupError> {
    let there = meetings(old, key).await?;
    let here = meetings(new, key).await?;
    let (there, here) = match (there, here) {
        (Ok(there), Ok(here)) => (there, here),
        (Err(_), Err(_)) => return Ok(None),
        (Err(status), Ok(_)) => return Ok(Some(format!("refused there alone ({status})"))),
        (Ok(_), Err(status)) => return Ok(Some(format!("refused here alone ({status})"))),
    };
    compared.meetings += there.len() as u64;
    if let Some(first) = first_difference(&there, &here) {
        let (there, here) = (there.len(), here.len());
        return Ok(Some(format!("{there} meetings there, {here} here; meeting {first} differs")));
    }
    // Of several meetings with one name, a transcript is that of the newest.
    let mut names = BTreeSet::new();
    for (id, shown) in there.iter().rev() {
        let Some(shown_here) = here.get(id) else { continue };
        if names.len() == TRANSCRIPTS_MAX {
            break;
        }
        if shown.native_id.is_empty() || !names.insert(shown.folded()) {
            continue;
        }
        let theirs = words(old, &shown.path(), key).await?;
        let ours = words(new, &shown_here.path(), key).await?;
        match (theirs, ours) {
            (None, None) => compared.transcripts_refused += 1,
            (theirs, ours) if theirs == ours => compared.transcripts += 1,
            _ => return Ok(Some(format!("another transcript at {}", shown.path()))),
        }
    }
    Ok(None)
}

/// The first meeting that only one of the servers lists, or each in another way.
fn first_difference(there: &BTreeMap<i64, Shown>, here: &BTreeMap<i64, Shown>) -> Option<i64> {
    for (id, shown) in there {
        let is_same = here.get(id).is_some_and(|other| other.folded() == shown.folded());
        if !is_same {
            return Some(*id);
        }
    }
    here.keys().find(|id| !there.contains_key(id)).copied()
}

/// The meetings that a key opens, by their ids; the status where it opens nothing.
async fn meetings(
    server: &mut Asked,
    key: &[u8],
) -> Result<Result<BTreeMap<i64, Shown>, StatusCode>, StartupError> {
    let (mut meetings, mut read) = (BTreeMap::new(), 0);
    for _ in 0..PAGES_MAX {
        let path = match read {
            0 => "/meetings".to_owned(),
            read => format!("/meetings?offset={read}"),
        };
        let answer = server.get(&path, key).await?;
        match answer.status {
            StatusCode::OK if answer.json["meetings"].is_array() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Ok(Err(status)),
            status => return Err(server.odd(&path, status)),
        }
        let before = read;
        for meeting in answer.json["meetings"].as_array().unwrap_or(&Vec::new()) {
            let Some(id) = meeting["id"].as_i64() else { continue };
            let text = |member: &str| meeting[member].as_str().unwrap_or_default();
            read += 1;
            if !PLANNED_STATES.contains(&text("status")) {
                let platform = text("platform").to_owned();
                let native_id = text("native_meeting_id").to_owned();
                meetings.insert(id, Shown { platform, native_id });
            }
        }
        if answer.json["has_more"] != Value::Bool(true) || read == before {
            break;
        }
    }
    Ok(Ok(meetings))
}

/// The words of a transcript, sorted: two servers may order what was said at one time in two ways.
/// `None` where the server has none under this name.
async fn words(
    server: &mut Asked,
    path: &str,
    key: &[u8],
) -> Result<Option<Vec<String>>, StartupError> {
    let answer = server.get(path, key).await?;
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => return Ok(None),
        StatusCode::OK => {}
        status => return Err(server.odd(path, status)),
    }
    let Some(segments) = answer.json["segments"].as_array() else {
        return Err(server.odd(path, answer.status));
    };
    let mut words = Vec::new();
    for segment in segments {
        let text = without_controls(segment["text"].as_str().unwrap_or_default());
        if is_speech(&text) {
            words.push(text.trim().to_owned());
        }
    }
    words.sort();
    Ok(Some(words))
}
