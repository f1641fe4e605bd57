//! Runs each bot as a process in a process group of its own, which goes on while the server is
//! restarted.

use crate::bots::launch::{BotExit, LaunchSpec, pairs};
use crate::bots::output::{BotOutputs, LogTail};
use crate::config::ProcessBots;
use crate::domain::{MeetingId, Time};
use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often a process that is not our child is looked for, and the length of each log is checked.
const TICK: Duration = Duration::from_millis(500);
/// How long a killed process may take to be gone.
const KILLED_TIME_MAX: Duration = Duration::from_secs(5);

/// A process, which cannot be mistaken for a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pid: Pid,
    /// When it began, in clock ticks since the system started; 0 where the system does not say.
    began: u64,
}

impl Run {
    /// From a handle, `process:<pid>:<when it began>`; `None` is another runner's.
    pub(crate) fn parse(handle: &str) -> Option<Self> {
        let (pid, began) = handle.strip_prefix("process:")?.split_once(':')?;
        let pid = pid.parse().ok()?;
        // 1 is the system's own, and as a group it would be every process.
        if pid <= 1 {
            return None;
        }
        Some(Self { pid: Pid::from_raw(pid)?, began: began.parse().ok()? })
    }

    fn handle(self) -> String {
        format!("process:{}:{}", self.pid.as_raw_nonzero(), self.began)
    }

    fn of(pid: Pid) -> Self {
        let began = match process_state(pid) {
            Some(state) => state.began,
            None => 0,
        };
        Self { pid, began }
    }

    fn is_alive(self) -> bool {
        match process_state(self.pid) {
            Some(state) => state.runs && state.began == self.began,
            None => false,
        }
    }

    /// Sends a signal to the process and to all that it started.
    fn signal(self, signal: Signal) {
        debug_assert!(self.pid.as_raw_nonzero().get() > 1, "1 would signal every process");
        if let Err(error) = kill_process_group(self.pid, signal) {
            log::debug!("{}: {error}", self.handle());
        }
    }

    /// Kills what a process that has ended left running. The id of its group is not reused while a
    /// process is in it, so only another process with that very id could be hit instead.
    fn kill_rest(self) {
        match process_state(self.pid) {
            Some(state) if state.began != self.began => {}
            _ => self.signal(Signal::KILL),
        }
    }
}

/// What the system says of a process.
struct ProcessState {
    /// It has not ended: a zombie has.
    runs: bool,
    began: u64,
}

/// From `/proc/<pid>/stat` (`proc_pid_stat(5)`); `None` where there is no such process.
#[cfg(target_os = "linux")]
fn process_state(pid: Pid) -> Option<ProcessState> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name stands in brackets and may hold anything; state is the 3rd field, the start the
    // 22nd.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let runs = !matches!(fields.next()?, "Z" | "X");
    let began = fields.nth(18)?.parse().ok()?;
    Some(ProcessState { runs, began })
}

#[cfg(not(target_os = "linux"))]
fn process_state(pid: Pid) -> Option<ProcessState> {
    rustix::process::test_kill_process(pid).ok()?;
    Some(ProcessState { runs: true, began: 0 })
}

/// The handle of a session's bot, looked for among all processes: the leader of a process group
/// with the session's uid in its environment.
pub(crate) fn find(uid: &str) -> Option<String> {
    if uid.is_empty() {
        return None;
    }
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = pid_of(&entry.file_name()) else { continue };
        // The environment first: the group of a kernel thread is 0, which `Pid` cannot hold.
        if has_in_environment(pid, uid) && leads_group(pid) {
            let run = Run::of(pid);
            if run.is_alive() {
                return Some(run.handle());
            }
        }
    }
    None
}

fn pid_of(name: &OsStr) -> Option<Pid> {
    let number = name.to_str()?.parse().ok()?;
    Pid::from_raw(number)
}

fn leads_group(pid: Pid) -> bool {
    rustix::process::getpgid(Some(pid)) == Ok(pid)
}

fn has_in_environment(pid: Pid, uid: &str) -> bool {
    match std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())) {
        Ok(environment) => environment.windows(uid.len()).any(|part| part == uid.as_bytes()),
        // It has ended, or is another user's.
        Err(_) => false,
    }
}

/// Whether there is a file that this user may execute.
fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// The exit of a child, once it has ended.
type Exit = watch::Receiver<Option<BotExit>>;

/// Runs bots as processes.
pub(crate) struct Processes {
    settings: ProcessBots,
    grace: Duration,
    outputs: BotOutputs,
    children: Mutex<HashMap<Run, Exit>>,
}

impl Processes {
    /// A runner by the settings; `grace` is from SIGTERM to SIGKILL.
    pub(crate) fn new(settings: &ProcessBots, grace: Duration) -> Self {
        let outputs = BotOutputs::new(&settings.log_folder, settings.log_bytes_max);
        Self { settings: settings.clone(), grace, outputs, children: Mutex::default() }
    }

    /// Starts the configured command, and returns its handle.
    pub(crate) fn start(&self, spec: &LaunchSpec) -> Result<String, String> {
        let mut child = self.spawn(spec)?;
        let Some(pid) = pid_of_child(&child) else {
            return Err("its process ended before it was noted.".to_owned());
        };
        let run = Run::of(pid);
        let (exit_sender, exit) = watch::channel(None);
        self.children().insert(run, exit);
        tokio::spawn(async move {
            let status = child.wait().await;
            run.kill_rest();
            let exit = match status {
                Ok(status) => exit_of(status),
                Err(error) => BotExit::unseen(error.to_string()),
            };
            exit_sender.send_replace(Some(exit));
        });
        Ok(run.handle())
    }

