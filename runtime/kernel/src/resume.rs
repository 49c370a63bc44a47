//! A run that was broken off is taken up at the step it was at, when the same is asked again. What became of its last command is told by the
//! device's account, then by its state, then by the person; a command that may have been begun is never repeated, unless doing it twice does
//! no harm or nothing of it is to be seen. Until the person has said what nobody else knows, nothing is sent to that device.

use crate::compile::compile;
use crate::intent::{self, Intent, Outcome, Record};
use crate::kernel::{Kernel, Phase, Run};
use crate::message::{Event, Fact, Named, Output, Request, Status, StepReport};
use crate::mode::Mode;
use crate::plan::{Given, Plan};
use llmos_follower::state::POSITION;
use llmos_follower::{
    Checkpoint, Digest, Follower, Millis, Point, Program, Reading, Readings, Symbol, Value, World as Scene, wire,
};

/// Where a follower begins, if not with the first step.
#[derive(Debug)]
pub(crate) struct Resume {
    pub checkpoint: Checkpoint,
    /// The leg whose command was sent already, and what was reported when its step began.
    pub sent: Option<(u16, Box<Readings>)>,
}

/// What is to be done about a command that was interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interrupted {
    /// It had its effect, or may still show it: the state decides.
    Observe,
    /// It is sent once more.
    Again,
    /// Only a person can say.
    Unclear,
}

impl Kernel {
    /// Tells of runs that were broken off. What is known is told once. What the person has to say stays open until they do; a device that is
    /// not there now is asked again by the next run; and a run that is asked for again goes on from there.
    pub(crate) fn settle(&mut self) {
        let Some(request) = self.run.as_ref().map(|run| run.request.clone()) else {
            return;
        };
        if plans_only(&request) {
            return;
        }
        let mut settled = Vec::new();
        for intent in self.world.intents.open().to_vec() {
            let outcome = self.outcome_of(&intent);
            let text = intent::tell(&intent, &outcome);
            let stays = matches!(outcome, Outcome::Unknown { .. }) || self.is_asked_again(&request, &intent);
            if !stays || self.world.device(&intent.device).is_none() {
                settled.push(intent.device.clone());
            }
            self.tell(Event::BrokenOff {
                intent: Box::new(intent),
                outcome,
                text,
            });
        }
        self.close_devices(&settled);
    }

    /// What became of a command, as its device tells or else the person.
    pub(crate) fn outcome_of(&self, intent: &Intent) -> Outcome {
        let view = self.world.views.get(&intent.device).filter(|view| view.online);
        let used = view.and_then(|view| view.mark).map(|mark| mark.seq);
        let account = view.and_then(|view| view.state.account.as_ref());
        match (intent::outcome(intent.mark, used, account), intent.answer) {
            (Outcome::Unknown { .. } | Outcome::Failed { .. }, Some(true)) => Outcome::Finished,
            (Outcome::Unknown { .. } | Outcome::Failed { .. }, Some(false)) => Outcome::NeverBegun,
            (outcome, _) => outcome,
        }
    }

    /// Whether a request asks for the run that an intent was broken off in.
    fn is_asked_again(&self, request: &Request, intent: &Intent) -> bool {
        let Some(record) = self.world.intents.record(intent) else {
            return false;
        };
        let same = match &request.trace {
            Some(id) => {
                let trace = self.world.traces.get(id);
                record.followed.as_ref() == Some(id) && trace.is_some_and(|trace| trace.goal == record.goal)
            }
            None => record.goal.trim() == request.goal.trim(),
        };
        same && !plans_only(request) && request.mode.is_none_or(|mode| mode == record.mode)
    }

    /// The broken-off run that the goal at hand asks for again.
    pub(crate) fn asked_again(&self) -> Option<(Intent, Record)> {
        let request = &self.run.as_ref()?.request;
        let mut open = self.world.intents.open().iter();
        let intent = open.find(|intent| self.is_asked_again(request, intent))?;
        Some((intent.clone(), self.world.intents.record(intent)?.clone()))
    }

