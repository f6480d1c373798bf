//! The house rules that a compiler does not know: which module may use which, how long a file may be, which versions
//! of dependencies are too old.

mod imports;
mod reasons;

use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 300;

/// An adapter has fewer lines than this that do something: what repeats is beside the adapters, in `Authenticator`, in the
/// endpoints.
const MAX_ADAPTER_LINES: usize = 170;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files
}

/// The lines of a file above its tests, without comments.
fn code(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("a text");
    let above_tests = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    above_tests.filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = rust_files(&root().join("src"))
        .into_iter()
        .filter_map(|file| {
            let text = fs::read_to_string(&file).expect("a text");
            let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            (lines >= MAX_LINES && file.file_name() != Some("tests.rs".as_ref()))
                .then(|| format!("{lines} {}", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_adapter_is_too_large() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("src/adapter")).expect("a folder").map(|entry| entry.expect("an entry")) {
        if !entry.path().is_dir() {
            continue;
        }
        seen += 1;
        let name = entry.file_name().to_string_lossy().into_owned();
        let names_others = |line: &str| ["use ", "pub use ", "mod "].iter().any(|start| line.starts_with(start));
        let does = |line: &&String| !line.trim().is_empty() && !names_others(line.trim());
        let lines: usize = rust_files(&entry.path()).iter().map(|file| code(file).iter().filter(does).count()).sum();
        assert!(lines < MAX_ADAPTER_LINES, "{name} has {lines} lines of code, and {MAX_ADAPTER_LINES} are too many");
    }
    assert!(seen >= 8, "{seen} adapters were looked at");
}

#[test]
fn nothing_is_left_open() {
    // Pieced together, so that this file does not find itself.
    let open = ["todo", "unimplemented"].map(|name| format!("{name}!(")).into_iter();
    let open: Vec<_> = open.chain([["#[", "ignore"].concat()]).collect();
    for folder in ["src", "tests", "examples", "benches"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a text");
            for word in &open {
                assert!(!text.contains(word.as_str()), "{} holds {word}", file.display());
            }
        }
    }
}

/// The floors of `deny.toml`, compared with the committed lock file: this needs no tool and no advisory database.
#[test]
fn no_dependency_is_below_its_floor() {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).expect("a lock file").parse().expect("toml");
    let deny: toml::Table = fs::read_to_string(root().join("deny.toml")).expect("deny.toml").parse().expect("toml");
    let packages = lock["package"].as_array().expect("packages");
    let mut floors = 0;
    for ban in deny["bans"]["deny"].as_array().expect("bans") {
        let spec = ban["crate"].as_str().expect("a crate");
        let (name, range) = spec.split_once('@').unwrap_or((spec, "*"));
        let range = semver::VersionReq::parse(range).expect("a range");
        floors += 1;
        for package in packages.iter().filter(|package| package["name"].as_str() == Some(name)) {
            let version = package["version"].as_str().expect("a version").parse().expect("a version");
            assert!(!range.matches(&version), "{name} {version} is banned by {spec}");
        }
    }
    assert!(floors >= 10, "deny.toml has {floors} bans only");
}

/// Features whose framework needs a newer compiler itself, so that whoever uses it has that; their documentation says so.
const NEWER: &[&str] = &["salvo"];

/// A stated minimum that a dependency exceeds would not be true; also one of the examples, which newcomers compile first.
#[test]
fn no_dependency_needs_a_newer_compiler_than_we_say() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("toml");
    let features = manifest["features"].as_table().expect("features").keys().map(String::as_str);
    let features: Vec<&str> = features.filter(|feature| !NEWER.contains(feature)).collect();
    let metadata = cargo_metadata(&features.join(","));
    let version = |text: &str| {
        let mut parts = text.split('.').map(|part| part.parse::<u64>().expect("a number"));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let used = dependencies(&metadata);
    assert!(used.len() > 20, "only {} dependencies were looked at", used.len());
    for package in metadata["packages"].as_array().expect("packages") {
        if let (Some(rust), true) = (package["rust_version"].as_str(), used.contains(&package["id"])) {
            assert!(version(rust) <= ours, "{} needs Rust {rust}", package["name"]);
        }
    }
}

/// Newcomers compile one example first. A dev-dependency on another framework, also by way of something else, would make
/// them compile that as well.
#[test]
fn one_example_compiles_no_other_framework() {
    let metadata = cargo_metadata("axum,sqlite");
    let used = dependencies(&metadata);
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let other = ["actix-web", "poem", "rocket", "salvo_core", "warp"].contains(&name);
        assert!(!other || !used.contains(&package["id"]), "{name} is compiled for the example of axum");
    }
}

fn cargo_metadata(features: &str) -> serde_json::Value {
    let metadata = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--features", features, "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    serde_json::from_slice(&metadata.stdout).expect("json")
}

/// The packages that the library, its tests and its examples compile with these features.
fn dependencies(metadata: &serde_json::Value) -> Vec<serde_json::Value> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let mut open = vec![metadata["resolve"]["root"].clone()];
    let mut seen = Vec::new();
    while let Some(id) = open.pop() {
        if seen.contains(&id) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id).expect("a node");
        for dependency in node["deps"].as_array().expect("deps") {
            open.push(dependency["pkg"].clone());
        }
        seen.push(id);
    }
    seen
}
