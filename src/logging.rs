//! The log. `env_logger` filters and formats; behind its pipe, lines are written in batches, so
//! that a request does not pay for a system call.
//!
//! `env_filter` is `env_logger`'s own parser: asked by itself it refuses a wrong filter, which
//! `env_logger` would skip.

mod line;
pub(crate) mod progress;

pub(crate) use line::LogFormat;

use crate::exit::{Code, StartupError};
use arc_swap::ArcSwapOption;
use env_logger::{Builder, Logger, Target};
use log::{LevelFilter, Log, Metadata, Record};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Longest time that a line waits.
const DELAY_MAX: Duration = Duration::from_millis(50);
/// Most bytes that wait; when standard error takes lines more slowly than that, lines are dropped
/// and counted.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How often a trouble that lasts is told.
const TROUBLE_PERIOD: Duration = Duration::from_mins(1);

/// The waiting lines of this process: there is one log, as there is one standard error.
static WAITING: Waiting = Waiting::new();

/// How lines are written, and whether for the journal.
static FORM: OnceLock<(LogFormat, bool)> = OnceLock::new();

/// The lines that were dropped since the start.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Checks a filter.
pub(crate) fn check(filter: &str) -> Result<(), String> {
    let mut builder = env_filter::Builder::new();
    if let Err(error) = builder.try_parse(filter) {
        return Err(format!("log should be a level such as info ({error})."));
    }
    // What stands behind a slash is searched for in the messages.
    let directives = filter.split('/').next().unwrap_or_default();
    for word in directives.split(',') {
        let word = word.trim();
        let is_level = word.is_empty() || word.contains('=') || word.parse::<LevelFilter>().is_ok();
        if !is_level {
            // The parser would take it for a part of the program, and silence all the others.
            let nearest = nearest_level(word);
            return Err(format!("log: there is no level {word}; did you mean {nearest}?"));
        }
    }
    Ok(())
}

/// The level whose name is most like a word.
fn nearest_level(word: &str) -> String {
    let mut nearest = LevelFilter::Info;
    let mut likeness_max = 0.0;
    for level in LevelFilter::iter() {
        let likeness = strsim::jaro_winkler(&level.as_str().to_lowercase(), &word.to_lowercase());
        if likeness > likeness_max {
            likeness_max = likeness;
            nearest = level;
        }
    }
    nearest.as_str().to_lowercase()
}

/// Starts logging to standard error, which may be the journal of systemd. Keep the guard until the
/// end: dropping it writes the lines that wait.
pub(crate) fn start(
    filter: &str,
    format: LogFormat,
    for_journal: bool,
) -> Result<Flush, StartupError> {
    check(filter).map_err(|why| StartupError::new(Code::Config, why))?;
    let _ = FORM.set((format, for_journal));
    set_filter(filter);
    // A second start in one process (a test) keeps the first logger.
    let _ = log::set_logger(&Switched);
    let thread = std::thread::Builder::new().name("log".to_owned());
    match thread.spawn(|| WAITING.write_forever()) {
        Ok(_) => Ok(Flush),
        Err(error) => {
            Err(StartupError::new(Code::Config, format!("Cannot start the log: {error}.")))
        }
    }
}

/// Whether there is a log; commands have none.
pub(crate) fn is_started() -> bool {
    FORM.get().is_some()
}

/// Logs by this filter from now on; it must have been checked.
pub(crate) fn set_filter(filter: &str) {
    let mut builder = filtered(filter);
    let (format, for_journal) = FORM.get().copied().unwrap_or_default();
    builder.format(line::formatter(format, for_journal));
    builder.target(Target::Pipe(Box::new(Pipe)));
    let logger = builder.build();
    log::set_max_level(logger.filter());
    LOGGER.store(Some(Arc::new(logger)));
}

/// The logger in use; a running server may be given another filter.
static LOGGER: ArcSwapOption<Logger> = ArcSwapOption::const_empty();

/// Hands each line to the logger in use.
struct Switched;

impl Log for Switched {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        LOGGER.load().as_ref().is_some_and(|logger| logger.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(logger) = LOGGER.load().as_ref() {
            logger.log(record);
        }
    }

    fn flush(&self) {}
}

/// Writes the lines that wait. A process that exits at once calls it; others keep [`Flush`].
pub(crate) fn flush() {
    WAITING.write();
}

/// How many lines were dropped since the start.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Writes the lines that wait when it is dropped.
pub(crate) struct Flush;

impl Drop for Flush {
    fn drop(&mut self) {
        flush();
    }
}

/// A logger by this filter that never logs certain modules, whatever the filter says.
fn filtered(filter: &str) -> Builder {
    let mut logger = Builder::new();
    // These two log every message: what was said in meetings must not be in a log.
    for module in ["tungstenite", "tokio_tungstenite"] {
        logger.filter_module(module, LevelFilter::Info);
    }
    logger.parse_filters(filter);
    // It logs whole requests and responses, and with them the secrets that bots are given.
    logger.filter_module("bollard", LevelFilter::Off);
    logger
}

