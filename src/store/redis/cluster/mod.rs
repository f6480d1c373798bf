//! A Cluster: each call goes to the server that has its key, follows it when it moves, and is sent again only when it is
//! known that nothing happened.

mod map;
mod redirect;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::{Pipeline, Value};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use self::map::Map;
use self::redirect::{Patience, Verdict};
use super::address::Address;
use super::connect::Connector;
use super::error::{Cause, Failure};
use super::query_server;
use super::server::{Call, Purpose, Server};
use crate::store::StoreErrorKind;

/// How long one server may take to tell who has which slots before another one is asked.
const PATIENCE_WITH_ONE: Duration = Duration::from_secs(1);

pub(super) struct Cluster {
    connector: Arc<Connector>,
    /// Those that the URL names: they are asked when no server of the map answers.
    seeds: Vec<Arc<Server>>,
    map: ArcSwap<Map>,
    /// Of many calls that need a new map only the first fetches it.
    fetching: Semaphore,
}

/// A call without an answer yet.
struct Open {
    /// Its place among the calls.
    at: usize,
    slot: u16,
    /// The server that takes it this one time, while its slot moves there.
    ask: Option<Arc<Server>>,
}

/// Calls that go to one server in one piece.
type Group = (Arc<Server>, Vec<Open>);

/// Calls that went, and what came back.
struct Sent {
    server: Arc<Server>,
    open: Vec<Open>,
    outcome: Result<Vec<Value>, Failure>,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Address>, connector: Arc<Connector>) -> Self {
        let seeds: Vec<_> = seeds.into_iter().map(|seed| Arc::new(Server::new(seed, &connector))).collect();
        let map = ArcSwap::from_pointee(Map::of_seeds(seeds.clone()));
        Self { connector, seeds, map, fetching: Semaphore::new(1) }
    }

    /// As [`Servers::run`](super::servers::Servers::run).
    pub(super) async fn run(
        &self,
        calls: &[Call],
        purpose: Purpose<'_>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut answers = vec![Value::Nil; calls.len()];
        let mut open: Vec<_> =
            calls.iter().enumerate().map(|(at, call)| Open { at, slot: slots::slot(&call.key), ask: None }).collect();
        let mut patience = Patience::default();
        loop {
            let map = self.map.load_full();
            let (groups, mut again) = group(&map, open);
            let mut trouble =
                (!again.is_empty()).then(|| Cause::new(StoreErrorKind::Unavailable, "slots without a primary"));
            let mut moved = None;
            for Sent { server, open, outcome } in send(groups, calls, purpose, deadline).await {
                let mut values = match outcome {
                    Ok(values) => values.into_iter(),
                    Err(Failure::NoAnswer(cause)) if matches!(purpose, Purpose::Write { .. }) => {
                        return Err(Failure::NoAnswer(cause));
                    }
                    Err(Failure::NotSent(cause) | Failure::NoAnswer(cause)) => {
                        trouble = Some(cause);
                        again.extend(open);
                        continue;
                    }
                };
                for mut call in open {
                    if call.ask.take().is_some() {
                        // The answer to `ASKING`.
                        values.next();
                    }
                    // One that is missing says nothing.
                    match redirect::verdict(values.next().unwrap_or(Value::Nil), server.address()) {
                        Verdict::Answer(value) => {
                            if let Some(answer) = answers.get_mut(call.at) {
                                *answer = value;
                            }
                            continue;
                        }
                        Verdict::Moved(to) => moved = Some((call.slot, to)),
                        Verdict::Ask(to) => call.ask = Some(self.guest(to)),
                        Verdict::Later(cause) => trouble = Some(cause),
                    }
                    again.push(call);
                }
                if let (Purpose::Write { wait: Some(_) }, Some(waited)) = (purpose, values.next()) {
                    answers.push(waited);
                }
            }
            if again.is_empty() {
                return Ok(answers);
            }
            answers.truncate(calls.len());
            let outdated = trouble.is_some() || moved.is_some();
            patience.take(trouble, deadline).await?;
            if outdated {
                self.update_map(&map, moved, deadline).await;
            }
            open = again;
        }
    }

    /// Fetches the map when nobody did since the caller looked at it. Without success the old one stays, and the next
    /// attempt of the caller tells what is wrong.
    async fn update_map(&self, seen: &Arc<Map>, moved: Option<(u16, Address)>, deadline: Instant) {
        let _ = timeout_at(deadline, self.fetch_map(seen, moved)).await;
    }

    /// Asks for the map at the start, when an answer is demanded.
    pub(super) async fn first_map(&self, deadline: Instant) -> Result<(), Failure> {
        let seen = self.map.load_full();
        timeout_at(deadline, self.fetch_map(&seen, None)).await.unwrap_or_else(|_| Err(Failure::NotSent(Cause::late())))
    }

    /// All primaries that have slots now.
    pub(super) async fn primaries(&self, deadline: Instant) -> Result<Vec<Address>, Failure> {
        self.first_map(deadline).await?;
        Ok(self.map.load().servers().iter().map(|server| server.address().clone()).collect())
    }

    async fn fetch_map(&self, seen: &Arc<Map>, moved: Option<(u16, Address)>) -> Result<(), Failure> {
        let _turn = self.fetching.acquire().await;
        let known = self.map.load_full();
        if !Arc::ptr_eq(&known, seen) {
            return Ok(());
        }
        // Who was named as the new owner of a slot knows about it; others may not have heard yet.
        let named = moved.as_ref().map(|(_, address)| self.guest(address.clone()));
        let mut failure = Failure::NotSent(Cause::new(StoreErrorKind::Unavailable, "no server of the Cluster answers"));
        for server in named.iter().chain(from_anywhere(known.servers())).chain(&self.seeds) {
            let mut question = Pipeline::new();
            question.add_command(query_server::slots());
            let outcome = server.call(question, Purpose::Read, Instant::now() + PATIENCE_WITH_ONE).await;
            let answer = match outcome {
                Ok(answers) => answers.into_iter().next().unwrap_or(Value::Nil),
                Err(cause) => {
                    failure = cause;
                    continue;
                }
            };
            match slots::ranges(&answer, server.address()) {
                Some(ranges) if !ranges.is_empty() => {
                    let new = |address| match &named {
                        Some(named) if *named.address() == address => named.clone(),
                        _ => Arc::new(Server::new(address, &self.connector)),
                    };
                    let mut map = known.replaced(ranges, new);
                    if let (Some((slot, _)), Some(named)) = (&moved, &named) {
                        map.give(*slot..=*slot, named);
                    }
                    self.map.store(Arc::new(map));
                    return Ok(());
                }
                Some(_) => {
                    let cause =
                        Cause::new(StoreErrorKind::Unavailable, "no slots of the Cluster are assigned to a server");
                    failure = Failure::NotSent(cause.at(server.address()));
                }
                None => failure = Failure::NotSent(redirect::no_map(&answer).at(server.address())),
            }
        }
        Err(failure)
    }

    /// A server that another one named.
    fn guest(&self, address: Address) -> Arc<Server> {
        let known = self.map.load();
        let known = known.server(&address).or_else(|| self.seeds.iter().find(|seed| *seed.address() == address));
        known.cloned().unwrap_or_else(|| Arc::new(Server::new(address, &self.connector)))
    }

    pub(super) fn close(&self) {
        self.map.load().servers().iter().chain(&self.seeds).for_each(|server| server.close());
    }
}

