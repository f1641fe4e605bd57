//! What an import has to say about single rows: kinds of remarks, how many of each, and examples.

use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Examples of a remark that are kept.
const EXAMPLES_MAX: usize = 5;

string_enum!(
    /// What an import says about a row of the dump.
    Remark {
        /// The key is shorter than 16 characters, and is disabled.
        WeakKey = "weak_key",
        /// The key is shorter than 16 characters, and is accepted.
        WeakKeyKept = "weak_key_kept",
        /// No header can carry the key, so it opens nothing, here and there.
        KeyWithoutHeader = "key_without_header",
        /// The own key of a user, where only accounts' keys opened anything; it is disabled.
        KeyOfUserDisabled = "key_of_user_disabled",
        /// The same key as another one; it is left out.
        KeyTwice = "key_twice",
        /// A key that sent bots and read nothing; there is none such here, so it is disabled.
        KeyThatReadsNothing = "key_that_reads_nothing",
        /// A token of no user; it is left out.
        TokenOfNobody = "token_of_nobody",
        /// The address is one that an older user has in another spelling.
        EmailChanged = "email_changed",
        /// The address is one that an older user has, and both are one user now.
        EmailJoined = "email_joined",
        /// Secrets in the data of a user or a meeting; they are left out.
        SecretsLeftOut = "secrets_left_out",
        /// Data that is no JSON object that can be kept; it is left out.
        DataLeftOut = "data_left_out",
        /// The webhook leads to a private address, which `webhooks.allowed_networks` must name.
        WebhookPrivate = "webhook_private",
        /// Nothing can be posted to the webhook; it is left out.
        WebhookLeftOut = "webhook_left_out",
        /// A user has one webhook here; this one is left out.
        WebhookMore = "webhook_more",
        /// The secret of the webhook cannot be kept; the webhook is not signed.
        WebhookUnsigned = "webhook_unsigned",
        /// The meeting was not over; it has failed now.
        MeetingOpen = "meeting_open",
        /// A planned meeting; its bot is planned here.
        PlanKept = "plan_kept",
        /// A planned meeting for which no bot can be planned here; it is left out.
        MeetingPlanned = "meeting_planned",
        /// What was to become a meeting, and had none yet; it is left out.
        ScheduledLeftOut = "scheduled_left_out",
        /// A meeting of no user; it is left out.
        MeetingOfNobody = "meeting_of_nobody",
        /// A segment of no meeting that was imported; it is left out.
        SegmentOfNoMeeting = "segment_of_no_meeting",
        /// A segment whose times are no numbers, or impossible; it is left out.
        SegmentTimes = "segment_times",
        /// A segment of a chunk that is no segment; it is left out.
        SegmentUnread = "segment_unread",
        /// A chunk whose list of segments is none; its whole text is taken.
        ChunkUnread = "chunk_unread",
        /// A segment of no session that is known; it counts from the start of the meeting.
        SegmentOfNoSession = "segment_of_no_session",
        /// A time before the year 1 or after 9999; it is taken for none.
        TimeBeyond = "time_beyond",
        /// Bytes that are no UTF-8; they are replaced.
        NoUtf8 = "no_utf8",
        /// The rows of a table that has no place here; they are left out.
        TableLeftOut = "table_left_out",
        /// A segment that ended before it began; its times are swapped back.
        SegmentSwapped = "segment_swapped",
        /// A segment that begins with another one of the same speaker; both are kept.
        SegmentEqual = "segment_equal",
        /// A segment without words; it is left out.
        SegmentEmpty = "segment_empty",
    }
);

impl Remark {
    /// Whether it says only how something was read, and nothing is lost or other than it was.
    pub(crate) fn is_note(self) -> bool {
        matches!(self, Self::SegmentSwapped | Self::SegmentEqual | Self::SegmentEmpty)
    }

