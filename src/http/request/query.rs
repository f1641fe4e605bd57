//! The parameters of a query.

use std::borrow::Cow;
use url::form_urlencoded;

/// The last value of a parameter, decoded as HTML forms are (WHATWG URL, section 5.1).
pub(crate) fn query_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut last = None;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if key == name {
            last = Some(value);
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::query_value;

    #[test]
    fn the_last_value_counts_and_is_decoded_as_forms_are() {
        for (query, value) in [
            ("", None),
            ("b=1&aa=2&A=3", None),
            ("a", Some("")),
            ("a=", Some("")),
            ("a=1&b=2&a=3", Some("3")),
            ("a=1&a", Some("")),
            ("&&a=1&&", Some("1")),
            ("a=x=y", Some("x=y")),
            ("a=1+2%2B3%20", Some("1 2+3 ")),
            ("%61=1", Some("1")),
            ("a=%zz%4", Some("%zz%4")),
            ("a=%ff%C3%A9", Some("\u{fffd}é")),
            ("a=é", Some("é")),
            ("a=1;a=2", Some("1;a=2")),
        ] {
            assert_eq!(query_value(query, "a").as_deref(), value, "{query}");
        }
    }
}
