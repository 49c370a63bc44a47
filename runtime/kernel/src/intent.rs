//! What was about to be sent when a run was broken off. A run is written down once, with its plan, before its first command; each command
//! before it leaves, with what is needed to go on from there; a run that ends says so. An intent that nobody ended belongs to a run that a
//! crash or a power cut ended, and the device is asked by its account what became of it. What it can't say, the person is asked.
//! It must not send anything, and it never repeats anything.

use crate::message::{Account, Named};
use crate::mode::Mode;
use crate::plan::Plan;
use crate::text::Diagnostic;
use crate::text::node::Place;
use llmos_follower::{Checkpoint, Point};
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
    /// Where the run was; a run can't be taken up within what it does about a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Box<At>>,
    /// What the person says: whether the command was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<bool>,
}

/// What the follower needs to go on from a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct At {
    /// The step, and what outlasts those before it.
    pub checkpoint: Checkpoint,
    /// The leg of the step, from 0.
    pub leg: u16,
    /// What the device reported when the step began, about itself and about what the call names.
    pub before: Vec<Named>,
}

/// A run that can be taken up: what its first command was preceded by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When it began; with the goal it names the run, as in its intents.
    pub run: String,
    /// What the person said.
    pub goal: String,
    /// The mode it ran in.
    pub mode: Mode,
    /// The trace that it followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<String>,
    /// Whether the model planned its ending.
    #[serde(default)]
    pub replanned: bool,
    /// Its plan.
    pub plan: Plan,
    /// Where the things were that the plan puts back: device, thing and place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<(String, String, Point)>,
    /// Digest of the plan's program, as 16 hexadecimal digits: it is only taken up as the same program.
    pub program: String,
}

impl Intent {
    fn is_of(&self, record: &Record) -> bool {
        (&self.run, &self.goal) == (&record.run, &record.goal)
    }
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
    Run(Box<Record>),
    Intent(Intent),
    /// What the person says became of the command that is open on a device.
    Answered {
        device: String,
        yes: bool,
    },
    /// Nothing is open on these devices any more.
    Closed {
        devices: Vec<String>,
    },
}

