//! The one place where an error of SQLite becomes a [`StoreError`].

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::{StoreError, StoreErrorKind};

/// The cause inside a [`StoreError`]: what the code means, the code, and the standard text of that. The message of the
/// statement stays out, so that no value of a row can come with it.
#[derive(Debug, thiserror::Error)]
#[error("{reason} (SQLite code {code}: {text})")]
struct SqliteFailure {
    reason: &'static str,
    code: i32,
    text: &'static str,
}

/// Why a call passed its deadline.
pub(super) const LOCKED: &str = "another connection, perhaps of another process, holds a lock on the file";
pub(super) const WAITED: &str = "the deadline of the call passed while it waited for others before it";
pub(super) const IN_HAND: &str = "the deadline of the call passed while the disk had it in hand";

/// A stored row that is not a document.
#[derive(Debug, thiserror::Error)]
#[error("the stored document is damaged")]
struct DamagedRow;

/// An error of a statement that is known to have changed nothing: a read, or a write that was rolled back.
pub(super) fn rolled_back(error: &Error) -> StoreError {
    let Some(failure) = failure(error) else {
        return StoreError::new(match error {
            Error::InvalidColumnType(..) | Error::Utf8Error(..) | Error::FromSqlConversionFailure(..) => {
                StoreErrorKind::Corrupt
            }
            _ => StoreErrorKind::Internal,
        });
    };
    use StoreErrorKind::{Corrupt, Internal, Unavailable};
    let (kind, reason) = match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (Unavailable, LOCKED),
        ErrorCode::DiskFull => (Unavailable, "the disk is full"),
        ErrorCode::SystemIoFailure => (Unavailable, "the disk or the file system failed"),
        ErrorCode::CannotOpen => (
            Unavailable,
            "the file, or its log and index beside it (`-wal`, `-shm`), cannot be opened: the process needs the right to write \
             to them and to the directory",
        ),
        ErrorCode::ReadOnly if failure.extended_code == ffi::SQLITE_READONLY_DIRECTORY => (
            Unavailable,
            "the process has no right to write to the directory of the file, in which the log and its index are made \
             (`-wal`, `-shm`)",
        ),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            (Unavailable, "the process has no right to write to the file, or its file system is read-only")
        }
        ErrorCode::OutOfMemory => (Unavailable, "the process has no memory left"),
        ErrorCode::DatabaseCorrupt => (Corrupt, "the file is damaged; restore it from a backup"),
        ErrorCode::NotADatabase => (Corrupt, "the file is no SQLite database, or is encrypted or damaged"),
        ErrorCode::FileLockingProtocolFailed => (Unavailable, "the file system cannot lock as SQLite needs it"),
        _ => (Internal, "a statement failed"),
    };
    let code = failure.extended_code;
    StoreError::new(kind).with_source(SqliteFailure { reason, code, text: ffi::code_to_str(code) })
}

/// An error of `COMMIT`.
///
/// `FULL` and `BUSY` come before the frame that makes the transaction valid is whole, so the rollback undoes it. After
/// any other failure, first of all a failed sync, that frame may be in the file, and whoever recovers the log after a
/// crash would apply it: the outcome is unknown, and a second sync that succeeds proves nothing about the first.
pub(super) fn commit(error: &Error) -> StoreError {
    let undone = matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy));
    let error = rolled_back(error);
    if undone { error } else { error.with_may_have_happened() }
}

/// The file has no name any more, so what is written to it is gone with the last process that has it open.
pub(super) fn moved() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable)
        .with_source("the file was removed or replaced while the store had it open; open the store again")
}

/// A row whose document or version cannot be read.
pub(super) fn damaged() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt).with_source(DamagedRow)
}

/// Whether another connection holds a lock that this one waited for in vain.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether the file was opened for reading only; not where the reason is its directory.
pub(super) fn is_read_only(error: &Error) -> bool {
    failure(error).is_some_and(|failure| failure.extended_code == ffi::SQLITE_READONLY)
}

fn failure(error: &Error) -> Option<ffi::Error> {
    match error {
        Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => Some(*failure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), Some("secret".to_owned()))
    }

    #[test]
    fn a_commit_that_failed_in_the_disk_has_an_unknown_outcome() {
        for (code, kind, unknown) in [
            (ffi::SQLITE_FULL, StoreErrorKind::Unavailable, false),
            (ffi::SQLITE_BUSY, StoreErrorKind::Unavailable, false),
            (ffi::SQLITE_IOERR_FSYNC, StoreErrorKind::Unavailable, true),
            (ffi::SQLITE_IOERR_WRITE, StoreErrorKind::Unavailable, true),
            (ffi::SQLITE_IOERR_SHMSIZE, StoreErrorKind::Unavailable, true),
            (ffi::SQLITE_NOMEM, StoreErrorKind::Unavailable, true),
            (ffi::SQLITE_CORRUPT, StoreErrorKind::Corrupt, true),
        ] {
            let error = commit(&sqlite(code));
            assert_eq!((error.kind(), error.may_have_happened()), (kind, unknown), "code {code}");
            assert!(!rolled_back(&sqlite(code)).may_have_happened());
        }
    }

    #[test]
    fn messages_of_statements_stay_out() {
        let error = rolled_back(&sqlite(ffi::SQLITE_CONSTRAINT_UNIQUE));
        assert_eq!(error.kind(), StoreErrorKind::Internal);
        assert!(!format!("{error:?}").contains("secret"));
    }
}
