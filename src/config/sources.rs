//! Where settings are looked for, strongest first: flags, environment, `.env`, `vomeet.toml`,
//! defaults.

use crate::config::key::{Key, parse_value};
use crate::config::settings::KEYS;
use crate::config::source::Source;
use crate::exit::{Code, StartupError};
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Value;

/// How alike a known name must be to be proposed for an unknown one (Jaro–Winkler, 1 is equal).
const LIKENESS_MIN: f64 = 0.7;

/// Variables that begin as settings do and are none: what the Python client and the tests read.
const OTHER_VARIABLES: [&str; 5] =
    ["VOMEET_URL", "VOMEET_API_KEY", "VOMEET_PORT", "VOMEET_BINARY", "VOMEET_TEST_LONG"];

/// The lists of tables in the file; they are no [`Key`], and no other source has them.
const USERS: &str = "users";
const ENGINES: &str = "transcription.engines";

/// Stands for a `$` while `.env` is parsed: a code point that is no character and in no text
/// (Unicode 16, section 23.7).
const HIDDEN_DOLLAR: char = '\u{fdd0}';

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

/// The environment of the process.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Its variables.
    pub environment: HashMap<String, String>,
    /// The working directory.
    pub folder: PathBuf,
}

impl Environment {
    /// That of this process. A setting that is not UTF-8 is refused: if it were ignored, a weaker
    /// source would win.
    pub fn of_process() -> Result<Self, StartupError> {
        let mut environment = HashMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if let Ok(value) = value.into_string() {
                environment.insert(name, value);
                continue;
            }
            let is_setting = KEYS.iter().any(|key| key.variable == name);
            if is_setting {
                return Err(invalid(format!(
                    "{name} in the environment is no UTF-8; set it again."
                )));
            }
        }
        Ok(Self { environment, folder: PathBuf::from(".") })
    }
}

/// What the sources give, not parsed yet.
pub(crate) struct Found {
    /// For each of [`KEYS`], the strongest value and its source.
    pub(crate) values: Vec<(Value, Source)>,
    /// `[[users]]` of the file.
    pub(crate) users: Option<Value>,
    /// `[[transcription.engines]]` of the file.
    pub(crate) engines: Option<Value>,
    /// The path of the configuration file, which may be missing.
    pub(crate) file: PathBuf,
    /// Names in the file that are no settings, in a sentence each.
    pub(crate) unknown_names: Vec<String>,
    /// Variables that look like settings and are none, in a sentence each.
    pub(crate) unknown_variables: Vec<String>,
}

/// Looks for every setting in every source.
pub(crate) fn find(flags: &Flags, around: &Environment) -> Result<Found, StartupError> {
    let file = flags.config.clone().unwrap_or_else(|| PathBuf::from("vomeet.toml"));
    let mut in_file = read_file(flags, &around.folder, &file)?;
    let dotenv = read_dotenv(&around.folder.join(".env"))?;
    let users = in_file.remove(USERS);
    let engines = in_file.remove(ENGINES);
    let mut values = Vec::with_capacity(KEYS.len());
    for key in KEYS.iter() {
        let default = parse_value(key.default);
        let default =
            default.ok_or_else(|| invalid(format!("{} has no readable default.", key.name)))?;
        // Taken out even where a stronger source has it: what is left in the end is unknown.
        let value_in_file = in_file.remove(&key.name);
        let found = if let Some((text, flag)) = flag(&key.name, flags) {
            (Value::String(text.clone()), Source::Flag(flag))
        } else if let Some(text) = around.environment.get(&key.variable) {
            (from_text(text, &default), Source::Environment(&key.variable))
        } else if let Some(text) = dotenv.get(&key.variable) {
            (from_text(text, &default), Source::DotEnv(&key.variable))
        } else if let Some(value) = value_in_file {
            (value, Source::File(file.clone()))
        } else {
            (default, Source::Default)
        };
        values.push(found);
    }
    let mut unknown_names: Vec<&String> = in_file.keys().collect();
    unknown_names.sort_unstable();
    let unknown_names = unknown_names
        .into_iter()
        .map(|name| format!("{}: {}", file.display(), proposal(name, |key| &key.name)));
    let mut unknown_variables = unknown_in(&around.environment, "in the environment");
    unknown_variables.extend(unknown_in(&dotenv, "in .env"));
    let unknown_names = unknown_names.collect();
    Ok(Found { values, users, engines, file, unknown_names, unknown_variables })
}

/// The end of a program whose settings cannot be used.
pub(crate) fn invalid(message: impl Into<String>) -> StartupError {
    StartupError::new(Code::Config, message)
}

/// The value of a setting's flag and the flag itself, where it has one and it was given.
fn flag<'a>(name: &str, flags: &'a Flags) -> Option<(&'a String, &'static str)> {
    let (value, flag) = match name {
        "listen" => (&flags.listen, "--listen"),
        "database" => (&flags.database, "--database"),
        "socket" => (&flags.socket, "--socket"),
        _ => return None,
    };
    let value = value.as_ref()?;
    Some((value, flag))
}

