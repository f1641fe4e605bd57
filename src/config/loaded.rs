//! The settings in force: found in all sources, parsed and checked.

use crate::config::configured_users;
use crate::config::engines;
use crate::config::in_force::InForce;
use crate::config::metrics_token;
use crate::config::redis_checks::read_password;
use crate::config::s3_keys;
use crate::config::settings::{Config, Http, KEYS};
use crate::config::source::Source;
use crate::config::sources::{Environment, Flags, Found, find, invalid, without_mark};
use crate::config::transcription_checks::read_token;
use crate::exit::StartupError;
use crate::logging;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use toml::Value;

/// The variables of the server's environment that the process of a bot is given; the rest may hold
/// secrets.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// The settings in force, and where each came from.
pub struct Settings {
    /// The values.
    pub config: Config,
    /// For each of [`KEYS`], its value as TOML and its source.
    pub origins: Vec<(Value, Source)>,
    /// The settings file, if there is one.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// Gathers every setting, or says what is wrong with them, in a line each.
    pub fn load(flags: &Flags, around: &Environment) -> Result<Self, StartupError> {
        let (settings, faults, _) = Self::gather(flags, around)?;
        all_sound(settings, &faults)
    }

    /// The same for a server: settings must not contradict each other, and a variable that looks
    /// like a setting must be one.
    pub fn load_to_serve(flags: &Flags, around: &Environment) -> Result<Self, StartupError> {
        let (mut settings, mut faults, unknown_variables) = Self::gather(flags, around)?;
        faults.extend(unknown_variables);
        faults.extend(settings.config.contradictions());
        faults.extend(metrics_token::read(&mut settings.config, &around.folder).err());
        faults.extend(s3_keys::read_keys(&mut settings.config.backup, around).err());
        faults.extend(read_password(&mut settings.config, &around.folder).err());
        faults.extend(read_token(&mut settings.config, &around.folder).err());
        let transcription = &mut settings.config.transcription;
        faults.extend(engines::read_keys(&mut transcription.engines, &around.folder));
        faults.extend(engines::model_fault(transcription.whisper_model.as_deref(), &around.folder));
        all_sound(settings, &faults)
    }

    /// The settings of a command that reads from the store of backups, with its keys.
    pub(crate) fn load_to_fetch(flags: &Flags, around: &Environment) -> Result<Self, StartupError> {
        let mut settings = Self::load(flags, around)?;
        s3_keys::read_keys(&mut settings.config.backup, around).map_err(invalid)?;
        Ok(settings)
    }

    /// The settings to look at a database with: defaults for those that are wrong, unless they say
    /// which database is meant.
    pub fn load_what_is_sound(flags: &Flags, around: &Environment) -> Result<Self, StartupError> {
        let (settings, mut faults, _) = Self::gather(flags, around)?;
        faults.retain(|fault| fault.starts_with("database") || fault.starts_with("socket"));
        all_sound(settings, &faults)
    }

    /// Refuses settings that contradict each other, and a weak admin key where others reach the
    /// server.
    pub(crate) fn check_to_serve(&self) -> Result<(), StartupError> {
        let faults = self.config.contradictions();
        if !faults.is_empty() {
            return Err(invalid(faults.join("\n")));
        }
        self.check_admin_key()
    }

    /// The settings, with defaults for those that are wrong; what is wrong; and the variables that
    /// look like settings and are none.
    fn gather(
        flags: &Flags,
        around: &Environment,
    ) -> Result<(Self, Vec<String>, Vec<String>), StartupError> {
        let Found { values, users, engines, file, unknown_names, unknown_variables } =
            find(flags, around)?;
        let (mut config, wrong_values) = Config::from_values(&values)?;
        let mut faults = unknown_names;
        faults.extend(wrong_values);
        if let Some(users) = users {
            match configured_users::read(&users) {
                Ok(users) => config.users = users,
                Err(why) => faults.push(format!("{}, {why}; correct it.", file.display())),
            }
        }
        if let Some(engines) = engines {
            match engines::read(&engines) {
                Ok(engines) => config.transcription.engines = engines,
                Err(why) => faults.push(format!("{}, {why}; correct it.", file.display())),
            }
        }
        faults.extend(logging::check(&config.log).err());
        config.bots.process.inherited = inherited(&around.environment);
        let file = around.folder.join(&file);
        let file = file.exists().then_some(file);
        let mut settings = Self { config, origins: values, file };
        settings.read_admin_key_file(&around.folder)?;
        settings.config.in_force = settings.in_force();
        let config = &mut settings.config;
        config.admin_key = header_value(&config.admin_key)?;
        config.old_admin_key = header_value(&config.old_admin_key)?;
        // A command may take the settings of the system service, from another working directory.
        if let Some(backups) = &mut config.backup.folder
            && around.folder != Path::new(".")
        {
            *backups = around.folder.join(&backups);
        }
        if config.old_admin_key.is_empty() != config.old_admin_key_until.is_none() {
            let why = "admin_api_token_old and admin_api_token_old_until belong together; set \
                       both, or neither.";
            faults.push(why.to_owned());
        }
        Ok((settings, faults, unknown_variables))
    }

