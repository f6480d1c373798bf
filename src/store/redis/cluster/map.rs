//! What is known of a Cluster: its primaries, and which of them has which slots.

use std::sync::Arc;

use super::slots::{Range, SLOTS};
use crate::store::redis::address::Address;
use crate::store::redis::server::Server;

/// Never changed, only replaced.
#[derive(Clone)]
pub(super) struct Map {
    servers: Vec<Arc<Server>>,
    /// For each slot the place of its primary in `servers`.
    owners: Vec<Option<u16>>,
}

impl Map {
    /// Servers that are known without what they have.
    pub(super) fn of_seeds(servers: Vec<Arc<Server>>) -> Self {
        Self { servers, owners: vec![None; usize::from(SLOTS)] }
    }

    pub(super) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Server>> {
        let owner = (*self.owners.get(usize::from(slot))?)?;
        self.servers.get(usize::from(owner))
    }

    pub(super) fn server(&self, address: &Address) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.address() == address)
    }

    /// The map that these ranges make; servers that are known stay connected.
    pub(super) fn replaced(&self, ranges: Vec<Range>, new: impl Fn(Address) -> Arc<Server>) -> Self {
        let mut map = Self::of_seeds(Vec::new());
        for Range { first, last, primary } in ranges {
            let known = map.server(&primary).or_else(|| self.server(&primary)).cloned();
            let server = known.unwrap_or_else(|| new(primary));
            map.give(first..=last, &server);
        }
        map
    }

    /// Notes that a server has these slots.
    pub(super) fn give(&mut self, slots: std::ops::RangeInclusive<u16>, server: &Arc<Server>) {
        let place = self.servers.iter().position(|known| known.address() == server.address());
        let place = place.unwrap_or_else(|| {
            self.servers.push(server.clone());
            self.servers.len() - 1
        });
        let place = u16::try_from(place).ok();
        for slot in slots {
            if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
                *owner = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::connect::Connector;
    use std::time::Duration;

    #[test]
    fn a_new_map_keeps_the_servers_that_stay() {
        let connector = Arc::new(Connector::new(redis::RedisConnectionInfo::default(), None, Duration::ZERO, 1));
        let address = |port| Address::Tcp("a".to_owned(), port);
        let new = |address| Arc::new(Server::new(address, &connector));
        let seed = new(address(1));
        let map = Map::of_seeds(vec![seed.clone(), new(address(9))]);
        assert!(map.owner(0).is_none());
        let range = |first, last, port| Range { first, last, primary: address(port) };
        let mut map = map.replaced(vec![range(0, 5, 1), range(10, 16_383, 2), range(6, 9, 1)], new);
        assert_eq!(map.servers().len(), 2);
        assert!(map.owner(7).is_some_and(|owner| Arc::ptr_eq(owner, &seed)));
        assert!(map.owner(16_383).is_some_and(|owner| *owner.address() == address(2)));
        map.give(5..=5, &new(address(3)));
        assert!(map.owner(5).is_some_and(|owner| *owner.address() == address(3)));
        assert!(map.owner(4).is_some_and(|owner| Arc::ptr_eq(owner, &seed)));
        assert!(map.owner(SLOTS).is_none());
    }
}
