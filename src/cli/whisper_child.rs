//! `vomeet whisper-child`: a process of the engine inside. The server starts it, and it ends with
//! the server.

use crate::exit::{Code, StartupError};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct WhisperChildArgs {
    /// How many threads it may use
    #[arg(long, default_value_t = 1)]
    threads: u8,
    /// The model
    model: PathBuf,
}

#[cfg(not(feature = "whisper"))]
pub(super) fn run(args: &WhisperChildArgs) -> Result<(), StartupError> {
    let (threads, model) = (args.threads, args.model.display());
    let why = crate::features::missing("whisper");
    let message = format!("`vomeet whisper-child` of {model} with {threads} threads {why}.");
    Err(StartupError::new(Code::Invalid, message))
}

#[cfg(feature = "whisper")]
pub(super) use with_whisper::run;

#[cfg(feature = "whisper")]
mod with_whisper {
    use crate::cli::whisper_child::{Code, StartupError, WhisperChildArgs};
    use crate::transcription::engines::frames::{Answer, LENGTHS_BYTES, Question, encode, lengths};
    use crate::transcription::engines::whisper::{Model, lacking};
    use rustix::process::nice;
    use rustix::time::{ClockId, clock_gettime};
    use std::io::{self, Read, Write, stdin, stdout};
    use std::process::exit;
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::thread;

    /// How much the API goes before.
    const NICE: i32 = 10;

    /// A question with its sound.
    type Asked = (Question, Vec<i16>);

    /// Answers questions until its standard input ends.
    pub(in crate::cli) fn run(args: &WhisperChildArgs) -> Result<(), StartupError> {
        // Where it is not allowed, it is as it is.
        let _ = nice(NICE);
        let asked = questions()?;
        let mut model = match open(args) {
            Ok(model) => model,
            Err(why) => return say(&Answer::Unfit(why)),
        };
        say(&Answer::Ready)?;
        for (question, samples) in asked {
            let began = cpu_ms();
            let answer = match model.hear(&samples, &question) {
                Ok(heard) => Answer::Heard { heard, cpu_ms: cpu_ms().saturating_sub(began) },
                Err(why) => Answer::Refused(why),
            };
            say(&answer)?;
        }
        Ok(())
    }

    fn open(args: &WhisperChildArgs) -> Result<Model, String> {
        let lacking = lacking();
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            return Err(format!("this processor lacks {lacking}, for which it is built"));
        }
        Model::open(&args.model, args.threads)
            .map_err(|why| format!("{} cannot be read as a model: {why}", args.model.display()))
    }

    /// What is asked. It is read by a thread of its own, which ends the process at the end of the
    /// standard input, also in the middle of the work: the server is gone then.
    fn questions() -> Result<Receiver<Asked>, StartupError> {
        let (sender, receiver) = sync_channel(1);
        let read = move || {
            let mut input = stdin().lock();
            while let Ok(asked) = question(&mut input) {
                if sender.send(asked).is_err() {
                    break;
                }
            }
            exit(0);
        };
        match thread::Builder::new().name("questions".to_owned()).spawn(read) {
            Ok(_) => Ok(receiver),
            Err(error) => Err(failed(&error)),
        }
    }

    fn question(input: &mut impl Read) -> io::Result<Asked> {
        let wrong = || io::Error::from(io::ErrorKind::InvalidData);
        let mut bytes = [0; LENGTHS_BYTES];
        input.read_exact(&mut bytes)?;
        let (head_bytes, sound_bytes) = lengths(bytes).ok_or_else(wrong)?;
        let mut head = vec![0; head_bytes];
        input.read_exact(&mut head)?;
        let mut sound = vec![0; sound_bytes];
        input.read_exact(&mut sound)?;
        let question = serde_json::from_slice(&head).map_err(|_| wrong())?;
        let (pairs, _) = sound.as_chunks::<2>();
        let samples = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        Ok((question, samples))
    }

    fn say(answer: &Answer) -> Result<(), StartupError> {
        let too_long = Answer::Refused("it has too many words".to_owned());
        let frame = encode(answer, &[]).or_else(|| encode(&too_long, &[])).unwrap_or_default();
        let mut output = stdout().lock();
        output.write_all(&frame).and_then(|()| output.flush()).map_err(|error| failed(&error))
    }

    fn failed(error: &io::Error) -> StartupError {
        StartupError::new(Code::OutputLost, format!("The server is gone ({error})."))
    }

    /// CPU time that this process has taken so far.
    fn cpu_ms() -> u64 {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let millis = time.tv_sec * 1000 + time.tv_nsec / 1_000_000;
        millis.max(0).cast_unsigned()
    }
}