    /// Goes on with a run that was broken off.
    pub(crate) fn take_up(&mut self, now: Millis, intent: &Intent, record: &Record) {
        let program = match self.program_of(record) {
            Ok(program) => program,
            Err(why) => return self.refuse_to_take_up(now, intent, &why),
        };
        if let Some(run) = self.run.as_mut() {
            run.plan = record.plan.clone();
            run.followed.clone_from(&record.followed);
            run.replanned = record.replanned;
            run.name.clone_from(&record.run);
            (run.recorded, *run.program) = (true, program);
        }
        if let Some(why) = self.absent(&record.plan) {
            return self.finish(now, Status::Environment, &why);
        }
        if let Some(why) = self.denied(now, &record.plan) {
            return self.finish(now, Status::Refused, &why);
        }
        let Some(resume) = self.resumption(now, intent) else {
            return match intent.answer {
                None => self.ask_about(now, intent),
                Some(_) => self.refuse_to_take_up(now, intent, "what its step needs is not reported any more"),
            };
        };
        self.take_up_from(now, intent, record, resume);
    }

    fn take_up_from(&mut self, now: Millis, intent: &Intent, record: &Record, resume: Resume) {
        let (call, calls) = (intent.step.saturating_sub(1), record.plan.calls.len());
        let how = match &resume.sent {
            Some(_) => "its command was sent, so the device's state decides",
            None => "its command did not take effect or may be repeated, so it is sent",
        };
        let reason = format!(
            "taken up at step {} of {calls}; the run of {} was broken off",
            call + 1,
            record.run
        );
        self.choose(record.mode, &reason);
        self.tell(Event::Planned {
            plan: record.plan.clone(),
        });
        self.tell(Event::TakenUp {
            run: record.run.clone(),
            call,
            calls,
            how: how.to_owned(),
        });
        let observed = resume.checkpoint.observed;
        let Some(run) = self.run.as_mut() else { return };
        let done = record.plan.calls.iter().zip(observed).take(call);
        run.steps = done
            .map(|(planned, observed)| StepReport {
                observed,
                ..StepReport::of(planned)
            })
            .collect();
        (run.resume, run.takes_up) = (Some(resume), Some(intent.device.clone()));
        let left = Plan::of(record.plan.calls.get(call..).unwrap_or_default().to_vec());
        self.begin_or_ask(now, &left);
    }

    fn refuse_to_take_up(&mut self, now: Millis, intent: &Intent, why: &str) {
        let Intent {
            run,
            step,
            steps,
            device,
            ..
        } = intent;
        let text = format!(
            "the run of {run} was broken off at step {step} of {steps} and can't be taken up: {why}. Look at {device} and at what it handles; \
             to begin with the first step, say so (--anew)"
        );
        self.finish_asking(now, &text);
    }

    /// How a run goes on after its last command; `None` where only a person can say.
    fn resumption(&self, now: Millis, intent: &Intent) -> Option<Resume> {
        let (at, program) = (intent.at.as_ref()?, &*self.run.as_ref()?.program);
        let device = Symbol::of(&intent.device);
        let before = at.before.iter().map(|named| reading(device, named));
        let before = overlaid(&self.world.readings, device, before);
        let sent = Follower::resume_sent(program, at.checkpoint.clone(), &before, at.leg, now);
        let before = Box::new(before);
        let resume = |sent| Resume {
            checkpoint: at.checkpoint.clone(),
            sent,
        };
        match self.outcome_of(intent) {
            Outcome::Finished => sent.is_ok().then(|| resume(Some((at.leg, before)))),
            // The legs before it are behind us.
            Outcome::NeverBegun => Some(resume(at.leg.checked_sub(1).map(|leg| (leg, before)))),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => match self.interrupted(program, &sent.ok()?) {
                Interrupted::Observe => Some(resume(Some((at.leg, before)))),
                Interrupted::Again => Some(resume(None)),
                Interrupted::Unclear => None,
            },
        }
    }

