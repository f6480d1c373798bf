//! The loads and writes that are under way for each user, which decide what may be kept in the cache.
//!
//! A read misses no write through this cache, because of three rules and the store's own order of writes:
//!
//! 1. While a write of a user is under way, nothing is kept of that user and no load is shared: reads go to the store.
//! 2. What a load answers is kept and shared only if no write of the user was under way from its beginning on, to its
//!    end or to the moment when the last reader joined.
//! 3. What a write answers is kept only if no other write of the user was under way at the same time: the later answer
//!    may be that of the earlier write.
//!
//! So whatever is kept or shared was the store's state at a time when no write was under way, and no write has begun
//! since. A write whose future was dropped is over for these rules, although it may still happen in the store.
//!
//! A change notice removes the user's entry and ends a shared load, unless the entry is the very document that the change
//! led to. While a write is under way, its answer is kept if the last notice led to it.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::entries::{Entries, Entry, Fresh, Stored};
use super::heard::Heard;
use super::load::{Load, NewLoad};
use crate::metadata::Record;
use crate::store::{Change, ChangeListener};
use crate::user_id::UserId;

pub(super) struct Flights {
    /// Entries are put in and taken out under the lock of `users`, and read without it.
    entries: Entries,
    users: Mutex<HashMap<UserId, Flight>>,
    /// Whether nothing is kept any more; changed under the lock of `users`.
    closed: AtomicBool,
    /// Changed under the lock of `users`, after the entries that it does not confirm were removed.
    heard: Heard,
}

enum Flight {
    /// A load that readers may join, and the position of this user in it.
    Load(Arc<Load>, usize),
    Writes {
        under_way: usize,
        /// Whether the last of them to end may answer something that is overtaken.
        crowded: bool,
        /// The last change notice that came meanwhile.
        last_change: Option<Change>,
    },
}

/// Where a reader's answer comes from.
pub(super) enum Source {
    Kept(Stored),
    Load(Arc<Load>, usize),
}

