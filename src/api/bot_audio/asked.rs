//! What a bot asks of its audio socket, in texts.

use crate::domain::Language;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::field::Invalid;
use crate::domain::spoken::SpokenText;
use crate::domain::string_enum::string_enum;
use crate::http::request::extractor::Parts;
use crate::http::{BodyRule, Extractor, FromRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::Cell;

/// Samples a second of Opus.
const OPUS_RATE: u32 = 48_000;

string_enum!(
    /// How a bot sends sound.
    SentCodec {
        /// Signed samples of 16 bits, little-endian.
        S16le = "s16le",
        /// Samples of 32-bit float, little-endian.
        F32le = "f32le",
        /// One Opus packet (RFC 6716) in a message.
        Opus = "opus",
    }
);

/// What a text asks for.
pub(super) struct Asked {
    /// The number of the stream.
    pub stream: u16,
    /// What is wanted of it.
    pub wanted: Wanted,
}

/// What is wanted of a stream.
pub(super) enum Wanted {
    /// It begins.
    Open(Opening),
    /// It ends.
    End,
}

/// How a stream begins.
pub(super) struct Opening {
    /// How it is sent.
    pub codec: SentCodec,
    /// Samples a second.
    pub rate: u32,
    /// Whose it is.
    pub speaker: Option<String>,
    /// What is spoken.
    pub language: Option<Language>,
}

type StreamNumber = BoundedInt<0, 65_535>;
type SampleRate = BoundedInt<8_000, 96_000>;

/// Written out, because a text that ends a stream has no codec.
impl FromRequest for Asked {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let stream = extractor.required::<StreamNumber>("stream");
        let is_end = extractor.optional::<bool>("end");
        let codec = extractor.optional::<SentCodec>("codec");
        let rate = extractor.optional::<SampleRate>("rate");
        let speaker = extractor.optional::<SpokenText<255>>("speaker");
        let language = extractor.optional::<Language>("language");
        let stream = u16::try_from(stream?.0).ok()?;
        if is_end?.unwrap_or(false) {
            return Some(Self { stream, wanted: Wanted::End });
        }
        let Some(codec) = codec? else {
            extractor.refuse("codec", Invalid::new("missing", "Field required"));
            return None;
        };
        let rate = match (codec, rate?.map(|rate| rate.0)) {
            (SentCodec::Opus, None) => OPUS_RATE,
            (_, Some(rate)) => u32::try_from(rate).ok()?,
            (_, None) => {
                extractor.refuse("rate", Invalid::new("missing", "Field required"));
                return None;
            }
        };
        if codec == SentCodec::Opus && rate != OPUS_RATE {
            let msg = "Input should be 48000: Opus has no other rate here";
            extractor.refuse("rate", Invalid::new("value_error", msg));
            return None;
        }
        let speaker = speaker?.and_then(SpokenText::trimmed);
        let opening = Opening { codec, rate, speaker, language: language? };
        Some(Self { stream, wanted: Wanted::Open(opening) })
    }
}

/// Reads a text, or says all that is wrong with it.
pub(super) fn asked(text: &str) -> crate::error::Result<Asked> {
    let json = text.as_bytes();
    Extractor::fill(&Parts {
        path: &|_| None,
        query: "",
        body: json,
        headers: None,
        streamed: Cell::default(),
    })
}

/// The stream that a text names, where that can be read.
pub(super) fn stream_of(text: &str) -> Option<u16> {
    let value: Value = serde_json::from_str(text).ok()?;
    u16::try_from(value.get("stream")?.as_u64()?).ok()
}
