//! Small file systems of a test's own, to be filled up and to fail. Mounting them needs root.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use calibd::store::disk::Space;
use rustix::fs::FallocateFlags;
use tempfile::TempDir;

/// A command that runs as root: as whoever runs the tests, or else through sudo.
pub fn rooted(words: &[&str]) -> Command {
    let script = r#"[ "$(id -u)" -eq 0 ] && exec "$@"; exec sudo -n "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(words);
    command
}

/// Runs a command as root.
fn as_root(words: &[&str]) {
    let output = rooted(words).output().unwrap();
    assert!(
        output.status.success(),
        "this test mounts a small file system: it needs root (or sudo without a password), tmpfs, loop devices and \
         mkfs.ext4, also in a container. `{}`: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A mounted file system; it goes with this.
pub struct Disk {
    at: PathBuf,
    image: Option<(TempDir, PathBuf)>,
}

impl Disk {
    /// A tmpfs of so many MiB, mounted at a directory.
    pub fn tmpfs(at: &Path, mib: u32) -> Disk {
        std::fs::create_dir_all(at).unwrap();
        as_root(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            &format!("size={mib}m,mode=0777"),
            "tmpfs",
            at.to_str().unwrap(),
        ]);
        Disk { at: at.to_path_buf(), image: None }
    }

    /// An ext4 of so many MiB, mounted at a directory, that turns read-only when it fails.
    pub fn ext4(at: &Path, mib: u64) -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        File::create(&image).unwrap().set_len(mib << 20).unwrap();
        as_root(&["mkfs.ext4", "-q", "-F", "-m", "0", image.to_str().unwrap()]);
        std::fs::create_dir_all(at).unwrap();
        let disk = Disk { at: at.to_path_buf(), image: Some((dir, image)) };
        disk.mount_image();
        disk
    }

    fn mount_image(&self) {
        let (_, image) = self.image.as_ref().unwrap();
        let (image, at) = (image.to_str().unwrap(), self.at.to_str().unwrap());
        as_root(&["mount", "-o", "loop,errors=remount-ro", image, at]);
        as_root(&["chmod", "0777", at]);
    }

    /// Lets an ext4 find a fault in itself: from now on it is read-only, also for files that are open.
    pub fn fails(&self) {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let at = format!(" {} ", self.at.display());
        let device = mounts.lines().find(|line| line.contains(&at)).unwrap().split(' ').next().unwrap();
        let trigger = format!("/sys/fs/ext4/{}/trigger_fs_error", device.rsplit('/').next().unwrap());
        as_root(&["sh", "-c", &format!("echo 1 > {trigger}")]);
    }

    /// Mends an ext4 that has failed, as the next start of the machine would.
    pub fn mended(&self) {
        as_root(&["umount", self.at.to_str().unwrap()]);
        self.mount_image();
    }

    /// Keeps everybody who writes there waiting until what is returned is dropped.
    pub fn frozen(&self) -> Frozen<'_> {
        as_root(&["fsfreeze", "--freeze", self.at.to_str().unwrap()]);
        Frozen(self)
    }

    /// Mounts it again with another option.
    pub fn remount(&self, option: &str) {
        as_root(&["mount", "-o", &format!("remount,{option}"), self.at.to_str().unwrap()]);
    }

    /// Lets somebody else's file take all that is left.
    pub fn fill(&self) {
        let file = File::options().create(true).append(true).open(self.at.join("somebody-elses"));
        let error = io::copy(&mut io::repeat(0), &mut file.unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    /// Lets somebody else's file grow or shrink until so many bytes are free.
    pub fn leave(&self, wanted: u64) {
        let file = File::options().create(true).append(true).open(self.at.join("somebody-elses")).unwrap();
        let (free, length) = (Space::of(&self.at).unwrap().free, file.metadata().unwrap().len());
        if free < wanted {
            file.set_len(length.saturating_sub(wanted - free)).unwrap();
        } else {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), length, free - wanted).unwrap();
        }
    }
}

/// A file system that lets nobody write.
pub struct Frozen<'a>(&'a Disk);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        // Whatever has become of the test: what waits there cannot be killed.
        let _ = rooted(&["fsfreeze", "--unfreeze", self.0.at.to_str().unwrap()]).status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon of a failed test may still be at work there. A second panic would hide the first.
        if !std::thread::panicking() {
            as_root(&["umount", "-l", self.at.to_str().unwrap()]);
        } else {
            let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        }
    }
}
