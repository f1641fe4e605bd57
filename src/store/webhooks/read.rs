//! Events on their way to webhooks: which are due, how each attempt ended, what became of them.

use crate::domain::{Delivery, DeliveryId, DeliveryState, MeetingId, Time, UserId, WebhookId};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::webhooks::event_parts::whole_body;
use crate::store::webhooks::settings::{Webhook, find_webhook};
use crate::store::webhooks::verbs::{FORGET_MAX, HELD_EVENTS};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

/// Whose event an attempt brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// The user.
    pub user_id: UserId,
    /// To which of the user's webhooks.
    pub webhook_id: WebhookId,
    /// The meeting.
    pub meeting_id: MeetingId,
}

impl InFlight {
    /// Whether both are of one meeting and go to one webhook: such follow each other.
    fn follows(self, other: Self) -> bool {
        self.meeting_id == other.meeting_id && self.webhook_id == other.webhook_id
    }
}

/// The attempts under way, and how many there may be.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// Those under way.
    pub in_flight: Vec<InFlight>,
    /// Most at once.
    pub all_max: usize,
    /// Most at once for one user.
    pub user_max: usize,
}

impl Capacity {
    fn is_full(&self) -> bool {
        self.in_flight.len() >= self.all_max
    }

    fn admits(&self, wanted: InFlight) -> bool {
        let is_tried = self.in_flight.iter().any(|other| wanted.follows(*other));
        !is_tried && self.of_user(wanted.user_id) < self.user_max
    }

    /// How many of the attempts under way are for this user.
    fn of_user(&self, user_id: UserId) -> usize {
        self.in_flight.iter().filter(|other| other.user_id == user_id).count()
    }

    /// How many of them are for this webhook of this user.
    fn of_webhook(&self, user_id: UserId, id: WebhookId) -> usize {
        let is_of = |other: &&InFlight| other.user_id == user_id && other.webhook_id == id;
        self.in_flight.iter().filter(is_of).count()
    }
}

/// What is due.
#[derive(Debug, Default)]
pub struct Due {
    /// The oldest waiting events of their meetings, for each webhook, those first that are due the
    /// longest.
    pub heads: Vec<(DeliveryId, InFlight)>,
    /// When the next one is due.
    pub next_at: Option<Time>,
}

impl Due {
    fn select(
        db: &Connection,
        now: Time,
        put_off_max: Time,
        busy: Capacity,
    ) -> rusqlite::Result<Self> {
        let mut heads = db.prepare_cached(
            "SELECT d.id, d.user_id, d.webhook_id, d.meeting_id, d.next_at
             FROM (SELECT min(id) AS id FROM deliveries WHERE next_at IS NOT NULL
                   GROUP BY meeting_id, webhook_id) AS head
             JOIN deliveries d ON d.id = head.id JOIN users u ON u.id = d.user_id
             WHERE u.disabled_at IS NULL ORDER BY d.next_at, d.id",
        )?;
        let (mut rows, mut due, mut found) = (heads.query([])?, Vec::new(), HashMap::new());
        let mut next_at = None;
        while let Some(row) = rows.next()? {
            let at = row.get(4)?;
            // Later than any attempt can be due: a clock that was ahead has put it off.
            if at > now && at <= put_off_max {
                next_at = next_at.or(Some(at));
                continue;
            }
            let (user_id, webhook_id) = (row.get(1)?, row.get(2)?);
            let head = InFlight { user_id, webhook_id, meeting_id: row.get(3)? };
            let of_webhook: &mut usize = found.entry((user_id, webhook_id)).or_default();
            if *of_webhook < busy.user_max && busy.admits(head) {
                *of_webhook += 1;
                due.push((row.get(0)?, head));
            }
        }
        Ok(Self { heads: fairly(due, busy), next_at })
    }
}

