//! Sentences that engines are known to say of silence and noise: they learnt them from subtitles of
//! videos, where they stand while nobody speaks. They count only as a whole segment.
//!
//! Sources: what users of Whisper report of silence, in the discussions of openai/whisper above all.

/// Whole segments that nobody says in a meeting, or to nobody: the words alone, as [`plain`] makes
/// them.
const KNOWN: &[&str] = &[
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "thank you very much for watching",
    "thanks for watching and see you next time",
    "thanks for watching and ill see you in the next video",
    "ill see you in the next video",
    "please subscribe",
    "please subscribe to my channel",
    "dont forget to like and subscribe",
    "like and subscribe",
    "the following is a work of fiction",
    "wwwmooji org",
    "transcript emily beynon",
    "vielen dank fürs zuschauen",
    "vielen dank für die aufmerksamkeit und bis zum nächsten mal",
    "danke fürs zuschauen",
    "das wars für heute bis zum nächsten mal",
    "bis zum nächsten video",
    "copyright wdr 2019",
    "copyright wdr 2020",
    "copyright wdr 2021",
    "swr 2020",
    "swr 2021",
    "merci davoir regardé cette vidéo",
    "merci davoir regardé",
    "abonnezvous",
    "noubliez pas de vous abonner",
    "gracias por ver el video",
    "gracias por ver este video",
    "gracias por ver",
    "suscríbete al canal",
    "suscríbete",
    "obrigado por assistir",
    "obrigada por assistir",
    "inscrevase no canal",
    "grazie per aver guardato il video",
    "grazie per la visione",
    "bedankt voor het kijken",
    "dziękuję za oglądanie",
    "dziękuję za uwagę i do zobaczenia",
    "tack för att du tittade",
    "takk for at du så på",
    "tak fordi du så med",
    "kiitos kun katsoit",
    "děkuji za sledování",
    "köszönöm hogy megnéztétek",
    "izlediğiniz için teşekkür ederim",
    "izlediğiniz için teşekkürler",
    "спасибо за просмотр",
    "продолжение следует",
    "подписывайтесь на канал",
    "дякую за перегляд",
    "ご視聴ありがとうございました",
    "ご清聴ありがとうございました",
    "最後までご視聴ありがとうございました",
    "チャンネル登録お願いします",
    "チャンネル登録をお願いいたします",
    "感谢观看",
    "謝謝觀看",
    "谢谢观看",
    "谢谢大家",
    "多謝您收睇時局新聞",
    "優優獨播劇場yoyo television series exclusive",
    "시청해주셔서 감사합니다",
    "구독과 좋아요 부탁드립니다",
    "mbc 뉴스 이덕영입니다",
    "mbc 뉴스 김성현입니다",
    "cảm ơn các bạn đã theo dõi",
    "hãy subscribe cho kênh la la school để không bỏ lỡ những video hấp dẫn",
    "شكرا على المشاهدة",
    "اشتركوا في القناة",
];

/// Credits of subtitles: so they begin.
const CREDITS: &[&str] = &[
    "subtitles by ",
    "subtitled by ",
    "captions by ",
    "captioned by ",
    "captioning by ",
    "closed captioning by ",
    "transcription by castingwords",
    "transcribed by https",
    "untertitel von ",
    "untertitel der amaraorg",
    "untertitel im auftrag des ",
    "untertitelung des ",
    "untertitelung im auftrag des ",
    "untertitelung aufgrund der amaraorg",
    "soustitres réalisés par",
    "soustitres faits par",
    "soustitres par ",
    "soustitrage st",
    "soustitrage société radiocanada",
    "soustitrage fr ",
    "subtítulos realizados por ",
    "subtítulos por ",
    "subtítulos creados por ",
    "subtitulado por ",
    "sottotitoli creati dalla ",
    "sottotitoli e revisione a cura",
    "sottotitoli a cura di ",
    "legendas pela comunidade",
    "legenda adriana zanotto",
    "ondertitels ingediend door",
    "ondertiteld door ",
    "ondertiteling door ",
    "ondertitels door ",
    "napisy stworzone przez ",
    "napisy wykonane przez ",
    "napisy przez ",
    "titulky vytvořil",
    "altyazı mk",
    "undertexter av ",
    "undertekster av ",
    "teksting av ",
    "tekstet av ",
    "danske tekster af ",
    "субтитры сделал",
    "субтитры создавал",
    "субтитры создал",
    "субтитры подогнал",
    "субтитры делал",
    "субтитры предоставил",
    "редактор субтитров",
    "字幕由",
    "字幕製作",
    "字幕制作",
    "字幕志愿者",
    "字幕志願者",
    "字幕by",
    "中文字幕志愿者",
    "中文字幕志願者",
    "請不吝點贊",
    "请不吝点赞",
    "한글자막 by",
    "자막 제공",
];

/// Words that engines say of silence and people say too.
const SAID_TOO: &[&str] = &[
    "you",
    "thank you",
    "thank you very much",
    "thank you so much",
    "thanks",
    "bye",
    "bye bye",
    "byebye",
    "okay",
    "ok",
    "yeah",
    "yes",
    "so",
    "oh",
    "ah",
    "uh",
    "um",
    "hmm",
    "hm",
    "mm",
    "mmhmm",
    "the",
    "and",
    "i",
    "danke",
    "vielen dank",
    "tschüss",
    "merci",
    "gracias",
    "obrigado",
    "grazie",
    "dziękuję",
    "takk",
    "tack",
    "спасибо",
    "дякую",
    "ありがとうございました",
    "ありがとうございます",
    "おやすみなさい",
    "谢谢",
    "謝謝",
    "감사합니다",
];

/// The words of a text alone: in small letters, without punctuation, and without what stands in
/// brackets or between asterisks, which are noises.
pub(crate) fn plain(text: &str) -> String {
    without_noises(text).unwrap_or_else(|| words_of(text.chars()))
}

/// The same; `None` where a bracket or an asterisk stands alone, and nothing is between.
fn without_noises(text: &str) -> Option<String> {
    let mut outside = Vec::new();
    let mut depth = 0_u32;
    let mut is_between = false;
    for letter in text.chars() {
        match letter {
            '[' | '(' | '（' | '【' | '［' => depth += 1,
            ']' | ')' | '）' | '】' | '］' => depth = depth.checked_sub(1)?,
            '*' => is_between = !is_between,
            _ if depth > 0 || is_between => {}
            _ => outside.push(letter),
        }
    }
    let is_whole = depth == 0 && !is_between;
    is_whole.then(|| words_of(outside.into_iter()))
}

/// Letters and digits, small, with one space between words.
fn words_of(letters: impl Iterator<Item = char>) -> String {
    let mut words = String::new();
    for letter in letters {
        if letter.is_alphanumeric() {
            words.extend(letter.to_lowercase());
        } else if letter.is_whitespace() && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
    }
    words.truncate(words.trim_end().len());
    words
}

/// Whether these words, as [`plain`] makes them, are what engines say of silence and nobody else
/// does; a text of noises and punctuation alone has none.
pub(crate) fn is_known_of_silence(text: &str) -> bool {
    text.is_empty()
        || KNOWN.contains(&text)
        || CREDITS.iter().any(|beginning| text.starts_with(beginning))
}

/// Whether these words are what engines say of silence, and people say too.
pub(crate) fn is_said_by_people_too(text: &str) -> bool {
    SAID_TOO.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_texts_are_looked_up() {
        for known in KNOWN.iter().chain(SAID_TOO) {
            assert_eq!(plain(known), *known);
        }
        for beginning in CREDITS {
            assert_eq!(plain(beginning), beginning.trim_end());
        }
    }
}
