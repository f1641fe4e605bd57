//! Usage by day, user and token: how it is summed and written.

use crate::domain::day::Day;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::id::{TokenId, UserId};
use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize, Serializer};
use std::ops::{AddAssign, Sub};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Counts of usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageCounts {
    /// Requests that were let in.
    pub requests: i64,
    /// Bots that were started.
    pub bots: i64,
    /// How long bots ran, in milliseconds.
    pub bot_ms: i64,
    /// How long what they heard lasted, in milliseconds.
    pub transcript_ms: i64,
    /// How long the sound was that the server heard itself, in milliseconds.
    #[serde(default)]
    pub sound_ms: i64,
}

impl AddAssign for UsageCounts {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.bots += more.bots;
        self.bot_ms += more.bot_ms;
        self.transcript_ms += more.transcript_ms;
        self.sound_ms += more.sound_ms;
    }
}

impl Sub for UsageCounts {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            requests: self.requests - less.requests,
            bots: self.bots - less.bots,
            bot_ms: self.bot_ms - less.bot_ms,
            transcript_ms: self.transcript_ms - less.transcript_ms,
            sound_ms: self.sound_ms - less.sound_ms,
        }
    }
}

/// The key of a row of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UsageKey {
    /// The user.
    pub user_id: UserId,
    /// The day.
    pub day: Day,
    /// The token.
    pub token_id: TokenId,
}

string_enum!(
    /// What usage is summed by.
    UsageBy {
        /// A line for each day.
        Day = "day",
        /// A line for each user.
        User = "user",
        /// A line for each token.
        Token = "token",
    }
);

string_enum!(
    /// The format of a list of usage.
    UsageFormat {
        /// One object with a list.
        Json = "json",
        /// Comma-separated values (RFC 4180).
        Csv = "csv",
    }
);

/// A line of use.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UsageLine {
    /// The day in UTC; null where days are summed.
    #[schema(required)]
    pub day: Option<Day>,
    /// The user; null where users are summed.
    #[schema(required)]
    pub user_id: Option<UserId>,
    /// The token; null where tokens are summed.
    #[schema(required)]
    pub token_id: Option<TokenId>,
    /// How much it was.
    #[serde(flatten)]
    pub counts: Shown,
}

/// How much was used, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Shown {
    /// Requests that were let in.
    #[schema(minimum = 0, example = 12)]
    requests: i64,
    /// Bots that were started.
    #[schema(example = 1)]
    bots: i64,
    /// How long bots ran, from when they were sent to their end; counted on the day of the end.
    #[serde(serialize_with = "minutes")]
    #[schema(value_type = f64, example = 1.5)]
    bot_minutes: i64,
    /// How long what they heard lasted; below 0 where more was taken back than heard.
    #[serde(serialize_with = "minutes")]
    #[schema(value_type = f64, example = 0.4)]
    transcript_minutes: i64,
    /// How long the sound was that the server made words of itself.
    #[serde(serialize_with = "minutes")]
    #[schema(value_type = f64, example = 0.5)]
    sound_minutes: i64,
}

impl From<UsageCounts> for Shown {
    fn from(counts: UsageCounts) -> Self {
        let UsageCounts { requests, bots, bot_ms, transcript_ms, sound_ms } = counts;
        Self {
            requests,
            bots,
            bot_minutes: bot_ms,
            transcript_minutes: transcript_ms,
            sound_minutes: sound_ms,
        }
    }
}

