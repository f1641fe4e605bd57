//! `vomeet scan --report`: which findings of gitleaks or trufflehog have a correct checksum.

use crate::cli::scan_findings::{Finding, Findings, open};
use crate::domain::scan::sightings;
use crate::domain::token::TOKEN_CHARS;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::BufReader;
use std::path::Path;

/// The name of the rule in `deploy/scanners/gitleaks.toml`.
const RULE: &str = "vomeet-token";
/// What gitleaks writes in place of a secret with `--redact`.
const REDACTED: &str = "REDACTED";

/// An entry of gitleaks's list, or one of trufflehog's lines; only the members that are used.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "Secret", alias = "Raw")]
    secret: String,
    #[serde(rename = "RuleID")]
    rule: Option<String>,
    #[serde(rename = "File")]
    file: Option<String>,
    #[serde(rename = "StartLine")]
    line: Option<u64>,
    #[serde(rename = "Commit")]
    commit: Option<String>,
    #[serde(rename = "SourceMetadata")]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    /// By the type of source, such as `Git` or `Filesystem`.
    #[serde(rename = "Data")]
    data: BTreeMap<String, Place>,
}

/// Where a finding is, as far as the source has such a thing.
#[derive(Deserialize)]
struct Place {
    #[serde(alias = "link")]
    file: Option<String>,
    line: Option<u64>,
    commit: Option<String>,
}

/// Reads a report, an entry at a time, and passes those on that are tokens.
pub(super) fn check(report: &Path, findings: &mut Findings) {
    let file = match open(report) {
        Ok(file) => file,
        Err(error) => return findings.unreadable(report, &error),
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(file));
    let mut checker = Checker { findings, redacted: 0 };
    while json.end().is_err() {
        match json.deserialize_any(&mut checker) {
            Ok(()) => {}
            Err(error) if error.is_io() => return checker.findings.unreadable(report, &error),
            // The message of the error may quote a secret.
            Err(error) => {
                let what = format_args!(
                    "line {} is not of a JSON report of gitleaks or trufflehog",
                    error.line()
                );
                return checker.findings.unreadable(report, &what);
            }
        }
    }
    let redacted = checker.redacted;
    if redacted > 0 {
        let message = format!(
            "The report hides {redacted} of its secrets; have gitleaks write it without --redact."
        );
        findings.unchecked(&message);
    }
}

/// Checks a list of entries, or one.
struct Checker<'a> {
    findings: &'a mut Findings,
    redacted: usize,
}

impl Checker<'_> {
    fn entry(&mut self, entry: Entry) {
        let is_short = entry.rule.as_deref() == Some(RULE) && entry.secret.len() < TOKEN_CHARS;
        if is_short || entry.secret == REDACTED {
            self.redacted += 1;
            return;
        }
        let seen = sightings(entry.secret.as_bytes());
        let place = entry.place();
        let commit = place.commit.as_deref().filter(|commit| !commit.is_empty());
        for sighting in seen {
            let line = place.line.map(|line| line.saturating_add(sighting.line - 1));
            let file = place.file.as_deref().unwrap_or("?");
            self.findings.found(&Finding { file, line, commit, hint: &sighting.hint.0 });
        }
    }
}

impl<'de> Visitor<'de> for &mut Checker<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of findings, or one")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element()? {
            self.entry(entry);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.entry(Entry::deserialize(MapAccessDeserializer::new(map))?);
        Ok(())
    }
}

impl Entry {
    fn place(self) -> Place {
        if let Some(metadata) = self.metadata {
            let first = metadata.data.into_values().next();
            if let Some(place) = first {
                return place;
            }
        }
        Place { file: self.file, line: self.line, commit: self.commit }
    }
}
