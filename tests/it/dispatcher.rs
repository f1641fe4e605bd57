//! The courier and the outbox without a server around them: an event is there with the step that
//! caused it, and leaves at once.

use crate::receiver::{OK, Receiver};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vomeet::clock::Clock;
use vomeet::config::Webhooks;
use vomeet::domain::Patch;
use vomeet::domain::{
    Data, Email, MeetingStatus, Platform, StatusReport, Time, TokenHash, TokenId, TransitionSource,
    UserId,
};
use vomeet::store::{
    Advance, CreateUser, DeliveryPage, MeetingRef, Options, SendBot, SetWebhook, Store, UpdateUser,
};
use vomeet::webhooks::Dispatcher;

/// What all that happens here happens at.
fn noon() -> Time {
    Time::from_millis(1_760_097_600_000)
}

/// A store and a courier without a server around them, with a bot of user 1 on its way to a
/// meeting. Their clock stands still, so that the courier wakes for news alone.
async fn with_bot(folder: &Path, data: &str) -> (Arc<Store>, Arc<Dispatcher>) {
    let settings = Webhooks {
        allowed_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        retry: Duration::from_secs(1),
        give_up: Duration::from_hours(1),
    };
    let dispatcher = Dispatcher::new(&settings, Clock::manual(noon()));
    let hearer = Arc::clone(&dispatcher);
    let options = Options {
        path: folder.join("vomeet.db"),
        small_readers: 1,
        long_readers: 1,
        queue_max: 16,
    };
    let store =
        Arc::new(Store::open(&options, move |change| hearer.on_change(change)).expect("a store"));
    let (email, now) = (Email::stored("one@example.com".to_owned()), noon());
    let user = CreateUser {
        email,
        name: None,
        image_url: None,
        max_concurrent_bots: 1,
        data: Data::default(),
        now,
    };
    let user_id = store.write(user).await.expect("a user").0.id;
    let data = Some(Data::stored(data.to_owned()));
    let (name, image_url) = (Patch::Keep, Patch::Keep);
    let update = UpdateUser {
        id: user_id,
        email: None,
        name,
        image_url,
        max_concurrent_bots: None,
        data,
        disabled: None,
        now,
    };
    store.write(update).await.expect("data");
    let bot = SendBot {
        user_id,
        token_id: TokenId(1),
        platform: Platform::GoogleMeet,
        native_meeting_id: "abc-defg-hij".to_owned(),
        url: "https://meet.google.com/abc-defg-hij".to_owned(),
        uid: "a-session".to_owned(),
        token_hash: TokenHash::of(b"a secret of a meeting"),
        bot_name: "Vomeet".to_owned(),
        language: None,
        task: None,
        has_voice: false,
        vocabulary: Vec::new(),
        now,
    };
    store.write(bot).await.expect("a bot");
    (store, dispatcher)
}

async fn advance(store: &Store, to: MeetingStatus) {
    let report = StatusReport::new(to, TransitionSource::Bot);
    let meeting_ref = MeetingRef::Session("a-session".to_owned());
    let advanced =
        store.write(Advance { meeting_ref, report, container_id: None, now: noon() }).await;
    assert_eq!(advanced.expect("a step").expect("a meeting").meeting.status, to);
}

fn with_runtime(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

#[test]
fn a_step_wakes_the_courier() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::taking());
    with_runtime(async {
        let data = json!({ "webhook_url": receiver.url() }).to_string();
        let (store, dispatcher) = with_bot(folder.path(), &data).await;
        let running = tokio::spawn(Arc::clone(&dispatcher).run(Arc::clone(&store)));
        let steps = [
            MeetingStatus::Joining,
            MeetingStatus::Active,
            MeetingStatus::Stopping,
            MeetingStatus::Completed,
        ];
        for to in steps {
            advance(&store, to).await;
        }
        let mut from = MeetingStatus::Requested;
        for to in steps {
            let event = tokio::task::block_in_place(|| receiver.next());
            assert_eq!(event.header("x-vomeet-event"), Some("meeting.status_change"));
            let event = event.json();
            assert_eq!(event["meeting"]["status"], to.as_str());
            let change = &event["status_change"];
            assert_eq!(
                (&change["from"], &change["to"]),
                (&json!(from.as_str()), &json!(to.as_str()))
            );
            assert_eq!(change["transition_source"], "bot_callback", "{change}");
            from = to;
        }
        dispatcher.stop();
        running.await.expect("no panic");
        store.close();
    });
}

/// Whoever holds the admin key may write anything into a user's data; a bot's news must not fail
/// for it.
#[test]
fn what_is_no_address_gets_no_events() {
    for data in [
        json!({}),
        json!({"webhook_url": 5}),
        json!({"webhook_url": {"a": 1}}),
        json!({"webhook_url": ""}),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        with_runtime(async {
            let (store, _) = with_bot(folder.path(), &data.to_string()).await;
            advance(&store, MeetingStatus::Active).await;
            let page =
                DeliveryPage { user_id: UserId(1), webhook_id: None, before: None, limit: 10 };
            assert_eq!(store.deliveries(page).await.expect("a list").len(), 0, "{data}");
            store.close();
        });
    }
}

/// A receiver that moved gets what waits; one that is gone gets nothing more.
#[test]
fn the_address_of_the_moment_counts() {
    let (folder, old) = (tempfile::tempdir().expect("a folder"), Receiver::taking());
    let new = Receiver::answering(|_| Some(OK.to_owned()));
    with_runtime(async {
        let data = json!({ "webhook_url": old.url() }).to_string();
        let (store, dispatcher) = with_bot(folder.path(), &data).await;
        advance(&store, MeetingStatus::Active).await;
        let set = |url| SetWebhook { user_id: UserId(1), url, secret: Patch::Keep };
        store.write(set(Patch::Set(new.url()))).await.expect("a new address");
        let running = tokio::spawn(Arc::clone(&dispatcher).run(Arc::clone(&store)));
        tokio::task::block_in_place(|| new.next());
        store.write(set(Patch::Clear)).await.expect("no address");
        advance(&store, MeetingStatus::Completed).await;
        let page = DeliveryPage { user_id: UserId(1), webhook_id: None, before: None, limit: 10 };
        assert_eq!(
            store.deliveries(page).await.expect("a list").len(),
            1,
            "an event without a webhook"
        );
        dispatcher.stop();
        running.await.expect("no panic");
        store.close();
    });
    assert_eq!(old.calls(), 0);
}
