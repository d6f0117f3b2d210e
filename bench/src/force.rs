//! A force to measure with: a real server process, and devices enrolled with real tokens.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use beatbook_field::{AnchorPlace, Notebook, Options, Token, Unlock};

use crate::Failure;

/// A running server. Dropping it ends the process.
pub struct Force {
    program: PathBuf,
    data: PathBuf,
    address: String,
    server: Child,
}

impl Force {
    /// Sets up and starts a server in `dir` whose beats are `52/N01` to `52/N24`.
    pub fn start(dir: &Path) -> Result<Self, Failure> {
        let program = program()?;
        let data = dir.join("server");
        let path = data.to_string_lossy();
        run(
            &program,
            &["init", "--data", &path, "--force", "52", "--name", "Bench"],
        )?;
        let beats = dir.join("beats.csv");
        let rows: String = (1..=24)
            .map(|beat| format!("N{beat:02},Beat {beat},Bench\n"))
            .collect();
        std::fs::write(&beats, format!("id,name,neighbourhood\n{rows}"))?;
        run(
            &program,
            &["beat", "import", &beats.to_string_lossy(), "--data", &path],
        )?;
        let mut server = Command::new(&program)
            .args([
                "serve",
                "--data",
                &path,
                "--listen",
                "127.0.0.1:0",
                "--metrics",
                "off",
            ])
            .env("BEATBOOK_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = server.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("127.0.0.1:"));
        let address = address.map(|word| word.trim_end_matches(',').to_owned());
        let address = address.ok_or_else(|| format!("the server did not say where it listens: {line}"))?;
        Ok(Self {
            program,
            data,
            address,
            server,
        })
    }

    /// Enters an officer of all beats and enrols a device in `dir`.
    pub async fn device(&self, dir: &Path, collar: &str, role: &str) -> Result<Notebook, Failure> {
        let data = self.data.to_string_lossy();
        let beats: Vec<String> = (1..=24).map(|beat| format!("N{beat:02}")).collect();
        let beats = beats.join(",");
        let officer = [
            "officer", "add", "--collar", collar, "--name", "Bench", "--role", role, "--beats", &beats,
        ];
        run(&self.program, &[&officer[..], &["--data", &data]].concat())?;
        let issue = [
            "device",
            "issue",
            "--officer",
            collar,
            "--address",
            &self.address,
            "--data",
            &data,
        ];
        let token = run(&self.program, &issue)?;
        let token: Token = token.trim().parse()?;
        let options = Options {
            anchor: AnchorPlace::Beside,
            ..Options::default()
        };
        Ok(Notebook::enrol(dir, &Unlock::keystore([7; 32]), options, &token).await?)
    }

    /// What this program and the server have used so far.
    pub fn usage(&self) -> Result<Usage, Failure> {
        let server = self.server.id().to_string();
        let status = std::fs::read_to_string(format!("/proc/{server}/status"))?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap_or("0");
        let peak = peak
            .split_whitespace()
            .next()
            .and_then(|kib| kib.parse::<f64>().ok())
            .unwrap_or(0.0);
        Ok(Usage {
            here_s: processor_s("self")?,
            server_s: processor_s(&server)?,
            server_peak_mib: peak / 1024.0,
        })
    }
}

/// Processor time so far, in seconds, and the server's peak memory.
pub struct Usage {
    pub here_s: f64,
    pub server_s: f64,
    pub server_peak_mib: f64,
}

/// User and system time of a process, in seconds.
fn processor_s(process: &str) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    Ok((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

impl Drop for Force {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// `beatbookd` beside this program.
fn program() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let program = here.parent().unwrap_or(Path::new(".")).join("beatbookd");
    if !program.exists() {
        return Err("beatbookd is not built: cargo build --release -p beatbook-server".into());
    }
    Ok(program)
}

fn run(program: &Path, args: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!(
            "beatbookd {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What `/proc` counts processor time in, on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;
