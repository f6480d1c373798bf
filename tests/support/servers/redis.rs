//! Redis servers of our own.

use std::io::ErrorKind;
use std::process::Command;
use std::time::{Duration, Instant};

use ::redis::{Value, cmd};
use tempfile::TempDir;
use tokio::time::sleep;

use super::process::{Running, free_port};
use crate::support::vectors::{not_run, say};

/// How long a server may take to start, stop or take notice of something.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// The program that is started, `redis-server` by default: Valkey is another that speaks the same protocol.
pub(crate) fn program() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// A server with a log that is synced before each answer; it is killed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Redis {
    directory: TempDir,
    pub(crate) port: u16,
    pub(crate) arguments: Vec<String>,
    pub(crate) running: Option<Running>,
}

impl Redis {
    /// Starts a server with more arguments; `None`, and a line that says so, when Redis is not installed.
    pub(crate) async fn start(arguments: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut redis = Self { directory, port: 0, arguments, running: None };
        // Somebody else may take a port that was free a moment ago.
        for _ in 0..10 {
            redis.port = free_port();
            match redis.run().await {
                Ok(true) => return Some(redis),
                // Valkey can be built so.
                Ok(false) if redis.log().contains("Failed finding TLS support") => {
                    say(&format!("`{}` is built without TLS", program()));
                    return None;
                }
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    not_run(&format!("tests with Redis: `{}` is not installed", program()));
                    return None;
                }
                Err(error) => panic!("{}: {error}", program()),
            }
        }
        panic!("{} does not start: {}", program(), redis.log());
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command and waits for its answer.
    pub(crate) fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub(crate) fn try_command(&self, words: &[&str]) -> ::redis::RedisResult<Value> {
        let client = ::redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(LONGEST)?;
        connection.set_read_timeout(Some(LONGEST))?;
        let (name, arguments) = words.split_first().expect("a command");
        cmd(name).arg(arguments).query(&mut connection)
    }

    /// Kills the server as it stands, as a power switch would.
    pub(crate) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Whether the server came up; it did not when it ended by itself.
    pub(crate) async fn run(&mut self) -> std::io::Result<bool> {
        self.kill();
        let mut command = Command::new(program());
        command
            .args(["--bind", "127.0.0.1", "--daemonize", "no", "--save", "", "--logfile", "log"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--port", &self.port.to_string()])
            .arg("--dir")
            .arg(self.directory.path())
            .args(&self.arguments)
            .current_dir(self.directory.path());
        let mut running = Running::start(&mut command, "KILL")?;
        let begin = Instant::now();
        let mut up = false;
        while !up && !running.has_ended() && begin.elapsed() < LONGEST {
            sleep(Duration::from_millis(10)).await;
            up = self.try_command(&["INFO"]).is_ok_and(|answer| {
                let text: String = ::redis::from_redis_value(answer).unwrap_or_default();
                // Another server that took the port would answer as well.
                let own = format!("process_id:{}", running.server.id());
                [&own, "loading:0"].into_iter().all(|wanted| text.lines().any(|line| line.trim() == wanted))
            });
        }
        self.running = Some(running);
        Ok(up)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
