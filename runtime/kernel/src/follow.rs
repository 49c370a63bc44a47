//! Following a program: the follower offers a command, the gate judges it, the hooks may object, the link carries it, the device's state
//! proves it. When it is over, the run is kept before anyone is told.

use crate::compile;
use crate::kernel::{Kernel, Phase, Run};
use crate::matching::{self, Generalised};
use crate::message::{Event, Fact, Named, News, Output, Report, Status, StepReport, Verdict};
use crate::mode::Mode;
use crate::plan::{Plan, Source};
use crate::policy::{self, Agreed, Ask};
use crate::provenance;
use crate::review::Failed;
use crate::text::trace::{self, Cost, Trace, TraceStep, Use};
use llmos_follower::{
    Compensation, Digest, Handoff, Input, Millis, Motion, Observed, Offer, Output as Followed, Progress, Symbol,
    World as Scene,
};
use std::fmt::Write;

impl Kernel {
    /// Drains the follower.
    pub(crate) fn drive(&mut self, now: Millis) {
        loop {
            let Some(run) = self.run.as_mut() else { return };
            if !matches!(run.phase, Phase::Following) {
                return;
            }
            let Some(follower) = run.follower.as_mut() else { return };
            let Some(said) = follower.poll(Scene {
                program: &run.program,
                readings: &self.world.readings,
            }) else {
                return;
            };
            match said {
                Followed::Command(offer) => self.judge(now, offer),
                Followed::StepDone { step, call, observed } => {
                    self.begin_call(usize::from(call));
                    if observed == Observed::Read && !self.is_wait(usize::from(call)) {
                        self.tell_reading(usize::from(call));
                    }
                    let text = self.step_text(usize::from(step));
                    self.tell(Event::StepObserved {
                        call: usize::from(call),
                        text,
                        observed,
                    });
                }
                Followed::CallDone { call, observed } => self.call_done(usize::from(call), observed),
                Followed::Finished { observed, digest } => self.succeed(now, observed, digest),
                Followed::Handoff {
                    call,
                    why,
                    compensation,
                    ..
                } => self.fail(now, usize::from(call), why, compensation),
                Followed::Stopped { .. } => self.finish(now, Status::Stopped, "stopped while it was carried out"),
            }
        }
    }

    fn is_wait(&self, call: usize) -> bool {
        let planned = self.run.as_ref().and_then(|run| run.plan.calls.get(call));
        planned.is_some_and(|planned| planned.options.wait.is_some())
    }

    /// A step that only reads has its result in the device's last report.
    fn tell_reading(&mut self, call: usize) {
        let Some(run) = self.run.as_mut() else { return };
        let Some(device) = run.plan.calls.get(call).map(|planned| planned.device.clone()) else {
            return;
        };
        let view = self.world.views.get(&device);
        let own = view
            .into_iter()
            .flat_map(|view| &view.state.readings)
            .filter(|reading| reading.owner.is_empty());
        let readings: Vec<Named> = own.cloned().collect();
        if let Some(step) = run.steps.get_mut(call) {
            step.readings.clone_from(&readings);
        }
        self.tell(Event::Reading { device, readings });
    }

    fn feed(&mut self, now: Millis, input: Input) {
        let Some(run) = self.run.as_mut() else { return };
        let Some(follower) = run.follower.as_mut() else { return };
        follower.handle(
            Scene {
                program: &run.program,
                readings: &self.world.readings,
            },
            now,
            input,
        );
    }

    fn step_text(&self, step: usize) -> String {
        let Some(step) = self.run.as_ref().and_then(|run| run.program.steps.get(step)) else {
            return String::new();
        };
        format!(
            "{}.{}",
            self.world.names.spell(step.device),
            self.world.names.spell(step.tool)
        )
    }

    fn begin_call(&mut self, call: usize) {
        let Some(run) = self.run.as_mut() else { return };
        while run.steps.len() <= call {
            let Some(planned) = run.plan.calls.get(run.steps.len()) else {
                return;
            };
            run.steps.push(StepReport {
                tool: format!("{}.{}", planned.device, planned.tool),
                arguments: planned.arguments.clone(),
                gate: "pass".to_owned(),
                ack_ms: None,
                observed: None,
                commands: 0,
                readings: Vec::new(),
            });
        }
        if run.begun != Some(call) {
            run.begun = Some(call);
            let text = run.plan.calls.get(call).map(ToString::to_string).unwrap_or_default();
            self.tell(Event::CallBegins { call, text });
        }
    }

