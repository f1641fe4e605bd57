//! The tables of users, accounts, keys and webhooks.

use crate::domain::WebhookSecret;
use crate::domain::field::{Field, Raw};
use crate::domain::import::Remark;
use crate::exit::StartupError;
use crate::import::data::{self, Cleaned};
use crate::import::dump::{Dump, Table};
use crate::import::key::ReadKey;
use crate::import::reading::Reading;
use crate::store::{OldOwner, OldToken, OldUser};
use crate::webhooks::{WebhookUrl, is_private};
use std::io::Read;
use url::Url;

/// How many bots a user may have whose row does not say it.
const BOTS_DEFAULT: i64 = 1;

/// Reads `users`.
pub(super) fn users<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, email) = (table.column("id")?, table.column("email")?);
    let [name, image_url, bots, data, created_at] =
        ["name", "image_url", "max_concurrent_bots", "data", "created_at"].map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let user_id = row.id(id)?;
        let cleaned = data::of_user(&row.text(data).unwrap_or("{}".into()));
        to.note_data(&cleaned, "user", user_id);
        let (webhook_url, webhook_secret) = webhook(&cleaned, "user", user_id, to);
        let user = OldUser {
            owner: OldOwner::User,
            id: user_id,
            email: row.line(email).unwrap_or_else(|| format!("user-{user_id}@import.invalid")),
            name: row.line(name),
            image_url: row.line(image_url),
            max_concurrent_bots: row.integer(bots)?.unwrap_or(BOTS_DEFAULT).max(0),
            data: cleaned.data,
            webhook_url,
            webhook_secret,
            is_disabled: false,
            created_at: row.time(created_at, &to.zone)?,
        };
        to.count(table, &row);
        Reading::kept(to.importing.put_user(&user))?;
    }
    Ok(())
}

/// Reads `accounts`: each is a user, and has one key.
pub(super) fn accounts<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, api_key) = (table.column("id")?, table.column("api_key")?);
    let [name, bots, data, enabled, created_at, url, secret] = [
        "name",
        "max_concurrent_bots",
        "data",
        "enabled",
        "created_at",
        "webhook_url",
        "webhook_secret",
    ]
    .map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let account_id = row.id(id)?;
        let mut cleaned = data::of_user(&row.text(data).unwrap_or("{}".into()));
        to.note_data(&cleaned, "account", account_id);
        cleaned.webhook_url = row.line(url).or(cleaned.webhook_url);
        cleaned.webhook_secret = row.line(secret).or(cleaned.webhook_secret);
        let (webhook_url, webhook_secret) = webhook(&cleaned, "account", account_id, to);
        let created_at = row.time(created_at, &to.zone)?;
        let user = OldUser {
            owner: OldOwner::Account,
            id: account_id,
            email: format!("account-{account_id}@import.invalid"),
            name: row.line(name),
            image_url: None,
            max_concurrent_bots: row.integer(bots)?.unwrap_or(BOTS_DEFAULT).max(0),
            data: cleaned.data,
            webhook_url,
            webhook_secret,
            is_disabled: !row.flag(enabled)?.unwrap_or(true),
            created_at,
        };
        Reading::kept(to.importing.put_user(&user))?;
        let key = ReadKey::of(&row.text(api_key).unwrap_or_default());
        let is_disabled = note_key(&key, || format!("the key of account {account_id}"), to);
        let token = OldToken {
            owner: OldOwner::Account,
            id: account_id,
            owner_id: account_id,
            hash: key.hash,
            hint: key.hint,
            name: user.name,
            read_only: false,
            is_disabled,
            created_at,
            last_used_at: None,
            expires_at: None,
        };
        to.count(table, &row);
        Reading::kept(to.importing.put_token(&token))?;
    }
    Ok(())
}

