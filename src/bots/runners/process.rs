//! A command for each bot, in a process group of its own, which goes on while the server is restarted.

use crate::bots::launch::{BotExit, LaunchSpec, pairs};
use crate::bots::output::BotOutputs;
use crate::config::ProcessBots;
use crate::domain::{MeetingId, Time};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often is looked after a process that is no child of ours, and after the length of each output.
const TICK: Duration = Duration::from_millis(500);
/// How long a killed process may take to be gone.
const KILLED_TIME_MAX: Duration = Duration::from_secs(5);

/// A process, which cannot be mistaken for a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    pid: Pid,
    /// When it began, in ticks since the system started; 0 where the system does not say.
    began: u64,
}

impl Run {
    /// From a handle, `process:<id>:<when it began>`; `None` is another runner's.
    pub fn parse(handle: &str) -> Option<Self> {
        let (pid, began) = handle.strip_prefix("process:")?.split_once(':')?;
        // 1 is the system's own, and as a group it would be everything.
        let pid = pid.parse().ok().filter(|pid| *pid > 1)?;
        Some(Self { pid: Pid::from_raw(pid)?, began: began.parse().ok()? })
    }

    fn handle(self) -> String {
        format!("process:{}:{}", self.pid.as_raw_nonzero(), self.began)
    }

    fn of(pid: Pid) -> Self {
        Self { pid, began: life(pid).map_or(0, |life| life.began) }
    }

    fn is_alive(self) -> bool {
        life(self.pid).is_some_and(|life| life.runs && life.began == self.began)
    }

    /// Sends a signal to the process and to all that it started.
    fn signal(self, signal: Signal) {
        if let Err(error) = kill_process_group(self.pid, signal) {
            log::debug!("{}: {error}", self.handle());
        }
    }

    /// Ends what a process that has ended left behind. Its group's number is not given away while somebody is in it, so
    /// only somebody else's process with that very id could be meant instead.
    fn kill_rest(self) {
        if life(self.pid).is_none_or(|life| life.began == self.began) {
            self.signal(Signal::KILL);
        }
    }
}

/// What the system says of a process.
struct Life {
    /// It has not ended: a zombie has.
    runs: bool,
    began: u64,
}

#[cfg(target_os = "linux")]
fn life(pid: Pid) -> Option<Life> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name stands in brackets and may hold anything; state is the 3rd field, the start the 22nd.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let runs = !matches!(fields.next()?, "Z" | "X");
    Some(Life { runs, began: fields.nth(18)?.parse().ok()? })
}

#[cfg(not(target_os = "linux"))]
fn life(pid: Pid) -> Option<Life> {
    rustix::process::test_kill_process(pid).ok().map(|()| Life { runs: true, began: 0 })
}

/// The bot of a session among all processes: the leader of a group with the session's name in its environment.
pub fn find(uid: &str) -> Option<String> {
    let holds = |environment: &[u8]| environment.windows(uid.len()).any(|part| part == uid.as_bytes());
    let leads = |pid: &Pid| rustix::process::getpgid(Some(*pid)) == Ok(*pid);
    let of_bot = |pid: &Pid| {
        let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        environment.is_ok_and(|environment| holds(&environment)) && leads(pid)
    };
    let names = std::fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let pids = names.filter_map(|name| Pid::from_raw(name.parse().ok()?));
    pids.filter(of_bot).map(Run::of).find(|run| !uid.is_empty() && run.is_alive()).map(Run::handle)
}

/// The end of a child, once it has come.
type Told = watch::Receiver<Option<BotExit>>;

/// Runs bots as processes.
pub struct Processes {
    settings: ProcessBots,
    grace: Duration,
    outputs: BotOutputs,
    children: Mutex<HashMap<Run, Told>>,
}

impl Processes {
    /// By the settings; `grace` is from SIGTERM to SIGKILL.
    pub fn new(settings: &ProcessBots, grace: Duration) -> Self {
        let outputs = BotOutputs::new(&settings.log_folder, settings.log_bytes_max);
        Self { settings: settings.clone(), grace, outputs, children: Mutex::default() }
    }

