//! Behind PgBouncer in transaction mode.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tower_user_metadata::store::{Namespace, PostgresStore, StoreErrorKind};

use super::{code, put};
use crate::servers::postgres::{Postgres, as_owner};
use crate::servers::process::free_port;
use crate::suite;
use crate::support::vectors::not_run;

/// A pooler of our own, which gives each transaction whichever of two connections is free; it is killed when it goes
/// out of scope.
struct Pooler {
    process: Child,
    port: u16,
}

impl Pooler {
    async fn before(server: &Postgres) -> Option<Self> {
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].iter().find(|path| std::path::Path::new(path).exists());
        let Some(program) = program else {
            not_run("tests behind PgBouncer: `pgbouncer` is not installed");
            return None;
        };
        let port = free_port();
        let file = server.directory.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=tester password={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
            listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n\
            max_client_conn = 500\n",
            server.port, server.password,
        );
        std::fs::write(&file, settings).expect("written");
        let process =
            as_owner(std::path::Path::new(program)).arg(&file).stderr(Stdio::null()).spawn().expect("pgbouncer runs");
        let pooler = Self { process, port };
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "pgbouncer does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_contract_behind_a_pooler() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let Some(pooler) = Pooler::before(&server).await else { return };
    let url = server.url_at(pooler.port);
    let open = async |namespace: Namespace| {
        let options = PostgresStore::options().with_namespace(namespace).with_transaction_pooler();
        options.connect(&url).await.expect("the store opens")
    };
    suite::whole("PostgresStore behind PgBouncer", &open).await;

    // Who does not say so is told by an error, sooner or later, and nothing is done wrong.
    let unaware = PostgresStore::options().with_offline_start();
    let unaware = unaware.open(pool(&url)).await.expect("not looked at");
    let outcomes = (0..200).map(|n| {
        let unaware = unaware.clone();
        tokio::spawn(async move { put(&unaware, &format!("unaware{}", n % 20), r#"{"a":1}"#).await })
    });
    for outcome in outcomes.collect::<Vec<_>>() {
        if let Err(error) = outcome.await.expect("no panic") {
            assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Internal, false), "{error:?}");
            assert!(code(&error).contains("prepared statements do not last"), "{error:?}");
        }
    }
}

fn pool(url: &str) -> deadpool_postgres::Pool {
    let manager = deadpool_postgres::Manager::new(url.parse().expect("a URL"), tokio_postgres::NoTls);
    deadpool_postgres::Pool::builder(manager).max_size(8).build().expect("a pool")
}
