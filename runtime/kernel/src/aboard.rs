//! Runs that a device does alone, from the program that it keeps. The gate is asked here before it begins, as it is for every actuation: all
//! commands of the program are judged in thought, each from where the one before would have led, and the hooks see each of them. What can't
//! be judged beforehand is refused. Then the device is told to begin, and its own envelope judges every command again when it is due.
//!
//! What the device tells afterwards is written into the ledger before it may forget it, whether somebody waited for it or not. This file
//! must not know how a program gets onto a device.

use crate::compile::compile_trace;
use crate::follow::{compensation_text, handoff_text};
use crate::kernel::{Kernel, Phase};
use crate::matching;
use crate::message::{Aboard, Event, Fact, News, Output, Ran, RanEnd, Status, StepReport, Verdict};
use crate::mode::Mode;
use crate::plan::Given;
use crate::text::trace::{Places, Trace, Use};
use crate::tool::{Device, Type};
use crate::{foresee, goal};
use llmos_follower::program::ARGUMENTS_MAX;
use llmos_follower::state::POSITION;
use llmos_follower::value::distance;
use llmos_follower::{
    Handoff, Kind, Millis, Observed, Offer, OnError, Point, Program, Rate, Readings, Scope, Split, Step, Symbol, Value,
    evaluate, wire,
};

/// How often a device is asked again what came of its run, in milliseconds.
const ASK_MS: Millis = 2_000;
/// How long a device that was stopped may take to tell, in milliseconds.
const STOPPED_MS: Millis = 3_000;
/// How long a run may take beyond what its steps may take, in milliseconds.
const SLACK_MS: Millis = 10_000;

/// A run under way on its device.
#[derive(Debug)]
pub(crate) struct Alone {
    device: String,
    command: u64,
    acknowledged: bool,
    ask_at: Millis,
    /// When nothing is waited for any more.
    until: Millis,
    stopping: bool,
}

/// What a device has told of the run at hand.
#[derive(Debug)]
pub(crate) struct Told {
    pub device: String,
    pub run: u64,
    /// Its name in the ledger.
    pub key: String,
}

/// A report that is being written down while nobody waits for it.
#[derive(Debug)]
pub(crate) struct Handing {
    request: u64,
    told: Told,
    event: Event,
}

/// The program of a trace as its device keeps it, as bytes.
///
/// # Errors
/// Why a device can't run it alone, in words.
pub fn program_for(device: &str, devices: &[Device], trace: &Trace) -> Result<Vec<u8>, String> {
    if trace.status != Status::Done {
        return Err(format!(
            "the run of {} was not observed to succeed, so it is never run again",
            trace.id
        ));
    }
    let acts = trace
        .steps
        .iter()
        .flat_map(|step| std::iter::once(step).chain(&step.compensate));
    let mut others = acts.filter(|step| step.device != device);
    if let Some(other) = others.next() {
        return Err(format!(
            "{} involves {}, too: {device} runs alone only what is for it alone",
            trace.id, other.device
        ));
    }
    let program = compile_trace(devices, trace, &Places::default()).map_err(|found| {
        let why = found.first().map_or("it can't be compiled", |finding| &finding.message);
        format!("{} needs this host: {why}", trace.id)
    })?;
    let mut buffer = vec![0; wire::BYTES_MAX];
    let bytes = wire::encode(&program, &mut buffer);
    let bytes = bytes.map_err(|reject| format!("the program of {} can't be written: {reject:?}", trace.id))?;
    Ok(bytes.to_vec())
}

/// What tells a program from others: the checksum that it ends with.
#[must_use]
pub fn checksum(program: &[u8]) -> u32 {
    program.last_chunk().map_or(0, |sum| u32::from_le_bytes(*sum))
}