    /// Starts the command.
    pub fn start(&self, spec: &LaunchSpec) -> Result<String, String> {
        let mut child = self.spawn(spec)?;
        let gone = || "its process ended before it was noted.".to_owned();
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).ok_or_else(gone)?;
        let run = Run::of(pid);
        let (tell, told) = watch::channel(None);
        self.children().insert(run, told);
        tokio::spawn(async move {
            let status = child.wait().await;
            run.kill_rest();
            tell.send_replace(Some(status.map_or_else(|error| BotExit::unseen(error.to_string()), ended)));
        });
        Ok(run.handle())
    }

    fn spawn(&self, spec: &LaunchSpec) -> Result<Child, String> {
        let ProcessBots { command, folder, log_folder, environment, inherited, .. } = &self.settings;
        let [program, arguments @ ..] = command.as_slice() else {
            return Err("there is no command; set bots.process_command.".to_owned());
        };
        let outputs = self.outputs.open(spec.meeting_id).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = outputs.map_err(|error| {
            format!("its output cannot be kept in {} ({error}); check bots.log_folder.", log_folder.display())
        })?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).process_group(0);
        command.env_clear().envs(inherited.iter().cloned()).envs(pairs(environment)).envs(spec.environment.clone());
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        command.spawn().map_err(|error| {
            let folder = folder.display();
            format!(
                "{program} cannot be run in {folder} ({error}); check bots.process_command and bots.process_folder."
            )
        })
    }

    /// SIGTERM to the whole group, and after the grace period SIGKILL.
    pub async fn stop(&self, run: Run) {
        if !run.is_alive() {
            return;
        }
        run.signal(Signal::TERM);
        if timeout(self.grace, self.end(run)).await.is_err() {
            log::info!("{} did not leave within {} s and is killed", run.handle(), self.grace.as_secs());
            run.signal(Signal::KILL);
            // What the system itself holds fast cannot be ended by anybody.
            let _ = timeout(KILLED_TIME_MAX, self.end(run)).await;
        }
    }

    /// Waits for the end, and keeps the output short meanwhile.
    pub async fn wait(&self, id: MeetingId, run: Run) -> BotExit {
        let mut end = std::pin::pin!(self.end(run));
        loop {
            let ended = timeout(TICK, &mut end).await;
            self.outputs.keep_short(id).await;
            if let Ok(ended) = ended {
                return ended;
            }
        }
    }

    /// A child's end is told; another's has to be looked for.
    async fn end(&self, run: Run) -> BotExit {
        let told = self.children().get(&run).cloned();
        if let Some(mut told) = told
            && let Ok(ended) = told.wait_for(Option::is_some).await
            && let Some(ended) = ended.clone()
        {
            return ended;
        }
        while run.is_alive() {
            sleep(TICK).await;
        }
        run.kill_rest();
        BotExit::unseen("the bot's process is gone; its exit code is not known")
    }

    /// Removes what the bot of a meeting printed.
    pub async fn delete_log(&self, id: MeetingId) {
        self.outputs.remove(id).await;
    }

    /// The meetings whose bots have printed nothing since then.
    pub async fn old_logs(&self, end: Time) -> Vec<MeetingId> {
        self.outputs.older_than(end).await
    }

    /// Forgets a process that has ended.
    pub fn forget(&self, run: Run) {
        self.children().remove(&run);
    }

    fn children(&self) -> MutexGuard<'_, HashMap<Run, Told>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended(status: ExitStatus) -> BotExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => BotExit::with_code(code.into()),
        (None, Some(signal)) => BotExit::unseen(format!("the bot was ended by signal {signal}")),
        (None, None) => BotExit::unseen(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_as_they_are_written() {
        for (handle, expected) in [
            ("process:1234:5678", Some("process:1234:5678")),
            ("process:1234:0", Some("process:1234:0")),
            ("process:1:5678", None),
            ("process:0:5678", None),
            ("process:-5:5678", None),
            ("process:1234", None),
            ("process:1234:", None),
            ("process:1234:5:6", None),
            ("demo:1234", None),
            ("", None),
        ] {
            assert_eq!(Run::parse(handle).map(Run::handle).as_deref(), expected, "{handle}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_known_by_its_number_and_its_start() {
        let me = Run::of(rustix::process::getpid());
        assert!(me.is_alive() && me.began > 0);
        assert!(!Run { began: me.began + 1, ..me }.is_alive());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_zombie_is_no_longer_alive() {
        let child = std::process::Command::new("true").stdout(Stdio::piped()).spawn();
        let mut child = child.expect("a child");
        let run = Run::of(Pid::from_child(&child));
        // Its output closes with its end; it stays a zombie until it is waited for.
        std::io::copy(&mut child.stdout.take().expect("a pipe"), &mut std::io::sink()).expect("an end");
        let flags = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(run.pid), flags).expect("an end");
        assert!(life(run.pid).is_some() && !run.is_alive());
        child.wait().expect("an end");
        assert!(life(run.pid).is_none_or(|life| life.began != run.began));
    }
}
