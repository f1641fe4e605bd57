//! `vomeet init`: writes `vomeet.toml` and an admin key into the working directory, and says what
//! comes next. What is there already is left alone.

use crate::cli::print::{note, prompt, say};
use crate::config::new_file::{Chosen, FILE, check, text};
use crate::config::{Environment, Flags, Settings, Source};
use crate::exit::{Code, StartupError};
use crate::store::create_new;
use clap::Args;
use std::fs;
use std::io::{ErrorKind, IsTerminal, Write, stdin};
use std::net::SocketAddr;
use std::path::Path;
use toml::Value;

/// The file of the admin key.
const KEY_FILE: &str = "vomeet.key";
/// How many random bytes the admin key has.
const KEY_BYTES: usize = 24;

/// Arguments of `init`.
#[derive(Args)]
pub(super) struct InitArgs {
    /// Address and port to listen on, such as 0.0.0.0:18056 [default: 127.0.0.1:18056]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Host name by which others reach the server; "" is none [default: none]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Folder of a daily backup; "" is none [default: backups]
    #[arg(long, value_name = "FOLDER")]
    backups: Option<String>,
    /// Do not ask: take the default where no flag is given
    #[arg(long, short)]
    yes: bool,
}

/// A question, and the flag that answers it.
struct Question {
    text: &'static str,
    default: &'static str,
    setting: &'static str,
    flag: &'static str,
}

const LISTEN: Question = Question {
    text: "Address and port to listen on; 127.0.0.1 is this machine alone",
    default: "127.0.0.1:18056",
    setting: "listen",
    flag: "--listen",
};
const HOST: Question = Question {
    text: "Host name by which others reach the server, such as vomeet.example.com; empty is none",
    default: "",
    setting: "http.allowed_hosts",
    flag: "--host",
};
const BACKUPS: Question = Question {
    text: "Folder of a daily backup; - is none",
    default: "backups",
    setting: "backup.folder",
    flag: "--backups",
};
/// Answers a question whose default is not empty with nothing.
const NOTHING: &str = "-";

/// Asks, writes both files, and says what comes next.
pub(super) fn run(args: InitArgs) -> Result<(), StartupError> {
    for file in [FILE, KEY_FILE] {
        if fs::symlink_metadata(file).is_ok() {
            return Err(is_there(file));
        }
    }
    // What is wrong in the environment would be wrong afterwards too.
    let environment = Environment::of_process()?;
    Settings::load_to_serve(&Flags::default(), &environment)?;
    args.check_terminal()?;
    let listen = answer(&LISTEN, args.listen, args.yes)?;
    let host = answer(&HOST, args.host, args.yes)?;
    let backups = answer(&BACKUPS, args.backups, args.yes)?;

    let mut chosen = vec![listen, ("admin_api_token_file", Value::from(KEY_FILE))];
    for (name, value) in [host, backups] {
        let is_empty = value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            chosen.push((name, value));
        }
    }
    write_new(KEY_FILE, &format!("{}\n", new_key()?))?;
    if let Err(error) = write_new(FILE, &text(&chosen)) {
        let _ = fs::remove_file(KEY_FILE);
        return Err(error);
    }
    let settings = Settings::load_to_serve(&Flags::default(), &environment)?;
    note_stronger(&settings, &chosen);
    say(next_steps(settings.config.listen))
}

impl InitArgs {
    /// Refuses to ask where nobody can answer.
    fn check_terminal(&self) -> Result<(), StartupError> {
        let mut missing = Vec::new();
        for (question, given) in
            [(&LISTEN, &self.listen), (&HOST, &self.host), (&BACKUPS, &self.backups)]
        {
            if given.is_none() {
                missing.push(question.flag);
            }
        }
        if self.yes || missing.is_empty() || stdin().is_terminal() {
            return Ok(());
        }
        let message = format!(
            "There is no terminal to ask on; give {}, or --yes for the defaults.",
            missing.join(", ")
        );
        Err(StartupError::new(Code::NotConfirmed, message))
    }
}

