//! How ids, times, hashes and words are kept in columns. A value that no column should hold is an
//! error, not a guess.

use crate::domain::EngineKey;
use crate::domain::sound::{SoundCodec, SoundSource, WindowOutcome, WithheldReason};
use crate::domain::word::WordList;
use crate::domain::{
    AdminKeyId, AlarmKind, Data, Day, DeliveryId, Email, Hint, Language, MeetingId, MeetingStatus,
    Offset, Platform, Scope, SegmentId, SessionId, ShareHash, ShareId, SoundId, SpeakerSource,
    Task, Time, TokenHash, TokenId, UserId, WebhookId, WebhookSecret, WindowId, Word,
};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};

/// Kept as an integer: the type, how it is made from one, and how it becomes one.
macro_rules! integers {
    ($($type:ident: $from:expr, $to:expr;)*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let number: i64 = $to(*self);
                Ok(ToSqlOutput::from(number))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = value.as_i64()?;
                Ok($from(number))
            }
        }
    )*};
}

integers! {
    UserId: UserId, |id: UserId| id.0;
    TokenId: TokenId, |id: TokenId| id.0;
    AdminKeyId: AdminKeyId, |id: AdminKeyId| id.0;
    MeetingId: MeetingId, |id: MeetingId| id.0;
    SessionId: SessionId, |id: SessionId| id.0;
    SegmentId: SegmentId, |id: SegmentId| id.0;
    SoundId: SoundId, |id: SoundId| id.0;
    DeliveryId: DeliveryId, |id: DeliveryId| id.0;
    ShareId: ShareId, |id: ShareId| id.0;
    WebhookId: WebhookId, |id: WebhookId| id.0;
    WindowId: WindowId, |id: WindowId| id.0;
    Offset: Offset, |offset: Offset| offset.0;
    Time: Time::from_millis, Time::as_millis;
    Day: Day::from_number, Day::number;
}

/// Kept as text: the type, how it is made from what was stored, and how it is read.
macro_rules! texts {
    ($($type:ident: $from:expr, $to:expr;)*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let text: &str = $to(self);
                Ok(ToSqlOutput::from(text))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                Ok($from(text.to_owned()))
            }
        }
    )*};
}

texts! {
    Email: Email::stored, Email::as_str;
    Data: Data::stored, Data::as_json;
    WebhookSecret: WebhookSecret::stored, WebhookSecret::key;
    EngineKey: EngineKey::new, EngineKey::key;
    Hint: Hint, hint_text;
}

/// Kept as a word of a closed list; another word is an error.
macro_rules! words {
    ($($type:ident: $from:expr;)*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.as_str()))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = value.as_str()?;
                $from(word).ok_or_else(|| FromSqlError::Other(format!("unknown word {word:?}").into()))
            }
        }
    )*};
}

words! {
    SpeakerSource: SpeakerSource::from_word;
    AlarmKind: AlarmKind::from_word;
    Task: Task::from_word;
    Language: Language::from_code;
    SoundSource: SoundSource::from_word;
    SoundCodec: SoundCodec::from_word;
    WindowOutcome: WindowOutcome::from_word;
    WithheldReason: WithheldReason::from_word;
}

impl ToSql for Platform {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl ToSql for MeetingStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl<L: WordList> ToSql for Word<L> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

/// No word is an error: what was written once can be read for ever.
impl<L: WordList> FromSql for Word<L> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::of(value.as_str()?))
    }
}

impl ToSql for TokenHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for TokenHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

impl ToSql for ShareHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

/// NULL is a scope without limits, which most tokens have.
impl ToSql for Scope {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.to_stored() {
            Some(json) => Value::Text(json),
            None => Value::Null,
        };
        Ok(ToSqlOutput::Owned(value))
    }
}

impl FromSql for Scope {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let json = value.as_str_or_null()?;
        Ok(Self::stored(json))
    }
}

fn hint_text(hint: &Hint) -> &str {
    &hint.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn a_value_comes_back_and_an_unknown_word_is_an_error() {
        let db = Connection::open_in_memory().expect("memory");
        let hash = TokenHash([7; 32]);
        let time = Time::from_millis(1_760_097_600_120);
        let values =
            (hash, time, Task::Translate, Scope::default(), Some(UserId(3)), None::<TokenId>);
        let back = db.query_row("SELECT ?1, ?2, ?3, ?4, ?5, ?6", values.clone(), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        });
        assert_eq!(back.expect("the row"), values);
        let unknown = db.query_row("SELECT 'sing'", [], |row| row.get::<_, Task>(0));
        assert!(unknown.is_err(), "{unknown:?}");
    }

    #[test]
    fn a_platform_that_is_not_known_is_read_as_it_is() {
        let db = Connection::open_in_memory().expect("memory");
        for (text, known) in [("teams", Some(Platform::Teams)), ("webex", None)] {
            let word: Word<Platform> =
                db.query_row("SELECT ?1", [text], |row| row.get(0)).expect("a word");
            assert_eq!((word.as_str(), word.known()), (text, known));
            let back: String = db.query_row("SELECT ?1", [&word], |row| row.get(0)).expect("text");
            assert_eq!(back, text);
        }
    }
}
