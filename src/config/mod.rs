//! Settings: one row each in the table of `settings.rs`, and where each value came from.

mod admin_key;
mod configured_users;
mod cors;
mod key;
mod loaded;
mod runner_kind;
mod settings;
mod source;
mod sources;
mod values;

pub use admin_key::ConfiguredKey;
pub use cors::Cors;
pub use key::Key;
pub use loaded::Settings;
pub use runner_kind::RunnerKind;
pub use settings::{
    Bots, Config, DockerBots, Http, KEYS, Leave, Limits, Live, ProcessBots, Retention,
    StateTimeouts, Store, Tokens, Webhooks,
};
pub use source::Source;
pub use sources::{Environment, Flags};
