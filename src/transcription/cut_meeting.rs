//! The sounds of one meeting while they are cut into windows. All of it reads files and computes,
//! here and now: call it where that may take a while.
//!
//! Where a sound is cut depends on its records alone, and not on when it is listened to: at each cut
//! everything begins anew, the decoder too, with the record in which the cut lies. So a listener that
//! is started again at a cut makes the cuts that it would have made. The one exception is sound of
//! which nothing comes for [`STALLS_AFTER`], and it begins without its last record where others have
//! brought [`PASSED_BYTES`] since.

use crate::domain::sound::{SoundFormat, SoundSource};
use crate::domain::{SoundId, Time};
use crate::error::Result;
use crate::store::{CutWindows, GrowingSound, NewWindow};
use crate::transcription::cutter::{Cut, Cutter};
use crate::transcription::samples::{Piece, SAMPLES_A_MS, Track};
use crate::transcription::spool::{Record, SpoolReader};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Bytes of sound that one step takes; then what it made is written.
const STEP_BYTES: usize = 1024 * 1024;
/// How much silence is noted at a time, in milliseconds.
const SILENCE_MS: u64 = 10_000;
/// A sound of which nothing comes for so long is cut, as after a pause: its source may send nothing
/// while nobody speaks.
const STALLS_AFTER: Duration = Duration::from_secs(2);
/// A sound of which nothing comes is read behind what others bring, once that is so many bytes: its
/// place in the spool keeps what lies behind it on the disk.
const PASSED_BYTES: u64 = 4 * 1024 * 1024;

/// What the database and the spool say before a step.
pub(crate) struct Known {
    /// The sounds of the meeting that grow.
    pub sounds: Vec<GrowingSound>,
    /// Up to where in the spool they are known: what comes later may be of a sound that is new.
    pub upto: u64,
    /// Whether all that ended sounds have left is before that.
    pub has_all: bool,
    /// The time of the step.
    pub now: Time,
}

/// A window that still grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Growing {
    /// Its sound.
    pub sound_id: SoundId,
    /// When it begins, in milliseconds on the clock of the sound.
    pub start_ms: u64,
    /// Up to where it is known.
    pub end_ms: u64,
    /// From where in the spool it is read.
    pub offset: u64,
}

/// What a step has made.
pub(crate) struct Step {
    /// How far the sounds are cut, to be written before the next step.
    pub cuts: Vec<CutWindows>,
    /// The windows of live sound that grow.
    pub growing: Vec<Growing>,
    /// Whether all that is known was taken.
    pub is_at_end: bool,
}

/// The sounds of a meeting.
pub(crate) struct MeetingCutter {
    has_gate: bool,
    reader: SpoolReader,
    /// Read already, and of the next step.
    pending: Option<Record>,
    /// Where the last record begins that was taken, of whichever sound.
    last_taken: u64,
    sounds: HashMap<SoundId, SoundCutter>,
}

impl MeetingCutter {
    /// Reads from there, which is before all that is not cut.
    pub(crate) fn new(reader: SpoolReader, has_gate: bool) -> Self {
        Self { has_gate, reader, pending: None, last_taken: 0, sounds: HashMap::new() }
    }

    /// Takes what is there, up to [`STEP_BYTES`].
    pub(crate) fn step(&mut self, known: &Known) -> Result<Step> {
        self.sounds.retain(|id, _| known.sounds.iter().any(|sound| sound.id == *id));
        for sound in &known.sounds {
            if self.sounds.contains_key(&sound.id) {
                continue;
            }
            match SoundCutter::new(sound, self.has_gate) {
                Ok(cutter) => {
                    self.sounds.insert(sound.id, cutter);
                }
                // The others go on; what is left of this one is given up after a day.
                Err(error) => log::debug!("sound {} cannot be decoded: {error}", sound.id),
            }
        }
        let is_at_end = self.take_records(known.upto)?;
        let mut cuts = Vec::new();
        let mut growing = Vec::new();
        for sound in &known.sounds {
            let Some(cutter) = self.sounds.get_mut(&sound.id) else { continue };
            let is_whole = sound.has_ended && is_at_end && known.has_all;
            if is_whole {
                cutter.finish()?;
            }
            let is_live = sound.source != SoundSource::Upload && !sound.has_ended;
            if is_at_end && is_live {
                cutter.cut_stalled()?;
                cutter.pass_stalled(self.last_taken)?;
            }
            cuts.extend(cutter.cut(is_whole, known.now));
            if is_live {
                growing.extend(cutter.growing());
            }
        }
        Ok(Step { cuts, growing, is_at_end })
    }

