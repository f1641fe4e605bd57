//! Ids: whole numbers that never come back, one type for each noun. They begin with 1; 0 is the
//! webhook that a user always had.

use crate::domain::bounded_int::{EXACT_MAX, integer_schema};
use crate::domain::field::{Field, Invalid, Raw};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Object;
use utoipa::{PartialSchema, ToSchema};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        id!($(#[$doc])* $name from 1);
    };
    ($(#[$doc:meta])* $name:ident from $first:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl Field for $name {
            fn schema() -> Object {
                integer_schema($first, EXACT_MAX)
            }

            fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
                raw.integer($first, EXACT_MAX).map(Self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                <Self as Field>::schema().into()
            }
        }

        impl ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A user's id.
    UserId
);
id!(
    /// An API token's id; it is not the token.
    TokenId
);
id!(
    /// An admin key's id; it is not the key.
    AdminKeyId
);
id!(
    /// A meeting's id.
    MeetingId
);
id!(
    /// A bot's session in a meeting.
    SessionId
);
id!(
    /// A segment's id.
    SegmentId
);
id!(
    /// The id of a sound: of one speaker, or of a whole meeting.
    SoundId
);
id!(
    /// The id of a window of a sound.
    WindowId
);
id!(
    /// The id of an event on its way to a webhook.
    DeliveryId
);
id!(
    /// A share link's id; it is not the link.
    ShareId
);

id!(
    /// A webhook's id; [`WebhookId::FIRST`] is the one that `PUT /user/webhook` sets.
    WebhookId from 0
);

impl WebhookId {
    /// The webhook of each user that has no row of its own.
    pub const FIRST: Self = Self(0);
}
