//! The real binary as a process: started, watched, signalled, and read to its end.

use crate::client::{ADMIN_KEY, Client, GUIDE_KEY, PATIENCE, wait_for};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// The binary that cargo built for these tests.
pub const BINARY: &str = env!("CARGO_BIN_EXE_vomeet");

/// The exit code where another process holds the database.
const HELD: i32 = 13;

/// Lines of one of its outputs, as they come.
pub struct Output {
    coming: Receiver<String>,
    /// What was read so far.
    pub text: String,
}

impl Output {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (line_read, coming) = channel();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                if line_read.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Self { coming, text: String::new() }
    }

    /// Waits for a line that holds `wanted`; `None` if the output ends without it.
    pub fn find(&mut self, wanted: &str) -> Option<String> {
        if let Some(line) = self.text.lines().find(|line| line.contains(wanted)) {
            return Some(line.to_owned());
        }
        loop {
            let line = self.next()?;
            if line.contains(wanted) {
                return Some(line);
            }
        }
    }

    /// Waits for the next line that was not read yet; `None` if the output has ended.
    pub fn next_line(&mut self) -> Option<String> {
        self.next()
    }

    /// Reads until the process has closed it.
    pub fn all(&mut self) -> &str {
        while self.next().is_some() {}
        &self.text
    }

    fn next(&mut self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.coming.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.text.push_str(&line);
                Some(line)
            }
            Err(Disconnected) => None,
            Err(Timeout) => panic!("nothing more was said for {PATIENCE:?}:\n{}", self.text),
        }
    }
}

/// How a process ended, and all that it said.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A server on any free port.
const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A command that is being put together: the binary, in a folder, in an otherwise empty
/// environment.
pub struct Launch {
    command: Command,
    /// What [`Call::admin`](crate::client::Call::admin) shows.
    admin_key: &'static str,
}

impl Launch {
    /// `vomeet` with these arguments.
    pub fn new(folder: &Path, arguments: &[&str]) -> Self {
        Self::of(Command::new(BINARY), folder).args(arguments)
    }

    /// `vomeet serve` on any free port, on `vomeet.db` in the folder. Its admin key is a strong one:
    /// where a weak one counts, each connection is looked up in the system's table of all of them.
    pub fn serve(folder: &Path) -> Self {
        Self::new(folder, &SERVE).for_slow_clients().admin_key(ADMIN_KEY)
    }

    /// The same without an admin key of its own, so that the guide's counts.
    pub fn serve_with_guide_key(folder: &Path) -> Self {
        Self::new(folder, &SERVE).for_slow_clients()
    }

    /// `vomeet serve` under another program, such as `strace`.
    pub fn under(program: &str, arguments: &[&str], folder: &Path) -> Self {
        let launch = Self::of(Command::new(program), folder).args(arguments);
        launch.args(&[BINARY]).args(&SERVE).for_slow_clients().admin_key(ADMIN_KEY)
    }

    /// `vomeet` with these arguments, for another user and group of the machine; only root may.
    pub fn as_user(uid: u32, gid: u32, folder: &Path, arguments: &[&str]) -> Self {
        let command = Self::of(Command::new("setpriv"), folder);
        let who = [format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()];
        command.args(&who.each_ref().map(String::as_str)).args(&[BINARY]).args(arguments)
    }

    /// Another program than `vomeet`.
    pub fn other(program: &str, arguments: &[&str], folder: &Path) -> Self {
        Self::of(Command::new(program), folder).args(arguments)
    }

    /// Another program than `vomeet`, as another user of the machine; only root may.
    pub fn other_as_user(uid: u32, folder: &Path, arguments: &[&str]) -> Process {
        let who = [format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()];
        let command = Self::of(Command::new("setpriv"), folder);
        command.args(&who.each_ref().map(String::as_str)).args(arguments).launch()
    }

