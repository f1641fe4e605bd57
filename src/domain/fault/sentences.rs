//! What is said of each fault: the sentence, and what to do.

use crate::domain::fault::{Facts, Fault};

impl Facts {
    /// The sentence of what is wrong.
    pub(crate) fn sentence(&self, fault: Fault) -> String {
        let text = match fault {
            Fault::RecordingWaits => match &self.recording_error {
                Some(error) => return format!("The recording waits: {error}"),
                None => "The recording is being read.",
            },
            Fault::RecordingGivenUp => {
                let error = self.recording_error.as_deref().unwrap_or_default();
                return format!("The recording was given up: {error}");
            }
            Fault::EngineAway => return self.engine_away(),
            Fault::EngineBehind => {
                let seconds = self.behind_ms / 1000;
                return format!("The engines are slower than the sound: {seconds} s of it wait.");
            }
            Fault::None => "Nothing is wrong: words came, with names.",
            Fault::Deleted => "Its words were deleted, with all that was personal about it.",
            Fault::Planned => "Its bot is planned for later.",
            Fault::OnItsWay => "Its bot is on its way and has not reached the meeting yet.",
            Fault::AwaitsAdmission => "Its bot waits until somebody in the meeting lets it in.",
            Fault::NotAdmitted => "Its bot was never let in: nobody in the meeting admitted it.",
            Fault::NotJoined => "Its bot started and did not reach the meeting.",
            Fault::NotStarted => "Its bot did not start.",
            Fault::LeftEarly => "Its bot was told to leave before it was let in.",
            Fault::NoEngine => "Sound came, and no engine is configured to hear it.",
            Fault::GivenUp => "Sound was given up: for a day no engine took it.",
            Fault::OtherLanguage => {
                "All that was heard is doubtful, and withheld; perhaps another language is spoken \
                 than the one that was set."
            }
            Fault::AllWithheld => "All that was heard is withheld: it is no speech, or not sure.",
            Fault::NobodySpoke => "Sound came, and nobody spoke in it.",
            Fault::BotFailed => "Its bot failed while it was in the meeting.",
            Fault::NoSound => "Its bot connected to send sound, and none came.",
            Fault::NothingSent => "Its bot was in the meeting and sent neither sound nor words.",
            Fault::NoWordsSent => {
                "Its bot was in the meeting and sent no words, and no engine is configured to make \
                 words of its sound."
            }
            Fault::NoNames => "Words came, and none of them shows who spoke.",
            Fault::EventsLost => "Words came, and events did not reach a webhook.",
        };
        text.to_owned()
    }

    fn engine_away(&self) -> String {
        let since = match self.waiting_since {
            Some(since) => format!(" since {since}"),
            None => String::new(),
        };
        match &self.last_error {
            Some(error) => format!("No engine has taken its sound{since}: {error}"),
            None => format!("No engine takes its sound{since}."),
        }
    }
}

impl Fault {
    /// What to do about it.
    pub(crate) fn what_to_do(self) -> &'static str {
        match self {
            Self::None | Self::Deleted => "There is nothing to do.",
            Self::Planned | Self::OnItsWay => "Wait; it is told here once it is in the meeting.",
            Self::AwaitsAdmission => "Ask somebody in the meeting to let it in.",
            Self::NotAdmitted => {
                "Let somebody be there to admit it, or let the meeting admit everybody; then send \
                 it again."
            }
            Self::NotJoined => {
                "Check the link and the passcode, look at the end of the bot's log, and send it \
                 again."
            }
            Self::NotStarted => {
                "Look at the error of the meeting and at the end of the bot's log; the runner and \
                 its image are settings of [bots]."
            }
            Self::LeftEarly => "Send it again if words are wanted.",
            Self::RecordingWaits => {
                "See to what it waits for, where that is something. It is tried again by itself."
            }
            Self::RecordingGivenUp => {
                "See to what it says, and upload it again. Its file is kept for 7 days in the folder \
                 of sound (transcription.spool_folder)."
            }
            Self::NoEngine => {
                "Configure one: [[transcription.engines]] or transcription.whisper_model in \
                 vomeet.toml. Sound that waits is heard then."
            }
            Self::EngineAway => {
                "See whether the engine runs and is reached from this server, with the key that is \
                 configured. Nothing is lost meanwhile: its sound is heard when it is back."
            }
            Self::EngineBehind => {
                "Wait, or give it more: another engine, a smaller model, or more processes \
                 (transcription.whisper_processes)."
            }
            _ => self.what_to_do_in_it(),
        }
    }

    /// The same of meetings whose bot was in them and whose engines were there.
    fn what_to_do_in_it(self) -> &'static str {
        match self {
            Self::GivenUp => {
                "See to the engines. What was given up is kept for 7 days and is not heard by \
                 itself."
            }
            Self::OtherLanguage => {
                "Set the language that is spoken, or none so that it is found out (PUT \
                 /bots/{platform}/{native_meeting_id}/config)."
            }
            Self::AllWithheld => {
                "Read what is withheld and why (?withheld=true). Where it was speech, try a larger \
                 model; where it was noise, all is well."
            }
            Self::NobodySpoke => {
                "If somebody did, the bot hears the wrong thing: look at its log, and at who was \
                 muted."
            }
            Self::BotFailed => "Look at the error of the meeting and at the end of the bot's log.",
            Self::NoSound => {
                "Look at the end of the bot's log: its browser must play the meeting, and its sound \
                 must reach the server."
            }
            Self::NothingSent => {
                "Look at the end of the bot's log: it must reach this server at the address that it \
                 is told (bots.callback_url)."
            }
            Self::NoWordsSent => {
                "Configure an engine, or tell bots who makes words (bots.whisper_live_url, \
                 bots.transcription_url)."
            }
            Self::NoNames => {
                "Let the bot send speaker events or a stream for each speaker, or name the speakers \
                 (PATCH /transcripts/by-id/{id}/speakers)."
            }
            _ => {
                "See to the receiver, and send them once more (POST \
                 /user/webhook/deliveries/{id}/resend)."
            }
        }
    }
}
