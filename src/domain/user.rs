//! Users: whom a token speaks for.

use crate::domain::bounded_int::BoundedInt;
use crate::domain::data::Data;
use crate::domain::email::Email;
use crate::domain::id::UserId;
use crate::domain::text::SingleLine;
use crate::domain::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

/// A display name.
pub(crate) type PersonName = SingleLine<255>;
/// The address of a picture.
pub(crate) type ImageUrl = SingleLine<2048>;
/// How many bots a user may run at once; 0 means none.
pub(crate) type BotLimit = BoundedInt<0, { i32::MAX as i64 }>;

/// A user as every route shows one.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The address as it was written at creation.
    #[schema(value_type = String, format = "email", example = "user@example.com")]
    pub email: Email,
    /// Display name.
    #[schema(required, example = "John Doe")]
    pub name: Option<String>,
    /// Address of a picture.
    #[schema(required)]
    pub image_url: Option<String>,
    /// How many bots may be in meetings at once; 0 means none.
    #[schema(minimum = 0, example = 2)]
    pub max_concurrent_bots: i64,
    /// Free-form data of the operator's.
    pub data: Data,
    /// When the user was created.
    pub created_at: Time,
    /// Since when all their tokens are refused; null where they are not.
    #[schema(required)]
    pub disabled_at: Option<Time>,
}