    /// The logical call that a command belongs to.
    pub(crate) fn call_of(&self, offer: &Offer) -> Option<usize> {
        let step = self.run.as_ref()?.program.steps.get(usize::from(offer.step))?;
        Some(usize::from(step.call))
    }

    /// The gate: policy, provenance, envelope; then the hooks.
    fn judge(&mut self, now: Millis, offer: Offer) {
        let Some(call) = self.call_of(&offer) else { return };
        self.begin_call(call);
        match self.verdict(now, &offer, call) {
            Ok(()) => {
                let request = self.next();
                let (device, tool, arguments) = self.named(&offer);
                if let Some(run) = self.run.as_mut() {
                    run.phase = Phase::Hooking {
                        request,
                        offer: Box::new(offer),
                    };
                }
                self.outputs.push_back(Output::Hook {
                    request,
                    device,
                    tool,
                    arguments,
                });
            }
            Err(why) => self.refuse(now, call, why),
        }
    }

    pub(crate) fn verdict(&self, now: Millis, offer: &Offer, call: usize) -> Result<(), String> {
        let run = self.run.as_ref().ok_or("no run")?;
        let asking = self.asking(now).ok_or("no run")?;
        // The program was made from the devices that the run began with.
        let pinned = run
            .pinned
            .as_ref()
            .map_or(&self.world.devices, |pinned| &pinned.devices);
        let planned = compile::planned(&run.plan, &run.program, pinned, offer.step, call).ok_or("no such call")?;
        let goal = run.goal.as_ref();
        let sourced = goal.is_some_and(|goal| provenance::is_sourced(goal, run.followed.is_some(), planned));
        for (law, devices) in self.laws() {
            let device = devices.iter().find(|device| Symbol::of(&device.name) == offer.device);
            let device = device.ok_or("no such device")?;
            let motion = Motion {
                from: self.world.readings.position(offer.device),
                to: offer.target,
                speed: policy::commanded_speed(device, offer),
                state_age_ms: self.world.age_ms(now, &device.name),
            };
            let ask = Ask {
                asking: &asking,
                agreed: Agreed {
                    yes: run.confirmed,
                    people: &run.consent.people,
                },
                device,
                call: planned,
                offer,
                sourced,
                motion,
            };
            policy::judge(law, &ask)?;
        }
        Ok(())
    }

    pub(crate) fn refuse(&mut self, now: Millis, call: usize, why: String) {
        if let Some(run) = self.run.as_mut() {
            if let Some(step) = run.steps.get_mut(call) {
                step.gate.clone_from(&why);
            }
            run.refusal = Some(why);
        }
        self.feed(now, Input::Refused);
    }

    pub(crate) fn after_hooks(&mut self, now: Millis, offer: &Offer, verdict: Verdict) {
        let Some(call) = self.call_of(offer) else { return };
        // The hooks took time: the gate looks again at the state as it is now.
        let allowed = match verdict {
            Verdict::Deny { why } => Err(format!("a hook denied it: {why}")),
            Verdict::Pass => self.verdict(now, offer, call),
        };
        match allowed {
            Err(why) => self.refuse(now, call, why),
            Ok(()) => self.intend(offer, call),
        }
        self.drive(now);
    }

    pub(crate) fn send(&mut self, now: Millis, command: u64, offer: &Offer, call: usize) {
        let (device, tool, arguments) = self.named(offer);
        let list: Vec<String> = arguments
            .iter()
            .map(|(name, fact)| format!("{name}: {}", show(fact)))
            .collect();
        if let Some(run) = self.run.as_mut() {
            run.command = Some((command, now));
            if let Some(step) = run.steps.get_mut(call) {
                step.commands += 1;
            }
        }
        let text = format!("{device}.{tool}({})", list.join(", "));
        self.count_command(&device);
        self.outputs.push_back(Output::Command {
            device,
            command,
            tool,
            arguments,
        });
        self.tell(Event::CommandSent {
            call,
            text,
            leg: offer.leg,
            legs: offer.legs,
        });
        self.feed(now, Input::Sent);
    }

