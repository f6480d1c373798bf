//! The keys of a key server: what is taken from it, how often it is asked, and what holds while it fails.

mod documents;
mod flight;
mod keys;
#[path = "../support/log.rs"]
mod log;
mod logs;
mod schedule;
mod script;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod wire;

/// Runs a test of this binary in a process of its own, with these variables in its environment.
async fn run_alone(test: &str, variables: &[(&str, &str)]) {
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", test, "--nocapture"]).envs(variables.iter().copied()).env_remove("NO_PROXY");
    let output = child.env_remove("no_proxy").output().await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