/// As many as there is room for; the next place is always for the user who has the fewest, and there
/// for the webhook that has the fewest, so that no dead receivers take them all.
fn fairly(mut due: Vec<(DeliveryId, InFlight)>, mut busy: Capacity) -> Vec<(DeliveryId, InFlight)> {
    let mut heads = Vec::new();
    while !busy.is_full() {
        let mut next: Option<((usize, usize), usize)> = None;
        for (at, (_, head)) in due.iter().enumerate() {
            let of_webhook = busy.of_webhook(head.user_id, head.webhook_id);
            let in_flight = (busy.of_user(head.user_id), of_webhook);
            if next.is_none_or(|(fewest, _)| in_flight < fewest) {
                next = Some((in_flight, at));
            }
        }
        let Some((_, at)) = next else { break };
        let (id, head) = due.remove(at);
        if busy.admits(head) {
            busy.in_flight.push(head);
            heads.push((id, head));
        }
    }
    heads
}

/// An event that waits, with all that an attempt needs.
#[derive(Debug, Clone)]
pub struct WaitingEvent {
    /// Its name.
    pub uid: String,
    /// What happened.
    pub event_type: String,
    /// JSON.
    pub body: String,
    /// When it happened.
    pub created_at: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was delivered, if it is only sent once more.
    pub delivered_at: Option<Time>,
    /// To which of the user's webhooks.
    pub webhook_id: WebhookId,
    /// Where it goes; `None` where that webhook was deleted.
    pub webhook: Option<Webhook>,
}

/// Which of a user's events are asked for; always the newest first.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryPage {
    /// The user.
    pub user_id: UserId,
    /// Only those that go to this webhook.
    pub webhook_id: Option<WebhookId>,
    /// Only ids below this one.
    pub before: Option<DeliveryId>,
    /// How many at most.
    pub limit: i64,
}

/// What an event is called in its body.
macro_rules! event_type {
    () => {
        "coalesce(json_extract(d.body, '$.event_type'), '')"
    };
}

/// What [`delivery_at`] reads.
macro_rules! delivery_columns {
    () => {
        concat!(
            "d.id, d.uid, ",
            event_type!(),
            ", d.meeting_id, d.created_at, d.attempts, d.next_at, d.delivered_at, d.last_status, d.last_error, d.webhook_id"
        )
    };
}

pub(crate) use {delivery_columns, event_type};

impl Store {
    /// The events that are due, those too that are put off beyond `put_off_max`, and may be tried
    /// beside those under way; a long read.
    pub async fn due_deliveries(
        &self,
        now: Time,
        put_off_max: Time,
        busy: Capacity,
    ) -> Result<Due> {
        self.read_long(move |db| Due::select(db, now, put_off_max, busy)).await
    }

    /// One event, if it still waits and its user is not disabled; a small read.
    pub fn waiting_event(&self, id: DeliveryId) -> Result<Option<WaitingEvent>> {
        self.read(|db| {
            let mut find = db.prepare_cached(concat!(
                "SELECT d.uid, ",
                event_type!(),
                ", d.body, d.created_at, d.attempts, d.delivered_at, d.webhook_id, d.parts, d.user_id
                 FROM deliveries d JOIN users u ON u.id = d.user_id
                 WHERE d.id = ?1 AND d.next_at IS NOT NULL AND u.disabled_at IS NULL"
            ))?;
            let found = find
                .query_row([id], |row| Ok((waiting_at(row)?, row.get(7)?, row.get(8)?)))
                .optional()?;
            let Some((mut event, parts, user_id)) = found else { return Ok(Ok(None)) };
            event.webhook = find_webhook(db, user_id, event.webhook_id)?;
            Ok(with_parts(db, &mut event.body, parts).map(|()| Some(event)))
        })?
    }

    /// A page of a user's events; a long read.
    pub async fn deliveries(&self, page: DeliveryPage) -> Result<Vec<Delivery>> {
        self.read_long(move |db| {
            let mut list = db.prepare_cached(concat!(
                "SELECT ",
                delivery_columns!(),
                " FROM deliveries d WHERE d.user_id = ?1 AND d.id < ?2
                  AND (?4 IS NULL OR d.webhook_id = ?4) ORDER BY d.id DESC LIMIT ?3"
            ))?;
            let before = page.before.map_or(i64::MAX, |id| id.0);
            let values = params![page.user_id, before, page.limit, page.webhook_id];
            list.query_map(values, delivery_at)?.collect()
        })
        .await
    }

