//! `[[transcription.engines]]`: servers that make words of sound, in the order in which they are
//! tried.

use crate::config::secret_file::secret_line;
use crate::config::values::number_within;
use crate::domain::EngineKey;
use crate::features::require;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use url::Url;

/// What an entry may have.
const MEMBERS: [&str; 6] = ["name", "url", "key_file", "model", "seconds_max", "concurrent_max"];
/// Names that the program gives: to the engine inside, and to those of users.
const OWN_NAMES: [&str; 2] = ["whisper", "user"];
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 40;
/// A day, in seconds.
const SECONDS_MAX: i64 = 86_400;
/// Most requests at once to one engine.
const CONCURRENT_MAX: i64 = 1024;
/// How many requests at once an engine gets where the entry does not say.
const CONCURRENT: usize = 2;
/// How a model in the format ggml begins (whisper.cpp, `GGML_FILE_MAGIC`, little-endian).
const GGML_MAGIC: [u8; 4] = *b"lmgg";
/// Shorter than any model, in bytes: the smallest one, in its smallest form, has 25 MB.
const MODEL_BYTES_MIN: u64 = 10 * 1024 * 1024;
/// Lists in such a file begin with the size of the vocabulary, which is never beyond this.
const VOCABULARY_MAX: u32 = 1_000_000;

/// An engine of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredEngine {
    /// Its name in the log, in metrics and in transcripts.
    pub name: String,
    /// The address of its API.
    pub url: Url,
    /// The file of its key.
    pub key_file: Option<PathBuf>,
    /// Its key, once its file was read.
    pub key: Option<EngineKey>,
    /// The name of the model that it is asked for.
    pub model: String,
    /// Longest sound that it is asked to hear, in seconds.
    pub seconds_max: Option<u32>,
    /// Most requests to it at once.
    pub concurrent_max: usize,
}

/// Reads all entries, or says in one sentence, without its end, what is wrong with one.
pub(crate) fn read(entries: &Value) -> Result<Vec<ConfiguredEngine>, String> {
    let wrong = "transcription.engines should be tables, each under [[transcription.engines]]";
    let entries = entries.as_array().ok_or(wrong)?;
    let mut engines: Vec<ConfiguredEngine> = Vec::with_capacity(entries.len());
    for (number, entry) in (1..).zip(entries) {
        let table = entry.as_table().ok_or(wrong)?;
        let engine = read_engine(table);
        let engine =
            engine.map_err(|why| format!("[[transcription.engines]] number {number}: {why}"))?;
        if engines.iter().any(|other| other.name == engine.name) {
            let name = &engine.name;
            return Err(format!(
                "[[transcription.engines]] number {number}: {name} is the name of another one"
            ));
        }
        engines.push(engine);
    }
    Ok(engines)
}

/// Reads one entry, or says what is wrong with it.
pub(crate) fn read_engine(table: &Table) -> Result<ConfiguredEngine, String> {
    for member in table.keys() {
        if !MEMBERS.contains(&member.as_str()) {
            let members = MEMBERS.join(", ");
            return Err(format!("there is no setting {member}; an entry may have {members}"));
        }
    }
    let key_file = text(table, "key_file")?.filter(|path| !path.is_empty());
    let model = text(table, "model")?.ok_or("model is missing")?;
    if model.is_empty() || model.chars().any(char::is_control) {
        return Err("model should be the name of a model, in one line".to_owned());
    }
    let seconds_max = number(table, "seconds_max", SECONDS_MAX)?;
    let concurrent_max = number(table, "concurrent_max", CONCURRENT_MAX)?;
    Ok(ConfiguredEngine {
        name: name(table)?,
        url: url(table)?,
        key_file: key_file.map(PathBuf::from),
        key: None,
        model: model.to_owned(),
        seconds_max,
        concurrent_max: concurrent_max.unwrap_or(CONCURRENT),
    })
}

fn name(table: &Table) -> Result<String, String> {
    let name = text(table, "name")?.ok_or("name is missing")?;
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if name.is_empty() || !is_word || name.len() > NAME_CHARS_MAX {
        return Err(format!(
            "name should be 1 to {NAME_CHARS_MAX} letters, digits, dots and hyphens, not {name:?}"
        ));
    }
    if OWN_NAMES.contains(&name) {
        return Err(format!("the program gives the name {name} to another engine; choose one"));
    }
    Ok(name.to_owned())
}

/// The address of an API. Its key has no place in it: it would be shown.
fn url(table: &Table) -> Result<Url, String> {
    let text = text(table, "url")?.ok_or("url is missing")?;
    let wrong = "url should be an address such as http://127.0.0.1:8000/v1, without a key in it";
    let url = Url::parse(text).map_err(|_| wrong)?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    match is_http && is_plain && url.query().is_none() && url.fragment().is_none() {
        true => Ok(url),
        false => Err(wrong.to_owned()),
    }
}

