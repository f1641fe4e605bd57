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
        Some(scope)
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
        scope
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
            None if self.read_only => f.write_str("reading"),
            None => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Platform::{GoogleMeet, Teams};
    use super::*;

    fn scope(read_only: bool, platforms: &[Platform], meeting: Option<(Platform, &str)>) -> Scope {
        let meeting = meeting
            .map(|(platform, id)| ScopedMeeting { platform, native_meeting_id: id.to_owned() });
        Scope { read_only, platforms: platforms.to_vec(), meeting, made_by: None }
    }

    #[test]
    fn each_scope_allows_what_it_names() {
        let needs = [
            Permission::Nothing,
            Permission::Read,
            Permission::Write,
            Permission::ReadAll,
            Permission::WriteAll,
        ];
        for (scope, allowed, meetings) in [
            (scope(false, &[], None), [true; 5], [true; 3]),
            (scope(true, &[], None), [true, true, false, true, false], [true; 3]),
            (scope(false, &[Teams], None), [true, true, true, false, false], [false, false, true]),
            (scope(false, &[Teams, GoogleMeet], None), [true, true, true, false, false], [true; 3]),
            (
                scope(true, &[GoogleMeet], None),
                [true, true, false, false, false],
                [true, true, false],
            ),
            (
                scope(false, &[], Some((GoogleMeet, "a"))),
                [true, true, true, false, false],
                [true, false, false],
            ),
            (
                scope(false, &[Teams], Some((GoogleMeet, "a"))),
                [true, true, true, false, false],
                [false; 3],
            ),
        ] {
            assert_eq!(needs.map(|need| scope.check(need).is_ok()), allowed, "{scope:?}");
            let places = [(GoogleMeet, Some("a")), (GoogleMeet, Some("b")), (Teams, Some("a"))];
            let reached = places.map(|(platform, id)| scope.check_meeting(platform, id).is_ok());
            assert_eq!(reached, meetings, "{scope:?}");
            assert_eq!(Scope::stored(scope.to_stored().as_deref()), scope);
        }
    }

    #[test]
    fn a_scope_is_narrowed_and_never_widened() {
        let narrowing = |read_only, platforms: Option<&[Platform]>, meeting: Option<&str>| {
            let meeting = meeting
                .map(|id| ScopedMeeting { platform: GoogleMeet, native_meeting_id: id.to_owned() });
            Narrowing { read_only, platforms: platforms.map(<[_]>::to_vec), meeting }
        };
        let whole = scope(false, &[], None);
        let narrow = scope(true, &[Teams, GoogleMeet], None);
        let one = scope(false, &[], Some((GoogleMeet, "a")));
        for (from, by, expected) in [
            (&whole, narrowing(None, None, None), Some(whole.clone())),
            (&whole, narrowing(Some(false), Some(&[]), None), Some(whole.clone())),
            (&whole, narrowing(Some(true), Some(&[Teams, GoogleMeet]), None), Some(narrow.clone())),
            (&whole, narrowing(None, None, Some("a")), Some(one.clone())),
            (&narrow, narrowing(Some(false), None, None), None),
            (&narrow, narrowing(None, Some(&[]), None), None),
            (&narrow, narrowing(None, Some(&[Teams, Platform::Zoom]), None), None),
            (&narrow, narrowing(None, Some(&[Teams]), None), Some(scope(true, &[Teams], None))),
            (&one, narrowing(None, None, Some("b")), None),
            (&one, narrowing(None, None, Some("a")), Some(one.clone())),
        ] {
            assert_eq!(from.narrowed(&by), expected, "{from:?} by {by:?}");
        }
    }

    #[test]
    fn what_is_within_two_scopes_is_within_each() {
        let scopes = [
            scope(false, &[], None),
            scope(true, &[Teams], None),
            scope(false, &[GoogleMeet], None),
            scope(false, &[Teams, GoogleMeet], None),
            scope(true, &[], Some((GoogleMeet, "a"))),
            scope(false, &[], Some((GoogleMeet, "b"))),
        ];
        let places = [(GoogleMeet, Some("a")), (GoogleMeet, Some("b")), (Teams, Some("a"))];
        for one in &scopes {
            for other in &scopes {
                let both = one.within(other);
                for (platform, id) in places {
                    let reached = |scope: &Scope| scope.check_meeting(platform, id).is_ok();
                    let expected = reached(one) && reached(other);
                    assert_eq!(reached(&both), expected, "{one:?} {other:?} {platform:?}");
                }
                assert!(!one.read_only && !other.read_only || both.read_only);
            }
        }
    }

    #[test]
    fn who_made_a_token_is_kept_beside_whatever_it_may_do() {
        let made = Scope { made_by: Some(TokenId(7)), ..Scope::default() };
        let stored = made.to_stored().expect("kept");
        assert_eq!(Scope::stored(Some(&stored)), made);
        assert!(made.check(Permission::WriteAll).is_ok(), "it may do everything");
        let older = r#"{"read_only":true,"platforms":[],"meeting":null}"#;
        assert_eq!(Scope::stored(Some(older)), scope(true, &[], None));
        assert_eq!(scope(true, &[], None).to_stored().as_deref(), Some(older));
    }

    #[test]
    fn a_scope_that_cannot_be_read_allows_nothing_of_worth() {
        let scope = Scope::stored(Some("{"));
        assert!(
            scope.check(Permission::Write).is_err() && scope.check(Permission::ReadAll).is_err()
        );
        assert!(scope.check_meeting(GoogleMeet, Some("a")).is_err());
        assert!(scope.check_meeting(GoogleMeet, None).is_err());
    }
}
