//! The settings of the words that the server makes of sound.

use crate::config::engines::ConfiguredEngine;
use crate::config::key::{Key, Values, settings};
use crate::config::values::{flag, optional_path, whole};
use crate::exit::StartupError;
use std::path::PathBuf;

const MIB: i64 = 1024 * 1024;
/// Ten tebibytes, in bytes.
const TEN_TIB: i64 = 10 * 1024 * 1024 * MIB;

settings! {
    /// Words of sound.
    #[derive(Debug, Clone, Default)]
    pub struct Transcription in "transcription" {
        /// A Whisper model in the format ggml, for the engine inside; needs the feature whisper. Empty
        /// is none: then sound is heard by the engines under `[[transcription.engines]]`, if any.
        whisper_model: Option<PathBuf> = "", optional_path;
        /// How many processes of the engine inside hear at once; each holds the model in memory.
        whisper_processes: usize = 1, whole(1..=64);
        /// Threads of each of them; 0 is one less than the machine has cores, and at least one.
        whisper_threads: usize = 0, whole(0..=256);
        /// The folder of sound that waits for its words; it is created. Empty is the database file's
        /// name with .sound.
        spool_folder: Option<PathBuf> = "", optional_path;
        /// Most bytes in that folder; what is beyond is refused.
        spool_bytes_max: u64 = 10_737_418_240, whole(MIB..=TEN_TIB);
        /// Bytes that stay free on its disk; sound is refused where fewer are.
        spool_free_bytes_min: u64 = 1_073_741_824, whole(0..=TEN_TIB);
        /// Longest recording that may be uploaded, in bytes.
        upload_bytes_max: u64 = 2_147_483_648, whole(MIB..=TEN_TIB);
        /// How long sound is kept once its words are stored, in days; 0 is not at all.
        keep_days: u32 = 0, whole(0..=36_500);
        /// Most seconds of sound of a user in a day (UTC).
        seconds_per_day_user: u32 = 36_000, whole(0..=100_000_000);
        /// Whether users may have an engine of their own: `true` or `false`.
        user_engines: bool = false, flag;
        /// Whether what an engine says of silence and noise is withheld: `true` or `false`.
        gate: bool = true, flag;
    }
    others {
        /// The engines that are servers, in the order in which they are tried; only the file has
        /// them (`[[transcription.engines]]`).
        engines: Vec<ConfiguredEngine>,
    }
}
