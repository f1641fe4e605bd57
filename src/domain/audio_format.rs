//! The forms in which OpenAI's API gives the words of a sound.

use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize};

string_enum!(
    /// The form of a response.
    AudioFormat {
        /// An object with the text alone.
        Json = "json",
        /// An object with segments and their figures.
        VerboseJson = "verbose_json",
        /// The text.
        Text = "text",
        /// `SubRip`.
        Srt = "srt",
        /// `WebVTT`.
        Vtt = "vtt",
    }
);