    /// Where the value of a setting came from, by its name in `vomeet.toml`.
    pub fn source(&self, name: &str) -> &Source {
        for (key, (_, source)) in KEYS.iter().zip(&self.origins) {
            if key.name == name {
                return source;
            }
        }
        &Source::Default
    }

    /// The settings as administrators see them. An admin key from a file has the source of the
    /// setting that names the file.
    pub(super) fn in_force(&self) -> InForce {
        let mut values = self.origins.clone();
        if self.config.admin_key_file.is_some() {
            let of_file = self.source("admin_api_token_file").clone();
            let rows = KEYS.iter().zip(&mut values);
            for (_, (_, source)) in rows.filter(|(key, _)| key.name == "admin_api_token") {
                *source = of_file.clone();
            }
        }
        let engines = &self.config.transcription.engines;
        InForce::new(&KEYS, &values, self.file.as_deref(), engines)
    }

    /// Reads the admin key from `admin_api_token_file`, unless a stronger source gives the key
    /// itself.
    fn read_admin_key_file(&mut self, folder: &Path) -> Result<(), StartupError> {
        let Some(path) = self.config.admin_key_file.clone() else { return Ok(()) };
        let of_key = self.source("admin_api_token");
        let of_file = self.source("admin_api_token_file");
        if of_key.rank() > of_file.rank() {
            self.config.admin_key_file = None;
            return Ok(());
        }
        match fs::read_to_string(folder.join(&path)) {
            Ok(text) => {
                let first_line = without_mark(&text).lines().next().unwrap_or_default();
                first_line.trim().clone_into(&mut self.config.admin_key);
                Ok(())
            }
            Err(error) => Err(invalid(format!(
                "Cannot read the admin key from {} ({error}); check admin_api_token_file.",
                path.display()
            ))),
        }
    }
}

impl Config {
    /// The path of the admin socket: the configured one, or the database file's name with `.sock`.
    pub fn socket_path(&self) -> PathBuf {
        if let Some(path) = &self.socket {
            return path.clone();
        }
        let mut path = self.database.clone().into_os_string();
        path.push(".sock");
        path.into()
    }
}

impl Http {
    /// How many threads serve requests: as configured, or one for each core.
    pub fn threads(&self) -> usize {
        if self.workers > 0 {
            return self.workers;
        }
        available_parallelism().map_or(1, usize::from)
    }
}

fn all_sound(settings: Settings, faults: &[String]) -> Result<Settings, StartupError> {
    match faults.is_empty() {
        true => Ok(settings),
        false => Err(invalid(faults.join("\n"))),
    }
}

/// Those of [`INHERITED`] that are set.
fn inherited(environment: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut inherited = Vec::new();
    for name in INHERITED {
        if let Some(value) = environment.get(name) {
            inherited.push((name.to_owned(), value.clone()));
        }
    }
    inherited
}

/// The key as a header carries it: without the white space around it.
fn header_value(key: &str) -> Result<String, StartupError> {
    let key = key.trim();
    if key.chars().any(char::is_control) {
        return Err(invalid(
            "The admin key has control characters, which no header can carry; choose another.",
        ));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_backups_is_where_the_settings_are() {
        for (set, folder, expected) in [
            ("backups", "/srv/nowhere", "/srv/nowhere/backups"),
            ("/b", "/srv/nowhere", "/b"),
            ("backups", ".", "backups"),
        ] {
            let set = ("VOMEET_BACKUP_FOLDER".to_owned(), set.to_owned());
            let around = Environment { environment: HashMap::from([set]), folder: folder.into() };
            let flags = Flags { config: None, listen: None, database: None, socket: None };
            let settings = Settings::load(&flags, &around).expect("settings");
            assert_eq!(settings.config.backup.folder.as_deref(), Some(Path::new(expected)));
        }
    }
}
