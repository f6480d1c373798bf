//! Where a store of this crate keeps its documents.

use std::sync::Arc;

use tempfile::TempDir;
use tower_user_metadata::Limits;
use tower_user_metadata::store::{MariadbStore, MetadataStore, Namespace, PostgresStore, RedisStore, SqliteStore};

use crate::servers::mariadb::Mariadb;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;

/// A server of our own, or a directory; all sync before they acknowledge.
pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres(Postgres),
    Mariadb(Mariadb),
    Redis(Redis),
}

pub(crate) const NAMES: [&str; 4] = ["sqlite", "postgres", "mariadb", "redis"];

impl Place {
    /// `None`: the server is not installed, and a line said so.
    pub(crate) async fn of(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Self::Sqlite(tempfile::tempdir().expect("a directory"))),
            "postgres" => Postgres::start(&["shared_buffers=256MB"]).await.map(Self::Postgres),
            "mariadb" => {
                let settings = ["--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M"];
                Mariadb::start(&settings).await.map(Self::Mariadb)
            }
            "redis" => Redis::start(&["--auto-aof-rewrite-percentage", "0"]).await.map(Self::Redis),
            _ => None,
        }
    }

    /// A store with documents of its own, which may be as large as those of any benchmark.
    pub(crate) async fn open(&self, namespace: &str) -> Arc<dyn MetadataStore> {
        let limits = Limits::default().with_document_bytes(256 * 1024).with_root_fields(2_000);
        let name = Namespace::new(namespace).expect("a name");
        let opened: Result<Arc<dyn MetadataStore>, _> = match self {
            Self::Sqlite(directory) => {
                let path = directory.path().join(namespace);
                SqliteStore::options().with_limits(limits).open(path).await.map(|store| Arc::new(store) as _)
            }
            Self::Postgres(server) => {
                let options = PostgresStore::options().with_namespace(name).with_limits(limits);
                options.connect(&server.url()).await.map(|store| Arc::new(store) as _)
            }
            Self::Mariadb(server) => {
                let options = MariadbStore::options().with_namespace(name).with_limits(limits);
                options.connect(&server.url()).await.map(|store| Arc::new(store) as _)
            }
            Self::Redis(server) => {
                let options = RedisStore::options().with_namespace(name).with_limits(limits);
                options.connect(&server.url()).await.map(|store| Arc::new(store) as _)
            }
        };
        opened.expect("opened")
    }
}
