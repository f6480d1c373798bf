use std::env;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use super::Error;

/// In debug builds with the reason of each refusal, which clients are not told.
const DEFAULT: &str = if cfg!(debug_assertions) { "warn,tower_user_metadata=debug" } else { "warn" };

/// Logs to the standard error, what `RUST_LOG` lets through, such as `info,tower_user_metadata=debug`.
pub(super) fn start() -> Result<(), Error> {
    let wanted = env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT.to_owned());
    let targets: Targets =
        wanted.parse().map_err(|_| Error::new(format!("RUST_LOG must be targets with levels, and is {wanted:?}")))?;
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::TRACE).finish();
    Ok(tracing::subscriber::set_global_default(log.with(targets))?)
}
