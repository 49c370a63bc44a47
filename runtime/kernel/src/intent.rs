//! What was about to be sent when a run was broken off. Each command is written down before it leaves; a run that ends says so. An intent
//! that nobody ended belongs to a run that a crash or a power cut ended, and the device is asked by its account what became of it.
//! It must not send anything, and it never repeats anything: what is not known is told to the person.

use crate::message::Account;
use crate::text::Diagnostic;
use crate::text::node::Place;
use serde::{Deserialize, Serialize};

/// Where intents are kept.
pub const PATH: &str = "journal/intents.jsonl";
/// Lines after which the file is written anew with the open intents alone.
pub const LINES_MAX: usize = 1_000;

/// A command that was about to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// When its run began; with the goal it names the run.
    pub run: String,
    /// What the person said.
    pub goal: String,
    /// Which step of the plan it belongs to, from 1.
    pub step: usize,
    /// How many steps the plan has.
    pub steps: usize,
    /// The command's number in its process.
    pub command: u64,
    /// The device.
    pub device: String,
    /// The tool.
    pub tool: String,
    /// Digest of device, tool and arguments, as 16 hexadecimal digits.
    pub digest: String,
    /// Its name on the device; a device with topics of its own has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

/// A command's name on its device: sequence numbers rise through a whole boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// The boot of the device.
    pub boot: u32,
    /// The sequence number.
    pub seq: u32,
}

/// A line of the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Intent(Intent),
    /// Nothing is open on these devices any more.
    Closed {
        devices: Vec<String>,
    },
}

/// What became of a command whose sender is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The device reports that it ended well.
    Finished,
    /// The device reports that it never began it.
    NeverBegun,
    /// The device reports that it began it and could not finish it.
    Failed {
        /// Why.
        why: String,
    },
    /// Nobody knows.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Outcome {
    /// Whether a person has to look.
    #[must_use]
    pub fn wants_a_look(&self) -> bool {
        match self {
            Outcome::Finished | Outcome::NeverBegun => false,
            Outcome::Failed { .. } | Outcome::Unknown { .. } => true,
        }
    }
}

/// The intents that nobody ended, one for each device at most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Intents {
    open: Vec<Intent>,
    lines: usize,
}

impl Intents {
    /// Reads the file. A line that a crash tore was not acted on: a command leaves only after its line is on disk.
    #[must_use]
    pub fn read(text: &str) -> (Intents, Vec<Diagnostic>) {
        let mut intents = Intents::default();
        let mut found = Vec::new();
        for (line, entry) in (1_u32..).zip(text.lines()) {
            match serde_json::from_str(entry) {
                Ok(entry) => intents.take(entry),
                Err(error) => found.push(Diagnostic::warning(
                    Place { line, column: 1 },
                    format!("this line is no intent: {error}"),
                )),
            }
        }
        (intents, found)
    }

    fn take(&mut self, line: Line) {
        self.lines += 1;
        match line {
            Line::Intent(intent) => {
                // A run goes on only after it has seen how its last command ended.
                let same = |known: &Intent| known.run == intent.run && known.goal == intent.goal;
                self.open.retain(|known| known.device != intent.device && !same(known));
                self.open.push(intent);
            }
            Line::Closed { devices } => self.open.retain(|known| !devices.contains(&known.device)),
        }
    }

    /// What is open.
    #[must_use]
    pub fn open(&self) -> &[Intent] {
        &self.open
    }

    /// Opens an intent; returns the line to append before the command leaves.
    pub fn open_line(&mut self, intent: Intent) -> String {
        let line = Line::Intent(intent);
        let text = print(&line);
        self.take(line);
        text
    }

    /// Ends what is open on some devices.
    pub fn close(&mut self, devices: &[String]) -> Closing {
        let line = Line::Closed {
            devices: devices.to_vec(),
        };
        let text = print(&line);
        self.take(line);
        if self.lines < LINES_MAX {
            return Closing::Append(text);
        }
        self.lines = self.open.len();
        let lines = self
            .open
            .iter()
            .cloned()
            .map(|intent| print(&Line::Intent(intent)) + "\n");
        Closing::Rewrite(lines.collect())
    }
}

/// How an end is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// This line is appended.
    Append(String),
    /// The file has become long: this is all that matters of it.
    Rewrite(String),
}

fn print(line: &Line) -> String {
    // The types hold nothing that JSON can't.
    serde_json::to_string(line).unwrap_or_default()
}

/// What a device's account says about a command. `used` is the last sequence number that the device had used up when it granted its lease
/// to us: by then nothing of another host was under way.
#[must_use]
pub fn outcome(mark: Option<Mark>, used: Option<u32>, account: Option<&Account>) -> Outcome {
    let unknown = |why: &str| Outcome::Unknown { why: why.to_owned() };
    let Some(mark) = mark else {
        return unknown("it does not account for its commands");
    };
    let (Some(used), Some(account)) = (used, account) else {
        return unknown("it does not answer now");
    };
    match &account.failed {
        _ if account.boot != mark.boot => unknown("it has restarted since"),
        _ if account.done == mark.seq => Outcome::Finished,
        Some((seq, why)) if *seq == mark.seq => Outcome::Failed { why: why.clone() },
        // It never came, or it came and was refused.
        _ if used <= mark.seq => Outcome::NeverBegun,
        _ => unknown("it has served somebody else since"),
    }
}

