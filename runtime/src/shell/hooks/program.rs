//! Asking one program. It is started without a shell, from a short environment, reads JSON on stdin and answers by its exit code and at most
//! so much output. Everything else is a denial.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Bytes that a hook may write to stdout, and to stderr.
const OUTPUT_BYTES_MAX: u64 = 16 << 10;
/// Characters of a reason that are told.
const REASON_MAX: usize = 400;
/// What of our own environment a hook gets.
const ENVIRONMENT: [&str; 8] = ["HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "SystemRoot", "TEMP"];
/// Where a program without a folder is looked for, whatever our own path says.
#[cfg(unix)]
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What a program may say on stdout.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    decision: Decision,
    #[serde(default)]
    reason: String,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
}

/// Asks a program; `Err` is why not.
pub async fn run(folder: &Path, command: &[String], input: &str) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("a hook has an empty command".to_owned());
    };
    // A bare name is looked for where programs are; anything with a folder in it starts from the workspace.
    let path = if Path::new(program).components().count() > 1 {
        folder.join(program)
    } else {
        PathBuf::from(program)
    };
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(
        ENVIRONMENT
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    #[cfg(unix)]
    command.env("PATH", PATH);
    #[cfg(not(unix))]
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    // A group of its own, so that what it starts ends with it.
    #[cfg(unix)]
    command.process_group(0);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| format!("{program} can't be started: {error}"))?;
    #[cfg(unix)]
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A hook that does not read its input may still decide.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        Ok(())
    };
    // Whoever writes more than that is killed, since the child is dropped.
    let (stdout, stderr, ()) = tokio::try_join!(read(program, stdout), read(program, stderr), feed)?;
    let status = child
        .wait()
        .await
        .map_err(|error| format!("{program} failed: {error}"))?;
    #[cfg(unix)]
    group.leave();
    decide(program, status.code(), &stdout, &stderr)
}

/// A hook with everything that it has started: killed together, unless the hook has ended by itself.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    fn of(child: &tokio::process::Child) -> Group {
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        Group(number.and_then(rustix::process::Pid::from_raw))
    }

    fn leave(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this moment.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

async fn read(program: &str, pipe: Option<impl AsyncRead + Unpin>) -> Result<String, String> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let read = pipe.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| format!("{program} can't be read: {error}"))?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > OUTPUT_BYTES_MAX {
        return Err(format!("{program} writes more than {OUTPUT_BYTES_MAX} bytes"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What an exit code and output come to.
fn decide(program: &str, code: Option<i32>, stdout: &str, stderr: &str) -> Result<(), String> {
    let told = |text: &str| {
        text.trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(REASON_MAX)
            .collect::<String>()
    };
    let said = stdout.trim();
    let said = (!said.is_empty()).then(|| serde_json::from_str::<Said>(said));
    let reason = match &said {
        Some(Ok(said)) if !said.reason.trim().is_empty() => told(&said.reason),
        _ => told(stderr),
    };
    match (code, said) {
        (Some(0), None) => Ok(()),
        (Some(0), Some(Ok(said))) if said.decision == Decision::Allow => Ok(()),
        (Some(0), Some(Err(error))) => Err(format!(
            "{program} says what can't be understood ({error}); it should say {{\"decision\": \"allow\"}}, {{\"decision\": \"deny\", \"reason\": ..}} or nothing"
        )),
        (Some(0 | 2), _) if reason.is_empty() => Err(format!("{program} gave no reason")),
        (Some(0 | 2), _) => Err(reason),
        (Some(code), _) => Err(format!("{program} ended with {code}: {reason}")),
        (None, _) => Err(format!("{program} was killed")),
    }
}
