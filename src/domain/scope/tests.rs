//! What scopes allow, alone, narrowed and together.

#![cfg(test)]

use super::Platform::{GoogleMeet, Teams};
use super::*;

fn scope(read_only: bool, platforms: &[Platform], meeting: Option<(Platform, &str)>) -> Scope {
    let meeting =
        meeting.map(|(platform, id)| ScopedMeeting { platform, native_meeting_id: id.to_owned() });
    Scope { read_only, platforms: platforms.to_vec(), meeting, ..Scope::default() }
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
        (scope(true, &[GoogleMeet], None), [true, true, false, false, false], [true, true, false]),
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
        let platforms = platforms.map(<[_]>::to_vec);
        Narrowing { read_only, platforms, meeting, ..Narrowing::default() }
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

/// With what is said of sound.
fn hearing(of: &Scope, transcribe: Option<bool>, transcribe_only: bool) -> Scope {
    Scope { transcribe, transcribe_only, ..of.clone() }
}

/// Every scope that differs in what it may do with sound.
fn of_sound() -> Vec<Scope> {
    let mut scopes = Vec::new();
    for of in [scope(false, &[], None), scope(true, &[], None), scope(false, &[Teams], None)] {
        for transcribe in [None, Some(false), Some(true)] {
            for only in [false, true] {
                scopes.push(hearing(&of, transcribe, only));
            }
        }
    }
    scopes
}

#[test]
fn sound_is_for_tokens_that_may_do_all_and_for_those_of_which_it_is_said() {
    let whole = scope(false, &[], None);
    let reader = scope(true, &[], None);
    let narrow = scope(false, &[Teams], None);
    for (scope, expected) in [
        (whole.clone(), true),
        (reader.clone(), false),
        (narrow.clone(), false),
        (scope(false, &[], Some((Teams, "a"))), false),
        (hearing(&whole, Some(false), false), false),
        (hearing(&reader, Some(true), false), true),
        (hearing(&narrow, Some(true), false), true),
        (hearing(&narrow, None, true), true),
        (hearing(&whole, Some(false), true), false),
    ] {
        assert_eq!(scope.check(Permission::Transcribe).is_ok(), expected, "{scope:?}");
        assert_eq!(Scope::stored(scope.to_stored().as_deref()), scope);
    }
    let only = hearing(&whole, None, true);
    for need in [Permission::Read, Permission::Write, Permission::ReadAll, Permission::WriteAll] {
        assert!(only.check(need).is_err(), "{need:?}");
    }
    assert!(only.check(Permission::Nothing).is_ok());
    let older = r#"{"read_only":true,"platforms":[],"meeting":null}"#;
    assert!(!Scope::stored(Some(older)).may_transcribe());
}

#[test]
fn no_narrowing_and_no_two_scopes_together_give_sound_to_a_token_that_had_none() {
    let mut narrowed = 0;
    for from in of_sound() {
        for transcribe in [None, Some(false), Some(true)] {
            for transcribe_only in [None, Some(false), Some(true)] {
                let by = Narrowing { transcribe, transcribe_only, ..Narrowing::default() };
                let Some(to) = from.narrowed(&by) else { continue };
                narrowed += 1;
                assert!(from.may_transcribe() || !to.may_transcribe(), "{from:?} {by:?}");
                assert!(!from.transcribe_only || to.transcribe_only, "{from:?} {by:?}");
                if let Some(wanted) = transcribe {
                    assert_eq!(to.may_transcribe(), wanted, "{from:?} {by:?}");
                }
            }
        }
        for other in of_sound() {
            let both = from.within(&other);
            let expected = from.may_transcribe() && other.may_transcribe();
            assert_eq!(both.may_transcribe(), expected, "{from:?} {other:?}");
            let only = from.transcribe_only || other.transcribe_only;
            assert_eq!(both.transcribe_only, only, "{from:?} {other:?}");
        }
    }
    assert!(narrowed > 50, "{narrowed}");
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
    assert!(scope.check(Permission::Write).is_err() && scope.check(Permission::ReadAll).is_err());
    assert!(scope.check_meeting(GoogleMeet, Some("a")).is_err());
    assert!(scope.check_meeting(GoogleMeet, None).is_err());
}
