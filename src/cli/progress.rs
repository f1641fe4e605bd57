//! A bar on the terminal while a command waits, so that nobody takes long work for a command that
//! hangs.

use std::io::{IsTerminal, Write, stderr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, interval_at};

/// How long a command may take before there is a bar.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// How often the bar moves.
const STEP: Duration = Duration::from_millis(200);
/// Places of the bar.
const PLACES: usize = 20;

/// Whether the bar stands on the terminal. There is one bar, as there is one standard error.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Waits for a command, and shows a bar on a terminal once it has taken a while.
pub(super) async fn shown<T>(command: impl Future<Output = T>) -> T {
    if !stderr().is_terminal() {
        return command.await;
    }
    let mut command = pin!(command);
    let began = Instant::now();
    let mut steps = interval_at(began + SHOWN_AFTER, STEP);
    let mut step = 0;
    loop {
        tokio::select! {
            biased;
            done = &mut command => {
                clear();
                return done;
            }
            _ = steps.tick() => {
                draw(step, began.elapsed());
                step += 1;
            }
        }
    }
}

/// Removes the bar before anything else is printed.
pub(super) fn clear() {
    if IS_SHOWN.swap(false, Ordering::Relaxed) {
        // The start of the line, and nothing behind it (ECMA-48, 8.3.41).
        let _ = write!(stderr().lock(), "\r\u{1b}[K");
    }
}

fn draw(step: usize, elapsed: Duration) {
    IS_SHOWN.store(true, Ordering::Relaxed);
    let mut err = stderr().lock();
    let _ = write!(err, "\r[{}] {} s", bar(step), elapsed.as_secs()).and_then(|()| err.flush());
}

/// How much is left is not known, so a mark goes from one end to the other and back.
fn bar(step: usize) -> String {
    let last = PLACES - 1;
    let at = step % (2 * last);
    let place = if at <= last { at } else { 2 * last - at };
    let mut bar = vec!['-'; PLACES];
    bar[place] = '#';
    bar.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{PLACES, bar};

    #[test]
    fn the_mark_goes_to_and_fro() {
        assert_eq!(bar(0), "#-------------------");
        assert_eq!(bar(19), "-------------------#");
        assert_eq!(bar(20), "------------------#-");
        assert_eq!(bar(38), bar(0));
        for step in 0..100 {
            assert_eq!(bar(step).len(), PLACES);
        }
    }
}
