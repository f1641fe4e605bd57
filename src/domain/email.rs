//! E-mail addresses: kept as written, compared without case.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::fold;
use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

/// Longest address in characters (RFC 3696, erratum 1690).
pub(crate) const EMAIL_CHARS_MAX: usize = 254;

/// A valid address (RFC 5321: `local@domain.tld`), as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one address have in common; unique in the store.
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// Wraps an address that was valid when it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }
}

impl Field for Email {
    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .max_length(Some(EMAIL_CHARS_MAX))
            .examples(["user@example.com"])
            .build()
    }

    fn read(raw: Raw<'_>) -> Result<Self, Invalid> {
        let text = raw.string()?;
        // Blanks around an address come from forms and spreadsheets.
        let text = text.trim();
        match reason_against(text) {
            None => Ok(Self(text.to_owned())),
            Some(reason) => Err(Invalid::new(
                "value_error",
                format!("value is not a valid email address: {reason}"),
            )
            .with("reason", reason)),
        }
    }
}

fn reason_against(text: &str) -> Option<String> {
    if text.chars().count() > EMAIL_CHARS_MAX {
        return Some(format!("An address has at most {EMAIL_CHARS_MAX} characters."));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("An address has no spaces or control characters.".to_owned());
    }
    if !text.contains('@') {
        return Some("An email address must have an @-sign.".to_owned());
    }
    let options =
        Options::default().with_required_tld().without_domain_literal().without_display_text();
    EmailAddress::parse_with_options(text, options)
        .err()
        .map(|error| format!("{}.", error.to_string().trim_end_matches('.')))
}

impl FromStr for Email {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::read(Raw::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_people_have_and_refuses_the_rest() {
        for good in [
            "user@example.com",
            "User.Name+tag@Example.co.uk",
            "o'brien@example.org",
            "üser@exämple.com",
            "x/y@example.com",
            "\"quoted@local\"@example.com",
        ] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let trimmed = " \ta@example.com\u{a0}\r\n".parse::<Email>();
        assert_eq!(trimmed.map(|email| email.0), Ok("a@example.com".to_owned()));
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "user",
            "user@",
            "@example.com",
            "a@b",
            "a b@example.com",
            "a\n@example.com",
            "a\0@example.com",
            "A <a@example.com>",
            "a@[127.0.0.1]",
            "a@@example.com",
            "a@example..com",
            "a@-example.com",
            &long,
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }
}
