//! Starts the program in a workspace of its own and reads what it prints.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that is removed with the test, and the program in it.
pub struct Llmos {
    dir: tempfile::TempDir,
}

impl Llmos {
    /// A fresh user: no workspace, no data.
    pub fn new() -> Llmos {
        Llmos {
            dir: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// The folder that stands for the user's home.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// The workspace that is made at first use.
    pub fn workspace(&self) -> PathBuf {
        self.dir.path().join("data/llmos/workspace")
    }

    /// The program with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmos"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("XDG_DATA_HOME", self.dir.path().join("data"));
        command
            .env_remove("LLMOS_MQTT_PASSWORD")
            .env_remove("LLMOS_MQTT_PASSWORD_FILE")
            .env_remove("LLMOS_MQTT_CA")
            .env_remove("LLMOS_MQTT_CERTIFICATE")
            .env_remove("LLMOS_MQTT_KEY")
            .stdin(std::process::Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Runs the program with `--json` and returns its document and exit code.
    pub fn json(&self, arguments: &[&str]) -> (Value, i32) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let output = self.run(&arguments);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let document = serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}\nstdout: {stdout}\nstderr: {stderr}"));
        (document, output.status.code().unwrap_or(-1))
    }

    /// What the program said on stderr, and its exit code.
    pub fn complaint(&self, arguments: &[&str]) -> (String, i32) {
        let output = self.run(arguments);
        (
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.status.code().unwrap_or(-1),
        )
    }

    /// The newest journal.
    pub fn journal(&self) -> PathBuf {
        let folder = self.workspace().join("journal");
        let entries = std::fs::read_dir(&folder).expect("a journal folder").flatten();
        // Names begin with the date; the intents beside them do not.
        let journals = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"2"));
        // Within one second, a process's number does not say which of two came later.
        let written = |path: &PathBuf| path.metadata().and_then(|found| found.modified()).ok();
        let newest = journals.map(|entry| entry.path()).max_by_key(written);
        newest.expect("a journal")
    }
}
