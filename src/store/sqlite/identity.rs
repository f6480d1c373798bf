//! Whether the file that is open is still the one that its path names.

use std::io;
use std::path::{Path, PathBuf};

/// A file as it was when the store was opened.
///
/// SQLite goes on writing to a file that somebody has removed or replaced, and with the last process that has it open those
/// writes are gone. It looks for that itself only where there is no write-ahead log.
pub(super) struct Identity {
    path: PathBuf,
    number: Number,
}

/// The number of the device, and that of the file on it.
#[cfg(unix)]
type Number = (u64, u64);
#[cfg(not(unix))]
type Number = ();

impl Identity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), number: number(path)? })
    }

    /// Whether the path names no file or another one. One that cannot be looked at is taken for the same.
    pub(super) fn has_moved(&self) -> bool {
        match number(&self.path) {
            Ok(number) => number != self.number,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

#[cfg(unix)]
fn number(path: &Path) -> io::Result<Number> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn number(path: &Path) -> io::Result<Number> {
    std::fs::metadata(path).map(drop)
}
