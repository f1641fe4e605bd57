//! Reads the settings again while the server runs: all of what can change takes effect, or nothing.

use crate::app::App;
use crate::auth::actor;
use crate::config::{Config, Settings};
use crate::exit::{Code, StartupError};
use crate::http::tls::Tls;
use crate::logging;
use crate::server::configured_users::{log_changes, token_taken};
use crate::store::ReloadSettings;
use std::sync::Arc;

/// Reads and checks the settings as at the start.
pub type Read = Arc<dyn Fn() -> Result<Settings, StartupError> + Send + Sync>;

/// The settings in force, and how they are read.
pub struct Reloader {
    current: Settings,
    read: Read,
    /// Fits what would be in force into what the system allows.
    fit: fn(&mut Config),
}

impl Reloader {
    /// Of a server that was started with these settings.
    pub fn new(current: Settings, read: Read, fit: fn(&mut Config)) -> Self {
        Self { current, read, fit }
    }

    /// Reads the settings again, and says in the log what has come of it.
    pub async fn reload(&mut self, app: &App) {
        if let Err(error) = self.try_reload(app).await {
            let why = error.message.replace('\n', " ");
            log::error!("the settings were not read again, and nothing has changed: {why}");
        }
    }

    async fn try_reload(&mut self, app: &App) -> Result<(), StartupError> {
        let read = Arc::clone(&self.read);
        let found = tokio::task::spawn_blocking(move || read()).await;
        let found = found.map_err(|error| fault(format!("Cannot read them ({error}).")))??;
        self.current.check_files_of(&found)?;
        let (mut next, changed) = self.current.reloaded(found);
        (self.fit)(&mut next.config);
        // What was found is sound by itself; with what stays as it was at the start it must be too.
        next.check_to_serve()?;
        let certificate = match (&app.transport.tls, next.config.tls.files()) {
            (Some(tls), Some(files)) => {
                let now = app.clock.now();
                let reading = tokio::task::spawn_blocking(move || Tls::prepare(files, now));
                let read = reading.await;
                Some((tls, read.map_err(|error| fault(format!("Cannot read it ({error}).")))??))
            }
            _ => None,
        };
        write(app, &next, &changed.at_once).await?;
        // Nothing can fail from here on.
        if let Some((tls, prepared)) = certificate {
            tls.put_in_use(prepared);
        }
        app.put_in_force(&next.config);
        self.current = next;
        if let Some(why) = self.current.admin_key_weakness() {
            log::warn!("the admin key {why}: it is accepted from this machine alone");
        }
        match changed.at_once.is_empty() {
            true => log::info!("the settings were read again; none has changed"),
            false => {
                log::info!("the settings were read again; changed: {}", changed.at_once.join(", "));
            }
        }
        if !changed.at_restart.is_empty() {
            let names = changed.at_restart.join(", ");
            log::warn!("these settings take effect after a restart: {names}");
        }
        // Last, for it may leave out these lines.
        logging::set_filter(&self.current.config.log);
        Ok(())
    }
}

/// Writes the configured users and the entry of the audit log; nothing where there is neither.
async fn write(app: &App, next: &Settings, changed: &[String]) -> Result<(), StartupError> {
    let cannot = |error: crate::error::Error| {
        let cause = error.store_cause();
        StartupError::new(Code::DatabaseUnusable, format!("Cannot write them ({cause})."))
    };
    let users = next.config.users.clone();
    let has_users = !users.is_empty() || app.store.has_configured_users().map_err(cannot)?;
    if !has_users && changed.is_empty() {
        return Ok(());
    }
    let actor = actor("file".to_owned(), None, app.clock.now()).map_err(cannot)?;
    let verb = ReloadSettings { users, changed: changed.to_vec(), actor };
    match app.store.write(verb).await.map_err(cannot)? {
        Ok(done) => {
            log_changes(&done);
            Ok(())
        }
        Err(taken) => Err(token_taken(&taken)),
    }
}

fn fault(message: String) -> StartupError {
    StartupError::new(Code::Config, message)
}
