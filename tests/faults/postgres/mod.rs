//! `PostgresStore` on servers of our own that fail.

mod disk;
mod idle;
mod schema;
mod standby;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tower_user_metadata::ConfigError;
use tower_user_metadata::store::PostgresOptions;
use tower_user_metadata::store::{MetadataStore, PostgresStore};

use crate::backend::{Backend, How, Net};
use crate::proxy::Proxy;
use crate::servers::postgres::Postgres;
use crate::{cancel, crash, crowd, fields, history, outages, sweep};

impl Backend for Postgres {
    const NAME: &'static str = "PostgreSQL";

    async fn start(durable: bool) -> Option<Self> {
        Self::start(if durable { &[] } else { &["synchronous_commit=off"] }).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn url_at(&self, port: u16) -> String {
        Self::url_at(self, port)
    }

    async fn open(url: &str, how: How) -> Result<Arc<dyn MetadataStore>, ConfigError> {
        let mut options = PostgresStore::options().with_deadline(how.deadline);
        if how.one {
            options = options.with_pool_size(1);
        }
        if how.offline {
            options = options.with_offline_start();
        }
        Ok(Arc::new(options.connect(url).await?))
    }

    fn kill(&mut self) {
        let Some(running) = self.running.take() else { return };
        let mut main = running.unguarded();
        let signal = |name: &str, processes: &[String]| {
            let _ = Command::new("kill").arg(name).args(processes).output();
        };
        // While it stands still it makes no more of them.
        signal("-STOP", &[main.id().to_string()]);
        let children = children(main.id());
        assert!(!children.is_empty(), "a server has more than one process");
        signal("-KILL", &children);
        main.kill().and_then(|()| main.wait()).expect("the server ends");
        // The next server does not start beside what is left of this one.
        while children.iter().any(|child| status(child).is_some_and(|(state, _)| state != "Z")) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    async fn restart(&mut self) {
        assert!(self.run().await, "the server recovers");
    }

    async fn count_writes(&self) {
        let count = "CREATE TABLE writes (write boolean);
            CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO writes DEFAULT VALUES; RETURN NULL; END $$;
            CREATE TRIGGER count_writes AFTER INSERT OR UPDATE OR DELETE ON tower_user_metadata
                FOR EACH ROW EXECUTE FUNCTION count_write()";
        self.stranger().await.batch_execute(count).await.expect("a trigger");
    }

    async fn writes(&self) -> u64 {
        let count: i64 =
            self.stranger().await.query_one("SELECT count(*) FROM writes", &[]).await.expect("a count").get(0);
        count.unsigned_abs()
    }
}

/// The state of a process, and which process it belongs to.
fn status(process: &str) -> Option<(String, String)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // They stand behind the name of the program in brackets.
    let (_, behind) = status.rsplit_once(") ")?;
    let mut words = behind.split(' ').map(str::to_owned);
    Some((words.next()?, words.next()?))
}

fn children(of: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let processes = processes.filter_map(|process| process.file_name().into_string().ok());
    processes.filter(|process| status(process).is_some_and(|(_, parent)| parent == of.to_string())).collect()
}

/// A store that reaches its server through a proxy.
async fn through(proxy: &Proxy, server: &Postgres, options: PostgresOptions) -> PostgresStore {
    options.connect(&server.url_at(proxy.port)).await.expect("the store opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_after_any_byte_is_told_as_it_is() {
    sweep::all::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_its_connection_to_the_next_as_if_it_had_never_been() {
    cancel::at_every_poll::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_dropped_calls_mixes_nobody_up() {
    let Some(server) = Postgres::start(&["synchronous_commit=off"]).await else { return };
    for (connections, group) in [(1, 64), (2, 4), (4, 1)] {
        let options = PostgresStore::options().with_pool_size(connections).with_group_size(group);
        let store = options.connect(&server.url()).await.expect("opened");
        cancel::storm::<Postgres>(Arc::new(store)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_server_was_killed_is_there_after_it() {
    crash::kill_9::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_connection_in_time_is_told_so_and_has_not_happened() {
    crowd::what_finds_no_connection_in_time_has_not_happened::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_costs_a_deadline_and_the_connection() {
    crowd::an_answer_that_never_comes_costs_a_deadline_and_the_connection::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_the_start_is_an_error_or_is_waited_for() {
    outages::down_at_the_start::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_and_comes_back_is_found_again() {
    outages::away_and_back::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_refuses_is_tried_again() {
    outages::a_way_that_refuses::<Postgres>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_lose_nothing() {
    let Some(server) = Postgres::start(&[]).await else { return };
    fields::two_processes_lose_nothing("PostgreSQL", &server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_linearizable() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let mut handles = Vec::new();
    for one in [false, true] {
        handles.push(Postgres::open(&server.url(), How { one, ..How::default() }).await.expect("opened"));
    }
    history::are_linearizable("PostgreSQL", &handles, async || tokio::time::sleep(Duration::from_millis(1)).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_those_of_connections_that_fail() {
    let Some(net) = Net::<Postgres>::new(true, How::default()).await else { return };
    net.broken_histories().await;
}
