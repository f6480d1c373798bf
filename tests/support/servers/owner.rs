//! Whom the files and processes of a server belong to that refuses to run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A program run as this user where this process is root.
pub(crate) fn as_user(name: &str, program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = instead_of_root(name) {
        command.uid(user).gid(group);
    }
    command
}

/// Makes a file or folder the user's, where this process is root.
pub(crate) fn give_to_user(name: &str, path: &Path) {
    if let Some((user, group)) = instead_of_root(name) {
        chown(path, Some(user), Some(group)).expect("given away");
    }
}

fn instead_of_root(name: &str) -> Option<(u32, u32)> {
    let process = fs::read_to_string("/proc/self/status").expect("the status of this process");
    let root = process.lines().any(|line| line.starts_with("Uid:\t0\t"));
    let passwords = fs::read_to_string("/etc/passwd").expect("the users");
    let user = passwords.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":x:"));
    let mut numbers = user.unwrap_or_default().split(':').map(str::parse);
    let (Some(Ok(user)), Some(Ok(group)), true) = (numbers.next(), numbers.next(), root) else { return None };
    Some((user, group))
}
