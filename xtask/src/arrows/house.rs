//! The table: which crate stands on which level, what it may name, and what is fenced in where.
//!
//! A change here is a design decision; the body of its commit says why.

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Room {
    /// The package.
    pub(super) package: &'static str,
    /// The level: arrows lead only to lower ones.
    pub(super) level: u8,
    /// The crates of the workspace that it may name, also in tests.
    pub(super) may_name: &'static [&'static str],
}

/// A dependency that exactly one crate names, so that it can be replaced there.
#[derive(Debug)]
pub(super) struct Fence {
    /// The packages behind the fence.
    pub(super) packages: &'static [&'static str],
    /// The crate that may name them.
    pub(super) owner: &'static str,
}

/// A crate that decides and never acts.
#[derive(Debug)]
pub(super) struct Pure {
    /// The package.
    pub(super) package: &'static str,
    /// Where its sources are.
    pub(super) sources: &'static str,
}

/// Every crate of the workspace, lowest level first. The nouns of proto may be named by all.
pub(super) const HOUSE: &[Room] = &[
    Room {
        package: PROTO,
        level: 0,
        may_name: &[],
    },
    Room {
        package: CORE,
        level: 1,
        may_name: &[PROTO],
    },
    Room {
        package: RECORDS,
        level: 1,
        may_name: &[PROTO],
    },
    Room {
        package: QUIC,
        level: 1,
        may_name: &[PROTO],
    },
    Room {
        package: STORE_SLED,
        level: 2,
        may_name: &[PROTO, CORE],
    },
    Room {
        package: FIELD,
        level: 3,
        may_name: &[PROTO, CORE, RECORDS, QUIC, STORE_SLED],
    },
    Room {
        package: SERVER,
        level: 3,
        may_name: &[PROTO, CORE, RECORDS, QUIC, STORE_SLED],
    },
    Room {
        package: CLI,
        level: 4,
        may_name: &[PROTO, RECORDS, FIELD, SERVER],
    },
    Room {
        package: SIM,
        level: 4,
        may_name: &[PROTO, CORE, RECORDS, STORE_SLED, SERVER],
    },
    Room {
        package: "beatbook-fuzz",
        level: 5,
        may_name: EVERYTHING,
    },
    Room {
        package: "beatbook-tests",
        level: 5,
        may_name: EVERYTHING,
    },
    Room {
        package: BENCH,
        level: 5,
        may_name: EVERYTHING,
    },
    Room {
        package: "xtask",
        level: 5,
        may_name: &[],
    },
];

/// What is fenced in, and where.
pub(super) const FENCES: &[Fence] = &[
    Fence {
        packages: &["bincode"],
        owner: PROTO,
    },
    Fence {
        packages: &["sled"],
        owner: STORE_SLED,
    },
    Fence {
        packages: &[
            "quinn",
            "quinn-proto",
            "quinn-udp",
            "rcgen",
            "rustls",
            "x509-parser",
        ],
        owner: QUIC,
    },
    Fence {
        packages: &[
            "diesel",
            "libsqlite3-sys",
            "postgres",
            "rusqlite",
            "sqlx",
            "tokio-postgres",
        ],
        owner: "beatbook-store-postgres",
    },
];

/// Crates that may name what they measure or attack, over any fence.
pub(super) const OVER_FENCES: &[&str] = &["beatbook-tests", BENCH];

/// The crates that read no clock, no random source, no file and no socket.
pub(super) const PURE: &[Pure] = &[
    Pure {
        package: PROTO,
        sources: "proto/src/",
    },
    Pure {
        package: CORE,
        sources: "crates/beatbook-core/src/",
    },
];

/// Packages that a pure crate does not reach, through whatever others.
pub(super) const IMPURE: &[&str] = &[
    "async-std",
    "chrono",
    "getrandom",
    "jiff",
    "mio",
    "quinn",
    "quinn-proto",
    "rand",
    "rcgen",
    "rustls",
    "sled",
    "socket2",
    "time",
    "tokio",
    "tokio-postgres",
];

/// Modules of the standard library that a pure crate does not name outside tests. `io` is not among
/// them: its traits over slices are how a bounded decompressor is read.
pub(super) const IMPURE_MODULES: &[&str] = &["env", "fs", "net", "os", "process", "thread", "time"];

const PROTO: &str = "beatbook-proto";
const CORE: &str = "beatbook-core";
const RECORDS: &str = "beatbook-records";
const QUIC: &str = "beatbook-quic";
const STORE_SLED: &str = "beatbook-store-sled";
const FIELD: &str = "beatbook-field";
const SERVER: &str = "beatbook-server";
const CLI: &str = "beatbook-cli";
const BENCH: &str = "beatbook-bench";
const SIM: &str = "beatbook-sim";
const EVERYTHING: &[&str] = &[PROTO, CORE, RECORDS, QUIC, STORE_SLED, FIELD, SERVER, CLI, SIM];
