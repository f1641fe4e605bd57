//! The states of meetings as SQL lists them. Which they are is the domain's rule alone.

use crate::domain::MeetingStatus;
use std::sync::LazyLock;

/// The meetings that have a bot. A status that is not of the list has none: it is over.
pub(crate) static OPEN: LazyLock<String> = LazyLock::new(|| list(MeetingStatus::has_bot));

/// The meetings that are not over, planned ones too.
pub(crate) static NOT_OVER: LazyLock<String> = LazyLock::new(|| list(|status| !status.is_over()));

/// The meetings whose bots take a seat of their user's.
pub(crate) static SEATED: LazyLock<String> = LazyLock::new(|| list(MeetingStatus::takes_seat));

fn list(fits: fn(MeetingStatus) -> bool) -> String {
    let mut words = Vec::new();
    for word in MeetingStatus::WORDS {
        if MeetingStatus::from_word(word).is_some_and(fits) {
            words.push(format!("'{word}'"));
        }
    }
    format!("({})", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{OPEN, SEATED};

    /// A partial index is used only where the statement has the same list, so the schema has it to
    /// the letter.
    #[test]
    fn the_schema_lists_the_states_of_the_rule() {
        let schema = include_str!("../../../schema.sql");
        assert!(schema.contains(&format!("WHERE status IN {};", *SEATED)), "{}", *SEATED);
        assert!(schema.contains(&format!("WHERE status IN {};", *OPEN)), "{}", *OPEN);
        assert_eq!(schema.matches("status IN (").count(), 2);
    }
}
