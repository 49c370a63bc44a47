//! The built-in hooks' books in the workspace: calls, costs and memory as files, and what this run and this hour have spent. What they decide
//! is pure and in the kernel (`guard`). A book that can't be written denies, since what is not written down can't be counted.

use super::file::Deed;
use super::{Subject, When};
use crate::shell::disk;
use crate::shell::workspace::Workspace;
use llmos_kernel::guard::{Spent, check_words};
use llmos_kernel::message::{Report, Tokens};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Every call, a line of JSON each.
const CALLS: &str = "traces/calls.jsonl";
/// What every run cost, a line of JSON each.
const COSTS: &str = "traces/costs.jsonl";
/// What was observed, for people.
const MEMORY: &str = "memory/session.md";
/// The memory before that.
const OLD_MEMORY: &str = "memory/session.old.md";
/// Bytes of memory after which it begins anew.
const MEMORY_BYTES_MAX: u64 = 1 << 20;
/// Bytes at the end of the costs that are read: more than an hour of runs.
const TAIL_BYTES: u64 = 1 << 20;
/// An hour, in seconds.
const HOUR_S: u64 = 3_600;

/// A line of `costs.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    /// Seconds since 1970.
    at: u64,
    goal: String,
    status: String,
    ms: u64,
    #[serde(flatten)]
    spent: Spent,
}

/// What the built-ins keep.
#[derive(Debug)]
pub struct Books {
    root: PathBuf,
    /// What this run has spent.
    run: Spent,
    /// When its last command left, and has not been observed.
    sent: Option<Instant>,
    /// What runs of the last hour have spent, with the second of their end; `Err` where it can't be known.
    hour: Result<VecDeque<(u64, Spent)>, String>,
}

impl Books {
    /// Opens the books of a workspace.
    pub fn open(workspace: &Workspace) -> Books {
        let root = workspace.root().to_owned();
        let hour = read_hour(&root.join(COSTS), seconds());
        Books {
            root,
            run: Spent::default(),
            sent: None,
            hour,
        }
    }

    /// Asks one built-in.
    ///
    /// # Errors
    /// Why not.
    pub fn ask(&mut self, deed: &Deed, subject: &Subject) -> Result<(), String> {
        match deed {
            Deed::Program { .. } | Deed::Cost => Ok(()),
            Deed::Security => check_words(&subject.arguments),
            Deed::Budget(budget) => {
                let hour = self.spent_in_hour()?;
                budget.check(self.run, hour.plus(self.run))
            }
            Deed::Trace => {
                let mut line = subject.json();
                line["date"] = json!(crate::shell::host::date());
                self.append(CALLS, &line.to_string())
            }
            Deed::Memory => self.remember(subject),
        }
    }

    fn spent_in_hour(&mut self) -> Result<Spent, String> {
        let now = seconds();
        let hour = self.hour.as_mut().map_err(|why| why.clone())?;
        while hour.front().is_some_and(|(at, _)| at.saturating_add(HOUR_S) <= now) {
            hour.pop_front();
        }
        Ok(hour.iter().fold(Spent::default(), |sum, (_, spent)| sum.plus(*spent)))
    }

    /// A command left.
    pub fn sent(&mut self) {
        self.run.commands += 1;
        self.sent = Some(Instant::now());
    }

    /// A command was seen to be through, or the run is over.
    pub fn observed(&mut self) {
        let moving = self.sent.take().map_or(Duration::ZERO, |sent| sent.elapsed());
        self.run.moving_ms += u64::try_from(moving.as_millis()).unwrap_or(u64::MAX);
    }

    /// The model has answered.
    pub fn planned(&mut self, tokens: Tokens) {
        self.run.tokens += u64::from(tokens.prompt) + u64::from(tokens.generated);
    }

    /// A run is over, well or not: what it cost is charged, and written down where a hook wants that.
    ///
    /// # Errors
    /// It could not be written.
    pub fn charge(&mut self, report: &Report, counts: bool) -> Result<(), String> {
        self.observed();
        let spent = std::mem::take(&mut self.run);
        let at = seconds();
        if let Ok(hour) = self.hour.as_mut() {
            hour.push_back((at, spent));
        }
        if !counts {
            return Ok(());
        }
        let line = Line {
            at,
            goal: report.goal.clone(),
            status: crate::output::status_word(report.status),
            ms: report.ms,
            spent,
        };
        let line = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        let written = self.append(COSTS, &line);
        if let Err(why) = &written {
            // What the disk does not know, the next process would not count; this one allows nothing more on a budget.
            self.hour = Err(why.clone());
        }
        written
    }