impl Kernel {
    pub(crate) fn decide_aboard(&mut self, now: Millis, trace: &Trace, aboard: &Aboard) {
        let (id, device) = (&trace.id, &aboard.device);
        let program = match program_for(device, &self.world.devices, trace) {
            Ok(program) => program,
            Err(why) => return self.finish(now, Status::Refused, &why),
        };
        if aboard.installed != Some(checksum(&program)) {
            let found = aboard.installed.map_or("no program", |_| "another program");
            let why = format!("{device} keeps {found}, and not {id} as it is now: llmos skill push {device} {id}");
            return self.finish(now, Status::Environment, &why);
        }
        let given = match self.given(trace, aboard) {
            Ok(given) => given,
            Err(question) => return self.finish_asking(now, &question),
        };
        let Some(plan) = matching::bind_given(trace, &given, &self.world.devices) else {
            let why = format!("{id} uses a tool or slot that is not there any more; see llmos trace check {id}");
            return self.finish(now, Status::Environment, &why);
        };
        let said = said(trace, &aboard.slots);
        let lexicon = self.world.lexicon();
        if let Some(run) = self.run.as_mut() {
            run.goal = Some(goal::read(&said, &lexicon));
            run.request.goal = said;
        }
        self.follow_trace(now, id, plan, &format!("{device} runs {id} by itself"));
    }

    /// The values of a trace's slots, each with what was said for it.
    ///
    /// # Errors
    /// What is missing, not known or no such value, in words.
    fn given(&self, trace: &Trace, aboard: &Aboard) -> Result<Vec<(String, String, Given)>, String> {
        let known = |name: &str| trace.slots.iter().any(|(slot, _)| slot == name);
        if let Some((name, _)) = aboard.slots.iter().find(|(name, _)| !known(name)) {
            let slots: Vec<&str> = trace.slots.iter().map(|(slot, _)| slot.as_str()).collect();
            let slots = if slots.is_empty() {
                "none".to_owned()
            } else {
                slots.join(", ")
            };
            return Err(format!("{} has no slot \"{name}\"; its slots: {slots}", trace.id));
        }
        let mut given = Vec::new();
        for (name, kind) in &trace.slots {
            let mut said = aboard.slots.iter().filter(|(slot, _)| slot == name);
            let (Some((_, words)), None) = (said.next(), said.next()) else {
                let word = kind.word();
                return Err(format!("say once what \"{name}\" is ({word}): {name}=VALUE"));
            };
            let value = Given::parse(words, kind).map_err(|why| format!("{name}: {why}"))?;
            self.check_reported(&aboard.device, kind, words)
                .map_err(|why| format!("{name}: {why}"))?;
            given.push((name.clone(), words.clone(), value));
        }
        Ok(given)
    }

    /// A thing or place is what the device itself reports under that name.
    fn check_reported(&self, device: &str, kind: &Type, words: &str) -> Result<(), String> {
        if !matches!(kind, Type::Entity | Type::Place) {
            return Ok(());
        }
        let (symbol, owner) = (Symbol::of(device), Symbol::of(words));
        let mut own = self.world.readings.iter().filter(|reading| reading.device == symbol);
        let reported = match kind {
            Type::Place => self.world.readings.get(symbol, owner, POSITION).is_some(),
            _ => own.any(|reading| reading.owner == owner && !owner.is_none()),
        };
        if reported {
            return Ok(());
        }
        let mut names: Vec<&str> = self
            .world
            .readings
            .iter()
            .filter(|reading| reading.device == symbol && !reading.owner.is_none())
            .map(|reading| self.world.names.spell(reading.owner))
            .collect();
        names.dedup();
        Err(format!(
            "{device} reports no \"{words}\", and when it is alone it knows only what it reports: {}",
            names.join(", ")
        ))
    }

    /// Judges all that a device would send itself, then asks the hooks.
    pub(crate) fn vet(&mut self, now: Millis) {
        let Some(run) = self.run.as_mut() else { return };
        run.steps = run.plan.calls.iter().map(StepReport::of).collect();
        match self.judged(now) {
            Ok(offers) => self.vet_next(now, offers),
            Err((call, why)) => self.refuse_aboard(now, call, &why),
        }
    }

    fn refuse_aboard(&mut self, now: Millis, call: usize, why: &str) {
        let Some(run) = self.run.as_mut() else { return };
        if let Some(step) = run.steps.get_mut(call) {
            why.clone_into(&mut step.gate);
        }
        let name = run.plan.calls.get(call).map(ToString::to_string).unwrap_or_default();
        self.finish(now, Status::Refused, &format!("{name}: the gate refused it: {why}"));
    }

