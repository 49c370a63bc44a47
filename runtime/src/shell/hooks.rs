//! Programs that may object to a command (`hooks.toml`). They are argument arrays and never a shell. Exit 0 is no objection, exit 2 is a
//! denial with stderr as its reason; a crash, a timeout, a missing program or any other exit denies too. They can't allow anything.

use llmos_kernel::message::{Fact, Verdict};
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
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
pub struct Hooks {
    /// Where a hook runs, and what a path in its command starts from.
    folder: PathBuf,
    hooks: Result<Vec<Hook>, String>,
}

impl Hooks {
    /// Reads `hooks.toml`; no file means no hooks, a broken one denies everything.
    pub fn read(folder: &Path, text: Option<Result<String, String>>) -> Hooks {
        let hooks = match text {
            None => Ok(Vec::new()),
            Some(Err(error)) => Err(format!("hooks.toml can't be read, so nothing is allowed: {error}")),
            Some(Ok(text)) => toml::from_str::<File>(&text)
                .map(|file| file.pre_tool_use)
                .map_err(|error| format!("hooks.toml is not valid, so nothing is allowed: {error}")),
        };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Hooks { folder, hooks }
    }

    /// Asks every hook that matches, in order; the first denial ends it.
    pub async fn ask(self, device: String, tool: String, arguments: Vec<(String, Fact)>) -> Verdict {
        let hooks = match &self.hooks {
            Ok(hooks) => hooks,
            Err(why) => return Verdict::Deny { why: why.clone() },
        };
        for hook in hooks.iter().filter(|hook| matches(&hook.matcher, &device, &tool)) {
            let input =
                json!({ "event": "PreToolUse", "device": device, "tool": tool, "arguments": arguments }).to_string();
            let timeout = Duration::from_millis(hook.timeout_ms);
            let verdict = tokio::time::timeout(timeout, run(&self.folder, &hook.command, &input)).await;
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

async fn run(folder: &Path, command: &[String], input: &str) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("a hook has an empty command".to_owned());
    };
    // A bare name is looked for where programs are; anything with a folder in it starts from the workspace.
    let path = if Path::new(program).components().count() > 1 {
        folder.join(program)
    } else {
        PathBuf::from(program)
    };
    let child = Command::new(path)
        .args(arguments)
        .current_dir(folder)
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
        Some(2) if said.is_empty() => Err(format!("{program} gave no reason")),
        Some(2) => Err(said),
        Some(code) => Err(format!("{program} ended with {code}: {said}")),
        None => Err(format!("{program} was killed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hooks with this text say about `arm.move`.
    fn check(text: Option<&str>) -> Verdict {
        let hooks = Hooks::read(Path::new("."), text.map(|text| Ok(text.to_owned())));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(hooks.ask(
            "arm".to_owned(),
            "move".to_owned(),
            vec![("to".to_owned(), Fact::Number(1))],
        ))
    }

    fn denial(text: &str) -> String {
        match check(Some(text)) {
            Verdict::Deny { why } => why,
            Verdict::Pass => panic!("{text} passes"),
        }
    }

    fn hook(matcher: &str, shell: &str) -> String {
        format!(
            "[[pre_tool_use]]\nmatcher = \"{matcher}\"\ncommand = [\"sh\", \"-c\", '''{shell}''']\ntimeout_ms = 1000\n"
        )
    }

    #[test]
    fn no_hooks_have_no_objection() {
        assert_eq!(check(None), Verdict::Pass);
        assert_eq!(check(Some("# nothing\n")), Verdict::Pass);
    }

    #[test]
    fn a_broken_file_denies_everything() {
        for text in [
            "pre_tool_use = 7",
            "[[pre_tool_use]]\nmatcher = \"*\"\n",
            "[[pre_tool_use]",
            "pretooluse = []",
        ] {
            assert!(denial(text).starts_with("hooks.toml is not valid"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_exit_0_is_no_objection() {
        assert_eq!(check(Some(&hook("*", "exit 0"))), Verdict::Pass);
        assert_eq!(
            denial(&hook("*", "echo the door is open >&2; exit 2")),
            "the door is open"
        );
        assert!(denial(&hook("*", "exit 2")).contains("no reason"));
        assert!(denial(&hook("*", "exit 1")).contains("ended with 1"));
        assert!(denial(&hook("*", "kill -9 $$")).contains("killed"));
        assert!(denial(&hook("*", "sleep 9")).contains("did not answer within 1000 ms"));
        assert!(denial("[[pre_tool_use]]\nmatcher = \"*\"\ncommand = []\n").contains("empty command"));
        let missing = "[[pre_tool_use]]\nmatcher = \"*\"\ncommand = [\"./no-such-program\"]\n";
        assert!(denial(missing).contains("can't be started"));
    }

    #[cfg(unix)]
    #[test]
    fn a_hook_reads_the_call_and_only_calls_that_it_matches() {
        let reads = hook("arm.*", r#"grep -q '"device":"arm"' && exit 2; exit 0"#);
        assert!(denial(&reads).contains("no reason"));
        assert_eq!(check(Some(&hook("base.*", "exit 2"))), Verdict::Pass);
        assert_eq!(check(Some(&hook("arm.home", "exit 2"))), Verdict::Pass);
        assert!(denial(&hook("arm.move", "exit 2")).contains("no reason"));
        let second = format!("{}{}", hook("*", "exit 0"), hook("*", "exit 2"));
        assert!(
            denial(&second).contains("no reason"),
            "the first pass is not the last word"
        );
    }
}
