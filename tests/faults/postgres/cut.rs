//! Connections that are cut at each byte of an exchange.

use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{Precondition, Record, StoreError};

use super::{put, recovered, through, update, user};
use crate::proxy::{Proxy, Way};
use crate::servers::postgres::Postgres;

const OLD: &str = r#"{"a":0,"gone":true}"#;
const UPDATE: &str = r#"{"a":1,"b":1,"gone":null}"#;
const NEW: &str = r#"{"a":1,"b":1}"#;

/// What a write of a user was told; `None`: that there is no document any more.
type Outcome = (String, Result<Option<Record>, StoreError>);

/// A server, a way to it that can be cut, and a store that goes this way by one connection.
struct Cut {
    server: Postgres,
    proxy: Proxy,
    store: PostgresStore,
}

/// How often a write was told to be done, not done, or unknown, and how often the last was what.
#[derive(Debug, Default)]
struct Told {
    done: usize,
    not_done: usize,
    unknown_but_done: usize,
    unknown_and_not_done: usize,
}

impl Cut {
    async fn new() -> Option<Self> {
        let server = Postgres::start(&["synchronous_commit=off"]).await?;
        let proxy = Proxy::to(server.port).await;
        let store = through(&proxy, &server, PostgresStore::options().with_pool_size(1)).await;
        Some(Self { server, proxy, store })
    }

    /// Runs an exchange with the connection cut after each byte of it, or after some; a cold one begins with making the
    /// connection. `write` writes the users whom it is given, who have the old document.
    async fn sweep<const USERS: usize>(
        &self,
        (way, cold, step): (Way, bool, usize),
        new: Option<&str>,
        write: impl AsyncFn([String; USERS]) -> [Outcome; USERS],
    ) -> Told {
        let users = |n: usize| std::array::from_fn(|place| format!("{way:?}{cold}-{n}-{place}"));
        self.with_old(&users(usize::MAX)).await;
        self.begin(cold).await;
        let before = self.proxy.passed(way);
        for (id, outcome) in write(users(usize::MAX)).await {
            outcome.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        }
        let bytes = self.proxy.passed(way) - before;
        assert!(bytes > 20, "an exchange of {bytes} bytes");
        let cuts: Vec<_> = (0..=bytes).step_by(step).collect();
        self.with_old(&cuts.iter().flat_map(|n| users(*n)).collect::<Vec<_>>()).await;

        let mut outcomes = Vec::new();
        for n in cuts {
            self.begin(cold).await;
            let connections = self.proxy.connections();
            self.proxy.cut_after(way, n);
            outcomes.extend(write(users(n)).await);
            let repeated = self.proxy.connections() - connections;
            assert!(cold || n == 0 || repeated < USERS, "{repeated} new connections after byte {n}");
            self.proxy.pass();
        }
        let told = self.judge(outcomes, new).await;
        println!("{way:?}, {}, {bytes} bytes: {told:?}", if cold { "cold" } else { "warm" });
        told
    }

    async fn with_old(&self, ids: &[String]) {
        let stranger = self.server.stranger().await;
        let insert = "INSERT INTO tower_user_metadata (namespace, user_id, version, document, max_bytes, max_fields)
            SELECT 'public', id, 1, $2::text::jsonb, 100, 2 FROM unnest($1::text[]) AS id
            ON CONFLICT (namespace, user_id) DO UPDATE SET version = 1, document = excluded.document";
        stranger.execute(insert, &[&ids, &OLD]).await.expect("inserted");
    }

    /// Makes a connection on which the statements are prepared, or sees to it that there is none.
    async fn begin(&self, cold: bool) {
        self.proxy.pass();
        recovered(&self.store).await;
        if cold {
            self.proxy.cut_after(Way::ToServer, 0);
            // The end of the connection has arrived when nothing more can be asked over it.
            while self.store.get(&user("anybody")).await.is_ok() {}
            self.proxy.pass();
            return;
        }
        let warm = ["warm 1", "warm 2", "warm 3"].map(str::to_owned);
        while !self.group(warm.clone()).await.iter().all(|(_, outcome)| outcome.is_ok()) {}
        let [(_, updated)] = self.alone(["warm 1".to_owned()]).await;
        let [(_, cleared)] = self.cleared(["warm 1".to_owned()]).await;
        assert!(updated.is_ok() && cleared.is_ok(), "{updated:?} {cleared:?}");
    }

    /// One by itself and then the others as one statement, since there is but one connection.
    async fn group(&self, ids: [String; 3]) -> [Outcome; 3] {
        let [one, two, three] = &ids;
        let outcomes =
            tokio::join!(put(&self.store, one, UPDATE), put(&self.store, two, UPDATE), put(&self.store, three, UPDATE));
        let [one, two, three] = ids;
        [(one, outcomes.0.map(Some)), (two, outcomes.1.map(Some)), (three, outcomes.2.map(Some))]
    }

    async fn alone<const USERS: usize>(&self, ids: [String; USERS]) -> [Outcome; USERS] {
        let mut outcomes = Vec::new();
        for id in &ids {
            let outcome = self.store.update(&user(id), &update(UPDATE), &Precondition::Exists).await;
            outcomes.push(outcome.map(Some));
        }
        both(ids, outcomes)
    }

