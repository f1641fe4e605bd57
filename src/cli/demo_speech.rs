//! `vomeet demo --speech`: which engine hears the recorded speech.

use crate::cli::scratch::Scratch;
use crate::config::read_engine;
use crate::exit::{Code, StartupError};
use crate::features::require;
use crate::store::create_new;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf, absolute};
use toml::{Table, Value};

/// The name of the engine in the log and in transcripts.
const NAME: &str = "demo";
/// The settings file of the demo.
const FILE: &str = "vomeet.toml";

/// Arguments of `demo` about speech.
#[derive(Args)]
pub(super) struct SpeechArgs {
    /// The bot brings recorded speech, whose words an engine makes: that of --engine or of
    /// --whisper-model
    #[arg(long)]
    speech: bool,
    /// With --speech: a server that makes words of sound, with the API of OpenAI, such as
    /// `http://127.0.0.1:8000/v1`
    #[arg(long, value_name = "URL", requires = "speech")]
    engine: Option<String>,
    /// The model that the server is asked for
    #[arg(long, value_name = "NAME", requires = "engine", default_value = "whisper-1")]
    engine_model: String,
    /// A file whose first line is the key of that server
    #[arg(long, value_name = "FILE", requires = "engine")]
    engine_key_file: Option<PathBuf>,
    /// With --speech: a Whisper model in the format ggml, for the engine inside; needs the feature
    /// whisper
    #[arg(long, value_name = "FILE", requires = "speech")]
    whisper_model: Option<PathBuf>,
}

impl SpeechArgs {
    /// Whether the bot brings speech.
    pub(super) fn is_wanted(&self) -> bool {
        self.speech
    }

    /// Refuses speech that no engine would hear, and an engine that cannot be one.
    pub(super) fn check(&self) -> Result<(), StartupError> {
        if self.speech && self.engine.is_none() && self.whisper_model.is_none() {
            return Err(StartupError::new(Code::NoEngine, no_engine()));
        }
        self.engine_table().map(drop)
    }

    /// Gives the demo its engines: variables of its environment, and a settings file in its folder.
    pub(super) fn settle(
        &self,
        scratch: &Scratch,
    ) -> Result<Vec<(&'static str, String)>, StartupError> {
        if let Some(table) = self.engine_table()? {
            write_settings(&scratch.path().join(FILE), table)?;
        }
        if !self.speech {
            return Ok(Vec::new());
        }
        // A few hundred kilobytes of sound are kept, on a disk that may be small.
        let mut variables = vec![("VOMEET_TRANSCRIPTION_SPOOL_FREE_BYTES_MIN", "0".to_owned())];
        if let Some(model) = &self.whisper_model {
            variables.push(("VOMEET_TRANSCRIPTION_WHISPER_MODEL", text_of(model)?));
        }
        Ok(variables)
    }

    /// The engine that is a server, as the settings have it.
    fn engine_table(&self) -> Result<Option<Table>, StartupError> {
        let Some(url) = &self.engine else { return Ok(None) };
        let mut table = Table::new();
        table.insert("name".to_owned(), Value::from(NAME));
        table.insert("url".to_owned(), Value::from(url.as_str()));
        table.insert("model".to_owned(), Value::from(self.engine_model.as_str()));
        if let Some(file) = &self.engine_key_file {
            table.insert("key_file".to_owned(), Value::from(text_of(file)?));
        }
        match read_engine(&table) {
            Ok(_) => Ok(Some(table)),
            Err(why) => Err(invalid(&format!("The engine of the demo cannot be used: {why}."))),
        }
    }
}

fn no_engine() -> String {
    let inside = match require("whisper") {
        Ok(()) => "",
        Err(_) => ", which needs a program with the feature whisper",
    };
    format!(
        "The speech needs an engine that hears it: name a server with --engine URL, or a model for \
         Whisper inside with --whisper-model FILE{inside}; docs/transcription.md says which."
    )
}

fn write_settings(path: &Path, engine: Table) -> Result<(), StartupError> {
    let mut transcription = Table::new();
    transcription.insert("engines".to_owned(), Value::Array(vec![Value::Table(engine)]));
    let mut settings = Table::new();
    settings.insert("transcription".to_owned(), Value::Table(transcription));
    let text = settings.to_string();
    let written = create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let message =
            format!("The demo cannot run: {} cannot be written ({error}).", path.display());
        StartupError::new(Code::DatabaseUnusable, message)
    })
}

/// The path as the settings of another folder have it.
fn text_of(path: &Path) -> Result<String, StartupError> {
    let whole = absolute(path);
    match whole.as_ref().map(|path| path.to_str()) {
        Ok(Some(text)) => Ok(text.to_owned()),
        _ => Err(invalid(&format!("{} is no path in UTF-8; name another.", path.display()))),
    }
}

fn invalid(message: &str) -> StartupError {
    StartupError::new(Code::Config, message)
}
