//! `[[users]]`: the one list of tables among the settings.

use crate::config::key::count;
use crate::domain::configured::{ConfiguredToken, ConfiguredUser};
use crate::domain::field::Field;
use crate::domain::field::Raw;
use crate::domain::user::PersonName;
use crate::domain::{Email, TokenHash};
use std::collections::HashSet;
use toml::{Table, Value};

/// What an entry may say.
const MEMBERS: [&str; 5] = ["email", "name", "max_concurrent_bots", "disabled", "tokens"];
/// Most bots of a user at once.
const BOTS_MAX: i64 = i32::MAX as i64;

/// Reads all entries, or says in one sentence, without its end, what is wrong with one.
pub fn read(users: &Value) -> Result<Vec<ConfiguredUser>, String> {
    let tables = users.as_array().and_then(|list| list.iter().map(Value::as_table).collect::<Option<Vec<_>>>());
    let tables = tables.ok_or("users should be tables, each under [[users]]")?;
    let (mut read, mut emails, mut hashes) = (Vec::new(), HashSet::new(), HashSet::new());
    for (number, table) in (1..).zip(tables) {
        let entry = || match table.get("email").and_then(Value::as_str) {
            Some(email) => format!("[[users]] number {number} ({email})"),
            None => format!("[[users]] number {number}"),
        };
        let user = user(table).map_err(|why| format!("{}: {why}", entry()))?;
        check_new(&user, &mut emails, &mut hashes).map_err(|why| format!("{}: {why}", entry()))?;
        read.push(user);
    }
    Ok(read)
}

fn user(table: &Table) -> Result<ConfiguredUser, String> {
    if let Some(unknown) = table.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        return Err(format!("there is no setting {unknown}; an entry may have {}", MEMBERS.join(", ")));
    }
    let email = text(table, "email")?.ok_or("email is missing")?;
    let email: Email = email.parse().map_err(|_| format!("{email:?} is no e-mail address"))?;
    let name = text(table, "name")?.map(|name| PersonName::read(Raw::Text(name))).transpose();
    let limit = table.get("max_concurrent_bots").map(|value| count(value, 0, BOTS_MAX)).transpose();
    let disabled = table.get("disabled").map(|value| value.as_bool().ok_or("disabled should be true or false"));
    Ok(ConfiguredUser {
        email,
        name: name.map_err(|_| "name should be a line of at most 255 characters")?.map(|name| name.0),
        max_concurrent_bots: limit.map_err(|why| format!("max_concurrent_bots {why}"))?,
        disabled: disabled.transpose()?,
        tokens: tokens(table.get("tokens"))?,
    })
}

fn text<'a>(table: &'a Table, name: &str) -> Result<Option<&'a str>, String> {
    let text = |value: &'a Value| value.as_str().ok_or_else(|| format!("{name} should be text in quotes"));
    table.get(name).map(text).transpose()
}

fn tokens(list: Option<&Value>) -> Result<Vec<ConfiguredToken>, String> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or("tokens should be a list of texts")?;
    let token = |(number, item): (usize, &Value)| {
        // What is wrong may be the token itself, so it is not shown.
        let wrong = || format!("token number {number} is not HINT:HASH as `vomeet token hash` prints it");
        item.as_str().and_then(ConfiguredToken::parse).ok_or_else(wrong)
    };
    (1..).zip(list).map(token).collect()
}

fn check_new(
    user: &ConfiguredUser,
    emails: &mut HashSet<String>,
    hashes: &mut HashSet<TokenHash>,
) -> Result<(), String> {
    if !emails.insert(user.email.key()) {
        return Err("this address is declared twice".to_owned());
    }
    match user.tokens.iter().find(|token| !hashes.insert(token.hash)) {
        Some(token) => Err(format!("token {} is declared twice", token.hint.0)),
        None => Ok(()),
    }
}