    async fn cleared<const USERS: usize>(&self, ids: [String; USERS]) -> [Outcome; USERS] {
        let mut outcomes = Vec::new();
        for id in &ids {
            outcomes.push(self.store.clear(&user(id), &Precondition::Exists).await.map(|()| None));
        }
        both(ids, outcomes)
    }

    async fn judge(&self, outcomes: Vec<Outcome>, new: Option<&str>) -> Told {
        let direct = PostgresStore::connect(&self.server.url()).await.expect("opened");
        let mut told = Told::default();
        for (id, outcome) in outcomes {
            let stored = direct.get(&user(&id)).await.expect("read");
            let json = stored.as_ref().map(|record| record.metadata.to_json());
            let (old, new) = (json.as_deref() == Some(OLD), json.as_deref() == new);
            assert!(old != new, "{id}: {json:?}");
            let count = match outcome {
                Ok(record) => {
                    assert!(new && record == stored, "{id}: told {record:?}, and {stored:?} is stored");
                    &mut told.done
                }
                Err(error) if error.may_have_happened() && new => &mut told.unknown_but_done,
                Err(error) if error.may_have_happened() => &mut told.unknown_and_not_done,
                Err(error) => {
                    assert!(old && error.is_retryable(), "{id}: {error:?}, and {json:?} is stored");
                    &mut told.not_done
                }
            };
            *count += 1;
        }
        told
    }
}

fn both<const USERS: usize>(
    ids: [String; USERS],
    outcomes: Vec<Result<Option<Record>, StoreError>>,
) -> [Outcome; USERS] {
    let both: Vec<_> = ids.into_iter().zip(outcomes).collect();
    both.try_into().expect("as many outcomes as users")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_cut_is_told_as_it_is() {
    let Some(cut) = Cut::new().await else { return };
    let upsert = async |[id]: [String; 1]| {
        let outcome = put(&cut.store, &id, UPDATE).await.map(Some);
        [(id, outcome)]
    };
    let told = cut.sweep((Way::ToServer, false, 1), Some(NEW), upsert).await;
    assert!(told.unknown_and_not_done > 100 && told.done > 0, "{told:?}");
    let told = cut.sweep((Way::ToClient, false, 1), Some(NEW), upsert).await;
    assert!(told.unknown_but_done > 30 && told.done > 0, "{told:?}");
    let told = cut.sweep((Way::ToServer, true, 17), Some(NEW), upsert).await;
    assert!(told.not_done > 30, "{told:?}");
    let told = cut.sweep((Way::ToClient, true, 11), Some(NEW), upsert).await;
    assert!(told.not_done > 20 && told.unknown_but_done > 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_a_group() {
    let Some(cut) = Cut::new().await else { return };
    let group = async |ids| cut.group(ids).await;
    let told = cut.sweep((Way::ToServer, false, 7), Some(NEW), group).await;
    assert!(told.unknown_and_not_done > 30 && told.done > 10, "{told:?}");
    let told = cut.sweep((Way::ToClient, false, 3), Some(NEW), group).await;
    assert!(told.unknown_but_done > 50 && told.done > 10, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_conditional_writes() {
    let Some(cut) = Cut::new().await else { return };
    let one = async |ids: [String; 1]| cut.alone(ids).await;
    let told = cut.sweep((Way::ToServer, false, 9), Some(NEW), one).await;
    assert!(told.unknown_and_not_done > 10, "{told:?}");
    let told = cut.sweep((Way::ToClient, false, 3), Some(NEW), one).await;
    assert!(told.unknown_but_done > 10, "{told:?}");
    let one = async |ids: [String; 1]| cut.cleared(ids).await;
    let told = cut.sweep((Way::ToServer, false, 9), None, one).await;
    assert!(told.unknown_and_not_done > 5, "{told:?}");
    let told = cut.sweep((Way::ToClient, false, 2), None, one).await;
    assert!(told.unknown_but_done > 10, "{told:?}");
}

/// A start that is cut anywhere leaves no schema or a whole one, and the next start works.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_whose_making_is_cut_is_made_by_the_next() {
    let Some(server) = Postgres::start(&["synchronous_commit=off"]).await else { return };
    let proxy = Proxy::to(server.port).await;
    let stranger = server.stranger().await;
    let start = async || PostgresStore::options().with_pool_size(1).connect(&server.url_at(proxy.port)).await;
    start().await.expect("the store opens");
    let bytes = proxy.passed(Way::ToServer);
    let mut made = [0, 0];
    for n in (0..=bytes).step_by(29) {
        stranger
            .batch_execute("DROP TABLE IF EXISTS tower_user_metadata, tower_user_metadata_schema")
            .await
            .expect("dropped");
        proxy.cut_after(Way::ToServer, n);
        let first = start().await;
        proxy.pass();
        made[usize::from(first.is_ok())] += 1;
        let store = start().await.unwrap_or_else(|error| panic!("after byte {n}: {error:?}"));
        put(&store, "alice", NEW).await.expect("written");
    }
    assert!(made[0] > 20, "{made:?}");
}
