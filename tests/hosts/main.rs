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
    /// It comes with a lock file.
    is_locked: bool,
}

#[test]
fn every_host_resolves() {
    let hosts = hosts();
    assert!(hosts.len() >= 30 || env::var_os("HOSTS").is_some(), "{} hosts were found", hosts.len());
    each(&hosts, |host| match host.is_locked {
        true => cargo(host, &["fetch", "--locked", "--quiet"]),
        false => cargo(host, &["generate-lockfile", "--quiet"]),
    });
}

#[test]
fn hosts_run_as_without_the_crate() {
    let all = env::var("HOSTS_RUN").is_ok_and(|hosts| hosts == "all");
    let hosts: Vec<_> = hosts().into_iter().filter(|host| host.runs || all).collect();
    assert!(!hosts.is_empty(), "no host is run");
    each(&hosts, |host| {
        cargo(host, if host.is_locked { &["run", "--locked", "--quiet"] } else { &["run", "--quiet"] })
    });
}

/// What Cargo.toml says of the oldest version of each dependency is compiled and run by one of the hosts with lock files,
/// so that the crate moves nothing in the lock file of an application that need not move.
#[test]
fn every_floor_is_in_a_lock_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).expect("a file").parse::<toml::Table>().expect("TOML");
    let mut locked = Vec::new();
    for lock in ["oldest_dependencies", "oldest_dependencies_all_features"] {
        let lock = read(&root.join("tests/hosts").join(lock).join("Cargo.lock"));
        for package in lock["package"].as_array().expect("packages") {
            locked.push(format!(
                "{} {}",
                package["name"].as_str().expect("a name"),
                package["version"].as_str().expect("one")
            ));
        }
    }
    let manifest = read(&root.join("Cargo.toml"));
    let missing: Vec<_> = manifest["dependencies"]
        .as_table()
        .expect("dependencies")
        .iter()
        .map(|(name, value)| {
            let requirement = value.as_str().or_else(|| value["version"].as_str()).expect("a requirement");
            format!("{name} {}", floor(requirement))
        })
        .filter(|floor| !locked.contains(floor))
        .collect();
    assert!(missing.is_empty(), "in no lock file: {missing:?}; run scripts/oldest-dependencies");
}

/// The oldest version that a requirement such as `1.9` or `>=0.32, <0.44` allows.
fn floor(requirement: &str) -> String {
    let digits = requirement.trim_start_matches(|sign: char| !sign.is_ascii_digit());
    let end = digits.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(digits.len());
    let mut numbers: Vec<_> = digits[..end].split('.').collect();
    numbers.resize(3, "0");
    numbers.join(".")
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
            let name = folder.file_name()?.to_string_lossy().into_owned();
            let is_locked = name.starts_with("oldest_dependencies");
            Some(Host { name, folder, runs, is_locked })
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
