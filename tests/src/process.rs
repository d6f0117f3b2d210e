//! Processes: run to the end, or kept running with their output gathered; ended only by their own handle.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::deadline::wait_for;

/// What a process that ran to its end left behind.
#[derive(Clone)]
pub struct Outcome {
    command: String,
    /// The exit status; none if a signal ended it.
    pub code: Option<i32>,
    /// Results.
    pub stdout: String,
    /// Diagnostics.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end; panics with all it said if it does not end.
    pub fn of(command: Command) -> Self {
        let mut running = Running::start(command);
        let status = running.wait_ended();
        Self {
            command: running.told.clone(),
            code: status.code(),
            stdout: running.stdout(),
            stderr: running.stderr(),
        }
    }

    /// Requires exit status 0.
    #[track_caller]
    pub fn done(self) -> Self {
        self.exits(0)
    }

    /// Requires this exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "another exit status than expected: {self:?}"
        );
        self
    }

    /// Requires that the diagnostics hold these words.
    #[track_caller]
    pub fn complains(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "\"{words}\" is not said: {self:?}");
        assert!(
            !self.stderr.contains("panicked at"),
            "a clear error is no panic: {self:?}"
        );
        self
    }

    /// The only line of the results.
    #[track_caller]
    pub fn line(&self) -> String {
        let mut lines = self.stdout.lines();
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.trim().to_owned(),
            _ => panic!("not one line of results: {self:?}"),
        }
    }

    /// The results as one JSON object per line.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON object ({error}): {self:?}"))
        };
        self.stdout.lines().map(read).collect()
    }

    /// The results as one JSON object.
    #[track_caller]
    pub fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "not one object: {self:?}");
        objects.remove(0)
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\nexit status {:?}", self.command, self.code)?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        writeln!(f, "--- stderr\n{}---", self.stderr)
    }
}

/// A process that stays, with its output gathered. Dropping it kills it.
pub struct Running {
    told: String,
    child: Child,
    stdout: Gathered,
    stderr: Gathered,
}

impl Running {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let told = format!("{command:?}");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{told}: {error}"));
        let stdout = Gathered::from(child.stdout.take().expect("it is piped"));
        let stderr = Gathered::from(child.stderr.take().expect("it is piped"));
        Self {
            told,
            child,
            stdout,
            stderr,
        }
    }

    /// Waits for a line of results that holds `words`, and returns it. Panics if the process ends before.
    pub fn wait_said(&mut self, words: &str) -> String {
        let what = format!("\"{words}\" from {}", self.told);
        wait_for(&what, || {
            let ended = self.ended();
            if let Some(line) = self.stdout.line_with(words) {
                return Ok(line);
            }
            if let Some(status) = ended {
                panic!("it ended ({status}) and never said \"{words}\": {self:?}");
            }
            Err(format!("{self:?}"))
        })
    }

    /// Waits for the end, and returns the exit status.
    pub fn wait_ended(&mut self) -> ExitStatus {
        let what = format!("the end of {}", self.told);
        let status = wait_for(&what, || self.ended().ok_or_else(|| format!("{self:?}")));
        self.stdout.finish();
        self.stderr.finish();
        status
    }

    /// Waits for a line of diagnostics that holds `words`, and returns it. Panics if the process ends before.
    pub fn wait_complained(&mut self, words: &str) -> String {
        let what = format!("\"{words}\" on stderr from {}", self.told);
        wait_for(&what, || {
            let ended = self.ended();
            if let Some(line) = self.stderr.line_with(words) {
                return Ok(line);
            }
            if let Some(status) = ended {
                panic!("it ended ({status}) and never complained \"{words}\": {self:?}");
            }
            Err(format!("{self:?}"))
        })
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended by itself; either way it is gone after `wait`.
        let _ = self.child.kill();
        self.child.wait().expect("a child is waited for");
        self.stdout.finish();
        self.stderr.finish();
    }

    /// Asks it to end, as a service supervisor does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it where it is, as a lid that is shut does; it keeps its memory, its files and its sockets.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Running::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// The results so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// The diagnostics so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child can be signalled");
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.told)?;
        writeln!(f, "--- stdout\n{}", tail(&self.stdout()))?;
        writeln!(f, "--- stderr\n{}---", tail(&self.stderr()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{self:?}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stdout.finish();
        self.stderr.finish();
    }
}

/// The lines of a stream, as they come.
struct Gathered {
    text: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gathered {
    fn from(stream: impl Read + Send + 'static) -> Self {
        let (text, ended) = (
            Arc::new(Mutex::new(String::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let (into, done) = (Arc::clone(&text), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                into.lock()
                    .expect("nobody panics with it")
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
            done.store(true, Ordering::Release);
        });
        Self {
            text,
            ended,
            thread: Some(thread),
        }
    }

    fn text(&self) -> String {
        self.text.lock().expect("nobody panics with it").clone()
    }

    fn line_with(&self, words: &str) -> Option<String> {
        let text = self.text();
        let whole = if self.ended.load(Ordering::Acquire) {
            text.as_str()
        } else {
            text.rsplit_once('\n').map_or("", |(whole, _)| whole)
        };
        whole.lines().find(|line| line.contains(words)).map(str::to_owned)
    }

    fn finish(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the reader does not panic");
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES_SHOWN_MAX);
    lines[from..].join("\n")
}

const LINES_SHOWN_MAX: usize = 60;
