//! MariaDB servers of our own that are one cluster.

use std::fs;
use std::path::Path;

use crate::servers::mariadb::{Mariadb, give_away};
use crate::servers::process::free_port;
use crate::support::vectors::not_run;

/// Where Debian has the library that makes several servers one cluster.
const GALERA: &str = "/usr/lib/galera/libgalera_smm.so";

impl Mariadb {
    /// Starts the first node of a cluster; `None`, and a line that says so, when MariaDB or Galera is not installed.
    pub(crate) async fn start_cluster() -> Option<Self> {
        if !Path::new(GALERA).is_file() {
            not_run(&format!("tests with Galera: no {GALERA}"));
            return None;
        }
        let mut settings = node_settings("gcomm://");
        settings.push("--wsrep-new-cluster".to_owned());
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        Self::start(&settings).await
    }

    /// Starts one more node, which gets its data from those that are there.
    pub(crate) async fn join_cluster(&self) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        give_away(directory.path());
        fs::create_dir(directory.path().join("data")).expect("a directory");
        give_away(&directory.path().join("data"));
        fs::write(directory.path().join("init.sql"), "").expect("written");
        let own = "--wsrep-node-address=";
        let first = self.arguments.iter().find_map(|argument| argument.strip_prefix(own)).expect("a cluster");
        let settings = node_settings(&format!("gcomm://{first}"));
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        Self::up(directory, self.password.clone(), &settings).await
    }
}

/// What makes a server a node of a cluster on the loopback.
fn node_settings(cluster: &str) -> Vec<String> {
    let [node, increments, state] = [(); 3].map(|()| free_port());
    let provider = format!(
        "base_host=127.0.0.1;base_port={node};gmcast.listen_addr=tcp://127.0.0.1:{node};\
         ist.recv_addr=127.0.0.1:{increments};gcache.size=16M"
    );
    vec![
        "--wsrep-on=ON".to_owned(),
        format!("--wsrep-provider={GALERA}"),
        format!("--wsrep-provider-options={provider}"),
        format!("--wsrep-cluster-address={cluster}"),
        format!("--wsrep-node-address=127.0.0.1:{node}"),
        format!("--wsrep-sst-receive-address=127.0.0.1:{state}"),
        "--wsrep-sst-method=rsync".to_owned(),
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
    ]
}
