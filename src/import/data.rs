//! The free-form data of users and meetings, from which secrets are taken out.

use crate::domain::Data;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Members that hold secrets or belong to what is not here: calendars, and settings of models.
const NOT_HERE: &[&str] = &["calendar", "google", "models", "transcription"];
/// A member with such a word in its name, or in the name of a member of it, holds a secret.
const SECRETS: &[&str] = &[
    "secret",
    "token",
    "password",
    "passwd",
    "api_key",
    "apikey",
    "private_key",
    "credential",
    "cookie",
];
/// The secrets in the data of a meeting.
const OF_MEETING: &[&str] = &["webhook_secret", "webhook_secrets"];

/// Data without its secrets.
#[derive(Debug, Default)]
pub(super) struct Cleaned {
    /// What is kept.
    pub data: Data,
    /// Where events go.
    pub webhook_url: Option<String>,
    /// What signs them.
    pub webhook_secret: Option<String>,
    /// The names of what was left out.
    pub left_out: Vec<String>,
    /// Whether it was no object, or one that cannot be kept.
    pub is_lost: bool,
}

/// The data of a user or an account.
pub(super) fn of_user(json: &str) -> Cleaned {
    let Some((mut members, value)) = members(json) else { return lost() };
    let mut cleaned = Cleaned {
        webhook_url: take_text(&mut members, "webhook_url"),
        webhook_secret: take_text(&mut members, "webhook_secret"),
        ..Cleaned::default()
    };
    members.retain(|name, _| {
        let lower = name.to_lowercase();
        let is_elsewhere = NOT_HERE.iter().any(|word| lower.starts_with(word));
        let is_left_out = is_elsewhere || has_secret(name, &value[name]);
        if is_left_out {
            cleaned.left_out.push(name.clone());
        }
        !is_left_out
    });
    cleaned.data = Data::of(&members);
    cleaned
}

/// The data of a meeting.
pub(super) fn of_meeting(json: &str) -> Cleaned {
    let Some((mut members, _)) = members(json) else { return lost() };
    let mut cleaned = Cleaned::default();
    members.retain(|name, _| {
        let is_left_out = OF_MEETING.contains(&name.as_str());
        if is_left_out {
            cleaned.left_out.push(name.clone());
        }
        !is_left_out
    });
    cleaned.data = Data::of(&members);
    cleaned
}

fn lost() -> Cleaned {
    Cleaned { is_lost: true, ..Cleaned::default() }
}

/// The members to the letter, and as values; `None` of what is no object, or one that not every
/// reader of JSON takes.
fn members(json: &str) -> Option<(BTreeMap<String, Box<RawValue>>, Value)> {
    let value: Value = serde_json::from_str(json).ok()?;
    let members = match &value {
        Value::Null => BTreeMap::new(),
        Value::Object(_) => serde_json::from_str(json).ok()?,
        _ => return None,
    };
    Some((members, value))
}

/// Takes a text out; what is no text stays, and an empty one is none.
fn take_text(members: &mut BTreeMap<String, Box<RawValue>>, name: &str) -> Option<String> {
    let text: String = serde_json::from_str(members.get(name)?.get()).ok()?;
    members.remove(name);
    Some(text).filter(|text| !text.is_empty())
}

fn has_secret(name: &str, value: &Value) -> bool {
    let lower = name.to_lowercase();
    if SECRETS.iter().any(|word| lower.contains(word)) {
        return true;
    }
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| has_secret(name, value)),
        Value::Array(items) => items.iter().any(|item| has_secret("", item)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_belongs_elsewhere_are_taken_out() {
        let cleaned = of_user(
            r#"{"team":"a","n":12345678901234567890123,"webhook_url":"https://e.com/","webhook_secret":"s3",
                "calendar_ics_url":"https://c.com/x","models":{"mode":"own"},"google_calendar":{},
                "prefs":{"llm":[{"api_key":"k"}]},"Refresh_Token":"t","webhook_events":["*"]}"#,
        );
        let kept = r#"{"n":12345678901234567890123,"team":"a","webhook_events":["*"]}"#;
        assert_eq!(cleaned.data.as_json(), kept);
        assert_eq!(cleaned.webhook_url.as_deref(), Some("https://e.com/"));
        assert_eq!(cleaned.webhook_secret.as_deref(), Some("s3"));
        let left_out = ["Refresh_Token", "calendar_ics_url", "google_calendar", "models", "prefs"];
        assert_eq!(cleaned.left_out, left_out);

        let cleaned = of_meeting(r#"{"webhook_secret":"s","name":"Standup","tokens":3}"#);
        assert_eq!(cleaned.data.as_json(), r#"{"name":"Standup","tokens":3}"#);
        assert_eq!(cleaned.left_out, ["webhook_secret"]);

        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for (json, is_lost) in
            [("{}", false), ("null", false), ("[]", true), ("{", true), ("{\"a\":1e999}", true)]
        {
            let read = of_user(json);
            assert_eq!((read.is_lost, read.data.as_json()), (is_lost, "{}"), "{json}");
        }
        assert!(of_meeting(&deep).is_lost);
    }
}
