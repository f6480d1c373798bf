//! A small disk of our own, to fill it. Only root may mount one.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::vectors::not_run;

/// A file system in memory; it is unmounted when it goes out of scope.
pub(crate) struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// `None`, and a line that says so, where it cannot be mounted.
    pub(crate) fn new(megabytes: u32, test: &str) -> Option<Self> {
        let disk = Self { directory: tempfile::tempdir().expect("a directory") };
        if disk.mount(&["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=755"), "tmpfs"]) {
            return Some(disk);
        }
        not_run(&format!("{test}: a tmpfs cannot be mounted here"));
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn mount(&self, arguments: &[&str]) -> bool {
        let mount = Command::new("mount").args(arguments).arg(self.path()).output();
        mount.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}
