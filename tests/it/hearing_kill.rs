//! The server is killed while sound waits for its words: every word is there in the end.

use crate::client::wait_for;
use crate::fake_engine::{FakeEngine, phrase, texts};
use crate::hearing::{said, say, socket};
use crate::process::{Launch, Process};
use crate::segments::{Session, insert_session};
use crate::server::open_file;
use crate::sound_client::SoundSocket;
use crate::tokens::insert_token;
use std::fs;
use std::ops::Range;
use std::path::Path;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
    engine: FakeEngine,
    session: Session,
    key: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = FakeEngine::start();
        fs::write(folder.path().join("vomeet.toml"), engine.settings()).expect("written");
        let mut made = None;
        open_file(&folder.path().join("vomeet.db"), |db| {
            let key = insert_token(db, 1, None);
            made = Some((insert_session(db, 1, "abc-defg-hij"), key));
        });
        let (session, key) = made.expect("rows");
        Self { folder, engine, session, key }
    }

    fn serve(&self) -> Process {
        let launch = Launch::serve(self.folder.path());
        launch.env("VOMEET_BOTS_ACTIVE_SECONDS_MAX", "315360000").start()
    }

    fn speak(&self, server: &Process, uid: &str, words: Range<usize>) -> SoundSocket {
        let mut socket = socket(server, uid, &self.session.token);
        for word in words {
            say(&mut socket, &phrase(word));
        }
        socket
    }

    /// Sound of so many words that is durable, as long as nobody hears it.
    fn wait_for_sound(&self, words: usize) {
        let bytes = u64::try_from(words * 3100 * 32).expect("small");
        let file = spool_file(self.folder.path());
        wait_for(|| fs::metadata(&file).is_ok_and(|meta| meta.len() >= bytes).then_some(()));
    }
}

fn spool_file(folder: &Path) -> std::path::PathBuf {
    folder.join("vomeet.db.sound/1.sound")
}

#[test]
fn no_word_is_lost_when_the_server_is_killed_while_the_engine_is_away() {
    for is_spool_lost in [false, true] {
        let place = Place::new();
        place.engine.set_away(true);
        let server = place.serve();
        let socket = place.speak(&server, "first", 0..4);
        place.wait_for_sound(4);
        wait_for(|| (place.engine.asked() > 0).then_some(()));
        server.kill();
        drop(socket);
        if is_spool_lost {
            fs::remove_file(spool_file(place.folder.path())).expect("the spool");
        }
        place.engine.set_away(false);
        let server = place.serve();
        let socket = place.speak(&server, "second", 4..7);
        let wanted = if is_spool_lost { 3 } else { 7 };
        wait_for(|| (said(&server, &place.key).len() >= wanted).then_some(()));
        // The second stream began while words of the first one were still said by its clock.
        let mut heard = said(&server, &place.key);
        heard.sort();
        if is_spool_lost {
            assert_eq!(heard, texts(7)[4..], "the control: the spool is where they were");
        } else {
            assert_eq!(heard, texts(7));
        }
        drop(socket);
        assert!(server.terminate().status.success());
    }
}

#[test]
fn a_window_that_was_heard_and_not_stored_is_heard_again_and_stored_once() {
    let place = Place::new();
    place.engine.hold(true);
    let server = place.serve();
    let socket = place.speak(&server, "first", 0..2);
    // The engine has the window, and the server is gone before it takes the answer.
    wait_for(|| (place.engine.asked() > 0).then_some(()));
    place.wait_for_sound(2);
    server.kill();
    drop(socket);
    let before = place.engine.asked();
    place.engine.hold(false);
    let server = place.serve();
    wait_for(|| (said(&server, &place.key).len() >= 2).then_some(()));
    assert_eq!(said(&server, &place.key), texts(2));
    assert!(place.engine.asked() > before, "it was asked again");
    assert!(server.terminate().status.success());
}