/// Reads `api_tokens`.
pub(super) fn tokens<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, api_key) = (table.column("id")?, table.column("token")?);
    let user_id = table.column("user_id")?;
    let [scopes, name, created_at, last_used_at, expires_at] =
        ["scopes", "name", "created_at", "last_used_at", "expires_at"].map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let (token_id, owner_id) = (row.id(id)?, row.id(user_id)?);
        let key = ReadKey::of(&row.text(api_key).unwrap_or_default());
        let which = || format!("token {token_id} of user {owner_id}");
        let mut is_disabled = note_key(&key, which, to);
        // A key without scopes is of a version that had none, and may do everything.
        let scopes = row.words(scopes).unwrap_or_default();
        if reads_nothing(&scopes) {
            to.remarks.add(Remark::KeyThatReadsNothing, which);
            is_disabled = true;
        }
        let token = OldToken {
            owner: OldOwner::User,
            id: token_id,
            owner_id,
            hash: key.hash,
            hint: key.hint,
            name: row.line(name),
            read_only: !scopes.is_empty() && !scopes.iter().any(|scope| scope == "bot"),
            is_disabled,
            created_at: row.time(created_at, &to.zone)?,
            last_used_at: row.time(last_used_at, &to.zone)?,
            expires_at: row.end(expires_at, &to.zone)?,
        };
        to.count(table, &row);
        Reading::kept(to.importing.put_token(&token))?;
    }
    Ok(())
}

/// Whether a key sent bots or browsers alone: meetings and transcripts asked for the scope `tx`.
fn reads_nothing(scopes: &[String]) -> bool {
    let has = |word: &str| scopes.iter().any(|scope| scope == word);
    (has("bot") || has("browser")) && !has("tx")
}

/// Whether a key comes in disabled, and what is said about it.
fn note_key(key: &ReadKey, which: impl Fn() -> String, to: &mut Reading<'_>) -> bool {
    if !key.is_carried {
        to.remarks.add(Remark::KeyWithoutHeader, &which);
        return true;
    }
    if !key.is_weak {
        return false;
    }
    let remark = if to.keep_weak_keys { Remark::WeakKeyKept } else { Remark::WeakKey };
    to.remarks.add(remark, &which);
    !to.keep_weak_keys
}

/// Reads `webhooks`, of which a user has one here.
pub(super) fn webhooks<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    let (id, user_id) = (table.column("id")?, table.column("user_id")?);
    let [url, secret, enabled] = ["url", "secret", "enabled"].map(|c| table.find(c));
    while let Some(row) = dump.next_row()? {
        let (webhook_id, owner_id) = (row.id(id)?, row.id(user_id)?);
        let cleaned = Cleaned {
            webhook_url: row.line(url),
            webhook_secret: row.line(secret),
            ..Cleaned::default()
        };
        let is_enabled = row.flag(enabled)?.unwrap_or(true);
        to.count(table, &row);
        if !is_enabled {
            let example = || format!("webhook {webhook_id}, which was disabled");
            to.remarks.add(Remark::WebhookLeftOut, example);
            continue;
        }
        let (url, secret) = webhook(&cleaned, "webhook", webhook_id, to);
        if let Some(url) = url {
            let put = to.importing.put_webhook(webhook_id, owner_id, &url, secret.as_ref());
            Reading::kept(put)?;
        }
    }
    Ok(())
}

/// Where events go and what signs them, as far as both can be kept here.
fn webhook(
    cleaned: &Cleaned,
    what: &str,
    id: i64,
    to: &mut Reading<'_>,
) -> (Option<String>, Option<WebhookSecret>) {
    let Some(url) = &cleaned.webhook_url else {
        if cleaned.webhook_secret.is_some() {
            to.remarks.add(Remark::SecretsLeftOut, || format!("{what} {id}: webhook_secret"));
        }
        return (None, None);
    };
    if WebhookUrl::read(Raw::Text(url)).is_err() {
        to.remarks.add(Remark::WebhookLeftOut, || format!("{what} {id}"));
        return (None, None);
    }
    if is_private(url, to.allowed) {
        to.remarks.add(Remark::WebhookPrivate, || format!("{what} {id}: {}", host(url)));
    }
    let read = cleaned.webhook_secret.as_deref().map(|text| WebhookSecret::read(Raw::Text(text)));
    match read {
        None => (Some(url.clone()), None),
        Some(Ok(secret)) => (Some(url.clone()), Some(secret)),
        Some(Err(_)) => {
            to.remarks.add(Remark::WebhookUnsigned, || format!("{what} {id}"));
            (Some(url.clone()), None)
        }
    }
}

/// Scheme, host and port: what follows may hold a secret.
fn host(url: &str) -> String {
    let url = Url::parse(url);
    url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn of_a_webhook_no_query_is_shown() {
        for (url, shown) in [
            ("http://10.0.0.5?key=s", "http://10.0.0.5"),
            ("http://10.0.0.5#s", "http://10.0.0.5"),
            ("https://u:s@app:8000/hook?key=s", "https://app:8000"),
        ] {
            assert_eq!(host(url), shown);
        }
    }
}