    fn remember(&self, subject: &Subject) -> Result<(), String> {
        let path = self.path(MEMORY)?;
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > MEMORY_BYTES_MAX) {
            let moved = disk::rename(&path, &self.path(OLD_MEMORY)?);
            moved.map_err(|error| format!("{MEMORY} can't be put away: {error}"))?;
        }
        if !path.exists() {
            self.append(MEMORY, "# What was observed\n")?;
        }
        let text = |key: &str| match &subject.more[key] {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        let result = if subject.when == When::OnError {
            format!("failed: {}", text("why"))
        } else {
            text("observed")
        };
        let line = format!(
            "- {} {}.{} {}: {result}",
            crate::shell::host::date(),
            subject.device,
            subject.tool,
            text("call")
        );
        // One call is one line, whatever a device calls its things.
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.append(MEMORY, &line)
    }

    fn append(&self, path: &str, line: &str) -> Result<(), String> {
        let full = self.path(path)?;
        let folder = full.parent().map_or(Ok(()), disk::create_folder);
        folder
            .and_then(|()| disk::append(&full, line))
            .map_err(|error| format!("{path} can't be written: {error}"))
    }

    /// A book's path; a link may lead anywhere, so a book is no link.
    fn path(&self, path: &str) -> Result<PathBuf, String> {
        let full = self.root.join(path);
        let is_link = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        if is_link(&full) || full.parent().is_some_and(is_link) {
            return Err(format!(
                "{path} is a symbolic link; books are real files inside the workspace"
            ));
        }
        Ok(full)
    }
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

/// What was spent in the hour before `now`. A torn last line was never told to anybody.
fn read_hour(path: &Path, now: u64) -> Result<VecDeque<(u64, Spent)>, String> {
    let unreadable = |error: std::io::Error| format!("{COSTS} can't be read, so what was spent is not known: {error}");
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(VecDeque::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let length = file.metadata().map_err(unreadable)?.len();
    let skipped = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(skipped)).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().peekable();
    if skipped > 0 {
        lines.next();
    }
    let mut hour = VecDeque::new();
    while let Some(line) = lines.next() {
        let whole = lines.peek().is_some() || text.ends_with('\n');
        match serde_json::from_str::<Line>(line) {
            // A clock that was set back must not make spending disappear.
            Ok(line) if line.at.saturating_add(HOUR_S) > now => hour.push_back((line.at.min(now), line.spent)),
            Ok(_) => {}
            Err(_) if !whole => {}
            Err(error) => {
                return Err(format!(
                    "{COSTS} has a line that is no cost ({error}), so what was spent is not known; mend or remove it"
                ));
            }
        }
    }
    Ok(hour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmos_kernel::guard::Budget;
    use llmos_kernel::message::{Fact, Status};

    fn books() -> (tempfile::TempDir, Books) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().join("ws");
        crate::shell::workspace::init(&root).expect("a workspace");
        let books = Books::open(&Workspace::open(&root, false).expect("it opens"));
        (dir, books)
    }

    fn subject(when: When) -> Subject {
        Subject {
            when,
            device: "arm".to_owned(),
            tool: "pick".to_owned(),
            arguments: vec![("object".to_owned(), Fact::Text("red cube".to_owned()))],
            more: json!({ "observed": "met", "call": "(object: red\ncube)" }),
        }
    }

    fn report() -> Report {
        serde_json::from_value(json!({
            "goal": "pick", "mode": null, "reason": "", "status": Status::Failed, "plan": { "calls": [] }, "calls": null, "steps": [],
            "question": null, "tokens": Tokens::default(), "model_calls": 0, "ms": 7, "trace": null, "digest": null,
        }))
        .expect("a report")
    }

    #[test]
    fn a_budget_counts_this_run_and_the_hour_across_processes() {
        let (dir, mut books) = books();
        let budget = |budget: Budget| Deed::Budget(budget);
        let two = budget(Budget {
            commands_per_run: Some(2),
            ..Budget::default()
        });
        let three = budget(Budget {
            commands_per_hour: Some(3),
            ..Budget::default()
        });
        let tokens = budget(Budget {
            tokens_per_run: Some(50),
            ..Budget::default()
        });
        let before = subject(When::PreToolUse);
        for _ in 0..2 {
            books.ask(&two, &before).expect("there is some left");
            books.sent();
        }
        assert!(
            books
                .ask(&two, &before)
                .expect_err("two are two")
                .contains("commands_per_run = 2")
        );
        books.planned(Tokens {
            prompt: 40,
            generated: 10,
            ..Tokens::default()
        });
        assert!(
            books
                .ask(&tokens, &before)
                .expect_err("they are spent")
                .contains("tokens_per_run = 50")
        );
        books.charge(&report(), true).expect("it is written");
        books.ask(&two, &before).expect("the next run has its own");
        books.ask(&three, &before).expect("two of three are spent");
        let workspace = Workspace::open(&dir.path().join("ws"), false).expect("it opens");
        let mut next = Books::open(&workspace);
        next.sent();
        let why = next
            .ask(&three, &before)
            .expect_err("another process knows what was spent");
        assert!(why.contains("commands_per_hour = 3, spent 3"), "{why}");
        let later = read_hour(&workspace.root().join(COSTS), seconds() + HOUR_S).expect("it is read");
        assert!(later.is_empty(), "after an hour it is forgotten");
    }

    #[test]
    fn what_can_not_be_counted_is_denied() {
        let (dir, books) = books();
        drop(books);
        let root = dir.path().join("ws");
        let budget = Deed::Budget(Budget {
            commands_per_hour: Some(3),
            ..Budget::default()
        });
        let ask =
            || Books::open(&Workspace::open(&root, false).expect("it opens")).ask(&budget, &subject(When::PreToolUse));
        std::fs::write(root.join(COSTS), "nonsense\n").expect("a file");
        assert!(ask().expect_err("it is no ledger").contains("no cost"));
        std::fs::write(root.join(COSTS), "{\"at\": 1, \"go").expect("a file");
        ask().expect("a torn last line was never told to anybody");
        std::fs::remove_file(root.join(COSTS)).expect("it is there");
        std::fs::create_dir(root.join(COSTS)).expect("a folder in its place");
        assert!(ask().is_err());
        let mut books = Books::open(&Workspace::open(&root, false).expect("it opens"));
        assert!(books.charge(&report(), true).is_err());
        books.charge(&report(), false).expect("nobody wants it written");
    }

    #[test]
    fn calls_and_memory_are_written_and_a_link_is_no_book() {
        let (dir, mut books) = books();
        let root = dir.path().join("ws");
        books
            .ask(&Deed::Trace, &subject(When::PreToolUse))
            .expect("it is written");
        books
            .ask(&Deed::Trace, &subject(When::PostToolUse))
            .expect("it is written");
        let calls = std::fs::read_to_string(root.join(CALLS)).expect("calls");
        assert_eq!(calls.lines().count(), 2, "{calls}");
        assert!(
            calls.contains("PreToolUse") && calls.contains("red cube") && calls.contains("\"date\""),
            "{calls}"
        );
        books
            .ask(&Deed::Memory, &subject(When::PostToolUse))
            .expect("it is written");
        let memory = std::fs::read_to_string(root.join(MEMORY)).expect("memory");
        assert!(
            memory.starts_with("# ") && memory.contains("arm.pick (object: red cube): met"),
            "{memory}"
        );
        std::fs::write(root.join(MEMORY), vec![b'x'; 1 << 21]).expect("a long memory");
        books
            .ask(&Deed::Memory, &subject(When::PostToolUse))
            .expect("it begins anew");
        assert!(root.join(OLD_MEMORY).exists());
        #[cfg(unix)]
        {
            std::fs::remove_file(root.join(CALLS)).expect("it is there");
            std::os::unix::fs::symlink(dir.path().join("elsewhere"), root.join(CALLS)).expect("a link");
            assert!(books.ask(&Deed::Trace, &subject(When::PreToolUse)).is_err());
            assert!(!dir.path().join("elsewhere").exists());
        }
    }

    #[test]
    fn security_looks_at_words() {
        let (_dir, mut books) = books();
        books
            .ask(&Deed::Security, &subject(When::PreToolUse))
            .expect("a red cube is no attack");
        let mut bad = subject(When::PreToolUse);
        bad.arguments = vec![("object".to_owned(), Fact::Text("../../etc".to_owned()))];
        assert!(books.ask(&Deed::Security, &bad).is_err());
    }
}
