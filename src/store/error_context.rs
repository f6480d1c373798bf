use std::sync::Arc;

use super::StoreError;

/// What a store is, for the errors of its calls: the one place where they learn where they happened, and are logged.
///
/// A store of your own has one, and passes each error through [`failed`](Self::failed) where its call ends.
///
/// ```
/// use tower_user_metadata::store::{ErrorContext, StoreError, StoreErrorKind};
///
/// let context = ErrorContext::new("OurDB").with_server("ourdb.internal:7000");
/// let lost = StoreError::new(StoreErrorKind::Unavailable).with_source("the connection was lost");
/// let error = context.failed("get", lost);
/// assert_eq!(error.to_string(), "the metadata store is not available (get, OurDB at ourdb.internal:7000)");
/// ```
#[derive(Clone, Debug)]
pub struct ErrorContext {
    engine: &'static str,
    server: Option<Arc<str>>,
}

impl ErrorContext {
    /// Names the kind of database.
    #[must_use]
    pub fn new(engine: &'static str) -> Self {
        Self { engine, server: None }
    }

    /// Says where the database is: host and port, a socket or a file, and no credentials.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<Arc<str>>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// The error with operation, engine and server, [logged](StoreError::log). An error that names an engine comes from
    /// a store inside, and stays as it is.
    ///
    /// `operation` is the name of the method of [`MetadataStore`](super::MetadataStore), or `open`.
    pub fn failed(&self, operation: &'static str, error: impl Into<StoreError>) -> StoreError {
        let error = self.describe(operation, error);
        error.log();
        error
    }

    /// As [`failed`](Self::failed), and leaves the logging to the caller: for attempts that are made again and again.
    pub fn describe(&self, operation: &'static str, error: impl Into<StoreError>) -> StoreError {
        let error = error.into();
        if error.engine().is_some() {
            return error;
        }
        let error = error.with_operation(operation).with_engine(self.engine);
        match &self.server {
            Some(server) => error.with_server(Arc::clone(server)),
            None => error,
        }
    }
}