/// Something that does not work for a while, and is tried again and again: it is a warning when it
/// begins and then once a minute, and a line when it is over. The tries between are for debugging.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    told_at: Option<Instant>,
}

impl Trouble {
    /// A try that failed, and what does not work.
    pub(crate) fn warn(&mut self, what: &str) {
        match self.is_due(Instant::now()) {
            true => log::warn!("{what}"),
            false => log::debug!("{what}"),
        }
    }

    /// A try that succeeded; it is told where one has failed before.
    pub(crate) fn end(&mut self, what: &str) {
        if self.told_at.take().is_some() {
            log::info!("{what}");
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = match self.told_at {
            Some(told_at) => now.saturating_duration_since(told_at) >= TROUBLE_PERIOD,
            None => true,
        };
        if is_due {
            self.told_at = Some(now);
        }
        is_due
    }
}

/// The target of `env_logger`, which writes each line in one call.
struct Pipe;

impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        WAITING.add(line);
        Ok(line.len())
    }

    /// Called after each line; writing here would cost a system call for every line.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that are not written yet.
struct Waiting {
    lines: Mutex<Lines>,
    /// There is a line.
    added: Condvar,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// How many lines were dropped since the last write.
    dropped: usize,
}

impl Waiting {
    const fn new() -> Self {
        Self { lines: Mutex::new(Lines { bytes: Vec::new(), dropped: 0 }), added: Condvar::new() }
    }

    fn add(&self, line: &[u8]) {
        let mut lines = self.lock();
        if lines.bytes.len() > WAITING_BYTES_MAX {
            lines.dropped += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = lines.bytes.is_empty();
        lines.bytes.extend_from_slice(line);
        drop(lines);
        if was_empty {
            self.added.notify_one();
        }
    }

    fn write_forever(&self) {
        loop {
            self.wait_for_line();
            std::thread::sleep(DELAY_MAX);
            self.write();
        }
    }

    fn wait_for_line(&self) {
        let mut lines = self.lock();
        while lines.bytes.is_empty() {
            lines = self.added.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes the lines that wait. Standard error is locked first, so that two writes keep the
    /// order of their lines.
    fn write(&self) {
        let mut stderr = io::stderr().lock();
        let lines = self.take();
        // A log that cannot be written must not stop the server.
        let _ = stderr.write_all(&lines.bytes);
        if lines.dropped > 0 {
            let (format, for_journal) = FORM.get().copied().unwrap_or_default();
            let _ = line::write_dropped(&mut stderr, format, for_journal, lines.dropped);
        }
    }

    /// Takes the lines; as many again have room at once.
    fn take(&self) -> Lines {
        let mut lines = self.lock();
        let room = Vec::with_capacity(lines.bytes.len());
        std::mem::replace(&mut *lines, Lines { bytes: room, dropped: 0 })
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::{Level, Record};

    /// Whether a filter lets a debug line of a crate through.
    fn shows(filter: &str, target: &str) -> bool {
        check(filter).expect("a filter");
        let record = Record::builder().target(target).level(Level::Debug).build();
        filtered(filter).build().matches(&record)
    }

    #[test]
    fn what_holds_the_secrets_of_bots_is_never_logged() {
        for filter in ["trace", "bollard=trace", "trace,bollard=debug"] {
            assert!(!shows(filter, "bollard::docker") && !shows(filter, "bollard"), "{filter}");
        }
        assert!(shows("trace", "vomeet"));
    }

    #[test]
    fn what_is_said_in_meetings_is_not_logged_by_a_level_alone() {
        assert!(!shows("trace", "tungstenite::protocol") && !shows("trace", "tokio_tungstenite"));
    }

    #[test]
    fn a_trouble_is_told_once_a_minute_and_anew_after_its_end() {
        let mut trouble = Trouble::default();
        let began = Instant::now();
        for (seconds, is_due) in [(0, true), (1, false), (59, false), (60, true), (119, false)] {
            let now = began + Duration::from_secs(seconds);
            assert_eq!(trouble.is_due(now), is_due, "after {seconds} s");
        }
        trouble.end("it works again");
        assert!(trouble.is_due(began + Duration::from_mins(2)));
    }

    #[test]
    fn a_filter_that_is_wrong_is_refused_and_not_skipped() {
        for filter in ["warn,access=loud", "a=b=c", "info/a/b"] {
            assert!(check(filter).is_err(), "{filter}");
        }
        for (filter, nearest) in [
            ("loud", "did you mean"),
            ("inof", "did you mean info?"),
            ("warn,debg", "did you mean debug?"),
            ("WARNING", "did you mean warn?"),
            ("vomeet", "did you mean"),
        ] {
            let why = check(filter).expect_err(filter);
            assert!(why.contains(nearest), "{filter}: {why}");
        }
        for filter in ["warn,access=off", "INFO", "", "off", "hyper=trace,warn", "info/wörd"] {
            assert!(check(filter).is_ok(), "{filter}");
        }
    }
}
