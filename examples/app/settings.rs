use std::env::{self, VarError};

use super::Error;

/// What the environment says.
pub(crate) struct Settings {
    /// `PORT`, default 3000; 0 takes any free one.
    pub(crate) port: u16,
    /// `DATABASE_URL`, default a file in the working directory; see `store::connect`.
    pub(crate) database_url: String,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self, Error> {
        let port = match variable("PORT")? {
            Some(port) => port.parse().map_err(|_| format!("PORT must be a number from 0 to 65535, not {port:?}"))?,
            None => 3000,
        };
        let database_url = variable("DATABASE_URL")?.unwrap_or_else(|| "sqlite://user-metadata.db".to_owned());
        Ok(Self { port, database_url })
    }
}

/// An empty variable counts as one that is not set.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8").into()),
    }
}
