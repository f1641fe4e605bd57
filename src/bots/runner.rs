//! One interface to all runners; a bot's handle says which of them runs it.

use crate::bots::launch::{BotExit, LaunchSpec};
use crate::bots::output::LogTail;
use crate::bots::runners::demo::Demos;
use crate::bots::runners::docker::Engine;
use crate::bots::runners::process::Processes;
use crate::bots::runners::{demo, docker, process};
use crate::config::{Bots, RunnerKind};
use crate::domain::{MeetingId, Time};
use std::io;

/// Runs bots by the configured runner. Bots that another runner started, before the setting
/// changed, are still waited for and stopped.
pub(super) struct Runner {
    kind: RunnerKind,
    demos: Demos,
    processes: Processes,
    engine: Engine,
}

/// The runner that a handle belongs to.
enum Owner {
    Demos(MeetingId),
    Processes(process::Run),
    Engine,
    /// A container, while no container engine is configured.
    FormerEngine,
    /// None of ours: a bot may name itself.
    Nobody,
}

impl Runner {
    /// A runner by the settings; nothing is started or connected yet.
    pub(super) fn new(bots: &Bots) -> Self {
        Self {
            kind: bots.runner,
            demos: Demos::new(bots),
            processes: Processes::new(&bots.process, bots.grace),
            engine: Engine::new(&bots.docker, bots.grace),
        }
    }

    /// Starts a bot and returns its handle, or the sentence that says why it could not be started
    /// and what to do.
    pub(super) async fn start(&self, spec: LaunchSpec) -> Result<String, String> {
        match self.kind {
            RunnerKind::None => {
                Err("nothing is configured that runs bots; set bots.runner.".to_owned())
            }
            RunnerKind::Demo => self.demos.start(&spec),
            RunnerKind::Process => self.processes.start(&spec),
            RunnerKind::Docker => self.engine.start(&spec).await,
        }
    }

    /// Stops a bot, and kills it after the grace period; a bot that no longer runs is fine.
    pub(super) async fn stop(&self, handle: &str) {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.stop(id).await,
            Owner::Processes(run) => self.processes.stop(run).await,
            Owner::Engine => self.engine.stop(handle).await,
            Owner::FormerEngine | Owner::Nobody => {}
        }
    }

    /// Resolves when a bot no longer runs. While it is waited for, its log is kept within its
    /// limit.
    pub(super) async fn wait(&self, meeting_id: MeetingId, handle: &str) -> BotExit {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.wait(id).await,
            Owner::Processes(run) => self.processes.wait(meeting_id, run).await,
            Owner::Engine => self.engine.wait(handle).await,
            Owner::FormerEngine | Owner::Nobody => {
                BotExit::unseen("the bot was started by a runner that is no longer set")
            }
        }
    }

    /// Looks for the bot of a session whose handle was lost, because the server was killed before
    /// it was written. Fails where the runner cannot be asked now.
    pub(super) async fn find(&self, name: &str, uid: &str) -> Result<Option<String>, String> {
        match self.kind {
            RunnerKind::Process => {
                let uid = uid.to_owned();
                let search = tokio::task::spawn_blocking(move || process::find(&uid));
                search.await.map_err(|error| error.to_string())
            }
            RunnerKind::Docker => self.engine.find(name, uid).await,
            RunnerKind::None | RunnerKind::Demo => Ok(None),
        }
    }

    /// Deletes the log of a meeting's bot.
    pub(super) async fn delete_log(&self, id: MeetingId) {
        self.processes.delete_log(id).await;
    }

    /// Adds lines to the log of a meeting's bot.
    pub(super) async fn append_log(&self, id: MeetingId, lines: String) {
        self.processes.append_log(id, lines).await;
    }

    /// The end of the log of a meeting's bot, if there is one.
    pub(super) async fn log_tail(
        &self,
        id: MeetingId,
        bytes_max: u64,
    ) -> io::Result<Option<LogTail>> {
        self.processes.log_tail(id, bytes_max).await
    }

    /// The meetings whose bots have printed nothing since `end`.
    pub(super) async fn old_logs(&self, end: Time) -> Vec<MeetingId> {
        self.processes.old_logs(end).await
    }

    /// Clears away what is left of a bot that no longer runs.
    pub(super) async fn clear(&self, handle: &str) {
        match self.owner(handle) {
            Owner::Demos(id) => self.demos.forget(id),
            Owner::Processes(run) => self.processes.forget(run),
            Owner::Engine => self.engine.remove(handle).await,
            Owner::FormerEngine | Owner::Nobody => {}
        }
    }

    /// Whether bots could be started now; else the sentence that says why not and what to do.
    pub(super) async fn check(&self) -> Result<(), String> {
        match self.kind {
            RunnerKind::None | RunnerKind::Demo => Ok(()),
            RunnerKind::Process => self.processes.check(),
            RunnerKind::Docker => self.engine.check().await,
        }
    }

    /// Whether a runner is configured.
    pub(super) fn runs_any(&self) -> bool {
        self.kind != RunnerKind::None
    }

    /// Whether a runner of ours made this handle.
    pub(super) fn knows(&self, handle: &str) -> bool {
        !matches!(self.owner(handle), Owner::Nobody)
    }

    /// Whether a bot cannot outlive the server.
    pub(super) fn ends_with_server(&self, handle: &str) -> bool {
        matches!(self.owner(handle), Owner::Demos(_))
    }

    fn owner(&self, handle: &str) -> Owner {
        if let Some(id) = demo::parse(handle) {
            return Owner::Demos(id);
        }
        if let Some(run) = process::Run::parse(handle) {
            return Owner::Processes(run);
        }
        if !docker::is_id(handle) {
            return Owner::Nobody;
        }
        match self.kind {
            RunnerKind::Docker => Owner::Engine,
            _ => Owner::FormerEngine,
        }
    }
}
