//! What a process of the engine inside is sent and answers: frames on its standard input and
//! output.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the head, little-endian |
//! | 4 | length of the sound, little-endian |
//! | … | the head, in JSON: a [`Question`] or an [`Answer`] |
//! | … | the sound: samples of 16 bits at 16 kHz, little-endian; an answer has none |

use crate::transcription::heard::Heard;
use serde::{Deserialize, Serialize};

/// Bytes in front of the head.
pub(crate) const LENGTHS_BYTES: usize = 8;
/// Longest head, in bytes.
const HEAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest sound, in seconds.
pub(crate) const SECONDS_MAX: u32 = 600;
/// Longest sound, in bytes.
const SOUND_BYTES_MAX: usize = SECONDS_MAX as usize * 16_000 * 2;

/// What is asked of a process, besides the sound.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Question {
    /// In which language is spoken; else it is detected.
    pub language: Option<String>,
    /// Whether words are to be translated into English.
    pub translates: bool,
    /// Whether the times of words are asked for.
    pub words: bool,
    /// Names and terms that may occur.
    pub prompt: Option<String>,
    /// Whether it is a draft, for which one attempt suffices.
    pub is_draft: bool,
}

/// What a process answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The model is in memory; comes once, at first.
    Ready,
    /// It can never answer: a sentence.
    Unfit(String),
    /// What it heard, and the CPU time that this took.
    Heard { heard: Heard, cpu_ms: u64 },
    /// It does not take this sound: the cause.
    Refused(String),
}

/// A frame; `None` where it would be too long.
pub(crate) fn encode<H: Serialize>(head: &H, samples: &[i16]) -> Option<Vec<u8>> {
    let head = serde_json::to_vec(head).ok()?;
    let sound_bytes = samples.len().checked_mul(2)?;
    if head.len() > HEAD_BYTES_MAX || sound_bytes > SOUND_BYTES_MAX {
        return None;
    }
    let mut frame = Vec::with_capacity(LENGTHS_BYTES + head.len() + sound_bytes);
    frame.extend_from_slice(&u32::try_from(head.len()).ok()?.to_le_bytes());
    frame.extend_from_slice(&u32::try_from(sound_bytes).ok()?.to_le_bytes());
    frame.extend_from_slice(&head);
    for sample in samples {
        frame.extend_from_slice(&sample.to_le_bytes());
    }
    Some(frame)
}

/// The lengths of head and sound; `None` where they are none of a frame.
pub(crate) fn lengths(bytes: [u8; LENGTHS_BYTES]) -> Option<(usize, usize)> {
    let [a, b, c, d, sound @ ..] = bytes;
    let head = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    let sound = usize::try_from(u32::from_le_bytes(sound)).ok()?;
    let is_frame = head <= HEAD_BYTES_MAX && sound <= SOUND_BYTES_MAX && sound % 2 == 0;
    is_frame.then_some((head, sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was_and_a_wrong_one_is_none() {
        let frame = encode(&Answer::Refused("no".to_owned()), &[1, -2]).expect("a frame");
        let (head, sound) = lengths(frame[..8].try_into().expect("8 bytes")).expect("lengths");
        assert_eq!((frame.len(), sound), (8 + head + 4, 4));
        let read: Answer = serde_json::from_slice(&frame[8..8 + head]).expect("JSON");
        assert_eq!(read, Answer::Refused("no".to_owned()));
        assert_eq!(&frame[8 + head..], [1, 0, 254, 255]);
        assert_eq!(lengths([255; 8]), None);
        assert_eq!(lengths([1, 0, 0, 0, 3, 0, 0, 0]), None, "half a sample");
        let long = vec![0; SOUND_BYTES_MAX / 2 + 1];
        assert_eq!(encode(&Answer::Ready, &long), None);
    }
}
