//! Engines: who makes words of sound. The engine inside is tried first, then those of the settings
//! in their order; one that fails rests for a while, and the next one is asked.

mod answer;
mod asked_time;
mod counters;
mod desk;
mod failure;
#[cfg(any(feature = "whisper", test))]
mod figures;
pub(crate) mod frames;
mod heard_by;
mod http;
mod inside;
mod multipart;
mod process;
mod speed;
mod states;
mod users;
#[cfg(feature = "whisper")]
pub(crate) mod whisper;

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Family;
use crate::tls::Tls;
use crate::transcription::heard::{Asked, AskedSound, Heard, Urgency, WINDOWS_MAX};
use asked_time::{length, length_ms, sound_number, time_max};
use counters::Counters;
use desk::{Desk, NoSeat, Seat};
use failure::Failure;
pub(crate) use heard_by::{HeardBy, NotHeard, UserEngine};
use http::HttpEngine;
use inside::{Inside, Worked};
use process::Launch;
use std::sync::Arc;
use std::time::Duration;
use users::UserEngines;

/// What part of their speed engines are trusted with.
const LOAD_MAX: f64 = 0.8;

/// All engines.
pub(crate) struct Engines {
    engines: Vec<Engine>,
    desk: Arc<Desk>,
    users: Option<UserEngines>,
    clock: Clock,
}

/// An engine of the server's.
struct Engine {
    name: String,
    kind: Kind,
    seconds_max: Option<u32>,
    places: usize,
    counters: Counters,
}

enum Kind {
    Inside(Inside),
    Http(HttpEngine),
}

impl Engines {
    /// The engines of the settings.
    pub(crate) fn new(config: &Config, clock: Clock) -> Arc<Self> {
        let settings = &config.transcription;
        let tls = Arc::new(Tls::default());
        let mut engines = Vec::new();
        if let Some(model) = &settings.whisper_model {
            let launch = Launch::of_model(model, inside::threads(settings.whisper_threads));
            engines.push(Engine::inside(launch, settings.whisper_processes));
        }
        for entry in &settings.engines {
            let (url, key) = (entry.url.clone(), entry.key.clone());
            let (tls, clock) = (Arc::clone(&tls), clock.clone());
            let server = HttpEngine::new(&entry.name, url, &entry.model, key, tls, clock);
            engines.push(Engine {
                name: entry.name.clone(),
                kind: Kind::Http(server),
                seconds_max: entry.seconds_max,
                places: entry.concurrent_max,
                counters: Counters::new(&entry.name),
            });
        }
        let allowed = config.webhooks.allowed_networks.clone();
        let users = settings.user_engines.then(|| UserEngines::new(allowed, tls, clock.clone()));
        Self::of(engines, users, clock)
    }

    fn of(engines: Vec<Engine>, users: Option<UserEngines>, clock: Clock) -> Arc<Self> {
        let places: Vec<usize> = engines.iter().map(|engine| engine.places).collect();
        let desk = Desk::new(&places, clock.clone());
        Arc::new(Self { engines, desk, users, clock })
    }

    /// Whether the settings name any engine, or let users have one.
    pub(crate) fn is_any(&self) -> bool {
        !self.engines.is_empty() || self.users.is_some()
    }

    /// Whether one is healthy, or is due to be tried.
    pub(crate) fn takes_now(&self) -> bool {
        self.desk.takes_now() || self.users.is_some()
    }

    /// Makes words of sound. A draft does not wait for a place; others wait, the more urgent first.
    /// A user's own engine is asked alone, unless it is away.
    pub(crate) async fn hear(
        &self,
        asked: Asked,
        of_user: Option<UserEngine>,
    ) -> Result<HeardBy, NotHeard> {
        self.hear_as(asked, of_user, true).await
    }

    /// The same for a window: it does not wait for a place at a user's own engine, for others wait
    /// for its place at the worker.
    pub(crate) async fn hear_window(
        &self,
        asked: Asked,
        of_user: Option<UserEngine>,
    ) -> Result<HeardBy, NotHeard> {
        self.hear_as(asked, of_user, false).await
    }

    async fn hear_as(
        &self,
        asked: Asked,
        of_user: Option<UserEngine>,
        waits: bool,
    ) -> Result<HeardBy, NotHeard> {
        let mut why_not = None;
        if let (Some(users), Some(own)) = (&self.users, of_user) {
            match users.hear(&asked, own, waits).await {
                Err(NotHeard::Away(sentence)) => why_not = Some(sentence),
                answered => return answered,
            }
        }
        match (self.hear_by_server(&asked).await, why_not) {
            // What the user can put right.
            (Err(NotHeard::Away(_)), Some(sentence)) => Err(NotHeard::Away(sentence)),
            (answered, _) => answered,
        }
    }

