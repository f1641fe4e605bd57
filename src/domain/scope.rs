//! What a token may do: everything of its user's, or less.

use crate::domain::id::TokenId;
use crate::domain::meeting::Platform;
use crate::domain::string_enum::string_enum;
use crate::domain::word::Word;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

string_enum!(
    /// What a route asks of a token; it stands in the route's row.
    Permission {
        /// Nothing: every token may.
        Nothing = "nothing",
        /// To read of meetings; a token that is limited to some reads of those alone.
        Read = "read",
        /// To change meetings or send bots; a token that is limited to some does so in those alone.
        Write = "write",
        /// To read what concerns the whole account: not for tokens that are limited to some
        /// meetings.
        ReadAll = "read_all",
        /// To change what concerns the whole account.
        WriteAll = "write_all",
        /// To have words made of sound.
        Transcribe = "transcribe",
    }
);

/// A meeting that a token is limited to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopedMeeting {
    /// Where it is held.
    pub platform: Platform,
    /// The platform's id of it.
    pub native_meeting_id: String,
}

/// What a token may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scope {
    /// Whether it may change nothing.
    pub read_only: bool,
    /// The platforms that it is limited to; empty is no limit.
    pub platforms: Vec<Platform>,
    /// The one meeting that it is limited to.
    #[schema(required)]
    pub meeting: Option<ScopedMeeting>,
    /// Whether it may have words made of sound; absent is: where it is limited to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transcribe: Option<bool>,
    /// Whether it may do that alone; absent is no.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub transcribe_only: bool,
    /// The token whose holder made this one, or the first of its chain; absent where an
    /// administrator made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub made_by: Option<TokenId>,
}

/// What narrows a scope; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// Whether it may change nothing.
    pub read_only: Option<bool>,
    /// The platforms that it is limited to; empty is no limit.
    pub platforms: Option<Vec<Platform>>,
    /// The one meeting that it is limited to.
    pub meeting: Option<ScopedMeeting>,
    /// Whether it may have words made of sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcribe: Option<bool>,
    /// Whether it may do that alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcribe_only: Option<bool>,
}

