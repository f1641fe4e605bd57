//! Where settings are looked for, strongest first: flags, environment, `.env`, `vomeet.toml`, defaults.

use crate::config::bots::INHERITED;
use crate::config::key::Key;
use crate::config::keys::blank;
use crate::config::{KEYS, Settings, Source, configured_users};
use crate::exit::{Code, StartupError};
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Value;

/// How alike a known name must be to be proposed for an unknown one (Jaro–Winkler, 1 is the same).
const LIKENESS_MIN: f64 = 0.7;

/// The one list of tables in the file; it is no [`Key`], and no other source has it.
const USERS: &str = "users";

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the file, which must then exist.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--database`.
    pub database: Option<String>,
    /// `--socket`.
    pub socket: Option<String>,
}

/// What surrounds the program.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The environment.
    pub environment: HashMap<String, String>,
    /// The working directory.
    pub folder: PathBuf,
}

impl Environment {
    /// Those of this process. A setting that is no UTF-8 is refused: passing it over would let a weaker one rule.
    pub fn of_process() -> Result<Self, StartupError> {
        let mut environment = HashMap::new();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => _ = environment.insert(name, value),
                (Ok(name), Err(_)) if KEYS.iter().any(|key| key.variable == name) => {
                    return Err(wrong(format!("{name} in the environment is no UTF-8; set it again.")));
                }
                _ => {}
            }
        }
        Ok(Self { environment, folder: PathBuf::from(".") })
    }
}

impl Settings {
    /// Gathers every setting, or says in one sentence what is wrong with one.
    pub fn load(flags: &Flags, around: &Environment) -> Result<Self, StartupError> {
        let (mut file, path) = read_file(flags, &around.folder)?;
        let dotenv = read_dotenv(&around.folder.join(".env"))?;
        let mut config = blank();
        if let Some(users) = file.remove(USERS) {
            let read = configured_users::read(&users);
            config.users =
                read.map_err(|why| wrong(format!("{}, {why}; correct it and start again.", path.display())))?;
        }
        let mut origins = Vec::with_capacity(KEYS.len());
        for key in KEYS.iter().copied() {
            let (value, source) = strongest(key, flags, &around.environment, &dotenv, file.get(key.name), &path)?;
            (key.set)(&mut config, &value).map_err(|why| wrong(format!("{} ({source}) {why}.", key.name)))?;
            origins.push((value, source));
        }
        config.bots.process.inherited = inherited(&around.environment);
        let mut settings = Self { config, origins };
        settings.read_admin_key_file(&around.folder)?;
        settings.config.admin_key = header_value(&settings.config.admin_key)?;
        settings.config.old_admin_key = header_value(&settings.config.old_admin_key)?;
        if settings.config.old_admin_key.is_empty() != settings.config.old_admin_key_until.is_none() {
            let message = "admin_api_token_old and admin_api_token_old_until belong together; set both, or neither.";
            return Err(wrong(message.to_owned()));
        }
        Ok(settings)
    }

    /// The file counts only where no stronger source gives the key itself.
    fn read_admin_key_file(&mut self, folder: &Path) -> Result<(), StartupError> {
        let Some(path) = self.config.admin_key_file.clone() else { return Ok(()) };
        if rank(self.source("admin_api_token")) > rank(self.source("admin_api_token_file")) {
            self.config.admin_key_file = None;
            return Ok(());
        }
        let text = fs::read_to_string(folder.join(&path)).map_err(|error| {
            wrong(format!("Cannot read the admin key from {} ({error}); check admin_api_token_file.", path.display()))
        })?;
        text.lines().next().unwrap_or("").trim().clone_into(&mut self.config.admin_key);
        Ok(())
    }
}

/// What the processes of bots take over.
fn inherited(environment: &HashMap<String, String>) -> Vec<(String, String)> {
    let pair = |name: &str| Some((name.to_owned(), environment.get(name)?.clone()));
    INHERITED.iter().copied().filter_map(pair).collect()
}

/// The key as a header carries it: without the white space around it.
fn header_value(key: &str) -> Result<String, StartupError> {
    let key = key.trim();
    if key.chars().any(char::is_control) {
        return Err(wrong(
            "The admin key has control characters, which no header can carry; choose another.".to_owned(),
        ));
    }
    Ok(key.to_owned())
}

fn rank(source: &Source) -> u8 {
    match source {
        Source::Default => 0,
        Source::File(_) => 1,
        Source::DotEnv(_) => 2,
        Source::Environment(_) => 3,
        Source::Flag(_) => 4,
    }
}

fn wrong(message: String) -> StartupError {
    StartupError::new(Code::Config, message)
}

fn strongest(
    key: &'static Key,
    flags: &Flags,
    environment: &HashMap<String, String>,
    dotenv: &HashMap<String, String>,
    in_file: Option<&Value>,
    path: &Path,
) -> Result<(Value, Source), StartupError> {
    let flag = match key.name {
        "listen" => flags.listen.as_ref().map(|value| (value, "--listen")),
        "database" => flags.database.as_ref().map(|value| (value, "--database")),
        "socket" => flags.socket.as_ref().map(|value| (value, "--socket")),
        _ => None,
    };
    if let Some((text, flag)) = flag {
        return Ok((Value::String(text.clone()), Source::Flag(flag)));
    }
    for (variables, source) in
        [(environment, Source::Environment(key.variable)), (dotenv, Source::DotEnv(key.variable))]
    {
        if let Some(text) = variables.get(key.variable) {
            return Ok((from_text(key, text), source));
        }
    }
    if let Some(value) = in_file {
        return Ok((value.clone(), Source::File(path.to_owned())));
    }
    let default = parse_value(key.default).ok_or_else(|| wrong(format!("{} has no readable default.", key.name)))?;
    Ok((default, Source::Default))
}

/// A variable's text as the type that the key has by default; a list is parted by commas.
fn from_text(key: &Key, text: &str) -> Value {
    match parse_value(key.default) {
        Some(Value::Array(_)) if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        Some(Value::String(_)) | None => Value::String(text.to_owned()),
        Some(_) => parse_value(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn parse_value(text: &str) -> Option<Value> {
    toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value")
}

/// The configuration file, flat, by the names of [`KEYS`]; `vomeet.toml` may be missing, a file that was asked for may not.
fn read_file(flags: &Flags, folder: &Path) -> Result<(HashMap<String, Value>, PathBuf), StartupError> {
    let path = flags.config.clone().unwrap_or_else(|| PathBuf::from("vomeet.toml"));
    let text = match fs::read_to_string(folder.join(&path)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && flags.config.is_none() => {
            return Ok((HashMap::new(), path));
        }
        Err(error) => {
            return Err(wrong(format!("Cannot read {} ({error}); check --config.", path.display())));
        }
    };
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let place = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
        wrong(format!("{}, line {place}: {}; correct it and start again.", path.display(), error.message()))
    })?;
    let mut flat = HashMap::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                flat.extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => _ = flat.insert(name, value),
        }
    }
    match flat.keys().find(|name| *name != USERS && KEYS.iter().all(|key| key.name != **name)) {
        Some(unknown) => Err(wrong(format!("{}: {}", path.display(), proposal(unknown)))),
        None => Ok((flat, path)),
    }
}

fn proposal(unknown: &str) -> String {
    let likeness = |key: &&&Key| strsim::jaro_winkler(key.name, unknown);
    let nearest =
        KEYS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|key| likeness(key) > LIKENESS_MIN);
    match nearest {
        Some(key) => format!("there is no setting {unknown}; did you mean {}?", key.name),
        None => format!("there is no setting {unknown}; `vomeet config show` lists them all."),
    }
}

fn read_dotenv(path: &Path) -> Result<HashMap<String, String>, StartupError> {
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("Cannot read .env ({error}).")))?;
    // A line that cannot be read may hold a key, so it is told by its number. The fault names the line or its end.
    let unreadable = |error: dotenvy::Error| match error {
        dotenvy::Error::LineParse(line, _) => {
            let number = text.lines().position(|known| known.trim().ends_with(line.trim())).map_or(0, |at| at + 1);
            wrong(format!(".env, line {number}, is not NAME=value; quote a value that has spaces."))
        }
        _ => wrong("Cannot read .env; check its permissions and its encoding.".to_owned()),
    };
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(unreadable)
}
