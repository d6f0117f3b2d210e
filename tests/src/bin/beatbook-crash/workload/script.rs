//! The workloads by name, and what each of them does: before the recording, and while it is recorded.

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Name {
    DeviceClose,
    DeviceCompact,
    DeviceCreate,
    DeviceLease,
    DeviceNth,
    DevicePin,
    DeviceRebuild,
    DeviceRelease,
    DeviceWrite,
    ForceBackup,
    ForceInit,
    ForceRestore,
    RowsChurn,
    ServerBackup,
    ServerClose,
    ServerCompact,
    ServerCreate,
    ServerNth,
    ServerRebuild,
    ServerRelease,
    ServerWrite,
}

/// One step of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Copies the store into a sealed file and makes that durable; what it covers is released.
    Backup,
    /// Makes the index durable.
    Checkpoint,
    /// Closes the store; the next step opens it again.
    Close,
    /// Writes the index into another folder.
    Compact,
    /// Writes from several threads at once.
    Gather(usize),
    /// Leases further numbers.
    Lease,
    /// Takes the index away, as a person with a file manager would. Only in preparations.
    LoseIndex,
    /// Makes the store.
    Make,
    /// Changes the PIN.
    Pin,
    /// Lets the journal's segments go that the index covers.
    Release,
    /// Makes a store of the last backup, beside the first.
    Restore,
    /// Writes one entry after another.
    Write(usize),
}

impl Name {
    /// Every workload.
    pub fn all() -> Vec<Self> {
        <Self as clap::ValueEnum>::value_variants().to_vec()
    }

    /// The workloads whose every call is made to fail: short, and together they do everything once.
    pub fn nth() -> Vec<Self> {
        vec![
            Self::DeviceCreate,
            Self::DeviceNth,
            Self::DevicePin,
            Self::ForceInit,
            Self::ServerBackup,
            Self::ServerNth,
        ]
    }

    /// What happens before the recording, and what is recorded.
    pub fn script(self) -> Script {
        if self.is_device() {
            self.device_script()
        } else {
            self.server_script()
        }
    }

    fn device_script(self) -> Script {
        use Step::{Checkpoint, Close, Lease, LoseIndex, Make, Pin, Release, Write};
        match self {
            Self::DeviceClose => CLOSES,
            Self::DeviceCompact => COMPACTS,
            Self::DeviceCreate => CREATES,
            Self::DeviceLease => (
                &[Make, Write(2), Close],
                &[Lease, Write(2), Lease, Lease, Write(1), Close],
            ),
            Self::DeviceNth => NTH,
            Self::DevicePin => (
                &[Make, Write(2), Close],
                &[Pin, Write(1), Pin, Close, Pin, Write(1)],
            ),
            Self::DeviceRebuild => (
                &[Make, Write(12), Close, LoseIndex],
                &[Write(3), Checkpoint, Write(2)],
            ),
            Self::DeviceRelease => (
                &[Make, Write(30), Close],
                &[
                    Write(16),
                    Checkpoint,
                    Release,
                    Write(16),
                    Checkpoint,
                    Release,
                    Write(4),
                ],
            ),
            _ => (&[Make, Write(3), Close], &[Write(70)]),
        }
    }

    fn server_script(self) -> Script {
        use Step::{Backup, Checkpoint, Close, Gather, LoseIndex, Make, Release, Restore, Write};
        match self {
            Self::ForceBackup => (
                &[Make, Write(5), Close],
                &[Write(2), Backup, Write(2), Backup, Write(1)],
            ),
            Self::ForceInit => (&[], &[Make, Write(3), Close]),
            Self::ForceRestore => (&[Make, Write(6), Backup, Close], &[Restore, Write(2), Close]),
            Self::RowsChurn => (
                &[Make, Write(200), Checkpoint, Close],
                &[
                    Write(180),
                    Checkpoint,
                    Release,
                    Write(180),
                    Checkpoint,
                    Release,
                    Write(40),
                ],
            ),
            Self::ServerBackup => (
                &[Make, Write(6), Close],
                &[Write(2), Backup, Write(3), Backup, Write(2)],
            ),
            Self::ServerClose => CLOSES,
            Self::ServerCompact => COMPACTS,
            Self::ServerCreate => CREATES,
            Self::ServerNth => NTH,
            Self::ServerRebuild => (
                &[Make, Write(12), Close, LoseIndex],
                &[Write(3), Checkpoint, Write(2)],
            ),
            Self::ServerRelease => (
                &[Make, Write(10), Close],
                &[
                    Write(8),
                    Checkpoint,
                    Release,
                    Gather(12),
                    Checkpoint,
                    Release,
                    Write(4),
                ],
            ),
            _ => (&[Make, Write(3), Close], &[Gather(60)]),
        }
    }

    /// True where the workload begins without a store.
    fn begins_empty(self) -> bool {
        self.script().0.is_empty()
    }

    /// The mark after which there must be a store, if the workload makes it.
    pub fn makes(self) -> Option<&'static str> {
        match self {
            Self::ForceRestore => Some("restored"),
            _ if self.begins_empty() => Some("made"),
            _ => None,
        }
    }

    pub(super) fn is_device(self) -> bool {
        (Self::DeviceClose..=Self::DeviceWrite).contains(&self)
    }

    /// The name as the command line has it.
    pub fn word(self) -> String {
        use clap::ValueEnum;
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// Steps before the recording, and steps that are recorded.
type Script = (&'static [Step], &'static [Step]);

const CLOSES: Script = (
    &[Step::Make, Step::Write(3), Step::Close],
    &[
        Step::Write(2),
        Step::Close,
        Step::Write(1),
        Step::Close,
        Step::Write(2),
        Step::Close,
        Step::Write(1),
    ],
);
const COMPACTS: Script = (
    &[Step::Make, Step::Write(8), Step::Close],
    &[
        Step::Write(3),
        Step::Compact,
        Step::Write(3),
        Step::Compact,
        Step::Write(2),
        Step::Close,
    ],
);
const CREATES: Script = (&[], &[Step::Make, Step::Write(2), Step::Close]);
/// Opening, writing, each kind of housekeeping, closing and opening again, with an entry after each.
const NTH: Script = (
    &[Step::Make, Step::Write(12), Step::Close],
    &[
        Step::Write(8),
        Step::Checkpoint,
        Step::Write(1),
        Step::Release,
        Step::Write(1),
        Step::Compact,
        Step::Write(2),
        Step::Close,
        Step::Write(2),
    ],
);
