//! Programs that may object to a command (`hooks.toml`). They are argument arrays and never a shell. Exit 0 is no objection, exit 2 is a
//! denial with stderr as its reason; a crash, a timeout, a missing program or any other exit denies too. They can't allow anything.

use llmos_kernel::message::{Fact, Verdict};
use serde::Deserialize;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Bytes of a hook's stderr that become its reason.
const REASON_BYTES_MAX: usize = 400;

/// `hooks.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    pre_tool_use: Vec<Hook>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    /// `device.tool`, `device.*` or `*`.
    matcher: String,
    command: Vec<String>,
    #[serde(default = "timeout_ms")]
    timeout_ms: u64,
}

fn timeout_ms() -> u64 {
    2_000
}

/// The hooks of a workspace, or why they deny everything.
#[derive(Clone, Debug)]
pub struct Hooks(Result<Vec<Hook>, String>);

impl Hooks {
    /// Reads `hooks.toml`; no file means no hooks, a broken one denies everything.
    pub fn read(text: Option<Result<String, String>>) -> Hooks {
        Hooks(match text {
            None => Ok(Vec::new()),
            Some(Err(error)) => Err(format!("hooks.toml can't be read: {error}")),
            Some(Ok(text)) => toml::from_str::<File>(&text)
                .map(|file| file.pre_tool_use)
                .map_err(|error| format!("hooks.toml is not valid: {error}")),
        })
    }

    /// Asks every hook that matches, in order; the first denial ends it.
    pub async fn ask(self, device: String, tool: String, arguments: Vec<(String, Fact)>) -> Verdict {
        let hooks = match self.0 {
            Ok(hooks) => hooks,
            Err(why) => return Verdict::Deny { why },
        };
        for hook in hooks.iter().filter(|hook| matches(&hook.matcher, &device, &tool)) {
            let input =
                json!({ "event": "PreToolUse", "device": device, "tool": tool, "arguments": arguments }).to_string();
            let timeout = Duration::from_millis(hook.timeout_ms);
            let verdict = tokio::time::timeout(timeout, run(&hook.command, &input)).await;
            match verdict {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Verdict::Deny { why },
                Err(_) => {
                    return Verdict::Deny {
                        why: format!("{:?} did not answer within {} ms", hook.command, hook.timeout_ms),
                    };
                }
            }
        }
        Verdict::Pass
    }
}

fn matches(matcher: &str, device: &str, tool: &str) -> bool {
    matcher == "*" || matcher == format!("{device}.*") || matcher == format!("{device}.{tool}")
}

async fn run(command: &[String], input: &str) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("a hook has an empty command".to_owned());
    };
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| format!("{program} can't be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook that does not read its input may still decide.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| format!("{program} failed: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr)
        .trim()
        .chars()
        .take(REASON_BYTES_MAX)
        .collect::<String>();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(2) => Err(said),
        Some(code) => Err(format!("{program} ended with {code}: {said}")),
        None => Err(format!("{program} was killed")),
    }
}
