//! Admin keys: one for each administrator, made and kept as tokens are.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::AdminKeyId;
use crate::domain::text::SingleLine;
use crate::domain::time::Time;
use crate::domain::token::Hint;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

/// The name that the settings' own key has in the record.
pub(crate) const SETTINGS: &str = "settings";

/// Whose an admin key is: 1 to 64 characters of one line, and not the name of the settings' own
/// key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName(pub String);

impl Field for KeyName {
    fn schema() -> Object {
        let mut schema = SingleLine::<64>::schema();
        schema.min_length = Some(1);
        schema
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let SingleLine(name) = SingleLine::<64>::read(raw)?;
        match name.trim() {
            "" => Err(Invalid::new("string_too_short", "String should have at least 1 character")
                .with("min_length", 1)),
            SETTINGS => Err(Invalid::new(
                "value_error",
                "Value error, that is the name of the key in the settings",
            )),
            name => Ok(Self(name.to_owned())),
        }
    }
}

/// What is known of a named admin key; its secret is not.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AdminKey {
    /// The key's id, by which it is rotated and revoked.
    pub id: AdminKeyId,
    /// Whose it is; the record of changes names it.
    #[schema(example = "alice")]
    pub name: String,
    /// The first four characters of the key.
    #[schema(example = "AbCd")]
    pub hint: Hint,
    /// When it was made.
    pub created_at: Time,
    /// When it stops being accepted; null for never.
    #[schema(required)]
    pub expires_at: Option<Time>,
    /// When it was last exchanged for a new one.
    #[schema(required)]
    pub rotated_at: Option<Time>,
    /// Until when the one before is accepted as well.
    #[schema(required)]
    pub old_until: Option<Time>,
}