    pub(crate) fn named(&self, offer: &Offer) -> (String, String, Vec<(String, Fact)>) {
        let names = &self.world.names;
        let arguments = offer
            .arguments
            .iter()
            .map(|(name, value)| (names.spell(*name).to_owned(), names.fact(*value)))
            .collect();
        (
            names.spell(offer.device).to_owned(),
            names.spell(offer.tool).to_owned(),
            arguments,
        )
    }

    fn call_done(&mut self, call: usize, observed: Observed) {
        self.begin_call(call);
        if let Some(step) = self.run.as_mut().and_then(|run| run.steps.get_mut(call)) {
            step.observed = Some(observed);
        }
        self.tell(Event::CallObserved { call, observed });
        self.review_done(call, observed);
    }

    pub(crate) fn follow_tick(&mut self, now: Millis) {
        self.feed(now, Input::Tick);
        self.drive(now);
    }

    pub(crate) fn follow_stop(&mut self, now: Millis) {
        if self.reviews_failure() {
            return self.finish(now, Status::Stopped, "stopped after a call had failed");
        }
        if let Some(run) = self.run.as_mut() {
            run.phase = Phase::Following;
        }
        self.feed(now, Input::Stop);
        self.drive(now);
    }

    pub(crate) fn follow_news(&mut self, now: Millis, device: &str, news: &News) {
        let Some(run) = self.run.as_mut() else { return };
        let mine = run.command.map(|(command, _)| command);
        let sent = run.command.map_or(now, |(_, at)| at);
        let concerned = run.plan.calls.iter().any(|call| call.device == device);
        let acting = run
            .program
            .steps
            .get(run.follower.as_ref().map_or(0, |follower| follower.step()));
        let acting = acting.is_some_and(|step| step.device == llmos_follower::Symbol::of(device));
        let input = match news {
            News::Acknowledged { command } if Some(*command) == mine => {
                let ms = now.saturating_sub(sent);
                let call = run.begun.unwrap_or(0);
                if let Some(step) = run.steps.get_mut(call) {
                    step.ack_ms.get_or_insert(ms);
                }
                self.tell(Event::Acknowledged { call, ms });
                Input::Acknowledged
            }
            News::Rejected { command, why } | News::Failed { command, why } if Some(*command) == mine => {
                run.refusal = Some(why.clone());
                Input::Failed
            }
            News::State(state) if concerned && state.stopped => Input::Stop,
            News::State(state) if acting => Input::State(state.progress.unwrap_or(Progress::Unknown)),
            News::Offline { why } | News::Lost { why } if concerned => {
                run.refusal = Some(why.clone());
                Input::Lost
            }
            _ => return,
        };
        if self.reviews_failure() {
            if matches!(input, Input::Stop) {
                self.follow_stop(now);
            }
            return;
        }
        // While the run waits for the hooks or the disk, only what ends the run counts.
        if let Some(Run {
            phase: phase @ (Phase::Hooking { .. } | Phase::Intending { .. } | Phase::Reviewing { .. }),
            ..
        }) = &mut self.run
        {
            if !matches!(input, Input::Stop | Input::Lost) {
                return;
            }
            *phase = Phase::Following;
        }
        self.feed(now, input);
        self.drive(now);
    }

    fn succeed(&mut self, now: Millis, observed: Observed, digest: u64) {
        let unverified = observed == Observed::Unverified;
        let status = if unverified { Status::Unverified } else { Status::Done };
        let reason = match (unverified, self.run.as_ref().map(|run| run.reason.clone())) {
            (true, _) => "acknowledged, but the devices report nothing that would prove it".to_owned(),
            (false, reason) => reason.unwrap_or_default(),
        };
        self.end(now, status, &reason, None, Some(digest), None);
    }

