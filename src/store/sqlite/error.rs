//! The one place where an error of SQLite becomes a [`StoreError`].

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::{StoreError, StoreErrorKind};

/// The cause inside a [`StoreError`]: the code and its standard text. The message of the statement stays out, so that
/// no value of a row can come with it.
#[derive(Debug, thiserror::Error)]
#[error("SQLite: {text} (code {code})")]
struct SqliteFailure {
    code: i32,
    text: &'static str,
}

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
    let kind = match failure.code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::OutOfMemory => StoreErrorKind::Unavailable,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Internal,
    };
    let code = failure.extended_code;
    StoreError::new(kind).with_source(SqliteFailure { code, text: ffi::code_to_str(code) })
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

/// A row whose document or version cannot be read.
pub(super) fn damaged() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt).with_source(DamagedRow)
}

/// Whether another connection holds a lock that this one waited for in vain.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
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
