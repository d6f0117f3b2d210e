//! A force: a folder with a server in it, its beats and its officers.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::device::Device;
use crate::process::{Outcome, Running};
use crate::programs::programs;
use crate::seed::Seed;
use crate::stage::Variables;

/// A force with two beats, C02 and C03, and nobody in it yet. Dropping it ends the server and removes everything.
#[derive(Debug)]
pub struct Force {
    server: Option<Running>,
    data: PathBuf,
    address: SocketAddr,
    folder: TempDir,
    /// What the servers that have ended had to say.
    logs: String,
    /// How much the server logs.
    level: Option<&'static str>,
    /// What the next server finds in its environment.
    variables: Variables,
}

/// How a device is enrolled.
#[derive(Clone, Debug)]
pub struct Enrolment<'a> {
    /// The officer.
    pub collar: &'a str,
    /// Where the device dials; the server itself if left out.
    pub address: Option<SocketAddr>,
    /// Name of the store's folder.
    pub name: &'a str,
}

impl Force {
    /// A temporary folder, and no server in it.
    pub fn folder_only() -> Self {
        Self::on(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The same in a folder that is there.
    pub fn on(folder: TempDir) -> Self {
        Self {
            server: None,
            data: folder.path().join("force"),
            address: free_address(),
            folder,
            logs: String::new(),
            level: None,
            variables: Variables::new(),
        }
    }

    /// Makes the folder, with `beatbookd init` and `beat import`; the server does not run yet.
    pub fn new() -> Self {
        let force = Self::folder_only();
        force
            .admin(&["init", "--force", "52", "--name", "Avon and Somerset"])
            .done();
        let beats = force.path("beats.csv");
        fs::write(
            &beats,
            "id,name,neighbourhood\nC02,Stokes Croft,Ashley\nC03,Montpelier,Ashley\n",
        )
        .expect("the folder takes a file");
        force
            .admin(&["beat", "import", beats.to_str().expect("plain names")])
            .done();
        force
    }

    /// The same with people: PCSOs 9123 and 8841 and sergeant 214 on C02, PCSO 7001 on C03; the server runs.
    pub fn staffed() -> Self {
        let mut force = Self::new();
        force.staff();
        force
    }

    /// The same with the server's log at this level.
    pub fn staffed_logging(level: &'static str) -> Self {
        let mut force = Self::new();
        force.level = Some(level);
        force.staff();
        force
    }

    /// Starts the server and gives it the people of [`Force::staffed`].
    pub fn staff(&mut self) {
        self.serve();
        self.add_officer("9123", "Sam Pike", "PCSO", "C02");
        self.add_officer("8841", "Ines Falk", "PCSO", "C02");
        self.add_officer("7001", "Tom Reed", "PCSO", "C03");
        self.add_officer("214", "Ros Hale", "SGT", "C02");
    }

    /// Starts the server and waits until it says that it is ready.
    pub fn serve(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        self.begin_serving();
        self.wait_serving();
    }

    /// Starts the server and does not wait for it.
    pub fn begin_serving(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        self.server = Some(Running::start(self.serve_command()));
    }

    /// Whether a server was started that was not ended.
    pub fn is_serving(&self) -> bool {
        self.server.is_some()
    }

    /// Whether the server has said that it is ready.
    pub fn is_ready(&self) -> bool {
        let port = self.address.port().to_string();
        self.server
            .as_ref()
            .is_some_and(|server| server.stdout().contains(&port))
    }

    /// Waits until the server says that it is ready.
    pub fn wait_serving(&mut self) {
        let port = self.address.port().to_string();
        self.server().wait_said(&port);
    }

    /// Sets what servers started from here on find in their environment.
    pub fn set_variables(&mut self, variables: Variables) {
        self.variables = variables;
    }

    /// Keeps the folder of a test that fails.
    fn keep_what_failed(&mut self) {
        if thread::panicking() && std::env::var_os("BEATBOOK_TEST_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }

    /// How the server is started.
    pub fn serve_command(&self) -> Command {
        let mut command = self.command(&self.data);
        command.args(["serve", "--metrics", "off", "--listen", &self.address.to_string()]);
        if let Some(level) = self.level {
            command.env("BEATBOOK_LOG", level);
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Ends the server as a service supervisor does; it must go in good order.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.terminate();
        let status = server.wait_ended();
        assert!(status.success(), "the server ended with {status}: {server:?}");
        self.logs.push_str(&server.stderr());
    }

    /// Ends the server as a power cut does.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.kill();
        self.logs.push_str(&server.stderr());
    }

    /// Moves the server's data to another folder, as after `beatbookd restore`.
    pub fn move_to(&mut self, data: PathBuf) {
        assert!(self.server.is_none(), "the server must not run");
        self.data = data;
    }

    /// Adds an officer.
    pub fn add_officer(&self, collar: &str, name: &str, role: &str, beats: &str) {
        self.admin(&[
            "officer", "add", "--collar", collar, "--name", name, "--role", role, "--beats", beats,
        ])
        .done();
    }

    /// Enrols a device that dials the server itself.
    pub fn enrol(&self, name: &str, collar: &str) -> Device {
        self.enrol_as(&Enrolment {
            collar,
            address: None,
            name,
        })
    }

    /// Enrols a device.
    pub fn enrol_as(&self, enrolment: &Enrolment<'_>) -> Device {
        let token = self.token(enrolment, &[]);
        let device = self.device(enrolment.name);
        device.run(&["enrol", "--token", &token]).done();
        device
    }

    /// A device that is not enrolled yet.
    pub fn device(&self, name: &str) -> Device {
        Device::at(self.path(&format!("devices/{name}/store")))
    }

    /// Issues a token.
    pub fn token(&self, enrolment: &Enrolment<'_>, more: &[&str]) -> String {
        let address = enrolment.address.unwrap_or(self.address).to_string();
        let mut args = vec![
            "device",
            "issue",
            "--officer",
            enrolment.collar,
            "--address",
            &address,
        ];
        args.extend_from_slice(more);
        self.admin(&args).done().line()
    }

    /// Runs an administration verb to its end.
    pub fn admin(&self, args: &[&str]) -> Outcome {
        let mut command = self.command(&self.data);
        command.args(args);
        Outcome::of(command)
    }

    /// Restores a backup into a folder.
    pub fn restore(&self, backup: &Path, target: &Path) -> Outcome {
        let mut command = self.command(target);
        // The recovery key was left beside the folder that `init` made.
        let key = fs::read_dir(self.folder.path())
            .expect("the folder is there")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "key"));
        command.arg("restore").arg(backup);
        command.arg("--key").arg(key.expect("init left a recovery key"));
        Outcome::of(command)
    }

    /// The program on a data folder.
    pub fn command(&self, data: &Path) -> Command {
        let mut command = clean(&programs().beatbookd);
        command.current_dir(self.folder.path()).env("BEATBOOK_DATA", data);
        command
    }

    /// The server while it runs.
    pub fn server(&mut self) -> &mut Running {
        self.server.as_mut().expect("the server runs")
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A place in the force's own temporary folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What all its servers have had to say so far.
    pub fn logs(&self) -> String {
        let running = self.server.as_ref().map(Running::stderr).unwrap_or_default();
        format!("{}{running}", self.logs)
    }
}

impl Drop for Force {
    fn drop(&mut self) {
        self.keep_what_failed();
    }
}

impl Default for Force {
    fn default() -> Self {
        Self::new()
    }
}

/// A program with none of this machine's settings for it.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BEATBOOK_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").env("TZ", "Europe/London");
    command
}

/// A port that nobody has. Not one of those that the system hands out by itself: while a server is away, a device's
/// socket could come by its port.
fn free_address() -> SocketAddr {
    static NEXT: OnceLock<AtomicU64> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU64::new(Seed::drawn().between(0, PORTS)));
    let free = (0..PORTS).find_map(|_| {
        let port = FIRST_PORT + next.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = u16::try_from(port).expect("it is below 32,768");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        UdpSocket::bind(address).is_ok().then_some(address)
    });
    free.expect("a port is free")
}

const FIRST_PORT: u64 = 20_000;
const PORTS: u64 = 12_000;
