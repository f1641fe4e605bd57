//! The configured users: written before a server serves, and again when its settings are read again.

use crate::app::App;
use crate::auth::actor;
use crate::error::Result;
use crate::exit::{Code, StartupError};
use crate::store::{ApplyConfiguredUsers, ConfiguredChanges, TokenTaken};

/// Applies the configured users before the server serves. Where that fails, bots and store are
/// closed.
pub async fn apply_configured_users(app: &App) -> std::result::Result<(), StartupError> {
    let written = match write_configured_users(app).await {
        Ok(written) => written,
        Err(error) => {
            close(app).await;
            let message = format!(
                "Cannot write the configured [[users]] ({}); see to it and start again.",
                error.store_cause()
            );
            return Err(StartupError::new(Code::DatabaseUnusable, message));
        }
    };
    match written {
        Ok(changes) => {
            log_changes(&changes);
            Ok(())
        }
        Err(taken) => {
            close(app).await;
            Err(token_taken(&taken))
        }
    }
}

/// A configured token that is another user's.
pub(super) fn token_taken(taken: &TokenTaken) -> StartupError {
    let TokenTaken { email, hint } = taken;
    let email = email.as_str();
    let message = format!("[[users]] {email}: token {hint} is another user's; take it out.");
    StartupError::new(Code::Config, message)
}

async fn close(app: &App) {
    app.bots.stop().await;
    app.store.close();
}

/// Writes the configured users; nothing where there are none, and were none before.
async fn write_configured_users(
    app: &App,
) -> Result<std::result::Result<ConfiguredChanges, TokenTaken>> {
    let users = app.config.users.clone();
    if users.is_empty() && !app.store.has_configured_users()? {
        return Ok(Ok(ConfiguredChanges::default()));
    }
    let actor = actor("file".to_owned(), None, app.clock.now())?;
    app.store.write(ApplyConfiguredUsers { users, actor }).await
}

/// Says what the configured users have changed.
pub(super) fn log_changes(changes: &ConfiguredChanges) {
    let ConfiguredChanges { created, changed, added, revoked, ended, .. } = changes;
    if created + changed + added + revoked > 0 {
        log::info!(
            "[[users]]: {created} users created, {changed} changed, {added} tokens added, \
             {revoked} revoked"
        );
    }
    for hint in ended {
        log::warn!("[[users]]: token {hint} was revoked and stays so; take it out");
    }
}
