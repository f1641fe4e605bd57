//! The same verbs give the same rows: what each server of the suite wrote is applied to another
//! file, once in one transaction and once verb by verb, and all tables are compared.
//!
//! Left out are `erasures`, whose rows go by a verb that concerns the file alone, and the pages of
//! the word index, which depend on how changes share transactions; what the index says is compared.

use crate::recording::Recording;
use std::collections::BTreeSet;
use tempfile::TempDir;
use vomeet::domain::lifecycle::StatusReport;
use vomeet::domain::{
    AbsoluteTimes, Actor, AdminKeyId, Data, Day, DeliveryId, Email, Hint, Language, MeetingId,
    MeetingStatus, Narrowing, Offset, Patch, Platform, Scope, SegmentId, SegmentInput, SentTime,
    ShareHash, ShareId, SpeakerChange, SpeakerEvent, Task, Time, TokenChanges, TokenHash, TokenId,
    TokenTerms, TransitionSource, UsageCounts, UsageKey, UserId,
};
use vomeet::error::Result;
use vomeet::store::{
    Advance, ApplyConfiguredUsers, AttemptEnd, BeginErasure, BeginStream, CreateAdminKey,
    CreateShare, CreateToken, CreateUser, DeleteMeeting, DeleteUser, DoubtedClock, EndAttempt,
    ForgetDeliveries, ForgetShares, ForgetUsage, GiveUpHeld, HeardSegment, IndexSegments,
    MakeToken, MeetingName, MeetingRef, NoteBackup, NoteCleared, NoteContainer, NoteExport,
    NoteMeeting, NoteTime, Options, PruneAudit, Reconfigure, Recorder, RedactMeeting,
    ReloadSettings, ResendDelivery, RetractSegments, RevokeAdminKey, RevokeShare, RevokeToken,
    RotateAdminKey, RotateToken, SendBot, SetWebhook, SettleDrafts, Store, StoreSegmentBatch,
    StoreSegments, TouchTokens, TranscriptOf, UpdateToken, UpdateUser, VERBS, WriteUsage,
};

