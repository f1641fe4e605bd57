//! E-mail addresses: kept as written, compared without case and by what the domain is in the DNS.

use crate::domain::field::{Field, Invalid, Raw};
use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;
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

    /// What two spellings of one address have in common; unique in the store. The domain is as the
    /// DNS has it (UTS 46). Of the local part each character is folded by itself: what case folding
    /// makes of `ß` is the mailbox of somebody else.
    pub fn key(&self) -> String {
        let composed: String = self.0.nfc().collect();
        let (local, domain) = composed.rsplit_once('@').unwrap_or((composed.as_str(), ""));
        let local: String = local.chars().map(fold_one).collect();
        let domain = match a_label(domain) {
            Some(domain) => domain,
            // Of an address that an older version has stored.
            None => domain.chars().map(fold_one).collect(),
        };
        format!("{local}@{domain}")
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

/// A domain as the DNS has it, in lower case; `None` where it can be in no DNS.
fn a_label(domain: &str) -> Option<String> {
    idna::domain_to_ascii(domain).ok().map(|domain| domain.to_ascii_lowercase())
}

/// A character without its case, where that is one character as well.
fn fold_one(c: char) -> char {
    // The upper case of the dotless ı is the I of another letter.
    if c == 'ı' {
        return c;
    }
    let upper = only(c.to_uppercase()).unwrap_or(c);
    only(upper.to_lowercase()).unwrap_or(upper)
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next();
    first.filter(|_| characters.next().is_none())
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
    let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain);
    if !domain.is_empty() && a_label(domain).is_none() {
        return Some("The domain is not a valid international domain name.".to_owned());
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
            "a@xn--a.com",
            &long,
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_mailbox_has_one_key_and_two_have_two() {
        let key = |text: &str| Email::stored(text.to_owned()).key();
        for (one, other) in [
            ("User@Example.COM", "user@example.com"),
            ("u@münchen.de", "U@xn--mnchen-3ya.DE"),
            ("u@MÜNCHEN.de", "u@mu\u{308}nchen.de"),
            ("u@straße.de", "u@xn--strae-oqa.de"),
            ("üser@example.com", "u\u{308}SER@example.com"),
            ("ΣΑΣ@example.com", "σας@example.com"),
            ("STRAẞE@example.com", "straße@example.com"),
        ] {
            assert_eq!(key(one), key(other), "{one} and {other}");
        }
        for (one, other) in [
            ("ceo@straße.de", "ceo@strasse.de"),
            ("strasse@example.com", "straße@example.com"),
            ("ſtraſſe@example.com", "straße@example.com"),
            ("hi@example.com", "hı@example.com"),
            ("ﬁ@example.com", "fi@example.com"),
            ("u@faß.de", "u@fass.de"),
        ] {
            assert_ne!(key(one), key(other), "{one} and {other}");
        }
        assert_eq!(key("User@sub.Example.com"), "user@sub.example.com");
        assert_eq!(key("\"a@b\"@Example.com"), "\"a@b\"@example.com");
    }
}