    fn fail(&mut self, now: Millis, call: usize, why: Handoff, compensation: Compensation) {
        self.begin_call(call);
        let Some(run) = &self.run else { return };
        let name = run.plan.calls.get(call).map(ToString::to_string).unwrap_or_default();
        let device = run
            .plan
            .calls
            .get(call)
            .map(|planned| planned.device.clone())
            .unwrap_or_default();
        let detail = run.refusal.clone().unwrap_or_default();
        let what = handoff_text(why);
        let reason = if detail.is_empty() {
            format!("{name}: {what}")
        } else {
            format!("{name}: {what}: {detail}")
        };
        let reason = format!("{reason}{}", compensation_text(compensation));
        let undoing = match compensation {
            Compensation::Failed { step, why } => {
                run.program.steps.get(usize::from(step)).map(|step| (step.device, why))
            }
            Compensation::None | Compensation::Done => None,
        };
        let undoing = undoing.map(|(device, why)| (self.world.names.spell(device).to_owned(), why));
        // A device that may still be acting is told to stop; one that finished, refused or never began is left as it is.
        for (device, why) in [(device, why)].into_iter().chain(undoing) {
            if matches!(why, Handoff::Timeout | Handoff::NoAck | Handoff::Lost) {
                self.outputs.push_back(Output::StopDevice {
                    device,
                    why: handoff_text(why).to_owned(),
                });
            }
        }
        let failed = Failed {
            call,
            why,
            compensation,
            reason,
        };
        if !self.review_failed(failed.clone()) {
            self.fail_on(now, failed, true);
        }
    }

    /// What is left to do about a call that failed: another way, if there may be one, or the end.
    pub(crate) fn fail_on(&mut self, now: Millis, failed: Failed, other_way: bool) {
        let Failed {
            call,
            why,
            compensation,
            reason,
        } = failed;
        let other_way = other_way && compensation == Compensation::None;
        if !other_way || !self.go_on(now, call, why, &reason) {
            self.end_failed(now, why, &reason);
        }
    }

    fn end_failed(&mut self, now: Millis, why: Handoff, reason: &str) {
        let status = if why == Handoff::Refused {
            Status::Refused
        } else {
            Status::Failed
        };
        self.end(now, status, reason, None, None, None);
    }

    pub(crate) fn finish(&mut self, now: Millis, status: Status, reason: &str) {
        self.end(now, status, reason, None, None, None);
    }

    pub(crate) fn finish_asking(&mut self, now: Millis, question: &str) {
        self.end(
            now,
            Status::NeedsAnswer,
            question,
            Some(question.to_owned()),
            None,
            None,
        );
    }

    pub(crate) fn finish_with_calls(&mut self, now: Millis, calls: &str) {
        self.end(
            now,
            Status::Done,
            "planned from the given tools; nothing was carried out",
            None,
            None,
            Some(calls.to_owned()),
        );
    }

    fn end(
        &mut self,
        now: Millis,
        status: Status,
        reason: &str,
        question: Option<String>,
        digest: Option<u64>,
        calls: Option<String>,
    ) {
        let Some(run) = &self.run else { return };
        let mut report = run.report(now, status, reason);
        report.question = question;
        report.calls = calls;
        report.digest = digest.map(|digest| format!("{digest:016x}"));
        let mut left = Vec::new();
        match Kept::of(run, status, digest) {
            Kept::Nothing => {}
            Kept::Use => {
                report.trace.clone_from(&run.followed);
                if run.replanned && status == Status::Done {
                    let (variant, text) = self.variant_of(run, digest, report.ms);
                    self.keep(variant, text, &mut left);
                }
            }
            Kept::Trace => {
                let (trace, text) = self.trace_of(run, &run.plan, status, reason, digest, report.ms);
                report.trace = Some(self.keep(trace, text, &mut left));
            }
        }
        if let Some(line) = self.ledger_line(&report) {
            let append = self.next();
            left.push(append);
            self.outputs.push_back(Output::Append {
                request: append,
                path: "traces/ledger.jsonl".to_owned(),
                line,
            });
        }
        left.extend(self.close_intents());
        let nothing = left.is_empty();
        if let Some(run) = self.run.as_mut() {
            run.report = Some(Box::new(report));
            run.phase = Phase::Storing { left };
        }
        if nothing {
            self.close();
        }
    }

