//! How the body of a request is read.

/// Whether an input has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRule {
    /// It is not read.
    None,
    /// It is read if there is one.
    Optional,
    /// There must be one.
    Required,
    /// It is read, and the input itself says what is wrong with it.
    Raw,
    /// A form with a file, which the handler reads piece by piece.
    Form,
    /// The same, or the file alone.
    FormOrFile,
}

impl BodyRule {
    /// Whether the body is JSON with the fields of the input.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Optional | Self::Required)
    }
}
