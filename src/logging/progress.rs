//! How far long work is, of which nobody may think that it hangs: a bar on a terminal, and elsewhere
//! a log line every few seconds.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Says something about long work: in the log, or on standard error where a command has no log.
pub(crate) fn tell(line: &str) {
    if crate::logging::is_started() {
        log::info!("{line}");
    } else {
        let _ = writeln!(stderr().lock(), "vomeet: {line}");
    }
}

/// How often the bar moves.
const BAR_PERIOD: Duration = Duration::from_millis(200);
/// How often a line is logged.
const LINE_PERIOD: Duration = Duration::from_secs(5);
/// Places of the bar.
const PLACES: u64 = 20;

/// Work that is shown as long as this is kept.
pub(crate) struct Progress {
    work: Work,
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The work itself; its parts are measured in any one unit, such as microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Work(Arc<State>);

#[derive(Debug)]
struct State {
    title: String,
    total: u64,
    done: AtomicU64,
    part: Mutex<Part>,
}

#[derive(Debug, Default)]
struct Part {
    what: String,
    end: u64,
}

impl Progress {
    /// Begins to show work of this size.
    pub(crate) fn start(title: String, total: u64) -> Self {
        let (done, part) = (AtomicU64::new(0), Mutex::default());
        let work = Work(Arc::new(State { title, total: total.max(1), done, part }));
        let (end, ended) = channel();
        let shown = work.clone();
        let thread = std::thread::Builder::new().name("progress".to_owned());
        // Work that cannot be shown is done all the same.
        let thread = thread.spawn(move || shown.show(&ended)).ok();
        Self { work, end: Some(end), thread }
    }

    /// The work, to count in.
    pub(crate) fn work(&self) -> &Work {
        &self.work
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Work {
    /// A part begins, of this size; the parts before it are done.
    pub(crate) fn begin(&self, what: &str, size: u64) {
        let mut part = self.0.part.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = part.end;
        *part = Part { what: what.to_owned(), end: begin.saturating_add(size) };
        self.0.done.store(begin, Ordering::Relaxed);
    }

    /// So much of the part is done since the last call; it is never more than its size.
    pub(crate) fn add(&self, size: u64) {
        let end = self.0.part.lock().unwrap_or_else(PoisonError::into_inner).end;
        let done = self.0.done.load(Ordering::Relaxed).saturating_add(size);
        self.0.done.store(done.min(end), Ordering::Relaxed);
    }

    /// How much is done, from 0 to 99: what is shown is not over.
    fn percent(&self) -> u64 {
        let done = self.0.done.load(Ordering::Relaxed);
        (done.saturating_mul(100) / self.0.total).min(99)
    }

    fn what(&self) -> String {
        self.0.part.lock().unwrap_or_else(PoisonError::into_inner).what.clone()
    }

    fn show(&self, ended: &Receiver<()>) {
        let began = Instant::now();
        let is_terminal = stderr().is_terminal();
        let period = if is_terminal { BAR_PERIOD } else { LINE_PERIOD };
        while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            let seconds = began.elapsed().as_secs();
            let (percent, what) = (self.percent(), self.what());
            if is_terminal {
                let mut err = stderr().lock();
                let bar = bar(percent);
                // From the start of the line, and nothing behind it (ECMA-48, 8.3.41).
                let _ = write!(err, "\r\u{1b}[K[{bar}] {percent} % {seconds} s: {what}");
                let _ = err.flush();
            } else {
                tell(&format!("{}: {percent} % after {seconds} s: {what}", self.0.title));
            }
        }
        if is_terminal {
            let _ = write!(stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn bar(percent: u64) -> String {
    let full = percent * PLACES / 100;
    (0..PLACES).map(|place| if place < full { '#' } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Progress, bar};

    #[test]
    fn the_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(0), "--------------------");
        assert_eq!(bar(50), "##########----------");
        assert_eq!(bar(99), "###################-");
    }

    #[test]
    fn a_part_is_never_more_than_its_size() {
        let progress = Progress::start("a test".to_owned(), 200);
        let work = progress.work();
        let mut seen = Vec::new();
        work.begin("the first", 100);
        for size in [30, 500] {
            work.add(size);
            seen.push(work.percent());
        }
        work.begin("the second", 100);
        seen.push(work.percent());
        work.begin("the third, which nobody expected", 100);
        work.add(70);
        seen.push(work.percent());
        assert_eq!(seen, [15, 50, 50, 99]);
        assert_eq!(work.what(), "the third, which nobody expected");
    }
}
