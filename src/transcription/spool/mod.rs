//! The spool: sound as it came, durable before anything is done with it. One append-only file for
//! each meeting, `FOLDER/<meeting id>.sound`; all sounds of a meeting share it, and its syncs.

mod file;
pub(crate) mod folder;
mod found;
mod reader;
mod record;
mod tests;

pub(crate) use file::SpoolFile;
pub(crate) use reader::SpoolReader;
pub(crate) use record::Record;

use crate::domain::MeetingId;
use crate::error::{Error, Result};
use folder::SpoolFolder;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The spool files of all meetings. Its functions read files here and now: call them where that may
/// take a while.
pub(crate) struct Spool {
    folder: Arc<SpoolFolder>,
    places: Mutex<HashMap<MeetingId, Arc<Place>>>,
}

/// Where the file of a meeting is, once it is open. It is locked while the file is opened or deleted,
/// which may take a while: others who want the same file wait, and nobody else.
#[derive(Default)]
struct Place(Mutex<Option<Arc<SpoolFile>>>);

impl Place {
    fn file(&self) -> MutexGuard<'_, Option<Arc<SpoolFile>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    pub(crate) fn new(folder: SpoolFolder) -> Self {
        Self { folder: Arc::new(folder), places: Mutex::default() }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &SpoolFolder {
        &self.folder
    }

    /// Makes its folder where it is missing, and checks it where it is not.
    pub(crate) fn make_folder(&self) -> Result<()> {
        self.folder.make().map_err(|error| self.failed(&error))
    }

    /// Reads a meeting's sound from this offset on; a torn tail is the end.
    pub(crate) fn read(&self, meeting: MeetingId, from: u64) -> Result<SpoolReader> {
        Ok(self.file(meeting, 0)?.read(from))
    }

    /// Up to which offset a meeting's sound is durable; it says when that grows. It ends once the
    /// sound is deleted.
    pub(crate) fn grown(&self, meeting: MeetingId) -> Result<watch::Receiver<u64>> {
        Ok(self.file(meeting, 0)?.durable().subscribe())
    }

    /// The file of a meeting for whoever writes to it. `base` is the offset of its first record
    /// where it is not there: no later record may come before it.
    pub(crate) fn write_to(&self, meeting: MeetingId, base: u64) -> Result<Arc<SpoolFile>> {
        self.file(meeting, base)
    }

    /// Up to where the spool of a meeting is durable: what comes next begins there or later, also
    /// after a crash, and a record begins there.
    pub(crate) fn end(&self, meeting: MeetingId) -> Result<u64> {
        Ok(*self.file(meeting, 0)?.durable().borrow())
    }

    /// Gives back to the disk what a meeting's sound has before this offset, at which a record begins:
    /// nobody reads it any more. Where none begins there, everything stays.
    pub(crate) fn give_back(&self, meeting: MeetingId, upto: u64) -> Result<()> {
        let given = self.file(meeting, 0)?.give_back(upto);
        given.map_err(|error| self.not_deleted(meeting, &error))
    }

    /// Deletes files that were never finished; once, before any is begun.
    pub(crate) fn delete_unfinished(&self) -> Result<()> {
        self.folder.delete_unfinished().map_err(|error| self.failed(&error))
    }

    /// The meetings that have a file; all bytes are counted anew.
    pub(crate) fn look(&self) -> Result<BTreeSet<MeetingId>> {
        self.folder.look().map_err(|error| self.failed(&error))
    }

    /// Whether there is a file of a meeting's sound.
    pub(crate) fn has_sound(&self, meeting: MeetingId) -> bool {
        self.folder.file_of(meeting).symlink_metadata().is_ok()
    }

    /// Deletes the sound of a meeting, and no recording that waits to be read.
    pub(crate) fn forget_sound(&self, meeting: MeetingId) -> Result<()> {
        self.delete(meeting, SpoolFolder::delete_sound)
    }

    /// Deletes all that the spool has of a meeting. Whoever still writes to it gets an error.
    pub(crate) fn forget(&self, meeting: MeetingId) -> Result<()> {
        self.delete(meeting, SpoolFolder::delete)
    }

    fn delete(
        &self,
        meeting: MeetingId,
        delete: fn(&SpoolFolder, MeetingId) -> io::Result<()>,
    ) -> Result<()> {
        let place = self.place_of(meeting);
        // Nobody opens the file while it is deleted.
        let mut file = place.file();
        if let Some(file) = file.take() {
            file.close();
        }
        let deleted = delete(&self.folder, meeting);
        drop(file);
        self.forget_place(meeting, &place);
        deleted.map_err(|error| self.not_deleted(meeting, &error))
    }

    fn file(&self, meeting: MeetingId, base: u64) -> Result<Arc<SpoolFile>> {
        let place = self.place_of(meeting);
        let mut known = place.file();
        if let Some(file) = known.as_ref().filter(|file| file.takes(base)) {
            return Ok(Arc::clone(file));
        }
        // Whoever waits for the sound of a meeting goes on to wait.
        let durable = match &*known {
            Some(file) => file.durable().clone(),
            None => watch::Sender::new(0),
        };
        let path = self.folder.file_of(meeting);
        let folder = Arc::clone(&self.folder);
        let file = SpoolFile::open(meeting, path, base, folder, durable);
        let file = Arc::new(file.map_err(|error| self.failed(&error))?);
        *known = Some(Arc::clone(&file));
        Ok(file)
    }

    fn place_of(&self, meeting: MeetingId) -> Arc<Place> {
        Arc::clone(self.places().entry(meeting).or_default())
    }

    /// Forgets the place of a meeting that has no file, unless somebody waits for it.
    fn forget_place(&self, meeting: MeetingId, place: &Arc<Place>) {
        let mut places = self.places();
        let is_known = places.get(&meeting).is_some_and(|known| Arc::ptr_eq(known, place));
        // It is held here and there, and while all places are locked nobody else gets it.
        if is_known && Arc::strong_count(place) == 2 && place.file().is_none() {
            places.remove(&meeting);
        }
    }

    fn not_deleted(&self, meeting: MeetingId, error: &io::Error) -> Error {
        let folder = self.folder.path().display();
        Error::Internal(format!("the files of meeting {meeting} in {folder}: {error}"))
    }

    /// The folder does not do what it should: it is said in the log and in the health check.
    fn failed(&self, error: &io::Error) -> Error {
        let folder = self.folder.path().display();
        let cause = format!("{folder} cannot be used: {error}");
        if self.folder.failure().as_ref() != Some(&cause) {
            log::error!("the folder of sound {folder} cannot be used: {error}");
        }
        self.folder.note_failure(cause);
        Error::NoRoomForSound { reason: "The folder of sound cannot be used.".to_owned() }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<MeetingId, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