impl Flights {
    pub(super) fn new(max_bytes: usize) -> Self {
        let entries = Entries::new(max_bytes);
        Self { entries, users: Mutex::default(), closed: AtomicBool::new(false), heard: Heard::default() }
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    pub(super) fn heard(&self) -> Option<Instant> {
        self.heard.get()
    }

    /// A source for each user, and the load that has to be started for them, if any.
    pub(super) fn sources(&self, users: &[UserId], wanted: Fresh) -> (Vec<Source>, Option<NewLoad>) {
        let mut new = NewLoad::new();
        let mut under_way = self.lock();
        let sources = users.iter().map(|user| {
            if let Some(stored) = self.entries.get(user, wanted) {
                return Source::Kept(stored);
            }
            let shared = match under_way.get(user) {
                // The answer may be as old as the load is now.
                Some(Flight::Load(load, at)) if load.age() < wanted.max_age => {
                    return Source::Load(Arc::clone(load), *at);
                }
                Some(Flight::Load(..)) | None => !wanted.max_age.is_zero(),
                Some(Flight::Writes { .. }) => false,
            };
            let at = new.users.len();
            new.users.push(user.clone());
            if shared {
                under_way.insert(user.clone(), Flight::Load(Arc::clone(&new.load), at));
            }
            Source::Load(Arc::clone(&new.load), at)
        });
        let sources = sources.collect();
        drop(under_way);
        let new = (!new.users.is_empty()).then_some(new);
        (sources, new)
    }

    /// Ends a load: keeps what it answers of the users of whom it may be kept.
    pub(super) fn land(&self, load: &Arc<Load>, users: &[UserId], records: Option<&[Option<Record>]>) {
        let mut under_way = self.lock();
        for (at, user) in users.iter().enumerate() {
            let Slot::Occupied(slot) = under_way.entry(user.clone()) else { continue };
            if !matches!(slot.get(), Flight::Load(current, _) if Arc::ptr_eq(current, load)) {
                continue;
            }
            slot.remove();
            if let Some(record) = records.and_then(|records| records.get(at)) {
                self.keep(&under_way, user, Entry { stored: Stored(record.clone()), as_of: load.began() });
            }
        }
    }

    /// Begins a write.
    pub(super) fn write(this: &Arc<Self>, user: &UserId) -> Write {
        let mut users = this.lock();
        match users.entry(user.clone()) {
            Slot::Occupied(mut slot) => match slot.get_mut() {
                Flight::Writes { under_way, crowded, .. } => {
                    *under_way += 1;
                    *crowded = true;
                }
                load @ Flight::Load(..) => *load = Flight::Writes { under_way: 1, crowded: false, last_change: None },
            },
            Slot::Vacant(slot) => {
                slot.insert(Flight::Writes { under_way: 1, crowded: false, last_change: None });
            }
        }
        this.entries.remove(user);
        Write { flights: Arc::clone(this), user: user.clone(), began: Instant::now(), stored: None }
    }

    pub(super) fn invalidate(&self, user: &UserId) {
        let mut users = self.lock();
        if let Slot::Occupied(mut slot) = users.entry(user.clone()) {
            match slot.get_mut() {
                Flight::Writes { crowded, .. } => *crowded = true,
                Flight::Load(..) => drop(slot.remove()),
            }
        }
        self.entries.remove(user);
    }

    pub(super) fn invalidate_all(&self) {
        self.drop_all(&mut self.lock());
    }

    /// From now on there may be changes without a notice.
    pub(super) fn lost(&self) {
        let mut users = self.lock();
        self.heard.set(None);
        self.drop_all(&mut users);
    }

    /// Keeps nothing from now on, so that reads find out that the store is closed.
    pub(super) fn close(&self) {
        let users = self.lock();
        self.closed.store(true, Ordering::Relaxed);
        self.entries.clear();
        drop(users);
    }

    fn drop_all(&self, users: &mut HashMap<UserId, Flight>) {
        users.retain(|_, flight| match flight {
            Flight::Writes { crowded, .. } => {
                *crowded = true;
                true
            }
            Flight::Load(..) => false,
        });
        self.entries.clear();
    }

    fn keep(&self, _locked: &MutexGuard<'_, HashMap<UserId, Flight>>, user: &UserId, entry: Entry) {
        if !self.closed.load(Ordering::Relaxed) {
            self.entries.insert(user, entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Flight>> {
        // A panic with the lock held leaves a flight too many, which costs shared loads, or an entry too few.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChangeListener for Flights {
    fn changed(&self, user: &UserId, change: Change) {
        let mut users = self.lock();
        if let Slot::Occupied(mut slot) = users.entry(user.clone()) {
            match slot.get_mut() {
                Flight::Writes { last_change, .. } => *last_change = Some(change),
                Flight::Load(..) => drop(slot.remove()),
            }
        }
        if self.entries.peek(user).is_some_and(|Stored(kept)| !change.led_to(kept.as_ref())) {
            self.entries.remove(user);
        }
    }

    fn all_changed(&self) {
        self.invalidate_all();
    }

    fn heard(&self, before: Instant) {
        let mut users = self.lock();
        if self.heard.get().is_none() {
            self.drop_all(&mut users);
        }
        self.heard.set(Some(before));
    }
}

/// A write under way; dropping it ends it as one whose outcome is unknown.
pub(super) struct Write {
    flights: Arc<Flights>,
    user: UserId,
    began: Instant,
    stored: Option<Stored>,
}

impl Write {
    /// Ends the write as one after which this is the user's document.
    pub(super) fn done(mut self, record: Option<Record>) {
        self.stored = Some(Stored(record));
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let mut users = self.flights.lock();
        let Slot::Occupied(mut slot) = users.entry(self.user.clone()) else { return };
        let Flight::Writes { under_way, crowded, last_change } = slot.get_mut() else { return };
        *under_way -= 1;
        if *under_way > 0 {
            return;
        }
        let (alone, last_change) = (!*crowded, *last_change);
        slot.remove();
        let last = |stored: &Stored| last_change.is_none_or(|change| change.led_to(stored.0.as_ref()));
        if let Some(stored) = self.stored.take().filter(|stored| alone && last(stored)) {
            self.flights.keep(&users, &self.user, Entry { stored, as_of: self.began });
        }
    }
}