/// For serde.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Narrowing {
    /// Whether it says nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Scope {
    /// The same scope with what is said in `by`; `None` where that is wider.
    pub(crate) fn narrowed(&self, by: &Narrowing) -> Option<Self> {
        let mut scope = self.clone();
        if let Some(read_only) = by.read_only {
            if self.read_only && !read_only {
                return None;
            }
            scope.read_only = read_only;
        }
        if let Some(platforms) = &by.platforms {
            let is_limited = !self.platforms.is_empty();
            let is_within = platforms.iter().all(|one| self.platforms.contains(one));
            if is_limited && (platforms.is_empty() || !is_within) {
                return None;
            }
            scope.platforms.clone_from(platforms);
        }
        if let Some(meeting) = &by.meeting {
            if self.meeting.as_ref().is_some_and(|own| own != meeting) {
                return None;
            }
            scope.meeting = Some(meeting.clone());
        }
        self.narrow_transcription(&mut scope, by)?;
        Some(scope)
    }

    /// Narrows what `scope` may do with sound; `None` where that is wider than `self`.
    fn narrow_transcription(&self, scope: &mut Self, by: &Narrowing) -> Option<()> {
        if let Some(only) = by.transcribe_only {
            if self.transcribe_only && !only {
                return None;
            }
            scope.transcribe_only = only;
        }
        if by.transcribe.is_some() {
            scope.transcribe = by.transcribe;
        }
        let is_wider = scope.may_transcribe() && !self.may_transcribe();
        if is_wider { None } else { Some(()) }
    }

    /// What is within this scope and within another as well.
    pub(crate) fn within(&self, other: &Self) -> Self {
        let mut scope = self.clone();
        scope.read_only |= other.read_only;
        if !other.platforms.is_empty() {
            let is_within =
                |one: &&Platform| self.platforms.is_empty() || self.platforms.contains(one);
            scope.platforms = other.platforms.iter().filter(is_within).copied().collect();
            if scope.platforms.is_empty() {
                return Self { made_by: self.made_by, ..Self::nowhere() };
            }
        }
        scope.meeting = match (&self.meeting, &other.meeting) {
            (own, None) => own.clone(),
            (Some(own), Some(limit)) if own != limit => {
                return Self { made_by: self.made_by, ..Self::nowhere() };
            }
            (_, limit) => limit.clone(),
        };
        scope.transcribe_only |= other.transcribe_only;
        let may_transcribe = self.may_transcribe() && other.may_transcribe();
        if scope.may_transcribe() != may_transcribe {
            scope.transcribe = Some(may_transcribe);
        }
        scope
    }

    /// Whether it may have words made of sound: as is said, or where it is limited to nothing.
    pub fn may_transcribe(&self) -> bool {
        let is_whole = !self.read_only && !self.is_narrow();
        self.transcribe.unwrap_or(self.transcribe_only || is_whole)
    }

    /// One that allows the least.
    fn nowhere() -> Self {
        let meeting = Some(ScopedMeeting::nowhere());
        Self { read_only: true, meeting, ..Self::default() }
    }

    /// Whether it is limited to some of the meetings.
    pub fn is_narrow(&self) -> bool {
        self.meeting.is_some() || !self.platforms.is_empty()
    }

    /// Whether it may do this at all; in which meetings, [`Scope::check_meeting`] knows. Fails with
    /// the reason.
    pub fn check(&self, need: Permission) -> Result<(), String> {
        match need {
            Permission::Transcribe if !self.may_transcribe() => {
                Err("This token may not have sound transcribed.".to_owned())
            }
            Permission::Nothing | Permission::Transcribe => Ok(()),
            _ if self.transcribe_only => {
                Err("This token may only have sound transcribed.".to_owned())
            }
            Permission::Write | Permission::WriteAll if self.read_only => {
                Err("This token may only read.".to_owned())
            }
            Permission::ReadAll | Permission::WriteAll if self.is_narrow() => {
                Err(format!("This token is limited to {self}."))
            }
            _ => Ok(()),
        }
    }

    /// Whether a meeting is within it. Fails with the reason.
    pub fn check_meeting(
        &self,
        platform: Platform,
        native_meeting_id: Option<&str>,
    ) -> Result<(), String> {
        let meeting = self.meeting.as_ref().is_none_or(|only| {
            only.platform == platform && native_meeting_id == Some(only.native_meeting_id.as_str())
        });
        let platform = self.platforms.is_empty() || self.platforms.contains(&platform);
        if meeting && platform { Ok(()) } else { Err(format!("This token is limited to {self}.")) }
    }

    /// Whether a meeting of that name is within it; one of a platform that is not of the list is
    /// within none that is limited.
    pub fn reaches_named(
        &self,
        platform: &Word<Platform>,
        native_meeting_id: Option<&str>,
    ) -> bool {
        match platform.known() {
            Some(platform) => self.check_meeting(platform, native_meeting_id).is_ok(),
            None => !self.is_narrow(),
        }
    }

    /// From what the store keeps; what cannot be read allows the least.
    pub fn stored(json: Option<&str>) -> Self {
        json.map_or_else(Self::default, |json| {
            serde_json::from_str(json).unwrap_or_else(|_| Self::nowhere())
        })
    }

    /// What the store keeps; `None` where it may do everything and an administrator made it.
    pub fn to_stored(&self) -> Option<String> {
        if *self == Self::default() { None } else { serde_json::to_string(self).ok() }
    }
}

impl ScopedMeeting {
    fn nowhere() -> Self {
        Self { platform: Platform::GoogleMeet, native_meeting_id: String::new() }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let platforms: Vec<_> = self.platforms.iter().map(|platform| platform.as_str()).collect();
        match &self.meeting {
            Some(meeting) => {
                write!(f, "the meeting {}/{}", meeting.platform.as_str(), meeting.native_meeting_id)
            }
            None if !platforms.is_empty() => f.write_str(&platforms.join(" and ")),
            None if self.transcribe_only => f.write_str("transcription"),
            None if self.read_only => f.write_str("reading"),
            None => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
#[path = "scope/tests.rs"]
mod tests;
