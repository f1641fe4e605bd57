//! Engines of users' own: each has its places and its health, and is reached by the rules of
//! webhooks.

use crate::clock::Clock;
use crate::domain::UserId;
use crate::tls::Tls;
use crate::transcription::engines::asked_time::{length, length_ms, sound_number, time_max};
use crate::transcription::engines::counters::Counters;
use crate::transcription::engines::desk::{Desk, NoSeat};
use crate::transcription::engines::failure::Failure;
use crate::transcription::engines::heard_by::{HeardBy, NotHeard, UserEngine};
use crate::transcription::engines::http::HttpEngine;
use crate::transcription::heard::Asked;
use ipnet::IpNet;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Its name in transcripts and metrics, and in sentences.
const NAME: &str = "user";
/// Most requests at once to the engine of one user.
const CONCURRENT_MAX: usize = 4;
/// How many are remembered before those that are at rest are forgotten.
const REMEMBERED: usize = 1024;

/// The engines of users.
pub(super) struct UserEngines {
    allowed: Vec<IpNet>,
    tls: Arc<Tls>,
    clock: Clock,
    known: Mutex<HashMap<UserId, Arc<Known>>>,
    /// What they count, all together.
    pub(super) counters: Counters,
}

struct Known {
    server: HttpEngine,
    desk: Arc<Desk>,
}

impl UserEngines {
    /// They may be at global addresses, and in these networks.
    pub(super) fn new(allowed: Vec<IpNet>, tls: Arc<Tls>, clock: Clock) -> Self {
        let (known, counters) = (Mutex::default(), Counters::new(NAME));
        Self { allowed, tls, clock, known, counters }
    }

    /// Asks the engine of the user; where all of its places are taken, somebody who `waits` does so
    /// until there is one.
    pub(super) async fn hear(
        &self,
        asked: &Asked,
        own: UserEngine,
        waits: bool,
    ) -> Result<HeardBy, NotHeard> {
        let known = self.known(asked.user_id, own);
        let seat = match waits {
            true => known.desk.seat(&[0], asked.urgency).await,
            false => known.desk.seat_now(&[0], asked.urgency),
        };
        let seat = match seat {
            Ok(seat) => seat,
            Err(NoSeat::Busy) => return Err(NotHeard::Busy),
            Err(NoSeat::Away(sentence)) => return Err(NotHeard::Away(sentence)),
        };
        self.counters.ask();
        let began = self.clock.instant();
        match known.server.hear(asked, length_ms(asked), time_max(asked)).await {
            Ok(heard) => {
                seat.worked();
                let took = self.clock.instant().saturating_duration_since(began);
                self.counters.hear(length(asked).unwrap_or_default(), took);
                Ok(HeardBy { heard, engine: NAME.to_owned() })
            }
            Err(Failure::Refused(sentence)) => {
                seat.worked();
                self.counters.refuse();
                Err(NotHeard::Refused(sentence))
            }
            Err(Failure::NotTaken(sentence)) => {
                self.counters.refuse();
                seat.not_taken(sound_number(asked), &sentence);
                Err(NotHeard::NotTaken(sentence))
            }
            Err(Failure::Away(reason, sentence)) => {
                self.counters.fail(reason);
                seat.failed(&sentence);
                Err(NotHeard::Away(sentence))
            }
        }
    }

    /// What is known of the engine; one that was changed is another one.
    fn known(&self, user: UserId, own: UserEngine) -> Arc<Known> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&user)
            && known.server.is(&own.url, &own.model, own.key.as_ref())
        {
            return Arc::clone(known);
        }
        if all.len() >= REMEMBERED {
            all.retain(|_, known| !known.desk.is_idle());
        }
        let UserEngine { url, model, key } = own;
        let server =
            HttpEngine::new(NAME, url, &model, key, Arc::clone(&self.tls), self.clock.clone());
        let server = server.only_within(self.allowed.clone());
        let known =
            Arc::new(Known { server, desk: Desk::new(&[CONCURRENT_MAX], self.clock.clone()) });
        all.insert(user, Arc::clone(&known));
        known
    }
}
