//! The engine inside: Whisper, in processes of their own, so that what fails in them fails alone.
//! A process is started when it is needed first, and again after it has ended.

use crate::transcription::engines::failure::{Failure, Reason};
use crate::transcription::engines::frames::{Answer, Question, encode};
use crate::transcription::engines::process::{Launch, Process};
use crate::transcription::heard::{Asked, Heard, Urgency};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

/// Its name in the log, in metrics and in transcripts.
pub(super) const NAME: &str = "whisper";

/// What a process has done.
pub(super) struct Worked {
    /// What it heard.
    pub heard: Heard,
    /// The CPU time that it took.
    pub cpu: Duration,
    /// How long it took; to load the model is no part of that.
    pub took: Duration,
}

/// A place for a process.
type Slot = Arc<Mutex<Option<Process>>>;

/// The engine inside.
pub(super) struct Inside {
    launch: Launch,
    slots: Vec<Slot>,
}

/// Threads of a process: as configured, but one core is left to the API.
pub(super) fn threads(configured: usize) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    let most = cores.saturating_sub(1).max(1);
    if configured == 0 {
        return most;
    }
    configured.min(most)
}

impl Inside {
    /// So many processes; none is started yet.
    pub(super) fn new(launch: Launch, processes: usize) -> Self {
        let mut slots = Vec::with_capacity(processes);
        slots.resize_with(processes, Slot::default);
        Self { launch, slots }
    }

    /// The file of its model, which is the last argument of its processes.
    pub(super) fn model(&self) -> String {
        let last = self.launch.arguments.last();
        last.map(|model| model.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Asks a process, within this time; what takes longer is killed. The `place` is held as long
    /// as the process is at work, also where who asks gives up, and is given back then.
    pub(super) async fn hear<Place: Send + 'static>(
        &self,
        asked: &Asked,
        samples: &[i16],
        time_max: Duration,
        place: Place,
    ) -> (Result<Worked, Failure>, Option<Place>) {
        let question = Question {
            language: asked.language.clone(),
            translates: asked.translates,
            words: asked.words,
            prompt: asked.prompt.clone(),
            is_draft: asked.urgency == Urgency::Draft,
        };
        let Some(frame) = encode(&question, samples) else {
            let sentence = format!("Engine {NAME} does not take a sound of this length.");
            return (Err(Failure::Refused(sentence)), Some(place));
        };
        let (slot, launch) = (self.slot().await, self.launch.clone());
        // In a task of its own: who asks may give up, and the process goes on with the next one.
        let task = tokio::spawn(async move {
            let worked = ask(slot, &launch, &frame, time_max).await;
            (worked, place)
        });
        match task.await {
            Ok((worked, place)) => (worked, Some(place)),
            Err(_) => (Err(died("was given up")), None),
        }
    }

    /// A slot that nobody uses.
    async fn slot(&self) -> OwnedMutexGuard<Option<Process>> {
        for slot in &self.slots {
            if let Ok(free) = Arc::clone(slot).try_lock_owned() {
                return free;
            }
        }
        // There are as many places as slots, and one becomes free in a moment.
        match self.slots.first() {
            Some(slot) => Arc::clone(slot).lock_owned().await,
            None => Slot::default().lock_owned().await,
        }
    }
}

async fn ask(
    mut slot: OwnedMutexGuard<Option<Process>>,
    launch: &Launch,
    frame: &[u8],
    time_max: Duration,
) -> Result<Worked, Failure> {
    // One that has ended while it had nothing to do, or has answered enough, is replaced.
    let usable = slot.take().and_then(Process::if_usable);
    let mut process = match usable {
        Some(process) => process,
        None => start(launch).await?,
    };
    let began = Instant::now();
    match timeout(time_max, process.ask(frame)).await {
        Ok(Ok(Answer::Heard { heard, cpu_ms })) => {
            *slot = Some(process);
            Ok(Worked { heard, cpu: Duration::from_millis(cpu_ms), took: began.elapsed() })
        }
        Ok(Ok(Answer::Refused(why))) => {
            *slot = Some(process);
            Err(Failure::Refused(format!("Engine {NAME} does not take this sound: {why}.")))
        }
        Ok(Ok(Answer::Ready | Answer::Unfit(_))) => Err(died("does not speak as it should")),
        Ok(Err(why)) => Err(died(&why)),
        Err(_elapsed) => {
            let seconds = time_max.as_secs();
            let sentence = format!(
                "Engine {NAME} did not answer within {seconds} seconds, and its process was killed."
            );
            Err(Failure::away(Reason::Slow, sentence))
        }
    }
}

async fn start(launch: &Launch) -> Result<Process, Failure> {
    let process = Process::start(launch).await.map_err(|why| died(&why))?;
    log::debug!("process {} of engine {NAME} is ready", process.id().unwrap_or_default());
    Ok(process)
}

fn died(why: &str) -> Failure {
    Failure::away(Reason::Died, format!("The process of engine {NAME} {why}."))
}