/// What a person is told.
#[must_use]
pub fn tell(intent: &Intent, outcome: &Outcome) -> String {
    let Intent {
        run,
        goal,
        step,
        steps,
        device,
        tool,
        ..
    } = intent;
    let what = match outcome {
        Outcome::Finished => format!("{device} reports that it finished this command; nothing after it was begun"),
        Outcome::NeverBegun => format!("{device} reports that it never began this command"),
        Outcome::Failed { why } => format!(
            "{device} reports that this command failed ({why}), so it may be half done: look at {device} and at what it handles before you \
             ask for it again"
        ),
        Outcome::Unknown { why } => format!(
            "whether this command was carried out is not known: {why}. Look at {device} and at what it handles before you ask for it again; \
             nothing was repeated"
        ),
    };
    format!("the run \"{goal}\" of {run} was broken off at step {step} of {steps}, {device}.{tool}; {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(run: &str, device: &str, step: usize) -> Intent {
        Intent {
            run: run.to_owned(),
            goal: "pick it up".to_owned(),
            step,
            steps: 3,
            command: 7,
            device: device.to_owned(),
            tool: "move".to_owned(),
            digest: "00".to_owned(),
            mark: Some(Mark { boot: 5, seq: 42 }),
        }
    }

    fn open(intents: &Intents) -> Vec<(&str, usize)> {
        intents
            .open()
            .iter()
            .map(|intent| (intent.device.as_str(), intent.step))
            .collect()
    }

    #[test]
    fn what_nobody_ended_is_open() {
        let mut intents = Intents::default();
        let mut text = String::new();
        let mut write = |line: String| {
            text.push_str(&line);
            text.push('\n');
            Intents::read(&text).0
        };
        write(intents.open_line(intent("a", "arm", 1)));
        let read = write(intents.open_line(intent("a", "base", 2)));
        assert_eq!(
            open(&read),
            [("base", 2)],
            "step 2 is only begun after step 1 has ended"
        );
        let read = write(intents.open_line(intent("b", "arm", 1)));
        assert_eq!(open(&read), [("base", 2), ("arm", 1)], "another run ends nothing");
        let Closing::Append(line) = intents.close(&["arm".to_owned()]) else {
            panic!("the file is short")
        };
        assert_eq!(open(&write(line)), [("base", 2)]);
        assert_eq!(open(&intents), [("base", 2)], "in memory as on disk");
    }

    #[test]
    fn a_torn_line_was_not_acted_on() {
        let mut intents = Intents::default();
        let mut text = intents.open_line(intent("a", "arm", 1)) + "\n";
        let second = intents.open_line(intent("a", "arm", 2));
        text.push_str(&second[..second.len() / 2]);
        let (read, found) = Intents::read(&text);
        assert_eq!((open(&read), found.len()), (vec![("arm", 1)], 1));
        assert!(!found[0].is_error());
    }

    #[test]
    fn a_long_file_is_written_anew_with_what_is_open() {
        let mut intents = Intents::default();
        intents.open_line(intent("z", "base", 1));
        for _ in 0..LINES_MAX {
            intents.open_line(intent("a", "arm", 1));
        }
        let Closing::Rewrite(text) = intents.close(&["arm".to_owned()]) else {
            panic!("the file is long")
        };
        assert_eq!(text.lines().count(), 1);
        assert_eq!(open(&Intents::read(&text).0), [("base", 1)]);
        assert!(matches!(intents.close(&["arm".to_owned()]), Closing::Append(_)));
    }

    /// What an account says about command 42 of boot 5.
    fn check(used: u32, boot: u32, done: u32, failed: Option<u32>, expected: &str) {
        let account = Account {
            boot,
            done,
            failed: failed.map(|seq| (seq, "stopped".to_owned())),
        };
        let outcome = outcome(Some(Mark { boot: 5, seq: 42 }), Some(used), Some(&account));
        let text = tell(&intent("a", "arm", 2), &outcome);
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("step 2 of 3") && text.contains("pick it up"), "{text}");
    }

    #[test]
    fn an_account_says_what_became_of_a_command() {
        check(42, 5, 42, None, "finished");
        check(43, 5, 42, Some(43), "finished");
        check(42, 5, 41, Some(42), "failed (stopped)");
        check(41, 5, 41, None, "never began");
        check(41, 5, 40, Some(41), "never began");
        check(42, 5, 41, Some(41), "never began");
        check(43, 5, 43, None, "somebody else");
        check(44, 5, 41, Some(44), "somebody else");
        check(42, 6, 42, None, "restarted");
        for (mark, used) in [(None, Some(1)), (Some(Mark { boot: 5, seq: 42 }), None)] {
            assert!(matches!(outcome(mark, used, None), Outcome::Unknown { .. }));
        }
    }
}
