use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_rad-monitor");
const START_WITHIN: Duration = Duration::from_secs(20);

/// A configuration on free ports, with this added.
pub fn configuration(more: &str) -> String {
    format!(
        r#"
        [console]
        listen = "127.0.0.1:0"
        [gateway]
        listen = "127.0.0.1:0"
        workers = 2
        [storage]
        path = "state.db"
        {more}
        "#
    )
}

/// The running program. Killed when dropped; its folder stays for a restart.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    folder: TempDir,
    pub console: SocketAddr,
    pub gateway: SocketAddr,
}

impl Program {
    /// Starts it with [`configuration`] and this added.
    pub fn start(more: &str) -> Self {
        Self::with_text(&configuration(more))
    }

    /// Starts it with this configuration and no other.
    pub fn with_text(text: &str) -> Self {
        Self::with_text_and(text, &[])
    }

    /// Starts it with [`configuration`], and these environment variables.
    pub fn with_environment(more: &str, variables: &[(&str, &str)]) -> Self {
        Self::with_text_and(&configuration(more), variables)
    }

    /// Starts it with this configuration and no other, and these environment variables.
    pub fn with_text_and(text: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("test.toml"), text).unwrap();
        Self::in_folder(folder, variables)
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it with this configuration and no other, and files beside it.
    pub fn with_files(text: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files.iter().chain(&[("test.toml", text)]) {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        Self::in_folder(folder, &[])
    }

    fn in_folder(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["--config", "test.toml"])
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut program = Self { child, lines, folder, console: nowhere, gateway: nowhere };
        let line = program.log_line("listening");
        let address = |key: &str| line[key].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        (program.console, program.gateway) = (address("console"), address("gateway"));
        program
    }

    /// The next log line of an event, which must come soon.
    pub fn log_line(&self, event: &str) -> Value {
        loop {
            let line = match self.lines.recv_timeout(START_WITHIN) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("no {event} was logged"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without logging {event}"),
            };
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Everything that is still to be logged, until the program ends.
    pub fn remaining_log(&self) -> Vec<Value> {
        self.lines.iter().map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    }

    /// All that was logged and has not been read, as it was written; once the program has ended.
    pub fn whole_log(&self) -> String {
        self.lines.iter().collect::<Vec<_>>().join("\n")
    }

    /// A file beside the configuration.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The most memory that it has had at a time, KiB; where that is told.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().split(' ').next()?.parse().ok()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Starts it again in the same folder, on other ports.
    pub fn restart(mut self, signal: &str) -> Self {
        self.signal(signal);
        self.wait();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::in_folder(folder, &[])
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program with a configuration that must stop it; what it says.
pub fn failing_start(arguments: &[&str], text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.toml"), text).unwrap();
    let mut child = Command::new(BINARY)
        .args(arguments)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success(), "it started: {text}");
    said
}