    fn vet_next(&mut self, now: Millis, mut left: Vec<Offer>) {
        if left.is_empty() {
            return self.begin_aboard(now);
        }
        let offer = left.remove(0);
        let request = self.next();
        let (device, tool, arguments) = self.named(&offer);
        let call = self.call_of(&offer).unwrap_or(0);
        if let Some(run) = self.run.as_mut() {
            run.phase = Phase::Vetting { request, call, left };
        }
        self.outputs.push_back(Output::Hook {
            request,
            device,
            tool,
            arguments,
        });
    }

    pub(crate) fn vetted(&mut self, now: Millis, call: usize, left: Vec<Offer>, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.vet_next(now, left),
            Verdict::Deny { why } => {
                self.refuse_aboard(now, call, &format!("a hook denied it: {why}"));
            }
        }
    }

    /// Every command of the program as it would be sent, judged where it would be sent from; or the call that may not be, and why.
    fn judged(&self, now: Millis) -> Result<Vec<Offer>, (usize, String)> {
        let Some(run) = &self.run else { return Ok(Vec::new()) };
        let mut readings = self.world.readings.clone();
        let mut offers = Vec::new();
        for (index, step) in (0_u8..).zip(&run.program.steps) {
            if step.kind != Kind::Command {
                continue;
            }
            let call = usize::from(step.call);
            let foreseen = offers_of(&run.program, index, step, &readings).ok_or_else(|| {
                let device = self.world.names.spell(step.device);
                let why = format!(
                    "what it sends is only known to {device} when it is due, so it can't be judged beforehand; llmos replay does"
                );
                (call, why)
            })?;
            for (offer, from) in foreseen {
                self.verdict_at(now, &offer, call, from).map_err(|why| (call, why))?;
                if let Some(end) = offer.target {
                    foresee::move_to(&mut readings, step.device, end);
                }
                offers.push(offer);
            }
        }
        Ok(offers)
    }

    fn begin_aboard(&mut self, now: Millis) {
        // The hooks took time: the gate looks again.
        if let Err((call, why)) = self.judged(now) {
            return self.refuse_aboard(now, call, &why);
        }
        let command = self.next();
        let Some(run) = self.run.as_mut() else { return };
        let Some(aboard) = run.request.aboard.clone() else {
            return;
        };
        let Aboard {
            device,
            installed,
            finish,
            ..
        } = aboard;
        let trace = run.followed.as_ref().and_then(|id| self.world.traces.get(id));
        let slots = trace.and_then(|trace| facts(trace, run.request.aboard.as_ref()));
        let (Some(crc), Some(slots)) = (installed, slots) else {
            return self.finish(now, Status::Failed, "the trace is not there any more");
        };
        let rate = self.world.device(&device).and_then(|device| device.envelope.rate_max);
        let until = now + longest_ms(&run.program, rate);
        run.command = Some((command, now));
        run.phase = Phase::Aboard(Box::new(Alone {
            device: device.clone(),
            command,
            acknowledged: false,
            ask_at: now + ASK_MS,
            until,
            stopping: false,
        }));
        let text = run.reason.clone();
        self.count_command(&device);
        self.outputs.push_back(Output::RunAboard {
            device,
            command,
            crc,
            finish,
            slots,
        });
        let (call, leg, legs) = (0, 0, 1);
        self.tell(Event::CommandSent { call, text, leg, legs });
    }

    pub(crate) fn aboard_news(&mut self, now: Millis, device: &str, news: &News) {
        let Some(run) = self.run.as_mut() else { return };
        let (sent, detach) = (run.command.map_or(now, |(_, at)| at), run.request.aboard.as_ref());
        let (detach, finish) = detach.map_or((false, false), |aboard| (aboard.detach, aboard.finish));
        let Phase::Aboard(alone) = &mut run.phase else { return };
        if alone.device != device {
            return;
        }
        match news {
            News::Acknowledged { command } if *command == alone.command => {
                alone.acknowledged = true;
                let ms = now.saturating_sub(sent);
                if let Some(step) = run.steps.first_mut() {
                    step.ack_ms.get_or_insert(ms);
                }
                self.tell(Event::Acknowledged { call: 0, ms });
                if detach {
                    let why = format!(
                        "{device} has begun and goes on by itself; it tells what came of it when a host next has its lease"
                    );
                    self.finish(now, Status::Unverified, &why);
                }
            }
            News::Rejected { command, why } if *command == alone.command => {
                let why = format!("{device} did not begin: {why}");
                self.finish(now, Status::Failed, &why);
            }
            News::Lost { why } | News::Offline { why } if !alone.stopping => {
                let (status, then) = if finish && alone.acknowledged {
                    (
                        Status::Environment,
                        "it goes on by itself, and tells when a host next has its lease",
                    )
                } else {
                    (Status::Failed, "it goes to its safe state by itself")
                };
                self.finish(now, status, &format!("{device} was lost: {why}; {then}"));
            }
            News::Restarted => {
                let why = format!("{device} restarted, so it does not run it any more");
                self.finish(now, Status::Failed, &why);
            }
            _ => {}
        }
    }

    pub(crate) fn stop_aboard(&mut self, now: Millis) {
        if let Some(Phase::Aboard(alone)) = self.run.as_mut().map(|run| &mut run.phase) {
            alone.stopping = true;
            alone.until = now + STOPPED_MS;
        }
    }

    pub(crate) fn aboard_tick(&mut self, now: Millis) {
        let Some(Phase::Aboard(alone)) = self.run.as_mut().map(|run| &mut run.phase) else {
            return;
        };
        if now < alone.until {
            if alone.acknowledged && now >= alone.ask_at {
                alone.ask_at = now + ASK_MS;
                let device = alone.device.clone();
                self.outputs.push_back(Output::AskReport { device });
            }
            return;
        }
        let device = alone.device.clone();
        if alone.stopping {
            return self.finish(now, Status::Stopped, "stopped while its device carried it out");
        }
        let why = "it took longer than all of its steps may take".to_owned();
        self.outputs.push_back(Output::StopDevice {
            device: device.clone(),
            why: why.clone(),
        });
        self.finish(
            now,
            Status::Failed,
            &format!("{device} tells nothing of its run: {why}"),
        );
    }

    /// A device tells what came of a run. What was written down already is only to be forgotten.
    pub(crate) fn handle_ran(&mut self, now: Millis, device: &str, ran: &Ran) {
        let told = Told {
            device: device.to_owned(),
            run: ran.run,
            key: format!("{device}-{:08x}-{}", ran.session, ran.run),
        };
        if self.world.uses.iter().any(|used| used.run.as_ref() == Some(&told.key)) {
            let Told { device, run, .. } = told;
            // One that is on its way to the disk is forgotten when it is there.
            let writing = self.handing.iter().any(|handing| handing.told.key == told.key);
            let storing = self.run.as_ref().and_then(|run| run.told.as_ref());
            if !writing && storing.is_none_or(|storing| storing.key != told.key) {
                self.outputs.push_back(Output::Forget { device, run });
            }
            return;
        }
        let waited = self.run.as_ref().is_some_and(|run| match &run.phase {
            Phase::Aboard(alone) => ran.mine && (alone.device.as_str(), alone.command) == (device, ran.run),
            _ => false,
        });
        if waited {
            self.end_aboard(now, ran, told);
        } else {
            self.hand_over(ran, told);
        }
    }

    fn end_aboard(&mut self, now: Millis, ran: &Ran, told: Told) {
        let Some(run) = self.run.as_mut() else { return };
        let calls = run
            .program
            .main()
            .get(usize::from(ran.step))
            .map(|step| usize::from(step.call));
        let reached = calls.unwrap_or(run.plan.calls.len());
        if let Some(step) = run.steps.first_mut() {
            step.commands = ran.commands;
        }
        let (status, reason, digest) = ending(ran);
        // What one call came to is only known where all came to the same.
        let seen = (status == Status::Done).then_some(Observed::Met);
        for step in run.steps.iter_mut().take(reached) {
            step.observed = seen;
        }
        let name = run.plan.calls.get(reached).map(ToString::to_string);
        let reason = match (status, name) {
            (Status::Done, _) => run.reason.clone(),
            (_, Some(name)) => format!("{name}: {reason}"),
            (_, None) => reason,
        };
        run.told = Some(told);
        self.end(now, status, &reason, None, digest, None);
    }

    /// Writes down what nobody waited for.
    fn hand_over(&mut self, ran: &Ran, told: Told) {
        let device = told.device.clone();
        let trace = self.trace_with(&device, ran.crc);
        let (status, reason, digest) = ending(ran);
        let (id, goal) = match trace {
            Some(trace) => (trace.id.clone(), trace.goal.clone()),
            // Nobody here knows it any more, and what came of it is kept all the same.
            None => (format!("program-{:08x}", ran.crc), String::new()),
        };
        let entry = Use {
            trace: id.clone(),
            goal,
            status,
            mode: Mode::Follower,
            date: ran.date.clone(),
            ms: ran.ms,
            run: Some(told.key.clone()),
        };
        let Ok(line) = serde_json::to_string(&entry) else {
            return;
        };
        self.world.uses.push(entry);
        let digest = digest.map_or_else(String::new, |digest| format!(" · digest {digest:016x}"));
        let seconds = format!("{}.{} s", ran.ms / 1_000, ran.ms % 1_000 / 100);
        let text = format!("{device} ran {id} by itself: {reason} · {seconds}{digest}");
        let event = Event::HandedOver {
            device,
            trace: id,
            status,
            text,
        };
        let request = self.next();
        self.handing.push(Handing { request, told, event });
        self.outputs.push_back(Output::Append {
            request,
            path: "traces/ledger.jsonl".to_owned(),
            line,
        });
    }

    /// Whether this was a report's line; then its device may forget it, or has to keep it.
    pub(crate) fn handed_over(&mut self, request: u64, error: Option<&str>) -> bool {
        let Some(at) = self.handing.iter().position(|handing| handing.request == request) else {
            return false;
        };
        let Handing { told, event, .. } = self.handing.swap_remove(at);
        let Told { device, run, key } = told;
        if let Some(error) = error {
            self.world.uses.retain(|used| used.run.as_ref() != Some(&key));
            let text =
                format!("what {device} tells of its run could not be kept, so it is asked again next time: {error}");
            self.tell(Event::Warning { text });
        } else {
            self.outputs.push_back(Output::Forget { device, run });
            self.tell(event);
        }
        true
    }

    /// The trace whose program has this checksum.
    fn trace_with(&self, device: &str, crc: u32) -> Option<&Trace> {
        let devices = &self.world.devices;
        let same = |trace: &&Trace| program_for(device, devices, trace).is_ok_and(|program| checksum(&program) == crc);
        self.world.traces.iter().find(same)
    }
}