/// The answer to a question: the flag, the default, or what is typed until it is sound.
fn answer(
    question: &Question,
    given: Option<String>,
    take_default: bool,
) -> Result<Chosen, StartupError> {
    if let Some(given) = given {
        return chosen(question, &given);
    }
    if take_default {
        return chosen(question, question.default);
    }
    loop {
        let typed = ask(question)?;
        match chosen(question, &typed) {
            Ok(chosen) => return Ok(chosen),
            Err(error) => note(&error.message),
        }
    }
}

/// Asks on the terminal.
fn ask(question: &Question) -> Result<String, StartupError> {
    let default = match question.default {
        "" => String::new(),
        default => format!(" [{default}]"),
    };
    prompt(&format!("{}{default}:", question.text));
    let mut line = String::new();
    let is_closed = matches!(stdin().read_line(&mut line), Ok(0) | Err(_));
    if is_closed {
        return Err(StartupError::new(Code::NotConfirmed, "Nothing was written."));
    }
    Ok(match line.trim() {
        "" => question.default.to_owned(),
        NOTHING => String::new(),
        typed => typed.to_owned(),
    })
}

/// An answer as the value of its setting.
fn chosen(question: &Question, answer: &str) -> Result<Chosen, StartupError> {
    let value = match question.setting {
        "http.allowed_hosts" if answer.is_empty() => Value::Array(Vec::new()),
        "http.allowed_hosts" => Value::Array(vec![Value::from(answer)]),
        _ => Value::from(answer),
    };
    check(question.setting, &value)?;
    Ok((question.setting, value))
}

/// A new admin key: nobody can guess it.
fn new_key() -> Result<String, StartupError> {
    let mut bytes = [0u8; KEY_BYTES];
    if getrandom::fill(&mut bytes).is_err() {
        let message = "The system gives no randomness; try again.";
        return Err(StartupError::new(Code::Config, message));
    }
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}

/// Writes a file that must not be there, for its owner alone. What cannot be written whole is
/// removed again.
fn write_new(path: &str, text: &str) -> Result<(), StartupError> {
    let mut file = match create_new(Path::new(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(is_there(path)),
        Err(error) => return Err(cannot_write(path, &error)),
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        cannot_write(path, &error)
    })
}

fn is_there(path: &str) -> StartupError {
    let message = format!(
        "{path} is there already, and is left as it is; move it away to begin anew, or go on with \
         `vomeet`."
    );
    StartupError::new(Code::Conflict, message)
}

fn cannot_write(path: &str, error: &std::io::Error) -> StartupError {
    let message = format!("Cannot write {path} ({error}); go to a folder that you may write to.");
    StartupError::new(Code::NotPermitted, message)
}

/// Says which of the chosen settings do not count, because a stronger source has them.
fn note_stronger(settings: &Settings, chosen: &[Chosen]) {
    for (name, _) in chosen {
        let source = settings.source(name);
        if !matches!(source, Source::File(_)) {
            note(&format!("vomeet: {name} is taken from {source}, which is stronger than {FILE}"));
        }
    }
    let is_key_used = settings.config.admin_key_file.is_some();
    if !is_key_used {
        let source = settings.admin_key_source();
        note(&format!("vomeet: the admin key is taken from {source}, not from {KEY_FILE}"));
    }
}

fn next_steps(listen: SocketAddr) -> String {
    let address = match (listen.port(), listen.ip()) {
        (0, _) => "the address that it prints".to_owned(),
        (port, ip) if ip.is_loopback() || ip.is_unspecified() => {
            format!("http://localhost:{port}/")
        }
        _ => format!("http://{listen}/"),
    };
    format!(
        "Written: {FILE}, and {KEY_FILE} with the admin key, which only its owner can read.\n\
         \n\
         Next, in this folder:\n\
         1. Start the server: vomeet\n\
         2. In a second terminal, add a user: vomeet user add you@example.com --max-bots 2\n\
         3. Open {address} in a browser, and sign in with the key in {KEY_FILE}.\n"
    )
}