    /// Whether the folder is there, and the program is a file that may be executed.
    pub(crate) fn check(&self) -> Result<(), String> {
        let settings = &self.settings;
        let Some(program) = settings.command.first() else {
            return Err("there is no command; set bots.process_command.".to_owned());
        };
        if !settings.folder.is_dir() {
            let folder = settings.folder.display();
            return Err(format!("there is no folder {folder}; check bots.process_folder."));
        }
        let paths = settings.inherited.iter().find(|(name, _)| name == "PATH");
        let paths = paths.map_or("/bin:/usr/bin", |(_, paths)| paths);
        let is_found = match program.contains('/') {
            true => is_executable(&settings.folder.join(program)),
            false => paths
                .split(':')
                .any(|folder| is_executable(&settings.folder.join(folder).join(program))),
        };
        match is_found {
            true => Ok(()),
            false => Err(format!(
                "{program} is not there or may not be executed; check bots.process_command."
            )),
        }
    }

    fn spawn(&self, spec: &LaunchSpec) -> Result<Child, String> {
        let settings = &self.settings;
        let [program, arguments @ ..] = settings.command.as_slice() else {
            return Err("there is no command; set bots.process_command.".to_owned());
        };
        let (out, err) = self.open_log(spec.meeting_id).map_err(|error| {
            let folder = settings.log_folder.display();
            format!("its output cannot be kept in {folder} ({error}); check bots.log_folder.")
        })?;
        let mut command = Command::new(program);
        command.args(arguments);
        command.current_dir(&settings.folder);
        command.process_group(0);
        command.env_clear();
        command.envs(settings.inherited.iter().cloned());
        command.envs(pairs(&settings.environment));
        command.envs(spec.environment.clone());
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        command.spawn().map_err(|error| {
            let folder = settings.folder.display();
            format!(
                "{program} cannot be run in {folder} ({error}); check bots.process_command and \
                 bots.process_folder."
            )
        })
    }

    /// The log of a meeting, twice: for standard output and standard error.
    fn open_log(&self, id: MeetingId) -> io::Result<(File, File)> {
        let file = self.outputs.open(id)?;
        Ok((file.try_clone()?, file))
    }

    /// SIGTERM to the whole group, and after the grace period SIGKILL.
    pub(crate) async fn stop(&self, run: Run) {
        if !run.is_alive() {
            return;
        }
        run.signal(Signal::TERM);
        if timeout(self.grace, self.exit(run)).await.is_ok() {
            return;
        }
        let seconds = self.grace.as_secs();
        log::info!("{} did not leave within {seconds} s and is killed", run.handle());
        run.signal(Signal::KILL);
        // A process that waits inside the kernel cannot be killed by anybody.
        let _ = timeout(KILLED_TIME_MAX, self.exit(run)).await;
    }

    /// Waits until the process has ended, and keeps its log within the limit meanwhile.
    pub(crate) async fn wait(&self, id: MeetingId, run: Run) -> BotExit {
        let mut exit = std::pin::pin!(self.exit(run));
        loop {
            let ended = timeout(TICK, &mut exit).await;
            self.outputs.keep_short(id).await;
            if let Ok(exit) = ended {
                return exit;
            }
        }
    }

    /// Waits for a child; a process of an earlier server is looked for at every tick.
    async fn exit(&self, run: Run) -> BotExit {
        let child = self.children().get(&run).cloned();
        if let Some(mut exit) = child
            && let Ok(ended) = exit.wait_for(Option::is_some).await
            && let Some(exit) = ended.clone()
        {
            return exit;
        }
        while run.is_alive() {
            sleep(TICK).await;
        }
        run.kill_rest();
        BotExit::unseen("the bot's process is gone; its exit code is not known")
    }

    /// Deletes the log of a meeting's bot.
    pub(crate) async fn delete_log(&self, id: MeetingId) {
        self.outputs.remove(id).await;
    }

    /// Adds lines to the log of a meeting's bot, whatever runs it.
    pub(crate) async fn append_log(&self, id: MeetingId, lines: String) {
        self.outputs.append(id, lines).await;
    }

    /// The end of the log of a meeting's bot, if there is one.
    pub(crate) async fn log_tail(
        &self,
        id: MeetingId,
        bytes_max: u64,
    ) -> io::Result<Option<LogTail>> {
        self.outputs.tail(id, bytes_max).await
    }

    /// The meetings with a log to which their bots have printed nothing since `end`.
    pub(crate) async fn old_logs(&self, end: Time) -> Vec<MeetingId> {
        self.outputs.older_than(end).await
    }

    /// Forgets a process that has ended.
    pub(crate) fn forget(&self, run: Run) {
        self.children().remove(&run);
    }

    fn children(&self) -> MutexGuard<'_, HashMap<Run, Exit>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pid_of_child(child: &Child) -> Option<Pid> {
    let number = child.id()?.try_into().ok()?;
    Pid::from_raw(number)
}

fn exit_of(status: ExitStatus) -> BotExit {
    if let Some(code) = status.code() {
        return BotExit::with_code(code.into());
    }
    match status.signal() {
        Some(signal) => BotExit::unseen(format!("the bot was ended by signal {signal}")),
        None => BotExit::unseen(status.to_string()),
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
        io::copy(&mut child.stdout.take().expect("a pipe"), &mut io::sink()).expect("an end");
        let flags = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(run.pid), flags).expect("an end");
        assert!(process_state(run.pid).is_some() && !run.is_alive());
        child.wait().expect("an end");
        assert!(process_state(run.pid).is_none_or(|state| state.began != run.began));
    }
}
