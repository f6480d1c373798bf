use std::future::{Future, IntoFuture};
use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tower_user_metadata::MetadataStore;

use super::Error;

/// How long requests in flight may take once the application was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Tells the server when to stop, by SIGTERM or Ctrl-C, and does not wait forever for it.
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for the signals from now on; within a Tokio runtime.
    pub(crate) fn on_signal() -> io::Result<Self> {
        let (begin, begun) = watch::channel(false);
        #[cfg(unix)]
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        #[cfg(unix)]
        let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        tokio::spawn(async move {
            #[cfg(unix)]
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            #[cfg(not(unix))]
            let _ = tokio::signal::ctrl_c().await;
            // An error says that nobody waits any more.
            let _ = begin.send(true);
        });
        Ok(Self(begun))
    }

    /// Ends when the server must take no more connections and finish the requests that it has.
    pub(crate) fn begun(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut begun = self.0.clone();
        async move {
            // An error says that the task with the signals is gone, and the runtime with it.
            let _ = begun.wait_for(|begun| *begun).await;
        }
    }

    /// Runs the server to its end, once it was told to stop no longer than ten seconds, and then closes the store.
    pub(crate) async fn finish<E: Into<Error>>(
        self,
        server: impl IntoFuture<Output = Result<(), E>>,
        store: &dyn MetadataStore,
    ) -> Result<(), Error> {
        let begun = self.begun();
        let too_long = async {
            begun.await;
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            result = server.into_future() => result.map_err(Into::into),
            () = too_long => Err(Error::new("requests were still in flight ten seconds later")),
        };
        store.close().await;
        result
    }
}