    /// Whether an event of a disabled user waits that happened before `end`; a small read.
    pub fn has_held_event_before(&self, end: Time) -> Result<bool> {
        self.read(|db| {
            let sql = format!("SELECT 1 {HELD_EVENTS} LIMIT 1");
            db.prepare_cached(&sql)?.exists([end])
        })
    }

    /// Some events that are over and happened before `end`; a long read. The table is in the order
    /// of time, so it ends at the first younger one.
    pub async fn old_deliveries(&self, end: Time) -> Result<Vec<DeliveryId>> {
        self.read_long(move |db| {
            let mut oldest =
                db.prepare_cached("SELECT id, created_at, next_at FROM deliveries ORDER BY id")?;
            let (mut rows, mut found) = (oldest.query([])?, Vec::new());
            while found.len() < FORGET_MAX
                && let Some(row) = rows.next()?
                && row.get::<_, Time>(1)? < end
            {
                if row.get::<_, Option<Time>>(2)?.is_none() {
                    found.push(row.get(0)?);
                }
            }
            Ok(found)
        })
        .await
    }
}

/// Puts what is kept apart back into a body.
pub(crate) fn with_parts(db: &Connection, body: &mut String, parts: Option<String>) -> Result<()> {
    if let Some(parts) = parts {
        *body = whole_body(db, body, &parts)?;
    }
    Ok(())
}

fn waiting_at(row: &Row<'_>) -> rusqlite::Result<WaitingEvent> {
    Ok(WaitingEvent {
        uid: row.get(0)?,
        event_type: row.get(1)?,
        body: row.get(2)?,
        created_at: row.get(3)?,
        attempts: row.get(4)?,
        delivered_at: row.get(5)?,
        webhook_id: row.get(6)?,
        webhook: None,
    })
}

/// A delivery from a row that begins with [`delivery_columns`].
pub(crate) fn delivery_at(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let (next_at, delivered_at) = (row.get(6)?, row.get(7)?);
    let state = match (next_at, delivered_at) {
        (Some(_), _) => DeliveryState::Waiting,
        (None, Some(_)) => DeliveryState::Delivered,
        (None, None) => DeliveryState::GivenUp,
    };
    Ok(Delivery {
        id: row.get(0)?,
        delivery: row.get(1)?,
        event_type: row.get(2)?,
        meeting_id: row.get(3)?,
        created_at: row.get(4)?,
        state,
        attempts: row.get(5)?,
        next_at,
        delivered_at,
        last_status: row.get(8)?,
        last_error: row.get(9)?,
        webhook_id: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(user: i64, meeting: i64) -> InFlight {
        to(user, 0, meeting)
    }

    fn to(user: i64, webhook: i64, meeting: i64) -> InFlight {
        let (user_id, webhook_id) = (UserId(user), WebhookId(webhook));
        InFlight { user_id, webhook_id, meeting_id: MeetingId(meeting) }
    }

    /// A dead webhook of a user takes one place less when another of theirs has something due.
    #[test]
    fn the_next_place_of_a_user_is_for_the_webhook_that_has_the_fewest() {
        let due = (0..4).map(|n| (DeliveryId(n), to(1, 0, n)));
        let due = due.chain([(DeliveryId(9), to(1, 7, 3))]).collect();
        let in_flight = vec![to(1, 0, 98), to(1, 0, 99)];
        let busy = Capacity { in_flight, all_max: 8, user_max: 4 };
        let ids: Vec<_> = fairly(due, busy).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [DeliveryId(9), DeliveryId(0)]);
    }

    #[test]
    fn the_next_place_is_for_who_has_the_fewest() {
        // Users 1 to 3 have waited longest and have all places but one; user 4 has just come.
        let due = (0..12)
            .map(|n| (DeliveryId(n), head(1 + n % 3, 100 + n)))
            .chain([(DeliveryId(99), head(4, 999))]);
        let in_flight = (0..7).map(|n| head(1 + n % 3, n)).collect();
        let busy = Capacity { in_flight, all_max: 8, user_max: 4 };
        let ids: Vec<_> = fairly(due.collect(), busy).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [DeliveryId(99)]);
    }
}