    async fn hear_by_server(&self, asked: &Asked) -> Result<HeardBy, NotHeard> {
        if self.engines.is_empty() {
            return Err(NotHeard::Away("No engine is configured.".to_owned()));
        }
        let numbered = self.engines.iter().enumerate();
        let mut left: Vec<usize> =
            numbered.filter(|(_, engine)| engine.takes(asked)).map(|(number, _)| number).collect();
        let mut refused = "No engine takes a sound of this form and length.".to_owned();
        let mut not_taken = None;
        let mut away = None;
        while !left.is_empty() {
            let seat = match self.desk.seat(&left, asked.urgency).await {
                Ok(seat) => seat,
                Err(NoSeat::Busy) => return Err(NotHeard::Busy),
                Err(NoSeat::Away(sentence)) => {
                    return Err(NotHeard::Away(away.unwrap_or(sentence)));
                }
            };
            let Some(engine) = self.engines.get(seat.number) else { break };
            left.retain(|number| *number != seat.number);
            match self.ask(engine, asked, seat).await {
                Ok(heard) => return Ok(HeardBy { heard, engine: engine.name.clone() }),
                Err(Failure::Refused(sentence)) => refused = sentence,
                Err(Failure::NotTaken(sentence)) => not_taken = Some(sentence),
                Err(Failure::Away(_, sentence)) => away = Some(sentence),
            }
        }
        match (away, not_taken) {
            (Some(sentence), _) => Err(NotHeard::Away(sentence)),
            (None, Some(sentence)) => Err(NotHeard::NotTaken(sentence)),
            (None, None) => Err(NotHeard::Refused(refused)),
        }
    }

    /// Asks one engine, and tells its health.
    async fn ask(&self, engine: &Engine, asked: &Asked, seat: Seat) -> Result<Heard, Failure> {
        engine.counters.ask();
        let (answered, seat) = engine.hear(asked, seat, &self.clock).await;
        // Without it the task that had it is gone, and nothing is known.
        let Some(seat) = seat else { return answered.map(|(heard, _)| heard) };
        match &answered {
            Ok((_, took)) => {
                if self.desk.rests(seat.number) {
                    log::info!("engine {} works again", engine.name);
                }
                seat.worked();
                // A draft is short, and heard with less care.
                if let (Some(sound), true) = (length(asked), asked.urgency != Urgency::Draft) {
                    engine.counters.hear(sound, *took);
                }
            }
            Err(Failure::Refused(_)) => {
                seat.worked();
                engine.counters.refuse();
            }
            Err(Failure::NotTaken(sentence)) => {
                engine.counters.refuse();
                if seat.not_taken(sound_number(asked), sentence) {
                    log::warn!("engine {} rests: {sentence}", engine.name);
                }
            }
            Err(Failure::Away(reason, sentence)) => {
                engine.counters.fail(*reason);
                if seat.failed(sentence) {
                    log::warn!("engine {} rests: {sentence}", engine.name);
                }
            }
        }
        answered.map(|(heard, _)| heard)
    }

    /// How many live streams the engines keep up with, by their measured speed; `None` while that
    /// is not known, or where all of them rest: then sound waits for them, however much there is.
    pub(crate) fn live_streams_max(&self) -> Option<usize> {
        let mut streams = 0.0;
        let mut is_measured = false;
        let mut places_left = WINDOWS_MAX;
        for (number, engine) in self.engines.iter().enumerate() {
            let Some(speed) = engine.counters.speed.seconds_a_second() else { continue };
            // Where all rest, sound waits in the spool, and nobody knows for how long.
            if !self.desk.rests(number) {
                is_measured = true;
                // No more windows are heard at once, however many an engine takes.
                let places = engine.places.min(places_left);
                places_left -= places;
                let places = u32::try_from(places).unwrap_or(u32::MAX);
                streams += LOAD_MAX * f64::from(places) / speed.max(0.001);
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let streams = streams.clamp(1.0, 1_000_000.0) as usize;
        is_measured.then_some(streams)
    }

    /// What the engines count.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut counted = Vec::new();
        for (number, engine) in self.engines.iter().enumerate() {
            counted.push((&engine.counters, self.desk.rests(number)));
        }
        if let Some(users) = &self.users {
            counted.push((&users.counters, false));
        }
        counters::families(&counted)
    }
}

impl Engine {
    /// The engine inside.
    fn inside(launch: Launch, processes: usize) -> Self {
        Self {
            name: inside::NAME.to_owned(),
            kind: Kind::Inside(Inside::new(launch, processes)),
            seconds_max: Some(frames::SECONDS_MAX),
            places: processes,
            counters: Counters::new(inside::NAME),
        }
    }

    /// Whether it takes sounds of this form and length.
    fn takes(&self, asked: &Asked) -> bool {
        if let (Kind::Inside(_), AskedSound::File { .. }) = (&self.kind, &asked.sound) {
            return false;
        }
        match (self.seconds_max, length(asked)) {
            (Some(most), Some(length)) => length <= Duration::from_secs(most.into()),
            _ => true,
        }
    }

    /// Asks it. Returns the place too, where it is not gone with its task, and how long it took to
    /// hear, without what went before.
    async fn hear(
        &self,
        asked: &Asked,
        seat: Seat,
        clock: &Clock,
    ) -> (Result<(Heard, Duration), Failure>, Option<Seat>) {
        let time_max = time_max(asked);
        match (&self.kind, &asked.sound) {
            (Kind::Http(server), _) => {
                let began = clock.instant();
                let heard = server.hear(asked, length_ms(asked), time_max).await;
                let took = clock.instant().saturating_duration_since(began);
                (heard.map(|heard| (heard, took)), Some(seat))
            }
            (Kind::Inside(inside), AskedSound::Samples(samples)) => {
                let (worked, seat) = inside.hear(asked, samples, time_max, seat).await;
                let heard = worked.map(|Worked { heard, cpu, took }| {
                    self.counters.work(length(asked).unwrap_or_default(), cpu);
                    (heard, took)
                });
                (heard, seat)
            }
            (Kind::Inside(_), AskedSound::File { .. }) => {
                let sentence = "The engine inside does not take files.".to_owned();
                (Err(Failure::Refused(sentence)), Some(seat))
            }
        }
    }
}

#[cfg(test)]
mod tests;