#[test]
fn the_numbers_of_verbs_are_theirs_for_ever() {
    let numbers: BTreeSet<u16> = VERBS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers.len(), VERBS.len(), "a number stands twice");
    let lines: Vec<String> =
        VERBS.iter().map(|(number, name, kind)| format!("{number} {name} {kind}")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn open(folder: &TempDir, recorder: Recorder) -> Store {
    let path = folder.path().join("vomeet.db");
    let options = Options { path, small_readers: 1, long_readers: 1, queue_max: 64 };
    Store::open_recorded(&options, Some(recorder), |_| {}).expect("a store")
}

pub fn now() -> Time {
    Time::from_millis(1_760_097_600_120)
}

pub fn actor(number: u8) -> Actor {
    let address = Some("127.0.0.1".to_owned());
    Actor { name: "key:alice".to_owned(), address, at: now(), salt: [number; 16] }
}

pub fn create_user(email: &str) -> CreateUser {
    CreateUser {
        email: Email::stored(email.to_owned()),
        name: Some("Ada \u{1F600}".to_owned()),
        image_url: None,
        max_concurrent_bots: 2,
        data: Data::stored(r#"{"b":1.50,"a":"ü"}"#.to_owned()),
        now: now(),
    }
}

fn hash(number: u8) -> TokenHash {
    TokenHash([number; 32])
}

fn hint() -> Hint {
    Hint("AbCd".to_owned())
}

pub fn name(native: &str) -> MeetingName {
    let native_meeting_id = native.to_owned();
    MeetingName {
        user_id: UserId(1),
        platform: Platform::Teams.into(),
        native_meeting_id,
        meeting_id: None,
    }
}

/// Users and their tokens.
pub async fn write_keys(store: &Store) -> Result<()> {
    let user_id = UserId(1);
    store.write_by(actor(1), create_user("ada@example.com")).await?;
    store.write_by(actor(2), create_user("ben@example.com")).await?;
    let update = UpdateUser {
        id: user_id,
        email: None,
        name: Patch::Clear,
        image_url: Patch::Set("https://example.com/a.png".to_owned()),
        max_concurrent_bots: Some(3),
        data: None,
        disabled: Some(false),
        now: now(),
    };
    store.write_by(actor(3), update).await?;
    store.write_by(actor(4), NoteExport { id: user_id }).await?;
    store.write_by(actor(22), NoteBackup { file: "/b/x.db".to_owned() }).await?;
    for number in 1..=2 {
        let scope = Scope { read_only: true, platforms: vec![Platform::Teams], ..Scope::default() };
        let name = Some("phone".to_owned());
        let (hash, hint, expires_at) = (hash(number), hint(), Some(now().plus_seconds(3600)));
        let terms = TokenTerms { name, expires_at, disuse_seconds: Some(60), scope };
        let token = CreateToken { user_id, hash, hint, terms, now: now() };
        store.write_by(actor(10 + number), token).await?;
    }
    let update = UpdateToken {
        id: TokenId(1),
        terms: TokenChanges {
            name: Patch::Keep,
            expires_at: Patch::Set(now().plus_seconds(60)),
            disuse_seconds: Patch::Clear,
        },
        narrowing: Narrowing { read_only: Some(true), ..Narrowing::default() },
        disabled: None,
        now: now(),
    };
    store.write_by(actor(5), update).await?;
    let (hash_3, hint_3) = (hash(3), hint());
    let id = TokenId(1);
    let rotate = RotateToken {
        id,
        hash: hash_3,
        hint: hint_3,
        grace_seconds: 30,
        expires_in: None,
        now: now(),
        by_holder: true,
    };
    store.write_by(actor(6), rotate).await?;
    write_made(store).await?;
    store
        .write_by(actor(7), RevokeToken { id: TokenId(2), of_user: None, by: None, now: now() })
        .await?;
    store.write(TouchTokens { used: vec![(TokenId(1), now(), Some("::1".to_owned()))] }).await?;
    Ok(())
}

/// A token that its holder makes.
async fn write_made(store: &Store) -> Result<()> {
    let (terms, hash_8) = (TokenTerms::default(), hash(8));
    let whole = CreateToken { user_id: UserId(1), hash: hash_8, hint: hint(), terms, now: now() };
    let by = store.write_by(actor(24), whole).await?.id;
    let make = MakeToken {
        by,
        hash: hash(7),
        hint: hint(),
        terms: TokenChanges {
            name: Patch::Set("dashboard".to_owned()),
            expires_at: Patch::Keep,
            disuse_seconds: Patch::Set(30),
        },
        scope: Scope { read_only: true, ..Scope::default() },
        now: now(),
    };
    store.write_by(actor(23), make).await?;
    Ok(())
}

/// Admin keys, and users of the configuration.
async fn write_admin_keys(store: &Store) -> Result<()> {
    let key = CreateAdminKey {
        name: "alice".to_owned(),
        hash: hash(4),
        hint: hint(),
        expires_at: None,
        made_by: None,
        now: now(),
    };
    store.write_by(actor(8), key).await?;
    let id = AdminKeyId(1);
    let rotate = RotateAdminKey {
        id,
        hash: hash(5),
        hint: hint(),
        grace_seconds: 5,
        now: now(),
        by_holder: Some(hash(4)),
    };
    store.write_by(actor(9), rotate).await?;
    store.write_by(actor(20), RevokeAdminKey { id, now: now() }).await?;
    let declared = serde_json::json!([{
        "email": "eve@example.com", "name": "Eve", "max_concurrent_bots": 1, "disabled": true,
        "tokens": [{ "hint": "EfGh", "hash": hash(6) }]
    }]);
    let users = serde_json::from_value(declared).expect("users");
    let applied = store.write(ApplyConfiguredUsers { users, actor: actor(21) }).await?;
    assert!(applied.is_ok(), "{applied:?}");
    let changed = vec!["log".to_owned()];
    let reload = ReloadSettings { users: Vec::new(), changed, actor: actor(22) };
    let reloaded = store.write(reload).await?.expect("no token is taken");
    assert_eq!(reloaded.revoked, 1);
    Ok(())
}

/// A bot's meeting from its begin to its end, with all that is noted of it.
pub async fn write_meeting(store: &Store, native: &str, number: u8) -> Result<MeetingId> {
    let user_id = UserId(1);
    let bot = SendBot {
        user_id,
        token_id: TokenId(1),
        platform: Platform::Teams,
        native_meeting_id: native.to_owned(),
        url: format!("https://example.com/{native}"),
        uid: format!("session {number}"),
        token_hash: hash(100 + number),
        bot_name: "Bot".to_owned(),
        language: Language::from_code("de"),
        task: None,
        has_voice: false,
        vocabulary: Vec::new(),
        now: now(),
    };
    let meeting_id = store.write(bot).await?.id;
    store
        .write(NoteContainer { meeting_id, container_id: "process:1".to_owned(), now: now() })
        .await?;
    let report = StatusReport::new(MeetingStatus::Active, TransitionSource::Bot).because("let in");
    let meeting_ref = MeetingRef::Session(format!("session {number}"));
    store
        .write(Advance { meeting_ref, report, container_id: Some("7".to_owned()), now: now() })
        .await?;
    let task = Some(Task::Translate);
    store.write(Reconfigure { name: name(native), language: None, task }).await?;
    let segment = |start, text: &str| {
        let (start, end) = (Offset(start), Offset(start + 1001));
        HeardSegment {
            start,
            end,
            text: text.to_owned(),
            speaker: Some("Ada".to_owned()),
            language: None,
        }
    };
    let heard = vec![segment(1, "good morning"), segment(70_003, "guten Morgen")];
    let uid = format!("session {number}");
    store.write(StoreSegments { token_hash: hash(100 + number), uid, heard, now: now() }).await?;
    write_streams(store, hash(100 + number)).await?;
    crate::replay_corrections::write_corrections(store, native).await?;
    store.write(IndexSegments { ids: vec![SegmentId(1), SegmentId(2), SegmentId(3)] }).await?;
    let members =
        [("notes".to_owned(), serde_json::from_str("{\"a\": [1.0, null]}").expect("JSON"))];
    store.write(NoteMeeting { name: name(native), members: members.into(), now: now() }).await?;
    let report = StatusReport::new(MeetingStatus::Stopping, TransitionSource::User);
    let meeting_ref = MeetingRef::Meeting(meeting_id);
    let stop = Advance { meeting_ref, report, container_id: None, now: now() };
    store.write_by(actor(30 + number), stop).await?;
    let details = serde_json::from_str("{\"code\": 1e2}").expect("JSON");
    let report = StatusReport {
        error_details: Some(details),
        exit_code: Some(-9),
        ..StatusReport::new(MeetingStatus::Failed, TransitionSource::Server)
    };
    let end = now().plus_seconds(90);
    let meeting_ref = MeetingRef::Named(name(native));
    store.write(Advance { meeting_ref, report, container_id: None, now: end }).await?;
    store.write(NoteCleared { meeting_id, now: end }).await?;
    Ok(meeting_id)
}

/// A stream of a recogniser: a draft, who spoke, what is taken back, what has rested.
async fn write_streams(store: &Store, token_hash: TokenHash) -> Result<()> {
    let segment = |segment_id: Option<&str>, start, completed| SegmentInput {
        segment_id: segment_id.map(str::to_owned),
        start: SentTime::Offset(start),
        end: SentTime::Clock(now().plus_seconds(100)),
        absolute: Some(AbsoluteTimes { start: now().plus_seconds(start / 1000), end: None }),
        text: "good evening".to_owned(),
        speaker: None,
        by_platform: false,
        language: Some("en".to_owned()),
        completed,
    };
    let event = |change, at| SpeakerEvent {
        change,
        name: "Ben".to_owned(),
        participant_id: Some("p1".to_owned()),
        at: SentTime::Offset(at),
    };
    let batch = StoreSegmentBatch {
        token_hash,
        uid: "stream".to_owned(),
        started_at: Some(now()),
        segments: vec![segment(None, 1000, false), segment(Some("one"), 200_000, true)],
        events: vec![event(SpeakerChange::Start, 0), event(SpeakerChange::End, 90_000)],
        now: now(),
    };
    store.write(batch).await?;
    let uid = "another stream".to_owned();
    let started_at = now().plus_seconds(5);
    store.write(BeginStream { token_hash, uid, started_at, now: now() }).await?;
    let segment_ids = vec!["one".to_owned(), "none".to_owned()];
    store.write(RetractSegments { token_hash, segment_ids, now: now() }).await?;
    let settle = SettleDrafts { stream_id: 2, rested_since: now(), now: now() };
    store.write(settle).await?;
    Ok(())
}

/// Share links that are made, revoked, and over.
async fn write_shares(store: &Store) -> Result<()> {
    let (hash, terms) = (hash(30), TokenTerms::default());
    let whole = CreateToken { user_id: UserId(1), hash, hint: hint(), terms, now: now() };
    let by = store.write_by(actor(30), whole).await?.id;
    for number in 1..=3 {
        let expires_at = now().plus_seconds(60 * i64::from(number));
        let (name, hash) = (name("one"), ShareHash([number; 32]));
        let share = CreateShare { by, name, hash, expires_at, now: now() };
        store.write_by(actor(30 + number), share).await?;
    }
    let revoke = RevokeShare { id: ShareId(2), of_user: None, by: Some(by) };
    store.write_by(actor(34), revoke).await?;
    store.write(ForgetShares { before: now().plus_seconds(61) }).await.map(drop)
}

pub async fn write_everything(store: &Store) -> Result<()> {
    let user_id = UserId(1);
    write_keys(store).await?;
    write_admin_keys(store).await?;
    let secret = serde_json::from_str("\"a secret of some length\"").expect("a secret");
    let url = Patch::Set("https://example.com/hook".to_owned());
    store.write(SetWebhook { user_id, url, secret: Patch::Set(secret) }).await?;
    crate::replay_webhooks::write_webhooks(store).await?;
    crate::user_transcription::write_settings(store).await?;
    write_meeting(store, "one", 1).await?;
    let heard = write_meeting(store, "two", 2).await?;
    crate::replay_sounds::write_sounds(store, heard).await?;
    crate::replay_sounds::write_bridge(store).await?;
    crate::planned::write_plan(store, now()).await?;
    crate::replay_windows::write_windows(store, MeetingId(1)).await?;
    crate::replay_uploads::write_uploads(store).await?;
    for (id, end) in
        [(1, AttemptEnd::Delivered(now())), (2, AttemptEnd::Again(now())), (3, AttemptEnd::GivenUp)]
    {
        let error = Some("refused".to_owned());
        let id = DeliveryId(id);
        store.write(EndAttempt { id, attempts: 1, end, status: Some(500), error }).await?;
    }
    let resend = ResendDelivery { id: DeliveryId(3), of_user: None, now: now() };
    store.write_by(actor(22), resend).await?;
    store.write(ForgetDeliveries { ids: vec![DeliveryId(1)] }).await?;
    let error = "the user was disabled".to_owned();
    store.write(GiveUpHeld { before: now().plus_seconds(1), error }).await?;
    write_shares(store).await?;
    let day = Day::of(now());
    for (days, requests) in [(0, 7), (-40, 3)] {
        let key = UsageKey { user_id, day: day.plus(days), token_id: TokenId(1) };
        let counts = UsageCounts { requests, ..UsageCounts::default() };
        store.write(WriteUsage { used: vec![(key, counts)] }).await?;
    }
    store.write(ForgetUsage { before: day.plus(-30) }).await?;
    let doubted = Some(DoubtedClock { shown: now().plus_seconds(86_400_000), ran_ms: 60_000 });
    store.write(NoteTime { now: now(), doubted }).await?;
    store.delete_segments(TranscriptOf::Meeting(name("one"))).await?;
    store.write(RedactMeeting { name: name("one"), now: now() }).await?;
    store.write(DeleteMeeting { name: name("two") }).await?;
    store.write_by(actor(53), BeginErasure { id: UserId(3), now: now() }).await?;
    store.write_by(actor(50), DeleteUser { id: UserId(2) }).await?;
    store.write(PruneAudit { actor: actor(51), before: now().plus_seconds(1) }).await?;
    // Those that fail are replayed as well: they must fail once more.
    assert!(store.write_by(actor(52), DeleteUser { id: UserId(2) }).await.is_err());
    assert!(store.write(DeleteMeeting { name: name("three") }).await.is_err());
    store.scrub().await
}

/// Runs something that writes, on a store of its own.
pub fn record<F: Future<Output = Result<()>>>(
    folder: &TempDir,
    write: impl FnOnce(Store) -> F,
) -> Recording {
    let (recorder, recording) = Recording::begin(&folder.path().join("vomeet.db"));
    let store = open(folder, recorder);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(write(store)).expect("all is written");
    recording
}

#[test]
fn every_verb_is_replayed_and_gives_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = record(&folder, |store| async move {
        write_everything(&store).await?;
        store.close();
        Ok(())
    });
    let verbs = recording.recorder.take();
    let recorded: BTreeSet<&str> = verbs.iter().map(|verb| verb.name).collect();
    // Local verbs are written only where something is left in the file.
    let replicated: BTreeSet<&str> =
        VERBS.iter().filter(|(_, _, kind)| *kind != "local").map(|(_, name, _)| *name).collect();
    let missing: Vec<_> = replicated.difference(&recorded).collect();
    assert!(missing.is_empty(), "the story has no {missing:?}");
    recording.check_verbs(&folder.path().join("vomeet.db"), &verbs);
}
