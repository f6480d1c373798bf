//! A small disk of our own, to fill it. Only root may mount one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

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

    /// Mounts it anew. A process that another test starts holds all files for a moment, so it may need some patience.
    pub(crate) fn remount(&self, option: &str) {
        let option = format!("remount,{option}");
        let mounted = (0..100).any(|_| {
            let mounted = self.mount(&["-o", &option]);
            if !mounted {
                std::thread::sleep(Duration::from_millis(10));
            }
            mounted
        });
        assert!(mounted, "{option}");
    }

    /// Fills the disk up to some free bytes.
    pub(crate) fn fill(&self, left: usize) -> PathBuf {
        let filler = self.path().join("filler");
        let mut file = fs::File::create(&filler).expect("created");
        let mut size = 0;
        for chunk in [64 << 10, 4 << 10] {
            while file.write_all(&vec![0; chunk]).is_ok() {
                size += chunk;
            }
        }
        file.set_len((size - left) as u64).expect("cut");
        filler
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        let mount = Command::new("mount").args(arguments).arg(self.path()).output();
        mount.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}
