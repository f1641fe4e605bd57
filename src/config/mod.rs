//! Settings: one row each in the table of `settings.rs`, and where each value came from.

mod admin_key;
mod bot_targets;
mod configured_users;
mod contradictions;
mod cors;
mod guessable;
mod hosts;
mod in_force;
mod key;
mod key_strength;
mod loaded;
mod log_format;
mod metrics_token;
pub(crate) mod new_file;
mod reload;
mod runner_kind;
mod settings;
mod source;
mod sources;
mod tls_files;
mod values;

pub(crate) use admin_key::ConfiguredKey;
#[cfg(test)]
pub(crate) use cors::Cors;
pub use in_force::InForce;
pub use key::Key;
pub use loaded::Settings;
pub use runner_kind::{DemoMeeting, RunnerKind};
pub(crate) use settings::{Backup, Config, DockerBots, Health, Http, ProcessBots, Retention};
pub use settings::{Bots, KEYS, StateTimeouts, Webhooks};
pub use source::Source;
pub use sources::{Environment, Flags};
pub use tls_files::TlsFiles;
