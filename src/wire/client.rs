//! A client of the Redis endpoint: who it is, and what it has subscribed to.

use crate::bot_commands::Subscription;
use crate::budget::{Held, Holder};
use crate::domain::{Time, TokenHash};
use crate::metrics::{ConnectionKind, OpenConnection};
use crate::store::MeetingOfSecret;
use crate::wire::channels::Channels;
use crate::wire::endpoint::Endpoint;
use crate::wire::refusal::{Outcome, Refusal};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest command of a client that has brought no key that was accepted, in bytes.
const STRANGER_COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Longest command of any other client, in bytes.
const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// How long such a client may send nothing.
const STRANGER_IDLE_MAX: Duration = Duration::from_mins(1);
/// How long a feeder may send nothing.
const FEEDER_IDLE_MAX: Duration = Duration::from_mins(15);
/// How often it is looked whether the meeting of a bot is over.
pub(crate) const LOOK_PERIOD: Duration = Duration::from_mins(1);

/// Who a client is.
pub(crate) enum Who {
    /// It has not signed in. Payloads with a key of their own are taken from it, if feeders need no
    /// password and it comes from where they may.
    Stranger,
    /// It has signed in as a feeder, or brought a payload whose key was accepted; by whose share its
    /// commands are counted.
    Feeder(Holder),
    /// The bot of a meeting.
    Bot(Box<BoundBot>),
}

/// A bot that has signed in; it stays with its meeting.
pub(crate) struct BoundBot {
    /// BLAKE3 of the meeting's secret.
    pub token_hash: TokenHash,
    /// Its meeting.
    pub meeting: MeetingOfSecret,
    /// Its place among the meeting's connections.
    _place: Held,
}

/// A client.
pub(crate) struct Client {
    /// What all connections share.
    pub endpoint: Arc<Endpoint>,
    /// The number of its connection.
    pub number: i64,
    /// Where it comes from.
    pub address: IpAddr,
    /// Who it is.
    pub who: Who,
    /// What a bot has subscribed to.
    pub channels: Channels,
    /// Its subscription, while there is a channel.
    pub subscription: Option<Subscription>,
    /// Its place among the strangers.
    place: Option<Held>,
    open: OpenConnection,
}

/// What is done when a client has sent nothing for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterSilence {
    /// Its connection is closed.
    Close,
    /// It is looked whether its meeting is over.
    Look,
}

impl Client {
    /// A client of which nothing is known but where it comes from.
    pub(crate) fn new(endpoint: Arc<Endpoint>, address: IpAddr) -> Self {
        Self {
            number: endpoint.next_number(),
            address,
            who: Who::Stranger,
            channels: Channels::default(),
            subscription: None,
            place: None,
            open: endpoint.app.redis_counters.open(),
            endpoint,
        }
    }

    /// The present time.
    pub(crate) fn now(&self) -> Time {
        self.endpoint.app.clock.now()
    }

    /// The present by the clock that nobody sets.
    pub(crate) fn instant(&self) -> Instant {
        self.endpoint.app.clock.instant()
    }

    /// Whether it may bring payloads that are judged by their own key.
    pub(crate) fn may_feed(&self) -> bool {
        match self.who {
            Who::Feeder(_) => true,
            Who::Stranger => {
                !self.endpoint.has_password() && self.endpoint.takes_feeders(self.address)
            }
            Who::Bot(_) => false,
        }
    }

    /// The refusal of what only those may do who have signed in. It closes where a feeder is never
    /// taken from the client's address: such a client signs in first, or has no business here.
    pub(crate) fn not_signed_in(&self, text: &str) -> Refusal {
        Refusal { closes: !self.endpoint.takes_feeders(self.address), ..Refusal::new(text) }
    }

    /// The bot that it is.
    pub(crate) fn bot(&self) -> Option<&BoundBot> {
        match &self.who {
            Who::Bot(bot) => Some(bot),
            Who::Stranger | Who::Feeder(_) => None,
        }
    }

    /// Whether nothing that it brought was accepted yet.
    pub(crate) fn is_stranger(&self) -> bool {
        matches!(self.who, Who::Stranger)
    }

    /// It is a feeder from now on, if it was a stranger; its commands are counted as `holder`'s.
    pub(crate) fn trust_feeder(&mut self, holder: Holder) {
        if self.is_stranger() {
            self.who = Who::Feeder(holder);
            self.place = None;
            self.open.becomes(ConnectionKind::Feeder);
        }
    }

    /// It is the bot of this meeting from now on.
    pub(crate) fn bind(&mut self, token_hash: TokenHash, meeting: MeetingOfSecret) -> Outcome<()> {
        let place = self.endpoint.bots.take(Holder::Bot(token_hash), 1);
        let place = place.map_err(|_| Refusal::too_many_connections())?;
        self.who = Who::Bot(Box::new(BoundBot { token_hash, meeting, _place: place }));
        self.place = None;
        self.open.becomes(ConnectionKind::Bot);
        Ok(())
    }

    /// Takes a place among the strangers, if it is one and has none.
    pub(crate) fn take_place(&mut self) -> Outcome<()> {
        if !matches!(self.who, Who::Stranger) || self.place.is_some() {
            return Ok(());
        }
        let place = self.endpoint.strangers.take(Holder::reporter(Some(self.address)), 1);
        self.place = Some(place.map_err(|_| Refusal::too_many_connections())?);
        Ok(())
    }

    /// Longest command that it may send, in bytes.
    pub(crate) fn command_bytes_max(&self) -> usize {
        match self.who {
            Who::Stranger => STRANGER_COMMAND_BYTES_MAX,
            Who::Feeder(_) | Who::Bot(_) => COMMAND_BYTES_MAX,
        }
    }

    /// Who holds the bytes of its commands.
    pub(crate) fn holder(&self) -> Holder {
        match &self.who {
            Who::Bot(bot) => Holder::Bot(bot.token_hash),
            Who::Feeder(holder) => *holder,
            Who::Stranger => Holder::reporter(Some(self.address)),
        }
    }

    /// Until when it may send nothing since it was last heard, or since its meeting was last looked
    /// at, and what is done then.
    pub(crate) fn silent_until(
        &self,
        heard_at: Instant,
        looked_at: Instant,
    ) -> (Instant, AfterSilence) {
        match self.who {
            Who::Stranger => (heard_at + STRANGER_IDLE_MAX, AfterSilence::Close),
            Who::Feeder(_) => (heard_at + FEEDER_IDLE_MAX, AfterSilence::Close),
            Who::Bot(_) => (looked_at + LOOK_PERIOD, AfterSilence::Look),
        }
    }

    /// Whether it is a bot whose meeting takes no words any more, or is gone.
    pub(crate) fn is_over(&self) -> bool {
        let Some(bot) = self.bot() else { return false };
        match self.endpoint.app.store.meeting_of_secret(&bot.token_hash, self.now()) {
            Ok(Some(meeting)) => !meeting.takes_words,
            Ok(None) => true,
            // It cannot be read now, and is looked at again.
            Err(_) => false,
        }
    }
}
