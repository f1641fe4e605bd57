//! What is searched for, and in what form text is searched.

use crate::domain::subtitles::escaped;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// What stands between the characters of a script without spaces in text that is searched: U+2060,
/// which nobody sees.
const JOINER: char = '\u{2060}';
/// What stands before a word that was found, until it is shown; never in text, because it is a
/// control character.
pub(crate) const MARK_START: char = '\u{1}';
/// What stands after it.
pub(crate) const MARK_END: char = '\u{2}';

/// Where scripts that put no spaces between words lie: each of their characters is searched as a
/// word of its own.
#[rustfmt::skip]
const UNSPACED: &[(char, char)] = &[
    ('\u{0e00}', '\u{0eff}'),   // Thai, Lao
    ('\u{1000}', '\u{109f}'),   // Myanmar
    ('\u{1780}', '\u{17ff}'),   // Khmer
    ('\u{19e0}', '\u{19ff}'),   // Khmer symbols
    ('\u{1a20}', '\u{1aaf}'),   // Tai Tham
    ('\u{2e80}', '\u{2fdf}'),   // radicals
    ('\u{3005}', '\u{3007}'),   // ideographic marks
    ('\u{3021}', '\u{3029}'),   // Hangzhou numerals
    ('\u{3031}', '\u{3035}'),   // kana repeat marks
    ('\u{3040}', '\u{30ff}'),   // Hiragana, Katakana
    ('\u{3105}', '\u{312f}'),   // Bopomofo
    ('\u{31a0}', '\u{31ff}'),   // Bopomofo and Katakana extensions
    ('\u{3400}', '\u{4dbf}'),   // ideographs
    ('\u{4e00}', '\u{a4cf}'),   // ideographs, Yi
    ('\u{a9e0}', '\u{a9ff}'),   // Myanmar extended
    ('\u{aa60}', '\u{aa7f}'),   // Myanmar extended
    ('\u{f900}', '\u{faff}'),   // ideographs
    ('\u{ff66}', '\u{ff9f}'),   // half-width Katakana
    ('\u{1b000}', '\u{1b16f}'), // Kana supplements
    ('\u{20000}', '\u{3ffff}'), // ideographs
];

/// Text as it is searched, in the index and in a query: composed, without accents, and with
/// something that separates words around each character that is one by itself. These are those of
/// scripts without spaces, and signs such as emoji.
pub(crate) fn searched(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut searched = String::with_capacity(text.len());
    for Piece { joined, folded, .. } in pieces(text) {
        if joined {
            searched.push(JOINER);
        }
        searched.push_str(&folded);
    }
    Cow::Owned(searched)
}

/// A character of a text, and how it is searched.
struct Piece {
    shown: char,
    /// Whether something that separates words stands before it.
    joined: bool,
    folded: String,
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(text.len());
    let mut after_single = false;
    for shown in text.nfc().filter(|&c| c != JOINER) {
        // A vowel sign or an accent stays with the letter that bears it.
        let single = stands_alone(shown);
        let joins = is_combining_mark(shown) && !is_selector(shown);
        let joined = !pieces.is_empty() && !joins && (single || after_single);
        pieces.push(Piece { shown, joined, folded: folded(shown) });
        after_single = single || (after_single && joins);
    }
    pieces
}

/// Marks that are no part of a word that is searched: accents of Latin, Greek and Cyrillic, points
/// of Hebrew and Arabic. Vowels of Hindi and Thai are marks too, and stay.
#[rustfmt::skip]
const ACCENTS: &[(char, char)] = &[
    ('\u{0300}', '\u{036f}'),
    ('\u{0591}', '\u{05bd}'),
    ('\u{05bf}', '\u{05bf}'),
    ('\u{05c1}', '\u{05c2}'),
    ('\u{05c4}', '\u{05c5}'),
    ('\u{064b}', '\u{065f}'),
    ('\u{0670}', '\u{0670}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{1dc0}', '\u{1dff}'),
];

