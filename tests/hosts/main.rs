//! The crate as one more dependency of services that have settings of their own: each folder here is one. All of them
//! must resolve. Those whose behaviour the features of this crate could change are built and run; `HOSTS_RUN=all` does
//! that with each.

#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::vectors::{not_run, say};

/// What Cargo says where there is no registry.
const NO_NETWORK: [&str; 3] = ["download of config.json failed", "Could not resolve host", "failed to download from"];

struct Host {
    name: String,
    folder: PathBuf,
    /// It must be built and run, not only resolved.
    runs: bool,
}

#[test]
fn every_host_resolves() {
    let hosts = hosts();
    assert!(hosts.len() >= 30, "{} hosts were found", hosts.len());
    each(&hosts, |host| cargo(host, &["generate-lockfile", "--quiet"]));
}

#[test]
fn hosts_run_as_without_the_crate() {
    let all = env::var("HOSTS_RUN").is_ok_and(|hosts| hosts == "all");
    let hosts: Vec<_> = hosts().into_iter().filter(|host| host.runs || all).collect();
    assert!(!hosts.is_empty(), "no host is run");
    each(&hosts, |host| cargo(host, &["run", "--quiet"]));
}

/// The folders with a manifest, in the order of their names; `HOSTS` can name one, or the beginning of some.
fn hosts() -> Vec<Host> {
    let only = env::var("HOSTS").unwrap_or_default();
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts")).expect("a folder");
    let mut hosts: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|folder| {
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
            let manifest: toml::Table = manifest.parse().expect("a manifest");
            let package = &manifest["package"];
            let host = package.get("metadata").and_then(|metadata| metadata.get("host"));
            let runs = host.and_then(|host| host.get("run")).and_then(toml::Value::as_bool).unwrap_or(false);
            Some(Host { name: folder.file_name()?.to_string_lossy().into_owned(), folder, runs })
        })
        .filter(|host| host.name.starts_with(&only))
        .collect();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    hosts
}

/// Names each host and why it fails.
fn each(hosts: &[Host], check: impl Fn(&Host) -> Result<(), String>) {
    let mut failed = Vec::new();
    for host in hosts {
        match check(host) {
            Ok(()) => say(&format!("host {}: ok", host.name)),
            Err(output) if NO_NETWORK.iter().any(|sign| output.contains(sign)) => {
                return not_run("hosts: the registry cannot be reached");
            }
            Err(output) => {
                say(&format!("host {}: failed\n{output}", host.name));
                failed.push(&host.name);
            }
        }
    }
    assert!(failed.is_empty(), "{} of {} hosts fail: {failed:?}", failed.len(), hosts.len());
}

/// What Cargo printed, if it failed. The hosts share what is compiled; each has its own newest dependencies.
fn cargo(host: &Host, arguments: &[&str]) -> Result<(), String> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("hosts");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(&host.folder)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .output()
        .expect("cargo starts");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
