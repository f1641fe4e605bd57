//! A response that is a sentence.

use serde::Serialize;
use utoipa::ToSchema;

/// A sentence that says what was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Message {
    /// The sentence.
    pub message: String,
}

impl Message {
    /// A message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
