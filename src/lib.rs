//! Vomeet in one file: the whole API of a self-hosted meeting-bot and transcription platform from one `SQLite` file.

pub mod config;
pub mod domain;
pub mod error;
pub mod exit;
pub mod store;