    /// Takes records up to this place of the spool; whether there are no more.
    fn take_records(&mut self, upto: u64) -> Result<bool> {
        let mut bytes = 0;
        while bytes < STEP_BYTES {
            let next = match self.pending.take() {
                Some(record) => Some(record),
                None => self.reader.next()?,
            };
            let Some(record) = next else { return Ok(true) };
            if record.offset >= upto {
                self.pending = Some(record);
                return Ok(true);
            }
            bytes += record.payload.len();
            self.last_taken = record.offset;
            // Others are cut to their end already.
            if let Some(sound) = self.sounds.get_mut(&record.sound) {
                sound.take(&record)?;
            }
        }
        Ok(false)
    }
}

/// One sound.
struct SoundCutter {
    id: SoundId,
    format: SoundFormat,
    has_gate: bool,
    track: Track,
    cutter: Cutter,
    /// Where the next decoded sample lies, in samples from the beginning of the sound.
    decoded: u64,
    /// What of it the cutter has.
    taken: u64,
    /// Records before this place were cut before.
    from_offset: u64,
    /// The records from the cut on, each with its beginning in milliseconds. The first one is that in
    /// which the cut lies.
    records: VecDeque<(u64, Record)>,
    windows: Vec<NewWindow>,
    /// When windows would have begun of what sounded like speech and was none.
    unsaid_ms: Vec<i64>,
    cut_ms: u64,
    noted_ms: u64,
    noted_offset: u64,
    latest: Instant,
}

impl SoundCutter {
    fn new(sound: &GrowingSound, has_gate: bool) -> Result<Self> {
        let cut_ms = u64::try_from(sound.cut_ms).unwrap_or(0);
        let cut_offset = u64::try_from(sound.cut_offset).unwrap_or(0);
        Ok(Self {
            id: sound.id,
            format: sound.format,
            has_gate,
            track: Track::new(sound.format)?,
            cutter: cutter(has_gate, cut_ms),
            decoded: 0,
            taken: cut_ms * SAMPLES_A_MS,
            from_offset: cut_offset,
            records: VecDeque::new(),
            windows: Vec::new(),
            unsaid_ms: Vec::new(),
            cut_ms,
            noted_ms: cut_ms,
            noted_offset: cut_offset,
            latest: Instant::now(),
        })
    }

    fn take(&mut self, record: &Record) -> Result<()> {
        if record.offset < self.from_offset {
            return Ok(());
        }
        self.latest = Instant::now();
        self.records.push_back((self.track.millis(record.at), record.clone()));
        let mut is_cut = self.decode(record)?;
        while is_cut {
            is_cut = self.begin_anew()?;
        }
        Ok(())
    }

