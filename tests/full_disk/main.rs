//! Property: a full disk is told as such, costs nothing that was acknowledged, and writing goes on once there is room.
//! Method: a device, and then a server, on a small tmpfs that is filled up. Needs the right to mount one, so this suite
//! has a harness of its own: without that right it says what was skipped; under `CI=true` it fails instead.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use beatbook_tests::{Canaries, Device, Force, assert_each_once};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let scenarios: [(&str, Scenario); 2] =
        [("a_full_device", a_full_device), ("a_full_server", a_full_server)];
    for (name, scenario) in scenarios {
        if !wanted.is_empty() && !wanted.iter().any(|words| name.contains(words.as_str())) {
            continue;
        }
        match Small::mount() {
            Ok(small) => scenario(&small),
            Err(why) => {
                println!("skipped {name}: no tmpfs could be mounted ({why}); run this suite as root");
                if std::env::var("CI").is_ok_and(|value| value == "true") {
                    return ExitCode::FAILURE;
                }
                continue;
            }
        }
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

type Scenario = fn(&Small);

fn a_full_device(small: &Small) {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let token = force.token(
        &beatbook_tests::Enrolment {
            collar: "9123",
            address: None,
            name: "phone",
        },
        &[],
    );
    let phone = Device::at(small.path().join("phone/store"));
    phone.run(&["enrol", "--token", &token]).done();
    let mut words = vec![canaries.word()];
    phone.note(&words[0]);

    for leave in [FREE_TOO_LITTLE, 0] {
        small.fill(leave);
        let refused = phone.run(&["note", "no room for this", "--beat", "C02"]).exits(1);
        refused.complains("full");
        if leave > 0 {
            assert_each_once(&phone.list(), &words);
        }
        small.empty();
        words.push(canaries.word());
        phone.note(&words[words.len() - 1]);
        assert_each_once(&phone.list(), &words);
        phone.sync();
    }
    phone.run(&["check"]).done();
    let desk = force.enrol("desk", "214");
    assert_each_once(&desk.pull(), &words);
    assert!(
        !desk
            .list()
            .iter()
            .any(|record| record.to_string().contains("no room for this"))
    );
}

fn a_full_server(small: &Small) {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    force.stop();
    let data = small.path().join("force");
    beatbook_tests::copy_folder(force.data(), &data);
    force.move_to(data);
    force.serve();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let mut words = vec![canaries.word()];
    phone.note(&words[0]);
    phone.sync();

    small.fill(FREE_TOO_LITTLE);
    words.push(canaries.word());
    phone.note(&words[1]);
    let failed = phone.run(&["sync"]).exits(1);
    assert!(!failed.stderr.is_empty(), "it says why: {failed:?}");
    assert!(
        phone.count("pending") > 0,
        "no receipt for what is not on the server's disk"
    );

    small.empty();
    phone.sync();
    assert_eq!(phone.count("pending"), 0, "and it resumes");
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
    force.stop();
}

/// A small file system of its own. Dropping it unmounts it.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(folder.path())
            .output()
            .map_err(|error| error.to_string())?;
        if mounted.status.success() {
            Ok(Self { folder })
        } else {
            Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned())
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes all room but so many bytes.
    fn fill(&self, leave: u64) {
        let room = rustix::fs::statvfs(self.path()).expect("it is mounted");
        let mut take = (room.f_bavail * room.f_frsize).saturating_sub(leave);
        let mut file = File::create(self.filler()).expect("there is room for a name");
        let block = vec![0x5a; 64 << 10];
        while take > 0 {
            let piece = usize::try_from(take).unwrap_or(usize::MAX).min(block.len());
            if file.write_all(&block[..piece]).is_err() {
                break;
            }
            take -= piece as u64;
        }
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).expect("the filler is there");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A process that still has a file there would keep it busy; a lazy unmount outlives that.
        let unmounted = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.folder.path().display());
        }
    }
}

/// Less than a store needs to go on safely.
const FREE_TOO_LITTLE: u64 = 1 << 20;
