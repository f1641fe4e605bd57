//! How the engines do, for an administrator.

use crate::domain::engine_state::{EngineFailure, EngineHealth, EngineKind, EngineState};
use crate::transcription::engines::desk::Known;
use crate::transcription::engines::{Engine, Engines, Kind};

/// Less than a second of work for this much sound is not told apart.
const SECONDS_MIN: f64 = 0.001;

impl Engines {
    /// The engines of the server in the order in which they are asked, and how they do.
    pub(crate) fn states(&self) -> Vec<EngineState> {
        let mut states = Vec::new();
        for (number, engine) in self.engines.iter().enumerate() {
            let known = self.desk.known(number).unwrap_or_default();
            states.push(engine.state(known));
        }
        states
    }
}

impl Engine {
    fn state(&self, known: Known) -> EngineState {
        let (kind, model) = match &self.kind {
            Kind::Inside(inside) => (EngineKind::Inside, inside.model()),
            Kind::Http(server) => (EngineKind::Server, server.model().to_owned()),
        };
        let health = match known.answered_at {
            _ if known.rests => EngineHealth::Resting,
            _ if known.has_failed => EngineHealth::Due,
            Some(_) => EngineHealth::Well,
            None => EngineHealth::Untried,
        };
        let counted = self.counters.counted();
        let seconds_a_second = self.counters.speed.seconds_a_second();
        EngineState {
            name: self.name.clone(),
            kind,
            model,
            health,
            requests_now: known.taken as u64,
            requests_max: self.places as u64,
            seconds_max: self.seconds_max,
            sound_per_second: seconds_a_second.map(|seconds| 1.0 / seconds.max(SECONDS_MIN)),
            answered_at: known.answered_at,
            last_failure: known.failure.map(|(at, why)| EngineFailure { at, why }),
            requests: counted.requests,
            refused: counted.refused,
            failures: counted.failures,
            sound_seconds: counted.sound_seconds,
        }
    }
}
