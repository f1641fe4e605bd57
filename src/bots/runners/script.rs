//! The meetings that the demo bot plays.

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

/// The sentences of the short meeting, in order.
#[rustfmt::skip]
pub(crate) static SHORT: &[Line] = &[
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

/// The sentences of the long meeting, in order.
#[rustfmt::skip]
pub(crate) static LONG: &[Line] = &[
    line(0.4, 2.2, "Ada", "en", "Good morning! Is everybody here?"),
    line(2.8, 4.4, "Grace", "en", "Good morning, Ada. I am here."),
    line(5.2, 7.2, "Emil", "de", "Guten Morgen zusammen. Hört ihr mich?")
        .at_first("Guten Morgen zusammen."),
    line(10.0, 11.7, "Lucía", "es", "Buenos días. Os oigo muy bien."),
    line(12.4, 16.1, "Ada", "en",
        "Fine. Our subject is the move of the town library into the old mill.")
        .at_first("Our subject is the move of the town"),
    line(17.2, 19.4, "Ada", "en",
        "The transcript is written while we speak, so nobody has to take notes."),
    line(19.6, 22.6, "Grace", "en", "First the shelves: the carpenters need two more weeks.")
        .at_first("First the shells"),
    line(24.4, 26.6, "Emil", "de",
        "Zwei Wochen sind in Ordnung, der Boden ist auch noch nicht trocken."),
    line(26.8, 29.0, "Ada", "en", "So the opening stays on the first Saturday in May?"),
    line(29.2, 32.5, "Grace", "en", "Yes. We lose no day as long as the books are packed by then.")
        .at_first("Yes. We lose no day"),
    line(34.0, 37.5, "Lucía", "es",
        "Los libros infantiles ya están en las cajas, cuarenta en total.")
        .at_first("Los libros infantiles"),
    line(38.8, 40.9, "Ada", "en", "Forty boxes already! Thank you, Lucía."),
    line(41.2, 44.5, "Emil", "de", "Ich habe für Dienstag einen Wagen, der hundert Kisten fasst.")
        .at_first("Ich habe für Dienstag"),
    line(46.0, 48.2, "Grace", "en", "One hundred is enough for the ground floor."),
    line(48.4, 50.5, "Ada", "en", "And who looks after the map collection?"),
    line(50.8, 53.0, "Lucía", "es",
        "Yo me ocupo de los mapas, pero necesito ayuda con los grandes."),
    line(53.2, 54.4, "Emil", "de", "Dabei helfe ich gern."),
    line(55.6, 58.8, "Ada", "en", "Second point: the reading room. How many tables do we want?")
        .at_first("Second point: the leading room"),
    line(60.4, 62.6, "Grace", "en", "Twelve, with four seats each, and a long one at the window."),
    line(62.8, 65.0, "Lucía", "es", "¿Y un rincón tranquilo, sin ordenadores?")
        .at_first("¿Y un rincón"),
    line(67.6, 69.8, "Grace", "en", "The room above the wheel is quiet, once the water is off."),
    line(70.0, 72.2, "Ada", "en", "The wheel turns on Sundays alone, so that is no trouble."),
    line(72.4, 74.6, "Emil", "de", "Am Sonntag haben wir ohnehin geschlossen."),
    line(74.8, 77.0, "Ada", "en", "Good. Third point: the evening lectures."),
    line(77.2, 81.4, "Grace", "en",
        "We have three speakers for the summer, and one of them comes from the coast.")
        .at_first("We have three speakers for"),
    line(82.0, 84.2, "Lucía", "es", "La primera charla trata de las aves del río."),
    line(84.4, 86.6, "Ada", "en", "Birds of the river, in a mill: that fits well."),
    line(86.8, 90.0, "Emil", "de", "Für die Vorträge brauchen wir ein Mikrofon und zwei Lampen.")
        .at_first("Für die Vorträge brauchen wir"),
    line(91.6, 93.8, "Grace", "en", "The school lends us both until the autumn."),
    line(94.0, 95.8, "Ada", "en", "What do we still have to pay for?"),
    line(96.4, 99.2, "Grace", "en", "The paint, the van and the new sign above the door.")
        .at_first("The pain, the van"),
    line(101.2, 103.4, "Lucía", "es", "El rótulo lo pinta mi vecina, y no cobra nada."),
    line(103.6, 105.8, "Emil", "de", "Dann bleibt genug für eine Leiter übrig."),
    line(106.0, 108.2, "Ada", "en", "A ladder it is. Who tells the newspaper?"),
    line(108.4, 110.6, "Grace", "en", "I do, this afternoon, with a picture of the wheel."),
    line(110.8, 112.8, "Lucía", "es", "Yo tengo una foto muy buena de ayer.")
        .at_first("Yo tengo una foto"),
    line(115.6, 117.8, "Ada", "en", "Then we are nearly done. Is there anything else?"),
    line(118.0, 120.6, "Emil", "de", "Nur eine Frage: Wann bekommen wir den Schlüssel?")
        .at_first("Nur eine Frage"),
    line(122.8, 124.9, "Grace", "en", "On Monday at nine, from the town hall."),
    line(125.2, 127.4, "Ada", "en", "Let us meet there. Thank you all, and goodbye!"),
    line(127.6, 129.0, "Lucía", "es", "Gracias. ¡Hasta el lunes!"),
    line(130.0, 131.0, "Emil", "de", "Danke, bis Montag!"),
];
