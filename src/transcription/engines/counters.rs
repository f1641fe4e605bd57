//! What the engines count, by their names.

use crate::metrics::{Family, Label};
use crate::transcription::engines::failure::{REASONS, Reason};
use crate::transcription::engines::speed::Speed;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What one engine counts.
#[derive(Debug)]
pub(super) struct Counters {
    name: String,
    requests: AtomicU64,
    refused: AtomicU64,
    failures: [AtomicU64; REASONS.len()],
    sound_ms: AtomicU64,
    cpu_ms: AtomicU64,
    /// Seconds by the clock that a second of sound takes.
    pub(super) speed: Speed,
    /// CPU seconds that a second of sound takes, of an engine whose process is ours.
    cpu: Speed,
}

/// What an engine has counted since the start.
#[derive(Debug)]
pub(super) struct Counted {
    /// Requests.
    pub requests: u64,
    /// Sounds that it did not take.
    pub refused: u64,
    /// Requests that failed, by the reason; those alone of which there was one.
    pub failures: BTreeMap<&'static str, u64>,
    /// Seconds of sound that it has heard.
    pub sound_seconds: f64,
}

impl Counters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            requests: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failures: Default::default(),
            sound_ms: AtomicU64::new(0),
            cpu_ms: AtomicU64::new(0),
            speed: Speed::default(),
            cpu: Speed::default(),
        }
    }

    /// A request that is sent.
    pub(super) fn ask(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Sound that it has heard within this time.
    pub(super) fn hear(&self, sound: Duration, took: Duration) {
        self.sound_ms.fetch_add(millis(sound), Ordering::Relaxed);
        self.speed.measured(sound, took);
    }

    /// CPU time that this sound has taken.
    pub(super) fn work(&self, sound: Duration, cpu: Duration) {
        self.cpu_ms.fetch_add(millis(cpu), Ordering::Relaxed);
        self.cpu.measured(sound, cpu);
    }

    /// A sound that it does not take.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that failed.
    pub(super) fn fail(&self, reason: Reason) {
        self.failures[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What is counted so far.
    pub(super) fn counted(&self) -> Counted {
        let mut failures = BTreeMap::new();
        for (reason, word) in REASONS {
            let count = self.failures[reason as usize].load(Ordering::Relaxed);
            if count > 0 {
                failures.insert(word, count);
            }
        }
        Counted {
            requests: self.requests.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            failures,
            sound_seconds: seconds(&self.sound_ms),
        }
    }

    fn label(&self) -> Label {
        ("engine", Cow::Owned(self.name.clone()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// All of them, each with whether it rests.
pub(super) fn families(engines: &[(&Counters, bool)]) -> Vec<Family> {
    let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut requests = Family::counters("engine_requests", "Requests to engines, by their names");
    let about = "Sounds that an engine did not take since the start";
    let mut refused = Family::counters("engine_sounds_refused", about);
    let about = "Requests to engines that failed since the start, by the reason";
    let mut failures = Family::counters("engine_failures", about);
    let about = "Seconds of sound that an engine has heard since the start";
    let mut sound = Family::counters("engine_sound_seconds", about);
    let about = "CPU seconds of the engine inside since the start";
    let mut cpu = Family::counters("engine_cpu_seconds", about);
    let about = "1 for an engine that rests after a failure";
    let mut resting = Family::gauges("engine_resting", about);
    let about = "Seconds that a second of sound takes, measured by the last requests";
    let mut speed = Family::gauges("engine_seconds_per_second", about);
    let about = "CPU seconds that a second of sound takes in the engine inside, measured likewise";
    let mut work = Family::gauges("engine_cpu_seconds_per_second", about);
    for (engine, rests) in engines {
        let label = || vec![engine.label()];
        requests.add(label(), value(&engine.requests));
        refused.add(label(), value(&engine.refused));
        sound.add_real(label(), seconds(&engine.sound_ms));
        resting.add(label(), u64::from(*rests));
        for (reason, word) in REASONS {
            let count = value(&engine.failures[reason as usize]);
            failures.add(vec![engine.label(), ("reason", word.into())], count);
        }
        if let Some(measured) = engine.speed.seconds_a_second() {
            speed.add_real(label(), measured);
        }
        if let Some(measured) = engine.cpu.seconds_a_second() {
            work.add_real(label(), measured);
            cpu.add_real(label(), seconds(&engine.cpu_ms));
        }
    }
    vec![requests, refused, failures, sound, cpu, resting, speed, work]
}

fn seconds(millis: &AtomicU64) -> f64 {
    Duration::from_millis(millis.load(Ordering::Relaxed)).as_secs_f64()
}
