//! From what people call something to the one thing that they mean.

use crate::cli::client::{Client, Target};
use crate::cli::table::plain;
use crate::domain::text::fold;
use crate::domain::token::TOKEN_CHARS;
use crate::exit::{Code, StartupError};
use serde_json::Value;

/// Rows that are asked for at once.
const PAGE_ROWS: usize = 1000;
/// Most candidates that are named when a name is not enough.
const CANDIDATES_MAX: usize = 10;

/// A user, by id, address or name: what the server shows of them.
pub async fn user(client: &mut Client, selector: &str) -> Result<Value, StartupError> {
    if is_id(selector) {
        return client.get_json(Target::path(["admin", "users", selector])).await;
    }
    if selector.contains('@') {
        return client.get_json(Target::path(["admin", "users", "email", selector])).await;
    }
    let mut found = Vec::new();
    let wanted = fold(selector);
    let page = |after| {
        let target = Target::path(["admin", "users"]).with("q", Some(selector)).with("limit", Some(PAGE_ROWS));
        target.with("after", after)
    };
    pages(client, page, |row| {
        if row["name"].as_str().is_some_and(|name| fold(name) == wanted) {
            found.push(row.clone());
        }
    })
    .await?;
    one("user", selector, "vomeet user list", found, |row| text(&row["email"]))
}

/// The id of a user, by id, address or name.
pub async fn user_id(client: &mut Client, selector: Option<&str>) -> Result<Option<String>, StartupError> {
    match selector {
        None => Ok(None),
        Some(selector) if is_id(selector) => Ok(Some(selector.to_owned())),
        Some(selector) => user(client, selector).await.map(|user| Some(id(&user))),
    }
}

/// A token of a user, or of anybody, by id, name or first four characters: its id, and what to call it.
pub async fn token(client: &mut Client, selector: &str, of: Option<&str>) -> Result<(String, String), StartupError> {
    refuse_secret(selector)?;
    if is_id(selector) {
        return Ok((selector.to_owned(), format!("token {selector}")));
    }
    let wanted = fold(selector);
    let mut found = Vec::new();
    let mut keep = |row: &Value| {
        if row["hint"] == selector || row["name"].as_str().is_some_and(|name| fold(name) == wanted) {
            found.push(row.clone());
        }
    };
    if let Some(user) = user_id(client, of).await? {
        let list = client.get_json(Target::path(["admin", "users", &user, "tokens"])).await?;
        rows(&list).iter().for_each(&mut keep);
    } else {
        let page = |after| Target::path(["admin", "tokens"]).with("limit", Some(PAGE_ROWS)).with("after", after);
        pages(client, page, keep).await?;
    }
    // What was exchanged keeps its name until it ends; the one that replaced it is meant.
    if found.iter().any(|row| row["replaced_by"].is_null()) {
        found.retain(|row| row["replaced_by"].is_null());
    }
    let about = |row: &Value| format!("{} of user {}", text(&row["hint"]), row["user_id"]);
    let token = one("token", selector, "vomeet token list", found, about)?;
    Ok((id(&token), format!("token {} ({})", id(&token), about(&token))))
}

/// A meeting, by id or as `platform/native_meeting_id`, of which the newest is meant: its id.
pub async fn meeting(client: &mut Client, selector: &str) -> Result<String, StartupError> {
    if is_id(selector) {
        return Ok(selector.to_owned());
    }
    let Some((platform, native)) = selector.split_once('/') else {
        let message = format!("A meeting is named by its id, or as google_meet/abc-defg-hij, not {selector}.");
        return Err(StartupError::new(Code::Invalid, message));
    };
    let target = Target::path(["admin", "analytics", "meetings"]).with("limit", Some(1));
    let target = target.with("platform", Some(platform)).with("native_meeting_id", Some(native));
    let newest = client.get_json(target).await?;
    rows(&newest).first().map(id).ok_or_else(|| unknown("meeting", selector, "vomeet meetings list"))
}

/// A named admin key, by id or name: its id, and what to call it.
pub async fn admin_key(client: &mut Client, selector: &str) -> Result<(String, String), StartupError> {
    refuse_secret(selector)?;
    let keys = client.get_json(Target::path(["admin", "keys"])).await?;
    let wanted = fold(selector);
    let is_meant = |row: &&Value| match is_id(selector) {
        true => id(row) == selector,
        false => row["name"].as_str().is_some_and(|name| fold(name) == wanted),
    };
    let found = rows(&keys).iter().filter(is_meant).cloned().collect();
    let key = one("admin key", selector, "vomeet admin-key list", found, |row| text(&row["name"]))?;
    Ok((id(&key), format!("admin key {} ({})", id(&key), text(&key["name"]))))
}

/// Refuses a secret as an argument: every user of the machine can see it there, and the shell remembers it.
pub fn refuse_secret(argument: &str) -> Result<(), StartupError> {
    if argument.len() != TOKEN_CHARS || !argument.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let message = "That looks like a secret, which others can see among the arguments; use its id or name, or give it \
                    to `vomeet token explain` on standard input.";
    Err(StartupError::new(Code::Invalid, message))
}

/// The rows of a list, however it is wrapped.
pub fn rows(list: &Value) -> &[Value] {
    let wrapped = || list.as_object().and_then(|object| object.values().find_map(Value::as_array));
    list.as_array().or_else(wrapped).map_or(&[], Vec::as_slice)
}

/// The id of a row, as text.
pub fn id(row: &Value) -> String {
    row["id"].to_string()
}

async fn pages(
    client: &mut Client,
    page: impl Fn(Option<String>) -> Target,
    mut take: impl FnMut(&Value),
) -> Result<(), StartupError> {
    let mut after = None;
    loop {
        let answer = client.get_json(page(after)).await?;
        let rows = rows(&answer);
        rows.iter().for_each(&mut take);
        match rows.last() {
            Some(last) if rows.len() == PAGE_ROWS => after = Some(id(last)),
            _ => return Ok(()),
        }
    }
}

fn is_id(selector: &str) -> bool {
    !selector.is_empty() && selector.bytes().all(|byte| byte.is_ascii_digit())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), |text| plain(text).into_owned())
}

fn unknown(what: &str, selector: &str, list: &str) -> StartupError {
    StartupError::new(Code::NotFound, format!("No {what} is called {selector}; `{list}` shows them."))
}

/// The one that was found, or who else might be meant.
fn one(
    what: &str,
    selector: &str,
    list: &str,
    found: Vec<Value>,
    about: impl Fn(&Value) -> String,
) -> Result<Value, StartupError> {
    if found.len() > 1 {
        let named: Vec<String> =
            found.iter().take(CANDIDATES_MAX).map(|row| format!("{} ({})", id(row), about(row))).collect();
        let more = if found.len() > CANDIDATES_MAX { " and more" } else { "" };
        let message =
            format!("{selector} is the name of more than one {what}; give an id: {}{more}.", named.join(", "));
        return Err(StartupError::new(Code::Ambiguous, message));
    }
    found.into_iter().next().ok_or_else(|| unknown(what, selector, list))
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
        let found = |ids: &[i64]| ids.iter().map(|id| json!({"id": id, "email": "x"})).collect::<Vec<_>>();
        let pick = |ids| one("user", "Ann", "list", found(ids), |row| text(&row["email"]));
        assert_eq!(pick(&[7]).map(|row| id(&row)).ok(), Some("7".to_owned()));
        let codes = [&[][..], &[1, 2]].map(|ids| pick(ids).map_err(|exit| exit.code).err());
        assert_eq!(codes, [Some(Code::NotFound), Some(Code::Ambiguous)]);
    }
}
