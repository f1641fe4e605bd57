//! Words that an engine heard and the gate did not believe.

use crate::domain::segment::Offset;
use crate::domain::sound::WithheldReason;
use crate::domain::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

/// Words that are withheld.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Withheld {
    /// When they began, in seconds from the start of the meeting.
    #[schema(value_type = f64, minimum = 0, example = 61.5)]
    pub start: Offset,
    /// When they ended, in seconds from the start of the meeting.
    #[schema(value_type = f64, minimum = 0, example = 63.0)]
    pub end: Offset,
    /// When they began, on the clock.
    pub absolute_start_time: Time,
    /// What the engine said.
    #[schema(example = "Thank you for watching!")]
    pub text: String,
    /// Why it is not believed.
    pub reason: WithheldReason,
    /// Whose sound it was, where the source keeps speakers apart.
    #[schema(required, example = "Ada")]
    pub speaker: Option<String>,
}