/// Milliseconds in minutes, to a thousandth.
#[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
fn in_minutes(millis: i64) -> f64 {
    millis.saturating_add(30).div_euclid(60) as f64 / 1000.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn minutes<S: Serializer>(millis: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(in_minutes(*millis))
}

impl UsageLine {
    /// The first line of a file of comma-separated values.
    pub const CSV_HEADER: &str =
        "day,user_id,token_id,requests,bots,bot_minutes,transcript_minutes,sound_minutes\r\n";

    /// The line of a day on which nothing was used.
    pub fn unused(day: Day) -> Self {
        let counts = UsageCounts::default().into();
        Self { day: Some(day), user_id: None, token_id: None, counts }
    }

    /// The line in such a file. Nothing in it needs quotes: it holds numbers and days, and no text
    /// of anybody's.
    pub fn csv(&self) -> String {
        let Shown { requests, bots, .. } = self.counts;
        let bot_minutes = in_minutes(self.counts.bot_minutes);
        let transcript_minutes = in_minutes(self.counts.transcript_minutes);
        let sound_minutes = in_minutes(self.counts.sound_minutes);
        let text = |value: Option<String>| value.unwrap_or_default();
        format!(
            "{},{},{},{requests},{bots},{bot_minutes},{transcript_minutes},{sound_minutes}\r\n",
            text(self.day.map(|day| day.to_string())),
            text(self.user_id.map(|id| id.to_string())),
            text(self.token_id.map(|id| id.to_string()))
        )
    }

    /// Where the next line begins to be looked for.
    pub fn place(&self) -> UsagePlace {
        UsagePlace { day: self.day, user_id: self.user_id, token_id: self.token_id }
    }
}

/// A place in a list of usage: the line that it comes after. Written as day, user and token with
/// dots between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsagePlace {
    /// The line's day.
    pub day: Option<Day>,
    /// The line's user.
    pub user_id: Option<UserId>,
    /// The line's token.
    pub token_id: Option<TokenId>,
}

impl Serialize for UsagePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let day = self.day.map(|day| day.to_string()).unwrap_or_default();
        let (user, token) = (self.user_id.map_or(0, |id| id.0), self.token_id.map_or(0, |id| id.0));
        serializer.collect_str(&format_args!("{day}.{user}.{token}"))
    }
}

impl utoipa::PartialSchema for UsagePlace {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        <Self as Field>::schema().into()
    }
}

impl ToSchema for UsagePlace {}

impl Field for UsagePlace {
    fn schema() -> Object {
        let pattern = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?\.[0-9]{1,16}\.[0-9]{1,16}$";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(pattern))
            .description(Some("The `next` of the page before."))
            .examples(["2025-10-10.1.2"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        place(&text).ok_or_else(|| {
            Invalid::new("value_error", "Value error, this is not the next of any page")
        })
    }
}

fn place(text: &str) -> Option<UsagePlace> {
    let [day, user, token] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
    let day = (!day.is_empty()).then_some(Raw::Text(day)).map(Day::read).transpose().ok()?;
    let id = |text| Raw::Text(text).integer(0, crate::domain::bounded_int::EXACT_MAX).ok();
    let (user, token) = (id(user)?, id(token)?);
    Some(UsagePlace {
        day,
        user_id: (user > 0).then_some(UserId(user)),
        token_id: (token > 0).then_some(TokenId(token)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(counts: UsageCounts) -> UsageLine {
        let day = Some(Day::from_number(20_371));
        UsageLine { day, user_id: Some(UserId(1)), token_id: None, counts: counts.into() }
    }

    #[test]
    fn minutes_are_rounded_once_to_a_thousandth() {
        for (millis, expected) in [
            (0, 0.0),
            (29, 0.0),
            (30, 0.001),
            (90_000, 1.5),
            (100_000, 1.667),
            (24_000, 0.4),
            (-60_000, -1.0),
        ] {
            assert!(
                (in_minutes(millis) - expected).abs() < 1e-9,
                "{millis}: {}",
                in_minutes(millis)
            );
        }
    }

    #[test]
    fn a_line_is_written_in_json_and_csv() {
        let line = line(UsageCounts {
            requests: 12,
            bots: 1,
            bot_ms: 90_000,
            transcript_ms: 24_000,
            sound_ms: 30_000,
        });
        let json = serde_json::to_string(&line).expect("JSON");
        let expected = r#"{"day":"2025-10-10","user_id":1,"token_id":null,"requests":12,"bots":1,"bot_minutes":1.5,"transcript_minutes":0.4,"sound_minutes":0.5}"#;
        assert_eq!(json, expected);
        assert_eq!(line.csv(), "2025-10-10,1,,12,1,1.5,0.4,0.5\r\n");
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        for (text, is_place) in [
            ("2025-10-10.1.2", true),
            (".1.0", true),
            (".0.0", true),
            ("2025-10-10.1", false),
            ("2025-10-10.1.2.3", false),
            ("2025-10-32.1.2", false),
            (".-1.2", false),
            (".99999999999999999.2", false),
            ("", false),
        ] {
            let place = UsagePlace::read(Raw::Text(text)).ok();
            assert_eq!(place.is_some(), is_place, "{text:?}");
            assert!(
                place.is_none_or(
                    |place| serde_json::to_value(place).is_ok_and(|value| value == text)
                ),
                "{text:?}"
            );
        }
    }
}
