//! Every example on every store, named by `DATABASE_URL` alone; killed and started again where the store is durable.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::exchange;

/// A running example, killed when it is dropped, as a crash would.
struct Example {
    child: Child,
    address: SocketAddr,
    token: String,
    /// Held open: it may print more.
    _output: BufReader<ChildStdout>,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Example {
    /// Starts it, and signs in as a user of its own.
    fn start(name: &str, url: &str) -> Self {
        // The tests are in `target/PROFILE/deps`, the examples beside that.
        let tests = std::env::current_exe().expect("this test has a file");
        let binary = tests.ancestors().nth(2).expect("two directories deep").join("examples").join(name);
        assert!(binary.is_file(), "{}: build it with `cargo build --examples --all-features`", binary.display());
        let mut command = Command::new(binary);
        for variable in ["JWKS_URL", "ISSUER", "AUDIENCE", "ANY_AUDIENCE"] {
            command.env_remove(variable);
        }
        command.env("PORT", "0").env("DATABASE_URL", url).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("it prints");
        let address = line.strip_prefix("listening on http://").and_then(|rest| rest.split(',').next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{name} does not say where it listens, but {line:?}");
        };
        let mut example = Self { child, address, token: String::new(), _output: output };
        let login = example.call("POST", "/login", &json!({ "userId": format!("user of {name}") }).to_string());
        example.token = login["accessToken"].as_str().expect("a token").to_owned();
        example
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = exchange(self.address, request.as_bytes()).expect("an answer");
        assert_eq!(answer.status(), 200, "{path}: {}", answer.body_text());
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    fn read(&self) -> Value {
        self.call("GET", "/userinfo", "")
    }

    fn update(&self, update: &Value, merged: &Value) {
        let answer = self.call("POST", "/updateinfo", &update.to_string());
        let message = "successfully updated user metadata";
        assert_eq!(answer, json!({ "message": message, "metadata": merged }));
        assert_eq!(self.read(), *merged);
    }
}

/// The examples that are the application of the README.
fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").path());
    let application = |file: &Path| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.contains("mod app;") && text.contains("updateinfo") && text.contains("clearinfo")
    };
    let mut names: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs") && application(file))
        .map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "only {names:?}");
    names
}

fn all_serve(url: &str, durable: bool) {
    for name in examples() {
        let example = Example::start(&name, url);
        assert_eq!(example.read(), json!({}), "{name}");
        let first = json!({ "preferences": { "theme": "dark", "font": null }, "todos": ["one"], "n": 1.5 });
        example.update(&first, &first);
        let left = json!({ "preferences": {}, "n": 1.5 });
        example.update(&json!({ "preferences": {}, "todos": null }), &left);
        drop(example);
        let again = Example::start(&name, url);
        let left = if durable { left } else { json!({}) };
        assert_eq!(again.read(), left, "{name} after it was killed");
        assert_eq!(again.call("POST", "/clearinfo", ""), json!({ "success": true }), "{name}");
        assert_eq!(again.read(), json!({}), "{name}");
    }
}

#[test]
fn in_memory() {
    all_serve("memory:", false);
}

#[test]
fn on_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    all_serve(&format!("sqlite://{}", directory.path().join("metadata.db").display()), true);
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let Some(server) = crate::servers::postgres::Postgres::start(&[]).await else { return };
    all_serve(&server.url(), true);
}

#[cfg(feature = "mariadb")]
#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb() {
    let Some(server) = crate::servers::mariadb::Mariadb::start(&[]).await else { return };
    all_serve(&server.url(), true);
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    let Some(server) = crate::servers::redis::Redis::start(&[]).await else { return };
    all_serve(&server.url(), true);
}
