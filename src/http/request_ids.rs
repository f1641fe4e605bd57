//! Request ids, for the log and the client.

use hyper::header::HeaderValue;
use std::sync::atomic::{AtomicU64, Ordering};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Makes ids for requests that bring none: unique in one run, and not the same in the next.
pub struct RequestIds {
    start: u64,
    made: AtomicU64,
}

impl RequestIds {
    /// Begins at a random number.
    pub fn random() -> Self {
        Self { start: getrandom::u64().unwrap_or_default(), made: AtomicU64::new(0) }
    }

    /// The next id: 16 hexadecimal digits.
    pub fn next(&self) -> HeaderValue {
        // Multiplying by an odd number permutes the 64-bit numbers, so no id comes twice.
        let number = self.made.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = self.start.wrapping_add(number);
        let mut digits = [0; 16];
        let mut rest = id;
        for digit in &mut digits {
            *digit = DIGITS[usize::from(rest.to_le_bytes()[0] % 16)];
            rest >>= 4;
        }
        HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("-"))
    }
}
