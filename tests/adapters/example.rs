use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tower_user_metadata::conformance::adapter::{Answer, exchange};

use crate::issuer::Issuer;
use crate::lambda::{Gateway, Trigger};

/// How long an example may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running example, killed when it is dropped.
pub(crate) struct Example {
    pub(crate) address: SocketAddr,
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// What a function on AWS Lambda stands behind.
    gateway: Option<Gateway>,
}

impl Example {
    /// Starts the example with a database in `directory`, and takes the sessions of this issuer.
    pub(crate) fn trusting(name: &str, directory: &Path, issuer: &Issuer) -> Self {
        Self::start(name, directory, &issued_by(issuer))
    }

    pub(crate) fn start(name: &str, directory: &Path, settings: &[(&str, &str)]) -> Self {
        if let Some(trigger) = Trigger::ALL.into_iter().find(|trigger| trigger.name() == name) {
            return Self::function(trigger, directory, settings);
        }
        Self::listening(name, command(name, directory, settings).spawn().expect("the example starts"))
    }

    fn listening(name: &str, mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it prints");
        let url = line.strip_prefix("listening on http://").and_then(|rest| rest.split(',').next());
        let address = url.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{name} does not say where it listens, but {line:?} and ends with {:?}", child.wait());
        };
        Self { address, child, stdout: Some(stdout), gateway: None }
    }

    /// Starts the example with the log that it has by itself.
    pub(crate) fn logging(name: &str, directory: &Path) -> (Self, ChildStderr) {
        let mut command = command(name, directory, &[]);
        let mut child = command.env_remove("RUST_LOG").stderr(Stdio::piped()).spawn().expect("the example starts");
        let stderr = child.stderr.take().expect("it is piped");
        (Self::listening(name, child), stderr)
    }

    /// Starts the example for AWS Lambda, with a database in `directory`; its address is that of the gateway.
    pub(crate) fn function(trigger: Trigger, directory: &Path, settings: &[(&str, &str)]) -> Self {
        let gateway = Gateway::start(trigger);
        let mut command = command("lambda", directory, settings);
        command.envs(function_environment(&gateway));
        let mut child = command.spawn().expect("the example starts");
        let stdout = child.stdout.take().map(BufReader::new);
        Self { address: gateway.address, child, stdout, gateway: Some(gateway) }
    }

    /// Hands the function an event; its answer.
    pub(crate) fn invoke(&self, event: &Value) -> Value {
        let gateway = self.gateway.as_ref().expect("a function");
        gateway.invoke(event).unwrap_or_else(|| panic!("no answer to {event}"))
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\n{}\r\n", head(token)))
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        self.send(&post(path, token, body))
    }

    pub(crate) fn send(&self, request: &str) -> Answer {
        exchange(self.address, request.as_bytes()).expect("an answer")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        stream
    }

    /// Kills the process as a crash would: without any chance to finish something.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
        // Nobody answers its clients any more.
        drop(self.gateway.take());
    }

    /// Asks the process to stop, as service managers do.
    pub(crate) fn terminate(&self) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        assert!(kill.expect("there is a shell").success());
    }

    /// How the process ended; its output ends with it.
    pub(crate) fn wait(&mut self, at_most: Duration) -> ExitStatus {
        let mut stdout = self.stdout.take().expect("waited for once");
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(stdout.read_to_end(&mut Vec::new()).is_ok()));
        assert_eq!(end.recv_timeout(at_most), Ok(true), "the process still runs after {at_most:?}");
        self.child.wait().expect("it is ours")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings for the sessions of this issuer, whose keys sign for nobody else.
pub(crate) fn issued_by(issuer: &Issuer) -> [(&'static str, &str); 2] {
    [("JWKS_URL", issuer.jwks_url()), ("ANY_AUDIENCE", "true")]
}

/// The text of an update or a clear on a connection of its own.
pub(crate) fn post(path: &str, token: &str, body: &str) -> String {
    let (head, length) = (head(token), body.len());
    format!("POST {path} HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Sends a request on a connection that stays open, and reads the answer's body.
///
/// A server may close the connection after an answer to a request whose body it has not read, and says so (RFC 9112
/// section 9.6): actix-web does. Then the stream is a new one.
pub(crate) fn on_open_connection(stream: &mut TcpStream, request: &str) -> String {
    let request = request.replace("Connection: close\r\n", "");
    stream.write_all(request.as_bytes()).expect("the connection is open");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("a head in ASCII").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).expect("a whole body");
    if head.contains("\r\nconnection: close\r\n") {
        let address = stream.peer_addr().expect("it was connected");
        *stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    }
    String::from_utf8(body).expect("a body in UTF-8")
}

fn head(token: &str) -> String {
    format!("Host: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n")
}

/// The example with a database in `directory`, and on a free port where it listens by itself.
fn command(name: &str, directory: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary(name));
    for name in ["JWKS_URL", "ISSUER", "AUDIENCE", "ANY_AUDIENCE"] {
        command.env_remove(name);
    }
    let database = format!("sqlite://{}", directory.join("metadata.db").display());
    command.env("PORT", "0").env("DATABASE_URL", database).envs(settings.iter().copied());
    // Thousands of requests are refused.
    command.env("RUST_LOG", "off").stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What AWS Lambda has in the environment of a function.
pub(crate) fn function_environment(gateway: &Gateway) -> [(&'static str, String); 5] {
    [
        ("AWS_LAMBDA_RUNTIME_API", gateway.runtime_api.to_string()),
        ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "test".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
    ]
}

/// What the example says that does not start with these settings, and how it ends.
pub(crate) fn refused(name: &str, directory: &Path, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = command(name, directory, settings).stderr(Stdio::piped()).output().expect("the example starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

fn binary(name: &str) -> std::path::PathBuf {
    // The tests are in `target/PROFILE/deps`, the examples beside that.
    let tests = std::env::current_exe().expect("this test has a file");
    let profile = tests.ancestors().nth(2).expect("it is two directories deep");
    let binary = profile.join("examples").join(name);
    assert!(binary.is_file(), "{} is missing: build it with `cargo build --examples --all-features`", binary.display());
    binary
}
