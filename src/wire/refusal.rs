//! Commands that are refused, as the client is told.

use crate::domain::field_error::{FieldError, LocStep};
use crate::error::Error;
use crate::metrics::PayloadRefusal;

/// Longest list of faults in a refusal, in bytes.
const FAULTS_BYTES_MAX: usize = 500;

/// Why a command is refused: a code that clients know, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code and the sentence.
    pub text: String,
    /// Of a payload, as which it counts.
    pub payload: Option<PayloadRefusal>,
    /// Whether the connection is closed after it.
    pub closes: bool,
}

/// The outcome of a command.
pub(crate) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    /// With a code and a sentence.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), payload: None, closes: false }
    }

    /// The same, of a payload.
    pub(crate) fn of_payload(reason: PayloadRefusal, text: impl Into<String>) -> Self {
        Self { payload: Some(reason), ..Self::new(text) }
    }

    /// A payload that cannot be read.
    pub(crate) fn unreadable(why: &str) -> Self {
        Self::of_payload(PayloadRefusal::Invalid, format!("ERR payload: {why}"))
    }

    /// There are as many connections as there may be.
    pub(crate) fn too_many_connections() -> Self {
        Self { closes: true, ..Self::new("ERR max number of clients reached") }
    }

    /// Of a payload that was judged and could not be stored.
    pub(crate) fn of_store(error: &Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::unreadable(&sentence(faults)),
            Error::BotRefused(_) => {
                Self::of_payload(PayloadRefusal::MeetingOver, "NOPERM the meeting is over")
            }
            Error::Busy => Self::not_stored(format!("BUSY {error}")),
            Error::DiskFull => Self::not_stored(format!("MISCONF {error}")),
            _ => {
                if let Some(cause) = error.cause() {
                    log::error!("a payload of the Redis protocol was not stored: {cause}");
                }
                Self::not_stored(format!("ERR {error}"))
            }
        }
    }

    fn not_stored(text: String) -> Self {
        Self::of_payload(PayloadRefusal::NotStored, text)
    }
}

/// All that is wrong with a payload, in one line.
pub(crate) fn sentence(faults: &[FieldError]) -> String {
    let mut sentence = String::new();
    for fault in faults {
        if sentence.len() > FAULTS_BYTES_MAX {
            sentence.push_str("; …");
            break;
        }
        if !sentence.is_empty() {
            sentence.push_str("; ");
        }
        // The first step says that it is the body.
        for step in fault.loc.iter().skip(1) {
            match step {
                LocStep::Name(name) => sentence.push_str(name),
                LocStep::Number(number) => sentence.push_str(&number.to_string()),
            }
            sentence.push_str(": ");
        }
        sentence.push_str(&fault.msg);
    }
    sentence
}
