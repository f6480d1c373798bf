//! Change notices: a connection of its own to each primary, on which the server pushes the keys that change.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, Pipeline, PushInfo, PushKind, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use super::database::Database;
use super::error::{Cause, Failure};

use super::query_server;
use super::servers::Servers;
use crate::store::{Change, ChangeListener, Changes, StoreError, StoreErrorKind};

pub(super) struct Notices(pub(super) Arc<Database>);

/// The connections to all primaries, and what they push.
struct Subscription {
    connections: Vec<Connection>,
    pushes: UnboundedReceiver<PushInfo>,
}

impl Notices {
    async fn attempt(&self, listener: &dyn ChangeListener, pace: Duration) -> Result<Infallible, StoreError> {
        let mut subscription = self.open().await?;
        let mut shapes = None;
        loop {
            self.check_open()?;
            let asked = Instant::now();
            let seen = self.ask(&subscription).await?;
            // What a server pushed before it answered is here by now.
            while let Ok(push) = subscription.pushes.try_recv() {
                self.tell(push, listener)?;
            }
            if *shapes.get_or_insert_with(|| seen.clone()) != seen {
                return Err(gone("the Cluster has changed"));
            }
            listener.heard(asked);
            while let Ok(push) = timeout_at(asked + pace, subscription.pushes.recv()).await {
                self.tell(push.ok_or_else(lost)?, listener)?;
            }
        }
    }

    fn check_open(&self) -> Result<(), StoreError> {
        let closed = self.0.closed.load(Ordering::SeqCst);
        if closed { Err(StoreError::new(StoreErrorKind::Closed)) } else { Ok(()) }
    }

    async fn open(&self) -> Result<Subscription, StoreError> {
        self.check_open()?;
        let deadline = self.0.call_ends();
        let (sender, pushes) = unbounded_channel();
        let mut connections = Vec::new();
        for address in self.0.servers.primaries(deadline).await.map_err(Failure::of_read)? {
            let connection = self.0.connector.listen(&address, sender.clone()).await?;
            if let Value::ServerError(refusal) = self.call(&connection, &[self.0.keys.track()]).await?.remove(0) {
                return Err(Cause::refusal(&refusal).into());
            }
            connections.push(connection);
        }
        Ok(Subscription { connections, pushes })
    }

    /// Asks all servers whether they still send all notices; the answers change with the shape of the Cluster.
    async fn ask(&self, subscription: &Subscription) -> Result<Vec<(usize, u64)>, StoreError> {
        let cluster = matches!(self.0.servers, Servers::Cluster(_));
        let questions = if cluster {
            vec![query_server::hello(), query_server::cluster_state()]
        } else {
            vec![query_server::hello()]
        };
        let mut shapes = Vec::new();
        for connection in &subscription.connections {
            let answers = self.call(connection, &questions).await?;
            if !answers.first().is_some_and(query_server::is_primary) {
                return Err(gone("a server is no primary any more"));
            }
            if let Some(answer) = answers.get(1) {
                match query_server::shape(answer) {
                    Some(shape @ (primaries, _)) if primaries == subscription.connections.len() => shapes.push(shape),
                    _ => return Err(gone("there are other primaries")),
                }
            }
        }
        Ok(shapes)
    }

    /// One answer each.
    async fn call(&self, connection: &Connection, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        let mut sent = Pipeline::new();
        for command in commands {
            sent.add_command(command.clone());
        }
        let mut calls = connection.calls.clone();
        match timeout_at(self.0.call_ends(), calls.send_packed_commands(&sent, 0, commands.len())).await {
            Ok(Ok(answers)) if answers.len() == commands.len() => Ok(answers),
            Ok(Ok(_)) => Err(super::error::unexpected()),
            Ok(Err(error)) => Err(Cause::connection(error).into()),
            Err(_) => Err(Cause::late().into()),
        }
    }

    fn tell(&self, push: PushInfo, listener: &dyn ChangeListener) -> Result<(), StoreError> {
        match push.kind {
            PushKind::Invalidate => {}
            PushKind::Disconnection => return Err(lost()),
            _ => return Ok(()),
        }
        for keys in push.data {
            let Value::Array(keys) = keys else {
                // No keys: the database was emptied.
                listener.all_changed();
                continue;
            };
            for key in keys {
                let Value::BulkString(key) = key else { continue };
                // A key without a user was not made by a store.
                if let Some(user) = std::str::from_utf8(&key).ok().and_then(|key| self.0.keys.user(key)) {
                    listener.changed(&user, Change::Unknown);
                }
            }
        }
        Ok(())
    }
}

fn lost() -> StoreError {
    gone("the connection was lost")
}

fn gone(what: &'static str) -> StoreError {
    Cause::new(StoreErrorKind::Unavailable, what).into()
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
            // The listener tries again and again, and logs what is new.
            Err(error) => self.0.described("follow", error),
        }
    }
}
