//! The file written anew without its free pages.

use crate::error::Result;
use crate::store::connection;
use std::path::Path;

/// Writes the file anew, in one transaction: a crash leaves it as it was. Nobody else may write
/// meanwhile. The copy that is made on the way lies in the folder of the database, has no name, and
/// goes with this process; what is written back comes into the WAL first.
pub(super) fn vacuum(database: &Path) -> Result<()> {
    let connection = connection::open(database)?;
    // The copy is as large as what is in use.
    connection::put_aside_in_files(&connection, database)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    connection.execute_batch("VACUUM")?;
    Ok(())
}