/// Letters that are written with others where a keyboard lacks them.
#[rustfmt::skip]
const SPELLED: &[(char, &str)] = &[
    ('ß', "ss"), ('ẞ', "ss"), ('æ', "ae"), ('Æ', "ae"), ('œ', "oe"), ('Œ', "oe"), ('ø', "o"), ('Ø', "o"),
    ('đ', "d"), ('Đ', "d"), ('ð', "d"), ('Ð', "d"), ('þ', "th"), ('Þ', "th"), ('ł', "l"), ('Ł', "l"),
    ('ħ', "h"), ('Ħ', "h"), ('ŧ', "t"), ('Ŧ', "t"), ('ı', "i"), ('İ', "i"), ('ŋ', "n"), ('Ŋ', "n"),
    ('ſ', "s"), ('ĸ', "k"), ('ƒ', "f"), ('ŀ', "l"), ('Ŀ', "l"), ('ς', "σ"),
    ('ﬀ', "ff"), ('ﬁ', "fi"), ('ﬂ', "fl"), ('ﬃ', "ffi"), ('ﬄ', "ffl"), ('ﬆ', "st"),
];

/// A character without accents and without case.
fn folded(c: char) -> String {
    if c.is_ascii() {
        return c.to_string();
    }
    let mut bare = String::new();
    decompose_canonical(c, |part| {
        if ACCENTS.iter().any(|&(first, last)| (first..=last).contains(&part)) {
            return;
        }
        match SPELLED.iter().find(|(letter, _)| *letter == part) {
            Some((_, spelled)) => bare.push_str(spelled),
            None => bare.extend(part.to_lowercase()),
        }
    });
    // What is no letter with an accent, such as a syllable of Hangul, is as it was.
    bare.nfc().collect()
}

/// The text itself with the marks that were set in it as it is searched.
pub(crate) fn remarked(text: &str, searched: &str) -> String {
    if text.is_ascii() {
        return searched.to_owned();
    }
    let mut remarked = String::with_capacity(searched.len());
    let mut rest = searched.chars().peekable();
    let mut marks = |remarked: &mut String, expected: Option<char>| {
        while let Some(mark) = rest.next_if(|&c| c == MARK_START || c == MARK_END) {
            remarked.push(mark);
        }
        if let Some(expected) = expected {
            rest.next_if_eq(&expected);
        }
    };
    for Piece { shown, joined, folded } in pieces(text) {
        if joined {
            marks(&mut remarked, Some(JOINER));
            remarked.push(JOINER);
        }
        let mut letters = folded.chars();
        if let Some(first) = letters.next() {
            marks(&mut remarked, Some(first));
        }
        remarked.push(shown);
        for letter in letters {
            marks(&mut remarked, Some(letter));
        }
    }
    marks(&mut remarked, None);
    remarked
}

fn stands_alone(c: char) -> bool {
    let unspaced =
        UNSPACED.iter().any(|&(first, last)| (first..=last).contains(&c)) && !is_combining_mark(c);
    let sign = !c.is_ascii() && !c.is_alphanumeric() && !is_combining_mark(c) && !c.is_whitespace();
    unspaced || sign || is_selector(c)
}

/// What says whether a sign is shown in colour: a mark to Unicode, and no part of what is searched.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Something that must be found: a word, or words in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The words.
    pub text: String,
    /// Whether the last one may go on.
    pub is_prefix: bool,
}

/// The terms of what somebody typed: words, `"words in a row"`, and a `*` at the end of either for
/// any ending. There is no way to type it wrong.
pub(crate) fn terms(typed: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    for (at, part) in typed.split('"').enumerate() {
        let is_quoted = at % 2 == 1;
        let mut part = part;
        // A star right after the closing quote belongs to what was quoted.
        if at > 0
            && !is_quoted
            && let Some(rest) = part.strip_prefix('*')
        {
            part = rest;
            if let Some(Term { is_prefix, .. }) = terms.last_mut() {
                *is_prefix = true;
            }
        }
        match is_quoted {
            true => terms.push(term(part)),
            false => terms.extend(part.split_whitespace().map(term)),
        }
    }
    terms.retain(|term| !term.text.is_empty());
    terms
}

fn term(text: &str) -> Term {
    let bare = text.trim().trim_end_matches('*');
    Term { text: bare.trim().to_owned(), is_prefix: text.trim().ends_with('*') }
}