/// How a run is told of, and its digest where it has one.
fn ending(ran: &Ran) -> (Status, String, Option<u64>) {
    match ran.end {
        RanEnd::Finished { observed, digest } => {
            let (status, word) = match observed {
                Observed::Met | Observed::Read => (Status::Done, "done"),
                Observed::Skipped => (
                    Status::Unverified,
                    "a step was skipped, so not all of it was seen to be done",
                ),
                Observed::Unverified => (Status::Unverified, "done, and nothing reports what would prove it"),
            };
            (status, word.to_owned(), Some(digest))
        }
        RanEnd::Handoff { why, compensation } => {
            let status = match why {
                Handoff::Refused => Status::Refused,
                _ => Status::Failed,
            };
            let text = match why {
                Handoff::Refused => "the device's own limits refused it",
                other => handoff_text(other),
            };
            (status, format!("{text}{}", compensation_text(compensation)), None)
        }
        RanEnd::Stopped => (
            Status::Stopped,
            "stopped while its device carried it out".to_owned(),
            None,
        ),
        RanEnd::HostLost => (
            Status::Stopped,
            "the host went away, and the run was to stop then".to_owned(),
            None,
        ),
    }
}

/// The goal that the slots amount to: the trace's own words with what was said for each slot.
fn said(trace: &Trace, slots: &[(String, String)]) -> String {
    let mut said = trace.patterns.first().cloned().unwrap_or_else(|| trace.goal.clone());
    for (name, words) in slots {
        said = said.replace(&format!("{{{name}}}"), words);
    }
    said
}

