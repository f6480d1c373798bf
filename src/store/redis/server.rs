//! Where calls go: to one server, or to the one of a Cluster that has the key.

use std::sync::Arc;

use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use super::address::{Address, Place};
use super::cluster::Cluster;
use super::connect::Connector;
use super::error::Failure;
use super::gather::Gather;
use super::link::Link;
use super::query;
use crate::ConfigError;

/// A command about one key.
pub(super) struct Call {
    pub(super) key: String,
    pub(super) command: Cmd,
}

/// What calls do; this says what may be done again when an answer is lost.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    Read,
    /// With the command that waits for replicas: it must follow on the same connection.
    Write {
        wait: Option<&'a Cmd>,
    },
}

/// One server.
pub(super) struct Server {
    calls: Arc<Link>,
    waits: Gather,
}

/// All servers of a store.
pub(super) enum Servers {
    One(Server),
    Cluster(Cluster),
}

impl Server {
    pub(super) fn new(address: Address, connector: &Arc<Connector>) -> Self {
        let waits = Gather::new(Link::new(address.clone(), connector.clone()));
        Self { calls: Link::new(address, connector.clone()), waits }
    }

    pub(super) fn address(&self) -> &Address {
        self.calls.address()
    }

    /// Sends commands in one piece, and what waits for replicas behind them.
    pub(super) async fn call(
        &self,
        commands: Pipeline,
        purpose: Purpose<'_>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        match purpose {
            Purpose::Write { wait: Some(wait) } => self.waits.call(commands, wait, deadline).await,
            Purpose::Write { wait: None } | Purpose::Read => self.calls.call(&commands, deadline).await,
        }
    }

    pub(super) fn close(&self) {
        self.calls.close();
        self.waits.close();
    }
}

impl Servers {
    pub(super) fn new(place: Place, connector: &Arc<Connector>) -> Self {
        match place {
            Place::One(address) => Self::One(Server::new(address, connector)),
            Place::Cluster(seeds) => Self::Cluster(Cluster::new(seeds, Arc::clone(connector))),
        }
    }

    /// Makes sure that a server answers, and that it is of the kind that the URL says.
    pub(super) async fn reach(&self, deadline: Instant) -> Result<(), ConfigError> {
        let failed = |failure: Failure| ConfigError::Store(failure.of_read());
        let server = match self {
            Self::One(server) => server,
            Self::Cluster(cluster) => return cluster.first_map(deadline).await.map_err(failed),
        };
        let mut question = Pipeline::new();
        question.add_command(query::server_kind());
        let answers = server.call(question, Purpose::Read, deadline).await.map_err(failed)?;
        match answers.first().map(query::is_cluster) {
            Some(Ok(true)) => {
                let problem = "the server is one of a Cluster, which `redis+cluster://` or `rediss+cluster://` opens";
                Err(ConfigError::StoreUrl { problem })
            }
            Some(Err(refusal)) => Err(ConfigError::Store(refusal)),
            Some(Ok(false)) | None => Ok(()),
        }
    }

    /// The answer to each call, in their order, and behind it that of the command that waits for replicas.
    pub(super) async fn run(
        &self,
        calls: &[Call],
        purpose: Purpose<'_>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let server = match self {
            Self::One(server) => server,
            Self::Cluster(cluster) => return cluster.run(calls, purpose, deadline).await,
        };
        let mut commands = Pipeline::with_capacity(calls.len());
        for call in calls {
            commands.add_command(call.command.clone());
        }
        match server.call(commands.clone(), purpose, deadline).await {
            // The connection was lost, perhaps long ago. Reading once more on a new one harms nobody.
            Err(Failure::NoAnswer(_)) if matches!(purpose, Purpose::Read) && Instant::now() < deadline => {
                server.call(commands, purpose, deadline).await
            }
            outcome => outcome,
        }
    }

    /// All that take writes now.
    pub(super) async fn primaries(&self, deadline: Instant) -> Result<Vec<Address>, Failure> {
        match self {
            Self::One(server) => Ok(vec![server.address().clone()]),
            Self::Cluster(cluster) => cluster.primaries(deadline).await,
        }
    }

    pub(super) fn close(&self) {
        match self {
            Self::One(server) => server.close(),
            Self::Cluster(cluster) => cluster.close(),
        }
    }
}
