//! A kind of server and the store over it, as far as all of them are alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{ConfigError, MetadataUpdate, Precondition, Record, StoreError, UserId};

use crate::proxy::{Fault, Proxy, Way};
use crate::{history, user};

/// A server of our own; it is stopped when it goes out of scope.
pub(crate) trait Backend: Sized {
    const NAME: &'static str;

    /// Starts a server that syncs before it acknowledges, or one that need not; `None`, and a line that says so, when
    /// it is not installed.
    async fn start(durable: bool) -> Option<Self>;

    fn port(&self) -> u16;

    /// The URL by which a proxy at this port is reached.
    fn url_at(&self, port: u16) -> String;

    async fn open(url: &str, how: How) -> Result<Arc<dyn MetadataStore>, ConfigError>;

    /// Kills all processes of the server as they stand, as a power switch would.
    fn kill(&mut self);

    /// Starts it again, on its port and with its data.
    async fn restart(&mut self);

    /// Counts the writes of documents from now on.
    async fn count_writes(&self);

    /// How many writes were executed.
    async fn writes(&self) -> u64;

    fn url(&self) -> String {
        self.url_at(self.port())
    }
}

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) deadline: Duration,
    /// One call at a time has a connection.
    pub(crate) one: bool,
    /// It opens also without a server.
    pub(crate) offline: bool,
}

impl Default for How {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), one: false, offline: false }
    }
}

/// A server, a way to it that may fail, a store that goes this way, and one that does not.
pub(crate) struct Net<B> {
    pub(crate) server: B,
    pub(crate) proxy: Proxy,
    pub(crate) store: Arc<dyn MetadataStore>,
    pub(crate) direct: Arc<dyn MetadataStore>,
}

impl<B: Backend> Net<B> {
    pub(crate) async fn new(durable: bool, how: How) -> Option<Self> {
        let server = B::start(durable).await?;
        let proxy = Proxy::to(server.port()).await;
        let direct = B::open(&server.url(), How::default()).await.expect("the store opens");
        let store = B::open(&server.url_at(proxy.port), how).await.expect("the store opens");
        Some(Self { server, proxy, store, direct })
    }
}

pub(crate) fn update(json: &str) -> MetadataUpdate {
    MetadataUpdate::from_json(json.as_bytes()).expect("an update")
}

pub(crate) async fn put(store: &dyn MetadataStore, id: &str, json: &str) -> Result<Record, StoreError> {
    store.update(&user(id), &update(json), &Precondition::None).await
}

/// Waits until a read works again.
pub(crate) async fn recovered(store: &dyn MetadataStore) {
    let begin = Instant::now();
    while let Err(error) = store.get(&user("anybody")).await {
        assert!(begin.elapsed() < Duration::from_secs(30), "no recovery: {error:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Sets `n` and `twin` to one number: a document in which they differ was written in part.
pub(crate) fn twins(number: u64) -> MetadataUpdate {
    MetadataUpdate::new().set("n", &number).set("twin", &number)
}

/// The number that both twins have.
pub(crate) async fn twin_number(store: &dyn MetadataStore, user: &UserId) -> Option<u64> {
    let metadata = store.get(user).await.expect("a read")?.metadata;
    let number = metadata.get::<u64>("n").expect("a number");
    assert_eq!(number, metadata.get::<u64>("twin").expect("a number"), "a document was written in part");
    number
}

impl<B: Backend> Net<B> {
    /// Histories of clients whose connections are cut and kept back again and again, and of others beside them.
    pub(crate) async fn broken_histories(&self) {
        let handles = [Arc::clone(&self.store), Arc::clone(&self.direct)];
        let number = std::cell::Cell::new(0_usize);
        let meanwhile = async || {
            let n = number.get();
            number.set(n + 1);
            let way = if n.is_multiple_of(2) { Way::ToServer } else { Way::ToClient };
            let fault = if n % 8 < 6 { Fault::Cut } else { Fault::Hole };
            self.proxy.plan(way, 500 + n * 71 % 900, fault);
            tokio::time::sleep(Duration::from_millis(15)).await;
            self.proxy.pass();
        };
        history::are_linearizable(&format!("{}, connections cut", B::NAME), &handles, meanwhile).await;
    }
}
