//! `RedisStore` on servers of our own that fail.

mod disk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{MetadataStore, RedisStore};

use crate::backend::{Backend, How, Net};
use crate::servers::redis::Redis;
use crate::{cancel, crash, crowd, fields, history, outages, sweep};

impl Backend for Redis {
    const NAME: &'static str = "Redis";

    async fn start(durable: bool) -> Option<Self> {
        Self::start(if durable { &[] } else { &["--appendfsync", "no"] }).await
    }

    fn port(&self) -> u16 {
        Self::port(self)
    }

    fn url_at(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }

    /// There is one connection in any case.
    async fn open(url: &str, how: How) -> Result<Arc<dyn MetadataStore>, ConfigError> {
        let mut options = RedisStore::options().with_deadline(how.deadline);
        if how.one {
            options = options.with_queue(1);
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
        let begin = Instant::now();
        while !self.run().await.expect("redis-server runs") {
            assert!(begin.elapsed() < Duration::from_secs(30), "the server does not start again");
        }
    }

    async fn count_writes(&self) {
        // It counts by itself.
    }

    /// How often a script was run.
    async fn writes(&self) -> u64 {
        let text: String = ::redis::from_redis_value(self.command(&["INFO", "commandstats"])).expect("a text");
        let calls = text.lines().filter_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        calls.filter_map(|line| line.split(',').next()?.parse::<u64>().ok()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_after_any_byte_is_told_as_it_is() {
    sweep::all::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_its_connection_to_the_next_as_if_it_had_never_been() {
    cancel::at_every_poll::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_dropped_calls_mixes_nobody_up() {
    let Some(server) = <Redis as Backend>::start(false).await else { return };
    for one in [true, false] {
        let how = How { one, deadline: Duration::from_secs(30), offline: false };
        cancel::storm::<Redis>(Redis::open(&server.url(), how).await.expect("opened")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_server_was_killed_is_there_after_it() {
    crash::kill_9::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_connection_in_time_is_told_so_and_has_not_happened() {
    crowd::what_finds_no_connection_in_time_has_not_happened::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_costs_a_deadline_and_the_connection() {
    crowd::an_answer_that_never_comes_costs_a_deadline_and_the_connection::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_the_start_is_an_error_or_is_waited_for() {
    outages::down_at_the_start::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_and_comes_back_is_found_again() {
    outages::away_and_back::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_refuses_is_tried_again() {
    outages::a_way_that_refuses::<Redis>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_lose_nothing() {
    let Some(server) = <Redis as Backend>::start(true).await else { return };
    fields::two_processes_lose_nothing("Redis", &server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_linearizable() {
    let Some(server) = <Redis as Backend>::start(true).await else { return };
    let mut handles = Vec::new();
    for one in [false, true] {
        handles.push(Redis::open(&server.url(), How { one, ..How::default() }).await.expect("opened"));
    }
    history::are_linearizable("Redis", &handles, async || tokio::time::sleep(Duration::from_millis(1)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_those_of_connections_that_fail() {
    let Some(net) = Net::<Redis>::new(true, How::default()).await else { return };
    net.broken_histories().await;
}
