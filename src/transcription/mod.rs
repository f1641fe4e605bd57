//! From sound to words. Sources (`api`) write sound into the [`spool`], which is durable before
//! anything is done with it. It is decoded, cut at pauses into windows, each a row of the database;
//! an engine makes words of a window, the gate withholds what is not believed, and the rest is
//! stored as segments.

pub(crate) mod alarms;
mod capacity;
mod cut_meeting;
pub(crate) mod cutter;
mod day;
pub(crate) mod decode;
mod drafts;
mod dropped;
pub(crate) mod engines;
pub(crate) mod files;
pub(crate) mod forms;
pub(crate) mod gate;
mod hear;
pub(crate) mod hear_file;
pub(crate) mod heard;
pub(crate) mod hearing;
mod hearing_counters;
pub(crate) mod jobs;
mod kept_sound;
mod known;
mod lag;
mod listener;
mod open_sounds;
pub(crate) mod own_engine;
mod pace;
pub(crate) mod packet;
mod parts;
pub(crate) mod received;
pub(crate) mod recordings;
mod recovery;
mod refusals;
mod resample;
mod samples;
mod sounds;
pub(crate) mod spool;
mod sweep;
mod tests;
pub(crate) mod uploads;
pub(crate) mod voice;
mod worker;

pub(crate) use kept_sound::SoundPieces;
pub(crate) use open_sounds::SoundNews;
pub(crate) use parts::Transcription;
pub(crate) use sounds::{NewSound, Sound};