fn number<T: TryFrom<i64>>(table: &Table, name: &str, max: i64) -> Result<Option<T>, String> {
    let Some(value) = table.get(name) else { return Ok(None) };
    match number_within(value, &(1..=max)) {
        Ok(number) => Ok(Some(number)),
        Err(why) => Err(format!("{name} {why}")),
    }
}

fn text<'a>(table: &'a Table, name: &str) -> Result<Option<&'a str>, String> {
    let Some(value) = table.get(name) else { return Ok(None) };
    match value.as_str() {
        Some(text) => Ok(Some(text)),
        None => Err(format!("{name} should be text in quotes")),
    }
}

/// Reads the key of each engine from its file; says what is wrong with them.
pub(crate) fn read_keys(engines: &mut [ConfiguredEngine], folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for engine in engines {
        let Some(path) = &engine.key_file else { continue };
        let setting = format!("[[transcription.engines]] {}, key_file", engine.name);
        match secret_line(&setting, "key", path, folder) {
            Ok(key) if key.chars().any(char::is_control) || !key.is_ascii() => {
                let path = path.display();
                faults.push(format!(
                    "{setting}: the key in {path} has characters that no header can carry; put \
                     the key alone into its first line."
                ));
            }
            Ok(key) => engine.key = Some(EngineKey::new(key)),
            Err(why) => faults.push(why),
        }
    }
    faults
}

/// What is wrong with the model of the engine inside, if one is set.
pub(crate) fn model_fault(model: Option<&Path>, folder: &Path) -> Option<String> {
    let path = model?;
    if let Err(why) = require("whisper") {
        return Some(format!("transcription.whisper_model {why}."));
    }
    let shown = path.display();
    match begins_as_ggml(&folder.join(path)) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "transcription.whisper_model: {shown} is no model in the format ggml; \
             docs/transcription.md says where models are."
        )),
        Err(error) => Some(format!("transcription.whisper_model: cannot read {shown} ({error}).")),
    }
}

fn begins_as_ggml(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut head = [0; 8];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    let [a, b, c, d, vocabulary @ ..] = head;
    let has_head = [a, b, c, d] == GGML_MAGIC;
    let has_words = (1..VOCABULARY_MAX).contains(&u32::from_le_bytes(vocabulary));
    Ok(has_head && has_words && file.metadata()?.len() >= MODEL_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<ConfiguredEngine>, String> {
        let table: Table = toml::from_str(text).expect("TOML");
        read(&table["transcription"]["engines"])
    }

    #[test]
    fn a_model_is_told_by_its_head_and_its_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model");
        let mut head = GGML_MAGIC.to_vec();
        head.extend_from_slice(&51_864_u32.to_le_bytes());
        for (head, length, expected) in [
            (&head[..], MODEL_BYTES_MIN, true),
            (&head[..], MODEL_BYTES_MIN - 1, false),
            (&head[..4], MODEL_BYTES_MIN, false),
            (&b"GGUF\x03\0\0\0"[..], MODEL_BYTES_MIN, false),
            (b"", 3, false),
        ] {
            std::fs::write(&path, head).expect("written");
            File::options().write(true).open(&path).expect("open").set_len(length).expect("long");
            assert_eq!(begins_as_ggml(&path).expect("read"), expected, "{head:?} {length}");
        }
    }

    #[test]
    fn an_entry_is_read_and_what_is_wrong_with_one_is_said() {
        let sound = "[[transcription.engines]]\nname = 'one'\nurl = 'http://h:1/v1'\nmodel = 'm'\n";
        let read = read_text(sound).expect("sound");
        assert_eq!((read[0].concurrent_max, read[0].seconds_max), (CONCURRENT, None));
        for (line, wanted) in [
            ("tier = 1", "there is no setting tier; an entry may have name, url"),
            ("seconds_max = 0", "seconds_max should be a whole number from 1"),
            ("concurrent_max = 'x'", "concurrent_max should be"),
            ("key_file = 1", "key_file should be text"),
        ] {
            let said = read_text(&format!("{sound}{line}\n")).expect_err(line);
            assert!(said.contains("number 1: ") && said.contains(wanted), "{line}: {said}");
        }
        for (from, to, wanted) in [
            ("'one'", "''", "name should be"),
            ("'one'", "'a b'", "name should be"),
            ("'one'", "'whisper'", "another engine"),
            ("name = 'one'\n", "", "name is missing"),
            ("model = 'm'\n", "", "model is missing"),
            ("url = 'http://h:1/v1'\n", "", "url is missing"),
            ("http://h:1/v1", "ftp://h/", "url should be"),
            ("http://h:1/v1", "https://k:k@h/", "without a key"),
            ("http://h:1/v1", "https://h/?key=k", "without a key"),
        ] {
            let said = read_text(&sound.replace(from, to)).expect_err(to);
            assert!(said.contains(wanted), "{to}: {said}");
        }
        let twice = read_text(&format!("{sound}{sound}")).expect_err("twice");
        assert!(twice.contains("number 2: one is the name of another one"), "{twice}");
    }
}