/// What became of a command whose sender is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The device reports, or the person says, that it ended well.
    Finished,
    /// The device reports, or the person says, that it never began it.
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
    records: Vec<Record>,
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
            Line::Run(record) => {
                self.records
                    .retain(|known| (&known.run, &known.goal) != (&record.run, &record.goal));
                return self.records.push(*record);
            }
            Line::Answered { device, yes } => {
                let asked = self.open.iter_mut().find(|known| known.device == device);
                return asked.into_iter().for_each(|known| known.answer = Some(yes));
            }
            Line::Intent(intent) => {
                // A run goes on only after it has seen how its last command ended.
                let same = |known: &Intent| known.run == intent.run && known.goal == intent.goal;
                self.open.retain(|known| known.device != intent.device && !same(known));
                self.open.push(intent);
            }
            Line::Closed { devices } => self.open.retain(|known| !devices.contains(&known.device)),
        }
        let open = &self.open;
        self.records
            .retain(|record| open.iter().any(|intent| intent.is_of(record)));
    }

    /// What is open.
    #[must_use]
    pub fn open(&self) -> &[Intent] {
        &self.open
    }

    /// What is open on a device.
    #[must_use]
    pub fn on(&self, device: &str) -> Option<&Intent> {
        self.open.iter().find(|intent| intent.device == device)
    }

    /// The run that an intent belongs to, if it can be taken up.
    #[must_use]
    pub fn record(&self, intent: &Intent) -> Option<&Record> {
        let record = self.records.iter().find(|record| intent.is_of(record));
        record.filter(|_| intent.at.is_some())
    }

    /// The run that was broken off last among those that can be taken up.
    #[must_use]
    pub fn last_broken_off(&self) -> Option<&Record> {
        self.open.iter().rev().find_map(|intent| self.record(intent))
    }

    /// Takes none of them up. What is open stays open.
    pub fn forget_runs(&mut self) {
        self.records.clear();
    }

    /// Writes a run down; returns the line to append before its first intent.
    pub fn run_line(&mut self, record: Record) -> String {
        let line = Line::Run(Box::new(record));
        let text = print(&line);
        self.take(line);
        text
    }

    /// Takes the person's word on what is open on a device; returns the line to append.
    pub fn answer_line(&mut self, device: &str, yes: bool) -> String {
        let line = Line::Answered {
            device: device.to_owned(),
            yes,
        };
        let text = print(&line);
        self.take(line);
        text
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
        self.lines = self.open.len() + self.records.len();
        let records = self.records.iter().cloned();
        let records = records.map(|record| Line::Run(Box::new(record)));
        let lines = records.chain(self.open.iter().cloned().map(Line::Intent));
        Closing::Rewrite(lines.map(|line| print(&line) + "\n").collect())
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
        Outcome::Finished if intent.answer.is_some() => {
            "you say that this command was carried out; nothing after it was begun".to_owned()
        }
        Outcome::NeverBegun if intent.answer.is_some() => "you say that this command was not carried out".to_owned(),
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

/// What a person is asked about a command of which nobody else knows.
#[must_use]
pub fn question(intent: &Intent) -> String {
    let Intent {
        goal,
        step,
        device,
        tool,
        ..
    } = intent;
    format!(
        "was {device}.{tool}, step {step} of \"{goal}\", carried out before that run was broken off? Look at {device} and at what it handles"
    )
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
            at: None,
            answer: None,
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

    fn record(run: &str) -> Record {
        Record {
            run: run.to_owned(),
            goal: "pick it up".to_owned(),
            mode: Mode::Follower,
            followed: None,
            replanned: false,
            plan: Plan::default(),
            starts: vec![("arm".to_owned(), "cube".to_owned(), [1, 2, 3])],
            program: "00".to_owned(),
        }
    }

    fn somewhere(run: &str, device: &str) -> Intent {
        let at = At {
            checkpoint: Checkpoint::default(),
            leg: 1,
            before: Vec::new(),
        };
        Intent {
            at: Some(Box::new(at)),
            ..intent(run, device, 1)
        }
    }

    #[test]
    fn a_run_can_be_taken_up_while_its_intent_is_open_and_says_where() {
        let mut intents = Intents::default();
        let mut text = intents.run_line(record("a")) + "\n";
        assert_eq!(Intents::read(&text).0.last_broken_off(), None, "it has not begun");
        text += &(intents.open_line(somewhere("a", "arm")) + "\n");
        assert_eq!(Intents::read(&text).0.last_broken_off(), Some(&record("a")));
        text += &(intents.answer_line("arm", true) + "\n");
        let read = Intents::read(&text).0;
        assert_eq!(
            (read.on("arm").and_then(|open| open.answer), read == intents),
            (Some(true), true)
        );
        let other = intents.open_line(intent("a", "arm", 2)) + "\n";
        assert_eq!(
            Intents::read(&(text.clone() + &other)).0.last_broken_off(),
            None,
            "in what undoes it"
        );
        let mut closed = Intents::read(&text).0;
        closed.close(&["arm".to_owned()]);
        assert_eq!((closed.last_broken_off(), closed.records.len()), (None, 0));
    }

    #[test]
    fn a_long_file_is_written_anew_with_what_is_open() {
        let mut intents = Intents::default();
        intents.run_line(record("z"));
        intents.open_line(somewhere("z", "base"));
        for _ in 0..LINES_MAX {
            intents.open_line(intent("a", "arm", 1));
        }
        let Closing::Rewrite(text) = intents.close(&["arm".to_owned()]) else {
            panic!("the file is long")
        };
        assert_eq!(text.lines().count(), 2);
        assert_eq!(Intents::read(&text).0.last_broken_off(), Some(&record("z")));
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
