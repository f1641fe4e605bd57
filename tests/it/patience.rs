//! How tests wait: for what must come, with patience, asleep between two looks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest wait for anything; a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// How long [`wait_for`] sleeps between two looks: whoever is waited for needs the processor more
/// than the test does.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until there is something; fails after [`PATIENCE`]. The only place where a
/// test sleeps.
pub fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come in {PATIENCE:?}");
        std::thread::sleep(PAUSE);
    }
}

/// A connection whose reads go on after a signal. Other tests have children, and where one of them
/// ends, whoever reads with a time-out in this process may be interrupted.
#[derive(Debug)]
pub struct Unbroken(pub TcpStream);

impl Read for Unbroken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Write for Unbroken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