/// The calls of each server, and those of slots that nobody is known to have.
fn group(map: &Map, open: Vec<Open>) -> (Vec<Group>, Vec<Open>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut homeless = Vec::new();
    for call in open {
        let Some(server) = call.ask.as_ref().or_else(|| map.owner(call.slot)) else {
            homeless.push(call);
            continue;
        };
        match groups.iter_mut().find(|(known, _)| Arc::ptr_eq(known, server)) {
            Some((_, calls)) => calls.push(call),
            None => groups.push((server.clone(), vec![call])),
        }
    }
    (groups, homeless)
}

/// Sends each group to its server, all at the same time.
async fn send(groups: Vec<Group>, calls: &[Call], purpose: Purpose<'_>, deadline: Instant) -> Vec<Sent> {
    let mut sent = Vec::with_capacity(groups.len());
    let alone = groups.len() == 1;
    let mut tasks = JoinSet::new();
    for (server, open) in groups {
        let mut commands = Pipeline::with_capacity(open.len());
        for call in &open {
            if call.ask.is_some() {
                commands.add_command(query_server::asking());
            }
            if let Some(call) = calls.get(call.at) {
                commands.add_command(call.command.clone());
            }
        }
        if alone {
            let outcome = server.call(commands, purpose, deadline).await;
            sent.push(Sent { server, open, outcome });
        } else {
            // Several groups are of a read: a write is one call.
            tasks.spawn(async move {
                let outcome = server.call(commands, Purpose::Read, deadline).await;
                Sent { server, open, outcome }
            });
        }
    }
    // A task of ours that was cancelled belonged to a runtime that is shut down, and this future with it.
    while let Some(Ok(group)) = tasks.join_next().await {
        sent.push(group);
    }
    sent
}

/// All of them, from one that chance picks.
fn from_anywhere(servers: &[Arc<Server>]) -> impl Iterator<Item = &Arc<Server>> {
    let start = getrandom::u32().map_or(0, |number| number as usize) % servers.len().max(1);
    servers.iter().cycle().skip(start).take(servers.len())
}
