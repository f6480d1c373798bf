//! `MariadbStore` on servers of our own that fail.

mod disk;

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{MariadbStore, MetadataStore};

use crate::backend::{Backend, How, Net, put, recovered};
use crate::servers::mariadb::Mariadb;
use crate::{cancel, crash, crowd, fields, history, outages, sweep};

impl Backend for Mariadb {
    const NAME: &'static str = "MariaDB";

    async fn start(durable: bool) -> Option<Self> {
        Self::start(if durable { &[] } else { &["--innodb-flush-log-at-trx-commit=2"] }).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn url_at(&self, port: u16) -> String {
        Self::url_at(self, port)
    }

    async fn open(url: &str, how: How) -> Result<Arc<dyn MetadataStore>, ConfigError> {
        let mut options = MariadbStore::options().with_deadline(how.deadline);
        if how.one {
            options = options.with_pool_size(1);
        }
        if how.offline {
            options = options.with_offline_start();
        }
        Ok(Arc::new(options.connect(url).await?))
    }

    fn kill(&mut self) {
        Self::kill(self);
    }

    async fn restart(&mut self) {
        assert!(self.run().await, "the server recovers");
    }

    async fn count_writes(&self) {
        // It counts by itself.
    }

    async fn writes(&self) -> u64 {
        let count = "SELECT SUM(variable_value) FROM information_schema.global_status
            WHERE variable_name IN ('Com_insert', 'Com_update', 'Com_delete')";
        let count: Option<f64> = self.stranger().await.query_first(count).await.expect("a count");
        // Far fewer than a float counts exactly.
        count.expect("a count") as u64
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_after_any_byte_is_told_as_it_is() {
    sweep::all::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_its_connection_to_the_next_as_if_it_had_never_been() {
    cancel::at_every_poll::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_dropped_calls_mixes_nobody_up() {
    let Some(server) = <Mariadb as Backend>::start(false).await else { return };
    for one in [true, false] {
        // Whatever was dropped runs on, and the last call of a task waits for it.
        let how = How { one, deadline: Duration::from_secs(30), offline: false };
        cancel::storm::<Mariadb>(Mariadb::open(&server.url(), how).await.expect("opened")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_server_was_killed_is_there_after_it() {
    crash::kill_9::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_connection_in_time_is_told_so_and_has_not_happened() {
    crowd::what_finds_no_connection_in_time_has_not_happened::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_costs_a_deadline_and_the_connection() {
    crowd::an_answer_that_never_comes_costs_a_deadline_and_the_connection::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_the_start_is_an_error_or_is_waited_for() {
    outages::down_at_the_start::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_and_comes_back_is_found_again() {
    outages::away_and_back::<Mariadb>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_refuses_is_tried_again() {
    outages::a_way_that_refuses::<Mariadb>().await;
}

/// Nothing was sent over connections that nobody used for a while, so nothing is unknown.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_a_server_that_went_away_cost_a_write_nothing() {
    let Some(mut server) = <Mariadb as Backend>::start(true).await else { return };
    let store = Mariadb::open(&server.url(), How::default()).await.expect("opened");
    tokio::join!(recovered(&store), recovered(&store), recovered(&store));
    server.kill();
    server.restart().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written over a new connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_no_outage() {
    let Some(server) = <Mariadb as Backend>::start(true).await else { return };
    let wrong = server.url().replace("tester:", "tester:x");
    let error = MariadbStore::connect(&wrong).await.expect_err("a wrong password");
    assert!(matches!(&error, ConfigError::Store(error) if !error.is_retryable()), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("tester"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_lose_nothing() {
    let Some(server) = <Mariadb as Backend>::start(true).await else { return };
    fields::two_processes_lose_nothing("MariaDB", &server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_linearizable() {
    let Some(server) = <Mariadb as Backend>::start(true).await else { return };
    let mut handles = Vec::new();
    for one in [false, true] {
        handles.push(Mariadb::open(&server.url(), How { one, ..How::default() }).await.expect("opened"));
    }
    history::are_linearizable("MariaDB", &handles, async || tokio::time::sleep(Duration::from_millis(1)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_those_of_connections_that_fail() {
    let Some(net) = Net::<Mariadb>::new(true, How::default()).await else { return };
    net.broken_histories().await;
}
