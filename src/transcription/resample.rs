//! Samples of any rate, made into 16,000 a second. What 16 kHz cannot carry is filtered out first, so
//! that it does not come back as something else (aliasing).

use crate::domain::sound::HEARD_RATE;
use crate::error::{Error, Result};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Indexing, Resampler as _};
use rubato::{SincInterpolationParameters, SincInterpolationType, WindowFunction};

/// Length of the filter, in samples: at 48 kHz it is 5 ms, and lets pass what is below 7 kHz.
const FILTER: usize = 256;
/// Points between two samples at which the filter is known.
const POINTS: usize = 160;
/// How many pieces of samples there are in a second.
const PIECES: u32 = 100;
/// What a sample of 16 bits is divided by.
const SCALE: f32 = 32_768.0;

/// Changes the rate of one channel, piece by piece: how its samples are divided into pushes makes no
/// difference.
pub(crate) struct Resampler {
    rate: u32,
    filter: Async<f32>,
    /// Samples that are fewer than a piece.
    waiting: Vec<f32>,
    /// Where the filter writes a piece.
    room: Vec<f32>,
    /// Samples that the filter's delay has put before the first.
    delay: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// From this many samples a second.
    pub(crate) fn new(rate: u32) -> Result<Self> {
        let ratio = f64::from(HEARD_RATE) / f64::from(rate);
        let parameters = SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2)
            .oversampling_factor(POINTS)
            .interpolation(SincInterpolationType::Linear);
        let piece = (rate / PIECES).max(1) as usize;
        let filter = Async::new_sinc(ratio, 1.0, &parameters, piece, 1, FixedAsync::Input)
            .map_err(|error| Error::Internal(format!("no filter for {rate} Hz: {error}")))?;
        let room = vec![0.0; filter.output_frames_max()];
        let delay = filter.output_delay();
        Ok(Self { rate, filter, waiting: Vec::new(), room, delay, taken: 0, given: 0 })
    }

    /// Takes samples, and puts what comes of them at the end of `out`.
    pub(crate) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.taken += samples.len() as u64;
        self.waiting.extend(samples.iter().map(|sample| f32::from(*sample) / SCALE));
        while self.waiting.len() >= self.filter.input_frames_next() {
            let piece = self.filter.input_frames_next();
            if !self.filter_piece(piece, out) {
                break;
            }
        }
    }

    /// Nothing more comes: gives what is left, and begins anew.
    pub(crate) fn finish(&mut self, out: &mut Vec<i16>) {
        let wanted = self.taken * u64::from(HEARD_RATE) / u64::from(self.rate);
        while self.given < wanted {
            if !self.filter_piece(self.waiting.len(), out) {
                break;
            }
        }
        // The last piece is longer than the sound.
        let surplus = self.given.saturating_sub(wanted);
        out.truncate(out.len().saturating_sub(usize::try_from(surplus).unwrap_or(0)));
        self.filter.reset();
        self.delay = self.filter.output_delay();
        self.taken = 0;
        self.given = 0;
    }

    /// Filters so many of the samples that wait; silence follows where they are fewer than a piece.
    /// Whether anything came of it, which it does.
    fn filter_piece(&mut self, count: usize, out: &mut Vec<i16>) -> bool {
        let piece = self.filter.input_frames_next();
        let mut samples: Vec<f32> = self.waiting.drain(..count.min(piece)).collect();
        samples.resize(piece, 0.0);
        let made = self.filtered(&samples).unwrap_or_default();
        let dropped = made.min(self.delay);
        self.delay -= dropped;
        self.given += (made - dropped) as u64;
        for sample in &self.room[dropped..made] {
            #[expect(clippy::cast_possible_truncation, reason = "such a cast keeps within bounds")]
            out.push((sample * SCALE).round() as i16);
        }
        made > 0
    }

    /// Writes a piece into `room`; how many samples it is. It fails for wrong lengths alone.
    fn filtered(&mut self, samples: &[f32]) -> Option<usize> {
        let room_len = self.room.len();
        let from = InterleavedSlice::new(samples, 1, samples.len()).ok()?;
        let mut to = InterleavedSlice::new_mut(&mut self.room, 1, room_len).ok()?;
        let (_, made) = self.filter.process_into_buffer(&from, &mut to, None::<&Indexing>).ok()?;
        Some(made)
    }
}
