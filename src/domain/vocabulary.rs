//! Names and terms that engines are told, so that they write them as they are written.

use crate::domain::data::Data;
use crate::domain::text::SingleLine;

/// Most terms of a user, and of a meeting.
pub(crate) const TERMS_MAX: usize = 200;
/// A term.
pub(crate) type Term = SingleLine<64>;
/// The member of a meeting's data that holds its own terms.
pub(crate) const VOCABULARY: &str = "vocabulary";
/// Longest prompt, in characters of ASCII: about 200 tokens. Whisper reads 224 of them (`n_text_ctx`
/// divided by two), and drops the first of more.
const PROMPT_CHARS_MAX: usize = 800;
/// What another character counts: those of other scripts are about a token each.
const OTHER_CHARS: usize = 4;

/// Terms as they are kept: each once, without white space around it; empty ones go.
pub(crate) fn kept(terms: Vec<Term>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for SingleLine(term) in terms {
        let term = term.trim();
        if !term.is_empty() && !kept.iter().any(|other| other == term) {
            kept.push(term.to_owned());
        }
    }
    kept
}

/// A meeting's data with these terms; without any it stays as it is.
pub(crate) fn with_vocabulary(data: Data, terms: &[String]) -> Data {
    if terms.is_empty() { data } else { data.with(VOCABULARY, Some(&terms)) }
}

/// The terms that a meeting's data holds.
pub(crate) fn terms_in(data: &Data) -> Vec<String> {
    let members = data.members();
    terms_of(members.get(VOCABULARY).map(|value| value.get()))
}

/// The terms of a list in JSON; none where it is another thing.
pub(crate) fn terms_of(json: Option<&str>) -> Vec<String> {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// What an engine is told of a meeting's own terms and those of its user, in this order: as many as
/// it takes. `None` where there are none.
pub(crate) fn prompt(of_meeting: &[String], of_user: &[String]) -> Option<String> {
    let mut told: Vec<&str> = Vec::new();
    let mut length = 0;
    for term in of_meeting.iter().chain(of_user) {
        // The comma and the space behind it count.
        let more = length_of(term) + 2;
        if length + more <= PROMPT_CHARS_MAX && !told.contains(&term.as_str()) {
            told.push(term);
            length += more;
        }
    }
    (!told.is_empty()).then(|| told.join(", "))
}

fn length_of(term: &str) -> usize {
    term.chars().map(|letter| if letter.is_ascii() { 1 } else { OTHER_CHARS }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn terms_are_kept_once() {
        let sent = ["Ada", " Ada ", "", "  ", "Grace Hopper", "ada"];
        let sent = sent.into_iter().map(|term| SingleLine(term.to_owned())).collect();
        assert_eq!(kept(sent), words(&["Ada", "Grace Hopper", "ada"]));
    }

    #[test]
    fn a_meetings_terms_are_told_first() {
        let (meeting, user) = (words(&["Kubernetes", "Ada"]), words(&["Ada", "Zoë"]));
        assert_eq!(prompt(&meeting, &user).as_deref(), Some("Kubernetes, Ada, Zoë"));
        assert_eq!(prompt(&[], &user).as_deref(), Some("Ada, Zoë"));
        assert_eq!(prompt(&meeting, &[]).as_deref(), Some("Kubernetes, Ada"));
        assert_eq!(prompt(&[], &[]), None);
    }

    #[test]
    fn a_prompt_is_as_long_as_engines_read() {
        let many: Vec<String> = (0..200).map(|number| format!("{number:060}")).collect();
        let told = prompt(&many, &words(&["short"])).expect("a prompt");
        // What does not fit is left out, and what is shorter still is told.
        assert!(told.len() <= 800 && told.ends_with(", short"), "{told}");
        assert_eq!(told.split(", ").count(), 13);
        let others: Vec<String> = (0..200).map(|number| format!("会議{number}")).collect();
        let told = prompt(&others, &[]).expect("a prompt");
        assert!(told.chars().filter(|letter| !letter.is_ascii()).count() <= 200, "{told}");
    }
}
