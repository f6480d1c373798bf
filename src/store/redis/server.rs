//! One server, and what is sent to it.

use std::sync::Arc;

use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use super::address::Address;
use super::connect::Connector;
use super::error::Failure;
use super::gather::Gather;
use super::link::Link;

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
