//! How many live meetings the engines keep up with. One more is refused with the reason, instead of
//! the words of all falling behind.

use crate::domain::MeetingId;
use crate::error::Result;
use crate::store::Store;
use crate::transcription::engines::Engines;

/// Why no live sound of this meeting may begin; `None` where the engines keep up with it, or where
/// their speed is not known yet. In a meeting one person speaks at a time, mostly, so that its
/// sounds together count as one.
pub(crate) fn why_full(
    engines: &Engines,
    store: &Store,
    meeting_id: MeetingId,
) -> Result<Option<String>> {
    let Some(max) = engines.live_streams_max() else { return Ok(None) };
    let others = store.other_live_meetings(meeting_id)?;
    // The first one is always heard, however slowly.
    if others < max.max(1) {
        return Ok(None);
    }
    Ok(Some(format!("The engines keep up with {max} live meetings, and {others} are heard.")))
}
