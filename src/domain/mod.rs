//! Nouns, states and rules: no I/O, no async, no clock.

pub mod analytics;
pub mod bot;
pub mod data;
pub mod declared;
pub mod email;
pub mod export;
pub mod field;
mod flag;
pub mod id;
pub mod language;
pub mod lifecycle;
pub mod meeting;
pub mod number;
pub mod search;
pub mod segment;
pub mod subtitles;
pub mod text;
pub mod time;
pub mod token;
pub mod user;
pub mod webhook;
mod words;

pub use bot::{AutomaticLeave, BotConfig, Passcode, Task};
pub use data::Data;
pub use email::Email;
pub use id::{DeliveryId, MeetingId, SegmentId, SessionId, TokenId, UserId};
pub use language::Language;
pub use lifecycle::{Cause, CompletionReason, FailureStage, Report};
pub use meeting::{Meeting, MeetingStatus, Platform};
pub use segment::{Heard, Offset, Segment};
pub use subtitles::Subtitles;
pub use time::Time;
pub use token::{Hint, PlainToken, Token, TokenHash};
pub use user::User;
pub use webhook::{Delivery, DeliveryState, WebhookSecret};
