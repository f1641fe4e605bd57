//! Finds the one user, token, meeting or key that a selector (id, name, address, hint) matches.

use crate::cli::client::{Client, Target};
use crate::cli::table::plain;
use crate::domain::text::fold;
use crate::domain::token::TOKEN_CHARS;
use crate::exit::{Code, StartupError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Rows of a page that is requested.
const PAGE_ROWS: usize = 1000;
/// Most candidates that are named when a selector is ambiguous.
const CANDIDATES_MAX: usize = 10;

/// A user, by id, address or name: the row of the API.
pub(super) async fn user(client: &mut Client, selector: &str) -> Result<Value, StartupError> {
    if is_id(selector) {
        return client.get_json(Target::path(["admin", "users", selector])).await;
    }
    if selector.contains('@') {
        return client.get_json(Target::path(["admin", "users", "email", selector])).await;
    }
    let mut found = Vec::new();
    let wanted = fold(selector);
    let page = |after| {
        Target::path(["admin", "users"])
            .with("q", Some(selector))
            .with("limit", Some(PAGE_ROWS))
            .with("after", after)
    };
    let keep = |row: &Value| {
        if has_name(row, &wanted) {
            found.push(row.clone());
        }
    };
    pages(client, page, keep).await?;
    one("user", selector, "vomeet user list", found, |row| text(&row["email"]))
}

/// Adds the e-mail address of each row's user to the row: an id alone tells nobody who it is.
pub(super) async fn add_emails(
    client: &mut Client,
    rows: &mut [Value],
) -> Result<(), StartupError> {
    let mut emails: BTreeMap<i64, Value> = BTreeMap::new();
    for row in rows {
        let Some(id) = row["user_id"].as_i64() else { continue };
        let email = match emails.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(email_of(client, id).await?),
        };
        row["user_email"] = email.clone();
    }
    Ok(())
}

/// The address of a user; null where there is none any more. A page of one user, which has less in
/// it than the user alone.
async fn email_of(client: &mut Client, id: i64) -> Result<Value, StartupError> {
    let target =
        Target::path(["admin", "users"]).with("limit", Some(1)).with("after", Some(id - 1));
    let page = client.get_json(target).await?;
    let user = page.get(0).filter(|user| user["id"] == id);
    Ok(user.map_or(Value::Null, |user| user["email"].clone()))
}

/// The id of a user, by id, address or name.
pub(super) async fn user_id(
    client: &mut Client,
    selector: Option<&str>,
) -> Result<Option<String>, StartupError> {
    let Some(selector) = selector else { return Ok(None) };
    if is_id(selector) {
        return Ok(Some(selector.to_owned()));
    }
    let user = user(client, selector).await?;
    Ok(Some(id(&user)))
}

/// A token of one user, or of any, by id, name or first four characters: its id, and how messages
/// name it.
pub(super) async fn token(
    client: &mut Client,
    selector: &str,
    of: Option<&str>,
) -> Result<(String, String), StartupError> {
    refuse_secret(selector)?;
    if is_id(selector) {
        return Ok((selector.to_owned(), format!("token {selector}")));
    }
    let wanted = fold(selector);
    let mut found = Vec::new();
    let mut keep = |row: &Value| {
        if row["hint"] == selector || has_name(row, &wanted) {
            found.push(row.clone());
        }
    };
    if let Some(user) = user_id(client, of).await? {
        let list = client.get_json(Target::path(["admin", "users", &user, "tokens"])).await?;
        for row in rows(&list) {
            keep(row);
        }
    } else {
        let page = |after| {
            let target = Target::path(["admin", "tokens"]).with("limit", Some(PAGE_ROWS));
            target.with("after", after)
        };
        pages(client, page, keep).await?;
    }
    // A rotated token keeps its name during its grace; the new one is selected.
    let has_current = found.iter().any(|row| row["replaced_by"].is_null());
    if has_current {
        found.retain(|row| row["replaced_by"].is_null());
    }
    let about = |row: &Value| format!("{} of user {}", text(&row["hint"]), row["user_id"]);
    let token = one("token", selector, "vomeet token list", found, about)?;
    Ok((id(&token), format!("token {} ({})", id(&token), about(&token))))
}

/// A meeting, by id or as `platform/native_meeting_id` (the newest of them): its id.
pub(super) async fn meeting(client: &mut Client, selector: &str) -> Result<String, StartupError> {
    if is_id(selector) {
        return Ok(selector.to_owned());
    }
    let Some((platform, native)) = selector.split_once('/') else {
        let message = format!(
            "A meeting is named by its id, or as google_meet/abc-defg-hij, not {selector}."
        );
        return Err(StartupError::new(Code::Invalid, message));
    };
    let target = Target::path(["admin", "analytics", "meetings"])
        .with("limit", Some(1))
        .with("platform", Some(platform))
        .with("native_meeting_id", Some(native));
    let newest = client.get_json(target).await?;
    match rows(&newest).first() {
        Some(meeting) => Ok(id(meeting)),
        None => Err(unknown("meeting", selector, "vomeet meetings list")),
    }
}