    /// What is to be done about the command that a follower has sent and whose device can't account for it.
    pub(crate) fn interrupted(&self, program: &Program, follower: &Follower) -> Interrupted {
        let scene = Scene {
            program,
            readings: &self.world.readings,
        };
        let step = program.steps.get(follower.step());
        let harmless = step.is_some_and(|step| {
            let tools = self
                .world
                .device_of(step.device)
                .into_iter()
                .flat_map(|device| &device.tools);
            tools
                .filter(|tool| Symbol::of(&tool.name) == step.tool)
                .any(|tool| tool.idempotent)
        });
        if follower.shows_effect(scene) {
            Interrupted::Observe
        } else if harmless || follower.is_untouched(scene) {
            Interrupted::Again
        } else {
            Interrupted::Unclear
        }
    }

    /// An earlier command of which nobody knows what became, on a device to which the plan would send one.
    pub(crate) fn unsettled(&self, plan: &Plan) -> Option<Intent> {
        let run = self.run.as_ref()?;
        let mine = |intent: &Intent| {
            let same = (&intent.run, &intent.goal) == (&run.name, &run.request.goal);
            same || run.takes_up.as_ref() == Some(&intent.device)
        };
        let sends = |device: &str| {
            plan.acts().filter(|call| call.device == device).any(|call| {
                let tool = self.world.device(device).and_then(|device| device.tool(&call.tool));
                tool.is_none_or(|tool| tool.acts)
            })
        };
        let mut open = self.world.intents.open().iter();
        let unsettled = open.find(|intent| {
            !mine(intent) && sends(&intent.device) && matches!(self.outcome_of(intent), Outcome::Unknown { .. })
        });
        unsettled.cloned()
    }

    /// Asks the person what nobody else knows.
    pub(crate) fn ask_about(&mut self, now: Millis, intent: &Intent) {
        let request = self.next();
        let Some(run) = self.run.as_mut() else { return };
        if run.asked_about.as_ref() == Some(&intent.device) {
            // The answer was taken already; asking again would not end.
            return self.refuse_to_take_up(now, intent, "what became of its last command is not known");
        }
        run.asked_about = Some(intent.device.clone());
        run.phase = Phase::Settling {
            request,
            device: intent.device.clone(),
        };
        let question = format!("{}: was it?", intent::question(intent));
        self.outputs.push_back(Output::Ask { request, question });
    }

    /// The person has answered, or has not.
    pub(crate) fn settled(&mut self, now: Millis, device: &str, yes: Option<bool>) {
        let Some(intent) = self.world.intents.on(device).cloned() else {
            return;
        };
        let Some(yes) = yes else {
            let question = intent::question(&intent);
            return self.finish_asking(
                now,
                &format!(
                    "{question}; then answer at a terminal, or ask again with --settled {device}=yes or --settled {device}=no"
                ),
            );
        };
        self.answer(device, yes);
        if let Some((intent, record)) = self.asked_again() {
            return self.take_up(now, &intent, &record);
        }
        let plan = self.run.as_ref().map(|run| run.plan.clone()).unwrap_or_default();
        self.close_devices(&[device.to_owned()]);
        self.begin_or_ask(now, &plan);
    }

    /// Writes down what a person says about the command that is open on a device.
    pub(crate) fn answer(&mut self, device: &str, yes: bool) {
        if self.world.intents.on(device).is_none() {
            return self.tell(Event::Warning {
                text: format!("nothing of {device} was broken off, so there is nothing to say about it"),
            });
        }
        let request = self.next();
        let line = self.world.intents.answer_line(device, yes);
        self.outputs.push_back(Output::Append {
            request,
            path: intent::PATH.to_owned(),
            line,
        });
    }

    /// The program of a run that was broken off, as it was.
    fn program_of(&self, record: &Record) -> Result<Program, String> {
        let readings = with_starts(&self.world.readings, &record.starts);
        let program = compile(&record.plan, &self.world.devices, &readings)?;
        if digest(&program) == record.program {
            Ok(program)
        } else {
            Err("what it relies on has changed in the manifest since".to_owned())
        }
    }

