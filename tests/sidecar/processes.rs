//! The processes of these tests: the sidecar, a service in Python, and the proxies before it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tower_user_metadata::conformance::adapter::{Answer, exchange};

use crate::issuer::Issuer;
use crate::support::vectors::not_run;

/// How long a process may take to listen.
pub(crate) const LONGEST: Duration = Duration::from_secs(20);

/// Each setting of the sidecar.
pub(crate) const SETTINGS: [&str; 26] = [
    "LISTEN",
    "JWKS_URL",
    "SUPERTOKENS_CONNECTION_URI",
    "ALLOW_PLAIN_HTTP",
    "OFFLINE_START",
    "TOKENS",
    "ID_TOKENS",
    "ISSUER",
    "AUDIENCE",
    "ANY_AUDIENCE",
    "USER_CLAIM",
    "TENANT_CLAIM",
    "SESSION_CLAIM",
    "INTEGER_IDS",
    "TOKEN_TYPES",
    "REQUIRED_TOKEN_TYPES",
    "REQUIRED_CLAIMS",
    "FORBIDDEN_CLAIMS",
    "LEEWAY",
    "TOKEN_SCHEME",
    "TOKEN_HEADER",
    "SESSION_COOKIE",
    "ANTI_CSRF",
    "REFUSE_PREFLIGHTS",
    "DATABASE_URL",
    "LOG",
];

/// A process that is killed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it reads and writes.
    _directory: Option<TempDir>,
}

impl Process {
    /// The sidecar, for the sessions of this issuer.
    pub(crate) fn sidecar(issuer: &Issuer, settings: &[(&str, &str)]) -> Self {
        let mut command = sidecar();
        command.env("JWKS_URL", issuer.jwks_url()).env("LISTEN", "127.0.0.1:0");
        // Its keys sign for nobody else.
        if !settings.iter().any(|(name, _)| ["AUDIENCE", "ISSUER"].contains(name)) {
            command.env("ANY_AUDIENCE", "true");
        }
        command.envs(settings.iter().copied());
        let (child, line) = spawn(&mut command).expect("it was built");
        let address = line.trim().strip_prefix("listening on http://").expect("it says where it listens");
        Self { child, address: address.parse().expect("an address"), _directory: None }
    }

    /// The service in Python; `None`, and a line that says so, where there is none.
    pub(crate) fn service(sidecar: &Self) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sidecar/service.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(format!("http://{}", sidecar.address));
        let (child, line) = installed("python3", spawn(&mut command))?;
        let port = line.trim().parse::<u16>().expect("it says its port");
        Some(Self { child, address: (Ipv4Addr::LOCALHOST, port).into(), _directory: None })
    }

    /// A proxy with this configuration, in which `{PORT}` is where it listens and `{DIR}` its directory; `command` gets
    /// the path of the configuration.
    pub(crate) fn proxy(program: &str, arguments: &[&str], configuration: &str) -> Option<Self> {
        // Somebody else may take a port that was free a moment ago.
        for _ in 0..10 {
            let directory = tempfile::tempdir().expect("a directory");
            let port = free_port();
            let path = directory.path().display().to_string();
            // Envoy goes by the ending.
            let file = directory.path().join("configuration.yaml");
            let text = configuration.replace("{PORT}", &port.to_string()).replace("{DIR}", &path);
            fs::write(&file, text).expect("it can be written");
            let mut command = Command::new(program);
            command.args(arguments.iter().map(|argument| argument.replace("{PORT}", &port.to_string())));
            command.arg(&file).env("HOME", &path).stdin(Stdio::null()).stderr(Stdio::null());
            let mut child = installed(program, command.spawn())?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let begun = Instant::now();
            while begun.elapsed() < LONGEST && child.try_wait().expect("it is ours").is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Some(Self { child, address, _directory: Some(directory) });
                }
                sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("{program} does not start");
    }

    /// Sends a request with these header lines.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        self.try_send(method, path, headers, body).expect("an answer")
    }

    pub(crate) fn try_send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> std::io::Result<Answer> {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}{length}\r\n");
        exchange(self.address, format!("{head}{body}").as_bytes())
    }

    /// Tells it to stop, as service managers do, and waits for its end.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        assert!(kill.expect("there is a shell").success());
        self.child.wait().expect("it is ours").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // A proxy that is killed leaves its workers, so it is asked first.
        let _ = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sidecar without the settings that this process has by chance.
pub(crate) fn sidecar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user-metadata-auth"));
    for name in SETTINGS {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn spawn(command: &mut Command) -> std::io::Result<(Child, String)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output is piped")).read_line(&mut line)?;
    Ok((child, line))
}

fn installed<T>(program: &str, started: std::io::Result<T>) -> Option<T> {
    match started {
        Ok(started) => Some(started),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            not_run(&format!("tests of the sidecar: `{program}` is not installed"));
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