    /// What it says, for people.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::WeakKey => {
                "keys shorter than 16 characters, disabled; --keep-weak-keys keeps them"
            }
            Self::WeakKeyKept => "keys shorter than 16 characters, accepted as before",
            Self::KeyWithoutHeader => "keys that no header can carry: they opened nothing before",
            Self::KeyOfUserDisabled => {
                "keys of users, which opened nothing beside accounts; disabled"
            }
            Self::KeyTwice => "keys that are there twice, left out once",
            Self::KeyThatReadsNothing => {
                "keys that only sent bots or browsers and read nothing, disabled"
            }
            Self::TokenOfNobody => "tokens of no user, left out",
            Self::EmailChanged => {
                "users whose address an older user has; they have another one now"
            }
            Self::EmailJoined => {
                "users who were joined with an older one of the same address, whose name, data, limit \
                 and webhook are kept"
            }
            Self::SecretsLeftOut => "rows with secrets in their data, left out",
            Self::DataLeftOut => "rows with data that cannot be kept, left out",
            Self::WebhookPrivate => {
                "webhooks to private addresses; name their networks in webhooks.allowed_networks"
            }
            Self::WebhookLeftOut => "webhooks to which nothing can be posted, left out",
            Self::WebhookMore => "webhooks beside the one that a user may have, left out",
            Self::WebhookUnsigned => {
                "webhook secrets that cannot be kept; their users set new ones"
            }
            Self::MeetingOpen => "meetings that were not over, failed now",
            Self::PlanKept => {
                "planned meetings, whose bots this server sends; stop the former one before their time"
            }
            Self::MeetingPlanned => "planned meetings, left out",
            Self::ScheduledLeftOut => "scheduled meetings that had no bot yet, left out",
            Self::MeetingOfNobody => "meetings of no user, left out",
            Self::SegmentOfNoMeeting => "segments of no meeting, left out",
            Self::SegmentTimes => "segments whose times are no numbers or impossible, left out",
            Self::SegmentUnread => "segments of chunks that cannot be read, left out",
            Self::ChunkUnread => "chunks whose segments cannot be read; their whole text is taken",
            Self::SegmentOfNoSession => "segments of no session, counted from the meeting's start",
            Self::TimeBeyond => {
                "rows with times before the year 1 or after 9999, which are taken for none"
            }
            Self::NoUtf8 => "values that are no UTF-8; what cannot be read is replaced",
            Self::TableLeftOut => "rows of tables that have no place here, left out",
            Self::SegmentSwapped => "segments that ended before they began, swapped back",
            Self::SegmentEqual => "segments that begin together with another one, kept apart",
            Self::SegmentEmpty => "segments without words, left out",
        }
    }
}

/// How often something was remarked, and of which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Noted {
    /// How many rows.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// All remarks of an import.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remarks(BTreeMap<usize, Noted>);

impl Remarks {
    /// Notes a remark about one row; `example` names it, without a secret.
    pub(crate) fn add(&mut self, remark: Remark, example: impl FnOnce() -> String) {
        self.add_many(remark, 1, example);
    }

    /// Notes a remark about many rows at once.
    pub(crate) fn add_many(
        &mut self,
        remark: Remark,
        count: u64,
        example: impl FnOnce() -> String,
    ) {
        if count == 0 {
            return;
        }
        let noted = self.0.entry(remark as usize).or_default();
        noted.count += count;
        if noted.examples.len() < EXAMPLES_MAX {
            noted.examples.push(example());
        }
    }

    /// Every remark that was made, in the order of the list.
    pub(crate) fn all(&self) -> Vec<(Remark, &Noted)> {
        let mut all = Vec::new();
        for (&place, noted) in &self.0 {
            let remark = Remark::WORDS.get(place).and_then(|word| Remark::from_word(word));
            all.extend(remark.map(|remark| (remark, noted)));
        }
        all
    }

    /// How often it was remarked.
    pub(crate) fn count(&self, remark: Remark) -> u64 {
        self.0.get(&(remark as usize)).map_or(0, |noted| noted.count)
    }

    /// Whether there is none but notes.
    pub(crate) fn is_clean(&self) -> bool {
        self.all().iter().all(|(remark, _)| remark.is_note())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_counted_and_the_first_are_shown() {
        let mut remarks = Remarks::default();
        assert!(remarks.is_clean());
        for number in 0..7 {
            remarks.add(Remark::SegmentEmpty, || format!("row {number}"));
        }
        assert!(remarks.is_clean(), "notes are no remarks");
        remarks.add_many(Remark::TableLeftOut, 3, || "webhooks".to_owned());
        remarks.add_many(Remark::NoUtf8, 0, || "none".to_owned());
        let all = remarks.all();
        assert_eq!(
            all.iter().map(|(remark, _)| remark.as_str()).collect::<Vec<_>>(),
            ["table_left_out", "segment_empty"]
        );
        assert_eq!((all[1].1.count, all[1].1.examples.len()), (7, EXAMPLES_MAX));
        assert!(!remarks.is_clean());
        for word in Remark::WORDS {
            let remark = Remark::from_word(word).expect(word);
            assert_eq!(Remark::WORDS[remark as usize], *word);
        }
    }
}