    /// What was reported when the step at hand began, about its device and what its call names.
    pub(crate) fn reported_before(&self, follower: &Follower, device: &str, call: usize) -> Vec<Named> {
        let (names, symbol) = (&self.world.names, Symbol::of(device));
        let planned = self.run.as_ref().and_then(|run| run.plan.calls.get(call));
        let arguments = planned.into_iter().flat_map(|planned| &planned.arguments);
        let things: Vec<Symbol> = arguments
            .map(|argument| Symbol::of(&argument.value.to_string()))
            .collect();
        let told = |reading: &&Reading| {
            reading.device == symbol && (reading.owner.is_none() || things.contains(&reading.owner))
        };
        let spelled = |reading: &Reading| Named {
            owner: names.spell(reading.owner).to_owned(),
            field: names.spell(reading.field).to_owned(),
            value: names.fact(reading.value),
        };
        follower.before().iter().filter(told).map(spelled).collect()
    }
}

/// What is written down of a run before its first command.
pub(crate) fn record_of(run: &Run) -> Record {
    Record {
        run: run.name.clone(),
        goal: run.request.goal.clone(),
        mode: run.mode.unwrap_or(Mode::Learner),
        followed: run.followed.clone(),
        replanned: run.replanned,
        plan: run.plan.clone(),
        starts: starts(&run.plan, &run.start),
        program: digest(&run.program),
    }
}

fn plans_only(request: &Request) -> bool {
    request.dry_run || request.tools.is_some()
}

/// Where the things were, when a run began, that its plan puts back.
pub(crate) fn starts(plan: &Plan, readings: &Readings) -> Vec<(String, String, Point)> {
    let mut starts = Vec::new();
    for call in plan.acts() {
        for argument in &call.arguments {
            if let Given::Start(name) = &argument.value
                && let Some(Value::Point(point)) = readings.get(Symbol::of(&call.device), Symbol::of(name), POSITION)
            {
                starts.push((call.device.clone(), name.clone(), point));
            }
        }
    }
    starts
}

/// The readings with these things where they were.
pub(crate) fn with_starts(readings: &Readings, starts: &[(String, String, Point)]) -> Readings {
    let mut all = readings.clone();
    for (device, name, point) in starts {
        let device = Symbol::of(device);
        let was = Reading {
            device,
            owner: Symbol::of(name),
            field: POSITION,
            value: Value::Point(*point),
        };
        all = overlaid(&all, device, [was].into_iter());
    }
    all
}

/// The readings with some of a device's in place of those that it reports.
fn overlaid(readings: &Readings, device: Symbol, over: impl Iterator<Item = Reading>) -> Readings {
    let mut own: Vec<Reading> = readings
        .iter()
        .filter(|reading| reading.device == device)
        .copied()
        .collect();
    for reading in over {
        let same = |known: &Reading| (known.owner, known.field) == (reading.owner, reading.field);
        own.retain(|known| !same(known));
        own.push(reading);
    }
    let mut all = readings.clone();
    // What finds no room is not there, and what needs it is not taken up.
    let _ = all.replace(device, own);
    all
}

fn reading(device: Symbol, named: &Named) -> Reading {
    Reading {
        device,
        owner: Symbol::of(&named.owner),
        field: Symbol::of(&named.field),
        value: match &named.value {
            Fact::Bool(truth) => Value::Bool(*truth),
            Fact::Number(micro) => Value::Number(*micro),
            Fact::Point(point) => Value::Point(*point),
            Fact::Text(text) => Value::Symbol(Symbol::of(text)),
            Fact::Nothing => Value::Symbol(Symbol::NONE),
        },
    }
}

fn digest(program: &Program) -> String {
    let mut buffer = vec![0; wire::BYTES_MAX];
    let mut digest = Digest::default();
    // A program that can't be encoded has no bytes, and is the same as no other.
    if let Ok(bytes) = wire::encode(program, &mut buffer) {
        digest.write(bytes);
    }
    format!("{:016x}", digest.finish())
}
