//! The setting `bots.runner`: what runs bots. And the meeting that demo bots play, which is no
//! setting.

use crate::config::values::text;
use toml::Value;

/// What runs bots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunnerKind {
    /// Nothing: `POST /bots` responds with 503.
    #[default]
    None,
    /// A bot that is built into the program and plays a meeting.
    Demo,
    /// A command: one process for each bot.
    Process,
    /// A container engine: one container for each bot.
    Docker,
}

impl RunnerKind {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Demo => "demo",
            Self::Process => "process",
            Self::Docker => "docker",
        }
    }
}

/// The meeting that demo bots play.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DemoMeeting {
    /// One of 25 seconds, for those who try a server of their own.
    #[default]
    Short,
    /// One of more than two minutes, of `vomeet demo`.
    Long,
    /// Recorded speech, which an engine hears, of `vomeet demo --speech`.
    Spoken,
}

/// Parses the setting.
pub(crate) fn runner_kind(value: &Value) -> Result<RunnerKind, String> {
    match text(value)?.as_str() {
        "none" => Ok(RunnerKind::None),
        "demo" => Ok(RunnerKind::Demo),
        "process" => Ok(RunnerKind::Process),
        "docker" => Ok(RunnerKind::Docker),
        other => Err(format!("should be none, demo, process or docker, not {other:?}")),
    }
}