/// Text in which words are marked, as HTML: escaped, with `<mark>` around them.
pub(crate) fn marked(found: &str) -> String {
    let text: String = found.chars().filter(|&c| c != JOINER).collect();
    // Characters that were searched one by one are shown as the one word that they are.
    let text = text.replace(&format!("{MARK_END}{MARK_START}"), "");
    escaped(&text).replace(MARK_START, "<mark>").replace(MARK_END, "</mark>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_words_stand_apart_and_accents_are_gone() {
        for (text, expected) in [
            ("", ""),
            ("plain Words", "plain Words"),
            ("naïve Straße", "naive Strasse"),
            ("STRAẞE Łódź", "STRAssE lodz"),
            ("nai\u{308}ve", "naive"),
            ("βορράς ΒΟΡΡΆΣ", "βορρασ βορρασ"),
            ("Ёлка", "елка"),
            ("Đặng Ørsted", "dang orsted"),
            ("שָׁלוֹם", "שלום"),
            ("会議", "会|議"),
            ("AI会議 は", "AI|会|議| |は"),
            ("がぎ", "が|ぎ"),
            ("回의를", "回|의를"),
            ("ก็ได้", "ก็|ไ|ด้"),
            ("हिन्दी", "हिन्दी"),
            ("ok👍🏽!", "ok|👍|🏽|!"),
            ("❤\u{fe0f}", "❤|\u{fe0f}"),
            ("20°C", "20|°|C"),
            ("a\u{2060}b", "ab"),
        ] {
            assert_eq!(searched(text).replace(JOINER, "|"), expected, "{text}");
        }
    }

    #[test]
    fn marks_come_back_to_the_text_itself() {
        for (text, found, expected) in [
            ("plain words", "plain \u{1}words\u{2}", "plain [words]"),
            ("die Straße da", "die \u{1}Strasse\u{2} da", "die [Straße] da"),
            ("in Łódź", "in \u{1}lodz\u{2}", "in [Łódź]"),
            ("Łódź, Łódź", "\u{1}lodz\u{2}, \u{1}lodz\u{2}", "[Łódź], [Łódź]"),
            ("e\u{301}te\u{301}", "\u{1}ete\u{2}", "[été]"),
            ("x\u{301} q\u{301}", "x \u{1}q\u{2}", "x\u{301} [q\u{301}]"),
            ("会議は", "\u{1}会\u{2}\u{2060}\u{1}議\u{2}\u{2060}は", "[会]|[議]|は"),
        ] {
            let found = remarked(text, found);
            let found = found.replace(MARK_START, "[").replace(MARK_END, "]").replace(JOINER, "|");
            assert_eq!(found, expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn without_marks_the_text_is_itself(text in "\\PC{0,20}") {
            let back: String = remarked(&text, &searched(&text)).chars().filter(|&c| c != JOINER).collect();
            let composed: String = text.nfc().filter(|&c| c != JOINER).collect();
            proptest::prop_assert_eq!(back, composed);
        }
    }

    #[test]
    fn whatever_is_typed_has_a_meaning() {
        for (typed, expected) in [
            ("", vec![]),
            ("  \u{3000} ", vec![]),
            ("one two", vec![("one", false), ("two", false)]),
            ("one* \"two three\"", vec![("one", true), ("two three", false)]),
            ("\"two thr\"* four", vec![("two thr", true), ("four", false)]),
            ("\"two thr*\"", vec![("two thr", true)]),
            ("\"never closed", vec![("never closed", false)]),
            ("a\"b c\"d", vec![("a", false), ("b c", false), ("d", false)]),
            ("\"\"\"", vec![]),
            ("* ** \"*\" *a*", vec![("*a", true)]),
            (
                "AND OR NOT NEAR(a)",
                vec![("AND", false), ("OR", false), ("NOT", false), ("NEAR(a)", false)],
            ),
        ] {
            let found = terms(typed);
            let found: Vec<_> =
                found.iter().map(|term| (term.text.as_str(), term.is_prefix)).collect();
            assert_eq!(found, expected, "{typed:?}");
        }
    }

    #[test]
    fn what_is_shown_is_html() {
        for (found, expected) in [
            ("a \u{1}b\u{2} c", "a <mark>b</mark> c"),
            ("<\u{1}script\u{2}> & \"x\"", "&lt;<mark>script</mark>&gt; &amp; \"x\""),
            ("\u{1}会\u{2060}議\u{2}\u{2060}は", "<mark>会議</mark>は"),
            ("\u{1}会\u{2}\u{2060}\u{1}議\u{2}", "<mark>会議</mark>"),
        ] {
            assert_eq!(marked(found), expected, "{found:?}");
        }
    }
}
