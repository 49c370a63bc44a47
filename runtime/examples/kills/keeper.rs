//! Keeps the device, starts hosts and kills them, and knows what is true: what the device did, and what was acknowledged.

use crate::shell::faults;
use crate::shell::workspace::{self, Workspace};
use crate::wire::{Heard, Said};
use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Faults, SimKind, Xorshift};
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_kernel::intent::{Intent, Outcome};
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Operations among which a kill is placed; a host does about twelve for a goal.
const OPERATIONS: u64 = 80;
/// Time within which a kill comes that is not placed, in microseconds.
const TIME_US: u64 = 60_000;
/// How much faster than life the arm moves.
const HASTE: u32 = 2;

/// What was found.
#[derive(Debug, Default)]
pub struct Count {
    pub kills: u64,
    placed: u64,
    acknowledged: u64,
    lost: u64,
    unreadable: u64,
    wrong: u64,
    silent: u64,
    commands: u64,
    finished: u64,
    failed: u64,
    never_begun: u64,
    unknown: u64,
    restarts: u64,
}

impl Count {
    /// Whether anything is not as it must be.
    pub fn is_bad(&self) -> bool {
        self.lost + self.unreadable + self.wrong + self.silent > 0
    }
}

/// How the device says that a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Begun,
    Finished,
    Failed,
}

pub struct Keeper {
    folder: PathBuf,
    twin: Option<String>,
    chance: Xorshift,
    pub count: Count,
    since: Instant,
    session: u32,
    device: Simulated,
    boot: u32,
    /// The device's time, and what of it had passed when this host began.
    now: u64,
    began: u64,
    /// What the device did, by boot and sequence number.
    truth: BTreeMap<(u32, u32), End>,
    /// The run that is under way, whether the device has begun a command of it, and whether its end was told.
    run: Option<(String, bool)>,
    /// The run that it goes on with, whose name its commands have.
    taken_up: Option<String>,
    /// Runs with commands whose host was killed, and of which nobody has heard since.
    unheard: BTreeSet<String>,
    traces: BTreeMap<String, Vec<u8>>,
    uses: BTreeSet<String>,
    /// How runs ended that were reported.
    statuses: BTreeMap<String, u64>,
}

impl Keeper {
    pub fn new(folder: &Path, seed: u64, twin: Option<String>) -> Keeper {
        // A temporary folder in which nothing can be made ends the program, and it should.
        workspace::init(folder).expect("a workspace");
        for other in ["base", "greenhouse"] {
            std::fs::remove_file(folder.join(format!("devices/{other}.md"))).expect("the template's device");
        }
        Keeper {
            folder: folder.to_owned(),
            twin,
            chance: Xorshift::new(seed),
            count: Count::default(),
            since: Instant::now(),
            session: 0,
            device: boot(1),
            boot: 1,
            now: 0,
            began: 0,
            truth: BTreeMap::new(),
            run: None,
            taken_up: None,
            unheard: BTreeSet::new(),
            traces: BTreeMap::new(),
            uses: BTreeSet::new(),
            statuses: BTreeMap::new(),
        }
    }

