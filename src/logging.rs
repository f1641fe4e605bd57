//! The log: lines are gathered and written together, so that a request does not pay for a system call.

use crate::clock::Clock;
use crate::domain::Time;
use crate::exit::{Code, StartupError};
use env_filter::Filter;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest time that a line waits.
const DELAY_MAX: Duration = Duration::from_millis(50);
/// Most bytes that wait; when the reader of the log is slower than that, lines are lost and counted.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// Refuses a filter that names no level.
pub fn check(filter: &str) -> Result<Filter, StartupError> {
    let wrong = |error| format!("log should be a level such as info ({error}); correct it and start again.");
    let mut builder = env_filter::Builder::new();
    // These two write every message out: what was said in meetings has no place in a log.
    for talker in ["tungstenite", "tokio_tungstenite"] {
        builder.filter_module(talker, LevelFilter::Info);
    }
    builder.try_parse(filter).map_err(|error| StartupError::new(Code::Config, wrong(error)))?;
    // It logs whole requests and answers, and with them the secrets that bots are given.
    builder.filter_module("bollard", LevelFilter::Off);
    Ok(builder.build())
}

/// Starts logging to standard error. Keep what it returns until the end: dropping it writes what waits.
pub fn start(filter: &str) -> Result<Flush, StartupError> {
    let filter = check(filter)?;
    let waiting = Arc::new(Waiting::default());
    log::set_max_level(filter.filter());
    // A second start in one process (a test) keeps the first logger.
    let _ = log::set_boxed_logger(Box::new(Logger { filter, waiting: Arc::clone(&waiting) }));
    let writer = Arc::clone(&waiting);
    let cannot = |error: io::Error| StartupError::new(Code::Config, format!("Cannot start the log: {error}."));
    std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.work()).map_err(cannot)?;
    Ok(Flush(waiting))
}

/// Writes what waits when it is dropped.
pub struct Flush(Arc<Waiting>);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.write();
    }
}

struct Logger {
    filter: Filter,
    waiting: Arc<Waiting>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.filter.matches(record) {
            self.waiting.add(record);
        }
    }

    fn flush(&self) {
        self.waiting.write();
    }
}

/// Lines that are not written yet.
#[derive(Default)]
struct Waiting {
    lines: Mutex<Lines>,
    some: Condvar,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    lost: usize,
    /// The text of the last second that a line had.
    second: (i64, String),
}

impl Waiting {
    fn add(&self, record: &Record<'_>) {
        let mut lines = self.lock();
        if lines.bytes.len() > WAITING_BYTES_MAX {
            lines.lost += 1;
            return;
        }
        let was_empty = lines.bytes.is_empty();
        lines.add(record);
        drop(lines);
        if was_empty {
            self.some.notify_one();
        }
    }

    fn work(&self) {
        loop {
            let lines = self.lock();
            drop(self.some.wait_while(lines, |lines| lines.bytes.is_empty()).unwrap_or_else(PoisonError::into_inner));
            std::thread::sleep(DELAY_MAX);
            self.write();
        }
    }

    /// Writes what waits. The stream is taken first, so that lines taken before are written before.
    fn write(&self) {
        let mut stderr = io::stderr().lock();
        let lines = std::mem::take(&mut *self.lock());
        // A log that nobody reads any more must not stop the server.
        let _ = stderr.write_all(&lines.bytes);
        if lines.lost > 0 {
            let _ = writeln!(stderr, "{} log lines were lost: whoever reads the log is too slow", lines.lost);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn add(&mut self, record: &Record<'_>) {
        let second = Clock::system().now().as_millis().div_euclid(1000);
        if self.second.0 != second || self.second.1.is_empty() {
            self.second = (second, Time::from_millis(second * 1000).to_string());
        }
        self.bytes.extend_from_slice(self.second.1.as_bytes());
        self.bytes.extend_from_slice(match record.level() {
            Level::Error => b" ERROR ",
            Level::Warn => b" WARN  ",
            Level::Info => b" INFO  ",
            Level::Debug => b" DEBUG ",
            Level::Trace => b" TRACE ",
        });
        // Writing to memory cannot fail; a `Display` that does has nothing more to say.
        let _ = writeln!(self.bytes, "{}", record.args());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_the_secrets_of_bots_is_never_logged() {
        for filter in ["trace", "bollard=trace", "trace,bollard=debug"] {
            let filter = check(filter).expect("a filter");
            let record = |target| filter.matches(&Record::builder().target(target).level(Level::Debug).build());
            assert!(!record("bollard::docker") && !record("bollard"));
        }
        assert!(check("trace").expect("a filter").matches(&Record::builder().target("vomeet").build()));
    }
}
