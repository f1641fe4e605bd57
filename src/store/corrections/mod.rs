//! Corrections of transcripts: what they show in place of what came.

pub(crate) mod read;
pub(crate) mod shown;
pub(crate) mod verbs;
