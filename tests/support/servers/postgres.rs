//! PostgreSQL servers of our own.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use super::owner::{as_user, give_to_user};
use super::process::{Running, free_port};
use crate::support::vectors::not_run;

/// How long a server may take to start or stop.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) const NAME: &str = "tester";

/// A server that syncs before it acknowledges; it is stopped when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Postgres {
    pub(crate) directory: TempDir,
    pub(crate) port: u16,
    pub(crate) password: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) running: Option<Running>,
}

impl Postgres {
    /// Starts a server with more settings, each `name=value`; `None`, and a line that says so, when PostgreSQL is not
    /// installed.
    pub(crate) async fn start(settings: &[&str]) -> Option<Self> {
        Self::start_with_files(settings, &[]).await
    }

    /// The same with files beside the data directory, which nobody else may read.
    pub(crate) async fn start_with_files(settings: &[&str], files: &[(&str, String)]) -> Option<Self> {
        let Some(programs) = programs() else {
            not_run("tests with PostgreSQL: no `initdb` in /usr/lib/postgresql/*/bin or in PATH");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let password = format!("{:016x}", getrandom::u64().expect("random numbers"));
        give_away(directory.path());
        let verifier = verifier(&password);
        for (name, content) in files.iter().map(|(name, content)| (*name, content)).chain([("password", &verifier)]) {
            let path = directory.path().join(name);
            fs::write(&path, content).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
            give_away(&path);
        }
        let made = as_owner(&programs.join("initdb"))
            .args(["--username", NAME, "--pwfile", "password", "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--no-locale", "--no-sync", "--pgdata", "data"])
            .current_dir(directory.path())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let arguments = settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]).collect();
        Some(Self { directory, port: 0, password, arguments, running: None }.somewhere().await)
    }

    /// Starts it on a port that is free.
    pub(crate) async fn somewhere(mut self) -> Self {
        // Somebody else may take a port that was free a moment ago.
        for _ in 0..10 {
            self.port = free_port();
            if self.run().await {
                return self;
            }
        }
        panic!("PostgreSQL does not start: {}", self.log());
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The URL by which a proxy at this port is reached.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{port}/postgres", self.password)
    }

    /// A connection of somebody else.
    pub(crate) async fn stranger(&self) -> tokio_postgres::Client {
        self.try_stranger().await.expect("a connection")
    }

    async fn try_stranger(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        Self::stranger_by(&self.url()).await
    }

    /// A connection of somebody else, by this URL.
    pub(crate) async fn stranger_by(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Whether the server came up; it did not when it ended by itself.
    pub(crate) async fn run(&mut self) -> bool {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.directory.path().join("log"));
        let mut command = as_owner(&programs().expect("installed").join("postgres"));
        command
            .args(["-D", "data", "-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "shared_buffers=32MB"])
            .args(&self.arguments)
            .current_dir(self.directory.path())
            .stderr(log.expect("a log"));
        let mut running = Running::start(&mut command, "QUIT").expect("postgres runs");
        let (begin, mut up) = (Instant::now(), false);
        while !up && !running.has_ended() && begin.elapsed() < LONGEST {
            sleep(Duration::from_millis(20)).await;
            // Another server that took the port would not know the password.
            up = self.try_stranger().await.is_ok();
        }
        self.running = Some(running);
        if !up {
            self.stop();
        }
        up
    }

    /// Stops the server at once, as it does when the machine goes down.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let mut server = running.unguarded();
            if server.try_wait().expect("a process").is_none() {
                let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            }
            server.wait().expect("the server ends");
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The directory with `initdb` and `postgres`, of the newest version that is installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    found.sort_by_key(|bin| bin.parent().and_then(|v| v.file_name()?.to_str()?.parse::<u32>().ok()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.into_iter().rev().chain(std::env::split_paths(&path)).find(|bin| bin.join("initdb").is_file())
}

/// A program run as `postgres` where this process is root, as whom PostgreSQL refuses to run.
pub(crate) fn as_owner(program: &Path) -> Command {
    as_user("postgres", program)
}

/// What the server keeps of a password (RFC 5803), after a single iteration: thousands of them would be most of the time
/// that these tests take.
fn verifier(password: &str) -> String {
    let (salt, mut salted) = (b"salt of the tests", [0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::MIN, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let stored_key = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [&salt[..], stored_key.as_ref(), server_key.as_ref()].map(|b| STANDARD.encode(b));
    format!("SCRAM-SHA-256$1:{salt}${stored}:{server}")
}

pub(crate) fn give_away(path: &Path) {
    give_to_user("postgres", path);
}
