//! One face for all that runs bots; a handle says which of them runs one.

use crate::bots::launch::{BotExit, LaunchSpec};
use crate::bots::runners::demo::Demos;
use crate::bots::runners::docker::Engine;
use crate::bots::runners::process::Processes;
use crate::bots::runners::{demo, docker, process};
use crate::config::{Bots, RunnerKind};
use crate::domain::{MeetingId, Time};

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
    pub async fn start(&self, spec: LaunchSpec) -> Result<String, String> {
        match self.kind {
            RunnerKind::None => Err("nothing is configured that runs bots; set bots.runner.".to_owned()),
            RunnerKind::Demo => self.demos.start(&spec),
            RunnerKind::Process => self.processes.start(&spec),
            RunnerKind::Docker => self.engine.start(&spec).await,
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
    pub async fn wait(&self, meeting_id: MeetingId, handle: &str) -> BotExit {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.wait(id).await,
            Owner::Processes(run) => self.processes.wait(meeting_id, run).await,
            Owner::Engine => self.engine.wait(handle).await,
            Owner::FormerEngine | Owner::Nobody => {
                BotExit::unseen("the bot was started by a runner that is no longer set")
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
    pub async fn delete_log(&self, id: MeetingId) {
        self.processes.delete_log(id).await;
    }

    /// The meetings whose bots have printed nothing since then.
    pub async fn old_logs(&self, end: Time) -> Vec<MeetingId> {
        self.processes.old_logs(end).await
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