/// A named admin key, by id or name: its id, and how messages name it.
pub(super) async fn admin_key(
    client: &mut Client,
    selector: &str,
) -> Result<(String, String), StartupError> {
    refuse_secret(selector)?;
    let keys = client.get_json(Target::path(["admin", "keys"])).await?;
    let wanted = fold(selector);
    let mut found = Vec::new();
    for row in rows(&keys) {
        let is_selected = match is_id(selector) {
            true => id(row) == selector,
            false => has_name(row, &wanted),
        };
        if is_selected {
            found.push(row.clone());
        }
    }
    let key = one("admin key", selector, "vomeet admin-key list", found, |row| text(&row["name"]))?;
    Ok((id(&key), format!("admin key {} ({})", id(&key), text(&key["name"]))))
}

/// Refuses a secret as an argument: every user of the machine can see it there, and the shell keeps
/// it in its history.
pub(super) fn refuse_secret(argument: &str) -> Result<(), StartupError> {
    let is_alphanumeric = argument.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if argument.len() != TOKEN_CHARS || !is_alphanumeric {
        return Ok(());
    }
    Err(StartupError::new(
        Code::Invalid,
        "That looks like a secret, which others can see among the arguments; use its id or name, \
         or give it to `vomeet token explain` on standard input.",
    ))
}

/// The rows of a list: the array itself, or the one array of an object.
pub(super) fn rows(list: &Value) -> &[Value] {
    match list {
        Value::Array(rows) => rows,
        Value::Object(object) => match object.values().find_map(Value::as_array) {
            Some(rows) => rows,
            None => &[],
        },
        _ => &[],
    }
}

/// The id of a row, as text.
pub(super) fn id(row: &Value) -> String {
    row["id"].to_string()
}

/// Requests page after page, and passes every row on.
async fn pages(
    client: &mut Client,
    page: impl Fn(Option<String>) -> Target,
    mut take: impl FnMut(&Value),
) -> Result<(), StartupError> {
    let mut after = None;
    loop {
        let body = client.get_json(page(after)).await?;
        let rows = rows(&body);
        for row in rows {
            take(row);
        }
        match rows.last() {
            Some(last) if rows.len() == PAGE_ROWS => after = Some(id(last)),
            _ => return Ok(()),
        }
    }
}

fn is_id(selector: &str) -> bool {
    !selector.is_empty() && selector.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the name of a row is this one, which is folded already.
fn has_name(row: &Value, folded: &str) -> bool {
    match row["name"].as_str() {
        Some(name) => fold(name) == folded,
        None => false,
    }
}

fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => plain(text).into_owned(),
        None => "-".to_owned(),
    }
}

fn unknown(what: &str, selector: &str, list: &str) -> StartupError {
    let message = format!("No {what} is called {selector}; `{list}` shows them.");
    StartupError::new(Code::NotFound, message)
}

/// The one that was found, or an error that names the candidates.
fn one(
    what: &str,
    selector: &str,
    list: &str,
    found: Vec<Value>,
    about: impl Fn(&Value) -> String,
) -> Result<Value, StartupError> {
    if found.len() > 1 {
        let mut candidates = Vec::new();
        for row in found.iter().take(CANDIDATES_MAX) {
            candidates.push(format!("{} ({})", id(row), about(row)));
        }
        let candidates = candidates.join(", ");
        let more = if found.len() > CANDIDATES_MAX { " and more" } else { "" };
        let message = format!(
            "{selector} is the name of more than one {what}; give an id: {candidates}{more}."
        );
        return Err(StartupError::new(Code::Ambiguous, message));
    }
    match found.into_iter().next() {
        Some(row) => Ok(row),
        None => Err(unknown(what, selector, list)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_found_in_whatever_holds_them() {
        for list in [json!([{"id": 1}]), json!({"next": null, "entries": [{"id": 1}]})] {
            assert_eq!(rows(&list), [json!({"id": 1})]);
        }
        assert!(rows(&json!({"a": 1})).is_empty());
    }

    #[test]
    fn a_secret_is_no_name() {
        assert!(refuse_secret(&"a1".repeat(20)).is_err());
        for name in ["laptop", &"a1".repeat(19), &"a ".repeat(20)] {
            assert!(refuse_secret(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn more_than_one_is_asked_about() {
        let found =
            |ids: &[i64]| ids.iter().map(|id| json!({"id": id, "email": "x"})).collect::<Vec<_>>();
        let pick = |ids| one("user", "Ann", "list", found(ids), |row| text(&row["email"]));
        assert_eq!(pick(&[7]).map(|row| id(&row)).ok(), Some("7".to_owned()));
        let codes = [&[][..], &[1, 2]].map(|ids| pick(ids).map_err(|exit| exit.code).err());
        assert_eq!(codes, [Some(Code::NotFound), Some(Code::Ambiguous)]);
    }
}