    /// Begins at the cut, with the records that are known from there on; whether there is another cut.
    fn begin_anew(&mut self) -> Result<bool> {
        self.track = Track::new(self.format)?;
        self.cutter = cutter(self.has_gate, self.cut_ms);
        self.decoded = 0;
        self.taken = self.cut_ms * SAMPLES_A_MS;
        for (_, record) in self.records.clone() {
            if self.decode(&record)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decodes a record up to the first cut; whether there is one.
    fn decode(&mut self, record: &Record) -> Result<bool> {
        for piece in self.track.take(record)? {
            if self.add(&piece) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes what a record adds, up to the first cut; whether there is one.
    fn add(&mut self, piece: &Piece) -> bool {
        let cuts = match piece {
            Piece::Gap(to_ms) => {
                self.decoded = self.decoded.max(to_ms * SAMPLES_A_MS);
                if self.decoded <= self.taken {
                    return false;
                }
                self.taken = self.decoded;
                self.cutter.skip_to(*to_ms)
            }
            Piece::Samples(samples) => {
                let heard = self.taken.saturating_sub(self.decoded);
                let heard = usize::try_from(heard).unwrap_or(usize::MAX).min(samples.len());
                self.decoded += samples.len() as u64;
                self.taken = self.taken.max(self.decoded);
                self.cutter.push(&samples[heard..])
            }
        };
        let Some(first) = cuts.first() else { return false };
        self.note(*first);
        true
    }

    fn note(&mut self, cut: Cut) {
        match cut {
            Cut::Window { start_ms, end_ms } => {
                let window = NewWindow {
                    start_ms: whole(start_ms),
                    end_ms: whole(end_ms),
                    spool_offset: whole(self.place_of(start_ms)),
                };
                self.windows.push(window);
                self.cut_ms = end_ms;
            }
            Cut::Silence { until_ms, unsaid_ms } => {
                self.unsaid_ms.extend(unsaid_ms.map(whole));
                self.cut_ms = until_ms;
            }
        }
        while self.records.get(1).is_some_and(|(at_ms, _)| *at_ms <= self.cut_ms) {
            self.records.pop_front();
        }
    }

    /// From where in the spool a time of the sound is read.
    fn place_of(&self, ms: u64) -> u64 {
        let before = self.records.iter().take_while(|(at_ms, _)| *at_ms <= ms).last();
        let place = before.or(self.records.front());
        place.map_or(self.from_offset, |(_, record)| record.offset)
    }

    /// Cuts what is left.
    fn finish(&mut self) -> Result<()> {
        while let Some(rest) = self.track.rest()? {
            if !self.add(&rest) {
                break;
            }
            let mut is_cut = true;
            while is_cut {
                is_cut = self.begin_anew()?;
            }
        }
        for cut in self.cutter.finish() {
            self.note(cut);
        }
        Ok(())
    }

    /// Cuts what has been said, where nothing comes any more for now. What comes later goes on
    /// behind it, and nothing is lost.
    fn cut_stalled(&mut self) -> Result<()> {
        if self.cutter.growing().is_none() || self.latest.elapsed() < STALLS_AFTER {
            return Ok(());
        }
        self.cut_all()?;
        self.begin_anew().map(drop)
    }

    /// Where nothing comes any more for now, and others have brought much since: cuts what is there
    /// and begins anew at this record of another sound, without those that lie before it.
    fn pass_stalled(&mut self, offset: u64) -> Result<()> {
        let passed = offset.saturating_sub(self.place_of(self.cut_ms));
        if passed < PASSED_BYTES || self.latest.elapsed() < STALLS_AFTER {
            return Ok(());
        }
        self.cut_all()?;
        self.records.clear();
        self.from_offset = offset;
        self.begin_anew().map(drop)
    }

    /// Cuts all that was taken, while more may come.
    fn cut_all(&mut self) -> Result<()> {
        self.finish()?;
        // The next cutter begins with a whole millisecond.
        self.cut_ms = self.cut_ms.max(self.taken.div_ceil(SAMPLES_A_MS));
        Ok(())
    }

    /// What is to be written, if it is worth it.
    fn cut(&mut self, is_whole: bool, now: Time) -> Option<CutWindows> {
        let is_news = self.cut_ms >= self.noted_ms.saturating_add(SILENCE_MS);
        let cut_offset = self.place_of(self.cut_ms);
        let is_passed = cut_offset >= self.noted_offset.saturating_add(PASSED_BYTES);
        let is_nothing = self.windows.is_empty() && self.unsaid_ms.is_empty();
        if is_nothing && !is_whole && !is_news && !is_passed {
            return None;
        }
        self.noted_ms = self.cut_ms;
        self.noted_offset = cut_offset;
        Some(CutWindows {
            sound_id: self.id,
            windows: std::mem::take(&mut self.windows),
            unsaid_ms: std::mem::take(&mut self.unsaid_ms),
            cut_ms: whole(self.cut_ms),
            cut_offset: whole(cut_offset),
            is_whole,
            now,
        })
    }

    fn growing(&self) -> Option<Growing> {
        let (start_ms, end_ms) = self.cutter.growing()?;
        Some(Growing { sound_id: self.id, start_ms, end_ms, offset: self.place_of(start_ms) })
    }
}

fn cutter(has_gate: bool, start_ms: u64) -> Cutter {
    if has_gate { Cutter::new(start_ms) } else { Cutter::without_gate(start_ms) }
}

/// As the database has it.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

mod tests;