/// A variable's text as the type that the default has; items of a list are separated by commas.
fn from_text(text: &str, default: &Value) -> Value {
    match default {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Array(_) if !text.trim_start().starts_with('[') => {
            let mut items = Vec::new();
            for item in text.split(',') {
                let item = item.trim();
                if !item.is_empty() {
                    items.push(Value::String(item.to_owned()));
                }
            }
            Value::Array(items)
        }
        // What cannot be read stays a text, and the parser of the setting says what it should be.
        _ => parse_value(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

/// The configuration file, flat, by the names of [`KEYS`]. `vomeet.toml` may be missing, a file
/// that was asked for may not.
fn read_file(
    flags: &Flags,
    folder: &Path,
    path: &Path,
) -> Result<HashMap<String, Value>, StartupError> {
    let text = match fs::read_to_string(folder.join(path)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && flags.config.is_none() => {
            return Ok(HashMap::new());
        }
        Err(error) => {
            let message = format!("Cannot read {} ({error}); check --config.", path.display());
            return Err(invalid(message));
        }
    };
    let table = parse_file(without_mark(&text), path)?;
    let mut flat = HashMap::new();
    for (name, value) in table {
        let Value::Table(section) = value else {
            flat.insert(name, value);
            continue;
        };
        for (key, value) in section {
            flat.insert(format!("{name}.{key}"), value);
        }
    }
    Ok(flat)
}

/// A text without the byte order mark with which some editors begin a file.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn parse_file(text: &str, path: &Path) -> Result<toml::Table, StartupError> {
    let error = match toml::from_str(text) {
        Ok(table) => return Ok(table),
        Err(error) => error,
    };
    let line = match error.span() {
        Some(span) => text[..span.start].lines().count().max(1),
        None => 0,
    };
    let (path, why) = (path.display(), error.message());
    Err(invalid(format!("{path}, line {line}: {why}; correct it.")))
}

/// The variables that begin as ours do and are no settings. What a cluster sets for a service of our
/// name (Kubernetes, "Service" environment variables) and what clients read is left out.
fn unknown_in(variables: &HashMap<String, String>, place: &str) -> Vec<String> {
    let mut names: Vec<&String> = variables.keys().collect();
    names.sort_unstable();
    let mut unknown = Vec::new();
    for name in names {
        let is_ours = name.starts_with("VOMEET_") || name.starts_with("ADMIN_API_TOKEN");
        let is_known = KEYS.iter().any(|key| key.variable == *name);
        let is_service = ["VOMEET_SERVICE_", "VOMEET_PORT_"].iter().any(|of| name.starts_with(of));
        let is_other = is_service || OTHER_VARIABLES.contains(&name.as_str());
        if is_ours && !is_known && !is_other {
            unknown.push(format!("{name} {place}: {}", proposal(name, |key| &key.variable)));
        }
    }
    unknown
}

/// What to say about an unknown name: the known one that is most like it, if there is one.
fn proposal(unknown: &str, name_of: impl Fn(&'static Key) -> &'static String) -> String {
    let mut nearest: Option<&String> = None;
    let mut likeness_max = LIKENESS_MIN;
    for key in KEYS.iter() {
        let name = name_of(key);
        let likeness = strsim::jaro_winkler(name, unknown);
        if likeness > likeness_max {
            likeness_max = likeness;
            nearest = Some(name);
        }
    }
    match nearest {
        Some(name) => format!("there is no setting {unknown}; did you mean {name}?"),
        None => format!("there is no setting {unknown}; `vomeet config show` lists them all."),
    }
}

fn read_dotenv(path: &Path) -> Result<HashMap<String, String>, StartupError> {
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Err(invalid(format!("Cannot read .env ({error})."))),
    };
    let text = hide_dollars(without_mark(&text));
    let mut variables = HashMap::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            Ok((name, value)) => variables.insert(name, value.replace(HIDDEN_DOLLAR, "$")),
            Err(error) => return Err(unreadable_dotenv(&error, &text)),
        };
    }
    Ok(variables)
}

/// Puts a character that means nothing in place of each `$` that is not written `\$`. The parser
/// would replace `$NAME` by another variable, and a key that has a `$` would be another key.
fn hide_dollars(text: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut is_escaped = false;
    for c in text.chars() {
        hidden.push(if c == '$' && !is_escaped { HIDDEN_DOLLAR } else { c });
        is_escaped = c == '\\' && !is_escaped;
    }
    hidden
}

/// A line that cannot be read may contain a key, so the message names its number and not the line.
fn unreadable_dotenv(error: &dotenvy::Error, text: &str) -> StartupError {
    let dotenvy::Error::LineParse(unreadable, _) = error else {
        return invalid("Cannot read .env; check its permissions and its encoding.");
    };
    // The error has the line or only its end.
    let unreadable = unreadable.trim();
    let index = text.lines().position(|line| line.trim().ends_with(unreadable));
    let number = match index {
        Some(index) => index + 1,
        None => 0,
    };
    invalid(format!(".env, line {number}, is not NAME=value; quote a value that has spaces."))
}
