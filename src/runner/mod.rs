//! Starts and stops bots, and keeps every open meeting honest: [`Supervisor`].
//!
//! | file | what it is |
//! |---|---|
//! | `mod` | [`Runner`]: one face for all that runs bots; a handle says which of them it is |
//! | `process`, `output` | a command for each bot, and what it prints |
//! | `docker` | a container for each bot |
//! | `demo`, `script` | the bot that the program carries, and the meeting that it plays |
//! | `supervisor`, `roster`, `keeper` | all open meetings, who hears of which, and one of them from its start to its end |

mod demo;
mod docker;
mod keeper;
mod output;
mod process;
mod roster;
mod script;
mod supervisor;

pub use roster::Roster;
pub use supervisor::Supervisor;

use crate::config::{Bots, RunnerKind};
use crate::domain::{MeetingId, Time};
use demo::Demos;
use docker::Engine;
use process::Processes;

/// A bot that is wanted.
#[derive(Clone)]
pub struct Order {
    /// For which meeting.
    pub meeting_id: MeetingId,
    /// The name of its session.
    pub uid: String,
    /// Its own name, which no other bot has.
    pub name: String,
    /// What it is told: `BOT_CONFIG` and `WHISPER_LIVE_URL`.
    pub environment: Vec<(String, String)>,
}

/// How a bot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, where it had one and it is known.
    pub exit_code: Option<i64>,
    /// In a sentence.
    pub how: String,
}

impl Ended {
    fn unseen(how: impl Into<String>) -> Self {
        Self { exit_code: None, how: how.into() }
    }

    fn with_code(exit_code: i64) -> Self {
        Self { exit_code: Some(exit_code), how: format!("the bot ended with exit code {exit_code}") }
    }
}

/// What runs bots. It goes on caring for those that were started before the setting changed.
pub struct Runner {
    kind: RunnerKind,
    demos: Demos,
    processes: Processes,
    engine: Engine,
}

/// Whose a handle is.
enum Owner {
    Demos(MeetingId),
    Processes(process::Run),
    Engine,
    /// A container of an engine that is no longer set.
    FormerEngine,
    /// It is none of our handles: a bot may name itself.
    Nobody,
}

impl Runner {
    /// By the settings; nothing is started or asked yet.
    pub fn new(bots: &Bots) -> Self {
        Self {
            kind: bots.runner,
            demos: Demos::new(bots.demo_pace),
            processes: Processes::new(&bots.process, bots.grace),
            engine: Engine::new(&bots.docker, bots.grace),
        }
    }

    /// Starts a bot and returns its handle, or the sentence that says why it could not be started and what to do.
    pub async fn start(&self, order: Order) -> Result<String, String> {
        match self.kind {
            RunnerKind::None => Err("nothing is configured that runs bots; set bots.runner.".to_owned()),
            RunnerKind::Demo => self.demos.start(&order),
            RunnerKind::Process => self.processes.start(&order),
            RunnerKind::Docker => self.engine.start(&order).await,
        }
    }

    /// Tells a bot to leave, and ends it after the grace period; a bot that no longer runs is fine.
    pub async fn stop(&self, handle: &str) {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.stop(id).await,
            Owner::Processes(run) => self.processes.stop(run).await,
            Owner::Engine => self.engine.stop(handle).await,
            Owner::FormerEngine | Owner::Nobody => {}
        }
    }

    /// Resolves when a bot no longer runs, whoever started it. As long as it is waited for, its output is kept short.
    pub async fn wait(&self, meeting_id: MeetingId, handle: &str) -> Ended {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.wait(id).await,
            Owner::Processes(run) => self.processes.wait(meeting_id, run).await,
            Owner::Engine => self.engine.wait(handle).await,
            Owner::FormerEngine | Owner::Nobody => {
                Ended::unseen("the bot was started by a runner that is no longer set")
            }
        }
    }

    /// Looks for the bot of a session whose handle was lost: the server was killed between its start and the note of it.
    /// Fails where that cannot be said now.
    pub async fn find(&self, name: &str, uid: &str) -> Result<Option<String>, String> {
        let uid_of_process = uid.to_owned();
        match self.kind {
            RunnerKind::Process => tokio::task::spawn_blocking(move || process::find(&uid_of_process))
                .await
                .map_err(|error| error.to_string()),
            RunnerKind::Docker => self.engine.find(name, uid).await,
            RunnerKind::None | RunnerKind::Demo => Ok(None),
        }
    }

    /// Removes what a bot printed.
    pub async fn erase(&self, id: MeetingId) {
        self.processes.erase(id).await;
    }

    /// The meetings whose bots have printed nothing since then.
    pub async fn old_outputs(&self, end: Time) -> Vec<MeetingId> {
        self.processes.old_outputs(end).await
    }

    /// Clears away what is left of a bot that no longer runs.
    pub async fn clear(&self, handle: &str) {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.forget(id),
            Owner::Processes(run) => self.processes.forget(run),
            Owner::Engine => self.engine.remove(handle).await,
            Owner::FormerEngine | Owner::Nobody => {}
        }
    }

    /// Whether there is anything that runs bots.
    pub fn runs_any(&self) -> bool {
        self.kind != RunnerKind::None
    }

    /// Whether this handle is one of ours.
    pub fn knows(&self, handle: &str) -> bool {
        !matches!(self.owner(handle), Owner::Nobody)
    }

    /// Whether a bot cannot outlive the server.
    pub fn ends_with_server(&self, handle: &str) -> bool {
        matches!(self.owner(handle), Owner::Demos(_))
    }

    fn owner(&self, handle: &str) -> Owner {
        match (demo::parse(handle), process::Run::parse(handle)) {
            (Some(id), _) => Owner::Demos(id),
            (_, Some(run)) => Owner::Processes(run),
            _ if !docker::is_id(handle) => Owner::Nobody,
            _ if self.kind == RunnerKind::Docker => Owner::Engine,
            _ => Owner::FormerEngine,
        }
    }
}

/// `NAME=value`, taken apart.
fn pairs(list: &[String]) -> impl Iterator<Item = (String, String)> {
    list.iter().filter_map(|item| item.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()))
}
