use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use tower_user_metadata::ConfigError;

/// What keeps the program from starting or serving, as a sentence for whoever started it.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    /// Whether another setting would mend it, and starting again would not.
    setting: bool,
}

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), setting: false }
    }

    /// 2 for a wrong setting, as for a wrong argument, so that a service manager need not try again; else 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.setting { 2 } else { 1 })
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        use ConfigError::{JwksUrl, StoreOption, StoreUrl, UnknownStore, VerifierOption};
        let setting = matches!(
            error,
            JwksUrl { .. } | StoreOption { .. } | StoreUrl { .. } | UnknownStore { .. } | VerifierOption { .. }
        );
        Self { sentence: chain(&error), setting }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(chain(&error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// An error and what caused it, to the first cause.
fn chain(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors of other crates repeat their source.
        if !sentence.ends_with(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = error.source();
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Caused {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn the_whole_chain_is_told_and_nothing_twice() {
        let first = Caused { text: "password authentication failed", source: None };
        let second = Caused { text: "no connection: password authentication failed", source: Some(Box::new(first)) };
        let third = Caused { text: "the store cannot be opened", source: Some(Box::new(second)) };
        assert_eq!(chain(&third), "the store cannot be opened: no connection: password authentication failed");
    }
}
