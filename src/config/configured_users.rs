//! `[[users]]`: the first of the lists of tables among the settings.

use crate::config::values::number_within;
use crate::domain::configured::{ConfiguredToken, ConfiguredUser};
use crate::domain::field::Field;
use crate::domain::field::Raw;
use crate::domain::user::PersonName;
use crate::domain::{Email, TokenHash};
use std::collections::HashSet;
use toml::{Table, Value};

/// What an entry may have.
const MEMBERS: [&str; 5] = ["email", "name", "max_concurrent_bots", "disabled", "tokens"];
/// Most bots of a user at once.
const BOTS_MAX: i64 = i32::MAX as i64;

/// Reads all entries, or says in one sentence, without its end, what is wrong with one.
pub(crate) fn read(entries: &Value) -> Result<Vec<ConfiguredUser>, String> {
    let wrong = "users should be tables, each under [[users]]";
    let entries = entries.as_array().ok_or(wrong)?;
    if !entries.iter().all(Value::is_table) {
        return Err(wrong.to_owned());
    }
    let mut known = Known::default();
    let mut users = Vec::with_capacity(entries.len());
    for (number, entry) in (1..).zip(entries) {
        let table = entry.as_table().ok_or(wrong)?;
        match read_user(table, &mut known) {
            Ok(user) => users.push(user),
            Err(why) => {
                return Err(match table.get("email").and_then(Value::as_str) {
                    Some(email) => format!("[[users]] number {number} ({email}): {why}"),
                    None => format!("[[users]] number {number}: {why}"),
                });
            }
        }
    }
    Ok(users)
}

/// What the entries before have, and no later one may have again.
#[derive(Default)]
struct Known {
    emails: HashSet<String>,
    hashes: HashSet<TokenHash>,
}

impl Known {
    fn add(&mut self, user: &ConfiguredUser) -> Result<(), String> {
        if !self.emails.insert(user.email.key()) {
            return Err("this address is configured twice".to_owned());
        }
        for token in &user.tokens {
            if !self.hashes.insert(token.hash) {
                return Err(format!("token {} is configured twice", token.hint.0));
            }
        }
        Ok(())
    }
}

fn read_user(table: &Table, known: &mut Known) -> Result<ConfiguredUser, String> {
    for member in table.keys() {
        if !MEMBERS.contains(&member.as_str()) {
            let members = MEMBERS.join(", ");
            return Err(format!("there is no setting {member}; an entry may have {members}"));
        }
    }
    let user = ConfiguredUser {
        email: email(table)?,
        name: name(table)?,
        max_concurrent_bots: max_concurrent_bots(table)?,
        disabled: disabled(table)?,
        tokens: tokens(table)?,
    };
    known.add(&user)?;
    Ok(user)
}

fn email(table: &Table) -> Result<Email, String> {
    let text = text(table, "email")?.ok_or("email is missing")?;
    text.parse().map_err(|_| format!("{text:?} is no e-mail address"))
}

fn name(table: &Table) -> Result<Option<String>, String> {
    let Some(text) = text(table, "name")? else { return Ok(None) };
    match PersonName::read(Raw::Text(text)) {
        Ok(name) => Ok(Some(name.0)),
        Err(_) => Err("name should be a line of at most 255 characters".to_owned()),
    }
}

fn max_concurrent_bots(table: &Table) -> Result<Option<i64>, String> {
    let Some(value) = table.get("max_concurrent_bots") else { return Ok(None) };
    match number_within(value, &(0..=BOTS_MAX)) {
        Ok(number) => Ok(Some(number)),
        Err(why) => Err(format!("max_concurrent_bots {why}")),
    }
}

fn disabled(table: &Table) -> Result<Option<bool>, String> {
    let Some(value) = table.get("disabled") else { return Ok(None) };
    let disabled = value.as_bool().ok_or("disabled should be true or false")?;
    Ok(Some(disabled))
}

fn tokens(table: &Table) -> Result<Vec<ConfiguredToken>, String> {
    let Some(list) = table.get("tokens") else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or("tokens should be a list of texts")?;
    let mut tokens = Vec::with_capacity(list.len());
    for (number, item) in (1..).zip(list) {
        let token = item.as_str().and_then(ConfiguredToken::parse);
        let Some(token) = token else {
            // The value may be the token itself, so the message does not contain it.
            return Err(format!(
                "token number {number} is not HINT:HASH as `vomeet token hash` prints it"
            ));
        };
        tokens.push(token);
    }
    Ok(tokens)
}

fn text<'a>(table: &'a Table, name: &str) -> Result<Option<&'a str>, String> {
    let Some(value) = table.get(name) else { return Ok(None) };
    match value.as_str() {
        Some(text) => Ok(Some(text)),
        None => Err(format!("{name} should be text in quotes")),
    }
}