    /// Keeps a run as a trace of its own or, where one does the same deed already, as one more phrasing of that. Returns the trace's id.
    fn keep(&mut self, trace: Trace, text: String, left: &mut Vec<u64>) -> String {
        let known = if trace.status == Status::Done && trace.variant_of.is_none() {
            self.world
                .traces
                .same_deed(&trace)
                .map(|(known, pattern)| (known.clone(), pattern))
        } else {
            None
        };
        let Some((mut known, pattern)) = known else {
            let (id, request) = (trace.id.clone(), self.next());
            left.push(request);
            self.outputs.push_back(Output::Store {
                request,
                path: format!("traces/{id}.md"),
                text,
            });
            self.world.traces.insert(trace);
            if let Some(run) = self.run.as_mut() {
                run.storing = Some((request, id.clone()));
            }
            return id;
        };
        let id = known.id.clone();
        if !known.patterns.iter().any(|other| matching::is_same(other, &pattern)) {
            let request = self.next();
            left.push(request);
            self.outputs.push_back(Output::Amend {
                request,
                path: format!("traces/{id}.md"),
                pattern: pattern.clone(),
                note: format!("learned from {:?}, {}", trace.goal, trace.created),
            });
            self.tell(Event::Learned {
                trace: id.clone(),
                pattern: pattern.clone(),
            });
            if let Some(run) = self.run.as_mut() {
                run.amending = Some((request, Box::new(known.clone())));
            }
            known.patterns.push(pattern);
            self.world.traces.insert(known);
        }
        id
    }

    fn ledger_line(&mut self, report: &Report) -> Option<String> {
        let date = self.run.as_ref()?.request.date.clone();
        let (trace, mode) = (report.trace.clone()?, report.mode?);
        let entry = Use {
            trace,
            goal: report.goal.clone(),
            status: report.status,
            mode,
            date,
            ms: report.ms,
        };
        let line = serde_json::to_string(&entry).ok()?;
        self.world.uses.push(entry);
        Some(line)
    }

    /// The trace that this run leaves, and its text.
    fn trace_of(
        &self,
        run: &Run,
        plan: &Plan,
        status: Status,
        reason: &str,
        digest: Option<u64>,
        ms: u64,
    ) -> (Trace, String) {
        let goal = run
            .goal
            .clone()
            .unwrap_or_else(|| crate::goal::read(&run.request.goal, &self.world.lexicon()));
        let Generalised {
            pattern,
            slots,
            arguments,
        } = matching::generalise(&goal, plan, &self.world.devices);
        let manifests = self.world.relied_on(plan);
        let steps = plan
            .calls
            .iter()
            .zip(arguments)
            .enumerate()
            .map(|(index, (call, arguments))| TraceStep {
                observed: run.steps.get(index).and_then(|step| step.observed),
                ..TraceStep::new(&call.device, &call.tool, arguments)
            })
            .collect();
        let trace = Trace {
            id: self.trace_id(&run.request.goal, &pattern, status),
            goal: run.request.goal.clone(),
            patterns: vec![pattern],
            slots,
            start: Vec::new(),
            steps,
            status,
            mode: run.mode.unwrap_or(Mode::Learner),
            created: run.request.date.clone(),
            manifests,
            digest: digest.map(|digest| format!("{digest:016x}")),
            variant_of: None,
            cost: Some(Cost {
                tokens: u64::from(run.tokens.prompt) + u64::from(run.tokens.generated),
                ms,
            }),
        };
        let text = trace::print(&trace, &prose(run, status, reason));
        (trace, text)
    }

    /// The followed trace with the ending that the model planned and that was observed to succeed.
    fn variant_of(&self, run: &Run, digest: Option<u64>, ms: u64) -> (Trace, String) {
        let (mut plan, goal) = (run.plan.clone(), run.goal.clone());
        let spans = goal
            .iter()
            .flat_map(|goal| goal.standing().map(|span| (span, goal.words_of(span))));
        let spans: Vec<_> = spans.collect();
        // What a slot took from the goal is generalised as if the planner had pointed at it.
        for argument in plan.calls.iter_mut().flat_map(|call| &mut call.arguments) {
            if let Source::Slot { words, .. } = &argument.source
                && let Some((span, words)) = spans.iter().find(|(_, said)| said == words)
            {
                argument.source = Source::Goal {
                    start: span.start,
                    end: span.end,
                    words: (*words).to_owned(),
                };
            }
        }
        let (mut trace, _) = self.trace_of(run, &plan, Status::Done, "", digest, ms);
        trace.id = format!("{}-variant", trace.id);
        trace.variant_of.clone_from(&run.followed);
        let text = trace::print(&trace, &prose(run, Status::Done, ""));
        (trace, text)
    }

