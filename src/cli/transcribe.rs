//! `vomeet transcribe`: the words of a recording, at a shell. The recording becomes a meeting, as by
//! `POST /meetings/upload`.

use crate::cli::FlagArgs;
use crate::cli::door::{Door, FileBody, Reply};
use crate::cli::print::{note, say};
use crate::cli::reach::{find_server, runtime};
use crate::cli::transcribe_as::{Speaker, speaker};
use crate::exit::{Code, StartupError};
use clap::{Args, ValueEnum};
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// How often is asked how far the words are.
const PERIOD: Duration = Duration::from_secs(1);
/// Places of the bar.
const PLACES: usize = 20;

/// How the words are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each segment
    Txt,
    /// Subtitles for players.
    Srt,
    /// Subtitles for browsers.
    Vtt,
    /// The meeting with its segments, as the API has it
    Json,
}

/// Arguments of `transcribe`.
#[derive(Args)]
pub(super) struct TranscribeArgs {
    /// The recording: WAV, or Ogg with Opus; others where an engine takes them
    file: PathBuf,
    /// How the words are printed
    #[arg(long, value_enum, default_value_t = Format::Txt)]
    format: Format,
    /// What is spoken, such as en [default: the engine finds out]
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Who speaks in which channel, such as Ada,Grace
    #[arg(long, value_name = "NAMES")]
    speakers: Option<String>,
    /// What the meeting is called [default: the name of the file]
    #[arg(long)]
    name: Option<String>,
    /// Whose meeting it becomes: id, e-mail address or name [default: the only user]
    #[arg(long)]
    user: Option<String>,
    /// Address of a server elsewhere, such as `https://vomeet.example.com`
    #[arg(long, value_name = "URL", requires = "token_file")]
    url: Option<String>,
    /// A file whose first line is an API token of that server
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Settings file [default: vomeet.toml in the working directory, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database file
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
    /// The admin socket [default: the database file's name with .sock]
    #[arg(long, value_name = "FILE")]
    socket: Option<String>,
}

/// Uploads the recording, waits for its words and prints them.
pub(super) fn run(args: TranscribeArgs) -> Result<(), StartupError> {
    let TranscribeArgs { file, format, language, speakers, name, .. } = args;
    let TranscribeArgs { user, url, token_file, config, database, socket, .. } = args;
    let asked = Asked { file, format, language, speakers, name };
    FileBody::check(&asked.file)?;
    runtime()?.block_on(async {
        if let (Some(url), Some(token_file)) = (url, token_file) {
            let door = Door::elsewhere(&url, &token_file)?;
            return asked.answer(&door).await;
        }
        let flags = FlagArgs { config, listen: None, database, socket };
        let settings = flags.load_for_command()?;
        let Some(client) = find_server(&settings).await? else { return Err(no_server()) };
        let Speaker { mut client, token, token_id } = speaker(client, user.as_deref()).await?;
        let door = Door::here(settings.config.socket_path(), &token);
        let answered = asked.answer(&door).await;
        let ended = client.end_token(token_id).await;
        answered.and(ended)
    })
}

fn no_server() -> StartupError {
    let message = "No server runs here, and words are made by a server: start it with `vomeet serve`, or \
                   name another with --url and --token-file.";
    StartupError::new(Code::Unavailable, message)
}

/// What is asked for.
struct Asked {
    file: PathBuf,
    format: Format,
    language: Option<String>,
    speakers: Option<String>,
    name: Option<String>,
}

impl Asked {
    async fn answer(&self, door: &Door) -> Result<(), StartupError> {
        let meeting = self.upload(door).await?;
        let id = meeting["id"].as_i64().unwrap_or_default();
        note(&format!("vomeet: this is meeting {id}"));
        wait(door, id).await?;
        let format = match self.format {
            Format::Txt => "?format=txt",
            Format::Srt => "?format=srt",
            Format::Vtt => "?format=vtt",
            Format::Json => "",
        };
        let path = format!("/transcripts/by-id/{id}{format}");
        let Reply { body, .. } = door.call(Method::GET, &path, None).await?;
        let text = String::from_utf8_lossy(&body);
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        say(format_args!("{text}{end}"))
    }

    async fn upload(&self, door: &Door) -> Result<Value, StartupError> {
        let name = self.name.clone().unwrap_or_else(|| file_name(&self.file));
        let mut path = format!("/meetings/upload?name={}", encoded(&name));
        for (field, value) in [("language", &self.language), ("speakers", &self.speakers)] {
            if let Some(value) = value {
                path.push('&');
                path.push_str(field);
                path.push('=');
                path.push_str(&encoded(value));
            }
        }
        let body = FileBody::open(&self.file, |percent| draw("sent", percent))?;
        let reply = door.call(Method::POST, &path, Some(body)).await;
        clear();
        reply?.json()
    }
}

/// Waits until the words of a meeting are there.
async fn wait(door: &Door, id: i64) -> Result<(), StartupError> {
    loop {
        let meeting = door.call(Method::GET, &format!("/meetings/{id}"), None).await?.json()?;
        let progress = &meeting["transcription"];
        match progress["state"].as_str() {
            Some("done") => {
                clear();
                return Ok(());
            }
            Some("failed") => {
                clear();
                let why = progress["error"].as_str().unwrap_or("it is not known why");
                let message = format!("The recording has no words: {why}");
                return Err(StartupError::new(Code::Unavailable, message));
            }
            Some(_) => draw("heard", progress["percent"].as_u64().unwrap_or_default()),
            None => {
                clear();
                let message = format!("Meeting {id} is no recording any more; it was erased.");
                return Err(StartupError::new(Code::NotFound, message));
            }
        }
        sleep(PERIOD).await;
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// Draws the bar, on a terminal.
fn draw(what: &str, percent: u64) {
    let mut err = stderr().lock();
    if err.is_terminal() {
        let places = usize::try_from(percent).unwrap_or_default() * PLACES / 100;
        let done = "#".repeat(places.min(PLACES));
        // It is shown again soon where it cannot be now.
        let _ = write!(err, "\r[{done:-<PLACES$}] {percent} % {what} ").and_then(|()| err.flush());
    }
}

/// Removes the bar.
fn clear() {
    let mut err = stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\u{1b}[K");
    }
}
