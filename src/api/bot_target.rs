//! Where a bot is sent: a platform and an id, or a link.

use crate::config::Bots;
use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::link::{self, MeetingLink, with_passcode};
use crate::domain::text::SingleLine;
use crate::domain::vocabulary::{TERMS_MAX, Term, VOCABULARY, kept, terms_in};
use crate::domain::{Language, Meeting, NativeId, Passcode, Platform, Task, Time};
use crate::error::{Error, Result};
use crate::http::{BodyRule, Extractor, FromRequest};
use crate::store::BotSettings;

/// Body of `POST /bots`. Written out, because what some of the fields may be depends on others.
pub(crate) struct SendBotInput {
    meeting_url: Option<String>,
    platform: Option<Platform>,
    native_meeting_id: Option<String>,
    passcode: Option<Passcode>,
    pub bot_name: Option<SingleLine<100>>,
    pub language: Option<Language>,
    pub task: Option<Task>,
    /// When a planned bot joins.
    pub join_at: Option<Time>,
    /// Whether the bot is to be able to speak.
    pub voice_agent_enabled: Option<bool>,
    /// Names and terms that may occur.
    pub vocabulary: Vec<String>,
}

impl FromRequest for SendBotInput {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let platform = extractor.optional::<Platform>("platform");
        let native_meeting_id = extractor.optional::<NativeId>("native_meeting_id");
        let meeting_url = extractor.optional::<SingleLine<4096>>("meeting_url");
        let bot_name = extractor.optional("bot_name");
        let language = extractor.optional("language");
        let task = extractor.optional("task");
        let passcode = extractor.optional::<Passcode>("passcode");
        let join_at = extractor.optional("join_at");
        let voice_agent_enabled = extractor.optional("voice_agent_enabled");
        let vocabulary = extractor.optional_list::<Term>(VOCABULARY, TERMS_MAX);
        let meeting_url =
            meeting_url.map(|link| link.map(|link| link.0).filter(|link| !link.trim().is_empty()));
        if let Some(None) = meeting_url {
            extractor.require("platform");
            extractor.require("native_meeting_id");
        }
        let mut id = None;
        if let (Some(Some(platform)), Some(Some(NativeId(sent)))) = (platform, &native_meeting_id) {
            match platform.native_id(sent) {
                Ok(right) => id = Some(right),
                Err(invalid) => extractor.refuse("native_meeting_id", invalid),
            }
        }
        if let (Some(Some(platform)), Some(Some(passcode))) = (platform, &passcode)
            && let Err(invalid) = platform.check_passcode(passcode)
        {
            extractor.refuse("passcode", invalid);
        }
        Some(Self {
            meeting_url: meeting_url?,
            platform: platform?,
            native_meeting_id: id.or(native_meeting_id?.map(|id| id.0)),
            bot_name: bot_name?,
            language: language?,
            task: task?,
            passcode: passcode?,
            join_at: join_at?,
            voice_agent_enabled: voice_agent_enabled?,
            vocabulary: kept(vocabulary?.unwrap_or_default()),
        })
    }
}

impl SendBotInput {
    /// What sends a bot to a meeting again as it was sent before: by its link where it has one, so
    /// that hosts and platforms are looked at as they are allowed now.
    pub(crate) fn again(meeting: &Meeting, settings: BotSettings) -> Self {
        Self {
            meeting_url: meeting.constructed_meeting_url.clone(),
            platform: meeting.platform.known(),
            native_meeting_id: meeting.native_meeting_id.clone(),
            passcode: None,
            voice_agent_enabled: Some(settings.has_voice),
            join_at: None,
            bot_name: settings.bot_name.map(SingleLine),
            language: settings.language,
            task: settings.task,
            vocabulary: terms_in(&meeting.data),
        }
    }
}

/// Where a bot is sent.
pub(crate) struct Target {
    pub platform: Platform,
    pub native_meeting_id: String,
    /// What the bot opens.
    pub url: String,
    /// What opens the meeting, which is in `url` too.
    pub passcode: Option<String>,
}

