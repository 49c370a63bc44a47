//! What hooks say, with programs that are files.

use super::*;

/// A workspace with programs in `hooks/`.
struct Place {
    dir: tempfile::TempDir,
}

/// Programs as they are listed; the last is not there.
#[cfg(unix)]
const PROGRAMS: &str = "programs = [\"hooks/hook\", \"hooks/second\", \"hooks/gone\"]\n";

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("hooks")).expect("a folder");
        Place { dir }
    }

    /// A program that is this script. A child writes it: a file that this process held open for writing while another test started
    /// a program would be open there, too, and could not be started ("text file busy").
    #[cfg(unix)]
    fn script(&self, name: &str, text: &str) {
        let path = self.dir.path().join("hooks").join(name);
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 755 "$0""#;
        let mut shell = std::process::Command::new("sh");
        let written = shell.args(["-c", write]).arg(path).arg(text).status();
        assert!(written.expect("a shell").success());
    }

    fn hooks(&self, text: &str) -> Hooks {
        Hooks::read(self.dir.path(), Some(Ok(text.to_owned())))
    }

    /// What hooks with this text say about `arm.move`.
    fn ask(&self, text: &str) -> Verdict {
        ask(self.hooks(text), subject(When::PreToolUse))
    }

    fn denial(&self, text: &str) -> String {
        match self.ask(text) {
            Verdict::Deny { why } => why,
            Verdict::Pass => panic!("{text} passes"),
        }
    }

    /// What a hook that is this script comes to.
    #[cfg(unix)]
    fn says(&self, script: &str) -> Verdict {
        self.script("hook", script);
        self.ask(&format!("{PROGRAMS}{}", hook("*", "hooks/hook")))
    }

    #[cfg(unix)]
    fn denies(&self, script: &str) -> String {
        match self.says(script) {
            Verdict::Deny { why } => why,
            Verdict::Pass => panic!("{script} passes"),
        }
    }

    /// What a hook comes to that is this script and has a second.
    #[cfg(unix)]
    fn denies_late(&self, script: &str) -> String {
        self.script("hook", script);
        self.denial(&format!("{PROGRAMS}{}", hook_within(1000, "*", "hooks/hook")))
    }
}

fn subject(when: When) -> Subject {
    Subject {
        when,
        device: "arm".to_owned(),
        tool: "move".to_owned(),
        arguments: vec![("to".to_owned(), Fact::Number(1))],
        more: Value::Null,
    }
}

fn ask(hooks: Hooks, subject: Subject) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(hooks.ask(subject))
}

#[cfg(unix)]
fn hook(matcher: &str, program: &str) -> String {
    hook_within(10_000, matcher, program)
}

#[cfg(unix)]
fn hook_within(timeout_ms: u32, matcher: &str, program: &str) -> String {
    format!("[[pre_tool_use]]\nmatcher = \"{matcher}\"\ncommand = [\"{program}\"]\ntimeout_ms = {timeout_ms}\n")
}

#[test]
fn no_hooks_have_no_objection() {
    let place = Place::new();
    assert_eq!(
        ask(Hooks::read(place.dir.path(), None), subject(When::PreToolUse)),
        Verdict::Pass
    );
    assert_eq!(place.ask("# nothing\n"), Verdict::Pass);
}

