//! Receives change notices on a connection of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::database::Database;
use super::error::Failure;
use super::query::{CHANNEL, LISTEN};
use super::row::told;
use crate::store::deadline::ends;
use crate::store::{ChangeListener, Changes, ErrorContext, Namespace, StoreError};

/// The server and channel to listen on.
pub(super) struct Source {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

pub(super) struct Notices {
    source: Source,
    database: Arc<Database>,
    namespace: Namespace,
    deadline: Duration,
    context: ErrorContext,
}

type Line = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

impl Notices {
    pub(super) fn new(
        mut source: Source,
        database: Arc<Database>,
        namespace: Namespace,
        deadline: Duration,
        context: ErrorContext,
    ) -> Self {
        // So that an operator knows in `pg_stat_activity` why it is idle.
        let name = source.config.get_application_name().unwrap_or_default();
        let name = format!("{name} (listens)");
        source.config.application_name(name);
        Self { source, database, namespace, deadline, context }
    }

    async fn attempt(&self, listener: &dyn ChangeListener, pace: Duration) -> Result<Infallible, Failure> {
        self.database.begin()?;
        let connecting = self.source.config.connect(self.source.tls.clone());
        let (client, mut line) = match timeout_at(ends(self.deadline), connecting).await {
            Ok(connected) => connected.map_err(|error| Failure::of_connecting(&error))?,
            Err(_) => return Err(Failure::no_connection()),
        };
        // The server answers in order: the answer to a question, also to an empty one, comes behind all that was to be
        // told when it was asked.
        let mut question = LISTEN;
        loop {
            let asked = Instant::now();
            match self
                .hear(&mut line, listener, timeout_at(ends(self.deadline), client.batch_execute(question)))
                .await?
            {
                Ok(answer) => answer.map_err(|error| Failure::of_statement(&error, false))?,
                Err(_) => return Err(Failure::deadline()),
            }
            listener.heard(asked);
            self.hear(&mut line, listener, sleep(pace)).await?;
            self.database.begin()?;
            question = "";
        }
    }

    /// Tells what comes in until something else is done; what came before that is told before it.
    async fn hear<T>(
        &self,
        line: &mut Line,
        listener: &dyn ChangeListener,
        other: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut other = pin!(other);
        poll_fn(|cx| {
            loop {
                match line.poll_message(cx) {
                    Poll::Ready(Some(Ok(AsyncMessage::Notification(notice)))) if notice.channel() == CHANNEL => {
                        self.tell(notice.payload(), listener);
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Failure::lost())),
                    Poll::Pending => break,
                }
            }
            other.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    fn tell(&self, payload: &str, listener: &dyn ChangeListener) {
        match told(payload) {
            Some((namespace, user, change)) if namespace == self.namespace.as_str() => listener.changed(&user, change),
            Some(_) => {}
            // Somebody else uses the channel, or a later version of this crate.
            None => listener.all_changed(),
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

#[async_trait]
impl Changes for Notices {
    async fn follow(&self, listener: &dyn ChangeListener, pace: Duration) -> StoreError {
        match self.attempt(listener, pace).await {
            // The listener tries again and again, and knows which failure is new.
            Err(failure) => self.context.describe("follow", failure),
        }
    }
}
