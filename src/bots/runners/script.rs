//! The meeting that the demo bot plays.

/// One speaker's sentence.
pub(crate) struct Line {
    /// When it begins, in seconds from the start of the meeting.
    pub start: f64,
    /// When it ends, in seconds from the start of the meeting.
    pub end: f64,
    /// The speaker's name.
    pub speaker: &'static str,
    /// The language (ISO 639-1).
    pub language: &'static str,
    /// The sentence.
    pub text: &'static str,
    /// What the bot transcribes first and then corrects, where that differs.
    pub at_first: Option<&'static str>,
}

const fn line(
    start: f64,
    end: f64,
    speaker: &'static str,
    language: &'static str,
    text: &'static str,
) -> Line {
    Line { start, end, speaker, language, text, at_first: None }
}

impl Line {
    const fn at_first(self, text: &'static str) -> Self {
        Self { at_first: Some(text), ..self }
    }
}

/// The sentences, in order.
#[rustfmt::skip]
pub(crate) static SCRIPT: &[Line] = &[
    line(0.4, 2.1, "Ada", "en", "Good morning, everybody. Shall we begin?")
        .at_first("Good morning, every body."),
    line(2.4, 3.6, "Grace", "en", "Good morning! Yes, let us begin."),
    line(3.8, 5.6, "Lucía", "es", "Buenos días. Yo hablo en español, si no os importa.")
        .at_first("Buenos días. Yo hablo"),
    line(5.9, 7.0, "Ada", "en", "Not at all, the bot writes down both."),
    line(7.2, 9.4, "Grace", "en", "First point: the new release is out since yesterday.")
        .at_first("First point: the new"),
    line(9.6, 10.9, "Lucía", "es", "¡Qué bien! ¿Ha habido problemas?"),
    line(11.1, 12.6, "Grace", "en", "None so far; the upgrade took four minutes."),
    line(12.8, 15.2, "Ada", "en", "Second point: who writes the notes for our customers?")
        .at_first("Second point: who writes the boats"),
    line(15.4, 16.8, "Lucía", "es", "Las escribo yo, esta misma tarde."),
    line(17.0, 18.4, "Ada", "en", "Thank you, Lucía. Anything else?")
        .at_first("Thank you, Lucia. Any"),
    line(18.6, 19.4, "Grace", "en", "Nothing from me."),
    line(19.6, 20.4, "Lucía", "es", "Nada más. ¡Hasta mañana!"),
];
