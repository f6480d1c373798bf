//! Chooses the server of a call: the only one, or the one of a Cluster that has the key.

use std::sync::Arc;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::address::Address;
use super::cluster::Cluster;
use super::connect::Connector;
use super::error::Failure;
use super::query_server::{self, ServerKind};
use super::server::{Call, Purpose, Server};
use super::url::Target;
use crate::ConfigError;

/// All servers of a store.
pub(super) enum Servers {
    One(Server),
    Cluster(Cluster),
}

impl Servers {
    pub(super) fn new(target: Target, connector: &Arc<Connector>) -> Self {
        match target {
            Target::One(address) => Self::One(Server::new(address, connector)),
            Target::Cluster(seeds) => Self::Cluster(Cluster::new(seeds, Arc::clone(connector))),
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
        question.add_command(query_server::server_kind());
        let answers = server.call(question, Purpose::Read, deadline).await.map_err(failed)?;
        let problem = match answers.first().map(query_server::kind) {
            Some(Ok(ServerKind::Alone)) | None => return Ok(()),
            Some(Err(refusal)) => return Err(ConfigError::Store(refusal)),
            Some(Ok(ServerKind::OfCluster)) => {
                "the server is one of a Cluster, which `redis+cluster://` or `rediss+cluster://` opens"
            }
            Some(Ok(ServerKind::Sentinel)) => {
                "the server is a Sentinel, which keeps no data; name the primary that it watches, or what leads to it"
            }
        };
        Err(ConfigError::StoreUrl { problem })
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
