//! Following a program: the follower offers a command, the gate judges it, the hooks may object, the link carries it, the device's state
//! proves it. When it is over, the run is kept before anyone is told.

use crate::compile;
use crate::kernel::{Kernel, Phase, Run};
use crate::lesson;
use crate::message::{Event, Fact, Named, News, Output, Status, StepReport, Verdict};
use crate::motion::{self, Known};
use crate::policy::{self, Agreed, Ask};
use crate::provenance;
use crate::review::Failed;
use llmos_follower::{
    Compensation, Handoff, Input, Millis, Observed, Offer, Output as Followed, Point, Progress, Symbol, World as Scene,
};

/// How much later than the rate allows a command leaves at most, in milliseconds: it may be carried faster than the one before it.
const PACE_MS: Millis = 50;

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
                program: &*run.program,
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

    pub(crate) fn feed(&mut self, now: Millis, input: Input) {
        let Some(run) = self.run.as_mut() else { return };
        let Some(follower) = run.follower.as_mut() else { return };
        follower.handle(
            Scene {
                program: &*run.program,
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

    pub(crate) fn begin_call(&mut self, call: usize) {
        let Some(run) = self.run.as_mut() else { return };
        while run.steps.len() <= call {
            let Some(planned) = run.plan.calls.get(run.steps.len()) else {
                return;
            };
            run.steps.push(StepReport::of(planned));
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
        let device = self.world.names.spell(offer.device).to_owned();
        let view = self.world.views.get(&device).filter(|view| !view.online);
        if let Some(why) = view.map(|view| view.why.clone().unwrap_or_default())
            && self.await_return(now, &device, &why)
        {
            return;
        }
        if let Some(route) = self.world.detour(&offer) {
            return self.feed(now, Input::Detour(route));
        }
        if let Some(until) = self.too_soon(now, &offer) {
            let ms = until.saturating_sub(now);
            let text = format!("{device} may not be sent more commands yet (max_rate)");
            self.tell(Event::Paced { call, text, ms });
            if let Some(run) = self.run.as_mut() {
                let offer = Box::new(offer);
                run.phase = Phase::Pacing { until, offer };
            }
            return;
        }
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

    /// When a command that its device's rate does not allow yet may be sent; `None` where that is now. The gate counts again then.
    fn too_soon(&self, now: Millis, offer: &Offer) -> Option<Millis> {
        let view = self.world.views.get(self.world.names.spell(offer.device))?;
        let devices = self
            .laws()
            .filter_map(|(_, devices)| devices.iter().find(|device| Symbol::of(&device.name) == offer.device));
        let rates = devices.filter_map(|device| device.envelope.rate_max);
        let due = rates.filter_map(|rate| {
            let free = view.watch.free_at(now, Some(rate));
            // The device counts too, and hears them as they come.
            (free > now).then(|| free + PACE_MS.min(Millis::from(rate.per_ms) / 10))
        });
        due.max()
    }

    /// Goes on with a command whose turn has come.
    pub(crate) fn pace(&mut self, now: Millis) {
        let Some(run) = self.run.as_mut() else { return };
        match std::mem::replace(&mut run.phase, Phase::Following) {
            Phase::Pacing { until, offer } if now >= until => {
                self.judge(now, *offer);
                self.drive(now);
            }
            waiting => run.phase = waiting,
        }
    }

    pub(crate) fn verdict(&self, now: Millis, offer: &Offer, call: usize) -> Result<(), String> {
        self.verdict_at(now, offer, call, None)
    }

    /// The same for a device that will be somewhere else by then.
    pub(crate) fn verdict_at(
        &self,
        now: Millis,
        offer: &Offer,
        call: usize,
        there: Option<Point>,
    ) -> Result<(), String> {
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
            let known = self.world.known(now, &device.name);
            let at = there.or(known.at);
            let motion = motion::of(device, offer, Known { at, ..known });
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
        self.world.note_command(now, &device);
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
        let sends = run.follower.as_ref().is_some_and(|follower| follower.has_sent());
        let astray = if self.world.has_jumped(device) {
            Some("a position where it can't have come to")
        } else {
            self.world.implausible(device)
        };
        let astray = astray.filter(|_| sends).map(str::to_owned);
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
            // Whoever does not know where it is must not go on, and nothing that it reports proves anything.
            News::State(_) if acting && astray.is_some() => {
                self.lost_because(&format!(
                    "it reports {}; nothing that it says is believed any more",
                    astray.unwrap_or_default()
                ));
                Input::Lost
            }
            News::State(_) if self.world.implausible(device).is_some() => return,
            News::State(state) if acting => Input::State(state.progress.unwrap_or(Progress::Unknown)),
            News::Restarted if acting && self.await_return(now, device, "it restarted") => return,
            // One that its broker knows to be gone can't act on what was sent, and its lease runs out; it may be restarting.
            News::Offline { why } if acting && self.await_return(now, device, why) => return,
            // Nothing of it is under way. Its turn may not come before it is back.
            News::Restarted | News::Offline { .. } | News::Lost { .. } if !acting && self.is_native(device) => return,
            News::Offline { why } | News::Lost { why } if concerned => {
                self.lost_because(why);
                Input::Lost
            }
            News::Restarted if concerned => {
                self.lost_because("it restarted again");
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
        // While the run waits for its turn, the hooks or the disk, only what ends the run counts.
        if let Some(Run {
            phase:
                phase @ (Phase::Pacing { .. } | Phase::Hooking { .. } | Phase::Intending { .. } | Phase::Reviewing { .. }),
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

    fn lost_because(&mut self, why: &str) {
        if let Some(run) = self.run.as_mut() {
            run.refusal = Some(why.to_owned());
        }
    }

    fn succeed(&mut self, now: Millis, observed: Observed, digest: u64) {
        let Some(run) = &self.run else { return };
        let skipped: Vec<String> = (1..)
            .zip(&run.steps)
            .filter(|(_, step)| step.observed == Some(Observed::Skipped))
            .map(|(number, step)| format!("step {number} ({})", step.tool))
            .collect();
        let (status, reason) = if !skipped.is_empty() {
            // The program allows it; that what was asked for is done, nobody has seen.
            let reason = format!(
                "{} was skipped, so not all of it was seen to be done",
                skipped.join(", ")
            );
            (Status::Unverified, reason)
        } else if observed == Observed::Unverified {
            let reason = "acknowledged, but the devices report nothing that would prove it";
            (Status::Unverified, reason.to_owned())
        } else {
            (Status::Done, run.reason.clone())
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
        let contradicted = lesson::contradicts(why);
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
        if let Some(run) = self.run.as_mut() {
            run.tries.contradicted = contradicted;
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

    pub(crate) fn end_failed(&mut self, now: Millis, why: Handoff, reason: &str) {
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
}

pub(crate) fn compensation_text(compensation: Compensation) -> String {
    match compensation {
        Compensation::None => String::new(),
        Compensation::Done => "; what the plan does about that was done".to_owned(),
        Compensation::Failed { why, .. } => {
            format!("; what the plan does about that failed too: {}", handoff_text(why))
        }
    }
}

pub(crate) fn handoff_text(why: Handoff) -> &'static str {
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
