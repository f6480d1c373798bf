//! Redis servers of our own that stand by one another: replicas and Clusters.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::servers::process::free_port;
use crate::servers::redis::{LONGEST, Redis};

impl Redis {
    /// Starts another server that follows this one, and waits until it does.
    pub(crate) async fn replica(&self) -> Self {
        let replica = Self::start(&["--replicaof", &format!("127.0.0.1 {}", self.port)]).await;
        let replica = replica.expect("the second server is installed as the first is");
        eventually("the replica follows", || {
            // Each knows of it at a time of its own.
            replica.info("replication", "master_link_status") == "up"
                && self.info("replication", "slave0").contains("state=online")
        })
        .await;
        replica
    }

    /// A line of `INFO`.
    pub(crate) fn info(&self, section: &str, name: &str) -> String {
        let text: String = ::redis::from_redis_value(self.command(&["INFO", section])).expect("a text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    }

    /// Stops the process without ending it, as a machine that swaps; `false` lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let server = &self.running.as_ref().expect("a running server").server;
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &server.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }
}

/// Three primaries with a replica each.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The primaries of the beginning, then their replicas in the same order.
    pub(crate) servers: Vec<Redis>,
}

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

impl Cluster {
    /// Starts a Cluster that replaces a primary which is silent for this long; `None` as [`Redis::start`].
    pub(crate) async fn start(node_timeout: Duration) -> Option<Self> {
        let mut servers = Vec::new();
        let node_timeout = node_timeout.as_millis().to_string();
        for _ in 0..2 * PRIMARIES {
            let bus = free_port().to_string();
            // What is down stops nothing else.
            let (coverage, timeout) = ("--cluster-require-full-coverage", "--cluster-node-timeout");
            let arguments =
                ["--cluster-enabled", "yes", "--cluster-port", &bus, timeout, &node_timeout, coverage, "no"];
            servers.push(Redis::start(&arguments).await?);
        }
        let cluster = Self { servers };
        let first = &cluster.servers[0];
        for (at, server) in cluster.servers.iter().enumerate() {
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
            if at < PRIMARIES {
                let (from, to) = (at * SLOTS / PRIMARIES, (at + 1) * SLOTS / PRIMARIES - 1);
                server.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]);
            }
            let (port, bus) = (first.port.to_string(), first.arguments[3].clone());
            server.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let all = (2 * PRIMARIES).to_string();
        cluster.all_say("cluster_known_nodes", &all).await;
        for at in 0..PRIMARIES {
            let id = cluster.id(at);
            cluster.servers[PRIMARIES + at].command(&["CLUSTER", "REPLICATE", &id]);
        }
        cluster.all_say("cluster_state", "ok").await;
        eventually("the replicas follow", || {
            cluster.servers[PRIMARIES..].iter().all(|replica| replica.info("replication", "master_link_status") == "up")
                && cluster
                    .servers
                    .iter()
                    .all(|server| nodes(server).lines().filter(|line| line.contains("slave")).count() == PRIMARIES)
        })
        .await;
        Some(cluster)
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The slot of a key, and the place of the server that has it.
    pub(crate) fn home(&self, key: &str) -> (u16, usize) {
        let slot = self.first_alive().command(&["CLUSTER", "KEYSLOT", key]);
        let slot: u16 = ::redis::from_redis_value(slot).expect("a slot");
        let nodes = nodes(self.first_alive());
        let owner = nodes.lines().find(|line| {
            line.split(' ')
                .skip(8)
                .filter_map(|range| {
                    let (from, to) = range.split_once('-').unwrap_or((range, range));
                    Some(from.parse().ok()?..=to.parse().ok()?)
                })
                .any(|range: std::ops::RangeInclusive<u16>| range.contains(&slot))
        });
        let id = owner.and_then(|line| line.split(' ').next()).expect("an owner");
        let alive = |at: &usize| self.servers[*at].running.is_some();
        let at = (0..self.servers.len()).filter(alive).find(|at| self.id(*at) == id);
        (slot, at.expect("an owner that runs"))
    }

    /// Begins to move a slot: keys that are there stay, new ones are made at the other server.
    pub(crate) fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        self.servers[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)]);
        self.servers[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)]);
    }

    /// Moves the keys of a slot, and gives it to the other server.
    pub(crate) fn end_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let port = self.servers[to].port.to_string();
        loop {
            let keys = self.servers[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            let keys: Vec<String> = ::redis::from_redis_value(keys).expect("keys");
            if keys.is_empty() {
                break;
            }
            for key in keys {
                self.servers[from].command(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
            }
        }
        let id = self.id(to);
        for at in [to, from] {
            self.servers[at].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    /// Waits until every server that runs says this in `CLUSTER INFO`.
    pub(crate) async fn all_say(&self, name: &str, value: &str) {
        eventually(&format!("{name} is {value}"), || {
            self.servers.iter().filter(|server| server.running.is_some()).all(|server| {
                let text: String = ::redis::from_redis_value(server.command(&["CLUSTER", "INFO"])).expect("a text");
                text.lines().any(|line| line.trim() == format!("{name}:{value}"))
            })
        })
        .await;
    }

    fn first_alive(&self) -> &Redis {
        self.servers.iter().find(|server| server.running.is_some()).expect("a server that runs")
    }

    fn id(&self, at: usize) -> String {
        ::redis::from_redis_value(self.servers[at].command(&["CLUSTER", "MYID"])).expect("an id")
    }
}

fn nodes(asked: &Redis) -> String {
    ::redis::from_redis_value(asked.command(&["CLUSTER", "NODES"])).expect("a text")
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < LONGEST, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