impl SendBotInput {
    /// Where the bot is to go, if bots of this server are sent there.
    pub(crate) fn target(&self, settings: &Bots) -> Result<Target> {
        let target = match &self.meeting_url {
            Some(link) => self.by_link(link, settings)?,
            None => self.by_id(settings)?,
        };
        if !settings.platforms.contains(&target.platform) {
            let platform = target.platform.as_str();
            let why = format!("bots of this server are not sent to {platform}: see bots.platforms");
            let field = if self.platform.is_some() { "platform" } else { "meeting_url" };
            return Err(refused(field, &why));
        }
        Ok(target)
    }

    /// What else is sent must agree with the link.
    fn by_link(&self, link: &str, settings: &Bots) -> Result<Target> {
        let mut found =
            link::parse(link, &settings.hosts).map_err(|why| refused("meeting_url", &why))?;
        if self.platform == Some(Platform::Generic) {
            found = found.as_page();
        }
        if self.platform.is_some_and(|platform| platform != found.platform) {
            let why = format!("meeting_url leads to {}", found.platform.as_str());
            return Err(refused("platform", &why));
        }
        if let Some(id) = &self.native_meeting_id
            && found.platform.folded(id) != found.native_id
        {
            return Err(refused("native_meeting_id", "meeting_url leads to another meeting"));
        }
        let url = self.url_with_passcode(&found)?;
        let sent = self.passcode.as_ref().map(|passcode| passcode.0.clone());
        Ok(Target {
            platform: found.platform,
            native_meeting_id: found.native_id,
            url,
            passcode: found.passcode.or(sent),
        })
    }

    /// The address of a link, with the passcode of the body where it has none.
    fn url_with_passcode(&self, found: &MeetingLink) -> Result<String> {
        let Some(passcode) = &self.passcode else { return Ok(found.url.clone()) };
        if let Err(Invalid { msg, .. }) = found.platform.check_passcode(passcode) {
            return Err(refused("passcode", msg.trim_start_matches("Value error, ")));
        }
        match &found.passcode {
            Some(other) if *other == passcode.0 => Ok(found.url.clone()),
            Some(_) => Err(refused("passcode", "meeting_url has another passcode")),
            // A classic link of Teams opens without one.
            None if found.native_id.contains(':') => Ok(found.url.clone()),
            None => {
                let name = if found.platform == Platform::Zoom { "pwd" } else { "p" };
                Ok(with_passcode(&found.url, name, Some(&passcode.0)))
            }
        }
    }

    fn by_id(&self, settings: &Bots) -> Result<Target> {
        let (Some(platform), Some(id)) = (self.platform, self.native_meeting_id.clone()) else {
            return Err(refused("meeting_url", "a link, or a platform and an id, must be sent"));
        };
        let url = match platform {
            Platform::Jitsi => {
                let room = link::jitsi_room(&id, &settings.hosts);
                room.map_err(|why| refused("native_meeting_id", &why))?.url
            }
            Platform::Generic => {
                return Err(refused("meeting_url", "a page is named by its meeting_url alone"));
            }
            Platform::Teams if id.contains(':') => {
                let why = "a classic Teams meeting is opened by its link: send meeting_url";
                return Err(refused("meeting_url", why));
            }
            _ => platform.meeting_url(&id, self.passcode.as_ref()),
        };
        let passcode = self.passcode.as_ref().map(|passcode| passcode.0.clone());
        Ok(Target { platform, native_meeting_id: id, url, passcode })
    }
}

/// A member of the body that is refused for what it says.
pub(super) fn refused(field: &'static str, why: &str) -> Error {
    let loc = vec![LocStep::Name("body"), LocStep::Name(field)];
    let invalid = Invalid::new("value_error", format!("Value error, {why}"));
    Error::Invalid(vec![FieldError::new(loc, SentValue::Nothing, invalid)])
}
