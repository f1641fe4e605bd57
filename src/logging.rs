//! The log: lines are gathered and written together, so that a request does not pay for a system call.

use crate::clock;
use crate::exit::{Code, Exit};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest time that a line waits.
const DELAY_MAX: Duration = Duration::from_millis(50);
/// Most bytes that wait; when the reader of the log is slower than that, lines are lost and counted.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// Refuses a filter that names no level.
pub fn check(filter: &str) -> Result<(), Exit> {
    let wrong = |error| {
        format!("log should be a level such as info ({error}); correct it and start again.")
    };
    env_filter::Builder::new()
        .try_parse(filter)
        .map(drop)
        .map_err(|error| Exit::new(Code::Config, wrong(error)))
}

/// Starts logging to standard error. Keep what it returns until the end: dropping it writes what waits.
pub fn start(filter: &str) -> Result<Flush, Exit> {
    check(filter)?;
    let waiting = Arc::new(Waiting::default());
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(filter);
    builder.format(|line, record| {
        writeln!(line, "{} {:5} {}", clock::now(), record.level(), record.args())
    });
    builder.target(env_logger::Target::Pipe(Box::new(Sink(Arc::clone(&waiting)))));
    // A second start in one process (a test) keeps the first logger.
    let _ = builder.try_init();
    let writer = Arc::clone(&waiting);
    let cannot =
        |error: io::Error| Exit::new(Code::Config, format!("Cannot start the log: {error}."));
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.work())
        .map_err(cannot)?;
    Ok(Flush(waiting))
}

/// Writes what waits when it is dropped.
pub struct Flush(Arc<Waiting>);

impl Drop for Flush {
    fn drop(&mut self) {
        write(&self.0.take());
    }
}

/// Lines that are not written yet.
#[derive(Default)]
pub struct Waiting {
    lines: Mutex<Lines>,
    some: Condvar,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    lost: usize,
}

impl Waiting {
    fn work(&self) {
        loop {
            let lines = self.lock();
            drop(
                self.some
                    .wait_while(lines, |lines| lines.bytes.is_empty())
                    .unwrap_or_else(PoisonError::into_inner),
            );
            std::thread::sleep(DELAY_MAX);
            write(&self.take());
        }
    }

    fn take(&self) -> Lines {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(lines: &Lines) {
    let mut stderr = io::stderr().lock();
    // A log that nobody reads any more must not stop the server.
    let _ = stderr.write_all(&lines.bytes);
    if lines.lost > 0 {
        let _ = writeln!(
            stderr,
            "{} log lines were lost: whoever reads the log is too slow",
            lines.lost
        );
    }
}

struct Sink(Arc<Waiting>);

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock();
        if lines.bytes.len() + line.len() > WAITING_BYTES_MAX {
            lines.lost += 1;
            return Ok(line.len());
        }
        let was_empty = lines.bytes.is_empty();
        lines.bytes.extend_from_slice(line);
        drop(lines);
        if was_empty {
            self.0.some.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