    fn of(mut command: Command, folder: &Path) -> Self {
        command.current_dir(folder).env_clear().process_group(0);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, admin_key: GUIDE_KEY }
    }

    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// A client of the tests may be as slow as the machine is, and ask as often as it likes.
    fn for_slow_clients(self) -> Self {
        ["HEADER", "IDLE", "BODY", "RESPONSE"].iter().fold(self.any_requests(), |launch, limit| {
            launch.env(&format!("VOMEET_HTTP_{limit}_SECONDS_MAX"), "600")
        })
    }

    /// Lets tokens and users ask as often as they like.
    pub fn any_requests(self) -> Self {
        self.env("VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN", "0")
            .env("VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER", "0")
    }

    /// Lets an address try as many wrong keys as it likes.
    pub fn any_wrong_keys(self) -> Self {
        self.env("VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE", "0")
    }

    /// Gives the server this admin key, and lets its client show it.
    pub fn admin_key(mut self, key: &'static str) -> Self {
        self.admin_key = key;
        self.env("ADMIN_API_TOKEN", key)
    }

    /// Gives it this on standard input.
    pub fn input(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("written");
        self.command.stdin(file);
        self
    }

    /// Sends its standard output to this file or device, and not to the test.
    pub fn output_to(mut self, path: &str) -> Self {
        let file = std::fs::OpenOptions::new().write(true).open(path).expect(path);
        self.command.stdout(file);
        self
    }

    /// The same with its standard error.
    pub fn errors_to(mut self, path: &str) -> Self {
        let file = std::fs::OpenOptions::new().write(true).open(path).expect(path);
        self.command.stderr(file);
        self
    }

    /// Starts it, whatever becomes of it.
    pub fn launch(mut self) -> Process {
        self.spawn()
    }

    fn spawn(&mut self) -> Process {
        let mut child =
            self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let stdout = child.stdout.take().map_or_else(|| Output::of(std::io::empty()), Output::of);
        let stderr = child.stderr.take().map_or_else(|| Output::of(std::io::empty()), Output::of);
        let admin_key = self.admin_key;
        let client = Client { address: ([127, 0, 0, 1], 0).into(), admin_key };
        Process { child, client, stdout, stderr }
    }

    /// Starts a server and waits until it listens; again where the lock of the database is held for
    /// a moment more, as [`once_free`](crate::server::once_free) says.
    pub fn start(mut self) -> Process {
        wait_for(|| {
            let mut process = self.spawn();
            if process.wait_until_listening() {
                return Some(process);
            }
            let ended = process.end();
            assert_eq!(ended.status.code(), Some(HELD), "it ended before it listened: {ended:?}");
            None
        })
    }

    /// Runs to the end.
    pub fn run(self) -> Ended {
        self.launch().end()
    }
}

/// A running process; dropping it kills it and all that it started.
pub struct Process {
    child: Child,
    client: Client,
    pub stdout: Output,
    pub stderr: Output,
}

impl Process {
    /// Whether it came to listen; else it has ended.
    pub fn wait_until_listening(&mut self) -> bool {
        let Some(line) = self.stdout.find("listens on http") else { return false };
        let (_, port) = line.trim_end().rsplit_once(':').expect("a port");
        let port: u16 = port.parse().unwrap_or_else(|_| panic!("a port in {line:?}"));
        self.client.address = ([127, 0, 0, 1], port).into();
        true
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a process that runs");
    }

    /// SIGTERM, then the end.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.end()
    }

    /// SIGKILL, then the end.
    pub fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.end()
    }

    /// SIGKILL to it and to all that it started, then the end.
    pub fn kill_all(self) {
        kill_process_group(self.pid(), Signal::KILL).expect("a process that runs");
        self.end();
    }

    /// Waits for the end: its outputs close, then it is reaped.
    pub fn end(mut self) -> Ended {
        let began = Instant::now();
        let (stdout, stderr) = (self.stdout.all().to_owned(), self.stderr.all().to_owned());
        let status = self.child.wait().expect("a child");
        assert!(began.elapsed() < PATIENCE, "it took {:?} to end", began.elapsed());
        Ended { status, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl Deref for Process {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
