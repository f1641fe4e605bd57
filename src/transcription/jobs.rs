//! The jobs that make words of sound.

use crate::transcription::hearing::Hearing;
use crate::transcription::lag::keep_watching;
use crate::transcription::listener::keep_listening;
use crate::transcription::sweep::keep_sweeping;
use crate::transcription::worker::keep_working;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long to wait until what the last run left is looked at again.
const RECOVERY_PAUSE: Duration = Duration::from_secs(1);

/// Makes words of sound, of what the last run of the server left first; it never ends by itself,
/// and may be cancelled at any time: the next start does what it has not done.
pub(crate) async fn keep_hearing(hearing: Arc<Hearing>) {
    while hearing.transcription.recovered().await.is_err() {
        sleep(RECOVERY_PAUSE).await;
    }
    tokio::join!(
        keep_listening(Arc::clone(&hearing)),
        keep_working(Arc::clone(&hearing)),
        keep_watching(Arc::clone(&hearing)),
        keep_sweeping(hearing),
    );
}