    /// One host, from its start to its kill, and a look at what is left.
    pub fn round(&mut self) {
        self.session += 1;
        self.began = self.now;
        let placed = self.chance.below(2) == 0;
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("--host").arg(&self.folder);
        command.args(["--session", &self.session.to_string()]);
        command.args(["--seed", &self.chance.below(1 << 40).to_string()]);
        if let Some(twin) = &self.twin {
            command.args(["--twin", twin]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if placed {
            command.env(faults::VARIABLE, self.fault());
        }
        let mut child = command.spawn().expect("a host starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (mut stdin, stdout) = (stdin.expect("its stdin"), stdout.expect("its stdout"));
        let child = Arc::new(Mutex::new(child));
        let killer = (!placed).then(|| self.killer(&child));
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The last line may be torn.
            let Ok(said) = serde_json::from_str(&line) else { break };
            self.take(said, &mut stdin);
        }
        drop(stdin);
        if let Some(killer) = killer {
            let _ = killer.join();
        }
        let ended = child.lock().expect("the host").wait().expect("its end");
        let struck = !ended.success();
        self.count.kills += u64::from(struck);
        self.count.placed += u64::from(struck && placed);
        self.after();
    }

    fn fault(&mut self) -> String {
        let kinds = ["kill-before", "tear", "kill-after"];
        let kind = kinds[usize::try_from(self.chance.below(3)).unwrap_or(0)];
        let logs = if self.chance.below(8) == 0 { "log:" } else { "" };
        format!("{kind}:{logs}{}", 1 + self.chance.below(OPERATIONS))
    }

    fn killer(&mut self, child: &Arc<Mutex<Child>>) -> thread::JoinHandle<()> {
        let wait = Duration::from_micros(self.chance.below(TIME_US));
        let child = Arc::clone(child);
        thread::spawn(move || {
            thread::sleep(wait);
            // It may have ended by itself.
            let _ = child.lock().expect("the host").kill();
        })
    }

    fn take(&mut self, said: Said, stdin: &mut ChildStdin) {
        match said {
            Said::Begins { run } => {
                self.taken_up = None;
                self.run = Some((run, false));
            }
            Said::Publishes { now, messages } => {
                self.now = self.now.max(self.began + now);
                let mut heard = Heard::new();
                for (topic, payload) in messages {
                    let topic = Topic::parse(&topic).expect("one of our topics");
                    self.device
                        .handle_message(self.now, topic.subject, payload.as_bytes(), false);
                    self.drain(&mut heard);
                }
                self.device.handle_tick(self.now);
                self.drain(&mut heard);
                let line = serde_json::to_string(&heard).expect("text");
                // It may be dead by now.
                let _ = writeln!(stdin, "{line}");
            }
            Said::BrokenOff { intent, outcome } => self.told(&intent, &outcome),
            Said::TakenUp { run } => self.taken_up = Some(run),
            Said::Reports { run, trace, status } => {
                *self.statuses.entry(format!("{status:?}")).or_default() += 1;
                self.run = None;
                let Some(id) = trace else { return };
                self.count.acknowledged += 1;
                self.uses.insert(run);
                if !self.traces.contains_key(&id) {
                    // What is not there now is lost already.
                    let text = std::fs::read(self.folder.join(format!("traces/{id}.md"))).unwrap_or_default();
                    self.count.lost += u64::from(!text.ends_with(b"\n") && self.twin.is_none());
                    self.traces.insert(id, text);
                }
            }
        }
    }

    /// Everything that the device says goes to the host, and is true.
    fn drain(&mut self, heard: &mut Heard) {
        let name = DeviceName::parse("arm").expect("a name");
        while let Some(message) = self.device.poll() {
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            let value: serde_json::Value = serde_json::from_str(&payload).unwrap_or_default();
            let number = |value: &serde_json::Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
            if value["accepted"] == true {
                self.begun(number(&value["seq"]));
            }
            heard.push((Topic::new(&name, message.subject).to_string(), payload));
        }
        let Some(status) = self.device.status() else { return };
        if let Some(end) = self.truth.get_mut(&(status.boot, status.done)) {
            *end = End::Finished;
        }
        if let Some(end) = status
            .failed
            .and_then(|(seq, _)| self.truth.get_mut(&(status.boot, seq)))
        {
            *end = End::Failed;
        }
    }

    fn begun(&mut self, seq: u32) {
        if self.truth.insert((self.boot, seq), End::Begun).is_some() {
            return;
        }
        self.count.commands += 1;
        if let Some((_, acts)) = &mut self.run {
            *acts = true;
        }
        // Before anything else moves, somebody must have heard of what was left.
        self.count.silent += self.unheard.len() as u64;
        self.unheard.clear();
    }

    fn told(&mut self, intent: &Intent, outcome: &Outcome) {
        self.unheard.remove(&intent.run);
        let mark = intent.mark.map(|mark| (mark.boot, mark.seq));
        let truth = mark.and_then(|mark| self.truth.get(&mark).copied());
        let has_restarted = mark.is_none_or(|(boot, _)| boot != self.boot);
        let is_right = match outcome {
            Outcome::Finished => truth == Some(End::Finished),
            Outcome::Failed { .. } => truth == Some(End::Failed),
            Outcome::NeverBegun => truth.is_none(),
            Outcome::Unknown { .. } => has_restarted,
        };
        // Where the device can't say, the host here says yes to whatever it is asked, and that is what the next one tells.
        let is_said = matches!(
            (intent.answer, outcome),
            (Some(true), Outcome::Finished) | (Some(false), Outcome::NeverBegun)
        );
        if !is_right && !is_said {
            self.count.wrong += 1;
            let _ = writeln!(
                io::stderr(),
                "wrong outcome: {outcome:?} of {intent:?}; the device's boot is {}, and it did {truth:?}",
                self.boot
            );
        }
        match outcome {
            Outcome::Finished => self.count.finished += 1,
            Outcome::Failed { .. } => self.count.failed += 1,
            Outcome::NeverBegun => self.count.never_begun += 1,
            Outcome::Unknown { .. } => self.count.unknown += 1,
        }
    }

    /// What is left after a kill.
    fn after(&mut self) {
        let ledger = std::fs::read_to_string(self.folder.join("traces/ledger.jsonl")).unwrap_or_default();
        let entries = ledger
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let kept: BTreeSet<String> = entries
            .filter_map(|entry| Some(entry["date"].as_str()?.to_owned()))
            .collect();
        self.count.lost += self.uses.difference(&kept).count() as u64;
        self.uses.retain(|run| kept.contains(run));
        let folder = self.folder.clone();
        let lost: Vec<String> = self
            .traces
            .iter()
            .filter(|(id, text)| std::fs::read(folder.join(format!("traces/{id}.md"))).ok().as_ref() != Some(*text))
            .map(|(id, _)| id.clone())
            .collect();
        self.count.lost += lost.len() as u64;
        self.traces.retain(|id, _| !lost.contains(id));
        self.count.unreadable += u64::from(!self.is_readable());
        self.forget_one();
        if let Some((run, true)) = self.run.take()
            && !kept.contains(&run)
        {
            self.unheard.insert(self.taken_up.take().unwrap_or(run));
        }
        self.pause();
    }

    /// A person removes a trace, so that there is always something to learn.
    fn forget_one(&mut self) {
        let at = self.chance.below(self.traces.len() as u64 * 2);
        let id = usize::try_from(at)
            .ok()
            .and_then(|at| self.traces.keys().nth(at))
            .cloned();
        let Some(id) = id else { return };
        self.traces.remove(&id);
        let workspace = Workspace::open(&self.folder, true).expect("a workspace that nobody owns");
        workspace.remove(&format!("traces/{id}.md")).expect("it is removed");
    }

    fn is_readable(&self) -> bool {
        let Ok(workspace) = Workspace::open(&self.folder, true) else {
            return false;
        };
        let mut kernel = Kernel::new(Settings::default());
        for (path, text) in workspace.documents() {
            let Ok(text) = text else { return false };
            kernel.handle(0, Input::Document { path, text });
        }
        let errors = kernel.findings().values().flatten().filter(|found| found.is_error());
        errors.count() == 0
            && self
                .traces
                .keys()
                .all(|id| kernel.traces().iter().any(|trace| trace.id == *id))
    }

    /// Until the next host: sometimes long enough for the lease to run out, sometimes the device restarts. A person ends a stop.
    fn pause(&mut self) {
        if self.chance.below(4) == 0 {
            self.device.handle_message(
                self.now,
                Subject::Stop,
                b"a person sees that nobody is in charge",
                false,
            );
            self.drain(&mut Heard::new());
        }
        let end = self.now + self.chance.below(3_000);
        while self.now < end {
            self.now += 20;
            self.device.handle_tick(self.now);
            self.drain(&mut Heard::new());
        }
        if self.device.status().is_some_and(|status| status.stopped) {
            let reset = br#"{"reset":true,"by":"person"}"#;
            self.device.handle_message(self.now, Subject::Stop, reset, false);
        }
        if self.chance.below(20) == 0 {
            self.count.restarts += 1;
            self.boot += 1;
            self.device = boot(self.boot);
        }
    }

    /// How it stands.
    pub fn tell(&self) {
        let Count {
            kills,
            placed,
            acknowledged,
            lost,
            unreadable,
            wrong,
            silent,
            commands,
            finished,
            failed,
            never_begun,
            unknown,
            restarts,
        } = &self.count;
        let seconds = self.since.elapsed().as_secs();
        // Where nobody reads there is nobody to tell.
        let _ = writeln!(
            io::stdout(),
            "{kills} kills in {seconds} s ({placed} at an operation, {} at any time): {lost} acknowledged traces or uses lost, {unreadable} \
             unreadable workspaces, {wrong} wrong outcomes, {silent} commands nobody heard of\n    {acknowledged} runs acknowledged {:?}, {} traces, \
             {commands} commands begun, {restarts} restarts of the device; broken off and told: {finished} finished, {failed} failed, \
             {never_begun} never begun, {unknown} unknown",
            kills - placed,
            self.statuses,
            self.traces.len()
        );
    }
}

fn boot(number: u32) -> Simulated {
    Simulated::new(SimKind::Arm, 0, HASTE, Faults::default(), number)
}
