//! MariaDB servers of our own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mysql_async::{Conn, Opts};
use tempfile::TempDir;
use tokio::time::sleep;

use super::owner::{as_user, give_to_user};
use super::process::{Running, free_port};
use crate::support::vectors::not_run;

/// How long a server may take to start.
const LONGEST: Duration = Duration::from_secs(60);

const NAME: &str = "tester";

/// A server that syncs before it acknowledges; it is stopped when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Mariadb {
    pub(crate) directory: TempDir,
    pub(crate) port: u16,
    pub(crate) password: String,
    pub(crate) arguments: Vec<String>,
    running: Option<Running>,
}

impl Mariadb {
    /// Starts a server with more settings, each `--name=value`; `None`, and a line that says so, when MariaDB is not
    /// installed.
    pub(crate) async fn start(settings: &[&str]) -> Option<Self> {
        let (Some(install), Some(_)) = (program("mariadb-install-db"), program("mariadbd")) else {
            not_run("tests with MariaDB: no `mariadb-install-db` and `mariadbd` in /usr/sbin or in PATH");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let password = format!("{:016x}", getrandom::u64().expect("random numbers"));
        let init = directory.path().join("init.sql");
        // Each statement on a line of its own, as the server demands.
        let statements = format!(
            "CREATE USER IF NOT EXISTS {NAME}@'%' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO {NAME}@'%' WITH GRANT OPTION;\n\
             DROP USER IF EXISTS root@localhost, root@'127.0.0.1', root@'::1', ''@localhost;\n\
             CREATE DATABASE IF NOT EXISTS app;\n"
        );
        fs::write(&init, statements).expect("written");
        give_away(directory.path());
        give_away(&init);
        let made = as_owner(&install)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", directory.path().join("data").display()))
            // Servers that are made at the same time would else find one another's tables.
            .arg(format!("--tmpdir={}", directory.path().display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--skip-name-resolve", "--innodb-log-file-size=16M"])
            .current_dir(directory.path())
            .output()
            .expect("mariadb-install-db runs");
        assert!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
        Some(Self::up(directory, password, settings).await)
    }

    pub(crate) async fn up(directory: TempDir, password: String, settings: &[&str]) -> Self {
        let arguments = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { directory, port: 0, password, arguments, running: None };
        // Somebody else may take a port that was free a moment ago.
        for _ in 0..10 {
            server.port = free_port();
            if server.run().await {
                return server;
            }
        }
        panic!("MariaDB does not start: {}", server.log());
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The URL by which a proxy at this port is reached.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("mariadb://{NAME}:{}@127.0.0.1:{port}/app", self.password)
    }

    /// A connection of somebody else.
    pub(crate) async fn stranger(&self) -> Conn {
        self.try_stranger().await.expect("a connection")
    }

    async fn try_stranger(&self) -> Result<Conn, mysql_async::Error> {
        let url = self.url().replace("mariadb://", "mysql://");
        Conn::new(Opts::from_url(&url).expect("a URL")).await
    }

    /// Whether the server came up; it did not when it ended by itself.
    pub(crate) async fn run(&mut self) -> bool {
        let folder = self.directory.path();
        let log = fs::OpenOptions::new().append(true).create(true).open(folder.join("log"));
        let inside = |option: &str, file: &str| format!("--{option}={}", folder.join(file).display());
        let mut command = as_owner(&program("mariadbd").expect("installed"));
        command
            .arg("--no-defaults")
            .args([inside("datadir", "data"), inside("socket", "socket"), inside("pid-file", "pid")])
            .args([inside("init-file", "init.sql"), inside("tmpdir", ""), format!("--port={}", self.port)])
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=1"])
            .args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"])
            .args(&self.arguments)
            .current_dir(folder)
            .stderr(log.expect("a log"));
        let mut running = Running::start(&mut command, "KILL").expect("mariadbd runs");
        let (begin, mut up) = (Instant::now(), false);
        while !up && !running.has_ended() && begin.elapsed() < LONGEST {
            sleep(Duration::from_millis(20)).await;
            // Another server that took the port would not know the password.
            up = self.try_stranger().await.is_ok();
        }
        self.running = Some(running);
        if !up {
            self.kill();
        }
        up
    }

    /// Kills the server, which has no chance to finish anything.
    pub(crate) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["/usr/sbin".into(), "/usr/bin".into()].into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder: PathBuf| folder.join(name)).find(|program| program.is_file())
}

/// A program run as `mysql` where this process is root, as whom MariaDB refuses to run.
fn as_owner(program: &Path) -> Command {
    as_user("mysql", program)
}

pub(crate) fn give_away(path: &Path) {
    give_to_user("mysql", path);
}