#[test]
fn a_broken_file_denies_everything_and_says_where() {
    let place = Place::new();
    let listed = "programs = [\"true\", \"sh\"]\n[[pre_tool_use]]\n";
    for (text, at) in [
        ("pre_tool_use = 7".to_owned(), "1:16"),
        ("[[pre_tool_use]".to_owned(), "1:16"),
        ("pretooluse = []".to_owned(), "1:1"),
        ("\n[[pre_tool_use]]\nmatcher = \"*\"\n".to_owned(), "2:1"),
        ("[[pre_tool_use]]\ncommand = [\"true\"]\n".to_owned(), "2:11"),
        (format!("{listed}command = []\n"), "3:11"),
        (format!("{listed}command = [\"sh\", \"-c\", \"exit 0\"]\n"), "3:11"),
        (format!("{listed}command = [\"rm\", \"-rf\", \"/\"]\n"), "3:11"),
        (format!("{listed}command = [\"true\"]\ntimeout_ms = 0\n"), "4:14"),
        (format!("{listed}command = [\"true\"]\ntimeout_ms = 600000\n"), "4:14"),
        (format!("{listed}command = [\"true\"]\nmatcher = \"arm\"\n"), "4:11"),
        (format!("{listed}command = [\"true\"]\nmatcher = \"*.move\"\n"), "4:11"),
        (format!("{listed}command = [\"true\"]\nbuiltin = \"security\"\n"), "2:1"),
        (format!("{listed}builtin = \"safety\"\n"), "3:11"),
        (format!("{listed}builtin = \"budget\"\n"), "3:11"),
        (format!("{listed}builtin = \"budget\"\nbudget = {{}}\n"), "3:11"),
        (
            format!("{listed}builtin = \"budget\"\nbudget = {{ comands_per_run = 1 }}\n"),
            "4:12",
        ),
        (format!("{listed}builtin = \"memory\"\n"), "3:11"),
        ("[[on_stop]]\nbuiltin = \"security\"\n".to_owned(), "2:11"),
        (
            "[[on_stop]]\nmatcher = \"arm.move\"\nbuiltin = \"trace\"\n".to_owned(),
            "2:11",
        ),
    ] {
        let why = place.denial(&text);
        assert!(why.starts_with(&format!("hooks.toml:{at}: ")), "{text}: {why}");
        assert!(why.contains("nothing is allowed"), "{why}");
    }
}

#[cfg(unix)]
#[test]
fn only_exit_0_is_no_objection() {
    let place = Place::new();
    assert_eq!(place.says("exit 0"), Verdict::Pass);
    assert_eq!(place.denies("echo the door is open >&2; exit 2"), "the door is open");
    for (script, expected) in [
        ("exit 2", "no reason"),
        ("exit 1", "ended with 1"),
        ("kill -9 $$", "killed"),
    ] {
        let why = place.denies(script);
        assert!(why.contains(expected), "{script}: {why}");
    }
    let late = place.denies_late("exec sleep 9");
    assert!(late.contains("did not answer within 1000 ms"), "{late}");
    let missing = place.denial(&format!("{PROGRAMS}{}", hook("*", "hooks/gone")));
    assert!(missing.contains("can't be started"), "{missing}");
}