    fn trace_id(&self, goal: &str, pattern: &str, status: Status) -> String {
        let lower = goal.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(6)
            .collect();
        let mut digest = Digest::default();
        digest.write(pattern.as_bytes());
        let base = format!("{}-{:04x}", words.join("-"), digest.finish() & 0xffff);
        let base = if status == Status::Done {
            base
        } else {
            format!(
                "{base}-{}",
                serde_json::to_value(status)
                    .ok()
                    .and_then(|v| v.as_str().map(str::to_owned))
                    .unwrap_or_default()
            )
        };
        let taken = |id: &str| status == Status::Done && self.world.traces.get(id).is_some();
        if !taken(&base) {
            return base;
        }
        let numbered = (2..u32::MAX).map(|n| format!("{base}-{n}")).find(|id| !taken(id));
        numbered.unwrap_or(base)
    }
}

/// What of a run is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// A new trace.
    Trace,
    /// A line in the ledger of the trace that was followed.
    Use,
}

impl Kept {
    fn of(run: &Run, status: Status, digest: Option<u64>) -> Kept {
        let began = run.follower.is_some() && (digest.is_some() || !run.steps.is_empty());
        let sent = run.steps.iter().any(|step| step.commands > 0);
        match (began, run.followed.is_some()) {
            (false, _) => Kept::Nothing,
            // A disk that keeps nothing says nothing about the trace.
            _ if status == Status::Environment && !sent => Kept::Nothing,
            (true, true) => Kept::Use,
            // A command that the gate refused changed nothing and teaches nothing to repeat.
            (true, false) if status == Status::Refused && !sent => Kept::Nothing,
            (true, false) => Kept::Trace,
        }
    }
}

fn compensation_text(compensation: Compensation) -> String {
    match compensation {
        Compensation::None => String::new(),
        Compensation::Done => "; what the plan does about that was done".to_owned(),
        Compensation::Failed { why, .. } => {
            format!("; what the plan does about that failed too: {}", handoff_text(why))
        }
    }
}

fn handoff_text(why: Handoff) -> &'static str {
    match why {
        Handoff::StartState => "the devices are not as they must be before the first step",
        Handoff::Precondition => "what must hold before it does not hold",
        Handoff::Postcondition => "the device finished, but its state does not show the effect",
        Handoff::NoAck => "the device did not acknowledge in time",
        Handoff::Timeout => "the device did not finish in time",
        Handoff::Refused => "the gate refused it",
        Handoff::DeviceFailed => "the device refused or failed it",
        Handoff::Lost => "the device was lost",
        Handoff::Missing => "the device does not report what this needs (an object or place that is not there?)",
        Handoff::Program => "a formula of the manifest can't be computed",
    }
}

/// A value for a person.
#[must_use]
pub fn show(fact: &Fact) -> String {
    match fact {
        Fact::Bool(truth) => truth.to_string(),
        Fact::Number(micro) => crate::goal::print_number(*micro),
        Fact::Point(point) => crate::plan::print_point(*point),
        Fact::Text(text) => text.clone(),
        Fact::Nothing => "nothing".to_owned(),
    }
}

/// What a person finds below the frontmatter.
fn prose(run: &Run, status: Status, reason: &str) -> String {
    let mut text = format!("\n# {}\n\n", run.request.goal.lines().next().unwrap_or_default());
    for step in &run.steps {
        let observed = step.observed.map_or("not observed".to_owned(), |observed| {
            format!("{observed:?}").to_lowercase()
        });
        // Writing to a String can't fail.
        let _ = writeln!(text, "- {}: {observed}", step.tool);
        for argument in &step.arguments {
            let _ = writeln!(
                text,
                "  - {} = {} from {}",
                argument.parameter, argument.value, argument.source
            );
        }
    }
    if status != Status::Done {
        let _ = write!(text, "\nEnded {status:?}: {reason}\n");
    }
    text
}