/// The values of the slots, in their order, as they travel to the device.
fn facts(trace: &Trace, aboard: Option<&Aboard>) -> Option<Vec<Fact>> {
    let words = |name: &str| {
        aboard?
            .slots
            .iter()
            .find(|(slot, _)| slot == name)
            .map(|(_, words)| words)
    };
    let facts = trace.slots.iter().map(|(name, kind)| {
        Some(match Given::parse(words(name)?, kind).ok()? {
            Given::Quantity(_, micro) | Given::Number(micro) => Fact::Number(micro),
            Given::Boolean(truth) => Fact::Bool(truth),
            Given::Point(point) => Fact::Point(point),
            Given::Option(name) | Given::Entity(name) | Given::Named(name) | Given::Text(name) => Fact::Text(name),
            Given::Start(_) | Given::Result(_) => return None,
        })
    });
    facts.collect()
}

/// The commands of a step, leg by leg, each with where the device would be; `None` where that can't be known before.
fn offers_of(program: &Program, index: u8, step: &Step, readings: &Readings) -> Option<Vec<(Offer, Option<Point>)>> {
    let scope = Scope::of(step.device, readings);
    let mut offer = Offer {
        step: index,
        leg: 0,
        legs: 1,
        device: step.device,
        tool: step.tool,
        arguments: llmos_follower::Arguments::new(),
        start: None,
        target: None,
        end: None,
    };
    let mut values: Vec<Value> = Vec::with_capacity(ARGUMENTS_MAX);
    for (parameter, range) in &step.arguments {
        let value = evaluate(program, *range, &scope).ok()?;
        values.push(value);
        offer.arguments.push((*parameter, value)).ok()?;
    }
    if step.target.is_empty() {
        return Some(vec![(offer, None)]);
    }
    let scope = Scope {
        arguments: &values,
        ..scope
    };
    let Value::Point(end) = evaluate(program, step.target, &scope).ok()? else {
        return None;
    };
    let start = readings.position(step.device)?;
    let length = distance(start, end)?;
    let legs = match (step.split, step.leg_max) {
        (Split::Never, _) | (_, ..=0) => 1,
        (_, longest) => (length.saturating_add(longest - 1) / longest).clamp(1, i64::from(u16::MAX)),
    };
    let point = |leg: i64| -> Point {
        std::array::from_fn(|axis| {
            let way = i128::from(end[axis]) - i128::from(start[axis]);
            let part = way * i128::from(leg) / i128::from(legs);
            i64::try_from(i128::from(start[axis]) + part).unwrap_or(end[axis])
        })
    };
    let leg = |number: i64| {
        let leg = Offer {
            leg: u16::try_from(number).unwrap_or(u16::MAX),
            legs: u16::try_from(legs).unwrap_or(u16::MAX),
            target: Some(point(number + 1)),
            ..offer.clone()
        };
        (leg, Some(point(number)))
    };
    Some((0..legs).map(leg).collect())
}

/// How long the steps of a program may take, tries, and waiting for their turn.
fn longest_ms(program: &Program, rate: Option<Rate>) -> Millis {
    let turn_ms = rate.map_or(0, |rate| Millis::from(rate.per_ms) / Millis::from(rate.commands.max(1)));
    let each = program.steps.iter().map(|step| {
        let tries = match step.on_error {
            OnError::Retry(times) => Millis::from(times) + 1,
            _ => 1,
        };
        let legs = if step.split == Split::Never { 1 } else { 4 };
        (Millis::from(step.timeout_ms) + turn_ms) * tries * legs
    });
    each.sum::<Millis>() + SLACK_MS
}
