//! Sessions that were verified already, so that the next request of each costs no cryptography.
//!
//! Only tokens that verified enter, so nobody can fill the cache, or choose its keys, without good tokens. An entry
//! ends at the token's expiry (by the clock and by the time that has really passed, whichever comes first) and with
//! the set of keys that it was verified under.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Equivalent, Weighter};
use tokio::time::Instant;

use super::Session;

/// How many bytes of the signature's end pick the bucket: 12 characters are 72 bits that no client chooses.
const TAIL_BYTES: usize = 12;

/// What an entry costs beside its token and its claims, in bytes: measured with tokens of 800 bytes, rounded up.
const ENTRY_BYTES: usize = 512;

/// The verified sessions, bounded in bytes.
pub(crate) struct SessionCache {
    sessions: Cache<Token, Entry, Bytes>,
}

#[derive(Clone)]
struct Entry {
    session: Session,
    /// Of the key set under which the token was verified.
    generation: u64,
    verified_at: Instant,
    lifetime: Duration,
    /// Until when the token is good by the clock, in milliseconds since 1970.
    good_until: i64,
}

impl SessionCache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let capacity = u64::try_from(max_bytes).unwrap_or(u64::MAX);
        let items = max_bytes / (2 * ENTRY_BYTES);
        Self { sessions: Cache::with(items, capacity, Bytes, DefaultHashBuilder::default(), Default::default()) }
    }

    /// The session of a token that was verified under these keys and is still good.
    pub(crate) fn get(&self, token: &str, now: i64, generation: u64) -> Option<Session> {
        let entry = self.sessions.get(&TokenText(token))?;
        let good =
            entry.generation == generation && now < entry.good_until && entry.verified_at.elapsed() < entry.lifetime;
        if good {
            return Some(entry.session);
        }
        self.sessions.remove(&TokenText(token));
        None
    }

    /// Keeps the session of a token that was just verified; `good_until` with the verifier's leeway.
    pub(crate) fn insert(&self, token: &str, session: &Session, now: i64, good_until: i64, generation: u64) {
        let lifetime = Duration::from_millis(u64::try_from(good_until.saturating_sub(now)).unwrap_or(0));
        let entry = Entry { session: session.clone(), generation, verified_at: Instant::now(), lifetime, good_until };
        self.sessions.insert(Token(token.into()), entry);
    }

    /// Drops the sessions for which `ended` says yes.
    pub(crate) fn forget(&self, ended: impl Fn(&Session) -> bool) {
        self.sessions.retain(|_, entry| !ended(&entry.session));
    }
}

/// The key: hashed by its end, compared whole.
struct Token(Box<str>);

/// A token to look for.
struct TokenText<'a>(&'a str);

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        TokenText(&self.0).hash(state);
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Token {}

impl Hash for TokenText<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_bytes();
        state.write(bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default());
    }
}

impl Equivalent<Token> for TokenText<'_> {
    fn equivalent(&self, key: &Token) -> bool {
        *self.0 == *key.0
    }
}

/// Weighs an entry: its token, which is kept whole, and about as much again for its claims, which are a part of it.
#[derive(Clone)]
struct Bytes;

impl Weighter<Token, Entry> for Bytes {
    fn weight(&self, token: &Token, _: &Entry) -> u64 {
        u64::try_from(2 * token.0.len() + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache")
            .field("sessions", &self.sessions.len())
            .field("bytes", &self.sessions.weight())
            .field("max_bytes", &self.sessions.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::user_id::UserId;

    fn session(user: &str) -> Session {
        Session::assertion(UserId::new(user).expect("an id"), UNIX_EPOCH).build()
    }

    #[test]
    fn only_the_very_same_token_is_found() {
        let cache = SessionCache::new(1 << 20);
        cache.insert("aaa.bbb.0123456789abcdef", &session("alice"), 0, 1_000, 1);
        assert!(cache.get("aaa.bbb.0123456789abcdef", 0, 1).is_some());
        for other in ["aaa.bbc.0123456789abcdef", "aaa.bbb.0123456789abcdee", "", "f", "\u{e9}0123456789\u{e9}"] {
            assert!(cache.get(other, 0, 1).is_none(), "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_ends_by_the_clock_by_real_time_and_with_its_keys() {
        let cache = SessionCache::new(1 << 20);
        let insert = || cache.insert("token", &session("alice"), 0, 1_000, 1);
        insert();
        assert!(cache.get("token", 999, 1).is_some());
        assert!(cache.get("token", 1_000, 1).is_none());
        assert!(cache.get("token", 999, 1).is_none(), "what ended stays ended when the clock steps back");
        insert();
        assert!(cache.get("token", 0, 2).is_none());
        insert();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(cache.get("token", 0, 1).is_none(), "a clock that stands still keeps nothing alive");
        insert();
        cache.forget(|session| session.user_id().as_str() == "alice");
        assert!(cache.get("token", 0, 1).is_none());
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let cache = SessionCache::new(64 * 1024);
        let user = session("alice");
        for n in 0..10_000 {
            cache.insert(&format!("{n:0800}"), &user, 0, 1_000, 1);
        }
        assert!(cache.sessions.weight() <= 64 * 1024);
        assert!(cache.sessions.len() > 10);
    }
}