#[cfg(unix)]
#[test]
fn a_decision_is_understood_or_denied() {
    let place = Place::new();
    assert_eq!(place.says(r#"echo '{"decision": "allow"}'"#), Verdict::Pass);
    assert_eq!(
        place.says(r#"echo '{"decision": "allow", "reason": "fine"}'"#),
        Verdict::Pass
    );
    assert_eq!(
        place.denies(r#"echo '{"decision": "deny", "reason": "the door is open"}'"#),
        "the door is open"
    );
    assert_eq!(
        place.denies(r#"echo '{"decision": "deny", "reason": "no"}'; exit 2"#),
        "no"
    );
    assert!(place.denies(r#"echo '{"decision": "deny"}'"#).contains("no reason"));
    for garbage in [
        "echo yes",
        "echo '{}'",
        r#"echo '{"decision": "Allow"}'"#,
        r#"echo '{"decision": "allow", "force": true}'"#,
        r#"echo '{"decision": "allow"} {"decision": "allow"}'"#,
        r"printf '\377\376'",
        "echo '[[[[[[[['",
    ] {
        assert!(place.denies(garbage).contains("can't be understood"), "{garbage}");
    }
    // What is allowed on stdout is still denied by the exit code.
    assert!(
        place
            .denies(r#"echo '{"decision": "allow"}'; exit 2"#)
            .contains("no reason")
    );
    assert!(
        place
            .denies(r#"echo '{"decision": "allow"}'; exit 3"#)
            .contains("ended with 3")
    );
    assert_eq!(
        place.denies(r"printf 'a\033[2Jb' >&2; exit 2"),
        "a [2Jb",
        "a reason can't paint the terminal"
    );
}

#[cfg(unix)]
#[test]
fn endless_output_ends_in_a_denial() {
    let place = Place::new();
    for script in [
        "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
        "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy >&2; done",
    ] {
        assert!(place.denies(script).contains("more than 16384 bytes"), "{script}");
    }
}

#[cfg(unix)]
#[test]
fn what_a_hook_has_started_ends_with_it() {
    let place = Place::new();
    // Its child would write a file a second after the hook has run out of time.
    let text = place.denies_late("(sleep 2; touch made) & wait");
    assert!(text.contains("did not answer within"), "{text}");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert!(
        !place.dir.path().join("made").exists(),
        "the child has outlived its hook"
    );
}

#[cfg(unix)]
#[test]
fn a_hook_gets_a_short_environment_and_no_shell() {
    let place = Place::new();
    assert_eq!(place.says("env | grep -q '^CARGO' && exit 2\nexit 0"), Verdict::Pass);
    assert_eq!(
        place.denies("echo \"$PATH\" >&2; exit 2"),
        "/usr/local/bin:/usr/bin:/bin"
    );
    place.script(
        "hook",
        "test \"$1\" = '$(touch made); `touch made` > made' && test $# = 1",
    );
    let odd = "[[pre_tool_use]]\ncommand = [\"hooks/hook\", \"$(touch made); `touch made` > made\"]\n";
    assert_eq!(place.ask(&format!("{PROGRAMS}{odd}")), Verdict::Pass);
    assert!(!place.dir.path().join("made").exists());
}

#[cfg(unix)]
#[test]
fn a_hook_reads_the_call_and_only_calls_that_it_matches() {
    let place = Place::new();
    place.script("hook", r#"grep -q '"device":"arm"' && exit 2; exit 0"#);
    place.script("second", "exit 2");
    let ask = |text: &str| place.ask(&format!("{PROGRAMS}{text}"));
    assert_ne!(ask(&hook("arm.*", "hooks/hook")), Verdict::Pass);
    assert_eq!(ask(&hook("base.*", "hooks/hook")), Verdict::Pass);
    assert_eq!(ask(&hook("arm.home", "hooks/hook")), Verdict::Pass);
    assert_ne!(ask(&hook("arm.move", "hooks/hook")), Verdict::Pass);
    place.script("hook", "exit 0");
    let both = format!("{}{}", hook("*", "hooks/hook"), hook("*", "hooks/second"));
    assert_ne!(ask(&both), Verdict::Pass, "the first pass is not the last word");
}

#[cfg(unix)]
#[test]
fn each_hook_is_asked_at_its_time() {
    let place = Place::new();
    place.script("hook", "exit 2");
    for (key, when) in [
        ("pre_tool_use", When::PreToolUse),
        ("post_tool_use", When::PostToolUse),
        ("on_error", When::OnError),
        ("on_stop", When::OnStop),
    ] {
        let hooks = place.hooks(&format!("{PROGRAMS}[[{key}]]\ncommand = [\"hooks/hook\"]\n"));
        for other in [When::PreToolUse, When::PostToolUse, When::OnError, When::OnStop] {
            let denied = ask(hooks.clone(), subject(other)) != Verdict::Pass;
            assert_eq!(denied, other == when, "{key}, {other:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn what_either_file_denies_is_denied() {
    let place = Place::new();
    place.script("hook", "exit 2");
    let denies = place.hooks(&format!("{PROGRAMS}{}", hook("*", "hooks/hook")));
    let (none, broken) = (place.hooks(""), place.hooks("nonsense"));
    let verdict = |one: &Hooks, other: &Hooks| ask(one.clone().and(other), subject(When::PreToolUse));
    assert_eq!(verdict(&none, &none), Verdict::Pass);
    for (one, other) in [(&none, &denies), (&denies, &none), (&none, &broken), (&broken, &none)] {
        assert_ne!(verdict(one, other), Verdict::Pass);
    }
}
