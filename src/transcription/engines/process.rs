//! A process of the engine inside: this program again, with the command `whisper-child`.

use crate::transcription::engines::frames::{Answer, LENGTHS_BYTES, lengths};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Longest time until a model is in memory.
const START_TIME_MAX: Duration = Duration::from_mins(2);
/// After so many questions another one takes its place: of each question `whisper-rs` 0.16 keeps the
/// language and the vocabulary for ever (`set_language` and `set_initial_prompt` in its
/// `src/whisper_params.rs`), which is some megabytes by then.
const QUESTIONS_MAX: u32 = 10_000;
/// This very program, also once its file was replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// How a process is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// After how many questions another process takes its place.
    pub questions_max: u32,
}

impl Launch {
    /// A process of this program that has this model.
    pub(super) fn of_model(model: &Path, threads: usize) -> Self {
        let arguments = vec![
            "whisper-child".into(),
            "--threads".into(),
            threads.to_string().into(),
            "--".into(),
            model.into(),
        ];
        Self { program: THIS_PROGRAM.into(), arguments, questions_max: QUESTIONS_MAX }
    }
}

/// A process that has its model in memory. Dropping it kills it.
pub(super) struct Process {
    // Held, for it kills the process when it is dropped.
    child: tokio::process::Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// How many questions it may be asked yet.
    questions_left: u32,
}

impl Process {
    /// Starts one, and waits until it has its model. The error is the end of a sentence.
    pub(super) async fn start(launch: &Launch) -> Result<Self, String> {
        let mut command = Command::new(&launch.program);
        // Secrets of the environment stay here.
        command.arg0("vomeet").args(&launch.arguments).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn();
        let mut child = child.map_err(|error| format!("cannot be started: {error}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("cannot be started".to_owned());
        };
        let questions_left = launch.questions_max;
        let mut process = Self { child, stdin, stdout, questions_left };
        match timeout(START_TIME_MAX, process.answer()).await {
            Ok(Ok(Answer::Ready)) => Ok(process),
            Ok(Ok(Answer::Unfit(why))) => Err(format!("cannot work: {why}")),
            Ok(Ok(_)) => Err("does not speak as it should".to_owned()),
            Ok(Err(_)) => Err(process.end().await),
            Err(_elapsed) => Err("does not start in time".to_owned()),
        }
    }

    /// Sends a frame, and waits for the answer. The error is the end of a sentence; the process is
    /// of no use then.
    pub(super) async fn ask(&mut self, frame: &[u8]) -> Result<Answer, String> {
        self.questions_left = self.questions_left.saturating_sub(1);
        let exchange = async {
            self.stdin.write_all(frame).await?;
            self.stdin.flush().await?;
            self.answer().await
        };
        match exchange.await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.end().await),
        }
    }

    /// The process, if it has not ended yet and may be asked another question.
    pub(super) fn if_usable(mut self) -> Option<Self> {
        let is_running = matches!(self.child.try_wait(), Ok(None));
        (is_running && self.questions_left > 0).then_some(self)
    }

    /// The number of the process, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let mut head = [0; LENGTHS_BYTES];
        self.stdout.read_exact(&mut head).await?;
        let wrong = || io::Error::from(io::ErrorKind::InvalidData);
        let Some((length, 0)) = lengths(head) else { return Err(wrong()) };
        let mut answer = vec![0; length];
        self.stdout.read_exact(&mut answer).await?;
        serde_json::from_slice(&answer).map_err(|_| wrong())
    }

    /// How it has ended; it is killed where it has not.
    async fn end(&mut self) -> String {
        // It may have ended by itself already.
        let _ = self.child.start_kill();
        match self.child.wait().await {
            Ok(status) => format!("has ended ({status})"),
            Err(error) => format!("has ended ({error})"),
        }
    }
}
