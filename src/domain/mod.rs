//! Nouns, states and rules: no I/O, no async, no clock.

pub mod data;
pub mod email;
pub mod field;
pub mod id;
pub mod meeting;
pub mod number;
pub mod text;
pub mod time;
pub mod token;
pub mod user;

pub use data::Data;
pub use email::Email;
pub use id::{MeetingId, TokenId, UserId};
pub use meeting::{Meeting, MeetingStatus, Platform};
pub use time::Time;
pub use token::{Hint, PlainToken, Token, TokenHash};
pub use user::User;
